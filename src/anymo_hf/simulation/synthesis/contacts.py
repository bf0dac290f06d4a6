# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Feet on the floor: finds the pelvis' path from the contacts, then bends the legs so that no planted foot slides."""

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import spsolve

from anymo_hf.processing.placements_anymo import SEGMENTS
from anymo_hf.simulation.rotations import quaternion_conjugate, quaternion_to_matrix
from anymo_hf.simulation.synthesis.angles import compose, forward_kinematics, rotate, rotation
from anymo_hf.simulation.synthesis.curves import smooth_path, stiffness


SOLE_THICKNESS = 0.02  # m from the toe joint down to the floor
HEEL_REACH = 0.05  # m from the ankle back to where the heel touches
TOE_LENGTH = 0.06  # m from the toe joint to the tip
HORIZONTAL_CUTOFF, VERTICAL_CUTOFF, FOOT_CUTOFF = 3.0, 2.5, 4.0  # Hz, of the pelvis' path and of foot corrections
LED = 100000.0  # weight of a pelvis path that the plan itself gives, against 1 for a foot
HELD, FREE = 300000.0, 0.3  # weights of a foot on the floor and in the air
CLEARANCE = 0.012  # m of a swinging foot above the floor
MIN_KNEE = np.radians(8.0)  # a planted leg bends at least so much
HELD_MARGIN, FREE_MARGIN = 0.001, 0.006  # m; no knee is unique in a straight leg, so reach saturates just below

_LEGS = tuple(
    tuple(SEGMENTS.index(f"{side}_{part}") for part in ("UpperLeg", "LowerLeg", "Foot", "Toe")) for side in "LR"
)


def sole_points(bone_offsets: np.ndarray) -> np.ndarray:
    """Heel and ball of the left and the right foot, `(2, 2, 3)` in metres in the frame of the Foot segment."""
    toes = bone_offsets[[leg[3] for leg in _LEGS]]
    balls = toes - [0.0, 0.0, SOLE_THICKNESS]
    heels = balls * [0.0, 1.0, 1.0] - [HEEL_REACH, 0.0, 0.0]
    return np.stack([heels, balls], axis=1)


def sole_paths(positions: np.ndarray, orientations: np.ndarray, bone_offsets: np.ndarray) -> np.ndarray:
    """Heel, ball and toe tip of both feet in the world, `(num_frames, 2, 3, 3)` in metres."""
    points = sole_points(bone_offsets)
    paths = []
    tip = np.array([TOE_LENGTH, 0.0, -SOLE_THICKNESS])
    for (_, _, foot, toe), (heel, ball) in zip(_LEGS, points, strict=True):
        spots = ((foot, heel), (foot, ball), (toe, tip))
        paths.append([positions[:, s] + rotate(orientations[:, s], p) for s, p in spots])
    return np.stack([np.stack(path, axis=1) for path in paths], axis=1)


def plant_feet(
    local: np.ndarray,
    contacts: np.ndarray,
    bone_offsets: np.ndarray,
    frame_rate: float,
    floors: np.ndarray | None = None,
    height: np.ndarray | None = None,
    velocity: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """
    Moves the body over its planted feet.

    Published joint angles and a subject's bones never agree exactly, so feet would slide and float. First the pelvis
    path is solved for that moves every touching point of the sole least; then feet are held where they stand, flat
    while heel and ball both touch, and hip, knee and ankle take up the rest (a closed-form two-bone chain).

    Args:
        local (`np.ndarray` of shape `(num_frames, 23, 4)`):
            Rotations relative to the parents, from `local_rotations`.
        contacts (`np.ndarray` of shape `(num_frames, 2, 2)`):
            From 0 (in the air) to 1 (on the floor) for left and right foot, heel and ball.
        bone_offsets (`np.ndarray` of shape `(23, 3)`):
            Parent origin to segment origin in the T-pose, in metres.
        frame_rate (`float`):
            Frames per second.
        floors (`np.ndarray` of shape `(num_frames, 2)`, *optional*, defaults to `None`):
            Height of what is below the left and the right foot, in metres; `None` means 0.
        height (`np.ndarray` of shape `(num_frames, 2)`, *optional*, defaults to `None`):
            Pelvis height in metres and how much it counts, 0 to 1; the feet decide the rest.
        velocity (`np.ndarray` of shape `(num_frames, 3)`, *optional*, defaults to `None`):
            Pelvis velocity along world x and y in m/s and how much it counts, 0 to 1.

    Returns:
        `tuple(np.ndarray, np.ndarray)`: Pelvis positions `(num_frames, 3)` in metres, the floor at z = 0, and the
        rotations with both legs corrected.
    """
    local = local.copy()
    floors = np.zeros((len(local), 2)) if floors is None else floors
    height = np.zeros((len(local), 2)) if height is None else height
    velocity = np.zeros((len(local), 3)) if velocity is None else velocity
    points = sole_points(bone_offsets)
    positions, orientations = forward_kinematics(local, np.zeros((len(local), 3)), bone_offsets)
    feet, stances = [], []
    for side, (_, _, foot, _) in enumerate(_LEGS):
        rotations, yaws, stance = _level_foot(orientations[:, foot], contacts[:, side], frame_rate)
        feet.append(rotations)
        stances.append((stance, yaws))
    ankles = positions[:, [leg[2] for leg in _LEGS]]
    # All four points as seen from the pelvis, each moved to its foot's ball so that a foot has one place per stance.
    soles = np.stack([[rotate(feet[s], points[s, p]) for p in (0, 1)] for s in (0, 1)]).transpose(2, 0, 1, 3)
    balls = ankles[:, :, None] + soles
    balls[:, :, 0] += np.stack([_heel_to_ball(stances[s], points[s]) for s in (0, 1)], axis=1)
    support = balls - [0.0, 0.0, 1.0] * floors[:, :, None, None]
    led = (height, velocity)
    root, anchors = _solve_root(support, contacts, [s[0] for s in stances], _straightness(local), led, frame_rate)
    anchors[..., 2] = floors
    hips = positions[:, [leg[0] for leg in _LEGS]]
    goals = _ankle_goals(root, ankles, balls, contacts, anchors, frame_rate)
    root = _keep_in_reach(root, hips, goals, contacts, bone_offsets, frame_rate)
    # In the air a foot follows the body, so its path changes with the pelvis'.
    goals = _ankle_goals(root, ankles, balls, contacts, anchors, frame_rate)
    for side, leg in enumerate(_LEGS):
        _flatten_toes(local, leg[3], feet[side], contacts[:, side, 1], frame_rate)
        tip = bone_offsets[leg[3]] + rotate(local[:, leg[3]], np.array([TOE_LENGTH, 0.0, -SOLE_THICKNESS]))
        low = np.minimum(*(rotate(feet[side], p)[:, 2] for p in points[side]))
        low = np.minimum(low, rotate(feet[side], tip)[:, 2])
        low = low - floors[:, side]
        goals[:, side, 2] = _clear_floor(goals[:, side, 2], low, contacts[:, side].sum(-1), frame_rate)
        margin = FREE_MARGIN + (HELD_MARGIN - FREE_MARGIN) * np.minimum(contacts[:, side].sum(-1), 1.0)
        _bend_leg(local, leg, hips[:, side] + root, orientations, goals[:, side], feet[side], margin, bone_offsets)
    return root, local


def _level_foot(orientations, contacts, frame_rate) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Foot rotations, level while the sole lies flat and unturned while it touches; yaw per frame; stance number."""
    matrix = quaternion_to_matrix(torch.from_numpy(orientations)).numpy()
    yaw = np.unwrap(np.arctan2(matrix[:, 1, 0], matrix[:, 0, 0]))
    pitch = np.arcsin(np.clip(-matrix[:, 2, 0], -1, 1))
    roll = np.arctan2(matrix[:, 2, 1], matrix[:, 2, 2])
    touching, flat = np.minimum(contacts.sum(-1), 1.0), contacts.prod(-1)
    starts = np.diff(touching > 0, prepend=False) & (touching > 0)
    stance = np.where(touching > 0, np.cumsum(starts) - 1, -1)
    held = np.zeros(len(yaw))
    for number in range(stance.max() + 1):
        inside = stance == number
        held[inside] = np.average(yaw[inside], weights=touching[inside])
    fix = [
        smooth_path(np.where(w > 0, goal - angle, 0.0)[:, None], FREE + HELD * w, FOOT_CUTOFF, frame_rate)[:, 0]
        for angle, goal, w in ((yaw, held, touching), (pitch, 0.0, flat), (roll, 0.0, touching))
    ]
    turns = [
        rotation(axis, angle + f) for axis, angle, f in zip(np.eye(3)[::-1], (yaw, pitch, roll), fix, strict=True)
    ]
    return compose(*turns), held, stance


def _heel_to_ball(stance: tuple[np.ndarray, np.ndarray], points: np.ndarray) -> np.ndarray:
    """The way from heel to ball of the flat foot in its stance's direction, `(num_frames, 3)`."""
    return rotate(
        rotation(np.array([0.0, 0.0, 1.0]), stance[1]), np.broadcast_to(points[1] - points[0], (len(stance[1]), 3))
    )


def _straightness(local: np.ndarray) -> np.ndarray:
    """How much each leg decides about the pelvis' height, `(num_frames, 2)`: only a bent knee gives way."""
    knees = 2 * np.arctan2(np.abs(local[:, [leg[1] for leg in _LEGS], 2]), local[:, [leg[1] for leg in _LEGS], 0])
    return 0.1 / (0.1 + np.sin(np.minimum(knees, np.pi / 2))) ** 2


def _ankle_goals(root, ankles, balls, contacts, anchors, frame_rate) -> np.ndarray:
    """Where the ankles must be, `(num_frames, 2, 3)`: held in the stance, near their free path in the air."""
    goals = root[:, None] + ankles
    for side in range(2):
        touching = contacts[:, side].sum(-1)
        miss = anchors[:, side, None] - (root[:, None] + balls[:, side])  # (num_frames, 2, 3)
        miss = (contacts[:, side, :, None] * miss).sum(1) / np.maximum(touching, 1e-9)[:, None]
        weights = FREE + HELD * np.minimum(touching, 1.0) ** 3
        goals[:, side] += smooth_path(np.where(touching[:, None] > 0, miss, 0.0), weights, FOOT_CUTOFF, frame_rate)
    return goals


def _keep_in_reach(root, hips, goals, contacts, bone_offsets, frame_rate) -> np.ndarray:
    """Lowers the pelvis smoothly where a planted foot would be further away than the leg is long."""
    root = root.copy()
    for _ in range(6):
        excess = np.zeros(len(root))
        for side, (_, shank, foot, _) in enumerate(_LEGS):
            upper, lower = (np.linalg.norm(bone_offsets[s]) for s in (shank, foot))
            reach = np.sqrt(upper**2 + lower**2 + 2 * upper * lower * np.cos(MIN_KNEE))
            away = np.linalg.norm(goals[:, side] - root - hips[:, side], axis=-1) - reach
            excess = np.maximum(excess, np.where(contacts[:, side].sum(-1) > 0.05, away, 0.0))
        root[:, 2] -= smooth_path(1.3 * excess[:, None], 1.0 + 10.0 * (excess > 0), VERTICAL_CUTOFF, frame_rate)[:, 0]
    return root


def _clear_floor(height, low, touching, frame_rate) -> np.ndarray:
    """Lifts a swinging foot whose lowest point, `low` above the ankle (metres, negative), would enter the floor."""
    weights = HELD * np.minimum(touching, 1.0) ** 3
    for _ in range(4):
        deficit = np.where(touching > 0, 0.0, np.maximum(CLEARANCE - height - low, 0.0))
        lift = smooth_path(1.3 * deficit[:, None], weights + FREE + 10.0 * (deficit > 0), FOOT_CUTOFF, frame_rate)
        height = height + lift[:, 0]
    return height


def _solve_root(balls, contacts, stances, straightness, led, frame_rate) -> tuple[np.ndarray, np.ndarray]:
    """
    Pelvis path and the place of each stance, both unknown, by least squares.

    Minimises `sum w |root + ball - place|^2` plus a penalty on the path's third difference. Heights need no unknowns:
    the floor is at zero.
    """
    num_frames = len(balls)
    weights = contacts.sum(-1)  # (num_frames, 2)
    means = (contacts[..., None] * balls).sum(2)
    firm = weights * straightness
    height = -(means[..., 2] * straightness).sum(1) / np.maximum(firm.sum(1), 1e-9)
    root = np.empty((num_frames, 3))
    (given, share), (*speeds, hold) = led[0].T, led[1].T
    # With no foot on the floor only what is given says where the pelvis is.
    mix = np.where(share > 0, np.maximum(share, 1 - np.minimum(weights.sum(1), 1.0)), 0.0)
    height = (1 - mix) * height + mix * given
    firm = (1 - share) * firm.sum(1) + share * LED
    root[:, 2] = smooth_path(height[:, None], firm, VERTICAL_CUTOFF, frame_rate)[:, 0]
    counts = [stance.max() + 1 for stance in stances]
    rows = [np.flatnonzero(stance >= 0) for stance in stances]
    columns = [stance[row] + offset for stance, row, offset in zip(stances, rows, (0, counts[0]), strict=True)]
    coupling = sparse.csr_matrix(
        (np.concatenate([weights[row, side] for side, row in enumerate(rows)]),
         (np.concatenate(rows), np.concatenate(columns))), (num_frames, sum(counts)),
    )  # fmt: skip
    third = sparse.diags([-1.0, 3.0, -3.0, 1.0], [0, 1, 2, 3], (max(num_frames - 3, 0), num_frames))
    smooth = stiffness(HORIZONTAL_CUTOFF, frame_rate) * (third.T @ third)
    start = sparse.coo_matrix(([1.0], ([0], [0])), (num_frames, num_frames))  # the path begins at the origin
    # A velocity that the plan gives; a trace of standing still keeps paths without any contact determined.
    first = frame_rate * sparse.diags([-1.0, 1.0], [0, 1], (max(num_frames - 1, 0), num_frames))
    hold = (hold * LED + 1e-9)[1:]
    total = sparse.diags(weights.sum(1)) + smooth + start + first.T @ sparse.diags(hold) @ first
    places = sparse.diags(np.asarray(coupling.sum(0)).ravel())
    matrix = sparse.bmat([[total, -coupling], [-coupling.T, places]], format="csc")
    # Both equations' right sides, for x and y: what pulls the pelvis, and what pulls every place.
    right = np.zeros((num_frames + sum(counts), 2))
    right[:num_frames] = -means[..., :2].sum(1) + first.T @ (hold[:, None] * np.stack(speeds, axis=1)[1:])
    for side, (row, column) in enumerate(zip(rows, columns, strict=True)):
        np.add.at(right, num_frames + column, means[row, side, :2])
    solution = spsolve(matrix, right)
    root[:, :2] = solution[:num_frames]
    anchors = np.zeros((num_frames, 2, 3))
    for side, (row, column) in enumerate(zip(rows, columns, strict=True)):
        anchors[row, side, :2] = solution[num_frames + column]
    return root, anchors


def _bend_leg(local, leg, hips, orientations, ankles, feet, margin, bone_offsets) -> None:
    """Sets hip, knee and ankle of one leg so that the ankle reaches its place with the foot's rotation."""
    thigh, shank, foot, _ = leg
    pelvis = orientations[:, 0]
    upper, lower = bone_offsets[shank], bone_offsets[foot]
    way = ankles - hips
    cosine, sine = upper[[0, 2]] @ lower[[0, 2]], upper[0] * lower[2] - upper[2] * lower[0]
    fixed = upper @ upper + lower @ lower + 2 * upper[1] * lower[1]
    longest = np.sqrt(fixed + 2 * np.hypot(cosine, sine))
    slack = (longest - np.linalg.norm(way, axis=-1)) / margin
    reach = longest - margin * np.logaddexp(0.0, slack)
    knee = np.arctan2(sine, cosine) + np.arccos(np.clip((reach**2 - fixed) / (2 * np.hypot(cosine, sine)), -1.0, 1.0))
    bend = rotation(np.array([0.0, 1.0, 0.0]), knee)
    old = compose(pelvis, local[:, thigh])
    chain = rotate(old, upper + rotate(bend, np.broadcast_to(lower, way.shape)))
    new = compose(_shortest_turn(chain, way), old)
    inverse = quaternion_conjugate(torch.from_numpy(pelvis)).numpy()
    local[:, thigh], local[:, shank] = compose(inverse, new), bend
    local[:, foot] = compose(quaternion_conjugate(torch.from_numpy(compose(new, bend))).numpy(), feet)


def _shortest_turn(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Quaternions that turn the direction of one vector into that of another."""
    before, after = (v / np.linalg.norm(v, axis=-1, keepdims=True) for v in (before, after))
    turn = np.concatenate([1 + (before * after).sum(-1, keepdims=True), np.cross(before, after)], axis=-1)
    return turn / np.linalg.norm(turn, axis=-1, keepdims=True)


def _flatten_toes(local, toe, feet, touching, frame_rate) -> None:
    """Bends the toes up by as much as the heel has risen while the ball is on the floor."""
    pitch = np.arcsin(np.clip(2 * (feet[:, 0] * feet[:, 2] - feet[:, 1] * feet[:, 3]), -1, 1))
    weights = FREE + HELD * touching
    bend = smooth_path(np.where(touching > 0, np.maximum(pitch, 0), 0.0)[:, None], weights, FOOT_CUTOFF, frame_rate)
    local[:, toe] = rotation(np.array([0.0, -1.0, 0.0]), bend[:, 0])

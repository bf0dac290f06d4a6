# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Arms that reach given places, and arms that stay above the floor."""

import numpy as np
import torch
from scipy.ndimage import maximum_filter1d

from anymo_hf.processing.placements_anymo import SEGMENTS
from anymo_hf.simulation.rotations import quaternion_to_matrix
from anymo_hf.simulation.synthesis.angles import ANGLE_INDEX, compose, forward_kinematics, local_rotations, rotate


ELBOW_RADIUS, WRIST_RADIUS, FINGER_RADIUS = 0.045, 0.035, 0.012  # m from the bone to the skin below
PALM_HEIGHT = 0.08  # m of the wrist above the floor when the hand is flat on it
HAND_LENGTH = 0.17  # m from the wrist to the finger tips
ARM_REACH, STRETCHING = 0.995, 0.008  # share of its length that a placed arm uses at most, and m of easing
_SOFTNESS = 0.01  # m over which an arm begins to give way before it touches
_GIVING_WAY = 0.2  # s in which it does so: muscles break the fall of a hand, so the floor does not stop it at once

_ARMS = {
    side: tuple(SEGMENTS.index(f"{side[0].upper()}_{part}") for part in ("Shoulder", "UpperArm", "Forearm", "Hand"))
    for side in ("left", "right")
}


def place_arm(angles, side, wrist, elbow, bone_offsets, share=1.0) -> None:
    """
    Bends one arm so that its wrist is at a place (closed-form two-bone chain).

    Args:
        angles (`np.ndarray` of shape `(num_frames, NUM_ANGLES)`):
            Changed in place; pelvis, trunk and clavicle in it must be final.
        side (`str`):
            `"left"` or `"right"`.
        wrist (`np.ndarray` of shape `(num_frames, 3)`):
            From the pelvis, in metres: forward, left and up as the person is headed.
        elbow (`tuple[float, float, float]`):
            Direction in which the elbow points away from the line from shoulder to wrist: forward, outward and up.
        bone_offsets (`np.ndarray` of shape `(23, 3)`):
            The subject's bones, in metres.
        share (`np.ndarray` of shape `(num_frames,)` or `float`, *optional*, defaults to 1.0):
            From 0 (the arm remains as it is) to 1.
    """
    girdle, upper, forearm, hand = _ARMS[side]
    sign = 1.0 if side == "left" else -1.0
    positions, orientations = forward_kinematics(local_rotations(angles), np.zeros((len(angles), 3)), bone_offsets)
    first, second = (np.linalg.norm(bone_offsets[segment]) for segment in (forearm, hand))
    way = wrist - positions[:, upper]
    distance = np.linalg.norm(way, axis=1, keepdims=True)
    way = way / distance
    # An arm stretches less and less easily: the reach saturates softly, so that the elbow does not snap.
    longest = ARM_REACH * (first + second)
    distance = longest - STRETCHING * np.logaddexp(0.0, (longest - distance) / STRETCHING)
    distance = np.maximum(distance, 0.3 * longest)
    pole = np.asarray(elbow) * [1.0, sign, 1.0]
    aside = _unit(pole - (way @ pole)[:, None] * way)
    along = (first**2 + distance**2 - second**2) / (2 * distance)
    bone = _unit(along * way + np.sqrt(np.maximum(first**2 - along**2, 0)) * aside)
    # The elbow bends its forearm towards the upper arm's own x axis.
    bent = _unit(way - (way * bone).sum(1, keepdims=True) * bone)
    turned = np.stack([bent, sign * bone, np.cross(bent, sign * bone)], axis=-1)
    shoulder = quaternion_to_matrix(torch.from_numpy(orientations[:, girdle])).numpy()
    flexion, abduction, turn = _shoulder_angles(np.swapaxes(shoulder, 1, 2) @ turned, sign)
    bend = np.pi - np.arccos(np.clip((first**2 + second**2 - distance[:, 0] ** 2) / (2 * first * second), -1, 1))
    values = {"shoulder_flexion": flexion, "shoulder_abduction": abduction, "shoulder_rotation": turn,
              "elbow_flexion": bend}  # fmt: skip
    for name, value in values.items():
        column = ANGLE_INDEX[f"{side}_{name}"]
        angles[:, column] += share * (value - angles[:, column])


def _shoulder_angles(matrix: np.ndarray, sign: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flexion, abduction and rotation of an upper arm turned by `matrix` from its girdle: turns about y, x and y."""
    sine = np.hypot(matrix[:, 0, 1], matrix[:, 2, 1])
    flexion = -np.arctan2(-sign * matrix[:, 0, 1], -sign * matrix[:, 2, 1])
    abduction = np.pi / 2 - np.arctan2(sine, matrix[:, 1, 1])
    turn = np.arctan2(-sign * matrix[:, 1, 0], sign * matrix[:, 1, 2])
    flexion, turn = (np.unwrap(angle) for angle in (flexion, turn))
    flexion, turn = (angle - 2 * np.pi * np.round(np.median(angle) / (2 * np.pi)) for angle in (flexion, turn))
    return flexion, abduction, turn


def lift_arms(positions, orientations, bone_offsets, floor, frame_rate) -> tuple[np.ndarray, np.ndarray]:
    """
    Turns upper arms, forearms and hands up where they would go into the floor: how falling arms give way.

    Args:
        positions (`np.ndarray` of shape `(num_frames, 23, 3)`):
            In metres.
        orientations (`np.ndarray` of shape `(num_frames, 23, 4)`):
            Segment to world, wxyz.
        bone_offsets (`np.ndarray` of shape `(23, 3)`):
            In metres.
        floor (`np.ndarray` of shape `(num_frames,)`):
            Height of the floor, in metres.
        frame_rate (`float`):
            Frames per second.

    Returns:
        `tuple(np.ndarray, np.ndarray)`: Both, with no joint of an arm below the floor.
    """
    arms = [segment for arm in _ARMS.values() for segment in arm[1:]]
    if (positions[:, arms, 2] - floor[:, None]).min() > HAND_LENGTH + 6 * _SOFTNESS:
        return positions, orientations
    positions, orientations = positions.copy(), orientations.copy()
    for side, (_, upper, forearm, hand) in _ARMS.items():
        tip = np.array([0.0, HAND_LENGTH if side == "left" else -HAND_LENGTH, 0.0])
        chain = (
            ((upper, forearm, hand), bone_offsets[forearm], ELBOW_RADIUS),
            ((forearm, hand), bone_offsets[hand], WRIST_RADIUS),
            ((hand,), tip, FINGER_RADIUS),
        )
        for moved, bone, radius in chain:
            start = positions[:, moved[0]]
            reach = rotate(orientations[:, moved[0]], np.broadcast_to(bone, start.shape))
            turn = _turn_up(reach, start[:, 2] - floor - radius, frame_rate)
            for segment in moved:
                positions[:, segment] = start + rotate(turn, positions[:, segment] - start)
                orientations[:, segment] = compose(turn, orientations[:, segment])
    return positions, orientations


def _turn_up(reach: np.ndarray, height: np.ndarray, frame_rate: float) -> np.ndarray:
    """Quaternions that turn bones upwards, just so that their ends don't fall deeper than `height` (metres)."""
    length = np.linalg.norm(reach, axis=1)
    gap = (reach[:, 2] + height) / _SOFTNESS
    rise = np.where(gap < 30, _SOFTNESS * np.logaddexp(0.0, gap) - height, reach[:, 2])
    before, after = (np.arcsin(np.clip(z / length, -1, 1)) for z in (reach[:, 2], rise))
    # About the level axis across the bone; an upright bone has none, and tips about y.
    axis = np.stack([reach[:, 1], -reach[:, 0], np.zeros(len(reach))], axis=1)
    size = np.linalg.norm(axis, axis=1, keepdims=True)
    axis = np.where(size > 1e-6, axis / np.maximum(size, 1e-6), [0.0, 1.0, 0.0])
    half = 0.5 * _early(after - before, frame_rate)[:, None]
    return np.concatenate([np.cos(half), np.sin(half) * axis], axis=1)


def _early(turn: np.ndarray, frame_rate: float) -> np.ndarray:
    """A curve that is nowhere below the given one, but rises before it and falls after it, over `_GIVING_WAY`."""
    half = max(round(0.5 * _GIVING_WAY * frame_rate), 1)
    window = np.hanning(2 * half + 3)[1:-1]
    highest = np.pad(maximum_filter1d(turn, 2 * half + 1, mode="nearest"), half, "edge")
    return np.convolve(highest, window / window.sum(), "valid")


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Anatomical joint angles and the forward kinematics that turns them into the poses of the 23 segments."""

import numpy as np
import torch

from anymo_hf.processing.placements_anymo import NUM_SEGMENTS, SEGMENT_PARENTS, SEGMENTS
from anymo_hf.simulation.rotations import quaternion_rotate


_TRUNK_ANGLES = (
    "pelvis_tilt", "pelvis_obliquity", "pelvis_rotation", "pelvis_roll",
    "trunk_flexion", "trunk_bending", "trunk_rotation",
    "neck_flexion", "neck_bending", "neck_rotation",
)  # fmt: skip
_LIMB_ANGLES = (
    "hip_flexion", "hip_abduction", "hip_rotation", "knee_flexion",
    "ankle_dorsiflexion", "ankle_inversion", "toe_extension",
    "clavicle_elevation", "shoulder_flexion", "shoulder_abduction", "shoulder_rotation",
    "elbow_flexion", "forearm_pronation", "wrist_flexion", "wrist_deviation",
)  # fmt: skip

# Columns of an angle array. All are zero in upright standing with the arms hanging, the palms towards the thighs.
# Pelvis and trunk: tilt and flexion forward, obliquity left side up, bending and rotation to the left are positive.
# The roll turns the body to its left about its own long axis, after all else: how a lying person turns over.
# Limbs: flexion, abduction, inward rotation, pronation (palm backwards) and deviation to the thumb are positive.
ANGLES = (*_TRUNK_ANGLES, *(f"{side}_{name}" for side in ("left", "right") for name in _LIMB_ANGLES))
ANGLE_INDEX = {name: index for index, name in enumerate(ANGLES)}
NUM_ANGLES = len(ANGLES)

_X, _Y, _Z = np.eye(3)
# Share of the trunk's and the neck's angles that each segment takes; the lumbar spine bends more than the chest.
_TRUNK_SHARES = {"L5": 0.3, "L3": 0.3, "T12": 0.2, "T8": 0.2}
_NECK_SHARES = {"Neck": 0.5, "Head": 0.5}


def _limb_joints(side: str, sign: float) -> list[tuple[str, str, np.ndarray, float]]:
    """(segment, angle, axis, rotation added to the angle) of one side; a segment's turns apply from left to right."""
    prefix, name = side[0].upper() + "_", side + "_"
    quarter = -sign * np.pi / 2  # from the T-pose to the hanging arm
    rows = [
        ("UpperLeg", "hip_flexion", -_Y, 0.0),
        ("UpperLeg", "hip_abduction", sign * _X, 0.0),
        ("UpperLeg", "hip_rotation", -sign * _Z, 0.0),
        ("LowerLeg", "knee_flexion", _Y, 0.0),
        ("Foot", "ankle_dorsiflexion", -_Y, 0.0),
        ("Foot", "ankle_inversion", sign * _X, 0.0),
        ("Toe", "toe_extension", -_Y, 0.0),
        ("Shoulder", "clavicle_elevation", sign * _X, 0.0),
        ("UpperArm", "shoulder_flexion", -_Y, 0.0),
        ("UpperArm", "shoulder_abduction", sign * _X, quarter * sign),
        ("UpperArm", "shoulder_rotation", _Y, 0.0),
        ("Forearm", "elbow_flexion", -sign * _Z, 0.0),
        ("Forearm", "forearm_pronation", _Y, 0.0),
        ("Hand", "wrist_flexion", -sign * _X, 0.0),
        ("Hand", "wrist_deviation", -sign * _Z, 0.0),
    ]
    return [(prefix + segment, name + angle, axis, offset) for segment, angle, axis, offset in rows]


def _joint_table() -> list[tuple[int, int, float, np.ndarray, float]]:
    """(segment, angle, share, axis, offset) of every elementary rotation, in the order in which they compose."""
    rows = [
        ("Pelvis", "pelvis_rotation", 1.0, _Z, 0.0),
        ("Pelvis", "pelvis_tilt", 1.0, _Y, 0.0),
        ("Pelvis", "pelvis_obliquity", 1.0, _X, 0.0),
        ("Pelvis", "pelvis_roll", 1.0, _Z, 0.0),
    ]
    for part, shares in (("trunk", _TRUNK_SHARES), ("neck", _NECK_SHARES)):
        for segment, share in shares.items():
            rows += [
                (segment, f"{part}_rotation", share, _Z, 0.0),
                (segment, f"{part}_flexion", share, _Y, 0.0),
                (segment, f"{part}_bending", share, -_X, 0.0),
            ]
    for side, sign in (("left", 1.0), ("right", -1.0)):
        rows += [(segment, angle, 1.0, axis, offset) for segment, angle, axis, offset in _limb_joints(side, sign)]
    return [(SEGMENTS.index(row[0]), ANGLE_INDEX[row[1]], *row[2:]) for row in rows]


_JOINTS = _joint_table()


def rotation(axis: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Quaternions of shape `(..., 4)` that turn by `angle` (radians, any shape) about the unit vector `axis`."""
    half = 0.5 * np.asarray(angle, dtype=np.float64)[..., None]
    return np.concatenate([np.cos(half), np.sin(half) * axis], axis=-1)


def compose(first: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """The product of quaternions, the last one applied first."""
    product = np.asarray(first, dtype=np.float64)
    for other in others:
        a, b = np.moveaxis(product, -1, 0), np.moveaxis(np.asarray(other, dtype=np.float64), -1, 0)
        product = np.empty(np.broadcast_shapes(product.shape, np.shape(other)))
        product[..., 0] = a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3]
        product[..., 1] = a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2]
        product[..., 2] = a[0] * b[2] - a[1] * b[3] + a[2] * b[0] + a[3] * b[1]
        product[..., 3] = a[0] * b[3] + a[1] * b[2] - a[2] * b[1] + a[3] * b[0]
    return product


def rotate(quaternions: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Vectors of shape `(..., 3)` turned by quaternions of shape `(..., 4)`."""
    vectors = torch.from_numpy(np.array(vectors, dtype=np.float64))
    return quaternion_rotate(torch.from_numpy(np.asarray(quaternions, dtype=np.float64)), vectors).numpy()


def local_rotations(angles: np.ndarray, heading: np.ndarray | float = 0.0) -> np.ndarray:
    """
    Every segment's rotation relative to its parent.

    Args:
        angles (`np.ndarray` of shape `(num_frames, NUM_ANGLES)`):
            Anatomical angles in radians, in the order of `ANGLES`.
        heading (`np.ndarray` of shape `(num_frames,)` or `float`, *optional*, defaults to 0.0):
            Direction the person faces, in radians from +x towards +y.

    Returns:
        `np.ndarray` of shape `(num_frames, 23, 4)`: Unit quaternions wxyz; the pelvis' is relative to the world.
    """
    # One quaternion component after the other, each contiguous in time: this is where the time goes.
    local = np.zeros((NUM_SEGMENTS, 4, len(angles)))
    local[:, 0] = 1.0
    local[0] = rotation(_Z, np.broadcast_to(heading, len(angles))).T
    for segment, angle, share, axis, offset in _JOINTS:
        if offset or angles[:, angle].any():
            half = 0.5 * (share * angles[:, angle] + offset)
            _turn_about(local[segment], int(np.abs(axis).argmax()), np.cos(half), axis.sum() * np.sin(half))
    return np.ascontiguousarray(local.transpose(2, 0, 1))


def _turn_about(turned: np.ndarray, axis: int, cosine: np.ndarray, sine: np.ndarray) -> None:
    """Appends a turn about x, y or z (axis 0, 1, 2) to quaternions of shape `(4, num_frames)`, in place."""
    own, first, second = 1 + axis, 1 + (axis + 1) % 3, 1 + (axis + 2) % 3
    w, a, b, c = turned[0].copy(), turned[own].copy(), turned[first].copy(), turned[second].copy()
    turned[0], turned[own] = w * cosine - a * sine, a * cosine + w * sine
    turned[first], turned[second] = b * cosine + c * sine, c * cosine - b * sine


def forward_kinematics(
    local: np.ndarray, root_positions: np.ndarray, bone_offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """
    Chains rotations relative to the parents into poses in the world.

    Args:
        local (`np.ndarray` of shape `(num_frames, 23, 4)`):
            From `local_rotations`.
        root_positions (`np.ndarray` of shape `(num_frames, 3)`):
            Pelvis origin in the world, in metres.
        bone_offsets (`np.ndarray` of shape `(23, 3)`):
            Parent origin to segment origin in the T-pose, in metres.

    Returns:
        `tuple(np.ndarray, np.ndarray)`: Positions `(num_frames, 23, 3)` in metres and orientations
        `(num_frames, 23, 4)`, wxyz, segment to world.
    """
    positions, orientations = np.empty((NUM_SEGMENTS, 3, len(local))), np.ascontiguousarray(local.transpose(1, 2, 0))
    positions[0] = np.asarray(root_positions).T
    for segment, parent in enumerate(SEGMENT_PARENTS):
        if parent >= 0:
            orientations[segment] = _product(orientations[parent], orientations[segment])
            positions[segment] = positions[parent] + _turned(orientations[parent], bone_offsets[segment])
    return np.ascontiguousarray(positions.transpose(2, 0, 1)), np.ascontiguousarray(orientations.transpose(2, 0, 1))


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Product of quaternions of shape `(4, num_frames)`."""
    return np.stack([
        a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3],
        a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2],
        a[0] * b[2] - a[1] * b[3] + a[2] * b[0] + a[3] * b[1],
        a[0] * b[3] + a[1] * b[2] - a[2] * b[1] + a[3] * b[0],
    ])  # fmt: skip


def _turned(q: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """One vector turned by quaternions of shape `(4, num_frames)`, `(3, num_frames)`."""
    w, x, y, z = q
    a, b, c = vector
    u, v, t = 2 * (y * c - z * b), 2 * (z * a - x * c), 2 * (x * b - y * a)
    return np.stack([a + w * u + y * t - z * v, b + w * v + z * u - x * t, c + w * t + x * v - y * u])

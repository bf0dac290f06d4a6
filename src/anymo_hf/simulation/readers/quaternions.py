# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Quaternions for whole files, as arrays `(4, ...)`: components w, x, y, z first and frames last.

Every step then runs over contiguous frames, which is ten times faster here than `simulation.rotations` with its four
components last.
"""

import numpy as np
import torch

from anymo_hf.simulation.rotations import matrix_to_quaternion


def conjugate(q: np.ndarray) -> np.ndarray:
    """The inverse rotation of unit quaternions `(4, ...)`."""
    return np.concatenate([q[:1], -q[1:]])


def multiply(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """The rotation `q` followed by the rotation `p`, both `(4, ...)`."""
    (pw, px, py, pz), (qw, qx, qy, qz) = p, q
    return np.stack(
        [
            pw * qw - px * qx - py * qy - pz * qz,
            pw * qx + px * qw + py * qz - pz * qy,
            pw * qy - px * qz + py * qw + pz * qx,
            pw * qz + px * qy - py * qx + pz * qw,
        ]
    )


def rotate(q: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Vectors `(3, ...)` turned by unit quaternions `(4, ...)`."""
    (w, x, y, z), (a, b, c) = q, vectors
    u, v, t = 2 * (y * c - z * b), 2 * (z * a - x * c), 2 * (x * b - y * a)
    return np.stack([a + w * u + y * t - z * v, b + w * v + z * u - x * t, c + w * t + x * v - y * u])


def from_matrix(matrix: np.ndarray) -> np.ndarray:
    """Unit quaternions `(4, ...)` of rotation matrices `(..., 3, 3)`."""
    quaternions = matrix_to_quaternion(torch.from_numpy(np.ascontiguousarray(matrix, dtype=np.float64)))
    return np.moveaxis(quaternions.numpy(), -1, 0)


def from_euler(angles: np.ndarray, order: str) -> np.ndarray:
    """
    Quaternions of intrinsic Euler angles, each about the axis that the earlier ones have turned.

    Args:
        angles (`np.ndarray` of shape `(len(order), ...)`):
            Radians, in the order of `order`.
        order (`str`):
            Axes such as `"zyx"`: the matrix is then `Rz @ Ry @ Rx`. None to three letters.

    Returns:
        `np.ndarray` of shape `(4, ...)`: Unit quaternions w, x, y, z.
    """
    result = np.zeros((4, *angles.shape[1:]))
    result[0] = 1.0
    for angle, axis in zip(angles, order, strict=True):
        turn = np.zeros((4, *angle.shape))
        turn[0], turn[1 + "xyz".index(axis)] = np.cos(angle / 2), np.sin(angle / 2)
        result = multiply(result, turn)
    return result


def slerp(start: np.ndarray, end: np.ndarray, share: float) -> np.ndarray:
    """Quaternions `(4, ...)` a share of the shorter way from `start` to `end`."""
    cosine = (start * end).sum(0)
    end = np.where(cosine < 0, -end, end)
    angle = np.arccos(np.minimum(np.abs(cosine), 1.0))
    # For small angles sin(share * angle) / sin(angle) tends to the share itself; the quotient of sinc says so.
    first, second = (w * np.sinc(w * angle / np.pi) / np.sinc(angle / np.pi) for w in (1 - share, share))
    result = first * start + second * end
    return result / np.linalg.norm(result, axis=0)

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Unit quaternions as torch tensors, scalar first (w, x, y, z); every function broadcasts over leading axes."""

import torch


def quaternion_conjugate(q: torch.Tensor) -> torch.Tensor:
    """The inverse rotation of unit quaternions of shape `(..., 4)`."""
    return torch.cat([q[..., :1], -q[..., 1:]], dim=-1)


def quaternion_multiply(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """The rotation `q` followed by the rotation `p`, both of shape `(..., 4)`."""
    p, q = torch.broadcast_tensors(p, q)
    w = p[..., :1] * q[..., :1] - (p[..., 1:] * q[..., 1:]).sum(-1, keepdim=True)
    xyz = p[..., :1] * q[..., 1:] + q[..., :1] * p[..., 1:] + torch.linalg.cross(p[..., 1:], q[..., 1:])
    return torch.cat([w, xyz], dim=-1)


def quaternion_rotate(q: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    """Vectors of shape `(..., 3)` turned by unit quaternions of shape `(..., 4)`."""
    axis, vectors = torch.broadcast_tensors(q[..., 1:], vectors)
    twice = 2 * torch.linalg.cross(axis, vectors)
    return vectors + q[..., :1] * twice + torch.linalg.cross(axis, twice)


def quaternion_exp(rotation_vectors: torch.Tensor) -> torch.Tensor:
    """Unit quaternions `(..., 4)` of rotation vectors `(..., 3)` in radians."""
    half = rotation_vectors / 2
    angle = torch.linalg.vector_norm(half, dim=-1, keepdim=True)
    return torch.cat([torch.cos(angle), half * torch.sinc(angle / torch.pi)], dim=-1)


def quaternion_log(q: torch.Tensor) -> torch.Tensor:
    """Rotation vectors `(..., 3)` in radians, of length at most pi, of unit quaternions `(..., 4)`."""
    q = torch.where(q[..., :1] < 0, -q, q)
    sine = torch.linalg.vector_norm(q[..., 1:], dim=-1, keepdim=True)
    angle = 2 * torch.atan2(sine, q[..., :1])
    # Where the sine underflows the rotation vector is twice the vector part.
    return q[..., 1:] * torch.where(sine > 1e-12, angle / sine.clamp_min(1e-12), 2.0)


def quaternion_to_matrix(q: torch.Tensor) -> torch.Tensor:
    """Rotation matrices `(..., 3, 3)` of unit quaternions `(..., 4)`."""
    w, x, y, z = q.unbind(-1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def matrix_to_quaternion(matrix: torch.Tensor) -> torch.Tensor:
    """Unit quaternions `(..., 4)` of rotation matrices `(..., 3, 3)`."""
    xx, yy, zz = matrix.diagonal(dim1=-2, dim2=-1).unbind(-1)
    wx = matrix[..., 2, 1] - matrix[..., 1, 2]
    wy = matrix[..., 0, 2] - matrix[..., 2, 0]
    wz = matrix[..., 1, 0] - matrix[..., 0, 1]
    xy = matrix[..., 0, 1] + matrix[..., 1, 0]
    xz = matrix[..., 0, 2] + matrix[..., 2, 0]
    yz = matrix[..., 1, 2] + matrix[..., 2, 1]
    # Each row is the quaternion times four times one of its components; the longest row loses no precision.
    rows = [
        1 + xx + yy + zz, wx, wy, wz,
        wx, 1 + xx - yy - zz, xy, xz,
        wy, xy, 1 - xx + yy - zz, yz,
        wz, xz, yz, 1 - xx - yy + zz,
    ]  # fmt: skip
    candidates = torch.stack(rows, dim=-1).unflatten(-1, (4, 4))
    best = candidates.diagonal(dim1=-2, dim2=-1).argmax(-1)[..., None, None].expand(*candidates.shape[:-2], 1, 4)
    return torch.nn.functional.normalize(candidates.gather(-2, best).squeeze(-2), dim=-1)


def random_quaternions(*shape: int, generator: torch.Generator | None = None) -> torch.Tensor:
    """Quaternions of shape `(*shape, 4)`, uniform over all rotations."""
    return torch.nn.functional.normalize(torch.randn(*shape, 4, generator=generator), dim=-1)

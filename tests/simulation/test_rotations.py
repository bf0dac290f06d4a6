# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Quaternions against scipy."""

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from anymo_hf.simulation import rotations


def test_against_scipy():
    generator = torch.Generator().manual_seed(0)
    p, q = rotations.random_quaternions(2, 500, generator=generator).double()
    p, q = (torch.nn.functional.normalize(x, dim=-1) for x in (p, q))
    vectors = torch.randn(500, 3, dtype=torch.float64, generator=generator)
    a, b = (Rotation.from_quat(x.numpy(), scalar_first=True) for x in (p, q))
    close = {"atol": 1e-12, "rtol": 0}
    np.testing.assert_allclose(rotations.quaternion_rotate(p, vectors), a.apply(vectors), **close)
    np.testing.assert_allclose(rotations.quaternion_to_matrix(p), a.as_matrix(), **close)
    np.testing.assert_allclose(
        rotations.quaternion_to_matrix(rotations.quaternion_multiply(p, q)), (a * b).as_matrix(), **close
    )
    np.testing.assert_allclose(
        rotations.quaternion_to_matrix(rotations.quaternion_conjugate(p)), a.inv().as_matrix(), **close
    )
    np.testing.assert_allclose(rotations.quaternion_log(p), a.as_rotvec(), **close)
    back = rotations.matrix_to_quaternion(torch.from_numpy(a.as_matrix()))
    np.testing.assert_allclose(rotations.quaternion_to_matrix(back), a.as_matrix(), **close)
    np.testing.assert_allclose(
        rotations.quaternion_to_matrix(rotations.quaternion_exp(rotations.quaternion_log(p))), a.as_matrix(), **close
    )


def test_half_turns_and_tiny_turns():
    for vector in ([np.pi, 0, 0], [0, np.pi, 0], [0, 0, -np.pi + 1e-9], [1e-9, 0, 0], [0, 0, 0]):
        q = rotations.quaternion_exp(torch.tensor(vector, dtype=torch.float64))
        matrix = rotations.quaternion_to_matrix(q)
        np.testing.assert_allclose(matrix, Rotation.from_rotvec(vector).as_matrix(), atol=1e-12)
        np.testing.assert_allclose(
            rotations.quaternion_to_matrix(rotations.matrix_to_quaternion(matrix)), matrix, atol=1e-9
        )


def test_gradients_at_the_identity_are_finite():
    vector = torch.zeros(3, requires_grad=True)
    rotations.quaternion_log(rotations.quaternion_exp(vector)).sum().backward()
    assert vector.grad.isfinite().all()


def test_random_quaternions_are_uniform():
    q = rotations.random_quaternions(20000, generator=torch.Generator().manual_seed(0))
    up = rotations.quaternion_rotate(q, torch.tensor([0.0, 0.0, 1.0]))
    assert up.mean(0).abs().max() < 0.02
    np.testing.assert_allclose((up**2).mean(0), 1 / 3, atol=0.01)

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest
import torch

from anymo_hf.simulation.placements import Placements
from anymo_hf.simulation.rotations import quaternion_conjugate, quaternion_exp, quaternion_rotate, random_quaternions


official_recipe = pytest.importorskip("official_recipe")
simulate = official_recipe.simulate_imu_wimusim


def times(seconds=2.0, rate=240.0):
    return np.arange(round(seconds * rate) + 1) / rate


def about_z(speed, t):
    return quaternion_exp(torch.from_numpy(np.stack([0 * t, 0 * t, speed * t], axis=-1))).numpy()


def some_placements(num=5):
    generator = torch.Generator().manual_seed(0)
    segment = torch.tensor([3, 0, 3, 22, 7])[:num]
    return Placements(segment, torch.randn(num, 3, generator=generator), random_quaternions(num, generator=generator))


def test_sensor_at_rest_reads_98_upwards_in_its_own_frame(rigid_motion):
    placements = some_placements()
    imu = simulate(rigid_motion(times(), (1.0, 2.0, 3.0), (1.0, 0.0, 0.0, 0.0)), placements)
    assert imu.shape == (121, 5, 6)
    up = quaternion_rotate(quaternion_conjugate(placements.orientation), torch.tensor([0.0, 0.0, 9.8]))
    torch.testing.assert_close(imu[2:-2, :, :3], up.expand(117, 5, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(imu[2:-2, :, 3:], torch.zeros(117, 5, 3), atol=1e-6, rtol=0)


def test_turntable_reads_the_stride_two_difference_of_a_circle(rigid_motion):
    speed, radius, step = 3.0, 0.4, 1 / 60
    placement = Placements(torch.tensor([0]), torch.tensor([[radius, 0, 0]]), torch.tensor([[1.0, 0, 0, 0]]))
    t = times()
    imu = simulate(rigid_motion(t, np.zeros((len(t), 3)), about_z(speed, t)), placement)[2:-2, 0]
    # The central difference of a sine loses sin(w dt) / (w dt), and it is applied twice.
    inwards = -(speed**2) * radius * (np.sin(speed * step) / (speed * step)) ** 2
    expected = torch.tensor([inwards, 0, 9.8, 0, 0, speed], dtype=torch.float32)
    torch.testing.assert_close(imu, expected.expand_as(imu), atol=1e-4, rtol=0)


def test_euler_angles_are_taken_for_a_rotation_vector(rigid_motion):
    t = times()
    axis = torch.tensor([1.0, 1.0, 1.0], dtype=torch.float64) / 3**0.5
    placement = Placements(torch.tensor([0]), torch.zeros(1, 3), torch.tensor([[1.0, 0, 0, 0]]))
    for speed, degrees in ((0.01, 0.0), (10.0, 4.85), (20.0, 8.96)):  # as measured on WIMUSim itself
        orientations = quaternion_exp(axis * torch.from_numpy(speed * t)[:, None]).numpy()
        rate = simulate(rigid_motion(t, np.zeros((len(t), 3)), orientations), placement)[60, 0, 3:].double()
        angle = torch.rad2deg(torch.arccos((rate @ axis / rate.norm()).clamp(max=1)))
        assert float(angle) == pytest.approx(degrees, abs=0.06)


def test_nearest_sample_at_60_hz(rigid_motion):
    t = times()
    positions = np.stack([np.sin(7 * t), np.cos(5 * t), 0.2 * t**2], axis=-1)
    placements = some_placements()
    imu = simulate(rigid_motion(t, positions, about_z(2.0, t)), placements)
    every_fourth = simulate(rigid_motion(t[::4], positions[::4], about_z(2.0, t[::4])), placements)
    torch.testing.assert_close(imu, every_fourth, equal_nan=True)
    interpolated = simulate(rigid_motion(t, positions, about_z(2.0, t)), placements, interpolate=True)
    torch.testing.assert_close(imu, interpolated, equal_nan=True, atol=1e-4, rtol=0)


def test_gaps_and_ends_are_not_a_number(rigid_motion):
    t = times()
    mask = np.ones((len(t), 23), bool)
    mask[240, 3] = False
    imu = simulate(rigid_motion(t, np.zeros((len(t), 3)), about_z(1.0, t), mask=mask), some_placements())
    missing = imu.isnan().any(-1)
    assert missing[:, 1].nonzero().flatten().tolist() == [0, 1, 119, 120]
    assert missing[:, 0].nonzero().flatten().tolist() == [0, 1, 58, 59, 60, 61, 62, 119, 120]


@pytest.mark.parametrize("block_size", [1, 7, 250])
def test_blocks_do_not_show(rigid_motion, monkeypatch, block_size):
    t = times()
    motion = rigid_motion(t, np.stack([np.sin(7 * t)] * 3, axis=-1), about_z(2.0, t))
    whole = simulate(motion, some_placements())
    monkeypatch.setattr(official_recipe, "BLOCK_SIZE", block_size)
    torch.testing.assert_close(simulate(motion, some_placements()), whole, equal_nan=True)

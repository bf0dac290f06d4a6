# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Simulated sensors against rigid-body physics."""

import pytest
import torch

from anymo_hf.simulation.imu import MANY_PLACEMENTS, simulate_imu
from anymo_hf.simulation.kinematics import STANDARD_GRAVITY, SegmentKinematics
from anymo_hf.simulation.motion import SegmentMotion
from anymo_hf.simulation.placements import Placements
from anymo_hf.simulation.rotations import (
    quaternion_conjugate,
    quaternion_exp,
    quaternion_multiply,
    quaternion_rotate,
    random_quaternions,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random_kinematics(*leading, num_frames=300, dtype=torch.float32):
    values = torch.randn(*leading, num_frames, 23, 12, generator=generator()).to(dtype)
    return SegmentKinematics(values, torch.ones(*leading, num_frames, 23, dtype=torch.bool), 60.0)


def random_placements(*shape, segment=None, seed=1):
    if segment is None:
        segment = torch.randint(23, shape, generator=generator(seed))
    offset = 0.2 * torch.randn(*segment.shape, 3, generator=generator(seed))
    return Placements(segment, offset, random_quaternions(*segment.shape, generator=generator(seed)))


def textbook(kinematics, placements):
    """The formula, with cross products."""
    index = placements.segment[..., None, :, None].expand(*kinematics.values.shape[:-2], -1, 12)
    rate, angular, force, _ = kinematics.values.gather(-2, index).split(3, -1)
    r = placements.offset[..., None, :, :].expand_as(rate)
    c = quaternion_conjugate(placements.orientation)[..., None, :, :].expand(*rate.shape[:-1], 4)
    cross = torch.linalg.cross
    force = force + cross(angular, r) + cross(rate, cross(rate, r))
    return torch.cat([quaternion_rotate(c, force), quaternion_rotate(c, rate)], dim=-1)


@pytest.mark.parametrize("num_placements", [1, 23, 4 * MANY_PLACEMENTS])
@pytest.mark.parametrize("in_order", [True, False])
def test_equals_the_textbook(num_placements, in_order):
    kinematics, placements = random_kinematics(num_frames=600), random_placements(num_placements)
    if in_order:
        placements.segment = placements.segment.sort().values
    torch.testing.assert_close(
        simulate_imu(kinematics, placements), textbook(kinematics, placements), atol=2e-5, rtol=1e-5
    )


@pytest.mark.parametrize("num_placements", [5, 2 * MANY_PLACEMENTS])
def test_leading_axes_broadcast(num_placements):
    kinematics, placements = random_kinematics(4, num_frames=50), random_placements(4, num_placements)
    result = simulate_imu(kinematics, placements)
    assert result.shape == (4, 50, num_placements, 6)
    for item in range(4):
        one = SegmentKinematics(kinematics.values[item], kinematics.mask[item], 60.0)
        own = Placements(placements.segment[item], placements.offset[item], placements.orientation[item])
        torch.testing.assert_close(simulate_imu(one, own), result[item], atol=2e-5, rtol=1e-5)
    shared = simulate_imu(kinematics, own)
    torch.testing.assert_close(shared[3], result[3], atol=2e-5, rtol=1e-5)
    many_views = simulate_imu(one, placements)
    torch.testing.assert_close(many_views[3], result[3], atol=2e-5, rtol=1e-5)
    assert not torch.allclose(many_views[0], result[0])


def test_a_sensor_at_rest_reads_gravity_along_its_own_up(rigid_motion):
    t = torch.arange(121).numpy() / 120
    kinematics = SegmentKinematics.from_motion(rigid_motion(t, [[0, 0, 1]], [(1, 0, 0, 0)]))
    placements = random_placements(50)
    imu = simulate_imu(kinematics, placements)
    up = quaternion_rotate(quaternion_conjugate(placements.orientation), torch.tensor([0.0, 0.0, 1.0]))
    torch.testing.assert_close(imu[..., :3], (STANDARD_GRAVITY * up).expand(61, 50, 3), atol=1e-4, rtol=0)
    assert imu[..., 3:].abs().max() < 1e-5
    assert simulate_imu(kinematics, placements, gravity=False).abs().max() < 1e-4


def test_a_turntable_reads_the_centripetal_force_at_the_lever_arm(rigid_motion):
    speed, radius = 20.0, 0.1
    t = torch.arange(481).double() / 120
    turn = quaternion_exp(torch.stack([0 * t, 0 * t, speed * t], -1))
    kinematics = SegmentKinematics.from_motion(rigid_motion(t.numpy(), [[0, 0, 0]], turn.numpy()))
    at = Placements(torch.tensor([3]), torch.tensor([[radius, 0.0, 0.0]]), torch.tensor([[1.0, 0, 0, 0]]))
    imu = simulate_imu(kinematics, at)[20:-20, 0]
    expected = torch.tensor([-radius * speed**2, 0, STANDARD_GRAVITY, 0, 0, speed])
    torch.testing.assert_close(imu, expected.expand_as(imu), atol=2e-2, rtol=0)


def test_the_closed_form_equals_differentiating_the_point_itself():
    """A sensor at an offset reads what a segment whose origin runs along that point's path reads."""
    t = torch.arange(1201).double() / 120
    path = 0.1 * torch.stack([torch.sin(9 * t), torch.cos(5 * t), torch.sin(13 * t + 1)], -1)
    turn = quaternion_exp(torch.stack([torch.sin(7 * t), 0.5 * torch.cos(11 * t), 0.8 * torch.sin(4 * t)], -1))
    r = torch.tensor([0.05, -0.1, 0.15], dtype=torch.float64)
    moved = path + quaternion_rotate(turn, r)

    def kinematics(positions):
        everywhere = [x.numpy()[:, None].repeat(23, 1) for x in (positions, turn)]
        return SegmentKinematics.from_motion(SegmentMotion(*everywhere, t.numpy()), cutoff=25.0)

    zero, unit = torch.zeros(1, 3), torch.tensor([[1.0, 0, 0, 0]])
    by_formula = simulate_imu(kinematics(path), Placements(torch.tensor([0]), r[None].float(), unit))
    by_path = simulate_imu(kinematics(moved), Placements(torch.tensor([0]), zero, unit))
    torch.testing.assert_close(by_formula[30:-30], by_path[30:-30], atol=2e-3, rtol=0)


def test_turning_the_sensor_turns_its_readings():
    kinematics, placements = random_kinematics(), random_placements(10)
    turn = random_quaternions(10, generator=generator(7))
    turned = Placements(placements.segment, placements.offset, quaternion_multiply(placements.orientation, turn))
    plain = simulate_imu(kinematics, placements).unflatten(-1, (2, 3))
    expected = quaternion_rotate(quaternion_conjugate(turn)[:, None], plain).flatten(-2)
    torch.testing.assert_close(simulate_imu(kinematics, turned), expected, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("num_placements", [7, 2 * MANY_PLACEMENTS])
def test_what_was_not_measured_is_nan_and_nothing_else_is(num_placements):
    kinematics, placements = random_kinematics(), random_placements(segment=torch.arange(num_placements) % 23)
    kinematics.mask[100:150, 4] = False
    kinematics.values[100:150, 4] = torch.nan
    imu = simulate_imu(kinematics, placements)
    hidden = torch.zeros(300, num_placements, dtype=torch.bool)
    hidden[100:150] = placements.segment == 4
    assert hidden.any()
    assert imu[hidden].isnan().all() and imu[~hidden].isfinite().all()


def test_gradients():
    kinematics, placements = random_kinematics(num_frames=3, dtype=torch.float64), random_placements(3)
    kinematics.mask[2, placements.segment[0]] = False
    offset = placements.offset.double().requires_grad_()
    orientation = placements.orientation.double().requires_grad_()
    values = kinematics.values.requires_grad_()

    def readings(values, offset, orientation):
        where = Placements.__new__(Placements)  # no validation, which would cut the graph
        where.segment, where.offset, where.orientation, where.names = placements.segment, offset, orientation, None
        imu = simulate_imu(SegmentKinematics(values, kinematics.mask, 60.0), where)
        return torch.where(imu.isnan(), 0.0, imu)

    assert torch.autograd.gradcheck(readings, (values, offset, orientation), fast_mode=True)


def test_a_differentiable_call_gives_the_same_readings():
    kinematics, placements = random_kinematics(), random_placements(2 * MANY_PLACEMENTS)
    plain = simulate_imu(kinematics, placements)
    kinematics.values.requires_grad_()
    torch.testing.assert_close(simulate_imu(kinematics, placements).detach(), plain, atol=2e-5, rtol=1e-5)


def test_one_sensor_on_each_segment_is_read_like_any_others():
    kinematics, every = random_kinematics(3, num_frames=40), random_placements(3, 23)
    every.segment = torch.arange(23).expand(3, 23)
    shuffled = torch.randperm(23, generator=generator())
    torch.testing.assert_close(
        simulate_imu(kinematics, every[shuffled]),
        simulate_imu(kinematics, every)[:, :, shuffled],
        atol=1e-5,
        rtol=1e-5,
    )


@pytest.mark.parametrize("num_placements", [5, 2 * MANY_PLACEMENTS])
def test_gravity_can_be_left_out_beside_motion(num_placements):
    kinematics, placements = random_kinematics(num_frames=50), random_placements(num_placements)
    bare = SegmentKinematics(kinematics.values.clone(), kinematics.mask, 60.0)
    bare.values[..., 6:9] -= STANDARD_GRAVITY * bare.values[..., 9:12]
    without = simulate_imu(kinematics, placements, gravity=False)
    torch.testing.assert_close(without, simulate_imu(bare, placements), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("num_placements", [5, 2 * MANY_PLACEMENTS])
def test_nothing_measured_and_no_frames(num_placements):
    from anymo_hf.simulation.errors import SensorErrors
    from anymo_hf.simulation.soft_tissue import SoftTissue

    watch, tissue = SensorErrors.preset("watch"), SoftTissue()
    placements = random_placements(num_placements)
    kinematics = random_kinematics(num_frames=30)
    kinematics.mask[:] = False
    kinematics.values[:] = torch.nan
    assert simulate_imu(kinematics, placements, watch, generator(), soft_tissue=tissue).isnan().all()
    empty = SegmentKinematics(torch.zeros(0, 23, 12), torch.zeros(0, 23, dtype=torch.bool), 60.0)
    seen = simulate_imu(empty, placements, watch, generator(), soft_tissue=tissue)
    assert seen.shape == (0, num_placements, 6)

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""A sensor on a spring against the transfer function of a damped oscillator."""

import math

import numpy as np
import pytest
import torch

from anymo_hf.simulation.imu import simulate_imu
from anymo_hf.simulation.kinematics import STANDARD_GRAVITY, SegmentKinematics
from anymo_hf.simulation.placements import Placements
from anymo_hf.simulation.rotations import quaternion_conjugate, quaternion_rotate, random_quaternions
from anymo_hf.simulation.soft_tissue import (
    NORMAL_DAMPING,
    NORMAL_STIFFNESS,
    SoftTissue,
    TissueSprings,
    skin_normals,
)


RATE = 100.0
NATURAL, DAMPING = 9.0, 0.2


def gain(frequency, natural=NATURAL, damping=DAMPING):
    """Of an accelerometer on spring and damper (textbook formula of transmissibility)."""
    r = frequency / natural
    return math.sqrt((1 + (2 * damping * r) ** 2) / ((1 - r**2) ** 2 + (2 * damping * r) ** 2))


def springs(num_placements=1, normal=(0.0, 0.0, 1.0)):
    return TissueSprings(
        torch.full((num_placements,), NATURAL),
        torch.full((num_placements,), DAMPING),
        torch.tensor(normal).expand(num_placements, 3),
    )


def sine(frequency, num_frames=1500, axis=0):
    t = torch.arange(num_frames) / RATE
    imu = torch.zeros(num_frames, 1, 6)
    imu[:, 0, axis] = torch.sin(2 * torch.pi * frequency * t)
    return imu


@pytest.mark.parametrize("frequency", [0.5, 3.0, 9.0, 12.0, 25.0, 40.0])
@pytest.mark.parametrize("axis", [0, 2])
def test_a_sine_grows_by_the_transfer_function(frequency, axis):
    seen = springs().apply(sine(frequency, axis=axis), RATE)[400:1000, 0, axis]  # whole periods
    amplitude = seen.std().item() * math.sqrt(2)
    stiffer = (NATURAL * math.sqrt(NORMAL_STIFFNESS), DAMPING * NORMAL_DAMPING)
    expected = gain(frequency) if axis == 0 else gain(frequency, *stiffer)
    assert amplitude == pytest.approx(expected, rel=0.01)


def test_the_spring_answers_a_jolt_as_the_differential_equation_says():
    """Against fine Euler steps of d'' + 2 z w d' + w^2 d = force; the sensor reads 2 z w d' + w^2 d."""
    t = np.arange(300) / RATE
    force = np.exp(-(((t - 1) / 0.04) ** 2))
    imu = torch.zeros(300, 1, 6)
    imu[:, 0, 0] = torch.from_numpy(force).float()
    w, substeps = 2 * np.pi * NATURAL, 200
    fine = np.interp(np.arange(300 * substeps) / substeps / RATE, t, force)
    d = v = 0.0
    expected = []
    for i, f in enumerate(fine):
        if i % substeps == 0:
            expected.append(2 * DAMPING * w * v + w * w * d)
        v += (f - 2 * DAMPING * w * v - w * w * d) / RATE / substeps
        d += v / RATE / substeps
    seen = springs().apply(imu, RATE)[:, 0, 0].numpy()
    np.testing.assert_allclose(seen, expected, atol=0.02)
    assert np.abs(seen[:80]).max() < 5e-3  # nothing before the jolt
    assert np.abs(seen[110:130]).max() > 0.2  # it rings after it


def test_gravity_passes_and_nothing_swings_at_the_start():
    imu = torch.zeros(50, 3, 6)
    imu[..., :3] = torch.tensor([3.0, -5.0, 7.7])
    imu[..., 3:] = torch.randn(50, 3, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(springs(3).apply(imu, RATE), imu, atol=1e-5, rtol=0)


def test_gaps_stay_and_nothing_is_carried_over_them():
    imu = sine(5.0, 400).expand(400, 2, 6).clone()
    imu[100:150, 1] = torch.nan
    seen = springs(2).apply(imu, RATE)
    assert seen[100:150, 1].isnan().all() and seen[:, 0].isfinite().all()
    one = springs(1)
    torch.testing.assert_close(seen[:100, 1:], one.apply(imu[:100, 1:], RATE), atol=1e-5, rtol=0)
    torch.testing.assert_close(seen[150:, 1:], one.apply(imu[150:, 1:], RATE), atol=1e-5, rtol=0)
    torch.testing.assert_close(seen[:, :1], one.apply(imu[:, :1], RATE), atol=1e-5, rtol=0)
    nothing = torch.full((30, 2, 6), torch.nan)
    assert springs(2).apply(nothing, RATE).isnan().all()


def test_the_normal_points_away_from_the_bone_however_a_sensor_is_mounted():
    generator = torch.Generator().manual_seed(0)
    placements = Placements.from_names(["left wrist", "right thigh", "chest", "lower back"])
    outward = quaternion_rotate(placements.orientation, skin_normals(placements))
    skin = quaternion_rotate(placements.orientation, torch.tensor([0.0, 0.0, 1.0]).expand(4, 3))
    assert ((outward * skin).sum(-1) > 0.8).all()
    turned = Placements(placements.segment, placements.offset, random_quaternions(4, generator=generator))
    torch.testing.assert_close(quaternion_rotate(turned.orientation, skin_normals(turned)), outward)
    on_the_bone = Placements(torch.tensor([0]), torch.zeros(1, 3), torch.tensor([[1.0, 0, 0, 0]]))
    assert skin_normals(on_the_bone).tolist() == [[0, 0, 1]]


def test_turning_a_sensor_turns_what_it_reads():
    generator = torch.Generator().manual_seed(0)
    imu = torch.randn(200, 1, 6, generator=generator)
    turn = random_quaternions(1, generator=generator)

    def rotated(vectors):
        return quaternion_rotate(quaternion_conjugate(turn), vectors)

    plain = springs().apply(imu, RATE)[..., :3]
    turned = springs(normal=rotated(torch.tensor([[0.0, 0, 1]]))[0].tolist())
    seen = turned.apply(torch.cat([rotated(imu[..., :3]), imu[..., 3:]], -1), RATE)[..., :3]
    torch.testing.assert_close(seen, rotated(plain), atol=1e-4, rtol=0)


def test_soft_places_and_heavy_sensors_swing_slowly():
    places = Placements.from_names(["right thigh", "left shin", "head"])
    light = SoftTissue(mass=(0.01, 0.01), stiffness_spread=0.0).draw(places).frequency
    heavy = SoftTissue(mass=(0.16, 0.16), stiffness_spread=0.0).draw(places).frequency
    torch.testing.assert_close(light, 4 * heavy)
    assert light[0] < light[1] < light[2]
    assert light[0].item() == pytest.approx(math.sqrt(330 / 0.01) / 2 / math.pi)
    # The knee's stiffness and a bare sensor: close to the 12 % by which skin-mounted accelerometers overestimated the
    # tibia between 15 and 30 Hz (Kim, Voloshin, Johnson and Simkin, J. Biomech. Eng. 115, 1993).
    assert gain(22, light[2].item(), 0.3) == pytest.approx(1.12, abs=0.04)


def test_simulate_imu_takes_it():
    values = torch.randn(2, 120, 23, 12, generator=torch.Generator().manual_seed(0))
    kinematics = SegmentKinematics(values, torch.ones(2, 120, 23, dtype=torch.bool), 60.0)
    places = Placements.from_names(["right thigh", "left wrist"])
    rigid = simulate_imu(kinematics, places)
    first, again = (
        simulate_imu(kinematics, places, generator=torch.Generator().manual_seed(3), soft_tissue=SoftTissue())
        for _ in range(2)
    )
    assert torch.equal(first, again) and first.shape == rigid.shape
    assert torch.equal(first[..., 3:], rigid[..., 3:])
    assert not torch.allclose(first[..., :3], rigid[..., :3], atol=0.1)
    assert first.abs().max() < STANDARD_GRAVITY * 5


def test_bad_settings():
    with pytest.raises(ValueError, match="`mass` must be a range of positive"):
        SoftTissue(mass=(-0.1, 0.1))
    with pytest.raises(ValueError, match="`damping` must be a range"):
        SoftTissue(damping=(0.5, 0.1))
    with pytest.raises(ValueError, match="`stiffness_spread`"):
        SoftTissue(stiffness_spread=float("nan"))
    with pytest.raises(ValueError, match="`sampling_rate` must be positive"):
        springs().apply(sine(1.0), -60.0)
    with pytest.raises(ValueError, match="`frequency` must be positive"):
        TissueSprings(torch.tensor([torch.nan]), torch.tensor([0.2]), torch.tensor([[0.0, 0, 1]]))

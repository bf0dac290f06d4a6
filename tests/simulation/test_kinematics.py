# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Kinematics against motions whose derivatives are known."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from anymo_hf.simulation.kinematics import STANDARD_GRAVITY, SegmentKinematics, smooth_derivatives
from anymo_hf.simulation.motion import SegmentMotion, TextSpan


G = STANDARD_GRAVITY
IDENTITY = (1.0, 0.0, 0.0, 0.0)


def times(seconds: float, rate: float) -> np.ndarray:
    return np.arange(round(seconds * rate) + 1) / rate


def wxyz(rotation: Rotation) -> np.ndarray:
    return rotation.as_quat(scalar_first=True)


class Sines:
    """Five sines up to 5 Hz in every coordinate of a rigid body's position and rotation vector."""

    frequencies = np.array([0.5, 1.2, 2.3, 3.7, 5.0])

    def __init__(self, seed: int = 0):
        rng = np.random.default_rng(seed)
        self.sway = rng.normal(size=(3, 5)) * 0.02 / self.frequencies
        self.turn = rng.normal(size=(3, 5)) * 0.25 / self.frequencies
        self.phases = rng.uniform(0, 2 * np.pi, (2, 3, 5))

    def position(self, t):
        return (self.sway * np.sin(2 * np.pi * self.frequencies * t[:, None, None] + self.phases[0])).sum(-1)

    def acceleration(self, t):
        omega = 2 * np.pi * self.frequencies
        return -(self.sway * omega**2 * np.sin(omega * t[:, None, None] + self.phases[0])).sum(-1)

    def rotation(self, t):
        angle = 2 * np.pi * self.frequencies * t[:, None, None] + self.phases[1]
        return Rotation.from_rotvec((self.turn * np.sin(angle)).sum(-1))

    def angular_rate(self, t, step=1e-5):
        return (self.rotation(t - step).inv() * self.rotation(t + step)).as_rotvec() / (2 * step)

    def angular_acceleration(self, t, step=1e-4):
        return (self.angular_rate(t + step) - self.angular_rate(t - step)) / (2 * step)

    def force(self, t):
        return self.rotation(t).inv().apply(self.acceleration(t) + [0, 0, G])


def rms(error: np.ndarray) -> float:
    return float(np.sqrt((error**2).sum(-1).mean()))


def test_at_rest_a_sensor_reads_gravity_upwards(rigid_motion):
    t = times(2, 120)
    kinematics = SegmentKinematics.from_motion(rigid_motion(t, [[0.3, -2.0, 1.1]], [IDENTITY]))
    expected = torch.tensor([0, 0, 0, 0, 0, 0, 0, 0, G, 0, 0, 1]).expand(121, 23, 12)
    torch.testing.assert_close(kinematics.values, expected, atol=1e-5, rtol=0)
    assert kinematics.mask.all()


def test_upside_down_gravity_points_the_other_way(rigid_motion):
    t = times(2, 120)
    turned = rigid_motion(t, [[0, 0, 1]], [wxyz(Rotation.from_euler("x", 180, degrees=True))])
    values = SegmentKinematics.from_motion(turned).values
    torch.testing.assert_close(values[..., 6:9], torch.tensor([0, 0, -G]).expand(121, 23, 3), atol=1e-5, rtol=0)


def test_free_fall_reads_zero_from_the_first_frame_to_the_last(rigid_motion):
    t = times(1, 120)
    fall = np.stack([0 * t, 0.5 * t, 2 + t - 0.5 * G * t**2], axis=-1)
    values = SegmentKinematics.from_motion(rigid_motion(t, fall, [IDENTITY])).values
    assert values[..., 6:9].abs().max() < 1e-3


@pytest.mark.parametrize("speed", [0.5, 5.0, 20.0])
@pytest.mark.parametrize("axis", [(0, 0, 1), (1, 2, -3)])
def test_constant_rotation(rigid_motion, speed, axis):
    axis = np.array(axis) / np.linalg.norm(axis)
    t = times(4, 120)
    rotation = Rotation.from_rotvec(0.3 * axis[None]) * Rotation.from_rotvec(speed * t[:, None] * axis)
    kinematics = SegmentKinematics.from_motion(rigid_motion(t, [[0, 0, 1]], wxyz(rotation)))
    inner = kinematics.values[20:-20, 0, :3].double().numpy()
    length = np.linalg.norm(inner, axis=-1)
    angle = np.degrees(np.arccos(np.clip(inner @ axis / length, -1, 1)))
    assert angle.max() < 0.1
    np.testing.assert_allclose(length, speed, rtol=1e-4)
    assert kinematics.values[20:-20, 0, 3:6].abs().max() < 0.02 * speed


def test_circular_motion_reads_the_centripetal_force(rigid_motion):
    speed, radius, t = 8.0, 0.4, times(4, 120)
    circle = radius * np.stack([np.cos(speed * t), np.sin(speed * t), 0 * t], axis=-1)
    facing_out = wxyz(Rotation.from_rotvec(np.stack([0 * t, 0 * t, speed * t], axis=-1)))
    force = SegmentKinematics.from_motion(rigid_motion(t, circle, facing_out)).values[20:-20, 0, 6:9]
    expected = torch.tensor([-radius * speed**2, 0, G]).expand_as(force)
    torch.testing.assert_close(force, expected, atol=2e-3, rtol=0)


@pytest.mark.parametrize("rate", [120, 240, 480])
def test_five_sines(rigid_motion, rate):
    truth, t = Sines(), times(20, rate)
    kinematics = SegmentKinematics.from_motion(rigid_motion(t, truth.position(t), wxyz(truth.rotation(t))))
    at = kinematics.timestamps
    values = kinematics.values[:, 5].numpy()
    inner = slice(30, -30)
    assert rms((values[:, 6:9] - truth.force(at))[inner]) < 0.001
    assert rms((values[:, 0:3] - truth.angular_rate(at))[inner]) < 0.0002
    assert rms((values[:, 3:6] - truth.angular_acceleration(at))[inner]) < 0.01
    # The ends have samples on one side only.
    assert rms(values[:, 6:9] - truth.force(at)) < 0.06


def test_noise_is_not_amplified_beyond_the_pass_band(rigid_motion):
    truth, t, rng = Sines(), times(20, 240), np.random.default_rng(0)
    positions = truth.position(t) + rng.normal(size=(len(t), 3)) * 5e-5
    motion = rigid_motion(t, positions, wxyz(truth.rotation(t)))
    kinematics = SegmentKinematics.from_motion(motion, cutoff=15.0)
    error = (kinematics.values[:, 0, 6:9].numpy() - truth.force(kinematics.timestamps))[30:-30]
    assert rms(error) < 0.12  # 0.061 per axis: a Butterworth filter of the same gain


def test_doubling_the_rate_changes_nothing(rigid_motion):
    truth = Sines(seed=3)
    results = []
    for rate in (120, 240):
        t = times(10, rate)
        motion = rigid_motion(t, truth.position(t), wxyz(truth.rotation(t)))
        results.append(SegmentKinematics.from_motion(motion, cutoff=20.0).values[30:-30])
    torch.testing.assert_close(*results, atol=5e-3, rtol=0)


def test_long_motions_are_cut_into_blocks_without_a_seam(rigid_motion):
    truth, t = Sines(seed=5), times(60, 120)
    motion = rigid_motion(t, truth.position(t), wxyz(truth.rotation(t)))
    kinematics = SegmentKinematics.from_motion(motion)
    error = kinematics.values[30:-30, 0, 6:9].numpy() - truth.force(kinematics.timestamps)[30:-30]
    assert len(error) > 2048
    assert np.abs(error).max() < 0.005


def test_turning_the_world_turns_only_gravity(rigid_motion):
    truth, t = Sines(seed=1), times(5, 120)
    positions, rotation = truth.position(t), truth.rotation(t)
    plain = SegmentKinematics.from_motion(rigid_motion(t, positions, wxyz(rotation))).values
    heading = Rotation.from_euler("z", 130, degrees=True)
    turned = rigid_motion(t, heading.apply(positions) + [3, 4, 0], wxyz(heading * rotation))
    torch.testing.assert_close(SegmentKinematics.from_motion(turned).values, plain, atol=1e-4, rtol=0)
    tilt = Rotation.from_euler("x", 70, degrees=True)
    tilted = SegmentKinematics.from_motion(rigid_motion(t, tilt.apply(positions), wxyz(tilt * rotation))).values
    torch.testing.assert_close(tilted[..., :6], plain[..., :6], atol=1e-4, rtol=0)
    linear = [v[..., 6:9] - G * v[..., 9:12] for v in (plain, tilted)]
    torch.testing.assert_close(*linear, atol=1e-4, rtol=0)


def test_quaternion_signs_do_not_matter(rigid_motion):
    truth, t = Sines(seed=2), times(5, 120)
    quaternions = wxyz(truth.rotation(t))
    signs = np.random.default_rng(0).choice([-1.0, 1.0], len(t))
    plain, flipped = (
        SegmentKinematics.from_motion(rigid_motion(t, truth.position(t), q)).values
        for q in (quaternions, quaternions * signs[:, None])
    )
    torch.testing.assert_close(plain, flipped)


def test_gaps_are_masked_and_never_joined(rigid_motion):
    truth, t = Sines(seed=4), times(10, 120)
    motion = rigid_motion(t, truth.position(t), wxyz(truth.rotation(t)))
    mask = np.ones((len(t), 23), bool)
    mask[400:480, 7:] = False
    motion.positions[480:, 7:] += 5.0  # had the gap been joined, this jump would be felt
    motion.positions[400:480, 7:] = np.nan
    gapped = SegmentMotion(motion.positions, motion.orientations, t, mask=mask)
    kinematics = SegmentKinematics.from_motion(gapped)
    hidden = (~kinematics.mask).nonzero()
    assert hidden[:, 0].min() == 200 and hidden[:, 0].max() == 239 and hidden[:, 1].min() == 7
    assert kinematics.values.isfinite().all()
    assert (kinematics.values[~kinematics.mask] == 0).all()
    error = kinematics.values[:, 9, 6:9].numpy() - truth.force(kinematics.timestamps)
    seen = kinematics.mask[:, 9].numpy()
    assert rms(error[seen]) < 0.15
    whole = SegmentKinematics.from_motion(rigid_motion(t, truth.position(t), wxyz(truth.rotation(t))))
    torch.testing.assert_close(kinematics.values[:, :7], whole.values[:, :7])


def test_missing_timestamps_are_a_gap(rigid_motion):
    truth, t = Sines(seed=4), times(10, 120)
    kept = np.r_[0:400, 480 : len(t)]
    motion = rigid_motion(t[kept], truth.position(t[kept]), wxyz(truth.rotation(t[kept])))
    mask = SegmentKinematics.from_motion(motion).mask
    assert (~mask[200:240]).all() and mask[:200].all() and mask[240:].all()


def test_irregular_timestamps(rigid_motion):
    truth, rng = Sines(seed=6), np.random.default_rng(0)
    t = times(10, 120) + rng.uniform(-1, 1, 1201) * 0.25 / 120
    kinematics = SegmentKinematics.from_motion(rigid_motion(t, truth.position(t), wxyz(truth.rotation(t))))
    error = kinematics.values[:, 0, 6:9].numpy() - truth.force(kinematics.timestamps)
    assert rms(error[30:-30]) < 0.01


def test_the_frames_start_with_the_first_and_reach_the_last(rigid_motion):
    t = 12.5 + times(3, 120)
    texts = (TextSpan(13, 14, "wave"),)
    motion = rigid_motion(t, [[0, 0, 1]], [IDENTITY], texts=texts, source={"name": "x"})
    kinematics = SegmentKinematics.from_motion(motion, sampling_rate=50.0)
    assert kinematics.start_time == 12.5
    assert kinematics.num_frames == 151
    assert kinematics.timestamps[-1] == pytest.approx(15.5)
    assert kinematics.texts == texts and kinematics.source == {"name": "x"}


@pytest.mark.parametrize("frequency", [2.0, 6.0, 10.0, 15.0, 20.0, 25.0])
def test_frequency_response_is_the_documented_one(frequency):
    t = times(20, 240)
    sine = np.sin(2 * np.pi * frequency * t)[:, None]
    smooth, slope, _ = smooth_derivatives(sine, t, t, cutoff=20.0)
    inner = slice(240, -240)
    gain = (smooth * sine)[inner].sum() / (sine**2)[inner].sum()
    assert gain == pytest.approx(1 / (1 + (frequency / 20) ** 8), abs=0.05)
    if frequency <= 6:
        assert gain == pytest.approx(1, abs=3e-4)
        cosine = 2 * np.pi * frequency * np.cos(2 * np.pi * frequency * t)[:, None]
        assert rms((slope - cosine)[inner]) < 1e-3 * rms(cosine[inner])


def test_high_rates_are_differentiated_without_losing_digits(rigid_motion):
    truth, t = Sines(seed=8), times(3, 2000)
    motion = rigid_motion(t, truth.position(t) + 100.0, wxyz(truth.rotation(t)))
    kinematics = SegmentKinematics.from_motion(motion, cutoff=20.0)
    error = kinematics.values[:, 0, 6:9].numpy() - truth.force(kinematics.timestamps)
    assert rms(error[30:-30]) < 0.002


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cutoff": 60.0}, "must stay below half"),
        ({"cutoff": -1.0}, "must stay below half"),
        ({"sampling_rate": 0.0}, "must be positive"),
        ({"sampling_rate": 30.0, "cutoff": 15.0}, "must stay below half"),
    ],
)
def test_bad_settings(rigid_motion, arguments, message):
    motion = rigid_motion(times(1, 120), [[0, 0, 1]], [IDENTITY])
    with pytest.raises(ValueError, match=message):
        SegmentKinematics.from_motion(motion, **arguments)


@pytest.mark.parametrize("num_frames", [1, 2, 7])
def test_too_few_frames(rigid_motion, num_frames):
    motion = rigid_motion(np.arange(num_frames) / 120, [[0, 0, 1]], [IDENTITY])
    with pytest.raises(ValueError, match="at least 8 consecutive"):
        SegmentKinematics.from_motion(motion)


def test_any_length_and_rate_is_accepted(rigid_motion):
    rng = np.random.default_rng(0)
    for _ in range(200):
        t = rng.uniform(0, 1e5) + np.arange(rng.integers(8, 700)) / rng.uniform(15, 300)
        kinematics = SegmentKinematics.from_motion(rigid_motion(t, [[0, 0, 1]], [IDENTITY]))
        assert kinematics.mask.all() and kinematics.values.isfinite().all()


@pytest.mark.parametrize("length", [1, 3])
def test_jumps_that_no_body_makes_are_masked(rigid_motion, length):
    truth, t = Sines(seed=9), times(5, 120)
    plain = rigid_motion(t, truth.position(t), wxyz(truth.rotation(t)))
    whole = SegmentKinematics.from_motion(plain)
    swapped, flipped = (rigid_motion(t, truth.position(t), wxyz(truth.rotation(t))) for _ in range(2))
    swapped.positions[300 : 300 + length, 10] += [0.4, 0, 0]
    flipped.orientations[300 : 300 + length, 10] = wxyz(
        truth.rotation(t[300 : 300 + length]) * Rotation.from_euler("y", 170, degrees=True)
    )
    for motion in (swapped, flipped):
        kinematics = SegmentKinematics.from_motion(motion)
        hidden = (~kinematics.mask).nonzero()
        assert (hidden[:, 1] == 10).all() and set(hidden[:, 0].tolist()) <= set(range(146, 156))
        assert len(hidden) >= 1
        seen = kinematics.mask[:, 10]
        # Had the jump been differentiated, hundreds of m/s^2 would remain.
        assert (kinematics.values - whole.values)[seen, 10, 6:9].abs().max() < 5
        torch.testing.assert_close(kinematics.values[:, :10], whole.values[:, :10])


def test_a_fast_train_is_no_jump(rigid_motion):
    t = times(3, 120)
    ride = np.stack([80 * t, 0 * t, 0 * t], axis=-1)
    kinematics = SegmentKinematics.from_motion(rigid_motion(t, ride, [IDENTITY]))
    assert kinematics.mask.all()
    assert (kinematics.values[..., 6:8]).abs().max() < 1e-3

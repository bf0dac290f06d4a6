# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The curves behind gait, and forces of walking, stairs and running that publications give."""

import numpy as np
import pytest

from anymo_hf.processing.placements_anymo import SEGMENTS
from anymo_hf.simulation.kinematics import SPECIFIC_FORCE, SegmentKinematics
from anymo_hf.simulation.synthesis.curves import evaluate_series, integrate_series, sample_series, shock, smooth_noise
from anymo_hf.simulation.synthesis.gait import pelvis_motion, plan_walk
from anymo_hf.simulation.synthesis.running import plan_run, plan_stairs


ID = {name: index for index, name in enumerate(SEGMENTS)}


def middle_force(plan, segment, edge=2.5):
    """Specific force of a segment's origin about its mean, without start and end, in m/s^2."""
    kinematics = SegmentKinematics.from_motion(plan.to_motion(), 60.0)
    force = kinematics.values[round(60 * edge) : -round(60 * edge), ID[segment], SPECIFIC_FORCE].numpy()
    return force - force.mean(0)


def rms(values):
    return np.sqrt((values**2).sum(1).mean())


def test_integrated_series_is_the_analytic_integral():
    phase = np.arange(256) / 256
    period = 0.8
    series = sample_series(np.cos(2 * np.pi * 3 * phase) + 5.0, 10)
    rate = 2 * np.pi * 3 / period
    np.testing.assert_allclose(
        evaluate_series(integrate_series(series, period), phase), np.sin(2 * np.pi * 3 * phase) / rate, atol=1e-12
    )
    np.testing.assert_allclose(
        evaluate_series(integrate_series(series, period, 2), phase),
        -np.cos(2 * np.pi * 3 * phase) / rate**2,
        atol=1e-12,
    )


def test_shock_starts_at_nothing_and_dies_away():
    wave = shock(0.5, 0.1, 8.0, 0.05, num_samples=1000)
    assert abs(wave[200]) < 1e-9 and wave[200:300].max() > 0.5
    assert np.abs(wave[100:199]).max() < 1e-3
    assert np.abs(wave[300:400]).max() == pytest.approx(np.abs(wave[200:300]).max() * np.exp(-0.05 / 0.05), rel=0.5)


def test_pelvis_motion_has_the_acceleration_it_was_given():
    own = np.arange(512) / 512
    accelerations = [np.sin(2 * np.pi * n * own) for n in (1, 2, 3)]
    times = np.linspace(0, 1, 1001)
    displacement, velocity = pelvis_motion(accelerations, 1.0, times)
    np.testing.assert_allclose(np.gradient(displacement, times, axis=0)[2:-2], velocity[2:-2], atol=1e-4)
    truth = np.stack([np.sin(2 * np.pi * n * times) for n in (1, 2, 3)], axis=1)
    np.testing.assert_allclose(np.gradient(velocity, times, axis=0)[2:-2], truth[2:-2], atol=1e-3)


def test_sway_is_slow_and_its_acceleration_is_not():
    times = np.arange(6000) / 100
    noise = np.mean([np.abs(np.fft.rfft(smooth_noise(times, np.random.default_rng(s)))) ** 2 for s in range(8)], 0)
    frequencies = np.fft.rfftfreq(6000, 0.01)
    assert noise[frequencies < 0.5].sum() > 0.8 * noise.sum()
    bent = noise * frequencies**4
    assert bent[(frequencies > 3) & (frequencies < 10)].sum() > bent[frequencies < 3].sum()


def test_walking_force_at_the_pelvis_is_a_fifth_to_a_half_of_the_weight_and_grows_with_speed():
    """Menz et al. 2003: RMS of 0.2 to 0.35 g in all three axes together at a comfortable speed."""
    slow, natural, fast = (
        np.median([rms(middle_force(plan_walk(12.0, v, seed=s), "Pelvis")) for s in range(3)]) for v in (0.8, 1.3, 1.8)
    )
    assert 1.5 < natural < 3.5
    assert slow < natural < fast < 5.0


def test_heels_strike_above_three_hertz():
    force = middle_force(plan_walk(14.0, 1.3, seed=2), "Pelvis")
    power = (np.abs(np.fft.rfft(force * np.hanning(len(force))[:, None], axis=0)) ** 2).sum(1)
    frequencies = np.fft.rfftfreq(len(force), 1 / 60)
    assert power[frequencies > 3].sum() > 0.1 * power[frequencies > 0.5].sum()


@pytest.mark.parametrize("speed", [2.2, 3.4])
def test_run_goes_at_the_speed_asked_for(speed):
    motion = plan_run(10.0, speed, seed=1).to_motion()
    first, last = (np.searchsorted(motion.timestamps, t) for t in (3.0, 7.0))
    assert (motion.positions[last, 0, 0] - motion.positions[first, 0, 0]) / 4.0 == pytest.approx(speed, rel=0.03)


def test_descent_shakes_the_pelvis_more_than_ascent():
    up, down = (
        np.median([rms(middle_force(plan_stairs(16, up, seed=s), "Pelvis")) for s in range(4)]) for up in (True, False)
    )
    assert 1.5 < up < down < 6.0

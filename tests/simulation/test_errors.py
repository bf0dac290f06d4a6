# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Sensor errors have the statistics that they were given."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from anymo_hf.simulation.errors import PRESETS, SensorErrors


RATE = 100.0


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def still(num_frames=2000, num_placements=400):
    imu = torch.zeros(num_frames, num_placements, 6)
    imu[..., 2] = 9.80665
    return imu


def test_an_ideal_sensor_changes_nothing():
    imu = torch.randn(3, 50, 4, 6, generator=generator())
    torch.testing.assert_close(SensorErrors().apply(imu, RATE, generator()), imu)


def test_white_noise_has_its_density():
    errors = SensorErrors(force_noise_density=(2e-3, 2e-3), rate_noise_density=(1e-4, 3e-4))
    noise = errors.apply(still(), RATE, generator()) - still()
    assert noise[..., :3].std().item() == pytest.approx(2e-3 * np.sqrt(RATE / 2), rel=0.01)
    per_device = noise[..., 3].std(0) / np.sqrt(RATE / 2)
    assert per_device.min() > 0.9e-4 and per_device.max() < 3.2e-4 and per_device.std() > 4e-5


def test_bias_is_constant_and_spread_over_devices():
    noise = SensorErrors(force_bias=0.05, rate_bias=0.004).apply(still(), RATE, generator()) - still()
    assert noise.std(0).max() < 1e-5
    assert noise[0, :, :3].std().item() == pytest.approx(0.05, rel=0.1)
    assert noise[0, :, 3:].std().item() == pytest.approx(0.004, rel=0.1)


def test_drift_is_stationary_and_slow():
    errors = SensorErrors(force_drift=0.01, drift_time=(50.0, 50.0))
    drift = (errors.apply(still(20000, 300), RATE, generator()) - still(20000, 300))[..., 0]
    assert drift.std().item() == pytest.approx(0.01, rel=0.1)
    assert drift[0].std().item() == pytest.approx(0.01, rel=0.15)
    lag = 5000  # 50 s: one time constant
    correlation = (drift[lag:] * drift[:-lag]).mean() / (drift**2).mean()
    assert correlation.item() == pytest.approx(np.exp(-1), abs=0.1)


def test_scale_and_misalignment():
    imu = torch.zeros(1, 20000, 6)
    imu[..., 0] = 10.0
    seen = SensorErrors(scale=0.01, misalignment=0.003).apply(imu, RATE, generator())
    assert (seen[..., 0] / 10 - 1).std().item() == pytest.approx(0.01, rel=0.05)
    assert (seen[..., 1] / 10).std().item() == pytest.approx(0.003, rel=0.05)
    assert seen[..., 3:].abs().max() == 0


def test_force_leaks_into_the_gyroscope():
    seen = SensorErrors(force_sensitivity=1e-4).apply(still(), RATE, generator())
    assert seen[..., 3:].std().item() == pytest.approx(9.80665e-4, rel=0.1)


def test_range_and_resolution():
    imu = torch.linspace(-50, 50, 1001).reshape(-1, 1, 1).expand(-1, 1, 6)
    errors = SensorErrors(force_range=39.2, rate_range=30.0, force_resolution=0.25, rate_resolution=0.0)
    seen = errors.apply(imu, RATE, generator())
    assert seen[..., :3].abs().max() <= 39.25 and seen[..., 3:].abs().max() == 30
    torch.testing.assert_close(seen[..., :3] * 4, (seen[..., :3] * 4).round())
    torch.testing.assert_close(seen[500, :, 3:], imu[500, :, 3:])


def test_a_fast_clock_compresses_time():
    t = torch.arange(6000) / RATE
    sine = torch.sin(2 * np.pi * 1.5 * t).reshape(-1, 1, 1).expand(-1, 200, 6)
    seen = SensorErrors(clock_drift=1e-3).apply(sine, RATE, generator())
    late = 1e-3 * torch.randn(1, 200, generator=generator())  # the device's draw comes first
    expected = torch.sin(2 * np.pi * 1.5 * t[:, None] * (1 + late))
    inner = slice(0, 5900)
    torch.testing.assert_close(seen[inner, :, 0], expected[inner], atol=2e-3, rtol=0)


def test_dropouts_have_their_rate_and_length():
    seen = SensorErrors(dropout_rate=0.5, dropout_duration=0.2).apply(still(6000, 200), RATE, generator())
    missing = seen.isnan()
    assert (missing.all(-1) == missing.any(-1)).all()
    # Interruptions overlap: a device works with probability exp(-rate * duration).
    assert missing.float().mean().item() == pytest.approx(1 - np.exp(-0.1), rel=0.1)


def test_missing_readings_stay_missing():
    imu = still(200, 3)
    imu[50:60, 1] = torch.nan
    seen = SensorErrors.preset("aria_gen1").apply(imu, RATE, generator())
    assert seen[50:60, 1].isnan().all() and seen[:, [0, 2]].isfinite().all()


def test_a_drawn_device_keeps_its_errors_and_makes_new_noise():
    kind = SensorErrors.preset("phone")
    devices = kind.draw(20, generator=generator())
    calm = replace(devices, kind=replace(kind, clock_jitter=0.0, clock_drift=0.0, force_range=1e9, rate_range=1e9))
    quiet = replace(calm, density=torch.zeros(20, 6))
    first, second = (quiet.apply(still(100, 20), RATE, generator(seed)) for seed in (1, 2))
    torch.testing.assert_close(first, second)
    assert not torch.equal(
        calm.apply(still(100, 20), RATE, generator(1)), calm.apply(still(100, 20), RATE, generator(2))
    )
    assert (first - kind.draw(20, generator=generator(5)).apply(still(100, 20), RATE, generator(1))).abs().max() > 0.01


def test_a_recording_in_pieces_wanders_like_the_whole():
    errors = SensorErrors(force_bias=0.05, force_drift=0.02, rate_drift=0.001, drift_time=(30.0, 60.0), scale=0.01)
    devices = errors.draw(2, 5, generator=generator())
    imu = still(6000, 5).expand(2, -1, -1, -1)
    whole = devices.apply(imu, RATE)
    pieces = [devices.apply(imu[:, at : at + 1500], RATE, start_time=at / RATE) for at in range(0, 6000, 1500)]
    # Between the points at which it is told the wandering is a straight line, and the points lie elsewhere.
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole, atol=2e-3, rtol=0)
    assert (whole[:, 0] - whole[:, -1]).abs().max() > 0.01


@pytest.mark.parametrize("frequency", [2.0, 10.0, 20.0])
def test_a_low_pass_weakens_and_delays(frequency):
    t = torch.arange(3000) / RATE
    imu = torch.sin(2 * torch.pi * frequency * t)[:, None, None].expand(-1, 2, 6)
    seen = SensorErrors(force_bandwidth=10.0).apply(imu, RATE, generator())
    torch.testing.assert_close(seen[..., 3:], imu[..., 3:], atol=1e-4, rtol=0)
    whole_periods = slice(1000, 2000)
    wave = torch.exp(-2j * torch.pi * frequency * t)[whole_periods]
    gain = (seen[whole_periods, 0, 0] * wave).mean() / (imu[whole_periods, 0, 0] * wave).mean()
    s = 1j * frequency / 10.0
    assert abs(gain.item() - 1 / (1 + np.sqrt(2) * s + s * s)) < 0.01
    if frequency == 2.0:
        assert -gain.angle().item() / (2 * np.pi * frequency) == pytest.approx(0.225 / 10, rel=0.05)


def test_devices_fit_the_readings():
    devices = SensorErrors.preset("watch").draw(3, generator=generator())
    with pytest.raises(ValueError, match=r"placements \(3,\) of the devices"):
        devices.apply(still(100, 4), RATE)
    with pytest.raises(ValueError, match="`sampling_rate` must be positive"):
        devices.apply(still(100, 3), -60.0)
    assert devices.apply(still(0, 3), RATE).shape == (0, 3, 6)
    assert devices.apply(still(1, 3), RATE, generator()).shape == (1, 3, 6)
    assert devices.apply(torch.full((50, 3, 6), torch.nan), RATE, generator()).isnan().all()


def test_the_input_stays_as_it_was():
    imu = torch.randn(2, 60, 3, 6, generator=generator())
    before = imu.clone()
    SensorErrors.preset("phone").apply(imu, RATE, generator())
    assert torch.equal(imu, before)


@pytest.mark.parametrize("name", list(PRESETS))
def test_presets_are_deterministic_and_keep_the_signal(name):
    errors = SensorErrors.preset(name)
    imu = still(600, 20)
    first, again, other = (errors.apply(imu, 60.0, generator(seed)) for seed in (1, 1, 2))
    torch.testing.assert_close(first, again, equal_nan=True)
    assert name == "ideal" or not torch.equal(first.nan_to_num(), other.nan_to_num())
    assert (first - imu).nan_to_num().abs().max() < 0.6
    batched = errors.apply(imu.expand(2, 3, -1, -1, -1), 60.0, generator())
    assert batched.shape == (2, 3, 600, 20, 6)


def test_bad_settings():
    with pytest.raises(ValueError, match="no preset 'clock'; choose one of ideal, phone"):
        SensorErrors.preset("clock")
    with pytest.raises(ValueError, match="`scale` must not be negative"):
        SensorErrors(scale=-1.0)
    with pytest.raises(ValueError, match="`force_bandwidth` must be a positive"):
        SensorErrors(force_bandwidth=0.0)
    with pytest.raises(ValueError, match="`force_bias` must be a finite"):
        SensorErrors(force_bias=float("inf"))
    with pytest.raises(ValueError, match="`rate_bias` must not be negative"):
        SensorErrors(rate_bias=float("nan"))
    with pytest.raises(ValueError, match="reversed"):
        SensorErrors(drift_time=(5.0, 1.0))

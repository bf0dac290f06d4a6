# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Allan deviation against noise of known parameters, and real devices at rest."""

import numpy as np
import pytest
import torch

from anymo_hf.simulation import SensorErrors, fit_sensor_errors
from anymo_hf.simulation.allan import allan_deviation


RATE = 100.0


def still(seconds=600, num_placements=4):
    imu = torch.zeros(round(seconds * RATE), num_placements, 6)
    imu[..., 2] = 9.80665
    return imu


def simulate(errors, seconds=600, num_placements=4, seed=0):
    return errors.apply(still(seconds, num_placements), RATE, torch.Generator().manual_seed(seed))


def test_white_noise_falls_with_the_square_root():
    noise = np.random.default_rng(0).normal(size=(100_000, 3)) * 0.02
    lengths, deviations = allan_deviation(noise, RATE)
    few = lengths < 10
    expected = 0.02 / np.sqrt(RATE * lengths[few])
    np.testing.assert_allclose(deviations[few], np.repeat(expected[:, None], 3, axis=1), rtol=0.12)


def test_a_ramp_rises_with_the_length():
    ramp = np.arange(10_000)[:, None] / RATE * 0.3
    lengths, deviations = allan_deviation(ramp, RATE)
    np.testing.assert_allclose(deviations[:, 0], 0.3 * lengths / np.sqrt(2), rtol=1e-6)


def test_noise_densities_are_found_again():
    errors = SensorErrors(force_noise_density=(1.5e-3, 1.5e-3), rate_noise_density=(1e-4, 1e-4))
    fitted = fit_sensor_errors(simulate(errors), RATE)
    assert fitted.force_noise_density == pytest.approx((1.5e-3, 1.5e-3), rel=0.05)
    assert fitted.rate_noise_density == pytest.approx((1e-4, 1e-4), rel=0.05)
    assert fitted.force_drift < 1e-4 and fitted.rate_drift < 1e-5
    assert fitted.force_resolution == 0


def test_drift_is_found_again_beside_the_noise():
    errors = SensorErrors(
        force_noise_density=(1e-3, 1e-3), rate_noise_density=(1e-4, 1e-4), force_drift=5e-3, rate_drift=5e-4,
        drift_time=(100.0, 100.0),
    )  # fmt: skip
    fitted = fit_sensor_errors(simulate(errors, 3000, 20), RATE)
    assert fitted.force_drift == pytest.approx(5e-3, rel=0.4)
    assert fitted.rate_drift == pytest.approx(5e-4, rel=0.4)
    assert fitted.force_noise_density[0] == pytest.approx(1e-3, rel=0.1)


def test_bias_resolution_and_range_over_devices():
    errors = SensorErrors(
        force_noise_density=(1e-3, 4e-3), rate_noise_density=(1e-4, 1e-4), force_bias=0.05, rate_bias=0.01,
        force_resolution=0.004,
    )  # fmt: skip
    fitted = fit_sensor_errors(simulate(errors, 60, 60), RATE)
    assert fitted.rate_bias == pytest.approx(0.01, rel=0.2)
    assert fitted.force_bias == pytest.approx(0.05, rel=0.3)
    assert fitted.force_resolution == pytest.approx(0.004, rel=1e-3)
    low, high = fitted.force_noise_density
    assert low < 1.5e-3 and high > 3.4e-3


def test_a_fitted_device_can_be_simulated():
    fitted = fit_sensor_errors(simulate(SensorErrors.preset("xsens"), 120, 3), RATE)
    again = fit_sensor_errors(simulate(fitted, 120, 3, seed=1), RATE)
    assert again.force_noise_density[0] == pytest.approx(fitted.force_noise_density[0], rel=0.2)


def test_bad_recordings():
    with pytest.raises(ValueError, match="at least 1000 samples"):
        fit_sensor_errors(still(5), RATE)
    gap = still(60)
    gap[100, 0, 0] = torch.nan
    with pytest.raises(ValueError, match="with 1 missing values"):
        fit_sensor_errors(gap, RATE)
    moved = still(60)
    moved[3000:, :, 0] = 3.0
    with pytest.raises(ValueError, match="The device moved"):
        fit_sensor_errors(moved, RATE)
    with pytest.raises(ValueError, match="must have shape"):
        fit_sensor_errors(still(60)[..., :3], RATE)

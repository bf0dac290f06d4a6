# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest
import torch

from anymo_hf.simulation.rotations import quaternion_exp, quaternion_to_matrix


signals = pytest.importorskip("synthesis_signals")
transfer = pytest.importorskip("synthesis_transfer")
synthesis = pytest.importorskip("synthesis")

RATE = 50.0
TURN = quaternion_to_matrix(quaternion_exp(torch.tensor([0.4, -1.1, 0.8], dtype=torch.float64))).numpy()


def made_window():
    times = np.arange(500) / RATE
    window = np.zeros((500, 6))
    window[:, 2] = 9.81 + 3 * np.sin(2 * np.pi * 2 * times)
    window[:, 0] = np.sin(2 * np.pi * 5 * times)
    window[:, 4] = 0.5 * np.sin(2 * np.pi * 1 * times)
    return window


def test_quantities_of_sines_are_analytic():
    found = signals.quantities(made_window(), RATE, upright=np.array([1.0, 0.0, 0.0]))
    assert found["force RMS"] == pytest.approx(np.sqrt(9 / 2 + 1 / 2), rel=1e-3)
    assert found["rate RMS"] == pytest.approx(0.5 / np.sqrt(2), rel=1e-3)
    assert found["main axis share"] == pytest.approx(0.9, rel=1e-3)
    assert found["cadence"] == pytest.approx(2.0, abs=0.11)
    assert found["share 0.5-3 Hz"] == pytest.approx(0.9, abs=0.01)
    assert found["share 3-8 Hz"] == pytest.approx(0.1, abs=0.01)
    assert found["tilt"] == pytest.approx(90.0, abs=0.1)


def test_no_quantity_and_no_feature_depends_on_how_the_sensor_is_turned():
    window = made_window()
    turned = np.concatenate([window[:, :3] @ TURN, window[:, 3:] @ TURN], axis=1)
    up = np.array([0.1, 0.2, 1.0])
    first, second = (signals.quantities(w, RATE, u) for w, u in ((window, up), (turned, up @ TURN)))
    assert first == pytest.approx(second, rel=1e-6)
    for u in (None, up):
        rotated = None if u is None else u @ TURN
        np.testing.assert_allclose(
            transfer.features(window, RATE, u), transfer.features(turned, RATE, rotated), rtol=1e-5, atol=1e-5
        )


def test_filter_keeps_what_lies_below_and_removes_what_lies_above():
    times = np.arange(1000) / 100
    values = np.stack([np.sin(2 * np.pi * 2 * times), np.sin(2 * np.pi * 30 * times)], axis=1)
    kept = signals.at_rate(values, times, 50.0, 15.0)[50:-50]
    assert kept[:, 0].std() == pytest.approx(1 / np.sqrt(2), rel=0.02)
    assert kept[:, 1].std() < 0.01


def test_gaps_are_bridged():
    values = np.array([[0.0], [np.nan], [2.0], [np.nan]])
    np.testing.assert_allclose(signals.fill_gaps(values)[:, 0], [0, 1, 2, 2])


def test_logistic_regression_separates_what_can_be_separated():
    rng = np.random.default_rng(0)
    targets = np.repeat([0, 1, 2], 50)
    inputs = rng.normal(size=(150, 4)) + 8 * np.eye(3, 4)[targets]
    predicted = transfer.fit_logistic_regression(inputs, targets)(inputs)
    counts = transfer.confusion_matrix(targets, predicted, 3)
    assert np.trace(counts) == 150 and transfer.macro_f1(counts) == 1.0


def test_macro_f1_by_hand():
    counts = np.array([[3, 1], [2, 4]])
    assert transfer.macro_f1(counts) == pytest.approx((6 / 9 + 8 / 11) / 2)


def test_what_is_off():
    assert synthesis.is_off("force RMS", 1.0, 1.6) and synthesis.is_off("force RMS", 1.6, 1.0)
    assert not synthesis.is_off("force RMS", 1.0, 1.4)
    assert not synthesis.is_off("tilt", 2.0, 12.0) and synthesis.is_off("tilt", 2.0, 22.0)
    assert not synthesis.is_off("share 8-15 Hz", 0.001, 0.04)


def test_synthetic_readings_feel_gravity():
    readings = signals.synthetic_readings("stand", 0, ("waist",), "phone")
    assert readings.shape[1:] == (1, 6) and np.isfinite(readings).all()
    assert np.linalg.norm(readings[:, 0, :3], axis=1).mean() == pytest.approx(9.81, abs=0.5)

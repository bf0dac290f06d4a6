# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from anymo_hf.evaluation.embeddings import HarWindows
from anymo_hf.evaluation.handmade_features import handmade_features


pytest.importorskip("tsfel")


def make_windows(values, mask=None):
    mask = np.ones(values.shape, dtype=bool) if mask is None else mask
    names = np.array([f"n{i}" for i in range(len(values))])
    places = ("waist", "chest")[: values.shape[2]]
    return HarWindows(values.astype(np.float32), mask, places, places, names, names, names)


def test_features_are_finite_and_those_of_each_sensor():
    values = np.random.default_rng(0).normal(size=(3, 300, 2, 6))
    values[1] = 9.81  # constant: much of it divides by zero
    found = handmade_features(make_windows(values))
    alone = handmade_features(make_windows(values[:, :, 1:]))
    assert found.shape == (3, 2 * 570) and alone.shape == (3, 570)
    assert np.isfinite(found).all()
    for feature in alone.T[::29]:
        assert (np.abs(found - feature[:, None]).max(axis=0) < 1e-4).any(), "a sensor's features depend on it alone"


def test_gaps_and_ends_do_not_show():
    """A straight line with a hole in it, and two seconds that nobody measured, is the straight line."""
    line = np.broadcast_to(np.linspace(0, 3, 180)[None, :, None, None], (1, 180, 1, 6)).copy()
    longer = np.pad(line, ((0, 0), (0, 120), (0, 0), (0, 0)))
    mask = np.pad(np.ones(line.shape, dtype=bool), ((0, 0), (0, 120), (0, 0), (0, 0)))
    mask[:, 60:80] = False
    longer[:, 60:80] = 0
    np.testing.assert_allclose(
        handmade_features(make_windows(longer, mask)), handmade_features(make_windows(line)), rtol=1e-3, atol=1e-3
    )


def test_what_was_not_measured_is_zero():
    values = np.random.default_rng(0).normal(size=(1, 200, 1, 6))
    mask = np.ones(values.shape, dtype=bool)
    mask[..., 3:] = False
    zeros = np.where(mask, values, 0)
    np.testing.assert_array_equal(handmade_features(make_windows(zeros, mask)), handmade_features(make_windows(zeros)))


def test_windows_of_several_lengths_share_their_features():
    values = np.random.default_rng(0).normal(size=(3, 300, 1, 6))
    mask = np.ones(values.shape, dtype=bool)
    mask[1, 260:] = mask[2, 61:] = False
    values[~mask] = 0
    found = handmade_features(make_windows(values, mask))
    assert found.shape == (3, 570)
    np.testing.assert_array_equal(found[:1], handmade_features(make_windows(values[:1])))

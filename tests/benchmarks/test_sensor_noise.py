# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The stillest stretch is found, and what is known about a made device comes out."""

import numpy as np
import pytest
from sensor_noise import fit_placements, stillest, to_results


RATE = 50.0


def recording(num_samples: int = 6000, still: slice = slice(2000, 4000), seed: int = 0) -> np.ndarray:
    """Noise of 0.01 m/s^2 and 0.001 rad/s everywhere, and motion outside of `still`."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(num_samples, 6)) * np.repeat([0.01, 0.001], 3)
    moving = np.ones(num_samples, bool)
    moving[still] = False
    values[moving] += rng.normal(size=(moving.sum(), 6))
    values[:, 2] += 9.80665
    return values


def test_the_stillest_stretch_is_the_still_one():
    times = np.arange(6000) / RATE
    restless, part = stillest(recording(), times)
    assert part.start >= 2000 and part.stop <= 4000 and restless < 1
    times[3000:] += 1.0  # a gap in the middle of the rest: what is left on its sides is long enough
    _, part = stillest(recording(), times)
    assert part in (slice(2000, 3000), slice(3000, 4000))
    values = recording()
    values[2500::1000] = np.nan
    assert stillest(values[2000:4000], times[2000:4000]) is None
    assert stillest(recording()[:500], times[:500]) is None


def test_the_noise_of_a_made_device_comes_out():
    pandas = pytest.importorskip("pandas")
    tables = []
    for seed in range(3):
        table = pandas.DataFrame(recording(seed=seed), columns=["acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z"])
        tables.append(table.assign(recording=f"r{seed}", placement="wrist", t=np.arange(6000) / RATE))
    fits = fit_placements(pandas.concat(tables))
    assert list(fits) == ["wrist"] and len(fits["wrist"]) == 3
    floor = {"wrist": {"acc_density_per_sqrtHz": 0.002, "gyr_density_per_sqrtHz": 0.0002}}
    figures = {row.metric: row.value for row in to_results("made", fits, floor)}
    assert figures["force noise density (m/s^2/sqrt(Hz))"] == pytest.approx(0.002, rel=0.1)
    assert figures["rate noise over the noise floor"] == pytest.approx(1, rel=0.1)
    assert figures["force resolution (m/s^2)"] == 0

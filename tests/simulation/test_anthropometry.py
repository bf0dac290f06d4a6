# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Bodies of given and of random heights and weights."""

import numpy as np
import pytest
import torch

from anymo_hf.simulation.anthropometry import DENSITY, POPULATION, draw_shape, fit_shape
from anymo_hf.simulation.body import BodySurface


@pytest.mark.parametrize(("height", "weight"), [(1.5, 45), (1.63, 68), (1.76, 85), (1.95, 110)])
def test_a_fitted_body_has_its_height_and_weight(height, weight):
    traits = np.linspace(-1, 1, 16)
    shape = fit_shape(height, weight, traits)
    body = BodySurface.default(shape)
    assert body.height == pytest.approx(height, abs=1e-3)
    assert body.volume * DENSITY == pytest.approx(weight, abs=0.1)
    kept = [1, *range(3, 16)]
    np.testing.assert_array_equal(shape[kept], traits[kept])


def test_the_volume_is_that_of_a_box():
    body = BodySurface.default()
    corners = np.array([[x, y, z] for x in (0, 2) for y in (0, 3) for z in (0, 4)], dtype=float)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([half for a, b, c, d in quads for half in ((a, b, c), (a, c, d))])
    weights = np.zeros((8, 23))
    weights[:, 0] = 1
    assert BodySurface(corners, faces, weights, body.joints).volume == pytest.approx(24)


def test_random_bodies_follow_their_generator_and_population():
    def heights(sex, count, seed):
        generator = torch.Generator().manual_seed(seed)
        return [BodySurface.default(draw_shape(generator, sex)).height for _ in range(count)]

    men, women = heights("male", 12, 0), heights("female", 12, 0)
    for drawn, sex in ((men, "male"), (women, "female")):
        mean, deviation = POPULATION[sex][:2]
        assert abs(np.mean(drawn) - mean) < deviation and max(abs(np.array(drawn) - mean)) < 2.6 * deviation
    # The same draws for both.
    assert np.corrcoef(men, women)[0, 1] == pytest.approx(1, abs=1e-2)
    assert heights(None, 2, 5) == heights(None, 2, 5) != heights(None, 2, 6)


def test_bad_people_are_refused():
    for height, weight in ((-1.7, 70), (1.7, 0), (float("nan"), 70), (1.7, float("inf"))):
        with pytest.raises(ValueError, match="must be positive metres"):
            fit_shape(height, weight)
    for height, weight in ((170, 70), (1.7, 700), (0.8, 12)):
        with pytest.raises(ValueError, match="No adult shape"):
            fit_shape(height, weight)
    with pytest.raises(ValueError, match="`sex` must be one of male, female"):
        draw_shape(sex="other")

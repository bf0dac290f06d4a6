# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Shapes of the default body for people of a given or a random height and weight."""

import numpy as np
import torch

from anymo_hf.simulation.body import BodySurface


NUM_COMPONENTS = 16
# With air in its lungs a body just about floats.
DENSITY = 1000.0  # kg/m^3 of what the skin encloses
# Means and standard deviations of height (m) and weight (kg), and their correlation. Gordon et al., "2012
# Anthropometric Survey of U.S. Army Personnel", Natick TR-15/007 (2014): 4082 men, 1986 women; figures from memory,
# correlations rounded. Soldiers are leaner than civilians and not old.
POPULATION = {"male": (1.756, 0.0686, 85.5, 14.2, 0.5), "female": (1.629, 0.0642, 67.8, 11.0, 0.5)}
LARGEST_DEVIATION = 2.5  # standard deviations; further out the shape components make no human
# The components that size and stoutness are fitted with, and what they change at the average: height (m) and volume
# (m^3) per standard deviation.
_SIZE, _STOUTNESS = 0, 2
_SLOPES = np.array([[0.116, 0.0045], [0.0096, -0.0121]])
LARGEST_COEFFICIENT = 5.0


def draw_shape(generator: torch.Generator | None = None, sex: str | None = None) -> np.ndarray:
    """
    The shape of a random adult, for `BodySurface.default(shape=...)`.

    Args:
        generator (`torch.Generator`, *optional*, defaults to `None`):
            Source of randomness.
        sex (`str`, *optional*, defaults to `None`):
            `"female"` or `"male"`: from whose heights and weights to draw. `None` is either, with equal chance.

    Returns:
        `np.ndarray` of shape `(16,)`: Coefficients in standard deviations.

    Raises:
        ValueError: If the sex has no distribution.
    """
    if sex is None:
        sex = ("female", "male")[int(torch.randint(2, (1,), generator=generator))]
    if sex not in POPULATION:
        raise ValueError(f"`sex` must be one of {', '.join(POPULATION)} or None, but is {sex!r}.")
    height, height_deviation, weight, weight_deviation, correlation = POPULATION[sex]
    tall, stout = torch.randn(2, generator=generator, dtype=torch.float64).clamp(-LARGEST_DEVIATION, LARGEST_DEVIATION)
    heavy = (correlation * tall + (1 - correlation**2) ** 0.5 * stout).clamp(-LARGEST_DEVIATION, LARGEST_DEVIATION)
    others = torch.randn(NUM_COMPONENTS, generator=generator, dtype=torch.float64).clamp(-2, 2)
    return fit_shape(height + height_deviation * tall.item(), weight + weight_deviation * heavy.item(), others.numpy())


def fit_shape(height: float, weight: float, shape: np.ndarray | None = None) -> np.ndarray:
    """
    The shape of somebody of known height and weight, for `BodySurface.default(shape=...)`.

    Args:
        height (`float`):
            In metres.
        weight (`float`):
            In kilograms.
        shape (`np.ndarray` of shape `(16,)`, *optional*, defaults to `None`):
            The other traits; size and stoutness in it are overwritten. `None` is the average.

    Returns:
        `np.ndarray` of shape `(16,)`: Coefficients in standard deviations.

    Raises:
        ValueError: If height or weight is not positive, or no adult has them.
    """
    if not (0 < height < np.inf and 0 < weight < np.inf):
        raise ValueError(
            f"`height` and `weight` must be positive metres and kilograms, but are {height} and {weight}."
        )
    shape = np.zeros(NUM_COMPONENTS) if shape is None else np.array(shape, dtype=np.float64)
    shape[[_SIZE, _STOUTNESS]] = 0.0
    goal, slopes, last = np.array([height, weight / DENSITY]), _SLOPES.copy(), None
    for _ in range(20):
        body = BodySurface.default(shape)
        missing = goal - [body.height, body.volume]
        if (np.abs(missing) < [1e-4, 1e-5]).all():
            return shape
        if last is not None:  # Broyden's rule: what the last step really changed
            step, before = last
            slopes += np.outer(before - missing - slopes @ step, step) / (step @ step)
        step = np.clip(np.linalg.solve(slopes, missing), -1.5, 1.5)
        last = step, missing
        shape[[_SIZE, _STOUTNESS]] += step
        if np.abs(shape[[_SIZE, _STOUTNESS]]).max() > LARGEST_COEFFICIENT:
            break
    raise ValueError(
        f"No adult shape has {height:.2f} m and {weight:.0f} kg; give metres and kilograms, or scale the average body "
        "with `bone_offsets`."
    )

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Smooth curves over time: cycles from a few key values, keyframes, noise, and paths that honour constraints."""

from collections.abc import Sequence

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.linalg import solveh_banded


SMOOTHNESS_ORDER = 3  # penalise the third difference: as little jerk as the constraints allow


def fourier_series(phases: np.ndarray, values: np.ndarray, num_harmonics: int = 6) -> np.ndarray:
    """
    Coefficients of the periodic curve through key values.

    Args:
        phases (`np.ndarray` of shape `(num_keys,)`):
            Where in the cycle, increasing from 0 to below 1.
        values (`np.ndarray` of shape `(num_keys,)`):
            The curve there, in any unit.
        num_harmonics (`int`, *optional*, defaults to 6):
            Highest harmonic kept. Gait has 99.7 % of its power below 6 Hz, about the sixth (Winter et al. 1974).

    Returns:
        `np.ndarray` of shape `(num_harmonics + 1,)`: Complex coefficients for `evaluate_series`.
    """
    spline = CubicSpline([*phases, 1.0 + phases[0]], [*values, values[0]], bc_type="periodic")
    samples = spline(phases[0] + np.arange(256) / 256)
    harmonics = np.arange(num_harmonics + 1)
    return sample_series(samples, num_harmonics) * np.exp(-2j * np.pi * harmonics * phases[0])


def sample_series(samples: np.ndarray, num_harmonics: int) -> np.ndarray:
    """Coefficients `(num_harmonics + 1,)` for `evaluate_series` of even samples over one period, from phase 0."""
    coefficients = np.fft.rfft(samples)[: num_harmonics + 1] / len(samples)
    coefficients[1:] *= 2
    return coefficients


def integrate_series(coefficients: np.ndarray, period: float, times: int = 1) -> np.ndarray:
    """The curve integrated over time once or more, `period` seconds per cycle; the mean is dropped."""
    harmonics = np.arange(len(coefficients))
    integral = np.zeros(len(coefficients), complex)
    integral[1:] = coefficients[1:] / (2j * np.pi * harmonics[1:] / period) ** times
    return integral


def shock(period: float, start: float, frequency: float, decay: float, num_samples: int = 512) -> np.ndarray:
    """
    What a blow leaves in a soft body: a wave that dies away, once per period.

    Args:
        period (`float`):
            Seconds from one blow to the next.
        start (`float`):
            When the blow falls, in seconds from phase 0.
        frequency (`float`):
            Of the wave, in hertz.
        decay (`float`):
            Seconds in which it falls to 1/e.
        num_samples (`int`, *optional*, defaults to 512):
            Samples over the period.

    Returns:
        `np.ndarray` of shape `(num_samples,)`: From phase 0; the wave starts at 0, its first swing reaches nearly 1.
    """
    since = (np.arange(num_samples) / num_samples * period - start) % period
    return np.exp(-since / decay) * np.sin(2 * np.pi * frequency * since)


def evaluate_series(coefficients: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """The curve of `fourier_series` at any phase (cycles, any real number), shape of `phase`."""
    harmonics = np.arange(len(coefficients))
    return (coefficients * np.exp(2j * np.pi * np.asarray(phase)[..., None] * harmonics)).real.sum(-1)


def smooth_step(x: np.ndarray) -> np.ndarray:
    """From 0 at `x <= 0` to 1 at `x >= 1` with the least jerk: velocity and acceleration vanish at both ends."""
    x = np.clip(x, 0.0, 1.0)
    return x**3 * (10 - 15 * x + 6 * x**2)


def keyframes(times: np.ndarray, key_times: Sequence[float], key_values: Sequence[float]) -> np.ndarray:
    """A curve that rests at each of the key values in turn and moves between them with the least jerk."""
    curve = np.full(len(times), float(key_values[0]))
    for start, end, before, after in zip(key_times, key_times[1:], key_values, key_values[1:], strict=False):
        curve += (after - before) * smooth_step((times - start) / (end - start))
    return curve


def smooth_noise(
    times: np.ndarray, generator: np.random.Generator, low: float = 0.08, high: float = 9.0
) -> np.ndarray:
    """
    Unit-variance noise between two frequencies in hertz whose amplitude per octave falls as f^-1.2.

    As an angle and over the whole range it is sway: slow and wide, with a trace of tremor that an accelerometer on a
    resting person sees as much as the sway itself.
    """
    count = 10 if high < 2.0 else 18
    frequencies = np.geomspace(low, high, count) * generator.uniform(0.9, 1.1, count)
    amplitudes = frequencies**-1.2
    phases = generator.uniform(0, 2 * np.pi, count)
    waves = amplitudes * np.sin(2 * np.pi * frequencies * times[:, None] + phases)
    return waves.sum(-1) / np.sqrt((amplitudes**2).sum() / 2)


def smooth_path(values: np.ndarray, weights: np.ndarray, cutoff: float, frame_rate: float) -> np.ndarray:
    """
    The smoothest path near weighted values: minimises `sum w (y - x)^2 + stiffness * sum (third difference of x)^2`.

    Args:
        values (`np.ndarray` of shape `(num_frames, num_columns)`):
            What the path should follow; ignored where the weight is 0.
        weights (`np.ndarray` of shape `(num_frames,)`):
            How strictly. A heavy weight holds the path, a weight of 0 leaves it free.
        cutoff (`float`):
            Frequency in hertz above which weight 1 no longer follows.
        frame_rate (`float`):
            Frames per second.

    Returns:
        `np.ndarray` of shape `(num_frames, num_columns)`: The path.
    """
    num_frames = len(values)
    if num_frames <= SMOOTHNESS_ORDER:
        return np.array(values)
    bands = stiffness(cutoff, frame_rate) * _penalty_bands(num_frames)
    bands[-1] += weights + 1e-9
    # A weight of 0 everywhere would leave a parabola undetermined: the tiny weight decides for the values.
    return solveh_banded(bands, (weights + 1e-9)[:, None] * values)


def stiffness(cutoff: float, frame_rate: float) -> float:
    """Factor of the penalty for which weight 1 halves the amplitude at `cutoff`."""
    return (2 * np.sin(np.pi * cutoff / frame_rate)) ** (-2 * SMOOTHNESS_ORDER)


def _penalty_bands(num_frames: int) -> np.ndarray:
    """Upper bands of the matrix of the squared third difference, for `solveh_banded`."""
    stencil = np.array([-1.0, 3.0, -3.0, 1.0])
    bands = np.zeros((SMOOTHNESS_ORDER + 1, num_frames))
    for i in range(4):
        for j in range(i, 4):
            bands[3 - (j - i), j : num_frames - 3 + j] += stencil[i] * stencil[j]
    return bands

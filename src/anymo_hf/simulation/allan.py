# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""`fit_sensor_errors`: the errors of a real device, from a recording of it lying still, by Allan deviation."""

import numpy as np
import torch

from anymo_hf.simulation.errors import SensorErrors
from anymo_hf.simulation.kinematics import STANDARD_GRAVITY


MIN_SAMPLES = 1000
# Time constants among which a wandering bias is sought, in seconds.
DRIFT_TIMES = (10.0, 30.0, 100.0, 300.0, 1000.0)
# A moving device shows itself by an angular rate no bias explains, or a force that wanders.
MOVING_RATE = 0.1  # rad/s
MOVING_FORCE = 0.5  # m/s^2


def allan_deviation(signal: np.ndarray, sampling_rate: float) -> tuple[np.ndarray, np.ndarray]:
    """
    Overlapping Allan deviation: how much means over neighbouring stretches differ.

    White noise falls with the square root of the stretch's length, a wandering bias rises with it (IEEE Std 952-1997).

    Args:
        signal (`np.ndarray` of shape `(num_samples, num_channels)`):
            Readings at rest.
        sampling_rate (`float`):
            Samples per second.

    Returns:
        `tuple[np.ndarray, np.ndarray]`: Stretch lengths in seconds, shape `(num_lengths,)`, and the deviations in the
        signal's unit, shape `(num_lengths, num_channels)`.
    """
    num_samples = len(signal)
    # Beyond a ninth of the recording there are too few stretches to compare.
    sizes = np.unique(np.geomspace(1, max(1, num_samples // 9), 40).astype(int))
    sums = np.concatenate([np.zeros_like(signal[:1]), np.cumsum(signal - signal.mean(0), axis=0)])
    deviations = []
    for size in sizes:
        # Stretches that overlap by more than nine tenths say nothing new.
        some = slice(None, None, max(1, size // 10))
        difference = (sums[2 * size :][some] - 2 * sums[size:-size][some] + sums[: -2 * size][some]) / size
        deviations.append(np.sqrt((difference**2).mean(0) / 2))
    return sizes / sampling_rate, np.stack(deviations)


def fit_sensor_errors(imu: torch.Tensor | np.ndarray, sampling_rate: float) -> SensorErrors:
    """
    Errors of a device that was recorded while it lay still.

    White noise and the wandering of the bias come from the Allan deviation, the resolution from the smallest step, the
    gyroscope's bias from its mean, the accelerometer's from how far the force's length is off gravity (a lower bound:
    one position shows one direction). Scale, misalignment, range and clock cannot be seen at rest and stay ideal.

    Args:
        imu (`torch.Tensor` of shape `(num_frames, 6)` or `(num_frames, num_placements, 6)`):
            Specific force (m/s^2) and angular rate (rad/s) at rest, a minute or more; several devices give the ranges
            over devices.
        sampling_rate (`float`):
            Samples per second.

    Returns:
        `SensorErrors`: Draws devices like the recorded ones.

    Raises:
        ValueError: If the recording is too short, has gaps, or the device moved.
    """
    imu = np.asarray(imu, dtype=np.float64)
    imu = imu[:, None] if imu.ndim == 2 else imu
    if imu.ndim != 3 or imu.shape[-1] != 6:
        raise ValueError(f"`imu` must have shape (num_frames, num_placements, 6), but has {imu.shape}.")
    if len(imu) < MIN_SAMPLES or not np.isfinite(imu).all():
        raise ValueError(
            f"A recording of at least {MIN_SAMPLES} samples without gaps is needed, but {len(imu)} samples with "
            f"{int((~np.isfinite(imu)).sum())} missing values were given; cut out one still stretch."
        )
    _check_still(imu, sampling_rate)
    white, wander = (part.reshape(-1, 2, 3) for part in _fit_allan(imu.reshape(len(imu), -1), sampling_rate))
    density = white.mean(-1)  # (num_placements, 2): one per sensor, over its axes
    drift = np.sqrt((wander**2).mean(-1)).mean(0)
    mean = imu.mean(0)
    # The length of the force is off by the bias along it, a third of the bias' square.
    off_gravity = np.linalg.norm(mean[:, :3], axis=-1) - STANDARD_GRAVITY
    resolution = [_smallest_step(imu[..., channels]) for channels in (slice(0, 3), slice(3, 6))]
    return SensorErrors(
        force_noise_density=(float(density[:, 0].min()), float(density[:, 0].max())),
        rate_noise_density=(float(density[:, 1].min()), float(density[:, 1].max())),
        force_bias=float(np.sqrt((off_gravity**2).mean())),
        rate_bias=float(np.sqrt((mean[:, 3:] ** 2).mean())),
        force_drift=float(drift[0]),
        rate_drift=float(drift[1]),
        force_resolution=resolution[0],
        rate_resolution=resolution[1],
    )


def _check_still(imu: np.ndarray, sampling_rate: float) -> None:
    block = max(1, round(sampling_rate))
    means = imu[: len(imu) // block * block].reshape(-1, block, *imu.shape[1:]).mean(1)  # of every second
    wander = np.abs(means - np.median(means, axis=0)).max((0, 1))
    if wander[:3].max() > MOVING_FORCE or wander[3:].max() > MOVING_RATE:
        raise ValueError(
            f"The device moved: its mean over a second wanders by {wander[:3].max():.2g} m/s^2 and "
            f"{wander[3:].max():.2g} rad/s; give a stretch in which it lies still."
        )


def _fit_allan(signal: np.ndarray, sampling_rate: float) -> tuple[np.ndarray, np.ndarray]:
    """White noise density and deviation of the wandering bias of every channel."""
    from scipy.optimize import nnls

    lengths, deviations = allan_deviation(signal, sampling_rate)
    # Variances add: quantisation 1/t^2, white noise 1/t, Gauss-Markov wandering. What is slower than the recording is
    # a constant to it.
    times = [time for time in DRIFT_TIMES if time <= len(signal) / sampling_rate / 3]
    parts_over_time = [lengths**-2, lengths**-1, *(_gauss_markov(lengths, time) for time in times)]
    design = np.stack(parts_over_time, axis=-1)
    # Long stretches are few, so their deviations scatter more.
    trust = np.sqrt(len(signal) / sampling_rate / lengths)
    white, wander = [], []
    for variance in (deviations**2).T:
        if variance.max() == 0:
            parts = np.zeros(design.shape[1])
        else:
            scale = trust / variance.clip(variance.max() * 1e-12)
            weighted = design * scale[:, None]
            # The parts differ by many powers of ten; columns of equal length keep the solver from going in circles.
            sizes = np.linalg.norm(weighted, axis=0)
            parts = nnls(weighted / sizes, variance * scale)[0] / sizes
        # The one-sided density of data sheets is twice the two-sided one of the Allan variance.
        white.append(np.sqrt(2 * parts[1]))
        wander.append(np.sqrt(parts[2:].sum()))
    return np.array(white), np.array(wander)


def _gauss_markov(lengths: np.ndarray, time: float) -> np.ndarray:
    """Allan variance of a Gauss-Markov process of unit variance (IEEE Std 952-1997, annex C)."""
    ratio = lengths / time
    return 2 / ratio * (1 - (3 - 4 * np.exp(-ratio) + np.exp(-2 * ratio)) / (2 * ratio))


def _smallest_step(values: np.ndarray) -> float:
    """Quantisation step, 0 if the values are continuous."""
    steps = np.diff(np.unique(values.reshape(-1)))
    # Unquantised readings hardly repeat; quantised ones fill a few levels.
    if not len(steps) or len(steps) > values.size / 10:
        return 0.0
    return float(np.median(steps))

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""What is fitted to one part of a paired recording, alike for all methods: mounting, lever arm, clock, bias."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from paired_data import PairedRecording

from anymo_hf.simulation.motion import SegmentMotion
from anymo_hf.simulation.placements import Placements
from anymo_hf.simulation.rotations import matrix_to_quaternion


RATE = 60.0  # Hz, of all simulated readings
FILTER_REACH = 0.25  # s to either side
FILTER_BETA = 5.0  # Kaiser window: 50 dB 3 Hz beyond the band, less than 0.3 % ripple up to 3 Hz below its end
FINE_RATE = 600.0  # Hz, at least, of real readings between which four-point interpolation errs by less than 2e-5
MAX_OFFSET = 0.3  # s between the clocks
MAX_VARIANCE = 0.02**2  # s^2: half of the amplitude at 9 Hz
NUM_ITERATIONS = 12
TOLERANCE = 1e-6  # of rad, s and m: the steps end when they are all smaller

# Motion and placements to readings of shape (num_frames, num_placements, 6) at 60 Hz, NaN where there are none.
Simulator = Callable[[SegmentMotion, Placements], torch.Tensor]


@dataclass
class Alignment:
    """
    What is fitted.

    Args:
        rotation (`np.ndarray` of shape `(3, 3)`):
            Turns the sensor's vectors into the segment's frame.
        offset (`np.ndarray` of shape `(3,)`):
            Lever arm in the segment's frame, in metres.
        clock_offset (`float`):
            Seconds that the sensor's clock is ahead of the motion's.
        bias (`np.ndarray` of shape `(6,)`):
            Of force (m/s^2) and rate (rad/s).
        variances (`np.ndarray` of shape `(2,)`, *optional*, defaults to zeros):
            Of the Gaussian impulse responses of accelerometer and gyroscope in s^2: gain exp(-2 pi^2 variance f^2).
    """

    rotation: np.ndarray
    offset: np.ndarray
    clock_offset: float
    bias: np.ndarray
    variances: np.ndarray = field(default_factory=lambda: np.zeros(2))

    @property
    def orientation(self) -> torch.Tensor:
        """The rotation as a quaternion wxyz."""
        return matrix_to_quaternion(torch.from_numpy(self.rotation))


def low_pass(
    times: np.ndarray,
    values: np.ndarray,
    band: float = 15.0,
    factor: int = 1,
    response: Callable[[np.ndarray], np.ndarray] | None = None,
) -> np.ndarray:
    """
    A regularly sampled signal below `band`, at the samples or more often: convolution with a windowed sinc.

    Args:
        times (`np.ndarray` of shape `(num_samples,)`):
            Seconds, regular.
        values (`np.ndarray` of shape `(num_samples, num_channels)`):
            Samples, NaN where there are none.
        band (`float`, *optional*, defaults to 15.0):
            Hertz where the amplitude is halved.
        factor (`int`, *optional*, defaults to 1):
            Results per sample; the first is at the first sample.
        response (`Callable`, *optional*, defaults to `None`):
            Another gain for frequencies in hertz, on top of it.

    Returns:
        `np.ndarray` of shape `(factor * num_samples, num_channels)`: NaN where a sample within the filter's reach is
        missing.
    """
    rate = (len(times) - 1) / (times[-1] - times[0])
    reach = int(np.floor(FILTER_REACH * rate))
    padded = np.pad(values, ((reach, reach + 1), (0, 0)), constant_values=np.nan)
    missing = np.concatenate([[0], np.cumsum(np.isnan(padded).any(1))])
    padded = np.nan_to_num(padded)
    filtered = np.empty((len(values), factor, values.shape[1]))
    for phase in range(factor):
        lags = np.arange(-reach, reach + 1 + (phase > 0)) - phase / factor  # in samples
        lags[np.abs(lags) > FILTER_REACH * rate] = np.nan
        weights = _kernel(lags / rate, band, response)
        filtered[:, phase] = 0
        for tap in np.flatnonzero(weights):
            filtered[:, phase] += weights[tap] * padded[tap : tap + len(values)]
        taps = np.flatnonzero(np.isfinite(lags))
        lacking = missing[taps[-1] + 1 :][: len(values)] - missing[taps[0] :][: len(values)]
        filtered[lacking > 0, phase] = np.nan
    return filtered.reshape(-1, values.shape[1])


def _kernel(lags: np.ndarray, band: float, response) -> np.ndarray:
    """Weights at `lags` in seconds, zero where those are NaN; without a response they add up to 1."""
    seen = np.isfinite(lags)
    window = np.i0(FILTER_BETA * np.sqrt((1 - (lags[seen] / FILTER_REACH) ** 2).clip(0)))
    plain = np.sinc(2 * band * lags[seen]) * window
    weights = np.zeros(len(lags))
    weights[seen] = plain = plain / plain.sum()
    if response is not None:  # the weights whose gain is nearest to the product of both, slow changes first
        frequencies = np.linspace(0, 0.5 / (lags[seen][1] - lags[seen][0]), 241)
        waves = np.cos(2 * np.pi * np.outer(frequencies, lags[seen]))
        product, care = (waves @ plain) * response(frequencies), 1 / (frequencies + 0.3)
        weights[seen] = np.linalg.lstsq(care[:, None] * waves, care * product, rcond=1e-9)[0]
    return weights


class FilteredReadings:
    """The sensor's readings below the recording's band, at any time of its clock."""

    def __init__(self, recording: PairedRecording):
        times = recording.times
        rate = (len(times) - 1) / (times[-1] - times[0])
        factor = int(np.ceil(FINE_RATE / rate))
        self.start, self.rate = times[0], rate * factor
        self.values = low_pass(times, recording.values, recording.band, factor)

    def at(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Readings and their change per second, each of shape `(num_times, 6)`, NaN where not measured."""
        position = (times - self.start) * self.rate
        first = np.floor(position).astype(int) - 1
        outside = (first < 0) | (first + 3 >= len(self.values))
        x = position - first - 1  # 0 to 1 between the second and the third of four neighbours
        neighbours = self.values[np.where(outside, 0, first)[:, None] + np.arange(4)]  # (num_times, 4, 6)
        neighbours[outside] = np.nan
        lagrange = [-x * (x - 1) * (x - 2) / 6, (x + 1) * (x - 1) * (x - 2) / 2,
                    -(x + 1) * x * (x - 2) / 2, (x + 1) * x * (x - 1) / 6]  # fmt: skip
        slopes = [-(3 * x * x - 6 * x + 2) / 6, (3 * x * x - 4 * x - 1) / 2,
                  -(3 * x * x - 2 * x - 2) / 2, (3 * x * x - 1) / 6]  # fmt: skip
        values, changes = (np.einsum("kt,tkc->tc", np.array(w), neighbours) for w in (lagrange, slopes))
        return values, changes * self.rate


@lru_cache(maxsize=1)
def filtered_readings(recording: PairedRecording) -> FilteredReadings:
    """The same for all methods, so it is made once."""
    return FilteredReadings(recording)


class UnitReadings:
    """
    What a method simulates at the segment's origin and a metre along each axis, in the segment's frame.

    Readings of a rigid body are linear between these four and turn with the mounting, so that one simulation serves
    for all mountings and lever arms.
    """

    def __init__(self, recording: PairedRecording, simulate: Simulator):
        offset = torch.cat([torch.zeros(1, 3), torch.eye(3)])
        upright = torch.tensor([1.0, 0.0, 0.0, 0.0]).expand(4, 4)
        placements = Placements(torch.full((4,), recording.segment), offset, upright)
        imu = simulate(recording.motion, placements).double().numpy()
        imu[:, 1:] -= imu[:, :1]
        self.times = recording.motion.timestamps[0] + np.arange(len(imu)) / RATE
        self.imu, self.band = imu, recording.band

    def within(self, span: tuple[float, float], variances=(0.0, 0.0), derivative=False) -> tuple[np.ndarray, ...]:
        """
        Times in a span and readings below the band of shape `(num_frames, 4, 6)`, smoothed as the device would, or
        their derivatives by the variances.
        """
        some = np.flatnonzero((self.times >= span[0]) & (self.times <= span[1]))
        around = slice(max(some[0] - round(RATE), 0), some[-1] + 1 + round(RATE))
        filtered = np.empty((some[-1] + 1 - around.start, 4, 6))
        for channels, variance in zip((slice(0, 3), slice(3, 6)), variances, strict=True):
            values = self.imu[around, :, channels].reshape(len(self.times[around]), 12)
            gain = _device_response(variance, derivative) if variance or derivative else None
            passed = low_pass(self.times[around], values, self.band, response=gain)
            filtered[..., channels] = passed[: len(filtered)].reshape(-1, 4, 3)
        return self.times[some], filtered[some - around.start]


def _device_response(variance: float, derivative: bool) -> Callable[[np.ndarray], np.ndarray]:
    def gain(frequencies):
        exponent = 2 * np.pi**2 * frequencies**2
        return np.exp(-variance * exponent) * (-exponent if derivative else 1)

    return gain


def predict(fit: Alignment, units: np.ndarray) -> np.ndarray:
    """Readings `(num_frames, 6)` of the sensor as fitted, without its bias, from those of `UnitReadings`."""
    segment = units[:, 0] + np.einsum("tkc,k->tc", units[:, 1:], fit.offset)
    return np.concatenate([segment[:, :3] @ fit.rotation, segment[:, 3:] @ fit.rotation], axis=1)


def align(recording: PairedRecording, units: UnitReadings, device: bool = False) -> Alignment:
    """
    Fits everything that is not the method's own on the first part of a recording, by Gauss-Newton steps.

    Args:
        recording (`PairedRecording`):
            Only readings before `recording.split` are used.
        units (`UnitReadings`):
            What a method gave.
        device (`bool`, *optional*, defaults to `False`):
            Fit the bandwidths of accelerometer and gyroscope as well.

    Returns:
        `Alignment`: Of least squares, force and rate each weighted by the inverse of their standard deviations.
    """
    real = filtered_readings(recording)
    lever_arm = np.zeros(3) if recording.lever_arm is None else np.asarray(recording.lever_arm, float)
    span = recording.judged[0], recording.split - FILTER_REACH
    fit = Alignment(np.eye(3), lever_arm, 0.0, np.zeros(6))
    scale = 1 / np.repeat([spread(recording.values[:, :3]), spread(recording.values[:, 3:])], 3)
    if not recording.has_force:
        scale[:3] = 0
    times, readings = units.within(span)
    fit.clock_offset, fit.rotation = _coarse_alignment(real, times, readings, scale)
    for _ in range(NUM_ITERATIONS):
        derivatives = None
        if device:
            readings, derivatives = (units.within(span, fit.variances, derivative)[1] for derivative in (False, True))
        if _refine(recording, fit, real, times, readings, derivatives, scale) < TOLERANCE:
            break
    return fit


def spread(vectors: np.ndarray) -> float:
    """Standard deviation of a vector: root of the mean squared distance from the mean."""
    return float(np.sqrt(np.nanvar(vectors, axis=0).sum()))


def _coarse_alignment(real, times, units, scale) -> tuple[float, np.ndarray]:
    """Clock offset to a frame and rotation, by Kabsch's method at every offset in question."""
    best = (-np.inf, 0.0, None)
    for step in np.arange(-round(MAX_OFFSET * RATE), round(MAX_OFFSET * RATE) + 1) / RATE:
        measured, simulated = real.at(times + step)[0], units[:, 0]
        good = np.isfinite(measured).all(1) & np.isfinite(simulated).all(1)
        a, b = (x[good] * scale for x in (measured, simulated))
        u, s, vt = np.linalg.svd(b[:, :3].T @ a[:, :3] + b[:, 3:].T @ a[:, 3:])
        handed = np.sign(np.linalg.det(u @ vt))
        score = (s[0] + s[1] + handed * s[2]) / np.linalg.norm(a) / np.linalg.norm(b)
        if score > best[0]:
            best = (score, step, u @ np.diag([1, 1, handed]) @ vt)
    return float(best[1]), best[2]


def _refine(recording, fit: Alignment, real, times, readings, derivatives, scale) -> float:
    """One Gauss-Newton step for all unknowns together, in place; returns the largest change of rad, s or m."""
    measured, changes = real.at(times + fit.clock_offset)
    now = predict(fit, readings)
    # measured + changes d_clock = now + (now x d_turn) + bias + lever d_offset + derivatives d_variance
    columns = [_cross_matrices(now.reshape(-1, 2, 3)).reshape(-1, 6, 3), -changes[..., None]]
    columns.append(np.broadcast_to(np.eye(6), (len(now), 6, 6)))
    if recording.has_force and recording.lever_arm is None:
        turned = readings[:, 1:].reshape(-1, 3, 2, 3) @ fit.rotation
        columns.append(np.moveaxis(turned.reshape(-1, 3, 6), 1, 2))
    if derivatives is not None:
        columns.append(predict(fit, derivatives)[..., None] * np.repeat(np.eye(2), 3, axis=0))
    limits = np.stack([-fit.variances, MAX_VARIANCE - fit.variances])[:, : 2 if derivatives is not None else 0]
    solution = _solve(np.concatenate(columns, axis=-1), measured - now, scale, limits)
    ends = np.cumsum([column.shape[-1] for column in columns])
    return _step(fit, *np.split(solution, ends[:-1]), device=derivatives is not None)


def _solve(design: np.ndarray, target: np.ndarray, scale: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Least squares; the last unknowns, as many as `limits` has columns, stay between its two rows."""
    design, target = design * scale[:, None], target * scale
    good = np.isfinite(design).all((1, 2)) & np.isfinite(target).all(1)
    design, target = design[good].reshape(-1, design.shape[-1]), target[good].ravel()
    size = np.linalg.norm(design, axis=0).clip(1e-12)
    normal, right = (design / size).T @ (design / size), (design / size).T @ target
    solution = np.linalg.lstsq(normal, right, rcond=1e-12)[0]
    first = len(size) - limits.shape[1]
    bounded = solution[first:].clip(*(limits * size[first:]))
    held = first + np.flatnonzero(bounded != solution[first:])
    if len(held):  # what is at its limit is known, and the others are the best for that
        free = np.setdiff1d(np.arange(len(size)), held)
        solution[held] = bounded[held - first]
        right = right[free] - normal[np.ix_(free, held)] @ solution[held]
        solution[free] = np.linalg.lstsq(normal[np.ix_(free, free)], right, rcond=1e-12)[0]
    return solution / size


def _step(fit: Alignment, turn, clock, bias, *others, device: bool) -> float:
    *lever, variances = others if device else (*others, np.zeros(2))
    # A second squared moves a reading by far more than a second does.
    change = max(np.abs([*turn, *clock]).max(), 100 * np.abs(variances).max())
    fit.rotation = fit.rotation @ _rotation(turn)
    fit.clock_offset += float(np.clip(clock[0], -1 / RATE, 1 / RATE))
    fit.bias, fit.variances = bias, fit.variances + variances
    for moved in lever:
        fit.offset = fit.offset + moved
        change = max(change, np.abs(moved).max())
    return float(change)


def _rotation(turn: np.ndarray) -> np.ndarray:
    """Rotation matrix of a rotation vector in radians."""
    cross, angle = _cross_matrices(turn), np.linalg.norm(turn)
    return np.eye(3) + np.sinc(angle / np.pi) * cross + 0.5 * np.sinc(angle / 2 / np.pi) ** 2 * cross @ cross


def _cross_matrices(vectors: np.ndarray) -> np.ndarray:
    """Matrices M with M d = v x d, shape `(..., 3, 3)`."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)

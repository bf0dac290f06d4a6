# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""From poses to what sensors feel: `SegmentMotion` smoothed, differentiated and resampled to `SegmentKinematics`."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch

from anymo_hf.processing.placements_anymo import NUM_SEGMENTS
from anymo_hf.simulation.motion import SegmentMotion, TextSpan


STANDARD_GRAVITY = 9.80665  # m/s^2, by definition (CGPM 1901)

# Columns of `SegmentKinematics.values`.
ANGULAR_RATE = slice(0, 3)
ANGULAR_ACCELERATION = slice(3, 6)
SPECIFIC_FORCE = slice(6, 9)
UP_DIRECTION = slice(9, 12)
NUM_KINEMATIC_VALUES = 12

DEFAULT_CUTOFF = 20.0  # Hz; voluntary motion and heel strikes lie below, marker noise above
SPLINE_DEGREE = 5  # quintic: its second derivative is still a smooth cubic
PENALTY_ORDER = 4  # the smoother's gain is that of a Butterworth filter of this order, run forwards and backwards
BLOCK_FRAMES = 2048  # output frames that are differentiated at a time
MAX_VELOCITY_CHANGE = 12.0  # m/s from one step to the next; a hard landing changes a foot's velocity by 5
MAX_RATE_CHANGE = 60.0  # rad/s from one step to the next; a kicked leg's rate changes by 20
JUMP_GUARD = 0.05  # s on either side of a jump; recordings were smoothed, which smears it
MIN_RUN = 8  # frames; fewer say nothing about a second derivative


@dataclass
class SegmentKinematics:
    """
    Twelve numbers per segment and frame from which every sensor on that segment follows.

    Frame `i` is at `start_time + i / sampling_rate`; the first is the motion's first.

    Args:
        values (`torch.Tensor` of shape `(..., num_frames, 23, 12)`):
            In the segment's frame: angular rate (rad/s), angular acceleration (rad/s^2), specific force of the
            segment's origin (m/s^2, +9.80665 upwards at rest), up direction (unit). Zeros where `mask` is False.
        mask (`torch.Tensor` of shape `(..., num_frames, 23)`):
            True where the motion was measured.
        sampling_rate (`float`):
            Frames per second.
        start_time (`float`, *optional*, defaults to 0.0):
            Seconds, on the motion's clock.
        texts (`tuple[TextSpan, ...]`, *optional*, defaults to `()`):
            As in `SegmentMotion`.
        source (`dict[str, str]`, *optional*, defaults to `{}`):
            As in `SegmentMotion`.
        bone_offsets (`np.ndarray` of shape `(23, 3)`, *optional*, defaults to `None`):
            As in `SegmentMotion`.
    """

    values: torch.Tensor
    mask: torch.Tensor
    sampling_rate: float
    start_time: float = 0.0
    texts: tuple[TextSpan, ...] = ()
    source: dict[str, str] = field(default_factory=dict)
    bone_offsets: np.ndarray | None = None

    @property
    def num_frames(self) -> int:
        return self.values.shape[-3]

    @property
    def timestamps(self) -> np.ndarray:
        """Seconds of every frame, shape `(num_frames,)`."""
        return self.start_time + np.arange(self.num_frames) / self.sampling_rate

    @classmethod
    def from_motion(
        cls, motion: SegmentMotion, sampling_rate: float = 60.0, cutoff: float | None = None
    ) -> "SegmentKinematics":
        """
        Differentiates a motion.

        Every unbroken run of measured frames is fitted by a smoothing spline (`smooth_derivatives`) and the spline is
        differentiated in closed form at the output frames, so filtering happens at the native rate, nothing aliases,
        and no finite difference enters. Across gaps nothing is fitted: they are False in `mask`.

        Args:
            motion (`SegmentMotion`):
                The poses, at any rate.
            sampling_rate (`float`, *optional*, defaults to 60.0):
                Frames per second of the result.
            cutoff (`float`, *optional*, defaults to `None`):
                Where the zero-phase low-pass halves the amplitude, in hertz. `None` takes 20 Hz, or a third of the
                motion's or of the result's rate where that is less.

        Returns:
            `SegmentKinematics`: With `num_frames = floor(duration * sampling_rate) + 1`.

        Raises:
            ValueError: If the cut-off reaches half of either rate or no segment has a run of 8 frames.
        """
        if not sampling_rate > 0:
            raise ValueError(f"`sampling_rate` must be positive, but {sampling_rate:g} Hz was given.")
        cutoff = _resolve_cutoff(motion.frame_rate, sampling_rate, cutoff)
        start = motion.timestamps[0]
        # The last native frame is kept although a rate of 59.99.. would put the last output frame just behind it.
        num_frames = int(np.floor(motion.duration * sampling_rate + 1e-6)) + 1
        times = start + np.arange(num_frames) / sampling_rate
        values = np.zeros((num_frames, NUM_SEGMENTS, NUM_KINEMATIC_VALUES), np.float32)
        mask = np.zeros((num_frames, NUM_SEGMENTS), bool)
        for segments, first, last in _measured_runs(motion):
            for block, samples in _blocks(motion.timestamps, first, last, times, cutoff):
                values[block, segments] = _segment_values(
                    motion.positions[samples, segments], motion.orientations[samples, segments],
                    motion.timestamps[samples] - start, times[block] - start, cutoff,
                )  # fmt: skip
                mask[block, segments] = True
        if not mask.any():
            raise ValueError(
                f"A motion needs at least {MIN_RUN} consecutive measured frames to be differentiated, but "
                f"{motion.num_frames} frames were given and no segment has such a run."
            )
        return cls(
            torch.from_numpy(values), torch.from_numpy(mask), float(sampling_rate), float(start),
            motion.texts, dict(motion.source), motion.bone_offsets,
        )  # fmt: skip


def _resolve_cutoff(native_rate: float, sampling_rate: float, cutoff: float | None) -> float:
    limit = min(native_rate, sampling_rate)
    if cutoff is None:
        return min(DEFAULT_CUTOFF, limit / 3)
    if not 0 < cutoff < limit / 2:
        raise ValueError(
            f"`cutoff` must stay below half of either rate, but {cutoff:g} Hz was given for motion at "
            f"{native_rate:g} Hz and a result at {sampling_rate:g} Hz; lower the cut-off or raise the rate."
        )
    return cutoff


def _measured_runs(motion: SegmentMotion) -> list[tuple[np.ndarray | slice, int, int]]:
    """Unbroken runs of measured frames as (segments, first frame, frame after the last)."""
    measured = _measured_frames(motion)
    steps = np.diff(motion.timestamps)
    # A step as long as two frames hides a frame; jitter stays below that.
    late = steps > 1.75 * np.median(steps) if len(steps) else steps > 0
    runs = []
    for segments, column in _equal_columns(measured):
        edges = np.flatnonzero(late | (column[1:] != column[:-1])) + 1
        for first, last in itertools.pairwise([0, *edges.tolist(), motion.num_frames]):
            if column[first]:
                runs.append((segments, first, last))
    return runs


def _measured_frames(motion: SegmentMotion) -> np.ndarray:
    """True where a pose was measured and lies at no jump, `(num_frames, 23)`."""
    shape = (motion.num_frames, NUM_SEGMENTS)
    measured = np.ones(shape, bool) if motion.mask is None else motion.mask.copy()
    jumps = np.argwhere(find_jumps(motion))
    if len(jumps):
        guard = max(1, round(JUMP_GUARD * motion.frame_rate))
        for frame, segment in jumps:
            measured[max(0, frame + 1 - guard) : frame + 1 + guard, segment] = False
    return measured


def _equal_columns(measured: np.ndarray) -> list[tuple[np.ndarray | slice, np.ndarray]]:
    """Groups of segments that were measured at the same frames, with their column."""
    if measured.all():
        return [(slice(None), measured[:, 0])]  # a slice is a view, an index would copy
    groups = {}
    for segment, column in enumerate(measured.T):
        groups.setdefault(column.tobytes(), []).append(segment)
    return [(np.array(segments), measured[:, segments[0]]) for segments in groups.values()]


def find_jumps(motion: SegmentMotion) -> np.ndarray:
    """
    Steps from one frame to the next that no body makes.

    Optical recordings contain them: swapped markers, joint angles that flip for a frame. A step is a jump when its
    velocity differs by more than 12 m/s, or its angular rate by more than 60 rad/s, from both its neighbours'. A
    constant speed, however high, is none, and neither is a throw or an impact that lasts longer than one frame.
    `SegmentKinematics` takes the poses within 0.05 s of a jump for not measured.

    Args:
        motion (`SegmentMotion`):
            The poses.

    Returns:
        `np.ndarray` of shape `(num_frames - 1, 23)`: True where a segment jumps between a frame and the next.
    """
    jumps = np.zeros((motion.num_frames - 1, NUM_SEGMENTS), bool)
    for start in range(0, len(jumps), BLOCK_FRAMES):
        stop = min(start + BLOCK_FRAMES, len(jumps))
        low, high = max(start - 1, 0), min(stop + 1, len(jumps))  # with one step more on either side
        jumps[start:stop] = _jumps_within(motion, low, high)[start - low : stop - low]
    return jumps


def _jumps_within(motion: SegmentMotion, low: int, high: int) -> np.ndarray:
    frequency = 1 / np.diff(motion.timestamps[low : high + 1])[:, None, None]
    velocity = np.diff(motion.positions[low : high + 1], axis=0) * frequency
    q = motion.orientations[low : high + 1]
    # Steps that are all slower than half a limit cannot differ by more than it. The chord |p - q|^2 is 2 - 2 |p . q|.
    chord = 2 - 2 * np.abs(np.einsum("tsc,tsc->ts", q[1:], q[:-1]))
    is_slow = np.abs(velocity).max(initial=0) < MAX_VELOCITY_CHANGE / 4
    if is_slow and (chord * (2 * frequency[..., 0]) ** 2).max(initial=0) < (MAX_RATE_CHANGE / 2) ** 2:
        return np.zeros((high - low, NUM_SEGMENTS), bool)
    # q and -q are the same rotation: `sign` is that which brings the next one near.
    sign = _same_sign(q)[..., None]
    rate = (sign * q[1:] - q[:-1]) * (2 * frequency)
    too_fast = _stands_out(velocity[1:] - velocity[:-1], MAX_VELOCITY_CHANGE)
    return too_fast | _stands_out(sign[:-1] * rate[1:] - rate[:-1], MAX_RATE_CHANGE)


def _same_sign(q: np.ndarray) -> np.ndarray:
    """-1 where a quaternion lies nearer to the negative of the next, else 1; `(num_frames - 1, num_segments)`."""
    return np.where(np.einsum("tsc,tsc->ts", q[1:], q[:-1]) < 0, -1.0, 1.0)


def _stands_out(changes: np.ndarray, limit: float) -> np.ndarray:
    """Steps that differ from the one before and the one after by more than `limit`; `(num_steps, num_segments)`."""
    # Where nothing was measured the change is NaN, and the comparison False.
    large = np.einsum("tsc,tsc->ts", changes, changes) > limit**2
    edge = np.ones((1, NUM_SEGMENTS), bool)
    return np.concatenate([edge, large]) & np.concatenate([large, edge])


def _blocks(timestamps, first, last, times, cutoff) -> Iterator[tuple[slice, slice]]:
    """
    Output frames of one run with the samples they need, a block at a time, so that memory does not grow with the
    recording. A sample's influence on the spline falls by exp(-2.4 cutoff |t|), so that a margin of 8 / cutoff cuts
    off less than 1e-8 of it.
    """
    if last - first < MIN_RUN:
        return
    # The tolerances keep a frame that rounding puts just outside the run.
    begin, end = np.searchsorted(times, timestamps[[first, last - 1]] + (-1e-9, 1e-6))
    margin = 8 / cutoff
    for block in range(begin, end, BLOCK_FRAMES):
        stop = min(block + BLOCK_FRAMES, end)
        low, high = np.searchsorted(timestamps[first:last], (times[block] - margin, times[stop - 1] + margin)) + first
        yield slice(block, stop), slice(max(low - MIN_RUN, first), min(high + MIN_RUN, last))


def _segment_values(positions, orientations, timestamps, times, cutoff) -> np.ndarray:
    """The twelve numbers at `times`, shape `(num_times, num_segments, 12)`, from one unbroken run."""
    signal = np.concatenate([positions, orientations], axis=-1)  # (num_frames, num_segments, 7)
    signs = _same_sign(orientations)
    if (signs < 0).any():
        signal[1:, :, 3:] *= np.cumprod(signs, axis=0)[..., None]
    smooth = smooth_derivatives(signal.reshape(len(signal), -1), timestamps, times, cutoff)
    value, rate, acceleration = (torch.from_numpy(s.reshape(len(times), -1, 7)) for s in smooth)

    # Smoothing leaves the quaternion's length a little off 1. With N = |q|^2 the body rate is 2 Im(q* q') / N, and its
    # derivative 2 Im(q* q'') / N - rate N' / N: exact for the spline, no difference over a time step.
    q, q1, q2 = (x[..., 3:] for x in (value, rate, acceleration))
    norm = (q * q).sum(-1, keepdim=True)
    angular_rate = 2 * _conjugate_product(q, q1) / norm
    growth = 2 * (q * q1).sum(-1, keepdim=True) / norm
    angular_acceleration = 2 * _conjugate_product(q, q2) / norm - angular_rate * growth
    up = _world_up(q, norm)
    gravity = up * STANDARD_GRAVITY
    force = _to_segment(q, norm, acceleration[..., :3]) + gravity
    return torch.cat([angular_rate, angular_acceleration, force, up], dim=-1).numpy()


def _conjugate_product(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Vector part of `p* q`."""
    return p[..., :1] * q[..., 1:] - q[..., :1] * p[..., 1:] - torch.linalg.cross(p[..., 1:], q[..., 1:])


def _to_segment(q: torch.Tensor, norm: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    """World vectors in the segment's frame; `q` need not be of unit length."""
    axis = -q[..., 1:]
    twice = 2 * torch.linalg.cross(axis, vectors) / norm
    return vectors + q[..., :1] * twice + torch.linalg.cross(axis, twice)


def _world_up(q: torch.Tensor, norm: torch.Tensor) -> torch.Tensor:
    return _to_segment(q, norm, torch.tensor([0.0, 0.0, 1.0], dtype=q.dtype).expand(q.shape[:-1] + (3,)))


def smooth_derivatives(
    signal: np.ndarray, timestamps: np.ndarray, times: np.ndarray, cutoff: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Zero-phase low-pass and first two derivatives of a signal, at any times, by a penalised quintic spline.

    Minimises the squared misfit to the samples plus a penalty on fourth differences of the spline's coefficients
    (P-splines: Eilers & Marx, Statistical Science 11(2), 1996). Away from the ends its gain is

        G(f) = 1 / (1 + (f / cutoff)^8),   half the amplitude at the cut-off, 0.02 % less at a third of it,

    within 0.05 at any frequency, above it in the pass band and below it beyond: like a fourth-order Butterworth filter
    run forwards and backwards, but steeper. Unlike that filter it needs no invented samples beyond the ends: cubics
    pass unchanged up to the first and last sample.

    Args:
        signal (`np.ndarray` of shape `(num_samples, num_channels)`):
            Samples.
        timestamps (`np.ndarray` of shape `(num_samples,)`):
            Their seconds, increasing, not necessarily regular.
        times (`np.ndarray` of shape `(num_times,)`):
            Seconds at which to evaluate, within the samples' span.
        cutoff (`float`):
            Hertz.

    Returns:
        `tuple[np.ndarray, np.ndarray, np.ndarray]` each of shape `(num_times, num_channels)`: Value, first derivative
        per second, second derivative per second squared.
    """
    from scipy.interpolate import BSpline
    from scipy.linalg import cho_solve_banded, cholesky_banded

    start, span = timestamps[0], timestamps[-1] - timestamps[0]
    rate = (len(timestamps) - 1) / span
    # Knots three times as fast as the cut-off carry all that passes; denser ones would only cost time and precision.
    num_intervals = max(1, int(np.ceil(span * min(rate, 3 * cutoff))))
    spacing = span / num_intervals
    knots = start + spacing * np.arange(-SPLINE_DEGREE, num_intervals + SPLINE_DEGREE + 1)
    # Rounding may put the last knot a hair before the last sample.
    ends = knots[[SPLINE_DEGREE, -SPLINE_DEGREE - 1]]
    basis = BSpline.design_matrix(np.clip(timestamps, *ends), knots, SPLINE_DEGREE)
    normal = _banded_gram(basis) + _penalty_weight(rate, spacing, cutoff) * _difference_gram(basis.shape[1])
    factor = cholesky_banded(normal, lower=True, overwrite_ab=True, check_finite=False)
    # Coordinates far from the origin would cost digits; the mean comes back in the value.
    mean = signal.mean(0)
    # By rows the product is a gather, by columns a scatter; LAPACK wants columns one after the other.
    moments = np.asfortranarray(basis.T.tocsr() @ (signal - mean))
    coefficients = cho_solve_banded((factor, True), moments, overwrite_b=True, check_finite=False)

    results = []
    at = np.clip(times, *ends)
    for derivative in range(3):
        trim = slice(derivative, len(knots) - derivative)
        results.append(BSpline.design_matrix(at, knots[trim], SPLINE_DEGREE - derivative) @ coefficients)
        coefficients = np.diff(coefficients, axis=0) / spacing
    results[0] += mean
    return tuple(results)


def _penalty_weight(rate: float, spacing: float, cutoff: float) -> float:
    """Weight at which a sine at the cut-off loses half its amplitude."""
    phase = np.pi * cutoff * spacing
    spectrum = np.sinc(cutoff * spacing) ** (2 * (SPLINE_DEGREE + 1))  # of the B-spline, squared
    return rate * spacing * spectrum / (2 * np.sin(phase)) ** (2 * PENALTY_ORDER)


def _banded_gram(basis) -> np.ndarray:
    """`basis^T basis` in LAPACK's lower banded storage, shape `(degree + 1, num_coefficients)`."""
    gram = (basis.T @ basis).todia()
    bands = np.zeros((SPLINE_DEGREE + 1, basis.shape[1]))
    for offset, diagonal in zip(gram.offsets, gram.data, strict=True):
        if offset <= 0:
            bands[-offset, : basis.shape[1] + offset] = diagonal[: basis.shape[1] + offset]
    return bands


def _difference_gram(size: int) -> np.ndarray:
    """`D^T D` of the fourth difference `D` in the same storage."""
    stencil = np.array([1.0])
    for _ in range(PENALTY_ORDER):
        stencil = np.convolve(stencil, (1.0, -1.0))
    bands = np.zeros((SPLINE_DEGREE + 1, size))
    for lag in range(PENALTY_ORDER + 1):
        product = stencil[lag:] * stencil[: len(stencil) - lag]
        # Row `r` of D touches coefficients r..r+4, so entry (i, i + lag) sums over the rows that touch both.
        bands[lag, : size - lag] = np.convolve(np.ones(size - PENALTY_ORDER), product)[: size - lag]
    return bands

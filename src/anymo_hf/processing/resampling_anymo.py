# Copyright 2026 The anymo-hf contributors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""
Anti-aliased resampling of sensors with irregular clocks, gaps and missing values onto one uniform grid.

Each contiguous run of samples is laid on a uniform grid of the sensor's own rate, then filtered and resampled by a
zero-phase polyphase FIR filter. The same engine takes a whole recording at once or chunk by chunk.

| property | value |
|---|---|
| pass band | flat to 0.01 dB up to 0.8 of the smaller Nyquist frequency |
| stop band | at least 68 dB from the smaller Nyquist frequency on |
| phase error | none: the filter is evaluated at the exact offset of the sensor's clock from the grid |
| constant signal | stays exactly constant, also at the ends of runs |
| steps that are bridged | see `longest_bridged_step`; anything longer is left unobserved |
"""

import copy
from dataclasses import dataclass

import numpy as np

from .polyphase_anymo import ON_GRID, PolyphaseFilter, rational_ratio


FRAME_TOLERANCE = 0.01  # frames by which the first and last frame may lie outside of a run
_BLOCK_SAMPLES = 8192  # interpolated at a time, to bound memory


def measure_sampling_rate(timestamps: np.ndarray) -> float:
    """
    Samples per second of a clock with jitter, lost samples and gaps.

    Args:
        timestamps (`np.ndarray` of shape `(num_samples,)`):
            Seconds, strictly increasing.

    Returns:
        `float`: Mean rate over the steps that are no gaps, in hertz; NaN for a single sample.
    """
    if len(timestamps) < 2:
        return float("nan")
    steps = np.diff(timestamps)
    median = float(np.median(steps))
    bridged = steps <= longest_bridged_step(1 / median)
    # A bridged step may span lost samples; it counts as many periods as it spans.
    periods = np.rint(steps[bridged] / median).sum()
    return float(max(periods, 1) / steps[bridged].sum())


def longest_bridged_step(sampling_rate: float) -> float:
    """
    The longest step between two samples, in seconds, that is interpolated rather than left unobserved.

    Always 50 ms and 1.5 periods; a single lost sample (2.5 periods) as long as that stays within 250 ms.

    Args:
        sampling_rate (`float`):
            Of the sensor, in hertz.
    """
    period = 1 / sampling_rate
    return max(0.05, 1.5 * period, min(2.5 * period, 0.25))


@dataclass
class ObservedFrames:
    """
    A stretch of the grid without a gap.

    Args:
        start (`int`):
            Index of its first frame.
        values (`np.ndarray` of shape `(num_frames, num_channels)`):
            Resampled readings.
    """

    start: int
    values: np.ndarray


class _Run:
    """One contiguous run of samples, from the first to the next gap."""

    def __init__(self, anchor: float, offset: np.ndarray, up: int, down: int, target_rate: float):
        self.anchor, self.offset, self.target_rate = anchor, offset, target_rate
        self.native_rate = target_rate * down / up
        self.start_frame = max(0, int(np.ceil(anchor * target_rate - FRAME_TOLERANCE)))
        self.filter = PolyphaseFilter(up, down, (self.start_frame / target_rate - anchor) * self.native_rate)
        self.extension = self.filter.half_length + 3 + int(FRAME_TOLERANCE * down / up)
        self.times, self.readings = np.zeros(0), np.zeros((0, len(offset)))  # still needed to interpolate
        self.samples = np.zeros((0, len(offset)))  # on the native grid, less the offset; what rows still need
        self.first, self.num_samples, self.num_rows = 0, 0, 0
        self.is_extended = False  # whether `samples` begins before the run

    def push(self, times: np.ndarray, readings: np.ndarray, ends: bool) -> ObservedFrames:
        """Takes further readings and gives the frames that they complete; `ends` where no more will follow."""
        self.times = np.concatenate([self.times, times]) if len(self.times) else times
        readings = readings - self.offset  # zero for a constant, which then stays exactly constant
        self.readings = np.concatenate([self.readings, readings]) if len(self.readings) else readings
        begin, end = self.num_rows, self.num_rows
        if ends:
            end = int(np.floor(self.times[-1] * self.target_rate + FRAME_TOLERANCE)) + 1 - self.start_frame
            if end <= begin:
                return ObservedFrames(self.start_frame + begin, self.samples[:0])
        self._regularize(ends)
        if ends or self.num_samples > self.extension:
            self._extend(ends)
            end = end if ends else self.filter.rows_within(self.num_samples)
        rows = self.filter(self.samples, self.first, begin, end) if end > begin else self.samples[:0]
        self.num_rows = max(begin, end)
        self._forget()
        return ObservedFrames(self.start_frame + begin, rows + self.offset)

    def select(self, columns: list[int]) -> "_Run":
        """A copy in the same state with some of the channels."""
        selected = copy.copy(self)
        selected.offset = self.offset[columns]
        selected.readings, selected.samples = self.readings[:, columns], self.samples[:, columns]
        return selected

    def _regularize(self, ends: bool):
        """Lays the readings on the native grid, as far as their neighbours are known."""
        limit = self.times[-1] if ends else self.times[max(0, len(self.times) - 2)]
        position = (limit - self.anchor) * self.native_rate
        stop = int(np.floor(position + 0.5)) + 1 if ends else int(np.ceil(position - ON_GRID))
        if stop <= self.num_samples:
            return
        times = self.anchor + np.arange(self.num_samples, stop) / self.native_rate
        samples = interpolate(self.times, self.readings, np.minimum(times, self.times[-1]), 1 / self.native_rate)
        self.samples = np.concatenate([self.samples, samples]) if len(self.samples) else samples
        self.num_samples = stop
        keep = int(np.searchsorted(self.times, times[-1], side="right")) - 2
        self.times, self.readings = self.times[max(0, keep) :], self.readings[max(0, keep) :]

    def _extend(self, ends: bool):
        """Continues the run beyond its ends, mirrored about its end points, so that slopes go on and nothing rings."""
        before = 0 if self.is_extended else self.extension
        after = self.extension if ends else 0
        mode = {"mode": "reflect", "reflect_type": "odd"} if len(self.samples) > 1 else {"mode": "edge"}
        if before and not ends:
            mirrored = 2 * self.samples[0] - self.samples[self.extension : 0 : -1]
            self.samples = np.concatenate([mirrored, self.samples])
        elif before or after:
            self.samples = np.pad(self.samples, ((before, after), (0, 0)), **mode)
        self.first -= before
        self.is_extended = True

    def _forget(self):
        """Drops what no later row needs, but keeps enough to mirror the end."""
        if not self.is_extended:
            return
        needed = min(self.filter.first_sample(self.num_rows), self.num_samples - self.extension - 1)
        if needed > self.first:
            self.samples = self.samples[needed - self.first :]
            self.first = needed


def interpolate(times: np.ndarray, readings: np.ndarray, at: np.ndarray, period: float) -> np.ndarray:
    """
    Readings at other times: cubic where the four neighbours are evenly spread, else linear.

    Args:
        times (`np.ndarray` of shape `(num_readings,)`):
            Strictly increasing, in seconds.
        readings (`np.ndarray` of shape `(num_readings, num_channels)`):
            What was read then.
        at (`np.ndarray` of shape `(num_samples,)`):
            Increasing, in seconds, between the first and the last of `times`.
        period (`float`):
            The nominal step, in seconds.

    Returns:
        `np.ndarray` of shape `(num_samples, num_channels)`: Interpolated readings; exact ones where the times agree.
    """
    if len(times) == 1:
        return np.repeat(readings, len(at), axis=0)
    left = np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(times) - 2)
    nearest = left + (times[left + 1] - at < at - times[left])
    off_grid = np.flatnonzero(np.abs(times[nearest] - at) > ON_GRID * period)
    if not len(off_grid) and nearest[-1] - nearest[0] == len(nearest) - 1:
        return readings[nearest[0] : nearest[-1] + 1]  # the common case: no copy
    result = readings[nearest]
    for begin in range(0, len(off_grid), _BLOCK_SAMPLES):
        chosen = off_grid[begin : begin + _BLOCK_SAMPLES]
        result[chosen] = _interpolate_between(times, readings, at[chosen], left[chosen], period)
    return result


def _interpolate_between(
    times: np.ndarray, readings: np.ndarray, at: np.ndarray, left: np.ndarray, period: float
) -> np.ndarray:
    share = ((at - times[left]) / (times[left + 1] - times[left]))[:, None]
    result = readings[left] * (1 - share) + readings[left + 1] * share
    steps = np.diff(times) / period
    even = (steps >= 0.5) & (steps <= 2.6)  # a cubic through readings that nearly coincide would overshoot
    inner = (left > 0) & (left < len(times) - 2)
    inner[inner] = (even[left[inner] - 1] & even[left[inner]]) & even[left[inner] + 1]
    nodes = left[inner][:, None] + np.arange(-1, 3)  # (num_cubic, 4)
    knots, target = times[nodes], at[inner][:, None]
    cubic = 0.0
    for i in range(4):
        others = [j for j in range(4) if j != i]
        weight = np.prod((target - knots[:, others]) / (knots[:, i : i + 1] - knots[:, others]), axis=1)
        cubic = cubic + weight[:, None] * readings[nodes[:, i]]
    result[inner] = cubic
    return result


class StreamResampler:
    """
    Resamples readings that come in chunks of any size; their frames are those of the whole recording at once.

    Memory is bounded by the filter's length, and every frame comes out as soon as half that length has passed after
    it: see `latency`.

    Args:
        source_rate (`float`):
            Of the sensor, in hertz, or NaN for a single reading.
        target_rate (`float`):
            Of the frames, in hertz. Frame `i` lies at `start_time + i / target_rate`.
        start_time (`float`):
            Second of frame 0 on the recording's clock.
        num_channels (`int`):
            Values per reading.
        duration (`float`, *optional*, defaults to 3600.0):
            Seconds over which the sensor's clock and the exact ratio of rates may not drift apart; see
            `rational_ratio`.
    """

    def __init__(
        self, source_rate: float, target_rate: float, start_time: float, num_channels: int, duration: float = 3600.0
    ):
        source_rate = source_rate if np.isfinite(source_rate) else target_rate
        self.up, self.down = rational_ratio(source_rate, target_rate, duration)
        self.target_rate, self.start_time, self.num_channels = target_rate, start_time, num_channels
        self.longest_step = longest_bridged_step(source_rate)
        self.latency = (PolyphaseFilter(self.up, self.down, 0.0).half_length + 2) / source_rate
        self._run: _Run | None = None
        self._last_time = -np.inf  # on the grid's clock

    @property
    def num_final(self) -> int:
        """Frames before this one will not change any more."""
        if self._run is not None:
            return self._run.start_frame + self._run.num_rows
        if not np.isfinite(self._last_time):
            return 0
        return max(0, int(np.floor(self._last_time * self.target_rate + FRAME_TOLERANCE)) + 1)

    def push(self, timestamps: np.ndarray, values: np.ndarray) -> list[ObservedFrames]:
        """
        Takes the next readings.

        Args:
            timestamps (`np.ndarray` of shape `(num_samples,)`):
                Seconds, strictly increasing, after all earlier ones.
            values (`np.ndarray` of shape `(num_samples, num_channels)`):
                Finite readings.

        Returns:
            `list[ObservedFrames]`: The frames that are final now, in order; frames between them are unobserved.
        """
        if not len(timestamps):
            return []
        times = np.asarray(timestamps, dtype=np.float64) - self.start_time
        frames, steps = [], np.diff(times)
        if self._run is not None and times[0] - self._run.times[-1] > self.longest_step:
            frames += self.flush()
        bounds = [0, *(np.flatnonzero(steps > self.longest_step) + 1), len(times)]
        for begin, end in zip(bounds[:-1], bounds[1:], strict=True):
            if self._run is None:
                self._run = _Run(times[begin], values[begin].copy(), self.up, self.down, self.target_rate)
            ends = end < len(times)
            frames.append(self._run.push(times[begin:end], values[begin:end], ends))
            self._run = None if ends else self._run
        self._last_time = times[-1]
        return [observed for observed in frames if len(observed.values)]

    def flush(self) -> list[ObservedFrames]:
        """Ends the current run and gives its last frames."""
        if self._run is None:
            return []
        run, self._run = self._run, None
        observed = run.push(run.times[:0], run.readings[:0] + run.offset, True)
        return [observed] if len(observed.values) else []

    def pass_time(self, timestamp: float) -> list[ObservedFrames]:
        """Learns that nothing was measured until then, which may end the run; gives the frames that this completes."""
        time = timestamp - self.start_time
        frames = self.flush() if time - self._last_time > self.longest_step else []
        if self._run is None:
            self._last_time = max(self._last_time, time)
        return frames

    def select(self, columns: list[int]) -> "StreamResampler":
        """A copy in the same state that goes on with some of the channels alone."""
        selected = copy.copy(self)
        selected.num_channels = len(columns)
        selected._run = None if self._run is None else self._run.select(columns)
        return selected


def resample(
    timestamps: np.ndarray,
    values: np.ndarray,
    target_rate: float,
    start_time: float,
    num_frames: int,
    source_rate: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """
    Readings of sensors with a common clock on the uniform grid.

    Args:
        timestamps (`np.ndarray` of shape `(num_samples,)`):
            Seconds, strictly increasing.
        values (`np.ndarray` of shape `(num_samples, num_channels)`):
            Readings of any unit; NaN where not measured.
        target_rate (`float`):
            In hertz; frame `i` lies at `start_time + i / target_rate`.
        start_time (`float`):
            Second of frame 0.
        num_frames (`int`):
            Length of the grid.
        source_rate (`float`, *optional*, defaults to `None`):
            Rate of the sensors in hertz; `None` measures it.

    Returns:
        `tuple[np.ndarray, np.ndarray]`: float32 values and the bool mask, both of shape `(num_frames, num_channels)`;
        the mask is True where observed, and the values are zero elsewhere.
    """
    resampled = np.zeros((num_frames, values.shape[1]), dtype=np.float32)
    mask = np.zeros((num_frames, values.shape[1]), dtype=bool)
    for columns, rows in _same_missing(values):
        times = timestamps if rows is None else timestamps[rows]
        chosen = values if len(columns) == values.shape[1] else values[:, columns]
        chosen = chosen if rows is None else chosen[rows]
        rate = measure_sampling_rate(timestamps) if source_rate is None else source_rate
        duration = float(times[-1] - times[0]) if source_rate is None else 3600.0
        stream = StreamResampler(rate, target_rate, start_time, len(columns), duration)
        # In chunks that fit the processor's cache, which is faster than all at once and gives the same.
        for begin in [*range(0, len(times), _BLOCK_SAMPLES), None]:
            part = slice(begin, None if begin is None else begin + _BLOCK_SAMPLES)
            for observed in stream.flush() if begin is None else stream.push(times[part], chosen[part]):
                frames = slice(observed.start, min(observed.start + len(observed.values), num_frames))
                target = columns if len(columns) < values.shape[1] else slice(None)
                resampled[frames, target] = observed.values[: max(0, num_frames - observed.start)]
                mask[frames, target] = True
    return resampled, mask


def _same_missing(values: np.ndarray) -> list[tuple[list[int], np.ndarray | None]]:
    """Channels that miss the same readings, with the readings they have; `None` for all of them."""
    with np.errstate(invalid="ignore"):
        complete = np.isfinite(values.sum(axis=0))  # much cheaper than a look at every reading
    groups: dict[bytes, list[int]] = {}
    for column in np.flatnonzero(~complete):
        groups.setdefault(np.isfinite(values[:, column]).tobytes(), []).append(int(column))
    result: list[tuple[list[int], np.ndarray | None]] = []
    for pattern, columns in groups.items():
        rows = np.frombuffer(pattern, dtype=bool)
        if rows.any():
            result.append((columns, rows))
    if complete.any() and len(values):
        result.append(([int(column) for column in np.flatnonzero(complete)], None))
    return result


__all__ = [
    "ObservedFrames",
    "StreamResampler",
    "interpolate",
    "longest_bridged_step",
    "measure_sampling_rate",
    "resample",
]

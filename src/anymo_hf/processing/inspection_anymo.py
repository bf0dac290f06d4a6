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
"""`inspect_recording`: what the numbers themselves say about units, gravity, clock, stillness and clipping."""

import os
from dataclasses import dataclass, field

import numpy as np

from .beliefs_anymo import FORCE_SCALES, MAX_SAMPLES, RATE_SCALES, Belief, believe, split_windows
from .reading_anymo import read_recording
from .streams_anymo import Recording, SensorStream


STILL_FORCE, STILL_RATE = 0.3, 0.3  # m/s^2 deviation and rad/s within half a second


@dataclass(frozen=True)
class Clipping:
    """A channel that stayed at its end stop: name, level (stored unit) and share of its samples."""

    channel: str
    level: float
    share: float


@dataclass
class SensorReport:
    """
    One sensor.

    Args:
        placement (`str`):
            As declared.
        num_samples (`int`), duration (`float`), sampling_rate (`float`):
            Of its clock, in seconds and hertz.
        jitter (`float`):
            Half the spread (16th to 84th percentile) of the time steps, as share of the median step.
        num_gaps (`int`), longest_gap (`float`):
            Steps longer than 2.5 median steps.
        missing_share (`float`):
            NaN among force samples.
        still_share (`float`):
            Share of half seconds without motion.
        force_unit, rate_unit, gravity (`Belief`):
            What the numbers are.
        clipping (`list[Clipping]`):
            Channels at their end stops.
        force_step, rate_step (`float`):
            Quantisation, in the stored units; NaN if too few samples.
        rate_bias (`np.ndarray` of shape `(3,)`):
            Mean rate while still, rad/s; NaN if never still.
        up (`np.ndarray` of shape `(3,)`), up_spread (`float`):
            Mean direction of the force while still, and its median angle from that, in degrees.
        still_spans (`list[tuple[float, float]]`):
            Seconds.
    """

    placement: str
    num_samples: int
    duration: float
    sampling_rate: float
    jitter: float
    num_gaps: int
    longest_gap: float
    missing_share: float
    still_share: float
    force_unit: Belief
    rate_unit: Belief
    gravity: Belief
    clipping: list[Clipping] = field(default_factory=list)
    force_step: float = float("nan")
    rate_step: float = float("nan")
    rate_bias: np.ndarray = field(default_factory=lambda: np.full(3, np.nan))
    up: np.ndarray = field(default_factory=lambda: np.full(3, np.nan))
    up_spread: float = float("nan")
    still_spans: list[tuple[float, float]] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [
            f"{self.placement}: {self.num_samples} samples, {self.duration:.1f} s at {self.sampling_rate:.4g} Hz, "
            f"jitter {100 * self.jitter:.1f} %, {self.num_gaps} gaps (longest {self.longest_gap:.2f} s), "
            f"{100 * self.missing_share:.1f} % missing"
        ]
        for name, belief in (("force", self.force_unit), ("rate", self.rate_unit), ("gravity", self.gravity)):
            lines.append(f"  {name}: {belief.value} ({100 * belief.confidence:.0f} % sure): {belief.reason}")
        still = f"  still {100 * self.still_share:.0f} % of the time"
        if np.isfinite(self.up).all():
            still += f"; up is then {describe_direction(self.up)}, spread {self.up_spread:.0f} degrees"
        if np.isfinite(self.rate_bias).all():
            still += f"; gyroscope bias {np.linalg.norm(self.rate_bias):.3f} rad/s"
        lines.append(still)
        lines.append(f"  resolution: force {self.force_step:.2g}, rate {self.rate_step:.2g}")
        for stop in self.clipping:
            lines.append(f"  clipped: {stop.channel} at {stop.level:.4g}, {100 * stop.share:.2f} % of samples")
        return "\n".join(lines)


@dataclass
class RecordingReport:
    """
    All sensors of a recording, and what contradicts their declaration.

    Args:
        recording (`Recording`):
            What was inspected.
        sensors (`list[SensorReport]`):
            One per sensor.
        clock_drifts (`dict[str, float]`):
            Seconds that a sensor's clock gains on the first sensor's per hour, where motion shows it.
        warnings (`list[str]`):
            Sentences.
    """

    recording: Recording
    sensors: list[SensorReport]
    clock_drifts: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        parts = [str(sensor) for sensor in self.sensors]
        parts += [f"clock of {name}: gains {drift:+.2f} s an hour" for name, drift in self.clock_drifts.items()]
        return "\n".join(parts + [f"WARNING: {warning}" for warning in self.warnings])


def inspect_recording(recording: Recording | str | os.PathLike, **options) -> RecordingReport:
    """
    Looks at a recording without believing what was declared.

    Args:
        recording (`Recording` or path):
            A path is read with `read_recording`.
        **options:
            For `read_recording`.

    Returns:
        `RecordingReport`: Prints as text.
    """
    if not isinstance(recording, Recording):
        recording = read_recording(recording, **options)
    reports = [inspect_sensor(sensor) for sensor in recording.sensors]
    warnings = [
        warning
        for sensor, report in zip(recording.sensors, reports, strict=True)
        for warning in _contradictions(sensor, report.force_unit, report.rate_unit, report.gravity)
    ]
    warnings += [w for report in reports for w in _warn_of_quality(report)]
    return RecordingReport(recording, reports, find_clock_drifts(recording), warnings)


def check_declaration(recording: Recording) -> list[str]:
    """
    What contradicts the declared units and gravity, from a sample of each sensor: cheap enough for every call.

    Args:
        recording (`Recording`):
            As it goes into the feature extractor.

    Returns:
        `list[str]`: Sentences; empty if nothing stands against the declaration.
    """
    found = []
    for sensor in recording.sensors:
        if not np.isfinite(sensor.values[:, :3]).all(1).any():
            found.append(f"{sensor.placement}: every force reading is NaN; the sensor is treated as missing.")
        else:
            found += _contradictions(sensor, *believe(sensor))
    return found


def inspect_sensor(sensor: SensorStream) -> SensorReport:
    """The report on one sensor."""
    steps = np.diff(sensor.timestamps)
    step = np.median(steps) if len(steps) else np.nan
    low, high = np.percentile(steps, (16, 84)) if len(steps) else (np.nan, np.nan)
    gaps = steps[steps > 2.5 * step]
    report = SensorReport(
        sensor.placement, len(steps) + 1, float(sensor.timestamps[-1] - sensor.timestamps[0]), sensor.sampling_rate,
        float((high - low) / 2 / step), len(gaps), float(gaps.max(initial=0.0)),
        float(np.isnan(sensor.values[:, :3]).any(1).mean()), 0.0, *believe(sensor),
    )  # fmt: skip
    _describe_stillness(sensor, report)
    names = [f"{kind} {axis}" for kind in ("force", "rate") for axis in "xyz"]
    for index, name in enumerate(names):
        report.clipping += find_clipping(sensor.values[:, index], name)
    report.force_step = find_step(sensor.values[:MAX_SAMPLES, 0])
    report.rate_step = find_step(sensor.values[:MAX_SAMPLES, 3])
    return report


def still_windows(sensor: SensorStream, scale: float = 1.0, rate_scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """
    Half seconds in which the sensor did not move.

    Args:
        sensor (`SensorStream`):
            The readings.
        scale (`float`, *optional*, defaults to 1.0):
            What the force must be divided by to be m/s^2.
        rate_scale (`float`, *optional*, defaults to 1.0):
            The same for rad/s.

    Returns:
        `tuple[np.ndarray, np.ndarray]`: First sample of every half second, and whether it is still.
    """
    size = max(2, round(sensor.sampling_rate / 2)) if np.isfinite(sensor.sampling_rate) else 1
    windows = split_windows(sensor.values, size)
    starts = np.arange(len(windows)) * windows.shape[1]
    spread = windows[..., :3].std(1).max(-1) / scale
    turning = windows[..., 3:].std(1).max(-1) / rate_scale
    still = (spread < STILL_FORCE) & ~(turning > STILL_RATE)  # NaN force is not still, NaN rate says nothing
    ends = starts + windows.shape[1] - 1
    return starts, still & (sensor.timestamps[ends] - sensor.timestamps[starts] < 1.0 + size)


def _describe_stillness(sensor: SensorStream, report: SensorReport) -> None:
    scale = FORCE_SCALES.get(report.force_unit.value, 1.0)
    rate_scale = RATE_SCALES.get(report.rate_unit.value, 1.0)
    starts, still = still_windows(sensor, scale, rate_scale)
    report.still_share = float(still.mean())
    if not still.any():
        return
    size = starts[1] - starts[0] if len(starts) > 1 else len(sensor.values)
    windows = split_windows(sensor.values, size)[still]
    with np.errstate(invalid="ignore"):
        report.rate_bias = np.median(windows[..., 3:].mean(1), axis=0) / rate_scale
    edges = np.flatnonzero(np.diff(np.r_[False, still, False].astype(int)))
    last = len(sensor.timestamps) - 1
    report.still_spans = [
        (float(sensor.timestamps[starts[a]]), float(sensor.timestamps[min(starts[b - 1] + size, last)]))
        for a, b in edges.reshape(-1, 2)
    ]
    if report.gravity.value == "included":
        directions = windows[..., :3].mean(1)
        directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-9)
        mean = directions.mean(0)
        if np.linalg.norm(mean) > 1e-6:
            report.up = mean / np.linalg.norm(mean)
            report.up_spread = float(np.degrees(np.median(np.arccos(np.clip(directions @ report.up, -1, 1)))))


def describe_direction(direction: np.ndarray) -> str:
    """`"+y"` if within 20 degrees of an axis, otherwise the vector."""
    axis = int(np.abs(direction).argmax())
    if abs(direction[axis]) > np.cos(np.radians(20)) * np.linalg.norm(direction):
        return "-+"[int(direction[axis] > 0)] + "xyz"[axis]
    return "(" + ", ".join(f"{part:.2f}" for part in direction) + ")"


def find_clipping(values: np.ndarray, channel: str) -> list[Clipping]:
    """End stops of a channel: an extreme that is met again and again, and more often than what lies before it."""
    values = values[np.isfinite(values)]
    found = []
    if len(values) < 50:
        return found
    middle, reach = np.median(values), np.percentile(values, 99) - np.percentile(values, 1)
    for sign in (1, -1):
        level = (sign * values).max()
        # Devices with a calibration of their own do not stop at one number exactly.
        width = 0.002 * abs(level)
        at_stop = sign * values >= level - width
        before = (sign * values >= level - 11 * width) & ~at_stop
        runs = np.count_nonzero(at_stop[1:] & at_stop[:-1])
        far_out = level - sign * middle > 0.4 * reach
        if far_out and reach > 0 and runs >= 2 and at_stop.sum() >= 5 and at_stop.sum() > before.sum() / 2:
            share = float(at_stop.mean())
            if share < 0.2:  # otherwise it is a level that the signal rests at
                found.append(Clipping(channel, float(sign * level), share))
    return found


def find_step(values: np.ndarray) -> float:
    """The quantisation step: the smallest difference that is common among neighbouring values."""
    values = np.unique(values[np.isfinite(values)])
    if len(values) < 3:
        return float("nan")
    steps = np.diff(values)
    steps = steps[steps > 1e-7 * np.abs(values).max()]
    return float(np.percentile(steps, 5)) if len(steps) else float("nan")


def find_clock_drifts(recording: Recording) -> dict[str, float]:
    """
    How the sensors' clocks run apart, by the motion that they share.

    Args:
        recording (`Recording`):
            Two sensors or more; at least two minutes.

    Returns:
        `dict[str, float]`: Placement to seconds gained on the first sensor per hour, where the envelopes of motion
        agree (correlation above 0.5) both at the beginning and at the end.
    """
    drifts = {}
    first = recording.sensors[0]
    for other in recording.sensors[1:]:
        start = max(first.timestamps[0], other.timestamps[0])
        end = min(first.timestamps[-1], other.timestamps[-1])
        if end - start < 120:
            continue
        length = min(120.0, (end - start) / 2)
        lags = [_find_lag(first, other, t, length) for t in (start, end - length)]
        if None not in lags:
            drifts[other.placement] = (lags[1] - lags[0]) / (end - start - length) * 3600
    return drifts


def _find_lag(first: SensorStream, other: SensorStream, start: float, length: float, reach: float = 2.0):
    """Seconds that `other` lags behind, or `None` if their motion does not agree."""
    rate = 50.0
    grid = start + np.arange(int(length * rate)) / rate
    envelopes = []
    for sensor in (first, other):
        size = np.linalg.norm(np.nan_to_num(sensor.values[:, :3]), axis=1)
        size = np.abs(np.interp(grid, sensor.timestamps, size) - np.median(size))
        envelopes.append(np.convolve(size - size.mean(), np.ones(10) / 10, "same"))
    a, b = envelopes
    lags = np.arange(-int(reach * rate), int(reach * rate) + 1)
    inner = slice(lags[-1], len(a) - lags[-1])
    scores = np.array([np.corrcoef(a[inner], b[inner.start + k : inner.stop + k])[0, 1] for k in lags])
    if not np.isfinite(scores).all() or scores.max() < 0.5 or scores.argmax() in (0, len(scores) - 1):
        return None
    k = int(scores.argmax())
    below, at, above = scores[k - 1 : k + 2]
    curve = below - 2 * at + above  # parabola through three points
    return float((lags[k] + (0.5 * (below - above) / curve if curve else 0.0)) / rate)


def _contradictions(sensor: SensorStream, force: Belief, rate: Belief, gravity: Belief) -> list[str]:
    found, name = [], sensor.placement
    if sensor.gravity and gravity.value == "removed" and gravity.confidence > 0.4:
        found.append(
            f"{name}: the force is declared to contain gravity, but {gravity.reason}; pass gravity='removed', or the "
            "gravity that was split off."
        )
    if not sensor.gravity and gravity.value == "included" and gravity.confidence > 0.5:
        found.append(f"{name}: gravity is declared removed, but {gravity.reason}; pass gravity='included'.")
    if sensor.gravity and force.value not in ("m/s^2", "unknown") and force.confidence > 0.5:
        found.append(f"{name}: the force seems to be in {force.value}: {force.reason}; check `force_unit`.")
    if sensor.gravity and gravity.value == "unknown" and force.confidence > 0.6:
        found.append(f"{name}: {force.reason}; check `force_unit`, or give the size of one count.")
    if rate.value not in ("rad/s", "unknown") and rate.confidence > 0.5:
        found.append(f"{name}: the rate seems to be in {rate.value}: {rate.reason}; check `rate_unit`.")
    return found


def _warn_of_quality(report: SensorReport) -> list[str]:
    found = []
    if not 5 <= report.sampling_rate <= 2000:
        found.append(f"{report.placement}: {report.sampling_rate:.4g} Hz is unusual; check `time_unit`.")
    if report.jitter > 0.25:
        found.append(f"{report.placement}: time steps vary by {100 * report.jitter:.0f} %.")
    if any(stop.share > 0.01 for stop in report.clipping):
        found.append(f"{report.placement}: more than 1 % of a channel is at its end stop.")
    return found


__all__ = [
    "Clipping",
    "RecordingReport",
    "SensorReport",
    "check_declaration",
    "inspect_recording",
    "inspect_sensor",
]

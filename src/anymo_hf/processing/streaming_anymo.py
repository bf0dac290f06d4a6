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
"""Streaming: chunks of readings as they arrive become the windows of the whole recording."""

import math
from collections.abc import Mapping

import numpy as np
from transformers import BatchFeature

from .feature_extraction_anymo import AnyMoFeatureExtractor
from .placements_anymo import NUM_SEGMENTS
from .resampling_anymo import ObservedFrames, StreamResampler
from .streams_anymo import NUM_CHANNELS, SensorStream
from .units_anymo import FORCE_UNITS, RATE_UNITS, check_sampling_rate, sign_factor, unit_scale
from .views_anymo import lay_out, oriented_segments, place_on_body


class _Sensor:
    """One sensor's clock and the resamplers of its channels; channels part as soon as they miss different readings."""

    def __init__(self, stream: SensorStream, sampling_rate: float):
        self.stream, self.sampling_rate = stream, sampling_rate
        self.groups: list[tuple[list[int], StreamResampler]] = []
        self.frames: list[tuple[list[int], ObservedFrames]] = []  # resampled, and still in some window to come
        self.last_time = -math.inf

    def start(self, frame_rate: float, start_time: float):
        resampler = StreamResampler(self.sampling_rate, frame_rate, start_time, NUM_CHANNELS)
        self.groups = [(list(range(NUM_CHANNELS)), resampler)]

    def push(self, timestamps: np.ndarray, values: np.ndarray):
        finite = np.isfinite(values)
        self._part(finite)
        for columns, resampler in self.groups:
            measured = finite[:, columns[0]]
            chosen = values[:, columns] if measured.all() else values[measured][:, columns]
            frames = resampler.push(timestamps[measured], chosen)
            frames += resampler.pass_time(timestamps[-1])
            self.frames += [(columns, observed) for observed in frames]
        self.last_time = float(timestamps[-1])

    def _part(self, finite: np.ndarray):
        groups = []
        for columns, resampler in self.groups:
            parts: dict[bytes, list[int]] = {}
            for i, column in enumerate(columns):
                parts.setdefault(finite[:, column].tobytes(), []).append(i)
            if len(parts) == 1:
                groups.append((columns, resampler))
            else:
                groups += [([columns[i] for i in part], resampler.select(part)) for part in parts.values()]
        self.groups = groups

    def flush(self):
        for columns, resampler in self.groups:
            self.frames += [(columns, observed) for observed in resampler.flush()]

    @property
    def num_final(self) -> int:
        return min(resampler.num_final for _, resampler in self.groups)

    def paint(self, start: int, values: np.ndarray, mask: np.ndarray):
        """Writes what is known of the frames from `start` on to `(num_frames, 6)` arrays."""
        for columns, observed in self.frames:
            begin, end = max(start, observed.start), min(start + len(values), observed.start + len(observed.values))
            if begin < end:
                values[begin - start : end - start, columns] = observed.values[
                    begin - observed.start : end - observed.start
                ]
                mask[begin - start : end - start, columns] = True

    def forget(self, start: int):
        self.frames = [
            (columns, observed) for columns, observed in self.frames if observed.start + len(observed.values) > start
        ]


class StreamingFeatureExtractor:
    """
    Gives the windows of a recording while it is being made, from chunks of any size.

    The windows are those of `AnyMoFeatureExtractor.windows(recording, length, overlap, sampling_rates=...)`. A window
    comes out `latency` seconds after its last frame was measured: half the length of the resampling filter and two
    samples, about 0.4 s at 60 Hz and above and 22 periods of a slower sensor. Memory holds one window, the filter and
    what `max_delay` allows.

    Args:
        feature_extractor (`AnyMoFeatureExtractor`):
            Makes the features.
        sampling_rates (`dict[str, float]`):
            Every sensor's placement and nominal rate in hertz.
        length (`float`, *optional*, defaults to 5.0):
            Of a window, in seconds.
        overlap (`float`, *optional*, defaults to 0.5):
            Share of a window that the next one repeats.
        start_time (`float`, *optional*, defaults to `None`):
            Second of the first frame on the recording's clock; `None` takes the first reading that comes.
        max_delay (`float`, *optional*, defaults to 2.0):
            Seconds that one sensor may stay behind the others. Then windows go on without it, and what it sends too
            late is lost; `None` waits for ever, and so needs memory without bound.
        force_unit (`str` or `float`, *optional*, defaults to `"m/s^2"`):
            See `make_recording`.
        rate_unit (`str` or `float`, *optional*, defaults to `"rad/s"`):
            See `make_recording`.
        sign (`str`, *optional*, defaults to `"specific_force"`):
            See `make_recording`.
        mountings (`dict[str, np.ndarray]`, *optional*, defaults to `None`):
            Unit quaternion from sensor to segment for each placement where it is known, for instance from `calibrate`.
        views (`bool`, *optional*, defaults to `False`):
            As in `AnyMoFeatureExtractor`.
        return_tensors (`str`, *optional*, defaults to `None`):
            `"pt"` for torch tensors; numpy arrays otherwise.

    Example:
    ```python
    >>> import numpy as np
    >>> from anymo_hf.processing import AnyMoFeatureExtractor, StreamingFeatureExtractor

    >>> stream = StreamingFeatureExtractor(AnyMoFeatureExtractor(), {"left wrist": 100.0}, length=2.0)
    >>> chunk = np.arange(300) / 100, np.tile([0.0, 0.0, 9.81, 0.0, 0.0, 0.0], (300, 1))
    >>> stream.push({"left wrist": chunk})["start_times"]
    array([0.])
    ```
    """

    def __init__(
        self,
        feature_extractor: AnyMoFeatureExtractor,
        sampling_rates: Mapping[str, float],
        length: float = 5.0,
        overlap: float = 0.5,
        start_time: float | None = None,
        max_delay: float | None = 2.0,
        force_unit: str | float = "m/s^2",
        rate_unit: str | float = "rad/s",
        sign: str = "specific_force",
        mountings: Mapping[str, np.ndarray] | None = None,
        views: bool = False,
        return_tensors: str | None = None,
    ):
        if not sampling_rates:
            raise ValueError("A stream needs at least one sensor; pass its placement and rate in `sampling_rates`.")
        self.feature_extractor, self.views, self.return_tensors = feature_extractor, views, return_tensors
        self.size, self.hop = feature_extractor.window_frames(length, overlap)
        self.max_delay, self.start_time = max_delay, start_time
        force = sign_factor(sign) * unit_scale(force_unit, FORCE_UNITS, "force_unit")
        self._scale = np.repeat([force, unit_scale(rate_unit, RATE_UNITS, "rate_unit")], 3)
        mountings = dict(mountings or {})
        self._sensors: dict[str, _Sensor] = {}
        for name, rate in sampling_rates.items():
            nothing = np.zeros((0, NUM_CHANNELS)), np.zeros(0)
            stream = SensorStream(name, *nothing, mounting=mountings.pop(name, None))
            self._sensors[name] = _Sensor(stream, check_sampling_rate(rate, f" of {name!r}"))
        if mountings:
            raise ValueError(f"`mountings` names {sorted(mountings)}, but the sensors are {sorted(self._sensors)}.")
        self._streams = [sensor.stream for sensor in self._sensors.values()]
        self._layout = lay_out(self._streams, views)
        self._next = 0  # first frame of the next window
        self._is_started = False

    @property
    def latency(self) -> float:
        """Seconds from the last reading of a window to the window, if chunks come without delay."""
        rate = self.feature_extractor.sampling_rate
        return max(StreamResampler(one.sampling_rate, rate, 0.0, 1).latency for one in self._sensors.values())

    def push(self, chunks: Mapping[str, tuple]) -> BatchFeature:
        """
        Takes the next readings of some or all sensors.

        Args:
            chunks (`dict[str, tuple[np.ndarray, np.ndarray]]`):
                For each placement the timestamps in seconds, shape `(num_samples,)`, strictly increasing and after all
                earlier ones, and the readings, shape `(num_samples, 3 or 6)`, NaN where not measured.

        Returns:
            `BatchFeature`: As `AnyMoFeatureExtractor.windows` gives it, with the windows that are complete now, which
            may be none.

        Raises:
            ValueError: If a placement is unknown, a shape is wrong or time goes back.
        """
        checked = {name: self._check(name, *chunk) for name, chunk in chunks.items()}
        checked = {name: chunk for name, chunk in checked.items() if len(chunk[0])}
        if not self._is_started and checked:
            self._is_started = True
            if self.start_time is None:
                self.start_time = min(float(times[0]) for times, _ in checked.values())
            for sensor in self._sensors.values():
                sensor.start(self.feature_extractor.sampling_rate, self.start_time)
        for name, (times, values) in checked.items():
            self._sensors[name].push(times, values)
        starts = []
        final = self._num_final() if self._is_started else 0
        while self._next + self.size <= final:
            starts.append(self._next)
            self._next += self.hop
        return self._emit(starts)

    def flush(self) -> BatchFeature:
        """Ends the recording and gives its last windows."""
        last_time = max(sensor.last_time for sensor in self._sensors.values())
        if not math.isfinite(last_time):
            return self._emit([])
        for sensor in self._sensors.values():
            sensor.flush()
        num_frames = math.floor((last_time - self.start_time) * self.feature_extractor.sampling_rate + 0.01) + 1
        starts = []
        while self._next + self.size <= num_frames or (self._next == 0 and num_frames > 0):
            starts.append(self._next)
            self._next += self.hop
        # As in `window_starts`: something new, and at least half a window of it and what came before.
        is_new = self._next - self.hop + self.size < num_frames
        if is_new and 2 * (num_frames - self._next) >= self.size:
            starts.append(self._next)
        return self._emit(starts)

    def _check(self, name: str, timestamps, values) -> tuple[np.ndarray, np.ndarray]:
        if name not in self._sensors:
            raise ValueError(f"No sensor {name!r} was announced; `sampling_rates` named {sorted(self._sensors)}.")
        stream = SensorStream(name, values, timestamps)
        if len(stream.timestamps) and stream.timestamps[0] <= self._sensors[name].last_time:
            raise ValueError(
                f"The readings of {name!r} must come after {self._sensors[name].last_time} s, the last ones, but "
                f"begin at {stream.timestamps[0]} s."
            )
        return stream.timestamps, stream.values * self._scale

    def _num_final(self) -> int:
        """Frames that no sensor will change any more, or may no longer change."""
        final = min(sensor.num_final for sensor in self._sensors.values())
        if self.max_delay is None:
            return final
        latest = max(sensor.last_time for sensor in self._sensors.values()) - self.max_delay - self.latency
        return max(final, math.floor((latest - self.start_time) * self.feature_extractor.sampling_rate))

    def _emit(self, starts: list[int]) -> BatchFeature:
        """Features of the windows from these frames on, as `AnyMoFeatureExtractor.windows` makes them."""
        kept, dropped, features, observed = [], [], [], []
        for start in starts:
            values = np.zeros((self.size, len(self._sensors), NUM_CHANNELS), dtype=np.float32)
            mask = np.zeros(values.shape, dtype=bool)
            for i, sensor in enumerate(self._sensors.values()):
                sensor.paint(start, values[:, i], mask[:, i])
            (kept if mask.any() else dropped).append(start)
            if mask.any():
                shape = (len(self._layout), self.size, NUM_SEGMENTS, NUM_CHANNELS)
                features.append(np.zeros(shape, dtype=np.float32))
                observed.append(np.zeros(shape, dtype=bool))
                place_on_body(values, mask, self._streams, self._layout, features[-1], observed[-1])
        for sensor in self._sensors.values():
            sensor.forget(self._next)
        shape = (len(kept), len(self._layout), self.size, NUM_SEGMENTS, NUM_CHANNELS)
        features = np.array(features, dtype=np.float32).reshape(shape)
        observed = np.array(observed, dtype=bool).reshape(shape)
        known = oriented_segments(self._streams, self._layout)
        start_time = 0.0 if self.start_time is None else self.start_time
        return self.feature_extractor.batch_windows(
            features, observed, known, kept, dropped, start_time, self.views, self.return_tensors
        )


__all__ = ["StreamingFeatureExtractor"]

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
"""Feature extractor: recordings of any sensors at any rate become `input_values` and `input_values_mask`."""

import math
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from transformers import BatchFeature, SequenceFeatureExtractor

from .inspection_anymo import check_declaration
from .placements_anymo import NUM_SEGMENTS
from .recording_anymo import make_recording
from .resampling_anymo import resample
from .streams_anymo import NUM_CHANNELS, Recording, SensorStream, resolve_placement
from .views_anymo import lay_out, oriented_segments, place_on_body


MAX_BATCH_VIEWS = 64  # of a batch whose recordings have different numbers of views
FRAMEWISE = ("input_values", "input_values_mask")


class AnyMoFeatureExtractor(SequenceFeatureExtractor):
    r"""
    Turns recordings of body-worn inertial sensors into the models' input.

    Readings are converted to m/s^2 and rad/s, resampled onto one grid with anti-aliasing, turned into the segment's
    frame where the mounting is known, and put on the segment that carries the sensor. Everything that was not measured
    is zero and False in the mask: other segments, a missing gyroscope, gaps, and the padding at the end. Gravity that
    was removed stays removed; the models know both.

    Args:
        feature_size (`int`, *optional*, defaults to 6):
            Channels of a sensor: specific force x y z (m/s^2), then angular rate x y z (rad/s).
        sampling_rate (`int`, *optional*, defaults to 60):
            Frames per second of the grid, in hertz.
        padding_value (`float`, *optional*, defaults to 0.0):
            Always zero: the mask says what is observed.

    Example:
    ```python
    >>> import numpy as np
    >>> from anymo_hf.processing import AnyMoFeatureExtractor

    >>> watch = np.tile([0.0, 0.0, 1.0, 0.0, 0.0, 0.0], (500, 1))  # 5 s at 100 Hz, lying still
    >>> features = AnyMoFeatureExtractor()({"left wrist": watch}, sampling_rate=100, force_unit="g")
    >>> features["input_values"].shape
    (1, 300, 23, 6)
    ```
    """

    model_input_names = ["input_values", "input_values_mask", "orientation_known"]

    def __init__(self, feature_size: int = 6, sampling_rate: int = 60, padding_value: float = 0.0, **kwargs):
        if feature_size != NUM_CHANNELS or padding_value != 0.0:
            raise ValueError(
                f"`feature_size` must be {NUM_CHANNELS} and `padding_value` 0.0, but {feature_size} and "
                f"{padding_value} were given; leave them out."
            )
        super().__init__(feature_size, sampling_rate, padding_value, **kwargs)

    def __call__(
        self,
        imu,
        sampling_rate: float | Sequence[float] | None = None,
        timestamps=None,
        placements=None,
        force_unit: str | float = "m/s^2",
        rate_unit: str | float = "rad/s",
        sign: str = "specific_force",
        gravity: str = "included",
        views: bool = False,
        padding: bool | str = True,
        max_length: int | None = None,
        truncation: bool = False,
        return_tensors: str | None = None,
    ) -> BatchFeature:
        """
        Features of one recording or of a batch.

        Args:
            imu (array, `dict`, table, `Recording` or a list of these):
                Whatever `make_recording` takes; a list (or an array with four axes) holds one recording per row.
            sampling_rate (`float` or sequence of `float`, *optional*, defaults to `None`):
                Of the readings in hertz, for all recordings or one each.
            timestamps (array or list of arrays, *optional*, defaults to `None`):
                Seconds of the readings instead; one array per recording where `imu` is a list.
            placements (`str`, sequence or `dict[str, str]`, *optional*, defaults to `None`):
                Where the sensors were worn, for all recordings, or a list with one such list or dict for each.
            force_unit (`str` or `float`, *optional*, defaults to `"m/s^2"`):
                See `make_recording`.
            rate_unit (`str` or `float`, *optional*, defaults to `"rad/s"`):
                See `make_recording`.
            sign (`str`, *optional*, defaults to `"specific_force"`):
                See `make_recording`.
            gravity (`str`, *optional*, defaults to `"included"`):
                See `make_recording`.
            views (`bool`, *optional*, defaults to `False`):
                Whether to give one view for every way to put the sensors on the body, at most 16 of a recording, where
                several share a segment or a side is not known. In a batch all recordings get the same number of
                views by repeating theirs equally often, so that a mean over views stays what it is alone.
            padding (`bool` or `str`, *optional*, defaults to `True`):
                `True` or `"longest"`, `"max_length"`, or `False` for a list of arrays.
            max_length (`int`, *optional*, defaults to `None`):
                In frames.
            truncation (`bool`, *optional*, defaults to `False`):
                Whether to cut longer recordings at `max_length`.
            return_tensors (`str`, *optional*, defaults to `None`):
                `"pt"` for torch tensors; numpy arrays otherwise.

        Returns:
            `BatchFeature`: `input_values` (float32) and `input_values_mask` (bool, True = observed), both of shape
            `(batch_size, num_frames, 23, 6)`, or `(batch_size, num_views, num_frames, 23, 6)` with `views`. The last
            frame of a recording is its last observed one; what follows is padding. `orientation_known` (bool) of shape
            `(batch_size, 23)` or `(batch_size, num_views, 23)` says whose readings are in the segment's frame.

        Raises:
            ValueError: If the input cannot be understood, nothing was measured, or two sensors share a segment.
        """
        imu, is_batch = _as_batch(imu)
        shared = {"force_unit": force_unit, "rate_unit": rate_unit, "sign": sign, "gravity": gravity}
        own = zip(
            imu,
            _one_each(sampling_rate, len(imu), is_batch, "sampling_rate"),
            _one_each(timestamps, len(imu), is_batch, "timestamps"),
            _one_each(placements, len(imu), is_batch and _is_nested(placements), "placements"),
            strict=True,
        )
        recordings = [
            one if isinstance(one, Recording) else make_recording(one, rate, times, places, **shared)
            for one, rate, times, places in own
        ]
        _warn(recordings)
        rows = [self._features(recording, views) for recording in recordings]
        if views:
            rows = _repeat_views(rows)
        return self._pad_rows(rows, padding, max_length, truncation, return_tensors)

    def windows(
        self,
        recording: Recording,
        length: float = 5.0,
        overlap: float = 0.5,
        views: bool = False,
        sampling_rates: Mapping[str, float] | None = None,
        return_tensors: str | None = None,
    ) -> BatchFeature:
        """
        Overlapping windows of a long recording, which is resampled once.

        A last window that reaches beyond the end is kept, padded, if it holds at least half its length and something
        that no other window does; the first window is always kept. Windows in which nothing was observed are left out.

        Args:
            recording (`Recording`):
                See `make_recording`.
            length (`float`, *optional*, defaults to 5.0):
                Of a window, in seconds.
            overlap (`float`, *optional*, defaults to 0.5):
                Share of a window that the next one repeats, from 0 to below 1.
            views (`bool`, *optional*, defaults to `False`):
                As in `__call__`.
            sampling_rates (`dict[str, float]`, *optional*, defaults to `None`):
                Nominal rate of each placement in hertz, as a streaming extractor needs it; `None` measures them.
            return_tensors (`str`, *optional*, defaults to `None`):
                `"pt"` for torch tensors; numpy arrays otherwise.

        Returns:
            `BatchFeature`: `input_values` and `input_values_mask` of shape `(num_windows, num_frames, 23, 6)` or with
            `views` `(num_windows, num_views, num_frames, 23, 6)`; `orientation_known` of shape `(num_windows, 23)` or
            `(num_windows, num_views, 23)`; `start_times` of shape `(num_windows,)` in seconds
            on the recording's clock; `dropped_start_times` of the windows that were left out.
        """
        if not isinstance(recording, Recording):
            recording = make_recording(recording)
        _warn([recording])
        size, hop = self.window_frames(length, overlap)
        layout = lay_out(recording.sensors, views)
        values, mask = self.resample(recording, sampling_rates)
        kept, dropped = [], []
        for start in window_starts(len(mask), size, hop):
            (kept if mask[start : start + size].any() else dropped).append(start)
        shape = (len(kept), len(layout), size, NUM_SEGMENTS, NUM_CHANNELS)
        features, observed = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=bool)
        for i, start in enumerate(kept):
            window = slice(start, start + size)
            place_on_body(values[window], mask[window], recording.sensors, layout, features[i], observed[i])
        known = oriented_segments(recording.sensors, layout)
        return self.batch_windows(
            features, observed, known, kept, dropped, recording.start_time, views, return_tensors
        )

    def window_frames(self, length: float, overlap: float) -> tuple[int, int]:
        """Frames of a window and from one window to the next."""
        size = round(length * self.sampling_rate)
        if size < 1 or not 0 <= overlap < 1:
            raise ValueError(
                f"`length` must be at least one frame and `overlap` from 0 to below 1, but {length} s and {overlap} "
                "were given."
            )
        return size, max(1, round(size * (1 - overlap)))

    def batch_windows(
        self, features, observed, known, kept, dropped, start_time: float, views: bool, return_tensors: str | None
    ) -> BatchFeature:
        """The result of `windows` from arrays with a view axis and the windows' first frames."""
        known = np.repeat(known[None], len(kept), axis=0)
        data = {
            "input_values": features if views else features[:, 0],
            "input_values_mask": observed if views else observed[:, 0],
            "orientation_known": known if views else known[:, 0],
            "start_times": start_time + np.array(kept, dtype=np.float64) / self.sampling_rate,
            "dropped_start_times": start_time + np.array(dropped, dtype=np.float64) / self.sampling_rate,
        }
        return BatchFeature(data, tensor_type=return_tensors)

    def resample(
        self, recording: Recording, sampling_rates: Mapping[str, float] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """
        All sensors on the common grid, in the sensors' own frames.

        Args:
            recording (`Recording`):
                Frame `i` lies at `recording.start_time + i / sampling_rate`.
            sampling_rates (`dict[str, float]`, *optional*, defaults to `None`):
                Nominal rates by placement, in hertz; `None` measures them.

        Returns:
            `tuple[np.ndarray, np.ndarray]`: float32 values and the bool mask, `(num_frames, num_sensors, 6)` both.
        """
        sensors = recording.sensors
        rates = {resolve_placement(name)[0]: rate for name, rate in (sampling_rates or {}).items()}
        duration = recording.end_time - recording.start_time
        num_frames = math.floor(duration * self.sampling_rate + 0.01) + 1
        values = np.zeros((num_frames, len(sensors), NUM_CHANNELS), dtype=np.float32)
        mask = np.zeros(values.shape, dtype=bool)
        for members in _same_clock(sensors, rates):
            # Sensors with one clock are resampled together: that is several times faster.
            readings = [sensors[i].values for i in members]
            readings = readings[0] if len(members) == 1 else np.concatenate(readings, axis=1)
            clock, rate = sensors[members[0]].timestamps, rates.get(sensors[members[0]].placement)
            result = resample(clock, readings, self.sampling_rate, recording.start_time, num_frames, rate)
            values[:, members] = result[0].reshape(num_frames, len(members), NUM_CHANNELS)
            mask[:, members] = result[1].reshape(num_frames, len(members), NUM_CHANNELS)
        return values, mask

    def _features(self, recording: Recording, views: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of one recording: values and mask, `(num_views, num_frames, 23, 6)`, and `(num_views, 23)` the third."""
        layout = lay_out(recording.sensors, views)
        values, mask = self.resample(recording)
        if not mask.any():
            raise ValueError(
                f"Nothing was measured in the recording of {[sensor.placement for sensor in recording.sensors]}: all "
                "readings are NaN, or none falls on the grid."
            )
        num_frames = int(np.flatnonzero(mask.any(axis=(1, 2)))[-1]) + 1
        shape = (len(layout), num_frames, NUM_SEGMENTS, NUM_CHANNELS)
        features, observed = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=bool)
        place_on_body(values[:num_frames], mask[:num_frames], recording.sensors, layout, features, observed)
        row = (features, observed, oriented_segments(recording.sensors, layout))
        return row if views else tuple(part[0] for part in row)

    def pad(
        self,
        processed_features: list[dict],
        padding: bool | str = True,
        max_length: int | None = None,
        truncation: bool = False,
        pad_to_multiple_of: int | None = None,
        return_tensors: str | None = None,
        return_attention_mask: bool | None = None,
    ) -> BatchFeature:
        """
        A batch of windows that may differ in length; what `Trainer` collates by.

        Args:
            processed_features (`list[dict]`):
                Each with `input_values` and `input_values_mask` of shape `(num_frames, 23, 6)`, or with an axis of
                views before, and anything else that has one shape in all, such as `orientation_known` or `labels`.
            padding (`bool` or `str`, *optional*, defaults to `True`):
                As in a call.
            max_length (`int`, *optional*, defaults to `None`):
                As in a call.
            truncation (`bool`, *optional*, defaults to `False`):
                As in a call.
            pad_to_multiple_of (`int`, *optional*, defaults to `None`):
                Frames are padded to a multiple of it.
            return_tensors (`str`, *optional*, defaults to `None`):
                As in a call.
            return_attention_mask (`bool`, *optional*, defaults to `None`):
                Has no effect: `input_values_mask` says what was observed.
        """
        missing = [name for name in FRAMEWISE if any(name not in item for item in processed_features)]
        if missing or not processed_features:
            raise ValueError(
                f"Every item must hold {' and '.join(FRAMEWISE)}, but some lack {missing or 'all: none came'}."
            )
        rows = [tuple(np.asarray(item[name]) for name in FRAMEWISE) for item in processed_features]
        if pad_to_multiple_of and padding in (True, "longest"):
            longest = max(row[0].shape[-3] for row in rows)
            padding, max_length = "max_length", -(-longest // pad_to_multiple_of) * pad_to_multiple_of
        batch = self._pad_rows(rows, padding, max_length, truncation, None)
        others = [name for name in processed_features[0] if name not in FRAMEWISE]
        more = {name: np.asarray([item[name] for item in processed_features]) for name in others}
        return BatchFeature({**batch, **more}, tensor_type=return_tensors)

    def _pad_rows(self, rows, padding, max_length, truncation, return_tensors) -> BatchFeature:
        """Rows hold values and mask, and then what has no frames."""
        if padding not in (True, False, "longest", "max_length"):
            raise ValueError(f"`padding` must be True, False, 'longest' or 'max_length', but is {padding!r}.")
        if max_length is None and (truncation or padding == "max_length"):
            raise ValueError("Truncation and padding to 'max_length' need `max_length`, in frames.")
        if truncation:
            rows = [(*(part[..., :max_length, :, :] for part in row[:2]), *row[2:]) for row in rows]
        length = max(row[0].shape[-3] for row in rows)
        if padding == "max_length":
            if length > max_length:
                raise ValueError(
                    f"A recording has {length} frames, more than `max_length` = {max_length}; pass truncation=True or "
                    "cut it into windows."
                )
            length = max_length
        parts = dict(zip(self.model_input_names, zip(*rows, strict=True), strict=False))
        if padding is False and return_tensors is None:
            return BatchFeature({name: list(part) for name, part in parts.items()})
        data = {
            name: _stack(part, length) if name in FRAMEWISE and padding is not False else np.stack(part)
            for name, part in parts.items()
        }
        return BatchFeature(data, tensor_type=return_tensors)


def merge_windows(predictions: np.ndarray, start_times: np.ndarray, length: float, times: np.ndarray) -> np.ndarray:
    """
    Predictions of overlapping windows, averaged back on the recording's clock.

    Args:
        predictions (`np.ndarray` of shape `(num_windows, num_classes)`):
            One row per window, for instance probabilities.
        start_times (`np.ndarray` of shape `(num_windows,)`):
            Seconds, as `AnyMoFeatureExtractor.windows` gives them.
        length (`float`):
            Of a window, in seconds.
        times (`np.ndarray` of shape `(num_times,)`):
            Seconds at which the average is wanted.

    Returns:
        `np.ndarray` of shape `(num_times, num_classes)`: Mean over the windows that hold that time, NaN where none
        does.
    """
    predictions, start_times = np.asarray(predictions, dtype=np.float64), np.asarray(start_times, dtype=np.float64)
    if predictions.ndim != 2 or start_times.shape != (len(predictions),):
        raise ValueError(
            "`predictions` must have shape (num_windows, num_classes) and `start_times` (num_windows,), but they have "
            f"{predictions.shape} and {start_times.shape}."
        )
    if not np.isfinite(predictions).all():
        raise ValueError("`predictions` must be finite; leave out windows without a prediction.")
    order = np.argsort(start_times)
    sums = np.concatenate([np.zeros((1, predictions.shape[1])), np.cumsum(predictions[order], axis=0)])
    times = np.asarray(times, dtype=np.float64)
    last = np.searchsorted(start_times[order], times + 1e-9, side="right")  # windows that have begun
    first = np.searchsorted(start_times[order], times + 1e-9 - length, side="right")  # windows that are over
    counts = (last - first)[:, None]
    return np.where(counts > 0, (sums[last] - sums[first]) / np.maximum(counts, 1), np.nan)


def window_starts(num_frames: int, size: int, hop: int) -> list[int]:
    """First frames of the windows of a recording, the last of which may reach beyond its end."""
    starts = list(range(0, max(num_frames - size, 0) + 1, hop))
    last = starts[-1] + hop
    if starts[-1] + size < num_frames and 2 * (num_frames - last) >= size:
        starts.append(last)
    return starts


def _as_batch(imu) -> tuple[list, bool]:
    """A list of recordings, and whether it came as one. A nested list of numbers is one recording."""
    if isinstance(imu, (list, tuple)):
        is_batch = all(isinstance(one, (Mapping, Recording)) or _is_array(one) for one in imu)
        if not len(imu):
            raise ValueError("At least one recording is needed, but the list is empty.")
        return (list(imu), True) if is_batch else ([imu], False)
    if not isinstance(imu, (Mapping, Recording)) and np.ndim(imu) == 4:
        return list(imu), True
    return [imu], False


def _is_array(one) -> bool:
    return not isinstance(one, (list, tuple)) and np.ndim(one) >= 2


def _is_nested(placements) -> bool:
    """Whether it holds placements for each recording rather than for all."""
    return isinstance(placements, (list, tuple)) and all(isinstance(one, (list, Mapping)) for one in placements)


def _one_each(argument, number: int, is_batch: bool, name: str) -> list:
    if not is_batch or argument is None or np.isscalar(argument):
        return [argument] * number
    if len(argument) != number:
        raise ValueError(f"`{name}` must hold one entry per recording, {number}, but holds {len(argument)}.")
    return list(argument)


def _warn(recordings: list[Recording]):
    """One warning a call, whatever the number of recordings."""
    found = dict.fromkeys(text for recording in recordings for text in check_declaration(recording))
    if found:
        warnings.warn("\n".join(found), stacklevel=3)


def _same_clock(sensors: Sequence[SensorStream], rates: Mapping[str, float]) -> list[list[int]]:
    groups: list[list[int]] = []
    for i, sensor in enumerate(sensors):
        for group in groups:
            other = sensors[group[0]]
            same_rate = rates.get(sensor.placement) == rates.get(other.placement)
            if same_rate and np.array_equal(sensor.timestamps, other.timestamps):
                group.append(i)
                break
        else:
            groups.append([i])
    return groups


def _repeat_views(rows: list[tuple[np.ndarray, ...]]) -> list[tuple[np.ndarray, ...]]:
    """The same number of views for all; each recording's are repeated equally often, so that means do not change."""
    counts = [len(row[0]) for row in rows]
    number = math.lcm(*counts)
    if number > MAX_BATCH_VIEWS:
        raise ValueError(
            f"Recordings with {sorted(set(counts))} views cannot share a batch: {number} views would be needed; pass "
            "them one by one."
        )
    return [tuple(np.concatenate([part] * (number // len(part))) for part in row) for row in rows]


def _stack(parts: Sequence[np.ndarray], length: int) -> np.ndarray:
    if len(parts) == 1 and parts[0].shape[-3] == length:
        return parts[0][None]  # an hour of features is not copied
    first = parts[0]
    stacked = np.zeros((len(parts), *first.shape[:-3], length, *first.shape[-2:]), dtype=first.dtype)
    for row, part in zip(stacked, parts, strict=True):
        row[..., : part.shape[-3], :, :] = part
    return stacked


__all__ = ["AnyMoFeatureExtractor", "merge_windows", "window_starts"]

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
"""`make_recording`: readings in any form, unit, sign and order become a `Recording`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .streams_anymo import NUM_CHANNELS, ActivitySpan, Recording, SensorStream, resolve_placement
from .tables_anymo import SensorTable, is_table, split_table
from .units_anymo import (
    FORCE_UNITS,
    RATE_UNITS,
    check_sampling_rate,
    clean_clock,
    join_force_and_rate,
    normalize_unit,
    sign_factor,
    to_seconds,
    unit_scale,
)


@dataclass(frozen=True)
class _Declaration:
    """What the caller says of the numbers; one sensor of a dict may say otherwise."""

    force_unit: str | float
    rate_unit: str | float
    sign: str
    gravity: object
    time_unit: str | None

    def convert(self, values: np.ndarray, where: str, gravity_values: np.ndarray | None = None) -> np.ndarray:
        """Readings as specific force in m/s^2 and rad/s, shape `(num_samples, 6)`."""
        values = _as_floats(values, where)
        if values.ndim != 2 or values.shape[1] not in (3, NUM_CHANNELS):
            raise ValueError(
                f"The readings of {where} must have 3 channels (force) or 6 (force, then angular rate), but the shape "
                f"is {values.shape}; samples come first, channels last."
            )
        if not len(values):
            raise ValueError(f"The recording of {where} is empty: at least one sample is needed.")
        # The only copy: callers keep their array as it is.
        result = np.full((len(values), NUM_CHANNELS), np.nan)
        scale = sign_factor(self.sign) * unit_scale(self.force_unit, FORCE_UNITS, "force_unit")
        result[:, :3] = values[:, :3]
        if gravity_values is not None:
            gravity_values = _as_floats(gravity_values, where)
            if gravity_values.shape != (len(values), 3):
                raise ValueError(
                    f"Gravity of {where} must have shape ({len(values)}, 3), but has {gravity_values.shape}."
                )
            result[:, :3] += gravity_values
        result[:, :3] *= scale
        if values.shape[1] == NUM_CHANNELS:
            result[:, 3:] = values[:, 3:]
            result[:, 3:] *= unit_scale(self.rate_unit, RATE_UNITS, "rate_unit")
        if not np.isfinite(result.sum()):
            result[~np.isfinite(result)] = np.nan
        return result

    @property
    def includes_gravity(self) -> bool:
        """Whether the force has gravity in it, once separate gravity is added."""
        if isinstance(self.gravity, str) and self.gravity not in ("included", "removed"):
            raise ValueError(
                f"`gravity` must be 'included', 'removed' or an array with the gravity of every sample, but is "
                f"{self.gravity!r}."
            )
        return not (isinstance(self.gravity, str) and self.gravity == "removed")

    @property
    def gravity_values(self):
        return None if isinstance(self.gravity, str) else self.gravity


def make_recording(
    imu,
    sampling_rate: float | None = None,
    timestamps=None,
    placements: "str | Sequence | Mapping[str, str] | None" = None,
    force_unit: str | float = "m/s^2",
    rate_unit: str | float = "rad/s",
    sign: str = "specific_force",
    gravity="included",
    time_unit: str | None = None,
    clock_offsets: Mapping[str, float] | None = None,
    source: Mapping[str, str] | None = None,
) -> Recording:
    """
    Brings readings of any form into the common one.

    Args:
        imu (array, `dict`, table or `Recording`):
            One of

            - an array of shape `(num_samples, num_sensors, 3 or 6)` or `(num_samples, 3 or 6)`: force, then rate;
            - a dict from placement to such an array, to `(array, sampling_rate)`, or to a dict with `"values"` and
              `"timestamps"` or `"sampling_rate"`, which may override `force_unit`, `rate_unit`, `sign`, `gravity`
              and `time_unit` for that sensor;
            - a table (pandas, or a dict of columns) whose column names say what they hold: a time, `acc_x` .. `gyr_z`
              in any usual spelling; sensors by prefixes (`left_wrist_acc_x`) or by a column `placement`;
            - a `Recording`, which comes back with `clock_offsets` applied.
        sampling_rate (`float`, *optional*, defaults to `None`):
            Samples per second of everything that brings no time; an error for a table with a column of times.
        timestamps (array of shape `(num_samples,)`, *optional*, defaults to `None`):
            Instead: the time of every sample, in seconds or `time_unit`, or dates. Any order; what is not finite is
            dropped; samples of one time are averaged.
        placements (`str`, sequence or `dict[str, str]`, *optional*, defaults to `None`):
            Where the sensors of an array were worn, one each: a name, an alias, a segment, or `(segment, offset,
            orientation)` where offset (m) and orientation (quaternion sensor to segment) may be `None`. For tables
            and dicts: from the names in there, all of which must occur, to names that the package knows.
        force_unit (`str` or `float`, *optional*, defaults to `"m/s^2"`):
            `"m/s^2"`, `"g"`, `"mg"`, or the size of one raw count in m/s^2. A unit that a table's header names is
            taken before the default.
        rate_unit (`str` or `float`, *optional*, defaults to `"rad/s"`):
            `"rad/s"`, `"deg/s"`, `"mdeg/s"`, or the size of one raw count in rad/s.
        sign (`str`, *optional*, defaults to `"specific_force"`):
            `"specific_force"` (Android, research sensors) or `"opposite"` (Apple's CoreMotion), also known as
            `"android"` and `"ios"`.
        gravity (`str` or array, *optional*, defaults to `"included"`):
            `"included"`, `"removed"`, or the gravity that was split off, in the same unit, sign and shape as the
            force: it is added back. Columns of a table that are named gravity are added to linear acceleration.
        time_unit (`str`, *optional*, defaults to `None`):
            `"s"`, `"ms"`, `"us"` or `"ns"`. `None` is seconds; for a table what its header or its steps say.
        clock_offsets (`dict[str, float]`, *optional*, defaults to `None`):
            Seconds to add to a placement's clock.
        source (`dict[str, str]`, *optional*, defaults to `None`):
            Kept with the recording.

    Returns:
        `Recording`: Specific force in m/s^2 and rates in rad/s on clean clocks; NaN where nothing was measured.

    Raises:
        ValueError: Saying what was expected, what came and how to mend it.
    """
    declaration = _Declaration(force_unit, rate_unit, sign, gravity, time_unit)
    activities, found = (), {}
    if isinstance(imu, Recording):
        sensors, activities, found = imu.sensors, imu.activities, imu.source
    elif is_table(imu):
        sensors, activities, found = _from_table(imu, sampling_rate, timestamps, placements, declaration)
    elif isinstance(imu, Mapping):
        sensors = _from_mapping(imu, sampling_rate, timestamps, placements, declaration)
    else:
        sensors = _from_array(imu, sampling_rate, timestamps, placements, declaration)
    if not any(np.isfinite(sensor.values).any() for sensor in sensors):
        raise ValueError("Every reading of every sensor is NaN; check the columns or the path that was read.")
    return Recording(_shift_clocks(sensors, clock_offsets), activities, {**found, **(source or {})})


def _from_array(imu, sampling_rate, timestamps, placements, declaration: _Declaration) -> list[SensorStream]:
    values = _as_floats(imu, "the array")
    if values.ndim == 2:
        values = values[:, None]
    if values.ndim != 3 or values.shape[-1] not in (3, NUM_CHANNELS):
        raise ValueError(
            "An array must have shape (num_samples, num_sensors, 3 or 6) or, for one sensor, (num_samples, 3 or 6), "
            f"but has {np.shape(imu)}; channels come last: force x y z, then angular rate x y z."
        )
    if placements is None or isinstance(placements, Mapping):
        raise ValueError(
            "An array does not say where its sensors were worn; pass `placements`, for instance ['left wrist'], or a "
            "dict from placement to array."
        )
    placements = [placements] if isinstance(placements, str) or _is_free_placement(placements) else list(placements)
    if len(placements) != values.shape[1]:
        raise ValueError(
            f"`placements` must name each of the {values.shape[1]} sensors of the array, but holds {len(placements)}: "
            f"{placements}."
        )
    apart = declaration.gravity_values
    if apart is not None:
        apart = np.asarray(apart, dtype=np.float64)
        apart = apart[:, None] if apart.ndim == 2 else apart
        if apart.shape != (*values.shape[:2], 3):
            raise ValueError(
                f"`gravity` must have the shape of the force, {(*values.shape[:2], 3)}, but has {apart.shape}."
            )
    return [
        _make_stream(
            place, values[:, i], sampling_rate, timestamps, replace(declaration, gravity=apart[:, i])
            if apart is not None else declaration,
        )
        for i, place in enumerate(placements)
    ]  # fmt: skip


_ENTRY_KEYS = {
    "values", "timestamps", "sampling_rate", "force_unit", "rate_unit", "sign", "gravity", "time_unit"
}  # fmt: skip


def _from_mapping(imu, sampling_rate, timestamps, placements, declaration: _Declaration) -> list[SensorStream]:
    if placements is not None and not isinstance(placements, Mapping):
        raise ValueError("A dict names its sensors itself; `placements` may only be a dict that renames them.")
    if not imu:
        raise ValueError("A recording needs at least one sensor, but the dict is empty.")
    _check_renamed(placements, list(imu))
    sensors = []
    for place, entry in imu.items():
        rate, times, own = sampling_rate, timestamps, declaration
        if isinstance(entry, Mapping):
            unknown = set(entry) - _ENTRY_KEYS
            if unknown or "values" not in entry:
                raise ValueError(
                    f"The entry of {place!r} must be a dict with 'values' and 'timestamps' or 'sampling_rate', but "
                    f"has the keys {sorted(map(str, entry))}; others allowed are {sorted(_ENTRY_KEYS)}."
                )
            if "timestamps" in entry or "sampling_rate" in entry:
                rate, times = entry.get("sampling_rate"), entry.get("timestamps")
            words = ("force_unit", "rate_unit", "sign", "gravity", "time_unit")
            own = replace(declaration, **{key: entry[key] for key in words if key in entry})
            entry = entry["values"]
        elif isinstance(entry, tuple) and len(entry) == 2 and np.ndim(entry[0]) == 2 and np.ndim(entry[1]) == 0:
            (entry, rate), times = entry, None
        sensors.append(_make_stream((placements or {}).get(place, place), entry, rate, times, own))
    return sensors


def _from_table(imu, sampling_rate, timestamps, placements, declaration: _Declaration):
    if placements is not None and not isinstance(placements, (str, Mapping)):
        placements = [placements] if _is_free_placement(placements) else list(placements)
        if len(placements) > 1:
            raise ValueError("A table names its sensors itself; `placements` may be one name or a dict that renames.")
        placements = placements[0]
    split = split_table(imu, declaration.time_unit)
    _check_renamed(placements, [table.name for table in split.sensors])
    sensors = []
    for table in split.sensors:
        place = _table_placement(table, placements, len(split.sensors))
        own, where = _declare_table(declaration, table), repr(table.name or place)
        values = own.convert(table.values, where, table.gravity)
        times = table.timestamps if timestamps is None else timestamps
        if sampling_rate is not None and table.timestamps is not None and timestamps is None:
            raise ValueError(
                f"The table has times, so that `sampling_rate` = {sampling_rate} is not needed; leave it out, or "
                "remove the column of times."
            )
        if times is None or sampling_rate is not None:
            sensors.append(
                _place_stream(place, _clock(len(values), sampling_rate, timestamps, own, where), values, own)
            )
        else:
            sensors.append(_place_stream(place, to_seconds(times, own.time_unit), values, own))
    spans = tuple(ActivitySpan(*span) for span in split.activities)
    return sensors, spans, split.source


def _check_renamed(placements, names: list[str]) -> None:
    """A name that is misspelt would rename nothing, and nobody would see it."""
    unknown = set(placements) - set(names) if isinstance(placements, Mapping) else set()
    if unknown:
        raise ValueError(
            f"`placements` renames {sorted(map(str, unknown))}, but the sensors are called {names}; correct the names."
        )


def _table_placement(table: SensorTable, placements, num_sensors: int):
    if isinstance(placements, Mapping):
        return placements.get(table.name, table.name)
    if placements is not None and num_sensors == 1:
        return placements
    if not table.name:
        raise ValueError(
            "The table does not say where its sensor was worn; pass `placements`, for instance 'left wrist', or name "
            "the columns 'left_wrist_acc_x' and so on."
        )
    if placements is not None:
        raise ValueError(
            f"`placements` names one sensor, but the table holds {num_sensors}; pass a dict that renames."
        )
    return table.name


def _declare_table(declaration: _Declaration, table: SensorTable) -> _Declaration:
    """What the header says goes before a default, and must not contradict what the caller says."""
    changes = {}
    for name, default, said in (
        ("force_unit", "m/s^2", table.force_unit),
        ("rate_unit", "rad/s", table.rate_unit),
    ):
        given = getattr(declaration, name)
        if said is None or (isinstance(given, str) and normalize_unit(given) == said):
            continue
        if given != default:
            raise ValueError(
                f"The header says {said!r}, but `{name}` says {given!r}; leave `{name}` out or rename the columns."
            )
        changes[name] = said
    if table.is_linear:
        changes["gravity"] = "removed" if table.gravity is None else "included"
    return replace(declaration, **changes)


def _make_stream(place, values, sampling_rate, timestamps, declaration: _Declaration) -> SensorStream:
    where = repr(place)
    values = declaration.convert(values, where, declaration.gravity_values)
    times = _clock(len(values), sampling_rate, timestamps, declaration, where)
    return _place_stream(place, times, values, declaration)


def _clock(num_samples: int, sampling_rate, timestamps, declaration: _Declaration, where: str) -> np.ndarray:
    """Seconds of every sample, as they came."""
    if timestamps is None:
        return np.arange(num_samples) / check_sampling_rate(sampling_rate, f" of {where}")
    if sampling_rate is not None:
        raise ValueError(f"Both `sampling_rate` and `timestamps` are given for {where}; one of them is enough.")
    times = to_seconds(timestamps, declaration.time_unit)
    if times.shape != (num_samples,):
        raise ValueError(
            f"`timestamps` of {where} must have shape ({num_samples},), one per sample, but has {times.shape}."
        )
    return times


def _place_stream(place, times: np.ndarray, values: np.ndarray, declaration: _Declaration) -> SensorStream:
    times, values = join_force_and_rate(*clean_clock(times, values))
    if not len(times):
        raise ValueError(f"No sample of {place!r} has a finite time; check the column of times.")
    segment, offset, orientation = (place, None, None) if isinstance(place, str) else _free_placement(place)
    return SensorStream(
        segment, values, times, declaration.includes_gravity, orientation,
        "none" if orientation is None else "given", offset=offset,
    )  # fmt: skip


def _is_free_placement(place) -> bool:
    """Whether it is `(segment, offset, orientation)` and no list of names."""
    return (
        isinstance(place, (tuple, list))
        and len(place) == 3
        and isinstance(place[0], str)
        and not any(isinstance(part, str) for part in place[1:])
        and not any(isinstance(part, (tuple, list)) and part and isinstance(part[0], str) for part in place[1:])
    )


def _free_placement(place) -> tuple[str, np.ndarray | None, np.ndarray | None]:
    if not _is_free_placement(place):
        raise ValueError(f"A placement must be a name or (segment, offset, orientation), but is {place!r}.")
    segment, offset, orientation = place
    if offset is not None:
        offset = np.asarray(offset, dtype=np.float64)
        if offset.shape != (3,) or not np.isfinite(offset).all():
            raise ValueError(f"The offset of a sensor on {segment!r} must be 3 finite metres, but is {place[1]!r}.")
    return segment, offset, None if orientation is None else np.asarray(orientation, dtype=np.float64)


def _shift_clocks(sensors: Sequence[SensorStream], clock_offsets) -> list[SensorStream]:
    offsets = {}
    for name, seconds in (clock_offsets or {}).items():
        if not np.isscalar(seconds) or not np.isfinite(seconds):
            raise ValueError(f"The clock offset of {name!r} must be a number of seconds, but is {seconds!r}.")
        offsets[resolve_placement(name)[0]] = float(seconds)
    missing = set(offsets) - {sensor.placement for sensor in sensors}
    if missing:
        worn = sorted({sensor.placement for sensor in sensors})
        raise ValueError(f"`clock_offsets` names {sorted(missing)}, but the recording has {worn}.")
    return [
        replace(sensor, timestamps=sensor.timestamps + offsets[sensor.placement])
        if sensor.placement in offsets else sensor
        for sensor in sensors
    ]  # fmt: skip


def _as_floats(values, where: str) -> np.ndarray:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"The readings of {where} must be one rectangular array of numbers, but are {type(values).__name__} "
            f"({error})."
        ) from error


__all__ = ["NUM_CHANNELS", "ActivitySpan", "Recording", "SensorStream", "make_recording", "resolve_placement"]

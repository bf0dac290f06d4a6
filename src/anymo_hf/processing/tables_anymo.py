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
"""Tables with named columns: which column is which channel of which sensor."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .units_anymo import FORCE_UNITS, RATE_UNITS, TIME_UNITS, normalize_unit, to_seconds


# Longest first, for a shorter word may begin a longer one. All in lower case, words apart.
_KINDS = {
    "linear": (
        "motion user acceleration", "linear accelerometer", "linear acceleration", "user acceleration", "lin accel",
        "linear accel", "linear acc", "user accel", "user acc", "lin acc", "body acceleration", "body acc",
    ),
    "force": (
        "accelerometer acceleration", "total acceleration", "total accelerometer", "specific force", "accelerometer",
        "acceleration", "total acc", "accel", "acc", "a",
    ),
    "rate": (
        "motion rotation rate", "gyro rotation", "angular velocity", "angular rate", "rotation rate", "gyroscope",
        "ang vel", "angvel", "gyro", "gyr", "omega", "rot", "w",
    ),
    "gravity": ("motion gravity", "gravity", "grav"),
}  # fmt: skip
_UNCALIBRATED = ("uncalibrated", "raw", "calibrated", "ln", "wr")
_TIMES = (
    "seconds elapsed", "elapsed", "elapsed time", "t", "time", "timestamp", "time stamp", "timestamps", "times",
    "datetime", "date time", "date", "seconds", "sample time", "logging time", "sensor time",
)  # fmt: skip
PLACES = ("placement", "sensor", "location", "position", "device", "body part", "sensor location", "sensor placement")
_ACTIVITIES = ("activity", "label", "class", "activity name", "activity label", "gt", "ground truth")
_RECORDINGS = ("recording", "recording id", "session", "trial", "file", "experiment")
_SUBJECTS = ("subject", "subject id", "user", "user id", "participant", "person", "volunteer")


@dataclass
class SensorTable:
    """
    The columns of one sensor.

    Args:
        name (`str`):
            What the table calls it; empty if nothing does.
        values (`np.ndarray` of shape `(num_samples, 6)`):
            As in the table; NaN for columns that are missing.
        timestamps (`np.ndarray` of shape `(num_samples,)`, *optional*):
            Seconds, or `None` without a column of times.
        gravity (`np.ndarray` of shape `(num_samples, 3)`, *optional*):
            Gravity in its own columns, if the force lacks it.
        is_linear (`bool`):
            Whether the header says that the force is without gravity.
        force_unit, rate_unit (`str`, *optional*):
            What the header says.
    """

    name: str
    values: np.ndarray
    timestamps: np.ndarray | None = None
    gravity: np.ndarray | None = None
    is_linear: bool = False
    force_unit: str | None = None
    rate_unit: str | None = None


@dataclass
class TableContent:
    """Sensors of one recording, its activities as `(start, end, activity)` and where it comes from."""

    sensors: list[SensorTable]
    activities: list[tuple[float, float, str]] = field(default_factory=list)
    source: dict[str, str] = field(default_factory=dict)


def words_of(column: str) -> tuple[str, str | None]:
    """
    A column's name in plain words, and its unit.

    Returns:
        `tuple[str, str | None]`: `"accelerationX (m/s²)"` gives `("acceleration x", "m/s^2")`.
    """
    unit = None
    match = re.search(r"[(\[]\s*([^()\[\]]*)\s*[)\]]\s*$", column)
    if match:
        unit = normalize_unit(match.group(1))
        if unit in (*FORCE_UNITS, *RATE_UNITS, *TIME_UNITS):
            column = column[: match.start()]
        else:
            unit = None
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", str(column))
    words = [word for word in re.sub(r"[^a-z0-9]+", " ", spaced.lower()).split() if word not in ("axis", "in")]
    # A unit at the end without brackets: time_ms, acc_x_g.
    if unit is None and len(words) > 1:
        for length in (2, 1):
            tail = {("m", "s2"): "m/s^2", ("rad", "s"): "rad/s", ("deg", "s"): "deg/s"}.get(
                tuple(words[-2:]) if length == 2 else (), normalize_unit(words[-1]) if length == 1 else None
            )
            known = tail in TIME_UNITS if words[0] in _TIMES else tail in (*FORCE_UNITS, *RATE_UNITS)
            if known and len(words) > length:
                unit, words = tail, words[:-length]
                break
    return " ".join(word for word in words if word not in _UNCALIBRATED), unit


_ANY_KIND = "|".join(sorted((kind for kinds in _KINDS.values() for kind in kinds), key=len, reverse=True))
_PATTERNS = tuple(
    re.compile(pattern.replace("KIND", f"(?P<kind>{_ANY_KIND})").replace("AXIS", "(?P<axis>[xyz])"))
    for pattern in (
        r"^(?:(?P<sensor>.+) )?KIND ?AXIS$",  # left wrist acc x
        r"^(?:(?P<sensor>.+) )?AXIS ?KIND$",  # T xacc
        r"^KIND ?AXIS (?P<sensor>.+)$",  # acc x left wrist
        r"^KIND (?P<sensor>.+) AXIS$",  # acc left wrist x
    )
)


def recognize_channel(column: str) -> tuple[str, str, str, str | None] | None:
    """
    What a column holds, by its name.

    Returns:
        `tuple` of sensor, kind (`"force"`, `"linear"`, `"rate"`, `"gravity"`), axis and unit, or `None`.
    """
    words, unit = words_of(column)
    for pattern in _PATTERNS:
        match = pattern.match(words)
        if match:
            sensor, kind = match.group("sensor") or "", match.group("kind")
            # A greedy prefix takes "linear" of "linear acc x" for a sensor.
            longer = [k for kinds in _KINDS.values() for k in kinds if k.endswith(" " + kind)]
            for whole in longer:
                head = whole.removesuffix(" " + kind)
                if sensor == head or sensor.endswith(" " + head):
                    sensor, kind = sensor.removesuffix(head).strip(), whole
            return sensor, next(name for name, kinds in _KINDS.items() if kind in kinds), match.group("axis"), unit
    return None


def find_columns(columns: Sequence[str]) -> dict[str, dict[tuple[str, str], tuple[str, str | None]]]:
    """
    The channels of every sensor in a header.

    Args:
        columns (`Sequence[str]`):
            All column names. `x`, `y`, `z` alone are the force of the one sensor.

    Returns:
        `dict`: From a sensor's name (or `""`) to `{(kind, axis): (column, unit)}`.
    """
    sensors = {}
    for column in columns:
        found = recognize_channel(str(column))
        if found:
            sensor, kind, axis, unit = found
            sensors.setdefault(sensor, {}).setdefault((kind, axis), (column, unit))
    if not sensors:
        bare = {words_of(str(column))[0]: column for column in columns}
        if all(axis in bare for axis in "xyz"):
            sensors[""] = {("force", axis): (bare[axis], words_of(str(bare[axis]))[1]) for axis in "xyz"}
        # UCI's and PicoQuake's short form: a_x .. g_z.
    for channels in sensors.values():
        _take_g_for_gyroscope(channels, columns)
    return {sensor: channels for sensor, channels in sensors.items() if _is_complete(channels)}


def _take_g_for_gyroscope(channels: dict, columns: Sequence[str]) -> None:
    if any(kind == "rate" for kind, _ in channels):
        return
    short = {words_of(str(column))[0].replace(" ", ""): column for column in columns}
    if all(f"g{axis}" in short for axis in "xyz"):
        for axis in "xyz":
            channels["rate", axis] = (short[f"g{axis}"], words_of(str(short[f"g{axis}"]))[1])


def _is_complete(channels: dict) -> bool:
    return any(all((kind, axis) in channels for axis in "xyz") for kind in ("force", "linear", "rate"))


def find_named(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """The first column whose words are one of the names, in the order of the names."""
    by_words = {}
    for column in columns:
        by_words.setdefault(words_of(str(column))[0], column)
    return next((by_words[name] for name in names if name in by_words), None)


def is_table(imu) -> bool:
    """Whether something is a table with columns that can be recognised, or a data frame of any content."""
    if isinstance(imu, Mapping):
        return bool(imu) and all(isinstance(key, str) for key in imu) and bool(find_columns(list(imu)))
    return hasattr(imu, "columns") and hasattr(imu, "iloc")


def split_table(table, time_unit: str | None = None) -> TableContent:
    """
    The sensors in a table of one recording.

    Args:
        table (`pandas.DataFrame` or `dict[str, array]`):
            One row per sample; a column of placements where several sensors follow each other.
        time_unit (`str`, *optional*, defaults to `None`):
            Unit of the times where the header names none; `None` guesses it from the steps.

    Returns:
        `TableContent`: Its sensors, activities and source.

    Raises:
        ValueError: If there are no such columns, no rows, or several recordings.
    """
    columns = [str(name) for name in (table.columns if hasattr(table, "columns") else table)]
    if len(set(columns)) != len(columns):
        twice = sorted({name for name in columns if columns.count(name) > 1})
        raise ValueError(f"The table has the columns {twice} more than once; rename them.")
    # Labels stay what they are: a categorical column as an array of texts would cost more than all the rest.
    data = {str(name): column if hasattr(column, "iloc") else np.asarray(column) for name, column in table.items()}
    channels = find_columns(columns)
    if not channels:
        raise ValueError(
            "The table needs columns for three axes of force, such as acc_x, acc_y, acc_z (and gyr_x, gyr_y, gyr_z, "
            f"t, placement, activity), but has {columns[:20]}; rename them."
        )
    if len({len(column) for column in data.values()}) > 1:
        raise ValueError("The columns of a table must be equally long.")
    if not len(data[columns[0]]):
        raise ValueError("The table has no rows: at least one sample is needed.")
    source = {}
    for key, names in (("recording", _RECORDINGS), ("subject", _SUBJECTS)):
        column = find_named(columns, names)
        if column is not None:
            found = _unique(data[column])
            if len(found) > 1:
                raise ValueError(
                    f"The table holds {len(found)} recordings (column {column!r}: {found[:3]} ...); pass one of them, "
                    "with `recording=...` when reading a file, or use `read_recordings`."
                )
            source[key] = found[0]
    times = _seconds(data, columns, time_unit)
    parts = _rows_by_placement(data, columns)
    sensors = [
        _extract(data, chosen, place if not name else f"{place} {name}".strip(), rows, times)
        for place, rows in parts
        for name, chosen in channels.items()
    ]
    return TableContent(sensors, _activities(data, columns, times), source)


def _unique(column) -> list[str]:
    """Different values as text, in their order."""
    import pandas as pd

    return [str(value) for value in pd.unique(pd.Series(column))]


def _seconds(data: dict, columns: list[str], time_unit: str | None) -> np.ndarray | None:
    column = find_named(columns, _TIMES)
    if column is None:
        return None
    unit = words_of(column)[1]
    if unit is None and words_of(column)[0] in ("seconds elapsed", "seconds"):
        unit = "s"
    return to_seconds(data[column], unit or time_unit, guess=True)


def _rows_by_placement(data: dict, columns: list[str]) -> list[tuple[str, np.ndarray | slice]]:
    import pandas as pd

    column = find_named(columns, PLACES)
    if column is None:
        return [("", slice(None))]
    codes, names = pd.factorize(pd.Series(data[column]))
    return [(str(name), np.flatnonzero(codes == index)) for index, name in enumerate(names)]


def _extract(data: dict, channels: dict, name: str, rows, times: np.ndarray | None) -> SensorTable:
    is_linear = ("force", "x") not in channels and ("linear", "x") in channels
    force = "linear" if is_linear else "force"
    some = next(iter(channels.values()))[0]
    values = np.full((len(np.asarray(data[some])[rows]), 6), np.nan)
    for offset, kind in ((0, force), (3, "rate")):
        for index, axis in enumerate("xyz"):
            if (kind, axis) in channels:
                values[:, offset + index] = _numbers(data, channels[kind, axis][0], rows)
    gravity = None
    if is_linear and all(("gravity", axis) in channels for axis in "xyz"):
        gravity = np.stack([_numbers(data, channels["gravity", axis][0], rows) for axis in "xyz"], axis=1)
    return SensorTable(
        name, values, None if times is None else times[rows], gravity, is_linear,
        _unit(channels, force, FORCE_UNITS), _unit(channels, "rate", RATE_UNITS),
    )  # fmt: skip


def _unit(channels: dict, kind: str, units: dict) -> str | None:
    said = {channels[kind, axis][1] for axis in "xyz" if (kind, axis) in channels} - {None}
    if len(said) > 1:
        raise ValueError(f"The header names different units for the axes of one sensor: {sorted(said)}.")
    unit = next(iter(said), None)
    return unit if unit in units else None


def _numbers(data: dict, column: str, rows) -> np.ndarray:
    try:
        return np.asarray(data[column])[rows].astype(np.float64)
    except (TypeError, ValueError):
        pass
    import pandas as pd

    texts = pd.Series(np.asarray(data[column])[rows])
    numbers = pd.to_numeric(texts, errors="coerce")
    wrong = numbers.isna() & texts.notna() & ~texts.astype(str).str.strip().str.lower().isin(("", "nan", "na", "null"))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(f"Column {column!r} must hold numbers, but row {row} is {str(texts.iloc[row])[:40]!r}.")
    return numbers.to_numpy(np.float64)


def _activities(data: dict, columns: list[str], times: np.ndarray | None) -> list[tuple[float, float, str]]:
    """Runs of equal labels over time; a change ends the run half-way between two samples."""
    import pandas as pd

    column = find_named(columns, _ACTIVITIES)
    if column is None or times is None:
        return []
    codes, names = pd.factorize(pd.Series(data[column]))  # -1 is missing
    keep = np.flatnonzero(np.isfinite(times))
    order = keep[np.argsort(times[keep], kind="stable")]
    times, codes = times[order], codes[order]
    if not len(times):
        return []
    starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
    ends = np.r_[starts[1:], len(codes)]
    edges = np.r_[times[0], (times[starts[1:]] + times[starts[1:] - 1]) / 2, times[-1]]
    spans = [
        (float(edges[i]), float(edges[i + 1]), "" if codes[start] < 0 else str(names[codes[start]]))
        for i, start in enumerate(starts)
    ]
    # Sensors with clocks of their own interleave at a change of labels; what that leaves is no activity.
    return [span for span, first, last in zip(spans, starts, ends, strict=True) if last - first > 1 or len(spans) == 1]


__all__ = [
    "SensorTable",
    "TableContent",
    "find_columns",
    "find_named",
    "is_table",
    "recognize_channel",
    "split_table",
    "words_of",
]

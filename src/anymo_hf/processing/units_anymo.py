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
"""Units, signs and clocks of sensors: everything that turns a device's numbers into m/s^2, rad/s and seconds."""

import re

import numpy as np


STANDARD_GRAVITY = 9.80665  # m/s^2
# What one of each is in m/s^2, rad/s and seconds.
FORCE_UNITS = {"m/s^2": 1.0, "g": STANDARD_GRAVITY, "mg": STANDARD_GRAVITY / 1000, "cm/s^2": 0.01}
RATE_UNITS = {"rad/s": 1.0, "deg/s": np.pi / 180, "mdeg/s": np.pi / 180_000, "mrad/s": 0.001}
TIME_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
# Specific force is what Android, Xsens and most research sensors give: at rest the axis that points up reads +g.
# Apple's CoreMotion gives the opposite: at rest that axis reads -1 g, and moving adds -acceleration.
SIGNS = {"specific_force": 1.0, "android": 1.0, "opposite": -1.0, "ios": -1.0, "core_motion": -1.0}

_SPELLINGS = {
    "m/s2": "m/s^2", "m/s**2": "m/s^2", "m/s/s": "m/s^2", "ms^-2": "m/s^2", "ms-2": "m/s^2", "m/sec^2": "m/s^2",
    "meterspersecondsquared": "m/s^2", "gravity": "g", "gn": "g", "gs": "g", "milli-g": "mg", "gal": "cm/s^2",
    "dps": "deg/s", "°/s": "deg/s", "degrees/s": "deg/s", "degree/s": "deg/s", "deg/sec": "deg/s", "degs": "deg/s",
    "degrees/second": "deg/s", "mdps": "mdeg/s", "m°/s": "mdeg/s", "rads": "rad/s", "rad/sec": "rad/s",
    "rads/s": "rad/s", "rps": "rad/s", "radians/s": "rad/s", "radians/second": "rad/s", "1/s": "rad/s",
    "sec": "s", "secs": "s", "second": "s", "seconds": "s", "msec": "ms", "millis": "ms", "milliseconds": "ms",
    "millisecond": "ms", "µs": "us", "μs": "us", "usec": "us", "micros": "us", "microseconds": "us", "nsec": "ns",
    "nanos": "ns", "nanoseconds": "ns", "nanosecond": "ns", "microsecond": "us",
}  # fmt: skip


def normalize_unit(unit: str) -> str:
    """`"m/s²"`, `"M/S2"` and `"m s^-2"` all become `"m/s^2"`; what is unknown comes back in lower case."""
    word = re.sub(r"\s+", "", unit.lower()).replace("²", "^2").replace("⁻²", "^-2").replace("·", "")
    return _SPELLINGS.get(word, word)


def unit_scale(unit: str | float, units: dict[str, float], argument: str) -> float:
    """
    What a number must be multiplied with.

    Args:
        unit (`str` or `float`):
            A name of `units` in any usual spelling, or the size of one count.
        units (`dict[str, float]`):
            `FORCE_UNITS`, `RATE_UNITS` or `TIME_UNITS`.
        argument (`str`):
            Name for the error.

    Returns:
        `float`: The factor.

    Raises:
        ValueError: If the unit is unknown or the number is not positive.
    """
    if isinstance(unit, str):
        if normalize_unit(unit) in units:
            return units[normalize_unit(unit)]
    elif not isinstance(unit, bool) and np.isscalar(unit) and np.isfinite(unit) and unit > 0:
        return float(unit)
    base = next(iter(units))
    raise ValueError(
        f"`{argument}` must be one of {list(units)} or the positive size of one count in {base}, but is {unit!r}."
    )


def sign_factor(sign: str) -> float:
    """+1 for specific force, -1 for the opposite convention."""
    if sign not in SIGNS:
        raise ValueError(
            f"`sign` must be one of {list(SIGNS)}, but is {sign!r}; 'specific_force' reads +9.81 upwards at rest, "
            "'opposite' (CoreMotion) -9.81."
        )
    return SIGNS[sign]


def check_sampling_rate(sampling_rate: float, whose: str = "") -> float:
    """The rate as a float, or an error if it is none."""
    try:
        rate = float(sampling_rate)
    except (TypeError, ValueError):
        rate = float("nan")
    if not (np.isfinite(rate) and rate > 0):
        raise ValueError(
            f"`sampling_rate`{whose} must be a positive number of hertz, but is {sampling_rate!r}; give the rate, or "
            "`timestamps` in seconds."
        )
    return rate


def to_seconds(times, time_unit: str | None = None, guess: bool = False) -> np.ndarray:
    """
    A column of times as seconds.

    Args:
        times (array of shape `(num_samples,)`):
            Numbers, `datetime64` or texts that spell a date and time.
        time_unit (`str`, *optional*, defaults to `None`):
            `"s"`, `"ms"`, `"us"` or `"ns"` for numbers.
        guess (`bool`, *optional*, defaults to `False`):
            Without a unit, whether to guess it: from the size of a count since 1970, else from the step between
            neighbours, which for worn sensors is at most 1 s and at least 0.1 ms.

    Returns:
        `np.ndarray` of shape `(num_samples,)`: Seconds, float64; NaN for what is no time. Dates count from 1970.
    """
    times = np.asarray(times)
    if times.dtype.kind in "OUST":
        times = _parse_texts(times)
    if times.dtype.kind == "M":
        seconds = times.astype("datetime64[ns]").astype(np.int64) / 1e9
        return np.where(np.isnat(times), np.nan, seconds)
    if times.dtype.kind == "m":
        return np.where(np.isnat(times), np.nan, times.astype("timedelta64[ns]").astype(np.int64) / 1e9)
    times = times.astype(np.float64)
    if time_unit is None:
        time_unit = guess_time_unit(times) if guess else "s"
    scale = unit_scale(time_unit, TIME_UNITS, "time_unit")
    # Division by whole numbers keeps 0.01 s exactly what 10 ms should be.
    return times / round(1 / scale) if scale <= 1 and np.isclose(1 / scale, round(1 / scale)) else times * scale


def _parse_texts(times: np.ndarray) -> np.ndarray:
    import pandas as pd

    texts = pd.Series(times)
    numbers = pd.to_numeric(texts, errors="coerce")
    if numbers.notna().sum() >= texts.notna().sum() / 2:
        return numbers.to_numpy(np.float64)
    dates = pd.to_datetime(texts, errors="coerce", utc=True, format="mixed").dt.tz_localize(None)
    if dates.notna().sum() < texts.notna().sum() / 2:
        example = next((str(text) for text in texts if str(text)), "")
        raise ValueError(f"Times must be numbers or dates, but {example[:40]!r} is neither; pass `sampling_rate`.")
    return dates.to_numpy("datetime64[ns]")


def guess_time_unit(times: np.ndarray) -> str:
    """The unit in which times that nobody declared are most likely counted."""
    times = times[np.isfinite(times)]
    if not len(times):
        return "s"
    largest = np.abs(times).max()
    for limit, unit in ((1e17, "ns"), (1e14, "us"), (1e11, "ms"), (1e9, "s")):  # since 1970: 1.7e9 s
        if largest > limit:
            steps = np.diff(np.unique(times))
            # A device's own clock may have run for long: 1e11 ms is 1973, but 1e11 ns is 100 s after the start.
            return unit if not len(steps) or _is_plausible(steps, unit) else _unit_of_step(steps)
    steps = np.diff(np.unique(times))
    return _unit_of_step(steps) if len(steps) else "s"


def _is_plausible(steps: np.ndarray, unit: str) -> bool:
    return 5e-5 <= np.median(steps) * TIME_UNITS[unit] <= 2


def _unit_of_step(steps: np.ndarray) -> str:
    step = np.median(steps)
    for limit, unit in ((1.5, "s"), (1e3, "ms"), (9e4, "us")):
        if step <= limit:
            return unit
    return "ns"


def clean_clock(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Samples with times that strictly increase.

    What has no finite time is dropped, the rest is sorted stably. Samples of the same time become one, the mean of
    what was measured per channel: loggers write force and rate of one instant as two rows.

    Args:
        times (`np.ndarray` of shape `(num_samples,)`):
            Seconds in any order.
        values (`np.ndarray` of shape `(num_samples, num_channels)`):
            Readings; NaN where not measured.

    Returns:
        `tuple[np.ndarray, np.ndarray]`: The same without disorder; shorter if something was dropped.
    """
    finite = np.isfinite(times)
    if not finite.all():
        times, values = times[finite], values[finite]
    steps = np.diff(times)
    if (steps < 0).any():
        order = np.argsort(times, kind="stable")
        times, values = times[order], values[order]
        steps = np.diff(times)
    if not len(steps) or (steps > 0).all():
        return times, values
    first = np.flatnonzero(np.r_[True, steps > 0])
    measured = np.isfinite(values)
    counts = np.add.reduceat(measured, first, axis=0, dtype=np.int64)
    sums = np.add.reduceat(np.where(measured, values, 0.0), first, axis=0)
    return times[first], np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def join_force_and_rate(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    One row per force reading where a logger wrote force and rate at different instants.

    Args:
        times (`np.ndarray` of shape `(num_samples,)`):
            Seconds, strictly increasing.
        values (`np.ndarray` of shape `(num_samples, 6)`):
            If at least nine in ten rows hold only one of force and rate, the rate is interpolated linearly to the
            times of the force, but over no gap longer than three of its steps. Otherwise nothing is changed.

    Returns:
        `tuple[np.ndarray, np.ndarray]`: Times and values.
    """
    force, rate = np.isfinite(values[:, :3]).all(1), np.isfinite(values[:, 3:]).all(1)
    if rate.sum() < 2 or force.sum() < 2 or (force & rate).sum() > 0.1 * min(force.sum(), rate.sum()):
        return times, values
    joined = values[force].copy()
    joined[:, 3:] = interpolate_within(times[force], times[rate], values[rate, 3:])
    return times[force], joined


def interpolate_within(new_times: np.ndarray, times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Linear interpolation of columns, NaN outside and in gaps longer than three median steps."""
    after = np.clip(np.searchsorted(times, new_times), 1, len(times) - 1)
    gap = times[after] - times[after - 1]
    share = (new_times - times[after - 1]) / gap
    result = values[after - 1] + share[:, None] * (values[after] - values[after - 1])
    step = np.median(np.diff(times))
    outside = (new_times < times[0]) | (new_times > times[-1]) | (gap > 3 * step)
    exact = new_times == times[after]
    result[exact] = values[after][exact]
    result[outside & ~exact & (new_times != times[after - 1])] = np.nan
    return result


__all__ = [
    "FORCE_UNITS",
    "RATE_UNITS",
    "SIGNS",
    "STANDARD_GRAVITY",
    "TIME_UNITS",
    "check_sampling_rate",
    "clean_clock",
    "guess_time_unit",
    "interpolate_within",
    "join_force_and_rate",
    "normalize_unit",
    "sign_factor",
    "to_seconds",
    "unit_scale",
]

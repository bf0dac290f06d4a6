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
"""What readings themselves say about their units and gravity: `believe`."""

from dataclasses import dataclass

import numpy as np

from .streams_anymo import SensorStream
from .units_anymo import STANDARD_GRAVITY


WINDOW = 2.0  # s; over this long the mean acceleration of a person is small against gravity
MAX_SAMPLES = 32_000  # of a sensor, for what need not be looked at everywhere
# What the stored numbers are if the mean force reads 9.81 times this; stored = read as m/s^2 after conversion.
FORCE_SCALES = {
    "m/s^2": 1.0,
    "g": 1 / STANDARD_GRAVITY,
    "mg": 1000 / STANDARD_GRAVITY,
    "m/s^2, multiplied with 9.81 again": STANDARD_GRAVITY,
    "m/s^2, divided by 9.81 and 1000 again": STANDARD_GRAVITY / 1000,
}
RATE_SCALES = {"rad/s": 1.0, "deg/s": 180 / np.pi, "rad/s, converted as if they were deg/s": np.pi / 180}
LARGEST_RATE = 40.0  # rad/s; gyroscopes of wearables end at 2000 deg/s = 35


@dataclass(frozen=True)
class Belief:
    """
    What the numbers look like.

    Args:
        value (`str`):
            The belief; `"unknown"` if nothing speaks for one.
        confidence (`float`):
            From 0 to 1, by rule of thumb and not calibrated.
        reason (`str`):
            The figures behind it.
    """

    value: str
    confidence: float
    reason: str


def believe(sensor: SensorStream) -> tuple[Belief, Belief, Belief]:
    """Unit of the force, unit of the rate, and whether gravity is in the force."""
    clip = _sample(sensor)
    if clip is None:
        return (Belief("unknown", 0.0, "there is no force reading"),) * 3
    force, gravity = believe_force(clip[0], clip[2])
    return force, believe_rate(*clip, gravity), gravity


def _sample(sensor: SensorStream) -> tuple[np.ndarray, np.ndarray, float] | None:
    """Force, rate and sampling rate of a part: eight stretches over the recording, without NaN forces."""
    values, rate = sensor.values, sensor.sampling_rate
    if len(values) < 2 or not np.isfinite(rate):
        values = values[np.isfinite(values[:, :3]).all(1)]
        return (values[:, :3], values[:, 3:], 1.0) if len(values) else None
    if len(values) > MAX_SAMPLES:
        starts = np.linspace(0, len(values) - MAX_SAMPLES // 8, 8).astype(int)
        values = np.concatenate([values[s : s + MAX_SAMPLES // 8] for s in starts])
    values = values[np.isfinite(values[:, :3]).all(1)]
    return (values[:, :3], values[:, 3:], rate) if len(values) else None


def split_windows(values: np.ndarray, size: int) -> np.ndarray:
    """Windows without overlap, shape `(num_windows, size, num_channels)`; at least one."""
    size = max(1, min(size, len(values)))
    return values[: len(values) // size * size].reshape(-1, size, values.shape[1])


def believe_force(force: np.ndarray, sampling_rate: float) -> tuple[Belief, Belief]:
    """
    Unit of the force and whether gravity is in it.

    Args:
        force (`np.ndarray` of shape `(num_samples, 3)`):
            In the stored unit, finite.
        sampling_rate (`float`):
            In hertz.

    Returns:
        `tuple[Belief, Belief]`: One of `FORCE_SCALES`; `"included"` or `"removed"`. `"unknown"` of less than `WINDOW`.
    """
    if len(force) < int(WINDOW * sampling_rate):
        reason = f"{len(force) / sampling_rate:.2g} s of readings are too few; {WINDOW:g} s are needed"
        return (Belief("unknown", 0.0, reason),) * 2
    windows = split_windows(force, int(WINDOW * sampling_rate))
    means = np.linalg.norm(windows.mean(1), axis=1)
    powers = (windows**2).sum(-1).mean(1)
    # Gravity is what remains in the mean: nobody accelerates one way for long.
    steady = float((means**2).sum() / max(powers.sum(), 1e-12))
    calm = np.argsort(powers - means**2)[: max(1, len(means) // 2)]
    level = float(np.median(means[calm]))
    name, error = _nearest(level / STANDARD_GRAVITY, FORCE_SCALES)
    figures = f"the force averages {level:.3g} over calm {WINDOW:g} s, {100 * steady:.0f} % of its power is steady"
    if steady > 0.3 and error < 0.2:
        sure = min(1.0, 0.6 + steady / 2) * (1 - error)
        nominal = FORCE_SCALES[name] * STANDARD_GRAVITY
        return (
            Belief(name, sure, f"{figures}; gravity would read {nominal:.4g}"),
            Belief("included", sure, figures),
        )
    # A hand turns so much that the mean shrinks, but the length of the force still stays about one value. Without
    # gravity the length varies by 40 % and more, as noise in three dimensions does.
    sizes = np.linalg.norm(force, axis=1)
    typical, variation = float(np.median(sizes)), float(sizes.std() / max(sizes.mean(), 1e-12))
    name, error = _nearest(typical / STANDARD_GRAVITY, FORCE_SCALES)
    if error < 0.2 and variation < 0.38:
        figures = f"the force's length is {typical:.3g} and varies by {100 * variation:.0f} %"
        sure = (1 - variation) * (1 - error)
        return Belief(name, sure, figures), Belief("included", sure, figures)
    if steady < 0.2:
        # A hand that waves has no steady force either, but then its length is a unit's gravity.
        sure = (1 - 2 * steady) * (0.4 if error < 0.3 else 1.0)
        reason = f"{figures}; without gravity there is no measure"
        return Belief("unknown", 0.0, reason), Belief("removed", sure, figures)
    if level < 0.5 and np.median(np.sqrt(powers)) < 0.5:
        # Lying still without gravity: what is left is noise and bias.
        return Belief("unknown", 0.0, figures), Belief("removed", 0.4, f"{figures}; that is no unit's gravity")
    sure = steady if steady > 0.6 else 0.0  # shaken so much that nothing can be said
    return Belief("unknown", sure, f"{figures}; that is no known unit's gravity"), Belief("unknown", 0.0, figures)


def _nearest(ratio: float, scales: dict[str, float]) -> tuple[str, float]:
    """The scale that is closest, and how far off it is as a share."""
    errors = {name: abs(np.log(max(ratio, 1e-12) / scale)) for name, scale in scales.items()}
    name = min(errors, key=errors.get)
    return name, float(np.expm1(min(errors[name], 50.0)))


def believe_rate(force: np.ndarray, rate: np.ndarray, sampling_rate: float, gravity: Belief) -> Belief:
    """
    Unit of the angular rate.

    While a sensor turns slowly, gravity turns in its frame by just the rate that the gyroscope must read. Where
    nothing turns or gravity is missing, only the size of the numbers is left.

    Args:
        force (`np.ndarray` of shape `(num_samples, 3)`):
            In the stored unit, finite.
        rate (`np.ndarray` of shape `(num_samples, 3)`):
            In the stored unit.
        sampling_rate (`float`):
            In hertz.
        gravity (`Belief`):
            From `believe_force`.

    Returns:
        `Belief`: One of `RATE_SCALES`, or `"unknown"`.
    """
    if not np.isfinite(rate).all(1).any():
        return Belief("unknown", 0.0, "there is no gyroscope")
    size = np.linalg.norm(rate, axis=1)
    largest = float(np.nanpercentile(size, 99.5))
    if largest > LARGEST_RATE:
        return Belief("deg/s", 0.99, f"rates reach {largest:.0f}, more than any body part turns in rad/s")
    if gravity.value == "included":
        slope, agreement = _turning_of_gravity(force, rate, sampling_rate)
        name, error = _nearest(1 / max(slope, 1e-9), RATE_SCALES)
        if agreement > 0.3 and error < 1.0:
            reason = f"gravity turns {slope:.3g} times as fast as the readings (correlation {agreement:.2f})"
            return Belief(name, min(1.0, 0.5 + agreement / 2), reason)
    rest = _rest(force, size, sampling_rate)
    if rest > 0.35 and gravity.value == "included":
        return Belief("deg/s", 0.6, f"the readings are {rest:.2f} where the force stands still, too much for rad/s")
    if largest < 0.05:
        return Belief("unknown", 0.0, f"rates stay below {largest:.3f}: nothing turns")
    return Belief("rad/s", 0.5, f"rates reach {largest:.2g}, as people turn in rad/s")


def _rest(force: np.ndarray, size: np.ndarray, sampling_rate: float) -> float:
    """Median reading of the gyroscope over the seconds in which the force does not change, 0 without such."""
    windows = split_windows(np.column_stack([force, size]), int(sampling_rate))
    spread = np.linalg.norm(windows[..., :3].std(1), axis=1)
    still = (spread < 0.01 * np.linalg.norm(windows[..., :3].mean(1), axis=1)) & np.isfinite(windows[..., 3]).all(1)
    return float(np.median(windows[still][..., 3])) if still.sum() >= 3 else 0.0


def _turning_of_gravity(force: np.ndarray, rate: np.ndarray, sampling_rate: float) -> tuple[float, float]:
    """Slope and correlation of the turn of the force's direction against `-rate x direction`, below about 1 Hz."""
    if sampling_rate >= 40:  # means of blocks: 20 Hz is plenty for what is below 1 Hz
        size = int(sampling_rate // 20)
        force, rate = (split_windows(part, size).mean(1) for part in (force, np.nan_to_num(rate)))
        sampling_rate /= size
    width = max(1, round(sampling_rate / 2))  # means over half a second, twice: a triangle
    kernel = np.convolve(np.ones(width), np.ones(width)) / width**2
    if len(force) < 4 * len(kernel):
        return 0.0, 0.0
    from scipy.signal import fftconvolve

    smooth = fftconvolve(force, kernel[:, None], "valid", axes=0)
    norm = np.linalg.norm(smooth, axis=1, keepdims=True)
    direction = smooth / np.maximum(norm, 1e-9)
    turned = fftconvolve(np.nan_to_num(rate), kernel[:, None], "valid", axes=0)
    observed = (direction[2 * width :] - direction[: -2 * width]) / (2 * width) * sampling_rate
    # What the readings predict over the same second.
    predicted = -np.cross(turned, direction)
    total = np.cumsum(np.concatenate([np.zeros((1, 3)), predicted]), axis=0)
    predicted = (total[2 * width : -1] - total[: -2 * width - 1]) / (2 * width)
    power = (predicted**2).sum()
    if power < 1e-9 or (observed**2).sum() < 1e-9:
        return 0.0, 0.0
    product = (predicted * observed).sum()
    return float(product / power), float(product / np.sqrt(power * (observed**2).sum()))


__all__ = [
    "FORCE_SCALES",
    "MAX_SAMPLES",
    "RATE_SCALES",
    "Belief",
    "believe",
    "believe_force",
    "believe_rate",
    "split_windows",
]

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
"""`Recording` and its parts: what worn sensors measured, in one form whatever they were."""

import re
from dataclasses import dataclass, field

import numpy as np

from .placements_anymo import SEGMENTS, get_placement


NUM_CHANNELS = 6  # specific force x y z (m/s^2), angular rate x y z (rad/s)
LARGEST = 1e30  # of a reading, in any unit: single precision holds it, and what a filter makes of it


def resolve_placement(name: str) -> tuple[str, tuple[str, ...]]:
    """
    The canonical name of a placement and the segments that it may mean.

    Args:
        name (`str`):
            A segment, a name or alias of the placement table, or one of a limb without its side. What stands in
            parentheses may be left out: `"waist (belt buckle)"`.

    Returns:
        `tuple[str, tuple[str, ...]]`: `("left wrist", ("L_Forearm",))`; `("wrist", ("L_Forearm", "R_Forearm"))` where
        the side is not known.

    Raises:
        ValueError: If nothing matches, naming the closest names.
    """
    if name in SEGMENTS:
        return name, (name,)
    try:
        found = get_placement(name)
    except ValueError as unknown:
        both = [_lookup(f"{side} {name}") for side in ("left", "right")]
        if None not in both:
            return both[0].name.removeprefix("left "), tuple(dict.fromkeys(place.segment for place in both))
        shorter = re.sub(r"\s*\(.*?\)", "", name).strip()
        if shorter and shorter != name:
            return resolve_placement(shorter)
        raise unknown
    return found.name, (found.segment,)


def _lookup(name: str):
    try:
        return get_placement(name)
    except ValueError:
        return None


@dataclass
class SensorStream:
    """
    Readings of one sensor on its own clock.

    Args:
        placement (`str`):
            Where it was worn: a name or alias of the placement table, kept as its canonical name, or a segment. A limb
            without its side, such as `"wrist"`, means that the side is not known.
        values (`np.ndarray` of shape `(num_samples, 6)`):
            Specific force (m/s^2), then angular rate (rad/s), in the sensor's frame; NaN where not measured. Three
            columns are taken for an accelerometer without gyroscope.
        timestamps (`np.ndarray` of shape `(num_samples,)`):
            Seconds, strictly increasing, on the recording's clock.
        gravity (`bool`, *optional*, defaults to `True`):
            Whether the force contains gravity.
        mounting (`np.ndarray` of shape `(4,)` or `(num_candidates, 4)`, *optional*, defaults to `None`):
            Unit quaternion w, x, y, z that turns sensor vectors into the segment's frame, if it is known. Where the
            side is not known there may be one for each of `segments`.
        calibration (`str`, *optional*, defaults to `"none"`):
            How the mounting was found: `"none"`, `"given"`, `"standing"` or `"walking"`.
        calibration_quality (`dict[str, float]`, *optional*, defaults to `{}`):
            What `calibrate` says of its result.
        offset (`np.ndarray` of shape `(3,)`, *optional*, defaults to `None`):
            Metres from the segment's origin, if somebody measured it. Kept, and used by nothing yet.

    Raises:
        ValueError: If a shape is wrong, time does not increase, or the placement is unknown.
    """

    placement: str
    values: np.ndarray
    timestamps: np.ndarray
    gravity: bool = True
    mounting: np.ndarray | None = None
    calibration: str = "none"
    calibration_quality: dict[str, float] = field(default_factory=dict)
    offset: np.ndarray | None = None

    def __post_init__(self):
        self.placement = resolve_placement(self.placement)[0]
        self.values = np.asarray(self.values, dtype=np.float64)
        self.timestamps = np.asarray(self.timestamps, dtype=np.float64)
        if self.values.ndim != 2 or self.values.shape[1] not in (3, NUM_CHANNELS):
            raise ValueError(
                f"The readings of {self.placement!r} must have shape (num_samples, 3) for an accelerometer or "
                f"(num_samples, 6) with a gyroscope, but have {self.values.shape}."
            )
        # What no sensor reads is no reading: one infinite value in single precision would spoil a whole recording.
        if self.values.size and max(np.fmax.reduce(self.values, None), -np.fmin.reduce(self.values, None)) > LARGEST:
            self.values = np.where(np.abs(self.values) <= LARGEST, self.values, np.nan)
        if self.values.shape[1] == 3:
            self.values = np.concatenate([self.values, np.full_like(self.values, np.nan)], axis=1)
        if self.timestamps.shape != (len(self.values),):
            raise ValueError(
                f"`timestamps` of {self.placement!r} must have shape ({len(self.values)},), one per reading, but has "
                f"{self.timestamps.shape}."
            )
        if not np.isfinite(self.timestamps).all() or (np.diff(self.timestamps) <= 0).any():
            raise ValueError(
                f"`timestamps` of {self.placement!r} must be finite and strictly increasing; `make_recording` sorts "
                "them and averages duplicates."
            )
        if self.mounting is not None:
            self.mounting = _check_mounting(self.mounting, self.placement, len(self.segments))

    @property
    def segments(self) -> tuple[str, ...]:
        """The segments that may carry the sensor: one, or both sides' where the side is not known."""
        return resolve_placement(self.placement)[1]

    @property
    def segment(self) -> str:
        """The segment that carries the sensor; an error if the side is not known."""
        if len(self.segments) > 1:
            raise ValueError(
                f"{self.placement!r} may be on {' or '.join(self.segments)}; name the side ('left {self.placement}' "
                f"or 'right {self.placement}'), or ask for views of both."
            )
        return self.segments[0]

    @property
    def sampling_rate(self) -> float:
        """Samples per second, from the median time step; NaN for a single sample."""
        return float(1 / np.median(np.diff(self.timestamps))) if len(self.timestamps) > 1 else float("nan")

    def mounting_on(self, segment: str) -> np.ndarray | None:
        """The mounting if the sensor sits on that one of `segments`, shape `(4,)`; `None` if it is not known."""
        if segment not in self.segments:
            raise ValueError(f"{self.placement!r} sits on {' or '.join(self.segments)}, not on {segment!r}.")
        if self.mounting is None or self.mounting.ndim == 1:
            return self.mounting
        return self.mounting[self.segments.index(segment)]


def _check_mounting(mounting, placement: str, num_candidates: int) -> np.ndarray:
    mounting = np.asarray(mounting, dtype=np.float64)
    norms = np.linalg.norm(mounting, axis=-1, keepdims=True) if mounting.ndim else np.zeros(1)
    # Not "any > 0.01": a NaN must fail.
    if mounting.shape not in ((4,), (num_candidates, 4)) or not (np.abs(norms - 1) < 0.01).all():
        raise ValueError(
            f"`mounting` of {placement!r} must be a unit quaternion w, x, y, z of shape (4,), but is "
            f"{mounting.tolist()}; (1, 0, 0, 0) is a sensor aligned with its segment."
        )
    return mounting / norms


@dataclass(frozen=True)
class ActivitySpan:
    """
    What the wearer did from `start` to `end`.

    Args:
        start (`float`):
            Second, on the recording's clock.
        end (`float`):
            Second.
        activity (`str`):
            The activity in words; empty means unlabelled, which is no class.
    """

    start: float
    end: float
    activity: str


@dataclass
class Recording:
    """
    Sensors that were worn at the same time by one person, with a common clock.

    Args:
        sensors (`tuple[SensorStream, ...]`):
            At least one.
        activities (`tuple[ActivitySpan, ...]`, *optional*, defaults to `()`):
            What was done, where it is known.
        source (`dict[str, str]`, *optional*, defaults to `{}`):
            Where it comes from: dataset, subject, recording, license.
    """

    sensors: tuple[SensorStream, ...]
    activities: tuple[ActivitySpan, ...] = ()
    source: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        self.sensors = tuple(self.sensors)
        self.activities = tuple(self.activities)
        if not self.sensors:
            raise ValueError("A recording needs at least one sensor, but none was given.")

    @property
    def start_time(self) -> float:
        """Second of the first reading of any sensor."""
        return min(float(sensor.timestamps[0]) for sensor in self.sensors if len(sensor.timestamps))

    @property
    def end_time(self) -> float:
        """Second of the last reading of any sensor."""
        return max(float(sensor.timestamps[-1]) for sensor in self.sensors if len(sensor.timestamps))


__all__ = ["NUM_CHANNELS", "ActivitySpan", "Recording", "SensorStream", "resolve_placement"]

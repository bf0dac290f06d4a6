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
"""Views: the ways to put sensors on the body when several share a segment or a side is not known."""

import itertools
from collections.abc import Sequence

import numpy as np

from .placements_anymo import NUM_SEGMENTS, SEGMENTS
from .streams_anymo import SensorStream


MAX_VIEWS = 16  # of one recording

# For every segment that carries a sensor in one view: its index and the sensor's.
View = tuple[tuple[int, int], ...]


def lay_out(sensors: Sequence[SensorStream], views: bool) -> list[View]:
    """
    The ways to put the sensors on the body, each segment carrying at most one.

    Args:
        sensors (sequence of `SensorStream`):
            Worn at the same time.
        views (`bool`):
            Whether there may be several ways.

    Returns:
        `list[View]`: One without `views`; else all of them up to `MAX_VIEWS`, and of more a choice in which every
        sensor appears on every segment that may carry it.

    Raises:
        ValueError: If there are several ways and `views` is False, naming the sensors.
    """
    if not views:
        for sensor in sensors:
            if len(sensor.segments) > 1:
                raise ValueError(
                    f"{sensor.placement!r} may be on {' or '.join(sensor.segments)}; name the side ('left "
                    f"{sensor.placement}' or 'right {sensor.placement}'), or pass `views=True` to use both."
                )
        _raise_if_shared(sensors)
    layouts = dict.fromkeys(
        view
        for segments in itertools.islice(itertools.product(*(sensor.segments for sensor in sensors)), 4096)
        for view in itertools.islice(_choose_sensors(segments), 4096)
    )
    chosen, seen = [], set()
    for view in layouts:  # those first that bring something new
        if not seen.issuperset(view):
            chosen.append(view)
            seen.update(view)
    chosen += [view for view in layouts if view not in chosen]
    return sorted(chosen[:MAX_VIEWS]) if len(layouts) > MAX_VIEWS else list(layouts)


def _raise_if_shared(sensors: Sequence[SensorStream]):
    carried: dict[str, str] = {}
    for sensor in sensors:
        if sensor.segment in carried:
            raise ValueError(
                f"Sensors {carried[sensor.segment]!r} and {sensor.placement!r} are both on {sensor.segment}, which "
                "takes one; leave one out, or pass `views=True` to use each in turn and average over the views."
            )
        carried[sensor.segment] = sensor.placement


def _choose_sensors(segments: tuple[str, ...]):
    """Every choice of one sensor for each segment that carries any."""
    carried: dict[int, list[int]] = {}
    for sensor, segment in enumerate(segments):
        carried.setdefault(SEGMENTS.index(segment), []).append(sensor)
    for choice in itertools.product(*carried.values()):
        yield tuple(sorted(zip(carried, choice, strict=True)))


def place_on_body(
    values: np.ndarray,
    mask: np.ndarray,
    sensors: Sequence[SensorStream],
    layout: list[View],
    features: np.ndarray,
    observed: np.ndarray,
):
    """
    Writes the sensors' frames to their segments, turned into the segment's frame where the mounting is known.

    Args:
        values (`np.ndarray` of shape `(num_frames, num_sensors, 6)`):
            In the sensors' own frames.
        mask (`np.ndarray` of shape `(num_frames, num_sensors, 6)`):
            True where observed.
        sensors (sequence of `SensorStream`):
            For their mountings.
        layout (`list[View]`):
            See `lay_out`.
        features (`np.ndarray` of shape `(num_views, >= num_frames, 23, 6)`):
            Zeros, to be filled.
        observed (`np.ndarray` of shape `(num_views, >= num_frames, 23, 6)`):
            False, to be filled.
    """
    for i, view in enumerate(layout):
        for segment, sensor in view:
            turned, known = values[:, sensor], mask[:, sensor]
            mounting = sensors[sensor].mounting_on(SEGMENTS[segment])
            if mounting is not None:
                turned, known = _turn(turned, known, mounting)
            features[i, : len(values), segment] = turned
            observed[i, : len(values), segment] = known


def _turn(values: np.ndarray, mask: np.ndarray, quaternion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A vector of which one axis is missing cannot be turned, so that all of it is missing then."""
    w, x, y, z = quaternion
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    vectors = values.reshape(-1, 2, 3) @ rotation.T
    known = np.repeat(mask.reshape(-1, 2, 3).all(axis=2, keepdims=True), 3, axis=2)
    return np.where(known, vectors, 0.0).reshape(values.shape), known.reshape(mask.shape)


def oriented_segments(sensors: Sequence[SensorStream], layout: list[View]) -> np.ndarray:
    """
    Where the mounting is known, so that readings are in the segment's frame.

    Args:
        sensors (sequence of `SensorStream`):
            Worn at the same time.
        layout (`list[View]`):
            See `lay_out`.

    Returns:
        `np.ndarray` of shape `(num_views, 23)`: bool.
    """
    known = np.zeros((len(layout), NUM_SEGMENTS), dtype=bool)
    for i, view in enumerate(layout):
        for segment, sensor in view:
            known[i, segment] = sensors[sensor].mounting_on(SEGMENTS[segment]) is not None
    return known


__all__ = ["MAX_VIEWS", "View", "lay_out", "oriented_segments", "place_on_body"]

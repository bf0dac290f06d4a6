# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""From the runs that a reader finds to `Recording`, and what a stretch of a recording is labelled."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from anymo_hf.evaluation.har.declaration import HarDataset
from anymo_hf.processing.recording_anymo import ActivitySpan, Recording, SensorStream


@dataclass
class SensorRun:
    """
    Readings of one sensor in one recording, in the words of its source.

    Args:
        subject (`str`):
            Who wore it.
        recording (`str`):
            Which recording; sensors of one recording share it.
        placement (`str`):
            The set's own name of the place.
        timestamps (`np.ndarray` of shape `(num_samples,)`):
            Seconds, not decreasing.
        values (`np.ndarray` of shape `(num_samples, 3 or 6)`):
            Specific force (m/s^2), then angular rate (rad/s); NaN where not measured.
        spans (`list[ActivitySpan]`):
            The set's own labels, in order, without overlap.
    """

    subject: str
    recording: str
    placement: str
    timestamps: np.ndarray
    values: np.ndarray
    spans: list[ActivitySpan]


def label_spans(timestamps: np.ndarray, codes: np.ndarray, names: list[str]) -> list[ActivitySpan]:
    """
    Spans of equal labels.

    Args:
        timestamps (`np.ndarray` of shape `(num_samples,)`):
            Seconds.
        codes (`np.ndarray` of shape `(num_samples,)`):
            Which of `names` each reading carries.
        names (`list[str]`):
            The labels; an empty one is unlabelled.

    Returns:
        `list[ActivitySpan]`: Each lasts until the next begins, the last one a sample longer than its last reading.
    """
    if not len(timestamps):
        return []
    first = np.concatenate([[0], np.flatnonzero(codes[1:] != codes[:-1]) + 1])
    step = float(np.median(np.diff(timestamps))) if len(timestamps) > 1 else 0.0
    edges = [*timestamps[first].tolist(), float(timestamps[-1]) + step]
    labels = [names[code] for code in codes[first]]
    return [ActivitySpan(*span) for span in zip(edges[:-1], edges[1:], labels, strict=True)]


def build_recording(runs: list[SensorRun], dataset: HarDataset, side: str = "right") -> Recording:
    """
    One recording from the runs of its sensors.

    Args:
        runs (`list[SensorRun]`):
            Of one subject and recording.
        dataset (`HarDataset`):
            Gives places and words.
        side (`str`, *optional*, defaults to `"right"`):
            Taken where the set does not state the side.

    Returns:
        `Recording`: In the package's words. What its sensors are labelled differently is unlabelled; readings that are
        zero in all six channels become NaN.

    Raises:
        ValueError: If a label or placement is not declared.
    """
    sensors = []
    for run in runs:
        timestamps, values = _mend_clock(run.timestamps, run.values, dataset.even_clock)
        # A sensor that works reads noise; six zeros at once mean "nothing" (a fifth of DSADS's stairs of p1).
        values = np.where((values == 0).all(axis=1, keepdims=True), np.nan, values) if values.shape[1] == 6 else values
        placement = dataset.resolve_placement(run.placement, side)
        sensors.append(SensorStream(placement, values, timestamps, gravity=dataset.gravity))
    spans = []
    for span in _agreed_spans([run.spans for run in runs]):
        if span.activity and span.activity not in dataset.activity_words:
            raise ValueError(
                f"Recording {runs[0].recording!r} of {dataset.name!r} has the undeclared label {span.activity!r}; "
                'give it words under "activity_words" of the set\'s JSON file.'
            )
        words = dataset.activity_words.get(span.activity, "")
        spans.append(ActivitySpan(span.start, span.end, words))
    source = {"dataset": dataset.name, "subject": runs[0].subject, "recording": runs[0].recording}
    if not dataset.joint_clock:
        source["placement"] = runs[0].placement
    return Recording(tuple(sensors), tuple(spans), source | {"license": dataset.license})


def _mend_clock(timestamps: np.ndarray, values: np.ndarray, even: bool) -> tuple[np.ndarray, np.ndarray]:
    """Strictly increasing time: readings spread evenly if the clock is even, else repeated times dropped."""
    timestamps = np.asarray(timestamps, dtype=np.float64)
    if even and len(timestamps) > 1:
        return np.linspace(timestamps[0], timestamps[-1], len(timestamps)), values
    repeated = np.diff(timestamps) <= 0
    if not repeated.any():
        return timestamps, values
    keep = np.concatenate([[True], ~repeated])
    return timestamps[keep], values[keep]


def _agreed_spans(all_spans: list[list[ActivitySpan]]) -> list[ActivitySpan]:
    """The labels of a recording from those of its sensors; where two sensors differ, the empty label."""
    if all(spans == all_spans[0] for spans in all_spans[1:]):
        return all_spans[0]
    edges = np.unique([edge for spans in all_spans for span in spans for edge in (span.start, span.end)])
    agreed: list[ActivitySpan] = []
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        found = {
            span.activity for spans in all_spans for span in spans if span.start <= start and end <= span.end
        } or {""}
        activity = found.pop() if len(found) == 1 else ""
        if agreed and agreed[-1].activity == activity:
            start = agreed.pop().start
        agreed.append(ActivitySpan(start, end, activity))
    return agreed


def majority_activity(recording: Recording, start: float, end: float, min_share: float = 0.75) -> str:
    """
    What a window is labelled.

    Args:
        recording (`Recording`):
            With its activities.
        start (`float`):
            Second, on the recording's clock.
        end (`float`):
            Second.
        min_share (`float`, *optional*, defaults to 0.75):
            Part of the window that one activity must fill; 1.0 takes pure windows only.

    Returns:
        `str`: The activity, or `""` where the window is unlabelled or mixed, or no sensor measured anything.

    Raises:
        ValueError: If the window has no length, or the share is not above a half.
    """
    if not end > start:
        raise ValueError(f"`end` must lie after `start`, but the window is {start:g} to {end:g} s.")
    if not 0.5 < min_share <= 1:
        raise ValueError(f"`min_share` must lie above 0.5, up to 1, so that one label can win, but is {min_share}.")
    if not any(_measured(sensor, start, end) for sensor in recording.sensors):
        return ""
    shares: dict[str, float] = {}
    for span in recording.activities:
        overlap = min(end, span.end) - max(start, span.start)
        if overlap > 0 and span.activity:
            shares[span.activity] = shares.get(span.activity, 0.0) + overlap / (end - start)
    # Time stamps of the sets are float32: five minutes in, they are only good to some 1e-5 s.
    return next((activity for activity, share in shares.items() if share >= min_share - 1e-4), "")


def _measured(sensor: SensorStream, start: float, end: float) -> bool:
    first, last = np.searchsorted(sensor.timestamps, (start, end))
    return bool(np.isfinite(sensor.values[first:last, :3]).any())


def recording_to_row(recording: Recording) -> dict:
    """
    A recording as a row for `datasets.Dataset.from_generator` or a Parquet file.

    Args:
        recording (`Recording`):
            From `load_har_recordings`.

    Returns:
        `dict`: dataset, subject, recording, sensors (placement, sampling_rate, timestamps, values) and activities
        (start, end, activity).
    """
    sensors = [
        {
            "placement": sensor.placement,
            "sampling_rate": sensor.sampling_rate,
            "timestamps": sensor.timestamps,
            "values": sensor.values.astype(np.float32),
        }
        for sensor in recording.sensors
    ]
    activities = [{"start": span.start, "end": span.end, "activity": span.activity} for span in recording.activities]
    names = {key: recording.source.get(key, "") for key in ("dataset", "subject", "recording")}
    return names | {"sensors": sensors, "activities": activities}


def split_clocks(groups: Iterable[list[SensorRun]], dataset: HarDataset) -> Iterable[list[SensorRun]]:
    """The same runs, one at a time where the sensors of a recording have no common clock."""
    for runs in groups:
        if dataset.joint_clock:
            yield runs
        else:
            yield from ([run] for run in runs)


__all__ = ["SensorRun", "build_recording", "label_spans", "majority_activity", "recording_to_row", "split_clocks"]

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The tab `Recognise`: from an uploaded file to HTML, without knowing of gradio."""

import html
import itertools
import re
from argparse import Namespace
from dataclasses import dataclass, replace

import numpy as np

from anymo_hf.app.parts import box, explain, picture, table
from anymo_hf.pipelines import IMUFeatureExtractionPipeline, IMUToTextPipeline, ZeroShotIMUClassificationPipeline
from anymo_hf.processing import Recording, inspect_recording, read_recordings
from anymo_hf.processing.inspection_anymo import SensorReport
from anymo_hf.simulation.rendering import COLORS


WINDOW = 3.0  # s; shorter than pipelines take by default, so that short recordings show a course
MAX_SECONDS = 300.0  # a page shows no more
NUM_TEXTS = 3
AS_THE_FILE_SAYS = "as the file says"
LABELS = "walking, running, standing, sitting, lying, walking upstairs, sitting down, squatting, jumping, waving"


@dataclass(frozen=True)
class Upload:
    """
    A file and what its owner says of it; `None` leaves it to the file.

    Args:
        path (`str`, *optional*):
            The file; `None` before there is one.
        place (`str`, *optional*):
            Where its sensor was worn.
        force_unit, rate_unit, gravity (`str`, *optional*):
            As for `make_recording`, or `AS_THE_FILE_SAYS`.
        sampling_rate (`float`, *optional*):
            Samples per second of a file without times.
    """

    path: str | None
    place: str | None = None
    force_unit: str | None = None
    rate_unit: str | None = None
    gravity: str | None = None
    sampling_rate: float | None = None

    def options(self) -> dict:
        """What `read_recordings` needs to be told."""
        said = {name: getattr(self, name) for name in ("force_unit", "rate_unit", "gravity", "sampling_rate")}
        return {name: value for name, value in said.items() if value and value != AS_THE_FILE_SAYS}


@dataclass(frozen=True)
class MotionReader:
    """One model behind three pipelines, and texts of everyday life that recordings are compared with."""

    classify: ZeroShotIMUClassificationPipeline
    describe: IMUToTextPipeline
    embed: IMUFeatureExtractionPipeline
    texts: tuple[str, ...]

    @classmethod
    def load(cls, model: str) -> "MotionReader":
        """From the folder of a checkpoint, or its name on the Hub."""
        from transformers import pipeline

        from anymo_hf.cli_language import load_pipeline
        from anymo_hf.evaluation.har_datasets import HAR_DATASETS

        describe = load_pipeline("imu-to-text", Namespace(model=model, window=WINDOW))
        shared = {name: getattr(describe, name) for name in ("model", "processor", "feature_extractor")}
        classify, embed = (
            pipeline(task, **shared, window=WINDOW)
            for task in ("zero-shot-imu-classification", "imu-feature-extraction")
        )
        # What people do in the labelled sets that the package knows: a hundred activities in plain words.
        texts = sorted({name for dataset in HAR_DATASETS.values() for name in dataset.get_classes()})
        return cls(classify, describe, embed, tuple(texts))

    def read(self, recording: Recording, labels: list[str]) -> list[dict]:
        """Every window with `start`, `end`, `scores` of the labels, a `caption` and the nearest `texts`."""
        windows = self.classify(recording, candidate_labels=labels)
        captions = self.describe(recording)
        embeddings = np.stack([window["embedding"] for window in self.embed(recording)])
        cosines = embeddings @ self.classify.embed_labels(self.texts).numpy().T  # (num_windows, num_texts)
        return [
            {
                **window,
                "caption": caption["generated_text"],
                "texts": [(self.texts[i], float(row[i])) for i in np.argsort(-row)[:NUM_TEXTS]],
            }
            for window, caption, row in zip(windows, captions, cosines, strict=True)
        ]


def show_understood(upload: Upload) -> tuple[str, list[str]]:
    """What the readings show of units, gravity and clock, with a picture; and the places that the file itself says."""
    if upload.path is None:
        return "", []
    try:
        recording, notes = open_upload(upload)
        shown = "\n".join([*notes, *_describe(recording)])
    except Exception as error:  # a page has no other place to say it
        return explain(error, upload.path), []
    worn = [sensor.placement for sensor in recording.sensors]
    return shown, [] if worn == [upload.place] else worn


def show_recognised(reader: MotionReader, upload: Upload, labels: str) -> str:
    """Activities over time, and of every window the activities, the nearest texts and a caption."""
    try:
        if upload.path is None:
            raise ValueError("Choose a file first, or one of the examples.")
        names = split_labels(labels)
        recording, notes = open_upload(upload)
        rows = reader.read(recording, names)
    except Exception as error:
        return explain(error, upload.path)
    return "\n".join([*notes, _draw_strip(rows, names), _list_windows(rows, recording.start_time, len(reader.texts))])


def split_labels(labels: str) -> list[str]:
    """Activities from a text with commas or line ends between them, each once."""
    names = list(dict.fromkeys(name.strip() for name in re.split(r"[,;\n]", labels or "") if name.strip()))
    if not names:
        raise ValueError("At least one activity is needed to choose among; type some, such as: walking, sitting.")
    return names


def open_upload(upload: Upload) -> tuple[Recording, list[str]]:
    """
    The recording in a file, and notes for its reader.

    Args:
        upload (`Upload`):
            With a path.

    Returns:
        `tuple[Recording, list[str]]`: The first recording of the file, not longer than `MAX_SECONDS`, and messages in
        HTML on what was left out.

    Raises:
        ValueError: If it cannot be read, or nobody says where the sensor was worn.
    """
    recordings, notes = _read(upload), []
    if len(recordings) > 1:
        notes.append(box("note", "The file holds several recordings; this is the first."))
    recording = recordings[0]
    names = {sensor.placement for sensor in recording.sensors}
    if upload.place is not None and upload.place not in names:
        worn = ", ".join(sorted(names))
        notes.append(box("note", f"The file says itself where its sensors were worn: {worn}. That goes first."))
    length = recording.end_time - recording.start_time
    if length > MAX_SECONDS:
        notes.append(box("note", f"The page reads the first {MAX_SECONDS:.0f} s of {length:.0f} s."))
        recording = _cut(recording, MAX_SECONDS)
    return recording, notes


def _read(upload: Upload) -> list[Recording]:
    """The first two recordings of a file, or the only one."""

    def read(place: str | None) -> list[Recording]:
        options = upload.options() | ({} if place is None else {"placements": place})
        return list(itertools.islice(read_recordings(upload.path, **options), 2))

    try:
        return read(upload.place)
    except ValueError as error:
        # Another answer to "where" tells whether that was what went wrong: several sensors name themselves.
        try:
            other = read("chest" if upload.place is None else None)
        except ValueError:
            raise error from None
        if upload.place is None:
            raise ValueError(
                "The file does not say where its sensor was worn; click the place on the body, or choose it from the "
                "list."
            ) from None
        return other


def _cut(recording: Recording, seconds: float) -> Recording:
    end = recording.start_time + seconds
    sensors = []
    for sensor in recording.sensors:
        stop = int(np.searchsorted(sensor.timestamps, end))
        if stop:
            sensors.append(replace(sensor, values=sensor.values[:stop], timestamps=sensor.timestamps[:stop]))
    return replace(recording, sensors=tuple(sensors))


def _describe(recording: Recording) -> list[str]:
    from anymo_hf.inspection_plot import plot_inspection

    report = inspect_recording(recording)
    parts = [box("warning", _name_fields(warning)) for warning in report.warnings]
    if not parts:
        parts = [box("note", "Nothing in the readings stands against how they were understood.")]
    parts += [_list_beliefs(sensor) for sensor in report.sensors]
    names = ", ".join(sensor.placement for sensor in report.sensors)
    parts.append(picture(plot_inspection(report), f"Force and angular rate over time, and their spectrum: {names}"))
    return parts


def _name_fields(warning: str) -> str:
    """A warning with the page's fields in place of arguments: `` `force_unit` `` becomes "force unit"."""
    return re.sub(
        r"`(\w+)`", lambda match: f"“{match[1].replace('_', ' ')}” under “What the file does not say”", warning
    )


def _list_beliefs(sensor: SensorReport) -> str:
    """Clock, units, gravity and stillness of one sensor."""
    clock = f"{sensor.num_samples} samples, {sensor.num_gaps} gaps, {100 * sensor.missing_share:.1f} % missing"
    beliefs = (("force", sensor.force_unit), ("angular rate", sensor.rate_unit), ("gravity", sensor.gravity))
    rows = [
        ("clock", f"{sensor.duration:.1f} s at {sensor.sampling_rate:.4g} Hz", clock),
        *((name, f"{belief.value}, {100 * belief.confidence:.0f} % sure", belief.reason) for name, belief in beliefs),
        ("still", f"{100 * sensor.still_share:.0f} % of the time", "half seconds without motion"),
    ]
    cells = [[html.escape(cell) for cell in row] for row in rows]
    return table(f"{sensor.placement}: what the readings show", ("of", "it looks like", "because"), cells)


def _draw_strip(rows: list[dict], labels: list[str]) -> str:
    """The best label of every window as colours over time; what it says stands in the table as well."""
    best = [max(row["scores"], key=lambda entry: entry["score"])["label"] for row in rows]
    shown = [label for label in labels if label in best]
    color = {label: COLORS[i % len(COLORS)] for i, label in enumerate(shown)}
    first, last = rows[0]["start"], rows[-1]["end"]
    strip = "".join(
        f'<i style="flex:{max(row["end"] - row["start"], 0.01):.3f};background:{color[label]}"></i>'
        for row, label in zip(rows, best, strict=True)
    )
    legend = "".join(f'<li><i style="background:{color[name]}"></i>{html.escape(name)}</li>' for name in shown)
    words = html.escape("Activities over time: " + ", then ".join(name for name, _ in itertools.groupby(best)))
    return (
        f'<h3>Activities over time</h3><div class="am-strip" role="img" aria-label="{words}">{strip}</div>'
        f'<div class="am-ends am-soft"><span>0 s</span><span>{last - first:.1f} s</span></div>'
        f'<ul class="am-legend">{legend}</ul>'
    )


def _list_windows(rows: list[dict], start: float, num_texts: int) -> str:
    cells = [
        (
            f"{row['start'] - start:.1f}–{row['end'] - start:.1f} s",
            "".join(_bar(entry) for entry in sorted(row["scores"], key=lambda entry: -entry["score"])[:3]),
            html.escape(row["caption"]) or "–",
            "<br>".join(
                f'{html.escape(text)} <span class="am-soft">{cosine:.2f}</span>' for text, cosine in row["texts"]
            ),
        )
        for row in rows
    ]
    return table("Window by window", ("when", "which of your activities", "caption", "nearest texts"), cells) + (
        f'<p class="am-soft">Shares compare only the activities that you typed: they sum to 100 % whether or not one '
        f"of them fits. Nearest texts are the closest of {num_texts} everyday activities, with the cosine.</p>"
    )


def _bar(entry: dict) -> str:
    percent = round(100 * entry["score"])
    return (
        f'<div class="am-entry"><div class="am-bar"><i style="width:{percent}%"></i></div>'
        f"<span>{html.escape(entry['label'])} {percent} %</span></div>"
    )


__all__ = ["MotionReader", "Upload", "open_upload", "show_recognised", "show_understood", "split_labels"]

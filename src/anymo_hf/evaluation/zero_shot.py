# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Zero-shot classification of labelled windows: every window is compared with the words of all classes of its set.

    classify = pipeline("zero-shot-imu-classification", model="anymo", dtype="float32")
    windows = load_har_windows("dsads.parquet", HAR_DATASETS["dsads"])
    scores = classify_windows(classify, windows, HAR_DATASETS["dsads"].classes)
    scores.accuracy, scores.macro_f1, scores.recall_at_2

Prompts and embeddings are the pipeline's own. What the figures are compared with is in `zero_shot_controls`.
"""

import contextlib
import hashlib
import warnings
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from anymo_hf.evaluation.embeddings import HarWindows
from anymo_hf.evaluation.metrics import accuracy, macro_f1
from anymo_hf.evaluation.probes import ProbeScores
from anymo_hf.processing import Recording, SensorStream, calibrate
from anymo_hf.processing.calibration_anymo import apply_mounting
from anymo_hf.processing.placements_anymo import NUM_SEGMENTS, SEGMENTS


@dataclass
class ZeroShotScores:
    """
    How well words were found. Figures are shares, 0 to 1.

    Args:
        first (`ProbeScores`):
            Windows by truth and by the class that fits best: confusion of each person.
        best_two (`ProbeScores`):
            Windows whose truth is among the two classes that fit best, or not: its accuracy is the recall at 2.
    """

    first: ProbeScores
    best_two: ProbeScores

    @property
    def accuracy(self) -> float:
        """Share of windows whose class fits best."""
        return self.first.accuracy

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the classes that occur."""
        return self.first.macro_f1

    @property
    def recall_at_2(self) -> float:
        """Share of windows whose class is among the two that fit best."""
        return self.best_two.accuracy

    def figures(self) -> dict[str, tuple[float, tuple[float, float] | None, dict[str, float]]]:
        """Of each metric its value, its interval over people (`None` for fewer than eight), each person's value."""
        return {
            "accuracy": (self.accuracy, self.first.interval(accuracy), self.first.accuracy_by_subject),
            "macro-F1": (self.macro_f1, self.first.interval(macro_f1), self.first.macro_f1_by_subject),
            "R@2": (self.recall_at_2, self.best_two.interval(accuracy), self.best_two.accuracy_by_subject),
        }

    def confusions(self) -> list[tuple[str, float, str, float]]:
        """Of each class that occurs: its name, its recall, the class that it is most taken for, and how often."""
        confusion = self.first.confusion.sum(axis=(0, 1)) / len(self.first.confusion)
        rows = []
        for index, counts in enumerate(confusion):
            if counts.sum() > 0 and len(counts) > 1:
                shares = counts / counts.sum()
                others = np.where(np.arange(len(counts)) == index, -1.0, shares)
                other = int(others.argmax())
                rows.append((self.first.classes[index], shares[index], self.first.classes[other], shares[other]))
        return rows


METRICS = ("accuracy", "macro-F1", "R@2")


def classify_windows(
    pipeline,
    windows: HarWindows,
    classes: tuple[str, ...],
    place_told: bool = True,
    batch_size: int = 32,
    progress: bool = False,
) -> ZeroShotScores:
    """
    Names each window by the class whose words fit best.

    Args:
        pipeline (`ZeroShotIMUClassificationPipeline`):
            Keeps the embeddings of the words for later calls.
        windows (`HarWindows`):
            From `load_har_windows`.
        classes (`tuple[str, ...]`):
            Words of all classes to choose from; those that do not occur in the windows count too.
        place_told (`bool`, *optional*, defaults to `True`):
            Whether the model learns where the sensors are worn. See `embed_har_windows`.
        batch_size (`int`, *optional*, defaults to 32):
            Windows at a time.
        progress (`bool`, *optional*, defaults to `False`):
            Whether to show a progress bar.

    Returns:
        `ZeroShotScores`: Of all windows.
    """
    labels = pipeline.embed_labels(classes)
    embeddings = embed_har_windows(pipeline, windows, place_told, batch_size, progress)
    first, two = name_by_similarity((embeddings @ labels.T).numpy())
    return score_guesses(first, two, windows, classes)


@torch.no_grad()
def embed_har_windows(
    pipeline, windows: HarWindows, place_told: bool = True, batch_size: int = 32, progress: bool = False
) -> torch.Tensor:
    """
    Embeddings of windows as the pipeline computes them, to be compared with those of texts.

    Args:
        pipeline (`WindowPipeline`):
            With a language model.
        windows (`HarWindows`):
            At most one sensor on each segment.
        place_told (`bool`, *optional*, defaults to `True`):
            Whether the model learns where the sensors are worn. `False` is for sets whose placement depends on the
            label: the one sensor of each window is put on all segments that occur, of which the encoder takes the
            mean, and the prompt names none.
        batch_size (`int`, *optional*, defaults to 32):
            Windows at a time.
        progress (`bool`, *optional*, defaults to `False`):
            Whether to show a progress bar.

    Returns:
        `torch.Tensor` of shape `(num_windows, hidden_size)`: float32, unit length, on the CPU.

    Raises:
        ValueError: If windows have several sensors where one is needed.
    """
    worn = windows.mask.any(axis=(1, 3))  # (num_windows, num_sensors)
    _check_sensors(windows, worn, place_told)
    names = [
        tuple(np.array(windows.placements)[row].tolist()) if place_told else () for row in worn
    ]  # not of sensors that measured nothing
    embeddings = []
    for start in tqdm(range(0, len(windows), batch_size), desc="windows", disable=not progress, leave=False):
        rows = slice(start, start + batch_size)
        features = _as_worn(windows, rows) if place_told else _at_all_places(windows, rows)
        embeddings.append(pipeline.embed_windows(features, names[rows]).cpu())
    return torch.cat(embeddings)


def _check_sensors(windows: HarWindows, worn: np.ndarray, place_told: bool) -> None:
    if not place_told and (worn.sum(axis=1) > 1).any():
        raise ValueError("Places can be hidden where each window has one sensor, but some have more; tell the places.")
    twice = sorted({segment for segment in windows.segments if windows.segments.count(segment) > 1})
    if twice:
        shared = [place for place, on in zip(windows.placements, windows.segments, strict=True) if on in twice]
        raise ValueError(
            f"Each segment can carry one sensor, but the sensors at {shared} share {twice}; choose some of the "
            "`placements`."
        )


def _as_worn(windows: HarWindows, rows: slice) -> dict[str, np.ndarray]:
    """Features with one view, `(batch_size, 1, num_frames, 23, 6)`."""
    return {name: feature[:, None].numpy() for name, feature in windows.on_body(rows).items()}


def _at_all_places(windows: HarWindows, rows: slice) -> dict[str, np.ndarray]:
    """Features in which the one sensor sits on another segment in each view."""
    # What is not observed is zero, so that the sum is the one sensor's.
    values, mask = windows.values[rows].sum(axis=2), windows.mask[rows].any(axis=2)
    shape = (len(values), len(windows.segments), values.shape[1], NUM_SEGMENTS, values.shape[2])
    features = {
        "input_values": np.zeros(shape, values.dtype),
        "input_values_mask": np.zeros(shape, bool),
        "orientation_known": np.zeros((*shape[:2], NUM_SEGMENTS), bool),
    }
    for view, segment in enumerate(windows.segments):
        features["input_values"][:, view, :, SEGMENTS.index(segment)] = values
        features["input_values_mask"][:, view, :, SEGMENTS.index(segment)] = mask
        features["orientation_known"][:, view, SEGMENTS.index(segment)] = windows.orientation_known[rows].any(axis=1)
    return features


def name_by_similarity(similarities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which class fits best, and which two; arguments of `score_guesses` from `(num_windows, num_classes)`."""
    order = np.argsort(-similarities, axis=1, kind="stable")
    first, two = np.zeros(similarities.shape), np.zeros(similarities.shape)
    np.put_along_axis(first, order[:, :1], 1.0, axis=1)
    np.put_along_axis(two, order[:, :2], 1.0, axis=1)
    return first, two


def score_guesses(first: np.ndarray, two: np.ndarray, windows: HarWindows, classes: tuple[str, ...]) -> ZeroShotScores:
    """
    Scores of what is said of windows, or of what is said of them on average where it is drawn at random.

    Args:
        first (`np.ndarray` of shape `(num_windows, num_classes)`):
            Probability that the class is named.
        two (`np.ndarray` of that shape):
            Probability that it is among the two that are named.
        windows (`HarWindows`):
            With their labels and people.
        classes (`tuple[str, ...]`):
            Their words.

    Returns:
        `ZeroShotScores`: Macro-F1 is that of the expected confusion.

    Raises:
        ValueError: If a window shows something else.
    """
    index = {name: i for i, name in enumerate(classes)}
    if unknown := set(windows.activities.tolist()) - set(index):
        raise ValueError(f"`classes` must name every activity of the windows, but {sorted(unknown)} are missing.")
    truth = np.array([index[name] for name in windows.activities.tolist()])
    people, rows = np.unique(windows.subjects, return_inverse=True)
    confusion = np.zeros((len(people), len(classes), len(classes)))
    np.add.at(confusion, (rows, truth), first)
    found = two[np.arange(len(truth)), truth]
    among = np.zeros((len(people), 2, 2))
    np.add.at(among, (rows, 0, 0), found)
    np.add.at(among, (rows, 0, 1), 1 - found)
    people = tuple(people.tolist())
    return ZeroShotScores(
        ProbeScores(confusion[None], people, tuple(classes)),
        ProbeScores(among[None], people, ("among the two", "not")),
    )


class Calibration:
    """
    `prepare` of `load_har_windows` that turns each sensor as its wearer's own walking shows that it was mounted.

    A person's recordings count as one session with one mounting for each place, so that a recording of sitting alone
    is turned as well. No label is used, but the recordings that are to be classified are.

    Args:
        recordings (`Iterable[Recording]`):
            All of the set, from `load_har_recordings`.
    """

    def __init__(self, recordings: Iterable[Recording]):
        sessions = defaultdict(list)
        for recording in recordings:
            for sensor in recording.sensors:
                sessions[recording.source["subject"], sensor.placement].append(sensor)
        self.num_sensors = len(sessions)
        self._mountings: dict[tuple[str, str], np.ndarray] = {}
        for worn, sensors in sessions.items():
            # Some do not walk, and some forces lack gravity; the count tells how many.
            with warnings.catch_warnings(), contextlib.suppress(ValueError):
                warnings.simplefilter("ignore")
                self._mountings[worn] = calibrate(Recording((_join(sensors),))).sensors[0].mounting

    def __call__(self, recording: Recording) -> Recording:
        """The recording with its readings in the segments' frames, where a mounting was found."""
        sensors = []
        for sensor in recording.sensors:
            mounting = self._mountings.get((recording.source["subject"], sensor.placement))
            if mounting is not None:
                # Resampling turns nothing, so that the readings themselves are turned.
                values = apply_mounting(replace(sensor, mounting=mounting))
                sensor = replace(sensor, values=values, mounting=np.array([1.0, 0.0, 0.0, 0.0]), calibration="walking")
            sensors.append(sensor)
        return replace(recording, sensors=tuple(sensors))

    def __str__(self) -> str:
        return f"{len(self._mountings)} of {self.num_sensors} sensors calibrated by their wearers' own walking"


def _join(sensors: list[SensorStream]) -> SensorStream:
    """Readings of one sensor one after the other, with gaps of a second between recordings."""
    times, end = [], 0.0
    for sensor in sensors:
        times.append(sensor.timestamps - sensor.timestamps[:1] + end)
        end = float(times[-1][-1]) + 1.0 if len(times[-1]) else end
    values = np.concatenate([sensor.values for sensor in sensors])
    return SensorStream(sensors[0].placement, values, np.concatenate(times), gravity=sensors[0].gravity)


def checkpoint_sha256(folder: str | Path, model: torch.nn.Module) -> str:
    """
    Of what a folder holds, `model.safetensors` followed by `config.json`: the same weights configured otherwise give
    other figures. For weights in several files, and for a model of the Hub, as `weights_sha256`.
    """
    weights, config = Path(folder) / "model.safetensors", Path(folder) / "config.json"
    if not weights.exists():
        return weights_sha256(model)
    digest = hashlib.sha256(weights.read_bytes())
    if config.exists():
        digest.update(config.read_bytes())
    return digest.hexdigest()


def weights_sha256(model: torch.nn.Module) -> str:
    """Of names and values of all weights, as float32."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()


__all__ = [
    "METRICS",
    "Calibration",
    "ZeroShotScores",
    "checkpoint_sha256",
    "classify_windows",
    "embed_har_windows",
    "name_by_similarity",
    "score_guesses",
    "weights_sha256",
]

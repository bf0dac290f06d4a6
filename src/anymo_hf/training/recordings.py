# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""`RecordingDataset`: labelled recordings of real sensors, to train on beside simulated ones."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from anymo_hf.evaluation.har_datasets import HAR_DATASETS, HarDataset, find_har_datasets, load_har_recordings
from anymo_hf.evaluation.zero_shot import Calibration
from anymo_hf.processing.feature_extraction_anymo import AnyMoFeatureExtractor
from anymo_hf.processing.placements_anymo import NUM_SEGMENTS, SEGMENTS
from anymo_hf.processing.streams_anymo import Recording
from anymo_hf.training.motion_text import MotionTextDataset
from anymo_hf.training.text_bank import TextBank
from anymo_hf.training.text_distillation import TeacherTexts
from anymo_hf.training.views import CALIBRATED_SHARE, MAX_VISIBLE_SEGMENTS, PairedViewDataset, index_of_item


@dataclass(frozen=True, eq=False)
class _Worn:
    """A recording at the model's rate, and how to turn each of its sensors into its segment's axes."""

    readings: np.ndarray  # (num_frames, num_sensors, 6), NaN where not observed
    turns: np.ndarray  # (num_sensors, 3, 3), multiplied from the right; NaN where the mounting is not known
    segments: np.ndarray  # (num_sensors,)
    placements: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Stretch:
    """Frames of a recording in which one thing is done; a clip to `PairedViewDataset`."""

    worn: _Worn = field(repr=False)
    first_frame: int
    num_frames: int
    activity: str
    group: str  # set and person, held out together


class RecordingDataset(PairedViewDataset):
    """
    Windows of labelled recordings, with the keys of `MotionTextDataset`; the text is the words of the class.

    Every labelled stretch gives a window per `num_frames` frames or part of them, which lies within it. Stretches that
    are shorter than `min_frames` are seen with what surrounds them. Of the sensors that were worn some are drawn, in
    some windows calibrated by their wearer's own walking, where that was found, else as recorded and of unknown
    orientation. Every item comes from `default_rng([seed, epoch, index])` alone. All recordings are kept in memory at
    60 Hz, 5 MB per sensor and hour. `datasets` are the declarations of the sets that are not left out.

    What is trained with this has seen real sensors and classes of the same names, other than what has seen simulation
    only. It says nothing about a set that it was trained with: name the one to test on in `exclude`.

    Args:
        folder (`str` or `Path`):
            Holds one Parquet file per set; see `find_har_datasets`.
        exclude (`Sequence[str]`, *optional*, defaults to `()`):
            Names of sets to leave out.
        seed (`int`, *optional*, defaults to 0):
            Of everything that is drawn.
        num_frames (`int`, *optional*, defaults to 300):
            The longest window, at 60 Hz.
        min_frames (`int`, *optional*, defaults to 60):
            The shortest window.

    Raises:
        ValueError: If nothing is left, or a set to leave out is neither in the folder nor known.
    """

    def __init__(
        self,
        folder: str | Path,
        exclude: Sequence[str] = (),
        seed: int = 0,
        num_frames: int = 300,
        min_frames: int = 60,
    ):
        self.seed, self.num_frames, self.min_frames = seed, num_frames, min_frames
        found = find_har_datasets(folder)
        names = {dataset.name for dataset, _ in found}
        # A misspelt name would train on what is tested.
        if unknown := set(exclude) - names - set(HAR_DATASETS):
            raise ValueError(f"`exclude` must name sets of {sorted(names)}, but {sorted(unknown)} are none of them.")
        kept = [(dataset, path) for dataset, path in found if dataset.name not in exclude]
        self.datasets = tuple(dataset for dataset, _ in kept)
        stretches = [stretch for dataset, path in kept for stretch in _find_stretches(dataset, path, min_frames)]
        if not stretches:
            raise ValueError(f"No labelled recording is left of {sorted(names)} without {sorted(exclude)}; add a set.")
        self._set_clips(stretches)

    @property
    def activities(self) -> list[str]:
        """Words of all classes that occur, in alphabetical order."""
        return sorted({stretch.activity for stretch in self.clips})

    def __getitem__(self, index: int) -> dict:
        """
        A window.

        Returns:
            `dict`: As of `MotionTextDataset`. `orientation_known` holds for the sensors that were calibrated.
        """
        index = index_of_item(index, len(self))
        rng = np.random.default_rng([self.seed, self.epoch, index])
        number, slot = self._find_slot(index)
        stretch = self.clips[number]
        first, length = self._draw_window(stretch, slot, rng)
        first += stretch.first_frame
        readings = stretch.worn.readings[first : first + length]

        columns = _draw_sensors(readings, rng)
        readings, turns = readings[:, columns], stretch.worn.turns[columns]
        is_known = ~np.isnan(turns[:, 0, 0]) & (rng.random() < CALIBRATED_SHARE)
        for sensor in np.flatnonzero(is_known):
            readings[:, sensor] = (readings[:, sensor].reshape(-1, 2, 3) @ turns[sensor]).reshape(-1, 6)

        segments = torch.from_numpy(stretch.worn.segments[columns])
        values = torch.full((length, NUM_SEGMENTS, 6), torch.nan)
        values[:, segments] = torch.from_numpy(readings)
        orientation_known = torch.zeros(NUM_SEGMENTS, dtype=torch.bool)
        orientation_known[segments] = torch.from_numpy(is_known)
        return {
            "input_values": values.nan_to_num(nan=0.0),
            "input_values_mask": ~values.isnan(),
            "orientation_known": orientation_known,
            "texts": [stretch.activity],
            "activity": stretch.activity,
            "placements": [stretch.worn.placements[column] for column in columns],
            "seed": int(rng.integers(2**62)),
        }


def _find_stretches(dataset: HarDataset, path: Path, min_frames: int) -> Iterator[_Stretch]:
    """Of all recordings of a set."""
    recordings = list(load_har_recordings(path, dataset))
    calibration = Calibration(recordings)
    extractor = AnyMoFeatureExtractor()
    for recording in recordings:
        worn = _wear(recording, calibration, extractor)
        group, rate = f"{dataset.name} {recording.source['subject']}", extractor.sampling_rate
        for span in recording.activities:
            bounds = [round((time - recording.start_time) * rate) for time in (span.start, span.end)]
            first, last = max(bounds[0], 0), min(bounds[1], len(worn.readings))
            if not span.activity or first >= last or np.isnan(worn.readings[first:last, :, :3]).all():
                continue
            length = max(last - first, min(min_frames, len(worn.readings)))
            first = min(max((first + last - length) // 2, 0), len(worn.readings) - length)
            yield _Stretch(worn, first, length, span.activity, group)


def _wear(recording: Recording, calibration: Calibration, extractor: AnyMoFeatureExtractor) -> _Worn:
    values, mask = extractor.resample(recording)
    # What calibration makes of the three axes tells how it turns, so that readings are kept once only.
    axes = np.tile(np.eye(3), (1, 2))
    probes = tuple(replace(sensor, values=axes, timestamps=np.arange(3.0)) for sensor in recording.sensors)
    turned = calibration(replace(recording, sensors=probes)).sensors
    turns = [np.full((3, 3), np.nan) if one.mounting is None else one.values[:, :3] for one in turned]
    segments = np.array([SEGMENTS.index(sensor.segment) for sensor in recording.sensors])
    placements = tuple(sensor.placement for sensor in recording.sensors)
    return _Worn(np.where(mask, values, np.float32(np.nan)), np.stack(turns), segments, placements)


def _draw_sensors(readings: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Columns of one to five sensors, of those that measured anything in the window."""
    measured = np.flatnonzero(~np.isnan(readings[..., :3]).all(axis=(0, 2)))
    if not measured.size:  # within a gap
        measured = np.arange(readings.shape[1])
    number = rng.integers(1, min(len(measured), MAX_VISIBLE_SEGMENTS) + 1)
    return rng.choice(measured, size=number, replace=False)


class MixedDataset(Dataset):
    """
    Every simulated window once an epoch, and so many real ones, drawn anew, that they have a share of all.

    Args:
        simulated (`MotionTextDataset`):
            Or a part of it.
        recordings (`RecordingDataset`):
            Drawn from with replacement.
        share (`float`):
            Of the real windows, above 0 and below 1.

    Raises:
        ValueError: If the share is out of range.
    """

    def __init__(self, simulated: MotionTextDataset, recordings: RecordingDataset, share: float):
        if not 0 < share < 1:
            raise ValueError(f"The share of recordings must lie above 0 and below 1, but is {share:g}.")
        self.simulated, self.recordings = simulated, recordings
        self.num_recorded = math.ceil(len(simulated) * share / (1 - share))

    def set_epoch(self, epoch: int) -> None:
        """Other windows for the same indices, as `EpochCallback` asks."""
        self.simulated.set_epoch(epoch)
        self.recordings.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.simulated) + self.num_recorded

    def __getitem__(self, index: int) -> dict:
        index = index_of_item(index, len(self))
        if index < len(self.simulated):
            return self.simulated[index]
        rng = np.random.default_rng([self.recordings.seed, self.recordings.epoch, index, 1])
        return self.recordings[int(rng.integers(len(self.recordings)))]


def add_recordings(text_bank: TextBank, recordings: RecordingDataset, teacher: TeacherTexts, share: float) -> TextBank:
    """
    A bank of the texts of motion and of the words of recordings.

    Args:
        text_bank (`TextBank`):
            Of the motion.
        recordings (`RecordingDataset`):
            Whose classes are added.
        teacher (`TeacherTexts`):
            That knows their words.
        share (`float`):
            Of the recordings among the windows.

    Returns:
        `TextBank`: With how often each text is met when both are mixed.

    Raises:
        ValueError: If the teacher lacks words of the classes.
    """
    embeddings = dict(zip(text_bank.texts, text_bank.embeddings, strict=True))
    embeddings |= dict(zip(recordings.activities, teacher.embeddings_of(recordings.activities), strict=True))
    windows = dict.fromkeys(recordings.activities, 0)
    for stretch in recordings.clips:
        windows[stretch.activity] += math.ceil(stretch.num_frames / recordings.num_frames)
    shares = {text: (1 - share) * float(one) for text, one in zip(text_bank.texts, text_bank.shares, strict=True)}
    for name, number in windows.items():
        shares[name] = shares.get(name, 0.0) + share * number / len(recordings)
    texts = sorted(shares)
    rows = torch.stack([embeddings[text] for text in texts])
    return TextBank(texts, rows, torch.tensor([shares[text] for text in texts]))


__all__ = ["MixedDataset", "RecordingDataset", "add_recordings"]

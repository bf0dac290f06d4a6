# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""From labelled recordings to windows, and from windows through a frozen encoder to one embedding each."""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from anymo_hf.evaluation.har_datasets import HarDataset, load_har_recordings, majority_activity
from anymo_hf.processing.feature_extraction_anymo import AnyMoFeatureExtractor, window_starts
from anymo_hf.processing.inspection_anymo import check_declaration
from anymo_hf.processing.placements_anymo import NUM_SEGMENTS, SEGMENTS
from anymo_hf.processing.streams_anymo import Recording


OVERLAP = 0.5


@dataclass
class HarWindows:
    """
    Labelled windows of one set, of the sensors that were worn only.

    Args:
        values (`np.ndarray` of shape `(num_windows, num_frames, num_sensors, 6)`):
            Specific force (m/s^2) and angular rate (rad/s) at the feature extractor's rate, zeros where not observed.
        mask (`np.ndarray` of that shape):
            True where observed.
        placements (`tuple[str, ...]`):
            Where each sensor was worn.
        segments (`tuple[str, ...]`):
            The segment that carries each sensor.
        activities, subjects, recordings (`np.ndarray` of shape `(num_windows,)`):
            What was done, by whom, in which recording, all in words.
        orientation_known (`bool` or `np.ndarray` of shape `(num_windows, num_sensors)`, *optional*):
            Where a sensor's axes are its segment's, or mounted alike throughout. Defaults to `False`.
    """

    values: np.ndarray
    mask: np.ndarray
    placements: tuple[str, ...]
    segments: tuple[str, ...]
    activities: np.ndarray
    subjects: np.ndarray
    recordings: np.ndarray
    orientation_known: bool | np.ndarray = False

    def __post_init__(self):
        self.orientation_known = np.broadcast_to(self.orientation_known, (len(self.values), len(self.placements)))

    def __len__(self) -> int:
        return len(self.values)

    def select(self, rows: np.ndarray) -> "HarWindows":
        """Some of the windows, by index or by a mask."""
        names = ("values", "mask", "activities", "subjects", "recordings", "orientation_known")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def with_sensors(self, placements: Iterable[str]) -> "HarWindows":
        """All windows with some of the sensors; an error if there is no such sensor."""
        placements = tuple(placements)
        unknown = set(placements) - set(self.placements)
        if unknown:
            raise ValueError(f"The windows have sensors at {self.placements}, but not at {sorted(unknown)}.")
        columns = [self.placements.index(place) for place in placements]
        return replace(
            self,
            values=self.values[:, :, columns],
            mask=self.mask[:, :, columns],
            placements=placements,
            segments=tuple(self.segments[i] for i in columns),
            orientation_known=self.orientation_known[:, columns],
        )

    def on_body(self, rows: slice) -> dict[str, torch.Tensor]:
        """
        What the encoder takes of some windows.

        `input_values` and `input_values_mask` have shape `(batch_size, num_frames, 23, 6)`, `orientation_known` has
        `(batch_size, 23)`.
        """
        columns = [SEGMENTS.index(segment) for segment in self.segments]
        values, mask = torch.from_numpy(self.values[rows]), torch.from_numpy(self.mask[rows])
        input_values = values.new_zeros(*values.shape[:2], NUM_SEGMENTS, values.shape[-1])
        input_values_mask = torch.zeros_like(input_values, dtype=torch.bool)
        input_values[:, :, columns] = values
        input_values_mask[:, :, columns] = mask
        known = torch.zeros(len(values), NUM_SEGMENTS, dtype=torch.bool)
        known[:, columns] = torch.from_numpy(self.orientation_known[rows].copy())
        return {"input_values": input_values, "input_values_mask": input_values_mask, "orientation_known": known}


def load_har_windows(
    path: str | Path,
    dataset: HarDataset,
    placements: Iterable[str] | None = None,
    subset: str | None = None,
    max_windows: int | None = None,
    seed: int = 0,
    prepare: Callable[[Recording], Recording] | None = None,
) -> HarWindows:
    """
    The labelled windows of a set, half overlapping, or its clips where `dataset.window` is `None`.

    Args:
        path (`str` or `Path`):
            See `load_har_recordings`.
        dataset (`HarDataset`):
            The set.
        placements (`Iterable[str]`, *optional*, defaults to `None`):
            Sensors to keep, by the set's own names; `None` keeps all.
        subset (`str`, *optional*, defaults to `None`):
            A key of `dataset.subsets`, to keep windows of some classes only.
        max_windows (`int`, *optional*, defaults to `None`):
            Keep at most so many, equally many of each person and class as far as there are; `None` keeps all.
        seed (`int`, *optional*, defaults to 0):
            Of the choice of windows. It depends on nothing else, so that variants of a set keep the same windows.
        prepare (`Callable`, *optional*, defaults to `None`):
            Changes every recording before it is resampled, but not its times.

    Returns:
        `HarWindows`: Windows of which one activity fills three quarters. A warning says if the readings of more than
        a quarter of the recordings contradict the units of the layout or the declared gravity.

    Raises:
        ValueError: If there is none.
    """
    extractor = AnyMoFeatureExtractor()
    classes, resampled, candidates, contradictions = set(dataset.get_classes(subset)), [], [], []
    for recording in load_har_recordings(path, dataset, placements=placements):
        candidates += [
            (len(resampled), start, size, activity)
            for start, size, activity in _labelled_windows(extractor, recording, dataset.window)
            if activity in classes
        ]
        contradictions += check_declaration(recording)[:1]
        recording = prepare(recording) if prepare else recording
        resampled.append((*extractor.resample(recording), recording.sensors, recording.source))
    if not candidates:
        raise ValueError(f"No window of {dataset.name!r} is labelled; check its recordings and its window length.")
    if len(contradictions) > len(resampled) / 4:
        warnings.warn(
            f"{len(contradictions)} of {len(resampled)} recordings of {dataset.name!r} contradict the units of the "
            f"layout, which are m/s^2 with gravity and rad/s: {contradictions[0]}",
            stacklevel=2,
        )
    if max_windows is not None:
        people = np.array([resampled[number][3]["subject"] for number, *_ in candidates])
        activities = np.array([activity for *_, activity in candidates])
        candidates = [candidates[i] for i in balanced_choice(people, activities, max_windows, seed)]
    return _cut(resampled, candidates)


def _labelled_windows(extractor: AnyMoFeatureExtractor, recording: Recording, window: float | None):
    """First frame, number of frames and activity of every window."""
    rate, start_time = extractor.sampling_rate, recording.start_time
    num_frames = int((recording.end_time - start_time) * rate + 0.01) + 1
    size, hop = (num_frames, num_frames) if window is None else extractor.window_frames(window, OVERLAP)
    for start in window_starts(num_frames, size, hop):
        begin, end = start_time + start / rate, start_time + (start + size) / rate
        yield start, size, majority_activity(recording, begin, min(end, recording.end_time + 1 / rate))


def _cut(resampled: list, candidates: list) -> HarWindows:
    """Windows out of resampled recordings, padded at the end to the longest."""
    segments = {sensor.placement: sensor.segment for _, _, found, _ in resampled for sensor in found}
    shape = (len(candidates), max(size for _, _, size, _ in candidates), len(segments), 6)
    values, mask = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=bool)
    oriented = np.zeros((len(candidates), len(segments)), dtype=bool)
    for row, (number, start, size, _) in enumerate(candidates):
        recording_values, recording_mask, found, _ = resampled[number]
        part = slice(start, start + size)
        for column, sensor in enumerate(found):
            observed = recording_mask[part, column]
            place_column = list(segments).index(sensor.placement)
            oriented[row, place_column] = sensor.mounting is not None
            values[row, : len(observed), place_column] = np.where(observed, recording_values[part, column], 0)
            mask[row, : len(observed), place_column] = observed
    sources = [resampled[number][3] for number, *_ in candidates]
    return HarWindows(
        values,
        mask,
        tuple(segments),
        tuple(segments.values()),
        activities=np.array([activity for *_, activity in candidates]),
        subjects=np.array([source["subject"] for source in sources]),
        recordings=np.array([source["recording"] for source in sources]),
        orientation_known=oriented,
    )


def balanced_choice(subjects: np.ndarray, activities: np.ndarray, max_windows: int, seed: int = 0) -> np.ndarray:
    """
    Windows of which each person and class gives equally many, give or take one, as far as they have so many.

    Args:
        subjects (`np.ndarray` of shape `(num_windows,)`):
            Of all windows.
        activities (`np.ndarray` of shape `(num_windows,)`):
            Of all windows.
        max_windows (`int`):
            How many to choose at most; a person and class gives one at least.
        seed (`int`, *optional*, defaults to 0):
            Of the choice.

    Returns:
        `np.ndarray`: Indices, increasing.
    """
    pairs = np.array([f"{subject}\t{activity}" for subject, activity in zip(subjects, activities, strict=True)])
    counts = np.unique(pairs, return_counts=True)[1]
    quota = 1
    while quota < counts.max() and np.minimum(counts, quota + 1).sum() <= max_windows:
        quota += 1
    generator = np.random.default_rng(seed)
    shuffled = [generator.permutation(np.flatnonzero(pairs == pair)) for pair in np.unique(pairs)]
    chosen = np.concatenate([rows[:quota] for rows in shuffled])
    # What is left of `max_windows` gives one more to some.
    more = generator.permutation(np.concatenate([rows[quota : quota + 1] for rows in shuffled]))
    return np.sort(np.concatenate([chosen, more[: max(0, max_windows - len(chosen))]]))


@torch.no_grad()
def embed_windows(encoder, windows: HarWindows, batch_size: int = 16, progress: bool = False) -> np.ndarray:
    """
    One embedding per window by a frozen encoder.

    Args:
        encoder (`AnyMoGraphEncoder`):
            Put in evaluation mode while it works.
        windows (`HarWindows`):
            From `load_har_windows`.
        batch_size (`int`, *optional*, defaults to 16):
            Windows at a time.
        progress (`bool`, *optional*, defaults to `False`):
            Whether to show a progress bar.

    Returns:
        `np.ndarray` of shape `(num_windows, 2 * hidden_size)`: Mean of the pooled latents over the steps of the
        window, then their standard deviation, which helped on every set for development.
    """
    was_training = encoder.training
    encoder.eval()
    embeddings = []
    for first in tqdm(range(0, len(windows), batch_size), desc="windows", disable=not progress, leave=False):
        features = windows.on_body(slice(first, first + batch_size))
        features = {name: feature.to(encoder.device) for name, feature in features.items()}
        outputs = encoder(**features, pooled_only=True)
        steps = outputs.steps_mask[..., None].to(outputs.pooled_latents.dtype)
        count = steps.sum(dim=1).clamp(min=1)
        mean = (outputs.pooled_latents * steps).sum(dim=1) / count
        variance = ((outputs.pooled_latents - mean[:, None]).square() * steps).sum(dim=1) / count
        embeddings.append(torch.cat([mean, variance.sqrt()], dim=1).float().cpu().numpy())
    encoder.train(was_training)
    return np.concatenate(embeddings)


__all__ = ["HarWindows", "balanced_choice", "embed_windows", "load_har_windows"]

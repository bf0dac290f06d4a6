# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""A logistic regression that has only seen synthetic people, tested on real ones."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from synthesis_signals import (
    BANDS,
    MAX_CUTOFF,
    SIMULATION_RATE,
    at_rate,
    cadence,
    fill_gaps,
    power_spectrum,
    synthetic_readings,
    windows,
)

from anymo_hf.evaluation.har_datasets import HAR_DATASETS, load_har_recordings
from anymo_hf.evaluation.results import Result


CLASSES = {
    "walking": ("walk", "walk_slow", "walk_fast", "walk_curve"),
    "walking upstairs": ("stairs_up",) * 4,
    "walking downstairs": ("stairs_down",) * 4,
    "sitting": ("sit",) * 4,
    "standing": ("stand", "stand_crossed", "stand_hips", "stand_folded"),
    "lying": ("lie_back", "lie_front", "lie_left_side", "lie_right_side"),
}
PLACES = ("waist", "left hip", "right hip", "back of the waist")  # the side of the waist is not stated
NUM_PEOPLE = 40
SECONDS = 2.56  # windows of UCI-HAR
PERCENTILES = (10, 25, 50, 75, 90)


def features(window: np.ndarray, rate: float, upright: np.ndarray | None) -> np.ndarray:
    """Statistics of a window `(num_samples, 6)` that no turn of the sensor changes; more with its up direction."""
    force, turning = window[:, :3], window[:, 3:]
    series = [np.linalg.norm(v, axis=1) for v in (force, turning, force - force.mean(0))]
    if upright is not None:
        up = upright / np.linalg.norm(upright)
        vertical = force @ up
        series += [vertical, np.linalg.norm(force - vertical[:, None] * up, axis=1), np.abs(turning @ up)]
    values = [statistic for one in series for statistic in (one.mean(), one.std(), *np.percentile(one, PERCENTILES))]
    for one in (*(s[:, None] for s in series), force, turning):
        power, frequencies = power_spectrum(one, rate)
        values += [np.log(power[(frequencies >= low) & (frequencies < high)].mean() + 1e-6) for low, high in BANDS]
    values += list(np.log(np.linalg.eigvalsh(np.cov(force.T)) + 1e-6)) + [cadence(force, rate)]
    if upright is not None:
        mean = force.mean(0)
        values.append(np.degrees(np.arccos(np.clip(mean @ up / np.linalg.norm(mean), -1, 1))))
    return np.array(values)


def synthetic_set(rate: float, with_up: bool) -> tuple[np.ndarray, np.ndarray]:
    """Features and class numbers of synthetic people, each with a phone that is mounted at random."""
    inputs, targets = [], []
    for person in range(NUM_PEOPLE):
        place = (PLACES[person % len(PLACES)],)
        stood = synthetic_readings("stand", person, place, "phone")[:, 0, :3].mean(0)
        for number, activities in enumerate(CLASSES.values()):
            for repeat, activity in enumerate(activities):
                # A person has one body and one mounting; repeats of an activity differ in manner.
                readings = synthetic_readings(activity, person, place, "phone", manner=repeat * NUM_PEOPLE + person)
                even = at_rate(readings[:, 0], np.arange(len(readings)) / SIMULATION_RATE, rate, MAX_CUTOFF)
                for window in windows(even, rate, SECONDS):
                    inputs.append(features(window, rate, stood if with_up else None))
                    targets.append(number)
    return np.array(inputs), np.array(targets)


def real_set(folder: Path, with_up: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, class numbers and subjects of HAPT; up is the mean force of a person's labelled standing."""
    name, found = "hapt_ucihar_raw", defaultdict(list)
    rate, words = HAR_DATASETS[name].sampling_rate, list(CLASSES)
    for recording in load_har_recordings(folder / "har" / f"{name}.parquet"):
        (sensor,) = recording.sensors
        for span in recording.activities:
            inside = (sensor.timestamps >= span.start) & (sensor.timestamps <= span.end)
            activity = "lying" if span.activity.startswith(("lying", "laying")) else span.activity
            if activity in words and inside.sum() > SECONDS * rate:
                values = fill_gaps(sensor.values[inside])
                even = at_rate(values, sensor.timestamps[inside], rate, MAX_CUTOFF)
                found[recording.source["subject"], activity] += list(windows(even, rate, SECONDS))
    inputs, targets, people = [], [], []
    for (person, activity), group in found.items():
        stood = np.concatenate(found[person, "standing"])[:, :3].mean(0) if with_up else None
        inputs += [features(window, rate, stood) for window in group]
        targets += [words.index(activity)] * len(group)
        people += [person] * len(group)
    return np.array(inputs), np.array(targets), np.array(people)


def fit_logistic_regression(inputs: np.ndarray, targets: np.ndarray, penalty: float = 1e-3):
    """A function from features to class numbers: multinomial logistic regression on standardised features."""
    mean, scale = inputs.mean(0), inputs.std(0) + 1e-9
    num_classes = int(targets.max()) + 1

    def standardise(values):
        # What lies far outside of all training data shall not decide alone.
        return torch.from_numpy(np.clip((values - mean) / scale, -5, 5))

    x, y = standardise(inputs), torch.from_numpy(targets)
    weight = torch.zeros(x.shape[1], num_classes, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(num_classes, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=300, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(x @ weight + bias, y) + penalty * (weight**2).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return lambda values: (standardise(values) @ weight + bias).argmax(1).numpy()


def confusion_matrix(targets: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts, true class by row."""
    counts = np.zeros((num_classes, num_classes), int)
    np.add.at(counts, (targets, predicted), 1)
    return counts


def macro_f1(counts: np.ndarray) -> float:
    """Mean over classes of 2 TP / (2 TP + FP + FN)."""
    return float(np.mean(2 * np.diag(counts) / np.maximum(counts.sum(0) + counts.sum(1), 1)))


def measure_hapt(folder: Path, **common) -> list[Result]:
    """Accuracy and macro-F1 on all of HAPT, without and with the sensor's up direction; prints the confusions."""
    rows = []
    for with_up in (False, True):
        rate = HAR_DATASETS["hapt_ucihar_raw"].sampling_rate
        predict = fit_logistic_regression(*synthetic_set(rate, with_up))
        inputs, targets, people = real_set(folder, with_up)
        counts = confusion_matrix(targets, predict(inputs), len(CLASSES))
        subset = "up direction known from standing" if with_up else "mounting unknown"
        figures = {"accuracy": np.trace(counts) / counts.sum(), "macro-F1": macro_f1(counts)}
        print(f"\nHAPT, {subset}: " + ", ".join(f"{name} {value:.3f}" for name, value in figures.items()))
        for word, row in zip(CLASSES, counts, strict=True):
            print(f"{word:20s}" + "".join(f"{count:7d}" for count in row), flush=True)
        majority = float(counts.sum(1).max() / counts.sum())
        rows += [
            Result("trained on synthetic data alone", "hapt_ucihar_raw", subset, "logistic regression", metric,
                   round(float(value), 4), num_windows=len(targets), num_subjects=len(set(people)),
                   num_classes=len(CLASSES), chance=1 / len(CLASSES), majority=majority,
                   note=f"windows of {SECONDS:g} s, {NUM_PEOPLE} synthetic people", **common)
            for metric, value in figures.items()
        ]  # fmt: skip
    return rows

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Accuracy and macro-F1 from confusion matrices, and how far to trust them.

Windows of one person resemble each other, so that people are what counts: an interval comes from drawing people anew,
and where there are too few of them every person's value is given instead.
"""

from collections.abc import Callable, Sequence

import numpy as np


MIN_BOOTSTRAP_SUBJECTS = 8


def confusion_by_subject(
    labels: np.ndarray, predictions: np.ndarray, subjects: np.ndarray, classes: Sequence[str]
) -> np.ndarray:
    """
    How often each class was taken for each other, one matrix per person.

    Args:
        labels (`np.ndarray` of shape `(num_windows,)`):
            Truth, in words.
        predictions (`np.ndarray` of shape `(num_windows,)`):
            What was said instead.
        subjects (`np.ndarray` of shape `(num_windows,)`):
            Who it was.
        classes (`Sequence[str]`):
            Every word that occurs in either.

    Returns:
        `np.ndarray` of shape `(num_subjects, num_classes, num_classes)`: Counts, rows are the truth; people in sorted
        order.
    """
    index = {name: i for i, name in enumerate(classes)}
    unknown = (set(labels.tolist()) | set(predictions.tolist())) - set(index)
    if unknown:
        raise ValueError(f"`classes` must name every class, but {sorted(unknown)} are missing.")
    people, rows = np.unique(subjects, return_inverse=True)
    confusion = np.zeros((len(people), len(index), len(index)), dtype=np.int64)
    truth, said = ([index[name] for name in names.tolist()] for names in (labels, predictions))
    np.add.at(confusion, (rows, truth, said), 1)
    return confusion


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """Share of windows on the diagonal of matrices of shape `(..., num_classes, num_classes)`."""
    return np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum(axis=(-2, -1))


def macro_f1(confusion: np.ndarray) -> np.ndarray:
    """Mean F1 of the classes that occur in the truth; matrices of shape `(..., num_classes, num_classes)`."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    truth, said = confusion.sum(axis=-1), confusion.sum(axis=-2)
    f1 = 2 * hits / np.maximum(truth + said, 1)
    occurs = truth > 0
    return (f1 * occurs).sum(axis=-1) / occurs.sum(axis=-1)


def majority_share(labels: np.ndarray) -> float:
    """Accuracy of always naming the commonest class."""
    return float(np.unique(labels, return_counts=True)[1].max() / len(labels))


def bootstrap_interval(
    confusion: np.ndarray,
    metric: Callable[[np.ndarray], np.ndarray],
    num_samples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """
    Percentile interval of a metric over people drawn with replacement.

    Args:
        confusion (`np.ndarray` of shape `(num_draws, num_subjects, num_classes, num_classes)`):
            Counts of each person; the metric is averaged over the draws of few-shot examples.
        metric (`Callable`):
            `accuracy` or `macro_f1`.
        num_samples (`int`, *optional*, defaults to 1000):
            Samples of people.
        level (`float`, *optional*, defaults to 0.95):
            Share of samples inside.
        seed (`int`, *optional*, defaults to 0):
            Of the samples.

    Returns:
        `tuple[float, float]`: Lower and upper end.
    """
    num_subjects = confusion.shape[1]
    generator = np.random.default_rng(seed)
    counts = generator.multinomial(num_subjects, np.full(num_subjects, 1 / num_subjects), size=num_samples)
    # One draw at a time: all samples of a set with 27 classes at once would take hundreds of megabytes.
    values = np.mean([metric(np.tensordot(counts, one, axes=1)) for one in confusion], axis=0)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


__all__ = [
    "MIN_BOOTSTRAP_SUBJECTS",
    "accuracy",
    "bootstrap_interval",
    "confusion_by_subject",
    "macro_f1",
    "majority_share",
]

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
What a frozen encoder's embeddings know: linear probe, few-shot probe and nearest neighbours, people left out.

The linear and the few-shot probe need scikit-learn (`pip install -e ".[eval]"`), `nearest_neighbour_accuracy` does
not: it is meant to be called while training. Nothing of a person that is tested reaches what the probes fit, neither
labels nor the statistics that standardise.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from transformers import TrainerCallback

from anymo_hf.evaluation.embeddings import HarWindows, embed_windows, load_har_windows
from anymo_hf.evaluation.har_datasets import find_har_datasets
from anymo_hf.evaluation.metrics import (
    MIN_BOOTSTRAP_SUBJECTS,
    accuracy,
    bootstrap_interval,
    confusion_by_subject,
    macro_f1,
)


MAX_FOLDS = 5
INNER_FOLDS = 3
REGULARISATIONS = (0.003, 0.03, 0.3)  # `C` of scikit-learn: small is strong
FEW_SHOT_REGULARISATION = 0.1
MAX_DEVIATION = 5.0  # what lies far outside of all training data shall not decide alone
MAX_ITERATIONS = 200
VALIDATION_WINDOWS = 100  # of each set; some seconds each time


@dataclass
class ProbeScores:
    """
    How a probe did.

    Args:
        confusion (`np.ndarray` of shape `(num_draws, num_subjects, num_classes, num_classes)`):
            Windows by truth and prediction, for every draw of examples and every person who was left out.
        subjects, classes (`tuple[str, ...]`):
            In the order of the axes.
    """

    confusion: np.ndarray
    subjects: tuple[str, ...]
    classes: tuple[str, ...]

    @property
    def accuracy(self) -> float:
        """Over all windows, mean of the draws."""
        return float(accuracy(self.confusion.sum(axis=1)).mean())

    @property
    def macro_f1(self) -> float:
        """Over all windows, mean of the draws."""
        return float(macro_f1(self.confusion.sum(axis=1)).mean())

    @property
    def accuracy_by_subject(self) -> dict[str, float]:
        """Of each person, mean of the draws."""
        return dict(zip(self.subjects, accuracy(self.confusion).mean(axis=0).tolist(), strict=True))

    @property
    def macro_f1_by_subject(self) -> dict[str, float]:
        """Of each person, over the classes that the person did, mean of the draws."""
        return dict(zip(self.subjects, macro_f1(self.confusion).mean(axis=0).tolist(), strict=True))

    def interval(self, metric) -> tuple[float, float] | None:
        """95 % over people drawn anew, for `accuracy` or `macro_f1`; `None` where they are fewer than eight."""
        return bootstrap_interval(self.confusion, metric) if len(self.subjects) >= MIN_BOOTSTRAP_SUBJECTS else None


def leave_subjects_out(subjects: np.ndarray, num_folds: int = MAX_FOLDS, seed: int = 0) -> list[np.ndarray]:
    """
    Which windows each fold tests.

    Args:
        subjects (`np.ndarray` of shape `(num_windows,)`):
            Who it was.
        num_folds (`int`, *optional*, defaults to 5):
            Each with other people; with fewer people each is a fold.
        seed (`int`, *optional*, defaults to 0):
            Of the order in which people are dealt out.

    Returns:
        `list[np.ndarray]`: Masks of shape `(num_windows,)`; every window is in one.

    Raises:
        ValueError: If there is only one person.
    """
    people = np.random.default_rng(seed).permutation(np.unique(subjects))
    if len(people) < 2:
        raise ValueError(f"Leaving people out needs at least two of them, but there is only {people.tolist()}.")
    return [np.isin(subjects, fold) for fold in np.array_split(people, min(num_folds, len(people)))]


def linear_probe(
    embeddings: np.ndarray, labels: np.ndarray, subjects: np.ndarray, test_embeddings: np.ndarray | None = None
) -> ProbeScores:
    """
    Logistic regression on everybody else's windows; its regularisation is chosen among their people.

    Args:
        embeddings (`np.ndarray` of shape `(num_windows, embedding_size)`):
            What is fitted.
        labels (`np.ndarray` of shape `(num_windows,)`):
            Classes, in words.
        subjects (`np.ndarray` of shape `(num_windows,)`):
            Who it was.
        test_embeddings (`np.ndarray` of shape `(num_windows, embedding_size)`, *optional*, defaults to `None`):
            The same windows as another setup gives them, tested in place of `embeddings`; or several, of shape
            `(num_setups, num_windows, embedding_size)`: the setups take the place of draws.

    Returns:
        `ProbeScores`: Of all people, each left out once.
    """
    tested = embeddings if test_embeddings is None else test_embeddings
    tested = tested[None] if tested.ndim == 2 else tested
    predictions = np.empty(tested.shape[:2], dtype=labels.dtype)
    for test in leave_subjects_out(subjects):
        train = ~test
        strength = _choose_regularisation(embeddings[train], labels[train], subjects[train])
        predict = _fit(embeddings[train], labels[train], strength)
        for row, setup in enumerate(tested):
            predictions[row, test] = predict(setup[test])
    return _score(labels, predictions, subjects)


def few_shot_probe(
    embeddings: np.ndarray,
    labels: np.ndarray,
    subjects: np.ndarray,
    num_shots: int = 5,
    num_draws: int = 20,
    seed: int = 0,
) -> ProbeScores:
    """
    Logistic regression on a few windows per class of other people.

    Args:
        embeddings (`np.ndarray` of shape `(num_windows, embedding_size)`):
            Of all windows.
        labels (`np.ndarray` of shape `(num_windows,)`):
            Classes, in words.
        subjects (`np.ndarray` of shape `(num_windows,)`):
            Who it was.
        num_shots (`int`, *optional*, defaults to 5):
            Windows per class.
        num_draws (`int`, *optional*, defaults to 20):
            Of these windows; the same for every model that is compared.
        seed (`int`, *optional*, defaults to 0):
            Draw `i` has the seed `[seed, i]`.

    Returns:
        `ProbeScores`: Of all people, each left out once per draw.
    """
    predictions = np.empty((num_draws, len(labels)), dtype=labels.dtype)
    for draw in range(num_draws):
        generator = np.random.default_rng([seed, draw])
        for test in leave_subjects_out(subjects):
            shots = _draw_shots(labels, ~test, num_shots, generator)
            predictions[draw, test] = _fit(embeddings[shots], labels[shots], FEW_SHOT_REGULARISATION)(embeddings[test])
    return _score(labels, predictions, subjects)


def nearest_neighbour_accuracy(
    embeddings: np.ndarray, labels: np.ndarray, subjects: np.ndarray, num_neighbours: int = 5
) -> float:
    """
    Share of windows whose nearest neighbours among other people's windows are mostly of their class.

    Fast enough to watch a training run: a second for thousands of windows.

    Args:
        embeddings (`np.ndarray` of shape `(num_windows, embedding_size)`):
            Compared by cosine after every feature was standardised; labels play no part in that.
        labels (`np.ndarray` of shape `(num_windows,)`):
            Classes, in words.
        subjects (`np.ndarray` of shape `(num_windows,)`):
            Who it was.
        num_neighbours (`int`, *optional*, defaults to 5):
            Who vote, each with its cosine.

    Returns:
        `float`: Accuracy, 0 to 1.
    """
    scaled = (embeddings - embeddings.mean(axis=0)) / (embeddings.std(axis=0) + 1e-9)
    scaled /= np.linalg.norm(scaled, axis=1, keepdims=True) + 1e-9
    cosine = scaled @ scaled.T
    cosine[subjects[:, None] == subjects] = -np.inf
    num_neighbours = min(num_neighbours, int((subjects[:, None] != subjects).sum(axis=1).min()))
    if not num_neighbours:
        raise ValueError("Nearest neighbours among other people need at least two people, but there is only one.")
    nearest = np.argpartition(-cosine, num_neighbours - 1, axis=1)[:, :num_neighbours]
    classes, codes = np.unique(labels, return_inverse=True)
    votes = np.zeros((len(labels), len(classes)))
    rows = np.arange(len(labels))[:, None]
    np.add.at(votes, (rows, codes[nearest]), 1 + np.take_along_axis(cosine, nearest, axis=1))
    return float((votes.argmax(axis=1) == codes).mean())


class NearestNeighbourValidation(TrainerCallback):
    """
    Adds `eval_<set>_nearest_neighbours` to every evaluation of a graph encoder that is being trained.

    It looks at sets for development only, those for the report stay unseen. The values are in `state.log_history` and
    among the metrics, so that `metric_for_best_model` may name one.

    Args:
        folder (`str` or `Path`):
            Of real recordings, see `find_har_datasets`.
        max_windows (`int`, *optional*, defaults to 100):
            Of each set; at least one of every person and class.
    """

    def __init__(self, folder: str | Path, max_windows: int = VALIDATION_WINDOWS):
        found = [(dataset, path) for dataset, path in find_har_datasets(folder) if dataset.split == "development"]
        if not found:
            raise ValueError(f"{folder} holds no set for development, such as umafall; give another folder.")
        self.windows: dict[str, HarWindows] = {
            dataset.name: load_har_windows(path, dataset, max_windows=max_windows) for dataset, path in found
        }

    def on_evaluate(self, args, state, control, metrics=None, model=None, **kwargs):
        """Embeds the windows with the encoder as it is."""
        encoder, scores = model.base_model, {}
        for name, windows in self.windows.items():
            embeddings = embed_windows(encoder, windows)
            score = nearest_neighbour_accuracy(embeddings, windows.activities, windows.subjects)
            scores[f"eval_{name}_nearest_neighbours"] = score
        if metrics is not None:
            metrics.update(scores)
        state.log_history.append({**scores, "step": state.global_step})
        if state.is_world_process_zero:
            print(" ".join(f"{name}={score:.3f}" for name, score in scores.items()), flush=True)


def _choose_regularisation(embeddings: np.ndarray, labels: np.ndarray, subjects: np.ndarray) -> float:
    """The one that does best on people left out within the training people."""
    if len(np.unique(subjects)) < 2:
        return REGULARISATIONS[len(REGULARISATIONS) // 2]
    hits = np.zeros(len(REGULARISATIONS))
    for test in leave_subjects_out(subjects, INNER_FOLDS):
        for i, strength in enumerate(REGULARISATIONS):
            predict = _fit(embeddings[~test], labels[~test], strength)
            hits[i] += (predict(embeddings[test]) == labels[test]).sum()
    return REGULARISATIONS[int(hits.argmax())]


def _fit(embeddings: np.ndarray, labels: np.ndarray, strength: float):
    """Logistic regression on standardised features, as a function from embeddings to labels."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(labels)) == 1:
        return lambda values: np.full(len(values), labels[0])
    mean, deviation = embeddings.mean(axis=0), embeddings.std(axis=0)
    deviation = np.where(deviation > 1e-6 * np.abs(mean) + 1e-12, deviation, np.inf)  # constant features say nothing

    def standardise(values: np.ndarray) -> np.ndarray:
        return np.clip((values - mean) / deviation, -MAX_DEVIATION, MAX_DEVIATION)

    with warnings.catch_warnings():
        # Ranks of classes settle long before the last digits of the weights do.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=strength, max_iter=MAX_ITERATIONS, tol=1e-3)
        model.fit(standardise(embeddings), labels)
    return lambda values: model.predict(standardise(values))


def _draw_shots(labels: np.ndarray, allowed: np.ndarray, num_shots: int, generator) -> np.ndarray:
    """Indices of so many allowed windows of each class, fewer where there are fewer."""
    classes = np.unique(labels[allowed])
    shots = [generator.permutation(np.flatnonzero(allowed & (labels == name)))[:num_shots] for name in classes]
    return np.concatenate(shots)


def _score(labels: np.ndarray, predictions: np.ndarray, subjects: np.ndarray) -> ProbeScores:
    classes = np.unique(labels)
    confusion = np.stack([confusion_by_subject(labels, row, subjects, classes) for row in predictions])
    return ProbeScores(confusion, tuple(np.unique(subjects).tolist()), tuple(classes.tolist()))


__all__ = [
    "NearestNeighbourValidation",
    "ProbeScores",
    "few_shot_probe",
    "leave_subjects_out",
    "linear_probe",
    "nearest_neighbour_accuracy",
]

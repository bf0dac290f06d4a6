# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""What zero-shot figures must beat: guessing, the commonest class, moving against still alone, random weights."""

import copy

import numpy as np
import torch

from anymo_hf.evaluation.embeddings import HarWindows
from anymo_hf.evaluation.zero_shot import ZeroShotScores, name_by_similarity, score_guesses


CHANCE, MAJORITY, MOVING_OR_STILL = "chance", "majority", "moving against still only"
RANDOM_WEIGHTS = "random weights"
# m/s^2, deviation of the force's length over a window. Simulated sensors with the errors of devices give 0.02 to 0.04
# in synthetic sitting, standing and lying, and 3.7 in walking (medians); this is about their geometric mean. No real
# recording had a part in it.
STILL_DEVIATION = 0.4
# A class is still if its words begin so; "sitting down" and "standing up" are movements.
STILL_WORDS = ("sitting", "seated", "standing", "lying", "laying", "sleeping", "resting")
MOVEMENTS = ("down", "up")


def control_scores(windows: HarWindows, classes: tuple[str, ...]) -> dict[str, ZeroShotScores]:
    """The three controls that need no network, by their names in the tables."""
    guesses = {
        CHANCE: guess_alike(windows, classes),
        MAJORITY: guess_commonest(windows, classes),
        MOVING_OR_STILL: guess_moving_or_still(windows, classes),
    }
    return {name: score_guesses(*guess, windows, classes) for name, guess in guesses.items()}


def guess_alike(windows: HarWindows, classes: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Every class alike: arguments of `score_guesses`, as of the next two functions."""
    shape = (len(windows), len(classes))
    return np.full(shape, 1 / len(classes)), np.full(shape, min(2, len(classes)) / len(classes))


def guess_commonest(windows: HarWindows, classes: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The commonest classes of these windows, which nobody knows beforehand."""
    counts = np.array([float((windows.activities == name).sum()) for name in classes])
    return name_by_similarity(np.broadcast_to(counts, (len(windows), len(classes))))


def guess_moving_or_still(windows: HarWindows, classes: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Knows only whether a window is still, and guesses among the classes that are so, each alike."""
    still_classes = np.array([is_still_activity(name) for name in classes])
    is_still = force_deviation(windows) < STILL_DEVIATION
    side = np.where(is_still[:, None], still_classes, ~still_classes)  # (num_windows, num_classes)
    side[~side.any(axis=1)] = True  # nothing is of that kind
    size = side.sum(axis=1, keepdims=True)
    # Where the side has one class only, the second guess is any of the others.
    others = np.where(size == 1, 1 / max(len(classes) - 1, 1), 0.0)
    return side / size, np.where(side, np.minimum(2 / size, 1), others)


def is_still_activity(name: str) -> bool:
    """Whether the words name a posture that is held: `"sitting"`, but not `"sitting down on a chair"`."""
    words = name.lower().split()
    return words[0] in STILL_WORDS and not (len(words) > 1 and words[1] in MOVEMENTS)


def force_deviation(windows: HarWindows) -> np.ndarray:
    """Standard deviation of the length of the force over each window, mean of its sensors, in m/s^2."""
    observed = windows.mask[..., :3].all(axis=-1)  # (num_windows, num_frames, num_sensors)
    count = np.maximum(observed.sum(axis=1), 1)
    length = np.linalg.norm(windows.values[..., :3], axis=-1) * observed
    mean = length.sum(axis=1) / count
    deviation = np.sqrt((((length - mean[:, None]) * observed) ** 2).sum(axis=1) / count)
    worn = observed.any(axis=1)
    return (deviation * worn).sum(axis=1) / np.maximum(worn.sum(axis=1), 1)


def untrained_pipeline(pipeline, seed: int):
    """
    The same pipeline with a network of the same sizes that learned nothing.

    Args:
        pipeline (`ZeroShotIMUClassificationPipeline`):
            With the trained network.
        seed (`int`):
            Of the weights. Only mean and deviation of readings are those of the trained network.

    Returns:
        `ZeroShotIMUClassificationPipeline`: On the same device, with the same processor.
    """
    trained = pipeline.model
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = type(trained)(copy.deepcopy(trained.config))
    known, fresh = trained.base_model.graph_encoder, model.base_model.graph_encoder
    fresh.input_mean.copy_(known.input_mean)
    fresh.input_std.copy_(known.input_std)
    return type(pipeline)(model, processor=pipeline.processor, task=pipeline.task, device=pipeline.device)


__all__ = [
    "CHANCE",
    "MAJORITY",
    "MOVING_OR_STILL",
    "RANDOM_WEIGHTS",
    "control_scores",
    "force_deviation",
    "guess_alike",
    "guess_commonest",
    "guess_moving_or_still",
    "is_still_activity",
    "untrained_pipeline",
]

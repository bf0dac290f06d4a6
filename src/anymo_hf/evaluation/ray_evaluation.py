# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""`classify_windows_on_ray`: zero-shot scores of many recordings by the machines of a Ray cluster."""

import functools

import numpy as np
import torch

from anymo_hf.evaluation.embeddings import HarWindows
from anymo_hf.evaluation.zero_shot import ZeroShotScores, embed_har_windows, name_by_similarity, score_guesses
from anymo_hf.simulation.ray_jobs import connect, run_on_ray


# A worker fetches the model for every task: so many windows make that cheap.
WINDOWS_PER_TASK = 512


def classify_windows_on_ray(
    pipeline,
    windows: HarWindows,
    classes: tuple[str, ...],
    place_told: bool = True,
    batch_size: int = 32,
    progress: bool = True,
    *,
    address: str = "auto",
) -> ZeroShotScores:
    """
    `classify_windows`, with the windows shared out by recordings.

    Args:
        pipeline (`ZeroShotIMUClassificationPipeline`):
            Is sent to the workers.
        windows (`HarWindows`):
            From `load_har_windows`.
        classes (`tuple[str, ...]`):
            As in `classify_windows`.
        place_told (`bool`, *optional*, defaults to `True`):
            As in `classify_windows`.
        batch_size (`int`, *optional*, defaults to 32):
            As in `classify_windows`.
        progress (`bool`, *optional*, defaults to `True`):
            Whether to show a progress bar.
        address (`str`, *optional*, defaults to `"auto"`):
            As in `run_on_ray`.

    Returns:
        `ZeroShotScores`: Of all windows, each counted once.

    Raises:
        RuntimeError: If a part cannot be classified by any worker.
    """
    connect(address)
    import ray

    parts = split_by_recording(windows)
    tasks = [(index, windows.select(rows), place_told, batch_size) for index, rows in enumerate(parts)]
    embed = functools.partial(_embed, ray.put(pipeline))
    labels = pipeline.embed_labels(classes)
    similarities = np.full((len(windows), len(classes)), np.nan)
    for (index, *_), result in run_on_ray(embed, tasks, "Windows", address=address, progress=progress):
        if isinstance(result, str):
            raise RuntimeError(f"Some windows were not classified: {result}.")
        similarities[parts[index]] = (torch.from_numpy(result) @ labels.T).numpy()
    return score_guesses(*name_by_similarity(similarities), windows, classes)


def split_by_recording(windows: HarWindows) -> list[np.ndarray]:
    """Rows of windows in parts: recordings stay together unless one alone is too long."""
    _, number = np.unique(np.stack([windows.subjects, windows.recordings]).astype(str), axis=1, return_inverse=True)
    order = np.argsort(number.ravel(), kind="stable")
    ends = np.flatnonzero(np.diff(number.ravel()[order])) + 1
    parts, start = [], 0
    for end in [*ends.tolist(), len(order)]:
        if end - start >= WINDOWS_PER_TASK or end == len(order):
            parts += [order[i : min(i + WINDOWS_PER_TASK, end)] for i in range(start, end, WINDOWS_PER_TASK)]
            start = end
    return parts


def _embed(stored, index: int, windows: HarWindows, place_told: bool, batch_size: int) -> np.ndarray | str:
    import ray

    try:
        return embed_har_windows(ray.get(stored), windows, place_told, batch_size).numpy()
    except ValueError as error:
        return str(error)


__all__ = ["classify_windows_on_ray"]

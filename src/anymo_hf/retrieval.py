# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Retrieval: where in some recordings a text describes what happens."""

import os

import torch

from anymo_hf.processing import Recording


def retrieve(text: str, recordings, embed, top_k: int | None = 10, **options) -> list[dict]:
    """
    Ranks the windows of recordings by how well a text describes them.

    Args:
        text (`str`):
            What is looked for, such as `"a person climbs stairs"`.
        recordings (iterable, path or `Recording`):
            One recording or several, of any form that pipelines take; a generator is read one by one.
        embed (`IMUFeatureExtractionPipeline`):
            `pipeline("imu-feature-extraction", model=...)` with a model that knows texts.
        top_k (`int`, *optional*, defaults to 10):
            How many windows to give; `None` gives all.
        **options:
            For `embed`: `window`, `overlap`, `placements` ...

    Returns:
        `list[dict]`: The best first: `recording`, the index of its recording, `start` and `end` in seconds on that
        one's clock, and `score`, the cosine between the two embeddings, from -1 to 1.

    Raises:
        ValueError: If the text is empty, or nothing is there to search.
    """
    if top_k is not None and top_k < 1:
        raise ValueError(f"`top_k` must be a whole number from 1, or None for all windows, but is {top_k!r}.")
    if isinstance(recordings, (str, os.PathLike, Recording)):
        recordings = [recordings]
    query = embed.embed_texts([text])[0]
    found = [
        {"recording": index, "start": window["start"], "end": window["end"],
         "score": float(torch.from_numpy(window["embedding"]) @ query)}
        for index, windows in enumerate(embed((recording for recording in recordings), **options))
        for window in windows
    ]  # fmt: skip
    if not found:
        raise ValueError("At least one recording is needed, but there is none.")
    return sorted(found, key=lambda window: -window["score"])[:top_k]


__all__ = ["retrieve"]

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Retrieval between motion and text, both ways, over windows of motion that training did not see.

    embed = pipeline("imu-feature-extraction", model="anymo", dtype="float32")
    held_out = MotionTextDataset(["converted", "synthetic"]).split(0.05)[1]
    described = embed_described(embed, held_out)
    for name, part in by_source(described).items():
        motion_to_text(part), text_to_motion(part)

Texts that say the same words count as one. A gallery of few texts is easy, so every figure goes with the size of its
gallery and with what a random order would reach.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from tqdm.auto import tqdm

from anymo_hf.simulation.conversion import read_header
from anymo_hf.training.motion_text import MotionTextDataset, pad_features


RANKS = (1, 5, 10)
SYNTHESIS = "anymo-hf synthesis"  # as the headers of synthetic motion name their data set
HUMAN_SENTENCES = "human sentences"
# Sources of texts by the data set that a header names; others go by its own name.
SOURCES = {
    SYNTHESIS: "synthesis descriptions",
    "bandai": "Bandai-Namco phrases",
    "hdm05": "HDM05 phrases",
    "cmu_bvh": "CMU trial descriptions",
    "cmu_amc": "CMU trial descriptions",
}


@dataclass
class DescribedMotion:
    """
    Windows and what may be said of them.

    Args:
        embeddings (`torch.Tensor` of shape `(num_windows, hidden_size)`):
            Of the windows, unit length.
        texts (`list[frozenset[str]]`):
            Texts of each window, in the spelling of `same_words`.
        sources (`list[str]`):
            Who wrote them.
        text_embeddings (`dict[str, torch.Tensor]`):
            Of every text, each of shape `(hidden_size,)` and unit length.
    """

    embeddings: torch.Tensor
    texts: list[frozenset[str]]
    sources: list[str]
    text_embeddings: dict[str, torch.Tensor]


@dataclass(frozen=True)
class RetrievalScores:
    """
    How far up the first right answer stands. Figures are shares, 0 to 1.

    Args:
        num_queries, gallery_size (`int`):
            How many were asked for, and among how many.
        recall (`dict[int, float]`):
            Share of queries with a right answer among the first 1, 5 and 10.
        mean_reciprocal_rank (`float`):
            Mean of 1 / rank of the first right answer.
        chance_recall (`dict[int, float]`), chance_mean_reciprocal_rank (`float`):
            The same of a random order, on average.
    """

    num_queries: int
    gallery_size: int
    recall: dict[int, float]
    mean_reciprocal_rank: float
    chance_recall: dict[int, float]
    chance_mean_reciprocal_rank: float

    def figures(self) -> dict[str, tuple[float, float]]:
        """Of each metric its value and that of chance."""
        found = {f"R@{rank}": (self.recall[rank], self.chance_recall[rank]) for rank in RANKS}
        return found | {"MRR": (self.mean_reciprocal_rank, self.chance_mean_reciprocal_rank)}


@torch.no_grad()
def embed_described(
    pipeline, dataset: MotionTextDataset, batch_size: int = 32, progress: bool = False
) -> DescribedMotion:
    """
    Embeddings of all windows of a data set and of their texts.

    Args:
        pipeline (`WindowPipeline`):
            With a language model.
        dataset (`MotionTextDataset`):
            Windows that have a description; the others are left out.
        batch_size (`int`, *optional*, defaults to 32):
            Windows at a time.
        progress (`bool`, *optional*, defaults to `False`):
            Whether to show a progress bar.

    Returns:
        `DescribedMotion`: In the order of the data set.
    """
    sources = window_sources(dataset)
    embeddings, texts, kept = [], [], []
    for start in tqdm(range(0, len(dataset), batch_size), desc="windows", disable=not progress, leave=False):
        indices = range(start, min(start + batch_size, len(dataset)))
        described = [(index, item) for index in indices if (item := dataset[index])["texts"]]
        if not described:
            continue
        items = [item for _, item in described]
        embeddings.append(pipeline.embed_windows(window_features(items), [i["placements"] for i in items]).cpu())
        texts += [frozenset(map(same_words, item["texts"])) for item in items]
        kept += [sources[index] for index, _ in described]
    words = sorted(frozenset().union(*texts))
    return DescribedMotion(
        torch.cat(embeddings), texts, kept, dict(zip(words, pipeline.embed_texts(words), strict=True))
    )


def window_features(items: Sequence[dict]) -> dict[str, np.ndarray]:
    """Items of a `MotionTextDataset` as pipelines take them, `(batch_size, 1, num_frames, 23, 6)` both."""
    return {name: values[:, None].numpy() for name, values in pad_features(list(items)).items()}


def same_words(text: str) -> str:
    """What texts share that differ in capitals, spaces or the last full stop only."""
    return " ".join(text.lower().split()).rstrip(" .")


def window_sources(dataset: MotionTextDataset) -> list[str]:
    """Of every window of a data set, who wrote its texts: human sentences go before the labels of their motion."""
    sources = []
    for stretch in dataset.stretches:
        header = read_header(stretch.clip.path)
        name = header["source"].get("dataset", "unknown")
        middle = header["start_time"] + (stretch.first_frame + stretch.num_frames / 2) / 60
        captioned = any(
            text["kind"] == "caption" and text["start"] <= middle <= text["end"] for text in header["texts"]
        )
        source = HUMAN_SENTENCES if captioned and name != SYNTHESIS else SOURCES.get(name, name)
        sources += [source] * -(-stretch.num_frames // dataset.num_frames)
    return sources


def by_source(described: DescribedMotion) -> dict[str, DescribedMotion]:
    """The windows of each source by themselves, each with a gallery of its own."""
    parts = {}
    for source in dict.fromkeys(described.sources):
        rows = [i for i, name in enumerate(described.sources) if name == source]
        texts = [described.texts[i] for i in rows]
        words = sorted(frozenset().union(*texts))
        embeddings = {text: described.text_embeddings[text] for text in words}
        parts[source] = DescribedMotion(described.embeddings[rows], texts, [source] * len(rows), embeddings)
    return parts


def motion_to_text(described: DescribedMotion) -> RetrievalScores:
    """Every window looks for one of its texts among all texts."""
    return retrieval_scores(*_compare(described))


def text_to_motion(described: DescribedMotion) -> RetrievalScores:
    """Every text looks for one of its windows among all windows."""
    similarities, relevant = _compare(described)
    return retrieval_scores(similarities.T, relevant.T)


def _compare(described: DescribedMotion) -> tuple[np.ndarray, np.ndarray]:
    """Cosines of windows and texts, and which belong together, `(num_windows, num_texts)` both."""
    words = list(described.text_embeddings)
    similarities = described.embeddings @ torch.stack([described.text_embeddings[text] for text in words]).T
    return similarities.numpy(), np.array([[text in texts for text in words] for texts in described.texts])


def retrieval_scores(similarities: np.ndarray, relevant: np.ndarray) -> RetrievalScores:
    """
    Recall and mean reciprocal rank of the first right answer.

    Args:
        similarities (`np.ndarray` of shape `(num_queries, gallery_size)`):
            The largest stands first; among equals the right answer stands last.
        relevant (`np.ndarray` of that shape):
            True for right answers; every query has one or more.

    Returns:
        `RetrievalScores`: With what a random order gives.

    Raises:
        ValueError: If a query has no right answer.
    """
    number = relevant.sum(axis=1)
    if not number.all():
        raise ValueError(f"Every query needs a right answer in the gallery, but {(number == 0).sum()} have none.")
    best = np.where(relevant, similarities, -np.inf).max(axis=1, keepdims=True)
    ranks = 1 + ((similarities >= best) & ~relevant).sum(axis=1)
    size = relevant.shape[1]
    at_rank = np.mean([_chance_of_rank(int(n), size) for n in number], axis=0)
    return RetrievalScores(
        len(relevant),
        size,
        {rank: float((ranks <= rank).mean()) for rank in RANKS},
        float((1 / ranks).mean()),
        {rank: float(at_rank[:rank].sum()) for rank in RANKS},
        float((at_rank / np.arange(1, size + 1)).sum()),
    )


def _chance_of_rank(number: int, size: int) -> np.ndarray:
    """Probability that the first of so many right answers among `size` has rank 1, 2, ... in a random order."""
    before = np.arange(size)
    wrong = np.clip((size - number - before) / (size - before), 0.0, 1.0)  # the next one is wrong as well
    none_before = np.concatenate([[1.0], np.cumprod(wrong)[:-1]])
    return none_before * (1 - wrong)


__all__ = [
    "RANKS",
    "DescribedMotion",
    "RetrievalScores",
    "by_source",
    "embed_described",
    "motion_to_text",
    "retrieval_scores",
    "same_words",
    "text_to_motion",
    "window_features",
    "window_sources",
]

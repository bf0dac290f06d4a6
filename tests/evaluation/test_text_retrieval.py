# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Retrieval between motion and text: ranks and chance by hand, equal texts once, sources apart."""

import itertools

import numpy as np
import pytest
import torch

from anymo_hf import SegmentKinematics, TextSpan
from anymo_hf.evaluation.text_retrieval import (
    DescribedMotion,
    by_source,
    embed_described,
    motion_to_text,
    retrieval_scores,
    same_words,
    text_to_motion,
    window_sources,
)
from anymo_hf.simulation.conversion import save_kinematics
from anymo_hf.simulation.synthesis import random_recording
from anymo_hf.training.motion_text import MotionTextDataset


def test_ranks_by_hand():
    similarities = np.array([[0.9, 0.5, 0.1, 0.0], [0.9, 0.5, 0.1, 0.0], [0.5, 0.5, 0.4, 0.0]])
    relevant = np.array([[1, 0, 0, 0], [0, 0, 1, 1], [1, 0, 0, 0]], dtype=bool)
    scores = retrieval_scores(similarities, relevant)
    # Ranks 1, 3 and, for a tie, 2.
    assert scores.recall == pytest.approx({1: 1 / 3, 5: 1.0, 10: 1.0})
    assert scores.mean_reciprocal_rank == pytest.approx((1 + 1 / 3 + 1 / 2) / 3)
    assert (scores.num_queries, scores.gallery_size) == (3, 4)
    with pytest.raises(ValueError, match="1 have none"):
        retrieval_scores(similarities, relevant & [[1], [0], [1]])


def test_chance_is_the_mean_over_all_orders():
    relevant = np.array([[True, True, False, False, False, False, False]])
    ranks = [1 + min(order.index(0), order.index(1)) for order in itertools.permutations(range(7))]
    scores = retrieval_scores(np.zeros((1, 7)), relevant)
    assert scores.chance_recall[1] == pytest.approx(2 / 7)
    assert scores.chance_recall[5] == pytest.approx(np.mean(np.array(ranks) <= 5))
    assert scores.chance_recall[10] == pytest.approx(1.0)
    assert scores.chance_mean_reciprocal_rank == pytest.approx(np.mean(1 / np.array(ranks)))
    # Among equals the right answer stands last.
    assert scores.mean_reciprocal_rank == pytest.approx(1 / 6)


def test_both_ways():
    texts = {"walk": torch.tensor([1.0, 0.0]), "sit": torch.tensor([0.0, 1.0])}
    described = DescribedMotion(
        torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]]),
        [frozenset({"walk"}), frozenset({"sit"}), frozenset({"sit", "walk"})],
        ["a", "b", "b"],
        texts,
    )
    found = motion_to_text(described)
    assert (found.num_queries, found.gallery_size) == (3, 2) and found.recall[1] == pytest.approx(2 / 3)
    # "walk" finds the first window at once, "sit" the third.
    found = text_to_motion(described)
    assert (found.num_queries, found.gallery_size, found.recall[1]) == (2, 3, 1.0)
    parts = by_source(described)
    assert list(parts) == ["a", "b"] and list(parts["a"].text_embeddings) == ["walk"]
    assert text_to_motion(parts["b"]).gallery_size == 2


def test_equal_texts_count_once():
    assert same_words(" A person  walks. ") == same_words("a person walks") == "a person walks"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("converted")
    whole = SegmentKinematics.from_motion(random_recording(0, 8.0))

    def save(name, source, *texts):
        part = SegmentKinematics(whole.values[:420], whole.mask[:420], 60.0, 100.0, source={"dataset": source})
        part.texts = tuple(TextSpan(start + 100, end + 100, text, kind) for start, end, text, kind in texts)
        save_kinematics(part, folder / f"{name}.safetensors")

    save("a", "cmu_bvh", (0.0, 3.0, "A human walks.", "caption"), (3.0, 7.0, "walk", "label"))
    save("b", "bandai", (0.0, 7.0, "walk-turn-left", "label"), (0.0, 7.0, "sad", "style"))
    save("c", "anymo-hf synthesis", (0.0, 3.0, "A human walks", "caption"))
    save("d", "mine", (0.0, 3.0, "bow", "label"))
    return MotionTextDataset(folder)


def test_sources(dataset):
    expected = ["human sentences"] + ["CMU trial descriptions"] + ["Bandai-Namco phrases"] * 2
    assert window_sources(dataset) == [*expected, "synthesis descriptions", "mine"]
    assert len(dataset) == 6


def test_windows_and_texts_are_embedded(dataset):
    class FakePipeline:
        def embed_windows(self, features, placements):
            assert features["input_values"].shape[1] == 1 and len(placements) == len(features["input_values"])
            return torch.eye(2)[:1].expand(len(placements), -1)

        def embed_texts(self, texts):
            self.texts = texts
            return torch.eye(2)[[0] * len(texts)]

    fake = FakePipeline()
    described = embed_described(fake, dataset, batch_size=4)
    assert fake.texts == ["a human walks", "bow", "walk", "walk turn left, sad style"]
    assert len(described.texts) == len(described.embeddings) == 6
    assert described.texts[0] == described.texts[4] == {"a human walks"}

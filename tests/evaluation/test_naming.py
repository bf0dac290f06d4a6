# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Naming by the text head: cosines that can be counted by hand, and the model's own order of texts."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from anymo_hf import AnyMoGraphEncoderConfig, AnyMoGraphEncoderForTextAlignment
from anymo_hf.evaluation.embeddings import HarWindows
from anymo_hf.evaluation.naming import embed_classes, name_windows
from anymo_hf.training import TeacherTexts


def make_windows(vectors, activities, num_frames=8):
    """Force that stays the same while a window lasts."""
    values = np.zeros((len(vectors), num_frames, 1, 6), dtype=np.float32)
    values[..., :3] = np.array(vectors, dtype=np.float32)[:, None, None]
    labels = (np.array(activities), np.array(["p"] * len(vectors)), np.array(["r"] * len(vectors)))
    return HarWindows(values, np.ones(values.shape, bool), ("waist",), ("Pelvis",), *labels)


class MeanForce(nn.Module):
    """Latents are the pelvis' force at every other frame, the latter half of which is padding."""

    def __init__(self):
        super().__init__()
        self.graph_encoder = self._encode
        self.text_head = nn.Linear(3, 3, bias=False)
        nn.init.eye_(self.text_head.weight)

    def _encode(self, input_values, input_values_mask, orientation_known, pooled_only):
        assert pooled_only and input_values_mask[:, :, 0].all() and not orientation_known.any()
        latents = input_values[:, ::2, 0, :3].clone()
        steps_mask = torch.arange(latents.shape[1]) < latents.shape[1] // 2
        latents[:, ~steps_mask] = 0
        return SimpleNamespace(pooled_latents=latents, steps_mask=steps_mask.expand(len(latents), -1))


def test_windows_get_the_nearest_words_by_angle():
    # Cosines with the three words: (0.8, 0.6, 0), (0.6, 0, 0.8), (0, 1, 0); lengths say nothing.
    windows = make_windows([[8, 6, 0], [0.6, 0, 0.8], [0, 100, 0]], ["a", "a", "b"])
    scores = name_windows(MeanForce(), windows, torch.eye(3), batch_size=2, classes=("a", "b", "c"))
    np.testing.assert_array_equal(scores.first.confusion, [[[[1, 0, 1], [0, 1, 0], [0, 0, 0]]]])
    assert scores.accuracy == pytest.approx(2 / 3) and scores.recall_at_2 == 1.0


def test_without_names_the_rows_are_the_activities_of_the_windows():
    windows = make_windows([[0, 1, 0], [1, 0, 0]], ["walking", "sitting"])
    scores = name_windows(MeanForce(), windows, torch.eye(3)[:2])
    assert scores.accuracy == 1.0 and scores.first.classes == ("sitting", "walking")
    with pytest.raises(ValueError, match="Each of 2 classes needs an embedding, but 3 came"):
        name_windows(MeanForce(), windows, torch.eye(3))


def test_words_are_centred_as_in_training():
    teacher = TeacherTexts(["a", "b", "c"], torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.8, 0.6]]))
    # The mean of all is (0.8, 0.4667): c is left with nothing but 0.1333 upwards.
    torch.testing.assert_close(embed_classes(["c"], teacher), torch.tensor([[0.0, 1.0]]))
    centred = embed_classes(["b", "a"], teacher, text_mean=torch.tensor([0.6, 0.0]))
    torch.testing.assert_close(centred, torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    with pytest.raises(ValueError, match=r"lacks \['d'\]; run `embed_texts.py`"):
        embed_classes(["a", "d"], teacher)


def test_order_is_the_models_own_and_its_mode_stays():
    torch.manual_seed(0)
    sizes = {"hidden_sizes": [8, 16], "strides": [2, 2], "text_embedding_size": 4, "predictor_num_attention_heads": 2}
    model = AnyMoGraphEncoderForTextAlignment(AnyMoGraphEncoderConfig.small(**sizes)).train()
    vectors = np.random.default_rng(0).normal(size=(12, 3)) * 10
    windows = make_windows(vectors, ["a", "b", "c"] * 4, num_frames=20)
    teacher = TeacherTexts(["a", "b", "c"], nn.functional.normalize(torch.randn(3, 4), dim=-1))
    inputs = windows.on_body(slice(0, 12)) | {"text_embeddings": teacher.embeddings}
    with torch.no_grad():  # centred, or an untrained network would name all the same
        model.text_head.bias -= model(**inputs).text_features.mean(dim=0)
        guesses = model(**inputs).logits.argmax(dim=-1).numpy()
    scores = name_windows(model, windows, embed_classes("abc", teacher), batch_size=5)
    assert model.training
    expected = np.zeros((3, 3))
    np.add.at(expected, (np.arange(12) % 3, guesses), 1)
    assert len(set(guesses.tolist())) > 1
    np.testing.assert_array_equal(scores.first.confusion[0, 0], expected)

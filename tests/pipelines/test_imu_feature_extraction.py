# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Embeddings of recordings by the whole model and by an encoder alone."""

import numpy as np
import pytest
import torch
from transformers import pipeline


@pytest.fixture(scope="module")
def encode(encoder_checkpoint):
    return pipeline("imu-feature-extraction", model=encoder_checkpoint, device="cpu")


def test_embeddings_have_unit_length_and_times(embed, readings):
    windows = embed(readings(11.0), sampling_rate=50, placements="left wrist")
    assert [(window["start"], window["end"]) for window in windows] == [(0.0, 5.0), (5.0, 10.0)]
    for window in windows:
        assert window["embedding"].shape == (32,) and window["embedding"].dtype == np.float32
        assert np.linalg.norm(window["embedding"]) == pytest.approx(1, abs=1e-5)


def test_the_prompt_names_the_placements(embed, readings, monkeypatch):
    seen, prepare = [], embed.prepare
    monkeypatch.setattr(embed, "prepare", lambda f, prompts, **kw: seen.extend(prompts) or prepare(f, prompts, **kw))
    embed({"L_LowerLeg": (readings(5.0), 50.0), "r_watch": (readings(5.0), 50.0)})
    assert "left shin" in seen[0] and "right wrist" in seen[0]


def test_an_encoder_alone_gives_mean_latents(encode, readings):
    recording = {"left wrist": (readings(3.0), 50.0)}
    (window,) = encode(recording)
    features = encode.feature_extractor(recording, return_tensors="pt")
    with torch.no_grad():
        mean = encode.model(**features).pooled_latents[0].mean(dim=0)
    np.testing.assert_allclose(window["embedding"], (mean / mean.norm()).numpy(), atol=1e-5)
    longer = {"left wrist": (readings(9.0, seed=1), 50.0)}
    together = encode([recording, longer])
    np.testing.assert_allclose(together[0][0]["embedding"], window["embedding"], atol=1e-5)
    assert len(together[1]) == 2


def test_an_encoder_alone_knows_no_texts(encode):
    with pytest.raises(ValueError, match="An encoder alone knows no texts"):
        encode.embed_texts(["walking"])


def test_an_encoder_is_saved_with_its_feature_extractor(encode, readings, tmp_path):
    recording = {"left wrist": (readings(5.0), 50.0)}
    encode.save_pretrained(tmp_path / "again")
    again = pipeline("imu-feature-extraction", model=str(tmp_path / "again"), device="cpu")
    np.testing.assert_allclose(again(recording)[0]["embedding"], encode(recording)[0]["embedding"], atol=1e-6)


def test_an_encoder_without_a_feature_extractor(encode):
    with pytest.raises(ValueError, match="No feature extractor could be loaded"):
        pipeline("imu-feature-extraction", model=encode.model, device="cpu")


@pytest.mark.parametrize("texts", [[], [""], ["walking", 3]])
def test_texts_without_words(embed, texts):
    with pytest.raises(ValueError, match="Texts must be strings with words"):
        embed.embed_texts(texts)

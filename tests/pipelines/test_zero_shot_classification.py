# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Zero-shot classification: scores by hand, labels encoded once, top-k, wrong labels."""

import numpy as np
import pytest
import torch

from anymo_hf.prompts import LABEL_TEMPLATES


LABELS = ["walking", "sitting", "standing up"]


def assert_same(first, second):
    """Equal but for rounding, which depends on the size of a batch and on where memory lies."""
    assert [(w["start"], w["end"]) for w in first] == [(w["start"], w["end"]) for w in second]
    for one, other in zip(first, second, strict=True):
        assert [entry["label"] for entry in one["scores"]] == [entry["label"] for entry in other["scores"]]
        scores = [entry["score"] for entry in other["scores"]]
        assert [entry["score"] for entry in one["scores"]] == pytest.approx(scores, abs=1e-5)


@pytest.fixture
def wrist(readings):
    return {"left wrist": (readings(11.0), 50.0)}


@pytest.fixture
def encoded(classify, monkeypatch):
    """The number of texts in every call of the text encoder, with an empty cache."""
    model, calls = classify.model.base_model, []
    get_text_features = model.get_text_features

    def count(input_ids, **kwargs):
        calls.append(len(input_ids))
        return get_text_features(input_ids, **kwargs)

    monkeypatch.setattr(model, "get_text_features", count)
    monkeypatch.setattr(classify, "_label_embeddings", {})
    return calls


def test_scores_are_a_softmax_over_mean_prompt_similarities(classify, embed, wrist):
    templates = ["{}", "a person is {}"]
    windows = classify(wrist, candidate_labels=LABELS, prompt_templates=templates)
    recording = torch.from_numpy(np.stack([window["embedding"] for window in embed(wrist)]))
    logits = []
    for label in LABELS:
        mean = (classify.embed_texts([label])[0] + classify.embed_texts([f"a person is {label}"])[0]) / 2
        logits.append(recording @ (mean / mean.norm()) / classify.model.config.temperature)
    expected = torch.stack(logits, dim=1).softmax(dim=1)
    assert [(window["start"], window["end"]) for window in windows] == [(0.0, 5.0), (5.0, 10.0)]
    for window, scores in zip(windows, expected.tolist(), strict=True):
        found = {entry["label"]: entry["score"] for entry in window["scores"]}
        assert found == pytest.approx(dict(zip(LABELS, scores, strict=True)), abs=1e-5)
        values = [entry["score"] for entry in window["scores"]]
        assert values == sorted(values, reverse=True) and sum(values) == pytest.approx(1)
    assert np.ptp(expected.numpy()) > 0.01


def test_labels_are_encoded_once(classify, wrist, encoded):
    many = [wrist] * 5
    first = classify(many, candidate_labels=LABELS, batch_size=2)[4]
    assert encoded == [len(LABELS) * len(LABEL_TEMPLATES)]
    assert_same(classify(many, candidate_labels=LABELS)[0], first)
    assert_same(classify(wrist, candidate_labels=LABELS[::-1]), first)
    assert len(encoded) == 1
    classify(wrist, candidate_labels=[*LABELS, "stairs"])  # only the new one
    assert encoded[1:] == [len(LABEL_TEMPLATES)]
    classify(wrist, candidate_labels=LABELS, prompt_templates="person {}")  # other prompts, other embeddings
    assert encoded[2:] == [len(LABELS)]


def test_many_texts_are_encoded_in_batches_that_change_nothing(classify):
    texts = [" ".join(["walking"] * (1 + i % 5)) for i in range(70)]
    together = classify.embed_texts(texts)
    assert together.shape == (70, 32)
    torch.testing.assert_close(together[66], classify.embed_texts([texts[66]])[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(70))


def test_top_k(classify, wrist):
    everything = classify(wrist, candidate_labels=LABELS)
    best = classify(wrist, candidate_labels=LABELS, top_k=1)
    assert_same(best, [{**window, "scores": window["scores"][:1]} for window in everything])
    assert_same(classify(wrist, candidate_labels=LABELS, top_k=9), everything)


def test_labels_as_one_string(classify, wrist):
    as_string = classify(wrist, candidate_labels="walking, sitting,standing up")
    assert_same(as_string, classify(wrist, candidate_labels=LABELS))


def test_labels_given_when_the_pipeline_is_made(checkpoint, classify, wrist):
    from transformers import pipeline

    fixed = pipeline(
        "zero-shot-imu-classification", model=checkpoint, device="cpu", candidate_labels=LABELS, window=2.0, top_k=2
    )
    assert_same(fixed(wrist), classify(wrist, candidate_labels=LABELS, window=2.0, top_k=2))
    assert len(fixed(wrist)) == 5 and len(fixed(wrist, window=5.0)) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "`candidate_labels` are needed"),
        ({"candidate_labels": []}, "none of them empty"),
        ({"candidate_labels": ["walking", " "]}, "none of them empty"),
        ({"candidate_labels": "walking,,sitting"}, "none of them empty"),
        ({"candidate_labels": ["walking", 3]}, "activities in words"),
        ({"candidate_labels": ["walking", "sitting", "walking "]}, "names 'walking' more than once"),
        ({"candidate_labels": LABELS, "top_k": 0}, "`top_k` must be a whole number from 1"),
        ({"candidate_labels": LABELS, "prompt_templates": "a person"}, "where the label goes"),
        ({"candidate_labels": LABELS, "prompt_templates": []}, "where the label goes"),
    ],
)
def test_wrong_labels_are_found_before_any_recording_is_read(classify, options, message):
    with pytest.raises(ValueError, match=message):
        classify("nowhere.csv", **options)

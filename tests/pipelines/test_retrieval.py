# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Retrieval: windows ranked by their cosine with a text."""

import numpy as np
import pytest

from anymo_hf.retrieval import retrieve


def test_windows_are_ranked_by_cosine(embed, readings):
    recordings = [{"left wrist": (readings(seconds, seed=seed), 50.0)} for seed, seconds in enumerate((11.0, 5.0))]
    found = retrieve("a person walking", recordings, embed, top_k=None)
    query = embed.embed_texts(["a person walking"])[0].numpy()
    expected = {
        (index, window["start"]): float(window["embedding"] @ query)
        for index, recording in enumerate(recordings)
        for window in embed(recording)
    }
    assert len(expected) == 3
    assert {(window["recording"], window["start"]): window["score"] for window in found} == pytest.approx(
        expected, abs=1e-5
    )
    scores = [window["score"] for window in found]
    assert scores == sorted(scores, reverse=True) and np.abs(scores).max() <= 1 + 1e-6 and np.ptp(scores) > 1e-4
    best = retrieve("a person walking", (one for one in recordings), embed, top_k=1)
    assert [(w["recording"], w["start"], w["end"]) for w in best] == [
        (found[0]["recording"], found[0]["start"], found[0]["end"])
    ]


def test_one_recording_and_options(embed, csv_file):
    path = csv_file(7.0)
    found = retrieve("walking", path, embed, placements="left wrist", window=2.0)
    assert sorted(window["start"] for window in found) == pytest.approx([100, 102, 104])
    assert {window["recording"] for window in found} == {0}
    assert found == retrieve("walking", str(path), embed, placements="left wrist", window=2.0)


@pytest.mark.parametrize(
    ("text", "recordings", "top_k", "message"),
    [
        ("", ["a.csv"], 3, "strings with words"),
        ("walking", [], 3, "At least one recording is needed"),
        ("walking", ["a.csv"], 0, "`top_k` must be a whole number from 1"),
        ("walking", ["nowhere.csv"], 3, "nowhere.csv does not exist"),
    ],
)
def test_errors(embed, text, recordings, top_k, message):
    with pytest.raises(ValueError, match=message):
        retrieve(text, recordings, embed, top_k=top_k)

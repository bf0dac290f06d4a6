# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The zero-shot protocol: what is measured, what is noted, what is not repeated; and captions and retrieval."""

import importlib

import numpy as np
import pytest
import torch

from anymo_hf.evaluation.embeddings import HarWindows
from anymo_hf.evaluation.har_datasets import HAR_DATASETS
from anymo_hf.evaluation.results import Result, read_results


pytest.importorskip("sklearn")
zero_shot = importlib.import_module("zero_shot")
captions_retrieval = importlib.import_module("captions_retrieval")

COMMON = {"command": "here", "commit": None, "machine": "a", "date": "2026-01-01"}


class FakePipeline:
    """Knows the first class only."""

    def __init__(self):
        self.placements = []

    def embed_windows(self, features, placements):
        self.placements += placements
        return torch.eye(40)[[0] * len(placements)]

    def embed_labels(self, labels):
        return torch.eye(40)[: len(labels)]


def candidate(sha="1", seed=0):
    return zero_shot.Candidate("ours", seed, sha, FakePipeline())


@pytest.fixture
def logged(monkeypatch):
    """What would be written to the log; windows come from memory: two of each class of each of two people."""
    lines, calls = [], []

    def load_windows(path, dataset, placements, classes, max_windows, prepare):
        calls.append((path.stem, prepare is not None))
        activities = np.tile(dataset.get_classes(classes), 4)
        subjects = np.repeat(["p", "q"], len(activities) // 2)
        values = np.zeros((len(activities), 60, 1, 6), dtype=np.float32)
        mask = np.ones(values.shape, bool)
        return HarWindows(values, mask, ("waist",), ("Pelvis",), activities, subjects, subjects)

    monkeypatch.setattr(zero_shot, "load_har_windows", load_windows)
    monkeypatch.setattr(zero_shot, "load_har_recordings", lambda *args: [])
    monkeypatch.setattr(zero_shot, "log_evaluation", lambda names, what_for: lines.append((names, what_for)))
    return lines, calls


def test_protocol_of_the_sets():
    chosen = {name: zero_shot.choose_evaluations([name], zero_shot.EVALUATIONS) for name in ("dev", "report")}
    assert [one.dataset for one in chosen["dev"]] == ["umafall", "sisfall_adl", "dsads"]
    assert [(one.dataset, one.words) for one in chosen["report"]] == [
        ("hapt_ucihar_raw", "waist, six classes"),
        ("hapt_ucihar_raw", "waist, with transitions"),
        ("wisdm2019", "watch"),
        ("wisdm2019", "phone"),
        ("sp_sw_har", "pocket and wrist, windows of 1 s"),
        ("utd_mhad", "whole clips"),
        ("utd_mhad", "whole clips, place not told"),
    ]
    tiers = zero_shot.tier_sets()
    assert {tier: [(one.dataset, one.words.split(",")[0]) for one in sets] for tier, sets in tiers.items()} == {
        "easy": [("hapt_ucihar_raw", "waist"), ("sp_sw_har", "pocket and wrist")],
        "medium": [
            ("umafall", "waist"), ("sisfall_adl", "waist"), ("dsads", "chest"), ("wisdm2019", "watch"),
            ("wisdm2019", "phone"),
        ],
        "hard": [("utd_mhad", "whole clips")],
    }  # fmt: skip


def test_rows_and_what_is_not_repeated(logged, tmp_path):
    lines, calls = logged
    out, evaluations = tmp_path / "results.jsonl", zero_shot.choose_evaluations(["hapt_ucihar_raw"])[:1]
    zero_shot.run(evaluations, [candidate()], tmp_path, out, COMMON)
    rows = {(row.subset, row.model, row.metric): row for row in read_results(out)}
    assert len(rows) == 2 * 4 * 3 and calls == [("hapt_ucihar_raw", False), ("hapt_ucihar_raw", True)]
    ours = rows["waist, six classes, as recorded", "ours", "accuracy (%)"]
    assert (ours.value, ours.chance, ours.num_windows, ours.num_classes) == (16.67, 16.67, 24, 6)
    assert (ours.checkpoint_sha256, ours.seed) == ("1", 0)
    # All windows are still, and three of six classes.
    still = rows["waist, six classes, as recorded", "moving against still only", "accuracy (%)"]
    assert still.value == 16.67 and still.seed is None
    assert "0 of 0 sensors calibrated" in rows["waist, six classes, calibrated", "ours", "R@2 (%)"].note
    what = "benchmarks/zero_shot.py, waist, six classes, as recorded: ours 0"
    assert lines[0] == (["hapt_ucihar_raw"], what) and len(lines) == 2
    before = out.read_text()
    zero_shot.run(evaluations, [candidate()], tmp_path, out, COMMON)
    assert out.read_text() == before and len(lines) == 2
    # A choice of the windows is another measurement, and all windows are one again.
    zero_shot.run(evaluations, [candidate()], tmp_path, out, COMMON, max_windows=9)
    zero_shot.run(evaluations, [candidate()], tmp_path, out, COMMON, max_windows=9)
    assert len(lines) == 4 and "at most 9 windows" in read_results(out)[0].note
    zero_shot.run(evaluations, [candidate()], tmp_path, out, COMMON)
    assert len(lines) == 6 and "at most" not in (read_results(out)[0].note or "")
    zero_shot.run(evaluations, [candidate("2"), candidate("3", seed=1)], tmp_path, out, COMMON)
    assert len(lines) == 8 and lines[-1][1].endswith("calibrated: ours 0, ours 1")
    assert "ours 16.7 (16.7 to 16.7)" in zero_shot.summary(read_results(out))


def test_places_that_depend_on_the_label_are_told_and_hidden(logged, tmp_path):
    told, hidden = zero_shot.choose_evaluations(["utd_mhad"], zero_shot.EVALUATIONS)
    for evaluation, placements in ((told, ("waist",)), (hidden, ())):
        one = candidate()
        zero_shot.run([evaluation], [one], tmp_path, tmp_path / "results.jsonl", COMMON)
        assert set(one.pipeline.placements) == {placements}
    notes = {row.subset: row.note or "" for row in read_results(tmp_path / "results.jsonl")}
    assert "gives part of the answer" in notes["whole clips, as recorded"]
    assert "gives part of the answer" not in notes["whole clips, place not told, as recorded"]


def test_published_rows_are_on_other_data():
    rows = zero_shot.published_rows()
    assert {row.same_data_as_published for row in rows} == {False}
    found = {(row.model, row.dataset, row.metric): row.value for row in rows}
    assert found["UniMTS, published", "hapt_ucihar_raw", "macro-F1 (%)"] == 22.0
    assert found["UniMTS, published", "utd_mhad", "R@2 (%)"] == 32.6
    assert found["AnyMo, published", "mean of AnyMo's 14 sets", "accuracy (%)"] == 35.7
    names = {(one.dataset, one.words) for one in zero_shot.EVALUATIONS}
    ours = {(dataset, words) for _, dataset, words, *_ in zero_shot.PUBLISHED if dataset in HAR_DATASETS}
    assert ours <= names


def test_means_over_easy_medium_and_hard_sets():
    easy, wanted = zero_shot.tier_sets()["easy"], "accuracy (%)"
    rows = [
        Result("zero-shot", one.dataset, f"{one.words}, as recorded", "ours", wanted, value, seed=1)
        for one, value in zip(easy, (40.0, 60.0), strict=True)
    ]
    (mean,) = zero_shot.tier_rows(rows, COMMON)
    assert (mean.dataset, mean.subset, mean.value, mean.seed) == (
        "easy sets",
        "2 sets or places, as recorded",
        50.0,
        1,
    )
    assert zero_shot.tier_rows(rows[:1], COMMON) == []


def test_checkpoints_and_random_weights(checkpoint):
    found = zero_shot.find_candidates([checkpoint], [3, 4])
    assert [(one.model, one.seed) for one in found] == [("anymo-hf", 3), ("random weights", 3), ("random weights", 4)]
    assert len({one.checkpoint_sha256 for one in found}) == 3
    assert [one.model for one in zero_shot.find_candidates([checkpoint], [3], "ablated")] == ["ablated"]
    with pytest.raises(ValueError, match="seed"):
        zero_shot.find_candidates([checkpoint] * 2, [0])


@pytest.mark.filterwarnings("ignore")
def test_captions_and_retrieval(checkpoint, kicks_and_hops, tmp_path, capsys):
    pytest.importorskip("sacrebleu")
    pytest.importorskip("nltk")
    out = tmp_path / "results.jsonl"
    options = ["--checkpoint", checkpoint, "--data", kicks_and_hops, "--held_out_share", "0.7", "--out", out]
    captions_retrieval.main(list(map(str, options)))
    rows = read_results(out)
    assert {(row.table, row.dataset, row.subset) for row in rows} == {
        ("retrieval", "HDM05 phrases", "motion to text"),
        ("retrieval", "HDM05 phrases", "text to motion"),
        ("captions", "HDM05 phrases", "held-out windows"),
    }
    assert all(0 <= row.value <= 100 and row.checkpoint_sha256 for row in rows)
    assert {row.metric for row in rows} >= {"R@1 (%)", "MRR (%)", "BLEU-4 (%)", "ROUGE-L (%)"}
    assert all("gallery of" in row.note and row.chance for row in rows if row.table == "retrieval")
    assert "chance" in capsys.readouterr().out

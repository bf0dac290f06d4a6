# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Leaving one set out: rows by hand, and networks that know what they are tested on are refused."""

import importlib
import json

import numpy as np
import pytest
import torch

from anymo_hf import AnyMoGraphEncoderConfig, AnyMoGraphEncoderForTextAlignment
from anymo_hf.evaluation.embeddings import HarWindows
from anymo_hf.evaluation.har_datasets import HAR_DATASETS
from anymo_hf.evaluation.results import read_results
from anymo_hf.training import TeacherTexts


pytest.importorskip("sklearn")
leave_one = importlib.import_module("leave_one_set_out")

COMMON = {"command": "here", "commit": None, "machine": "a", "date": "2026-01-01", "seed": 0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A network that names everything as its bias says, `text_alignment` and what was noted left to the tests."""
    torch.manual_seed(0)
    sizes = {"hidden_sizes": [8, 16], "strides": [2, 2], "text_embedding_size": 20, "predictor_num_attention_heads": 2}
    model = AnyMoGraphEncoderForTextAlignment(AnyMoGraphEncoderConfig.small(**sizes))
    torch.nn.init.zeros_(model.text_head.weight)
    folder = tmp_path_factory.mktemp("aligned")
    for name, direction in (("simulation", 1), ("recordings", 0)):
        # The words of class i are the unit vector i: the network says the second class of a set, or the first.
        model.text_head.bias.data = torch.eye(20)[direction]
        model.save_pretrained(folder / name)
        TeacherTexts(["a", "b"], torch.zeros(2, 20)).save(folder / name / "text_bank.safetensors")
    sets = {"trained_on": {"dsads": "free", "hapt_ucihar_raw": "free"}, "left_out": ["umafall"]}
    (folder / "recordings" / "recordings.json").write_text(json.dumps(sets))
    return folder


@pytest.fixture
def logged(monkeypatch):
    """What would be written to the log; windows come from memory: 6 of the first class, 2 of the second."""
    lines = []

    def load_windows(evaluation, folder, calibrated, max_windows):
        first, second = HAR_DATASETS[evaluation.dataset].get_classes(evaluation.classes)[:2]
        values = np.zeros((8, 60, 1, 6), dtype=np.float32)
        people, mask = np.repeat(["p", "q"], 4), np.ones(values.shape, bool)
        activities = np.array([first] * 3 + [second] + [first] * 3 + [second])
        return HarWindows(values, mask, ("waist",), ("Pelvis",), activities, people, people), ["few windows"]

    monkeypatch.setattr(leave_one, "load_windows", load_windows)
    monkeypatch.setattr(leave_one, "log_evaluation", lambda names, what_for: lines.append((names, what_for)))
    return lines


def teacher_of(name):
    classes = HAR_DATASETS[name].classes
    return TeacherTexts(list(classes), torch.eye(20)[: len(classes)])


def test_rows_of_both_on_the_same_windows(folder, logged, tmp_path):
    out = tmp_path / "results.jsonl"
    encoders = [
        leave_one.load_aligned(folder / "simulation", None),
        leave_one.load_aligned(folder / "recordings", "umafall"),
    ]
    leave_one.run("umafall", encoders, teacher_of("umafall"), tmp_path, out, COMMON)
    rows = {(row.subset.split(", ")[-1], row.model, row.metric): row for row in read_results(out)}
    assert len(rows) == 2 * 2 * 3 and {row.table for row in rows.values()} == {"leave one set out"}
    before = rows["as recorded", "anymo-hf encoder, simulation only", "accuracy (%)"]
    after = rows["as recorded", "anymo-hf encoder, with recordings of other sets", "accuracy (%)"]
    assert (before.value, after.value) == (25, 75) and before.checkpoint_sha256 != after.checkpoint_sha256
    assert (after.num_windows, after.num_subjects, after.num_classes, after.chance) == (8, 2, 15, 6.67)
    assert (after.majority, after.seed) == (75, 0)
    assert after.note.startswith("few windows; trained on recordings of dsads, hapt_ucihar_raw; side not stated")
    assert "trained on" not in before.note and "centred" not in before.note
    assert "accuracy (%): 25.0 -> 75.0 (+50.0)" in leave_one.summary(read_results(out)).splitlines()[0]
    assert not logged, "sets for development need no line in the log"


def test_looks_at_sets_for_the_report_are_logged(folder, logged, tmp_path):
    encoders = [leave_one.load_aligned(folder / "recordings", "utd_mhad")]
    # Its places can be hidden from models with prompts only, so that it is looked at as recorded and calibrated.
    teacher = TeacherTexts(list(HAR_DATASETS["utd_mhad"].classes), torch.eye(27)[:, :20])
    leave_one.run("utd_mhad", encoders, teacher, tmp_path, tmp_path / "results.jsonl", COMMON)
    assert [names for names, _ in logged] == [["utd_mhad"]] * 2
    assert logged[0][1] == (
        "benchmarks/leave_one_set_out.py, whole clips, as recorded: anymo-hf encoder, with recordings of other sets"
    )


def test_who_knows_the_set_is_not_tested_on_it(folder):
    with pytest.raises(ValueError, match=r"other sets than 'dsads', but was on \['dsads', 'hapt_ucihar_raw'\]"):
        leave_one.load_aligned(folder / "recordings", "dsads")
    with pytest.raises(ValueError, match="but was on none; train it with `--recordings` and `--left_out dsads`"):
        leave_one.load_aligned(folder / "simulation", "dsads")
    with pytest.raises(ValueError, match="must have seen simulation only"):
        leave_one.load_aligned(folder / "recordings", None)


def test_without_its_texts_the_teachers_mean_is_taken_and_noted(folder):
    (folder / "simulation" / "text_bank.safetensors").unlink()
    found = leave_one.load_aligned(folder / "simulation", None)
    assert found.text_mean is None and found.note == "words centred by the mean of all of the teacher's texts"

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The command evaluate, and that windows of a set are read as the pipeline reads a recording."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from anymo_hf.cli import main
from anymo_hf.evaluation.embeddings import load_har_windows
from anymo_hf.evaluation.har_datasets import find_har_datasets
from anymo_hf.evaluation.results import read_results
from anymo_hf.evaluation.zero_shot import embed_har_windows, weights_sha256
from anymo_hf.evaluation.zero_shot_controls import untrained_pipeline


CLASSES = ("walking", "sitting", "standing up")


@pytest.fixture(scope="module")
def data(readings, tmp_path_factory):
    """A folder in the common layout: two people, ten seconds of three activities each."""
    folder = tmp_path_factory.mktemp("data")
    rows = []
    for subject in ("p1", "p2"):
        values = readings(30.0, seed=int(subject[1]))
        table = pd.DataFrame(values, columns=["acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z"])
        table.insert(0, "t", np.arange(len(values)) / 50)
        table["activity"] = np.repeat(CLASSES, 500)
        rows.append(table.assign(subject=subject, recording=f"{subject} r", placement="left wrist"))
    pd.concat(rows).to_parquet(folder / "mine.parquet")
    (folder / "dataset.json").write_text(json.dumps({"name": "mine", "window": 5.0, "sampling_rate": 50.0}))
    return folder


def run(capsys, *arguments) -> str:
    assert main(list(map(str, arguments))) == 0
    return capsys.readouterr().out


def test_windows_are_read_as_by_the_pipeline(data, embed, readings):
    ((dataset, path),) = find_har_datasets(data)
    windows = load_har_windows(path, dataset)
    ours = embed_har_windows(embed, windows, batch_size=4)
    pipeline_windows = embed(readings(30.0, seed=1), sampling_rate=50.0, placements="left wrist", overlap=0.5)
    theirs = torch.from_numpy(np.stack([window["embedding"] for window in pipeline_windows]))
    first = windows.subjects == "p1"
    # Windows that two activities share are left out of the set.
    kept = [i for i, window in enumerate(pipeline_windows) if window["start"] % 10 in (0, 2.5, 5)]
    assert first.sum() == len(kept) == 9
    torch.testing.assert_close(ours[torch.from_numpy(first)], theirs[kept], atol=1e-4, rtol=1e-4)


def test_evaluate(data, checkpoint, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = run(capsys, "evaluate", "--data", data, "--model", checkpoint, "--confusions", "--out", "results.jsonl")
    lines = out.splitlines()
    assert lines[0] == "mine: 18 windows of 2 people, 3 classes, percent"
    assert [line.split("  ")[0] for line in lines[2:7]] == [
        "anymo-hf", "random weights", "chance", "majority", "moving against still only",
    ]  # fmt: skip
    assert lines[4].split() == ["chance", "33.3", "33.3", "66.7"] and lines[-1] == "Added 15 figures to results.jsonl"
    rows = read_results("results.jsonl")
    assert {row.subset for row in rows} == {"all sensors, as recorded"} and {row.dataset for row in rows} == {"mine"}
    ours = {row.metric: row.value for row in rows if row.model == "anymo-hf"}
    assert list(ours) == ["accuracy (%)", "macro-F1 (%)", "R@2 (%)"]
    assert len({row.checkpoint_sha256 for row in rows}) == 3 and "by subject: p1" in rows[0].note
    assert not (tmp_path / "docs").exists(), "a set of one's own needs no line in the log"


def test_evaluate_part_of_a_set(data, checkpoint, capsys):
    command = ("evaluate", "--data", data, "--model", checkpoint, "--placements", "left wrist", "--max-windows", "6")
    out = run(capsys, *command, "--calibrated", "--hide-place")
    assert out.startswith("mine: 6 windows of 2 people")
    assert "of 2 sensors calibrated" in out and "6 windows chosen (--max-windows 6), equally many" in out


def test_looks_at_sets_for_the_report_are_noted(data, checkpoint, capsys, tmp_path, monkeypatch):
    table = pd.read_parquet(data / "mine.parquet").replace({"activity": {"standing up": "standing"}})
    table.assign(placement="waist").to_parquet(tmp_path / "hapt_ucihar_raw.parquet")
    monkeypatch.chdir(tmp_path)
    command = ("evaluate", "--data", tmp_path, "--model", checkpoint, "--subset", "six")
    assert main(list(map(str, command))) == 0
    assert "is not noted" in capsys.readouterr().err
    (tmp_path / "docs").mkdir()
    run(capsys, *command, "--name", "trial")
    (line,) = (tmp_path / "docs" / "evaluations.log").read_text().splitlines()
    assert " hapt_ucihar_raw: anymo" in line and line.endswith(": trial")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({}, "'one' has 1 classes (walking), but at least two are needed"),
        ({"sitting": "1", "standing up": "2"}, 'name them in FOLDER/one.json, such as {"activity_words": {"1":'),
    ],
)
def test_sets_without_classes_in_words(data, checkpoint, tmp_path, capsys, labels, message):
    table = pd.read_parquet(data / "mine.parquet")
    table["activity"] = table["activity"].map({"walking": "walking"} | labels).fillna("")
    path = tmp_path / "one.parquet"
    table.to_parquet(path)
    assert main(["evaluate", "--data", str(path), "--model", checkpoint]) == 1
    assert message.replace("FOLDER", str(tmp_path)) in capsys.readouterr().err
    if labels:  # the remedy helps
        words = {"activity_words": {"1": "sitting", "2": "standing"}}
        path.with_suffix(".json").write_text(json.dumps(words), encoding="utf-8")
        assert run(capsys, "evaluate", "--data", path, "--model", checkpoint).startswith("one: 18 windows")


def test_a_csv_file_is_refused(tmp_path, capsys):
    (tmp_path / "watch.csv").write_text("t,acc_x,acc_y,acc_z\n0,1,2,3\n", encoding="utf-8")
    assert main(["evaluate", "--data", str(tmp_path / "watch.csv")]) == 1
    error = capsys.readouterr().err
    assert "is no Parquet file" in error and "docs/howto-evaluate.md" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "nowhere"], "nowhere does not exist"),
        (["--data", "DATA", "--dataset", "dsads"], "holds no set 'dsads'; it holds ['mine']"),
        (["--data", "DATA", "--placements", "chest"], "has no sensor at 'chest'"),
        (["--data", "DATA", "--max-windows", "0"], "`--max-windows` must be 1 or more, but is 0"),
        (["--data", "DATA", "--subset", "six"], "has no subset 'six'"),
        (["--data", "DATA", "--model", "nothing"], "There is no folder 'nothing' here"),
    ],
)
def test_errors_are_one_clear_line(arguments, message, data, checkpoint, capsys):
    arguments = [str(data) if argument == "DATA" else argument for argument in arguments]
    if "--model" not in arguments:
        arguments += ["--model", checkpoint]
    assert main(["evaluate", *arguments]) == 1
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


def test_random_weights_share_sizes_and_statistics_only(classify):
    known = classify.model.base_model.graph_encoder
    before = known.input_mean.clone()
    known.input_mean.fill_(5.0)
    state = torch.get_rng_state()
    fresh, again, other = (untrained_pipeline(classify, seed) for seed in (1, 1, 2))
    known.input_mean.copy_(before)
    assert torch.equal(torch.get_rng_state(), state)
    assert fresh.model.config.to_dict() == classify.model.config.to_dict()
    assert (fresh.model.base_model.graph_encoder.input_mean == 5.0).all()
    hashes = [weights_sha256(one.model) for one in (classify, fresh, again, other)]
    assert hashes[1] == hashes[2] and len(set(hashes)) == 3
    assert not fresh.model.training and fresh.processor is classify.processor

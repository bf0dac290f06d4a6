# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The commands predict, caption and retrieve: what they print, and what they say when something is wrong."""

import json

import pandas as pd
import pytest

from anymo_hf.cli import main


WORN = ["--placement", "left wrist"]


def run(capsys, *arguments) -> str:
    assert main(list(map(str, arguments))) == 0
    return capsys.readouterr().out


def test_predict(checkpoint, classify, csv_file, capsys):
    path = csv_file(11.0)
    command = ("predict", path, "--labels", "walking, sitting", "--model", checkpoint, *WORN)
    windows = json.loads(run(capsys, *command, "--json"))
    expected = classify(path, candidate_labels=["walking", "sitting"], placements="left wrist")
    assert [(w["start"], w["end"]) for w in windows] == [(w["start"], w["end"]) for w in expected]
    for window, other in zip(windows, expected, strict=True):
        assert [entry["label"] for entry in window["scores"]] == [entry["label"] for entry in other["scores"]]
        assert window["scores"][0]["score"] == pytest.approx(other["scores"][0]["score"], abs=1e-5)
    lines = run(capsys, *command, "--top-k", "1").splitlines()
    best = expected[0]["scores"][0]
    assert lines[0].split() == ["start", "end", "labels"] and len(lines) == 3
    assert lines[1] == f"100.0  105.0  {best['label']} {best['score']:.2f}"


def test_predict_in_other_windows_and_units(checkpoint, csv_file, capsys):
    command = ("predict", csv_file(11.0), "--labels", "walking", "--model", checkpoint, *WORN, "--window", "2")
    assert len(run(capsys, *command).splitlines()) == 6
    assert main(list(map(str, [*command, "--force-unit", "g"]))) == 0  # 9.8 g cannot be
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("anymo predict: warning: left wrist: the force") and "warnings.warn" not in "".join(said)
    assert "`--force-unit`" in said[0] and "force_unit" not in said[0]
    run(capsys, *command, "--force-unit", "1.0", "--rate-unit", "1.0")  # sizes of one count


def test_several_sensors_and_files_without_header(checkpoint, csv_file, tmp_path, capsys):
    table = pd.read_csv(csv_file(6.0))
    both = pd.concat([table.assign(placement=name) for name in ("watch", "phone")])
    both.to_csv(tmp_path / "both.csv", index=False)
    command = ("predict", "--labels", "walking,sitting", "--model", checkpoint, "--json")
    worn = "watch=left wrist, phone=right pocket"
    (window,) = json.loads(run(capsys, *command, tmp_path / "both.csv", "--placement", worn))
    assert window["start"] == 100
    table.to_csv(tmp_path / "bare.csv", index=False, header=False)
    columns = "t, acc_x,acc_y,acc_z,gyr_x,gyr_y,gyr_z"
    (window,) = json.loads(run(capsys, *command, tmp_path / "bare.csv", *WORN, "--columns", columns))
    assert window["start"] == 100


def test_caption(checkpoint, describe, csv_file, capsys):
    path = csv_file(6.0)
    command = ("caption", path, "--model", checkpoint, *WORN)
    (window,) = json.loads(run(capsys, *command, "--json"))
    assert window == describe(path, placements="left wrist", max_new_tokens=64)[0]
    lines = run(capsys, *command, "--question", "is the person walking").splitlines()
    assert lines[0].split()[:2] == ["start", "end"] and len(lines) == 2


def test_retrieve_in_several_files(checkpoint, csv_file, capsys):
    paths = [csv_file(11.0, "first.csv", seed=1), csv_file(5.0, "second.csv", seed=2)]
    command = ("retrieve", "a person walking", *paths, "--model", checkpoint, *WORN)
    found = json.loads(run(capsys, *command, "--json"))
    assert {(w["file"], w["start"]) for w in found} == {
        (str(paths[0]), 100),
        (str(paths[0]), 105),
        (str(paths[1]), 100),
    }
    assert [w["score"] for w in found] == sorted((w["score"] for w in found), reverse=True)
    lines = run(capsys, *command, "--top-k", "2").splitlines()
    assert lines[0].split() == ["file", "start", "end", "score"] and len(lines) == 3
    assert lines[1].split() == [found[0]["file"], f"{found[0]['start']:.1f}", f"{found[0]['end']:.1f}",
                                f"{found[0]['score']:.3f}"]  # fmt: skip


def test_retrieve_in_a_file_of_several_recordings(checkpoint, csv_file, tmp_path, capsys):
    parts = [pd.read_csv(csv_file(5.0, seed=seed)).assign(recording=f"walk {seed}") for seed in (1, 2)]
    path = tmp_path / "several.csv"
    pd.concat(parts).to_csv(path, index=False)
    command = ("retrieve", "walking", path, "--model", checkpoint, *WORN)
    assert {w["recording"] for w in json.loads(run(capsys, *command, "--json"))} == {"walk 1", "walk 2"}
    assert run(capsys, *command).splitlines()[0].split() == ["file", "recording", "start", "end", "score"]
    (found,) = json.loads(run(capsys, *command, "--recording", "walk 2", "--json"))
    assert found["recording"] == "walk 2"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "nowhere.csv", "--labels", "a,b"], "nowhere.csv does not exist"),
        (["predict", "FILE", "--labels", "walking"], "where its sensor was worn"),
        (["predict", "FILE", "--labels", "walking", "--placement", "wrst"], "did you mean"),
        (["predict", "FILE", "--labels", "walking,", *WORN], "none of them empty"),
        (["predict", "FILE", "--labels", "walking,walking", *WORN], "more than once"),
        (["predict", "FILE", "--labels", "walking", *WORN, "--top-k", "0"], "`--top-k` must be"),
        (["predict", "FILE", "--labels", "walking", *WORN, "--model", "nothing"], "There is no folder 'nothing' here"),
        (
            ["predict", "FILE", "--labels", "walking", *WORN, "--model", "./no/thing"],
            "There is no folder './no/thing'",
        ),
        (["predict", "FILE", "--labels", "walking", *WORN, "--model", "/no/thing"], "There is no folder '/no/thing'"),
        (["predict", "FILE", "--labels", "walking", *WORN, "--model", "a/b/c"], "There is no folder 'a/b/c' here"),
        (["predict", "FILE", "--labels", "walking", *WORN, "--model", "EMPTY"], "has no config.json"),
        (["predict", "FILE", "--labels", "walking", "--placement", "a=b=c"], "`--placement` must be a name, or such"),
        (["predict", "FILE", "--labels", "walking", "--placement", "a=waist"], "`--placement` renames ['a']"),
        (["predict", "FILE", "--labels", "walking"], "pass `--placement`"),
        (["predict", "FILE", "--labels", "walking", *WORN, "--rate", "50"], "`--rate` = 50.0 is not needed"),
        (["predict", "FILE", "--labels", "walking,walking", *WORN], "`--labels`"),
        (["predict", "FILE", "--labels", "walking", *WORN, "--model", "ENCODER"], "but came AnyMoGraphEncoder"),
        (["predict", "FILE", "--labels", "walking", *WORN, "--calibrate"], "No sensor could be calibrated"),
        (["caption", "FILE", *WORN, "--question", ""], "`--question` must be a text"),
        (["caption", "FILE", *WORN, "--model", "ENCODER"], "but came AnyMoGraphEncoder"),
        (["retrieve", " ", "FILE", *WORN], "strings with words"),
        (["retrieve", "walking", "nowhere.csv"], "nowhere.csv does not exist"),
        (["retrieve", "walking", "FILE", *WORN, "--model", "ENCODER"], "An encoder alone knows no texts"),
    ],
)
def test_errors_are_one_clear_line(arguments, message, checkpoint, encoder_checkpoint, csv_file, tmp_path, capsys):
    names = {"FILE": str(csv_file(6.0)), "ENCODER": encoder_checkpoint, "EMPTY": str(tmp_path)}
    arguments = [names.get(argument, argument) for argument in arguments]
    if "--model" not in arguments:
        arguments += ["--model", checkpoint]
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


def test_a_model_that_the_hub_does_not_give(csv_file, capsys, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("We couldn't connect to 'https://huggingface.co'\nand more")

    monkeypatch.setattr("transformers.pipeline", refuse)
    assert main(["predict", str(csv_file(6.0)), "--labels", "a,b", *WORN, "--model", "some/model"]) == 1
    error = capsys.readouterr().err
    assert "some/model is no folder here and could not be fetched from the Hub: We couldn't connect" in error
    assert "and more" in error, "what the Hub says last may be the advice that helps"


def test_labels_are_required(csv_file, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["predict", str(csv_file(6.0))])
    assert stop.value.code == 2 and "--labels" in capsys.readouterr().err

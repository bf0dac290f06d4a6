# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The command line: what it writes, and what it says when something is wrong."""

import json

import pytest

from anymo_hf.cli import main, make_parser
from anymo_hf.cli_messages import name_options
from anymo_hf.simulation.readers import save_motion
from anymo_hf.simulation.synthesis import demo_motion
from anymo_hf.version import __version__


@pytest.fixture
def motion_file(tmp_path):
    path = tmp_path / "motions" / "demo.npz"
    path.parent.mkdir()
    save_motion(demo_motion()[:600], path)
    return path


def test_simulate(motion_file, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["simulate", str(motion_file), str(out), "--placements", "left wrist, right shoe", "--errors", "phone"]
    assert main(arguments) == 0
    assert "1 motions" in capsys.readouterr().out
    assert list((out / "data").glob("*.parquet"))
    assert "left wrist, right shoe" in (out / "README.md").read_text(encoding="utf-8")


def test_simulate_kinematics_and_list_failures(motion_file, tmp_path, capsys):
    (motion_file.parent / "broken.bvh").write_text("nothing", encoding="utf-8")
    out = tmp_path / "out"
    assert main(["simulate", str(motion_file.parent), str(out), "--kinematics"]) == 1
    printed = capsys.readouterr().out
    assert "1 failed" in printed and "broken.bvh" in printed
    rows = [json.loads(line) for line in (out / "converted" / "report.jsonl").read_text(encoding="utf-8").splitlines()]
    assert ["error" in row for row in rows] == [True, False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["simulate", "nowhere.bvh", "OUT"], "no file or folder"),
        (["simulate", "MOTION", "OUT", "--placements", "left wrst"], "did you mean"),
        (["simulate", "MOTION", "OUT", "--errors", "clock"], "no preset"),
        (["simulate", "MOTION", "OUT", "--cutoff", "90"], "must stay below half"),
        (["simulate", "MOTION", "OUT", "--num-placements", "3"], "at least 23"),
        (["demo", "nowhere.bvh", "--out", "OUT"], "nowhere.bvh"),
        (["demo", "MOTION", "--out", "MOTION/below/a/file.html"], "MOTION"),
    ],
)
def test_errors_are_one_clear_line(arguments, message, motion_file, tmp_path, capsys):
    names = {"MOTION": str(motion_file), "OUT": str(tmp_path / "out")}
    for name, value in names.items():
        arguments = [argument.replace(name, value) for argument in arguments]
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert message.replace("MOTION", str(motion_file)) in error and "Traceback" not in error


@pytest.fixture
def recording_file(tmp_path):
    """Ten seconds of a wrist at rest, in g."""
    rows = ["t,acc_x,acc_y,acc_z,gyr_x,gyr_y,gyr_z"]
    rows += [f"{i / 50:.2f},0.01,0.0{i % 3},0.99,0.00{i % 2},0.001,0.002" for i in range(500)]
    path = tmp_path / "wrist.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def test_inspect(recording_file, tmp_path, capsys):
    plot = tmp_path / "picture.png"
    assert main(["inspect", str(recording_file), "--placement", "left wrist", "--plot", str(plot)]) == 0
    printed = capsys.readouterr().out
    assert "left wrist: 500 samples, 10.0 s at 50 Hz" in printed
    assert "WARNING: left wrist: the force seems to be in g" in printed and "check `--force-unit`" in printed
    assert plot.read_bytes().startswith(b"\x89PNG")
    right = ["inspect", str(recording_file), "--placement", "left wrist", "--force-unit", "g", "--plot", str(plot)]
    assert main(right) == 0
    assert "WARNING" not in capsys.readouterr().out


def test_inspect_says_what_is_missing(recording_file, capsys):
    assert main(["inspect", str(recording_file)]) == 1
    error = capsys.readouterr().err
    assert "where its sensor was worn" in error and "pass `--placement`" in error and "`placements`" not in error
    assert main(["inspect", str(recording_file), "--placement", "wrst"]) == 1
    assert "left wrist" in capsys.readouterr().err


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0 and __version__ in capsys.readouterr().out


def test_messages_name_options_that_the_command_has():
    args = make_parser().parse_args(["inspect", "watch.csv"])
    text = "pass `sampling_rate`, gravity='removed' or `recording='a b'`; `timestamps` and `top_k` are for Python."
    expected = "pass `--rate`, `--gravity 'removed'` or `--recording 'a b'`; `timestamps` and `top_k` are for Python."
    assert name_options(text, args) == expected
    args = make_parser().parse_args(["simulate", "IN", "OUT"])
    assert name_options("`placements`", args) == "`--placements`"

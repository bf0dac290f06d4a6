# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The demonstration ends with what a model recognises, writes and finds."""

import re
from pathlib import Path

import pytest

from anymo_hf.cli import main
from anymo_hf.demo import run_demo, wear
from anymo_hf.simulation.synthesis import demo_motion


CHECKPOINT = Path(__file__).parents[1] / "anymo"


def test_a_watch_and_a_phone_are_worn():
    motion = demo_motion()
    recording = wear(motion, seed=0)
    assert [sensor.placement for sensor in recording.sensors] == ["left wrist", "right trouser pocket"]
    assert recording.end_time - recording.start_time == pytest.approx(motion.duration, abs=0.1)
    assert (wear(motion, seed=1).sensors[0].values != recording.sensors[0].values).any()  # mounted another way


def test_the_page_shows_what_the_model_makes_of_it(tmp_path, capsys):
    page = run_demo(out=tmp_path / "page.html", model=CHECKPOINT).read_text(encoding="utf-8")
    section = page.split("What a model makes of it")[1].split("</section>")[0]
    times = re.findall(r"<td>(\d+\.\d)–(\d+\.\d) s</td>", section)
    assert [float(start) for start, _ in times] == [1.5 * i for i in range(len(times))] and len(times) == 11
    scores = [int(score) for score in re.findall(r" (\d+)&nbsp;%", section)]
    assert len(scores) == 33 and all(sum(scores[i : i + 3]) <= 101 for i in range(0, 33, 3))
    assert "it finds" in section and "waving" in section
    printed = capsys.readouterr().out
    assert printed.count("–") == 11 and "is found at" in printed


def test_without_a_model_the_page_is_without_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # no folder named anymo here
    assert main(["demo", "--out", "page.html"]) == 0
    assert "What a model makes of it" not in (tmp_path / "page.html").read_text(encoding="utf-8")

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark of all stages: what it measures is what it says, and the page shows it."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

from anymo_hf.evaluation.results import Result, append_results, read_results
from anymo_hf.simulation.readers.bvh import read_bvh


ROOT = Path(__file__).parents[2]
measure = importlib.import_module("stages_measure")
page = importlib.import_module("stages_page")
MARKS = "".join(f"<!-- {name} -->\nold\n<!-- end of {name} -->\n" for name in page.TABLES)


def test_a_share_is_of_the_bound(monkeypatch):
    seconds = {"fast": 0.5, "slow": 2.0}
    monkeypatch.setattr(measure, "seconds_of", lambda call, at_least: seconds[call()])
    stage = measure.Stage("s", measure.PRODUCT, lambda: "slow", 6e9, lambda: "fast", 3e9)
    share, milliseconds, rate = measure.measure_stages([stage], 3, 0.0)
    # 3 GFLOP/s against 6 GFLOP/s.
    assert share.metric == measure.SHARE and share.value == share.ci_low == pytest.approx(50)
    assert milliseconds.value == pytest.approx(2000) and rate.value == pytest.approx(6)


def test_slopes_of_known_costs(monkeypatch):
    monkeypatch.setattr(measure, "seconds_of", lambda call, at_least: call())
    tasks = {size: (lambda size=size: 0.25 * size**2) for size in (1, 2, 4, 8)}
    (exponent, _), seconds = measure.measure_slope("s", "frames", tasks, 2, 0.0)
    assert exponent.value == pytest.approx(2) and seconds[4] == pytest.approx(4)
    assert measure.fit_line(np.array([1.0, 2, 10]), 3 + 0.5 * np.array([1.0, 2, 10])) == pytest.approx((3, 0.5))


def test_memory_kept_for_the_backward_pass_is_counted_once():
    weight = torch.ones(8, 8, requires_grad=True)
    values = torch.ones(16, 8)
    # The product keeps its input and, for the input's gradient, nothing; the square keeps the product.
    assert measure.saved_bytes(lambda: (values @ weight).square().sum()) == (16 * 8 + 16 * 8) * 4
    assert measure.saved_bytes(lambda: (values @ weight).square().sum() + (values @ weight).sum()) == 2 * 16 * 8 * 4


def make_row(part, subset, metric, value, note=""):
    return Result("performance", part, f"{subset}, 1 thread", "anymo-hf", metric, value, note=note)


def test_the_page_tells_why_and_plans(tmp_path):
    path = tmp_path / "results.jsonl"
    rows = [
        make_row("stages", "encoder forward, small, 8 windows", page.SHARE, 40.0, "matrix product"),
        make_row("stages", "encoder forward, small, 8 windows", "ms", 80.0),
        make_row("stages", "something new", page.SHARE, 10.0, "memory fill"),
        make_row("stages", "generate 64 tokens", page.SHARE, 90.0, "plain models"),
        make_row("training", "matrix product", "GFLOP/s", 100.0),
        make_row("training", "encoder, small", "GFLOP per window of 5 s", 0.5),
    ]
    append_results(rows, path)
    text = page.render_page(path, MARKS)
    assert page.REASONS["encoder forward, small"] in text and "| **unexplained** |" in text and "old" not in text
    assert "| generate 64 tokens, 1 thread | plain models | 90 | 90 to 90 |  |  |" in text
    # 0.1 GFLOP per second of signal at 100 GFLOP/s; 8 windows of 5 s in 80 ms.
    assert "| anymo-hf, small | 0.1 | 1,000 | 500 |" in text
    assert "Not measured yet: disk" in text
    plan = [
        make_row("sizes", "kinematics on disk", "GB per hour", 0.25),
        make_row("sizes", "2,374 sensors, float32", "GB per hour", 12.3),
        make_row("slopes", "kinematics at 240 Hz, 1 to 2 hours", "ms per hour", 16000.0),
        make_row("training", "views", "windows/s per core", 100.0),
        make_row("training", "pre-training, paper", "GFLOP per window", 93.6),
        make_row("training", "pre-training, paper", "MB kept per window", 500.0),
        make_row("training", "pre-training, paper", "million parameters", 8.0),
    ]
    append_results(plan, path)
    text = page.render_page(path, text)
    assert "| 75 GB | the same |" in text and "| 5.0 min | the same |" in text
    # 216,000 windows ten times at 1,000 a second; ten cores of 100 keep up.
    assert "| 36.0 min | 4.5 min |" in text and "| 10 | 80 |" in text
    assert "32.1 GB of 80" in text
    assert page.render_page(path, text) == text


def test_every_stage_below_half_has_a_reason():
    stages = [
        r for r in read_results(ROOT / "docs" / "results.jsonl") if (r.table, r.dataset) == ("performance", "stages")
    ]
    text = page.render_page(ROOT / "docs" / "results.jsonl", MARKS)
    assert "unexplained" not in text and text.count("| memory fill |") == sum(
        r.metric == page.SHARE and r.note == "memory fill" for r in stages
    )
    written = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    assert all(f"<!-- {name} -->" in written for name in page.TABLES)


@pytest.mark.filterwarnings("ignore")
def test_a_bvh_of_known_numbers_is_read():
    stages = importlib.import_module("stages")
    data, numbers = stages.make_bvh(3)
    motion = read_bvh(data)
    assert len(motion.names) == stages.NUM_JOINTS and len(numbers.split()) == 3 * (3 + 3 * stages.NUM_JOINTS)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_all_of_it_runs(tmp_path):
    stages = importlib.import_module("stages")
    path, plot = tmp_path / "results.jsonl", tmp_path / "plot.png"
    threads = torch.get_num_threads()
    try:
        stages.main(["--quick", "--out", str(path), "--plot", str(plot)])
    finally:
        torch.set_num_threads(threads)
    results = read_results(path)
    assert len({result.identity for result in results}) == len(results) and plot.exists()
    assert {result.dataset for result in results} == {"stages", "slopes", "sizes", "training"}
    shares = [result for result in results if result.metric == page.SHARE]
    assert len(shares) == 11 and all(np.isfinite(result.value) and result.value > 0 for result in shares)
    kinematics = next(result for result in results if result.subset.startswith("kinematics on disk"))
    assert kinematics.value == pytest.approx(0.24, abs=0.02)
    assert "unexplained" not in page.render_page(path, MARKS)

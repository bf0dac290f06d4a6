# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from anymo_hf.evaluation.readme_tables import main
from anymo_hf.evaluation.results import (
    Result,
    append_results,
    current_command,
    current_commit,
    machine_description,
    measured_metrics,
    read_results,
    render_results,
)


def result(value=0.5, **kwargs):
    return Result(
        **({"table": "speed", "dataset": "d", "subset": "s", "model": "m", "metric": "x"} | kwargs), value=value
    )


def test_round_trip_omits_what_does_not_apply(tmp_path):
    path = tmp_path / "docs" / "results.jsonl"
    append_results([result(0.25, seed=3, same_data_as_published=False)], path)
    assert json.loads(path.read_text()) == {
        "table": "speed", "dataset": "d", "subset": "s", "model": "m", "metric": "x", "value": 0.25,
        "same_data_as_published": False, "seed": 3,
    }  # fmt: skip
    assert read_results(path) == [result(0.25, seed=3, same_data_as_published=False)]
    assert [file.name for file in path.parent.iterdir()] == ["results.jsonl"]


def test_same_figure_is_replaced_in_place_and_another_seed_is_not(tmp_path):
    path = tmp_path / "results.jsonl"
    append_results([result(1.0, seed=0), result(2.0, seed=1)], path)
    append_results([result(3.0, seed=0, note="again"), result(4.0, seed=0, metric="y")], path)
    assert [(r.metric, r.seed, r.value) for r in read_results(path)] == [("x", 0, 3.0), ("x", 1, 2.0), ("y", 0, 4.0)]


def test_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "results.jsonl"
    append_results([result(1.0)], path)
    with pytest.raises(ValueError):
        append_results([result(float("nan"), metric="y")], path)
    assert read_results(path) == [result(1.0)]


def test_broken_line_is_named(tmp_path):
    path = tmp_path / "results.jsonl"
    path.write_text(result().to_json() + '\n{"table": "speed"}\n')
    with pytest.raises(ValueError, match="Line 2"):
        read_results(path)


def test_rendering_groups_by_table_and_drops_empty_columns(tmp_path):
    path = tmp_path / "results.jsonl"
    rows = [
        result(0.031234, ci_low=0.02, ci_high=0.05, ci_method="range"),
        result(66_012_345.6, table="other", command="python x.py", note="a|b"),
        result(7, subset="t"),
    ]
    append_results(rows, path)
    text = render_results(path)
    assert text.index("## Speed") < text.index("## Other")
    assert "| d | s | m | x | 0.03123 | 0.02 to 0.05 (range) |" in text
    assert "| d | t | m | x | 7 |  |" in text
    assert "| d | s | m | x | 66,012,346 | a\\|b |" in text
    assert "    python x.py" in text
    assert "chance" not in text
    main([str(path)])
    assert (tmp_path / "results.md").read_text() == text


def test_no_file_renders_to_an_empty_page(tmp_path):
    assert "|" not in render_results(tmp_path / "none.jsonl")


def test_machine_and_commit():
    assert "cores" in machine_description()
    assert current_commit() is None or len(current_commit().rstrip("+")) == 40


def test_commands_name_no_folder_of_a_machine(monkeypatch):
    arguments = ["/some/where/benchmarks/zero_shot.py", "--checkpoint", "/home/me/model", "--sets", "two words"]
    monkeypatch.setattr("sys.argv", arguments)
    assert current_command() == "python benchmarks/zero_shot.py --checkpoint model --sets 'two words'"


def test_what_was_measured_is_known_by_weights_and_windows():
    rows = [
        Result("t", "d", "s", "m", metric, 1.0, seed=0, checkpoint_sha256=sha, note=note)
        for metric, sha, note in (("a", "1", "few"), ("b", "1", "all"), ("c", "2", "few"), ("d", "1", None))
    ]
    where = ("t", "d", "s", "m", 0, "1")
    assert measured_metrics(rows, where) == {"a", "b", "d"}
    assert measured_metrics(rows, where, lambda note: note == "few") == {"a"}

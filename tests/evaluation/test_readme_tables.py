# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""README's tables hold what was measured, and nothing else of README changes."""

from anymo_hf.evaluation.readme_tables import ABLATIONS, PROBE_METRIC, README_FIGURES, render_readme
from anymo_hf.evaluation.results import Result, append_results


def result(value, **kwargs):
    return Result(
        **({"table": "speed", "dataset": "d", "subset": "s", "model": "m", "metric": "x"} | kwargs), value=value
    )


def make_readme(*names):
    return "a\n" + "".join(f"<!-- {name} -->\nold\n<!-- end of {name} -->\n" for name in names) + "b\n"


def test_the_readme_shows_what_was_measured(tmp_path):
    path = tmp_path / "results.jsonl"
    words, *where = README_FIGURES[0]
    names = dict(zip(("table", "dataset", "subset", "metric"), where, strict=True))
    append_results(
        [
            Result(**names, model="anymo-hf, 20 Hz", value=0.03391, command="python x.py"),
            Result(**names, model="official recipe, poses interpolated", value=0.0518),
            Result(**names, model="official recipe", value=0.2),
        ],
        path,
    )
    readme = "before\n<!-- results -->\nold\n<!-- end of results -->\nafter\n"
    rendered = render_readme(path, readme)
    assert f"| {words} | 0.03391 | 0.0518 | `python x.py` |" in rendered and "old" not in rendered
    assert rendered.startswith("before\n") and rendered.endswith("\nafter\n")
    assert render_readme(path, rendered) == rendered


def test_probes_of_several_seeds_are_one_cell(tmp_path):
    path = tmp_path / "results.jsonl"
    where = {"table": "frozen encoder", "dataset": "d", "subset": "wrist", "metric": PROBE_METRIC}
    rows = [result(value, model="pre-trained", seed=seed, **where) for seed, value in enumerate((40.0, 42.0, 47.0))]
    append_results([*rows, result(38.26, model="hand-made features", **where), result(1.0)], path)
    text = render_readme(path, make_readme("results", "frozen encoder"))
    assert "| d, wrist | 43.0 (40.0 to 47.0) | 38.3 |" in text
    assert text.startswith("a\n") and text.endswith("\nb\n") and text.count("| d") == 1


def test_ablations_are_compared_where_all_were_measured(tmp_path):
    path, (whole, other, *_) = tmp_path / "results.jsonl", ABLATIONS
    where = {"table": "frozen encoder", "metric": PROBE_METRIC}
    values = {("d", whole): 40.0, ("d", other): 30.0, ("e", whole): 50.0, ("e", other): 51.0, ("f", whole): 90.0}
    append_results([result(v, dataset=d, model=model, **where) for (d, model), v in values.items()], path)
    text = render_readme(path, make_readme("ablations"))
    assert f"| {ABLATIONS[whole]} | 45.0 |  |" in text and f"| {ABLATIONS[other]} | 40.5 | 1 |" in text
    assert "mean of 2 evaluations" in text


def test_zero_shot_figures_stand_beside_their_controls(tmp_path):
    path, where = tmp_path / "results.jsonl", {"table": "zero-shot", "num_classes": 6}
    rows = [
        result(value, model=model, metric=f"{metric} (%)", seed=seed, **where)
        for model, metric, seed, value in [
            ("anymo-hf", "accuracy", 0, 40.0), ("anymo-hf", "accuracy", 1, 44.0), ("anymo-hf", "macro-F1", 0, 30.0),
            ("random weights", "accuracy", 0, 16.0), ("random weights", "macro-F1", 0, 6.0),
            ("anymo-hf", "R@2", 0, 60.0),
        ]
    ]  # fmt: skip
    published = {"table": "zero-shot", "model": "UniMTS, published"}
    rows += [result(35.0, metric="accuracy (%)", **published), result(22.0, metric="macro-F1 (%)", **published)]
    append_results([*rows, result(1.0, table="zero-shot", model="random weights", subset="t")], path)
    text = render_readme(path, make_readme("zero-shot"))
    assert "| d, s, 6 | 42.0 (40.0 to 44.0) / 30.0 |  | 16.0 / 6.0 | 35.0 / 22.0 |" in text and "d, t" not in text

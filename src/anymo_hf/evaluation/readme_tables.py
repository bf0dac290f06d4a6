# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
The tables of README, made anew from the figures between two marks each.

    python -m anymo_hf.evaluation.readme_tables    # docs/results.jsonl -> docs/results.md and the tables in README.md
"""

import argparse
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from anymo_hf.evaluation.results import DEFAULT_PATH, Result, format_number, read_results, render_results


PROBE_METRIC = "5-shot, accuracy (%)"
PROBE_MODELS = (
    "pre-trained",
    "pre-trained, aligned",
    "pre-trained, mounting unknown",
    "untrained",
    "untrained, all segments pooled",
    "hand-made features",
)
# What README shows: words, then table, dataset, subset and metric, then the models side by side.
_OURS, _RECIPE = (
    ("anymo-hf, 25 Hz", "anymo-hf, 20 Hz", "anymo-hf"),
    ("official recipe, poses interpolated", "official recipe"),
)
README_FIGURES = (
    ("rigid body, specific force, NRMSE", "real against simulated", "BROAD", "all recordings", "force NRMSE"),
    ("rigid body, angular rate, NRMSE", "real against simulated", "BROAD", "all recordings", "rate NRMSE"),
    ("right instep walking, force, NRMSE", "real against simulated", "gaitmap", "held-out recordings", "force NRMSE"),
    ("right instep walking, rate, NRMSE", "real against simulated", "gaitmap", "held-out recordings", "rate NRMSE"),
    ("shanks walking, force, NRMSE", "real against simulated", "GaitDynamics", "held-out recordings", "force NRMSE"),
    ("stick, angular rate, NRMSE", "real against simulated", "RepoIMU T-stick", "held-out recordings", "rate NRMSE"),
    (
        "2,374 sensors, million readings per second and core",
        "simulation speed",
        "synthetic motion",
        "2,374 placements, rows of 5 s",
        "million placement-frames/s per core",
    ),
    (
        "kinematics of 240 Hz motion, times real time",
        "simulation speed",
        "synthetic motion",
        "60 s at 240 Hz to 60 Hz",
        "kinematics, times real time",
    ),
    (
        "files to kinematics with 2 processes, times real time",
        "conversion",
        "CMU (BVH and AMC trials), HDM05, Bandai-Namco as BVH",
        "2 processes",
        "times real time",
    ),
    (
        "6 sensors for an hour at 100 Hz to features, s",
        "processing",
        "synthetic signal",
        "60 min of 6 sensors at 100 Hz",
        "array to features, s",
    ),
    (
        "synthesis of everyday activities, times real time",
        "simulation speed",
        "synthetic motion",
        "recordings of 60 s",
        "synthesis, times real time",
    ),
    (
        "small encoder, one window of 5 s, ms",
        "encoder speed",
        "random readings",
        "small, 1 window of 5 s, 2 threads",
        "forward, ms per window",
    ),
)
# Networks trained for a quarter of the steps; the first is whole.
ABLATIONS = {
    "quarter length": "whole",
    "quarter length, no surface": "sensors at one spot of each segment",
    "quarter length, no rotation": "sensors mounted alike",
    "quarter length, no cross-view": "both views of the same sensors",
    "quarter length, no masking": "all segments visible",
    "quarter length, no synthesis": "motion capture only",
    "quarter length, symmetric": "both directions of each pair, as long in hours",
}
ZERO_SHOT_MODELS = ("anymo-hf", "moving against still only", "random weights", "UniMTS, published")


def render_readme(path: str | Path, readme: str) -> str:
    """The README with every table that it has marks for made anew."""
    results = read_results(path)
    for name, make_lines in TABLES.items():
        marks = f"<!-- {name} -->", f"<!-- end of {name} -->"
        if marks[0] in readme:
            before, rest = readme.split(marks[0])
            readme = before + "\n".join([marks[0], *make_lines(results), marks[1]]) + rest.split(marks[1])[1]
    return readme


def figure_lines(results: list[Result]) -> list[str]:
    """Chosen figures beside those of the official recipe."""
    found = {(r.table, r.dataset, r.subset, r.metric, r.model): r for r in results}
    lines = ["| what | anymo-hf | official recipe, restated | command |", "|---|---|---|---|"]
    for words, *where in README_FIGURES:
        cells, command = [], ""
        for models in (_OURS, _RECIPE):
            result = next((found[*where, model] for model in models if (*where, model) in found), None)
            cells.append("" if result is None else format_number(result.value))
            command = command or (result.command if result else "")
        lines.append(f"| {words} | {cells[0]} | {cells[1]} | `{command}` |")
    return lines


def probe_lines(results: list[Result]) -> list[str]:
    """Few-shot accuracy on frozen features: means over seeds, with the lowest and the highest of several."""
    found = _few_shot(results)
    columns = [model for model in PROBE_MODELS if any(model in models for models in found.values())]
    lines = [f"| recordings | {' | '.join(columns)} |", "|---" * (1 + len(columns)) + "|"]
    for (dataset, subset), models in found.items():
        cells = [_mean_and_range(models.get(model, [])) for model in columns]
        lines.append(f"| {dataset}, {subset} | {' | '.join(cells)} |")
    return lines


def ablation_lines(results: list[Result]) -> list[str]:
    """Few-shot accuracy of networks trained for a quarter of the steps: means over what all were tried on."""
    found = list(_few_shot(results).values())
    present = [model for model in ABLATIONS if any(model in models for models in found)]
    shared = [models for models in found if all(model in models for model in present)]
    lines = [f"| trained with | 5-shot, mean of {len(shared)} evaluations | better than whole on |", "|---|---|---|"]
    for model in present:
        values = [_mean(models[model]) for models in shared]
        whole = [_mean(models[present[0]]) for models in shared]
        better = sum(value > base for value, base in zip(values, whole, strict=True))
        lines.append(f"| {ABLATIONS[model]} | {_mean(values):.1f} | {better if model != present[0] else ''} |")
    return lines


def zero_shot_lines(results: list[Result]) -> list[str]:
    """Accuracy and macro-F1 of words that no network was trained on, beside what they must beat."""
    found, num_classes = defaultdict(lambda: defaultdict(list)), defaultdict(int)  # others do not state their classes
    for result in results:
        if result.table == "zero-shot" and result.metric in ("accuracy (%)", "macro-F1 (%)"):
            found[result.dataset, result.subset][result.model, result.metric].append(result.value)
            num_classes[result.dataset, result.subset] = (
                result.num_classes or num_classes[result.dataset, result.subset]
            )
    lines = [f"| recordings, classes | {' | '.join(ZERO_SHOT_MODELS)} |", "|---" * (1 + len(ZERO_SHOT_MODELS)) + "|"]
    for (dataset, subset), models in found.items():
        cells = []
        for model in ZERO_SHOT_MODELS:
            values = [models.get((model, metric), []) for metric in ("accuracy (%)", "macro-F1 (%)")]
            cells.append(" / ".join(_mean_and_range(one) for one in values) if all(values) else "")
        if cells[0]:
            number = num_classes[dataset, subset]  # a mean over several sets has none
            where = f"{dataset}, {subset}" + (f", {number}" if number else "")
            lines.append(f"| {where} | {' | '.join(cells)} |")
    return lines


def _few_shot(results: list[Result]) -> dict[tuple[str, str], dict[str, list[float]]]:
    """Accuracy on frozen features, by dataset and subset, then by model."""
    found = defaultdict(lambda: defaultdict(list))
    for result in results:
        if result.table == "frozen encoder" and result.metric == PROBE_METRIC:
            found[result.dataset, result.subset][result.model].append(result.value)
    return found


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else float("nan")


def _mean_and_range(values: list[float]) -> str:
    if not values:
        return ""
    text = f"{_mean(values):.1f}"
    return text if len(values) == 1 else f"{text} ({min(values):.1f} to {max(values):.1f})"


TABLES: dict[str, Callable[[list[Result]], list[str]]] = {
    "results": figure_lines,
    "frozen encoder": probe_lines,
    "ablations": ablation_lines,
    "zero-shot": zero_shot_lines,
}


def main(arguments: list[str] | None = None) -> None:
    """Renders the file of figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", nargs="?", type=Path, default=DEFAULT_PATH)
    parser.add_argument("--out", type=Path, help="default: the same name with .md")
    options = parser.parse_args(arguments)
    out = options.out or options.path.with_suffix(".md")
    out.write_text(render_results(options.path), encoding="utf-8")
    readme = Path("README.md")
    if options.path == DEFAULT_PATH and readme.exists():
        readme.write_text(render_readme(options.path, readme.read_text(encoding="utf-8")), encoding="utf-8")


__all__ = ["main", "render_readme"]


if __name__ == "__main__":
    main()

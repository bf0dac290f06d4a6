# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Zero-shot scores as figures of `docs/results.jsonl`, and as a table to read."""

from anymo_hf.evaluation.har_datasets import HarDataset
from anymo_hf.evaluation.results import Result
from anymo_hf.evaluation.zero_shot import METRICS, ZeroShotScores
from anymo_hf.evaluation.zero_shot_controls import CHANCE, MAJORITY


TABLE = "zero-shot"
CI_METHOD = "95 %, bootstrap over subjects"


def metric_name(metric: str) -> str:
    """The name of a metric in the table: `"accuracy (%)"`."""
    return f"{metric} (%)"


def subset_words(words: str, calibrated: bool) -> str:
    """The name of what was evaluated: sensors as recorded, or calibrated."""
    return f"{words}, {'calibrated' if calibrated else 'as recorded'}"


def to_results(
    scores: dict[str, ZeroShotScores], model: str, dataset: HarDataset, subset: str, common: dict
) -> list[Result]:
    """
    Rows of one model on one set, in percent: with an interval over people, or each person's value where they are few.

    Args:
        scores (`dict[str, ZeroShotScores]`):
            Of the model, or of a control, and those from `control_scores` for the columns "chance" and "majority".
        model (`str`):
            Its name.
        dataset (`HarDataset`):
            The set.
        subset (`str`):
            From `subset_words`.
        common (`dict`):
            Other fields of `Result`; `note` is added to.

    Returns:
        `list[Result]`: One per metric.
    """
    first, rows = scores[model].first, []
    guesses = {name: scores[name].figures() for name in (CHANCE, MAJORITY)}
    for metric, (value, interval, by_subject) in scores[model].figures().items():
        notes = [common.get("note"), side_note(dataset)]
        if interval is None:
            notes.append("by subject: " + ", ".join(f"{name} {100 * v:.1f}" for name, v in by_subject.items()))
        low, high = [round(100 * end, 2) for end in interval] if interval else (None, None)
        rows.append(
            Result(
                TABLE,
                dataset.name,
                subset,
                model,
                metric_name(metric),
                round(100 * value, 2),
                low,
                high,
                CI_METHOD if interval else None,
                num_windows=round(first.confusion.sum()),
                num_subjects=len(first.subjects),
                num_classes=len(first.classes),
                chance=round(100 * guesses[CHANCE][metric][0], 2),
                majority=round(100 * guesses[MAJORITY][metric][0], 2),
                **{**common, "note": "; ".join(note for note in notes if note) or None},
            )
        )
    return rows


def side_note(dataset: HarDataset) -> str | None:
    """What a reader must know of a set that does not say on which side its sensors are worn."""
    places = ", ".join(dataset.placements_without_side)
    return f"side not stated, taken for the right: {places}" if places else None


def format_table(scores: dict[str, ZeroShotScores]) -> str:
    """Percent of each model, with intervals, or below the table each person's accuracy where they are few."""
    width = max(map(len, scores))
    lines = [f"{'':{width}}  " + "  ".join(f"{metric:22}" for metric in METRICS)]
    for model, found in scores.items():
        cells = [_cell(value, interval) for value, interval, _ in found.figures().values()]
        lines.append(f"{model:{width}}  " + "  ".join(f"{cell:22}" for cell in cells))
    for model, found in scores.items():
        if found.figures()["accuracy"][1] is None:
            each = ", ".join(f"{name} {100 * value:.1f}" for name, value in found.first.accuracy_by_subject.items())
            lines.append(f"{model}, accuracy by subject: {each}")
    return "\n".join(line.rstrip() for line in lines)


def format_confusions(scores: ZeroShotScores) -> str:
    """A line per class: how often it is found, and what it is most taken for."""
    rows = scores.confusions()
    width = max((len(name) for name, *_ in rows), default=0)
    return "\n".join(
        f"{name:{width}}  {100 * recall:5.1f}  taken for {other} {100 * share:.1f}"
        for name, recall, other, share in rows
    )


def _cell(value: float, interval: tuple[float, float] | None) -> str:
    ends = f" ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})" if interval else ""
    return f"{100 * value:.1f}{ends}"


__all__ = ["TABLE", "format_confusions", "format_table", "metric_name", "side_note", "subset_words", "to_results"]

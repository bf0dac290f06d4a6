# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
What real recordings of other sets add: a set is named by an encoder that trained on all others, and by one on none.

    python training_scripts/align_graph_encoder.py ... --recordings har --left_out dsads --output_dir without_dsads
    python benchmarks/leave_one_set_out.py --checkpoint without_dsads/text_alignment --left_out dsads \
        --baseline aligned/text_alignment --teacher_texts teacher_texts.safetensors

Checkpoints go with the sets in their order; one that was trained on its set is refused. The classes are named by the
text head, without a language model, so that these figures stand apart from those of `zero_shot.py`, where nothing real
was trained on. Words of the classes may occur in the other sets too. The folder with the recordings is taken from the
environment variable ANYMO_DATA. Every look at a set for the report is noted in docs/evaluations.log.
"""

import argparse
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import torch
from frozen_encoder import Evaluation, choose_evaluations
from zero_shot import EVALUATIONS, HIDDEN_PLACE, load_windows

from anymo_hf import AnyMoGraphEncoderForTextAlignment
from anymo_hf.evaluation.embeddings import HarWindows
from anymo_hf.evaluation.evaluation_log import log_evaluation
from anymo_hf.evaluation.har_datasets import HAR_DATASETS
from anymo_hf.evaluation.naming import embed_classes, name_windows
from anymo_hf.evaluation.results import (
    DEFAULT_PATH,
    Result,
    append_results,
    current_command,
    current_commit,
    machine_description,
    read_results,
)
from anymo_hf.evaluation.zero_shot import METRICS, checkpoint_sha256
from anymo_hf.evaluation.zero_shot_controls import control_scores
from anymo_hf.evaluation.zero_shot_results import metric_name, subset_words, to_results
from anymo_hf.training import TeacherTexts


TABLE = "leave one set out"
SIMULATION_ONLY = "anymo-hf encoder, simulation only"
WITH_RECORDINGS = "anymo-hf encoder, with recordings of other sets"


@dataclass(frozen=True)
class Aligned:
    """An encoder with its text head: its name in the table, what is measured of it and what a reader must know."""

    name: str
    model: AnyMoGraphEncoderForTextAlignment
    text_mean: torch.Tensor | None
    checkpoint_sha256: str
    note: str


def load_aligned(folder: Path, left_out: str | None) -> Aligned:
    """
    A `text_alignment` folder of `align_graph_encoder.py`.

    Args:
        folder (`Path`):
            Also with the texts that it learned, or the teacher's mean over all texts is taken for theirs.
        left_out (`str` or `None`):
            The set that it must not know; `None` for one that has seen simulation only.

    Returns:
        `Aligned`: On the CPU.

    Raises:
        ValueError: If it was trained with other recordings than it should.
    """
    sets, bank = folder / "recordings.json", folder / "text_bank.safetensors"
    trained_on = sorted(json.loads(sets.read_text(encoding="utf-8"))["trained_on"]) if sets.exists() else []
    if left_out is None and trained_on:
        raise ValueError(f"The baseline must have seen simulation only, but {folder} was trained on {trained_on}.")
    if left_out is not None and (not trained_on or left_out in trained_on):
        raise ValueError(
            f"{folder} must have been trained on recordings of other sets than {left_out!r}, but was on "
            f"{trained_on or 'none'}; train it with `--recordings` and `--left_out {left_out}`."
        )
    model = AnyMoGraphEncoderForTextAlignment.from_pretrained(folder, dtype=torch.float32)
    text_mean = TeacherTexts.from_file(bank).embeddings.mean(dim=0) if bank.exists() else None
    notes = [f"trained on recordings of {', '.join(trained_on)}"] if trained_on else []
    notes += [] if bank.exists() else ["words centred by the mean of all of the teacher's texts"]
    name = WITH_RECORDINGS if trained_on else SIMULATION_ONLY
    return Aligned(name, model, text_mean, checkpoint_sha256(folder, model), "; ".join(notes))


def run(
    left_out: str,
    encoders: list[Aligned],
    teacher: TeacherTexts,
    folder: Path,
    out: Path,
    common: dict,
    max_windows: int | None = None,
) -> None:
    """All encoders on the same windows of one set; writes every piece as soon as it is there."""
    for evaluation in choose_evaluations([left_out], EVALUATIONS):
        if evaluation.words == HIDDEN_PLACE:  # which needs a model that has prompts
            continue
        for calibrated in (False, True):
            subset = subset_words(evaluation.words, calibrated)
            if evaluation.split == "report":
                models = ", ".join(one.name for one in encoders)
                log_evaluation([left_out], f"benchmarks/leave_one_set_out.py, {subset}: {models}")
            windows, notes = load_windows(evaluation, folder, calibrated, max_windows)
            print(f"{left_out}, {subset}: {len(windows)} windows", flush=True)
            for one in encoders:
                rows = measure(one, evaluation, subset, windows, teacher, common, notes)
                append_results(rows, out)
                print(f"  {one.name}: " + "  ".join(f"{row.metric} {row.value:.1f}" for row in rows), flush=True)


def measure(
    one: Aligned,
    evaluation: Evaluation,
    subset: str,
    windows: HarWindows,
    teacher: TeacherTexts,
    common: dict,
    notes: Iterable[str] = (),
) -> list[Result]:
    """Rows of one encoder, in percent."""
    dataset = HAR_DATASETS[evaluation.dataset]
    classes = dataset.get_classes(evaluation.classes)
    embeddings = embed_classes(classes, teacher, one.text_mean)
    scores = control_scores(windows, classes) | {
        one.name: name_windows(one.model, windows, embeddings, classes=classes)
    }
    note = "; ".join(filter(None, [*notes, one.note])) or None
    rows = to_results(
        scores, one.name, dataset, subset, common | {"checkpoint_sha256": one.checkpoint_sha256, "note": note}
    )
    return [replace(row, table=TABLE) for row in rows]


def summary(results: list[Result]) -> str:
    """Of each set and metric what the recordings add, in points."""
    found = {
        (row.dataset, row.subset, row.metric, row.seed, row.model): row.value for row in results if row.table == TABLE
    }
    lines = []
    for *where, model in found:
        before = found.get((*where, SIMULATION_ONLY))
        if model == WITH_RECORDINGS and before is not None and where[2] in map(metric_name, METRICS):
            after = found[*where, model]
            lines.append(f"{where[0]}, {where[1]}; {where[2]}: {before:.1f} -> {after:.1f} ({after - before:+.1f})")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, nargs="+", required=True, help="folders `text_alignment`")
    parser.add_argument("--left_out", nargs="+", required=True, help="the set that each of them has not seen")
    parser.add_argument("--baseline", type=Path, help="folder `text_alignment` that has seen simulation only")
    parser.add_argument("--teacher_texts", type=Path, required=True, help="knows the words of the classes")
    parser.add_argument("--seed", type=int, default=0, help="of the trainings")
    parser.add_argument("--max_windows", type=int, help="at most so many, equally many of each person and class")
    parser.add_argument("--out", type=Path, default=DEFAULT_PATH)
    options = parser.parse_args()
    if "ANYMO_DATA" not in os.environ:
        raise SystemExit("Set ANYMO_DATA to the folder that holds `har/`.")
    if len(options.checkpoint) != len(options.left_out):
        raise SystemExit(
            "Every checkpoint needs the set that it has not seen: as many `--left_out` as `--checkpoint`."
        )
    common = {
        "command": current_command(),
        "commit": current_commit(),
        "machine": machine_description(),
        "date": date.today().isoformat(),
        "seed": options.seed,
    }
    teacher = TeacherTexts.from_file(options.teacher_texts)
    baseline = [load_aligned(options.baseline, None)] if options.baseline else []
    for folder, left_out in zip(options.checkpoint, options.left_out, strict=True):
        encoders = [*baseline, load_aligned(folder, left_out)]
        run(left_out, encoders, teacher, Path(os.environ["ANYMO_DATA"]), options.out, common, options.max_windows)
    print(summary(read_results(options.out)))


if __name__ == "__main__":
    main()

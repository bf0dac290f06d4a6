# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Our encoder beside those of others, all trained by `train_baseline.py`: zero-shot, and with five examples of a class.

    python benchmarks/baselines.py --sets dev --teacher_texts teacher_texts.safetensors \
        --checkpoint baselines/anymo/text_alignment baselines/unimts/text_alignment baselines/imu2clip/text_alignment \
        --name anymo-hf UniMTS-like IMU2CLIP-like

Zero-shot, each window gets the class whose sentence embedding its text features are nearest to; there is no language
model. The file of texts must be the one that they were trained with, and know the words of all classes; see
`training_scripts/align_graph_encoder.py`. 5-shot is the probe of `frozen_encoder.py`. Sensors as recorded stand apart
from calibrated ones, as in `zero_shot.py`. The folder with the recordings is taken from the environment variable
ANYMO_DATA. Several checkpoints of one name need seeds. What stands in the results for the same weights is not
measured again, and every look at a set for the report is noted in docs/evaluations.log.

A sensor is shown to the UniMTS-like network at the joint next to it, as its authors place them.
"""

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import torch
from baseline_models import UniMTSLikeForTextAlignment, load_network
from frozen_encoder import Evaluation, choose_evaluations
from zero_shot import EVALUATIONS, HIDDEN_PLACE, load_windows, says_limit

from anymo_hf import AnyMoGraphEncoderForTextAlignment
from anymo_hf.evaluation.embeddings import HarWindows, embed_windows
from anymo_hf.evaluation.evaluation_log import log_evaluation
from anymo_hf.evaluation.har_datasets import HAR_DATASETS
from anymo_hf.evaluation.metrics import accuracy, macro_f1
from anymo_hf.evaluation.naming import embed_classes, name_windows
from anymo_hf.evaluation.probes import few_shot_probe
from anymo_hf.evaluation.results import (
    DEFAULT_PATH,
    Result,
    append_results,
    current_command,
    current_commit,
    machine_description,
    measured_metrics,
    read_results,
)
from anymo_hf.evaluation.zero_shot import METRICS, checkpoint_sha256
from anymo_hf.evaluation.zero_shot_controls import control_scores
from anymo_hf.evaluation.zero_shot_results import CI_METHOD, metric_name, subset_words, to_results
from anymo_hf.processing.placements_anymo import SEGMENT_PARENTS, SEGMENTS
from anymo_hf.simulation.placements import find_placement
from anymo_hf.training import TeacherTexts


TABLE = "baselines"
ZERO_SHOT, FEW_SHOT = "zero-shot", "5-shot"
FEW_SHOT_METRICS = {"accuracy": accuracy, "macro-F1": macro_f1}
FEW_SHOT_NOTE = "20 draws of five windows of each class, people left out"


@dataclass(frozen=True)
class Candidate:
    """A network to evaluate: its name in the table, seed, hash of the weights, itself, and what its texts share."""

    model: str
    seed: int
    checkpoint_sha256: str
    network: AnyMoGraphEncoderForTextAlignment
    text_mean: torch.Tensor


def find_candidates(checkpoints: list[Path], names: list[str], seeds: list[int]) -> list[Candidate]:
    """Every checkpoint, on an accelerator if there is one."""
    if not len(checkpoints) == len(names) == len(seeds):
        counts = f"{len(checkpoints)} came with {len(names)} names and {len(seeds)} seeds"
        raise ValueError(f"Every checkpoint needs a name and a seed, but {counts}.")
    if len(set(zip(names, seeds, strict=True))) < len(names):
        raise ValueError("Checkpoints of one name need different `seeds`, or the last would replace the others.")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    found = []
    for folder, name, seed in zip(checkpoints, names, seeds, strict=True):
        network = load_network(folder).to(device)
        text_mean = TeacherTexts.from_file(folder / "text_bank.safetensors").embeddings.mean(dim=0)
        found.append(Candidate(name, seed, checkpoint_sha256(folder, network), network, text_mean))
    return found


def at_nearest_joints(windows: HarWindows) -> HarWindows:
    """Every sensor on the segment that begins at the joint next to it: one at a wrist on the hand."""
    segments = [_segment_of_nearest_joint(place) for place in windows.placements]
    if len(set(segments)) < len(segments):
        shared = dict(zip(windows.placements, segments, strict=True))
        raise ValueError(f"Each joint can have one sensor, but these share some: {shared}; choose other sets.")
    return replace(windows, segments=tuple(segments))


def _segment_of_nearest_joint(place: str) -> str:
    """The segment itself, or the next one outwards (of the trunk, upwards) from the middle of the bone on."""
    placement = find_placement(place)
    index = SEGMENTS.index(placement.segment)
    if placement.along <= 0.5 or index not in SEGMENT_PARENTS:
        return placement.segment
    return SEGMENTS[SEGMENT_PARENTS.index(index)]


def run(
    evaluations: list[Evaluation],
    candidates: list[Candidate],
    teacher: TeacherTexts,
    folder: Path,
    out: Path,
    common: dict,
    max_windows: int | None = None,
) -> None:
    """Measures what the results lack, and writes every piece as soon as it is there."""
    for evaluation in evaluations:
        for calibrated in (False, True):
            subset, done = subset_words(evaluation.words, calibrated), read_results(out)
            missing = [
                one for one in candidates if not is_measured(done, evaluation.dataset, subset, one, max_windows)
            ]
            if not missing:
                continue
            if evaluation.split == "report":
                models = ", ".join(f"{one.model} {one.seed}" for one in missing)
                log_evaluation([evaluation.dataset], f"benchmarks/baselines.py, {subset}: {models}")
            windows, notes = load_windows(evaluation, folder, calibrated, max_windows)
            print(f"{evaluation.dataset}, {subset}: {len(windows)} windows", flush=True)
            for rows in measure(evaluation, subset, windows, missing, teacher, common | {"note": "; ".join(notes)}):
                append_results(rows, out)


def measure(
    evaluation: Evaluation,
    subset: str,
    windows: HarWindows,
    candidates: list[Candidate],
    teacher: TeacherTexts,
    common: dict,
) -> Iterator[list[Result]]:
    """Rows of each network."""
    dataset = HAR_DATASETS[evaluation.dataset]
    classes = dataset.get_classes(evaluation.classes)
    controls = control_scores(windows, classes)
    for one in candidates:
        started = time.perf_counter()
        worn = at_nearest_joints(windows) if isinstance(one.network, UniMTSLikeForTextAlignment) else windows
        embeddings = embed_classes(classes, teacher, one.text_mean)
        scores = name_windows(one.network, worn, embeddings, classes=classes)
        weights = {"seed": one.seed, "checkpoint_sha256": one.checkpoint_sha256}
        rows = to_results(controls | {one.model: scores}, one.model, dataset, subset, common | weights)
        rows = [replace(row, table=TABLE, metric=f"{ZERO_SHOT}, {row.metric}") for row in rows]
        rows += few_shot_results(one.network, worn, rows[0], common["note"])
        figures = "  ".join(f"{row.metric} {row.value:.1f}" for row in rows)
        print(f"  {one.model} {one.seed}: {figures}  ({time.perf_counter() - started:.1f} s)", flush=True)
        yield rows


def few_shot_results(
    network: AnyMoGraphEncoderForTextAlignment, windows: HarWindows, zero_shot: Result, shared_note: str
) -> list[Result]:
    """Rows of the probe on the same windows, like a row of the zero-shot scores."""
    # Sets mount their sensors alike on all people, so that what examples teach of their axes holds for others.
    embeddings = embed_windows(network.graph_encoder, replace(windows, orientation_known=True))
    scores = few_shot_probe(embeddings, windows.activities, windows.subjects)
    rows = []
    for metric, function in FEW_SHOT_METRICS.items():
        interval = scores.interval(function)
        low, high = [round(100 * end, 2) for end in interval] if interval else (None, None)
        rows.append(
            replace(
                zero_shot,
                metric=f"{FEW_SHOT}, {metric} (%)",
                value=round(100 * float(function(scores.confusion.sum(axis=1)).mean()), 2),
                ci_low=low,
                ci_high=high,
                ci_method=CI_METHOD if interval else None,
                num_classes=len(scores.classes),
                note="; ".join(note for note in (FEW_SHOT_NOTE, shared_note) if note),
            )
        )
    return rows


def is_measured(done: list[Result], dataset: str, subset: str, one: Candidate, max_windows: int | None = None) -> bool:
    """Whether every row of this network stands there, for the same weights and the same choice of windows."""
    where = (TABLE, dataset, subset, one.model, one.seed, one.checkpoint_sha256)
    found = measured_metrics(done, where, says_limit(max_windows))
    zero_shot = {f"{ZERO_SHOT}, {metric_name(metric)}" for metric in METRICS}
    return found >= zero_shot | {f"{FEW_SHOT}, {metric_name(metric)}" for metric in FEW_SHOT_METRICS}


def summary(results: list[Result]) -> str:
    """Each set and metric with the mean of each model over its seeds; last, means over sets that all models have."""
    values = defaultdict(lambda: defaultdict(list))
    for row in results:
        if row.table == TABLE:
            values[row.dataset, row.subset, row.metric][row.model].append(row.value)
    means = {where: {model: float(np.mean(v)) for model, v in found.items()} for where, found in values.items()}
    lines = [f"{', '.join(where)}: " + _cells(found) for where, found in means.items()]
    models = {row.model for row in results if row.table == TABLE}
    over_sets = defaultdict(lambda: defaultdict(list))
    for (_, subset, metric), found in means.items():
        for model, value in found.items() if set(found) == models else ():
            over_sets[subset.rsplit(", ", 1)[-1], metric][model].append(value)
    for (how, metric), found in over_sets.items():
        number = len(next(iter(found.values())))
        lines.append(
            f"mean of {number} sets, {how}, {metric}: " + _cells({m: float(np.mean(v)) for m, v in found.items()})
        )
    return "\n".join(lines)


def _cells(figures: dict[str, float]) -> str:
    return ", ".join(f"{model} {value:.1f}" for model, value in figures.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, nargs="+", required=True, help="`text_alignment` folders")
    parser.add_argument("--name", nargs="+", required=True, help="of each checkpoint in the table")
    parser.add_argument("--seeds", type=int, nargs="+", help="of each checkpoint, default 0")
    parser.add_argument("--teacher_texts", type=Path, required=True, help="knows the words of the classes")
    parser.add_argument("--sets", nargs="+", default=["dev"], help="dev, report, all, or names of sets")
    parser.add_argument("--max_windows", type=int, help="at most so many, equally many of each person and class")
    parser.add_argument("--out", type=Path, default=DEFAULT_PATH)
    options = parser.parse_args()
    evaluations = [one for one in choose_evaluations(options.sets, EVALUATIONS) if one.words != HIDDEN_PLACE]
    if "ANYMO_DATA" not in os.environ:
        raise SystemExit("Set ANYMO_DATA to the folder that holds `har/`.")
    common = {
        "command": current_command(),
        "commit": current_commit(),
        "machine": machine_description(),
        "date": date.today().isoformat(),
    }
    seeds = options.seeds or [0] * len(options.checkpoint)
    candidates = find_candidates(options.checkpoint, options.name, seeds)
    teacher = TeacherTexts.from_file(options.teacher_texts)
    run(evaluations, candidates, teacher, Path(os.environ["ANYMO_DATA"]), options.out, common, options.max_windows)
    print(summary(read_results(options.out)))


if __name__ == "__main__":
    main()

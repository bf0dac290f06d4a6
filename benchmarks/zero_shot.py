# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Zero-shot classification of real recordings by the whole model, beside what it must beat.

    python benchmarks/zero_shot.py --sets dev --checkpoint model0
    python benchmarks/zero_shot.py --sets all --checkpoint model0 model1 model2 --seeds 0 1 2
    python benchmarks/zero_shot.py --sets all --checkpoint cmu0 --seeds 0 --name "anymo-hf, permissive sources"

Prompts, words and checkpoints are chosen on the sets for development; those for the report are looked at once per
release, and every look is noted in docs/evaluations.log. Sensors as recorded stand apart from calibrated ones, which
are turned by `anymo_hf.calibrate` as each person's own walking shows, without labels. The folder with the recordings
is taken from the environment variable ANYMO_DATA. Checkpoints go with the seeds in their order. What stands in the
results for the same weights is not measured again. Published figures of others are on other windows and people.
"""

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from frozen_encoder import EVALUATIONS as SINGLE_PLACES
from frozen_encoder import NOTES, Evaluation, choose_evaluations

from anymo_hf.evaluation.embeddings import HarWindows, load_har_windows
from anymo_hf.evaluation.evaluation_log import log_evaluation
from anymo_hf.evaluation.har_datasets import HAR_DATASETS, load_har_recordings
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
from anymo_hf.evaluation.zero_shot import METRICS, Calibration, checkpoint_sha256, classify_windows, weights_sha256
from anymo_hf.evaluation.zero_shot_controls import (
    CHANCE,
    MAJORITY,
    MOVING_OR_STILL,
    RANDOM_WEIGHTS,
    control_scores,
    untrained_pipeline,
)
from anymo_hf.evaluation.zero_shot_results import TABLE, metric_name, subset_words, to_results
from anymo_hf.pipelines import ZeroShotIMUClassificationPipeline


OURS = "anymo-hf"
CONTROLS = (CHANCE, MAJORITY, MOVING_OR_STILL)
BALANCED = "windows, equally many of each person and class"
HIDDEN_PLACE = "whole clips, place not told"
# Of a set whose place depends on the label all classes are told apart, with the place and without.
EVALUATIONS = (
    *(one for one in SINGLE_PLACES if not HAR_DATASETS[one.dataset].label_keyed_placement),
    Evaluation("utd_mhad", "whole clips"),
    Evaluation("utd_mhad", HIDDEN_PLACE),
)
# The same windows count once: the six classes of HAPT stand for all of them, and UTD-MHAD is taken with its places.
NOT_IN_MEANS = {("hapt_ucihar_raw", "waist, with transitions"), ("utd_mhad", HIDDEN_PLACE)}
# By the number of classes, as AnyMo's benchmark has it.
TIERS = {"easy": (2, 9), "medium": (10, 20), "hard": (21, 1000)}
# Accuracy, macro-F1 and recall at 2 in percent: Zhang et al., UniMTS, NeurIPS 2024, and AnyMo, arXiv 2605.22715.
UNIMTS, ANYMO = "UniMTS, published", "AnyMo, published"
PUBLISHED = (
    (UNIMTS, "hapt_ucihar_raw", "waist, six classes", (35.2, 22.0, 53.1), "on UCI-HAR, the same people in part"),
    (UNIMTS, "wisdm2019", "watch", (27.8, 25.5, 47.1), ""),
    (UNIMTS, "dsads", "chest, wrists and knees", (31.5, 23.7, 46.0), ""),
    (UNIMTS, "utd_mhad", "whole clips", (22.8, 18.5, 32.6), NOTES["utd_mhad"]),
    (UNIMTS, "mean of its 18 sets", "all", (43.5, 34.3, 58.9), ""),
    (UNIMTS, "mean of AnyMo's 14 sets", "all", (31.9, 26.4, 46.9), "as AnyMo's authors give it"),
    (ANYMO, "mean of AnyMo's 14 sets", "all", (35.7, 29.5, 57.5), "no figure per set is published"),
)


@dataclass(frozen=True)
class Candidate:
    """A network to evaluate: its name in the table, seed, hash of the weights, and its pipeline."""

    model: str
    seed: int
    checkpoint_sha256: str
    pipeline: ZeroShotIMUClassificationPipeline


def find_candidates(checkpoints: list[Path], seeds: list[int], name: str = OURS) -> list[Candidate]:
    """Every checkpoint; and, unless they have a name of their own, random weights of each seed."""
    if not 1 <= len(checkpoints) <= len(seeds):
        raise ValueError(f"Every checkpoint needs a seed, but {len(checkpoints)} came with {len(seeds)} seeds.")
    found = []
    for folder, seed in zip(checkpoints, seeds, strict=False):
        trained = load_pipeline(folder)
        found.append(Candidate(name, seed, checkpoint_sha256(folder, trained.model), trained))
    for seed in seeds if name == OURS else ():
        fresh = untrained_pipeline(found[0].pipeline, seed)
        found.append(Candidate(RANDOM_WEIGHTS, seed, weights_sha256(fresh.model), fresh))
    return found


def load_pipeline(folder: Path) -> ZeroShotIMUClassificationPipeline:
    """The checkpoint in single precision, on an accelerator if there is one."""
    from transformers import pipeline

    return pipeline("zero-shot-imu-classification", model=str(folder), dtype="float32")


def run(
    evaluations: list[Evaluation],
    candidates: list[Candidate],
    folder: Path,
    out: Path,
    common: dict,
    max_windows: int | None = None,
) -> None:
    """Measures what the results lack, and writes every piece as soon as it is there."""
    for evaluation in evaluations:
        for calibrated in (False, True):
            subset = subset_words(evaluation.words, calibrated)
            done = read_results(out)
            missing = [
                one for one in candidates if not is_measured(done, evaluation.dataset, subset, one, max_windows)
            ]
            if not missing:
                continue
            if evaluation.split == "report":
                models = ", ".join(f"{one.model} {one.seed}" for one in missing)
                log_evaluation([evaluation.dataset], f"benchmarks/zero_shot.py, {subset}: {models}")
            started = time.perf_counter()
            windows, notes = load_windows(evaluation, folder, calibrated, max_windows)
            print(f"{evaluation.dataset}, {subset}: {len(windows)} windows in {time.perf_counter() - started:.1f} s")
            for rows in measure(evaluation, subset, windows, missing, common | {"note": "; ".join(notes) or None}):
                append_results(rows, out)


def load_windows(
    evaluation: Evaluation, folder: Path, calibrated: bool, max_windows: int | None
) -> tuple[HarWindows, list[str]]:
    """All windows, or a balanced choice, and what a reader must know of them."""
    path, dataset = folder / "har" / f"{evaluation.dataset}.parquet", HAR_DATASETS[evaluation.dataset]
    calibration = None
    if calibrated:
        calibration = Calibration(load_har_recordings(path, dataset, evaluation.placements))
    windows = load_har_windows(
        path,
        dataset,
        evaluation.placements,
        evaluation.classes,
        max_windows,
        prepare=calibration,
    )
    notes = [str(calibration)] if calibrated else []
    if max_windows is not None:
        notes.append(f"at most {max_windows} {BALANCED}")
    if evaluation.words != HIDDEN_PLACE and evaluation.dataset in NOTES:
        notes.append(NOTES[evaluation.dataset])
    return windows, notes


def measure(
    evaluation: Evaluation, subset: str, windows: HarWindows, candidates: list[Candidate], common: dict
) -> Iterator[list[Result]]:
    """Rows of the controls, then of each network."""
    dataset = HAR_DATASETS[evaluation.dataset]
    classes = dataset.get_classes(evaluation.classes)
    scores = control_scores(windows, classes)
    yield [row for name in CONTROLS for row in to_results(scores, name, dataset, subset, common)]
    for one in candidates:
        started = time.perf_counter()
        found = classify_windows(one.pipeline, windows, classes, place_told=evaluation.words != HIDDEN_PLACE)
        weights = {"seed": one.seed, "checkpoint_sha256": one.checkpoint_sha256}
        rows = to_results(scores | {one.model: found}, one.model, dataset, subset, common | weights)
        figures = "  ".join(f"{row.metric} {row.value:.1f}" for row in rows)
        print(f"  {one.model} {one.seed}: {figures}  ({time.perf_counter() - started:.1f} s)", flush=True)
        yield rows


def is_measured(done: list[Result], dataset: str, subset: str, one: Candidate, max_windows: int | None = None) -> bool:
    """Whether every row of this network stands there, for the same weights and the same choice of windows."""
    where = (TABLE, dataset, subset, one.model, one.seed, one.checkpoint_sha256)
    return measured_metrics(done, where, says_limit(max_windows)) >= {metric_name(metric) for metric in METRICS}


def says_limit(max_windows: int | None) -> Callable[[str], bool]:
    """Whether a note tells of this choice of windows: so many at most, or all."""
    limit = BALANCED if max_windows is None else f"at most {max_windows} {BALANCED}"
    return lambda note: (limit in note) == (max_windows is not None)


def published_rows() -> list[Result]:
    """What others state; none of it on the same windows and people."""
    rows = []
    for model, dataset, words, figures, note in PUBLISHED:
        subset = words if words == "all" else subset_words(words, calibrated=False)
        for metric, value in zip(METRICS, figures, strict=True):
            rows.append(
                Result(TABLE, dataset, subset, model, metric_name(metric), value, same_data_as_published=False,
                       note="; ".join(filter(None, ["published by its authors", note])))
            )  # fmt: skip
    return rows


def tier_rows(results: list[Result], common: dict) -> list[Result]:
    """Means over the easy, medium and hard sets, where a model was measured on all of them."""
    values = defaultdict(dict)
    for row in results:
        for one in EVALUATIONS if row.table == TABLE and not row.model.endswith("published") else ():
            for how in (False, True):
                if (row.dataset, row.subset) == (one.dataset, subset_words(one.words, how)):
                    values[row.model, row.seed, row.metric, how][one] = row
    rows = []
    for (model, seed, metric, how), found in values.items():
        for tier, sets in tier_sets().items():
            if set(sets) <= set(found):
                note = "mean of " + "; ".join(f"{one.dataset}, {one.words}" for one in sets)
                mean = float(np.mean([found[one].value for one in sets]))
                subset = subset_words(f"{len(sets)} sets or places", how)
                rows.append(
                    Result(TABLE, f"{tier} sets", subset, model, metric, round(mean, 2), seed=seed,
                           **{**common, "note": note})
                )  # fmt: skip
    return rows


def tier_sets() -> dict[str, list[Evaluation]]:
    """Evaluations by their number of classes; each window counts once."""
    tiers = {tier: [] for tier in TIERS}
    for one in EVALUATIONS:
        number = len(HAR_DATASETS[one.dataset].get_classes(one.classes))
        if (one.dataset, one.words) not in NOT_IN_MEANS:
            tiers[next(tier for tier, (low, high) in TIERS.items() if low <= number <= high)].append(one)
    return tiers


def summary(results: list[Result]) -> str:
    """Each set and metric with the mean of each model over its seeds, and their range."""
    values = defaultdict(list)
    for row in results:
        if row.table == TABLE:
            values[row.dataset, row.subset, row.metric, row.model].append(row.value)
    lines = []
    for where in dict.fromkeys(key[:3] for key in values):
        found = {key[3]: v for key, v in values.items() if key[:3] == where}
        cells = [f"{model} {np.mean(v):.1f}" + _range(v) for model, v in found.items()]
        lines.append(f"{where[0]}, {where[1]}; {where[2]}: " + ", ".join(cells))
    return "\n".join(lines)


def _range(values: list[float]) -> str:
    return f" ({min(values):.1f} to {max(values):.1f})" if len(values) > 1 else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, nargs="+", required=True, help="folders of whole models")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--sets", nargs="+", default=["dev"], help="dev, report, all, or names of sets")
    parser.add_argument("--name", default=OURS, help="of the checkpoints in the table")
    parser.add_argument("--max_windows", type=int, help="at most so many, equally many of each person and class")
    parser.add_argument("--out", type=Path, default=DEFAULT_PATH)
    options = parser.parse_args()
    if "ANYMO_DATA" not in os.environ:
        raise SystemExit("Set ANYMO_DATA to the folder that holds `har/`.")
    common = {
        "command": current_command(),
        "commit": current_commit(),
        "machine": machine_description(),
        "date": date.today().isoformat(),
    }
    candidates = find_candidates(options.checkpoint, options.seeds, options.name)
    evaluations = choose_evaluations(options.sets, EVALUATIONS)
    run(evaluations, candidates, Path(os.environ["ANYMO_DATA"]), options.out, common, options.max_windows)
    append_results([*published_rows(), *tier_rows(read_results(options.out), common)], options.out)
    print(summary(read_results(options.out)))


if __name__ == "__main__":
    main()

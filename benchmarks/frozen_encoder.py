# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
What a frozen encoder knows of real recordings, people left out, against an untrained one and hand-made features.

    python benchmarks/frozen_encoder.py --sets dev --checkpoint encoder0 encoder1 encoder2 --seeds 0 1 2
    python benchmarks/frozen_encoder.py --sets all --checkpoint encoder0 encoder1 encoder2 --seeds 0 1 2
    python benchmarks/frozen_encoder.py --sets dev --checkpoint ablated --seeds 0 --name "pre-trained, one view"

Linear probe on all windows, and logistic regression on 5 windows per class with 20 draws; see
`anymo_hf.evaluation.probes`. The folder with the recordings is taken from the environment variable ANYMO_DATA.
Checkpoints go with the seeds in their order. What stands in the results for the same weights is not measured again,
so that a run that was stopped goes on. A large set gives at most `--max_windows` windows, equally many of each person
and class. Every look at a set for the report is noted in docs/evaluations.log. With a name of its own an ablation is
measured alone, for the controls stand there already.
"""

import argparse
import os
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from encoder_controls import MODELS, PRE_TRAINED, UNTRAINED, UNTRAINED_ALL, Features, all_features

from anymo_hf.evaluation.embeddings import HarWindows, load_har_windows
from anymo_hf.evaluation.evaluation_log import log_evaluation
from anymo_hf.evaluation.har_datasets import HAR_DATASETS
from anymo_hf.evaluation.metrics import accuracy, macro_f1, majority_share
from anymo_hf.evaluation.probes import ProbeScores, few_shot_probe, linear_probe
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


TABLE = "frozen encoder"
MAX_WINDOWS = 600
NOTES = {"utd_mhad": "the placement depends on the label, so that it gives part of the answer away"}


@dataclass(frozen=True)
class Evaluation:
    """One set, or a part of it: `words` is its name in the tables, the rest what to load."""

    dataset: str
    words: str
    placements: tuple[str, ...] | None = None
    classes: str | None = None

    @property
    def split(self) -> str:
        return HAR_DATASETS[self.dataset].split


EVALUATIONS = (
    Evaluation("umafall", "waist, wrist, ankle and chest"),
    Evaluation("sisfall_adl", "waist"),
    Evaluation("dsads", "chest, wrists and knees"),
    Evaluation("hapt_ucihar_raw", "waist, six classes", classes="six"),
    Evaluation("hapt_ucihar_raw", "waist, with transitions"),
    Evaluation("wisdm2019", "watch", ("wrist of the dominant hand",)),
    Evaluation("wisdm2019", "phone", ("trouser pocket",)),
    Evaluation("utd_mhad", "wrist, whole clips", ("right wrist",)),
    Evaluation("utd_mhad", "thigh, whole clips", ("right thigh",)),
    Evaluation("sp_sw_har", "pocket and wrist, windows of 1 s"),
)
METRICS = {"accuracy": (accuracy, "accuracy_by_subject"), "macro-F1": (macro_f1, "macro_f1_by_subject")}
PROBES = {"linear probe": linear_probe, "5-shot": few_shot_probe}


def measure(features: Features, windows: HarWindows, evaluation: Evaluation, common: dict) -> list[Result]:
    """Both probes on one set, in percent."""
    embeddings = features.describe(windows)
    rows = []
    for probe, fit in PROBES.items():
        scores = fit(embeddings, windows.activities, windows.subjects)
        rows += to_results(scores, probe, features, windows, evaluation, common)
    return rows


def to_results(
    scores: ProbeScores, probe: str, features: Features, windows: HarWindows, evaluation: Evaluation, common: dict
) -> list[Result]:
    """Rows of one probe: with an interval over people, or with each person's value where they are too few."""
    rows = []
    for metric, (function, by_subject) in METRICS.items():
        interval = scores.interval(function)
        notes = [common["note"], NOTES.get(evaluation.dataset)]
        if interval is None:
            each = ", ".join(f"{name} {100 * value:.1f}" for name, value in getattr(scores, by_subject).items())
            notes.append(f"by subject: {each}")
        percent = [round(100 * end, 2) for end in interval] if interval else [None, None]
        rows.append(
            Result(
                TABLE,
                evaluation.dataset,
                evaluation.words,
                features.model,
                f"{probe}, {metric} (%)",
                round(100 * float(function(scores.confusion.sum(axis=1)).mean()), 2),
                *percent,
                "95 %, bootstrap over subjects" if interval else None,
                num_windows=len(windows),
                num_subjects=len(scores.subjects),
                num_classes=len(scores.classes),
                chance=round(100 / len(scores.classes), 2),
                majority=round(100 * majority_share(windows.activities), 2),
                checkpoint_sha256=features.checkpoint_sha256,
                seed=features.seed,
                **{**common, "note": "; ".join(note for note in notes if note)},
            )
        )
    return rows


def is_measured(done: list[Result], evaluation: Evaluation, features: Features, note: str) -> bool:
    """Whether every row of these features stands there, for the same weights and the same choice of windows."""
    where = (TABLE, evaluation.dataset, evaluation.words, features.model, features.seed, features.checkpoint_sha256)
    found = measured_metrics(done, where, lambda own: own.startswith(note))
    return found >= {f"{probe}, {metric} (%)" for probe in PROBES for metric in METRICS}


def choose_evaluations(names: list[str], evaluations: tuple[Evaluation, ...] = EVALUATIONS) -> list[Evaluation]:
    """`dev`, `report`, `all`, or names of sets."""
    kinds = {"dev": {"development"}, "report": {"report"}, "all": {"development", "report"}}
    unknown = set(names) - set(kinds) - set(HAR_DATASETS)
    if unknown:
        raise ValueError(f"`sets` must be of {sorted(kinds)} or {sorted(HAR_DATASETS)}, but is {sorted(unknown)}.")
    return [one for one in evaluations if any(one.dataset == n or one.split in kinds.get(n, ()) for n in names)]


def run(
    evaluations: list[Evaluation],
    features: list[Features],
    folder: Path,
    out: Path,
    common: dict,
    max_windows: int = MAX_WINDOWS,
) -> None:
    """Measures what the results lack, and writes every piece as soon as it is there."""
    for evaluation in evaluations:
        missing = [one for one in features if not is_measured(read_results(out), evaluation, one, common["note"])]
        if not missing:
            continue
        if evaluation.split == "report":
            models = ", ".join(f"{one.model} {one.seed}" if one.seed is not None else one.model for one in missing)
            log_evaluation([evaluation.dataset], f"benchmarks/frozen_encoder.py, {evaluation.words}: {models}")
        started = time.perf_counter()
        windows = load_har_windows(
            folder / "har" / f"{evaluation.dataset}.parquet",
            HAR_DATASETS[evaluation.dataset],
            evaluation.placements,
            evaluation.classes,
            max_windows,
        )
        print(f"{evaluation.dataset}, {evaluation.words}: {len(windows)} windows", end=" ")
        print(f"in {time.perf_counter() - started:.1f} s", flush=True)
        for one in missing:
            started = time.perf_counter()
            rows = measure(one, windows, evaluation, common)
            append_results(rows, out)
            figures = "  ".join(f"{row.metric} {row.value:.1f}" for row in rows)
            print(f"  {one.model} {one.seed}: {figures}  ({time.perf_counter() - started:.1f} s)", flush=True)


def summary(rows: list[Result], name: str = PRE_TRAINED) -> str:
    """Mean over seeds of each model and metric, and on how many sets the pre-trained network beats the untrained."""
    values = defaultdict(list)
    for row in rows:
        if row.table == TABLE:
            values[row.dataset, row.subset, row.metric, row.model].append(row.value)
    lines, wins = [], []
    for dataset, subset, metric in dict.fromkeys(key[:3] for key in values):
        found = {model: np.mean(v) for (*where, model), v in values.items() if where == [dataset, subset, metric]}
        lines.append(f"{dataset}, {subset}; {metric}: " + ", ".join(f"{m} {v:.1f}" for m, v in found.items()))
        untrained = [found[model] for model in (UNTRAINED, UNTRAINED_ALL) if model in found]
        if metric == "5-shot, accuracy (%)" and name in found and untrained:
            wins.append(found[name] > max(untrained))
    lines.append(
        f"{name} beats the better untrained network in 5-shot accuracy on {sum(wins)} of {len(wins)} sets, mean over "
        "seeds"
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, nargs="*", default=[], help="folders of graph encoders")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--sets", nargs="+", default=["dev"], help="dev, report, all, or names of sets")
    parser.add_argument("--name", default=PRE_TRAINED, help="of the checkpoints in the table")
    parser.add_argument("--models", nargs="+", choices=MODELS, help="default: all; of an ablation, the checkpoints")
    parser.add_argument("--max_windows", type=int, default=MAX_WINDOWS)
    parser.add_argument("--out", type=Path, default=DEFAULT_PATH)
    options = parser.parse_args()
    if "ANYMO_DATA" not in os.environ:
        raise SystemExit("Set ANYMO_DATA to the folder that holds `har/`.")
    common = {
        "command": current_command(),
        "commit": current_commit(),
        "machine": machine_description(),
        "date": date.today().isoformat(),
        "note": f"at most {options.max_windows} windows, equally many of each person and class",
    }
    models = options.models or (MODELS if options.name == PRE_TRAINED else (PRE_TRAINED,))
    features = list(all_features(options.checkpoint, options.seeds, options.name, models))
    folder = Path(os.environ["ANYMO_DATA"])
    run(choose_evaluations(options.sets), features, folder, options.out, common, options.max_windows)
    print(summary(read_results(options.out), options.name))


if __name__ == "__main__":
    main()

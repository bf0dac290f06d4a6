# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
When sensors are worn otherwise: a linear probe of frozen features, fitted on one setup, tested on another.

    python benchmarks/setup_agnostic.py --checkpoint encoder0 encoder1 encoder2 --seeds 0 1 2 --plot plots
    python benchmarks/setup_agnostic.py --plot plots                                        # the controls alone

On the sets for development only; people are left out throughout. The folder with the recordings is taken from the
environment variable ANYMO_DATA. What stands in the results for the same weights is not measured again. In the table,
"test" setups are met by a probe that was fitted on the recordings as they are, with all sensors.
"""

import argparse
import os
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
from encoder_controls import HAND_MADE, MODELS, PRE_TRAINED, UNORIENTED, UNTRAINED, Features, all_features
from setup_plots import plot_setups
from setup_variants import at_rate, remove_gravity, turn_sensors, without_gyroscope

from anymo_hf.evaluation.embeddings import HarWindows, load_har_windows
from anymo_hf.evaluation.har_datasets import HAR_DATASETS
from anymo_hf.evaluation.metrics import accuracy, macro_f1, majority_share
from anymo_hf.evaluation.probes import ProbeScores, linear_probe
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


TABLE = "setup-agnostic"
MAX_WINDOWS = 400
NUM_TURNS = 3
# Sensors in the order in which they are taken off, last first, and slower rates to test where the native one allows.
SENSORS = {
    "dsads": ("chest", "right wrist", "left knee", "left wrist", "right knee"),
    "umafall": ("waist", "right wrist", "right ankle", "chest"),
    "sisfall_adl": ("waist",),
}
RATES = {"sisfall_adl": (100, 50, 20)}
AS_RECORDED = "as recorded"
METRICS = {"linear probe, accuracy (%)": accuracy, "linear probe, macro-F1 (%)": macro_f1}


def measure(features: Features, name: str, load: Callable[..., HarWindows]) -> dict[str, ProbeScores]:
    """
    Scores of one model on one set in every setup.

    Args:
        features (`Features`):
            The model.
        name (`str`):
            The set.
        load (`Callable`):
            Gives the set's windows; its argument `prepare` changes every recording first.
    """
    windows = load()
    probe = partial(linear_probe, labels=windows.activities, subjects=windows.subjects)
    recorded = features.describe(windows)
    found = {AS_RECORDED: probe(recorded)}

    turned = np.stack([features.describe(turn_sensors(windows, seed)) for seed in range(2 * NUM_TURNS)])
    found["test: every sensor turned at random"] = probe(recorded, test_embeddings=turned[:NUM_TURNS])
    found |= measure_turned(windows, recorded, turned)
    changed = {
        "no gyroscope": features.describe(without_gyroscope(windows)),
        "gravity removed": features.describe(load(prepare=remove_gravity)),
    }
    for words, embeddings in changed.items():
        found[f"test: {words}"] = probe(recorded, test_embeddings=embeddings)
        found[f"throughout: {words}"] = probe(embeddings)
    for rate in RATES.get(name, ()):
        slower = features.describe(load(prepare=partial(at_rate, sampling_rate=rate)))
        found[f"test: {rate} Hz"] = probe(recorded, test_embeddings=slower)
    return found | measure_sensors(features, windows, SENSORS[name])


def measure_turned(windows: HarWindows, recorded: np.ndarray, turned: np.ndarray) -> dict[str, ProbeScores]:
    """A probe that was fitted on windows turned at random, which then can know no mounting, on others and unturned."""
    repeated = {"labels": np.tile(windows.activities, NUM_TURNS), "subjects": np.tile(windows.subjects, NUM_TURNS)}
    fitted_on, tested_on = np.concatenate(turned[NUM_TURNS:]), np.concatenate(turned[:NUM_TURNS])
    unturned = np.concatenate([recorded] * NUM_TURNS)
    return {
        "fitted on turned sensors, test: as recorded": linear_probe(fitted_on, test_embeddings=unturned, **repeated),
        "fitted on turned sensors, test: turned again": linear_probe(fitted_on, test_embeddings=tested_on, **repeated),
    }


def measure_sensors(features: Features, windows: HarWindows, sensors: tuple[str, ...]) -> dict[str, ProbeScores]:
    """Fewer sensors, and every single one against every other."""
    if len(sensors) == 1:
        return {}
    probe = partial(linear_probe, labels=windows.activities, subjects=windows.subjects)
    alone = {sensor: features.describe(windows.with_sensors([sensor])) for sensor in sensors}
    found = {f"1 sensor: {sensors[0]}": probe(alone[sensors[0]])}
    for number in range(2, len(sensors)):
        fewer = features.describe(windows.with_sensors(sensors[:number]))
        found[f"{number} sensors: {', '.join(sensors[:number])}"] = probe(fewer)
    for source in sensors:
        for target in sensors:
            words = f"from {source} to {target}" if source != target else f"from {source} to itself"
            found[words] = probe(alone[source], test_embeddings=alone[target])
    return found


def to_results(found: dict[str, ProbeScores], features: Features, name: str, windows: HarWindows, common: dict):
    """One row per setup and metric, and the mean over all changes of the sensor's place."""
    rows = []
    fixed = {
        "num_windows": len(windows),
        "num_subjects": len(set(windows.subjects.tolist())),
        "num_classes": len(set(windows.activities.tolist())),
        "majority": round(100 * majority_share(windows.activities), 2),
        "checkpoint_sha256": features.checkpoint_sha256,
        "seed": features.seed,
        **common,
    }
    fixed["chance"] = round(100 / fixed["num_classes"], 2)
    for metric, function in METRICS.items():
        values = {setup: 100 * function(scores.confusion.sum(axis=1)).mean() for setup, scores in found.items()}
        kept = [value for setup, value in values.items() if setup.startswith("from") and setup.endswith("itself")]
        moved = [value for setup, value in values.items() if setup.startswith("from") and not setup.endswith("itself")]
        if moved:
            values["1 sensor, mean of all places"] = np.mean(kept)
            values["1 sensor, test: another place, mean of all pairs"] = np.mean(moved)
        for setup, value in values.items():
            interval = found[setup].interval(function) if setup in found else None
            percent = [round(100 * end, 2) for end in interval] if interval else [None, None]
            method = "95 %, bootstrap over subjects" if interval else None
            rows.append(
                Result(TABLE, name, setup, features.model, metric, round(float(value), 2), *percent, method, **fixed)
            )
    return rows


def is_measured(done: list[Result], name: str, features: Features, note: str) -> bool:
    """Whether the rows of this model and set stand there, for the same weights and the same choice of windows."""
    where = (TABLE, name, AS_RECORDED, features.model, features.seed, features.checkpoint_sha256)
    return bool(measured_metrics(done, where, lambda own: own == note))


def load_cached(folder: Path, name: str, max_windows: int) -> Callable[..., HarWindows]:
    """A function that loads the set's windows, each variant once."""
    cache = {}

    def load(prepare=None) -> HarWindows:
        key = str(prepare)
        if key not in cache:
            path = folder / "har" / f"{name}.parquet"
            cache[key] = load_har_windows(path, HAR_DATASETS[name], max_windows=max_windows, prepare=prepare)
        return cache[key]

    return load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, nargs="*", default=[], help="folders of graph encoders")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--sets", nargs="+", default=list(SENSORS), choices=list(SENSORS))
    parser.add_argument("--models", nargs="+", default=(PRE_TRAINED, UNORIENTED, UNTRAINED, HAND_MADE), choices=MODELS)
    parser.add_argument("--max_windows", type=int, default=MAX_WINDOWS)
    parser.add_argument("--plot", type=Path, help="folder for the picture")
    parser.add_argument("--out", type=Path, default=DEFAULT_PATH)
    options = parser.parse_args()
    if "ANYMO_DATA" not in os.environ:
        raise SystemExit("Set ANYMO_DATA to the folder that holds `har/`.")
    common = {
        "command": current_command(),
        "commit": current_commit(),
        "machine": machine_description(),
        "date": date.today().isoformat(),
        "note": f"at most {options.max_windows} windows, equally many of each person and class; used for development",
    }
    features = list(all_features(options.checkpoint, options.seeds, models=options.models))
    for name in options.sets:
        load = load_cached(Path(os.environ["ANYMO_DATA"]), name, options.max_windows)
        for one in features:
            if is_measured(read_results(options.out), name, one, common["note"]):
                continue
            started = time.perf_counter()
            rows = to_results(measure(one, name, load), one, name, load(), common)
            append_results(rows, options.out)
            print(f"{name}, {one.model} {one.seed}  ({time.perf_counter() - started:.1f} s)")
            for row in rows:
                if "accuracy" in row.metric:
                    print(f"  {row.subset:52s} {row.value:5.1f}", flush=True)
    if options.plot:
        rows = [row for row in read_results(options.out) if row.table == TABLE and "accuracy" in row.metric]
        print(plot_setups(rows, options.plot))


if __name__ == "__main__":
    main()

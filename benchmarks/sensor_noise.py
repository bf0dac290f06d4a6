# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
What `fit_sensor_errors` finds in the stillest stretches of real recordings, beside the noise floor measured otherwise.

    python benchmarks/sensor_noise.py --dry_run            # prints, records nothing
    python benchmarks/sensor_noise.py --set dsads --set hapt

The folder with the recordings is taken from the environment variable ANYMO_DATA. `har/noise_floor.json` has, for every
worn device, the white noise of still windows by first differences; here the same devices are fitted by Allan deviation
over the stillest stretches of at least 1000 samples. Both look at people who breathe, so both are upper bounds of what
the devices do on a table, and the wandering of the bias that a fit finds is the person's. Steps of 2^-10 m/s^2 and
2^-13 rad/s, and a few times these, are the files' own rounding and no device's resolution. Looks at signals without
any activity label. Sets whose recordings are shorter than 1000 samples (UMAFall, UTD-MHAD, SP-SW) give nothing.
"""

import argparse
import json
import os
from collections import defaultdict
from datetime import date
from pathlib import Path

import numpy as np

from anymo_hf.evaluation.results import Result, append_results, current_commit, machine_description
from anymo_hf.simulation.allan import MIN_SAMPLES, fit_sensor_errors


FILES = {"dsads": "dsads", "hapt": "hapt_ucihar_raw", "sisfall": "sisfall_adl", "sp_sw": "sp_sw_har",
         "umafall": "umafall", "utd": "utd_mhad", "wisdm": "wisdm2019"}  # fmt: skip
CHANNELS = ["acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z"]
NUM_STRETCHES = 10  # per placement, of different recordings
LARGEST_STEP = 1.6  # in sampling intervals; a larger one is a gap
# Restlessness weighs a force of 0.1 m/s^2 like a rate of 0.02 rad/s, about what breathing does at the waist.
FORCE_UNIT, RATE_UNIT = 0.1, 0.02


def stillest(values: np.ndarray, times: np.ndarray, num_samples: int = MIN_SAMPLES) -> tuple[float, slice] | None:
    """Restlessness and place of the stillest stretch of a recording without gaps; `None` if it has none so long."""
    step = np.median(np.diff(times)) if len(times) > 1 else 0.0
    broken = np.concatenate([[0], np.cumsum(np.diff(times) > LARGEST_STEP * step)])
    best = None
    for start in range(0, len(values) - num_samples + 1, num_samples // 4):
        part = slice(start, start + num_samples)
        stretch = values[part]
        if broken[start] != broken[start + num_samples - 1] or not np.isfinite(stretch).all():
            continue
        spread = stretch.std(0)
        restless = float(np.linalg.norm(spread[:3]) / FORCE_UNIT + np.linalg.norm(spread[3:]) / RATE_UNIT)
        if best is None or restless < best[0]:
            best = restless, part
    return best


def fit_placements(table) -> dict[str, list[dict[str, float]]]:
    """Fitted figures of the stillest stretches of every placement, from a table with one row per sample."""
    candidates = defaultdict(list)
    for (_, placement), rows in table.groupby(["recording", "placement"], sort=False, observed=True):
        times, values = rows["t"].to_numpy(float), rows[CHANNELS].to_numpy(float)
        found = stillest(values, times)
        if found is not None:
            rate = 1 / np.median(np.diff(times))
            candidates[placement].append((found[0], values[found[1]], float(rate)))
    return {
        placement: [
            fit
            for _, values, rate in sorted(stretches, key=lambda s: s[0])[:NUM_STRETCHES]
            if (fit := figures(values, rate))
        ]
        for placement, stretches in candidates.items()
    }


def figures(values: np.ndarray, rate: float) -> dict[str, float] | None:
    """What a fit says; `None` if somebody moved after all."""
    try:
        errors = fit_sensor_errors(values, rate)
    except ValueError:
        return None
    return {
        "force noise density (m/s^2/sqrt(Hz))": errors.force_noise_density[0],
        "rate noise density (rad/s/sqrt(Hz))": errors.rate_noise_density[0],
        "force resolution (m/s^2)": errors.force_resolution,
        "rate resolution (rad/s)": errors.rate_resolution,
        "rate bias (rad/s)": errors.rate_bias,
    }


def to_results(name: str, fits: dict[str, list[dict]], floor: dict[str, dict], **common) -> list[Result]:
    """Median and range over stretches, and how much the densities exceed the noise floor."""
    known = {"force": "acc_density_per_sqrtHz", "rate": "gyr_density_per_sqrtHz"}
    rows = []
    for placement, stretches in fits.items():
        if not stretches:
            continue
        place = f"{name}, {placement}"
        note = f"{len(stretches)} still stretches of {MIN_SAMPLES} samples"
        for metric in stretches[0]:
            values = np.array([fit[metric] for fit in stretches])
            spread = {
                "ci_low": float(values.min()),
                "ci_high": float(values.max()),
                "ci_method": "minimum and maximum",
            }
            rows.append(Result("sensor noise", name, place, "fit_sensor_errors", metric, float(np.median(values)),
                               num_windows=len(values), note=note, **spread, **common))  # fmt: skip
            kind = metric.split()[0]
            reference = floor.get(placement, {}).get(known[kind])
            if "density" in metric and reference:
                metric = f"{kind} noise over the noise floor"
                rows.append(Result("sensor noise", name, place, "fit_sensor_errors", metric,
                                   float(np.median(values) / reference), num_windows=len(values),
                                   note=f"{note}; floor {reference:g}", **common))  # fmt: skip
    return rows


def main() -> None:
    import pandas

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", action="append", choices=list(FILES))
    parser.add_argument("--dry_run", action="store_true", help="record nothing")
    options = parser.parse_args()
    if "ANYMO_DATA" not in os.environ:
        raise SystemExit("Set ANYMO_DATA to the folder that holds `har/`.")
    folder = Path(os.environ["ANYMO_DATA"]) / "har"
    floors = defaultdict(dict)
    for key, row in json.loads((folder / "noise_floor.json").read_text(encoding="utf-8")).items():
        file, placement = key.split(" / ")
        floors[file][placement] = row
    common = {
        "command": "python benchmarks/sensor_noise.py", "commit": current_commit(), "machine": machine_description(),
        "date": date.today().isoformat(),
    }  # fmt: skip
    for name in options.set or FILES:
        table = pandas.read_parquet(
            folder / f"{FILES[name]}.parquet", columns=["recording", "placement", "t", *CHANNELS]
        )
        results = to_results(name, fit_placements(table), floors[FILES[name]], **common)
        if not results:
            print(f"{name}: no still stretch of {MIN_SAMPLES} samples")
        for row in results:
            print(f"{row.subset:45s} {row.metric:40s} {row.value:10.4g}  n={row.num_windows}", flush=True)
        if not options.dry_run:
            append_results(results)


if __name__ == "__main__":
    main()

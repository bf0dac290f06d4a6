# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
How much synthetic everyday motion resembles real recordings, in strength, rhythm and in what a classifier learns.

    python benchmarks/synthesis.py --against dev --plot docs/plots
    python benchmarks/synthesis.py --against hapt               # a report set: a line in docs/evaluations.log

The folder with the recordings is taken from the environment variable ANYMO_DATA.

dev: UMAFall, SisFall and DSADS, on which the synthesis was tuned. Real and synthetic readings at the set's rate pass
one filter; windows of 5 s. Nothing compared depends on how a sensor was turned. A figure is synthetic / real, of the
medians over people of the medians over windows; the tilt is a difference in degrees.

hapt: logistic regression trained on synthetic waist data alone, tested on HAPT's six classes.
"""

import argparse
import os
from collections import defaultdict
from datetime import date
from pathlib import Path

import numpy as np
from synthesis_signals import (
    SIMULATION_RATE,
    at_rate,
    common_cutoff,
    fill_gaps,
    quantities,
    synthetic_readings,
    windows,
)
from synthesis_transfer import measure_hapt

from anymo_hf.evaluation.har_datasets import HAR_DATASETS, load_har_recordings
from anymo_hf.evaluation.results import DEFAULT_PATH, Result, append_results, current_commit, machine_description


NUM_PEOPLE = 12
LIMIT = 1.5  # factor by which a quantity may be off
MAX_TILT = 15.0  # degrees
EVALUATIONS_LOG = Path("docs/evaluations.log")
# Words of the real set -> the synthetic activity; the first is the one that says how a sensor was turned.
PAIRS = {
    "umafall": {
        "walking": "walk", "jogging": "jog", "walking upstairs": "stairs_up", "walking downstairs": "stairs_down",
        "hopping": "hop", "clapping hands": "clap",
    },
    "sisfall_adl": {
        "walking slowly": "walk_slow", "walking quickly": "walk_fast", "jogging slowly": "jog",
        "jogging quickly": "run",
    },
    "dsads": {
        "walking in a parking lot": "walk", "walking on a flat treadmill": "walk", "running on a treadmill": "jog",
        "walking upstairs": "stairs_up", "walking downstairs": "stairs_down", "standing": "stand", "sitting": "sit",
        "lying on the back": "lie_back", "lying on the right side": "lie_right_side", "jumping": "jump",
        "cycling on an exercise bike in a vertical position": "cycle", "rowing": "row",
    },
}  # fmt: skip


def device_at(placement: str) -> str:
    """The preset of sensor errors."""
    return "watch" if "wrist" in placement or "ankle" in placement else "phone"


def without_side(placement: str) -> str:
    return placement.removeprefix("left ").removeprefix("right ")


def real_windows(folder: Path, name: str) -> dict[tuple[str, str, str], list[np.ndarray]]:
    """Windows by placement, activity and person. Clips of 15 s start and end at rest: their middle counts."""
    found, rate = defaultdict(list), HAR_DATASETS[name].sampling_rate
    for recording in load_har_recordings(folder / "har" / f"{name}.parquet"):
        for sensor in recording.sensors:
            for span in recording.activities:
                if span.activity not in PAIRS[name]:
                    continue
                edge = 3.0 if span.end - span.start < 30 else 0.0
                inside = (sensor.timestamps >= span.start + edge) & (sensor.timestamps <= span.end - edge)
                if inside.sum() < 6 * rate:
                    continue
                values = fill_gaps(sensor.values[inside])
                even = at_rate(values, sensor.timestamps[inside], rate, common_cutoff(rate))
                found[sensor.placement, span.activity, recording.source["subject"]] += list(windows(even, rate))
    return found


def synthetic_windows(name: str, placements: list[str], num_people: int) -> dict[tuple[str, str, str], list]:
    """The same of synthetic people."""
    found, rate = defaultdict(list), HAR_DATASETS[name].sampling_rate
    for real, activity in PAIRS[name].items():
        for seed in range(num_people):
            for device in ("watch", "phone"):
                worn = tuple(place for place in placements if device_at(place) == device)
                if not worn:
                    continue
                readings = synthetic_readings(activity, seed, worn, device)
                times = np.arange(len(readings)) / SIMULATION_RATE
                for index, place in enumerate(worn):
                    even = at_rate(readings[:, index], times, rate, common_cutoff(rate))
                    found[place, real, str(seed)] += list(windows(even, rate))
    return found


def summarise(found: dict, name: str) -> dict[tuple[str, str, str], float]:
    """Medians over people of medians over windows, by placement (without side), activity and quantity."""
    people, rate, reference = defaultdict(list), HAR_DATASETS[name].sampling_rate, next(iter(PAIRS[name]))
    for (place, activity, person), group in found.items():
        walked = found.get((place, reference, person))
        upright = None if walked is None or activity == reference else np.mean([w[:, :3].mean(0) for w in walked], 0)
        each = [quantities(window, rate, upright) for window in group]
        for key in each[0] if each else ():
            people[without_side(place), activity, key].append(np.median([one[key] for one in each]))
    return {key: float(np.median(values)) for key, values in people.items()}


def compare(folder: Path, name: str, num_people: int = NUM_PEOPLE) -> dict[tuple[str, str, str], tuple[float, float]]:
    """Real and synthetic value by placement, activity and quantity."""
    real = real_windows(folder, name)
    placements = sorted({place for place, _, _ in real})
    ours = summarise(synthetic_windows(name, placements, num_people), name)
    theirs = summarise(real, name)
    return {key: (theirs[key], ours[key]) for key in theirs if key in ours and np.isfinite(theirs[key])}


def is_off(quantity: str, real: float, synthetic: float) -> bool:
    """Whether a figure is further from the real one than `LIMIT` or `MAX_TILT`; small shares of power don't count."""
    if quantity == "tilt":
        return abs(synthetic - real) > MAX_TILT
    if quantity.startswith("share") and max(real, synthetic) < 0.05:
        return False
    return not 1 / LIMIT <= synthetic / real <= LIMIT


def print_compared(name: str, compared: dict) -> None:
    """One line per placement and activity; what is off is marked."""
    groups = defaultdict(dict)
    for (place, activity, quantity), values in compared.items():
        groups[place, activity][quantity] = values
    print(f"\n{name}: real -> synthetic, * off by more than {LIMIT:g} (tilt: {MAX_TILT:g} degrees)")
    for (place, activity), values in sorted(groups.items()):
        cells = [
            f"{quantity.removesuffix(' Hz')} {real:.3g}->{synthetic:.3g}{'*' * is_off(quantity, real, synthetic)}"
            for quantity, (real, synthetic) in values.items()
        ]
        print(f"{place:6s} {activity:30.30s} " + "  ".join(cells), flush=True)


def to_results(name: str, compared: dict, num_people: int, **common) -> list[Result]:
    """The ratios of strength one by one, and for every quantity the share that is within the limit."""
    rows, within = [], defaultdict(list)
    for (place, activity, quantity), (real, synthetic) in compared.items():
        within[quantity].append(not is_off(quantity, real, synthetic))
        if quantity.endswith("RMS"):
            rows.append((f"{place}, {activity}", f"{quantity}, synthetic / real", synthetic / real))
    rows += [("all pairs", f"{quantity}, share within the limit", np.mean(each)) for quantity, each in within.items()]
    note = f"tuned on it; limit: factor {LIMIT:g}, tilt {MAX_TILT:g} degrees"
    return [
        Result("synthetic against real", name, subset, "synthesis", metric, round(float(value), 3),
               num_subjects=num_people, note=note, **common)
        for subset, metric, value in rows
    ]  # fmt: skip


def plot_compared(everything: dict[str, dict], folder: Path) -> None:
    """Heat maps of the ratio, one column of panels per placement; angles are left out."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = [(name, *key, values) for name, compared in everything.items() for key, values in compared.items()]
    places = list(dict.fromkeys(row[1] for row in rows))
    kinds = list(dict.fromkeys(row[3] for row in rows if row[3] != "tilt"))
    figure, axes = plt.subplots(1, len(places), figsize=(5.6 * len(places), 7.5), squeeze=False)
    for axis, place in zip(axes[0], places, strict=True):
        lines = list(dict.fromkeys((name, activity) for name, where, activity, _, _ in rows if where == place))
        ratios = np.full((len(lines), len(kinds)), np.nan)
        for name, where, activity, kind, (real, synthetic) in rows:
            if where == place and kind in kinds:
                ratios[lines.index((name, activity)), kinds.index(kind)] = np.log2(synthetic / real)
        image = axis.imshow(ratios, cmap="RdBu_r", vmin=-2, vmax=2, aspect="auto")
        for (line, column), value in np.ndenumerate(ratios):
            if np.isfinite(value):
                axis.text(column, line, f"{2**value:.2f}", ha="center", va="center", fontsize=7,
                          weight="bold" if abs(value) > np.log2(LIMIT) else "normal")  # fmt: skip
        axis.set_xticks(range(len(kinds)), kinds, rotation=60, ha="right", fontsize=8)
        axis.set_yticks(range(len(lines)), [f"{name[:4]}: {activity[:26]}" for name, activity in lines], fontsize=7)
        axis.set_title(place)
    figure.colorbar(image, ax=axes[0, -1], label="log2 synthetic / real")
    figure.tight_layout()
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "synthesis.png", dpi=110)
    plt.close(figure)


def against_development(folder: Path, options: argparse.Namespace, common: dict) -> list[Result]:
    """Compares with the development sets, prints and plots."""
    everything, results = {}, []
    for name in PAIRS:
        everything[name] = compare(folder, name, options.people)
        print_compared(name, everything[name])
        results += to_results(name, everything[name], options.people, **common)
    if options.plot:
        plot_compared(everything, options.plot)
    return results


def against_hapt(folder: Path, options: argparse.Namespace, common: dict) -> list[Result]:
    """Tests on the report set, and says so in the log."""
    results = measure_hapt(folder, **common)
    commit = (common["commit"] or "no commit")[:8]
    line = f"{common['date']} {commit} hapt: benchmarks/synthesis.py --against hapt, {options.purpose}"
    with EVALUATIONS_LOG.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", choices=["dev", "hapt"], required=True)
    parser.add_argument("--plot", type=Path, help="folder for the heat map")
    parser.add_argument("--people", type=int, default=NUM_PEOPLE, help="synthetic people per activity")
    parser.add_argument("--purpose", default="the recorded figures", help="for the log of evaluations")
    parser.add_argument("--dry_run", action="store_true", help="record no figures")
    options = parser.parse_args()
    if "ANYMO_DATA" not in os.environ:
        raise SystemExit("Set ANYMO_DATA to the folder that holds `har/`.")
    common = {
        "command": f"python benchmarks/synthesis.py --against {options.against}", "commit": current_commit(),
        "machine": machine_description(), "date": date.today().isoformat(),
    }  # fmt: skip
    measure = against_development if options.against == "dev" else against_hapt
    results = measure(Path(os.environ["ANYMO_DATA"]), options, common)
    if not options.dry_run:
        append_results(results, DEFAULT_PATH)


if __name__ == "__main__":
    main()

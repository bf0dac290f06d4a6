# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
The tables of docs/performance.md, made anew from the figures between two marks each.

    python benchmarks/stages_page.py    # docs/results.jsonl -> docs/performance.md
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from anymo_hf.evaluation.results import DEFAULT_PATH, Result, format_number, read_results


TABLE, SHARE = "performance", "share of the bound, %"
PAGE, PLOT = Path("docs/performance.md"), Path("docs/plots/performance.png")
# Why a stage stays below half its bound; the first words of its name.
REASONS = {
    "reader": "the header, Euler angles and positions of joints come on top of reading numbers",
    "kinematics": "filters run forwards and backwards in double precision over 240 frames a second, then a logarithm "
    "of every turn: tens of passes over what the bound writes once",
    "dense simulation": "15 multiplications and additions for every number written; whole rows above 64 MiB are bound "
    "by fresh pages, smaller ones by this arithmetic",
    "views": "some hundred small operations for two views of 5 s, with springs, device errors and resampling; what "
    "counts is the idle share of training below",
    "encoder forward, small": "channels of 16 to 96 fill no large product: convolutions of that width and norms move "
    "memory",
    "encoder forward and backward, small": "as forward, and the backward pass reads what forward kept",
    "encoder forward, paper": "norms and activations between the products move memory",
    "encoder forward and backward, paper": "norms and activations between the products move memory, twice more in the "
    "backward pass",
    "quantiser": "finding the smallest of 2,048 distances reads every product once more",
    "language model step": "the encoder and the motion tokenizer run before the language model, which alone is the "
    "bound",
    "generate": "the encoder, the motion tokenizer, and a mask over the motion tokens in every step",
    "classify": "poolers and heads, windows cut from the recording, and labels compared",
    "file to labels": "reading the file, finding its units and resampling",
}
# GFLOP of a window and its seconds: counted by torch on the layers of each published network with random weights.
PEERS = {
    "UniMTS": (14.6, 10.0),
    "AnyMo, official layers": (15.7, 5.0),
    "ImageBind, IMU": (9.5, 10.0),
    "T2M-GPT's encoder": (1.5, 9.8),
    "IMU2CLIP": (0.06, 5.0),
}
# A plan names its assumptions. Data sheet of an NVIDIA A100: dense bfloat16.
GPU_TERAFLOPS, GPU_SHARE, GPU_MEMORY_GB = 312.0, 0.3, 80.0
HOURS, EPOCHS, WINDOW_SECONDS, CORES = 300.0, 10, 5.0, 16
LANGUAGE_PARAMETERS, LANGUAGE_TOKENS, LANGUAGE_EPOCHS = 0.517e9, 250, 4


def stage_lines(results: list[Result]) -> list[str]:
    """Every stage with its bound; a sentence where it is below half."""
    found = {(r.subset, r.metric): r for r in results if r.dataset == "stages"}
    lines = [
        "| stage | bound | share of the bound, % | range | ms | below half because |",
        "|---|---|---|---|---|---|",
    ]
    for (subset, metric), result in found.items():
        if metric == SHARE:
            low, high = (
                format_number(value) for value in (result.ci_low or result.value, result.ci_high or result.value)
            )
            reason = _reason(subset) if result.value < 50 else ""
            cells = [subset, result.note, format_number(result.value), f"{low} to {high}"]
            lines.append("| " + " | ".join([*cells, _number(found.get((subset, "ms"))), reason]) + " |")
    return lines


def slope_lines(results: list[Result]) -> list[str]:
    """How cost grows: an exponent of 1 is in proportion."""
    rows = [r for r in results if r.dataset == "slopes"]
    costs = {r.subset: r for r in rows if r.metric.startswith("ms per ")}
    lines = ["| stage | what grows | exponent | range | ms per piece |", "|---|---|---|---|---|"]
    for r in rows:
        if r.metric == "exponent of cost":
            spread = "" if r.ci_low is None else f"{r.ci_low:.2f} to {r.ci_high:.2f}"
            lines.append(f"| {r.subset} | {r.note} | {r.value:.2f} | {spread} | {_number(costs.get(r.subset))} |")
    return lines


def plot_lines(results: list[Result]) -> list[str]:
    """The picture of the slopes, once it is there."""
    return ["![Seconds over frames, sensors, windows and hours](plots/performance.png)"] if PLOT.exists() else []


def training_lines(results: list[Result]) -> list[str]:
    """What training waits for, and what half precision, compilation and a second process bring."""
    lines = ["| what | figure | value | range |", "|---|---|---|---|"]
    for r in results:
        if r.dataset == "training":
            spread = "" if r.ci_low is None else f"{format_number(r.ci_low)} to {format_number(r.ci_high)}"
            lines.append(f"| {r.subset} | {r.metric} | {format_number(r.value)} | {spread} |")
    return lines


def peer_lines(results: list[Result]) -> list[str]:
    """Seconds of signal that a second of matrix products is worth, by each network's arithmetic; and our measured."""
    product = _find(results, "training", "matrix product", "GFLOP/s")
    lines = [
        "| network | GFLOP per second of signal | at the rate of products, s/s | measured, s/s |",
        "|---|---|---|---|",
    ]
    rows = [(name, operations / seconds, "") for name, (operations, seconds) in PEERS.items()]
    for preset in ("small", "paper"):
        operations = _find(results, "training", f"encoder, {preset}", "GFLOP per window of 5 s")
        taken = next(
            (r for r in results if r.metric == "ms" and r.subset.startswith(f"encoder forward, {preset}")), None
        )
        if operations is None:
            continue
        measured = (
            "" if taken is None else format_number(WINDOW_SECONDS * _num_windows(taken.subset) / taken.value * 1000)
        )
        rows.append((f"anymo-hf, {preset}", operations / WINDOW_SECONDS, measured))
    for name, operations, measured in sorted(rows, key=lambda row: row[1]):
        possible = "" if product is None else format_number(product / operations)
        lines.append(f"| {name} | {format_number(operations)} | {possible} | {measured} |")
    return lines


def plan_lines(results: list[Result]) -> list[str]:
    """Time, memory and disk of 300 hours on one GPU and on eight, from measured slopes and stated assumptions."""
    found = {
        "disk": _find(results, "sizes", "kinematics on disk", "GB per hour"),
        "dense": next((r.value for r in results if r.dataset == "sizes" and "sensors" in r.subset), None),
        "conversion": next((r.value for r in results if r.dataset == "slopes" and r.metric == "ms per hour"
                            and r.subset.startswith("kinematics")), None),
        "views": _find(results, "training", "views", "windows/s per core"),
        "operations": _find(results, "training", "pre-training, paper", "GFLOP per window"),
        "kept": _find(results, "training", "pre-training, paper", "MB kept per window"),
        "parameters": _find(results, "training", "pre-training, paper", "million parameters"),
    }  # fmt: skip
    missing = [name for name, value in found.items() if value is None]
    if missing:
        return [f"Not measured yet: {', '.join(missing)}."]
    windows = HOURS * 3600 / WINDOW_SECONDS
    seen = windows * EPOCHS
    rate = GPU_TERAFLOPS * GPU_SHARE * 1000 / found["operations"]
    language = (
        6 * LANGUAGE_PARAMETERS * LANGUAGE_TOKENS * windows * LANGUAGE_EPOCHS / (GPU_TERAFLOPS * GPU_SHARE * 1e12)
    )
    weights, batch = 16 * found["parameters"] / 1000, 64  # GB
    rows = [
        ("kinematics on disk", f"{HOURS:g} h × {found['disk']:.3g} GB/h",
         f"{HOURS * found['disk']:,.0f} GB", "the same"),
        ("the same as 2,374 dense sensors", f"{HOURS:g} h × {found['dense']:.3g} GB/h",
         f"{HOURS * found['dense'] / 1000:,.1f} TB, not needed", "the same"),
        ("kinematics, without reading files", f"{HOURS:g} h × {found['conversion'] / 1000:.3g} s/h ÷ {CORES} cores",
         _duration(HOURS * found["conversion"] / 1000 / CORES), "the same"),
        (f"windows seen in {EPOCHS} epochs", f"{HOURS:g} h × 720 × {EPOCHS}", f"{seen / 1e6:.2f} million", "the same"),
        ("pre-training, GPU alone",
         f"÷ ({GPU_TERAFLOPS:g} TFLOP/s × {GPU_SHARE:g} ÷ {found['operations']:.3g} GFLOP = {rate:,.0f} windows/s)",
         _duration(seen / rate), _duration(seen / rate / 8)),
        ("cores that make views as fast", f"{rate:,.0f} windows/s ÷ {found['views']:,.0f} per core",
         f"{rate / found['views']:,.0f}", f"{8 * rate / found['views']:,.0f}"),
        (f"pre-training with {CORES} cores a GPU", f"÷ min({rate:,.0f}, {CORES} × {found['views']:,.0f}) windows/s",
         _duration(seen / min(rate, CORES * found["views"])), _duration(seen / min(rate, CORES * found["views"]) / 8)),
        (f"memory of pre-training, batch {batch}",
         f"16 B × {found['parameters']:.3g} million + {batch} × {found['kept']:,.0f} MB",
         f"{weights + batch * found['kept'] / 1000:,.1f} GB of {GPU_MEMORY_GB:g}", "each the same"),
        ("language model, both stages",
         f"6 × 0.517 G × {LANGUAGE_TOKENS} tokens × {windows:,.0f} windows × {LANGUAGE_EPOCHS} epochs",
         _duration(language), _duration(language / 8)),
        ("its weights, gradients and Adam", "16 B × 0.517 G", f"{16 * LANGUAGE_PARAMETERS / 1e9:.1f} GB",
         "each the same (DDP), an eighth (FSDP)"),
    ]  # fmt: skip
    lines = ["| what | arithmetic | one GPU | eight GPUs |", "|---|---|---|---|"]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _reason(subset: str) -> str:
    fits = [words for words in REASONS if subset.startswith(words)]
    return REASONS[max(fits, key=len)] if fits else "**unexplained**"


def _find(results: list[Result], part: str, begin: str, metric: str) -> float | None:
    values = [
        r.value for r in results if r.dataset == part and r.subset.startswith(f"{begin},") and r.metric == metric
    ]
    return values[0] if values else None


def _num_windows(subset: str) -> int:
    return int(next(part.split()[0] for part in subset.split(", ") if part.endswith("windows")))


def _number(result: Result | None) -> str:
    return "" if result is None else format_number(result.value)


TABLES: dict[str, Callable[[list[Result]], list[str]]] = {
    "stages": stage_lines,
    "slopes": slope_lines,
    "plot": plot_lines,
    "training": training_lines,
    "peers": peer_lines,
    "plan": plan_lines,
}


def render_page(path: str | Path, page: str) -> str:
    """The page with every table that it has marks for made anew."""
    results = [result for result in read_results(path) if result.table == TABLE]
    for name, make_lines in TABLES.items():
        marks = f"<!-- {name} -->", f"<!-- end of {name} -->"
        if marks[0] in page:
            before, rest = page.split(marks[0])
            page = before + "\n".join([marks[0], *make_lines(results), marks[1]]) + rest.split(marks[1])[1]
    return page


def main(arguments: list[str] | None = None) -> None:
    """Renders the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", nargs="?", type=Path, default=DEFAULT_PATH)
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args(arguments)
    options.page.write_text(render_page(options.path, options.page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Speed of the graph encoder, as a share of what large matrix products reach on the same threads in the same run.

    python benchmarks/encoder.py

Windows are 5 s: 300 frames, 23 segments, 6 channels, single precision, at most 8 at once. Operations are those that
torch counts in matrix products and convolutions. Each turn measures the product and the encoder one after the other;
each figure is the median over turns after a first, unmeasured one. Run it on an idle machine.
"""

import argparse
import os
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from anymo_hf.evaluation.results import (
    DEFAULT_PATH,
    Result,
    append_results,
    current_commit,
    machine_description,
)
from anymo_hf.modeling.configuration_anymo import AnyMoGraphEncoderConfig
from anymo_hf.modeling.modeling_anymo_graph_encoder import AnyMoGraphEncoder


COMMAND = "python benchmarks/encoder.py"
PRODUCT_SIZE = 2048
NUM_FRAMES = 300


def make_windows(num_windows: int, num_observed: int = 23) -> tuple[torch.Tensor, torch.Tensor]:
    """Readings of the first so many segments."""
    values = torch.randn(num_windows, NUM_FRAMES, 23, 6, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros_like(values, dtype=torch.bool)
    mask[:, :, :num_observed] = True
    return values, mask


def make_encoder(preset: str) -> AnyMoGraphEncoder:
    """Of the paper's size or small, with new weights."""
    torch.manual_seed(0)
    return AnyMoGraphEncoder(AnyMoGraphEncoderConfig() if preset == "paper" else AnyMoGraphEncoderConfig.small())


def make_task(encoder: AnyMoGraphEncoder, inputs: tuple[torch.Tensor, torch.Tensor], training: bool) -> Callable:
    """Forward alone, or forward and backward."""

    def run():
        with torch.set_grad_enabled(training):
            outputs = encoder(*inputs)
        if training:
            outputs.pooled_latents.sum().backward()

    encoder.train(training)
    return run


def seconds_of(task: Callable) -> float:
    begin = time.perf_counter()
    task()
    return time.perf_counter() - begin


def count_operations(task: Callable) -> int:
    """Multiplications and additions of its matrix products and convolutions."""
    # torch counts products that add to a matrix, but not those that do so in place.
    in_place = {torch.ops.aten.addmm_: lambda _, left, right, **kwargs: 2 * left[0] * left[1] * right[1]}
    with FlopCounterMode(display=False, custom_mapping=in_place) as counter:
        task()
    return counter.get_total_flops()


def measure(task: Callable, num_turns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Seconds of each turn, its operations per second, and those of the product beside it."""
    left, right = torch.randn(2, PRODUCT_SIZE, PRODUCT_SIZE, generator=torch.Generator().manual_seed(0))
    operations = count_operations(task)
    products, seconds = [], []
    for _ in range(num_turns + 1):
        products.append(seconds_of(lambda: left @ right))
        seconds.append(seconds_of(task))
    products, seconds = np.array(products[1:]), np.array(seconds[1:])
    return seconds, operations / seconds, 2 * PRODUCT_SIZE**3 / products


def measure_speed(num_turns: int, num_windows: int) -> list[Result]:
    """Both presets, forward and backward."""
    results = []
    for preset in ("paper", "small"):
        encoder = make_encoder(preset)
        for count, training in ((num_windows, False), (num_windows, True), (1, False)):
            task = make_task(encoder, make_windows(count), training)
            seconds, rate, product = measure(task, num_turns)
            what = "forward and backward" if training else "forward"
            subset = f"{preset}, {count} window{'s' * (count > 1)} of 5 s"
            results += [
                _result(subset, f"{what}, share of matrix products, %", 100 * rate / product),
                _result(subset, f"{what}, ms per window", 1000 * seconds / count),
                _result(subset, f"{what}, GFLOP/s", rate / 1e9),
                _result(subset, f"{what}, matrix products beside it, GFLOP/s", product / 1e9),
            ]
    return results


def measure_observed(num_turns: int) -> list[Result]:
    """What a window costs with few sensors and with all."""
    encoder, results = make_encoder("small"), []
    for num_observed in (1, 6, 23):
        seconds, _, _ = measure(make_task(encoder, make_windows(1, num_observed), training=False), num_turns)
        subset = f"small, 1 window of 5 s, {num_observed} of 23 segments observed"
        results.append(_result(subset, "forward, ms per window", 1000 * seconds))
    return results


def _result(subset: str, metric: str, values: np.ndarray) -> Result:
    threads = torch.get_num_threads()
    return Result(
        "encoder speed", "random readings", f"{subset}, {threads} thread{'s' * (threads > 1)}", "anymo-hf", metric,
        float(np.median(values)), float(np.min(values)), float(np.max(values)), "minimum and maximum over turns",
        command=COMMAND, commit=current_commit(), machine=machine_description(), date=date.today().isoformat(),
        note=f"median of {len(values)} turns; products of {PRODUCT_SIZE} x {PRODUCT_SIZE} matrices",
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Measures, prints and records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--windows", type=int, default=8, help="at once")
    parser.add_argument("--results", type=Path, default=DEFAULT_PATH)
    parser.add_argument("--dry-run", action="store_true", help="print only")
    options = parser.parse_args(arguments)
    print(f"{machine_description()}; load {os.getloadavg()[0]:.2f} before the start")
    results = measure_speed(options.turns, options.windows) + measure_observed(options.turns)
    for r in results:
        print(f"{r.subset:66} {r.metric:58} {r.value:10.4g}   {r.ci_low:.4g} to {r.ci_high:.4g}")
    if not options.dry_run:
        append_results(results, options.results)


if __name__ == "__main__":
    main()

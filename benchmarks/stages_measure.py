# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""What `stages.py` measures with: turns of a task and its bound, slopes over sizes, and rows of the table."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import torch

from anymo_hf.evaluation.results import Result, current_commit, machine_description


TABLE = "performance"
COMMAND = "python benchmarks/stages.py"
PRODUCT_SIZE = 2048
SHARE = "share of the bound, %"
FILL, PRODUCT, PLAIN = "memory fill", "matrix product", "plain models"


@dataclass
class Stage:
    """
    A task, and the simplest task on this machine that it could be as fast as.

    Args:
        name (`str`):
            Of the stage, with its sizes.
        bound (`str`):
            What it is held against.
        call (`Callable`):
            The task.
        work (`float`):
            Bytes, operations or pieces in one call.
        bound_call (`Callable`):
            The bound.
        bound_work (`float`):
            As `work`, in one call of the bound.
    """

    name: str
    bound: str
    call: Callable[[], object]
    work: float
    bound_call: Callable[[], object]
    bound_work: float


def filled(name: str, call: Callable, num_bytes: int) -> Stage:
    """A stage that is held against filling fresh memory with as many bytes."""
    return Stage(name, FILL, call, num_bytes, lambda: torch.full((num_bytes // 4,), 1.0), num_bytes)


def multiplied(name: str, call: Callable, operations: float, size: int = PRODUCT_SIZE) -> Stage:
    """A stage that is held against a product of large square matrices in single precision."""
    left, right = torch.randn(2, size, size, generator=torch.Generator().manual_seed(0))
    return Stage(name, PRODUCT, call, operations, lambda: left @ right, 2 * size**3)


def seconds_of(call: Callable, at_least: float) -> float:
    """Seconds of a call; short ones are repeated until so much time has passed."""
    num_calls, begin = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begin) < at_least or not num_calls:
        call()
        num_calls += 1
    return elapsed / num_calls


def measure_stages(stages: list[Stage], num_turns: int, at_least: float) -> list[Result]:
    """All stages take turns, each right after its bound; the first turn warms up and is not counted."""
    seconds = np.zeros((num_turns + 1, len(stages), 2))
    for turn in seconds:
        for index, stage in enumerate(stages):
            turn[index] = seconds_of(stage.bound_call, at_least), seconds_of(stage.call, at_least)
    results = []
    for index, stage in enumerate(stages):
        bound, own = seconds[1:, index].T
        share = 100 * (stage.work / own) / (stage.bound_work / bound)
        results.append(row("stages", stage.name, SHARE, share, stage.bound))
        results.append(row("stages", stage.name, "ms", 1000 * own, stage.bound))
        unit = {FILL: "GB/s of the bound", PRODUCT: "GFLOP/s of the bound", PLAIN: "pieces/s of the bound"}
        scale = 1.0 if stage.bound == PLAIN else 1e9
        rate = stage.bound_work / bound / scale
        results.append(row("stages", stage.name, unit.get(stage.bound, "pieces/s of the bound"), rate, stage.bound))
    return results


def measure_slope(
    name: str, axis: str, tasks: dict[float, Callable], num_turns: int, at_least: float
) -> tuple[list[Result], dict[float, float]]:
    """
    How the cost of a stage grows with a size.

    Args:
        name (`str`):
            The stage.
        axis (`str`):
            What grows, in words.
        tasks (`dict[float, Callable]`):
            A task of each size.
        num_turns (`int`):
            Measured turns; in each all sizes are measured one after the other.
        at_least (`float`):
            Seconds that short calls are repeated.

    Returns:
        `tuple[list[Result], dict[float, float]]`: Rows, and median seconds of each size.
    """
    seconds = np.zeros((num_turns + 1, len(tasks)))
    for turn in seconds:
        turn[:] = [seconds_of(task, at_least) for task in tasks.values()]
    sizes, seconds = np.array(list(tasks)), seconds[1:]
    exponents = np.array([np.polyfit(np.log(sizes), np.log(turn), 1)[0] for turn in seconds])
    per_unit = np.array([fit_line(sizes, turn)[1] for turn in seconds])
    subset = f"{name}, {sizes[0]:g} to {sizes[-1]:g} {axis}"
    rows = [
        row("slopes", subset, "exponent of cost", exponents, axis),
        row("slopes", subset, f"ms per {axis.removesuffix('s')}", 1000 * per_unit, axis),
    ]
    return rows, dict(zip(sizes.tolist(), np.median(seconds, axis=0).tolist(), strict=True))


def fit_line(sizes: np.ndarray, seconds: np.ndarray) -> tuple[float, float]:
    """What a call costs at any size, and per unit of size; relative errors count alike."""
    slope, offset = np.polyfit(sizes, seconds, 1, w=1 / seconds)
    return float(offset), float(slope)


def saved_bytes(task: Callable) -> int:
    """Memory that a forward pass keeps for its backward pass, beyond weights and inputs that others hold."""
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = task()  # alive until all are counted, so that no address is used twice
    del outputs
    return sum(kept.values())


def row(part: str, subset: str, metric: str, values, note: str) -> Result:
    """A figure of the table; `part` is stages, slopes, sizes or training."""
    values = np.atleast_1d(np.asarray(values, dtype=float))
    spread = {}
    if len(values) > 1:
        spread = {"ci_low": float(values.min()), "ci_high": float(values.max())}
        spread["ci_method"] = "minimum and maximum over turns"
    threads = torch.get_num_threads()
    return Result(
        TABLE, part, f"{subset}, {threads} thread{'s' * (threads > 1)}", "anymo-hf", metric,
        float(np.median(values)), **spread, command=COMMAND, commit=current_commit(), machine=machine_description(),
        date=date.today().isoformat(), note=note,
    )  # fmt: skip

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
The training part of `stages.py`: time spent waiting for data, half precision, compilation, one process against two.

A step of pre-training is forward, backward and AdamW on windows that are simulated while it runs. Idle is the time
between the end of a step and the arrival of the next batch, of all time, after the first batches.
"""

import functools
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from encoder import PRODUCT_SIZE, count_operations, make_encoder, make_task, make_windows
from stages_measure import row, saved_bytes, seconds_of
from torch.utils.data import DataLoader, RandomSampler

from anymo_hf import AnyMoGraphEncoderConfig, AnyMoGraphEncoderForPreTraining
from anymo_hf.evaluation.results import Result
from anymo_hf.training import PairedViewDataset


SCRIPT = Path(__file__).resolve().parents[1] / "training_scripts" / "pretrain_graph_encoder.py"
BATCH_SIZE = 32
NUM_STEPS = 30


def make_pretraining(preset: str, **options) -> AnyMoGraphEncoderForPreTraining:
    """With new weights."""
    torch.manual_seed(0)
    make_config = {"small": AnyMoGraphEncoderConfig.small, "paper": AnyMoGraphEncoderConfig}[preset]
    return AnyMoGraphEncoderForPreTraining(make_config(**options)).train()


def make_batch(dataset: PairedViewDataset, batch_size: int) -> dict[str, torch.Tensor]:
    """Items one after the other."""
    return torch.utils.data.default_collate([dataset[i % len(dataset)] for i in range(batch_size)])


def train_steps(model, batches, num_steps: int) -> tuple[float, float]:
    """Seconds spent waiting for batches and in all, without the first two batches."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    waited = 0.0
    for index in range(num_steps + 2):
        begin = time.perf_counter()
        if index == 2:
            start, waited = begin, 0.0
        batch = next(batches)
        waited += time.perf_counter() - begin
        model(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return waited, time.perf_counter() - start


def measure_idle(dataset: PairedViewDataset, preset: str, num_workers: int, quick: bool) -> Result:
    """Share of training that waits for data."""
    batch_size, num_steps = (2, 2) if quick else (BATCH_SIZE, NUM_STEPS)
    sampler = RandomSampler(dataset, replacement=True, num_samples=batch_size * (num_steps + 2 + 2 * num_workers))
    loader = DataLoader(dataset, batch_size, sampler=sampler, num_workers=num_workers)
    waited, total = train_steps(make_pretraining(preset), iter(loader), num_steps)
    name = f"pre-training, {preset}, batch {batch_size}, {num_workers} workers"
    return row(
        "training", name, "idle share, %", 100 * waited / total, f"{num_steps} steps of {total / num_steps:.3g} s"
    )


def measure_views(dataset: PairedViewDataset, num_items: int) -> Result:
    """Items of training that one core makes."""
    dataset[0]  # the body's surface is made once
    rates = []
    for _ in range(3):
        begin = time.perf_counter()
        for index in range(num_items):
            dataset[index % len(dataset)]
        rates.append(num_items / (time.perf_counter() - begin))
    return row("training", "views", "windows/s per core", np.array(rates), f"{num_items} windows, three times")


def measure_precision(num_windows: int, num_turns: int, at_least: float, compiled: bool) -> list[Result]:
    """What bfloat16 and compilation change, each beside single precision as it is, in turns."""
    results = []
    for training in (False, True):
        windows = make_windows(num_windows)
        plain = make_task(make_encoder("small"), windows, training)
        ways = {"bfloat16": in_bfloat16(make_task(make_encoder("small"), windows, training))}
        if compiled:
            ways["torch.compile"] = make_compiled(windows, training)
        seconds = np.zeros((num_turns + 1, 1 + len(ways)))
        for turn in seconds:
            turn[:] = [seconds_of(task, at_least) for task in (plain, *ways.values())]
        what = "forward and backward" if training else "forward"
        for index, name in enumerate(ways, start=1):
            gain = seconds[1:, 0] / seconds[1:, index]
            subset = f"encoder {what}, small, {num_windows} windows"
            results.append(row("training", subset, f"{name}, times as fast", gain, f"median of {num_turns} turns"))
    return results


def in_bfloat16(task: Callable) -> Callable:
    def run():
        with torch.autocast("cpu", torch.bfloat16):
            return task()

    return run


def make_compiled(windows: tuple, training: bool) -> Callable:
    encoder = make_encoder("small")
    encoder.compile()  # in place: what it is called with stays the same
    return make_task(encoder, windows, training)


def loss_of(model, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    return model(**batch).loss


def measure_demand(dataset: PairedViewDataset, quick: bool) -> list[Result]:
    """Operations, and memory kept for the backward pass, of a window of pre-training."""
    results = []
    for preset in ("small",) if quick else ("small", "paper"):
        model = make_pretraining(preset)
        two, one = (functools.partial(loss_of, model, make_batch(dataset, size)) for size in (2, 1))
        operations = count_operations(lambda task=two: task().backward()) / 2
        kept = saved_bytes(two) - saved_bytes(one)
        parameters = sum(parameter.numel() for parameter in model.parameters())
        name = f"pre-training, {preset}"
        results += [
            row("training", name, "GFLOP per window", operations / 1e9, "forward and backward, both views"),
            row("training", name, "MB kept per window", kept / 1e6, "float32, second window of a batch"),
            row("training", name, "million parameters", parameters / 1e6, "with the predictor"),
        ]
    for preset in ("small", "paper"):
        task = make_task(make_encoder(preset), make_windows(1), False)
        operations = count_operations(task) / 1e9
        results.append(row("training", f"encoder, {preset}", "GFLOP per window of 5 s", operations, "forward"))
    return results


def measure_processes(folder: Path, scratch: Path) -> list[Result]:
    """Windows per second of the training script with one and with two processes of one thread each."""
    rates = {}
    for number in (1, 2):
        launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={number}"]
        options = [str(SCRIPT), "--data", str(folder), "--output_dir", str(scratch / f"run{number}"), "--max_steps=24"]
        options += [f"--per_device_train_batch_size={BATCH_SIZE // 2}", "--logging_steps=8", "--save_strategy=no"]
        options += ["--held_out_share=0.3", "--use_cpu=True", "--ddp_backend=gloo", "--disable_tqdm=True"]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        run = subprocess.run([*launch, *options], env=environment, capture_output=True, text=True, timeout=1800)
        found = re.findall(r"'windows_per_second': '?([\d.]+)", run.stdout)
        if run.returncode or not found:
            raise RuntimeError(f"Training with {number} processes failed:\n{run.stderr[-2000:]}")
        rates[number] = float(found[-1])
    name = f"pre-training, small, batch {BATCH_SIZE // 2} a process"
    gain = rates[2] / rates[1]
    return [
        *(
            row("training", f"{name}, {n} processes", "windows/s", rate, "one thread each")
            for n, rate in rates.items()
        ),
        row("training", name, "2 processes, times as fast as 1", gain, "one thread each"),
    ]


def measure_training(folder: Path, scratch: Path, quick: bool) -> list[Result]:
    """
    All of this part.

    Args:
        folder (`Path`):
            Of synthetic motion.
        scratch (`Path`):
            An empty place for runs.
        quick (`bool`):
            Whether to leave out compilation and processes, and all that takes long.

    Returns:
        `list[Result]`: Rows of the table.
    """
    dataset = PairedViewDataset(folder, return_kinematics=True)
    results = [measure_views(dataset, 4 if quick else 200), *measure_demand(dataset, quick)]
    workers = (0,) if quick else (0, 1, 2)
    results += [measure_idle(dataset, "small", number, quick) for number in workers]
    if not quick:
        left, right = torch.randn(2, PRODUCT_SIZE, PRODUCT_SIZE)
        rate = 2 * PRODUCT_SIZE**3 / seconds_of(lambda: left @ right, 1.0) / 1e9
        results.append(row("training", "matrix product", "GFLOP/s", rate, f"{PRODUCT_SIZE} x {PRODUCT_SIZE}"))
    turns, at_least = (1, 0.0) if quick else (7, 0.2)
    results += measure_precision(2 if quick else 8, turns, at_least, compiled=not quick)
    return results if quick else results + measure_processes(folder, scratch)

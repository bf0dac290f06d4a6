# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Speed of the simulation on one thread, beside the rate at which this machine can fill memory at all.

    python benchmarks/simulation.py

A placement-frame is one reading of one sensor: six float32, 24 bytes. Everything is measured in one process, in turns,
so that all figures see the same machine; each is the median over the turns after a first, unmeasured one. Run it on an
idle machine. Peak memory is measured in processes of their own.

Fresh memory comes from the allocator, as the simulation's results do. Blocks below 32 MiB, that is rows of up to 9 s,
are mostly handed out again and may still lie in the cache; larger ones cost a page fault per 4 KiB.
"""

import argparse
import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path


os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402
import torch  # noqa: E402
from official_recipe import simulate_imu_wimusim  # noqa: E402

from anymo_hf.evaluation.results import (  # noqa: E402
    DEFAULT_PATH,
    Result,
    append_results,
    current_commit,
    machine_description,
)
from anymo_hf.processing.placements_anymo import NUM_SEGMENTS  # noqa: E402
from anymo_hf.simulation.imu import simulate_imu  # noqa: E402
from anymo_hf.simulation.kinematics import SegmentKinematics  # noqa: E402
from anymo_hf.simulation.motion import SegmentMotion  # noqa: E402
from anymo_hf.simulation.placements import Placements  # noqa: E402
from anymo_hf.simulation.rotations import quaternion_exp, random_quaternions  # noqa: E402
from anymo_hf.simulation.synthesis import random_recording  # noqa: E402


NUM_PLACEMENTS = 2374  # as many as the official data have
NATIVE_RATE, RATE = 240.0, 60.0  # Hz
BYTES = 24  # of a placement-frame
ROWS = (5, 10, 60)  # s; the dataset builder writes dense rows of at most 10 s
SECONDS_PER_TURN = 0.2  # short calls are repeated that long
COMMAND = "python benchmarks/simulation.py"


def make_motion(seconds: float) -> SegmentMotion:
    """Every segment swings and turns along sines of its own, at 240 Hz; built piecewise to keep memory low."""
    generator = np.random.default_rng(0)
    phase, frequency = (
        generator.uniform(0, 2 * np.pi, (2, NUM_SEGMENTS, 3)),
        generator.uniform(0.3, 2, (NUM_SEGMENTS, 3)),
    )
    times = np.arange(round(seconds * NATIVE_RATE) + 1) / NATIVE_RATE
    positions = np.empty((len(times), NUM_SEGMENTS, 3))
    orientations = np.empty((len(times), NUM_SEGMENTS, 4))
    for start in range(0, len(times), 14400):
        part = slice(start, start + 14400)
        angle = 2 * np.pi * frequency * times[part, None, None]
        positions[part] = 0.3 * np.sin(angle + phase[0])
        orientations[part] = quaternion_exp(torch.from_numpy(0.7 * np.sin(angle + phase[1]))).numpy()
    return SegmentMotion(positions, orientations, times)


def make_placements() -> Placements:
    """Sensors all over the body, sorted by segment as `BodySurface.sample` gives them."""
    generator = torch.Generator().manual_seed(0)
    segment = torch.randint(NUM_SEGMENTS, (NUM_PLACEMENTS,), generator=generator).sort().values
    offset = 0.1 * torch.randn(NUM_PLACEMENTS, 3, generator=generator)
    return Placements(segment, offset, random_quaternions(NUM_PLACEMENTS, generator=generator))


def measure(tasks: dict[str, tuple[Callable, float]], num_turns: int) -> dict[str, np.ndarray]:
    """
    Rates of several tasks that take turns.

    Args:
        tasks (`dict[str, tuple[Callable, float]]`):
            What to call, and the amount of work in one call.
        num_turns (`int`):
            Measured turns; one more comes before them and warms up.

    Returns:
        `dict[str, np.ndarray]`: Work per second in every turn.
    """
    rates = {name: [] for name in tasks}
    for _ in range(num_turns + 1):
        for name, (call, work) in tasks.items():
            num_calls, start = 0, time.perf_counter()
            while (elapsed := time.perf_counter() - start) < SECONDS_PER_TURN or not num_calls:
                call()
                num_calls += 1
            rates[name].append(num_calls * work / elapsed)
    return {name: np.array(values[1:]) for name, values in rates.items()}


def measure_speed(num_turns: int) -> list[Result]:
    """Fill rate, dense simulation, official recipe and kinematics."""
    placements = make_placements()
    motion = make_motion(max(ROWS))
    kinematics = SegmentKinematics.from_motion(motion, RATE)
    tasks, figures = {}, []
    for seconds in ROWS:
        num_frames = round(seconds * RATE)
        shape = (num_frames, NUM_PLACEMENTS, 6)
        part = SegmentKinematics(kinematics.values[:num_frames], kinematics.mask[:num_frames], RATE)
        buffer, work = torch.empty(shape), num_frames * NUM_PLACEMENTS
        tasks[f"fill, fresh memory|{seconds}"] = (lambda shape=shape: torch.full(shape, 1.0), work)
        tasks[f"fill, reused memory|{seconds}"] = (lambda buffer=buffer: buffer.fill_(1.0), work)
        tasks[f"anymo-hf|{seconds}"] = (lambda part=part: simulate_imu(part, placements), work)
    short = motion[: round(ROWS[0] * NATIVE_RATE)]
    work = round(ROWS[0] * RATE) * NUM_PLACEMENTS
    tasks[f"official recipe|{ROWS[0]}"] = (lambda: simulate_imu_wimusim(short, placements), work)
    tasks["kinematics"] = (lambda: SegmentKinematics.from_motion(motion, RATE), motion.duration)
    rates = measure(tasks, num_turns)
    for name, values in rates.items():
        if name == "kinematics":
            figures.append(_result("60 s at 240 Hz to 60 Hz", "anymo-hf", "kinematics, times real time", values))
            continue
        model, seconds = name.split("|")
        subset = f"{NUM_PLACEMENTS:,} placements, rows of {seconds} s"
        figures.append(_result(subset, model, "million placement-frames/s per core", values / 1e6))
        if model == "anymo-hf":
            for kind in ("fresh", "reused"):
                share = 100 * values / rates[f"fill, {kind} memory|{seconds}"]
                figures.append(_result(subset, model, f"share of the fill rate of {kind} memory, %", share))
    return figures


def measure_synthesis(num_turns: int) -> Result:
    """Recordings of a minute, each of another seed and with other activities."""
    rates = []
    for seed in range(num_turns + 1):
        start = time.perf_counter()
        motion = random_recording(seed, 60.0)
        rates.append(motion.duration / (time.perf_counter() - start))
    return _result("recordings of 60 s", "anymo-hf", "synthesis, times real time", np.array(rates[1:]))


def _result(subset: str, model: str, metric: str, values: np.ndarray, note: str | None = None) -> Result:
    return Result(
        "simulation speed", "synthetic motion", subset, model, metric, float(np.median(values)),
        float(np.min(values)), float(np.max(values)), "minimum and maximum over turns", command=COMMAND,
        commit=current_commit(), machine=machine_description(), date=date.today().isoformat(),
        note=note or f"median of {len(values)} turns, one thread",
    )  # fmt: skip


def measure_memory(minutes: float) -> float:
    """Peak memory of `from_motion` in this process beyond its input and its result, in MiB. Linux only."""
    SegmentKinematics.from_motion(make_motion(5.0), RATE)  # whatever is imported or allocated once
    motion = make_motion(60 * minutes)
    ctypes.CDLL(None).malloc_trim(0)  # memory that was freed but not given back would hide later growth
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # forget the peak so far
    kinematics = SegmentKinematics.from_motion(motion, RATE)
    result = kinematics.values.nbytes + kinematics.mask.nbytes
    return (_status("VmHWM") - before - result) / 2**20


def _status(key: str) -> int:
    """Bytes, from the kernel's account of this process."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))


def memory_in_subprocess(minutes: float) -> Result:
    """`measure_memory` in a process of its own, whose memory holds nothing else."""
    command = [sys.executable, __file__, "--memory", str(minutes)]
    peak = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    values = np.array([peak])
    metric = "kinematics, peak memory beyond input and result, MiB"
    return _result(f"{minutes:g} min at 240 Hz to 60 Hz", "anymo-hf", metric, values, note="one run")


def main(arguments: list[str] | None = None) -> None:
    """Measures, prints and records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--minutes", type=float, nargs="*", default=[10, 60], help="of motion, for peak memory")
    parser.add_argument("--results", type=Path, default=DEFAULT_PATH)
    parser.add_argument("--dry-run", action="store_true", help="print only")
    parser.add_argument("--memory", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if options.memory is not None:
        print(measure_memory(options.memory))
        return
    print(f"{machine_description()}; load {os.getloadavg()[0]:.2f} before the start")
    results = [*measure_speed(options.turns), measure_synthesis(options.turns)]
    if Path("/proc/self/clear_refs").exists():
        results += [memory_in_subprocess(minutes) for minutes in options.minutes]
    for r in results:
        print(f"{r.subset:36} {r.model:20} {r.metric:54} {r.value:10.4g}   {r.ci_low:.4g} to {r.ci_high:.4g}")
    if not options.dry_run:
        append_results(results, options.results)


if __name__ == "__main__":
    main()

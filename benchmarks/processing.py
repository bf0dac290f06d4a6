# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Speed of the feature extractor on one thread, and the frequency response of its resampling.

    python benchmarks/processing.py

One hour of six sensors at 100 Hz, as one array, must take less than 2 s. Each figure is the median over the turns
after a first, unmeasured one. Run it on an idle machine.
"""

import argparse
import os
import time
import warnings
from collections.abc import Callable
from datetime import date
from pathlib import Path


for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # read when numpy is imported

import numpy as np  # noqa: E402

from anymo_hf.evaluation.results import (  # noqa: E402
    DEFAULT_PATH,
    Result,
    append_results,
    current_commit,
    machine_description,
)
from anymo_hf.processing import (  # noqa: E402
    AnyMoFeatureExtractor,
    Recording,
    SensorStream,
    StreamingFeatureExtractor,
    make_recording,
)
from anymo_hf.processing.resampling_anymo import resample  # noqa: E402


PLACES = ["left wrist", "right wrist", "waist", "chest", "left thigh", "right shin"]
COMMAND = "python benchmarks/processing.py"


def make_array(seconds: float, rate: float) -> np.ndarray:
    """Gravity, motion and noise, `(num_samples, 6, 6)`."""
    generator = np.random.default_rng(0)
    phase = np.arange(int(seconds * rate))[:, None, None] / rate * 2 * np.pi * generator.uniform(0.3, 3, (6, 6))
    motion = np.sin(phase) * [2, 2, 2, 1, 1, 1] + generator.normal(scale=0.02, size=phase.shape)
    return motion + [0, 0, 9.80665, 0, 0, 0]


def make_apart(array: np.ndarray, rate: float) -> Recording:
    """The same sensors, each with a clock, a rate error and jitter of its own."""
    generator, sensors = np.random.default_rng(1), []
    for i, place in enumerate(PLACES):
        steps = np.arange(len(array)) + generator.uniform(-0.1, 0.1, len(array))
        times = generator.uniform(0, 1) + steps / (rate * (1 + generator.normal(scale=3e-4)))
        sensors.append(SensorStream(place, array[:, i], times))
    return Recording(tuple(sensors))


def stream_all(extractor: AnyMoFeatureExtractor, array: np.ndarray, rate: float, chunk: int):
    """All sensors in chunks of that many samples."""
    stream = StreamingFeatureExtractor(extractor, dict.fromkeys(PLACES, rate))
    for begin in range(0, len(array), chunk):
        times = np.arange(begin, min(begin + chunk, len(array))) / rate
        stream.push({place: (times, array[begin : begin + chunk, i]) for i, place in enumerate(PLACES)})
    return stream.flush()


def measure(task: Callable, num_turns: int) -> np.ndarray:
    """Seconds of each turn after a first one."""
    seconds = []
    for _ in range(num_turns + 1):
        begin = time.perf_counter()
        task()
        seconds.append(time.perf_counter() - begin)
    return np.array(seconds[1:])


def measure_speed(minutes: float, rate: float, num_turns: int) -> list[Result]:
    """Seconds for each way to the features."""
    extractor, array = AnyMoFeatureExtractor(), make_array(60 * minutes, rate)
    times = np.arange(len(array)) / rate
    recording, apart = make_recording(array, rate, placements=PLACES), make_apart(array, rate)
    num_frames = int(times[-1] * 60) + 1
    tasks = {
        "array to features": lambda: extractor(array, rate, placements=PLACES),
        "of these, resampling": lambda: resample(times, array.reshape(len(array), -1), 60, 0.0, num_frames),
        "recording to windows of 5 s, overlapping by half": lambda: extractor.windows(recording),
        "six clocks with jitter and drift to features": lambda: extractor(apart),
        "stream in chunks of 1 s to windows": lambda: stream_all(extractor, array, rate, int(rate)),
    }
    subset = f"{minutes:g} min of {len(PLACES)} sensors at {rate:g} Hz"
    return [_result(subset, f"{name}, s", measure(task, num_turns)) for name, task in tasks.items()]


def measure_response(rate: float) -> list[Result]:
    """Largest error of the pass band and smallest suppression, in decibels, over tones of that rate."""
    seconds, smaller = 30.0, min(rate, 60) / 2

    def amplitude(frequency: float) -> float:
        times = 0.0037 + np.arange(int(seconds * rate)) / rate
        frames = np.arange(int(seconds * 60) - 1) / 60
        values = np.stack([np.cos(2 * np.pi * frequency * times), np.sin(2 * np.pi * frequency * times)], axis=1)
        result, _ = resample(times, values, 60, 0.0, len(frames), rate)
        inner = (frames > 10) & (frames < 20)
        turned = (result[:, 0] + 1j * result[:, 1]) * np.exp(-2j * np.pi * frequency * frames)
        return float(np.abs(turned[inner]).max() if frequency > smaller else np.abs(turned[inner]).mean())

    flat = [abs(20 * np.log10(amplitude(share * smaller))) for share in np.linspace(0.02, 0.8, 30)]
    results = [
        _result(f"{rate:g} Hz", "largest error up to 0.8 of the smaller Nyquist frequency, dB", np.array([max(flat)]))
    ]
    if rate > 60:
        stop = [-20 * np.log10(amplitude(one) + 1e-15) for one in np.linspace(30.1, rate / 2 - 0.1, 30)]
        results.append(_result(f"{rate:g} Hz", "smallest suppression above 30 Hz, dB", np.array([min(stop)])))
    return results


def _result(subset: str, metric: str, values: np.ndarray) -> Result:
    return Result(
        "processing", "synthetic signal", subset, "anymo-hf", metric, float(np.median(values)),
        float(np.min(values)), float(np.max(values)), "minimum and maximum over turns", command=COMMAND,
        commit=current_commit(), machine=machine_description(), date=date.today().isoformat(),
        note=f"median of {len(values)} turns, one thread",
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Measures, prints and records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--results", type=Path, default=DEFAULT_PATH)
    parser.add_argument("--dry-run", action="store_true", help="print only")
    options = parser.parse_args(arguments)
    print(f"{machine_description()}; load {os.getloadavg()[0]:.2f} before the start")
    warnings.simplefilter("ignore")  # sines are no motion, and the extractor says so
    results = measure_speed(options.minutes, 100.0, options.turns)
    for rate in (20.0, 50.0, 100.0, 200.0, 1000.0):
        results += measure_response(rate)
    for r in results:
        print(f"{r.subset:32} {r.metric:64} {r.value:10.4g}   {r.ci_low:.4g} to {r.ci_high:.4g}")
    if not options.dry_run:
        append_results(results, options.results)


if __name__ == "__main__":
    main()

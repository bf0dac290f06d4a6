# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Six sensors streamed for long: windows keep coming, memory stays flat, and one core is 50 times faster than time.

The slow test streams `ANYMO_STREAM_HOURS` (1) of readings and prints its figures.
"""

import gc
import os
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from anymo_hf.processing import AnyMoFeatureExtractor, StreamingFeatureExtractor
from anymo_hf.processing.polyphase_anymo import _filter_matrix


RATES = {
    "left wrist": 100.0, "right wrist": 100.0, "waist": 100.0, "chest": 97.3, "left thigh": 50.0, "right shin": 100.0,
}  # fmt: skip
LENGTH, OVERLAP, CHUNK = 5.0, 0.5, 1.0  # seconds, share, seconds
LARGEST_GROWTH = 200_000  # bytes; one window of features is 230 kB
LARGEST_GROWTH_OF_PROCESS = 8e6  # bytes; what the allocators of numpy and of the system keep in reserve


def make_chunk(second: int, rng: np.random.Generator) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What comes within a second: clocks that jitter and drift, readings that drop out, sensors that fall silent."""
    chunks = {}
    for index, (place, rate) in enumerate(RATES.items()):
        drifting = rate * (1 + 2e-4 * (index - 2))
        first, last = int(np.ceil(second * CHUNK * drifting)), int(np.ceil((second + 1) * CHUNK * drifting))
        times = (np.arange(first, last) + rng.uniform(-0.1, 0.1, last - first)) / drifting
        values = rng.normal(size=(len(times), 6)) + [0, 0, 9.8, 0, 0, 0]
        match (second + 7 * index) % 60:
            case 10:
                values[20:30] = np.nan
            case 20:
                values[:, 3:] = np.nan
            case 30:
                keep = np.r_[0:10, 60 : len(times)]
                times, values = times[keep[keep < len(times)]], values[keep[keep < len(times)]]
            case 40 | 41 | 42 | 43 | 44:
                continue
        chunks[place] = times, values
    return chunks


def stream(seconds: int, measure, every: int) -> tuple[int, float, list[float]]:
    """Windows, seconds of the processor, and what `measure` says of the memory after every so many seconds."""
    extractor, rng = AnyMoFeatureExtractor(), np.random.default_rng(0)
    streaming = StreamingFeatureExtractor(extractor, RATES, LENGTH, OVERLAP, start_time=0.0)
    num_windows, busy, memory = 0, 0.0, []
    for second in range(seconds):
        chunks = make_chunk(second, rng)
        began = time.process_time()
        windows = streaming.push(chunks)
        busy += time.process_time() - began
        num_windows += len(windows["start_times"])
        assert np.isfinite(windows["input_values"]).all() and windows["input_values_mask"].any(axis=(1, 2, 3)).all()
        del windows, chunks
        if (second + 1) % every == 0:
            gc.collect()
            memory.append(measure())
    return num_windows + len(streaming.flush()["start_times"]), busy, memory


def test_memory_of_a_stream_stays_flat():
    def measure() -> int:
        _filter_matrix.cache_clear()  # up to 512 filters are kept, which takes some minutes to come about
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        num_windows, _, memory = stream(240, measure, 60)
    finally:
        tracemalloc.stop()
    assert abs(num_windows - 240 / 2.5) <= 2
    # The first minute fills other caches.
    assert max(memory[1:]) - memory[0] < LARGEST_GROWTH, memory


def resident_bytes() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return float(pages * os.sysconf("SC_PAGE_SIZE"))


@pytest.mark.slow
def test_streaming_for_hours():
    hours = float(os.environ.get("ANYMO_STREAM_HOURS", "1"))
    seconds = max(600, int(3600 * hours))
    if not Path("/proc/self/statm").exists():
        pytest.skip("the memory of a process is read from /proc, under Linux only")
    num_windows, busy, memory = stream(seconds, resident_bytes, 60)
    growth = max(memory[5:]) - memory[4]
    print(
        f"{seconds} s of {len(RATES)} sensors: {num_windows} windows in {busy:.1f} s of one core, "
        f"{seconds / busy:.0f} times real time; memory {memory[4] / 1e6:.1f} MB after five minutes, at most "
        f"{growth / 1e6:+.2f} MB later"
    )
    assert abs(num_windows - seconds / 2.5) <= 2
    assert growth < LARGEST_GROWTH_OF_PROCESS, memory
    assert seconds / busy >= 50

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Every reader on damaged files: a result that holds, or a ValueError, and never a wait.

`pytest tests/endurance/test_fuzz_readers.py -m slow` fuzzes each reader for `ANYMO_FUZZ_SECONDS` (120).
"""

import contextlib
import os
import signal
import time
import warnings

import numpy as np
import pytest
from mutations import mutate
from sample_files import MOTION_FILES, RECORDING_FILES
from sample_sets import LABELLED_SETS


SAMPLES = {sample.name: sample for sample in (*MOTION_FILES, *RECORDING_FILES, *LABELLED_SETS)}
FEWEST_FILES = 15
LONGEST_READ = 60  # seconds for a file of some kilobytes; usual are milliseconds
# A name that went with a damaged neighbour, or that the damage itself put into a file.
DOCUMENTED = (ValueError, FileNotFoundError)


@contextlib.contextmanager
def no_longer_than(seconds: int):
    """Raises a TimeoutError in the main thread."""

    def stop(*_):
        raise TimeoutError(f"reading took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def fuzz(sample, folder, seconds: float, seed: int) -> dict[str, int]:
    """Reads damaged files for so long; gives how many were read and how many refused."""
    sample.write(folder)
    sample.read(folder)  # undamaged
    files = {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    # Of the processor's time, so that a busy machine reads as many files as an idle one.
    counts, began = {"read": 0, "refused": 0}, time.process_time()
    index = 0
    while index < FEWEST_FILES or time.process_time() - began < seconds:
        rng = np.random.default_rng([seed, index])
        victim = list(files)[int(rng.integers(len(files)))]
        victim.write_bytes(mutate(victim.name, files[victim], rng))
        try:
            with no_longer_than(LONGEST_READ), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                sample.read(folder)
            counts["read"] += 1
        except DOCUMENTED as error:
            assert str(error), f"{sample.name}, seed {seed}, file {index}: {victim} is refused without a word"
            counts["refused"] += 1
        except BaseException as error:
            error.add_note(f"{sample.name}, seed {seed}, file {index}: {victim}")
            raise
        victim.write_bytes(files[victim])
        index += 1
    return counts


@pytest.mark.parametrize("name", SAMPLES)
def test_damaged_files_are_read_or_refused(name, tmp_path):
    counts = fuzz(SAMPLES[name], tmp_path, 0.5, seed=0)
    assert counts["refused"]  # the damage is damage


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLES)
def test_damaged_files_for_long(name, tmp_path, record_property):
    counts = fuzz(SAMPLES[name], tmp_path, float(os.environ.get("ANYMO_FUZZ_SECONDS", "120")), seed=1)
    print(f"{name}: {counts['read']} files read, {counts['refused']} refused")
    assert counts["refused"] and counts["read"]

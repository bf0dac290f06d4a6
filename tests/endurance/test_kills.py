# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Killed at random moments and started again: conversion, training and a push end as they do without kills.

`ANYMO_KILLS` (20) says how often each is killed in the slow tests.
"""

import hashlib
import os
import random
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import jobs
import pytest
import torch
from hub_server import OWNER_TOKEN, HubServer
from safetensors.torch import load_file
from sample_files import swaying_motion

from anymo_hf import AnyMoFeatureExtractor, AnyMoGraphEncoder, AnyMoGraphEncoderConfig
from anymo_hf.checkpoints import find_last_checkpoint, train_to_the_end
from anymo_hf.simulation.conversion import convert_motions, save_kinematics
from anymo_hf.simulation.kinematics import SegmentKinematics
from anymo_hf.simulation.readers import save_motion


KILLS = int(os.environ.get("ANYMO_KILLS", "20"))
PATIENCE = 300  # seconds; a job takes one or two on an idle machine


def wait_until(condition, process=None) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition() and (process is None or process.is_alive()):
        assert time.monotonic() < deadline, "nothing happens any more"
        time.sleep(0.002)


def kill_often(num_kills: int, make_job, check, rng: random.Random) -> list[int]:
    """
    Starts a job, kills it, starts it again ... until it was killed so often; then lets it end.

    `make_job(round, began)` gives a function and its arguments. A job that ends between two kills is checked, and the
    next round begins anew. Gives the rounds that ended.
    """
    ended, killed, current, longest = [], 0, 0, 0.0
    while killed < num_kills or current not in ended:
        began = Path(os.environ["PYTEST_JOBS"]) / f"began-{current}-{time.monotonic_ns()}"
        job, *arguments = make_job(current, str(began))
        process = jobs.start(job, *arguments)
        wait_until(began.exists, process)
        start = time.monotonic()
        if killed < num_kills:
            process.join(rng.uniform(0, longest or 1.0))
        else:
            process.join(PATIENCE)
        if process.is_alive():
            process.kill()
            process.join()
            killed += 1
        else:
            assert process.exitcode == 0, f"round {current} ended with {process.exitcode} after {killed} kills"
            longest = max(longest, time.monotonic() - start)
            check(current)
            ended.append(current)
            current += killed < num_kills
    return ended


@pytest.fixture
def rng(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTEST_JOBS", str(tmp_path))
    return random.Random(0)


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


# Conversion ---------------------------------------------------------------------------------------------------------


def kill_conversion(tmp_path, rng, num_kills: int, num_proc: int) -> None:
    folder = tmp_path / "motions"
    folder.mkdir()
    for seed in range(10):
        save_motion(swaying_motion(seed, 1500), folder / f"motion{seed}.npz")
    convert_motions(folder, tmp_path / "whole")

    def check(round_number: int) -> None:
        assert digests(tmp_path / f"out{round_number}") == digests(tmp_path / "whole")

    def make_job(round_number: int, began: str):
        return jobs.convert, str(folder), str(tmp_path / f"out{round_number}"), num_proc, began

    kill_often(num_kills, make_job, check, rng)


def test_a_killed_conversion_ends_as_without_kills(tmp_path, rng):
    kill_conversion(tmp_path, rng, 3, 1)


@pytest.mark.slow
@pytest.mark.parametrize("num_proc", [1, 2])
def test_a_conversion_that_is_killed_often(tmp_path, rng, num_proc):
    kill_conversion(tmp_path, rng, KILLS, num_proc)


def test_workers_end_with_the_conversion_that_is_killed(tmp_path):
    folder = tmp_path / "motions"
    folder.mkdir()
    for seed in range(6):
        save_motion(swaying_motion(seed, 3000), folder / f"motion{seed}.npz")
    process = jobs.start(jobs.convert, str(folder), str(tmp_path / "out"), 2, str(tmp_path / "began"))
    wait_until(lambda: any((tmp_path / "out").glob("*.safetensors")), process)
    workers = children_of(process.pid)
    process.kill()
    process.join()
    assert workers
    wait_until(lambda: not any(is_running(worker) for worker in workers))


def children_of(pid: int) -> list[int]:
    """Processes below one, by what the system says of every process' parent."""
    if not Path("/proc/self/stat").exists():
        pytest.skip("processes are listed in /proc under Linux only")
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rsplit(")", 1)[1].split()
        except OSError:  # it has ended meanwhile
            continue
        found += [int(entry.parent.name)] * (int(fields[1]) == pid)
    return found


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


# Training -----------------------------------------------------------------------------------------------------------


def write_motion(folder: Path) -> Path:
    folder.mkdir()
    for seed in range(6):
        kinematics = SegmentKinematics.from_motion(swaying_motion(seed, 400))
        save_kinematics(kinematics, folder / f"{seed:016x}.safetensors")
    return folder


def kill_training(tmp_path, rng, num_kills: int, steps: int) -> None:
    data = write_motion(tmp_path / "data")
    process = jobs.start(jobs.pretrain, str(data), str(tmp_path / "whole"), steps, str(tmp_path / "began"))
    process.join(PATIENCE)
    assert process.exitcode == 0
    whole = load_file(tmp_path / "whole" / "graph_encoder" / "model.safetensors")

    def check(round_number: int) -> None:
        trained = load_file(tmp_path / f"run{round_number}" / "graph_encoder" / "model.safetensors")
        assert trained.keys() == whole.keys()
        for name, tensor in whole.items():
            assert torch.equal(trained[name], tensor), name

    def make_job(round_number: int, began: str):
        return jobs.pretrain, str(data), str(tmp_path / f"run{round_number}"), steps, began

    kill_often(num_kills, make_job, check, rng)


def test_a_killed_training_ends_as_without_kills(tmp_path, rng):
    kill_training(tmp_path, rng, 2, 3)


@pytest.mark.slow
def test_a_training_that_is_killed_often(tmp_path, rng):
    kill_training(tmp_path, rng, KILLS, 8)


def test_a_checkpoint_that_was_cut_short_is_passed_over(tmp_path):
    assert find_last_checkpoint(tmp_path / "nowhere") is None
    for step, content in ((2, '{"global_step": 2}'), (10, '{"global_step": 10}'), (11, '{"glob'), (12, None)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if content:
            (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text(content, encoding="utf-8")
    (tmp_path / "checkpoint-best").mkdir()
    assert find_last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-10")
    shutil.rmtree(tmp_path / "checkpoint-10")
    assert find_last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-2")


@pytest.mark.parametrize(("max_steps", "what"), [(4, "load"), (3, "load"), (5, "train"), (-1, "train")])
def test_a_training_that_is_over_takes_no_step_more(tmp_path, max_steps, what):
    checkpoint = tmp_path / "checkpoint-4"
    checkpoint.mkdir()
    (checkpoint / "trainer_state.json").write_text('{"global_step": 4}', encoding="utf-8")
    asked = []
    trainer = SimpleNamespace(
        args=SimpleNamespace(output_dir=str(tmp_path), max_steps=max_steps),
        train=lambda resume_from_checkpoint: asked.append(("train", resume_from_checkpoint)),
        _load_from_checkpoint=lambda path: asked.append(("load", path)),
    )
    train_to_the_end(trainer)
    assert asked == [(what, str(checkpoint))]


# Push ---------------------------------------------------------------------------------------------------------------


def kill_push(tmp_path, rng, num_kills: int) -> None:
    torch.manual_seed(0)
    checkpoint = tmp_path / "checkpoint" / "graph_encoder"
    AnyMoGraphEncoder(AnyMoGraphEncoderConfig.small()).save_pretrained(checkpoint)
    AnyMoFeatureExtractor().save_pretrained(checkpoint)
    (tmp_path / "temporary").mkdir()
    with HubServer() as server:

        def make_job(round_number: int, began: str):
            server.large_files.clear()
            arguments = (str(checkpoint.parent), f"org/round{round_number}", server.url, OWNER_TOKEN)
            return jobs.push, *arguments, str(tmp_path / "temporary"), began

        def check(round_number: int) -> None:
            expected = content(server, "org/whole")
            # All or nothing: what the branch showed before the last push was complete, or nothing at all.
            for files in server.repositories["models", f"org/round{round_number}"].commits.values():
                assert set(files) in ({".gitattributes"}, set(expected))
            assert content(server, f"org/round{round_number}") == expected

        process = jobs.start(
            jobs.push, str(checkpoint.parent), "org/whole", server.url, OWNER_TOKEN, str(tmp_path / "temporary"),
            str(tmp_path / "began"),
        )  # fmt: skip
        process.join(PATIENCE)
        assert process.exitcode == 0
        kill_often(num_kills, make_job, check, rng)


def content(server: HubServer, name: str) -> dict[str, bytes]:
    """A repository's files, the card without its own name."""
    files = dict(server.files(name))
    files["README.md"] = files["README.md"].replace(name.encode(), b"org/name")
    return files


def test_a_killed_push_ends_as_without_kills(tmp_path, rng):
    kill_push(tmp_path, rng, 2)


@pytest.mark.slow
def test_a_push_that_is_killed_often(tmp_path, rng):
    kill_push(tmp_path, rng, KILLS)

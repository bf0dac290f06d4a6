# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Two processes at once on one folder or cache: both end well, and with what one alone would have."""

import json
import os
import subprocess
import sys

import jobs
import pytest
from sample_files import swaying_motion
from test_kills import PATIENCE, digests

from anymo_hf import AnyMoFeatureExtractor, AnyMoGraphEncoder, AnyMoGraphEncoderConfig
from anymo_hf.hub import assemble
from anymo_hf.simulation.conversion import convert_motions, save_kinematics
from anymo_hf.simulation.kinematics import SegmentKinematics
from anymo_hf.simulation.readers import save_motion
from anymo_hf.whole_files import remove_unfinished


def run_both(job, *arguments_of_each) -> None:
    processes = [jobs.start(job, *arguments) for arguments in arguments_of_each]
    for process in processes:
        process.join(PATIENCE)
    assert [process.exitcode for process in processes] == [0] * len(processes)


@pytest.mark.parametrize("num_proc", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_two_conversions_into_one_folder(tmp_path, num_proc):
    folder = tmp_path / "motions"
    folder.mkdir()
    for seed in range(8):
        save_motion(swaying_motion(seed, 600), folder / f"motion{seed}.npz")
    convert_motions(folder, tmp_path / "alone")
    began = [tmp_path / "began0", tmp_path / "began1"]
    run_both(jobs.convert, *((str(folder), str(tmp_path / "out"), num_proc, str(path)) for path in began))
    # Each job writes what failed into its own file.
    assert [json.loads(path.read_text(encoding="utf-8")) for path in began] == [{}, {}]
    assert digests(tmp_path / "out") == digests(tmp_path / "alone")


def test_what_another_process_still_writes_is_left_to_it(tmp_path):
    names = {pid: tmp_path / f"x.safetensors.{pid}.unfinished" for pid in (os.getppid(), os.getpid(), 2**22 + 1)}
    for path in names.values():
        path.write_bytes(b"half")
    remove_unfinished(tmp_path)
    assert list(tmp_path.iterdir()) == [names[os.getppid()]]


def test_two_builders_on_one_cache(tmp_path):
    converted = tmp_path / "converted"
    converted.mkdir()
    for seed in range(4):
        kinematics = SegmentKinematics.from_motion(swaying_motion(seed, 900))
        save_kinematics(kinematics, converted / f"{seed:016x}.safetensors")
    results = [tmp_path / "first.json", tmp_path / "second.json", tmp_path / "alone.json"]
    run_both(jobs.build, *((str(converted), str(tmp_path / "cache"), str(result)) for result in results[:2]))
    run_both(jobs.build, (str(converted), str(tmp_path / "other"), str(results[2])))
    first, second, alone = (json.loads(result.read_text(encoding="utf-8")) for result in results)
    assert first == second == alone and len(first[0]) == 8
    assert not list((tmp_path / "cache").rglob("*.incomplete"))


LOAD = """
import sys
sys.modules["anymo_hf"] = None  # its code must come from the folder
from transformers import AutoModel
AutoModel.from_pretrained(sys.argv[1], subfolder="graph_encoder", trust_remote_code=True)
"""


@pytest.mark.slow
def test_two_processes_fetch_the_code_of_one_checkpoint(tmp_path):
    encoder = tmp_path / "checkpoint" / "graph_encoder"
    AnyMoGraphEncoder(AnyMoGraphEncoderConfig.small()).save_pretrained(encoder)
    AnyMoFeatureExtractor().save_pretrained(encoder)
    assemble(tmp_path / "checkpoint", tmp_path / "hub")
    environment = {**os.environ, "HF_MODULES_CACHE": str(tmp_path / "modules"), "HF_HUB_OFFLINE": "1"}
    environment.pop("PYTHONPATH", None)
    command = [sys.executable, "-c", LOAD, str(tmp_path / "hub")]
    options = {"cwd": tmp_path, "env": environment, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **options) for _ in range(2)]
    errors = [process.communicate(timeout=PATIENCE)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors

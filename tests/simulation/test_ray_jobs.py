# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Many recordings on a local Ray: workers that are killed lose no row and leave none twice."""

import hashlib
import os
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from anymo_hf.cli import main
from anymo_hf.evaluation import ray_evaluation
from anymo_hf.evaluation.embeddings import HarWindows
from anymo_hf.evaluation.zero_shot import classify_windows
from anymo_hf.simulation import ray_jobs
from anymo_hf.simulation.readers import save_motion
from anymo_hf.simulation.shards import write_shards
from anymo_hf.simulation.synthesis import demo_motion


# A worker needs seconds to import the package.
pytestmark = pytest.mark.slow
WATCH = {"placements": ("left wrist",), "errors": "watch"}


@pytest.fixture(scope="module")
def cluster():
    ray = pytest.importorskip("ray", reason='Ray is missing: pip install -e ".[ray]"')
    pytest.importorskip("ray.data")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100 * 2**20)
    yield ray
    ray.shutdown()


@pytest.fixture(scope="module")
def motions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("motions")
    for index in range(4):
        save_motion(demo_motion()[100 * index : 100 * index + 2401], folder / f"{index}.npz")
    return folder


def digests(folder: Path) -> dict[str, str]:
    """Of all that does not name the folder."""
    files = sorted(file for kind in ("data", "receipts", "converted") for file in (folder / kind).iterdir())
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.suffix != ".jsonl"}


def killing(function, marks: str, which: str, times: int):
    """The function, but the worker of one recording dies when it has done its work and before it can tell."""

    def call(source, *arguments):
        import os
        import signal
        from pathlib import Path

        result = function(source, *arguments)
        if arguments and source.endswith(which) and len(list(Path(marks).iterdir())) < times:
            (Path(marks) / str(os.getpid())).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return call


def run_with_deaths(marks: Path, which: str, times: int):
    marks.mkdir()

    def run(function, tasks, what):
        yield from ray_jobs.run_on_ray(killing(function, str(marks), which, times), tasks, what)

    return run


def test_a_killed_worker_loses_and_duplicates_no_row(cluster, motions, tmp_path):
    expected = write_shards(motions, str(tmp_path / "alone"), **WATCH)
    report = write_shards(motions, str(tmp_path / "ray"), run=run_with_deaths(tmp_path / "marks", "2.npz", 1), **WATCH)
    assert len(list((tmp_path / "marks").iterdir())) == 1  # one did die
    assert report.files == expected.files and not report.failures
    assert digests(tmp_path / "ray") == digests(tmp_path / "alone")
    tables = [pq.read_table(file) for file in (tmp_path / "ray" / "data").iterdir()]
    rows = [(row["recording_id"], row["start_time"]) for table in tables for row in table.to_pylist()]
    assert len(rows) == len(set(rows)) == 8


def test_a_recording_that_kills_every_worker_is_told_and_the_others_stay(cluster, motions, tmp_path):
    run = run_with_deaths(tmp_path / "marks", "1.npz", 100)
    report = write_shards(motions, str(tmp_path / "ray"), run=run, config_name="kinematics")
    assert [Path(path).name for path in report.files] == ["0.npz", "2.npz", "3.npz"]
    assert list(report.failures.values()) == [ray_jobs.LOST]
    assert len(list((tmp_path / "marks").iterdir())) == ray_jobs.MAX_ATTEMPTS


class Loudest:
    """Embeds a window by its largest force; stands in for a pipeline."""

    def embed_windows(self, features, placements):
        largest = np.abs(features["input_values"]).max(axis=(1, 2, 3, 4)).astype(int)
        return torch.eye(3)[largest % 3]

    def embed_labels(self, labels):
        return torch.eye(3)[: len(labels)]


def test_scores_of_shared_windows_are_those_of_one_process(cluster, monkeypatch):
    cluster.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not see the tests
    monkeypatch.setattr(ray_evaluation, "WINDOWS_PER_TASK", 4)
    rng, count = np.random.default_rng(0), 23
    labels = (rng.choice(["a", "b", "c"], count), rng.choice(["p", "q"], count), rng.choice(["1", "2", "3"], count))
    values = rng.uniform(0, 9, (count, 60, 1, 6)).astype(np.float32)
    windows = HarWindows(values, np.ones(values.shape, bool), ("right wrist",), ("R_Forearm",), *labels)
    parts = ray_evaluation.split_by_recording(windows)
    assert sorted(np.concatenate(parts).tolist()) == list(range(count)) and max(map(len, parts)) <= 4
    expected = classify_windows(Loudest(), windows, ("a", "b", "c"))
    found = ray_evaluation.classify_windows_on_ray(Loudest(), windows, ("a", "b", "c"))
    np.testing.assert_array_equal(found.first.confusion, expected.first.confusion)
    assert found.recall_at_2 == expected.recall_at_2


def test_the_command(cluster, motions, tmp_path, capsys):
    arguments = ["simulate", str(motions), str(tmp_path / "out"), "--placements", "left wrist", "--ray", "auto"]
    assert main(arguments) == 0
    assert "4 motions" in capsys.readouterr().out
    assert len(os.listdir(tmp_path / "out" / "data")) == 4
    assert main(arguments) == 0
    assert "4 stood there before" in capsys.readouterr().out

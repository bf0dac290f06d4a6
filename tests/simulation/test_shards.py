# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Data sets on storage that fsspec knows: the same rows everywhere, each once, whatever was done before."""

import io
from pathlib import Path

import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

from anymo_hf.simulation import shards
from anymo_hf.simulation.conversion import load_kinematics
from anymo_hf.simulation.dataset_folder import write_dataset
from anymo_hf.simulation.readers import save_motion
from anymo_hf.simulation.shards import put_whole, write_shards
from anymo_hf.simulation.synthesis import demo_motion


WATCH = {"placements": ("left wrist",), "errors": "watch"}


@pytest.fixture(scope="module")
def motions(tmp_path_factory):
    """Three recordings of two rows each, one of them twice, and a file that is none."""
    folder = tmp_path_factory.mktemp("motions")
    for index in range(3):
        save_motion(demo_motion()[100 * index : 100 * index + 2401], folder / f"{index}.npz")
    (folder / "copy.npz").write_bytes((folder / "1.npz").read_bytes())
    (folder / "broken.bvh").write_text("nothing", encoding="utf-8")
    return folder


@pytest.fixture
def memory():
    fs = fsspec.filesystem("memory")
    yield fs
    for place in ("/out", "/in"):
        if fs.exists(place):
            fs.rm(place, recursive=True)


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(shards, "SHARD_SECONDS", {"dense": 10, "kinematics": 60})


def contents(fs, place) -> dict[str, bytes]:
    return {file.split(place, 1)[1]: fs.cat_file(file) for file in fs.find(place)}


def rows_of(files: dict[str, bytes]) -> dict[str, bytes]:
    """Without the report and the card, which tell of the run."""
    return {name: data for name, data in files.items() if "report" not in name and "README" not in name}


def keys(files: dict[str, bytes]) -> list[tuple[str, float]]:
    tables = [pq.read_table(io.BytesIO(data)) for name, data in files.items() if name.endswith(".parquet")]
    return [(row["recording_id"], row["start_time"]) for table in tables for row in table.to_pylist()]


def test_all_storage_holds_the_rows_of_a_local_folder(motions, tmp_path, memory):
    write_dataset(motions, tmp_path / "expected", **WATCH)
    report = write_shards(motions, f"file://{tmp_path}/disk", **WATCH)
    write_shards([motions / name for name in ("2.npz", "1.npz", "0.npz")], "memory://out", **WATCH)
    assert len(report.files) == 3 and len(report.duplicates) == 1 and list(report.failures)[0].endswith("broken.bvh")
    expected, found = (
        load_dataset("parquet", data_files=str(tmp_path / name / "data" / "*.parquet"), split="train").sort(
            ["recording_id", "start_time"]
        )
        for name in ("expected", "disk")
    )
    assert found.features == expected.features and len(found) == 6
    for one, other in zip(expected.with_format("numpy"), found.with_format("numpy"), strict=True):
        np.testing.assert_array_equal(one["imu"], other["imu"])
        assert str(one["placements"]) == str(other["placements"]) and str(one["texts"]) == str(other["texts"])
    disk = contents(fsspec.filesystem("file"), f"{tmp_path}/disk")
    assert rows_of(disk) == rows_of(contents(memory, "/out"))
    assert "left wrist" in disk["/README.md"].decode() and "| anymo-hf synthesis | 3 |" in disk["/README.md"].decode()
    # What training reads.
    assert load_kinematics(tmp_path / "disk" / "converted" / next(iter(report.files.values()))).num_frames > 600


def test_what_is_there_stays_and_other_rows_go(motions, memory):
    report = write_shards(motions / "0.npz", "memory://out", **WATCH)
    before = contents(memory, "/out")
    report = write_shards([motions / "0.npz", motions / "1.npz"], "memory://out", **WATCH)
    assert report.num_skipped == 1 and len(report.files) == 2
    both = contents(memory, "/out")
    assert rows_of(before).items() <= both.items()
    # Other sensors: the rows of the old ones do not stay beside theirs.
    write_shards(motions / "1.npz", "memory://out", placements=("chest",), errors="watch")
    rows = keys(contents(memory, "/out"))
    assert len(rows) == len(set(rows)) == 2 and len({recording for recording, _ in rows}) == 1


def test_a_lost_file_is_written_again(motions, memory):
    write_shards(motions / "0.npz", "memory://out", **WATCH)
    whole = contents(memory, "/out")
    lost = sorted(name for name in whole if name.endswith(".parquet"))[1]
    memory.rm(f"/out{lost}")
    write_shards(motions / "0.npz", "memory://out", **WATCH)
    assert contents(memory, "/out").keys() == whole.keys() and contents(memory, "/out")[lost] == whole[lost]


def test_motions_come_from_elsewhere_with_what_lies_beside_them(motions, memory):
    for name in ("0.npz", "broken.bvh"):
        memory.pipe_file(f"/in/walks/{name}", (motions / name).read_bytes())
    report = write_shards("memory://in", "memory://out", config_name="kinematics")
    assert list(report.files) == ["memory:///in/walks/0.npz"] and list(report.failures) == [
        "memory:///in/walks/broken.bvh"
    ]
    assert len(keys(contents(memory, "/out"))) == 1
    with pytest.raises(ValueError, match="No motion file"):
        write_shards("memory://in/nowhere", "memory://out")
    with pytest.raises(ValueError, match="fsspec cannot open"):
        write_shards("nosuch://in", "memory://out")


def test_a_file_appears_when_it_is_whole(tmp_path, monkeypatch):
    fs, source = fsspec.filesystem("file"), tmp_path / "new"
    source.write_bytes(b"new")
    target = tmp_path / "folder" / "file"
    put_whole(fs, source, str(target))
    source.write_bytes(b"newer")

    def die(source, target):
        Path(target).write_bytes(b"ne")
        raise OSError("killed")

    monkeypatch.setattr(shards.shutil, "copyfile", die)
    with pytest.raises(OSError, match="killed"):
        put_whole(fs, source, str(target))
    assert target.read_bytes() == b"new" and len(list(target.parent.iterdir())) == 1

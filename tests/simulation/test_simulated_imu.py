# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The `datasets` builder: rows equal the simulation, for any number of processes, streamed or not."""

import numpy as np
import pytest
import torch

from anymo_hf.simulation import BodySurface, Placements, SegmentKinematics, SegmentMotion, TextSpan, simulate_imu
from anymo_hf.simulation.conversion import save_kinematics
from anymo_hf.simulation.dataset_folder import write_dataset
from anymo_hf.simulation.readers import save_motion
from anymo_hf.simulation.simulated_imu import SimulatedIMU


def swaying_motion(seed: int, seconds: float) -> SegmentMotion:
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * 60) + 1) / 60
    positions = np.sin(t[:, None, None] * rng.uniform(1, 6, (23, 3)))
    orientations = np.zeros((len(t), 23, 4))
    orientations[..., 0] = 1
    texts = (TextSpan(1.0, 11.0, "sway", "label"), TextSpan(0.0, seconds, "a person sways"))
    return SegmentMotion(positions, orientations, t, texts=texts, source={"dataset": "made", "name": f"m{seed}"})


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("converted")
    for seed, seconds in enumerate((4, 70, 12)):
        kinematics = SegmentKinematics.from_motion(swaying_motion(seed, seconds))
        save_kinematics(kinematics, folder / f"{seed:016d}.safetensors")
    return folder


def build(name, folder, tmp_path, num_proc=None, **config):
    builder = SimulatedIMU(name, data_dir=folder, cache_dir=str(tmp_path), **config)
    builder.download_and_prepare(num_proc=num_proc)
    return builder.as_dataset(split="train").with_format("numpy")


def test_kinematics_rows(converted, tmp_path):
    rows = build("kinematics", converted, tmp_path)
    assert rows["recording_id"][:].tolist() == ["0" * 16, "0" * 15 + "1", "0" * 15 + "1", "0" * 15 + "2"]
    assert [len(row) for row in rows["kinematics"]] == [241, 3600, 601, 721]
    expected = SegmentKinematics.from_motion(swaying_motion(1, 70))
    both = np.concatenate([rows[1]["kinematics"], rows[2]["kinematics"]])
    np.testing.assert_array_equal(both, expected.values.numpy())
    assert rows[2]["mask"].shape == (601, 23) and rows[2]["mask"].all()
    assert rows[2]["start_time"] == pytest.approx(60)
    texts = [[text["text"] for text in row["texts"]] for row in rows]
    assert texts == [["sway", "a person sways"]] * 2 + [["a person sways"]] + [["sway", "a person sways"]]


def test_dense_rows_are_the_simulation(converted, tmp_path):
    names = ("left wrist", "right trouser pocket")
    rows = build("dense", converted, tmp_path, placements=names)
    assert [row.shape for row in rows["imu"]] == [(241, 2, 6)] + [(600, 2, 6)] * 7 + [
        (1, 2, 6),
        (600, 2, 6),
        (121, 2, 6),
    ]
    kinematics = SegmentKinematics.from_motion(swaying_motion(0, 4))
    expected = simulate_imu(kinematics, Placements.from_names(names, BodySurface.default()))
    np.testing.assert_allclose(rows[0]["imu"], expected, atol=1e-4)
    placements = rows[0]["placements"]
    assert [p["name"] for p in placements] == list(names)
    assert [p["segment"] for p in placements] == ["L_Forearm", "R_UpperLeg"]


@pytest.mark.parametrize("config", [{}, {"num_placements": 30, "errors": "watch", "mounting": True, "seed": 3}])
def test_rows_do_not_depend_on_processes_or_streaming(converted, tmp_path, config):
    name = "dense" if config else "kinematics"
    column = "imu" if config else "kinematics"
    one = build(name, converted, tmp_path / "one", **config)
    two = build(name, converted, tmp_path / "two", num_proc=2, **config)
    builder = SimulatedIMU(name, data_dir=converted, cache_dir=str(tmp_path / "three"), **config)
    streamed = list(builder.as_streaming_dataset(split="train").with_format("numpy"))
    assert len(one) == len(two) == len(streamed)
    for a, b, c in zip(one, two, streamed, strict=True):
        assert a["recording_id"] == b["recording_id"] == c["recording_id"]
        np.testing.assert_array_equal(a[column], b[column])
        np.testing.assert_array_equal(a[column], c[column])


def test_recordings_differ_in_placements_and_errors(converted, tmp_path):
    rows = build("dense", converted, tmp_path, num_placements=30, errors="phone")
    first, other = rows[0]["placements"], rows[1]["placements"]
    assert [p["offset"].tolist() for p in first] != [p["offset"].tolist() for p in other]
    assert {p["segment"] for p in first} == {p["segment"] for p in other}  # all 23


def test_rows_of_a_recording_come_from_the_same_devices(converted, tmp_path):
    names = ("left wrist", "chest")
    exact = build("dense", converted, tmp_path, placements=names)
    worn = build("dense", converted, tmp_path, placements=names, errors="lab")
    bias = [(b["imu"] - a["imu"]).mean(0) for a, b in zip(exact, worn, strict=True)]
    # Rows 1 to 7 hold 10 s each of one recording, the last ones another's; noise leaves 2e-4 of their means.
    assert np.abs(bias[1] - bias[6]).max() < 1e-3
    assert np.abs(bias[1] - bias[9]).max() > 3e-3
    noise = [(b["imu"] - a["imu"])[:500, 0, 0] for a, b in zip(exact, worn, strict=True)]
    assert abs(np.corrcoef(noise[1], noise[2])[0, 1]) < 0.2


def test_a_changed_folder_gives_new_rows(converted, tmp_path):
    folder = tmp_path / "copy"
    folder.mkdir()
    for file in sorted(converted.iterdir())[:2]:
        (folder / file.name).write_bytes(file.read_bytes())
    assert len(build("kinematics", folder, tmp_path / "cache")) == 3
    last = sorted(converted.iterdir())[2]
    (folder / last.name).write_bytes(last.read_bytes())
    assert len(build("kinematics", folder, tmp_path / "cache")) == 4


def test_bad_settings(converted, tmp_path):
    with pytest.raises(ValueError, match="holds no converted motion"):
        SimulatedIMU(data_dir=tmp_path)
    with pytest.raises(ValueError, match="did you mean 'left wrist'"):
        SimulatedIMU("dense", data_dir=converted, placements=["left wrst"])
    with pytest.raises(ValueError, match="no preset"):
        SimulatedIMU("dense", data_dir=converted, errors="clock")


def test_a_data_set_folder_loads_with_plain_datasets(tmp_path):
    import datasets

    motions = tmp_path / "motions"
    motions.mkdir()
    for seed, seconds in enumerate((4, 12)):
        save_motion(swaying_motion(seed, seconds), motions / f"m{seed}.npz")
    out = tmp_path / "out"
    report = write_dataset(motions, out, placements=("left wrist",), errors="watch")
    assert len(report.files) == 2
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "converted", "data"]
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "| made | 2 | not stated |" in card and "3 rows" in card and "`watch`" in card
    rows = datasets.load_dataset(str(out), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(rows) == 3 and np.array(rows[0]["imu"]).shape[1:] == (1, 6)
    streamed = next(iter(datasets.load_dataset(str(out), split="train", streaming=True)))
    assert torch.tensor(streamed["imu"]).nan_to_num().abs().max() > 5
    # With fewer motions the same folder holds fewer rows, though converted files of before remain.
    report = write_dataset([motions / "m0.npz"], out, placements=("left wrist",), errors="watch")
    assert report.num_skipped == 1
    assert len(list((out / "converted").glob("*.safetensors"))) == 2
    rows = datasets.load_dataset(str(out), split="train", cache_dir=str(tmp_path / "other"))
    assert len(rows) == 1

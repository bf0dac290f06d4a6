# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Converting folders of motion: nothing lost, nothing half-written, the same for any number of processes."""

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from anymo_hf.simulation import conversion
from anymo_hf.simulation.conversion import convert_motions, load_kinematics, read_header, save_kinematics
from anymo_hf.simulation.kinematics import SegmentKinematics
from anymo_hf.simulation.motion import SegmentMotion, TextSpan
from anymo_hf.simulation.readers import save_motion


def swaying_motion(seed: int, num_frames: int = 240) -> SegmentMotion:
    rng = np.random.default_rng(seed)
    t = np.arange(num_frames) / 120
    positions = np.sin(t[:, None, None] * rng.uniform(1, 6, (23, 3)))
    orientations = np.zeros((num_frames, 23, 4))
    orientations[..., 0] = 1
    texts = (TextSpan(0.5, 1.5, f"motion {seed}", "label"),)
    source = {"dataset": "made", "subject": str(seed), "license": "CC0-1.0"}
    return SegmentMotion(positions, orientations, t, texts=texts, source=source)


@pytest.fixture
def motions(tmp_path) -> Path:
    folder = tmp_path / "motions"
    (folder / "deeper").mkdir(parents=True)
    for seed in range(5):
        save_motion(swaying_motion(seed), folder / ("deeper" if seed % 2 else ".") / f"motion{seed}.npz")
    return folder


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_everything_is_carried_along(motions, tmp_path):
    report = convert_motions(motions, tmp_path / "out")
    assert len(report.files) == 5 and not report.failures and report.num_skipped == 0
    assert report.minutes == pytest.approx(5 * 120 / 60 / 60, rel=0.01)
    path = motions / "motion2.npz"
    name = report.files[str(path)]
    assert name == hashlib.sha256(path.read_bytes()).hexdigest()[:16] + ".safetensors"
    kinematics = load_kinematics(tmp_path / "out" / name)
    expected = SegmentKinematics.from_motion(swaying_motion(2))
    torch.testing.assert_close(kinematics.values, expected.values)
    assert kinematics.texts == expected.texts
    assert kinematics.source["subject"] == "2" and kinematics.source["license"] == "CC0-1.0"
    assert kinematics.sampling_rate == 60 and kinematics.start_time == 0


def test_a_second_run_skips_and_a_changed_setting_does_not(motions, tmp_path):
    convert_motions(motions, tmp_path / "out")
    before = digests(tmp_path / "out")
    assert convert_motions(motions, tmp_path / "out").num_skipped == 5
    assert digests(tmp_path / "out") == before
    changed = convert_motions(motions, tmp_path / "out", cutoff=10.0)
    assert changed.num_skipped == 0 and digests(tmp_path / "out") != before


def test_a_new_version_of_the_simulation_converts_again(motions, tmp_path, monkeypatch):
    convert_motions(motions, tmp_path / "out")
    monkeypatch.setattr(conversion, "SIMULATION_VERSION", "999.0.0")
    assert convert_motions(motions, tmp_path / "out").num_skipped == 0


def test_the_result_does_not_depend_on_the_processes(motions, tmp_path):
    convert_motions(motions, tmp_path / "one")
    convert_motions(motions, tmp_path / "two", num_proc=2)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_bad_files_are_listed_and_the_rest_goes_on(motions, tmp_path):
    (motions / "broken.bvh").write_text("HIERARCHY\nROOT Hips\n{\n", encoding="utf-8")
    (motions / "empty.npz").write_bytes(b"")
    (motions / "motion0_again.npz").write_bytes((motions / "motion0.npz").read_bytes())
    report = convert_motions(motions, tmp_path / "out")
    assert {Path(path).name for path in report.failures} == {"broken.bvh", "empty.npz"}
    assert all(len(reason) > 10 for reason in report.failures.values())
    assert {Path(path).name for path in report.duplicates} == {"motion0_again.npz"}
    assert len(report.files) == 5
    rows = [json.loads(line) for line in (tmp_path / "out" / "report.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 8 and sum("error" in row for row in rows) == 2
    assert "2 failed" in str(report) and "broken.bvh" in str(report)


def test_files_that_are_no_motions_are_left_alone(motions, tmp_path):
    import struct

    folder = motions / "recording" / "body"
    folder.mkdir(parents=True)
    np.savez(motions / "SMPL_NEUTRAL.npz", v_template=np.zeros((5, 3)), shapedirs=np.zeros((5, 3, 10)))
    np.savez(motions / "shape.npz", betas=np.zeros(16), gender="female")
    text = b'{"asset": {"version": "2.0"}}   '
    mesh = struct.pack("<4sIIII4s", b"glTF", 2, 20 + len(text), len(text), 0, b"")[:16] + b"JSON" + text
    (motions / "chair.glb").write_bytes(mesh)
    save_motion(swaying_motion(9), folder / "xdata.npz")
    np.savez(folder / "xdata_smpl_neutral.npz", body_pose=np.zeros((2, 69)))
    (folder / "xdata.mvnx").write_text("<mvnx/>")
    report = convert_motions(motions, tmp_path / "out")
    reasons = {Path(path).name: why for path, why in report.set_aside.items()}
    assert reasons == {
        "SMPL_NEUTRAL.npz": "a body model, not a motion",
        "shape.npz": "a body shape, not a motion",
        "chair.glb": "a mesh without motion",
        "xdata_smpl_neutral.npz": "the same motion as xdata.npz beside it",
        "xdata.mvnx": "the same motion as xdata.npz beside it",
    }
    assert not report.failures and len(report.files) == 6
    assert "left alone" in str(report) and "a body model" in str(report)
    assert (tmp_path / "out" / "report.jsonl").read_text().count("left_alone") == 5
    # Whoever names such a file is told what is wrong with it.
    named = convert_motions([motions / "SMPL_NEUTRAL.npz"], tmp_path / "other")
    assert list(named.failures) == [str(motions / "SMPL_NEUTRAL.npz")]
    only = tmp_path / "only"
    only.mkdir()
    np.savez(only / "model.npz", v_template=np.zeros((5, 3)))
    with pytest.raises(ValueError, match="model.npz is a body model"):
        convert_motions(only, tmp_path / "third")


def test_a_cut_file_is_not_taken_for_whole(motions, tmp_path):
    report = convert_motions(motions, tmp_path / "out")
    before = digests(tmp_path / "out")
    victim = tmp_path / "out" / next(iter(report.files.values()))
    victim.write_bytes(victim.read_bytes()[:-1000])
    (tmp_path / "out" / "x.safetensors.4194305.unfinished").write_bytes(b"half")
    assert convert_motions(motions, tmp_path / "out").num_skipped == 4
    assert digests(tmp_path / "out") == before
    victim.write_bytes(b"no safetensors at all")
    with pytest.raises(ValueError, match="is not a converted motion"):
        read_header(victim)


def test_a_full_disk_ends_the_run_and_leaves_nothing_half_written(motions, tmp_path, monkeypatch):
    write = Path.write_bytes
    calls = []

    def full_after_two(self, data):
        calls.append(self)
        if len(calls) > 2:
            write(self, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", full_after_two)
    with pytest.raises(OSError, match="No space left on device.*2 of 5 motions are converted and stay"):
        convert_motions(motions, tmp_path / "out")
    monkeypatch.undo()
    assert len(list((tmp_path / "out").iterdir())) == 2
    assert convert_motions(motions, tmp_path / "out").num_skipped == 2


def test_an_unwritable_folder(motions, tmp_path):
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    with pytest.raises(OSError, match="Cannot write to the folder"):
        convert_motions(motions, tmp_path / "file" / "out")


def test_nothing_to_convert(tmp_path):
    with pytest.raises(ValueError, match="no file or folder"):
        convert_motions(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(ValueError, match=r"No motion file \(.*\.bvh"):
        convert_motions(tmp_path, tmp_path / "out")


def test_a_killed_run_goes_on(tmp_path):
    folder = tmp_path / "motions"
    folder.mkdir()
    for seed in range(12):
        save_motion(swaying_motion(seed, 12000), folder / f"motion{seed}.npz")
    convert_motions(folder, tmp_path / "whole")
    script = (
        "from anymo_hf.simulation.conversion import convert_motions; "
        f"convert_motions({str(folder)!r}, {str(tmp_path / 'out')!r})"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    out, deadline = tmp_path / "out", time.monotonic() + 60
    while len(list(out.glob("*.safetensors"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 3 <= len(list(out.glob("*.safetensors"))) < 12
    report = convert_motions(folder, out)
    assert report.num_skipped >= 3
    assert digests(out) == digests(tmp_path / "whole")


def test_a_task_that_kills_its_process_harms_no_other():
    results = dict(conversion.run_all(_exit_if_three, [(number,) for number in range(5)], 2, "Testing"))
    assert results.pop((3,)).startswith("its process was killed")
    assert results == {(number,): 2 * number for number in (0, 1, 2, 4)}


def test_who_stops_asking_does_not_wait_for_the_rest():
    began = time.monotonic()
    results = conversion.run_all(_sleep, [(1.0,)] * 240, 2, "Testing")
    next(results)
    results.close()
    assert time.monotonic() - began < 60  # all of them would take two minutes


def _sleep(seconds: float) -> None:
    time.sleep(seconds)


def _exit_if_three(number: int) -> int:
    if number == 3:
        os._exit(9)
    return 2 * number


def test_a_saved_file_holds_its_offsets(tmp_path):
    kinematics = SegmentKinematics.from_motion(swaying_motion(0))
    kinematics.bone_offsets = np.arange(69.0).reshape(23, 3)
    save_kinematics(kinematics, tmp_path / "x.safetensors")
    loaded = load_kinematics(tmp_path / "x.safetensors")
    np.testing.assert_array_equal(loaded.bone_offsets, kinematics.bone_offsets)
    assert loaded.mask.dtype == torch.bool

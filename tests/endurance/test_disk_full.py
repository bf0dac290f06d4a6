# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""A disk that is full: the error says so, what was there stays whole, and nothing half-written lies beside it."""

import contextlib
import subprocess
import sys
from pathlib import Path

import jobs
import pytest
from sample_files import swaying_motion

from anymo_hf import AnyMoFeatureExtractor, AnyMoGraphEncoder, AnyMoGraphEncoderConfig
from anymo_hf.hub import push
from anymo_hf.simulation.conversion import convert_motions, load_kinematics, save_kinematics
from anymo_hf.simulation.dataset_folder import write_dataset
from anymo_hf.simulation.kinematics import SegmentKinematics
from anymo_hf.simulation.readers import load_motion, save_motion
from anymo_hf.simulation.report import write_report


FULL = ("No space left", "File too large")
LIMIT = 40_000  # bytes; every product below is larger


# What people write --------------------------------------------------------------------------------------------------


def save_one_motion(source: str, out: str) -> None:
    save_motion(load_motion(Path(source) / "motion1.npz"), Path(out) / "motion.npz")


def save_one_conversion(source: str, out: str) -> None:
    motion = load_motion(Path(source) / "motion1.npz")
    save_kinematics(SegmentKinematics.from_motion(motion), Path(out) / "motion.safetensors")


def convert(source: str, out: str) -> None:
    report = convert_motions(Path(source), Path(out))
    if report.failures:
        raise OSError(next(iter(report.failures.values())))


def simulate(source: str, out: str) -> None:
    write_dataset(Path(source) / "motion1.npz", Path(out), placements=("left wrist", "right shoe"))


def show(source: str, out: str) -> None:
    write_report(load_motion(Path(source) / "motion1.npz"), Path(out) / "page.html", motion_code="motion = ...")


def assemble_for_the_hub(source: str, out: str) -> None:
    import tempfile

    tempfile.tempdir = out
    push(Path(source) / "encoder", "org/name", dry_run=True)


PRODUCTS = {
    job.__name__: job for job in (save_one_motion, save_one_conversion, convert, simulate, show, assemble_for_the_hub)
}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    for seed in (1, 2):
        save_motion(swaying_motion(seed, 600), folder / f"motion{seed}.npz")
    AnyMoGraphEncoder(AnyMoGraphEncoderConfig.small()).save_pretrained(folder / "encoder" / "graph_encoder")
    AnyMoFeatureExtractor().save_pretrained(folder / "encoder" / "graph_encoder")
    return folder


def check_nothing_half_written(out: Path) -> None:
    """Every file that bears its name is whole, and no other is left."""
    for path in out.rglob("*"):
        assert not path.name.endswith((".unfinished", ".tmp", ".incomplete")), path
        if path.suffix == ".safetensors":
            load_kinematics(path)
        elif path.suffix == ".npz":
            load_motion(path)
        elif path.suffix == ".html":
            assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert not list(out.rglob("*.parquet"))


@pytest.mark.parametrize("name", PRODUCTS)
def test_files_that_cannot_grow(name, source, tmp_path):
    """The system refuses bytes beyond a limit, as it does when a disk or a quota is full."""
    out, answer = tmp_path / "out", tmp_path / "answer"
    out.mkdir()
    process = jobs.start(jobs.starve, PRODUCTS[name], (str(source), str(out)), LIMIT, str(answer))
    process.join(300)
    assert process.exitcode == 0
    told = answer.read_text()
    assert told.startswith(("OSError", "ValueError")) and any(words in told for words in FULL), told
    check_nothing_half_written(out)


@contextlib.contextmanager
def small_disk(folder: Path, size: int):
    """A disk of so many bytes; skips where the system does not let one be mounted."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if sys.platform != "linux" or subprocess.run(["mount", *options], capture_output=True).returncode:
        pytest.skip("mounting a small disk needs Linux and its administrator")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_disk_that_is_full(name, source, tmp_path):
    with small_disk(tmp_path / "disk", 2**16) as disk:
        out, answer = disk / "out", tmp_path / "answer"
        out.mkdir()
        process = jobs.start(jobs.starve, PRODUCTS[name], (str(source), str(out)), None, str(answer))
        process.join(300)
        assert process.exitcode == 0
        told = answer.read_text()
        assert told.startswith(("OSError", "ValueError")) and any(words in told for words in FULL), told
        check_nothing_half_written(out)


def test_a_conversion_goes_on_when_there_is_room_again(source, tmp_path):
    with small_disk(tmp_path / "disk", 800_000) as disk:
        out = disk / "out"
        with pytest.raises(OSError, match="No space left.*1 of 2 motions are converted and stay, run again to go on"):
            convert_motions(source, out)
        check_nothing_half_written(out)
        subprocess.run(["mount", "-o", "remount,size=8000000", str(disk)], check=True)
        assert convert_motions(source, out).num_skipped == 1

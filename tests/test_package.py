# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The package as a whole: what importing it costs, what it exports, what its pages say."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import anymo_hf
from anymo_hf.simulation import conversion
from anymo_hf.simulation.synthesis import demo_motion


ROOT = Path(__file__).parents[1]


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_importing_the_package_brings_no_heavy_modules():
    heavy = ("datasets", "trimesh", "torch_geometric", "matplotlib", "pandas", "scipy.signal", "scipy.interpolate")
    loaded = run("import sys, anymo_hf; print(*sys.modules)").split()
    before = run("import sys; from transformers import PreTrainedModel; print(*sys.modules)").split()
    assert not [name for name in heavy if name in loaded and name not in before]


@pytest.mark.slow  # a measurement of time: not beside other tests
def test_importing_the_package_is_quick():
    code = (
        "import time; from transformers import PreTrainedModel; start = time.perf_counter(); import anymo_hf; "
        "print(time.perf_counter() - start)"
    )
    assert min(float(run(code)) for _ in range(3)) < 0.3


def test_everything_exported_exists():
    for name in anymo_hf.__all__:
        assert getattr(anymo_hf, name) is not None


def test_the_auto_classes_know_ours(tmp_path):
    from transformers import AutoConfig, AutoFeatureExtractor

    anymo_hf.AnyMoFeatureExtractor().save_pretrained(tmp_path)
    anymo_hf.AnyMoGraphEncoderConfig.small().save_pretrained(tmp_path)
    assert isinstance(AutoConfig.from_pretrained(tmp_path), anymo_hf.AnyMoGraphEncoderConfig)
    assert isinstance(AutoFeatureExtractor.from_pretrained(tmp_path), anymo_hf.AnyMoFeatureExtractor)


@pytest.fixture
def watch_csv(tmp_path):
    """What an app writes on the wrist: a real recording where the data lies at hand, else a simulated one."""
    if "ANYMO_DATA" in os.environ:
        table = pd.read_parquet(Path(os.environ["ANYMO_DATA"]) / "har" / "wisdm2019.parquet")
        placed = table[table["placement"] == "wrist of the dominant hand"]
        table = placed[placed["recording"] == placed["recording"].iloc[0]]
        table = table[["t", "acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z"]]
    else:
        kinematics = anymo_hf.SegmentKinematics.from_motion(demo_motion())
        readings = anymo_hf.simulate_imu(kinematics, anymo_hf.Placements.from_names(["left wrist"]))[:, 0].numpy()
        table = pd.DataFrame(readings, columns=["acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z"])
        table.insert(0, "t", kinematics.timestamps)
    table.to_csv(tmp_path / "watch.csv", index=False)


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES = [str(page.relative_to(ROOT)) for page in PAGES if "```python\n" in page.read_text(encoding="utf-8")]


@pytest.mark.parametrize("page", PAGES)
def test_code_blocks_run(page, tmp_path, monkeypatch, watch_csv):
    (tmp_path / "anymo").symlink_to(ROOT / "anymo")  # a page's paths are those of the repository
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    assert blocks
    names = {"__name__": "page"}  # a page is read from top to bottom
    for block in blocks:
        exec(compile(block, page, "exec"), names)


# What decides the numbers in a data set. If this test fails, ask whether the same motion file still gives the same
# numbers: if not, raise SIMULATION_VERSION; then put the new digest here.
SIMULATION_SOURCES = (
    *("kinematics.py", "motion.py", "segments.py", "rotations.py", "readers/*.py"),
    *("imu.py", "errors.py", "soft_tissue.py", "oscillator.py", "placements.py"),
    *("body.py", "body_geometry.py", "body_default.npz"),
)
DIGEST_OF_VERSION = {"1.1.0": "47f12d3019512870"}


def test_the_version_of_the_simulation_follows_its_sources():
    folder = ROOT / "src" / "anymo_hf" / "simulation"
    files = sorted(file for pattern in SIMULATION_SOURCES for file in folder.glob(pattern))
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    assert DIGEST_OF_VERSION[conversion.SIMULATION_VERSION] == digest


def test_no_file_is_too_long():
    files = [*ROOT.glob("src/**/*.py"), *ROOT.glob("tests/**/*.py"), *ROOT.glob("benchmarks/*.py")]
    lengths = {
        file.name: len(file.read_text(encoding="utf-8").splitlines()) for file in files if "_vendor" not in str(file)
    }
    assert {name: length for name, length in lengths.items() if length > 500} == {}

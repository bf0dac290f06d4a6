# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Checks what a user gets from pip: a wheel whose bytes anybody can reproduce, that runs away from this repository with
the lowest and the newest allowed versions of what it needs, and no dependency with a known vulnerability.

    python tools/check_supply_chain.py                     # all steps; the last line says which failed
    python tools/check_supply_chain.py wheel newest        # some
    python tools/check_supply_chain.py --torch "torch==2.13.0"

Environments are made in a temporary folder and need some gigabytes there. torch is installed in the one version that
`--torch` names, as by `make demo`; its own lower bound is not tested. A lower bound that the package index does not
have is left out and named.
"""

import argparse
import configparser
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path


ROOT = Path(__file__).resolve().parents[1]
NOT_AUDITED = ("anymo-hf", "torch")  # this package, and a build that the public index does not have
EPOCH = "1767225600"  # 2026-01-01, what the files of the wheel are dated
# Runs in an empty folder, so that nothing but the installed package can be imported.
SMOKE = """
import sys
import numpy as np, torch
import anymo_hf
assert "site-packages" in anymo_hf.__file__, anymo_hf.__file__
from anymo_hf import AnyMoFeatureExtractor, AnyMoGraphEncoder, AnyMoGraphEncoderConfig
from anymo_hf.simulation.simulated_imu import SimulatedIMU
from anymo_hf.training import PairedViewDataset
watch = np.tile([0.0, 0.0, 9.8, 0.0, 0.0, 0.0], (300, 1)) + np.random.default_rng(0).normal(size=(300, 6))
features = AnyMoFeatureExtractor()({"left wrist": watch}, sampling_rate=100, return_tensors="pt")
model = AnyMoGraphEncoder(AnyMoGraphEncoderConfig.small()).eval()
model.save_pretrained("encoder")
again = anymo_hf.AnyMoGraphEncoder.from_pretrained("encoder").eval()
with torch.no_grad():
    torch.testing.assert_close(again(**features).pooled_latents, model(**features).pooled_latents)
assert PairedViewDataset("data/converted")[0]["input_values"].isfinite().all()
import datasets
assert len(datasets.load_dataset("data", split="train", cache_dir="cache"))
"""


def main() -> int:
    steps = {"wheel": check_wheel, "newest": check_newest, "lowest": check_lowest, "audit": audit}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steps", nargs="*", metavar="STEP", help=", ".join(steps))
    parser.add_argument("--torch", default="torch==2.13.0", help="what pip gets to install torch by")
    args = parser.parse_args()
    if unknown := set(args.steps) - set(steps):
        parser.error(f"there are no steps {sorted(unknown)}; there are {list(steps)}")
    failed = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        wheel = build_wheel(folder / "built")
        for name in args.steps or steps:
            print(f"== {name}", flush=True)
            try:
                steps[name](folder, wheel, args.torch)
            except (subprocess.CalledProcessError, AssertionError) as error:
                print(f"{name} failed: {error}")
                failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "everything holds")
    return 1 if failed else 0


# The wheel ----------------------------------------------------------------------------------------------------------


def copy_sources(folder: Path) -> Path:
    """The files that version control knows, as they are now, at another place and of another date."""
    for name in _git_files("."):
        if (ROOT / name).is_file() and not name.startswith(("anymo/", "docs/", "tests/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


def build_wheel(folder: Path) -> Path:
    """Builds in a copy of the sources; gives the wheel."""
    environment = os.environ | {"SOURCE_DATE_EPOCH": EPOCH}
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder / "wheels")]
    subprocess.run([*command, str(copy_sources(folder / "sources"))], check=True, env=environment)
    (wheel,) = (folder / "wheels").glob("*.whl")
    return wheel


def check_wheel(folder: Path, wheel: Path, torch: str) -> None:
    """A second build gives the same bytes, and they hold the package and nothing else."""
    again = build_wheel(folder / "at another place")
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (wheel, again)]
    print(f"{wheel.name}, {wheel.stat().st_size} bytes, sha256 {digests[0]}")
    assert digests[0] == digests[1], "two builds of the same sources differ"
    names = zipfile.ZipFile(wheel).namelist()
    strange = [name for name in names if not name.startswith(("anymo_hf/", "anymo_hf-"))]
    assert not strange, f"the wheel holds {strange}"
    modules = [str(path.relative_to(ROOT / "src")) for path in (ROOT / "src/anymo_hf").rglob("*.py")]
    tracked = {name.removeprefix("src/") for name in _git_files("src/anymo_hf")}
    missing = sorted(set(modules) & tracked - set(names))
    assert not missing, f"the wheel lacks {missing}"
    assert "anymo_hf/simulation/body_default.npz" in names and "anymo_hf/py.typed" in names


def _git_files(below: str) -> list[str]:
    """What version control knows below a folder."""
    command = ["git", "ls-files", "-z", below]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [name for name in listed.split("\0") if name]


# Installing ---------------------------------------------------------------------------------------------------------


def check_newest(folder: Path, wheel: Path, torch: str) -> None:
    """Installed as anybody would, it runs."""
    python = make_environment(folder / "newest")
    pip(python, "install", torch)
    pip(python, "install", f"{wheel}[demo]", "--constraint", str(write_constraints(folder, [torch])))
    run_smoke(python, folder / "newest run")


def check_lowest(folder: Path, wheel: Path, torch: str) -> None:
    """The lower bounds of setup.cfg are true."""
    python = make_environment(folder / "lowest")
    wanted, absent = [torch], []
    for name, bound in lower_bounds().items():
        pinned = f"{name}=={bound}.*"
        (wanted if is_available(python, pinned) else absent).append(pinned)
    print(f"not on the package index, so not tested: {', '.join(absent) or 'none'}; {torch} in place of its own bound")
    pip(python, "install", torch)
    pip(python, "install", f"{wheel}[demo]", "--constraint", str(write_constraints(folder, wanted)))
    run_smoke(python, folder / "lowest run")


def lower_bounds() -> dict[str, str]:
    """Name and lowest allowed version of everything that is needed, but for torch."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    needs = setup["options"]["install_requires"].split() + setup["options.extras_require"]["demo"].split()
    found = (re.fullmatch(r"([\w.-]+)>=([\d.]+).*", need) for need in needs)
    return {one[1]: one[2] for one in found if one and one[1] != "torch"}


def write_constraints(folder: Path, lines: list[str]) -> Path:
    path = folder / "constraints.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def make_environment(folder: Path) -> Path:
    """A fresh virtual environment; gives its Python."""
    venv.create(folder, with_pip=True)
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python"


def pip(python: Path, *arguments: str) -> None:
    subprocess.run([str(python), "-m", "pip", *arguments, "--quiet"], check=True)


def is_available(python: Path, requirement: str) -> bool:
    command = [str(python), "-m", "pip", "install", "--dry-run", "--no-deps", "--quiet", requirement]
    return subprocess.run(command, capture_output=True).returncode == 0


def run_smoke(python: Path, folder: Path) -> None:
    """The command line and the main classes, in an empty folder."""
    folder.mkdir()
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "hf")}
    command = python.with_name("anymo")
    tasks: list[tuple[str, list[str]]] = [
        ("version", [str(command), "--version"]),
        ("page", [str(command), "demo", "--out", "page.html"]),
        ("motion", [str(python), "-c", _SAVE_MOTION]),
        ("data set", [str(command), "simulate", "walk.npz", "data", "--placements", "left wrist, right shoe"]),
        ("classes", [str(python), "-c", SMOKE]),
    ]
    for name, arguments in tasks:
        result = subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True)
        if result.returncode:
            raise AssertionError(f"{name}: {result.stderr[-2000:]}")
        print(f"  {name}: well")
    versions = subprocess.run([str(python), "-m", "pip", "freeze"], capture_output=True, text=True, check=True).stdout
    names = {*lower_bounds(), "torch"}
    print("  with " + ", ".join(line for line in versions.split() if line.split("==")[0].lower() in names))


_SAVE_MOTION = """
from anymo_hf.simulation.readers import save_motion
from anymo_hf.simulation.synthesis import demo_motion
save_motion(demo_motion()[:600], "walk.npz")
"""


# Known vulnerabilities ----------------------------------------------------------------------------------------------


def audit(folder: Path, wheel: Path, torch: str) -> None:
    """What `pip-audit` knows of everything that comes with the package."""
    python = folder / "newest" / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        python = make_environment(folder / "newest")
        pip(python, "install", torch)
        pip(python, "install", f"{wheel}[demo]", "--constraint", str(write_constraints(folder, [torch])))
    auditor = make_environment(folder / "auditor")
    pip(auditor, "install", "pip-audit")
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.run([str(python), "-c", where], capture_output=True, text=True, check=True).stdout.strip()
    command = [str(auditor), "-m", "pip_audit", "--path", packages, "--progress-spinner", "off", "--format", "json"]
    report = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    found = json.loads(report.stdout)["dependencies"]
    unknown = [one["name"] for one in found if "skip_reason" in one and one["name"] not in NOT_AUDITED]
    vulnerable = [f"{one['name']} {one['version']}: {hit['id']}" for one in found for hit in one.get("vulns", ())]
    print(f"{len(found) - len(unknown)} of {len(found)} packages; vulnerable: {', '.join(vulnerable) or 'none'}")
    assert not unknown, f"nothing is known of {', '.join(unknown)}; is the vulnerability service within reach?"
    assert not vulnerable, "known vulnerabilities"


if __name__ == "__main__":
    sys.exit(main())

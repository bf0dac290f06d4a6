# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""`load_motion`: any supported motion file becomes a `SegmentMotion` with its texts and its origin."""

import contextlib
import functools
import hashlib
import json
import os
import zipfile
from pathlib import Path
from typing import Literal

from anymo_hf.simulation.motion import SegmentMotion, TextSpan
from anymo_hf.simulation.readers.asf_amc import find_asf, read_asf_amc
from anymo_hf.simulation.readers.bvh import read_bvh
from anymo_hf.simulation.readers.joint_motion import JointMotion
from anymo_hf.simulation.readers.npz import DAMAGE, read_npz
from anymo_hf.simulation.readers.nymeria import NYMERIA_KEYS, read_nymeria
from anymo_hf.simulation.readers.nymeria_smpl import NYMERIA_SMPL_KEYS, read_nymeria_smpl
from anymo_hf.simulation.readers.retarget import retarget
from anymo_hf.simulation.readers.skeletons import read_joint_map
from anymo_hf.simulation.readers.smpl import RATE_KEYS, read_amass


SUPPORTED_SUFFIXES = (".bvh", ".amc", ".npz", ".mvnx", ".glb")
# Peak memory over file size. Measured were 10.4 for BVH, 11.7 for AMC and 2.5 for our own npz, and short numbers take
# more; on files in the published layout 2.9 for MVNX, 14 for GLB, 4.8 for Nymeria and 22 for AMASS, both in float32.
_MEMORY_PER_BYTE = {".bvh": 16, ".amc": 20, ".mvnx": 6, ".glb": 18, "ours": 3, "nymeria": 6, "amass": 26}
_MEMORY_PER_BYTE["nymeria_smpl"] = _MEMORY_PER_BYTE["amass"]


def load_motion(path: str | Path, joint_map: dict[str, str] | str | Path | None = None) -> SegmentMotion:
    """
    Read a motion file of any supported kind.

    These are `.bvh`, `.amc` (with its `.asf` beside it), `.mvnx`, Momentum's `.glb`, and `.npz`: our own, Nymeria's
    `xdata.npz` (without narration; `read_nymeria` takes the clock offset that it needs), AMASS or NymeriaPlus'
    `xdata_smpl_neutral.npz` (both on an average body; `read_amass` and `read_nymeria_smpl` take your own model file).

    The world's z axis points up; a file with y up is turned so that its z becomes x, and nothing else is turned. The
    length unit is found from the size of the skeleton. If a file `labels.jsonl` stands beside it, its row of the same
    name gives the texts (`label`, `style`, `captions`) and the source (`dataset`, `subject`, `license`).

    Args:
        path (`str` or `Path`):
            The file.
        joint_map (`dict[str, str]` or `str` or `Path`, *optional*, defaults to `None`):
            For skeletons that are not known: `{segment: joint name}`, or a JSON file that holds it.

    Returns:
        `SegmentMotion`: Poses of the 23 segments, with `texts`, `bone_offsets` and `source`.

    Raises:
        ValueError: If the file is of another kind, damaged, too large for the memory, or has an unknown skeleton.
        FileNotFoundError: If there is no such file.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUPPORTED_SUFFIXES:
        raise ValueError(
            f"{path.name!r} has an unsupported suffix; motion files end in {', '.join(SUPPORTED_SUFFIXES)}."
        )
    joint_map = read_joint_map(joint_map)
    check_memory(path)
    if suffix in (".npz", ".mvnx", ".glb"):
        motion = _read_whole_motion(path, joint_map)
        # What it was converted from stays its source.
        motion.source = _source(path, path.read_bytes()) | motion.source
        return motion
    data = path.read_bytes()
    source = _source(path, data)
    motion = retarget(_read_joints(path, data), joint_map, path.name)
    row = _read_labels(path.absolute().parent).get(path.stem, {})
    motion.texts = _texts(row, float(motion.timestamps[0]), float(motion.timestamps[-1]))
    motion.source = source | {key: str(row[key]) for key in ("dataset", "subject", "license") if row.get(key)}
    return motion


def _source(path: Path, data: bytes) -> dict[str, str]:
    return {"name": path.stem, "dataset": path.absolute().parent.name, "sha256": hashlib.sha256(data).hexdigest()}


def _npz_names(path: Path) -> set[str]:
    """The names of the arrays in an npz file; none if it is damaged, which is for its reader to complain about."""
    with contextlib.suppress(*DAMAGE), open(path, "rb") as file, zipfile.ZipFile(file) as archive:
        return {entry.removesuffix(".npy") for entry in archive.namelist()}
    return set()


def _npz_kind(path: Path) -> Literal["ours", "nymeria", "nymeria_smpl", "amass"]:
    """Whose motion an npz file holds: the names of its arrays tell."""
    names = _npz_names(path)
    if names >= NYMERIA_KEYS:
        return "nymeria"
    if names >= NYMERIA_SMPL_KEYS:
        return "nymeria_smpl"
    return "amass" if names >= {"poses", "trans"} and not names.isdisjoint(RATE_KEYS) else "ours"


def why_no_motion(path: Path) -> str | None:
    """
    Why a file that was found beside motions is to be left alone, without reading it whole.

    Args:
        path (`Path`):
            A file with one of `SUPPORTED_SUFFIXES`.

    Returns:
        `str`: The reason; `None` if it should be read.
    """
    from anymo_hf.simulation.readers.momentum_glb import has_animation

    suffix = path.suffix.lower()
    if suffix == ".npz":
        names = _npz_names(path)
        if "v_template" in names:
            return "a body model, not a motion"
        # AMASS keeps a `shape.npz` of every subject beside the motions.
        if names and names.isdisjoint({"poses", "positions", "body_pose", "segment_tXYZ"}) and "betas" in names:
            return "a body shape, not a motion"
    if path.stem.startswith("xdata") and path.name != "xdata.npz" and path.with_name("xdata.npz").is_file():
        return "the same motion as xdata.npz beside it"
    if suffix == ".glb" and not has_animation(path):
        return "a mesh without motion"
    return None


def _read_whole_motion(path: Path, joint_map: dict[str, str]) -> SegmentMotion:
    """A file whose reader says all about its motion, also where it comes from."""
    # Imported here: with their parsers they would be a tenth of what importing the package takes.
    from anymo_hf.simulation.readers.momentum_glb import read_momentum_glb
    from anymo_hf.simulation.readers.mvnx import read_mvnx

    if path.suffix.lower() == ".mvnx":
        return read_mvnx(path)
    if path.suffix.lower() == ".glb":
        return read_momentum_glb(path, joint_map)
    return {"ours": read_npz, "nymeria": read_nymeria, "nymeria_smpl": read_nymeria_smpl, "amass": read_amass}[
        _npz_kind(path)
    ](path)


def _read_joints(path: Path, data: bytes) -> JointMotion:
    if path.suffix.lower() == ".bvh":
        return read_bvh(data, path.name)
    asf = find_asf(path)
    return read_asf_amc(asf.read_bytes(), data, asf.name, path.name)


def available_memory() -> int:
    """Bytes of memory that are free for use."""
    try:
        # Counts what the system would give back from its file cache; sysconf counts that as used.
        with open("/proc/meminfo", encoding="ascii") as lines:
            kibibytes = next(line.split()[1] for line in lines if line.startswith("MemAvailable"))
        return int(kibibytes) * 1024
    except (OSError, StopIteration):
        names = os.sysconf_names if hasattr(os, "sysconf_names") else {}
        if "SC_AVPHYS_PAGES" not in names:
            return 2**63
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def memory_needed(path: Path) -> int:
    """Bytes of memory that reading a motion file will take at its peak, from its size alone."""
    size = path.stat().st_size
    kind = path.suffix.lower()
    if kind == ".npz":
        kind = _npz_kind(path)
        # Entries may be compressed. A damaged archive is for the reader to complain about.
        with contextlib.suppress(*DAMAGE), open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            size = max(size, sum(entry.file_size for entry in archive.infolist()))
    return size * _MEMORY_PER_BYTE[kind]


def check_memory(path: Path, available: int | None = None) -> None:
    """
    Refuse a file that would not fit into memory, before it is read.

    Args:
        path (`Path`):
            The motion file.
        available (`int`, *optional*):
            Bytes that may be used; by default what the system has.

    Raises:
        ValueError: If it needs more.
    """
    needed = memory_needed(path)
    available = available_memory() if available is None else available
    if needed > available:
        raise ValueError(
            f"{path.name} would need about {needed / 1e9:.1f} GB of memory, but {available / 1e9:.1f} GB are free; "
            "cut it into shorter files or use a larger machine."
        )


def _read_labels(folder: Path) -> dict[str, dict]:
    """Rows of `labels.jsonl` in the folder by name; none if there is no such file."""
    path = folder / "labels.jsonl"
    return _parse_labels(path, path.stat().st_mtime_ns) if path.is_file() else {}


@functools.lru_cache(maxsize=8)
def _parse_labels(path: Path, modified: int) -> dict[str, dict]:
    rows = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        if line.strip():
            try:
                row = json.loads(line)
                if not isinstance(row.get("captions") or [], list):
                    raise ValueError("captions must be a list")
                rows[row["name"]] = row
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise ValueError(f"{path}, line {number}: expected a JSON object with 'name' ({error}).") from error
    return rows


def _texts(row: dict, start: float, end: float) -> tuple[TextSpan, ...]:
    """The row's label, style and captions, each over the whole motion."""
    words = [(row.get("label"), "label"), (row.get("style"), "style")]
    words += [(caption, "caption") for caption in row.get("captions") or ()]
    return tuple(TextSpan(start, end, str(text), kind) for text, kind in words if text)

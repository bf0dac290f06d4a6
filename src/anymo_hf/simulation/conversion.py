# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""`convert_motions`: a folder of motion files becomes a folder of kinematics, in parallel, resumable at any moment."""

import errno
import hashlib
import json
import logging
import math
import multiprocessing
import os
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from anymo_hf.processing.placements_anymo import NUM_SEGMENTS
from anymo_hf.simulation.kinematics import NUM_KINEMATIC_VALUES, SegmentKinematics
from anymo_hf.simulation.motion import TextSpan
from anymo_hf.simulation.readers.load import SUPPORTED_SUFFIXES, load_motion, why_no_motion
from anymo_hf.whole_files import remove_unfinished, written_whole


logger = logging.getLogger(__name__)

# Raise it whenever the same motion file would give other numbers: older files are then converted again, and `datasets`
# forgets what it cached. A test fails when the sources change and this does not.
SIMULATION_VERSION = "1.1.0"

# Errors that the next file would meet as well.
_FATAL_WRITE_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}


@dataclass
class ConversionReport:
    """
    What `convert_motions` did.

    Args:
        files (`dict[str, str]`):
            Every motion's path with the name of its converted file.
        failures (`dict[str, str]`):
            Every path that could not be converted, with the reason.
        duplicates (`dict[str, str]`):
            Every path whose content another path has too, with that other path.
        set_aside (`dict[str, str]`):
            Every file found in a folder that is no motion of its own, with what it is: body models, meshes without
            motion, other versions of a motion beside it.
        num_skipped (`int`):
            How many of `files` stood there before.
        minutes (`float`):
            Motion in `files`.
        num_bytes (`int`):
            Size of `files` on disk.
        seconds (`float`):
            Time taken.
    """

    files: dict[str, str]
    failures: dict[str, str]
    duplicates: dict[str, str]
    set_aside: dict[str, str]
    num_skipped: int
    minutes: float
    num_bytes: int
    seconds: float

    def __str__(self) -> str:
        lines = [
            f"{len(self.files)} motions, {self.minutes:.1f} minutes, {self.num_bytes / 1e6:.0f} MB in "
            f"{self.seconds:.0f} s; {self.num_skipped} stood there before, {len(self.duplicates)} are copies, "
            f"{len(self.failures)} failed, {len(self.set_aside)} are no motions"
        ]
        lines += [f"  failed: {path}: {reason}" for path, reason in sorted(self.failures.items())]
        return "\n".join(lines + [f"  left alone: {path}: {why}" for path, why in sorted(self.set_aside.items())])


def convert_motions(
    paths: str | Path | Iterable[str | Path],
    folder: str | Path,
    num_proc: int = 1,
    sampling_rate: float = 60.0,
    cutoff: float | None = None,
    joint_map: str | Path | dict[str, str] | None = None,
) -> ConversionReport:
    """
    Converts motion files to `SegmentKinematics`, one `<sha256[:16]>.safetensors` each.

    Every file is written under another name and renamed when whole, so that a run may be killed at any moment and
    started again: what exists is skipped. A file that fails does not stop the others; it is listed in the folder's
    `report.jsonl`, which has a line for every input.

    Args:
        paths (`str`, `Path` or an iterable of them):
            Motion files, or folders that are searched for them.
        folder (`str` or `Path`):
            Where the converted files go.
        num_proc (`int`, *optional*, defaults to 1):
            Processes; with more than one, a script must call this below `if __name__ == "__main__":`. The result does
            not depend on it.
        sampling_rate (`float`, *optional*, defaults to 60.0):
            Frames per second.
        cutoff (`float`, *optional*, defaults to `None`):
            As in `SegmentKinematics.from_motion`.
        joint_map (`str`, `Path` or `dict`, *optional*, defaults to `None`):
            As in `load_motion`.

    Returns:
        `ConversionReport`: Files, failures with reasons, minutes, bytes, seconds.

    Raises:
        ValueError: If there is no motion file at all.
        OSError: If the folder cannot be written to, for instance because the disk is full.
    """
    began = time.perf_counter()
    sources, set_aside = find_motions(paths)
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remove_unfinished(folder)
    except OSError as error:
        raise OSError(
            error.errno, f"Cannot write to the folder {folder}: {error.strerror}; choose another one"
        ) from error
    settings = {"sampling_rate": float(sampling_rate), "cutoff": cutoff, "joint_map": joint_map}
    originals, duplicates, failures = _find_duplicates(sources)
    tasks = [(path, folder / f"{digest[:16]}.safetensors", settings) for digest, path in originals.items()]
    finished = {path: target for path, target, _ in tasks if is_converted(target, settings)}
    num_skipped = len(finished)
    waiting = [task for task in tasks if task[0] not in finished]
    for (path, target, _), problem in run_all(_convert_one, waiting, num_proc, "Converting"):
        if isinstance(problem, OSError):
            done = f"{len(finished)} of {len(tasks)} motions are converted and stay"
            raise OSError(problem.errno, f"{problem.strerror} while writing {target}; {done}, run again to go on")
        if problem is None:
            finished[path] = target
        else:
            failures[path] = problem
    remove_unfinished(folder)  # workers of a killed run may have ended a moment after this one began
    report = ConversionReport(
        files={str(path): target.name for path, target in sorted(finished.items())},
        failures={str(path): reason for path, reason in sorted(failures.items())},
        duplicates={str(path): str(original) for path, original in sorted(duplicates.items())},
        set_aside={str(path): why for path, why in sorted(set_aside.items())},
        num_skipped=num_skipped,
        minutes=sum(read_header(target)["num_frames"] for target in finished.values()) / sampling_rate / 60,
        num_bytes=sum(target.stat().st_size for target in finished.values()),
        seconds=time.perf_counter() - began,
    )
    _write_report(report, folder)
    return report


def find_motions(paths: str | Path | Iterable[str | Path]) -> tuple[list[Path], dict[Path, str]]:
    """
    The motion files among `paths` and below its folders.

    Args:
        paths (`str`, `Path` or an iterable of them):
            Files, which are kept whatever they are, and folders.

    Returns:
        `tuple[list[Path], dict[Path, str]]`: Motions in the order of their names, and files of a motion's suffix that
        were found in folders but are none, with what they are.

    Raises:
        ValueError: If a path does not exist, or there is no motion at all.
    """
    paths = [paths] if isinstance(paths, (str, Path)) else list(paths)
    named, found = set(), set()
    for path in map(Path, paths):
        if path.is_dir():
            found |= {file for file in path.rglob("*") if file.suffix.lower() in SUPPORTED_SUFFIXES and file.is_file()}
        elif path.is_file():
            named.add(path)
        else:
            raise ValueError(f"There is no file or folder {path}; give the path of motion files.")
    set_aside = {path: why for path in found - named if (why := why_no_motion(path)) is not None}
    motions = sorted((named | found) - set_aside.keys())
    if not motions:
        others = "".join(f"; {path.name} is {why}" for path, why in sorted(set_aside.items()))
        raise ValueError(
            f"No motion file ({', '.join(sorted(SUPPORTED_SUFFIXES))}) was found in {list(map(str, paths))}{others}."
        )
    return motions, set_aside


def is_converted(path: Path, settings: dict) -> bool:
    """Whether `path` holds what converting would write now."""
    if not path.exists():
        return False
    try:
        header = read_header(path)
    except (ValueError, KeyError):  # cut short by a crash of the machine, or not ours
        return False
    return header["simulation_version"] == SIMULATION_VERSION and header["settings"] == _comparable(settings)


def read_header(path: str | Path) -> dict:
    """What a converted file says of itself, without reading the numbers."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            header = json.loads((file.metadata() or {})["anymo"])
        if not isinstance(header, dict):
            raise ValueError("its header is no object")
        return header
    except (SafetensorError, KeyError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a converted motion ({error}); delete it and convert again.") from error


def save_kinematics(kinematics: SegmentKinematics, path: str | Path, settings: dict | None = None) -> None:
    """Writes kinematics to a safetensors file, which appears under its name only when it is whole."""
    from safetensors.torch import save

    header = {
        "simulation_version": SIMULATION_VERSION,
        "settings": _comparable(settings or {}),
        "num_frames": kinematics.num_frames,
        "sampling_rate": kinematics.sampling_rate,
        "start_time": kinematics.start_time,
        "texts": [asdict(text) for text in kinematics.texts],
        "source": kinematics.source,
    }
    tensors = {"kinematics": kinematics.values.contiguous(), "mask": kinematics.mask.contiguous()}
    if kinematics.bone_offsets is not None:
        tensors["bone_offsets"] = torch.from_numpy(np.ascontiguousarray(kinematics.bone_offsets))
    with written_whole(path) as unfinished:
        # Not `save_file`: it hides from Python which error of the operating system it met.
        unfinished.write_bytes(save(tensors, metadata={"anymo": json.dumps(header, sort_keys=True)}))


def load_kinematics(path: str | Path) -> SegmentKinematics:
    """
    Reads what `save_kinematics` wrote.

    Raises:
        ValueError: If the file is damaged or of another kind.
    """
    from safetensors.torch import load_file

    header = read_header(path)
    try:
        tensors = load_file(path)
        values, mask, offsets = tensors["kinematics"], tensors["mask"], tensors.get("bone_offsets")
        shape = (header["num_frames"], NUM_SEGMENTS, NUM_KINEMATIC_VALUES)
        if values.shape[-3:] != shape or mask.shape != values.shape[:-1] or mask.dtype != torch.bool:
            raise ValueError(f"its tensors have shapes {tuple(values.shape)} and {tuple(mask.shape)}")
        if not (0 < header["sampling_rate"] < math.inf and math.isfinite(header["start_time"])):
            raise ValueError(f"its rate is {header['sampling_rate']} Hz and its start {header['start_time']} s")
        return SegmentKinematics(
            values=values,
            mask=mask,
            sampling_rate=float(header["sampling_rate"]),
            start_time=float(header["start_time"]),
            texts=tuple(TextSpan(**text) for text in header["texts"]),
            source=dict(header["source"]),
            bone_offsets=None if offsets is None else offsets.numpy(),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a converted motion ({error!r}); delete it and convert again.") from error


def _comparable(settings: dict) -> dict:
    """Settings as they come back from JSON."""
    return json.loads(json.dumps(settings, default=str))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _find_duplicates(sources: list[Path]) -> tuple[dict[str, Path], dict[Path, Path], dict[Path, str]]:
    """Digest -> first path that has it, copy -> that path, unreadable path -> reason."""
    digests, failures = {}, {}
    for path in sources:
        try:
            digests[path] = _sha256(path)
        except OSError as error:
            failures[path] = f"cannot be read: {error.strerror}"
    originals, duplicates = {}, {}
    for path, digest in digests.items():
        if digest in originals:
            duplicates[path] = originals[digest]
        else:
            originals[digest] = path
    return originals, duplicates, failures


def _convert_one(path: Path, target: Path, settings: dict) -> str | OSError | None:
    """Converts a file; returns what went wrong: a reason that concerns this file, or an error that ends the run."""
    torch.set_num_threads(1)
    try:
        motion = load_motion(path, joint_map=settings["joint_map"])
        kinematics = SegmentKinematics.from_motion(motion, settings["sampling_rate"], settings["cutoff"])
    except MemoryError:
        return "does not fit into memory; cut it into shorter files"
    except Exception as error:  # whatever a damaged file causes, the other files go on
        return f"{type(error).__name__}: {error}" if not isinstance(error, ValueError) else str(error)
    try:
        save_kinematics(kinematics, target, settings)
    except OSError as error:
        return error if error.errno in _FATAL_WRITE_ERRORS else str(error)
    return None


def run_all(function, tasks: list[tuple], num_proc: int, what: str) -> Iterator[tuple[tuple, object]]:
    """Every task with its result, as they come; a task that kills its process is reported and harms no other."""
    from tqdm.auto import tqdm

    with tqdm(total=len(tasks), desc=what, unit="file", disable=None if tasks else True) as progress:
        if num_proc == 1:
            for task in tasks:
                yield task, function(*task)
                progress.update()
            return
        lost = []
        with _pool(min(num_proc, max(1, len(tasks)))) as pool:
            futures = {pool.submit(function, *task): task for task in tasks}
            try:
                for future in as_completed(futures):
                    try:
                        result = future.result()
                    except BrokenProcessPool:
                        lost.append(futures[future])
                        continue
                    yield futures[future], result
                    progress.update()
            finally:
                # Whoever stops asking, because the disk is full say, must not wait for all that is left.
                pool.shutdown(cancel_futures=True)
        # One of the lost tasks killed its process, and the pool with it. One at a time shows which.
        for task in lost:
            with _pool(1) as pool:
                try:
                    yield task, pool.submit(function, *task).result()
                except BrokenProcessPool:
                    yield task, "its process was killed, probably for want of memory; cut the file into shorter ones"
            progress.update()


def _pool(num_proc: int) -> ProcessPoolExecutor:
    # A forked child inherits the locks of torch's threads and may hang; a fresh one does not.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(num_proc, mp_context=context, initializer=_end_with_parent)


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for tasks for ever."""

    def wait() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _write_report(report: ConversionReport, folder: Path) -> None:
    rows = [{"path": path, "file": name} for path, name in report.files.items()]
    rows += [{"path": path, "error": reason} for path, reason in report.failures.items()]
    rows += [{"path": path, "copy_of": original} for path, original in report.duplicates.items()]
    rows += [{"path": path, "left_alone": why} for path, why in report.set_aside.items()]
    text = "".join(json.dumps(row) + "\n" for row in sorted(rows, key=lambda row: row["path"]))
    with written_whole(folder / "report.jsonl") as unfinished:
        unfinished.write_text(text, encoding="utf-8")

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""`synthesise_motions`: a folder of synthetic recordings as kinematics, in parallel, resumable at any moment."""

import errno
import math
from pathlib import Path

import torch

from anymo_hf.simulation.conversion import is_converted, run_all, save_kinematics
from anymo_hf.simulation.kinematics import SegmentKinematics
from anymo_hf.simulation.synthesis.recordings import random_recording
from anymo_hf.whole_files import remove_unfinished


RECORDING_SECONDS = 60.0


def synthesise_motions(folder: str | Path, hours: float, seed: int = 0, num_proc: int = 1) -> list[Path]:
    """
    Writes synthetic recordings of a minute each, of everyday activities one after the other.

    Recording `i` comes from `seed` and `i` alone: more hours add recordings and change none. What exists is skipped.

    Args:
        folder (`str` or `Path`):
            Where the files go, in the format of `convert_motions`.
        hours (`float`):
            Motion in all.
        seed (`int`, *optional*, defaults to 0):
            Another seed gives other recordings, under other names.
        num_proc (`int`, *optional*, defaults to 1):
            Processes; with more than one, a script must call this below `if __name__ == "__main__":`.

    Returns:
        `list[Path]`: The files, whether written now or before.

    Raises:
        ValueError: If `hours` is not positive.
        OSError: If the folder cannot be written to.
    """
    if not hours > 0:
        raise ValueError(f"`hours` must be positive, but is {hours}.")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    remove_unfinished(folder)
    files, tasks = [], []
    for index in range(math.ceil(hours * 3600 / RECORDING_SECONDS)):
        settings = {"seed": seed, "index": index, "seconds": RECORDING_SECONDS}
        files.append(folder / f"synthesis_{seed}_{index:06d}.safetensors")
        if not is_converted(files[-1], settings):
            tasks.append((files[-1], settings))
    for (path, _), problem in run_all(_synthesise_one, tasks, num_proc, "Synthesising"):
        if problem is not None:
            raise OSError(errno.EIO, f"{path} could not be written: {problem}; run again to go on")
    return files


def _synthesise_one(path: Path, settings: dict) -> str | None:
    """Makes and writes a recording; returns what went wrong."""
    torch.set_num_threads(1)
    # Any two pairs of seed and index must give different recordings.
    motion = random_recording((settings["seed"] << 32) + settings["index"], settings["seconds"])
    try:
        save_kinematics(SegmentKinematics.from_motion(motion), path, settings)
    except OSError as error:
        return str(error)
    return None

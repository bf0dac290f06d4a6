# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Files that are there as a whole or not at all, whoever is killed while writing them."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """
    A temporary name beside a file, which takes its place once it is written; if writing fails, nothing is left.

    Args:
        path (`str` or `Path`):
            The file. Its folder must exist.

    Returns:
        A context manager that gives the `Path` to write to, one for each process.
    """
    path = Path(path)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
    try:
        yield unfinished
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def remove_unfinished(folder: str | Path) -> None:
    """Deletes what killed runs left half-written in a folder; a process that still writes keeps its file."""
    for leftover in Path(folder).glob("*.unfinished"):
        if not _is_running(leftover.name.split(".")[-2]):
            leftover.unlink(missing_ok=True)


def _is_running(pid: str) -> bool:
    """Whether there is another process of that number on this machine."""
    if os.name == "nt":
        return False  # there `kill` would send the process a signal
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        return True
    except (ValueError, OverflowError, OSError):
        return False
    return int(pid) != os.getpid()


__all__ = ["remove_unfinished", "written_whole"]

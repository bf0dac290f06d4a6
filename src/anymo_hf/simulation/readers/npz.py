# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Our own motion file (`.npz`): a `SegmentMotion` as plain arrays, never pickled."""

import json
import os
import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np

from anymo_hf.simulation.motion import SegmentMotion, TextSpan


FORMAT_VERSION = 1
# What numpy, zipfile and json raise on a file that is damaged or of another kind.
DAMAGE = (
    ValueError,
    TypeError,
    EOFError,
    KeyError,
    AttributeError,
    OSError,
    NotImplementedError,
    OverflowError,
    RecursionError,
    SyntaxError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
_REQUIRED = ("format_version", "positions", "orientations", "timestamps", "texts", "source")
_OPTIONAL = ("mask", "bone_offsets")


def save_motion(motion: SegmentMotion, path: str | Path) -> None:
    """
    Write a motion to a `.npz` file that `load_motion` reads back unchanged.

    It is written under a temporary name and renamed, so a reader never sees half of it.

    Args:
        motion (`SegmentMotion`):
            The motion.
        path (`str` or `Path`):
            The file; it must end in `.npz`.

    Raises:
        ValueError: If the path has another suffix.
    """
    path = Path(path)
    if path.suffix.lower() != ".npz":
        raise ValueError(f"A motion is saved as .npz, but {path.name!r} was given; change its suffix.")
    arrays = {name: getattr(motion, name) for name in ("positions", "orientations", "timestamps")}
    arrays |= {name: getattr(motion, name) for name in _OPTIONAL if getattr(motion, name) is not None}
    texts = [{"start": t.start, "end": t.end, "text": t.text, "kind": t.kind} for t in motion.texts]
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            np.savez(
                file,
                format_version=FORMAT_VERSION,
                texts=json.dumps(texts),
                source=json.dumps(motion.source),
                **arrays,
            )
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_npz(path: Path) -> SegmentMotion:
    """
    Read a file that `save_motion` wrote.

    Args:
        path (`Path`):
            The file.

    Returns:
        `SegmentMotion`: As it was saved.

    Raises:
        ValueError: If it is another kind of file, or damaged.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in _REQUIRED + _OPTIONAL if name in archive}
        missing = [name for name in _REQUIRED if name not in arrays]
        if missing:
            raise ValueError(f"it has no {missing}")
        if arrays["format_version"] != FORMAT_VERSION:
            raise ValueError(
                f"its format is version {arrays['format_version']}, and this package reads {FORMAT_VERSION}"
            )
        texts = tuple(TextSpan(**row) for row in json.loads(str(arrays["texts"])))
        source = json.loads(str(arrays["source"]))
        if not isinstance(source, dict) or not all(isinstance(value, str) for value in source.values()):
            raise ValueError("its source is no table of words")
        poses = {name: arrays[name] for name in ("positions", "orientations", "timestamps")}
        options = {name: arrays.get(name) for name in _OPTIONAL}
        return SegmentMotion(**poses, **options, texts=texts, source=source)
    except (*DAMAGE, MemoryError) as error:
        raise ValueError(
            f"{path.name} is no motion written by `save_motion`: {error}; convert or save it again."
        ) from error

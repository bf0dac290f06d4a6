# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Nymeria and NymeriaPlus: the XSens body of a recording (`body/xdata.npz`) and what annotators said about it."""

import contextlib
import csv
import hashlib
from pathlib import Path

import numpy as np

from anymo_hf.processing.placements_anymo import NUM_SEGMENTS, SEGMENT_PARENTS
from anymo_hf.simulation.motion import SegmentMotion, TextSpan, clip_texts
from anymo_hf.simulation.readers.npz import DAMAGE
from anymo_hf.simulation.readers.quaternions import conjugate, rotate


NYMERIA_KEYS = frozenset({"segment_tXYZ", "segment_qWXYZ"})
NYMERIA_FRAME_RATE = 240.0
NARRATION_FILES = ("motion_narration.csv", "atomic_action.csv", "activity_summarization.csv")
_LARGEST_STEP_ERROR = 1000.0  # us away from the nominal step; beyond it the clock has slipped
_LARGEST_DRIFT = 10_000.0  # us at the end, after the steps are repaired
_SMALLEST_NORM = 0.1  # of a quaternion; below it XSens had none
_OPTIONAL = ("frameRate",) + tuple(
    f"{pose}_segment_{kind}" for pose in ("identity", "tpose") for kind in ("tXYZ", "qWXYZ")
)
# Every other column of a narration file is text.
_NARRATION_COLUMNS = ("request_id", "gaia_id", "start_time", "end_time", "annotator", "creation_time")


def read_nymeria(path: str | Path, narration_offset: float | None = None) -> SegmentMotion:
    """
    Read `body/xdata.npz` of a recording. Unverified on an original file: written from the published layout.

    XSens has the same 23 segments and frames as we (x forward, y left, z up in the T-pose) and a world with z up, so
    that nothing is turned. Timestamps stay on the recording's shared clock TIME_CODE, in seconds. Two known defects
    are repaired as the dataset's own code does: time steps that are more than 1 ms off become the nominal step, and a
    missing quaternion holds the one before it.

    Narration is timed by another clock, the head device's. Only a user who has the head's VRS file can tell the
    offset between the two; without it no texts are attached, because they would describe another moment.

    Args:
        path (`str` or `Path`):
            The file. Narration is looked for in the sibling folder, `../narration/*.csv`.
        narration_offset (`float`, *optional*, defaults to `None`):
            Seconds to add to the head's device time to get TIME_CODE. `None` leaves the narration out.

    Returns:
        `SegmentMotion`: At 240 Hz, with the subject's bone offsets.

    Raises:
        ValueError: If the file is damaged, or its clock drifts by more than 10 ms.
        FileNotFoundError: If there is no such file.
    """
    path = Path(path)
    arrays = read_arrays(path, "Nymeria xdata.npz", (*sorted(NYMERIA_KEYS), "timestamps_us"), _OPTIONAL)
    num_frames = len(np.atleast_1d(arrays["timestamps_us"]))
    if num_frames == 0:
        raise ValueError(f"{path.name} has no frame; download it again.")
    positions = _reshape(arrays, "segment_tXYZ", (num_frames, NUM_SEGMENTS, 3), path.name)
    orientations = hold_quaternions(_reshape(arrays, "segment_qWXYZ", (num_frames, NUM_SEGMENTS, 4), path.name))
    rate = read_scalar(arrays.get("frameRate", np.array(NYMERIA_FRAME_RATE)), f"{path.name}, frameRate")
    timestamps = repair_timestamps(_reshape(arrays, "timestamps_us", (num_frames,), path.name), rate, path.name)
    texts: tuple[TextSpan, ...] = ()
    if narration_offset is not None:
        texts = clip_texts(
            read_narration(path.absolute().parent.parent / "narration", narration_offset),
            timestamps[0],
            timestamps[-1],
        )
    return SegmentMotion(
        positions,
        orientations,
        timestamps,
        bone_offsets=_offsets(arrays, positions, orientations, path.name),
        texts=texts,
        source=_source(path),
    )


def read_arrays(
    path: Path, kind: str, required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, np.ndarray]:
    """
    Some arrays of an `.npz` file that others wrote; nothing is ever unpickled.

    Args:
        path (`Path`):
            The file.
        kind (`str`):
            What it should be, for the error message.
        required (`tuple[str, ...]`):
            Names that must be there.
        optional (`tuple[str, ...]`, *optional*, defaults to `()`):
            Names that are read too, where they are there and are plain arrays.

    Returns:
        `dict[str, np.ndarray]`: Name to array.

    Raises:
        ValueError: If it is no such file, or damaged.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            missing = [name for name in required if name not in archive]
            if missing:
                raise ValueError(f"it has no {missing}")
            arrays = {name: archive[name] for name in required}
            for name in optional:
                # Some files hold words as pickled objects.
                with contextlib.suppress(ValueError):
                    arrays |= {name: archive[name]} if name in archive else {}
            # numpy gives the bytes of what does not begin like an array.
            damaged = [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]
            if damaged:
                raise ValueError(f"its entries {damaged} are no arrays")
            return arrays
    except FileNotFoundError:
        raise
    except DAMAGE as error:
        raise ValueError(f"{path.name} is no {kind}: {error}; check the path or download it again.") from error
    except MemoryError as error:
        raise ValueError(f"{path.name} is no {kind}: an array claims more than the memory holds.") from error


def read_scalar(array: np.ndarray, where: str) -> float:
    """
    The only number of an array.

    Args:
        array (`np.ndarray`):
            Of any shape.
        where (`str`):
            File and name of it, for the error message.

    Returns:
        `float`: That number.

    Raises:
        ValueError: If it holds anything else.
    """
    if np.size(array) != 1 or np.asarray(array).dtype.kind not in "iuf":
        raise ValueError(f"{where} must be one number, but has shape {np.shape(array)}; the file is damaged.")
    return float(np.ravel(array)[0])


def repair_timestamps(microseconds: np.ndarray, frame_rate: float, file: str) -> np.ndarray:
    """
    Seconds of a clock that slips: steps over 1 ms away from the nominal one are replaced by it.

    Args:
        microseconds (`np.ndarray` of shape `(num_frames,)`):
            As recorded; since 1970 they have 16 digits, which float64 still holds to a quarter of a microsecond.
        frame_rate (`float`):
            Nominal frames per second.
        file (`str`):
            How to call the file in an error.

    Returns:
        `np.ndarray` of shape `(num_frames,)`: Seconds since the same origin.

    Raises:
        ValueError: If the rate is not positive, or the last frame moves by more than 10 ms.
    """
    if not (np.isfinite(frame_rate) and 0 < frame_rate < 1e6 / _LARGEST_STEP_ERROR):
        raise ValueError(f"{file} has the frame rate {frame_rate:g} Hz; expected about {NYMERIA_FRAME_RATE:g}.")
    if not np.isfinite(microseconds).all():
        raise ValueError(f"{file} has timestamps that are not finite; download it again.")
    nominal = 1e6 / frame_rate
    # Differences before anything else: they are small and exact.
    elapsed = microseconds - microseconds[0]
    steps = np.diff(elapsed)
    steps = np.where(np.abs(steps - nominal) > _LARGEST_STEP_ERROR, nominal, steps)
    repaired = np.concatenate([[0.0], np.cumsum(steps)])
    drift = abs(repaired[-1] - elapsed[-1])
    if drift > _LARGEST_DRIFT:
        raise ValueError(
            f"{file}: its clock drifts by {drift / 1000:.1f} ms after repair, and 10 ms are allowed; frames are "
            "missing, so cut the recording at the gap."
        )
    return (float(microseconds[0]) + repaired) / 1e6


def hold_quaternions(orientations: np.ndarray) -> np.ndarray:
    """
    Replace quaternions of no length by the last good one of the same segment.

    Args:
        orientations (`np.ndarray` of shape `(num_frames, num_segments, 4)`):
            Quaternions w, x, y, z; shorter than 0.1 where XSens had none.

    Returns:
        `np.ndarray` of shape `(num_frames, num_segments, 4)`: The same; the identity before the first good one.
    """
    good = ~(np.linalg.norm(orientations, axis=-1) < _SMALLEST_NORM)
    last = np.maximum.accumulate(np.where(good, np.arange(len(orientations))[:, None], -1), axis=0)
    held = np.take_along_axis(orientations, np.maximum(last, 0)[..., None], axis=0)
    held[last < 0] = (1.0, 0.0, 0.0, 0.0)
    return held


def offsets_in_parents(positions: np.ndarray, orientations: np.ndarray) -> np.ndarray:
    """
    Where every segment begins, seen from its parent.

    Args:
        positions (`np.ndarray` of shape `(num_frames, 23, 3)`):
            Segment origins, in metres.
        orientations (`np.ndarray` of shape `(num_frames, 23, 4)`):
            Unit quaternions w, x, y, z.

    Returns:
        `np.ndarray` of shape `(23, 3)`: Median over the frames, in metres; zero for the root.
    """
    parents = np.maximum(np.array(SEGMENT_PARENTS), 0)
    steps = (positions - positions[:, parents]).transpose(2, 1, 0)
    turns = orientations[:, parents].transpose(2, 1, 0)
    return np.median(rotate(conjugate(turns), steps), axis=-1).T


def read_narration(folder: str | Path, offset: float) -> tuple[TextSpan, ...]:
    """
    What annotators said about a recording. Unverified on an original file.

    Args:
        folder (`str` or `Path`):
            The recording's `narration` folder. Each of its three files may be missing or empty.
        offset (`float`):
            Seconds to add to the narration's clock, the head's device time.

    Returns:
        `tuple[TextSpan, ...]`: Captions in the order of their start; one for every text column that is filled in.

    Raises:
        ValueError: If a file is no such table, or the offset is not finite.
    """
    if not np.isfinite(offset):
        raise ValueError(f"The offset of the narration must be finite seconds, but {offset} was given.")
    spans = []
    for name in NARRATION_FILES:
        path = Path(folder) / name
        if path.is_file() and path.stat().st_size:
            with open(path, encoding="utf-8-sig", newline="", errors="replace") as file:
                try:
                    spans.extend(_narration_rows(csv.DictReader(file), offset, name))
                except csv.Error as error:
                    raise ValueError(f"{name} is no narration table: {error}; download it again.") from error
    return tuple(sorted(spans, key=lambda span: (span.start, span.end)))


def _narration_rows(table: csv.DictReader, offset: float, name: str) -> list[TextSpan]:
    columns = table.fieldnames or []
    if columns and not {"start_time", "end_time"} <= set(columns):
        raise ValueError(f"{name} has the columns {columns}; expected start_time and end_time among them.")
    spans = []
    for row in table:
        try:
            start, end = float(row["start_time"]) + offset, float(row["end_time"]) + offset
            if not np.isfinite([start, end]).all():
                raise ValueError("times must be finite")
            texts = [(row[column] or "").strip() for column in columns if column not in _NARRATION_COLUMNS]
            spans.extend(TextSpan(start, end, text) for text in texts if text)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{name}, line {table.line_num}: {error}; repair or remove that row.") from error
    return spans


def _reshape(arrays: dict[str, np.ndarray], name: str, shape: tuple[int, ...], file: str) -> np.ndarray:
    """An array as float64 in its shape; the file may have it flat, or with a leading axis of one."""
    array = arrays[name]
    if array.size != np.prod(shape) or array.dtype.kind not in "iuf" or (len(shape) > 1 and len(array) != shape[0]):
        raise ValueError(
            f"{file}: {name} must hold numbers of shape {shape}, but has {array.shape} of {array.dtype}; it is no "
            "recording of 23 segments, or it is damaged."
        )
    return array.astype(np.float64).reshape(shape)


def _offsets(arrays: dict[str, np.ndarray], positions: np.ndarray, turns: np.ndarray, file: str) -> np.ndarray:
    """Bone offsets of a reference pose; a file without one tells them by its motion, for XSens bones are rigid."""
    for pose in ("identity", "tpose"):
        names = [f"{pose}_segment_{kind}" for kind in ("tXYZ", "qWXYZ")]
        if all(name in arrays for name in names):
            flat = {name: np.ravel(arrays[name])[None] for name in names}
            return offsets_in_parents(
                _reshape(flat, names[0], (1, NUM_SEGMENTS, 3), file),
                _unit(hold_quaternions(_reshape(flat, names[1], (1, NUM_SEGMENTS, 4), file))),
            )
    return offsets_in_parents(positions, _unit(turns))


def _unit(quaternions: np.ndarray) -> np.ndarray:
    return quaternions / np.linalg.norm(quaternions, axis=-1, keepdims=True)


def _source(path: Path) -> dict[str, str]:
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    folder = path.absolute().parent
    # Every recording calls this file xdata.npz; the recording's folder has its name.
    name = folder.parent.name if folder.name == "body" else path.stem
    return {"name": name, "dataset": "Nymeria", "license": "CC BY-NC 4.0", "sha256": digest, "clock": "TIME_CODE"}

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The package's common layout: one row per reading, in Parquet."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from anymo_hf.evaluation.har.declaration import HarDataset
from anymo_hf.evaluation.har.recordings import SensorRun, label_spans


KEYS = ("subject", "recording", "placement", "activity")
FORCE = ("acc_x", "acc_y", "acc_z")
RATE = ("gyr_x", "gyr_y", "gyr_z")
BATCH_SIZE = 131_072  # rows; what is in memory besides the current recording
LAYOUT = (
    "subject, recording, placement, activity (text), t (s), acc_x, acc_y, acc_z (m/s^2), gyr_x, gyr_y, gyr_z (rad/s)"
)


def read_parquet_runs(paths: Iterable[Path], check: bool) -> Iterator[list[SensorRun]]:
    """
    The runs of each recording, one recording at a time.

    Args:
        paths (`Iterable[Path]`):
            Parquet files of one set. Rows of one recording stand together; inside it, sensors may alternate.
        check (`bool`):
            Whether a recording that comes back later raises; otherwise it counts as a new one.

    Yields:
        `list[SensorRun]`: One per placement, in the order of their first readings.

    Raises:
        ValueError: If a file is damaged, lacks columns, holds wrong types or unsorted time; it names file and remedy.
    """
    seen: set[tuple[str, str]] = set()
    vocabulary: dict[str, int] = {}  # shared, because a recording may run from one file into the next
    current, parts, origin = None, [], None
    for path in paths:
        for key, part in _read_parts(path, vocabulary):
            if key == current:
                parts.append(part)
                continue
            if current is not None:
                yield _join_parts(current, parts, list(vocabulary), origin)
            if check and key in seen:
                raise ValueError(
                    f"{path}: rows of recording {key[1]!r} of subject {key[0]!r} do not stand together; sort the file "
                    "by subject, recording, placement and t."
                )
            seen.add(key)
            current, parts, origin = key, [part], path
    if current is not None:
        yield _join_parts(current, parts, list(vocabulary), origin)


def _read_parts(path: Path, vocabulary: dict[str, int]) -> Iterator[tuple[tuple[str, str], tuple]]:
    """Pieces of one recording as they come: (subject, recording), then placements, activities, times, values."""
    file, has_rate = _open(path)
    columns = [*KEYS, "t", *FORCE, *(RATE if has_rate else ())]
    num_rows = 0
    try:
        for batch in file.iter_batches(batch_size=BATCH_SIZE, columns=columns):
            codes = [_encode(batch.column(name), vocabulary) for name in KEYS]
            numbers = [_to_numpy(batch.column(name)) for name in columns[4:]]
            values = np.column_stack(numbers[1:])
            words = list(vocabulary)
            subject, recording, placement, activity = codes
            new = (subject[1:] != subject[:-1]) | (recording[1:] != recording[:-1])
            edges = [0, *(np.flatnonzero(new) + 1).tolist(), len(subject)]
            for start, end in zip(edges[:-1], edges[1:], strict=True):
                piece = slice(start, end)
                part = (placement[piece], activity[piece], numbers[0][piece], values[piece])
                yield (words[subject[start]], words[recording[start]]), part
            num_rows += len(subject)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged ({error}); download or convert it again.") from error
    if not num_rows:
        raise ValueError(f"{path} has no rows; write at least one recording with the columns {LAYOUT}.")


def _open(path: Path) -> tuple[pq.ParquetFile, bool]:
    """The file, checked, and whether it has angular rates."""
    try:
        file = pq.ParquetFile(path)
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist; give a Parquet file or a folder that holds some.") from None
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} is no readable Parquet file ({error}); download or convert it again.") from error
    schema = file.schema_arrow
    missing = [name for name in (*KEYS, "t", *FORCE) if name not in schema.names]
    has_rate = any(name in schema.names for name in RATE)
    missing += [name for name in RATE if has_rate and name not in schema.names]
    if missing:
        raise ValueError(
            f"{path} lacks the columns {missing}; the common layout is {LAYOUT}, where the "
            "gyroscope's may all be left out."
        )
    for name in (*KEYS, "t", *FORCE, *(RATE if has_rate else ())):
        kind = schema.field(name).type
        plain = kind.value_type if pa.types.is_dictionary(kind) else kind
        is_text = pa.types.is_string(plain) or pa.types.is_large_string(plain) or pa.types.is_string_view(plain)
        is_number = pa.types.is_integer(plain) or pa.types.is_floating(plain)
        if name in KEYS and not (is_text or pa.types.is_integer(plain)):
            raise ValueError(f"{path}: column {name!r} must hold text, but holds {kind}; convert it to text.")
        if name not in KEYS and not is_number:
            unit = "seconds" if name == "t" else "m/s^2 or rad/s"
            raise ValueError(f"{path}: column {name!r} must hold numbers ({unit}), but holds {kind}; convert it.")
    # Text columns come as codes, whether or not the file says so.
    return pq.ParquetFile(path, read_dictionary=list(KEYS), metadata=file.metadata), has_rate


def _encode(column: pa.Array, vocabulary: dict[str, int]) -> np.ndarray:
    """Codes of a text column in a vocabulary that grows with the file; missing text is the empty word."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    words = ["" if word is None else str(word) for word in column.dictionary.to_pylist()] + [""]
    table = np.array([vocabulary.setdefault(word, len(vocabulary)) for word in words], dtype=np.int32)
    return table[column.indices.fill_null(len(words) - 1).to_numpy(zero_copy_only=False)]


def _to_numpy(column: pa.Array) -> np.ndarray:
    if column.null_count and pa.types.is_integer(column.type):
        column = column.cast(pa.float64())
    return column.to_numpy(zero_copy_only=False)


def _join_parts(key: tuple[str, str], parts: list[tuple], words: list[str], path: Path) -> list[SensorRun]:
    """One run per placement from the pieces of a recording."""
    placement, activity, timestamps, values = (np.concatenate([part[i] for part in parts]) for i in range(4))
    timestamps = timestamps.astype(np.float64)
    first = np.concatenate([[0], np.flatnonzero(placement[1:] != placement[:-1]) + 1])
    runs = []
    for code in dict.fromkeys(placement[first].tolist()):
        rows = placement == code
        times = timestamps[rows]
        if not np.isfinite(times).all() or (np.diff(times) < 0).any():
            raise ValueError(
                f"{path}: time of {words[code]!r} in recording {key[1]!r} of subject {key[0]!r} runs backwards or is "
                "missing; sort the file by subject, recording, placement and t."
            )
        spans = label_spans(times, activity[rows], words)
        runs.append(SensorRun(*key, words[code], times, values[rows], spans))
    return runs


def infer_har_dataset(paths: list[Path], name: str, declared: dict | None = None) -> HarDataset:
    """
    A declaration for a set that the package does not know, from its files and what its JSON file says.

    Args:
        paths (`list[Path]`):
            Its Parquet files.
        name (`str`):
            What to call it.
        declared (`dict`, *optional*, defaults to `None`):
            Any fields of `HarDataset`. Labels without words read as they stand, in lower case without underscores;
            placements without an entry are looked up in the placement table.

    Returns:
        `HarDataset`: Split `"other"`, windows of 5 s and gravity included, unless declared otherwise.

    Raises:
        ValueError: If placements do not resolve (it lists all), or the JSON file has unknown fields.
    """
    declared = dict(declared or {})
    known = {field.name for field in fields(HarDataset)}
    if unknown := set(declared) - known:
        raise ValueError(
            f"The JSON file of {name!r} has unknown fields {sorted(unknown)}; known are {sorted(known)}, none of "
            "which is required."
        )
    places: dict[str, None] = {}
    labels: dict[str, None] = {}
    for path in paths:
        vocabulary: dict[str, int] = {}
        try:
            for batch in _open(path)[0].iter_batches(batch_size=BATCH_SIZE, columns=["placement", "activity"]):
                for column, found in ((batch.column("placement"), places), (batch.column("activity"), labels)):
                    codes = np.unique(_encode(column, vocabulary))
                    words = list(vocabulary)
                    found.update(dict.fromkeys(words[code] for code in codes))
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is damaged ({error}); download or convert it again.") from error
    try:
        return _declare(paths, name, declared, places, labels)
    except (TypeError, AttributeError) as error:
        raise ValueError(
            f"The JSON file of {name!r} holds something of another type than `HarDataset` says ({error}); correct it."
        ) from error


def _declare(paths: list[Path], name: str, declared: dict, places: Iterable[str], labels: Iterable[str]) -> HarDataset:
    """What was declared, and for the rest what the files hold."""
    placements = {place: place for place in places} | declared.pop("placements", {})
    words = {label: label.replace("_", " ").strip().lower() for label in labels if label}
    words |= declared.pop("activity_words", {})
    rate = declared.pop("sampling_rate", None) or _measure_rate(paths)
    if "subsets" in declared:
        declared["subsets"] = {key: tuple(value) for key, value in declared["subsets"].items()}
    defaults = {"name": name, "license": "not stated", "gravity": True, "window": 5.0, "split": "other"}
    return HarDataset(sampling_rate=rate, placements=placements, activity_words=words, **(defaults | declared))


def _measure_rate(paths: list[Path]) -> float:
    """Samples per second of the first sensor."""
    run = next(read_parquet_runs(paths, check=False))[0]
    steps = np.diff(run.timestamps)
    if not (steps > 0).any():
        raise ValueError(
            f'{paths[0]}: the first sensor\'s time stands still, so its rate is unknown; give "sampling_rate" in the '
            "set's JSON file."
        )
    return round(float(1 / np.median(steps[steps > 0])), 2)


def read_json(path: Path) -> dict:
    """
    The declarations beside a set.

    Args:
        path (`Path`):
            The JSON file.

    Returns:
        `dict`: Fields of `HarDataset`.

    Raises:
        ValueError: If it is no JSON object.
    """
    try:
        declared = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is no valid JSON ({error}); correct or remove it.") from error
    if not isinstance(declared, dict):
        raise ValueError(f"{path} must hold a JSON object with fields of `HarDataset`, but holds {declared!r:.40}.")
    return declared


__all__ = ["infer_har_dataset", "read_json", "read_parquet_runs"]

# Copyright 2026 The anymo-hf contributors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""`read_recording`: files of sensor readings, CSV as people have it and Parquet."""

import csv
import io
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from .recording_anymo import make_recording
from .streams_anymo import Recording
from .tables_anymo import PLACES, find_columns, find_named
from .units_anymo import interpolate_within, to_seconds


HEADER_LINES = 60  # how far down a header may stand
_DELIMITERS = (",", ";", "\t", "|", None)  # None: any white space
_NUMBER = r"[-+]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][-+]?\d+)?"
_RECORDINGS = ("recording", "recording id", "session", "trial", "experiment")
_SUBJECTS = ("subject", "subject id", "user", "user id", "participant", "person", "volunteer")
# Sensor Logger (Kelvin Choi) writes a folder with one file per sensor; each has time (ns since 1970), seconds_elapsed
# and z, y, x. Its UNITS.md gives m/s^2 and rad/s; its Accelerometer is without gravity, which Gravity.csv holds
# (github.com/tszheichoi/awesome-sensor-logger, UNITS.md and issue 19).
_LOGGER_FILES = {
    "force": ("totalacceleration", "accelerometeruncalibrated"),
    "linear": ("accelerometer", "linearaccelerometer", "linear acceleration", "linearacceleration"),
    "gravity": ("gravity",),
    "rate": ("gyroscope", "gyroscopeuncalibrated"),
}


def read_recording(
    path: str | os.PathLike, recording: str | None = None, columns: list[str] | None = None, **options
) -> Recording:
    """
    Reads one recording.

    Args:
        path (`str` or path):
            A CSV file (`,` `;` tab `|` or blanks between fields, comments, lines before the header, decimal commas), a
            Parquet file, or the folder that the app Sensor Logger exports.
        recording (`str`, *optional*, defaults to `None`):
            Which one, if the file holds several in a column `recording`.
        columns (`list[str]`, *optional*, defaults to `None`):
            Names for a CSV file without header, or in place of its header.
        **options:
            As for `make_recording`: units, sign, gravity, `placements`, `sampling_rate` ...

    Returns:
        `Recording`: With activities if a column has them; an empty label is no activity.

    Raises:
        ValueError: Naming the file, and the line where one is at fault.
    """
    path = Path(path)
    if path.is_dir():
        table = _read_logger_folder(path)
    else:
        table = _read_table(path, columns, recording)
        name = _recording_column(table)
        if name is not None:
            found = [str(value) for value in table[name].unique()]
            if recording is None and len(found) > 1:
                raise ValueError(
                    f"{path} holds {len(found)} recordings ({', '.join(found[:3])} ...); pass `recording={found[0]!r}`"
                    " or use `read_recordings`."
                )
            if recording is not None and recording not in found:
                raise ValueError(f"{path} has no recording {recording!r}; it has {', '.join(found[:5])} ...")
            if recording is not None:
                table = table[table[name].astype(str) == recording]
        elif recording is not None:
            raise ValueError(f"{path} has no column that names recordings; leave `recording` out.")
    return _make(path, table, options)


def read_recordings(path: str | os.PathLike, columns: list[str] | None = None, **options) -> Iterator[Recording]:
    """
    Reads all recordings of a file, one after the other.

    Args:
        path (`str` or path):
            As for `read_recording`.
        columns (`list[str]`, *optional*, defaults to `None`):
            As for `read_recording`.
        **options:
            As for `make_recording`.

    Yields:
        `Recording`: In the order of the file.
    """
    path = Path(path)
    if path.is_dir():
        yield read_recording(path, **options)
        return
    table = _read_table(path, columns)
    name = _recording_column(table)
    if name is None:
        yield _make(path, table, options)
        return
    for _, rows in table.groupby(name, sort=False, observed=True):
        yield _make(path, rows, _without_other_sensors(options, table, rows))


def _without_other_sensors(options: dict, table, rows) -> dict:
    """New names of sensors that only other recordings of the file have are no mistake."""
    placements, column = options.get("placements"), find_named([str(name) for name in table.columns], PLACES)
    if not isinstance(placements, Mapping) or column is None:
        return options
    others = set(table[column].astype(str)) - set(rows[column].astype(str))
    return {**options, "placements": {name: place for name, place in placements.items() if name not in others}}


def _make(path: Path, table, options: dict) -> Recording:
    if "timestamps" in options and "sampling_rate" not in options:
        options = {"sampling_rate": None, **options}
    try:
        return make_recording(table, **options)
    except ValueError as error:
        row = re.search(r"row (\d+) is", str(error))
        lines = table.attrs.get("lines")
        if row and lines is not None:
            raise ValueError(f"{path}, line {lines[int(row.group(1))]}: {error}") from None
        raise ValueError(f"{path}: {error}") from None


def _recording_column(table) -> str | None:
    """The column that tells recordings apart: its own, or else the subject if there are several."""
    names = [str(name) for name in table.columns]
    return find_named(names, _RECORDINGS) or find_named(names, _SUBJECTS)


def _read_table(path: Path, columns: list[str] | None, recording: str | None = None):
    if not path.exists():
        raise ValueError(f"{path} does not exist.")
    with open(path, "rb") as file:
        start = file.read(4)
    if not start:
        raise ValueError(f"{path} is empty.")
    if start == b"PAR1":
        return _read_parquet(path, recording)
    if start[:2] == b"PK" and path.suffix.lower() in (".xlsx", ".xlsm", ".ods"):
        raise ValueError(f"{path} is a spreadsheet; save it as CSV.")
    if start[:2] == b"PK" or start[:2] == b"\x1f\x8b":
        raise ValueError(f"{path} is an archive; unpack it and pass the file or folder inside.")
    return _parse_csv(path, _decode(path), columns)


def _read_parquet(path: Path, recording: str | None):
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(path).names
        column = find_named(names, _RECORDINGS)
        if recording is not None and column is not None:
            # Reads only the row groups that can hold it.
            table = pd.read_parquet(path, filters=[(column, "==", recording)])
            if len(table):
                return table
        return pd.read_parquet(path)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no readable Parquet file: {str(error).splitlines()[0][:200]}") from None


def _decode(path: Path) -> str:
    """The text of a file, or an error that says where it stops being text."""
    data = path.read_bytes()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError:
            raise ValueError(f"{path} begins like UTF-16 text but is none; save it as UTF-8.") from None
    if b"\x00" in data:
        line = data[: data.index(b"\x00")].count(b"\n") + 1
        raise ValueError(f"{path}, line {line}: a NUL byte; the file is binary or damaged.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # "m/s²" and "°/s" from an older spreadsheet. Control characters tell binary files from texts.
        head = data[:100_000]
        if sum(byte < 32 and byte not in b"\t\n\r\f" for byte in head) > 0:
            line = data[: error.start].count(b"\n") + 1
            raise ValueError(f"{path}, line {line}: this is no text; expected CSV or Parquet.") from None
        return data.decode("cp1252", errors="replace")


def _parse_csv(path: Path, text: str, columns: list[str] | None):
    """A data frame whose `attrs["lines"]` has the line in the file of every row."""
    lines = text.splitlines()
    content = [i for i, line in enumerate(lines) if line.strip() and not line.lstrip().startswith(("#", "//", "%"))]
    if not content:
        raise ValueError(f"{path} has no lines with content.")
    header, delimiter, names = _find_header(path, lines, content, columns)
    rows = [i for i in content if i > header]
    if not rows:
        raise ValueError(f"{path} has a header but no rows: at least one sample is needed.")
    table = _read_plain(lines, rows, delimiter, names)
    if table is None:
        table = _read_rows(path, names, _split_rows(path, lines, rows, delimiter, len(names)))
    for name in table.columns:
        if table[name].dtype == object or str(table[name].dtype) in ("str", "string"):
            table[name] = _to_numbers(table[name], delimiter)
    table.attrs["lines"] = [i + 1 for i in rows]
    return table


def _find_header(path: Path, lines: list[str], content: list[int], columns: list[str] | None):
    """Line number (-1 if none), delimiter and names of the columns."""
    if columns is not None:
        if not find_columns(columns):
            raise ValueError(
                f"`columns` must name three axes of force, such as acc_x, acc_y, acc_z, but is {columns}."
            )
        for delimiter in _DELIMITERS:
            fields = _split(lines[content[0]], delimiter)
            if len(fields) == len(columns):
                is_header = not any(re.fullmatch(_NUMBER, field) for field in fields)
                return content[0] if is_header else -1, delimiter, list(columns)
        raise ValueError(f"{path}, line {content[0] + 1}: expected {len(columns)} fields as in `columns`.")
    # Some devices write their header as a comment.
    candidates = [i for i, line in enumerate(lines[:HEADER_LINES]) if line.strip()]
    for i in candidates:
        for delimiter in _DELIMITERS:
            names = _split(lines[i].lstrip("#/% ") if lines[i].lstrip()[:1] in "#/%" else lines[i], delimiter)
            if len(names) >= 3 and find_columns(names):
                return i, delimiter, _without_twins(names)
    first = lines[content[0]]
    if re.fullmatch(rf"\s*{_NUMBER}(?:[\s,;|]+{_NUMBER})+\s*", first):
        raise ValueError(
            f"{path}, line {content[0] + 1}: the file has no header; pass `columns`, for instance "
            "['t', 'acc_x', 'acc_y', 'acc_z', 'gyr_x', 'gyr_y', 'gyr_z']."
        )
    raise ValueError(
        f"{path}, line {content[0] + 1}: no header with three axes of force, such as acc_x, acc_y, acc_z, was found "
        f"in the first {HEADER_LINES} lines; the first is {first[:80]!r}. Rename the columns or pass `columns`."
    )


def _split(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        return line.split()
    if '"' in line:
        try:
            return [field.strip() for field in next(csv.reader([line], delimiter=delimiter, strict=True))]
        except (csv.Error, StopIteration):
            return []
    return [field.strip() for field in line.split(delimiter)]


def _without_twins(names: list[str]) -> list[str]:
    """Names made different, and columns without one given one: an index, or what a delimiter at the end makes."""
    seen, result = {}, []
    for index, name in enumerate(names):
        name = name or f"column {index}"
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} number {seen[name]}")
    return result


def _split_rows(path: Path, lines: list[str], rows: list[int], delimiter: str | None, width: int) -> list[list[str]]:
    fields = []
    for i in rows:
        row = _split(lines[i], delimiter) if delimiter is None or '"' in lines[i] else lines[i].split(delimiter)
        # A delimiter at the end of every row, but not of the header.
        if len(row) == width + 1 and not row[-1].strip():
            row = row[:-1]
        if len(row) != width:
            hint = "the file may be cut off" if i == rows[-1] else "check delimiters and quotes"
            raise ValueError(f"{path}, line {i + 1}: expected {width} fields, but there are {len(row)}; {hint}.")
        fields.append(row)
    return fields


def _read_plain(lines: list[str], rows: list[int], delimiter: str | None, names: list[str]):
    """The fast way, for rows of equal length without quotes; otherwise `None`."""
    import pandas as pd

    if delimiter is None or any(lines[i].count(delimiter) != len(names) - 1 or '"' in lines[i] for i in rows):
        return None
    text = io.StringIO("\n".join(lines[i] for i in rows))
    try:
        return pd.read_csv(
            text, sep=delimiter, header=None, names=names, index_col=False, quoting=csv.QUOTE_NONE, na_filter=False,
            low_memory=False, skip_blank_lines=False,
        )  # fmt: skip
    except (ValueError, OverflowError, MemoryError):
        return None


def _read_rows(path: Path, names: list[str], fields: list[list[str]]):
    import pandas as pd

    return pd.DataFrame(dict(zip(names, map(list, zip(*fields, strict=True)), strict=True)), dtype=object)


def _to_numbers(column, delimiter: str | None):
    """A column of texts as numbers if every field is one, is empty, or says that it is missing."""
    import pandas as pd

    texts = column.astype(object).astype(str).str.strip()
    if delimiter != "," and texts.str.fullmatch(rf"(?:{_NUMBER})?").mean() > 0.5:
        texts = texts.str.replace(",", ".", n=1)
    missing = texts.str.lower().isin(("", "nan", "na", "null", "none"))
    numbers = pd.to_numeric(texts.mask(missing), errors="coerce")
    return numbers if (numbers.notna() | missing).all() and not missing.all() else texts


def _read_logger_folder(folder: Path):
    """The files of one phone as a table: everything at the times of the force."""
    import pandas as pd

    by_name = {file.stem.lower(): file for file in sorted(folder.iterdir()) if file.suffix.lower() == ".csv"}
    files = {
        kind: next((by_name[name] for name in names if name in by_name), None) for kind, names in _LOGGER_FILES.items()
    }
    main = "force" if files["force"] is not None else "linear"
    if files[main] is None:
        raise ValueError(
            f"{folder} is a folder without Accelerometer.csv or TotalAcceleration.csv, the files of the app Sensor "
            f"Logger; it has {sorted(by_name)[:10]}. Pass one file."
        )
    times, values = _read_xyz(files[main])
    word = "acc" if main == "force" else "linear acc"
    columns = {"seconds": times} | {f"{word} {axis}": values[:, i] for i, axis in enumerate("xyz")}
    for kind, word in (("gravity", "gravity"), ("rate", "gyr")):
        if files[kind] is not None and (kind == "rate" or main == "linear"):
            other = interpolate_within(times, *_read_xyz(files[kind]))
            columns |= {f"{word} {axis}": other[:, i] for i, axis in enumerate("xyz")}
    return pd.DataFrame(columns)


def _read_xyz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    table = _read_table(path, None)
    names = [str(name) for name in table.columns]
    column = find_named(names, ("seconds elapsed", "time", "timestamp"))
    if column is None or len(table) < 2:
        raise ValueError(f"{path} must have a column seconds_elapsed or time and two rows or more.")
    channels = next(iter(find_columns(names).values()))
    axes = {axis: name for (_, axis), (name, _) in channels.items()}
    unit = "s" if "elapsed" in column else None
    try:
        times = to_seconds(table[column].to_numpy(), unit, guess=True)
        values = table[[axes[axis] for axis in "xyz"]].to_numpy(np.float64)
    except ValueError as error:
        raise ValueError(f"{path} must hold times and numbers only: {error}") from None
    times, first = np.unique(times, return_index=True)
    return times, values[first]


__all__ = ["read_recording", "read_recordings"]

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Damage to valid files: bytes, words and lines of texts, nodes of JSON, arrays and columns inside of containers."""

import contextlib
import io
import json
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.io import savemat

from anymo_hf.evaluation.har.matlab import read_matrix


HOSTILE_WORDS = (
    "nan", "NaN", "inf", "-inf", "0", "-1", "1e309", "-1e308", "1e-320", "99999999999999999999999", "9" * 400, "",
    "x", "\u00e9", "\ud7ff", "1,5", "0x10", "--", "1_000", "true", "None", "\x00", " ", "2147483648", "1e18",
)  # fmt: skip
HOSTILE_VALUES = (
    None, True, -1, 0, 1, 1.5, 7, 10**9, 10**30, -(10**30), float("nan"), float("inf"), 1e308, "", "x", "0", "\x00",
    [], {}, [None], [[]], {"x": 1}, [0, 0, 0], "../../x",
)  # fmt: skip


def mutate(name: str, data: bytes, rng: np.random.Generator) -> bytes:
    """One to three kinds of damage to a file, of which its suffix tells the format."""
    own = _FORMATS.get(name[name.rfind(".") :].lower(), mutate_text)
    for _ in range(int(rng.integers(1, 4))):
        damage = own if rng.random() < 0.75 else mutate_bytes
        data = damage(data, rng)
    return data


def mutate_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """Flips, cuts, copies or inserts bytes anywhere."""
    if not data:
        return rng.bytes(int(rng.integers(1, 20)))
    # Headers are small and matter most.
    reach = len(data) if rng.random() < 0.5 else min(len(data), 256)
    start = int(rng.integers(0, reach))
    stop = min(len(data), start + int(rng.integers(1, 2 + len(data) // 4)))
    match rng.integers(6):
        case 0:
            flipped = bytearray(data)
            for place in rng.integers(0, reach, size=int(rng.integers(1, 8))):
                flipped[place] ^= 1 << int(rng.integers(8))
            return bytes(flipped)
        case 1:
            return data[:start] + data[stop:]
        case 2:
            return data[:start]
        case 3:
            return data[:stop] + data[start:stop] + data[stop:]
        case 4:
            return data[:start] + rng.bytes(int(rng.integers(1, 9))) + data[start:]
        case _:
            return data[:start] + rng.choice([b"\x00", b"\xff", b"\x7f"]) * min(8, stop - start) + data[start + 8 :]


def mutate_text(data: bytes, rng: np.random.Generator) -> bytes:
    """Other words, other lines, other order, other ends of lines."""
    text = data.decode("utf-8", errors="surrogateescape")
    pieces = re.split(r"([\s,;:=<>\"{}]+)", text)
    lines = text.split("\n")
    word, line, other = int(rng.integers(0, len(pieces), endpoint=False) // 2 * 2), *rng.integers(0, len(lines), 2)
    match rng.integers(9):
        case 0 | 1 | 2:
            pieces[word] = str(rng.choice(HOSTILE_WORDS))
            text = "".join(pieces)
        case 3:
            pieces[word] = pieces[int(rng.integers(0, len(pieces)) // 2 * 2)]
            text = "".join(pieces)
        case 4:
            del lines[line]
            text = "\n".join(lines)
        case 5:
            lines[line], lines[other] = lines[other], lines[line]
            text = "\n".join(lines)
        case 6:
            text = "\n".join(lines[:line] + [lines[other]] * int(rng.integers(1, 50)) + lines[line:])
        case 7:
            text = text.replace(*((" ", "\t"), ("\n", "\r"), (",", ";"), ("\n", "\n\n"), (".", ","))[rng.integers(5)])
        case _:
            text = "\n".join(lines[: max(1, line)])
    return text.encode("utf-8", errors="surrogatepass" if _has_lone_surrogates(text) else "surrogateescape")


def _has_lone_surrogates(text: str) -> bool:
    return any("\ud800" <= letter <= "\udc7f" for letter in text)


def mutate_json(data: bytes, rng: np.random.Generator) -> bytes:
    """One node becomes something else, goes, or moves; the result is JSON still."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return mutate_text(data, rng)
    if rng.random() < 0.05:
        return b"[" * 100_000
    return json.dumps(_mutate_node(content, rng)).encode()


def mutate_json_lines(data: bytes, rng: np.random.Generator) -> bytes:
    """One line of a file that has an object on each."""
    lines = data.split(b"\n")
    line = int(rng.integers(len(lines)))
    lines[line] = mutate_json(lines[line], rng)
    return b"\n".join(lines)


def _mutate_node(content, rng: np.random.Generator):
    places = [((), content)]
    for path, node in places:
        if len(places) > 5000:
            break
        entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        places += [((*path, key), child) for key, child in entries]
    # Few of the many numbers of a long list, more of what stands near the root.
    depth = int(rng.integers(0, 1 + max(len(path) for path, _ in places)))
    at_depth = [path for path, _ in places if len(path) == depth]
    path = at_depth[int(rng.integers(len(at_depth)))]
    new = _choose(HOSTILE_VALUES if rng.random() < 0.7 else [node for _, node in places], rng)
    if not path:
        return new
    content = json.loads(json.dumps(content))
    parent = content
    for key in path[:-1]:
        parent = parent[key]
    if rng.random() < 0.25:
        del parent[path[-1]]
    else:
        parent[path[-1]] = new
    return content


def _choose(items, rng: np.random.Generator):
    return items[int(rng.integers(len(items)))]


def mutate_array(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another type, shape, order or content."""
    array = np.array(array)
    match rng.integers(9):
        case 0:
            kinds = ("f2", "f4", "i1", "u8", "i8", "?", "c8", "U3", "S3", "M8[s]", ">f8")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    return array.astype(str(rng.choice(kinds)))
                except (ValueError, TypeError):
                    return array[..., None]
        case 1:
            return array[None]
        case 2:
            return array.ravel()
        case 3:
            return array[: int(rng.integers(0, 1 + len(array)))] if array.ndim else np.zeros((0, 3))
        case 4:
            return array[..., : int(rng.integers(0, 1 + array.shape[-1]))] if array.ndim else array.reshape(1, 1)
        case 5:
            return array[::-1].copy() if array.ndim else np.array([array, array])
        case 6 | 7 if array.dtype.kind in "fiu" and array.size:
            changed = array.astype(np.float64) if array.dtype.kind != "f" or rng.random() < 0.5 else array.copy()
            places = rng.integers(0, changed.size, size=int(rng.integers(1, 4)))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                changed.flat[places] = _choose((np.nan, np.inf, -np.inf, 0, -1, 1e300, -1e300, 1e-300, 2**63), rng)
            return changed
        case _:
            return np.zeros((0,) * array.ndim, array.dtype)


def mutate_npz(data: bytes, rng: np.random.Generator) -> bytes:
    """Entries are changed inside of an archive whose sums are right again."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = {name: archive.read(name) for name in archive.namelist()}
    except Exception:  # damaged before
        return mutate_bytes(data, rng)
    if entries:
        name = _choose(sorted(entries), rng)
        match rng.integers(6):
            case 0:
                del entries[name]
            case 1:
                entries[name] = entries[_choose(sorted(entries), rng)]
            case 2:
                entries[name] = mutate_bytes(entries[name], rng)
            case 3:
                entries[name] = mutate_npy(entries[name], rng, header=True)
            case _:
                entries[name] = mutate_npy(entries[name], rng)
    packed = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if rng.random() < 0.2 else zipfile.ZIP_STORED
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return packed.getvalue()


def mutate_npy(data: bytes, rng: np.random.Generator, header: bool = False) -> bytes:
    """An array as numpy saves it: its content, or what its header says of it."""
    if header and data[:6] == b"\x93NUMPY":
        text = data[10 : data.find(b"\n") + 1]
        numbers = re.findall(rb"\d+", text) or [b"0"]
        claimed = _choose((b"0", b"1", b"-1", b"1000000", b"99999999999999999999", b"2305843009213693952"), rng)
        new = text.replace(_choose(numbers, rng), claimed) if rng.random() < 0.7 else mutate_text(text, rng)
        return data[:8] + struct.pack("<H", min(65535, len(new))) + new + data[10 + len(text) :]
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except Exception:  # damaged before; whatever numpy says of it
        return mutate_bytes(data, rng)
    saved = io.BytesIO()
    np.save(saved, mutate_array(array, rng))
    return saved.getvalue()


def mutate_glb(data: bytes, rng: np.random.Generator) -> bytes:
    """The JSON of a glTF file, its lengths right again."""
    if data[:4] != b"glTF" or len(data) < 20:
        return mutate_bytes(data, rng)
    (size,) = struct.unpack_from("<I", data, 12)
    text, rest = mutate_json(data[20 : 20 + size], rng), data[20 + size :]
    text += b" " * (-len(text) % 4)
    return (
        struct.pack("<4sII", b"glTF", 2, 20 + len(text) + len(rest))
        + struct.pack("<I4s", len(text), b"JSON")
        + text
        + rest
    )


def mutate_safetensors(data: bytes, rng: np.random.Generator) -> bytes:
    """The header, in which the metadata are JSON within JSON."""
    (size,) = struct.unpack_from("<Q", data.ljust(8, b"\0"))
    try:
        header = json.loads(data[8 : 8 + size])
        inner = header["__metadata__"]["anymo"].encode()
    except Exception:  # damaged before
        return mutate_bytes(data, rng)
    if rng.random() < 0.6:
        header["__metadata__"]["anymo"] = mutate_json(inner, rng).decode("utf-8", errors="replace")
        text = json.dumps(header).encode()
    else:
        text = mutate_json(data[8 : 8 + size], rng)
    return struct.pack("<Q", len(text)) + text + data[8 + size :]


def mutate_parquet(data: bytes, rng: np.random.Generator) -> bytes:
    """Columns of another type, other values, other names, other rows."""
    try:
        table = pq.read_table(io.BytesIO(data))
        names = table.column_names  # which need not be UTF-8
    except Exception:  # damaged before
        return mutate_bytes(data, rng)
    if not names:
        return mutate_bytes(data, rng)
    index = int(rng.integers(len(names)))
    name, column = names[index], table.column(index).combine_chunks()
    match rng.integers(7):
        case 0:
            table = table.drop_columns([name])
        case 1:
            table = table.set_column(index, str(_choose((*names, "x", "", name.upper()), rng)), column)
        case 2:
            kinds = (pa.string(), pa.float32(), pa.int64(), pa.bool_(), pa.null(), pa.timestamp("us"), pa.binary())
            try:
                new = column.cast(_choose(kinds, rng), safe=False)
            except (pa.ArrowException, NotImplementedError):
                new = pa.nulls(len(column))
            table = table.set_column(index, name, new)
        case 3 | 4:
            values = column.to_pylist()
            for place in rng.integers(0, max(1, len(values)), size=min(3, len(values))):
                floats = (None, float("nan"), float("inf"), -1.0, 0.0, 1e300, -1e300)
                strings = (None, "", "x", "\u00e9" * 50, "-1")
                values[int(place)] = _choose(strings if pa.types.is_string(column.type) else floats, rng)
            try:
                table = table.set_column(index, name, pa.array(values, column.type))
            except (pa.ArrowException, TypeError, ValueError, OverflowError):
                table = table.set_column(index, name, pa.nulls(len(column)))
        case 5:
            table = table.slice(0, int(rng.integers(0, 1 + table.num_rows)))
        case _:
            table = table.take(pa.array(rng.permutation(table.num_rows)))
    saved = io.BytesIO()
    try:
        pq.write_table(table, saved, row_group_size=max(1, table.num_rows // 2))
    except pa.ArrowException:
        return mutate_bytes(data, rng)
    return saved.getvalue()


def mutate_mat(data: bytes, rng: np.random.Generator) -> bytes:
    """The matrix of a MATLAB file, or one of the words that tell types, sizes and flags."""
    if rng.random() < 0.5:
        return mutate_words(data, rng)
    name, array = _find_matrix(data)
    if array is None:  # damaged before
        return mutate_bytes(data, rng)
    changed = _choose((mutate_array(array, rng), {"x": array}, "text", [array, "x"]), rng)
    name = name if rng.random() < 0.9 else "other"
    saved = io.BytesIO()
    try:
        savemat(saved, {name: changed}, do_compression=rng.random() < 0.3)
    except Exception:  # a type that MATLAB has not
        return mutate_bytes(data, rng)
    return saved.getvalue()


def _find_matrix(data: bytes) -> tuple[str, np.ndarray | None]:
    # Not by scipy, in which a damaged file ends the process.
    for name in ("d_iner", "sensor_readings"):
        with contextlib.suppress(ValueError):
            return name, read_matrix(data, name)
    return "", None


def mutate_words(data: bytes, rng: np.random.Generator) -> bytes:
    """One of the 32-bit words after the first 128 bytes, the nearer the more often; inside of compressed parts too."""
    if data[128:132] == b"\x0f\0\0\0" and rng.random() < 0.8:
        with contextlib.suppress(zlib.error):
            packed = zlib.compress(mutate_words(bytes(128) + zlib.decompress(data[136:]), rng)[128:])
            return data[:132] + struct.pack("<I", len(packed)) + packed
    if len(data) < 132:
        return mutate_bytes(data, rng)
    last = (len(data) - 132) // 4
    place = 128 + 4 * int(rng.integers(0, 1 + (last if rng.random() < 0.2 else min(last, 16))))
    word = int(_choose((*range(20), 48, 64, 255, 256, 257, 2**16 + 1, 2**31 - 1, 2**31, 2**32 - 1), rng))
    return data[:place] + struct.pack("<I", word) + data[place + 4 :]


_FORMATS: dict[str, Callable[[bytes, np.random.Generator], bytes]] = {
    ".npz": mutate_npz,
    ".npy": mutate_npy,
    ".glb": mutate_glb,
    ".json": mutate_json,
    ".jsonl": mutate_json_lines,
    ".safetensors": mutate_safetensors,
    ".parquet": mutate_parquet,
    ".mat": mutate_mat,
    ".pkl": mutate_bytes,
}

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
One matrix of a MATLAB 5 file, by "MAT-File Format" of MathWorks.

`scipy.io.loadmat` reads the whole file, and a type that the format does not know ends the process in it.
"""

import struct
import zlib
from collections.abc import Iterator

import numpy as np


HEADER_SIZE = 128  # bytes
BYTE_ORDERS = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}  # version and letters at the end of the header
# Types of elements.
INT8, INT32, UINT32, MATRIX, COMPRESSED = 1, 5, 6, 14, 15
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
# Classes of matrices: double, single, then whole numbers of 8 to 64 bits; before them text, cells, sparse ones.
NUMERIC_CLASSES = range(6, 16)
COMPLEX = 0x08  # among the flags
LONGEST_NAME = 63  # letters
LARGEST_MATRIX = 2**28  # bytes that may come out of a compressed element: 15 hours of six columns at 100 Hz


def read_matrix(data: bytes, variable: str) -> np.ndarray:
    """
    A real, full matrix of a MATLAB 5 file; what else the file holds is passed by.

    Args:
        data (`bytes`):
            The file.
        variable (`str`):
            The name of the matrix; the first of that name counts.

    Returns:
        `np.ndarray` of shape `(num_rows, num_columns)`: Its numbers, of whatever type, as float64.

    Raises:
        `ValueError`: What is wrong with the file.
    """
    order = BYTE_ORDERS.get(bytes(data[HEADER_SIZE - 4 : HEADER_SIZE]))
    if order is None:
        raise ValueError("its header is not that of a MATLAB 5 file")
    found = []
    for kind, content in _elements(memoryview(data)[HEADER_SIZE:], order):
        if kind == COMPRESSED:
            kind, content = next(_elements(_decompress(content), order), (0, b""))
        if kind == MATRIX:
            parts = _elements(content, order)
            (flags_kind, flags), (shape_kind, shape), (name_kind, name) = (next(parts, (0, b"")) for _ in range(3))
            if bytes(name) == variable.encode():
                if (flags_kind, len(flags), shape_kind, name_kind) != (UINT32, 8, INT32, INT8):
                    raise ValueError("flags, shape and name of the matrix are damaged")
                return _numbers(flags, shape, *next(parts, (0, b"")), order)
            found.append(bytes(name[:LONGEST_NAME]).decode("latin-1"))
    raise ValueError(f"it has the variables {found}")


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Type and content of each element, none of which may end beyond the data."""
    start = 0
    while start < len(data):
        if len(data) - start < 8:
            raise ValueError("it ends within an element")
        kind, size = struct.unpack_from(order + "II", data, start)
        start += 8
        room = size if kind == COMPRESSED else size + -size % 8
        if kind >> 16:  # a short element: at most four bytes, in place of the size
            kind, size, start, room = kind & 0xFFFF, kind >> 16, start - 4, 4
            if size > 4:
                raise ValueError(f"a short element claims {size} bytes")
        if size > len(data) - start:
            raise ValueError(f"an element claims {size} bytes, but {len(data) - start} are left")
        yield kind, data[start : start + size]
        start += room


def _decompress(content: memoryview) -> memoryview:
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(content, LARGEST_MATRIX)
    except zlib.error as error:
        raise ValueError(f"a compressed element is damaged ({error})") from error
    if not stream.eof:
        raise ValueError(f"a compressed element is cut off or holds more than {LARGEST_MATRIX} bytes")
    return memoryview(data)


def _numbers(flags: memoryview, shape: memoryview, kind: int, content: memoryview, order: str) -> np.ndarray:
    """The matrix itself, of which every size must agree with every other."""
    word = struct.unpack_from(order + "I", flags)[0]
    if word & 0xFF not in NUMERIC_CLASSES or word >> 8 & COMPLEX or kind not in NUMBERS:
        raise ValueError(
            f"the variable must be a full matrix of real numbers, but its class is {word & 0xFF}, its flags are "
            f"{word >> 8 & 0xFF:#x} and its type is {kind}"
        )
    if len(shape) != 8:
        raise ValueError(f"the variable must have two dimensions, but has {len(shape) // 4}")
    rows, columns = struct.unpack(order + "ii", shape)
    dtype = np.dtype(order + NUMBERS[kind])
    if min(rows, columns) < 0 or rows * columns * dtype.itemsize != len(content):
        raise ValueError(f"{rows} x {columns} numbers of type {dtype} do not fill {len(content)} bytes")
    return np.frombuffer(content, dtype).reshape((rows, columns), order="F").astype(np.float64)

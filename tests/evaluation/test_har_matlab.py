# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Matrices of MATLAB 5 files: those of scipy and of MATLAB itself, and damaged ones that killed the process."""

import io
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from scipy.io import loadmat, savemat
from scipy.sparse import csc_array

from anymo_hf.evaluation.har.layouts import load_matlab
from anymo_hf.evaluation.har.matlab import read_matrix


HEADER = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
VALUES = np.array([[1.0, 0.0, -0.5, 180.0, 0.0, -90.0]])
# Types of the format that hold no numbers (a matrix, a compressed element, text) and numbers that are none at all.
NO_NUMBERS = (0, 8, 10, 11, 14, 15, 16, 19, 20, 200, 0x0101, 0x12345678, 0xFFFFFFFF)
FROM_MATLAB = Path(scipy.io.__file__).parent / "matlab" / "tests" / "data"


def matrix(variable=b"d_iner", kind=6, flags=0, shape=(1, 6), data_type=9, size=48):
    """The element of a matrix: flags, shape, name, numbers, each with its type and size."""
    content = struct.pack("<IIBBHI", 6, 8, kind, flags, 0, 0)
    content += struct.pack(f"<II{len(shape)}i", 5, 4 * len(shape), *shape) + bytes(4 * len(shape) % 8)
    content += struct.pack("<II", 1, len(variable)) + variable + bytes(-len(variable) % 8)
    content += struct.pack("<II", data_type, size) + VALUES.tobytes()
    return struct.pack("<II", 14, len(content)) + content


def compressed(element: bytes) -> bytes:
    packed = zlib.compress(element)
    return struct.pack("<II", 15, len(packed)) + packed


def saved(variables: dict, **options) -> bytes:
    file = io.BytesIO()
    savemat(file, variables, **options)
    return file.getvalue()


def test_a_type_that_holds_no_numbers_does_not_end_the_process(tmp_path):
    for code in NO_NUMBERS:
        (tmp_path / f"a21_s4_t{code}_inertial.mat").write_bytes(HEADER + matrix(data_type=code))
    # In a process of its own, because a reader that trusts the type ends it by a segmentation fault.
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from anymo_hf.evaluation.har.layouts import load_matlab\n"
        "for path in sorted(Path(sys.argv[1]).iterdir()):\n"
        "    try:\n"
        "        load_matlab(path, 'd_iner', 'UTD-MHAD')\n"
        "    except ValueError as error:\n"
        "        print(error)\n"
    )
    child = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True)
    assert child.returncode == 0, child.stderr
    lines = child.stdout.splitlines()
    assert len(lines) == len(NO_NUMBERS)
    assert all("_inertial.mat is no UTD-MHAD file with `d_iner` (" in line for line in lines)
    assert all(line.endswith("; download it again.") for line in lines)


def test_the_matrix_that_a_damaged_one_was_made_of_is_read():
    np.testing.assert_array_equal(read_matrix(HEADER + matrix(), "d_iner"), VALUES)


KINDS = ("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")


@pytest.mark.parametrize("do_compression", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(7, 6), (1, 1), (3, 1), (0, 6), (0, 0)])
def test_every_kind_of_number_is_read_as_scipy_reads_it(kind, shape, do_compression):
    values = (np.arange(np.prod(shape)).reshape(shape) * 1.5).astype(kind)
    # Before it come what is no matrix of numbers, and names that start alike or fit into a short element.
    variables = {
        "title": "USC-HAD",
        "d_iner2": np.ones((2, 2)),
        "cells": np.array([1.0, "x"], dtype=object),
        "fields": {"age": 30, "note": "x"},
        "sparse": csc_array(np.eye(3)),
        "empty": np.zeros((0, 0)),
        "d_iner": values,
        "last": 1j,
    }
    data = saved(variables, do_compression=do_compression)
    read = read_matrix(data, "d_iner")
    assert read.dtype == np.float64
    np.testing.assert_array_equal(read, loadmat(io.BytesIO(data))["d_iner"].astype(np.float64))
    np.testing.assert_array_equal(read, values)


def test_files_that_matlab_wrote_are_read_as_scipy_reads_them():
    """Both byte orders, compressed or not, short elements, whole numbers that MATLAB stores in fewer bytes."""
    if not FROM_MATLAB.is_dir():
        pytest.skip("this scipy comes without its test data")
    compared = set()
    for path in sorted(FROM_MATLAB.glob("test*.mat")):
        data = path.read_bytes()
        if data[124:128] not in (b"\x00\x01IM", b"\x01\x00MI"):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            variables = loadmat(path)
        for name, value in variables.items():
            if isinstance(value, np.ndarray) and value.dtype.kind in "bfiu" and value.ndim == 2:
                np.testing.assert_array_equal(read_matrix(data, name), value, err_msg=path.name)
                compared.add((path.name, data[126:128]))
            elif not name.startswith("__"):
                with pytest.raises(ValueError, match="variable must"):
                    read_matrix(data, name)
    assert len(compared) > 10 and {order for _, order in compared} == {b"IM", b"MI"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "its header is not that of a MATLAB 5 file"),
        (b"\x89HDF\r\n\x1a\n" + bytes(500), "its header is not that of a MATLAB 5 file"),
        (HEADER, r"it has the variables \[\]"),
        (HEADER + matrix(b"d_skel") + matrix(b"x"), r"it has the variables \['d_skel', 'x'\]"),
        (HEADER + matrix()[:-1], "an element claims 104 bytes, but 103 are left"),
        (HEADER + matrix()[:5], "it ends within an element"),
        (HEADER + struct.pack("<II", 14, 2**32 - 1), "an element claims 4294967295 bytes, but 0 are left"),
        (HEADER + matrix(size=56), "an element claims 56 bytes, but 48 are left"),
        (HEADER + matrix(size=40), "1 x 6 numbers of type float64 do not fill 40 bytes"),
        (HEADER + matrix(shape=(2, 6)), "2 x 6 numbers of type float64 do not fill 48 bytes"),
        (HEADER + matrix(shape=(-1, -6)), "-1 x -6 numbers of type float64 do not fill 48 bytes"),
        (HEADER + matrix(shape=(2**31 - 1, 2**31 - 1)), "do not fill 48 bytes"),
        (HEADER + matrix(shape=(1, 6, 1)), "must have two dimensions, but has 3"),
        (HEADER + matrix(shape=(6,)), "must have two dimensions, but has 1"),
        (HEADER + matrix(data_type=7), "1 x 6 numbers of type float32 do not fill 48 bytes"),
        (HEADER + matrix(kind=4), "must be a full matrix of real numbers, but its class is 4"),  # text
        (HEADER + matrix(kind=5), "but its class is 5"),  # sparse
        (HEADER + matrix(kind=16), "but its class is 16"),  # a function
        (HEADER + matrix(flags=8), "its flags are 0x8"),  # complex
        (HEADER + matrix()[:8] + b"\x07" + matrix()[9:], "flags, shape and name of the matrix are damaged"),
        (HEADER + struct.pack("<HHI", 1, 5, 0), "a short element claims 5 bytes"),
        (HEADER + compressed(matrix())[:8] + b"y" + compressed(matrix())[9:], "a compressed element is damaged"),
        (HEADER + compressed(matrix())[:-1], "are left"),
        (HEADER + struct.pack("<II", 15, 9) + zlib.compress(matrix())[:9], "a compressed element is cut off"),
        (HEADER + compressed(matrix()[:50]), "an element claims 104 bytes, but 42 are left"),
        (HEADER + compressed(b""), r"it has the variables \[\]"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(data, message):
    with pytest.raises(ValueError, match=message):
        read_matrix(data, "d_iner")


def test_a_compressed_element_cannot_fill_the_memory(monkeypatch):
    monkeypatch.setattr("anymo_hf.evaluation.har.matlab.LARGEST_MATRIX", 100)
    with pytest.raises(ValueError, match="cut off or holds more than 100 bytes"):
        read_matrix(HEADER + compressed(matrix()), "d_iner")


def test_elements_after_a_compressed_one_start_anywhere():
    first = compressed(matrix(b"d_skel"))
    assert len(first) % 8
    np.testing.assert_array_equal(read_matrix(HEADER + first + matrix(), "d_iner"), VALUES)


@pytest.mark.parametrize("pack", [bytes, compressed])
def test_no_changed_byte_gives_numbers_of_another_shape(pack):
    good = HEADER + pack(matrix())
    outcomes = set()
    for place in range(len(good)):
        for value in {0, 1, 4, 6, 8, 15, 127, 128, 255} - {good[place]}:
            data = good[:place] + bytes([value]) + good[place + 1 :]
            try:
                assert read_matrix(data, "d_iner").size == 6
                outcomes.add("read")
            except ValueError:
                outcomes.add("refused")
    assert outcomes == {"read", "refused"}


def test_no_cut_file_is_read():
    for pack in (bytes, compressed):
        good = HEADER + pack(matrix())
        for length in range(len(good)):
            with pytest.raises(ValueError, match=r"MATLAB|ends|left|variables|cut off"):
                read_matrix(good[:length], "d_iner")


def test_the_text_before_the_readings_of_usc_had_is_passed_by(tmp_path):
    path, readings = tmp_path / "a1t1.mat", np.tile(VALUES, (5, 1))
    variables = {"title": "USC", "version": "1.0", "age": "30", "sensor_readings": readings}
    savemat(path, variables)
    np.testing.assert_array_equal(load_matlab(path, "sensor_readings", "USC-HAD"), readings)

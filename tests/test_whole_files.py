# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Files that are there as a whole or not at all."""

import os

import pytest

from anymo_hf.whole_files import remove_unfinished, written_whole


def test_a_file_takes_its_place_when_it_is_written(tmp_path):
    path = tmp_path / "one.txt"
    path.write_text("old")
    with written_whole(path) as unfinished:
        unfinished.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new" and os.listdir(tmp_path) == ["one.txt"]


def test_writing_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "one.txt"
    path.write_text("old")
    with pytest.raises(OSError, match="disk full"), written_whole(path) as unfinished:
        unfinished.write_text("half")
        raise OSError("disk full")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["one.txt"]


def test_leftovers_of_killed_runs_go(tmp_path):
    names = ["one.txt.999999999.unfinished", f"two.txt.{os.getppid()}.unfinished", "three.txt"]
    for name in names:
        (tmp_path / name).touch()
    remove_unfinished(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted(names[1:])

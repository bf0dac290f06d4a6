# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Saving and loading our own motion files."""

import numpy as np
import pytest

from anymo_hf.simulation.motion import SegmentMotion, TextSpan
from anymo_hf.simulation.readers import load_motion, save_motion


def some_motion(**options) -> SegmentMotion:
    generator = np.random.default_rng(0)
    turns = generator.normal(size=(5, 23, 4))
    turns /= np.linalg.norm(turns, axis=-1, keepdims=True)
    return SegmentMotion(generator.normal(size=(5, 23, 3)), turns, np.arange(5) / 60 + 0.25, **options)


@pytest.mark.parametrize("complete", [True, False])
def test_round_trip_changes_nothing(tmp_path, complete):
    options = {
        "mask": np.arange(115).reshape(5, 23) % 7 > 0,
        "bone_offsets": np.random.default_rng(1).normal(size=(23, 3)),
        "texts": (TextSpan(0.25, 0.3, "läuft", "label"), TextSpan(0.25, 0.3, "A person runs.")),
        "source": {"name": "x", "dataset": "d", "sha256": "0", "subject": "7"},
    }
    motion = some_motion(**(options if complete else {}))
    save_motion(motion, tmp_path / "a.npz")
    loaded = load_motion(tmp_path / "a.npz")
    for name in ("positions", "timestamps", "mask", "bone_offsets"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(motion, name))
    # The class normalises again.
    np.testing.assert_allclose(loaded.orientations, motion.orientations, atol=1e-15)
    assert loaded.texts == motion.texts
    assert motion.source.items() <= loaded.source.items()
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    save_motion(some_motion(), tmp_path / "a.npz")
    before = (tmp_path / "a.npz").read_bytes()
    monkeypatch.setattr("os.replace", lambda *paths: (_ for _ in ()).throw(OSError("disk")))
    with pytest.raises(OSError, match="disk"):
        save_motion(some_motion(), tmp_path / "a.npz")
    assert (tmp_path / "a.npz").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_other_suffix_is_refused(tmp_path):
    with pytest.raises(ValueError, match="change its suffix"):
        save_motion(some_motion(), tmp_path / "a.bvh")


def set_method(archive: bytes) -> bytes:
    entry = archive.index(b"PK\x01\x02")
    return archive[: entry + 10] + b"\x63" + archive[entry + 11 :]


def test_hostile_files_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    pickled = {"positions": np.array([{"a": 1}], dtype=object), "format_version": 1}
    for write in (
        lambda: path.write_bytes(b""),
        lambda: path.write_bytes(b"PK\x03\x04 not a zip"),
        lambda: np.savez(path, a=np.zeros(3)),
        lambda: np.savez(path, **pickled, allow_pickle=True),
        lambda: save_motion(some_motion(), path) or path.write_bytes(path.read_bytes()[:-3000]),
        lambda: save_motion(some_motion(), path) or path.write_bytes(path.read_bytes().replace(b"NUMPY", b"NUMPI")),
        # Central directory gone; an unknown compression method.
        lambda: (
            save_motion(some_motion(), path)
            or path.write_bytes(path.read_bytes().replace(b"PK\x01\x02", b"PK\x01\x09"))
        ),
        lambda: save_motion(some_motion(), path) or path.write_bytes(set_method(path.read_bytes())),
    ):
        write()
        with pytest.raises(ValueError, match=r"a\.npz is no motion"):
            load_motion(path)

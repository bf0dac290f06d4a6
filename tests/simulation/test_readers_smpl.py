# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""AMASS motion and SMPL model files, in files of the published layout."""

import io
import os
import pickle
import pickletools
import sys
import types

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anymo_hf.processing.placements_anymo import SEGMENTS
from anymo_hf.simulation.readers import load_motion
from anymo_hf.simulation.readers.smpl import (
    SMPL_JOINTS,
    SMPL_PARENTS,
    average_joints,
    read_amass,
    read_model_joints,
)
from anymo_hf.simulation.segments import DEFAULT_BONE_OFFSETS, tpose_positions


INDEX = {segment: i for i, segment in enumerate(SEGMENTS)}
# Takes the model (x left, y up, facing z) to a person who faces +x in a world with z up.
FACING_X = Rotation.from_matrix([[0, 0, 1], [1, 0, 0], [0, 1, 0]])


def standing(num_frames: int = 4, width: int = 156, rate_key: str = "mocap_framerate") -> dict[str, np.ndarray]:
    poses = np.zeros((num_frames, width))
    poses[:, :3] = FACING_X.as_rotvec()
    trans = np.zeros((num_frames, 3)) + [0.1, 0.2, 0.9]
    return {
        "poses": poses,
        "trans": trans,
        rate_key: np.array(120.0),
        "gender": np.array("female"),
        "betas": np.ones(16),
    }


def write(folder, **changes):
    path = folder / "01_01_poses.npz"
    arrays = standing() | changes
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


def model(num_joints: int = 24) -> dict[str, np.ndarray]:
    """One vertex at every joint of a body 1.05 times the average, with the pelvis off the origin; beta 0 grows it."""
    joints = np.zeros((num_joints, 3))
    joints[:22] = 1.05 * average_joints() + [0, -0.24, 0.03]
    parents = np.zeros(num_joints, np.uint32)
    parents[:22] = np.array(SMPL_PARENTS, np.int64).astype(np.uint32)
    shapes = np.zeros((num_joints, 3, 10))
    shapes[:, :, 0] = 0.02 * joints
    return {
        "v_template": joints,
        "shapedirs": shapes,
        "J_regressor": np.eye(num_joints),
        "kintree_table": np.stack([parents, np.arange(num_joints, dtype=np.uint32)]),
    }


@pytest.mark.parametrize(
    ("width", "rate_key"), [(72, "mocap_framerate"), (156, "mocap_framerate"), (165, "mocap_frame_rate")]
)
def test_standing_person_is_the_t_pose(tmp_path, width, rate_key):
    path = write(tmp_path, **({"mocap_framerate": None} | standing(width=width, rate_key=rate_key)))
    motion = load_motion(path)
    np.testing.assert_allclose(np.abs(motion.orientations[..., 0]), 1, atol=1e-12)
    np.testing.assert_allclose(motion.positions[0], tpose_positions() + [0.1, 0.2, 0.9], atol=1e-9)
    np.testing.assert_allclose(motion.bone_offsets, DEFAULT_BONE_OFFSETS, atol=1e-9)
    np.testing.assert_allclose(motion.timestamps, np.arange(4) / 120)
    assert motion.source["gender"] == "female"
    assert motion.source["body"] == "average bone offsets"
    assert motion.source["name"] == "01_01_poses"


def test_turns_of_body_and_elbow(tmp_path):
    angles = np.linspace(0, 1.2, 5)
    arrays = standing(num_frames=5)
    # The person turns left in the world; the left elbow bends forwards, which in the model is about -y.
    heading = Rotation.from_rotvec(np.outer(angles, [0, 0, 1])) * FACING_X
    arrays["poses"][:, :3] = heading.as_rotvec()
    elbow = SMPL_JOINTS.index("left_elbow")
    arrays["poses"][:, 3 * elbow + 1] = -angles
    motion = read_amass(write(tmp_path, **arrays))
    turned = Rotation.from_quat(motion.orientations[:, :, [1, 2, 3, 0]].reshape(-1, 4)).as_rotvec().reshape(5, 23, 3)
    np.testing.assert_allclose(turned[:, INDEX["Pelvis"]], np.outer(angles, [0, 0, 1]), atol=1e-9)
    np.testing.assert_allclose(turned[:, INDEX["L_UpperArm"]], np.outer(angles, [0, 0, 1]), atol=1e-9)
    # A left arm that points left and bends forwards turns about -z, which here takes the heading back.
    np.testing.assert_allclose(turned[:, INDEX["L_Forearm"]], 0, atol=1e-9)
    np.testing.assert_allclose(turned[:, INDEX["L_Hand"]], 0, atol=1e-9)
    bone = motion.positions[:, INDEX["L_Hand"]] - motion.positions[:, INDEX["L_Forearm"]]
    np.testing.assert_allclose(bone, np.tile([0, 0.243, 0], (5, 1)), atol=1e-9)


class FakePickle:
    """A model file as the makers wrote it: chumpy arrays and a sparse matrix, in protocol 2."""

    def __init__(self, monkeypatch):
        for name in ("chumpy", "chumpy.ch", "chumpy.reordering"):
            monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
        self.ch = type("Ch", (), {"__module__": "chumpy.ch"})
        self.select = type("Select", (), {"__module__": "chumpy.reordering"})
        sys.modules["chumpy.ch"].Ch, sys.modules["chumpy.reordering"].Select = self.ch, self.select

    def dumps(self, arrays: dict) -> bytes:
        from scipy.sparse import csc_matrix

        template, shapes = self.ch(), self.select()
        template.x, template._dirty_vars = arrays["v_template"], set()
        whole = self.ch()
        whole.x = np.pad(arrays["shapedirs"], ((0, 0), (0, 0), (0, 5)))
        shapes.a, shapes.preferred_shape = whole, arrays["shapedirs"].shape
        shapes.idxs = np.arange(whole.x.size).reshape(whole.x.shape)[:, :, :10].ravel()
        content = arrays | {"v_template": template, "shapedirs": shapes, "bs_type": "lrotmin"}
        content["J_regressor"] = csc_matrix(arrays["J_regressor"])
        return pickle.dumps(content, protocol=2)


@pytest.mark.parametrize("kind", ["npz", "pkl"])
def test_the_users_model_gives_bone_lengths(tmp_path, monkeypatch, kind):
    path = tmp_path / f"model.{kind}"
    if kind == "npz":
        np.savez(path, joint2num=np.array({"a": 1}, dtype=object), **model())
    else:
        path.write_bytes(FakePickle(monkeypatch).dumps(model()))
    np.testing.assert_allclose(read_model_joints(path), model()["v_template"][:22], atol=1e-12)
    motion = read_amass(write(tmp_path), model_path=path)
    size = 1.05 * 1.02
    np.testing.assert_allclose(motion.bone_offsets, size * DEFAULT_BONE_OFFSETS, atol=1e-9)
    # The model turns about its pelvis, so that its place at rest is added without being turned.
    expected = np.array([0.1, 0.2, 0.9]) + 1.02 * np.array([0, -0.24, 0.03])
    np.testing.assert_allclose(motion.positions[0, 0], expected, atol=1e-9)
    assert motion.source["body"] == path.name


class RunsCode:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "attack",
    [
        RunsCode(os.system, "touch owned"),
        RunsCode(eval, "open('owned', 'w')"),
        RunsCode(getattr, dict, "get"),
        RunsCode(np.load, "x"),
        RunsCode(io.open, "owned", "w"),
        {"v_template": RunsCode(os.mkdir, "owned")},
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_pickles_that_run_code_are_refused(tmp_path, monkeypatch, attack, protocol):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(model() | {"extra": attack}, protocol=protocol))
    with pytest.raises(ValueError, match="not allowed and may be an attack"):
        read_model_joints(path)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a pickle",
        pickle.dumps([1, 2]),
        pickle.dumps({"v_template": np.zeros((3, 3))}),
        pickle.dumps(model())[:200],
        b"cnumpy\nndarray.tofile\n.",
        b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.",
        b"c_codecs\nencode\n(S'a'\nS'zip'\ntR.",
        b"ccopy_reg\n_reconstructor\n(cnumpy\nndarray\nc__builtin__\nobject\nNtR.",
        b"cnumpy\nndarray\n((I9999999999999\ntS'd'\ntR.",
        b"ccopy_reg\n_reconstructor\n(cchumpy.ch\nCh\nc__builtin__\nobject\nNtRI5\nb.",
    ],
)
def test_damaged_pickles_are_refused(tmp_path, data):
    path = tmp_path / "model.pkl"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"model\.pkl is no SMPL model"):
        read_model_joints(path)


def test_arrays_that_contain_themselves_or_lie_are_refused(tmp_path, monkeypatch):
    fake = FakePickle(monkeypatch)
    path = tmp_path / "model.pkl"
    endless = fake.select()
    endless.a, endless.idxs = endless, np.arange(3)
    path.write_bytes(pickle.dumps(model() | {"v_template": endless}, protocol=2))
    with pytest.raises(ValueError, match="no SMPL model"):
        read_model_joints(path)
    data = fake.dumps(model())
    assert any("chumpy" in str(argument) for _, argument, _ in pickletools.genops(data))
    from scipy.sparse import csc_matrix

    liar = csc_matrix(np.eye(24))
    liar._shape = (10**6, 10**9)
    path.write_bytes(pickle.dumps(model() | {"J_regressor": liar}, protocol=2))
    with pytest.raises(ValueError, match="sparse matrix has the shape"):
        read_model_joints(path)
    liar = csc_matrix(np.eye(24))
    liar.indices[:] = 10**6
    path.write_bytes(pickle.dumps(model() | {"J_regressor": liar}, protocol=2))
    with pytest.raises(ValueError, match="no SMPL model"):
        read_model_joints(path)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"J_regressor": np.eye(23)}, "do not agree"),
        ({"shapedirs": np.zeros((24, 2, 10))}, "do not agree"),
        ({"v_template": np.full((24, 3), np.nan)}, "finite numbers"),
        ({"v_template": np.array("x")}, "finite numbers"),
        ({"kintree_table": np.zeros((2, 24), int)}, "another skeleton"),
    ],
)
def test_other_models_are_refused(tmp_path, changes, match):
    np.savez(tmp_path / "model.npz", **(model() | changes))
    with pytest.raises(ValueError, match=match):
        read_model_joints(tmp_path / "model.npz")


def test_model_of_other_suffix(tmp_path):
    with pytest.raises(ValueError, match=r"\.npz or \.pkl"):
        read_model_joints(tmp_path / "model.fbx")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"poses": np.zeros((4, 100))}, "expected poses"),
        ({"poses": np.zeros((5, 156))}, "expected poses"),
        ({"poses": np.zeros((0, 156)), "trans": np.zeros((0, 3))}, "expected poses"),
        ({"poses": np.zeros(156)}, "2 axes"),
        ({"poses": np.full((4, 156), np.nan)}, "finite numbers"),
        ({"poses": np.full((4, 156), None, dtype=object)}, "no AMASS motion"),
        ({"trans": np.full((4, 3), np.inf)}, "finite numbers"),
        ({"trans": None}, "no AMASS motion"),
        ({"mocap_framerate": np.array(-120.0)}, "must be positive"),
        ({"mocap_framerate": np.array(np.nan)}, "must be positive"),
        ({"mocap_framerate": np.array("fast")}, "must be one number"),
        ({"mocap_framerate": None}, "must be one number"),
        ({"betas": np.full(16, np.nan)}, "finite numbers"),
    ],
)
def test_hostile_motions_are_refused(tmp_path, changes, match):
    with pytest.raises(ValueError, match=match):
        read_amass(write(tmp_path, **changes))


def test_words_as_objects_are_left_out(tmp_path):
    motion = read_amass(write(tmp_path, gender=np.array("male", dtype=object)))
    assert "gender" not in motion.source
    assert read_amass(write(tmp_path, gender=np.array(b"male"))).source["gender"] == "male"


def test_truncated_motion(tmp_path):
    path = write(tmp_path)
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(ValueError, match="no AMASS motion"):
        read_amass(path)

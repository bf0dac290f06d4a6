# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Users' own bodies: the default body, written as a skinned GLB file or as an SMPL model, comes back."""

import json
import os
import pickle
import struct

import numpy as np
import pytest

from anymo_hf.processing.placements_anymo import SEGMENT_PARENTS, SEGMENTS
from anymo_hf.simulation.body import BodySurface
from anymo_hf.simulation.readers.momentum_glb import _RIGS, _TRUNK
from anymo_hf.simulation.readers.smpl import SMPL_JOINT_MAP, SMPL_JOINTS, SMPL_PARENTS


TO_GLTF = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])  # y up, facing z
KINDS = {"f4": 5126, "u2": 5123, "u4": 5125}


def joint_names() -> list[str]:
    trunk, limbs = _RIGS["blueman"]
    names = {"Pelvis": "b_root"} | dict(zip(_TRUNK, trunk, strict=True))
    return [names[s] if s in names else limbs[s[2:]].format(s[0].lower()) for s in SEGMENTS]


def document(unit: float = 1.0, turn: np.ndarray = TO_GLTF, joints: np.ndarray | None = None, names=None):
    """A skinned glTF document and its binary part, with one more joint below the left hand."""
    body = BodySurface.default()
    joints = body.joints if joints is None else joints
    places = np.concatenate([joints, joints[[14]] + [0, 0.1, 0]]) @ turn.T * unit
    binds = np.tile(np.eye(4), (24, 1, 1))
    binds[:, :3, 3] = -places
    order = np.argsort(-body.weights, axis=1)[:, :4]
    shares = np.take_along_axis(body.weights, order, axis=1)
    fingers = (order == 14) & (body.vertices[:, 1:2] > body.joints[14, 1] + 0.1)
    blocks = [
        ("f4", "VEC3", body.vertices @ turn.T * unit), ("u2", "VEC4", np.where(fingers, 23, order)),
        ("f4", "VEC4", shares), ("u4", "SCALAR", body.faces.ravel()),
        ("f4", "MAT4", binds.transpose(0, 2, 1).reshape(24, 16)),
    ]  # fmt: skip
    binary, views, accessors = b"", [], []
    for index, (kind, shape, values) in enumerate(blocks):
        data = np.ascontiguousarray(values, dtype=f"<{kind}").tobytes()
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(data)})
        accessors.append({"bufferView": index, "componentType": KINDS[kind], "type": shape, "count": len(values)})
        binary += data
    names = [*(names or joint_names()), "l_finger"]
    parents = [*SEGMENT_PARENTS, 14]
    nodes = [{"name": n, "children": [c for c, p in enumerate(parents) if p == i]} for i, n in enumerate(names)]
    attributes = {"POSITION": 0, "JOINTS_0": 1, "WEIGHTS_0": 2}
    return {
        "asset": {"version": "2.0"}, "nodes": nodes, "accessors": accessors, "bufferViews": views,
        "meshes": [{"primitives": [{"attributes": attributes, "indices": 3}]}],
        "skins": [{"joints": list(range(24)), "inverseBindMatrices": 4}],
    }, binary  # fmt: skip


def pack(gltf: dict, binary: bytes) -> bytes:
    text = json.dumps(gltf).encode()
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def write(folder, *parts):
    path = folder / "me.glb"
    path.write_bytes(pack(*parts))
    return path


@pytest.mark.parametrize("unit", [1.0, 100.0])
@pytest.mark.parametrize("turn", [TO_GLTF, np.eye(3)], ids=["y up", "z up"])
def test_a_skinned_mesh_comes_back(tmp_path, unit, turn):
    body, own = BodySurface.default(), BodySurface.from_file(write(tmp_path, *document(unit, turn)))
    np.testing.assert_allclose(own.vertices, body.vertices, atol=1e-6)
    np.testing.assert_allclose(own.joints, body.joints, atol=1e-6)
    np.testing.assert_allclose(own.weights, body.weights, atol=1e-5)
    assert np.array_equal(own.faces, body.faces)


def test_an_unknown_skeleton_needs_a_map(tmp_path):
    names = [f"bone{i}" for i in range(23)]
    path = write(tmp_path, *document(names=names))
    with pytest.raises(ValueError, match="joint_map"):
        BodySurface.from_file(path)
    own = BodySurface.from_file(path, joint_map=dict(zip(SEGMENTS, names, strict=True)))
    np.testing.assert_allclose(own.joints, BodySurface.default().joints, atol=1e-6)


def test_bad_files_are_named(tmp_path):
    gltf, binary = document()
    bare = gltf | {"skins": []}
    with pytest.raises(ValueError, match="no skin"):
        BodySurface.from_file(write(tmp_path, bare, binary))
    unbound = gltf | {"meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 3}]}]}
    with pytest.raises(ValueError, match="none of its meshes is bound"):
        BodySurface.from_file(write(tmp_path, unbound, binary))
    with pytest.raises(ValueError, match="lies outside of the file"):
        BodySurface.from_file(write(tmp_path, gltf, binary[: len(binary) // 2]))
    whole = pack(gltf, binary)
    for length in (0, 10, 30, len(whole) // 2, len(whole) - 5):
        (tmp_path / "cut.glb").write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"cut\.glb is no usable body"):
            BodySurface.from_file(tmp_path / "cut.glb")
    hanging = BodySurface.default().joints.copy()
    hanging[[9, 10, 13, 14]] += [[0, 0.2, -0.2], [0, 0.4, -0.4], [0, -0.2, -0.2], [0, -0.4, -0.4]]
    with pytest.raises(ValueError, match="degrees off the T-pose"):
        BodySurface.from_file(write(tmp_path, *document(joints=hanging)))
    with pytest.raises(FileNotFoundError):
        BodySurface.from_file(tmp_path / "nobody.glb")
    with pytest.raises(ValueError, match="ends in .npz or .pkl"):
        BodySurface.from_file(tmp_path / "me.fbx")


def smpl_model() -> dict[str, np.ndarray]:
    """The default body as an SMPL model: 22 joints and two hands, y up, facing z."""
    body = BodySurface.default()
    vertices = body.vertices.astype(float) @ TO_GLTF.T
    segments = {joint: segment for segment, joint in SMPL_JOINT_MAP.items()}
    joints = np.stack([body.joints[SEGMENTS.index(segments[joint])] for joint in SMPL_JOINTS]) @ TO_GLTF.T
    joints = np.concatenate([joints, joints[20:22] * [1.1, 1, 1]])
    some = slice(None, None, 600)
    system = np.concatenate([vertices[some].T, np.ones((1, len(vertices[some])))])
    regressor = np.zeros((24, len(vertices)))
    regressor[:, some] = (np.linalg.pinv(system) @ np.concatenate([joints, np.ones((24, 1))], axis=1).T).T
    weights = np.zeros((len(vertices), 24))
    for index, joint in enumerate(SMPL_JOINTS):
        weights[:, index] = body.weights[:, SEGMENTS.index(segments[joint])]
    weights[:, SMPL_JOINTS.index("spine1")] += body.weights[:, SEGMENTS.index("L3")]
    shapes = np.zeros((len(vertices), 3, 10))
    shapes[..., 0] = 0.1 * vertices
    parents = np.array([[2**32 - 1, *SMPL_PARENTS[1:], 20, 21], range(24)], dtype=np.uint32)
    return {
        "v_template": vertices, "shapedirs": shapes, "J_regressor": regressor, "kintree_table": parents,
        "f": body.faces.astype(np.uint32), "weights": weights,
    }  # fmt: skip


def test_an_smpl_model_comes_back(tmp_path):
    body = BodySurface.default()
    np.savez(tmp_path / "SMPL.npz", **smpl_model())
    own = BodySurface.from_file(tmp_path / "SMPL.npz")
    np.testing.assert_allclose(own.vertices, body.vertices, atol=1e-5)
    l3 = SEGMENTS.index("L3")
    np.testing.assert_allclose(np.delete(own.joints, l3, 0), np.delete(body.joints, l3, 0), atol=1e-5)
    assert own.joints[l3 - 1, 2] < own.joints[l3, 2] < own.joints[l3 + 1, 2]
    arms = [SEGMENTS.index(f"{side}_{name}") for side in "LR" for name in ("UpperArm", "Forearm", "Hand")]
    np.testing.assert_allclose(own.weights[:, arms], body.weights[:, arms], atol=1e-5)
    assert (own.segment_areas > 0).all()
    larger = BodySurface.from_file(tmp_path / "SMPL.npz", betas=[1.0])
    assert larger.height == pytest.approx(1.1 * own.height, rel=1e-4)


class Attack:
    def __reduce__(self):
        return os.system, ("echo attacked",)


def test_a_pickle_that_runs_code_is_refused(tmp_path, capfd):
    (tmp_path / "SMPL.pkl").write_bytes(pickle.dumps(smpl_model() | {"f": Attack()}, protocol=2))
    with pytest.raises(ValueError, match="may be an attack"):
        BodySurface.from_file(tmp_path / "SMPL.pkl")
    assert "attacked" not in capfd.readouterr().out
    whole = pickle.dumps(smpl_model(), protocol=2)
    (tmp_path / "SMPL.pkl").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="no SMPL model"):
        BodySurface.from_file(tmp_path / "SMPL.pkl")
    np.savez(tmp_path / "other.npz", **(smpl_model() | {"weights": np.ones((5, 24))}))
    with pytest.raises(ValueError, match="do not agree"):
        BodySurface.from_file(tmp_path / "other.npz")

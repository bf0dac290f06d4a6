# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Momentum GLB, in files of the published layout."""

import json
import struct

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anymo_hf.processing.placements_anymo import SEGMENT_PARENTS, SEGMENTS
from anymo_hf.simulation.readers import load_motion
from anymo_hf.simulation.readers.momentum_glb import _RIGS, _TRUNK, read_momentum_glb
from anymo_hf.simulation.segments import DEFAULT_BONE_OFFSETS, tpose_positions


INDEX = {segment: i for i, segment in enumerate(SEGMENTS)}
ANGLES = np.linspace(0, 1, 5)
# Every joint has a frame of its own at rest, as Momentum's prerotations give it.
FRAMES = Rotation.random(23, random_state=3)


def joint_names(rig: str) -> list[str]:
    trunk, limbs = _RIGS[rig]
    names = {"Pelvis": "root"} | dict(zip(_TRUNK, trunk, strict=True)) | {"Neck": trunk[4] + "0"}
    return [names[s] if s in names else limbs[s[2:]].format(s[0].lower()) for s in SEGMENTS]


def document(rig: str = "blueman", **changes) -> tuple[dict, bytes]:
    """A body that turns left by `ANGLES` while the left elbow bends forwards by as much; 1.1 times the average."""
    nodes, channels, samplers, blocks = [], [], [], [np.arange(5) / 240]
    for i, (name, parent) in enumerate(zip(joint_names(rig), SEGMENT_PARENTS, strict=True)):
        above = FRAMES[parent] if parent >= 0 else Rotation.identity()
        offset = above.inv().apply(DEFAULT_BONE_OFFSETS[i][[1, 2, 0]]) if parent >= 0 else np.array([0, 1.0, 0])
        local = above.inv() * FRAMES[i]
        turn = np.outer(ANGLES, {"Pelvis": [0, 1, 0], "L_Forearm": [0, -1, 0]}.get(SEGMENTS[i], [0, 0, 0]))
        moved = above.inv() * Rotation.from_rotvec(turn) * FRAMES[i]
        nodes.append(
            {
                "name": name,
                "translation": offset.tolist(),
                "rotation": local.as_quat().tolist(),
                "children": [child for child, its_parent in enumerate(SEGMENT_PARENTS) if its_parent == i],
            }
        )
        for kind, values in (("rotation", moved.as_quat()), ("translation", np.tile(offset, (5, 1)))):
            channels.append({"sampler": len(samplers), "target": {"node": i, "path": kind}})
            samplers.append({"input": 0, "output": len(blocks), "interpolation": "STEP"})
            blocks.append(values)
    nodes[0]["scale"] = [1.1, 1.1, 1.1]
    nodes.append({"name": "b_l_wrist_twist"})
    blocks = [np.asarray(block, "<f4") for block in blocks]
    starts = np.cumsum([0] + [block.nbytes for block in blocks])
    types = {1: "SCALAR", 3: "VEC3", 4: "VEC4"}
    content = {
        "asset": {"version": "2.0"},
        "nodes": nodes,
        "animations": [{"channels": channels, "samplers": samplers}],
        "bufferViews": [{"byteOffset": int(s), "byteLength": b.nbytes} for s, b in zip(starts, blocks, strict=False)],
        "accessors": [
            {"bufferView": i, "componentType": 5126, "count": 5, "type": types[b.size // 5]}
            for i, b in enumerate(blocks)
        ],
    }
    return content | changes, b"".join(block.tobytes() for block in blocks)


def pack(content: dict, binary: bytes) -> bytes:
    text = json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    body = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


@pytest.mark.parametrize("rig", ["blueman", "MHR"])
def test_turns_of_body_and_elbow(tmp_path, rig):
    path = tmp_path / "xdata.glb"
    path.write_bytes(pack(*document(rig)))
    motion = load_motion(path)
    np.testing.assert_allclose(motion.timestamps, np.arange(5) / 240, atol=1e-8)
    np.testing.assert_allclose(motion.positions[0], 1.1 * tpose_positions() + [0, 0, 1], atol=1e-5)
    np.testing.assert_allclose(motion.bone_offsets, 1.1 * DEFAULT_BONE_OFFSETS, atol=1e-5)
    turned = Rotation.from_quat(motion.orientations[:, :, [1, 2, 3, 0]].reshape(-1, 4)).as_rotvec().reshape(5, 23, 3)
    heading = np.outer(ANGLES, [0, 0, 1])
    for segment in ("Pelvis", "T8", "R_Hand", "L_UpperArm", "L_Toe"):
        np.testing.assert_allclose(turned[:, INDEX[segment]], heading, atol=1e-5)
    np.testing.assert_allclose(turned[:, INDEX["L_Hand"]], 0, atol=1e-5)
    assert motion.source["body"] == rig


def test_time_stamps_of_momentum(tmp_path):
    stamps = [1_718_000_000_000_000 + 4167 * i for i in range(5)]
    path = tmp_path / "a.glb"
    path.write_bytes(pack(*document(extensions={"FB_momentum": {"fps": 240, "motion": {"timestamps": stamps}}})))
    motion = read_momentum_glb(path)
    np.testing.assert_allclose(np.diff(motion.timestamps), 4167e-6, atol=1e-6)
    assert motion.source["clock"] == "TIME_CODE"


def accessors(**changes) -> list[dict]:
    items = document()[0]["accessors"]
    items[1] |= changes
    return items


@pytest.mark.parametrize(
    "changes",
    [
        {"animations": []},
        {"animations": [{"channels": [], "samplers": []}]},
        {"animations": [{"channels": [{"sampler": 7, "target": {"node": 0, "path": "rotation"}}], "samplers": []}]},
        {"nodes": [{"children": [0]}]},
        {"nodes": [{"children": [1]}, {"children": [0]}]},
        {"nodes": [{"children": [5]}]},
        {"nodes": [{"rotation": [0, 0, 0, 0]}]},
        {"nodes": [{"rotation": [1, 0]}]},
        {"nodes": "none"},
        {"nodes": [{}] * 5000},
        {"bufferViews": [{}]},
        {"accessors": accessors(count=10**9)},
        {"accessors": accessors(count=-5)},
        {"accessors": accessors(count=4)},
        {"accessors": accessors(byteOffset=-4000)},
        {"accessors": accessors(componentType=5120)},
        {"accessors": accessors(bufferView=-1)},
        {"extensions": {"FB_momentum": {"motion": {"timestamps": ["a"] * 5}}}},
        {"extensions": 3},
    ],
)
def test_hostile_content_is_refused(tmp_path, changes):
    path = tmp_path / "a.glb"
    path.write_bytes(pack(*document(**changes)))
    with pytest.raises(ValueError, match=r"a\.glb is no Momentum GLB"):
        read_momentum_glb(path)


def test_damaged_and_other_files_are_refused(tmp_path):
    path = tmp_path / "a.glb"
    content, binary = document()
    data = pack(content, binary)
    lost = np.frombuffer(binary, "<f4").copy()
    lost[7] = np.nan
    for damaged in (b"", b"glTF", data[:5000], b"glTX" + data[4:], data[:12], data[:20] + b"\xff" + data[21:]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="no Momentum GLB"):
            read_momentum_glb(path)
    path.write_bytes(pack(content, lost.tobytes()))
    with pytest.raises(ValueError, match="not finite"):
        read_momentum_glb(path)
    for node in content["nodes"]:
        node["name"] = f"bone {node['name']}"
    path.write_bytes(pack(content, binary))
    with pytest.raises(ValueError, match="unknown skeleton"):
        read_momentum_glb(path)
    joint_map = dict(zip(SEGMENTS, (f"bone {name}" for name in joint_names("blueman")), strict=True))
    assert load_motion(path, joint_map).num_frames == 5

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Momentum bodies as binary glTF (`.glb`): Nymeria's `xdata_blueman.glb` and NymeriaPlus' `xdata_mhr.glb`."""

import hashlib
import json
import re
import struct
from pathlib import Path

import numpy as np

from anymo_hf.simulation.motion import SegmentMotion
from anymo_hf.simulation.readers.joint_motion import JointMotion
from anymo_hf.simulation.readers.quaternions import conjugate, multiply, rotate
from anymo_hf.simulation.readers.retarget import retarget


_FLOAT = 5126  # glTF's componentType of float32
_MOST_NODES = 2000  # a small file could otherwise ask for any memory; MHR has 127 joints
_WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}
_DEFAULTS = {"translation": (0.0, 0.0, 0.0), "rotation": (0.0, 0.0, 0.0, 1.0), "scale": (1.0, 1.0, 1.0)}
_TRUNK = ("L5", "L3", "T12", "T8", "Neck", "Head")
# The joint at the origin of every segment, for the trunk and a side; the file may add digits. Only whole names count:
# `b_l_foot_twist` is no foot, and `b_l_wrist_twist` belongs to the forearm.
_RIGS = {
    "blueman": (
        ("b_spine0", "b_spine1", "b_spine2", "b_spine3", "b_neck", "b_head"),
        {
            "Shoulder": "b_{}_shoulder",
            "UpperArm": "b_{}_arm",
            "Forearm": "b_{}_forearm",
            "Hand": "b_{}_wrist",
            "UpperLeg": "b_{}_upleg",
            "LowerLeg": "b_{}_leg",
            "Foot": "b_{}_foot",
            "Toe": "b_{}_ball",
        },
    ),
    "MHR": (
        ("c_spine0", "c_spine1", "c_spine2", "c_spine3", "c_neck", "c_head"),
        {
            "Shoulder": "{}_clavicle",
            "UpperArm": "{}_uparm",
            "Forearm": "{}_lowarm",
            "Hand": "{}_wrist",
            "UpperLeg": "{}_upleg",
            "LowerLeg": "{}_lowleg",
            "Foot": "{}_foot",
            "Toe": "{}_ball",
        },
    ),
}


def read_momentum_glb(path: str | Path, joint_map: dict[str, str] | None = None) -> SegmentMotion:
    """
    Read a Momentum motion from a GLB file. Unverified on an original file: written from the published layout.

    Momentum bakes the motion into the standard channels of glTF, so that its own library is not needed. The pose of
    the nodes without animation is taken as the rest pose, in which the segments are calibrated. The up axis is that of
    the rest pose; the heading of the world is not aligned with that of `xdata.npz` of the same recording.

    Args:
        path (`str` or `Path`):
            The file.
        joint_map (`dict[str, str]`, *optional*, defaults to `None`):
            `{segment: joint}` for another rig than blueman and MHR; it overrides entries of these.

    Returns:
        `SegmentMotion`: On the clock of the file: TIME_CODE if Momentum's time stamps are there, else its own seconds.

    Raises:
        ValueError: If it is no such file, damaged, or has an unknown skeleton.
        FileNotFoundError: If there is no such file.
    """
    path = Path(path)
    data = path.read_bytes()
    try:
        gltf = Gltf(data)
        times, channels = _read_channels(gltf)
        names, positions, rotations = _node_poses(gltf, len(times), channels)
        clock = _momentum_seconds(gltf.json, len(times))
        rig, joints = find_rig(names)
    except (
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        ValueError,
        OverflowError,
        RecursionError,
        struct.error,
    ) as error:
        raise ValueError(f"{path.name} is no Momentum GLB file: {error!r}; check the path or download it.") from error
    # A flat list of joints with the rest pose as first frame, in which every joint is turned by the identity.
    motion = JointMotion(
        names=names,
        parents=(-1,) * len(names),
        offsets=positions[..., 0].T,
        rotations=multiply(rotations, conjugate(rotations[..., :1])),
        frame_time=1.0,
        translations=dict(enumerate(positions.transpose(1, 0, 2))),
        unit=1.0,
    )
    moved = retarget(motion, joints | (joint_map or {}), path.name)
    source = {"name": path.stem, "sha256": hashlib.sha256(data).hexdigest(), "body": rig}
    return SegmentMotion(
        moved.positions[1:],
        moved.orientations[1:],
        times if clock is None else clock,
        bone_offsets=moved.bone_offsets,
        source=source | ({} if clock is None else {"clock": "TIME_CODE"}),
    )


def has_animation(path: Path) -> bool:
    """Whether a GLB file has an animation; true for a damaged one, which is for its reader to complain about."""
    try:
        with open(path, "rb") as file:
            _, _, _, size, kind = struct.unpack("<4sIII4s", file.read(20))
            return kind != b"JSON" or bool(json.loads(file.read(size)).get("animations"))
    except (OSError, struct.error, ValueError, AttributeError, RecursionError):
        return True


class Gltf:
    """The two chunks of a GLB file: a JSON document, and the bytes that it refers to."""

    def __init__(self, data: bytes):
        magic, version, length = struct.unpack_from("<4sII", data)
        if magic != b"glTF" or version != 2 or length > len(data):
            raise ValueError("it is no glTF 2 file in binary form, or it is cut short")
        chunks, start = {}, 12
        while start < length:
            size, kind = struct.unpack_from("<I4s", data, start)
            if start + 8 + size > length:
                raise ValueError("a chunk is cut short")
            chunks.setdefault(kind, memoryview(data)[start + 8 : start + 8 + size])
            start += 8 + size
        self.json = json.loads(bytes(chunks[b"JSON"]))
        self.binary = chunks.get(b"BIN\0", memoryview(b""))

    def floats(self, index: int) -> np.ndarray:
        """An accessor's values as float64 `(count, width)`."""
        accessor = find_item(self.json["accessors"], index)
        if accessor["componentType"] != _FLOAT or "sparse" in accessor:
            raise ValueError("a channel is not plain float32")
        view = find_item(self.json["bufferViews"], accessor["bufferView"])
        width, count = _WIDTHS[accessor["type"]], accessor["count"]
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        stride = view.get("byteStride", 4 * width)
        if min(count - 1, start, stride - 4 * width) < 0 or start + stride * (count - 1) + 4 * width > len(
            self.binary
        ):
            raise ValueError("a channel lies outside of the file")
        values = np.ndarray((count, width), "<f4", self.binary, start, (stride, 4)).astype(np.float64)
        if not np.isfinite(values).all():
            raise ValueError("a channel has values that are not finite")
        return values


def find_item(items: list, index: int) -> dict:
    if not isinstance(index, int) or not 0 <= index < len(items):
        raise ValueError(f"it refers to item {index!r} of {len(items)}")
    return items[index]


def _read_channels(gltf: Gltf) -> tuple[np.ndarray, dict[tuple[int, str], np.ndarray]]:
    """Times in seconds, and for every animated node and property its values `(num_frames, width)`."""
    if not gltf.json.get("animations"):
        raise ValueError("it has no animation")
    animation = gltf.json["animations"][0]
    times, channels = np.zeros(0), {}
    for channel in animation["channels"]:
        key = channel["target"].get("node"), channel["target"]["path"]
        if key[1] not in _DEFAULTS:
            continue
        sampler = find_item(animation["samplers"], channel["sampler"])
        if sampler.get("interpolation", "LINEAR") not in ("LINEAR", "STEP"):
            raise ValueError("its channels are splines; Momentum bakes every frame")
        found, values = gltf.floats(sampler["input"])[:, 0], gltf.floats(sampler["output"])
        if values.shape != (len(found), len(_DEFAULTS[key[1]])):
            raise ValueError(f"node {key[0]} has {len(found)} times and {values.shape} values of its {key[1]}")
        channels[key] = values
        times = found if len(found) > len(times) else times
    if {len(values) for values in channels.values()} - {1, len(times)} or not channels:
        raise ValueError("its channels have different numbers of frames")
    return times, channels


def _node_poses(
    gltf: Gltf, num_frames: int, channels: dict[tuple[int, str], np.ndarray]
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Names, places `(3, num_nodes, 1 + num_frames)` and turns `(4, ...)` in the world, the rest pose first."""
    nodes = gltf.json["nodes"]
    parents = {child: parent for parent, node in enumerate(nodes) for child in node.get("children", ())}
    order = [index for index in range(len(nodes)) if index not in parents]
    for index in order:
        order.extend(nodes[index].get("children", ()))
        if len(order) > len(nodes):
            break
    if sorted(order) != list(range(len(nodes))):
        raise ValueError("its nodes form no tree")
    if len(nodes) > _MOST_NODES:
        raise ValueError(f"it has {len(nodes)} nodes, and a body at most {_MOST_NODES}")
    places, turns = np.empty((3, len(nodes), 1 + num_frames)), np.empty((4, len(nodes), 1 + num_frames))
    sizes = np.empty((len(nodes), 1 + num_frames))
    for index in order:
        step, size = (_track(nodes[index], index, kind, num_frames, channels) for kind in ("translation", "scale"))
        # Bones of the rest pose are as long as those of the subject, which the motion has.
        step[:, 0], size[:, 0] = step[:, min(1, num_frames)], size[:, min(1, num_frames)]
        turn = _track(nodes[index], index, "rotation", num_frames, channels)[[3, 0, 1, 2]]
        length = np.linalg.norm(turn, axis=0)
        if not (length > 0.1).all():
            raise ValueError(f"node {index} is turned by a quaternion of no length")
        turn /= length
        if index in parents:
            above = parents[index]
            places[:, index] = places[:, above] + sizes[above] * rotate(turns[:, above], step)
            turns[:, index], sizes[index] = multiply(turns[:, above], turn), sizes[above] * size[0]
        else:
            places[:, index], turns[:, index], sizes[index] = step, turn, size[0]
    if not np.isfinite(places).all():
        raise ValueError("a node lies at infinity")
    return tuple(str(node.get("name", f"node {index}")) for index, node in enumerate(nodes)), places, turns


def _track(node: dict, index: int, kind: str, num_frames: int, channels: dict) -> np.ndarray:
    """A property `(width, 1 + num_frames)`: at rest, then in every frame."""
    if "matrix" in node:
        raise ValueError(f"node {index} has a matrix; Momentum writes translation and rotation")
    rest = np.array(node.get(kind, _DEFAULTS[kind]), dtype=np.float64)
    if rest.shape != (len(_DEFAULTS[kind]),):
        raise ValueError(f"node {index} has a {kind} of shape {rest.shape}")
    values = np.broadcast_to(channels.get((index, kind), rest), (num_frames, len(rest)))
    return np.concatenate([rest[None], values]).T


def _momentum_seconds(document: dict, num_frames: int) -> np.ndarray | None:
    """Momentum's own time stamps, in microseconds of TIME_CODE, if there is one for every frame."""
    motion = document.get("extensions", {}).get("FB_momentum", {}).get("motion", {})
    stamps = motion.get("timestamps")
    if not isinstance(stamps, list) or len(stamps) != num_frames:
        return None
    return np.array(stamps, dtype=np.float64) / 1e6


def find_rig(names: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """Name of the rig and the joint of every segment; both empty for an unknown one."""
    for rig, (trunk, limbs) in _RIGS.items():
        table = dict(zip(_TRUNK, trunk, strict=True))
        table |= {f"{side.upper()}_{segment}": joint.format(side) for side in "lr" for segment, joint in limbs.items()}
        found = {segment: _find_joint(names, joint) for segment, joint in table.items()}
        root = next((name for name in ("p_pelvis", "b_root", "root", "b_pelvis", "pelvis") if name in names), None)
        if root is not None and None not in found.values():
            return rig, {"Pelvis": root} | {segment: joint for segment, joint in found.items() if joint}
    return "custom", {}


def _find_joint(names: tuple[str, ...], joint: str) -> str | None:
    """The joint of that name, or the first of those that are numbered."""
    return min((name for name in names if re.fullmatch(rf"{joint}\d*", name)), key=lambda n: (len(n), n), default=None)

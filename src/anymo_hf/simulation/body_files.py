# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The user's own body: a skinned mesh in a GLB file, or a model of the SMPL family, bound to the 23 segments."""

import struct
from pathlib import Path

import numpy as np

from anymo_hf.processing.placements_anymo import NUM_SEGMENTS, SEGMENTS
from anymo_hf.simulation.body import BodySurface
from anymo_hf.simulation.body_geometry import SEGMENT_ID
from anymo_hf.simulation.readers.momentum_glb import Gltf, find_item, find_rig
from anymo_hf.simulation.readers.retarget import fill_missing
from anymo_hf.simulation.readers.skeletons import map_skeleton, read_joint_map
from anymo_hf.simulation.readers.smpl import SMPL_JOINT_MAP, SMPL_JOINTS, read_model


_COMPONENTS = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_TRIANGLES = 4
_TRUNK = [SEGMENT_ID[name] for name in ("Pelvis", "L5", "L3", "T12", "T8")]
_LARGEST_ARM_ANGLE = 0.35  # rad off the T-pose
_MOST_VERTICES = 2_000_000


def read_body_glb(path: str | Path, joint_map: dict[str, str] | str | Path | None = None) -> BodySurface:
    """
    A body from a skinned mesh in a binary glTF file.

    The pose in which the mesh was bound to its joints must be the T-pose. Axes and unit are found from the joints. Of
    joints that are no segment's own the skin goes to the next segment above them.

    Args:
        path (`str` or `Path`):
            A `.glb` file with one skin.
        joint_map (`dict[str, str]` or `str` or `Path`, *optional*, defaults to `None`):
            `{segment: joint name}` or a JSON file that holds it, for skeletons that `load_motion` does not know.

    Returns:
        `BodySurface`: The pelvis at zero, x forward, y left, z up, in metres.

    Raises:
        ValueError: If the file is damaged, has no skin, an unknown skeleton, or was not bound in the T-pose.
        FileNotFoundError: If there is no such file.
    """
    path = Path(path)
    data = path.read_bytes()
    try:
        gltf = Gltf(data)
        if not gltf.json.get("skins"):
            raise ValueError("its mesh has no skin, so that nothing tells which segment carries it; export it rigged")
        skin = gltf.json["skins"][0]
        nodes = gltf.json["nodes"]
        names = tuple(str(nodes[joint].get("name", f"node {joint}")) for joint in skin["joints"])
        joints = np.linalg.inv(_values(gltf, skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1))
        above = {child: parent for parent, node in enumerate(nodes) for child in node.get("children", ())}
        parents = [_parent_joint(joint, skin["joints"], above) for joint in skin["joints"]]
        vertices, faces, weights = _read_skin(gltf, len(names))
        if len(joints) != len(names):
            raise ValueError(f"it has {len(names)} joints and {len(joints)} bind matrices")
    except (
        KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError, RecursionError, struct.error,
        np.linalg.LinAlgError,
    ) as error:  # fmt: skip
        raise ValueError(f"{path.name} is no usable body: {error}; check the path or export it again.") from error
    joint_map = read_joint_map(joint_map)
    found = find_rig(names)[1] or map_skeleton(names, joint_map, path.name).joints
    return _bind(vertices, faces, weights, joints[:, :3, 3], parents, names, found | joint_map, path.name)


def read_body_smpl(path: str | Path, betas: np.ndarray | None = None) -> BodySurface:
    """
    A body from the user's own model of the SMPL family. Unverified on an original file.

    Args:
        path (`str` or `Path`):
            Model file (`.npz` or `.pkl`) of SMPL, SMPL+H or SMPL-X; of a pickle only numbers are read.
        betas (`np.ndarray` of shape `(num_betas,)`, *optional*, defaults to `None`):
            Shape of the subject; `None` is the model's average.

    Returns:
        `BodySurface`: In the model's T-pose, without pose-dependent corrections.

    Raises:
        ValueError: If it is no such model, or a pickle with anything but numbers in it.
    """
    path = Path(path)
    arrays = read_model(path, betas, skin=True)
    count = arrays["weights"].shape[1]
    parents = [int(parent) for parent in arrays["kintree_table"][0, 1:]]
    names = SMPL_JOINTS + tuple(f"joint {index}" for index in range(len(SMPL_JOINTS), count))
    skin = arrays["vertices"], arrays["f"].astype(np.int64), arrays["weights"]
    return _bind(*skin, arrays["joints"], [-1, *parents], names, SMPL_JOINT_MAP, path.name)


def _values(gltf: Gltf, index: int) -> np.ndarray:
    """An accessor's numbers `(count, width)`; integers that stand for shares are divided out."""
    accessor = find_item(gltf.json["accessors"], index)
    view = find_item(gltf.json["bufferViews"], accessor["bufferView"])
    kind = np.dtype(_COMPONENTS[accessor["componentType"]])
    width, count = _WIDTHS[accessor["type"]], accessor["count"]
    start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    stride = view.get("byteStride", kind.itemsize * width)
    end = start + stride * (count - 1) + kind.itemsize * width
    if "sparse" in accessor or min(count - 1, start, stride - kind.itemsize * width) < 0 or end > len(gltf.binary):
        raise ValueError("an array lies outside of the file or is sparse")
    if count > 3 * _MOST_VERTICES:
        raise ValueError(f"an array has {count} items, more than any body")
    values = np.ndarray((count, width), kind.newbyteorder("<"), gltf.binary, start, (stride, kind.itemsize))
    if accessor.get("normalized") and kind.kind == "u":
        return values / np.iinfo(kind).max
    values = values.astype(np.int64 if kind.kind == "u" else np.float64)
    if not np.isfinite(values).all():
        raise ValueError("an array has values that are not finite")
    return values


def _read_skin(gltf: Gltf, num_joints: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices `(num_vertices, 3)`, faces `(num_faces, 3)` and weights `(num_vertices, num_joints)` of all parts."""
    vertices, faces, weights = [], [], []
    for mesh in gltf.json.get("meshes", ()):
        for part in mesh["primitives"]:
            attributes = part["attributes"]
            if "JOINTS_0" not in attributes or part.get("mode", _TRIANGLES) != _TRIANGLES:
                continue  # eyes, clothes and other things that hang on one node
            places = _values(gltf, attributes["POSITION"])
            corners = _values(gltf, part["indices"]) if "indices" in part else np.arange(len(places))[:, None]
            shares = np.zeros((len(places), num_joints))
            rows = np.arange(len(places))[:, None]
            for number in range(2):  # Momentum keeps up to eight joints a vertex
                if f"JOINTS_{number}" in attributes:
                    joints = _values(gltf, attributes[f"JOINTS_{number}"])
                    np.add.at(shares, (rows, joints), _values(gltf, attributes[f"WEIGHTS_{number}"]))
            faces.append(corners.reshape(-1, 3) + sum(map(len, vertices)))
            vertices.append(places)
            weights.append(shares)
    if not vertices:
        raise ValueError("none of its meshes is bound to joints; export it with its skin")
    return np.concatenate(vertices), np.concatenate(faces), np.concatenate(weights)


def _parent_joint(node: int, joints: list[int], above: dict[int, int]) -> int:
    """Position in `joints` of the next joint above a node, -1 if there is none."""
    for _ in range(len(above)):
        if node not in above:
            return -1
        node = above[node]
        if node in joints:
            return joints.index(node)
    return -1


def _bind(vertices, faces, weights, places, parents, names, joint_map, file: str) -> BodySurface:
    """A body from a mesh on any joints, `joint_map` naming the joint at the origin of each segment."""
    own = {names.index(joint): SEGMENT_ID[segment] for segment, joint in joint_map.items() if joint in names}
    origins = {SEGMENTS[segment]: places[joint] for joint, segment in own.items()}
    turn, scale = _find_axes(origins, file)
    origins = {segment: (turn @ place * scale)[:, None] for segment, place in origins.items()}
    fill_missing(origins, {segment: np.array([[1.0], [0], [0], [0]]) for segment in origins})
    joints = np.stack([origins[segment][:, 0] for segment in SEGMENTS])
    carried = np.zeros((len(vertices), NUM_SEGMENTS))
    for joint in range(len(names)):
        holder = joint
        while holder not in own and holder >= 0:
            holder = parents[holder]
        carried[:, own.get(holder, SEGMENT_ID["Pelvis"])] += weights[:, joint]
    total = carried.sum(1, keepdims=True)
    if not (total > 0.5).all():
        raise ValueError(
            f"{file}: {int((total <= 0.5).sum())} vertices are bound to no joint; bind them or remove them."
        )
    carried /= total
    skin = vertices @ turn.T * scale
    if not all(SEGMENTS[segment] in joint_map for segment in _TRUNK):
        _share_trunk(carried, skin, joints)
    return BodySurface(skin - joints[0], faces, carried, joints - joints[0])


def _find_axes(origins: dict[str, np.ndarray], file: str) -> tuple[np.ndarray, float]:
    """Rotation to x forward, y left, z up, and factor to metres, from segment origins in the T-pose."""
    up = origins["Head"] - (origins["L_Foot"] + origins["R_Foot"]) / 2
    left = origins["L_UpperArm"] - origins["R_UpperArm"]
    rows = []
    for direction in (up, left):
        axis = np.abs(direction).argmax()
        rows.append(np.sign(direction[axis]) * np.eye(3)[axis])
    if rows[0] @ rows[1]:
        raise ValueError(f"{file}: head, feet and shoulders stand in no upright pose; bind the skin in the T-pose.")
    turn = np.stack([np.cross(rows[1], rows[0]), rows[1], rows[0]])
    for side, sign in (("L", 1), ("R", -1)):
        arm = turn @ (origins[f"{side}_Hand"] - origins[f"{side}_UpperArm"])
        angle = np.arccos(np.clip(sign * arm[1] / max(np.linalg.norm(arm), 1e-12), -1, 1))
        if angle > _LARGEST_ARM_ANGLE:
            raise ValueError(
                f"{file}: an arm points {np.rad2deg(angle):.0f} degrees off the T-pose, in which the skin must be "
                "bound; pose it with level arms and bind it again."
            )
    height = np.linalg.norm(up)
    # Ankles to head joint is about 1.4 m in an adult: metres, centimetres or millimetres.
    return turn, float(min((1.0, 0.01, 0.001), key=lambda unit: abs(np.log(max(height, 1e-12) * unit / 1.4))))


def _share_trunk(weights: np.ndarray, vertices: np.ndarray, joints: np.ndarray) -> None:
    """Gives the trunk's skin to its segments by height, because some of them have no joint of their own."""
    total = weights[:, _TRUNK].sum(1)
    level = np.searchsorted(joints[_TRUNK[1:], 2], vertices[:, 2], side="right")
    weights[:, _TRUNK] = 0
    weights[np.arange(len(weights)), np.array(_TRUNK)[level]] = total

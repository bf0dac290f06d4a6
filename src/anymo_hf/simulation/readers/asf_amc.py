# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Acclaim skeletons (`.asf`) with motion (`.amc`), as the CMU database and HDM05 publish them."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from anymo_hf.simulation.readers.joint_motion import JointMotion, parse_numbers
from anymo_hf.simulation.readers.quaternions import conjugate, from_euler, multiply


# Neither file says how many frames make a second. The CMU database and HDM05 are published at 120.
AMC_FRAME_RATE = 120.0
_INCH = 0.0254


@dataclass
class _Bone:
    """One bone: where it points in the zero pose (file units), the axes it turns about, and its free channels."""

    vector: np.ndarray = field(default_factory=lambda: np.zeros(3))
    axes: np.ndarray = field(default_factory=lambda: np.array([1.0, 0, 0, 0]))
    channels: list[str] = field(default_factory=list)


@dataclass
class _Skeleton:
    bones: dict[str, _Bone]
    parents: dict[str, str]
    unit: float
    root_position: np.ndarray


def find_asf(amc: Path) -> Path:
    """
    The skeleton of a motion: the same stem, or a beginning of it that ends before an underscore.

    Args:
        amc (`Path`):
            For instance `02_01.amc` (whose skeleton is `02.asf`) or `HDM_bd_squat_001_120.amc` (`HDM_bd.asf`).

    Returns:
        `Path`: The longest match in the same folder.

    Raises:
        ValueError: If there is none, naming what was looked for.
    """
    parts = amc.stem.split("_")
    stems = ["_".join(parts[:count]) for count in range(len(parts), 0, -1)]
    for stem in stems:
        for suffix in (".asf", ".ASF"):
            if (amc.parent / (stem + suffix)).is_file():
                return amc.parent / (stem + suffix)
    looked_for = ", ".join(f"{stem}.asf" for stem in stems)
    raise ValueError(f"{amc.name} needs its skeleton beside it; looked for {looked_for} in {amc.parent}.")


def read_asf_amc(asf: bytes, amc: bytes, asf_name: str = "ASF file", amc_name: str = "AMC file") -> JointMotion:
    """
    Read a skeleton and a motion of it.

    A bone becomes the joint at its beginning, so that `lfemur` is the left hip. In the zero pose all joint frames are
    parallel to the world, as in the BVH conversions of the same data.

    Args:
        asf (`bytes`):
            The whole skeleton file.
        amc (`bytes`):
            The whole motion file.
        asf_name (`str`, *optional*, defaults to `"ASF file"`):
            How to call the skeleton in an error.
        amc_name (`str`, *optional*, defaults to `"AMC file"`):
            How to call the motion in an error.

    Returns:
        `JointMotion`: Its joints and their motion, at 120 frames per second.

    Raises:
        ValueError: If one of the files is damaged or they do not belong together, saying what is wrong.
    """
    skeleton = _parse_asf(asf.decode("utf-8-sig", errors="replace"), asf_name)
    names = _ordered_names(skeleton, asf_name)
    degrees, columns = _parse_amc(amc.decode("utf-8-sig", errors="replace"), skeleton, amc_name)
    rotations = np.zeros((4, len(names), columns["root"].shape[1]))
    rotations[0] = 1.0
    for joint, name in enumerate(names):
        if name in columns:
            rotations[:, joint] = _bone_rotations(skeleton.bones[name], columns[name], degrees)
    parents = tuple(-1 if name == "root" else names.index(skeleton.parents[name]) for name in names)
    offsets = np.array([skeleton.bones[names[parent]].vector if parent > 0 else np.zeros(3) for parent in parents])
    return JointMotion(
        names=tuple(names),
        parents=parents,
        offsets=offsets,
        rotations=rotations,
        frame_time=1 / AMC_FRAME_RATE,
        translations={0: skeleton.root_position[:, None] + _root_translation(skeleton.bones["root"], columns["root"])},
        unit=skeleton.unit,
    )


def _root_translation(root: _Bone, values: np.ndarray) -> np.ndarray:
    translation = np.zeros((3, values.shape[1]))
    for column, channel in enumerate(root.channels):
        if channel.startswith("t") and channel[1:] in ("x", "y", "z"):
            translation["xyz".index(channel[1])] = values[column]
    return translation


def _bone_rotations(bone: _Bone, values: np.ndarray, degrees: bool) -> np.ndarray:
    """Quaternions `(4, num_frames)`: the bone's own turn, seen from its parent."""
    turns = [(c[1], column) for column, c in enumerate(bone.channels) if c.startswith("r")]
    angles = values[[column for _, column in turns]]
    angles = np.radians(angles) if degrees else angles
    # Acclaim turns about fixed axes in the listed order: the last one listed stands leftmost.
    turn = from_euler(angles[::-1], "".join(axis for axis, _ in turns)[::-1])
    axes = bone.axes[:, None]
    return multiply(multiply(axes, turn), conjugate(axes))


def _parse_asf(text: str, name: str) -> _Skeleton:
    text = re.sub(r"#.*", "", text)
    pieces = re.split(r"^[ \t]*:(\w+)", text, flags=re.MULTILINE)
    sections = {key.lower(): body for key, body in zip(pieces[1::2], pieces[2::2], strict=True)}
    missing = [key for key in ("root", "bonedata", "hierarchy") if key not in sections]
    if "\0" in text or missing:
        raise ValueError(
            f"{name} is no complete ASF skeleton: {missing or 'binary data'}; check the path or the copy."
        )
    units = dict(re.findall(r"(\w+)\s+(\S+)", sections.get("units", "")))
    length = float(parse_numbers(units.get("length", "1.0"), f"{name}, length unit")[0])
    in_degrees = units.get("angle", "deg").lower().startswith("deg")
    root = _parse_bone("root", sections["root"].replace("order", "dof").lower(), in_degrees, name)
    bones = {"root": root}
    for block in re.findall(r"\bbegin\b(.*?)\bend\b", sections["bonedata"], flags=re.DOTALL):
        bone = re.search(r"\bname\s+(\S+)", block)
        if bone is None or bone[1] in bones:
            raise ValueError(f"{name} has a bone without a name, or twice the same name ({bone and bone[1]!r}).")
        bones[bone[1]] = _parse_bone(bone[1], block, in_degrees, name)
    if length <= 0:
        raise ValueError(f"{name} has the length unit {length:g}; it must be positive.")
    position = _field_numbers("position", sections["root"], f"{name}, root", 3, [0, 0, 0])
    # Lengths divided by the file's unit are inches.
    return _Skeleton(bones, _parse_hierarchy(sections["hierarchy"], bones, name), _INCH / length, position)


def _field_numbers(key: str, block: str, where: str, count: int, default: list[float] | None = None) -> np.ndarray:
    found = re.search(rf"^[ \t]*{key}[ \t]+(.*)", block, flags=re.MULTILINE)
    if found is None and default is not None:
        return np.array(default, dtype=np.float64)
    numbers = parse_numbers(" ".join(found[1].split()[:count]) if found else "", f"{where}, {key}")
    if len(numbers) != count:
        raise ValueError(f"{where}: {key} needs {count} numbers, but has {len(numbers)}; the skeleton is damaged.")
    return numbers


def _parse_bone(bone: str, block: str, in_degrees: bool, name: str) -> _Bone:
    where = f"{name}, bone {bone}"
    if bone == "root":
        direction, length = np.zeros(3), 0.0
        axes, order = _field_numbers("orientation", block, where, 3, [0, 0, 0]), re.search(r"axis\s+([xyz]{3})", block)
    else:
        direction = _field_numbers("direction", block, where, 3)
        length = _field_numbers("length", block, where, 1)[0]
        axes = _field_numbers("axis", block, where, 3, [0, 0, 0])
        order = re.search(r"axis(?:\s+\S+){3}\s+([xyzXYZ]{3})", block)
    order = order[1].lower() if order else "xyz"
    axes = np.radians(axes) if in_degrees else axes
    channels = re.search(r"^[ \t]*dof[ \t]+(.*)", block, flags=re.MULTILINE)
    channels = channels[1].lower().split() if channels else []
    unknown = set(channels) - {"tx", "ty", "tz", "rx", "ry", "rz", "l"}
    if unknown or len(set(channels)) < len(channels):
        raise ValueError(f"{where}: dof must list different ones of tx ty tz rx ry rz l, but has {channels}.")
    norm = np.linalg.norm(direction)
    vector = direction * (length / norm) if norm > 0 else np.zeros(3)
    return _Bone(vector, from_euler(axes[::-1], order[::-1]), channels)


def _parse_hierarchy(text: str, bones: dict[str, _Bone], name: str) -> dict[str, str]:
    body = re.search(r"\bbegin\b(.*?)\bend\b", text, flags=re.DOTALL)
    parents = {}
    for line in (body[1] if body else "").splitlines():
        parent, *children = line.split() or [""]
        for child in children:
            if child in parents or child == "root" or {parent, child} - bones.keys():
                raise ValueError(f"{name}: bone {child!r} below {parent!r} is unknown or listed twice in :hierarchy.")
            parents[child] = parent
    if not parents:
        raise ValueError(f"{name} has an empty :hierarchy; the skeleton is cut short, copy it again.")
    return parents


def _ordered_names(skeleton: _Skeleton, name: str) -> list[str]:
    """Bones of the tree from the root on, parents first."""
    names = ["root"]
    for parent in names:
        names.extend(child for child, its_parent in skeleton.parents.items() if its_parent == parent)
    lost = sorted(set(skeleton.parents) - set(names))
    if lost:
        raise ValueError(f"{name}: bones {lost} form a cycle or hang on no root in :hierarchy.")
    return names


def _parse_amc(text: str, skeleton: _Skeleton, name: str) -> tuple[bool, dict[str, np.ndarray]]:
    """Whether angles are in degrees, and for each moving bone its values `(num_channels, num_frames)`."""
    start = re.search(r"^\s*\d+\s*$", text, flags=re.MULTILINE)
    if "\0" in text[:4096] or start is None:
        raise ValueError(f"{name} has no frame, so it is no AMC file or an empty one; check the path or the copy.")
    degrees = ":RADIANS" not in text[: start.start()].upper()
    words = text[start.start() :].split()
    layout, width = _frame_layout(words, skeleton, name)
    num_frames, rest = divmod(len(words), width)
    if rest:
        raise ValueError(
            f"{name} ends inside frame {num_frames + 1} ({rest} of {width} words); copy it again or cut it."
        )
    numbers = parse_numbers(" ".join(words[::width]), f"{name}, frame numbers")
    if (np.diff(numbers) != 1).any():
        where = int(np.flatnonzero(np.diff(numbers) != 1)[0]) + 2
        raise ValueError(f"{name}: frame {where} is missing, or lists other bones than the first; export it again.")
    columns = {}
    for bone, position, count in layout:
        if words[position::width] != [bone] * num_frames:
            raise ValueError(f"{name}: some frame lists other bones than the first at {bone!r}; export it again.")
        values = [parse_numbers(" ".join(words[position + 1 + i :: width]), f"{name}, {bone}") for i in range(count)]
        columns[bone] = np.stack(values)
    return degrees, columns


def _frame_layout(words: list[str], skeleton: _Skeleton, name: str) -> tuple[list[tuple[str, int, int]], int]:
    """Bone, position and number of values of every line of the first frame, and the words of a frame."""
    layout, position = [], 1
    while position < len(words) and words[position] in skeleton.bones:
        bone = words[position]
        count = len(skeleton.bones[bone].channels)
        layout.append((bone, position, count))
        position += 1 + count
    if position < len(words) and not words[position].isdigit():
        raise ValueError(
            f"{name} has {words[position][:40]!r} where a bone of its skeleton or the next frame was expected; does "
            "the skeleton belong to this motion?"
        )
    if "root" not in (bone for bone, _, _ in layout):
        raise ValueError(f"{name} does not move 'root' in its first frame; the file is damaged.")
    if len({bone for bone, _, _ in layout}) < len(layout):
        raise ValueError(f"{name} lists a bone twice in its first frame; the file is damaged.")
    return layout, position

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Joint names of the known skeletons, and the mapping of a file's joints onto the 23 segments."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from anymo_hf.processing.placements_anymo import SEGMENTS


# What a custom skeleton must have; the other segments are interpolated along the chain.
REQUIRED_SEGMENTS = ("Pelvis", "T8", "Head") + tuple(
    f"{side}_{name}"
    for side in "RL"
    for name in ("UpperArm", "Forearm", "Hand", "UpperLeg", "LowerLeg", "Foot")
)  # fmt: skip


@dataclass(frozen=True)
class SkeletonMap:
    """
    Which joint of a file carries each segment.

    Args:
        name (`str`):
            What the skeleton is called.
        joints (`dict[str, str]`):
            Segment to the joint at its origin.
        turned_by (`dict[str, str]`):
            Segment to the joint whose rotation it takes, where that is another one than in `joints`.
        joint_axes (`dict[str, np.ndarray]`):
            For files whose zero pose is no body: rotation matrices `(3, 3)` from each joint's frame to the body's
            (x forward, y left, z up) in the T-pose. Joints that are absent keep their parent's.
    """

    name: str
    joints: dict[str, str]
    turned_by: dict[str, str] = field(default_factory=dict)
    joint_axes: dict[str, np.ndarray] = field(default_factory=dict)


def _both_sides(trunk: dict[str, str], limbs: dict[str, str], left: str, right: str) -> dict[str, str]:
    """The table with `{}` in a limb's joint name replaced by the word of its side."""
    table = dict(trunk)
    for prefix, word in (("L_", left), ("R_", right)):
        table |= {prefix + segment: joint.format(word) for segment, joint in limbs.items()}
    return table


_LIMBS = {
    "Shoulder": "{}Shoulder",
    "UpperArm": "{}Arm",
    "Forearm": "{}ForeArm",
    "Hand": "{}Hand",
    "UpperLeg": "{}UpLeg",
    "LowerLeg": "{}Leg",
    "Foot": "{}Foot",
    "Toe": "{}ToeBase",
}
_ACCLAIM_LIMBS = {
    "Shoulder": "{}clavicle",
    "UpperArm": "{}humerus",
    "Forearm": "{}radius",
    "Hand": "{}wrist",
    "UpperLeg": "{}femur",
    "LowerLeg": "{}tibia",
    "Foot": "{}foot",
    "Toe": "{}toes",
}
_BANDAI_LIMBS = {
    "Shoulder": "Shoulder_{}",
    "UpperArm": "UpperArm_{}",
    "Forearm": "LowerArm_{}",
    "Hand": "Hand_{}",
    "UpperLeg": "UpperLeg_{}",
    "LowerLeg": "LowerLeg_{}",
    "Foot": "Foot_{}",
    "Toe": "Toes_{}",
}
_SPINE = {"Pelvis": "Hips", "L5": "Spine", "T12": "Spine1", "T8": "Spine2", "Neck": "Neck", "Head": "Head"}

_DIRECTIONS = {
    "forward": (1, 0, 0),
    "back": (-1, 0, 0),
    "left": (0, 1, 0),
    "right": (0, -1, 0),
    "up": (0, 0, 1),
    "down": (0, 0, -1),
}


def _axes(x: str, y: str, pitch: float = 0.0) -> np.ndarray:
    """Rotation from a joint to the body from where its x and y point, then nose down by `pitch` degrees."""
    x, y = np.array(_DIRECTIONS[x], float), np.array(_DIRECTIONS[y], float)
    sine, cosine = np.sin(np.radians(pitch)), np.cos(np.radians(pitch))
    down = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
    return down @ np.stack([x, y, np.cross(x, y)], axis=-1)


# In both of the following rigs every bone lies on its joint's own x axis, so the zero pose is a bundle of lines. Trunk
# and limbs: read off the offsets and checked on the recordings; foot and toe: their median pitch while both stand
# still, so that a flat sole is the identity (Bandai-Namco: measured on 40 clips; LAFAN1: from its toe's fixed 21.45
# degrees and one published frame only).
_BANDAI_AXES = {
    "Hips": _axes("up", "right"),
    **{joint: _axes("up", "forward") for joint in ("Spine", "Chest", "Neck", "Head")},
    **{f"{joint}_L": _axes("left", "up") for joint in ("Shoulder", "UpperArm", "LowerArm", "Hand")},
    **{f"{joint}_R": _axes("left", "down") for joint in ("Shoulder", "UpperArm", "LowerArm", "Hand")},
    **{f"{joint}_L": _axes("down", "left") for joint in ("UpperLeg", "LowerLeg")},
    **{f"{joint}_R": _axes("up", "left") for joint in ("UpperLeg", "LowerLeg")},
    "Foot_L": _axes("forward", "left", pitch=39.6),
    "Toes_L": _axes("forward", "left", pitch=23.0),
    "Foot_R": _axes("back", "left", pitch=39.6),
    "Toes_R": _axes("back", "left", pitch=23.0),
}
_LAFAN_AXES = {
    **{joint: _axes("up", "forward") for joint in ("Hips", "Spine", "Spine1", "Spine2", "Neck", "Head")},
    **{f"Left{joint}": _axes("left", "back") for joint in ("Shoulder", "Arm", "ForeArm", "Hand")},
    **{f"Right{joint}": _axes("right", "back") for joint in ("Shoulder", "Arm", "ForeArm", "Hand")},
    **{f"{side}{joint}": _axes("down", "forward") for side in ("Left", "Right") for joint in ("UpLeg", "Leg")},
    **{f"{side}Foot": _axes("forward", "up", pitch=21.45) for side in ("Left", "Right")},
    **{f"{side}Toe": _axes("forward", "up") for side in ("Left", "Right")},
}

# The first one whose joints are all in the file is taken, so the order matters: from specific to general.
KNOWN_SKELETONS = (
    SkeletonMap(
        "CMU BVH (cgspeed)",
        _both_sides(
            {"Pelvis": "Hips", "L5": "LowerBack", "T12": "Spine", "T8": "Spine1", "Neck": "Neck1", "Head": "Head"},
            _LIMBS,
            "Left",
            "Right",
        ),
        # The elbow has one axis; the turn of the forearm about itself, which a watch sees, stands at the wrist.
        turned_by={"L_Forearm": "LeftHand", "R_Forearm": "RightHand"},
    ),
    SkeletonMap(
        "Acclaim (CMU, HDM05)",
        _both_sides(
            {
                "Pelvis": "root",
                "L5": "lowerback",
                "T12": "upperback",
                "T8": "thorax",
                "Neck": "upperneck",
                "Head": "head",
            },
            _ACCLAIM_LIMBS,
            "l",
            "r",
        ),
        turned_by={"L_Forearm": "lwrist", "R_Forearm": "rwrist"},
    ),
    SkeletonMap(
        "Bandai-Namco",
        _both_sides(
            {"Pelvis": "Hips", "L3": "Spine", "T8": "Chest", "Neck": "Neck", "Head": "Head"}, _BANDAI_LIMBS, "L", "R"
        ),
        joint_axes=_BANDAI_AXES,
    ),
    SkeletonMap(
        "LAFAN1", _both_sides(_SPINE, _LIMBS | {"Toe": "{}Toe"}, "Left", "Right"), joint_axes=_LAFAN_AXES
    ),
    SkeletonMap("Mixamo", _both_sides(_SPINE, _LIMBS, "Left", "Right")),
)  # fmt: skip


def plain_name(joint: str) -> str:
    """A joint's name without the namespace in front of a colon, such as `mixamorig:`."""
    return joint.rsplit(":", maxsplit=1)[-1]


def read_joint_map(joint_map: dict[str, str] | str | Path | None) -> dict[str, str]:
    """
    A user's mapping, checked for unknown segments.

    Args:
        joint_map (`dict[str, str]` or `str` or `Path`, *optional*, defaults to `None`):
            `{segment: joint name}`, or a JSON file that holds it.

    Returns:
        `dict[str, str]`: The mapping; empty for `None`.

    Raises:
        ValueError: If it is no such mapping.
    """
    if joint_map is None:
        return {}
    if not isinstance(joint_map, dict):
        try:
            joint_map = json.loads(Path(joint_map).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ValueError(f"The joint map {str(joint_map)!r} is no readable JSON file: {error}.") from error
    if not isinstance(joint_map, dict) or not all(isinstance(joint, str) for joint in joint_map.values()):
        raise ValueError('A joint map must be {segment: joint name}, such as {"L_Forearm": "LeftElbow"}.')
    unknown = sorted(set(joint_map) - set(SEGMENTS))
    if unknown:
        raise ValueError(f"The joint map names unknown segments {unknown}; segments are {list(SEGMENTS)}.")
    return dict(joint_map)


def map_skeleton(names: tuple[str, ...], joint_map: dict[str, str], file: str) -> SkeletonMap:
    """
    The map of a file's joints onto the segments.

    Args:
        names (`tuple[str, ...]`):
            The file's joint names.
        joint_map (`dict[str, str]`):
            The user's own mapping. It overrides entries of a known skeleton, or stands alone for an unknown one.
        file (`str`):
            How to call the file in an error.

    Returns:
        `SkeletonMap`: With joint names as in the file.

    Raises:
        ValueError: If the user names a joint that is not there, or a segment stays without one.
    """
    absent = sorted(set(joint_map.values()) - set(names))
    if absent:
        raise ValueError(f"{file}: the joint map names {absent}, but the joints are {list(names)}.")
    spelled = {plain_name(name): name for name in names}
    for known in KNOWN_SKELETONS:
        if set(known.joints.values()) <= spelled.keys() and not _stands_alone(joint_map, known):
            return SkeletonMap(
                known.name,
                {segment: spelled[joint] for segment, joint in known.joints.items()} | joint_map,
                {segment: spelled[joint] for segment, joint in known.turned_by.items() if segment not in joint_map},
                {spelled[joint]: axes for joint, axes in known.joint_axes.items() if joint in spelled},
            )
    missing = [segment for segment in REQUIRED_SEGMENTS if segment not in joint_map]
    if missing:
        raise ValueError(
            f"{file} has an unknown skeleton with the joints {list(names)}; nothing maps onto {missing}. Pass "
            'joint_map={"Pelvis": "<joint>", "L_Forearm": "<joint at the left elbow>", ...} or a JSON file like it.'
        )
    return SkeletonMap("custom", joint_map)


def _stands_alone(joint_map: dict[str, str], known: SkeletonMap) -> bool:
    """Whether the user's map is complete, so that it needs neither names nor joint axes of the known skeleton."""
    return set(REQUIRED_SEGMENTS) <= joint_map.keys() and not known.joint_axes

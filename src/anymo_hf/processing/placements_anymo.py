# Copyright 2026 The anymo-hf contributors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""The body segments and every name a sensor placement may have: the one table that the whole package reads."""

import difflib
import re
from dataclasses import dataclass


SEGMENTS = (
    "Pelvis",
    "L5",
    "L3",
    "T12",
    "T8",
    "Neck",
    "Head",
    "R_Shoulder",
    "R_UpperArm",
    "R_Forearm",
    "R_Hand",
    "L_Shoulder",
    "L_UpperArm",
    "L_Forearm",
    "L_Hand",
    "R_UpperLeg",
    "R_LowerLeg",
    "R_Foot",
    "R_Toe",
    "L_UpperLeg",
    "L_LowerLeg",
    "L_Foot",
    "L_Toe",
)
NUM_SEGMENTS = len(SEGMENTS)

# Index of every segment's parent; -1 marks the root. A parent always comes before its children.
SEGMENT_PARENTS = (-1, 0, 1, 2, 3, 4, 5, 4, 7, 8, 9, 4, 11, 12, 13, 0, 15, 16, 17, 0, 19, 20, 21)


@dataclass(frozen=True)
class NamedPlacement:
    """
    A place where people wear a sensor, as a segment and a spot on its skin.

    Args:
        name (`str`):
            Canonical name, the words that prompts use, for instance `"left wrist"`.
        segment (`str`):
            Segment that carries the sensor, one of `SEGMENTS`.
        along (`float`):
            Where along the bone, from 0 at the segment's origin to 1 at its far end.
        facing (`tuple[float, float, float]`):
            Direction in which the skin faces there in the T-pose: x forward, y left, z up. Not normalised.
    """

    name: str
    segment: str
    along: float
    facing: tuple[float, float, float]


# name, segment, along, facing, other names. In the T-pose the palms look down, so "up" is the back of a hand.
_TRUNK = (
    ("waist", "Pelvis", 0.9, (1, 0, 0), ("belt", "belt buckle", "front waist", "waist front", "pelvis")),
    ("back of the waist", "Pelvis", 0.9, (-1, 0, 0), ("sacrum", "back waist", "waist back")),
    ("lower back", "L5", 0.5, (-1, 0, 0), ("lumbar", "l5", "low back")),
    ("abdomen", "L3", 0.5, (1, 0, 0), ("belly", "stomach", "l3")),
    ("middle back", "T12", 0.5, (-1, 0, 0), ("mid back", "spine", "t12")),
    ("chest", "T8", 0.4, (1, 0, 0), ("sternum", "torso", "trunk", "breast", "t8", "chest strap")),
    ("upper back", "T8", 0.7, (-1, 0, 0), ("back", "between the shoulder blades", "backpack")),
    ("neck", "Neck", 0.5, (-1, 0, 0), ("nape",)),
    ("head", "Head", 0.9, (0, 0, 1), ("helmet", "cap", "hat", "top of the head")),
    ("forehead", "Head", 0.7, (1, 0, 0), ("headband", "front of the head", "headset")),
)
# The same for the left side; the right side is its mirror image.
_LIMBS = (
    (
        "wrist",
        "Forearm",
        0.92,
        (0, 0, 1),
        ("watch", "smartwatch", "smart watch", "wristband", "wristwatch", "arm wrist", "wrist of the dominant hand"),
    ),
    ("forearm", "Forearm", 0.5, (0, 0, 1), ("lower arm", "fore arm")),
    ("elbow", "Forearm", 0.05, (0, 0, 1), ()),
    ("hand", "Hand", 0.35, (0, 0, 1), ("back of the hand", "hand back")),
    ("palm", "Hand", 0.4, (0, 0, -1), ("in hand", "handheld", "hand held", "held in hand")),
    ("upper arm", "UpperArm", 0.5, (0, 0, 1), ("arm band", "armband", "biceps", "arm", "upperarm")),
    ("shoulder", "Shoulder", 0.6, (0, 0, 1), ("collar", "clavicle")),
    ("hip", "Pelvis", 0.7, (0, 1, 0), ("side of the waist", "waist side", "belt side", "front hip", "waist")),
    ("breast pocket", "T8", 0.5, (1, 0.5, 0), ("jacket pocket", "upper pocket", "shirt pocket", "chest pocket")),
    ("back pocket", "Pelvis", 0.0, (-1, 0.6, 0), ("rear pocket", "back trouser pocket", "buttock")),
    (
        "trouser pocket",
        "UpperLeg",
        0.2,
        (1, 0.5, 0),
        ("pocket", "front pocket", "front trouser pocket", "pants pocket", "trousers pocket", "pant pocket"),
    ),
    ("thigh", "UpperLeg", 0.5, (1, 0.2, 0), ("upper leg", "upperleg", "leg")),
    ("knee", "UpperLeg", 0.85, (1, 0, 0), ("above the knee", "knee top")),
    ("shin", "LowerLeg", 0.4, (1, 0, 0), ("shank", "lower leg", "lowerleg", "tibia")),
    ("calf", "LowerLeg", 0.35, (-1, 0, 0), ()),
    ("ankle", "LowerLeg", 0.9, (0, 1, 0), ("above the ankle",)),
    ("foot", "Foot", 0.6, (0.4, 0, 1), ("shoe", "instep", "shoe top", "dorsum of the foot")),
    ("toe", "Toe", 0.5, (0, 0, 1), ("toes",)),
    ("ear", "Head", 0.45, (0, 1, 0), ("earbud", "ear bud", "temple", "glasses", "hearing aid")),
)


def _build_table() -> tuple[dict[str, NamedPlacement], dict[str, str]]:
    """Every canonical name with its placement, and every alias with its canonical name."""
    table = {row[0]: NamedPlacement(*row[:4]) for row in _TRUNK}
    aliases = {alias: row[0] for row in _TRUNK for alias in row[4]}
    for side, prefix, sign in (("left", "L_", 1), ("right", "R_", -1)):
        for name, segment, along, (x, y, z), others in _LIMBS:
            segment = segment if segment in SEGMENTS else prefix + segment
            table[f"{side} {name}"] = NamedPlacement(f"{side} {name}", segment, along, (x, sign * y, z))
            aliases |= {f"{side} {alias}": f"{side} {name}" for alias in others}
    return table, aliases


NAMED_PLACEMENTS, PLACEMENT_ALIASES = _build_table()

_SHORT_FORMS = {
    **{"l": "left", "lt": "left", "r": "right", "rt": "right"},
    **{"lua": "left upper arm", "lla": "left forearm", "rua": "right upper arm", "rla": "right forearm"},
}


def normalize_placement_name(name: str) -> str:
    """`"L_Wrist"`, `"wrist (left)"`, `"LeftWrist"` and `"left-wrist"` all become `"left wrist"`."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.strip())
    words = re.sub(r"[^a-z0-9]+", " ", spaced.lower()).split()
    words = " ".join(_SHORT_FORMS.get(word, word) for word in words).split()
    sides = [word for word in words if word in ("left", "right")]
    # A dominant side is no side: nobody knows which it is.
    silent = ("left", "right", "the", "of", "dominant")
    return " ".join(sides[:1] + [word for word in words if word not in silent])


_SIDED_WORDS = {normalize_placement_name(word) for name, *_, others in _LIMBS for word in (name, *others)}
_LOOKUP = {normalize_placement_name(name): name for name in NAMED_PLACEMENTS} | {
    normalize_placement_name(alias): name for alias, name in PLACEMENT_ALIASES.items()
}


def get_placement(name: str) -> NamedPlacement:
    """
    The placement of that name or alias.

    Args:
        name (`str`):
            What the user calls the place, in any spelling that `normalize_placement_name` understands.

    Returns:
        `NamedPlacement`: The one entry of the table.

    Raises:
        ValueError: If no entry matches, naming the closest ones, or if a limb is named without its side.
    """
    key = normalize_placement_name(name)
    if key in _LOOKUP:
        return NAMED_PLACEMENTS[_LOOKUP[key]]
    if key in _SIDED_WORDS:
        left, right = _LOOKUP[f"left {key}"], _LOOKUP[f"right {key}"]
        raise ValueError(f"Placement {name!r} exists on both sides; write {left!r} or {right!r}.")
    matches = difflib.get_close_matches(key, [*_LOOKUP, *sorted(_SIDED_WORDS)], n=3, cutoff=0.6)
    close = list(dict.fromkeys(_LOOKUP.get(match) or _LOOKUP[f"left {match}"] for match in matches))
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"known are {sorted(NAMED_PLACEMENTS)}."
    raise ValueError(f"Placement {name!r} is unknown; {hint}")


__all__ = [
    "NAMED_PLACEMENTS",
    "NUM_SEGMENTS",
    "PLACEMENT_ALIASES",
    "SEGMENTS",
    "SEGMENT_PARENTS",
    "NamedPlacement",
    "get_placement",
    "normalize_placement_name",
]

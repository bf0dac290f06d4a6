# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The table of placements: every spelling finds its entry, nothing is guessed."""

import pytest

from anymo_hf.processing.placements_anymo import (
    NAMED_PLACEMENTS,
    PLACEMENT_ALIASES,
    SEGMENT_PARENTS,
    SEGMENTS,
    get_placement,
    normalize_placement_name,
)


def test_the_segments_are_a_tree():
    assert len(SEGMENTS) == len(SEGMENT_PARENTS) == 23
    assert SEGMENT_PARENTS[0] == -1 and all(parent < child for child, parent in enumerate(SEGMENT_PARENTS))
    for child, parent in enumerate(SEGMENT_PARENTS):
        if SEGMENTS[child].startswith("L_"):
            mirrored = SEGMENTS.index("R_" + SEGMENTS[child][2:])
            assert SEGMENTS[SEGMENT_PARENTS[mirrored]] == SEGMENTS[parent].replace("L_", "R_")


def test_every_name_and_alias_finds_its_entry():
    for name in NAMED_PLACEMENTS:
        assert get_placement(name).name == name
    for alias, name in PLACEMENT_ALIASES.items():
        assert get_placement(alias).name == name, alias


def test_no_two_names_are_spelled_alike():
    keys = [normalize_placement_name(name) for name in NAMED_PLACEMENTS]
    assert len(set(keys)) == len(keys)
    meanings = {}
    for alias, name in PLACEMENT_ALIASES.items():
        assert meanings.setdefault(normalize_placement_name(alias), name) == name


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("L_Wrist", "left wrist"),
        ("wrist (left)", "left wrist"),
        ("LeftWrist", "left wrist"),
        ("the left-watch", "left wrist"),
        ("right trousers pocket", "right trouser pocket"),
        ("front right hip", "right hip"),
        ("waist right", "right hip"),
        ("RUA", "right upper arm"),
        ("LLA", "left forearm"),
        ("sternum", "chest"),
        ("right earbud", "right ear"),
        ("left instep", "left foot"),
    ],
)
def test_spellings(spelling, name):
    assert get_placement(spelling).name == name


@pytest.mark.parametrize(
    ("name", "segment"),
    [
        ("left watch", "L_Forearm"),
        ("right hand held", "R_Hand"),
        ("belt", "Pelvis"),
        ("left hip", "Pelvis"),
        ("lower back", "L5"),
        ("chest", "T8"),
        ("right pocket", "R_UpperLeg"),
        ("left above the knee", "L_UpperLeg"),
        ("right ankle", "R_LowerLeg"),
        ("left shoe", "L_Foot"),
        ("right glasses", "Head"),
    ],
)
def test_default_segments(name, segment):
    assert get_placement(name).segment == segment


def test_sides_are_mirror_images():
    for name, placement in NAMED_PLACEMENTS.items():
        if name.startswith("left "):
            twin = NAMED_PLACEMENTS["right " + name.removeprefix("left ")]
            x, y, z = placement.facing
            assert twin.facing == (x, -y, z) and twin.along == placement.along


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wrist of the dominant hand", "exists on both sides; write 'left wrist' or 'right wrist'"),
        ("pocket", "write 'left trouser pocket' or 'right trouser pocket'"),
        ("left wrst", "did you mean 'left wrist'"),
        ("wrst", "did you mean 'left wrist'"),
        ("moon", "is unknown; known are"),
        ("", "is unknown"),
    ],
)
def test_unknown_names(name, message):
    with pytest.raises(ValueError, match=message):
        get_placement(name)

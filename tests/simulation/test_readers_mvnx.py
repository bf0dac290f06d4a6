# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""MVNX, in files of the published layout."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anymo_hf.processing.placements_anymo import SEGMENTS
from anymo_hf.simulation.readers import load_motion
from anymo_hf.simulation.readers.mvnx import read_mvnx
from anymo_hf.simulation.segments import DEFAULT_BONE_OFFSETS, tpose_positions


LABELS = [s.replace("R_", "Right").replace("L_", "Left").replace("Forearm", "ForeArm") for s in SEGMENTS]
TURNS = Rotation.from_rotvec([[0, 0, 0.0], [0, 0, 0.1], [0, 0, 0.2]])


def frame(turn: Rotation, kind: str = "normal", index: str = "", height: float = 0.0) -> str:
    positions = np.concatenate([turn.apply(tpose_positions()) + [0, 0, height], np.zeros((1, 3))])
    quaternions = np.concatenate([np.tile(turn.as_quat()[[3, 0, 1, 2]], (23, 1)), np.zeros((1, 4))])
    lines = {"orientation": quaternions, "position": positions, "velocity": positions}
    body = "".join(f"<{tag}>{' '.join(f'{v:.9f}' for v in value.ravel())}</{tag}>" for tag, value in lines.items())
    return f'<frame time="0" index="{index}" type="{kind}">{body}</frame>'


def document(frames: str | None = None, rate: str = "240", labels: list[str] | None = None) -> str:
    if frames is None:
        frames = frame(TURNS[0], "identity") + frame(TURNS[1], "tpose") + frame(TURNS[1], "tpose-isb")
        frames += "".join(frame(turn, index=str(i), height=1.0) for i, turn in enumerate(TURNS))
    segments = "".join(f'<segment label="{x}" id="{i}"/>' for i, x in enumerate(labels or [*LABELS, "Prop1"], start=1))
    return (
        '<?xml version="1.0" encoding="UTF-8"?><mvnx version="4" xmlns="http://www.xsens.com/mvn/mvnx">'
        f'<subject label="Suit 1" frameRate="{rate}" segmentCount="24"><segments>{segments}</segments>'
        f'<frames segmentCount="24">{frames}</frames></subject></mvnx>'
    )


def write(folder, text: str):
    path = folder / "take.mvnx"
    path.write_text(text, encoding="utf-8")
    return path


def test_normal_frames_and_the_identity_pose(tmp_path):
    motion = load_motion(write(tmp_path, document()))
    assert motion.num_frames == 3
    np.testing.assert_allclose(motion.timestamps, np.arange(3) / 240)
    expected = np.stack([turn.apply(tpose_positions()) + [0, 0, 1] for turn in TURNS])
    np.testing.assert_allclose(motion.positions, expected, atol=1e-8)
    np.testing.assert_allclose(motion.orientations[:, 9], TURNS.as_quat()[:, [3, 0, 1, 2]], atol=1e-8)
    np.testing.assert_allclose(motion.bone_offsets, DEFAULT_BONE_OFFSETS, atol=1e-8)
    assert motion.source["subject"] == "Suit 1"
    assert motion.source["name"] == "take"
    assert len(motion.source["sha256"]) == 64


def test_other_orders_of_segments_poses_and_frames(tmp_path):
    # Only a T-pose that faces elsewhere; then no pose at all. The bones are the same.
    for poses in (frame(TURNS[2], "tpose"), ""):
        frames = poses + frame(TURNS[0], index="10") + frame(TURNS[1], index="12")
        motion = read_mvnx(write(tmp_path, document(frames)))
        np.testing.assert_allclose(motion.timestamps, [0, 2 / 240])
        np.testing.assert_allclose(motion.bone_offsets, DEFAULT_BONE_OFFSETS, atol=1e-8)
    swapped = [LABELS[1], LABELS[0], *LABELS[2:], "Prop1"]
    motion = read_mvnx(write(tmp_path, document(labels=swapped)))
    np.testing.assert_allclose(motion.positions[0, 1], [0, 0, 1], atol=1e-8)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "no complete XML"),
        (document()[:3000], "no complete XML"),
        ("<mvnx></mvnx>", "no subject"),
        (document(frames=""), "no subject or no frame"),
        (document(rate="-240"), "frame rate '-240'"),
        (document(rate="0"), "must be positive"),
        (document(rate="nan"), "not finite"),
        (document(rate="fast"), "expected a number"),
        (document(rate=""), "must be positive"),
        (document(labels=LABELS[:20]), r"nothing among them is \['L_LowerLeg'"),
        (document(labels=LABELS), "numbers for 23 segments"),
        (document(frame(TURNS[0]).replace("1.000000000", "NaN")), "not finite"),
        (document(frame(TURNS[0]).replace("position", "place")), "no position"),
        (document(frame(TURNS[0], index="3") + frame(TURNS[0], index="3")), "does not increase"),
        (document().replace("</subject>", "</subject><subject/>"), "several subjects"),
    ],
)
def test_hostile_files_are_refused(tmp_path, text, match):
    with pytest.raises(ValueError, match=match):
        read_mvnx(write(tmp_path, text))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused_before_they_grow(tmp_path, encoding):
    bomb = '<!DOCTYPE mvnx [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    path = tmp_path / "bomb.mvnx"
    path.write_bytes(document().replace("?><mvnx", f"?>{bomb}<mvnx").replace("UTF-8", encoding).encode(encoding))
    with pytest.raises(ValueError, match="document type"):
        read_mvnx(path)

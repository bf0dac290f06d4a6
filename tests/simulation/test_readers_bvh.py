# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""BVH files against forward kinematics that can be done by hand, scipy, and every kind of damage."""

import itertools

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anymo_hf.simulation.readers.bvh import read_bvh
from anymo_hf.simulation.readers.joint_motion import joint_poses


TWO_JOINTS = """HIERARCHY
ROOT Hips
{{
    OFFSET 0 0 0
    CHANNELS 6 Xposition Yposition Zposition {root}
    JOINT Knee
    {{
        OFFSET 0 2 0
        CHANNELS 3 {knee}
        End Site
        {{
            OFFSET 0 1 0
        }}
    }}
}}
MOTION
Frames: {frames}
Frame Time: 0.01
{values}
"""
ZYX = "Zrotation Yrotation Xrotation"


def two_joints(values: str, root: str = ZYX, knee: str = ZYX, frames: int = 1) -> bytes:
    return TWO_JOINTS.format(root=root, knee=knee, frames=frames, values=values).encode()


def test_quarter_turn_about_z_lays_the_bone_along_minus_x():
    positions, _ = joint_poses(read_bvh(two_joints("5 6 7 90 0 0 0 0 0")))
    np.testing.assert_allclose(positions[:, 0, 0], [5, 6, 7])
    np.testing.assert_allclose(positions[:, 1, 0], [3, 6, 7], atol=1e-12)


@pytest.mark.parametrize("order", ["".join(order) for order in itertools.permutations("XYZ")])
def test_every_euler_order_agrees_with_scipy(order):
    channels = " ".join(f"{axis}rotation" for axis in order)
    angles = np.array([[31.0, -47.0, 112.0], [-8.0, 170.0, 63.0]])
    motion = read_bvh(two_joints(f"0 0 0 {' '.join(map(str, angles.ravel()))}", root=channels, knee=channels))
    _, rotations = joint_poses(motion)
    # Upper case is scipy's word for intrinsic angles.
    hips, knee = Rotation.from_euler(order, angles, degrees=True)
    for joint, expected in enumerate((hips, hips * knee)):
        actual = Rotation.from_quat(rotations[[1, 2, 3, 0], joint, 0])
        assert (actual.inv() * expected).magnitude() < 1e-12


def test_rotation_may_stand_before_position():
    text = two_joints("0 0 90 1 2 3 0 0 0").decode()
    text = text.replace(
        f"Xposition Yposition Zposition {ZYX}", "Xrotation Yrotation Zrotation Xposition Yposition Zposition"
    )
    positions, _ = joint_poses(read_bvh(text.encode()))
    np.testing.assert_allclose(positions[:, :, 0].T, [[1, 2, 3], [-1, 2, 3]], atol=1e-12)


def test_position_channels_of_a_child_replace_its_offset():
    text = two_joints("0 0 0 0 0 0 0.5 2.5 0 0 0 0").decode()
    text = text.replace(f"CHANNELS 3 {ZYX}", f"CHANNELS 6 Xposition Yposition Zposition {ZYX}")
    positions, _ = joint_poses(read_bvh(text.encode()))
    np.testing.assert_allclose(positions[:, 1, 0], [0.5, 2.5, 0])


def test_braces_on_one_line_names_with_spaces_and_windows_line_ends():
    text = "HIERARCHY\r\nROOT my hips { OFFSET 0 0 0\r\nCHANNELS 1 Xrotation End Site { OFFSET 0 1 0 } }\r\n"
    motion = read_bvh((text + "MOTION\r\nFrames: 2\r\nFrame Time: 0.5\r\n1\r\n2\r\n").encode())
    assert motion.names == ("my hips",)
    assert motion.frame_time == 0.5
    assert motion.num_frames == 2


DAMAGE = {
    "empty": (lambda t: "", "HIERARCHY"),
    "other text": (lambda t: "hello", "HIERARCHY"),
    "no motion": (lambda t: t[: t.index("MOTION")], "no MOTION"),
    "cut in the header": (lambda t: t[: t.index("Frame Time")], "Frame Time"),
    "cut in the numbers": (lambda t: t[:-8], "cut short"),
    "too many numbers": (lambda t: t + "1 2 3", "cut short, or Frames"),
    "no frames": (lambda t: t.replace("Frames: 1", "Frames: 0"), "at least one"),
    "frame count": (lambda t: t.replace("Frames: 1", "Frames: 3"), "announces 3 frames"),
    "half a frame": (lambda t: t.replace("Frames: 1", "Frames: 1.5"), "at least one"),
    "time stands still": (lambda t: t.replace("Time: 0.01", "Time: 0"), "Frame Time"),
    "time runs back": (lambda t: t.replace("Time: 0.01", "Time: -1"), "Frame Time"),
    "not a number": (lambda t: t.replace("0 0 0\n", "0 zero 0\n"), "expected a number"),
    "decimal comma": (lambda t: t.replace("Time: 0.01", "Time: 0,01"), "decimal points"),
    "nan": (lambda t: t.replace("1 2 3", "1 nan 3"), "not finite"),
    "infinite": (lambda t: t.replace("1 2 3", "1 inf 3"), "not finite"),
    "open brace": (lambda t: t.replace("}\nMOTION", "MOTION"), "braces open"),
    "closed twice": (lambda t: t.replace("}\nMOTION", "}\n}\nMOTION"), "closes more"),
    "no brace": (lambda t: t.replace("Hips\n{", "Hips\n"), "brace is missing"),
    "two names": (lambda t: t.replace("Knee", "Hips"), "two joints called"),
    "two roots": (lambda t: t.replace("MOTION", "ROOT b\n{\nOFFSET 0 0 0\n}\nMOTION"), "second root"),
    "channel count": (lambda t: t.replace("CHANNELS 3", "CHANNELS 4"), "different channels"),
    "channel name": (lambda t: t.replace("CHANNELS 3 Z", "CHANNELS 3 W"), "different channels"),
    "channel twice": (lambda t: t.replace("3 Zrotation Y", "3 Xrotation Y"), "different channels"),
    "offset": (lambda t: t.replace("OFFSET 0 2 0", "OFFSET 0 2"), "OFFSET"),
    "stray word": (lambda t: t.replace("JOINT", "JOINTS"), "was expected"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_named(kind):
    damage, words = DAMAGE[kind]
    with pytest.raises(ValueError, match=words) as caught:
        read_bvh(damage(two_joints("1 2 3 0 0 0 0 0 0").decode()).encode(), "walk.bvh")
    assert "walk.bvh" in str(caught.value)


def test_random_bytes_are_refused():
    junk = np.random.default_rng(0).integers(0, 256, 10_000, dtype=np.uint8).tobytes()
    for data in (junk, b"HIERARCHY" + junk, b"HIERARCHY\n" + junk.replace(b"\0", b"") + b"\nMOTION\n" + junk):
        with pytest.raises(ValueError, match="walk"):
            read_bvh(data, "walk.bvh")

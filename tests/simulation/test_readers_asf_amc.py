# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Acclaim files against rotations done by scipy, and their kinds of damage."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anymo_hf.simulation.readers.asf_amc import find_asf, read_asf_amc
from anymo_hf.simulation.readers.joint_motion import joint_poses


ASF = """# a comment
:version 1.10
:units
  mass 1.0
  length 0.45
  angle deg
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name thigh
     direction 0 -1 0
     length 7.5
     axis 10 20 30 XYZ
    dof rx ry rz
    limits (-10 10)
           (-10 10)
           (-10 10)
  end
  begin
     id 2
     name shank
     direction 0 -2 0
     length 5
     axis 0 0 20 XYZ
    dof rx
  end
:hierarchy
  begin
    root thigh
    thigh shank
  end
"""
AMC = """#!OML:ASF
:FULLY-SPECIFIED
:DEGREES
1
root 1 2 3 10 -20 30
thigh 40 50 -60
shank 70
2
root 1 2 3 0 0 0
thigh 0 0 0
shank 0
"""


def test_rotations_are_turned_by_each_bones_own_axes():
    motion = read_asf_amc(ASF.encode(), AMC.encode())
    positions, rotations = joint_poses(motion)
    # Acclaim turns about fixed axes, scipy's lower case: L = C M C^-1.
    axes = Rotation.from_euler("xyz", [[10, 20, 30], [0, 0, 20]], degrees=True)
    root = Rotation.from_euler("xyz", [10, -20, 30], degrees=True)
    thigh = root * axes[0] * Rotation.from_euler("xyz", [40, 50, -60], degrees=True) * axes[0].inv()
    shank = thigh * axes[1] * Rotation.from_euler("x", 70, degrees=True) * axes[1].inv()
    for joint, expected in enumerate((root, thigh, shank)):
        actual = Rotation.from_quat(rotations[[1, 2, 3, 0], joint, 0])
        assert (actual.inv() * expected).magnitude() < 1e-12
    np.testing.assert_allclose(positions[:, 1, 0], [1, 2, 3])
    np.testing.assert_allclose(positions[:, 2, 0], thigh.apply([0, -7.5, 0]) + [1, 2, 3])
    np.testing.assert_allclose(positions[:, 2, 1], [1, -5.5, 3], atol=1e-12)


def test_length_unit_frame_rate_and_names():
    motion = read_asf_amc(ASF.encode(), AMC.encode())
    assert motion.unit == pytest.approx(0.0254 / 0.45)
    assert motion.frame_time == pytest.approx(1 / 120)
    assert motion.names == ("root", "thigh", "shank")


def test_radians_in_both_files():
    values = {"10 20 30 XYZ": [10, 20, 30], "0 0 20 XYZ": [0, 0, 20]}
    asf = ASF.replace("angle deg", "angle rad")
    for text, angles in values.items():
        asf = asf.replace(text, " ".join(f"{np.radians(a):.15f}" for a in angles) + " XYZ")
    lines = []
    for line in AMC.replace(":DEGREES", ":RADIANS").splitlines():
        name, *numbers = line.split()
        kept = 3 if name == "root" else 0
        turned = [f"{np.radians(float(n)):.15f}" for n in numbers[kept:]]
        lines.append(" ".join([name, *numbers[:kept], *turned]))
    expected = read_asf_amc(ASF.encode(), AMC.encode())
    actual = read_asf_amc(asf.encode(), "\n".join(lines).encode())
    np.testing.assert_allclose(actual.rotations, expected.rotations, atol=1e-12)


def test_skeleton_is_found_by_the_longest_beginning(tmp_path):
    for name in ("02.asf", "HDM_bd.asf", "HDM.asf"):
        (tmp_path / name).write_text("x")
    assert find_asf(tmp_path / "02_01.amc").name == "02.asf"
    assert find_asf(tmp_path / "HDM_bd_squat1Reps_001_120.amc").name == "HDM_bd.asf"
    (tmp_path / "02_01.asf").write_text("x")
    assert find_asf(tmp_path / "02_01.amc").name == "02_01.asf"
    with pytest.raises(ValueError, match=r"looked for 35_01\.asf, 35\.asf"):
        find_asf(tmp_path / "35_01.amc")


SECOND_FRAME = "2\nroot 1 2 3 0 0 0\nthigh 0 0 0\nshank 0"
OTHER_ORDER = "2\nshank 0\nroot 1 2 3 0 0 0\nthigh 0 0 0"
DAMAGE = {
    "empty motion": (lambda s, m: (s, ""), "no frame"),
    "empty skeleton": (lambda s, m: ("", m), "no complete ASF"),
    "cut in a frame": (lambda s, m: (s, m[: m.rindex("shank")]), "ends inside frame"),
    "other bones": (lambda s, m: (s, m.replace(SECOND_FRAME, OTHER_ORDER)), "other bones"),
    "frame missing": (lambda s, m: (s, m.replace("\n2\n", "\n3\n")), "frame 2 is missing"),
    "unknown bone": (lambda s, m: (s.replace("thigh", "femur"), m), "belong to this motion"),
    "not a number": (lambda s, m: (s, m.replace("70", "x7")), "expected a number"),
    "nan": (lambda s, m: (s, m.replace("70", "nan")), "not finite"),
    "no root": (lambda s, m: (s, m.replace("root", "shank")), "belong|root"),
    "bone twice": (lambda s, m: (s.replace("name shank", "name thigh"), m), "twice"),
    "cycle": (lambda s, m: (s.replace("root thigh", "shank thigh"), m), "cycle"),
    "unknown child": (lambda s, m: (s.replace("thigh shank", "thigh calf"), m), "unknown or listed twice"),
    "no length": (lambda s, m: (s.replace("length 5\n", "\n"), m), "length"),
    "length unit": (lambda s, m: (s.replace("length 0.45", "length 0"), m), "positive"),
    "channel": (lambda s, m: (s.replace("dof rx ry rz", "dof rx ry rw"), m), "dof"),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_named(kind):
    damage, words = DAMAGE[kind]
    asf, amc = damage(ASF, AMC)
    with pytest.raises(ValueError, match=words):
        read_asf_amc(asf.encode(), amc.encode())


def test_random_bytes_are_refused():
    junk = np.random.default_rng(0).integers(0, 256, 10_000, dtype=np.uint8).tobytes()
    for asf, amc in ((junk, AMC.encode()), (ASF.encode(), junk), (ASF.encode(), AMC.encode() + junk)):
        with pytest.raises(ValueError, match="ASF|AMC"):
            read_asf_amc(asf, amc)

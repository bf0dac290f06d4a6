# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Skeletons with known poses: units, axes, rest poses, missing joints."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anymo_hf.processing.placements_anymo import SEGMENT_PARENTS, SEGMENTS
from anymo_hf.simulation.readers.joint_motion import JointMotion
from anymo_hf.simulation.readers.retarget import drop_calibration_frames, restore_thorax, retarget
from anymo_hf.simulation.readers.skeletons import KNOWN_SKELETONS, read_joint_map
from anymo_hf.simulation.segments import tpose_positions


INDEX = {segment: i for i, segment in enumerate(SEGMENTS)}
# A person of about 1.7 m in body axes: x forward, y left, z up. Mixamo's names.
TREE = {"Hips": (None, (0, 0, 0)), "Spine": ("Hips", (-0.01, 0, 0.1)), "Spine1": ("Spine", (0, 0, 0.12))}
TREE |= {"Spine2": ("Spine1", (0, 0, 0.12)), "Neck": ("Spine2", (0.01, 0, 0.2)), "Head": ("Neck", (0.02, 0, 0.1))}
for _side, _sign in (("Left", 1), ("Right", -1)):
    TREE |= {
        f"{_side}UpLeg": ("Hips", (0, _sign * 0.09, -0.02)),
        f"{_side}Leg": (f"{_side}UpLeg", (0, 0, -0.43)),
        f"{_side}Foot": (f"{_side}Leg", (0, 0, -0.41)),
        f"{_side}ToeBase": (f"{_side}Foot", (0.14, 0, -0.06)),
        f"{_side}Shoulder": ("Spine2", (0, _sign * 0.03, 0.14)),
        f"{_side}Arm": (f"{_side}Shoulder", (0, _sign * 0.14, 0)),
        f"{_side}ForeArm": (f"{_side}Arm", (0, _sign * 0.28, 0)),
        f"{_side}Hand": (f"{_side}ForeArm", (0, _sign * 0.25, 0)),
    }
Y_UP = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])  # body axes to a file with y up that faces z


def person(axes=Y_UP, unit=0.01, turns=(), offsets=(), prefix="", drop=()) -> JointMotion:
    """
    One frame of the person in a file of these axes and unit.

    `turns` gives joints a local rotation vector in degrees (body axes), `offsets` another place in the rest pose.
    """
    turns, tree = dict(turns), {name: row for name, row in TREE.items() if name not in drop}
    names = tuple(tree)
    rotations = np.array([Rotation.from_rotvec(axes @ turns.get(n, (0, 0, 0)), degrees=True).as_quat() for n in names])
    root = np.array([0.3, 0.2, 0.95])
    return JointMotion(
        names=tuple(prefix + name for name in names),
        parents=tuple(-1 if parent is None else names.index(parent) for parent, _ in tree.values()),
        offsets=np.array([axes @ np.array(dict(offsets).get(n, row[1])) for n, row in tree.items()]) / unit,
        rotations=rotations[:, [3, 0, 1, 2]].T[..., None],
        frame_time=0.01,
        translations={0: (axes @ root / unit)[:, None]},
    )


def matrices(motion) -> dict[str, np.ndarray]:
    turns = Rotation.from_quat(motion.orientations[0][:, [1, 2, 3, 0]]).as_matrix()
    return dict(zip(SEGMENTS, turns, strict=True))


@pytest.mark.parametrize("axes", [Y_UP, np.eye(3)], ids=["y up", "z up"])
@pytest.mark.parametrize("unit", [1.0, 0.01, 0.001, 0.0254, 0.3048, 0.0254 / 0.45])
def test_tpose_is_the_identity_in_every_unit_and_up_axis(axes, unit):
    motion = retarget(person(axes, unit), {}, "x")
    for segment, matrix in matrices(motion).items():
        np.testing.assert_allclose(matrix, np.eye(3), atol=1e-9, err_msg=segment)
    # The pelvis stands midway between the hips.
    np.testing.assert_allclose(motion.positions[0, 0], [0.3, 0.2, 0.93], atol=1e-9)
    np.testing.assert_allclose(motion.positions[0, INDEX["L_Hand"]], [0.29, 0.9, 1.43], atol=1e-9)
    for index, parent in enumerate(SEGMENT_PARENTS):
        if parent >= 0:
            step = motion.positions[0, index] - motion.positions[0, parent]
            np.testing.assert_allclose(motion.bone_offsets[index], step, atol=1e-9)
    np.testing.assert_array_equal(motion.bone_offsets[0], 0)


def test_heading_of_a_file_with_z_up_is_kept():
    quarter = Rotation.from_euler("z", 90, degrees=True)
    motion = retarget(person(quarter.as_matrix()), {}, "x")
    np.testing.assert_allclose(matrices(motion)["Pelvis"], quarter.as_matrix(), atol=1e-9)
    assert motion.positions[0, INDEX["L_Hand"], 0] < motion.positions[0, INDEX["R_Hand"], 0]


def test_knee_and_elbow_turn_about_their_hinges():
    bent = {"LeftLeg": (0, 70, 0), "RightLeg": (0, 70, 0), "LeftForeArm": (0, 0, -80), "RightForeArm": (0, 0, 80)}
    motion = retarget(person(turns=bent), {}, "x")
    turned = matrices(motion)
    for side, sign in (("L", 1), ("R", -1)):
        # Positive about the left axis is backwards for a bone that points down.
        np.testing.assert_allclose(
            turned[f"{side}_LowerLeg"], Rotation.from_euler("y", 70, degrees=True).as_matrix(), atol=1e-9
        )
        assert motion.positions[0, INDEX[f"{side}_Foot"], 0] < motion.positions[0, INDEX[f"{side}_LowerLeg"], 0] - 0.3
        assert motion.positions[0, INDEX[f"{side}_Hand"], 0] > motion.positions[0, INDEX[f"{side}_Forearm"], 0] + 0.2
        bone = motion.positions[0, INDEX[f"{side}_Hand"]] - motion.positions[0, INDEX[f"{side}_Forearm"]]
        np.testing.assert_allclose(turned[f"{side}_Forearm"][:, 1] * sign, bone / np.linalg.norm(bone), atol=1e-9)


def test_rest_pose_with_hanging_arms_and_spread_legs():
    down, spread = (0, 0, -1), np.sin(np.radians(20))
    offsets = {}
    for side, sign in (("Left", 1), ("Right", -1)):
        leg = np.array([0, sign * spread, -np.cos(np.radians(20))])
        offsets |= {f"{side}ForeArm": 0.28 * np.array(down), f"{side}Hand": 0.25 * np.array(down)}
        offsets |= {f"{side}Leg": 0.43 * leg, f"{side}Foot": 0.41 * leg}
        offsets |= {f"{side}ToeBase": 0.14 * np.array([1, 0, 0]) + 0.06 * leg}
    motion = retarget(person(offsets=offsets), {}, "x")
    turned = matrices(motion)
    for side, sign in (("L", 1), ("R", -1)):
        for segment in ("UpperArm", "Forearm", "Hand"):
            expected = Rotation.from_euler("x", -90 * sign, degrees=True).as_matrix()
            np.testing.assert_allclose(turned[f"{side}_{segment}"], expected, atol=1e-9)
        # The palm, down in the T-pose, now faces the thigh.
        np.testing.assert_allclose(-turned[f"{side}_Hand"][:, 2], [0, -sign, 0], atol=1e-9)
        for segment in ("UpperLeg", "LowerLeg", "Foot", "Toe"):
            expected = Rotation.from_euler("x", 20 * sign, degrees=True).as_matrix()
            np.testing.assert_allclose(turned[f"{side}_{segment}"], expected, atol=1e-9, err_msg=segment)
        np.testing.assert_allclose(motion.bone_offsets[INDEX[f"{side}_Hand"]], [0, 0.25 * sign, 0], atol=1e-9)
        np.testing.assert_allclose(motion.bone_offsets[INDEX[f"{side}_Toe"]], [0.14, 0, -0.06], atol=1e-9)


def test_feet_that_turn_out_in_the_rest_pose():
    outward = {f"{s}ToeBase": (0.14 * 0.8, 0.14 * 0.6 * sign, -0.06) for s, sign in (("Left", 1), ("Right", -1))}
    turned = matrices(retarget(person(offsets=outward), {}, "x"))
    np.testing.assert_allclose(turned["L_Foot"] @ [1, 0, 0], [0.8, 0.6, 0], atol=1e-9)
    np.testing.assert_allclose(turned["R_Foot"] @ [1, 0, 0], [0.8, -0.6, 0], atol=1e-9)
    np.testing.assert_allclose(turned["L_Foot"][:, 2], [0, 0, 1], atol=1e-9)


def test_first_frame_calibrates_when_the_zero_pose_is_no_body():
    # Undo the straight body by rest turns: legs that point up until the first frame brings them down.
    folded = {f"{s}Leg": (0, 0, 0.43) for s in ("Left", "Right")} | {
        f"{s}Foot": (0, 0, 0.41) for s in ("Left", "Right")
    }
    unfold = {f"{side}UpLeg": (180, 0, 0) for side in ("Left", "Right")}
    motion = retarget(person(offsets=folded, turns=unfold), {}, "x")
    for segment in ("Pelvis", "L_UpperLeg", "R_LowerLeg", "L_Hand"):
        np.testing.assert_allclose(matrices(motion)[segment], np.eye(3), atol=1e-9, err_msg=segment)
    with pytest.raises(ValueError, match="stands with straight"):
        retarget(person(offsets=folded), {}, "x")


def test_swapped_sides_are_noticed():
    mirrored = np.diag([1.0, -1, 1])
    swapped = {name: mirrored @ np.array(row[1]) for name, row in TREE.items() if "Arm" in name or "Hand" in name}
    with pytest.raises(ValueError, match="left and right"):
        retarget(person(offsets=swapped), {}, "x")


def test_missing_segments_lie_on_the_chain():
    # Spine, Spine1, shoulders, neck and toes are gone; their children hang on the next joint.
    full = person(np.eye(3), 1.0, turns={"Spine2": (0, 40, 0), "Head": (0, 0, 30)})
    wanted = {"Pelvis": "Hips", "T8": "Spine2", "Head": "Head"}
    limbs = {
        "UpperArm": "Arm",
        "Forearm": "ForeArm",
        "Hand": "Hand",
        "UpperLeg": "UpLeg",
        "LowerLeg": "Leg",
        "Foot": "Foot",
    }
    for prefix, side in (("L_", "Left"), ("R_", "Right")):
        wanted |= {prefix + segment: side + joint for segment, joint in limbs.items()}
    full.names = tuple(name.replace("Neck", "Cervical") for name in full.names)
    motion = retarget(full, wanted, "x")
    turned = matrices(motion)
    angles = [np.degrees(Rotation.from_matrix(turned[s]).magnitude()) for s in ("Pelvis", "L5", "L3", "T12", "T8")]
    np.testing.assert_allclose(angles, np.cumsum([0, 0.107, 0.106, 0.095, 0.095]) / 0.403 * 40, atol=1e-6)
    heights = motion.positions[0, [INDEX[s] for s in ("Pelvis", "L5", "L3", "T12", "T8", "Neck", "Head")], 2]
    assert (np.diff(heights) > 0.02).all()
    np.testing.assert_allclose(turned["L_Shoulder"], turned["T8"], atol=1e-12)
    np.testing.assert_allclose(turned["R_Toe"], turned["R_Foot"], atol=1e-12)
    assert motion.positions[0, INDEX["R_Toe"], 0] > motion.positions[0, INDEX["R_Foot"], 0] + 0.1


def test_namespace_prefix_and_joint_map_file(tmp_path):
    motion = retarget(person(prefix="mixamorig:"), {}, "x")
    renamed = person()
    renamed.names = tuple(f"j{i}" for i in range(len(renamed.names)))
    known = next(skeleton for skeleton in KNOWN_SKELETONS if skeleton.name == "Mixamo")
    table = {segment: renamed.names[list(TREE).index(joint)] for segment, joint in known.joints.items()}
    (tmp_path / "map.json").write_text(json.dumps(table))
    custom = retarget(renamed, read_joint_map(tmp_path / "map.json"), "x")
    np.testing.assert_allclose(custom.positions, motion.positions, atol=1e-12)
    np.testing.assert_allclose(custom.orientations, motion.orientations, atol=1e-12)


def test_unknown_skeleton_says_what_is_missing():
    with pytest.raises(ValueError, match="unknown skeleton") as caught:
        retarget(person(drop=("Head",)), {}, "walk.bvh")
    assert all(word in str(caught.value) for word in ("walk.bvh", "'LeftForeArm'", "'L_Forearm'", "joint_map="))


def test_bad_joint_maps(tmp_path):
    (tmp_path / "map.json").write_text("[1")
    for joint_map, words in (
        ({"Elbow": "x"}, "unknown segments"),
        ({"Head": 3}, "must be"),
        (tmp_path / "map.json", "no readable JSON"),
        (tmp_path / "none.json", "no readable JSON"),
    ):
        with pytest.raises(ValueError, match=words):
            read_joint_map(joint_map)
    with pytest.raises(ValueError, match="joints are"):
        retarget(person(), {"Head": "Skull"}, "x")


def test_person_of_no_size_is_refused():
    with pytest.raises(ValueError, match="units tall"):
        retarget(person(unit=1e-5), {}, "x")


@pytest.mark.parametrize("name", ["Bandai-Namco", "LAFAN1"])
def test_rigs_on_their_own_bone_axes(name):
    skeleton = next(known for known in KNOWN_SKELETONS if known.name == name)
    order = [segment for segment in SEGMENTS if segment in skeleton.joints]
    frames = {segment: skeleton.joint_axes[skeleton.joints[segment]] for segment in order}
    parent_of, places = {}, dict.fromkeys(order, np.zeros(3))
    for segment in order[1:]:
        parent = SEGMENTS[SEGMENT_PARENTS[INDEX[segment]]]
        while parent not in order:
            parent = SEGMENTS[SEGMENT_PARENTS[INDEX[parent]]]
        parent_of[segment] = parent
    template = dict(zip(SEGMENTS, tpose_positions(), strict=True))
    for segment, parent in parent_of.items():
        places[segment] = frames[parent].T @ (template[segment] - template[parent])
    local = {s: frames[parent_of[s]].T @ frames[s] if s in parent_of else Y_UP @ frames[s] for s in order}
    bent = {s: m.copy() for s, m in local.items()}
    for segment in ("L_LowerLeg", "R_LowerLeg"):  # the knees bend back, in either rig about its own axis
        bent[segment] = (
            frames[parent_of[segment]].T @ Rotation.from_euler("y", 60, degrees=True).as_matrix() @ frames[segment]
        )
    quaternions = np.stack([Rotation.from_matrix([local[s], bent[s]]).as_quat() for s in order])
    motion = retarget(
        JointMotion(
            names=tuple(skeleton.joints[s] for s in order),
            parents=tuple(order.index(parent_of[s]) if s in parent_of else -1 for s in order),
            offsets=np.stack([places[s] for s in order]) * 100,
            rotations=quaternions[..., [3, 0, 1, 2]].transpose(2, 0, 1),
            frame_time=0.03,
        ),
        {},
        "x",
    )
    for segment, matrix in matrices(motion).items():
        np.testing.assert_allclose(matrix, np.eye(3), atol=1e-6, err_msg=segment)
    np.testing.assert_allclose(motion.positions[0, :, 2], [template[s][2] for s in SEGMENTS], atol=0.06)
    assert motion.positions[1, INDEX["L_Foot"], 0] < -0.3


def test_names_of_lafan_on_an_ordinary_rest_pose():
    motion = person()
    motion.names = tuple(name.replace("ToeBase", "Toe") for name in motion.names)
    for segment, matrix in matrices(retarget(motion, {}, "x")).items():
        np.testing.assert_allclose(matrix, np.eye(3), atol=1e-9, err_msg=segment)


def test_tpose_of_cgspeed_is_dropped_only_when_it_is_one():
    names = ("Hips", "a", "b", "c")
    rotations = np.zeros((4, 4, 3))
    rotations[0] = 1.0
    rotations[:, 3, 0] = (0.98, 0.2, 0, 0)
    rotations[:, :, 1:] = np.array([0.98, 0.1, 0.1, 0.1])[:, None, None]
    motion = JointMotion(names, (-1, 0, 1, 2), np.zeros((4, 3)), rotations, 0.01, {0: np.arange(9.0).reshape(3, 3)})
    dropped = drop_calibration_frames(motion)
    assert dropped.num_frames == 2
    np.testing.assert_array_equal(dropped.translations[0][:, 0], [1, 4, 7])
    assert drop_calibration_frames(dropped).num_frames == 2
    twice = JointMotion(names, (-1, 0, 1, 2), np.zeros((4, 3)), rotations[..., [0, 0, 1, 2]], 0.01)
    np.testing.assert_array_equal(drop_calibration_frames(twice).rotations, dropped.rotations)
    only = JointMotion(names, (-1, 0, 1, 2), np.zeros((4, 3)), rotations[..., [0, 0]], 0.01)
    assert drop_calibration_frames(only).num_frames == 2


def test_thorax_is_restored_only_where_it_was_lost():
    names = ("Spine", "Spine1", "Neck", "LeftShoulder", "RightShoulder")
    offsets = np.array([[0.0196, 2.0545, -0.1411], [0.0102, 2.0644, -0.0592], [0, 0, 0], [0, 0, 0], [0, 0, 0]])
    turns = np.zeros((4, 5, 1))
    lost = JointMotion(names, (-1, 0, 1, 1, 1), offsets, turns, 0.01)
    restored = restore_thorax(lost)
    # Subject 02's skeleton file has this thorax; one file unit is 56 mm.
    np.testing.assert_allclose(restored.offsets[2:], np.tile([0.0015, 2.0681, 0.0080], (3, 1)), atol=0.02)
    assert restore_thorax(restored) is restored

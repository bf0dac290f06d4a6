# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Bones, feet and accelerations of synthetic people, and that they do what their texts say."""

import numpy as np
import pytest
import torch

from anymo_hf.processing.placements_anymo import SEGMENT_PARENTS, SEGMENTS
from anymo_hf.simulation.kinematics import SPECIFIC_FORCE, SegmentKinematics
from anymo_hf.simulation.rotations import quaternion_rotate, quaternion_to_matrix
from anymo_hf.simulation.segments import DEFAULT_BONE_OFFSETS, tpose_positions
from anymo_hf.simulation.synthesis import (
    demo_motion,
    plan_sit_down,
    plan_stand,
    plan_walk,
    plan_wave,
    sequence,
    sit_down,
    stand,
    walk,
    wave,
)
from anymo_hf.simulation.synthesis.angles import forward_kinematics, local_rotations
from anymo_hf.simulation.synthesis.contacts import sole_paths
from anymo_hf.simulation.synthesis.curves import evaluate_series, fourier_series, smooth_path, smooth_step
from anymo_hf.simulation.synthesis.plan import no_angles, set_angles


ID = {name: index for index, name in enumerate(SEGMENTS)}
MOTIONS = {
    "walk": walk,
    "slow walk": lambda: walk(7.0, 0.6, seed=1),
    "fast walk": lambda: walk(7.0, 1.9, seed=2),
    "sit": sit_down,
    "wave": wave,
    "stand": stand,
    "demo": demo_motion,
}


@pytest.fixture(scope="module")
def motions():
    return {name: make() for name, make in MOTIONS.items()}


def pose(**degrees):
    """Positions and rotation matrices of one set of angles, the pelvis at zero."""
    local = local_rotations(set_angles(no_angles(1), **degrees))
    positions, orientations = forward_kinematics(local, np.zeros((1, 3)), DEFAULT_BONE_OFFSETS)
    return positions[0], quaternion_to_matrix(torch.from_numpy(orientations[0])).numpy()


def acceleration(motion, segment):
    return np.diff(motion.positions[:, ID[segment]], 2, axis=0) * motion.frame_rate**2


def joint_angle(motion, parent, child):
    """Turn of a segment relative to its parent about the left axis, in degrees."""
    turns = quaternion_to_matrix(torch.from_numpy(motion.orientations[:, [ID[parent], ID[child]]])).numpy()
    relative = np.swapaxes(turns[:, 0], 1, 2) @ turns[:, 1]
    return np.degrees(np.arctan2(relative[:, 0, 2], relative[:, 0, 0]))


# ---- angles and forward kinematics


def test_ninety_degrees_of_abduction_are_the_t_pose():
    positions, turns = pose(shoulder_abduction=90)
    np.testing.assert_allclose(positions, tpose_positions(), atol=1e-12)
    np.testing.assert_allclose(turns, np.broadcast_to(np.eye(3), turns.shape), atol=1e-12)


def test_hanging_arms_point_down_with_palms_to_the_thighs():
    positions, turns = pose()
    for side, inward in (("L", -1), ("R", 1)):
        arm = positions[ID[f"{side}_Hand"]] - positions[ID[f"{side}_UpperArm"]]
        np.testing.assert_allclose(arm, [0, 0, -0.538], atol=1e-9)
        np.testing.assert_allclose(turns[ID[f"{side}_Hand"]] @ [0, 0, -1], [0, inward, 0], atol=1e-9)


@pytest.mark.parametrize(
    ("angle", "segment", "axis", "sign"),
    [
        ("hip_flexion", "LowerLeg", 0, 1),
        ("knee_flexion", "Foot", 0, -1),
        ("ankle_dorsiflexion", "Toe", 2, 1),
        ("shoulder_flexion", "Hand", 0, 1),
        ("elbow_flexion", "Hand", 0, 1),
    ],
)
def test_every_flexion_goes_the_anatomical_way_on_both_sides(angle, segment, axis, sign):
    bent, straight = pose(**{angle: 30})[0], pose()[0]
    for side in "LR":
        moved = bent[ID[f"{side}_{segment}"]] - straight[ID[f"{side}_{segment}"]]
        assert sign * moved[axis] > 0.02
    mirrored = bent[ID[f"L_{segment}"]] * [1, -1, 1]
    np.testing.assert_allclose(mirrored, bent[ID[f"R_{segment}"]], atol=1e-12)


def test_abduction_moves_away_from_the_body_and_pronation_turns_the_palm_back():
    positions, turns = pose(hip_abduction=20, shoulder_abduction=30, forearm_pronation=90)
    assert positions[ID["L_Foot"], 1] > 0.2 and positions[ID["R_Foot"], 1] < -0.2
    assert positions[ID["L_Hand"], 1] > 0.4 and positions[ID["R_Hand"], 1] < -0.4
    for side in "LR":
        assert (turns[ID[f"{side}_Hand"]] @ [0, 0, -1])[0] < -0.9


def test_trunk_flexion_bends_forward_and_rotation_turns_left():
    positions, turns = pose(trunk_flexion=40)
    assert positions[ID["Head"], 0] > 0.15
    assert (pose(trunk_rotation=40)[1][ID["T8"]] @ [1, 0, 0])[1] > 0.6
    assert pose(trunk_bending=20)[0][ID["Head"], 1] > 0.05


# ---- curves


def test_fourier_series_passes_through_its_key_values():
    phases, values = np.array([0.0, 0.2, 0.45, 0.7, 0.9]), np.array([1.0, 3.0, -2.0, 0.5, 2.0])
    series = fourier_series(phases, values, num_harmonics=40)
    np.testing.assert_allclose(evaluate_series(series, phases + 3), values, atol=0.01)


def test_smooth_path_follows_heavy_weights_and_bridges_the_rest():
    times = np.arange(200) / 100
    truth = np.stack([times**2, 1 - times], axis=1)
    weights = np.where((times < 0.5) | (times > 1.5), 1e4, 0.0)
    path = smooth_path(np.where(weights[:, None] > 0, truth, 99.0), weights, 3.0, 100.0)
    np.testing.assert_allclose(path, truth, atol=2e-3)


def test_smooth_step_rests_at_both_ends():
    x = np.linspace(-0.2, 1.2, 1401)
    y = smooth_step(x)
    assert y[0] == 0 and y[-1] == 1 and (np.diff(y) >= 0).all()
    assert np.abs(np.diff(y, 2)).max() * 1e6 < 6


# ---- what holds for every motion


@pytest.mark.parametrize("name", MOTIONS)
def test_bones_keep_their_length(motions, name):
    motion = motions[name]
    for segment, parent in enumerate(SEGMENT_PARENTS):
        if parent >= 0:
            bone = motion.positions[:, segment] - motion.positions[:, parent]
            turned = quaternion_rotate(
                torch.from_numpy(motion.orientations[:, parent]),
                torch.from_numpy(DEFAULT_BONE_OFFSETS[segment].copy()),
            )
            np.testing.assert_allclose(bone, turned.numpy(), atol=1e-9)


@pytest.mark.parametrize("name", MOTIONS)
def test_feet_stay_above_the_floor(motions, name):
    motion = motions[name]
    heights = sole_paths(motion.positions, motion.orientations, motion.bone_offsets)[..., 2]
    assert heights.min() > -0.01
    # Somebody always stands on the floor.
    assert heights.min(axis=(1, 2)).max() < 0.01


@pytest.mark.parametrize("name", MOTIONS)
def test_accelerations_are_those_of_a_person(motions, name):
    motion = motions[name]
    assert np.linalg.norm(acceleration(motion, "Pelvis"), axis=1).max() < 15
    assert np.linalg.norm(acceleration(motion, "Head"), axis=1).max() < 20
    for segment in ("L_Foot", "R_Foot", "L_Hand", "R_Hand"):
        assert np.linalg.norm(acceleration(motion, segment), axis=1).max() < 120


@pytest.mark.parametrize("name", MOTIONS)
def test_texts_cover_the_motion(motions, name):
    motion = motions[name]
    labels = sorted((t for t in motion.texts if t.kind == "label"), key=lambda t: t.start)
    assert labels[0].start == 0 and labels[-1].end == pytest.approx(motion.duration, abs=1 / motion.frame_rate)
    for before, after in zip(labels, labels[1:], strict=False):
        assert before.end == pytest.approx(after.start)
    for label in labels:
        captions = {t.text for t in motion.texts if t.kind == "caption" and t.start == label.start}
        assert len(captions) >= 2


@pytest.mark.parametrize("make", [walk, sit_down, wave, stand])
def test_seed_decides(make):
    first, again, other = make(seed=3), make(seed=3), make(seed=4)
    np.testing.assert_array_equal(first.positions, again.positions)
    np.testing.assert_array_equal(first.orientations, again.orientations)
    assert first.texts == again.texts
    assert np.abs(first.orientations - other.orientations).max() > 0.01


def test_quiet_standing_reads_gravity():
    kinematics = SegmentKinematics.from_motion(stand())
    force = kinematics.values[:, ID["Pelvis"], SPECIFIC_FORCE].norm(dim=-1)
    assert (force - 9.80665).abs().max() < 0.2


# ---- walking


def sole_speeds(motion, contacts):
    """Speeds of heel and ball in m/s where they are planted for two frames."""
    points = sole_paths(motion.positions, motion.orientations, motion.bone_offsets)[:, :, :2]
    speeds = np.linalg.norm(np.diff(points, axis=0), axis=-1) * motion.frame_rate
    planted = contacts > 0.99
    return speeds[planted[1:] & planted[:-1]]


@pytest.mark.parametrize("speed", [0.6, 1.0, 1.3, 1.8])
@pytest.mark.parametrize("seed", [0, 5])
def test_planted_feet_do_not_slide(speed, seed):
    plan = plan_walk(7.0, speed, seed=seed)
    assert sole_speeds(plan.to_motion(), plan.contacts).max() < 0.02


@pytest.mark.parametrize("speed", [0.6, 1.0, 1.3, 1.8])
@pytest.mark.parametrize("heading", [0.0, 2.0])
def test_walk_goes_where_it_faces_at_the_speed_asked_for(speed, heading):
    motion = walk(9.0, speed, heading=heading, seed=1)
    first, last = (np.searchsorted(motion.timestamps, t) for t in (2.5, 6.5))
    way = motion.positions[last, 0] - motion.positions[first, 0]
    forward = np.array([np.cos(heading), np.sin(heading), 0.0])
    assert way @ forward / 4.0 == pytest.approx(speed, rel=0.1)
    assert np.linalg.norm(way - (way @ forward) * forward) < 0.15


def test_walk_of_short_and_long_legs_keeps_the_speed():
    for scale in (0.75, 1.15):
        motion = walk(8.0, 1.2, bone_offsets=scale * DEFAULT_BONE_OFFSETS)
        way = motion.positions[660, 0] - motion.positions[300, 0]
        assert way[0] / 3.0 == pytest.approx(1.2, rel=0.1)


def test_walking_joints_move_as_published():
    motion = walk(9.0, 1.3)[300:780]
    for side in "LR":
        knee = joint_angle(motion, f"{side}_UpperLeg", f"{side}_LowerLeg")
        assert 60 < knee.max() < 82 and -1 < knee.min() < 12
        hip = -joint_angle(motion, "Pelvis", f"{side}_UpperLeg")
        assert 20 < hip.max() < 35 and -15 < hip.min() < 4
        ankle = -joint_angle(motion, f"{side}_LowerLeg", f"{side}_Foot")
        assert 5 < ankle.max() < 32 and -25 < ankle.min() < -8


def test_walking_arms_swing_against_the_legs():
    motion = walk(9.0, 1.3)[300:780]
    for side, other in (("L", "R"), ("R", "L")):
        hand = motion.positions[:, ID[f"{side}_Hand"], 0] - motion.positions[:, 0, 0]
        legs = [motion.positions[:, ID[f"{s}_Foot"], 0] - motion.positions[:, 0, 0] for s in (side, other)]
        assert np.corrcoef(hand, legs[0])[0, 1] < -0.5
        assert np.corrcoef(hand, legs[1])[0, 1] > 0.5


def test_walking_pelvis_bobs_twice_per_stride_by_a_few_centimetres():
    motion = walk(9.0, 1.3)[300:780]
    height = motion.positions[:, 0, 2]
    assert 0.02 < np.ptp(height) < 0.07
    vertical = acceleration(motion, "Pelvis")[:, 2]
    assert 1.0 < vertical.std() < 5.0
    spectrum = np.abs(np.fft.rfft(vertical))
    steps = np.fft.rfftfreq(len(vertical), 1 / motion.frame_rate)[spectrum.argmax()]
    assert 1.6 < steps < 2.2  # 96 to 132 steps per minute


def test_left_foot_is_left():
    motion = walk()
    assert (motion.positions[:, ID["L_Foot"], 1] > motion.positions[:, ID["R_Foot"], 1]).all()


@pytest.mark.parametrize("options", [{"speed": 0.1}, {"speed": 5.0}, {"duration": 1.0}])
def test_impossible_walk_raises(options):
    with pytest.raises(ValueError, match="Walking needs"):
        walk(**options)


# ---- sitting and waving


@pytest.mark.parametrize("seat_height", [0.38, 0.45, 0.52])
def test_sitting_lowers_the_pelvis_to_the_chair_over_planted_feet(seat_height):
    plan = plan_sit_down(seat_height=seat_height, seed=2)
    motion = plan.to_motion()
    assert motion.positions[0, 0, 2] > 0.98
    assert motion.positions[-120:, 0, 2] == pytest.approx(seat_height + 0.085, abs=0.01)
    assert motion.positions[0, 0, 0] - motion.positions[-1, 0, 0] == pytest.approx(0.45, abs=0.08)
    feet = motion.positions[:, [ID["L_Foot"], ID["R_Foot"]]]
    assert np.ptp(feet, axis=0).max() < 0.003
    assert sole_speeds(motion, plan.contacts).max() < 0.01


def test_sitting_leans_forward_and_comes_upright():
    motion = sit_down(seed=1)
    up = quaternion_to_matrix(torch.from_numpy(motion.orientations[:, ID["T8"]])).numpy()[:, :, 2]
    lean = np.degrees(np.arctan2(up[:, 0], up[:, 2]))
    assert 25 < lean.max() < 50
    assert abs(lean[0]) < 8 and abs(lean[-1]) < 15
    assert 80 < joint_angle(motion, "L_UpperLeg", "L_LowerLeg")[-1] < 100


@pytest.mark.parametrize("posture", ["standing", "seated"])
@pytest.mark.parametrize(("side", "active", "idle"), [("right", "R", "L"), ("left", "L", "R")])
def test_only_the_chosen_arm_waves(side, active, idle, posture):
    motion = wave(side=side, posture=posture)
    rates = SegmentKinematics.from_motion(motion).values[..., :3].norm(dim=-1)
    middle = slice(80, 170)
    assert rates[middle, ID[f"{active}_Forearm"]].mean() > 1.5
    assert rates[:, ID[f"{idle}_Forearm"]].max() < 0.3
    hand = motion.positions[240, ID[f"{active}_Hand"], 2]
    assert hand > motion.positions[240, ID["T8"], 2] + 0.12
    assert side in " ".join(t.text for t in motion.texts)


def test_unknown_side_raises():
    with pytest.raises(ValueError, match="Waving needs"):
        wave(side="both")


# ---- sequences


def test_demo_walks_sits_and_waves_without_a_seam(motions):
    motion = motions["demo"]
    assert 15 <= motion.duration <= 20 and motion.frame_rate == pytest.approx(120)
    assert [t.text for t in motion.texts if t.kind == "label"] == ["standing", "walking", "sitting down", "waving"]
    assert motion.positions[-1, 0, 0] > 4 and motion.positions[-1, 0, 2] < 0.6
    for segment in ("Pelvis", "T8", "Head"):
        jerk = np.diff(acceleration(motion, segment), axis=0) * motion.frame_rate
        assert np.linalg.norm(jerk, axis=1).max() < 500


def test_sequence_refuses_to_walk_while_seated():
    with pytest.raises(ValueError, match="put a transition"):
        sequence([plan_sit_down(), plan_walk()])
    with pytest.raises(ValueError, match="at least one plan"):
        sequence([])


def test_sequence_joins_half_way_through_the_blend():
    motion = sequence([plan_stand(2.0), plan_wave(3.0)], source={"name": "greeting"})
    assert motion.source["name"] == "greeting"
    assert motion.duration == pytest.approx(2.0 + 3.0 - 0.6 + 1 / 120)
    assert [t.start for t in motion.texts if t.kind == "label"] == pytest.approx([0.0, 1.708], abs=0.01)


def test_other_rates_give_the_same_motion():
    fine, coarse = walk(6.0, seed=1), walk(6.0, seed=1, frame_rate=60.0)
    assert np.abs(fine.positions[::2] - coarse.positions).max() < 0.03

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Falls, kneeling, crawling, push-ups and rising do what their names say."""

import numpy as np
import pytest
import torch

from anymo_hf.processing.placements_anymo import SEGMENTS
from anymo_hf.simulation.body import BodySurface
from anymo_hf.simulation.kinematics import SPECIFIC_FORCE, SegmentKinematics
from anymo_hf.simulation.segments import DEFAULT_BONE_OFFSETS
from anymo_hf.simulation.synthesis import sequence
from anymo_hf.simulation.synthesis.angles import ANGLE_INDEX, forward_kinematics, local_rotations, rotate
from anymo_hf.simulation.synthesis.arms import place_arm
from anymo_hf.simulation.synthesis.falls import plan_fall, topple
from anymo_hf.simulation.synthesis.floor import KNEE
from anymo_hf.simulation.synthesis.kneeling import plan_crawl, plan_kneel, plan_push_up, plan_scrub
from anymo_hf.simulation.synthesis.plan import no_angles
from anymo_hf.simulation.synthesis.rising import plan_get_up_from_floor, plan_sit_up, plan_stand_up
from anymo_hf.simulation.synthesis.staging import REST_HEIGHT
from anymo_hf.simulation.synthesis.still import plan_lie


RATE = 120.0
ID = {name: index for index, name in enumerate(SEGMENTS)}
LYING = {"forward": (0, -1), "backward": (0, 1), "left": (1, -1), "right": (1, 1)}  # axis of gravity, sign


def pelvis_force(motion):
    return SegmentKinematics.from_motion(motion).values[:, ID["Pelvis"], SPECIFIC_FORCE].numpy()


def speed(motion, segment):
    return np.linalg.norm(np.diff(motion.positions[:, ID[segment]], axis=0), axis=1) * RATE


@pytest.mark.parametrize("starts", ["standing", "walking", "seated"])
@pytest.mark.parametrize("direction", LYING)
def test_a_fall_is_light_then_hits_the_floor_then_lies_still(direction, starts):
    motion = plan_fall(direction, starts, seed=2, frame_rate=RATE).to_motion()
    force = np.linalg.norm(pelvis_force(motion), axis=1) / 9.81
    hit = force.argmax()
    assert 2.5 < force[hit] < 10.5
    assert force[hit - 30 : hit].min() < 0.7
    # The floor stops a body in some tens of milliseconds.
    assert 0.02 < (force[hit - 12 : hit + 12] > 0.5 * (force[hit] + 1)).sum() / 60 < 0.12
    axis, sign = LYING[direction]
    assert sign * pelvis_force(motion)[-30:, axis].mean() > 8.5
    assert np.abs(force[-40:] - 1).max() < 0.05


def test_toppling_begins_at_rest_and_ends_at_rest_without_a_jump_of_speed():
    time = np.linspace(-0.2, 1.5, 17001)
    share = topple(time, 1.0, 0.08)
    rate = np.gradient(share, time)
    assert share[0] == 0 and share[-1] == pytest.approx(1.0)
    assert np.abs(np.diff(rate)).max() < 0.02
    # The peak of a half-sine that stops a speed v within T is v pi / (2 T).
    assert -np.gradient(rate, time).min() == pytest.approx(rate.max() * np.pi / 0.16, rel=0.02)


def test_falls_on_the_left_and_on_the_right_have_their_own_words():
    for side in ("left", "right"):
        words = {t.text for seed in range(6) for t in plan_fall(side, seed=seed, frame_rate=30.0).texts}
        assert any(side in text for text in words)
        assert not any({"left": "right", "right": "left"}[side] in text for text in words)


@pytest.mark.parametrize("side", ["back", "front", "left side", "right side"])
def test_the_skin_of_a_lying_person_is_on_the_floor(side):
    motion = plan_lie(4.0, side, seed=1, frame_rate=20.0).to_motion()
    skin = BodySurface.default().sample(40, torch.Generator().manual_seed(0))
    segments, offsets = skin.segment.numpy(), skin.offset.numpy()
    points = motion.positions[40, segments] + rotate(motion.orientations[40, segments], offsets)
    trunk = points[segments < ID["Neck"], 2]
    # Soft parts give way by up to 3 cm.
    assert -0.03 < trunk.min() < 0.03 and points[:, 2].min() > -0.03


@pytest.mark.parametrize("knees", ["one", "two"])
def test_kneeling_knees_rest_on_the_floor(knees):
    motion = plan_kneel(knees, seed=3, frame_rate=RATE).to_motion()
    middle = slice(540, 660)
    for side in "R" if knees == "one" else "LR":
        assert motion.positions[middle, ID[f"{side}_LowerLeg"], 2] == pytest.approx(KNEE, abs=0.015)
        assert speed(motion, f"{side}_LowerLeg")[middle].max() < 0.02
    assert motion.positions[[0, -1], 0, 2].min() > 0.95


def test_a_crawler_moves_on_and_always_rests_on_a_hand_and_a_knee():
    motion = plan_crawl(12.0, 0.45, seed=1, frame_rate=RATE).to_motion()
    crawling = slice(round(4.6 * RATE), round(7.4 * RATE))
    way = motion.positions[crawling, 0]
    assert np.linalg.norm(way[-1] - way[0]) / 2.8 == pytest.approx(0.45, rel=0.25)
    for part, height in (("Hand", 0.085), ("LowerLeg", KNEE + 0.005)):
        speeds = np.stack([speed(motion, f"{side}_{part}")[crawling] for side in "LR"])
        low = motion.positions[crawling, [ID[f"L_{part}"]], 2], motion.positions[crawling, [ID[f"R_{part}"]], 2]
        assert np.quantile(speeds.min(axis=0), 0.95) < 0.02
        # Each rests for half of the time, on the floor.
        for one, z in zip(speeds, low, strict=True):
            assert (one < 0.02).mean() > 0.45
            assert z[one < 0.02].max() < height and z.max() < 0.16


@pytest.mark.parametrize(
    ("plan", "hand"), [(plan_push_up, "L_Hand"), (plan_push_up, "R_Hand"), (plan_scrub, "L_Hand")]
)
def test_supporting_hands_rest(plan, hand):
    motion = plan(12.0, seed=1, frame_rate=RATE).to_motion()
    middle = slice(round(4.8 * RATE), round(7.2 * RATE))
    assert speed(motion, hand)[middle].max() < 0.02
    assert motion.positions[middle, ID[hand], 2].max() < 0.09


@pytest.mark.parametrize("side", ["back", "front", "left side", "right side"])
def test_getting_up_goes_over_hands_and_knees_to_standing(side):
    plan = plan_get_up_from_floor(side, seed=1, frame_rate=RATE)
    motion = plan.to_motion()
    low = motion.positions[..., 2]
    fours = (low[:, [ID["L_Hand"], ID["R_Hand"], ID["L_LowerLeg"], ID["R_LowerLeg"]]].max(1) < 0.15) & (
        low[:, 0] > 0.4
    )
    assert fours.sum() > 0.2 * RATE
    assert plan.starts == f"lying on the {side}" and low[-1, 0] > 0.95
    assert low[0, 0] == pytest.approx(REST_HEIGHT[side], abs=0.01)


@pytest.mark.parametrize("side", ["back", "front", "left side", "right side"])
def test_getting_up_joins_lying_without_a_jerk(side):
    plans = plan_lie(4.0, side, frame_rate=60.0), plan_get_up_from_floor(side, seed=1, frame_rate=60.0)
    change = np.diff(sequence(plans).positions, 2, axis=0) * 60.0**2
    assert np.linalg.norm(change[:, ID["Head"]], axis=-1).max() < 25


def test_standing_up_leans_first_and_is_no_reversed_sitting_down():
    plan = plan_stand_up(seed=4, frame_rate=RATE)
    motion = plan.to_motion()
    lean = plan.angles[:, ANGLE_INDEX["pelvis_tilt"]]
    height = motion.positions[:, 0, 2]
    leaving = np.argmax(height > height[0] + 0.03)
    assert 0.8 * lean.max() < lean[leaving] and abs(lean.argmax() - leaving) < 0.35 * RATE
    start = np.argmax(lean > lean[0] + np.radians(3))
    end = np.argmax(height > height[-1] - 0.02)
    assert 0.2 < (leaving - start) / (end - start) < 0.5  # lift-off after a third (Schenkman et al. 1990)


def test_sit_ups_raise_the_chest_over_a_resting_pelvis():
    motion = plan_sit_up(seed=1, frame_rate=RATE).to_motion()
    assert np.ptp(motion.positions[:, 0, 2]) < 0.02
    assert np.ptp(motion.positions[:, ID["T8"], 2]) > 0.15


def test_a_placed_arm_reaches_its_place_and_its_elbow_points_as_told():
    for side, sign in (("left", 1.0), ("right", -1.0)):
        angles, wrist = no_angles(3), np.array([[0.3, sign * 0.25, 0.2]] * 3)
        place_arm(angles, side, wrist, (-1.0, 0.5, -0.5), DEFAULT_BONE_OFFSETS)
        positions = forward_kinematics(local_rotations(angles), np.zeros((3, 3)), DEFAULT_BONE_OFFSETS)[0]
        name = side[0].upper()
        np.testing.assert_allclose(positions[:, ID[f"{name}_Hand"]], wrist, atol=2e-3)
        middle = 0.5 * (positions[0, ID[f"{name}_UpperArm"]] + wrist[0])
        assert (positions[0, ID[f"{name}_Forearm"]] - middle) @ [-1.0, sign * 0.5, -0.5] > 0


def test_bad_requests_raise():
    with pytest.raises(ValueError, match="A fall needs"):
        plan_fall("up")
    with pytest.raises(ValueError, match="Kneeling needs"):
        plan_kneel("three")
    with pytest.raises(ValueError, match="Crawling needs"):
        plan_crawl(speed=3.0)
    with pytest.raises(ValueError, match="Getting up needs"):
        plan_get_up_from_floor("head")
    with pytest.raises(ValueError, match="Standing up needs"):
        plan_stand_up(1.0)

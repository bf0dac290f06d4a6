# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""What holds for every activity and every seed: joints, floor, contacts, smoothness, words, handedness."""

import functools

import numpy as np
import pytest

from anymo_hf.processing.placements_anymo import SEGMENTS
from anymo_hf.simulation.synthesis import ACTIVITIES, random_body
from anymo_hf.simulation.synthesis.angles import ANGLE_INDEX, rotate
from anymo_hf.simulation.synthesis.arms import HAND_LENGTH
from anymo_hf.simulation.synthesis.contacts import sole_paths
from anymo_hf.simulation.synthesis.plan import mirror_angles


RATE = 60.0
SEEDS = (1, pytest.param(0, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow))
ID = {name: index for index, name in enumerate(SEGMENTS)}
FALLS = tuple(name for name in ACTIVITIES if name.startswith("fall"))
BRISK = ("walk", "walk_slow", "walk_fast", "walk_carry", "walk_carry_box", "walk_curve", "push_cart", "stairs_up",
         "stairs_down", "jog", "run", "jump", "rope", "hop", "jumping_jack", "clap", "throw", "punch", "hammer",
         "cycle")  # fmt: skip
STILL = ("stand", "stand_crossed", "stand_hips", "stand_folded", "sit", "lie_back", "lie_front", "lie_left_side",
         "lie_right_side")  # fmt: skip
# Largest peak and root mean square of the acceleration in m/s^2. A foot that lands or a hand that meets the floor has
# peaks of some g; a head that is jerked by a joint with a kink in its curve would have them too, and must not.
ACCELERATIONS = {
    "still": {"Pelvis": (0.3, 0.1), "Head": (1.5, 0.5), "Foot": (0.5, 0.1), "Hand": (8, 3)},
    "calm": {"Pelvis": (8, 2.8), "Head": (14, 6.5), "Foot": (45, 8), "Hand": (40, 12)},
    "brisk": {"Pelvis": (23, 11), "Head": (35, 14), "Foot": (165, 50), "Hand": (110, 40)},
    "impact": {"Pelvis": (98, 8), "Head": (130, 12), "Foot": (90, 15), "Hand": (196, 20)},
}
SIDED = ("wave", "brush_teeth", "punch", "throw", "hammer", "reach", "pick_up", "lunge", "hop", "kneel_one", "crouch",
         "scrub_floor")  # fmt: skip
# Degrees; the wide ends of what healthy adults reach (American Academy of Orthopaedic Surgeons, Joint Motion, 1965),
# some degrees more where a joint stands for several (the shoulder for the whole girdle).
JOINT_RANGES = {
    "hip_flexion": (-35, 145), "hip_abduction": (-30, 50), "hip_rotation": (-50, 50), "knee_flexion": (-3, 158),
    "ankle_dorsiflexion": (-70, 50), "elbow_flexion": (-3, 160), "wrist_flexion": (-90, 85),
    "forearm_pronation": (-95, 100), "trunk_flexion": (-40, 85), "trunk_bending": (-40, 40),
    "trunk_rotation": (-50, 50), "neck_flexion": (-65, 60), "neck_rotation": (-80, 80),
}  # fmt: skip


@functools.cache
def make(name, seed):
    plan = ACTIVITIES[name](seed=seed, frame_rate=RATE, **_body(name, seed))
    return plan, plan.to_motion(_body(name, seed).get("bone_offsets"))


def _body(name, seed):
    """Another body for every seed but the first; standing still needs none."""
    return {} if seed == 0 or name == "stand" else {"bone_offsets": random_body(seed)}


def every(test):
    return pytest.mark.parametrize("seed", SEEDS)(pytest.mark.parametrize("name", ACTIVITIES)(test))


def speeds(points):
    return np.linalg.norm(np.diff(points, axis=0), axis=-1) * RATE


@every
def test_joints_stay_within_their_ranges(name, seed):
    angles = np.degrees(make(name, seed)[0].angles)
    for joint, (low, high) in JOINT_RANGES.items():
        for column in [joint] if joint in ANGLE_INDEX else [f"left_{joint}", f"right_{joint}"]:
            values = angles[:, ANGLE_INDEX[column]]
            assert low <= values.min() and values.max() <= high, (column, values.min(), values.max())


@every
def test_nothing_goes_below_the_floor(name, seed):
    plan, motion = make(name, seed)
    floor = plan.floors.min(axis=1)
    assert (motion.positions[..., 2] - floor[:, None]).min() > -0.02
    for side, sign in (("L", 1), ("R", -1)):
        tip = rotate(motion.orientations[:, ID[f"{side}_Hand"]], np.array([0.0, sign * HAND_LENGTH, 0.0]))
        assert (motion.positions[:, ID[f"{side}_Hand"], 2] + tip[:, 2] - floor).min() > -0.02


@every
def test_feet_neither_slide_nor_sink(name, seed):
    plan, motion = make(name, seed)
    points = sole_paths(motion.positions, motion.orientations, motion.bone_offsets)[:, :, :2]
    planted = plan.contacts > 0.99
    planted = planted[1:] & planted[:-1]
    assert not planted.any() or speeds(points)[planted].max() < 0.02
    assert (points[..., 2] - plan.floors[:, :, None]).min() > -0.01


@every
def test_nothing_jumps(name, seed):
    motion = make(name, seed)[1]
    # A fist moves at 9 m/s in a fall and turns by 40 rad/s; a jump would be far more between two frames.
    assert speeds(motion.positions).max() < 12
    step = np.abs((motion.orientations[1:] * motion.orientations[:-1]).sum(-1))
    assert (2 * np.arccos(np.clip(step, -1, 1)) * RATE).max() < 60


@every
def test_accelerations_are_those_of_a_person(name, seed):
    motion = make(name, seed)[1]
    sizes = np.linalg.norm(np.diff(motion.positions, 2, axis=0), axis=-1) * RATE**2
    kind = "impact" if name in FALLS else "brisk" if name in BRISK else "still" if name in STILL else "calm"
    for part, (peak, effective) in ACCELERATIONS[kind].items():
        for segment in [part] if part in ID else [f"L_{part}", f"R_{part}"]:
            size = sizes[:, ID[segment]]
            assert size.max() < peak and np.sqrt((size**2).mean()) < effective, (segment, size.max())


@pytest.mark.parametrize("name", FALLS)
def test_falls_hit_the_floor_as_measured_falls_do(name):
    motion = make(name, 1)[1]
    size = np.linalg.norm(np.diff(motion.positions[:, ID["Pelvis"]], 2, axis=0), axis=-1) * RATE**2 / 9.81
    # Impacts at the waist: 2.5 to 10 g (Kangas et al. 2008), a pulse of 30 to 100 ms.
    assert 2.5 < size.max() < 10
    hit = size[size.argmax() - 12 : size.argmax() + 12]
    assert 0.03 <= (hit > 0.5 * size.max()).sum() / RATE <= 0.1


@every
def test_words_cover_the_whole_plan(name, seed):
    plan, motion = make(name, seed)
    assert len(plan.texts) == 3
    for text in plan.texts:
        assert text.start == 0 and text.end == pytest.approx(motion.duration, abs=1 / RATE)
        assert "{" not in text.text


@pytest.mark.parametrize("name", ACTIVITIES)
def test_the_seed_decides(name):
    first, again, other = (ACTIVITIES[name](seed=seed, frame_rate=20.0) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.angles, again.angles)
    assert first.texts == again.texts
    assert first.angles.shape != other.angles.shape or np.abs(first.angles - other.angles).max() > 1e-3


@pytest.mark.parametrize("name", ACTIVITIES)
def test_there_are_several_phrasings(name):
    captions = {t.text for seed in range(7) for t in ACTIVITIES[name](seed=seed, frame_rate=20.0).texts[1:]}
    assert len(captions) >= 3


@pytest.mark.parametrize("name", SIDED)
def test_left_handed_is_the_mirror_image_of_right_handed(name):
    right, left = (ACTIVITIES[name](seed=5, side=side, frame_rate=RATE) for side in ("right", "left"))
    np.testing.assert_allclose(left.angles, mirror_angles(right.angles), atol=1e-12)
    mirrored, motion = right.mirrored().to_motion(), left.to_motion()
    np.testing.assert_allclose(motion.positions, mirrored.positions, atol=1e-9)
    hands = [ID["L_Hand"], ID["R_Hand"]]
    swapped = right.to_motion().positions[:, hands[::-1]] * [1, -1, 1]
    np.testing.assert_allclose(motion.positions[:, hands], swapped, atol=2e-3)

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Every activity of the table moves as a person can, and does what its name says."""

import numpy as np
import pytest

from anymo_hf.processing.placements_anymo import SEGMENTS
from anymo_hf.simulation.kinematics import SPECIFIC_FORCE, SegmentKinematics
from anymo_hf.simulation.synthesis import ACTIVITIES, random_body, random_recording


ID = {name: index for index, name in enumerate(SEGMENTS)}
RATE = 60.0


@pytest.fixture(scope="module")
def made():
    """Plan and motion of every activity."""
    plans = {name: plan(seed=1, frame_rate=RATE) for name, plan in ACTIVITIES.items()}
    return {name: (plan, plan.to_motion()) for name, plan in plans.items()}


def acceleration(motion, segment):
    return np.diff(motion.positions[:, ID[segment]], 2, axis=0) * motion.frame_rate**2


def pelvis_force(motion):
    values = SegmentKinematics.from_motion(motion).values[:, ID["Pelvis"], SPECIFIC_FORCE]
    return values.norm(dim=-1).numpy()


@pytest.mark.parametrize(("name", "low", "high"), [("jog", 1.8, 3.2), ("run", 1.8, 3.2), ("jump", 1.5, 3.0)])
def test_flight_is_ballistic_and_pushes_are_two_to_three_weights(made, name, low, high):
    plan, motion = made[name]
    middle = slice(round(1.6 * RATE), round((motion.duration - 1.6) * RATE))
    vertical = acceleration(motion, "Pelvis")[middle, 2]
    air = plan.contacts[1:-1][middle].max(axis=(1, 2)) == 0
    assert air.mean() > 0.05
    assert np.median(vertical[air]) == pytest.approx(-9.81, abs=2.0)
    assert low < 1 + vertical.max() / 9.81 < high


@pytest.mark.parametrize(("name", "sign"), [("stairs_up", 1), ("stairs_down", -1)])
def test_stairs_change_the_height_by_whole_steps(made, name, sign):
    motion = made[name][1]
    climbed = sign * (motion.positions[-1, 0, 2] - motion.positions[0, 0, 2]) / 8
    assert 0.15 < climbed < 0.19
    assert sign * np.diff(motion.positions[::60, 0, 2]).mean() > 0


def test_descent_lands_harder_than_ascent(made):
    up, down = (acceleration(made[name][1], "Pelvis")[:, 2].std() for name in ("stairs_up", "stairs_down"))
    assert down > 1.4 * up


@pytest.mark.parametrize(
    ("side", "axis", "sign"), [("back", 0, 1), ("front", 0, -1), ("left_side", 1, -1), ("right_side", 1, 1)]
)
def test_gravity_tells_how_a_person_lies(made, side, axis, sign):
    motion = made[f"lie_{side}"][1]
    force = SegmentKinematics.from_motion(motion).values[:, ID["Pelvis"], SPECIFIC_FORCE].numpy().mean(0)
    assert sign * force[axis] > 9.0
    assert np.linalg.norm(acceleration(motion, "Pelvis"), axis=1).max() < 0.3


def test_left_and_right_gestures_move_their_own_arm():
    for side, active, idle in (("left", "L", "R"), ("right", "R", "L")):
        motion = ACTIVITIES["brush_teeth"](seed=2, side=side, frame_rate=RATE).to_motion()
        still = slice(90, -90)
        assert (
            acceleration(motion, f"{active}_Hand")[still].std() > 5 * acceleration(motion, f"{idle}_Hand")[still].std()
        )


@pytest.mark.parametrize(("name", "low", "high"), [("clap", 1.8, 4.2), ("brush_teeth", 2.8, 5.2), ("write", 1.8, 4.2)])
def test_hands_keep_everyday_rhythms(made, name, low, high):
    motion = made[name][1]
    rates = SegmentKinematics.from_motion(motion).values[60:-60, ID["R_Hand"], :3].numpy()
    spectrum = (np.abs(np.fft.rfft(rates - rates.mean(0), axis=0)) ** 2).sum(1)
    frequencies = np.fft.rfftfreq(len(rates), 1 / RATE)
    spectrum[frequencies < 1] = 0
    assert low < frequencies[spectrum.argmax()] < high


def test_recordings_are_whole_and_decided_by_the_seed():
    first, again, other = (random_recording(seed, 30.0) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.positions, again.positions)
    assert first.texts == again.texts != other.texts
    labels = sorted((t for t in first.texts if t.kind == "label"), key=lambda t: t.start)
    assert labels[0].start == 0 and first.duration >= 30
    for before, after in zip(labels, labels[1:], strict=False):
        assert before.end == pytest.approx(after.start, abs=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_recordings_have_no_spikes(seed):
    motion = random_recording(seed, 40.0)
    falls = any(t.text == "falling" for t in motion.texts)
    assert np.linalg.norm(acceleration(motion, "Pelvis"), axis=1).max() < (100 if falls else 30)
    assert np.linalg.norm(acceleration(motion, "Head"), axis=1).max() < (130 if falls else 45)
    assert 8.5 < np.median(pelvis_force(motion)) < 11.5


def test_random_bodies_differ_and_are_human():
    first, second = random_body(0), random_body(1)
    assert np.abs(first - second).max() > 0.003
    for body in (first, second):
        assert 0.35 < np.linalg.norm(body[20]) < 0.56


def test_bad_requests_raise():
    with pytest.raises(ValueError, match="positive `duration`"):
        random_recording(0, 0.0)
    with pytest.raises(ValueError, match="Stairs need"):
        ACTIVITIES["stairs_up"](num_steps=0)
    with pytest.raises(ValueError, match="Running needs"):
        ACTIVITIES["run"](speed=9.0)
    with pytest.raises(ValueError, match="Jumping needs"):
        ACTIVITIES["jump"](side="both")
    with pytest.raises(ValueError, match="gesture needs"):
        ACTIVITIES["clap"](duration=1.0)

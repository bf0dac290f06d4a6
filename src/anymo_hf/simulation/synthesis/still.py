# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Sitting, standing with folded arms, lying on any side, and the ways between them."""

from dataclasses import replace

import numpy as np

from anymo_hf.simulation.synthesis.angles import ANGLE_INDEX
from anymo_hf.simulation.synthesis.curves import smooth_noise, smooth_step
from anymo_hf.simulation.synthesis.plan import MotionPlan, no_angles
from anymo_hf.simulation.synthesis.postures import (
    add_sway,
    describe,
    seated_angles,
    standing_angles,
)
from anymo_hf.simulation.synthesis.staging import (
    REST_HEIGHT,
    bones,
    clock,
    mix_angles,
    place_leg,
    pose_arm,
    shift_angles,
)


LYING = ("back", "front", "left side", "right side")
_ROLL = {"back": 0.0, "front": 180.0, "left side": 90.0, "right side": -90.0}
_STAND_ARMS = {
    "crossed": ("cross", "with crossed arms"),
    "hips": ("hips", "with the hands on the hips"),
    "folded": ("lap", "with the hands folded in front of the body"),
}
_STAND_CAPTIONS = (
    "A person stands {arms}.",
    "Someone is standing still {arms}.",
    "The person stands upright and waits {arms}.",
)
_SIT_CAPTIONS = (
    "A person sits still on a chair{lean}.",
    "Someone is seated{lean} and hardly moves.",
    "The person remains sitting{lean}.",
    "Sitting quietly{lean}.",
)
_LIE_CAPTIONS = (
    "A person lies on the {side}.",
    "Someone is lying still on their {side}.",
    "The person rests, lying on the {side}.",
    "Lying down on the {side}, breathing calmly.",
)
_LIE_DOWN_CAPTIONS = (
    "A person lies down on the {side}.",
    "Someone goes from {posture} to lying on the {side}.",
    "The person lowers themselves and lies down.",
)
_GET_UP_CAPTIONS = (
    "A person gets up from lying on the {side}.",
    "Someone rises from lying to {posture}.",
    "The person sits up and gets up.",
)
_TURN_CAPTIONS = (
    "A person lying down turns over from the {before} to the {after}.",
    "Someone rolls from the {before} onto the {after}.",
    "The person rolls over while lying.",
)


def rest(times: np.ndarray, rng: np.random.Generator, posture: str, seat_height: float, bone_offsets) -> np.ndarray:
    """Angles of quiet standing or sitting, with sway; where most activities start."""
    if posture not in ("standing", "seated"):
        raise ValueError(f"`posture` must be 'standing' or 'seated', but {posture!r} was given.")
    if posture == "standing":
        return sway(standing_angles(times, rng), times, rng, 1.0, 0.7)
    return sway(seated_angles(times, rng, seat_height, bone_offsets), times, rng, 1.0, 0.35)


def sway(angles: np.ndarray, times: np.ndarray, rng, scale: float, arms: float) -> np.ndarray:
    """`add_sway` with quieter arms: those of a person at rest lie on something or hang still."""
    swaying = add_sway(angles.copy(), times, rng, scale)
    columns = [i for name, i in ANGLE_INDEX.items() if any(part in name for part in ("shoulder", "elbow", "wrist"))]
    swaying[:, columns] = angles[:, columns] + arms * (swaying[:, columns] - angles[:, columns])
    return swaying


def visit(times: np.ndarray, rise: float = 0.8, fall: float = 0.8) -> np.ndarray:
    """From 0 to 1 and back at the end of a plan, with the least jerk."""
    return smooth_step((times - 0.1) / rise) * smooth_step((times[-1] - 0.1 - times) / fall)


def grounded(times: np.ndarray) -> np.ndarray:
    """Contacts of a person whose two feet never leave the floor."""
    return np.ones((len(times), 2, 2))


def plan_stand_arms(
    duration: float = 5.0, arms: str = "crossed", seed: int = 0, frame_rate: float = 120.0, bone_offsets=None
) -> MotionPlan:
    """A person who stands with the arms `"crossed"`, on the `"hips"` or `"folded"`; from standing to standing."""
    times, rng, offsets = clock(duration, frame_rate), np.random.default_rng([seed, 10]), bones(bone_offsets)
    angles = rest(times, rng, "standing", 0.45, offsets)
    pose, words = _STAND_ARMS[arms]
    share = visit(times)
    for side in ("left", "right"):
        pose_arm(angles, side, pose, share, rng.uniform(-4, 4, 5))
    lean = rng.uniform(-2, 2)
    shift_angles(angles, trunk_bending=share * lean, neck_rotation=share * rng.uniform(-10, 10))
    texts = describe("standing", _STAND_CAPTIONS, duration, rng, arms=words)
    return MotionPlan(angles, grounded(times), frame_rate, texts)


def plan_sit(
    duration: float = 5.0, seat_height: float = 0.45, seed: int = 0, frame_rate: float = 120.0, bone_offsets=None
) -> MotionPlan:
    """A person who sits: upright, leaning back or forward, hands on the thighs or in the lap; seated throughout."""
    times, rng, offsets = clock(duration, frame_rate), np.random.default_rng([seed, 11]), bones(bone_offsets)
    angles = rest(times, rng, "seated", seat_height, offsets)
    manner = rng.integers(3)
    lean = (rng.uniform(-3, 6), rng.uniform(-22, -12), rng.uniform(15, 30))[manner]
    words = ("", ", leaning back", ", leaning forward")[manner]
    share = visit(times, 1.2, 1.2)
    tilt = share * (0.6 * lean + 0.3 * smooth_noise(times, rng, 0.05, 0.4))
    # On a seat the pelvis rolls back by 10 to 20 degrees and more, and the trunk bends forward above it.
    slump = share * rng.uniform(0, 18)
    shift_angles(angles, pelvis_tilt=tilt - slump, hip_flexion=tilt - slump)
    shift_angles(angles, trunk_flexion=share * 0.4 * lean + 0.8 * slump)
    nod, glance = rng.uniform(0.2, 0.9), rng.uniform(-20, 20)
    shift_angles(angles, neck_flexion=-share * nod * lean, neck_rotation=share * glance)
    arms = ("lap", None, "cross")[rng.integers(3)]
    if arms:
        for side in ("left", "right"):
            pose_arm(angles, side, arms, share, rng.uniform(-5, 5, 5))
    texts = describe("sitting", _SIT_CAPTIONS, duration, rng, lean=words)
    return MotionPlan(angles, grounded(times), frame_rate, texts, "seated", "seated")


def reverse_plan(plan: MotionPlan, texts: tuple) -> MotionPlan:
    """The same way back: what was the end becomes the start."""
    return replace(
        plan,
        angles=plan.angles[::-1].copy(),
        contacts=plan.contacts[::-1].copy(),
        texts=texts,
        starts=plan.ends,
        ends=plan.starts,
        heading=plan.heading[::-1] - plan.heading[-1],
        floors=plan.floors[::-1] - plan.floors[-1].mean(),
        height=plan.height[::-1].copy(),
        velocity=plan.velocity[::-1] * [-1.0, -1.0, 1.0],
    )


def lying_angles(times: np.ndarray, side: str, rng: np.random.Generator) -> np.ndarray:
    """Lying on one side of the body, limbs relaxed, breathing."""
    angles = no_angles(len(times))
    breath = np.sin(2 * np.pi * rng.uniform(0.2, 0.32) * times + rng.uniform(0, 6))
    bend = {"back": rng.uniform(2, 14), "front": rng.uniform(0, 6)}.get(side, rng.uniform(25, 55))
    mix_angles(
        angles, 1.0, pelvis_tilt=-90.0, pelvis_roll=_ROLL[side] + rng.uniform(-6, 6),
        hip_flexion=bend, knee_flexion=1.6 * bend + 4, hip_abduction=rng.uniform(1, 6), ankle_dorsiflexion=-32.0,
        hip_rotation=-10.0, trunk_flexion=rng.uniform(0, 8) * (side != "front"), neck_flexion=rng.uniform(0, 12),
    )  # fmt: skip
    for one in ("left", "right"):
        low, high = (40, 85) if "side" in side else (2, 20)
        mix_angles(
            angles, 1.0, **{f"{one}_shoulder_flexion": rng.uniform(low, high),
            f"{one}_shoulder_abduction": rng.uniform(5, 25), f"{one}_elbow_flexion": rng.uniform(10, 80),
            f"{one}_shoulder_rotation": rng.uniform(10, 50), f"{one}_forearm_pronation": rng.uniform(0, 60)},
        )  # fmt: skip
    if side == "front":
        mix_angles(
            angles, 1.0, shoulder_flexion=0.0, shoulder_abduction=rng.uniform(60, 85), shoulder_rotation=-88.0,
            elbow_flexion=rng.uniform(60, 100), neck_rotation=rng.choice([-1, 1]) * 60.0, neck_flexion=-10.0,
        )  # fmt: skip
    if "side" in side:  # the shoulder below rests on the bed
        mix_angles(angles, 1.0, **{f"{side.split()[0]}_shoulder_abduction": -12.0})
        lower = side.split()[0]
        mix_angles(angles, 1.0, **{f"{lower}_shoulder_rotation": 0.0, f"{lower}_hip_abduction": -2.0})
    shift_angles(angles, trunk_flexion=0.5 * breath, shoulder_flexion=0.3 * breath)
    return angles


def _arms_close(angles: np.ndarray, turning: np.ndarray) -> np.ndarray:
    """Draws the arms to the body while a lying person rolls (0 to 1), so that none goes through the bed."""
    for name, column in ANGLE_INDEX.items():
        if "shoulder" in name or "elbow" in name:
            angles[:, column] *= 1 - 0.9 * turning
    return angles


def _lying_plan(angles, times, frame_rate, texts, height, posture) -> MotionPlan:
    level = np.stack([np.broadcast_to(height, len(times)), np.ones(len(times))], axis=1)
    hold = np.zeros((len(times), 3)) + [0.0, 0.0, 1.0]
    contacts = np.zeros((len(times), 2, 2))
    return MotionPlan(angles, contacts, frame_rate, texts, *posture, height=level, velocity=hold)


def plan_lie(
    duration: float = 6.0,
    side: str = "back",
    surface: float = 0.0,
    seed: int = 0,
    frame_rate: float = 120.0,
    bone_offsets=None,
) -> MotionPlan:
    """A person who lies still on the back, the front or a side (`LYING`), `surface` metres above the floor."""
    times, rng = clock(duration, frame_rate), np.random.default_rng([seed, 13])
    angles = sway(lying_angles(times, side, rng), times, rng, 0.35, 0.6)
    breath = 0.0015 * np.sin(2 * np.pi * rng.uniform(0.2, 0.32) * times)
    texts = describe("lying", _LIE_CAPTIONS, duration, rng, side=side)
    posture = (f"lying on the {side}",) * 2
    return _lying_plan(angles, times, frame_rate, texts, surface + REST_HEIGHT[side] + breath, posture)


def plan_turn_over(
    before: str = "back",
    after: str = "left side",
    duration: float = 4.0,
    surface: float = 0.0,
    seed: int = 0,
    frame_rate: float = 120.0,
    bone_offsets=None,
) -> MotionPlan:
    """A lying person who rolls from one side (`LYING`) onto another."""
    times, rng = clock(duration, frame_rate), np.random.default_rng([seed, 14])
    lasts = rng.uniform(1.6, 2.4)
    share = smooth_step((times - (duration - lasts) / 2) / lasts)
    first, last = lying_angles(times, before, rng), lying_angles(times, after, rng)
    if before == "front" and after == "right side":  # the shorter way
        last[:, ANGLE_INDEX["pelvis_roll"]] += 2 * np.pi
    if before == "right side" and after == "front":
        last[:, ANGLE_INDEX["pelvis_roll"]] -= 2 * np.pi
    angles = add_sway(first + share[:, None] * (last - first), times, rng, 0.2)
    _arms_close(angles, np.sin(np.pi * share) ** 2)
    height = surface + (1 - share) * REST_HEIGHT[before] + share * REST_HEIGHT[after]
    height += 0.05 * np.sin(np.pi * share) ** 2
    texts = describe("turning over", _TURN_CAPTIONS, duration, rng, before=before, after=after)
    posture = (f"lying on the {before}", f"lying on the {after}")
    return _lying_plan(angles, times, frame_rate, texts, height, posture)


def plan_lie_down(
    duration: float = 6.0,
    starts: str = "standing",
    side: str = "back",
    seat_height: float = 0.45,
    seed: int = 0,
    frame_rate: float = 120.0,
    bone_offsets=None,
) -> MotionPlan:
    """A person who lies down: from standing onto the floor, or from sitting on a bed onto the bed."""
    times, rng, offsets = clock(duration, frame_rate), np.random.default_rng([seed, 15]), bones(bone_offsets)
    angles = rest(times, rng, starts, seat_height, offsets)
    lasts = min(rng.uniform(3.6, 5.0), duration - 0.8)
    time = (times - 0.4) / lasts
    surface = 0.0 if starts == "standing" else seat_height
    if starts == "standing":
        _sit_on_floor(angles, time, offsets)
        lean, stretch = smooth_step((time - 0.45) / 0.35), smooth_step((time - 0.55) / 0.35)
    else:
        lean = stretch = smooth_step((time - 0.05) / 0.6)
    turn = smooth_step((time - 0.65) / 0.35)
    target = lying_angles(times, side, rng)
    roll = np.degrees(target[:, ANGLE_INDEX["pelvis_roll"]]) * turn
    target[:, ANGLE_INDEX["pelvis_roll"]] = 0.0
    legs = [i for name, i in ANGLE_INDEX.items() if any(part in name for part in ("hip", "knee", "ankle"))]
    share = np.repeat(lean[:, None], angles.shape[1], axis=1)
    share[:, legs] = stretch[:, None]
    # While the trunk goes down before the legs, the hips open so that the feet remain where they are.
    angles += share * (target - angles)
    shift_angles(angles, pelvis_roll=roll)
    if side != "back":
        _arms_close(angles, lean * (1 - smooth_step((time - 0.8) / 0.28)))
    height = surface + REST_HEIGHT["back"] + turn * (REST_HEIGHT[side] - REST_HEIGHT["back"])
    settled = smooth_step((time - 0.4) / 0.15) if starts == "standing" else smooth_step(time / 0.15)
    contacts = np.ones((len(times), 2, 2)) * (1 - smooth_step((stretch - 0.02) / 0.15))[:, None, None]
    heading = rng.choice([-1, 1]) * np.radians(80) * stretch if starts == "seated" else None
    if starts == "seated":
        height = (1 - lean) * (seat_height + 0.085) + lean * height
    texts = describe("lying down", _LIE_DOWN_CAPTIONS, duration, rng, side=side, posture=starts)
    hold = np.zeros((len(times), 3))
    hold[:, 2] = settled
    level = np.stack([height, settled], axis=1)
    return MotionPlan(
        angles, contacts, frame_rate, texts, starts, f"lying on the {side}", heading, height=level, velocity=hold
    )


def _sit_on_floor(angles: np.ndarray, time: np.ndarray, bone_offsets: np.ndarray) -> None:
    """From standing into a squat and onto the floor, the hands behind, between times 0 and 0.5."""
    share = smooth_step(time / 0.48)
    tilt = 40 * np.sin(np.pi * share) ** 2 - 20 * share
    shift_angles(angles, pelvis_tilt=tilt, trunk_flexion=25 * np.sin(np.pi * share) ** 2 + 10 * share)
    down = 0.86 + share * (0.03 - 0.86)
    forward = 0.10 * np.sin(np.pi * share) + 0.36 * share
    for side in ("left", "right"):
        place_leg(angles, side, forward, down, 0.0, bone_offsets, smooth_step(time / 0.1))
    mix_angles(angles, smooth_step((time - 0.1) / 0.35), shoulder_flexion=-35.0, elbow_flexion=8.0)
    shift_angles(angles, shoulder_flexion=50 * np.sin(np.pi * share) ** 2)


def plan_get_up(
    duration: float = 6.0,
    ends: str = "standing",
    side: str = "back",
    seat_height: float = 0.45,
    seed: int = 0,
    frame_rate: float = 120.0,
    bone_offsets=None,
) -> MotionPlan:
    """A person who gets up from the floor to standing, or sits up in bed; lying down, backwards in time."""
    rng = np.random.default_rng([seed, 16])
    plan = plan_lie_down(duration, ends, side, seat_height, seed + 1000, frame_rate, bone_offsets)
    texts = describe("getting up", _GET_UP_CAPTIONS, duration, rng, side=side, posture=ends)
    return reverse_plan(plan, texts)

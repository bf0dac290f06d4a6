# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Activities near the floor: kneeling, crouching, crawling, scrubbing, push-ups, and getting up from lying."""

import numpy as np

from anymo_hf.simulation.synthesis.arms import PALM_HEIGHT
from anymo_hf.simulation.synthesis.curves import smooth_noise, smooth_step
from anymo_hf.simulation.synthesis.floor import Stage, ball_contacts, both, feet_first, floor_plan
from anymo_hf.simulation.synthesis.plan import MotionPlan
from anymo_hf.simulation.synthesis.postures import add_sway, describe, standing_angles
from anymo_hf.simulation.synthesis.staging import ankle_above_ball, begin, pose_arm, shift_angles


_KNEEL_CAPTIONS = {
    "one": ("A person kneels down on one knee and gets up again.", "Someone goes down on the {side} knee.",
            "The person kneels on the {side} knee, as to tie a shoe."),
    "two": ("A person kneels on both knees and rises again.", "Someone goes down on their knees.",
            "The person kneels on the floor, then stands up."),
}  # fmt: skip
_CROUCH_CAPTIONS = (
    "A person crouches and works with the hands near the floor.",
    "Someone squats low, busy with something on the ground.",
    "The person works in a crouch, as when weeding a garden.",
)
_CRAWL_CAPTIONS = (
    "A person crawls on hands and knees.",
    "Someone goes down on all fours and crawls forward.",
    "The person moves forward on the floor on hands and knees.",
)
_SCRUB_CAPTIONS = (
    "A person scrubs the floor on hands and knees.",
    "Someone kneels and wipes the floor with the {side} hand.",
    "The person cleans the floor with a cloth, kneeling.",
)
_PUSH_UP_CAPTIONS = (
    "A person does push-ups.",
    "Someone goes down on the hands and does press-ups.",
    "The person pushes the body up from the floor with straight legs.",
)
_SOFT = 0.15  # share of a crawl in which it gets going, and again in which it ends


def plan_kneel(
    knees: str = "two", duration: float = 10.0, side: str = "right", seed: int = 0, frame_rate: float = 120.0,
    bone_offsets: np.ndarray | None = None,
) -> MotionPlan:  # fmt: skip
    """A person who goes down on `"one"` knee (of that `side`) or on `"two"`, stays there and stands up again."""
    if knees not in _KNEEL_CAPTIONS or side not in ("left", "right") or duration < 8:
        raise ValueError(
            f"Kneeling needs `knees` 'one' or 'two', a `side` 'left' or 'right' and at least 8 s, but {knees!r}, "
            f"{side!r} and {duration:g} s were given."
        )
    times, rng, offsets = begin(duration, seed, 130, frame_rate, bone_offsets)
    stage, pace = Stage(offsets), rng.uniform(0.85, 1.15)
    down = _way_down(stage, pace)[: 3 if knees == "one" else None]
    last = down[-1][1]
    if knees == "two" and rng.random() < 0.5:  # sits back on the heels
        down.append((down[-1][0] + 0.9 * pace, last | {"hip_x": last["hip_x"] - 0.24, "tilt": 14.0, "trunk": 8.0}))
    lean = {"tilt": rng.uniform(2, 20), "trunk": rng.uniform(2, 15), "neck": rng.uniform(-5, 15)}
    down.append((down[-1][0] + 0.6, down[-1][1] | lean))
    at = stage.flow(times, _and_back(down, duration))
    angles = add_sway(standing_angles(times, rng), times, rng)
    for one in ("left", "right"):
        pose_arm(angles, one, "lap", _staying(times, down, duration), rng.uniform(-6, 6, 5))
    texts = describe("kneeling", _KNEEL_CAPTIONS[knees], duration, rng, side=side)
    plan = _standing_plan(stage, angles, at, times, frame_rate, texts)
    return plan if side == "right" else plan.mirrored()


def plan_crouch(
    duration: float = 8.0, side: str = "right", seed: int = 0, frame_rate: float = 120.0,
    bone_offsets: np.ndarray | None = None,
) -> MotionPlan:  # fmt: skip
    """A person who crouches, works with both hands near the floor and stands up again; feet flat."""
    times, rng, offsets = begin(duration, seed, 131, frame_rate, bone_offsets)
    stage = Stage(offsets)
    low = stage.standing | {
        "hip_x": -0.19, "hip_z": stage.ankle + rng.uniform(0.44, 0.5) * (stage.thigh + stage.shank),
        "tilt": rng.uniform(36, 46), "trunk": rng.uniform(20, 30), "neck": -10.0,
        **both(hand=1.0, hand_x=0.42, hand_z=rng.uniform(0.12, 0.25)),
    }  # fmt: skip
    down = [(0.4, stage.standing), (2.0, low)]
    at = stage.flow(times, _and_back(down, duration))
    working = _staying(times, down, duration)
    for one in ("left", "right"):
        rate = rng.uniform(0.7, 1.5)
        for name, size in (("hand_x", 0.05), ("hand_z", 0.03)):
            wave = np.sin(2 * np.pi * rate * times + rng.uniform(0, 6)) + smooth_noise(times, rng, 0.2, 1.0)
            at[f"{one}_{name}"] += 0.7 * size * working * wave
    angles = add_sway(standing_angles(times, rng), times, rng)
    texts = describe("crouching", _CROUCH_CAPTIONS, duration, rng)
    plan = _standing_plan(stage, angles, at, times, frame_rate, texts)
    return plan if side == "right" else plan.mirrored()


def plan_crawl(
    duration: float = 12.0, speed: float = 0.45, seed: int = 0, frame_rate: float = 120.0,
    bone_offsets: np.ndarray | None = None,
) -> MotionPlan:  # fmt: skip
    """
    A person who goes down on hands and knees, crawls forward (0.2 to 0.7 m/s) and stands up again.

    A hand and the opposite knee move together, each on the floor for 60 % of the cycle (Patrick, Noah and Yang,
    Journal of Neurophysiology 101 (2009) 603-613: adults crawl mostly in diagonal pairs).
    """
    if not (0.2 <= speed <= 0.7 and duration >= 10):
        raise ValueError(
            f"Crawling needs a `speed` of 0.2 to 0.7 m/s and at least 10 s, but {speed:g} m/s and {duration:g} s were "
            "given."
        )
    times, rng, offsets = begin(duration, seed, 132, frame_rate, bone_offsets)
    stage = Stage(offsets)
    down = _way_to_all_fours(stage, 0.9)
    at = stage.flow(times, _and_back(down, duration))
    start, end = down[-1][0] + 0.3, duration - down[-1][0] - 0.1
    rate = speed / rng.uniform(0.40, 0.5)
    cycles = max(round((end - start) * rate), 1)
    stride = speed * (1 - _SOFT) * (end - start) / cycles
    u = cycles * _gently((times - start) / (end - start))
    at["hip_x"] += stride * u
    for lag, limbs in ((0.0, ("left_hand", "right_ball", "right")), (0.5, ("right_hand", "left_ball", "left"))):
        steps = np.clip(_stepping(u - lag) + lag - 0.3, 0, cycles)
        steps = np.convolve(np.pad(steps, 6, "edge"), np.hanning(15)[1:-1] / np.hanning(15).sum(), "valid")
        lifted = np.clip(np.gradient(steps, u + 1e-3 * times) / 3, 0, 1)
        for limb in limbs[:2]:
            at[f"{limb}_x"] += stride * steps
        at[f"{limbs[0]}_z"] += 0.04 * lifted
        at[f"{limbs[2]}_knee"] *= 1 - 0.95 * lifted
    angles = add_sway(standing_angles(times, rng), times, rng)
    sway = np.sin(2 * np.pi * u) * smooth_step(times - start) * smooth_step(end - times)
    shift_angles(angles, trunk_bending=rng.uniform(2, 5) * sway, neck_rotation=rng.uniform(2, 6) * sway)
    texts = describe("crawling", _CRAWL_CAPTIONS, duration, rng)
    return _standing_plan(stage, angles, at, times, frame_rate, texts)


def plan_scrub(
    duration: float = 10.0, side: str = "right", seed: int = 0, frame_rate: float = 120.0,
    bone_offsets: np.ndarray | None = None,
) -> MotionPlan:  # fmt: skip
    """A person who kneels down, rests on one hand and wipes the floor with the other (`side`), then stands up."""
    times, rng, offsets = begin(duration, seed, 133, frame_rate, bone_offsets)
    stage = Stage(offsets)
    down = _way_to_all_fours(stage, 0.9)
    at = stage.flow(times, _and_back(down, duration))
    working = _staying(times, down, duration)
    phase = 2 * np.pi * (rng.uniform(0.7, 1.4) * times + 0.05 * smooth_noise(times, rng, 0.1, 0.6))
    size = rng.uniform(0.06, 0.10)
    at["right_hand_x"] += working * size * (0.3 + np.sin(phase))
    at["right_hand_y"] = working * size * (np.cos(phase) + 0.6 * smooth_noise(times, rng, 0.05, 0.3))
    angles = add_sway(standing_angles(times, rng), times, rng)
    texts = describe("scrubbing the floor", _SCRUB_CAPTIONS, duration, rng, side=side)
    plan = _standing_plan(stage, angles, at, times, frame_rate, texts)
    return plan if side == "right" else plan.mirrored()


def plan_push_up(
    duration: float = 12.0, seed: int = 0, frame_rate: float = 120.0, bone_offsets: np.ndarray | None = None
) -> MotionPlan:
    """A person who puts the hands on the floor, steps back, does push-ups and stands up again; at least 10 s."""
    times, rng, offsets = begin(duration, seed, 134, frame_rate, bone_offsets)
    stage = Stage(offsets)
    leg = 0.985 * (stage.thigh + stage.shank)
    behind, ankle = ankle_above_ball(-72.0, offsets)
    hand = 0.55
    crouch = stage.standing | {
        "hip_x": -0.12, "hip_z": 0.6 * stage.standing["hip_z"], "tilt": 58.0, "trunk": 30.0, "neck": -15.0,
        **both(hand=1.0, hand_x=hand, hand_z=PALM_HEIGHT, pitch=-35.0),
    }  # fmt: skip
    plank = crouch | {"trunk": 0.0, "neck": -15.0} | _plank(stage, hand, 0.86 * stage.arm, leg, behind, ankle)
    one_leg = (
        crouch
        | {name: plank[name] for name in ("right_ball_x", "right_pitch")}
        | {"hip_x": -0.2, "hip_z": 0.64, "left_pitch": -50.0, "tilt": 58.0}
    )
    down = [(0.4, stage.standing), (1.7, crouch), (2.4, one_leg), (3.1, plank)]
    moments = _and_back(down, duration)
    at = stage.flow(times, moments)
    first, last = 3.3, duration - 3.3
    count = max(round((last - first) * rng.uniform(0.4, 0.75)), 1)
    depth = (
        rng.uniform(0.7, 0.95)
        * 0.5
        * (1 - np.cos(2 * np.pi * count * np.clip((times - first) / (last - first), 0, 1)))
    )
    low = _plank(stage, hand, 0.86 * stage.arm - 0.34 * depth * stage.arm / 0.54, leg, behind, ankle)
    planked = smooth_step((times - 2.9) / 0.3) * smooth_step((duration - 2.9 - times) / 0.3)
    for name in ("hip_x", "hip_z", "tilt"):
        at[name] += planked * (low[name] - plank[name])
    angles = add_sway(standing_angles(times, rng), times, rng)
    texts = describe("push-ups", _PUSH_UP_CAPTIONS, duration, rng)
    return _standing_plan(stage, angles, at, times, frame_rate, texts)


def _plank(stage: Stage, hand: float, shoulder, leg: float, behind: float, ankle: float) -> dict:
    """A straight body from the balls of the feet to shoulders this high above the wrists (metres)."""
    full = _slope(stage, 0.86 * stage.arm, leg, ankle)
    start = hand - (leg + stage.trunk) * np.cos(full)  # of the ankles
    slope = _slope(stage, shoulder, leg, ankle)
    return {
        "hip_x": start + leg * np.cos(slope), "hip_z": ankle + leg * np.sin(slope), "tilt": 90 - np.degrees(slope),
        **both(ball_x=start + behind, pitch=-72.0),
    }  # fmt: skip


def _slope(stage: Stage, shoulder, leg: float, ankle: float):
    return np.arcsin((PALM_HEIGHT + shoulder - ankle) / (leg + stage.trunk))


def _way_down(stage: Stage, pace: float) -> list[tuple[float, dict]]:
    """From standing to both knees, one after the other."""
    swing = stage.step_back() | {"right_ball_x": -0.3, "right_ball_z": 0.08, "right_pitch": -15.0, "hip_x": -0.04,
                                 "hip_z": 0.98 * stage.standing["hip_z"]}  # fmt: skip
    knees = stage.kneeling()
    times = 0.4 + pace * np.array([0.0, 0.45, 0.9, 1.7, 2.1, 2.5])
    half = stage.half_kneeling()
    lifted = half | {"left_ball_x": 0.5 * (half["left_ball_x"] + knees["left_ball_x"]), "left_ball_z": 0.06,
                     "left_pitch": -60.0, "left_knee": 0.0}  # fmt: skip
    moments = [stage.standing, swing, stage.step_back(), half, lifted, knees]
    way = list(zip(times, moments, strict=True))
    return [way[0], (way[1][0], way[1][1]), (way[3][0], way[3][1])] + way[4:]


def _way_to_all_fours(stage: Stage, pace: float) -> list[tuple[float, dict]]:
    """From standing to hands and knees: kneel, then the hands come down."""
    way, fours = _way_down(stage, pace), stage.on_hands_and_knees()
    return [*way, (way[-1][0] + 1.3 * pace, fours)]


def _and_back(down: list[tuple[float, dict]], duration: float) -> list[tuple[float, dict]]:
    """The moments, and the same ones back to standing at the plan's end; faster where time is short."""
    pace = min(1.0, (duration / 2 - 0.3) / down[-1][0])
    down = [(pace * time, moment) for time, moment in down]
    return down + [(duration - time, moment) for time, moment in reversed(down)]


def _staying(times: np.ndarray, down: list, duration: float) -> np.ndarray:
    """1 while the person stays in the last moment, 0 on the way."""
    start = down[-1][0]
    return smooth_step((times - start + 0.3) / 0.7) * smooth_step((duration - start + 0.3 - times) / 0.7)


def _stepping(cycle: np.ndarray) -> np.ndarray:
    """A limb's way in cycles: it swings ahead in the first 40 % of each and then rests."""
    whole = np.floor(cycle)
    return whole + smooth_step((cycle - whole) / 0.4)


def _gently(time: np.ndarray) -> np.ndarray:
    """From 0 to 1 at an even pace, with a soft start and end."""
    time = np.clip(time, 0, 1)
    left = np.minimum(time, 1 - time)
    way = np.where(left < _SOFT, left**2 / (2 * _SOFT), left - _SOFT / 2) / (1 - _SOFT)
    return np.where(time < 0.5, way, 1 - way)


def _standing_plan(stage, angles, at, times, frame_rate, texts) -> MotionPlan:
    share = feet_first(times)
    height = stage.pose(angles, at, share)
    return floor_plan(angles, at, height, ball_contacts(at), frame_rate, texts, ("standing", "standing"), share)

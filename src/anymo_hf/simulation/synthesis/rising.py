# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Rising: from a chair to standing, from the floor to standing by way of hands and knees, and sit-ups."""

import numpy as np

from anymo_hf.simulation.synthesis.angles import ANGLE_INDEX
from anymo_hf.simulation.synthesis.arms import PALM_HEIGHT
from anymo_hf.simulation.synthesis.curves import smooth_step
from anymo_hf.simulation.synthesis.floor import Stage, ball_contacts, both, feet_first, floor_plan
from anymo_hf.simulation.synthesis.plan import BLEND, MotionPlan, no_angles, set_angles
from anymo_hf.simulation.synthesis.postures import add_sway, describe, seated_legs, sitting, standing_angles
from anymo_hf.simulation.synthesis.staging import (
    REST_HEIGHT,
    begin,
    leg_lengths,
    mix_angles,
    place_leg,
    pose_arm,
    raise_above_floor,
    shift_angles,
)
from anymo_hf.simulation.synthesis.still import grounded, lying_angles


_ROLL = {"back": 0.0, "front": 180.0, "left side": 90.0}
_STAND_UP_CAPTIONS = (
    "A person stands up from a chair.",
    "Someone leans forward and rises from the seat.",
    "The person gets up from sitting to standing.",
    "Rising from a chair, someone comes to their feet.",
)
_GET_UP_CAPTIONS = (
    "A person gets up from lying on the {side}.",
    "Someone rises from the floor to standing.",
    "The person rolls over, pushes up on hands and knees and stands up.",
    "From lying on the floor, someone comes to their feet.",
)
_SIT_UP_CAPTIONS = (
    "A person does sit-ups.",
    "Someone lies on the back and curls up again and again.",
    "The person trains the belly: up from lying and down again.",
)


def plan_stand_up(
    duration: float = 4.0, seat_height: float = 0.45, seed: int = 0, frame_rate: float = 120.0,
    bone_offsets: np.ndarray | None = None,
) -> MotionPlan:  # fmt: skip
    """
    A person who rises from a chair.

    First the trunk swings forward (flexion momentum); the thighs leave the seat after a third of the time, when the
    trunk leans most, and then hips, knees and trunk stretch together (phases after Schenkman et al., Physical Therapy
    70 (1990) 638-648: lift-off at 27 to 36 % of 1.5 to 2 s). It is quicker than sitting down and leans more.

    Args:
        duration (`float`, *optional*, defaults to 4.0):
            Seconds. At least 3.
        seat_height (`float`, *optional*, defaults to 0.45):
            Metres from the floor, 0.25 to 0.65.
        seed (`int`, *optional*, defaults to 0):
            Chooses timing, lean and words.
        frame_rate (`float`, *optional*, defaults to 120.0):
            Frames per second.
        bone_offsets (`np.ndarray` of shape `(23, 3)`, *optional*, defaults to `DEFAULT_BONE_OFFSETS`):
            The subject's bones.

    Returns:
        `MotionPlan`: From seated to standing.

    Raises:
        ValueError: If the chair or the duration is out of range.
    """
    if not (0.25 <= seat_height <= 0.65 and duration >= 3):
        raise ValueError(
            "Standing up needs a `seat_height` of 0.25 to 0.65 m and a `duration` of at least 3 s, but "
            f"{seat_height:g} m and {duration:g} s were given."
        )
    times, rng, offsets = begin(duration, seed, 112, frame_rate, bone_offsets)
    lasts, peak = rng.uniform(1.4, 2.0), rng.uniform(36, 48)
    time = (times - rng.uniform(0.4, min(0.9, duration - lasts - 0.5))) / lasts
    rise = smooth_step((time - 0.30) / 0.68)
    lean = peak * smooth_step(time / 0.42) * (1 - smooth_step((time - 0.40) / 0.6))
    legs = (seated_legs(seat_height, 0.0, offsets), 0.0)
    angles = set_angles(
        no_angles(len(times)), **sitting(1 - rise, lean + 2.0 * (1 - rise), legs, rng), hip_rotation=-4.0,
        hip_abduction=0.5,
    )  # fmt: skip
    # Arms swing forward with the trunk, or push off the thighs.
    shift_angles(angles, shoulder_flexion=rng.uniform(-10, 30) * np.sin(np.pi * np.clip(time, 0, 1)) ** 2)
    texts = describe("standing up", _STAND_UP_CAPTIONS, duration, rng)
    return MotionPlan(add_sway(angles, times, rng), grounded(times), frame_rate, texts, "seated")


def plan_get_up_from_floor(
    side: str = "back", duration: float = 9.0, seed: int = 0, frame_rate: float = 120.0,
    bone_offsets: np.ndarray | None = None,
) -> MotionPlan:  # fmt: skip
    """
    A person who lies on the `"back"`, `"front"`, `"left side"` or `"right side"` and gets up to standing.

    They roll to the front, push up on hands and knees, kneel, put one foot forward and stand: a common way of adults
    (VanSant, Physical Therapy 68 (1988) 185-192).
    """
    if side not in REST_HEIGHT or duration < 8:
        raise ValueError(
            f"Getting up needs a `side` of {sorted(REST_HEIGHT)} and at least 8 s, but {side!r} and {duration:g} s "
            "were given."
        )
    times, rng, offsets = begin(duration, seed, 116, frame_rate, bone_offsets)
    # The left side is rolled over; the right one is its mirror image.
    lies = "left side" if side == "right side" else side
    roll, low = _ROLL[lies], REST_HEIGHT[lies]
    turn = 0.0 if side == "front" else rng.uniform(1.5, 1.9) * (1 - roll / 720)
    # The pelvis is said in other terms from then on, so the blend with what was before must be over.
    prone = max(turn, BLEND - 0.35)
    stage = Stage(offsets)
    moments = _from_front(stage, 0.4 + prone, duration)
    at = stage.flow(times, moments)
    raised = smooth_step((times - 0.4 - prone) / 1.1)
    angles, rolled = _roll_to_front(times, turn, lies, rng)
    heading = np.pi * (times > 0.45 + prone)
    _turn_to_crawl(angles, times > 0.45 + prone)
    angles += raised[:, None] * (add_sway(standing_angles(times, rng), times, rng) - angles)
    share = feet_first(times, start=False)
    height = stage.pose(angles, at, raised * share)
    lying = low + rolled * (REST_HEIGHT["front"] - low) + 0.05 * np.sin(np.pi * rolled) ** 2
    lying = raise_above_floor(lying, angles, offsets)
    height += (1 - raised) * (lying - height)
    at["hip_x"] = moments[0][1]["hip_x"] + raised * (at["hip_x"] - moments[0][1]["hip_x"])
    texts = describe("getting up", _GET_UP_CAPTIONS, duration, rng, side=side)
    contacts = ball_contacts(at) * (raised > 0.99)[:, None, None]
    posture = (f"lying on the {side}", "standing")
    plan = floor_plan(angles, at, height, contacts, frame_rate, texts, posture, share)
    plan.heading = heading
    return plan.mirrored() if side == "right side" or (lies in ("back", "front") and rng.random() < 0.5) else plan


def _from_front(stage: Stage, start: float, duration: float) -> list[tuple[float, dict]]:
    """From lying on the front over hands and knees to standing, within the time that remains."""
    fours, kneeling, half = stage.on_hands_and_knees(), stage.kneeling(), stage.half_kneeling()
    knee = fours["hip_x"]
    front = fours | {
        "hip_x": knee + 0.985 * stage.thigh, "tilt": 86.0, "trunk": 2.0, "neck": -10.0,
        **both(knee=1.0, hand_x=knee + stage.thigh + 0.30),
    }  # fmt: skip
    pushed = front | {"hip_x": knee + 0.14, "tilt": 66.0, "trunk": 14.0, "neck": -30.0}
    stepping = pushed | {"hip_x": knee + 0.05, "right_hand_z": PALM_HEIGHT + 0.05,
                         "right_hand_x": fours["right_hand_x"]}  # fmt: skip
    lifted = half | {"left_ball_x": 0.5 * (half["left_ball_x"] + kneeling["left_ball_x"]), "left_ball_z": 0.07,
                     "left_pitch": -60.0, "left_knee": 0.0, "tilt": 12.0, "trunk": 10.0}  # fmt: skip
    swing = stage.step_back() | {"right_ball_x": -0.25, "right_ball_z": 0.08, "right_pitch": -15.0, "hip_x": -0.12,
                                 "hip_z": 0.97 * stage.standing["hip_z"]}  # fmt: skip
    keys = [0.0, 0.8, 1.9, 2.25, 2.6, 3.5, 3.9, 4.3, 5.3, 5.8]
    pace = (duration - start - 0.5) / keys[-1]
    moments = [front, front, pushed, stepping, fours, kneeling, lifted, half, swing, stage.standing]
    return [(start + pace * key, moment) for key, moment in zip(keys, moments, strict=True)]


def _roll_to_front(times: np.ndarray, turn: float, lies: str, rng) -> tuple[np.ndarray, np.ndarray]:
    """Angles of lying and then rolling onto the front within `turn` seconds, and how far it has come."""
    first, last = lying_angles(times, lies, rng), lying_angles(times, "front", rng)
    last[:, ANGLE_INDEX["pelvis_roll"]] = np.pi
    rolled = smooth_step((times - 0.3) / max(turn, 0.1)) if turn else np.ones(len(times))
    if not turn:
        return last, rolled
    angles = first + rolled[:, None] * (last - first)
    # The legs help: the upper knee comes forward, and the arms are drawn in so that the body can pass.
    passing = np.sin(np.pi * rolled) ** 2
    shift_angles(angles, right_hip_flexion=35 * passing, right_knee_flexion=50 * passing, trunk_rotation=12 * passing)
    mix_angles(angles, passing, right_shoulder_flexion=50.0, right_shoulder_abduction=5.0, right_elbow_flexion=80.0)
    # The arm below goes up slowly, from the start.
    early = smooth_step(times / (0.3 + 0.55 * turn))
    mix_angles(angles, early, left_shoulder_flexion=165.0, left_shoulder_abduction=5.0,
               left_shoulder_rotation=0.0, left_elbow_flexion=20.0)  # fmt: skip
    return angles, rolled


def _turn_to_crawl(angles: np.ndarray, after: np.ndarray) -> None:
    """Says the same orientation of the pelvis as leaning forward by 90 degrees instead of lying rolled over.

    With heading and roll turned by half a turn, tilt and obliquity only change their sign.
    """
    for name, sign, add in (("tilt", -1, 0.0), ("obliquity", -1, 0.0), ("roll", 1, -np.pi)):
        column = ANGLE_INDEX[f"pelvis_{name}"]
        angles[after, column] = sign * angles[after, column] + add


def plan_sit_up(
    duration: float = 8.0, seed: int = 0, frame_rate: float = 120.0, bone_offsets: np.ndarray | None = None
) -> MotionPlan:
    """A person who lies on the back with bent knees and does sit-ups; at least 5 s, lying at both ends."""
    times, rng, offsets = begin(duration, seed, 118, frame_rate, bone_offsets)
    angles = lying_angles(times, "back", rng)
    ready = smooth_step((times - 0.1) / 1.1) * smooth_step((duration - 0.1 - times) / 1.1)
    count = max(round((duration - 2.8) * rng.uniform(0.3, 0.5)), 1)
    cycle = count * np.clip((times - 1.4) / (duration - 2.8), 0, 1)
    up = 0.5 - 0.5 * np.cos(2 * np.pi * cycle)
    curl, rise = smooth_step(up / 0.6), smooth_step((up - 0.15) / 0.85)
    top = rng.uniform(25, 60)
    mix_angles(angles, ready, pelvis_roll=0.0, hip_rotation=0.0, hip_abduction=3.0)
    angles[:, ANGLE_INDEX["pelvis_tilt"]] += np.radians(top) * rise
    shift_angles(angles, trunk_flexion=rng.uniform(25, 40) * curl, neck_flexion=20 * curl * (1 - 0.7 * rise))
    height = np.full(len(times), REST_HEIGHT["back"])
    thigh, shank, ankle = leg_lengths(offsets)
    for side in ("left", "right"):
        place_leg(angles, side, 0.55 * (thigh + shank), height - ankle - 0.02, 0.0, offsets, ready)
        pose_arm(angles, side, "cross", ready, rng.uniform(-5, 5, 5))
    texts = describe("sit-ups", _SIT_UP_CAPTIONS, duration, rng)
    ones = np.ones(len(times))
    level, still = np.stack([height, ones], axis=1), np.stack([0 * ones, 0 * ones, ones], axis=1)
    posture = ("lying on the back",) * 2
    contacts = np.zeros((len(times), 2, 2))
    return MotionPlan(angles, contacts, frame_rate, texts, *posture, height=level, velocity=still)

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Squats, lunges, bending, picking up, reaching; jumps, hops and rope jumping; cycling and rowing."""

import numpy as np

from anymo_hf.simulation.synthesis.curves import evaluate_series, smooth_noise, smooth_step
from anymo_hf.simulation.synthesis.plan import MotionPlan
from anymo_hf.simulation.synthesis.postures import add_sway, describe, standing_angles
from anymo_hf.simulation.synthesis.staging import (
    ankle_above_ball,
    begin,
    bounce_series,
    half_sine,
    leg_lengths,
    mix_angles,
    place_leg,
    pose_arm,
    shift_angles,
    standing_height,
)
from anymo_hf.simulation.synthesis.still import grounded, rest


_EXERCISES = {
    # label, captions, depth of the pelvis (share of the leg), pelvis tilt, trunk flexion, arm pose, share of the arms
    "squat": (
        "squatting",
        ("A person does squats.", "Someone bends the knees deeply and rises again.", "The person squats up and down."),
        (0.35, 0.52), (28, 42), (5, 18), "punch",
    ),
    "bend": (
        "bending forward",
        ("A person bends forward and comes up again.", "Someone bows down at the waist.",
         "The person leans far forward from the hips."),
        (0.0, 0.04), (45, 65), (25, 45), "floor",
    ),
    "pick_up": (
        "picking something up",
        ("A person picks something up from the floor.", "Someone bends down and lifts an object with the {side} hand.",
         "The person reaches to the ground and comes up again."),
        (0.22, 0.45), (45, 62), (25, 40), "floor",
    ),
    "reach": (
        "reaching up",
        ("A person reaches up to a high shelf.", "Someone stretches the {side} arm upwards.",
         "The person takes something from above the head."),
        (0.0, 0.0), (0, 3), (-8, 0), "reach",
    ),
    "stretch": (
        "stretching",
        ("A person stretches, arms above the head.", "Someone stretches the upper body from side to side.",
         "The person raises both arms and bends sideways."),
        (0.0, 0.0), (0, 2), (-6, 0), "reach",
    ),
}  # fmt: skip
_SOFT_REACH = 0.01  # m over which a leg in the air stops to stretch
_SOFT_LEAN = 0.05  # of the leg's length, over which a jumper's trunk begins to lean as the legs bend


def plan_exercise(
    name: str = "squat",
    duration: float = 8.0,
    side: str = "right",
    seed: int = 0,
    frame_rate: float = 120.0,
    bone_offsets: np.ndarray | None = None,
) -> MotionPlan:
    """
    A person who repeats an exercise on the spot: squat, bend, pick_up, reach or stretch; from standing to standing.

    Args:
        name (`str`, *optional*, defaults to `"squat"`):
            Which one.
        duration (`float`, *optional*, defaults to 8.0):
            Seconds. At least 3.
        side (`str`, *optional*, defaults to `"right"`):
            `"right"` or `"left"`: the arm that picks up or reaches.
        seed (`int`, *optional*, defaults to 0):
            Chooses rhythm, depth, style and words.
        frame_rate (`float`, *optional*, defaults to 120.0):
            Frames per second.
        bone_offsets (`np.ndarray` of shape `(23, 3)`, *optional*, defaults to `DEFAULT_BONE_OFFSETS`):
            The subject's bones.

    Returns:
        `MotionPlan`: Both feet stay on the floor.
    """
    if name not in _EXERCISES or duration < 3 or side not in ("left", "right"):
        raise ValueError(
            f"An exercise needs a name of {sorted(_EXERCISES)}, a `side` 'left' or 'right' and at least 3 s, but "
            f"{name!r}, {side!r} and {duration:g} s were given."
        )
    label, captions, depths, tilts, flexions, arm = _EXERCISES[name]
    number = 40 + sorted(_EXERCISES).index(name)
    times, rng, offsets = begin(duration, seed, number, frame_rate, bone_offsets)
    angles = rest(times, rng, "standing", 0.45, offsets)
    share = _repetitions(times, rng, (3.5, 6.0) if name == "stretch" else (1.7, 3.4))
    depth, tilt, flexion = (share * rng.uniform(*span) for span in (depths, tilts, flexions))
    shift_angles(angles, pelvis_tilt=tilt, trunk_flexion=flexion, neck_flexion=-0.4 * flexion)
    shift_angles(angles, hip_flexion=tilt)
    thigh, shank, _ = leg_lengths(offsets)
    if name in ("squat", "pick_up"):
        for one in ("left", "right"):
            place_leg(
                angles, one, 0.28 * depth, (thigh + shank) * (0.985 - depth), 0.0, offsets, smooth_step(share / 0.25)
            )
        shift_angles(angles, hip_rotation=-12 * share, hip_abduction=4 * share)
    both = name in ("squat", "bend", "stretch") or rng.random() < 0.3
    for one in ("left", "right") if both else ("right",):
        pose_arm(angles, one, arm, share, rng.uniform(-6, 6, 5))
    if name == "reach":
        # The heels stay down; the shoulder girdle and the trunk do the stretching.
        shift_angles(angles, right_clavicle_elevation=14 * share, trunk_bending=6 * share, neck_flexion=-18 * share)
    if name == "stretch":
        bend = rng.uniform(12, 28) * share * np.sin(np.pi * times / rng.uniform(3.0, 4.5))
        shift_angles(angles, clavicle_elevation=12 * share, trunk_bending=bend, neck_bending=0.4 * bend)
    if name in ("bend", "pick_up"):
        # Arms hang down from the bent trunk.
        shift_angles(angles, shoulder_flexion=0.45 * (tilt + flexion))
    texts = describe(label, captions, duration, rng, side=side)
    plan = MotionPlan(angles, grounded(times), frame_rate, texts)
    return plan if side == "right" else plan.mirrored()


def _repetitions(times: np.ndarray, rng: np.random.Generator, lasts: tuple[float, float]) -> np.ndarray:
    """From 0 to 1 and back, again and again, each a little different."""
    start, share = 0.4, np.zeros(len(times))
    period = min(rng.uniform(*lasts), times[-1] - 0.9)
    while start + period < times[-1] - 0.3:
        own, turn = period * rng.uniform(0.93, 1.0), rng.uniform(0.42, 0.52)
        hold = rng.uniform(0.0, 0.08)
        down = smooth_step((times - start) / ((turn - hold) * own))
        share += rng.uniform(0.9, 1.05) * down * smooth_step((start + own - times) / ((1 - turn - hold) * own))
        start += period * rng.uniform(1.0, 1.15)
    return share


def plan_lunge(
    duration: float = 8.0,
    side: str = "right",
    seed: int = 0,
    frame_rate: float = 120.0,
    bone_offsets: np.ndarray | None = None,
) -> MotionPlan:
    """A person who steps forward with one leg, lowers the body and pushes back; from standing to standing."""
    times, rng, offsets = begin(duration, seed, 50, frame_rate, bone_offsets)
    angles = rest(times, rng, "standing", 0.45, offsets)
    contacts, period = grounded(times), min(rng.uniform(3.0, 4.0), duration - 0.8)
    leg = sum(leg_lengths(offsets)[:2])
    step, drop = np.zeros(len(times)), np.zeros(len(times))
    starts = np.arange(0.4, duration - period - 0.2, period)
    front = 1  # the right foot; lunges of the left leg are the mirror image
    for start in starts:
        time = (times - start) / period
        step += smooth_step(time / 0.26) * smooth_step((1 - time) / 0.26)
        drop += smooth_step((time - 0.16) / 0.3) * smooth_step((0.86 - time) / 0.3)
        for lift_off, landing in ((0.02, 0.24), (0.76, 0.98)):
            inside = smooth_step((time - lift_off + 0.02) / 0.03) * smooth_step((landing + 0.02 - time) / 0.03)
            contacts[:, front] *= (1 - inside)[:, None]
    contacts[:, 1 - front, 0] = 1 - smooth_step((step - 0.3) / 0.3)
    length, depth = rng.uniform(0.62, 0.8) * leg, rng.uniform(0.24, 0.34) * leg
    down = 0.985 * leg - 0.03 * step - depth * drop
    shift_angles(angles, trunk_flexion=rng.uniform(2, 10) * drop)
    lift = 0.12 * np.sin(np.pi * step) ** 2 * (drop < 0.5)
    place_leg(angles, "right", 0.52 * length * step, down - lift, 0.0, offsets, smooth_step(step / 0.2))
    pitch = -55 * smooth_step((step - 0.3) / 0.7)
    behind, above = ankle_above_ball(pitch, offsets)
    flat_behind, flat_above = ankle_above_ball(0.0, offsets)
    place_leg(
        angles, "left", -0.48 * length * step + flat_behind - behind, down - (above - flat_above), pitch, offsets,
        smooth_step(step / 0.2),
    )  # fmt: skip
    words = (f"A person does lunges with the {side} leg.", "Someone steps forward into a deep lunge.",
             "The person lunges and pushes back up.")  # fmt: skip
    texts = describe("lunging", words, duration, rng)
    plan = MotionPlan(angles, contacts, frame_rate, texts)
    return plan if side == "right" else plan.mirrored()


_JUMPS = {
    "jump": ("jumping", (1.2, 1.7), (0.62, 0.72), ("A person jumps in place.", "Someone leaps up again and again.",
                                               "The person makes jumps on the spot.")),
    "rope": ("rope jumping", (1.8, 2.4), (0.55, 0.66), ("A person jumps rope.", "Someone skips with a rope.",
                                                        "The person swings a rope and jumps over it.")),
    "hop": ("hopping", (1.7, 2.3), (0.62, 0.72), ("A person hops on the {side} leg.", "Someone hops on one foot.",
                                                  "The person jumps up and down on the {side} foot.")),
    "jumping_jack": ("jumping jacks", (1.6, 2.2), (0.58, 0.68),
                     ("A person does jumping jacks.", "Someone jumps, opening and closing arms and legs.",
                      "The person does star jumps, swinging the arms up over the head.")),
}  # fmt: skip


def plan_jump(
    name: str = "jump",
    duration: float = 6.0,
    side: str = "right",
    seed: int = 0,
    frame_rate: float = 120.0,
    bone_offsets: np.ndarray | None = None,
) -> MotionPlan:
    """
    A person who jumps on the spot (`"jump"`), skips with a rope (`"rope"`) or hops on one leg (`"hop"`).

    The pelvis' height is the second integral of a half-sine push of the floor and of gravity alone in the air.

    Args:
        name (`str`, *optional*, defaults to `"jump"`):
            Which one.
        duration (`float`, *optional*, defaults to 6.0):
            Seconds. At least 3.
        side (`str`, *optional*, defaults to `"right"`):
            The leg that hops.
        seed (`int`, *optional*, defaults to 0):
            Chooses rhythm, height, style and words.
        frame_rate (`float`, *optional*, defaults to 120.0):
            Frames per second.
        bone_offsets (`np.ndarray` of shape `(23, 3)`, *optional*, defaults to `DEFAULT_BONE_OFFSETS`):
            The subject's bones.

    Returns:
        `MotionPlan`: From standing to standing.
    """
    if name not in _JUMPS or duration < 3 or side not in ("left", "right"):
        raise ValueError(
            f"Jumping needs a name of {sorted(_JUMPS)}, a `side` 'left' or 'right' and at least 3 s, but {name!r}, "
            f"{side!r} and {duration:g} s were given."
        )
    label, rates, duties, captions = _JUMPS[name]
    number = 60 + sorted(_JUMPS).index(name)
    times, rng, offsets = begin(duration, seed, number, frame_rate, bone_offsets)
    angles = rest(times, rng, "standing", 0.45, offsets)
    wanted, duty = rng.uniform(*rates), rng.uniform(*duties)
    count = max(round((duration - 1.4) * wanted), 1)
    rate = count / (duration - 1.4)
    phase = (times - 0.7) * rate + duty / 2  # a push lasts from 0 to `duty`; start in its middle
    active = smooth_step((times - 0.3) / 0.7) * smooth_step((duration - 0.3 - times) / 0.7)
    bounce = evaluate_series(bounce_series(half_sine(duty)), phase) / rate**2
    take_off = evaluate_series(bounce_series(half_sine(duty)), np.array([duty])) / rate**2
    cycle = phase % 1.0
    down_share = smooth_step((duty - 0.02 - cycle) / 0.05) * smooth_step(cycle / 0.05)
    touching = np.maximum(down_share, 1 - smooth_step((active - 0.25) / 0.2))
    heels = np.where(active > 0.3, 0.0, 1.0) if name != "jump" else 1.0
    heel_down = np.maximum(
        smooth_step((0.8 * duty - cycle) / 0.08) * smooth_step((cycle - 0.12) / 0.08) * heels,
        1 - smooth_step(active / 0.2),
    )
    toes = -38.0
    above = ankle_above_ball(toes, offsets)[1]
    stretched = 0.96 * sum(leg_lengths(offsets)[:2]) + above
    # At take-off the foot stands on its ball, and the leg is as straight as it can be without a snap of the knee.
    height = (1 - active) * standing_height(offsets) + active * (stretched - take_off + bounce)
    contacts = np.stack([np.minimum(heel_down, touching), touching], axis=1)[:, None].repeat(2, axis=1)
    _jumping_legs(angles, name, "right", height, bounce - take_off, active, toes, offsets, contacts)
    if name == "jumping_jack":
        height = _open_and_close(angles, phase, duty, active, height, offsets)
    else:
        _jumping_arms(angles, name, phase, active, rng)
    texts = describe(label, captions, duration, rng, side=side)
    level = np.stack([height, smooth_step(active / 0.3)], axis=1)
    plan = MotionPlan(angles, contacts, frame_rate, texts, height=level)
    return plan if side == "right" else plan.mirrored()


def _jumping_legs(angles, name, side, height, rise, active, toes, offsets, contacts) -> None:
    """Legs that push off the floor; in the air they hang a little bent."""
    leg = sum(leg_lengths(offsets)[:2])
    # The lower the pelvis, the flatter the foot.
    low = smooth_step(-rise / (0.18 if name == "jump" else 0.3))
    pitch = toes * active * (1 - low)
    behind, above = ankle_above_ball(pitch, offsets)
    down = 0.975 * leg - _SOFT_REACH * np.logaddexp(0.0, (0.975 * leg - height + above) / _SOFT_REACH)
    forward = ankle_above_ball(0.0, offsets)[0] - behind - 0.02 * active
    # The trunk comes up softly: were it to stop with the legs, the head would be jerked.
    lean = 60 * _SOFT_LEAN * np.logaddexp(0.0, (0.95 - (height - above) / leg) / _SOFT_LEAN) * active
    shift_angles(angles, pelvis_tilt=0.6 * lean, trunk_flexion=0.4 * lean)
    used = smooth_step(active / 0.3)
    for one in ("left", "right"):
        place_leg(angles, one, forward, down, pitch, offsets, used)
    if name == "hop":
        free = "left" if side == "right" else "right"
        index = ("left", "right").index(free)
        contacts[:, index] *= (1 - smooth_step(active / 0.3))[:, None]
        mix_angles(
            angles, smooth_step(active / 0.6), **{f"{free}_hip_flexion": 18.0, f"{free}_knee_flexion": 78.0,
            f"{free}_ankle_dorsiflexion": -10.0},
        )  # fmt: skip


def _open_and_close(angles, phase, duty, active, height, offsets) -> np.ndarray:
    """Legs apart and arms up after every other jump, together after the next; returns the lowered pelvis height."""
    cycle = 0.5 * (phase - 0.5 * duty)
    flight = (phase - duty) % 1.0 / (1 - duty)
    whole = np.floor(phase - duty) % 2  # landing after an even flight: closed
    legs = np.where(whole == 0, 1.0, 0.0) + np.where(whole == 0, -1.0, 1.0) * (1 - smooth_step(flight))
    legs = np.where(flight < 1, legs, whole == 0)
    spread = 17 * active * legs
    shift_angles(angles, hip_abduction=spread, ankle_inversion=-spread)
    arms = 0.5 - 0.5 * np.cos(2 * np.pi * (cycle - 0.5 * (1 - duty) + 0.25))
    mix_angles(angles, active, shoulder_abduction=14 + 146 * arms, elbow_flexion=14.0, shoulder_flexion=4.0,
               clavicle_elevation=12 * arms)  # fmt: skip
    return height - (1 - np.cos(np.radians(spread))) * sum(leg_lengths(offsets)[:2])


def _jumping_arms(angles, name, phase, active, rng) -> None:
    swing = np.cos(2 * np.pi * (phase - 0.1))
    if name == "rope":
        values = {"shoulder_flexion": 5.0, "shoulder_abduction": 22.0, "elbow_flexion": 75.0 + 6 * swing,
                  "shoulder_rotation": -35.0 + 8 * np.sin(2 * np.pi * phase), "forearm_pronation": 10.0 + 12 * swing,
                  "wrist_flexion": 18 * np.sin(2 * np.pi * phase), "wrist_deviation": 14 * swing}  # fmt: skip
    else:
        size = rng.uniform(5, 25)
        values = {"shoulder_flexion": 10.0 - size * swing, "elbow_flexion": 45.0 - 8 * swing,
                  "shoulder_abduction": 15.0}  # fmt: skip
    mix_angles(angles, active, **values)


def plan_cycle(
    duration: float = 8.0, seed: int = 0, frame_rate: float = 120.0, bone_offsets: np.ndarray | None = None
) -> MotionPlan:
    """A person on a bicycle: feet on circling pedals (0.17 m), 40 to 90 turns a minute, hands on the bars."""
    times, rng, offsets = begin(duration, seed, 70, frame_rate, bone_offsets)
    angles = add_sway(standing_angles(times, rng), times, rng)
    rate, leg = rng.uniform(40, 90) / 60, sum(leg_lengths(offsets)[:2])
    phase = rate * times + 0.02 * smooth_noise(times, rng, 0.05, 0.5) + rng.uniform(0, 1)
    lean = rng.uniform(10, 35)
    rock = rng.uniform(0.5, 6.0) * np.sin(2 * np.pi * phase)
    mix_angles(angles, 1.0, pelvis_tilt=0.5 * lean + 0.2 * rock, trunk_flexion=0.5 * lean, pelvis_obliquity=0.8 * rock,
               trunk_bending=rock, neck_flexion=-0.6 * lean, hip_rotation=0.0)  # fmt: skip
    for side, lag in (("left", 0.0), ("right", 0.5)):
        turn = 2 * np.pi * (phase + lag)
        pitch = -22 - 8 * np.cos(turn)  # the heel is highest at the top
        behind, above = ankle_above_ball(pitch, offsets)
        # Bottom dead centre stretches the leg to about 35 degrees of knee flexion.
        forward = 0.26 + 0.17 * np.sin(turn) - behind
        down = 0.95 * leg - 0.17 + 0.11 - 0.17 * np.cos(turn) - above
        place_leg(angles, side, forward, down, pitch, offsets)
        pose_arm(angles, side, "bars", 1.0, rng.uniform(-4, 4, 5) + [0.5 * (20 - lean), 0, 0, 0, 0])
    words = ("A person rides a bicycle.", "Someone is cycling.", "The person pedals on an exercise bike.")
    texts = describe("cycling", words, duration, rng)
    return _on_a_machine(angles, times, frame_rate, texts, 0.98 * leg + 0.12 + 0.003 * rock, 0.0, "cycling")


def plan_row(
    duration: float = 8.0, seed: int = 0, frame_rate: float = 120.0, bone_offsets: np.ndarray | None = None
) -> MotionPlan:
    """A person on a rowing machine: a sliding seat, 18 to 32 strokes a minute, legs, then trunk, then arms."""
    times, rng, offsets = begin(duration, seed, 71, frame_rate, bone_offsets)
    angles = add_sway(standing_angles(times, rng), times, rng, 0.5)
    rate, leg = rng.uniform(18, 32) / 60, sum(leg_lengths(offsets)[:2])
    phase = rate * times + 0.01 * smooth_noise(times, rng, 0.05, 0.4) + rng.uniform(0, 1)
    cycle = phase % 1.0

    def stroke(start, end, back, home):
        """From 0 at the catch to 1 at the finish and back."""
        return smooth_step((cycle - start) / (end - start)) * smooth_step((home - cycle) / (home - back))

    legs, body, arms = stroke(0.0, 0.3, 0.6, 1.0), stroke(0.1, 0.38, 0.48, 0.8), stroke(0.22, 0.42, 0.44, 0.62)
    catch, finish = rng.uniform(18, 30), rng.uniform(-26, -14)
    lean = catch + (finish - catch) * body
    mix_angles(angles, 1.0, pelvis_tilt=0.7 * lean, trunk_flexion=8 + 0.3 * lean, neck_flexion=-0.4 * lean,
               hip_rotation=0.0)  # fmt: skip
    ankles = leg * (0.93 - 0.42 * rng.uniform(0.6, 1.0) * (1 - legs))
    pull = rng.uniform(0.4, 1.0) * arms
    for side in ("left", "right"):
        place_leg(angles, side, ankles, 0.16, 35 - 20 * (1 - legs), offsets)
        pose_arm(angles, side, "row_out", 1.0, np.array([-0.3 * 20, 0, 0, 0, 0]))
        pose_arm(angles, side, "row_in", pull)
    shift_angles(angles, shoulder_flexion=-0.4 * (1 - pull) * (lean - 10))
    words = ("A person rows on a rowing machine.", "Someone is rowing.", "The person pulls the oars back and forth.")
    texts = describe("rowing", words, duration, rng)
    # The feet are fixed to the machine, so the seat slides away as the legs stretch.
    return _on_a_machine(angles, times, frame_rate, texts, 0.38, -np.gradient(ankles, times), "rowing")


def _on_a_machine(angles, times, frame_rate, texts, height, forward, posture) -> MotionPlan:
    ones = np.ones(len(times))
    level, speed = np.stack([height * ones, ones], axis=1), np.stack([forward * ones, 0 * ones, ones], axis=1)
    contacts = np.zeros((len(times), 2, 2))
    return MotionPlan(angles, contacts, frame_rate, texts, posture, posture, height=level, velocity=speed)

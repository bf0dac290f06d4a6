# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The table of activities, and whole recordings of a random person who does one after the other."""

from collections.abc import Callable
from functools import partial

import numpy as np

from anymo_hf.simulation.motion import SegmentMotion
from anymo_hf.simulation.segments import DEFAULT_BONE_OFFSETS
from anymo_hf.simulation.synthesis.exercises import plan_cycle, plan_exercise, plan_jump, plan_lunge, plan_row
from anymo_hf.simulation.synthesis.gait import plan_walk
from anymo_hf.simulation.synthesis.gestures import GESTURES, plan_gesture
from anymo_hf.simulation.synthesis.plan import BLEND, MotionPlan
from anymo_hf.simulation.synthesis.postures import plan_sit_down, plan_stand, plan_wave
from anymo_hf.simulation.synthesis.running import plan_run, plan_stairs
from anymo_hf.simulation.synthesis.still import (
    LYING,
    plan_get_up,
    plan_lie,
    plan_lie_down,
    plan_sit,
    plan_stand_arms,
    plan_stand_up,
    plan_turn_over,
)


# Activities after the major headings of the Compendium of Physical Activities (Ainsworth et al. 2011; Herrmann et al.
# 2024): inactivity, walking, running, bicycling, conditioning, home activities, self care, occupation.
ACTIVITIES: dict[str, Callable[..., MotionPlan]] = {
    "stand": plan_stand,
    **{f"stand_{arms}": partial(plan_stand_arms, arms=arms) for arms in ("crossed", "hips", "folded")},
    "sit": plan_sit,
    "sit_down": plan_sit_down,
    "stand_up": plan_stand_up,
    **{f"lie_{side.replace(' ', '_')}": partial(plan_lie, side=side) for side in LYING},
    "lie_down": plan_lie_down,
    "get_up": plan_get_up,
    "turn_over": plan_turn_over,
    "walk": plan_walk,
    "walk_slow": partial(plan_walk, speed=0.8),
    "walk_fast": partial(plan_walk, speed=1.75),
    "walk_carry": partial(plan_walk, carry="right"),
    "walk_carry_box": partial(plan_walk, carry="both"),
    "walk_curve": partial(plan_walk, turn_rate=0.4),
    "stairs_up": partial(plan_stairs, up=True),
    "stairs_down": partial(plan_stairs, up=False),
    "jog": partial(plan_run, speed=2.2),
    "run": partial(plan_run, speed=3.4),
    **{name: partial(plan_jump, name) for name in ("jump", "rope", "hop")},
    "cycle": plan_cycle,
    "row": plan_row,
    **{name: partial(plan_exercise, name) for name in ("squat", "bend", "pick_up", "reach")},
    "lunge": plan_lunge,
    "wave": plan_wave,
    **{name: partial(plan_gesture, name) for name in GESTURES},
}

_STANDING_ONLY = ("vacuum", "throw", "punch")


def random_body(seed: int) -> np.ndarray:
    """
    Bones of a random adult.

    Args:
        seed (`int`):
            The same seed gives the same body.

    Returns:
        `np.ndarray` of shape `(23, 3)`: Metres. Stature varies by 6 % (1.5 to 1.95 m), leg, arm and trunk by 3 % more.
    """
    rng = np.random.default_rng([seed, 90])
    scale = np.clip(rng.normal(0.985, 0.06), 0.86, 1.12)
    factors = np.full((len(DEFAULT_BONE_OFFSETS), 1), scale)
    for segments in (range(1, 7), range(7, 15), range(15, 23)):
        factors[list(segments)] *= np.clip(rng.normal(1.0, 0.03), 0.93, 1.07)
    return DEFAULT_BONE_OFFSETS * factors


def random_recording(
    seed: int, duration: float = 60.0, frame_rate: float = 60.0, bone_offsets: np.ndarray | None = None
) -> SegmentMotion:
    """
    A random person who does everyday things, one after the other.

    Args:
        seed (`int`):
            Chooses body, activities, manner and words; the same seed gives the same motion.
        duration (`float`, *optional*, defaults to 60.0):
            Seconds at least; the last activity is finished.
        frame_rate (`float`, *optional*, defaults to 60.0):
            Frames per second.
        bone_offsets (`np.ndarray` of shape `(23, 3)`, *optional*, defaults to `None`):
            The subject's bones; `None` draws a `random_body`.

    Returns:
        `SegmentMotion`: With a label and two captions for every activity, transitions among them.
    """
    if not duration > 0:
        raise ValueError(f"A recording needs a positive `duration`, but {duration:g} s was given.")
    rng = np.random.default_rng([seed, 91])
    offsets = random_body(seed) if bone_offsets is None else np.asarray(bone_offsets, dtype=np.float64)
    seat = float(rng.uniform(0.40, 0.50))
    plans: list[MotionPlan] = []
    machine = (plan_cycle, plan_row)[rng.integers(2)] if rng.random() < 0.08 else None
    posture, surface, passed = "standing", 0.0, 0.0
    while passed < duration:
        common = {"seed": int(rng.integers(2**31)), "frame_rate": frame_rate, "bone_offsets": offsets}
        if machine:
            plan = machine(float(rng.uniform(8, 20)), **common)
        elif posture == "standing":
            plan = _from_standing(rng, common, seat)
            surface = 0.0
        elif posture == "seated":
            plan = _from_seat(rng, common, seat)
            surface = seat
        else:
            plan = _from_lying(rng, common, seat, surface, posture.removeprefix("lying on the "))
        posture = plan.ends
        passed += plan.duration - (BLEND if plans else 0.0)
        plans.append(plan)
    whole = plans[0]
    for plan in plans[1:]:
        whole = whole.then(plan)
    source = {"name": "random recording", "subject": f"seed {seed}"}
    return whole.to_motion(offsets, float(rng.uniform(-np.pi, np.pi)), source)


def _from_standing(rng: np.random.Generator, common: dict, seat: float) -> MotionPlan:
    lasts, side = float(rng.uniform(5, 14)), ("left", "right")[rng.integers(2)]
    kind = rng.choice(
        ["still", "walk", "stairs", "run", "jump", "exercise", "hands", "sit", "lie"],
        p=[0.10, 0.22, 0.14, 0.08, 0.06, 0.10, 0.16, 0.10, 0.04],
    )
    if kind == "still":
        arms = ("", "crossed", "hips", "folded")[rng.integers(4)]
        if arms:
            return plan_stand_arms(lasts, arms, **common)
        return plan_stand(lasts, common["seed"], common["frame_rate"])
    if kind == "walk":
        turn = float(rng.uniform(-0.6, 0.6)) * (rng.random() < 0.4)
        carry = ("left", "right", "both")[rng.integers(3)] if rng.random() < 0.25 else ""
        return plan_walk(lasts, float(rng.uniform(0.7, 1.9)), turn_rate=turn, carry=carry, **common)
    if kind == "stairs":
        return plan_stairs(int(rng.integers(6, 20)), bool(rng.integers(2)), **common)
    if kind == "run":
        return plan_run(lasts, float(rng.uniform(1.9, 4.2)), **common)
    if kind == "jump":
        return plan_jump(("jump", "rope", "hop")[rng.integers(3)], lasts, side, **common)
    if kind == "exercise":
        if rng.random() < 0.2:
            return plan_lunge(lasts, side, **common)
        return plan_exercise(("squat", "bend", "pick_up", "reach")[rng.integers(4)], lasts, side, **common)
    if kind == "hands":
        return _hands(rng, common, "standing", lasts, side, seat)
    if kind == "sit":
        return plan_sit_down(float(rng.uniform(3.5, 5)), seat, **common)
    return plan_lie_down(float(rng.uniform(5.5, 7.5)), "standing", LYING[rng.integers(4)], seat, **common)


def _hands(rng, common, posture, lasts, side, seat) -> MotionPlan:
    names = [name for name in GESTURES if posture == "standing" or name not in _STANDING_ONLY]
    choice = rng.integers(len(names) + 1)
    if choice == len(names):
        return plan_wave(lasts, side, posture, seat, **common)
    return plan_gesture(names[choice], lasts, side, posture, seat, **common)


def _from_seat(rng: np.random.Generator, common: dict, seat: float) -> MotionPlan:
    lasts, choice = float(rng.uniform(5, 16)), rng.random()
    if choice < 0.3:
        return plan_sit(lasts, seat, **common)
    if choice < 0.65:
        return _hands(rng, common, "seated", lasts, ("left", "right")[rng.integers(2)], seat)
    if choice < 0.82:
        return plan_stand_up(float(rng.uniform(3.2, 4.5)), seat, **common)
    return plan_lie_down(float(rng.uniform(5, 7)), "seated", LYING[rng.integers(4)], seat, **common)


def _from_lying(rng, common, seat, surface, side) -> MotionPlan:
    choice = rng.random()
    if choice < 0.5:
        return plan_lie(float(rng.uniform(6, 16)), side, surface, **common)
    if choice < 0.72:
        others = [other for other in LYING if other != side]
        return plan_turn_over(side, others[rng.integers(3)], float(rng.uniform(3, 4.5)), surface, **common)
    ends = "seated" if surface else "standing"
    return plan_get_up(float(rng.uniform(5.5, 7.5)), ends, side, seat, **common)

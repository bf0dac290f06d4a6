# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The table of activities, and whole recordings of a random person who does one after the other."""

from collections.abc import Callable
from functools import partial

import numpy as np

from anymo_hf.simulation.motion import SegmentMotion
from anymo_hf.simulation.segments import DEFAULT_BONE_OFFSETS
from anymo_hf.simulation.synthesis.exercises import plan_cycle, plan_exercise, plan_jump, plan_lunge, plan_row
from anymo_hf.simulation.synthesis.falls import plan_fall
from anymo_hf.simulation.synthesis.gait import plan_walk
from anymo_hf.simulation.synthesis.gestures import GESTURES, plan_gesture, plan_push_cart
from anymo_hf.simulation.synthesis.kneeling import (
    plan_crawl,
    plan_crouch,
    plan_kneel,
    plan_push_up,
    plan_scrub,
)
from anymo_hf.simulation.synthesis.plan import BLEND, MotionPlan
from anymo_hf.simulation.synthesis.postures import plan_sit_down, plan_stand, plan_wave
from anymo_hf.simulation.synthesis.rising import plan_get_up_from_floor, plan_sit_up, plan_stand_up
from anymo_hf.simulation.synthesis.running import plan_run, plan_stairs
from anymo_hf.simulation.synthesis.still import (
    LYING,
    plan_get_up,
    plan_lie,
    plan_lie_down,
    plan_sit,
    plan_stand_arms,
    plan_turn_over,
)


_ON_THE_SPOT = ("squat", "bend", "pick_up", "reach", "stretch")
_FALLS = ("forward", "backward", "left", "right")

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
    "get_up": plan_get_up_from_floor,
    "sit_up_in_bed": partial(plan_get_up, ends="seated"),
    "turn_over": plan_turn_over,
    "walk": plan_walk,
    "walk_slow": partial(plan_walk, speed=0.8),
    "walk_fast": partial(plan_walk, speed=1.75),
    "walk_carry": partial(plan_walk, carry="right"),
    "walk_carry_box": partial(plan_walk, carry="both"),
    "walk_curve": partial(plan_walk, turn_rate=0.4),
    "push_cart": plan_push_cart,
    "stairs_up": partial(plan_stairs, up=True),
    "stairs_down": partial(plan_stairs, up=False),
    "jog": partial(plan_run, speed=2.2),
    "run": partial(plan_run, speed=3.4),
    **{name: partial(plan_jump, name) for name in ("jump", "rope", "hop", "jumping_jack")},
    "cycle": plan_cycle,
    "row": plan_row,
    **{name: partial(plan_exercise, name) for name in _ON_THE_SPOT},
    "lunge": plan_lunge,
    "sit_ups": plan_sit_up,
    "push_ups": plan_push_up,
    "crouch": plan_crouch,
    "kneel": plan_kneel,
    "kneel_one": partial(plan_kneel, "one"),
    "crawl": plan_crawl,
    "scrub_floor": plan_scrub,
    **{f"fall_{way}": partial(plan_fall, way) for way in _FALLS},
    **{f"fall_walking_{way}": partial(plan_fall, way, "walking") for way in _FALLS},
    **{f"fall_seated_{way}": partial(plan_fall, way, "seated") for way in _FALLS},
    "wave": plan_wave,
    **{name: partial(plan_gesture, name) for name in GESTURES},
}

_STANDING_ONLY = ("vacuum", "throw", "punch", "sweep", "wash_window", "wash_dishes", "wash_hands", "stir")


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
            surface = 0.0 if plan.texts[0].text == "falling" else seat
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
        ["still", "walk", "stairs", "run", "jump", "exercise", "hands", "floor", "sit", "lie", "fall"],
        p=[0.09, 0.22, 0.12, 0.07, 0.05, 0.08, 0.16, 0.05, 0.09, 0.04, 0.03],
    )
    if kind == "still":
        arms = ("", "crossed", "hips", "folded")[rng.integers(4)]
        if arms:
            return plan_stand_arms(lasts, arms, **common)
        return plan_stand(lasts, common["seed"], common["frame_rate"])
    if kind == "walk":
        return _walk(rng, common, lasts)
    if kind == "stairs":
        return plan_stairs(int(rng.integers(6, 20)), bool(rng.integers(2)), **common)
    if kind == "run":
        return plan_run(lasts, float(rng.uniform(1.9, 4.2)), **common)
    if kind in ("jump", "exercise"):
        return _exercise(rng, common, kind, lasts, side)
    if kind == "hands":
        return _hands(rng, common, "standing", lasts, side, seat)
    if kind == "floor":
        return _near_the_floor(rng, common, side)
    if kind == "sit":
        return plan_sit_down(float(rng.uniform(3.5, 5)), seat, **common)
    if kind == "fall":
        manner = ("standing", "walking")[rng.integers(2)]
        return plan_fall(_FALLS[rng.integers(4)], manner, float(rng.uniform(5, 9)), **common)
    return plan_lie_down(float(rng.uniform(5.5, 7.5)), "standing", LYING[rng.integers(4)], seat, **common)


def _exercise(rng, common, kind, lasts, side) -> MotionPlan:
    if kind == "jump":
        return plan_jump(("jump", "rope", "hop", "jumping_jack")[rng.integers(4)], lasts, side, **common)
    if rng.random() < 0.2:
        return plan_lunge(lasts, side, **common)
    return plan_exercise(_ON_THE_SPOT[rng.integers(len(_ON_THE_SPOT))], lasts, side, **common)


def _walk(rng: np.random.Generator, common: dict, lasts: float) -> MotionPlan:
    speed, choice = float(rng.uniform(0.7, 1.9)), rng.random()
    if choice < 0.08:
        return plan_push_cart(lasts, min(speed, 1.4), **common)
    turn = float(rng.uniform(-0.6, 0.6)) * (rng.random() < 0.4)
    carry = ("left", "right", "both")[rng.integers(3)] if choice < 0.33 else ""
    return plan_walk(lasts, speed, turn_rate=turn, carry=carry, **common)


def _near_the_floor(rng: np.random.Generator, common: dict, side: str) -> MotionPlan:
    lasts, choice = float(rng.uniform(10, 16)), rng.integers(5)
    if choice == 0:
        return plan_kneel(("one", "two")[rng.integers(2)], lasts, side, **common)
    if choice == 1:
        return plan_crawl(lasts, float(rng.uniform(0.25, 0.65)), **common)
    if choice == 2:
        return plan_push_up(lasts, **common)
    return (plan_crouch, plan_scrub)[choice - 3](lasts, side, **common)


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
    if choice < 0.67:
        return plan_fall(_FALLS[rng.integers(4)], "seated", float(rng.uniform(5, 9)), seat, **common)
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
    if surface:
        return plan_get_up(float(rng.uniform(5.5, 7.5)), "seated", side, seat, **common)
    if side == "back" and rng.random() < 0.25:
        return plan_sit_up(float(rng.uniform(7, 14)), **common)
    return plan_get_up_from_floor(side, float(rng.uniform(8, 11)), **common)

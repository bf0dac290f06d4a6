# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Parametric everyday motions with texts: joint-angle curves, floor contacts, forward kinematics.

An activity is a function `plan_<name>` that returns a `MotionPlan` (angles and contacts). Plans are joined by
`sequence`, which solves once for the pelvis' path, so activities flow into each other without sliding feet.
"""

from collections.abc import Iterable

import numpy as np

from anymo_hf.simulation.motion import SegmentMotion
from anymo_hf.simulation.synthesis.gait import plan_walk
from anymo_hf.simulation.synthesis.plan import MotionPlan
from anymo_hf.simulation.synthesis.postures import plan_sit_down, plan_stand, plan_wave
from anymo_hf.simulation.synthesis.recordings import ACTIVITIES, random_body, random_recording


def sequence(
    plans: Iterable[MotionPlan],
    bone_offsets: np.ndarray | None = None,
    heading: float = 0.0,
    source: dict[str, str] | None = None,
) -> SegmentMotion:
    """
    Several activities, one after the other, as one continuous motion.

    Args:
        plans (`Iterable[MotionPlan]`):
            At least one; each must start in the posture in which the one before ends.
        bone_offsets (`np.ndarray` of shape `(23, 3)`, *optional*, defaults to `DEFAULT_BONE_OFFSETS`):
            The subject's bones, the same that the plans were made for.
        heading (`float`, *optional*, defaults to 0.0):
            Direction the person faces, in radians from +x towards +y.
        source (`dict[str, str]`, *optional*, defaults to `None`):
            Added to the motion's `source`.

    Returns:
        `SegmentMotion`: The floor is at z = 0; neighbouring texts meet half way through the blend.
    """
    plans = list(plans)
    if not plans:
        raise ValueError("A sequence needs at least one plan, but none was given; pass for instance [plan_walk()].")
    whole = plans[0]
    for plan in plans[1:]:
        whole = whole.then(plan)
    return whole.to_motion(bone_offsets, heading, source)


def stand(
    duration: float = 3.0, *, heading: float = 0.0, bone_offsets: np.ndarray | None = None, **options
) -> SegmentMotion:
    """`plan_stand`, with the same arguments, as a `SegmentMotion`."""
    return sequence([plan_stand(duration, **options)], bone_offsets, heading, _named("stand", options))


def walk(
    duration: float = 6.0,
    speed: float = 1.3,
    *,
    heading: float = 0.0,
    bone_offsets: np.ndarray | None = None,
    **options,
) -> SegmentMotion:
    """`plan_walk`, with the same arguments, as a `SegmentMotion`."""
    plan = plan_walk(duration, speed, bone_offsets=bone_offsets, **options)
    return sequence([plan], bone_offsets, heading, _named("walk", options))


def sit_down(
    duration: float = 4.5, *, heading: float = 0.0, bone_offsets: np.ndarray | None = None, **options
) -> SegmentMotion:
    """`plan_sit_down`, with the same arguments, as a `SegmentMotion`."""
    plan = plan_sit_down(duration, bone_offsets=bone_offsets, **options)
    return sequence([plan], bone_offsets, heading, _named("sit_down", options))


def wave(
    duration: float = 4.0,
    side: str = "right",
    *,
    heading: float = 0.0,
    bone_offsets: np.ndarray | None = None,
    **options,
) -> SegmentMotion:
    """`plan_wave`, with the same arguments, as a `SegmentMotion`."""
    plan = plan_wave(duration, side, bone_offsets=bone_offsets, **options)
    return sequence([plan], bone_offsets, heading, _named("wave", options))


def demo_motion(seed: int = 0, bone_offsets: np.ndarray | None = None, frame_rate: float = 120.0) -> SegmentMotion:
    """
    A person who walks, sits down on a chair and waves: 17 s that need no file.

    Args:
        seed (`int`, *optional*, defaults to 0):
            Chooses the person's style and the words; the same seed gives the same motion.
        bone_offsets (`np.ndarray` of shape `(23, 3)`, *optional*, defaults to `DEFAULT_BONE_OFFSETS`):
            The subject's bones.
        frame_rate (`float`, *optional*, defaults to 120.0):
            Frames per second.

    Returns:
        `SegmentMotion`: With a label and two captions for each of the four parts.
    """
    common = {"seed": seed, "frame_rate": frame_rate}
    side = ("right", "left")[np.random.default_rng([seed, 0]).integers(2)]
    plans = [
        plan_stand(1.6, **common),
        plan_walk(7.0, bone_offsets=bone_offsets, **common),
        plan_sit_down(5.0, bone_offsets=bone_offsets, **common),
        plan_wave(5.0, side, "seated", bone_offsets=bone_offsets, **common),
    ]
    return sequence(plans, bone_offsets, source=_named("demo: walk, sit down, wave", {"seed": seed}))


def _named(name: str, options: dict) -> dict[str, str]:
    return {"name": name, "subject": f"seed {options.get('seed', 0)}"}


__all__ = [
    "ACTIVITIES",
    "MotionPlan",
    "demo_motion",
    "plan_sit_down",
    "plan_stand",
    "plan_walk",
    "plan_wave",
    "random_body",
    "random_recording",
    "sequence",
    "sit_down",
    "stand",
    "walk",
    "wave",
]

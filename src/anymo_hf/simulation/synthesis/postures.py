# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Standing, sitting down, sitting, and gestures made in either posture."""

import numpy as np

from anymo_hf.simulation.motion import TextSpan
from anymo_hf.simulation.segments import DEFAULT_BONE_OFFSETS
from anymo_hf.simulation.synthesis.angles import ANGLE_INDEX
from anymo_hf.simulation.synthesis.contacts import SOLE_THICKNESS
from anymo_hf.simulation.synthesis.curves import keyframes, smooth_noise, smooth_step
from anymo_hf.simulation.synthesis.plan import MotionPlan, no_angles, set_angles


SEAT_TO_HIP = 0.085  # m from the seat up to the hip joints: flesh and the sitting bones
_SWAY = {  # degrees, standard deviation, in quiet standing
    "pelvis_tilt": 0.3, "pelvis_rotation": 0.35, "trunk_flexion": 0.5, "trunk_bending": 0.4, "trunk_rotation": 0.6,
    "neck_flexion": 0.8, "neck_bending": 0.5, "neck_rotation": 1.2,
    "shoulder_flexion": 0.7, "shoulder_abduction": 0.5, "elbow_flexion": 0.8, "wrist_flexion": 0.8,
}  # fmt: skip

_STAND_CAPTIONS = (
    "A person stands still.",
    "Someone is standing upright, swaying a little.",
    "The person waits in place, arms at the sides.",
)
_SIT_CAPTIONS = (
    "A person sits down on a chair.",
    "The person lowers themselves onto a seat and remains seated.",
    "From standing, someone leans forward and sits down.",
)
_WAVE_CAPTIONS = (
    "A person waves with the {side} hand{where}.",
    "Someone raises the {side} arm and waves hello{where}.",
    "The person greets somebody by waving the {side} hand{where}.",
)


def describe(
    label: str, captions: tuple[str, ...], duration: float, rng: np.random.Generator, **words: str
) -> tuple[TextSpan, ...]:
    """A label and two of the captions, over the whole plan."""
    chosen = rng.choice(len(captions), 2, replace=False)
    spans = [TextSpan(0.0, duration, label, "label")]
    return (*spans, *(TextSpan(0.0, duration, captions[i].format(**words), "caption") for i in chosen))


def add_sway(angles: np.ndarray, times: np.ndarray, rng: np.random.Generator, scale: float = 1.0) -> np.ndarray:
    """The small slow movements that nobody can help, of trunk, neck and arms."""
    for name, degrees in _SWAY.items():
        for column in [name] if name in ANGLE_INDEX else [f"left_{name}", f"right_{name}"]:
            angles[:, ANGLE_INDEX[column]] += np.radians(scale * degrees) * smooth_noise(times, rng)
    return angles


def standing_angles(times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Upright on both feet, with the sway of the ankles (about 0.3 degrees, 5 mm at the pelvis)."""
    knee, sway = rng.uniform(7, 10), 0.3 * smooth_noise(times, rng, high=0.8)
    return set_angles(
        no_angles(len(times)),
        hip_flexion=0.55 * knee,
        knee_flexion=knee,
        ankle_dorsiflexion=0.45 * knee + sway,
        hip_rotation=-rng.uniform(3, 9),
        hip_abduction=rng.uniform(-0.5, 1.0),
        trunk_flexion=rng.uniform(0, 3),
        shoulder_abduction=rng.uniform(6, 10),
        shoulder_flexion=rng.uniform(-3, 4),
        elbow_flexion=rng.uniform(10, 20),
        forearm_pronation=rng.uniform(15, 35),
    )


def seated_legs(seat_height: float, shank: float, bone_offsets: np.ndarray) -> float:
    """How far (degrees) the thighs rise from hanging when the shanks lean forward by `shank` degrees."""
    leg = bone_offsets[20:23]  # knee, ankle and toe joint, left
    ankle = SOLE_THICKNESS - leg[2, 2]
    knee = ankle + np.linalg.norm(leg[1]) * np.cos(np.radians(shank))
    return float(
        np.degrees(np.arccos(np.clip((seat_height + SEAT_TO_HIP - knee) / np.linalg.norm(leg[0]), -0.5, 0.9)))
    )


def sitting(share: np.ndarray, lean: np.ndarray, legs: tuple[float, float], rng: np.random.Generator) -> dict:
    """Angles on the way from standing (0) to sitting (1), in degrees; `lean` is how far the trunk tips forward."""
    thigh, shank = legs
    knee = rng.uniform(7, 10)
    # Knees come forward first, then the hips go back: the shanks lean most half way down (Kralj et al. 1990).
    shanks = 0.45 * knee * (1 - share) + shank * share + 16 * np.sin(np.pi * share) ** 2
    thighs = 0.55 * knee * (1 - share) + thigh * share
    tilt = 0.5 * lean
    return {
        "pelvis_tilt": tilt - 8 * share,  # the pelvis rolls back on a seat
        "hip_flexion": thighs + tilt - 8 * share,
        "knee_flexion": thighs + shanks,
        "ankle_dorsiflexion": shanks,
        "trunk_flexion": 2 + 0.5 * lean + 8 * share,
        "neck_flexion": -0.4 * lean,
        "shoulder_flexion": 2 + 20 * share,
        "shoulder_abduction": 8 * (1 - share) + 3 * share,
        "shoulder_rotation": 8 * share,
        "elbow_flexion": 15 + 32 * share,
        "forearm_pronation": 25 + 45 * share,
    }


def seated_angles(
    times: np.ndarray, rng: np.random.Generator, seat_height: float, bone_offsets: np.ndarray
) -> np.ndarray:
    """Sitting upright, feet flat on the floor, hands on the thighs."""
    legs = (seated_legs(seat_height, 0.0, bone_offsets), 0.0)
    ones = np.ones(len(times))
    return set_angles(
        no_angles(len(times)), **sitting(ones, 2.0 * ones, legs, rng), hip_rotation=-4.0, hip_abduction=0.5
    )


def plan_stand(duration: float = 3.0, seed: int = 0, frame_rate: float = 120.0) -> MotionPlan:
    """
    A person who stands quietly.

    Args:
        duration (`float`, *optional*, defaults to 3.0):
            Seconds.
        seed (`int`, *optional*, defaults to 0):
            Chooses posture, sway and words.
        frame_rate (`float`, *optional*, defaults to 120.0):
            Frames per second.

    Returns:
        `MotionPlan`: From standing to standing.
    """
    times, rng = _clock(duration, frame_rate), np.random.default_rng([seed, 2])
    angles = add_sway(standing_angles(times, rng), times, rng)
    texts = describe("standing", _STAND_CAPTIONS, duration, rng)
    return MotionPlan(angles, np.ones((len(times), 2, 2)), frame_rate, texts)


def plan_sit_down(
    duration: float = 4.5,
    seat_height: float = 0.45,
    seed: int = 0,
    frame_rate: float = 120.0,
    bone_offsets: np.ndarray | None = None,
) -> MotionPlan:
    """
    A person who sits down on a chair and remains seated.

    The trunk tips forward by 30 to 40 degrees while the pelvis goes back and down, and comes upright on the seat
    (phases after Kralj, Jaeger and Munih, Journal of Biomechanics 1990; peak lean after Schenkman et al. 1990).

    Args:
        duration (`float`, *optional*, defaults to 4.5):
            Seconds, of which sitting down takes 1.7 to 2.3. At least 3.
        seat_height (`float`, *optional*, defaults to 0.45):
            Metres from the floor, 0.25 to 0.65.
        seed (`int`, *optional*, defaults to 0):
            Chooses timing, lean and words.
        frame_rate (`float`, *optional*, defaults to 120.0):
            Frames per second.
        bone_offsets (`np.ndarray` of shape `(23, 3)`, *optional*, defaults to `DEFAULT_BONE_OFFSETS`):
            The subject's bones.

    Returns:
        `MotionPlan`: From standing to seated.

    Raises:
        ValueError: If the chair or the duration is out of range.
    """
    if not (0.25 <= seat_height <= 0.65 and duration >= 3):
        raise ValueError(
            "Sitting down needs a `seat_height` of 0.25 to 0.65 m and a `duration` of at least 3 s, but "
            f"{seat_height:g} m and {duration:g} s were given."
        )
    offsets = DEFAULT_BONE_OFFSETS if bone_offsets is None else np.asarray(bone_offsets, dtype=np.float64)
    times, rng = _clock(duration, frame_rate), np.random.default_rng([seed, 3])
    start, lasts, peak = rng.uniform(0.3, 0.6), rng.uniform(1.7, 2.3), rng.uniform(30, 40)
    # The lean starts first and ends last.
    share = smooth_step((times - start - 0.15 * lasts) / (0.8 * lasts))
    lean = keyframes(
        times, [start, start + 0.55 * lasts, start + 0.7 * lasts, start + 1.2 * lasts], [0, peak, peak, 2]
    )
    legs = (seated_legs(seat_height, 0.0, offsets), 0.0)
    angles = set_angles(no_angles(len(times)), **sitting(share, lean, legs, rng), hip_rotation=-4.0, hip_abduction=0.5)
    texts = describe("sitting down", _SIT_CAPTIONS, duration, rng)
    contacts = np.ones((len(times), 2, 2))
    return MotionPlan(add_sway(angles, times, rng), contacts, frame_rate, texts, ends="seated")


def plan_wave(
    duration: float = 4.0,
    side: str = "right",
    posture: str = "standing",
    seat_height: float = 0.45,
    seed: int = 0,
    frame_rate: float = 120.0,
    bone_offsets: np.ndarray | None = None,
) -> MotionPlan:
    """
    A person who raises one arm, waves and lowers it again.

    Args:
        duration (`float`, *optional*, defaults to 4.0):
            Seconds, with raising and lowering the arm. At least 2.5.
        side (`str`, *optional*, defaults to `"right"`):
            `"right"` or `"left"`.
        posture (`str`, *optional*, defaults to `"standing"`):
            `"standing"` or `"seated"`.
        seat_height (`float`, *optional*, defaults to 0.45):
            Metres from the floor, if seated.
        seed (`int`, *optional*, defaults to 0):
            Chooses rhythm, height, sway and words.
        frame_rate (`float`, *optional*, defaults to 120.0):
            Frames per second.
        bone_offsets (`np.ndarray` of shape `(23, 3)`, *optional*, defaults to `DEFAULT_BONE_OFFSETS`):
            The subject's bones.

    Returns:
        `MotionPlan`: From the posture to the same posture.

    Raises:
        ValueError: If side or posture is unknown or the duration is too short.
    """
    if side not in ("left", "right") or posture not in ("standing", "seated") or duration < 2.5:
        raise ValueError(
            "Waving needs a `side` 'left' or 'right', a `posture` 'standing' or 'seated' and a `duration` of at "
            f"least 2.5 s, but {side!r}, {posture!r} and {duration:g} s were given."
        )
    offsets = DEFAULT_BONE_OFFSETS if bone_offsets is None else np.asarray(bone_offsets, dtype=np.float64)
    times, rng = _clock(duration, frame_rate), np.random.default_rng([seed, 4])
    if posture == "standing":
        angles = standing_angles(times, rng)
    else:
        angles = seated_angles(times, rng, seat_height, offsets)
    angles = add_sway(angles, times, rng)
    _raise_and_wave(angles, times, "right", rng)
    where = " while sitting" if posture == "seated" else ""
    texts = describe("waving", _WAVE_CAPTIONS, duration, rng, side=side, where=where)
    plan = MotionPlan(angles, np.ones((len(times), 2, 2)), frame_rate, texts, posture, posture)
    return plan if side == "right" else plan.mirrored()


def _raise_and_wave(angles: np.ndarray, times: np.ndarray, side: str, rng: np.random.Generator) -> None:
    """Writes the arm: up within a second, side to side from the elbow with a lagging wrist, down again."""
    end = times[-1]
    up = smooth_step((times - 0.1) / 0.9) * smooth_step((end - 0.1 - times) / 0.9)
    beat = smooth_step((times - 0.7) / 0.5) * smooth_step((end - 0.7 - times) / 0.5)
    rate, width = rng.uniform(1.5, 2.2), rng.uniform(14, 22)
    cycle = 2 * np.pi * (rate * times + 0.03 * smooth_noise(times, rng, 0.2, 0.8)) + rng.uniform(0, 2 * np.pi)
    wave = beat * np.sin(cycle)
    raised = {
        "shoulder_flexion": rng.uniform(8, 20),
        "shoulder_abduction": rng.uniform(55, 80) + 0.1 * width * wave,
        # Turned outwards the elbow bends upwards, the palm faces forward.
        "shoulder_rotation": -rng.uniform(75, 88) + 0.25 * width * wave,
        "elbow_flexion": rng.uniform(80, 100) + width * wave,
        "forearm_pronation": rng.uniform(0, 10),
        "wrist_deviation": 0.6 * width * beat * np.sin(cycle - 0.6),
        "clavicle_elevation": rng.uniform(6, 12),
    }
    for name, value in raised.items():
        column = ANGLE_INDEX[f"{side}_{name}"]
        angles[:, column] += up * (np.radians(value) - angles[:, column])


def _clock(duration: float, frame_rate: float) -> np.ndarray:
    return np.arange(round(duration * frame_rate) + 1) / frame_rate

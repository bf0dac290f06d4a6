# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Walking on level ground, from published curves of the leg joints over the gait cycle."""

import numpy as np

from anymo_hf.simulation.segments import DEFAULT_BONE_OFFSETS
from anymo_hf.simulation.synthesis.angles import forward_kinematics, local_rotations
from anymo_hf.simulation.synthesis.contacts import sole_paths
from anymo_hf.simulation.synthesis.curves import (
    evaluate_series,
    fourier_series,
    integrate_series,
    sample_series,
    shock,
    smooth_noise,
    smooth_step,
)
from anymo_hf.simulation.synthesis.plan import MotionPlan, no_angles, set_angles
from anymo_hf.simulation.synthesis.postures import add_sway, describe, standing_angles
from anymo_hf.simulation.synthesis.staging import mix_angles, pose_arm, shift_angles, standing_height


# Gait cycle in % from heel contact, and degrees. Approximate key values of the curves for natural cadence in
# D. A. Winter, The Biomechanics and Motor Control of Human Gait, 2nd ed. (1991), ch. 3.
_HIP = fourier_series(
    np.array([0, 8, 20, 30, 40, 50, 55, 60, 66, 72, 78, 84, 92]) / 100,
    np.array([19.5, 16, 8.5, 1.5, -5, -10, -10, -5, 5.5, 15.5, 21.5, 23, 21]),
)
_KNEE = fourier_series(
    np.array([0, 4, 8, 14, 20, 30, 40, 46, 50, 56, 60, 64, 70, 76, 82, 88, 94]) / 100,
    np.array([4, 10, 16, 20, 18.5, 11, 5.5, 7, 11, 24, 37, 51, 64, 60, 44, 22, 5.5]),
    num_harmonics=8,
)
_ANKLE = fourier_series(
    np.array([0, 3, 7, 12, 20, 30, 40, 45, 50, 55, 60, 63, 68, 74, 80, 88, 95]) / 100,
    np.array([0, -3, -5, -2, 3, 6.5, 9, 9.5, 7, -3, -15, -19, -14, -6, -1.5, 0.5, 0.5]),
    num_harmonics=8,
)
# What the floor does to one foot over its stride, in body weights: up, forward and towards the other foot. Approximate
# key values of the curves for natural cadence in Winter (1991), ch. 4.
_FORCE_PHASES = np.array([0, 3, 6, 10, 14, 20, 26, 31, 37, 43, 48, 52, 56, 59, 62, 70, 80, 90]) / 100
_FLOOR_FORCE = np.array([
    [0, 0.35, 0.70, 1.0, 1.10, 1.02, 0.85, 0.77, 0.83, 1.0, 1.10, 0.97, 0.58, 0.25, 0, 0, 0, 0],
    [0, 0.01, -0.10, -0.17, -0.18, -0.12, -0.05, -0.01, 0.04, 0.12, 0.19, 0.20, 0.12, 0.04, 0, 0, 0, 0],
    [0, -0.03, -0.01, 0.04, 0.05, 0.05, 0.04, 0.035, 0.04, 0.045, 0.05, 0.045, 0.03, 0.01, 0, 0, 0, 0],
])  # fmt: skip
_GRAVITY = 9.80665  # m/s^2
_YIELD = 0.016  # m below the height of rigid legs: a knee that never locks can give way to every blow
_STEADY, _TRUNK_HEIGHT = 0.4, 0.3  # share of the pelvis' sway that the trunk evens out; m from pelvis to chest
_MAX_HARMONIC = 20.0  # Hz; what is faster does not pass the skin
# Share of the cycle in which heel and ball are on the floor; toe-off at 60 to 62 % (Winter, Perry).
_HEEL_CONTACT, _BALL_CONTACT, _CONTACT_RAMP = (0.0, 0.34), (0.09, 0.575), 0.03
_KNEE_SLACK = 3.5  # degrees; a knee locked at 4 degrees could not take up any mismatch of bones and curves
_ANKLE_ZERO = 7.0  # degrees; Winter's neutral ankle tips the sole of this body by so much in mid-stance
_NATURAL_SPEED = 1.3  # m/s, about Winter's natural cadence
# Step length over cadence hardly depends on speed: 0.0063 m per step/min (Sekiya and Nagasaki, Gait & Posture 1998).
_WALK_RATIO = 0.0063
_SPEED_RANGE = (0.4, 2.0)

_CAPTIONS = (
    "A person walks forward{manner}.",
    "Someone is walking{manner}.",
    "The person takes a few steps forward{manner}.",
    "They walk across the room{manner}.",
)
_CARRY = {
    "": "",
    "left": " carrying a bag in the left hand",
    "right": " carrying a bag in the right hand",
    "both": " carrying a box with both hands",
}


def plan_walk(
    duration: float = 6.0,
    speed: float = 1.3,
    seed: int = 0,
    frame_rate: float = 120.0,
    bone_offsets: np.ndarray | None = None,
    turn_rate: float = 0.0,
    carry: str = "",
) -> MotionPlan:
    """
    A person who stands, walks straight ahead and stops.

    Hip, knee and ankle follow Winter's curves for natural cadence, scaled until the stride fits the speed; cadence
    follows the constant walk ratio. Pelvis rotation and obliquity, the counter-rotation of the trunk and the arm
    swing are sinusoids of the cycle (amplitudes after Perry and Burnfield, Gait Analysis, 2010), smaller at low speed.

    Args:
        duration (`float`, *optional*, defaults to 6.0):
            Seconds, with the first and the last step. At least 3.
        speed (`float`, *optional*, defaults to 1.3):
            Steady speed in m/s, 0.4 to 2.0.
        seed (`int`, *optional*, defaults to 0):
            Chooses the leading foot, the person's style, the variation from step to step and the words.
        frame_rate (`float`, *optional*, defaults to 120.0):
            Frames per second.
        bone_offsets (`np.ndarray` of shape `(23, 3)`, *optional*, defaults to `DEFAULT_BONE_OFFSETS`):
            The subject's bones: long legs take longer steps.
        turn_rate (`float`, *optional*, defaults to 0.0):
            How fast the way bends to the left, in rad/s, -0.8 to 0.8.
        carry (`str`, *optional*, defaults to `""`):
            `"left"`, `"right"` (a bag hangs from that arm) or `"both"` (a box before the body).

    Returns:
        `MotionPlan`: From standing to standing.

    Raises:
        ValueError: If the speed or the duration cannot be walked.
    """
    low, high = _SPEED_RANGE
    if not (low <= speed <= high and duration >= 3 and abs(turn_rate) <= 0.8 and carry in _CARRY):
        raise ValueError(
            f"Walking needs a `speed` of {low} to {high} m/s, a `duration` of at least 3 s, a `turn_rate` within 0.8 "
            f"rad/s and `carry` of {sorted(_CARRY)}, but {speed:g} m/s, {duration:g} s, {turn_rate:g} rad/s and "
            f"{carry!r} were given."
        )
    rng = np.random.default_rng([seed, 1])
    style = _draw_style(rng, speed)
    offsets = np.array(DEFAULT_BONE_OFFSETS if bone_offsets is None else bone_offsets, dtype=np.float64)
    stride_rate = (
        np.sqrt(speed / (240 * _WALK_RATIO)) * style["cadence"] * np.sqrt(_leg_length() / _leg_length(offsets))
    )
    times = np.arange(round(duration * frame_rate) + 1) / frame_rate
    # The feet come together only after whole steps, so the cadence gives way a little.
    strides = max(round(duration * stride_rate * 2) / 2, 2.0) - 0.1
    stride_rate = strides / (duration - 0.4)
    style["stride"], level = _fit_stride(speed / stride_rate, style, offsets)
    pace = speed / _NATURAL_SPEED
    style |= draw_shock(rng, 0.5 / stride_rate, 5.2 * pace**0.5, 0.4 * pace**0.7) | {
        "force": rng.uniform(0.65, 0.95) * pace**0.4
    }
    phase = style["lead"] + 0.5 + np.clip((times - 0.2) * stride_rate, 0, strides)
    phase = phase + 0.004 * smooth_noise(times, rng, 0.2, 1.0) * smooth_step(times) * smooth_step(duration - times)
    # The angles grow over the first stride and fade over the last.
    envelope = smooth_step((times - 0.2) * stride_rate) * smooth_step((duration - 0.2 - times) * stride_rate / 1.0)
    angles = standing_angles(times, rng)
    blend = envelope[:, None]
    angles = (1 - blend) * angles + blend * gait_angles(phase, style)
    angles = add_sway(angles, times, rng)
    contacts = gait_contacts(phase)
    still = np.maximum(1 - 12 * envelope, 0)[:, None, None]
    manner = " slowly" if speed < 0.9 else " quickly" if speed > 1.6 else ""
    _carry(angles, carry, envelope)
    manner += _CARRY[carry] + (f" on a curve to the {'left' if turn_rate > 0 else 'right'}" if turn_rate else "")
    texts = describe("walking", _CAPTIONS, duration, rng, manner=manner)
    heading = np.cumsum(envelope) / frame_rate * turn_rate
    contacts = np.maximum(contacts, np.minimum(2 * still, 1))
    displacement, velocity = _pelvis_path(phase, stride_rate, style)
    steady_trunk(angles, displacement, envelope)
    going = envelope**3  # who stops brakes before the last step
    forward, left = (speed + velocity[:, 0]) * going, velocity[:, 1] * going
    velocity = np.stack([forward, left, smooth_step(envelope / 0.1)], axis=1)
    walking = level - _YIELD * pace**2 + displacement[:, 2]
    height = (1 - envelope) * standing_height(offsets) + envelope * walking
    height = np.stack([height, smooth_step(envelope / 0.4)], axis=1)
    return MotionPlan(angles, contacts, frame_rate, texts, heading=heading, height=height, velocity=velocity)


def _carry(angles: np.ndarray, carry: str, share: np.ndarray) -> None:
    """Stills the arm that holds a load: hanging with a bag, or both before the body with a box."""
    if carry == "both":
        pose_arm(angles, "both", "carry", 0.93 * share)
    elif carry:
        names = {"shoulder_flexion": 2.0, "shoulder_abduction": 9.0, "elbow_flexion": 8.0}
        mix_angles(angles, 0.85 * share, **{f"{carry}_{name}": value for name, value in names.items()})
        # The trunk leans away from the load.
        shift_angles(angles, trunk_bending=(-3.0 if carry == "left" else 3.0) * share)


def _leg_length(bone_offsets: np.ndarray = DEFAULT_BONE_OFFSETS) -> float:
    return float(np.linalg.norm(bone_offsets[20]) + np.linalg.norm(bone_offsets[21]))


def _draw_style(rng: np.random.Generator, speed: float) -> dict[str, float]:
    """One person's way of walking; angles in degrees."""
    pace = np.sqrt(speed / _NATURAL_SPEED)
    return {
        "lead": rng.integers(2) / 2,
        "cadence": rng.uniform(0.95, 1.12),
        "stride": 1.0,
        "pace": pace,
        "arm": rng.uniform(8, 19) * pace**2,
        "arm_asymmetry": rng.uniform(-0.15, 0.15),
        "elbow": rng.uniform(14, 26),
        "abduction": rng.uniform(5, 9),
        "lean": rng.uniform(0, 4),
        "rotation": rng.uniform(4.0, 7.5) * pace,
        "obliquity": rng.uniform(3.0, 5.5) * pace,
        "toe_out": rng.uniform(3, 9),
        "shake": np.zeros(1),
        "sway": np.zeros(1),
    }


def draw_shock(rng: np.random.Generator, step_time: float, size: float, degrees: float) -> dict:
    """
    What the floor's blow at foot contact does to this person.

    It reaches 2 to 5 g at the shank and 0.3 to 1 g at the lumbar spine, and grows with speed (Voloshin and Wosk 1982;
    Lafortune 1991); pelvis and trunk answer with waves of 4 to 9 Hz that are gone within a step.

    Args:
        rng (`np.random.Generator`):
            Chooses frequency, decay and strength.
        step_time (`float`):
            Seconds from one contact to the next of the other foot.
        size (`float`):
            Acceleration of the pelvis in m/s^2, for an average person.
        degrees (`float`):
            Turn of pelvis and trunk, for an average person.

    Returns:
        `dict`: `"blow"`, samples of the pelvis' acceleration upwards over a step (m/s^2), `"shake"`, coefficients
        over a step of the turn forward (degrees), and `"sway"`, over a stride of that to the side.
    """
    blow = shock(step_time, 0.015, rng.uniform(5.0, 9.0), rng.uniform(0.05, 0.08))
    late = shock(step_time, 0.035, rng.uniform(3.5, 6.0), rng.uniform(0.06, 0.10))
    turn, count = degrees * rng.uniform(0.5, 1.5) * late, int(_MAX_HARMONIC * step_time)
    return {
        "blow": size * rng.uniform(0.6, 1.3) * blow,
        "shake": sample_series(turn, count),
        "sway": sample_series(np.concatenate([turn, -turn]), 2 * count),
    }


def shock_motion(blow: np.ndarray, step_time: float, phase: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    The pelvis under the blow of `draw_shock`.

    It comes from below and before, and from the side of the foot that lands (shares after Menz et al. 2003).

    Args:
        blow (`np.ndarray` of shape `(num_samples,)`):
            Acceleration over a step, in m/s^2.
        step_time (`float`):
            Seconds.
        phase (`np.ndarray` of shape `(num_frames,)`):
            In strides from left foot contact.

    Returns:
        `tuple(np.ndarray, np.ndarray)`: Displacement in metres and velocity in m/s, both `(num_frames, 3)`: forward,
        to the left, up.
    """
    twice = np.concatenate([blow, blow])
    return pelvis_motion((-0.6 * twice, 0.8 * np.concatenate([-blow, blow]), twice), 2 * step_time, phase)


def pelvis_motion(accelerations, stride_time: float, phase: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Displacement (m) and velocity (m/s), `(num_frames, 3)`, under three accelerations sampled over a stride."""
    series = [sample_series(row, int(_MAX_HARMONIC * stride_time)) for row in accelerations]
    displacement, velocity = (
        np.stack([evaluate_series(integrate_series(row, stride_time, times), phase) for row in series], axis=1)
        for times in (2, 1)
    )
    return displacement, velocity


def steady_trunk(angles: np.ndarray, displacement: np.ndarray, share: np.ndarray) -> None:
    """Bends the trunk against the pelvis' sway, so that the chest feels less of it and the head least (Menz 2003)."""
    ahead, left = np.degrees(_STEADY * displacement[:, :2] / _TRUNK_HEIGHT).T * share
    shift_angles(angles, trunk_flexion=-ahead, trunk_bending=-left, neck_flexion=0.9 * ahead, neck_bending=0.9 * left)


def _pelvis_path(phase, stride_rate, style) -> tuple[np.ndarray, np.ndarray]:
    """
    Displacement and velocity of the pelvis under the force of both feet and the blows of the heels.

    Legs alone do not tell the pelvis' path: two millimetres up and down within a tenth of a second are a whole m/s^2.
    """
    up, forward, across = (
        evaluate_series(fourier_series(_FORCE_PHASES, row, 20), np.arange(512) / 512) for row in _FLOOR_FORCE
    )
    other = np.roll(np.arange(512), 256)
    # The left foot strikes at phase 0; what pulls it inwards goes to the right.
    forces = (forward + forward[other], across[other] - across, up + up[other])
    accelerations = [_GRAVITY * style["force"] * force for force in forces]
    pushed = pelvis_motion(accelerations, 1 / stride_rate, phase)
    blown = shock_motion(style["blow"], 0.5 / stride_rate, phase)
    return pushed[0] + blown[0], pushed[1] + blown[1]


def gait_angles(phase: np.ndarray, style: dict[str, float]) -> np.ndarray:
    """Angles of steady walking, `(num_frames, NUM_ANGLES)`, `phase` in cycles from left heel contact."""
    angles = no_angles(len(phase))
    cosine = np.cos(2 * np.pi * phase)
    pace, stride = style["pace"], style["stride"]
    shake = evaluate_series(style["shake"], 2 * phase)
    sideways = evaluate_series(style["sway"], phase)
    obliquity = style["obliquity"] * np.cos(2 * np.pi * (phase - 0.18))
    set_angles(
        angles,
        pelvis_rotation=-style["rotation"] * cosine,
        pelvis_obliquity=obliquity + 0.7 * sideways,
        pelvis_tilt=1.6 * pace * np.cos(4 * np.pi * (phase - 0.05)) + shake,
        trunk_flexion=style["lean"] + pace * np.cos(4 * np.pi * (phase - 0.1)) - 1.0 * shake,
        trunk_bending=0.8 * obliquity - 0.7 * sideways,
        trunk_rotation=1.9 * style["rotation"] * cosine,
        neck_rotation=-0.6 * style["rotation"] * cosine,
        neck_flexion=-style["lean"] - 0.7 * pace * np.cos(4 * np.pi * (phase - 0.1)),
    )
    for side, own, sign in (("left", phase, 1.0), ("right", phase + 0.5, -1.0)):
        swing = np.cos(2 * np.pi * own) * style["arm"] * (1 + sign * style["arm_asymmetry"])
        sway = 1.3 * np.cos(2 * np.pi * (own - 0.3))
        loading = min(0.4 + 0.6 * stride, 1.15)
        values = {
            "hip_flexion": 0.5 + stride * evaluate_series(_HIP, own),
            "hip_abduction": -1.8 - sway - sign * obliquity,
            "hip_rotation": -style["toe_out"] + sign * -style["rotation"] * cosine,
            "knee_flexion": _KNEE_SLACK + loading * evaluate_series(_KNEE, own),
            "ankle_inversion": 1.8 + sway,
            "ankle_dorsiflexion": _ANKLE_ZERO + loading * evaluate_series(_ANKLE, own),
            "shoulder_flexion": -3.0 - swing,
            "shoulder_abduction": style["abduction"],
            "elbow_flexion": style["elbow"] - 0.5 * swing,
            "forearm_pronation": 25.0,
            "wrist_flexion": 5.0,
        }
        set_angles(angles, **{f"{side}_{name}": value for name, value in values.items()})
    return angles


def gait_contacts(phase: np.ndarray) -> np.ndarray:
    """Heel and ball contacts of both feet, `(num_frames, 2, 2)`, at `phase` as in `gait_angles`."""
    contacts = np.zeros((len(phase), 2, 2))
    for side, lag in ((0, 0.0), (1, 0.5)):
        for point, (start, end) in enumerate((_HEEL_CONTACT, _BALL_CONTACT)):
            middle, half = (start + end) / 2, (end - start) / 2
            away = np.abs((phase + lag - middle + 0.5) % 1 - 0.5)
            contacts[:, side, point] = smooth_step((half - away) / _CONTACT_RAMP + 0.5)
    return contacts


def _fit_stride(length: float, style: dict[str, float], bone_offsets: np.ndarray) -> tuple[float, float]:
    """Scale of the leg angles at which one cycle carries the body that far (metres), and the pelvis' mean height."""
    phase = np.arange(64) / 64
    contacts = gait_contacts(phase)
    scale = 1.0
    for _ in range(4):
        local = local_rotations(gait_angles(phase, style | {"stride": scale}))
        poses = forward_kinematics(local, np.zeros((64, 3)), bone_offsets)
        soles = sole_paths(*poses, bone_offsets)[:, :, :2]
        forward = soles[..., 0]
        steps = np.roll(forward, -1, axis=0) - forward
        travelled = -((contacts * steps).sum((1, 2)) / contacts.sum((1, 2))).sum()
        scale *= length / travelled
    level = -(contacts * soles[..., 2]).sum() / contacts.sum()
    return float(scale), float(level)

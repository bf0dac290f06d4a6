# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Running and jogging, and stairs up and down: legs from published kinematics, heights from the floor's force."""

import numpy as np

from anymo_hf.simulation.synthesis.angles import forward_kinematics, local_rotations
from anymo_hf.simulation.synthesis.contacts import sole_paths
from anymo_hf.simulation.synthesis.curves import (
    evaluate_series,
    fourier_series,
    smooth_noise,
    smooth_path,
    smooth_step,
)
from anymo_hf.simulation.synthesis.gait import draw_shock, pelvis_motion, shock_motion, steady_trunk
from anymo_hf.simulation.synthesis.plan import MotionPlan, no_angles, set_angles
from anymo_hf.simulation.synthesis.postures import add_sway, describe, standing_angles
from anymo_hf.simulation.synthesis.staging import (
    bones,
    bounce_series,
    clock,
    half_sine,
    leg_lengths,
    place_leg,
    shift_angles,
    standing_height,
)


# Stride in % from foot contact, and degrees. Approximate key values of the curves for running in T. F. Novacheck,
# The biomechanics of running, Gait & Posture 7 (1998) 77-95.
_HIP = fourier_series(
    np.array([0, 10, 20, 30, 40, 50, 60, 70, 80, 90]) / 100, np.array([34, 30, 18, 5, -5, -3, 12, 30, 42, 40.0])
)
_PELVIC_TILT = 11.0  # degrees, in those curves, which count the thigh from the pelvis; here the pelvis is upright
_KNEE = fourier_series(
    np.array([0, 8, 16, 26, 36, 44, 52, 60, 68, 78, 88, 95]) / 100,
    np.array([16, 34, 42, 32, 19, 30, 62, 88, 92, 66, 24, 12.0]),
)
_ANKLE = fourier_series(
    np.array([0, 8, 18, 28, 36, 42, 52, 65, 80, 92]) / 100, np.array([5, 11, 22, 10, -14, -22, -12, 0, 4, 6.0])
)
_YIELD = 0.04  # m below the height of those curves, so that no leg gets straight
_BRAKING, _INWARD = 3.4, 1.0  # m/s^2 at most, a third and a tenth of the weight (Cavanagh and Lafortune 1980)
_RUN_CAPTIONS = (
    "A person {runs} forward.",
    "Someone {runs} straight ahead at a steady pace.",
    "The person {runs}, arms bent and swinging.",
)
_STAIR_CAPTIONS = (
    "A person walks {way} stairs.",
    "Someone goes {way} a flight of stairs.",
    "The person climbs {way} the steps, one after the other.",
)


def plan_run(
    duration: float = 6.0,
    speed: float = 2.8,
    seed: int = 0,
    frame_rate: float = 120.0,
    bone_offsets: np.ndarray | None = None,
) -> MotionPlan:
    """
    A person who stands, runs and stops.

    The pelvis' height is the second integral of a half-sine push during contact and of gravity alone in flight. A
    foot touches for 0.37 of the stride when jogging and 0.29 at 4.5 m/s (Novacheck 1998), so pushes peak at 2.1 to
    2.7 body weights.

    Args:
        duration (`float`, *optional*, defaults to 6.0):
            Seconds, with the first and the last step. At least 3.
        speed (`float`, *optional*, defaults to 2.8):
            Steady speed in m/s, 1.8 to 4.5; below 2.6 it is called jogging.
        seed (`int`, *optional*, defaults to 0):
            Chooses the leading foot, style and words.
        frame_rate (`float`, *optional*, defaults to 120.0):
            Frames per second.
        bone_offsets (`np.ndarray` of shape `(23, 3)`, *optional*, defaults to `DEFAULT_BONE_OFFSETS`):
            The subject's bones.

    Returns:
        `MotionPlan`: From standing to standing.
    """
    if not (1.8 <= speed <= 4.5 and duration >= 3):
        raise ValueError(
            f"Running needs a `speed` of 1.8 to 4.5 m/s and a `duration` of at least 3 s, but {speed:g} m/s and "
            f"{duration:g} s were given."
        )
    times, rng, offsets = clock(duration, frame_rate), np.random.default_rng([seed, 80]), bones(bone_offsets)
    duty = 0.37 - 0.035 * (speed - 1.8) + rng.uniform(-0.01, 0.01)
    rate = (1.25 + 0.07 * (speed - 1.8)) * rng.uniform(0.95, 1.05) / np.sqrt(sum(leg_lengths(offsets)[:2]) / 0.886)
    strides = max(round((duration - 0.6) * rate * 2) / 2, 1.0)
    rate = strides / (duration - 0.6)
    style = {"arm": rng.uniform(13, 24), "elbow": rng.uniform(80, 115), "turn": rng.uniform(6, 11),
             "lean": rng.uniform(4, 10), "toe_out": rng.uniform(2, 7), "uneven": rng.uniform(-0.1, 0.1)}  # fmt: skip
    phase = rng.integers(2) / 2 + np.clip((times - 0.3) * rate, 0, strides)
    phase += 0.003 * smooth_noise(times, rng, 0.2, 1.0)
    active = smooth_step((times - 0.3) / 1.1) * smooth_step((duration - 0.3 - times) / 1.1)
    style |= draw_shock(rng, 0.5 / rate, 15.0 + 3.0 * (speed - 1.8), 1.0)
    series = bounce_series(half_sine(2 * duty)) / (2 * rate) ** 2
    scale, level = _fit_run(speed / rate, style, duty, series, offsets)
    angles = add_sway(standing_angles(times, rng), times, rng)
    angles += active[:, None] * (_running_angles(phase, style, scale) - angles)
    pushed, blown = _floor_pushes(phase, duty, rate), shock_motion(style["blow"], 0.5 / rate, phase)
    displacement, velocity = pushed[0] + blown[0], pushed[1] + blown[1]
    steady_trunk(angles, displacement, active)
    bounce = evaluate_series(series, 2 * phase) + displacement[:, 2]
    height = (1 - active) * standing_height(offsets) + active * (level + bounce)
    still = np.clip(2 - 60 * active, 0, 1)
    contacts = np.maximum(_running_contacts(phase, duty), still[:, None, None])
    texts = describe("jogging" if speed < 2.6 else "running", _RUN_CAPTIONS, duration, rng,
                     runs="jogs" if speed < 2.6 else "runs")  # fmt: skip
    share = smooth_step(active / 0.5)
    forward, left = active * (speed + velocity[:, 0]), active * velocity[:, 1]
    velocity = np.stack([forward, left, smooth_step(active / 0.1)], axis=1)
    height = np.stack([height, share], axis=1)
    return MotionPlan(angles, contacts, frame_rate, texts, height=height, velocity=velocity)


def _floor_pushes(phase: np.ndarray, duty: float, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """The pelvis while a foot brakes, then pushes, and carries the body to its side, as `pelvis_motion`."""
    samples = np.arange(256) / 256
    braking = np.tile(np.where(samples < 2 * duty, -np.sin(np.pi * samples / duty), 0.0), 2)
    inward = np.concatenate([-half_sine(2 * duty), half_sine(2 * duty)])  # the left foot pushes to the right
    return pelvis_motion((_BRAKING * braking, _INWARD * inward, np.zeros(512)), 1 / rate, phase)


def _running_contacts(phase: np.ndarray, duty: float) -> np.ndarray:
    contacts = np.zeros((len(phase), 2, 2))
    for side, lag in ((0, 0.0), (1, 0.5)):
        for point, (start, end) in enumerate(((0.0, 0.5 * duty), (0.04, duty))):
            middle, half = (start + end) / 2, (end - start) / 2
            away = np.abs((phase + lag - middle + 0.5) % 1 - 0.5)
            contacts[:, side, point] = smooth_step((half - away) / 0.03 + 0.5)
    return contacts


def _running_angles(phase: np.ndarray, style: dict[str, float], scale: float) -> np.ndarray:
    angles, cosine = no_angles(len(phase)), np.cos(2 * np.pi * phase)
    lift = np.cos(4 * np.pi * (phase - 0.1))
    shake = evaluate_series(style["shake"], 2 * phase)
    sideways = evaluate_series(style["sway"], phase)
    drop = 4 * np.cos(2 * np.pi * (phase - 0.2))
    set_angles(
        angles, pelvis_tilt=0.4 * style["lean"] + 2.0 * lift + shake,
        trunk_flexion=0.6 * style["lean"] + 1.5 * lift - shake,
        pelvis_rotation=-style["turn"] * cosine, trunk_rotation=3.2 * style["turn"] * cosine,
        pelvis_obliquity=drop + 0.7 * sideways, trunk_bending=0.8 * drop - 0.7 * sideways,
        neck_rotation=-style["turn"] * cosine, neck_flexion=-0.8 * style["lean"] - lift,
    )  # fmt: skip
    for side, own, sign in (("left", phase, 1.0), ("right", phase + 0.5, -1.0)):
        swing = np.cos(2 * np.pi * own) * style["arm"] * (1 + sign * style["uneven"])
        values = {
            "hip_flexion": scale * (evaluate_series(_HIP, own) - _PELVIC_TILT) + 0.4 * style["lean"],
            "knee_flexion": 6 + (0.35 + 0.65 * scale) * evaluate_series(_KNEE, own),
            "ankle_dorsiflexion": (0.4 + 0.6 * scale) * evaluate_series(_ANKLE, own),
            "hip_rotation": -style["toe_out"] - sign * style["turn"] * cosine,
            "hip_abduction": -3.0 - sign * drop,
            "shoulder_flexion": -12.0 - swing,
            "shoulder_abduction": 14.0,
            "shoulder_rotation": 18.0 - 0.5 * swing,
            "elbow_flexion": style["elbow"] - 0.5 * swing,
            "forearm_pronation": 10.0,
        }
        set_angles(angles, **{f"{side}_{name}": value for name, value in values.items()})
    return angles


def _fit_run(length: float, style: dict, duty: float, bounce: np.ndarray, offsets: np.ndarray) -> tuple[float, float]:
    """Scale of the leg angles at which planted feet pass below the body at the running speed, and the mean height."""
    phase, scale = np.arange(64) / 64, 1.0
    planted = _running_contacts(phase, duty)
    for _ in range(3):
        poses = forward_kinematics(local_rotations(_running_angles(phase, style, scale)), np.zeros((64, 3)), offsets)
        soles = sole_paths(*poses, offsets)[:, :, :2]
        steps = np.roll(soles[..., 0], -1, axis=0) - soles[..., 0]
        travelled = -(planted * steps).sum() / planted.sum() * 64
        scale = float(np.clip(scale * length / travelled, 0.5, 1.5))
    below = soles[..., 2] + evaluate_series(bounce, 2 * phase)[:, None, None]
    return scale, float(-(planted * below).sum() / planted.sum()) - _YIELD


def plan_stairs(
    num_steps: int = 8,
    up: bool = True,
    seed: int = 0,
    frame_rate: float = 120.0,
    bone_offsets: np.ndarray | None = None,
) -> MotionPlan:
    """
    A person who climbs or descends stairs, step over step.

    Feet go from tread to tread and the legs follow; step time, stance share and joint excursions (knee about 90
    degrees both ways, hip 65 up and 40 down) agree with Riener, Rabuffetti and Frigo, Gait & Posture 15 (2002) 32-44,
    whose floor forces also set the pelvis' bounce: a sharp landing of 1.5 body weights down, 1.15 up.

    Args:
        num_steps (`int`, *optional*, defaults to 8):
            Steps, 2 to 30.
        up (`bool`, *optional*, defaults to `True`):
            Up, or down.
        seed (`int`, *optional*, defaults to 0):
            Chooses the stair (0.15 to 0.19 m high, 0.26 to 0.32 m deep), pace, leading foot and words.
        frame_rate (`float`, *optional*, defaults to 120.0):
            Frames per second.
        bone_offsets (`np.ndarray` of shape `(23, 3)`, *optional*, defaults to `DEFAULT_BONE_OFFSETS`):
            The subject's bones.

    Returns:
        `MotionPlan`: From standing to standing, `num_steps` higher or lower.
    """
    if not 2 <= num_steps <= 30:
        raise ValueError(f"Stairs need 2 to 30 steps, but `num_steps` is {num_steps}.")
    rng, offsets = np.random.default_rng([seed, 81, up]), bones(bone_offsets)
    rise, tread = rng.uniform(0.15, 0.19), rng.uniform(0.26, 0.32)
    lasts = rng.uniform(0.52, 1.05) if up else rng.uniform(0.47, 0.95)
    duration = 1.4 + lasts * (num_steps + 1.3)
    times = clock(duration, frame_rate)
    lead = int(rng.integers(2))
    ways, floors, contacts, pitches = _stair_feet(times, num_steps, lasts, rise * (1 if up else -1), tread, lead, up)
    middle = smooth_path(ways.mean(1)[:, None], np.ones(len(times)), 0.9 / lasts, frame_rate)[:, 0]
    climb = np.clip((times - 0.7 - (0.85 if up else -0.05) * lasts) / lasts, 0, num_steps)
    climb = smooth_path(climb[:, None], np.ones(len(times)), 0.8 / lasts, frame_rate)[:, 0]
    active = smooth_step((times - 0.6) / lasts) * smooth_step((duration - 0.6 - times) / lasts)
    # The push of the landed leg: sharp downwards, gentle upwards.
    phase = np.arange(256) / 256
    away = np.abs((phase - (0.2 if not up else 0.3) + 0.5) % 1 - 0.5)
    force = 1 + (rng.uniform(0.4, 0.85) if not up else 0.4) * np.exp(-((away / (0.13 if not up else 0.2)) ** 2))
    landed = (times - 0.7) / lasts - 0.8
    style = draw_shock(rng, lasts, 4.0 if up else 7.5, 0.8)
    displacement, velocity = shock_motion(style["blow"], lasts, (landed + lead) / 2)
    bounce = evaluate_series(bounce_series(force, 8), landed) * lasts**2 + displacement[:, 2]
    height = (
        # So low that no leg is stretched before it lands: a knee near its end would have to snap.
        standing_height(offsets) * (1 - (0.05 if up else 0.056) * active)
        + (1 if up else -1) * rise * climb
        + active * bounce
    )
    angles = add_sway(standing_angles(times, rng), times, rng)
    _swing_pelvis(angles, (landed + lead) / 2, style, active, rng)
    steady_trunk(angles, displacement, active)
    lean = (rng.uniform(6, 12) if up else rng.uniform(0, 4)) * active
    shift_angles(angles, pelvis_tilt=0.6 * lean, trunk_flexion=0.4 * lean, hip_flexion=0.6 * lean)
    ankle = leg_lengths(offsets)[2]
    beat = 2 * np.pi * (times - 0.7) / (2 * lasts) + np.pi * lead
    for index, side in enumerate(("left", "right")):
        clearing = -0.005 * up * pitches[:, index]  # m: an ascending foot clears the edge of the step
        lift = floors[:, index] + clearing + ankle - np.minimum(np.radians(pitches[:, index]), 0) * 0.12
        place_leg(angles, side, ways[:, index] - middle, height - lift, pitches[:, index], offsets)
        swing = rng.uniform(10, 24) * (1 if index else -1) * np.sin(beat) * active
        shift_angles(angles, **{f"{side}_shoulder_flexion": swing, f"{side}_elbow_flexion": 10 * active})
    turn = rng.uniform(2, 5) * np.sin(beat) * active
    shift_angles(angles, trunk_rotation=-turn, trunk_bending=0.6 * turn)
    way = "up" if up else "down"
    texts = describe(f"walking {way}stairs", _STAIR_CAPTIONS, duration, rng, way=way)
    share, led = smooth_step(active / 0.5), smooth_step((active - 0.7) / 0.3)
    velocity = np.stack([np.gradient(middle, times) + velocity[:, 0], velocity[:, 1], led], axis=1)
    height = np.stack([height, share], axis=1)
    return MotionPlan(angles, contacts, frame_rate, texts, floors=floors, height=height, velocity=velocity)


def _swing_pelvis(angles, phase, style, active, rng) -> None:
    """The pelvis rises on the swinging side and turns with it, and the trunk evens that out; phase in strides."""
    shaken = active * evaluate_series(style["shake"], 2 * phase)
    sideways = active * evaluate_series(style["sway"], phase)
    drop = rng.uniform(4, 8) * active * np.cos(2 * np.pi * (phase - 0.2))
    turn = rng.uniform(4, 8) * active * np.cos(2 * np.pi * phase)
    nod = rng.uniform(1.5, 3) * active * np.cos(4 * np.pi * (phase - 0.1))
    shift_angles(
        angles, pelvis_obliquity=drop + 0.7 * sideways, trunk_bending=0.8 * drop - 0.7 * sideways,
        pelvis_rotation=-turn, trunk_rotation=1.6 * turn, pelvis_tilt=nod + shaken,
        trunk_flexion=0.5 * nod - shaken,
    )  # fmt: skip
    for side, sign in (("left", 1.0), ("right", -1.0)):  # the legs do not turn with the pelvis
        shift_angles(angles, **{f"{side}_hip_rotation": -sign * turn, f"{side}_hip_abduction": -sign * drop})


def _stair_feet(times, num_steps, lasts, rise, tread, lead, up) -> tuple[np.ndarray, ...]:
    """Way forward, floor below, contacts and pitch (degrees) of both feet."""
    ways, floors, pitches = (np.zeros((len(times), 2)) for _ in range(3))
    contacts = np.ones((len(times), 2, 2))
    level = [0, 0]
    for step in range(1, num_steps + 2):
        foot, target = (lead + step - 1) % 2, min(step, num_steps)
        time = (times - 0.7 - (step - 1) * lasts) / (0.8 * lasts)
        # Up: the foot rises before it goes forward; down: the other way round.
        early, late = smooth_step(time / 0.9), smooth_step((time - 0.1) / 0.9)
        ways[:, foot] += (target - level[foot]) * tread * (late if up else early)
        floors[:, foot] += (target - level[foot]) * rise * (early if up else late)
        level[foot] = target
        arch = np.sin(np.pi * np.clip(time, 0, 1)) ** 2
        pitches[:, foot] += (-10 if up else -16) * arch
        air = smooth_step((time + 0.05) / 0.08) * smooth_step((1.05 - time) / 0.08)
        contacts[:, foot] *= (1 - air)[:, None]
        if not up:  # the ball lands first, and the heel leaves first: no ankle bends as far as the shank leans
            pitches[:, foot] -= 42 * smooth_step((time + 0.42) / 0.4) * smooth_step((0.55 - time) / 0.5)
            contacts[:, foot, 0] *= 1 - smooth_step((time + 0.35) / 0.1) * smooth_step((1.2 - time) / 0.1)
    return ways, floors, contacts, pitches

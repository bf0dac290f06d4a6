# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Stage directions for the body: legs that reach given places, arms in named poses, heights from floor forces."""

import numpy as np

from anymo_hf.processing.placements_anymo import SEGMENTS
from anymo_hf.simulation.segments import DEFAULT_BONE_OFFSETS
from anymo_hf.simulation.synthesis.angles import ANGLE_INDEX, forward_kinematics, local_rotations
from anymo_hf.simulation.synthesis.contacts import SOLE_THICKNESS
from anymo_hf.simulation.synthesis.plan import set_angles


GRAVITY = 9.80665
FLOOR_SOFTNESS = 0.02  # m over which a body that comes down gives way
# How far the skin is below some joints of a body on the floor, in metres.
BODY_RADII = {"Pelvis": 0.085, "T8": 0.085, "Head": 0.08, "L_LowerLeg": 0.05, "R_LowerLeg": 0.05}
# Pelvis origin above what a person lies on, in metres: half the body's depth or width, soft parts pressed a little.
REST_HEIGHT = {"back": 0.10, "front": 0.16, "left side": 0.20, "right side": 0.20}
STRETCH = 0.995  # of the leg's length that a staged leg uses at most

# Shoulder flexion, abduction and inward rotation, elbow flexion, forearm pronation, in degrees. Each brings the wrist
# of an average body to the place named; found by least squares on the kinematic chain.
ARM_POSES: dict[str, tuple[float, float, float, float, float]] = {
    "drink": (73, -7, 15, 124, 20),
    "plate": (26, 18, 39, 86, 50),
    "mouth": (76, -11, 17, 123, 10),
    "ear": (78, 4, 0, 140, 0),
    "keys": (27, 13, 42, 72, 75),
    "pen": (26, 6, 45, 61, 45),
    "teeth": (70, 12, 10, 126, 55),
    "clap_in": (38, 7, 39, 94, 0),
    "clap_out": (20, 15, 7, 105, 0),
    "fold_in": (33, 4, 44, 46, 50),
    "fold_out": (26, 8, -27, 53, 50),
    "iron_a": (47, 14, -10, 22, 70),
    "iron_b": (44, -4, 38, 30, 70),
    "vac_a": (6, 17, 47, 41, 40),
    "vac_b": (47, 8, 10, 8, 20),
    "guard": (43, 4, 21, 130, 20),
    "punch": (88, -4, 10, 8, 80),
    "cock": (59, 89, -69, 106, 40),
    "release": (85, 8, 7, 50, 60),
    "follow": (29, -10, 48, 33, 60),
    "reach": (154, 10, 9, 9, 20),
    "carry": (21, 16, 43, 68, -20),
    "phone": (33, 7, 40, 110, -40),
    "cross": (13, -6, 61, 87, 40),
    "hips": (-20, 37, 57, 68, 60),
    "bars": (70, 8, 10, 15, 80),
    "row_out": (72, 2, 10, 10, 80),
    "row_in": (-3, 30, 30, 110, 80),
    "table": (23, 4, 14, 60, 60),
    "cup": (29, 4, 13, 63, 10),
    "lap": (13, 7, 48, 46, 70),
    "floor": (40, 2, 10, 8, 20),
    "head": (112, 22, -10, 118, 30),
    "hammer_up": (62, 10, 5, 112, 0),
    "hammer_down": (42, 6, 12, 62, 0),
    "window_a": (92, 28, -8, 58, 70),
    "window_b": (104, -8, 24, 46, 70),
    "hang": (2, 8, 5, 14, -70),
    "curl": (14, 8, 5, 138, -80),
    "handshake": (34, 0, 16, 66, 0),
    "book": (36, 4, 38, 88, -40),
    "sink": (38, 6, 40, 52, 45),
}
_ARM_ANGLES = ("shoulder_flexion", "shoulder_abduction", "shoulder_rotation", "elbow_flexion", "forearm_pronation")


def clock(duration: float, frame_rate: float) -> np.ndarray:
    """Times of the frames of a plan, in seconds."""
    return np.arange(round(duration * frame_rate) + 1) / frame_rate


def begin(
    duration: float, seed: int, number: int, frame_rate: float, bone_offsets: np.ndarray | None
) -> tuple[np.ndarray, np.random.Generator, np.ndarray]:
    """What every plan starts from: times of its frames, its own random generator (`number`), the subject's bones."""
    return clock(duration, frame_rate), np.random.default_rng([seed, number]), bones(bone_offsets)


def bones(bone_offsets: np.ndarray | None) -> np.ndarray:
    """The subject's bones, or the average ones, as a new array `(23, 3)` in metres."""
    return np.array(DEFAULT_BONE_OFFSETS if bone_offsets is None else bone_offsets, dtype=np.float64)


def sides(side: str) -> tuple[str, ...]:
    """`"left"`, `"right"` or `"both"` as a tuple of sides."""
    if side not in ("left", "right", "both"):
        raise ValueError(f"`side` must be 'left', 'right' or 'both', but {side!r} was given.")
    return ("left", "right") if side == "both" else (side,)


def leg_lengths(bone_offsets: np.ndarray) -> tuple[float, float, float]:
    """Thigh, shank, and the height of the ankle above the sole, in metres."""
    thigh, shank = (float(np.linalg.norm(bone_offsets[segment])) for segment in (20, 21))
    return thigh, shank, float(SOLE_THICKNESS - bone_offsets[22, 2])


def standing_height(bone_offsets: np.ndarray) -> float:
    """Height of the pelvis above the floor in relaxed standing, in metres."""
    thigh, shank, ankle = leg_lengths(bone_offsets)
    return 0.996 * (thigh + shank) + ankle


def place_leg(angles, side, forward, down, pitch, bone_offsets, share=1.0) -> None:
    """
    Bends one leg so that its ankle is at a place below and before the hip (closed-form two-bone chain).

    Args:
        angles (`np.ndarray` of shape `(num_frames, NUM_ANGLES)`):
            Changed in place; the pelvis' tilt in it must be final.
        side (`str`):
            `"left"` or `"right"`.
        forward (`np.ndarray` of shape `(num_frames,)` or `float`):
            How far the ankle is before the hip, in metres.
        down (`np.ndarray` of shape `(num_frames,)` or `float`):
            How far the ankle is below the hip, in metres.
        pitch (`np.ndarray` of shape `(num_frames,)` or `float`):
            Of the foot, toes up, in degrees.
        bone_offsets (`np.ndarray` of shape `(23, 3)`):
            The subject's bones, in metres.
        share (`np.ndarray` of shape `(num_frames,)` or `float`, *optional*, defaults to 1.0):
            From 0 (the leg remains as it is) to 1.
    """
    thigh, shank, _ = leg_lengths(bone_offsets)
    distance = np.clip(np.hypot(forward, down), 0.35 * (thigh + shank), STRETCH * (thigh + shank))
    knee = np.pi - np.arccos(np.clip((thigh**2 + shank**2 - distance**2) / (2 * thigh * shank), -1, 1))
    rise = np.arctan2(forward, down) + np.arccos(
        np.clip((thigh**2 + distance**2 - shank**2) / (2 * thigh * distance), -1, 1)
    )
    tilt = angles[:, ANGLE_INDEX["pelvis_tilt"]]
    values = {
        "hip_flexion": rise + tilt,
        "knee_flexion": knee,
        "ankle_dorsiflexion": np.radians(pitch) - rise + knee,
    }
    for name, value in values.items():
        column = ANGLE_INDEX[f"{side}_{name}"]
        angles[:, column] += share * (value - angles[:, column])


def raise_above_floor(height: np.ndarray, angles: np.ndarray, bone_offsets: np.ndarray) -> np.ndarray:
    """A pelvis height (metres), raised softly where knees, trunk or head would enter the floor (`BODY_RADII`)."""
    poses = forward_kinematics(local_rotations(angles), np.zeros((len(angles), 3)), bone_offsets)[0]
    segments = [SEGMENTS.index(name) for name in BODY_RADII]
    need = (np.array(list(BODY_RADII.values())) - poses[:, segments, 2]).max(axis=1)
    return need + FLOOR_SOFTNESS * np.logaddexp(0.0, (height - need) / FLOOR_SOFTNESS)


def ankle_above_ball(pitch, bone_offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far the ankle is behind and above the ball of a foot with this pitch (degrees, toes up), in metres."""
    toe, turn = bone_offsets[22], np.radians(pitch)
    reach, rise = toe[0], SOLE_THICKNESS - toe[2]
    return reach * np.cos(turn) + rise * np.sin(turn), rise * np.cos(turn) - reach * np.sin(turn)


def pose_arm(angles, side, pose, share=1.0, offset=None) -> None:
    """
    Moves an arm towards a named pose.

    Args:
        angles (`np.ndarray` of shape `(num_frames, NUM_ANGLES)`):
            Changed in place.
        side (`str`):
            `"left"`, `"right"` or `"both"`.
        pose (`str`):
            Name in `ARM_POSES`.
        share (`np.ndarray` of shape `(num_frames,)` or `float`, *optional*, defaults to 1.0):
            From 0 (the arm remains as it is) to 1.
        offset (`np.ndarray` of shape `(5,)`, *optional*, defaults to `None`):
            Degrees to add to the pose, for instance a person's own way.
    """
    target = np.radians(np.asarray(ARM_POSES[pose]) + (0.0 if offset is None else offset))
    for one in sides(side):
        for name, value in zip(_ARM_ANGLES, target, strict=True):
            column = ANGLE_INDEX[f"{one}_{name}"]
            angles[:, column] += share * (value - angles[:, column])


def shift_angles(angles: np.ndarray, **degrees: np.ndarray | float) -> np.ndarray:
    """Adds degrees to named angles; names without a side change both sides."""
    for name, value in degrees.items():
        for column in [name] if name in ANGLE_INDEX else [f"left_{name}", f"right_{name}"]:
            angles[:, ANGLE_INDEX[column]] += np.radians(value)
    return angles


def mix_angles(angles: np.ndarray, share: np.ndarray | float, **degrees: np.ndarray | float) -> np.ndarray:
    """Moves named angles towards values in degrees; names without a side change both sides."""
    target = set_angles(angles.copy(), **degrees)
    angles += np.broadcast_to(share, len(angles))[:, None] * (target - angles)
    return angles


def bounce_series(force: np.ndarray, num_harmonics: int = 12) -> np.ndarray:
    """
    Height of a body under a periodic floor force, as coefficients for `evaluate_series`.

    Args:
        force (`np.ndarray` of shape `(num_samples,)`):
            Vertical force over one period; only its shape counts, its mean is the weight.
        num_harmonics (`int`, *optional*, defaults to 12):
            Highest harmonic kept.

    Returns:
        `np.ndarray` of shape `(num_harmonics + 1,)`: For a period of one second, in metres; multiply by the period
        squared. Its mean is zero.
    """
    acceleration = GRAVITY * (force / force.mean() - 1.0)
    spectrum = np.fft.rfft(acceleration)[: num_harmonics + 1] / len(force)
    harmonics = np.arange(num_harmonics + 1)
    spectrum[1:] *= -2 / (2 * np.pi * harmonics[1:]) ** 2
    spectrum[0] = 0.0
    return spectrum


def half_sine(duty: float, num_samples: int = 256) -> np.ndarray:
    """A push of the floor that lasts the share `duty` of a period, from phase 0."""
    phase = np.arange(num_samples) / num_samples
    return np.where(phase < duty, np.sin(np.pi * np.minimum(phase / duty, 1.0)), 0.0)

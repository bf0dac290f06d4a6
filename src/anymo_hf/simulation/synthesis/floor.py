# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""On knees, hands and feet: kneeling, crawling, crouching, push-ups, and getting up from the floor."""

import numpy as np
from scipy.interpolate import PchipInterpolator

from anymo_hf.processing.placements_anymo import SEGMENTS
from anymo_hf.simulation.synthesis.arms import PALM_HEIGHT, place_arm
from anymo_hf.simulation.synthesis.curves import smooth_step
from anymo_hf.simulation.synthesis.plan import MotionPlan
from anymo_hf.simulation.synthesis.staging import (
    BODY_RADII,
    ankle_above_ball,
    leg_lengths,
    mix_angles,
    place_leg,
    shift_angles,
    standing_height,
)


LEFT_HIP, RIGHT_HIP = SEGMENTS.index("L_UpperLeg"), SEGMENTS.index("R_UpperLeg")
KNEE = BODY_RADII["L_LowerLeg"]  # m, of a knee on the floor
TUCKED, FLAT = -78.0, -150.0  # degrees, pitch of a kneeling person's foot: on the ball, or lying on its back
UNEVEN = 0.06  # m by which one hip can be higher than the other
_EASE = 0.25  # s over which the way through the moments is rounded
_ELBOW = (-1.0, 0.6, 0.0)  # elbows of supporting arms point backward and out

Moment = dict[str, float]


class Stage:
    """
    Moments of a person near the floor, seen from the side, and the plan that goes through them.

    A moment says where the hips are (`hip_x`, `hip_z`), how the trunk leans (`tilt`, `trunk`, `neck`, degrees), and
    for each side where the ball of the foot (`left_ball_x`, `left_ball_z`, `left_pitch`) and the wrist
    (`left_hand_x`, `left_hand_z`) are, in metres and degrees, how much the knee carries (`left_knee`) and the hand is
    placed (`left_hand`), 0 to 1. Over a knee on the floor the hips are as high as the thigh is long.

    Args:
        bone_offsets (`np.ndarray` of shape `(23, 3)`):
            The subject's bones, in metres.
    """

    def __init__(self, bone_offsets: np.ndarray):
        self.offsets = bone_offsets
        self.thigh, self.shank, self.ankle = leg_lengths(bone_offsets)
        self.trunk = float(bone_offsets[1:5, 2].sum() + bone_offsets[11, 2])
        self.arm = float(np.linalg.norm(bone_offsets[13]) + np.linalg.norm(bone_offsets[14]))
        self.hip_width = float(bone_offsets[LEFT_HIP, 1] - bone_offsets[RIGHT_HIP, 1])
        self.foot = ankle_above_ball(0.0, bone_offsets)[0]
        self.standing: Moment = {
            "hip_x": 0.0, "hip_z": standing_height(bone_offsets), "tilt": 0.0, "trunk": 2.0, "neck": 0.0,
            **both(ball_x=self.foot, ball_z=0.0, pitch=0.0, knee=0.0, hand=0.0, hand_x=0.3, hand_z=0.5),
        }  # fmt: skip

    def knee_before_ball(self, pitch: float, ball_z: float = 0.0) -> float:
        """How far a knee on the floor is before the ball of its foot, in metres."""
        behind, above = ankle_above_ball(pitch, self.offsets)
        return float(np.sqrt(self.shank**2 - (ball_z + above - KNEE) ** 2) - behind)

    def flat_ball(self) -> float:
        """Height of the ball of a foot that lies on its back, in metres."""
        return 0.065 - float(ankle_above_ball(FLAT, self.offsets)[1])

    def step_back(self) -> Moment:
        """Standing with the right foot so far back that its knee comes down behind the left heel."""
        back = -0.17 - self.knee_before_ball(TUCKED)
        return self.standing | {
            "right_ball_x": back, "right_pitch": -40.0, "hip_x": -0.14, "hip_z": 0.88 * self.standing["hip_z"],
            "tilt": 12.0, "trunk": 6.0,
        }  # fmt: skip

    def half_kneeling(self) -> Moment:
        """On the right knee, the left foot in front."""
        return self.step_back() | {
            "right_pitch": TUCKED, "right_knee": 1.0, "hip_x": -0.24, "hip_z": KNEE + self.thigh, "tilt": 4.0,
        }  # fmt: skip

    def kneeling(self) -> Moment:
        """Upright on both knees, toes tucked under."""
        back = self.half_kneeling()["right_ball_x"]
        return self.half_kneeling() | {
            "left_ball_x": back, "left_pitch": TUCKED, "left_knee": 1.0, "hip_x": -0.2, "tilt": 2.0,
        }  # fmt: skip

    def on_hands_and_knees(self) -> Moment:
        """Like a table, hands below the shoulders, feet lying on their backs."""
        back, knee = self.kneeling()["left_ball_x"], self.kneeling()["left_ball_x"] + self.knee_before_ball(TUCKED)
        hips = KNEE + self.thigh
        lean = np.degrees(np.arccos(np.clip((PALM_HEIGHT + 0.88 * self.arm - hips) / self.trunk, -0.3, 0.6)))
        shoulder = knee + self.trunk * np.sin(np.radians(lean))
        ball = self.flat_ball()
        back = knee - self.knee_before_ball(FLAT, ball)
        return self.kneeling() | {
            "hip_x": knee, "tilt": lean - 9.0, "trunk": 18.0, "neck": -40.0,
            **both(hand=1.0, hand_x=shoulder, hand_z=PALM_HEIGHT, ball_x=back, ball_z=ball, pitch=FLAT),
        }  # fmt: skip

    def flow(self, times: np.ndarray, moments: list[tuple[float, Moment]]) -> dict[str, np.ndarray]:
        """Every number of the moments as a smooth curve over time; what is equal in two moments rests between them."""
        rate = 1 / (times[1] - times[0])
        half = max(round(_EASE * rate / 2), 1)
        window = np.hanning(2 * half + 3)[1:-1]
        key_times = [time for time, _ in moments]
        wide = np.concatenate(
            [times[0] - np.arange(half, 0, -1) / rate, times, times[-1] + np.arange(1, half + 1) / rate]
        )
        curves = {}
        for name in self.standing:
            way = PchipInterpolator(key_times, [moment[name] for _, moment in moments])(
                np.clip(wide, key_times[0], key_times[-1])
            )
            curves[name] = np.convolve(way, window / window.sum(), "valid")
        return curves

    def pose(self, angles: np.ndarray, at: dict[str, np.ndarray], share: np.ndarray | float = 1.0) -> np.ndarray:
        """Writes the curves into joint angles, `share` of them, and returns the height of the hips in metres."""
        ankles = {}
        for side in ("left", "right"):
            behind, above = ankle_above_ball(at[f"{side}_pitch"], self.offsets)
            ankles[side] = at[f"{side}_ball_x"] - behind, at[f"{side}_ball_z"] + above
        height, uneven = self._over_knees(at, ankles)
        mix_angles(angles, share, pelvis_tilt=at["tilt"], trunk_flexion=at["trunk"], neck_flexion=at["neck"])
        self._raise_one_hip(angles, uneven, at["tilt"], share)
        for side, (forward, up) in ankles.items():
            hip = height + (0.5 if side == "left" else -0.5) * uneven
            place_leg(angles, side, forward - at["hip_x"], hip - up, at[f"{side}_pitch"], self.offsets, share)
        for side, sign in (("left", 1.0), ("right", -1.0)):
            placed = share * at[f"{side}_hand"]
            if placed.max() > 0:
                out = sign * (0.19 + at.get(f"{side}_hand_y", 0.0)) * np.ones_like(placed)
                wrist = np.stack([at[f"{side}_hand_x"] - at["hip_x"], out, at[f"{side}_hand_z"] - height], axis=1)
                place_arm(angles, side, wrist, _ELBOW, self.offsets, placed)
                palm = {"wrist_flexion": -75.0, "forearm_pronation": 85.0, "wrist_deviation": 0.0}
                mix_angles(angles, placed, **{f"{side}_{name}": value for name, value in palm.items()})
        return height

    def _over_knees(self, at: dict[str, np.ndarray], ankles: dict) -> tuple[np.ndarray, np.ndarray]:
        """Height of the hips, as told or on the thighs of knees on the floor; the left one's above the right one."""
        heights, weights = [], []
        for side, (forward, up) in ankles.items():
            knee = forward + np.sqrt(np.maximum(self.shank**2 - (up - KNEE) ** 2, 0.0))
            heights.append(KNEE + np.sqrt(np.maximum(self.thigh**2 - (at["hip_x"] - knee) ** 2, 0.0)))
            weights.append(np.clip(at[f"{side}_knee"], 0.0, 1.0))
        share = np.minimum(sum(weights), 1.0)
        # A knee that carries all its weight holds its hip as firmly as a thigh is stiff.
        left, right = (weight / (1.002 - weight) + 1e-9 for weight in weights)
        together = left * right / (left + right)
        uneven = together / (together + 1.0) * (heights[0] - heights[1])
        uneven = UNEVEN * np.tanh(uneven / UNEVEN)
        height = (left * (heights[0] - 0.5 * uneven) + right * (heights[1] + 0.5 * uneven)) / (left + right)
        return (1 - share) * at["hip_z"] + share * height, share * uneven

    def _raise_one_hip(self, angles: np.ndarray, uneven: np.ndarray, tilt: np.ndarray, share) -> None:
        """Turns the pelvis about the level line to the front until the left hip is so much higher (metres).

        Thighs and trunk turn back, so that knees and head stay where they are.
        """
        turn = np.degrees(np.arcsin(uneven / self.hip_width))
        lean = np.radians(tilt)
        mix_angles(
            angles, share, pelvis_obliquity=turn * np.cos(lean), pelvis_roll=turn * np.sin(lean),
            left_hip_abduction=-turn, right_hip_abduction=turn,
        )  # fmt: skip
        shift_angles(angles, trunk_bending=share * turn * np.cos(lean), trunk_rotation=-share * turn * np.sin(lean))


def both(**values: float) -> Moment:
    """The same numbers for the left and the right side."""
    return {f"{side}_{name}": value for side in ("left", "right") for name, value in values.items()}


def ball_contacts(at: dict[str, np.ndarray]) -> np.ndarray:
    """Contacts of feet that stand on the floor, or on their balls with the heel up, `(num_frames, 2, 2)`."""
    contacts = np.zeros((len(at["hip_x"]), 2, 2))
    for index, side in enumerate(("left", "right")):
        moving = np.abs(np.gradient(at[f"{side}_ball_x"])) + np.abs(np.gradient(at[f"{side}_ball_z"])) > 1e-5
        # A stance begins and ends a little inside its rest.
        still = np.convolve(moving, np.ones(5), "same") == 0
        down = still & (at[f"{side}_ball_z"] < 0.005)
        smooth = np.convolve(np.pad(down, 2, "edge"), np.hanning(7)[1:-1] / np.hanning(7).sum(), "valid") * down
        contacts[:, index, 1] = smooth
        contacts[:, index, 0] = smooth * (at[f"{side}_pitch"] > -1.0)
    return contacts


def floor_plan(angles, at, height, contacts, frame_rate, texts, posture, share) -> MotionPlan:
    """A plan whose pelvis goes where the curves say, `share` of the time (0 to 1 per frame)."""
    speed = np.gradient(at["hip_x"]) * frame_rate
    # The feet lead until the angles have arrived at the curves: before, they and the speed contradict each other.
    velocity = np.stack([speed, 0 * speed, smooth_step((share - 0.9) / 0.1)], axis=1)
    level = np.stack([height, share], axis=1)
    return MotionPlan(angles, contacts, frame_rate, texts, *posture, height=level, velocity=velocity)


def feet_first(times: np.ndarray, start: bool = True, end: bool = True) -> np.ndarray:
    """Share of a floor plan's own path: 0 where it joins standing, 1 in between."""
    rise = smooth_step((times - 0.1) / 0.5) if start else 1.0
    return rise * (smooth_step((times[-1] - 0.1 - times) / 0.5) if end else np.ones(len(times)))

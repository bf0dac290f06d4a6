# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""`MotionPlan`: joint angles and floor contacts over time, which can be joined and then become a `SegmentMotion`."""

from dataclasses import dataclass, replace

import numpy as np

from anymo_hf.simulation.motion import SegmentMotion, TextSpan
from anymo_hf.simulation.segments import DEFAULT_BONE_OFFSETS
from anymo_hf.simulation.synthesis.angles import ANGLE_INDEX, ANGLES, NUM_ANGLES, forward_kinematics, local_rotations
from anymo_hf.simulation.synthesis.arms import lift_arms
from anymo_hf.simulation.synthesis.contacts import plant_feet
from anymo_hf.simulation.synthesis.curves import smooth_step


BLEND = 0.6  # s in which one plan turns into the next
_OTHER_SIDE = {"left": "right", "right": "left"}
_LATERAL = ("obliquity", "bending", "rotation", "roll")  # of pelvis, trunk and neck: to one side


@dataclass
class MotionPlan:
    """
    What the joints do, before it is known where the body is.

    Plans are joined at the level of angles and contacts; the pelvis' path is solved once for the whole, so joints
    between activities are as smooth as the activities themselves.

    Args:
        angles (`np.ndarray` of shape `(num_frames, NUM_ANGLES)`):
            Anatomical angles in radians, in the order of `ANGLES`.
        contacts (`np.ndarray` of shape `(num_frames, 2, 2)`):
            From 0 (in the air) to 1 (on the floor) for left and right foot, heel and ball.
        frame_rate (`float`):
            Frames per second.
        texts (`tuple[TextSpan, ...]`, *optional*, defaults to `()`):
            In seconds from the plan's first frame.
        starts (`str`, *optional*, defaults to `"standing"`):
            Posture at the first frame, `"standing"` or `"seated"`.
        ends (`str`, *optional*, defaults to `"standing"`):
            Posture at the last frame.
        heading (`np.ndarray` of shape `(num_frames,)`, *optional*, defaults to `None`):
            How far the person has turned to the left since the first frame, in radians.
        floors (`np.ndarray` of shape `(num_frames, 2)`, *optional*, defaults to `None`):
            Height of what is below the left and the right foot, in metres: the steps of a stair.
        height (`np.ndarray` of shape `(num_frames, 2)`, *optional*, defaults to `None`):
            Pelvis height in metres where the feet don't decide it, and how much it counts, 0 to 1.
        velocity (`np.ndarray` of shape `(num_frames, 3)`, *optional*, defaults to `None`):
            Pelvis velocity forward and to the left in m/s where the feet don't decide it, and how much it counts.
    """

    angles: np.ndarray
    contacts: np.ndarray
    frame_rate: float
    texts: tuple[TextSpan, ...] = ()
    starts: str = "standing"
    ends: str = "standing"
    heading: np.ndarray | None = None
    floors: np.ndarray | None = None
    height: np.ndarray | None = None
    velocity: np.ndarray | None = None

    def __post_init__(self):
        num_frames = len(self.angles)
        self.heading = np.zeros(num_frames) if self.heading is None else self.heading
        self.floors = np.zeros((num_frames, 2)) if self.floors is None else self.floors
        self.height = np.zeros((num_frames, 2)) if self.height is None else self.height
        self.velocity = np.zeros((num_frames, 3)) if self.velocity is None else self.velocity

    @property
    def duration(self) -> float:
        """Seconds from the first to the last frame."""
        return (len(self.angles) - 1) / self.frame_rate

    def then(self, other: "MotionPlan") -> "MotionPlan":
        """This plan, flowing into another one within `BLEND` seconds."""
        if self.ends != other.starts or self.frame_rate != other.frame_rate:
            raise ValueError(
                f"Plans join only at the same posture and frame rate, but the first ends {self.ends} at "
                f"{self.frame_rate:g} Hz and the second starts {other.starts} at {other.frame_rate:g} Hz; "
                "put a transition such as sit_down between them."
            )
        overlap = min(round(BLEND * self.frame_rate), len(self.angles), len(other.angles))
        share = smooth_step(np.arange(1, overlap + 1) / (overlap + 1))

        def join(a, b):
            mixed = share.reshape(-1, *[1] * (a.ndim - 1))
            return np.concatenate([a[:-overlap], (1 - mixed) * a[-overlap:] + mixed * b[:overlap], b[overlap:]])

        # The same posture may have been reached by another number of turns: nobody spins to make up for it.
        turns = 2 * np.pi * np.round((self.angles[-1] - other.angles[0]) / (2 * np.pi))
        shift = (len(self.angles) - overlap) / self.frame_rate
        middle = shift + overlap / 2 / self.frame_rate
        texts = [replace(t, end=min(t.end, middle)) for t in self.texts]
        texts += [replace(t, start=max(t.start + shift, middle), end=t.end + shift) for t in other.texts]

        def join_given(a, b):
            """The last column says how much the others count."""
            share = join(a[:, -1:], b[:, -1:])
            values = join(a[:, :-1] * a[:, -1:], b[:, :-1] * b[:, -1:]) / np.maximum(share, 1e-9)
            return np.concatenate([values, share], axis=1)

        # The next activity goes on where this one has led: turned, and a floor higher or lower.
        level = self.floors[-1].mean()
        return MotionPlan(
            join(self.angles, other.angles + turns),
            join(self.contacts, other.contacts),
            self.frame_rate,
            tuple(texts),
            self.starts,
            other.ends,
            join(self.heading, self.heading[-1] + other.heading),
            join(self.floors, level + other.floors),
            join_given(self.height, other.height + [level, 0.0]),
            join_given(self.velocity, other.velocity),
        )

    def mirrored(self) -> "MotionPlan":
        """The same plan with left and right exchanged: a right-handed person's becomes a left-handed person's."""
        return replace(
            self,
            angles=mirror_angles(self.angles),
            contacts=self.contacts[:, ::-1].copy(),
            heading=-self.heading,
            floors=self.floors[:, ::-1].copy(),
            velocity=self.velocity * [1.0, -1.0, 1.0],
        )

    def to_motion(
        self, bone_offsets: np.ndarray | None = None, heading: float = 0.0, source: dict[str, str] | None = None
    ) -> SegmentMotion:
        """
        Solves for the pelvis' path and poses the body.

        Args:
            bone_offsets (`np.ndarray` of shape `(23, 3)`, *optional*, defaults to `DEFAULT_BONE_OFFSETS`):
                The subject's bones, parent origin to segment origin in the T-pose, in metres.
            heading (`float`, *optional*, defaults to 0.0):
                Direction the person faces, in radians from +x towards +y.
            source (`dict[str, str]`, *optional*, defaults to `None`):
                Added to the motion's `source`.

        Returns:
            `SegmentMotion`: The floor is at z = 0 and the pelvis starts above the origin.
        """
        offsets = np.array(DEFAULT_BONE_OFFSETS if bone_offsets is None else bone_offsets, dtype=np.float64)
        heading = heading + self.heading
        local = local_rotations(self.angles, heading)
        forward, left, share = self.velocity.T
        cosine, sine = np.cos(heading), np.sin(heading)
        velocity = np.stack([forward * cosine - left * sine, forward * sine + left * cosine, share], axis=1)
        root, local = plant_feet(local, self.contacts, offsets, self.frame_rate, self.floors, self.height, velocity)
        positions, orientations = forward_kinematics(local, root, offsets)
        positions, orientations = lift_arms(positions, orientations, offsets, self.floors.min(1), self.frame_rate)
        timestamps = np.arange(len(root)) / self.frame_rate
        described = {"dataset": "anymo-hf synthesis", "license": "Apache-2.0"} | (source or {})
        return SegmentMotion(positions, orientations, timestamps, None, offsets, self.texts, described)


def set_angles(angles: np.ndarray, **degrees: np.ndarray | float) -> np.ndarray:
    """Writes named angles (degrees) into an angle array; names without a side set both sides."""
    for name, value in degrees.items():
        names = [name] if name in ANGLE_INDEX else [f"left_{name}", f"right_{name}"]
        for column in names:
            angles[:, ANGLE_INDEX[column]] = np.radians(value)
    return angles


def mirror_angles(angles: np.ndarray) -> np.ndarray:
    """Angles of shape `(num_frames, NUM_ANGLES)` with left and right exchanged."""
    mirrored = np.empty_like(angles)
    for column, name in enumerate(ANGLES):
        first, rest = name.split("_", 1)
        if first in _OTHER_SIDE:
            mirrored[:, column] = angles[:, ANGLE_INDEX[f"{_OTHER_SIDE[first]}_{rest}"]]
        else:
            mirrored[:, column] = -angles[:, column] if rest in _LATERAL else angles[:, column]
    return mirrored


def no_angles(num_frames: int) -> np.ndarray:
    """Upright standing with straight joints, shape `(num_frames, NUM_ANGLES)`."""
    return np.zeros((num_frames, NUM_ANGLES))

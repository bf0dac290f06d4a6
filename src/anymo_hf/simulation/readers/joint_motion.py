# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""`JointMotion`: what a skeleton file says, before it is mapped onto the 23 segments."""

from dataclasses import dataclass, field, replace

import numpy as np

from anymo_hf.simulation.readers.quaternions import multiply, rotate


@dataclass
class JointMotion:
    """
    A tree of joints and its local rotations over time, in the axes and the length unit of the file.

    Args:
        names (`tuple[str, ...]`):
            Joint names; a parent always comes before its children.
        parents (`tuple[int, ...]`):
            Index of every joint's parent, -1 for the root.
        offsets (`np.ndarray` of shape `(num_joints, 3)`):
            Position of each joint in its parent's frame, in file units.
        rotations (`np.ndarray` of shape `(4, num_joints, num_frames)`):
            Quaternions w, x, y, z from a joint's frame to its parent's; the root's to the file's world.
        translations (`dict[int, np.ndarray]`):
            For the joints with position channels: `(3, num_frames)` positions that stand in for the offset.
        frame_time (`float`):
            Seconds from one frame to the next.
        unit (`float`, *optional*, defaults to `None`):
            Metres per file unit, where the file says so.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: np.ndarray
    rotations: np.ndarray
    frame_time: float
    translations: dict[int, np.ndarray] = field(default_factory=dict)
    unit: float | None = None

    @property
    def num_frames(self) -> int:
        return self.rotations.shape[-1]

    def from_frame(self, first: int) -> "JointMotion":
        """The same motion without the frames before `first`."""
        translations = {joint: values[:, first:] for joint, values in self.translations.items()}
        return replace(self, rotations=self.rotations[..., first:], translations=translations)


def joint_poses(motion: JointMotion) -> tuple[np.ndarray, np.ndarray]:
    """
    Forward kinematics: where every joint is and how it is turned.

    Args:
        motion (`JointMotion`):
            The joints' local rotations.

    Returns:
        `tuple[np.ndarray, np.ndarray]`: Positions `(3, num_joints, num_frames)` in file units, and quaternions
        `(4, num_joints, num_frames)` from each joint's frame to the file's world.
    """
    rotations = np.empty_like(motion.rotations)
    positions = np.empty((3, *rotations.shape[1:]))
    for joint, parent in enumerate(motion.parents):
        step = motion.translations.get(joint, motion.offsets[joint][:, None])
        if parent < 0:
            rotations[:, joint], positions[:, joint] = motion.rotations[:, joint], step
        else:
            rotations[:, joint] = multiply(rotations[:, parent], motion.rotations[:, joint])
            positions[:, joint] = positions[:, parent] + rotate(rotations[:, parent], step)
    return positions, rotations


def parse_numbers(text: str, where: str) -> np.ndarray:
    """
    All numbers of a text that are separated by white space.

    Args:
        text (`str`):
            The text.
        where (`str`):
            File and part of it, for the error message.

    Returns:
        `np.ndarray` of shape `(num_values,)`: Float64 values, all finite.

    Raises:
        ValueError: If anything else stands in the text, or a number is not finite.
    """
    import warnings

    # Five times faster than float() on split words; it reports junk by a warning and stops there.
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            values = np.fromstring(text, dtype=np.float64, sep=" ")
        except (DeprecationWarning, ValueError):
            raise ValueError(_first_bad_word(text, where)) from None
    if not text.strip():
        return np.zeros(0)
    if not np.isfinite(values).all():
        raise ValueError(
            f"{where}: value {np.flatnonzero(~np.isfinite(values))[0] + 1} is not finite; cut those frames out of the "
            "file or repair them in the program that wrote it."
        )
    return values


def _first_bad_word(text: str, where: str) -> str:
    for position, word in enumerate(text.split()):
        try:
            float(word)
        except ValueError:
            shown = word if len(word) <= 40 else word[:40] + "..."
            return (
                f"{where}: expected a number, but value {position + 1} is {shown!r}; export the file again with "
                "decimal points and without anything else between the numbers."
            )
    return f"{where}: the numbers cannot be read; export the file again."

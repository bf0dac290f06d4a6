# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""NymeriaPlus: the SMPL body of a recording (`body/xdata_smpl_neutral.npz`)."""

import hashlib
from pathlib import Path

import numpy as np

from anymo_hf.simulation.motion import SegmentMotion
from anymo_hf.simulation.readers.nymeria import read_arrays
from anymo_hf.simulation.readers.retarget import retarget
from anymo_hf.simulation.readers.smpl import (
    SMPL_JOINT_MAP,
    average_joints,
    read_model_joints,
    read_numbers,
    smpl_joint_motion,
)


NYMERIA_SMPL_KEYS = frozenset({"body_pose", "global_orient", "transl"})
# The published description gives the unit but not the name.
_TIME_KEYS = ("timestamps_us", "timestamps")
_Z_UP_TO_Y_UP = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])


def read_nymeria_smpl(path: str | Path, model_path: str | Path | None = None) -> SegmentMotion:
    """
    Read `body/xdata_smpl_neutral.npz` of NymeriaPlus. Unverified on an original file: written from the published
    layout, and sources disagree about the up axis of its world, so that it is found from the pelvis, which stands
    upright most of the time. `xdata.npz` of the same recording is closer to what was measured.

    Args:
        path (`str` or `Path`):
            The file, with `body_pose`, `global_orient`, `transl` and time stamps in microseconds.
        model_path (`str` or `Path`, *optional*, defaults to `None`):
            The neutral SMPL model (`.npz` or `.pkl`) for the subject's bone lengths; see `read_amass`.

    Returns:
        `SegmentMotion`: On the recording's shared clock, in a world with z up.

    Raises:
        ValueError: If one of the files is damaged or of another kind.
        FileNotFoundError: If there is no such file.
    """
    path = Path(path)
    arrays = read_arrays(path, "NymeriaPlus SMPL motion", tuple(sorted(NYMERIA_SMPL_KEYS)), (*_TIME_KEYS, "betas"))
    orient, pose, moved = (
        read_numbers(arrays[name], 2, f"{path.name}, {name}") for name in ("global_orient", "body_pose", "transl")
    )
    stamps = next((np.ravel(arrays[name]) for name in _TIME_KEYS if name in arrays), np.zeros(0))
    stamps = read_numbers(stamps, 1, f"{path.name}, time stamps")
    num_frames = len(stamps)
    shapes = orient.shape, pose.shape, moved.shape
    if num_frames < 2 or shapes != ((num_frames, 3), (num_frames, 69), (num_frames, 3)):
        raise ValueError(
            f"{path.name}: expected global_orient, body_pose and transl of shape (num_frames, 3), "
            f"(num_frames, 69) and (num_frames, 3) with as many time stamps, at least two, but they have {shapes} and "
            f"{num_frames}."
        )
    seconds = stamps / 1e6
    if not (np.diff(seconds) > 0).all():
        raise ValueError(f"{path.name}: its time stamps must rise from frame to frame; download it again.")
    betas = read_numbers(np.atleast_2d(arrays.get("betas", np.zeros((1, 0)))), 2, f"{path.name}, betas")
    rest = average_joints() if model_path is None else read_model_joints(model_path, np.median(betas, axis=0))
    poses = np.concatenate([orient, pose], axis=1)
    joints = smpl_joint_motion(poses, moved, rest, 1 / np.median(np.diff(seconds)), _to_y_up(orient, path.name))
    motion = retarget(joints, SMPL_JOINT_MAP, path.name)
    motion.timestamps = seconds
    motion.source = {
        "name": path.absolute().parent.parent.name if path.absolute().parent.name == "body" else path.stem,
        "dataset": "NymeriaPlus",
        "license": "CC BY-NC 4.0",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "clock": "TIME_CODE",
        "body": "average bone offsets" if model_path is None else Path(model_path).name,
    }
    return motion


def _to_y_up(orient: np.ndarray, file: str) -> np.ndarray:
    """What turns the world so that y is up, from the pelvis' rotation vectors `(num_frames, 3)`."""
    angle = np.linalg.norm(orient, axis=1, keepdims=True)
    axis = orient / np.maximum(angle, 1e-12)
    # Rodrigues' formula for the model's up axis, y.
    y = np.array([0.0, 1, 0])
    up = y * np.cos(angle) + np.cross(axis, y) * np.sin(angle) + axis * axis[:, 1:2] * (1 - np.cos(angle))
    mean = np.median(up, axis=0)
    if max(mean[1], mean[2]) < 0.5:
        raise ValueError(f"{file}: neither y nor z is up in its world, judging by a pelvis that points to {mean}.")
    return np.eye(3) if mean[1] > mean[2] else _Z_UP_TO_Y_UP

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Recordings of one sensor and, at the same time, the motion of what it was fixed to, from `ANYMO_DATA`."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from anymo_hf.processing.placements_anymo import NUM_SEGMENTS, SEGMENTS
from anymo_hf.simulation.motion import SegmentMotion
from anymo_hf.simulation.rotations import matrix_to_quaternion


@dataclass
class PairedRecording:
    """
    A real sensor and the measured motion of its carrier.

    Args:
        dataset, name, subject (`str`):
            Where it comes from.
        motion (`SegmentMotion`):
            The carrier; a rigid body takes one of the 23 segments and the others are False in the mask.
        segment (`int`):
            The segment that carries the sensor.
        times (`np.ndarray` of shape `(num_samples,)`):
            The sensor's own clock in seconds, regular, within a fraction of a second of the motion's.
        values (`np.ndarray` of shape `(num_samples, 6)`):
            Specific force (m/s^2) and angular rate (rad/s) in the sensor's frame; NaN where not measured.
        judged (`tuple[float, float]`):
            First and last second of what is to be compared. The first half of it is for fitting.
        for_development (`bool`):
            Whether settings may be chosen on it. Figures for such recordings are not held out.
        has_force (`bool`, *optional*, defaults to `True`):
            False if positions are unknown, so that only the angular rate can be compared.
        lever_arm (`np.ndarray` of shape `(3,)`, *optional*, defaults to `None`):
            The sensor's place in the segment frame in metres, if it is known; otherwise it is fitted.
    """

    dataset: str
    name: str
    subject: str
    motion: SegmentMotion
    segment: int
    times: np.ndarray
    values: np.ndarray
    judged: tuple[float, float]
    for_development: bool
    has_force: bool = True
    lever_arm: np.ndarray | None = None


def data_folder() -> Path:
    """The folder in the environment variable `ANYMO_DATA`."""
    if "ANYMO_DATA" not in os.environ:
        raise SystemExit("Set ANYMO_DATA to the folder that holds `paired/` with the recordings named in READERS.")
    return Path(os.environ["ANYMO_DATA"])


def rigid_body(positions: np.ndarray, orientations: np.ndarray, timestamps: np.ndarray, segment: int) -> SegmentMotion:
    """The motion of one body, shapes `(num_frames, 3)` and `(num_frames, 4)`; frames that are not finite are gaps."""
    mask = np.zeros((len(timestamps), NUM_SEGMENTS), bool)
    mask[:, segment] = np.isfinite(positions).all(-1) & np.isfinite(orientations).all(-1)
    all_positions = np.zeros((len(timestamps), NUM_SEGMENTS, 3))
    all_orientations = np.zeros((len(timestamps), NUM_SEGMENTS, 4))
    all_orientations[..., 0] = 1
    all_positions[:, segment] = np.where(mask[:, [segment]], positions, 0.0)
    all_orientations[:, segment] = np.where(mask[:, [segment]], orientations, (1.0, 0.0, 0.0, 0.0))
    return SegmentMotion(all_positions, all_orientations, timestamps, mask)


def read_broad(folder: Path) -> Iterator[PairedRecording]:
    """
    BROAD (Laidig et al., Data 6(7), 2021): a sensor on a rigid frame moved by hand, with optical pose.

    The optical system ran at 120 Hz and its poses were interpolated linearly to the sensor's clock (their third
    differences beat at 285.7 - 2 x 120 = 45.7 Hz); occlusions of more than a few optical frames are NaN. Judged is
    what its authors judge, the span of the `movement` flag, without the rest before and after.
    """
    with np.load(folder / "paired" / "broad.npz") as data:
        times = np.arange(max(len(data[f"{name}/movement"]) for name in data["trials"])) / float(data["hz"])
        for name in data["trials"].tolist():
            values = np.concatenate([data[f"{name}/imu_acc"], data[f"{name}/imu_gyr"]], axis=1).astype(np.float64)
            clock = times[: len(values)]
            moving = clock[data[f"{name}/movement"]]
            motion = rigid_body(data[f"{name}/opt_pos"], data[f"{name}/opt_quat"], clock, segment=0)
            yield PairedRecording(
                "BROAD", name, "rig", motion, 0, clock, values, (moving[0], moving[-1]), name[:2] in ("01", "06", "10")
            )


def read_repoimu(folder: Path) -> Iterator[PairedRecording]:
    """
    RepoIMU, T-stick (Szczesna et al., ICCVG 2016): a sensor on a stick turned about one axis after another.

    Only the orientation is published, so only the angular rate is compared. The first four trials are for choosing.
    """
    with np.load(folder / "paired" / "repoimu_tstick.npz") as data:
        for index, name in enumerate(key for key in data.files if key != "columns"):
            table = data[name].astype(np.float64)
            # Times are written in hundredths of a second in single precision.
            times = table[0, 0] + np.arange(len(table)) / 100.0
            motion = rigid_body(np.zeros((len(table), 3)), table[:, 1:5], times, segment=0)
            yield PairedRecording(
                "RepoIMU T-stick", name, "rig", motion, 0, times, table[:, 5:11], (times[0], times[-1]), index < 4,
                has_force=False,
            )  # fmt: skip


def read_gaitmap(folder: Path) -> Iterator[PairedRecording]:
    """
    The example walk of gaitmap (Kuederle et al., IEEE OJEMB 2024): both insteps, and three markers on either foot.

    The foot's pose is the best rigid fit to toe, heel and fifth metatarsal.
    """
    with np.load(folder / "paired" / "gaitmap" / "gaitmap_walk.npz") as data:
        markers, names = data["markers_m"].astype(np.float64), data["marker_names"].tolist()
        timestamps = np.arange(len(markers)) / float(data["mocap_hz"])
        for side in ("left", "right"):
            letter = side[0].upper()
            foot = markers[:, [names.index(f"{letter}_{name}") for name in ("TOE", "FCC", "FM5")]]
            segment = SEGMENTS.index(f"{letter}_Foot")
            motion = rigid_body(*fit_rigid_body(foot), timestamps, segment)
            values = data[f"imu_{side}"].astype(np.float64)
            times = np.arange(len(values)) / float(data["imu_hz"])
            yield PairedRecording(
                "gaitmap", f"{side} foot", "s1", motion, segment, times, values, (times[0], timestamps[-1]), False
            )


def fit_rigid_body(markers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions and quaternions that best move one fixed shape onto markers, shape `(num_frames, num_markers, 3)`."""
    center = markers.mean(1)
    # The shape: every frame's markers turned onto the first frame's, averaged; then every frame is fitted to that.
    shape = (markers - center[:, None])[0]
    for _ in range(3):
        u, _, vt = np.linalg.svd(np.swapaxes(markers - center[:, None], 1, 2) @ shape)
        u[..., 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
        rotation = u @ vt  # shape to world
        shape = ((markers - center[:, None]) @ rotation).mean(0)
    quaternions = matrix_to_quaternion(torch.from_numpy(rotation)).numpy()
    signs = np.sign((quaternions[1:] * quaternions[:-1]).sum(-1, keepdims=True))
    quaternions[1:] *= np.cumprod(signs, axis=0)
    return center, quaternions


READERS = {"broad": read_broad, "repoimu": read_repoimu, "gaitmap": read_gaitmap}

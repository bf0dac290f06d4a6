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


FOOT_WEIGHTS = (0.01, 1.0, 1.0)  # of toe, heel and fifth metatarsal


@dataclass(eq=False)
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
            First and last second of what is to be compared.
        split (`float`, *optional*, defaults to halfway through `judged`):
            The second before which alignments are fitted and after which they are judged.
        for_development (`bool`):
            Whether settings may be chosen on it. Figures for such recordings are not held out.
        has_force (`bool`, *optional*, defaults to `True`):
            False if positions are unknown, so that only the angular rate can be compared.
        has_rate (`bool`, *optional*, defaults to `True`):
            False if the angular rate helps to align but must not be judged, because the clocks were set with it.
        band (`float`, *optional*, defaults to 15.0):
            Hertz up to which readings are compared.
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
    split: float | None = None
    has_rate: bool = True
    band: float = 15.0

    def __post_init__(self):
        if self.split is None:
            self.split = sum(self.judged) / 2


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

    Only the orientation is published, so only the angular rate is compared. A pose that repeats the one before to the
    last digit was not measured (trial 03-1 stands still for a second so). The first four trials are for choosing.
    """
    with np.load(folder / "paired" / "repoimu_tstick.npz") as data:
        for index, name in enumerate(key for key in data.files if key != "columns"):
            table = data[name].astype(np.float64)
            # Times are written in hundredths of a second in single precision.
            times = table[0, 0] + np.arange(len(table)) / 100.0
            frozen = (np.diff(table[:, 1:5], axis=0) == 0).all(1)
            table[1:][frozen, 1:5] = np.nan
            motion = rigid_body(np.zeros((len(table), 3)), table[:, 1:5], times, segment=0)
            yield PairedRecording(
                "RepoIMU T-stick", name, "rig", motion, 0, times, table[:, 5:11], (times[0], times[-1]), index < 4,
                has_force=False,
            )  # fmt: skip


def read_gaitmap(folder: Path) -> Iterator[PairedRecording]:
    """
    The example walk of gaitmap (Kuederle et al., IEEE OJEMB 2024): both insteps, and three markers on either foot.

    The foot's pose is the best rigid fit to toe, heel and fifth metatarsal. A foot bends at the root of its toes, and
    the sensor does not, so the toe only decides what the other two leave open, the turn about their line. The left
    foot is for choosing: with equal weights its force is off by 0.271 standard deviations, so by 0.246.
    """
    with np.load(folder / "paired" / "gaitmap" / "gaitmap_walk.npz") as data:
        markers, names = data["markers_m"].astype(np.float64), data["marker_names"].tolist()
        timestamps = np.arange(len(markers)) / float(data["mocap_hz"])
        for side in ("left", "right"):
            letter = side[0].upper()
            foot = markers[:, [names.index(f"{letter}_{name}") for name in ("TOE", "FCC", "FM5")]]
            segment = SEGMENTS.index(f"{letter}_Foot")
            motion = rigid_body(*fit_rigid_body(foot, FOOT_WEIGHTS)[:2], timestamps, segment)
            values = data[f"imu_{side}"].astype(np.float64)
            times = np.arange(len(values)) / float(data["imu_hz"])
            yield PairedRecording(
                "gaitmap",
                f"{side} foot",
                "s1",
                motion,
                segment,
                times,
                values,
                (times[0], timestamps[-1]),
                side == "left",
            )


def fit_rigid_body(markers: np.ndarray, weights=None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    The motion of one fixed shape that fits markers best, and the shape.

    The shape is the median of all frames' markers, each turned onto the shape (generalised Procrustes analysis), so
    that it belongs to the subject and not to a frame or trial, and a marker that is astray for a while does no harm.

    Args:
        markers (`np.ndarray` of shape `(num_frames, num_markers, 3)`):
            Metres, NaN where a marker was not seen. The first frame with most markers is the first guess of the shape.
        weights (`Sequence[float]` of length `num_markers`, *optional*, defaults to `None`):
            How much each marker's square counts; `None` for all alike.

    Returns:
        `tuple[np.ndarray, np.ndarray, np.ndarray]`: Positions and quaternions as from `fit_shape`, and the shape
        `(num_markers, 3)` in metres, with its origin at the markers' mean.
    """
    shape = markers[np.argmax(np.isfinite(markers).all(-1).sum(1))]
    for _ in range(6):
        shape = shape - shape.mean(0)
        positions, quaternions, misfit = fit_shape(markers, shape, weights)
        shape = shape + np.nanmedian(misfit, axis=0)
    return positions, quaternions, shape


def fit_shape(markers: np.ndarray, shape: np.ndarray, weights=None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Poses that move a shape onto markers with the least weighted sum of squares, frame by frame (Kabsch's method).

    Args:
        markers (`np.ndarray` of shape `(num_frames, num_markers, 3)`):
            Metres, NaN where a marker was not seen.
        shape (`np.ndarray` of shape `(num_markers, 3)`):
            Where the markers are on the body, in metres.
        weights (`Sequence[float]` of length `num_markers`, *optional*, defaults to `None`):
            How much each marker's square counts; `None` for all alike.

    Returns:
        `tuple[np.ndarray, np.ndarray, np.ndarray]`: Positions of the shape's origin `(num_frames, 3)`,
        world-from-shape quaternions `(num_frames, 4)`, and markers minus shape in the shape's frame
        `(num_frames, num_markers, 3)`. NaN in frames with fewer than three markers.
    """
    seen = np.isfinite(markers).all(-1)
    usable = seen.sum(1) >= 3
    weight = seen[usable] * (np.ones(len(shape)) if weights is None else np.asarray(weights))
    weight = (weight / weight.sum(1, keepdims=True))[..., None]
    points = np.nan_to_num(markers[usable])
    center, middle = (points * weight).sum(1), (shape * weight).sum(1)  # of the markers seen
    u, _, vt = np.linalg.svd(np.swapaxes((points - center[:, None]) * weight, 1, 2) @ (shape - middle[:, None]))
    u[..., 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    rotation = u @ vt  # shape to world
    positions, quaternions = np.full((len(markers), 3), np.nan), np.full((len(markers), 4), np.nan)
    positions[usable] = center - np.einsum("tij,tj->ti", rotation, middle)
    quaternions[usable] = continuous(matrix_to_quaternion(torch.from_numpy(rotation)).numpy())
    misfit = np.full(markers.shape, np.nan)
    misfit[usable] = (markers[usable] - positions[usable][:, None]) @ rotation - shape
    return positions, quaternions, misfit


def continuous(quaternions: np.ndarray) -> np.ndarray:
    """The same rotations, shape `(num_frames, 4)`, with the sign that lies nearer to the frame before."""
    signs = np.where((quaternions[1:] * quaternions[:-1]).sum(-1, keepdims=True) < 0, -1.0, 1.0)
    return quaternions * np.concatenate([np.ones((1, 1)), np.cumprod(signs, axis=0)])

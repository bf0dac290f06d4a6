# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Paired recordings of people: many short trials with markers or a depth camera, and a walk with two systems."""

import lzma
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from paired_data import (
    PairedRecording,
    continuous,
    fit_rigid_body,
    fit_shape,
    read_broad,
    read_gaitmap,
    read_repoimu,
    rigid_body,
)

from anymo_hf.processing.placements_anymo import SEGMENTS
from anymo_hf.simulation.rotations import matrix_to_quaternion


GAP = 0.8  # s between trials on a common timeline: more than the filter's reach and the clocks' offset together

# KNE2 is left out: in S01 its distances from the others vary by 1 to 11 cm, those among the others by 1 to 4 mm.
SHANK_MARKERS = ("KNE", "TIB", "ANK", "ANK2")

MAX_MISFIT = 0.01  # m; skin moves the markers of most subjects by less

# Sensor: segment, quaternion, and the two points between which the segment's origin is taken.
GAIT_TECH = {
    "Pelvis": ("Pelvis", "RPV", ("PELV", "PELV")),
    "R_UpLeg": ("R_UpperLeg", "RTH", ("RFEP", "RFEO")),
    "L_UpLeg": ("L_UpperLeg", "LTH", ("LFEP", "LFEO")),
    "R_LowLeg": ("R_LowerLeg", "RSK", ("RFEO", "RTIO")),
    "L_LowLeg": ("L_LowerLeg", "LSK", ("LFEO", "LTIO")),
    "R_LowLeg2": ("R_LowerLeg", "RSK", ("RFEO", "RTIO")),
    "L_LowLeg2": ("L_LowerLeg", "LSK", ("LFEO", "LTIO")),
    "R_Foot": ("R_Foot", "RFT", ("RTIO", "RTOE")),
    "L_Foot": ("L_Foot", "LFT", ("LTIO", "LTOE")),
}

# Sensor: segment, the joints of its limb, which bone of the limb carries it, and the way the joint between them bends.
UTD_SENSORS = {
    "right wrist": ("R_Forearm", ("right_shoulder", "right_elbow", "right_wrist"), 1, 1.0),
    "right thigh": ("R_UpperLeg", ("right_hip", "right_knee", "right_ankle"), 0, -1.0),
}
UTD_BAND = 8.0  # Hz; the skeleton has 19 frames a second
# How much the body's right counts for a limb's hinge, beside the sine of its bend: of 0.1, 0.3, 1 and 3 the one with
# the least error for subjects 1 to 4.
HINGE_SHARE = 3.0


def from_trials(
    trials: list[tuple[np.ndarray, np.ndarray, np.ndarray]], sensor_rate: float, segment: int, **about
) -> PairedRecording:
    """
    Many short trials with one sensor as one recording: every other trial is for fitting, the rest is judged.

    The trials are put on a common timeline with gaps between them, those for fitting first.

    Args:
        trials (`list[tuple[np.ndarray, np.ndarray, np.ndarray]]`):
            Positions `(num_frames, 3)` in metres, world-from-segment quaternions `(num_frames, 4)` and readings
            `(num_samples, 6)` of every trial. Frames are spread evenly from the first sample to the last.
        sensor_rate (`float`):
            Samples per second.
        segment (`int`):
            The segment that carries the sensor.
        about:
            Other fields of `PairedRecording`.

    Returns:
        `PairedRecording`: Of all trials.
    """
    gap = round(GAP * sensor_rate)
    poses, readings, stamps, split, samples = [], [], [], None, 0
    for number, (positions, orientations, values) in enumerate(trials[::2] + trials[1::2]):
        if number == len(trials[::2]):
            split = (samples - gap / 2) / sensor_rate
        poses.append(np.concatenate([positions, orientations], axis=1))
        stamps.append((samples + np.linspace(0, len(values) - 1, len(positions))) / sensor_rate)
        # One pose that was not measured, halfway to the next trial, so that nobody joins them.
        poses.append(np.full((1, 7), np.nan))
        stamps.append(np.array([samples + len(values) - 1 + gap / 2]) / sensor_rate)
        readings += [values.astype(np.float64), np.full((gap, 6), np.nan)]
        samples += len(values) + gap
    pose, stamps, values = np.concatenate(poses), np.concatenate(stamps), np.concatenate(readings)
    motion = rigid_body(pose[:, :3], pose[:, 3:], stamps, segment)
    times = np.arange(len(values)) / sensor_rate
    return PairedRecording(
        motion=motion, segment=segment, times=times, values=values, judged=(0.0, times[-1]), split=split, **about
    )


def read_gaitdynamics(folder: Path) -> Iterator[PairedRecording]:
    """
    GaitDynamicsIMU (Li et al., Zhejiang University): both shanks of 12 people who walk through a laboratory.

    The shank's pose is the best rigid fit to four markers, with one shape per subject. Trials were found in the
    sensor's recording by the correlation of its angular rate with the markers', to a whole sample of 10 ms, so only
    the force is judged. Subjects 1 to 6 are for choosing.
    """
    with np.load(folder / "paired" / "gaitdynamics_shank.npz") as data:
        markers, names, subjects = data["markers_m"].astype(np.float64), data["marker_names"].tolist(), data["subject"]
        spans = [slice(start, start + length) for start, length in zip(data["start"], data["length"], strict=True)]
        for subject in np.unique(subjects).tolist():
            chosen = [span for span, owner in zip(spans, subjects, strict=True) if owner == subject]
            for side in ("left", "right"):
                letter, readings = side[0].upper(), data[f"imu_{side}"]
                columns = [names.index(letter + name) for name in SHANK_MARKERS]
                poses = fit_marker_trials([markers[span][:, columns] for span in chosen])
                yield from_trials(
                    [(*pose, readings[span]) for pose, span in zip(poses, chosen, strict=True)],
                    float(data["hz"]), SEGMENTS.index(f"{letter}_LowerLeg"), dataset="GaitDynamics",
                    name=f"{subject} {side}", subject=subject, for_development=int(subject[1:]) <= 6, has_rate=False,
                )  # fmt: skip


def fit_marker_trials(trials: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """
    Poses of one body in many trials, of which some have a marker that came off or was taken for another.

    Args:
        trials (`list[np.ndarray]` each of shape `(num_frames, num_markers, 3)`):
            Markers in metres.

    Returns:
        `list[tuple[np.ndarray, np.ndarray]]`: Positions and quaternions of every trial. All trials share one shape. A
        trial with a marker more than a centimetre off goes without the worst one; frames that still misfit are NaN.
    """
    shape = fit_rigid_body(np.concatenate(trials))[2]
    poses = []
    for markers in trials:
        best = (np.inf,)
        for dropped in (None, *range(len(shape))):  # None: keep all
            kept = markers.copy()
            if dropped is not None:
                kept[:, dropped] = np.nan
            positions, quaternions, misfit = fit_shape(kept, shape)
            worst = np.nanmax(np.linalg.norm(misfit, axis=-1), axis=1)
            if worst.mean() < best[0]:
                best = worst.mean(), positions, quaternions, worst
            if dropped is None and worst.max() <= MAX_MISFIT:
                break
        _, positions, quaternions, worst = best
        positions[worst > MAX_MISFIT] = np.nan
        poses.append((positions, quaternions))
    return poses


def read_gait_tech(folder: Path) -> Iterator[PairedRecording]:
    """
    One walk of Sy et al. (IEEE TBME 2021), 9.6 s: nine Xsens sensors, and the segments of a Vicon leg model.

    Orientations are the model's; the origin is taken halfway between the joint centres (toe marker) at either end.
    """
    with np.load(folder / "paired" / "gait_tech_xsens_vicon" / "s02_walk1.npz") as data:
        times = np.arange(len(data["imu/Pelvis/acc"])) / float(data["hz"])
        for sensor, (segment, quaternion, ends) in GAIT_TECH.items():
            origin = np.mean([data[f"vicon_pos_m/{end}"] for end in ends], axis=0, dtype=np.float64)
            turns = continuous(data[f"vicon_quat_wxyz/{quaternion}"].astype(np.float64))
            motion = rigid_body(origin, turns, times, SEGMENTS.index(segment))
            values = np.concatenate([data[f"imu/{sensor}/acc"], data[f"imu/{sensor}/gyr"]], axis=1).astype(np.float64)
            yield PairedRecording(
                "gait-tech",
                sensor,
                "S02",
                motion,
                SEGMENTS.index(segment),
                times,
                values,
                (times[0], times[-1]),
                False,
            )


def read_utd_mhad(folder: Path) -> Iterator[PairedRecording]:
    """
    UTD-MHAD (Chen et al., ICIP 2015): a sensor on the right wrist or thigh, and the skeleton of a depth camera.

    No optical truth: joints jump by centimetres, and a forearm's turn about itself is not seen at all. Frames of the
    skeleton cover the same time as the samples of the sensor, which makes about 19 a second and not the nominal 30.
    Trials of a subject with one sensor are one recording. Subjects 1 to 4 are for choosing.
    """
    with np.load(folder / "paired" / "utd_mhad.npz") as data:
        table = {key: data[key] for key in data.files}  # every access would decompress an array anew
    skeletons = _unpack(table["skeleton_xz"], table["skeleton_shape"]) * 1e-5
    skeletons = skeletons[..., [0, 2, 1]] * (1.0, -1.0, 1.0)  # y up to z up
    joints, rate = table["joint_names"].tolist(), float(table["imu_hz"])
    for subject in np.unique(table["subject"]).tolist():
        for sensor, (segment, limb, carrier, bend) in UTD_SENSORS.items():
            trials = []
            for trial in np.flatnonzero((table["subject"] == subject) & (table["sensor"] == sensor)):
                start, length = table["skel_start"][trial], table["skel_len"][trial]
                body = skeletons[start : start + length]
                right = body[:, joints.index("right_shoulder")] - body[:, joints.index("left_shoulder")]
                poses = limb_poses(*(body[:, joints.index(joint)] for joint in limb), right, carrier, bend)
                start, length = table["imu_start"][trial], table["imu_len"][trial]
                trials.append((*poses, table["imu"][start : start + length]))
            yield from_trials(
                trials, rate, SEGMENTS.index(segment), dataset="UTD-MHAD", name=f"S{subject} {sensor}",
                subject=f"S{subject}", for_development=subject <= 4, band=UTD_BAND,
            )  # fmt: skip


def _unpack(packed: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Whole numbers packed as zigzag-coded second differences, bytes of equal significance together, by LZMA."""
    coded = np.frombuffer(lzma.decompress(packed.tobytes()), np.uint8).reshape(4, -1).T.copy()
    coded = coded.view(np.uint32).ravel().astype(np.int64)
    differences = np.where(coded & 1, -(coded + 1) // 2, coded // 2).reshape(-1, int(shape[0])).T
    return differences.cumsum(axis=0).cumsum(axis=0).reshape(shape)


def limb_poses(near, middle, far, right, carrier: int, bend: float) -> tuple[np.ndarray, np.ndarray]:
    """
    Pose of one bone of an arm or leg from its joints.

    The bone is the z axis. The x axis is the hinge between the two bones; the straighter the limb, the less its joints
    say about the hinge and the more the direction to the body's right counts.

    Args:
        near (`np.ndarray` of shape `(num_frames, 3)`):
            Joint at the trunk, in metres.
        middle (`np.ndarray` of shape `(num_frames, 3)`):
            Elbow or knee.
        far (`np.ndarray` of shape `(num_frames, 3)`):
            Wrist or ankle.
        right (`np.ndarray` of shape `(num_frames, 3)`):
            The body's right, of any length.
        carrier (`int`):
            0 for the bone near the trunk, 1 for the other.
        bend (`float`):
            1 if the hinge of a limb that bends in front of the body points to the right, as an elbow's, -1 for a knee.

    Returns:
        `tuple[np.ndarray, np.ndarray]`: The bone's middle `(num_frames, 3)` and world-from-bone quaternions.
    """
    bones = [_unit(middle - near), _unit(far - middle)]
    hinge = bend * np.cross(*bones) + HINGE_SHARE * _unit(right)
    z = -bones[carrier]
    x = _unit(hinge - (hinge * z).sum(-1, keepdims=True) * z)
    rotation = np.stack([x, np.cross(z, x), z], axis=-1)
    quaternions = continuous(matrix_to_quaternion(torch.from_numpy(rotation)).numpy())
    return ((near + middle) / 2 if carrier == 0 else (middle + far) / 2), quaternions


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True).clip(1e-9)


READERS = {
    "broad": read_broad,
    "gait_tech": read_gait_tech,
    "gaitdynamics": read_gaitdynamics,
    "gaitmap": read_gaitmap,
    "repoimu": read_repoimu,
    "utd_mhad": read_utd_mhad,
}

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Paired recordings of people: many short trials with markers, and a walk with two capture systems."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
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


READERS = {
    "broad": read_broad,
    "gait_tech": read_gait_tech,
    "gaitdynamics": read_gaitdynamics,
    "gaitmap": read_gaitmap,
    "repoimu": read_repoimu,
}

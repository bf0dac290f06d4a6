# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
How well `calibrate` finds the up direction and the heading of worn sensors, in degrees.

    python benchmarks/calibration.py --dry_run                  # prints, records nothing
    python benchmarks/calibration.py --set synthetic --set xsens --set umafall

The folder with the recordings is taken from the environment variable ANYMO_DATA. What is compared:

- synthetic: walking of ten parametric people, sensors mounted at random with a phone's errors; truth is the mounting.
  Up is judged against the segment's up in the model posture, hanging arms included: the wearer's own posture counts.
- xsens: gait_tech_xsens_vicon, real walking of one person for 9.6 s; truth is the mean up direction by the sensors'
  own orientation, and for the heading the direction in which the pelvis moves (optical).
- HAR sets: no truth, but agreement between the walking-based estimate and the mean force of labelled standing (or
  standing still) of the same subject. UMAFall, SisFall and DSADS served for development; the others did not.
"""

import argparse
import math
import os
import warnings
from collections import defaultdict
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import torch

from anymo_hf.evaluation.results import Result, append_results, current_commit, machine_description
from anymo_hf.processing.calibration_anymo import calibrate, find_walking, quaternion_to_matrix, up_of_segment
from anymo_hf.processing.reading_anymo import read_recordings
from anymo_hf.processing.streams_anymo import Recording, SensorStream
from anymo_hf.simulation.errors import SensorErrors
from anymo_hf.simulation.imu import simulate_imu
from anymo_hf.simulation.kinematics import SegmentKinematics
from anymo_hf.simulation.placements import Placements
from anymo_hf.simulation.synthesis import plan_stand, plan_walk, sequence


WORN = ("waist", "lower back", "chest", "head", "left trouser pocket", "right thigh", "left ankle", "right foot",
        "left wrist", "right upper arm")  # fmt: skip
DSADS = {"torso": "chest", "right arm": "right wrist", "left arm": "left wrist", "right leg": "right knee",
         "left leg": "left knee"}  # fmt: skip
# file, names of its placements, activities of upright standing, whether settings were chosen on it
HAR_SETS = {
    "umafall": ("umafall", {}, (), True),
    "sisfall": ("sisfall_adl", {}, (), True),
    "dsads": ("dsads", DSADS, ("standing", "standing in an elevator still"), True),
    "hapt": ("hapt_ucihar_raw", {}, ("standing",), False),
    "wisdm": ("wisdm2019", {"wrist of the dominant hand": "wrist"}, ("standing",), False),
}


def angle(first: np.ndarray, second: np.ndarray) -> float:
    """Degrees between two vectors."""
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    return math.degrees(math.acos(float(np.clip(cosine, -1, 1))))


def turn_about_up(mounting: np.ndarray, truth: np.ndarray, up: np.ndarray) -> float:
    """Degrees between the two forward directions (x of the segment), seen from above, in the sensor's frame."""
    first, second = (matrix[0] - (matrix[0] @ up) * up for matrix in (mounting, truth))
    return angle(first, second)


def measure_synthetic() -> dict[tuple[str, str], list[float]]:
    """Errors on simulated people who stand, then walk."""
    found = defaultdict(list)
    for seed in range(10):
        speed = 0.9 + 0.08 * seed
        motion = sequence([plan_stand(4.0, seed=seed), plan_walk(14.0, speed, seed=seed)])
        kinematics = SegmentKinematics.from_motion(motion, 60.0)
        generator = torch.Generator().manual_seed(seed)
        placements = Placements.from_names(list(WORN)).mount(generator)
        imu = simulate_imu(kinematics, placements, SensorErrors.preset("phone"), generator).numpy()
        sensors = [SensorStream(name, imu[:, i], kinematics.timestamps) for i, name in enumerate(placements.names)]
        for how, standing in (("walking", None), ("standing", (0.5, 3.0))):
            calibrated = try_calibrate(Recording(tuple(sensors)), standing)
            for i, sensor in enumerate(calibrated.sensors):
                truth = quaternion_to_matrix(placements.orientation[i].double().numpy())
                judge(found, f"synthetic, {how}", sensor, truth, truth.T @ up_of_segment(sensor.segment))
    return found


def judge(found: dict, subset: str, sensor: SensorStream, truth: np.ndarray, up: np.ndarray) -> None:
    """Adds the errors of one sensor; `truth` turns sensor vectors into the segment frame, `up` is in the sensor's."""
    if sensor.calibration == "none":
        found[subset, "not calibrated"].append(1.0)
        return
    mounting = quaternion_to_matrix(sensor.mounting)
    found[subset, "not calibrated"].append(0.0)
    up_error = angle(mounting.T @ up_of_segment(sensor.segment), up)
    part = "arms" if abs(up_of_segment(sensor.segment)[2]) < 0.5 else "trunk, head and legs"
    found[f"{subset}, {part}", "up error (degrees)"].append(up_error)
    found[f"{subset}, {sensor.placement}", "up error (degrees)"].append(up_error)
    found[subset, "heading found"].append(sensor.calibration_quality["heading"])
    if sensor.calibration_quality["heading"]:
        error = turn_about_up(mounting, truth, up)
        found[subset, "heading error (degrees)"].append(error)
        found[f"{subset}, {sensor.placement}", "heading error (degrees)"].append(error)


def try_calibrate(recording: Recording, standing=None) -> Recording:
    """`calibrate`, or the recording as it is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return calibrate(recording, standing)
        except ValueError:
            return recording


def measure_xsens(folder: Path) -> dict[tuple[str, str], list[float]]:
    """Errors on the one trial with nine sensors on the lower body."""
    found = defaultdict(list)
    names = {"Pelvis": "back of the waist", "R_UpLeg": "right thigh", "L_UpLeg": "left thigh",
             "R_LowLeg": "right shin", "L_LowLeg": "left shin", "R_Foot": "right foot",
             "L_Foot": "left foot"}  # fmt: skip
    with np.load(folder / "paired" / "gait_tech_xsens_vicon" / "s02_walk1.npz") as data:
        pelvis = data["vicon_pos_m/PELV"]
        velocity = np.gradient(pelvis.astype(float), 1 / float(data["hz"]), axis=0)
        going = np.linalg.norm(velocity[:, :2], axis=1) > 0.5
        for key, place in names.items():
            values = np.concatenate([data[f"imu/{key}/acc"], data[f"imu/{key}/gyr"]], axis=1)
            sensor = SensorStream(place, values, np.arange(len(values)) / float(data["hz"]))
            calibrated = try_calibrate(Recording((sensor,))).sensors[0]
            frames = np.stack([quaternion_to_matrix(q) for q in data[f"imu/{key}/quat_wxyz"].astype(float)])
            truth = frames[going].transpose(0, 2, 1) @ np.array([0.0, 0.0, 1.0])
            up = truth.mean(0) / np.linalg.norm(truth.mean(0))
            walking = find_walking(sensor)
            if calibrated.calibration == "none":
                found["xsens", "not calibrated"].append(1.0)
                continue
            found["xsens", "not calibrated"].append(0.0)
            mounting = quaternion_to_matrix(calibrated.mounting)
            error = angle(walking.up, up)
            found["xsens, mean up while walking", "up error (degrees)"].append(error)
            found["xsens", "heading found"].append(calibrated.calibration_quality["heading"])
            if calibrated.calibration_quality["heading"]:
                ahead = np.einsum("nij,ni->nj", frames[going], velocity[going]).mean(0)
                flat = mounting[0] - (mounting[0] @ up) * up
                error = angle(flat, ahead - (ahead @ up) * up)
                found[f"xsens, {place}", "heading error (degrees)"].append(error)
                found["xsens", "heading error (degrees)"].append(error)
    return found


def measure_har(folder: Path, name: str) -> dict[tuple[str, str], list[float]]:
    """Agreement per subject and placement of walking-based up with standing, and with itself in two halves."""
    file, renamed, standing, _ = HAR_SETS[name]
    people = defaultdict(list)
    for recording in read_recordings(folder / "har" / f"{file}.parquet", placements=renamed):
        for sensor in recording.sensors:
            people[recording.source["subject"], sensor.placement].append((sensor, recording.activities))
    found = defaultdict(list)
    for (_, place), streams in people.items():
        joined = join_streams([sensor for sensor, _ in streams])
        walking = find_walking(joined)
        found[name, "not calibrated"].append(float(walking is None))
        still = [force for sensor, spans in streams for force in standing_forces(sensor, spans, standing)]
        if walking is None:
            continue
        found[name, "spread of windows (degrees)"].append(walking.spread)
        if still:
            sensor = try_calibrate(Recording((joined,))).sensors[0]
            up = quaternion_to_matrix(sensor.mounting_on(sensor.segments[0])).T @ up_of_segment(sensor.segments[0])
            error = angle(up, np.concatenate(still).mean(0))
            found[f"{name}, {place}", "up: walking against standing (degrees)"].append(error)
            found[name, "up: walking against standing (degrees)"].append(error)
        halves = (
            [find_walking(join_streams([s for s, _ in streams[i::2]])) for i in (0, 1)] if len(streams) > 1 else []
        )
        if halves and None not in halves:
            found[name, "up: one half of recordings against the other (degrees)"].append(
                angle(halves[0].up, halves[1].up)
            )
    return found


def standing_forces(sensor: SensorStream, spans, activities):
    """Force of all stretches of standing, shape `(num_samples, 3)` each."""
    for span in spans:
        if span.activity in activities:
            inside = (sensor.timestamps >= span.start) & (sensor.timestamps <= span.end)
            yield sensor.values[inside, :3]


def join_streams(streams: list[SensorStream]) -> SensorStream:
    """Recordings of one sensor after each other, with 10 s between them."""
    start, times = 0.0, []
    for stream in streams:
        times.append(stream.timestamps - stream.timestamps[0] + start)
        start = times[-1][-1] + 10
    values = np.concatenate([stream.values for stream in streams])
    return replace(streams[0], values=values, timestamps=np.concatenate(times))


def to_results(found: dict, note: str, **common) -> list[Result]:
    """Median and 90th percentile of errors, mean of shares."""
    rows = []
    for (subset, metric), values in found.items():
        dataset = subset.split(",")[0]
        figures = {"median": np.median(values), "90th percentile": np.percentile(values, 90)}
        if "degrees" not in metric:
            figures = {"share": np.mean(values)}
        rows += [
            Result("calibration", dataset, subset, "calibrate", f"{metric}, {which}", round(float(value), 3),
                   num_windows=len(values), note=note, **common)
            for which, value in figures.items()
        ]  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", action="append", choices=["synthetic", "xsens", *HAR_SETS])
    parser.add_argument("--dry_run", action="store_true", help="record nothing")
    options = parser.parse_args()
    if "ANYMO_DATA" not in os.environ:
        raise SystemExit("Set ANYMO_DATA to the folder that holds `har/` and `paired/`.")
    folder = Path(os.environ["ANYMO_DATA"])
    common = {
        "command": "python benchmarks/calibration.py", "commit": current_commit(), "machine": machine_description(),
        "date": date.today().isoformat(),
    }  # fmt: skip
    for name in options.set or ["synthetic", "xsens", *HAR_SETS]:
        if name == "synthetic":
            found, note = measure_synthetic(), "num_windows counts sensors; truth known"
        elif name == "xsens":
            found, note = measure_xsens(folder), "num_windows counts sensors; one person"
        else:
            developed = "settings were chosen on it" if HAR_SETS[name][3] else "not used for choosing settings"
            found, note = measure_har(folder, name), f"num_windows counts subject and placement; {developed}"
        results = to_results(found, note, **common)
        for row in results:
            print(f"{row.subset:45s} {row.metric:70s} {row.value:8.2f}  n={row.num_windows}", flush=True)
        if not options.dry_run:
            append_results(results)


if __name__ == "__main__":
    main()

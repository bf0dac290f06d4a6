# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Motions and recordings to try the page with; all of them are synthetic and made when the page starts."""

import functools
from pathlib import Path

import numpy as np
import torch

from anymo_hf.simulation.body import BodySurface
from anymo_hf.simulation.errors import SensorErrors
from anymo_hf.simulation.imu import simulate_imu
from anymo_hf.simulation.kinematics import STANDARD_GRAVITY, SegmentKinematics
from anymo_hf.simulation.motion import SegmentMotion
from anymo_hf.simulation.placements import Placements
from anymo_hf.simulation.synthesis import ACTIVITIES, demo_motion, sequence


MOTIONS = {
    "a person walks, sits down and waves": ("demo",),
    "a person stands, then runs": ("stand_hips", "run"),
    "a person climbs stairs and walks on": ("stairs_up", "walk"),
    "a person squats, then does jumping jacks": ("squat", "jumping_jack"),
}
CHANNELS = ("acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z")
# Name on the button, file, motion, placements, and whether the file says units and places.
RECORDINGS = (
    ("Watch: walks, sits, waves", "watch.csv", "a person walks, sits down and waves", ("left wrist",), True),
    ("Watch and phone: runs", "watch_and_phone.csv", "a person stands, then runs",
     ("left wrist", "right trouser pocket"), True),
    ("A file that does not say its units", "unknown_units.csv", "a person squats, then does jumping jacks",
     ("chest",), False),
)  # fmt: skip


@functools.cache
def make_motion(name: str) -> SegmentMotion:
    """One of `MOTIONS`, of the average body."""
    bones = BodySurface.default().bone_offsets
    activities = MOTIONS[name]
    if activities == ("demo",):
        return demo_motion(bone_offsets=bones)
    return sequence([ACTIVITIES[activity](bone_offsets=bones) for activity in activities], bones)


def write_examples(folder: Path) -> dict[str, Path]:
    """
    Writes the recordings as CSV files.

    Args:
        folder (`Path`):
            Where to.

    Returns:
        `dict[str, Path]`: From the name on the button to the file.
    """
    paths = {}
    for name, file, motion, places, says_all in RECORDINGS:
        paths[name] = folder / file
        kinematics = SegmentKinematics.from_motion(make_motion(motion))
        generator = torch.Generator().manual_seed(0)
        sensors = Placements.from_names(list(places))
        readings = simulate_imu(kinematics, sensors, SensorErrors.preset("watch"), generator).numpy()
        if says_all:
            write_csv(paths[name], kinematics.timestamps, sensors.names, readings)
        else:
            _write_in_g(paths[name], kinematics.timestamps, readings[:, 0])
    return paths


def write_csv(path: Path, times: np.ndarray, names: tuple[str, ...], readings: np.ndarray) -> None:
    """
    Readings as a CSV file that `read_recording` understands without being told anything.

    Args:
        path (`Path`):
            The file.
        times (`np.ndarray` of shape `(num_frames,)`):
            Seconds.
        names (`tuple[str, ...]`):
            One per placement.
        readings (`np.ndarray` of shape `(num_frames, num_placements, 6)`):
            Force in m/s^2, rate in rad/s; NaN becomes an empty field.
    """
    units = ["m/s^2"] * 3 + ["rad/s"] * 3
    lines = [",".join(["placement", "t (s)", *(f"{c} ({unit})" for c, unit in zip(CHANNELS, units, strict=True))])]
    for index, name in enumerate(names):
        lines += [_line((name, f"{time:.5f}"), row) for time, row in zip(times, readings[:, index], strict=True)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_in_g(path: Path, times: np.ndarray, readings: np.ndarray) -> None:
    """As many devices write it: g and degrees per second, and not a word of that."""
    scaled = readings * np.array([1 / STANDARD_GRAVITY] * 3 + [180 / np.pi] * 3)
    lines = [",".join(["t", *CHANNELS])]
    lines += [_line((f"{time:.5f}",), row) for time, row in zip(times, scaled, strict=True)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _line(first: tuple[str, ...], row: np.ndarray) -> str:
    return ",".join([*first, *("" if np.isnan(value) else f"{value:.6g}" for value in row)])


__all__ = ["MOTIONS", "RECORDINGS", "make_motion", "write_csv", "write_examples"]

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The tab `Simulate`: from a motion to pictures and a CSV file, without knowing of gradio."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from anymo_hf.app.examples import make_motion, write_csv
from anymo_hf.app.parts import box, explain, picture
from anymo_hf.simulation import plots
from anymo_hf.simulation.body import BodySurface
from anymo_hf.simulation.errors import SensorErrors
from anymo_hf.simulation.imu import simulate_imu
from anymo_hf.simulation.kinematics import SegmentKinematics
from anymo_hf.simulation.motion import SegmentMotion
from anymo_hf.simulation.placements import Placements
from anymo_hf.simulation.readers import load_motion


MAX_SECONDS = 120.0  # a page shows no more
MAX_PLACES = 8  # as many colours as can be told apart
MOTION_SUFFIXES = (".bvh", ".npz", ".mvnx", ".glb")  # of one file each; AMC would need its ASF beside it
DEVICES = ("ideal", "phone", "watch", "aria_gen1", "xsens", "lab")


@dataclass(frozen=True)
class Wish:
    """
    What to simulate.

    Args:
        path (`str`, *optional*):
            A motion file; `None` takes the example.
        example (`str`):
            One of `examples.MOTIONS`.
        places (`Sequence[str]`):
            Names of the placement table.
        device (`str`, *optional*, defaults to `"watch"`):
            Preset of `SensorErrors`.
        turned (`bool`, *optional*, defaults to `False`):
            Whether sensors are turned at random as people wear them.
    """

    path: str | None
    example: str
    places: Sequence[str]
    device: str = "watch"
    turned: bool = False


def show_simulated(wish: Wish, folder: Path) -> tuple[str, str | None]:
    """
    Pictures of a motion, of its sensors and of what they read.

    Args:
        wish (`Wish`):
            What to simulate.
        folder (`Path`):
            Where the CSV file goes.

    Returns:
        `tuple[str, str | None]`: HTML, and the path of the CSV file; `None` if the HTML says what went wrong.
    """
    try:
        motion, notes = _open_motion(wish)
        sensors, imu, times = simulate(motion, wish)
        pictures = _draw(motion, sensors, imu, 1 / float(times[1] - times[0]))
        path = folder / "sensor_readings.csv"
        write_csv(path, times, sensors.names, imu.numpy())
    except Exception as error:  # a page has no other place to say it
        return explain(error, wish.path), None
    return "\n".join([*notes, *pictures]), str(path)


def _open_motion(wish: Wish) -> tuple[SegmentMotion, list[str]]:
    motion = make_motion(wish.example) if wish.path is None else load_motion(wish.path)
    if motion.num_frames < 2:
        raise ValueError("The motion is a single pose, of which sensors read nothing; give one that moves.")
    stop = int(np.searchsorted(motion.timestamps, motion.timestamps[0] + MAX_SECONDS, "right"))
    if stop == motion.num_frames:
        return motion, []
    return motion[:stop], [
        box("note", f"The page simulates the first {MAX_SECONDS:.0f} s of {motion.duration:.0f} s.")
    ]


def simulate(motion: SegmentMotion, wish: Wish) -> tuple[Placements, torch.Tensor, np.ndarray]:
    """
    What the page draws and writes.

    Args:
        motion (`SegmentMotion`):
            Of two frames or more.
        wish (`Wish`):
            Places, device and whether sensors are turned.

    Returns:
        `tuple[Placements, torch.Tensor, np.ndarray]`: Sensors; force (m/s^2) and rate (rad/s) of shape `(num_frames,
        num_placements, 6)`; seconds from the motion's start of shape `(num_frames,)`.

    Raises:
        ValueError: If no place is chosen, too many are, or one is unknown.
    """
    if not wish.places:
        raise ValueError("Choose at least one place for a sensor: click on the body, or use the list.")
    if len(wish.places) > MAX_PLACES:
        raise ValueError(
            f"The page draws at most {MAX_PLACES} sensors, but {len(wish.places)} are chosen; take fewer."
        )
    generator = torch.Generator().manual_seed(0)
    kinematics = SegmentKinematics.from_motion(motion)
    sensors = Placements.from_names(list(wish.places), BodySurface.default(bone_offsets=motion.bone_offsets))
    if wish.turned:
        sensors = sensors.mount(generator, worn_share=1.0)
    imu = simulate_imu(kinematics, sensors, SensorErrors.preset(wish.device), generator)
    return sensors, imu, kinematics.timestamps - kinematics.start_time


def _draw(motion: SegmentMotion, sensors: Placements, imu: torch.Tensor, sampling_rate: float) -> list[str]:
    body = BodySurface.default(bone_offsets=motion.bone_offsets)
    names = ", ".join(sensors.names)
    signals = plots.plot_signals(imu, sampling_rate, sensors.names, motion.texts, motion.timestamps[0])
    return [
        "<h3>What the sensors read</h3>",
        picture(signals, f"Specific force and angular rate over time of {names}"),
        "<h3>Where they sit</h3>",
        picture(
            plots.plot_body(body, sensors), f"The body from the front and from the side with its sensors: {names}"
        ),
        "<h3>The motion</h3>",
        picture(plots.plot_motion(motion, body), "The body at equal steps of time, from left to right"),
    ]


__all__ = ["DEVICES", "MOTION_SUFFIXES", "Wish", "show_simulated", "simulate"]

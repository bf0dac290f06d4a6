# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Sensors on synthetic people, and what is compared of a signal whoever wore the sensor and however it was turned."""

import inspect
from functools import cache

import numpy as np
import torch
from scipy.signal import butter, sosfiltfilt

from anymo_hf.simulation.body import BodySurface
from anymo_hf.simulation.errors import SensorErrors
from anymo_hf.simulation.imu import simulate_imu
from anymo_hf.simulation.kinematics import SegmentKinematics
from anymo_hf.simulation.placements import Placements
from anymo_hf.simulation.synthesis import ACTIVITIES, random_body


SECONDS = 14.0  # of an activity that is asked for by its duration
NUM_STEPS = 20  # of a stair, about as long
EDGE = 2.4  # s at both ends that are not the activity yet: standing, first and last steps
WINDOW = 5.0  # s
BANDS = ((0.5, 3.0), (3.0, 8.0), (8.0, 15.0))  # Hz
MAX_CUTOFF = 15.0  # Hz; what slower sets hold lies below 0.4 of their rate
SIMULATION_RATE = 60.0


@cache
def synthetic_person(seed: int, placements: tuple[str, ...]) -> tuple[np.ndarray, Placements]:
    """Bones of a random body, and sensors on it, mounted at random."""
    bones = random_body(seed)
    worn = Placements.from_names(list(placements), BodySurface.default(bone_offsets=bones))
    return bones, worn.mount(torch.Generator().manual_seed(seed))


@cache
def synthetic_readings(
    activity: str, seed: int, placements: tuple[str, ...], device: str, manner: int | None = None
) -> np.ndarray:
    """Readings `(num_frames, num_placements, 6)` at 60 Hz of person `seed`, who does nothing but the activity."""
    manner = seed if manner is None else manner
    bones, worn = synthetic_person(seed, placements)
    plan = ACTIVITIES[activity]
    options = {"num_steps": NUM_STEPS} if activity.startswith("stairs") else {"duration": SECONDS}
    if "bone_offsets" in inspect.signature(plan).parameters:
        options["bone_offsets"] = bones
    motion = plan(seed=manner, **options).to_motion(bones)
    kinematics = SegmentKinematics.from_motion(motion, SIMULATION_RATE)
    generator = torch.Generator().manual_seed(manner)
    readings = simulate_imu(kinematics, worn, SensorErrors.preset(device), generator).double().numpy()
    edge = round(EDGE * SIMULATION_RATE)
    return fill_gaps(readings)[edge:-edge]


def fill_gaps(values: np.ndarray) -> np.ndarray:
    """Missing readings bridged straight, along the first axis."""
    flat = values.reshape(len(values), -1).copy()
    for column in flat.T:
        known = np.isfinite(column)
        if known.any() and not known.all():
            column[~known] = np.interp(np.flatnonzero(~known), np.flatnonzero(known), column[known])
    return flat.reshape(values.shape)


def at_rate(values: np.ndarray, times: np.ndarray, rate: float, cutoff: float) -> np.ndarray:
    """Readings `(num_samples, num_channels)` below `cutoff` (zero phase, 8th order) on an even clock of that rate."""
    native = (len(times) - 1) / (times[-1] - times[0])
    even = times[0] + np.arange(len(times)) / native
    values = np.stack([np.interp(even, times, column) for column in values.T], axis=1)
    if cutoff < 0.49 * native:
        values = sosfiltfilt(butter(4, cutoff, fs=native, output="sos"), values, axis=0)
    wanted = np.arange(times[0], times[-1], 1 / rate)
    return np.stack([np.interp(wanted, even, column) for column in values.T], axis=1)


def common_cutoff(rate: float) -> float:
    """The cut-off for synthetic and real readings of a set, in hertz."""
    return min(MAX_CUTOFF, 0.4 * rate)


def windows(values: np.ndarray, rate: float, seconds: float = WINDOW) -> np.ndarray:
    """Consecutive windows, `(num_windows, num_samples, num_channels)`."""
    length = round(seconds * rate)
    count = len(values) // length
    return values[: count * length].reshape(count, length, values.shape[1])


def quantities(window: np.ndarray, rate: float, upright: np.ndarray | None = None) -> dict[str, float]:
    """
    What a window says that no turn of the sensor changes.

    Args:
        window (`np.ndarray` of shape `(num_samples, 6)`):
            Specific force in m/s^2, then angular rate in rad/s; NaN if not measured.
        rate (`float`):
            Samples per second.
        upright (`np.ndarray` of shape `(3,)`, *optional*, defaults to `None`):
            Mean force of the same sensor while its wearer walked; gives the tilt.

    Returns:
        `dict[str, float]`: RMS of force (m/s^2) and rate (rad/s) about their means, share of the force's variance in
        its main direction, cadence (Hz), shares of the force's power per band, tilt in degrees.
    """
    force, turning = window[:, :3] - window[:, :3].mean(0), window[:, 3:] - window[:, 3:].mean(0)
    variances = np.linalg.eigvalsh(force.T @ force / len(force))
    found = {
        "force RMS": float(np.sqrt(variances.sum())),
        "rate RMS": float(np.sqrt((turning**2).sum(1).mean())),
        "main axis share": float(variances[-1] / variances.sum()),
        "cadence": cadence(window[:, :3], rate),
    }
    power, frequencies = power_spectrum(force, rate)
    inside = power[frequencies >= BANDS[0][0]].sum()
    for low, high in BANDS:
        if high <= common_cutoff(rate) or low < common_cutoff(rate) - 1.0:
            share = power[(frequencies >= low) & (frequencies < high)].sum() / inside
            found[f"share {low:g}-{high:g} Hz"] = float(share)
    if upright is not None:
        mean = window[:, :3].mean(0)
        cosine = mean @ upright / np.linalg.norm(mean) / np.linalg.norm(upright)
        found["tilt"] = float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    return found


def power_spectrum(values: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Power summed over the channels, and its frequencies in hertz; Hann window."""
    spectrum = np.abs(np.fft.rfft((values - values.mean(0)) * np.hanning(len(values))[:, None], axis=0)) ** 2
    return spectrum.sum(1), np.fft.rfftfreq(len(values), 1 / rate)


def cadence(force: np.ndarray, rate: float) -> float:
    """Frequency in hertz at which the length of the force vector swings most, 0.5 to 6."""
    power, frequencies = power_spectrum(np.linalg.norm(force, axis=1, keepdims=True), rate)
    power[(frequencies < 0.5) | (frequencies > 6.0)] = 0.0
    return float(frequencies[power.argmax()])

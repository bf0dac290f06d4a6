# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The same windows as another setup would have given them: turned, slower, without gyroscope or gravity."""

from dataclasses import replace

import numpy as np
from scipy.signal import butter, sosfiltfilt
from scipy.spatial.transform import Rotation

from anymo_hf.evaluation.embeddings import HarWindows
from anymo_hf.processing.resampling_anymo import resample
from anymo_hf.processing.streams_anymo import Recording, SensorStream


GRAVITY_CUTOFF = 0.3  # Hz, below which a telephone takes force for gravity


def turn_sensors(windows: HarWindows, seed: int) -> HarWindows:
    """
    Every sensor of every recording turned at random, as if it had been mounted otherwise.

    Args:
        windows (`HarWindows`):
            As recorded. Where only some axes of a sensor were measured, it counts as not measured.
        seed (`int`):
            Of the rotations, which are uniform.
    """
    generator = np.random.default_rng(seed)
    values, mask = windows.values.copy(), windows.mask.copy()
    keys = np.char.add(np.char.add(windows.subjects, "\t"), windows.recordings)
    for key in np.unique(keys):
        rows = np.flatnonzero(keys == key)
        matrices = Rotation.random(len(windows.placements), rng=generator).as_matrix().astype(np.float32)
        for axes in (slice(0, 3), slice(3, 6)):
            whole = mask[rows][..., axes].all(axis=-1, keepdims=True)
            turned = np.einsum("sij,nfsj->nfsi", matrices, values[rows][..., axes])
            values[rows, :, :, axes] = np.where(whole, turned, 0)
            mask[rows, :, :, axes] = whole
    return replace(windows, values=values, mask=mask)


def without_gyroscope(windows: HarWindows) -> HarWindows:
    """Force only."""
    values, mask = windows.values.copy(), windows.mask.copy()
    values[..., 3:], mask[..., 3:] = 0, False
    return replace(windows, values=values, mask=mask)


def remove_gravity(recording: Recording) -> Recording:
    """Takes away what a low-pass of 0.3 Hz leaves of the force, forwards and backwards, as recorders of phones do."""
    return replace(recording, sensors=tuple(_without_gravity(sensor) for sensor in recording.sensors))


def _without_gravity(sensor: SensorStream) -> SensorStream:
    force, times = sensor.values[:, :3], sensor.timestamps
    seen = np.isfinite(force).all(axis=1)
    if seen.sum() < 20:
        return sensor
    filled = np.stack([np.interp(times, times[seen], force[seen, axis]) for axis in range(3)], axis=1)
    lowpass = butter(2, GRAVITY_CUTOFF, fs=sensor.sampling_rate, output="sos")
    gravity = sosfiltfilt(lowpass, filled, axis=0, padlen=min(len(filled) - 1, round(3 * sensor.sampling_rate)))
    values = np.concatenate([force - gravity, sensor.values[:, 3:]], axis=1)
    return replace(sensor, values=values, gravity=False)


def at_rate(recording: Recording, sampling_rate: float) -> Recording:
    """
    The recording as a slower device would have made it, aliasing filtered out.

    Args:
        recording (`Recording`):
            Of a higher rate.
        sampling_rate (`float`):
            In hertz.
    """
    return replace(recording, sensors=tuple(_slower(sensor, sampling_rate) for sensor in recording.sensors))


def _slower(sensor: SensorStream, sampling_rate: float) -> SensorStream:
    start, end = sensor.timestamps[[0, -1]]
    num_samples = int((end - start) * sampling_rate + 0.01) + 1
    values, mask = resample(sensor.timestamps, sensor.values, sampling_rate, float(start), num_samples)
    timestamps = start + np.arange(num_samples) / sampling_rate
    return replace(sensor, values=np.where(mask, values, np.nan), timestamps=timestamps)

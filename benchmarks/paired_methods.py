# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The methods that are compared on paired recordings: from a motion and placements to readings at 60 Hz."""

import numpy as np
import torch
from official_recipe import simulate_imu_wimusim
from paired_alignment import RATE, Simulator
from scipy.signal import butter, sosfiltfilt

from anymo_hf.processing.placements_anymo import NUM_SEGMENTS
from anymo_hf.simulation.imu import simulate_imu
from anymo_hf.simulation.kinematics import (
    ANGULAR_ACCELERATION,
    ANGULAR_RATE,
    NUM_KINEMATIC_VALUES,
    SPECIFIC_FORCE,
    STANDARD_GRAVITY,
    UP_DIRECTION,
    SegmentKinematics,
)
from anymo_hf.simulation.rotations import (
    quaternion_conjugate,
    quaternion_log,
    quaternion_multiply,
    quaternion_rotate,
)


def ours(cutoff: float | None = None, only_gravity: bool = False) -> Simulator:
    """This package's simulator. With `only_gravity` the body turns, but never accelerates, and no gyroscope reads."""

    def simulate(motion, placements):
        kinematics = SegmentKinematics.from_motion(motion, RATE, cutoff)
        if only_gravity:
            kinematics.values[..., SPECIFIC_FORCE] = STANDARD_GRAVITY * kinematics.values[..., UP_DIRECTION]
            kinematics.values[..., ANGULAR_RATE] = kinematics.values[..., ANGULAR_ACCELERATION] = 0
        return simulate_imu(kinematics, placements)

    return simulate


def butterworth(cutoff: float, order: int = 4) -> Simulator:
    """The plain alternative: zero-phase Butterworth filter and central differences, both at the native rate."""

    def simulate(motion, placements):
        (segment,) = placements.segment.unique().tolist()
        times = motion.timestamps[0] + np.arange(int(motion.duration * RATE + 1e-6) + 1) / RATE
        values = torch.full((len(times), NUM_SEGMENTS, NUM_KINEMATIC_VALUES), torch.nan)
        for first, last in _runs(motion.mask[:, segment]):
            inside = (times >= motion.timestamps[first]) & (times <= motion.timestamps[last - 1])
            run = motion[first:last]
            if last - first > 30 and run.frame_rate > 2 * cutoff:  # the filter's own padding, and its range
                native = _differences(run.positions[:, segment], run.orientations[:, segment], run.frame_rate, cutoff)
                columns = [np.interp(times[inside], run.timestamps, column) for column in native.T]
                values[inside, segment] = torch.from_numpy(np.stack(columns, axis=1)).float()
        kinematics = SegmentKinematics(values.nan_to_num(), ~values.isnan().any(-1), RATE, float(times[0]))
        return simulate_imu(kinematics, placements)

    def _differences(positions, orientations, rate, cutoff):
        signs = np.cumprod(np.sign((orientations[1:] * orientations[:-1]).sum(-1)))
        orientations[1:] *= signs[:, None]
        filters = butter(order, cutoff, output="sos", fs=rate)
        positions, orientations = (sosfiltfilt(filters, x, axis=0).copy() for x in (positions, orientations))
        q = torch.nn.functional.normalize(torch.from_numpy(orientations), dim=-1)
        turn = quaternion_log(quaternion_multiply(quaternion_conjugate(q[:-2]), q[2:])).numpy() * (rate / 2)
        angular_rate = np.concatenate([turn[:1], turn, turn[-1:]])
        acceleration = np.gradient(np.gradient(positions, 1 / rate, axis=0), 1 / rate, axis=0)
        acceleration[1:-1] = np.diff(positions, 2, axis=0) * rate**2
        inverse, up = quaternion_conjugate(q), torch.tensor([0.0, 0.0, 1.0], dtype=q.dtype)
        force = quaternion_rotate(inverse, torch.from_numpy(acceleration) + STANDARD_GRAVITY * up)
        return np.concatenate(
            [angular_rate, np.gradient(angular_rate, 1 / rate, axis=0), force, quaternion_rotate(inverse, up)], axis=1
        )

    return simulate


def official(interpolate: bool = False) -> Simulator:
    """The official recipe at 60 Hz."""
    return lambda motion, placements: simulate_imu_wimusim(motion, placements, RATE, interpolate)


def _runs(mask: np.ndarray) -> np.ndarray:
    """First frame and frame after the last of every unbroken run of True, shape `(num_runs, 2)`."""
    return np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]))).reshape(-1, 2)

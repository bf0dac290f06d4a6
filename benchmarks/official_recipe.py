# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The simulation recipe of the published AnyMo data, restated for comparison; the package itself does not use it."""

import numpy as np
import torch

from anymo_hf.simulation.motion import SegmentMotion
from anymo_hf.simulation.rotations import (
    quaternion_conjugate,
    quaternion_multiply,
    quaternion_rotate,
    quaternion_to_matrix,
)


OFFICIAL_RATE = 60.0  # Hz
OFFICIAL_GRAVITY = 9.8  # m/s^2
# Placement-frames at a time: the intermediate tensors stay in the processor's cache.
BLOCK_SIZE = 16384


def simulate_imu_wimusim(
    motion: SegmentMotion, placements, sampling_rate: float = OFFICIAL_RATE, interpolate: bool = False
) -> torch.Tensor:
    """
    Sensor readings by the recipe of WIMUSim (Frontiers in Computer Science 7, 2025, 10.3389/fcomp.2025.1514933), as
    AnyMo applies it to Nymeria.

    The motion is brought to 60 Hz by taking the nearest sample. A vertex is at p + R r. Its acceleration is the
    central difference of the central difference, its angular rate the Euler angles XYZ of the turn over two frames
    divided by their time, both seen from the world and then turned into the sensor's frame. No filter. Own code; the
    method was read in STRCWearlab/WIMUSim (Apache-2.0), wimusim/utils.py. It has one-sided differences at the ends,
    which are left out here.

    Args:
        motion (`SegmentMotion`):
            Poses, at any rate.
        placements (`Placements`):
            `segment` of shape `(num_placements,)`.
        sampling_rate (`float`, *optional*, defaults to 60.0):
            Frames per second of the result.
        interpolate (`bool`, *optional*, defaults to `False`):
            Interpolate poses linearly instead of taking the nearest sample, which is the same for motion at a multiple
            of the sampling rate and spares any other motion the jitter of up to half a native frame.

    Returns:
        `torch.Tensor` of shape `(num_frames, num_placements, 6)`: Specific force (m/s^2), angular rate (rad/s), in the
        sensor's frame. NaN where the stencil of five frames reaches outside the motion or into a gap.
    """
    positions, orientations, measured = _resample(motion, sampling_rate, interpolate)
    num_frames, num_placements = len(positions), len(placements.segment)
    imu = torch.full((num_frames, num_placements, 6), torch.nan)
    if num_frames < 5:
        return imu
    columns = max(1, BLOCK_SIZE // num_frames)
    rows = max(1, BLOCK_SIZE // columns)
    for index in placements.segment.unique().tolist():
        chosen = torch.nonzero(placements.segment == index).flatten()
        valid = measured[:, index]
        valid = valid[:-4] & valid[1:-3] & valid[2:-2] & valid[3:-1] & valid[4:]
        for some in chosen.split(columns):
            offset, mounting = placements.offset[some].double(), placements.orientation[some].double()
            for start in range(0, num_frames - 4, rows):
                frames = slice(start, min(start + rows, num_frames - 4) + 4)
                readings = _readings(
                    positions[frames, index], orientations[frames, index], offset, mounting, sampling_rate
                )
                if not valid[frames.start : frames.stop - 4].all():
                    readings[~valid[frames.start : frames.stop - 4]] = torch.nan
                if len(some) == int(some[-1] - some[0]) + 1:  # neighbours are written without an index
                    imu[frames.start + 2 : frames.stop - 2, int(some[0]) : int(some[-1]) + 1] = readings
                else:
                    imu[frames.start + 2 : frames.stop - 2, some] = readings
    return imu


def _resample(motion: SegmentMotion, rate: float, interpolate: bool) -> tuple[torch.Tensor, ...]:
    """Positions, orientations and whether they were measured, at `rate`."""
    times = motion.timestamps[0] + np.arange(int(np.floor(motion.duration * rate + 1e-6)) + 1) / rate
    after = np.clip(np.searchsorted(motion.timestamps, times), 1, motion.num_frames - 1)
    before = after - 1
    share = (times - motion.timestamps[before]) / (motion.timestamps[after] - motion.timestamps[before])
    if not interpolate:
        share = np.where(share < 0.5, 0.0, 1.0)
    share = torch.from_numpy(share.clip(0, 1))[:, None, None]
    measured = np.ones(motion.positions.shape[:2], bool) if motion.mask is None else motion.mask
    measured = torch.from_numpy(measured[before] & measured[after])
    positions, orientations = (torch.from_numpy(x) for x in (motion.positions, motion.orientations))
    turned = orientations[after]
    turned = torch.where((turned * orientations[before]).sum(-1, keepdim=True) < 0, -turned, turned)
    orientations = torch.nn.functional.normalize(torch.lerp(orientations[before], turned, share), dim=-1)
    return torch.lerp(positions[before], positions[after], share), orientations, measured


def _readings(positions, orientations, offset, mounting, rate) -> torch.Tensor:
    """Readings of sensors on one segment, shape `(num_frames - 4, num_placements, 6)`."""
    segment = quaternion_to_matrix(orientations)  # (num_frames, 3, 3)
    vertices = positions[:, None] + offset @ segment.transpose(-1, -2)  # (num_frames, num_placements, 3)
    velocity = (vertices[2:] - vertices[:-2]) * (rate / 2)
    acceleration = (velocity[2:] - velocity[:-2]) * (rate / 2)
    acceleration[..., 2] += OFFICIAL_GRAVITY
    sensor = quaternion_multiply(orientations[:, None], mounting)  # sensor to world
    # Single precision is enough from here on, and halves the time.
    to_sensor = quaternion_conjugate(sensor[2:-2]).float()
    force = quaternion_rotate(to_sensor, acceleration.float())
    # The turn over two frames is taken in the world, and its Euler angles are then treated as a vector there.
    turn = quaternion_multiply(sensor[3:-1], quaternion_conjugate(sensor[1:-3])).float()
    return torch.cat([force, quaternion_rotate(to_sensor, _euler_xyz(turn) * (rate / 2))], dim=-1)


def _euler_xyz(q: torch.Tensor) -> torch.Tensor:
    """Angles a, b, c in radians of the rotation R_x(a) R_y(b) R_z(c)."""
    w, x, y, z = q.unbind(-1)
    about_x = torch.atan2(2 * (w * x - y * z), 1 - 2 * (x * x + y * y))
    about_y = torch.asin((2 * (w * y + x * z)).clamp(-1, 1))
    about_z = torch.atan2(2 * (w * z - x * y), 1 - 2 * (y * y + z * z))
    return torch.stack([about_x, about_y, about_z], dim=-1)

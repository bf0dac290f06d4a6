# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""What a sensor at any placement on the body measures: `simulate_imu`, plain torch, differentiable."""

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from anymo_hf.processing.placements_anymo import NUM_SEGMENTS
from anymo_hf.simulation.kinematics import (
    ANGULAR_ACCELERATION,
    ANGULAR_RATE,
    SPECIFIC_FORCE,
    STANDARD_GRAVITY,
    UP_DIRECTION,
    SegmentKinematics,
)
from anymo_hf.simulation.placements import Placements
from anymo_hf.simulation.rotations import quaternion_to_matrix


if TYPE_CHECKING:
    from anymo_hf.simulation.errors import SensorErrors


# A reading is linear in these numbers of its segment: force of the origin (3), the matrix [alpha]x + [omega]x^2 that
# the lever arm is multiplied by (9, row by row), angular rate (3).
NUM_FEATURES = 15
# From here on the sensors of a segment are worth a matrix product of their own.
MANY_PLACEMENTS = 3 * NUM_SEGMENTS
# Frames per matrix product in dense simulation: its results stay in the processor's cache until they are written out.
CHUNK_FRAMES = 256
LARGEST_HUGE_PAGE_BLOCK = 64 * 2**20  # bytes


def simulate_imu(
    kinematics: SegmentKinematics,
    placements: Placements,
    errors: "SensorErrors | None" = None,
    generator: torch.Generator | None = None,
    gravity: bool = True,
) -> torch.Tensor:
    """
    Readings of sensors fixed to the body segments.

    A sensor with lever arm r and orientation C on a rigid segment measures

        force = C^T [f + alpha x r + omega x (omega x r)],   rate = C^T omega,

    all in the segment's frame, f being the specific force of the segment's origin. Both are linear in 15 numbers of
    the segment, so that all sensors of a segment are one matrix product.

    Args:
        kinematics (`SegmentKinematics`):
            `values` of shape `(..., num_frames, 23, 12)`.
        placements (`Placements`):
            `segment` of shape `(..., num_placements)`. Leading axes broadcast with those of the kinematics.
        errors (`SensorErrors`, *optional*, defaults to `None`):
            What a real device adds, drawn anew for every placement. `None` is an ideal sensor.
        generator (`torch.Generator`, *optional*, defaults to `None`):
            Source of the errors' randomness.
        gravity (`bool`, *optional*, defaults to `True`):
            Whether the force contains gravity, as accelerometers measure it. `False` gives linear acceleration.

    Returns:
        `torch.Tensor` of shape `(..., num_frames, num_placements, 6)`: Specific force (m/s^2) and angular rate
        (rad/s) in the sensor's frame; NaN where the segment's motion was not measured. Differentiable with respect to
        kinematics, offsets and orientations when `errors` is `None`.
    """
    features = _segment_features(kinematics, gravity)
    weights = _placement_weights(placements).to(features)
    leading = torch.broadcast_shapes(features.shape[:-3], weights.shape[:-3])
    segment = placements.segment.expand(*leading, -1)
    features = features.expand(*leading, -1, -1, -1)
    weights = weights.expand(*leading, -1, -1, -1)
    differentiable = features.requires_grad or weights.requires_grad
    if differentiable or features.device.type != "cpu" or len(placements) < MANY_PLACEMENTS:
        gathered = features.gather(-3, segment[..., None, None].expand(*segment.shape, *features.shape[-2:]))
        imu = (gathered @ weights).transpose(-3, -2).contiguous()
    else:
        imu = _simulate_in_chunks(features, weights, segment)
    if not kinematics.mask.all():
        mask = kinematics.mask.expand(*leading, -1, -1)
        mask = mask.gather(-1, segment[..., None, :].expand(*imu.shape[:-1]))
        imu = imu.masked_fill_(~mask[..., None], torch.nan)
    return imu if errors is None else errors.apply(imu, kinematics.sampling_rate, generator)


def _segment_features(kinematics: SegmentKinematics, gravity: bool) -> torch.Tensor:
    """The numbers that readings are linear in, shape `(..., 23, num_frames, 15)`."""
    values = torch.where(kinematics.mask[..., None], kinematics.values, 0.0).transpose(-3, -2)
    x, y, z = values[..., ANGULAR_RATE].unbind(-1)
    ax, ay, az = values[..., ANGULAR_ACCELERATION].unbind(-1)
    force = values[..., SPECIFIC_FORCE]
    if not gravity:
        force = force - STANDARD_GRAVITY * values[..., UP_DIRECTION]
    xx, yy, zz, xy, xz, yz = x * x, y * y, z * z, x * y, x * z, y * z
    lever = [-yy - zz, xy - az, xz + ay, xy + az, -xx - zz, yz - ax, xz - ay, yz + ax, -xx - yy]
    return torch.stack([*force.unbind(-1), *lever, x, y, z], dim=-1)


def _placement_weights(placements: Placements) -> torch.Tensor:
    """What turns the features into readings, shape `(..., num_placements, 15, 6)`."""
    rotation = quaternion_to_matrix(placements.orientation)  # columns are the sensor's axes in the segment frame
    # force_c = sum_i C_ic (f_i + sum_j M_ij r_j): the weight of M_ij is C_ic r_j.
    lever = rotation[..., :, None, :] * placements.offset[..., None, :, None]  # (..., 3 i, 3 j, 3 c)
    force = torch.cat([rotation, lever.flatten(-3, -2)], dim=-2)  # (..., 12, 3)
    weights = rotation.new_zeros(rotation.shape[:-2] + (NUM_FEATURES, 6))
    weights[..., :12, :3] = force
    weights[..., 12:, 3:] = rotation
    return weights


def _simulate_in_chunks(features: torch.Tensor, weights: torch.Tensor, segment: torch.Tensor) -> torch.Tensor:
    """
    The readings of many sensors: one matrix product per chunk of frames and segment.

    Sensors sorted by segment are written straight into their columns of the result, the only memory that is touched;
    others go through a buffer of one chunk.
    """
    num_frames, num_placements = features.shape[-2], segment.shape[-1]
    shape = (*segment.shape[:-1], num_frames, num_placements, 6)
    # numpy asks the system for huge pages, torch does not: a fresh block of some megabytes fills up to five times
    # faster. Much larger ones may have to be fetched back from a hypervisor first, which costs more than it saves.
    if math.prod(shape) * features.element_size() <= LARGEST_HUGE_PAGE_BLOCK:
        imu = torch.from_numpy(np.empty(shape, features.numpy().dtype))
    else:
        imu = features.new_empty(shape)
    rows = imu.view(-1, num_frames, num_placements * 6)
    features, weights = features.reshape(-1, *features.shape[-3:]), weights.reshape(-1, *weights.shape[-3:])
    for item, item_segment in enumerate(segment.reshape(-1, num_placements)):
        order = torch.argsort(item_segment, stable=True)
        is_sorted = bool((order[1:] > order[:-1]).all())
        segments, counts = torch.unique_consecutive(item_segment[order], return_counts=True)
        # (15, num_placements * 6): the columns of one sensor lie side by side, as they do in the result.
        matrix = weights[item, order].transpose(0, 1).flatten(1)
        matrices = list(zip(segments.tolist(), matrix.split([6 * n for n in counts.tolist()], dim=1), strict=True))
        buffer = None if is_sorted else features.new_empty(CHUNK_FRAMES, num_placements * 6)
        for start in range(0, num_frames, CHUNK_FRAMES):
            frames = slice(start, start + CHUNK_FRAMES)
            chunk = rows[item, frames]
            target = chunk if buffer is None else buffer[: len(chunk)]
            column = 0
            for index, columns in matrices:
                torch.mm(features[item, index, frames], columns, out=target[:, column : column + columns.shape[1]])
                column += columns.shape[1]
            if buffer is not None:
                imu.view(-1, num_frames, num_placements, 6)[item, frames, order] = target.unflatten(1, (-1, 6))
    return imu

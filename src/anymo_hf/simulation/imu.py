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
    from anymo_hf.simulation.soft_tissue import SoftTissue


# A reading is linear in these numbers of its segment: angular rate (3), angular acceleration (3), force of the origin
# (3), squares of the rate (3) and products xz, yx, zy of it (3).
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
    soft_tissue: "SoftTissue | None" = None,
) -> torch.Tensor:
    """
    Readings of sensors fixed to the body segments.

    A sensor with lever arm r and orientation C on a rigid segment measures

        force = C^T [f + alpha x r + omega x (omega x r)],   rate = C^T omega,

    all in the segment's frame, f being the specific force of the segment's origin. Both are linear in 15 numbers of
    the segment, so that a sensor is one small matrix.

    Args:
        kinematics (`SegmentKinematics`):
            `values` of shape `(..., num_frames, 23, 12)`.
        placements (`Placements`):
            `segment` of shape `(..., num_placements)`. Leading axes broadcast with those of the kinematics.
        errors (`SensorErrors`, *optional*, defaults to `None`):
            What a real device adds, drawn anew for every placement. `None` is an ideal sensor.
        generator (`torch.Generator`, *optional*, defaults to `None`):
            Source of the randomness of springs and errors.
        gravity (`bool`, *optional*, defaults to `True`):
            Whether the force contains gravity, as accelerometers measure it. `False` gives linear acceleration.
        soft_tissue (`SoftTissue`, *optional*, defaults to `None`):
            Springs between bone and sensor, drawn anew for every placement. `None` is a sensor fixed to the bone.

    Returns:
        `torch.Tensor` of shape `(..., num_frames, num_placements, 6)`: Specific force (m/s^2) and angular rate
        (rad/s) in the sensor's frame; NaN where the segment's motion was not measured. Differentiable with respect to
        kinematics, offsets and orientations when `errors` is `None`.
    """
    features = _segment_features(kinematics, gravity)
    weights = _placement_weights(placements).to(features)
    leading = torch.broadcast_shapes(features.shape[:-3], weights.shape[:-3])
    segment = placements.segment.expand(*leading, -1)
    differentiable = features.requires_grad or weights.requires_grad
    few = len(placements) < MANY_PLACEMENTS or features.numel() == 0
    if differentiable or few or features.device.type != "cpu":
        imu = _select_segments(features, segment, leading)
        imu = (weights @ imu).flatten(-3, -2).transpose(-1, -2).contiguous().unflatten(-1, (-1, 6))
    else:
        expanded = (x.expand(*leading, -1, -1, -1) for x in (features, weights))
        imu = _simulate_in_chunks(*expanded, segment)
    if not kinematics.mask.all():
        mask = kinematics.mask.expand(*leading, -1, -1)
        mask = mask.gather(-1, segment[..., None, :].expand(*imu.shape[:-1]))
        imu = imu.masked_fill_(~mask[..., None], torch.nan)
    if soft_tissue is not None:
        imu = soft_tissue.apply(imu, placements, kinematics.sampling_rate, generator)
    return imu if errors is None else errors.apply(imu, kinematics.sampling_rate, generator)


def _segment_features(kinematics: SegmentKinematics, gravity: bool) -> torch.Tensor:
    """The numbers that readings are linear in, shape `(..., 23, 15, num_frames)`: time lies in one piece."""
    values, mask = kinematics.values, kinematics.mask
    if not mask.all():
        values = torch.where(mask[..., None], values, 0.0)
    values = values.flatten(-2).transpose(-1, -2).contiguous().unflatten(-2, (NUM_SEGMENTS, -1))
    rate, force = values[..., ANGULAR_RATE, :], values[..., SPECIFIC_FORCE, :]
    if not gravity:
        force = force - STANDARD_GRAVITY * values[..., UP_DIRECTION, :]
    angular = values[..., ANGULAR_ACCELERATION, :]
    return torch.cat([rate, angular, force, rate * rate, rate * rate.roll(1, -2)], dim=-2)


def _placement_weights(placements: Placements) -> torch.Tensor:
    """What turns the features into readings, shape `(..., num_placements, 6, 15)`."""
    # Rows are the sensor's axes c in the segment frame.
    axes = quaternion_to_matrix(placements.orientation).transpose(-1, -2)
    lever = placements.offset[..., None, :]
    along = axes * lever
    weights = axes.new_zeros(axes.shape[:-2] + (6, NUM_FEATURES))
    # c . (alpha x r) = alpha . (r x c), and c . (omega x (omega x r)) = (c . omega) (r . omega) - (c . r) omega^2.
    weights[..., :3, 3:6] = torch.linalg.cross(lever.expand_as(axes), axes)
    weights[..., :3, 6:9] = axes
    weights[..., :3, 9:12] = along - along.sum(-1, keepdim=True)
    weights[..., :3, 12:] = axes * lever.roll(1, -1) + axes.roll(1, -1) * lever
    weights[..., 3:, :3] = axes
    return weights


def _select_segments(features: torch.Tensor, segment: torch.Tensor, leading: torch.Size) -> torch.Tensor:
    """The features of every sensor's segment, shape `(..., num_placements, 15, num_frames)`."""
    every = torch.arange(NUM_SEGMENTS, device=segment.device)
    if segment.shape[-1] == NUM_SEGMENTS and bool((segment == every).all()):
        return features  # one sensor on each: nothing to copy
    features = features.expand(*leading, -1, -1, -1)
    return features.gather(-3, segment[..., None, None].expand(*segment.shape, *features.shape[-2:]))


def _simulate_in_chunks(features: torch.Tensor, weights: torch.Tensor, segment: torch.Tensor) -> torch.Tensor:
    """
    The readings of many sensors: one matrix product per chunk of frames and segment.

    Sensors sorted by segment are written straight into their columns of the result, the only memory that is touched;
    others go through a buffer of one chunk.
    """
    num_frames, num_placements = features.shape[-1], segment.shape[-1]
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
        matrix = weights[item, order].permute(2, 0, 1).flatten(1)
        matrices = list(zip(segments.tolist(), matrix.split([6 * n for n in counts.tolist()], dim=1), strict=True))
        buffer = None if is_sorted else features.new_empty(CHUNK_FRAMES, num_placements * 6)
        for start in range(0, num_frames, CHUNK_FRAMES):
            frames = slice(start, start + CHUNK_FRAMES)
            chunk = rows[item, frames]
            target = chunk if buffer is None else buffer[: len(chunk)]
            column = 0
            for index, columns in matrices:
                torch.mm(
                    features[item, index, :, frames].T, columns, out=target[:, column : column + columns.shape[1]]
                )
                column += columns.shape[1]
            if buffer is not None:
                imu.view(-1, num_frames, num_placements, 6)[item, frames, order] = target.unflatten(1, (-1, 6))
    return imu

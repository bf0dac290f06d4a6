# Copyright 2026 The anymo-hf contributors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""Axes that a sensor's own readings define, so that how it was mounted does not matter."""

import torch


# m/s^2: a shorter mean force is no gravity; people who move keep it above, recordings without gravity far below.
MIN_GRAVITY = 3.0
# Squarings of the covariance, which leave of it the strongest direction alone, even if the next is almost as strong.
NUM_SQUARINGS = 10


def canonical_axes(
    input_values: torch.Tensor, input_values_mask: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """
    Find axes for every sensor from its force over the whole window: z is up, x is where it swings most.

    Up is the direction of the mean force; x is the horizontal direction of its largest deviations, towards the side
    of the longer peaks (the positive third moment); y completes a right-handed frame. Without gravity, z is the
    direction of the largest deviations. A sensor that is mounted otherwise reads the same in these axes. Up to
    rounding that is exact; only where nothing swings, x is arbitrary, and no force is read along it then.

    Args:
        input_values (`torch.Tensor` of shape `(batch_size, num_frames, num_segments, 6)`):
            Specific force (m/s^2) and angular rate (rad/s), sensor frame.
        input_values_mask (`torch.BoolTensor` of that shape, *optional*, defaults to `None`):
            True where observed. A frame counts where all axes of the force were.

    Returns:
        `tuple[torch.Tensor, torch.Tensor, torch.BoolTensor]`: What turns the sensor's vectors into these axes, of
        shape `(batch_size, num_segments, 3, 3)`, the identity where the force tells nothing; the up direction in the
        sensor's frame, of shape `(batch_size, num_segments, 3)`; where gravity was found, `(batch_size,
        num_segments)`.
    """
    force = input_values[..., :3].detach().float().permute(0, 2, 3, 1)  # frames innermost
    observed = torch.ones_like(force[:, :, :1])
    if input_values_mask is not None:
        observed = _all_three(input_values_mask[..., :3]).permute(0, 2, 1)[:, :, None].to(force.dtype)
        force = torch.where(observed > 0, force, 0.0)
    count = observed.sum(dim=-1).clamp(min=1)
    mean = force.sum(dim=-1) / count
    deviations = (force - mean[..., None]) * observed
    covariance = deviations @ deviations.transpose(-1, -2) / count[..., None]

    length = torch.linalg.vector_norm(mean, dim=-1, keepdim=True)
    has_gravity = length > MIN_GRAVITY
    strongest = _towards_peaks(_strongest_direction(covariance), deviations)
    up = torch.where(has_gravity, mean / length.clamp(min=MIN_GRAVITY), strongest)
    first, second = _horizontal_basis(up)
    along_first, along_second = ((covariance @ axis[..., None])[..., 0] for axis in (first, second))
    shared = (along_first * second).sum(dim=-1, keepdim=True)
    difference = (along_first * first - along_second * second).sum(dim=-1, keepdim=True)
    angle = 0.5 * torch.atan2(2 * shared, difference)
    forward = _towards_peaks(torch.cos(angle) * first + torch.sin(angle) * second, deviations)
    axes = torch.stack([forward, torch.linalg.cross(up, forward), up], dim=-2)
    is_known = observed.any(dim=-1) & (up != 0).any(dim=-1, keepdim=True)  # a constant force may have no direction
    identity = torch.eye(3, dtype=axes.dtype, device=axes.device)
    return torch.where(is_known[..., None], axes, identity), up, (has_gravity & is_known)[..., 0]


def turn_readings(axes: torch.Tensor, readings: torch.Tensor) -> torch.Tensor:
    """
    Force and rate in other axes.

    Args:
        axes (`torch.Tensor` of shape `(batch_size, num_segments, 3, 3)`):
            From `canonical_axes`.
        readings (`torch.Tensor` of shape `(batch_size, num_frames, num_segments, 6)`):
            Sensor frame.
    """
    vectors = readings.unflatten(-1, (2, 3))
    return torch.einsum("bsij,btsvj->btsvi", axes.to(readings.dtype), vectors).flatten(-2)


def whole_vectors(mask: torch.Tensor) -> torch.Tensor:
    """True where all three axes of the force, or of the rate, were observed: others cannot be turned."""
    whole = _all_three(mask.unflatten(-1, (2, 3)))
    return whole[..., None].expand(*whole.shape, 3).flatten(-2)


def _all_three(mask: torch.Tensor) -> torch.Tensor:
    """`mask.all(dim=-1)` of three entries; torch's own takes three times as long on a CPU."""
    x, y, z = mask.unbind(-1)
    return x & y & z


def _strongest_direction(covariance: torch.Tensor) -> torch.Tensor:
    """Unit eigenvector of the largest eigenvalue, of either sign, by repeated squaring: exporters know no `eigh`."""
    power = covariance
    for _ in range(NUM_SQUARINGS):
        trace = power.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
        power = power / trace.clamp(min=1e-12)
        power = power @ power
    # All columns are multiples of it; the longest has the least rounding.
    longest = power.diagonal(dim1=-2, dim2=-1).argmax(dim=-1)
    column = power.gather(-1, longest[..., None, None].expand(*power.shape[:-1], 1))[..., 0]
    return column / torch.linalg.vector_norm(column, dim=-1, keepdim=True).clamp(min=1e-12)


def _towards_peaks(direction: torch.Tensor, deviations: torch.Tensor) -> torch.Tensor:
    """The same line, pointing to where deviations are rarer but longer."""
    along = (direction[..., None, :] @ deviations)[..., 0, :]
    skewness = along.pow(3).sum(dim=-1, keepdim=True)
    return torch.where(skewness < 0, -direction, direction)


def _horizontal_basis(up: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Two unit vectors at right angles to `up` and to each other."""
    x, z = (torch.zeros_like(up) for _ in range(2))
    x[..., 0], z[..., 2] = 1.0, 1.0
    first = torch.linalg.cross(up, torch.where(up[..., 2:].abs() < 0.7, z, x))
    first = first / torch.linalg.vector_norm(first, dim=-1, keepdim=True).clamp(min=1e-12)
    return first, torch.linalg.cross(up, first)


__all__ = ["canonical_axes", "turn_readings", "whole_vectors"]

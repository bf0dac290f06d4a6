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
"""The slow part of readings: above a few hertz simulated bodies and real ones differ much."""

import math

import torch
import torch.nn.functional as F


# Standard deviations of the Gaussian on each side of its middle; beyond lies 0.3 % of it.
KERNEL_REACH = 3.0


def low_pass(
    input_values: torch.Tensor, input_values_mask: torch.Tensor | None, cutoff: float, sampling_rate: float
) -> torch.Tensor:
    """
    Mean of the observed readings around each frame, weighted by a Gaussian: no delay, no overshoot.

    Args:
        input_values (`torch.Tensor` of shape `(batch_size, num_frames, num_segments, num_channels)`):
            Readings in any unit.
        input_values_mask (`torch.BoolTensor` of that shape, *optional*, defaults to `None`):
            True where observed; nothing else counts, so that readings beside a gap or the end are not drawn to zero.
        cutoff (`float`):
            Frequency in hertz of which half the amplitude is left.
        sampling_rate (`float`):
            Frames per second.

    Returns:
        `torch.Tensor` of that shape: float32, zero where nothing was observed.
    """
    kernel = gaussian_kernel(cutoff, sampling_rate, input_values.device)
    values = input_values.float()
    mask = torch.ones_like(values[:1, :, :1, :1], dtype=torch.bool) if input_values_mask is None else input_values_mask
    weight = _smooth(mask.float(), kernel)
    smooth = _smooth(torch.where(mask, values, 0.0), kernel)
    return torch.where(mask, smooth / weight.clamp(min=1e-6), 0.0)


def gaussian_kernel(cutoff: float, sampling_rate: float, device: torch.device | None = None) -> torch.Tensor:
    """Weights of the frames around one, shape `(num_taps,)`, their sum 1; half the amplitude of `cutoff` is left."""
    deviation = math.sqrt(math.log(2) / 2) / (math.pi * cutoff) * sampling_rate  # in frames
    reach = max(1, math.ceil(KERNEL_REACH * deviation))
    frames = torch.arange(-reach, reach + 1, device=device)
    weights = torch.exp(-0.5 * (frames / deviation).square())
    return weights / weights.sum()


def _smooth(values: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Along the frames, with zeros beyond both ends."""
    # Sums of shifted copies: with so few taps and so many channels faster than torch's convolution by far.
    reach, num_frames = len(kernel) // 2, values.shape[1]
    padded = F.pad(values, (0, 0, 0, 0, reach, reach))
    smooth = kernel[reach] * values
    for frame in range(reach):
        before, after = padded[:, frame : frame + num_frames], padded[:, 2 * reach - frame :][:, :num_frames]
        smooth = smooth + kernel[frame] * (before + after)
    return smooth


__all__ = ["gaussian_kernel", "low_pass"]

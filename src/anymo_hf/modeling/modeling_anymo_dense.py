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
"""Dense targets of pre-training: what sensors and segments feel, step by step, beside the comparison of windows."""

import torch
import torch.nn.functional as F
from torch import nn
from transformers import initialization as init

from .configuration_anymo import AnyMoGraphEncoderConfig


# A spectrum covers about a second; its bands are octaves, in bins of 60 / 64 Hz: from 0.5 to 1.4 Hz, ... to 29 Hz.
SPECTRUM_FRAMES = 64
BAND_EDGES = (1, 2, 3, 5, 9, 17, 31)
NUM_BANDS = len(BAND_EDGES) - 1
SPECTRUM_STEPS = 2  # one spectrum for so many steps
# Energy, in (m/s^2)^2 and (rad/s)^2, below which nothing that sensors can tell moves: keeps stillness from mattering.
FORCE_FLOOR, RATE_FLOOR = 0.3, 0.01
# What distant segments do can be guessed only in part, and the part that cannot is most of this loss.
SEGMENT_LOSS_WEIGHT = 0.3


class AnyMoSegmentRegression(nn.Module):
    """Weights shared by all segments, and a bias for each."""

    def __init__(self, config: AnyMoGraphEncoderConfig, num_targets: int):
        super().__init__()
        self.projection = nn.Linear(config.hidden_size, num_targets, bias=False)
        self.bias = nn.Parameter(torch.zeros(config.num_segments, num_targets))

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return self.projection(hidden_states) + self.bias


class AnyMoDenseHead(nn.Module):
    """
    Reads three things off every segment's latents; comparison of windows alone forgets what none of them needs.

    - What an ideal sensor at the visible placements reads in its own frame: orientation and waveform, without the
      device's errors, and with gravity and angular rate where the device lacks them.
    - What every segment's origin feels in the segment's frame, whoever wears a sensor.
    - How strongly every segment moves in six octaves of frequency, over the second around a step. Mounting does not
      matter to it, and of all that few sensors tell about the rest of the body this is the surest.

    The loss is the sum of the three smooth L1 losses, in deviations of each target. Pre-training only.

    Args:
        config (`AnyMoGraphEncoderConfig`):
            Sizes of the encoder.
    """

    def __init__(self, config: AnyMoGraphEncoderConfig):
        super().__init__()
        self.frames_per_step = config.frames_per_step
        num_readings = self.frames_per_step * config.num_channels
        self.sensor_readings = AnyMoSegmentRegression(config, num_readings)
        self.segment_readings = AnyMoSegmentRegression(config, num_readings)
        self.spectrum = AnyMoSegmentRegression(config, 2 * NUM_BANDS)
        self.readings_mean = nn.Buffer(torch.zeros(config.num_segments, config.num_channels))
        self.readings_std = nn.Buffer(torch.ones(config.num_segments, config.num_channels))
        self.spectrum_mean = nn.Buffer(torch.zeros(config.num_segments, 2 * NUM_BANDS))
        self.spectrum_std = nn.Buffer(torch.ones(config.num_segments, 2 * NUM_BANDS))

    def reset_statistics(self) -> None:
        """Mean 0 and deviation 1, until `estimate_statistics`."""
        for mean, std in ((self.readings_mean, self.readings_std), (self.spectrum_mean, self.spectrum_std)):
            init.zeros_(mean)
            init.ones_(std)

    @torch.no_grad()
    def estimate_statistics(self, segment_values: torch.Tensor, segment_mask: torch.Tensor) -> None:
        """
        Take mean and deviation of the targets from examples of motion.

        Args:
            segment_values (`torch.Tensor` of shape `(batch_size, num_frames, num_segments, num_channels)`):
                As in `forward`.
            segment_mask (`torch.BoolTensor` of shape `(batch_size, num_frames, num_segments)`):
                As in `forward`.
        """
        self._set_statistics(self.readings_mean, self.readings_std, segment_values, segment_mask)
        self._set_statistics(self.spectrum_mean, self.spectrum_std, *octave_spectrum(segment_values, segment_mask, 8))

    @staticmethod
    def _set_statistics(mean: torch.Tensor, std: torch.Tensor, values: torch.Tensor, mask: torch.Tensor) -> None:
        share = mask[..., None].double()
        share = share / share.sum(dim=(0, 1)).clamp(min=1)
        mean.copy_((values * share).sum(dim=(0, 1)))
        std.copy_(((values - mean).square() * share).sum(dim=(0, 1)).sqrt().clamp(min=0.1))

    def forward(
        self,
        last_hidden_state: torch.Tensor,
        visible_segments: torch.Tensor,
        ideal_values: torch.Tensor,
        segment_values: torch.Tensor,
        segment_mask: torch.Tensor,
    ) -> torch.Tensor:
        """
        The loss.

        Args:
            last_hidden_state (`torch.Tensor` of shape `(batch_size, num_steps, num_segments, hidden_size)`):
                From the encoder.
            visible_segments (`torch.BoolTensor` of shape `(batch_size, num_segments)`):
                Whose sensors it saw.
            ideal_values (`torch.Tensor` of shape `(batch_size, num_frames, num_segments, num_channels)`):
                What ideal sensors at those placements would read, in m/s^2 and rad/s.
            segment_values (`torch.Tensor` of that shape):
                Specific force of each segment's origin (m/s^2) and angular rate (rad/s), in the segment's frame.
            segment_mask (`torch.BoolTensor` of shape `(batch_size, num_frames, num_segments)`):
                True where the motion was measured.
        """
        visible_mask = segment_mask & visible_segments[:, None]
        sensor_loss = self._readings_loss(self.sensor_readings, last_hidden_state, ideal_values, visible_mask)
        segment_loss = self._readings_loss(self.segment_readings, last_hidden_state, segment_values, segment_mask)
        hop = SPECTRUM_STEPS * self.frames_per_step
        spectrum, spectrum_mask = octave_spectrum(segment_values, segment_mask, hop)
        # The middle of the first spectrum, and one more every few steps.
        first = SPECTRUM_FRAMES // 2 // self.frames_per_step
        centres = last_hidden_state[:, first::SPECTRUM_STEPS][:, : spectrum.shape[1]]
        target = (spectrum - self.spectrum_mean) / self.spectrum_std
        spectrum_loss = _mean_error(self.spectrum(centres), target, spectrum_mask[..., None])
        return sensor_loss + SEGMENT_LOSS_WEIGHT * segment_loss + spectrum_loss

    def _readings_loss(self, head, hidden_states, values, mask) -> torch.Tensor:
        """Of the frames that a step covers, all at once."""
        num_steps, size = hidden_states.shape[1], self.frames_per_step
        behind = num_steps * size - values.shape[1]
        target = F.pad((values - self.readings_mean) / self.readings_std, (0, 0, 0, 0, 0, behind))
        target = target.unflatten(1, (num_steps, size)).transpose(2, 3).flatten(3)
        observed = F.pad(mask, (0, 0, 0, behind)).unflatten(1, (num_steps, size)).transpose(2, 3)
        return _mean_error(head(hidden_states), target, observed.repeat_interleave(values.shape[-1], dim=-1))


def octave_spectrum(
    segment_values: torch.Tensor, segment_mask: torch.Tensor, hop: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Energy in octaves of frequency, of force and rate, summed over their axes.

    Args:
        segment_values (`torch.Tensor` of shape `(batch_size, num_frames, num_segments, 6)`):
            At 60 Hz, in m/s^2 and rad/s.
        segment_mask (`torch.BoolTensor` of shape `(batch_size, num_frames, num_segments)`):
            True where measured.
        hop (`int`):
            Frames from one spectrum to the next; the first covers frames 0 to 63.

    Returns:
        `tuple[torch.Tensor, torch.BoolTensor]`: Decimal logarithms of shape `(batch_size, num_spectra, num_segments,
        12)`, six bands of the force and then of the rate, and, of shape `(batch_size, num_spectra, num_segments)`,
        where all frames were measured. Recordings of less than 64 frames have none.
    """
    batch_size, num_frames, num_segments, _ = segment_values.shape
    if num_frames < SPECTRUM_FRAMES:
        return segment_values.new_zeros(batch_size, 0, num_segments, 2 * NUM_BANDS), segment_mask[:, :0]
    window = torch.hann_window(SPECTRUM_FRAMES, device=segment_values.device)
    frames = segment_values.float().unfold(1, SPECTRUM_FRAMES, hop) * window
    energy = torch.fft.rfft(frames).abs().square().unflatten(3, (2, 3)).sum(dim=4)
    bands = [energy[..., low:high].sum(dim=-1) for low, high in zip(BAND_EDGES, BAND_EDGES[1:], strict=False)]
    floor = torch.tensor([[FORCE_FLOOR], [RATE_FLOOR]], device=energy.device)
    spectrum = torch.log10(torch.stack(bands, dim=-1) + floor).flatten(3)
    return spectrum, segment_mask.unfold(1, SPECTRUM_FRAMES, hop).all(dim=-1)


def _mean_error(predictions: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Smooth L1 over what the mask, of that shape or broadcast to it, lets count."""
    errors = F.smooth_l1_loss(predictions.float(), targets.float(), reduction="none")
    mask = mask.expand(errors.shape)
    return torch.where(mask, errors, 0.0).sum() / mask.sum().clamp(min=1)


__all__ = ["AnyMoDenseHead", "octave_spectrum"]

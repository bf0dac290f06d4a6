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
"""Motion tokens to what every segment of the body feels: force and rate of all 23 from the codes of a few sensors."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn
from transformers import initialization as init
from transformers.utils import ModelOutput
from transformers.utils.generic import can_return_tuple

from .configuration_anymo import AnyMoPQTokenizerConfig
from .modeling_anymo_pq_tokenizer import (
    AnyMoPQTokenizer,
    AnyMoPQTokenizerPreTrainedModel,
    check_codes,
    look_up,
    spread_codes,
)
from .modeling_anymo_temporal_decoder import AnyMoTemporalDecoder


NUM_SEGMENTS, NUM_CHANNELS = 23, 6
FRAMES_PER_STEP = 4  # 60 Hz at the encoder's 15 steps per second


@dataclass
class AnyMoSignalDecoderOutput(ModelOutput):
    """
    What the signal decoder gives.

    Args:
        loss (`torch.FloatTensor` of shape `(1,)`, *optional*):
            Mean squared error in variances of each segment's channel, over observed frames; the mean has about 1.
        segment_values (`torch.FloatTensor` of shape `(batch_size, num_frames, 23, 6)`):
            Specific force of every segment's origin (m/s^2, gravity in it) and angular rate (rad/s), in the segment's
            frame, at 60 Hz; zero behind a recording's end.
    """

    loss: torch.FloatTensor | None = None
    segment_values: torch.FloatTensor | None = None


class AnyMoSignalDecoder(AnyMoPQTokenizerPreTrainedModel):
    """
    Codes to the 23 segments' own specific force and angular rate, four frames per step.

        codes (B, Q, ceil(N / step_stride)) -> entries (B, N, Q * d) -> decoder -> (B, 4 N, 23, 6)

    It has a copy of the codebooks, so that it works without the tokenizer that `from_motion_tokenizer` copies.

    Args:
        config (`AnyMoPQTokenizerConfig`):
            Of the tokenizer whose codes it reads.

    Buffers:
        codebooks (`torch.FloatTensor` of shape `(num_codebooks, codebook_size, codebook_dim)`):
            The tokenizer's entries. They do not change.
        signal_mean, signal_std (`torch.FloatTensor` of shape `(23, 6)`):
            Of the motion it learned from, in m/s^2 and rad/s.
    """

    base_model_prefix = "signal_decoder"
    main_input_name = "codes"
    _keep_in_fp32_modules_strict = ["codebooks", "signal_mean", "signal_std"]

    def __init__(self, config: AnyMoPQTokenizerConfig):
        super().__init__(config)
        shape = (config.num_codebooks, config.codebook_size, config.codebook_dim)
        self.codebooks = nn.Buffer(torch.zeros(shape))
        self.signal_mean = nn.Buffer(torch.zeros(NUM_SEGMENTS, NUM_CHANNELS))
        self.signal_std = nn.Buffer(torch.ones(NUM_SEGMENTS, NUM_CHANNELS))
        self.decoder = AnyMoTemporalDecoder(config, FRAMES_PER_STEP * NUM_SEGMENTS * NUM_CHANNELS)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module):
        super()._init_weights(module)
        if isinstance(module, AnyMoSignalDecoder):
            init.normal_(module.codebooks)
            init.zeros_(module.signal_mean)
            init.ones_(module.signal_std)

    @classmethod
    def from_motion_tokenizer(cls, motion_tokenizer: AnyMoPQTokenizer) -> "AnyMoSignalDecoder":
        """A new decoder of this tokenizer's codes."""
        model = cls(motion_tokenizer.config)
        model.codebooks.copy_(motion_tokenizer.codebooks)
        return model

    @torch.no_grad()
    def estimate_signal_statistics(self, segment_values: torch.Tensor, segment_mask: torch.Tensor) -> None:
        """
        Set `signal_mean` and `signal_std` to those of observed motion.

        Args:
            segment_values (`torch.Tensor` of shape `(batch_size, num_frames, 23, 6)`):
                As in `forward`.
            segment_mask (`torch.BoolTensor` of shape `(batch_size, num_frames, 23)`):
                As in `forward`.
        """
        number = segment_mask.sum(dim=(0, 1))[:, None].clamp(min=1)
        share = segment_mask[..., None].double() / number
        mean = (segment_values * share).sum(dim=(0, 1))
        variance = ((segment_values - mean).square() * share).sum(dim=(0, 1))
        self.signal_mean.copy_(mean)
        self.signal_std.copy_(variance.sqrt().clamp(min=1e-3))

    @can_return_tuple
    def forward(
        self,
        codes: torch.LongTensor,
        steps_mask: torch.BoolTensor | None = None,
        segment_values: torch.FloatTensor | None = None,
        segment_mask: torch.BoolTensor | None = None,
        return_loss: bool = True,
        **kwargs,
    ) -> AnyMoSignalDecoderOutput:
        r"""
        What the body does, as far as the codes tell.

        Args:
            codes (`torch.LongTensor` of shape `(batch_size, num_codebooks, num_codes)`):
                As `AnyMoPQTokenizer.encode` gives them.
            steps_mask (`torch.BoolTensor` of shape `(batch_size, num_steps)`, *optional*, defaults to `None`):
                False behind a recording's end.
            segment_values (`torch.FloatTensor` of shape `(batch_size, num_frames, 23, 6)`, *optional*):
                What to learn: specific force (m/s^2) and angular rate (rad/s) of every segment, in its frame. The
                result has as many frames; `4 * num_steps` without.
            segment_mask (`torch.BoolTensor` of shape `(batch_size, num_frames, 23)`, *optional*, defaults to `None`):
                True where the motion was measured; `None` = all of it.
            return_loss (`bool`, *optional*, defaults to `True`):
                Whether to compute the loss, where `segment_values` are given.
            **kwargs:
                What all models of transformers take.
        """
        if steps_mask is None:
            num_steps = codes.shape[-1] * self.config.step_stride
            if segment_values is not None:
                num_steps = -(-segment_values.shape[1] // FRAMES_PER_STEP)
            steps_mask = torch.ones(codes.shape[0], num_steps, dtype=torch.bool, device=codes.device)
        check_codes(codes, self.config, steps_mask.shape[1])
        entries = spread_codes(look_up(self.codebooks, codes), self.config.step_stride, steps_mask.shape[1])
        standardised = self.decoder(entries.to(self.decoder.output_projection.weight.dtype), steps_mask).float()
        standardised = standardised.unflatten(-1, (FRAMES_PER_STEP, NUM_SEGMENTS, NUM_CHANNELS)).flatten(1, 2)
        frames_mask = steps_mask.bool().repeat_interleave(FRAMES_PER_STEP, dim=1)
        if segment_values is not None:
            self._check_shapes(segment_values, segment_mask, steps_mask)
            num_frames = segment_values.shape[1]
            standardised, frames_mask = standardised[:, :num_frames], frames_mask[:, :num_frames]
        mean, std = self.signal_mean.float(), self.signal_std.float()
        values = torch.where(frames_mask[..., None, None], standardised * std + mean, 0.0)
        loss = None
        if return_loss and segment_values is not None:
            observed = frames_mask[..., None].expand(segment_values.shape[:3])
            if segment_mask is not None:
                observed = observed & segment_mask.bool()
            loss = F.mse_loss(standardised[observed], ((segment_values.float() - mean) / std)[observed])
        return AnyMoSignalDecoderOutput(loss=loss, segment_values=values)

    def _check_shapes(self, segment_values, segment_mask, steps_mask):
        shape = tuple(segment_values.shape)
        num_steps = -(-shape[1] // FRAMES_PER_STEP)
        if shape[2:] != (NUM_SEGMENTS, NUM_CHANNELS) or (shape[0], num_steps) != tuple(steps_mask.shape):
            raise ValueError(
                f"`segment_values` must have shape (batch_size, num_frames, {NUM_SEGMENTS}, {NUM_CHANNELS}) with "
                f"{FRAMES_PER_STEP} frames per step for {tuple(steps_mask.shape)} steps, but has {shape}."
            )
        if segment_mask is not None and tuple(segment_mask.shape) != shape[:3]:
            raise ValueError(
                f"`segment_mask` must have shape {shape[:3]}, as `segment_values` has, but has "
                f"{tuple(segment_mask.shape)}."
            )


__all__ = ["AnyMoSignalDecoder", "AnyMoSignalDecoderOutput"]

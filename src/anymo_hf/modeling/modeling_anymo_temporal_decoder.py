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
"""The temporal convolution decoder: codebook entries over time in, features over time out."""

import torch
import torch.nn.functional as F
from torch import nn

from .configuration_anymo import AnyMoPQTokenizerConfig


class AnyMoTemporalNorm(nn.LayerNorm):
    """Layer norm over the channels of a step, or over those of all steps that lie within the recording."""

    def __init__(self, config: AnyMoPQTokenizerConfig):
        super().__init__(config.hidden_size, eps=config.norm_eps)
        self.over_time = config.normalization == "group_norm"

    def forward(self, hidden_states: torch.Tensor, steps_mask: torch.Tensor) -> torch.Tensor:
        # CODEPATH: tokenizers of this package normalise every step by itself; converted official ones all together.
        if not self.over_time:
            return super().forward(hidden_states)
        share = steps_mask[..., None].to(hidden_states.dtype)
        share = share / (share.sum(dim=1, keepdim=True).clamp(min=1) * hidden_states.shape[-1])
        centred = hidden_states - (hidden_states * share).sum(dim=(1, 2), keepdim=True)
        variance = (centred.square() * share).sum(dim=(1, 2), keepdim=True)
        return centred * (variance + self.eps).rsqrt() * self.weight + self.bias


class AnyMoTemporalResidual(nn.Module):
    """Two dilated convolutions over time and a path around them."""

    def __init__(self, config: AnyMoPQTokenizerConfig, dilation: int):
        super().__init__()
        padding = dilation * (config.kernel_size // 2)
        options = {"kernel_size": config.kernel_size, "padding": padding, "dilation": dilation}
        self.norms = nn.ModuleList(AnyMoTemporalNorm(config) for _ in range(2))
        self.convolutions = nn.ModuleList(
            nn.Conv1d(config.hidden_size, config.hidden_size, **options) for _ in range(2)
        )

    def forward(self, hidden_states: torch.Tensor, steps_mask: torch.Tensor) -> torch.Tensor:
        residual = hidden_states
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            # Steps behind a recording's end must look like the padding of the convolution.
            hidden_states = F.gelu(norm(hidden_states, steps_mask)) * steps_mask[..., None].to(hidden_states.dtype)
            hidden_states = convolution(hidden_states.transpose(1, 2)).transpose(1, 2)
        return residual + hidden_states


class AnyMoTemporalDecoder(nn.Module):
    """Codebook entries over time to features over time."""

    def __init__(self, config: AnyMoPQTokenizerConfig, output_size: int):
        super().__init__()
        code_size = config.num_codebooks * config.codebook_dim
        self.input_norm = nn.LayerNorm(code_size, eps=config.norm_eps)
        self.input_projection = nn.Linear(code_size, config.hidden_size)
        self.layers = nn.ModuleList(AnyMoTemporalResidual(config, dilation) for dilation in config.dilations)
        self.output_norm = AnyMoTemporalNorm(config)
        self.output_projection = nn.Linear(config.hidden_size, output_size)

    def forward(self, quantised: torch.Tensor, steps_mask: torch.Tensor) -> torch.Tensor:
        hidden_states = self.input_projection(self.input_norm(quantised))
        for layer in self.layers:
            hidden_states = layer(hidden_states, steps_mask)
        hidden_states = self.output_projection(F.gelu(self.output_norm(hidden_states, steps_mask)))
        return hidden_states * steps_mask[..., None].to(hidden_states.dtype)


__all__ = ["AnyMoTemporalDecoder"]

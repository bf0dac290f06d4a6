# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Networks that ours is compared with: written anew after what others publish, of our small encoder's size.

They take and give what `AnyMoGraphEncoder` does and share its map to sentence embeddings and its loss, so that what
differs is the network and what it is shown. Neither uses `orientation_known`: both were made for sensors whose axes
mean nothing, or always the same.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from huggingface_hub.dataclasses import strict
from torch import nn
from transformers import initialization as init

from anymo_hf import AnyMoGraphEncoderConfig, AnyMoGraphEncoderForTextAlignment
from anymo_hf.modeling.modeling_anymo_graph_encoder import (
    AnyMoGraphEncoderBlock,
    AnyMoGraphEncoderOutput,
    AnyMoGraphEncoderPreTrainedModel,
)


# UniMTS reads at 20 Hz; windows are repeated up to a fixed length, and what is longer is cut off.
FRAMES_PER_READING = 3
NUM_FRAMES = 300  # 5 s, the longest window of training; a published window has 10 s
# IMU2CLIP's kernels of 10, 5 and 5 with dilation 2, each pooled by 3, at 200 Hz; here about as long in seconds, and as
# many steps per second, at 60 Hz.
KERNEL_SIZES = (9, 5, 5)


@strict
class UniMTSLikeConfig(AnyMoGraphEncoderConfig):
    """
    Configuration of `UniMTSLikeEncoder`.

    Args:
        num_channels (`int`, *optional*, defaults to 3):
            3 reads the accelerometer alone, as UniMTS was published; 6 the gyroscope too.
        hidden_sizes, strides (`list[int]`, *optional*):
            Of each block; UniMTS has ten, of 64 to 512 channels.
    """

    model_type = "unimts_like"

    num_channels: int = 3
    hidden_sizes: list[int] | tuple[int, ...] = (16, 32, 48, 96)
    strides: list[int] | tuple[int, ...] = (1, 2, 2, 1)
    normalization: str = "batch_norm"
    edge_partition: str = "st_gcn"


class UniMTSLikeEncoder(AnyMoGraphEncoderPreTrainedModel):
    """
    After UniMTS (https://huggingface.co/papers/2410.19818): an ST-GCN over the skeleton's joints.

    What no sensor measured is zero, batch norm standardises every channel of every joint, and the mean over all joints
    is pooled, with a sensor or without.

        input_values (B, T, 23, 6) -> force at 20 Hz, repeated to 5 s (B, 100, 23, 3) -> blocks -> mean over joints

    Args:
        config (`UniMTSLikeConfig`):
            Its sizes.
    """

    config: UniMTSLikeConfig

    def __init__(self, config: UniMTSLikeConfig):
        super().__init__(config)
        self.input_norm = nn.BatchNorm1d(config.num_segments * config.num_channels)
        in_channels = [config.num_channels, *config.hidden_sizes[:-1]]
        self.blocks = nn.ModuleList(
            AnyMoGraphEncoderBlock(config, *sizes, has_residual=index > 0)
            for index, sizes in enumerate(zip(in_channels, config.hidden_sizes, config.strides, strict=True))
        )
        self.post_init()

    def forward(
        self,
        input_values: torch.FloatTensor,
        input_values_mask: torch.BoolTensor | None = None,
        orientation_known: torch.BoolTensor | None = None,
        pooled_only: bool = False,
        **kwargs,
    ) -> AnyMoGraphEncoderOutput:
        """As `AnyMoGraphEncoder`; every window has as many steps, for short ones are repeated."""
        mask = torch.ones_like(input_values, dtype=torch.bool) if input_values_mask is None else input_values_mask
        values = torch.where(mask, input_values, 0.0).float()[..., : self.config.num_channels]
        values = _repeat(values, _frames_mask(mask).sum(dim=1), NUM_FRAMES)
        values = values.unflatten(1, (-1, FRAMES_PER_READING)).mean(dim=2)
        values = self.input_norm(values.flatten(2).transpose(1, 2)).transpose(1, 2)
        hidden_states = values.unflatten(2, (self.config.num_segments, -1)).permute(2, 0, 1, 3).contiguous()
        steps_mask = torch.ones(hidden_states.shape[1:3], dtype=torch.bool, device=values.device)
        for block, stride in zip(self.blocks, self.config.strides, strict=True):
            hidden_states = block(hidden_states, steps_mask)
            steps_mask = steps_mask[:, ::stride]
        return AnyMoGraphEncoderOutput(
            last_hidden_state=None if pooled_only else hidden_states.permute(1, 2, 0, 3),
            pooled_latents=hidden_states.mean(dim=0),
            steps_mask=steps_mask,
        )


@strict
class IMU2CLIPLikeConfig(AnyMoGraphEncoderConfig):
    """
    Configuration of `IMU2CLIPLikeEncoder`.

    Args:
        hidden_sizes, strides (`list[int]`, *optional*):
            Channels of the convolutions and how each is pooled over time; then those of the recurrent layer.
    """

    model_type = "imu2clip_like"

    hidden_sizes: list[int] | tuple[int, ...] = (72, 72, 72, 144)
    strides: list[int] | tuple[int, ...] = (2, 2, 2, 1)


class IMU2CLIPLikeEncoder(AnyMoGraphEncoderPreTrainedModel):
    """
    After IMU2CLIP (https://huggingface.co/papers/2210.14395): convolutions, then a GRU, on the readings of one sensor.

    It knows no body: where a sensor is worn is not told. Several sensors are encoded one by one, and their latents'
    mean is pooled. The only step is the GRU's state at the end of the window.

        readings of each sensor (6, T) -> group norm -> 3 x convolution, max pooling -> group norm -> GRU, last state

    Args:
        config (`IMU2CLIPLikeConfig`):
            Its sizes.
    """

    config: IMU2CLIPLikeConfig

    def __init__(self, config: IMU2CLIPLikeConfig):
        super().__init__(config)
        *widths, hidden_size = config.hidden_sizes
        self.input_norm = MaskedGroupNorm(2, config.num_channels)  # force and rate each
        self.convolutions = nn.ModuleList(
            nn.Conv1d(*sizes, kernel_size, padding=kernel_size // 2, bias=False)
            for *sizes, kernel_size in zip([config.num_channels, *widths[:-1]], widths, KERNEL_SIZES, strict=True)
        )
        self.output_norm = MaskedGroupNorm(4, widths[-1])
        self.gru = nn.GRU(widths[-1], hidden_size, batch_first=True)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module):
        super()._init_weights(module)
        if isinstance(module, nn.Conv1d):
            init.kaiming_normal_(module.weight, nonlinearity="linear")

    def forward(
        self,
        input_values: torch.FloatTensor,
        input_values_mask: torch.BoolTensor | None = None,
        orientation_known: torch.BoolTensor | None = None,
        pooled_only: bool = False,
        **kwargs,
    ) -> AnyMoGraphEncoderOutput:
        """As `AnyMoGraphEncoder`, with a single step; there is no `last_hidden_state`."""
        mask = torch.ones_like(input_values, dtype=torch.bool) if input_values_mask is None else input_values_mask
        values = torch.where(mask, input_values, 0.0).float()
        is_worn = mask.any(dim=1).any(dim=-1)  # (batch_size, num_segments)
        window, segment = is_worn.nonzero(as_tuple=True)
        frames_mask = _frames_mask(mask)[window]
        latents = self._encode(*(one.permute(0, 2, 3, 1)[window, segment] for one in (values, mask)), frames_mask)
        count = is_worn.sum(dim=1, keepdim=True)
        sums = latents.new_zeros(len(values), latents.shape[1]).index_add(0, window, latents)
        return AnyMoGraphEncoderOutput(
            pooled_latents=(sums / count.clamp(min=1))[:, None],
            steps_mask=count > 0,
        )

    def _encode(self, readings: torch.Tensor, mask: torch.Tensor, frames_mask: torch.Tensor) -> torch.Tensor:
        """Of readings of shape `(num_sensors, 6, num_frames)` the GRU's last state, `(num_sensors, hidden_size)`."""
        hidden_states, frames_mask = self.input_norm(readings, mask), frames_mask[:, None]
        for convolution, stride in zip(self.convolutions, self.config.strides, strict=False):
            hidden_states = convolution(hidden_states).masked_fill(~frames_mask, -torch.inf)
            hidden_states = F.max_pool1d(hidden_states, stride, ceil_mode=True)
            frames_mask = frames_mask[..., ::stride]
            # Frames behind a window's end must look like the padding of the convolution.
            hidden_states = hidden_states.masked_fill(~frames_mask, 0.0)
        hidden_states = self.output_norm(hidden_states, frames_mask.expand_as(hidden_states))
        states, _ = self.gru(hidden_states.transpose(1, 2))
        last = frames_mask[:, 0].sum(dim=1) - 1
        return states[torch.arange(len(states), device=states.device), last]


class MaskedGroupNorm(nn.GroupNorm):
    """Group norm over channels and time that counts observed values only, and leaves zeros elsewhere."""

    def forward(self, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Of `(batch_size, num_channels, num_frames)`; values that the mask leaves out must be finite."""
        grouped, counted = (one.unflatten(1, (self.num_groups, -1)) for one in (values, mask))
        count = counted.sum(dim=(2, 3), keepdim=True).clamp(min=1)
        mean = torch.where(counted, grouped, 0.0).sum(dim=(2, 3), keepdim=True) / count
        deviations = torch.where(counted, grouped - mean, 0.0)
        variance = deviations.square().sum(dim=(2, 3), keepdim=True) / count
        normalised = (deviations * (variance + self.eps).rsqrt()).flatten(1, 2)
        return torch.where(mask, normalised * self.weight[:, None] + self.bias[:, None], 0.0)


class UniMTSLikeForTextAlignment(AnyMoGraphEncoderForTextAlignment):
    """`UniMTSLikeEncoder` where `AnyMoGraphEncoderForTextAlignment` has ours; head and loss are the same."""

    config: UniMTSLikeConfig

    def __init__(self, config: UniMTSLikeConfig):
        super().__init__(config)
        self.graph_encoder = UniMTSLikeEncoder(config)


class IMU2CLIPLikeForTextAlignment(AnyMoGraphEncoderForTextAlignment):
    """`IMU2CLIPLikeEncoder` where `AnyMoGraphEncoderForTextAlignment` has ours; head and loss are the same."""

    config: IMU2CLIPLikeConfig

    def __init__(self, config: IMU2CLIPLikeConfig):
        super().__init__(config)
        self.graph_encoder = IMU2CLIPLikeEncoder(config)


def load_network(folder: str | Path) -> AnyMoGraphEncoderForTextAlignment:
    """Any of the three, by what its `config.json` says; a `ValueError` for something else."""
    classes = (AnyMoGraphEncoderForTextAlignment, UniMTSLikeForTextAlignment, IMU2CLIPLikeForTextAlignment)
    path = Path(folder) / "config.json"
    if not path.exists():
        raise ValueError(f"{folder} must be the `text_alignment` folder of a training, but has no config.json.")
    written = json.loads(path.read_text(encoding="utf-8")).get("architectures") or []
    found = [one for one in classes if [one.__name__] == written]
    if not found:
        raise ValueError(f"{folder} must hold one of {[one.__name__ for one in classes]}, but holds {written}.")
    return found[0].from_pretrained(folder).eval()


def _frames_mask(mask: torch.Tensor) -> torch.Tensor:
    """True up to each window's last observed frame, and in the first one; shape `(batch_size, num_frames)`."""
    observed = mask.flatten(2).any(dim=2)
    frames_mask = observed.flip(1).cumsum(dim=1).flip(1) > 0
    frames_mask[:, 0] = True
    return frames_mask


def _repeat(values: torch.Tensor, lengths: torch.Tensor, num_frames: int) -> torch.Tensor:
    """Windows begun again where they end, until each has so many frames."""
    frames = torch.arange(num_frames, device=values.device) % lengths[:, None]
    return values[torch.arange(len(values), device=values.device)[:, None], frames]

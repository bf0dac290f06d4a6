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
"""The graph encoder: readings of a few sensors in, a latent for every segment of the body out."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.processing_utils import Unpack
from transformers.utils import ModelOutput, TransformersKwargs
from transformers.utils.generic import merge_with_config_defaults
from transformers.utils.output_capturing import capture_outputs

from .configuration_anymo import AnyMoGraphEncoderConfig
from .modeling_anymo_canonical_axes import canonical_axes, turn_readings, whole_vectors
from .modeling_anymo_low_pass import low_pass


# Messages pass along three relations, each with weights of its own: to itself, from children, from the parent.
NUM_RELATIONS = 3
# What a sensor reads before anyone has measured it, per channel: gravity in m/s^2, and a brisk turn in rad/s.
TYPICAL_FORCE, TYPICAL_RATE = 9.80665, 2.0


@dataclass
class AnyMoGraphEncoderOutput(ModelOutput):
    """
    What the graph encoder gives.

    Args:
        last_hidden_state (`torch.FloatTensor` of shape `(batch_size, num_steps, num_segments, hidden_size)`):
            A latent per step and segment; `num_steps` is `num_frames` divided by every stride in turn, rounded up.
        pooled_latents (`torch.FloatTensor` of shape `(batch_size, num_steps, hidden_size)`):
            Their mean over segments, all or those with a sensor (`config.pooled_segments`). Both are zero in steps
            that lie behind the recording's end.
        steps_mask (`torch.BoolTensor` of shape `(batch_size, num_steps)`):
            False in steps behind the recording's last observed frame.
        hidden_states (`tuple[torch.FloatTensor]`, *optional*):
            The first block's input and the output of every block, of shape `(num_segments, batch_size, num_steps,
            channels)`; empty where recordings have an axis of views.
    """

    last_hidden_state: torch.FloatTensor | None = None
    pooled_latents: torch.FloatTensor | None = None
    steps_mask: torch.BoolTensor | None = None
    hidden_states: tuple[torch.FloatTensor, ...] | None = None


def segment_adjacency(segment_parents: list[int], edge_partition: str = "tree") -> torch.Tensor:
    """
    Who sends to whom on the body graph.

    Args:
        segment_parents (`list[int]`):
            Index of every segment's parent, -1 at the root.
        edge_partition (`str`, *optional*, defaults to `"tree"`):
            As in the configuration.

    Returns:
        `torch.Tensor` of shape `(3, num_segments, num_segments)`: Entry `[relation, sender, receiver]`; the relations
        are self, towards the root and away from it. What a segment receives is divided by the number of its senders.
    """
    adjacency = torch.zeros(NUM_RELATIONS, len(segment_parents), len(segment_parents))
    adjacency[0].fill_diagonal_(1.0)
    for child, parent in enumerate(segment_parents):
        if parent >= 0:
            adjacency[1, child, parent] = 1.0
            # CODEPATH: ST-GCN's distances from the root end after one edge; beyond, both directions look alike to it.
            is_told_apart = edge_partition == "tree" or parent == 0 or segment_parents[parent] == 0
            adjacency[2 if is_told_apart else 1, parent, child] = 1.0
    return adjacency / adjacency.sum(dim=(0, 1))


def typical_readings(config: AnyMoGraphEncoderConfig) -> torch.Tensor:
    """What stands for the deviation of readings until it is known, shape `(num_segments, num_channels)`."""
    readings = torch.tensor([TYPICAL_FORCE] * 3 + [TYPICAL_RATE] * 3)
    return readings[: config.num_channels].repeat(config.num_segments, 1)


class AnyMoNorm(nn.Module):
    """
    Layer norm over channels, or batch norm over all frames and segments that lie within their recording.

    Layer norm keeps no statistics, so that a recording gives the same alone and in any batch, in training as later.
    """

    def __init__(self, config: AnyMoGraphEncoderConfig, width: int):
        super().__init__()
        # CODEPATH: checkpoints of this package have layer norm; converted official ones have batch norm.
        if config.normalization == "layer_norm":
            self.norm = nn.LayerNorm(width, eps=config.norm_eps)
        else:
            self.norm = nn.BatchNorm1d(width, eps=config.norm_eps)

    def forward(self, hidden_states: torch.Tensor, frames_mask: torch.Tensor) -> torch.Tensor:
        if isinstance(self.norm, nn.LayerNorm):
            return self.norm(hidden_states)
        if not self.training:
            return self.norm(hidden_states.flatten(0, -2)).view(hidden_states.shape)
        # Padded frames must not enter the statistics.
        normalised = torch.zeros_like(hidden_states)
        valid = frames_mask.expand(hidden_states.shape[:-1])
        normalised[valid] = self.norm(hidden_states[valid])
        return normalised


class AnyMoGraphConvolution(nn.Module):
    """
    Every segment receives from itself, its children and its parent, along edges of learned importance.

    Segments come first in memory: what they send each other is then one product of a small matrix with a very wide
    one, and the projection of what the three relations bring another.
    """

    def __init__(self, config: AnyMoGraphEncoderConfig, in_channels: int, out_channels: int):
        super().__init__()
        num_segments = config.num_segments
        self.projection = nn.Linear(in_channels, NUM_RELATIONS * out_channels)
        self.edge_importance = nn.Parameter(torch.ones(NUM_RELATIONS, num_segments, num_segments))
        adjacency = segment_adjacency(config.segment_parents, config.edge_partition)
        self.adjacency = nn.Buffer(adjacency, persistent=False)

    def forward(self, hidden_states: torch.Tensor, rows: torch.Tensor | None = None) -> torch.Tensor:
        """What rows receive, `(num_rows, num_frames, out_channels)`; they count through segments, then recordings."""
        num_segments, batch_size, num_frames, in_channels = hidden_states.shape
        edges = (self.adjacency * self.edge_importance).to(hidden_states.dtype)
        senders = edges.transpose(1, 2).flatten(0, 1)  # (3 * num_segments, num_segments), rows are receivers
        received = (senders @ hidden_states.flatten(1)).view(NUM_RELATIONS, num_segments * batch_size, -1)

        # Each relation's product is added in place to the bias, with fewer passes over memory than a sum.
        weight = self.projection.weight.to(received.dtype).unflatten(0, (NUM_RELATIONS, -1))
        bias = edges.sum(dim=1).transpose(0, 1) @ self.projection.bias.unflatten(0, (NUM_RELATIONS, -1))
        bias = bias.to(received.dtype)[:, None].expand(-1, batch_size, -1).flatten(0, 1)
        if rows is not None:
            received, bias = received[:, rows], bias[rows]
        projected = bias[:, None].repeat(1, num_frames, 1).flatten(0, 1)
        # Unbound, not indexed: the gradient of an index is a tensor of zeros as large as all relations together.
        for one_received, one_weight in zip(received.unbind(), weight.unbind(), strict=True):
            projected = projected.addmm_(one_received.view(-1, in_channels), one_weight.transpose(0, 1))
        return projected.unflatten(0, (-1, num_frames))


class AnyMoGraphEncoderBlock(GradientCheckpointingLayer):
    """A graph convolution, a temporal convolution that may skip frames, and a path around both."""

    def __init__(
        self, config: AnyMoGraphEncoderConfig, in_channels: int, out_channels: int, stride: int, has_residual: bool
    ):
        super().__init__()
        kernel_size = config.temporal_kernel_size
        self.stride = stride
        self.has_residual = has_residual
        self.graph_convolution = AnyMoGraphConvolution(config, in_channels, out_channels)
        self.graph_norm = AnyMoNorm(config, out_channels)
        self.temporal_convolution = nn.Conv2d(
            out_channels, out_channels, (1, kernel_size), stride=(1, stride), padding=(0, kernel_size // 2)
        )
        self.temporal_norm = AnyMoNorm(config, out_channels)
        self.dropout = nn.Dropout(config.dropout)
        self.residual = None
        if has_residual and (in_channels != out_channels or stride != 1):
            self.residual = nn.Linear(in_channels, out_channels)
            self.residual_norm = AnyMoNorm(config, out_channels)

    def forward(
        self,
        hidden_states: torch.Tensor,
        frames_mask: torch.Tensor,
        rows: torch.Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> torch.Tensor:
        """`(num_segments, batch_size, num_steps, out_channels)`; zeros but in `rows` of the first two axes."""
        num_segments, batch_size = hidden_states.shape[:2]
        residual = hidden_states.flatten(0, 1)
        frames_mask = frames_mask.repeat(num_segments, 1)
        if rows is not None:
            residual, frames_mask = residual[rows], frames_mask[rows]
        steps_mask = frames_mask
        if self.stride > 1:
            residual, steps_mask = residual[:, :: self.stride], frames_mask[:, :: self.stride]
        hidden_states = F.relu(self.graph_norm(self.graph_convolution(hidden_states, rows), frames_mask), inplace=True)
        # Frames behind a recording's end must look like the padding of the convolution.
        hidden_states = hidden_states * frames_mask[..., None].to(hidden_states.dtype)
        hidden_states = self.dropout(self.temporal_norm(self._convolve_over_time(hidden_states), steps_mask))
        if self.residual is not None:
            residual = self.residual_norm(self.residual(residual), steps_mask)
        hidden_states = F.relu(hidden_states + residual if self.has_residual else hidden_states, inplace=True)
        if rows is not None:
            everywhere = hidden_states.new_zeros(num_segments * batch_size, *hidden_states.shape[1:])
            hidden_states = everywhere.index_copy(0, rows, hidden_states)
        return hidden_states.unflatten(0, (num_segments, batch_size))

    def _convolve_over_time(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Of every row by itself; they are images of height 1 whose channels lie innermost."""
        images = self.temporal_convolution(hidden_states[:, None].permute(0, 3, 1, 2))
        return images.permute(0, 2, 3, 1).flatten(0, 1)


class AnyMoGraphEncoderPreTrainedModel(PreTrainedModel):
    """What the graph encoder and its heads share."""

    config: AnyMoGraphEncoderConfig
    base_model_prefix = "graph_encoder"
    main_input_name = "input_values"
    input_modalities = ("time",)
    supports_gradient_checkpointing = True
    accepts_loss_kwargs = False  # losses are means, which gradient accumulation must divide
    _no_split_modules = ["AnyMoGraphEncoderBlock"]
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True
    _can_record_outputs = {"hidden_states": AnyMoGraphEncoderBlock}

    def get_input_embeddings(self) -> None:
        """Nothing here is a table of words, and whoever shards a model asks for it."""
        return None

    @torch.no_grad()
    def _init_weights(self, module: nn.Module):
        super()._init_weights(module)
        if isinstance(module, AnyMoGraphEncoder):
            init.zeros_(module.input_mean)
            init.copy_(module.input_std, typical_readings(self.config))
            init.ones_(module.input_weight)
            init.zeros_(module.input_bias)
            init.zeros_(module.mask_token)
            if module.up_token is not None:
                init.zeros_(module.up_token)
        elif isinstance(module, AnyMoGraphConvolution):
            init.ones_(module.edge_importance)
            adjacency = segment_adjacency(self.config.segment_parents, self.config.edge_partition)
            init.copy_(module.adjacency, adjacency)
            init.kaiming_normal_(module.projection.weight, nonlinearity="relu")
        elif isinstance(module, nn.Conv2d):  # not the block: modules without parameters of their own are passed over
            init.kaiming_normal_(module.weight, nonlinearity="relu")


class AnyMoGraphEncoder(AnyMoGraphEncoderPreTrainedModel):
    """
    Relational graph convolutions over the body's segments and convolutions over time.

    Readings of unobserved segments are replaced by a learned vector, value by value, before anything else looks at
    them; nothing tells the network what was observed but that vector. ST-GCN (https://huggingface.co/papers/1801.07455)
    with the sizes of AnyMo (https://huggingface.co/papers/2605.22715).

    With `config.canonical_axes` sensors are first turned into axes that their own readings define, so that mounting
    changes nothing. What is lost by that is the posture, which way up lies in the sensor's frame. Sensors of which
    `orientation_known` says that their axes mean something keep these, and the up direction is told beside.

        input_values (B, T, 23, 6)
          -> canonical axes, standardise, mask token
          -> blocks: graph convolution, norm, ReLU, temporal convolution, norm, + residual, ReLU
          -> last_hidden_state (B, N, 23, D) -> mean over (observed) segments -> pooled_latents (B, N, D)

    Args:
        config (`AnyMoGraphEncoderConfig`):
            Its sizes.
    """

    def __init__(self, config: AnyMoGraphEncoderConfig):
        super().__init__(config)
        shape = (config.num_segments, config.num_channels)
        # Statistics of observed readings, set once by `estimate_input_statistics`: nothing drifts while training.
        self.input_mean = nn.Buffer(torch.zeros(shape))
        self.input_std = nn.Buffer(typical_readings(config))
        self.input_weight = nn.Parameter(torch.ones(shape))
        self.input_bias = nn.Parameter(torch.zeros(shape))
        self.mask_token = nn.Parameter(torch.zeros(config.num_channels))
        # CODEPATH: checkpoints of this package read in canonical axes, the paper's in the sensors' own.
        self.up_token = nn.Parameter(torch.zeros(3)) if config.canonical_axes else None
        in_channels = [config.num_input_channels, *config.hidden_sizes[:-1]]
        self.blocks = nn.ModuleList(
            AnyMoGraphEncoderBlock(config, *sizes, has_residual=index > 0)
            for index, sizes in enumerate(zip(in_channels, config.hidden_sizes, config.strides, strict=True))
        )
        self.gradient_checkpointing = False
        self.post_init()

    @torch.no_grad()
    def estimate_input_statistics(self, input_values: torch.Tensor, input_values_mask: torch.Tensor | None = None):
        """
        Take mean and deviation of the readings, per segment and channel, from examples of them.

        Args:
            input_values (`torch.Tensor` of shape `(..., num_frames, num_segments, num_channels)`):
                Specific force (m/s^2) and angular rate (rad/s).
            input_values_mask (`torch.BoolTensor` of that shape, *optional*, defaults to `None`):
                True where they were observed; the others do not count. A channel that never was keeps its values.
        """
        values = input_values.reshape(-1, *input_values.shape[-3:])
        mask = torch.ones_like(values, dtype=torch.bool)
        if input_values_mask is not None:
            mask = input_values_mask.reshape(values.shape)
        values = self._slow_part(values, mask)
        # CODEPATH: as in `__init__`.
        if self.config.canonical_axes:
            values, mask, _ = _in_canonical_axes(values, mask)
        values, mask = values.flatten(0, 1).double(), mask.flatten(0, 1)
        count = mask.sum(dim=0)
        values = torch.where(mask, values, 0.0)
        mean = values.sum(dim=0) / count.clamp(min=1)
        variance = torch.where(mask, values - mean, 0.0).square().sum(dim=0) / count.clamp(min=1)
        enough = (count > 1) & (variance > 0)
        self.input_mean.copy_(torch.where(enough, mean, self.input_mean))
        self.input_std.copy_(torch.where(enough, variance.sqrt(), self.input_std))

    @merge_with_config_defaults
    @capture_outputs(tie_last_hidden_states=False)
    def forward(
        self,
        input_values: torch.FloatTensor,
        input_values_mask: torch.BoolTensor | None = None,
        orientation_known: torch.BoolTensor | None = None,
        pooled_only: bool = False,
        **kwargs: Unpack[TransformersKwargs],
    ) -> AnyMoGraphEncoderOutput:
        r"""
        Encode readings.

        Args:
            input_values (`torch.FloatTensor` of shape `(batch_size, num_frames, num_segments, num_channels)`):
                Specific force (m/s^2) and angular rate (rad/s) in each sensor's frame, at `config.sampling_rate`. With
                an axis of views after the first, the outputs are means over the views of a recording.
            input_values_mask (`torch.BoolTensor` of that shape, *optional*, defaults to `None`):
                True where a value was observed; what stands elsewhere does not matter. `None` = all observed.
            orientation_known (`torch.BoolTensor` of shape `(batch_size, num_segments)`, *optional*):
                True where a sensor's axes are those of its segment, or mounted alike in all recordings of a study, so
                that the direction of gravity in them tells the posture; with an axis of views as `input_values` have.
                `None` = nowhere. Without `config.canonical_axes` all axes count as they are, and it has no effect.
            pooled_only (`bool`, *optional*, defaults to `False`):
                Whether to leave out what `pooled_latents` do not need, and `last_hidden_state` with it: with
                `config.pooled_segments == "observed"` the cost then grows with the number of sensors.
            **kwargs:
                `output_hidden_states` and what else all models of transformers take.
        """
        if input_values.ndim == 5:
            return self._mean_over_views(input_values, input_values_mask, orientation_known, pooled_only, **kwargs)
        self._check_shape(input_values, input_values_mask, orientation_known)
        frames_mask = _frames_mask(input_values, input_values_mask)
        hidden_states = self._embed(input_values, input_values_mask, orientation_known)
        hidden_states = hidden_states.permute(2, 0, 1, 3).contiguous()
        rows = self._needed_rows(input_values_mask) if pooled_only else [None] * len(self.blocks)
        for block, stride, needed in zip(self.blocks, self.config.strides, rows, strict=True):
            hidden_states = block(hidden_states, frames_mask, needed, **kwargs)
            frames_mask = frames_mask[:, ::stride]
        hidden_states = hidden_states * frames_mask[..., None].to(hidden_states.dtype)
        return AnyMoGraphEncoderOutput(
            last_hidden_state=None if pooled_only else hidden_states.permute(1, 2, 0, 3),
            pooled_latents=self._pool(hidden_states, input_values_mask),
            steps_mask=frames_mask,
        )

    def _embed(
        self, values: torch.Tensor, mask: torch.Tensor | None, orientation_known: torch.Tensor | None
    ) -> torch.Tensor:
        """The first block's input, shape `(batch_size, num_frames, num_segments, num_input_channels)`."""
        values = self._slow_part(values, mask)
        if self.up_token is None:
            return self._standardise(values, mask)
        if orientation_known is None:
            orientation_known = torch.zeros_like(values[:, 0, :, 0], dtype=torch.bool)
        values, mask, up = _in_canonical_axes(values, mask, orientation_known)
        up = torch.where(orientation_known[..., None], up.to(self.up_token.dtype), self.up_token)
        up = up[:, None].expand(-1, values.shape[1], -1, -1)
        return torch.cat([self._standardise(values, mask), up], dim=-1)

    def _slow_part(self, values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """What of the readings the network looks at."""
        # CODEPATH: checkpoints of this package look at what is slower than `cutoff`, the paper's at everything.
        if self.config.cutoff is None:
            return values
        with torch.autocast(values.device.type, enabled=False):
            return low_pass(values, mask, self.config.cutoff, self.config.sampling_rate)

    def _standardise(self, values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Readings in deviations from their mean; the mask token where there are none."""
        # In single precision: gravity in three digits hides what the body does.
        mean, std = self.input_mean.float(), self.input_std.float()
        values = values.float()
        if mask is not None:
            # Before anything is computed from it: an unobserved NaN would otherwise reach the gradients.
            values = torch.where(mask, values, mean)
        values = ((values - mean) / std).to(self.input_weight.dtype) * self.input_weight + self.input_bias
        return values if mask is None else torch.where(mask, values, self.mask_token)

    def _pool(self, hidden_states: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Mean over segments, which come first, shape `(batch_size, num_steps, hidden_size)`."""
        # CODEPATH: the paper's checkpoints pool all segments, those of this package the ones with a sensor.
        if mask is None or self.config.pooled_segments == "all":
            return hidden_states.mean(dim=0)
        observed = mask.flatten(3).any(dim=3).any(dim=1).to(hidden_states.dtype)
        share = observed / observed.sum(dim=1, keepdim=True).clamp(min=1)
        return torch.einsum("sbnd,bs->bnd", hidden_states, share)

    def _needed_rows(self, mask: torch.Tensor | None) -> list[torch.Tensor | None]:
        """For every block the segments of each recording from which a path leads to an observed one, as rows."""
        # CODEPATH: as in `_pool`; where all segments are pooled, all are needed.
        if mask is None or self.config.pooled_segments == "all":
            return [None] * len(self.blocks)
        is_neighbour = (self.blocks[0].graph_convolution.adjacency.sum(dim=0) > 0).float()
        needed = mask.any(dim=1).any(dim=-1).transpose(0, 1)
        rows = []
        for _ in self.blocks:
            rows.append(needed.flatten().nonzero()[:, 0])
            needed = is_neighbour @ needed.float() > 0  # neighbours are mutual
        return rows[::-1]

    def _mean_over_views(
        self, input_values, input_values_mask, orientation_known, pooled_only, **kwargs
    ) -> AnyMoGraphEncoderOutput:
        """Encode every view of a recording by itself; a step is the mean of the views that reach it."""
        batch_size, num_views = input_values.shape[:2]
        mask, known = (one if one is None else one.flatten(0, 1) for one in (input_values_mask, orientation_known))
        outputs = self(input_values.flatten(0, 1), mask, known, pooled_only, **kwargs)
        steps_mask = outputs.steps_mask.unflatten(0, (batch_size, num_views))
        share = steps_mask.to(outputs.pooled_latents.dtype)
        share = share / share.sum(dim=1, keepdim=True).clamp(min=1)
        hidden_states = outputs.last_hidden_state
        if hidden_states is not None:
            hidden_states = hidden_states.unflatten(0, (batch_size, num_views))
            hidden_states = (hidden_states * share[..., None, None]).sum(dim=1)
        pooled_latents = outputs.pooled_latents.unflatten(0, (batch_size, num_views))
        return AnyMoGraphEncoderOutput(
            last_hidden_state=hidden_states,
            pooled_latents=(pooled_latents * share[..., None]).sum(dim=1),
            steps_mask=steps_mask.any(dim=1),
        )

    def _check_shape(
        self,
        input_values: torch.Tensor,
        input_values_mask: torch.Tensor | None,
        orientation_known: torch.Tensor | None,
    ):
        expected = (self.config.num_segments, self.config.num_channels)
        if input_values.ndim != 4 or tuple(input_values.shape[2:]) != expected or input_values.shape[1] == 0:
            raise ValueError(
                f"`input_values` must have shape (batch_size, num_frames, {expected[0]}, {expected[1]}) with at least "
                f"one frame, but has {tuple(input_values.shape)}; `AnyMoFeatureExtractor` makes it from recordings."
            )
        if input_values_mask is not None and input_values_mask.shape != input_values.shape:
            raise ValueError(
                f"`input_values_mask` must have the shape of `input_values`, {tuple(input_values.shape)}, but has "
                f"{tuple(input_values_mask.shape)}."
            )
        # Not `len`, which would fix the number of recordings in an exported graph.
        sensors = (input_values.shape[0], expected[0])
        if orientation_known is not None and orientation_known.shape != sensors:
            raise ValueError(
                f"`orientation_known` must have shape {sensors}, one entry per sensor, but "
                f"has {tuple(orientation_known.shape)}."
            )


def _in_canonical_axes(
    values: torch.Tensor, mask: torch.Tensor | None, orientation_known: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor]:
    """Readings turned where their axes mean nothing; what of them is observed; up where they do, `(..., 23, 3)`."""
    values = values.float()
    if mask is not None:
        mask = whole_vectors(mask)
        values = torch.where(mask, values, 0.0)
    with torch.autocast(values.device.type, enabled=False):  # products in three digits would turn the axes
        axes, up, has_gravity = canonical_axes(values, mask)
        up = torch.where(has_gravity[..., None], up, 0.0)
        if orientation_known is not None:
            identity = torch.eye(3, dtype=axes.dtype, device=axes.device)
            axes = torch.where(orientation_known[..., None, None], identity, axes)
        return turn_readings(axes, values), mask, up


def _frames_mask(input_values: torch.Tensor, input_values_mask: torch.Tensor | None) -> torch.Tensor:
    """True up to a recording's last observed frame, shape `(batch_size, num_frames)`; gaps within it count."""
    if input_values_mask is None:
        return torch.ones(input_values.shape[:2], dtype=torch.bool, device=input_values.device)
    observed = input_values_mask.flatten(2).any(dim=2)
    return observed.flip(1).cumsum(dim=1).flip(1) > 0  # a running maximum has no form in ONNX


__all__ = [
    "AnyMoGraphEncoder",
    "AnyMoGraphEncoderOutput",
    "AnyMoGraphEncoderPreTrainedModel",
]

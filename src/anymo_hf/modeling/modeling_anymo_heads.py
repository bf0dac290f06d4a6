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
"""Heads of the graph encoder: masked cross-view prediction, which trains it, and classification of recordings."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn
from transformers import initialization as init
from transformers.masking_utils import create_bidirectional_mask
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.processing_utils import Unpack
from transformers.utils import ModelOutput, TransformersKwargs
from transformers.utils.generic import can_return_tuple

from .configuration_anymo import AnyMoGraphEncoderConfig
from .modeling_anymo_canonical_axes import canonical_axes, turn_readings
from .modeling_anymo_dense import AnyMoDenseHead, AnyMoSegmentRegression
from .modeling_anymo_gathering import gather_from_all_processes, own_rows
from .modeling_anymo_graph_encoder import AnyMoGraphEncoder, AnyMoGraphEncoderPreTrainedModel


# Windows of one recording that begin closer together show nearly the same motion: no negatives of each other.
SAME_MOTION_SECONDS = 1.0


@dataclass
class AnyMoGraphEncoderForPreTrainingOutput(ModelOutput):
    """
    What pre-training gives.

    Args:
        loss (`torch.FloatTensor` of shape `(1,)`, *optional*):
            Predictive InfoNCE, and what reading motion off the latents misses, in their weights.
        contrastive_loss, dense_loss (`torch.FloatTensor` of shape `(1,)`, *optional*):
            Each by itself.
        logits (`torch.FloatTensor` of shape `(batch_size, num_targets)`):
            Similarity of every prediction with every target of all processes, over the temperature; the lowest
            number of the type where a pair is excluded.
        target_index (`torch.LongTensor` of shape `(batch_size,)`):
            Column of each prediction's own target.
        predictions (`torch.FloatTensor` of shape `(batch_size, num_steps, hidden_size)`, *optional*):
            Predicted latents, given where no loss is asked for.
        targets (`torch.FloatTensor` of shape `(batch_size, num_steps, hidden_size)`, *optional*):
            Pooled latents of the other view, given where no loss is asked for.
    """

    loss: torch.FloatTensor | None = None
    contrastive_loss: torch.FloatTensor | None = None
    dense_loss: torch.FloatTensor | None = None
    logits: torch.FloatTensor | None = None
    target_index: torch.LongTensor | None = None
    predictions: torch.FloatTensor | None = None
    targets: torch.FloatTensor | None = None


def step_similarity(
    predictions: torch.Tensor, targets: torch.Tensor, predictions_mask: torch.Tensor, targets_mask: torch.Tensor
) -> torch.Tensor:
    """
    Cosine per time step, averaged over the steps that both recordings have.

    Args:
        predictions (`torch.Tensor` of shape `(batch_size, num_steps, hidden_size)`):
            One side.
        targets (`torch.Tensor` of shape `(num_targets, num_steps, hidden_size)`):
            The other.
        predictions_mask (`torch.BoolTensor` of shape `(batch_size, num_steps)`):
            False behind a recording's end.
        targets_mask (`torch.BoolTensor` of shape `(num_targets, num_steps)`):
            The same of the other side.

    Returns:
        `torch.Tensor` of shape `(batch_size, num_targets)`: -1 to 1; 0 where two recordings share no step.
    """
    predictions = F.normalize(predictions, dim=-1) * predictions_mask[..., None].to(predictions.dtype)
    targets = F.normalize(targets, dim=-1) * targets_mask[..., None].to(targets.dtype)
    shared_steps = predictions_mask.to(predictions.dtype) @ targets_mask.to(targets.dtype).transpose(0, 1)
    return predictions.flatten(1) @ targets.flatten(1).transpose(0, 1) / shared_steps.clamp(min=1)


def of_the_same_motion(
    recording_id: torch.Tensor, start_time: torch.Tensor | None, target_index: torch.Tensor
) -> torch.Tensor:
    """
    Which windows of all processes overlap a window so much that they are no negatives of it.

    Args:
        recording_id (`torch.LongTensor` of shape `(batch_size,)`):
            Recording of each window.
        start_time (`torch.DoubleTensor` of shape `(batch_size,)`, *optional*):
            Where in it a window begins, in seconds. `None` excludes all windows of the recording.
        target_index (`torch.LongTensor` of shape `(batch_size,)`):
            Each window's own place among all; itself is never excluded.

    Returns:
        `torch.BoolTensor` of shape `(batch_size, num_targets)`: True where a pair does not count.
    """
    if start_time is None:
        start_time = torch.zeros_like(recording_id, dtype=torch.float64)
    recordings, starts = gather_from_all_processes(recording_id), gather_from_all_processes(start_time)
    near = (start_time[:, None] - starts).abs() < SAME_MOTION_SECONDS
    return ((recording_id[:, None] == recordings) & near).scatter(1, target_index[:, None], False)


def eager_attention_forward(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    **kwargs: Unpack[TransformersKwargs],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention in plain operations, for those who want to see the weights."""
    weights = torch.matmul(query, key.transpose(2, 3)) * scaling
    if attention_mask is not None:
        weights = weights + attention_mask
    weights = F.softmax(weights, dim=-1, dtype=torch.float32).to(query.dtype)
    return torch.matmul(weights, value).transpose(1, 2).contiguous(), weights


class AnyMoTemporalAttention(nn.Module):
    """Every step looks at all steps of its recording."""

    def __init__(self, config: AnyMoGraphEncoderConfig):
        super().__init__()
        self.config = config
        self.head_dim = config.hidden_size // config.predictor_num_attention_heads
        self.scaling = self.head_dim**-0.5
        self.is_causal = False
        self.q_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.k_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.v_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.o_proj = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(
        self, hidden_states: torch.Tensor, attention_mask: torch.Tensor | None, **kwargs: Unpack[TransformersKwargs]
    ) -> torch.Tensor:
        batch_size, num_steps = hidden_states.shape[:2]
        shape = (batch_size, num_steps, -1, self.head_dim)
        query, key, value = (
            projection(hidden_states).view(shape).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        attention: Callable = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        attended, _ = attention(self, query, key, value, attention_mask, scaling=self.scaling, **kwargs)
        return self.o_proj(attended.reshape(batch_size, num_steps, -1))


class AnyMoTemporalLayer(GradientCheckpointingLayer):
    """A Transformer layer that normalises before attention and before the feed-forward part."""

    def __init__(self, config: AnyMoGraphEncoderConfig):
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.hidden_size, eps=config.norm_eps)
        self.attention = AnyMoTemporalAttention(config)
        self.feed_forward_norm = nn.LayerNorm(config.hidden_size, eps=config.norm_eps)
        self.up_proj = nn.Linear(config.hidden_size, config.predictor_intermediate_size)
        self.down_proj = nn.Linear(config.predictor_intermediate_size, config.hidden_size)

    def forward(
        self, hidden_states: torch.Tensor, attention_mask: torch.Tensor | None, **kwargs: Unpack[TransformersKwargs]
    ) -> torch.Tensor:
        hidden_states = hidden_states + self.attention(self.attention_norm(hidden_states), attention_mask, **kwargs)
        return hidden_states + self.down_proj(F.gelu(self.up_proj(self.feed_forward_norm(hidden_states))))


class AnyMoTemporalPredictor(nn.Module):
    """Guesses the whole body's latents from those of a few sensors. Pre-training only."""

    def __init__(self, config: AnyMoGraphEncoderConfig):
        super().__init__()
        self.config = config
        self.position_embedding = nn.Parameter(torch.zeros(config.max_num_steps, config.hidden_size))
        self.layers = nn.ModuleList(AnyMoTemporalLayer(config) for _ in range(config.predictor_num_hidden_layers))
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.norm_eps)
        self.projection = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(
        self, hidden_states: torch.Tensor, steps_mask: torch.Tensor, **kwargs: Unpack[TransformersKwargs]
    ) -> torch.Tensor:
        num_steps = hidden_states.shape[1]
        if num_steps > self.config.max_num_steps:
            raise ValueError(
                f"The predictor knows {self.config.max_num_steps} steps, but the recordings have {num_steps}; pass "
                "shorter windows or raise `max_num_steps` of the configuration."
            )
        hidden_states = hidden_states + self.position_embedding[:num_steps]
        attention_mask = create_bidirectional_mask(self.config, hidden_states, steps_mask)
        for layer in self.layers:
            hidden_states = layer(hidden_states, attention_mask, **kwargs)
        return self.projection(self.norm(hidden_states))


class AnyMoGraphEncoderForPreTraining(AnyMoGraphEncoderPreTrainedModel):
    """
    Masked cross-view prediction: from a few sensors of one view, the latents of another view's whole body.

    Two views are two draws of placements, mountings and devices over the same motion. What a few sensors of view one
    and all sensors of view two have in common is the motion, not the setup. The target is view two, encoded whole and
    without gradient; the loss is InfoNCE on the cosine per step, averaged over steps, against all other windows.
    Views are drawn alike, so that one direction per pair is enough; `config.symmetric` adds the other. With
    `config.dense_loss_weight` the latents of the few sensors must also tell what these and all segments feel: a
    comparison of windows alone lets them forget what recognition lives on.

    Args:
        config (`AnyMoGraphEncoderConfig`):
            Sizes of encoder and predictor.
    """

    def __init__(self, config: AnyMoGraphEncoderConfig):
        super().__init__(config)
        self.graph_encoder = AnyMoGraphEncoder(config)
        self.predictor = AnyMoTemporalPredictor(config)
        # CODEPATH: the small preset learns from dense targets too; the paper's recipe does not.
        self.dense_head = AnyMoDenseHead(config) if config.dense_loss_weight else None
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module):
        super()._init_weights(module)
        if isinstance(module, AnyMoTemporalPredictor):
            init.normal_(module.position_embedding, std=self.config.initializer_range)
        elif isinstance(module, AnyMoDenseHead):
            module.reset_statistics()
        elif isinstance(module, AnyMoSegmentRegression):
            init.zeros_(module.bias)

    @can_return_tuple
    def forward(
        self,
        input_values: torch.FloatTensor,
        input_values_mask: torch.BoolTensor | None = None,
        visible_segments: torch.BoolTensor | None = None,
        recording_id: torch.LongTensor | None = None,
        start_time: torch.DoubleTensor | None = None,
        ideal_values: torch.FloatTensor | None = None,
        segment_values: torch.FloatTensor | None = None,
        segment_mask: torch.BoolTensor | None = None,
        orientation_known: torch.BoolTensor | None = None,
        return_loss: bool = True,
        **kwargs: Unpack[TransformersKwargs],
    ) -> AnyMoGraphEncoderForPreTrainingOutput:
        r"""
        One step of pre-training.

        Args:
            input_values (`torch.FloatTensor` of shape `(batch_size, 2, num_frames, num_segments, num_channels)`):
                Two views of each window, in m/s^2 and rad/s.
            input_values_mask (`torch.BoolTensor` of that shape, *optional*, defaults to `None`):
                True where a value was observed.
            visible_segments (`torch.BoolTensor` of shape `(batch_size, 2, num_segments)`, *optional*):
                The sensors that predict. `None` = all.
            recording_id (`torch.LongTensor` of shape `(batch_size,)`, *optional*):
                Windows of one recording that begin less than a second apart are no negatives of each other.
            start_time (`torch.DoubleTensor` of shape `(batch_size,)`, *optional*):
                Where in its recording a window begins, in seconds.
            ideal_values (`torch.FloatTensor` of shape `(batch_size, num_frames, num_segments, num_channels)`):
                What ideal sensors at view one's placements would read, in m/s^2 and rad/s; needed, as the next two
                are, where `config.dense_loss_weight` is not 0.
            segment_values (`torch.FloatTensor` of that shape):
                Specific force of each segment's origin (m/s^2) and angular rate (rad/s), in the segment's frame.
            segment_mask (`torch.BoolTensor` of shape `(batch_size, num_frames, num_segments)`):
                True where the motion was measured.
            orientation_known (`torch.BoolTensor` of shape `(batch_size, 2, num_segments)`, *optional*):
                Which sensors were calibrated. `None` = none.
            return_loss (`bool`, *optional*, defaults to `True`):
                Whether to compare the windows; otherwise predictions and targets are given.
            **kwargs:
                What all models of transformers take.
        """
        if input_values.ndim != 5 or input_values.shape[1] != 2:
            raise ValueError(
                "`input_values` must have shape (batch_size, 2, num_frames, num_segments, num_channels), two views of "
                f"each window, but has {tuple(input_values.shape)}; `PairedViewDataset` makes them."
            )
        if input_values_mask is None:
            input_values_mask = torch.ones_like(input_values, dtype=torch.bool)
        if visible_segments is None:
            visible_segments = input_values_mask.new_ones(*input_values.shape[:2], input_values.shape[3])
        if orientation_known is None:
            orientation_known = torch.zeros_like(visible_segments)
        views = (input_values, input_values_mask, visible_segments, orientation_known)
        online, *outputs = self._predict(0, 1, *views, **kwargs)
        if not return_loss:
            predictions, targets, *_ = outputs
            return AnyMoGraphEncoderForPreTrainingOutput(predictions=predictions, targets=targets)
        contrastive_loss, logits, target_index = self._compare(*outputs, recording_id, start_time)
        # CODEPATH: checkpoints of this package use one direction; the paper's recipe both.
        if self.config.symmetric:
            _, *outputs = self._predict(1, 0, *views, **kwargs)
            contrastive_loss = (contrastive_loss + self._compare(*outputs, recording_id, start_time)[0]) / 2
        loss = self.config.contrastive_loss_weight * contrastive_loss
        # In single precision, mixed or not: deviations of readings and logarithms of energy.
        with torch.autocast(input_values.device.type, enabled=False):
            dense_loss = self._dense_loss(online, *views, ideal_values, segment_values, segment_mask)
        if dense_loss is not None:
            loss = loss + self.config.dense_loss_weight * dense_loss
        return AnyMoGraphEncoderForPreTrainingOutput(
            loss=loss,
            contrastive_loss=contrastive_loss,
            dense_loss=dense_loss,
            logits=logits,
            target_index=target_index,
        )

    def _dense_loss(
        self, online, values, mask, visible_segments, orientation_known, ideal_values, segment_values, segment_mask
    ):
        """Of reading motion off view one's latents; `None` without that head."""
        if self.dense_head is None:
            return None
        targets = {"ideal_values": ideal_values, "segment_values": segment_values, "segment_mask": segment_mask}
        missing = [name for name, value in targets.items() if value is None]
        if missing:
            raise ValueError(
                f"`config.dense_loss_weight` asks for dense targets, but {missing} were not given; "
                "`PairedViewDataset(..., return_kinematics=True)` makes them, or set that weight to 0."
            )
        # CODEPATH: canonical axes hide the sensors' own, in which no latent could tell readings.
        if self.config.canonical_axes:
            axes, _, _ = canonical_axes(values[:, 0], mask[:, 0])
            turned = turn_readings(axes, ideal_values)
            targets["ideal_values"] = torch.where(orientation_known[:, :1, :, None], ideal_values, turned)
        return self.dense_head(online.last_hidden_state.float(), visible_segments[:, 0], **targets)

    def _predict(self, source: int, target: int, values, mask, visible_segments, orientation_known, **kwargs) -> tuple:
        """The encoded view, predictions from it, targets from the other, and the masks of both."""
        visible = mask[:, source] & visible_segments[:, source, None, :, None]
        online = self.graph_encoder(values[:, source], visible, orientation_known[:, source], **kwargs)
        predictions = self.predictor(online.pooled_latents, online.steps_mask, **kwargs)
        with torch.no_grad():
            full = self.graph_encoder(values[:, target], mask[:, target], orientation_known[:, target])
        return online, predictions, full.pooled_latents, online.steps_mask, full.steps_mask

    def _compare(self, predictions, targets, predictions_mask, targets_mask, recording_id, start_time):
        """InfoNCE of the predictions among the targets of all processes."""
        targets, targets_mask = gather_from_all_processes(targets), gather_from_all_processes(targets_mask)
        # Cosines in single precision, mixed or not: a temperature of 0.1 makes steps of 0.04 out of bfloat16's digits.
        with torch.autocast(predictions.device.type, enabled=False):
            similarity = step_similarity(predictions.float(), targets.float(), predictions_mask, targets_mask)
        logits = similarity / self.config.temperature
        target_index = own_rows(predictions)
        if recording_id is not None:
            excluded = of_the_same_motion(recording_id, start_time, target_index)
            logits = logits.masked_fill(excluded, torch.finfo(logits.dtype).min)
        return F.cross_entropy(logits, target_index), logits, target_index


class AnyMoGraphEncoderForSequenceClassification(AnyMoGraphEncoderPreTrainedModel):
    """
    The encoder with a linear layer on the mean of its latents over time: one label for a recording or window.

    Args:
        config (`AnyMoGraphEncoderConfig`):
            Sizes; `num_labels`, `id2label` and `problem_type` as everywhere in transformers.
    """

    def __init__(self, config: AnyMoGraphEncoderConfig):
        super().__init__(config)
        self.num_labels = config.num_labels
        self.graph_encoder = AnyMoGraphEncoder(config)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_values: torch.FloatTensor,
        input_values_mask: torch.BoolTensor | None = None,
        orientation_known: torch.BoolTensor | None = None,
        labels: torch.Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> SequenceClassifierOutput:
        r"""
        Classify recordings.

        Args:
            input_values (`torch.FloatTensor` of shape `(batch_size, num_frames, num_segments, num_channels)`):
                Specific force (m/s^2) and angular rate (rad/s); with an axis of views after the first if wanted.
            input_values_mask (`torch.BoolTensor` of that shape, *optional*, defaults to `None`):
                True where a value was observed.
            orientation_known (`torch.BoolTensor` of shape `(batch_size, num_segments)`, *optional*):
                True where a sensor is mounted alike in all recordings, or calibrated.
            labels (`torch.Tensor` of shape `(batch_size,)` or `(batch_size, num_labels)`, *optional*):
                Class indices, regression targets or several classes each, after `config.problem_type`.
            **kwargs:
                `output_hidden_states` and what else all models of transformers take.
        """
        outputs = self.graph_encoder(input_values, input_values_mask, orientation_known, pooled_only=True, **kwargs)
        num_steps = outputs.steps_mask.sum(dim=1, keepdim=True).clamp(min=1)
        # Steps behind the end are zero.
        embedding = outputs.pooled_latents.sum(dim=1) / num_steps
        logits = self.classifier(self.dropout(embedding))
        loss = None
        if labels is not None:
            loss = self.loss_function(labels=labels, pooled_logits=logits, config=self.config, **kwargs)
        return SequenceClassifierOutput(loss=loss, logits=logits, hidden_states=outputs.hidden_states)


__all__ = [
    "AnyMoGraphEncoderForPreTraining",
    "AnyMoGraphEncoderForPreTrainingOutput",
    "AnyMoGraphEncoderForSequenceClassification",
    "step_similarity",
]

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
"""Text alignment of the graph encoder: from a few sensors, what the motion is called."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn
from transformers.processing_utils import Unpack
from transformers.utils import ModelOutput, TransformersKwargs
from transformers.utils.generic import can_return_tuple

from .configuration_anymo import AnyMoGraphEncoderConfig
from .modeling_anymo_graph_encoder import AnyMoGraphEncoder, AnyMoGraphEncoderPreTrainedModel


# Of the probabilities of texts that the teacher finds alike, given one of them.
TEACHER_TEMPERATURE = 0.06


@dataclass
class AnyMoGraphEncoderForTextAlignmentOutput(ModelOutput):
    """
    What text alignment gives.

    Args:
        loss (`torch.FloatTensor` of shape `(1,)`, *optional*):
            Cross-entropy of naming the motion, where `text_index` is given.
        logits (`torch.FloatTensor` of shape `(batch_size, num_texts)`):
            How well each text fits, its frequency left aside.
        text_features (`torch.FloatTensor` of shape `(batch_size, text_embedding_size)`):
            In the space of the centred sentence embeddings.
        hidden_states (`tuple[torch.FloatTensor]`, *optional*):
            Of every block of the encoder.
    """

    loss: torch.FloatTensor | None = None
    logits: torch.FloatTensor | None = None
    text_features: torch.FloatTensor | None = None
    hidden_states: tuple[torch.FloatTensor, ...] | None = None


class AnyMoGraphEncoderForTextAlignment(AnyMoGraphEncoderPreTrainedModel):
    """
    Between pre-training on motion and motion tokens: latents learn to tell activities apart.

    A linear map of a window's mean latent is compared with a teacher's sentence embeddings of all texts that the
    motion has, whose common part is taken out. Texts that the teacher finds alike share the probability. Frequent ones
    are more probable beforehand, so that this need not be in what is learned (balanced softmax,
    https://huggingface.co/papers/2007.10740). Only the encoder is kept; the paper has no such stage.

    Args:
        config (`AnyMoGraphEncoderConfig`):
            Sizes of the encoder, and `text_embedding_size`.
    """

    def __init__(self, config: AnyMoGraphEncoderConfig):
        super().__init__(config)
        self.graph_encoder = AnyMoGraphEncoder(config)
        self.text_head = nn.Linear(config.hidden_size, config.text_embedding_size)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_values: torch.FloatTensor,
        input_values_mask: torch.BoolTensor | None = None,
        orientation_known: torch.BoolTensor | None = None,
        text_embeddings: torch.FloatTensor | None = None,
        text_shares: torch.FloatTensor | None = None,
        text_index: torch.LongTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> AnyMoGraphEncoderForTextAlignmentOutput:
        r"""
        Name motion.

        Args:
            input_values (`torch.FloatTensor` of shape `(batch_size, num_frames, num_segments, num_channels)`):
                Specific force (m/s^2) and angular rate (rad/s).
            input_values_mask (`torch.BoolTensor` of that shape, *optional*, defaults to `None`):
                True where a value was observed.
            orientation_known (`torch.BoolTensor` of shape `(batch_size, num_segments)`, *optional*):
                See `AnyMoGraphEncoder`.
            text_embeddings (`torch.FloatTensor` of shape `(num_texts, text_embedding_size)`):
                The teacher's, of unit length, of all texts of the data.
            text_shares (`torch.FloatTensor` of shape `(num_texts,)`, *optional*):
                How much of the described motion each text describes. `None` = equally much.
            text_index (`torch.LongTensor` of shape `(batch_size,)`, *optional*):
                The text that describes each window; -1 for none.
            **kwargs:
                `output_hidden_states` and what else all models of transformers take.
        """
        if text_embeddings is None or text_embeddings.shape[1] != self.config.text_embedding_size:
            shape = None if text_embeddings is None else tuple(text_embeddings.shape)
            raise ValueError(
                f"`text_embeddings` must have shape (num_texts, {self.config.text_embedding_size}), but is {shape}; "
                "`TextBankCollator` adds them to batches."
            )
        outputs = self.graph_encoder(input_values, input_values_mask, orientation_known, pooled_only=True, **kwargs)
        num_steps = outputs.steps_mask.sum(dim=1, keepdim=True).clamp(min=1)
        features = self.text_head(outputs.pooled_latents.sum(dim=1) / num_steps)
        # Sentences about bodies have much in common, which tells none of them from the others.
        text_embeddings = F.normalize(text_embeddings - text_embeddings.mean(dim=0), dim=-1)
        with torch.autocast(input_values.device.type, enabled=False):
            logits = features.float() @ text_embeddings.T
            loss = None if text_index is None else self._loss(logits, text_embeddings, text_shares, text_index)
        return AnyMoGraphEncoderForTextAlignmentOutput(
            loss=loss, logits=logits, text_features=features, hidden_states=outputs.hidden_states
        )

    @staticmethod
    def _loss(logits, text_embeddings, text_shares, text_index) -> torch.Tensor:
        """Mean over the windows that have a text."""
        if text_shares is None:
            text_shares = torch.full_like(logits[0], 1 / logits.shape[1])
        neighbours = (text_embeddings @ text_embeddings.T / TEACHER_TEMPERATURE).softmax(dim=-1)  # rows are texts
        prior = (text_shares @ neighbours).clamp(min=1e-8).log()
        losses = -(neighbours[text_index.clamp(min=0)] * (logits + prior).log_softmax(dim=-1)).sum(dim=-1)
        is_described = text_index >= 0
        return torch.where(is_described, losses, 0.0).sum() / is_described.sum().clamp(min=1)


__all__ = ["AnyMoGraphEncoderForTextAlignment", "AnyMoGraphEncoderForTextAlignmentOutput"]

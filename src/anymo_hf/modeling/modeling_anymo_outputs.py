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
"""What the whole model gives."""

from dataclasses import dataclass

import torch
from transformers.utils import ModelOutput


@dataclass
class AnyMoCausalLMOutput(ModelOutput):
    """
    What `AnyMoForCausalLM` gives.

    Args:
        loss (`torch.FloatTensor` of shape `(1,)`, *optional*):
            Weighted sum of the losses whose inputs were given.
        logits (`torch.FloatTensor` of shape `(batch_size, sequence_length, vocab_size)`):
            Of the next token.
        past_key_values (`Cache`, *optional*):
            Of the language model.
        hidden_states, attentions (`tuple[torch.FloatTensor]`, *optional*):
            Of the language model.
        language_loss (`torch.FloatTensor` of shape `(1,)`, *optional*):
            Next-token prediction, unweighted.
        narration_loss (`torch.FloatTensor` of shape `(1,)`, *optional*):
            Symmetric InfoNCE between recordings and their narrations, unweighted.
        activity_loss (`torch.FloatTensor` of shape `(1,)`, *optional*):
            Multi-positive contrastive loss between recordings and names of activities, unweighted.
        extra_text_features (`torch.FloatTensor` of shape `(num_extra_texts, hidden_size)`, *optional*):
            Embeddings of unit length, where texts without recordings were given.
    """

    loss: torch.FloatTensor | None = None
    logits: torch.FloatTensor | None = None
    past_key_values: object | None = None
    hidden_states: tuple[torch.FloatTensor, ...] | None = None
    attentions: tuple[torch.FloatTensor, ...] | None = None
    language_loss: torch.FloatTensor | None = None
    narration_loss: torch.FloatTensor | None = None
    activity_loss: torch.FloatTensor | None = None
    extra_text_features: torch.FloatTensor | None = None


__all__ = ["AnyMoCausalLMOutput"]

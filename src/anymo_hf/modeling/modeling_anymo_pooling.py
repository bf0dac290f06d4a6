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
"""What motion tokens begin as, poolers that make one embedding of many hidden states, losses that compare these."""

import torch
import torch.nn.functional as F
from torch import nn

from .configuration_anymo import AnyMoConfig
from .modeling_anymo_gathering import gather_from_all_processes, own_rows


class AnyMoProjector(nn.Module):
    """A codebook entry as the language model would have it: the embedding of a motion token."""

    def __init__(self, config: AnyMoConfig):
        super().__init__()
        hidden_size = config.text_config.hidden_size
        self.up_proj = nn.Linear(config.motion_tokenizer_config.codebook_dim, config.projector_hidden_size)
        self.down_proj = nn.Linear(config.projector_hidden_size, hidden_size)

    def forward(self, entries: torch.Tensor) -> torch.Tensor:
        return self.down_proj(F.gelu(self.up_proj(entries)))


class AnyMoRMSNorm(nn.Module):
    """Divides by the root mean square over channels."""

    def __init__(self, config: AnyMoConfig):
        super().__init__()
        self.eps = torch.finfo(torch.float32).eps  # as torch's own RMSNorm, with which official weights were trained
        self.weight = nn.Parameter(torch.ones(config.text_config.hidden_size))

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        # In single precision, as squares overflow half precision.
        normalised = F.rms_norm(hidden_states.float(), hidden_states.shape[-1:], eps=self.eps)
        return self.weight * normalised.to(hidden_states.dtype)


class AnyMoAttentionPooler(nn.Module):
    """
    Tokens look up what they hold in a learned dictionary; the mean of what they find is what they say together.

        tokens (B, L, D), latents (num_latents, D) -> attention -> + feed-forward -> mean over some tokens -> norm
    """

    def __init__(self, config: AnyMoConfig):
        super().__init__()
        hidden_size, intermediate_size = config.text_config.hidden_size, config.pooler_intermediate_size
        self.num_heads = config.pooler_num_attention_heads
        self.latents = nn.Parameter(torch.zeros(config.pooler_num_latents, hidden_size))
        self.token_norm, self.latent_norm = AnyMoRMSNorm(config), AnyMoRMSNorm(config)
        self.q_proj = nn.Linear(hidden_size, hidden_size)
        self.k_proj = nn.Linear(hidden_size, hidden_size)
        self.v_proj = nn.Linear(hidden_size, hidden_size)
        self.o_proj = nn.Linear(hidden_size, hidden_size)
        self.feed_forward_norm = AnyMoRMSNorm(config)
        self.gate_proj = nn.Linear(hidden_size, intermediate_size)
        self.up_proj = nn.Linear(hidden_size, intermediate_size)
        self.down_proj = nn.Linear(intermediate_size, hidden_size)
        self.norm = AnyMoRMSNorm(config)

    def forward(self, hidden_states: torch.Tensor, tokens_mask: torch.Tensor) -> torch.Tensor:
        latents = self.latents.expand(len(hidden_states), -1, -1)
        query, key, value = (
            states.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for states in (
                self.q_proj(self.token_norm(hidden_states)),
                self.k_proj(self.latent_norm(latents)),
                self.v_proj(latents),
            )
        )
        attended = F.scaled_dot_product_attention(query, key, value)
        tokens = hidden_states + self.o_proj(attended.transpose(1, 2).flatten(2))
        states = self.feed_forward_norm(tokens)
        tokens = tokens + self.down_proj(F.silu(self.gate_proj(states)) * self.up_proj(states))
        # A row without any token would be a mean over nothing; it takes all and is worth nothing.
        tokens_mask = tokens_mask | ~tokens_mask.any(dim=1, keepdim=True)
        share = tokens_mask[..., None].to(tokens.dtype)
        return self.norm((tokens * share).sum(dim=1) / share.sum(dim=1))


def text_identity(input_ids: torch.LongTensor, attention_mask: torch.Tensor | None = None) -> torch.LongTensor:
    """
    A number per text that equal texts share, in all processes and however they are padded.

    Args:
        input_ids (`torch.LongTensor` of shape `(batch_size, text_length)`):
            Tokens.
        attention_mask (`torch.Tensor` of shape `(batch_size, text_length)`, *optional*, defaults to `None`):
            0 for padding.

    Returns:
        `torch.LongTensor` of shape `(batch_size,)`: -1 for a text without any token.
    """
    if attention_mask is None:
        attention_mask = torch.ones_like(input_ids)
    counted = attention_mask.long()
    # A polynomial in an odd number, modulo 2 ** 64: integers of 64 bits wrap around.
    powers = torch.full_like(input_ids[0], 6364136223846793005).cumprod(dim=0)
    terms = (input_ids + 1) * powers[(counted.cumsum(dim=1) - 1).clamp(min=0)] * counted
    return torch.where(counted.any(dim=1), terms.sum(dim=1), -1)


def mean_over_processes(losses: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """
    This process' share of the mean over the rows of all processes that count: the shares' mean is that mean.

    Args:
        losses (`torch.FloatTensor` of shape `(batch_size,)`):
            Of each row.
        counts (`torch.BoolTensor` of shape `(batch_size,)`):
            Which rows do.
    """
    totals = gather_from_all_processes(counts.sum()[None])
    return (losses * counts).sum() * len(totals) / totals.sum().clamp(min=1)


def similarities(first: torch.Tensor, second: torch.Tensor, temperature: float) -> torch.Tensor:
    """Of all pairs of rows, over the temperature, in single precision."""
    # Autocast would round the products to steps that, over the temperature, are as large as what tells texts apart.
    with torch.autocast(first.device.type, enabled=False):
        return first.float() @ second.float().T / temperature


def info_nce(
    first: torch.Tensor, second: torch.Tensor, temperature: float, identity: torch.Tensor | None = None
) -> torch.Tensor:
    """
    Symmetric contrastive loss: row i of one side belongs to row i of the other, among the rows of all processes.

    Args:
        first (`torch.FloatTensor` of shape `(batch_size, hidden_size)`):
            Of unit length; as many rows in every process.
        second (`torch.FloatTensor` of shape `(batch_size, hidden_size)`):
            Of unit length.
        temperature (`float`):
            Similarities are divided by it.
        identity (`torch.LongTensor` of shape `(batch_size,)`, *optional*, defaults to `None`):
            Rows with the same number are no negatives of each other; -1 leaves a row out. `None` counts all as
            different.

    Returns:
        `torch.FloatTensor` of shape `()`: Its mean over processes is the mean over the rows of all of them.
    """
    own = own_rows(first)
    if identity is None:
        identity = own
    others = gather_from_all_processes(identity)
    excluded = (identity[:, None] == others) | (others == -1)
    excluded = excluded.scatter(1, own[:, None], False)
    losses = 0.0
    for one, other in ((first, second), (second, first)):
        logits = similarities(one, gather_from_all_processes(other), temperature)
        logits = logits.masked_fill(excluded, torch.finfo(logits.dtype).min)
        losses = losses + F.cross_entropy(logits, own, reduction="none") / 2
    return mean_over_processes(losses, identity != -1)


def multi_positive_loss(
    features: torch.Tensor, candidates: torch.Tensor, targets: torch.Tensor, temperature: float
) -> torch.Tensor:
    """
    Contrastive loss of recordings against names of activities, of which several may be right.

    Args:
        features (`torch.FloatTensor` of shape `(batch_size, hidden_size)`):
            Of recordings, of unit length.
        candidates (`torch.FloatTensor` of shape `(num_candidates, hidden_size)`):
            Of names, of unit length.
        targets (`torch.BoolTensor` of shape `(batch_size, num_candidates)`):
            Which names are right; a row without any does not count.
        temperature (`float`):
            Similarities are divided by it.

    Returns:
        `torch.FloatTensor` of shape `()`: Minus the mean log-probability of the right names, over rows that have any;
        of several processes as in `info_nce`.
    """
    log_probabilities = F.log_softmax(similarities(features, candidates, temperature), dim=1)
    targets = targets.to(log_probabilities.dtype)
    per_row = -(log_probabilities * targets).sum(dim=1) / targets.sum(dim=1).clamp(min=1)
    return mean_over_processes(per_row, targets.sum(dim=1) > 0)


__all__ = [
    "AnyMoAttentionPooler",
    "AnyMoProjector",
    "AnyMoRMSNorm",
    "info_nce",
    "multi_positive_loss",
    "text_identity",
]

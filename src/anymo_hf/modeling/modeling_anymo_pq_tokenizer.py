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
"""The motion tokenizer: latents over time in, a few discrete codes per step out, and back."""

from dataclasses import dataclass

import torch
import torch.distributed
import torch.nn.functional as F
from torch import nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.utils import ModelOutput
from transformers.utils.generic import can_return_tuple

from .configuration_anymo import AnyMoPQTokenizerConfig
from .modeling_anymo_gathering import gather_from_all_processes, is_distributed
from .modeling_anymo_temporal_decoder import AnyMoTemporalDecoder, AnyMoTemporalNorm


# Rows that are compared with a whole codebook at once: their distances stay in the processor's cache.
ROWS_PER_CHUNK = 512
KMEANS_ITERATIONS = 10


@dataclass
class AnyMoPQTokenizerOutput(ModelOutput):
    """
    What the motion tokenizer gives.

    Args:
        loss (`torch.FloatTensor` of shape `(1,)`, *optional*):
            Reconstruction (smooth L1) and weighted commitment.
        codes (`torch.LongTensor` of shape `(batch_size, num_codebooks, num_codes)`):
            Index of the nearest entry of every codebook.
        reconstruction (`torch.FloatTensor` of shape `(batch_size, num_steps, latent_size)`):
            The latents that the codes stand for.
        reconstruction_loss (`torch.FloatTensor` of shape `(1,)`):
            Smooth L1 between the latents and their reconstruction, over steps within the recordings.
        commitment_loss (`torch.FloatTensor` of shape `(1,)`):
            Mean squared distance of the projected latents from their entries.
        perplexity (`torch.FloatTensor` of shape `(num_codebooks,)`):
            How many codes are in use, if all were used alike: the exponential of their entropy.
        usage (`torch.FloatTensor` of shape `(num_codebooks,)`):
            Share of the entries that occur in this batch.
        codes_mask (`torch.BoolTensor` of shape `(batch_size, num_codes)`):
            False behind a recording's end, where codes have no meaning and count in nothing.
    """

    loss: torch.FloatTensor | None = None
    codes: torch.LongTensor | None = None
    reconstruction: torch.FloatTensor | None = None
    reconstruction_loss: torch.FloatTensor | None = None
    commitment_loss: torch.FloatTensor | None = None
    perplexity: torch.FloatTensor | None = None
    usage: torch.FloatTensor | None = None
    codes_mask: torch.BoolTensor | None = None


def nearest_codes(vectors: torch.Tensor, codebook: torch.Tensor) -> torch.Tensor:
    """
    Index of the nearest entry, by Euclidean distance.

    The squared length of a vector is the same for all entries and is left out; what remains is one matrix product.

    Args:
        vectors (`torch.Tensor` of shape `(num_vectors, codebook_dim)`):
            To be quantised.
        codebook (`torch.Tensor` of shape `(codebook_size, codebook_dim)`):
            Entries.

    Returns:
        `torch.LongTensor` of shape `(num_vectors,)`.
    """
    half_lengths = codebook.square().sum(dim=1) / 2
    entries = codebook.transpose(0, 1)
    # Mixed precision would multiply in three digits, and the codes of training would not be those of use.
    with torch.autocast(vectors.device.type, enabled=False):
        chunks = vectors.split(ROWS_PER_CHUNK)
        return torch.cat([torch.addmm(half_lengths, chunk, entries, alpha=-1).argmin(dim=1) for chunk in chunks])


def check_codes(codes: torch.Tensor, config: AnyMoPQTokenizerConfig, num_steps: int) -> None:
    """Raise a `ValueError` unless these are codes `(batch_size, num_codebooks, num_codes)` of so many steps."""
    if codes.ndim != 3 or codes.shape[1] != config.num_codebooks:
        raise ValueError(
            f"`codes` must have shape (batch_size, {config.num_codebooks}, num_codes), but has {tuple(codes.shape)}."
        )
    if codes.numel() and not 0 <= int(codes.min()) <= int(codes.max()) < config.codebook_size:
        raise ValueError(
            f"`codes` must lie in 0 to {config.codebook_size - 1}, but range from {int(codes.min())} to "
            f"{int(codes.max())}."
        )
    num_codes = -(-num_steps // config.step_stride)
    if codes.shape[2] != num_codes:
        raise ValueError(
            f"{num_steps} steps have {num_codes} codes per codebook at `step_stride` {config.step_stride}, but "
            f"{codes.shape[2]} were given; pass the mask of the steps that were encoded."
        )


def spread_codes(entries: torch.Tensor, step_stride: int, num_steps: int) -> torch.Tensor:
    """Entries for every step, from `(batch_size, num_codes, channels)` to `(batch_size, num_steps, channels)`."""
    return entries.repeat_interleave(step_stride, dim=1)[:, :num_steps]


def look_up(codebooks: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """Entries side by side, `(batch_size, num_codes, num_codebooks * codebook_dim)`."""
    return torch.cat([book[index] for book, index in zip(codebooks, codes.unbind(dim=1), strict=True)], dim=-1)


class AnyMoProductQuantizer(nn.Module):
    """
    Cuts a vector into parts and replaces each by the nearest entry of that part's codebook.

    Entries are moving averages of what they stand for (https://huggingface.co/papers/1711.00937, appendix A.1). They
    change in `update` only. Averages, first entries and replacements of entries that nobody uses are the same in all
    processes.

    Args:
        config (`AnyMoPQTokenizerConfig`):
            Number and size of the codebooks.

    Buffers:
        codebooks (`torch.FloatTensor` of shape `(num_codebooks, codebook_size, codebook_dim)`):
            The entries.
        code_counts (`torch.FloatTensor` of shape `(num_codebooks, codebook_size)`):
            Moving average of how often each is used per update.
        code_sums (`torch.FloatTensor` of shape `(num_codebooks, codebook_size, codebook_dim)`):
            Moving average of the sum of the vectors it stands for.
        num_updates (`torch.LongTensor` of shape `(1,)`):
            Updates so far; at the first one the entries are found by k-means.
    """

    def __init__(self, config: AnyMoPQTokenizerConfig):
        super().__init__()
        self.config = config
        shape = (config.num_codebooks, config.codebook_size, config.codebook_dim)
        # float32 whatever the model's type: averages over a hundred updates have no meaning in three digits.
        self.codebooks = nn.Buffer(torch.zeros(shape, dtype=torch.float32))
        self.code_counts = nn.Buffer(torch.ones(shape[:2], dtype=torch.float32))
        self.code_sums = nn.Buffer(torch.zeros(shape, dtype=torch.float32))
        self.num_updates = nn.Buffer(torch.zeros(1, dtype=torch.long))

    def _apply(self, fn, recurse=True):
        """Goes to another device with its model, but not to another type."""

        def move(tensor: torch.Tensor) -> torch.Tensor:
            moved = fn(tensor)
            return moved if moved.dtype == tensor.dtype else tensor.to(moved.device)

        return super()._apply(move, recurse)

    def split(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Parts of vectors, from `(..., num_codebooks * codebook_dim)` to `(num_codebooks, number, codebook_dim)`."""
        parts = hidden_states.float().unflatten(-1, (self.config.num_codebooks, self.config.codebook_dim))
        return parts.flatten(0, -3).transpose(0, 1)

    def encode(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Codes of shape `(batch_size, num_codebooks, num_steps)` of `(batch_size, num_steps, channels)`."""
        codes = [nearest_codes(*pair) for pair in zip(self.split(hidden_states), self.codebooks, strict=True)]
        return torch.stack(codes).view(-1, *hidden_states.shape[:2]).transpose(0, 1)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Entries side by side, of shape `(batch_size, num_steps, channels)`."""
        return look_up(self.codebooks, codes)

    @torch.no_grad()
    def update(self, hidden_states: torch.Tensor, steps_mask: torch.Tensor) -> None:
        """Move the entries towards what they stand for."""
        vectors = self.split(hidden_states[steps_mask][:, None])
        generator = torch.Generator().manual_seed(int(self.num_updates))  # the same draws in all processes
        if self.num_updates == 0:
            self._start_from(_gather_vectors(vectors), generator)
        config = self.config
        for book in range(config.num_codebooks):
            codes = nearest_codes(vectors[book], self.codebooks[book])
            counts = torch.zeros_like(self.code_counts[book])
            counts.index_add_(0, codes, torch.ones_like(codes, dtype=counts.dtype))
            sums = torch.zeros_like(self.code_sums[book]).index_add_(0, codes, vectors[book])
            if is_distributed():
                torch.distributed.all_reduce(counts)
                torch.distributed.all_reduce(sums)
            self.code_counts[book].lerp_(counts, 1 - config.codebook_decay)
            self.code_sums[book].lerp_(sums, 1 - config.codebook_decay)
        # Laplace smoothing: no entry is divided by nothing.
        total = self.code_counts.sum(dim=1, keepdim=True)
        smoothed = (
            (self.code_counts + config.codebook_eps) / (total + config.codebook_size * config.codebook_eps) * total
        )
        self.codebooks.copy_(self.code_sums / smoothed[..., None])
        self._replace_dead_codes(vectors, generator)
        self.num_updates += 1

    def _start_from(self, vectors: torch.Tensor, generator: torch.Generator) -> None:
        """Find entries by k-means."""
        number, size = vectors.shape[1], self.config.codebook_size
        if number < size:
            raise ValueError(
                f"The first update needs at least {size} steps, one per entry of a codebook, but got {number}; use "
                "larger batches or smaller codebooks."
            )
        for book, points in enumerate(vectors):
            centres = points[torch.randperm(number, generator=generator)[:size].to(points.device)].clone()
            for _ in range(KMEANS_ITERATIONS):
                codes = nearest_codes(points, centres)
                counts = torch.bincount(codes, minlength=size)
                sums = torch.zeros_like(centres).index_add_(0, codes, points)
                centres = torch.where(counts[:, None] > 0, sums / counts[:, None].clamp(min=1), centres)
            self.codebooks[book] = centres
            counts = torch.bincount(nearest_codes(points, centres), minlength=size).to(centres.dtype).clamp(min=1)
            self.code_counts[book] = counts
            self.code_sums[book] = centres * counts[:, None]

    def _replace_dead_codes(self, vectors: torch.Tensor, generator: torch.Generator) -> None:
        """Put entries that hardly anything uses where vectors of this batch are."""
        mean = self.code_counts.mean(dim=1, keepdim=True)
        dead = self.code_counts < self.config.dead_code_threshold * mean
        if not dead.any():
            return
        vectors = _gather_vectors(vectors)
        for book in range(self.config.num_codebooks):
            number = int(dead[book].sum())
            chosen = torch.randint(vectors.shape[1], (number,), generator=generator).to(vectors.device)
            self.codebooks[book, dead[book]] = vectors[book, chosen]
            self.code_counts[book, dead[book]] = mean[book]
            self.code_sums[book, dead[book]] = vectors[book, chosen] * mean[book]


def _gather_vectors(vectors: torch.Tensor) -> torch.Tensor:
    """Vectors of all processes, of which each has another number, from `(books, number, dim)`."""
    numbers = gather_from_all_processes(torch.tensor([vectors.shape[1]], device=vectors.device)).tolist()
    padded = F.pad(vectors, (0, 0, 0, max(numbers) - vectors.shape[1]))
    parts = gather_from_all_processes(padded[None])
    return torch.cat([part[:, :number] for part, number in zip(parts, numbers, strict=True)], dim=1)


class AnyMoPQTokenizerPreTrainedModel(PreTrainedModel):
    """What models of motion tokens share."""

    config: AnyMoPQTokenizerConfig
    base_model_prefix = "motion_tokenizer"
    main_input_name = "pooled_latents"
    input_modalities = ("time",)
    accepts_loss_kwargs = False  # losses are means, which gradient accumulation must divide
    _no_split_modules = ["AnyMoTemporalDecoder"]
    _keep_in_fp32_modules_strict = ["codebooks", "code_counts", "code_sums"]  # but not the number of updates
    # There is no attention here: what a language model around it uses is fine.
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True

    def get_input_embeddings(self) -> None:
        """Nothing here is a table of words, and whoever shards a model asks for it."""
        return None

    @torch.no_grad()
    def _init_weights(self, module: nn.Module):
        super()._init_weights(module)
        if isinstance(module, nn.Conv1d):
            init.kaiming_normal_(module.weight, nonlinearity="relu")
            init.zeros_(module.bias)
        elif isinstance(module, AnyMoTemporalNorm):
            init.ones_(module.weight)
            init.zeros_(module.bias)
        elif isinstance(module, AnyMoProductQuantizer):
            init.normal_(module.codebooks)
            init.ones_(module.code_counts)
            init.copy_(module.code_sums, module.codebooks)
            init.zeros_(module.num_updates)


class AnyMoPQTokenizer(AnyMoPQTokenizerPreTrainedModel):
    """
    Latents to motion tokens by product quantisation, and back by a temporal convolution decoder.

        pooled_latents (B, N, latent_size)
          -> norm, projection (B, N, Q * d) -> nearest entries: codes (B, Q, ceil(N / step_stride))
          -> entries (B, N, Q * d) -> decoder -> reconstruction (B, N, latent_size)

    Args:
        config (`AnyMoPQTokenizerConfig`):
            Its sizes.
    """

    def __init__(self, config: AnyMoPQTokenizerConfig):
        super().__init__(config)
        self.input_norm = nn.LayerNorm(config.latent_size, eps=config.norm_eps)
        self.input_projection = nn.Linear(config.latent_size, config.num_codebooks * config.codebook_dim)
        self.quantizer = AnyMoProductQuantizer(config)
        self.decoder = AnyMoTemporalDecoder(config, config.latent_size)
        self.post_init()

    @property
    def codebooks(self) -> torch.Tensor:
        """Entries, of shape `(num_codebooks, codebook_size, codebook_dim)`."""
        return self.quantizer.codebooks

    def encode(self, pooled_latents: torch.Tensor, steps_mask: torch.Tensor | None = None) -> torch.LongTensor:
        """
        Codes of latents.

        Args:
            pooled_latents (`torch.FloatTensor` of shape `(batch_size, num_steps, latent_size)`):
                As `AnyMoGraphEncoder` gives them.
            steps_mask (`torch.BoolTensor` of shape `(batch_size, num_steps)`, *optional*, defaults to `None`):
                False behind a recording's end, where codes have no meaning.

        Returns:
            `torch.LongTensor` of shape `(batch_size, num_codebooks, ceil(num_steps / step_stride))`.
        """
        return self.quantizer.encode(self._project(pooled_latents, self._full_mask(pooled_latents, steps_mask)))

    def decode(
        self, codes: torch.LongTensor, steps_mask: torch.Tensor | None = None, num_steps: int | None = None
    ) -> torch.FloatTensor:
        """
        Latents that codes stand for.

        Args:
            codes (`torch.LongTensor` of shape `(batch_size, num_codebooks, num_codes)`):
                As `encode` gives them.
            steps_mask (`torch.BoolTensor` of shape `(batch_size, num_steps)`, *optional*, defaults to `None`):
                False behind a recording's end, where the result is zero.
            num_steps (`int`, *optional*):
                Length of the result without a mask; defaults to `num_codes * step_stride`.

        Returns:
            `torch.FloatTensor` of shape `(batch_size, num_steps, latent_size)`.
        """
        if steps_mask is None:
            num_steps = codes.shape[-1] * self.config.step_stride if num_steps is None else num_steps
            steps_mask = torch.ones(codes.shape[0], num_steps, dtype=torch.bool, device=codes.device)
        check_codes(codes, self.config, steps_mask.shape[1])
        quantised = spread_codes(self.quantizer.decode(codes), self.config.step_stride, steps_mask.shape[1])
        return self.decoder(quantised.to(self.decoder.output_projection.weight.dtype), steps_mask)

    @torch.no_grad()
    def update_codebooks(self, pooled_latents: torch.Tensor, steps_mask: torch.Tensor | None = None) -> None:
        """
        Move the codebooks towards these latents. Nothing else changes them.

        Args:
            pooled_latents (`torch.FloatTensor` of shape `(batch_size, num_steps, latent_size)`):
                A batch of training; in every process its own.
            steps_mask (`torch.BoolTensor` of shape `(batch_size, num_steps)`, *optional*, defaults to `None`):
                False behind a recording's end.
        """
        steps_mask = self._full_mask(pooled_latents, steps_mask)
        stride = self.config.step_stride
        self.quantizer.update(self._project(pooled_latents, steps_mask), steps_mask[:, ::stride])

    @can_return_tuple
    def forward(
        self,
        pooled_latents: torch.FloatTensor,
        steps_mask: torch.BoolTensor | None = None,
        return_loss: bool = True,
        **kwargs,
    ) -> AnyMoPQTokenizerOutput:
        r"""
        Encode and decode.

        Args:
            pooled_latents (`torch.FloatTensor` of shape `(batch_size, num_steps, latent_size)`):
                As `AnyMoGraphEncoder` gives them.
            steps_mask (`torch.BoolTensor` of shape `(batch_size, num_steps)`, *optional*, defaults to `None`):
                False behind a recording's end.
            return_loss (`bool`, *optional*, defaults to `True`):
                Whether to compute the loss.
            **kwargs:
                What all models of transformers take.
        """
        steps_mask = self._full_mask(pooled_latents, steps_mask)
        projected = self._project(pooled_latents, steps_mask)
        codes = self.quantizer.encode(projected.detach())
        quantised = self.quantizer.decode(codes).to(projected.dtype)
        # Straight-through: the gradient passes the rounding as if it were not there.
        straight = projected + (quantised - projected).detach()
        spread = spread_codes(straight, self.config.step_stride, steps_mask.shape[1])
        reconstruction = self.decoder(spread, steps_mask)
        codes_mask = steps_mask[:, :: self.config.step_stride]
        perplexity, usage = self._code_statistics(codes, codes_mask)
        loss = reconstruction_loss = commitment_loss = None
        if return_loss:
            reconstruction_loss = F.smooth_l1_loss(
                reconstruction[steps_mask].float(), pooled_latents[steps_mask].float()
            )
            commitment_loss = F.mse_loss(projected[codes_mask].float(), quantised[codes_mask].float())
            loss = reconstruction_loss + self.config.commitment_loss_weight * commitment_loss
        return AnyMoPQTokenizerOutput(
            loss=loss,
            codes=codes,
            reconstruction=reconstruction,
            reconstruction_loss=reconstruction_loss,
            commitment_loss=commitment_loss,
            perplexity=perplexity,
            usage=usage,
            codes_mask=codes_mask,
        )

    def _full_mask(self, pooled_latents: torch.Tensor, steps_mask: torch.Tensor | None) -> torch.Tensor:
        if pooled_latents.ndim != 3 or pooled_latents.shape[-1] != self.config.latent_size:
            raise ValueError(
                f"`pooled_latents` must have shape (batch_size, num_steps, {self.config.latent_size}), but has "
                f"{tuple(pooled_latents.shape)}; the encoder's `hidden_size` must be this tokenizer's `latent_size`."
            )
        if steps_mask is None:
            return torch.ones(pooled_latents.shape[:2], dtype=torch.bool, device=pooled_latents.device)
        if steps_mask.shape != pooled_latents.shape[:2]:
            raise ValueError(
                f"`steps_mask` must have shape {tuple(pooled_latents.shape[:2])}, as `pooled_latents` has, but has "
                f"{tuple(steps_mask.shape)}."
            )
        return steps_mask.bool()

    def _project(self, pooled_latents: torch.Tensor, steps_mask: torch.Tensor) -> torch.Tensor:
        """What is quantised: the mean over the steps that share a code, `(batch_size, num_codes, Q * d)`."""
        hidden_states = self.input_projection(self.input_norm(pooled_latents.to(self.input_projection.weight.dtype)))
        stride = self.config.step_stride
        if stride == 1:
            return hidden_states
        missing = -hidden_states.shape[1] % stride
        share = F.pad(steps_mask, (0, missing)).to(hidden_states.dtype).unflatten(1, (-1, stride))[..., None]
        hidden_states = F.pad(hidden_states, (0, 0, 0, missing)).unflatten(1, (-1, stride))
        return (hidden_states * share).sum(dim=2) / share.sum(dim=2).clamp(min=1)

    @torch.no_grad()
    def _code_statistics(self, codes: torch.Tensor, codes_mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Perplexity and usage, each of shape `(num_codebooks,)`."""
        size = self.config.codebook_size
        counts = torch.stack([torch.bincount(book[codes_mask], minlength=size) for book in codes.unbind(dim=1)])
        shares = counts / counts.sum(dim=1, keepdim=True).clamp(min=1)
        return torch.special.entr(shares).sum(dim=1).exp(), (counts > 0).float().mean(dim=1)


__all__ = ["AnyMoPQTokenizer", "AnyMoPQTokenizerOutput", "AnyMoPQTokenizerPreTrainedModel", "nearest_codes"]

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
"""The whole model: recordings become motion tokens, which a language model reads and writes beside words."""

import torch
import torch.nn.functional as F
from torch import nn
from transformers import AutoModel, GenerationMixin, PreTrainedModel
from transformers import initialization as init
from transformers.modeling_outputs import BaseModelOutputWithPast
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs
from transformers.utils.generic import can_return_tuple

from .configuration_anymo import AnyMoConfig, AnyMoGenerationConfig
from .modeling_anymo_graph_encoder import AnyMoGraphEncoder
from .modeling_anymo_outputs import AnyMoCausalLMOutput
from .modeling_anymo_pooling import (
    AnyMoAttentionPooler,
    AnyMoProjector,
    AnyMoRMSNorm,
    info_nce,
    multi_positive_loss,
    text_identity,
)
from .modeling_anymo_pq_tokenizer import AnyMoPQTokenizer


# Language models whose logits are `lm_head(hidden)`, with nothing in between.
TEXT_MODEL_TYPES = ("gemma3_text", "llama", "qwen2", "qwen3")


class AnyMoPreTrainedModel(PreTrainedModel):
    """What `AnyMoModel` and `AnyMoForCausalLM` share."""

    config: AnyMoConfig
    base_model_prefix = "model"
    main_input_name = "input_ids"
    input_modalities = ("time", "text")
    supports_gradient_checkpointing = True
    accepts_loss_kwargs = False  # contrastive losses are means, which gradient accumulation must divide
    _no_split_modules = ["AnyMoGraphEncoderBlock", "AnyMoAttentionPooler"]
    _skip_keys_device_placement = ["past_key_values"]
    # Rounded weights and latents would choose other codes.
    _keep_in_fp32_modules_strict = [
        "graph_encoder",
        "motion_tokenizer.input_norm",
        "motion_tokenizer.input_projection",
        "codebooks",
        "code_counts",
        "code_sums",
    ]
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True

    @torch.no_grad()
    def _init_weights(self, module: nn.Module):
        super()._init_weights(module)
        if isinstance(module, AnyMoAttentionPooler):
            init.normal_(module.latents, std=self.config.initializer_range)


class AnyMoModel(AnyMoPreTrainedModel):
    """
    Graph encoder, motion tokenizer and language model, with one embedding for recordings and one for texts.

    A recording enters where the text says `<imu>`: encoder and tokenizer turn it into motion tokens, whose ids replace
    the placeholders. From there on a motion token is a token like others, but its embedding is a projection
    of its codebook entry, whether it was read from a recording or written by the model itself.

    Args:
        config (`AnyMoConfig`):
            Of all parts.
    """

    def __init__(self, config: AnyMoConfig):
        super().__init__(config)
        if config.text_config.model_type not in TEXT_MODEL_TYPES:
            raise ValueError(
                f"`text_config` must be of type {', '.join(TEXT_MODEL_TYPES)}, but is of type "
                f"{config.text_config.model_type!r}; other language models may treat their logits further."
            )
        hidden_size = config.text_config.hidden_size
        self.graph_encoder = AnyMoGraphEncoder._from_config(config.graph_encoder_config)
        self.motion_tokenizer = AnyMoPQTokenizer._from_config(config.motion_tokenizer_config)
        self.language_model = AutoModel.from_config(config.text_config)
        self.projector = AnyMoProjector(config)
        self.imu_pooler = AnyMoAttentionPooler(config)
        self.text_pooler = AnyMoAttentionPooler(config)
        self.imu_head = nn.Linear(hidden_size, hidden_size, bias=False)
        self.text_head = nn.Linear(hidden_size, hidden_size, bias=False)
        self.imu_residual_norm = AnyMoRMSNorm(config)
        self.imu_residual_head = nn.Linear(hidden_size, hidden_size, bias=False)
        # A module and no bare parameter: only modules can be trained and saved beside adapters.
        self.text_soft_prompt = nn.Embedding(config.num_soft_prompt_tokens, hidden_size)
        self.post_init()

    def train(self, mode: bool = True) -> "AnyMoModel":
        """Codes have no gradient: encoder and motion tokenizer stay as they are used."""
        super().train(mode)
        self.graph_encoder.eval()
        self.motion_tokenizer.eval()
        return self

    def get_input_embeddings(self) -> nn.Module:
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module):
        self.language_model.set_input_embeddings(value)

    @torch.no_grad()
    def get_motion_tokens(
        self,
        input_values: torch.FloatTensor,
        input_values_mask: torch.BoolTensor | None = None,
        orientation_known: torch.BoolTensor | None = None,
    ) -> tuple[torch.LongTensor, torch.BoolTensor]:
        """
        Motion tokens of recordings.

        Args:
            input_values (`torch.FloatTensor` of shape `(num_recordings, num_frames, num_segments, num_channels)`):
                From `AnyMoFeatureExtractor`; with an axis of views after the first if wanted.
            input_values_mask (`torch.BoolTensor` of that shape, *optional*, defaults to `None`):
                True where a value was observed.
            orientation_known (`torch.BoolTensor` of shape `(num_recordings, num_segments)`, *optional*):
                True where a sensor's axes are its segment's, see `AnyMoGraphEncoder`.

        Returns:
            `tuple[torch.LongTensor, torch.BoolTensor]`: Token ids of shape `(num_recordings, num_codes,
            num_codebooks)`, and where they lie within their recording, of shape `(num_recordings, num_codes)`.
        """
        encoded = self.graph_encoder(input_values, input_values_mask, orientation_known, pooled_only=True)
        codes = self.motion_tokenizer.encode(encoded.pooled_latents, encoded.steps_mask).transpose(1, 2)
        tokenizer_config = self.config.motion_tokenizer_config
        first = torch.arange(tokenizer_config.num_codebooks, device=codes.device) * tokenizer_config.codebook_size
        codes_mask = encoded.steps_mask[:, :: tokenizer_config.step_stride]
        return self._first_motion_token() + first + codes, codes_mask

    def insert_motion_tokens(
        self,
        input_ids: torch.LongTensor,
        input_values: torch.FloatTensor,
        input_values_mask=None,
        orientation_known=None,
    ) -> torch.LongTensor:
        """Token ids with the placeholders of `<imu>` replaced, in order, by the recordings' motion tokens."""
        tokens, mask = self.get_motion_tokens(input_values, input_values_mask, orientation_known)
        tokens = tokens[mask].flatten().to(input_ids.device)
        is_placeholder = input_ids == self.config.imu_token_id
        if int(is_placeholder.sum()) != len(tokens):
            raise ValueError(
                f"The text has {int(is_placeholder.sum())} placeholders for motion tokens, but the recordings give "
                f"{len(tokens)}; let `AnyMoProcessor` prepare both together, without truncation."
            )
        return input_ids.masked_scatter(is_placeholder, tokens)

    def embed_tokens(self, input_ids: torch.LongTensor) -> torch.FloatTensor:
        """Embeddings of words and motion tokens, of shape `(batch_size, sequence_length, hidden_size)`."""
        is_motion = self.is_motion_token(input_ids)
        words = self.get_input_embeddings()(input_ids.masked_fill(is_motion, 0))
        entries = self.motion_tokenizer.codebooks.flatten(0, 1)[input_ids[is_motion] - self._first_motion_token()]
        motion = self.projector(entries.to(words.dtype))
        return words.masked_scatter(is_motion[..., None], motion.to(words.dtype))

    def is_motion_token(self, input_ids: torch.LongTensor) -> torch.BoolTensor:
        """Which token ids stand for motion."""
        first = self._first_motion_token()
        return (input_ids >= first) & (input_ids < first + self.config.motion_tokenizer_config.num_motion_tokens)

    def _first_motion_token(self) -> int:
        if self.config.motion_token_offset is None or self.config.imu_token_id is None:
            raise ValueError(
                "`config.motion_token_offset` and `config.imu_token_id` are not set; take them from a tokenizer that "
                "`add_motion_tokens` has extended."
            )
        return self.config.motion_token_offset

    @can_return_tuple
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.LongTensor | None = None,
        past_key_values=None,
        inputs_embeds: torch.FloatTensor | None = None,
        use_cache: bool | None = None,
        input_values: torch.FloatTensor | None = None,
        input_values_mask: torch.BoolTensor | None = None,
        orientation_known: torch.BoolTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> BaseModelOutputWithPast:
        r"""
        Read text with recordings in it.

        Args:
            input_ids (`torch.LongTensor` of shape `(batch_size, sequence_length)`, *optional*):
                From `AnyMoProcessor`.
            attention_mask (`torch.Tensor` of shape `(batch_size, sequence_length)`, *optional*):
                0 for padding.
            position_ids (`torch.LongTensor` of shape `(batch_size, sequence_length)`, *optional*):
                As in the language model.
            past_key_values (`Cache`, *optional*):
                As in the language model.
            inputs_embeds (`torch.FloatTensor` of shape `(batch_size, sequence_length, hidden_size)`, *optional*):
                In place of `input_ids`.
            use_cache (`bool`, *optional*):
                As in the language model.
            input_values (`torch.FloatTensor` of shape `(num_recordings, num_frames, num_segments, num_channels)`):
                The recordings that `<imu>` stands for, in the order in which they occur in the batch.
            input_values_mask (`torch.BoolTensor` of that shape, *optional*):
                True where a value was observed.
            orientation_known (`torch.BoolTensor` of shape `(num_recordings, num_segments)`, *optional*):
                True where a sensor's axes are its segment's.
            **kwargs:
                What else the language model takes.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("Pass either `input_ids` or `inputs_embeds`, and not both.")
        if inputs_embeds is None:
            if input_values is not None:
                input_ids = self.insert_motion_tokens(input_ids, input_values, input_values_mask, orientation_known)
            inputs_embeds = self.embed_tokens(input_ids)
        elif input_values is not None:
            raise ValueError("`input_values` need `input_ids`, whose placeholders they replace, not `inputs_embeds`.")
        return self.language_model(
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            **kwargs,
        )

    def pool_imu(self, hidden_states: torch.Tensor, input_ids: torch.LongTensor) -> torch.FloatTensor:
        """Embeddings of the motion that rows hold, of unit length, from what the language model makes of them."""
        is_motion = self.is_motion_token(input_ids)
        embeddings = self.imu_head(self.imu_pooler(hidden_states, is_motion))
        share = is_motion.to(hidden_states.dtype)[..., None]
        mean = (self.embed_tokens(input_ids) * share).sum(dim=1) / share.sum(dim=1).clamp(min=1)
        residual = self.imu_residual_head(self.imu_residual_norm(mean))
        return F.normalize(embeddings + self.config.imu_residual_scale * residual, dim=-1)

    def get_imu_features(
        self,
        input_ids: torch.LongTensor,
        attention_mask: torch.Tensor | None = None,
        input_values: torch.FloatTensor | None = None,
        input_values_mask: torch.BoolTensor | None = None,
        orientation_known: torch.BoolTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> torch.FloatTensor:
        """
        Embeddings of recordings, to be compared with those of texts.

        Args:
            input_ids (`torch.LongTensor` of shape `(batch_size, sequence_length)`):
                A prompt with a recording in each row.
            attention_mask (`torch.Tensor` of shape `(batch_size, sequence_length)`, *optional*):
                0 for padding.
            input_values (`torch.FloatTensor` of shape `(batch_size, num_frames, num_segments, num_channels)`):
                The recordings; not needed where the prompt holds motion tokens already.
            input_values_mask (`torch.BoolTensor` of that shape, *optional*):
                True where a value was observed.
            orientation_known (`torch.BoolTensor` of shape `(num_recordings, num_segments)`, *optional*):
                True where a sensor's axes are its segment's.
            **kwargs:
                What else the language model takes.

        Returns:
            `torch.FloatTensor` of shape `(batch_size, hidden_size)`: Of unit length.
        """
        if input_values is not None:
            input_ids = self.insert_motion_tokens(input_ids, input_values, input_values_mask, orientation_known)
        outputs = self(input_ids, attention_mask, use_cache=False, **kwargs)
        return self.pool_imu(outputs.last_hidden_state, input_ids)

    def get_text_features(
        self,
        input_ids: torch.LongTensor,
        attention_mask: torch.Tensor | None = None,
        content_mask: torch.Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> torch.FloatTensor:
        """
        Embeddings of texts, to be compared with those of recordings.

        Args:
            input_ids (`torch.LongTensor` of shape `(batch_size, sequence_length)`):
                Padded on either side.
            attention_mask (`torch.Tensor` of shape `(batch_size, sequence_length)`, *optional*):
                0 for padding.
            content_mask (`torch.Tensor` of that shape, *optional*, defaults to `None`):
                Which tokens the embedding is of, where others are a prompt around them; all that are not padding.
            **kwargs:
                What else the language model takes.

        Returns:
            `torch.FloatTensor` of shape `(batch_size, hidden_size)`: Of unit length.
        """
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        positions = torch.arange(self.config.num_soft_prompt_tokens, device=input_ids.device)
        prompt = self.text_soft_prompt(positions).expand(len(input_ids), -1, -1)
        embeddings = torch.cat([prompt, self.embed_tokens(input_ids).to(prompt.dtype)], dim=1)
        content_mask = attention_mask if content_mask is None else content_mask
        attention_mask = F.pad(attention_mask, (prompt.shape[1], 0), value=1)
        # Padding on the left must not push the text away from the prompt.
        kwargs.setdefault("position_ids", (attention_mask.long().cumsum(dim=-1) - 1).clamp(min=0))
        outputs = self.language_model(
            inputs_embeds=embeddings, attention_mask=attention_mask, use_cache=False, **kwargs
        )
        # The soft prompt tells how to read; what it says itself is no part of the text.
        pooled = self.text_pooler(outputs.last_hidden_state[:, prompt.shape[1] :], content_mask.bool())
        return F.normalize(self.text_head(pooled), dim=-1)


class AnyMoForCausalLM(AnyMoPreTrainedModel, GenerationMixin):
    """
    `AnyMoModel` that writes: captions of recordings, answers, and motion tokens for texts.

    Args:
        config (`AnyMoConfig`):
            Of all parts.
    """

    _tied_weights_keys = {"lm_head.weight": "model.language_model.embed_tokens.weight"}
    _tp_plan = {"lm_head": "colwise_gather_output"}
    generation_config_class = AnyMoGenerationConfig

    def __init__(self, config: AnyMoConfig):
        super().__init__(config)
        self.model = AnyMoModel(config)
        self.vocab_size = config.text_config.vocab_size
        self.lm_head = nn.Linear(config.text_config.hidden_size, self.vocab_size, bias=False)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module):
        self.model.set_input_embeddings(value)

    @can_return_tuple
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.LongTensor | None = None,
        past_key_values=None,
        inputs_embeds: torch.FloatTensor | None = None,
        labels: torch.LongTensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        input_values: torch.FloatTensor | None = None,
        input_values_mask: torch.BoolTensor | None = None,
        orientation_known: torch.BoolTensor | None = None,
        text_input_ids: torch.LongTensor | None = None,
        text_attention_mask: torch.Tensor | None = None,
        candidate_input_ids: torch.LongTensor | None = None,
        candidate_attention_mask: torch.Tensor | None = None,
        candidate_targets: torch.BoolTensor | None = None,
        extra_text_input_ids: torch.LongTensor | None = None,
        extra_text_attention_mask: torch.Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> AnyMoCausalLMOutput:
        r"""
        Predict the next tokens, and compare recordings with texts.

        Args:
            input_ids (`torch.LongTensor` of shape `(batch_size, sequence_length)`, *optional*):
                From `AnyMoProcessor`.
            attention_mask (`torch.Tensor` of shape `(batch_size, sequence_length)`, *optional*):
                0 for padding.
            position_ids (`torch.LongTensor` of shape `(batch_size, sequence_length)`, *optional*):
                As in the language model.
            past_key_values (`Cache`, *optional*):
                As in the language model.
            inputs_embeds (`torch.FloatTensor` of shape `(batch_size, sequence_length, hidden_size)`, *optional*):
                In place of `input_ids`.
            labels (`torch.LongTensor` of shape `(batch_size, sequence_length)`, *optional*):
                Tokens to be predicted, -100 where none is; not shifted. `config.imu_token_id` at a placeholder
                stands for the motion token that takes its place.
            use_cache (`bool`, *optional*):
                As in the language model.
            logits_to_keep (`int` or `torch.Tensor`, *optional*, defaults to 0):
                How many last positions need logits; 0 means all.
            input_values (`torch.FloatTensor` of shape `(num_recordings, num_frames, num_segments, num_channels)`):
                The recordings that `<imu>` stands for, in the order in which they occur in the batch.
            input_values_mask (`torch.BoolTensor` of that shape, *optional*):
                True where a value was observed.
            orientation_known (`torch.BoolTensor` of shape `(num_recordings, num_segments)`, *optional*):
                True where a sensor's axes are its segment's.
            text_input_ids (`torch.LongTensor` of shape `(batch_size, text_length)`, *optional*):
                A narration of each row's recording: switches the narration loss on. Rows of the same text are no
                negatives of each other.
            text_attention_mask (`torch.Tensor` of shape `(batch_size, text_length)`, *optional*):
                0 for padding; a row of zeros has no narration and does not count.
            candidate_input_ids (`torch.LongTensor` of shape `(num_candidates, text_length)`, *optional*):
                Names of activities: switches the activity loss on.
            candidate_attention_mask (`torch.Tensor` of shape `(num_candidates, text_length)`, *optional*):
                0 for padding.
            candidate_targets (`torch.BoolTensor` of shape `(batch_size, num_candidates)`, *optional*):
                Which of them a row's recording shows; none in a row means that it does not count.
            extra_text_input_ids (`torch.LongTensor` of shape `(num_extra_texts, text_length)`, *optional*):
                Texts of no recording to be embedded as well: gradients are averaged over processes, and sharded
                weights gathered, only for what `forward` does.
            extra_text_attention_mask (`torch.Tensor` of that shape, *optional*):
                0 for padding.
            **kwargs:
                What else the language model takes.
        """
        if input_values is not None and input_ids is not None:
            input_ids = self.model.insert_motion_tokens(input_ids, input_values, input_values_mask, orientation_known)
            input_values = None
            if labels is not None:
                labels = torch.where(labels == self.config.imu_token_id, input_ids, labels)
        outputs = self.model(
            input_ids, attention_mask, position_ids, past_key_values, inputs_embeds, use_cache, input_values, **kwargs
        )
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        output = AnyMoCausalLMOutput(
            logits=self.lm_head(outputs.last_hidden_state[:, kept]),
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )
        losses = []
        if labels is not None:
            # Without any answer it is nothing over nothing, which must not be NaN.
            num_answers = kwargs.pop("num_items_in_batch", None)
            num_answers = (labels[..., 1:] != -100).sum() if num_answers is None else torch.as_tensor(num_answers)
            output.language_loss = self.loss_function(
                output.logits, labels, self.vocab_size, num_items_in_batch=num_answers.clamp(min=1), **kwargs
            )
            losses.append(self.config.language_loss_weight * output.language_loss)
        if text_input_ids is not None or candidate_input_ids is not None:
            features = self.model.pool_imu(outputs.last_hidden_state, input_ids)
            if text_input_ids is not None:
                texts = self.model.get_text_features(text_input_ids, text_attention_mask)
                identity = text_identity(text_input_ids, text_attention_mask)
                output.narration_loss = info_nce(features, texts, self.config.temperature, identity)
                losses.append(self.config.narration_loss_weight * output.narration_loss)
            if candidate_input_ids is not None:
                candidates = self.model.get_text_features(candidate_input_ids, candidate_attention_mask)
                output.activity_loss = multi_positive_loss(
                    features, candidates, candidate_targets, self.config.temperature
                )
                losses.append(self.config.activity_loss_weight * output.activity_loss)
        if extra_text_input_ids is not None:
            output.extra_text_features = self.model.get_text_features(extra_text_input_ids, extra_text_attention_mask)
        output.loss = sum(losses) if losses else None
        return output

    def _expand_inputs_for_generation(self, expand_size=1, is_encoder_decoder=False, input_ids=None, **model_kwargs):
        values = model_kwargs.get("input_values")
        if expand_size > 1 and values is not None and input_ids is not None and len(values) != len(input_ids):
            raise ValueError(
                f"Beams and several sequences per prompt need one recording per row, but {len(values)} recordings "
                f"were given for {len(input_ids)} rows; generate greedily or row by row."
            )
        return super()._expand_inputs_for_generation(expand_size, is_encoder_decoder, input_ids, **model_kwargs)


__all__ = ["AnyMoForCausalLM", "AnyMoModel", "AnyMoPreTrainedModel"]

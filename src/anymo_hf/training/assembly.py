# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Puts a graph encoder, a motion tokenizer and a language model together: where training on language begins."""

import math
from collections.abc import Iterable
from pathlib import Path

import torch
from transformers import (
    AutoFeatureExtractor,
    AutoModel,
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from anymo_hf.modeling.configuration_anymo import AnyMoConfig
from anymo_hf.modeling.modeling_anymo import AnyMoForCausalLM
from anymo_hf.processing import AnyMoProcessor, add_motion_tokens
from anymo_hf.processing.placements_anymo import NAMED_PLACEMENTS
from anymo_hf.prompts import (
    CHAT_TEMPLATE,
    LABEL_TEMPLATES,
    TURN_END,
    TURN_START,
    caption_prompt,
    choice_prompt,
    embedding_prompt,
    motion_prompt,
)


PADDING = "<|endoftext|>"
# Vocabularies of such sizes suit the matrix units of GPUs.
VOCABULARY_MULTIPLE = 64


def train_text_tokenizer(texts: Iterable[str], vocab_size: int = 2048) -> PreTrainedTokenizerBase:
    """
    A tokenizer for few words: byte pairs, so that it can write any, of texts, prompts and names of placements.

    Args:
        texts (`Iterable[str]`):
            What it will read and write most.
        vocab_size (`int`, *optional*, defaults to 2048):
            Most tokens; fewer if the texts hold no more.

    Returns:
        `PreTrainedTokenizerBase`: With the tokens of ChatML; a word is the same token wherever it stands.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    prompts = [
        embedding_prompt(),
        caption_prompt(),
        choice_prompt(list("abcdefghijklmnopqrstuvwxyz")),
        motion_prompt(""),
    ]
    prompts += [embedding_prompt([name]) for name in NAMED_PLACEMENTS] + list(LABEL_TEMPLATES)
    special = [PADDING, TURN_START, TURN_END]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*prompts, *texts], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=TURN_END, pad_token=PADDING)


def prepare_tokenizer(tokenizer: PreTrainedTokenizerBase, num_codebooks: int, codebook_size: int) -> int:
    """
    Gives a tokenizer what conversations about motion need: ChatML, padding, markers and motion tokens.

    Args:
        tokenizer (`PreTrainedTokenizerBase`):
            Is changed. A turn's end becomes its end of sequence.
        num_codebooks (`int`):
            Of the motion tokenizer.
        codebook_size (`int`):
            Of the motion tokenizer.

    Returns:
        `int`: Id of the first motion token.
    """
    vocabulary = tokenizer.get_vocab()
    missing = [token for token in (TURN_START, TURN_END) if token not in vocabulary]
    if missing:
        tokenizer.add_special_tokens({"extra_special_tokens": missing}, replace_extra_special_tokens=False)
    if tokenizer.pad_token is None or tokenizer.pad_token == TURN_END:
        tokenizer.add_special_tokens({"pad_token": PADDING})
    tokenizer.eos_token = TURN_END
    tokenizer.chat_template = CHAT_TEMPLATE
    return add_motion_tokens(tokenizer, num_codebooks, codebook_size)


def make_language_model(
    vocab_size: int, hidden_size: int = 256, num_hidden_layers: int = 4, num_attention_heads: int = 8
) -> PreTrainedModel:
    """A fresh Llama with the proportions of that family, and one matrix for words in and out."""
    config = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=hidden_size,
        intermediate_size=VOCABULARY_MULTIPLE * math.ceil(hidden_size * 8 / 3 / VOCABULARY_MULTIPLE),
        num_hidden_layers=num_hidden_layers,
        num_attention_heads=num_attention_heads,
        num_key_value_heads=num_attention_heads,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
    )
    return AutoModelForCausalLM.from_config(config)


def assemble(
    graph_encoder: str | Path,
    motion_tokenizer: str | Path,
    language_model: str | Path | None = None,
    tokenizer: PreTrainedTokenizerBase | None = None,
    text_sizes: dict[str, int] | None = None,
    **config_options,
) -> tuple[AnyMoForCausalLM, AnyMoProcessor]:
    """
    The whole model and its processor.

    Args:
        graph_encoder (`str` or `Path`):
            Folder that `pretrain_graph_encoder.py` wrote.
        motion_tokenizer (`str` or `Path`):
            Folder that `train_pq_tokenizer.py` wrote.
        language_model (`str` or `Path`, *optional*, defaults to `None`):
            Folder or Hub id of a causal language model; `None` makes a fresh one.
        tokenizer (`PreTrainedTokenizerBase`, *optional*, defaults to `None`):
            For texts; is changed. `None` takes the language model's.
        text_sizes (`dict[str, int]`, *optional*, defaults to `None`):
            Arguments of `make_language_model` for a fresh one.
        **config_options:
            Of `AnyMoConfig`; poolers widen as the language model does unless told otherwise.

    Returns:
        `tuple[AnyMoForCausalLM, AnyMoProcessor]`: In single precision. Embeddings of motion tokens, which the head
        shares or not, begin as projections of their codebook entries.

    Raises:
        ValueError: If there is neither a language model nor a tokenizer for a fresh one.
    """
    encoder, codes = AutoModel.from_pretrained(graph_encoder), AutoModel.from_pretrained(motion_tokenizer)
    if tokenizer is None:
        if language_model is None:
            raise ValueError("A fresh language model needs a `tokenizer`; `train_text_tokenizer` makes one.")
        tokenizer = AutoTokenizer.from_pretrained(language_model)
    first = prepare_tokenizer(tokenizer, codes.config.num_codebooks, codes.config.codebook_size)
    if language_model is None:
        size = VOCABULARY_MULTIPLE * math.ceil(len(tokenizer) / VOCABULARY_MULTIPLE)
        text_model = make_language_model(size, **(text_sizes or {}))
    else:
        text_model = AutoModelForCausalLM.from_pretrained(language_model, dtype=torch.float32)
        text_model.resize_token_embeddings(len(tokenizer), pad_to_multiple_of=VOCABULARY_MULTIPLE)
    text_config = text_model.config
    text_config.bos_token_id = tokenizer.bos_token_id
    text_config.eos_token_id, text_config.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
    processor = AnyMoProcessor(
        AutoFeatureExtractor.from_pretrained(graph_encoder),
        tokenizer,
        chat_template=CHAT_TEMPLATE,
        num_codebooks=codes.config.num_codebooks,
        codebook_size=codes.config.codebook_size,
        frames_per_step=math.prod(encoder.config.strides) * codes.config.step_stride,
    )
    markers = (processor.imu_token, processor.imu_start_token, processor.imu_end_token)
    imu, start, end = tokenizer.convert_tokens_to_ids(list(markers))
    config = AnyMoConfig(
        graph_encoder_config=encoder.config,
        motion_tokenizer_config=codes.config,
        text_config=text_config,
        imu_token_id=imu,
        imu_start_token_id=start,
        imu_end_token_id=end,
        motion_token_offset=first,
        **{"pooler_intermediate_size": 2 * text_config.hidden_size, **config_options},
    )
    model = AnyMoForCausalLM(config)
    model.model.graph_encoder, model.model.motion_tokenizer = encoder, codes
    model.model.language_model, model.lm_head = text_model.base_model, text_model.lm_head
    model.tie_weights()
    _begin_motion_rows(model, first)
    generation = model.generation_config
    generation.eos_token_id, generation.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
    # Captions are words. Who wants motion says `suppress_tokens=[]`.
    generation.suppress_tokens = [imu, start, end, *range(first, first + codes.config.num_motion_tokens)]
    return model, processor


@torch.no_grad()
def _begin_motion_rows(model: AnyMoForCausalLM, first: int) -> None:
    """Words in and words out begin alike: what the head looks for is what the projector gives."""
    entries = model.model.motion_tokenizer.codebooks.flatten(0, 1)
    projected = model.model.projector(entries)
    for weight in {model.get_input_embeddings().weight, model.lm_head.weight}:
        weight[first : first + len(projected)] = projected


__all__ = ["assemble", "make_language_model", "prepare_tokenizer", "train_text_tokenizer"]

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Tiny checkpoints and recordings for the pipelines."""

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, pipeline

from anymo_hf import (
    AnyMoConfig,
    AnyMoFeatureExtractor,
    AnyMoForCausalLM,
    AnyMoGraphEncoder,
    AnyMoGraphEncoderConfig,
    AnyMoPQTokenizerConfig,
    AnyMoProcessor,
    add_motion_tokens,
)


CODES = 16
WORDS = "a person is the activity walking sitting standing up down stairs what doing left right wrist ankle motion"


def make_tokenizer() -> PreTrainedTokenizerFast:
    words = ["<unk>", "<pad>", "<eos>", *WORDS.split()]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>", eos_token="<eos>"
    )
    add_motion_tokens(tokenizer, 2, CODES)
    return tokenizer


def make_config(tokenizer) -> AnyMoConfig:
    names = ("imu", "imu_start", "imu_end", "motion_0_0")
    imu, start, end, motion = (tokenizer.convert_tokens_to_ids(f"<{name}>") for name in names)
    text = Qwen2Config(
        vocab_size=len(tokenizer) + 6, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True, pad_token_id=1, bos_token_id=None,
        eos_token_id=2, max_position_embeddings=1024,
    )  # fmt: skip
    return AnyMoConfig(
        graph_encoder_config=AnyMoGraphEncoderConfig.small(hidden_sizes=[8, 8, 8, 16]),
        motion_tokenizer_config=AnyMoPQTokenizerConfig(
            latent_size=16, codebook_size=CODES, codebook_dim=8, hidden_size=16, dilations=[1]
        ),
        text_config=text,
        imu_token_id=imu,
        imu_start_token_id=start,
        imu_end_token_id=end,
        motion_token_offset=motion,
        projector_hidden_size=16,
        pooler_num_latents=4,
        pooler_num_attention_heads=4,
        pooler_intermediate_size=32,
        num_soft_prompt_tokens=2,
    )


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """Folder of a whole model with random weights, larger than usual so that inputs make a difference."""
    folder = tmp_path_factory.mktemp("checkpoints") / "whole"
    tokenizer = make_tokenizer()
    torch.manual_seed(0)
    model = AnyMoForCausalLM(make_config(tokenizer))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(5.0)
    model.save_pretrained(folder)
    AnyMoProcessor(AnyMoFeatureExtractor(), tokenizer, num_codebooks=2, codebook_size=CODES).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def encoder_checkpoint(tmp_path_factory):
    """Folder of an encoder alone."""
    folder = tmp_path_factory.mktemp("checkpoints") / "encoder"
    torch.manual_seed(0)
    AnyMoGraphEncoder(AnyMoGraphEncoderConfig.small(hidden_sizes=[8, 8, 8, 16])).save_pretrained(folder)
    AnyMoFeatureExtractor().save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def classify(checkpoint):
    return pipeline("zero-shot-imu-classification", model=checkpoint, device="cpu")


@pytest.fixture(scope="session")
def embed(checkpoint):
    return pipeline("imu-feature-extraction", model=checkpoint, device="cpu")


@pytest.fixture(scope="session")
def describe(checkpoint):
    return pipeline("imu-to-text", model=checkpoint, device="cpu", max_new_tokens=8)


@pytest.fixture(scope="session")
def readings():
    """A function that makes readings of a moving sensor: `(seconds * rate, 6)`, m/s^2 and rad/s."""

    def make(seconds: float, rate: float = 50.0, seed: int = 0) -> np.ndarray:
        generator = np.random.default_rng(seed)
        time = np.arange(round(seconds * rate)) / rate
        waves = np.sin(2 * np.pi * generator.uniform(0.5, 3, 6) * time[:, None] + generator.uniform(0, 6, 6))
        return waves * generator.uniform(0.5, 4, 6) + [0, 0, 9.8, 0, 0, 0]

    return make


@pytest.fixture(scope="session")
def csv_file(readings, tmp_path_factory):
    """A function that writes readings as a CSV file whose clock starts at 100 s."""

    def write(seconds: float, name: str = "watch.csv", seed: int = 0, rate: float = 50.0):
        values = readings(seconds, rate, seed)
        table = np.column_stack([100 + np.arange(len(values)) / rate, values])
        path = tmp_path_factory.mktemp("files") / name
        header = "t,acc_x,acc_y,acc_z,gyr_x,gyr_y,gyr_z"
        np.savetxt(path, table, delimiter=",", header=header, comments="", fmt="%.6f")
        return path

    return write

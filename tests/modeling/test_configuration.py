# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The configurations: the paper's sizes, what fits together, and round trips."""

import pytest
from transformers import AutoConfig

from anymo_hf.modeling.configuration_anymo import AnyMoConfig, AnyMoGraphEncoderConfig, AnyMoPQTokenizerConfig
from anymo_hf.processing.placements_anymo import SEGMENT_PARENTS


def test_the_paper_s_sizes_are_the_defaults():
    encoder, tokenizer, config = AnyMoGraphEncoderConfig(), AnyMoPQTokenizerConfig(), AnyMoConfig()
    assert tuple(encoder.segment_parents) == SEGMENT_PARENTS
    assert (encoder.num_segments, encoder.hidden_size, encoder.num_hidden_layers) == (23, 256, 10)
    assert [encoder.num_steps(frames) for frames in (1, 4, 5, 300, 301)] == [1, 1, 2, 75, 76]
    assert tokenizer.num_motion_tokens == 4096
    assert config.text_config.model_type == "qwen2" and config.text_config.vocab_size == 155776
    assert config.tie_word_embeddings is True


@pytest.mark.parametrize("config_class", [AnyMoGraphEncoderConfig, AnyMoPQTokenizerConfig, AnyMoConfig])
def test_saving_and_loading(config_class, tmp_path):
    config = config_class()
    config.save_pretrained(tmp_path)
    loaded = AutoConfig.from_pretrained(tmp_path)
    assert type(loaded) is config_class
    assert loaded.to_json_string() == config.to_json_string()


def test_the_small_presets_fit_and_survive_in_the_whole(tmp_path):
    config = AnyMoConfig(
        graph_encoder_config=AnyMoGraphEncoderConfig.small(),
        motion_tokenizer_config=AnyMoPQTokenizerConfig.small(num_codebooks=3).to_dict(),
        text_config={"model_type": "llama", "vocab_size": 99, "tie_word_embeddings": False},
    )
    config.save_pretrained(tmp_path)
    loaded = AnyMoConfig.from_pretrained(tmp_path)
    assert loaded.graph_encoder_config.hidden_sizes == AnyMoGraphEncoderConfig.small().hidden_sizes
    assert loaded.motion_tokenizer_config.num_codebooks == 3
    assert loaded.text_config.model_type == "llama" and loaded.tie_word_embeddings is False


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strides": [1]}, "must both name every block"),
        ({"normalization": "rms"}, "'layer_norm' or 'batch_norm'"),
        ({"temporal_kernel_size": 4}, "must be odd"),
        ({"segment_parents": [-1, 1]}, "must begin with -1"),
        ({"hidden_sizes": "wide"}, "hidden_sizes"),
    ],
)
def test_errors_say_what_to_do(options, message):
    with pytest.raises(Exception, match=message) as caught:
        AnyMoGraphEncoderConfig(**options)
    assert "Validation" in type(caught.value).__name__


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(Exception, match="must be the encoder's hidden size, 96, but is 256"):
        AnyMoConfig(graph_encoder_config=AnyMoGraphEncoderConfig.small())

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""`average_weights.py`: the mean of literal weights, in both folders."""

import sys

import pytest
import torch
from processes import load_script
from safetensors.torch import save_file

from anymo_hf import AnyMoGraphEncoder, AnyMoGraphEncoderConfig, AnyMoGraphEncoderForTextAlignment


def write_run(folder, value, hidden_size=4):
    config = AnyMoGraphEncoderConfig.small(hidden_sizes=[hidden_size], strides=[4], text_embedding_size=3)
    model = AnyMoGraphEncoderForTextAlignment(config)
    for parameter in model.parameters():
        torch.nn.init.constant_(parameter, value)
    model.save_pretrained(folder / "text_alignment")
    save_file({"embeddings": torch.zeros(1, 3)}, folder / "text_alignment" / "text_bank.safetensors", {"texts": "[]"})
    return folder


def test_mean_of_literal_weights(tmp_path, monkeypatch):
    runs = [str(write_run(tmp_path / str(value), value)) for value in (1.0, 2.0, 6.0)]
    command = ["average_weights", "--output_dir", str(tmp_path / "mean"), "--runs"]
    monkeypatch.setattr(sys, "argv", [*command, *runs])
    load_script("average_weights").main()
    whole = AnyMoGraphEncoderForTextAlignment.from_pretrained(tmp_path / "mean" / "text_alignment")
    encoder = AnyMoGraphEncoder.from_pretrained(tmp_path / "mean" / "graph_encoder")
    for parameter in (*whole.parameters(), *encoder.parameters()):
        torch.testing.assert_close(parameter, torch.full_like(parameter, 3.0))
    assert (tmp_path / "mean" / "graph_encoder" / "preprocessor_config.json").exists()
    assert (tmp_path / "mean" / "text_alignment" / "text_bank.safetensors").exists()


def test_what_cannot_be_averaged_is_told(tmp_path, monkeypatch, capsys):
    small, large = write_run(tmp_path / "small", 1.0), write_run(tmp_path / "large", 1.0, hidden_size=8)
    command = ["average_weights", "--output_dir", str(tmp_path / "mean"), "--runs"]
    monkeypatch.setattr(sys, "argv", [*command, str(small), str(large)])
    with pytest.raises(ValueError, match="same shapes, but model 1 differs"):
        load_script("average_weights").main()
    for runs, message in (([small], "at least 2 runs"), ([small, tmp_path / "none"], "must hold `text_alignment`")):
        monkeypatch.setattr(sys, "argv", [*command, *map(str, runs)])
        with pytest.raises(SystemExit):
            load_script("average_weights").main()
        assert message in capsys.readouterr().err

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""What several tests of benchmarks need."""

import importlib
import sys
from pathlib import Path

import pytest
import torch

from anymo_hf import AnyMoGraphEncoderConfig, AnyMoPQTokenizerConfig, SegmentKinematics, TextSpan
from anymo_hf.simulation.conversion import save_kinematics
from anymo_hf.simulation.synthesis import random_recording


sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> Path:
    """Folder of a tiny whole model: two codes of 16, for two steps each."""
    language = importlib.import_module("language")
    torch.manual_seed(0)
    parts = language.assemble_model(
        tmp_path_factory.mktemp("parts"),
        AnyMoGraphEncoderConfig.small(hidden_sizes=[8, 8, 8, 16]),
        AnyMoPQTokenizerConfig(
            latent_size=16, codebook_size=16, codebook_dim=8, hidden_size=16, dilations=[1], step_stride=2
        ),
        {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4},
    )
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny"
    for part in parts:
        part.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def kicks_and_hops(tmp_path_factory) -> Path:
    """Converted motion of four people, 3 s of each."""
    folder = tmp_path_factory.mktemp("converted")
    whole = SegmentKinematics.from_motion(random_recording(0, 3.0))
    for i in range(4):
        whole.source = {"dataset": "hdm05", "subject": f"s{i}"}
        whole.texts = (TextSpan(0.0, 3.0, ("kick", "hop")[i % 2], "label"),)
        save_kinematics(whole, folder / f"{i}.safetensors")
    return folder

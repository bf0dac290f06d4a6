# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The published encoder on real recordings of people it never met: better than the same network untrained."""

from pathlib import Path

import torch
from transformers import AutoModel

from anymo_hf import AnyMoGraphEncoder
from anymo_hf.evaluation.embeddings import embed_windows, load_har_windows
from anymo_hf.evaluation.har_datasets import HAR_DATASETS
from anymo_hf.evaluation.probes import few_shot_probe


PUBLISHED = Path(__file__).parents[2] / "anymo" / "graph_encoder"


def test_five_examples_tell_more_than_with_an_untrained_network(data_folder):
    windows = load_har_windows(
        data_folder / "har" / "sisfall_adl.parquet", HAR_DATASETS["sisfall_adl"], max_windows=300
    )
    encoder = AutoModel.from_pretrained(PUBLISHED)
    torch.manual_seed(0)
    untrained = AnyMoGraphEncoder(encoder.config)
    untrained.input_mean.copy_(encoder.input_mean)
    untrained.input_std.copy_(encoder.input_std)
    trained, chance = (
        few_shot_probe(embed_windows(model, windows), windows.activities, windows.subjects, num_draws=5)
        for model in (encoder, untrained)
    )
    # 9 to 14 points on all its windows; a set this small leaves a few points to luck.
    assert trained.accuracy > chance.accuracy + 0.03

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The checkpoint in this repository: small, whole, and better than guessing on real recordings."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModel, AutoModelForCausalLM, pipeline

from anymo_hf import AnyMoSignalDecoder
from anymo_hf.demo import wear
from anymo_hf.evaluation.embeddings import load_har_windows
from anymo_hf.evaluation.har_datasets import HAR_DATASETS
from anymo_hf.evaluation.zero_shot import classify_windows
from anymo_hf.evaluation.zero_shot_controls import MOVING_OR_STILL, control_scores
from anymo_hf.simulation.synthesis import demo_motion


CHECKPOINT = Path(__file__).parents[1] / "anymo"


def test_it_is_small_and_holds_no_pickles():
    files = [path for path in CHECKPOINT.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 15e6
    assert {path.suffix for path in files} <= {".json", ".jinja", ".md", ".png", ".safetensors"}


def test_parts_are_those_of_the_whole():
    whole, report = AutoModelForCausalLM.from_pretrained(CHECKPOINT, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    for name in ("graph_encoder", "motion_tokenizer"):
        part, within = AutoModel.from_pretrained(CHECKPOINT / name), getattr(whole.model, name).state_dict()
        assert all(torch.equal(tensor, within[key]) for key, tensor in part.state_dict().items())
    decoder = AnyMoSignalDecoder.from_pretrained(CHECKPOINT / "signal_decoder")
    assert torch.equal(decoder.codebooks, whole.model.motion_tokenizer.codebooks)


def test_a_walk_is_described():
    options = {"model": str(CHECKPOINT), "dtype": "float32", "window": 5.0}
    recording = wear(demo_motion(), seed=0)
    first = pipeline("imu-to-text", **options)(recording)[0]["generated_text"]
    assert "walk" in first and first[0].isupper() and first.endswith(".")
    scores = pipeline("zero-shot-imu-classification", **options)(recording, candidate_labels="walking, lying, typing")
    assert scores[0]["scores"][0]["label"] == "walking"


@pytest.mark.parametrize("name", ["umafall", "sisfall_adl", "dsads"])
def test_real_recordings_are_named_better_than_by_guessing(data_folder, name):
    """On the sets for development; nobody is surprised where it is not, but then a change has broken something."""
    dataset = HAR_DATASETS[name]
    windows = load_har_windows(data_folder / "har" / f"{name}.parquet", dataset, max_windows=190)
    classify = pipeline("zero-shot-imu-classification", model=str(CHECKPOINT), dtype="float32")
    scores, controls = classify_windows(classify, windows, dataset.classes), control_scores(windows, dataset.classes)
    assert scores.accuracy > 1.3 * controls[MOVING_OR_STILL].accuracy

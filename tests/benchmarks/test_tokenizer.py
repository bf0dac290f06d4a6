# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark of motion tokens, and the training script whose results it measures."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import EvalPrediction

from anymo_hf import AnyMoGraphEncoder, AnyMoGraphEncoderConfig, AnyMoPQTokenizer, AnyMoPQTokenizerConfig
from anymo_hf.evaluation.results import read_results
from anymo_hf.modeling.modeling_anymo_pq_tokenizer import AnyMoPQTokenizerOutput
from anymo_hf.modeling.modeling_anymo_signal_decoder import AnyMoSignalDecoder
from anymo_hf.simulation import SegmentKinematics, SensorErrors
from anymo_hf.simulation.conversion import save_kinematics
from anymo_hf.simulation.synthesis import random_recording
from anymo_hf.training import PairedViewDataset


ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "training_scripts")]
benchmark = pytest.importorskip("tokenizer")
script = pytest.importorskip("train_pq_tokenizer")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four recordings, and an encoder that has learned nothing."""
    folder = tmp_path_factory.mktemp("tokens")
    (folder / "data").mkdir()
    for seed in range(4):
        kinematics = SegmentKinematics.from_motion(random_recording(seed, 11.0))
        kinematics.source["subject"] = str(seed)
        save_kinematics(kinematics, folder / "data" / f"{seed}.safetensors")
    torch.manual_seed(0)
    config = AnyMoGraphEncoderConfig(hidden_sizes=[8, 16], strides=[2, 2], predictor_num_attention_heads=2)
    AnyMoGraphEncoder(config).save_pretrained(folder / "graph_encoder")
    return folder


def test_speed_is_recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark, "CODEBOOK_SIZE", 32)
    path = tmp_path / "results.jsonl"
    benchmark.main(["--turns", "2", "--windows", "1", "2", "--results", str(path)])
    results = read_results(path)
    assert len(results) == 8 and len({result.identity for result in results}) == 8
    assert all(result.value < 1e-5 for result in results if result.metric.startswith("largest excess"))


def test_excess_distance_of_known_codes():
    codebooks, vectors = torch.tensor([[[0.0], [10.0]]]), torch.tensor([[[1.0], [8.0]]])
    assert benchmark.excess_distance(torch.tensor([[0, 1]]), vectors, codebooks) == 0
    assert benchmark.excess_distance(torch.tensor([[0, 0]]), vectors, codebooks) == pytest.approx(6)


class Identity(torch.nn.Module):
    """A tokenizer that loses nothing, or everything but the mean."""

    config = AnyMoPQTokenizerConfig(codebook_size=4)

    def __init__(self, constant=None):
        super().__init__()
        self.constant = constant

    def forward(self, pooled_latents, steps_mask):
        given = pooled_latents if self.constant is None else self.constant.expand_as(pooled_latents)
        codes = (torch.arange(pooled_latents.shape[1]) % 2).expand(len(pooled_latents), 1, -1)
        return AnyMoPQTokenizerOutput(reconstruction=given, codes=codes, codes_mask=steps_mask)


def test_errors_are_relative_to_the_mean(folder):
    dataset = PairedViewDataset(folder / "data", masking=False)
    encoder = AnyMoGraphEncoder.from_pretrained(folder / "graph_encoder").eval()
    batch = [dataset[i] for i in range(len(dataset))]
    with torch.no_grad():
        outputs = encoder(*(torch.stack([item[name][0] for item in batch]) for name in
                            ("input_values", "input_values_mask")))  # fmt: skip
    mean = outputs.pooled_latents[outputs.steps_mask].mean(dim=0)
    for constant, expected in ((None, 0.0), (mean, 100.0)):
        results = benchmark.measure_tokens(Identity(constant), encoder, dataset, "all")
        values = [result.value for result in results]
        assert values == pytest.approx([expected, 2.0, 50.0], abs=0.05)  # two of four codes, used alike


def test_a_copied_watch_reads_its_segment(folder, monkeypatch):
    ideal = SensorErrors.preset("ideal")
    monkeypatch.setattr(benchmark.SensorErrors, "preset", lambda name: ideal)
    dataset = PairedViewDataset(folder / "data")
    windows = list(benchmark.watch_windows(dataset))
    assert len(windows) == sum(clip.num_frames // 300 for clip in dataset.clips) > 0
    for values, mask, copied, target, known in windows:
        assert mask[:, benchmark.LEFT_FOREARM].all() and mask.sum() == mask[:, benchmark.LEFT_FOREARM].sum()
        assert values.shape == target.shape == (300, 23, 6) and known.all()
        # Turned back, its rate is the segment's own; its force differs by the lever arm only.
        torch.testing.assert_close(copied[:, 3:], target[:, benchmark.LEFT_FOREARM, 3:], rtol=1e-3, atol=1e-3)


def test_metrics_leave_out_what_is_behind_the_end():
    codes = torch.tensor([[[0, 1, 3]], [[1, 3, 3]]])
    mask = torch.tensor([[True, True, False], [True, False, False]])
    seen = script.observed_codes((codes, None, mask), None)
    assert seen.tolist() == [[[0, 1, -1]], [[1, -1, -1]]]
    metrics = script.code_metrics(EvalPrediction(seen.numpy(), None))
    shares = np.array([1 / 3, 2 / 3])
    assert metrics["used_codes_0"] == 2
    assert metrics["perplexity_0"] == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))


def train(folder, output, *arguments):
    command = [
        sys.executable, ROOT / "training_scripts" / "train_pq_tokenizer.py", "--data", folder / "data",
        "--encoder", folder / "graph_encoder", "--output_dir", folder / output,
        "--max_steps", 2, "--per_device_train_batch_size", 4,
        "--held_out_share", 0.5, "--eval_strategy", "steps", "--eval_steps", 2, "--use_cpu", "--disable_tqdm", True,
        *arguments,
    ]  # fmt: skip
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=280)
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


def test_scripts_train_and_quality_is_recorded(folder, tmp_path):
    log = train(folder, "tokens", "--codebook_size", 16, "--step_stride", 2)
    assert "eval_perplexity_0" in log and "eval_used_codes_1" in log
    tokenizer = folder / "tokens" / "motion_tokenizer"
    motion_tokenizer, info = AnyMoPQTokenizer.from_pretrained(tokenizer, output_loading_info=True)
    assert not any(info.values()) and int(motion_tokenizer.quantizer.num_updates) == 3  # once for the start
    assert "eval_loss" in train(folder, "signals", "--signal_decoder", tokenizer)
    decoder = AnyMoSignalDecoder.from_pretrained(folder / "signals" / "signal_decoder")
    assert torch.equal(decoder.codebooks, motion_tokenizer.codebooks)
    gravity = decoder.signal_mean[:, :3].norm(dim=1)
    assert gravity.min() > 1 and gravity.max() < 12  # the mean of what segments feel is mostly that
    path = tmp_path / "results.jsonl"
    benchmark.main(list(map(str, [
        "--tokenizer", tokenizer, "--encoder", folder / "graph_encoder", "--data", folder / "data", "--signal_decoder",
        folder / "signals" / "signal_decoder", "--held_out_share", 0.5, "--results", path,
    ])))  # fmt: skip
    results = {(result.subset, result.metric): result.value for result in read_results(path)}
    assert len(results) == 5 + 8 and all(np.isfinite(value) for value in results.values())
    copied = "copy of the watch, squared error relative to the mean, %"
    assert results["one watch, rate of the wrist's segment", copied] < 5

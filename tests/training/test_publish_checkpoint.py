# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The folder that is shared: small, complete, and with the same codes."""

import sys

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError
from safetensors.torch import load_file
from test_language_scripts import _inputs, base, load_script, parts, pretrain  # noqa: F401
from transformers import AutoFeatureExtractor, AutoModel, AutoModelForCausalLM, AutoProcessor

from anymo_hf import AnyMoForCausalLM, AnyMoPQTokenizer, AnyMoSignalDecoder


def test_whole_and_parts(parts, base, tmp_path, monkeypatch):  # noqa: F811
    decoder = AnyMoSignalDecoder.from_motion_tokenizer(AnyMoPQTokenizer.from_pretrained(parts.motion_tokenizer))
    decoder.save_pretrained(tmp_path / "decoder")
    output = tmp_path / "anymo"
    arguments = ["--model", str(base), "--signal_decoder", str(tmp_path / "decoder"), "--runs", str(base.parent)]
    monkeypatch.setattr(sys, "argv", ["publish_checkpoint", *arguments, "--output", str(output)])
    script = load_script("publish_checkpoint")
    script.main()
    stored = load_file(output / "model.safetensors")
    for name, tensor in stored.items():
        precise = name.startswith(("model.graph_encoder.", "model.motion_tokenizer."))
        assert not tensor.is_floating_point() or tensor.dtype == (torch.float32 if precise else torch.bfloat16), name
    before, after = AnyMoForCausalLM.from_pretrained(base).eval(), AutoModelForCausalLM.from_pretrained(output).eval()
    assert {one.dtype for one in after.parameters()} == {torch.float32}
    inputs = _inputs(parts, base)
    features = inputs["input_values"], inputs["input_values_mask"]
    assert torch.equal(before.model.get_motion_tokens(*features)[0], after.model.get_motion_tokens(*features)[0])
    with torch.no_grad():
        torch.testing.assert_close(before(**inputs).logits, after(**inputs).logits, atol=0.03, rtol=0.03)
    for name in ("graph_encoder", "motion_tokenizer"):
        part, whole = AutoModel.from_pretrained(output / name), getattr(after.model, name).state_dict()
        assert all(torch.equal(tensor, whole[key]) for key, tensor in part.state_dict().items())
    loaded = AnyMoSignalDecoder.from_pretrained(output / "signal_decoder").state_dict()
    assert all(torch.equal(tensor, loaded[key]) for key, tensor in decoder.state_dict().items())
    extractor = AutoFeatureExtractor.from_pretrained(output / "graph_encoder")
    assert extractor.to_dict() == AutoProcessor.from_pretrained(output).feature_extractor.to_dict()
    assert (output / "curves.png").stat().st_size > 1000
    script.save_parts(script.save_whole(base, tmp_path / "smooth", cutoff=4.5), tmp_path / "smooth", None)
    for one in (AutoModel.from_pretrained(tmp_path / "smooth").graph_encoder,
                AutoModel.from_pretrained(tmp_path / "smooth" / "graph_encoder")):  # fmt: skip
        assert one.config.cutoff == 4.5
    with pytest.raises(StrictDataclassClassValidationError, match="`cutoff` must be None or from"):
        script.save_whole(base, tmp_path / "smooth", cutoff=0.0)
    with pytest.raises(ValueError, match="no checkpoint"):
        script.plot_curves([tmp_path], tmp_path / "curves.png")


def test_mean_with_a_checkpoint_of_the_run(base, tmp_path):  # noqa: F811
    other = AnyMoForCausalLM.from_pretrained(base)
    with torch.no_grad():
        other.model.projector.apply(lambda module: [one.add_(2.0) for one in module.parameters(recurse=False)])
        other.model.motion_tokenizer.quantizer.num_updates += 1  # a counter has no mean
    other.save_pretrained(tmp_path / "checkpoint-2")
    script = load_script("publish_checkpoint")
    mean = script.save_whole(base, tmp_path / "mean", others=[tmp_path / "checkpoint-2"]).float()
    first = script.save_whole(base, tmp_path / "first").float()
    for (name, one), two in zip(mean.named_parameters(), first.parameters(), strict=True):
        is_moved = "projector" in name
        torch.testing.assert_close(one, two + 1.0 if is_moved else two, atol=0.01, rtol=0.01)  # of bfloat16
    counts = [one.model.motion_tokenizer.quantizer.num_updates for one in (mean, first)]
    assert torch.equal(*counts)

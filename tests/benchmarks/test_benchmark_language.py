# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark of the whole model: that both sides of a comparison do the same work, and what it records."""

import importlib

import numpy as np
import pytest
import torch

from anymo_hf import AnyMoGraphEncoderConfig, AnyMoPQTokenizerConfig
from anymo_hf.evaluation.results import read_results


language = importlib.import_module("language")


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """A tiny model with its processor."""
    model, processor = language.assemble_model(
        tmp_path_factory.mktemp("parts"),
        AnyMoGraphEncoderConfig.small(hidden_sizes=[8, 8, 8, 16]),
        AnyMoPQTokenizerConfig(latent_size=16, codebook_size=16, codebook_dim=8, hidden_size=16, dilations=[1]),
        {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4},
    )
    return model.eval(), processor


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Few windows, and no real recording."""
    monkeypatch.setattr(language, "WINDOWS_PER_CALL", 2)
    monkeypatch.setattr(language, "WINDOWS_PER_FILE", 2)
    monkeypatch.delenv("ANYMO_DATA", raising=False)


@pytest.mark.filterwarnings("ignore")
def test_language_model_alone_is_the_same_one(parts):
    model, processor = parts
    alone = language.language_model_of(model)
    inputs = processor.tokenizer("a person is walking", return_tensors="pt")
    inputs = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        assert torch.equal(alone(**inputs).logits, model(**inputs).logits)
    assert alone.lm_head.weight is model.lm_head.weight
    assert model.generation_config.suppress_tokens and alone.generation_config.suppress_tokens is None


@pytest.mark.filterwarnings("ignore")
def test_both_write_as_many_tokens_and_encode_once(parts, monkeypatch):
    model, processor = parts
    ways, steps, encoded = language.make_generators(model, processor), [], []
    forward, get_motion_tokens = model.model.language_model.forward, model.model.get_motion_tokens

    def count_steps(*args, **kwargs):
        outputs = forward(*args, **kwargs)
        steps.append(outputs.last_hidden_state.shape[1])
        return outputs

    def count_encoded(*args, **kwargs):
        encoded.append(1)
        return get_motion_tokens(*args, **kwargs)

    monkeypatch.setattr(model.model.language_model, "forward", count_steps)
    monkeypatch.setattr(model.model, "get_motion_tokens", count_encoded)
    prompts = set()
    for name, number_encoded in (("whole", 1), ("alone", 0), ("alone, every token allowed", 0)):
        steps.clear(), encoded.clear()
        ways[name](4)
        assert steps[1:] == [1, 1, 1] and len(encoded) == number_encoded
        prompts.add(steps[0])
    # 75 steps of two codebooks, and words.
    assert len(prompts) == 1 and prompts.pop() > 150


@pytest.mark.filterwarnings("ignore")
def test_a_pipeline_that_forgets_labels_misses_the_goal(parts):
    def texts(pipeline) -> float:
        results = language.measure_labels(pipeline, 3, language.make_describe(parts[0], "test"))
        return next(result.value for result in results if result.metric == language.TEXTS)

    class Forgetful(language.TimedPipeline):
        def __call__(self, *args, **kwargs):
            self._label_embeddings.clear()
            return super().__call__(*args, **kwargs)

    model, processor = parts
    goal = language.GOALS[language.TEXTS]
    assert texts(language.TimedPipeline(model, processor=processor, device="cpu")) == goal == 40
    assert texts(Forgetful(model, processor=processor, device="cpu")) == 2 * goal  # 3 windows are two calls


@pytest.mark.filterwarnings("ignore")
def test_records_what_was_run(parts, tmp_path, capsys):
    folder, path = tmp_path / "tiny", tmp_path / "results.jsonl"
    for part in parts:
        part.save_pretrained(folder)
    options = ["--model", str(folder), "--turns", "1", "--new-tokens", "2", "--windows", "3", "--out", str(path)]
    language.main(options)
    results = read_results(path)
    assert len(results) == 8 + 6 + 2 and len({result.identity for result in results}) == len(results)
    assert all(np.isfinite(result.value) for result in results)
    assert {result.subset.split(",")[0] for result in results} == {
        "1 window of 5 s", "3 windows x 20 labels", "CSV file of 10 s",
    }  # fmt: skip
    assert all("weights of tiny" in result.note for result in results)
    summary = capsys.readouterr().out
    assert summary.count("goal ") == len(language.GOALS) and f"goal met: {language.TEXTS}" in summary

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Training scripts in two processes, with whole and with sharded weights: what they learn, and what they save."""

import json
from pathlib import Path
from types import SimpleNamespace

import processes
import pytest
import torch
from test_language_scripts import base, moved, parts  # noqa: F401
from transformers import AutoModel, AutoModelForCausalLM, AutoProcessor

from anymo_hf import AnyMoForCausalLM, AnyMoGraphEncoder, AnyMoGraphEncoderForTextAlignment, AnyMoPQTokenizer
from anymo_hf.training import MotionTextCollator, MotionTextDataset, TeacherTexts


CONFIGS = pytest.mark.parametrize("config", ["ddp_cpu", pytest.param("fsdp_8_gpu", marks=pytest.mark.slow)])
TEXT_SIDE = ("model.text_pooler.", "model.text_head.", "model.text_soft_prompt.")


@pytest.fixture(scope="module")
def inputs(parts, base, tmp_path_factory) -> SimpleNamespace:  # noqa: F811
    """What the scripts begin with, and two batches to be read, as many texts of a teacher in each."""
    folder = tmp_path_factory.mktemp("inputs")
    dataset = MotionTextDataset(parts.data)
    texts = sorted({*dataset.activities, *dataset.captions})
    embeddings = torch.nn.functional.normalize(torch.randn(len(texts), 12, generator=torch.Generator().manual_seed(0)))
    teacher = TeacherTexts(texts, embeddings)
    teacher.save(folder / "teacher.safetensors")
    # Nothing but the teacher's texts is read by the text side.
    collate = MotionTextCollator(
        AutoProcessor.from_pretrained(base), dataset.activities, {"caption": 1, "motion": 1}, teacher_texts=teacher,
        num_teacher_texts=6,
    )  # fmt: skip
    batches = [collate([dataset[i] for i in rows]) for rows in ((0, 7), (3, 9))]
    assert not any("candidate" in name or name.startswith("text") for name in batches[0])
    torch.save(batches, folder / "batches.pt")
    untie(base, folder / "untied")
    files = {"untied": "untied", "teacher": "teacher.safetensors", "batches": "batches.pt"}
    return SimpleNamespace(**vars(parts), model=str(base), **{key: str(folder / name) for key, name in files.items()})


def untie(source: Path, folder: Path) -> None:
    """A copy whose matrix of logits is its own."""
    model = AnyMoForCausalLM.from_pretrained(source)
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
    model.config.tie_word_embeddings = model.config.text_config.tie_word_embeddings = False
    model.save_pretrained(folder)
    AutoProcessor.from_pretrained(source).save_pretrained(folder)


def run(config: str, folder: Path, *jobs: tuple) -> None:
    (folder / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    processes.launch(config, Path(processes.__file__), str(folder / "jobs.json"))


@CONFIGS
def test_texts_of_a_teacher_teach_as_in_one_process(config, inputs, tmp_path):
    processes.tune_on_batches(inputs.model, inputs.batches, str(tmp_path / "one"))
    run(config, tmp_path, ("tune_on_batches", (inputs.model, inputs.batches, str(tmp_path / "two"))))
    folders = (inputs.model, tmp_path / "one", tmp_path / "two")
    start, one, two = (AnyMoForCausalLM.from_pretrained(folder) for folder in folders)
    names = moved(start, one)
    assert all(any(name.startswith(part) for name in names) for part in TEXT_SIDE)
    # What a step of gradient descent moves is the gradient.
    for before, after, other in zip(start.parameters(), one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(other - before, after - before, atol=1e-6, rtol=1e-3)


def scripts(inputs, folder: Path) -> list[tuple]:
    """All that train in several processes, two steps each."""
    data = {"data": [inputs.data], "held_out_share": 0.3}
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 400}
    language = {**data, **sizes, "encoder": inputs.encoder, "motion_tokenizer": inputs.motion_tokenizer}
    tuning = {**data, "model": inputs.model, "teacher_texts": inputs.teacher}
    names = {
        "encoder": ("pretrain_graph_encoder", data, {}),
        "aligned": ("align_graph_encoder", {**data, "encoder": inputs.encoder, "teacher_texts": inputs.teacher}, {}),
        "tokenizer": ("train_pq_tokenizer", {**data, "encoder": inputs.encoder, "codebook_size": 16}, {}),
        "language": ("pretrain_motion_lm", {**language, "pooler_num_latents": 4}, {"weight_decay": 0.5}),
        "tuned": ("instruction_tune", tuning, {"save_strategy": "steps", "save_steps": 2}),
        "lora": ("instruction_tune", {**tuning, "model": inputs.untied, "lora": True}, {}),
    }  # fmt: skip
    return [("run_script", (name, str(folder / output), *options)) for output, (name, *options) in names.items()]


def assert_words_stayed(folder: Path) -> None:
    start, end = (AnyMoForCausalLM.from_pretrained(folder / name) for name in ("assembled", "anymo"))
    script = processes.load_script("pretrain_motion_lm")
    trained = script.motion_rows(end, AutoProcessor.from_pretrained(folder / "anymo"))[:, 0]
    changed = (start.lm_head.weight != end.lm_head.weight).any(dim=1)
    assert torch.equal(changed, trained)  # words to the bit, though weights decay
    assert end.lm_head.weight is end.get_input_embeddings().weight
    assert "model.language_model.layers.0.mlp.up_proj.weight" in moved(start, end)


@CONFIGS
def test_what_all_scripts_save_is_whole(config, inputs, tmp_path):
    jobs = scripts(inputs, tmp_path)
    # A run that had come to its end gets its weights back, and saves them again.
    run(config, tmp_path, *jobs, ("run_script", (*jobs[4][1][:3], {"max_steps": 2})))
    for name, model_class, start in (
        ("encoder/graph_encoder", AnyMoGraphEncoder, None),
        ("aligned/text_alignment", AnyMoGraphEncoderForTextAlignment, None),
        ("aligned/graph_encoder", AnyMoGraphEncoder, inputs.encoder),
        ("tokenizer/motion_tokenizer", AnyMoPQTokenizer, None),
        ("language/anymo", AnyMoForCausalLM, tmp_path / "language" / "assembled"),
        ("tuned/anymo", AnyMoForCausalLM, inputs.model),
    ):
        model, report = model_class.from_pretrained(tmp_path / name, output_loading_info=True)
        assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")), name
        assert json.loads((tmp_path / name / "config.json").read_text())["architectures"] == [model_class.__name__]
        assert start is None or moved(model_class.from_pretrained(start), model), name
    assert_words_stayed(tmp_path / "language")
    aligned = AutoModel.from_pretrained(tmp_path / "aligned" / "graph_encoder")
    whole = AnyMoGraphEncoderForTextAlignment.from_pretrained(tmp_path / "aligned" / "text_alignment")
    assert not moved(aligned, whole.graph_encoder)
    tokenizer = AnyMoPQTokenizer.from_pretrained(tmp_path / "tokenizer" / "motion_tokenizer")
    assert int(tokenizer.quantizer.num_updates) == 3
    start = AnyMoForCausalLM.from_pretrained(inputs.untied)
    adapted = dict(AutoModelForCausalLM.from_pretrained(tmp_path / "lora" / "adapter").named_parameters())
    assert all(value.any() for name, value in adapted.items() if "lora_B" in name)
    name = "model.text_head.modules_to_save.default.weight"
    assert not torch.equal(adapted[name], start.model.text_head.weight)


@pytest.mark.slow
def test_adapters_of_a_tied_matrix_are_not_sharded(inputs, tmp_path):
    script_args = {"data": [inputs.data], "held_out_share": 0.3, "model": inputs.model, "lora": True}
    with pytest.raises(AssertionError, match="Adapters cannot be sharded"):
        run("fsdp_8_gpu", tmp_path, ("run_script", ("instruction_tune", str(tmp_path / "lora"), script_args, {})))

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Training of the whole model on a few synthetic recordings: what moves, what is learned, restarts, adapters."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from processes import load_script
from torch import nn
from transformers import AutoModelForCausalLM, AutoProcessor, TrainingArguments

from anymo_hf import (
    AnyMoFeatureExtractor,
    AnyMoForCausalLM,
    AnyMoGraphEncoder,
    AnyMoGraphEncoderConfig,
    AnyMoPQTokenizer,
    AnyMoPQTokenizerConfig,
    prompts,
)
from anymo_hf.modeling.modeling_anymo_outputs import AnyMoCausalLMOutput
from anymo_hf.simulation.synthesis.folder import synthesise_motions
from anymo_hf.training.motion_text import MotionTextCollator, MotionTextDataset, pad_features


FROZEN = ("model.graph_encoder.", "model.motion_tokenizer.")


@pytest.fixture(scope="module")
def parts(tmp_path_factory) -> SimpleNamespace:
    """Motion with texts, an encoder and a motion tokenizer."""
    folder = tmp_path_factory.mktemp("parts")
    synthesise_motions(folder / "data", hours=4 / 60, seed=7)
    torch.manual_seed(0)
    encoder = AnyMoGraphEncoder(AnyMoGraphEncoderConfig.small(hidden_sizes=[8, 8, 8, 16]))
    encoder.save_pretrained(folder / "encoder")
    AnyMoFeatureExtractor().save_pretrained(folder / "encoder")
    sizes = {"latent_size": 16, "codebook_size": 16, "codebook_dim": 8, "hidden_size": 16, "dilations": [1]}
    motion_tokenizer = AnyMoPQTokenizer(AnyMoPQTokenizerConfig(**sizes))
    # Codebooks that know what the encoder gives: else all motion has the same tokens.
    dataset = MotionTextDataset(folder / "data")
    features = pad_features([dataset[i] for i in range(0, len(dataset), 3)])
    latents = encoder(**features)
    motion_tokenizer.update_codebooks(latents.pooled_latents, latents.steps_mask)
    motion_tokenizer.save_pretrained(folder / "motion_tokenizer")
    names = ("data", "encoder", "motion_tokenizer")
    return SimpleNamespace(**{name: str(folder / name) for name in names})


def arguments(output: Path, steps: int, **options) -> TrainingArguments:
    settings = {
        "per_device_train_batch_size": 4, "learning_rate": 3e-3, "lr_scheduler_type": "constant", "max_steps": steps,
        "logging_steps": 1, "save_steps": 2, "eval_strategy": "steps", "eval_steps": 2, "use_cpu": True,
        "disable_tqdm": True,
    }  # fmt: skip
    return TrainingArguments(str(output), **{**settings, **options})


def losses(output: Path, name: str = "loss") -> dict[int, float]:
    checkpoint = max(output.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    history = json.loads((checkpoint / "trainer_state.json").read_text())["log_history"]
    return {row["step"]: row[name] for row in history if name in row}


def pretrain(parts, output: Path, steps: int, sizes: dict | None = None, **options) -> Path:
    script = load_script("pretrain_motion_lm")
    fresh = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 400}
    script_args = script.ScriptArguments(
        [parts.data], parts.encoder, parts.motion_tokenizer, pooler_num_latents=4, held_out_share=0.3,
        **(fresh if sizes is None else sizes),
    )  # fmt: skip
    script.main(script_args, arguments(output, steps, **options))
    return output / "anymo"


@pytest.fixture(scope="module")
def base(parts, tmp_path_factory) -> Path:
    return pretrain(parts, tmp_path_factory.mktemp("base"), 4)


def tune(parts, model: Path, output: Path, steps: int, script_options: dict | None = None, **options) -> Path:
    script = load_script("instruction_tune")
    script_args = script.ScriptArguments(str(model), [parts.data], held_out_share=0.3, **(script_options or {}))
    script.main(script_args, arguments(output, steps, **options))
    return output / ("adapter" if script_args.lora else "anymo")


def moved(before: nn.Module, after: nn.Module) -> set[str]:
    pairs = zip(before.named_parameters(), after.parameters(), strict=True)
    return {name for (name, one), other in pairs if not torch.equal(one, other)}


def test_motion_is_learned_and_words_stay(parts, base, tmp_path):
    start, end = (AnyMoForCausalLM.from_pretrained(base.parent / name) for name in ("assembled", "anymo"))
    names = {name for name, _ in start.named_parameters() if "language_model" in name or "projector" in name}
    assert moved(start, end) == names
    config, tokenizer = end.config, AutoProcessor.from_pretrained(base).tokenizer
    rows = (start.lm_head.weight != end.lm_head.weight).any(dim=1).nonzero()[:, 0].tolist()
    first = config.motion_token_offset
    trained = {config.imu_start_token_id, config.imu_end_token_id, tokenizer.eos_token_id, *range(first, first + 32)}
    assert set(rows) == trained and tokenizer.eos_token == prompts.TURN_END
    # Motion tokens begin as projections of their codebook entries.
    entries = start.model.motion_tokenizer.codebooks.flatten(0, 1)
    torch.testing.assert_close(start.lm_head.weight[first : first + 32], start.model.projector(entries))

    rows_only = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "motion_rows_only": True}
    few = pretrain(parts, tmp_path, 2, {**rows_only, "vocab_size": 400}, weight_decay=0.5)
    start, end = (AnyMoForCausalLM.from_pretrained(tmp_path / name) for name in ("assembled", "anymo"))
    weights = {"model.language_model.embed_tokens.weight"}
    assert moved(start, end) == weights | {name for name in names if "projector" in name} and few.is_dir()
    rows = (start.lm_head.weight != end.lm_head.weight).any(dim=1).nonzero()[:, 0].tolist()
    assert set(rows) == trained  # weight decay moves no word either


def test_motion_pretraining_goes_on_where_it_stopped(parts, base, tmp_path):
    pretrain(parts, tmp_path, 2)
    pretrain(parts, tmp_path, 4)
    whole = losses(base.parent)
    assert list(whole) == [1, 2, 3, 4] and losses(tmp_path) == pytest.approx(whole, rel=1e-4)
    held_out = losses(base.parent, "eval_loss")
    assert held_out[4] < held_out[2] and losses(tmp_path, "eval_loss") == pytest.approx(held_out, rel=1e-4)


def test_tuning_goes_on_where_it_stopped_and_moves_every_weight(parts, base, tmp_path):
    tune(parts, base, tmp_path / "parts", 2)
    tune(parts, base, tmp_path / "parts", 4)
    folder = tune(parts, base, tmp_path / "whole", 4)
    whole = losses(tmp_path / "whole")
    assert list(whole) == [1, 2, 3, 4] and losses(tmp_path / "parts") == pytest.approx(whole, rel=1e-4)
    for name in ("language_loss", "narration_loss", "activity_loss"):
        assert len(losses(tmp_path / "whole", name)) == 4 and len(losses(tmp_path / "whole", f"eval_{name}")) == 2
    start, end = AnyMoForCausalLM.from_pretrained(base), AutoModelForCausalLM.from_pretrained(folder)
    every = {name for name, _ in start.named_parameters() if not name.startswith(FROZEN)}
    assert moved(start, end) == every


def test_a_few_windows_are_learned(parts, base, tmp_path, monkeypatch):
    script = load_script("instruction_tune")

    class FewWindows(script.MotionTextDataset):
        """One of each of eight stretches."""

        def _set_clips(self, clips):
            super()._set_clips(clips)
            self.stretches, self._last_index = self.stretches[:8], torch.arange(1, 9).numpy()

    monkeypatch.setattr(script, "MotionTextDataset", FewWindows)
    monkeypatch.setattr(sys.modules[__name__], "load_script", lambda name: script)
    # In every epoch the same windows, through the same sensors.
    monkeypatch.setattr(script.EpochCallback, "on_epoch_begin", lambda *args, **kwargs: None)
    options = {"per_device_train_batch_size": 8, "learning_rate": 3e-3, "bf16": True, "save_steps": 30}
    tune(parts, base, tmp_path, 30, {"embedding": 12.0}, eval_steps=30, **options)
    for name in ("loss", "language_loss", "activity_loss"):
        values = list(losses(tmp_path, name).values())
        assert sum(values[-6:]) < 0.95 * sum(values[:6]), name


def test_recordings_are_told_apart_by_their_texts(parts, base):
    dataset = MotionTextDataset(parts.data)
    collate = MotionTextCollator(AutoProcessor.from_pretrained(base), dataset.activities, {"embedding": 1})
    batch = collate([dataset[i * len(dataset) // 8] for i in range(8)])
    del batch["labels"]
    model = AnyMoForCausalLM.from_pretrained(base).train()
    trained = [parameter for name, parameter in model.named_parameters() if not name.startswith(FROZEN)]
    optimizer = torch.optim.AdamW(trained, lr=1e-3)
    found = []
    for _ in range(60):
        outputs = model(**batch)
        found.append((outputs.narration_loss.item(), outputs.activity_loss.item()))
        optimizer.zero_grad()
        outputs.loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
    for first, *_, last in zip(*found, strict=True):
        assert last < 0.4 * first


@pytest.mark.parametrize("lm", ["fresh", "pretrained"])
def test_adapters_are_saved_opened_and_merged(request, parts, tmp_path, lm):
    from peft import PeftModel

    if lm == "pretrained":
        folder = request.getfixturevalue("data_folder").parent / "lm" / "stories3M"
        if not folder.is_dir():
            pytest.skip(f"no language model in {folder}")
        model = pretrain(parts, tmp_path / "base", 1, {"language_model": str(folder)}, save_steps=1)
    else:
        model = request.getfixturevalue("base")
    adapter = tune(parts, model, tmp_path / "lora", 2, {"lora": True})
    inputs = _inputs(parts, model)
    start, opened = (
        AnyMoForCausalLM.from_pretrained(model).eval(),
        AutoModelForCausalLM.from_pretrained(adapter).eval(),
    )
    peft = PeftModel.from_pretrained(AnyMoForCausalLM.from_pretrained(model), adapter).eval()
    with torch.no_grad():
        expected = peft(**inputs).logits
        assert (start(**inputs).logits - expected).abs().max() > 1e-3
        torch.testing.assert_close(opened(**inputs).logits, expected)
    merged = peft.merge_and_unload()
    assert merged.lm_head.weight is merged.get_input_embeddings().weight
    merged.save_pretrained(tmp_path / "merged")
    loaded, report = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    with torch.no_grad():
        torch.testing.assert_close(loaded.eval()(**inputs).logits, expected, atol=1e-4, rtol=1e-4)
    # Adapted, or trained whole: all but norms of the language model, rows of words, and what makes codes.
    every = {name for name, _ in start.named_parameters() if not name.startswith(FROZEN)}
    assert moved(start, loaded) == {name for name in every if "layernorm" not in name and "model.norm" not in name}
    rows = (start.lm_head.weight != loaded.lm_head.weight).any(dim=1).nonzero()[:, 0]
    config = start.config
    assert set(rows.tolist()) <= {
        config.imu_start_token_id, config.imu_end_token_id, start.generation_config.eos_token_id,
        *range(config.motion_token_offset, config.motion_token_offset + 32),
    }  # fmt: skip


def _inputs(parts, model: Path) -> dict[str, torch.Tensor]:
    dataset = MotionTextDataset(parts.data)
    collate = MotionTextCollator(AutoProcessor.from_pretrained(model), dataset.activities)
    batch = collate([dataset[0], dataset[5]])
    return {name: batch[name] for name in ("input_ids", "attention_mask", "input_values", "input_values_mask")}


def test_captions_are_words_and_motion_on_demand(base):
    model, processor = AnyMoForCausalLM.from_pretrained(base).eval(), AutoProcessor.from_pretrained(base)
    tokens = processor.tokenizer(prompts.motion_prompt("A person walks."), return_tensors="pt")
    prompt = {name: tokens[name] for name in ("input_ids", "attention_mask")}
    length, first = prompt["input_ids"].shape[1], model.config.motion_token_offset
    # A head that likes a motion token best, then a word.
    model.lm_head = nn.Linear(32, model.vocab_size)
    nn.init.zeros_(model.lm_head.weight), nn.init.zeros_(model.lm_head.bias)
    model.lm_head.bias.data[[first + 3, 5]] = torch.tensor([2.0, 1.0])
    options = {"max_new_tokens": 3, "do_sample": False}
    assert model.generate(**prompt, **options)[0, length:].tolist() == [5] * 3
    assert model.generate(**prompt, suppress_tokens=[], **options)[0, length:].tolist() == [first + 3] * 3


class Fixed(nn.Module):
    """Losses that are known: one weight, which a step of gradient descent moves by their sum."""

    config = SimpleNamespace(language_loss_weight=1.0, narration_loss_weight=2.0, activity_loss_weight=3.0)

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, labels, values, num_items_in_batch=None, **kwargs):
        language = (values * (labels != -100)).sum() / num_items_in_batch
        mean = values.mean()
        return AnyMoCausalLMOutput(
            language_loss=self.weight * language, narration_loss=self.weight * mean, activity_loss=self.weight * 10.0
        )


LABELS = [[1, 1, 1, -100], [1, -100, -100, -100], [1, 1, -100, -100], [1, 1, 1, 1]]
VALUES = [[1.0] * 4, [2.0] * 4, [5.0] * 4, [-3.0] * 4]


def step_of_gradient_descent(output: str) -> float:
    """How far the weight goes in one step over all four rows."""
    rows = [{"labels": torch.tensor(a), "values": torch.tensor(b)} for a, b in zip(LABELS, VALUES, strict=True)]
    num_processes = int(os.environ.get("WORLD_SIZE", 1))
    args = TrainingArguments(
        output, max_steps=1, per_device_train_batch_size=1, gradient_accumulation_steps=4 // num_processes,
        learning_rate=1.0, optim="sgd", lr_scheduler_type="constant", max_grad_norm=0, save_strategy="no",
        use_cpu=True, disable_tqdm=True, remove_unused_columns=False, label_names=["labels"], logging_steps=1,
        ddp_backend="gloo" if num_processes > 1 else None,
    )  # fmt: skip
    model = Fixed()
    trainer = load_script("instruction_tune").InstructionTrainer(model=model, args=args, train_dataset=rows)
    trainer.train()
    (logged,) = (row for row in trainer.state.log_history if "language_loss" in row)
    # Each loss by itself, unweighted: over all ten tokens, and the mean of the micro-batches.
    assert [logged[f"{name}_loss"] for name in ("language", "narration", "activity")] == pytest.approx([0.3, 1.25, 10])
    return 1 - model.weight.item()


EXPECTED = (3 * 1 + 1 * 2 + 2 * 5 + 4 * -3) / 10 + 2 * (1 + 2 + 5 - 3) / 4 + 3 * 10


def test_losses_are_means_whatever_the_accumulation(tmp_path):
    assert step_of_gradient_descent(str(tmp_path)) == pytest.approx(EXPECTED)


def test_losses_are_means_whatever_the_processes(tmp_path):
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_language_scripts as test
moved = test.step_of_gradient_descent({str(tmp_path)!r})
open({str(tmp_path)!r} + "/" + test.os.environ["RANK"], "w", encoding="utf-8").write(str(moved))
"""
    (tmp_path / "run.py").write_text(code, encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    result = subprocess.run([*command, str(tmp_path / "run.py")], capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    found = [float((tmp_path / rank).read_text(encoding="utf-8")) for rank in "01"]
    assert found == pytest.approx([EXPECTED] * 2)

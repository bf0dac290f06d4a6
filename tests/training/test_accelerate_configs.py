# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The configurations for accelerate: two steps of two processes on the CPU, over gloo, with a tiny model."""

import json
import sys
from pathlib import Path

import processes
import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM

from anymo_hf import AnyMoGraphEncoderConfig, AnyMoPQTokenizerConfig


TWO_STEPS = """
import json, sys
import processes, torch
from torch.distributed.tensor import DTensor
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments
import anymo_hf

model_folder, output = sys.argv[1:]
processes.allow_fsdp_on_cpu()
model = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32)
model.model.graph_encoder.requires_grad_(False)
model.model.motion_tokenizer.requires_grad_(False)
generator = torch.Generator().manual_seed(0)
ids = torch.randint(10, 200, (8, 12), generator=generator)
rows = [{"input_ids": one, "labels": one} for one in ids]
arguments = TrainingArguments(
    output, max_steps=2, per_device_train_batch_size=2, learning_rate=1e-2, lr_scheduler_type="constant",
    logging_steps=1, save_strategy="no", use_cpu=True, ddp_backend="gloo", disable_tqdm=True, max_grad_norm=0.0,
    optim="sgd",
)
trainer = Trainer(model, arguments, train_dataset=rows)
trainer.train()
parameters = list(trainer.model.parameters())
told = {
    "processes": arguments.world_size,
    "sharded": sum(isinstance(one, DTensor) for one in parameters) / len(parameters),
    "losses": [row["loss"] for row in trainer.state.log_history if "loss" in row],
}
trainer.save_model(output)
if trainer.is_world_process_zero():
    with open(f"{output}/told.json", "w") as file:
        json.dump(told, file)
"""


@pytest.mark.parametrize("path", sorted(processes.CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_configurations_are_known_to_accelerate(path):
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(path))
    told = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert config.num_processes == told["num_processes"] and config.distributed_type == told["distributed_type"]
    if told["distributed_type"] == "FSDP":
        # accelerate copies each of them to an option of the same name.
        from accelerate.commands.launch import launch_command_parser

        assert set(told["fsdp_config"]) <= set(vars(launch_command_parser().parse_args(["script.py"])))


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    sys.path.insert(0, str(processes.ROOT / "benchmarks"))
    import language

    model, _ = language.assemble_model(
        tmp_path_factory.mktemp("parts"),
        AnyMoGraphEncoderConfig.small(hidden_sizes=[8, 8, 8, 16]),
        AnyMoPQTokenizerConfig(latent_size=16, codebook_size=16, codebook_dim=8, hidden_size=16, dilations=[1]),
        {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4},
    )
    folder = tmp_path_factory.mktemp("model")
    model.save_pretrained(folder)
    return folder


def two_steps(config: str, model_folder: Path, output: Path) -> dict:
    """Two steps by a configuration; what process zero told."""
    output.mkdir()
    script = output / "two_steps.py"
    script.write_text(TWO_STEPS, encoding="utf-8")
    processes.launch(config, script, str(model_folder), str(output))
    return json.loads((output / "told.json").read_text(encoding="utf-8"))


@pytest.mark.slow  # two processes that import torch, three times
def test_two_steps_are_the_same_whole_and_sharded(model_folder, tmp_path):
    told = {name: two_steps(name, model_folder, tmp_path / name) for name in ("ddp_cpu", "ddp_8_gpu", "fsdp_8_gpu")}
    assert [one["processes"] for one in told.values()] == [2, 2, 2]
    assert told["ddp_cpu"]["sharded"] == told["ddp_8_gpu"]["sharded"] == 0 and told["fsdp_8_gpu"]["sharded"] == 1
    losses = told["ddp_cpu"]["losses"]
    assert len(losses) == 2 and losses[0] != losses[1]
    assert told["ddp_8_gpu"]["losses"] == losses and told["fsdp_8_gpu"]["losses"] == pytest.approx(losses, abs=2e-4)
    before, whole, sharded = (
        AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).state_dict()
        for folder in (model_folder, tmp_path / "ddp_cpu", tmp_path / "fsdp_8_gpu")
    )
    for name, weight in whole.items():
        torch.testing.assert_close(sharded[name], weight, atol=1e-5, rtol=1e-4)
    name = "model.language_model.layers.0.mlp.up_proj.weight"
    assert not torch.equal(before[name], whole[name])

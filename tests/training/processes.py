# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Training of several processes on the CPU, over gloo: how they are started, and what each of them does."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import torch
from transformers import TrainingArguments


ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "training_scripts" / "accelerate"


def load_script(name: str):
    specification = importlib.util.spec_from_file_location(name, ROOT / "training_scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def launch(config: str, script: Path, *arguments: str) -> None:
    """Two processes by a configuration of accelerate, on the CPU whatever it says."""
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(CONFIGS / f"{config}.yaml")]
    command += ["--num_processes", "2", "--mixed_precision", "no", "--main_process_port", "0"]
    environment = os.environ | {
        "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "",
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]),
    }  # fmt: skip
    result = subprocess.run(
        [*command, str(script), *arguments], env=environment, capture_output=True, text=True, timeout=900
    )
    assert result.returncode == 0, result.stderr[-8000:]


def allow_fsdp_on_cpu() -> None:
    """Accelerate takes FSDP for a matter of GPUs and would train without it; torch does it on the CPU as well."""
    from accelerate import state
    from accelerate.utils import DistributedType

    begin = state.AcceleratorState.__init__

    def begin_on_cpu(self, *args, fsdp_plugin=None, **kwargs):
        begin(self, *args, fsdp_plugin=fsdp_plugin, **kwargs)
        if fsdp_plugin is not None:
            self.distributed_type, self.fsdp_plugin = DistributedType.FSDP, fsdp_plugin
            # Read again by every instance.
            state.PartialState._shared_state["distributed_type"] = DistributedType.FSDP

    state.AcceleratorState.__init__ = begin_on_cpu


def make_arguments(output: str, **options) -> TrainingArguments:
    settings = {
        "max_steps": 2, "per_device_train_batch_size": 2, "learning_rate": 3e-3, "lr_scheduler_type": "constant",
        "logging_steps": 1, "save_strategy": "no", "use_cpu": True, "disable_tqdm": True,
        "remove_unused_columns": False, "ddp_backend": "gloo" if "RANK" in os.environ else None,
    }  # fmt: skip
    return TrainingArguments(output, **{**settings, **options})


def run_script(name: str, output: str, script_args: dict, options: dict) -> None:
    """A training script, as its command would."""
    script = load_script(name)
    script.main(script.ScriptArguments(**script_args), make_arguments(output, **options))


def tune_on_batches(model: str, batches: str, output: str) -> None:
    """One step of gradient descent over two batches, in one process or one in each."""
    from anymo_hf import AnyMoForCausalLM
    from anymo_hf.checkpoints import save_trained

    whole = AnyMoForCausalLM.from_pretrained(model)
    whole.model.graph_encoder.requires_grad_(False)
    whole.model.motion_tokenizer.requires_grad_(False)
    num_processes = int(os.environ.get("WORLD_SIZE", 1))
    arguments = make_arguments(
        output, max_steps=1, per_device_train_batch_size=1, gradient_accumulation_steps=2 // num_processes,
        learning_rate=0.1, optim="sgd", max_grad_norm=0,
    )  # fmt: skip
    trainer = load_script("instruction_tune").InstructionTrainer(
        model=whole, args=arguments, train_dataset=torch.load(batches), data_collator=lambda rows: rows[0]
    )
    trainer.train()
    save_trained(trainer, output)


if __name__ == "__main__":
    allow_fsdp_on_cpu()
    for function, arguments in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        {"run_script": run_script, "tune_on_batches": tune_on_batches}[function](*arguments)

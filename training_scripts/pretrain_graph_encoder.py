# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Pre-trains the graph encoder by masked cross-view prediction.

    python training_scripts/convert_motions.py --paths cmu hdm05 --folder converted --num_proc 2
    python training_scripts/synthesise_motions.py --folder synthetic --hours 8 --num_proc 2
    python training_scripts/pretrain_graph_encoder.py --data converted synthetic --preset small --output_dir encoder \
        --max_steps 2000 --per_device_train_batch_size 32 --learning_rate 2e-3 --warmup_steps 50 \
        --lr_scheduler_type cosine --report_to tensorboard

On a CPU under Linux, `MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000 MALLOC_TOP_PAD_=268435456` before the
command makes it some 40 % faster: memory is kept instead of being fetched anew for every tensor. Several
processes: `torchrun --nproc_per_node 2 training_scripts/pretrain_graph_encoder.py ...`. Started again with the same
`--output_dir` it goes on from the last checkpoint. The encoder is written to `<output_dir>/graph_encoder`; every
evaluation reports the loss on held-out subjects, how often a window finds its other view among the batch, and, with
`--recordings`, how well nearest neighbours recognise activities in real recordings of people left out.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from transformers import EvalPrediction, HfArgumentParser, Trainer, TrainerCallback, TrainingArguments, set_seed

from anymo_hf import AnyMoFeatureExtractor, AnyMoGraphEncoderConfig, AnyMoGraphEncoderForPreTraining
from anymo_hf.checkpoints import save_trained, train_to_the_end
from anymo_hf.evaluation.probes import NearestNeighbourValidation
from anymo_hf.training import EpochCallback, PairedViewDataset


PRESETS = {"small": AnyMoGraphEncoderConfig.small, "paper": AnyMoGraphEncoderConfig}


@dataclass
class ScriptArguments:
    """What to train on, and what."""

    data: list[str] = field(metadata={"help": "folders of converted or synthetic motion"})
    preset: str = field(default="small", metadata={"help": "'small', for a CPU, or 'paper'"})
    held_out_share: float = field(default=0.05, metadata={"help": "share of the subjects to validate on"})
    recordings: str | None = field(default=None, metadata={"help": "folder of real recordings to validate on"})
    surface: bool = field(default=True, metadata={"help": "ablation: sensors anywhere on the skin"})
    rotation: bool = field(default=True, metadata={"help": "ablation: sensors mounted at random"})
    cross_view: bool = field(default=True, metadata={"help": "ablation: views with sensors of their own"})
    masking: bool = field(default=True, metadata={"help": "ablation: few visible sensors"})
    symmetric: bool = field(default=False, metadata={"help": "both directions of a pair, as in the paper"})

    def __post_init__(self):
        if self.preset not in PRESETS:
            raise ValueError(f"`preset` must be one of {list(PRESETS)}, but is {self.preset!r}.")


class PreTrainer(Trainer):
    """Logs windows per second beside the loss."""

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        step = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        now, seen = time.perf_counter(), self.state.global_step * step
        if "loss" in logs and hasattr(self, "_last_log"):
            then, seen_then = self._last_log
            logs["windows_per_second"] = round((seen - seen_then) / (now - then), 1)
        self._last_log = (now, seen)
        super().log(logs, start_time)


def retrieval_metrics(prediction: EvalPrediction) -> dict[str, float]:
    """How often a window's own other view is the most similar of the batch."""
    logits, target_index = prediction.predictions
    return {"retrieval_recall_at_1": float(np.mean(logits.argmax(axis=-1) == target_index))}


def make_model(script_args: ScriptArguments, dataset: PairedViewDataset) -> AnyMoGraphEncoderForPreTraining:
    """A fresh model that knows the mean and deviation of readings."""
    config = PRESETS[script_args.preset](symmetric=script_args.symmetric)
    model = AnyMoGraphEncoderForPreTraining(config)
    items = [dataset[i] for i in np.linspace(0, len(dataset) - 1, 64).astype(int).tolist()]
    values = torch.stack([item["input_values"] for item in items])
    mask = torch.stack([item["input_values_mask"] for item in items])
    model.graph_encoder.estimate_input_statistics(values, mask)
    if model.dense_head is not None:
        targets = (torch.stack([item[name] for item in items]) for name in ("segment_values", "segment_mask"))
        model.dense_head.estimate_statistics(*targets)
    return model


def main(script_args: ScriptArguments, training_args: TrainingArguments) -> None:
    # The views are no column that `forward` would name.
    training_args.remove_unused_columns = False
    set_seed(training_args.seed)
    views = {name: getattr(script_args, name) for name in ("surface", "rotation", "cross_view", "masking")}
    dataset = PairedViewDataset(script_args.data, seed=training_args.seed, return_kinematics=True, **views)
    train_dataset, eval_dataset = dataset.split(script_args.held_out_share)
    print(f"{dataset.minutes:.0f} minutes of motion in {len(dataset.clips)} clips, all of them used")
    callbacks: list[TrainerCallback] = [EpochCallback(train_dataset)]
    if script_args.recordings:
        callbacks.append(NearestNeighbourValidation(script_args.recordings))
    trainer = PreTrainer(
        model=make_model(script_args, train_dataset),
        args=training_args,
        train_dataset=train_dataset,
        eval_dataset=eval_dataset,
        compute_metrics=retrieval_metrics,
        callbacks=callbacks,
    )
    train_to_the_end(trainer)
    folder = Path(training_args.output_dir) / "graph_encoder"
    save_trained(trainer, folder, AnyMoFeatureExtractor(), part="graph_encoder")


if __name__ == "__main__":
    parser = HfArgumentParser((ScriptArguments, TrainingArguments))
    main(*parser.parse_args_into_dataclasses())

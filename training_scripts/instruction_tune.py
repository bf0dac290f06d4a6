# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Teaches the whole model to describe, compare, choose and write motion.

    python training_scripts/instruction_tune.py --model motion_lm/anymo --data converted synthetic --output_dir tuned \
        --num_train_epochs 1 --per_device_train_batch_size 64 --learning_rate 2e-5 --bf16

All weights but those of encoder and motion tokenizer are trained, and written to `<output_dir>/anymo`. With adapters:

    python training_scripts/instruction_tune.py --model motion_lm/anymo --data converted --output_dir lora --lora True

`<output_dir>/adapter` holds LoRA of the language model, rows of new tokens, projector, poolers and heads;
`AutoModelForCausalLM.from_pretrained` opens it as long as the folder `--model` is where it was.

Shares of the tasks: `--caption 3 --choice 3 --embedding 6 --motion 1`; 0 switches one off. Recordings are contrasted
with the narrations of one forward pass: `per_device_train_batch_size` times the number of processes, of which the
share of `embedding` counts. Gradient accumulation averages such losses and adds no negatives: for more, raise the
batch, with `--gradient_checkpointing` if need be. Language losses are averaged over all tokens of a step.

`--tokens FOLDER`, from `tokenise_motion.py`, takes windows whose motion tokens are computed already, in place of
`--data`: several times as many windows a second, and rare activities more often.

`--teacher_texts FILE`, from `embed_texts.py`, teaches the text side words that no motion came with: similarities of
texts are drawn to those of a model of sentences, in every step beside the other losses.

Several processes: `torchrun --nproc_per_node 2 ...`. Started again with the same `--output_dir` it goes on from the
last checkpoint. Losses are logged one by one, also on held-out subjects.
"""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from transformers import AutoProcessor, HfArgumentParser, PreTrainedModel, Trainer, TrainingArguments, set_seed

from anymo_hf import AnyMoForCausalLM
from anymo_hf.checkpoints import save_trained, train_to_the_end
from anymo_hf.training import EpochCallback
from anymo_hf.training.motion_text import TASKS, MotionTextCollator, MotionTextDataset
from anymo_hf.training.motion_tokens import MotionTokenDataset
from anymo_hf.training.text_distillation import TeacherTexts, relational_loss


LOSSES = ("language_loss", "narration_loss", "activity_loss")
ADAPTED = r"model\.language_model\..*\.(q|k|v|o|gate|up|down)_proj"
TRAINED_WHOLE = [
    "projector",
    "imu_pooler",
    "text_pooler",
    "imu_head",
    "text_head",
    "imu_residual_norm",
    "imu_residual_head",
    "text_soft_prompt",
]


@dataclass
class ScriptArguments:
    """What to train, and on what."""

    model: str = field(metadata={"help": "folder that pretrain_motion_lm.py wrote"})
    data: list[str] = field(default_factory=list, metadata={"help": "folders of motion with texts"})
    tokens: str | None = field(default=None, metadata={"help": "folder of tokenise_motion.py, in place of `data`"})
    caption: float = field(default=3.0, metadata={"help": "share of motion to text"})
    choice: float = field(default=3.0, metadata={"help": "share of multiple choice"})
    embedding: float = field(default=6.0, metadata={"help": "share of contrastive rows"})
    motion: float = field(default=1.0, metadata={"help": "share of text to motion tokens"})
    num_options: int = field(default=8, metadata={"help": "most options of a choice"})
    num_candidates: int = field(default=35, metadata={"help": "names of activities in the activity loss"})
    language_loss_weight: float | None = field(default=None, metadata={"help": "None keeps that of the model"})
    narration_loss_weight: float | None = field(default=None, metadata={"help": "as above"})
    activity_loss_weight: float | None = field(default=None, metadata={"help": "as above"})
    teacher_texts: str | None = field(default=None, metadata={"help": "file that embed_texts.py wrote"})
    distillation_loss_weight: float = field(default=1.0, metadata={"help": "of the loss on teacher texts"})
    lora: bool = field(default=False, metadata={"help": "train adapters instead of all weights"})
    lora_rank: int = field(default=16)
    lora_alpha: int = field(default=32)
    lora_dropout: float = field(default=0.0)
    held_out_share: float = field(default=0.05, metadata={"help": "share of the subjects to validate on"})


class InstructionTrainer(Trainer):
    """Scales each loss as its kind needs when a step is spread over micro-batches and processes, and logs each."""

    # `compute_loss` has done what accumulation needs.
    loss_is_scaled_for_ga = True

    def __init__(self, distillation_loss_weight: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        self.model_accepts_loss_kwargs = True  # the number of answers of a step
        self.distillation_loss_weight = distillation_loss_weight
        self.losses = {True: {}, False: {}}  # since the last log, of training and of evaluation

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        # Texts of the teacher go through the same forward pass as all else, see `AnyMoForCausalLM.forward`.
        similarities = inputs.pop("teacher_similarities", None)
        if similarities is not None:
            for name in ("input_ids", "attention_mask"):
                inputs[f"extra_text_{name}"] = inputs.pop(f"teacher_{name}")
        outputs = model(**inputs, num_items_in_batch=num_items_in_batch)
        config = self.accelerator.unwrap_model(model).config
        num_micro_batches = self.current_gradient_accumulation_steps if model.training else 1
        # A sum over the micro-batch, divided by the tokens of all; processes average what they should add.
        num_processes = self.accelerator.num_processes if self.args.average_tokens_across_devices else 1
        loss = config.language_loss_weight * outputs.language_loss * num_processes
        for name in LOSSES[1:]:
            if outputs.get(name) is not None:
                loss = loss + getattr(config, f"{name}_weight") * outputs[name] / num_micro_batches
        if similarities is not None:
            features = outputs["extra_text_features"]
            outputs["distillation_loss"] = relational_loss(features, similarities, config.temperature)
            loss = loss + self.distillation_loss_weight * outputs["distillation_loss"] / num_micro_batches
        self._remember(outputs, model.training, num_micro_batches * num_processes)
        return (loss, outputs) if return_outputs else loss

    def _remember(self, outputs, training: bool, num_parts: int) -> None:
        for name in (*LOSSES, "distillation_loss"):
            if outputs.get(name) is not None:
                scale = num_parts if name == "language_loss" else 1
                self.losses[training].setdefault(name, []).append(outputs[name].detach() * scale)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        prefix = "eval_" if "eval_loss" in logs else ""
        if prefix or "loss" in logs:
            for name, values in self.losses[not prefix].items():
                logs[prefix + name] = round(self.accelerator.gather(torch.stack(values)).mean().item(), 4)
            self.losses[not prefix] = {}
        super().log(logs, start_time)


def add_adapters(model: AnyMoForCausalLM, script_args: ScriptArguments) -> PreTrainedModel:
    """The model with adapters; only they, new tokens, projector, poolers and heads are trained."""
    from peft import LoraConfig, get_peft_model

    config = model.config
    rows = [config.imu_start_token_id, config.imu_end_token_id, model.generation_config.eos_token_id]
    if script_args.motion:
        first = config.motion_token_offset
        rows += range(first, first + config.motion_tokenizer_config.num_motion_tokens)
    matrices = ["embed_tokens"] if config.tie_word_embeddings else ["embed_tokens", "lm_head"]
    lora = LoraConfig(
        task_type="CAUSAL_LM",
        r=script_args.lora_rank,
        lora_alpha=script_args.lora_alpha,
        lora_dropout=script_args.lora_dropout,
        target_modules=ADAPTED,
        modules_to_save=TRAINED_WHOLE,
        trainable_token_indices=dict.fromkeys(matrices, rows),
    )
    return get_peft_model(model, lora)


def make_datasets(script_args: ScriptArguments, seed: int, model: AnyMoForCausalLM) -> tuple:
    """Windows to train on, windows held out, and the names of all activities."""
    if (script_args.tokens is None) == (not script_args.data):
        raise ValueError("Give either `--data` or `--tokens`, and not both.")
    if script_args.tokens is None:
        dataset = MotionTextDataset(script_args.data, seed=seed)
        return *dataset.split(script_args.held_out_share), dataset.activities
    train, held_out = (MotionTokenDataset(script_args.tokens, part, seed) for part in ("train", "held_out"))
    for part in (train, held_out):
        part.check_model(model.model.graph_encoder, model.model.motion_tokenizer)
    return train, held_out, sorted({*train.activities, *held_out.activities})


def main(script_args: ScriptArguments, training_args: TrainingArguments) -> None:
    training_args.remove_unused_columns = False
    training_args.prediction_loss_only = True  # logits of all tokens would fill the memory
    set_seed(training_args.seed)
    model = AnyMoForCausalLM.from_pretrained(script_args.model, dtype=torch.float32)
    train_dataset, eval_dataset, activities = make_datasets(script_args, training_args.seed, model)
    processor = AutoProcessor.from_pretrained(script_args.model)
    for name in LOSSES:
        weight = getattr(script_args, f"{name}_weight")
        setattr(model.config, f"{name}_weight", getattr(model.config, f"{name}_weight") if weight is None else weight)
    # Codes have no gradient.
    model.model.graph_encoder.requires_grad_(False)
    model.model.motion_tokenizer.requires_grad_(False)
    mix = {task: getattr(script_args, task) for task in TASKS}
    teacher_texts = None if script_args.teacher_texts is None else TeacherTexts.from_file(script_args.teacher_texts)
    trainer = InstructionTrainer(
        distillation_loss_weight=script_args.distillation_loss_weight,
        model=add_adapters(model, script_args) if script_args.lora else model,
        args=training_args,
        data_collator=MotionTextCollator(
            processor,
            activities,
            mix,
            script_args.num_options,
            script_args.num_candidates,
            teacher_texts,
        ),
        train_dataset=train_dataset,
        eval_dataset=eval_dataset,
        callbacks=[EpochCallback(train_dataset)],
    )
    if script_args.lora and trainer.is_fsdp_enabled and model.config.tie_word_embeddings:
        raise ValueError(
            "Adapters cannot be sharded where one matrix is both the embedding and that of logits, as in this model; "
            "leave out FSDP or `--lora`, or take a language model that has two."
        )
    train_to_the_end(trainer)
    save_trained(trainer, Path(training_args.output_dir) / ("adapter" if script_args.lora else "anymo"), processor)


if __name__ == "__main__":
    parser = HfArgumentParser((ScriptArguments, TrainingArguments))
    main(*parser.parse_args_into_dataclasses())

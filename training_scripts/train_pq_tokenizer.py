# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Trains the motion tokenizer on what a frozen graph encoder sees through a few sensors.

    python training_scripts/train_pq_tokenizer.py --data converted synthetic --encoder encoder/graph_encoder \
        --output_dir tokenizer --max_steps 2000 --per_device_train_batch_size 64 --learning_rate 3e-4

Started again with the same `--output_dir` it goes on from the last checkpoint. The tokenizer is written to
`<output_dir>/motion_tokenizer`. Evaluation, on held-out subjects, reports reconstruction, and how many codes are used.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, EvalPrediction, HfArgumentParser, Trainer, TrainingArguments, set_seed
from transformers.trainer_utils import get_last_checkpoint

from anymo_hf import AnyMoPQTokenizer, AnyMoPQTokenizerConfig
from anymo_hf.training import EpochCallback, PairedViewDataset


@dataclass
class ScriptArguments:
    """What to train on, and what."""

    data: list[str] = field(metadata={"help": "folders of converted or synthetic motion"})
    encoder: str = field(metadata={"help": "folder of the graph encoder"})
    codebook_size: int = field(default=2048)
    num_codebooks: int = field(default=2)
    step_stride: int = field(default=1, metadata={"help": "steps that share a code: 1, 2 or 4"})
    held_out_share: float = field(default=0.05, metadata={"help": "share of the subjects to validate on"})


class MotionTokenizerTrainer(Trainer):
    """Encodes the windows with a frozen encoder, and moves the codebooks after every step."""

    def __init__(self, encoder: torch.nn.Module, **kwargs):
        super().__init__(**kwargs)
        self.encoder = encoder.to(self.args.device).eval().requires_grad_(False)

    def _prepare_inputs(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Latents of the first view's visible sensors; the second view is not needed."""
        inputs = super()._prepare_inputs(inputs)
        if "pooled_latents" in inputs:
            return inputs
        visible = inputs["input_values_mask"][:, 0] & inputs["visible_segments"][:, 0, None, :, None]
        with torch.no_grad():
            outputs = self.encoder(inputs["input_values"][:, 0], visible)
        return {"pooled_latents": outputs.pooled_latents, "steps_mask": outputs.steps_mask}

    def training_step(self, model, inputs, num_items_in_batch=None):
        inputs = self._prepare_inputs(inputs)
        tokenizer = self.accelerator.unwrap_model(model)
        if tokenizer.quantizer.num_updates == 0:
            tokenizer.update_codebooks(**inputs)
        loss = super().training_step(model, inputs, num_items_in_batch)
        tokenizer.update_codebooks(**inputs)
        return loss


def code_metrics(prediction: EvalPrediction) -> dict[str, float]:
    """Of all held-out windows together: how many codes occur, and how evenly."""
    codes = prediction.predictions
    metrics = {}
    for book in range(codes.shape[1]):
        used = codes[:, book][codes[:, book] >= 0]
        shares = np.unique(used, return_counts=True)[1] / used.size
        metrics[f"perplexity_{book}"] = float(np.exp(-(shares * np.log(shares)).sum()))
        metrics[f"used_codes_{book}"] = len(shares)
    return metrics


def main(script_args: ScriptArguments, training_args: TrainingArguments) -> None:
    training_args.remove_unused_columns = False
    set_seed(training_args.seed)
    encoder = AutoModel.from_pretrained(script_args.encoder)
    config = AnyMoPQTokenizerConfig(
        latent_size=encoder.config.hidden_size,
        hidden_size=max(128, encoder.config.hidden_size),
        codebook_size=script_args.codebook_size,
        num_codebooks=script_args.num_codebooks,
        step_stride=script_args.step_stride,
    )
    dataset = PairedViewDataset(script_args.data, seed=training_args.seed)
    train_dataset, eval_dataset = dataset.split(script_args.held_out_share)
    trainer = MotionTokenizerTrainer(
        encoder,
        model=AnyMoPQTokenizer(config),
        args=training_args,
        train_dataset=train_dataset,
        eval_dataset=eval_dataset,
        compute_metrics=code_metrics,
        preprocess_logits_for_metrics=lambda outputs, _: outputs[0],  # codes only
        callbacks=[EpochCallback(train_dataset)],
    )
    output_dir = Path(training_args.output_dir)
    trainer.train(resume_from_checkpoint=get_last_checkpoint(output_dir) if output_dir.is_dir() else None)
    if trainer.is_world_process_zero():
        trainer.accelerator.unwrap_model(trainer.model).save_pretrained(output_dir / "motion_tokenizer")
        print(f"The motion tokenizer is in {output_dir / 'motion_tokenizer'}.")


if __name__ == "__main__":
    parser = HfArgumentParser((ScriptArguments, TrainingArguments))
    main(*parser.parse_args_into_dataclasses())

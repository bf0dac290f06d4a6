# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Trains the motion tokenizer on what a frozen graph encoder sees through a few sensors.

    python training_scripts/train_pq_tokenizer.py --data converted synthetic --encoder encoder/graph_encoder \
        --output_dir tokenizer --max_steps 2000 --per_device_train_batch_size 64 --learning_rate 3e-4

Started again with the same `--output_dir` it goes on from the last checkpoint. The tokenizer is written to
`<output_dir>/motion_tokenizer`. Evaluation, on held-out subjects, reports reconstruction, and how many codes are used.

    python training_scripts/train_pq_tokenizer.py --data converted synthetic --encoder encoder/graph_encoder \
        --signal_decoder tokenizer/motion_tokenizer --output_dir signals --max_steps 2000

trains, on the codes of a finished tokenizer, what turns them into force and rate of all segments. It is written to
`<output_dir>/signal_decoder`; its loss on held-out subjects is 1 for one that knows the mean only.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch.distributed.fsdp import FSDPModule
from transformers import AutoModel, EvalPrediction, HfArgumentParser, Trainer, TrainingArguments, set_seed

from anymo_hf import AnyMoPQTokenizer, AnyMoPQTokenizerConfig
from anymo_hf.checkpoints import save_trained, train_to_the_end
from anymo_hf.modeling.modeling_anymo_signal_decoder import AnyMoSignalDecoder
from anymo_hf.training import EpochCallback, PairedViewDataset


STATISTICS_WINDOWS = 64
SEGMENT_READINGS = ("segment_values", "segment_mask")


@dataclass
class ScriptArguments:
    """What to train on, and what."""

    data: list[str] = field(metadata={"help": "folders of converted or synthetic motion"})
    encoder: str = field(metadata={"help": "folder of the graph encoder"})
    signal_decoder: str | None = field(
        default=None, metadata={"help": "folder of a finished tokenizer, to train a signal decoder of its codes"}
    )
    codebook_size: int = field(default=2048)
    num_codebooks: int = field(default=2)
    step_stride: int = field(default=1, metadata={"help": "steps that share a code: 1, 2 or 4"})
    held_out_share: float = field(default=0.05, metadata={"help": "share of the subjects to validate on"})


class FrozenEncoderTrainer(Trainer):
    """Encodes what the first view's visible sensors read; the second view is not needed."""

    def __init__(self, encoder: torch.nn.Module, **kwargs):
        super().__init__(**kwargs)
        self.encoder = encoder.to(self.args.device).eval().requires_grad_(False)

    @torch.no_grad()
    def encode(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        visible = inputs["input_values_mask"][:, 0] & inputs["visible_segments"][:, 0, None, :, None]
        outputs = self.encoder(inputs["input_values"][:, 0], visible, inputs["orientation_known"][:, 0])
        return {"pooled_latents": outputs.pooled_latents, "steps_mask": outputs.steps_mask}


class MotionTokenizerTrainer(FrozenEncoderTrainer):
    """Moves the codebooks after every step."""

    def _prepare_inputs(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        inputs = super()._prepare_inputs(inputs)
        return inputs if "pooled_latents" in inputs else self.encode(inputs)

    def training_step(self, model, inputs, num_items_in_batch=None):
        inputs = self._prepare_inputs(inputs)
        motion_tokenizer = self.accelerator.unwrap_model(model)
        if motion_tokenizer.quantizer.num_updates == 0:
            self._update_codebooks(motion_tokenizer, inputs)
        loss = super().training_step(model, inputs, num_items_in_batch)
        self._update_codebooks(motion_tokenizer, inputs)
        return loss

    def _update_codebooks(self, motion_tokenizer: AnyMoPQTokenizer, inputs: dict[str, torch.Tensor]) -> None:
        """Outside `forward`, where nobody else puts sharded weights together."""
        is_sharded = isinstance(motion_tokenizer, FSDPModule)
        if is_sharded:
            motion_tokenizer.unshard()
        motion_tokenizer.update_codebooks(**inputs)
        if is_sharded:
            motion_tokenizer.reshard()


class SignalDecoderTrainer(FrozenEncoderTrainer):
    """Tokenises what it encodes; the segments' own readings are what is learned."""

    def __init__(self, encoder: torch.nn.Module, motion_tokenizer: AnyMoPQTokenizer, **kwargs):
        super().__init__(encoder, **kwargs)
        self.motion_tokenizer = motion_tokenizer.to(self.args.device).eval().requires_grad_(False)

    def _prepare_inputs(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        inputs = super()._prepare_inputs(inputs)
        if "codes" in inputs:
            return inputs
        latents = self.encode(inputs)
        targets = {name: inputs[name] for name in SEGMENT_READINGS}
        return {"codes": self.motion_tokenizer.encode(**latents), "steps_mask": latents["steps_mask"], **targets}


def observed_codes(outputs: tuple[torch.Tensor, ...], _) -> torch.Tensor:
    """Codes, and -1 behind the end of a window."""
    codes, codes_mask = outputs[0], outputs[-1]
    return codes.masked_fill(~codes_mask[:, None], -1)


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


def make_motion_tokenizer(script_args: ScriptArguments, latent_size: int) -> AnyMoPQTokenizer:
    """A fresh one."""
    config = AnyMoPQTokenizerConfig(
        latent_size=latent_size,
        hidden_size=max(128, latent_size),
        codebook_size=script_args.codebook_size,
        num_codebooks=script_args.num_codebooks,
        step_stride=script_args.step_stride,
    )
    return AnyMoPQTokenizer(config)


def make_signal_decoder(motion_tokenizer: AnyMoPQTokenizer, dataset: PairedViewDataset) -> AnyMoSignalDecoder:
    """A fresh one that knows the mean and deviation of what segments feel."""
    model = AnyMoSignalDecoder.from_motion_tokenizer(motion_tokenizer)
    items = [dataset[i] for i in np.linspace(0, len(dataset) - 1, STATISTICS_WINDOWS).astype(int).tolist()]
    model.estimate_signal_statistics(*(torch.stack([item[name] for item in items]) for name in SEGMENT_READINGS))
    return model


def main(script_args: ScriptArguments, training_args: TrainingArguments) -> None:
    training_args.remove_unused_columns = False
    set_seed(training_args.seed)
    encoder = AutoModel.from_pretrained(script_args.encoder)
    signals = script_args.signal_decoder is not None
    dataset = PairedViewDataset(script_args.data, seed=training_args.seed, return_kinematics=signals)
    train_dataset, eval_dataset = dataset.split(script_args.held_out_share)
    options = {
        "encoder": encoder,
        "args": training_args,
        "train_dataset": train_dataset,
        "eval_dataset": eval_dataset,
        "callbacks": [EpochCallback(train_dataset)],
    }
    if signals:
        motion_tokenizer = AnyMoPQTokenizer.from_pretrained(script_args.signal_decoder)
        training_args.prediction_loss_only = True  # predictions of all segments would fill the memory
        model = make_signal_decoder(motion_tokenizer, train_dataset)
        trainer = SignalDecoderTrainer(model=model, motion_tokenizer=motion_tokenizer, **options)
    else:
        trainer = MotionTokenizerTrainer(
            model=make_motion_tokenizer(script_args, encoder.config.hidden_size),
            compute_metrics=code_metrics,
            preprocess_logits_for_metrics=observed_codes,
            **options,
        )
    train_to_the_end(trainer)
    save_trained(trainer, Path(training_args.output_dir) / ("signal_decoder" if signals else "motion_tokenizer"))


if __name__ == "__main__":
    parser = HfArgumentParser((ScriptArguments, TrainingArguments))
    main(*parser.parse_args_into_dataclasses())

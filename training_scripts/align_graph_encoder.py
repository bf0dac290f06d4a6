# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Teaches a pre-trained graph encoder to tell activities apart, by what a model of sentences knows of their names.

    python training_scripts/embed_texts.py --texts training_scripts/activity_phrases.txt --data converted synthetic \
        --output teacher_texts.safetensors
    python training_scripts/align_graph_encoder.py --encoder encoder/graph_encoder --data converted synthetic \
        --teacher_texts teacher_texts.safetensors --output_dir aligned --max_steps 2000 \
        --per_device_train_batch_size 32 --learning_rate 1e-3 --warmup_steps 50 --lr_scheduler_type cosine

Only what the sensors of a window need is computed, so that a step costs less than half of one of pre-training. Started
again with the same `--output_dir` it goes on from the last checkpoint. The encoder is written to
`<output_dir>/graph_encoder`, the whole with its map to sentence embeddings to `<output_dir>/text_alignment`.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from transformers import EvalPrediction, HfArgumentParser, Trainer, TrainingArguments, set_seed

from anymo_hf import AnyMoFeatureExtractor, AnyMoGraphEncoderForTextAlignment
from anymo_hf.checkpoints import train_to_the_end
from anymo_hf.training import EpochCallback, MotionTextDataset, TeacherTexts, TextBank, TextBankCollator


@dataclass
class ScriptArguments:
    """What to train, and on what."""

    encoder: str = field(metadata={"help": "folder that pretrain_graph_encoder.py wrote"})
    data: list[str] = field(metadata={"help": "folders of converted or synthetic motion with texts"})
    teacher_texts: str = field(metadata={"help": "file that embed_texts.py wrote"})
    held_out_share: float = field(default=0.05, metadata={"help": "share of the subjects to validate on"})


def naming_metrics(prediction: EvalPrediction) -> dict[str, float]:
    """How often the text of a window is the most probable one, of windows that have one."""
    (logits, _), text_index = prediction.predictions, prediction.label_ids
    is_described = text_index >= 0
    return {"accuracy": float(np.mean(logits[is_described].argmax(axis=-1) == text_index[is_described]))}


def main(script_args: ScriptArguments, training_args: TrainingArguments) -> None:
    # Texts are no column that `forward` would name, and their index is what a window is judged by.
    training_args.remove_unused_columns, training_args.label_names = False, ["text_index"]
    set_seed(training_args.seed)
    teacher = TeacherTexts.from_file(script_args.teacher_texts)
    dataset = MotionTextDataset(script_args.data, seed=training_args.seed)
    text_bank = TextBank.from_clips([clip.path for clip in dataset.clips], teacher)
    train_dataset, eval_dataset = dataset.split(script_args.held_out_share)
    print(f"{len(text_bank.texts)} texts for {dataset.minutes:.0f} minutes of motion")
    model = AnyMoGraphEncoderForTextAlignment.from_pretrained(
        script_args.encoder, text_embedding_size=text_bank.embeddings.shape[1]
    )
    trainer = Trainer(
        model=model,
        args=training_args,
        data_collator=TextBankCollator(text_bank),
        train_dataset=train_dataset,
        eval_dataset=eval_dataset,
        compute_metrics=naming_metrics,
        callbacks=[EpochCallback(train_dataset)],
    )
    output_dir = Path(training_args.output_dir)
    train_to_the_end(trainer)
    if trainer.is_world_process_zero():
        trainer.save_model(output_dir / "text_alignment")
        folder = output_dir / "graph_encoder"
        trainer.model.graph_encoder.save_pretrained(folder)
        AnyMoFeatureExtractor().save_pretrained(folder)
        print(f"The encoder is in {folder}.")


if __name__ == "__main__":
    parser = HfArgumentParser((ScriptArguments, TrainingArguments))
    main(*parser.parse_args_into_dataclasses())

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Teaches a pre-trained graph encoder to tell activities apart, by what a model of sentences knows of their names.

    python training_scripts/embed_texts.py --texts training_scripts/activity_phrases.txt --data converted synthetic \
        --output teacher_texts.safetensors
    python training_scripts/align_graph_encoder.py --encoder encoder/graph_encoder --data converted synthetic \
        --teacher_texts teacher_texts.safetensors --output_dir aligned --max_steps 2000 \
        --per_device_train_batch_size 32 --learning_rate 1e-3 --warmup_steps 50 --lr_scheduler_type cosine

`--cutoff 4` smooths readings before the network, from then on: simulated and real motion differ much above.

Only what the sensors of a window need is computed, so that a step costs less than half of one of pre-training. Started
again with the same `--output_dir` it goes on from the last checkpoint. The encoder is written to
`<output_dir>/graph_encoder`, the whole with its map to sentence embeddings to `<output_dir>/text_alignment`, where
`text_bank.safetensors` holds the texts that it learned.

Labelled recordings of real sensors are mixed in by `--recordings`, all sets of a folder but those to test on. The
teacher must know the words of their classes, `class_words.txt` here:

    python -c "from anymo_hf.evaluation.har_datasets import HAR_DATASETS as sets
    for one in sets.values(): [print(words) for words in one.classes]" > class_words.txt
    python training_scripts/embed_texts.py --texts training_scripts/activity_phrases.txt class_words.txt \
        --data converted synthetic --output teacher_texts.safetensors
    python training_scripts/align_graph_encoder.py ... --recordings har --left_out dsads --recordings_share 0.5

`text_alignment/recordings.json` then tells which sets these were, and their licences, which the weights depend on;
`benchmarks/leave_one_set_out.py` tests on a set left out.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

from transformers import HfArgumentParser, Trainer, TrainingArguments, set_seed

from anymo_hf import AnyMoFeatureExtractor, AnyMoGraphEncoderForTextAlignment
from anymo_hf.checkpoints import save_trained, train_to_the_end
from anymo_hf.training import EpochCallback, MotionTextDataset, TeacherTexts, TextBank, TextBankCollator
from anymo_hf.training.recordings import MixedDataset, RecordingDataset, add_recordings
from anymo_hf.training.text_bank import naming_metrics


@dataclass
class ScriptArguments:
    """What to train, and on what."""

    encoder: str = field(metadata={"help": "folder that pretrain_graph_encoder.py wrote"})
    data: list[str] = field(metadata={"help": "folders of converted or synthetic motion with texts"})
    teacher_texts: str = field(metadata={"help": "file that embed_texts.py wrote"})
    held_out_share: float = field(default=0.05, metadata={"help": "share of the subjects to validate on"})
    cutoff: float | None = field(
        default=None, metadata={"help": "smooth readings above so many hertz away; None keeps that of the encoder"}
    )
    recordings: str | None = field(default=None, metadata={"help": "folder of labelled real recordings to add"})
    left_out: list[str] = field(default_factory=list, metadata={"help": "sets of it to test on, never trained on"})
    recordings_share: float = field(default=0.5, metadata={"help": "of the windows, the share of real ones"})

    def __post_init__(self):
        if self.recordings and not self.left_out:
            raise ValueError(
                "`--recordings` needs `--left_out` with the set that will be tested on, but none was named; "
                "figures on a set that was trained on say nothing about other sensors and people."
            )
        if self.left_out and not self.recordings:
            raise ValueError(f"`--left_out` {self.left_out} needs the folder of `--recordings`, but none was named.")


def note_what_was_learned(
    folder: Path, text_bank: TextBank, recordings: RecordingDataset | None, left_out: list[str]
) -> None:
    """The texts, whose mean is needed to name motion, and the real sets with their licences."""
    TeacherTexts(text_bank.texts, text_bank.embeddings).save(folder / "text_bank.safetensors")
    if recordings is not None:
        sets = {"trained_on": {one.name: one.license for one in recordings.datasets}, "left_out": left_out}
        (folder / "recordings.json").write_text(json.dumps(sets, indent=2) + "\n", encoding="utf-8")


def main(script_args: ScriptArguments, training_args: TrainingArguments) -> None:
    # Texts are no column that `forward` would name, and their index is what a window is judged by.
    training_args.remove_unused_columns, training_args.label_names = False, ["text_index"]
    set_seed(training_args.seed)
    teacher = TeacherTexts.from_file(script_args.teacher_texts)
    dataset = MotionTextDataset(script_args.data, seed=training_args.seed)
    text_bank = TextBank.from_clips([clip.path for clip in dataset.clips], teacher)
    train_dataset, eval_dataset = dataset.split(script_args.held_out_share)
    recordings = None
    if script_args.recordings:
        recordings = RecordingDataset(script_args.recordings, script_args.left_out, training_args.seed)
        text_bank = add_recordings(text_bank, recordings, teacher, script_args.recordings_share)
        train_dataset = MixedDataset(train_dataset, recordings, script_args.recordings_share)
        print(f"{recordings.minutes:.0f} minutes of recordings of {len(recordings.datasets)} sets")
    print(f"{len(text_bank.texts)} texts for {dataset.minutes:.0f} minutes of motion")
    changes = {} if script_args.cutoff is None else {"cutoff": script_args.cutoff}
    model = AnyMoGraphEncoderForTextAlignment.from_pretrained(
        script_args.encoder, text_embedding_size=text_bank.embeddings.shape[1], **changes
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
    save_trained(trainer, output_dir / "text_alignment")
    if trainer.is_world_process_zero():
        note_what_was_learned(output_dir / "text_alignment", text_bank, recordings, script_args.left_out)
    save_trained(trainer, output_dir / "graph_encoder", AnyMoFeatureExtractor(), part="graph_encoder")


if __name__ == "__main__":
    parser = HfArgumentParser((ScriptArguments, TrainingArguments))
    main(*parser.parse_args_into_dataclasses())

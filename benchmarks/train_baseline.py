# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Trains what our encoder is compared with, and our encoder likewise: same motion, texts, loss and number of steps.

    for model in anymo unimts imu2clip; do
        python benchmarks/train_baseline.py --model $model --data converted synthetic \
            --teacher_texts teacher_texts.safetensors --output_dir baselines/$model --max_steps 2000 \
            --per_device_train_batch_size 32 --learning_rate 1e-3 --warmup_steps 50 --lr_scheduler_type cosine
    done

The file of texts is made as `training_scripts/align_graph_encoder.py` says, with the words of the classes of real
sets. All begin with random weights, and each is shown the motion as its authors do:

- `anymo`: one to five sensors anywhere on the skin, mounted as people wear them, with what devices lack. Ablations:
  `--surface False` puts them at the joints, `--rotation False` leaves them as they sit on the skin.
- `unimts`: one to five sensors at joints, each turned at random; of devices only the noise. `--gyroscope True` shows
  it the rate too, which UniMTS as published does not read.
- `imu2clip`: as `anymo`, but always a single sensor.

Started again with the same `--output_dir` it goes on from the last checkpoint. The model is written to
`<output_dir>/text_alignment`, for `benchmarks/baselines.py`.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from baseline_models import (
    IMU2CLIPLikeConfig,
    IMU2CLIPLikeForTextAlignment,
    UniMTSLikeConfig,
    UniMTSLikeForTextAlignment,
)
from transformers import HfArgumentParser, Trainer, TrainingArguments, set_seed

from anymo_hf import AnyMoGraphEncoderConfig, AnyMoGraphEncoderForTextAlignment
from anymo_hf.checkpoints import train_to_the_end
from anymo_hf.simulation.errors import SensorErrors
from anymo_hf.simulation.imu import simulate_imu
from anymo_hf.simulation.kinematics import SegmentKinematics
from anymo_hf.simulation.placements import Placements
from anymo_hf.simulation.rotations import random_quaternions
from anymo_hf.training import EpochCallback, MotionTextDataset, TeacherTexts, TextBank, TextBankCollator
from anymo_hf.training.motion_text import pad_features
from anymo_hf.training.text_bank import naming_metrics
from anymo_hf.training.views import DEVICES


MODELS = ("anymo", "unimts", "imu2clip")
STATISTICS_ITEMS = 64


@dataclass
class ScriptArguments:
    """What to train, and on what."""

    model: str = field(metadata={"help": "'anymo', 'unimts' or 'imu2clip'"})
    data: list[str] = field(metadata={"help": "folders of converted or synthetic motion with texts"})
    teacher_texts: str = field(metadata={"help": "file that embed_texts.py wrote"})
    held_out_share: float = field(default=0.05, metadata={"help": "share of the subjects to validate on"})
    surface: bool = field(default=True, metadata={"help": "anymo, ablation: sensors anywhere on the skin"})
    rotation: bool = field(default=True, metadata={"help": "anymo, ablation: sensors mounted at random"})
    gyroscope: bool = field(default=False, metadata={"help": "unimts: whether it reads the gyroscope too"})

    def __post_init__(self):
        if self.model not in MODELS:
            raise ValueError(f"`model` must be one of {', '.join(MODELS)}, but is {self.model!r}.")
        if self.model != "anymo" and not (self.surface and self.rotation):
            raise ValueError(f"`surface` and `rotation` are ablations of anymo, but `model` is {self.model!r}.")
        if self.model != "unimts" and self.gyroscope:
            raise ValueError(f"`gyroscope` is for unimts, the others have it anyway, but `model` is {self.model!r}.")


class JointDataset(MotionTextDataset):
    """
    Windows as UniMTS sees them: one to five joints, each sensor turned by a rotation uniform over all.

    A sensor at a joint moves with the segment that begins there.
    """

    def __init__(self, folder: str | Path | list[str], seed: int = 0):
        super().__init__(folder, seed, surface=False)

    def _sense(
        self, kinematics: SegmentKinematics, rng: np.random.Generator, generator: torch.Generator
    ) -> tuple[Placements, bool, torch.Tensor]:
        joints = self._draw_few_placements(kinematics, rng)
        turns = random_quaternions(len(joints), generator=generator)
        placements = Placements(joints.segment, joints.offset, turns, joints.names)
        errors = SensorErrors.preset(DEVICES[rng.integers(len(DEVICES))])
        return placements, False, simulate_imu(kinematics, placements, errors, generator)


def make_dataset(script_args: ScriptArguments, seed: int) -> MotionTextDataset:
    """The motion, as the model shall see it."""
    if script_args.model == "unimts":
        return JointDataset(script_args.data, seed)
    if script_args.model == "imu2clip":
        return MotionTextDataset(script_args.data, seed, max_sensors=1)
    return MotionTextDataset(script_args.data, seed, surface=script_args.surface, rotation=script_args.rotation)


def make_model(
    script_args: ScriptArguments, dataset: MotionTextDataset, text_embedding_size: int
) -> AnyMoGraphEncoderForTextAlignment:
    """Random weights; ours knows mean and deviation of readings, the others find them out themselves."""
    if script_args.model == "unimts":
        num_channels = 6 if script_args.gyroscope else 3
        config = UniMTSLikeConfig(num_channels=num_channels, text_embedding_size=text_embedding_size)
        return UniMTSLikeForTextAlignment(config)
    if script_args.model == "imu2clip":
        return IMU2CLIPLikeForTextAlignment(IMU2CLIPLikeConfig(text_embedding_size=text_embedding_size))
    model = AnyMoGraphEncoderForTextAlignment(AnyMoGraphEncoderConfig.small(text_embedding_size=text_embedding_size))
    chosen = np.linspace(0, len(dataset) - 1, STATISTICS_ITEMS).astype(int).tolist()
    features = pad_features([dataset[i] for i in chosen])
    model.graph_encoder.estimate_input_statistics(features["input_values"], features["input_values_mask"])
    return model


def main(script_args: ScriptArguments, training_args: TrainingArguments) -> None:
    # Texts are no column that `forward` would name, and their index is what a window is judged by.
    training_args.remove_unused_columns, training_args.label_names = False, ["text_index"]
    set_seed(training_args.seed)
    teacher = TeacherTexts.from_file(script_args.teacher_texts)
    dataset = make_dataset(script_args, training_args.seed)
    text_bank = TextBank.from_clips([clip.path for clip in dataset.clips], teacher)
    train_dataset, eval_dataset = dataset.split(script_args.held_out_share)
    print(f"{len(text_bank.texts)} texts for {dataset.minutes:.0f} minutes of motion")
    model = make_model(script_args, train_dataset, text_bank.embeddings.shape[1])
    sizes = f"{model.graph_encoder.num_parameters()} parameters, {model.num_parameters()} with the head"
    print(f"{script_args.model}: {sizes}")
    trainer = Trainer(
        model=model,
        args=training_args,
        data_collator=TextBankCollator(text_bank),
        train_dataset=train_dataset,
        eval_dataset=eval_dataset,
        compute_metrics=naming_metrics,
        callbacks=[EpochCallback(train_dataset)],
    )
    train_to_the_end(trainer)
    if trainer.is_world_process_zero():
        folder = Path(training_args.output_dir) / "text_alignment"
        trainer.save_model(folder)
        # Classes are named by what sets them apart from the mean of these texts.
        TeacherTexts(text_bank.texts, text_bank.embeddings).save(folder / "text_bank.safetensors")
        print(f"The model is in {folder}.")


if __name__ == "__main__":
    parser = HfArgumentParser((ScriptArguments, TrainingArguments))
    main(*parser.parse_args_into_dataclasses())

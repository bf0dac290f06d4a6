# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
The language model without what the paper gives it: motion as codes, and contrastive losses.

    python benchmarks/language_ablations.py --model text_side/anymo --data converted synthetic --output_dir ablations \
        --max_steps 150 --per_device_train_batch_size 64 --learning_rate 1e-3

From the same weights three models are tuned on the same windows for as many steps, without a teacher of texts: the
first with motion tokens and all losses; the second reads the latents that would be rounded to codes; of the third no
rows are contrasted with texts, so that its embeddings learn nothing from motion. None writes motion. Each is measured
on real recordings of the sets for development as `zero_shot.py` does it, and on motion of people held out as
`captions_retrieval.py` does it.

Started again with the same `--output_dir` it goes on from the last checkpoint. The folder with the recordings is taken
from the environment variable ANYMO_DATA.
"""

import argparse
import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import torch
from captions_retrieval import measure_captions, measure_retrieval
from frozen_encoder import choose_evaluations
from transformers import AutoProcessor, Trainer, TrainingArguments, set_seed
from zero_shot import EVALUATIONS, Candidate, load_windows
from zero_shot import measure as measure_windows

from anymo_hf import AnyMoConfig, AnyMoForCausalLM, AnyMoModel
from anymo_hf.checkpoints import train_to_the_end
from anymo_hf.evaluation.results import (
    DEFAULT_PATH,
    Result,
    append_results,
    current_command,
    current_commit,
    machine_description,
)
from anymo_hf.evaluation.zero_shot import weights_sha256
from anymo_hf.evaluation.zero_shot_results import subset_words
from anymo_hf.pipelines import IMUFeatureExtractionPipeline, IMUToTextPipeline, ZeroShotIMUClassificationPipeline
from anymo_hf.training import EpochCallback
from anymo_hf.training.motion_text import MotionTextCollator, MotionTextDataset


TABLE = "language ablations"
CHECKPOINT_STEPS = 50
MIX = {"embedding": 8.0, "choice": 1.0, "caption": 4.0}


class LatentModel(AnyMoModel):
    """
    Reads what the motion tokenizer would round: the projected latents, in place of the nearest entries.

    Ids of motion tokens stand in the text all the same and tell where motion is. The latents are those of the
    recordings seen last, so that texts with motion must follow their recordings.
    """

    def __init__(self, config: AnyMoConfig):
        super().__init__(config)
        self.latents = None  # (num_motion_tokens, codebook_dim), in the order of the tokens

    @torch.no_grad()
    def get_motion_tokens(self, input_values, input_values_mask=None, orientation_known=None):
        encoded = self.graph_encoder(input_values, input_values_mask, orientation_known, pooled_only=True)
        tokenizer = self.motion_tokenizer
        codes_mask = encoded.steps_mask[:, :: tokenizer.config.step_stride]
        projected = tokenizer._project(encoded.pooled_latents, encoded.steps_mask)[codes_mask]
        self.latents = tokenizer.quantizer.split(projected).transpose(0, 1).flatten(0, 1)
        return super().get_motion_tokens(input_values, input_values_mask, orientation_known)

    def embed_tokens(self, input_ids: torch.LongTensor) -> torch.FloatTensor:
        is_motion = self.is_motion_token(input_ids)
        words = self.get_input_embeddings()(input_ids.masked_fill(is_motion, 0))
        if not is_motion.any():
            return words
        motion = self.projector(self.latents.to(words.dtype))
        return words.masked_scatter(is_motion[..., None], motion.to(words.dtype))


class LatentForCausalLM(AnyMoForCausalLM):
    """`LatentModel` where `AnyMoForCausalLM` has `AnyMoModel`; the weights are the same."""

    def __init__(self, config: AnyMoConfig):
        super().__init__(config)
        self.model = LatentModel(config)
        self.post_init()


VARIANTS = {
    "motion tokens": (AnyMoForCausalLM, MIX),
    "latents in place of tokens": (LatentForCausalLM, MIX),
    "no contrastive losses": (AnyMoForCausalLM, MIX | {"embedding": 0.0}),
}


def train(options: argparse.Namespace, variant: str) -> AnyMoForCausalLM:
    """The model after tuning; encoder and motion tokenizer stay as they are."""
    model_class, mix = VARIANTS[variant]
    set_seed(options.seed)
    model = model_class.from_pretrained(options.model, dtype=torch.float32)
    processor = AutoProcessor.from_pretrained(options.model)
    dataset = MotionTextDataset(options.data, seed=options.seed)
    # Codes have no gradient, and so have their latents none here.
    model.model.graph_encoder.requires_grad_(False)
    model.model.motion_tokenizer.requires_grad_(False)
    arguments = TrainingArguments(
        str(options.output_dir / variant.replace(" ", "_")),
        max_steps=options.max_steps,
        per_device_train_batch_size=options.per_device_train_batch_size,
        learning_rate=options.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=options.max_steps // 10,
        seed=options.seed,
        save_steps=CHECKPOINT_STEPS,
        save_total_limit=1,
        logging_steps=10,
        remove_unused_columns=False,
        report_to="none",
    )
    train_dataset = dataset.split(options.held_out_share)[0]
    trainer = Trainer(
        model=model,
        args=arguments,
        data_collator=MotionTextCollator(processor, dataset.activities, mix),
        train_dataset=train_dataset,
        callbacks=[EpochCallback(train_dataset)],
    )
    train_to_the_end(trainer)
    return model.eval()


def measure(options: argparse.Namespace, variant: str, model: AnyMoForCausalLM, common: dict) -> None:
    """Rows of the sets for development, of retrieval and of captions, which are written and shown."""
    processor = AutoProcessor.from_pretrained(options.model)
    sha256 = weights_sha256(model)
    classify = ZeroShotIMUClassificationPipeline(model, processor=processor, device=model.device)
    rows = measure_zero_shot(Candidate(variant, options.seed, sha256, classify), common, options.max_windows)
    held_out = MotionTextDataset(options.data).split(options.held_out_share)[1]
    common = {**common, "seed": options.seed, "checkpoint_sha256": sha256}
    embed = IMUFeatureExtractionPipeline(model, processor=processor, device=model.device)
    rows += measure_retrieval(embed, held_out, variant, common)
    describe = IMUToTextPipeline(model, processor=processor, device=model.device)
    rows += measure_captions(describe, held_out, variant, common)
    append_results([replace(row, table=TABLE) for row in rows], options.out)
    for row in rows:
        print(f"{row.model}: {row.table}, {row.dataset}, {row.subset}, {row.metric}: {row.value:.1f}")


def measure_zero_shot(candidate: Candidate, common: dict, max_windows: int | None) -> list[Result]:
    """Rows of the sets for development, as recorded and calibrated, without those of the controls."""
    rows = []
    for evaluation in choose_evaluations(["dev"], EVALUATIONS):
        for calibrated in (False, True):
            windows, notes = load_windows(evaluation, Path(os.environ["ANYMO_DATA"]), calibrated, max_windows)
            subset, note = subset_words(evaluation.words, calibrated), "; ".join(notes) or None
            for found in measure_windows(evaluation, subset, windows, [candidate], {**common, "note": note}):
                rows += [row for row in found if row.model == candidate.model]
    return rows


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="folder that pretrain_text_side.py wrote")
    parser.add_argument("--data", nargs="+", required=True, help="folders of converted or synthetic motion")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--max_steps", type=int, default=150)
    parser.add_argument("--per_device_train_batch_size", type=int, default=64)
    parser.add_argument("--learning_rate", type=float, default=1e-3)
    parser.add_argument("--held_out_share", type=float, default=0.05, help="of the subjects")
    parser.add_argument("--max_windows", type=int, help="of each set at most so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=DEFAULT_PATH)
    options = parser.parse_args(arguments)
    if "ANYMO_DATA" not in os.environ:
        raise SystemExit("Set ANYMO_DATA to the folder that holds `har/`.")
    common = {
        "command": current_command(),
        "commit": current_commit(),
        "machine": machine_description(),
        "date": date.today().isoformat(),
    }
    for variant in options.variants:
        measure(options, variant, train(options, variant), common)


if __name__ == "__main__":
    main()

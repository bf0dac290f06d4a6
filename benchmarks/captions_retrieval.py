# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Motion found by text, text found by motion, and captions, on motion of people that training did not see.

    python benchmarks/captions_retrieval.py --checkpoint model0 --data converted synthetic --seed 0
    python benchmarks/captions_retrieval.py --checkpoint model0 --data converted --seed 0 --bert_score FOLDER

Who is held out depends on names and `--held_out_share` alone: take the share that training took. A recording whose
subject is not named is held out by itself, so that its actor may occur in training. Human sentences, phrases of the
motion capture sets and descriptions of synthesis stand apart, each with a gallery of its own; equal texts count as
one. Captions are greedy; those of few windows per source are compared with all texts of the window.
"""

import argparse
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import torch
from transformers import pipeline

from anymo_hf.evaluation.caption_metrics import bert_score, caption_scores
from anymo_hf.evaluation.results import (
    DEFAULT_PATH,
    Result,
    append_results,
    current_command,
    current_commit,
    machine_description,
)
from anymo_hf.evaluation.text_retrieval import (
    by_source,
    embed_described,
    motion_to_text,
    text_to_motion,
    window_features,
    window_sources,
)
from anymo_hf.evaluation.zero_shot import checkpoint_sha256
from anymo_hf.training.motion_text import MotionTextDataset


RETRIEVAL, CAPTIONS = "retrieval", "captions"
OURS = "anymo-hf"
MAX_CAPTIONS = 200  # of each source
CAPTION_BATCH = 16
WAYS = {"motion to text": motion_to_text, "text to motion": text_to_motion}


def measure_retrieval(embed, dataset: MotionTextDataset, model: str, common: dict) -> list[Result]:
    """Rows of every source and way, in percent."""
    rows = []
    for source, part in by_source(embed_described(embed, dataset)).items():
        for way, search in WAYS.items():
            scores = search(part)
            size = f"{scores.num_queries} queries, gallery of {scores.gallery_size}"
            for metric, (value, chance) in scores.figures().items():
                rows.append(
                    Result(
                        RETRIEVAL,
                        source,
                        way,
                        model,
                        f"{metric} (%)",
                        round(100 * value, 2),
                        num_windows=len(part.texts),
                        chance=round(100 * chance, 2),
                        **{**common, "note": size},
                    )
                )
    return rows


def measure_captions(
    describe, dataset: MotionTextDataset, model: str, common: dict, bert: str | None = None
) -> list[Result]:
    """Rows of every source, in percent."""
    rows = []
    for source, indices in choose_windows(dataset).items():
        predictions, references = write_captions(describe, dataset, indices)
        scores = caption_scores(predictions, references)
        if bert is not None:
            scores[f"BERTScore F1, {Path(bert).name}"] = bert_score(predictions, references, bert)
        example = f"for instance {predictions[0]!r} for {references[0][0]!r}"
        for metric, value in scores.items():
            rows.append(
                Result(
                    CAPTIONS,
                    source,
                    "held-out windows",
                    model,
                    f"{metric} (%)",
                    round(100 * value, 2),
                    num_windows=len(predictions),
                    **{**common, "note": example},
                )
            )
    return rows


def choose_windows(dataset: MotionTextDataset, most: int = MAX_CAPTIONS) -> dict[str, list[int]]:
    """Of each source some windows, the same each time."""
    sources = np.array(window_sources(dataset))
    shuffled = np.random.default_rng(0).permutation(len(sources))
    return {
        str(source): sorted(shuffled[sources[shuffled] == source][:most].tolist()) for source in np.unique(sources)
    }


def write_captions(describe, dataset: MotionTextDataset, indices: list[int]) -> tuple[list[str], list[list[str]]]:
    """What the model says of windows that have a text, and their texts."""
    predictions, references = [], []
    for items in _batches(dataset, indices):
        with torch.no_grad():
            written = describe.run_model(window_features(items), [item["placements"] for item in items])
        predictions += [one["generated_text"] for one in written]
        references += [item["texts"] for item in items]
    return predictions, references


def _batches(dataset: MotionTextDataset, indices: list[int]) -> Iterator[list[dict]]:
    items = [item for index in indices if (item := dataset[index])["texts"]]
    for start in range(0, len(items), CAPTION_BATCH):
        yield items[start : start + CAPTION_BATCH]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True, help="folder of a whole model")
    parser.add_argument("--data", nargs="+", required=True, help="folders of converted or synthetic motion")
    parser.add_argument("--held_out_share", type=float, default=0.05, help="of the subjects, as in training")
    parser.add_argument("--seed", type=int, default=0, help="of the checkpoint, for the table")
    parser.add_argument("--name", default=OURS, help="of the checkpoint in the table")
    parser.add_argument("--bert_score", help="folder or name of a text encoder for BERTScore")
    parser.add_argument("--no_captions", action="store_true", help="retrieval only")
    parser.add_argument("--out", type=Path, default=DEFAULT_PATH)
    options = parser.parse_args(arguments)
    dataset = MotionTextDataset(options.data).split(options.held_out_share)[1]
    embed = pipeline("imu-feature-extraction", model=str(options.checkpoint), dtype="float32")
    common = {
        "command": current_command(),
        "commit": current_commit(),
        "checkpoint_sha256": checkpoint_sha256(options.checkpoint, embed.model),
        "seed": options.seed,
        "machine": machine_description(),
        "date": date.today().isoformat(),
    }
    rows = measure_retrieval(embed, dataset, options.name, common)
    append_results(rows, options.out)
    if not options.no_captions:
        describe = pipeline("imu-to-text", model=str(options.checkpoint), dtype="float32")
        captions = measure_captions(describe, dataset, options.name, common, options.bert_score)
        append_results(captions, options.out)
        rows += captions
    for row in rows:
        chance = "" if row.chance is None else f"   chance {row.chance:.1f}"
        print(f"{row.table}: {row.dataset}, {row.subset}, {row.metric}: {row.value:.1f}{chance}   {row.note}")


if __name__ == "__main__":
    main()

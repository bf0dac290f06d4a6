# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Captions of people whose captions the model never saw: human sentences, by 5-fold over subjects.

    python benchmarks/caption_folds.py --model base/anymo --data converted --output_dir folds --seed 0 1 \
        --max_steps 120 --per_device_train_batch_size 16 --learning_rate 2e-3

`--model` is a whole model that has never seen these sentences: no encoder that was aligned with texts of this motion,
no tokenizer that learned their words, no instruction tuning on them. For instance, with texts of synthesis alone:

    python training_scripts/pretrain_graph_encoder.py --data converted synthetic --output_dir encoder ...
    python training_scripts/train_pq_tokenizer.py --data converted synthetic --encoder encoder/graph_encoder \
        --output_dir tokenizer ...
    python training_scripts/pretrain_motion_lm.py --data synthetic --encoder encoder/graph_encoder \
        --motion_tokenizer tokenizer/motion_tokenizer --output_dir base ...

Subjects that have motion with human sentences are dealt to five folds. For each fold the model begins anew, learns to
caption motion of the other folds, through other sensors in every epoch, and writes greedy captions of windows of this
one, the same in every run. Beside it stand three that do not look at them: the most typical sentence of the other
folds, one of their sentences at random, and the model's own captions dealt to other motions, which are as good if it
recites.

Started again with the same `--output_dir` it goes on where it was stopped. Captions are written to
`<output_dir>/seed_<seed>/fold_<i>.json`, then all to `<output_dir>/captions.jsonl`; no weights are kept.
"""

import argparse
import json
import shutil
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import torch
from captions_retrieval import CAPTIONS, OURS, write_captions
from torch.utils.data import Subset
from tqdm.auto import tqdm
from transformers import AutoProcessor, Trainer, TrainingArguments, set_seed

from anymo_hf import AnyMoForCausalLM
from anymo_hf.checkpoints import train_to_the_end
from anymo_hf.evaluation.caption_metrics import bert_score, caption_scores, rouge_l
from anymo_hf.evaluation.results import (
    DEFAULT_PATH,
    Result,
    append_results,
    current_command,
    current_commit,
    machine_description,
)
from anymo_hf.evaluation.text_retrieval import HUMAN_SENTENCES, same_words, window_sources
from anymo_hf.evaluation.zero_shot import checkpoint_sha256
from anymo_hf.pipelines.imu_to_text import IMUToTextPipeline
from anymo_hf.simulation.conversion import read_header
from anymo_hf.training import EpochCallback
from anymo_hf.training.motion_text import MotionTextCollator, MotionTextDataset
from anymo_hf.whole_files import written_whole


NUM_FOLDS = 5
SUBSET = f"{NUM_FOLDS}-fold over subjects"
DRAWS = 5  # windows of each motion that are captioned
CHECKPOINT_STEPS = 50
EXAMPLES = 10
TYPICAL = "most typical sentence of training"
RANDOM = "random sentence of training"
DEALT = "its captions of other motions"


@dataclass(frozen=True)
class Motion:
    """A stretch that human sentences describe, whose it is, and the indices of its windows in the data set."""

    name: str
    subject: str
    windows: range


def find_motions(dataset: MotionTextDataset) -> list[Motion]:
    """All that have human sentences, in the order of the data set."""
    sources = window_sources(dataset)
    motions, first = [], 0
    for stretch in dataset.stretches:
        windows = range(first, first - (-stretch.num_frames // dataset.num_frames))
        if sources[first] == HUMAN_SENTENCES:
            path = stretch.clip.path
            name = read_header(path)["source"].get("name", path.stem)
            motions.append(Motion(name, stretch.clip.group, windows))
        first = windows.stop
    return motions


def deal_folds(motions: list[Motion]) -> list[list[Motion]]:
    """
    Whole subjects, the one with most motions first, each to the fold that has fewest so far.

    Raises:
        ValueError: If there are fewer subjects than folds.
    """
    numbers = Counter(motion.subject for motion in motions)
    if len(numbers) < NUM_FOLDS:
        raise ValueError(
            f"{NUM_FOLDS} folds need human sentences on motion of {NUM_FOLDS} subjects or more, but `--data` has them "
            f"of {len(numbers)}; add motion with captions."
        )
    folds = [[] for _ in range(NUM_FOLDS)]
    for subject in sorted(numbers, key=lambda one: (-numbers[one], one)):
        min(folds, key=len).extend(motion for motion in motions if motion.subject == subject)
    return folds


def claim_folder(folder: Path, settings: dict) -> None:
    """Notes what a folder's captions come from; a `ValueError` if they come from something else."""
    path = folder / "settings.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else settings
    others = sorted(name for name in settings.keys() | found.keys() if settings.get(name) != found.get(name))
    if others:
        raise ValueError(f"{folder} holds folds of another run: {', '.join(others)} differ; take another folder.")
    write_text(path, json.dumps(settings, indent=1))


def train(
    options: argparse.Namespace, seed: int, dataset: MotionTextDataset, motions: list[Motion], folder: Path
) -> IMUToTextPipeline:
    """The base model after it learned to caption these motions; encoder and motion tokenizer stay as they are."""
    set_seed(seed)
    model = AnyMoForCausalLM.from_pretrained(options.model, dtype=torch.float32)
    processor = AutoProcessor.from_pretrained(options.model)
    # Codes have no gradient.
    model.model.graph_encoder.requires_grad_(False)
    model.model.motion_tokenizer.requires_grad_(False)
    arguments = TrainingArguments(
        str(folder),
        max_steps=options.max_steps,
        per_device_train_batch_size=options.per_device_train_batch_size,
        learning_rate=options.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=options.max_steps // 10,
        seed=seed,
        save_steps=CHECKPOINT_STEPS,
        save_total_limit=1,
        logging_steps=10,
        remove_unused_columns=False,
        report_to="none",
    )
    trainer = Trainer(
        model=model,
        args=arguments,
        data_collator=MotionTextCollator(processor, [], {"caption": 1.0}),
        train_dataset=Subset(dataset, [index for motion in motions for index in motion.windows]),
        callbacks=[EpochCallback(dataset)],
    )
    train_to_the_end(trainer)
    return IMUToTextPipeline(model.eval(), processor=processor, device=model.device)


def caption(describe: IMUToTextPipeline, dataset: MotionTextDataset, motions: list[Motion]) -> list[dict]:
    """Greedy captions of some windows of every motion, through sensors that differ from window to window."""
    records = []
    for draw in tqdm(range(DRAWS), desc="captions", leave=False):
        dataset.set_epoch(draw)
        indices = [motion.windows[draw % len(motion.windows)] for motion in motions]
        captions, references = write_captions(describe, dataset, indices)
        for motion, text, sentences in zip(motions, captions, references, strict=True):
            words = {"caption": text, "references": sentences}
            records.append({"motion": motion.name, "subject": motion.subject, "draw": draw, **words})
    return records


def caption_folds(options: argparse.Namespace, seed: int, sha256: str) -> list[dict]:
    """Captions of all motions, each by a model that never saw its subject; folds that are done are read."""
    dataset, held_out = MotionTextDataset(options.data, seed=seed), MotionTextDataset(options.data, seed=0)
    folds = deal_folds(find_motions(dataset))
    settings = {name: getattr(options, name) for name in ("max_steps", "per_device_train_batch_size", "learning_rate")}
    names = [[motion.name for motion in fold] for fold in folds]
    folder = options.output_dir / f"seed_{seed}"
    claim_folder(folder, {"base weights": sha256, "seed": seed, **settings, "motions of folds": names})
    records = []
    for number, fold in enumerate(tqdm(folds, desc=f"folds, seed {seed}")):
        path = folder / f"fold_{number}.json"
        if not path.exists():
            others = [motion for other in folds if other is not fold for motion in other]
            describe = train(options, seed, dataset, others, path.with_suffix(""))
            write_text(path, json.dumps(caption(describe, held_out, fold), indent=1, ensure_ascii=False))
        shutil.rmtree(path.with_suffix(""), ignore_errors=True)
        found = json.loads(path.read_text(encoding="utf-8"))
        records += [{"seed": seed, "fold": number, **record} for record in found]
    return records


def training_sentences(records: list[dict], fold: int) -> list[str]:
    """Of the motions of all folds but one, as often as they were given."""
    others = [record for record in records if record["fold"] != fold and record["draw"] == 0]
    return [text for record in others for text in record["references"]]


def most_typical(sentences: list[str]) -> str:
    """The sentence with the highest mean ROUGE-L to the others."""

    def likeness(number: int) -> float:
        others = sentences[:number] + sentences[number + 1 :]
        return rouge_l([sentences[number]] * len(others), [[other] for other in others])

    return sentences[max(range(len(sentences)), key=likeness)]


def without_motion(records: list[dict], seed: int) -> dict[str, list[str]]:
    """What may be said of every window without a look at it, of three kinds."""
    rng = np.random.default_rng(seed)
    sentences = {fold: training_sentences(records, fold) for fold in sorted({record["fold"] for record in records})}
    typical = {fold: most_typical(texts) for fold, texts in sentences.items()}
    names = list(dict.fromkeys(record["motion"] for record in records))
    shuffled = [names[i] for i in rng.permutation(len(names))]
    other = dict(zip(shuffled, shuffled[1:] + shuffled[:1], strict=True))  # never itself
    captions = {(record["motion"], record["draw"]): record["caption"] for record in records}
    return {
        TYPICAL: [typical[record["fold"]] for record in records],
        RANDOM: [str(rng.choice(sentences[record["fold"]])) for record in records],
        DEALT: [captions[other[record["motion"]], record["draw"]] for record in records],
    }


def recited(records: list[dict]) -> str:
    """How many captions differ from each other, and how many are sentences of training, in words."""
    different = len({same_words(record["caption"]) for record in records})
    folds = {record["fold"] for record in records}
    known = {fold: set(map(same_words, training_sentences(records, fold))) for fold in folds}
    copies = sum(same_words(record["caption"]) in known[record["fold"]] for record in records)
    return f"{different} different captions, {copies} of {len(records)} are sentences of training"


def measure(records: list[dict], name: str, common: dict, bert: str | None = None) -> list[Result]:
    """Rows of the model and of what looks at no motion, in percent."""
    references = [record["references"] for record in records]
    said = {name: [record["caption"] for record in records], **without_motion(records, common["seed"])}
    about = f"{len({record['motion'] for record in records})} motions, {DRAWS} windows each"
    rows = []
    for who, captions in said.items():
        scores = caption_scores(captions, references)
        if bert is not None:
            scores[f"BERTScore F1, {Path(bert).name}"] = bert_score(captions, references, bert)
        note = f"{about}; {recited(records)}" if who == name else about
        model = f"{name}, {DEALT}" if who == DEALT else who
        weights = common["checkpoint_sha256"] if who in (name, DEALT) else None
        rows += [
            Result(
                CAPTIONS,
                HUMAN_SENTENCES,
                SUBSET,
                model,
                f"{metric} (%)",
                round(100 * value, 2),
                num_windows=len(records),
                num_subjects=len({record["subject"] for record in records}),
                **{**common, "checkpoint_sha256": weights, "note": note},
            )
            for metric, value in scores.items()
        ]
    return rows


def write_text(path: Path, text: str) -> None:
    """A file that is there as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="folder of a whole model, not tuned on these texts")
    parser.add_argument("--data", nargs="+", required=True, help="folders of converted motion with human sentences")
    parser.add_argument("--output_dir", type=Path, required=True, help="where captions and checkpoints go")
    parser.add_argument("--max_steps", type=int, default=120, help="of training, in each fold")
    parser.add_argument("--per_device_train_batch_size", type=int, default=16)
    parser.add_argument("--learning_rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, nargs="+", default=[0], help="of training; one run each")
    parser.add_argument("--name", default=OURS, help="of the model in the table")
    parser.add_argument("--bert_score", help="folder or name of a text encoder for BERTScore")
    parser.add_argument("--out", type=Path, default=DEFAULT_PATH)
    options = parser.parse_args(arguments)
    sha256 = checkpoint_sha256(options.model, AnyMoForCausalLM.from_pretrained(options.model, dtype=torch.float32))
    common = {
        "command": current_command(),
        "commit": current_commit(),
        "checkpoint_sha256": sha256,
        "machine": machine_description(),
        "date": date.today().isoformat(),
    }
    everything = []
    for seed in options.seed:
        records = caption_folds(options, seed, sha256)
        rows = measure(records, options.name, common | {"seed": seed}, options.bert_score)
        append_results(rows, options.out)
        everything += records
        firsts = [record for record in records if record["draw"] == 0]
        for record in firsts[:: -(-len(firsts) // EXAMPLES)]:
            print(f"{record['motion']}: {record['caption']!r} for {record['references'][0]!r}")
        for row in rows:
            print(f"seed {seed}, {row.model}, {row.metric}: {row.value:.1f}   {row.note}")
    lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in everything]
    write_text(options.output_dir / "captions.jsonl", "".join(lines))


if __name__ == "__main__":
    main()

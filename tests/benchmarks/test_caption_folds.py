# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Captions by folds: subjects dealt by hand, baselines by hand, and nobody is captioned by who learned of them."""

import importlib
import json
from pathlib import Path

import pytest
import torch

from anymo_hf import (
    AnyMoFeatureExtractor,
    AnyMoGraphEncoder,
    AnyMoGraphEncoderConfig,
    AnyMoPQTokenizer,
    AnyMoPQTokenizerConfig,
    SegmentKinematics,
    TextSpan,
)
from anymo_hf.evaluation.results import read_results, render_results
from anymo_hf.simulation.conversion import save_kinematics
from anymo_hf.simulation.synthesis import random_recording
from anymo_hf.training.assembly import assemble, train_text_tokenizer
from anymo_hf.training.motion_text import MotionTextDataset


pytest.importorskip("sacrebleu")
pytest.importorskip("nltk")
caption_folds = importlib.import_module("caption_folds")

COMMON = {"seed": 0, "checkpoint_sha256": "abc", "command": "here"}


@pytest.fixture(scope="module")
def whole() -> SegmentKinematics:
    return SegmentKinematics.from_motion(random_recording(0, 12.0))


def save(whole, folder: Path, name: str, subject: str, texts: list[tuple[str, str]], first: int, length: int = 90):
    """A clip, part of `whole`, with texts over all of it."""
    values, mask = whole.values[first : first + length], whole.mask[first : first + length]
    clip = SegmentKinematics(values, mask, 60.0, 0.0, source={"dataset": "d", "name": name, "subject": subject})
    clip.texts = tuple(TextSpan(0.0, length / 60, text, kind) for text, kind in texts)
    save_kinematics(clip, folder / f"{name}.safetensors")


@pytest.fixture(scope="module")
def data(whole, tmp_path_factory) -> Path:
    """Seven motions of five subjects with sentences, one of 11 s, and one of a sixth with a label alone."""
    folder = tmp_path_factory.mktemp("data")
    for number, subject in enumerate("aabbcde"):
        texts = [(f"A person does {number}.", "caption"), ("do", "label")]
        save(whole, folder, f"m{number}", subject, texts, 30 * number, 660 if number == 6 else 90)
    save(whole, folder, "m7", "f", [("do", "label")], 0)
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A tiny model."""
    folder = tmp_path_factory.mktemp("base")
    torch.manual_seed(0)
    AnyMoGraphEncoder(AnyMoGraphEncoderConfig.small(hidden_sizes=[8, 8, 8, 16])).save_pretrained(folder / "encoder")
    AnyMoFeatureExtractor().save_pretrained(folder / "encoder")
    sizes = {"latent_size": 16, "codebook_size": 16, "codebook_dim": 8, "hidden_size": 16, "dilations": [1]}
    AnyMoPQTokenizer(AnyMoPQTokenizerConfig(**sizes)).save_pretrained(folder / "tokenizer")
    words = train_text_tokenizer(["A person does it."], 400)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4}
    parts = assemble(folder / "encoder", folder / "tokenizer", tokenizer=words, text_sizes=sizes, pooler_num_latents=4)
    for part in parts:
        part.save_pretrained(folder / "anymo")
    return folder / "anymo"


@pytest.fixture
def options(base, data, tmp_path) -> list[str]:
    """Of a run of two steps a fold."""
    return [
        "--model", str(base), "--data", str(data), "--output_dir", str(tmp_path / "folds"), "--max_steps", "2",
        "--per_device_train_batch_size", "4", "--out", str(tmp_path / "results.jsonl"),
    ]  # fmt: skip


@pytest.fixture
def trained_on(monkeypatch) -> list[set[str]]:
    """Of every training the motions that it saw."""
    seen = []

    class Watched(caption_folds.Trainer):
        def __init__(self, **kwargs):
            windows = kwargs["train_dataset"]
            numbers = [windows.dataset._find_slot(index)[0] for index in windows.indices]
            seen.append({windows.dataset.stretches[number].clip.path.stem for number in numbers})
            super().__init__(**kwargs)

    monkeypatch.setattr(caption_folds, "Trainer", Watched)
    return seen


def test_whole_subjects_go_to_the_smallest_fold():
    subjects = "aaaabbbbccdddefg"
    motions = [caption_folds.Motion(f"m{i}", subject, range(i, i + 1)) for i, subject in enumerate(subjects)]
    folds = caption_folds.deal_folds(motions)
    # a: 4, b: 4, d: 3, c: 2, then e, f, g of one motion each: to e itself, beside e, beside c.
    assert ["".join(motion.subject for motion in fold) for fold in folds] == ["aaaa", "bbbb", "ddd", "ccg", "ef"]
    assert caption_folds.deal_folds(motions[::-1])[3][0].subject == "c"


def test_motions_are_those_with_sentences(data):
    motions = caption_folds.find_motions(MotionTextDataset(data))
    assert [(one.name, one.subject) for one in motions] == [
        (f"m{i}", f"d {subject}") for i, subject in enumerate("aabbcde")
    ]
    assert [one.windows for one in motions] == [*(range(i, i + 1) for i in range(6)), range(6, 9)]


def test_too_few_subjects_are_told(base, whole, options, tmp_path):
    (tmp_path / "few").mkdir()
    for number in range(5):
        save(whole, tmp_path / "few", f"m{number}", "ab"[number % 2], [("A person bows.", "caption")], 0)
    options[options.index("--data") + 1] = str(tmp_path / "few")
    with pytest.raises(ValueError, match="5 folds need .* of 5 subjects or more, but `--data` has them of 2; add"):
        caption_folds.main(options)
    assert not (tmp_path / "folds").exists()


def make_records(said: list[str]) -> list[dict]:
    """Of three motions in a fold each, two windows of each."""
    references = [["a man walks on", "he walks"], ["a man walks"], ["he jumps"]]
    return [
        {"fold": i, "motion": f"m{i}", "subject": f"s{i}", "draw": draw, "caption": said[i], "references": texts}
        for i, texts in enumerate(references)
        for draw in range(2)
    ]


def test_baselines_say_sentences_of_other_folds():
    records = make_records(["one", "two", "three"])
    assert caption_folds.training_sentences(records, 2) == ["a man walks on", "he walks", "a man walks"]
    assert caption_folds.training_sentences(records, 1) == ["a man walks on", "he walks", "he jumps"]
    assert caption_folds.most_typical(["he jumps", "a man walks", "a man walks on", "a man walks on"]) == (
        "a man walks on"
    )
    said = caption_folds.without_motion(records, 0)
    # The first of two with nothing in common; one that shares a word with either; the shorter of two much alike.
    assert said[caption_folds.TYPICAL] == ["a man walks"] * 2 + ["he walks"] * 2 + ["a man walks"] * 2
    for record, text in zip(records, said[caption_folds.RANDOM], strict=True):
        assert text in caption_folds.training_sentences(records, record["fold"])
    dealt = said[caption_folds.DEALT]
    assert dealt in (["two"] * 2 + ["three"] * 2 + ["one"] * 2, ["three"] * 2 + ["one"] * 2 + ["two"] * 2)


def test_scores_of_a_model_that_is_right_and_of_the_baselines():
    records = make_records(["a man walks on", "A man walks.", "he walks"])
    rows = caption_folds.measure(records, "mine", COMMON)
    found = {(row.model, row.metric): row for row in rows}
    rouge = {model: row.value for (model, metric), row in found.items() if metric == "ROUGE-L (%)"}
    assert rouge["mine"] == round(100 * (1 + 1 + 0.5) / 3, 2)
    # Typical, precision and recall: 1 and 3/4 of "a man walks on", 1/2 and 1/3 of "a man walks", 0 of "he jumps".
    first, second = ((1 + 1.44) * p * r / (r + 1.44 * p) for p, r in ((1, 3 / 4), (1 / 2, 1 / 3)))
    assert rouge[caption_folds.TYPICAL] == round(100 * (first + second) / 3, 2)
    assert set(rouge) == {
        "mine", caption_folds.TYPICAL, caption_folds.RANDOM, "mine, its captions of other motions",
    }  # fmt: skip
    row = found["mine", "BLEU-1 (%)"]
    assert (row.table, row.dataset, row.subset) == ("captions", "human sentences", "5-fold over subjects")
    assert (row.num_windows, row.num_subjects, row.checkpoint_sha256) == (6, 3, "abc")
    # Of the last fold's others "he walks" is one; "a man walks" is a sentence of its own fold alone.
    assert row.note.endswith("3 different captions, 2 of 6 are sentences of training")
    assert found[caption_folds.RANDOM, "BLEU-1 (%)"].checkpoint_sha256 is None


@pytest.mark.filterwarnings("ignore")
def test_nobody_is_captioned_by_who_learned_of_them(options, trained_on, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(caption_folds, "DRAWS", 2)
    caption_folds.main(options)
    held_out = [{"m0", "m1"}, {"m2", "m3"}, {"m4"}, {"m5"}, {"m6"}]
    everyone = {f"m{i}" for i in range(7)}
    assert trained_on == [everyone - fold for fold in held_out]
    folder = tmp_path / "folds"
    records = [json.loads(line) for line in (folder / "captions.jsonl").read_text().splitlines()]
    assert len(records) == 7 * 2
    for record in records:
        assert record["motion"] in held_out[record["fold"]]
        assert record["references"] == [f"A person does {record['motion'][1:]}."] and record["caption"] is not None
    assert sorted(path.name for path in (folder / "seed_0").iterdir()) == [
        *(f"fold_{i}.json" for i in range(5)), "settings.json",
    ]  # fmt: skip
    rows = read_results(tmp_path / "results.jsonl")
    assert len({row.identity for row in rows}) == len(rows) == 4 * len({row.metric for row in rows})
    assert "5-fold over subjects" in render_results(tmp_path / "results.jsonl").split("## Captions")[1]
    assert "m0: " in capsys.readouterr().out

    # What is done is not done again, and says the same.
    trained_on.clear()
    (folder / "seed_0" / "fold_3.json").unlink()
    caption_folds.main(options)
    assert trained_on == [everyone - {"m5"}]
    again = [json.loads(line) for line in (folder / "captions.jsonl").read_text().splitlines()]
    assert again == records
    options[options.index("--max_steps") + 1] = "3"
    with pytest.raises(ValueError, match="seed_0 holds folds of another run: max_steps differ; take another folder"):
        caption_folds.main(options)
    assert len(trained_on) == 1

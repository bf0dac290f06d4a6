# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Motion tokens computed once: the same batches as from readings, what is kept, what is drawn, what is refused."""

from collections import Counter
from types import SimpleNamespace

import pytest
import torch
from processes import load_script
from transformers import TrainingArguments

from anymo_hf import (
    AnyMoFeatureExtractor,
    AnyMoForCausalLM,
    AnyMoGraphEncoder,
    AnyMoGraphEncoderConfig,
    AnyMoPQTokenizer,
    AnyMoPQTokenizerConfig,
)
from anymo_hf.simulation.synthesis.folder import synthesise_motions
from anymo_hf.training import MotionTextCollator, MotionTextDataset, motion_tokens
from anymo_hf.training.assembly import assemble, train_text_tokenizer
from anymo_hf.training.motion_text import MotionCollator, pad_features
from anymo_hf.training.motion_tokens import MotionTokenDataset, write_motion_tokens


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> SimpleNamespace:
    """Motion with texts and a tiny model of the whole, in folders."""
    folder = tmp_path_factory.mktemp("whole")
    synthesise_motions(folder / "data", hours=4 / 60, seed=7)
    torch.manual_seed(0)
    AnyMoGraphEncoder(AnyMoGraphEncoderConfig.small(hidden_sizes=[8, 8, 8, 16])).save_pretrained(folder / "encoder")
    AnyMoFeatureExtractor().save_pretrained(folder / "encoder")
    sizes = {"latent_size": 16, "codebook_size": 16, "codebook_dim": 8, "hidden_size": 16, "dilations": [1]}
    AnyMoPQTokenizer(AnyMoPQTokenizerConfig(**sizes, step_stride=2)).save_pretrained(folder / "motion_tokenizer")
    dataset = MotionTextDataset(folder / "data")
    tokenizer = train_text_tokenizer([*dataset.captions, *dataset.activities], 400)
    text_sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    model, processor = assemble(
        folder / "encoder", folder / "motion_tokenizer", None, tokenizer, text_sizes=text_sizes, pooler_num_latents=4
    )
    model.save_pretrained(folder / "model")
    processor.save_pretrained(folder / "model")
    model = model.eval()
    parts = (model.model.graph_encoder, model.model.motion_tokenizer)
    return SimpleNamespace(
        data=folder / "data", folder=folder / "model", model=model, parts=parts, processor=processor
    )


@pytest.fixture
def small_files(monkeypatch):
    monkeypatch.setattr(motion_tokens, "WINDOWS_PER_FILE", 8)


def with_tokens(model, items: list[dict]) -> list[dict]:
    ids, mask = model.model.get_motion_tokens(**pad_features(items))
    ids = ids - model.config.motion_token_offset
    words = ("texts", "activity", "placements", "seed")
    return [
        {"motion_tokens": row[kept].flatten(), **{name: item[name] for name in words}}
        for row, kept, item in zip(ids, mask, items, strict=True)
    ]


@torch.no_grad()
def test_losses_are_those_from_readings(whole):
    dataset = MotionTextDataset(whole.data)
    items = [dataset[i] for i in range(8)]
    assert len({len(item["input_values"]) for item in items}) > 1
    collate = MotionTextCollator(whole.processor, dataset.activities)
    alone = [MotionCollator(whole.processor)(one) for one in (items, with_tokens(whole.model, items))]
    torch.testing.assert_close(*(whole.model(**batch).language_loss for batch in alone))
    own, other = collate(items), collate(with_tokens(whole.model, items))
    assert "input_values" not in other and own["input_ids"].shape == other["input_ids"].shape
    placeholder = whole.model.config.imu_token_id
    assert (own["labels"] == placeholder).any() and not (other["labels"] == placeholder).any()
    assert not (other["input_ids"] == placeholder).any()
    expected, found = whole.model(**own), whole.model(**other)
    for name in ("language_loss", "narration_loss", "activity_loss"):
        torch.testing.assert_close(found[name], expected[name])


def test_files_are_made_once_and_whole(whole, small_files, tmp_path):
    dataset = MotionTextDataset(whole.data, seed=3)
    paths = write_motion_tokens(*whole.parts, dataset, tmp_path, "train", 20, batch_size=3)
    assert [path.name for path in paths] == [f"train-{number:05d}.safetensors" for number in range(3)]
    before = [motion_tokens._read(path) for path in paths]
    paths[1].unlink()
    paths[2].with_name("train-00002.safetensors.1.unfinished").touch()
    dataset = MotionTextDataset(whole.data, seed=3)
    write_motion_tokens(*whole.parts, dataset, tmp_path, "train", 20, num_workers=1, batch_size=3)
    for path, (tokens, *words) in zip(paths, before, strict=True):
        again, *same = motion_tokens._read(path)
        assert same == words and all(torch.equal(one, two) for one, two in zip(again, tokens, strict=True))

    # The same windows as the data set itself gives, in another order.
    tokens = MotionTokenDataset(tmp_path)
    assert len(tokens) == 24
    dataset.set_epoch(0)
    expected = with_tokens(whole.model, [dataset[i] for i in range(len(dataset))])
    known = {(tuple(one["motion_tokens"].tolist()), tuple(one["placements"])) for one in expected}
    first_epoch = list(zip(tokens.tokens, tokens.words, strict=True))[: len(dataset)]
    found = {(tuple(ids.tolist()), tuple(words["placements"])) for ids, words in first_epoch}
    assert found <= known


def test_rare_activities_are_drawn_more_often(whole, tmp_path):
    rows = [{"texts": ["x."], "activity": name, "placements": []} for name in ["walking"] * 81 + ["rowing"] * 9]
    tokens = [torch.full((2,), i) for i in range(90)]
    motion_tokens._write(tmp_path / "train-00000.safetensors", tokens, rows, {"fingerprint": "mark"})
    motion_tokens._write(tmp_path / "held_out-00000.safetensors", tokens, rows, {"fingerprint": "mark"})
    dataset = MotionTokenDataset(tmp_path, seed=1)
    names = []
    for epoch in range(20):
        dataset.set_epoch(epoch)
        names += [dataset[i]["activity"] for i in range(90)]
    share = Counter(names)["rowing"] / len(names)
    assert share == pytest.approx(0.25, abs=0.03)  # square roots of 9 and 81, for one in ten
    assert dataset.activities == ["rowing", "walking"]
    one, other = MotionTokenDataset(tmp_path, seed=1), MotionTokenDataset(tmp_path, seed=2)
    one.set_epoch(19)
    assert [one[i]["seed"] for i in range(9)] == [dataset[i]["seed"] for i in range(9)]
    assert [one[i]["seed"] for i in range(9)] != [other[i]["seed"] for i in range(9)]
    assert len(list(dataset)) == 90
    held_out = MotionTokenDataset(tmp_path, "held_out")
    assert [held_out[i]["motion_tokens"][0].item() for i in range(90)] == list(range(90))


def test_what_does_not_fit_is_refused(whole, small_files, tmp_path):
    with pytest.raises(ValueError, match=r"holds no file train-\*"):
        MotionTokenDataset(tmp_path)
    write_motion_tokens(*whole.parts, MotionTextDataset(whole.data), tmp_path, "train", 8)
    MotionTokenDataset(tmp_path).check_model(*whole.parts)
    with pytest.raises(ValueError, match="made of another windows: .* write into a new folder"):
        write_motion_tokens(*whole.parts, MotionTextDataset(whole.data, seed=1), tmp_path, "train", 16)
    (tmp_path / "held_out-00000.safetensors").write_bytes(b"cut short")
    with pytest.raises(ValueError, match="held_out-00000.safetensors cannot be read .* remove it"):
        write_motion_tokens(*whole.parts, MotionTextDataset(whole.data), tmp_path, "held_out", 8)
    (tmp_path / "held_out-00000.safetensors").unlink()
    other = AnyMoForCausalLM.from_pretrained(whole.folder)
    other.model.graph_encoder.mask_token.data += 1
    with pytest.raises(ValueError, match="another encoder or motion tokenizer"):
        MotionTokenDataset(tmp_path).check_model(other.model.graph_encoder, other.model.motion_tokenizer)
    path = tmp_path / "train-00000.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match=r"train-00000.safetensors must hold motion tokens"):
        MotionTokenDataset(tmp_path)


def test_the_script_tunes_on_tokens(whole, small_files, tmp_path):
    dataset = MotionTextDataset(whole.data)
    for part, number in (("train", 16), ("held_out", 8)):
        write_motion_tokens(*whole.parts, dataset, tmp_path / "tokens", part, number)
    script = load_script("instruction_tune")
    settings = TrainingArguments(
        str(tmp_path / "tuned"), max_steps=2, per_device_train_batch_size=8, learning_rate=1e-3, use_cpu=True,
        disable_tqdm=True, eval_strategy="steps", eval_steps=2, save_steps=2,
    )  # fmt: skip
    script.main(script.ScriptArguments(str(whole.folder), tokens=str(tmp_path / "tokens")), settings)
    tuned = AnyMoForCausalLM.from_pretrained(tmp_path / "tuned" / "anymo")
    pairs = zip(whole.model.named_parameters(), tuned.parameters(), strict=True)
    moved = {name for name, (one, two) in ((n, (a, b)) for (n, a), b in pairs) if not torch.equal(one, two)}
    assert any("language_model" in name for name in moved) and not any("graph_encoder" in name for name in moved)
    with pytest.raises(ValueError, match="Give either `--data` or `--tokens`"):
        script.main(script.ScriptArguments(str(whole.folder)), settings)

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Similarities of texts, learned from a teacher beside everything else."""

import math
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from test_language_scripts import arguments, base, load_script, losses, moved, parts, tune  # noqa: F401
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoProcessor, BertConfig, BertModel, PreTrainedTokenizerFast

from anymo_hf import AnyMoForCausalLM
from anymo_hf.prompts import LABEL_TEMPLATES
from anymo_hf.training.motion_text import MotionTextCollator, MotionTextDataset
from anymo_hf.training.text_distillation import TeacherTexts, in_sentences, relational_loss


def make_texts() -> TeacherTexts:
    """Four activities on two axes: the first two nearly the same, and the last two."""
    angles = torch.tensor([0.0, 0.2, math.pi / 2, math.pi / 2 + 0.2])
    texts = ["walking", "strolling", "typing", "Someone writes."]
    return TeacherTexts(texts, torch.stack([angles.cos(), angles.sin()], dim=1))


def test_loss_by_hand():
    student = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    teacher = torch.tensor([[1.0, 0.5, 0.0], [0.5, 1.0, 0.5], [0.0, 0.5, 1.0]])
    expected = 0.0
    # Cosines to the two others, of teacher and student.
    for wanted, found in (((0.5, 0.0), (0.6, 0.0)), ((0.5, 0.5), (0.6, 0.8)), ((0.0, 0.5), (0.0, 0.8))):
        p, q = (np.exp(np.array(cosines) / 0.5) for cosines in (wanted, found))
        p, q = p / p.sum(), q / q.sum()
        expected += (p * np.log(p / q)).sum() / 3
    assert relational_loss(student, teacher, 0.5).item() == pytest.approx(expected, rel=1e-5)
    assert relational_loss(student, student @ student.T, 0.05).item() == pytest.approx(0, abs=1e-6)


def test_activities_are_drawn_within_prompts_and_sentences_alone():
    teacher = make_texts()
    texts, similarities = teacher.draw(9, np.random.default_rng(0))
    assert len(texts) == 4 and similarities.shape == (4, 4)
    assert texts.count("Someone writes.") == 1
    found = {template.replace("{}", name) for template in LABEL_TEMPLATES for name in teacher.texts[:3]}
    assert set(texts) - {"Someone writes."} <= found
    seen = {text for seed in range(30) for text in teacher.draw(2, np.random.default_rng(seed))[0]}
    assert seen == found | {"Someone writes."}
    (walking,) = (i for i, text in enumerate(texts) if "walking" in text)
    (strolling,) = (i for i, text in enumerate(texts) if "strolling" in text)
    assert similarities[walking, strolling].item() == pytest.approx(math.cos(0.2), abs=1e-6)


def test_names_are_put_into_sentences_and_sentences_are_not():
    assert in_sentences("lying on the back") == ["A person is lying on the back.", "Someone is lying on the back."]
    for sentence in ("someone writes.", "A human is walking"):  # people leave full stops out
        assert in_sentences(sentence) == [sentence]


def test_files(tmp_path):
    make_texts().save(tmp_path / "texts.safetensors")
    loaded = TeacherTexts.from_file(tmp_path / "texts.safetensors")
    assert loaded.texts == make_texts().texts and torch.equal(loaded.embeddings, make_texts().embeddings)
    save_file({"embeddings": torch.ones(3, 2)}, tmp_path / "other.safetensors", {"texts": '["a"]'})
    save_file({"weight": torch.ones(3, 2)}, tmp_path / "weights.safetensors")
    (tmp_path / "text.safetensors").write_text("walking")
    for name in ("other", "weights", "text", "missing"):
        with pytest.raises(ValueError, match="embed_texts.py"):
            TeacherTexts.from_file(tmp_path / f"{name}.safetensors")


def test_neighbourhoods_are_learned(parts, base):  # noqa: F811
    dataset, teacher = MotionTextDataset(parts.data), make_texts()
    processor = AutoProcessor.from_pretrained(base)
    collate = MotionTextCollator(processor, dataset.activities, {"embedding": 1}, teacher_texts=teacher)
    model = AnyMoForCausalLM.from_pretrained(base).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for seed in range(150):
        batch = collate([{**dataset[0], "seed": seed}])
        features = model.model.get_text_features(batch["teacher_input_ids"], batch["teacher_attention_mask"])
        loss = relational_loss(features, batch["teacher_similarities"], model.config.temperature)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        inputs = processor.tokenizer(list(teacher.texts), padding=True, return_tensors="pt")
        cosines = model.eval().model.get_text_features(inputs["input_ids"], inputs["attention_mask"])
        cosines = cosines @ cosines.T
    assert cosines.fill_diagonal_(-1).argmax(dim=1).tolist() == [1, 0, 3, 2]


def test_a_script_embeds_and_another_learns(parts, base, tmp_path, monkeypatch, capsys):  # noqa: F811
    words = ["[UNK]", "[PAD]", "a", "person", "walks", ".", "walking", "A", "Someone", "is"]
    words = {word: i for i, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]")
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    teacher = BertModel(BertConfig(vocab_size=len(words), **sizes)).eval()
    tokenizer.save_pretrained(tmp_path / "teacher"), teacher.save_pretrained(tmp_path / "teacher")
    (tmp_path / "phrases.txt").write_text("walking\n\na person walks.\nwalking\n")
    path = tmp_path / "texts.safetensors"
    command = ["embed_texts", "--texts", str(tmp_path / "phrases.txt"), "--output", str(path)]
    monkeypatch.setattr(sys, "argv", [*command, "--teacher", str(tmp_path / "teacher")])
    script = load_script("embed_texts")
    script.main()
    found = TeacherTexts.from_file(path)
    assert found.texts == ["a person walks.", "walking"]
    total = 0.0
    for sentence in (["A", "person", "is", "walking", "."], ["Someone", "is", "walking", "."]):
        with torch.no_grad():
            alone = teacher(torch.tensor([[words[word] for word in sentence]])).last_hidden_state[0].mean(dim=0)
        total = total + alone / alone.norm()  # padding beside it counts in nothing
    torch.testing.assert_close(found.embeddings[1], total / total.norm())

    monkeypatch.setattr(sys, "argv", [*command, "--data", parts.data, "--teacher", str(tmp_path / "teacher")])
    script.main()
    assert len(TeacherTexts.from_file(path).texts) > 10
    tune(parts, base, tmp_path / "tuned", 2, {"teacher_texts": str(path)})
    assert len(losses(tmp_path / "tuned", "distillation_loss")) == 2
    assert len(losses(tmp_path / "tuned", "eval_distillation_loss")) == 1


def test_the_text_side_is_trained_alone_and_goes_on_where_it_stopped(parts, base, tmp_path, capsys):  # noqa: F811
    generator, names = (
        np.random.default_rng(0),
        ["walking", "strolling", "running", "typing", "writing", "drawing", "sitting", "lying"],
    )
    embeddings = torch.nn.functional.normalize(torch.from_numpy(generator.normal(size=(8, 4))).float(), dim=1)
    TeacherTexts([*names[:-1], "Someone lies."], embeddings).save(tmp_path / "texts.safetensors")
    script = load_script("pretrain_text_side")
    script_args = script.ScriptArguments(str(base), str(tmp_path / "texts.safetensors"), held_out_share=0.3)

    def train(output, steps):
        options = {"eval_strategy": "no", "learning_rate": 1e-3}
        script.main(script_args, arguments(tmp_path / output, steps, **options))
        return losses(tmp_path / output)

    train("parts", 2)
    whole = train("whole", 4)
    assert list(whole) == [1, 2, 3, 4] and train("parts", 4) == pytest.approx(whole, rel=1e-4)
    assert capsys.readouterr().out.count(" training: {") == 5  # going on, it does not measure the start again
    start, end = (AnyMoForCausalLM.from_pretrained(folder) for folder in (base, tmp_path / "whole" / "anymo"))
    reads = ("model.language_model.", "model.text_pooler.", "model.text_head.", "model.text_soft_prompt.")
    assert moved(start, end) == {name for name, _ in start.named_parameters() if name.startswith(reads)}

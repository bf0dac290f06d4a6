# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The training scripts on a few synthetic recordings: they run, they move weights, they go on where they stopped."""

import json

import pytest
import torch
from processes import load_script
from transformers import AutoFeatureExtractor, AutoModel, TrainingArguments

from anymo_hf import AnyMoGraphEncoder, AnyMoGraphEncoderConfig, AnyMoGraphEncoderForTextAlignment
from anymo_hf.simulation.conversion import load_kinematics
from anymo_hf.simulation.synthesis.folder import synthesise_motions
from anymo_hf.training import MotionTextDataset, TeacherTexts


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synthetic")
    synthesise_motions(folder, hours=4 / 60, seed=7)
    return folder


def pretrain(folder, output, steps):
    """Runs the script until there are so many steps; gives the losses by step and the whole log."""
    script = load_script("pretrain_graph_encoder")
    script_args = script.ScriptArguments(data=[str(folder)], held_out_share=0.3)
    arguments = TrainingArguments(
        str(output), max_steps=steps, per_device_train_batch_size=4, learning_rate=1e-3, logging_steps=1, save_steps=2,
        eval_strategy="steps", eval_steps=2, lr_scheduler_type="constant", use_cpu=True, disable_tqdm=True,
    )  # fmt: skip
    script.main(script_args, arguments)
    state = json.loads((sorted(output.glob("checkpoint-*"))[-1] / "trainer_state.json").read_text())
    return {row["step"]: row["loss"] for row in state["log_history"] if "loss" in row}, state["log_history"]


def test_pretraining_goes_on_where_it_stopped(folder, tmp_path):
    whole, history = pretrain(folder, tmp_path / "whole", 4)
    assert any("eval_retrieval_recall_at_1" in row for row in history)
    pretrain(folder, tmp_path / "parts", 2)
    parts, _ = pretrain(folder, tmp_path / "parts", 4)
    assert list(whole) == [1, 2, 3, 4]
    assert parts == pytest.approx(whole, rel=1e-4)

    encoder, report = AutoModel.from_pretrained(tmp_path / "whole" / "graph_encoder", output_loading_info=True)
    assert isinstance(encoder, AnyMoGraphEncoder) and not report["missing_keys"] and not report["unexpected_keys"]
    assert AutoFeatureExtractor.from_pretrained(tmp_path / "whole" / "graph_encoder").sampling_rate == 60
    assert (encoder.input_std[:, :3] > 0.1).all() and (encoder.input_std[:, :3] < 30).all()


def test_pretraining_moves_every_weight(folder, tmp_path):
    pretrain(folder, tmp_path / "few", 2)
    pretrain(folder, tmp_path / "more", 4)
    first, last = (AutoModel.from_pretrained(tmp_path / name / "graph_encoder") for name in ("few", "more"))
    still = [
        name for (name, a), b in zip(first.named_parameters(), last.parameters(), strict=True) if torch.equal(a, b)
    ]
    assert not still


def test_a_folder_of_synthesis_grows_and_changes_nothing(folder, tmp_path):
    files = synthesise_motions(tmp_path, hours=1 / 60, seed=7)
    before = files[0].stat().st_mtime_ns
    more = synthesise_motions(tmp_path, hours=2 / 60, seed=7)
    assert more[0] == files[0] and len(more) == 2 and more[0].stat().st_mtime_ns == before
    # The same seed gives the same recording in any folder; another recording is another person.
    one, other = (load_kinematics(path) for path in more)
    assert torch.equal(one.values, load_kinematics(folder / files[0].name).values)
    assert not torch.equal(one.values[:60], other.values[:60])
    assert one.texts
    with pytest.raises(ValueError, match="`hours` must be positive"):
        synthesise_motions(tmp_path, hours=0)


def align(encoder, folder, output, steps, **options):
    script = load_script("align_graph_encoder")
    teacher_texts = str(output.parent / "teacher.safetensors")
    script_args = script.ScriptArguments(str(encoder), [str(folder)], teacher_texts, 0.3, **options)
    arguments = TrainingArguments(
        str(output), max_steps=steps, per_device_train_batch_size=4, learning_rate=1e-3, logging_steps=1, save_steps=2,
        eval_strategy="steps", eval_steps=2, lr_scheduler_type="constant", use_cpu=True, disable_tqdm=True,
    )  # fmt: skip
    script.main(script_args, arguments)
    history = json.loads((sorted(output.glob("checkpoint-*"))[-1] / "trainer_state.json").read_text())["log_history"]
    return {row["step"]: row["loss"] for row in history if "loss" in row}, history


def test_alignment_goes_on_where_it_stopped(folder, tmp_path):
    dataset = MotionTextDataset(folder)
    texts = sorted({*dataset.activities, *dataset.captions})
    embeddings = torch.nn.functional.normalize(torch.randn(len(texts), 12, generator=torch.Generator().manual_seed(0)))
    TeacherTexts(texts, embeddings).save(tmp_path / "teacher.safetensors")
    encoder = AnyMoGraphEncoder(AnyMoGraphEncoderConfig.small())
    encoder.save_pretrained(tmp_path / "encoder")
    whole, history = align(tmp_path / "encoder", folder, tmp_path / "whole", 4)
    assert any("eval_accuracy" in row for row in history)
    align(tmp_path / "encoder", folder, tmp_path / "parts", 2)
    parts, _ = align(tmp_path / "encoder", folder, tmp_path / "parts", 4)
    assert list(whole) == [1, 2, 3, 4] and parts == pytest.approx(whole, rel=1e-4)

    aligned, report = AutoModel.from_pretrained(tmp_path / "whole" / "graph_encoder", output_loading_info=True)
    assert isinstance(aligned, AnyMoGraphEncoder) and not report["missing_keys"] and not report["unexpected_keys"]
    still = [
        n for (n, a), b in zip(encoder.named_parameters(), aligned.parameters(), strict=True) if torch.equal(a, b)
    ]
    assert not still
    kept = AnyMoGraphEncoderForTextAlignment.from_pretrained(tmp_path / "whole" / "text_alignment")
    assert kept.text_head.out_features == 12 and kept.config.cutoff is None

    align(tmp_path / "whole" / "text_alignment", folder, tmp_path / "smooth", 2, cutoff=4.0)
    assert AutoModel.from_pretrained(tmp_path / "smooth" / "graph_encoder").config.cutoff == 4.0

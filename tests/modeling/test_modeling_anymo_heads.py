# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Pre-training and classification: the loss against plain loops, several processes, what loads into what."""

import math
import time

import pytest
import torch
import torch._dynamo
import torch.multiprocessing
from transformers import AutoModel, Qwen2Config

from anymo_hf import (
    AnyMoGraphEncoder,
    AnyMoGraphEncoderConfig,
    AnyMoGraphEncoderForPreTraining,
    AnyMoGraphEncoderForSequenceClassification,
)
from anymo_hf.modeling.modeling_anymo_heads import step_similarity


EXCLUDED = torch.finfo(torch.float32).min


def make_config(**kwargs) -> AnyMoGraphEncoderConfig:
    sizes = {
        "hidden_sizes": [8, 12, 16],
        "strides": [1, 2, 2],
        "predictor_intermediate_size": 24,
        "predictor_num_hidden_layers": 2,
        "predictor_num_attention_heads": 2,
        "max_num_steps": 8,
    }
    return AnyMoGraphEncoderConfig(**{**sizes, **kwargs})


def make_model(model_class=AnyMoGraphEncoderForPreTraining, **kwargs):
    torch.manual_seed(0)
    return model_class(make_config(**kwargs))


def make_batch(batch_size=4, seed=1) -> dict[str, torch.Tensor]:
    """Two views of each of some windows; window 1 ends early in both, window 2 in one of them."""
    generator = torch.Generator().manual_seed(seed)
    shape = (batch_size, 2, 21, 23, 6)
    mask = torch.rand(shape, generator=generator) < 0.9
    mask[:, :, -1] = True
    mask[1, :, 9:] = False
    mask[2, 1, 14:] = False
    return {
        "input_values": torch.randn(shape, generator=generator),
        "input_values_mask": mask,
        "visible_segments": torch.rand(batch_size, 2, 23, generator=generator) < 0.3,
    }


def test_the_predictor_s_size_to_the_last_parameter():
    model = AnyMoGraphEncoderForPreTraining(AnyMoGraphEncoderConfig())
    assert sum(value.numel() for value in model.predictor.parameters()) == 4_824_064
    assert model.num_parameters() == 3_081_240 + 4_824_064


def test_similarity_of_literal_steps():
    predictions = torch.tensor([[[3.0, 0.0], [0.0, 2.0], [5.0, 5.0]], [[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]]])
    targets = torch.tensor([[[1.0, 0.0], [0.0, -4.0], [1.0, 1.0]], [[0.0, 1.0], [9.0, 9.0], [9.0, 9.0]]])
    predictions_mask = torch.tensor([[True, True, True], [True, True, False]])
    targets_mask = torch.tensor([[True, True, False], [True, False, False]])
    half = math.sqrt(0.5)
    expected = torch.tensor([[(1 - 1) / 2, 0.0], [(half + 0) / 2, half]])
    torch.testing.assert_close(step_similarity(predictions, targets, predictions_mask, targets_mask), expected)
    nothing = torch.zeros(2, 3, dtype=torch.bool)
    assert not step_similarity(predictions, targets, predictions_mask, nothing).any()


def loss_in_plain_loops(predictions, targets, lengths, target_lengths, excluded, temperature) -> float:
    losses = []
    for i in range(len(predictions)):
        scores = {}
        for j in range(len(targets)):
            if i == j or not excluded[i][j]:
                steps = range(min(lengths[i], target_lengths[j]))
                cosines = [torch.cosine_similarity(predictions[i, t], targets[j, t], dim=0).item() for t in steps]
                scores[j] = sum(cosines) / len(cosines) / temperature
        losses.append(math.log(sum(math.exp(score) for score in scores.values())) - scores[i])
    return sum(losses) / len(losses)


@pytest.mark.parametrize("temperature", [0.1, 0.7])
def test_loss_is_that_of_plain_loops(temperature):
    model = make_model(temperature=temperature).eval()
    batch = make_batch()
    # Windows 0 and 3 begin 0.9 s apart in one recording, 1 and 2 exactly 1 s.
    motion = {
        "recording_id": torch.tensor([7, 5, 5, 7]),
        "start_time": torch.tensor([1e6, 3.0, 4.0, 1e6 + 0.9]).double(),
    }
    outputs = model(**batch, **motion)
    compared = model(**batch, return_loss=False)
    assert compared.loss is None and compared.logits is None
    excluded = [[j in ({0, 3} if i in (0, 3) else {i}) for j in range(4)] for i in range(4)]
    expected = loss_in_plain_loops(
        compared.predictions, compared.targets, [6, 3, 6, 6], [6, 3, 4, 6], excluded, temperature
    )
    assert outputs.loss.item() == pytest.approx(expected, rel=1e-5)
    assert outputs.target_index.tolist() == [0, 1, 2, 3]
    assert (outputs.logits == EXCLUDED).nonzero().tolist() == [[0, 3], [3, 0]]
    assert (model(**batch).logits > EXCLUDED).all()


def test_windows_whose_start_is_unknown_are_no_negatives_of_their_recording():
    outputs = make_model()(**make_batch(), recording_id=torch.tensor([1, 2, 1, 3]))
    assert (outputs.logits == EXCLUDED).nonzero().tolist() == [[0, 2], [2, 0]]


def test_predictions_see_visible_segments_only_and_targets_all():
    model, batch = make_model().eval(), make_batch()
    visible = batch["input_values_mask"][:, 0] & batch["visible_segments"][:, 0, None, :, None]
    online = model.graph_encoder(batch["input_values"][:, 0], visible)
    full = model.graph_encoder(batch["input_values"][:, 1], batch["input_values_mask"][:, 1])
    outputs = model(**batch, return_loss=False)
    torch.testing.assert_close(outputs.targets, full.pooled_latents)
    assert not outputs.targets.requires_grad
    torch.testing.assert_close(outputs.predictions, model.predictor(online.pooled_latents, online.steps_mask))


def test_symmetric_loss_is_the_mean_of_both_directions():
    batch = make_batch()
    model = make_model().eval()
    one, other = model(**batch).loss, model(**{name: value.flip(1) for name, value in batch.items()}).loss
    model.config.symmetric = True
    both = model(**batch).loss
    assert one.item() != pytest.approx(other.item(), rel=1e-3)
    torch.testing.assert_close(both, (one + other) / 2)


def test_padding_changes_no_prediction():
    model, batch = make_model().eval(), make_batch()
    together = model(**batch, return_loss=False)
    first = {"input_values": 9, "input_values_mask": 9}
    alone = {k: v[1:2, :, : first[k]] if k in first else v[1:2] for k, v in batch.items()}
    alone = model(**alone, return_loss=False)
    torch.testing.assert_close(together.predictions[1:2, :3], alone.predictions, atol=1e-5, rtol=1e-5)


def test_similarity_stays_in_single_precision_when_the_rest_does_not():
    model, batch = make_model().eval(), make_batch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(**batch).logits
        outputs = model(**batch, return_loss=False)
    assert logits.dtype == torch.float32
    steps = torch.arange(6) < torch.tensor([[6], [3], [6], [6]])
    target_steps = torch.arange(6) < torch.tensor([[6], [3], [4], [6]])
    expected = step_similarity(outputs.predictions.float(), outputs.targets.float(), steps, target_steps) / 0.1
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
def test_attention_implementations_agree(implementation):
    model, batch = make_model().eval(), make_batch()
    model.set_attn_implementation("sdpa")
    expected = model(**batch).logits
    model.set_attn_implementation(implementation)
    torch.testing.assert_close(model(**batch).logits, expected, atol=1e-5, rtol=1e-5)


def test_errors_say_what_to_do():
    model, batch = make_model(), make_batch()
    with pytest.raises(ValueError, match="two views of each window, but has"):
        model(batch["input_values"][:, 0])
    long = torch.zeros(1, 2, 33, 23, 6)
    with pytest.raises(ValueError, match="knows 8 steps, but the recordings have 9"):
        model(long)


# Training ------------------------------------------------------------------------------------------------------------


def train_one_step(model, **inputs):
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.0)
    model.train()(**inputs).loss.backward()
    optimizer.step()
    return [name for name, value in model.named_parameters() if torch.equal(value, before[name])]


@pytest.mark.parametrize("normalization", ["layer_norm", "batch_norm"])
def test_one_step_of_training_moves_every_parameter(normalization):
    assert train_one_step(make_model(normalization=normalization), **make_batch()) == []
    classifier = make_model(AnyMoGraphEncoderForSequenceClassification, num_labels=3, normalization=normalization)
    batch = {name: make_batch()[name][:, 0] for name in ("input_values", "input_values_mask")}
    assert train_one_step(classifier, **batch, labels=torch.tensor([0, 1, 2, 0])) == []


def gradients(model, **inputs) -> dict[str, torch.Tensor]:
    model.zero_grad()
    model.train()(**inputs).loss.backward()
    return {name: value.grad.clone() for name, value in model.named_parameters()}


def test_gradient_checkpointing_gives_the_same_gradients():
    model, batch = make_model(), make_batch()
    plain = gradients(model, **batch)
    model.gradient_checkpointing_enable()
    for name, value in gradients(model, **batch).items():
        torch.testing.assert_close(value, plain[name], msg=name)


def test_compiles_as_one_graph():
    torch._dynamo.reset()
    model = make_model().eval()
    batch = make_batch()
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    with torch.no_grad():
        torch.testing.assert_close(compiled(**batch).loss, model(**batch).loss)


MOTIONS = {
    "independent": {},
    "same recordings": {
        "recording_id": torch.tensor([0, 1, 0, 1]),
        "start_time": torch.tensor([0.0, 3.0, 0.5, 8.0]).double(),
    },
}


def loss_and_gradients(rows: slice) -> dict[str, tuple]:
    results = {}
    for motion in MOTIONS:
        model = make_model().eval()
        outputs = model(**{name: value[rows] for name, value in {**make_batch(), **MOTIONS[motion]}.items()})
        outputs.loss.backward()
        grads = {name: value.grad for name, value in model.named_parameters()}
        results[motion] = outputs.loss.detach(), outputs.target_index, grads
    return results


def run_process(rank: int, folder: str):
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    torch.save(loss_and_gradients(slice(2 * rank, 2 * rank + 2)), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_are_one_with_the_joint_batch(tmp_path):
    context = torch.multiprocessing.spawn(run_process, args=(str(tmp_path),), nprocs=2, join=False)
    deadline = time.monotonic() + 240
    try:
        while not context.join(timeout=5):
            assert time.monotonic() < deadline, "the processes wait for each other"
    finally:
        for process in context.processes:
            process.kill()
    apart = [torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1)]
    for motion, (loss, _, grads) in loss_and_gradients(slice(None)).items():
        losses, indices, halves = zip(*(results[motion] for results in apart), strict=True)
        torch.testing.assert_close(sum(losses) / 2, loss)
        assert torch.cat(indices).tolist() == [0, 1, 2, 3]
        # The targets carry no gradient, so that averaging over processes, as data-parallel training does, is exact.
        for name, value in grads.items():
            torch.testing.assert_close((halves[0][name] + halves[1][name]) / 2, value, atol=1e-5, rtol=1e-4, msg=name)


# Classification ------------------------------------------------------------------------------------------------------


def test_classification_of_the_mean_over_steps():
    model = make_model(AnyMoGraphEncoderForSequenceClassification, num_labels=5).eval()
    values, mask = make_batch()["input_values"][:, 0], make_batch()["input_values_mask"][:, 0]
    outputs = model(values, mask)
    latents = model.graph_encoder(values, mask).pooled_latents
    means = torch.stack([latents[0].mean(0), latents[1, :3].mean(0), latents[2].mean(0), latents[3].mean(0)])
    torch.testing.assert_close(outputs.logits, model.classifier(means))
    torch.testing.assert_close(model(values[1:2, :9], mask[1:2, :9]).logits, outputs.logits[1:2], atol=1e-5, rtol=1e-5)
    assert len(model(values, mask, output_hidden_states=True).hidden_states) >= 3


def test_losses_follow_the_problem():
    values = make_batch()["input_values"][:, 0]
    model = make_model(AnyMoGraphEncoderForSequenceClassification, num_labels=3).eval()
    logits, index = model(values).logits, torch.tensor([0, 2, 1, 1])
    expected = -logits.log_softmax(-1)[torch.arange(4), index].mean()
    torch.testing.assert_close(model(values, labels=index).loss, expected)
    several = torch.tensor([[1.0, 0.0, 1.0]] * 4)
    model.config.problem_type = "multi_label_classification"
    expected = -(several * logits.sigmoid().log() + (1 - several) * (-logits).sigmoid().log()).mean()
    torch.testing.assert_close(model(values, labels=several).loss, expected)
    model.config.problem_type = "regression"
    torch.testing.assert_close(model(values, labels=several).loss, (logits - several).square().mean())


def test_views_may_be_classified_together():
    model = make_model(AnyMoGraphEncoderForSequenceClassification).eval()
    values = make_batch()["input_values"]
    pair = values[:, :1].expand_as(values)
    torch.testing.assert_close(model(pair).logits, model(values[:, 0]).logits, atol=1e-5, rtol=1e-5)


# Saving and loading --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model_class", [AnyMoGraphEncoderForPreTraining, AnyMoGraphEncoderForSequenceClassification])
def test_saving_and_loading(model_class, tmp_path):
    model = make_model(model_class).eval()
    model.save_pretrained(tmp_path)
    loaded, info = model_class.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values()), info
    for name, value in model.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name]), name


def test_the_encoder_of_pre_training_loads_elsewhere(tmp_path):
    model = make_model().eval()
    model.graph_encoder.input_mean.normal_()
    model.save_pretrained(tmp_path)
    encoder, info = AnyMoGraphEncoder.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"] and all(key.startswith("predictor.") for key in info["unexpected_keys"])
    classifier, info = AnyMoGraphEncoderForSequenceClassification.from_pretrained(
        tmp_path, num_labels=7, output_loading_info=True
    )
    assert set(info["missing_keys"]) == {"classifier.weight", "classifier.bias"}
    assert classifier.classifier.weight.shape == (7, 16)
    for other in (encoder, classifier.graph_encoder, AutoModel.from_pretrained(tmp_path)):
        assert type(other) is AnyMoGraphEncoder
        for name, value in model.graph_encoder.state_dict().items():
            assert torch.equal(value, other.state_dict()[name]), name


def test_an_encoder_loads_into_its_heads(tmp_path):
    encoder = make_model(AnyMoGraphEncoder)
    encoder.save_pretrained(tmp_path)
    model, info = AnyMoGraphEncoderForPreTraining.from_pretrained(tmp_path, output_loading_info=True)
    assert all(key.startswith("predictor.") for key in info["missing_keys"]) and not info["unexpected_keys"]
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, model.graph_encoder.state_dict()[name]), name


def test_a_folder_of_another_model_is_refused(tmp_path):
    Qwen2Config(hidden_size=8, num_attention_heads=1, num_key_value_heads=1).save_pretrained(tmp_path)
    with pytest.raises(AttributeError, match="hidden_size"):
        AnyMoGraphEncoder.from_pretrained(tmp_path)


def test_dense_targets_of_sensors_are_turned_as_the_encoder_turns_them():
    """Turning a sensor of unknown orientation, and its ideal readings with it, changes no loss."""
    torch.manual_seed(0)
    model = make_model(canonical_axes=True, dense_loss_weight=1.0).eval()
    batch = make_batch()
    batch["input_values"][..., 2] += 9.8
    batch["visible_segments"] = torch.ones(4, 2, 23, dtype=torch.bool)
    dense = {
        "ideal_values": batch["input_values"][:, 0].clone(),
        "segment_values": batch["input_values"][:, 1],
        "segment_mask": torch.ones(4, 21, 23, dtype=torch.bool),
    }
    batch["input_values_mask"][:] = True
    quarter = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    turned = torch.einsum("ij,...vj->...vi", quarter, batch["input_values"].unflatten(-1, (2, 3))).flatten(-2)
    own = model(**batch, **dense).dense_loss
    other = model(**{**batch, "input_values": turned}, **{**dense, "ideal_values": turned[:, 0]}).dense_loss
    torch.testing.assert_close(own, other, atol=1e-4, rtol=1e-4)
    known = torch.ones(4, 2, 23, dtype=torch.bool)
    kept = model(
        **{**batch, "input_values": turned}, **{**dense, "ideal_values": turned[:, 0]}, orientation_known=known
    )
    assert (kept.dense_loss - own).abs() > 1e-3

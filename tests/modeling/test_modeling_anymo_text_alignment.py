# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Text alignment: the loss against plain loops, what it teaches, what it takes from a pre-trained encoder."""

import math

import pytest
import torch
import torch.nn.functional as F

from anymo_hf import AnyMoGraphEncoder, AnyMoGraphEncoderConfig, AnyMoGraphEncoderForTextAlignment


SIZES = {"hidden_sizes": [8, 16], "strides": [2, 2], "text_embedding_size": 4, "predictor_num_attention_heads": 2}


@pytest.fixture
def model():
    torch.manual_seed(0)
    return AnyMoGraphEncoderForTextAlignment(AnyMoGraphEncoderConfig.small(**SIZES))


def make_batch(batch_size=4, seed=1) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    mask = (torch.rand(batch_size, 1, 23, 1, generator=generator) < 0.2).repeat(1, 20, 1, 6)
    mask[:, :, 3] = True
    mask[1, 12:] = False
    values = torch.randn(mask.shape, generator=generator)
    values[..., 2] += 9.8
    texts = F.normalize(torch.randn(3, 4, generator=generator), dim=-1)
    return {
        "input_values": values,
        "input_values_mask": mask,
        "orientation_known": torch.rand(batch_size, 23, generator=generator) < 0.5,
        "text_embeddings": texts,
        "text_shares": torch.tensor([0.7, 0.2, 0.1]),
    }


def test_the_loss_against_plain_loops(model):
    batch = make_batch()
    texts, shares = batch["text_embeddings"], batch["text_shares"]
    output = model(**batch, text_index=torch.tensor([2, -1, 0, 0]))

    encoded = model.graph_encoder(*(batch[name] for name in list(batch)[:3]))
    centred = F.normalize(texts - texts.mean(dim=0), dim=-1)
    alike = [(centred[i] @ centred.T / 0.06).softmax(dim=0) for i in range(3)]
    prior = [sum(shares[i] * alike[i][j] for i in range(3)) for j in range(3)]
    losses = []
    for row, text in ((0, 2), (2, 0), (3, 0)):
        feature = model.text_head(encoded.pooled_latents[row][encoded.steps_mask[row]].mean(dim=0))
        torch.testing.assert_close(feature, output.text_features[row])
        scores = torch.stack([feature @ centred[j] + math.log(prior[j]) for j in range(3)])
        losses.append(-(alike[text] * scores.log_softmax(dim=0)).sum())
    torch.testing.assert_close(output.loss, sum(losses) / 3)


def test_without_a_text_there_is_nothing_to_learn(model):
    batch = make_batch()
    assert model(**batch).loss is None
    assert model(**batch, text_index=torch.full((4,), -1)).loss == 0
    del batch["text_shares"]  # equally frequent
    assert model(**batch, text_index=torch.tensor([0, 1, 2, 0])).loss > 0


def test_texts_of_another_teacher_are_refused(model):
    batch = make_batch()
    with pytest.raises(ValueError, match=r"shape \(num_texts, 4\), but is None"):
        model(batch["input_values"])
    with pytest.raises(ValueError, match=r"but is \(3, 2\)"):
        model(**{**batch, "text_embeddings": batch["text_embeddings"][:, :2]})


def test_motion_is_told_apart(model):
    batch = make_batch(batch_size=3)
    index = torch.tensor([0, 1, 2])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    before = {name: value.clone() for name, value in model.named_parameters()}
    for _ in range(60):
        optimizer.zero_grad()
        model(**batch, text_index=index).loss.backward()
        optimizer.step()
    assert model(**batch).logits.argmax(dim=1).tolist() == [0, 1, 2]
    assert not [name for name, value in model.named_parameters() if torch.equal(value, before[name])]


def test_an_encoder_goes_in_and_comes_out(model, tmp_path):
    model.graph_encoder.save_pretrained(tmp_path / "encoder")
    other = AnyMoGraphEncoderForTextAlignment.from_pretrained(tmp_path / "encoder", text_embedding_size=4)
    other.save_pretrained(tmp_path / "whole")
    encoder = AnyMoGraphEncoder.from_pretrained(tmp_path / "whole")
    for (name, one), two in zip(model.graph_encoder.named_parameters(), encoder.parameters(), strict=True):
        assert torch.equal(one, two), name

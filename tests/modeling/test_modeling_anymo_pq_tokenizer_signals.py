# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The signal decoder: what it learns from, what it leaves out, and that it stands without its tokenizer."""

import pytest
import torch
from transformers import Trainer, TrainingArguments

from anymo_hf import AnyMoPQTokenizer, AnyMoPQTokenizerConfig
from anymo_hf.modeling.modeling_anymo_signal_decoder import AnyMoSignalDecoder


def make_model(**kwargs):
    torch.manual_seed(0)
    sizes = {"latent_size": 12, "hidden_size": 8, "codebook_size": 6, "codebook_dim": 4}
    motion_tokenizer = AnyMoPQTokenizer(AnyMoPQTokenizerConfig(**{**sizes, **kwargs}))
    model = AnyMoSignalDecoder.from_motion_tokenizer(motion_tokenizer).eval()
    model.signal_mean.copy_(torch.randn(23, 6))
    model.signal_std.copy_(torch.rand(23, 6) + 0.5)
    return motion_tokenizer, model


def make_codes(*shape):
    return torch.randint(6, shape, generator=torch.Generator().manual_seed(0))


def mask_of(lengths, number):
    return torch.arange(number) < torch.tensor(lengths)[:, None]


def test_it_is_counted_apart():
    with torch.device("meta"):
        model = AnyMoSignalDecoder(AnyMoPQTokenizerConfig())
        paper = AnyMoPQTokenizer(AnyMoPQTokenizerConfig())
    # The last layer gives four frames of all segments' channels in place of the latents.
    last = (256 + 1) * (4 * 23 * 6 - 256)
    count = sum(one.numel() for one in model.parameters())
    assert count == sum(one.numel() for one in paper.decoder.parameters()) + last


def test_it_has_the_tokenizer_s_codebooks():
    motion_tokenizer, model = make_model()
    assert torch.equal(model.codebooks, motion_tokenizer.codebooks)
    codes = make_codes(1, 2, 3)
    before = model(codes).segment_values
    motion_tokenizer.update_codebooks(torch.randn(2, 9, 12))
    assert torch.equal(model(codes).segment_values, before)  # a copy


def test_an_untaught_decoder_knows_the_mean():
    _, model = make_model()
    torch.nn.init.zeros_(model.decoder.output_projection.weight)
    values = model(make_codes(2, 2, 5)).segment_values
    torch.testing.assert_close(values, model.signal_mean.expand(2, 20, 23, 6))
    target = model.signal_mean + model.signal_std * torch.randn(2, 20, 23, 6)
    loss = model(make_codes(2, 2, 5), segment_values=target).loss
    torch.testing.assert_close(loss, ((target - model.signal_mean) / model.signal_std).square().mean())


@pytest.mark.parametrize("step_stride", [1, 2, 4])
@pytest.mark.parametrize("num_frames", [50, 52])
def test_four_frames_per_step_as_many_as_asked(step_stride, num_frames):
    _, model = make_model(step_stride=step_stride)
    codes, steps_mask = make_codes(2, 2, -(-13 // step_stride)), mask_of([13, 6], 13)
    assert model(codes, steps_mask).segment_values.shape == (2, 52, 23, 6)
    output = model(codes, steps_mask, torch.randn(2, num_frames, 23, 6))
    assert output.segment_values.shape == (2, num_frames, 23, 6) and output.loss > 0
    assert not output.segment_values[1, 24:].any()
    alone = model(codes[1:, :, : -(-6 // step_stride)], torch.ones(1, 6, dtype=torch.bool))
    torch.testing.assert_close(alone.segment_values[0], output.segment_values[1, :24])


def test_only_what_was_measured_counts():
    _, model = make_model()
    codes, steps_mask, target = make_codes(2, 2, 5), mask_of([5, 3], 5), torch.randn(2, 20, 23, 6)
    segment_mask = torch.rand(2, 20, 23) < 0.7
    output = model(codes, steps_mask, target, segment_mask)
    observed = segment_mask & mask_of([20, 12], 20)[..., None]
    errors = (output.segment_values - target) / model.signal_std
    torch.testing.assert_close(output.loss, errors[observed].square().mean())
    other = torch.where(observed[..., None], target, torch.nan)
    torch.testing.assert_close(model(codes, steps_mask, other, segment_mask).loss, output.loss)
    assert model(codes, steps_mask).loss is None


def test_statistics_are_of_observed_values():
    _, model = make_model()
    values, mask = 3 * torch.randn(4, 50, 23, 6) + 9.8, torch.rand(4, 50, 23) < 0.5
    model.estimate_signal_statistics(values.masked_fill(~mask[..., None], 1e6), mask)
    for segment in (0, 22):
        seen = values[:, :, segment][mask[:, :, segment]]
        torch.testing.assert_close(model.signal_mean[segment], seen.mean(dim=0))
        torch.testing.assert_close(model.signal_std[segment], seen.std(dim=0, unbiased=False))


def test_it_learns_what_codes_tell(tmp_path):
    _, model = make_model()
    before = {name: one.detach().clone() for name, one in model.named_parameters()}
    buffers = {name: one.clone() for name, one in model.named_buffers()}
    items = []
    for i in range(6):  # every code has a reading of its own
        values = model.signal_mean + model.signal_std * (i - 2.5)
        items.append({"codes": torch.full((2, 5), i), "segment_values": values.expand(20, 23, 6)})
    arguments = TrainingArguments(
        tmp_path, per_device_train_batch_size=6, max_steps=60, learning_rate=1e-2, use_cpu=True, disable_tqdm=True,
        prediction_loss_only=True, save_strategy="no",
    )  # fmt: skip
    trainer = Trainer(model, arguments, train_dataset=items, eval_dataset=items)
    start = trainer.evaluate()["eval_loss"]
    trainer.train()
    assert trainer.evaluate()["eval_loss"] < 0.25 * start
    assert all(not torch.equal(before[name], one) for name, one in model.named_parameters())
    assert all(torch.equal(buffers[name], one) for name, one in model.named_buffers())


def test_what_is_saved_is_loaded(tmp_path):
    _, model = make_model(step_stride=2)
    model.save_pretrained(tmp_path)
    loaded, info = AnyMoSignalDecoder.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values()), info
    codes = make_codes(2, 2, 5)
    assert torch.equal(loaded(codes).segment_values, model(codes).segment_values)
    half = AnyMoSignalDecoder.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert half.codebooks.dtype == half.signal_mean.dtype == torch.float32
    torch.testing.assert_close(half(codes).segment_values, model(codes).segment_values, rtol=0.1, atol=0.1)


def test_what_is_refused():
    _, model = make_model()
    codes, target = make_codes(2, 2, 5), torch.zeros(2, 20, 23, 6)
    with pytest.raises(ValueError, match="`codes` must lie in 0 to 5"):
        model(codes + 6)
    with pytest.raises(ValueError, match="`segment_values` must have shape"):
        model(codes, segment_values=target[..., :3])
    with pytest.raises(ValueError, match="6 steps have 6 codes per codebook"):
        model(codes, segment_values=torch.zeros(2, 24, 23, 6))
    with pytest.raises(ValueError, match="`segment_values` must have shape"):
        model(codes, torch.ones(2, 5, dtype=torch.bool), torch.zeros(2, 24, 23, 6))
    with pytest.raises(ValueError, match="`segment_mask` must have shape"):
        model(codes, segment_values=target, segment_mask=torch.ones(2, 20, dtype=torch.bool))

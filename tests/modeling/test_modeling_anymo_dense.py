# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Dense targets of pre-training: spectra of known motion, literal losses, what counts and what does not."""

import math

import pytest
import torch

from anymo_hf import AnyMoGraphEncoderConfig, AnyMoGraphEncoderForPreTraining
from anymo_hf.modeling.modeling_anymo_dense import (
    FORCE_FLOOR,
    RATE_FLOOR,
    SEGMENT_LOSS_WEIGHT,
    AnyMoDenseHead,
    octave_spectrum,
)


NUM_FRAMES = 80


def make_config(**kwargs) -> AnyMoGraphEncoderConfig:
    sizes = {"hidden_sizes": [8, 16], "strides": [2, 2], "predictor_num_hidden_layers": 1}
    sizes |= {"predictor_intermediate_size": 16, "predictor_num_attention_heads": 2, "dense_loss_weight": 1.0}
    return AnyMoGraphEncoderConfig(**{**sizes, **kwargs})


def make_head() -> AnyMoDenseHead:
    """A head that predicts the mean of everything."""
    head = AnyMoDenseHead(make_config())
    for parameter in head.parameters():
        torch.nn.init.zeros_(parameter)
    return head


def make_targets(batch_size=2, num_frames=NUM_FRAMES) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shape = (batch_size, num_frames, 23, 6)
    return {
        "ideal_values": torch.randn(shape, generator=generator),
        "segment_values": torch.randn(shape, generator=generator),
        "segment_mask": torch.ones(shape[:-1], dtype=torch.bool),
    }


def make_batch(batch_size=2) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    visible = torch.zeros(batch_size, 2, 23, dtype=torch.bool)
    visible[:, 0, 9] = True
    values = torch.randn(batch_size, 2, NUM_FRAMES, 23, 6, generator=generator)
    return {"input_values": values, "visible_segments": visible, **make_targets(batch_size)}


@pytest.mark.parametrize(("frequency", "band"), [(0.9375, 0), (1.875, 1), (3.28, 2), (6.1, 3), (12.2, 4), (22.0, 5)])
def test_a_sine_has_its_energy_in_its_octave(frequency, band):
    times = torch.arange(NUM_FRAMES) / 60.0
    values = torch.zeros(1, NUM_FRAMES, 23, 6)
    values[..., 0, 1] = 10.0 * torch.sin(2 * math.pi * frequency * times)
    values[..., 3, 5] = values[..., 0, 1]
    mask = torch.ones(1, NUM_FRAMES, 23, dtype=torch.bool)
    spectrum, spectrum_mask = octave_spectrum(values, mask, 8)
    assert spectrum.shape == (1, 3, 23, 12) and spectrum_mask.all()
    assert (spectrum[0, :, 0, :6].argmax(dim=-1) == band).all()
    assert (spectrum[0, :, 3, 6:].argmax(dim=-1) == band).all()
    # A Hann window of 64 frames squared: three eighths of them, and half of the energy at positive frequencies.
    energy = 10**2 / 2 * 64 / 2 * (64 * 3 / 8)
    low_share = {0: 0.8}.get(band, 0.95)  # the lowest octave loses a side of its peak to the mean
    total = (10 ** spectrum[0, :, 0, :6] - FORCE_FLOOR).sum(dim=-1)
    assert (total > low_share * energy * 0.99).all() and (total < energy * 1.05).all()
    still = spectrum[0, :, 1]
    torch.testing.assert_close(still[:, :6], torch.full((3, 6), math.log10(FORCE_FLOOR)))
    torch.testing.assert_close(still[:, 6:], torch.full((3, 6), math.log10(RATE_FLOOR)))


def test_spectra_do_not_depend_on_the_mounting():
    targets = make_targets()
    turned = targets["segment_values"].unflatten(-1, (2, 3))
    rotation = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(2))).Q
    turned = (turned @ rotation).flatten(-2)
    spectra = [
        octave_spectrum(values, targets["segment_mask"], 8)[0] for values in (targets["segment_values"], turned)
    ]
    torch.testing.assert_close(*spectra, atol=1e-4, rtol=1e-4)


def test_losses_of_literal_targets():
    head, targets = make_head(), make_targets()
    hidden_states = torch.zeros(2, NUM_FRAMES // 4, 23, 16)
    visible = torch.zeros(2, 23, dtype=torch.bool)
    visible[0, 9] = visible[1, 3] = True
    targets["segment_mask"][1, 10:] = False  # recording 1 ends
    huge = {name: value.clone() for name, value in targets.items()}
    # What no sensor saw, and what was not measured, must not matter.
    huge["ideal_values"][~visible[:, None].expand(2, NUM_FRAMES, 23)] = 1e6
    huge["ideal_values"][1, 10:] = 1e6
    huge["segment_values"][1, 10:] = 1e6

    def smooth(x):
        return torch.where(x.abs() < 1, x.square() / 2, x.abs() - 0.5)

    seen = torch.cat([targets["ideal_values"][0, :, 9], targets["ideal_values"][1, :10, 3]])
    segments = targets["segment_values"][targets["segment_mask"]]
    spectrum = octave_spectrum(targets["segment_values"][:1], targets["segment_mask"][:1], 8)[0]
    expected = smooth(seen).mean() + SEGMENT_LOSS_WEIGHT * smooth(segments).mean() + smooth(spectrum).mean()
    torch.testing.assert_close(head(hidden_states, visible, **huge), expected)


def test_the_mean_misses_by_half_a_variance():
    head, targets = make_head(), make_targets(64)
    targets["segment_values"] = targets["segment_values"] * 0.2 + 9.8
    head.estimate_statistics(targets["segment_values"], targets["segment_mask"])
    torch.testing.assert_close(head.readings_mean, torch.full((23, 6), 9.8), atol=0.02, rtol=0)
    torch.testing.assert_close(head.readings_std, torch.full((23, 6), 0.2), atol=0.02, rtol=0)


def test_the_loss_is_the_weighted_sum_and_all_parameters_learn():
    torch.manual_seed(0)
    model = AnyMoGraphEncoderForPreTraining(make_config(contrastive_loss_weight=0.25, dense_loss_weight=2.0))
    outputs = model(**make_batch())
    torch.testing.assert_close(outputs.loss, 0.25 * outputs.contrastive_loss + 2.0 * outputs.dense_loss)
    outputs.loss.backward()
    assert {name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()} == set()


def test_short_windows_have_no_spectrum_but_a_loss():
    model = AnyMoGraphEncoderForPreTraining(make_config())
    batch = {name: value[:, :40] if value.ndim == 4 else value for name, value in make_batch().items()}
    batch["input_values"] = batch["input_values"][:, :, :40]
    batch["segment_mask"] = batch["segment_mask"][:, :40]
    assert model(**batch).loss.isfinite()


def test_missing_targets_are_named():
    batch = make_batch()
    del batch["ideal_values"], batch["segment_mask"]
    with pytest.raises(ValueError, match=r"\['ideal_values', 'segment_mask'\].*return_kinematics"):
        AnyMoGraphEncoderForPreTraining(make_config())(**batch)


def test_statistics_and_weights_survive_saving(tmp_path):
    model = AnyMoGraphEncoderForPreTraining(make_config())
    targets = make_targets()
    model.dense_head.estimate_statistics(targets["segment_values"], targets["segment_mask"])
    model.save_pretrained(tmp_path)
    loaded = AnyMoGraphEncoderForPreTraining.from_pretrained(tmp_path)
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    # The paper's recipe has no such head.
    assert AnyMoGraphEncoderForPreTraining(make_config(dense_loss_weight=0.0)).dense_head is None

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The slow part of readings: sines of known frequency, gaps, and an encoder that looks at nothing else."""

import math

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError

from anymo_hf import AnyMoGraphEncoder, AnyMoGraphEncoderConfig
from anymo_hf.modeling.modeling_anymo_low_pass import gaussian_kernel, low_pass


def sine(frequency: float, num_frames: int = 300) -> torch.Tensor:
    """At 60 Hz on all channels, shape `(1, num_frames, 23, 6)`."""
    wave = torch.sin(2 * math.pi * frequency * torch.arange(num_frames) / 60)
    return wave[None, :, None, None].expand(1, -1, 23, 6)


@pytest.fixture(scope="module")
def encoder() -> AnyMoGraphEncoder:
    torch.manual_seed(0)
    return AnyMoGraphEncoder(AnyMoGraphEncoderConfig.small(cutoff=4.0)).eval()


@pytest.mark.parametrize(
    ("frequency", "left"), [(0.0, 1.0), (1.0, 0.5 ** (1 / 16)), (4.0, 0.5), (8.0, 0.5**4), (20.0, 0.0)]
)
def test_amplitude_that_is_left(frequency, left):
    """Of a Gaussian with half the amplitude at 4 Hz: 0.5 ** (f / 4)**2, and no delay."""
    wave = sine(frequency) + (1.0 if frequency == 0 else 0.0)
    smooth = low_pass(wave, None, 4.0, 60.0)
    torch.testing.assert_close(smooth[:, 40:-40], left * wave[:, 40:-40], atol=4e-3, rtol=0)


def test_kernel_is_a_symmetric_mean():
    kernel = gaussian_kernel(4.0, 60.0)
    assert kernel.sum().item() == pytest.approx(1.0)
    torch.testing.assert_close(kernel, kernel.flip(0))


def test_unobserved_readings_do_not_count():
    """A constant stays one beside gaps and both ends, whatever stands in the gaps."""
    values, mask = torch.full((2, 100, 23, 6), 9.8), torch.ones(2, 100, 23, 6, dtype=torch.bool)
    mask[0, 30:50, 3], mask[1, 90:], mask[1, :, 7, 3:] = False, False, False
    smooth = low_pass(values.masked_fill(~mask, float("nan")), mask, 3.0, 60.0)
    torch.testing.assert_close(smooth, torch.where(mask, values, 0.0), atol=1e-4, rtol=0)


def test_all_observed_is_as_without_a_mask():
    values = torch.randn(2, 90, 23, 6, generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(values, dtype=torch.bool)
    torch.testing.assert_close(low_pass(values, mask, 5.0, 60.0), low_pass(values, None, 5.0, 60.0))


def test_padding_changes_nothing():
    values = torch.randn(1, 90, 23, 6, generator=torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(values, (0, 0, 0, 0, 0, 60))
    mask = torch.zeros_like(padded, dtype=torch.bool)
    mask[:, :90] = True
    smooth = low_pass(padded, mask, 5.0, 60.0)
    torch.testing.assert_close(smooth[:, :90], low_pass(values, None, 5.0, 60.0))


@torch.no_grad()
def test_encoder_is_deaf_to_fast_vibration(encoder):
    slow = sine(1.0) * 3 + torch.tensor([0.0, 0.0, 9.8, 0.0, 0.0, 0.0])
    fast = slow + 2 * sine(20.0)
    hearing = AnyMoGraphEncoder(AnyMoGraphEncoderConfig.small(cutoff=None)).eval()
    hearing.load_state_dict(encoder.state_dict())
    changes = [(one(fast).last_hidden_state - one(slow).last_hidden_state).norm() for one in (encoder, hearing)]
    assert changes[0] < 0.05 * changes[1]  # what is left comes from both ends, where the kernel is cut


def test_statistics_are_those_of_the_slow_part(encoder):
    readings = sine(20.0) * 5 + torch.randn(1, 300, 23, 6, generator=torch.Generator().manual_seed(0)) * 0.01
    known = AnyMoGraphEncoder(AnyMoGraphEncoderConfig.small(cutoff=4.0, canonical_axes=False))
    known.estimate_input_statistics(readings)
    assert known.input_std.max() < 0.1


def test_gradients_reach_the_readings(encoder):
    readings = torch.randn(1, 60, 23, 6, generator=torch.Generator().manual_seed(0)).requires_grad_()
    encoder(readings).pooled_latents.square().mean().backward()
    assert readings.grad.abs().amax(dim=(0, 1, 3)).gt(0).all()


@pytest.mark.parametrize("cutoff", [0.0, -1.0, 30.0, 1e-9])
def test_impossible_cutoffs(cutoff):
    with pytest.raises(StrictDataclassClassValidationError, match="`cutoff` must be None or from 0.1 Hz"):
        AnyMoGraphEncoderConfig.small(cutoff=cutoff)

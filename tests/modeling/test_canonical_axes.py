# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Axes from a sensor's own readings: known swings, any mounting, what is missing, and what the encoder makes of it."""

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError
from scipy.spatial.transform import Rotation

from anymo_hf import AnyMoGraphEncoder, AnyMoGraphEncoderConfig
from anymo_hf.modeling.modeling_anymo_canonical_axes import canonical_axes, turn_readings, whole_vectors


GRAVITY = 9.80665


def random_rotations(*shape, seed=0) -> torch.Tensor:
    matrices = Rotation.random(int(torch.tensor(shape).prod()), rng=seed).as_matrix()
    return torch.tensor(matrices, dtype=torch.float32).view(*shape, 3, 3)


def swinging(batch_size=2, num_frames=240, gravity=GRAVITY, seed=0) -> torch.Tensor:
    """Force that swings most along an axis of each sensor's own, with peaks to one side, and rate to go with it."""
    generator = torch.Generator().manual_seed(seed)
    phase = torch.rand(batch_size, 1, 23, 1, generator=generator) * 6 + torch.arange(num_frames)[:, None, None] / 8
    wave = torch.cat([phase.sin().clamp(min=0) ** 2 * 6, (2 * phase).cos(), (3 * phase).sin() * 2], dim=-1)
    force = wave + torch.tensor([0.0, 0.0, gravity])
    return torch.cat([force, wave.flip(-1) / 3], dim=-1)


def test_axes_of_a_known_swing():
    """Up is z; pulses along the direction at 30 degrees in the horizontal plane give x, whichever way they point."""
    frames = torch.arange(200)
    pulses = (frames / 5).sin().clamp(min=0) ** 4 * 5
    for degrees in (30.0, 210.0):
        direction = torch.tensor([degrees]).deg2rad()
        force = torch.stack([pulses * direction.cos(), pulses * direction.sin(), torch.full((200,), GRAVITY)], dim=-1)
        force[:, :2] -= force[:, :2].mean(dim=0)
        readings = torch.zeros(1, 200, 23, 6)
        readings[0, :, :, :3] = force[:, None]
        axes, up, has_gravity = canonical_axes(readings)
        expected = torch.tensor(
            [[direction.cos(), direction.sin(), 0], [-direction.sin(), direction.cos(), 0], [0, 0, 1]]
        )
        torch.testing.assert_close(axes[0, 4], expected, atol=1e-4, rtol=0)
        torch.testing.assert_close(up[0, 4], torch.tensor([0.0, 0.0, 1.0]), atol=1e-5, rtol=0)
        assert has_gravity.all()


@pytest.mark.parametrize("gravity", [GRAVITY, 0.0])
def test_sensors_mounted_otherwise_read_the_same(gravity):
    readings = swinging(gravity=gravity)
    readings[..., :3] -= 0 if gravity else readings[..., :3].mean(dim=1, keepdim=True)
    turned = turn_readings(random_rotations(2, 23), readings)
    assert (turned - readings).abs().max() > 1
    own, other = (turn_readings(canonical_axes(one)[0], one) for one in (readings, turned))
    torch.testing.assert_close(own, other, atol=2e-4, rtol=0)
    assert (canonical_axes(readings)[2] == bool(gravity)).all()


def test_axes_are_right_handed_and_of_unit_length():
    axes, _, _ = canonical_axes(torch.randn(3, 50, 23, 6))
    torch.testing.assert_close(axes @ axes.transpose(-1, -2), torch.eye(3).expand_as(axes), atol=1e-5, rtol=0)
    assert (torch.linalg.det(axes) > 0.99).all()


def test_frames_that_were_not_observed_do_not_count():
    readings = swinging()
    mask = torch.rand(readings.shape[:3], generator=torch.Generator().manual_seed(1)) < 0.7
    mask = mask[..., None].expand_as(readings).clone()
    mask[:, 5, :, 1] = False  # one axis missing: that force has no direction
    spoilt = torch.where(mask, readings, torch.nan)
    spoilt[:, 5, :, :3] = torch.nan
    kept = whole_vectors(mask)
    assert not kept[:, 5, :, :3].any() and torch.equal(kept[:, 6:], mask[:, 6:])
    for one in canonical_axes(spoilt, mask)[:2]:
        assert one.isfinite().all()
    torch.testing.assert_close(canonical_axes(spoilt, mask)[0], canonical_axes(readings, mask)[0])


def test_without_any_force_axes_stay_as_they_are():
    mask = torch.zeros(1, 10, 23, 6, dtype=torch.bool)
    mask[..., 3:] = True
    axes, _, has_gravity = canonical_axes(torch.randn(1, 10, 23, 6), mask)
    assert torch.equal(axes, torch.eye(3).expand(1, 23, 3, 3)) and not has_gravity.any()


@pytest.mark.parametrize("readings", [torch.zeros(1, 20, 23, 6), torch.full((1, 1, 23, 6), 5.0)])
def test_what_does_not_swing_has_axes_all_the_same(readings):
    axes, up, _ = canonical_axes(readings)
    assert axes.isfinite().all() and up.isfinite().all()


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    model = AnyMoGraphEncoder(AnyMoGraphEncoderConfig.small()).eval()
    torch.nn.init.normal_(model.up_token)
    return model


@torch.no_grad()
def test_mounting_does_not_change_latents_unless_axes_are_known(encoder):
    readings = swinging()
    turned = turn_readings(random_rotations(2, 23, seed=3), readings)
    own, other = (encoder(one).pooled_latents for one in (readings, turned))
    torch.testing.assert_close(own, other, atol=1e-3, rtol=0)
    known = torch.ones(2, 23, dtype=torch.bool)
    own_known, other_known = (encoder(one, orientation_known=known).pooled_latents for one in (readings, turned))
    assert (own_known - other_known).abs().mean() > 10 * (own - other).abs().mean()
    assert (own_known - own).abs().max() > 1e-2


@torch.no_grad()
def test_known_axes_are_told_sensor_by_sensor(encoder):
    """A sensor whose axes are not known may be turned beside one whose axes are."""
    readings = swinging()
    known = torch.zeros(2, 23, dtype=torch.bool)
    known[:, :5] = True
    rotations = random_rotations(2, 23, seed=4)
    rotations[:, :5] = torch.eye(3)
    own, other = (
        encoder(one, orientation_known=known).pooled_latents for one in (readings, turn_readings(rotations, readings))
    )
    torch.testing.assert_close(own, other, atol=1e-3, rtol=0)


def test_statistics_are_those_of_readings_in_canonical_axes():
    model = AnyMoGraphEncoder(AnyMoGraphEncoderConfig.small())
    readings = turn_readings(random_rotations(2, 23), swinging())
    model.estimate_input_statistics(readings)
    torch.testing.assert_close(model.input_mean[:, :2], torch.zeros(23, 2), atol=1e-3, rtol=0)
    torch.testing.assert_close(model.input_mean[:, 2], readings[..., :3].mean(dim=1).norm(dim=-1).mean(dim=0))


def test_almost_equal_swings_without_gravity_still_define_axes():
    """The second direction swings with 95 % of the strength of the first."""
    generator = torch.Generator().manual_seed(0)
    readings = torch.randn(64, 200, 23, 6, generator=generator) * torch.tensor([1.0, 0.95, 0.5, 1.0, 1.0, 1.0])
    readings[..., :3] -= readings[..., :3].mean(dim=1, keepdim=True)
    turned = turn_readings(random_rotations(64, 23), readings)
    own, other = (turn_readings(canonical_axes(one)[0], one) for one in (readings, turned))
    differing = (own - other).abs().amax(dim=(1, 3)) > 0.1
    assert differing.float().mean() < 0.02  # some have two directions of truly equal strength


def test_a_force_without_direction_leaves_the_rate_as_it_is():
    readings = torch.zeros(1, 30, 23, 6)
    readings[..., 3:] = torch.randn(1, 30, 23, 3, generator=torch.Generator().manual_seed(0))
    axes, _, has_gravity = canonical_axes(readings)
    torch.testing.assert_close(turn_readings(axes, readings), readings)
    assert not has_gravity.any()


@torch.no_grad()
def test_axes_are_exact_under_autocast(encoder):
    readings = swinging()
    mask = torch.ones_like(readings, dtype=torch.bool)
    exact = encoder._embed(readings, mask, None)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(encoder._embed(readings, mask, None), exact)


def test_wrong_shapes_are_named(encoder):
    with pytest.raises(ValueError, match="`orientation_known` must have shape"):
        encoder(swinging(), orientation_known=torch.ones(2, 22, dtype=torch.bool))
    with pytest.raises(StrictDataclassClassValidationError, match="`canonical_axes` need `num_channels` to be 6"):
        AnyMoGraphEncoderConfig(canonical_axes=True, num_channels=3)


@torch.no_grad()
def test_views_have_axes_of_their_own(encoder):
    readings = torch.stack([swinging(seed=0), swinging(seed=1)], dim=1)
    known = torch.zeros(2, 2, 23, dtype=torch.bool)
    known[:, 1] = True
    mean = encoder(readings, orientation_known=known).pooled_latents
    apart = [encoder(readings[:, view], orientation_known=known[:, view]).pooled_latents for view in range(2)]
    torch.testing.assert_close(mean, torch.stack(apart).mean(dim=0), atol=1e-5, rtol=0)

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""NaN, infinity, nothing observed, one frame, a million frames: an answer that holds, or a ValueError."""

import functools

import numpy as np
import pytest
import torch
from sample_files import swaying_motion

from anymo_hf import (
    AnyMoFeatureExtractor,
    AnyMoGraphEncoder,
    AnyMoGraphEncoderConfig,
    AnyMoPQTokenizer,
    AnyMoPQTokenizerConfig,
    Placements,
    SegmentKinematics,
    simulate_imu,
)
from anymo_hf.processing import StreamingFeatureExtractor
from anymo_hf.processing.placements_anymo import SEGMENTS
from anymo_hf.simulation.conversion import save_kinematics
from anymo_hf.simulation.errors import SensorErrors
from anymo_hf.training import PairedViewDataset


MILLION = 1_000_000
WORST = (np.nan, np.inf, -np.inf, 1e300, -1e38)  # the last two would overflow in single precision
WRIST = SEGMENTS.index("L_Forearm")


@functools.cache
def encoder(**options) -> AnyMoGraphEncoder:
    torch.manual_seed(0)
    return AnyMoGraphEncoder(AnyMoGraphEncoderConfig.small(hidden_sizes=[4, 4, 4, 8], **options)).eval()


@functools.cache
def tokenizer() -> AnyMoPQTokenizer:
    torch.manual_seed(0)
    return AnyMoPQTokenizer(AnyMoPQTokenizerConfig.small(latent_size=8, hidden_size=8)).eval()


def make_kinematics(num_frames: int, seed: int = 0) -> SegmentKinematics:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(num_frames, 23, 12, generator=generator)
    return SegmentKinematics(values, torch.ones(num_frames, 23, dtype=torch.bool), 60.0)


# Readings -----------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("worst", WORST)
def test_a_reading_that_is_none_is_missing(worst):
    values = np.tile([0.1, 0.2, 9.8, 0.0, 0.1, 0.0], (300, 1)) + np.random.default_rng(0).normal(size=(300, 6))
    values[100:120, 2], values[200, 4] = worst, worst
    features = AnyMoFeatureExtractor()({"left wrist": values}, sampling_rate=60)
    observed = features["input_values_mask"]
    assert np.isfinite(features["input_values"]).all()
    assert not features["input_values"][~observed].any()
    assert not observed[0, 105:115, WRIST, 2].any() and observed[0, 105:115, WRIST, 1].all()
    # A stream, which sees one chunk after the other, thinks the same.
    stream = StreamingFeatureExtractor(AnyMoFeatureExtractor(), {"left wrist": 60.0}, length=5.0, overlap=0.0)
    windows = [stream.push({"left wrist": (np.arange(300) / 60, values)}), stream.flush()]
    mask = np.concatenate([part["input_values_mask"] for part in windows])
    assert np.isfinite(np.concatenate([part["input_values"] for part in windows])).all()
    np.testing.assert_array_equal(mask[0], observed[0])


@pytest.mark.parametrize("nothing", [np.nan, np.inf])
def test_nothing_measured_is_told(nothing):
    with pytest.raises(ValueError, match="NaN"):
        AnyMoFeatureExtractor()({"left wrist": np.full((100, 6), nothing)}, sampling_rate=60)
    stream = StreamingFeatureExtractor(AnyMoFeatureExtractor(), {"left wrist": 60.0}, length=1.0)
    stream.push({"left wrist": (np.arange(200) / 60, np.full((200, 6), nothing))})
    assert len(stream.flush()["start_times"]) == 0


@pytest.mark.filterwarnings("ignore")
def test_a_single_reading():
    features = AnyMoFeatureExtractor()({"left wrist": np.array([[0, 0, 9.8, 0, 0, 0.0]])}, sampling_rate=60)
    assert features["input_values"].shape == (1, 1, 23, 6) and features["input_values_mask"].sum() == 6
    latents = encoder()(
        torch.from_numpy(features["input_values"]), torch.from_numpy(features["input_values_mask"])
    ).pooled_latents
    assert latents.shape == (1, 1, 8) and latents.isfinite().all()


# The encoder and the tokenizer --------------------------------------------------------------------------------------


@pytest.mark.parametrize("pooled", ["all", "observed"])
def test_what_is_not_observed_may_hold_anything(pooled):
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(2, 50, 23, 6, generator=generator)
    mask = torch.rand(values.shape, generator=generator) < 0.3
    expected = encoder(pooled_segments=pooled)(values, mask)
    for worst in (torch.nan, torch.inf, -torch.inf, 3e38):
        found = encoder(pooled_segments=pooled)(values.masked_fill(~mask, worst), mask)
        torch.testing.assert_close(found.pooled_latents, expected.pooled_latents, rtol=0, atol=0)
        assert found.last_hidden_state.isfinite().all()


@pytest.mark.parametrize("pooled", ["all", "observed"])
def test_a_recording_without_anything_observed_gives_zeros_and_harms_no_neighbour(pooled):
    values = torch.randn(2, 40, 23, 6, generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(values, dtype=torch.bool)
    mask[0] = False
    both = encoder(pooled_segments=pooled)(values, mask)
    assert not both.steps_mask[0].any() and not both.pooled_latents[0].any() and both.steps_mask[1].all()
    alone = encoder(pooled_segments=pooled)(values[1:], mask[1:])
    torch.testing.assert_close(both.pooled_latents[1:], alone.pooled_latents)
    output = tokenizer()(both.pooled_latents, both.steps_mask)
    assert output.loss.isfinite() and not output.reconstruction[0].any()
    codes = tokenizer().encode(both.pooled_latents, both.steps_mask)
    assert codes.shape[-1] == 10 and (codes >= 0).all() and (codes < tokenizer().config.codebook_size).all()


def test_one_frame_and_batches_of_it():
    values = torch.randn(3, 1, 23, 6, generator=torch.Generator().manual_seed(0))
    output = encoder()(values)
    assert output.pooled_latents.shape == (3, 1, 8) and output.pooled_latents.isfinite().all()
    codes = tokenizer().encode(output.pooled_latents)
    assert tokenizer().decode(codes).shape == (3, 1, 8)
    with pytest.raises(ValueError, match="at least one frame"):
        encoder()(values[:, :0])


# Simulation and views -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("errors", [None, "watch"])
@pytest.mark.parametrize("worst", [torch.nan, torch.inf])
def test_motion_that_was_not_measured_gives_nan_and_nothing_else_does(worst, errors):
    kinematics = make_kinematics(60)
    kinematics.mask[20:30, WRIST] = False
    kinematics.values[20:30, WRIST] = worst
    placements = Placements.from_names(["left wrist", "right wrist"])
    hit = placements.segment.tolist().index(WRIST)
    generator = torch.Generator().manual_seed(0)
    imu = simulate_imu(kinematics, placements, errors and SensorErrors.preset(errors), generator)
    assert imu[20:30, hit].isnan().all()
    if errors is None:
        assert imu[:20, hit].isfinite().all() and imu[30:, hit].isfinite().all() and imu[:, 1 - hit].isfinite().all()
    kinematics.mask[:] = False
    assert simulate_imu(kinematics, placements).isnan().all()


@pytest.mark.parametrize("num_frames", [0, 1, 2])
@pytest.mark.parametrize("errors", [None, "phone"])
def test_simulating_almost_nothing(num_frames, errors):
    placements = Placements.from_names(["left wrist"])
    errors = errors and SensorErrors.preset(errors)
    imu = simulate_imu(make_kinematics(num_frames), placements, errors, torch.Generator().manual_seed(0))
    assert imu.shape == (num_frames, 1, 6) and not imu.isinf().any()


def test_views_of_clips_with_one_frame_and_with_holes(tmp_path):
    for seed, num_frames in enumerate((1, 2, 30, 400)):
        kinematics = make_kinematics(num_frames, seed)
        kinematics.mask[num_frames // 3 : num_frames // 2] = False
        kinematics.values[~kinematics.mask] = 0.0
        save_kinematics(kinematics, tmp_path / f"{seed:016x}.safetensors")
    hidden = make_kinematics(40)
    hidden.mask[:], hidden.values[:] = False, 0.0
    save_kinematics(hidden, tmp_path / f"{9:016x}.safetensors")
    dataset = PairedViewDataset(tmp_path, return_kinematics=True)
    for epoch in range(3):
        dataset.set_epoch(epoch)
        for item in (dataset[index] for index in range(len(dataset))):
            assert item["input_values"].isfinite().all() and not item["input_values"][~item["input_values_mask"]].any()
            assert item["segment_values"].isfinite().all() and item["ideal_values"].isfinite().all()
            latents = encoder()(item["input_values"], item["input_values_mask"]).pooled_latents
            assert latents.isfinite().all()


def test_a_motion_of_one_frame_is_told():
    with pytest.raises(ValueError, match="at least 8 consecutive measured frames"):
        SegmentKinematics.from_motion(swaying_motion(num_frames=24)[:1])


# A million frames ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_million_readings():
    times = np.arange(MILLION, dtype=np.float64)
    values = np.stack([np.sin(times / 7 * (i + 1)) for i in range(6)], axis=1) + [0, 0, 9.8, 0, 0, 0]
    features = AnyMoFeatureExtractor()({"left wrist": values}, sampling_rate=60)
    assert features["input_values"].shape == (1, MILLION, 23, 6)
    # At the grid's own rate nothing changes, at the end as little as at the beginning.
    np.testing.assert_allclose(features["input_values"][0, -1000:, WRIST], values[-1000:], atol=0.02)
    assert features["input_values_mask"][0, :, WRIST].all() and features["input_values_mask"].sum() == 6 * MILLION


@pytest.mark.slow
def test_a_million_frames_through_encoder_and_tokenizer():
    num_frames = MILLION
    values = torch.zeros(1, num_frames, 23, 6)
    values[:, :, WRIST] = torch.randn(num_frames, 6, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(values.shape, dtype=torch.bool)
    mask[:, :, WRIST] = True
    known = torch.ones(1, 23, dtype=torch.bool)  # else axes are found in all readings, or in the last ones alone
    with torch.inference_mode():
        output = encoder()(values, mask, known)
        assert output.pooled_latents.shape == (1, num_frames // 4, 8) and output.pooled_latents.isfinite().all()
        # Convolutions see some seconds only: the end is what it is alone.
        end = encoder()(values[:, -2000:], mask[:, -2000:], known)
        torch.testing.assert_close(output.pooled_latents[:, -300:], end.pooled_latents[:, -300:], atol=1e-4, rtol=1e-4)
        codes = tokenizer().encode(output.pooled_latents)
        assert codes.shape[-1] == num_frames // 4


@pytest.mark.slow
def test_a_million_frames_simulated_and_seen():
    kinematics = make_kinematics(MILLION)
    placements = Placements.from_names(["left wrist", "chest"])
    imu = simulate_imu(kinematics, placements, SensorErrors.preset("watch"), torch.Generator().manual_seed(0))
    assert imu.shape == (MILLION, 2, 6) and not imu.isinf().any() and imu.isfinite().float().mean() > 0.9
    part = SegmentKinematics(kinematics.values[-100:], kinematics.mask[-100:], 60.0)
    ideal = simulate_imu(kinematics, placements)[-100:]
    torch.testing.assert_close(ideal, simulate_imu(part, placements), atol=1e-4, rtol=1e-5)


@pytest.mark.slow
def test_views_of_a_clip_with_a_million_frames(tmp_path):
    save_kinematics(make_kinematics(MILLION), tmp_path / f"{1:016x}.safetensors")
    dataset = PairedViewDataset(tmp_path)
    assert len(dataset) == -(-MILLION // 300)
    assert dataset[len(dataset) - 1]["start_time"] > (MILLION - 1200) / 60

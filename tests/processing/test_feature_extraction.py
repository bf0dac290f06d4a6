# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The feature extractor: shapes, masks, units, placements, views, windows, and errors that say what to do."""

import importlib.util
import math
import unittest
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoFeatureExtractor

from anymo_hf.processing import AnyMoFeatureExtractor, Recording, SensorStream, make_recording, merge_windows
from anymo_hf.processing.feature_extraction_anymo import window_starts
from anymo_hf.processing.placements_anymo import SEGMENTS
from anymo_hf.processing.views_anymo import MAX_VIEWS, lay_out


REST = np.array([0.0, 0.0, 9.80665, 0.0, 0.0, 0.0])
L_FOREARM, R_FOREARM, PELVIS = (SEGMENTS.index(name) for name in ("L_Forearm", "R_Forearm", "Pelvis"))


@pytest.fixture
def extractor():
    return AnyMoFeatureExtractor()


def moving(count, channels=6, seed=0):
    """A plausible recording: gravity and some motion."""
    generator = np.random.default_rng(seed)
    phase = np.arange(count)[:, None] / 100 * 2 * np.pi * generator.uniform(0.5, 2, 6) + generator.uniform(0, 6, 6)
    return (REST + np.sin(phase) * [2, 2, 2, 1, 1, 1])[:, :channels]


def test_one_sensor_on_its_segment(extractor):
    features = extractor({"left wrist": np.tile(REST, (500, 1))}, sampling_rate=100)
    values, mask = features["input_values"], features["input_values_mask"]
    assert values.shape == mask.shape == (1, 300, 23, 6)
    assert values.dtype == np.float32 and mask.dtype == bool
    assert mask[:, :, L_FOREARM].all() and mask.sum() == 300 * 6
    np.testing.assert_array_equal(values[0, :, L_FOREARM], np.tile(REST.astype(np.float32), (300, 1)))
    assert not values[~mask].any()


def test_an_accelerometer_leaves_the_gyroscope_masked(extractor):
    features = extractor(moving(200, 3), sampling_rate=50, placements=["belt"])
    assert features["input_values_mask"][0, :, PELVIS].tolist() == [[True] * 3 + [False] * 3] * 239


def test_ragged_batches_are_padded_at_the_end_and_torch_is_given(extractor):
    features = extractor([moving(100), moving(250)], sampling_rate=50, placements=["left wrist"], return_tensors="pt")
    mask = features["input_values_mask"]
    assert mask.dtype == torch.bool and features["input_values"].dtype == torch.float32
    assert mask.shape == (2, 299, 23, 6)
    assert mask[0, :119, L_FOREARM].all() and not mask[0, 119:].any() and mask[1, :, L_FOREARM].all()
    alone = extractor(moving(100), sampling_rate=50, placements=["left wrist"])
    np.testing.assert_array_equal(features["input_values"][0, :119], alone["input_values"][0])


def test_each_recording_of_a_batch_may_have_its_own_declaration(extractor):
    features = extractor(
        [moving(100), moving(100)], sampling_rate=[50, 100], placements=[["left wrist"], ["right wrist"]]
    )
    mask = features["input_values_mask"]
    assert mask[0].any(axis=(0, 2)).tolist() == [i == L_FOREARM for i in range(23)]
    assert mask[1].any(axis=(0, 2)).tolist() == [i == R_FOREARM for i in range(23)]
    assert mask[0].any(axis=(1, 2)).sum() == 119 and mask[1].any(axis=(1, 2)).sum() == 60
    with pytest.raises(ValueError, match="`sampling_rate` must hold one entry per recording, 2, but holds 3"):
        extractor([moving(9), moving(9)], sampling_rate=[50, 50, 50], placements=["waist"])


def test_padding_and_truncation(extractor):
    long, short = moving(300), moving(60)
    options = {"sampling_rate": 60, "placements": ["waist"]}
    assert extractor([long, short], padding="max_length", max_length=400, **options)["input_values"].shape[1] == 400
    assert extractor([long, short], truncation=True, max_length=90, **options)["input_values"].shape[1] == 90
    loose = extractor([long, short], padding=False, **options)["input_values"]
    assert [len(one) for one in loose] == [300, 60]
    with pytest.raises(ValueError, match="300 frames, more than `max_length` = 100"):
        extractor(long, padding="max_length", max_length=100, **options)
    with pytest.raises(ValueError, match="need `max_length`"):
        extractor(long, truncation=True, **options)
    with pytest.raises(ValueError, match="`padding` must be"):
        extractor(long, padding="left", **options)


@settings(deadline=None, max_examples=25)
@given(
    rate=st.floats(5.0, 500.0),
    counts=st.lists(st.integers(2, 300), min_size=1, max_size=3),
    missing=st.floats(0.0, 0.6),
    unit=st.sampled_from(["m/s^2", "g", "mg"]),
    rate_unit=st.sampled_from(["rad/s", "deg/s"]),
    seed=st.integers(0, 1000),
)
def test_shapes_and_masks_hold_for_everything(rate, counts, missing, unit, rate_unit, seed):
    generator = np.random.default_rng(seed)
    scale = np.repeat(
        [{"m/s^2": 1.0, "g": 9.80665, "mg": 9.80665e-3}[unit], {"rad/s": 1, "deg/s": np.pi / 180}[rate_unit]], 3
    )
    batch = []
    for count in counts:
        values = np.where(generator.random((count, 2, 1)) < missing, np.nan, moving(count)[:, None] / scale)
        values[0] = REST / scale
        batch.append(values)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        features = AnyMoFeatureExtractor()(
            batch, rate, placements=["left shin", "head"], force_unit=unit, rate_unit=rate_unit
        )
    values, mask = features["input_values"], features["input_values_mask"]
    assert values.shape == mask.shape and values.shape[0] == len(counts) and values.shape[2:] == (23, 6)
    assert np.isfinite(values).all() and not values[~mask].any()
    assert np.abs(values).max() < 60  # m/s^2: units came out right
    assert values.shape[1] <= (max(counts) - 1) / rate * 60 + 1.02
    assert mask[:, :, [i for i in range(23) if SEGMENTS[i] not in ("L_LowerLeg", "Head")]].sum() == 0


def test_gravity_and_signs(extractor):
    upright = np.tile(REST[:3], (100, 1))
    expected = extractor({"head": upright}, 50)["input_values"]
    apple = extractor({"head": -upright / 9.80665}, 50, force_unit="g", sign="ios")["input_values"]
    np.testing.assert_allclose(apple, expected, rtol=1e-6)
    removed = extractor({"head": moving(100, 3) - REST[:3]}, 50, gravity="removed")["input_values"]
    assert np.abs(removed).max() < 3  # it is not put back


def test_a_wrong_unit_is_warned_of_once(extractor):
    still = np.tile(REST / 9.80665, (3000, 1)) + np.random.default_rng(0).normal(size=(3000, 6)) * 1e-3
    with pytest.warns(UserWarning) as caught:
        extractor([still, still], 100, placements=["waist"])
    assert len(caught) == 1 and "g" in str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        extractor([still, still], 100, placements=["waist"], force_unit="g")


def test_a_known_mounting_turns_the_sensor_into_the_segment(extractor):
    half = np.array([math.cos(math.pi / 4), 0.0, math.sin(math.pi / 4), 0.0])  # 90 degrees about y: z becomes x
    values = np.tile([0.0, 0.0, 9.8, 1.0, 0.0, 0.0], (100, 1))
    times = np.arange(100) / 60
    stream = SensorStream("waist", values, times, mounting=half, calibration="given")
    features = extractor(Recording((stream,)))
    np.testing.assert_allclose(features["input_values"][0, :, PELVIS], [[9.8, 0, 0, 0, 0, -1]] * 100, atol=1e-5)
    holed = values.copy()
    holed[:, 1] = np.nan  # one axis is missing: the vector cannot be turned
    with pytest.warns(UserWarning, match="waist"):
        features = extractor(Recording((SensorStream("waist", holed, times, mounting=half, calibration="given"),)))
    assert features["input_values_mask"][0, :, PELVIS].tolist() == [[False] * 3 + [True] * 3] * 100
    assert np.isfinite(features["input_values"]).all()


def test_two_sensors_on_one_segment(extractor):
    pair = {"left wrist": moving(100), "left forearm": moving(100, seed=1)}
    with pytest.raises(ValueError, match="'left wrist' and 'left forearm' are both on L_Forearm.*views=True"):
        extractor(pair, 50)
    features = extractor({**pair, "head": moving(100, seed=2)}, 50, views=True)
    values, mask = features["input_values"], features["input_values_mask"]
    assert values.shape == mask.shape == (1, 2, 119, 23, 6)
    for view, name in enumerate(pair):
        alone = extractor({name: pair[name]}, 50)["input_values"]
        np.testing.assert_array_equal(values[0, view, :, L_FOREARM], alone[0, :, L_FOREARM])
    assert mask[0, :, :, SEGMENTS.index("Head")].all()


def test_an_unknown_side_is_seen_from_both(extractor):
    with pytest.raises(ValueError, match="'wrist' may be on .*'left wrist' or 'right wrist'.*views=True"):
        extractor({"wrist": moving(100)}, 50)
    mask = extractor({"wrist": moving(100)}, 50, views=True)["input_values_mask"]
    carried = [set(np.flatnonzero(view.any(axis=(0, 2)))) for view in mask[0]]
    assert sorted(carried, key=min) == [{R_FOREARM}, {L_FOREARM}]


def test_views_of_a_batch_are_repeated_equally_often(extractor):
    one, two = {"head": moving(60)}, {"wrist": moving(60)}
    three = {"head": moving(60), "forehead": moving(60, seed=1), "left ear": moving(60, seed=2)}
    values = extractor([one, two, three], 60, views=True)["input_values"]
    assert values.shape[:2] == (3, 6)
    for row, recording in zip(values, (one, two, three), strict=True):
        alone = extractor(recording, 60, views=True)["input_values"][0]
        np.testing.assert_allclose(row.mean(axis=0), alone.mean(axis=0), atol=1e-5)


def test_views_are_bounded_and_every_sensor_appears():
    times = np.arange(2.0)
    names = [f"{side} {name}" for side in ("left", "right") for name in ("shin", "calf", "ankle", "wrist", "elbow")]
    sensors = [SensorStream(name, np.zeros((2, 6)), times) for name in [*names, "thigh", "foot"]]
    views = lay_out(sensors, True)
    assert len(views) == len(set(views)) == MAX_VIEWS
    seen = {pair for view in views for pair in view}
    assert seen == {(SEGMENTS.index(segment), i) for i, one in enumerate(sensors) for segment in one.segments}


@pytest.mark.parametrize(
    ("imu", "options", "message"),
    [
        (np.zeros((100, 1, 5)), {"sampling_rate": 50, "placements": ["waist"]}, r"3 or 6"),
        (np.zeros((0, 1, 6)), {"sampling_rate": 50, "placements": ["waist"]}, r"empty|at least one"),
        (np.ones((100, 6)), {"placements": ["waist"]}, r"sampling_rate"),
        (np.ones((100, 6)), {"sampling_rate": 50, "placements": ["lft wrist"]}, r"did you mean 'left wrist'"),
        (np.ones((100, 6)), {"sampling_rate": 50}, r"placements"),
        (np.full((100, 6), np.nan), {"sampling_rate": 50, "placements": ["waist"]}, r"NaN"),
        (np.ones((100, 6)), {"sampling_rate": -1, "placements": ["waist"]}, r"sampling_rate"),
        ([], {"sampling_rate": 50}, r"list is empty"),
    ],
)  # fmt: skip
def test_errors_say_what_to_do(extractor, imu, options, message):
    with pytest.raises(ValueError, match=message):
        extractor(imu, **options)


def test_one_sensor_of_nan_beside_another(extractor):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        features = extractor({"head": moving(100), "waist": np.full((100, 6), np.nan)}, 50)
    mask = features["input_values_mask"]
    assert not mask[:, :, PELVIS].any() and mask[:, :, SEGMENTS.index("Head")].all()


@pytest.mark.parametrize(("rate", "count"), [(1, 20), (10_000, 20_000)])
def test_extreme_rates(extractor, rate, count):
    features = extractor({"waist": np.tile(REST, (count, 1))}, sampling_rate=rate)
    expected = int((count - 1) / rate * 60 + 0.01) + 1
    np.testing.assert_array_equal(
        features["input_values"][0, :, PELVIS], np.tile(REST.astype(np.float32), (expected, 1))
    )


def test_clocks_that_start_apart_share_the_grid(extractor):
    late = np.arange(300) / 100 + 0.5
    times = np.arange(400) / 100
    entries = {
        "head": {"values": moving(400), "timestamps": times},
        "waist": {"values": moving(400)[50:350], "timestamps": late},
    }
    features = extractor(entries)
    values, mask = features["input_values"][0], features["input_values_mask"][0]
    assert not mask[:30, PELVIS].any() and mask[30:209, PELVIS].all()
    inner = slice(60, 180)  # away from the ends of the shorter one
    np.testing.assert_allclose(values[inner, PELVIS], values[inner, SEGMENTS.index("Head")], atol=1e-3)


@given(st.integers(1, 2000), st.integers(1, 300), st.data())
def test_windows_cover_the_recording(num_frames, size, data):
    hop = data.draw(st.integers(1, size))
    starts = window_starts(num_frames, size, hop)
    assert starts == list(range(0, starts[-1] + 1, hop))
    assert starts[0] == 0 and all(start + size <= num_frames for start in starts[:-1])
    uncovered = num_frames - (starts[-1] + size)
    assert uncovered < max(hop, size / 2)
    if len(starts) > 1 and starts[-1] + size > num_frames:
        assert num_frames - starts[-1] >= size / 2 and starts[-2] + size < num_frames


def test_windows_are_slices_of_the_whole(extractor):
    recording = make_recording({"waist": moving(1234)}, 100)
    recording = Recording((SensorStream("waist", moving(1234), np.arange(1234) / 100 + 7.0),))
    whole = extractor(recording)["input_values"][0]
    windows = extractor.windows(recording, length=2.0, overlap=0.5)
    np.testing.assert_allclose(windows["start_times"], 7.0 + np.arange(12))
    for start, window in zip(range(0, 2000, 60), windows["input_values"], strict=False):
        part = whole[start : start + 120]
        np.testing.assert_array_equal(window[: len(part)], part)
        assert not window[len(part) :].any()
    assert windows["input_values_mask"][-1].any(axis=(1, 2)).sum() == len(whole) - 660
    assert windows["dropped_start_times"].shape == (0,)


def test_windows_without_observation_are_dropped_and_named(extractor):
    times = np.concatenate([np.arange(500) / 100, 20 + np.arange(500) / 100])
    windows = extractor.windows(Recording((SensorStream("waist", moving(1000), times),)), length=5.0, overlap=0.0)
    np.testing.assert_allclose(windows["start_times"], [0, 20])
    np.testing.assert_allclose(windows["dropped_start_times"], [5, 10, 15])
    assert windows["input_values"].shape == (2, 300, 23, 6)


def test_short_recordings_give_one_window_and_views_their_axis(extractor):
    short = make_recording({"wrist": moving(60)}, 100)
    windows = extractor.windows(short, views=True, return_tensors="pt")
    assert windows["input_values"].shape == (1, 2, 300, 23, 6) and windows["start_times"].tolist() == [0.0]
    with pytest.raises(ValueError, match="`overlap` from 0 to below 1"):
        extractor.windows(short, overlap=1.0)


def test_merging_averages_what_overlaps():
    merged = merge_windows(
        [[1.0, 0.0], [0.0, 1.0]], [10.0, 12.0], 4.0, [9.9, 10.0, 11.9, 12.0, 13.9, 14.0, 15.9, 16.0]
    )
    expected = [[np.nan] * 2, [1, 0], [1, 0], [0.5, 0.5], [0.5, 0.5], [0, 1], [0, 1], [np.nan] * 2]
    np.testing.assert_allclose(merged, expected)
    shuffled = merge_windows([[0.0, 1.0], [1.0, 0.0]], [12.0, 10.0], 4.0, [11.0, 13.0])
    np.testing.assert_allclose(shuffled, [[1, 0], [0.5, 0.5]])
    with pytest.raises(ValueError, match=r"\(num_windows,\)"):
        merge_windows([[1.0]], [1.0, 2.0], 4.0, [0.0])


def test_saving_and_loading(extractor, tmp_path):
    extractor.save_pretrained(tmp_path)
    for loaded in (AnyMoFeatureExtractor.from_pretrained(tmp_path), AutoFeatureExtractor.from_pretrained(tmp_path)):
        assert type(loaded) is AnyMoFeatureExtractor
        assert loaded.to_dict() == extractor.to_dict() and loaded.sampling_rate == 60
    other = AnyMoFeatureExtractor(sampling_rate=50)
    other.save_pretrained(tmp_path)
    features = AutoFeatureExtractor.from_pretrained(tmp_path)({"waist": moving(100)}, 100)
    assert features["input_values"].shape[1] == 50
    with pytest.raises(ValueError, match="`feature_size` must be 6"):
        AnyMoFeatureExtractor(feature_size=3)


def test_the_input_is_left_as_it_was(extractor):
    values = -moving(100)[:, None] / 9.80665
    before = values.copy()
    extractor(values, 50, placements=["waist"], force_unit="g", sign="ios")
    np.testing.assert_array_equal(values, before)


def _saving_tests():
    """The transformers library's own tests of saving, as `tools/fetch_hf_tests.py` gets them."""
    folder = Path(__file__).parents[1] / "hf_common" / "_vendor" / transformers.__version__
    path = folder / "test_feature_extraction_common.py"
    if not path.is_file():
        return None
    spec = importlib.util.spec_from_file_location("hf_test_feature_extraction_common", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.FeatureExtractionSavingTestMixin


_SAVING_TESTS = _saving_tests()


@pytest.mark.skipif(_SAVING_TESTS is None, reason="transformers' own tests are needed: make hf-tests")
class TestSavingOfTransformers(*([_SAVING_TESTS] if _SAVING_TESTS else []), unittest.TestCase):
    feature_extraction_class = AnyMoFeatureExtractor
    feat_extract_dict = {"feature_size": 6, "sampling_rate": 50, "padding_value": 0.0}


def test_windows_of_any_length_are_collated(extractor):
    """`Trainer` with the extractor as its `processing_class` pads by `DataCollatorWithPadding`."""
    items = [
        {
            "input_values": np.full((n, 23, 6), n, np.float32),
            "input_values_mask": np.ones((n, 23, 6), bool),
            "labels": n,
        }
        for n in (5, 3)
    ]
    batch = transformers.DataCollatorWithPadding(extractor)(items)
    assert batch["input_values"].shape == (2, 5, 23, 6) and batch["labels"].tolist() == [5, 3]
    assert batch["input_values_mask"][1].any(dim=(1, 2)).tolist() == [True] * 3 + [False] * 2
    assert extractor.pad(items, pad_to_multiple_of=4)["input_values"].shape[1] == 8
    with pytest.raises(ValueError, match="input_values_mask"):
        extractor.pad([{"input_values": items[0]["input_values"]}])

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Resampling: the spectrum, constants, gaps, clocks, and chunks against the whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from anymo_hf.processing.polyphase_anymo import PolyphaseFilter, rational_ratio
from anymo_hf.processing.resampling_anymo import (
    StreamResampler,
    interpolate,
    longest_bridged_step,
    measure_sampling_rate,
    resample,
)


RATES = [1.0, 12.5, 20.0, 25.0, 50.0, 59.94, 60.0, 97.3, 100.0, 128.0, 200.0, 1000.0, 10_000.0]


def decibels(amplitude):
    return 20 * np.log10(np.maximum(amplitude, 1e-12))


def tone(frequency, rate, seconds, offset=0.0):
    """A tone on the grid, and on the sensor's clock that lags by `offset`."""
    times = offset + np.arange(int(seconds * rate)) / rate
    num_frames = int(times[-1] * 60) + 1
    result, mask = resample(times, np.exp(2j * np.pi * frequency * times).real[:, None], 60, 0.0, num_frames, rate)
    grid = np.arange(num_frames) / 60
    inner = mask[:, 0] & (grid > seconds / 3) & (grid < seconds * 2 / 3)
    return grid[inner], result[inner, 0]


@pytest.mark.parametrize("rate", RATES)
def test_the_pass_band_is_flat_and_without_delay(rate):
    seconds = max(12.0, 150 / rate) if rate < 5000 else 3.0
    for share in (0.1, 0.5, 0.8):
        frequency = share * min(rate, 60) / 2
        grid, result = tone(frequency, rate, seconds, offset=0.37 / rate)
        basis = np.stack([np.cos(2 * np.pi * frequency * grid), np.sin(2 * np.pi * frequency * grid)], axis=1)
        cosine, sine = np.linalg.lstsq(basis, result, rcond=None)[0]
        assert abs(decibels(np.hypot(cosine, sine))) < 0.03
        delay = np.arctan2(sine, cosine) / (2 * np.pi * frequency)  # s
        assert abs(delay) < 1e-4 / min(rate, 60)
        np.testing.assert_allclose(basis @ [cosine, sine], result, atol=1e-3)  # nothing but the tone


@pytest.mark.parametrize("rate", [61.0, 97.3, 100.0, 200.0, 1000.0, 10_000.0])
def test_what_the_grid_cannot_hold_is_suppressed(rate):
    # 30 Hz is the grid's Nyquist frequency: without a filter these would come back as slow motion.
    for frequency in np.linspace(30.2, rate / 2 * 0.99, 5):
        _, result = tone(frequency, rate, 9.0 if rate < 5000 else 3.0)
        assert decibels(np.abs(result).max()) < -60


@pytest.mark.parametrize("rate", [1.0, 12.5, 20.0, 50.0])
def test_upsampling_adds_no_images(rate):
    grid, result = tone(0.3 * rate, rate, 200 / rate)
    window = np.blackman(len(result))
    spectrum = np.abs(np.fft.rfft(result * window)) / window.sum() * 2
    frequencies = np.fft.rfftfreq(len(result), 1 / 60)
    assert decibels(spectrum[frequencies > rate / 2].max()) < -55


def test_the_filter_is_the_polyphase_filter_of_scipy():
    signal = np.random.default_rng(0).normal(size=(900, 2))
    polyphase = PolyphaseFilter(3, 5, 0.0)
    half = 3 * polyphase.half_length
    positions = np.arange(-half, half + 1) / 3
    window = np.kaiser(len(positions), 0.1102 * (70 - 8.7))
    taps = np.sinc(0.9 * 0.6 * positions) * window
    expected = resample_poly(signal, 3, 5, axis=0, window=taps / taps.sum())
    rows = slice(60, 480)  # away from the ends, which scipy fills with zeros
    result = polyphase(signal, 0, rows.start, rows.stop)
    np.testing.assert_allclose(result, expected[rows], atol=2e-4)


def test_a_recording_on_the_grid_is_left_alone():
    times, values = np.arange(200) / 60 + 5.0, np.random.default_rng(0).normal(size=(200, 3))
    result, mask = resample(times, values, 60, 5.0, 200)
    assert mask.all()
    np.testing.assert_allclose(result, values, rtol=1e-6)


@settings(deadline=None, max_examples=60)
@given(
    rate=st.floats(1.0, 2000.0),
    offset=st.floats(0.0, 0.1),
    jitter=st.floats(0.0, 0.4),
    missing=st.floats(0.0, 0.9),
    count=st.integers(1, 400),
    value=st.floats(-160.0, 160.0),
    seed=st.integers(0, 2**31),
)
def test_a_constant_stays_exactly_constant(rate, offset, jitter, missing, count, value, seed):
    generator = np.random.default_rng(seed)
    times = offset + (np.arange(count) + jitter * generator.uniform(-1, 1, count)) / rate
    values = np.where(generator.random((count, 2)) < missing, np.nan, value)
    num_frames = int((times[-1] - times[0]) * 60) + 1
    result, mask = resample(times, values, 60, times[0], num_frames)
    np.testing.assert_array_equal(result, np.where(mask, np.float32(value), 0))
    near = np.abs(times[0] + np.arange(num_frames)[:, None] / 60 - times) < longest_bridged_step(rate) * 1.5
    for channel in range(2):  # an observed frame has a reading close by
        assert near[:, np.isfinite(values[:, channel])].any(axis=1)[mask[:, channel]].all()


@pytest.mark.parametrize("rate", [20.0, 100.0, 1000.0])
def test_a_slope_goes_on_to_the_ends_without_ringing(rate):
    times = np.arange(int(4 * rate)) / rate
    result, mask = resample(times, 3 * times[:, None] - 7, 60, 0.0, int(times[-1] * 60) + 1)
    assert mask.all()
    np.testing.assert_allclose(result[:, 0], 3 * np.arange(len(result)) / 60 - 7, atol=2e-3)


@pytest.mark.parametrize("rate", [10.0, 20.0, 50.0, 100.0, 400.0])
def test_gaps_are_masked_and_single_lost_samples_bridged(rate):
    times = np.arange(int(8 * rate)) / rate
    slow = np.sin(2 * np.pi * 0.5 * times)[:, None]
    lost, gap = int(2 * rate), slice(int(4 * rate), int(5 * rate))
    keep = np.ones(len(times), bool)
    keep[lost], keep[gap] = False, False
    for cut_times, values in ((times[keep], slow[keep]), (times, np.where(keep[:, None], slow, np.nan))):
        result, mask = resample(cut_times, values, 60, 0.0, int(times[-1] * 60) + 1)
        grid = np.arange(len(mask)) / 60
        inside = (grid > times[gap.start - 1] + 1e-3) & (grid < times[gap.stop] - 1e-3)
        np.testing.assert_array_equal(mask[:, 0], ~inside)
        np.testing.assert_allclose(result[~inside, 0], np.sin(np.pi * grid[~inside]), atol=0.03)


def test_jitter_costs_little_and_clusters_do_not_overshoot():
    generator = np.random.default_rng(0)
    times = np.sort((np.arange(2000) + generator.uniform(-0.2, 0.2, 2000)) / 50)
    result, _ = resample(times, np.sin(2 * np.pi * 3 * times)[:, None], 60, 0.0, 2300)
    expected = np.sin(2 * np.pi * 3 * np.arange(2300) / 60)
    assert np.abs(result[100:-100, 0] - expected[100:-100]).max() < 0.02
    noisy = np.array([0.0, 1.0, 1.001, 2.0, 3.0])
    between = interpolate(noisy, np.array([[0.0], [1.0], [-1.0], [0.0], [0.0]]), np.linspace(0, 3, 50), 1.0)
    assert np.abs(between).max() <= 1


@given(st.floats(0.5, 20_000.0), st.sampled_from([30, 60, 100]))
def test_the_ratio_follows_the_rate(source, target):
    up, down = rational_ratio(source, target)
    assert abs(up / down * source / target - 1) < 3e-5
    assert min(up, down) <= 20_000


def test_the_rate_is_measured_through_lost_samples_and_rounding():
    times = np.round(np.arange(36_000) / 99.7, 3)
    keep = np.random.default_rng(0).random(len(times)) > 0.1
    assert measure_sampling_rate(times[keep]) == pytest.approx(99.7, rel=1e-4)
    assert np.isnan(measure_sampling_rate(times[:1]))


@settings(deadline=None, max_examples=40)
@given(
    rate=st.sampled_from([1.0, 20.0, 60.0, 97.3, 100.0, 1000.0]),
    jitter=st.floats(0, 0.3),
    seed=st.integers(0, 2**31),
)
def test_chunks_give_the_frames_of_the_whole(rate, jitter, seed):
    generator = np.random.default_rng(seed)
    count = int(generator.integers(1, 700))
    times = 0.01 + (np.arange(count) + jitter * generator.uniform(-1, 1, count)) / rate
    keep = np.ones(count, bool)
    for _ in range(3):
        begin = generator.integers(0, count)
        keep[begin : begin + generator.integers(0, 60)] = False
    times, values = times[keep], generator.normal(size=(keep.sum(), 3))
    if not len(times):
        return
    num_frames = max(1, int(times[-1] * 60) + 2)
    whole, mask = resample(times, values, 60, 0.0, num_frames, rate)
    stream, begin = StreamResampler(rate, 60, 0.0, 3), 0
    result, seen = np.zeros_like(whole), np.zeros(num_frames, bool)
    while begin < len(times) + 1:
        size = int(generator.integers(1, 80))
        last = begin + size > len(times)
        frames = stream.flush() if last and begin == len(times) else stream.push(
            times[begin : begin + size], values[begin : begin + size]
        )  # fmt: skip
        for observed in frames:
            frames_at = slice(observed.start, observed.start + len(observed.values))
            assert not seen[frames_at].any()  # a frame comes once
            result[frames_at], seen[frames_at] = observed.values, True
        begin = begin + size if begin + size <= len(times) else len(times) + (begin == len(times))
    np.testing.assert_array_equal(seen, mask[:, 0])
    np.testing.assert_allclose(result, whole, atol=1e-6)


def test_a_stream_keeps_little_and_says_how_late_it_is():
    stream, sizes, late = StreamResampler(100, 60, 0.0, 6), [], []
    for i in range(300):
        times = (i * 20 + np.arange(20)) / 100
        stream.push(times, np.random.default_rng(i).normal(size=(20, 6)))
        sizes.append(len(stream._run.samples) + len(stream._run.times))
        late.append(times[-1] - (stream.num_final - 1) / 60)
    assert max(sizes) < 150
    assert max(late[10:]) <= stream.latency + 1 / 60 + 0.01
    assert stream.latency < 0.4


def test_nothing_in_nothing_out():
    result, mask = resample(np.arange(5.0), np.full((5, 6), np.nan), 60, 0.0, 10)
    assert not mask.any() and not result.any()
    one, mask = resample(np.zeros(1), np.full((1, 2), 3.0), 60, 0.0, 1)
    assert mask.all() and (one == 3).all()

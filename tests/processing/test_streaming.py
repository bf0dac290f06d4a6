# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Streaming: any chunks give the windows of the whole recording, soon, and with little memory."""

import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anymo_hf.processing import AnyMoFeatureExtractor, Recording, SensorStream, StreamingFeatureExtractor


TOLERANCE = 1e-5  # m/s^2 and rad/s


def make_sensors(rates, seconds, generator, holes):
    """Streams with clocks of their own, jitter, gaps and missing readings."""
    sensors = {}
    for name, rate in rates.items():
        count = int(seconds * rate)
        times = generator.uniform(0, 0.05) + (np.arange(count) + generator.uniform(-0.2, 0.2, count)) / rate
        values = generator.normal(size=(count, 6))
        keep = np.ones(count, bool)
        for _ in range(holes):
            begin = generator.integers(0, count)
            keep[begin : begin + generator.integers(1, int(1.5 * rate))] = False
            begin = generator.integers(0, count)
            values[begin : begin + generator.integers(1, int(rate)), generator.integers(0, 6) :] = np.nan
        keep[0] = True
        sensors[name] = (times[keep], values[keep])
    return sensors


def run(stream, sensors, generator, longest=0.5):
    """Windows of a stream that is fed with chunks of random length, each sensor on its own."""
    positions, now, parts = dict.fromkeys(sensors, 0), 0.0, []
    while any(positions[name] < len(times) for name, (times, _) in sensors.items()):
        now += generator.uniform(0.01, longest)
        for name in generator.permutation(list(sensors)):
            times, values = sensors[name]
            stop = int(np.searchsorted(times, now))
            begin, positions[name] = positions[name], stop
            parts.append(stream.push({str(name): (times[begin:stop], values[begin:stop])}))
    parts.append(stream.flush())
    names = ("input_values", "input_values_mask", "start_times", "dropped_start_times")
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


@pytest.mark.filterwarnings("ignore:.*gravity")  # noise is no motion, and is told so
@settings(deadline=None, max_examples=15)
@given(
    seconds=st.floats(1.0, 12.0),
    length=st.sampled_from([1.0, 2.5]),
    overlap=st.sampled_from([0.0, 0.5, 0.8]),
    holes=st.integers(0, 3),
    seed=st.integers(0, 2**31),
)
def test_any_chunks_give_the_windows_of_the_whole(seconds, length, overlap, holes, seed):
    generator = np.random.default_rng(seed)
    rates = {"left wrist": 100.0, "waist": 97.3, "right shin": 25.0}
    sensors = make_sensors(rates, seconds, generator, holes)
    turn = np.array([0.5, 0.5, 0.5, 0.5])
    recording = Recording(
        tuple(
            SensorStream(name, values, times, mounting=turn if name == "waist" else None)
            for name, (times, values) in sensors.items()
        )
    )
    extractor = AnyMoFeatureExtractor()
    whole = extractor.windows(recording, length, overlap, sampling_rates=rates)
    stream = StreamingFeatureExtractor(
        extractor, rates, length, overlap, recording.start_time, max_delay=4.0, mountings={"waist": turn}
    )
    parts = run(stream, sensors, generator)
    np.testing.assert_allclose(parts["start_times"], whole["start_times"])
    np.testing.assert_allclose(parts["dropped_start_times"], whole["dropped_start_times"])
    np.testing.assert_array_equal(parts["input_values_mask"], whole["input_values_mask"])
    np.testing.assert_allclose(parts["input_values"], whole["input_values"], atol=TOLERANCE)


def test_units_and_signs_are_converted():
    extractor = AnyMoFeatureExtractor()
    stream = StreamingFeatureExtractor(
        extractor, {"head": 60.0}, 1.0, force_unit="g", rate_unit="deg/s", sign="ios", return_tensors="pt"
    )
    stream.push({"head": (np.arange(70) / 60, np.tile([0, 0, -1.0, 180, 0, 0], (70, 1)))})
    values = stream.flush()["input_values"]
    assert isinstance(values, torch.Tensor) and values.shape == (2, 60, 23, 6)
    stream = StreamingFeatureExtractor(extractor, {"head": 60.0}, 1.0, force_unit="g", rate_unit="deg/s", sign="ios")
    window = stream.push({"head": (np.arange(120) / 60, np.tile([0, 0, -1.0, 180, 0, 0], (120, 1)))})
    np.testing.assert_allclose(window["input_values"][0, :, 6], [[0, 0, 9.80665, np.pi, 0, 0]] * 60, rtol=1e-6)


@pytest.mark.parametrize("rate", [20.0, 60.0, 100.0, 500.0])
def test_windows_come_after_the_stated_latency(rate):
    stream = StreamingFeatureExtractor(AnyMoFeatureExtractor(), {"waist": rate}, length=1.0, overlap=0.0)
    chunk = max(1, int(rate / 50))
    for i in range(int(6 * rate / chunk)):
        times = (i * chunk + np.arange(chunk)) / rate
        for start in stream.push({"waist": (times, np.ones((chunk, 6)))})["start_times"]:
            delay = times[-1] - (start + 59 / 60)
            assert 0 < delay <= stream.latency + (chunk + 1) / rate + 1 / 60
    assert stream.latency == pytest.approx(24 / min(rate, 60), rel=0.15)


def test_memory_is_bounded():
    stream = StreamingFeatureExtractor(AnyMoFeatureExtractor(), {"waist": 100.0, "head": 100.0}, length=2.0)

    def held():
        sizes = [len(observed.values) for one in stream._sensors.values() for _, observed in one.frames]
        runs = [resampler._run for one in stream._sensors.values() for _, resampler in one.groups]
        return sum(sizes) + sum(len(run.samples) + len(run.times) for run in runs if run is not None)

    largest = []
    for i in range(600):
        chunk = (i * 10 + np.arange(10)) / 100, np.ones((10, 6))
        stream.push({"waist": chunk} if i > 300 else {"waist": chunk, "head": chunk})  # the head falls silent
        largest.append(held())
    # Two windows of frames per sensor, the filters, and what waits for the silent sensor.
    assert max(largest) < 2 * (240 + 200) + 300
    assert sys.getsizeof(stream._sensors) < 1000


def test_a_silent_sensor_does_not_stop_the_others():
    def push(max_delay):
        stream = StreamingFeatureExtractor(
            AnyMoFeatureExtractor(), {"waist": 60.0, "head": 60.0}, 1.0, 0.0, 0.0, max_delay=max_delay
        )
        stream.push({"head": (np.arange(60) / 60, np.ones((60, 6)))})
        return stream, stream.push({"waist": (np.arange(600) / 60, np.ones((600, 6)))})

    stream, windows = push(2.0)
    assert 6 <= len(windows["start_times"]) <= 8
    assert windows["input_values_mask"][3, :, 0].all() and not windows["input_values_mask"][3, :, 6].any()
    late = stream.push({"head": (10 + np.arange(60) / 60, np.ones((60, 6)))})  # it may come back
    rest = [late, stream.push({"waist": (10 + np.arange(60) / 60, np.ones((60, 6)))}), stream.flush()]
    mask = np.concatenate([part["input_values_mask"] for part in rest])
    assert mask[-1, :, 6].all() and mask[-1, :, 0].all()
    assert len(push(None)[1]["start_times"]) == 0


def test_a_day_without_readings_costs_no_memory():
    stream = StreamingFeatureExtractor(AnyMoFeatureExtractor(), {"waist": 60.0}, 5.0, 0.0)
    stream.push({"waist": (np.arange(600) / 60, np.ones((600, 6)))})
    windows = stream.push({"waist": (86_400 + np.arange(600) / 60, np.ones((600, 6)))})
    assert len(windows["start_times"]) <= 3 and len(windows["dropped_start_times"]) == 86_400 // 5 - 2


def test_errors_say_what_to_do():
    extractor = AnyMoFeatureExtractor()
    with pytest.raises(ValueError, match="at least one sensor"):
        StreamingFeatureExtractor(extractor, {})
    with pytest.raises(ValueError, match="both on L_Forearm"):
        StreamingFeatureExtractor(extractor, {"left wrist": 50, "left forearm": 50})
    with pytest.raises(ValueError, match="did you mean"):
        StreamingFeatureExtractor(extractor, {"left wirst": 50})
    with pytest.raises(ValueError, match="`mountings` names"):
        StreamingFeatureExtractor(extractor, {"head": 50}, mountings={"waist": np.array([1.0, 0, 0, 0])})
    stream = StreamingFeatureExtractor(extractor, {"head": 50})
    with pytest.raises(ValueError, match="No sensor 'waist' was announced"):
        stream.push({"waist": (np.zeros(1), np.zeros((1, 6)))})
    stream.push({"head": (np.array([1.0]), np.zeros((1, 6)))})
    with pytest.raises(ValueError, match="must come after 1.0 s"):
        stream.push({"head": (np.array([1.0]), np.zeros((1, 6)))})
    with pytest.raises(ValueError, match="strictly increasing"):
        stream.push({"head": (np.array([3.0, 2.0]), np.zeros((2, 6)))})
    assert len(StreamingFeatureExtractor(extractor, {"head": 50}).flush()["start_times"]) == 0

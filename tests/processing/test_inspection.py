# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""What the inspection believes is true of simulated and of real recordings, also after they are spoiled."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, sosfiltfilt

from anymo_hf.inspection_plot import plot_inspection
from anymo_hf.processing.beliefs_anymo import believe, believe_force
from anymo_hf.processing.inspection_anymo import (
    check_declaration,
    describe_direction,
    find_clipping,
    find_clock_drifts,
    find_step,
    inspect_recording,
)
from anymo_hf.processing.reading_anymo import read_recordings
from anymo_hf.processing.streams_anymo import Recording, SensorStream


DEGREES = 180 / np.pi


def swinging(rate: float = 50.0, seconds: float = 30.0, seed: int = 0) -> SensorStream:
    """A pendulum that swings for the first half and hangs still for the second: force and rate by its angle."""
    rng = np.random.default_rng(seed)
    times = np.arange(int(seconds * rate)) / rate
    moving = 1 / (1 + np.exp((times - seconds / 2) * 4))
    angle = 0.8 * moving * np.sin(2 * np.pi * 0.5 * times)
    speed = np.gradient(angle, times)
    values = np.zeros((len(times), 6))
    values[:, 0], values[:, 2], values[:, 4] = -9.80665 * np.sin(angle), 9.80665 * np.cos(angle), speed
    values += rng.normal(0, 0.01, values.shape)
    return SensorStream("left wrist", values, times)


def spoil(sensor: SensorStream, force: float = 1.0, rate: float = 1.0, highpass: bool = False) -> SensorStream:
    values = sensor.values.copy()
    if highpass:
        sos = butter(2, 0.3 / (sensor.sampling_rate / 2), "high", output="sos")
        values[:, :3] = sosfiltfilt(sos, np.nan_to_num(values[:, :3]), axis=0)
    return replace(sensor, values=values * np.repeat([force, rate], 3))


def beliefs(sensor: SensorStream) -> tuple[str, ...]:
    return tuple(belief.value for belief in believe(sensor))


@given(
    rate=st.floats(12, 400),
    unit=st.sampled_from([("m/s^2", 1.0), ("g", 1 / 9.80665), ("mg", 1000 / 9.80665)]),
    turning=st.sampled_from([("rad/s", 1.0), ("deg/s", DEGREES)]),
    missing=st.floats(0, 0.3),
)
@settings(max_examples=30, deadline=None)
def test_units_of_a_pendulum(rate, unit, turning, missing):
    sensor = spoil(swinging(rate), unit[1], turning[1])
    sensor.values[np.random.default_rng(0).random(len(sensor.values)) < missing] = np.nan
    assert beliefs(sensor) == (unit[0], turning[0], "included")
    warnings = check_declaration(Recording((sensor,)))
    assert any("force_unit" in warning for warning in warnings) == (unit[0] != "m/s^2")
    assert any("rate_unit" in warning for warning in warnings) == (turning[0] != "rad/s")


def test_removed_gravity_is_seen_and_contradicts_only_the_other_declaration():
    sensor = spoil(swinging(), highpass=True)
    assert beliefs(sensor)[2] == "removed"
    assert "declared to contain gravity" in check_declaration(Recording((sensor,)))[0]
    assert check_declaration(Recording((replace(sensor, gravity=False),))) == []
    assert "declared removed" in check_declaration(Recording((replace(swinging(), gravity=False),)))[0]


def test_figures_of_a_pendulum():
    sensor = swinging()
    report = inspect_recording(Recording((sensor,))).sensors[0]
    assert report.still_share == pytest.approx(0.45, abs=0.1)
    assert describe_direction(report.up) == "+z"
    assert report.up_spread < 1
    np.testing.assert_allclose(report.rate_bias, 0, atol=0.02)
    assert report.jitter < 1e-6
    assert (report.num_gaps, report.clipping) == (0, [])
    keep = np.r_[0:300, 400:1500]
    holes = SensorStream("left wrist", sensor.values[keep], sensor.timestamps[keep])
    report = inspect_recording(Recording((holes,))).sensors[0]
    assert report.num_gaps == 1
    assert report.longest_gap == pytest.approx(2.02)


def test_clipping_is_found_and_resting_is_not():
    wave = 12 * np.sin(np.arange(2000) / 20)
    assert [stop.level for stop in find_clipping(np.clip(wave, -11.5, 20), "force x")] == [-11.5]
    rare = 9.81 + np.random.default_rng(0).normal(0, 4, 5000)
    found = find_clipping(np.clip(np.repeat(rare, 3), None, 19.6), "force z")
    assert [stop.level for stop in found] == [19.6]
    assert find_clipping(np.repeat(rare, 1), "force z") == []
    assert find_clipping(np.full(1000, 9.81), "force z") == []
    assert find_clipping(np.full(1000, np.nan), "force z") == []


def test_resolution():
    values = np.round(np.random.default_rng(0).normal(size=5000) / 0.0383) * 0.0383
    assert find_step(values) == pytest.approx(0.0383, rel=1e-3)
    assert np.isnan(find_step(np.ones(10)))


def test_clocks_that_run_apart():
    times = np.arange(0, 600, 0.02)
    rng = np.random.default_rng(0)
    envelope = np.interp(times, np.arange(0, 620, 0.7), rng.gamma(1, 1, len(np.arange(0, 620, 0.7))))
    shaking = envelope[:, None] * rng.normal(size=(len(times), 6)) + [0, 0, 9.81, 0, 0, 0]
    first = SensorStream("waist", shaking, times)
    other = SensorStream("chest", shaking, times * (1 + 500e-6))
    drift = find_clock_drifts(Recording((first, other)))["chest"]
    assert drift == pytest.approx(500e-6 * 3600, rel=0.1)
    unrelated = SensorStream("chest", shaking[::-1], times)
    assert find_clock_drifts(Recording((first, unrelated))) == {}


@pytest.mark.parametrize(
    "values",
    [np.zeros((1, 6)), np.zeros((100, 6)), np.full((100, 6), np.nan), np.full((100, 6), 1e6), np.ones((2, 6))],
)
def test_degenerate_sensors_are_described(values):
    recording = Recording((SensorStream("waist", values, np.arange(len(values)) / 50),))
    with np.errstate(all="raise", under="ignore"):
        text = str(inspect_recording(recording))
    assert text.startswith("waist:")
    check_declaration(recording)


@pytest.mark.parametrize(("num_samples", "unit"), [(99, "unknown"), (100, "m/s^2")])
def test_less_than_a_window_says_nothing(num_samples, unit):
    force, gravity = believe_force(np.tile([0.0, 0.0, 9.81], (num_samples, 1)), 50.0)
    assert force.value == unit and gravity.value == ("unknown" if unit == "unknown" else "included")
    if unit == "unknown":
        assert force.confidence == gravity.confidence == 0.0
        assert "2 s of readings are too few; 2 s are needed" in force.reason


def test_the_report_prints_its_reasons():
    text = str(inspect_recording(Recording((spoil(swinging(), 1 / 9.80665),))))
    for part in (
        "left wrist: 1500 samples",
        "force: g (",
        "gravity would read 1",
        "WARNING: left wrist: the force seems",
    ):
        assert part in text


def test_check_is_cheap_for_long_recordings():
    import time

    values = np.random.default_rng(0).normal(size=(360_000, 6)) + [0, 0, 9.81, 0, 0, 0]
    sensor = SensorStream("waist", values, np.arange(360_000) / 100)
    start = time.process_time()
    check_declaration(Recording((sensor,)))
    assert time.process_time() - start < 1.0


# Share of sensors whose force unit and gravity must be believed rightly. Jumping, running and swinging hands shake so
# much that nothing can be said, which is allowed, while a wrong unit is not.
REAL = {
    "dsads": (0.9, {"torso": "chest", "right arm": "right wrist", "left arm": "left wrist", "right leg": "right knee",
                    "left leg": "left knee"}),
    "hapt_ucihar_raw": (1.0, None),
    "sisfall_adl": (0.98, None),
    "sp_sw_har": (0.97, None),
    "umafall": (0.9, None),
    "utd_mhad": (0.55, None),
    "wisdm2019": (0.9, {"wrist of the dominant hand": "wrist"}),
}  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_beliefs_on_real_sets(data_folder, name):
    least, placements = REAL[name]
    recordings = list(read_recordings(data_folder / "har" / f"{name}.parquet", placements=placements))
    sensors = [sensor for recording in recordings[:: max(1, len(recordings) // 15)] for sensor in recording.sensors]
    for force, force_unit in ((1.0, "m/s^2"), (1 / 9.80665, "g"), (1000 / 9.80665, "mg")):
        found = [beliefs(spoil(sensor, force)) for sensor in sensors]
        assert {unit for unit, *_ in found} <= {force_unit, "unknown"}
        assert {turning for _, turning, _ in found} <= {"rad/s", "unknown"}
        assert np.mean([unit == force_unit and gravity == "included" for unit, _, gravity in found]) >= least
    degrees = [beliefs(spoil(sensor, 1.0, DEGREES))[1] for sensor in sensors]
    assert np.mean([turning == "deg/s" for turning in degrees]) >= 0.9
    removed = [beliefs(spoil(sensor, highpass=True))[2] for sensor in sensors if len(sensor.values) > 60]
    assert np.mean([gravity == "removed" for gravity in removed]) >= 0.95


def test_end_stops_of_a_real_device(data_folder):
    path = data_folder / "har" / "hapt_ucihar_raw.parquet"  # a phone of +-2 g
    reports = [inspect_recording(recording) for _, recording in zip(range(20), read_recordings(path), strict=False)]
    stops = [stop for report in reports for stop in report.sensors[0].clipping if stop.channel.startswith("force")]
    assert stops
    assert all(19 < abs(stop.level) < 20 for stop in stops)


def test_the_picture(tmp_path):
    pytest.importorskip("matplotlib")
    sensor = swinging()
    sensor.values[200:260] = np.nan
    recording = Recording((sensor, replace(swinging(seed=1), placement="waist")))
    figure = plot_inspection(recording)
    assert len(figure.axes) == 8
    assert "left wrist" in figure.axes[0].get_title(loc="left")
    figure.savefig(tmp_path / "inspection.png", dpi=60)
    assert (tmp_path / "inspection.png").stat().st_size > 10_000
    assert len(figure.axes[0].patches) > len(figure.axes[4].patches)  # the gap

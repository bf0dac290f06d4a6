# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Whatever form, unit, sign or order readings come in, the recording is the same."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anymo_hf.processing.recording_anymo import make_recording
from anymo_hf.processing.streams_anymo import Recording, SensorStream, resolve_placement
from anymo_hf.processing.tables_anymo import recognize_channel, words_of
from anymo_hf.processing.units_anymo import clean_clock, interpolate_within, to_seconds


RNG = np.random.default_rng(0)
READINGS = RNG.normal(size=(40, 6))


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("m/s^2", 1), ("m/s²", 1), ("g", 9.80665), ("G", 9.80665), ("mg", 0.00980665), (0.0025, 0.0025), ("m/s2", 1)],
)
def test_force_units(unit, factor):
    recording = make_recording(READINGS, 50, placements="left wrist", force_unit=unit)
    np.testing.assert_allclose(recording.sensors[0].values[:, :3], READINGS[:, :3] * factor)
    np.testing.assert_array_equal(recording.sensors[0].values[:, 3:], READINGS[:, 3:])


@pytest.mark.parametrize(
    ("unit", "factor"), [("rad/s", 1), ("deg/s", np.pi / 180), ("dps", np.pi / 180), ("mdeg/s", np.pi / 180e3), (2, 2)]
)
def test_rate_units(unit, factor):
    recording = make_recording(READINGS, 50, placements="left wrist", rate_unit=unit)
    np.testing.assert_allclose(recording.sensors[0].values[:, 3:], READINGS[:, 3:] * factor)


def test_a_resting_iphone_reads_upward_gravity():
    gravity, user = np.tile([0.0, 0.0, -1.0], (5, 1)), np.tile([0.1, 0.0, 0.0], (5, 1))  # CoreMotion, face up
    recording = make_recording(user, 50, placements="right pocket", sign="ios", force_unit="g", gravity=gravity)
    np.testing.assert_allclose(recording.sensors[0].values[0, :3], [-0.980665, 0, 9.80665])
    assert recording.sensors[0].gravity


def test_the_callers_array_is_not_changed():
    before = READINGS.copy()
    make_recording(READINGS, 50, placements="waist", force_unit="g", sign="ios")
    np.testing.assert_array_equal(before, READINGS)


def test_all_forms_agree():
    times = np.arange(40) / 50
    table = pd.DataFrame(READINGS, columns=["acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z"])
    prefixed = table.add_prefix("left_wrist_").assign(time_ms=times * 1000)
    long = pd.concat([table.assign(t=times, placement=place) for place in ("left wrist", "waist")])
    one = make_recording(READINGS, 50, placements=["left wrist"]).sensors[0]
    forms = [
        make_recording(READINGS[:, None], 50, placements=["left wrist"]),
        make_recording(torch.tensor(READINGS), timestamps=times, placements="L_Wrist"),
        make_recording({"left wrist": READINGS}, 50),
        make_recording({"left wrist": (READINGS, 50)}),
        make_recording({"left wrist": {"values": READINGS, "timestamps": times}}),
        make_recording({"left wrist": {"values": READINGS, "sampling_rate": 50, "force_unit": "m/s^2"}}),
        make_recording(table, 50, placements="left wrist"),
        make_recording({name: table[name].tolist() for name in table}, 50, placements="left wrist"),
        make_recording(prefixed),
        make_recording(long),
        make_recording(make_recording(READINGS, 50, placements="left wrist")),
    ]
    for recording in forms:
        sensor = recording.sensors[0]
        assert sensor.placement == "left wrist"
        np.testing.assert_allclose(sensor.values, one.values)
        np.testing.assert_allclose(sensor.timestamps, one.timestamps, atol=1e-9)
    assert forms[9].sensors[1].placement == "waist"


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("acc_x", ("", "force", "x", None)),
        ("Acceleration y (m/s^2)", ("", "force", "y", "m/s^2")),
        ("accelerometerAccelerationX(G)", ("", "force", "x", "g")),
        ("motionUserAccelerationZ(G)", ("", "linear", "z", "g")),
        ("Linear Acceleration x (m/s²)", ("", "linear", "x", "m/s^2")),
        ("gyroRotationX(rad/s)", ("", "rate", "x", "rad/s")),
        ("rotationRate.y", ("", "rate", "y", None)),
        ("gravity.z", ("", "gravity", "z", None)),
        ("left_wrist_acc_x", ("left wrist", "force", "x", None)),
        ("acc_x_left_wrist", ("left wrist", "force", "x", None)),
        ("T_xacc", ("t", "force", "x", None)),
        ("gyr_x_deg_s", ("", "rate", "x", "deg/s")),
        ("mag_x", None),
        ("max", None),
        ("index", None),
    ],
)
def test_column_names(column, expected):
    assert recognize_channel(column) == expected


def test_time_units_in_names():
    assert words_of("Time (s)") == ("time", "s")
    assert words_of("timestamp_ns") == ("timestamp", "ns")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("start", [0.0, 1.7e9])
def test_undeclared_time_units_are_guessed(unit, start):
    seconds = start + np.arange(100) / 50
    counts = seconds * {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}[unit]
    np.testing.assert_allclose(to_seconds(counts, guess=True), seconds, atol=2e-6)


def test_dates_become_seconds():
    dates = pd.date_range("2026-01-01", periods=4, freq="20ms")
    for column in (dates.to_numpy(), dates.strftime("%Y-%m-%d %H:%M:%S.%f").to_numpy()):
        np.testing.assert_allclose(np.diff(to_seconds(column)), 0.02, atol=1e-6)


@given(
    rate=st.floats(1, 10_000),
    length=st.integers(1, 200),
    unit=st.sampled_from(["g", "mg", "m/s^2", 0.01]),
    seed=st.integers(0, 100),
)
@settings(max_examples=60, deadline=None)
def test_order_duplicates_and_holes_change_nothing(rate, length, unit, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(length, 6))
    values[rng.random(length) < 0.2] = np.nan
    values[0] = 1.0
    times = np.arange(length) / rate
    plain = make_recording(values, timestamps=times, placements="chest", force_unit=unit).sensors[0]
    order = rng.permutation(np.r_[np.arange(length), rng.integers(0, length, 5)])
    lost = np.r_[times[order], np.nan]
    mixed = make_recording(
        np.r_[values[order], [np.full(6, 3.0)]], timestamps=lost, placements="chest", force_unit=unit
    )
    np.testing.assert_allclose(mixed.sensors[0].values, plain.values)
    np.testing.assert_array_equal(mixed.sensors[0].timestamps, plain.timestamps)
    assert np.isnan(plain.values[np.isnan(values)]).all()
    assert np.isfinite(plain.values[np.isfinite(values)]).all()


def test_samples_of_one_time_are_averaged_without_nan():
    times, values = clean_clock(np.array([1.0, 0.0, 1.0]), np.array([[1.0, np.nan], [5.0, 5.0], [3.0, 7.0]]))
    np.testing.assert_array_equal(times, [0, 1])
    np.testing.assert_array_equal(values, [[5, 5], [2, 7]])


def test_rates_written_between_forces_are_brought_to_their_times():
    times = np.arange(200) / 100
    values = np.full((200, 6), np.nan)
    values[::2, :3] = 1.0
    values[1::2, 3:] = times[1::2, None]
    sensor = make_recording(values, timestamps=times, placements="waist").sensors[0]
    assert len(sensor.values) == 100
    np.testing.assert_allclose(sensor.values[1:, 3], sensor.timestamps[1:])
    assert np.isnan(sensor.values[0, 3])  # before the first rate


def test_interpolation_stops_at_gaps():
    times = np.r_[np.arange(10), np.arange(20, 30)] * 0.1
    result = interpolate_within(np.array([0.05, 1.5, 2.05, 9.0]), times, times[:, None])[:, 0]
    np.testing.assert_allclose(result[[0, 2]], [0.05, 2.05])
    assert np.isnan(result[[1, 3]]).all()


def test_separate_gravity_columns_are_added_and_linear_alone_is_declared_removed():
    columns = {f"userAcceleration.{axis}": np.ones(5) for axis in "xyz"}
    removed = make_recording(columns, 50, placements="waist")
    assert not removed.sensors[0].gravity
    both = make_recording(columns | {f"gravity.{axis}": np.full(5, 2.0) for axis in "xyz"}, 50, placements="waist")
    assert both.sensors[0].gravity
    np.testing.assert_array_equal(both.sensors[0].values[:, :3], 3.0)


def test_a_unit_in_the_header_is_used_and_must_not_be_contradicted():
    columns = {f"acc {axis} (g)": np.ones(3) for axis in "xyz"}
    np.testing.assert_allclose(make_recording(columns, 50, placements="waist").sensors[0].values[0, 0], 9.80665)
    with pytest.raises(ValueError, match="header says 'g'"):
        make_recording(columns, 50, placements="waist", force_unit="mg")


def test_a_rate_beside_a_column_of_times_is_an_error():
    table = pd.DataFrame({"t": np.arange(40) / 25} | {f"acc_{axis}": np.ones(40) for axis in "xyz"})
    with pytest.raises(ValueError, match="has times, so that `sampling_rate` = 50 is not needed; leave it out"):
        make_recording(table, 50, placements="waist")
    assert make_recording(table, placements="waist").sensors[0].sampling_rate == pytest.approx(25)
    bare = make_recording(table.drop(columns="t"), 50, placements="waist")
    assert bare.sensors[0].sampling_rate == pytest.approx(50)


def test_new_names_of_sensors_that_are_not_there_are_an_error():
    table = {f"watch_acc_{axis}": np.ones(5) for axis in "xyz"}
    assert make_recording(table, 50, placements={"watch": "left wrist"}).sensors[0].placement == "left wrist"
    with pytest.raises(ValueError, match=r"renames \['wtch'\], but the sensors are called \['watch'\]"):
        make_recording(table, 50, placements={"watch": "left wrist", "wtch": "right wrist"})
    with pytest.raises(ValueError, match=r"renames \['bely'\], but the sensors are called \['belt'\]"):
        make_recording({"belt": READINGS}, 50, placements={"bely": "chest"})


def test_clock_offsets():
    recording = make_recording({"waist": READINGS, "chest": READINGS}, 50, clock_offsets={"belt": 0.5})
    assert recording.sensors[0].timestamps[0] == 0.5
    assert recording.sensors[1].timestamps[0] == 0.0
    with pytest.raises(ValueError, match="clock_offsets"):
        make_recording({"waist": READINGS}, 50, clock_offsets={"chest": 0.5})


def test_unknown_sides():
    assert resolve_placement("wrist") == ("wrist", ("L_Forearm", "R_Forearm"))
    assert resolve_placement("watch") == ("wrist", ("L_Forearm", "R_Forearm"))
    assert resolve_placement("hip") == ("hip", ("Pelvis",))
    assert resolve_placement("waist (belt buckle)") == ("waist", ("Pelvis",))
    sensor = make_recording(READINGS, 50, placements="pocket").sensors[0]
    assert sensor.segments == ("L_UpperLeg", "R_UpperLeg")
    with pytest.raises(ValueError, match="left trouser pocket.*right trouser pocket"):
        _ = sensor.segment


def test_free_placements():
    turn = (0.0, 1.0, 0.0, 0.0)
    sensor = make_recording(READINGS, 50, placements=("L_Foot", (0.1, 0, 0), turn)).sensors[0]
    assert (sensor.segment, sensor.calibration) == ("L_Foot", "given")
    np.testing.assert_array_equal(sensor.mounting, turn)
    pair = make_recording(np.stack([READINGS] * 3, 1), 50, placements=["waist", "left wrist", "right wrist"])
    assert len(pair.sensors) == 3
    with pytest.raises(ValueError, match="unit quaternion"):
        make_recording(READINGS, 50, placements=("L_Foot", None, (0, 2, 0, 0)))


@pytest.mark.parametrize("rate", [1, 10_000])
def test_slow_and_fast_sensors_are_taken(rate):
    assert make_recording(READINGS, rate, placements="waist").sensors[0].sampling_rate == pytest.approx(rate)


def test_one_empty_sensor_is_kept_and_all_empty_is_an_error():
    empty = np.full((40, 6), np.nan)
    assert np.isnan(make_recording({"waist": READINGS, "chest": empty}, 50).sensors[1].values).all()
    with pytest.raises(ValueError, match="Every reading"):
        make_recording({"waist": empty}, 50)


@pytest.mark.parametrize(
    ("imu", "options", "message"),
    [
        (np.ones((5, 1, 4)), {"placements": "waist"}, "3 or 6"),
        (np.ones(5), {"placements": "waist"}, "shape"),
        (np.ones((0, 6)), {"placements": "waist"}, "empty"),
        (READINGS, {}, "pass `placements`"),
        (READINGS, {"placements": ["waist", "chest"]}, "each of the 1 sensors"),
        (READINGS, {"placements": "lft wrst"}, "did you mean"),
        (READINGS, {"placements": "waist", "force_unit": "furlong"}, "force_unit"),
        (READINGS, {"placements": "waist", "force_unit": -1.0}, "force_unit"),
        (READINGS, {"placements": "waist", "rate_unit": float("nan")}, "rate_unit"),
        (READINGS, {"placements": "waist", "sign": "up"}, "sign"),
        (READINGS, {"placements": "waist", "gravity": "some"}, "gravity"),
        (READINGS, {"placements": "waist", "gravity": np.ones((4, 3))}, "shape of the force"),
        (READINGS, {"placements": "waist", "sampling_rate": float("nan")}, "sampling_rate"),
        (READINGS, {"placements": "waist", "sampling_rate": None}, "sampling_rate"),
        (READINGS, {"placements": "waist", "sampling_rate": 0}, "sampling_rate"),
        (READINGS, {"placements": "waist", "timestamps": np.arange(40)}, "one of them is enough"),
        (READINGS, {"placements": "waist", "sampling_rate": None, "timestamps": np.arange(3)}, "one per sample"),
        (READINGS, {"placements": "waist", "sampling_rate": None, "timestamps": np.full(40, np.nan)}, "finite time"),
        ([["a"] * 6], {"placements": "waist"}, "array of numbers"),
        ({}, {}, "empty"),
        ({"waist": {"data": READINGS}}, {}, "'values'"),
        (pd.DataFrame({"a": [1]}), {}, "acc_x"),
        (pd.DataFrame({f"acc_{axis}": [1.0] for axis in "xyz"}), {}, "where its sensor was worn"),
        (pd.DataFrame({f"acc_{axis}": ["one"] for axis in "xyz"}), {"placements": "waist"}, "must hold numbers"),
    ],
)
def test_errors_say_how_to_mend(imu, options, message):
    with pytest.raises(ValueError, match=message):
        make_recording(imu, **{"sampling_rate": 50, **options})


def test_streams_reject_what_is_wrong():
    with pytest.raises(ValueError, match="strictly increasing"):
        SensorStream("waist", np.ones((2, 6)), [0.0, 0.0])
    with pytest.raises(ValueError, match="at least one sensor"):
        Recording(())
    with pytest.raises(ValueError, match="sits on"):
        SensorStream("wrist", np.ones((2, 6)), [0.0, 1.0]).mounting_on("L_Foot")

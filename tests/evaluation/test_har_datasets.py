# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Labelled sets: declarations, the common layout, windows and rows."""

import json
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anymo_hf.evaluation.har_datasets import (
    HAR_DATASETS,
    MISSING_HAR_DATASETS,
    HarDataset,
    find_har_datasets,
    load_har_recordings,
    majority_activity,
    recording_to_row,
)
from anymo_hf.processing.placements_anymo import NAMED_PLACEMENTS, SEGMENTS
from anymo_hf.processing.recording_anymo import ActivitySpan, Recording, SensorStream


def make_table(**columns):
    """One sensor for two seconds at 10 Hz; give columns to change or, with None, to leave out."""
    num_samples = 20
    base = {
        "subject": ["anna"] * num_samples,
        "recording": ["morning"] * num_samples,
        "placement": ["left wrist"] * num_samples,
        "activity": ["WALKING_FAST"] * num_samples,
        "t": np.arange(num_samples) / 10,
    }
    base |= {f"acc_{axis}": np.full(num_samples, value) for axis, value in zip("xyz", (0.0, 1.0, 9.0), strict=True)}
    base |= {f"gyr_{axis}": np.full(num_samples, value) for axis, value in zip("xyz", (0.1, 0.2, 0.3), strict=True)}
    return pa.table({name: value for name, value in (base | columns).items() if value is not None})


def write(path, *tables):
    pq.write_table(pa.concat_tables(tables), path)
    return path


def load_one(path, *args, **kwargs):
    (recording,) = load_har_recordings(path, *args, **kwargs)
    return recording


# Declarations ------------------------------------------------------------------------------------------------------


def test_split_of_every_set_is_as_the_protocol_says():
    splits = {name: HAR_DATASETS[name].split for name in HAR_DATASETS}
    assert [name for name, split in splits.items() if split == "development"] == ["umafall", "sisfall_adl", "dsads"]
    assert [name for name, split in splits.items() if split == "report"] == [
        "hapt_ucihar_raw",
        "wisdm2019",
        "utd_mhad",
        "sp_sw_har",
    ]


@pytest.mark.parametrize("name", HAR_DATASETS)
def test_every_placement_resolves_and_every_label_has_natural_words(name):
    dataset = HAR_DATASETS[name]
    for place in dataset.placements:
        for side in ("left", "right"):
            assert dataset.resolve_placement(place, side) in {*NAMED_PLACEMENTS, *SEGMENTS}
    assert len(dataset.classes) == len(dataset.activity_words), "two labels became one class"
    for words in dataset.classes:
        assert words == words.strip() and "_" not in words and words.isprintable() and not words.isupper()
        assert 1 <= len(words.split()) <= 10


def test_the_same_activity_has_the_same_words_in_every_set():
    used = Counter(words for name in HAR_DATASETS for words in HAR_DATASETS[name].classes)
    expected = {
        "walking": 9,
        "walking upstairs": 8,
        "walking downstairs": 7,
        "sitting": 9,
        "standing": 8,
        "lying": 5,
        "jogging": 4,
        "running": 4,
        "clapping hands": 3,
        "standing up from a chair": 3,
        "sitting down on a chair": 3,
        "folding clothes": 2,
    }
    assert {words: used[words] for words in expected} == expected


def test_facts_that_evaluation_reports_apart():
    assert HAR_DATASETS["utd_mhad"].label_keyed_placement and HAR_DATASETS["utd_mhad"].window is None
    assert not any(HAR_DATASETS[name].label_keyed_placement for name in HAR_DATASETS if name != "utd_mhad")
    assert HAR_DATASETS["sp_sw_har"].window == 1.0
    assert len(HAR_DATASETS["hapt_ucihar_raw"].get_classes()) == 12
    assert set(HAR_DATASETS["hapt_ucihar_raw"].get_classes("six")) == {
        "walking",
        "walking upstairs",
        "walking downstairs",
        "sitting",
        "standing",
        "lying",
    }
    with pytest.raises(ValueError, match="no subset 'seven'.*six"):
        HAR_DATASETS["hapt_ucihar_raw"].get_classes("seven")
    assert HAR_DATASETS["wisdm2019"].placements_without_side == ("trouser pocket", "wrist of the dominant hand")
    assert HAR_DATASETS["dsads"].placements_without_side == ()
    assert HAR_DATASETS["dsads"].resolve_placement("right leg") == "right knee"
    assert HAR_DATASETS["dsads"].resolve_placement("left arm") == "left wrist"
    assert HAR_DATASETS["umafall"].resolve_placement("ankle", "left") == "left ankle"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"placements": {"a": "tail", "b": "horn"}}, "'a' -> 'tail', 'b' -> 'horn'"),
        ({"activity_words": {"A": ""}}, "needs words"),
        ({"split": "test"}, "must be one of"),
        ({"sampling_rate": 0.0}, "must be positive"),
        ({"window": -1.0}, "must be positive"),
        ({"subsets": {"two": ("flying",)}}, "flying"),
    ],
)
def test_declaration_that_does_not_hold_is_refused(change, message):
    fields = {
        "name": "x",
        "license": "none",
        "sampling_rate": 50.0,
        "gravity": True,
        "placements": {"w": "waist"},
        "activity_words": {"A": "walking"},
        "window": 5.0,
        "split": "other",
    }
    HarDataset(**fields)
    with pytest.raises(ValueError, match=message):
        HarDataset(**(fields | change))


# The common layout -------------------------------------------------------------------------------------------------


def test_unknown_set_needs_no_declaration(tmp_path):
    write(tmp_path / "mine.parquet", make_table())
    recording = load_one(tmp_path)
    assert recording.source == {
        "dataset": tmp_path.name,
        "subject": "anna",
        "recording": "morning",
        "license": "not stated",
    }
    (sensor,) = recording.sensors
    assert sensor.placement == "left wrist" and sensor.gravity
    np.testing.assert_allclose(sensor.values, np.tile([0, 1, 9, 0.1, 0.2, 0.3], (20, 1)))
    np.testing.assert_allclose(sensor.timestamps, np.arange(20) / 10)
    assert recording.activities == (ActivitySpan(0.0, pytest.approx(2.0), "walking fast"),)
    ((dataset, path),) = find_har_datasets(tmp_path)
    assert (dataset.sampling_rate, dataset.window, dataset.split, path) == (10.0, 5.0, "other", tmp_path)


def test_json_beside_a_set_declares_it(tmp_path):
    path = write(tmp_path / "mine.parquet", make_table(placement=["arm3"] * 20))
    declared = {"placements": {"arm3": "right wrist"}, "activity_words": {"WALKING_FAST": "walking briskly"}}
    declared |= {"license": "CC0", "gravity": False, "window": None, "name": "lab", "sampling_rate": 10}
    path.with_suffix(".json").write_text(json.dumps(declared), encoding="utf-8")
    recording = load_one(tmp_path)
    assert recording.sensors[0].placement == "right wrist" and not recording.sensors[0].gravity
    assert recording.activities[0].activity == "walking briskly"
    assert (recording.source["dataset"], recording.source["license"]) == ("lab", "CC0")


def test_json_with_an_unknown_field_or_no_json_at_all_is_refused(tmp_path):
    path = write(tmp_path / "mine.parquet", make_table())
    path.with_suffix(".json").write_text('{"licence": "CC0"}', encoding="utf-8")
    with pytest.raises(ValueError, match="unknown fields.*licence"):
        load_one(tmp_path)
    path.with_suffix(".json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"mine\.json is no valid JSON"):
        load_one(tmp_path)
    path.with_suffix(".json").write_text("[1]", encoding="utf-8")
    with pytest.raises(ValueError, match=r"mine\.json must hold a JSON object"):
        load_one(tmp_path)


def test_all_unmapped_placements_are_listed_at_once(tmp_path):
    write(tmp_path / "mine.parquet", make_table(placement=["tail"] * 10 + ["horn"] * 10))
    with pytest.raises(ValueError, match="(?s)'tail' -> 'tail', 'horn' -> 'horn'.*JSON"):
        load_one(tmp_path)


def test_sensors_of_a_recording_may_alternate_row_by_row(tmp_path):
    times = np.repeat(np.arange(10) / 10, 2)
    force = np.tile([1.0, 2.0], 10)
    write(tmp_path / "a.parquet", make_table(placement=["left wrist", "waist"] * 10, t=times, acc_x=force))
    recording = load_one(tmp_path)
    assert [sensor.placement for sensor in recording.sensors] == ["left wrist", "waist"]
    assert [set(sensor.values[:, 0]) for sensor in recording.sensors] == [{1.0}, {2.0}]
    assert recording.activities == (ActivitySpan(0.0, pytest.approx(1.0), "walking fast"),)


def test_accelerometer_alone_missing_readings_and_missing_labels(tmp_path):
    force = pa.array([None, *np.ones(19)])
    labels = ["sit"] * 8 + [None] * 4 + [""] * 4 + ["walk"] * 4
    table = make_table(gyr_x=None, gyr_y=None, gyr_z=None, acc_y=force, activity=labels)
    write(tmp_path / "a.parquet", table)
    recording = load_one(tmp_path)
    values = recording.sensors[0].values
    assert values.shape == (20, 6) and np.isnan(values[:, 3:]).all()
    assert np.isnan(values[0, 1]) and np.isfinite(values[1:, :3]).all()
    assert [(span.activity, round(span.start, 3)) for span in recording.activities] == [
        ("sit", 0.0),
        ("", 0.8),
        ("walk", 1.6),
    ]


def test_numbers_as_names_and_as_readings(tmp_path):
    table = make_table(subject=np.full(20, 7), recording=np.full(20, 3), acc_x=np.full(20, 4, dtype=np.int16))
    write(tmp_path / "a.parquet", table)
    recording = load_one(tmp_path)
    assert (recording.source["subject"], recording.source["recording"]) == ("7", "3")
    assert (recording.sensors[0].values[:, 0] == 4).all()


def test_repeated_time_stamps_keep_their_first_reading(tmp_path):
    times = np.arange(20) / 10
    times[5] = times[4]
    write(tmp_path / "a.parquet", make_table(t=times, acc_x=np.arange(20.0)))
    values = load_one(tmp_path).sensors[0].values[:, 0]
    assert values.tolist() == [0, 1, 2, 3, 4, *range(6, 20)]


def test_six_zeros_at_once_are_no_reading(tmp_path):
    lost = {f"{kind}_{axis}": np.r_[np.zeros(10), np.ones(10)] for kind in ("acc", "gyr") for axis in "xyz"}
    write(tmp_path / "a.parquet", make_table(**lost | {"gyr_z": np.r_[np.zeros(9), 0.1, np.ones(10)]}))
    recording = load_one(tmp_path)
    assert np.isfinite(recording.sensors[0].values).all(axis=1).tolist() == [False] * 9 + [True] * 11
    assert majority_activity(recording, 0.0, 0.85) == "" and majority_activity(recording, 0.0, 1.0) == "walking fast"


def test_readings_that_arrive_in_bursts_are_spread_evenly(tmp_path):
    path = write(tmp_path / "a.parquet", make_table(t=np.repeat(np.arange(10) / 5, 2)))
    path.with_suffix(".json").write_text('{"even_clock": true, "sampling_rate": 10.5}', encoding="utf-8")
    sensor = load_one(tmp_path).sensors[0]
    assert len(sensor.timestamps) == 20
    np.testing.assert_allclose(np.diff(sensor.timestamps), 1.8 / 19)


def test_a_recording_may_run_from_one_shard_into_the_next(tmp_path):
    # The second file meets its words in another order, so its codes differ.
    later = make_table(t=2 + np.arange(20) / 10, activity=["sit"] * 10 + ["WALKING_FAST"] * 10)
    write(tmp_path / "part-0.parquet", make_table(activity=["WALKING_FAST"] * 10 + ["sit"] * 10))
    write(tmp_path / "part-1.parquet", later, make_table(subject=["ben"] * 20))
    (tmp_path / "dataset.json").write_text('{"activity_words": {"sit": "sitting"}}', encoding="utf-8")
    first, second = load_har_recordings(tmp_path)
    assert len(first.sensors[0].timestamps) == 40 and second.source["subject"] == "ben"
    assert [(span.activity, round(span.end, 3)) for span in first.activities] == [
        ("walking fast", 1.0),
        ("sitting", 3.0),
        ("walking fast", 4.0),
    ]


def test_long_recordings_and_plain_text_columns_pass_batch_borders(tmp_path, monkeypatch):
    monkeypatch.setattr("anymo_hf.evaluation.har.parquet.BATCH_SIZE", 7)
    others = [make_table(recording=[name] * 20, acc_x=np.arange(20.0)) for name in ("a", "b", "c")]
    write(tmp_path / "a.parquet", *others)
    recordings = list(load_har_recordings(tmp_path))
    assert [recording.source["recording"] for recording in recordings] == ["a", "b", "c"]
    for recording in recordings:
        np.testing.assert_array_equal(recording.sensors[0].values[:, 0], np.arange(20.0))
        assert len(recording.activities) == 1


def test_what_two_sensors_are_labelled_differently_is_unlabelled(tmp_path):
    wrist = make_table(activity=["sit"] * 10 + ["walk"] * 10)
    waist = make_table(placement=["waist"] * 20, activity=["sit"] * 12 + ["walk"] * 8)
    write(tmp_path / "a.parquet", wrist, waist)
    spans = load_one(tmp_path).activities
    assert [(span.activity, round(span.start, 3), round(span.end, 3)) for span in spans] == [
        ("sit", 0.0, 1.0),
        ("", 1.0, 1.2),
        ("walk", 1.2, 2.0),
    ]
    # One sensor alone keeps its own labels.
    spans = load_one(tmp_path, placements=["waist"]).activities
    assert [(span.activity, round(span.start, 3)) for span in spans] == [("sit", 0.0), ("walk", 1.2)]


def test_choosing_sensors_people_and_sides(tmp_path):
    tables = [make_table(subject=[who] * 20, placement=[place] * 20) for who in "ab" for place in ("wrist", "waist")]
    write(tmp_path / "a.parquet", *tables)
    left = list(load_har_recordings(tmp_path, side="left"))
    assert [[sensor.placement for sensor in recording.sensors] for recording in left] == [["left wrist", "waist"]] * 2
    for wanted in ("wrist", "right wrist", "left wrist"):
        (recording,) = load_har_recordings(tmp_path, placements=[wanted], subjects=["b"])
        assert [sensor.placement for sensor in recording.sensors] == ["right wrist"]
        assert recording.source["subject"] == "b"
    with pytest.raises(ValueError, match="no sensor at 'ankle'.*waist"):
        load_one(tmp_path, placements=["ankle"])
    with pytest.raises(ValueError, match="'left' or 'right'"):
        load_one(tmp_path, side="both")


def test_several_sets_in_one_folder_are_told_apart(tmp_path):
    write(tmp_path / "wisdm2019.parquet", make_table(placement=["trouser pocket"] * 20, activity=["jogging"] * 20))
    write(tmp_path / "mine.parquet", make_table())
    (tmp_path / "mine.json").write_text('{"name": "lab"}', encoding="utf-8")
    write(tmp_path / "loose.parquet", make_table())
    assert sorted(dataset.name for dataset, _ in find_har_datasets(tmp_path)) == sorted(
        ["wisdm2019", "lab", tmp_path.name]
    )
    with pytest.raises(ValueError, match="several sets; name one of"):
        load_one(tmp_path)
    recording = load_one(tmp_path, "wisdm2019")
    assert (
        recording.sensors[0].placement == "right trouser pocket" and recording.source["placement"] == "trouser pocket"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"acc_x": None}, r"a\.parquet lacks the columns \['acc_x'\]; the common layout is"),
        ({"gyr_y": None}, r"a\.parquet lacks the columns \['gyr_y'\]"),
        ({"activity": None, "t": None}, r"a\.parquet lacks the columns \['activity', 't'\]"),
        ({"acc_z": ["9.8"] * 20}, r"a\.parquet: column 'acc_z' must hold numbers .*string"),
        ({"t": pa.array(range(20), pa.timestamp("ms"))}, r"a\.parquet: column 't' must hold numbers .*timestamp"),
        ({"placement": np.ones(20)}, r"a\.parquet: column 'placement' must hold text"),
        ({"t": np.arange(20)[::-1] / 10}, r"a\.parquet: time of 'left wrist'.*runs backwards.*sort the file"),
        ({"t": [0.0, np.nan, *np.arange(18)]}, r"a\.parquet: time of 'left wrist'.*missing.*sort the file"),
        ({"recording": ["a"] * 5 + ["b"] * 10 + ["a"] * 5}, r"a\.parquet: rows of recording 'a'.*sort the file"),
        ({"t": np.zeros(20)}, "stands still.*sampling_rate"),
    ],
)
def test_a_table_that_cannot_be_read_names_file_and_remedy(tmp_path, change, message):
    write(tmp_path / "a.parquet", make_table(**change))
    with pytest.raises(ValueError, match=message):
        list(load_har_recordings(tmp_path))


def test_an_undeclared_label_of_a_known_set_is_refused(tmp_path):
    write(tmp_path / "hapt_ucihar_raw.parquet", make_table(placement=["waist"] * 20))
    with pytest.raises(ValueError, match="undeclared label 'WALKING_FAST'.*activity_words"):
        load_one(tmp_path)


def test_nothing_to_read_is_said(tmp_path):
    with pytest.raises(ValueError, match="holds no Parquet file; convert"):
        load_one(tmp_path)
    with pytest.raises(ValueError, match=r"nowhere does not exist"):
        load_one(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"nowhere does not exist"):
        load_one(tmp_path / "nowhere", "dsads")
    with pytest.raises(ValueError, match="No set is called 'dsad'; known are"):
        load_one(tmp_path, "dsad")
    with pytest.raises(ValueError, match="No set is called 'opportunity'; .*UniMTS"):
        load_one(tmp_path, "opportunity")
    write(tmp_path / "a.parquet", make_table().slice(0, 0))
    with pytest.raises(ValueError, match=r"a\.parquet has no rows"):
        load_one(tmp_path)


def test_damaged_files_are_named(tmp_path):
    path = write(
        tmp_path / "a.parquet", *[make_table(acc_x=np.random.default_rng(i).normal(size=20)) for i in range(9)]
    )
    whole = path.read_bytes()
    path.write_bytes(b"no parquet at all")
    with pytest.raises(ValueError, match=r"a\.parquet is no readable Parquet file"):
        load_one(tmp_path)
    # The footer is intact, the readings are not.
    path.write_bytes(whole[:4] + b"\xff" * (len(whole) // 2) + whole[4 + len(whole) // 2 :])
    with pytest.raises(ValueError, match=r"a\.parquet is damaged"):
        load_one(tmp_path)


def test_no_missing_set_has_a_reader():
    assert not set(MISSING_HAR_DATASETS) & set(HAR_DATASETS)
    assert all(MISSING_HAR_DATASETS.values())


# Windows and rows --------------------------------------------------------------------------------------------------


def make_recording(*spans):
    sensor = SensorStream("waist", np.zeros((100, 6)), np.arange(100) / 10)
    return Recording((sensor,), tuple(ActivitySpan(*span) for span in spans), {"dataset": "x", "subject": "1"})


def test_majority_activity():
    recording = make_recording((0, 3, "sitting"), (3, 5, ""), (5, 8, "walking"), (8, 10, "sitting"))
    assert majority_activity(recording, 0, 3) == "sitting"
    assert majority_activity(recording, 1, 4) == ""  # two thirds
    assert majority_activity(recording, 1, 4, min_share=0.6) == "sitting"
    assert majority_activity(recording, 3, 5) == ""
    assert majority_activity(recording, 4, 8) == "walking"  # exactly three quarters
    assert majority_activity(recording, 4, 8, min_share=1.0) == ""
    assert majority_activity(recording, 5, 8, min_share=1.0) == "walking"
    assert majority_activity(recording, 20, 25) == ""
    split = make_recording((0, 2, "sitting"), (2, 4, "sitting"))
    assert majority_activity(split, 0, 4, min_share=1.0) == "sitting"
    with pytest.raises(ValueError, match="after `start`"):
        majority_activity(recording, 3, 3)
    with pytest.raises(ValueError, match="above 0.5"):
        majority_activity(recording, 0, 3, min_share=0.5)


def test_recording_to_row_fills_a_dataset():
    from datasets import Dataset

    row = recording_to_row(make_recording((0, 10, "sitting")))
    stored = Dataset.from_list([row])[0]
    assert (stored["dataset"], stored["subject"], stored["recording"]) == ("x", "1", "")
    assert stored["sensors"][0]["placement"] == "waist" and stored["sensors"][0]["sampling_rate"] == pytest.approx(10)
    assert np.shape(stored["sensors"][0]["values"]) == (100, 6)
    assert stored["activities"] == [{"start": 0, "end": 10, "activity": "sitting"}]

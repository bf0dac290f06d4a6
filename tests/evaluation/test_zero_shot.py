# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Zero-shot scores, controls and rows: figures that can be counted by hand."""

import numpy as np
import pytest
import torch

from anymo_hf import AnyMoGraphEncoder, AnyMoGraphEncoderConfig
from anymo_hf.evaluation import embeddings, zero_shot
from anymo_hf.evaluation.embeddings import HarWindows, load_har_windows
from anymo_hf.evaluation.har_datasets import HAR_DATASETS
from anymo_hf.evaluation.zero_shot import (
    Calibration,
    checkpoint_sha256,
    classify_windows,
    name_by_similarity,
    score_guesses,
    weights_sha256,
)
from anymo_hf.evaluation.zero_shot_controls import control_scores, force_deviation, is_still_activity
from anymo_hf.evaluation.zero_shot_results import format_confusions, format_table, subset_words, to_results
from anymo_hf.processing.placements_anymo import SEGMENTS
from anymo_hf.processing.streams_anymo import ActivitySpan, Recording, SensorStream


POSTURES = ("sitting", "standing", "walking")


def make_windows(activities, amplitudes, subjects=None, num_sensors=1, num_frames=120):
    """Gravity, and a swing of so many m/s^2 along it."""
    subjects = ["p"] * len(activities) if subjects is None else subjects
    swing = np.sin(2 * np.pi * np.arange(num_frames) / 60)
    values = np.zeros((len(activities), num_frames, num_sensors, 6), dtype=np.float32)
    values[..., 2] = 9.80665 + np.array(amplitudes)[:, None, None] * swing[:, None]
    places, segments = ("right wrist", "right thigh")[:num_sensors], ("R_Forearm", "R_UpperLeg")[:num_sensors]
    labels = (np.array(activities), np.array(subjects), np.array(subjects))
    return HarWindows(values, np.ones(values.shape, dtype=bool), places, segments, *labels)


class FakePipeline:
    """Embeds a window as the unit vector of its largest |force| in m/s^2, and keeps what it was given."""

    def __init__(self, size=3):
        self.size, self.features, self.placements = size, [], []

    def embed_windows(self, features, placements):
        self.features.append(features)
        self.placements += placements
        largest = np.abs(features["input_values"]).max(axis=(1, 2, 3, 4)).astype(int)
        return torch.eye(self.size)[largest % self.size]

    def embed_labels(self, labels):
        return torch.eye(self.size)[: len(labels)]


def test_scores_by_hand():
    windows = make_windows(["a", "a", "b", "c"], [0] * 4)
    similarities = np.array([[0.9, 0.5, 0.1], [0.5, 0.9, 0.1], [0.5, 0.1, 0.9], [0.1, 0.5, 0.9]])
    scores = score_guesses(*name_by_similarity(similarities), windows, ("a", "b", "c"))
    np.testing.assert_array_equal(scores.first.confusion, [[[[1, 1, 0], [0, 0, 1], [0, 0, 1]]]])
    assert scores.accuracy == 0.5 and scores.recall_at_2 == 0.75
    # F1 of a: 2 * 1 / (2 + 1); of b: 0; of c: 2 * 1 / (1 + 2).
    assert scores.macro_f1 == pytest.approx(4 / 9)
    assert scores.confusions() == [("a", 0.5, "b", 0.5), ("b", 0.0, "c", 1.0), ("c", 1.0, "a", 0.0)]
    assert format_confusions(scores).splitlines()[0] == "a   50.0  taken for b 50.0"
    with pytest.raises(ValueError, match="'c'"):
        score_guesses(*name_by_similarity(similarities[:, :2]), windows, ("a", "b"))


def test_people_stay_apart_and_classes_that_never_occur_are_wrong_answers():
    windows = make_windows(["a", "a", "b"], [0] * 3, ["q", "p", "p"])
    guesses = np.array([[0, 0, 1.0], [1, 0, 0], [0, 1, 0]])
    scores = score_guesses(guesses, guesses, windows, ("a", "b", "c"))
    assert scores.first.subjects == ("p", "q")
    assert scores.first.accuracy_by_subject == {"p": 1.0, "q": 0.0}
    assert scores.accuracy == pytest.approx(2 / 3)
    # a: 2 * 1 / (2 + 1), b: 1; c does not occur.
    assert scores.macro_f1 == pytest.approx(5 / 6)


def test_windows_are_named_by_the_nearest_words():
    windows = make_windows(["sitting", "standing", "walking"], [0, 1, 3])
    # The largest forces are 9.8, 10.8 and 12.8: vectors 0, 1 and 0 of three.
    fake = FakePipeline()
    scores = classify_windows(fake, windows, POSTURES, batch_size=2)
    assert scores.accuracy == pytest.approx(2 / 3)
    assert scores.confusions()[2] == ("walking", 0.0, "sitting", 1.0)
    assert fake.placements == [("right wrist",)] * 3 and len(fake.features) == 2
    assert fake.features[0]["input_values"].shape == (2, 1, 120, 23, 6)


def test_only_sensors_that_measured_are_named():
    windows = make_windows(["sitting", "walking"], [0, 0], num_sensors=2)
    windows.mask[1, :, 0] = False
    fake = FakePipeline()
    zero_shot.embed_har_windows(fake, windows)
    assert fake.placements == [("right wrist", "right thigh"), ("right thigh",)]


def test_hidden_place_is_every_place():
    windows = make_windows(["sitting", "walking"], [0, 0], num_sensors=2)
    windows.values[0, :, 1] = windows.values[1, :, 0] = 0
    windows.mask[0, :, 1] = windows.mask[1, :, 0] = False
    fake = FakePipeline()
    zero_shot.embed_har_windows(fake, windows, place_told=False)
    (features,) = fake.features
    assert fake.placements == [(), ()] and features["input_values"].shape == (2, 2, 120, 23, 6)
    for window, sensor in ((0, 0), (1, 1)):
        for view, segment in enumerate(windows.segments):
            seen = features["input_values_mask"][window, view].any(axis=(0, 2))
            assert np.flatnonzero(seen).tolist() == [SEGMENTS.index(segment)]
            put = features["input_values"][window, view, :, SEGMENTS.index(segment)]
            np.testing.assert_array_equal(put, windows.values[window, :, sensor])
    with pytest.raises(ValueError, match="tell the places"):
        zero_shot.embed_har_windows(fake, make_windows(["sitting"], [0], num_sensors=2), place_told=False)


def test_two_sensors_on_a_segment_need_a_choice():
    windows = make_windows(["sitting"], [0], num_sensors=2)
    windows.segments = ("R_Forearm", "R_Forearm")
    with pytest.raises(ValueError, match="right thigh.*share.*R_Forearm"):
        zero_shot.embed_har_windows(FakePipeline(), windows)


def test_deviation_of_the_force():
    windows = make_windows(["walking"] * 2, [2.0, 1.0], num_sensors=2)
    windows.values[0, :, 1, 2] = 9.80665  # half of the sensors are still
    windows.values[1, 60:] = 0
    windows.mask[1, 60:] = False  # not observed
    np.testing.assert_allclose(force_deviation(windows), [0.5 * 2 / np.sqrt(2), 1 / np.sqrt(2)], rtol=1e-5)


def test_controls_by_hand():
    activities = ["sitting", "sitting", "standing", "walking", "walking", "walking"]
    # The second one sits restlessly; nobody else is taken for what he is not.
    scores = control_scores(make_windows(activities, [0, 5, 0, 5, 5, 5]), POSTURES)
    assert scores["chance"].accuracy == pytest.approx(1 / 3) and scores["chance"].recall_at_2 == pytest.approx(2 / 3)
    assert scores["majority"].accuracy == 0.5 and scores["majority"].recall_at_2 == pytest.approx(5 / 6)
    # Always "walking": F1 2 * 3 / (3 + 6) of one class of three.
    assert scores["majority"].macro_f1 == pytest.approx(2 / 9)
    known = scores["moving against still only"]
    # Two still windows are half right each, those of walking right; half of the second guesses find the restless one.
    assert known.accuracy == pytest.approx((0.5 + 0 + 0.5 + 3) / 6)
    assert known.recall_at_2 == pytest.approx((1 + 0.5 + 1 + 3) / 6)


def test_moving_or_still_says_nothing_where_all_move():
    scores = control_scores(make_windows(["walking", "running"], [0, 5]), ("walking", "running", "jumping"))
    assert scores["moving against still only"].accuracy == pytest.approx((1 / 3 + 1 / 3) / 2)


@pytest.mark.parametrize(
    ("words", "still"),
    [
        ("sitting", True),
        ("lying on the back", True),
        ("standing still in an elevator", True),
        ("sitting down on a chair", False),
        ("standing up from a chair", False),
        ("lying down from standing", False),
        ("turning from the back to the side while lying", False),
        ("walking", False),
    ],
)
def test_postures_by_their_words(words, still):
    assert is_still_activity(words) is still


def test_calibration_by_each_persons_own_walking():
    generator, times = np.random.default_rng(0), np.arange(1500) / 50
    swing = 3 * np.sin(2 * np.pi * 1.9 * times)[:, None]
    walking = np.array([0, 9.8, 0, 0, 0, 0]) + swing * [0, 1, 0, 0, 0.2, 0] + generator.normal(0, 0.05, (1500, 6))
    still = np.tile([0, 9.8, 0, 0, 0, 0.0], (1500, 1))

    def record(subject, **sensors):
        streams = tuple(SensorStream(place, values, 1e6 + times) for place, values in sensors.items())
        return Recording(streams, source={"subject": subject})

    recordings = [record("p", waist=walking, chest=still), record("p", waist=still), record("q", waist=still)]
    calibration = Calibration(iter(recordings))
    assert str(calibration) == "1 of 3 sensors calibrated by their wearers' own walking"
    walked, sat, other = map(calibration, recordings)
    # The sitting of who walked elsewhere is turned too: its force, along y of the sensor, points up.
    np.testing.assert_allclose(sat.sensors[0].values[:, :3], np.tile([0, 0, 9.8], (1500, 1)), atol=0.2)
    assert np.abs(walked.sensors[0].values[:, :3].mean(axis=0) - [0, 0, 9.8]).max() < 0.2
    np.testing.assert_array_equal(walked.sensors[1].values, still)
    np.testing.assert_array_equal(other.sensors[0].values, still)
    np.testing.assert_array_equal(sat.sensors[0].timestamps, 1e6 + times)


def test_calibrated_windows_are_turned(monkeypatch):
    times = np.arange(600) / 50
    recording = Recording(
        (SensorStream("waist", np.tile([0, 9.8, 0, 0, 1.0, 0], (600, 1)), times),),
        (ActivitySpan(0, 12, "walking"),),
        {"subject": "p", "recording": "r"},
    )
    monkeypatch.setattr(embeddings, "load_har_recordings", lambda *args, **kwargs: iter([recording]))
    calibration = Calibration([])
    half = np.sqrt(0.5)
    calibration._mountings["p", "waist"] = np.array([half, half, 0, 0])  # y of the sensor is the segment's z
    windows = load_har_windows("", HAR_DATASETS["hapt_ucihar_raw"], prepare=calibration)
    np.testing.assert_allclose(windows.values[:, 30:-30, 0].mean(axis=(0, 1)), [0, 0, 9.8, 0, 0, 1.0], atol=0.02)


def test_rows_of_many_people_have_intervals_and_those_of_few_their_values():
    dataset = HAR_DATASETS["hapt_ucihar_raw"]
    for num_people in (8, 2):
        subjects = [f"p{i}" for i in range(num_people) for _ in range(2)]
        windows = make_windows(["sitting", "walking"] * num_people, [0, 5] * num_people, subjects)
        perfect = score_guesses(*name_by_similarity(np.eye(3)[[0, 2] * num_people]), windows, POSTURES)
        scores = {"ours": perfect, **control_scores(windows, POSTURES)}
        rows = to_results(scores, "ours", dataset, subset_words("waist", True), {"seed": 1, "note": "n"})
        assert [(row.metric, row.value) for row in rows] == [
            ("accuracy (%)", 100.0), ("macro-F1 (%)", 100.0), ("R@2 (%)", 100.0),
        ]  # fmt: skip
        assert [row.chance for row in rows][::2] == [33.33, 66.67] and rows[0].majority == 50.0
        assert (rows[0].table, rows[0].subset, rows[0].num_windows) == (
            "zero-shot",
            "waist, calibrated",
            2 * num_people,
        )
        assert (rows[0].num_classes, rows[0].num_subjects, rows[0].seed) == (3, num_people, 1)
        if num_people == 8:
            assert (rows[0].ci_low, rows[0].ci_high, rows[0].note) == (100.0, 100.0, "n")
            assert format_table(scores).splitlines()[1].split() == ["ours", *["100.0", "(100.0", "to", "100.0)"] * 3]
        else:
            assert rows[0].ci_low is None and rows[0].note == "n; by subject: p0 100.0, p1 100.0"
            assert "ours, accuracy by subject: p0 100.0, p1 100.0" in format_table(scores)


def test_sets_that_do_not_say_the_side_say_so():
    windows = make_windows(["a"], [0])
    scores = control_scores(windows, ("a",))
    (row, *_) = to_results(scores, "chance", HAR_DATASETS["wisdm2019"], "watch", {})
    assert row.note.startswith("side not stated, taken for the right: trouser pocket, wrist of the dominant hand")


def test_the_same_weights_configured_otherwise_are_another_checkpoint(tmp_path):
    encoder = AnyMoGraphEncoder(AnyMoGraphEncoderConfig.small())
    found = []
    for name, cutoff in (("one", None), ("same", None), ("other", 4.5)):
        encoder.config.cutoff = cutoff
        encoder.save_pretrained(tmp_path / name)
        found.append(checkpoint_sha256(tmp_path / name, encoder))
    assert found[0] == found[1] != found[2]
    assert checkpoint_sha256(tmp_path / "on the Hub", encoder) == weights_sha256(encoder)

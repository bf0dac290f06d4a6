# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from anymo_hf.evaluation.metrics import accuracy, bootstrap_interval, confusion_by_subject, macro_f1, majority_share
from anymo_hf.evaluation.probes import few_shot_probe, leave_subjects_out, linear_probe, nearest_neighbour_accuracy


CLASSES = np.array(["lying", "running", "walking"])


def make_set(num_subjects=6, per_class=12, separation=8.0, seed=0):
    """Windows of classes that lie `separation` deviations apart, the same for all people."""
    generator = np.random.default_rng(seed)
    subjects = np.repeat([f"s{i}" for i in range(num_subjects)], len(CLASSES) * per_class)
    codes = np.tile(np.repeat(np.arange(len(CLASSES)), per_class), num_subjects)
    embeddings = generator.normal(size=(len(codes), 3))
    embeddings[np.arange(len(codes)), codes] += separation
    return embeddings, CLASSES[codes], subjects


def code_people(labels, subjects):
    """Features that say exactly who it is and what that person does, but mean something else for everybody."""
    pairs = np.array([f"{subject} {label}" for subject, label in zip(subjects, labels, strict=True)])
    return (pairs[:, None] == np.unique(pairs)).astype(float)


@pytest.mark.parametrize("probe", [linear_probe, few_shot_probe])
def test_separable_classes_are_told_apart(probe):
    embeddings, labels, subjects = make_set(separation=100.0)
    scores = probe(embeddings, labels, subjects)
    assert scores.accuracy == 1 and scores.macro_f1 == 1
    assert scores.classes == tuple(CLASSES) and scores.accuracy_by_subject == {f"s{i}": 1.0 for i in range(6)}
    assert nearest_neighbour_accuracy(embeddings, labels, subjects) == 1


@pytest.mark.parametrize("probe", [linear_probe, few_shot_probe])
def test_shuffled_labels_give_chance(probe):
    embeddings, labels, subjects = make_set(num_subjects=10, per_class=20)
    labels = np.random.default_rng(1).permutation(labels)
    assert probe(embeddings, labels, subjects).accuracy == pytest.approx(1 / 3, abs=0.06)
    assert nearest_neighbour_accuracy(embeddings, labels, subjects) == pytest.approx(1 / 3, abs=0.06)


@pytest.mark.parametrize("probe", [linear_probe, few_shot_probe])
def test_what_only_one_person_shows_helps_nobody(probe):
    """With any window of the tested person in training, these features would give 1."""
    _, labels, subjects = make_set()
    embeddings = code_people(labels, subjects)
    assert probe(embeddings, labels, subjects).accuracy == pytest.approx(1 / 3, abs=0.01)
    noise = np.random.default_rng(0).normal(0, 1e-3, embeddings.shape)
    assert nearest_neighbour_accuracy(embeddings + noise, labels, subjects) == pytest.approx(1 / 3, abs=0.15)


def test_folds_share_no_person_and_hold_every_window_once():
    _, _, subjects = make_set(num_subjects=13)
    folds = leave_subjects_out(subjects)
    assert len(folds) == 5 and (np.sum(folds, axis=0) == 1).all()
    for test in folds:
        assert not set(subjects[test]) & set(subjects[~test])
    assert len(leave_subjects_out(subjects[:100])) == len(set(subjects[:100]))
    with pytest.raises(ValueError, match="at least two"):
        leave_subjects_out(subjects[:3])


def test_probe_meets_another_setup():
    """Fitted on the windows as they are; tested where two classes changed places, and on the windows themselves."""
    embeddings, labels, subjects = make_set(separation=14.0)
    swapped = embeddings[:, [1, 0, 2]]
    scores = linear_probe(embeddings, labels, subjects, test_embeddings=np.stack([swapped, embeddings]))
    first, second = scores.confusion.sum(axis=1)
    np.testing.assert_array_equal(first, np.array([[0, 72, 0], [72, 0, 0], [0, 0, 72]]))
    np.testing.assert_array_equal(second, np.diag([72, 72, 72]))
    assert scores.accuracy == pytest.approx((1 / 3 + 1) / 2)


def test_few_shots_are_few():
    """Classes that overlap: the mean of one window is a worse guess than that of fifty."""
    embeddings, labels, subjects = make_set(separation=3.0)
    few = few_shot_probe(embeddings, labels, subjects, num_shots=1)
    many = few_shot_probe(embeddings, labels, subjects, num_shots=50, num_draws=2)
    assert few.accuracy < many.accuracy - 0.02
    assert few.confusion.shape == (20, 6, 3, 3)
    again = few_shot_probe(embeddings, labels, subjects, num_shots=1)
    np.testing.assert_array_equal(few.confusion, again.confusion)
    assert len(np.unique(few.confusion.reshape(20, -1), axis=0)) > 10, "draws must differ"


def test_constant_and_huge_features_do_no_harm():
    embeddings, labels, subjects = make_set(separation=14.0)
    embeddings = np.concatenate([embeddings, np.full((len(labels), 1), 7.0)], axis=1)
    tested = embeddings.copy()
    tested[:, -1] = 1e9  # constant in training
    assert linear_probe(embeddings, labels, subjects, test_embeddings=tested).accuracy == 1


def test_metrics_by_hand():
    labels = np.array(["a", "a", "a", "b", "b", "c"])
    said = np.array(["a", "a", "b", "b", "a", "b"])
    confusion = confusion_by_subject(labels, said, np.array(["y", "x", "x", "x", "x", "y"]), ["a", "b", "c", "d"])
    total = confusion.sum(axis=0)
    np.testing.assert_array_equal(total[:3, :3], [[2, 1, 0], [1, 1, 0], [0, 1, 0]])
    assert accuracy(total) == pytest.approx(3 / 6)
    # F1: a 4/6, b 2/5, c 0; d does not occur.
    assert macro_f1(total) == pytest.approx((4 / 6 + 2 / 5 + 0) / 3)
    assert accuracy(confusion).tolist() == pytest.approx([0.5, 0.5])
    assert majority_share(labels) == 0.5
    with pytest.raises(ValueError, match=r"\['c'\]"):
        confusion_by_subject(labels, said, labels, ["a", "b"])


def test_bootstrap_draws_people():
    """Half of 100 people always right, half always wrong: the deviation of a mean of 100 coins is 0.05."""
    confusion = np.zeros((2, 100, 2, 2), dtype=int)
    confusion[:, :50, 0, 0] = 9
    confusion[:, 50:, 0, 1] = 9
    low, high = bootstrap_interval(confusion, accuracy)
    assert low == pytest.approx(0.5 - 1.96 * 0.05, abs=0.015) and high == pytest.approx(0.5 + 1.96 * 0.05, abs=0.015)


def test_interval_needs_eight_people():
    for number, expected in ((7, False), (8, True)):
        embeddings, labels, subjects = make_set(num_subjects=number, per_class=4)
        scores = linear_probe(embeddings, labels, subjects)
        assert (scores.interval(macro_f1) is not None) == expected
        assert len(scores.macro_f1_by_subject) == number

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from anymo_hf.evaluation.results import read_results
from anymo_hf.simulation.rotations import (
    quaternion_conjugate,
    quaternion_exp,
    quaternion_log,
    quaternion_multiply,
    quaternion_to_matrix,
)


sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
paired_data = pytest.importorskip("paired_data")
paired_sets = pytest.importorskip("paired_sets")
real_vs_simulated = pytest.importorskip("real_vs_simulated")

MOUNTING = quaternion_exp(torch.tensor([0.9, -1.4, 0.7], dtype=torch.float64))
LEVER_ARM = np.array([0.05, -0.12, 0.08])
CLOCK_OFFSET = 0.0437  # s, no multiple of any sample
BIAS = np.array([0.2, -0.1, 0.05, 0.02, 0.01, -0.03])
SECONDS = 16.0


def pose(t):
    """Positions, rotation matrices and quaternions of a body that swings and turns about its own three axes."""
    positions = np.stack([0.3 * np.sin(5 * t), 0.2 * np.sin(7 * t + 1), 0.25 * np.cos(6 * t)], axis=-1)
    turns = np.stack([0.8 * np.sin(3 * t), 0.6 * np.sin(4 * t + 2), 1.2 * np.sin(2 * t + 1)], axis=-1)
    quaternions = quaternion_exp(torch.from_numpy(turns))
    return positions, quaternion_to_matrix(quaternions).numpy(), quaternions.numpy()


def true_readings(t):
    """The sensor's reading at motion time `t`, by differences so fine that they are exact to 1e-4."""
    step = 1e-3
    (before, rotation_before, _), (now, rotation, _), (after, rotation_after, _) = (
        pose(t + d) for d in (-step, 0, step)
    )
    path = [p + r @ LEVER_ARM for p, r in ((before, rotation_before), (now, rotation), (after, rotation_after))]
    acceleration = (path[2] - 2 * path[1] + path[0]) / step**2
    spin = np.swapaxes(rotation, 1, 2) @ (rotation_after - rotation_before) / (2 * step)
    rate = np.stack([spin[:, 2, 1], spin[:, 0, 2], spin[:, 1, 0]], axis=-1)
    force = np.einsum("tji,tj->ti", rotation, acceleration + [0, 0, 9.80665])
    sensor = quaternion_to_matrix(MOUNTING).numpy()
    return np.concatenate([force @ sensor, rate @ sensor], axis=1)


@pytest.fixture(scope="module")
def recording():
    t = np.arange(round(SECONDS * 240)) / 240
    positions, _, quaternions = pose(t)
    positions[2600:2640] = np.nan  # an occlusion in the second half
    motion = paired_data.rigid_body(positions, quaternions, t, segment=11)
    clock = np.arange(round(SECONDS * 200)) / 200
    values = true_readings(clock - CLOCK_OFFSET) + BIAS
    return paired_data.PairedRecording("made", "up", "s1", motion, 11, clock, values, (1.0, SECONDS - 1), False)


def test_everything_that_is_fitted_is_recovered(recording):
    comparison = real_vs_simulated.compare(recording, real_vs_simulated.ours())
    fit = comparison.alignment
    assert fit.clock_offset == pytest.approx(CLOCK_OFFSET, abs=1e-5)
    misfit = quaternion_multiply(quaternion_conjugate(MOUNTING), fit.orientation.double())
    assert float(quaternion_log(misfit).norm()) < 3e-4  # rad
    np.testing.assert_allclose(fit.offset, LEVER_ARM, atol=2e-4)
    np.testing.assert_allclose(fit.bias, BIAS, atol=2e-3)
    assert comparison.figures["force NRMSE"] < 1e-3
    assert comparison.figures["rate NRMSE"] < 1e-3
    assert comparison.figures["force correlation"] > 0.99999
    assert 0.8 < comparison.figures["share judged"] < 1  # the occlusion is left out, not bridged


def test_second_half_does_not_influence_the_fit(recording):
    broken = recording.values.copy()
    broken[recording.times > SECONDS / 2 + CLOCK_OFFSET] = 7.0
    other = paired_data.PairedRecording(**(vars(recording) | {"values": broken}))
    fit = real_vs_simulated.align(other, real_vs_simulated.ours())
    assert fit.clock_offset == pytest.approx(CLOCK_OFFSET, abs=1e-5)
    assert real_vs_simulated.compare(other, real_vs_simulated.ours()).figures["force NRMSE"] > 0.5


def test_known_lever_arm_is_kept_and_rate_alone_suffices(recording):
    known = paired_data.PairedRecording(**(vars(recording) | {"lever_arm": LEVER_ARM}))
    assert real_vs_simulated.align(known, real_vs_simulated.ours()).offset.tolist() == pytest.approx(
        LEVER_ARM.tolist()
    )
    rate_only = paired_data.PairedRecording(**(vars(recording) | {"has_force": False}))
    comparison = real_vs_simulated.compare(rate_only, real_vs_simulated.ours())
    assert comparison.alignment.clock_offset == pytest.approx(CLOCK_OFFSET, abs=1e-4)
    assert comparison.figures["rate NRMSE"] < 1e-3
    assert "force NRMSE" not in comparison.figures


def test_other_methods_run_through_the_same_mill(recording, tmp_path, capsys):
    compared = real_vs_simulated.judge_set("broad", [recording])
    error = {method: comparisons[0].figures["force NRMSE"] for method, comparisons in compared.items()}
    assert error["Butterworth and differences, 20 Hz"] < 0.02
    # At 60 Hz two central differences lose 1 % at 1 Hz; the rest of the misfit is the occlusion's neighbourhood.
    assert error["anymo-hf, 20 Hz"] < error["official recipe"] < 0.05
    assert error["gravity alone"] > 0.3
    real_vs_simulated.print_tables([recording], compared)
    assert "force NRMSE" in capsys.readouterr().out
    results = real_vs_simulated.to_results([recording], compared, "command")
    real_vs_simulated.append_results(results, tmp_path / "results.jsonl")
    rows = read_results(tmp_path / "results.jsonl")
    assert {row.metric for row in rows} >= {"force RMSE, m/s^2", "rate NRMSE", "rate correlation"}
    assert all(row.value is not None for row in rows)
    real_vs_simulated.plot_set([recording], compared, tmp_path / "plots" / "made.png")
    assert (tmp_path / "plots" / "made.png").stat().st_size > 10_000


def test_filter_passes_the_band_and_stops_the_rest():
    t = np.arange(2000) / 285.7
    at = np.arange(60, 300) / 60 + 0.0013
    for frequency, gain in ((0.0, 1.0), (3.0, 1.0), (10.0, 1.0), (20.0, 0.0), (45.0, 0.0)):
        values = np.stack([np.cos(2 * np.pi * frequency * t)], axis=1)
        expected = gain * np.cos(2 * np.pi * frequency * at)
        np.testing.assert_allclose(real_vs_simulated.low_pass(t, values, at)[:, 0], expected, atol=5e-3)


def test_filter_is_the_same_at_every_rate_and_spreads_no_gaps():
    at = np.arange(60, 300) / 60
    filtered = []
    for rate in (60, 100, 285.7):
        t = np.arange(round(7 * rate)) / rate
        filtered.append(real_vs_simulated.low_pass(t, np.sin(2 * np.pi * 14 * t)[:, None], at))
    np.testing.assert_allclose(filtered[0], filtered[1], atol=5e-3)
    np.testing.assert_allclose(filtered[1], filtered[2], atol=5e-3)
    t = np.arange(700) / 100
    values = np.ones((700, 1))
    values[300] = np.nan
    missing = np.isnan(real_vs_simulated.low_pass(t, values, at)[:, 0])
    assert (missing == (np.abs(at - 3.0) <= 0.25 + 1e-9)).all()


def test_rigid_body_is_found_from_noisy_markers():
    t = np.arange(200) / 100
    positions, rotation, quaternions = pose(t)
    shape = np.array([[0.1, 0.02, 0.0], [-0.12, 0.0, 0.01], [0.03, -0.05, 0.0]])
    markers = positions[:, None] + shape @ np.swapaxes(rotation, 1, 2)
    found_positions, found, _ = paired_data.fit_rigid_body(markers)
    np.testing.assert_allclose(found_positions, markers.mean(1), atol=1e-12)
    # The body's own axes are free, its turns are not.
    turned = quaternion_to_matrix(torch.from_numpy(found)).numpy()
    np.testing.assert_allclose(turned @ turned[0].T, rotation @ rotation[0].T, atol=1e-6)
    assert ((found[1:] * found[:-1]).sum(-1) > 0).all()


SHAPE = np.array([[0.03, 0.05, 0.2], [0.06, -0.01, 0.02], [0.04, 0.05, -0.2], [-0.04, 0.03, -0.21]])


def noisy_trials(generator, num=5, noise=2e-4):
    """Markers, true positions and true rotation matrices of short trials at 100 Hz."""
    for number in range(num):
        positions, rotation, _ = pose(2.0 * number + np.arange(120 + 7 * number) / 100)
        markers = positions[:, None] + SHAPE @ np.swapaxes(rotation, 1, 2)
        yield markers + noise * generator.standard_normal(markers.shape), positions, rotation


def test_marker_trials_share_one_shape_and_survive_astray_markers():
    trials = list(noisy_trials(np.random.default_rng(0)))
    trials[1][0][:, 2] += 0.08  # came off before the trial
    trials[3][0][40:, [0, 1]] = trials[3][0][40:, [1, 0]]  # two are taken for each other: nothing can be saved
    found = paired_sets.fit_marker_trials([markers for markers, *_ in trials])
    # The body's own axes and origin are free, but are the same in all trials.
    own = quaternion_to_matrix(torch.from_numpy(found[0][1][:1])).numpy()[0].T @ trials[0][2][0]
    for number, ((positions, quaternions), (_, true_positions, rotation)) in enumerate(
        zip(found, trials, strict=True)
    ):
        good = np.isfinite(positions).all(1)
        assert good.all() if number != 3 else good[:40].any() and not good[40:].any()
        turned = quaternion_to_matrix(torch.from_numpy(quaternions)).numpy() @ own
        np.testing.assert_allclose(turned[good], rotation[good], atol=0.02)
        origin = true_positions + rotation @ SHAPE.mean(0)
        np.testing.assert_allclose(positions[good], origin[good], atol=3e-3)


def test_a_shape_is_found_although_a_marker_is_missing_at_times():
    ((markers, _, rotation),) = noisy_trials(np.random.default_rng(1), num=1, noise=0.0)
    markers[50:, 1] = np.nan
    markers[100:, 2] = np.nan  # two are left
    positions, quaternions, shape = paired_data.fit_rigid_body(markers)
    turned = quaternion_to_matrix(torch.from_numpy(quaternions)).numpy()
    np.testing.assert_allclose(turned[:100] @ turned[0].T, rotation[:100] @ rotation[0].T, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(shape[0] - shape[2]), np.linalg.norm(SHAPE[0] - SHAPE[2]), rtol=1e-6)
    assert np.isnan(positions[100:]).all()


def made_trials(num=8):
    """Poses at 120 Hz and readings at 100 Hz of trials of 2 s and a little more."""
    trials = []
    for number in range(num):
        seconds = 2 + 0.1 * number
        frames, samples = (3.0 * number + np.linspace(0, seconds, round(seconds * rate) + 1) for rate in (120, 100))
        positions, _, quaternions = pose(frames)
        trials.append((positions, quaternions, true_readings(samples) + BIAS))
    return trials


ABOUT = {"dataset": "made", "name": "up", "subject": "s1", "for_development": False}


def test_every_other_trial_is_fitted_and_the_rest_is_judged():
    trials = made_trials()
    recording = paired_sets.from_trials(trials, 100.0, 16, has_rate=False, **ABOUT)
    comparison = real_vs_simulated.compare(recording, real_vs_simulated.ours())
    np.testing.assert_allclose(comparison.alignment.offset, LEVER_ARM, atol=2e-3)
    assert comparison.alignment.clock_offset == pytest.approx(0, abs=1e-4)
    assert comparison.figures["force NRMSE"] < 0.01
    assert "rate NRMSE" not in comparison.figures
    judged = (
        sum(len(values) for *_, values in trials[1::2]) / 100 - len(trials) // 2 * 0.5
    )  # s, less the filter's reach
    assert comparison.complete.sum() == pytest.approx(60 * judged, abs=8)
    for number in range(len(trials)):
        broken = [(p, q, values * (2.0 if i == number else 1.0)) for i, (p, q, values) in enumerate(trials)]
        other = real_vs_simulated.align(paired_sets.from_trials(broken, 100.0, 16, **ABOUT), real_vs_simulated.ours())
        same = torch.allclose(other.offset, comparison.alignment.offset, atol=1e-3)
        assert same == (number % 2 == 1)


def test_all_methods_are_judged_at_the_same_moments_and_join_no_trials():
    recording = paired_sets.from_trials(made_trials(4), 100.0, 16, **ABOUT)
    compared = real_vs_simulated.judge_set("gaitdynamics", [recording])
    assert len({comparisons[0].figures["share judged"] for comparisons in compared.values()}) == 1
    for (comparison,) in compared.values():
        gaps = np.flatnonzero(np.diff(comparison.complete.astype(int)))
        assert len(gaps) == 4  # two trials with nothing around them
    assert compared["official recipe, poses interpolated"][0].figures["force NRMSE"] < 0.1

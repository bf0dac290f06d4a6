# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
import lzma

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


paired_data = pytest.importorskip("paired_data")
paired_sets = pytest.importorskip("paired_sets")
paired_alignment = pytest.importorskip("paired_alignment")
paired_methods = pytest.importorskip("paired_methods")
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


def compare(recording, simulate=None, device=False):
    units = paired_alignment.UnitReadings(recording, simulate or paired_methods.ours())
    return real_vs_simulated.compare(recording, units, device=device)


def align(recording):
    return paired_alignment.align(recording, paired_alignment.UnitReadings(recording, paired_methods.ours()))


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
    comparison = compare(recording)
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
    fit = align(other)
    assert fit.clock_offset == pytest.approx(CLOCK_OFFSET, abs=1e-5)
    assert compare(other).figures["force NRMSE"] > 0.5


def test_known_lever_arm_is_kept_and_rate_alone_suffices(recording):
    known = paired_data.PairedRecording(**(vars(recording) | {"lever_arm": LEVER_ARM}))
    assert align(known).offset.tolist() == pytest.approx(LEVER_ARM.tolist())
    rate_only = paired_data.PairedRecording(**(vars(recording) | {"has_force": False}))
    comparison = compare(rate_only)
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
    shown = "anymo-hf, 20 Hz", "official recipe"
    real_vs_simulated.plot_set([recording], compared, shown, tmp_path / "plots" / "made.png")
    assert (tmp_path / "plots" / "made.png").stat().st_size > 10_000


def test_filter_passes_the_band_and_stops_the_rest():
    t = np.arange(2000) / 285.7
    inside = slice(100, 1900)
    for frequency, gain in ((0.0, 1.0), (3.0, 1.0), (10.0, 1.0), (20.0, 0.0), (45.0, 0.0)):
        values = np.stack([np.cos(2 * np.pi * frequency * t)], axis=1)
        np.testing.assert_allclose(paired_alignment.low_pass(t, values)[inside], gain * values[inside], atol=5e-3)


def test_filter_is_the_same_at_every_rate_and_spreads_no_gaps(recording):
    at = np.arange(60, 300) / 60 + 0.0013
    filtered = []
    for rate in (60, 100, 285.7):
        t = np.arange(round(7 * rate)) / rate
        values = np.repeat(np.sin(2 * np.pi * 14 * t)[:, None], 6, axis=1)
        other = paired_data.PairedRecording(**(vars(recording) | {"times": t, "values": values}))
        filtered.append(paired_alignment.FilteredReadings(other).at(at))
    for value, change in filtered[1:]:
        np.testing.assert_allclose(value, filtered[0][0], atol=5e-3)
        np.testing.assert_allclose(change, filtered[0][1], atol=0.02 * 2 * np.pi * 14)
    t = np.arange(700) / 100
    values = np.ones((700, 1))
    values[300] = np.nan
    fine = np.arange(4 * 700) / 400
    missing = np.isnan(paired_alignment.low_pass(t, values, factor=4)[:, 0])
    inside = (fine > 0.5) & (fine < 6.4)
    assert (missing == (np.abs(fine - 3.0) <= 0.25 + 1e-9))[inside].all()


def test_real_readings_are_exact_between_samples(recording):
    t = np.arange(1000) / 100
    values = np.stack([np.sin(2 * np.pi * f * t + f) for f in (1, 2, 4, 6, 8, 11)], axis=1)
    other = paired_data.PairedRecording(**(vars(recording) | {"times": t, "values": values}))
    at = np.random.default_rng(0).uniform(1, 8, 500)
    found, change = paired_alignment.FilteredReadings(other).at(at)
    frequencies = np.array([1, 2, 4, 6, 8, 11])
    phase = 2 * np.pi * np.outer(at, frequencies) + frequencies
    np.testing.assert_allclose(found, np.sin(phase), atol=3e-3)
    np.testing.assert_allclose(change, 2 * np.pi * frequencies * np.cos(phase), atol=0.02 * 2 * np.pi * 11)


def test_the_bandwidth_of_a_device_is_recovered(recording):
    deviations = np.array([0.010, 0.016])  # s, of the impulse responses of accelerometer and gyroscope
    lags = np.arange(-12, 13) / 200
    values = recording.values.copy()
    for channels, deviation in zip((slice(0, 3), slice(3, 6)), deviations, strict=True):
        response = np.exp(-(lags**2) / (2 * deviation**2))
        for channel in range(*channels.indices(6)):
            padded = np.pad(values[:, channel], 12, mode="edge")
            values[:, channel] = np.convolve(padded, response / response.sum(), "valid")
    smoothed = paired_data.PairedRecording(**(vars(recording) | {"values": values}))
    without, fitted = compare(smoothed), compare(smoothed, device=True)
    # At the 1 Hz of this motion they take 0.2 and 0.5 % off, not much more than the filters' ripple.
    np.testing.assert_allclose(np.sqrt(fitted.alignment.variances), deviations, rtol=0.12)
    for quantity in ("force", "rate"):
        assert fitted.figures[f"{quantity} NRMSE"] < 0.5 * without.figures[f"{quantity} NRMSE"]


def test_a_device_that_smooths_nothing_leaves_the_other_unknowns_alone(recording):
    def smooth(motion, placements):  # a method that loses high frequencies itself would want a negative variance
        imu = paired_methods.ours()(motion, placements)
        imu[1:-1] = (imu[2:] + imu[1:-1] + imu[:-2]) / 3
        return imu

    without, fitted = compare(recording, smooth), compare(recording, smooth, device=True)
    assert fitted.alignment.variances.tolist() == [0, 0]
    np.testing.assert_allclose(fitted.alignment.offset, without.alignment.offset, atol=1e-6)
    assert fitted.figures["force NRMSE"] == pytest.approx(without.figures["force NRMSE"], abs=1e-6)


@pytest.mark.parametrize("simulate", (paired_methods.official(), paired_methods.butterworth(15.0)))
def test_readings_of_every_method_turn_with_the_mounting(recording, simulate):
    placement = paired_alignment.Placements(
        torch.tensor([11]), torch.from_numpy(LEVER_ARM)[None].float(), MOUNTING[None].float()
    )
    direct = simulate(recording.motion, placement)[:, 0].double().numpy()
    units = paired_alignment.UnitReadings(recording, simulate)
    fit = paired_alignment.Alignment(quaternion_to_matrix(MOUNTING).numpy(), LEVER_ARM, 0.0, np.zeros(6))
    np.testing.assert_allclose(paired_alignment.predict(fit, units.imu), direct, atol=2e-4)


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


def test_a_limb_is_turned_as_its_bones_and_its_hinge():
    # Upper arm down, forearm forward (y) and then up: a turn about the hinge, which points to the right (x).
    angle = np.linspace(0.3, 1.5, 7)
    near, middle = np.tile([0.2, 0.0, 1.4], (7, 1)), np.tile([0.2, 0.0, 1.1], (7, 1))
    far = middle + 0.25 * np.stack([0 * angle, np.sin(angle), -np.cos(angle)], axis=1)
    right = np.tile([0.35, 0.0, 0.0], (7, 1))
    positions, quaternions = paired_sets.limb_poses(near, middle, far, right, carrier=1, bend=1.0)
    rotation = quaternion_to_matrix(torch.from_numpy(quaternions)).numpy()
    np.testing.assert_allclose(positions, (middle + far) / 2, atol=1e-12)
    np.testing.assert_allclose(rotation[:, :, 0], np.tile([1.0, 0, 0], (7, 1)), atol=1e-6)
    np.testing.assert_allclose(rotation[:, :, 2], (middle - far) / 0.25, atol=1e-6)


def test_packed_numbers_are_unpacked():
    numbers = np.array([[[5, -3]], [[6, -3]], [[9, 400]], [[-2, 70000]]])  # (num_frames, num_joints, num_axes)
    flat = numbers.reshape(4, 2)
    second = np.diff(np.diff(flat, axis=0, prepend=0), axis=0, prepend=0)
    coded = np.where(second < 0, -2 * second - 1, 2 * second).T.ravel().astype(np.uint32)
    packed = lzma.compress(np.ascontiguousarray(coded.view(np.uint8).reshape(-1, 4).T).tobytes())
    found = paired_sets._unpack(np.frombuffer(packed, np.uint8), np.array(numbers.shape))
    np.testing.assert_array_equal(found, numbers)


def test_a_marker_of_no_weight_moves_nothing():
    ((markers, _, rotation),) = noisy_trials(np.random.default_rng(2), num=1, noise=0.0)
    shape = SHAPE - SHAPE.mean(0)
    markers[:, 0] += 0.03
    turned = quaternion_to_matrix(torch.from_numpy(paired_data.fit_shape(markers, shape, (1e-9, 1, 1, 1))[1])).numpy()
    np.testing.assert_allclose(turned, rotation, atol=1e-5)
    turned = quaternion_to_matrix(torch.from_numpy(paired_data.fit_shape(markers, shape)[1])).numpy()
    assert np.abs(turned - rotation).max() > 0.01


ABOUT = {"dataset": "made", "name": "up", "subject": "s1", "for_development": False}


def test_every_other_trial_is_fitted_and_the_rest_is_judged():
    trials = made_trials()
    recording = paired_sets.from_trials(trials, 100.0, 16, has_rate=False, **ABOUT)
    comparison = compare(recording)
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
        other = align(paired_sets.from_trials(broken, 100.0, 16, **ABOUT))
        same = np.allclose(other.offset, comparison.alignment.offset, atol=1e-3)
        assert same == (number % 2 == 1)


def test_all_methods_are_judged_at_the_same_moments_and_join_no_trials():
    recording = paired_sets.from_trials(made_trials(4), 100.0, 16, **ABOUT)
    compared = real_vs_simulated.judge_set("gaitdynamics", [recording])
    assert len({comparisons[0].figures["share judged"] for comparisons in compared.values()}) == 1
    for (comparison,) in compared.values():
        gaps = np.flatnonzero(np.diff(comparison.complete.astype(int)))
        assert len(gaps) == 4  # two trials with nothing around them
    assert compared["official recipe, poses interpolated"][0].figures["force NRMSE"] < 0.1

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest
import torch

from anymo_hf.evaluation.embeddings import HarWindows
from anymo_hf.evaluation.evaluation_log import log_evaluation
from anymo_hf.evaluation.results import read_results
from anymo_hf.modeling.configuration_anymo import AnyMoGraphEncoderConfig
from anymo_hf.modeling.modeling_anymo_graph_encoder import AnyMoGraphEncoder
from anymo_hf.processing.streams_anymo import Recording, SensorStream


pytest.importorskip("sklearn")
encoder_controls = pytest.importorskip("encoder_controls")
frozen_encoder = pytest.importorskip("frozen_encoder")
setup_agnostic = pytest.importorskip("setup_agnostic")
setup_variants = pytest.importorskip("setup_variants")

COMMON = {"command": "here", "commit": None, "machine": "a", "date": "2026-01-01", "note": "few windows"}


def make_windows(num_subjects=4, num_frames=60, num_sensors=2):
    """Two activities that differ in the size of the force along x of every sensor."""
    generator = np.random.default_rng(0)
    subjects = np.repeat([f"s{i}" for i in range(num_subjects)], 8)
    activities = np.tile(["sitting", "walking"], len(subjects) // 2)
    values = generator.normal(size=(len(subjects), num_frames, num_sensors, 6)).astype(np.float32)
    values[activities == "walking", :, :, 0] += 60
    names = ("waist", "right wrist", "right ankle", "chest")[:num_sensors]
    segments = ("Pelvis", "R_Forearm", "R_LowerLeg", "T8")[:num_sensors]
    return HarWindows(values, np.ones(values.shape, dtype=bool), names, segments, activities, subjects, subjects)


def mean_along_x(windows):
    return windows.values[..., :1].mean(axis=(1, 2))


def mean_force(model="means", sha="1"):
    return encoder_controls.Features(model, 0, sha, mean_along_x)


@pytest.fixture
def frozen(monkeypatch):
    """`frozen_encoder` with windows from memory; `logged` holds what would be written to the log."""
    logged = []
    monkeypatch.setattr(frozen_encoder, "load_har_windows", lambda *args, **kwargs: make_windows())
    monkeypatch.setattr(frozen_encoder, "log_evaluation", lambda names, what_for: logged.append((names, what_for)))
    return logged


def test_rows_say_what_was_measured(frozen, tmp_path):
    out, (evaluation,) = tmp_path / "results.jsonl", frozen_encoder.choose_evaluations(["dsads"])
    frozen_encoder.run([evaluation], [mean_force()], tmp_path, out, COMMON)
    rows = read_results(out)
    assert [row.metric for row in rows] == [
        f"{probe}, {metric} (%)" for probe in ("linear probe", "5-shot") for metric in ("accuracy", "macro-F1")
    ]
    for row in rows:
        assert (row.value, row.num_windows, row.num_subjects, row.num_classes) == (100, 32, 4, 2)
        assert (row.chance, row.majority, row.ci_low) == (50, 50, None)
        assert row.note == "few windows; by subject: s0 100.0, s1 100.0, s2 100.0, s3 100.0"
    assert not frozen, "sets for development need no line in the log"


def test_looks_at_sets_for_the_report_are_logged_and_what_is_done_is_not_repeated(frozen, tmp_path):
    out, evaluations = tmp_path / "results.jsonl", frozen_encoder.choose_evaluations(["wisdm2019"])
    frozen_encoder.run(evaluations, [mean_force()], tmp_path, out, COMMON)
    assert [names for names, _ in frozen] == [["wisdm2019"]] * 2 and "watch: means 0" in frozen[0][1]
    first = out.read_text()
    frozen_encoder.run(evaluations, [mean_force()], tmp_path, out, COMMON)
    assert out.read_text() == first and len(frozen) == 2
    frozen_encoder.run(evaluations, [mean_force(sha="2")], tmp_path, out, COMMON)
    assert len(frozen) == 4 and {row.checkpoint_sha256 for row in read_results(out)} == {"2"}


def test_log_gets_one_line(tmp_path):
    path = tmp_path / "evaluations.log"
    path.write_text("# first\n")
    log_evaluation(["utd_mhad"], "a trial", path)
    assert path.read_text().startswith("# first\n20") and path.read_text().endswith(" utd_mhad: a trial\n")


def test_log_begins_where_there_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # outside of any repository
    log_evaluation(["utd_mhad"], "a trial")
    assert (tmp_path / "docs" / "evaluations.log").read_text().endswith(" no commit utd_mhad: a trial\n")


def test_sets_by_their_use():
    chosen = {name: frozen_encoder.choose_evaluations([name]) for name in ("dev", "report", "all")}
    assert {one.dataset for one in chosen["dev"]} == {"umafall", "sisfall_adl", "dsads"}
    assert {one.dataset for one in chosen["report"]} == {"hapt_ucihar_raw", "wisdm2019", "utd_mhad", "sp_sw_har"}
    assert len(chosen["all"]) == len(frozen_encoder.EVALUATIONS)
    with pytest.raises(ValueError, match="hapt'"):
        frozen_encoder.choose_evaluations(["hapt"])


def test_summary_counts_sets_that_are_won(frozen, tmp_path):
    out, evaluations = tmp_path / "results.jsonl", frozen_encoder.choose_evaluations(["dsads", "umafall"])
    blind = encoder_controls.Features("untrained", 0, "3", lambda windows: np.ones((len(windows), 1)))
    frozen_encoder.run(evaluations, [mean_force("pre-trained"), blind], tmp_path, out, COMMON)
    words = "pre-trained beats the better untrained network in 5-shot accuracy on {} of 2 sets"
    assert words.format(2) in frozen_encoder.summary(read_results(out))
    # The better of both kinds of untrained network counts.
    frozen_encoder.run(evaluations, [mean_force("untrained, all segments pooled")], tmp_path, out, COMMON)
    assert words.format(0) in frozen_encoder.summary(read_results(out))


def test_untrained_network_shares_sizes_and_statistics_only(tmp_path):
    trained = AnyMoGraphEncoder(AnyMoGraphEncoderConfig.small(hidden_sizes=[8, 16], strides=[2, 2]))
    trained.input_mean.fill_(5.0)
    trained.input_std.fill_(3.0)
    trained.save_pretrained(tmp_path)
    pre_trained, *untrained = encoder_controls.all_features([tmp_path], [4, 5], models=("pre-trained", "untrained"))
    assert [(one.model, one.seed) for one in (pre_trained, *untrained)] == [
        ("pre-trained", 4), ("untrained", 4), ("untrained", 5),
    ]  # fmt: skip
    assert len({one.checkpoint_sha256 for one in (pre_trained, *untrained)}) == 3
    fresh, again = (encoder_controls.untrained_encoder(trained, 4) for _ in range(2))
    weights = dict(fresh.named_parameters())["blocks.0.graph_convolution.projection.weight"]
    torch.testing.assert_close(weights, again.blocks[0].graph_convolution.projection.weight)
    assert (weights != trained.blocks[0].graph_convolution.projection.weight).any()
    assert fresh.config.hidden_sizes == [8, 16]
    torch.testing.assert_close(fresh.input_std, trained.input_std)
    with pytest.raises(ValueError, match="seed"):
        list(encoder_controls.all_features([tmp_path], []))


def test_turned_sensors_keep_lengths_and_angles_and_turn_with_their_recording():
    windows = make_windows()
    windows.mask[0, 10, 0, 1] = False
    turned = setup_variants.turn_sensors(windows, seed=0)
    whole = turned.mask[..., :3].all(axis=-1)
    assert not whole[0, 10, 0] and whole.sum() == whole.size - 1 and not turned.values[0, 10, 0, :3].any()
    for axes in (slice(0, 3), slice(3, 6)):
        np.testing.assert_allclose(
            np.linalg.norm(turned.values[whole][:, axes], axis=1),
            np.linalg.norm(windows.values[whole][:, axes], axis=1),
            rtol=1e-4,
        )
    force, rate = (lambda w, axes: w.values[whole][:, axes])(turned, slice(0, 3)), turned.values[whole][:, 3:]
    dot = (windows.values[whole][:, :3] * windows.values[whole][:, 3:]).sum(axis=1)
    np.testing.assert_allclose((force * rate).sum(axis=1), dot, atol=1e-2)
    matrices = [
        np.linalg.lstsq(windows.values[row, :, sensor, :3], turned.values[row, :, sensor, :3], rcond=None)[0]
        for row, sensor in ((1, 0), (2, 0), (1, 1), (9, 0))
    ]
    np.testing.assert_allclose(matrices[0], matrices[1], atol=1e-4)
    assert all(np.abs(matrices[0] - other).max() > 0.05 for other in matrices[2:])


def test_gravity_goes_and_motion_stays():
    times = np.arange(1000) / 50
    motion = 2 * np.sin(2 * np.pi * 2 * times)
    values = np.zeros((1000, 6))
    values[:, 0], values[:, 2], values[:, 4] = motion, 9.80665, 0.5
    values[400:410] = np.nan
    (sensor,) = setup_variants.remove_gravity(Recording((SensorStream("waist", values, times),))).sensors
    inside = slice(100, 900)
    seen = np.isfinite(values[inside, 0])
    assert not sensor.gravity and np.abs(sensor.values[inside, 2][seen]).max() < 1e-3
    np.testing.assert_allclose(sensor.values[inside, 0][seen], motion[inside][seen], atol=0.15)
    np.testing.assert_array_equal(sensor.values[:, 3:], values[:, 3:])


def test_slower_device_sees_what_it_can():
    times = np.arange(2000) / 200
    values = np.zeros((2000, 6))
    values[:, 0] = np.sin(2 * np.pi * 3 * times)
    values[:, 1] = np.sin(2 * np.pi * 45 * times)
    (sensor,) = setup_variants.at_rate(Recording((SensorStream("waist", values, times),)), 50).sensors
    assert sensor.sampling_rate == pytest.approx(50)
    inside = slice(50, 450)
    expected = np.sin(2 * np.pi * 3 * sensor.timestamps)[inside]
    np.testing.assert_allclose(sensor.values[inside, 0], expected, atol=0.01)
    assert np.abs(sensor.values[inside, 1]).max() < 0.01, "45 Hz must not alias at 50 Hz"


def test_every_setup_has_its_row():
    windows = make_windows(num_sensors=4)

    features = encoder_controls.Features("means", 0, "1", mean_along_x)
    found = setup_agnostic.measure(features, "umafall", lambda prepare=None: windows)
    rows = {row.subset: row.value for row in setup_agnostic.to_results(found, features, "umafall", windows, COMMON)}
    assert rows["as recorded"] == rows["test: no gyroscope"] == rows["from chest to waist"] == 100
    assert rows["1 sensor, test: another place, mean of all pairs"] == 100
    assert rows["test: every sensor turned at random"] < 90, "the mean of x says little after a turn"
    assert sum(name.startswith("from") for name in rows) == 16
    assert {f"{n} sensors" for n in (2, 3)} == {name.split(":")[0] for name in rows if " sensors:" in name}

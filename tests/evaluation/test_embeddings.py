# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from anymo_hf.evaluation import embeddings as embeddings_module
from anymo_hf.evaluation.embeddings import HarWindows, balanced_choice, embed_windows, load_har_windows
from anymo_hf.evaluation.har_datasets import HAR_DATASETS, HarDataset
from anymo_hf.evaluation.probes import NearestNeighbourValidation, nearest_neighbour_accuracy
from anymo_hf.modeling.configuration_anymo import AnyMoGraphEncoderConfig
from anymo_hf.modeling.modeling_anymo_graph_encoder import AnyMoGraphEncoder
from anymo_hf.modeling.modeling_anymo_heads import AnyMoGraphEncoderForPreTraining
from anymo_hf.processing.placements_anymo import SEGMENTS
from anymo_hf.processing.streams_anymo import ActivitySpan, Recording, SensorStream


DATASET = HarDataset(
    name="two",
    license="none",
    sampling_rate=60.0,
    gravity=True,
    placements={"left wrist": "left wrist", "chest": "chest"},
    activity_words={"w": "walking", "s": "sitting"},
    window=2.0,
    split="other",
    subsets={"still": ("sitting",)},
)


def make_recordings(num_subjects=3, seconds=10):
    """Force that says the second it was measured in; walking for the first half, sitting for the other."""
    times = np.arange(seconds * 60) / 60
    spans = (ActivitySpan(0, seconds / 2, "walking"), ActivitySpan(seconds / 2, seconds, "sitting"))
    for subject in range(num_subjects):
        values = np.tile(times[:, None] + 100 * subject, (1, 6))
        sensors = [SensorStream("left wrist", values, times), SensorStream("chest", values[:, :3] + 1000, times)]
        yield Recording(sensors, spans, {"subject": f"p{subject}", "recording": f"r{subject}"})


@pytest.fixture
def from_memory(monkeypatch):
    monkeypatch.setattr(embeddings_module, "load_har_recordings", lambda *args, **kwargs: make_recordings())


def make_windows(num_windows=5, num_frames=40, segments=("L_Forearm", "T8")):
    generator = np.random.default_rng(0)
    values = generator.normal(size=(num_windows, num_frames, len(segments), 6)).astype(np.float32)
    mask = np.ones(values.shape, dtype=bool)
    names = np.array([f"n{i}" for i in range(num_windows)])
    return HarWindows(values, mask, segments, segments, names, names, names)


def test_windows_hold_what_was_measured(from_memory):
    windows = load_har_windows("", DATASET)
    # Starts 0, 1 .. 8; the window from 4 s is half walking, half sitting.
    assert len(windows) == 3 * 8 and windows.values.shape == (24, 120, 2, 6)
    assert windows.placements == ("left wrist", "chest") and windows.segments == ("L_Forearm", "T8")
    assert windows.activities[:8].tolist() == ["walking"] * 4 + ["sitting"] * 4
    assert windows.subjects.tolist() == ["p0"] * 8 + ["p1"] * 8 + ["p2"] * 8
    np.testing.assert_allclose(windows.values[8 + 5, :, 0, 4], 100 + 6 + np.arange(120) / 60, atol=0.02)
    assert windows.mask[:, :, 0].all() and windows.mask[:, :, 1, :3].all() and not windows.mask[:, :, 1, 3:].any()
    assert not windows.values[:, :, 1, 3:].any()


def relabel(monkeypatch, *spans):
    recordings = [Recording(one.sensors, spans, one.source) for one in make_recordings()]
    monkeypatch.setattr(embeddings_module, "load_har_recordings", lambda *args, **kwargs: iter(recordings))


def test_windows_of_some_classes(from_memory):
    assert set(load_har_windows("", DATASET, subset="still").activities) == {"sitting"}


def test_clips_are_taken_whole(monkeypatch):
    relabel(monkeypatch, ActivitySpan(0, 9, "walking"), ActivitySpan(9, 10, "sitting"))
    clips = load_har_windows("", replace(DATASET, window=None))
    assert clips.activities.tolist() == ["walking"] * 3 and clips.values.shape[:2] == (3, 600)


@pytest.mark.parametrize(("num_in_g", "warns"), [(0, False), (1, False), (2, True), (4, True)])
def test_a_set_in_other_units_is_a_warning(monkeypatch, num_in_g, warns):
    def recordings(*args, **kwargs):
        times = np.arange(300) / 60
        for index in range(4):
            values = np.tile([0.0, 0.1, 9.8, 0.0, 0.0, 0.0], (300, 1)) / [9.8 if index < num_in_g else 1.0]
            source = {"subject": f"p{index}", "recording": "r"}
            yield Recording([SensorStream("chest", values, times)], (ActivitySpan(0, 5, "walking"),), source)

    monkeypatch.setattr(embeddings_module, "load_har_recordings", recordings)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        load_har_windows("", DATASET)
    texts = [str(warning.message) for warning in caught]
    assert len(texts) == int(warns)
    if warns:
        begin = f"{num_in_g} of 4 recordings of 'two' contradict the units of the layout"
        assert (
            texts[0].startswith(begin)
            and "m/s^2 with gravity and rad/s: chest: the force seems to be in g" in texts[0]
        )


def test_unlabelled_set_is_an_error(monkeypatch):
    relabel(monkeypatch)
    with pytest.raises(ValueError, match="No window of 'two' is labelled"):
        load_har_windows("", DATASET)


def test_choice_is_balanced_and_does_not_depend_on_values(from_memory):
    subjects = np.repeat(["a", "b", "c"], [100, 10, 2])
    activities = np.array(["x", "y"])[np.arange(112) % 2]
    chosen = balanced_choice(subjects, activities, 20)
    pairs, counts = np.unique(list(zip(subjects[chosen], activities[chosen], strict=True)), axis=0, return_counts=True)
    assert len(pairs) == 6 and sorted(counts.tolist()) == [1, 1, 4, 4, 5, 5]
    np.testing.assert_array_equal(chosen, balanced_choice(subjects, activities, 20))
    assert (chosen != balanced_choice(subjects, activities, 20, seed=1)).any()

    def silence(recording):
        sensors = [SensorStream(s.placement, 0 * s.values, s.timestamps) for s in recording.sensors]
        return Recording(sensors, recording.activities, recording.source)

    plain = load_har_windows("", DATASET, max_windows=9)
    changed = load_har_windows("", DATASET, max_windows=9, prepare=silence)
    assert not changed.values.any() and len(plain) == 9
    assert len(set(plain.values[:, 0, 0, 0])) == 9 and plain.activities.tolist() == changed.activities.tolist()


def test_sensors_go_where_they_are_worn():
    windows = make_windows()
    windows.orientation_known = np.array([[False, True]] * len(windows))
    features = windows.on_body(slice(1, 3))
    values, mask = features["input_values"], features["input_values_mask"]
    assert values.shape == mask.shape == (2, 40, 23, 6)
    assert features["orientation_known"].nonzero().tolist() == [[row, SEGMENTS.index("T8")] for row in range(2)]
    torch.testing.assert_close(values[:, :, SEGMENTS.index("T8")], torch.from_numpy(windows.values[1:3, :, 1]))
    assert mask.any(dim=(0, 1, 3)).nonzero().flatten().tolist() == sorted(map(SEGMENTS.index, ("L_Forearm", "T8")))
    chest = windows.with_sensors(["T8"])
    np.testing.assert_array_equal(chest.values[:, :, 0], windows.values[:, :, 1])
    assert chest.orientation_known.all() and not windows.with_sensors(["L_Forearm"]).orientation_known.any()
    with pytest.raises(ValueError, match="ankle"):
        windows.with_sensors(["ankle"])


def test_embedding_is_mean_and_deviation_over_steps_that_exist():
    latents = torch.tensor([[[1.0, 5.0], [3.0, 5.0], [99.0, 99.0]], [[2.0, 0.0], [2.0, 3.0], [2.0, 6.0]]])
    steps_mask = torch.tensor([[True, True, False], [True, True, True]])

    class Encoder(torch.nn.Module):
        device = torch.device("cpu")

        def forward(self, input_values, input_values_mask, orientation_known, pooled_only):
            return SimpleNamespace(pooled_latents=latents, steps_mask=steps_mask)

    encoder = Encoder().train()
    found = embed_windows(encoder, make_windows(2))
    np.testing.assert_allclose(found, [[2, 5, 1, 0], [2, 3, 0, np.sqrt(6)]], rtol=1e-6)
    assert encoder.training


def test_batches_and_padding_change_nothing():
    torch.manual_seed(0)
    encoder = AnyMoGraphEncoder(AnyMoGraphEncoderConfig.small())
    windows = make_windows()
    whole = embed_windows(encoder, windows)
    np.testing.assert_allclose(embed_windows(encoder, windows, batch_size=2), whole, atol=1e-5)
    padding = ((0, 0), (0, 21), (0, 0), (0, 0))
    padded = HarWindows(
        np.pad(windows.values, padding), np.pad(windows.mask, padding), windows.placements, windows.segments,
        windows.activities, windows.subjects, windows.recordings,
    )  # fmt: skip
    np.testing.assert_allclose(embed_windows(encoder, padded), whole, atol=1e-4)


def test_callback_reports_what_neighbours_find(monkeypatch, tmp_path):
    windows = make_windows(12)
    windows.subjects, windows.activities = np.repeat(["a", "b"], 6), np.tile(["x", "y"], 6)
    windows.values[windows.activities == "x", :, :, 0] += 40
    monkeypatch.setattr("anymo_hf.evaluation.probes.find_har_datasets", lambda _: [(HAR_DATASETS["umafall"], "")])
    monkeypatch.setattr("anymo_hf.evaluation.probes.load_har_windows", lambda *args, **kwargs: windows)
    callback = NearestNeighbourValidation(tmp_path)
    model = AnyMoGraphEncoderForPreTraining(AnyMoGraphEncoderConfig.small())
    state, metrics = SimpleNamespace(log_history=[], global_step=7, is_world_process_zero=True), {"eval_loss": 1.0}
    callback.on_evaluate(None, state, None, metrics=metrics, model=model)
    assert metrics["eval_umafall_nearest_neighbours"] == 1.0
    assert state.log_history == [{"eval_umafall_nearest_neighbours": 1.0, "step": 7}]


def test_callback_looks_at_no_set_for_the_report(monkeypatch, tmp_path):
    found = [(HAR_DATASETS["hapt_ucihar_raw"], ""), (HAR_DATASETS["wisdm2019"], "")]
    monkeypatch.setattr("anymo_hf.evaluation.probes.find_har_datasets", lambda _: found)
    with pytest.raises(ValueError, match="no set for development"):
        NearestNeighbourValidation(tmp_path)


def test_real_set_end_to_end(data_folder):
    """The untrained network tells 19 activities apart far better than chance, on people it has not seen."""
    windows = load_har_windows(data_folder / "har" / "dsads.parquet", HAR_DATASETS["dsads"], max_windows=76)
    assert windows.values.shape == (76, 300, 5, 6) and len(set(windows.activities)) == 19
    torch.manual_seed(0)
    found = embed_windows(AnyMoGraphEncoder(AnyMoGraphEncoderConfig.small()), windows)
    assert nearest_neighbour_accuracy(found, windows.activities, windows.subjects) > 3 / 19

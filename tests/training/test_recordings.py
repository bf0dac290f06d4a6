# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Real recordings as training data: what a window holds, what is left out, and shares that can be counted by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from processes import load_script
from transformers import TrainingArguments

from anymo_hf import AnyMoGraphEncoder, AnyMoGraphEncoderConfig, AnyMoGraphEncoderForTextAlignment
from anymo_hf.evaluation.har_datasets import HAR_DATASETS
from anymo_hf.processing.placements_anymo import SEGMENTS
from anymo_hf.processing.streams_anymo import ActivitySpan, Recording, SensorStream
from anymo_hf.simulation.synthesis.folder import synthesise_motions
from anymo_hf.training import MotionTextDataset, TeacherTexts, TextBank, TextBankCollator
from anymo_hf.training import recordings as module
from anymo_hf.training.recordings import MixedDataset, RecordingDataset, add_recordings


QUARTER = np.array([np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)])  # about z: x of the sensor is y of the segment


def make_recordings(name):
    """Force that says its second, 20 s at 60 Hz: 12.5 s of one class, 0.5 s of another, and 7 s without a label."""
    times = np.arange(1200) / 60
    values = np.tile(times[:, None], (1, 6))
    spans = (ActivitySpan(0, 12.5, "walking"), ActivitySpan(12.5, 13, "hopping"), ActivitySpan(13, 20, ""))
    for subject in ("p", "q"):
        sensors = [SensorStream("waist", values + 100, times), SensorStream("left wrist", values[:, :3] + 200, times)]
        source = {"dataset": name, "subject": subject, "recording": subject}
        yield Recording(tuple(sensors), spans, source)


class WaistIsKnown:
    """A calibration that found how the waist's sensors are mounted."""

    def __init__(self, recordings):
        assert len(recordings) == 2

    def __call__(self, recording):
        sensors = []
        for sensor in recording.sensors:
            if sensor.placement == "waist":
                x, y, z = sensor.values[:, 0], sensor.values[:, 1], sensor.values[:, 2]
                values = np.stack([-y, x, z, -y, x, z], axis=1)  # by QUARTER
                sensor = SensorStream("waist", values, sensor.timestamps, mounting=np.array([1.0, 0, 0, 0]))
            sensors.append(sensor)
        return Recording(tuple(sensors), recording.activities, recording.source)


@pytest.fixture
def sets(monkeypatch):
    """Two sets of a folder, from memory; which of them were read."""
    read = []

    def load_recordings(path, dataset):
        read.append(dataset.name)
        return make_recordings(dataset.name)

    found = [(HAR_DATASETS[name], Path(name)) for name in ("dsads", "umafall")]
    monkeypatch.setattr(module, "find_har_datasets", lambda folder: found)
    monkeypatch.setattr(module, "load_har_recordings", load_recordings)
    monkeypatch.setattr(module, "Calibration", WaistIsKnown)
    return read


def test_the_set_left_out_is_not_even_read(sets):
    dataset = RecordingDataset("har", exclude=["umafall"])
    assert sets == ["dsads"] and [one.name for one in dataset.datasets] == ["dsads"]
    assert {stretch.group for stretch in dataset.clips} == {"dsads p", "dsads q"}
    # Known, and not in this folder; misspelt, it would be trained on.
    RecordingDataset("har", exclude=["umafall", "wisdm2019"])
    with pytest.raises(ValueError, match=r"\['dsads', 'umafall'\], but \['umafal'\] are none of them"):
        RecordingDataset("har", exclude=["umafal"])
    with pytest.raises(ValueError, match="No labelled recording is left"):
        RecordingDataset("har", exclude=["umafall", "dsads"])


def test_windows_lie_in_their_stretch_and_hold_what_was_measured(sets):
    dataset = RecordingDataset("har", exclude=["umafall"])
    # Of each person three windows of 12.5 s and one of half a second, which is seen with what surrounds it.
    assert len(dataset) == 8 and dataset.activities == ["hopping", "walking"]
    assert [stretch.num_frames for stretch in dataset.clips] == [750, 60, 750, 60]
    waist, wrist = SEGMENTS.index("Pelvis"), SEGMENTS.index("L_Forearm")
    worn = set()
    for epoch in range(8):
        dataset.set_epoch(epoch)
        for index in range(len(dataset)):
            item = dataset[index]
            values, mask, known = (item[key] for key in ("input_values", "input_values_mask", "orientation_known"))
            length, segments = len(values), mask.any(dim=2).any(dim=0).nonzero()[:, 0].tolist()
            worn.add((tuple(item["placements"]), bool(known[waist])))
            assert 60 <= length <= 300 and len(segments) == len(item["placements"])
            assert item["activity"] == ("hopping" if index % 4 == 3 else "walking") and item["texts"] == [
                item["activity"]
            ]
            if wrist in segments:
                assert mask[:, wrist, :3].all() and not mask[:, wrist, 3:].any() and not known[wrist]
                times = values[:, wrist, 0] - 200
            else:
                times = values[:, waist, 2] - 100
            first = {"hopping": (12.25, 12.25), "walking": (0, 12.5 - length / 60)}[item["activity"]]
            assert first[0] - 0.01 <= times[0] <= first[1] + 0.01
            torch.testing.assert_close(times - times[0], torch.arange(length) / 60, atol=1e-3, rtol=0)
            if waist in segments:
                sign = -1 if known[waist] else 1
                torch.testing.assert_close(values[:, waist, 0], sign * values[:, waist, 1])
                torch.testing.assert_close(values[:, waist, 3], sign * values[:, waist, 2])
    # Both sensors or either, and the waist's calibrated in some windows only.
    assert {frozenset(places) for places, _ in worn} == {
        frozenset({"waist"}), frozenset({"left wrist"}), frozenset({"waist", "left wrist"}),
    }  # fmt: skip
    assert {known for places, known in worn if "waist" in places} == {True, False}


def test_windows_are_drawn_anew_and_alike_for_the_same_seed(sets):
    one, same, other = (RecordingDataset("har", ["umafall"], seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one[0]["input_values"], same[0]["input_values"])
    assert one[0]["input_values"][0].max() != other[0]["input_values"][0].max()
    same.set_epoch(1)
    assert one[0]["input_values"][0].max() != same[0]["input_values"][0].max()


class Numbers:
    """Items that say where they come from."""

    seed = 3

    def __init__(self, name, length):
        self.name, self.length, self.epoch = name, length, 0

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        assert index < self.length
        return self.name, index


def test_shares_of_a_mixture():
    mixed = MixedDataset(Numbers("simulated", 30), Numbers("real", 1000), share=0.25)
    items = [mixed[index] for index in range(len(mixed))]
    assert items[:30] == [("simulated", index) for index in range(30)]
    assert [name for name, _ in items[30:]] == ["real"] * 10
    assert items == [mixed[index] for index in range(len(mixed))]
    mixed.set_epoch(1)
    assert mixed.simulated.epoch == 1 and items[30:] != [mixed[index] for index in range(30, 40)]
    with pytest.raises(ValueError, match="above 0 and below 1, but is 1"):
        MixedDataset(Numbers("simulated", 1), Numbers("real", 1), share=1.0)
    assert len(list(mixed)) == len(mixed) and mixed[-1] == mixed[len(mixed) - 1]


def test_texts_are_as_frequent_as_they_are_met(sets):
    recordings = RecordingDataset("har", exclude=["umafall"])
    teacher = TeacherTexts(["walking", "a man waves.", "hopping"], torch.eye(3))
    bank = TextBank(["a man waves.", "walking"], torch.eye(3)[[1, 0]], torch.tensor([0.75, 0.25]))
    both = add_recordings(bank, recordings, teacher, share=0.5)
    assert both.texts == ["a man waves.", "hopping", "walking"]
    torch.testing.assert_close(both.embeddings, torch.eye(3)[[1, 2, 0]])
    # Half of the windows are real; of these 2 of 8 show hopping and 6 walking.
    torch.testing.assert_close(both.shares, torch.tensor([0.375, 0.125, 0.5]))
    index = TextBankCollator(both)([recordings[0], recordings[3]])["text_index"]
    assert index.tolist() == [2, 1]
    with pytest.raises(ValueError, match=r"lacks \['hopping'\]; run `embed_texts.py`"):
        add_recordings(bank, recordings, TeacherTexts(["walking"], torch.eye(3)[:1]), share=0.5)


def test_the_script_wants_to_know_what_is_tested_on():
    script = load_script("align_graph_encoder")
    with pytest.raises(ValueError, match="say nothing about other sensors and people"):
        script.ScriptArguments("encoder", ["data"], "teacher", recordings="har")
    with pytest.raises(ValueError, match="needs the folder of `--recordings`"):
        script.ScriptArguments("encoder", ["data"], "teacher", left_out=["dsads"])


def test_the_script_notes_what_was_trained_on(sets, tmp_path):
    synthesise_motions(tmp_path / "motion", hours=4 / 60, seed=7)
    motion = MotionTextDataset(tmp_path / "motion")
    texts = sorted({*motion.activities, *motion.captions, "walking", "hopping"})
    TeacherTexts(texts, torch.nn.functional.normalize(torch.randn(len(texts), 12), dim=-1)).save(tmp_path / "teacher")
    AnyMoGraphEncoder(AnyMoGraphEncoderConfig.small()).save_pretrained(tmp_path / "encoder")
    script = load_script("align_graph_encoder")
    arguments = TrainingArguments(
        str(tmp_path / "out"), max_steps=2, per_device_train_batch_size=4, use_cpu=True, disable_tqdm=True
    )
    names = [str(tmp_path / name) for name in ("encoder", "motion", "teacher")]
    options = script.ScriptArguments(names[0], [names[1]], names[2], 0.3, recordings="har", left_out=["umafall"])
    script.main(options, arguments)
    folder = tmp_path / "out" / "text_alignment"
    assert json.loads((folder / "recordings.json").read_text()) == {
        "trained_on": {"dsads": "CC BY 4.0 at UCI (from memory)"}, "left_out": ["umafall"],
    }  # fmt: skip
    assert {"walking", "hopping"} < set(TeacherTexts.from_file(folder / "text_bank.safetensors").texts)
    assert AnyMoGraphEncoderForTextAlignment.from_pretrained(folder).text_head.out_features == 12

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Paired views: what is drawn, that it is drawn again alike, and that every process sees the epoch."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from anymo_hf import Placements, SegmentKinematics, simulate_imu
from anymo_hf.simulation.conversion import load_kinematics, save_kinematics
from anymo_hf.simulation.synthesis import random_recording
from anymo_hf.training import EpochCallback, PairedViewDataset, views


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three recordings of 14 s and more, one of 0.5 s."""
    folder = tmp_path_factory.mktemp("converted")
    for seed in range(3):
        kinematics = SegmentKinematics.from_motion(random_recording(seed, 14.0))
        save_kinematics(kinematics, folder / f"{seed}.safetensors")
    short = SegmentKinematics(kinematics.values[:30], kinematics.mask[:30], 60.0, 0.0, source={"dataset": "short"})
    save_kinematics(short, folder / "short.safetensors")
    return folder


@pytest.fixture
def ideal(monkeypatch):
    """No device errors, and nothing that only some views lack."""
    monkeypatch.setattr(views, "DEVICES", ("ideal",))
    for share in ("NO_GYROSCOPE", "NO_GRAVITY", "LOW_RATE", "ALL_VISIBLE", "SOFT_TISSUE", "NOISY"):
        monkeypatch.setattr(views, f"{share}_SHARE", 0.0)


def equal(one, other):
    return all(torch.equal(one[key], other[key]) for key in one)


def test_an_item_is_as_documented(folder):
    item = PairedViewDataset(folder)[0]
    assert item["input_values"].shape == item["input_values_mask"].shape == (2, 300, 23, 6)
    assert item["input_values"].dtype == torch.float32 and item["input_values_mask"].dtype == torch.bool
    assert item["visible_segments"].shape == (2, 23) and item["visible_segments"].dtype == torch.bool
    assert item["recording_id"].dtype == torch.int64 and item["start_time"].dtype == torch.float64
    assert item["input_values"].isfinite().all()
    assert (item["input_values"][~item["input_values_mask"]] == 0).all()


def test_what_segments_feel_comes_with_an_item(folder):
    plain, dataset = PairedViewDataset(folder), PairedViewDataset(folder, return_kinematics=True)
    for index in range(len(dataset)):
        item = dataset[index]
        assert equal(plain[index], item)  # nothing else is drawn otherwise
        values, mask = item["segment_values"], item["segment_mask"]
        assert values.shape == (300, 23, 6) and values.dtype == torch.float32
        assert mask.shape == (300, 23) and mask.dtype == torch.bool
        length = int(mask[:, 0].sum())
        clip = next(clip for clip in dataset.clips if clip.recording_id == int(item["recording_id"]))
        start = round(float(item["start_time"]) * 60)
        stored = load_kinematics(clip.path).values[start : start + length]
        assert torch.equal(values[:length, :, :3], stored[..., 6:9])
        assert torch.equal(values[:length, :, 3:], stored[..., :3])
        assert not values[length:].any() and not mask[length:].any()


def test_ideal_values_are_view_one_without_errors(folder, monkeypatch):
    for share in ("NO_GYROSCOPE_SHARE", "NO_GRAVITY_SHARE", "LOW_RATE_SHARE", "SOFT_TISSUE_SHARE", "NOISY_SHARE"):
        monkeypatch.setattr(views, share, 0.0)
    monkeypatch.setattr(views, "DEVICES", ("ideal",))
    dataset = PairedViewDataset(folder, return_kinematics=True)
    for index in range(len(dataset)):
        item = dataset[index]
        values = torch.where(item["segment_mask"][..., None], item["input_values"][0], 0.0)
        torch.testing.assert_close(item["ideal_values"], values)
        assert not torch.equal(item["ideal_values"], item["segment_values"])  # the sensors are mounted anyhow


def test_no_clip_is_dropped(folder):
    dataset = PairedViewDataset(folder)
    assert len(dataset.clips) == 4
    assert dataset.minutes == pytest.approx(sum(clip.num_frames for clip in dataset.clips) / 3600)
    seen = {int(dataset[index]["recording_id"]) for index in range(len(dataset))}
    assert seen == {clip.recording_id for clip in dataset.clips}
    short = [
        item for item in map(dataset.__getitem__, range(len(dataset))) if item["input_values_mask"][1, 30:].sum() == 0
    ]
    assert len(short) == 1  # the half second is whole, and padded


def test_windows_reach_every_frame(folder):
    dataset = PairedViewDataset(folder)
    seen = {clip.recording_id: np.zeros(clip.num_frames, dtype=bool) for clip in dataset.clips}
    for epoch in range(12):
        dataset.set_epoch(epoch)
        for index in range(len(dataset)):
            item = dataset[index]
            length = int(item["input_values_mask"][1].flatten(1).any(dim=1).sum())
            start = round(float(item["start_time"]) * 60)
            seen[int(item["recording_id"])][start : start + length] = True
    assert all(frames.mean() > 0.99 for frames in seen.values())


def test_items_depend_on_seed_epoch_and_index_alone(folder):
    dataset, again = PairedViewDataset(folder, seed=3), PairedViewDataset(folder, seed=3)
    first = dataset[1]
    dataset[2]
    assert equal(first, again[1]) and equal(first, dataset[1])
    assert not equal(first, PairedViewDataset(folder, seed=4)[1])
    dataset.set_epoch(1)
    other = dataset[1]
    assert not equal(first, other)
    again.set_epoch(1)
    assert equal(other, again[1])
    with pytest.raises(IndexError):
        dataset[len(dataset)]


def test_workers_that_live_on_see_the_epoch(folder):
    dataset = PairedViewDataset(folder)
    loader = DataLoader(dataset, batch_size=2, num_workers=2, persistent_workers=True)
    for epoch in range(2):
        dataset.set_epoch(epoch)
        batches = list(loader)
        expected = PairedViewDataset(folder)
        expected.set_epoch(epoch)
        for start, batch in zip(range(0, len(dataset), 2), batches, strict=True):
            torch.testing.assert_close(batch["input_values"][0], expected[start]["input_values"], rtol=0, atol=0)


def test_ablations(folder, ideal):
    plain = PairedViewDataset(folder, surface=False, rotation=False, cross_view=False, masking=False)
    for index in range(3):
        item = plain[index]
        assert torch.equal(item["input_values"][0], item["input_values"][1])
        assert item["visible_segments"].all()
    # A sensor at the origin of its segment and along its axes reads what the file holds.
    item, length = plain[0], int(plain[0]["input_values_mask"][1, :, 0, 0].sum())
    clip = next(clip for clip in plain.clips if clip.recording_id == int(item["recording_id"]))
    start = round(float(item["start_time"]) * 60)
    stored = load_kinematics(clip.path).values[start : start + length]
    torch.testing.assert_close(item["input_values"][0, :length, :, :3], stored[..., 6:9])
    torch.testing.assert_close(item["input_values"][0, :length, :, 3:], stored[..., :3])

    turned = PairedViewDataset(folder, surface=False, cross_view=True)[0]["input_values"]
    assert not torch.allclose(turned[0], turned[1], atol=0.1)
    # Turning a sensor keeps the length of what it measures; at the same spot both views agree in it.
    torch.testing.assert_close(turned[0, ..., 3:].norm(dim=-1), turned[1, ..., 3:].norm(dim=-1), rtol=1e-3, atol=1e-3)


def test_what_users_lack(folder, ideal, monkeypatch):
    dataset = PairedViewDataset(folder, cross_view=False, rotation=False)
    monkeypatch.setattr(views, "NO_GYROSCOPE_SHARE", 1.0)
    item = dataset[0]
    assert not item["input_values_mask"][0, ..., 3:].any() and item["input_values_mask"][1, 0, :, 3:].any()
    monkeypatch.setattr(views, "NO_GYROSCOPE_SHARE", 0.0)
    monkeypatch.setattr(views, "NO_GRAVITY_SHARE", 1.0)
    item = dataset[0]
    observed = item["input_values_mask"][1, :, 0, 0]
    difference = (item["input_values"][1] - item["input_values"][0])[observed]
    torch.testing.assert_close(
        difference[..., :3].norm(dim=-1), torch.full(difference.shape[:2], 9.80665), rtol=1e-4, atol=1e-4
    )
    torch.testing.assert_close(difference[..., 3:], torch.zeros_like(difference[..., 3:]))


def test_few_are_visible(folder, ideal):
    counts = []
    dataset = PairedViewDataset(folder)
    for epoch in range(10):
        dataset.set_epoch(epoch)
        counts += [dataset[index]["visible_segments"].sum(dim=1) for index in range(len(dataset))]
    counts = torch.cat(counts)
    assert set(counts.tolist()) == {1, 2, 3, 4, 5}


def test_cheap_devices_are_noisy(folder, ideal, monkeypatch):
    dataset = PairedViewDataset(folder, cross_view=False, rotation=False)
    monkeypatch.setattr(views, "NOISY_SHARE", 1.0)
    monkeypatch.setattr(views, "NOISE_EXPONENTS", ((-1.0, -1.0), (-2.0, -2.0)))
    item = dataset[0]
    noise = (item["input_values"][0] - item["input_values"][1])[item["input_values_mask"][0, :, 0, 0]]
    assert noise[..., :3].std().item() == pytest.approx(0.1, rel=0.05)
    assert noise[..., 3:].std().item() == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize("rate", [20.0, 50.0])
def test_a_slow_device_keeps_slow_motion_and_loses_fast(rate):
    times = torch.arange(300) / 60.0
    for frequency, gain in ((0.25 * rate, 1.0), (0.65 * rate, 0.0)):
        wave = torch.sin(2 * torch.pi * frequency * times)[:, None, None].expand(300, 23, 6)
        slow = views._as_sampled_at(rate, wave.contiguous())[60:240]
        assert slow.std() / wave[60:240].std() == pytest.approx(gain, abs=0.03)
    constant = torch.full((77, 23, 6), 9.8)
    constant[5, 0] = torch.nan
    slow = views._as_sampled_at(rate, constant)
    assert slow[5, 0].isnan().all() and slow.isnan().sum() == 6


def test_subjects_are_held_out_whole(folder):
    dataset = PairedViewDataset(folder)
    groups = sorted(clip.group for clip in dataset.clips)
    assert len(set(groups)) == 4
    share = sorted(map(views._uniform_hash, groups))[0] + 1e-9
    train, held_out = dataset.split(share)
    assert len(held_out.clips) == 1 and len(train.clips) == 3
    assert not {clip.group for clip in train.clips} & {clip.group for clip in held_out.clips}
    train.set_epoch(5)
    assert held_out.epoch == 0 and dataset.epoch == 0
    with pytest.raises(ValueError, match="leaves one side empty"):
        dataset.split(0.0)


def test_folders_without_motion_are_refused(tmp_path, folder):
    with pytest.raises(ValueError, match="There is no converted motion in"):
        PairedViewDataset(tmp_path)
    kinematics = load_kinematics(folder / "short.safetensors")
    kinematics.sampling_rate = 50.0
    save_kinematics(kinematics, tmp_path / "slow.safetensors")
    with pytest.raises(ValueError, match="at 50 Hz, but 60 Hz is needed"):
        PairedViewDataset(tmp_path)


def test_a_window_reads_as_the_whole_file_does(folder):
    window = views.read_window(folder / "0.safetensors", 100, 50)
    whole = load_kinematics(folder / "0.safetensors")
    assert torch.equal(window.values, whole.values[100:150]) and window.start_time == pytest.approx(100 / 60)
    sensor = Placements.from_names("left wrist")
    torch.testing.assert_close(simulate_imu(window, sensor), simulate_imu(whole, sensor)[100:150])


RECORD_EPOCHS = """
import json, os, sys
import torch
from transformers import Trainer, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint
from anymo_hf.training import EpochCallback, PairedViewDataset

folder, output, num_workers, num_epochs = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])

class Recorded(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.seen = []
    def forward(self, input_values, epoch, return_loss=True):
        self.seen += epoch.tolist()
        return {"loss": self.weight * input_values.mean()}

class Dataset(PairedViewDataset):
    def __getitem__(self, index):
        return {"input_values": super().__getitem__(index)["input_values"], "epoch": torch.tensor(self.epoch)}

dataset, model = Dataset(folder), Recorded()
arguments = TrainingArguments(
    output, per_device_train_batch_size=2, num_train_epochs=num_epochs, dataloader_num_workers=num_workers,
    dataloader_persistent_workers=num_workers > 0, remove_unused_columns=False, save_strategy="epoch", use_cpu=True,
    disable_tqdm=True, ddp_backend="gloo" if "RANK" in os.environ else None,
)
trainer = Trainer(model, arguments, train_dataset=dataset, callbacks=[EpochCallback(dataset)])
trainer.train(resume_from_checkpoint=get_last_checkpoint(output) if os.path.isdir(output) else None)
rank = os.environ.get("RANK", "0")
with open(f"{output}/seen_{rank}_{num_epochs:g}.json", "w") as file:
    json.dump(sorted(set(model.seen)), file)
"""


@pytest.mark.parametrize(("num_workers", "num_processes"), [(0, 1), (2, 1), (2, 2)])
def test_training_sees_every_epoch_and_goes_on_after_a_restart(folder, tmp_path, num_workers, num_processes):
    script = tmp_path / "record.py"
    script.write_text(RECORD_EPOCHS)
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={num_processes}"]
    command = [sys.executable, *(launch if num_processes > 1 else []), script, folder, tmp_path / "out", num_workers]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    for num_epochs, expected in ((2, [0, 1]), (3, [2])):
        result = subprocess.run(
            list(map(str, [*command, num_epochs])), env=environment, capture_output=True, text=True, timeout=300
        )
        assert result.returncode == 0, result.stderr[-3000:]
        for rank in range(num_processes):
            assert json.loads((tmp_path / "out" / f"seen_{rank}_{num_epochs}.json").read_text()) == expected


def test_the_callback_reads_the_epoch_of_a_restart(folder):
    from transformers import TrainerState

    dataset = PairedViewDataset(folder)
    EpochCallback(dataset).on_epoch_begin(None, TrainerState(epoch=1.9999999), None)
    assert dataset.epoch == 2
    EpochCallback(dataset).on_epoch_begin(None, TrainerState(epoch=1.4), None)
    assert dataset.epoch == 1

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The networks of others: what they may depend on, what each is shown, and that all of this trains and is measured."""

import numpy as np
import pytest
import torch
from transformers import Trainer, TrainingArguments

from anymo_hf import AnyMoGraphEncoderConfig, AnyMoGraphEncoderForTextAlignment, SegmentKinematics, TextSpan
from anymo_hf.evaluation.embeddings import HarWindows
from anymo_hf.evaluation.har_datasets import HAR_DATASETS
from anymo_hf.evaluation.results import read_results
from anymo_hf.simulation.conversion import save_kinematics
from anymo_hf.simulation.errors import SensorErrors
from anymo_hf.simulation.rotations import quaternion_rotate
from anymo_hf.simulation.synthesis import random_recording
from anymo_hf.training import TeacherTexts, TextBank, TextBankCollator, motion_text, views


pytest.importorskip("sklearn")
models = pytest.importorskip("baseline_models")
train_baseline = pytest.importorskip("train_baseline")
baselines = pytest.importorskip("baselines")

KINDS = ("anymo", "unimts", "imu2clip")
COMMON = {"command": "here", "commit": None, "machine": "a", "date": "2026-01-01"}
SIZES = {"hidden_sizes": [8, 8, 8, 8], "text_embedding_size": 4}


def make_network(kind, **kwargs):
    torch.manual_seed(0)
    if kind == "unimts":
        return models.UniMTSLikeForTextAlignment(models.UniMTSLikeConfig(**SIZES, **kwargs))
    if kind == "imu2clip":
        return models.IMU2CLIPLikeForTextAlignment(models.IMU2CLIPLikeConfig(**SIZES, **kwargs))
    return AnyMoGraphEncoderForTextAlignment(AnyMoGraphEncoderConfig.small(**SIZES, **kwargs))


def make_readings(lengths, num_frames=90):
    """Each with sensors on the chest and a wrist; the third frame of the wrist and all rates of the chest are lost."""
    torch.manual_seed(1)
    values = 5 * torch.randn(len(lengths), num_frames, 23, 6)
    mask = torch.zeros(values.shape, dtype=torch.bool)
    for row, length in enumerate(lengths):
        mask[row, :length, [4, 9]] = True
    mask[:, 2, 9], mask[:, :, 4, 3:] = False, False
    return values, mask


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two people who walk and stand for five seconds each, without gaps."""
    folder = tmp_path_factory.mktemp("converted")
    for number in range(2):
        clip = SegmentKinematics.from_motion(random_recording(number, 10.0))
        clip.source = {"dataset": "d", "subject": str(number)}
        clip.texts = (TextSpan(0.0, 5.0, "walking", "label"), TextSpan(5.0, 10.0, "standing", "label"))
        save_kinematics(clip, folder / f"{number}.safetensors")
    return folder


def arguments(model, folder="data", **kwargs):
    return train_baseline.ScriptArguments(model, [str(folder)], "teacher", **kwargs)


def test_all_have_the_size_of_our_encoder():
    ours = AnyMoGraphEncoderForTextAlignment(AnyMoGraphEncoderConfig.small()).graph_encoder.num_parameters()
    unimts = models.UniMTSLikeForTextAlignment(models.UniMTSLikeConfig()).graph_encoder.num_parameters()
    imu2clip = models.IMU2CLIPLikeForTextAlignment(models.IMU2CLIPLikeConfig()).graph_encoder.num_parameters()
    assert (ours, unimts, imu2clip) == (150953, 150518, 150060)


@pytest.mark.parametrize(("kind", "num_steps"), [("unimts", 25), ("imu2clip", 1)])
def test_shapes_and_what_was_not_observed(kind, num_steps):
    encoder = make_network(kind).graph_encoder.eval()
    values, mask = make_readings([90, 61])
    outputs = encoder(values, mask)
    assert outputs.pooled_latents.shape == (2, num_steps, 8) and outputs.steps_mask.shape == (2, num_steps)
    assert outputs.steps_mask.all() and outputs.pooled_latents.std() > 0
    unobserved = encoder(values.masked_fill(~mask, torch.nan), mask)
    torch.testing.assert_close(unobserved.pooled_latents, outputs.pooled_latents)
    # A recording gives the same alone and padded in a batch.
    alone = encoder(values[1:, :61], mask[1:, :61]).pooled_latents
    torch.testing.assert_close(alone, outputs.pooled_latents[1:], atol=1e-5, rtol=1e-4)
    # The other direction: what was observed does change it, and nothing at all gives numbers too.
    values[..., 0] += 5
    assert (encoder(values, mask).pooled_latents - outputs.pooled_latents).abs().max() > 1e-5
    assert encoder(values, torch.zeros_like(mask)).pooled_latents.isfinite().all()


def test_padding_counts_in_no_statistics_of_training():
    encoder = make_network("unimts").graph_encoder
    values, mask = make_readings([61])
    padded = encoder(values, mask).pooled_latents
    again = make_network("unimts").graph_encoder
    torch.testing.assert_close(again(values[:, :61], mask[:, :61]).pooled_latents, padded)
    torch.testing.assert_close(again.input_norm.running_var, encoder.input_norm.running_var)


def test_short_windows_are_repeated():
    frames = torch.arange(10.0).expand(2, 10)[..., None]
    repeated = models._repeat(frames, torch.tensor([3, 10]), 7)[..., 0]
    assert repeated.tolist() == [[0, 1, 2, 0, 1, 2, 0], [0, 1, 2, 3, 4, 5, 6]]


def test_unimts_reads_no_rate_unless_it_shall():
    values, mask = make_readings([90])
    turned = values.clone()
    turned[..., 3:] += 3
    for num_channels, changes in ((3, False), (6, True)):
        encoder = make_network("unimts", num_channels=num_channels).graph_encoder.eval()
        difference = (encoder(turned, mask).pooled_latents - encoder(values, mask).pooled_latents).abs().max()
        assert (difference > 0) == changes


def test_imu2clip_knows_no_place_and_takes_the_mean_of_sensors():
    encoder = make_network("imu2clip").graph_encoder.eval()
    values, mask = make_readings([90])
    both = encoder(values, mask).pooled_latents
    alone = []
    for segment in (4, 9):
        elsewhere, observed = torch.zeros_like(values), torch.zeros_like(mask)
        elsewhere[:, :, 17], observed[:, :, 17] = values[:, :, segment], mask[:, :, segment]
        alone.append(encoder(elsewhere, observed).pooled_latents)
    torch.testing.assert_close(torch.stack(alone).mean(dim=0), both)


def test_group_norm_by_hand():
    values = torch.tensor([[[1.0, 3.0, 9.0], [2.0, 2.0, 9.0]]])
    mask = torch.tensor([[[True, True, False], [True, True, False]]])
    found = models.MaskedGroupNorm(1, 2, eps=0.0)(values, mask)  # mean 2, variance 1 / 2
    expected = torch.tensor([[[-(2**0.5), 2**0.5, 0.0], [0.0, 0.0, 0.0]]])
    torch.testing.assert_close(found, expected)


def catch_placements(monkeypatch, module, name):
    """What `simulate_imu` or `measure_view` is called with; both take kinematics and placements first."""
    seen, function = [], getattr(module, name)

    def watch(kinematics, placements, *args, **kwargs):
        seen.append((kinematics, placements, args))
        return function(kinematics, placements, *args, **kwargs)

    monkeypatch.setattr(module, name, watch)
    return seen


def test_unimts_sees_joints_turned_at_random(folder, monkeypatch):
    seen = catch_placements(monkeypatch, train_baseline, "simulate_imu")
    dataset, numbers, tilts = train_baseline.make_dataset(arguments("unimts", folder), 0), [], []
    monkeypatch.setattr(SensorErrors, "preset", classmethod(lambda cls, name: None))
    for epoch in range(15):
        dataset.set_epoch(epoch)
        for index in range(len(dataset)):
            item = dataset[index]
            kinematics, placements, _ = seen[-1]
            assert (placements.offset == 0).all() and not item["orientation_known"].any()
            numbers.append(len(placements))
            ups = quaternion_rotate(placements.orientation, torch.tensor([0.0, 0.0, 1.0]))
            tilts += torch.rad2deg(torch.arccos(ups[:, 2].clamp(-1, 1))).tolist()
            # Without errors a sensor at a joint measures what the segment's origin feels, in other axes; all of it.
            readings = item["input_values"][:, placements.segment]
            origin = kinematics.values[:, placements.segment]
            torch.testing.assert_close(readings[..., :3].norm(dim=-1), origin[..., 6:9].norm(dim=-1))
            torch.testing.assert_close(readings[..., 3:].norm(dim=-1), origin[..., :3].norm(dim=-1))
            assert item["input_values_mask"][:, placements.segment].all()
    assert set(numbers) == {1, 2, 3, 4, 5}
    # Uniform over all rotations: 25 % below 60 degrees; of sensors worn flat half would lie within 10.
    tilts = np.array(tilts)
    assert len(tilts) > 100 and 0.12 < (tilts < 60).mean() < 0.38 and (tilts < 10).mean() < 0.05


def test_imu2clip_sees_one_sensor_anywhere(folder, monkeypatch):
    seen = catch_placements(monkeypatch, motion_text, "measure_view")
    dataset = train_baseline.make_dataset(arguments("imu2clip", folder), 0)
    items = []
    for epoch in range(5):
        dataset.set_epoch(epoch)
        items += [dataset[index] for index in range(len(dataset))]
    observed = torch.stack([item["input_values_mask"].any(dim=0).any(dim=-1) for item in items])
    assert (observed.sum(dim=1) == 1).all() and observed.any(dim=0).sum() > 5
    # Half of all spots on the skin lie some centimetres from the joint.
    assert np.median([float(placements.offset.norm()) for _, placements, _ in seen]) > 0.03
    with pytest.raises(ValueError, match="max_sensors"):
        motion_text.MotionTextDataset(folder, max_sensors=0)


def test_ablations_of_ours(folder, monkeypatch):
    seen = catch_placements(monkeypatch, motion_text, "measure_view")
    identity = torch.tensor([1.0, 0.0, 0.0, 0.0])
    at_joints = train_baseline.make_dataset(arguments("anymo", folder, surface=False), 0)
    _ = [at_joints[index] for index in range(len(at_joints))]
    assert all((placements.offset == 0).all() for _, placements, _ in seen)
    assert any((placements.orientation != identity).any() for _, placements, _ in seen)
    seen.clear()
    unturned = train_baseline.make_dataset(arguments("anymo", folder, rotation=False), 0)
    _ = [unturned[index] for index in range(len(unturned))]
    for kinematics, placements, _ in seen:
        offsets, orientations = views.surface_placements(kinematics.bone_offsets.tobytes())
        for segment, offset, orientation in zip(
            placements.segment, placements.offset, placements.orientation, strict=True
        ):
            spot = (offsets[segment] == offset).all(dim=-1).nonzero()[0, 0]
            torch.testing.assert_close(orientation, orientations[segment, spot])


def test_arguments_that_say_nothing_are_refused():
    for kwargs in ({"model": "other"}, {"model": "unimts", "surface": False}, {"model": "anymo", "gyroscope": True}):
        with pytest.raises(ValueError, match="`model` (must|is)"):
            arguments(**kwargs)


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_moves_and_what_is_saved_is_the_same(kind, folder, tmp_path):
    dataset = train_baseline.make_dataset(arguments(kind, folder), 0)
    teacher = TeacherTexts(["standing", "walking"], torch.eye(4)[:2])
    bank = TextBank.from_clips([clip.path for clip in dataset.clips], teacher)
    network = make_network(kind)
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    settings = {"max_steps": 3, "learning_rate": 0.01, "per_device_train_batch_size": 4, "use_cpu": True}
    training = TrainingArguments(tmp_path / "run", remove_unused_columns=False, report_to="none", **settings)
    Trainer(network, training, TextBankCollator(bank), train_dataset=dataset).train()
    unmoved = [name for name, parameter in network.named_parameters() if torch.equal(parameter, before[name])]
    assert not unmoved
    network.save_pretrained(tmp_path / "saved")
    again, (values, mask) = models.load_network(tmp_path / "saved"), make_readings([90, 61])
    assert type(again) is type(network)
    features = [one.graph_encoder.eval()(values, mask).pooled_latents for one in (network, again)]
    torch.testing.assert_close(*features)


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(ValueError, match="has no config.json"):
        models.load_network(tmp_path)
    make_network("anymo").graph_encoder.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"but holds \['AnyMoGraphEncoder'\]"):
        models.load_network(tmp_path)


def test_the_script_trains_what_it_is_told(folder, tmp_path, monkeypatch):
    words = ["standing", "walking"]
    TeacherTexts(words, torch.eye(4)[:2]).save(tmp_path / "teacher")
    settings = {"max_steps": 1, "per_device_train_batch_size": 2, "use_cpu": True, "report_to": "none"}
    told = train_baseline.ScriptArguments("unimts", [str(folder)], str(tmp_path / "teacher"), 0.5, gyroscope=True)
    monkeypatch.setattr(views, "_uniform_hash", lambda name: float(name.endswith("1")))  # holds the first person out
    train_baseline.main(told, TrainingArguments(tmp_path, **settings))
    network = models.load_network(tmp_path / "text_alignment")
    assert network.config.num_channels == 6 and network.config.text_embedding_size == 4
    assert TeacherTexts.from_file(tmp_path / "text_alignment" / "text_bank.safetensors").texts == words


def make_windows(places=("chest", "right wrist"), segments=("T8", "R_Forearm"), num_subjects=4):
    """Two classes of DSADS that differ in the force along x."""
    generator = np.random.default_rng(0)
    subjects = np.repeat([f"s{i}" for i in range(num_subjects)], 12)
    activities = np.tile(["rowing", "jumping"], len(subjects) // 2)
    values = generator.normal(size=(len(subjects), 60, len(places), 6)).astype(np.float32)
    values[activities == "jumping", :, :, 0] += 60
    return HarWindows(values, np.ones(values.shape, bool), places, segments, activities, subjects, subjects)


def test_sensors_at_the_joints_next_to_them():
    places = ("chest", "waist", "right wrist", "left ankle", "right knee", "right thigh", "head")
    found = baselines.at_nearest_joints(make_windows(places, ("T8",) * len(places)))
    assert found.segments == ("T8", "L5", "R_Hand", "L_Foot", "R_LowerLeg", "R_UpperLeg", "Head")
    with pytest.raises(ValueError, match="share some"):
        baselines.at_nearest_joints(make_windows(("right wrist", "right hand"), ("R_Forearm", "R_Hand")))


def test_rows_and_what_is_measured_once(tmp_path, monkeypatch):
    loaded, shown = [], []
    monkeypatch.setattr(baselines, "load_windows", lambda *args: loaded.append(args) or (make_windows(), []))
    name_windows = baselines.name_windows
    monkeypatch.setattr(
        baselines, "name_windows", lambda network, windows, *args, **kwargs: shown.append(windows.segments)
        or name_windows(network, windows, *args, **kwargs)
    )  # fmt: skip
    classes = HAR_DATASETS["dsads"].classes
    teacher = TeacherTexts(list(classes), torch.nn.functional.normalize(torch.randn(len(classes), 4), dim=1))
    for kind in KINDS:
        make_network(kind).save_pretrained(tmp_path / kind)
        teacher.save(tmp_path / kind / "text_bank.safetensors")
    candidates = baselines.find_candidates([tmp_path / kind for kind in KINDS], list(KINDS), [0, 0, 0])
    out, evaluations = tmp_path / "results.jsonl", baselines.choose_evaluations(["dsads"], baselines.EVALUATIONS)
    baselines.run(evaluations, candidates, teacher, tmp_path, out, COMMON)
    assert shown == [("T8", "R_Forearm"), ("T8", "R_Hand"), ("T8", "R_Forearm")] * 2
    rows = read_results(out)
    assert len(rows) == 3 * 2 * 5 and {row.table for row in rows} == {"baselines"}
    assert {row.subset.rsplit(", ", 1)[1] for row in rows} == {"as recorded", "calibrated"}
    few = [row.value for row in rows if row.metric == "5-shot, accuracy (%)" and row.model == "anymo"]
    assert len(few) == 2 and min(few) > 90
    assert "mean of 1 sets, calibrated, zero-shot, accuracy (%): anymo " in baselines.summary(rows)
    baselines.run(evaluations, candidates, teacher, tmp_path, out, COMMON)
    assert len(loaded) == 2, "the same weights are not measured again"
    with pytest.raises(ValueError, match="different `seeds`"):
        baselines.find_candidates([tmp_path / "anymo"] * 2, ["a", "a"], [0, 0])

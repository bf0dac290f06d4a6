# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""What all pipelines share: forms of recordings, windows and their times, batches, saving, errors."""

import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
from transformers import AutoModelForCausalLM, AutoProcessor, Qwen2Config, Qwen2ForCausalLM, pipeline

from anymo_hf import Recording, SensorStream, make_recording, read_recordings
from anymo_hf.pipelines import DEFAULT_MODEL, register_pipelines


def vectors(windows) -> np.ndarray:
    return np.stack([window["embedding"] for window in windows])


def assert_same(first, second, tolerance=1e-5):
    assert [(w["start"], w["end"]) for w in first] == [(w["start"], w["end"]) for w in second]
    np.testing.assert_allclose(vectors(first), vectors(second), atol=tolerance)


def test_one_recording_in_every_form(embed, csv_file, readings):
    path = csv_file(6.0)
    values, times = readings(6.0), 100 + np.arange(300) / 50
    by_path = embed(str(path), placements="left wrist")
    assert_same(embed(path, placements="left wrist"), by_path)
    forms = (
        make_recording({"left wrist": values}, timestamps=times),
        {"left wrist": {"values": values, "timestamps": times}},
    )
    for form in forms:
        assert_same(embed(form), by_path, 1e-4)  # the file has six digits
    for form in (values, values[:, None]):
        assert_same(embed(form, timestamps=times, placements=["left wrist"]), by_path, 1e-4)
    at_rate = embed(values, sampling_rate=50, placements="left wrist")
    assert at_rate[0]["start"] == 0.0 and at_rate[0]["end"] == 5.0
    np.testing.assert_allclose(vectors(at_rate), vectors(by_path), atol=1e-4)


def test_a_list_gives_a_list_and_batches_equal_single(embed, readings):
    recordings = [
        {"left wrist": readings(11.0, seed=1)},
        {"left wrist": readings(2.0, seed=2)},  # shorter than a window
        {"right ankle": readings(6.0, seed=3), "left wrist": readings(6.0, seed=4)},
        {"wrist": readings(8.0, seed=5)},  # of an unknown side: two views
    ]
    alone = [embed(recording, sampling_rate=50, batch_size=1) for recording in recordings]
    assert [len(windows) for windows in alone] == [2, 1, 1, 2]
    assert np.abs(vectors(alone[0])[0] - vectors(alone[2])[0]).max() > 0.01
    for batch_size in (2, 3, 32):
        together = embed(recordings, sampling_rate=50, batch_size=batch_size)
        assert len(together) == 4
        for one, other in zip(alone, together, strict=True):
            assert_same(one, other)
    for several in (tuple(recordings), (recording for recording in recordings)):
        for one, other in zip(alone, embed(several, sampling_rate=50), strict=True):
            assert_same(one, other)


def test_a_single_call_equals_a_list_of_one_for_whole_recordings_too(embed, readings):
    recordings = [{"left wrist": readings(seconds, seed=6)} for seconds in (2.0, 7.0)]
    together = embed(recordings, sampling_rate=50, window=None)
    assert [[(w["start"], w["end"]) for w in windows] for windows in together] == [[(0.0, 1.98)], [(0.0, 6.98)]]
    for recording, windows in zip(recordings, together, strict=True):
        assert_same(embed(recording, sampling_rate=50, window=None), windows)


def test_an_array_with_four_axes_is_a_batch(embed, readings):
    values = np.stack([readings(5.0, seed=seed)[:, None] for seed in range(3)])
    together = embed(values, sampling_rate=50, placements=["left wrist"])
    assert len(together) == 3
    assert_same(together[2], embed(values[2], sampling_rate=50, placements=["left wrist"]))


def test_times_of_long_recordings(embed, csv_file):
    times = [(w["start"], w["end"]) for w in embed(csv_file(13.0), placements="left wrist")]
    np.testing.assert_allclose(times, [(100, 105), (105, 110), (110, 112.98)], atol=1e-6)
    # A rest of 2 s is less than half a window.
    times = [(w["start"], w["end"]) for w in embed(csv_file(12.0), placements="left wrist")]
    np.testing.assert_allclose(times, [(100, 105), (105, 110)], atol=1e-6)
    overlapping = embed(csv_file(12.0), placements="left wrist", window=4.0, overlap=0.5)
    np.testing.assert_allclose([w["start"] for w in overlapping], [100, 102, 104, 106, 108], atol=1e-6)


def test_windows_without_readings_are_left_out(embed, readings):
    times = np.concatenate([np.arange(250) / 50, 15 + np.arange(250) / 50])
    windows = embed(readings(10.0), timestamps=times, placements="left wrist")
    np.testing.assert_allclose([w["start"] for w in windows], [0, 15], atol=1e-6)


def test_a_window_is_what_it_is_alone(embed, readings):
    values = readings(15.0, rate=60.0)  # at the models' own rate nothing is resampled
    windows = embed(values, sampling_rate=60, placements="left wrist")
    alone = embed(values[300:600], sampling_rate=60, placements="left wrist")
    np.testing.assert_allclose(windows[1]["embedding"], alone[0]["embedding"], atol=1e-5)


def test_real_recordings(classify, data_folder):
    recordings = read_recordings(data_folder / "har" / "sp_sw_har.parquet")
    some = [next(recordings) for _ in range(2)]
    results = classify(some, candidate_labels="walking, sitting", window=2.0)
    for recording, windows in zip(some, results, strict=True):
        starts = np.array([window["start"] for window in windows])
        assert starts[0] == pytest.approx(recording.start_time) and windows[-1]["end"] <= recording.end_time
        assert (np.diff(starts) > 1.99).all()
        assert all(sum(entry["score"] for entry in w["scores"]) == pytest.approx(1) for w in windows)


@pytest.mark.parametrize(
    ("seconds", "window", "message"),
    [
        (10.0, 5.0, None),
        (1.0, 5.0, None),
        (5.5, None, None),
        (0.4, 5.0, "Windows of 0.4 s are unlike those of training, which lasted 1 to 5 s"),
        (3.0, 0.5, "Windows of 0.5 s"),
        (7.0, None, "Windows of 7 s"),
    ],
)
def test_windows_unlike_those_of_training_are_one_warning(embed, readings, seconds, window, message):
    recordings = [make_recording(readings(seconds), 50, placements="left wrist") for _ in range(2)]
    for _ in range(2):  # every call
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            embed(recordings, window=window)
        texts = [str(warning.message) for warning in caught if "Windows of" in str(warning.message)]
        assert len(texts) == (message is not None) and all(text.startswith(message) for text in texts)


@pytest.mark.parametrize(
    ("recording", "options", "message"),
    [
        ("nowhere.csv", {}, "nowhere.csv does not exist"),
        ([], {}, "At least one recording is needed"),
        (np.ones((0, 6)), {"sampling_rate": 50, "placements": "left wrist"}, "empty"),
        (np.full((50, 6), np.nan), {"sampling_rate": 50, "placements": "left wrist"}, "Every reading .* is NaN"),
        (np.ones((50, 6)), {"sampling_rate": 50}, "does not say where its sensors were worn"),
        (np.ones((50, 6)), {"placements": "left wrist"}, "sampling_rate"),
        (np.ones((50, 6)), {"sampling_rate": 50, "placements": "left wrst"}, "did you mean 'left wrist'"),
        (np.ones((50, 6)), {"sampling_rate": 50, "placements": "left wrist", "columns": ["t"]}, "are for files"),
        (np.ones((50, 6)), {"rate": 50}, r"\['rate'\] are no options of 'imu-feature-extraction'"),
        (np.ones((50, 6)), {"sampling_rate": 50, "placements": "left wrist", "window": 0}, "at least one frame"),
        (Recording((SensorStream("left wrist", np.ones((0, 6)), np.ones(0)),)), {}, "is empty"),
        (make_recording(np.ones((9, 6)), 50, placements="left wrist"), {"sampling_rate": 50}, "come too late"),
    ],
)
def test_errors(embed, recording, options, message):
    with pytest.raises(ValueError, match=message):
        embed(recording, **options)


@pytest.mark.filterwarnings("ignore")
def test_over_long_recordings_are_refused(embed, classify, readings):
    values = readings(40.0)  # 1200 motion tokens
    with pytest.raises(ValueError, match="reads 1024 tokens, but 1[0-9]{3} are needed; use a shorter `window`"):
        embed(values, sampling_rate=50, placements="left wrist", window=None)
    with pytest.raises(ValueError, match="use a shorter text"):
        classify(values, candidate_labels=["walking", "up " * 1100], sampling_rate=50, placements="left wrist")


def test_saved_and_loaded_again(embed, classify, readings, tmp_path):
    values = {"left wrist": readings(5.0)}
    embed.save_pretrained(tmp_path / "again")
    config = json.loads((tmp_path / "again" / "config.json").read_text(encoding="utf-8"))
    assert "custom_pipelines" not in config  # with it, loading would ask for code to be trusted
    again = pipeline("imu-feature-extraction", model=str(tmp_path / "again"), device="cpu")
    assert_same(again(values, sampling_rate=50), embed(values, sampling_rate=50), 1e-6)


def test_from_objects(checkpoint, embed, readings):
    from peft import LoraConfig, get_peft_model

    model, processor = AutoModelForCausalLM.from_pretrained(checkpoint), AutoProcessor.from_pretrained(checkpoint)
    expected = embed({"left wrist": readings(5.0)}, sampling_rate=50)
    built = pipeline("imu-feature-extraction", model=model.model, processor=processor, device="cpu")
    assert_same(built({"left wrist": readings(5.0)}, sampling_rate=50), expected)
    adapted = get_peft_model(model, LoraConfig(target_modules=r"model\.language_model\..*q_proj"))
    built = pipeline("imu-feature-extraction", model=adapted, processor=processor, device="cpu")
    assert_same(built({"left wrist": readings(5.0)}, sampling_rate=50), expected)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_()
    changed = built({"left wrist": readings(5.0)}, sampling_rate=50)
    assert np.abs(vectors(changed) - vectors(expected)).max() > 1e-3


def test_from_folders_of_a_part_and_of_an_adapter(checkpoint, embed, readings, tmp_path):
    from peft import LoraConfig, get_peft_model

    recording, processor = {"left wrist": (readings(5.0), 50.0)}, AutoProcessor.from_pretrained(checkpoint)
    model = AutoModelForCausalLM.from_pretrained(checkpoint)
    model.model.save_pretrained(tmp_path / "base")
    processor.save_pretrained(tmp_path / "base")
    part = pipeline("imu-feature-extraction", model=str(tmp_path / "base"), device="cpu")
    assert_same(part(recording), embed(recording))
    adapted = get_peft_model(model, LoraConfig(target_modules=r"model\.language_model\..*q_proj"))
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_()
    expected = pipeline("imu-feature-extraction", model=adapted, processor=processor, device="cpu")(recording)
    adapted.save_pretrained(tmp_path / "adapter")
    loaded = pipeline("imu-feature-extraction", model=str(tmp_path / "adapter"), device="cpu")
    assert_same(loaded(recording), expected)
    assert np.abs(vectors(expected) - vectors(embed(recording))).max() > 1e-3


def test_the_default_model_is_a_folder_here(checkpoint, embed, readings, tmp_path, monkeypatch):
    recording = {"left wrist": (readings(5.0), 50.0)}
    (tmp_path / DEFAULT_MODEL).symlink_to(checkpoint)
    monkeypatch.chdir(tmp_path)
    assert_same(pipeline("imu-feature-extraction", device="cpu")(recording), embed(recording))


def test_wrong_models(checkpoint, encoder_checkpoint):
    for task in ("zero-shot-imu-classification", "imu-to-text"):
        with pytest.raises(ValueError, match="of type 'anymo', but came AnyMoGraphEncoder"):
            pipeline(task, model=encoder_checkpoint, device="cpu")
    model = AutoModelForCausalLM.from_pretrained(checkpoint)
    with pytest.raises(ValueError, match="No processor could be loaded"):
        pipeline("zero-shot-imu-classification", model=model, device="cpu")
    with pytest.raises(ValueError, match="needs a model that writes, but came AnyMoModel"):
        processor = AutoProcessor.from_pretrained(checkpoint)
        pipeline("imu-to-text", model=model.model, processor=processor, device="cpu")
    other = Qwen2ForCausalLM(Qwen2Config(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=2))
    with pytest.raises(ValueError, match="but came Qwen2ForCausalLM"):
        pipeline("imu-feature-extraction", model=other, device="cpu")


def test_importing_the_package_registers_once_and_quietly(capfd):
    register_pipelines()
    assert capfd.readouterr().err == ""
    code = (
        "import anymo_hf; from transformers.pipelines import check_task; "
        "print(*[check_task(t)[1]['impl'].__name__ for t in "
        "('zero-shot-imu-classification', 'imu-to-text', 'imu-feature-extraction')])"
    )
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert printed.split() == [
        "ZeroShotIMUClassificationPipeline", "IMUToTextPipeline", "IMUFeatureExtractionPipeline"
    ]  # fmt: skip

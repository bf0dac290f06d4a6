# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The processor: placeholders, tokens, and loading with and without the package."""

import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoProcessor, AutoTokenizer, PreTrainedTokenizerFast

from anymo_hf.processing import AnyMoFeatureExtractor, AnyMoProcessor, add_motion_tokens, make_recording, motion_token


SOURCES = Path(__file__).parents[2] / "src" / "anymo_hf"
CODEBOOKS, CODES = 2, 8


def make_tokenizer():
    words = ["<unk>", "<pad>", "the", "person", "walks", "motion", ":", "lower"]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>")


@pytest.fixture
def processor():
    tokenizer = make_tokenizer()
    add_motion_tokens(tokenizer, CODEBOOKS, CODES)
    return AnyMoProcessor(AnyMoFeatureExtractor(), tokenizer, num_codebooks=CODEBOOKS, codebook_size=CODES)


def moving(count):
    return np.tile([0.0, 0.0, 9.80665, 0.0, 0.0, 0.0], (count, 1)) + np.sin(np.arange(count) / 9)[:, None]


IMU_KWARGS = {"sampling_rate": 60, "placements": ["left wrist"]}


@pytest.mark.parametrize("num_frames", [1, 4, 5, 8, 119, 120, 300])
def test_a_placeholder_becomes_as_many_as_the_recording_has_tokens(processor, num_frames):
    inputs = processor(imu=moving(num_frames), text="motion : <imu> the", imu_kwargs=IMU_KWARGS)
    tokens = processor.tokenizer.convert_ids_to_tokens(inputs["input_ids"][0])
    num_steps = math.ceil(math.ceil(num_frames / 2) / 2)
    assert tokens == ["motion", ":", "<imu_start>", *["<imu>"] * (2 * num_steps), "<imu_end>", "the"]
    assert inputs["input_values"].shape == (1, num_frames, 23, 6)


def test_padding_adds_no_tokens(processor):
    inputs = processor(
        imu=[moving(60), moving(200)],
        text=["<imu> walks", "the person <imu>"],
        imu_kwargs=IMU_KWARGS,
        padding=True,
        return_tensors="pt",
    )
    placeholder = processor.tokenizer.convert_tokens_to_ids("<imu>")
    assert (inputs["input_ids"] == placeholder).sum(1).tolist() == [2 * 15, 2 * 50]
    assert inputs["input_values"].dtype == torch.float32 and inputs["input_values_mask"].dtype == torch.bool
    assert inputs["input_values"].shape == (2, 200, 23, 6) and inputs["attention_mask"].shape == (2, 104)
    assert set(inputs) == set(processor.model_input_names) | set(inputs) & {"token_type_ids"}


def test_views_windows_and_parts_alone(processor):
    recording = make_recording({"wrist": moving(600)}, 60)
    windows = processor.feature_extractor.windows(recording, 5.0, 0.0, views=True)
    inputs = processor(imu=windows, text=["<imu>", "<imu> walks"], padding=True)
    assert np.shape(inputs["input_values"]) == (2, 2, 300, 23, 6)
    assert [ids.count(processor.tokenizer.convert_tokens_to_ids("<imu>")) for ids in inputs["input_ids"]] == [150] * 2
    assert set(processor(text="the person")) >= {"input_ids"} and "input_values" not in processor(text="the person")
    assert set(processor(imu=moving(60), imu_kwargs=IMU_KWARGS)) == {
        "input_values",
        "input_values_mask",
        "orientation_known",
    }


def test_errors_say_what_to_do(processor):
    with pytest.raises(ValueError, match="hold 2 placeholders '<imu>', but 1 recordings"):
        processor(imu=moving(60), text="<imu> <imu>", imu_kwargs=IMU_KWARGS)
    with pytest.raises(ValueError, match="hold 0 placeholders"):
        processor(imu=moving(60), text="walks", imu_kwargs=IMU_KWARGS)
    with pytest.raises(ValueError, match="but 0 recordings"):
        processor(text="<imu>")
    with pytest.raises(ValueError, match="neither was given"):
        processor()
    with pytest.raises(ValueError, match="come too late"):
        processor(imu=processor(imu=moving(60), imu_kwargs=IMU_KWARGS), text="<imu>", imu_kwargs=IMU_KWARGS)
    with pytest.raises(TypeError, match="samplingrate"):
        processor(imu=moving(60), imu_kwargs={"samplingrate": 60})


def test_motion_tokens_are_single_ordered_and_decoded():
    tokenizer = make_tokenizer()
    tokenizer.add_special_tokens({"extra_special_tokens": ["<other>"]})
    offset = add_motion_tokens(tokenizer, CODEBOOKS, CODES)
    assert tokenizer.convert_tokens_to_ids(motion_token(1, 3)) == offset + CODES + 3
    length = len(tokenizer)
    assert add_motion_tokens(tokenizer, CODEBOOKS, CODES) == offset and len(tokenizer) == length
    assert set(tokenizer.extra_special_tokens) == {"<other>", "<imu>", "<imu_start>", "<imu_end>"}
    ids = tokenizer("the<motion_0_7><motion_1_0><imu_end>", add_special_tokens=False)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == ["the", "<motion_0_7>", "<motion_1_0>", "<imu_end>"]
    assert tokenizer.decode(ids, skip_special_tokens=True).replace(" ", "") == "the<motion_0_7><motion_1_0>"
    broken = make_tokenizer()
    broken.add_tokens([motion_token(1, 3)])
    with pytest.raises(ValueError, match="must have consecutive ids"):
        add_motion_tokens(broken, CODEBOOKS, CODES)


def test_decoding_is_the_tokenizers(processor):
    ids = processor.tokenizer("the person <imu_end> walks", add_special_tokens=False)["input_ids"]
    assert processor.decode(ids, skip_special_tokens=True).split() == ["the", "person", "walks"]
    assert processor.batch_decode([ids, ids[:1]], skip_special_tokens=True)[1] == "the"


def test_a_real_tokenizer_takes_all_motion_tokens(data_folder):
    folder = data_folder.parent / "lm" / "stories3M"
    if not folder.is_dir():
        pytest.skip(f"no tokenizer in {folder}")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    before = len(tokenizer)
    offset = add_motion_tokens(tokenizer)
    assert len(tokenizer) == before + 3 + 4096 and offset + 4096 == len(tokenizer)
    inputs = AnyMoProcessor(AnyMoFeatureExtractor(), tokenizer)(
        imu=moving(300), text="Once upon a time <imu> a dog ran.", imu_kwargs=IMU_KWARGS, return_tensors="pt"
    )
    assert (inputs["input_ids"] == tokenizer.convert_tokens_to_ids("<imu>")).sum() == 150
    text = tokenizer.decode(inputs["input_ids"][0], skip_special_tokens=True)
    assert " ".join(text.split()) == "Once upon a time a dog ran."


def test_saving_and_loading(processor, tmp_path):
    processor.chat_template = "{{ messages[0]['content'] }}<imu>"
    processor.save_pretrained(tmp_path)
    loaded = AutoProcessor.from_pretrained(tmp_path)
    assert type(loaded) is AnyMoProcessor and type(loaded.feature_extractor) is AnyMoFeatureExtractor
    assert loaded.num_codebooks == CODEBOOKS and loaded.codebook_size == CODES and loaded.frames_per_step == 4
    assert loaded.feature_extractor.to_dict() == processor.feature_extractor.to_dict()
    prompt = loaded.apply_chat_template([{"role": "user", "content": "walks"}], tokenize=False)
    assert prompt == "walks<imu>"
    call = {"imu": moving(100), "text": prompt, "imu_kwargs": IMU_KWARGS}
    assert loaded(**call)["input_ids"] == processor(**call)["input_ids"]


REMOTE = """
import sys
import numpy as np
from transformers import AutoFeatureExtractor, AutoProcessor
folder = sys.argv[1]
processor = AutoProcessor.from_pretrained(folder, trust_remote_code=True)
inputs = processor(
    imu=np.ones((100, 6)) * 5, text="<imu> walks", imu_kwargs={"sampling_rate": 50, "placements": ["left wrist"]}
)
extractor = AutoFeatureExtractor.from_pretrained(folder, trust_remote_code=True)
windows = extractor.windows({"wrist": {"values": np.ones((900, 6)) * 5, "sampling_rate": 50}}, views=True)
print(type(processor).__name__, len(inputs["input_ids"][0]), windows["input_values"].shape)
"""


def test_loading_without_the_package(processor, tmp_path):
    folder, home = tmp_path / "checkpoint", tmp_path / "home"
    feature_extractor = processor.feature_extractor
    processor.auto_map = {"AutoProcessor": "processing_anymo.AnyMoProcessor"}
    feature_extractor.auto_map = {"AutoFeatureExtractor": "feature_extraction_anymo.AnyMoFeatureExtractor"}
    processor.save_pretrained(folder)
    feature_extractor.save_pretrained(folder)
    for source in SOURCES.glob("processing/*_anymo.py"):
        shutil.copy(source, folder)
    # -I leaves out this folder and PYTHONPATH; the blocker hides the installed package.
    blocker = "import sys; sys.modules['anymo_hf'] = None\n"
    result = subprocess.run(
        [sys.executable, "-I", "-c", blocker + REMOTE, folder],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split("\n")[0].endswith("AnyMoProcessor 63 (7, 2, 300, 23, 6)")

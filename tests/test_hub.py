# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""A Hub folder loads in a clean process that does not have the package, is saved again, and still loads."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoFeatureExtractor, AutoModel

from anymo_hf import (
    AnyMoConfig,
    AnyMoFeatureExtractor,
    AnyMoForCausalLM,
    AnyMoGraphEncoder,
    AnyMoGraphEncoderConfig,
    AnyMoPQTokenizerConfig,
    AnyMoProcessor,
    add_motion_tokens,
)
from anymo_hf.hub import assemble


PUBLISHED = Path(__file__).parent.parent / "anymo"

LOAD = """
import sys
sys.modules["anymo_hf"] = None  # importing it fails, as where it is not installed
import numpy as np, torch
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoModelForSequenceClassification
source, subfolder, again, expected = sys.argv[1:]
options = dict(subfolder=subfolder, trust_remote_code=True)
extractor = AutoFeatureExtractor.from_pretrained(source, **options)
model, report = AutoModel.from_pretrained(source, output_loading_info=True, **options)
assert not report["missing_keys"] and not report["unexpected_keys"], report
inputs = extractor({"left wrist": np.load(expected)["wrist"]}, sampling_rate=60, return_tensors="pt")
with torch.no_grad():
    latents = model.eval()(**inputs).pooled_latents
torch.testing.assert_close(latents, torch.from_numpy(np.load(expected)["latents"]))
classifier = AutoModelForSequenceClassification.from_pretrained(source, num_labels=3, **options)
assert classifier(**inputs).logits.shape == (1, 3)
model.save_pretrained(again + "/" + subfolder)
extractor.save_pretrained(again + "/" + subfolder)
"""


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(0)
    model = AnyMoGraphEncoder(AnyMoGraphEncoderConfig.small()).eval()
    extractor = AnyMoFeatureExtractor()
    folder = tmp_path / "checkpoint" / "graph_encoder"
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)
    (folder / "optimizer.pt").write_bytes(b"of a training run")
    write_expected(model, extractor, tmp_path / "expected.npz")
    return folder.parent


def write_expected(model, extractor, path):
    """A wrist's readings and their latents."""
    wrist = np.random.default_rng(0).normal(size=(180, 6)) + [0, 0, 9.8, 0, 0, 0]
    with torch.no_grad():
        latents = model(**extractor({"left wrist": wrist}, sampling_rate=60, return_tensors="pt")).pooled_latents
    np.savez(path, wrist=wrist, latents=latents.numpy())


def run_without_the_package(code, *arguments, at):
    environment = {**os.environ, "HF_MODULES_CACHE": str(at / "modules"), "HF_HUB_OFFLINE": "1"}
    environment.pop("PYTHONPATH", None)
    command = [sys.executable, "-c", code, *map(str, arguments)]
    result = subprocess.run(command, cwd=at, env=environment, capture_output=True, text=True, timeout=240)
    assert result.returncode == 0, result.stderr[-3000:]


def test_a_folder_loads_without_the_package_and_again_after_saving(checkpoint, tmp_path):
    files = [str(path) for path in assemble(checkpoint, tmp_path / "hub")]
    assert "graph_encoder/model.safetensors" in files and "modeling_anymo_heads.py" in files
    assert not any("optimizer" in name for name in files)
    expected = tmp_path / "expected.npz"
    run_without_the_package(LOAD, tmp_path / "hub", "graph_encoder", tmp_path / "again", expected, at=tmp_path)
    # What was saved there has no code; assembling adds it.
    assemble(tmp_path / "again", tmp_path / "hub2")
    run_without_the_package(LOAD, tmp_path / "hub2", "graph_encoder", tmp_path / "thrice", expected, at=tmp_path)


def test_the_published_encoder_loads_without_the_package(tmp_path):
    model = AutoModel.from_pretrained(PUBLISHED / "graph_encoder").eval()
    assert isinstance(model, AnyMoGraphEncoder)
    write_expected(model, AutoFeatureExtractor.from_pretrained(PUBLISHED / "graph_encoder"), tmp_path / "expected.npz")
    assemble(PUBLISHED, tmp_path / "hub")
    arguments = (tmp_path / "hub", "graph_encoder", tmp_path / "again", tmp_path / "expected.npz")
    run_without_the_package(LOAD, *arguments, at=tmp_path)


LOAD_WHOLE = """
import sys
sys.modules["anymo_hf"] = None
import numpy as np, torch
from transformers import AutoModel, AutoModelForCausalLM, AutoProcessor
source, again, expected = sys.argv[1:]
expected = np.load(expected)
processor = AutoProcessor.from_pretrained(source, trust_remote_code=True)
model, report = AutoModelForCausalLM.from_pretrained(source, trust_remote_code=True, output_loading_info=True)
assert not report["missing_keys"] and not report["unexpected_keys"], report
inputs = processor(
    imu={"left wrist": expected["wrist"]}, text="motion : <imu> the", imu_kwargs={"sampling_rate": 60},
    return_tensors="pt",
)
with torch.no_grad():
    logits = model.eval()(**inputs).logits
    torch.testing.assert_close(logits, torch.from_numpy(expected["logits"]))
    model.generate(**inputs, max_new_tokens=2)
    AutoModel.from_pretrained(source, trust_remote_code=True).eval().get_imu_features(**inputs)
model.save_pretrained(again)
processor.save_pretrained(again)
"""


@pytest.fixture
def whole_checkpoint(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen2Config

    words = ["<unk>", "<pad>", "the", "motion", ":"]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>")
    add_motion_tokens(tokenizer, 2, 16)
    processor = AnyMoProcessor(AnyMoFeatureExtractor(), tokenizer, num_codebooks=2, codebook_size=16)
    text = Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, tie_word_embeddings=True, pad_token_id=1, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    torch.manual_seed(0)
    ids = {
        name: tokenizer.convert_tokens_to_ids(f"<{name}>") for name in ("imu", "imu_start", "imu_end", "motion_0_0")
    }
    config = AnyMoConfig(
        graph_encoder_config=AnyMoGraphEncoderConfig.small(),
        motion_tokenizer_config=AnyMoPQTokenizerConfig.small(codebook_size=16),
        text_config=text,
        imu_token_id=ids["imu"],
        imu_start_token_id=ids["imu_start"],
        imu_end_token_id=ids["imu_end"],
        motion_token_offset=ids["motion_0_0"],
        pooler_num_latents=2,
        pooler_num_attention_heads=2,
        pooler_intermediate_size=16,
    )
    model = AnyMoForCausalLM(config).eval()
    folder = tmp_path / "checkpoint"
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    wrist = np.random.default_rng(0).normal(size=(90, 6)) + [0, 0, 9.8, 0, 0, 0]
    inputs = processor(
        imu={"left wrist": wrist}, text="motion : <imu> the", imu_kwargs={"sampling_rate": 60}, return_tensors="pt"
    )
    with torch.no_grad():
        np.savez(tmp_path / "expected.npz", wrist=wrist, logits=model(**inputs).logits.numpy())
    return folder


def test_the_whole_model_loads_without_the_package_and_again_after_saving(whole_checkpoint, tmp_path):
    assemble(whole_checkpoint, tmp_path / "hub")
    run_without_the_package(LOAD_WHOLE, tmp_path / "hub", tmp_path / "again", tmp_path / "expected.npz", at=tmp_path)
    assemble(tmp_path / "again", tmp_path / "hub2")
    run_without_the_package(LOAD_WHOLE, tmp_path / "hub2", tmp_path / "thrice", tmp_path / "expected.npz", at=tmp_path)


def test_other_things_are_refused(checkpoint, tmp_path):
    with pytest.raises(ValueError, match="There is no config.json in"):
        assemble(tmp_path, tmp_path / "hub")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "old.json").write_text("{}")
    with pytest.raises(ValueError, match="is not empty"):
        assemble(checkpoint, tmp_path / "full")
    config = checkpoint / "graph_encoder" / "config.json"
    config.write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ValueError, match="of type 'bert'"):
        assemble(checkpoint, tmp_path / "hub")
    assert not (tmp_path / "hub").exists()

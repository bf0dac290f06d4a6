# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""A Hub folder loads in a clean process that does not have the package, is saved again, and still loads."""

import json
import os
import subprocess
import sys

import pytest
import torch

from anymo_hf import AnyMoFeatureExtractor, AnyMoGraphEncoder, AnyMoGraphEncoderConfig
from anymo_hf.hub import assemble


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
    import numpy as np

    torch.manual_seed(0)
    model = AnyMoGraphEncoder(AnyMoGraphEncoderConfig.small()).eval()
    extractor = AnyMoFeatureExtractor()
    folder = tmp_path / "checkpoint" / "graph_encoder"
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)
    (folder / "optimizer.pt").write_bytes(b"of a training run")
    wrist = np.random.default_rng(0).normal(size=(180, 6)) + [0, 0, 9.8, 0, 0, 0]
    with torch.no_grad():
        latents = model(**extractor({"left wrist": wrist}, sampling_rate=60, return_tensors="pt")).pooled_latents
    np.savez(tmp_path / "expected.npz", wrist=wrist, latents=latents.numpy())
    return folder.parent


def load_without_the_package(source, again, tmp_path):
    environment = {**os.environ, "HF_MODULES_CACHE": str(tmp_path / "modules"), "HF_HUB_OFFLINE": "1"}
    environment.pop("PYTHONPATH", None)
    command = [sys.executable, "-c", LOAD, source, "graph_encoder", again, tmp_path / "expected.npz"]
    result = subprocess.run(
        list(map(str, command)), cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240
    )
    assert result.returncode == 0, result.stderr[-3000:]


def test_a_folder_loads_without_the_package_and_again_after_saving(checkpoint, tmp_path):
    files = [str(path) for path in assemble(checkpoint, tmp_path / "hub")]
    assert "graph_encoder/model.safetensors" in files and "modeling_anymo_heads.py" in files
    assert not any("optimizer" in name for name in files)
    load_without_the_package(tmp_path / "hub", tmp_path / "again", tmp_path)
    # What was saved there has no code; assembling adds it.
    assemble(tmp_path / "again", tmp_path / "hub2")
    load_without_the_package(tmp_path / "hub2", tmp_path / "thrice", tmp_path)


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

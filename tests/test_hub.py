# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""A Hub folder loads in a clean process that does not have the package, is saved again, and still loads."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.torch import save_file
from transformers import AutoFeatureExtractor, AutoModel

from anymo_hf import (
    AnyMoConfig,
    AnyMoFeatureExtractor,
    AnyMoForCausalLM,
    AnyMoGraphEncoder,
    AnyMoGraphEncoderConfig,
    AnyMoPQTokenizerConfig,
    AnyMoProcessor,
    SegmentKinematics,
    add_motion_tokens,
)
from anymo_hf.hub import assemble, check_loads, find_configs, push
from anymo_hf.hub_card import write_card
from anymo_hf.simulation.conversion import save_kinematics
from anymo_hf.simulation.synthesis import demo_motion


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


def save_whole_checkpoint(tmp_path):
    """A tiny whole model and its processor in a folder, and beside it what it gives for a wrist's readings."""
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
    folder = tmp_path / "whole"
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    wrist = np.random.default_rng(0).normal(size=(90, 6)) + [0, 0, 9.8, 0, 0, 0]
    inputs = processor(
        imu={"left wrist": wrist}, text="motion : <imu> the", imu_kwargs={"sampling_rate": 60}, return_tensors="pt"
    )
    with torch.no_grad():
        np.savez(tmp_path / "whole.npz", wrist=wrist, logits=model(**inputs).logits.numpy())
    return folder


@pytest.fixture
def whole_checkpoint(tmp_path):
    return save_whole_checkpoint(tmp_path)


def test_the_whole_model_loads_without_the_package_and_again_after_saving(whole_checkpoint, tmp_path):
    files = [str(path) for path in assemble(whole_checkpoint, tmp_path / "hub")]
    assert "graph_encoder/preprocessor_config.json" in files and "motion_tokenizer/model.safetensors" in files
    run_without_the_package(LOAD_WHOLE, tmp_path / "hub", tmp_path / "again", tmp_path / "whole.npz", at=tmp_path)
    assemble(tmp_path / "again", tmp_path / "hub2")
    run_without_the_package(LOAD_WHOLE, tmp_path / "hub2", tmp_path / "thrice", tmp_path / "whole.npz", at=tmp_path)


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


def test_parts_are_those_of_the_whole(whole_checkpoint, tmp_path):
    assemble(whole_checkpoint, tmp_path / "hub")
    whole = AnyMoForCausalLM.from_pretrained(whole_checkpoint).model
    for name in ("graph_encoder", "motion_tokenizer"):
        part, report = AutoModel.from_pretrained(tmp_path / "hub" / name, output_loading_info=True)
        assert not report["missing_keys"] and not report["unexpected_keys"]
        expected = getattr(whole, name).state_dict()
        assert part.state_dict().keys() == expected.keys()
        assert all(torch.equal(value, expected[key]) for key, value in part.state_dict().items())
    # A copy that lies there stays if it is one, and is refused if it is not.
    shutil.copytree(tmp_path / "hub" / "graph_encoder", whole_checkpoint / "graph_encoder")
    assemble(whole_checkpoint, tmp_path / "hub2")
    AnyMoGraphEncoder(AnyMoGraphEncoderConfig.small()).save_pretrained(whole_checkpoint / "graph_encoder")
    with pytest.raises(ValueError, match="other weights than the whole model"):
        assemble(whole_checkpoint, tmp_path / "hub3")


def test_training_states_and_foreign_code_stay_behind(checkpoint, tmp_path):
    encoder = checkpoint / "graph_encoder"
    shutil.copytree(encoder, encoder / "checkpoint-500")
    (encoder / "pytorch_model.bin").write_bytes(b"a pickle")
    (encoder / "trainer_state.json").write_text("{}")
    (encoder / "modeling_evil.py").write_text("raise SystemExit")
    content = json.loads((encoder / "config.json").read_text())
    (encoder / "config.json").write_text(
        json.dumps(content | {"auto_map": {"AutoModel": "org/evil--modeling_evil.Evil"}})
    )
    (encoder / "tokenizer_config.json").write_text(json.dumps({"auto_map": {"AutoTokenizer": ["evil.T", None]}}))
    (encoder / "preprocessor_config.json").unlink()
    files = [str(path) for path in assemble(encoder, tmp_path / "hub")]
    assert "model.safetensors" in files and "preprocessor_config.json" in files
    assert not any(word in name for name in files for word in ("checkpoint-500", "evil", ".bin", "trainer_state"))
    texts = [path.read_text() for path in (tmp_path / "hub").glob("*.json")]
    assert not any("evil" in text for text in texts)
    check_loads(tmp_path / "hub")


def test_what_does_not_load_is_not_pushed(checkpoint, whole_checkpoint, tmp_path):
    weights = checkpoint / "graph_encoder" / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="does not load"):
        push(checkpoint, "org/name", dry_run=True)
    save_file({"blocks": torch.zeros(2)}, weights, metadata={"format": "pt"})
    with pytest.raises(ValueError, match="do not fit its config.json"):
        push(checkpoint, "org/name", dry_run=True)
    weights.unlink()
    with pytest.raises(ValueError, match="There are no weights"):
        push(checkpoint, "org/name", dry_run=True)
    (whole_checkpoint / "processor_config.json").unlink()
    with pytest.raises(ValueError, match="There is no processor_config.json"):
        push(whole_checkpoint, "org/name", dry_run=True)


PUSH_FOR_EVER = """
import sys, time
from anymo_hf import hub
hub.check_loads = lambda folder: (print("assembled", flush=True), time.sleep(600))
hub.push(sys.argv[1], "org/name", dry_run=True)
"""


def start_push(checkpoint: Path, temporary: Path) -> subprocess.Popen:
    """One that has put its folder together and goes no further."""
    environment = {**os.environ, "TMPDIR": str(temporary)}
    command = [sys.executable, "-c", PUSH_FOR_EVER, str(checkpoint)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "assembled\n"
    return process


def test_what_a_killed_push_left_goes_with_the_next(checkpoint, tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    killed, running = start_push(checkpoint, temporary), start_push(checkpoint, temporary)
    try:
        assert len(list(temporary.glob("anymo-push-*/graph_encoder/model.safetensors"))) == 2
        killed.kill(), killed.wait()
        push(checkpoint, "org/name", dry_run=True)
        # That of a push which goes on stays.
        (folder,) = (path for path in temporary.glob("anymo-push-*") if path.is_dir())
        push(checkpoint, "org/name", dry_run=True)
        assert (folder / "graph_encoder" / "model.safetensors").is_file()
    finally:
        running.kill(), running.wait()
    push(checkpoint, "org/name", dry_run=True)
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("name", ["anymo", "a/b/c", "org/na me", "org/", "../name", "org/--x"])
def test_wrong_names(name, checkpoint):
    with pytest.raises(ValueError, match="named ORG/NAME"):
        push(checkpoint, name, dry_run=True)


def test_a_card_says_what_it_is(checkpoint, tmp_path):
    assemble(checkpoint, tmp_path / "hub")
    digest = hashlib.sha256((tmp_path / "hub" / "graph_encoder" / "model.safetensors").read_bytes()).hexdigest()
    row = {"table": "frozen", "dataset": "PAMAP2", "subset": "wrist", "model": "m", "metric": "F1 (%)", "value": 61.25}
    of_these = row | {"ci_low": 58.0, "ci_high": 64.5, "checkpoint_sha256": digest, "command": "python measure.py"}
    of_others = row | {"value": 99.0, "checkpoint_sha256": "0" * 64}
    results = tmp_path / "results.jsonl"
    results.write_text("".join(json.dumps(line) + "\n" for line in (of_these, of_others)), encoding="utf-8")
    converted = tmp_path / "converted"
    converted.mkdir()
    motion = demo_motion()[:120]
    motion.source.update(dataset="CMU", license="free | with thanks")
    save_kinematics(SegmentKinematics.from_motion(motion), converted / "a.safetensors")
    configs = find_configs(tmp_path / "hub")
    write_card(tmp_path / "hub", "org/name", configs, results, [converted])
    card = ModelCard.load(tmp_path / "hub" / "README.md")
    assert (card.data.license, card.data.library_name) == ("cc-by-nc-4.0", "transformers")
    assert card.data.pipeline_tag == "feature-extraction" and "anymo" in card.data.tags
    assert "| 61.25 | 58 to 64.5 |" in card.text and "99" not in card.text.split("## Results")[1]
    assert f"`{digest}`" in card.text and "| CMU | 0.0 | free \\| with thanks |" in card.text
    assert 'from_pretrained("org/name", subfolder="graph_encoder")' in card.text
    results.write_text(json.dumps(of_others), encoding="utf-8")
    with pytest.raises(ValueError, match="was measured on these weights"):
        write_card(tmp_path / "hub", "org/name", configs, results)
    with pytest.raises(ValueError, match="holds no converted motion"):
        write_card(tmp_path / "hub", "org/name", configs, None, [tmp_path / "hub" / "graph_encoder" / "nowhere"])


def test_the_example_of_the_card_runs(whole_checkpoint, tmp_path):
    assemble(whole_checkpoint, tmp_path / "hub")
    for folder in ("graph_encoder", "motion_tokenizer"):
        # Its name on the Hub stands for the folder here.
        write_card(tmp_path / "hub" / folder, str(tmp_path / "hub" / folder), find_configs(tmp_path / "hub" / folder))
        text = (tmp_path / "hub" / folder / "README.md").read_text(encoding="utf-8")
        exec(text.split("```python\n")[1].split("```")[0], {})


def test_a_card_that_a_person_wrote_stays(checkpoint, tmp_path):
    assemble(checkpoint, tmp_path / "hub")
    own = "---\nlicense: mit\ntags:\n- mine\n---\n# Mine\n\nAll my words.\n"
    (tmp_path / "hub" / "README.md").write_text(own, encoding="utf-8")
    write_card(tmp_path / "hub", "org/name", find_configs(tmp_path / "hub"))
    card = ModelCard.load(tmp_path / "hub" / "README.md")
    assert card.text.strip() == "# Mine\n\nAll my words."
    assert card.data.license == "mit" and card.data.tags[:2] == ["mine", "anymo"]
    assert card.data.pipeline_tag == "feature-extraction"

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Folders of others may hold anything: nothing they name is imported or unpickled, and nonsense gives errors."""

import json
import os
import shutil
import sys

import pytest
import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors.torch import save_file
from test_hub import save_whole_checkpoint
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoProcessor

from anymo_hf import AnyMoGraphEncoder, SegmentKinematics, load_motion
from anymo_hf.evaluation.har_datasets import find_har_datasets
from anymo_hf.hub import push
from anymo_hf.simulation.conversion import convert_motions, load_kinematics, save_kinematics
from anymo_hf.simulation.readers import save_motion
from anymo_hf.simulation.simulated_imu import SimulatedIMU
from anymo_hf.simulation.synthesis import demo_motion


EVIL = "import pathlib\npathlib.Path(__file__).with_name('imported').touch()\nraise SystemExit\n"


class Touch:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture
def whole(tmp_path):
    return save_whole_checkpoint(tmp_path)


def edit(path, **changes):
    """Changes entries of a JSON file; `a__in__b` is `a` in the object `b`."""
    content = json.loads(path.read_text(encoding="utf-8"))
    for name, value in changes.items():
        *parents, last = name.split("__in__")[::-1]
        entry = content
        for parent in parents:
            entry = entry[parent]
        entry[last] = value
    path.write_text(json.dumps(content), encoding="utf-8")


def test_nothing_is_imported_that_a_configuration_names(whole, monkeypatch):
    (whole / "evil.py").write_text(EVIL, encoding="utf-8")
    monkeypatch.syspath_prepend(whole)
    evil = dict.fromkeys(("AutoConfig", "AutoModel", "AutoModelForCausalLM", "AutoProcessor"), "evil.Evil")
    named = {
        "auto_map": evil,
        "custom_pipelines": {"zero-shot-imu-classification": {"impl": "evil.Evil", "pt": ["evil"]}},
    }
    edit(whole / "config.json", **named, architectures=["evil.Evil"])
    edit(whole / "config.json", auto_map__in__graph_encoder_config=evil, auto_map__in__text_config=evil)
    edit(whole / "processor_config.json", auto_map={"AutoProcessor": "evil.Evil"})
    edit(whole / "processor_config.json", auto_map__in__feature_extractor={"AutoFeatureExtractor": "evil.Evil"})
    AutoConfig.from_pretrained(whole)
    AutoModelForCausalLM.from_pretrained(whole)
    AutoModel.from_pretrained(whole, trust_remote_code=True)  # our own classes win over those of the folder
    AutoProcessor.from_pretrained(whole)
    # Where the folder names no class of ours transformers asks the user; unanswered, it refuses.
    for name, key in (("tokenizer_config.json", "tokenizer_class"), ("processor_config.json", "processor_class")):
        edit(whole / name, **{key: "evil.Evil"})
    edit(whole / "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.Evil", None]})
    with pytest.raises(ValueError, match="contains custom code"):
        AutoProcessor.from_pretrained(whole)
    with pytest.raises(ValueError, match="evil"):
        edit(whole / "config.json", text_config={"model_type": "evil"})
        AutoConfig.from_pretrained(whole)
    assert "evil" not in sys.modules and not (whole / "imported").exists()


def test_pickles_are_ignored_beside_weights_and_refused_alone(tmp_path):
    folder = tmp_path / "encoder"
    AnyMoGraphEncoder(AnyMoGraphEncoder.config_class.small()).save_pretrained(folder)
    for name in ("pytorch_model.bin", "training_args.bin", "optimizer.pt"):
        torch.save({"weight": Touch(tmp_path / "touched")}, folder / name)
    AutoModel.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(Exception, match="Weights only load failed"):
        AutoModel.from_pretrained(folder)
    with pytest.raises(OSError, match="does not appear to have a file named|no file named"):
        AutoModel.from_pretrained(folder, use_safetensors=True)
    with pytest.raises(ValueError, match="There are no weights"):
        push(folder, "org/name", dry_run=True)
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_sizes": [10**9] * 4},
        {"hidden_sizes": [-4] * 4},
        {"hidden_sizes": "wide"},
        {"hidden_sizes": [16.5] * 4},
        {"strides": [0, 2, 1, 1]},
        {"strides": [-1, 2, 1, 1]},
        {"temporal_kernel_size": -3},
        {"num_channels": 10**12},
        {"sampling_rate": 0},
        {"segment_parents": [-1] + [0] * 100_000},
        {"segment_parents": None},
        {"predictor_num_attention_heads": 0},
        {"norm_eps": float("nan")},
        {"pooled_segments": "__import__('os')"},
        {"model_type": "../../evil"},
        {"dtype": "os"},
    ],
)
def test_nonsense_in_an_encoder_gives_errors(changes, tmp_path):
    AnyMoGraphEncoder(AnyMoGraphEncoder.config_class.small()).save_pretrained(tmp_path)
    edit(tmp_path / "config.json", **changes)
    with pytest.raises((ValueError, RuntimeError, TypeError, AttributeError, StrictDataclassError)):
        AutoModel.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match="config.json|does not load|do not fit"):
        push(tmp_path, "org/name", dry_run=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"text_config": "x"},
        {"vocab_size__in__text_config": 10**12},
        {"pooler_num_latents": 10**12},
        {"pooler_num_latents": -1},
        {"pooler_num_attention_heads": 0},
        {"projector_hidden_size": 0},
        {"imu_token_id": "1"},
        {"codebook_size__in__motion_tokenizer_config": 10**12},
        {"codebook_size__in__motion_tokenizer_config": "2048"},
        {"dilations__in__motion_tokenizer_config": [0]},
        {"num_codebooks__in__motion_tokenizer_config": -1},
    ],
)
def test_nonsense_in_the_whole_gives_errors(changes, whole):
    edit(whole / "config.json", **changes)
    with pytest.raises((ValueError, RuntimeError, TypeError, StrictDataclassError)):
        AutoModelForCausalLM.from_pretrained(whole)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, "\x00", '"anymo"'])
def test_broken_json_is_told(text, whole, tmp_path):
    (whole / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="config.json"):
        push(whole, "org/name", dry_run=True)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("processor_config.json", {"feature_extractor": "x"}),
        ("processor_config.json", {"feature_extractor": {"sampling_rate": "fast"}}),
        ("config.json", {"graph_encoder_config": None}),
        ("config.json", {"motion_tokenizer_config": ["x"]}),
        ("config.json", {"model_type": ["anymo"]}),
        ("tokenizer.json", {"model": {}}),
    ],
)
def test_nonsense_is_not_pushed(name, changes, whole):
    edit(whole / name, **changes)
    with pytest.raises(ValueError, match="save it again|must hold an object|does not load|must be one of"):
        push(whole, "org/name", dry_run=True)


def test_weights_outside_the_folder_do_not_go_along(whole, tmp_path):
    save_file({"secret": torch.ones(3)}, tmp_path / "secret.safetensors", metadata={"format": "pt"})
    shutil.move(whole / "model.safetensors", whole / "model-00001-of-00001.safetensors")
    index = {"metadata": {}, "weight_map": {"lm_head.weight": "../secret.safetensors"}}
    (whole / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(ValueError, match="does not load"):
        push(whole, "org/name", dry_run=True)


def test_chat_templates_stay_in_their_sandbox(whole):
    processor = AutoProcessor.from_pretrained(whole)
    template = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
    with pytest.raises(Exception, match="unsafe"):
        processor.tokenizer.apply_chat_template(
            [{"role": "user", "content": "a"}], chat_template=template, tokenize=False
        )


@pytest.mark.parametrize("name", ["../../outside", "/outside", "..\\outside", "a\x00b", "$(touch outside)"])
def test_names_in_motions_do_not_choose_where_files_go(name, tmp_path):
    motion = demo_motion()[:240]
    motion.source.update(dataset=name, name=name, subject=name)
    (tmp_path / "deep" / "motions").mkdir(parents=True)
    save_motion(motion, tmp_path / "deep" / "motions" / "walk.npz")
    assert load_motion(tmp_path / "deep" / "motions" / "walk.npz").source["subject"] == name
    report = convert_motions(tmp_path / "deep" / "motions", tmp_path / "deep" / "converted")
    (file,) = report.files.values()
    builder = SimulatedIMU(data_dir=tmp_path / "deep" / "converted", cache_dir=str(tmp_path / "deep" / "cache"))
    builder.download_and_prepare()
    assert builder.as_dataset(split="train")[0]["subject"] == name
    assert os.sep not in file and {path.name for path in tmp_path.iterdir()} == {"deep"}
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {"motions", "converted", "cache"}


def test_damaged_converted_motions_are_told(tmp_path):
    path = tmp_path / "a.safetensors"
    save_kinematics(SegmentKinematics.from_motion(demo_motion()[:120]), path)
    whole = path.read_bytes()
    for content in (b"", whole[:100], whole[:-100], (2**63).to_bytes(8, "little") + whole[8:]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="is not a converted motion"):
            load_kinematics(path)
    save_file({"kinematics": torch.zeros(2, 23, 12)}, path, metadata={"anymo": "{}"})
    with pytest.raises((ValueError, KeyError)):
        load_kinematics(path)


def test_declarations_of_recordings_cannot_name_other_files(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "recordings.parquet").write_bytes(b"PAR1")
    for declared in ('{"files": "../secret"}', '["../secret"]', "{"):
        (folder / "dataset.json").write_text(declared, encoding="utf-8")
        with pytest.raises((ValueError, TypeError, OSError)):
            find_har_datasets(folder)

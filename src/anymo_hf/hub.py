# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Assembles a Hub folder: a checkpoint with the code that loads it where this package is not installed."""

import json
import shutil
from pathlib import Path

import anymo_hf


# What of a checkpoint is shared: never pickles, never the state of a training run.
SHARED_SUFFIXES = {".json", ".jinja", ".md", ".safetensors", ".txt", ".yaml"}
CODE_FOLDERS = ("modeling", "processing")
# Which class each Auto class loads, by the model type that a configuration names.
AUTO_MAPS = {
    "anymo_graph_encoder": {
        "AutoConfig": "configuration_anymo.AnyMoGraphEncoderConfig",
        "AutoModel": "modeling_anymo_graph_encoder.AnyMoGraphEncoder",
        "AutoModelForPreTraining": "modeling_anymo_heads.AnyMoGraphEncoderForPreTraining",
        "AutoModelForSequenceClassification": "modeling_anymo_heads.AnyMoGraphEncoderForSequenceClassification",
    },
    "anymo_pq_tokenizer": {
        "AutoConfig": "configuration_anymo.AnyMoPQTokenizerConfig",
        "AutoModel": "modeling_anymo_pq_tokenizer.AnyMoPQTokenizer",
    },
    "anymo": {
        "AutoConfig": "configuration_anymo.AnyMoConfig",
        "AutoModel": "modeling_anymo.AnyMoModel",
        "AutoModelForCausalLM": "modeling_anymo.AnyMoForCausalLM",
    },
}
FEATURE_EXTRACTOR_AUTO_MAP = {"AutoFeatureExtractor": "feature_extraction_anymo.AnyMoFeatureExtractor"}
PROCESSOR_AUTO_MAP = {"AutoProcessor": "processing_anymo.AnyMoProcessor"}


def assemble(checkpoint: str | Path, folder: str | Path) -> list[Path]:
    """
    Copies a checkpoint and adds code and `auto_map`, so that `trust_remote_code=True` loads it without this package.

    Args:
        checkpoint (`str` or `Path`):
            Folder that `save_pretrained` wrote, or one with such folders in it, `graph_encoder/` for instance.
        folder (`str` or `Path`):
            Where the result goes; it must not exist yet, or be empty. The code lies at its top, once.

    Returns:
        `list[Path]`: The files written, relative to `folder`.

    Raises:
        ValueError: If there is no checkpoint of this package, or something stands in `folder`.
    """
    checkpoint, folder = Path(checkpoint), Path(folder)
    configs = [
        path for path in (checkpoint / "config.json", *sorted(checkpoint.glob("*/config.json"))) if path.is_file()
    ]
    if not configs:
        raise ValueError(f"There is no config.json in {checkpoint} nor one folder below; give a saved checkpoint.")
    for path in configs:
        model_type = json.loads(path.read_text(encoding="utf-8")).get("model_type")
        if model_type not in AUTO_MAPS:
            raise ValueError(f"{path} is of type {model_type!r}, but must be one of {', '.join(AUTO_MAPS)}.")
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(
            f"{folder} is not empty; choose a new folder, so that nothing of another checkpoint goes along."
        )
    for path in configs:
        _copy_checkpoint(path.parent, folder / path.parent.relative_to(checkpoint))
    package = Path(anymo_hf.__file__).parent
    for name in CODE_FOLDERS:
        for path in sorted((package / name).glob("*_anymo*.py")):
            shutil.copyfile(path, folder / path.name)
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def _copy_checkpoint(source: Path, target: Path) -> None:
    """The files of one model, its configurations with an `auto_map`."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.iterdir()):
        if not path.is_file() or path.suffix not in SHARED_SUFFIXES:
            continue
        if path.name not in ("config.json", "preprocessor_config.json", "processor_config.json"):
            shutil.copyfile(path, target / path.name)
            continue
        content = _with_auto_map(path.name, json.loads(path.read_text(encoding="utf-8")))
        (target / path.name).write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _with_auto_map(name: str, content: dict) -> dict:
    """A configuration that says which class of which file it is for."""
    if name == "config.json":
        return content | {"auto_map": AUTO_MAPS[content["model_type"]]}
    if name == "preprocessor_config.json":
        return content | {"auto_map": FEATURE_EXTRACTOR_AUTO_MAP}
    extractor = content["feature_extractor"] | {"auto_map": FEATURE_EXTRACTOR_AUTO_MAP}
    return content | {"auto_map": PROCESSOR_AUTO_MAP, "feature_extractor": extractor}


__all__ = ["assemble"]

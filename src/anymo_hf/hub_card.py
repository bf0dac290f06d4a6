# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The card of a checkpoint on the Hub: what it is, how to load it, its data and licences, results and limits."""

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from string import Template

from huggingface_hub import ModelCard
from safetensors import safe_open

import anymo_hf
from anymo_hf.evaluation.results import Result, read_results


# A card with this line is ours to write anew; any other is a person's.
MARK = "<!-- Written by `anymo push`. Delete this line to keep your own changes. -->"
LICENSE = "cc-by-nc-4.0"
METADATA = {
    "library_name": "transformers",
    "license": LICENSE,
    "language": "en",
    "tags": ["anymo", "imu", "accelerometer", "gyroscope", "wearable", "human-activity-recognition"],
}
PIPELINE_TAGS = {
    "anymo": "zero-shot-classification",
    "anymo_graph_encoder": "feature-extraction",
    "anymo_pq_tokenizer": "feature-extraction",
}
WORDS = {
    "anymo": "graph encoder, motion tokenizer and language model together",
    "anymo_graph_encoder": "graph encoder: readings on a few body segments to a latent per segment and step",
    "anymo_pq_tokenizer": "motion tokenizer: latents to discrete codes",
}
CARD = Template("""$mark

# $name

Wearable inertial sensors and language, by anymo-hf, an independent
implementation of the method of [AnyMo](https://huggingface.co/papers/2605.22715). Any number of sensors, anywhere on
the body, at any rate. Made with anymo-hf $version.

| folder | what it is | parameters | stored as | SHA-256 of the weights |
|---|---|---|---|---|
$facts

## Use

$example

Without anymo-hf installed, pass `trust_remote_code=True`: the code in this repository then runs on your machine, so
read it first and pin `revision=` to a commit you have read.

## Data and licences

$data

The weights are for research under $license; the code is under Apache-2.0.

## Results

$results

## Limits

- Research only: no medical device, and no basis for decisions about people. Readings of a body are personal data.
- Say where a sensor was worn, in which units it reads and whether gravity is included; what is declared wrongly is
  recognised wrongly. `anymo inspect` shows what a recording seems to be.
- Activities, placements and people unlike those trained on are recognised worse. Measure on recordings of your own
  before relying on it.
""")
EXAMPLES = {
    "anymo": """```python
import anymo_hf
from transformers import pipeline

recording = anymo_hf.read_recording("watch.csv", placements="left wrist")
classify = pipeline("zero-shot-imu-classification", model="$name")
print(classify(recording, candidate_labels=["walking", "sitting", "climbing stairs"]))
```""",
    "anymo_graph_encoder": """```python
import anymo_hf
import numpy as np
from transformers import AutoFeatureExtractor, AutoModel

extractor = AutoFeatureExtractor.from_pretrained("$name"$subfolder)
model = AutoModel.from_pretrained("$name"$subfolder).eval()
wrist = np.tile([0.0, 0.0, 9.81, 0.0, 0.0, 0.0], (300, 1))  # (num_frames, 6): m/s^2, rad/s
inputs = extractor({"left wrist": wrist}, sampling_rate=60, return_tensors="pt")
print(model(**inputs).pooled_latents.shape)  # (1, num_steps, hidden_size)
```""",
    "anymo_pq_tokenizer": """```python
import anymo_hf
import torch
from transformers import AutoModel

tokenizer = AutoModel.from_pretrained("$name"$subfolder).eval()
latents = torch.randn(1, 75, tokenizer.config.latent_size)  # a graph encoder's pooled_latents
print(tokenizer.encode(latents).shape)  # (1, num_codebooks, num_steps)
```""",
}


def is_written_card(text: str) -> bool:
    """Whether a card is one of these, not a person's."""
    return MARK in text


def write_card(
    folder: Path,
    repo_id: str,
    models: dict[Path, str],
    results: str | Path | None = None,
    data: Sequence[str | Path] = (),
) -> None:
    """
    Writes `README.md` into an assembled folder; of a card that a person wrote only missing metadata is added.

    Args:
        folder (`Path`):
            What `assemble` wrote.
        repo_id (`str`):
            Its name on the Hub.
        models (`dict[Path, str]`):
            Every `config.json` in it with the model's type, the main one first.
        results (`str` or `Path`, *optional*, defaults to `None`):
            `results.jsonl`, of which the figures measured on these weights are shown.
        data (`Sequence[str | Path]`, *optional*, defaults to `()`):
            Folders of converted motion it was trained on.

    Raises:
        ValueError: If no figure in `results` was measured on these weights, or `data` holds no converted motion.
    """
    path, main = folder / "README.md", next(iter(models.values()))
    own = path.read_text(encoding="utf-8") if path.exists() else None
    if own is None or is_written_card(own):
        card = ModelCard(f"---\nlicense: {LICENSE}\n---\n" + _render(folder, repo_id, models, results, data))
    else:
        card = ModelCard(own if own.startswith("---") else "---\n{}\n---\n" + own)
    metadata = METADATA | {"pipeline_tag": PIPELINE_TAGS[main]}
    for name, value in metadata.items():
        if card.data.get(name) is None:
            setattr(card.data, name, value)
    card.data.tags = list(dict.fromkeys([*card.data.tags, *METADATA["tags"]]))
    path.write_text(str(card), encoding="utf-8")


def _render(folder: Path, repo_id: str, models: dict[Path, str], results, data) -> str:
    main = next(iter(models))
    subfolder = "" if main.parent == folder else f', subfolder="{main.parent.name}"'
    return CARD.substitute(
        mark=MARK,
        name=repo_id,
        version=anymo_hf.__version__,
        facts="\n".join(_fact(folder, path, model_type) for path, model_type in models.items()),
        example=Template(EXAMPLES[models[main]]).substitute(name=repo_id, subfolder=subfolder),
        data=_data_section(data),
        license=LICENSE,
        results=_results_section(folder, results),
    )


def _fact(folder: Path, config: Path, model_type: str) -> str:
    parameters, types, digests = 0, set(), []
    for path in sorted(config.parent.glob("*.safetensors")):
        digests.append(f"`{_sha256(path)}`")
        with safe_open(path, framework="np") as file:
            slices = [file.get_slice(key) for key in file.keys()]  # noqa: SIM118
            parameters += sum(math.prod(part.get_shape()) for part in slices)
            types |= {part.get_dtype() for part in slices}
    place = "top" if config.parent == folder else f"`{config.parent.name}/`"
    cells = (place, WORDS[model_type], f"{parameters:,}", ", ".join(sorted(types)), "<br>".join(digests))
    return f"| {' | '.join(cells)} |"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _data_section(folders: Sequence[str | Path]) -> str:
    """Minutes of motion by source and licence, as the converted files themselves say."""
    from anymo_hf.simulation.conversion import read_header

    if not folders:
        return "What it was trained on was not stated when it was uploaded; ask those who did before using it."
    minutes: dict[tuple[str, str], float] = {}
    for folder in folders:
        paths = sorted(Path(folder).glob("*.safetensors"))
        if not paths:
            raise ValueError(f"{folder} holds no converted motion; give the folders that it was trained on.")
        for header in map(read_header, paths):
            source = header["source"]
            key = (source.get("dataset") or "unknown", source.get("license") or "not stated")
            minutes[key] = minutes.get(key, 0.0) + header["num_frames"] / header["sampling_rate"] / 60
    rows = [f"| {_cell(name)} | {total:.1f} | {_cell(terms)} |" for (name, terms), total in sorted(minutes.items())]
    lines = [
        "Sensors were simulated on the body of these motions.",
        "",
        "| source | minutes | its licence |",
        "|---|---|---|",
    ]
    return "\n".join([*lines, *rows])


def _results_section(folder: Path, results: str | Path | None) -> str:
    if results is None:
        return "None were given when it was uploaded."
    if not Path(results).is_file():
        raise ValueError(f"There is no file {results}; give the `results.jsonl` that the evaluation wrote.")
    digests = {_sha256(path) for path in folder.rglob("*.safetensors")}
    found = [result for result in read_results(results) if result.checkpoint_sha256 in digests]
    if not found:
        raise ValueError(
            f"No figure in {results} was measured on these weights (`checkpoint_sha256`); evaluate them, or push "
            "without `--results`."
        )
    rows = [f"| {' | '.join(map(_cell, _figure(result)))} |" for result in found]
    lines = [
        "| table | data | subset | metric | value | interval | windows | people | seed |",
        "|---" * 9 + "|",
        *rows,
    ]
    commands = dict.fromkeys(result.command for result in found if result.command)
    return "\n".join([*lines, "", "Measured with:", "", *(f"    {command}" for command in commands)])


def _figure(result: Result) -> tuple:
    interval = (
        "" if result.ci_low is None or result.ci_high is None else f"{result.ci_low:.4g} to {result.ci_high:.4g}"
    )
    if interval and result.ci_method:
        interval += f" ({result.ci_method})"
    sizes = (result.num_windows, result.num_subjects, result.seed)
    return (result.table, result.dataset, result.subset, result.metric, f"{result.value:.4g}", interval, *sizes)


def _cell(value) -> str:
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")


__all__ = ["is_written_card", "write_card"]

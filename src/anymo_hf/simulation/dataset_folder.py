# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""`write_dataset`: motion files become a folder that `datasets.load_dataset` reads: Parquet with a card."""

import os
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from string import Template

from anymo_hf.simulation.conversion import ConversionReport, convert_motions, load_kinematics


CARD = Template(
    """---
license: other
license_name: per-recording
pretty_name: Simulated IMU
tags:
- imu
- accelerometer
- gyroscope
- human-activity-recognition
- simulation
configs:
- config_name: $config_name
  data_files: data/*.parquet
---

# Simulated IMU

Readings of inertial sensors simulated on moving bodies by [anymo-hf](https://pypi.org/project/anymo-hf), simulation
version $version. $num_rows rows, $minutes minutes of motion, $sampling_rate Hz.

```python
from datasets import load_dataset

rows = load_dataset("path/to/this/folder", split="train", streaming=True)
```

$content

| column | content |
|---|---|
$columns

## Sources

Each row names its `dataset`, `subject` and `license`. The licence of a recording holds for what was simulated from it:
check it before you share this folder.

| dataset | recordings | licence as stated by the reader |
|---|---|---|
$sources

Made by: `$command`
"""
)

_COLUMN_TEXTS = {
    "recording_id": "first 16 digits of the motion file's SHA-256",
    "dataset": "name of the source",
    "name": "name of the motion file",
    "subject": "who moved, where the source says",
    "license": "licence of the recording, where the source says",
    "sampling_rate": "frames per second",
    "start_time": "seconds, on the motion's clock",
    "bone_offsets": "(23, 3): parent to segment origin in the T-pose, metres",
    "texts": "what is said about the motion: start, end (s), text, kind (caption, label or style)",
    "kinematics": "(frames, 23, 12): angular rate, angular acceleration, specific force, up direction per segment",
    "mask": "(frames, 23): where the motion was measured",
    "imu": "(frames, placements, 6): specific force (m/s^2, gravity included unless said), angular rate (rad/s)",
    "placements": "name, segment, offset (m) and orientation (w, x, y, z; sensor to segment) of every sensor",
}


def write_dataset(
    paths: str | Path | Iterable[str | Path],
    folder: str | Path,
    config_name: str = "dense",
    num_proc: int = 1,
    sampling_rate: float = 60.0,
    cutoff: float | None = None,
    joint_map: str | Path | dict[str, str] | None = None,
    command: str = "",
    **config,
) -> ConversionReport:
    """
    Converts motion files and writes the data set that `SimulatedIMU` makes of them.

    The folder holds `converted/` (one file per motion; what exists is kept, so a killed run goes on), `data/*.parquet`
    and `README.md`. The rows do not depend on `num_proc`.

    Args:
        paths (`str`, `Path` or an iterable of them):
            Motion files or folders of them.
        folder (`str` or `Path`):
            Where the data set goes.
        config_name (`str`, *optional*, defaults to `"dense"`):
            `"dense"` or `"kinematics"`, as in `SimulatedIMU`.
        num_proc (`int`, *optional*, defaults to 1):
            Processes.
        sampling_rate (`float`, *optional*, defaults to 60.0):
            As in `convert_motions`.
        cutoff (`float`, *optional*, defaults to `None`):
            As in `convert_motions`.
        joint_map (`str`, `Path` or `dict`, *optional*, defaults to `None`):
            As in `convert_motions`.
        command (`str`, *optional*, defaults to `""`):
            The command line, for the card.
        config:
            Fields of `SimulatedIMUConfig`.

    Returns:
        `ConversionReport`: What was converted and what failed.

    Raises:
        ValueError: If no motion could be converted, or a setting is unknown.
        OSError: If the folder cannot be written to.
    """
    from anymo_hf.simulation.simulated_imu import SimulatedIMU, SimulatedIMUConfig

    SimulatedIMUConfig(config_name, **config)  # a typing error should not cost a conversion
    folder = Path(folder)
    report = convert_motions(paths, folder / "converted", num_proc, sampling_rate, cutoff, joint_map)
    if not report.files:
        raise ValueError(f"None of the motions could be converted:\n{report}")
    # Files of an earlier run with other inputs stay in the folder but do not belong to this data set.
    chosen = folder / "converted" if _holds_only(folder / "converted", report) else _link_chosen(folder, report)
    cache = folder / ".cache"
    shutil.rmtree(cache, ignore_errors=True)
    try:
        builder = SimulatedIMU(config_name, data_dir=chosen, cache_dir=str(cache), **config)
        unfinished = cache / "data"
        builder.download_and_prepare(
            str(unfinished), file_format="parquet", num_proc=min(num_proc, len(report.files)), max_shard_size="500MB"
        )
        (unfinished / "dataset_info.json").unlink(missing_ok=True)
        shutil.rmtree(folder / "data", ignore_errors=True)
        os.replace(unfinished, folder / "data")
        _write_card(folder, builder, report, sampling_rate, command)
    finally:
        shutil.rmtree(cache, ignore_errors=True)
        if chosen != folder / "converted":
            shutil.rmtree(chosen, ignore_errors=True)
    return report


def _holds_only(converted: Path, report: ConversionReport) -> bool:
    return {path.name for path in converted.glob("*.safetensors")} == set(report.files.values())


def _link_chosen(folder: Path, report: ConversionReport) -> Path:
    chosen = folder / ".chosen"
    shutil.rmtree(chosen, ignore_errors=True)
    chosen.mkdir()
    for name in set(report.files.values()):
        (chosen / name).symlink_to((folder / "converted" / name).resolve())
    return chosen


def _write_card(folder: Path, builder, report: ConversionReport, sampling_rate: float, command: str) -> None:
    sources = Counter()
    for name in report.files.values():
        source = load_kinematics(folder / "converted" / name).source
        sources[source.get("dataset", "unknown"), source.get("license", "not stated")] += 1
    num_rows = builder.info.splits["train"].num_examples
    text = make_card(builder, num_rows, report.minutes, sampling_rate, sources, command)
    (folder / "README.md").write_text(text, encoding="utf-8")


def make_card(builder, num_rows: int, minutes: float, sampling_rate: float, sources: Counter, command: str) -> str:
    """The card of a data set: `builder` tells how it was made, `sources` counts (data set, licence)."""
    config = builder.config
    where = ", ".join(config.placements) or f"{config.num_placements} places spread over each body's surface"
    dense = (
        f"Sensors: {where}; errors of the preset `{config.errors}`; mounting "
        f"{'turned at random' if config.mounting else 'as placed'}; gravity "
        f"{'included' if config.gravity else 'removed'}; seed {config.seed}."
    )
    kinematics = "Twelve numbers per segment and frame, from which `simulate_imu` makes the readings of any placement."
    return CARD.substitute(
        config_name=config.name,
        version=builder.VERSION,
        num_rows=num_rows,
        minutes=f"{minutes:.1f}",
        sampling_rate=f"{sampling_rate:g}",
        content=dense if config.name == "dense" else kinematics,
        columns="\n".join(f"| `{name}` | {_COLUMN_TEXTS[name]} |" for name in builder.info.features),
        sources="\n".join(
            f"| {dataset} | {count} | {license} |" for (dataset, license), count in sorted(sources.items())
        ),
        command=command or "anymo_hf.simulation.dataset_folder.write_dataset",
    )

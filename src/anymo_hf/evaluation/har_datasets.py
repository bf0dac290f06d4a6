# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Labelled recordings of real sensors: what each set is, and one iterator over any of them.

`load_har_recordings(folder)` reads the package's common layout, one Parquet row per reading, whoever made it:

    subject, recording, placement, activity (text), t (s), acc_x, acc_y, acc_z (m/s^2), gyr_x, gyr_y, gyr_z (rad/s)

Missing readings are NaN, an accelerometer alone has no `gyr_` columns. Rows of one recording stand together, and time
increases for each of its sensors. A JSON file beside it (`<file>.json`, or `dataset.json` for a folder of shards) may
give any field of `HarDataset`: name, license, sampling_rate, gravity, placements, activity_words, window.
`load_har_recordings(folder, "wisdm2019")` reads the authors' published layout as well.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from anymo_hf.evaluation.har.catalogue import HAR_DATASETS as _SHARED_DATASETS
from anymo_hf.evaluation.har.catalogue import MISSING_HAR_DATASETS
from anymo_hf.evaluation.har.declaration import HarDataset
from anymo_hf.evaluation.har.layouts import LAYOUTS
from anymo_hf.evaluation.har.more_layouts import MORE_DATASETS, MORE_LAYOUTS, declare_anymo_bench, read_anymo_bench
from anymo_hf.evaluation.har.parquet import infer_har_dataset, read_json, read_parquet_runs
from anymo_hf.evaluation.har.recordings import (
    SensorRun,
    build_recording,
    majority_activity,
    recording_to_row,
    split_clocks,
)
from anymo_hf.evaluation.har.unimts import ARRAY_SETS, declare_unimts, read_unimts
from anymo_hf.processing.placements_anymo import normalize_placement_name
from anymo_hf.processing.recording_anymo import Recording


HAR_DATASETS = _SHARED_DATASETS | MORE_DATASETS
_READERS = LAYOUTS | MORE_LAYOUTS


def find_har_datasets(path: str | Path) -> list[tuple[HarDataset, Path]]:
    """
    The sets of a file or folder, each with what to hand to `load_har_recordings`.

    A Parquet file that is named like a known set, or has a JSON file of its name, is a set. Other Parquet files of a
    folder are the shards of one set, declared by `dataset.json` or by what they hold. UniMTS's folders and
    AnyMo-Bench's configurations are recognised by their files.

    Args:
        path (`str` or `Path`):
            A Parquet file, or a folder that holds some.

    Returns:
        `list[tuple[HarDataset, Path]]`: At least one.

    Raises:
        ValueError: If there is nothing to read, or a declaration does not hold.
    """
    path = Path(path)
    if path.is_file():
        if path.suffix.lower() != ".parquet":
            raise ValueError(
                f"{path} is no Parquet file; docs/howto-evaluate.md shows how to write one in the common layout."
            )
        return [(_declare_file(path), path)]
    if not path.is_dir():
        raise ValueError(f"{path} does not exist; give a Parquet file or a folder that holds some.")
    if path.name in ARRAY_SETS and (path / f"{path.name}.json").exists():
        return [(declare_unimts(path), path)]
    files = sorted(path.glob("*.parquet"))
    if not files:
        raise ValueError(
            f"{path} holds no Parquet file; convert the recordings to the common layout (see `anymo_hf.evaluation."
            f"har_datasets`), or name the set whose published files these are: {sorted(_READERS)}."
        )
    if path.name.startswith("AnyMo-Bench-"):
        return [(declare_anymo_bench(files, path.name), path)]
    if (path / "dataset.json").exists():
        return [(infer_har_dataset(files, path.name, read_json(path / "dataset.json")), path)]
    alone = [file for file in files if file.stem in HAR_DATASETS or file.with_suffix(".json").exists()]
    sets = [(_declare_file(file), file) for file in alone]
    shards = [file for file in files if file not in alone]
    if shards:
        sets.append((infer_har_dataset(shards, path.name), path))
    return sets


def load_har_recordings(
    path: str | Path,
    dataset: HarDataset | str | None = None,
    placements: Iterable[str] | None = None,
    subjects: Iterable[str] | None = None,
    side: str = "right",
) -> Iterator[Recording]:
    """
    The recordings of one set, one after the other, in bounded memory.

    Args:
        path (`str` or `Path`):
            A Parquet file of the common layout, a folder that holds one, or the folder into which the set named by
            `dataset` was unpacked as its authors published it.
        dataset (`HarDataset` or `str`, *optional*, defaults to `None`):
            A declaration, or the name of a known one. `None` takes the only set that `find_har_datasets` finds.
        placements (`Iterable[str]`, *optional*, defaults to `None`):
            Sensors to keep, by the set's or the table's name; recordings without them are left out.
        subjects (`Iterable[str]`, *optional*, defaults to `None`):
            People to keep.
        side (`str`, *optional*, defaults to `"right"`):
            `"left"` or `"right"`, where the set does not state the side (`dataset.placements_without_side`). Evaluate
            both and average to be neutral.

    Yields:
        `Recording`: Force in m/s^2, rate in rad/s; activities in words.

    Raises:
        ValueError: If nothing is found, a file is damaged, or a name is not declared; it names the file and the
        remedy.
    """
    if side not in ("left", "right"):
        raise ValueError(f"`side` must be 'left' or 'right', but is {side!r}.")
    dataset, groups = _open(Path(path), dataset)
    kept_places = None if placements is None else _match_placements(dataset, placements)
    kept_subjects = None if subjects is None else {str(subject) for subject in subjects}
    for runs in split_clocks(groups, dataset):
        if kept_subjects is not None and runs[0].subject not in kept_subjects:
            continue
        if kept_places is not None:
            runs = [run for run in runs if run.placement in kept_places]
        if runs:
            yield build_recording(runs, dataset, side)


def _open(path: Path, dataset: HarDataset | str | None) -> tuple[HarDataset, Iterable[list[SensorRun]]]:
    """The declaration, and an iterator over the runs of each recording."""
    if isinstance(dataset, str):
        if dataset not in HAR_DATASETS:
            reason = MISSING_HAR_DATASETS.get(dataset)
            known = f"known are {sorted(HAR_DATASETS)}"
            raise ValueError(f"No set is called {dataset!r}; {reason or known}.")
        dataset = HAR_DATASETS[dataset]
    if dataset is None:
        sets = find_har_datasets(path)
        if len(sets) > 1:
            names = sorted(found.name for found, _ in sets)
            raise ValueError(f"{path} holds several sets; name one of {names} as `dataset`.")
        dataset, path = sets[0]
    if not path.exists():
        raise ValueError(f"{path} does not exist; give a Parquet file or a folder.")
    if dataset.name.startswith("unimts/"):
        return dataset, read_unimts(path)
    if dataset.name.startswith("AnyMo-Bench-"):
        return dataset, read_anymo_bench(sorted(path.glob("test-*.parquet")) or sorted(path.glob("*.parquet")))
    files = _common_files(path, dataset.name)
    if files:
        # One recording per sensor comes back later, in a file that is sorted by sensor.
        return dataset, read_parquet_runs(files, check=dataset.joint_clock)
    if dataset.name in _READERS:
        return dataset, _READERS[dataset.name](path)
    raise ValueError(f"{path} holds no Parquet file of {dataset.name!r}; convert its recordings to the common layout.")


def _common_files(path: Path, name: str) -> list[Path]:
    """Parquet files of that set in the common layout."""
    if path.is_file():
        return [path]
    if (path / f"{name}.parquet").exists():
        return [path / f"{name}.parquet"]
    others = {f"{known}.parquet" for known in HAR_DATASETS}
    files = sorted(path.glob("*.parquet"))
    return [] if any(file.name in others for file in files) else files


def _declare_file(path: Path) -> HarDataset:
    beside = path.with_suffix(".json")
    if beside.exists():
        return infer_har_dataset([path], path.stem, read_json(beside))
    return HAR_DATASETS[path.stem] if path.stem in HAR_DATASETS else infer_har_dataset([path], path.stem)


def _match_placements(dataset: HarDataset, wanted: Iterable[str]) -> set[str]:
    """The set's own names of the placements asked for."""
    names: dict[str, set[str]] = {}
    for name, words in dataset.placements.items():
        for key in (name, words, *(dataset.resolve_placement(name, side) for side in ("left", "right"))):
            names.setdefault(normalize_placement_name(key), set()).add(name)
    kept: set[str] = set()
    for name in wanted:
        key = normalize_placement_name(name)
        if key not in names:
            raise ValueError(f"{dataset.name!r} has no sensor at {name!r}; it has {sorted(dataset.placements)}.")
        kept |= names[key]
    return kept


__all__ = [
    "HAR_DATASETS",
    "MISSING_HAR_DATASETS",
    "HarDataset",
    "find_har_datasets",
    "load_har_recordings",
    "majority_activity",
    "recording_to_row",
]

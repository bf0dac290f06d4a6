# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""`write_shards`: motion files become Parquet on any storage that fsspec knows, a recording at a time, resumable."""

import hashlib
import json
import os
import shutil
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import torch

from anymo_hf.simulation.conversion import (
    SIMULATION_VERSION,
    ConversionReport,
    _convert_one,
    _write_report,
    find_motions,
    is_converted,
    read_header,
    run_all,
)
from anymo_hf.simulation.readers.load import SUPPORTED_SUFFIXES, why_no_motion


# Seconds of motion in a file: half a gigabyte of dense readings, a quarter of kinematics.
SHARD_SECONDS = {"dense": 120, "kinematics": 3600}
# What some readers look for beside a motion.
_COMPANIONS = ("labels.jsonl", ".asf")


def write_shards(
    paths: str | Path | Iterable[str | Path],
    folder: str,
    config_name: str = "dense",
    num_proc: int = 1,
    sampling_rate: float = 60.0,
    cutoff: float | None = None,
    joint_map: str | Path | dict[str, str] | None = None,
    command: str = "",
    run: Callable[..., Iterator[tuple[tuple, object]]] | None = None,
    **config,
) -> ConversionReport:
    """
    What `write_dataset` writes, for storage that several machines share: every recording has files of its own.

    The folder holds `converted/`, `data/*.parquet`, `receipts/` and `README.md`. A file is named by the content of its
    motion file and by all settings, appears when it is whole, and is always the same: whoever is killed, and whatever
    is done twice, no row is lost and none is there twice. A receipt says that all files of a recording are there;
    what has one is skipped. Rows of other settings or of other motion are removed in the end.

    Args:
        paths (`str`, `Path` or an iterable of them):
            Motion files or folders of them: paths, or URLs such as `"s3://bucket/motions"`.
        folder (`str`):
            Where the data set goes, a path or a URL such as `"memory://out"` or `"hf://datasets/me/imu"`. On storage
            without folders and renaming a file must appear when its upload is complete, as on S3, GCS, Azure and the
            Hub, where every file is a commit of its own.
        config_name (`str`, *optional*, defaults to `"dense"`):
            `"dense"` or `"kinematics"`, as in `SimulatedIMU`.
        num_proc (`int`, *optional*, defaults to 1):
            Processes of this machine.
        sampling_rate (`float`, *optional*, defaults to 60.0):
            As in `convert_motions`.
        cutoff (`float`, *optional*, defaults to `None`):
            As in `convert_motions`.
        joint_map (`str`, `Path` or `dict`, *optional*, defaults to `None`):
            As in `convert_motions`.
        command (`str`, *optional*, defaults to `""`):
            The command line, for the card.
        run (`Callable`, *optional*, defaults to `None`):
            Takes a function, a list of tuples of its arguments and a word for what is done, and gives pairs of
            arguments and result in any order. `None` is `num_proc` processes; see `run_on_ray`.
        config:
            Fields of `SimulatedIMUConfig`.

    Returns:
        `ConversionReport`: What was written and what failed.

    Raises:
        ValueError: If no motion could be converted, or a setting is unknown.
        OSError: If the folder cannot be written to.
    """
    from anymo_hf.simulation.readers.skeletons import read_joint_map
    from anymo_hf.simulation.simulated_imu import SimulatedIMUConfig

    settings = SimulatedIMUConfig(config_name, **config)  # a typing error should not cost a conversion
    began = time.perf_counter()
    run = run or (lambda function, tasks, what: run_all(function, tasks, num_proc, what))
    conversion = {"sampling_rate": float(sampling_rate), "cutoff": cutoff, "joint_map": read_joint_map(joint_map)}
    key = _settings_key(settings, conversion)
    sources, set_aside = find_sources(paths)
    originals, duplicates, failures = _find_originals(sources, run)
    receipts = _read_receipts(folder, key)
    num_skipped = len(receipts.keys() & originals.keys())
    tasks = [
        (source, folder, digest, key, config_name, conversion, config)
        for digest, source in originals.items()
        if digest not in receipts
    ]
    for (source, _, digest, *_), result in run(write_recording, tasks, "Simulating"):
        if isinstance(result, OSError):
            raise OSError(
                result.errno, f"{result} while writing to {folder}; what is written stays, run again to go on"
            )
        kind, content = result if isinstance(result, tuple) else ("failure", result)
        if kind == "receipt":
            receipts[digest] = content
        else:
            (set_aside if kind == "no motion" else failures)[source] = content
    receipts = {digest: receipts[digest] for digest in originals if digest in receipts}
    report = _make_report(originals, receipts, duplicates, failures, set_aside, sampling_rate)
    report.num_skipped, report.seconds = num_skipped, time.perf_counter() - began
    if not receipts:
        raise ValueError(f"None of the motions could be converted:\n{report}")
    _finish(folder, report, receipts, config_name, config, sampling_rate, command)
    return report


def open_folder(url: str) -> tuple:
    """The file system of a path or URL, and what it calls the place; tells fsspec's own errors in a sentence."""
    from fsspec.core import url_to_fs

    try:
        return url_to_fs(str(url))
    except (ImportError, ValueError) as error:
        raise ValueError(
            f"{url} is on storage that fsspec cannot open ({error}); install its driver or choose another."
        ) from error


def find_sources(paths: str | Path | Iterable[str | Path]) -> tuple[list[str], dict[str, str]]:
    """
    Motion files among paths and URLs and below their folders.

    Returns:
        `tuple[list[str], dict[str, str]]`: Absolute paths and URLs, sorted, and local files that are no motion, with
        what they are. Files elsewhere are judged when they are read.

    Raises:
        ValueError: If there is none.
    """
    found, local = set(), []
    for path in [paths] if isinstance(paths, (str, Path)) else paths:
        fs, place = open_folder(path)
        if _is_local(fs):
            local.append(Path(place))
            continue
        files = [place] if fs.isfile(place) else fs.find(place)
        motions = {fs.unstrip_protocol(file) for file in files if Path(file).suffix.lower() in SUPPORTED_SUFFIXES}
        if not motions:
            raise ValueError(f"No motion file ({', '.join(sorted(SUPPORTED_SUFFIXES))}) was found at {path}.")
        found |= motions
    motions, set_aside = find_motions(local) if local else ([], {})
    return sorted(found | {str(path) for path in motions}), {str(path): why for path, why in set_aside.items()}


def digest_file(source: str) -> str | OSError:
    """SHA-256 of a file's content."""
    fs, place = open_folder(source)
    try:
        with fs.open(place, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return error


def write_recording(
    source: str, folder: str, digest: str, key: str, config_name: str, conversion: dict, config: dict
) -> tuple[str, object] | str | OSError:
    """
    Converts and simulates one motion file.

    Args:
        source (`str`):
            Path or URL of the motion file.
        folder (`str`):
            Path or URL of the data set.
        digest (`str`):
            SHA-256 of the file.
        key (`str`):
            Of all settings.
        config_name (`str`):
            `"dense"` or `"kinematics"`.
        conversion (`dict`):
            Settings of `convert_motions`.
        config (`dict`):
            Fields of `SimulatedIMUConfig`.

    Returns:
        `("receipt", dict)`; `("no motion", str)`, what the file is instead; `str`, why the recording failed; or
        `OSError`, why nothing can be written.
    """
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory(prefix="anymo-") as scratch:
            return _write_recording(source, folder, digest, key, config_name, conversion, config, Path(scratch))
    except OSError as error:
        return error
    except Exception as error:  # whatever one recording causes, the others go on
        return str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"


def _write_recording(source, folder, digest, key, config_name, conversion, config, scratch: Path):
    converted = scratch / "converted" / f"{digest[:16]}.safetensors"
    converted.parent.mkdir()
    fs, place = open_folder(folder)
    stored = f"{place}/converted/{converted.name}"
    if fs.exists(stored):
        fs.get_file(stored, str(converted))
    if not is_converted(converted, conversion):
        try:
            local = _fetch(source, scratch)
        except OSError as error:
            return f"cannot be read: {error}"
        if (why := why_no_motion(local)) is not None and not _is_local(open_folder(source)[0]):
            return "no motion", why
        problem = _convert_one(local, converted, conversion)
        if problem is not None:
            return problem
        put_whole(fs, converted, stored)
    names, num_rows = _write_rows(fs, f"{place}/data", key, converted, config_name, config, scratch)
    header = read_header(converted)
    receipt = {
        "files": names,
        "num_rows": num_rows,
        "num_frames": header["num_frames"],
        "num_bytes": converted.stat().st_size,
        "dataset": header["source"].get("dataset", "unknown"),
        "license": header["source"].get("license", "not stated"),
    }
    unfinished = scratch / "receipt.json"
    unfinished.write_text(json.dumps(receipt, sort_keys=True), encoding="utf-8")
    put_whole(fs, unfinished, f"{place}/receipts/{digest}-{key}.json")
    return "receipt", receipt


def _write_rows(fs, place: str, key: str, converted: Path, config_name: str, config: dict, scratch: Path):
    """The rows of a recording, a file at a time; returns the files' names and the number of rows."""
    from datasets.arrow_writer import ParquetWriter

    from anymo_hf.simulation.simulated_imu import DENSE_ROW_SECONDS, KINEMATICS_ROW_SECONDS, SimulatedIMU

    builder = SimulatedIMU(config_name, data_dir=converted.parent, cache_dir=str(scratch / "cache"), **config)
    rows = (row for _, row in builder._generate_examples([str(converted)]))
    row_seconds = {"dense": DENSE_ROW_SECONDS, "kinematics": KINEMATICS_ROW_SECONDS}[config_name]
    rows_per_shard = round(SHARD_SECONDS[config_name] / row_seconds)
    features, names, num_rows = builder.info.features, [], 0
    while part := next(rows, None):
        shard = scratch / f"{converted.stem}-{key}-{len(names):05d}.parquet"
        writer = ParquetWriter(features=features, path=str(shard), writer_batch_size=builder.DEFAULT_WRITER_BATCH_SIZE)
        writer.write(features.encode_example(part))
        for row in islice(rows, rows_per_shard - 1):
            writer.write(features.encode_example(row))
        num_rows += writer.finalize()[0]
        put_whole(fs, shard, f"{place}/{shard.name}")
        names.append(shard.name)
        shard.unlink()
    return names, num_rows


def put_whole(fs, local: Path, place: str) -> None:
    """
    Stores a file under its name when it is whole, in place of an older one.

    On a disk by renaming; elsewhere by one upload, for such storage shows what is complete only.
    """
    fs.makedirs(place.rsplit("/", 1)[0], exist_ok=True)
    if not _is_local(fs):
        fs.put_file(str(local), place)
        return
    # Two workers may write the same file at the same time, each under a name of its own.
    unfinished = f"{place}.{uuid.uuid4().hex}.unfinished"
    try:
        shutil.copyfile(local, unfinished)
        os.replace(unfinished, place)
    finally:
        Path(unfinished).unlink(missing_ok=True)


def _fetch(source: str, scratch: Path) -> Path:
    """A local copy of a motion file in a folder of the same name, with what readers look for beside it."""
    fs, place = open_folder(source)
    if _is_local(fs):
        return Path(place)
    parent = place.rsplit("/", 1)[0]
    folder = scratch / "source" / Path(parent).name
    folder.mkdir(parents=True)
    beside = [file for file in fs.ls(parent, detail=False) if file.lower().endswith(_COMPANIONS)]
    for file in {place, *beside}:
        fs.get_file(file, str(folder / Path(file).name))
    return folder / Path(place).name


def _is_local(fs) -> bool:
    from fsspec.implementations.local import LocalFileSystem

    return isinstance(fs, LocalFileSystem)


def _settings_key(settings, conversion: dict) -> str:
    """Eight digits that other settings, or another version of the simulation, change."""
    everything = [SIMULATION_VERSION, SHARD_SECONDS, conversion, asdict(settings)]
    return hashlib.sha256(json.dumps(everything, sort_keys=True, default=str).encode()).hexdigest()[:8]


def _find_originals(sources: list[str], run: Callable) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Digest -> first source that has it, copy -> that source, unreadable source -> reason."""
    digests, failures = {}, {}
    for (source,), result in run(digest_file, [(source,) for source in sources], "Reading"):
        if isinstance(result, str) and len(result) == 64:
            digests[source] = result
        else:
            failures[source] = f"cannot be read: {result}"
    originals, duplicates = {}, {}
    for source in sorted(digests):
        original = originals.setdefault(digests[source], source)
        if original != source:
            duplicates[source] = original
    return originals, duplicates, failures


def _read_receipts(folder: str, key: str) -> dict[str, dict]:
    """Digest -> receipt, of the recordings whose files are all there."""
    fs, place = open_folder(folder)
    fs.invalidate_cache()
    there = {file.rsplit("/", 1)[-1] for file in fs.glob(f"{place}/data/*.parquet")}
    receipts = {}
    for file in fs.glob(f"{place}/receipts/*-{key}.json"):
        receipt = json.loads(fs.cat_file(file))
        if there.issuperset(receipt["files"]):
            receipts[file.rsplit("/", 1)[-1].split("-")[0]] = receipt
    return receipts


def _make_report(originals, receipts, duplicates, failures, set_aside, sampling_rate) -> ConversionReport:
    return ConversionReport(
        files={originals[digest]: f"{digest[:16]}.safetensors" for digest in receipts},
        failures=dict(sorted(failures.items())),
        duplicates=dict(sorted(duplicates.items())),
        set_aside=dict(sorted(set_aside.items())),
        num_skipped=0,
        minutes=sum(receipt["num_frames"] for receipt in receipts.values()) / sampling_rate / 60,
        num_bytes=sum(receipt["num_bytes"] for receipt in receipts.values()),
        seconds=0.0,
    )


def _finish(folder: str, report, receipts: dict, config_name: str, config: dict, sampling_rate: float, command: str):
    """Removes rows that do not belong to this data set, then writes the report and the card."""
    from anymo_hf.simulation.dataset_folder import make_card
    from anymo_hf.simulation.simulated_imu import SimulatedIMU

    fs, place = open_folder(folder)
    fs.invalidate_cache()
    wanted = {name for receipt in receipts.values() for name in receipt["files"]}
    for file in [*fs.glob(f"{place}/data/*.parquet"), *fs.glob(f"{place}/*/*.unfinished")]:
        if file.rsplit("/", 1)[-1] not in wanted:
            fs.rm_file(file)
    sources = Counter((receipt["dataset"], receipt["license"]) for receipt in receipts.values())
    num_rows = sum(receipt["num_rows"] for receipt in receipts.values())
    with tempfile.TemporaryDirectory(prefix="anymo-") as scratch:
        scratch = Path(scratch)
        (scratch / "a.safetensors").touch()  # the builder wants a motion; none is read
        builder = SimulatedIMU(config_name, data_dir=scratch, cache_dir=str(scratch), **config)
        card = make_card(builder, num_rows, report.minutes, sampling_rate, sources, command)
        (scratch / "README.md").write_text(card, encoding="utf-8")
        _write_report(report, scratch)
        put_whole(fs, scratch / "README.md", f"{place}/README.md")
        put_whole(fs, scratch / "report.jsonl", f"{place}/converted/report.jsonl")


__all__ = ["write_shards"]

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""`SimulatedIMU`: a `datasets` builder over converted motions, as kinematics or as dense readings."""

import functools
import hashlib
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import datasets
import numpy as np
import torch

from anymo_hf.processing.placements_anymo import NUM_SEGMENTS, SEGMENTS
from anymo_hf.simulation.body import BodySurface
from anymo_hf.simulation.conversion import SIMULATION_VERSION, load_kinematics
from anymo_hf.simulation.errors import SensorErrors
from anymo_hf.simulation.imu import simulate_imu
from anymo_hf.simulation.kinematics import NUM_KINEMATIC_VALUES, SegmentKinematics
from anymo_hf.simulation.motion import clip_texts
from anymo_hf.simulation.placements import Placements, find_placement


KINEMATICS_ROW_SECONDS = 60.0
DENSE_ROW_SECONDS = 10.0
_MAIN_PROCESS = os.getpid()


@dataclass
class SimulatedIMUConfig(datasets.BuilderConfig):
    """
    What the rows of `SimulatedIMU` hold.

    Args:
        placements (`tuple[str, ...]`, *optional*, defaults to `()`):
            Names of placements for `"dense"`. Empty means everywhere: `num_placements` over the whole body.
        num_placements (`int`, *optional*, defaults to 2374):
            How many sensors are spread over the body's surface when no names are given.
        errors (`str`, *optional*, defaults to `"ideal"`):
            Preset of `SensorErrors`.
        mounting (`bool`, *optional*, defaults to `False`):
            Whether sensors are turned at random (`Placements.mount`).
        gravity (`bool`, *optional*, defaults to `True`):
            Whether the specific force contains gravity.
        seed (`int`, *optional*, defaults to 0):
            Of placements, mounting and errors, together with each recording's id. All rows of a recording come from
            the same devices: bias, gains and their wandering go on from row to row, noise comes anew.
        fingerprint (`str`):
            Set by the builder: the hash of the folder's files and of the simulation's version.
    """

    placements: tuple[str, ...] = ()
    num_placements: int = 2374
    errors: str = "ideal"
    mounting: bool = False
    gravity: bool = True
    seed: int = 0
    fingerprint: str = ""

    def __post_init__(self):
        super().__post_init__()
        self.check()

    def check(self) -> None:
        """Raises a `ValueError` for what no row could be made of."""
        self.placements = tuple(self.placements)
        for name in self.placements:
            find_placement(name)  # an unknown name should be told now, not by a worker
        SensorErrors.preset(self.errors)
        if self.num_placements < NUM_SEGMENTS:
            raise ValueError(
                f"`num_placements` must be at least {NUM_SEGMENTS}, one a segment, but is {self.num_placements}; name "
                "the placements to have fewer."
            )


class SimulatedIMU(datasets.GeneratorBasedBuilder):
    """
    Rows of at most 60 s of kinematics (`"kinematics"`) or 10 s of sensor readings (`"dense"`).

    Reads the folder that `convert_motions` wrote and nothing else. `datasets` remembers rows by neither the content of
    the folder nor the code, hence the configuration's fingerprint: another file or another version of the simulation
    gives new rows.

    Args:
        config_name (`str`, *optional*, defaults to `"kinematics"`):
            `"kinematics"` or `"dense"`.
        data_dir (`str`):
            The folder of converted motions.
        kwargs:
            Fields of `SimulatedIMUConfig`, `cache_dir` and the rest of `datasets.DatasetBuilder`.

    Example:
    ```python no-run
    convert_motions("motions", "converted", num_proc=2)
    builder = SimulatedIMU("dense", data_dir="converted", placements=("left wrist", "right trouser pocket"))
    builder.download_and_prepare(num_proc=2)
    rows = builder.as_dataset(split="train")
    ```
    """

    VERSION = datasets.Version(SIMULATION_VERSION)
    BUILDER_CONFIG_CLASS = SimulatedIMUConfig
    BUILDER_CONFIGS = [
        SimulatedIMUConfig(name="kinematics", version=VERSION, description="Twelve numbers per segment and frame."),
        SimulatedIMUConfig(name="dense", version=VERSION, description="Readings of many sensors on the body."),
    ]
    DEFAULT_CONFIG_NAME = "kinematics"
    # Rows are megabytes; the writer holds this many.
    DEFAULT_WRITER_BATCH_SIZE = 4

    def __init__(self, config_name: str | None = None, *, data_dir: str | Path, **kwargs):
        self._files = sorted(Path(data_dir).glob("*.safetensors"))
        if not self._files:
            raise ValueError(f"{data_dir} holds no converted motion; write it with `convert_motions`.")
        kwargs["fingerprint"] = _fingerprint(self._files)
        super().__init__(config_name=config_name, data_dir=str(data_dir), **kwargs)
        self.config.check()  # `datasets` has set the fields one by one

    def _info(self) -> datasets.DatasetInfo:
        value = datasets.Value
        features = {
            "recording_id": value("string"),
            "dataset": value("string"),
            "name": value("string"),
            "subject": value("string"),
            "license": value("string"),
            "sampling_rate": value("float32"),
            "start_time": value("float64"),
            "bone_offsets": datasets.Array2D((NUM_SEGMENTS, 3), "float32"),
            "texts": datasets.List(
                {"start": value("float64"), "end": value("float64"), "text": value("string"), "kind": value("string")}
            ),
        }
        if self.config.name == "kinematics":
            features["kinematics"] = datasets.Array3D((None, NUM_SEGMENTS, NUM_KINEMATIC_VALUES), "float32")
            features["mask"] = datasets.Array2D((None, NUM_SEGMENTS), "bool")
        else:
            count = len(self.config.placements) or self.config.num_placements
            features["imu"] = datasets.Array3D((None, count, 6), "float32")
            features["placements"] = datasets.List(
                {
                    "name": value("string"),
                    "segment": value("string"),
                    "offset": datasets.List(value("float32"), length=3),
                    "orientation": datasets.List(value("float32"), length=4),
                }
            )
        return datasets.DatasetInfo(
            description="Inertial sensors simulated on the body of recorded people, by anymo-hf.",
            features=datasets.Features(features),
            version=self.VERSION,
        )

    def _split_generators(self, dl_manager) -> list[datasets.SplitGenerator]:
        files = [str(path) for path in self._files]
        return [datasets.SplitGenerator(datasets.Split.TRAIN, gen_kwargs={"files": files})]

    def _generate_examples(self, files: list[str]) -> Iterator[tuple[datasets.builder.Key, dict]]:
        if os.getpid() != _MAIN_PROCESS:
            # `datasets` forks its workers, and torch's threads do not survive a fork: a second one would wait forever.
            torch.set_num_threads(1)
        for shard, file in enumerate(files):
            recording_id = Path(file).stem
            for index, row in enumerate(_rows(recording_id, load_kinematics(file), self.config)):
                yield datasets.builder.Key(shard, index), row


def _fingerprint(files: list[Path]) -> str:
    names = "".join(file.name for file in files)
    return hashlib.sha256(f"{SIMULATION_VERSION}{names}".encode()).hexdigest()[:16]


def _rows(recording_id: str, kinematics: SegmentKinematics, config: SimulatedIMUConfig) -> Iterator[dict]:
    """Stretches of a recording, in the order of time."""
    offsets = kinematics.bone_offsets
    common = {
        "recording_id": recording_id,
        **{key: kinematics.source.get(key, "") for key in ("dataset", "name", "subject", "license")},
        "sampling_rate": kinematics.sampling_rate,
        "bone_offsets": None if offsets is None else offsets.astype(np.float32),
    }
    dense = config.name == "dense"
    if dense:
        placements = _make_placements(config, recording_id, offsets)
        described = _describe(placements)
        generator = _generator(config.seed, recording_id, "devices")
        devices = SensorErrors.preset(config.errors).draw(len(placements), generator=generator)
    seconds = DENSE_ROW_SECONDS if dense else KINEMATICS_ROW_SECONDS
    num_frames = max(1, round(seconds * kinematics.sampling_rate))
    for start in range(0, kinematics.num_frames, num_frames):
        part = _slice(kinematics, start, start + num_frames)
        row = common | {"start_time": part.start_time, "texts": [asdict(text) for text in part.texts]}
        if dense:
            imu = simulate_imu(part, placements, gravity=config.gravity)
            if config.errors != "ideal":
                generator = _generator(config.seed, recording_id, "noise", str(start))
                imu = devices.apply(imu, part.sampling_rate, generator, start_time=start / part.sampling_rate)
            yield row | {"imu": imu.numpy(), "placements": described}
        else:
            yield row | {"kinematics": part.values.numpy(), "mask": part.mask.numpy()}


def _slice(kinematics: SegmentKinematics, start: int, stop: int) -> SegmentKinematics:
    values, mask = kinematics.values[start:stop], kinematics.mask[start:stop]
    begin = kinematics.start_time + start / kinematics.sampling_rate
    end = begin + len(values) / kinematics.sampling_rate
    texts = clip_texts(kinematics.texts, begin, end)
    return SegmentKinematics(
        values, mask, kinematics.sampling_rate, begin, texts, kinematics.source, kinematics.bone_offsets
    )


def _generator(seed: int, *words: str) -> torch.Generator:
    """Randomness that depends on the recording alone, not on the worker that happens to read it."""
    digest = hashlib.sha256("/".join([str(seed), *words]).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little", signed=True))


@functools.lru_cache(maxsize=16)
def _scaled_body(bone_offsets: bytes | None) -> BodySurface:
    """The body of a subject; many recordings share one."""
    offsets = None if bone_offsets is None else np.frombuffer(bone_offsets).reshape(NUM_SEGMENTS, 3)
    return BodySurface.default(bone_offsets=offsets)


def _make_placements(config: SimulatedIMUConfig, recording_id: str, bone_offsets: np.ndarray | None) -> Placements:
    body = _scaled_body(None if bone_offsets is None else np.asarray(bone_offsets, np.float64).tobytes())
    generator = _generator(config.seed, recording_id, "placements")
    if config.placements:
        placements = Placements.from_names(config.placements, body)
    else:
        placements = body.sample_total(config.num_placements, generator)
    return placements.mount(generator) if config.mounting else placements


def _describe(placements: Placements) -> list[dict]:
    names = placements.names or ("",) * len(placements)
    columns = (placements.segment.tolist(), placements.offset.tolist(), placements.orientation.tolist())
    return [
        {"name": name, "segment": SEGMENTS[segment], "offset": offset, "orientation": orientation}
        for name, segment, offset, orientation in zip(names, *columns, strict=True)
    ]

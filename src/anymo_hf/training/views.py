# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""`PairedViewDataset`: two views of a stretch of motion, each with sensors of its own, for pre-training."""

import copy
import functools
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import TrainerCallback

from anymo_hf.processing.placements_anymo import NUM_SEGMENTS
from anymo_hf.processing.resampling_anymo import resample
from anymo_hf.simulation.anthropometry import draw_shape
from anymo_hf.simulation.body import BodySurface
from anymo_hf.simulation.conversion import read_header
from anymo_hf.simulation.errors import SensorErrors
from anymo_hf.simulation.imu import simulate_imu
from anymo_hf.simulation.kinematics import ANGULAR_RATE, SPECIFIC_FORCE, SegmentKinematics
from anymo_hf.simulation.placements import Placements
from anymo_hf.simulation.soft_tissue import SoftTissue


# Per body and segment: enough that no two epochs meet the same sensors, few enough for the memory of many bodies.
PLACEMENTS_PER_SEGMENT = 128
MAX_BODIES = 2048
NUM_SHAPES = 32
MAX_VISIBLE_SEGMENTS = 5
# Shares of the views that predict; the views that are predicted are whole.
ALL_VISIBLE_SHARE = 0.1
NO_GYROSCOPE_SHARE = 0.2
NO_GRAVITY_SHARE = 0.1
LOW_RATE_SHARE = 0.4
CALIBRATED_SHARE = 0.4  # of these views
TRUSTED_SHARE = 0.2  # mounted anyhow, and taken as they are all the same
SOFT_TISSUE_SHARE = 0.5  # of all views
NOISY_SHARE = 0.4  # of devices worse than any preset: their noise hides who sways from who rests
LOW_RATES = (20.0, 25.0, 30.0, 40.0, 50.0)  # Hz, of devices that sample less often than the model does
NOISE_EXPONENTS = (-2.0, -0.6), (-3.0, -1.0)  # of ten: 0.01 to 0.25 m/s^2 and 0.001 to 0.1 rad/s
DEVICES = ("phone", "watch", "aria_gen1", "xsens", "lab")
LONGEST_WINDOW_SHARE = 0.5
OPERATOR_FRAMES = 300


@dataclass(frozen=True)
class Clip:
    """A converted motion: windows are drawn from it."""

    path: Path
    num_frames: int
    recording_id: int
    group: str  # whose motion it is: held out together


def index_of_item(index: int, length: int) -> int:
    """Counted from the front; an `IndexError`, with which iterating ends, if there is no such item."""
    if not -length <= index < length:
        raise IndexError(f"Item {index} was asked for, but there are {length}.")
    return index % length


class PairedViewDataset(Dataset):
    """
    Windows of motion, each seen by two independent draws of placements, mountings and devices.

    View one is what a user may have: of its 23 sensors one to five are visible, some without gyroscope, without
    gravity, of a slow device, with drop-outs; some are calibrated, others mounted anyhow. View two is whole and
    calibrated. Every item comes from `default_rng([seed, epoch, index])` alone, so that processes and
    restarts change nothing; `set_epoch` is seen by worker processes that are running already.

    Every clip gives a window per `num_frames` frames or part of them; none is dropped. An item's window lies anywhere
    near that stretch and lasts one to five seconds, half of them the longest.

    Args:
        folder (`str`, `Path` or a sequence of them):
            Written by `convert_motions` or `synthesise_motions`, at 60 Hz.
        seed (`int`, *optional*, defaults to 0):
            Of everything that is drawn.
        num_frames (`int`, *optional*, defaults to 300):
            Length of an item; shorter windows are padded.
        min_frames (`int`, *optional*, defaults to 60):
            The shortest window that is drawn. Clips that are shorter are taken whole.
        surface (`bool`, *optional*, defaults to `True`):
            Whether sensors lie anywhere on the skin. `False` puts all at the origin of their segment: an ablation.
        rotation (`bool`, *optional*, defaults to `True`):
            Whether sensors are mounted at random (`Placements.mount`). `False` is an ablation.
        cross_view (`bool`, *optional*, defaults to `True`):
            Whether the views have sensors of their own. `False` gives both the same: an ablation.
        masking (`bool`, *optional*, defaults to `True`):
            Whether few sensors are visible. `False` shows all: an ablation.
        return_kinematics (`bool`, *optional*, defaults to `False`):
            Whether items hold what the segments themselves feel, and what ideal sensors on them would.

    Raises:
        ValueError: If a folder holds no converted motion, or motion at another rate.
    """

    def __init__(
        self,
        folder: str | Path | Sequence[str | Path],
        seed: int = 0,
        num_frames: int = 300,
        min_frames: int = 60,
        surface: bool = True,
        rotation: bool = True,
        cross_view: bool = True,
        masking: bool = True,
        return_kinematics: bool = False,
    ):
        folders = [folder] if isinstance(folder, (str, Path)) else list(folder)
        self.seed = seed
        self.num_frames = num_frames
        self.min_frames = min_frames
        self.surface, self.rotation, self.cross_view, self.masking = surface, rotation, cross_view, masking
        self.return_kinematics = return_kinematics
        self._set_clips([clip for one in folders for clip in _find_clips(Path(one))])

    def _set_clips(self, clips: list[Clip]) -> None:
        self.clips = clips
        self._last_index = np.cumsum([math.ceil(clip.num_frames / self.num_frames) for clip in clips])
        # Shared memory: workers that live on from epoch to epoch must see the number change.
        self._epoch = torch.zeros(1, dtype=torch.int64).share_memory_()

    def split(self, held_out_share: float) -> tuple["PairedViewDataset", "PairedViewDataset"]:
        """
        What to train on, and what to hold out: whole subjects, or recordings where no subject is named.

        Args:
            held_out_share (`float`):
                About this share of the subjects. Who they are depends on their names alone.

        Returns:
            `tuple[PairedViewDataset, PairedViewDataset]`: The rest, and those held out.

        Raises:
            ValueError: If either would be empty.
        """
        held_out = [_uniform_hash(clip.group) < held_out_share for clip in self.clips]
        if not any(held_out) or all(held_out):
            raise ValueError(
                f"`held_out_share` = {held_out_share:g} of {len({clip.group for clip in self.clips})} subjects leaves "
                "one side empty; choose another share or add motion."
            )
        parts = []
        for side in (False, True):
            part = copy.copy(self)
            part._set_clips([clip for clip, out in zip(self.clips, held_out, strict=True) if out == side])
            parts.append(part)
        return parts[0], parts[1]

    @property
    def minutes(self) -> float:
        """Motion that the windows cover; every clip is among it."""
        return sum(clip.num_frames for clip in self.clips) / 60.0 / 60.0

    @property
    def epoch(self) -> int:
        """The epoch that items are drawn for."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Other sensors and windows for the same indices, in this process and in its workers."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return int(self._last_index[-1])

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """
        Two views of a window.

        Returns:
            `dict`: `input_values` of shape `(2, num_frames, 23, 6)` in m/s^2 and rad/s, `input_values_mask` of that
            shape, `visible_segments` and `orientation_known` of shape `(2, 23)`, `recording_id` (int64) and
            `start_time` (float64, seconds).
            With `return_kinematics` also `segment_values` of shape `(num_frames, 23, 6)`, specific force of every
            segment's origin (m/s^2) and angular rate (rad/s) in the segment's frame; `ideal_values` of that shape,
            what view one's sensors would read without errors, rate limits or missing parts, in their own frames; and
            `segment_mask` of shape `(num_frames, 23)`, which holds for both.
        """
        index = index_of_item(index, len(self))
        rng = np.random.default_rng([self.seed, self.epoch, index])
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        number, slot = self._find_slot(index)
        clip = self.clips[number]
        start, length = self._draw_window(clip, slot, rng)
        kinematics = read_window(clip.path, start, length)

        views, orientation_known = self._draw_placements(kinematics, rng, generator)
        readings = self._ideal_readings(kinematics, views[0]) if self.return_kinematics else {}
        online, target = (
            measure_view(kinematics, placements, rng, generator, as_worn)
            for placements, as_worn in zip(views, (True, False), strict=True)
        )
        values = torch.zeros(2, self.num_frames, NUM_SEGMENTS, 6)
        values[0, :length], values[1, :length] = online, target
        mask = torch.zeros(values.shape, dtype=torch.bool)
        mask[:, :length] = ~values[:, :length].isnan()
        return {
            "input_values": values.nan_to_num_(nan=0.0),
            "input_values_mask": mask,
            "visible_segments": torch.from_numpy(np.stack([self._draw_visible(rng) for _ in range(2)])),
            "orientation_known": orientation_known,
            "recording_id": torch.tensor(clip.recording_id),
            "start_time": torch.tensor(start / 60.0, dtype=torch.float64),
            **readings,
        }

    def _ideal_readings(self, kinematics: SegmentKinematics, placements: Placements) -> dict[str, torch.Tensor]:
        """What the segments themselves feel, and what perfect sensors on them would, padded."""
        length = kinematics.num_frames
        segments, sensors = torch.zeros(2, self.num_frames, NUM_SEGMENTS, 6)
        mask = torch.zeros(self.num_frames, NUM_SEGMENTS, dtype=torch.bool)
        mask[:length] = kinematics.mask
        segments[:length, :, :3] = kinematics.values[..., SPECIFIC_FORCE]
        segments[:length, :, 3:] = kinematics.values[..., ANGULAR_RATE]
        sensors[:length] = simulate_imu(kinematics, placements)
        absent = ~mask[..., None]
        return {
            "segment_values": segments.masked_fill_(absent, 0.0),
            "ideal_values": sensors.masked_fill_(absent, 0.0),
            "segment_mask": mask,
        }

    def _find_slot(self, index: int) -> tuple[int, int]:
        """Of an item: which clip or stretch it is of, and which of its windows."""
        number = int(np.searchsorted(self._last_index, index, side="right"))
        return number, index - (int(self._last_index[number - 1]) if number else 0)

    def _draw_window(self, clip: Clip, slot: int, rng: np.random.Generator) -> tuple[int, int]:
        """First frame and length of a window whose middle lies within its slot of the clip, or nearly so."""
        length = self.num_frames
        if rng.random() >= LONGEST_WINDOW_SHARE:
            length = int(rng.integers(self.min_frames, self.num_frames + 1))
        length = min(length, clip.num_frames)
        middle = (slot + rng.random()) * self.num_frames
        start = int(middle - length / 2)
        return min(max(start, 0), clip.num_frames - length), length

    def _draw_placements(
        self, kinematics: SegmentKinematics, rng, generator: torch.Generator
    ) -> tuple[list[Placements], torch.Tensor]:
        """A sensor on every segment, for either view, and whether their axes count as known, shape `(2, 23)`."""
        if self.surface:
            offsets, orientations = surface_placements(kinematics.bone_offsets.tobytes())
            chosen = rng.integers(PLACEMENTS_PER_SEGMENT, size=(2, NUM_SEGMENTS))
            segments = np.arange(NUM_SEGMENTS)
            offsets, orientations = offsets[segments, chosen], orientations[segments, chosen]
        else:
            offsets = torch.zeros(2, NUM_SEGMENTS, 3)
            orientations = torch.tensor([1.0, 0.0, 0.0, 0.0]).expand(2, NUM_SEGMENTS, 4)
        both = Placements(torch.arange(NUM_SEGMENTS).expand(2, -1), offsets, orientations)
        draw = rng.random()
        is_calibrated = torch.tensor([draw < CALIBRATED_SHARE, True])[:, None].expand(2, NUM_SEGMENTS)
        is_known = torch.tensor([draw < CALIBRATED_SHARE + TRUSTED_SHARE, True])[:, None].expand(2, NUM_SEGMENTS)
        if self.rotation:
            orientations = torch.where(
                is_calibrated[..., None], both.align(generator).orientation, both.mount(generator).orientation
            )
            both = Placements(both.segment, both.offset, orientations)
        views = [Placements(both.segment[view], both.offset[view], both.orientation[view]) for view in range(2)]
        return (views, is_known) if self.cross_view else (views[:1] * 2, is_known[:1].expand(2, -1))

    def _draw_visible(self, rng: np.random.Generator) -> np.ndarray:
        """Which sensors predict, shape `(23,)`."""
        visible = np.ones(NUM_SEGMENTS, dtype=bool)
        if self.masking and rng.random() >= ALL_VISIBLE_SHARE:
            visible[:] = False
            number = rng.integers(1, MAX_VISIBLE_SEGMENTS + 1)
            visible[rng.choice(NUM_SEGMENTS, size=number, replace=False)] = True
        return visible


class EpochCallback(TrainerCallback):
    """
    Tells the data set which epoch it is, in every process and also after a restart.

    `Trainer` does so by itself only where there is one process and no worker that lives on.

    Args:
        dataset (`PairedViewDataset`):
            Of this process.
    """

    def __init__(self, dataset: PairedViewDataset):
        self.dataset = dataset

    def on_epoch_begin(self, args, state, control, **kwargs):
        self.dataset.set_epoch(int(state.epoch + 1e-6))


def read_window(path: str | Path, start: int, length: int) -> SegmentKinematics:
    """
    A stretch of converted motion, without reading the rest.

    Args:
        path (`str` or `Path`):
            File that `save_kinematics` wrote.
        start (`int`):
            First frame.
        length (`int`):
            Number of frames.

    Returns:
        `SegmentKinematics`: Without texts.
    """
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        frames = slice(start, start + length)
        values, mask = file.get_slice("kinematics")[frames], file.get_slice("mask")[frames]
        has_offsets = "bone_offsets" in set(file.keys())
        offsets = file.get_tensor("bone_offsets").numpy() if has_offsets else BodySurface.default().bone_offsets
    return SegmentKinematics(values, mask, 60.0, start / 60.0, bone_offsets=offsets)


def _find_clips(folder: Path) -> list[Clip]:
    """The converted motions of a folder, in the order of their names."""
    clips = []
    for path in sorted(folder.glob("*.safetensors")):
        header = read_header(path)
        if header["sampling_rate"] != 60.0:
            rate = header["sampling_rate"]
            raise ValueError(f"{path} holds motion at {rate:g} Hz, but 60 Hz is needed; convert it again.")
        digest = hashlib.sha256(path.stem.encode()).digest()
        source = header["source"]
        group = f"{source.get('dataset')} {source.get('subject') or path.stem}"
        clips.append(Clip(path, header["num_frames"], int.from_bytes(digest[:8], "big") >> 1, group))
    if not clips:
        raise ValueError(f"There is no converted motion in {folder}; training_scripts/convert_motions.py makes it.")
    return clips


def _uniform_hash(name: str) -> float:
    """A number from 0 to 1 that depends on the name only."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


@functools.lru_cache(maxsize=MAX_BODIES)
def surface_placements(bone_offsets: bytes) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Sensors all over the skin of a body, the same for the same bones.

    Args:
        bone_offsets (`bytes`):
            Of an array of shape `(23, 3)`, float64, in metres: bytes can be remembered.

    Returns:
        `tuple[torch.Tensor, torch.Tensor]`: Offsets in metres, of shape `(23, 128, 3)`, and orientations, quaternions
        w x y z, of shape `(23, 128, 4)`.
    """
    seed = int.from_bytes(hashlib.sha256(bone_offsets).digest()[:8], "big") >> 2
    generator = torch.Generator().manual_seed(seed)
    bones = np.frombuffer(bone_offsets).reshape(NUM_SEGMENTS, 3)
    body = BodySurface.default(shape=_random_shape(seed % NUM_SHAPES), bone_offsets=bones)
    placements = body.sample(PLACEMENTS_PER_SEGMENT, generator)
    shape = (NUM_SEGMENTS, PLACEMENTS_PER_SEGMENT, -1)
    return placements.offset.view(shape), placements.orientation.view(shape)


@functools.lru_cache
def _random_shape(seed: int) -> np.ndarray:
    """How slim or stout a body is; drawing one takes longer than all else about it."""
    return draw_shape(torch.Generator().manual_seed(seed))


def measure_view(
    kinematics: SegmentKinematics, placements: Placements, rng: np.random.Generator, generator, as_worn: bool
) -> torch.Tensor:
    """
    What the sensors of one view read.

    Args:
        kinematics (`SegmentKinematics`):
            At 60 Hz.
        placements (`Placements`):
            One on each segment, mounted.
        rng (`np.random.Generator`):
            Of the device and what it lacks.
        generator (`torch.Generator`):
            Of its noise.
        as_worn (`bool`):
            Whether gyroscope or gravity may be missing, and the device be slow or noisy.

    Returns:
        `torch.Tensor` of shape `(num_frames, 23, 6)`: In m/s^2 and rad/s, NaN where there is no reading.
    """
    draws = rng.random(7)  # drawn for both kinds of view, so that neither changes the other
    gravity = not (as_worn and draws[0] < NO_GRAVITY_SHARE)
    errors = SensorErrors.preset(DEVICES[rng.integers(len(DEVICES))])
    rate = LOW_RATES[rng.integers(len(LOW_RATES))]
    soft_tissue = SoftTissue() if draws[3] < SOFT_TISSUE_SHARE else None
    imu = simulate_imu(kinematics, placements, errors, generator, gravity, soft_tissue)
    if as_worn and draws[1] < LOW_RATE_SHARE:
        imu = _as_sampled_at(rate, imu)
    if as_worn and draws[4] < NOISY_SHARE:
        low, high = np.array(NOISE_EXPONENTS).T
        scales = torch.from_numpy(10 ** (low + draws[5:] * (high - low))).float()
        imu += scales.repeat_interleave(3) * torch.randn(imu.shape, generator=generator)
    if as_worn and draws[2] < NO_GYROSCOPE_SHARE:
        imu[..., 3:] = torch.nan
    return imu


def _as_sampled_at(rate: float, imu: torch.Tensor) -> torch.Tensor:
    """What is left of readings at 60 Hz that a slower device took; gaps stay."""
    missing = imu.isnan()
    filled = imu.masked_fill(missing, 0.0).flatten(1)
    # One matrix serves windows of all lengths: what follows a window is taken to stay as it ended.
    num_frames = max(OPERATOR_FRAMES, len(filled))
    held = torch.cat([filled, filled[-1:].expand(num_frames - len(filled), -1)])
    slow = _slow_device(rate, num_frames)[: len(filled)] @ held
    return slow.view(imu.shape).masked_fill_(missing, torch.nan)


@functools.lru_cache
def _slow_device(rate: float, num_frames: int) -> torch.Tensor:
    """The linear map, shape `(num_frames, num_frames)`, that sampling at `rate` and back to 60 Hz amounts to."""
    num_samples = int((num_frames - 1) * rate / 60.0) + 1
    sampled, _ = resample(np.arange(num_frames) / 60.0, np.eye(num_frames), rate, 0.0, num_samples, source_rate=60.0)
    back, mask = resample(np.arange(num_samples) / rate, sampled, 60.0, 0.0, num_frames, source_rate=rate)
    # The few frames behind the slow device's last sample keep its value.
    last = int(mask[:, 0].sum()) - 1
    back[last + 1 :] = back[last]
    return torch.from_numpy(back)


__all__ = ["Clip", "EpochCallback", "PairedViewDataset", "measure_view", "read_window", "surface_placements"]

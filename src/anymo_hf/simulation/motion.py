# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""`SegmentMotion`: how the 23 segments of one person moved, the common form of every motion file."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Literal

import numpy as np

from anymo_hf.processing.placements_anymo import NUM_SEGMENTS, SEGMENTS


@dataclass(frozen=True)
class TextSpan:
    """
    Words about a stretch of a motion.

    Args:
        start (`float`):
            First second, on the motion's clock.
        end (`float`):
            Last second.
        text (`str`):
            The words.
        kind (`str`):
            `"caption"` (a sentence), `"label"` (an activity) or `"style"` (a manner).
    """

    start: float
    end: float
    text: str
    kind: Literal["caption", "label", "style"] = "caption"

    def __post_init__(self):
        if self.kind not in ("caption", "label", "style"):
            raise ValueError(f"`kind` must be 'caption', 'label' or 'style', but {self.kind!r} was given.")
        if not self.start <= self.end:
            raise ValueError(f"A text span must end after its start, but {self.start} to {self.end} s was given.")


@dataclass
class SegmentMotion:
    """
    Poses of the 23 segments over time.

    The world is right-handed with z up. A segment's frame equals the world's in the T-pose of a person who faces +x:
    x forward, y left, z up.

    Args:
        positions (`np.ndarray` of shape `(num_frames, 23, 3)`):
            Segment origins in the world, in metres.
        orientations (`np.ndarray` of shape `(num_frames, 23, 4)`):
            Unit quaternions w, x, y, z from segment to world.
        timestamps (`np.ndarray` of shape `(num_frames,)`):
            Seconds, strictly increasing.
        mask (`np.ndarray` of shape `(num_frames, 23)`, *optional*, defaults to `None`):
            True where the pose was measured; what stands elsewhere is ignored. `None` means everywhere.
        bone_offsets (`np.ndarray` of shape `(23, 3)`, *optional*, defaults to `None`):
            Parent origin to segment origin in the T-pose, in metres; scales the body surface to the subject.
        texts (`tuple[TextSpan, ...]`, *optional*, defaults to `()`):
            What is said about the motion, on the same clock.
        source (`dict[str, str]`, *optional*, defaults to `{}`):
            Where it comes from: dataset, name, subject, license, sha256.

    Raises:
        ValueError: If a shape is wrong, time does not increase, or a measured pose is not finite or no rotation.
    """

    positions: np.ndarray
    orientations: np.ndarray
    timestamps: np.ndarray
    mask: np.ndarray | None = None
    bone_offsets: np.ndarray | None = None
    texts: tuple[TextSpan, ...] = ()
    source: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        self.positions = np.asarray(self.positions, dtype=np.float64)
        self.orientations = np.asarray(self.orientations, dtype=np.float64)
        self.timestamps = np.asarray(self.timestamps, dtype=np.float64)
        self.texts = tuple(self.texts)
        num_frames = len(self.timestamps) if self.timestamps.ndim == 1 else -1
        expected = {"positions": (num_frames, NUM_SEGMENTS, 3), "orientations": (num_frames, NUM_SEGMENTS, 4)}
        if self.mask is not None:
            self.mask = np.asarray(self.mask, dtype=bool)
            expected["mask"] = (num_frames, NUM_SEGMENTS)
        if self.bone_offsets is not None:
            self.bone_offsets = np.asarray(self.bone_offsets, dtype=np.float64)
            expected["bone_offsets"] = (NUM_SEGMENTS, 3)
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ValueError(
                    f"`{name}` must have shape {shape} to agree with `timestamps` of shape "
                    f"{self.timestamps.shape}, but has {getattr(self, name).shape}."
                )
        self._check_values()

    def _check_values(self):
        if self.num_frames == 0:
            raise ValueError("A motion needs at least one frame, but `timestamps` is empty.")
        if not np.isfinite(self.timestamps).all() or (np.diff(self.timestamps) <= 0).any():
            raise ValueError("`timestamps` must be finite and strictly increasing; sort them and drop duplicates.")
        if self.bone_offsets is not None and not np.isfinite(self.bone_offsets).all():
            raise ValueError("`bone_offsets` must be finite; leave them out (None) if they are unknown.")
        measured = np.ones((self.num_frames, NUM_SEGMENTS), bool) if self.mask is None else self.mask
        norms = np.sqrt(np.einsum("tsc,tsc->ts", self.orientations, self.orientations))
        for name, bad in (
            ("a position that is not finite", ~np.isfinite(self.positions).all(-1)),
            ("a quaternion that is not finite", ~np.isfinite(norms)),
            ("a quaternion whose length is not 1", np.abs(norms - 1) > 0.01),
        ):
            frames, segments = np.nonzero(bad & measured)
            if len(frames):
                raise ValueError(
                    f"Frame {frames[0]} has {name} at {SEGMENTS[segments[0]]} ({len(frames)} such poses in all); "
                    "repair them or mark them False in `mask`."
                )
        self.orientations = self.orientations / np.where(measured, norms, 1.0)[..., None]

    @property
    def num_frames(self) -> int:
        return len(self.timestamps)

    @property
    def duration(self) -> float:
        """Seconds from the first to the last frame."""
        return float(self.timestamps[-1] - self.timestamps[0])

    @property
    def frame_rate(self) -> float:
        """Frames per second, from the median time step; NaN for a single frame."""
        return float(1 / np.median(np.diff(self.timestamps))) if self.num_frames > 1 else float("nan")

    def __getitem__(self, frames: slice) -> "SegmentMotion":
        """The same motion, at those frames only; texts are kept where they overlap."""
        if not isinstance(frames, slice):
            raise ValueError(f"A motion is indexed by a slice of frames, such as motion[100:200], not by {frames!r}.")
        timestamps = self.timestamps[frames]
        texts = clip_texts(self.texts, timestamps[0], timestamps[-1]) if len(timestamps) else ()
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        cut = {name: values[name][frames] for name in ("positions", "orientations", "timestamps")}
        mask = None if self.mask is None else self.mask[frames]
        return SegmentMotion(**(values | cut | {"mask": mask, "texts": texts}))


def clip_texts(texts: Iterable[TextSpan], start: float, end: float) -> tuple[TextSpan, ...]:
    """The spans that overlap `start` to `end` (seconds), cut to it."""
    return tuple(
        TextSpan(max(t.start, start), min(t.end, end), t.text, t.kind)
        for t in texts
        if t.start < end and t.end > start
    )

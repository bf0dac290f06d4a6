# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""XSens MVNX files (`.mvnx`): XML with the pose of 23 segments in every frame."""

import hashlib
from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

import numpy as np

from anymo_hf.processing.placements_anymo import SEGMENTS
from anymo_hf.simulation.motion import SegmentMotion
from anymo_hf.simulation.readers.joint_motion import parse_numbers
from anymo_hf.simulation.readers.nymeria import hold_quaternions, offsets_in_parents


_KINDS = {"position": 3, "orientation": 4}


def read_mvnx(path: str | Path) -> SegmentMotion:
    """
    Read an MVNX file. Unverified on an original file: written from the published layout.

    XSens has the same 23 segments and frames as we, and a world with z up. Props and other extra segments are left
    out. Time is the frame index over the frame rate, because the file rounds its own times to milliseconds.

    Args:
        path (`str` or `Path`):
            The file. It is read as a stream, so that its text need not fit into memory.

    Returns:
        `SegmentMotion`: Its frames of type `normal`, with the bone offsets of its identity pose or T-pose.

    Raises:
        ValueError: If it is no MVNX file, is damaged, or holds a document type (which could blow up in memory).
        FileNotFoundError: If there is no such file.
    """
    path = Path(path)
    try:
        _refuse_doctype(path)
        content = _Content(path.name)
        with open(path, "rb") as file:
            for event, element in ElementTree.iterparse(file, events=("start", "end")):
                content.take(event, element)
    except (ElementTree.ParseError, expat.ExpatError, LookupError) as error:
        raise ValueError(f"{path.name} is no complete XML file: {error}; export it again.") from error
    return content.motion(path)


class _Stop(Exception):
    """The root element has begun."""


def _refuse_doctype(path: Path) -> None:
    """Entities, which can grow a small file to any size, can only be declared in front of the root element."""

    def stop(*_: object) -> None:
        raise _Stop

    def refuse(*_: object) -> None:
        raise ValueError(f"{path.name} declares a document type, which no MVNX file does; it may be an attack.")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.StartDoctypeDeclHandler = stop, refuse
    with open(path, "rb") as file:
        try:
            parser.ParseFile(file)
        except _Stop:
            return


class _Content:
    """What has been read so far; each frame is kept as numbers and its XML dropped."""

    def __init__(self, file: str):
        self.file = file
        self.subject: dict[str, str] = {}
        self.labels: list[str] = []
        self.frames: list[np.ndarray] = []
        self.indices: list[str | None] = []
        self.poses: dict[str, np.ndarray] = {}
        self._columns: list[int] | None = None
        self._frames_element: ElementTree.Element | None = None

    def take(self, event: str, element: ElementTree.Element) -> None:
        """Handle one event of the parser."""
        tag = element.tag.rpartition("}")[2]
        if event == "start":
            if tag == "subject":
                if self.subject:
                    raise ValueError(f"{self.file} holds several subjects; export one file for each.")
                self.subject = {"label": ""} | dict(element.attrib)
            elif tag == "frames":
                self._frames_element = element
        elif tag == "segment":
            self.labels.append(element.get("label", ""))
        elif tag == "frame":
            self._take_frame(element)
            if self._frames_element is not None:
                self._frames_element.clear()

    def _take_frame(self, element: ElementTree.Element) -> None:
        kind = element.get("type", "normal")
        if kind not in ("normal", "identity", "tpose"):
            return
        where = f"{self.file}, {kind} frame {len(self.frames) + 1 if kind == 'normal' else ''}".rstrip()
        columns = self._segment_columns()
        values = []
        for child in element:
            name = child.tag.rpartition("}")[2]
            if name in _KINDS:
                numbers = parse_numbers(child.text or "", f"{where}, {name}")
                if len(numbers) != len(self.labels) * _KINDS[name]:
                    raise ValueError(
                        f"{where}: {name} has {len(numbers)} numbers for {len(self.labels)} segments; export it again."
                    )
                values.append((name, numbers.reshape(len(self.labels), -1)[columns]))
        found = dict(values)
        if found.keys() != _KINDS.keys():
            raise ValueError(f"{where} has no position or no orientation; tick both in the export of MVN.")
        pose = np.concatenate([found["position"], found["orientation"]], axis=1)
        if kind == "normal":
            self.frames.append(pose)
            self.indices.append(element.get("index"))
        else:
            self.poses[kind] = pose

    def _segment_columns(self) -> list[int]:
        """The place of each of our segments in the file's list."""
        if self._columns is None:
            names = [_our_name(label) for label in self.labels]
            missing = [segment for segment in SEGMENTS if segment.lower() not in names]
            if missing:
                raise ValueError(f"{self.file} lists the segments {self.labels}; nothing among them is {missing}.")
            self._columns = [names.index(segment.lower()) for segment in SEGMENTS]
        return self._columns

    def motion(self, path: Path) -> SegmentMotion:
        """All frames together."""
        if not self.subject or not self.frames:
            raise ValueError(f"{self.file} has no subject or no frame of type 'normal'; is it an MVNX file?")
        rate = parse_numbers(self.subject.get("frameRate", ""), f"{self.file}, frameRate")
        if len(rate) != 1 or rate[0] <= 0:
            raise ValueError(f"{self.file} has the frame rate {self.subject.get('frameRate')!r}; it must be positive.")
        frames = np.stack(self.frames)
        orientations = hold_quaternions(frames[..., 3:])
        reference = self.poses.get("identity", self.poses.get("tpose"))
        reference = frames if reference is None else reference[None]
        turns = hold_quaternions(reference[..., 3:])
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return SegmentMotion(
            frames[..., :3],
            orientations,
            self._frame_numbers() / rate[0],
            bone_offsets=offsets_in_parents(reference[..., :3], turns / np.linalg.norm(turns, axis=-1, keepdims=True)),
            source={"name": path.stem, "sha256": digest, "subject": self.subject["label"]},
        )

    def _frame_numbers(self) -> np.ndarray:
        """Frames since the first one; their index shows where some were lost."""
        if not all(index and index.strip().isdigit() for index in self.indices):
            return np.arange(len(self.frames), dtype=np.float64)
        numbers = np.array([float(index) for index in self.indices if index])
        if (np.diff(numbers) <= 0).any():
            raise ValueError(f"{self.file}: the frame index does not increase; the file is damaged.")
        return numbers - numbers[0]


def _our_name(label: str) -> str:
    """For instance `r_forearm` of `RightForeArm`, in lower case because spellings differ."""
    return label.strip().lower().replace("right", "r_").replace("left", "l_")

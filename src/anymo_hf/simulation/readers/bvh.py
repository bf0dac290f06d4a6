# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Biovision hierarchy files (`.bvh`): a tree of joints with Euler angles, in any order of channels."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from anymo_hf.simulation.readers.joint_motion import JointMotion, parse_numbers
from anymo_hf.simulation.readers.quaternions import from_euler


_POSITIONS = ("xposition", "yposition", "zposition")
_ROTATIONS = ("xrotation", "yrotation", "zrotation")


@dataclass
class _Hierarchy:
    """The joints as they are listed, which is also the order of their columns in the motion block."""

    names: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[np.ndarray] = field(default_factory=list)
    channels: list[list[str]] = field(default_factory=list)


def read_bvh(data: bytes, name: str = "BVH file") -> JointMotion:
    """
    Read the content of a BVH file.

    Positions given by channels replace a joint's offset, as all large motion capture sets write them.

    Args:
        data (`bytes`):
            The whole file.
        name (`str`, *optional*, defaults to `"BVH file"`):
            How to call it in an error.

    Returns:
        `JointMotion`: Its joints and their motion, in file units.

    Raises:
        ValueError: If the file is not a complete BVH file, saying what is wrong.
    """
    text = data.decode("utf-8-sig", errors="replace")
    parts = re.split(r"^[ \t]*MOTION\b", text, maxsplit=1, flags=re.MULTILINE | re.IGNORECASE)
    if "\0" in text[:4096] or not text[:4096].lstrip().upper().startswith("HIERARCHY"):
        raise ValueError(f"{name} does not start with HIERARCHY, so it is no BVH file; check the path or the export.")
    if len(parts) < 2:
        raise ValueError(f"{name} has no MOTION section; the file is cut short, copy or export it again.")
    hierarchy = _parse_hierarchy(parts[0], name)
    frame_time, values = _parse_motion(parts[1], sum(map(len, hierarchy.channels)), name)
    rotations, translations = _split_channels(hierarchy, values)
    return JointMotion(
        names=tuple(hierarchy.names),
        parents=tuple(hierarchy.parents),
        offsets=np.array(hierarchy.offsets),
        rotations=rotations,
        frame_time=frame_time,
        translations=translations,
    )


def _parse_hierarchy(text: str, name: str) -> _Hierarchy:
    hierarchy, stack = _Hierarchy(), []
    words = iter(text.replace("{", " { ").replace("}", " } ").split()[1:])
    for word in words:
        match word.upper():
            case "ROOT" | "JOINT":
                _open_joint(hierarchy, stack, words, name)
            case "END":
                # The tip of a chain has no channels and nothing is attached to it: `None` marks its braces.
                _take_until_brace(words, name)
                stack.append(None)
            case "OFFSET":
                offset = _take_numbers(words, 3, "OFFSET", name)
                if stack and stack[-1] is not None:
                    hierarchy.offsets[stack[-1]] = offset
            case "CHANNELS":
                if not stack or stack[-1] is None:
                    raise ValueError(f"{name} has CHANNELS outside of a joint; export the file again.")
                hierarchy.channels[stack[-1]] = _take_channels(words, hierarchy.names[stack[-1]], name)
            case "}":
                if not stack:
                    raise ValueError(f"{name} closes more braces than it opens; its hierarchy is damaged.")
                stack.pop()
            case _:
                raise ValueError(f"{name} has {word[:40]!r} where ROOT, JOINT, OFFSET or CHANNELS was expected.")
    if stack:
        raise ValueError(f"{name} leaves {len(stack)} braces open; its hierarchy is cut short or damaged.")
    if not hierarchy.names:
        raise ValueError(f"{name} has no ROOT joint; export the file again with its skeleton.")
    return hierarchy


def _open_joint(hierarchy: _Hierarchy, stack: list[int | None], words: Iterator[str], name: str) -> None:
    joint = _take_until_brace(words, name)
    if not joint:
        raise ValueError(f"{name} has a joint without a name; export the file again.")
    if joint in hierarchy.names:
        raise ValueError(f"{name} has two joints called {joint!r}; rename one of them.")
    if not stack and hierarchy.names:
        raise ValueError(f"{name} has a second root, {joint!r}; keep one person per file.")
    if stack and stack[-1] is None:
        raise ValueError(f"{name} has joint {joint!r} inside an End Site; its hierarchy is damaged.")
    hierarchy.parents.append(stack[-1] if stack else -1)
    stack.append(len(hierarchy.names))
    hierarchy.names.append(joint)
    hierarchy.offsets.append(np.zeros(3))
    hierarchy.channels.append([])


def _take_until_brace(words: Iterator[str], name: str) -> str:
    taken = []
    for word in words:
        if word == "{":
            return " ".join(taken)
        if word == "}" or len(taken) > 8:
            break
        taken.append(word)
    raise ValueError(f"{name}: an opening brace is missing after {' '.join(taken)[:60]!r}; its hierarchy is damaged.")


def _take_numbers(words: Iterator[str], count: int, what: str, name: str) -> np.ndarray:
    taken = " ".join(word for _, word in zip(range(count), words, strict=False))
    numbers = parse_numbers(taken, f"{name}, {what}")
    if len(numbers) != count:
        raise ValueError(f"{name}: {what} needs {count} numbers, but has {len(numbers)}.")
    return numbers


def _take_channels(words: Iterator[str], joint: str, name: str) -> list[str]:
    word = next(words, "")
    count = int(word) if word.isdigit() else -1
    if not 0 <= count <= 6:
        raise ValueError(f"{name}: joint {joint!r} must have 0 to 6 CHANNELS, but {word[:40]!r} was given.")
    channels = [next(words, "").lower() for _ in range(count)]
    unknown = [channel for channel in channels if channel not in _POSITIONS + _ROTATIONS]
    if unknown or len(set(channels)) < count:
        raise ValueError(
            f"{name}: joint {joint!r} must list {count} different channels such as Xposition or Zrotation, but has "
            f"{channels}."
        )
    return channels


def _parse_motion(text: str, num_channels: int, name: str) -> tuple[float, np.ndarray]:
    """Seconds per frame and the channel values `(num_frames, num_channels)`."""
    head = re.match(r"\s*Frames\s*:\s*(\S+)\s*Frame\s*Time\s*:\s*(\S+)[ \t]*", text, flags=re.IGNORECASE)
    if head is None:
        raise ValueError(f"{name} needs 'Frames:' and 'Frame Time:' after MOTION; the file is cut short or damaged.")
    num_frames, frame_time = parse_numbers(" ".join(head.groups()), f"{name}, Frames and Frame Time")
    if num_frames < 1 or num_frames != int(num_frames):
        raise ValueError(f"{name} says it has {head[1]} frames; a motion needs at least one.")
    if frame_time <= 0:
        raise ValueError(f"{name} has Frame Time {frame_time:g}; it must be the positive seconds from frame to frame.")
    if num_channels == 0:
        raise ValueError(f"{name} has no channels at all; export the file again with its motion.")
    values = parse_numbers(text[head.end() :], f"{name}, motion block")
    if len(values) != int(num_frames) * num_channels:
        raise ValueError(
            f"{name} announces {int(num_frames)} frames of {num_channels} channels, {int(num_frames) * num_channels} "
            f"numbers, but holds {len(values)}; it is cut short, or Frames or CHANNELS is wrong: export it again."
        )
    return float(frame_time), values.reshape(int(num_frames), num_channels)


def _split_channels(hierarchy: _Hierarchy, values: np.ndarray) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Local quaternions `(4, num_joints, num_frames)`, and positions of the joints that have position channels."""
    values = np.ascontiguousarray(values.T)
    groups, translations, column = {}, {}, 0
    for joint, channels in enumerate(hierarchy.channels):
        columns = {channel: column + i for i, channel in enumerate(channels)}
        column += len(channels)
        order = [channel for channel in channels if channel in _ROTATIONS]
        # Joints with the same order of axes are turned together.
        groups.setdefault("".join(channel[0] for channel in order), []).append((joint, [columns[c] for c in order]))
        moved = [(axis, columns[channel]) for axis, channel in enumerate(_POSITIONS) if channel in columns]
        if moved:
            axes, picked = zip(*moved, strict=True)
            translations[joint] = np.repeat(hierarchy.offsets[joint][:, None], values.shape[1], axis=1)
            translations[joint][list(axes)] = values[list(picked)]
    rotations = np.empty((4, len(hierarchy.names), values.shape[1]))
    for order, members in groups.items():
        joints, columns = zip(*members, strict=True)
        picked = np.array(columns, dtype=int).reshape(len(joints), len(order)).T
        rotations[:, list(joints)] = from_euler(np.radians(values[picked]), order)
    return rotations, translations

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The 23 body segments of the simulation: the tree of `processing.placements_anymo` with bone lengths."""

import numpy as np

from anymo_hf.processing.placements_anymo import NUM_SEGMENTS, SEGMENT_PARENTS, SEGMENTS


# Parent origin to segment origin in the T-pose, in metres: x forward, y left, z up. An average body; a reader
# replaces it by the subject's own. Values: average of the AnDy recordings in the XSens 23-segment model.
DEFAULT_BONE_OFFSETS = np.zeros((NUM_SEGMENTS, 3))
_TRUNK_OFFSETS = {"L5": 0.107, "L3": 0.106, "T12": 0.095, "T8": 0.095, "Neck": 0.134, "Head": 0.087}
_LEFT_OFFSETS = {
    "Shoulder": (0.0, 0.029, 0.075),
    "UpperArm": (0.0, 0.141, 0.0),
    "Forearm": (0.0, 0.295, 0.0),
    "Hand": (0.0, 0.243, 0.0),
    "UpperLeg": (0.0, 0.087, 0.0),
    "LowerLeg": (0.0, 0.0, -0.467),
    "Foot": (0.0, 0.0, -0.419),
    "Toe": (0.166, 0.0, -0.101),
}
for _name, _z in _TRUNK_OFFSETS.items():
    DEFAULT_BONE_OFFSETS[SEGMENTS.index(_name)] = (0.0, 0.0, _z)
for _name, (_x, _y, _z) in _LEFT_OFFSETS.items():
    DEFAULT_BONE_OFFSETS[SEGMENTS.index(f"L_{_name}")] = (_x, _y, _z)
    DEFAULT_BONE_OFFSETS[SEGMENTS.index(f"R_{_name}")] = (_x, -_y, _z)
DEFAULT_BONE_OFFSETS.setflags(write=False)


def tpose_positions(bone_offsets: np.ndarray | None = None) -> np.ndarray:
    """
    Segment origins in the T-pose, the pelvis at zero.

    Args:
        bone_offsets (`np.ndarray` of shape `(23, 3)`, *optional*, defaults to `DEFAULT_BONE_OFFSETS`):
            Parent origin to segment origin, in metres. The root's row is ignored.

    Returns:
        `np.ndarray` of shape `(23, 3)`: Positions in metres; x forward, y left, z up.
    """
    offsets = DEFAULT_BONE_OFFSETS if bone_offsets is None else np.asarray(bone_offsets, dtype=np.float64)
    positions = np.zeros((NUM_SEGMENTS, 3))
    for segment, parent in enumerate(SEGMENT_PARENTS):
        if parent >= 0:
            positions[segment] = positions[parent] + offsets[segment]
    return positions

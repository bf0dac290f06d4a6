# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Fixtures that several test files share."""

import os
from pathlib import Path

import numpy as np
import pytest

from anymo_hf.simulation.motion import SegmentMotion


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real recordings, named by `ANYMO_DATA`."""
    folder = os.environ.get("ANYMO_DATA")
    if not folder:
        pytest.skip("real recordings are needed: set ANYMO_DATA to their folder")
    return Path(folder)


@pytest.fixture
def rigid_motion():
    """A function that makes a motion whose 23 segments all move as one rigid body."""

    def make(timestamps, positions, orientations, **kwargs) -> SegmentMotion:
        num_frames = len(timestamps)
        positions = np.broadcast_to(np.asarray(positions, float).reshape(-1, 1, 3), (num_frames, 23, 3))
        orientations = np.broadcast_to(np.asarray(orientations, float).reshape(-1, 1, 4), (num_frames, 23, 4))
        return SegmentMotion(positions.copy(), orientations.copy(), np.asarray(timestamps, float), **kwargs)

    return make

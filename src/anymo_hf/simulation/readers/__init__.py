# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Readers of motion files: each turns a published format into a `SegmentMotion`."""

from anymo_hf.simulation.readers.load import load_motion
from anymo_hf.simulation.readers.npz import save_motion


__all__ = ["load_motion", "save_motion"]

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Readers of motion files: each turns a published format into a `SegmentMotion`."""

from anymo_hf.simulation.readers.load import load_motion
from anymo_hf.simulation.readers.momentum_glb import read_momentum_glb
from anymo_hf.simulation.readers.mvnx import read_mvnx
from anymo_hf.simulation.readers.npz import save_motion
from anymo_hf.simulation.readers.nymeria import read_narration, read_nymeria
from anymo_hf.simulation.readers.nymeria_smpl import read_nymeria_smpl
from anymo_hf.simulation.readers.smpl import read_amass, read_model_joints


# `load_motion` finds the kind of a file by itself; the others take what only their kind needs.
__all__ = [
    "load_motion",
    "read_amass",
    "read_model_joints",
    "read_momentum_glb",
    "read_mvnx",
    "read_narration",
    "read_nymeria",
    "read_nymeria_smpl",
    "save_motion",
]

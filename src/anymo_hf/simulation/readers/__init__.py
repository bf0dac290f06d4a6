# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Readers of motion files: each turns a published format into a `SegmentMotion`.

`load_motion` finds the kind of a file by itself. What takes more than a file stands in its own module: `read_nymeria`
and `read_narration` in `nymeria`, `read_nymeria_smpl` in `nymeria_smpl`, `read_amass` in `smpl`.
"""

from anymo_hf.simulation.readers.load import load_motion
from anymo_hf.simulation.readers.npz import save_motion


__all__ = ["load_motion", "save_motion"]

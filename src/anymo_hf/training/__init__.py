# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Training data: paired views of motion for the encoder."""

from anymo_hf.training.views import EpochCallback, PairedViewDataset


__all__ = ["EpochCallback", "PairedViewDataset"]

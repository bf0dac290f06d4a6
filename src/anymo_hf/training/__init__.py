# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Training data: paired views of motion for the encoder, motion with texts for the language model."""

from anymo_hf.training.motion_text import MotionCollator, MotionTextCollator, MotionTextDataset
from anymo_hf.training.text_bank import TextBank, TextBankCollator
from anymo_hf.training.text_distillation import TeacherTexts
from anymo_hf.training.views import EpochCallback, PairedViewDataset


__all__ = [
    "EpochCallback",
    "MotionCollator",
    "MotionTextCollator",
    "MotionTextDataset",
    "PairedViewDataset",
    "TeacherTexts",
    "TextBank",
    "TextBankCollator",
]

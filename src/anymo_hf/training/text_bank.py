# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The texts of some motion, which `AnyMoGraphEncoderForTextAlignment` chooses among."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import EvalPrediction

from anymo_hf.training.descriptions import texts_by_span, texts_from_first_frame
from anymo_hf.training.motion_text import pad_features
from anymo_hf.training.text_distillation import TeacherTexts


@dataclass
class TextBank:
    """
    The texts of some motion, and how often each of them describes it.

    Args:
        texts (`list[str]`):
            In alphabetical order.
        embeddings (`torch.FloatTensor` of shape `(num_texts, teacher_size)`):
            The teacher's, of unit length.
        shares (`torch.FloatTensor` of shape `(num_texts,)`):
            Of the described time; their sum is 1.
    """

    texts: list[str]
    embeddings: torch.Tensor
    shares: torch.Tensor

    def __post_init__(self):
        self.index = {text: i for i, text in enumerate(self.texts)}

    @classmethod
    def from_clips(cls, paths: Sequence[Path], teacher: TeacherTexts) -> "TextBank":
        """Of converted clips, as far as the teacher knows their texts; a `ValueError` if it knows none."""
        seconds: dict[str, float] = {}
        for path in paths:
            for duration, texts in texts_by_span(texts_from_first_frame(path)):
                for text, share in texts.items():
                    seconds[text] = seconds.get(text, 0.0) + duration * share
        rows = {text: row for row, text in enumerate(teacher.texts)}
        texts = sorted(text for text in seconds if text in rows)
        if not texts:
            raise ValueError("The teacher knows no text of the motion; run `embed_texts.py` on the same folders.")
        shares = torch.tensor([seconds[text] for text in texts])
        return cls(texts, teacher.embeddings[[rows[text] for text in texts]], shares / shares.sum())


class TextBankCollator:
    """
    Pads the items of `MotionTextDataset` and tells which text of a bank names or describes each.

    Args:
        text_bank (`TextBank`):
            Of the data set's clips.
    """

    def __init__(self, text_bank: TextBank):
        self.text_bank = text_bank

    def __call__(self, items: list[dict]) -> dict[str, torch.Tensor]:
        """
        A batch.

        Args:
            items (`list[dict]`):
                Of `MotionTextDataset`.

        Returns:
            `dict[str, torch.Tensor]`: What `AnyMoGraphEncoderForTextAlignment` takes.
        """
        return {
            **pad_features(items),
            "text_index": torch.tensor([self._choose(item) for item in items]),
            "text_embeddings": self.text_bank.embeddings,
            "text_shares": self.text_bank.shares,
        }

    def _choose(self, item: dict) -> int:
        """In half of the windows the activity, in the others one of the captions; -1 where the bank has neither."""
        captions = [self.text_bank.index[text] for text in item["texts"] if text in self.text_bank.index]
        activity = self.text_bank.index.get(item["activity"])
        choice, half = divmod(item["seed"], 2)
        if activity is not None and (half or not captions):
            return activity
        return captions[choice % len(captions)] if captions else -1


def naming_metrics(prediction: EvalPrediction) -> dict[str, float]:
    """How often the text of a window is the most probable one, of windows that have one."""
    (logits, _), text_index = prediction.predictions, prediction.label_ids
    is_described = text_index >= 0
    return {"accuracy": float(np.mean(logits[is_described].argmax(axis=-1) == text_index[is_described]))}


__all__ = ["TextBank", "TextBankCollator", "naming_metrics"]

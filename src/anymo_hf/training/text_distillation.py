# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""What a model of sentences knows of words that no motion came with, taught while motion and texts are aligned."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from anymo_hf.prompts import LABEL_TEMPLATES


def is_sentence(text: str) -> bool:
    """Whether a text stands for itself; names of activities are put into sentences before anybody compares them."""
    return text.endswith(".") or text[:1].isupper()


def in_sentences(text: str) -> list[str]:
    """A sentence alone, the name of an activity in every one of `LABEL_TEMPLATES`."""
    return [text] if is_sentence(text) else [template.replace("{}", text) for template in LABEL_TEMPLATES]


@dataclass
class TeacherTexts:
    """
    Texts and a teacher's embeddings of them.

    Args:
        texts (`list[str]`):
            Names of activities, and sentences; `in_sentences` tells which is which.
        embeddings (`torch.FloatTensor` of shape `(num_texts, teacher_size)`):
            Of unit length.
    """

    texts: list[str]
    embeddings: torch.Tensor

    def save(self, path: str | Path) -> None:
        """Write a safetensors file, the texts in its header."""
        save_file({"embeddings": self.embeddings.contiguous()}, path, {"texts": json.dumps(self.texts)})

    @classmethod
    def from_file(cls, path: str | Path) -> "TeacherTexts":
        """What `save` wrote; a `ValueError` if it is something else."""
        try:
            with safe_open(path, "pt") as file:
                texts, embeddings = json.loads(file.metadata()["texts"]), file.get_tensor("embeddings")
        except (FileNotFoundError, SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(
                f"{path} must hold texts and their embeddings, but cannot be read so ({error}); make it with "
                "`embed_texts.py`."
            ) from error
        if embeddings.ndim != 2 or len(texts) != len(embeddings):
            raise ValueError(
                f"{path} holds {len(texts)} texts and embeddings of shape {tuple(embeddings.shape)}; make it with "
                "`embed_texts.py`."
            )
        return cls(texts, embeddings)

    def embeddings_of(self, texts: Sequence[str]) -> torch.Tensor:
        """Of these texts, shape `(num_texts, teacher_size)`; a `ValueError` names those that are not known."""
        rows = {text: row for row, text in enumerate(self.texts)}
        if missing := [text for text in texts if text not in rows]:
            raise ValueError(
                f"The teacher must know the words of every class, but lacks {missing}; run `embed_texts.py` with a "
                "file that holds them, one a line."
            )
        return self.embeddings[[rows[text] for text in texts]]

    def draw(self, number: int, rng: np.random.Generator) -> tuple[list[str], torch.Tensor]:
        """Some texts, names of activities within a prompt, and their similarities, `(number, number)`."""
        chosen = rng.choice(len(self.texts), min(number, len(self.texts)), replace=False)
        embeddings = self.embeddings[torch.from_numpy(chosen)]
        texts = [self.texts[i] for i in chosen]
        templates = [LABEL_TEMPLATES[i] for i in rng.integers(len(LABEL_TEMPLATES), size=len(texts))]
        texts = [
            text if is_sentence(text) else template.replace("{}", text)
            for text, template in zip(texts, templates, strict=True)
        ]
        return texts, embeddings @ embeddings.T


def relational_loss(features: torch.Tensor, teacher_similarities: torch.Tensor, temperature: float) -> torch.Tensor:
    """
    How far neighbourhoods of texts are from the teacher's (after https://huggingface.co/papers/2101.04731).

    Args:
        features (`torch.FloatTensor` of shape `(num_texts, hidden_size)`):
            The student's embeddings, of unit length.
        teacher_similarities (`torch.FloatTensor` of shape `(num_texts, num_texts)`):
            Cosines.
        temperature (`float`):
            Of both softmaxes.

    Returns:
        `torch.FloatTensor` of shape `()`: Mean Kullback-Leibler divergence over texts, each against all others.
    """
    own = torch.eye(len(features), dtype=torch.bool, device=features.device)
    with torch.autocast(features.device.type, enabled=False):
        student = features.float() @ features.float().T
    # A text is nearest to itself whatever is learned, and so would hide the others.
    student, teacher = (
        (cosines[~own].view(len(features), -1) / temperature).log_softmax(dim=-1)
        for cosines in (student, teacher_similarities.float())
    )
    return F.kl_div(student, teacher, reduction="batchmean", log_target=True)


__all__ = ["TeacherTexts", "in_sentences", "relational_loss"]

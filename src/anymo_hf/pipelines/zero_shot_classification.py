# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Pipeline `zero-shot-imu-classification`: which of some activities a recording shows, without training on them."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from anymo_hf.pipelines.windows import WindowPipeline
from anymo_hf.prompts import LABEL_TEMPLATES


class ZeroShotIMUClassificationPipeline(WindowPipeline):
    """
    Compares every window of a recording with labels in plain words.

    The embedding of a label is the mean over several prompts that hold it. It is computed once and kept for later
    calls: build a new pipeline after changing the model's weights. Scores are a softmax over the labels given, so they
    sum to 1 whether or not any label fits.

    Args:
        candidate_labels (`list[str]` or `str`):
            Activities in words, or one string with commas between them. Here or in a call, like all that follow.
        prompt_templates (`list[str]`, *optional*, defaults to `None`):
            Texts with `{}` where a label goes; `None` takes those the model was trained with.
        top_k (`int`, *optional*, defaults to `None`):
            How many labels a window's scores keep, the best first; `None` keeps all.
        **kwargs:
            See `WindowPipeline`.

    Returns:
        `list[dict]` for a recording, a list of these for a list: `start`, `end` and `scores`, a list of
        `{"label": str, "score": float}`.

    Example:
    ```python
    >>> from transformers import pipeline
    >>> import anymo_hf

    >>> classify = pipeline("zero-shot-imu-classification", model="anymo")  # doctest: +SKIP
    >>> classify("watch.csv", candidate_labels=["walking", "sitting"], placements="left wrist")  # doctest: +SKIP
    ```
    """

    def __init__(self, *args, **kwargs):
        self._label_embeddings: dict[tuple[str, tuple[str, ...]], torch.Tensor] = {}
        super().__init__(*args, **kwargs)

    def _sanitize_parameters(self, candidate_labels=None, prompt_templates=None, top_k=None, **kwargs):
        preprocess_params, forward_params, _ = super()._sanitize_parameters(**kwargs)
        postprocess_params = {}
        if candidate_labels is not None:
            postprocess_params["candidate_labels"] = _check_labels(candidate_labels)
        if prompt_templates is not None:
            postprocess_params["prompt_templates"] = _check_templates(prompt_templates)
        if top_k is not None:
            if not isinstance(top_k, int) or top_k < 1:
                raise ValueError(f"`top_k` must be a whole number from 1, or None for all labels, but is {top_k!r}.")
            postprocess_params["top_k"] = top_k
        return preprocess_params, forward_params, postprocess_params

    def get_iterator(self, inputs, num_workers, batch_size, preprocess_params, forward_params, postprocess_params):
        if "candidate_labels" not in postprocess_params:
            raise ValueError("`candidate_labels` are needed, for instance ['walking', 'sitting'].")
        # Before any recording is read: what is wrong with labels should not come out an hour later.
        self.embed_labels(**{name: value for name, value in postprocess_params.items() if name != "top_k"})
        return super().get_iterator(
            inputs, num_workers, batch_size, preprocess_params, forward_params, postprocess_params
        )

    def run_model(self, features, placements) -> list[dict]:
        return [{"embedding": embedding} for embedding in self.embed_windows(features, placements)]

    def postprocess(self, windows, candidate_labels, prompt_templates=None, top_k=None) -> list[dict]:
        labels = self.embed_labels(candidate_labels, prompt_templates)
        similarities = torch.stack([window["embedding"] for window in windows]) @ labels.T
        scores = (similarities / self.model.config.temperature).softmax(dim=-1)  # (num_windows, num_labels)
        best = scores.topk(min(top_k or len(candidate_labels), len(candidate_labels)), dim=-1)
        return [
            {
                "start": window["start"],
                "end": window["end"],
                "scores": [
                    {"label": candidate_labels[i], "score": score} for i, score in zip(order, values, strict=True)
                ],
            }
            for window, order, values in zip(windows, best.indices.tolist(), best.values.tolist(), strict=True)
        ]

    def embed_labels(
        self, candidate_labels: Sequence[str], prompt_templates: Sequence[str] | None = None
    ) -> torch.Tensor:
        """
        Embeddings of labels: those that no earlier call has asked for are computed now.

        Args:
            candidate_labels (sequence of `str`):
                Activities in words.
            prompt_templates (sequence of `str`, *optional*, defaults to `None`):
                Texts with `{}` where a label goes; `None` takes those the model was trained with.

        Returns:
            `torch.Tensor` of shape `(num_labels, hidden_size)`: float32, unit length, on the CPU.
        """
        templates = LABEL_TEMPLATES if prompt_templates is None else tuple(prompt_templates)
        missing = [label for label in candidate_labels if (label, templates) not in self._label_embeddings]
        if missing:
            texts = [template.replace("{}", label) for label in missing for template in templates]
            means = self.embed_texts(texts).unflatten(0, (len(missing), len(templates))).mean(dim=1)
            for label, embedding in zip(missing, F.normalize(means, dim=-1), strict=True):
                self._label_embeddings[label, templates] = embedding
        return torch.stack([self._label_embeddings[label, templates] for label in candidate_labels])


def _check_labels(labels) -> tuple[str, ...]:
    labels = labels.split(",") if isinstance(labels, str) else list(labels)
    if not labels or not all(isinstance(label, str) and label.strip() for label in labels):
        raise ValueError(f"`candidate_labels` must be activities in words, none of them empty, but are {labels!r}.")
    labels = tuple(label.strip() for label in labels)
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise ValueError(f"`candidate_labels` names {', '.join(map(repr, twice))} more than once; name each once.")
    return labels


def _check_templates(templates) -> tuple[str, ...]:
    templates = (templates,) if isinstance(templates, str) else tuple(templates)
    if not templates or not all(isinstance(text, str) and "{}" in text for text in templates):
        raise ValueError(
            f"`prompt_templates` must be texts with {{}} where the label goes, such as 'a person is {{}}', but are "
            f"{list(templates)!r}."
        )
    return templates

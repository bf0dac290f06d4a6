# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Zero-shot naming by an encoder aligned with sentences, without a language model.

    model = AnyMoGraphEncoderForTextAlignment.from_pretrained("aligned/text_alignment")
    teacher = TeacherTexts.from_file("teacher_texts.safetensors")
    windows = load_har_windows("dsads.parquet", HAR_DATASETS["dsads"])
    embeddings = embed_classes(HAR_DATASETS["dsads"].classes, teacher)
    scores = name_windows(model, windows, embeddings, classes=HAR_DATASETS["dsads"].classes)
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from anymo_hf.evaluation.embeddings import HarWindows
from anymo_hf.evaluation.zero_shot import ZeroShotScores, name_by_similarity, score_guesses
from anymo_hf.training.text_distillation import TeacherTexts


def embed_classes(
    classes: Sequence[str], teacher: TeacherTexts, text_mean: torch.Tensor | None = None
) -> torch.Tensor:
    """
    What names of classes mean, as the text head compares them with motion.

    Args:
        classes (`Sequence[str]`):
            Words, which the teacher must know.
        teacher (`TeacherTexts`):
            The one that the model was aligned with, written by `embed_texts.py`.
        text_mean (`torch.FloatTensor` of shape `(teacher_size,)`, *optional*, defaults to `None`):
            What all texts have in common, that is the mean embedding of the texts that the model was aligned with
            (`TextBank.embeddings`), which the model does not keep. `None` takes the mean of all texts of the teacher.

    Returns:
        `torch.FloatTensor` of shape `(num_classes, teacher_size)`: Centred, of unit length.

    Raises:
        ValueError: If the teacher lacks some of the words.
    """
    return F.normalize(
        teacher.embeddings_of(classes) - (teacher.embeddings.mean(dim=0) if text_mean is None else text_mean), dim=-1
    )


@torch.no_grad()
def name_windows(
    model,
    windows: HarWindows,
    class_embeddings: torch.Tensor,
    batch_size: int = 64,
    classes: Sequence[str] | None = None,
) -> ZeroShotScores:
    """
    Names each window by the class that its text features are nearest to.

    Args:
        model (`AnyMoGraphEncoderForTextAlignment`):
            Or what has such a `graph_encoder` and `text_head`. Put in evaluation mode while it works.
        windows (`HarWindows`):
            From `load_har_windows`.
        class_embeddings (`torch.FloatTensor` of shape `(num_classes, text_embedding_size)`):
            From `embed_classes`.
        batch_size (`int`, *optional*, defaults to 64):
            Windows at a time.
        classes (`Sequence[str]`, *optional*, defaults to `None`):
            Whose embeddings these are; those that no window shows count too. `None` means the activities of the
            windows, in alphabetical order.

    Returns:
        `ZeroShotScores`: Of all windows.

    Raises:
        ValueError: If there are not as many embeddings as classes.
    """
    classes = sorted(set(windows.activities.tolist())) if classes is None else classes
    if len(class_embeddings) != len(classes):
        raise ValueError(f"Each of {len(classes)} classes needs an embedding, but {len(class_embeddings)} came.")
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    similarities = []
    for first in range(0, len(windows), batch_size):
        features = windows.on_body(slice(first, first + batch_size))
        outputs = model.graph_encoder(**{k: v.to(device) for k, v in features.items()}, pooled_only=True)
        # As in training: latents of padded steps are zero, and the mean is over the others.
        num_steps = outputs.steps_mask.sum(dim=1, keepdim=True).clamp(min=1)
        text_features = model.text_head(outputs.pooled_latents.sum(dim=1) / num_steps).float().cpu()
        similarities.append(F.normalize(text_features, dim=-1) @ class_embeddings.float().cpu().T)
    model.train(was_training)
    return score_guesses(*name_by_similarity(torch.cat(similarities).numpy()), windows, tuple(classes))


__all__ = ["embed_classes", "name_windows"]

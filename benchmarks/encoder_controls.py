# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""What a pre-trained encoder is compared with: the same network untrained, and features made by hand."""

import copy
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from anymo_hf.evaluation.embeddings import HarWindows, embed_windows
from anymo_hf.evaluation.handmade_features import handmade_features
from anymo_hf.evaluation.zero_shot import checkpoint_sha256, weights_sha256
from anymo_hf.modeling.configuration_anymo import AnyMoGraphEncoderConfig
from anymo_hf.modeling.modeling_anymo_graph_encoder import AnyMoGraphEncoder


PRE_TRAINED, UNTRAINED, HAND_MADE = "pre-trained", "untrained", "hand-made features"
# The same encoder, which is not told that the sensors of a set are mounted alike on all people.
UNORIENTED = "mounting unknown"
UNTRAINED_ALL = "untrained, all segments pooled"  # a little better than those with a sensor, untrained
MODELS = (PRE_TRAINED, UNORIENTED, UNTRAINED, UNTRAINED_ALL, HAND_MADE)


@dataclass(frozen=True)
class Features:
    """
    One way to describe a window.

    Args:
        model (`str`):
            Its name in the tables.
        seed (`int` or `None`):
            Of its weights.
        checkpoint_sha256 (`str` or `None`):
            Of its weights: of `model.safetensors`, or of what the seed gave.
        describe (`Callable`):
            From windows to an array of shape `(num_windows, num_features)`.
    """

    model: str
    seed: int | None
    checkpoint_sha256: str | None
    describe: Callable[[HarWindows], np.ndarray]


def all_features(
    checkpoints: list[Path], seeds: list[int], name: str = PRE_TRAINED, models: Iterable[str] = MODELS
) -> Iterator[Features]:
    """
    What is compared: every checkpoint, two untrained networks per seed, and features made by hand.

    Sets mount their sensors alike on all people, so that the sensors' axes count as known. Every checkpoint is also
    used as if they were not.

    Args:
        checkpoints (`list[Path]`):
            Folders of graph encoders, trained with the first of `seeds`, the second, and so on; may be empty.
        seeds (`list[int]`):
            Of the untrained networks. They have the sizes of the first checkpoint, or of the small preset, and know
            mean and deviation of readings as it does.
        name (`str`, *optional*, defaults to `"pre-trained"`):
            Of the checkpoints in the tables.
        models (`Iterable[str]`, *optional*):
            Which of the kinds.
    """
    if len(checkpoints) > len(seeds):
        raise ValueError(f"Every checkpoint needs a seed, but {len(checkpoints)} came with {len(seeds)} seeds.")
    encoders = [AnyMoGraphEncoder.from_pretrained(folder) for folder in checkpoints]
    for model, oriented in ((PRE_TRAINED, True), (UNORIENTED, False)):
        for folder, seed, encoder in zip(checkpoints, seeds, encoders, strict=False) if model in models else ():
            sha = checkpoint_sha256(folder, encoder)
            words = name if oriented else f"{name}, {model}"
            yield Features(words, seed, sha, _embedder(encoder, oriented))
    for model, pooled_segments in ((UNTRAINED, "observed"), (UNTRAINED_ALL, "all")):
        for seed in seeds if model in models else ():
            encoder = untrained_encoder(encoders[0] if encoders else None, seed)
            encoder.config.pooled_segments = pooled_segments
            yield Features(model, seed, weights_sha256(encoder), _embedder(encoder))
    if HAND_MADE in models:
        yield Features(HAND_MADE, None, None, _handmade_describer())


def untrained_encoder(trained: AnyMoGraphEncoder | None, seed: int) -> AnyMoGraphEncoder:
    """The same network with fresh weights; it knows mean and deviation of readings as the trained one does."""
    torch.manual_seed(seed)
    config = AnyMoGraphEncoderConfig.small() if trained is None else copy.deepcopy(trained.config)
    encoder = AnyMoGraphEncoder(config)
    if trained is not None:
        encoder.input_mean.copy_(trained.input_mean)
        encoder.input_std.copy_(trained.input_std)
    return encoder


def _embedder(encoder: AnyMoGraphEncoder, oriented: bool = True) -> Callable[[HarWindows], np.ndarray]:
    encoder.to("cuda" if torch.cuda.is_available() else "cpu")
    return lambda windows: embed_windows(encoder, replace(windows, orientation_known=oriented))


def _handmade_describer() -> Callable[[HarWindows], np.ndarray]:
    """Features of each sensor, computed once: setups with fewer sensors ask for the same ones again."""
    known = {}

    def describe(windows: HarWindows) -> np.ndarray:
        parts = []
        for place in windows.placements:
            alone = windows.with_sensors([place])
            key = hashlib.sha256(alone.values.tobytes() + alone.mask.tobytes()).digest()
            if key not in known:
                known[key] = handmade_features(alone, num_proc=os.cpu_count())
            parts.append(known[key])
        return np.concatenate(parts, axis=1)

    return describe

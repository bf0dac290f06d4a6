# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""What all pipelines share: recordings of any form are cut into windows, and windows of several share a batch."""

import itertools
import os
import warnings
from collections.abc import Iterator

import numpy as np
import torch
from transformers import PreTrainedModel
from transformers.pipelines.base import ChunkPipeline

from anymo_hf.processing import Recording, make_recording, read_recording
from anymo_hf.processing.placements_anymo import SEGMENTS, get_placement
from anymo_hf.prompts import embedding_prompt


TEXTS_PER_BATCH = 64
TRAINED_SECONDS = (1.0, 5.0)  # shortest and longest windows of training
RECORDING_OPTIONS = (
    *("sampling_rate", "timestamps", "placements", "force_unit", "rate_unit", "sign", "gravity", "time_unit"),
    *("clock_offsets", "recording", "columns"),
)


class WindowPipeline(ChunkPipeline):
    """
    Base of the pipelines: one recording in, a list with one `dict` per window out.

    A recording is the path of a CSV or Parquet file, a `Recording`, an array with `sampling_rate` and `placements`, a
    `dict` from placement to array, or a table: whatever `read_recording` and `make_recording` take. A list (or an
    array with four axes) holds several, each of which gives a list of its own; options hold for all of them.

    Every entry has `start` and `end`, in seconds on the recording's clock. A rest at the end shorter than half a
    window, and windows in which no sensor measured anything, give no entry. Where the side of a limb is not known, or
    sensors share a segment, the encoder averages over all ways to put them on the body.

    Args:
        batch_size (`int`, *optional*, defaults to 32):
            Windows that the model sees at once, of whichever recordings.
        window (`float`, *optional*, defaults to 5.0):
            Seconds; `None` takes a recording as one window. Here or in a call, like all that follow.
        overlap (`float`, *optional*, defaults to 0.0):
            Share of a window that the next one repeats.
        **kwargs:
            How to understand the readings: `sampling_rate`, `timestamps`, `placements`, `force_unit`, `rate_unit`,
            `sign`, `gravity`, `time_unit`, `clock_offsets` (see `make_recording`), and for files `recording` and
            `columns` (see `read_recording`).
    """

    # Loaded if it is there: `_check_model` says better what is missing.
    _load_processor = None
    _load_tokenizer = _load_feature_extractor = _load_image_processor = _load_video_processor = False

    _text_inputs = ("input_ids", "attention_mask")

    def __init__(self, model, *args, batch_size: int = 32, **kwargs):
        if not isinstance(model, PreTrainedModel):
            model = model.get_base_model()  # of a `PeftModel`, whose trained layers lie within
        self._warned = False
        super().__init__(model, *args, batch_size=batch_size, **kwargs)
        self._check_model()
        self.model.eval()

    def _check_model(self):
        if self.model.config.model_type != "anymo":
            raise ValueError(
                f"The pipeline {self.task!r} needs a model with a language model, of type 'anymo', but came "
                f"{type(self.model).__name__}; an encoder alone serves 'imu-feature-extraction'."
            )
        if self.processor is None:
            raise ValueError(
                "No processor could be loaded from beside the model; save an `AnyMoProcessor` in its folder, or pass "
                "one as `processor`."
            )

    def __call__(self, recordings, **kwargs):
        if isinstance(recordings, tuple) or (not isinstance(recordings, (list, dict)) and _num_axes(recordings) == 4):
            recordings = list(recordings)
        if isinstance(recordings, list) and not recordings:
            raise ValueError("At least one recording is needed, but the list is empty.")
        self._warned = False
        return super().__call__(recordings, **kwargs)

    def _sanitize_parameters(self, **kwargs):
        unknown = set(kwargs) - {"window", "overlap", *RECORDING_OPTIONS}
        if unknown:
            raise ValueError(
                f"{sorted(unknown)} are no options of {self.task!r}; for readings these are: "
                f"{', '.join(('window', 'overlap', *RECORDING_OPTIONS))}."
            )
        return kwargs, {}, {}

    def preprocess(self, recording, window: float | None = 5.0, overlap: float = 0.0, **options) -> Iterator[dict]:
        recording = open_recording(recording, **options)
        extractor = self.feature_extractor
        # A frame more than the time between first and last reading.
        whole = recording.end_time - recording.start_time + 1 / extractor.sampling_rate
        length = whole if window is None else window
        features = extractor.windows(recording, length, overlap, views=True)
        if not len(features["start_times"]):
            raise ValueError("No window of the recording holds a reading; check its timestamps.")
        self._warn_of_length(min(length, whole))
        for i, start in enumerate(features["start_times"].tolist()):
            yield {
                "input_values": features["input_values"][i],
                "input_values_mask": features["input_values_mask"][i],
                "orientation_known": features["orientation_known"][i],
                "placements": tuple(_in_words(sensor.placement) for sensor in recording.sensors),
                "start": start,
                "end": min(start + length, recording.end_time),
            }

    def _warn_of_length(self, seconds: float):
        """One warning a call, whatever the number of recordings."""
        shortest, longest = TRAINED_SECONDS
        # A second at 20 Hz lacks a reading at its end.
        if self._warned or 0.95 * shortest <= seconds <= 1.1 * longest:
            return
        self._warned = True
        warnings.warn(
            f"Windows of {seconds:.2g} s are unlike those of training, which lasted {shortest:g} to {longest:g} s; "
            "what comes out of them may be worth little.",
            stacklevel=2,
        )

    def get_iterator(self, inputs, num_workers, batch_size, preprocess_params, forward_params, postprocess_params):
        # Not transformers' own: its batches are padded by keys that it knows, and a window has several views. Reading
        # costs little beside the model, so that `num_workers` has nothing to do.
        windows = (
            (index, window)
            for index, recording in enumerate(inputs)
            for window in self.preprocess(recording, **preprocess_params)
        )
        outputs = self._run_batches(windows, batch_size, forward_params)
        for _, members in itertools.groupby(outputs, key=lambda output: output[0]):
            yield self.postprocess([output for _, output in members], **postprocess_params)

    def _run_batches(self, windows, batch_size: int, forward_params: dict) -> Iterator[tuple[int, dict]]:
        while batch := list(itertools.islice(windows, batch_size)):
            outputs = self.forward([window for _, window in batch], **forward_params)
            yield from zip((index for index, _ in batch), outputs, strict=True)

    def _forward(self, windows: list[dict], **params) -> list[dict]:
        """What `run_model` gives, with the windows' times, in their order."""
        outputs: list = [None] * len(windows)
        for members in _same_number_of_views(windows):
            chosen = [windows[i] for i in members]
            results = self.run_model(_stack(chosen), [window["placements"] for window in chosen], **params)
            for i, result in zip(members, results, strict=True):
                outputs[i] = {"start": windows[i]["start"], "end": windows[i]["end"], **result}
        return outputs

    def run_model(self, features: dict[str, np.ndarray], placements: list[tuple[str, ...]], **params) -> list[dict]:
        """Results for windows with the same number of views; a pipeline's own part."""
        raise NotImplementedError

    def prepare(self, features: dict[str, np.ndarray], prompts: list[str], padding_side: str, room: int = 0) -> dict:
        """Tensors for the language model from windows and the prompts around them; `room` is for new tokens."""
        inputs = self.processor(
            imu=features, text=prompts, padding=True, padding_side=padding_side, return_tensors="pt"
        )
        self._check_length(inputs["input_ids"].shape[1] + room, "use a shorter `window`")
        return {name: inputs[name].to(self.device) for name in (*self._text_inputs, *features)}

    def embed_windows(self, features: dict[str, np.ndarray], placements: list[tuple[str, ...]]) -> torch.Tensor:
        """Embeddings of windows, unit length, of shape `(num_windows, hidden_size)`."""
        prompts = [embedding_prompt(names) for names in placements]
        inputs = self.prepare(features, prompts, padding_side="right")
        return self.model.base_model.get_imu_features(**inputs).float()

    def embed_texts(self, texts: list[str]) -> torch.Tensor:
        """
        Embeddings of texts, to be compared with those of windows by their dot product.

        Args:
            texts (`list[str]`):
                None of them empty.

        Returns:
            `torch.Tensor` of shape `(num_texts, hidden_size)`: float32, unit length, on the CPU.
        """
        if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
            raise ValueError(f"Texts must be strings with words in them, but came {texts!r}.")
        embeddings = []
        for first in range(0, len(texts), TEXTS_PER_BATCH):
            chunk = texts[first : first + TEXTS_PER_BATCH]
            tokens = self.processor.tokenizer(chunk, padding=True, padding_side="right", return_tensors="pt")
            room = self.model.config.num_soft_prompt_tokens
            self._check_length(tokens["input_ids"].shape[1] + room, "use a shorter text")
            inputs = {name: tokens[name].to(self.device) for name in self._text_inputs}
            with torch.no_grad():
                embeddings.append(self.model.base_model.get_text_features(**inputs).float().cpu())
        return torch.cat(embeddings)

    def _check_length(self, length: int, advice: str):
        limit = self.model.config.text_config.max_position_embeddings
        if length > limit:
            raise ValueError(f"The language model reads {limit} tokens, but {length} are needed; {advice}.")

    def save_pretrained(self, save_directory: str | os.PathLike, **kwargs):
        """Saves the model and its processor; unlike transformers' own it names no code in the configuration."""
        self.model.save_pretrained(save_directory, **kwargs)
        (self.processor or self.feature_extractor).save_pretrained(save_directory, **kwargs)


def open_recording(recording, **options) -> Recording:
    """
    A recording from whatever pipelines take.

    Args:
        recording (path, `Recording`, array, `dict` or table):
            See `WindowPipeline`.
        **options:
            As for `read_recording` where it is a path, else as for `make_recording`.

    Returns:
        `Recording`: With at least one reading.

    Raises:
        ValueError: If it cannot be understood, or options come with a `Recording`, which has all of that already.
    """
    if isinstance(recording, Recording):
        if options:
            raise ValueError(f"This is a `Recording` already; {sorted(options)} come too late: leave them out.")
    elif isinstance(recording, (str, os.PathLike)):
        recording = read_recording(recording, **options)
    else:
        only_files = sorted({"recording", "columns"} & set(options))
        if only_files:
            raise ValueError(f"{only_files} are for files, but came with a {type(recording).__name__}.")
        recording = make_recording(recording, **options)
    if not any(len(sensor.timestamps) for sensor in recording.sensors):
        raise ValueError("The recording is empty: at least one sample is needed.")
    return recording


def _in_words(placement: str) -> str:
    """The name that prompts use: a sensor may be placed by its segment alone."""
    return get_placement(placement).name if placement in SEGMENTS else placement


def _num_axes(recordings) -> int:
    return recordings.ndim if isinstance(recordings, (np.ndarray, torch.Tensor)) else 0


def _same_number_of_views(windows: list[dict]) -> list[list[int]]:
    groups: dict[int, list[int]] = {}
    for i, window in enumerate(windows):
        groups.setdefault(len(window["input_values"]), []).append(i)
    return list(groups.values())


def _stack(windows: list[dict]) -> dict[str, np.ndarray]:
    """Features of shape `(num_windows, num_views, num_frames, 23, 6)`, padded at the end as everywhere."""
    num_frames = max(window["input_values"].shape[1] for window in windows)
    stacked = {}
    for name in ("input_values", "input_values_mask"):
        first = windows[0][name]
        shape = (len(windows), len(first), num_frames, *first.shape[2:])
        stacked[name] = np.zeros(shape, dtype=first.dtype)
        for row, window in zip(stacked[name], windows, strict=True):
            row[:, : window[name].shape[1]] = window[name]
    stacked["orientation_known"] = np.stack([window["orientation_known"] for window in windows])
    return stacked

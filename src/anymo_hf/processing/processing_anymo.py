# Copyright 2026 The anymo-hf contributors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""Processor: recordings and text with `<imu>` placeholders become the inputs of the language model."""

from collections.abc import Mapping
from typing import Any, TypedDict

import numpy as np
from tokenizers import AddedToken
from transformers import BatchFeature, ProcessorMixin
from transformers.processing_utils import ProcessingKwargs, Unpack


class IMUKwargs(TypedDict, total=False):
    """Keyword arguments of `AnyMoFeatureExtractor.__call__`."""

    sampling_rate: Any
    timestamps: Any
    placements: Any
    force_unit: Any
    rate_unit: Any
    sign: str
    gravity: Any
    views: bool
    padding: bool | str
    max_length: int | None
    truncation: bool


class AnyMoProcessorKwargs(ProcessingKwargs, total=False):
    """Keyword arguments of `AnyMoProcessor.__call__`; those of the sensors stand in `imu_kwargs` only."""

    imu_kwargs: IMUKwargs


class AnyMoProcessor(ProcessorMixin):
    r"""
    Prepares recordings and texts: a feature extractor and a tokenizer in one.

    Each placeholder `<imu>` in a text stands for one recording, in order. It becomes `<imu_start>`, as many
    placeholders as the recording has motion tokens, and `<imu_end>`; the model puts the tokens in their place. A
    recording has
    `num_codebooks * ceil(num_frames / frames_per_step)` of them, where `num_frames` ends with its last observed frame:
    padding in a batch adds none.

    Args:
        feature_extractor (`AnyMoFeatureExtractor`):
            For recordings.
        tokenizer (`PreTrainedTokenizerBase`):
            For texts, with the tokens that `add_motion_tokens` adds.
        chat_template (`str`, *optional*, defaults to `None`):
            Jinja template; `None` leaves the tokenizer's.
        imu_token (`str`, *optional*, defaults to `"<imu>"`):
            Placeholder.
        imu_start_token (`str`, *optional*, defaults to `"<imu_start>"`):
            Before a recording.
        imu_end_token (`str`, *optional*, defaults to `"<imu_end>"`):
            After it.
        num_codebooks (`int`, *optional*, defaults to 2):
            Motion tokens per step, as in the model's `motion_tokenizer_config`.
        codebook_size (`int`, *optional*, defaults to 2048):
            Codes of each codebook.
        frames_per_step (`int`, *optional*, defaults to 4):
            Product of the encoder's strides.
    """

    valid_processor_kwargs = AnyMoProcessorKwargs
    imu_kwargs: dict = {}  # defaults; `_merge_kwargs` wants the attribute

    def __init__(
        self,
        feature_extractor=None,
        tokenizer=None,
        chat_template=None,
        imu_token: str = "<imu>",
        imu_start_token: str = "<imu_start>",
        imu_end_token: str = "<imu_end>",
        num_codebooks: int = 2,
        codebook_size: int = 2048,
        frames_per_step: int = 4,
    ):
        self.imu_token, self.imu_start_token, self.imu_end_token = imu_token, imu_start_token, imu_end_token
        self.num_codebooks, self.codebook_size = num_codebooks, codebook_size
        self.frames_per_step = frames_per_step
        super().__init__(feature_extractor, tokenizer, chat_template=chat_template)

    def __call__(self, imu=None, text=None, **kwargs: Unpack[AnyMoProcessorKwargs]) -> BatchFeature:
        """
        Inputs of the model.

        Args:
            imu (*optional*, defaults to `None`):
                Recordings, see `AnyMoFeatureExtractor.__call__`, or features that it has made, for instance windows.
            text (`str` or `list[str]`, *optional*, defaults to `None`):
                Texts with one `imu_token` per recording.
            kwargs:
                `imu_kwargs` for the feature extractor; everything else for the tokenizer, above all `padding` and
                `return_tensors`, which holds for the features too.

        Returns:
            `BatchFeature`: `input_ids` and `attention_mask` where text is given, `input_values`,
            `input_values_mask` and `orientation_known` where recordings are.

        Raises:
            ValueError: If neither is given, or placeholders and recordings differ in number.
        """
        if imu is None and text is None:
            raise ValueError("`imu` or `text` is needed, but neither was given.")
        merged = self._merge_kwargs(
            AnyMoProcessorKwargs,
            tokenizer_init_kwargs=self.tokenizer.init_kwargs if self.tokenizer is not None else {},
            **kwargs,
        )
        data: dict[str, Any] = {}
        if imu is not None:
            data = self._make_features(imu, merged["imu_kwargs"])
        text_kwargs = merged["text_kwargs"]
        return_tensors = text_kwargs.pop("return_tensors", None)
        if text is not None:
            texts = [text] if isinstance(text, str) else list(text)
            texts = self._expand(texts, self.num_motion_tokens(data["input_values_mask"]) if data else [])
            for name in ("return_mm_token_type_ids", "return_text_replacement_offsets"):
                text_kwargs.pop(name, None)  # of images, which we have not
            data = {**self.tokenizer(texts, **text_kwargs), **data}
        return BatchFeature(data, tensor_type=return_tensors)

    def _make_features(self, imu, imu_kwargs: dict) -> dict:
        names = self.feature_extractor.model_input_names
        if isinstance(imu, Mapping) and {"input_values", "input_values_mask"} <= set(imu):
            if imu_kwargs:
                raise ValueError(f"These are features already; {sorted(imu_kwargs)} in `imu_kwargs` come too late.")
            return {name: imu[name] for name in names if name in imu}
        features = self.feature_extractor(imu, **imu_kwargs)
        return {name: features[name] for name in names}

    def num_motion_tokens(self, input_values_mask) -> list[int]:
        """
        Motion tokens of each recording of a batch.

        Args:
            input_values_mask (array or list of arrays, `(batch_size, ..., num_frames, 23, 6)`):
                True where observed.

        Returns:
            `list[int]`: `num_codebooks` for each step up to the last observed frame.
        """
        counts = []
        for mask in input_values_mask:
            mask = np.asarray(mask)
            observed = mask.reshape(-1, *mask.shape[-3:]).any(axis=(0, 2, 3))
            num_frames = int(np.flatnonzero(observed)[-1]) + 1 if observed.any() else 0
            counts.append(self.num_codebooks * -(-num_frames // self.frames_per_step))
        return counts

    def _expand(self, texts: list[str], counts: list[int]) -> list[str]:
        """Texts with the placeholders of all motion tokens."""
        found = sum(text.count(self.imu_token) for text in texts)
        if found != len(counts):
            raise ValueError(
                f"The texts hold {found} placeholders {self.imu_token!r}, but {len(counts)} recordings were given; "
                "write one for each recording, where it belongs."
            )
        remaining = iter(counts)
        expanded = []
        for text in texts:
            before, *after = text.split(self.imu_token)
            expanded.append(before + "".join(self._placeholders(next(remaining)) + part for part in after))
        return expanded

    def _placeholders(self, count: int) -> str:
        return self.imu_start_token + self.imu_token * count + self.imu_end_token


def motion_token(codebook: int, code: int) -> str:
    """
    Name of a motion token.

    Args:
        codebook (`int`):
            Index of the codebook.
        code (`int`):
            Entry in it.

    Returns:
        `str`: `"<motion_{codebook}_{code}>"`.
    """
    return f"<motion_{codebook}_{code}>"


def add_motion_tokens(
    tokenizer, num_codebooks: int = 2, codebook_size: int = 2048, markers=("<imu>", "<imu_start>", "<imu_end>")
) -> int:
    """
    Adds the markers and all motion tokens to a tokenizer; afterwards resize the model's embeddings to its length.

    Markers are special and left out of decoded text; motion tokens are not, so that they can be generated and read.

    Args:
        tokenizer (`PreTrainedTokenizerBase`):
            Is changed.
        num_codebooks (`int`, *optional*, defaults to 2):
            As in the model's `motion_tokenizer_config`.
        codebook_size (`int`, *optional*, defaults to 2048):
            As there.
        markers (`tuple[str, ...]`, *optional*):
            Placeholder, start and end.

    Returns:
        `int`: Id of the first motion token, `motion_token_offset` of the model's configuration.

    Raises:
        ValueError: If the tokenizer has some of the motion tokens already, at other ids.
    """
    # The default would take their role from the special tokens that the tokenizer already has.
    tokenizer.add_special_tokens({"extra_special_tokens": list(markers)}, replace_extra_special_tokens=False)
    names = [motion_token(codebook, code) for codebook in range(num_codebooks) for code in range(codebook_size)]
    # Normalisation would change their case or put spaces before them.
    tokenizer.add_tokens([AddedToken(name, normalized=False, special=False) for name in names])
    ids = tokenizer.convert_tokens_to_ids(names)
    if ids != list(range(ids[0], ids[0] + len(ids))):
        raise ValueError(
            f"The {len(ids)} motion tokens must have consecutive ids, but the tokenizer already has some of them "
            "elsewhere; start from one without motion tokens."
        )
    return ids[0]


__all__ = ["AnyMoProcessor", "AnyMoProcessorKwargs", "IMUKwargs", "add_motion_tokens", "motion_token"]

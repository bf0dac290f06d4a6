# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""`MotionTextDataset`: described stretches of motion, as a few sensors see them, for training the language model."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from anymo_hf.processing.placements_anymo import NAMED_PLACEMENTS, NUM_SEGMENTS
from anymo_hf.processing.processing_anymo import motion_token
from anymo_hf.prompts import (
    LABEL_TEMPLATES,
    TURN_END,
    TURN_START,
    caption_prompt,
    choice_answer,
    choice_prompt,
    embedding_prompt,
    motion_prompt,
)
from anymo_hf.simulation.body import BodySurface
from anymo_hf.simulation.kinematics import SegmentKinematics
from anymo_hf.simulation.placements import Placements
from anymo_hf.training.descriptions import (
    activity_key,
    activity_name,
    covering_texts,
    describe,
    is_activity,
    texts_from_first_frame,
)
from anymo_hf.training.text_distillation import TeacherTexts
from anymo_hf.training.views import (
    CALIBRATED_SHARE,
    MAX_VISIBLE_SEGMENTS,
    PLACEMENTS_PER_SEGMENT,
    TRUSTED_SHARE,
    Clip,
    PairedViewDataset,
    index_of_item,
    measure_view,
    read_window,
    surface_placements,
)


FEATURES = ("input_values", "input_values_mask", "orientation_known")
TASKS = ("caption", "choice", "embedding", "motion")
TASK_MIX = {"caption": 3.0, "choice": 3.0, "embedding": 6.0, "motion": 1.0}


@dataclass(frozen=True)
class _Stretch:
    """Frames of a clip that have a description, or all of them."""

    clip: Clip
    first_frame: int
    num_frames: int


class MotionTextDataset(PairedViewDataset):
    """
    Windows of described motion as one to five sensors see them, with their texts and the names of the placements.

    Sensors lie anywhere on the skin, in some windows calibrated, else mounted at random, with the errors of
    devices; some have no gyroscope, no gravity in them, a low rate, drop-outs: the first view of `PairedViewDataset`,
    simulated where it is visible only. Each is named by the nearest entry of the placement table. Every item comes
    from `default_rng([seed, epoch, index])` alone.

    Every stretch of a clip that a caption or label describes gives a window per `num_frames` frames or part of them.
    It lies within the stretch; stretches shorter than `min_frames` are seen with what surrounds them.

    Args:
        folder (`str`, `Path` or a sequence of them):
            Written by `convert_motions` or `synthesise_motions`, at 60 Hz.
        seed (`int`, *optional*, defaults to 0):
            Of everything that is drawn.
        num_frames (`int`, *optional*, defaults to 300):
            The longest window.
        min_frames (`int`, *optional*, defaults to 60):
            The shortest window. Clips that are shorter are taken whole.
        described (`bool`, *optional*, defaults to `True`):
            Whether only stretches with a description count. `False` gives windows from anywhere in all clips, for
            training on motion alone.
        surface, rotation (`bool`, *optional*, defaults to `True`):
            As in `PairedViewDataset`; `False` is an ablation.
        max_sensors (`int`, *optional*, defaults to 5):
            The most sensors of a window.

    Raises:
        ValueError: If a folder holds no converted motion, motion at another rate, or none with a description.
    """

    def __init__(
        self,
        folder: str | Path | Sequence[str | Path],
        seed: int = 0,
        num_frames: int = 300,
        min_frames: int = 60,
        described: bool = True,
        surface: bool = True,
        rotation: bool = True,
        max_sensors: int = MAX_VISIBLE_SEGMENTS,
    ):
        if not 1 <= max_sensors <= NUM_SEGMENTS:
            raise ValueError(f"`max_sensors` must lie in 1 to {NUM_SEGMENTS}, one per segment, but is {max_sensors}.")
        self.described = described
        self.max_sensors = max_sensors
        super().__init__(folder, seed, num_frames, min_frames, surface, rotation)

    def _set_clips(self, clips: list[Clip]) -> None:
        super()._set_clips(clips)
        self._texts = {clip: texts_from_first_frame(clip.path) for clip in clips}
        self.stretches = [stretch for clip in clips for stretch in self._find_stretches(clip)]
        if not self.stretches:
            raise ValueError("No motion here has a caption or label; convert motion with texts, or synthesise some.")
        self.clips = list(dict.fromkeys(stretch.clip for stretch in self.stretches))
        self._last_index = np.cumsum([math.ceil(one.num_frames / self.num_frames) for one in self.stretches])

    def _find_stretches(self, clip: Clip) -> list[_Stretch]:
        if not self.described:
            return [_Stretch(clip, 0, clip.num_frames)]
        stretches = []
        for start, end in sorted({(text.start, text.end) for text in self._texts[clip] if text.kind != "style"}):
            first, last = max(round(start * 60), 0), min(round(end * 60) + 1, clip.num_frames)
            if first < last:
                length = max(last - first, min(self.min_frames, clip.num_frames))
                first = min(max((first + last - length) // 2, 0), clip.num_frames - length)
                stretches.append(_Stretch(clip, first, length))
        return stretches

    @property
    def activities(self) -> list[str]:
        """Names of all activities, in alphabetical order."""
        texts = (text for clip in self.clips for text in self._texts[clip])
        return sorted({activity_name(text.text) for text in texts if is_activity(text)})

    @property
    def captions(self) -> list[str]:
        """What stretches are described by, in alphabetical order."""
        captions = set()
        for texts in (self._texts[clip] for clip in self.clips):
            for span in {(text.start, text.end) for text in texts}:
                captions.update(describe([text for text in texts if (text.start, text.end) == span])[0])
        return sorted(captions)

    def __getitem__(self, index: int) -> dict:
        """
        A window.

        Returns:
            `dict`: `input_values` of shape `(length, 23, 6)` in m/s^2 and rad/s and `input_values_mask` of that shape;
            `orientation_known` of shape `(23,)`, where the sensors' axes count as known;
            `texts`, all that describe the window; `activity`, its name or `None`; `placements`, the names of where the
            sensors are worn; `seed`, from which a collator draws what else is random.
        """
        index = index_of_item(index, len(self))
        rng = np.random.default_rng([self.seed, self.epoch, index])
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        number, slot = self._find_slot(index)
        stretch = self.stretches[number]
        first, length = self._draw_window(stretch, slot, rng)
        first += stretch.first_frame
        kinematics = read_window(stretch.clip.path, first, length)

        placements, is_known, readings = self._sense(kinematics, rng, generator)
        values = torch.full((length, NUM_SEGMENTS, 6), torch.nan)
        values[:, placements.segment] = readings
        texts, activity = describe(covering_texts(self._texts[stretch.clip], first / 60, (first + length - 1) / 60))
        return {
            "input_values": values.nan_to_num(nan=0.0),
            "input_values_mask": ~values.isnan(),
            "orientation_known": torch.full((NUM_SEGMENTS,), is_known),
            "texts": texts,
            "activity": activity,
            "placements": list(placements.names),
            "seed": int(rng.integers(2**62)),
        }

    def _sense(
        self, kinematics: SegmentKinematics, rng: np.random.Generator, generator: torch.Generator
    ) -> tuple[Placements, bool, torch.Tensor]:
        """Sensors, whether their axes count as known, and their readings, `(num_frames, num_placements, 6)`."""
        placements = self._draw_few_placements(kinematics, rng)
        draw = rng.random()
        if self.rotation:
            placements = placements.align(generator) if draw < CALIBRATED_SHARE else placements.mount(generator)
        readings = measure_view(kinematics, placements, rng, generator, as_worn=True)
        return placements, draw < CALIBRATED_SHARE + TRUSTED_SHARE, readings

    def _draw_few_placements(self, kinematics: SegmentKinematics, rng: np.random.Generator) -> Placements:
        """One to `max_sensors` sensors on segments that were measured, with the names of their places."""
        measured = np.flatnonzero(kinematics.mask.any(dim=0).numpy())
        if not measured.size:  # within a gap of the whole recording
            measured = np.arange(NUM_SEGMENTS)
        number = min(rng.integers(1, self.max_sensors + 1), len(measured))
        segments = rng.choice(measured, size=number, replace=False)
        chosen = rng.integers(PLACEMENTS_PER_SEGMENT, size=number)
        if self.surface:
            offsets, orientations = surface_placements(kinematics.bone_offsets.tobytes())
            offsets, orientations = offsets[segments, chosen], orientations[segments, chosen]
        else:
            offsets = torch.zeros(number, 3)
            orientations = torch.tensor([1.0, 0.0, 0.0, 0.0]).expand(number, 4)
        places = zip(segments.tolist(), offsets, strict=True)
        names = [_nearest_name(segment, spot, kinematics.bone_offsets) for segment, spot in places]
        return Placements(torch.from_numpy(segments), offsets, orientations, names)


def _nearest_name(segment: int, spot: torch.Tensor, bone_offsets: np.ndarray) -> str:
    """Of the named places on a segment, the one nearest to a spot on it."""
    named, stature = _named_places()
    on_segment = (named.segment == segment).nonzero()[:, 0]
    # Placing all names on every body would take longer than all else; bodies differ in size more than in proportion.
    spot = spot * (stature / np.linalg.norm(bone_offsets, axis=1).sum())
    nearest = torch.linalg.vector_norm(named.offset[on_segment] - spot, dim=1).argmin()
    return named.names[int(on_segment[nearest])]


@functools.cache
def _named_places() -> tuple[Placements, float]:
    """All named places on the default body, and the length of its bones together."""
    body = BodySurface.default()
    return Placements.from_names(list(NAMED_PLACEMENTS), body), float(np.linalg.norm(body.bone_offsets, axis=1).sum())


class MotionTextCollator:
    """
    Makes batches of conversations about motion for `AnyMoForCausalLM`.

    Every row gets one task, in the proportions of `mix` within each batch: `caption` (motion to text), `choice`
    (motion to the key and name of one of some activities), `motion` (text to motion tokens), and `embedding`, whose
    rows alone count in the contrastive losses: against a narration of each, and against names of activities. The
    official release mixes captions, choices and embeddings 3 : 3 : 6 and leaves text to motion out.

    Prompts name the placements, shuffled, in four fifths of all rows. What is random comes from the items' seeds.

    Args:
        processor (`AnyMoProcessor`):
            With a tokenizer that has motion tokens, the tokens of ChatML and one for padding.
        activities (`Sequence[str]`):
            Names among which choices and candidates are drawn.
        mix (`dict[str, float]`, *optional*, defaults to `TASK_MIX`):
            Share of each task; 0 or its absence switches it off.
        num_options (`int`, *optional*, defaults to 8):
            Most options of a choice, which has at least two.
        num_candidates (`int`, *optional*, defaults to 35):
            Names of activities in the activity loss; more where a batch shows more.
        teacher_texts (`TeacherTexts`, *optional*, defaults to `None`):
            Texts whose similarities shall be learned beside; some of them come with every batch.
        num_teacher_texts (`int`, *optional*, defaults to 64):
            How many.

    Raises:
        ValueError: If the tokenizer lacks a token, or the mix is empty or names another task; in a call, if it has
            choices alone and an activity is unknown.
    """

    def __init__(
        self,
        processor,
        activities: Sequence[str],
        mix: dict[str, float] | None = None,
        num_options: int = 8,
        num_candidates: int = 35,
        teacher_texts: TeacherTexts | None = None,
        num_teacher_texts: int = 64,
    ):
        _check_tokenizer(processor)
        mix = TASK_MIX if mix is None else mix
        if not set(mix) <= set(TASKS) or min(mix.values(), default=0) < 0 or sum(mix.values()) <= 0:
            raise ValueError(f"`mix` must give shares to some of {', '.join(TASKS)}, but is {mix}.")
        self.processor = processor
        self.mix = {task: mix.get(task, 0.0) for task in TASKS}
        self.num_options, self.num_candidates = num_options, num_candidates
        self.teacher_texts, self.num_teacher_texts = teacher_texts, num_teacher_texts
        self.spellings: dict[str, list[str]] = {}  # of each activity
        for name in activities:
            self.spellings.setdefault(activity_key(name), []).append(name)

    def __call__(self, items: list[dict]) -> dict[str, torch.Tensor]:
        """
        A batch.

        Args:
            items (`list[dict]`):
                Of `MotionTextDataset`, or of `MotionTokenDataset`.

        Returns:
            `dict[str, torch.Tensor]`: `input_ids`, `attention_mask`, `labels` (-100 but for the answers), and, unless
            the items hold motion tokens, what the encoder takes; and where `mix` has embeddings `text_input_ids`,
            `text_attention_mask` (zeros in rows of other tasks), `candidate_input_ids`, `candidate_attention_mask`,
            `candidate_targets`; and with `teacher_texts` `teacher_input_ids`, `teacher_attention_mask` and
            `teacher_similarities`.
        """
        rng = np.random.default_rng([item["seed"] for item in items])
        features, counts = motion_features(items, self.processor)
        activities = [self._key(item["activity"]) for item in items]
        tasks = self._draw_tasks(activities, rng)
        texts = [item["texts"][rng.integers(len(item["texts"]))] for item in items]
        placements = [item["placements"] for item in items]
        turns = [self._write(*row, rng) for row in zip(tasks, texts, activities, placements, strict=True)]
        rows = [tokenise(self.processor, *turn, count) for turn, count in zip(turns, counts, strict=True)]
        batch = {**pad_rows(rows, self.processor.tokenizer.pad_token_id), **features}
        insert_motion_tokens(batch, items, self.processor)
        if self.mix["embedding"]:
            is_embedding = [task == "embedding" for task in tasks]
            batch |= self._pad_texts(
                "text", [text if counted else None for text, counted in zip(texts, is_embedding, strict=True)]
            )
            if self.spellings:
                shown = [key if counted else None for key, counted in zip(activities, is_embedding, strict=True)]
                batch |= self._draw_candidates(shown, rng)
        if self.teacher_texts is not None:
            drawn, similarities = self.teacher_texts.draw(self.num_teacher_texts, rng)
            batch |= {**self._pad_texts("teacher", drawn), "teacher_similarities": similarities}
        return batch

    def _key(self, activity: str | None) -> str | None:
        """Of an activity that is known."""
        key = None if activity is None else activity_key(activity)
        return key if key in self.spellings else None

    def _draw_tasks(self, activities: list[str | None], rng: np.random.Generator) -> list[str]:
        """Of each row: the shares are kept within every batch, so that its contrastive rows are always as many."""
        shares = np.cumsum([self.mix[task] for task in TASKS]) / sum(self.mix.values())
        places = (rng.permutation(len(activities)) + rng.random()) / len(activities)
        tasks = [TASKS[i] for i in np.searchsorted(shares, places, side="right")]
        otherwise = next((task for task in ("caption", "embedding", "motion") if self.mix[task]), None)
        tasks = [
            otherwise if task == "choice" and (key is None or len(self.spellings) < 2) else task
            for task, key in zip(tasks, activities, strict=True)
        ]
        if None in tasks:
            raise ValueError("A window of unknown activity has nothing to choose; give `mix` a task beside `choice`.")
        return tasks

    def _write(self, task: str, text: str, activity: str | None, placements, rng) -> tuple[str, str | None]:
        """The prompt and the answer of a row."""
        if task == "caption":
            return caption_prompt(placements, rng=rng), text
        if task == "motion":
            return motion_prompt(text, placements, rng), self.processor.imu_token
        if task == "embedding":
            return embedding_prompt(placements, rng), None
        others = [key for key in self.spellings if key != activity]
        number = min(int(rng.integers(1, max(self.num_options, 2))), len(others))
        keys = [activity, *(others[i] for i in rng.choice(len(others), number, replace=False))]
        keys = [keys[i] for i in rng.permutation(len(keys))]
        options = [self._spell(key, rng) for key in keys]
        index = keys.index(activity)
        return choice_prompt(options, placements, rng), choice_answer(index, options[index])

    def _spell(self, key: str, rng: np.random.Generator) -> str:
        spellings = self.spellings[key]
        return spellings[rng.integers(len(spellings))]

    def _draw_candidates(self, shown: list[str | None], rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Names of the activities that the rows show, and of others, and which are right."""
        keys = list(dict.fromkeys(key for key in shown if key is not None))
        others = [key for key in self.spellings if key not in keys]
        number = min(max(self.num_candidates - len(keys), 0), len(others))
        keys += [others[i] for i in rng.choice(len(others), number, replace=False)] if number else []
        names = [
            LABEL_TEMPLATES[rng.integers(len(LABEL_TEMPLATES))].replace("{}", self._spell(key, rng)) for key in keys
        ]
        targets = torch.tensor([[key == one for key in keys] for one in shown])
        return {**self._pad_texts("candidate", names), "candidate_targets": targets}

    def _pad_texts(self, name: str, texts: list[str | None]) -> dict[str, torch.Tensor]:
        tokenizer = self.processor.tokenizer
        ids = [[] if text is None else tokenizer(text)["input_ids"] for text in texts]
        padded = pad_rows([(row, row) for row in ids], tokenizer.pad_token_id)
        return {f"{name}_{part}": padded[part] for part in ("input_ids", "attention_mask")}


class MotionCollator:
    """
    Makes batches of motion tokens alone, which the language model continues.

    Args:
        processor (`AnyMoProcessor`):
            As in `MotionTextCollator`.
    """

    def __init__(self, processor):
        _check_tokenizer(processor)
        self.processor = processor

    def __call__(self, items: list[dict]) -> dict[str, torch.Tensor]:
        """`input_ids`, `attention_mask`, `labels`, and, unless they hold motion tokens, what the encoder takes."""
        features, counts = motion_features(items, self.processor)
        rows = [tokenise(self.processor, "", self.processor.imu_token, count) for count in counts]
        batch = {**pad_rows(rows, self.processor.tokenizer.pad_token_id), **features}
        insert_motion_tokens(batch, items, self.processor)
        return batch


def tokenise(processor, prompt: str, answer: str | None, num_motion_tokens: int) -> tuple[list[int], list[int]]:
    """Token ids and labels of a prompt and its answer, with the placeholders of the one recording in either."""
    start, end = processor.imu_start_token, processor.imu_end_token
    motion = start + processor.imu_token * num_motion_tokens + end
    # Apart, as when the answer is generated: the prompt's tokens must not depend on what follows.
    ids = list(processor.tokenizer(prompt.replace(processor.imu_token, motion))["input_ids"])
    labels = [-100] * len(ids)
    if answer is not None:
        answer = answer.replace(processor.imu_token, motion) + TURN_END
        answer_ids = processor.tokenizer(answer, add_special_tokens=False)["input_ids"]
        ids, labels = ids + answer_ids, labels + answer_ids
    return ids, labels


def pad_rows(rows: list[tuple[list[int], list[int]]], pad_token_id: int) -> dict[str, torch.Tensor]:
    """`input_ids`, `attention_mask` and `labels` of rows of ids and labels, padded on the right."""
    length = max([1, *(len(ids) for ids, _ in rows)])
    input_ids = torch.full((len(rows), length), pad_token_id)
    attention_mask, labels = torch.zeros_like(input_ids), torch.full_like(input_ids, -100)
    for i, (ids, row_labels) in enumerate(rows):
        input_ids[i, : len(ids)] = torch.tensor(ids, dtype=torch.long)
        attention_mask[i, : len(ids)] = 1
        labels[i, : len(ids)] = torch.tensor(row_labels, dtype=torch.long)
    return {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}


def pad_features(items: list[dict]) -> dict[str, torch.Tensor]:
    """What the encoder takes of items; frames are padded at the end."""
    pad = torch.nn.utils.rnn.pad_sequence
    given = [name for name in FEATURES if name in items[0]]
    return {name: pad([item[name] for item in items], batch_first=True) for name in given}


def motion_features(items: list[dict], processor) -> tuple[dict[str, torch.Tensor], list[int]]:
    """What the encoder takes of items, nothing where they hold motion tokens, and how many tokens each has."""
    if "motion_tokens" in items[0]:
        return {}, [len(item["motion_tokens"]) for item in items]
    features = pad_features(items)
    return features, processor.num_motion_tokens(features["input_values_mask"].numpy())


def insert_motion_tokens(batch: dict[str, torch.Tensor], items: list[dict], processor) -> None:
    """Put motion tokens that items hold in place of the placeholders; without them the model does."""
    if "motion_tokens" not in items[0]:
        return
    tokenizer = processor.tokenizer
    first, placeholder = tokenizer.convert_tokens_to_ids([motion_token(0, 0), processor.imu_token])
    tokens = first + torch.cat([item["motion_tokens"] for item in items])
    for name in ("labels", "input_ids"):  # placeholders tell where they go in both
        is_motion = batch["input_ids"] == placeholder
        values = batch["input_ids"].masked_scatter(is_motion, tokens)
        batch[name] = torch.where(is_motion & (batch[name] == placeholder), values, batch[name])


def _check_tokenizer(processor) -> None:
    tokenizer = processor.tokenizer
    needed = (processor.imu_token, processor.imu_start_token, processor.imu_end_token, TURN_START, TURN_END)
    missing = [token for token in needed if token not in tokenizer.get_vocab()]
    if missing or tokenizer.pad_token_id is None:
        raise ValueError(
            f"The tokenizer must know {', '.join(needed)} and a token for padding, but lacks "
            f"{', '.join(missing) or 'the one for padding'}; `prepare_tokenizer` adds them."
        )


__all__ = ["TASK_MIX", "MotionCollator", "MotionTextCollator", "MotionTextDataset", "activity_key", "activity_name"]

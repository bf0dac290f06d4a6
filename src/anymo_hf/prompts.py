# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Every prompt in one place: what the language model reads around a recording, alike in training and in use."""

import string
from collections.abc import Sequence

import numpy as np


IMU_TOKEN = "<imu>"
TURN_START, TURN_END = "<|im_start|>", "<|im_end|>"
# ChatML without a turn of the system. A message is a text, or a list of {"type": "text", "text": ...} and
# {"type": "imu"}.
CHAT_TEMPLATE = """\
{%- for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}\
{%- if message['content'] is string %}{{ message['content'] }}\
{%- else %}\
{%- for part in message['content'] %}{{ '<imu>' if part['type'] == 'imu' else part['text'] }}{%- endfor %}\
{%- endif %}{{ '<|im_end|>\\n' }}{%- endfor %}\
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{%- endif %}"""

CAPTION_QUESTION = "What does the person do?"
# What is compared with a recording when an activity is looked for; the mean of their embeddings stands for it.
LABEL_TEMPLATES = ("A person is {}.", "Someone is {}.")
OPTION_KEYS = string.ascii_lowercase
# So often training says nothing of placements: users may not know them.
PLACEMENTS_LEFT_OUT_SHARE = 0.2


def placement_sentence(placements: Sequence[str], rng: np.random.Generator | None = None) -> str:
    """
    Where the sensors are worn.

    Args:
        placements (`Sequence[str]`):
            Names of the placement table, such as `"left wrist"`; the sentence of none is empty.
        rng (`np.random.Generator`, *optional*, defaults to `None`):
            For training: shuffles the names, and leaves the sentence out in a fifth of all cases. `None` keeps all.

    Returns:
        `str`: `" The sensors are worn at the left wrist and the chest."`, with a space before it.
    """
    names = list(dict.fromkeys(placements))
    if rng is not None:
        names = [names[i] for i in rng.permutation(len(names))]
        if rng.random() < PLACEMENTS_LEFT_OUT_SHARE:
            names = []
    if not names:
        return ""
    places = [f"the {name}" for name in names]
    listed = " and ".join([", ".join(places[:-1]), places[-1]] if len(places) > 1 else places)
    return f" The {'sensors are' if len(names) > 1 else 'sensor is'} worn at {listed}."


def embedding_prompt(placements: Sequence[str] = (), rng: np.random.Generator | None = None) -> str:
    """Asks for an embedding of a recording; arguments as in `placement_sentence`."""
    return _ask(f"Represent the motion.{placement_sentence(placements, rng)}\n{IMU_TOKEN}")


def caption_prompt(
    placements: Sequence[str] = (), question: str | None = None, rng: np.random.Generator | None = None
) -> str:
    """
    Asks for a description of a recording.

    Args:
        placements (`Sequence[str]`, *optional*):
            As in `placement_sentence`.
        question (`str`, *optional*, defaults to `None`):
            Another question than the one that training asks.
        rng (`np.random.Generator`, *optional*, defaults to `None`):
            As in `placement_sentence`.

    Returns:
        `str`: Up to where the answer begins.
    """
    return _ask(f"Read the motion.{placement_sentence(placements, rng)}\n{IMU_TOKEN}\n{question or CAPTION_QUESTION}")


def choice_prompt(
    options: Sequence[str], placements: Sequence[str] = (), rng: np.random.Generator | None = None
) -> str:
    """
    Asks which of some activities a recording shows; `choice_answer` is the answer.

    Args:
        options (`Sequence[str]`):
            At most 26, for the keys a to z.
        placements (`Sequence[str]`, *optional*):
            As in `placement_sentence`.
        rng (`np.random.Generator`, *optional*, defaults to `None`):
            As in `placement_sentence`.

    Raises:
        ValueError: If there are more options than keys.
    """
    if not 1 <= len(options) <= len(OPTION_KEYS):
        raise ValueError(f"`options` must be 1 to {len(OPTION_KEYS)} activities, but are {len(options)}; give fewer.")
    lines = "\n".join(choice_answer(i, option) for i, option in enumerate(options))
    # The options follow the recording: its embedding must not depend on them.
    return _ask(f"Read the motion.{placement_sentence(placements, rng)}\n{IMU_TOKEN}\nWhich activity is it?\n{lines}")


def choice_answer(index: int, option: str) -> str:
    """The option of that index with its key: `"b. walking"`."""
    return f"{OPTION_KEYS[index]}. {option}"


def motion_prompt(text: str, placements: Sequence[str] = (), rng: np.random.Generator | None = None) -> str:
    """Asks for the motion tokens of sensors at these placements while a person does what the text says."""
    return _ask(f"Write the motion.{placement_sentence(placements, rng)}\n{text}")


def _ask(content: str) -> str:
    """A conversation up to where the answer begins, as `CHAT_TEMPLATE` has it."""
    return f"{TURN_START}user\n{content}{TURN_END}\n{TURN_START}assistant\n"

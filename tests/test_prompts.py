# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""What the language model reads: the words of every prompt, and that templates and functions agree."""

import numpy as np
import pytest
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from anymo_hf import prompts


def test_placements_are_named_in_the_words_of_the_table():
    assert prompts.placement_sentence([]) == ""
    assert prompts.placement_sentence(["chest"]) == " The sensor is worn at the chest."
    three = prompts.placement_sentence(["left wrist", "chest", "right ankle"])
    assert three == " The sensors are worn at the left wrist, the chest and the right ankle."
    # Two sensors in one place are one place.
    assert prompts.placement_sentence(["chest", "chest"]) == " The sensor is worn at the chest."


def test_training_shuffles_placements_and_leaves_a_fifth_out():
    rng = np.random.default_rng(0)
    names = ["left wrist", "chest", "right ankle"]
    sentences = [prompts.placement_sentence(names, rng) for _ in range(3000)]
    left_out = sentences.count("") / len(sentences)
    assert left_out == pytest.approx(0.2, abs=4 * (0.2 * 0.8 / 3000) ** 0.5)
    orders = {tuple(sorted(names, key=sentence.index)) for sentence in sentences if sentence}
    assert len(orders) == 6 and all(name in sentence for sentence in sentences if sentence for name in names)
    again = np.random.default_rng(0)
    assert [prompts.placement_sentence(names, again) for _ in range(3000)] == sentences


def test_every_prompt_word_by_word():
    where = " The sensor is worn at the chest."
    start, answer = "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"
    assert prompts.embedding_prompt(["chest"]) == f"{start}Represent the motion.{where}\n<imu>{answer}"
    assert prompts.caption_prompt() == f"{start}Read the motion.\n<imu>\nWhat does the person do?{answer}"
    assert (
        prompts.caption_prompt(["chest"], "Is it a dog?")
        == f"{start}Read the motion.{where}\n<imu>\nIs it a dog?{answer}"
    )
    choice = prompts.choice_prompt(["walking", "sitting"], ["chest"])
    assert choice == f"{start}Read the motion.{where}\n<imu>\nWhich activity is it?\na. walking\nb. sitting{answer}"
    assert prompts.choice_answer(1, "sitting") == "b. sitting"
    assert (
        prompts.motion_prompt("A person sits.", ["chest"])
        == f"{start}Write the motion.{where}\nA person sits.{answer}"
    )
    assert "z. 25" in prompts.choice_prompt([str(i) for i in range(26)])
    with pytest.raises(ValueError, match="must be 1 to 26 activities, but are 27"):
        prompts.choice_prompt([str(i) for i in range(27)])


def test_the_template_gives_the_same_conversations():
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"<unk>": 0}, unk_token="<unk>")))
    tokenizer.chat_template = prompts.CHAT_TEMPLATE
    parts = [{"type": "text", "text": "Represent the motion.\n"}, {"type": "imu"}]
    for content in ("Represent the motion.\n<imu>", parts):
        messages = [{"role": "user", "content": content}]
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        assert text == prompts.embedding_prompt()
    messages.append({"role": "assistant", "content": "A person walks."})
    whole = tokenizer.apply_chat_template(messages, tokenize=False)
    assert whole == prompts.embedding_prompt() + "A person walks.<|im_end|>\n"


def test_placements_stand_before_the_recording_and_options_behind():
    # Hidden states of the motion tokens know what stands before them only: an embedding must know the placements and
    # must not know the options.
    for prompt in (prompts.embedding_prompt(["chest"]), prompts.choice_prompt(["walking"], ["chest"])):
        assert prompt.index("chest") < prompt.index("<imu>")
    assert prompts.choice_prompt(["walking"]).index("walking") > prompts.choice_prompt(["walking"]).index("<imu>")

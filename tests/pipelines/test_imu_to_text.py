# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Captions: what `generate` gives, words only, questions, batches."""

import pytest
import torch


@pytest.fixture
def recordings(readings):
    places = ("left wrist", "right ankle", "left wrist")
    return [{place: (readings(3.0 + seed, seed=seed), 50.0)} for seed, place in enumerate(places)]


@pytest.fixture
def prompts(describe, monkeypatch):
    """The prompts of every batch."""
    seen, prepare = [], describe.prepare

    def spy(features, prompts, **kwargs):
        seen.append(prompts)
        return prepare(features, prompts, **kwargs)

    monkeypatch.setattr(describe, "prepare", spy)
    return seen


def test_captions_are_what_generate_gives(describe, recordings, prompts):
    (window,) = describe(recordings[0])
    features = describe.feature_extractor(recordings[0], max_length=300, padding="max_length")
    inputs = describe.processor(imu=features, text=prompts[0][0], return_tensors="pt")
    suppressed = [i for i in range(len(describe.processor.tokenizer)) if i >= describe.model.config.imu_token_id]
    tokens = describe.model.generate(**inputs, max_new_tokens=8, do_sample=False, suppress_tokens=suppressed)
    new = tokens[0, inputs["input_ids"].shape[1] :]
    expected = describe.processor.tokenizer.decode(new, skip_special_tokens=True).strip()
    assert window == {"start": 0.0, "end": 2.98, "generated_text": expected}


def test_batches_equal_single(describe, recordings):
    # A model that never learned repeats one word; no word twice shows the order of all.
    options = {"generate_kwargs": {"no_repeat_ngram_size": 1}, "max_new_tokens": 12}
    for window in (5.0, None):  # without windows the prompts have different lengths
        alone = [describe(recording, window=window, **options) for recording in recordings]
        assert [len(windows) for windows in alone] == [1, 1, 1]
        assert len({windows[0]["generated_text"] for windows in alone}) > 1
        for batch_size in (2, 3):
            assert describe(recordings, window=window, batch_size=batch_size, **options) == alone


def test_long_recordings_are_described_window_by_window(describe, readings):
    windows = describe(readings(11.0), sampling_rate=50, placements="left wrist", window=2.0)
    assert [(window["start"], window["end"]) for window in windows] == [(2.0 * i, 2.0 * i + 2) for i in range(5)]


def test_only_words_are_written(describe, recordings):
    first = describe.model.config.imu_token_id  # what follows are markers, motion tokens and rows without a token
    assert describe.model.config.text_config.vocab_size > len(describe.processor.tokenizer)
    written = []

    def prefer_others(module, inputs, logits):
        others = torch.arange(logits.shape[-1]) >= first
        others[describe.processor.tokenizer.pad_token_id] = True
        return logits + 1000 * others

    generate = describe.model.generate

    def spy(**inputs):
        written.append(generate(**inputs))
        return written[-1]

    handle = describe.model.lm_head.register_forward_hook(prefer_others)
    describe.model.generate = spy
    try:
        describe(recordings)
    finally:
        handle.remove()
        del describe.model.generate
    new = written[0][:, -8:]
    assert (new < first).all() and (new != describe.processor.tokenizer.pad_token_id).all()


def test_what_the_model_suppresses_itself_stays_suppressed(describe, recordings, monkeypatch):
    options = {"generate_kwargs": {"no_repeat_ngram_size": 1}, "max_new_tokens": 12}  # many words
    text = describe(recordings[0], **options)[0]["generated_text"].split()[:3]
    words = describe.processor.tokenizer.convert_tokens_to_ids(text)
    monkeypatch.setattr(describe.model.generation_config, "suppress_tokens", words)
    again = describe(recordings[0], **options)[0]["generated_text"]
    assert text and again and not set(again.split()) & set(text)


def test_prompts_name_the_placements_and_hold_the_question(describe, readings, prompts):
    two = {"right ankle": (readings(3.0), 50.0), "watch": (readings(3.0), 50.0)}
    describe(two, question="is the person walking up stairs")
    (prompt,) = prompts[0]
    assert "right ankle" in prompt and "wrist" in prompt and "is the person walking up stairs" in prompt
    describe(two)
    assert "is the person walking up stairs" not in prompts[1][0]


def test_options_of_generate(describe, recordings):
    short = describe(recordings[0], max_new_tokens=1)[0]["generated_text"]
    assert len(short.split()) <= 1
    assert describe(recordings[:2], generate_kwargs={"num_beams": 2})[0][0]["generated_text"] is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"question": " "}, "`question` must be a text"),
        ({"generate_kwargs": {"num_beams": 2, "num_return_sequences": 2}}, "leave `num_return_sequences` out"),
        ({"max_new_tokens": 1000}, "reads 1024 tokens"),
        ({"prompt": "what"}, "are no options of 'imu-to-text'"),
    ],
)
def test_errors(describe, recordings, options, message):
    with pytest.raises(ValueError, match=message):
        describe(recordings[0], **options)


def test_generate_kwargs_have_the_last_word(describe, recordings):
    options = {"max_new_tokens": 3, "suppress_tokens": None}
    (window,) = describe(recordings[0], generate_kwargs=options)
    tokens = describe.processor.tokenizer(window["generated_text"])["input_ids"]
    assert len(tokens) <= 3

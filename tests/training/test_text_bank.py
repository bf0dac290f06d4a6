# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Which texts a window is judged by, and how often each occurs."""

import pytest
import torch

from anymo_hf.simulation.motion import TextSpan
from anymo_hf.training import TextBank, TextBankCollator
from anymo_hf.training.descriptions import texts_by_span


ACTIVITY = TextSpan(0.0, 4.0, "lying", "label")
CAPTIONS = [TextSpan(0.0, 4.0, f"Someone lies on the {side}.", "caption") for side in ("back", "front")]


def test_activity_and_captions_share_a_stretch():
    assert texts_by_span([ACTIVITY, *CAPTIONS]) == [
        (4.0, {"Someone lies on the back.": 0.25, "Someone lies on the front.": 0.25, "lying": 0.5})
    ]
    assert texts_by_span([ACTIVITY]) == [(4.0, {"lying": 1.0})]
    assert texts_by_span(CAPTIONS[:1]) == [(4.0, {"Someone lies on the back.": 1.0})]
    later = TextSpan(5.0, 6.0, "walk, run", "label")  # of several things: a caption, no activity
    assert texts_by_span([ACTIVITY, later]) == [(4.0, {"lying": 1.0}), (1.0, {"walk, run": 1.0})]


def test_a_style_is_no_caption_beside_an_activity():
    style = TextSpan(0.0, 4.0, "active", "style")
    assert texts_by_span([ACTIVITY, style]) == [(4.0, {"lying": 1.0})]


def test_half_of_the_windows_are_judged_by_their_activity():
    bank = TextBank(["lying", "on the back", "on the front"], torch.eye(3), torch.ones(3) / 3)
    item = {"input_values": torch.zeros(1, 23, 6), "texts": ["on the back", "unknown", "on the front"]}
    item |= {"input_values_mask": item["input_values"] > 0, "activity": "lying"}
    index = TextBankCollator(bank)([item | {"seed": seed} for seed in range(8)])["text_index"]
    assert index.tolist() == [1, 0, 2, 0, 1, 0, 2, 0]
    index = TextBankCollator(bank)([item | {"seed": seed, "activity": None} for seed in range(4)])["text_index"]
    assert index.tolist() == [1, 1, 2, 2]
    index = TextBankCollator(bank)([item | {"seed": seed, "texts": ["unknown"]} for seed in range(2)])["text_index"]
    assert index.tolist() == [0, 0]
    index = TextBankCollator(bank)([item | {"seed": 0, "texts": [], "activity": "unknown"}])["text_index"]
    assert index.tolist() == [-1]


def test_shares_count_time(tmp_path, monkeypatch):
    from anymo_hf.training import TeacherTexts, text_bank

    monkeypatch.setattr(text_bank, "texts_from_first_frame", lambda path: [ACTIVITY, *CAPTIONS[: int(path)]])
    teacher = TeacherTexts(["lying", "Someone lies on the back."], torch.eye(2))
    bank = TextBank.from_clips(["0", "1"], teacher)
    assert bank.texts == ["Someone lies on the back.", "lying"]
    assert bank.shares.tolist() == pytest.approx([0.25, 0.75])

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Scores of captions: figures that can be counted by hand."""

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from anymo_hf.evaluation.caption_metrics import (
    bert_score,
    bleu,
    caption_scores,
    has_wordnet,
    longest_common_subsequence,
    meteor,
    rouge_l,
)


def test_common_subsequence():
    assert longest_common_subsequence(["a", "b", "c", "d", "e"], ["x", "a", "c", "y", "e"]) == 3
    assert longest_common_subsequence([], ["a"]) == 0


def test_rouge_by_hand():
    assert rouge_l(["A person walks."], [["a person walks"]]) == pytest.approx(1.0)
    assert rouge_l(["a person walks"], [["dogs bark"]]) == 0.0
    assert rouge_l(["..."], [["dogs bark"]]) == 0.0
    # Precision 2 / 2, recall 2 / 4, and beta 1.2.
    expected = (1 + 1.44) * 1.0 * 0.5 / (0.5 + 1.44 * 1.0)
    assert rouge_l(["person walks"], [["a person walks slowly"]]) == pytest.approx(expected)
    # The best reference counts, and captions count alike.
    found = rouge_l(["person walks", "no"], [["dogs", "person walks"], ["yes"]])
    assert found == pytest.approx(0.5)


def test_bleu_by_hand():
    pytest.importorskip("sacrebleu")
    # Four of five words of the first caption are right, and both of the second; as long as the references.
    references = [["a person walks forward slowly", "a human strolls"], ["they sit"]]
    assert bleu(["A person walks forward fast", "they sit"], references, 1) == pytest.approx(6 / 7)
    # Two of four words, half as long as the reference: exp(1 - 8 / 4).
    assert bleu(["a b x y"], [["a b c d e f g h"]], 1) == pytest.approx(0.5 * np.exp(-1))
    assert bleu(["one two three four five"], [["one two three four five"]]) == pytest.approx(1.0)


def test_meteor_by_hand():
    pytest.importorskip("nltk")
    # One chunk of four: 1 - 0.5 * (1 / 4)^3.
    assert meteor(["A person is walking!"], [["a person is walking"]]) == pytest.approx(0.9921875)
    assert meteor(["dogs"], [["a person"]]) == 0.0
    # "walks" has the stem of "walking": precision 3 / 3, recall 3 / 4, two chunks of three words.
    mean = 1.0 * 0.75 / (0.9 * 1.0 + 0.1 * 0.75)
    expected = mean * (1 - 0.5 * (2 / 3) ** 3)
    assert meteor(["a person walks"], [["no", "a person is walking"]]) == pytest.approx(expected)


def test_all_scores():
    pytest.importorskip("sacrebleu")
    pytest.importorskip("nltk")
    scores = caption_scores(["a person walks"], [["a person walks"]])
    expected = ["BLEU-1", "BLEU-4", "ROUGE-L", "METEOR (exact and stem)"]
    assert list(scores) == expected + ["METEOR (with synonyms)"] * has_wordnet()


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        (["a"], [], "1 captions came with 0 lists"),
        ([], [], "0 captions"),
        (["a"], ["a"], "list of texts for each caption"),
        (["a"], [[]], "list of texts for each caption"),
    ],
)
def test_errors(predictions, references, message):
    with pytest.raises(ValueError, match=message):
        rouge_l(predictions, references)


@pytest.fixture(scope="module")
def text_encoder(tmp_path_factory):
    """Folder of a tiny encoder with random weights."""
    folder = str(tmp_path_factory.mktemp("encoder"))
    vocabulary = ["<pad>", "<s>", "</s>", "<unk>", "a", "person", "walks", "sits"]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(vocabulary)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("</s>", 2), ("<s>", 1))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=8, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, pad_token_id=0
    )
    BertModel(config).save_pretrained(folder)
    return folder


@torch.no_grad()
def test_bert_score(text_encoder):
    assert bert_score(["a person walks"], [["a person walks"]], text_encoder) == pytest.approx(1.0, abs=1e-5)
    near = bert_score(["a person walks"], [["a person sits", "sits"]], text_encoder)
    far = bert_score(["a person walks"], [["sits"]], text_encoder)
    assert far < near < 1.0
    # Layer 0 knows words only, each at its place: two of three are the same.
    states = BertModel.from_pretrained(text_encoder).embeddings(torch.tensor([[1, 4, 5, 6, 2], [1, 4, 5, 7, 2]]))
    states = torch.nn.functional.normalize(states, dim=-1)[:, 1:4]
    cosines = states[0] @ states[1].T
    precision, recall = cosines.amax(1).mean(), cosines.amax(0).mean()
    expected = float(2 * precision * recall / (precision + recall))
    assert bert_score(["a person walks"], [["a person sits"]], text_encoder, layer=0) == pytest.approx(expected)

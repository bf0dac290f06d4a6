# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
How close captions come to what people wrote: BLEU, ROUGE-L, METEOR, and BERTScore with a model of one's choice.

BLEU needs sacrebleu and METEOR needs nltk (`pip install -e ".[eval]"`). All figures are 0 to 1, without regard to
capitals. A caption may have several references.
"""

import re
from collections.abc import Sequence

import numpy as np
import torch


ROUGE_BETA = 1.2  # weight of recall in ROUGE-L, as the evaluation of COCO captions has it
BERT_BATCH = 32


class _NoSynonyms:
    """Stands for WordNet where only equal words and stems count."""

    @staticmethod
    def synsets(word: str) -> list:
        return []


def caption_scores(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """
    All scores that need no model.

    Args:
        predictions (`Sequence[str]`):
            A caption of each motion.
        references (`Sequence[Sequence[str]]`):
            What it may be called, one text or more of each motion.

    Returns:
        `dict[str, float]`: `BLEU-1`, `BLEU-4`, `ROUGE-L`, `METEOR (exact and stem)`; and `METEOR (with synonyms)`
        where WordNet is installed (`python -m nltk.downloader wordnet`).

    Raises:
        ValueError: If captions and references differ in number, or a motion has no reference.
    """
    _check(predictions, references)
    scores = {
        "BLEU-1": bleu(predictions, references, 1),
        "BLEU-4": bleu(predictions, references, 4),
        "ROUGE-L": rouge_l(predictions, references),
        "METEOR (exact and stem)": meteor(predictions, references),
    }
    if has_wordnet():
        scores["METEOR (with synonyms)"] = meteor(predictions, references, synonyms=True)
    return scores


def bleu(predictions: Sequence[str], references: Sequence[Sequence[str]], max_order: int = 4) -> float:
    """BLEU over all captions together (sacrebleu, its own tokens, lower case), with n-grams up to `max_order`."""
    try:
        from sacrebleu.metrics import BLEU
    except ImportError as error:
        raise ImportError('BLEU needs sacrebleu; `pip install -e ".[eval]"`.') from error
    _check(predictions, references)
    # sacrebleu takes the first references of all captions, then the second ones, with `None` where there is none.
    most = max(map(len, references))
    streams = [[texts[i] if i < len(texts) else None for texts in references] for i in range(most)]
    return BLEU(lowercase=True, max_ngram_order=max_order).corpus_score(list(predictions), streams).score / 100


def rouge_l(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """
    ROUGE-L (Lin, 2004): F score of the longest common subsequence of words, mean over captions.

    Precision and recall are the best over the references each, as in the evaluation of COCO captions.
    """
    _check(predictions, references)
    pairs = zip(predictions, references, strict=True)
    return float(np.mean([_rouge_l(words(one), [words(text) for text in texts]) for one, texts in pairs]))


def _rouge_l(prediction: list[str], references: list[list[str]]) -> float:
    if not prediction:
        return 0.0
    common = [(longest_common_subsequence(prediction, one), len(one)) for one in references]
    precision = max(length for length, _ in common) / len(prediction)
    recall = max(length / max(size, 1) for length, size in common)
    if precision == 0:
        return 0.0
    return (1 + ROUGE_BETA**2) * precision * recall / (recall + ROUGE_BETA**2 * precision)


def longest_common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """How many words two texts share in the same order, with others between them or not."""
    row = [0] * (len(second) + 1)
    for word in first:
        diagonal = 0
        for j, other in enumerate(second, start=1):
            diagonal, row[j] = row[j], diagonal + 1 if word == other else max(row[j], row[j - 1])
    return row[-1]


def meteor(predictions: Sequence[str], references: Sequence[Sequence[str]], synonyms: bool = False) -> float:
    """
    METEOR (Banerjee and Lavie, 2005; nltk's, with its parameters): the best over the references, mean over captions.

    Args:
        predictions (`Sequence[str]`):
            Captions.
        references (`Sequence[Sequence[str]]`):
            Of each.
        synonyms (`bool`, *optional*, defaults to `False`):
            Whether synonyms count beside equal words and equal stems; needs WordNet.

    Returns:
        `float`: 0 to a little below 1, for its penalty of fragments is never quite zero.
    """
    try:
        from nltk.corpus import wordnet
        from nltk.translate.meteor_score import meteor_score
    except ImportError as error:
        raise ImportError('METEOR needs nltk; `pip install -e ".[eval]"`.') from error
    _check(predictions, references)
    thesaurus = wordnet if synonyms else _NoSynonyms()
    scores = [
        meteor_score([words(text) for text in texts], words(one), wordnet=thesaurus)
        for one, texts in zip(predictions, references, strict=True)
    ]
    return float(np.mean(scores))


def has_wordnet() -> bool:
    """Whether nltk finds WordNet on this machine; nothing is downloaded."""
    try:
        from nltk.corpus import wordnet

        wordnet.ensure_loaded()
    except (ImportError, LookupError):
        return False
    return True


@torch.no_grad()
def bert_score(predictions: Sequence[str], references: Sequence[Sequence[str]], model: str, layer: int = -1) -> float:
    """
    BERTScore (Zhang et al., 2020): F1 of the best cosines between tokens, not rescaled, without weights of words.

    Args:
        predictions (`Sequence[str]`):
            Captions.
        references (`Sequence[Sequence[str]]`):
            Of each; the best counts.
        model (`str`):
            Folder or name of an encoder for text, such as `"microsoft/deberta-xlarge-mnli"`.
        layer (`int`, *optional*, defaults to -1):
            Whose hidden states are compared; that model's published choice is 40.

    Returns:
        `float`: Mean over captions.
    """
    from transformers import AutoModel, AutoTokenizer

    _check(predictions, references)
    tokenizer, encoder = AutoTokenizer.from_pretrained(model), AutoModel.from_pretrained(model).eval()
    texts = sorted({*predictions, *(text for group in references for text in group)})
    tokens = {}
    for start in range(0, len(texts), BERT_BATCH):
        tokens |= _token_embeddings(tokenizer, encoder, texts[start : start + BERT_BATCH], layer)
    pairs = zip(predictions, references, strict=True)
    return float(np.mean([max(_matching_f1(tokens[one], tokens[text]) for text in group) for one, group in pairs]))


def _token_embeddings(tokenizer, encoder, texts: list[str], layer: int) -> dict[str, torch.Tensor]:
    """Unit vectors of the tokens of each text, without those that begin, end or pad it."""
    inputs = tokenizer(texts, padding=True, truncation=True, return_special_tokens_mask=True, return_tensors="pt")
    is_word = ~inputs.pop("special_tokens_mask").bool() & inputs["attention_mask"].bool()
    states = encoder(**inputs, output_hidden_states=True).hidden_states[layer].float()
    states = torch.nn.functional.normalize(states, dim=-1)
    return {text: row[mask] for text, row, mask in zip(texts, states, is_word, strict=True)}


def _matching_f1(prediction: torch.Tensor, reference: torch.Tensor) -> float:
    """Each token meets the most similar one of the other text."""
    if not len(prediction) or not len(reference):
        return 0.0
    cosines = prediction @ reference.T
    precision, recall = cosines.amax(dim=1).mean(), cosines.amax(dim=0).mean()
    return float(2 * precision * recall / (precision + recall).clamp(min=1e-9))


def words(text: str) -> list[str]:
    """A text in lower case without punctuation, as ROUGE-L and METEOR read it."""
    return re.findall(r"[\w']+", text.lower())


def _check(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    if isinstance(references, str) or any(isinstance(texts, str) or not texts for texts in references):
        raise ValueError("`references` must be a list of texts for each caption, each with one text or more.")
    if not predictions or len(predictions) != len(references):
        raise ValueError(
            f"Captions and references must be as many, but {len(predictions)} captions came with "
            f"{len(references)} lists of references."
        )


__all__ = ["bert_score", "bleu", "caption_scores", "has_wordnet", "meteor", "rouge_l"]

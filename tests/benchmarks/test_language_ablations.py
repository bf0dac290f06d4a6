# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Ablations of the language model: latents by hand, words untouched, and which losses each variant learns from."""

import functools
import importlib

import pytest
import torch

from anymo_hf import AnyMoForCausalLM
from anymo_hf.evaluation.results import Result, read_results
from anymo_hf.modeling.modeling_anymo_pq_tokenizer import nearest_codes


pytest.importorskip("sklearn")
pytest.importorskip("sacrebleu")
pytest.importorskip("nltk")
language_ablations = importlib.import_module("language_ablations")


def test_latents_stand_where_their_nearest_entries_would(checkpoint):
    model = language_ablations.LatentForCausalLM.from_pretrained(checkpoint).eval().model
    rounded = AnyMoForCausalLM.from_pretrained(checkpoint).eval().model
    values = torch.randn(2, 120, 23, 6, generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(values, dtype=torch.bool)
    mask[1, 60:] = False  # a window half as long, whose padding has no latents
    tokens, tokens_mask = model.get_motion_tokens(values, mask)
    tokens = tokens[tokens_mask]  # (num_steps, 2)
    assert tokens_mask.sum(dim=1).tolist() == [15, 8]
    assert model.latents.shape == (2 * 23, 8)
    offset = model.config.motion_token_offset
    for book in range(2):
        codes = nearest_codes(model.latents[book::2], model.motion_tokenizer.codebooks[book])
        torch.testing.assert_close(codes + offset + 16 * book, tokens[:, book])

    ids = torch.cat([torch.tensor([5, 6]), tokens.flatten(), torch.tensor([7])])[None]
    embedded, as_codes = model.embed_tokens(ids), rounded.embed_tokens(ids)
    torch.testing.assert_close(embedded[0, [0, 1, -1]], as_codes[0, [0, 1, -1]])
    torch.testing.assert_close(embedded[0, 2:-1], model.projector(model.latents))
    assert (embedded - as_codes)[0, 2:-1].abs().amax(dim=-1).min() > 0
    # Latents that are entries already are read as their tokens are.
    model.latents = model.motion_tokenizer.codebooks.flatten(0, 1)[tokens.flatten() - offset]
    torch.testing.assert_close(model.embed_tokens(ids), as_codes)
    assert model.embed_tokens(torch.tensor([[5, 6]])).shape == (1, 2, 32)


@pytest.mark.filterwarnings("ignore")
def test_every_variant_is_tuned_and_measured(checkpoint, kicks_and_hops, tmp_path, monkeypatch):
    losses, measured = {}, []
    forward = AnyMoForCausalLM.forward

    @functools.wraps(forward)  # `generate` reads its arguments
    def watched(self, *args, **kwargs):
        output = forward(self, *args, **kwargs)
        if self.training:
            found = {name for name in ("language_loss", "narration_loss") if output.get(name) is not None}
            losses.setdefault(type(self).__name__, []).append(found)
        return output

    def measure_zero_shot(candidate, common, max_windows):
        measured.append(candidate.model)
        return []

    monkeypatch.setattr(AnyMoForCausalLM, "forward", watched)
    monkeypatch.setattr(language_ablations, "measure_zero_shot", measure_zero_shot)
    monkeypatch.setenv("ANYMO_DATA", str(tmp_path))
    out = tmp_path / "results.jsonl"
    options = ["--model", checkpoint, "--data", kicks_and_hops, "--output_dir", tmp_path / "runs", "--max_steps", 1]
    options += ["--per_device_train_batch_size", 4, "--held_out_share", 0.7, "--out", out]
    language_ablations.main(list(map(str, options)))
    assert measured == list(language_ablations.VARIANTS)
    both, language_alone = {"language_loss", "narration_loss"}, {"language_loss"}
    assert losses == {"AnyMoForCausalLM": [both, language_alone], "LatentForCausalLM": [both]}
    rows = read_results(out)
    assert {row.model for row in rows} == set(measured)
    assert {row.table for row in rows} == {"language ablations"}
    assert {row.metric for row in rows} >= {"R@10 (%)", "BLEU-4 (%)"}
    assert len({row.checkpoint_sha256 for row in rows}) == 3


def test_recordings_are_asked_for_first(checkpoint, kicks_and_hops, tmp_path, monkeypatch):
    monkeypatch.delenv("ANYMO_DATA", raising=False)
    with pytest.raises(SystemExit, match="ANYMO_DATA"):
        language_ablations.main(
            ["--model", str(checkpoint), "--data", str(kicks_and_hops), "--output_dir", str(tmp_path)]
        )


def test_controls_keep_their_own_windows(monkeypatch, tmp_path):
    """Rows of chance belong to the windows of `zero_shot.py`, which are others."""
    shared = {"table": "zero-shot", "dataset": "d", "subset": "s", "metric": "accuracy (%)", "value": 1.0}
    seen = []

    def measure_windows(evaluation, subset, windows, candidates, common):
        seen.append((evaluation.dataset, subset.rsplit(", ", 1)[-1], common["note"]))
        yield [Result(**shared, model="chance")]
        yield [Result(**shared, model="mine")]

    monkeypatch.setattr(language_ablations, "load_windows", lambda *args: ([], ["few"]))
    monkeypatch.setattr(language_ablations, "measure_windows", measure_windows)
    monkeypatch.setenv("ANYMO_DATA", str(tmp_path))
    rows = language_ablations.measure_zero_shot(language_ablations.Candidate("mine", 0, "1", None), {}, 40)
    assert [row.model for row in rows] == ["mine"] * 6
    how = [(name, way, "few") for name in ("umafall", "sisfall_adl", "dsads") for way in ("as recorded", "calibrated")]
    assert sorted(seen) == sorted(how)

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The motion tokenizer: its codes, its codebooks, and what padding, masks and other processes do to them."""

import time
from datetime import timedelta

import pytest
import torch
from transformers import AutoModel, Trainer, TrainingArguments

from anymo_hf import AnyMoPQTokenizer, AnyMoPQTokenizerConfig
from anymo_hf.modeling import modeling_anymo_pq_tokenizer as module
from anymo_hf.modeling.modeling_anymo_pq_tokenizer import nearest_codes


LATENT_SIZE = 12


def make_model(seed=0, **kwargs):
    torch.manual_seed(seed)
    sizes = {"latent_size": LATENT_SIZE, "hidden_size": 8, "codebook_size": 6, "codebook_dim": 4}
    return AnyMoPQTokenizer(AnyMoPQTokenizerConfig(**{**sizes, **kwargs})).eval()


def make_latents(*shape, seed=0):
    return torch.randn(*shape, LATENT_SIZE, generator=torch.Generator().manual_seed(seed))


def mask_of(lengths, num_steps):
    return torch.arange(num_steps) < torch.tensor(lengths)[:, None]


def buffers_of(model):
    return {name: buffer.clone() for name, buffer in model.named_buffers()}


def test_the_paper_s_counts():
    with torch.device("meta"):
        model = AnyMoPQTokenizer(AnyMoPQTokenizerConfig())
    assert sum(parameter.numel() for parameter in model.parameters()) == 1_317_248
    assert model.codebooks.numel() == 262_144


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_nearest_codes_are_those_of_all_distances(scale):
    torch.manual_seed(0)
    vectors, codebook = scale * torch.randn(3001, 64), scale * torch.randn(2048, 64)
    codes = nearest_codes(vectors, codebook)
    distances = torch.cdist(vectors.double(), codebook.double())
    expected = distances.argmin(dim=1)
    excess = distances.gather(1, codes[:, None]) - distances.gather(1, expected[:, None])
    assert (excess[codes[:, None] != expected[:, None]] < 1e-5).all() and (codes == expected).float().mean() > 0.999


def test_mixed_precision_changes_no_code():
    torch.manual_seed(0)
    vectors, codebook = torch.randn(600, 64), torch.randn(2048, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        codes = nearest_codes(vectors, codebook)
    assert torch.equal(codes, nearest_codes(vectors, codebook))


@pytest.mark.parametrize("step_stride", [1, 2, 4])
@pytest.mark.parametrize("num_steps", [1, 7, 8])
def test_encode_decode_and_forward_agree(step_stride, num_steps):
    model, latents = make_model(step_stride=step_stride), make_latents(2, num_steps)
    mask = mask_of([num_steps, max(num_steps - 3, 1)], num_steps)
    output, codes = model(latents, mask), model.encode(latents, mask)
    assert codes.dtype == torch.int64 and codes.shape == (2, 2, -(-num_steps // step_stride))
    assert torch.equal(output.codes, codes)
    # Straight-through adds and subtracts the projection, which rounds.
    torch.testing.assert_close(output.reconstruction, model.decode(codes, mask), rtol=1e-4, atol=1e-5)
    assert torch.equal(model.decode(codes, num_steps=num_steps), model.decode(codes, torch.ones_like(mask)))
    assert not output.reconstruction[~mask].any()


@pytest.mark.parametrize("step_stride", [2, 4])
def test_a_code_stands_for_the_mean_of_its_steps(step_stride):
    model, latents = make_model(step_stride=step_stride), make_latents(1, 7)
    projected = model.input_projection(model.input_norm(latents))
    for index, codes in enumerate(model.encode(latents).unbind(dim=2)):
        mean = projected[0, index * step_stride : (index + 1) * step_stride].mean(dim=0)
        for book, part in enumerate(mean.split(4)):
            assert codes[0, book] == (model.codebooks[book] - part).norm(dim=1).argmin()


@pytest.mark.parametrize("step_stride", [1, 2, 4])
def test_a_recording_gives_the_same_alone_and_padded(step_stride):
    model, latents = make_model(step_stride=step_stride), make_latents(2, 13)
    for length in (3, 5, 6):
        alone = model(latents[:1, :length])
        together = model(latents, mask_of([length, 13], 13))  # behind its end stand numbers that must not matter
        num_codes = -(-length // step_stride)
        assert torch.equal(alone.codes[0], together.codes[0, :, :num_codes])
        torch.testing.assert_close(alone.reconstruction[0], together.reconstruction[0, :length])
        assert together.codes_mask[0].sum() == num_codes and together.codes_mask[1].all()


@pytest.mark.parametrize("step_stride", [1, 2])
def test_steps_behind_the_end_count_in_nothing(step_stride):
    latents, mask = make_latents(3, 9), mask_of([9, 4, 2], 9)
    others = torch.where(mask[..., None], latents, make_latents(3, 9, seed=1))
    model, other = make_model(step_stride=step_stride), make_model(step_stride=step_stride)
    outputs = [model(one, mask) for one in (latents, others)]
    for name in ("loss", "reconstruction_loss", "commitment_loss", "perplexity", "usage"):
        torch.testing.assert_close(outputs[0][name], outputs[1][name])
    model.update_codebooks(latents, mask)
    other.update_codebooks(others, mask)
    torch.testing.assert_close(buffers_of(model), buffers_of(other))
    assert torch.equal(model(latents, mask.long()).loss, model(latents, mask).loss)  # masks of tokenizers are numbers


def test_the_losses_by_hand():
    model, latents, mask = make_model(), make_latents(2, 5), mask_of([5, 2], 5)
    output = model(latents, mask)
    difference = (output.reconstruction - latents)[mask].abs()
    expected = torch.where(difference < 1, difference.square() / 2, difference - 0.5).mean()
    torch.testing.assert_close(output.reconstruction_loss, expected)
    projected = model.input_projection(model.input_norm(latents))
    entries = torch.stack([model.codebooks[book][output.codes[:, book]] for book in range(2)], dim=2).flatten(2)
    torch.testing.assert_close(output.commitment_loss, (projected - entries)[mask].square().mean())
    torch.testing.assert_close(output.loss, expected + 0.25 * output.commitment_loss)
    assert model(latents, return_loss=False).loss is None


def test_perplexity_and_usage_of_known_codes():
    model = make_model(codebook_size=8)
    codes = torch.tensor([[[0, 0, 1, 1], [5, 5, 5, 7]], [[2, 2, 3, 7], [5, 5, 7, 7]]])
    mask = mask_of([4, 2], 4)
    perplexity, usage = model._code_statistics(codes, mask)
    # Two each of 0, 1, 2; five of 5 and one of 7.
    expected = (5 / 6) ** (-5 / 6) * (1 / 6) ** (-1 / 6)
    torch.testing.assert_close(perplexity, torch.tensor([3.0, expected]))
    torch.testing.assert_close(usage, torch.tensor([3 / 8, 2 / 8]))


def test_the_gradient_passes_the_rounding():
    model, latents = make_model(commitment_loss_weight=0.0), make_latents(2, 5)
    model(latents).loss.backward()
    for parameter in (model.input_projection.weight, model.input_norm.weight):
        assert parameter.grad.abs().max() > 1e-5
    # As if the decoder had been given the projection: the gradient there is the one at the entries.
    model.zero_grad()
    projected = model.input_projection(model.input_norm(latents))
    entries = model.quantizer.decode(model.encode(latents)).requires_grad_()
    loss = torch.nn.functional.smooth_l1_loss(model.decoder(entries, torch.ones(2, 5)), latents)
    loss.backward()
    projected.backward(entries.grad)
    by_hand = model.input_projection.weight.grad.clone()
    model.zero_grad()
    model(latents).loss.backward()
    torch.testing.assert_close(model.input_projection.weight.grad, by_hand, rtol=1e-4, atol=1e-6)


def test_training_moves_every_parameter_and_no_codebook(tmp_path):
    model = make_model()
    before, buffers = {name: one.detach().clone() for name, one in model.named_parameters()}, buffers_of(model)
    items = [{"pooled_latents": make_latents(9, seed=i), "steps_mask": torch.arange(9) < 5 + i % 5} for i in range(8)]
    arguments = TrainingArguments(
        tmp_path, per_device_train_batch_size=4, max_steps=2, learning_rate=1e-2, use_cpu=True, disable_tqdm=True
    )
    trainer = Trainer(model, arguments, train_dataset=items, eval_dataset=items)
    trainer.train()
    assert all(not torch.equal(before[name], one) for name, one in model.named_parameters())
    torch.testing.assert_close(buffers, buffers_of(model), rtol=0, atol=0)
    assert trainer.evaluate()["eval_loss"] > 0
    model.update_codebooks(make_latents(2, 9))
    assert not torch.equal(buffers["quantizer.codebooks"], model.codebooks)


def test_moving_averages_against_a_loop():
    model, latents, mask = make_model(dead_code_threshold=0.0), make_latents(4, 9), mask_of([9, 3, 6, 1], 9)
    model.update_codebooks(latents, mask)  # the start
    before, latents = buffers_of(model), make_latents(4, 9, seed=1)
    model.update_codebooks(latents, mask)
    projected = model.input_projection(model.input_norm(latents))[mask].detach()
    for book in range(2):
        counts, sums = torch.zeros(6), torch.zeros(6, 4)
        for vector in projected[:, 4 * book : 4 * book + 4]:
            code = (before["quantizer.codebooks"][book] - vector).norm(dim=1).argmin()
            counts[code] += 1
            sums[code] += vector
        counts = 0.99 * before["quantizer.code_counts"][book] + 0.01 * counts
        sums = 0.99 * before["quantizer.code_sums"][book] + 0.01 * sums
        torch.testing.assert_close(model.quantizer.code_counts[book], counts)
        torch.testing.assert_close(model.quantizer.code_sums[book], sums)
        smoothed = (counts + 1e-5) / (counts.sum() + 6e-5) * counts.sum()
        torch.testing.assert_close(model.codebooks[book], sums / smoothed[:, None])
    assert int(model.quantizer.num_updates) == 2


def test_entries_start_where_the_vectors_are(monkeypatch):
    # Well separated clusters, as many as entries: k-means ends with one or, where a start was unlucky, few each.
    model = make_model(codebook_size=4, dead_code_threshold=0.0)
    monkeypatch.setattr(model, "_project", lambda latents, mask: latents[..., :8])
    centres = torch.tensor([[50.0, 0, 0, 0], [0, 50, 0, 0], [0, 0, 50, 0], [0, 0, 0, 50]])
    chosen = torch.randint(4, (64, 8), generator=torch.Generator().manual_seed(0))
    latents = torch.zeros(64, 8, LATENT_SIZE)
    latents[..., :4] = centres[chosen] + 0.1 * make_latents(64, 8)[..., :4]
    latents[..., 4:8] = latents[..., :4].flip(-1)
    model.update_codebooks(latents)
    vectors = latents[..., :4].reshape(-1, 4)
    distances = torch.cdist(vectors, model.codebooks[0]).min(dim=1).values
    random_entries = torch.cdist(vectors, torch.randn(4, 4)).min(dim=1).values
    assert distances.mean() < 0.5 * random_entries.mean()
    means = [vectors[chosen.flatten() == i].mean(dim=0) for i in range(4)]
    found = [float((model.codebooks[0] - mean).norm(dim=1).min()) < 0.1 for mean in means]
    assert sum(found) >= 2
    assert model.quantizer.code_counts.sum(dim=1).tolist() == pytest.approx(
        [512, 512], abs=2
    )  # an entry of none counts as one


def test_entries_that_nobody_uses_are_replaced():
    model, latents = make_model(), make_latents(8, 9)
    model.update_codebooks(latents)
    with torch.no_grad():
        for tensor in (model.quantizer.codebooks, model.quantizer.code_sums):
            tensor[:, 2] = 1000.0
        model.quantizer.code_counts[:, 2] = 1e-3
        model.quantizer.code_sums[:, 2] = 1.0  # its average stays at 1000
    model.update_codebooks(latents)
    projected = model.input_projection(model.input_norm(latents)).flatten(0, 1).detach()
    for book in range(2):
        vectors = projected[:, 4 * book : 4 * book + 4]
        assert (vectors - model.codebooks[book, 2]).abs().sum(dim=1).min() == 0  # it is one of the batch
        counts, sums = model.quantizer.code_counts[book], model.quantizer.code_sums[book]
        assert counts[2] > 0.2 * counts.mean()
        torch.testing.assert_close(sums[2] / counts[2], model.codebooks[book, 2])


def test_what_is_refused():
    model, latents = make_model(step_stride=2), make_latents(2, 7)
    with pytest.raises(ValueError, match="`pooled_latents` must have shape"):
        model(latents[..., :5])
    with pytest.raises(ValueError, match="`steps_mask` must have shape"):
        model.encode(latents, torch.ones(2, 6, dtype=torch.bool))
    with pytest.raises(ValueError, match="`codes` must have shape"):
        model.decode(torch.zeros(2, 3, 4, dtype=torch.long))
    for wrong in (-1, 6):
        with pytest.raises(ValueError, match="`codes` must lie in 0 to 5"):
            model.decode(torch.full((2, 2, 4), wrong))
    with pytest.raises(ValueError, match="7 steps have 4 codes per codebook at `step_stride` 2, but 3 were given"):
        model.decode(torch.zeros(2, 2, 3, dtype=torch.long), torch.ones(2, 7, dtype=torch.bool))
    with pytest.raises(ValueError, match="The first update needs at least 6 steps"):
        model.update_codebooks(latents[:1])


def test_what_is_saved_is_loaded(tmp_path):
    model, latents = make_model(step_stride=2), make_latents(2, 13)
    model.update_codebooks(latents)
    model.save_pretrained(tmp_path)
    loaded, info = AnyMoPQTokenizer.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values()), info
    torch.testing.assert_close(buffers_of(model), buffers_of(loaded), rtol=0, atol=0)
    assert torch.equal(model(latents).reconstruction, loaded(latents).reconstruction)
    assert isinstance(AutoModel.from_pretrained(tmp_path), AnyMoPQTokenizer)


@pytest.mark.parametrize("how", ["loaded", "cast"])
def test_half_precision_keeps_the_codebooks_whole(tmp_path, how):
    model, latents = make_model(), make_latents(2, 13)
    model.update_codebooks(latents)
    model.save_pretrained(tmp_path)
    loaded = AnyMoPQTokenizer.from_pretrained(tmp_path, dtype=torch.bfloat16)
    half = loaded if how == "loaded" else make_model().bfloat16()
    half.load_state_dict(model.state_dict())
    assert half.input_projection.weight.dtype == torch.bfloat16
    torch.testing.assert_close(buffers_of(half), buffers_of(model), rtol=0, atol=0)
    output = half(latents.bfloat16())
    assert output.reconstruction.dtype == torch.bfloat16 and output.loss.isfinite()
    assert (output.codes == model(latents).codes).float().mean() > 0.7
    torch.testing.assert_close(output.loss, model(latents).loss, rtol=0.1, atol=0.02)
    half.update_codebooks(latents.bfloat16())
    assert half.codebooks.dtype == torch.float32


def update_twice(model, rank=None):
    """The first update starts with k-means; of the second many entries are replaced."""
    for seed in range(2):
        latents, mask = make_latents(5, 9, seed=seed), mask_of([9, 3, 6, 1, 8], 9)
        rows = slice(None) if rank is None else (slice(0, 2), slice(2, 5))[rank]
        model.update_codebooks(latents[rows], mask[rows])
    return buffers_of(model)


def run_process(rank, folder):
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2, timeout=timedelta(seconds=60)
    )
    torch.save(update_twice(make_model(dead_code_threshold=0.7), rank), f"{folder}/{rank}.pt")
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def test_two_processes_keep_the_codebooks_of_one(tmp_path):
    context = torch.multiprocessing.spawn(run_process, args=(str(tmp_path),), nprocs=2, join=False)
    deadline = time.monotonic() + 120
    while not context.join(timeout=5):
        assert time.monotonic() < deadline, "the processes hang"
    alone, model = update_twice(make_model(dead_code_threshold=0.7)), make_model(dead_code_threshold=0.0)
    replaced = (alone["quantizer.codebooks"] - update_twice(model)["quantizer.codebooks"]).abs() > 1e-3
    assert replaced.any()
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    torch.testing.assert_close(first, alone)


def test_chunks_do_not_change_codes(monkeypatch):
    vectors, codebook = torch.randn(40, 4), torch.randn(7, 4)
    whole = nearest_codes(vectors, codebook)
    monkeypatch.setattr(module, "ROWS_PER_CHUNK", 3)
    assert torch.equal(nearest_codes(vectors, codebook), whole)

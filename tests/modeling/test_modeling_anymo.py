# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The whole model: sizes, how recordings enter the text, generation, and the contrastive losses."""

import pytest
import torch
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    BertConfig,
    Gemma3TextConfig,
    LlamaConfig,
    Qwen2Config,
    Qwen3Config,
    Trainer,
    TrainingArguments,
)

from anymo_hf import AnyMoConfig, AnyMoForCausalLM, AnyMoGraphEncoderConfig, AnyMoModel, AnyMoPQTokenizerConfig
from anymo_hf.modeling.modeling_anymo_pooling import info_nce, multi_positive_loss, text_identity


IMU, START, END, OFFSET, CODES = 100, 101, 102, 110, 16
TEXT_SIZES = {
    "vocab_size": 160, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 8, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
    "tie_word_embeddings": True,
}  # fmt: skip


def tiny_config(text=Qwen2Config, **text_options) -> AnyMoConfig:
    return AnyMoConfig(
        graph_encoder_config=AnyMoGraphEncoderConfig.small(hidden_sizes=[8, 8, 8, 16]),
        motion_tokenizer_config=AnyMoPQTokenizerConfig(
            latent_size=16, codebook_size=CODES, codebook_dim=8, hidden_size=16, dilations=[1]
        ),
        text_config=text(**{**TEXT_SIZES, **text_options}),
        imu_token_id=IMU,
        imu_start_token_id=START,
        imu_end_token_id=END,
        motion_token_offset=OFFSET,
        projector_hidden_size=16,
        pooler_num_latents=4,
        pooler_num_attention_heads=4,
        pooler_intermediate_size=32,
        num_soft_prompt_tokens=2,
    )


@pytest.fixture
def model():
    torch.manual_seed(0)
    return AnyMoForCausalLM(tiny_config()).eval()


def prompts(lengths=(60, 33)):
    """Recordings of so many frames and the prompts around them, padded on the left."""
    torch.manual_seed(1)
    values = torch.randn(len(lengths), max(lengths), 23, 6) * 5
    mask = torch.ones_like(values, dtype=torch.bool)
    rows = []
    for i, length in enumerate(lengths):
        mask[i, length:] = False
        rows.append([5, 9 + i, START] + [IMU] * (2 * -(-length // 4)) + [END, 6, 7])
    input_ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    attention_mask = torch.zeros_like(input_ids)
    for i, row in enumerate(rows):
        input_ids[i, -len(row) :] = torch.tensor(row)
        attention_mask[i, -len(row) :] = 1
    return {
        "input_ids": input_ids, "attention_mask": attention_mask, "input_values": values, "input_values_mask": mask
    }  # fmt: skip


def test_the_papers_sizes():
    with torch.device("meta"):
        model = AnyMoForCausalLM(AnyMoConfig())
    parts = ("model.graph_encoder.", "model.motion_tokenizer.")
    assert sum(p.numel() for n, p in model.named_parameters() if not n.startswith(parts)) == 516_691_840
    assert sum(p.numel() for p in model.model.imu_pooler.parameters()) == 8_154_496
    assert sum(p.numel() for p in model.model.projector.parameters()) == 492_928


@pytest.mark.parametrize("text", [LlamaConfig, Qwen2Config, Qwen3Config, Gemma3TextConfig])
def test_language_models(text):
    model = AnyMoForCausalLM(tiny_config(text)).eval()
    inputs = prompts()
    logits = model(**inputs).logits
    assert logits.shape == (2, inputs["input_ids"].shape[1], 160) and logits.isfinite().all()
    assert model.lm_head.weight is model.get_input_embeddings().weight
    assert model.generate(**inputs, max_new_tokens=2, do_sample=False).shape[1] == inputs["input_ids"].shape[1] + 2


def test_other_language_models_are_refused():
    with pytest.raises(ValueError, match="`text_config` must be of type gemma3_text, llama"):
        AnyMoModel(tiny_config(BertConfig))


def test_motion_tokens_take_the_place_of_placeholders(model):
    inputs = prompts()
    replaced = model.model.insert_motion_tokens(
        *(inputs[n] for n in ("input_ids", "input_values", "input_values_mask"))
    )
    encoded = model.model.graph_encoder(inputs["input_values"], inputs["input_values_mask"])
    codes = model.model.motion_tokenizer.encode(encoded.pooled_latents, encoded.steps_mask)
    for row, number in enumerate((15, 9)):
        # Per step codebook 0 first; codebook 1 has ids of its own.
        expected = torch.stack([OFFSET + codes[row, 0, :number], OFFSET + CODES + codes[row, 1, :number]], 1).flatten()
        assert torch.equal(replaced[row][inputs["input_ids"][row] == IMU], expected)
    kept = inputs["input_ids"] != IMU
    assert torch.equal(replaced[kept], inputs["input_ids"][kept])
    torch.testing.assert_close(model(**inputs).logits, model(replaced, inputs["attention_mask"]).logits)


def test_a_motion_token_is_a_projected_codebook_entry(model):
    codebooks = model.model.motion_tokenizer.codebooks
    embedded = model.model.embed_tokens(torch.tensor([[4, OFFSET + 3, OFFSET + CODES + 5]]))[0]
    torch.testing.assert_close(embedded[0], model.get_input_embeddings().weight[4])
    torch.testing.assert_close(embedded[1], model.model.projector(codebooks[0, 3]))
    torch.testing.assert_close(embedded[2], model.model.projector(codebooks[1, 5]))


def test_generation_is_what_forward_says():
    # Weights large enough that the next token is no constant.
    torch.manual_seed(0)
    model = AnyMoForCausalLM(tiny_config()).eval()
    for parameter in model.parameters():
        parameter.data.mul_(6 if parameter.ndim > 1 else 1)
    inputs = prompts()
    generated = model.generate(**inputs, max_new_tokens=8, do_sample=False, eos_token_id=None)
    ids = model.model.insert_motion_tokens(inputs["input_ids"], inputs["input_values"], inputs["input_values_mask"])
    mask = inputs["attention_mask"]
    for _ in range(8):
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        token = model(ids, mask, positions, use_cache=False).logits[:, -1].argmax(-1, keepdim=True)
        ids, mask = torch.cat([ids, token], 1), torch.cat([mask, torch.ones_like(token)], 1)
    assert torch.equal(generated[:, -8:], ids[:, -8:])
    assert len(set(generated[:, -8:].flatten().tolist())) > 2
    # Alone, without padding, a row gives the same.
    short = {key: value[1:] for key, value in inputs.items()}
    kept = short["attention_mask"][0].bool()
    short["input_ids"], short["attention_mask"] = short["input_ids"][:, kept], short["attention_mask"][:, kept]
    alone = model.generate(**short, max_new_tokens=8, do_sample=False, eos_token_id=None)
    assert torch.equal(alone[:, -8:], generated[1:, -8:])
    # Beams see the recording too, and the best is at least as likely as the greedy one.
    beams = model.generate(**inputs, max_new_tokens=4, num_beams=3, do_sample=False, eos_token_id=None)
    assert beams.shape == (2, inputs["input_ids"].shape[1] + 4)


def test_the_cache_gives_the_same_token_by_token(model):
    ids = torch.tensor([[5, START, OFFSET + 1, OFFSET + CODES + 2, END, 6, OFFSET + 4]])
    whole = model(ids, use_cache=False).logits
    cache, steps = None, []
    for token in ids.split(1, dim=1):
        output = model(token, past_key_values=cache, use_cache=True)
        cache = output.past_key_values
        steps.append(output.logits)
    torch.testing.assert_close(torch.cat(steps, 1), whole, atol=1e-5, rtol=1e-4)


def test_logits_to_keep(model):
    inputs = prompts()
    torch.testing.assert_close(model(**inputs, logits_to_keep=1).logits, model(**inputs).logits[:, -1:])


def test_embeddings_have_unit_length_and_ignore_padding(model):
    inputs = prompts()
    features = model.model.get_imu_features(**inputs)
    torch.testing.assert_close(features.norm(dim=-1), torch.ones(2))
    kept = inputs["attention_mask"][1].bool()
    alone = model.model.get_imu_features(
        inputs["input_ids"][1:, kept], None, inputs["input_values"][1:, :33], inputs["input_values_mask"][1:, :33]
    )
    torch.testing.assert_close(alone[0], features[1], atol=1e-5, rtol=1e-4)
    texts = torch.tensor([[5, 6, 7, 0, 0], [5, 6, 7, 8, 9]])
    text_features = model.model.get_text_features(texts, (texts > 0).long())
    torch.testing.assert_close(text_features[:1], model.model.get_text_features(texts[:1, :3]), atol=1e-5, rtol=1e-4)


def test_losses_are_weighted_and_move_every_weight(model):
    inputs = prompts()
    labels = inputs["input_ids"].masked_fill((inputs["attention_mask"] == 0) | (inputs["input_ids"] == IMU), -100)
    model.train()
    before = {name: p.clone() for name, p in model.named_parameters()}
    optimizer = torch.optim.SGD(model.parameters(), lr=10.0)
    output = model(
        **inputs,
        labels=labels,
        text_input_ids=torch.tensor([[5, 6, 7], [8, 9, 10]]),
        candidate_input_ids=torch.tensor([[11, 12], [13, 14], [15, 16]]),
        candidate_targets=torch.tensor([[True, False, True], [False, False, False]]),
    )
    expected = output.language_loss + 2 * output.narration_loss + 2 * output.activity_loss
    torch.testing.assert_close(output.loss, expected)
    output.loss.backward()
    optimizer.step()
    frozen = ("model.graph_encoder.", "model.motion_tokenizer.")  # codes have no gradient
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name]) == name.startswith(frozen), name


def test_contrastive_losses_against_literal_numbers():
    first, second = torch.eye(2), torch.tensor([[0.6, 0.8], [0.8, 0.6]])
    # Similarities 0.6 0.8 / 0.8 0.6, over a temperature of 0.5: the wrong one is 0.4 higher, in both directions.
    expected = torch.tensor(0.4).exp().add(1).log()
    torch.testing.assert_close(info_nce(first, second, 0.5), expected)
    targets = torch.tensor([[True, False], [False, False]])
    torch.testing.assert_close(multi_positive_loss(first, second, targets, 0.5), expected)
    both = torch.tensor([[True, True], [False, False]])
    torch.testing.assert_close(multi_positive_loss(first, second, both, 0.5), expected - 0.2)
    assert multi_positive_loss(first, second, torch.zeros(2, 2, dtype=torch.bool), 0.5) == 0


def test_rows_with_the_same_text_are_no_negatives():
    first = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    second = torch.tensor([[0.6, 0.8], [0.6, 0.8], [0.8, 0.6]])
    # Similarities over the temperature, [[1.2, 1.2, 1.6], [1.2, 1.2, 1.6], [1.6, 1.6, 1.2]], one way and the other.
    # Rows 0 and 1 each have one negative, 0.4 above their own; row 2 has two of them, in both directions.
    one, two = torch.tensor(0.4).exp().add(1).log(), torch.tensor(0.4).exp().mul(2).add(1).log()
    loss = info_nce(first, second, 0.5, torch.tensor([7, 7, 8]))
    torch.testing.assert_close(loss, (one + one + two) / 3)
    # A row without text changes nothing, as row and as column.
    more = torch.tensor([[0.8, 0.6]])
    left_out = info_nce(torch.cat([first, more]), torch.cat([second, more]), 0.5, torch.tensor([7, 7, 8, -1]))
    torch.testing.assert_close(left_out, loss)
    assert info_nce(first, second, 0.5, torch.full((3,), -1)) == 0


def test_similarities_are_exact_under_autocast():
    first, second = (torch.nn.functional.normalize(torch.randn(4, 8), dim=1) for _ in range(2))
    targets = torch.eye(4).bool()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = info_nce(first, second, 0.05), multi_positive_loss(first, second, targets, 0.05)
    torch.testing.assert_close(half[0], info_nce(first, second, 0.05), atol=0, rtol=0)
    torch.testing.assert_close(half[1], multi_positive_loss(first, second, targets, 0.05), atol=0, rtol=0)


def test_texts_are_the_same_however_padded():
    ids = torch.tensor([[5, 6, 7, 0], [0, 5, 6, 7], [7, 6, 5, 0], [5, 6, 0, 0], [0, 0, 0, 0], [5, 6, 7, 7]])
    numbers = text_identity(ids, (ids > 0).long()).tolist()
    assert numbers[0] == numbers[1] and numbers[4] == -1 and len(set(numbers)) == 5
    assert text_identity(ids[:1, :3]).tolist() == numbers[:1]


CONTRASTIVE = {
    "identity": torch.tensor([3, 5, 3, -1, -1, 4]),
    "targets": torch.tensor([[1, 0], [0, 0], [0, 0], [1, 1], [0, 1], [0, 0]]).bool(),
}


def contrastive_gradients(rows: slice) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(6, 4, generator=generator)[rows].requires_grad_() for _ in range(2))
    losses = [
        info_nce(first, second, 0.5, CONTRASTIVE["identity"][rows]),
        multi_positive_loss(first, torch.eye(4)[:2], CONTRASTIVE["targets"][rows], 0.5),
    ]
    sum(losses).backward()
    return [torch.stack(losses).detach(), first.grad, second.grad]


def run_process(rank: int, folder: str):
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    torch.save(contrastive_gradients(slice(3 * rank, 3 * rank + 3)), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_are_one_with_the_joint_batch(tmp_path):
    torch.multiprocessing.spawn(run_process, args=(str(tmp_path),), nprocs=2)
    losses, *gradients = contrastive_gradients(slice(None))
    halves = [torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1)]
    # As many rows count in neither process, so that a mean of their means would be wrong.
    torch.testing.assert_close((halves[0][0] + halves[1][0]) / 2, losses)
    for i, whole in enumerate(gradients, 1):
        torch.testing.assert_close(torch.cat([half[i] for half in halves]) / 2, whole)


def test_labels_at_placeholders_are_the_motion_tokens(model):
    inputs = prompts()
    ids = model.model.insert_motion_tokens(*(inputs[n] for n in ("input_ids", "input_values", "input_values_mask")))
    labels = inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, -100)
    assert (labels == IMU).any()
    told = model(ids, inputs["attention_mask"], labels=ids.masked_fill(inputs["attention_mask"] == 0, -100))
    torch.testing.assert_close(model(**inputs, labels=labels).language_loss, told.language_loss)


def test_training_leaves_what_makes_codes_alone():
    config = tiny_config()
    config.graph_encoder_config.normalization = "batch_norm"
    model = AnyMoForCausalLM(config).train()
    before = {name: value.clone() for name, value in model.model.graph_encoder.state_dict().items()}
    assert any("running_mean" in name for name in before)
    model(**prompts())
    assert all(torch.equal(value, before[name]) for name, value in model.model.graph_encoder.state_dict().items())
    assert model.training and model.model.language_model.training and not model.model.motion_tokenizer.training


def test_saved_and_loaded(model, tmp_path):
    inputs = prompts()
    logits = model(**inputs).logits
    model.save_pretrained(tmp_path)
    loaded, report = AutoModelForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
    assert isinstance(loaded, AnyMoForCausalLM) and not report["missing_keys"] and not report["unexpected_keys"]
    torch.testing.assert_close(loaded.eval()(**inputs).logits, logits)
    base, report = AutoModel.from_pretrained(tmp_path, output_loading_info=True)
    assert isinstance(base, AnyMoModel) and not report["missing_keys"]
    torch.testing.assert_close(base.eval().get_imu_features(**inputs), model.model.get_imu_features(**inputs))
    assert loaded.generation_config.temperature is None  # that of the losses is no business of sampling


def test_wrong_input_is_told(model):
    inputs = prompts()
    fewer = {**inputs, "input_ids": inputs["input_ids"][:, :-4], "attention_mask": inputs["attention_mask"][:, :-4]}
    with pytest.raises(ValueError, match="The text has 46 placeholders for motion tokens, but the recordings give 48"):
        model(**fewer)
    with pytest.raises(ValueError, match="one recording per row, but 2 recordings were given for 1 rows"):
        one_row = {**inputs, "input_ids": inputs["input_ids"].view(1, -1), "attention_mask": None}
        model.generate(**one_row, num_beams=2, max_new_tokens=1)
    with pytest.raises(ValueError, match="either `input_ids` or `inputs_embeds`"):
        model()
    embeddings = model.model.embed_tokens(torch.tensor([[5, 6]]))
    with pytest.raises(ValueError, match="need `input_ids`"):
        model(inputs_embeds=embeddings, input_values=inputs["input_values"])
    model.config.motion_token_offset = None
    with pytest.raises(ValueError, match="are not set"):
        model(**inputs)


def test_attention_implementations_reach_the_language_model(model, tmp_path):
    model.save_pretrained(tmp_path)
    for name in ("sdpa", "eager"):
        loaded = AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation=name)
        assert loaded.model.language_model.config._attn_implementation == name
        loaded.set_attn_implementation("sdpa")
        torch.testing.assert_close(loaded.eval()(**prompts()).logits, model(**prompts()).logits, atol=1e-5, rtol=1e-4)


def test_half_precision_leaves_codes_as_they_are(model, tmp_path):
    model.save_pretrained(tmp_path)
    half = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.bfloat16).eval()
    assert half.model.language_model.dtype == torch.bfloat16
    assert half.model.motion_tokenizer.quantizer.num_updates.dtype == torch.int64
    inputs = prompts()
    readings = {"input_values": inputs["input_values"], "input_values_mask": inputs["input_values_mask"]}
    own, other = (one.model.get_motion_tokens(**readings)[0] for one in (model, half))
    assert torch.equal(own, other)
    assert half.generate(**inputs, max_new_tokens=2, do_sample=False).shape[1] == inputs["input_ids"].shape[1] + 2


def test_accumulated_micro_batches_are_one_batch(model, tmp_path):
    """By plain `Trainer`: one step on a batch, or on the same one in four micro-batches, gives the same gradients."""
    inputs = prompts()
    item = {name: value[:1] for name, value in inputs.items()}
    item["labels"] = item["input_ids"].masked_fill(item["input_ids"] == IMU, -100)
    item |= {
        "candidate_input_ids": torch.tensor([[11, 12], [13, 14]]),
        "candidate_targets": torch.tensor([[True, False]]),
    }
    norms = []
    for accumulation in (1, 4):
        arguments = TrainingArguments(
            tmp_path, max_steps=1, per_device_train_batch_size=1, gradient_accumulation_steps=accumulation,
            learning_rate=0.0, max_grad_norm=1e9, logging_steps=1, report_to="none", use_cpu=True, save_strategy="no",
            disable_tqdm=True, remove_unused_columns=False,
        )  # fmt: skip
        trainer = Trainer(model, arguments, data_collator=lambda items: items[0], train_dataset=[item] * 4)
        trainer.train()
        norms.append(trainer.state.log_history[0]["grad_norm"])
    assert norms[1] == pytest.approx(norms[0], rel=1e-3)


def test_a_batch_without_answers_has_no_language_loss(model):
    inputs = prompts()
    output = model(**inputs, labels=torch.full_like(inputs["input_ids"], -100))
    assert output.language_loss == 0 and output.loss == 0


def test_text_embeddings_do_not_depend_on_the_side_of_padding(model):
    right = torch.tensor([[5, 6, 7, 0, 0], [5, 6, 7, 8, 9]])
    left = torch.tensor([[0, 0, 5, 6, 7], [5, 6, 7, 8, 9]])
    features = [model.model.get_text_features(ids, (ids > 0).long()) for ids in (right, left)]
    torch.testing.assert_close(*features, atol=1e-5, rtol=1e-4)

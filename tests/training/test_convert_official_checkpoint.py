# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Files in the official layout, converted, against the official arithmetic written out on their own tensors."""

import json
import pickle
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from processes import load_script
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import nn
from transformers import (
    AutoFeatureExtractor,
    AutoModel,
    AutoModelForCausalLM,
    AutoProcessor,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from anymo_hf import AnyMoGraphEncoder, AnyMoPQTokenizer, hub
from anymo_hf.conversion_official import check_codebook, convert_encoder, convert_motion_tokenizer, first_motion_token


PARENTS = [-1, 0, 1, 2, 3, 4, 5, 4, 7, 8, 9, 4, 11, 12, 13, 0, 15, 16, 17, 0, 19, 20, 21]
STRIDES = [1, 1, 1, 1, 2, 1, 1, 2, 1, 1]
WIDTHS = [8, 8, 8, 8, 12, 12, 12, 16, 16, 16]
BOOKS, CODES, DIM = 2, 8, 4
HIDDEN, WORDS, MOTION, ROWS = 32, 6, 8, 40  # words, then two markers: motion tokens begin at 8


def official_graph() -> torch.Tensor:
    """ST-GCN's spatial partition, whose distances from the root are infinite beyond the first edge."""
    links = torch.eye(23)
    for child, parent in enumerate(PARENTS):
        if parent >= 0:
            links[child, parent] = links[parent, child] = 1
    distance = torch.where(links[0] > 0, 1.0, torch.inf)
    distance[0] = 0
    graph, degree = torch.zeros(3, 23, 23), links.sum(dim=0)
    for sender, receiver in links.nonzero().tolist():
        relation = 0 if sender == receiver else (1 if distance[sender] >= distance[receiver] else 2)
        graph[relation, sender, receiver] = 1 / degree[receiver]
    return graph


def random_layer(state, name, *shape):
    fan_in = torch.Size(shape[1:]).numel()
    state[f"{name}.weight"] = torch.randn(shape) / fan_in**0.5
    state[f"{name}.bias"] = 0.1 * torch.randn(shape[0])


def random_norm(state, name, width, running=False):
    state[f"{name}.weight"], state[f"{name}.bias"] = torch.rand(width) + 0.5, 0.1 * torch.randn(width)
    if running:
        state[f"{name}.running_mean"], state[f"{name}.running_var"] = torch.randn(width), torch.rand(width) + 0.5
        state[f"{name}.num_batches_tracked"] = torch.tensor(7)


def encoder_state(graph=None) -> dict[str, torch.Tensor]:
    state = {"A": official_graph() if graph is None else graph, "mask_token": torch.randn(6)}
    random_norm(state, "data_bn", 138, running=True)
    state["data_bn.running_var"] = 20 * torch.rand(138) + 1
    width = 6
    for i, out in enumerate(WIDTHS):
        name = f"st_gcn_networks.{i}"
        random_layer(state, f"{name}.gcn.conv", 3 * out, width, 1, 1)
        random_norm(state, f"{name}.tcn.0", out, running=True)
        random_layer(state, f"{name}.tcn.2", out, out, 9, 1)
        random_norm(state, f"{name}.tcn.3", out, running=True)
        if STRIDES[i] == 2:
            random_layer(state, f"{name}.residual.0", out, width, 1, 1)
            random_norm(state, f"{name}.residual.1", out, running=True)
        state[f"edge_importance.{i}"] = torch.rand(3, 23, 23) + 0.5
        width = out
    return state


def batch_norm(x, state, name):
    values = (state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
    return F.batch_norm(x, *values)


def layer(state, name):
    return state[f"{name}.weight"], state[f"{name}.bias"]


def official_latents(state, values, visible) -> torch.Tensor:
    """Of readings (batch, frames, 23, 6) on the visible segments (batch, 23)."""
    x = batch_norm(values.permute(0, 2, 3, 1).flatten(1, 2), state, "data_bn")  # segment by segment, six channels each
    x = x.unflatten(1, (23, 6)).permute(0, 2, 3, 1)
    x = torch.where(visible[:, None, None], x, state["mask_token"][:, None, None])
    for i, stride in enumerate(STRIDES):
        name = f"st_gcn_networks.{i}"
        y = F.conv2d(x, *layer(state, f"{name}.gcn.conv")).unflatten(1, (3, -1))
        y = torch.einsum("bkctv,kvw->bctw", y, state["A"] * state[f"edge_importance.{i}"])
        y = F.relu(batch_norm(y, state, f"{name}.tcn.0"))
        y = F.conv2d(y, *layer(state, f"{name}.tcn.2"), stride=(stride, 1), padding=(4, 0))
        y = batch_norm(y, state, f"{name}.tcn.3")
        if stride == 2:
            around = F.conv2d(x, *layer(state, f"{name}.residual.0"), stride=(2, 1))
            y = y + batch_norm(around, state, f"{name}.residual.1")
        elif i > 0:
            y = y + x
        x = F.relu(y)
    return x.permute(0, 2, 3, 1)


def tokenizer_state() -> dict[str, torch.Tensor]:
    width, code_size, hidden = WIDTHS[-1], BOOKS * DIM, 16
    state = {
        "quantizer.embedding": torch.randn(BOOKS, CODES, DIM),
        "quantizer.cluster_size": torch.rand(BOOKS, CODES),
        "quantizer.embed_avg": torch.randn(BOOKS, CODES, DIM),
        "quantizer.last_dead_code_replacements": torch.zeros(BOOKS, dtype=torch.long),
        "quantizer.total_dead_code_replacements": torch.ones(BOOKS, dtype=torch.long),
    }
    random_norm(state, "pre_quant.0", width)
    random_layer(state, "pre_quant.1", code_size, width)
    random_norm(state, "decoder.in_norm", code_size)
    random_layer(state, "decoder.in_proj", hidden, code_size, 1)
    for i in range(3):
        for part in (1, 2):
            random_norm(state, f"decoder.blocks.{i}.norm{part}", hidden)
            random_layer(state, f"decoder.blocks.{i}.conv{part}", hidden, hidden, 3)
    random_norm(state, "decoder.out_norm", hidden)
    random_layer(state, "decoder.out_proj", width, hidden, 1)
    return state


def official_codes(state, latents) -> torch.Tensor:
    """(batch, steps, codebooks)."""
    x = F.linear(F.layer_norm(latents, latents.shape[-1:], *layer(state, "pre_quant.0")), *layer(state, "pre_quant.1"))
    x = x.unflatten(-1, (BOOKS, DIM))
    return (x[..., None, :] - state["quantizer.embedding"]).square().sum(dim=-1).argmin(dim=-1)


def official_reconstruction(state, codes) -> torch.Tensor:
    entries = torch.cat([state["quantizer.embedding"][book][codes[..., book]] for book in range(BOOKS)], dim=-1)
    x = F.layer_norm(entries, entries.shape[-1:], *layer(state, "decoder.in_norm")).transpose(1, 2)
    x = F.conv1d(x, *layer(state, "decoder.in_proj"))
    for i, dilation in enumerate((1, 2, 4)):
        y = x
        for part in (1, 2):
            y = F.gelu(F.group_norm(y, 1, *layer(state, f"decoder.blocks.{i}.norm{part}")))
            y = F.conv1d(y, *layer(state, f"decoder.blocks.{i}.conv{part}"), padding=dilation, dilation=dilation)
        x = x + y
    x = F.gelu(F.group_norm(x, 1, *layer(state, "decoder.out_norm")))
    return F.conv1d(x, *layer(state, "decoder.out_proj")).transpose(1, 2)


def text_config() -> Qwen2Config:
    return Qwen2Config(
        vocab_size=ROWS, hidden_size=HIDDEN, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, tie_word_embeddings=True, pad_token_id=0, bos_token_id=None, eos_token_id=1,
    )  # fmt: skip


def language_state(codebooks) -> dict[str, torch.Tensor]:
    state = {f"llm.{key}": value for key, value in Qwen2ForCausalLM(text_config()).state_dict().items()}
    state["llm.lm_head.weight"] = state["llm.model.embed_tokens.weight"].clone()
    random_layer(state, "projector.0", 12, DIM)
    random_layer(state, "projector.2", HIDDEN, 12)
    state["flat_codebook"] = codebooks.flatten(0, 1).clone()
    index = torch.full((MOTION + BOOKS * CODES,), -1)
    index[MOTION:] = torch.arange(BOOKS * CODES)
    state["token_id_to_code_index"] = index
    for name in ("imu_pooler", "text_pooler"):
        state[f"{name}.latents"] = torch.randn(5, HIDDEN)
        for part in ("token_norm", "latent_norm", "ffn.norm", "norm"):
            state[f"{name}.{part}.weight"] = torch.rand(HIDDEN) + 0.5
        for key, value in nn.MultiheadAttention(HIDDEN, 8).state_dict().items():
            state[f"{name}.attn.{key}"] = torch.randn_like(value) / HIDDEN**0.5
        random_layer(state, f"{name}.ffn.gate_proj", 2 * HIDDEN, HIDDEN)
        random_layer(state, f"{name}.ffn.up_proj", 2 * HIDDEN, HIDDEN)
        random_layer(state, f"{name}.ffn.down_proj", HIDDEN, 2 * HIDDEN)
    for name in ("imu_embedding_head", "text_embedding_head", "imu_residual_head"):
        state[f"{name}.weight"] = torch.randn(HIDDEN, HIDDEN) / HIDDEN**0.5
    state["imu_residual_norm.weight"] = torch.rand(HIDDEN) + 0.5
    state["text_soft_prompt"] = torch.randn(3, HIDDEN)
    state["imu_residual_scale"] = torch.tensor(0.25)
    return state


def write_text_tokenizer(folder):
    words = ["<pad>", "<eos>", "a", "person", "walks", "runs"]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>")
    motion = [f"<imu_{i:04d}>" for i in range(BOOKS * CODES)]
    tokenizer.add_special_tokens({"extra_special_tokens": ["<imu_bos>", "<imu_eos>", *motion]})
    tokenizer.save_pretrained(folder)


@pytest.fixture
def files(tmp_path):
    """Official files of one training run, and their tensors."""
    torch.manual_seed(0)
    encoder, tokenizer = encoder_state(), tokenizer_state()
    torch.save({"epoch": 3, "encoder_state_dict": encoder}, tmp_path / "encoder_best.pt")
    config = {"input_dim": 16, "num_codebooks": BOOKS, "codebook_size": CODES, "commitment_weight": 0.5}
    torch.save({"pqvae_state_dict": tokenizer, "config": config}, tmp_path / "tokenizer_export.pt")
    torch.save({"flat_codebook": tokenizer["quantizer.embedding"].flatten(0, 1)}, tmp_path / "imu_codebook_lookup.pt")
    language = language_state(tokenizer["quantizer.embedding"])
    save_file(language, tmp_path / "model.safetensors")
    write_text_tokenizer(tmp_path / "official")
    text_config().save_pretrained(tmp_path / "text")
    return tmp_path, encoder, tokenizer, language


def run_script(*arguments):
    script = load_script("convert_official_checkpoint")
    script.main(script.parse_args([str(argument) for argument in arguments]))


def convert_all(folder):
    run_script(
        "--encoder", folder / "encoder_best.pt", "--tokenizer", folder / "tokenizer_export.pt",
        "--codebook_lookup", folder / "imu_codebook_lookup.pt", "--language_model", folder / "model.safetensors",
        "--text_tokenizer", folder / "official", "--text_config", folder / "text", "--output_dir", folder / "out",
    )  # fmt: skip
    return folder / "out"


def load(cls, folder):
    model, report = cls.from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"] and not report["mismatched_keys"]
    return model.eval()


def readings():
    values = 5 * torch.randn(2, 42, 23, 6)
    visible = torch.zeros(2, 23, dtype=torch.bool)
    visible[0, [9, 17]] = visible[1, 0] = True
    return values, visible


def test_encoder_gives_the_official_latents(files, capsys):
    folder, state, _, _ = files
    run_script("--encoder", folder / "encoder_best.pt", "--output_dir", folder / "out")
    assert "unverified on the original files" in capsys.readouterr().out
    encoder = load(AutoModel, folder / "out" / "graph_encoder")
    assert isinstance(encoder, AnyMoGraphEncoder)
    assert AutoFeatureExtractor.from_pretrained(folder / "out" / "graph_encoder").sampling_rate == 60
    values, visible = readings()
    mask = visible[:, None, :, None].expand(values.shape)
    with torch.no_grad():
        for some, known in ((mask, visible), (None, torch.ones_like(visible))):
            expected = official_latents(state, values, known)
            outputs = encoder(values, some)
            assert expected.abs().max() > 0.5
            torch.testing.assert_close(outputs.last_hidden_state, expected, atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(outputs.pooled_latents, expected.mean(dim=2), atol=1e-5, rtol=1e-5)


def test_motion_tokenizer_gives_the_official_codes_and_reconstruction(files):
    folder, _, state, _ = files
    run_script("--tokenizer", folder / "tokenizer_export.pt", "--output_dir", folder / "out")
    tokenizer = load(AnyMoPQTokenizer, folder / "out" / "motion_tokenizer")
    assert tokenizer.config.commitment_loss_weight == 0.5
    latents = torch.randn(3, 20, WIDTHS[-1])
    with torch.no_grad():
        codes = tokenizer.encode(latents)
        expected = official_codes(state, latents)
        assert torch.equal(codes, expected.transpose(1, 2)) and len(codes.unique()) > 4
        reconstruction = official_reconstruction(state, expected)
        torch.testing.assert_close(tokenizer.decode(codes), reconstruction, atol=1e-5, rtol=1e-5)
        # A shorter recording in the batch comes out as it does alone.
        mask = torch.ones(3, 20, dtype=torch.bool)
        mask[1, 11:] = False
        alone = official_reconstruction(state, expected[1:2, :11])
        torch.testing.assert_close(tokenizer.decode(codes, mask)[1:2, :11], alone, atol=1e-5, rtol=1e-5)
    before = tokenizer.codebooks.clone()
    tokenizer.update_codebooks(torch.randn(8, 20, WIDTHS[-1]))
    assert (tokenizer.codebooks - before).abs().max() < 10  # moved, not found anew
    assert tokenizer.quantizer.num_updates == 2


def official_embeddings(state, ids) -> torch.Tensor:
    """Of words and motion tokens."""
    words = state["llm.model.embed_tokens.weight"][ids]
    index = F.pad(state["token_id_to_code_index"], (0, ROWS), value=-1)[ids]
    hidden = F.gelu(F.linear(state["flat_codebook"][index.clamp(min=0)], *layer(state, "projector.0")))
    return torch.where(index[..., None] >= 0, F.linear(hidden, *layer(state, "projector.2")), words)


def official_pooled(state, name, hidden, mask) -> torch.Tensor:
    def norm(x, part):
        return F.rms_norm(x, x.shape[-1:], state[f"{name}.{part}.weight"])

    attention = nn.MultiheadAttention(HIDDEN, 8, batch_first=True)
    attention.load_state_dict({key: state[f"{name}.attn.{key}"] for key in attention.state_dict()})
    latents = state[f"{name}.latents"].expand(len(hidden), -1, -1)
    x = hidden + attention(norm(hidden, "token_norm"), norm(latents, "latent_norm"), latents)[0]
    y = norm(x, "ffn.norm")
    y = F.silu(F.linear(y, *layer(state, f"{name}.ffn.gate_proj"))) * F.linear(y, *layer(state, f"{name}.ffn.up_proj"))
    x = x + F.linear(y, *layer(state, f"{name}.ffn.down_proj"))
    pooled = torch.stack([rows[some].mean(dim=0) for rows, some in zip(x, mask, strict=True)])
    return norm(pooled, "norm")


def official_language_model(state) -> Qwen2ForCausalLM:
    model = Qwen2ForCausalLM(text_config())
    model.load_state_dict({key[4:]: value for key, value in state.items() if key.startswith("llm.")})
    return model.eval()


def test_whole_model_gives_the_official_logits_and_embeddings(files):
    folder, encoder, tokenizer, state = files
    out = convert_all(folder)
    model, processor = load(AutoModelForCausalLM, out), AutoProcessor.from_pretrained(out)
    official = official_language_model(state)
    values, visible = readings()
    mask = visible[:, None, :, None].expand(values.shape)
    features = {"input_values": values[:1], "input_values_mask": mask[:1]}
    with torch.no_grad():
        inputs = processor(imu=features, text="a person <imu> walks", return_tensors="pt")
        logits = model(**inputs).logits
        codes = official_codes(tokenizer, official_latents(encoder, values[:1], visible[:1]).mean(dim=2))
        motion = (codes + CODES * torch.arange(BOOKS)).flatten() + MOTION
        ids = torch.cat([torch.tensor([2, 3, 6]), motion, torch.tensor([7, 4])])[None]
        embeddings = official_embeddings(state, ids)
        torch.testing.assert_close(logits, official(inputs_embeds=embeddings).logits, atol=1e-4, rtol=1e-4)
        assert processor.tokenizer.decode(ids[0])[:30].startswith("a person <imu_start>")

        is_motion = (ids >= MOTION) & (ids < MOTION + BOOKS * CODES)
        hidden = official.model(inputs_embeds=embeddings).last_hidden_state
        pooled = official_pooled(state, "imu_pooler", hidden, is_motion) @ state["imu_embedding_head.weight"].T
        mean = embeddings[is_motion].mean(dim=0, keepdim=True)
        residual = F.rms_norm(mean, (HIDDEN,), state["imu_residual_norm.weight"]) @ state["imu_residual_head.weight"].T
        expected = F.normalize(pooled + 0.25 * residual, dim=-1)
        torch.testing.assert_close(model.model.get_imu_features(**inputs), expected, atol=1e-5, rtol=1e-4)

        ids = torch.tensor([[2, 3, 4]])
        content = torch.tensor([[False, True, True]])
        embeddings = torch.cat([state["text_soft_prompt"][None], official_embeddings(state, ids)], dim=1)
        hidden = official.model(inputs_embeds=embeddings).last_hidden_state[:, 3:]
        pooled = official_pooled(state, "text_pooler", hidden, content) @ state["text_embedding_head.weight"].T
        text = model.model.get_text_features(ids, content_mask=content)
        torch.testing.assert_close(text, F.normalize(pooled, dim=-1), atol=1e-5, rtol=1e-4)
    hub.assemble(out, folder / "hub")
    assert (folder / "hub" / "graph_encoder" / "model.safetensors").is_file()


def test_tokens_keep_their_ids_under_our_names(files):
    folder = files[0]
    tokenizer = AutoProcessor.from_pretrained(convert_all(folder)).tokenizer
    names = ["<imu_start>", "<imu_end>", "<motion_0_0>", "<motion_1_0>", "<motion_1_7>", "<imu>"]
    assert tokenizer.convert_tokens_to_ids(names) == [6, 7, 8, 16, 23, 24]
    assert tokenizer("walks<motion_1_7><motion_0_0><imu_end>")["input_ids"] == [4, 23, 8, 7]
    assert tokenizer.decode([6, 23, 8, 7, 4], skip_special_tokens=True).split() == [
        "<motion_1_7>",
        "<motion_0_0>",
        "walks",
    ]
    assert tokenizer.eos_token == "<eos>" and tokenizer.pad_token == "<pad>"
    config = json.loads((folder / "out" / "config.json").read_text())
    ids = {"motion_token_offset": 8, "imu_start_token_id": 6, "imu_end_token_id": 7, "imu_token_id": 24}
    assert {name: config[name] for name in ids} == ids and config["imu_residual_scale"] == 0.25


def save_encoder(folder, state):
    torch.save({"encoder_state_dict": state}, folder / "changed.pt")
    return folder / "changed.pt"


@pytest.mark.parametrize("key", ["A", "mask_token", "st_gcn_networks.4.residual.0.bias", "data_bn.running_var"])
def test_missing_and_unknown_keys_are_listed(files, key):
    folder, state, tokenizer, _ = files
    state = {("surprise" if name == key else name): value for name, value in state.items()}
    with pytest.raises(ValueError, match=f"missing: {key}; unknown: surprise"):
        convert_encoder(save_encoder(folder, state))
    torch.save({"pqvae_state_dict": tokenizer | {"more": torch.ones(1)}}, folder / "changed.pt")
    with pytest.raises(ValueError, match="missing: none; unknown: more"):
        convert_motion_tokenizer(folder / "changed.pt")
    with pytest.raises(ValueError, match="entry 'encoder_state_dict'"):
        convert_encoder(folder / "changed.pt")


@pytest.mark.parametrize(
    "key",
    ["data_bn.weight", "st_gcn_networks.4.residual.0.weight", "st_gcn_networks.9.tcn.2.weight", "edge_importance.0"],
)
def test_wrong_shapes_are_listed(files, key):
    folder, state, _, _ = files
    with pytest.raises(ValueError, match=f"{key} has"):
        convert_encoder(save_encoder(folder, state | {key: state[key].flatten()[:-1]}))
    # As many values in another order of axes are another tensor.
    if key == "st_gcn_networks.4.residual.0.weight":
        with pytest.raises(ValueError, match=f"{key} has"):
            convert_encoder(save_encoder(folder, state | {key: state[key].transpose(0, 1)}))


def test_another_graph_is_refused(files):
    folder, state, _, _ = files
    with pytest.raises(ValueError, match="graph `A`"):
        convert_encoder(save_encoder(folder, state | {"A": state["A"].roll(1, dims=2)}))


class Malicious:
    def __reduce__(self):
        return (Path.touch, (Path("touched"),))


def test_a_file_with_code_is_refused_and_not_run(files, monkeypatch):
    folder, state, _, _ = files
    monkeypatch.chdir(folder)
    path = save_encoder(folder, state | {"mask_token": Malicious()})
    with pytest.raises(ValueError, match="could run code"):
        convert_encoder(path)
    path.write_bytes(pickle.dumps({"encoder_state_dict": Malicious()}, protocol=2))
    with pytest.raises(ValueError, match="could run code"):
        convert_encoder(path)
    assert not (folder / "touched").exists()


def test_files_that_do_not_belong_together_are_refused(files):
    folder, _, tokenizer, state = files
    converted = convert_motion_tokenizer(folder / "tokenizer_export.pt")
    check_codebook({"flat_codebook": state["flat_codebook"].bfloat16()}, converted, "rounded")
    for other in (state["flat_codebook"].flip(0), state["flat_codebook"][:-1]):
        with pytest.raises(ValueError, match="one training run"):
            check_codebook({"flat_codebook": other}, converted, "another")
    with pytest.raises(ValueError, match="tensor `flat_codebook`"):
        check_codebook({"codebook": 1}, converted, "without")
    torch.save({"pqvae_state_dict": tokenizer, "config": {"codebook_size": 9}}, folder / "changed.pt")
    with pytest.raises(ValueError, match="codebook_size"):
        convert_motion_tokenizer(folder / "changed.pt")
    with pytest.raises(ValueError, match="one after the other"):
        first_motion_token(state["token_id_to_code_index"].flip(0), BOOKS * CODES, "shuffled")


@pytest.mark.parametrize("key", ["text_pooler.attn.in_proj_bias", "llm.model.norm.weight", "flat_codebook"])
def test_language_model_must_be_complete(files, key):
    folder = files[0]
    state = load_file(folder / "model.safetensors")
    save_file({name: value for name, value in state.items() if name != key}, folder / "model.safetensors")
    with pytest.raises(ValueError, match=f"missing: {key}; unknown: none"):
        convert_all(folder)


def test_untied_head_is_refused(files):
    folder = files[0]
    state = load_file(folder / "model.safetensors")
    save_file(state | {"llm.lm_head.weight": state["llm.lm_head.weight"] + 1}, folder / "model.safetensors")
    with pytest.raises(ValueError, match="tied"):
        convert_all(folder)

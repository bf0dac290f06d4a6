# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Official AnyMo files as models of this package. Unverified on the original files.

Names, shapes and arithmetic follow the official training code (https://github.com/Breezelled/AnyMo, commits 66d36a4b
and f7f712e5); the key names of the files on the Hub are not public. Whatever is missing, unknown or of another shape
is an error, and nothing is loaded that could run code.
"""

import copy
import json
import pickle
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import nn
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from anymo_hf import (
    AnyMoConfig,
    AnyMoFeatureExtractor,
    AnyMoForCausalLM,
    AnyMoGraphEncoder,
    AnyMoGraphEncoderConfig,
    AnyMoPQTokenizer,
    AnyMoPQTokenizerConfig,
    AnyMoProcessor,
    motion_token,
)
from anymo_hf.modeling.modeling_anymo_graph_encoder import segment_adjacency


# What the official code fixes and does not write into its files.
STRIDES = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)
DILATIONS = (1, 2, 4)
NUM_POOLER_HEADS = 8
IMU_RESIDUAL_SCALE = 0.5  # of the official training script, for files without the scale
START_TOKEN, END_TOKEN, MOTION_TOKEN = "<imu_bos>", "<imu_eos>", "<imu_{:04d}>"

AFFINE = ("weight", "bias")
BATCH_NORM = (*AFFINE, "running_mean", "running_var", "num_batches_tracked")


def read_file(path: str | Path) -> dict:
    """
    What a file of PyTorch or safetensors holds.

    Args:
        path (`str` or `Path`):
            The file.

    Returns:
        `dict`: Tensors and plain values by name.

    Raises:
        ValueError: If it holds anything else, which could run code when loaded.
    """
    if Path(path).suffix == ".safetensors":
        return load_file(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).split("\n")[0]
        raise ValueError(
            f"{path} must hold tensors and plain values only, but loading it could run code or it is damaged; convert "
            f"only files whose origin you know ({reason})."
        ) from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold named entries, but holds a {type(content).__name__}.")
    return content


def read_state(path: str | Path, name: str) -> tuple[dict[str, torch.Tensor], dict]:
    """The tensors under a name of a file, and what else the file holds."""
    content = read_file(path)
    if not isinstance(content.get(name), dict):
        raise ValueError(f"{path} must have an entry {name!r} of tensors, but has {sorted(map(str, content))}.")
    others = {key: value for key, value in content.items() if key != name}
    return content[name], others


def check_keys(
    state: dict[str, torch.Tensor], expected: Iterable[str], path: str | Path, optional: Iterable[str] = ()
) -> None:
    """Raise a `ValueError` that lists every key that is missing or unknown, and every one that is no tensor."""
    expected = set(expected)
    missing, unknown = sorted(expected - set(state)), sorted(set(state) - expected - set(optional))
    if missing or unknown:
        raise ValueError(
            f"{path} must have exactly the keys of the official model; missing: {', '.join(missing) or 'none'}; "
            f"unknown: {', '.join(unknown) or 'none'}."
        )
    others = sorted(key for key, value in state.items() if not isinstance(value, torch.Tensor))
    if others:
        raise ValueError(f"{path} must hold tensors, but these are none: {', '.join(others)}.")


def fill(model: nn.Module, state: dict[str, torch.Tensor], names: dict[str, str], path: str | Path) -> None:
    """
    Copies tensors into a model, all of whose entries they must be.

    Args:
        model (`nn.Module`):
            Ours; is changed.
        state (`dict[str, torch.Tensor]`):
            Tensors by official name.
        names (`dict[str, str]`):
            Our name of each. Axes of length 1 may differ: a convolution over one frame is a linear layer.
        path (`str` or `Path`):
            Where they come from, for the error.

    Raises:
        ValueError: If shapes differ.
    """
    own = model.state_dict()
    wrong = [
        f"{key} has {tuple(state[key].shape)}, ours {tuple(own[name].shape)}"
        for key, name in names.items()
        if _long_axes(state[key]) != _long_axes(own[name])
    ]
    if wrong:
        raise ValueError(f"{path} must have tensors of the official model's shapes, but {'; '.join(wrong)}.")
    model.load_state_dict({name: state[key].reshape(own[name].shape) for key, name in names.items()})


def _long_axes(tensor: torch.Tensor) -> list[int]:
    return [length for length in tensor.shape if length != 1]


def _pairs(official: str, ours: str, parts: Iterable[str] = AFFINE) -> dict[str, str]:
    return {f"{official}.{part}": f"{ours}.{part}" for part in parts}


def encoder_names() -> dict[str, str]:
    """Our name of each official one of the encoder."""
    names = {
        "mask_token": "mask_token",
        "data_bn.weight": "input_weight",
        "data_bn.bias": "input_bias",
        "data_bn.running_mean": "input_mean",
        "data_bn.running_var": "input_std",
    }
    for index, stride in enumerate(STRIDES):
        official, ours = f"st_gcn_networks.{index}", f"blocks.{index}"
        names |= _pairs(f"{official}.gcn.conv", f"{ours}.graph_convolution.projection")
        names |= _pairs(f"{official}.tcn.0", f"{ours}.graph_norm.norm", BATCH_NORM)
        names |= _pairs(f"{official}.tcn.2", f"{ours}.temporal_convolution")
        names |= _pairs(f"{official}.tcn.3", f"{ours}.temporal_norm.norm", BATCH_NORM)
        if stride > 1:  # also where the width changes
            names |= _pairs(f"{official}.residual.0", f"{ours}.residual")
            names |= _pairs(f"{official}.residual.1", f"{ours}.residual_norm.norm", BATCH_NORM)
        names[f"edge_importance.{index}"] = f"{ours}.graph_convolution.edge_importance"
    return names


def convert_encoder(path: str | Path) -> AnyMoGraphEncoder:
    """
    The official graph encoder, which gives the official latents.

    The official batch norm before the mask becomes our standardisation: mean and deviation are its running statistics,
    weight and bias its own. Its 138 channels are flattened segment by segment, six channels each.

    Args:
        path (`str` or `Path`):
            `encoder_best.pt`, or another file with `encoder_state_dict`; the predictor of pre-training is left out.

    Returns:
        `AnyMoGraphEncoder`

    Raises:
        ValueError: If the file does not hold the official encoder, or its graph is none that ours can have.
    """
    state, _ = read_state(path, "encoder_state_dict")
    names = encoder_names()
    check_keys(state, {*names, "A", "data_bn.num_batches_tracked"}, path)
    widths = [len(state[f"st_gcn_networks.{index}.gcn.conv.weight"]) // 3 for index in range(len(STRIDES))]
    config = AnyMoGraphEncoderConfig(hidden_sizes=widths, strides=STRIDES, normalization="batch_norm")
    config.edge_partition = _edge_partition(state["A"], config.segment_parents, path)
    encoder = AnyMoGraphEncoder(config)

    shape = (config.num_segments, config.num_channels)
    state = state | {"data_bn.running_var": (state["data_bn.running_var"] + config.norm_eps).sqrt()}
    for key in ("weight", "bias", "running_mean", "running_var"):
        if state[f"data_bn.{key}"].shape == (config.num_segments * config.num_channels,):
            state[f"data_bn.{key}"] = state[f"data_bn.{key}"].view(shape)
    fill(encoder, state, names, path)
    return encoder.eval()


def _edge_partition(adjacency: torch.Tensor, segment_parents: list[int], path: str | Path) -> str:
    """The configuration under which our graph is the file's."""
    for name in ("st_gcn", "tree"):
        ours = segment_adjacency(segment_parents, name)
        if adjacency.shape == ours.shape and torch.allclose(adjacency.float(), ours, atol=1e-6):
            return name
    raise ValueError(
        f"{path} has a graph `A` of shape {tuple(adjacency.shape)} that is not the official one of 23 segments and "
        "three relations; our encoder derives its graph from `segment_parents` and cannot hold another."
    )


def motion_tokenizer_names() -> dict[str, str]:
    """Our name of each official one of the motion tokenizer."""
    names = {
        "quantizer.embedding": "quantizer.codebooks",
        "quantizer.cluster_size": "quantizer.code_counts",
        "quantizer.embed_avg": "quantizer.code_sums",
    }
    names |= _pairs("pre_quant.0", "input_norm") | _pairs("pre_quant.1", "input_projection")
    names |= _pairs("decoder.in_norm", "decoder.input_norm") | _pairs("decoder.in_proj", "decoder.input_projection")
    names |= _pairs("decoder.out_norm", "decoder.output_norm") | _pairs(
        "decoder.out_proj", "decoder.output_projection"
    )
    for index in range(len(DILATIONS)):
        for part in range(2):
            official, ours = f"decoder.blocks.{index}", f"decoder.layers.{index}"
            names |= _pairs(f"{official}.norm{part + 1}", f"{ours}.norms.{part}")
            names |= _pairs(f"{official}.conv{part + 1}", f"{ours}.convolutions.{part}")
    return names


def convert_motion_tokenizer(path: str | Path) -> AnyMoPQTokenizer:
    """
    The official motion tokenizer, which gives the official codes and reconstructions.

    Recordings that are padded in a batch are normalised without their padding, which the official decoder takes in.

    Args:
        path (`str` or `Path`):
            `tokenizer_export.pt`, or `pqvae_best.pt`, which lacks the configuration; sizes come from the shapes.

    Returns:
        `AnyMoPQTokenizer`

    Raises:
        ValueError: If the file does not hold the official tokenizer.
    """
    state, others = read_state(path, "pqvae_state_dict")
    names = motion_tokenizer_names()
    counters = {"quantizer.last_dead_code_replacements", "quantizer.total_dead_code_replacements"}
    check_keys(state, {*names, *counters}, path)
    if state["quantizer.embedding"].ndim != 3:
        raise ValueError(
            f"{path} must have `quantizer.embedding` of three axes, but it has {state['quantizer.embedding'].ndim}."
        )
    num_codebooks, codebook_size, codebook_dim = state["quantizer.embedding"].shape
    sizes = {"num_codebooks": num_codebooks, "codebook_size": codebook_size, "codebook_dim": codebook_dim}
    sizes["input_dim"] = state["pre_quant.0.weight"].numel()
    config = others.get("config", {})
    differing = {name: config[name] for name in sizes if config.get(name, sizes[name]) != sizes[name]}
    if differing:
        raise ValueError(f"{path} says {differing} in its `config`, but its tensors have the sizes {sizes}.")
    motion_tokenizer = AnyMoPQTokenizer(
        AnyMoPQTokenizerConfig(
            latent_size=sizes.pop("input_dim"),
            hidden_size=len(state["decoder.in_proj.weight"]),
            kernel_size=state["decoder.blocks.0.conv1.weight"].shape[-1],
            dilations=DILATIONS,
            normalization="group_norm",
            commitment_loss_weight=config.get("commitment_weight", 0.25),
            dead_code_threshold=config.get("dead_code_threshold_ratio", 0.2),
            **sizes,
        )
    )
    # As trained once: at the very first update the codebooks would be found anew.
    state = state | {"num_updates": torch.ones(1, dtype=torch.long)}
    fill(motion_tokenizer, state, names | {"num_updates": "quantizer.num_updates"}, path)
    return motion_tokenizer.eval()


def check_codebook(content: dict, motion_tokenizer: AnyMoPQTokenizer, path: str | Path) -> None:
    """Raise a `ValueError` unless a file's `flat_codebook` is the tokenizer's codebooks, one after the other."""
    codebook = content.get("flat_codebook")
    if not isinstance(codebook, torch.Tensor):
        raise ValueError(f"{path} must have a tensor `flat_codebook`, but has {sorted(map(str, content))}.")
    ours = motion_tokenizer.codebooks.flatten(0, 1).to(codebook.dtype)
    if not torch.equal(codebook, ours):  # also false where shapes differ
        raise ValueError(
            f"{path} must have the motion tokenizer's codebooks in `flat_codebook`, but has others of shape "
            f"{tuple(codebook.shape)}; convert files of one training run together."
        )


def language_names(model: AnyMoForCausalLM) -> dict[str, str]:
    """Our name of each official one of the language model, projector, poolers and heads."""
    language_model = model.model.language_model.state_dict()
    names = {f"llm.model.{key}": f"model.language_model.{key}" for key in language_model}
    names |= _pairs("projector.0", "model.projector.up_proj") | _pairs("projector.2", "model.projector.down_proj")
    for name in ("imu_pooler", "text_pooler"):
        ours = f"model.{name}"
        names[f"{name}.latents"] = f"{ours}.latents"
        for part in ("token_norm", "latent_norm", "norm"):
            names[f"{name}.{part}.weight"] = f"{ours}.{part}.weight"
        names[f"{name}.ffn.norm.weight"] = f"{ours}.feed_forward_norm.weight"
        for part in ("gate_proj", "up_proj", "down_proj"):
            names |= _pairs(f"{name}.ffn.{part}", f"{ours}.{part}")
        for part in ("q_proj", "k_proj", "v_proj"):  # made of `in_proj` by `split_attention`
            names |= _pairs(f"{name}.attn.{part}", f"{ours}.{part}")
        names |= _pairs(f"{name}.attn.out_proj", f"{ours}.o_proj")
    names["text_soft_prompt"] = "model.text_soft_prompt.weight"
    names["imu_embedding_head.weight"] = "model.imu_head.weight"
    names["text_embedding_head.weight"] = "model.text_head.weight"
    names["imu_residual_norm.weight"] = "model.imu_residual_norm.weight"
    names["imu_residual_head.weight"] = "model.imu_residual_head.weight"
    return names


def split_attention(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors with query, key and value of the poolers apart."""
    parts = {}
    for key, value in state.items():
        pooler, found, kind = key.partition(".attn.in_proj_")
        if not found:
            parts[key] = value
            continue
        for name, part in zip(("q_proj", "k_proj", "v_proj"), value.chunk(3), strict=False):
            parts[f"{pooler}.attn.{name}.{kind}"] = part
    return parts


def first_motion_token(code_indices: torch.Tensor, num_motion_tokens: int, path: str | Path) -> int:
    """Id of the first motion token, from the official table of codes by token id, -1 for words."""
    ids = (code_indices >= 0).nonzero().flatten()
    first = int(ids[0]) if len(ids) else 0
    expected = torch.arange(num_motion_tokens)
    if not torch.equal(ids - first, expected) or not torch.equal(code_indices[ids].cpu(), expected):
        raise ValueError(
            f"{path} must number its {num_motion_tokens} motion tokens one after the other in "
            f"`token_id_to_code_index`, but numbers {len(ids)} tokens otherwise; our ids are `motion_token_offset + "
            "codebook * codebook_size + code`."
        )
    return first


def convert_text_tokenizer(folder: str | Path, num_codebooks: int, codebook_size: int) -> PreTrainedTokenizerFast:
    """
    The official text tokenizer with our names of markers and motion tokens at the same ids, and `<imu>` after them.

    Args:
        folder (`str` or `Path`):
            With `tokenizer.json` and `tokenizer_config.json`.
        num_codebooks (`int`):
            Of the motion tokenizer.
        codebook_size (`int`):
            Of the motion tokenizer.

    Returns:
        `PreTrainedTokenizerFast`: Markers are special, motion tokens are not.

    Raises:
        ValueError: If official tokens are missing.
    """
    official = AutoTokenizer.from_pretrained(folder)
    names = {START_TOKEN: "<imu_start>", END_TOKEN: "<imu_end>"}
    for index in range(num_codebooks * codebook_size):
        names[MOTION_TOKEN.format(index)] = motion_token(*divmod(index, codebook_size))
    content = json.loads(official.backend_tokenizer.to_str())
    missing = sorted(set(names) - {token["content"] for token in content["added_tokens"]})
    if missing:
        raise ValueError(f"The tokenizer in {folder} must have the official motion tokens, but lacks {missing}.")
    for token in content["added_tokens"]:
        if token["content"] in names:
            is_marker = token["content"] in (START_TOKEN, END_TOKEN)
            token |= {"content": names[token["content"]], "normalized": False, "special": is_marker}
    special = [token for token in official.extra_special_tokens if token not in names]
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(content)),
        extra_special_tokens=[*special, "<imu_start>", "<imu_end>", "<imu>"],
        chat_template=official.chat_template,
        model_max_length=official.model_max_length,
        **official.special_tokens_map,
    )


def convert_language_model(
    path: str | Path, tokenizer_folder: str | Path, encoder: AnyMoGraphEncoder, motion_tokenizer: AnyMoPQTokenizer,
    text_config=None,
) -> tuple[AnyMoForCausalLM, AnyMoProcessor]:  # fmt: skip
    """
    The whole official model in single precision, and its processor.

    Official text embeddings are of the words between a prompt before and after them: pass these as `content_mask` to
    `get_text_features`.

    Args:
        path (`str` or `Path`):
            `pytorch_model.bin` or `model.safetensors` of instruction tuning.
        tokenizer_folder (`str` or `Path`):
            Of the official text tokenizer.
        encoder (`AnyMoGraphEncoder`):
            From `convert_encoder`.
        motion_tokenizer (`AnyMoPQTokenizer`):
            From `convert_motion_tokenizer`, with the codebooks that the language model was trained on.
        text_config (`PreTrainedConfig`, *optional*, defaults to that of Qwen2.5-0.5B):
            Of the language model, but for its vocabulary, which comes from the file.

    Returns:
        `tuple[AnyMoForCausalLM, AnyMoProcessor]`

    Raises:
        ValueError: If the files do not hold the official model, or do not belong together.
    """
    state = read_file(path)
    text_tokenizer = convert_text_tokenizer(
        tokenizer_folder, motion_tokenizer.config.num_codebooks, motion_tokenizer.config.codebook_size
    )
    config = _language_config(state, text_tokenizer, encoder, motion_tokenizer, text_config, path)
    model = AnyMoForCausalLM(config)
    names = language_names(model)
    tables = {"flat_codebook", "token_id_to_code_index"}
    attention = {f"{name}.attn.in_proj_{kind}" for name in ("imu_pooler", "text_pooler") for kind in AFFINE}
    split = {key for key in names if key.split(".attn.")[-1].startswith(("q_proj", "k_proj", "v_proj"))}
    check_keys(
        state, (set(names) - split) | attention | tables, path, optional=("llm.lm_head.weight", "imu_residual_scale")
    )
    check_codebook(state, motion_tokenizer, path)
    words = state["llm.model.embed_tokens.weight"]
    head = state.get("llm.lm_head.weight", words)
    if config.tie_word_embeddings and not torch.equal(head, words):
        raise ValueError(f"{path} must have the embeddings in `llm.lm_head.weight`, as its layers are tied.")

    state = split_attention(state) | {"llm.lm_head.weight": head}
    names["llm.lm_head.weight"] = "lm_head.weight"
    for part, module in (("graph_encoder", encoder), ("motion_tokenizer", motion_tokenizer)):
        for key, value in module.state_dict().items():
            state[f"{part}.{key}"], names[f"{part}.{key}"] = value, f"model.{part}.{key}"
    fill(model, state, names, path)
    num_codebooks, codebook_size = motion_tokenizer.codebooks.shape[:2]
    processor = AnyMoProcessor(
        AnyMoFeatureExtractor(), text_tokenizer, num_codebooks=num_codebooks, codebook_size=codebook_size
    )
    return model.eval(), processor


def _language_config(state, text_tokenizer, encoder, motion_tokenizer, text_config, path) -> AnyMoConfig:
    """Sizes from the tensors' shapes, ids from the table and the text tokenizer."""
    sources = {
        "vocab_size": "llm.model.embed_tokens.weight",
        "projector_hidden_size": "projector.0.weight",
        "pooler_num_latents": "imu_pooler.latents",
        "pooler_intermediate_size": "imu_pooler.ffn.gate_proj.weight",
        "num_soft_prompt_tokens": "text_soft_prompt",
        "code_indices": "token_id_to_code_index",
    }
    missing = [key for key in sources.values() if key not in state]
    if missing:
        raise ValueError(f"{path} must hold the official language model, but these keys are missing: {missing}.")
    sizes = {name: len(state[key]) for name, key in sources.items()}
    num_motion_tokens = motion_tokenizer.config.num_motion_tokens
    offset = first_motion_token(state["token_id_to_code_index"], num_motion_tokens, path)
    found = text_tokenizer.convert_tokens_to_ids(motion_token(0, 0))
    if found != offset or len(text_tokenizer) > sizes["vocab_size"]:
        raise ValueError(
            f"The text tokenizer must have its first motion token at {offset} and at most {sizes['vocab_size']} "
            f"tokens, `<imu>` among them, as {path} has rows, but has it at {found} and {len(text_tokenizer)} tokens."
        )
    text_config = AnyMoConfig().text_config if text_config is None else copy.deepcopy(text_config)
    text_config.vocab_size = sizes.pop("vocab_size")
    del sizes["code_indices"]
    return AnyMoConfig(
        graph_encoder_config=encoder.config,
        motion_tokenizer_config=motion_tokenizer.config,
        text_config=text_config,
        imu_token_id=text_tokenizer.convert_tokens_to_ids("<imu>"),
        imu_start_token_id=text_tokenizer.convert_tokens_to_ids("<imu_start>"),
        imu_end_token_id=text_tokenizer.convert_tokens_to_ids("<imu_end>"),
        motion_token_offset=offset,
        pooler_num_attention_heads=NUM_POOLER_HEADS,
        imu_residual_scale=float(state.get("imu_residual_scale", IMU_RESIDUAL_SCALE)),
        **sizes,
    )


__all__ = ["check_codebook", "convert_encoder", "convert_language_model", "convert_motion_tokenizer", "read_file"]

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The graph encoder: its sizes, its graph, what masks and padding may not change, and what training may."""

import math

import pytest
import torch
import torch._dynamo
from torch.utils.flop_counter import FlopCounterMode

from anymo_hf.modeling.configuration_anymo import AnyMoGraphEncoderConfig
from anymo_hf.modeling.modeling_anymo_graph_encoder import (
    AnyMoGraphConvolution,
    AnyMoGraphEncoder,
    segment_adjacency,
)


NORMS = ("layer_norm", "batch_norm")


def make_config(**kwargs) -> AnyMoGraphEncoderConfig:
    return AnyMoGraphEncoderConfig(**{"hidden_sizes": [8, 12, 16], "strides": [1, 2, 2], **kwargs})


def make_encoder(**kwargs) -> AnyMoGraphEncoder:
    """With weights, statistics and edge importances that are all different from each other."""
    torch.manual_seed(0)
    encoder = AnyMoGraphEncoder(make_config(**kwargs)).eval()
    with torch.no_grad():
        for value in encoder.parameters():
            value.add_(0.1 * torch.randn_like(value))
        encoder.input_mean.normal_()
        encoder.input_std.uniform_(0.5, 2)
        for name, value in encoder.named_buffers():
            if name.endswith("running_mean"):
                value.normal_()
            elif name.endswith("running_var"):
                value.uniform_(0.5, 2)
    return encoder


def make_inputs(batch_size=3, num_frames=21, observed=0.7, seed=1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(batch_size, num_frames, 23, 6, generator=generator)
    mask = torch.rand(values.shape, generator=generator) < observed
    mask[:, -1] = True
    return values.masked_fill(~mask, 0.0), mask


def assert_equal_outputs(one, other, **tolerance):
    for name in ("last_hidden_state", "pooled_latents", "steps_mask"):
        torch.testing.assert_close(one[name], other[name], **tolerance)


def test_the_paper_s_size_to_the_last_parameter():
    encoder = AnyMoGraphEncoder(AnyMoGraphEncoderConfig())
    sizes = {name: sum(p.numel() for p in module.parameters()) for name, module in encoder.named_children()}
    assert encoder.num_parameters() == 3_081_240
    assert sizes["blocks"] == 3_065_088 + 10 * 3 * 23 * 23
    assert encoder.input_weight.numel() + encoder.input_bias.numel() == 276


def test_shapes_and_steps():
    encoder, config = make_encoder(), make_config()
    for num_frames in (1, 4, 5, 21):
        outputs = encoder(*make_inputs(2, num_frames))
        num_steps = config.num_steps(num_frames)
        assert outputs.last_hidden_state.shape == (2, num_steps, 23, 16)
        assert outputs.steps_mask.shape == (2, num_steps) and outputs.steps_mask.all()
        torch.testing.assert_close(outputs.pooled_latents, outputs.last_hidden_state.mean(dim=2))


def test_the_graph_of_a_chain_of_three():
    expected = torch.tensor(
        [
            [[1, 0, 0], [0, 1, 0], [0, 0, 1]],  # self
            [[0, 0, 0], [1, 0, 0], [0, 1, 0]],  # from the child to its parent
            [[0, 1, 0], [0, 0, 1], [0, 0, 0]],  # from the parent to its child
        ]
    ) / torch.tensor([2.0, 3.0, 2.0])
    torch.testing.assert_close(segment_adjacency([-1, 0, 1]), expected)


def test_received_weights_sum_to_one_over_67_edges():
    adjacency = segment_adjacency(make_config().segment_parents)
    assert (adjacency != 0).sum() == 67
    torch.testing.assert_close(adjacency.sum(dim=(0, 1)), torch.ones(23))


def test_graph_convolution_is_three_sparse_ones_of_pytorch_geometric():
    data = pytest.importorskip("torch_geometric.data")
    from torch_geometric.nn import SimpleConv

    torch.manual_seed(0)
    config = make_config()
    layer = AnyMoGraphConvolution(config, 6, 8)
    layer.edge_importance.data.uniform_(0.5, 1.5)
    layer.adjacency.copy_(segment_adjacency(config.segment_parents))
    values = torch.randn(23, 2, 5, 6)

    parents = torch.tensor(config.segment_parents)
    children, everyone = torch.arange(1, 23), torch.arange(23)
    relations = [(everyone, everyone), (children, parents[1:]), (parents[1:], children)]
    degree = torch.bincount(torch.cat([receiver for _, receiver in relations]), minlength=23)
    projected = layer.projection(values).unflatten(-1, (3, 8))
    expected = 0
    for index, (sender, receiver) in enumerate(relations):
        weight = layer.edge_importance[index, sender, receiver] / degree[receiver]
        graph = data.Data(x=projected[..., index, :].flatten(1), edge_index=torch.stack([sender, receiver]))
        expected = expected + SimpleConv(aggr="sum")(graph.x, graph.edge_index, edge_weight=weight)
    torch.testing.assert_close(layer(values), expected.view(46, 5, 8), atol=1e-5, rtol=1e-5)


def run_with_gradients(encoder, values, mask) -> list[torch.Tensor]:
    encoder.zero_grad()
    values = values.clone().requires_grad_()
    outputs = encoder(values, mask)
    outputs.last_hidden_state.square().sum().backward()
    return [outputs.last_hidden_state.detach(), values.grad, *(p.grad.clone() for p in encoder.parameters())]


@pytest.mark.parametrize("normalization", NORMS)
@pytest.mark.parametrize("training", [False, True])
def test_what_was_not_observed_changes_neither_outputs_nor_gradients(normalization, training):
    values, mask = make_inputs(observed=0.4)
    mask[1, 12:] = False
    encoder = make_encoder(normalization=normalization).train(training)
    state = {name: value.clone() for name, value in encoder.state_dict().items()}
    first = run_with_gradients(encoder, values, mask)
    encoder.load_state_dict(state)
    for junk in (float("nan"), float("inf"), 1e30):
        second = run_with_gradients(encoder, torch.where(mask, values, junk), mask)
        encoder.load_state_dict(state)
        for one, other in zip(first, second, strict=True):
            assert torch.equal(one, other) and one.isfinite().all()
    assert not first[1][~mask].any() and first[1][mask].any()


def test_a_gap_is_the_mask_token_and_nothing_else():
    encoder = make_encoder()
    values, mask = make_inputs(observed=1.1)
    mask[0, 8:13, 4, 3:] = False
    gap = encoder(values, mask)
    # Readings that standardise to the mask token are the same as none at all.
    scale = encoder.input_std / encoder.input_weight
    token = (encoder.mask_token - encoder.input_bias) * scale + encoder.input_mean
    filled = torch.where(mask, values, token.detach())
    assert_equal_outputs(gap, encoder(filled), atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        encoder.mask_token += 1
    assert (encoder(values, mask).last_hidden_state - gap.last_hidden_state)[0].abs().max() > 1e-3
    torch.testing.assert_close(encoder(values, mask).last_hidden_state[1:], gap.last_hidden_state[1:])


@pytest.mark.parametrize("normalization", NORMS)
@pytest.mark.parametrize("length", [1, 7, 8, 13])
def test_a_recording_gives_the_same_alone_and_among_longer_ones(normalization, length):
    encoder = make_encoder(normalization=normalization)
    values, mask = make_inputs()
    mask[1, length - 1, 0] = True
    mask[1, length:] = False
    together = encoder(values, mask)
    alone = encoder(values[1:2, :length], mask[1:2, :length])
    num_steps = encoder.config.num_steps(length)
    assert together.steps_mask[1].tolist() == [True] * num_steps + [False] * (together.steps_mask.shape[1] - num_steps)
    for name in ("last_hidden_state", "pooled_latents"):
        torch.testing.assert_close(together[name][1:2, :num_steps], alone[name], atol=1e-5, rtol=1e-5)
        assert not together[name][1, num_steps:].any()


def test_batch_norm_in_training_leaves_padding_out_of_its_statistics():
    values, mask = make_inputs(2, 13)
    padded, padded_mask = torch.cat([values, 50 + values], dim=1), torch.cat([mask, torch.zeros_like(mask)], dim=1)
    plain, with_padding = (make_encoder(normalization="batch_norm").train() for _ in range(2))
    outputs = with_padding(padded, padded_mask)
    torch.testing.assert_close(outputs.pooled_latents[:, :4], plain(values, mask).pooled_latents, atol=1e-5, rtol=1e-4)
    for (name, one), other in zip(plain.named_buffers(), with_padding.buffers(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4, msg=name)


def test_gaps_in_the_middle_are_no_end():
    encoder = make_encoder()
    values, mask = make_inputs()
    mask[0, 4:17] = False
    outputs = encoder(values, mask)
    assert outputs.steps_mask.all() and outputs.last_hidden_state.isfinite().all()


@pytest.mark.parametrize("normalization", NORMS)
@pytest.mark.parametrize("training", [False, True])
def test_nothing_observed_gives_zeros(normalization, training):
    encoder = make_encoder(normalization=normalization).train(training)
    values, mask = make_inputs()
    mask[0] = False
    outputs = encoder(values, mask)
    assert not outputs.steps_mask[0].any() and outputs.steps_mask[1:].all()
    assert not outputs.last_hidden_state[0].any() and not outputs.pooled_latents[0].any()
    encoder.eval()
    assert not encoder(values, torch.zeros_like(mask)).last_hidden_state.any()


def test_views_are_averaged_where_they_reach():
    encoder = make_encoder()
    values, mask = make_inputs(4)
    mask[1, 9:] = False  # view 1 of recording 0 ends after 3 of 6 steps
    outputs = encoder(values.unflatten(0, (2, 2)), mask.unflatten(0, (2, 2)))
    alone = encoder(values, mask).last_hidden_state
    torch.testing.assert_close(outputs.last_hidden_state[0, :3], (alone[0, :3] + alone[1, :3]) / 2)
    torch.testing.assert_close(outputs.last_hidden_state[0, 3:], alone[0, 3:])
    torch.testing.assert_close(outputs.last_hidden_state[1], (alone[2] + alone[3]) / 2)
    torch.testing.assert_close(outputs.pooled_latents, outputs.last_hidden_state.mean(dim=2))
    assert outputs.steps_mask.all()


def test_input_statistics_of_known_readings():
    encoder = AnyMoGraphEncoder(make_config())
    before = encoder.input_std.clone()
    turn = torch.arange(100) * 2 * math.pi / 25  # four whole turns
    values = torch.full((2, 100, 23, 6), torch.nan)
    mask = torch.zeros_like(values, dtype=torch.bool)
    values[:, :, 3, 2], mask[:, :, 3, 2] = 9.8 + 2 * turn.sin(), True
    values[1, 40:60, 5, 0], mask[1, 40:60, 5, 0] = torch.tensor([1.0, 3.0]).repeat(10), True
    values[0, 0, 6, 1], mask[0, 0, 6, 1] = 7.0, True  # once is not enough
    encoder.estimate_input_statistics(values, mask)
    expected_mean, expected_std = torch.zeros(23, 6), before
    expected_mean[3, 2], expected_std[3, 2] = 9.8, math.sqrt(2)
    expected_mean[5, 0], expected_std[5, 0] = 2.0, 1.0
    torch.testing.assert_close(encoder.input_mean, expected_mean, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(encoder.input_std, expected_std, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("shape", "mask_shape", "message"),
    [
        ((2, 10, 22, 6), None, r"\(batch_size, num_frames, 23, 6\)"),
        ((2, 10, 23, 3), None, r"has \(2, 10, 23, 3\)"),
        ((10, 23, 6), None, "at least one frame"),
        ((2, 0, 23, 6), None, "at least one frame"),
        ((2, 10, 23, 6), (2, 10), r"the shape of `input_values`, \(2, 10, 23, 6\)"),
    ],
)
def test_errors_say_what_to_do(shape, mask_shape, message):
    mask = None if mask_shape is None else torch.ones(mask_shape, dtype=torch.bool)
    with pytest.raises(ValueError, match=message):
        make_encoder()(torch.zeros(shape), mask)


def test_bfloat16_is_close_to_single_precision():
    encoder = make_encoder(hidden_sizes=[16, 32, 64, 64], strides=[1, 2, 2, 1])
    values, mask = make_inputs()
    expected = encoder(values, mask).pooled_latents.detach()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = encoder(values, mask).pooled_latents.detach()
    whole = encoder.to(torch.bfloat16)(values, mask).pooled_latents.detach()
    assert whole.dtype == torch.bfloat16
    for result in (mixed, whole):
        assert (result.float() - expected).norm() < 0.03 * expected.norm()


@pytest.mark.parametrize("normalization", NORMS)
def test_gradient_checkpointing_gives_the_same_gradients(normalization):
    values, mask = make_inputs()
    encoder = make_encoder(normalization=normalization).train()
    plain = run_with_gradients(encoder, values, mask)
    encoder.gradient_checkpointing_enable()
    assert all(block.gradient_checkpointing for block in encoder.blocks)
    for one, other in zip(plain, run_with_gradients(encoder, values, mask), strict=True):
        torch.testing.assert_close(one, other)


def test_compiles_as_one_graph_for_any_batch_size():
    torch._dynamo.reset()
    encoder = make_encoder()
    compiled = torch.compile(encoder, fullgraph=True, backend="eager", dynamic=True)
    with torch.no_grad():
        for batch_size in (2, 3, 5):
            values, mask = make_inputs(batch_size)
            assert_equal_outputs(compiled(values, mask), encoder(values, mask), atol=1e-5, rtol=1e-5)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


@pytest.mark.parametrize("normalization", NORMS)
def test_saving_and_loading(normalization, tmp_path):
    encoder = make_encoder(normalization=normalization)
    encoder.save_pretrained(tmp_path)
    loaded, info = AnyMoGraphEncoder.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values()), info
    inputs = make_inputs()
    assert_equal_outputs(loaded(*inputs), encoder(*inputs), atol=0, rtol=0)


@pytest.mark.parametrize("normalization", NORMS)
def test_one_step_of_training_moves_every_parameter(normalization):
    torch.manual_seed(0)
    encoder = AnyMoGraphEncoder(make_config(normalization=normalization)).train()
    before = {name: value.detach().clone() for name, value in encoder.named_parameters()}
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=1e-2, weight_decay=0.0)
    values, mask = make_inputs()
    outputs = encoder(values, mask).last_hidden_state
    (outputs * torch.randn_like(outputs)).sum().backward()
    optimizer.step()
    for name, value in encoder.named_parameters():
        assert not torch.equal(value, before[name]), name


def test_new_weights_are_drawn_for_rectified_units():
    torch.manual_seed(0)
    encoder = AnyMoGraphEncoder(make_config(hidden_sizes=[64, 64, 64]))
    assert encoder.input_std[0].tolist() == pytest.approx([9.80665] * 3 + [2.0] * 3)
    for block in encoder.blocks[1:]:
        for weight in (block.graph_convolution.projection.weight, block.temporal_convolution.weight):
            assert weight.std().item() == pytest.approx(math.sqrt(2 / weight[0].numel()), rel=0.05)
        assert not block.temporal_convolution.bias.any()


def test_pooling_of_observed_segments_is_their_mean():
    torch.manual_seed(0)
    model = AnyMoGraphEncoder(
        AnyMoGraphEncoderConfig(hidden_sizes=[8, 16], strides=[2, 1], pooled_segments="observed")
    )
    values = torch.randn(2, 12, 23, 6)
    mask = torch.zeros(values.shape, dtype=torch.bool)
    mask[0, :, 3, :3] = mask[0, :6, 20] = True
    mask[1, :4, 9] = True
    outputs = model.eval()(values, mask)
    torch.testing.assert_close(outputs.pooled_latents[0], outputs.last_hidden_state[0][:, [3, 20]].mean(dim=1))
    torch.testing.assert_close(outputs.pooled_latents[1], outputs.last_hidden_state[1][:, 9])
    nothing = model(values, torch.zeros_like(mask))
    assert not nothing.pooled_latents.any()
    everything = model(values)
    torch.testing.assert_close(everything.pooled_latents, everything.last_hidden_state.mean(dim=2))
    # Of several views each has its own sensors.
    views = model(values[None], mask[None])
    steps = outputs.steps_mask[..., None].float()
    expected = (outputs.pooled_latents * steps).sum(dim=0) / steps.sum(dim=0).clamp(min=1)
    torch.testing.assert_close(views.pooled_latents[0], expected)


@pytest.mark.parametrize("canonical_axes", [False, True])
def test_pooled_latents_alone_are_those_of_the_whole(canonical_axes):
    """Only what observed segments receive is computed: the rest must not matter, forwards or backwards."""
    torch.manual_seed(0)
    config = AnyMoGraphEncoderConfig.small(canonical_axes=canonical_axes, hidden_sizes=[8, 8, 12, 16])
    model = AnyMoGraphEncoder(config)
    torch.nn.init.normal_(model.mask_token)
    values = torch.randn(5, 41, 23, 6)
    mask = torch.zeros(values.shape, dtype=torch.bool)
    for row, segments in enumerate(([22], [0, 4], [3, 9, 14], list(range(23)), [])):
        mask[row, :, segments] = True
    mask[1, 20:] = False
    whole, pooled = model(values, mask), model(values, mask, pooled_only=True)
    assert pooled.last_hidden_state is None
    torch.testing.assert_close(pooled.pooled_latents, whole.pooled_latents, atol=1e-5, rtol=0)
    weights = torch.randn(whole.pooled_latents.shape)
    own, other = (
        torch.autograd.grad((one.pooled_latents * weights).sum(), list(model.parameters())) for one in (whole, pooled)
    )
    for (name, _), one, two in zip(model.named_parameters(), own, other, strict=True):
        torch.testing.assert_close(one, two, atol=1e-4, rtol=1e-4, msg=name)


def test_a_few_sensors_cost_less_than_all():
    config = AnyMoGraphEncoderConfig.small()
    model = AnyMoGraphEncoder(config).eval()
    values, mask = torch.randn(2, 60, 23, 6), torch.zeros(2, 60, 23, 6, dtype=torch.bool)
    mask[:, :, 10] = True

    def count(**options) -> int:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model(values, mask, **options)
        return counter.get_total_flops()

    assert count(pooled_only=True) < 0.3 * count()

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The encoder against blocks of ST-GCN written out as its authors do, with channels first and one einsum."""

import pytest
import torch
from torch import nn

from anymo_hf import AnyMoGraphEncoder, AnyMoGraphEncoderConfig


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the second axis."""

    def forward(self, x):
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class Block(nn.Module):
    """A block of ST-GCN (https://huggingface.co/papers/1801.07455), on `(batch, channels, frames, nodes)`."""

    def __init__(self, in_channels, out_channels, stride, norm, residual, relations):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 3 * out_channels, 1)
        self.norm = norm(out_channels)
        self.tcn = nn.Conv2d(out_channels, out_channels, (9, 1), (stride, 1), (4, 0))
        self.tcn_norm = norm(out_channels)
        self.has_residual = residual
        self.shortcut = None
        if residual and (in_channels != out_channels or stride != 1):
            self.shortcut = nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, (stride, 1)), norm(out_channels))
        self.register_buffer("relations", relations)
        self.importance = nn.Parameter(torch.ones_like(relations))

    def forward(self, x):
        residual = 0
        if self.has_residual:
            residual = x if self.shortcut is None else self.shortcut(x)
        x = self.conv(x)
        x = x.view(x.shape[0], 3, -1, *x.shape[2:])
        x = torch.einsum("nkctv,kvw->nctw", x, self.relations * self.importance)
        return torch.relu(self.tcn_norm(self.tcn(torch.relu(self.norm(x)))) + residual)


def relations_of(parents) -> torch.Tensor:
    """Self, towards the root, away; columns divided by the degree in the graph with its self loops."""
    num = len(parents)
    links = torch.eye(num)
    for child, parent in enumerate(parents):
        if parent >= 0:
            links[child, parent] = links[parent, child] = 1
    normalised = links / links.sum(dim=0)
    towards, away = torch.zeros(num, num), torch.zeros(num, num)
    for child, parent in enumerate(parents):
        if parent >= 0:
            towards[child, parent] = normalised[child, parent]
            away[parent, child] = normalised[parent, child]
    return torch.stack([torch.diag(normalised.diagonal()), towards, away])


def copy_norm(theirs, ours):
    theirs.load_state_dict(ours.norm.state_dict())


def written_out(encoder: AnyMoGraphEncoder) -> list[Block]:
    """Blocks with the encoder's weights."""
    config, in_channels, blocks = encoder.config, encoder.config.num_channels, []
    norm = ChannelNorm if config.normalization == "layer_norm" else nn.BatchNorm2d
    for index, ours in enumerate(encoder.blocks):
        out_channels = config.hidden_sizes[index]
        relations = relations_of(config.segment_parents)
        block = Block(in_channels, out_channels, config.strides[index], norm, index > 0, relations)
        projection = ours.graph_convolution.projection
        block.conv.load_state_dict({"weight": projection.weight[..., None, None], "bias": projection.bias})
        block.importance.data.copy_(ours.graph_convolution.edge_importance)
        convolution = ours.temporal_convolution
        block.tcn.load_state_dict({"weight": convolution.weight.transpose(2, 3), "bias": convolution.bias})
        copy_norm(block.norm, ours.graph_norm)
        copy_norm(block.tcn_norm, ours.temporal_norm)
        if block.shortcut is not None:
            residual = ours.residual
            block.shortcut[0].load_state_dict({"weight": residual.weight[..., None, None], "bias": residual.bias})
            copy_norm(block.shortcut[1], ours.residual_norm)
        blocks.append(block)
        in_channels = out_channels
    return blocks


@pytest.mark.parametrize("normalization", ["layer_norm", "batch_norm"])
@pytest.mark.parametrize("training", [False, True])
def test_encoder_is_st_gcn(normalization, training):
    torch.manual_seed(0)
    config = AnyMoGraphEncoderConfig(
        hidden_sizes=[8, 8, 12, 12, 16], strides=[1, 1, 2, 1, 2], normalization=normalization
    )
    encoder = AnyMoGraphEncoder(config).train(training)
    with torch.no_grad():
        for value in encoder.parameters():
            value.add_(0.1 * torch.randn_like(value))
        for name, value in encoder.named_buffers():
            if "running" in name:
                value.uniform_(0.5, 2)
    blocks = [block.train(training) for block in written_out(encoder)]
    values = 5 * torch.randn(2, 30, 23, 6)
    hidden = (values - encoder.input_mean) / encoder.input_std * encoder.input_weight + encoder.input_bias
    hidden = hidden.permute(0, 3, 1, 2)
    for block in blocks:
        hidden = block(hidden)
    outputs = encoder(values)
    torch.testing.assert_close(outputs.last_hidden_state, hidden.permute(0, 2, 3, 1), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(outputs.pooled_latents, hidden.mean(dim=3).transpose(1, 2), atol=1e-4, rtol=1e-4)
    if training and normalization == "batch_norm":
        for block, ours in zip(blocks, encoder.blocks, strict=True):
            torch.testing.assert_close(block.tcn_norm.running_var, ours.temporal_norm.norm.running_var)

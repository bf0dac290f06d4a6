# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark of the encoder: what it counts and what it records."""

import pytest
import torch

from anymo_hf.evaluation.results import read_results


encoder_benchmark = pytest.importorskip("encoder")


def test_operations_of_a_known_product():
    left, right = torch.ones(3, 5), torch.ones(5, 7)
    assert encoder_benchmark.count_operations(lambda: left @ right) == 2 * 3 * 5 * 7


def test_operations_of_the_small_encoder_by_hand():
    sizes, strides, frames = [9, 16, 32, 48, 96], [2, 2, 1, 1], 300
    # Canonical axes, of three: the covariance, which is squared ten times and meets two axes; two third moments; and
    # the turning of force and rate.
    expected = 23 * (9 * frames + 10 * 27 + 2 * 9 + 2 * 3 * frames + 2 * 9 * frames)
    for index, stride in enumerate(strides):
        given, asked, steps = sizes[index], sizes[index + 1], -(-frames // stride)
        expected += 3 * 23 * 23 * frames * given  # messages of three relations
        expected += 23 * frames * 3 * given * asked  # their projection
        expected += 3 * 23 * asked  # its bias, along the edges
        expected += 23 * steps * 9 * asked * asked  # over time
        if index and (given != asked or stride > 1):
            expected += 23 * steps * given * asked
        frames = steps
    expected += 23 * frames * sizes[-1]  # the mean over segments with a sensor
    task = encoder_benchmark.make_task(
        encoder_benchmark.make_encoder("small"), encoder_benchmark.make_windows(1), training=False
    )
    assert encoder_benchmark.count_operations(task) == 2 * expected


def test_records_shares_and_seconds(tmp_path):
    path = tmp_path / "results.jsonl"
    encoder_benchmark.main(["--turns", "1", "--windows", "2", "--results", str(path)])
    results = read_results(path)
    assert len(results) == 2 * 3 * 4 + 3 and len({result.identity for result in results}) == len(results)
    assert all(result.value > 0 for result in results)
    assert sum("share of matrix products" in result.metric for result in results) == 6

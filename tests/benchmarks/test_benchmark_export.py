# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark of exported models: what it finds of runtimes that are known to agree or to differ."""

import pytest
import torch
from test_frozen_encoder import make_windows


pytest.importorskip("onnxruntime")
pytest.importorskip("sklearn")
export_benchmark = pytest.importorskip("export")

COMMON = {"command": "here", "commit": None, "machine": "a", "date": "2026-01-01"}


def runtime(changed: float = 0.0):
    """Latents are the mean force of a step, codes its sign along x; a share of the codes is another."""

    def run(values, mask, orientation_known):
        force = values.sum(dim=2)[:, ::4, :3]
        codes = (force[:, ::2, :2] > 20).long().transpose(1, 2)
        codes[:, 0, : round(changed * codes.shape[2])] += 7
        return force, torch.ones(force.shape[:2], dtype=torch.bool), codes

    return run


def test_shares_of_equal_codes_and_probes():
    runtimes = {"one": runtime(), "same": runtime(), "half of one book differs": runtime(0.5)}
    rows = export_benchmark.measure_accuracy(runtimes, make_windows(), COMMON)
    found = {(row.model, row.metric): row.value for row in rows}
    assert found["same", "codes as in PyTorch (%)"] == 100
    assert found["half of one book differs", "codes as in PyTorch (%)"] == pytest.approx(75)
    assert all(value == 100 for (_, metric), value in found.items() if "probe" in metric)
    assert {row.num_windows for row in rows} == {32} and {row.num_subjects for row in rows} == {4}

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Rows of two processes, and the way back of their gradients."""

import torch

from anymo_hf.modeling.modeling_anymo_gathering import gather_from_all_processes, is_distributed, own_rows


def run_process(rank: int, folder: str):
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    rows = torch.tensor([[1.0], [2.0]]) + 2 * rank
    rows.requires_grad_()
    beside = torch.zeros(4, 1, requires_grad=True)
    doubled = 2 * beside  # made before the rows are gathered, and so differentiated after
    gathered = gather_from_all_processes(rows)
    # A sum hands both its terms the same tensor as their gradient: that of (row * (rank + 1))^2 / 2.
    ((gathered + doubled) * (rank + 1)).square().sum().div(2).backward()
    found = {
        "gathered": gathered.detach(), "mask": gather_from_all_processes(rows.detach()[:, 0] > 2),
        "own": own_rows(rows), "gradient": rows.grad, "beside": beside.grad,
    }  # fmt: skip
    torch.save(found, f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_rows_go_to_all_processes_and_gradients_come_back(tmp_path):
    torch.multiprocessing.spawn(run_process, args=(str(tmp_path),), nprocs=2)
    for rank in range(2):
        found = {name: value.flatten().tolist() for name, value in torch.load(tmp_path / f"{rank}.pt").items()}
        assert found["gathered"] == [1, 2, 3, 4] and found["mask"] == [False, False, True, True]
        assert found["own"] == [2 * rank, 2 * rank + 1]
        # Of process 0 a row's gradient is the row, of process 1 four times as much.
        assert found["gradient"] == [5 * (2 * rank + 1), 5 * (2 * rank + 2)]
        assert found["beside"] == [2 * row * (rank + 1) ** 2 for row in (1, 2, 3, 4)]  # this process' alone


def test_one_process_has_all_rows():
    rows = torch.ones(3, 2)
    assert not is_distributed() and gather_from_all_processes(rows) is rows and own_rows(rows).tolist() == [0, 1, 2]

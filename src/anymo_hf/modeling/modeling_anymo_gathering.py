# Copyright 2026 The anymo-hf contributors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""Rows of a batch that is spread over processes: the one place where tensors are gathered from all of them."""

import torch
import torch.distributed


def is_distributed() -> bool:
    """Whether there are several processes to gather from."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def gather_from_all_processes(tensor: torch.Tensor) -> torch.Tensor:
    """
    Rows of all processes, in their order; the gradient comes back to where a row came from, summed over processes.

    Divided by the number of processes, as data-parallel training averages gradients, that is the gradient of the mean
    of the processes' losses.

    Args:
        tensor (`torch.Tensor` of shape `(batch_size, ...)`):
            Of equal shape in every process.

    Returns:
        `torch.Tensor` of shape `(num_processes * batch_size, ...)`: The tensor itself if there is one process.
    """
    return _Gather.apply(tensor) if is_distributed() else tensor


def own_rows(tensor: torch.Tensor) -> torch.LongTensor:
    """Where this process' rows lie among those that `gather_from_all_processes` gives, of shape `(batch_size,)`."""
    first = torch.distributed.get_rank() * len(tensor) if is_distributed() else 0
    return first + torch.arange(len(tensor), device=tensor.device)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx, tensor):
        parts = [torch.empty_like(tensor) for _ in range(torch.distributed.get_world_size())]
        torch.distributed.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx, gradient):
        # A copy, for others may be given the same tensor as their gradient.
        gradient = gradient.clone(memory_format=torch.contiguous_format)
        torch.distributed.all_reduce(gradient)
        return gradient.chunk(torch.distributed.get_world_size())[torch.distributed.get_rank()]


__all__ = ["gather_from_all_processes", "is_distributed", "own_rows"]

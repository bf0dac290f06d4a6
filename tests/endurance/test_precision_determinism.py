# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
The same numbers on a CPU and a GPU, nearly the same in half the digits, and always the same from the same seed.

Bounds: float32 on CPU and GPU agree to 1e-4 of the largest latent, bfloat16 and float32 to 3 % of the latents' norm.
"""

import copy
import functools
import hashlib
import json
import os
import subprocess
import sys

import pytest
import torch
from sample_files import swaying_motion
from torch.utils.data import DataLoader

from anymo_hf import (
    AnyMoGraphEncoder,
    AnyMoGraphEncoderConfig,
    AnyMoPQTokenizer,
    AnyMoPQTokenizerConfig,
    BodySurface,
    Placements,
    SegmentKinematics,
    simulate_imu,
)
from anymo_hf.simulation.conversion import save_kinematics
from anymo_hf.simulation.errors import SensorErrors
from anymo_hf.training import PairedViewDataset


DEVICE_BOUND = 1e-4  # of the largest latent, for sums in another order
HALF_BOUND = 0.03  # of the latents' norm: eight bits of mantissa through all layers
CODES_KEPT = 0.98  # share of motion tokens that sums in another order leave as they are
CODES_KEPT_BY_ROUNDING = 0.9  # by weights that were rounded to bfloat16
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


@functools.cache
def models() -> tuple[AnyMoGraphEncoder, AnyMoPQTokenizer]:
    torch.manual_seed(0)
    sizes = AnyMoPQTokenizerConfig.small()
    return AnyMoGraphEncoder(AnyMoGraphEncoderConfig.small()).eval(), AnyMoPQTokenizer(sizes).eval()


@functools.cache
def readings() -> tuple[torch.Tensor, torch.Tensor]:
    """What three sensors read of a swaying body, padded differently."""
    kinematics = SegmentKinematics.from_motion(swaying_motion(num_frames=480, rate=120.0))
    imu = simulate_imu(kinematics, Placements.from_names(["left wrist", "right trouser pocket", "chest"]))
    segments = Placements.from_names(["left wrist", "right trouser pocket", "chest"]).segment
    values = torch.zeros(2, 240, 23, 6)
    values[:, :, segments] = imu[:240]
    mask = torch.zeros(values.shape, dtype=torch.bool)
    mask[:, :, segments] = True
    mask[1, 150:] = False
    return values.masked_fill(~mask, 0.0), mask


@torch.no_grad()
def latents_of(encoder: AnyMoGraphEncoder, device: str = "cpu") -> torch.Tensor:
    values, mask = readings()
    return encoder.to(device)(values.to(device), mask.to(device)).pooled_latents.float().cpu()


def assert_within(found: torch.Tensor, expected: torch.Tensor, bound: float) -> None:
    assert (found - expected).abs().max() <= bound * expected.abs().max(), (found - expected).abs().max()


@needs_gpu
def test_cpu_and_gpu_agree():
    encoder, tokenizer = models()
    on_cpu, on_gpu = latents_of(encoder), latents_of(copy.deepcopy(encoder), "cuda")
    assert_within(on_gpu, on_cpu, DEVICE_BOUND)
    with torch.no_grad():
        codes = tokenizer.encode(on_cpu)
        assert (copy.deepcopy(tokenizer).to("cuda").encode(on_cpu.cuda()).cpu() == codes).float().mean() > CODES_KEPT
    kinematics = SegmentKinematics.from_motion(swaying_motion(num_frames=240))
    placements = BodySurface.default().sample(4, torch.Generator().manual_seed(0))
    moved = SegmentKinematics(kinematics.values.cuda(), kinematics.mask.cuda(), kinematics.sampling_rate)
    there = Placements(placements.segment.cuda(), placements.offset.cuda(), placements.orientation.cuda())
    assert_within(simulate_imu(moved, there).cpu(), simulate_imu(kinematics, placements), 1e-5)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_gpu)])
def test_bfloat16_agrees_with_float32(device):
    encoder, tokenizer = models()
    expected = latents_of(encoder)
    half = latents_of(copy.deepcopy(encoder).bfloat16(), device)
    assert (half - expected).norm() <= HALF_BOUND * expected.norm()
    with torch.no_grad():
        codes = tokenizer.encode(expected)
        # Weights that were rounded to bfloat16 and are used in float32: how the published checkpoint is stored.
        rounded = copy.deepcopy(tokenizer)
        rounded.load_state_dict({name: t.bfloat16().float() for name, t in tokenizer.state_dict().items()})
        rounded.quantizer.codebooks.copy_(tokenizer.quantizer.codebooks)
        assert (rounded.encode(expected) == codes).float().mean() >= CODES_KEPT_BY_ROUNDING


# Seeds --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    for seed in range(3):
        kinematics = SegmentKinematics.from_motion(swaying_motion(seed, 700))
        save_kinematics(kinematics, folder / f"{seed:016x}.safetensors")
    return folder


DIGESTS = """
import json, sys
sys.path[:0] = sys.argv[2].split(":")
from test_precision_determinism import digests_of_everything
print(json.dumps(digests_of_everything(sys.argv[1])))
"""


def digest(*tensors: torch.Tensor) -> str:
    return hashlib.sha256(b"".join(tensor.contiguous().numpy().tobytes() for tensor in tensors)).hexdigest()[:16]


def digests_of_everything(folder) -> dict[str, str]:
    """Of all that is drawn from a seed."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(3)
    body = BodySurface.default()
    placements = body.sample(2, generator).mount(generator)
    kinematics = SegmentKinematics.from_motion(swaying_motion(num_frames=240))
    imu = simulate_imu(kinematics, placements, SensorErrors.preset("phone"), generator)
    dataset = PairedViewDataset(folder, seed=5, return_kinematics=True)
    items = [dataset[index] for index in range(len(dataset))]
    torch.manual_seed(0)
    encoder = AnyMoGraphEncoder(AnyMoGraphEncoderConfig.small(hidden_sizes=[4, 4, 4, 8])).eval()
    with torch.no_grad():
        latents = encoder(items[0]["input_values"], items[0]["input_values_mask"]).pooled_latents
    return {
        "placements": digest(placements.segment, placements.offset, placements.orientation),
        "readings": digest(imu.nan_to_num(nan=-1.0)),
        "views": digest(*(item[name] for item in items for name in sorted(item))),
        "latents": digest(latents),
    }


def test_two_processes_draw_the_same(clips):
    paths = ":".join(path for path in sys.path if path)
    environment = {**os.environ, "PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", DIGESTS, str(clips), paths]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr[-3000:]
    num_threads = torch.get_num_threads()
    here = digests_of_everything(clips)
    torch.set_num_threads(num_threads)
    assert json.loads(result.stdout.splitlines()[-1]) == here


def test_order_batches_and_workers_change_no_item(clips):
    dataset = PairedViewDataset(clips, seed=5, return_kinematics=True)
    order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(1)).tolist()
    alone = {index: dataset[index] for index in range(len(dataset))}
    for options in ({"batch_size": 2}, {"batch_size": 3, "num_workers": 2, "multiprocessing_context": "forkserver"}):
        batches = list(DataLoader(dataset, sampler=order, **options))
        for name in alone[0]:
            together = torch.cat([batch[name] for batch in batches])
            for place, index in enumerate(order):
                assert torch.equal(together[place], alone[index][name]), name


@torch.no_grad()
def test_neighbours_in_a_batch_change_no_latent():
    encoder, tokenizer = models()
    values, mask = readings()
    both = encoder(values, mask)
    for order in ([1, 0], [1], [0, 1, 0]):
        output = encoder(values[order], mask[order])
        torch.testing.assert_close(output.pooled_latents, both.pooled_latents[order], atol=1e-5, rtol=1e-5)
        codes = tokenizer.encode(output.pooled_latents, output.steps_mask)
        assert (codes == tokenizer.encode(both.pooled_latents, both.steps_mask)[order]).float().mean() > CODES_KEPT


def test_another_seed_draws_something_else(clips):
    first, other = (PairedViewDataset(clips, seed=seed)[0]["input_values"] for seed in (0, 1))
    assert not torch.equal(first, other)

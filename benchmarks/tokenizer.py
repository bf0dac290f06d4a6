# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Speed of quantising at the paper's sizes, and what motion tokens keep of the motion of people left out.

    python benchmarks/tokenizer.py
    python benchmarks/tokenizer.py --tokenizer tokenizer/motion_tokenizer --encoder encoder/graph_encoder \
        --data converted synthetic --signal_decoder signals/signal_decoder

Speed: `nearest_codes` against `torch.cdist` and `argmin`, one after the other in each turn; medians after a first,
unmeasured one. Run it on an idle machine. Quality: of all held-out windows together. An error of 100 % is that of the
mean: of these windows' latents, or of what segments feel in the training motion. The signal decoder sees one watch on
the left wrist, mounted at any angle; what it is compared with takes what the watch reads, turned into its segment's
frame by the true mounting, for every segment.
"""

import argparse
import os
import time
from datetime import date
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel

from anymo_hf.evaluation.results import (
    DEFAULT_PATH,
    Result,
    append_results,
    current_commit,
    machine_description,
)
from anymo_hf.modeling.modeling_anymo_pq_tokenizer import AnyMoPQTokenizer, nearest_codes
from anymo_hf.modeling.modeling_anymo_signal_decoder import AnyMoSignalDecoder
from anymo_hf.simulation import Placements, SegmentKinematics, SensorErrors, simulate_imu
from anymo_hf.simulation.kinematics import ANGULAR_RATE, SPECIFIC_FORCE
from anymo_hf.simulation.rotations import quaternion_rotate
from anymo_hf.training import PairedViewDataset
from anymo_hf.training.views import read_window


COMMAND = "python benchmarks/tokenizer.py"
NUM_CODEBOOKS, CODEBOOK_SIZE, CODEBOOK_DIM, NUM_STEPS = 2, 2048, 64, 75  # of the paper; 5 s at 15 steps per second
LEFT_FOREARM = 13
BATCH_SIZE = 16


def cdist_codes(vectors: torch.Tensor, codebook: torch.Tensor) -> torch.Tensor:
    """What `nearest_codes` is measured against."""
    return torch.cdist(vectors, codebook).argmin(dim=1)


def measure_speed(num_turns: int, num_windows: int) -> list[Result]:
    """Seconds of both ways, on the same vectors, one after the other."""
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(NUM_CODEBOOKS, num_windows * NUM_STEPS, CODEBOOK_DIM, generator=generator)
    codebooks = torch.randn(NUM_CODEBOOKS, CODEBOOK_SIZE, CODEBOOK_DIM, generator=generator)
    seconds = np.zeros((num_turns + 1, 2))
    for turn in seconds:
        for way, quantise in enumerate((nearest_codes, cdist_codes)):
            begin = time.perf_counter()
            codes = [quantise(*pair) for pair in zip(vectors, codebooks, strict=True)]
            turn[way] = time.perf_counter() - begin
    ours, theirs = seconds[1:].T
    subset = f"{num_windows} window{'s' * (num_windows > 1)} of 5 s, {torch.get_num_threads()} threads"
    codes = torch.stack([nearest_codes(*pair) for pair in zip(vectors, codebooks, strict=True)])
    return [
        _speed_result(subset, "quantising, ms per window", 1000 * ours / num_windows),
        _speed_result(subset, "cdist and argmin, ms per window", 1000 * theirs / num_windows),
        _speed_result(subset, "cdist and argmin, times as long as quantising", theirs / ours),
        _speed_result(
            subset, "largest excess distance of a code", np.array([excess_distance(codes, vectors, codebooks)])
        ),
    ]


def excess_distance(codes: torch.Tensor, vectors: torch.Tensor, codebooks: torch.Tensor) -> float:
    """How much farther than the nearest entry a code's entry lies, at most; in double precision."""
    distances = torch.cdist(vectors.double(), codebooks.double())
    chosen = distances.gather(2, codes[..., None])[..., 0]
    return float((chosen - distances.min(dim=2).values).max())


@torch.no_grad()
def measure_tokens(motion_tokenizer, encoder, dataset: PairedViewDataset, subset: str) -> list[Result]:
    """Reconstruction of latents, and how codes are used."""
    squared, total, total_squares, number, codes = 0.0, 0.0, 0.0, 0, []
    for start in range(0, len(dataset), BATCH_SIZE):
        items = [dataset[i] for i in range(start, min(start + BATCH_SIZE, len(dataset)))]
        batch = {name: torch.stack([item[name] for item in items]) for name in items[0]}
        visible = batch["input_values_mask"][:, 0] & batch["visible_segments"][:, 0, None, :, None]
        outputs = encoder(batch["input_values"][:, 0], visible, batch["orientation_known"][:, 0])
        result = motion_tokenizer(outputs.pooled_latents, outputs.steps_mask)
        latents = outputs.pooled_latents[outputs.steps_mask].double()
        squared += float((result.reconstruction[outputs.steps_mask] - latents).square().sum())
        total, total_squares = total + latents.sum(dim=0), total_squares + latents.square().sum(dim=0)
        number += len(latents)
        codes.append(result.codes.transpose(1, 2)[result.codes_mask])
    variance = float((total_squares - total.square() / number).sum())
    codes, size = torch.cat(codes), motion_tokenizer.config.codebook_size
    results = [
        _quality_result(subset, "reconstruction, squared error relative to the mean, %", 100 * squared / variance)
    ]
    for book in range(codes.shape[1]):
        counts = torch.bincount(codes[:, book], minlength=size).double()
        perplexity = float(torch.special.entr(counts / counts.sum()).sum().exp())
        results.append(_quality_result(subset, f"perplexity of codebook {book}", perplexity))
        results.append(
            _quality_result(subset, f"used codes of codebook {book}, %", 100 * float((counts > 0).double().mean()))
        )
    return results


def watch_windows(dataset: PairedViewDataset):
    """
    Every held-out window through one watch on the left wrist.

    Yields:
        `tuple`: What the encoder is given, `(num_frames, 23, 6)`, with its mask; what the watch reads in its segment's
        frame, `(num_frames, 6)`; what every segment feels, `(num_frames, 23, 6)`, and where that is known.
    """
    generator, watch = torch.Generator().manual_seed(0), Placements.from_names("left wrist")
    errors = SensorErrors.preset("watch")
    for clip in dataset.clips:
        for start in range(0, clip.num_frames - dataset.num_frames + 1, dataset.num_frames):
            kinematics = read_window(clip.path, start, dataset.num_frames)
            worn = watch.mount(generator)
            readings = simulate_imu(kinematics, worn, errors, generator)[:, 0]
            values = torch.zeros(dataset.num_frames, 23, 6)
            values[:, LEFT_FOREARM] = readings
            copied = quaternion_rotate(worn.orientation[0], readings.unflatten(-1, (2, 3))).flatten(-2)
            yield values.nan_to_num(nan=0.0), _mask_of(readings), copied, segment_readings(kinematics), kinematics.mask


def segment_readings(kinematics: SegmentKinematics) -> torch.Tensor:
    """Specific force and angular rate of every segment, `(num_frames, 23, 6)`."""
    return torch.cat([kinematics.values[..., SPECIFIC_FORCE], kinematics.values[..., ANGULAR_RATE]], dim=-1)


def _mask_of(readings: torch.Tensor) -> torch.Tensor:
    mask = torch.zeros(len(readings), 23, 6, dtype=torch.bool)
    mask[:, LEFT_FOREARM] = ~readings.isnan()
    return mask


@torch.no_grad()
def measure_signals(signal_decoder, motion_tokenizer, encoder, dataset: PairedViewDataset) -> list[Result]:
    """Force and rate of the whole body from one watch, in variances of the training motion."""
    mean, std = signal_decoder.signal_mean, signal_decoder.signal_std
    # Of decoder, copy and mean: squared errors of force and rate, of every segment.
    squared, number, num_windows = torch.zeros(3, 23, 2, dtype=torch.float64), torch.zeros(23), 0
    for values, mask, copied, target, known in watch_windows(dataset):
        outputs = encoder(values[None], mask[None])
        codes = motion_tokenizer.encode(outputs.pooled_latents, outputs.steps_mask)
        decoded = signal_decoder(codes, outputs.steps_mask, target[None], return_loss=False).segment_values[0]
        # Drop-outs: where the watch reads nothing, or the codes end, the mean stands in.
        ends = outputs.steps_mask[0].repeat_interleave(4)[: len(target), None, None]
        guesses = (torch.where(ends, decoded, mean), copied[:, None].expand_as(target), mean.expand_as(target))
        for index, guess in enumerate(guesses):
            guess = torch.where(guess.isnan(), mean, guess)
            errors = torch.where(known[..., None], (guess - target) / std, 0.0).square().unflatten(-1, (2, 3))
            squared[index] += errors.double().mean(dim=-1).sum(dim=0)
        number += known.sum(dim=0)
        num_windows += 1
    if not num_windows:
        raise ValueError(f"None of the held-out clips lasts {dataset.num_frames} frames; hold out more subjects.")
    others = torch.arange(23) != LEFT_FOREARM
    results = []
    for where, chosen in (("the wrist's segment", ~others), ("the other 22 segments", others)):
        for channel, what in enumerate(("force", "rate")):
            ours, copy, by_mean = squared[:, chosen, channel].sum(dim=1).tolist()
            subset = f"one watch, {what} of {where}"
            for name, value in (("signal decoder", ours), ("copy of the watch", copy)):
                metric = f"{name}, squared error relative to the mean, %"
                results.append(_quality_result(subset, metric, 100 * value / by_mean, num_windows))
    return results


def _speed_result(subset: str, metric: str, values: np.ndarray) -> Result:
    return Result(
        "motion tokens, speed", "random vectors", subset, "anymo-hf", metric, float(np.median(values)),
        float(np.min(values)), float(np.max(values)), "minimum and maximum over turns", command=COMMAND,
        commit=current_commit(), machine=machine_description(), date=date.today().isoformat(),
        note=f"median of {len(values)} turns; {NUM_CODEBOOKS} codebooks of {CODEBOOK_SIZE} x {CODEBOOK_DIM}",
    )  # fmt: skip


def _quality_result(subset: str, metric: str, value: float, num_windows: int | None = None) -> Result:
    return Result(
        "motion tokens, quality", "held-out motion", subset, "anymo-hf", metric, value, command=COMMAND,
        num_windows=num_windows, commit=current_commit(), machine=machine_description(),
        date=date.today().isoformat(), note="subjects that neither tokenizer nor decoder was trained on",
    )  # fmt: skip


def measure_quality(options: argparse.Namespace) -> list[Result]:
    """Of a trained tokenizer, and of a signal decoder if there is one."""
    encoder = AutoModel.from_pretrained(options.encoder).eval()
    motion_tokenizer = AnyMoPQTokenizer.from_pretrained(options.tokenizer).eval()
    _, held_out = PairedViewDataset(options.data, seed=1).split(options.held_out_share)
    subset = f"step_stride {motion_tokenizer.config.step_stride}, one to five sensors"
    results = measure_tokens(motion_tokenizer, encoder, held_out, subset)
    if options.signal_decoder:
        signal_decoder = AnyMoSignalDecoder.from_pretrained(options.signal_decoder).eval()
        results += measure_signals(signal_decoder, motion_tokenizer, encoder, held_out)
    return results


def main(arguments: list[str] | None = None) -> None:
    """Measures, prints and records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--windows", type=int, nargs="+", default=[1, 64], help="at once")
    parser.add_argument("--tokenizer", help="folder; measures quality in place of speed")
    parser.add_argument("--encoder", help="folder")
    parser.add_argument("--signal_decoder", help="folder")
    parser.add_argument("--data", nargs="+", help="folders that the tokenizer was trained on")
    parser.add_argument("--held_out_share", type=float, default=0.05, help="as in training")
    parser.add_argument("--results", type=Path, default=DEFAULT_PATH)
    parser.add_argument("--dry-run", action="store_true", help="print only")
    options = parser.parse_args(arguments)
    print(f"{machine_description()}; load {os.getloadavg()[0]:.2f} before the start")
    if options.tokenizer:
        results = measure_quality(options)
    else:
        results = [one for number in options.windows for one in measure_speed(options.turns, number)]
    for r in results:
        spread = f"   {r.ci_low:.4g} to {r.ci_high:.4g}" if r.ci_low is not None else ""
        print(f"{r.subset:46} {r.metric:62} {r.value:10.4g}{spread}")
    if not options.dry_run:
        append_results(results, options.results)


if __name__ == "__main__":
    main()

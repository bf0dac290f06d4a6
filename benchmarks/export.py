# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Encoder and motion tokenizer in PyTorch, in torch.export and in onnxruntime, there also with 8-bit weights.

    python benchmarks/export.py [--model anymo]

Latency of one window of 5 s and of 32 at once, on one thread, one sensor observed. Each turn measures all runtimes one
after the other; each figure is the median over turns after a first, unmeasured one. Run it on an idle machine. With
recordings (environment variable ANYMO_DATA) also what 8-bit weights cost on a set for development: codes that stay the
same, and accuracy of a linear probe on the latents, people left out.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from onnxruntime.quantization import quantize_dynamic

from anymo_hf.evaluation.embeddings import HarWindows, embed_windows, load_har_windows
from anymo_hf.evaluation.har_datasets import HAR_DATASETS
from anymo_hf.evaluation.metrics import accuracy, majority_share
from anymo_hf.evaluation.probes import linear_probe
from anymo_hf.evaluation.results import (
    DEFAULT_PATH,
    Result,
    append_results,
    current_commit,
    machine_description,
)
from anymo_hf.evaluation.zero_shot import checkpoint_sha256
from anymo_hf.export import INPUT_NAMES, export_onnx, export_program, load_coder
from anymo_hf.modeling.modeling_anymo_graph_encoder import AnyMoGraphEncoderOutput


TABLE = "export"
PYTORCH, PROGRAM, ONNX, EIGHT_BITS = "PyTorch", "torch.export", "onnxruntime", "onnxruntime, 8-bit weights"
NUM_FRAMES, SEGMENT = 300, 13  # 5 s, left forearm
DATASET, MAX_WINDOWS = "umafall", 600

Runtime = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], tuple]


def make_runtimes(model_folder: Path, folder: Path) -> dict[str, Runtime]:
    """Everything that maps readings to latents, mask and codes."""
    program, onnx, eight_bits = folder / "anymo.pt2", folder / "anymo.onnx", folder / "anymo_int8.onnx"
    export_program(model_folder, program)
    export_onnx(model_folder, onnx)
    quantize_dynamic(onnx, eight_bits)
    return {
        PYTORCH: load_coder(model_folder),
        PROGRAM: torch.export.load(program).module(),
        ONNX: open_onnx(onnx),
        EIGHT_BITS: open_onnx(eight_bits),
    }


def open_onnx(path: Path) -> Runtime:
    """A function of tensors, on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(*inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        feed = {name: one.numpy() for name, one in zip(INPUT_NAMES, inputs, strict=True)}
        return tuple(torch.from_numpy(one) for one in session.run(None, feed))

    return run


def make_windows(num_windows: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Random readings of a sensor on the wrist."""
    values = torch.randn(num_windows, NUM_FRAMES, 23, 6, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros_like(values, dtype=torch.bool)
    mask[:, :, SEGMENT] = True
    return values, mask, torch.zeros(num_windows, 23, dtype=torch.bool)


@torch.no_grad()
def measure_latency(runtimes: dict[str, Runtime], num_turns: int, common: dict) -> list[Result]:
    """Milliseconds of a call, for one window and for 32."""
    results = []
    for num_windows in (1, 32):
        inputs, seconds = make_windows(num_windows), {name: [] for name in runtimes}
        for _ in range(num_turns + 1):
            for name, run in runtimes.items():
                begin = time.perf_counter()
                run(*inputs)
                seconds[name].append(time.perf_counter() - begin)
        for name, values in seconds.items():
            turns = 1000 * np.array(values[1:])
            subset = f"{num_windows} window{'s' * (num_windows > 1)} of 5 s, 1 thread"
            results.append(
                Result(
                    TABLE, "random readings", subset, name, "latency, ms", float(np.median(turns)),
                    float(turns.min()), float(turns.max()), "minimum and maximum over turns",
                    **{**common, "note": f"median of {num_turns} turns"},
                )
            )  # fmt: skip
    return results


class _Encoder(torch.nn.Module):
    """A runtime in the place of an encoder; it keeps the codes, without those behind a recording's end."""

    device = torch.device("cpu")

    def __init__(self, run: Runtime):
        super().__init__()
        # Wrapped, so that it is no submodule: a program of torch.export cannot be put in evaluation mode.
        self.run, self.codes = lambda *inputs: run(*inputs), []

    def forward(self, input_values, input_values_mask, orientation_known, pooled_only=True):
        latents, steps_mask, codes = self.run(input_values, input_values_mask, orientation_known)
        within = steps_mask[:, :: -(-steps_mask.shape[1] // codes.shape[2])]
        self.codes.append(codes.transpose(1, 2)[within])
        return AnyMoGraphEncoderOutput(pooled_latents=latents, steps_mask=steps_mask)


def measure_accuracy(runtimes: dict[str, Runtime], windows: HarWindows, common: dict) -> list[Result]:
    """Codes that are those of PyTorch, and a linear probe on the latents, in percent."""
    results, expected = [], None
    for name, run in runtimes.items():
        encoder = _Encoder(run)
        scores = linear_probe(embed_windows(encoder, windows), windows.activities, windows.subjects)
        codes = torch.cat(encoder.codes)
        expected = codes if expected is None else expected
        interval = scores.interval(accuracy)
        sizes = {
            "num_windows": len(windows), "num_subjects": len(scores.subjects), "num_classes": len(scores.classes),
        }  # fmt: skip
        guessing = {"chance": 100 / len(scores.classes), "majority": 100 * majority_share(windows.activities)}
        where = (TABLE, DATASET, ", ".join(windows.placements), name)
        same = float((codes == expected).float().mean())
        results.append(Result(*where, "codes as in PyTorch (%)", 100 * same, **sizes, **common))
        results.append(
            Result(
                *where, "linear probe, accuracy (%)", 100 * scores.accuracy,
                *([100 * end for end in interval] if interval else [None, None]),
                "95 %, bootstrap over subjects" if interval else None, **sizes, **guessing, **common,
            )
        )  # fmt: skip
    return results


def measure_sizes(folder: Path, common: dict) -> list[Result]:
    """Megabytes of the files."""
    files = {PROGRAM: "anymo.pt2", ONNX: "anymo.onnx", EIGHT_BITS: "anymo_int8.onnx"}
    return [
        Result(TABLE, "", "file", name, "MB", (folder / file).stat().st_size / 1e6, **common)
        for name, file in files.items()
    ]


def main(arguments: list[str] | None = None) -> None:
    """Measures, prints and records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("anymo"))
    parser.add_argument("--turns", type=int, default=30)
    parser.add_argument("--max_windows", type=int, default=MAX_WINDOWS)
    parser.add_argument("--out", type=Path, default=DEFAULT_PATH)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    print(f"{machine_description()}; load {os.getloadavg()[0]:.2f} before the start")
    common = {
        "command": "python benchmarks/export.py",
        "commit": current_commit(),
        "machine": machine_description(),
        "date": date.today().isoformat(),
    }
    with tempfile.TemporaryDirectory() as folder:
        runtimes = make_runtimes(options.model, Path(folder))
        common["checkpoint_sha256"] = checkpoint_sha256(options.model, runtimes[PYTORCH])
        results = measure_sizes(Path(folder), common) + measure_latency(runtimes, options.turns, common)
        if "ANYMO_DATA" in os.environ:
            path = Path(os.environ["ANYMO_DATA"]) / "har" / f"{DATASET}.parquet"
            windows = load_har_windows(path, HAR_DATASETS[DATASET], max_windows=options.max_windows)
            results += measure_accuracy(runtimes, windows, common)
    for r in results:
        interval = "" if r.ci_low is None else f"   {r.ci_low:.4g} to {r.ci_high:.4g}"
        print(f"{r.subset:36} {r.model:28} {r.metric:28} {r.value:10.4g}{interval}")
    append_results(results, options.out)


if __name__ == "__main__":
    main()

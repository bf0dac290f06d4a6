# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Every stage from a motion file to a label as a share of its bound on this machine, in one run; how cost grows.

    python benchmarks/stages.py
    python benchmarks/stages.py --quick --out stages.jsonl        # sees that all runs; its figures mean nothing
    python benchmarks/stages_page.py                               # docs/results.jsonl -> docs/performance.md

Bounds are measured in the same process, each right before its stage in every turn: filling fresh memory, a product of
2048 x 2048 matrices, numbers read by numpy, and the plain language model and encoder on the same tokens and windows.
Medians over turns after a first, unmeasured one, with minimum and maximum. The second part, `stages_training.py`,
measures training: idle time, half precision, compilation, processes. Run it on an idle machine.
"""

import argparse
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path


sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import encoder as encoder_benchmark  # noqa: E402
import language  # noqa: E402
import numpy as np  # noqa: E402
import processing  # noqa: E402
import torch  # noqa: E402
from simulation import NUM_PLACEMENTS, make_motion, make_placements  # noqa: E402
from stages_measure import (  # noqa: E402
    PLAIN,
    Stage,
    filled,
    measure_slope,
    measure_stages,
    multiplied,
    row,
)
from stages_training import measure_training  # noqa: E402
from tokenizer import CODEBOOK_DIM, CODEBOOK_SIZE, NUM_CODEBOOKS, NUM_STEPS  # noqa: E402

from anymo_hf.evaluation.results import DEFAULT_PATH, Result, append_results, machine_description  # noqa: E402
from anymo_hf.modeling.modeling_anymo_pq_tokenizer import nearest_codes  # noqa: E402
from anymo_hf.pipelines import ZeroShotIMUClassificationPipeline  # noqa: E402
from anymo_hf.processing import AnyMoFeatureExtractor, make_recording  # noqa: E402
from anymo_hf.prompts import caption_prompt, embedding_prompt  # noqa: E402
from anymo_hf.simulation.conversion import save_kinematics  # noqa: E402
from anymo_hf.simulation.imu import simulate_imu  # noqa: E402
from anymo_hf.simulation.kinematics import SegmentKinematics  # noqa: E402
from anymo_hf.simulation.placements import Placements  # noqa: E402
from anymo_hf.simulation.readers.bvh import read_bvh  # noqa: E402
from anymo_hf.simulation.synthesis.folder import synthesise_motions  # noqa: E402
from anymo_hf.training import PairedViewDataset  # noqa: E402


RATE, NATIVE_RATE = 60.0, 240.0  # Hz
NUM_JOINTS = 31
NUMBERS = "numbers read by numpy"
PLOT = Path("docs/plots/performance.png")


def make_bvh(num_frames: int) -> tuple[bytes, str]:
    """A chain of joints as a BVH file, and its numbers alone."""
    lines, indent = ["HIERARCHY"], ""
    for joint in range(NUM_JOINTS):
        channels = ("6 Xposition Yposition Zposition " if not joint else "3 ") + "Zrotation Xrotation Yrotation"
        lines += [f"{indent}{'JOINT' if joint else 'ROOT'} joint{joint}", f"{indent}{{"]
        indent += "  "
        lines += [f"{indent}OFFSET 0.0 0.1 0.0", f"{indent}CHANNELS {channels}"]
    lines += [f"{indent}End Site", f"{indent}{{", f"{indent}  OFFSET 0.0 0.1 0.0", f"{indent}}}"]
    lines += ["}"] * NUM_JOINTS + ["MOTION", f"Frames: {num_frames}", f"Frame Time: {1 / NATIVE_RATE:.6f}"]
    values = np.random.default_rng(0).uniform(-90, 90, (num_frames, 3 + 3 * NUM_JOINTS))
    numbers = "\n".join(" ".join(f"{value:.4f}" for value in frame) for frame in values)
    return ("\n".join(lines) + "\n" + numbers + "\n").encode(), numbers


def data_stages(folder: Path, quick: bool) -> list[Stage]:
    """Reader, kinematics, dense simulation, views."""
    seconds = 5 if quick else 60
    data, numbers = make_bvh(seconds * 60)
    count = len(numbers.split())
    motion = make_motion(seconds)
    kinematics = SegmentKinematics.from_motion(motion, RATE)
    touched = motion.positions.nbytes + motion.orientations.nbytes + kinematics.values.nbytes
    part = cut(kinematics, 300 if quick else 600)
    placements = make_placements()
    dataset = PairedViewDataset(folder, return_kinematics=True)
    item_bytes = sum(tensor.nbytes for tensor in dataset[0].values())
    order = iter(np.tile(np.arange(len(dataset)), 100000).tolist())
    frames = part.num_frames
    return [
        Stage(f"reader, BVH of {count:,} numbers", NUMBERS, lambda: read_bvh(data), count,
              lambda: np.fromstring(numbers, sep=" "), count),
        filled(f"kinematics, {seconds} s at 240 Hz", lambda: SegmentKinematics.from_motion(motion, RATE), touched),
        filled(f"dense simulation, {NUM_PLACEMENTS:,} sensors, {frames / RATE:g} s",
               lambda: simulate_imu(part, placements), frames * NUM_PLACEMENTS * 24),
        filled("views, a training item", lambda: dataset[next(order)], item_bytes),
    ]  # fmt: skip


def encoder_stages(num_windows: int, quick: bool) -> list[Stage]:
    """Forward, and forward with backward, of both sizes; then the quantiser at the paper's sizes."""
    stages = []
    for preset in ("small",) if quick else ("small", "paper"):
        for training in (False, True):
            windows = encoder_benchmark.make_windows(num_windows)
            task = encoder_benchmark.make_task(encoder_benchmark.make_encoder(preset), windows, training)
            what = "forward and backward" if training else "forward"
            name = f"encoder {what}, {preset}, {num_windows} windows"
            stages.append(multiplied(name, task, encoder_benchmark.count_operations(task), 256 if quick else 2048))
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(NUM_CODEBOOKS, num_windows * NUM_STEPS, CODEBOOK_DIM, generator=generator)
    codebooks = torch.randn(NUM_CODEBOOKS, CODEBOOK_SIZE, CODEBOOK_DIM, generator=generator)
    operations = 2 * vectors.shape[0] * vectors.shape[1] * CODEBOOK_SIZE * CODEBOOK_DIM

    def quantise():
        return [nearest_codes(*pair) for pair in zip(vectors, codebooks, strict=True)]

    name = f"quantiser, {num_windows} windows"
    return [*stages, multiplied(name, quantise, operations, 256 if quick else 2048)]


def language_stages(model, processor, folder: Path, num_windows: int, num_tokens: int) -> list[Stage]:
    """A training step, generation, classification, and a file from start to end, against the plain models."""
    model.model.graph_encoder.requires_grad_(False)
    model.model.motion_tokenizer.requires_grad_(False)
    alone, ways = language.language_model_of(model), language.make_generators(model, processor)
    step = make_inputs(model, processor, num_windows, caption_prompt([language.PLACE]))
    embed = make_inputs(model, processor, num_windows, embedding_prompt([language.PLACE]))
    classify = ZeroShotIMUClassificationPipeline(model, processor=processor, device="cpu")
    readings, path = language.make_readings(num_windows), folder / "recording.csv"
    times = np.arange(len(readings)) / language.RATE
    header = "t,acc_x,acc_y,acc_z,gyr_x,gyr_y,gyr_z"
    np.savetxt(path, np.column_stack([times, readings]), delimiter=",", header=header, comments="", fmt="%.6f")
    asked = {"candidate_labels": language.LABELS, "placements": language.PLACE}

    def train(which, ids, **inputs):
        which(input_ids=ids, attention_mask=step["attention_mask"], labels=step["tokens"], **inputs).loss.backward()

    @torch.no_grad()
    def run_plain():
        model.model.graph_encoder(**embed["values"])
        alone.model(input_ids=embed["tokens"], attention_mask=embed["attention_mask"])

    windows = f"{num_windows} windows"
    return [
        Stage(f"language model step, {windows}", PLAIN, lambda: train(model, step["input_ids"], **step["values"]), 1,
              lambda: train(alone, step["tokens"]), 1),
        Stage(f"generate {num_tokens} tokens", PLAIN, lambda: ways["whole"](num_tokens), 1,
              lambda: ways["alone"](num_tokens), 1),
        Stage(f"classify, {windows}", PLAIN, lambda: classify(readings, sampling_rate=language.RATE, **asked), 1,
              run_plain, 1),
        Stage(f"file to labels, {windows}", PLAIN, lambda: classify(path, **asked), 1, run_plain, 1),
    ]  # fmt: skip


def make_inputs(model, processor, num_windows: int, prompt: str) -> dict:
    """What the whole model reads, and `tokens`, what the language model alone would."""
    recording = make_recording(
        language.make_readings(num_windows)[:, None], sampling_rate=language.RATE, placements=[language.PLACE]
    )
    features = processor.feature_extractor.windows(recording, language.WINDOW, 0.0, views=True)
    features = {name: features[name] for name in processor.feature_extractor.model_input_names}
    inputs = processor(imu=features, text=[prompt] * num_windows, return_tensors="pt")
    values = {name: inputs[name] for name in features}
    tokens = model.model.insert_motion_tokens(inputs["input_ids"], **values)
    return {"values": values, "tokens": tokens, **{n: inputs[n] for n in ("input_ids", "attention_mask")}}


def cut(kinematics: SegmentKinematics, num_frames: int) -> SegmentKinematics:
    return SegmentKinematics(kinematics.values[:num_frames], kinematics.mask[:num_frames], RATE)


def slope_tasks(quick: bool) -> list[tuple[str, str, dict[float, Callable]]]:
    """Stage, what grows, and a task of each size."""
    longest = 4 if quick else 40
    motion = make_motion(longest)
    kinematics, placements = SegmentKinematics.from_motion(motion, RATE), make_placements()
    small, trained = (encoder_benchmark.make_encoder("small") for _ in range(2))
    values, mask = encoder_benchmark.make_windows(2 if quick else 16)
    longer = tuple(torch.cat([one] * 2, dim=1) for one in (values[:2], mask[:2]))
    extractor, hour = AnyMoFeatureExtractor(), processing.make_array(60 if quick else 3600, 100.0)

    def simulate(num_frames: int, num_sensors: int) -> Callable:
        # Evenly out of all, so that as many segments take part.
        chosen = torch.linspace(0, NUM_PLACEMENTS - 1, num_sensors).long()
        some = Placements(*(one[chosen] for one in (placements.segment, placements.offset, placements.orientation)))
        part = cut(kinematics, num_frames)
        return lambda: simulate_imu(part, some)

    def encode(num_windows: int, training: bool = False) -> Callable:
        which = trained if training else small
        return encoder_benchmark.make_task(which, (values[:num_windows], mask[:num_windows]), training)

    def encode_frames(num_frames: int) -> Callable:
        return encoder_benchmark.make_task(small, tuple(one[:, :num_frames] for one in longer), False)

    def extract(hours: float, num_sensors: int) -> Callable:
        array, places = hour[: round(hours * 360000), :num_sensors], processing.PLACES[:num_sensors]
        return lambda: extractor(array, 100.0, placements=places)

    def differentiate(seconds: float) -> Callable:
        part = motion[: round(seconds * NATIVE_RATE)]
        return lambda: SegmentKinematics.from_motion(part, RATE)

    frames = (60, 120, 240) if quick else (60, 300, 600, 1200, 2400)
    sensors = (69, 200) if quick else (100, 300, 800, 2374)
    batches = (1, 2) if quick else (1, 2, 4, 8, 16)
    hours = (0.005, 0.01) if quick else (0.05, 0.1, 0.25, 0.5, 1.0)
    seconds = (1, 2, 4) if quick else (2, 5, 10, 20, 40)
    size = 240 if quick else 600
    return [
        (f"dense simulation, {NUM_PLACEMENTS:,} sensors", "frames", {n: simulate(n, NUM_PLACEMENTS) for n in frames}),
        ("encoder forward, small, 2 windows", "frames", {n: encode_frames(n) for n in (75, 150, 300, 600)}),
        (f"dense simulation, {size} frames", "sensors", {n: simulate(size, n) for n in sensors}),
        ("features of a recording", "sensors", {n: extract(hours[-1] / 4, n) for n in (1, 2, 4, 6)}),
        ("encoder forward, small", "windows", {n: encode(n) for n in batches}),
        ("encoder forward and backward, small", "windows", {n: encode(n, training=True) for n in batches}),
        ("features of six sensors at 100 Hz", "hours", {n: extract(n, 6) for n in hours}),
        ("kinematics at 240 Hz", "hours", {n / 3600: differentiate(n) for n in seconds}),
    ]


def measure_sizes(folder: Path) -> list[Result]:
    """Bytes on disk."""
    motion = make_motion(60.0)
    path = folder / "minute.safetensors"
    save_kinematics(SegmentKinematics.from_motion(motion, RATE), path)
    dense = NUM_PLACEMENTS * 6 * 4 * RATE * 3600
    return [
        row("sizes", "kinematics on disk", "GB per hour", path.stat().st_size * 60 / 1e9, "a file of a minute"),
        row("sizes", f"{NUM_PLACEMENTS:,} sensors, float32", "GB per hour", dense / 1e9, "arithmetic"),
    ]


def plot_slopes(curves: list[tuple[str, str, dict[float, float]]], path: Path) -> None:
    """Seconds over size, a panel for each thing that grows; a straight line of slope one is proportional."""
    import matplotlib.pyplot as plt

    axes_words = list(dict.fromkeys(axis for _, axis, _ in curves))
    figure, panels = plt.subplots(1, len(axes_words), figsize=(4 * len(axes_words), 3.4), layout="constrained")
    for panel, axis in zip(panels, axes_words, strict=True):
        for name, which, seconds in curves:
            if which == axis:
                panel.loglog(list(seconds), list(seconds.values()), marker="o", label=name)
        panel.set(xlabel=axis, ylabel="seconds")
        panel.legend(fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def measure_all(options: argparse.Namespace) -> list[Result]:
    """Stages, slopes, sizes, training."""
    quick = options.quick
    turns, at_least, num_windows = (1, 0.0, 2) if quick else (options.turns, 0.2, 8)
    model, processor, _ = options.model
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        synthesise_motions(folder / "synthetic", hours=4 / 60, seed=0)
        stages = data_stages(folder / "synthetic", quick) + encoder_stages(num_windows, quick)
        stages += language_stages(model, processor, folder, num_windows, 2 if quick else 64)
        results, curves = measure_stages(stages, turns, at_least), []
        for name, axis, tasks in slope_tasks(quick):
            rows, seconds = measure_slope(name, axis, tasks, turns, at_least / 2)
            results += rows
            curves.append((name, axis, seconds))
        results += measure_sizes(folder) + measure_training(folder / "synthetic", folder, quick)
    if not quick or options.plot != PLOT:
        plot_slopes(curves, options.plot)
    return results


def main(arguments: list[str] | None = None) -> None:
    """Measures, prints and records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1, help="of torch, for stages and bounds alike")
    parser.add_argument("--model", help="folder of a whole model; default: the published one, or else new weights")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one turn, no compilation and no processes")
    parser.add_argument("--plot", type=Path, default=PLOT, help="not written by --quick unless given")
    parser.add_argument("--out", type=Path, default=DEFAULT_PATH)
    parser.add_argument("--dry-run", action="store_true", help="print only")
    options = parser.parse_args(arguments)
    if options.quick and options.out == DEFAULT_PATH and not options.dry_run:
        parser.error("--quick measures nothing of worth: give --out or --dry-run")
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")  # sines are no motion, and the extractor says so
    print(f"{machine_description()}; load {os.getloadavg()[0]:.2f} before the start")
    options.model = language.load_model(options.model)
    results = measure_all(options)
    for r in results:
        spread = f"   {r.ci_low:.4g} to {r.ci_high:.4g}" if r.ci_low is not None else ""
        print(f"{r.dataset:9} {r.subset:66} {r.metric:44} {r.value:10.4g}{spread}")
    if not options.dry_run:
        append_results(results, options.out)


if __name__ == "__main__":
    main()

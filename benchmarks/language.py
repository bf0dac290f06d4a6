# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Speed of the whole model on the CPU: what a token costs, what labels cost, and a file from start to end.

    python benchmarks/language.py
    python benchmarks/language.py --model FOLDER --windows 200    # the second part with fewer windows

1. A decoded token against the same language model's own `generate`: the same weights, prompt length and number of
   tokens, greedy. Time at two lengths, one after the other in each turn, tells tokens from the encoder and the prompt.
   Of itself the model writes no motion tokens; the language model is measured with that rule and without.
2. Zero-shot labels for windows of synthetic readings, in calls of 160: labels must be encoded once.
3. A CSV file to labels. The recording is a real one if the environment variable ANYMO_DATA names their folder.

Parts 1 and 3: medians over turns after a first, unmeasured one; part 2: one pass. Run it on an idle machine.
"""

import argparse
import copy
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoProcessor

from anymo_hf.evaluation.har_datasets import load_har_recordings
from anymo_hf.evaluation.results import DEFAULT_PATH, Result, append_results, current_commit, machine_description
from anymo_hf.modeling.configuration_anymo import AnyMoGraphEncoderConfig, AnyMoPQTokenizerConfig
from anymo_hf.modeling.modeling_anymo_graph_encoder import AnyMoGraphEncoder
from anymo_hf.modeling.modeling_anymo_pq_tokenizer import AnyMoPQTokenizer
from anymo_hf.pipelines import DEFAULT_MODEL, ZeroShotIMUClassificationPipeline
from anymo_hf.processing import AnyMoFeatureExtractor, Recording, make_recording
from anymo_hf.prompts import LABEL_TEMPLATES, caption_prompt
from anymo_hf.training.assembly import assemble, train_text_tokenizer


COMMAND = "python benchmarks/language.py"
WINDOW, RATE = 5.0, 60.0  # s, Hz
WINDOWS_PER_CALL, WINDOWS_PER_FILE = 160, 60
PLACE = "left wrist"
LABELS = (
    "walking", "running", "sitting", "standing", "lying down", "climbing stairs", "going down stairs", "cycling",
    "jumping", "sweeping the floor", "washing dishes", "brushing teeth", "typing", "writing", "clapping",
    "eating soup", "drinking from a cup", "folding clothes", "kicking a ball", "dribbling a basketball",
)  # fmt: skip
TOKEN, ALONE = "decoded token, ms", "decoded token, times as long as the language model alone"
ALONE_FREE = f"{ALONE} with every token allowed"
TEXTS = f"texts encoded for {len(LABELS)} labels of {len(LABEL_TEMPLATES)} prompts each"
# At most.
GOALS = {ALONE: 1.15, ALONE_FREE: 1.15, TEXTS: len(LABELS) * len(LABEL_TEMPLATES)}


class TimedPipeline(ZeroShotIMUClassificationPipeline):
    """Keeps the seconds of its parts and counts the texts that it encodes."""

    def __init__(self, *args, **kwargs):
        self.seconds = {"labels": 0.0, "windows": 0.0, "comparison": 0.0}
        self.num_texts = 0
        super().__init__(*args, **kwargs)

    def embed_texts(self, texts):
        self.num_texts += len(texts)
        return self._timed("labels", super().embed_texts, texts)

    def run_model(self, features, placements):
        return self._timed("windows", super().run_model, features, placements)

    def postprocess(self, *args, **kwargs):
        return self._timed("comparison", super().postprocess, *args, **kwargs)

    def _timed(self, part: str, task: Callable, *args, **kwargs):
        begin = time.perf_counter()
        result = task(*args, **kwargs)
        self.seconds[part] += time.perf_counter() - begin
        return result


def load_model(folder: str | None) -> tuple:
    """A model, its processor and what it is: that of the folder, the published one, or a new one if there is none."""
    folder = folder or (DEFAULT_MODEL if (Path(DEFAULT_MODEL) / "config.json").exists() else None)
    if folder is None:
        with tempfile.TemporaryDirectory() as scratch:
            model, processor = assemble_model(Path(scratch))
        return model.eval(), processor, "new weights: the small encoder and a small Llama"
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model.eval(), AutoProcessor.from_pretrained(folder), f"weights of {Path(folder).name}"


def assemble_model(
    scratch: Path,
    encoder_config: AnyMoGraphEncoderConfig | None = None,
    tokenizer_config: AnyMoPQTokenizerConfig | None = None,
    text_sizes: dict[str, int] | None = None,
) -> tuple:
    """Parts of the small presets with new weights, put together as training does; needs an empty folder."""
    torch.manual_seed(0)
    AnyMoGraphEncoder(encoder_config or AnyMoGraphEncoderConfig.small()).save_pretrained(scratch / "encoder")
    AnyMoFeatureExtractor().save_pretrained(scratch / "encoder")
    AnyMoPQTokenizer(tokenizer_config or AnyMoPQTokenizerConfig.small()).save_pretrained(scratch / "tokenizer")
    sizes = text_sizes or {"hidden_size": 256, "num_hidden_layers": 4}
    words = train_text_tokenizer(LABELS)
    return assemble(scratch / "encoder", scratch / "tokenizer", tokenizer=words, text_sizes=sizes)


def make_readings(num_windows: int, seed: int = 0) -> np.ndarray:
    """Gravity, sines and noise, `(num_samples, 6)`."""
    generator = np.random.default_rng(seed)
    times = np.arange(round(num_windows * WINDOW * RATE))[:, None] / RATE
    waves = np.sin(2 * np.pi * generator.uniform(0.5, 3, 6) * times + generator.uniform(0, 6, 6))
    noise = generator.normal(scale=0.05, size=waves.shape)
    return waves * generator.uniform(0.5, 4, 6) + noise + [0, 0, 9.80665, 0, 0, 0]


def language_model_of(model):
    """The language model alone: the same modules, in the class that transformers has for them."""
    alone = AutoModelForCausalLM.from_config(model.config.text_config).eval()
    alone.model, alone.lm_head = model.model.language_model, model.lm_head
    alone.generation_config = copy.deepcopy(model.generation_config)
    alone.generation_config.suppress_tokens = None
    return alone


def make_generators(model, processor) -> dict[str, Callable]:
    """Three ways to write so many tokens after the same prompt, and the encoder by itself."""
    recording = make_recording(make_readings(1)[:, None], sampling_rate=RATE, placements=[PLACE])
    features = processor.feature_extractor.windows(recording, WINDOW, views=True)
    features = {name: features[name] for name in processor.feature_extractor.model_input_names}
    inputs = processor(imu=features, text=[caption_prompt([PLACE])], return_tensors="pt")
    values = {name: inputs[name] for name in features}
    tokens = model.model.insert_motion_tokens(inputs["input_ids"], **values)
    alone, suppressed = language_model_of(model), model.generation_config.suppress_tokens

    def write(writer, input_ids, number, **options):
        options.update(max_new_tokens=number, min_new_tokens=number, do_sample=False)
        written = writer.generate(input_ids=input_ids, attention_mask=inputs["attention_mask"], **options)
        # A text that ends early would make a token look cheap.
        if written.shape[1] != input_ids.shape[1] + number:
            raise RuntimeError(f"{number} new tokens were asked for, but {written.shape[1]} tokens came in all.")

    return {
        "whole": lambda number: write(model, inputs["input_ids"], number, **values),
        "alone": lambda number: write(alone, tokens, number, suppress_tokens=suppressed),
        "alone, every token allowed": lambda number: write(alone, tokens, number),
        "encoder": lambda _: model.model.get_motion_tokens(**values),
    }


def seconds_of(task: Callable, *args) -> float:
    begin = time.perf_counter()
    task(*args)
    return time.perf_counter() - begin


def measure_decoding(model, processor, num_turns: int, num_new_tokens: int, describe: Callable) -> list[Result]:
    """Milliseconds per token, and of what comes before."""
    ways = make_generators(model, processor)
    names = list(ways)
    seconds = np.zeros((num_turns + 1, len(names), 2))
    for turn in range(num_turns + 1):
        for way in np.roll(np.arange(len(names)), turn):  # nobody is always first
            for length, number in enumerate((1, 1 + num_new_tokens)):
                seconds[turn, way, length] = seconds_of(ways[names[way]], number)
    begin, end = 1000 * seconds[1:].transpose(2, 1, 0)
    whole, alone, free, _ = (end - begin) / num_new_tokens
    subset = f"1 window of 5 s, {num_new_tokens} tokens"
    rows = [
        (ALONE, whole / alone),
        (ALONE_FREE, whole / free),
        (TOKEN, whole),
        (f"{TOKEN}, language model alone", alone),
        (f"{TOKEN}, language model alone with every token allowed", free),
        ("encoder and motion tokenizer, ms", begin[3]),
        ("first token with encoder and prompt, ms", begin[0]),
        ("first token with prompt, ms, language model alone", begin[1]),
    ]
    return [describe("synthetic readings", subset, metric, values) for metric, values in rows]


def measure_labels(pipeline: TimedPipeline, num_windows: int, describe: Callable) -> list[Result]:
    """Many windows in several calls."""
    found, total = 0, 0.0
    for first in range(0, num_windows, WINDOWS_PER_CALL):
        readings = make_readings(min(WINDOWS_PER_CALL, num_windows - first), seed=first)
        begin = time.perf_counter()
        found += len(pipeline(readings, candidate_labels=LABELS, sampling_rate=RATE, placements=PLACE))
        total += time.perf_counter() - begin
    if found != num_windows:
        raise RuntimeError(f"{num_windows} windows were given, but {found} came back.")
    seconds, subset = pipeline.seconds, f"{found} windows x {len(LABELS)} labels"
    rows = [
        (TEXTS, pipeline.num_texts),
        ("encoding of labels, s", seconds["labels"]),
        ("encoding of windows, windows/s", found / seconds["windows"]),
        ("comparison with labels, ms per window", 1000 * seconds["comparison"] / found),
        ("cutting readings into windows, ms per window", 1000 * (total - sum(seconds.values())) / found),
        ("readings to labels, windows/s", found / total),
    ]
    return [describe("synthetic readings", subset, metric, np.array([float(value)])) for metric, value in rows]


def find_recording() -> tuple[str, Recording]:
    """A recording of a telephone at the waist for some minutes, or sines."""
    folder = os.environ.get("ANYMO_DATA")
    if folder:
        return "HAPT", next(load_har_recordings(Path(folder) / "har" / "hapt_ucihar_raw.parquet"))
    readings = make_readings(WINDOWS_PER_FILE)
    return "synthetic readings", make_recording(readings[:, None], sampling_rate=RATE, placements=[PLACE])


def measure_file(pipeline: TimedPipeline, num_turns: int, describe: Callable) -> list[Result]:
    """From a file's name to labels, which are encoded already."""
    dataset, recording = find_recording()
    sensor, totals, models = recording.sensors[0], [], []
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "recording.csv"
        table = np.column_stack([sensor.timestamps, sensor.values])
        header = "t,acc_x,acc_y,acc_z,gyr_x,gyr_y,gyr_z"
        np.savetxt(path, table, delimiter=",", header=header, comments="", fmt="%.6f")
        for _ in range(num_turns + 1):
            before, begin = pipeline.seconds["windows"], time.perf_counter()
            found = len(pipeline(path, candidate_labels=LABELS, placements=sensor.placement))
            totals.append(time.perf_counter() - begin)
            models.append(pipeline.seconds["windows"] - before)
    total, inside = np.array(totals[1:]), np.array(models[1:])
    subset = f"CSV file of {recording.end_time - recording.start_time:.0f} s, {found} windows x {len(LABELS)} labels"
    rows = [
        ("recording to labels, windows/s", found / total),
        ("recording to labels, share of time in the model, %", 100 * inside / total),
    ]
    return [describe(dataset, subset, metric, values) for metric, values in rows]


def make_describe(model, note: str) -> Callable:
    """A function that makes results: those of another language model, or other threads, stand beside these."""
    text, threads = model.config.text_config, torch.get_num_threads()
    which = (
        f"{text.model_type}, hidden size {text.hidden_size}, {text.num_hidden_layers} layers, {text.vocab_size} tokens"
    )

    def describe(dataset: str, subset: str, metric: str, values: np.ndarray) -> Result:
        spread = {}
        if len(values) > 1:
            spread = {"ci_low": float(values.min()), "ci_high": float(values.max())}
            spread["ci_method"] = "minimum and maximum over turns"
        turns = f"median of {len(values)} turns" if spread else "one pass"
        return Result(
            "language speed", dataset, f"{subset}, {which}, {threads} thread{'s' * (threads > 1)}", "anymo-hf", metric,
            float(np.median(values)), **spread, command=COMMAND, commit=current_commit(),
            machine=machine_description(), date=date.today().isoformat(), note=f"{turns}; {note}",
        )  # fmt: skip

    return describe


def print_summary(results: list[Result]) -> None:
    """All figures, then which goals are met."""
    for r in results:
        spread = f"   {r.ci_low:.4g} to {r.ci_high:.4g}" if r.ci_low is not None else ""
        print(f"{r.subset:110} {r.metric:86} {r.value:10.4g}{spread}")
    for r in results:
        if r.metric in GOALS:
            goal = GOALS[r.metric]
            print(f"goal {'met' if r.value <= goal else 'MISSED'}: {r.metric}: {r.value:.4g}, at most {goal:g}")


def main(arguments: list[str] | None = None) -> None:
    """Measures, prints and records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="folder of a whole model; default: the published one, or else new weights")
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--new-tokens", type=int, default=64, help="after the first")
    parser.add_argument("--windows", type=int, default=10_000, help="of the second part")
    parser.add_argument("--out", type=Path, default=DEFAULT_PATH)
    parser.add_argument("--dry-run", action="store_true", help="print only")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")  # sines are no motion, and the extractor says so
    model, processor, note = load_model(options.model)
    describe = make_describe(model, note)
    print(f"{machine_description()}; load {os.getloadavg()[0]:.2f} before the start; {note}")
    pipeline = TimedPipeline(model, processor=processor, device="cpu")
    with torch.inference_mode():
        results = measure_decoding(model, processor, options.turns, options.new_tokens, describe)
        results += measure_labels(pipeline, options.windows, describe)
    results += measure_file(pipeline, options.turns, describe)
    print_summary(results)
    if not options.dry_run:
        append_results(results, options.out)


if __name__ == "__main__":
    main()

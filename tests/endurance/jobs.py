# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""What other processes do that are killed, starved of disk or run side by side. Each marks its beginning by a file."""

import contextlib
import importlib.util
import json
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path


SCRIPTS = Path(__file__).resolve().parents[2] / "training_scripts"
HEAVY = ("jobs", "torch", "transformers", "datasets", "accelerate", "anymo_hf.hub", "anymo_hf.training",
         "anymo_hf.simulation.simulated_imu", "anymo_hf.evaluation.probes")  # fmt: skip


def start(job: Callable, *arguments) -> multiprocessing.Process:
    """A process of its own, forked from one that has imported everything and done nothing else."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(HEAVY))
    process = context.Process(target=_run, args=(job, arguments))
    process.start()
    return process


def _run(job: Callable, arguments: tuple) -> None:
    import torch

    torch.set_num_threads(1)
    job(*arguments)


def convert(folder: str, out: str, num_proc: int, began: str) -> None:
    from anymo_hf.simulation.conversion import convert_motions

    Path(began).touch()
    report = convert_motions(folder, out, num_proc)
    Path(began).write_text(json.dumps(report.failures), encoding="utf-8")


def pretrain(data: str, out: str, steps: int, began: str) -> None:
    """The real script with the smallest network and a checkpoint every step."""
    from transformers import TrainingArguments
    from transformers.utils import logging

    from anymo_hf import AnyMoGraphEncoderConfig

    logging.set_verbosity_error()
    specification = importlib.util.spec_from_file_location("script", SCRIPTS / "pretrain_graph_encoder.py")
    script = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    small, sizes = AnyMoGraphEncoderConfig.small, {"hidden_sizes": [4, 4, 4, 8], "predictor_num_hidden_layers": 1}
    AnyMoGraphEncoderConfig.small = lambda **kwargs: small(**sizes, **kwargs)
    arguments = TrainingArguments(
        out, max_steps=steps, per_device_train_batch_size=2, learning_rate=1e-3, save_steps=1, logging_steps=1,
        lr_scheduler_type="constant", use_cpu=True, disable_tqdm=True, report_to=[],
    )  # fmt: skip
    Path(began).touch()
    with open(os.devnull, "w", encoding="utf-8") as nothing, contextlib.redirect_stdout(nothing):
        script.main(script.ScriptArguments(data=[data], held_out_share=0.3), arguments)


def push(checkpoint: str, name: str, url: str, token: str, temporary: str, began: str) -> None:
    """`anymo push` to a Hub on loopback."""
    import tempfile

    import huggingface_hub

    from anymo_hf.hub import push as push_to_hub

    tempfile.tempdir = temporary
    constants = {"ENDPOINT": url, "HUGGINGFACE_CO_URL_TEMPLATE": url + "/{repo_id}/resolve/{revision}/{filename}"}
    for key, value in (constants | {"HF_HUB_OFFLINE": False, "HF_HUB_DISABLE_XET": True}).items():
        setattr(huggingface_hub.constants, key, value)
    Path(began).touch()
    push_to_hub(checkpoint, name, token=token)


def build(converted: str, cache: str, result: str) -> None:
    """Rows of the `datasets` builder; their sum goes to `result`."""
    from anymo_hf.simulation.simulated_imu import SimulatedIMU

    builder = SimulatedIMU("dense", data_dir=converted, cache_dir=cache, placements=("left wrist",))
    builder.download_and_prepare()
    rows = builder.as_dataset(split="train").with_format("numpy")
    sums = [float(row["imu"].sum()) for row in rows]
    Path(result).write_text(json.dumps([rows["recording_id"][:].tolist(), sums]), encoding="utf-8")


def starve(job: Callable, arguments: tuple, limit: int | None, answer: str) -> None:
    """Does a job while no file may grow beyond `limit` bytes; the answer is what it raised."""
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    told = os.open(answer, os.O_WRONLY | os.O_CREAT)
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        job(*arguments)
        text = "nothing"
    except BaseException as error:
        text = f"{type(error).__name__}: {error}"
    os.write(told, text.encode()[:2000])

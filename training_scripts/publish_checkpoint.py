# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Makes of trained models the folder that is shared, with copies of its parts and the curves of their training.

    python training_scripts/publish_checkpoint.py --model tuned/anymo --signal_decoder signals/signal_decoder \
        --runs encoder tokenizer signals motion_lm tuned --output anymo

The language model is stored in bfloat16; encoder and motion tokenizer stay in single precision, for a code is the
nearest of many entries and rounded weights would choose others. `anymo push` shares the folder.

`--model tuned/anymo tuned/checkpoint-200` takes the mean of the weights at the end of a run and those in its middle.

`--cutoff 4.5` lets the encoder smooth readings above so many hertz away from now on. It helps with real recordings,
even if training saw everything; choose the frequency on recordings that no figure is reported for.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import AutoProcessor

from anymo_hf import AnyMoConfig, AnyMoForCausalLM, AnyMoSignalDecoder
from anymo_hf.checkpoints import mean_of_weights


FULL_PRECISION = ("graph_encoder", "motion_tokenizer")
PANELS_PER_ROW = 4


def save_whole(
    source: Path, output: Path, cutoff: float | None = None, others: Sequence[Path] = ()
) -> AnyMoForCausalLM:
    """Model and processor, in the precision in which they are shared; a cut-off of `None` stays as it is."""
    config = AnyMoConfig.from_pretrained(source)
    if cutoff is not None:
        config.graph_encoder_config.cutoff = cutoff
        config.graph_encoder_config.validate()
    model = AnyMoForCausalLM.from_pretrained(source, config=config, dtype=torch.float32)
    model = mean_of_weights([model, *(AnyMoForCausalLM.from_pretrained(one, dtype=torch.float32) for one in others)])
    for name, module in model.model.named_children():
        module.to(torch.float32 if name in FULL_PRECISION else torch.bfloat16)
    model.lm_head.to(torch.bfloat16)
    for part in model.config.sub_configs:
        getattr(model.config, part)._name_or_path = ""  # where it lay on the machine that trained it
    model.save_pretrained(output)
    AutoProcessor.from_pretrained(source).save_pretrained(output)
    return model


def save_parts(model: AnyMoForCausalLM, output: Path, signal_decoder: Path | None) -> None:
    """Encoder with its feature extractor, motion tokenizer and signal decoder, each in a folder of its own."""
    for name in FULL_PRECISION:
        getattr(model.model, name).save_pretrained(output / name)
    AutoProcessor.from_pretrained(output).feature_extractor.save_pretrained(output / "graph_encoder")
    if signal_decoder is not None:
        AnyMoSignalDecoder.from_pretrained(signal_decoder).save_pretrained(output / "signal_decoder")


def plot_curves(runs: list[Path], path: Path) -> None:
    """Losses over steps, of training and of people held out, a panel per run."""
    import matplotlib.pyplot as plt

    rows, columns = -(-len(runs) // PANELS_PER_ROW), min(len(runs), PANELS_PER_ROW)
    figure = plt.figure(figsize=(4 * columns, 3 * rows), layout="constrained")
    panels = [figure.add_subplot(rows, columns, place + 1) for place in range(len(runs))]
    for panel, run in zip(panels, runs, strict=True):
        states = sorted(run.glob("checkpoint-*/trainer_state.json"), key=lambda state: int(state.parent.name[11:]))
        if not states:
            raise ValueError(f"There is no checkpoint in {run}; give the `--output_dir` of a training script.")
        history = json.loads(states[-1].read_text(encoding="utf-8"))["log_history"]
        for name, style in (("loss", {"linewidth": 1}), ("eval_loss", {"marker": "o", "linestyle": "none"})):
            logged = [row for row in history if name in row]  # not every script measures a loss on people held out
            label = {"loss": "training", "eval_loss": "held out"}[name]
            panel.plot([row["step"] for row in logged], [row[name] for row in logged], label=label, **style)
        panel.set(title=run.name, xlabel="step", ylabel="loss")
    panels[-1].legend()  # the last run has the losses of people held out
    figure.savefig(path, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model", type=Path, nargs="+", required=True,
        help="folder that instruction_tune.py wrote; with checkpoints of the run, the mean of all",
    )  # fmt: skip
    parser.add_argument("--signal_decoder", type=Path, help="folder that train_pq_tokenizer.py wrote")
    parser.add_argument("--cutoff", type=float, help="smooth readings above so many hertz away")
    parser.add_argument("--runs", type=Path, nargs="*", default=[], help="folders of training runs, for the curves")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    model = save_whole(options.model[0], options.output, options.cutoff, options.model[1:])
    save_parts(model, options.output, options.signal_decoder)
    if options.runs:
        plot_curves(options.runs, options.output / "curves.png")
    size = sum(file.stat().st_size for file in options.output.rglob("*") if file.is_file())
    print(f"{options.output} holds {size / 1e6:.1f} MB.")


if __name__ == "__main__":
    main()

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Training that was stopped goes on: from which checkpoint, and how far. What was trained is saved at the end."""

import json
from pathlib import Path

import torch


def find_last_checkpoint(folder: str | Path) -> str | None:
    """
    The newest checkpoint of `Trainer` that was written to its end.

    `Trainer` writes a checkpoint file by file, so that a run that is killed meanwhile leaves part of one, from which
    `get_last_checkpoint` of transformers would try to go on. It writes `trainer_state.json` last.

    Args:
        folder (`str` or `Path`):
            The run's `output_dir`; it need not exist.

    Returns:
        `str`: Path of the checkpoint; `None` if there is no whole one.
    """
    steps = {path: path.name.removeprefix("checkpoint-") for path in Path(folder).glob("checkpoint-*")}
    found = sorted((path for path, step in steps.items() if step.isdigit()), key=lambda path: int(steps[path]))
    return next((str(path) for path in reversed(found) if _is_whole(path)), None)


def _is_whole(checkpoint: Path) -> bool:
    try:
        state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
        return state["global_step"] == _step_of(checkpoint)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _step_of(checkpoint: str | Path) -> int:
    return int(Path(checkpoint).name.removeprefix("checkpoint-"))


def train_to_the_end(trainer) -> None:
    """
    Trains from the last whole checkpoint of `output_dir` on, or from the beginning where there is none.

    A run that had reached its `max_steps` only gets its weights back: `Trainer.train` would take one step more.

    Args:
        trainer (`Trainer`):
            Whose model is trained.
    """
    last = find_last_checkpoint(trainer.args.output_dir)
    if last is not None and 0 < trainer.args.max_steps <= _step_of(last):
        trainer._load_from_checkpoint(last)  # as `Trainer` itself does, adapters included
    else:
        trainer.train(resume_from_checkpoint=last)


def save_trained(trainer, folder: str | Path, processor=None, part: str | None = None) -> None:
    """
    Writes what was trained as `from_pretrained` reads it, whether one process holds the weights or each a share.

    To be called in all processes: they put the weights together, and the first one writes.

    Args:
        trainer (`Trainer`):
            Whose model was trained, adapters included.
        folder (`str` or `Path`):
            Where it goes.
        processor (`ProcessorMixin` or `SequenceFeatureExtractor`, *optional*, defaults to `None`):
            To be saved beside it.
        part (`str`, *optional*, defaults to `None`):
            Name of the model within the model that is wanted alone.
    """
    state = trainer.accelerator.get_state_dict(trainer.model)
    if not trainer.is_world_process_zero():
        return
    model = trainer.accelerator.unwrap_model(trainer.model)
    if part is not None:
        prefix = f"{part}."
        state = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        model = model.get_submodule(part)
    model.save_pretrained(folder, state_dict=state)
    if processor is not None:
        processor.save_pretrained(folder)  # last: where it is, all is
    print(f"The trained model is in {folder}.")


def mean_of_weights(models: list[torch.nn.Module]) -> torch.nn.Module:
    """
    Mean of the weights of models that were trained from the same ones (https://huggingface.co/papers/2203.05482).

    Args:
        models (`list[torch.nn.Module]`):
            Of one kind. The first is changed.

    Returns:
        `torch.nn.Module`: The first, with the mean in place of its weights; counters keep their values.

    Raises:
        ValueError: If their weights differ in name or shape.
    """
    states = [model.state_dict() for model in models]
    shapes = [{name: tuple(tensor.shape) for name, tensor in state.items()} for state in states]
    for number, found in enumerate(shapes[1:], start=1):
        if found != shapes[0]:
            other = sorted(name for name in found.keys() | shapes[0] if found.get(name) != shapes[0].get(name))
            raise ValueError(
                f"All models must have weights of the same shapes, but model {number} differs in {other[:3]}."
            )
    means = {
        name: torch.stack([state[name] for state in states]).mean(dim=0) if first.is_floating_point() else first
        for name, first in states[0].items()
    }
    models[0].load_state_dict(means)
    return models[0]


__all__ = ["find_last_checkpoint", "mean_of_weights", "save_trained", "train_to_the_end"]

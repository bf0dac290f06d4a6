# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Encoder and motion tokenizer as one file that runs without this package: ONNX, or a program of `torch.export`.

Inputs are those of `AnyMoFeatureExtractor`; batch size and number of frames are free. Both files give what PyTorch
gives up to rounding.
"""

import contextlib
import importlib.util
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from transformers import PreTrainedModel

from anymo_hf.hub import PARTS, find_configs
from anymo_hf.modeling.modeling_anymo import AnyMoModel
from anymo_hf.modeling.modeling_anymo_graph_encoder import AnyMoGraphEncoder
from anymo_hf.modeling.modeling_anymo_pq_tokenizer import AnyMoPQTokenizer
from anymo_hf.whole_files import written_whole


INPUT_NAMES = ("input_values", "input_values_mask", "orientation_known")
OUTPUT_NAMES = ("pooled_latents", "steps_mask", "codes")


class AnyMoMotionCoder(nn.Module):
    """
    Readings to latents and codes, in operations that hold for every batch size and number of frames.

    Args:
        graph_encoder (`AnyMoGraphEncoder`):
            In evaluation mode.
        motion_tokenizer (`AnyMoPQTokenizer`):
            Of its latents.
    """

    def __init__(self, graph_encoder: AnyMoGraphEncoder, motion_tokenizer: AnyMoPQTokenizer):
        super().__init__()
        self.graph_encoder = graph_encoder
        self.motion_tokenizer = motion_tokenizer
        # Comparing shapes would fix them; the file that is written checks its own inputs.
        graph_encoder._check_shape = lambda *_: None
        self.frames_per_step = graph_encoder.config.frames_per_step
        self.frames_per_code = self.frames_per_step * motion_tokenizer.config.step_stride

    def forward(
        self, input_values: torch.Tensor, input_values_mask: torch.Tensor, orientation_known: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """
        Encode readings.

        Args:
            input_values (`torch.FloatTensor` of shape `(batch_size, num_frames, num_segments, num_channels)`):
                As in `AnyMoGraphEncoder`.
            input_values_mask (`torch.BoolTensor` of that shape):
                True where observed.
            orientation_known (`torch.BoolTensor` of shape `(batch_size, num_segments)`):
                As in `AnyMoGraphEncoder`; all False is what it takes for `None`.

        Returns:
            `tuple[torch.Tensor, torch.Tensor, torch.Tensor]`: `pooled_latents` of shape `(batch_size, num_steps,
            hidden_size)`, `steps_mask` of shape `(batch_size, num_steps)` and `codes` of shape `(batch_size,
            num_codebooks, num_codes)`.
        """
        if input_values_mask.shape != input_values.shape:
            raise ValueError(
                f"`input_values_mask` must have the shape of `input_values`, {tuple(input_values.shape)}, but has "
                f"{tuple(input_values_mask.shape)}."
            )
        # One frame more than a multiple: every stride then divides what the one before left, and the exporter need not
        # tell lengths apart. Frames behind a recording's end change nothing before it.
        num_frames = input_values.shape[1]
        multiple = (num_frames + self.frames_per_code - 2) // self.frames_per_code * self.frames_per_code
        missing = multiple + 1 - num_frames
        padding = (0, 0, 0, 0, 0, missing)
        outputs = self.graph_encoder(
            F.pad(input_values, padding), F.pad(input_values_mask, padding), orientation_known
        )
        codes = self._encode(outputs.pooled_latents, outputs.steps_mask)
        # Indices, not slices, which would have to be proven shorter than what they cut.
        num_steps, num_codes = (
            (num_frames + size - 1) // size for size in (self.frames_per_step, self.frames_per_code)
        )  # not of negative numbers, which ONNX divides towards zero
        steps = torch.arange(num_steps, device=input_values.device)
        kept = torch.arange(num_codes, device=input_values.device)
        return outputs.pooled_latents[:, steps], outputs.steps_mask[:, steps], codes[:, :, kept]

    def _encode(self, pooled_latents: torch.Tensor, steps_mask: torch.Tensor) -> torch.Tensor:
        """As `AnyMoPQTokenizer.encode`, but all steps at once: a loop over parts would be as long as the example."""
        projected = self.motion_tokenizer._project(pooled_latents, steps_mask)
        vectors, codebooks = self.motion_tokenizer.quantizer.split(projected), self.motion_tokenizer.codebooks
        half_lengths = codebooks.square().sum(dim=2)[:, None] / 2
        codes = torch.baddbmm(half_lengths, vectors, codebooks.transpose(1, 2), alpha=-1).argmin(dim=2)
        return codes.view(-1, *projected.shape[:2]).transpose(0, 1)


def export_program(model_folder: str | Path, path: str | Path) -> None:
    """
    Write encoder and motion tokenizer as a program of `torch.export`; `torch.export.load(path).module()` runs it.

    Args:
        model_folder (`str` or `Path`):
            A whole model, or a folder with `graph_encoder/` and `motion_tokenizer/`.
        path (`str` or `Path`):
            File to write, ending in `.pt2`. What stands there is replaced once the new file is whole.

    Raises:
        ValueError: If there is no such model.
    """
    _check_suffix(path, ".pt2")
    program = _trace(load_coder(model_folder))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as unfinished, open(unfinished, "wb") as file:
        torch.export.save(program, file)


def export_onnx(model_folder: str | Path, path: str | Path) -> None:
    """
    Write encoder and motion tokenizer as an ONNX file, with all weights in it.

    Args:
        model_folder (`str` or `Path`):
            As in `export_program`.
        path (`str` or `Path`):
            File to write, ending in `.onnx`.

    Raises:
        ValueError: If there is no such model.
        ImportError: If onnx and onnxscript are not installed.
    """
    _check_suffix(path, ".onnx")
    for name in ("onnx", "onnxscript"):
        if importlib.util.find_spec(name) is None:
            raise ImportError(f'Export to ONNX needs {name}, which is missing; run `pip install -e ".[export]"`.')
    import onnx

    coder = load_coder(model_folder)
    with _quiet():
        exported = torch.onnx.export(
            _trace(coder), dynamo=True, input_names=INPUT_NAMES, output_names=OUTPUT_NAMES, verbose=False
        )
    model = exported.model_proto
    onnx.checker.check_model(model)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as unfinished:
        onnx.save(model, unfinished, format="protobuf")


def _check_suffix(path: str | Path, suffix: str) -> None:
    if Path(path).suffix != suffix:
        raise ValueError(f"`path` must end in {suffix}, but is {path}.")


def load_coder(model_folder: str | Path) -> AnyMoMotionCoder:
    """
    Encoder and motion tokenizer in single precision, from folders of their own if both are there, else of the whole.

    Args:
        model_folder (`str` or `Path`):
            As in `export_program`.

    Raises:
        ValueError: If there is no such model, or the two do not fit each other.
    """
    folder = Path(model_folder)
    types = find_configs(folder)
    if all(folder / name / "config.json" in types for name in PARTS):
        encoder = _load(AnyMoGraphEncoder, folder / "graph_encoder")
        tokenizer = _load(AnyMoPQTokenizer, folder / "motion_tokenizer")
    elif types.get(folder / "config.json") == "anymo":
        whole = _load(AnyMoModel, folder)
        encoder, tokenizer = whole.graph_encoder, whole.motion_tokenizer
    else:
        raise ValueError(
            f"{folder} must hold a whole model, or {' and '.join(PARTS)} in folders of these names, but holds "
            f"{', '.join(types.values())}; put the missing part there."
        )
    if encoder.config.hidden_size != tokenizer.config.latent_size:
        raise ValueError(
            f"The encoder gives latents of {encoder.config.hidden_size} numbers, but the tokenizer takes "
            f"{tokenizer.config.latent_size}; export a tokenizer that was trained on this encoder."
        )
    return AnyMoMotionCoder(encoder, tokenizer).eval()


def _load(model_class: type[PreTrainedModel], folder: Path) -> PreTrainedModel:
    """In single precision: processors without a graphics card compute slowly in less."""
    model, report = model_class.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True, output_loading_info=True
    )
    if report["missing_keys"]:
        raise ValueError(
            f"The weights in {folder} lack {len(report['missing_keys'])} tensors, {sorted(report['missing_keys'])[0]} "
            "for one; save model and configuration together."
        )
    return model


def _trace(coder: AnyMoMotionCoder) -> torch.export.ExportedProgram:
    config = coder.graph_encoder.config
    # Nothing may have size 1 in the example, nor in the shortest recording: sizes of 1 are taken for constant.
    shortest = coder.frames_per_code + 1
    shape = (3, 4 * shortest, config.num_segments, config.num_channels)
    examples = (torch.randn(shape), torch.ones(shape, dtype=torch.bool), torch.zeros(3, shape[2], dtype=torch.bool))
    batch_size, num_frames = torch.export.Dim("batch_size"), torch.export.Dim("num_frames", min=shortest)
    sizes = {0: batch_size, 1: num_frames}
    with _quiet(), torch.no_grad():
        return torch.export.export(
            coder,
            examples,
            dynamic_shapes=(sizes, sizes, {0: batch_size}),
            # Of lengths that cannot be compared by algebra, those of the run are.
            prefer_deferred_runtime_asserts_over_guards=True,
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what exporters say about libraries that have no part in it."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


__all__ = ["AnyMoMotionCoder", "export_onnx", "export_program", "load_coder"]

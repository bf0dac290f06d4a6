# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The command `anymo export`."""

import argparse
from pathlib import Path


def add_export_command(commands) -> None:
    """Adds the command."""
    export = commands.add_parser(
        "export", help="write encoder and motion tokenizer for other runtimes", description=run_export.__doc__
    )
    export.add_argument("folder", metavar="FOLDER", help="a whole model, or graph_encoder/ and motion_tokenizer/")
    export.add_argument("path", metavar="PATH", help="file.onnx, or file.pt2 for torch.export")
    export.set_defaults(run=run_export)


def run_export(args: argparse.Namespace) -> None:
    """Writes one file that gives latents and motion codes of readings without this package: ONNX or torch.export."""
    from transformers.utils import logging

    from anymo_hf.export import export_onnx, export_program

    logging.disable_progress_bar()
    exporters = {".onnx": export_onnx, ".pt2": export_program}
    path = Path(args.path)
    if path.suffix not in exporters:
        raise ValueError(f"PATH must end in .onnx or .pt2, which says what to write, but is {args.path}.")
    exporters[path.suffix](args.folder, path)
    print(f"Wrote {path}, {path.stat().st_size / 1e6:.1f} MB")

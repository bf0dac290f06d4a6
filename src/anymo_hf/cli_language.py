# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The commands `anymo predict`, `caption` and `retrieve`, and how every command reads a recording."""

import argparse
import json
import os
from pathlib import Path

from anymo_hf.pipelines import DEFAULT_MODEL


def add_recording_options(parser: argparse.ArgumentParser, applies: str = "") -> None:
    """What a file may not say of its readings; `applies` says of which files, if there may be several."""
    parser.add_argument(
        "--placement",
        help='where it was worn, such as "left wrist", if the file does not say; of several "watch=left wrist, '
        f"phone=right trouser pocket\", from the file's names to ours{applies}",
    )
    parser.add_argument("--recording", help="which one, if the file holds several")
    parser.add_argument("--columns", help='names for a CSV file without header, such as "t,acc_x,acc_y,acc_z"')
    parser.add_argument("--rate", type=float, help="samples per second, if the file has no time")
    parser.add_argument("--force-unit", type=_unit, help="g, mg, m/s^2 (default), or the size of one count in m/s^2")
    parser.add_argument("--rate-unit", type=_unit, help="deg/s, mdeg/s, rad/s (default), or the size of one count")
    parser.add_argument("--gravity", choices=("included", "removed"), help="default: included")


def _unit(text: str) -> str | float:
    """A name, or the size of one count."""
    try:
        return float(text)
    except ValueError:
        return text


def _placements(text: str | None) -> str | dict[str, str] | None:
    """One name, or a dict from "theirs=ours" with commas between."""
    if text is None or "=" not in text:
        return text
    pairs = [[name.strip() for name in part.split("=")] for part in text.split(",")]
    if any(len(pair) != 2 or not all(pair) for pair in pairs):
        raise ValueError(f'`placements` must be a name, or such as "watch=left wrist,phone=chest", but is {text!r}.')
    return dict(pairs)


def recording_options(args: argparse.Namespace) -> dict:
    """Those that were given, as `read_recording` takes them."""
    options = {
        "recording": args.recording,
        "columns": args.columns and [name.strip() for name in args.columns.split(",")],
        "placements": _placements(args.placement),
        "sampling_rate": args.rate,
        "force_unit": args.force_unit,
        "rate_unit": args.rate_unit,
        "gravity": args.gravity,
    }
    return {name: value for name, value in options.items() if value is not None}


def add_language_commands(commands) -> None:
    """Adds the commands that need a language model."""
    predict = commands.add_parser(
        "predict", help="label a sensor recording with activities of your choice", description=run_predict.__doc__
    )
    predict.add_argument("path", metavar="FILE", help="CSV or Parquet file, or a Sensor Logger folder")
    predict.add_argument("--labels", required=True, help='activities with commas between, such as "walking,sitting"')
    predict.add_argument("--top-k", type=int, default=3, help="labels shown of each window (default: %(default)s)")
    predict.set_defaults(run=run_predict)

    caption = commands.add_parser(
        "caption", help="describe a sensor recording in words", description=run_caption.__doc__
    )
    caption.add_argument("path", metavar="FILE", help="CSV or Parquet file, or a Sensor Logger folder")
    caption.add_argument("--question", help="ask this instead")
    caption.set_defaults(run=run_caption)

    retrieve = commands.add_parser(
        "retrieve", help="find where in sensor recordings something happens", description=run_retrieve.__doc__
    )
    retrieve.add_argument("text", metavar="TEXT", help='what to look for, such as "a person climbs stairs"')
    retrieve.add_argument("paths", nargs="+", metavar="FILE", help="CSV or Parquet files, or Sensor Logger folders")
    retrieve.add_argument("--top-k", type=int, default=10, help="windows shown (default: %(default)s)")
    retrieve.set_defaults(run=run_retrieve)

    for parser in (predict, caption, retrieve):
        parser.add_argument(
            "--model", default=DEFAULT_MODEL, help="folder, or OWNER/NAME on the Hub (default: %(default)s)"
        )
        parser.add_argument("--window", type=float, default=5.0, help="seconds (default: %(default)g)")
        add_recording_options(parser, "; applies to all files" if parser is retrieve else "")
        parser.add_argument("--calibrate", action="store_true", help="find the sensors' up direction from walking")
        parser.add_argument("--json", action="store_true", help="print JSON for machines instead of a table")


def run_predict(args: argparse.Namespace) -> None:
    """Every window of a recording with the labels that fit best. Scores compare the labels given and sum to 1."""
    recording = _read(args.path, args)
    classify = load_pipeline("zero-shot-imu-classification", args)
    windows = classify(recording, candidate_labels=args.labels, top_k=args.top_k)
    rows = [
        (*_times(window), "  ".join(f"{entry['label']} {entry['score']:.2f}" for entry in window["scores"]))
        for window in windows
    ]
    _show(args, windows, ("start", "end", "labels"), rows)


def run_caption(args: argparse.Namespace) -> None:
    """Every window of a recording with a sentence about it."""
    recording = _read(args.path, args)
    describe = load_pipeline("imu-to-text", args)
    options = {} if args.question is None else {"question": args.question}
    windows = describe(recording, **options)
    rows = [(*_times(window), window["generated_text"]) for window in windows]
    _show(args, windows, ("start", "end", "text"), rows)


def run_retrieve(args: argparse.Namespace) -> None:
    """The windows of recordings that a text describes best. The score is a cosine, from -1 to 1."""
    from anymo_hf.retrieval import retrieve

    embed = load_pipeline("imu-feature-extraction", args)
    names: list[dict] = []
    found = retrieve(args.text, _read_all(args, names), embed, top_k=args.top_k)
    found = [{**names[window.pop("recording")], **window} for window in found]
    rows = [(window["file"], window["recording"] or "", *_times(window), f"{window['score']:.3f}") for window in found]
    _show(args, found, ("file", "recording", "start", "end", "score"), rows)


def load_pipeline(task: str, args: argparse.Namespace):
    """The pipeline, on an accelerator if there is one."""
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError
    from transformers import pipeline
    from transformers.utils import logging

    _check_model(args.model)
    logging.disable_progress_bar()
    # Pickles of others are not read, nor is a service on the Hub asked to convert them.
    os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")
    try:
        # Checkpoints are stored in half precision, which gains nothing on a CPU.
        return pipeline(
            task, model=args.model, dtype="float32", window=args.window, model_kwargs={"use_safetensors": True}
        )
    except SafetensorError as error:
        raise ValueError(f"The weights of {args.model} are damaged ({error}); fetch or save them again.") from error
    except StrictDataclassError as error:
        raise ValueError(f"The configuration of {args.model} is not valid: {error}") from error
    except OSError as error:
        if Path(args.model).is_dir():
            raise
        reason = " ".join(str(error).split())
        raise ValueError(f"{args.model} is no folder here and could not be fetched from the Hub: {reason}") from error
    except ValueError as error:
        if "Traceback" not in str(error):
            raise
        # transformers puts whole tracebacks into this message; what went wrong begins their last line.
        reason = str(error).strip().splitlines()[-1].split(". ")[0]
        raise ValueError(f"{args.model} does not load ({reason}); give the folder of a saved model.") from error


def _check_model(model: str) -> None:
    """A folder that is missing or holds something else would be looked for on the Hub."""
    folder = Path(model)
    if not folder.is_dir() and (model.startswith((".", "/", "~")) or model.count("/") != 1):
        raise ValueError(
            f"There is no folder {model!r} here; pass `--model` with the folder of a checkpoint, or with OWNER/NAME "
            "on the Hub."
        )
    if folder.is_dir() and not any((folder / name).exists() for name in ("config.json", "adapter_config.json")):
        raise ValueError(f"The folder {model!r} has no config.json; pass `--model` with the folder of a checkpoint.")


def _read(path: str, args: argparse.Namespace):
    from anymo_hf.processing import calibrate, read_recording

    recording = read_recording(path, **recording_options(args))
    return calibrate(recording) if args.calibrate else recording


def _read_all(args: argparse.Namespace, names: list[dict]):
    """All recordings of all files, one by one; `names` grows along."""
    from anymo_hf.processing import calibrate, read_recordings

    if args.recording is not None:
        for path in args.paths:
            names.append({"file": path, "recording": args.recording})
            yield _read(path, args)
        return
    for path in args.paths:
        for recording in read_recordings(path, **recording_options(args)):
            names.append({"file": path, "recording": recording.source.get("recording")})
            yield calibrate(recording) if args.calibrate else recording


def _times(window: dict) -> tuple[str, str]:
    return f"{window['start']:.1f}", f"{window['end']:.1f}"


def _show(args: argparse.Namespace, result: list[dict], header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """A table in columns, or JSON."""
    if args.json:
        print(json.dumps(result, indent=2))
        return
    table = [header, *rows]
    # A column that is empty throughout says nothing.
    columns = [i for i in range(len(header)) if any(row[i] for row in rows)]
    widths = {i: max(len(row[i]) for row in table) for i in columns}
    for row in table:
        print("  ".join(row[i].ljust(widths[i]) for i in columns).rstrip())

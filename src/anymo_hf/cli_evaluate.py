# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The command `anymo evaluate`: zero-shot figures of a checkpoint on labelled recordings."""

import argparse
import shlex
import sys
from datetime import date
from pathlib import Path

from anymo_hf.pipelines import DEFAULT_MODEL


LABEL_KEYED = "the placement depends on the label, so that it gives part of the answer away"


def add_evaluate_command(commands) -> None:
    """Adds the command."""
    evaluate = commands.add_parser(
        "evaluate",
        help="measure zero-shot classification on labelled recordings",
        description=run_evaluate.__doc__,
    )
    evaluate.add_argument("--data", required=True, help="Parquet file of the common layout, or folder of such files")
    evaluate.add_argument(
        "--dataset", help="which set, if there are several, or the files are as its authors gave them"
    )
    evaluate.add_argument(
        "--model", default=DEFAULT_MODEL, help="folder, or OWNER/NAME on the Hub (default: %(default)s)"
    )
    evaluate.add_argument("--placements", help="sensors to keep, by the set's names, with commas between")
    evaluate.add_argument("--subset", help="a named selection of classes, such as six of hapt_ucihar_raw")
    evaluate.add_argument("--calibrated", action="store_true", help="turn sensors by their wearers' walking")
    evaluate.add_argument("--hide-place", action="store_true", help="do not tell the model where the sensor is worn")
    evaluate.add_argument("--max-windows", type=int, help="at most so many, equally many of each person and class")
    evaluate.add_argument("--confusions", action="store_true", help="show what each class is most taken for")
    evaluate.add_argument("--name", default="anymo-hf", help="of the model in the table (default: %(default)s)")
    evaluate.add_argument(
        "--seed", type=int, default=0, help="of the random weights, and in the figures (default: %(default)s)"
    )
    evaluate.add_argument(
        "--ray", metavar="ADDRESS", help="Ray cluster that shares the recordings: auto, host:6379 ..."
    )
    evaluate.add_argument("--out", type=Path, help="file to which the figures are added, such as docs/results.jsonl")
    evaluate.set_defaults(run=run_evaluate, window=5.0)  # the sets have windows of their own


def run_evaluate(args: argparse.Namespace) -> None:
    """Accuracy, macro-F1 and recall at 2 on each set, beside guessing, moving against still, and random weights."""
    from anymo_hf.cli_language import load_pipeline
    from anymo_hf.evaluation.zero_shot_controls import untrained_pipeline

    if args.max_windows is not None and args.max_windows < 1:
        raise ValueError(f"`max_windows` must be 1 or more, but is {args.max_windows}.")
    sets = _find_sets(args)
    for dataset, path in sets:
        _check_classes(dataset, path, dataset.get_classes(args.subset))
    trained = load_pipeline("zero-shot-imu-classification", args)
    random = untrained_pipeline(trained, args.seed)
    for dataset, path in sets:
        _evaluate_set(args, dataset, path, trained, random)


def _check_classes(dataset, path: Path, classes: tuple[str, ...]) -> None:
    """There must be something to tell apart, in words that a language model can read."""
    if len(classes) < 2:
        raise ValueError(
            f"{dataset.name!r} has {len(classes)} classes ({', '.join(classes)}), but at least two are needed to tell "
            "apart; add recordings of another activity."
        )
    codes = [words for words in classes if not any(letter.isalpha() for letter in words)]
    if codes:
        beside = path.with_suffix(".json") if path.is_file() else path / "dataset.json"
        raise ValueError(
            f"The classes {codes} of {dataset.name!r} are no words, so that the model cannot read them; name them in "
            f'{beside}, such as {{"activity_words": {{"{codes[0]}": "walking"}}}}.'
        )


def _evaluate_set(args: argparse.Namespace, dataset, path: Path, trained, random) -> None:
    from anymo_hf.evaluation.embeddings import load_har_windows
    from anymo_hf.evaluation.har_datasets import load_har_recordings
    from anymo_hf.evaluation.zero_shot import Calibration
    from anymo_hf.evaluation.zero_shot_controls import RANDOM_WEIGHTS, control_scores
    from anymo_hf.evaluation.zero_shot_results import format_confusions, format_table, side_note

    placements = [name.strip() for name in args.placements.split(",")] if args.placements else None
    calibration = Calibration(load_har_recordings(path, dataset, placements)) if args.calibrated else None
    windows = load_har_windows(path, dataset, placements, args.subset, args.max_windows, prepare=calibration)
    if dataset.split == "report":
        _log(args, dataset)
    classes = dataset.get_classes(args.subset)
    scores = {
        name: _classify(args)(pipeline, windows, classes, not args.hide_place, progress=sys.stderr.isatty())
        for name, pipeline in {args.name: trained, RANDOM_WEIGHTS: random}.items()
    }
    scores |= control_scores(windows, classes)
    people = len(scores[args.name].first.subjects)
    print(f"{dataset.name}: {len(windows)} windows of {people} people, {len(classes)} classes, percent")
    print(format_table(scores))
    notes = _notes(args, dataset, calibration, len(windows))
    print("\n".join(filter(None, [side_note(dataset), *notes])))
    if args.confusions:
        print(format_confusions(scores[args.name]))
    if args.out is not None:
        _write(args, dataset, scores, {args.name: trained, RANDOM_WEIGHTS: random}, notes)


def _classify(args: argparse.Namespace):
    """Here, or on a cluster."""
    import functools

    if args.ray is None:
        from anymo_hf.evaluation.zero_shot import classify_windows

        return classify_windows
    from anymo_hf.evaluation.ray_evaluation import classify_windows_on_ray

    return functools.partial(classify_windows_on_ray, address=args.ray)


def _notes(args: argparse.Namespace, dataset, calibration, num_windows: int) -> list[str]:
    """What a reader of the figures must know."""
    notes = [] if calibration is None else [str(calibration)]
    if dataset.label_keyed_placement and not args.hide_place:
        notes.append(LABEL_KEYED)
    if args.max_windows is not None:
        # Every person and class gives one at least, which may be more than was asked for.
        asked = f"--max-windows {args.max_windows}"
        notes.append(f"{num_windows} windows chosen ({asked}), equally many of each person and class")
    return notes


def _find_sets(args: argparse.Namespace) -> list:
    """The sets of the folder, or the one that is named."""
    from anymo_hf.evaluation.har_datasets import HAR_DATASETS, find_har_datasets

    path = Path(args.data)
    if args.dataset in HAR_DATASETS and path.is_dir() and not any(path.glob("*.parquet")):
        return [(HAR_DATASETS[args.dataset], path)]  # as its authors published it
    sets = find_har_datasets(path)
    if args.dataset is None:
        return sets
    chosen = [(dataset, where) for dataset, where in sets if dataset.name == args.dataset]
    if not chosen:
        names = sorted(dataset.name for dataset, _ in sets)
        raise ValueError(f"{path} holds no set {args.dataset!r}; it holds {names}.")
    return chosen


def _log(args: argparse.Namespace, dataset) -> None:
    from anymo_hf.evaluation.evaluation_log import LOG_PATH, log_evaluation

    if LOG_PATH.parent.is_dir():
        log_evaluation([dataset.name], f"{_command()}: {args.name}")
    else:
        print(f"{LOG_PATH} is not here, so that this look at {dataset.name} is not noted.", file=sys.stderr)


def _write(args: argparse.Namespace, dataset, scores: dict, pipelines: dict, notes: list[str]) -> None:
    from anymo_hf.evaluation.results import append_results, current_commit, machine_description
    from anymo_hf.evaluation.zero_shot import checkpoint_sha256, weights_sha256
    from anymo_hf.evaluation.zero_shot_results import subset_words, to_results

    places = ", ".join(args.placements.split(",")) if args.placements else "all sensors"
    words = ", ".join(filter(None, [places, args.subset, "place not told" if args.hide_place else None]))
    common = {
        "command": _command(),
        "commit": current_commit(),
        "machine": machine_description(),
        "date": date.today().isoformat(),
        "note": "; ".join(notes) or None,
    }
    rows = []
    for name in scores:
        weights = {}
        if name in pipelines:
            model = pipelines[name].model
            sha = checkpoint_sha256(args.model, model) if name == args.name else weights_sha256(model)
            weights = {"checkpoint_sha256": sha, "seed": args.seed}
        rows += to_results(scores, name, dataset, subset_words(words, args.calibrated), common | weights)
    append_results(rows, args.out)
    print(f"Added {len(rows)} figures to {args.out}")


def _command() -> str:
    return shlex.join(["anymo", *sys.argv[1:]])

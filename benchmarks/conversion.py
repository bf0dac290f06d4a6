# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Converts a folder of real motion capture and records files, minutes, failures, time and bytes.

    python benchmarks/conversion.py MOTIONS --num_proc 2

The folder is converted twice, with one and with several processes, and both results must be equal to the bit.
"""

import argparse
import filecmp
import tempfile
from datetime import date
from pathlib import Path

from anymo_hf.evaluation.results import Result, append_results, current_commit, machine_description
from anymo_hf.simulation.conversion import ConversionReport, convert_motions


def main(args: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        alone = convert_motions(args.motions, Path(folder) / "one")
        together = convert_motions(args.motions, Path(folder) / "many", num_proc=args.num_proc)
        names = sorted(set(together.files.values()))
        _, different, missing = filecmp.cmpfiles(Path(folder) / "one", Path(folder) / "many", names, shallow=False)
    if different or missing or alone.files != together.files:
        raise SystemExit(f"The result depends on the number of processes: {different or missing}")
    print(together)
    results = make_results(together, args)
    for result in results:
        print(f"{result.metric:<40} {result.value:,.4g}")
    append_results(results)


def make_results(report: ConversionReport, args: argparse.Namespace) -> list[Result]:
    common = {
        "table": "conversion",
        "dataset": "CMU (BVH and AMC trials), HDM05, Bandai-Namco as BVH",
        "subset": f"{args.num_proc} processes",
        "model": "anymo-hf",
        "command": f"python benchmarks/conversion.py MOTIONS --num_proc {args.num_proc}",
        "commit": current_commit(),
        "machine": machine_description(),
        "date": date.today().isoformat(),
        "note": "equal to the bit with one process",
    }
    figures = {
        "motion files": len(report.files) + len(report.failures),
        "failures": len(report.failures),
        "minutes of motion": report.minutes,
        "seconds": report.seconds,
        "times real time": report.minutes * 60 / report.seconds,
        "GB per hour of motion": report.num_bytes / 1e9 / (report.minutes / 60),
    }
    return [Result(metric=metric, value=float(value), **common) for metric, value in figures.items()]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("motions", nargs="+", help="folders of motion files")
    parser.add_argument("--num_proc", type=int, default=2)
    main(parser.parse_args())

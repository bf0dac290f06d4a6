# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Converts a collection of motion capture to kinematics, the input of all training.

    python training_scripts/convert_motions.py --paths cmu hdm05 --folder converted --num_proc 8

Kill it at any moment and start it again: what is converted stays. `converted/report.jsonl` lists every file with its
result or the reason why it failed. For readings of sensors in place of kinematics use `anymo simulate`.
"""

import argparse

from anymo_hf.simulation.conversion import convert_motions


def main(args: argparse.Namespace) -> None:
    report = convert_motions(
        args.paths, args.folder, args.num_proc, args.sampling_rate, args.cutoff, joint_map=args.joint_map
    )
    print(report)
    if report.minutes:
        print(f"{report.num_bytes / (report.minutes / 60) / 1e9:.2f} GB per hour of motion")


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--paths", nargs="+", required=True, help="motion files, or folders of them")
    parser.add_argument("--folder", required=True, help="where the converted files go")
    parser.add_argument("--num_proc", type=int, default=1)
    parser.add_argument("--sampling_rate", type=float, default=60.0)
    parser.add_argument("--cutoff", type=float, default=None)
    parser.add_argument("--joint_map", default=None, help="JSON file {segment: joint}")
    return parser


if __name__ == "__main__":
    main(make_parser().parse_args())

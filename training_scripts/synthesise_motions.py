# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Synthesises hours of everyday motion as kinematics, beside or in place of motion capture.

    python training_scripts/synthesise_motions.py --folder synthetic --hours 8 --num_proc 2

Kill it at any moment and start it again: what is written stays, and more hours add to it.
"""

import argparse

from anymo_hf.simulation.synthesis.folder import synthesise_motions


def main(args: argparse.Namespace) -> None:
    files = synthesise_motions(args.folder, args.hours, args.seed, args.num_proc)
    print(f"{len(files)} recordings of about a minute in {args.folder}")


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", required=True, help="where the files go")
    parser.add_argument("--hours", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--num_proc", type=int, default=1)
    return parser


if __name__ == "__main__":
    main(make_parser().parse_args())

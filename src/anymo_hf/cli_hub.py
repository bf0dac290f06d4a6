# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The command `anymo push`."""

import argparse
from pathlib import Path


def add_hub_commands(commands) -> None:
    """Adds the commands that share what was trained."""
    push = commands.add_parser("push", help="share a checkpoint on the Hub", description=run_push.__doc__)
    push.add_argument("folder", metavar="FOLDER", help="a saved checkpoint, or the output of `Trainer`")
    push.add_argument("name", metavar="ORG/NAME", help="repository; made if it does not exist")
    push.add_argument("--private", action="store_true", help="make a new repository private")
    push.add_argument("--revision", metavar="BRANCH", help="an existing branch (default: main)")
    push.add_argument("--token", help="default: that of `hf auth login` or HF_TOKEN")
    push.add_argument("--results", help="results.jsonl; figures measured on these weights go into the card")
    push.add_argument("--data", nargs="+", default=[], help="folders of converted motion it was trained on")
    push.add_argument("--dry-run", action="store_true", help="show what would be uploaded")
    push.set_defaults(run=run_push)


def run_push(args: argparse.Namespace) -> None:
    """Adds code, card and copies of the parts to a checkpoint, sees that it loads, and uploads it in one commit."""
    from transformers.utils import logging

    from anymo_hf.hub import push

    logging.disable_progress_bar()
    if not Path(args.folder).is_dir():
        raise ValueError(f"There is no folder {args.folder}; give the folder of a saved checkpoint.")
    files = push(
        args.folder,
        args.name,
        private=args.private,
        revision=args.revision,
        token=args.token,
        results=args.results,
        data=args.data,
        dry_run=args.dry_run,
    )
    for name, size in files.items():
        print(f"{size:>13,}  {name}")
    print(f"{sum(files.values()):>13,}  bytes in {len(files)} files")
    print("Nothing was uploaded." if args.dry_run else f"Pushed to {args.name}")

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The command `anymo app`."""

import argparse

from anymo_hf.pipelines import DEFAULT_MODEL


def add_app_command(commands) -> None:
    """Adds the command."""
    app = commands.add_parser(
        "app", help="try it in a browser: recognise recordings, simulate sensors", description=run_app.__doc__
    )
    app.add_argument("--model", default=DEFAULT_MODEL, help="folder, or OWNER/NAME on the Hub (default: %(default)s)")
    app.add_argument("--port", type=int, help="default: the first free one from 7860")
    app.add_argument("--open", action="store_true", help="open the browser")
    app.set_defaults(run=run_app)


def run_app(args: argparse.Namespace) -> None:
    """Starts a page on this machine, which nobody else can reach. End it with Ctrl+C."""
    from anymo_hf.app import launch

    launch(args.model, port=args.port, open_browser=args.open)

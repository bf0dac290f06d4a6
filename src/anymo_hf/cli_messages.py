# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Messages of the package in the words of the command line: options in place of arguments, no lines of source."""

import argparse
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


# Arguments whose option has another name.
OPTIONS = {
    "placements": "placement",
    "sampling_rate": "rate",
    "candidate_labels": "labels",
    "length": "window",
}


def name_options(text: str, args: argparse.Namespace) -> str:
    """
    A message with options of the command in place of arguments in Python.

    Args:
        text (`str`):
            With arguments as `name` in backticks, or as name='value'.
        args (`argparse.Namespace`):
            Of the command; `options` holds all that it has.

    Returns:
        `str`: The message; names for which the command has no option stay as they are.
    """

    def replace(match: re.Match) -> str:
        name, value = match["name"] or match["given"], match["value"]
        option = next((o for o in (OPTIONS.get(name, name), name) if f"--{o.replace('_', '-')}" in args.options), None)
        if option is None:
            return match[0]
        option = f"--{option.replace('_', '-')}"
        return f"`{option}`" if value is None else f"`{option} {value}`"

    return re.sub(r"`(?P<name>\w+)`|`?\b(?P<given>\w+)=(?P<value>'[^'`]*')`?", replace, text)


@contextmanager
def short_warnings(args: argparse.Namespace) -> Iterator[None]:
    """Prints warnings for the user as one line on the standard error, all others as Python does."""
    with warnings.catch_warnings():
        usual = warnings.showwarning

        def show(message, category, filename, lineno, file=None, line=None):
            if issubclass(category, UserWarning):
                print(f"anymo {args.command}: warning: {name_options(str(message), args)}", file=sys.stderr)
            else:
                usual(message, category, filename, lineno, file, line)

        warnings.showwarning = show
        yield


__all__ = ["name_options", "short_warnings"]

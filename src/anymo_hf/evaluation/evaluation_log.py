# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""`log_evaluation`: every look at a set for the report leaves a line, so that nothing is tuned on one unseen."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from anymo_hf.evaluation.results import current_commit


LOG_PATH = Path("docs/evaluations.log")


def log_evaluation(names: Iterable[str], what_for: str, path: Path = LOG_PATH) -> None:
    """
    Adds one line: date, commit, sets, what for.

    Args:
        names (`Iterable[str]`):
            Sets for the report that are looked at.
        what_for (`str`):
            The command and what is evaluated.
        path (`Path`, *optional*, defaults to `docs/evaluations.log`):
            The log; made with its folder if it does not exist.
    """
    commit = current_commit()
    commit = "no commit" if commit is None else commit[:8]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{date.today().isoformat()} {commit} {', '.join(names)}: {what_for}\n")


__all__ = ["LOG_PATH", "log_evaluation"]

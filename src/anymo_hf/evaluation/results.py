# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Every figure this project states, one a line in `docs/results.jsonl`, and the tables rendered from it.

    make results    # docs/results.jsonl -> docs/results.md and the tables in README.md
"""

import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from anymo_hf.whole_files import written_whole


DEFAULT_PATH = Path("docs/results.jsonl")
# Rows that agree in these are the same figure, measured again.
IDENTITY = ("table", "dataset", "subset", "model", "metric", "seed")
# Columns of the rendered tables; the first five are on every row.
COLUMNS = ("dataset", "subset", "model", "metric", "value", "ci", "num_windows", "num_subjects", "num_classes",
           "chance", "majority", "same_data_as_published", "seed", "machine", "date", "commit", "note")  # fmt: skip


@dataclass(frozen=True)
class Result:
    """
    One figure with what is needed to judge and to repeat it. Fields that do not apply stay `None`.

    Args:
        table (`str`):
            The table it belongs to, such as `"real against simulated"`.
        dataset, subset (`str`):
            What it was measured on.
        model (`str`):
            The model or method.
        metric (`str`):
            Name and unit, such as `"force NRMSE"` or `"macro-F1"`.
        value (`float`):
            The figure.
        ci_low, ci_high (`float`), ci_method (`str`):
            Its interval and how that was found.
        num_windows, num_subjects, num_classes (`int`):
            Size of the test.
        chance, majority (`float`):
            What guessing, and always naming the commonest class, would reach.
        same_data_as_published (`bool`):
            Whether a published figure beside it was measured on the same windows and people.
        command, commit, checkpoint_sha256 (`str`), seed (`int`):
            How to repeat it.
        machine, date, note (`str`):
            Where and when it was measured (ISO date), and what else a reader must know.
    """

    table: str
    dataset: str
    subset: str
    model: str
    metric: str
    value: float
    ci_low: float | None = None
    ci_high: float | None = None
    ci_method: str | None = None
    num_windows: int | None = None
    num_subjects: int | None = None
    num_classes: int | None = None
    chance: float | None = None
    majority: float | None = None
    same_data_as_published: bool | None = None
    command: str | None = None
    commit: str | None = None
    checkpoint_sha256: str | None = None
    seed: int | None = None
    machine: str | None = None
    date: str | None = None
    note: str | None = None

    @property
    def identity(self) -> tuple:
        """What makes a later measurement replace this one."""
        return tuple(getattr(self, name) for name in IDENTITY)

    def to_json(self) -> str:
        """One line, without the fields that do not apply."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return json.dumps({k: v for k, v in values.items() if v is not None}, ensure_ascii=False, allow_nan=False)


def read_results(path: str | Path = DEFAULT_PATH) -> list[Result]:
    """
    The figures in a file, in its order; none if there is no file.

    Raises:
        ValueError: If a line is no result.
    """
    if not Path(path).exists():
        return []
    results = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), start=1):
        try:
            results.append(Result(**json.loads(line)))
        except (json.JSONDecodeError, TypeError) as error:
            raise ValueError(f"Line {number} of {path} is no result: {error}") from error
    return results


def append_results(results: Iterable[Result], path: str | Path = DEFAULT_PATH) -> None:
    """
    Adds figures to a file in one atomic write; a figure of the same identity is replaced where it stands.

    Args:
        results (`Iterable[Result]`):
            New figures. Of several with the same identity the last counts.
        path (`str` or `Path`, *optional*, defaults to `docs/results.jsonl`):
            The file; made with its folder if it does not exist.
    """
    path = Path(path)
    merged = {result.identity: result for result in [*read_results(path), *results]}
    path.parent.mkdir(parents=True, exist_ok=True)
    # A reader, or a process that dies here, finds the old file or the new one, never half of it.
    with written_whole(path) as unfinished:
        lines = (result.to_json() + "\n" for result in merged.values())
        unfinished.write_text("".join(lines), encoding="utf-8")


def measured_metrics(
    results: Iterable[Result], where: tuple, is_alike: Callable[[str], bool] = lambda note: True
) -> set[str]:
    """
    What need not be measured again.

    Args:
        results (`Iterable[Result]`):
            What stands there.
        where (`tuple`):
            Table, dataset, subset, model, seed and hash of the checkpoint.
        is_alike (`Callable[[str], bool]`, *optional*):
            Whether a row's note tells of the same choice of windows.

    Returns:
        `set[str]`: Metrics of the rows that agree.
    """
    return {
        row.metric
        for row in results
        if (row.table, row.dataset, row.subset, row.model, row.seed, row.checkpoint_sha256) == where
        and is_alike(row.note or "")
    }


def render_results(path: str | Path = DEFAULT_PATH) -> str:
    """All figures as Markdown, one table per `Result.table`, with only the columns that have content."""
    tables = {}
    for result in read_results(path):
        tables.setdefault(result.table, []).append(result)
    parts = ["# Results", "Rendered from `results.jsonl` by `make results`; edit neither by hand."]
    for name, results in tables.items():
        rows = [{column: _cell(result, column) for column in COLUMNS} for result in results]
        columns = [column for column in COLUMNS if any(row[column] for row in rows)]
        lines = ["| " + " | ".join(columns).replace("_", " ") + " |", "|---" * len(columns) + "|"]
        lines += ["| " + " | ".join(row[column] for column in columns) + " |" for row in rows]
        commands = dict.fromkeys(f"    {result.command}" for result in results if result.command)
        parts += [f"## {name[:1].upper()}{name[1:]}", "\n".join(lines), "\n".join(commands)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _cell(result: Result, column: str) -> str:
    if column == "ci":
        if result.ci_low is None or result.ci_high is None:
            return ""
        method = f" ({result.ci_method})" if result.ci_method else ""
        return f"{format_number(result.ci_low)} to {format_number(result.ci_high)}{method}"
    value = getattr(result, column)
    if value is None:
        return ""
    if column == "commit":
        return value[:10]
    if isinstance(value, bool):
        return "yes" if value else "no"
    return format_number(value) if isinstance(value, (int, float)) else str(value).replace("|", "\\|")


def format_number(value: float) -> str:
    """Four digits, never in powers of ten for what a reader can count."""
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def machine_description() -> str:
    """Processor, cores and memory of this machine, without its name."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text(encoding="utf-8").splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    parts = [model, f"{os.cpu_count()} cores"]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        parts.append(f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB")
    return ", ".join(parts)


def current_command() -> str:
    """What is running, as one would write it; of absolute paths the names alone, for others have other folders."""
    arguments = [Path(one).name if Path(one).is_absolute() else one for one in sys.argv[1:]]
    return shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *arguments])


def current_commit() -> str | None:
    """The commit of the working directory, with `+` if files differ from it; `None` outside a repository."""
    try:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
        # Figures themselves are written before they are committed.
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no", "--", ":!docs/results.*"],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.strip() + ("+" if changed.strip() else "")

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Pieces of HTML that both tabs are made of, and their style sheet. Every text from outside is escaped here."""

import base64
import html
import io
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Text, lines and fills follow gradio's light or dark theme by its variables.
CSS = """
.gradio-container { max-width: 1150px !important; margin: 0 auto !important; }
.am-box { border-radius: 8px; padding: 10px 14px; margin: 0 0 10px; border: 1px solid var(--border-color-primary);
  border-left-width: 5px; background: var(--background-fill-secondary); overflow-wrap: anywhere; }
.am-problem { border-left-color: #c23b3b; }
.am-warning { border-left-color: #d98a00; }
.am-note { border-left-color: #0072b2; }
.am-soft { opacity: .75; font-size: .92em; }
.am-wide { contain: inline-size; overflow-x: auto; background: #fff; border-radius: 8px; margin: 0 0 12px; }
.am-wide:focus-visible { outline: 2px solid var(--color-accent); }
.am-wide img { display: block; width: 100%; height: auto; margin: 0; }
.am-table, .am-table tr { border: 0 !important; }
.am-table { border-collapse: collapse; width: 100%; margin: 0 0 12px; }
.am-table caption { text-align: left; font-weight: 600; padding: 4px 0; }
.am-table td, .am-table th { text-align: left; vertical-align: top; padding: 7px 12px 7px 0 !important;
  border: 0 !important; border-top: 1px solid var(--border-color-primary) !important; overflow-wrap: anywhere; }
.am-table th { font-weight: 600; border-top: 0 !important; }
.am-entry { display: grid; grid-template-columns: 4.2em 1fr; gap: 8px; align-items: center; }
.am-bar { background: var(--border-color-primary); height: 10px; border-radius: 5px; overflow: hidden; }
.am-bar i { display: block; height: 100%; background: #0072b2; }
.am-strip { display: flex; height: 34px; border-radius: 6px; overflow: hidden; margin: 2px 0 4px; }
.am-strip i { display: block; border-right: 1px solid #fff; min-width: 2px; }
.am-ends { display: flex; justify-content: space-between; }
.am-legend { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 4px 0 14px; padding: 0; list-style: none; }
.am-legend i { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 6px; }
@media (max-width: 640px) {
  .am-wide img { width: 760px; max-width: none; }
  .am-table thead { display: none; }
  .am-table, .am-table tbody, .am-table tr, .am-table td, .am-table caption { display: block; width: 100%; }
  .am-table tr { border-top: 1px solid var(--border-color-primary) !important; padding: 8px 0; }
  .am-table td { border: 0 !important; padding: 3px 0 !important; }
  .am-table td:first-child { font-weight: 600; }
  .am-table td:not(:first-child)::before { content: attr(data-label); display: block; font-size: .82em;
    font-weight: 600; opacity: .75; }
}
"""
PICTURE_DPI = 110

logger = logging.getLogger(__name__)


def box(kind: str, text: str) -> str:
    """A message: `"problem"`, `"warning"` or `"note"`; screen readers speak a problem at once."""
    role = ' role="alert"' if kind == "problem" else ""
    return f'<div class="am-box am-{kind}"{role}>{html.escape(text)}</div>'


def explain(error: Exception, path: str | None) -> str:
    """What went wrong, as a message on the page; the file goes by the name that its owner gave it."""
    if isinstance(error, (ValueError, OSError, ImportError)):
        text = str(error)
        return box("problem", text.replace(path, Path(path).name) if path else text)
    # Readers explain what they expect of a file. What they do not foresee must not show the reader a traceback.
    logger.exception("unforeseen", exc_info=error)
    return box("problem", f"This file could not be worked on ({type(error).__name__}); it may be damaged.")


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are HTML already; on narrow screens every row is a card."""
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in header)
    body = "\n".join(
        "<tr>"
        + "".join(f'<td data-label="{html.escape(n)}">{cell}</td>' for n, cell in zip(header, row, strict=True))
        + "</tr>"
        for row in rows
    )
    caption = f"<caption>{html.escape(title)}</caption>"
    return f'<table class="am-table">{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def picture(figure: "Figure", description: str) -> str:
    """A figure within the page; on narrow screens it scrolls sideways, also by keyboard."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=PICTURE_DPI)
    address = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    words = html.escape(description, quote=True)
    image = f'<img src="{address}" alt="{words}">'
    return f'<div class="am-wide" tabindex="0" role="region" aria-label="{words}">{image}</div>'


__all__ = ["CSS", "box", "explain", "picture", "table"]

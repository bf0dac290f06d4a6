# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Docstrings in Hugging Face's form as Markdown, for the pages of the API: an extension of griffe, see mkdocs.yml."""

import re
import textwrap

import griffe


SECTIONS = ("Args", "Returns", "Yields", "Raises", "Example")
_SECTION = re.compile(rf"^({'|'.join(SECTIONS)}):$")
_ARGUMENT = re.compile(r"^([\w*, ]+?)( \(.*\))?:$")
_ERROR = re.compile(r"^(\w+): ")


class HuggingFaceDocstrings(griffe.Extension):
    """Gives every object its docstring as Markdown; griffe's own parsers would not show shapes and units."""

    def on_object(self, *, obj: griffe.Object, **kwargs) -> None:
        if obj.docstring:
            obj.docstring.value = to_markdown(obj.docstring.value)


def to_markdown(docstring: str) -> str:
    """
    A docstring with its sections as headed lists.

    Args:
        docstring (`str`):
            Without the indentation that it has in the source.

    Returns:
        `str`: Markdown.
    """
    parts: list[tuple[str, list[str]]] = [("", [])]
    for line in docstring.splitlines():
        section = _SECTION.match(line)
        if section:
            parts.append((section[1], []))
        elif line[:1].strip() and parts[-1][0]:
            parts.append(("", [line]))  # text again, behind a section
        else:
            parts[-1][1].append(line)
    return "\n\n".join(_render(name, textwrap.dedent("\n".join(lines)).strip("\n")) for name, lines in parts)


def _render(name: str, text: str) -> str:
    if name == "Args":
        text = "\n".join(_argument(line) for line in text.splitlines())
    elif name == "Raises":
        text = "\n".join(_ERROR.sub(r"- `\1`: ", line) for line in text.splitlines())
    return f"**{name}**\n\n{text}" if name else text


def _argument(line: str) -> str:
    """The first line of an entry becomes an item of a list; its description, already indented, belongs to it."""
    found = _ARGUMENT.match(line)
    if not found:
        return f"- {line}" if line[:1].strip() else line
    names = ", ".join(f"`{name.strip()}`" for name in found[1].split(","))
    return f"- {names}{found[2] or ''}:"

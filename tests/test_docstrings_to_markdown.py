# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The pages of the API show docstrings as they are meant."""

import importlib.util
from pathlib import Path

import pytest


DOCSTRING = """\
What it does.

Args:
    values (`np.ndarray` of shape `(num_frames, 3)`):
        In m/s^2.
    low, high (`float`, *optional*, defaults to 1.0):
        One of

        - this;
        - that.

Returns:
    `float`: A length
    in metres.

Raises:
    ValueError: If it is negative.

Text again.
"""
MARKDOWN = """\
What it does.

**Args**

- `values` (`np.ndarray` of shape `(num_frames, 3)`):
    In m/s^2.
- `low`, `high` (`float`, *optional*, defaults to 1.0):
    One of

    - this;
    - that.

**Returns**

`float`: A length
in metres.

**Raises**

- `ValueError`: If it is negative.

Text again."""


def test_sections_become_headed_lists():
    pytest.importorskip("griffe", reason="comes with the extra docs")
    path = Path(__file__).parents[1] / "tools" / "docstrings_to_markdown.py"
    spec = importlib.util.spec_from_file_location("docstrings_to_markdown", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.to_markdown(DOCSTRING) == MARKDOWN

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
The test mixins of transformers, which `tools/fetch_hf_tests.py` puts beside this file.

They import two modules that the source distribution leaves out; empty ones stand in for them.
"""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest
import transformers


FOLDER = Path(__file__).parent / "_vendor" / transformers.__version__
PACKAGE = "transformers_test_mixins"
STAND_INS = {
    "exporters.test_export": {"ExportTesterMixin": type("ExportTesterMixin", (), {})},
    "generation.test_utils": {"GenerationTesterMixin": type("GenerationTesterMixin", (), {})},
}


def _add_module(name: str, folder: Path | None = None, **contents):
    module = ModuleType(name)
    module.__path__ = [] if folder is None else [str(folder)]
    vars(module).update(contents)
    sys.modules[name] = module


def import_mixins(name: str) -> ModuleType:
    """
    A module of transformers' tests; skips the tests of the calling file where it cannot be had.

    Args:
        name (`str`):
            Of the module, such as `"test_modeling_common"`.
    """
    if not (FOLDER / f"{name}.py").exists():
        pytest.skip(
            f"the tests of transformers {transformers.__version__} are not here: run `make hf-tests`",
            allow_module_level=True,
        )
    pytest.importorskip("parameterized")
    if PACKAGE not in sys.modules:
        _add_module(PACKAGE, FOLDER)
        for path, contents in STAND_INS.items():
            parent = path.partition(".")[0]
            _add_module(f"{PACKAGE}.{parent}")
            _add_module(f"{PACKAGE}.{path}", **contents)
    return importlib.import_module(f"{PACKAGE}.{name}")

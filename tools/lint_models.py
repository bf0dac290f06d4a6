# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Runs mlinter, transformers' linter of model code, with all its rules but one, on what is copied into Hub folders.

    python tools/lint_models.py
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import mlinter


# `@auto_docstring` fails at import in packages outside transformers.
DISABLED_RULES = ("TRF057",)
FOLDERS = ("src/anymo_hf/modeling", "src/anymo_hf/processing")


def main() -> int:
    rules = (Path(mlinter.__file__).parent / "rules.toml").read_text(encoding="utf-8")
    for rule in DISABLED_RULES:
        pattern = rf"(\[rules\.{rule}\]\n(?:.+\n)*?default_enabled = )true"
        rules, count = re.subn(pattern, r"\1false", rules)
        if count != 1:
            raise SystemExit(f"mlinter has no rule {rule} that is on by default; take it out of DISABLED_RULES.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rules.toml"
        path.write_text(rules, encoding="utf-8")
        command = [sys.executable, "-m", "mlinter", "--no-progress", "--no-cache", "--rules-toml", str(path)]
        return subprocess.run([*command, *(name for name in FOLDERS if Path(name).is_dir())], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

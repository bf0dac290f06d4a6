# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Fetches the test mixins of transformers, which are in its source distribution and not in its wheel.

    python tools/fetch_hf_tests.py

They go to tests/hf_common/_vendor/<version>/, which git ignores. Tests that need them skip where they are missing.
"""

import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import transformers


VENDOR = Path("tests/hf_common/_vendor")


def main() -> None:
    folder = VENDOR / transformers.__version__
    if folder.is_dir():
        return
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        subprocess.run([*command, "--dest", scratch, f"transformers=={transformers.__version__}"], check=True)
        (archive,) = Path(scratch).glob("transformers-*.tar.gz")
        unfinished = Path(scratch) / "tests"
        unfinished.mkdir()
        with tarfile.open(archive) as tar:
            for member in tar.getmembers():
                parts = Path(member.name).parts
                if member.isfile() and len(parts) == 3 and parts[1] == "tests" and parts[2].startswith("test_"):
                    (unfinished / parts[2]).write_bytes(tar.extractfile(member).read())
        VENDOR.mkdir(parents=True, exist_ok=True)
        # pytest must not take them for tests of ours.
        (VENDOR / "conftest.py").write_text('collect_ignore_glob = ["*"]\n', encoding="utf-8")
        shutil.move(unfinished, folder)


if __name__ == "__main__":
    main()

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Endurance and robustness: what small valid files look like is taken from the readers' own tests."""

import sys
from pathlib import Path


TESTS = Path(__file__).resolve().parents[1]
# The builders of small files live beside the tests of the readers.
sys.path += [str(TESTS / name) for name in ("simulation", "evaluation") if str(TESTS / name) not in sys.path]

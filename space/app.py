# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The page of `anymo app` as a Space; the folder of the package and the checkpoint `anymo` lie beside this file."""

from anymo_hf.app import launch


launch("anymo", host=None)  # where a Space listens is named by its environment

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Evaluation: data sets of real sensors, zero-shot classification, retrieval, and the figures that come out."""

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Parts of `evaluation.har_datasets`: declarations, the common layout, the authors' layouts."""

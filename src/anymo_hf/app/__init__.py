# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The page of `anymo app`: recognise a recording, simulate sensors. Only building it needs gradio (extra `app`)."""

from anymo_hf.app.page import launch, make_app, serve


__all__ = ["launch", "make_app", "serve"]

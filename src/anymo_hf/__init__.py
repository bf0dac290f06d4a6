# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""anymo-hf: wearable inertial sensors and language."""

from anymo_hf.simulation import (
    BodySurface,
    Placements,
    SegmentKinematics,
    SegmentMotion,
    SensorErrors,
    TextSpan,
    fit_sensor_errors,
    load_motion,
    save_motion,
    simulate_imu,
)
from anymo_hf.version import __version__


__all__ = [
    "BodySurface",
    "Placements",
    "SegmentKinematics",
    "SegmentMotion",
    "SensorErrors",
    "TextSpan",
    "__version__",
    "fit_sensor_errors",
    "load_motion",
    "save_motion",
    "simulate_imu",
]

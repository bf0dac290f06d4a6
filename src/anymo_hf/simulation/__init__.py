# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Simulation: real or synthetic motion becomes the readings of sensors anywhere on the body."""

from anymo_hf.simulation.allan import fit_sensor_errors
from anymo_hf.simulation.anthropometry import draw_shape, fit_shape
from anymo_hf.simulation.body import BodySurface
from anymo_hf.simulation.errors import SensorErrors
from anymo_hf.simulation.imu import simulate_imu
from anymo_hf.simulation.kinematics import STANDARD_GRAVITY, SegmentKinematics
from anymo_hf.simulation.motion import SegmentMotion, TextSpan
from anymo_hf.simulation.placements import Placements
from anymo_hf.simulation.readers import load_motion, save_motion
from anymo_hf.simulation.soft_tissue import SoftTissue


__all__ = [
    "STANDARD_GRAVITY",
    "BodySurface",
    "Placements",
    "SegmentKinematics",
    "SegmentMotion",
    "SensorErrors",
    "SoftTissue",
    "TextSpan",
    "draw_shape",
    "fit_sensor_errors",
    "fit_shape",
    "load_motion",
    "save_motion",
    "simulate_imu",
]

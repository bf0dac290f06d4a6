# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
What a watch and a phone would read of a motion-capture file, as a CSV file, and a picture of it.

    python examples/simulate.py walk.bvh readings.csv
"""

import argparse

import pandas as pd
import torch

from anymo_hf import BodySurface, Placements, SegmentKinematics, SensorErrors, SoftTissue, load_motion, simulate_imu
from anymo_hf.simulation.plots import plot_signals
from anymo_hf.simulation.synthesis import demo_motion


CHANNELS = ["acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z"]

parser = argparse.ArgumentParser()
parser.add_argument("motion", help='a motion file, or "demo" for a synthetic one')
parser.add_argument("output", help="the CSV file to write")
parser.add_argument("--placements", default="left wrist, right trouser pocket")
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()

motion = demo_motion() if options.motion == "demo" else load_motion(options.motion)
kinematics = SegmentKinematics.from_motion(motion)
body = BodySurface.default(bone_offsets=motion.bone_offsets)
generator = torch.Generator().manual_seed(options.seed)
sensors = Placements.from_names([name.strip() for name in options.placements.split(",")], body).mount(generator)
imu = simulate_imu(kinematics, sensors, SensorErrors.preset("watch"), generator, soft_tissue=SoftTissue())

tables = []
for index, name in enumerate(sensors.names):
    table = pd.DataFrame(imu[:, index].numpy(), columns=CHANNELS)
    table.insert(0, "t", kinematics.timestamps)
    table.insert(0, "placement", name)
    tables.append(table)
pd.concat(tables).to_csv(options.output, index=False)
plot_signals(imu, kinematics.sampling_rate, sensors.names, motion.texts).savefig(options.output + ".png")
print(f"{len(sensors.names)} sensors, {len(imu)} readings each: {options.output} and its picture")

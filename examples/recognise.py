# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Labels a recording with activities of your choice, describes it, and finds where something happens in it.

    python examples/recognise.py watch.csv --placement "left wrist" --labels "walking,sitting,brushing teeth"
"""

import argparse

from transformers import pipeline

from anymo_hf import calibrate, read_recording, retrieve


parser = argparse.ArgumentParser()
parser.add_argument("path", help="CSV or Parquet file, or a Sensor Logger folder")
parser.add_argument("--placement", help='where the sensor was worn, such as "left wrist", if the file does not say')
parser.add_argument("--labels", default="walking,running,sitting,standing,lying,walking upstairs")
parser.add_argument("--search", default="a person walks")
parser.add_argument("--model", default="anymo")
options = parser.parse_args()

recording = read_recording(options.path, placements=options.placement)
try:
    recording = calibrate(recording)  # turns sensors upright where walking shows which way that is
except ValueError as reason:
    print(f"Not calibrated: {reason}")
loaded = {"model": options.model, "dtype": "float32", "window": 5.0}

classify = pipeline("zero-shot-imu-classification", **loaded)
describe = pipeline("imu-to-text", **loaded)
windows = classify(recording, candidate_labels=options.labels, top_k=2)
for window, caption in zip(windows, describe(recording), strict=True):
    scores = ", ".join(f"{entry['label']} {entry['score']:.2f}" for entry in window["scores"])
    print(f"{window['start']:7.1f} to {window['end']:.1f} s: {scores}; {caption['generated_text']}")

embed = pipeline("imu-feature-extraction", **loaded)
for found in retrieve(options.search, recording, embed, top_k=3):
    print(f"{options.search!r} at {found['start']:.1f} to {found['end']:.1f} s, cosine {found['score']:.2f}")

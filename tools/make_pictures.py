# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
The pictures of the pages on concepts, all of one synthetic person who walks, sits down and waves.

    python tools/make_pictures.py [--model anymo] [--output docs/pictures]
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from transformers import AutoModelForCausalLM, AutoProcessor

from anymo_hf import AnyMoFeatureExtractor, BodySurface, Placements, SegmentKinematics, make_recording, simulate_imu
from anymo_hf.processing.placements_anymo import SEGMENTS
from anymo_hf.simulation.plots import plot_body, plot_mounting, plot_signals
from anymo_hf.simulation.synthesis import demo_motion


NAMES = ("left wrist", "left trouser pocket", "left shoe")
WALKING = slice(2 * 60, 8 * 60)  # frames of the demo motion
MASK_COLORS = ("#eef1f4", "#e3b23c", "#2f6690")
CODE_COLORS = ("#2f6690", "#c8553d")


def draw_setup(kinematics: SegmentKinematics, body: BodySurface) -> dict[str, Figure]:
    """The same motion at several places, and one place with sensors turned differently."""
    sensors = Placements.from_names(NAMES, body)
    readings = simulate_imu(kinematics, sensors)
    wrist, generator = sensors[0], torch.Generator().manual_seed(1)
    turned = {
        "strapped on": wrist,
        "turned about the skin's normal": wrist.mount(generator, 1.0),
        "loose": wrist.mount(generator, 0.0),
    }
    signals = [simulate_imu(kinematics, sensor) for sensor in turned.values()]
    return {
        "setup": plot_signals(readings, kinematics.sampling_rate, NAMES, kinematics.texts),
        "mounting": plot_mounting(signals, kinematics.sampling_rate, list(turned), start=3.0),
    }


def draw_body(kinematics: SegmentKinematics, body: BodySurface) -> dict[str, Figure]:
    """Named places, and the whole skin with what each spot of it feels while walking."""
    named = Placements.from_names(["left wrist", "chest", "right trouser pocket", "lower back", "left ankle"], body)
    everywhere = body.sample(60, torch.Generator().manual_seed(0))
    force = simulate_imu(kinematics, everywhere, gravity=False)[WALKING, :, :3]
    acceleration = force.square().sum(-1).mean(0).sqrt().numpy()
    label = "acceleration while walking (m/s², rms)"
    return {
        "placements": plot_body(body, named),
        "surface": plot_body(body, everywhere, values=acceleration, value_label=label),
    }


def draw_mask(kinematics: SegmentKinematics) -> Figure:
    """A watch with a gap and a phone without gyroscope, as the model's input holds them."""
    readings = simulate_imu(kinematics, Placements.from_names(["left wrist", "right trouser pocket"])).numpy()
    times = kinematics.timestamps
    kept = (times < 6.0) | (times > 8.5)
    watch = {"values": readings[kept, 0], "timestamps": times[kept]}
    phone = {"values": readings[times > 3.0, 1, :3], "timestamps": times[times > 3.0]}
    recording = make_recording({"left wrist": watch, "right trouser pocket": phone})
    mask = AnyMoFeatureExtractor()(recording)["input_values_mask"][0]
    kind = mask[..., :3].any(-1).astype(int) + mask[..., 3:].any(-1)  # (num_frames, 23)
    figure = Figure(figsize=(9.0, 5.2), layout="constrained")
    ax = figure.subplots()
    image = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in MASK_COLORS], np.uint8)[kind.T]
    ax.imshow(image, aspect="auto", interpolation="nearest", extent=(0, len(kind) / 60, len(SEGMENTS) - 0.5, -0.5))
    ax.set_yticks(range(len(SEGMENTS)), SEGMENTS, fontsize=8)
    ax.set_xlabel("time (s)")
    labels = ("nothing measured", "force only", "force and rate")
    for color, label in zip(MASK_COLORS, labels, strict=True):
        ax.plot([], [], "s", ms=10, color=color, markeredgecolor="#9aa5b1", label=label)
    figure.legend(loc="outside upper right", ncols=3, frameon=False)
    return figure


def draw_tokens(kinematics: SegmentKinematics, folder: str) -> Figure:
    """The codes that one watch gives, over time, with what the person does."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).model
    readings = simulate_imu(kinematics, Placements.from_names("left wrist"))[:, 0].numpy()
    extractor = AutoProcessor.from_pretrained(folder).feature_extractor
    features = extractor({"left wrist": readings}, sampling_rate=kinematics.sampling_rate, return_tensors="pt")
    with torch.no_grad():
        outputs = model.graph_encoder(**features)
        codes = model.motion_tokenizer.encode(outputs.pooled_latents, outputs.steps_mask)[0]
    times = np.linspace(0, len(readings) / kinematics.sampling_rate, codes.shape[1] + 1)
    figure = Figure(figsize=(9.0, 3.4), layout="constrained")
    ax = figure.subplots()
    for book, (row, color) in enumerate(zip(codes.numpy(), CODE_COLORS, strict=False)):
        ax.plot((times[:-1] + times[1:]) / 2, row, ".", ms=6, color=color, label=f"codebook {book}")
    for span in (text for text in kinematics.texts if text.kind == "label"):
        ax.axvline(span.end, color="#9aa5b1", lw=0.8)
        ax.text((span.start + span.end) / 2, 1.02, span.text, transform=ax.get_xaxis_transform(), ha="center", size=9)
    ax.set(xlabel="time (s)", ylabel="code", xlim=(0, times[-1]))
    figure.legend(loc="outside lower right", ncols=2, frameon=False)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="anymo", help="folder of the whole model (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("docs/pictures"))
    options = parser.parse_args()
    body = BodySurface.default()
    kinematics = SegmentKinematics.from_motion(demo_motion(bone_offsets=body.bone_offsets))
    figures = draw_setup(kinematics, body) | draw_body(kinematics, body)
    figures |= {"mask": draw_mask(kinematics), "tokens": draw_tokens(kinematics, options.model)}
    options.output.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        figure.savefig(options.output / f"{name}.png", dpi=80, facecolor="white")
    print(f"{len(figures)} pictures are in {options.output}.")


if __name__ == "__main__":
    main()

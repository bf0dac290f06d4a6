# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""A motion and what sensors on it would read, as one HTML page that stands alone."""

import base64
import html
import io
import os
import time
from collections.abc import Sequence
from pathlib import Path
from string import Template

import numpy as np
import torch

from anymo_hf.simulation import plots
from anymo_hf.simulation.body import BodySurface
from anymo_hf.simulation.errors import SensorErrors
from anymo_hf.simulation.imu import simulate_imu
from anymo_hf.simulation.kinematics import STANDARD_GRAVITY, SegmentKinematics
from anymo_hf.simulation.motion import SegmentMotion
from anymo_hf.simulation.placements import Placements
from anymo_hf.simulation.report_page import PAGE
from anymo_hf.version import __version__
from anymo_hf.whole_files import written_whole


PLACEMENTS = ("right trouser pocket", "left wrist", "chest", "left foot")
NUM_DENSE_PLACEMENTS = 2374  # as many as AnyMo simulates
MAX_SHOWN = 120.0  # s; a page shows no more, so its memory stays bounded
MAX_DENSE = 30.0  # s of dense simulation
PICTURE_DPI = 110


def write_report(
    motion: SegmentMotion,
    path: str | Path,
    placements: Sequence[str] = PLACEMENTS,
    sampling_rate: float = 60.0,
    device: str = "watch",
    seed: int = 0,
    motion_code: str = "motion = demo_motion()",
    more: Sequence[str] = (),
) -> Path:
    """
    Writes one HTML page about a motion and its simulated sensors.

    The page holds its pictures and needs neither network nor scripts. Of a motion longer than two minutes it shows
    the first two, and says so.

    Args:
        motion (`SegmentMotion`):
            What to simulate.
        path (`str` or `Path`):
            The file to write. It appears complete or not at all.
        placements (`Sequence[str]`, *optional*, defaults to trouser pocket, wrist, chest and foot):
            Where the sensors sit, names as in `Placements.from_names`.
        sampling_rate (`float`, *optional*, defaults to 60.0):
            Frames per second of the sensors.
        device (`str`, *optional*, defaults to `"watch"`):
            Preset of `SensorErrors` for the part on noise.
        seed (`int`, *optional*, defaults to 0):
            Of noise, mountings and dense placements.
        motion_code (`str`, *optional*, defaults to `"motion = demo_motion()"`):
            The line by which a reader of the page gets the motion.
        more (`Sequence[str]`, *optional*, defaults to none):
            Further sections in HTML, after what sensors read.

    Returns:
        `Path`: The page.

    Raises:
        ValueError: If the page cannot be written there.
        ImportError: If matplotlib is missing.
    """
    path = Path(path)
    check_writable(path)
    whole = motion.duration
    stop = int(np.searchsorted(motion.timestamps, motion.timestamps[0] + MAX_SHOWN, "right"))
    motion = motion[:stop] if stop < motion.num_frames else motion
    body = BodySurface.default(bone_offsets=motion.bone_offsets)
    sensors = Placements.from_names(list(placements), body)
    kinematics = SegmentKinematics.from_motion(motion, sampling_rate)
    imu = simulate_imu(kinematics, sensors)
    dense, strength, took, shape = _simulate_dense(kinematics, body, seed)
    pictures = {
        "filmstrip": plots.plot_motion(motion, body),
        "sensors": plots.plot_body(body, sensors),
        "dense": plots.plot_body(
            body, dense, values=strength, value_label="rms force beyond gravity (m/s²)", views=("front", "back")
        ),
        "signals": plots.plot_signals(imu, sampling_rate, sensors.names, motion.texts, motion.timestamps[0]),
        "spectra": plots.plot_spectra(imu, sampling_rate, sensors.names),
        "noise": _noise_picture(kinematics, sensors, imu, device, seed),
        "mounting": _mounting_picture(kinematics, sensors, imu, seed),
    }
    facts = _facts(motion, whole, sampling_rate, sensors, took, shape, device)
    words = {name: html.escape(value) for name, value in facts.items()}
    words |= {f"{name}_picture": _embed(figure) for name, figure in pictures.items()}
    words |= {
        "texts": _text_rows(motion),
        "more": "\n".join(more),
        "code": html.escape(_code(motion_code, sensors.names, sampling_rate, device)),
    }
    _write(path, Template(PAGE).substitute(words))
    return path


def _simulate_dense(kinematics: SegmentKinematics, body: BodySurface, seed: int):
    """Dense placements, how strongly each is shaken, the seconds it took and the numbers of frames and placements."""
    dense = body.sample_total(NUM_DENSE_PLACEMENTS, torch.Generator().manual_seed(seed))
    stretch = slice(0, int(MAX_DENSE * kinematics.sampling_rate))
    part = SegmentKinematics(kinematics.values[stretch], kinematics.mask[stretch], kinematics.sampling_rate)
    took = np.inf
    for _ in range(2):  # the first call also wakes the threads up
        began = time.perf_counter()
        imu = simulate_imu(part, dense)
        took = min(took, time.perf_counter() - began)
    beyond = imu[..., :3].norm(dim=-1) - STANDARD_GRAVITY
    return dense, beyond.square().nanmean(0).sqrt().numpy(), took, imu.shape[:2]


def _liveliest(imu: torch.Tensor, sampling_rate: float, seconds: float) -> tuple[int, float]:
    """The sensor on which most happens, and when the most lively stretch of that length begins (seconds)."""
    change = imu[..., :3].diff(dim=0).norm(dim=-1).nan_to_num()
    sensor = int(change.median(0).values.argmax()) if imu.shape[1] > 1 else 0
    length = min(max(int(seconds * sampling_rate), 1), len(change))
    sums = np.convolve(change[:, sensor].numpy(), np.ones(length), "valid")
    return sensor, float(sums.argmax() / sampling_rate)


def _example_sensor(sensors: Placements, imu: torch.Tensor, sampling_rate: float) -> int:
    """The wrist, which people know best, or the liveliest."""
    wrists = [index for index, name in enumerate(sensors.names) if "wrist" in name]
    return wrists[0] if wrists else _liveliest(imu, sampling_rate, 2.0)[0]


def _noise_picture(kinematics, sensors, imu, device, seed):
    index = _example_sensor(sensors, imu, kinematics.sampling_rate)
    one, clean = sensors[index : index + 1], imu[:, index : index + 1]
    generator = torch.Generator().manual_seed(seed)
    noisy = simulate_imu(kinematics, one, SensorErrors.preset(device), generator)
    return plots.plot_noise(clean, noisy, kinematics.sampling_rate, sensors.names[index], device)


def _mounting_picture(kinematics, sensors, imu, seed):
    index = _example_sensor(sensors, imu, kinematics.sampling_rate)
    one, generator = sensors[index : index + 1], torch.Generator().manual_seed(seed)
    worn, loose = one.mount(generator, worn_share=1.0), one.mount(generator, worn_share=0.0)
    signals = [simulate_imu(kinematics, placements) for placements in (one, worn, loose)]
    names = [f"{sensors.names[index]}, aligned", "turned on the skin", "any way round"]
    start = _liveliest(imu[:, index : index + 1], kinematics.sampling_rate, 4.0)[1]
    return plots.plot_mounting(signals, kinematics.sampling_rate, names, start)


def _facts(motion, whole, sampling_rate, sensors, took, shape, device) -> dict[str, str]:
    """The words and figures of the page, not yet escaped."""
    num_frames, num_placements = shape
    labels = list(dict.fromkeys(span.text for span in motion.texts if span.kind == "label"))
    name = motion.source.get("name") or " then ".join(labels) or "A motion"
    shown = (
        "" if whole <= motion.duration + 1 else f" The page shows the first {motion.duration:.0f} s of {whole:.0f} s."
    )
    source = ", ".join(
        f"{key}: {motion.source[key]}" for key in ("dataset", "subject", "license") if key in motion.source
    )
    return {
        "title": name[:1].upper() + name[1:],
        "source": source or "source: not stated",
        "shown": shown,
        "duration": f"{motion.duration:.1f} s",
        "frames": f"{motion.num_frames:,}",
        "frame_rate": f"{motion.frame_rate:.0f} Hz",
        "sampling_rate": f"{sampling_rate:g} Hz",
        "sensor_names": ", ".join(sensors.names),
        "num_dense": f"{num_placements:,}",
        "dense_seconds": f"{num_frames / sampling_rate:.1f} s",
        "took": f"{took * 1000:.0f} ms" if took < 1 else f"{took:.1f} s",
        "speed": f"{num_frames * num_placements / max(took, 1e-9) / 1e6:.0f} million",
        "threads": f"{torch.get_num_threads()}",
        "device": device,
        "version": __version__,
    }  # fmt: skip


def _text_rows(motion: SegmentMotion) -> str:
    """Table rows of what is said about the motion, at most 60."""
    if not motion.texts:
        return '<tr><td colspan="3">The file says nothing about this motion.</td></tr>'
    spans = sorted(motion.texts, key=lambda span: (span.start, span.end))
    start = motion.timestamps[0]
    rows = [
        f"<tr><td>{span.start - start:.1f}&#8211;{span.end - start:.1f}&nbsp;s</td><td>{span.kind}</td>"
        f"<td>{html.escape(span.text)}</td></tr>"
        for span in spans[:60]
    ]
    if len(spans) > 60:
        rows.append(f'<tr><td colspan="3">and {len(spans) - 60} more</td></tr>')
    return "\n".join(rows)


def _code(motion_code: str, names: Sequence[str], sampling_rate: float, device: str) -> str:
    """The lines that give the same signals."""
    reader = "load_motion" if "load_motion" in motion_code else "demo_motion"
    module = "readers" if reader == "load_motion" else "synthesis"
    return "\n".join([
        "from anymo_hf.simulation.body import BodySurface",
        "from anymo_hf.simulation.errors import SensorErrors",
        "from anymo_hf.simulation.imu import simulate_imu",
        "from anymo_hf.simulation.kinematics import SegmentKinematics",
        "from anymo_hf.simulation.placements import Placements",
        f"from anymo_hf.simulation.{module} import {reader}",
        "",
        motion_code,
        "body = BodySurface.default(bone_offsets=motion.bone_offsets)",
        f"kinematics = SegmentKinematics.from_motion(motion, sampling_rate={sampling_rate:g})",
        f"sensors = Placements.from_names({list(names)!r}, body)",
        "imu = simulate_imu(kinematics, sensors)  # (num_frames, num_sensors, 6): m/s^2, rad/s",
        "",
        f'real = simulate_imu(kinematics, sensors.mount(), SensorErrors.preset("{device}"))',
        f"dense = simulate_imu(kinematics, body.sample_total({NUM_DENSE_PLACEMENTS}))",
    ])  # fmt: skip


def _embed(figure) -> str:
    """A figure as a `data:` address."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=PICTURE_DPI)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def check_writable(path: Path) -> None:
    """Fails before the work, not after it: a `ValueError` if the page cannot be written there."""
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        reason = "that is a folder" if path.is_dir() else "its folder does not exist or cannot be written to"
        raise ValueError(f"The report cannot be written to {str(path)!r}: {reason}; choose another file.")


def _write(path: Path, text: str) -> None:
    try:
        with written_whole(path) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ValueError(f"The report cannot be written to {str(path)!r}: {error}; choose another file.") from error


__all__ = ["check_writable", "write_report"]

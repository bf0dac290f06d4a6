# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The picture of `anymo inspect`: a recording with what was found in it, as a matplotlib figure (extra `demo`)."""

from typing import TYPE_CHECKING

import numpy as np

from anymo_hf.processing.feature_extraction_anymo import AnyMoFeatureExtractor
from anymo_hf.processing.inspection_anymo import RecordingReport, SensorReport, inspect_recording
from anymo_hf.processing.streams_anymo import Recording, SensorStream
from anymo_hf.processing.units_anymo import STANDARD_GRAVITY


if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, STILL, BAD = "#1f2a33", "#b8c2cc", "#2f9e6e", "#c23b3b"
COLORS = ("#c8553d", "#3f7d58", "#2f6690")
MAX_POINTS = 1500  # per line; more cannot be seen
MAX_SPANS = 200
MIN_SPECTRUM = 64  # readings
STYLE = {
    "font.size": 10, "axes.titlesize": 11, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": FAINT, "axes.labelcolor": INK,
    "text.color": INK, "xtick.color": INK, "ytick.color": INK, "axes.grid": True, "grid.color": "#e6eaee",
    "axes.axisbelow": True, "legend.frameon": False, "figure.facecolor": "white",
}  # fmt: skip


def plot_inspection(report: RecordingReport | Recording) -> "Figure":
    """
    A row per sensor: force, rate, how long the force vector is, and its spectrum before and after resampling.

    Args:
        report (`RecordingReport` or `Recording`):
            A recording is inspected first.

    Returns:
        `matplotlib.figure.Figure`: Still stretches are green, gaps red, end stops dashed; the histogram has a line at
        9.81 m/s^2, where a force with gravity in the right unit piles up. Up to the smaller Nyquist frequency the two
        spectra should lie on each other.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('Pictures need matplotlib; install it with: pip install -e ".[demo]"') from error
    if isinstance(report, Recording):
        report = inspect_recording(report)
    with matplotlib.rc_context(STYLE):
        rows = len(report.sensors)
        figure = Figure(figsize=(15, 2.1 * rows + 0.8), layout="constrained")
        axes = figure.subplots(rows, 4, squeeze=False, width_ratios=(4, 4, 2, 2))
        extractor = AnyMoFeatureExtractor()
        resampled, _ = extractor.resample(report.recording)
        for row, sensor, about, values in zip(
            axes, report.recording.sensors, report.sensors, resampled.swapaxes(0, 1), strict=True
        ):
            _draw_signal(row[0], sensor, about, 0)
            _draw_signal(row[1], sensor, about, 3)
            _draw_sizes(row[2], sensor, about)
            _draw_spectrum(row[3], sensor.values, sensor.sampling_rate, FAINT, "as recorded")
            _draw_spectrum(row[3], values, extractor.sampling_rate, COLORS[2], f"at {extractor.sampling_rate:g} Hz")
            row[0].set_title(f"{sensor.placement}: {about.sampling_rate:.4g} Hz", parse_math=False)
        labels = ("time (s)", "time (s)", "length of the force (m/s²)", "spectrum of the force (Hz)")
        for ax, label in zip(axes[-1], labels, strict=True):
            ax.set_xlabel(label)
        axes[0, 3].legend(loc="upper right", fontsize=8)
        handles, names = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles[:3], names[:3], loc="outside upper right", ncols=3)
    return figure


def _draw_signal(ax: "Axes", sensor: SensorStream, about: SensorReport, first: int) -> None:
    for start, end in about.still_spans[:MAX_SPANS]:
        ax.axvspan(start, end, color=STILL, alpha=0.12, lw=0)
    times, values = sensor.timestamps, sensor.values[:, first : first + 3]
    for start, end in _gaps(times, values)[:MAX_SPANS]:
        ax.axvspan(start, end, color=BAD, alpha=0.2, lw=0)
    for axis, color in enumerate(COLORS):
        ax.plot(*_thin(times, values[:, axis]), color=color, lw=0.9, label="xyz"[axis])
    for stop in about.clipping:
        if stop.channel.startswith(("force", "rate")[first // 3]):
            ax.axhline(stop.level, color=BAD, ls="--", lw=1)
    ax.set_ylabel(("m/s²", "rad/s")[first // 3])
    ax.margins(x=0.01)


def _gaps(times: np.ndarray, values: np.ndarray) -> list[tuple[float, float]]:
    """Seconds from the last reading before to the first after everything longer than 2.5 steps that is missing."""
    measured = times[np.isfinite(values).all(1)]
    if len(measured) < 2 or len(times) < 2:
        return []
    steps = np.diff(measured)
    return [(measured[i], measured[i + 1]) for i in np.flatnonzero(steps > 2.5 * np.median(np.diff(times)))]


def _draw_sizes(ax: "Axes", sensor: SensorStream, about: SensorReport) -> None:
    sizes = np.linalg.norm(sensor.values[:, :3], axis=1)
    sizes = sizes[np.isfinite(sizes)]
    if len(sizes):
        ax.hist(np.minimum(sizes, np.percentile(sizes, 99.5)), bins=60, color=COLORS[2])
    ax.axvline(STANDARD_GRAVITY, color=INK, lw=1, ls=":")
    ax.set_yticks([])
    ax.set_title(f"{about.force_unit.value}, gravity {about.gravity.value}", fontsize=9, fontweight="normal")


def _draw_spectrum(ax: "Axes", values: np.ndarray, sampling_rate: float, color: str, label: str) -> None:
    """Power of the force over all axes, as if its samples were evenly spaced."""
    from scipy.signal import welch

    force = values[:, :3]
    measured = np.isfinite(force).all(1)
    if measured.sum() < MIN_SPECTRUM:
        return
    force = np.where(measured[:, None], force, force[measured].mean(0))
    # Two seconds a stretch, whatever the rate, so that the two lines can be compared.
    frequencies, power = welch(force, sampling_rate, nperseg=min(len(force), round(2 * sampling_rate)), axis=0)
    ax.semilogy(frequencies[1:], power[1:].sum(1), color=color, lw=1.4, label=label)


def _thin(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most `MAX_POINTS` points that keep every bin's lowest and highest value; a NaN where time leaps."""
    size = 2 * len(times) // MAX_POINTS
    if size >= 2:
        count = len(times) // size
        blocks = values[: count * size].reshape(count, size)
        low = np.where(np.isnan(blocks), np.inf, blocks).argmin(1)
        high = np.where(np.isnan(blocks), -np.inf, blocks).argmax(1)
        picks = np.sort(np.stack([low, high], 1), axis=1) + size * np.arange(count)[:, None]
        times, values = times[picks.ravel()], values[picks.ravel()]
    steps = np.diff(times)
    leaps = np.flatnonzero(steps > 5 * np.median(steps)) + 1 if len(steps) else []
    return np.insert(times, leaps, times[leaps]), np.insert(values, leaps, np.nan)


__all__ = ["plot_inspection"]

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of bodies, motions and sensor signals, as matplotlib figures (extra `demo`); nothing is shown or saved."""

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from anymo_hf.simulation.body import BodySurface
from anymo_hf.simulation.motion import SegmentMotion, TextSpan
from anymo_hf.simulation.placements import Placements
from anymo_hf.simulation.rendering import (
    COLORS,
    FAINT,
    INK,
    VIEWS,
    camera,
    complete_pose,
    draw_placements,
    draw_skeleton,
    draw_skin,
    heading,
    showing_pose,
)  # fmt: skip


if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORCE, RATE = "specific force (m/s²)", "angular rate (rad/s)"
MAX_POINTS = 1500  # per line; more cannot be seen
_STYLE = {
    "font.size": 11, "axes.titlesize": 12, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": FAINT, "axes.labelcolor": INK,
    "axes.titlecolor": INK, "text.color": INK, "xtick.color": INK, "ytick.color": INK, "axes.grid": True,
    "grid.color": "#e6eaee", "grid.linewidth": 0.8, "axes.axisbelow": True, "legend.frameon": False,
    "lines.linewidth": 1.3, "figure.facecolor": "white",
}  # fmt: skip


def _styled(function: Callable) -> Callable:
    """Runs a plot function in the package's style; the reader's own settings stay as they are."""

    @functools.wraps(function)
    def in_style(*args, **kwargs):
        try:
            import matplotlib
        except ImportError as error:
            raise ImportError('Pictures need matplotlib; install it with: pip install -e ".[demo]"') from error
        with matplotlib.rc_context(_STYLE):
            return function(*args, **kwargs)

    return in_style


def _figure(width: float, height: float) -> "Figure":
    """An empty figure that no global state knows of."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


@_styled
def plot_body(
    body: BodySurface,
    placements: Placements | None = None,
    motion: SegmentMotion | None = None,
    frame: int = 0,
    values: np.ndarray | None = None,
    value_label: str = "",
    views: Sequence[str] = ("front", "side"),
) -> "Figure":
    """
    The body with its sensors, seen from several sides.

    Args:
        body (`BodySurface`):
            Whose skin.
        placements (`Placements`, *optional*, defaults to `None`):
            Named ones are labelled and get an arrow along their z axis; what a view hides is a hollow ring.
        motion (`SegmentMotion`, *optional*, defaults to `None`):
            Gives the pose. `None` is standing with the arms a little away from the body.
        frame (`int`, *optional*, defaults to 0):
            Which pose of the motion.
        values (`np.ndarray` of shape `(num_placements,)`, *optional*, defaults to `None`):
            Colours the dots.
        value_label (`str`, *optional*, defaults to `""`):
            What the values are, with unit.
        views (`Sequence[str]`, *optional*, defaults to `("front", "side")`):
            Of `"front"`, `"side"`, `"back"` and `"oblique"`.

    Returns:
        `matplotlib.figure.Figure`: One axes per view, and a colour bar for values.
    """
    labelled = placements is not None and placements.names is not None and values is None
    figure = _figure((5.3 if labelled else 4.6) * len(views), 5.8)
    axes = figure.subplots(1, len(views), squeeze=False)[0]
    pose = showing_pose(body) if motion is None else complete_pose(motion, frame, body)
    vertices = body.pose(*pose)
    yaw = heading(pose[1])
    dots = None
    for ax, view in zip(axes, views, strict=True):
        seen_from = camera(*VIEWS[view], yaw)
        draw_skin(ax, vertices @ seen_from.T, body.faces)
        ax.set_title(f"seen from the {'right side' if view == 'side' else view}", loc="center", fontsize=11, color=INK)
        if placements is not None:
            dots = draw_placements(ax, placements, pose, seen_from, vertices, body.faces, values) or dots
        _frame_body(ax, vertices @ seen_from.T, 0.82 if labelled else 0.62)
    if dots is not None:
        figure.colorbar(dots, ax=list(axes), label=value_label, shrink=0.6, pad=0.02)
    return figure


def _frame_body(ax: "Axes", points: np.ndarray, half_width: float) -> None:
    """The same scale in every view, whatever the labels need."""
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    middle = (low[0] + high[0]) / 2
    half_width = max(half_width, 0.05 + (high[0] - low[0]) / 2)
    ax.set(xlim=(middle - half_width, middle + half_width), ylim=(low[1] - 0.03, high[1] + 0.03), aspect="equal")
    ax.axis("off")


@_styled
def plot_motion(motion: SegmentMotion, body: BodySurface | None = None, num_poses: int = 9) -> "Figure":
    """
    A filmstrip: the body at equal steps of time, and what is said about it below.

    Args:
        motion (`SegmentMotion`):
            Any length.
        body (`BodySurface`, *optional*, defaults to `None`):
            Whose skin; `None` draws the skeleton.
        num_poses (`int`, *optional*, defaults to 9):
            Number of pictures.

    Returns:
        `matplotlib.figure.Figure`: The poses over their time, and the texts.
    """
    labels = _labels(motion.texts)[:40]
    figure = _figure(10.5, 4.1 if labels else 3.2)
    rows = 2 if labels else 1
    axes = figure.subplots(rows, 1, height_ratios=[5, 1][:rows], squeeze=False)[:, 0]
    ax = axes[0]
    poser = BodySurface.default(bone_offsets=motion.bone_offsets) if body is None else body
    frames = np.unique(np.linspace(0, motion.num_frames - 1, num_poses + 2).round().astype(int)[1:-1])
    poses = [complete_pose(motion, frame, poser) for frame in frames]
    seen_from = camera(*VIEWS["oblique"], heading(poses[0][1]))
    slot, top, floor = 0.86, -np.inf, np.inf
    for column, pose in enumerate(poses):
        # Each pose stands in its own column, at its true height.
        centre = np.array([*pose[0][0, :2], 0.0])
        points = (pose[0] if body is None else body.pose(*pose)) - centre
        flat = points @ seen_from.T
        flat[:, 0] -= (flat[:, 0].min() + flat[:, 0].max()) / 2
        if body is None:
            draw_skeleton(ax, flat, column * slot)
        else:
            draw_skin(ax, flat, body.faces, column * slot, zorder=1 + 0.01 * column)
        top, floor = max(top, flat[:, 1].max()), min(floor, flat[:, 1].min())
    for column, frame in enumerate(frames):
        seconds = motion.timestamps[frame] - motion.timestamps[0]
        ax.text(column * slot, floor - 0.03, f"{seconds:.1f} s", ha="center", va="top", fontsize=11)
    ax.set(xlim=(-0.5, (len(poses) - 1) * slot + 0.5), ylim=(floor - 0.17, top + 0.05), aspect="equal")
    ax.set_title("The motion, from left to right")
    ax.axis("off")
    if labels:
        _draw_texts(axes[1], motion, labels)
    return figure


def _labels(texts: Sequence[TextSpan]) -> list[TextSpan]:
    """The labels, or the captions where there is no label; one per stretch of time."""
    kinds = [[t for t in texts if t.kind == kind] for kind in ("label", "caption", "style")]
    chosen = next((spans for spans in kinds if spans), [])
    return list({(round(t.start, 2), round(t.end, 2)): t for t in chosen}.values())


def _shorten(text: str, length: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else text[: max(length - 1, 1)] + "…"


def _draw_texts(ax: "Axes", motion: SegmentMotion, labels: list[TextSpan]) -> None:
    """What is said, as bars over time."""
    start, duration = motion.timestamps[0], max(motion.duration, 1e-9)
    for index, span in enumerate(labels):
        left, width = span.start - start, span.end - span.start
        ax.barh(0, width, left=left, height=0.7, color=COLORS[index % 7], alpha=0.25, edgecolor="white", lw=2)
        letters = int(108 * width / duration)
        if letters > 3:
            text = _shorten(span.text, letters)
            ax.text(left + width / 2, 0, text, ha="center", va="center", fontsize=11, clip_on=True, parse_math=False)
    ax.set(xlim=(0, duration), ylim=(-0.5, 0.5), yticks=[], xlabel="time (s)")
    ax.grid(False)
    ax.spines["left"].set_visible(False)


def _thin(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most `MAX_POINTS` points that keep every bin's lowest and highest value."""
    size = 2 * len(times) // MAX_POINTS
    if size < 2:
        return times, values
    count = len(times) // size
    blocks = values[: count * size].reshape(count, size)
    low = np.where(np.isnan(blocks), np.inf, blocks).argmin(1)
    high = np.where(np.isnan(blocks), -np.inf, blocks).argmax(1)
    picks = np.sort(np.stack([low, high], 1), axis=1) + size * np.arange(count)[:, None]
    return times[picks.ravel()], values[picks.ravel()]


def _as_array(imu: "torch.Tensor | np.ndarray") -> np.ndarray:
    """Signals as float64 of shape `(num_frames, num_placements, 6)`."""
    values = imu.detach().cpu().numpy() if isinstance(imu, torch.Tensor) else np.asarray(imu)
    if values.ndim != 3 or values.shape[-1] != 6 or len(values) < 2:
        raise ValueError(
            "Signals must have shape (num_frames, num_placements, 6) with two frames or more, but have "
            f"{values.shape}; take one recording of a batch."
        )
    return values.astype(np.float64)


def _draw_axes_xyz(ax: "Axes", times: np.ndarray, values: np.ndarray) -> None:
    for channel, (name, color) in enumerate(zip("xyz", COLORS, strict=False)):
        ax.plot(*_thin(times, values[:, channel]), color=color, lw=1.1, label=name)
    ax.margins(x=0.01)


def _explain_axes(figure: "Figure", ax: "Axes") -> None:
    """The colours of x, y and z, above the axes."""
    handles = ax.get_legend_handles_labels()[0][:3]
    labels = ["sensor x", "sensor y", "sensor z"]
    figure.legend(handles, labels, loc="outside upper right", ncols=3, fontsize=10.5, handlelength=1.4)


@_styled
def plot_signals(
    imu: "torch.Tensor | np.ndarray",
    sampling_rate: float,
    names: Sequence[str],
    texts: Sequence[TextSpan] = (),
    start_time: float = 0.0,
) -> "Figure":
    """
    What every sensor reads over time, with the stretches that the texts speak of.

    Args:
        imu (`torch.Tensor` or `np.ndarray` of shape `(num_frames, num_placements, 6)`):
            Specific force (m/s^2), then angular rate (rad/s).
        sampling_rate (`float`):
            Frames per second.
        names (`Sequence[str]`):
            One per placement.
        texts (`Sequence[TextSpan]`, *optional*, defaults to `()`):
            Their labels head the shaded stretches.
        start_time (`float`, *optional*, defaults to 0.0):
            Seconds of the first frame on the clock of the texts.

    Returns:
        `matplotlib.figure.Figure`: A row per placement, force on the left and rate on the right.
    """
    values = _as_array(imu)
    times = np.arange(len(values)) / sampling_rate
    figure = _figure(10.5, 1.75 * values.shape[1] + 0.9)
    axes = figure.subplots(values.shape[1], 2, sharex=True, squeeze=False)
    for row, name in enumerate(names):
        for column in (0, 1):
            ax = axes[row, column]
            _draw_axes_xyz(ax, times, values[:, row, 3 * column : 3 * column + 3])
            ax.set_ylabel(("m/s²", "rad/s")[column])
            _mark_texts(ax, texts, start_time, times[-1], titles=row == 0)
        axes[row, 0].set_title(str(name), parse_math=False)
    for column, label in enumerate((FORCE, RATE)):
        axes[-1, column].set_xlabel("time (s)")
        axes[0, column].set_title(label, loc="right", fontsize=11, fontweight="normal")
    _explain_axes(figure, axes[0, 0])
    return figure


def _mark_texts(ax: "Axes", texts: Sequence[TextSpan], start_time: float, end: float, titles: bool) -> None:
    spans = [t for t in _labels(texts) if t.start - start_time < end and t.end > start_time][:40]
    if titles and spans:
        low, high = ax.get_ylim()
        ax.set_ylim(low, high + 0.22 * (high - low))
    for index, span in enumerate(spans):
        left, right = max(span.start - start_time, 0.0), min(span.end - start_time, end)
        ax.axvspan(left, right, color="#5b7083", alpha=0.10 if index % 2 else 0.03, lw=0)
        letters = int(50 * (right - left) / end)
        if titles and letters > 3:
            text = _shorten(span.text, letters)
            ax.text(
                (left + right) / 2, 0.97, text, transform=ax.get_xaxis_transform(), ha="center", va="top",
                fontsize=9.5, color=INK, parse_math=False,
            )  # fmt: skip


@_styled
def plot_spectra(imu: "torch.Tensor | np.ndarray", sampling_rate: float, names: Sequence[str]) -> "Figure":
    """
    How fast every sensor's signal changes: power over frequency (Welch), summed over the three axes.

    Args:
        imu (`torch.Tensor` or `np.ndarray` of shape `(num_frames, num_placements, 6)`):
            Specific force (m/s^2), then angular rate (rad/s). Gaps (NaN) count as the channel's mean.
        sampling_rate (`float`):
            Frames per second.
        names (`Sequence[str]`):
            One per placement.

    Returns:
        `matplotlib.figure.Figure`: Force on the left, rate on the right, one line per placement.
    """
    from scipy.signal import welch

    values = _as_array(imu)
    gaps = np.isnan(values)
    means = np.where(gaps, 0.0, values).sum(0) / np.maximum((~gaps).sum(0), 1)
    values = np.where(gaps, means, values)
    figure = _figure(10.5, 3.6)
    axes = figure.subplots(1, 2, squeeze=False)[0]
    window = min(len(values), round(4 * sampling_rate))
    for column, ax in enumerate(axes):
        for row, name in enumerate(names):
            channels = values[:, row, 3 * column : 3 * column + 3]
            frequency, power = welch(channels, sampling_rate, nperseg=window, axis=0, detrend="constant")
            power = np.sqrt(np.maximum(power.sum(1), 1e-16))
            ax.semilogy(frequency[1:], power[1:], color=COLORS[row % len(COLORS)], label=str(name))
        ax.set(xlabel="frequency (Hz)", xlim=(0, min(25.0, sampling_rate / 2)))
        ax.set_title((FORCE, RATE)[column].split(" (")[0].capitalize())
        ax.set_ylim(bottom=ax.get_ylim()[1] * 1e-5)
    axes[0].set_ylabel("m/s² per √Hz")
    axes[1].set_ylabel("rad/s per √Hz")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=4, fontsize=10.5)
    return figure


@_styled
def plot_noise(
    clean: "torch.Tensor | np.ndarray",
    noisy: "torch.Tensor | np.ndarray",
    sampling_rate: float,
    name: str,
    device: str = "device",
    start: float | None = None,
    seconds: float = 2.0,
) -> "Figure":
    """
    An ideal sensor beside a real one: the same two seconds, and the difference magnified.

    Args:
        clean (`torch.Tensor` or `np.ndarray` of shape `(num_frames, 1, 6)`):
            Without errors.
        noisy (`torch.Tensor` or `np.ndarray` of shape `(num_frames, 1, 6)`):
            With the errors of a device.
        sampling_rate (`float`):
            Frames per second.
        name (`str`):
            The placement.
        device (`str`, *optional*, defaults to `"device"`):
            What kind of device the errors are of.
        start (`float`, *optional*, defaults to `None`):
            First second shown. `None` takes the most lively stretch.
        seconds (`float`, *optional*, defaults to 2.0):
            How long.

    Returns:
        `matplotlib.figure.Figure`: Signals above, differences below; force on the left, rate on the right.
    """
    clean, noisy = _as_array(clean)[:, 0], _as_array(noisy)[:, 0]
    length = min(max(round(seconds * sampling_rate), 2), len(clean))
    if start is None:
        lively = np.nan_to_num(np.abs(np.diff(clean[:, :3], axis=0)).sum(1), nan=0.0)
        sums = np.convolve(lively, np.ones(max(length - 1, 1)), "valid")
        first = int(sums.argmax())
    else:
        first = min(round(start * sampling_rate), len(clean) - length)
    part = slice(first, first + length)
    times = np.arange(len(clean))[part] / sampling_rate
    figure = _figure(10.5, 4.8)
    axes = figure.subplots(2, 2, sharex=True, height_ratios=[3, 2])
    for column, (unit, what) in enumerate((("m/s²", "Specific force"), ("rad/s", "Angular rate"))):
        channels = slice(3 * column, 3 * column + 3)
        top, low = axes[:, column]
        for axis, color in zip(range(3), COLORS, strict=False):
            top.plot(times, noisy[part, channels][:, axis], ".", ms=3.5, color=color)
            top.plot(times, clean[part, channels][:, axis], color=color, lw=1.0)
        _draw_axes_xyz(low, times, (noisy - clean)[part, channels])
        top.set_title(f"{what}: ideal (line), {device} (dots)", fontsize=11, parse_math=False)
        low.set_title(f"What the {device} adds on the {name}", fontsize=11, parse_math=False)
        top.set_ylabel(unit)
        low.set(ylabel=unit, xlabel="time (s)")
    _explain_axes(figure, axes[1, 0])
    return figure


@_styled
def plot_mounting(
    signals: Sequence["torch.Tensor | np.ndarray"],
    sampling_rate: float,
    names: Sequence[str],
    start: float = 0.0,
    seconds: float = 4.0,
) -> "Figure":
    """
    One spot, sensors turned differently: every axis reads something else, the norm stays.

    Args:
        signals (`Sequence[torch.Tensor | np.ndarray]` of shape `(num_frames, 1, 6)` each):
            One per mounting.
        sampling_rate (`float`):
            Frames per second.
        names (`Sequence[str]`):
            One per mounting.
        start (`float`, *optional*, defaults to 0.0):
            First second shown.
        seconds (`float`, *optional*, defaults to 4.0):
            How long.

    Returns:
        `matplotlib.figure.Figure`: A row per mounting and one for the norms; force on the left, rate on the right.
    """
    values = [_as_array(signal)[:, 0] for signal in signals]
    first = int(start * sampling_rate)
    part = slice(first, first + max(int(seconds * sampling_rate), 2))
    times = np.arange(len(values[0]))[part] / sampling_rate
    figure = _figure(10.5, 1.5 * (len(values) + 1) + 0.7)
    axes = figure.subplots(len(values) + 1, 2, sharex=True, squeeze=False)
    for column, unit in enumerate(("m/s²", "rad/s")):
        channels = slice(3 * column, 3 * column + 3)
        for row, (value, name) in enumerate(zip(values, names, strict=True)):
            ax = axes[row, column]
            _draw_axes_xyz(ax, times, value[part, channels])
            ax.set_ylabel(unit)
            if column == 0:
                ax.set_title(str(name), fontsize=11, parse_math=False)
            # Lines of different widths show that they lie on each other.
            norm = np.linalg.norm(value[part, channels], axis=1)
            axes[-1, column].plot(times, norm, color=COLORS[3 + row % 4], lw=5.5 - 1.8 * min(row, 2), label=str(name))
        axes[-1, column].set(xlabel="time (s)", ylabel=unit)
        axes[0, column].set_title((FORCE, RATE)[column], loc="right", fontsize=11, fontweight="normal")
    axes[-1, 0].set_title("the length of the vector: all on each other", fontsize=11)
    _explain_axes(figure, axes[0, 0])
    return figure

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""One picture per set of paired recordings: readings that were not fitted, and the error of every method."""

from pathlib import Path

import numpy as np
from paired_alignment import RATE


SECONDS = 5.0  # shown
UNITS = {"force": "m/s$^2$", "rate": "rad/s"}
GREYS = ("0.75", "0.45")


def plot_set(recordings: list, compared: dict[str, list], shown: tuple[str, str], path: Path) -> None:
    """
    Five seconds of the last held-out recording, and NRMSE bars.

    Args:
        recordings (`list[PairedRecording]`):
            Of one set.
        compared (`dict[str, list[Comparison]]`):
            Comparisons of all recordings by method.
        shown (`tuple[str, str]`):
            The two methods whose readings are drawn.
        path (`Path`):
            Picture to write.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    index = max(i for i, recording in enumerate(recordings) if not recording.for_development)
    recording, has = recordings[index], {"force": recordings[index].has_force, "rate": recordings[index].has_rate}
    quantities = [quantity for quantity, judged in has.items() if judged]
    figure = plt.figure(figsize=(14, 4.2 * len(quantities)), layout="constrained")
    grid = figure.add_gridspec(3 * len(quantities), 2, width_ratios=(3, 2))
    for number, quantity in enumerate(quantities):
        axes = [figure.add_subplot(grid[3 * number + row, 0]) for row in range(3)]
        _draw_readings(axes, quantity, {method: compared[method][index] for method in shown})
        axes[0].set_title(
            f"{recording.dataset}, {recording.name}: {quantity} up to {recording.band:g} Hz, not fitted", fontsize=10
        )
        if number == 0:
            axes[0].legend(loc="lower left", bbox_to_anchor=(0, 1.12), ncols=3, fontsize="small", frameon=False)
        _draw_errors(figure.add_subplot(grid[3 * number : 3 * number + 3, 1]), quantity, recordings, compared)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw_readings(axes, quantity: str, comparisons: dict) -> None:
    """The three components, our method above the other, the real readings above both."""
    first = next(iter(comparisons.values()))
    start = _busiest(first.times, first.complete)
    for row, axis in enumerate(axes):
        channel = row + 3 * (quantity == "rate")
        for (method, comparison), color in reversed(list(zip(comparisons.items(), ("C0", "C1"), strict=True))):
            axis.plot(comparison.times, comparison.simulated[:, channel], color, lw=1.3, label=method)
        axis.plot(first.times, first.real[:, channel], "k--", lw=0.9, label="real")
        inside = (first.times >= start) & (first.times <= start + SECONDS)
        seen = [x[inside, channel] for c in comparisons.values() for x in (c.real, c.simulated)]
        low, high = np.nanmin(seen), np.nanmax(seen)
        axis.set_xlim(start, start + SECONDS)
        axis.set_ylim(low - 0.08 * (high - low), high + 0.08 * (high - low))
        axis.set_ylabel(f"{'xyz'[row]}, {UNITS[quantity]}")
        axis.tick_params(labelbottom=row == 2)
    axes[-1].set_xlabel("s")


def _busiest(times: np.ndarray, complete: np.ndarray) -> float:
    """Start of the stretch with the most readings, and of several such the one nearest to the middle."""
    length = min(round(SECONDS * RATE), len(times) - 1)
    count = np.convolve(complete, np.ones(length), "valid")
    starts = np.flatnonzero(count == count.max())
    return float(times[starts[np.argmin(np.abs(starts - len(count) / 2))]])


def _draw_errors(axis, quantity: str, recordings: list, compared: dict[str, list]) -> None:
    """Bars are medians of the held-out recordings, dots the single ones."""
    held_out = [i for i, recording in enumerate(recordings) if not recording.for_development]
    names = [m for m, comparisons in compared.items() if f"{quantity} NRMSE" in comparisons[0].figures]
    for row, name in enumerate(names):
        values = [compared[name][i].figures[f"{quantity} NRMSE"] for i in held_out]
        color = "C0" if row == 0 else GREYS["official" in name]
        axis.barh(row, np.median(values), color=color, height=0.7)
        axis.plot(values, [row] * len(values), "k.", ms=3)
        axis.annotate(f"{np.median(values):.3f}", (max(values), row), (6, 0), textcoords="offset points", va="center")
    axis.set_yticks(range(len(names)), names, fontsize=9)
    axis.invert_yaxis()
    axis.margins(x=0.15)
    axis.set_xlim(left=0)
    what = "median and each of" if len(held_out) > 1 else "the"
    axis.set_title(
        f"NRMSE of {quantity}: {what} {len(held_out)} held-out recording{'s'[: len(held_out) - 1]}", fontsize=10
    )

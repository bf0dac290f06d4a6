# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""One picture of `setup_agnostic.py`: every setup of every set, the models side by side."""

from pathlib import Path

import numpy as np

from anymo_hf.evaluation.results import Result


COLOURS = {
    "pre-trained": "#1b6ca8",
    "pre-trained, mounting unknown": "#7fb8de",
    "untrained": "#b0b0b0",
    "hand-made features": "#d9822b",
}


def plot_setups(rows: list[Result], folder: Path) -> Path:
    """
    Bars of accuracy by setup, a panel per set; with several seeds the mean, and a line from lowest to highest.

    Args:
        rows (`list[Result]`):
            Of one metric, in percent. Pairs of places are shown as their mean only.
        folder (`Path`):
            Where `setup_agnostic.png` is written.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    rows = [row for row in rows if not row.subset.startswith("from ")]
    datasets = list(dict.fromkeys(row.dataset for row in rows))
    models = [model for model in COLOURS if any(row.model == model for row in rows)]
    models += [model for model in dict.fromkeys(row.model for row in rows) if model not in COLOURS]
    setups = {name: list(dict.fromkeys(row.subset for row in rows if row.dataset == name)) for name in datasets}
    heights = [len(setups[name]) for name in datasets]
    size = (9, 0.42 * sum(heights) + 1.3)
    figure, axes = plt.subplots(
        len(datasets), figsize=size, height_ratios=heights, sharex=True, layout="constrained", squeeze=False
    )
    for name, panel in zip(datasets, axes[:, 0], strict=True):
        _draw_panel(panel, [row for row in rows if row.dataset == name], setups[name], models)
    axes[-1, 0].set_xlabel("accuracy of a linear probe, people left out (%)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "setup_agnostic.png"
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return path


def _draw_panel(panel, rows: list[Result], setups: list[str], models: list[str]) -> None:
    thickness = 0.8 / len(models)
    for number, model in enumerate(models):
        values = [[row.value for row in rows if (row.subset, row.model) == (setup, model)] for setup in setups]
        places = np.arange(len(setups)) + (number - (len(models) - 1) / 2) * thickness
        means = [np.mean(found) if found else np.nan for found in values]
        panel.barh(places, means, thickness * 0.92, color=COLOURS.get(model), label=model)
        for place, found in zip(places, values, strict=True):
            if len(found) > 1:
                panel.plot([min(found), max(found)], [place, place], color="black", linewidth=1)
    panel.axvline(rows[0].chance, color="black", linewidth=0.8, linestyle=":")
    panel.set_yticks(np.arange(len(setups)), setups, fontsize=8)
    panel.invert_yaxis()
    panel.set_xlim(0, 100)
    panel.grid(axis="x", alpha=0.3)
    panel.set_title(f"{rows[0].dataset} (dotted: chance)", fontsize=9, loc="left")
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)

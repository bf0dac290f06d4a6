# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
The arrays that UniMTS evaluates on: `<set>/X_<split>.npy`, `y_<split>.npy` and `<set>.json` with the label words.

Proof of slices, scales and rates: `xiyuanzh/UniMTS` @ 3d27af0c, data.py and README. Places are the sets' own where its
slot agrees with them; otherwise the segment that `Breezelled/AnyMo` @ 66d36a4b, body_part_mapping.py, names for the
slot.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anymo_hf.evaluation.har.declaration import HarDataset
from anymo_hf.evaluation.har.layouts import DEGREE, STANDARD_GRAVITY
from anymo_hf.evaluation.har.recordings import SensorRun, label_spans
from anymo_hf.simulation.readers.npz import DAMAGE


G = STANDARD_GRAVITY


@dataclass(frozen=True)
class ArraySet:
    """
    Which channels of an array are what.

    Args:
        sampling_rate (`float`):
            Samples per second.
        sensors (`tuple[tuple[str, int, int | None], ...]`):
            Place, first channel of its force, first channel of its rate (`None` without gyroscope).
        force_scale (`float`, *optional*, defaults to 1.0):
            To m/s^2.
        rate_scale (`float`, *optional*, defaults to 1.0):
            To rad/s.
        force_offset (`float`, *optional*, defaults to 0.0):
            Added after scaling, in m/s^2.
    """

    sampling_rate: float
    sensors: tuple[tuple[str, int, int | None], ...]
    force_scale: float = 1.0
    rate_scale: float = 1.0
    force_offset: float = 0.0


ARRAY_SETS = {
    "PAMAP": ArraySet(100, (("right wrist", 0, 3), ("chest", 18, 21), ("right ankle", 9, 12))),
    "USCHAD": ArraySet(100, (("right hip", 0, 3),), G, DEGREE),
    "UCIHAR": ArraySet(50, (("waist", 6, 3),), G),
    "Opp_g": ArraySet(
        30,
        (
            ("middle back", 0, 3),
            ("right upper arm", 9, 12),
            ("right forearm", 18, 21),
            ("left upper arm", 27, 30),
            ("left forearm", 36, 39),
        ),
        9.8 / 1000,
        1 / 1000,
    ),
    "WISDM": ArraySet(20, (("right wrist", 0, 3),)),
    "DSADS": ArraySet(
        25,
        (
            ("chest", 0, 3),
            ("right wrist", 9, 12),
            ("left wrist", 18, 21),
            ("right knee", 27, 30),
            ("left knee", 36, 39),
        ),
    ),
    "Harth": ArraySet(50, (("lower back", 0, None), ("right thigh", 3, None)), G),
    "Wharf": ArraySet(32, (("right wrist", 0, None),), 2 * 14.709 / 63, force_offset=-14.709),
    "Mhealth": ArraySet(50, (("chest", 0, None), ("left ankle", 6, 9), ("right wrist", 15, 18)), 1.0, DEGREE),
    "UTD-MHAD": ArraySet(50, (("right wrist", 0, 3),), G, DEGREE),
    "MotionSense": ArraySet(50, (("right trouser pocket", 0, 3),), G),
    "w-HAR": ArraySet(250, (("R_Foot", 0, 3),), G, DEGREE),
    "Shoaib": ArraySet(
        50,
        (
            ("left trouser pocket", 0, 3),
            ("right trouser pocket", 6, 9),
            ("R_Hand", 12, 15),
            ("R_Forearm", 18, 21),
            ("Pelvis", 24, 27),
        ),
    ),
    "har70plus": ArraySet(50, (("Pelvis", 0, None), ("right thigh", 3, None)), G),
    "MMAct": ArraySet(50, (("R_UpperLeg", 0, 3), ("R_Hand", 6, None))),
    "realworld": ArraySet(
        50,
        (
            ("L_Shoulder", 0, 3),
            ("L_Forearm", 6, 9),
            ("head", 12, 15),
            ("L_Foot", 18, 21),
            ("L_UpperLeg", 24, 27),
            ("L_UpperArm", 30, 33),
            ("L5", 36, 39),
        ),
    ),
    "TNDA-HAR": ArraySet(
        50,
        (("R_Forearm", 0, 3), ("L_LowerLeg", 6, 9), ("R_Hand", 12, 15), ("L_Foot", 18, 21), ("T8", 24, 27)),
    ),
    "ut-complex": ArraySet(50, (("right trouser pocket", 0, 3), ("right wrist", 6, 9))),
}


def declare_unimts(folder: Path) -> HarDataset:
    """
    The declaration of one folder of the release, its words from its own JSON file.

    Args:
        folder (`Path`):
            Named as in the release, for instance `UniMTS_data/TNDA-HAR`.

    Returns:
        `HarDataset`: Clips are taken whole.

    Raises:
        ValueError: If the folder is no known set, or its JSON file is missing or different.
    """
    if folder.name not in ARRAY_SETS:
        raise ValueError(f"{folder} is no known set of UniMTS; known are {sorted(ARRAY_SETS)}, by folder name.")
    path = folder / f"{folder.name}.json"
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))["label_dictionary"]
        words = {str(int(label)): " ".join(parts) for label, parts in labels.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError(
            f"{path} must hold a `label_dictionary` of number to words ({error!r}); copy it anew."
        ) from error
    layout = ARRAY_SETS[folder.name]
    places = [place for place, _, _ in layout.sensors] + ["right thigh"] * (folder.name == "UTD-MHAD")
    return HarDataset(
        name=f"unimts/{folder.name}",
        license="that of the original set",
        sampling_rate=layout.sampling_rate,
        gravity=True,
        placements={place: place for place in places},
        activity_words=words,
        window=None,
        split="other",
        citation="Zhang et al.: UniMTS, NeurIPS 2024, and the authors of the set",
        units="scaled as UniMTS's data.py does",
        label_keyed_placement=folder.name == "UTD-MHAD",
    )


def read_unimts(folder: Path, split: str = "test") -> Iterator[list[SensorRun]]:
    """
    The clips of one folder of the release.

    Args:
        folder (`Path`):
            Named as in the release.
        split (`str`, *optional*, defaults to `"test"`):
            `"test"` or `"train"`.

    Yields:
        `list[SensorRun]`: One clip; subjects are not told.

    Raises:
        ValueError: If files are missing or do not fit each other.
    """
    layout = ARRAY_SETS[folder.name]
    try:
        values = np.load(folder / f"X_{split}.npy", mmap_mode="r", allow_pickle=False)
        labels = np.load(folder / f"y_{split}.npy", allow_pickle=False).reshape(-1).astype(int)
    except (*DAMAGE, MemoryError) as error:
        raise ValueError(f"{folder} needs X_{split}.npy and y_{split}.npy of numbers ({error}).") from error
    width = max(start + 3 for _, *starts in layout.sensors for start in starts if start is not None)
    if values.ndim != 3 or values.shape[2] < width or len(labels) != len(values):
        raise ValueError(
            f"{folder}: X_{split}.npy must be (clips, samples, at least {width} channels) with a label each, but they "
            f"have shapes {values.shape} and {labels.shape}."
        )
    times = np.arange(values.shape[1]) / layout.sampling_rate
    for i, label in enumerate(labels.tolist()):
        clip = np.asarray(values[i], dtype=np.float64)
        spans = label_spans(times, np.zeros(len(times), dtype=int), [str(label)])
        runs = []
        for place, force, rate in layout.sensors:
            if folder.name == "UTD-MHAD" and label >= 21:
                place = "right thigh"
            readings = clip[:, force : force + 3] * layout.force_scale + layout.force_offset
            if rate is not None:
                readings = np.concatenate([readings, clip[:, rate : rate + 3] * layout.rate_scale], axis=1)
            runs.append(SensorRun("", f"{split}_{i:06d}", place, times, readings, spans))
        yield runs


__all__ = ["ARRAY_SETS", "ArraySet", "declare_unimts", "read_unimts"]

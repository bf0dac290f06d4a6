# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The seven real sets."""

import json
import warnings
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anymo_hf.evaluation.har import layouts
from anymo_hf.evaluation.har_datasets import (
    HAR_DATASETS,
    find_har_datasets,
    load_har_recordings,
    majority_activity,
)


G = 9.80665
SHARED = ("umafall", "sisfall_adl", "dsads", "hapt_ucihar_raw", "wisdm2019", "utd_mhad", "sp_sw_har")


# The seven real sets -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHARED)
def test_real_set_is_what_its_statistics_say(data_folder, name):
    stats = json.loads((data_folder / "har" / f"{name}.stats.json").read_text(encoding="utf-8"))
    dataset = HAR_DATASETS[name]
    assert (set(dataset.placements), dataset.sampling_rate) == (set(stats["placements"]), stats["hz"])
    assert set(dataset.activity_words) == set(stats["activities"])
    subjects, recordings, norms, still, rates = set(), set(), [], {}, []
    minutes, largest, square, num_rates = Counter(), 0.0, 0.0, 0
    for recording in load_har_recordings(data_folder / "har" / f"{name}.parquet"):
        subjects.add(recording.source["subject"])
        recordings.add(recording.source["recording"])
        for sensor in recording.sensors:
            force, rate = sensor.values[:, :3], sensor.values[:, 3:]
            norm = np.linalg.norm(force, axis=1)
            norms.append(norm.astype(np.float32))
            largest, square, num_rates = (
                max(largest, np.nanmax(norm)),
                square + np.nansum(rate**2),
                num_rates + rate.size,
            )
            rates.append(sensor.sampling_rate)
            # One-second blocks: the ten stillest of each place must read gravity.
            size = int(stats["hz"])
            blocks = force[: len(force) // size * size].reshape(-1, size, 3)
            spread = blocks.std(axis=1).max(axis=1)
            still.setdefault(sensor.placement, []).extend(
                zip(spread.tolist(), np.linalg.norm(blocks.mean(axis=1), axis=1).tolist(), strict=True)
            )
        for span in recording.activities:
            minutes[span.activity] += (span.end - span.start) / 60 * len(recording.sensors)
    assert (len(subjects), len(recordings)) == (stats["subjects"], stats["recordings"])
    norm = np.concatenate(norms)
    assert len(norm) == stats["rows"]
    assert np.nanmedian(norm) == pytest.approx(stats["acc_norm_median"], abs=2e-3)
    assert largest == pytest.approx(stats["acc_absmax"], abs=0.06)
    assert np.sqrt(square / num_rates) == pytest.approx(stats["gyr_rms"], abs=2e-3)
    assert np.median(rates) == pytest.approx(stats["hz"], rel=0.05)
    for place, blocks in still.items():
        quiet = [reading for spread, reading in sorted(blocks) if np.isfinite(spread)][:10]
        assert np.median(quiet) == pytest.approx(G, rel=0.1), place
    if name == "sp_sw_har":
        assert set(minutes) - {""} == set(dataset.classes)
        return
    # wisdm and umafall have pauses and a clock of their own, so that time and counted readings differ somewhat.
    tolerance = 0.08 if name in ("wisdm2019", "umafall") else 0.005
    for label, expected in stats["minutes_per_activity"].items():
        words = dataset.activity_words[label] if label else ""
        assert minutes[words] == pytest.approx(expected, rel=tolerance, abs=0.01), label


def test_numbers_of_labels_are_those_of_the_recordings_names(data_folder):
    """The packed files keep the authors' codes in the recordings' names; the tables of the layouts must agree."""
    tables = {
        "dsads": lambda name: layouts.DSADS_LABELS[int(name[1:3])],
        "wisdm2019": lambda name: layouts.WISDM_LABELS[name.split("_")[1]],
        "utd_mhad": lambda name: layouts.UTD_LABELS[int(name.split("_")[0][1:])],
        "sisfall_adl": lambda name: layouts.SISFALL_LABELS[int(name[1:3])],
        "umafall": lambda name: layouts.UMAFALL_LABELS[name.split("_", 1)[1].rsplit("_", 3)[0]],
    }
    for dataset, look_up in tables.items():
        columns = pq.read_table(data_folder / "har" / f"{dataset}.parquet", columns=["recording", "activity"])
        pairs = columns.group_by(["recording", "activity"]).aggregate([]).to_pylist()
        assert len(pairs) >= 76
        for pair in pairs:
            assert look_up(pair["recording"]) == pair["activity"], pair
    assert layouts.HAPT_LABELS[5] == "standing" and layouts.HAPT_LABELS[12] == "lie to stand"
    first = next(load_har_recordings(data_folder / "har" / "hapt_ucihar_raw.parquet"))
    # labels.txt begins "1 1 5 250 1232", "1 1 7 1233 1392".
    assert [(s.activity, round(s.start * 50)) for s in first.activities[:3]] == [
        ("", 0),
        ("standing", 249),
        ("sitting down on a chair", 1232),
    ]


def test_clocks_of_phone_and_watch_are_not_joined(data_folder):
    path = data_folder / "har" / "wisdm2019.parquet"
    recordings = list(load_har_recordings(path, subjects=["1600", "1604"]))
    assert all(len(recording.sensors) == 1 for recording in recordings)
    watch = list(load_har_recordings(path, subjects=["1600"], placements=["wrist of the dominant hand"]))
    assert [r.source["placement"] for r in watch] == ["wrist of the dominant hand"] * 18
    joint = next(load_har_recordings(data_folder / "har" / "umafall.parquet"))
    assert len(joint.sensors) == 4


def test_lost_seconds_of_dsads_are_found(data_folder):
    """On the stairs, p1 has zeros in the last second of every segment of five: not a motion, a hole."""
    lost = {}
    for recording in load_har_recordings(data_folder / "har" / "dsads.parquet", subjects=["p1"]):
        for sensor in recording.sensors:
            holes = np.isnan(sensor.values).all(axis=1)
            if holes.any():
                lost.setdefault(recording.source["recording"], []).append(np.flatnonzero(holes).tolist())
    last_seconds = [row for row in range(7500) if row % 125 >= 100]
    assert lost == {"a05_p1_01": [last_seconds] * 5, "a06_p1_01": [last_seconds] * 5}


def test_wrist_windows_of_one_second_have_all_classes(data_folder):
    path = data_folder / "har" / "sp_sw_har.parquet"
    found = Counter()
    for recording in load_har_recordings(path, placements=["left wrist"], subjects=["s01", "s02", "s03"]):
        for start in np.arange(recording.start_time, recording.end_time - 1, 0.5):
            found[majority_activity(recording, start, start + 1)] += 1
    assert set(HAR_DATASETS["sp_sw_har"].classes) <= set(found) and min(found.values()) >= 20


def test_reading_stays_in_bounded_memory(data_folder):
    path = data_folder / "har" / "dsads.parquet"
    before, peak = pa.total_allocated_bytes(), 0
    for _ in load_har_recordings(path):
        peak = max(peak, pa.total_allocated_bytes() - before)
    assert peak < 64e6, "the whole file takes more than 120 MB"


def test_folder_of_real_sets_is_understood(data_folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = find_har_datasets(data_folder / "har")
    assert sorted(dataset.name for dataset, _ in found) == sorted(SHARED)

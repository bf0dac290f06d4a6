# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Small folders of labelled sets, in the common layout and in those of their authors, and of checkpoints."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import test_har_datasets
import test_har_layouts
from sample_files import Sample, check_recordings
from scipy.io import savemat

from anymo_hf.evaluation.har_datasets import find_har_datasets, load_har_recordings


ROWS = np.random.default_rng(0).normal(size=(8, 60)).round(3)


def _write_rows(path: Path, num_columns: int, delimiter: str = " ", rows: np.ndarray = ROWS) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, rows[:, :num_columns], fmt="%.3f", delimiter=delimiter)


def _hapt(folder: Path) -> None:
    _write_rows(folder / "RawData/acc_exp03_user02.txt", 3)
    _write_rows(folder / "RawData/gyro_exp03_user02.txt", 3)
    (folder / "RawData/labels.txt").write_text("3 2 6 3 5\n3 2 12 6 8\n")


def _dsads(folder: Path) -> None:
    for segment in (1, 2):
        _write_rows(folder / f"a05/p3/s{segment:02d}.txt", 45, ",")


def _wisdm(folder: Path) -> None:
    for sensor in ("accel", "gyro"):
        rows = [("A" if i < 6 else "B", 252207666810782 + 50_000_000 * i, 0.1 * i, 8.7, 1.0) for i in range(10)]
        test_har_layouts.write_wisdm(folder, "phone", sensor, rows)


def _utd_mhad(folder: Path) -> None:
    savemat(folder / "a21_s4_t1_inertial.mat", {"d_iner": ROWS[:, :6]})


def _umafall(folder: Path) -> None:
    rows = [(1000 + 50 * i, i, *ROWS[i, :3], kind, 2) for i in range(6) for kind in (0, 1)]
    text = test_har_layouts.UMAFALL_HEADER + "".join(";".join(map(str, row)) + "\n" for row in rows)
    (folder / "UMAFall_Subject_07_ADL_Walking_2_2016-06-13_18-31-46.csv").write_text(text)


def _sisfall(folder: Path) -> None:
    (folder / "D01_SA01_R01.txt").write_text(test_har_layouts.SISFALL_ROWS)


def _pamap2(folder: Path) -> None:
    rows = ROWS.copy()
    rows[:, 0], rows[:, 1] = np.arange(8) / 100, [0, 0, 24, 24, 24, 4, 4, 4]
    _write_rows(folder / "Protocol/subject108.dat", 54, rows=rows)


def _mhealth(folder: Path) -> None:
    rows = ROWS.copy()
    rows[:, 23] = [0, 5, 5, 12, 12, 12, 0, 0]
    _write_rows(folder / "mHealth_subject10.log", 24, "\t", rows)


def _usc_had(folder: Path) -> None:
    (folder / "Subject3").mkdir(exist_ok=True)
    savemat(folder / "Subject3/a10t2.mat", {"sensor_readings": ROWS[:, :6]})


def _harth(folder: Path) -> None:
    lines = [",timestamp,back_x,back_y,back_z,thigh_x,thigh_y,thigh_z,label"]
    lines += [f"{i},2019-01-12 00:00:00.{20 * i:03d},-1,0,0.5,-0.5,0,0,{6 if i < 4 else 130}" for i in range(8)]
    (folder / "S006.csv").write_text("\n".join(lines) + "\n")


def _motionsense(folder: Path) -> None:
    (folder / "dws_11").mkdir(exist_ok=True)
    names = [f"{name}.{axis}" for name in ("gravity", "rotationRate", "userAcceleration") for axis in "xyz"]
    rows = [",".join(map(str, [i, *row])) for i, row in enumerate(ROWS[:, :9].tolist())]
    (folder / "dws_11/sub_7.csv").write_text("\n".join(["," + ",".join(names), *rows, ""]))


def _unimts(folder: Path) -> None:
    folder = folder / "Opp_g"
    folder.mkdir(exist_ok=True)
    np.save(folder / "X_test.npy", np.tile(ROWS[:, :45], (3, 1, 1)))
    np.save(folder / "y_test.npy", np.array([[1], [0], [1]]))
    (folder / "Opp_g.json").write_text(json.dumps({"label_dictionary": {"0": ["stand"], "1": ["walk"]}}))


def _anymo_bench(folder: Path) -> None:
    folder = folder / "AnyMo-Bench-50-US"
    folder.mkdir(exist_ok=True)
    kind = pa.list_(pa.list_(pa.float32(), 18))
    columns = {"sample_id": ["a", "b"], "subject_id": ["x", "y"], "label": ["walking", "Washing dishes"]}
    arrays = {name: pa.array(values) for name, values in columns.items()}
    arrays["imu"] = pa.array([ROWS[:, :18].tolist()] * 2, kind)
    pq.write_table(pa.table(arrays), folder / "test-00000.parquet")


def _common(folder: Path) -> None:
    pq.write_table(test_har_datasets.make_table(), folder / "mine.parquet")
    declared = {
        "activity_words": {"WALKING_FAST": "walking fast"},
        "window": 1.0,
        "subsets": {"few": ["walking fast"]},
    }
    (folder / "mine.json").write_text(json.dumps(declared))


def _read(name: str | None, below: str = "."):
    def read(folder: Path) -> None:
        if name is None:
            find_har_datasets(folder / below)
        check_recordings(load_har_recordings(folder / below, name))

    return read


LABELLED_SETS = [
    Sample("common layout", _common, _read(None, "mine.parquet")),
    Sample("unimts", _unimts, _read(None, "Opp_g")),
    Sample("anymo bench", _anymo_bench, _read(None, "AnyMo-Bench-50-US")),
    Sample("hapt", _hapt, _read("hapt_ucihar_raw")),
    Sample("dsads", _dsads, _read("dsads")),
    Sample("wisdm", _wisdm, _read("wisdm2019")),
    Sample("utd mhad", _utd_mhad, _read("utd_mhad")),
    Sample("sp sw har", lambda folder: test_har_layouts.write_sp_sw(folder), _read("sp_sw_har")),
    Sample("umafall", _umafall, _read("umafall")),
    Sample("sisfall", _sisfall, _read("sisfall_adl")),
    Sample("pamap2", _pamap2, _read("pamap2")),
    Sample("mhealth", _mhealth, _read("mhealth")),
    Sample("usc had", _usc_had, _read("usc_had")),
    Sample("harth", _harth, _read("harth")),
    Sample("motionsense", _motionsense, _read("motionsense")),
]

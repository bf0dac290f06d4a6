# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Labelled sets in their authors' layouts."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.io import savemat

from anymo_hf.evaluation.har.unimts import ARRAY_SETS
from anymo_hf.evaluation.har_datasets import (
    find_har_datasets,
    load_har_recordings,
)
from anymo_hf.processing.placements_anymo import NAMED_PLACEMENTS, SEGMENTS


G = 9.80665
SHARED = ("umafall", "sisfall_adl", "dsads", "hapt_ucihar_raw", "wisdm2019", "utd_mhad", "sp_sw_har")


def load_one(path, *args, **kwargs):
    (recording,) = load_har_recordings(path, *args, **kwargs)
    return recording


# The authors' layouts of the seven sets ----------------------------------------------------------------------------


def test_hapt_layout(tmp_path):
    folder = tmp_path / "HAPT" / "RawData"
    folder.mkdir(parents=True)
    force = np.array([[0.5, 0.25, 1.0]] * 10) + np.arange(10)[:, None] / 100
    np.savetxt(folder / "acc_exp03_user02.txt", force)
    np.savetxt(folder / "gyro_exp03_user02.txt", np.tile([0.1, -0.2, 0.3], (10, 1)))
    (folder / "labels.txt").write_text("3 2 6 3 5\n3 2 12 6 8\n4 2 1 1 9\n", encoding="utf-8")
    recording = load_one(tmp_path, "hapt_ucihar_raw")
    assert (recording.source["subject"], recording.source["recording"]) == ("02", "exp03")
    (sensor,) = recording.sensors
    assert sensor.placement == "waist"
    np.testing.assert_allclose(sensor.values[:, :3], force * G)
    np.testing.assert_allclose(sensor.values[:, 3:], np.tile([0.1, -0.2, 0.3], (10, 1)))
    np.testing.assert_allclose(np.diff(sensor.timestamps), 0.02)
    # Rows count from one and the last belongs to the label.
    assert [(span.activity, round(span.start * 50), round(span.end * 50)) for span in recording.activities] == [
        ("", 0, 2),
        ("lying", 2, 5),
        ("standing up from lying", 5, 8),
        ("", 8, 10),
    ]
    np.savetxt(folder / "gyro_exp03_user02.txt", np.zeros((9, 3)))
    with pytest.raises(ValueError, match="10 rows, but its gyroscope file 9"):
        load_one(tmp_path, "hapt_ucihar_raw")
    (folder / "gyro_exp03_user02.txt").unlink()
    with pytest.raises(ValueError, match="gyro_exp03_user02.txt is missing"):
        load_one(tmp_path, "hapt_ucihar_raw")


def test_dsads_layout(tmp_path):
    folder = tmp_path / "data" / "a05" / "p3"
    folder.mkdir(parents=True)
    for segment in (1, 2, 4):
        np.savetxt(folder / f"s{segment:02d}.txt", np.tile(np.arange(45.0), (125, 1)) + 100 * segment, delimiter=",")
    first, second = load_har_recordings(tmp_path, "dsads")
    assert (first.source["recording"], second.source["recording"]) == ("a05_p3_01", "a05_p3_04")
    assert [sensor.placement for sensor in first.sensors] == [
        "chest",
        "right wrist",
        "left wrist",
        "right knee",
        "left knee",
    ]
    for unit, sensor in enumerate(first.sensors):
        assert len(sensor.timestamps) == 250 and sensor.timestamps[-1] == pytest.approx(249 / 25)
        np.testing.assert_allclose(sensor.values[0], 100 + 9 * unit + np.arange(6))
        np.testing.assert_allclose(sensor.values[125], 200 + 9 * unit + np.arange(6))
    assert [span.activity for span in first.activities] == ["walking upstairs"]
    (folder / "s01.txt").write_text("1,2,3\n", encoding="utf-8")
    with pytest.raises(ValueError, match="s01.txt must have 45 columns"):
        list(load_har_recordings(tmp_path, "dsads"))


def write_wisdm(folder, device, sensor, rows):
    folder = folder / "raw" / device / sensor
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"1600,{code},{time},{x},{y},{z};" for code, time, x, y, z in rows]
    (folder / f"data_1600_{sensor}_{device}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_wisdm_layout(tmp_path):
    start = 252207666810782
    force = [("A", start + 50_000_000 * i, -0.36476135, 8.793503, 1.0550842) for i in range(30)]
    write_wisdm(tmp_path, "phone", "accel", [*force, ("B", start + 9_000_000_000, 1, 2, 3)])
    # Half a step later, growing with time, from the second reading on; then a hole.
    rate = [("A", start + 25_000_000 + 50_000_000 * i, i, 0.5, 0) for i in range(1, 29) if not 10 <= i < 20]
    write_wisdm(tmp_path, "phone", "gyro", rate)
    write_wisdm(tmp_path, "watch", "accel", force)
    walking, jogging, watch = load_har_recordings(tmp_path, "wisdm2019")
    assert walking.source["recording"] == "1600_A" and walking.source["placement"] == "trouser pocket"
    assert [span.activity for r in (walking, jogging, watch) for span in r.activities] == [
        "walking",
        "jogging",
        "walking",
    ]
    (sensor,) = walking.sensors
    assert sensor.placement == "right trouser pocket"
    np.testing.assert_allclose(sensor.timestamps, np.arange(30) / 20, atol=1e-9)
    np.testing.assert_allclose(sensor.values[:, :3], np.tile([-0.36476135, 8.793503, 1.0550842], (30, 1)))
    np.testing.assert_allclose(sensor.values[2:10, 3], np.arange(1.5, 9.5))
    known = np.isfinite(sensor.values[:, 3])
    assert known.tolist() == [2 <= i < 10 or 21 <= i < 29 for i in range(30)]
    assert np.isnan(watch.sensors[0].values[:, 3:]).all() and watch.sensors[0].placement == "right wrist"
    write_wisdm(tmp_path, "watch", "accel", [("N", 1, 1, 1, 1)])
    with pytest.raises(ValueError, match=r"data_1600_accel_watch.txt has the unknown activity codes \['N'\]"):
        list(load_har_recordings(tmp_path, "wisdm2019"))
    write_wisdm(tmp_path, "watch", "accel", [("A", "soon", 1, 1, 1)])
    with pytest.raises(ValueError, match="data_1600_accel_watch.txt is no WISDM 2019 file"):
        list(load_har_recordings(tmp_path, "wisdm2019"))


def test_utd_mhad_layout(tmp_path):
    readings = np.tile([1.0, 0.0, -0.5, 180.0, 0.0, -90.0], (8, 1))
    for name in ("a21_s4_t1", "a22_s4_t2"):
        savemat(tmp_path / f"{name}_inertial.mat", {"d_iner": readings})
    wrist, thigh = load_har_recordings(tmp_path, "utd_mhad")
    assert (wrist.sensors[0].placement, thigh.sensors[0].placement) == ("right wrist", "right thigh")
    assert wrist.activities[0].activity == "picking up an object and throwing it"
    assert thigh.activities[0].activity == "jogging in place"
    assert wrist.source["recording"] == "a21_s4_t1" and wrist.source["subject"] == "4"
    np.testing.assert_allclose(wrist.sensors[0].values[0], [G, 0, -G / 2, np.pi, 0, -np.pi / 2])
    np.testing.assert_allclose(np.diff(wrist.sensors[0].timestamps), 0.02)
    savemat(tmp_path / "a21_s4_t1_inertial.mat", {"d_skel": readings})
    with pytest.raises(ValueError, match="a21_s4_t1_inertial.mat is no UTD-MHAD file"):
        list(load_har_recordings(tmp_path, "utd_mhad"))


SP_SW_HEADER = "x_acc,y_acc,z_acc,x_gyro,y_gyro,z_gyro,timestamp,label\n"
# The first published rows of execution s01_01, phone and watch.
SP_ROW = (
    "-4.160221099853516,-1.1829516887664795,-8.990732192993164,0.00282516,-0.01389677,-0.03214583,1657533977813,SEATED"
)
SW_ROW = (
    "0.3832031488418579,-3.5350489616394043,9.110654830932617,-0.01099557,-0.07208207,0.09040801,1657533977810,SEATED"
)


def write_sp_sw(tmp_path):
    folder = tmp_path / "DATA" / "s01"
    folder.mkdir(parents=True)
    later = "0,0,9.8,0,0,0,1657533978813,WALKING\n"
    (folder / "s01_01_sp.csv").write_text(SP_SW_HEADER + SP_ROW + "\n" + later, encoding="utf-8")
    (folder / "s01_01_sw.csv").write_text(SP_SW_HEADER + SW_ROW + "\n" + later, encoding="utf-8")
    return folder


def test_sp_sw_har_layout(tmp_path):
    folder = write_sp_sw(tmp_path)
    recording = load_one(tmp_path, "sp_sw_har")
    phone, watch = recording.sensors
    assert (phone.placement, watch.placement) == ("left trouser pocket", "left wrist")
    # Both stay on the one Unix clock; the watch began 3 ms earlier.
    np.testing.assert_allclose([phone.timestamps[0], watch.timestamps[0]], [0.003, 0.0], atol=1e-6)
    np.testing.assert_allclose(phone.timestamps[-1], 1.003, atol=1e-6)
    np.testing.assert_allclose(phone.values[0, :4], [-4.1602211, -1.1829517, -8.9907322, 0.00282516], rtol=1e-6)
    assert [span.activity for span in recording.activities] == ["sitting", "walking"]
    (folder / "s01_01_sw.csv").write_text("x_acc,timestamp,label\n1,2,SEATED\n", encoding="utf-8")
    with pytest.raises(ValueError, match="s01_01_sw.csv lacks the columns"):
        load_one(tmp_path, "sp_sw_har")


UMAFALL_HEADER = """% Universidad de Malaga
%f8:95:c7:f3:ba:82; 0; RIGHTPOCKET; lge-LG-H815-5.1
%C4:BE:84:71:A5:02; 2; WAIST;       SensorTag
%C4:BE:84:71:A5:03; 3; WRIST;       SensorTag
% TimeStamp; Sample No; X - Axis; Y - Axis; Z - Axis; Sensor Type; Sensor ID;
"""


def test_umafall_layout(tmp_path):
    rows = [(1000 + 50 * i, i, 0.0, 1.0, 0.5, 0, 2) for i in range(5)]
    rows += [(1000 + 50 * i, i, 180.0, 0.0, -90.0 * i, 1, 2) for i in range(5)]
    rows += [(1000 + 50 * i, i, 9.0, 9.0, 9.0, 2, 2) for i in range(5)]
    rows += [(1020 + 50 * i, i, 1.0, 0.0, 0.0, 0, 3) for i in range(5)]
    rows += [(1000 + 5 * i, i, 9.0, 9.0, 9.0, 0, 0) for i in range(50)]
    text = UMAFALL_HEADER + "".join(";".join(map(str, row)) + "\n" for row in sorted(rows))
    good = tmp_path / "UMAFall_Subject_07_ADL_LyingDown_OnABed_2_2016-06-13_18-31-46.csv"
    good.write_text(text, encoding="utf-8")
    bad = tmp_path / "UMAFall_Subject_07_Fall_forwardFall_1_2016-06-13_18-40-00.csv"
    bad.write_text(text.replace("0.5", "0.5.1", 1), encoding="utf-8")
    with pytest.warns(UserWarning, match="forwardFall.* is skipped: its numbers are damaged"):
        (recording,) = load_har_recordings(tmp_path, "umafall")
    assert recording.source["recording"] == "s07_LyingDown_OnABed_2_2016-06-13_18-31-46"
    assert [span.activity for span in recording.activities] == ["lying down on a bed and getting up"]
    waist, wrist = recording.sensors
    assert (waist.placement, wrist.placement) == ("waist", "right wrist")
    np.testing.assert_allclose(waist.values[1], [0, G, G / 2, np.pi, 0, -np.pi / 2], atol=1e-9)
    np.testing.assert_allclose(waist.timestamps, np.arange(5) / 20, atol=1e-9)
    np.testing.assert_allclose(wrist.timestamps, 0.02 + np.arange(5) / 20, atol=1e-9)
    assert np.isnan(wrist.values[:, 3:]).all() and (wrist.values[:, 0] == G).all()
    bad.rename(tmp_path / "UMAFall_Subject_07_ADL_Dancing_1_2016-06-13_18-40-00.csv")
    with pytest.raises(ValueError, match="not named like a UMAFall file"):
        list(load_har_recordings(tmp_path, "umafall"))


@pytest.mark.parametrize("number", ["9" * 400, "\u00b2"])
def test_a_damaged_sensor_number_in_umafalls_header_stands_for_no_sensor(tmp_path, number):
    rows = [f"{1000 + 50 * i};{i};0;1;0;0;{sensor}" for i in range(5) for sensor in (2, 3)]
    text = UMAFALL_HEADER.replace("; 2; WAIST", f"; {number}; WAIST") + "\n".join(rows) + "\n"
    path = tmp_path / "UMAFall_Subject_07_ADL_Walking_2_2016-06-13_18-31-46.csv"
    path.write_text(text, encoding="utf-8")
    recording = load_one(tmp_path, "umafall")
    assert [sensor.placement for sensor in recording.sensors] == ["right wrist"]


SISFALL_ROWS = """ 17,-179, -99, -18,-504,-352,  76,-697,-279;
  15,-174, -90, -53,-568,-306,  48,-675,-254;
   1,-176, -81, -84,-613,-271,  -2,-668,-221;
"""


def test_sisfall_layout(tmp_path):
    folder = tmp_path / "SA01"
    folder.mkdir()
    (folder / "D01_SA01_R01.txt").write_text(SISFALL_ROWS, encoding="utf-8")
    (folder / "F01_SA01_R01.txt").write_text(SISFALL_ROWS, encoding="utf-8")
    recording = load_one(tmp_path, "sisfall_adl")
    assert (recording.source["subject"], recording.source["recording"]) == ("SA01", "D01_SA01_R01")
    assert recording.activities[0].activity == "walking slowly"
    values = recording.sensors[0].values
    np.testing.assert_allclose(values[0, :3], np.array([17, -179, -99]) * 32 / 8192 * G)
    np.testing.assert_allclose(values[0, 3:], np.radians(np.array([-18, -504, -352]) * 4000 / 65536))
    np.testing.assert_allclose(np.diff(recording.sensors[0].timestamps), 0.005)
    (folder / "D01_SA01_R01.txt").write_text("1,2,x\n", encoding="utf-8")
    with pytest.raises(ValueError, match="D01_SA01_R01.txt is damaged"):
        load_one(tmp_path, "sisfall_adl")


@pytest.mark.parametrize("name", [*SHARED, "pamap2", "mhealth", "usc_had", "harth", "motionsense"])
def test_folder_without_the_sets_files_says_what_was_looked_for(tmp_path, name):
    with pytest.raises(ValueError, match="holds no `.*`; give the folder"):
        list(load_har_recordings(tmp_path, name))


def test_authors_rows_equal_the_shared_parquet(tmp_path, data_folder):
    """The published first rows of two sets, read by us, against the packed file: units and channel order."""
    (tmp_path / "SA01").mkdir()
    (tmp_path / "SA01" / "D01_SA01_R01.txt").write_text(SISFALL_ROWS, encoding="utf-8")
    write_sp_sw(tmp_path)
    for name, rows in (("sisfall_adl", 3), ("sp_sw_har", 1)):
        published = next(load_har_recordings(tmp_path, name))
        packed = next(load_har_recordings(data_folder / "har" / f"{name}.parquet"))
        assert published.source == packed.source
        for one, other in zip(published.sensors, packed.sensors, strict=True):
            assert one.placement == other.placement
            # The packed file is rounded to 2^-10 m/s^2 and 2^-13 rad/s.
            np.testing.assert_allclose(one.values[:rows, :3], other.values[:rows, :3], atol=2**-11 + 1e-7)
            np.testing.assert_allclose(one.values[:rows, 3:], other.values[:rows, 3:], atol=2**-14 + 1e-7)


# Sets that are not in data/har -------------------------------------------------------------------------------------


def test_pamap2_layout(tmp_path):
    table = np.tile(np.arange(54.0), (6, 1))
    table[:, 0] = 8.38 + np.arange(6) / 100
    table[:, 1] = [0, 0, 24, 24, 24, 4]
    table[1, 21:24] = np.nan
    (tmp_path / "Protocol").mkdir()
    np.savetxt(tmp_path / "Protocol" / "subject108.dat", table, fmt="%.6g")
    recording = load_one(tmp_path, "pamap2", side="left")
    assert [sensor.placement for sensor in recording.sensors] == ["left wrist", "chest", "left ankle"]
    for sensor, start in zip(recording.sensors, (3, 20, 37), strict=True):
        np.testing.assert_allclose(sensor.values[0], start + np.array([1, 2, 3, 7, 8, 9]))
    assert np.isnan(recording.sensors[1].values[1]).tolist() == [True] * 3 + [False] * 3
    assert [span.activity for span in recording.activities] == ["", "jumping rope", "walking"]
    assert recording.source["subject"] == "108"


def test_mhealth_layout(tmp_path):
    table = np.tile(np.arange(24.0), (4, 1))
    table[:, 23] = [0, 5, 5, 12]
    np.savetxt(tmp_path / "mHealth_subject10.log", table, delimiter="\t")
    recording = load_one(tmp_path, "mhealth")
    chest, ankle, wrist = recording.sensors
    assert (chest.placement, ankle.placement, wrist.placement) == ("chest", "left ankle", "right wrist")
    np.testing.assert_allclose(chest.values[0], [0, 1, 2, np.nan, np.nan, np.nan])
    np.testing.assert_allclose(ankle.values[0], [5, 6, 7, *np.radians([8, 9, 10])])
    np.testing.assert_allclose(wrist.values[0], [14, 15, 16, *np.radians([17, 18, 19])])
    assert [span.activity for span in recording.activities] == ["", "walking upstairs", "jumping back and forth"]


def test_usc_had_layout(tmp_path):
    (tmp_path / "Subject3").mkdir()
    savemat(tmp_path / "Subject3" / "a10t2.mat", {"sensor_readings": np.tile([1.0, 0, 0, 90, 0, 0], (5, 1))})
    recording = load_one(tmp_path, "usc_had")
    assert (recording.source["subject"], recording.source["recording"]) == ("3", "s3_a10t2")
    assert recording.sensors[0].placement == "right hip" and recording.activities[0].activity == "lying"
    np.testing.assert_allclose(recording.sensors[0].values[0], [G, 0, 0, np.pi / 2, 0, 0])
    savemat(tmp_path / "Subject3" / "a10t2.mat", {"sensor_readings": np.zeros((5, 3))})
    with pytest.raises(ValueError, match="a10t2.mat: `sensor_readings` must have 6 columns"):
        load_one(tmp_path, "usc_had")


def test_harth_layout(tmp_path):
    lines = [
        ",timestamp,back_x,back_y,back_z,thigh_x,thigh_y,thigh_z,label",
        "0,2019-01-12 00:00:00.000,-1,0,0.5,-0.5,0,0,6",
        "1,2019-01-12 00:00:00.020,-1,0,0.5,-0.5,0,0,6",
        "2,2019-01-12 00:00:00.040,-1,0,0.5,-0.5,0,0,130",
    ]
    (tmp_path / "S006.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    recording = load_one(tmp_path, "harth")
    back, thigh = recording.sensors
    assert (back.placement, thigh.placement) == ("lower back", "right thigh")
    np.testing.assert_allclose(back.values[0], [-G, 0, G / 2, np.nan, np.nan, np.nan])
    np.testing.assert_allclose(thigh.values[0, :3], [-G / 2, 0, 0])
    np.testing.assert_allclose(back.timestamps, [0, 0.02, 0.04], atol=1e-6)
    assert [span.activity for span in recording.activities] == ["standing", "sitting on a bicycle without pedalling"]
    (tmp_path / "S006.csv").write_text("\n".join(lines).replace("130", "99") + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"S006.csv has the unknown labels \[99\]"):
        load_one(tmp_path, "harth")


def test_motionsense_layout(tmp_path):
    (tmp_path / "dws_11").mkdir()
    names = [
        "attitude.roll",
        *(f"{name}.{axis}" for name in ("gravity", "rotationRate", "userAcceleration") for axis in "xyz"),
    ]
    row = [0.0, 0.0, 0.0, -1.0, 0.1, 0.2, 0.3, 0.0, 0.5, 0.0]
    text = "," + ",".join(names) + "\n" + "".join(f"{i}," + ",".join(map(str, row)) + "\n" for i in range(3))
    (tmp_path / "dws_11" / "sub_7.csv").write_text(text, encoding="utf-8")
    recording = load_one(tmp_path, "motionsense")
    assert recording.source["subject"] == "7" and recording.activities[0].activity == "walking downstairs"
    # At rest a phone that lies face up must read +9.81 along its z axis.
    np.testing.assert_allclose(recording.sensors[0].values[0], [0, -G / 2, G, 0.1, 0.2, 0.3])


def test_unimts_arrays(tmp_path):
    folder = tmp_path / "Opp_g"
    folder.mkdir()
    clips = np.tile(np.arange(45.0) * 1000, (2, 60, 1))
    np.save(folder / "X_test.npy", clips)
    np.save(folder / "y_test.npy", np.array([[3], [0]]))
    words = {"label_dictionary": {"0": ["stand"], "1": ["walk"], "2": ["sit"], "3": ["lie", "down"]}}
    (folder / "Opp_g.json").write_text(json.dumps(words), encoding="utf-8")
    first, second = load_har_recordings(folder)
    assert (first.activities[0].activity, second.activities[0].activity) == ("lie down", "stand")
    assert first.source["dataset"] == "unimts/Opp_g" and len(first.sensors) == 5
    np.testing.assert_allclose(first.sensors[1].values[0], [9 * 9.8, 10 * 9.8, 11 * 9.8, 12, 13, 14])
    assert first.sensors[1].placement == "right upper arm"
    assert first.sensors[0].sampling_rate == pytest.approx(30)
    np.save(folder / "X_test.npy", clips[..., :9])
    with pytest.raises(ValueError, match="at least 42 channels"):
        list(load_har_recordings(folder))
    (folder / "Opp_g.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match="Opp_g.json must hold a `label_dictionary`"):
        list(load_har_recordings(folder))


def test_unimts_utd_mhad_wears_its_sensor_by_label_and_wharf_has_an_offset(tmp_path):
    for name, width in (("UTD-MHAD", 6), ("Wharf", 3)):
        folder = tmp_path / name
        folder.mkdir()
        np.save(folder / "X_test.npy", np.full((2, 10, width), 63.0))
        np.save(folder / "y_test.npy", np.array([20, 21]))
        words = {"label_dictionary": {str(i): [f"action {i}"] for i in range(27)}}
        (folder / f"{name}.json").write_text(json.dumps(words), encoding="utf-8")
    places = [recording.sensors[0].placement for recording in load_har_recordings(tmp_path / "UTD-MHAD")]
    assert places == ["right wrist", "right thigh"]
    ((dataset, _),) = find_har_datasets(tmp_path / "UTD-MHAD")
    assert dataset.label_keyed_placement
    wharf = next(load_har_recordings(tmp_path / "Wharf")).sensors[0].values
    np.testing.assert_allclose(wharf[0, :3], 14.709)


def test_unimts_table_is_sound():
    assert len(ARRAY_SETS) == 18
    for layout in ARRAY_SETS.values():
        starts = [start for _, *channels in layout.sensors for start in channels if start is not None]
        assert len(set(starts)) == len(starts) and all(start % 3 == 0 for start in starts)
        assert all(place in NAMED_PLACEMENTS or place in SEGMENTS for place, _, _ in layout.sensors)


def test_anymo_bench(tmp_path):
    folder = tmp_path / "AnyMo-Bench-50-US"
    folder.mkdir()
    imu = np.tile(np.arange(1.0, 19.0), (30, 1))
    imu[5, 6:12] = 0
    row = {"sample_id": "a:test:0", "subject_id": "dominique_frye", "label": "Washing dishes", "imu": imu.tolist()}
    kind = pa.list_(pa.list_(pa.float32(), 18))
    for split, label in (("test", "Washing dishes"), ("train", "walking")):
        table = pa.table(
            {
                name: pa.array([value], kind if name == "imu" else None)
                for name, value in (row | {"label": label}).items()
            }
        )
        pq.write_table(table, folder / f"{split}-00000.parquet")
    recording = load_one(folder)
    assert [sensor.placement for sensor in recording.sensors] == ["head", "left wrist", "right wrist"]
    assert recording.activities[0].activity == "washing dishes" and recording.source["subject"] == "dominique_frye"
    np.testing.assert_allclose(recording.sensors[2].values[0], np.arange(13, 19))
    assert np.isnan(recording.sensors[1].values[5]).all() and np.isfinite(recording.sensors[0].values).all()
    assert recording.sensors[0].sampling_rate == pytest.approx(60)
    assert find_har_datasets(folder)[0][0].classes == ("washing dishes", "walking")


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ("utd_mhad", "a28_s1_t1_inertial.mat"),
        ("usc_had", "Subject3/about.mat"),
        ("sisfall_adl", "D20_SA01_R01.txt"),
        ("wisdm2019", "data_1600_accel_phone (copy).txt"),
    ],
)
def test_a_foreign_file_is_told(tmp_path, dataset, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("")
    with pytest.raises(ValueError, match="is not named like a file of this set; restore the published name"):
        list(load_har_recordings(tmp_path, dataset))

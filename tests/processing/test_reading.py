# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Files as people have them are read; files that are broken say where."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anymo_hf.processing.reading_anymo import read_recording, read_recordings


HEADER = ["t", "acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z"]
ROWS = np.column_stack([np.arange(30) / 25, np.random.default_rng(0).normal(size=(30, 6)).round(4)])


def write(path, text: str | bytes):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def csv_text(delimiter=",", comma=".", end="\n", header=True):
    lines = [delimiter.join(HEADER)] * header
    lines += [delimiter.join(str(value).replace(".", comma) for value in row) for row in ROWS]
    return end.join(lines) + end


@pytest.mark.parametrize(
    "text",
    [
        csv_text(),
        csv_text(";"),
        csv_text("\t"),
        csv_text(" "),
        csv_text(";", ","),
        csv_text("\t", ","),
        csv_text(end="\r\n"),
        "\ufeff" + csv_text(),
        "# a comment\n\n// another\n" + csv_text(),
        "Device: D4E9, rate 25\nStarted yesterday\n" + csv_text(),
        "# " + csv_text(),
        csv_text().encode("utf-16"),
        ",".join(f'"{name}"' for name in HEADER) + "\n" + csv_text(header=False),
        csv_text().replace("\n", ",\n"),
        csv_text() + "\n\n",
        csv_text().replace("acc_x,acc_y,acc_z", "Acceleration x (m/s²),Acceleration y (m/s²),Acceleration z (m/s²)"),
        csv_text().replace("acc_x", "Acceleration x (m/s²)").encode("cp1252"),
    ],
)
def test_usual_csv_files(tmp_path, text):
    sensor = read_recording(write(tmp_path / "a.csv", text), placements="left wrist").sensors[0]
    np.testing.assert_allclose(sensor.timestamps, ROWS[:, 0])
    np.testing.assert_allclose(sensor.values, ROWS[:, 1:])


def test_files_without_header_need_columns(tmp_path):
    path = write(tmp_path / "a.csv", csv_text(header=False))
    with pytest.raises(ValueError, match="line 1: the file has no header; pass `columns`"):
        read_recording(path, placements="waist")
    sensor = read_recording(path, columns=HEADER, placements="waist").sensors[0]
    np.testing.assert_allclose(sensor.values, ROWS[:, 1:])


def test_columns_replace_a_header_with_other_names(tmp_path):
    text = "Zeit,eins,zwei,drei,vier,fünf,sechs\n" + csv_text(header=False)
    path = write(tmp_path / "a.csv", text)
    with pytest.raises(ValueError, match="pass `columns`"):
        read_recording(path, placements="waist")
    sensor = read_recording(path, columns=HEADER, placements="waist").sensors[0]
    np.testing.assert_allclose(sensor.timestamps, ROWS[:, 0])
    np.testing.assert_allclose(sensor.values, ROWS[:, 1:])


def test_new_names_may_be_of_sensors_in_other_recordings(tmp_path):
    names = [("a", "watch"), ("b", "watch"), ("b", "phone")]
    rows = [f"{recording},{place},{i / 25},0,0,9.8" for recording, place in names for i in range(5)]
    path = write(tmp_path / "a.csv", "\n".join(["recording,placement,t,acc_x,acc_y,acc_z", *rows]))
    renamed = {"watch": "left wrist", "phone": "right pocket"}
    found = [[s.placement for s in one.sensors] for one in read_recordings(path, placements=renamed)]
    assert found == [["left wrist"], ["left wrist", "right trouser pocket"]]
    with pytest.raises(ValueError, match="renames"):
        list(read_recordings(path, placements=renamed | {"fone": "chest"}))


@pytest.mark.parametrize("name", ["a.xlsx", "a.XLSM", "a.ods"])
def test_spreadsheets_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match="is a spreadsheet; save it as CSV"):
        read_recording(write(tmp_path / name, b"PK\x03\x04zip"), placements="waist")


def test_missing_fields_become_nan(tmp_path):
    path = write(tmp_path / "a.csv", "t,acc_x,acc_y,acc_z\n0,1,,3\n0.1,4,NaN,6\n0.2,7,8,9\n")
    values = read_recording(path, placements="waist").sensors[0].values[:, :3]
    np.testing.assert_array_equal(values, [[1, np.nan, 3], [4, np.nan, 6], [7, 8, 9]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "no lines"),
        (b"PAR1 and then nonsense", "no readable Parquet"),
        (b"PK\x03\x04zip", "archive"),
        (b"\xff\xfea", "UTF-16"),
        (bytes(range(1, 256)) * 20, "no text"),
        (csv_text().encode() + b"0,1\x00,2\n", "line 32: a NUL byte"),
        ("t,acc_x,acc_y,acc_z\n", "no rows"),
        ("t,acc_x,acc_y,acc_z\n0,1,2,3\n0.1,1,2\n0.2,1,2,3\n", "line 3: expected 4 fields, but there are 3"),
        ("t,acc_x,acc_y,acc_z\n0,1,2,3\n0.1,1,2,3,4,5\n", "line 3: expected 4 fields, but there are 6"),
        ("t,acc_x,acc_y,acc_z\n\n0,1,2,3\n# no\n0.1,1,oops,3\n", "line 5: Column 'acc_y' must hold numbers.*'oops'"),
        ("t,acc_x,acc_y,acc_z\n0,1,2,'" + "9" * 100_000 + "\n", "line 2.*must hold numbers"),
        ('t,acc_x,acc_y,acc_z\n0,1,2,"3\n', "line 2"),
        ("a,b,c\n1,2,3\n", "line 1: no header"),
        ("t,acc_x,acc_y,acc_z\nnever,1,2,3\n", "neither"),
    ],
)
def test_hostile_files_are_refused_with_file_and_line(tmp_path, text, message):
    path = write(tmp_path / "bad.csv", text)
    with pytest.raises(ValueError, match=message) as caught:
        read_recording(path, placements="waist")
    assert "bad.csv" in str(caught.value)


def test_a_file_that_does_not_exist(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        read_recording(tmp_path / "none.csv")


@given(
    cuts=st.lists(st.tuples(st.integers(0, 1200), st.integers(0, 30), st.binary(max_size=12)), min_size=1, max_size=4)
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_give_a_recording_or_a_value_error(tmp_path, cuts):
    data = csv_text().encode()
    for start, length, instead in cuts:
        data = data[:start] + instead + data[start + length :]
    path = write(tmp_path / "damaged.csv", data)
    try:
        recording = read_recording(path, placements="waist")
    except ValueError as error:
        assert "damaged.csv" in str(error)
    else:
        assert (np.diff(recording.sensors[0].timestamps) > 0).all()


@given(data=st.binary(max_size=300))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_junk_gives_a_value_error(tmp_path, data):
    with pytest.raises(ValueError, match="junk"):
        read_recording(write(tmp_path / "junk", data))


def common_layout() -> pd.DataFrame:
    parts = [
        pd.DataFrame(ROWS, columns=HEADER).assign(
            subject="s1", recording=name, placement=place, activity=[""] * 10 + ["walking"] * 10 + ["sitting"] * 10
        )
        for name in ("r1", "r2")
        for place in ("waist", "wrist")
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_the_common_layout(tmp_path, suffix):
    path = tmp_path / f"all.{suffix}"
    table = common_layout()
    if suffix == "csv":
        table.to_csv(path, index=False)
    else:
        table.astype({"recording": "category", "placement": "category"}).to_parquet(path)
    recordings = list(read_recordings(path))
    assert [recording.source["recording"] for recording in recordings] == ["r1", "r2"]
    one = read_recording(path, recording="r2")
    assert [sensor.placement for sensor in one.sensors] == ["waist", "wrist"]
    np.testing.assert_allclose(one.sensors[1].values, ROWS[:, 1:])
    assert [span.activity for span in one.activities] == ["", "walking", "sitting"]
    np.testing.assert_allclose([span.end for span in one.activities], [9.5 / 25, 19.5 / 25, 29 / 25])
    with pytest.raises(ValueError, match="2 recordings.*recording='r1'"):
        read_recording(path)
    with pytest.raises(ValueError, match="no recording 'r3'"):
        read_recording(path, recording="r3")


def test_the_folder_of_sensor_logger(tmp_path):
    nanoseconds = 1_700_000_000_000_000_000 + np.arange(100) * 10_000_000
    for name, value, late in (("Accelerometer", 1.0, 0), ("Gravity", 2.0, 0), ("Gyroscope", 3.0, 0.004)):
        pd.DataFrame(
            {"time": nanoseconds, "seconds_elapsed": np.arange(100) / 100 + late}
            | {axis: value + i for i, axis in enumerate("zyx")}
        ).to_csv(tmp_path / f"{name}.csv", index=False)
    sensor = read_recording(tmp_path, placements="right trouser pocket").sensors[0]
    assert sensor.gravity
    np.testing.assert_allclose(sensor.values[1], [7, 5, 3, 5, 4, 3])
    (tmp_path / "Gravity.csv").unlink()
    assert not read_recording(tmp_path, placements="waist").sensors[0].gravity


def test_phyphox_files(tmp_path):
    head = '"Time (s)","Acceleration x (m/s^2)","Acceleration y (m/s^2)","Acceleration z (m/s^2)","Absolute (m/s^2)"\n'
    path = write(tmp_path / "Raw Data.csv", head + "0.00E0,1.0E0,2.0E0,9.0E0,9.3E0\n1.0E-2,1.0E0,2.0E0,9.0E0,9.3E0\n")
    sensor = read_recording(path, placements="waist").sensors[0]
    np.testing.assert_array_equal(sensor.values[:, :3], [[1, 2, 9]] * 2)


@pytest.mark.parametrize(
    ("name", "recording", "placements", "rate"),
    [
        ("dsads", "a09_p1_01", {"torso": "chest", "right arm": "right wrist", "left arm": "left wrist",
                                "right leg": "right knee", "left leg": "left knee"}, 25),
        ("hapt_ucihar_raw", "exp05", None, 50),
        ("wisdm2019", "1600_A", {"wrist of the dominant hand": "wrist"}, 20),
        ("utd_mhad", "a10_s1_t1", None, 50),
        ("sp_sw_har", "s01_01", None, 100),
        ("sisfall_adl", "D01_SA01_R01", None, 200),
    ],
)  # fmt: skip
def test_real_sets(data_folder, name, recording, placements, rate):
    found = read_recording(data_folder / "har" / f"{name}.parquet", recording=recording, placements=placements)
    assert found.sensors[0].sampling_rate == pytest.approx(rate, rel=0.03)
    sizes = np.linalg.norm(found.sensors[0].values[:, :3], axis=1)
    assert 8.5 < np.median(sizes) < 14
    assert found.activities[-1].end <= found.end_time + 1e-6

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""What stands behind the page of `anymo app`; the page itself is in `test_app_browser.py`."""

import ast
import base64
import configparser
import io
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from anymo_hf import BodySurface, Placements, SegmentKinematics, read_recording, simulate_imu
from anymo_hf.app.body_map import draw_body_map
from anymo_hf.app.examples import MOTIONS, RECORDINGS, make_motion, write_csv, write_examples
from anymo_hf.app.recognise import (
    MAX_SECONDS,
    MotionReader,
    Upload,
    open_upload,
    show_recognised,
    show_understood,
    split_labels,
)
from anymo_hf.app.simulate import Wish, show_simulated, simulate
from anymo_hf.cli import main
from anymo_hf.processing.placements_anymo import NAMED_PLACEMENTS


ROOT = Path(__file__).parents[1]
DEMO = next(iter(MOTIONS))


@pytest.fixture(scope="module")
def examples(tmp_path_factory) -> dict[str, Path]:
    return write_examples(tmp_path_factory.mktemp("examples"))


@pytest.fixture(scope="module")
def reader() -> MotionReader:
    return MotionReader.load(str(ROOT / "anymo"))


def write_still(path: Path, seconds: float = 20.0, rate: float = 20.0, header="t,acc_x,acc_y,acc_z") -> Path:
    """A sensor at rest, in g."""
    rows = [header, *(f"{i / rate:.3f},0.01,0.00{i % 7},0.99" for i in range(int(seconds * rate)))]
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def test_gradio_is_imported_only_where_the_page_is_built():
    for file in (ROOT / "src" / "anymo_hf" / "app").glob("*.py"):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:  # the top level only
            assert "gradio" not in ast.dump(node) or not isinstance(node, (ast.Import, ast.ImportFrom)), file


def test_every_place_lies_on_the_body_and_on_its_side():
    from PIL import Image

    address, spots = draw_body_map()
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))).convert("RGB")).astype(int)
    assert {spot["name"] for spot in spots} == set(NAMED_PLACEMENTS)
    height, width, _ = image.shape
    for spot in spots:
        x, y = spot["x"] / 100 * width, spot["y"] / 100 * height
        around = image[max(int(y) - 4, 0) : int(y) + 5, max(int(x) - 4, 0) : int(x) + 5]
        assert (np.abs(around - image[0, 0]).sum(-1) > 12).any(), spot  # not all of it is background
        # In the left half one looks at the front: the person's left is on the viewer's right.
        across = spot["x"] - 25 if spot["x"] < 50 else 75 - spot["x"]
        if spot["name"].startswith(("left", "right")):
            assert (across > 0) == spot["name"].startswith("left"), spot
    by_name = {spot["name"]: spot["y"] for spot in spots}
    assert by_name["head"] < by_name["chest"] < by_name["left knee"] < by_name["left foot"]


def test_examples_say_what_they_claim(examples):
    for name, _, _, places, says_all in RECORDINGS:
        if says_all:
            recording, notes = open_upload(Upload(str(examples[name])))
            assert [sensor.placement for sensor in recording.sensors] == list(places) and not notes
            assert "am-warning" not in show_understood(Upload(str(examples[name])))[0]
        else:
            shown, worn = show_understood(Upload(str(examples[name]), places[0]))
            assert worn == []  # the file leaves it to its reader
            assert "the force seems to be in g" in shown and "the rate seems to be in deg/s" in shown
            assert "“force unit” under “What the file does not say”" in shown
            said = Upload(str(examples[name]), places[0], force_unit="g", rate_unit="deg/s")
            assert "am-warning" not in show_understood(said)[0]


def test_what_the_file_says_goes_before_nothing_and_after_the_user(tmp_path, examples):
    silent = write_still(tmp_path / "silent.csv")
    with pytest.raises(ValueError, match="click the place on the body"):
        open_upload(Upload(str(silent)))
    recording, _ = open_upload(Upload(str(silent), "left ankle", force_unit="g"))
    assert recording.sensors[0].placement == "left ankle"
    assert np.linalg.norm(recording.sensors[0].values[0, :3]) == pytest.approx(9.71, abs=0.02)
    watch = str(examples[RECORDINGS[0][0]])
    assert open_upload(Upload(watch, "chest"))[0].sensors[0].placement == "chest"
    both, notes = open_upload(Upload(str(examples[RECORDINGS[1][0]]), "chest"))
    assert len(both.sensors) == 2 and "left wrist, right trouser pocket" in notes[0]


def test_long_recordings_are_cut_and_of_several_the_first_is_read(tmp_path):
    recording, notes = open_upload(Upload(str(write_still(tmp_path / "long.csv", seconds=400, rate=10)), "chest"))
    assert recording.end_time - recording.start_time < MAX_SECONDS and "first 300 s of 400 s" in notes[0]
    lines = [
        "recording,t,acc_x,acc_y,acc_z",
        *(f"{name},{i / 10},0,0,{9 + k}" for k, name in enumerate("ab") for i in range(50)),
    ]
    (tmp_path / "two.csv").write_text("\n".join(lines), encoding="utf-8")
    recording, notes = open_upload(Upload(str(tmp_path / "two.csv"), "chest"))
    assert recording.sensors[0].values[0, 2] == 9 and "several recordings" in notes[0]


def test_labels_are_what_stands_between_commas():
    assert split_labels(" walking, sitting,\nwalking;; ") == ["walking", "sitting"]
    with pytest.raises(ValueError, match="At least one activity"):
        split_labels(" , ")


def test_recognised(reader, examples):
    watch = str(examples[RECORDINGS[0][0]])
    rows = reader.read(open_upload(Upload(watch))[0], ["walking", "sitting"])
    assert [row["start"] for row in rows] == pytest.approx([3.0 * i for i in range(6)], abs=1e-6)
    for row in rows:
        assert sum(entry["score"] for entry in row["scores"]) == pytest.approx(1, abs=1e-5)
        cosines = [cosine for _, cosine in row["texts"]]
        assert len(cosines) == 3 and cosines == sorted(cosines, reverse=True) and max(cosines) <= 1
        # The cosine is the one between the window's own embedding and the text's.
    embedding = reader.embed(open_upload(Upload(watch))[0])[2]["embedding"]
    text = reader.classify.embed_labels([rows[2]["texts"][0][0]])[0].numpy()
    assert rows[2]["texts"][0][1] == pytest.approx(float(embedding @ text), abs=1e-5)
    page = show_recognised(reader, Upload(watch), "walking, <img src=x onerror=alert(1)>")
    assert page.count("<tr>") == 7 and "0.0–3.0 s" in page and 'role="img"' in page
    assert "&lt;img src=x" in page and "<img" not in page


BAD_FILES = {
    "empty.csv": b"",
    "binary.csv": bytes(range(256)) * 20,
    "archive.csv": b"PK\x03\x04" + b"\x00" * 100,
    "words.csv": b"name,age\nAnn,3\nBen,4\n",
    "script.csv": b"<script>alert(1)</script>,b,c\n1,2,3\n",
    "holes.csv": b"t,acc_x,acc_y,acc_z\n0,nan,nan,nan\n1,nan,nan,nan\n",
    "text.csv": b"t,acc_x,acc_y,acc_z\n0,1,2,3\n1,1,x,3\n",
    "fake.parquet": b"PAR1" + b"\x01" * 200,
    "nothing.bvh": b"",
    "half.bvh": b"HIERARCHY\nROOT Hips\n{\n OFFSET 0 0 0\n CHANNELS 6 Xposition",
    "fake.npz": b"PK\x03\x04" + b"\x07" * 300,
    "fake.glb": b"glTF\x02\x00\x00\x00\xff\xff\xff\x7f" + b"\x00" * 40,
    "fake.mvnx": b"<?xml version='1.0'?><mvnx><subject></mvnx>",
    "motion.xyz": b"1 2 3",
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_are_explained(name, tmp_path, caplog):
    (tmp_path / name).write_bytes(BAD_FILES[name])
    path = str(tmp_path / name)
    if name.endswith((".csv", ".parquet")):
        shown, worn = show_understood(Upload(path, "left wrist"))
        assert worn == []
    else:
        shown, csv = show_simulated(Wish(path, DEMO, ["left wrist"]), tmp_path)
        assert csv is None
    assert shown.startswith('<div class="am-box am-problem" role="alert">') and shown.count("<") == 2
    assert len(shown) > 65 and "Traceback" not in shown and str(tmp_path) not in shown
    assert not caplog.records  # the readers foresaw it


def test_what_is_missing_is_asked_for(tmp_path):
    assert "Choose a file first" in show_recognised(None, Upload(None), "walking")
    assert "At least one activity" in show_recognised(None, Upload("some.csv"), "")
    assert "Choose at least one place" in show_simulated(Wish(None, DEMO, []), tmp_path)[0]
    assert "at most 8 sensors" in show_simulated(Wish(None, DEMO, list(NAMED_PLACEMENTS)), tmp_path)[0]


def test_what_no_reader_foresaw_is_no_traceback_either(monkeypatch, caplog, tmp_path):
    def fail(*args, **options):
        raise KeyError("inner")

    monkeypatch.setattr("anymo_hf.app.recognise.read_recordings", fail)
    shown, _ = show_understood(Upload("watch.csv", "chest"))
    assert "could not be worked on (KeyError)" in shown and "Traceback" not in shown
    assert caplog.records[0].exc_info[0] is KeyError  # whoever runs the page can find out


def test_simulated_readings_are_those_of_the_simulation(tmp_path):
    page, csv = show_simulated(Wish(None, DEMO, ["left wrist", "chest"], device="ideal"), tmp_path)
    assert page.count("<img") == 3 and page.count('alt="') == 3 and "left wrist, chest" in page
    recording = read_recording(csv)
    motion = make_motion(DEMO)
    kinematics = SegmentKinematics.from_motion(motion)
    body = BodySurface.default(bone_offsets=motion.bone_offsets)
    expected = simulate_imu(kinematics, Placements.from_names(["left wrist", "chest"], body)).numpy()
    for index, sensor in enumerate(recording.sensors):
        np.testing.assert_allclose(sensor.values, expected[:, index], atol=1e-4, rtol=1e-5)
        np.testing.assert_allclose(sensor.timestamps, kinematics.timestamps, atol=1e-5)


def test_a_turned_sensor_keeps_the_length_of_its_vectors():
    motion = make_motion(DEMO)
    turned, straight = (simulate(motion, Wish(None, DEMO, ["chest"], "ideal", turned))[1] for turned in (True, False))
    assert (turned - straight).abs().max() > 1
    torch.testing.assert_close(turned[..., :3].norm(dim=-1), straight[..., :3].norm(dim=-1), atol=1e-3, rtol=1e-4)


def test_written_readings_are_read_again(tmp_path):
    readings = torch.randn(50, 2, 6, generator=torch.Generator().manual_seed(0)).numpy()
    readings[7, 0] = np.nan
    write_csv(tmp_path / "r.csv", np.arange(50) / 60, ("waist", "left foot"), readings)
    sensors = read_recording(tmp_path / "r.csv").sensors
    assert [sensor.placement for sensor in sensors] == ["waist", "left foot"]
    np.testing.assert_allclose(sensors[1].values, readings[:, 1], rtol=1e-5)
    assert np.isnan(sensors[0].values[7]).all() or len(sensors[0].values) == 49


def test_the_space_installs_what_the_package_needs():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = (ROOT / "space" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert set(config["options"]["install_requires"].split()) <= set(listed)
    assert set(config["options.extras_require"]["demo"].split()) <= set(listed)
    pinned = next(line.removeprefix("gradio==") for line in listed if line.startswith("gradio=="))
    header = (ROOT / "space" / "README.md").read_text(encoding="utf-8").split("---")[1]
    assert re.search(r"^sdk_version: (.+)$", header, re.M)[1] == pinned and "sdk: gradio" in header
    assert "app_file: app.py" in header and (ROOT / "space" / "app.py").is_file()


def test_a_model_that_is_not_there_is_one_line(tmp_path, monkeypatch, capsys):
    pytest.importorskip("gradio", reason="the page needs gradio")
    monkeypatch.chdir(tmp_path)
    assert main(["app"]) == 1
    assert "There is no folder 'anymo' here" in capsys.readouterr().err

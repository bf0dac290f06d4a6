# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The page stands alone, shows what it says, escapes what users wrote, and is written whole or not at all."""

import base64
import os
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from anymo_hf.demo import run_demo
from anymo_hf.simulation import report
from anymo_hf.simulation.motion import SegmentMotion, TextSpan
from anymo_hf.simulation.report import write_report
from anymo_hf.simulation.synthesis import walk


pytest.importorskip("matplotlib")
pytestmark = pytest.mark.filterwarnings("error")
EVIL = "<script>alert('x')</script> & \"co\" $title"


class Page(HTMLParser):
    """Tags with their attributes, and all text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.words, self.open = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture
def quick(monkeypatch):
    """Leaves out the rendering of pictures, most of the time that a page takes."""
    monkeypatch.setattr(report, "_embed", lambda figure: "data:,")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    path = run_demo(out=tmp_path_factory.mktemp("demo") / "page.html")
    return path.read_text(encoding="utf-8")


def test_demo_page_is_well_formed_with_seven_pictures(demo):
    page = Page(demo)
    assert page.open == []
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) == 7
    for picture in pictures:
        assert len(picture["alt"]) > 20
        kind, data = picture["src"].split(",", 1)
        assert kind == "data:image/png;base64"
        assert base64.b64decode(data).startswith(b"\x89PNG")


def test_demo_page_needs_no_network_and_no_script(demo):
    page = Page(demo)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    rest = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "", demo)
    assert not re.search(r"https?:|//\w|url\(|@import", rest)
    assert 'name="viewport"' in rest


def test_demo_page_tells_what_it_shows(demo):
    words = " ".join("".join(Page(demo).words).split())
    for expected in (
        "walking",
        "sitting down",
        "waving",
        "2,374",
        "120 Hz",
        "60 Hz",
        "left wrist",
        "million",
        "16.8 s",
    ):
        assert expected in words
    assert "$" not in words


def test_code_on_the_page_runs(demo):
    code = "".join(Page(demo).words).split("Do it yourself")[1].split("Made by")[0]
    scope = {}
    exec(code, scope)
    assert scope["imu"].shape[1:] == (4, 6) and scope["dense"].shape[1:] == (2374, 6)


def test_what_users_wrote_is_escaped(tmp_path, quick):
    motion = walk(4.0)
    motion.texts = (TextSpan(0, 4, EVIL, "label"), TextSpan(0, 4, EVIL))
    motion.source = {"name": EVIL, "dataset": EVIL, "license": "<b>"}
    html = write_report(motion, tmp_path / "page.html", motion_code=EVIL).read_text(encoding="utf-8")
    page = Page(html)
    assert "script" not in {tag for tag, _ in page.tags} and "b" not in {tag for tag, _ in page.tags}
    assert "".join(page.words).count(EVIL) >= 4


def test_motion_without_texts_and_with_gaps(tmp_path):
    motion = walk(5.0)
    mask = np.ones((motion.num_frames, 23), bool)
    mask[200:300, 13] = False
    mask[:, 22] = False
    bare = SegmentMotion(motion.positions, motion.orientations, motion.timestamps + 100.0, mask)
    html = write_report(bare, tmp_path / "page.html", ["left wrist", "left toe"]).read_text(encoding="utf-8")
    assert "says nothing about this motion" in html


def test_long_motion_is_cut_and_says_so(tmp_path, monkeypatch, quick):
    monkeypatch.setattr(report, "MAX_SHOWN", 3.0)
    html = write_report(walk(6.0), tmp_path / "page.html", ["chest"]).read_text(encoding="utf-8")
    assert "the first 3 s of 6 s" in html


def test_page_appears_whole_or_not_at_all(tmp_path, monkeypatch, quick):
    target = tmp_path / "page.html"
    target.write_text("old", encoding="utf-8")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(ValueError, match="disk full"):
        write_report(walk(4.0), target, ["chest"])
    assert target.read_text(encoding="utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_unwritable_target_fails_before_the_work(tmp_path):
    with pytest.raises(ValueError, match="that is a folder"):
        run_demo(out=tmp_path)
    with pytest.raises(ValueError, match="does not exist"):
        run_demo(out=tmp_path / "missing" / "page.html")

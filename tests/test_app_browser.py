# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The page of `anymo app` in a real browser: upload, click, result, messages, keyboard, a narrow screen."""

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from anymo_hf import read_recording


pytest.importorskip("gradio", reason="the page needs gradio")
playwright = pytest.importorskip("playwright.sync_api", reason="a browser is driven by playwright")
expect = playwright.expect

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed on this system")

ROOT = Path(__file__).parents[1]
PATIENCE = 120_000  # ms, for machines that do other things as well
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def address():
    from anymo_hf.app import make_app, serve

    page = make_app(str(ROOT / "anymo"))
    yield serve(page)
    page.close(verbose=False)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(address, browser):
    """A function that opens the page; at the end nothing may have gone wrong in it or have left the machine."""
    context, wrong, asked = browser.new_context(), [], []
    context.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    context.on("weberror", lambda error: wrong.append(str(error.error)))
    context.on("request", lambda request: asked.append(request.url))

    def open_it(viewport=WIDE):
        page = context.new_page()
        page.set_viewport_size(viewport)
        page.set_default_timeout(PATIENCE)
        page.goto(address)
        page.wait_for_selector("#worn .spot")
        return page

    expect.set_options(timeout=PATIENCE)
    yield open_it
    context.close()
    assert wrong == []
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []


@pytest.fixture
def silent_file(tmp_path) -> Path:
    """Ten seconds of a wrist that swings twice a second; the file says neither place nor unit."""
    times = np.arange(500) / 50
    swing = np.sin(4 * np.pi * times)
    columns = [times, 3 * swing, 0.5 * np.cos(4 * np.pi * times), 9.81 + 0 * times, 0 * times, 2 * swing, 0 * times]
    header = "t,acc_x,acc_y,acc_z,gyr_x,gyr_y,gyr_z"
    np.savetxt(tmp_path / "silent.csv", np.stack(columns, 1), delimiter=",", header=header, comments="", fmt="%.5f")
    return tmp_path / "silent.csv"


def click_spot(page, name: str, within: str):
    """A click near a place on the body, off its centre as fingers are."""
    spot = page.locator(f'{within} .spot[data-name="{name}"]').first
    spot.scroll_into_view_if_needed()
    box = spot.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2 + 2, box["y"] + box["height"] / 2 + 2)


def chosen_on_body(page, within: str) -> set[str]:
    return set(page.locator(f"{within} .spot.chosen").evaluate_all("spots => spots.map(s => s.dataset.name)"))


def sticks_out(page) -> int:
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


def test_upload_click_result(open_page, silent_file):
    page = open_page()
    page.locator('input[type="file"]').first.set_input_files(silent_file)
    message = page.locator("#understood [role=alert]")
    expect(message).to_contain_text("click the place on the body")
    place = page.get_by_label("Where was the sensor worn?")
    click_spot(page, "right wrist", "#worn")
    expect(place).to_have_value("right wrist")
    expect(page.locator("#understood table")).to_contain_text("right wrist: what the readings show")
    expect(message).to_have_count(0)
    click_spot(page, "left ankle", "#worn")
    expect(place).to_have_value("left ankle")
    expect(page.locator("#understood table")).to_contain_text("left ankle")
    assert chosen_on_body(page, "#worn") == {"left ankle"}
    page.get_by_label("Activities to choose among").fill("marching, sleeping")
    page.get_by_role("button", name="Recognise", exact=True).click()
    rows = page.locator("#recognised tbody tr")
    expect(rows).to_have_count(3)  # of 3 s each; a rest of one second is none
    expect(rows.first).to_contain_text(re.compile(r"(marching|sleeping) \d+ %"))
    expect(page.get_by_role("img", name=re.compile("^Activities over time: "))).to_be_visible()
    # Another file takes the place and the result of this one away.
    page.get_by_label("Clear").or_(page.get_by_label("Remove this file")).first.click()
    expect(place).to_have_value("")
    expect(page.locator("#recognised table")).to_have_count(0)


def test_examples_say_where_they_were_worn(open_page):
    page = open_page()
    page.get_by_role("button", name="Watch: walks, sits, waves").click()
    expect(page.get_by_label("Where was the sensor worn?")).to_have_value("left wrist")
    expect(page.locator("#worn .names")).to_have_text("left wrist")
    page.get_by_role("button", name="Watch and phone: runs").click()
    expect(page.locator("#worn .names")).to_have_text("left wrist, right trouser pocket")
    page.get_by_role("button", name="A file that does not say its units").click()
    expect(page.locator("#understood .am-warning").first).to_contain_text("the force seems to be in g")
    page.get_by_text("What the file does not say", exact=True).click()
    for name, unit in (("force unit", "g"), ("rate unit", "deg/s")):
        page.get_by_label(name).click()
        page.get_by_role("option", name=unit, exact=True).click()
    expect(page.locator("#understood .am-warning")).to_have_count(0)
    expect(page.locator("#understood .am-note")).to_contain_text("Nothing in the readings stands against")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "empty.csv is empty"),
        ("words.csv", b"name,age\nAnn,3\n", "no header with three axes"),
        ("script.csv", b"<img src=x onerror=alert(1)>,y\n1,2\n", "<img src=x"),
    ],
)
def test_bad_uploads_are_explained_in_the_page(open_page, tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    page = open_page()
    page.locator('input[type="file"]').first.set_input_files(tmp_path / name)
    expect(page.locator("#understood [role=alert]")).to_contain_text(message)
    page.get_by_role("button", name="Recognise", exact=True).click()
    expect(page.locator("#recognised [role=alert]")).to_contain_text(message)
    text = page.inner_text("body")
    assert "Traceback" not in text and os.path.sep + "gradio" + os.path.sep not in text
    page.get_by_role("tab", name="Simulate").click()
    (tmp_path / "half.bvh").write_text("HIERARCHY\nROOT Hips\n{", encoding="utf-8")
    page.locator('input[type="file"]').last.set_input_files(tmp_path / "half.bvh")
    expect(page.get_by_text("half.bvh")).to_be_visible()
    page.get_by_role("button", name="Simulate", exact=True).click()
    expect(page.locator("#simulated [role=alert]")).to_contain_text("half.bvh")


def test_everything_can_be_done_by_keyboard(open_page):
    page = open_page()
    page.get_by_role("button", name="A file that does not say its units").focus()
    page.keyboard.press("Enter")
    place = page.get_by_label("Where was the sensor worn?")
    expect(place).to_have_value("chest")
    place.focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("left sh")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    # Chosen while the file is still being understood, and so pressed below: neither may be lost to a late answer.
    expect(place).to_have_value("left shoulder")
    expect(page.locator("#worn .names")).to_have_text("left shoulder")
    start = page.get_by_role("button", name="Recognise", exact=True)
    for _ in range(30):
        page.keyboard.press("Tab")
        if start.evaluate("button => button === document.activeElement"):
            break
    expect(start).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#recognised table")).to_be_visible()
    expect(page.locator("#understood table")).to_contain_text("left shoulder")
    page.wait_for_timeout(500)
    expect(page.locator("#recognised table")).to_be_visible()
    page.get_by_role("tab", name="Simulate").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Simulate", exact=True)).to_be_visible()


def test_simulate_and_download(open_page, tmp_path):
    page = open_page()
    page.get_by_role("tab", name="Simulate").click()
    page.wait_for_selector("#sensors .spot")
    assert chosen_on_body(page, "#sensors") == {"left wrist", "right trouser pocket"}
    click_spot(page, "right trouser pocket", "#sensors")  # takes it away
    click_spot(page, "right foot", "#sensors")
    expect(page.locator("#sensors .names")).to_contain_text("right foot")
    assert chosen_on_body(page, "#sensors") == {"left wrist", "right foot"}
    page.mouse.move(0, 0)
    page.get_by_role("button", name="Simulate", exact=True).click()
    expect(page.locator("#simulated img")).to_have_count(3)
    assert all(page.locator("#simulated img").evaluate_all("images => images.map(i => i.naturalWidth > 500)"))
    with page.expect_download() as download:
        page.get_by_text("Download the readings as CSV").click()
    download.value.save_as(tmp_path / "readings.csv")
    sensors = read_recording(tmp_path / "readings.csv").sensors
    assert [sensor.placement for sensor in sensors] == ["left wrist", "right foot"]
    assert np.nanmedian(np.linalg.norm(sensors[1].values[:, :3], axis=1)) == pytest.approx(9.81, abs=0.5)


def test_a_narrow_screen(open_page):
    page = open_page(NARROW)
    assert sticks_out(page) <= 0
    page.get_by_role("button", name="Watch and phone: runs").click()
    expect(page.locator("#understood img")).to_be_visible()
    click_spot(page, "left wrist", "#worn")
    page.get_by_role("button", name="Recognise", exact=True).click()
    row = page.locator("#recognised tbody tr").first
    expect(row).to_be_visible()
    assert sticks_out(page) <= 0
    assert row.bounding_box()["width"] <= NARROW["width"] and row.bounding_box()["height"] > 120  # a card
    page.get_by_role("tab", name="Simulate").click()
    page.get_by_role("button", name="Simulate", exact=True).click()
    expect(page.locator("#simulated img").first).to_be_visible()
    assert sticks_out(page) <= 0

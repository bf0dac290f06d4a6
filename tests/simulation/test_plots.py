# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures have the axes, units and words they promise, and leave matplotlib's global state alone."""

import sys

import numpy as np
import pytest
import torch

from anymo_hf.simulation import plots
from anymo_hf.simulation.body import BodySurface
from anymo_hf.simulation.motion import SegmentMotion, TextSpan
from anymo_hf.simulation.placements import Placements
from anymo_hf.simulation.rendering import VIEWS, camera
from anymo_hf.simulation.synthesis import walk


matplotlib = pytest.importorskip("matplotlib")
pytestmark = pytest.mark.filterwarnings("error")
RATE = 60.0


@pytest.fixture(scope="module")
def body():
    return BodySurface.default()


@pytest.fixture(scope="module")
def motion():
    return walk(4.0)


@pytest.fixture
def imu():
    times = torch.arange(300) / RATE
    waves = torch.sin(2 * np.pi * torch.tensor([1.0, 5.0])[:, None] * times)  # (2, 300)
    values = torch.zeros(300, 2, 6)
    values[:, :, 0], values[:, :, 5] = waves.T, 0.5 * waves.T
    values[:, :, 2] = 9.80665
    return values


def drawn(figure):
    """Renders, which is where warnings and most errors appear; gives all words."""
    figure.canvas.draw()
    return " ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


def test_body_shows_every_sensor_in_every_view(body):
    names = ["left wrist", "right trouser pocket", "chest", "left foot"]
    figure = plots.plot_body(body, Placements.from_names(names, body))
    words = drawn(figure)
    assert len(figure.axes) == 2
    assert all(words.count(name) == 2 for name in names)


def test_labels_never_overlap(body):
    names = ["left wrist", "left forearm", "left hand", "left palm", "left hip", "left trouser pocket", "left thigh"]
    figure = plots.plot_body(body, Placements.from_names(names, body), views=("front",))
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text() in names]
    assert len(boxes) == len(names)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_dense_dots_get_a_colour_bar_with_its_unit(body):
    dense = body.sample(5, torch.Generator().manual_seed(0))
    figure = plots.plot_body(body, dense, values=np.arange(len(dense)), value_label="rms (m/s²)", views=("back",))
    assert "rms (m/s²)" in drawn(figure)
    assert len(figure.axes) == 2


def test_a_view_shows_only_the_near_side(body):
    dense = body.sample(40, torch.Generator().manual_seed(0))
    figure = plots.plot_body(body, dense, values=np.ones(len(dense)), views=("front", "back"))
    front, back = (len(ax.collections[-1].get_offsets()) for ax in figure.axes[:2])
    assert 0.3 * len(dense) < front < 0.65 * len(dense)
    assert 0.3 * len(dense) < back < 0.65 * len(dense)


@pytest.mark.parametrize("view", VIEWS)
def test_cameras_are_right_handed_with_up_upwards(view):
    rows = camera(*VIEWS[view])
    np.testing.assert_allclose(rows @ rows.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rows) == pytest.approx(1) and rows[1, 2] > 0.9


def test_the_front_view_has_the_left_hand_on_the_right():
    assert (camera(*VIEWS["front"]) @ [0, 1, 0])[0] > 0.9
    assert (camera(*VIEWS["side"]) @ [1, 0, 0])[0] > 0.9


@pytest.mark.parametrize("skin", [True, False])
def test_filmstrip_has_poses_times_and_texts(motion, body, skin):
    figure = plots.plot_motion(motion, body if skin else None, num_poses=3)
    words = drawn(figure)
    assert "walking" in words and "1.0 s" in words and "3.0 s" in words
    assert figure.axes[1].get_xlabel() == "time (s)"


def test_filmstrip_of_a_partly_measured_motion(motion):
    mask = np.ones((motion.num_frames, 23), bool)
    mask[:, [6, 14, 21]] = False
    positions = np.where(mask[..., None], motion.positions, np.nan)
    drawn(plots.plot_motion(SegmentMotion(positions, motion.orientations, motion.timestamps, mask), num_poses=3))


def test_signals_have_a_row_per_sensor_with_units(imu):
    texts = [TextSpan(0.0, 2.0, "one $ two", "label"), TextSpan(2.0, 5.0, "three", "label")]
    figure = plots.plot_signals(imu, RATE, ["left wrist", "chest"], texts)
    words = drawn(figure)
    assert len(figure.axes) == 4
    assert [ax.get_ylabel() for ax in figure.axes] == ["m/s²", "rad/s"] * 2
    assert all(word in words for word in ("left wrist", "chest", "one $ two", "three", "time (s)", "sensor x"))
    line = figure.axes[0].lines[0]
    np.testing.assert_allclose(line.get_ydata(), imu[:, 0, 0].numpy(), atol=1e-6)


def test_long_signals_keep_their_extremes_in_few_points():
    imu = np.zeros((200_000, 1, 6))
    imu[123_456, 0, 1] = 70.0
    imu[50_000, 0, 1] = -30.0
    figure = plots.plot_signals(imu, 100.0, ["chest"])
    shown = figure.axes[0].lines[1].get_ydata()
    assert len(shown) <= 2 * plots.MAX_POINTS and shown.max() == 70 and shown.min() == -30


def test_gaps_are_left_open(imu):
    imu[100:150] = torch.nan
    for figure in (plots.plot_signals(imu, RATE, "ab"), plots.plot_spectra(imu, RATE, "ab")):
        drawn(figure)


def test_spectra_peak_where_the_motion_is(imu):
    figure = plots.plot_spectra(imu, RATE, ["slow", "fast"])
    assert "m/s² per √Hz" in drawn(figure)
    for line, frequency in zip(figure.axes[0].lines, (1.0, 5.0), strict=True):
        assert line.get_xdata()[line.get_ydata().argmax()] == pytest.approx(frequency, abs=0.3)


def test_noise_picture_shows_the_difference(imu):
    figure = plots.plot_noise(imu[:, :1], imu[:, :1] + 0.25, RATE, "left wrist", "watch", start=1.0)
    assert "watch" in drawn(figure)
    assert len(figure.axes) == 4
    np.testing.assert_allclose(figure.axes[2].lines[0].get_ydata(), 0.25, atol=1e-6)
    assert figure.axes[0].lines[0].get_xdata()[0] == pytest.approx(1.0, abs=0.02)


def test_mounting_picture_shows_that_norms_agree(imu):
    turned = imu[..., [1, 2, 0, 4, 5, 3]]
    figure = plots.plot_mounting([imu[:, :1], turned[:, :1]], RATE, ["aligned", "turned"])
    drawn(figure)
    assert len(figure.axes) == 6
    first, second = figure.axes[4].lines
    np.testing.assert_allclose(first.get_ydata(), second.get_ydata(), atol=1e-6)


@pytest.mark.parametrize("shape", [(300, 6), (300, 2, 3), (1, 2, 6)])
def test_wrong_shapes_raise(shape):
    with pytest.raises(ValueError, match="num_placements, 6"):
        plots.plot_signals(np.zeros(shape), RATE, ["a", "b"])


def test_global_state_is_left_alone(imu):
    before = dict(matplotlib.rcParams)
    loaded = "matplotlib.pyplot" in sys.modules
    drawn(plots.plot_signals(imu, RATE, ["a", "b"]))
    assert dict(matplotlib.rcParams) == before
    assert ("matplotlib.pyplot" in sys.modules) == loaded


def test_missing_matplotlib_names_the_extra(imu, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'pip install -e "\.\[demo\]"'):
        plots.plot_signals(imu, RATE, ["a", "b"])

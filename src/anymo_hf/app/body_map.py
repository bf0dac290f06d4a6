# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""A picture of the body on which places are chosen by clicking; a list beside it does the same by keyboard."""

import base64
import functools
import io
from typing import TYPE_CHECKING

import numpy as np
import torch

from anymo_hf.processing.placements_anymo import NAMED_PLACEMENTS
from anymo_hf.simulation.body import BodySurface
from anymo_hf.simulation.placements import Placements
from anymo_hf.simulation.rendering import camera, draw_skin, showing_pose
from anymo_hf.simulation.rotations import quaternion_rotate


if TYPE_CHECKING:
    import gradio as gr

VIEWS = {"front": 0.0, "back": 180.0}  # degrees from the person's front towards the left
MARGIN, PIXELS_PER_METRE = 0.06, 380
FACING = 0.2  # cosine between skin and viewer from which a view shows a place

TEMPLATE = """
<div class="map" role="group" aria-label="Places on the body; the list has the same ones">
  <img src="${image}" alt="The body from the front and from behind" draggable="false">
  <b style="left:25%">front</b><b style="left:75%">back</b>
  <u style="left:2%">right</u><u style="left:42%">left</u><u style="left:52%">left</u><u style="left:91%">right</u>
  ${spots.map(s => `<i class="spot ${value.includes(s.name) ? 'chosen' : ''}" data-name="${s.name}"
    style="left:${s.x}%;top:${s.y}%"></i>`).join('')}
</div>
<div class="names">${value.join(', ') || 'no place chosen'}</div>
"""
STYLE = """
.map { position: relative; width: 100%; max-width: 480px; margin: 0 auto; cursor: pointer; user-select: none;
  background: #f3f6f8; border-radius: 8px; touch-action: manipulation; }
.map img { display: block; width: 100%; height: auto; margin: 0; }
.map b, .map u { position: absolute; top: 4px; color: #22303c; font-size: 13px; text-decoration: none; }
.map b { transform: translateX(-50%); }
.map u { top: 13%; color: #5b6b78; font-size: 12px; }
.spot { position: absolute; width: 9px; height: 9px; margin: -4.5px 0 0 -4.5px; border-radius: 50%;
  background: #0072b2; border: 1px solid #fff; opacity: .75; pointer-events: none; }
.spot.near { transform: scale(1.7); opacity: 1; }
.spot.chosen { width: 17px; height: 17px; margin: -8.5px 0 0 -8.5px; background: #d55e00; border-width: 2px;
  opacity: 1; z-index: 2; }
.names { text-align: center; min-height: 1.6em; margin-top: 4px; font-weight: 600; }
"""
# The nearest spot within a finger's width counts, for spots on a phone are smaller than fingers.
SCRIPT = """
const nearest = (event) => {
  const map = element.querySelector('.map');
  const frame = map.getBoundingClientRect();
  let found = null, least = 26;
  for (const spot of map.querySelectorAll('.spot')) {
    const box = spot.getBoundingClientRect();
    const distance = Math.hypot(box.left + box.width / 2 - event.clientX, box.top + box.height / 2 - event.clientY);
    if (distance < least) { least = distance; found = spot; }
  }
  return found;
};
const point = (spot) => {
  element.querySelectorAll('.spot.near').forEach(other => other.classList.remove('near'));
  const chosen = props.value;
  if (spot) spot.classList.add('near');
  element.querySelector('.names').textContent = spot ? spot.dataset.name : chosen.join(', ') || 'no place chosen';
};
element.addEventListener('pointermove', (event) => point(nearest(event)));
element.addEventListener('pointerleave', () => point(null));
element.addEventListener('click', (event) => {
  const spot = nearest(event);
  if (!spot) return;
  const name = spot.dataset.name, chosen = props.value;
  const others = chosen.filter(other => other !== name);
  const added = others.length === chosen.length ? [name] : [];
  props.value = props.several ? [...others, ...added] : [name];
  trigger('pick');
});
"""


def make_body_map(names: list[str], several: bool, elem_id: str) -> "gr.HTML":
    """
    The picture as a component of gradio. Its value is the list of names chosen; a click triggers `pick`.

    Args:
        names (`list[str]`):
            Chosen at first.
        several (`bool`):
            Whether a click adds and removes places, or replaces the one.
        elem_id (`str`):
            Of the component in the page.

    Returns:
        `gr.HTML`: To be tied to a list by `pick` and the list's `change`.
    """
    import gradio as gr

    image, spots = draw_body_map()
    return gr.HTML(
        value=names, html_template=TEMPLATE, css_template=STYLE, js_on_load=SCRIPT, elem_id=elem_id, image=image,
        spots=spots, several=several,
    )  # fmt: skip


@functools.cache
def draw_body_map() -> tuple[str, list[dict]]:
    """
    The picture as a `data:` address, and where every named placement lies on it.

    Returns:
        `tuple[str, list[dict]]`: The second has `name`, and `x` and `y` in percent of width and height, from the upper
        left corner; a place that both views show comes twice.
    """
    from matplotlib.figure import Figure

    body = BodySurface.default()
    pose = showing_pose(body)
    vertices = body.pose(*pose)
    half_width = float(np.abs(vertices[:, 1]).max()) + MARGIN
    low, high = float(vertices[:, 2].min()) - MARGIN, float(vertices[:, 2].max()) + 3 * MARGIN
    figure = Figure(figsize=(4 * half_width, high - low), dpi=PIXELS_PER_METRE, facecolor="#f3f6f8")
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(-half_width, 3 * half_width), ylim=(low, high))
    ax.axis("off")
    spots = []
    for column, azimuth in enumerate(VIEWS.values()):
        draw_skin(ax, vertices @ camera(azimuth, 0.0).T, body.faces, shift=2 * half_width * column)
    for name, view, right, up in _find_spots(body, pose):
        column = list(VIEWS).index(view)
        x = (right + half_width + 2 * half_width * column) / (4 * half_width)
        spots.append({"name": name, "x": round(100 * x, 2), "y": round(100 * (high - up) / (high - low), 2)})
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor=figure.get_facecolor())
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii"), spots


def _find_spots(body: BodySurface, pose: tuple[np.ndarray, np.ndarray]) -> list[tuple[str, str, float, float]]:
    """Name, view, and metres to the picture's right and up, in every view that shows the place and at least in one."""
    placements = Placements.from_names(list(NAMED_PLACEMENTS), body)
    positions, orientations = pose
    segment = placements.segment.numpy()
    turns = torch.from_numpy(orientations[segment])
    spots = positions[segment] + quaternion_rotate(turns, placements.offset.double()).numpy()
    outward = quaternion_rotate(placements.orientation.double(), torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64))
    normals = quaternion_rotate(turns, outward).numpy()
    found = []
    for name, spot, normal in zip(placements.names, spots, normals, strict=True):
        facing = {view: float(normal @ camera(azimuth, 0.0)[2]) for view, azimuth in VIEWS.items()}
        for view, azimuth in VIEWS.items():
            if facing[view] > FACING or facing[view] == max(facing.values()):
                right, up, _ = camera(azimuth, 0.0) @ spot
                found.append((name, view, float(right), float(up)))
    return found


__all__ = ["draw_body_map", "make_body_map"]

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Drawing skin, skeleton and sensors on matplotlib axes: camera, light, what hides what. Used by `plots`."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from anymo_hf.processing.placements_anymo import SEGMENT_PARENTS, SEGMENTS
from anymo_hf.simulation.body import BodySurface
from anymo_hf.simulation.motion import SegmentMotion
from anymo_hf.simulation.placements import Placements
from anymo_hf.simulation.rotations import quaternion_rotate, quaternion_to_matrix
from anymo_hf.simulation.synthesis.angles import forward_kinematics, local_rotations
from anymo_hf.simulation.synthesis.plan import no_angles, set_angles


if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection

# Okabe and Ito's colours, told apart by people with any kind of colour vision.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6BB1", "#000000")
INK, FAINT, SKIN = "#22303c", "#8a97a3", (0.80, 0.84, 0.88)
# Where the camera stands: degrees from the person's front towards the left, and above the horizon.
VIEWS = {"front": (18.0, 6.0), "side": (-75.0, 6.0), "back": (198.0, 6.0), "oblique": (-50.0, 10.0)}


def showing_pose(body: BodySurface) -> tuple[np.ndarray, np.ndarray]:
    """Standing, the arms 28 degrees from the body so that one sees its sides."""
    angles = set_angles(no_angles(1), shoulder_abduction=28, elbow_flexion=12, forearm_pronation=30)
    positions, orientations = forward_kinematics(local_rotations(angles), np.zeros((1, 3)), body.bone_offsets)
    return positions[0], orientations[0]


def complete_pose(motion: SegmentMotion, frame: int, body: BodySurface) -> tuple[np.ndarray, np.ndarray]:
    """Positions and orientations of a frame; a segment that was not measured goes rigidly with its parent."""
    positions, orientations = motion.positions[frame].copy(), motion.orientations[frame].copy()
    missing = np.zeros(len(SEGMENTS), bool) if motion.mask is None else ~motion.mask[frame]
    offsets = body.bone_offsets
    for segment in np.flatnonzero(missing):
        parent = SEGMENT_PARENTS[segment]
        if parent < 0:
            positions[segment], orientations[segment] = (0.0, 0.0, 1.0), (1.0, 0.0, 0.0, 0.0)
            continue
        orientations[segment] = orientations[parent]
        turn = quaternion_to_matrix(torch.from_numpy(orientations[parent])).numpy()
        positions[segment] = positions[parent] + turn @ offsets[segment]
    return positions, orientations


def heading(orientations: np.ndarray) -> float:
    """Direction in which the pelvis faces, in degrees from +x towards +y."""
    forward = quaternion_to_matrix(torch.from_numpy(orientations[0])).numpy()[:, 0]
    return float(np.degrees(np.arctan2(forward[1], forward[0])))


def camera(azimuth: float, elevation: float, yaw: float = 0.0) -> np.ndarray:
    """Rows: the picture's right, its up, and the direction towards the viewer."""
    a, e = np.radians(azimuth + yaw), np.radians(elevation)
    towards = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
    right = np.array([-np.sin(a), np.cos(a), 0.0])
    return np.stack([right, np.cross(towards, right), towards])


def draw_skin(ax: "Axes", points: np.ndarray, faces: np.ndarray, shift: float = 0.0, zorder: float = 1.0) -> None:
    """Front faces from far to near, lit from the upper left; `points` in camera axes (right, up, towards)."""
    from matplotlib.collections import PolyCollection

    corners = points[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    # The shade of a face is the mean of its corners', which hides the facets.
    smooth = np.zeros((len(points), 3))
    for axis in range(3):
        smooth[:, axis] = np.bincount(faces.ravel(), np.repeat(normals[:, axis], 3), len(points))
    smooth = (smooth / np.maximum(np.linalg.norm(smooth, axis=1, keepdims=True), 1e-12))[faces].mean(1)
    front = np.flatnonzero(normals[:, 2] > 0)
    front = front[np.argsort(corners[front, :, 2].mean(1))]
    light = np.array([-0.45, 0.65, 0.62]) / np.linalg.norm([-0.45, 0.65, 0.62])
    lit = 0.56 + 0.44 * np.clip(smooth[front] @ light, 0, 1) - 0.16 * (1 - np.clip(smooth[front, 2], 0, 1)) ** 2
    colors = np.clip(lit[:, None] * np.array(SKIN) * 1.16, 0, 1)
    polygons = corners[front, :, :2] + [shift, 0.0]
    skin = PolyCollection(polygons, facecolors=colors, edgecolors=colors, linewidths=0.35, zorder=zorder)
    ax.add_collection(skin, autolim=False)


def _visible(points: np.ndarray, normals: np.ndarray, skin: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Which points face the viewer with no nearer skin in front of them; all in camera axes."""
    corners = skin[faces]
    cover = np.concatenate([skin, corners.mean(1), (corners + np.roll(corners, 1, axis=1)).reshape(-1, 3) / 2])
    low, cell = cover[:, :2].min(0), 0.015
    grid = np.ceil(np.ptp(cover[:, :2], axis=0) / cell).astype(int) + 2
    nearest = np.full(grid, -np.inf)
    np.maximum.at(nearest, tuple(((cover[:, :2] - low) / cell).astype(int).T), cover[:, 2])
    where = np.clip(((points[:, :2] - low) / cell).astype(int), 0, grid - 1)
    return (normals[:, 2] > 0.08) & (points[:, 2] > nearest[tuple(where.T)] - 0.05)


def draw_placements(
    ax: "Axes",
    placements: Placements,
    pose: tuple[np.ndarray, np.ndarray],
    camera: np.ndarray,
    vertices: np.ndarray,
    faces: np.ndarray,
    values: np.ndarray | None,
) -> "PathCollection | None":
    """Dots, and for named placements the arrow of the normal and a label in the margin."""
    positions, orientations = pose
    segment = placements.segment.numpy()
    turns = torch.from_numpy(orientations[segment])
    spots = positions[segment] + quaternion_rotate(turns, placements.offset.double()).numpy()
    axis = quaternion_rotate(placements.orientation.double(), torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64))
    spots, normals = spots @ camera.T, quaternion_rotate(turns, axis).numpy() @ camera.T
    seen = _visible(spots, normals, vertices @ camera.T, faces)
    if values is not None or placements.names is None:
        # A few strong dots would leave all others in one colour.
        shown = np.zeros(len(segment)) if values is None else np.asarray(values)
        low, high = np.nanpercentile(shown, [2, 98]) if values is not None else (0.0, 1.0)
        dots = ax.scatter(*spots[seen, :2].T, c=shown[seen], s=11, cmap="viridis", vmin=low, vmax=high, lw=0, zorder=3)
        return dots if values is not None else None
    for index in range(len(segment)):
        color = COLORS[index % len(COLORS)]
        fill = color if seen[index] else "none"
        ax.scatter(*spots[index, :2], s=64, c=fill, edgecolors="white" if seen[index] else color, lw=1.3, zorder=5)
        if seen[index]:
            tip = spots[index, :2] + 0.13 * normals[index, :2]
            arrow = {"arrowstyle": "-|>", "color": color, "lw": 1.6, "shrinkA": 0, "shrinkB": 0}
            ax.annotate("", tip, spots[index, :2], arrowprops=arrow, zorder=4)
    _label_spots(ax, spots, placements.names, seen, (vertices @ camera.T)[:, :2])
    return None


def _label_spots(ax, spots, names, seen, skin) -> None:
    """Names in the left and the right margin, spread so that none covers another."""
    middle, gap = skin[:, 0].mean(), 0.075
    for side, edge, align in ((-1, skin[:, 0].min() - 0.06, "right"), (1, skin[:, 0].max() + 0.06, "left")):
        group = [i for i in range(len(names)) if ((spots[i, 0] > middle) == (side > 0))]
        group.sort(key=lambda i: -spots[i, 1])
        heights = np.array([spots[i, 1] for i in group])
        for _ in range(50):
            for k in range(len(group) - 1):
                overlap = gap - (heights[k] - heights[k + 1])
                if overlap > 0:
                    heights[k : k + 2] += (overlap / 2, -overlap / 2)
        for i, height in zip(group, heights, strict=True):
            color = COLORS[i % len(COLORS)]
            style = "-" if seen[i] else ":"
            ax.plot([spots[i, 0], edge], [spots[i, 1], height], style, color=color, lw=0.9, zorder=4.5)
            ax.text(
                edge + side * 0.015, height, names[i], ha=align, va="center", fontsize=10.5, color=color,
                fontweight="bold" if seen[i] else "normal", parse_math=False,
            )  # fmt: skip


def draw_skeleton(ax: "Axes", points: np.ndarray, shift: float) -> None:
    for segment, parent in enumerate(SEGMENT_PARENTS):
        if parent >= 0:
            color = COLORS[0] if SEGMENTS[segment][:2] == "L_" else COLORS[1] if SEGMENTS[segment][:2] == "R_" else INK
            ax.plot(points[[parent, segment], 0] + shift, points[[parent, segment], 1], color=color, lw=2.2)

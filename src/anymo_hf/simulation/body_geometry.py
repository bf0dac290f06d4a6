# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""What `BodySurface` is made with: how bones follow each other, how skin follows bones, where rays meet skin."""

import numpy as np

from anymo_hf.processing.placements_anymo import NUM_SEGMENTS, SEGMENT_PARENTS, SEGMENTS


SEGMENT_ID = {name: index for index, name in enumerate(SEGMENTS)}
_TRUNK = [SEGMENT_ID[name] for name in ("Pelvis", "L5", "L3", "T12", "T8", "Neck")]
# The segment at the far end of every bone; the trunk's bones run along the spine.
NEXT_SEGMENT = {parent: child for child, parent in reversed(list(enumerate(SEGMENT_PARENTS))) if parent >= 0}
NEXT_SEGMENT |= {SEGMENT_ID["Pelvis"]: SEGMENT_ID["L5"], SEGMENT_ID["T8"]: SEGMENT_ID["Neck"]}
# Segments without a child, and the direction in which they end.
LEAF_AXES = {"Head": (0, 0, 1), "L_Hand": (0, 1, 0), "R_Hand": (0, -1, 0), "L_Toe": (1, 0, 0), "R_Toe": (1, 0, 0)}
# Bones of limbs with the axis that they follow in the T-pose, scaled to the subject's length.
_LIMB_AXES = {"UpperArm": 1, "Forearm": 1, "UpperLeg": 2, "LowerLeg": 2}
_LIMB_RATIOS = (0.3, 3.0)  # outside these times the body's own bone it is no human's: the unit is wrong


def check_axes(joints: np.ndarray):
    """Raise unless the joints stand as a person does who faces +x in the T-pose, in metres."""
    ahead = [joints[SEGMENT_ID[f"{side}_Toe"], 0] - joints[SEGMENT_ID[f"{side}_Foot"], 0] for side in "LR"]
    left = [
        joints[SEGMENT_ID[f"L_{name}"], 1] - joints[SEGMENT_ID[f"R_{name}"], 1]
        for name in ("UpperArm", "Hand", "UpperLeg")
    ]
    up = joints[SEGMENT_ID["Head"], 2] - joints[[SEGMENT_ID["L_Foot"], SEGMENT_ID["R_Foot"]], 2].mean()
    if min(ahead) <= 0 or min(left) <= 0 or not 0.3 < up < 3:
        raise ValueError(
            "The T-pose must face +x with the left side at +y and z up, in metres, but here the toes lie "
            f"{min(ahead):.3g} in front of the ankles, the left joints {min(left):.3g} left of the right ones and the "
            f"head {up:.3g} above the ankles; turn or rescale it."
        )


def piece_maps(source: np.ndarray, target: np.ndarray, sole: float) -> tuple[np.ndarray, np.ndarray]:
    """Scale and image of the origin of every segment's piece, both `(23, 3)`, for `BodySurface.scale_to`."""
    ankles = [SEGMENT_ID["L_Foot"], SEGMENT_ID["R_Foot"]]
    head = SEGMENT_ID["Head"]
    thickness = (target[head, 2] - target[ankles, 2].mean()) / (source[head, 2] - source[ankles, 2].mean())
    scales, anchors = np.full((NUM_SEGMENTS, 3), thickness), target.copy()
    # The trunk keeps its profile: x only grows with the thickness. Upwards it is one piece from hips to head.
    scales[_TRUNK, 2] = target[head, 2] / source[head, 2]
    anchors[[*_TRUNK, head]] = source[[*_TRUNK, head]] * scales[0]
    for side in "LR":
        shoulder, foot, toe = (SEGMENT_ID[f"{side}_{name}"] for name in ("Shoulder", "Foot", "Toe"))
        anchors[shoulder, 0] = source[shoulder, 0] * thickness
        for name, axis in _LIMB_AXES.items():
            segment = SEGMENT_ID[f"{side}_{name}"]
            lengths = [np.linalg.norm(j[NEXT_SEGMENT[segment]] - j[segment]) for j in (source, target)]
            scales[segment, axis] = lengths[1] / lengths[0]
            if not _LIMB_RATIOS[0] <= scales[segment, axis] <= _LIMB_RATIOS[1]:
                raise ValueError(
                    f"`bone_offsets` must be a human's, in metres, but give {SEGMENTS[segment]} {lengths[1]:.3g} m "
                    f"instead of about {lengths[0]:.2g} m; convert the unit or complete the skeleton."
                )
        # Skeletons put the toes at any place; some leave them out.
        reach = [np.linalg.norm((j[toe] - j[foot])[:2]) for j in (source, target)]
        scales[[foot, toe], 0] = np.clip(reach[1] / reach[0], 0.5, 2.0)
        drop = (target[foot, 2] - target[toe, 2]) / (source[foot, 2] - sole)
        scales[[foot, toe], 2] = np.clip(drop, thickness, 2 * thickness)
        anchors[toe, 2] = anchors[foot, 2] + scales[foot, 2] * (source[toe, 2] - source[foot, 2])
    return scales, anchors


def cast_ray(start: np.ndarray, direction: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Where a ray meets triangles (Moeller and Trumbore, 1997).

    Returns:
        Distances `(num_faces,)` in metres, infinite without a hit ahead, and barycentric shares `(num_faces, 3)`.
    """
    corner = triangles[:, 0].astype(np.float64)
    edge1, edge2 = triangles[:, 1] - corner, triangles[:, 2] - corner
    cross = np.cross(direction, edge2)
    determinant = (edge1 * cross).sum(-1)
    scale = np.where(np.abs(determinant) > 1e-15, determinant, np.inf)  # parallel: no hit
    away = start - corner
    u = (away * cross).sum(-1) / scale
    turned = np.cross(away, edge1)
    v = (turned @ direction) / scale
    distance = (edge2 * turned).sum(-1) / scale
    # The tolerance keeps a ray that runs exactly along an edge from slipping through between two faces.
    hit = (u >= -1e-9) & (v >= -1e-9) & (u + v <= 1 + 1e-9) & (distance > 0) & np.isfinite(scale)
    return np.where(hit, distance, np.inf), np.stack([1 - u - v, u, v], -1)

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""`BodySurface`: the skin of a body in the T-pose, bound to the 23 segments, on which sensors are placed."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from anymo_hf.processing.placements_anymo import NUM_SEGMENTS, SEGMENT_PARENTS, SEGMENTS, NamedPlacement
from anymo_hf.simulation.body_geometry import LEAF_AXES, NEXT_SEGMENT, SEGMENT_ID, cast_ray, check_axes, piece_maps
from anymo_hf.simulation.placements import Placements, find_placement
from anymo_hf.simulation.rotations import matrix_to_quaternion, quaternion_to_matrix
from anymo_hf.simulation.segments import tpose_positions


if TYPE_CHECKING:
    import trimesh
    from torch_geometric.data import Data


@functools.cache
def _default_arrays() -> dict[str, np.ndarray]:
    """The packaged body, read once; the arrays are shared and therefore read-only."""
    with np.load(Path(__file__).with_name("body_default.npz"), allow_pickle=False) as file:
        arrays = dict(file)
    weights = np.zeros((len(arrays["vertices"]), NUM_SEGMENTS), np.float32)
    rows = np.arange(len(weights))[:, None]
    weights[rows, arrays.pop("weight_segments")] = arrays.pop("weight_shares") / np.float32(255)
    arrays |= {"weights": weights, "faces": arrays["faces"].astype(np.int64), "joints": arrays["joints"].astype(float)}
    arrays["face_segments"] = weights[arrays["faces"]].sum(1).argmax(1)
    for array in arrays.values():
        array.setflags(write=False)
    return arrays


@dataclass
class BodySurface:
    """
    A body's skin as a triangle mesh in the T-pose, with the segments that carry it.

    All coordinates are in metres, x forward, y left, z up, the pelvis segment's origin at zero. In the T-pose every
    segment's frame equals these axes. Arrays are not to be changed in place: derived quantities are kept.

    Args:
        vertices (`np.ndarray` of shape `(num_vertices, 3)`):
            Points of the skin, float32.
        faces (`np.ndarray` of shape `(num_faces, 3)`):
            Corners of the triangles, int64, counter-clockwise seen from outside.
        weights (`np.ndarray` of shape `(num_vertices, 23)`):
            How much every segment carries each vertex, float32; rows add up to 1.
        joints (`np.ndarray` of shape `(23, 3)`):
            Segment origins, float64.

    Raises:
        ValueError: If shapes disagree, or the joints do not face +x with the left side at +y, z up, in metres.
    """

    vertices: np.ndarray
    faces: np.ndarray
    weights: np.ndarray
    joints: np.ndarray

    def __post_init__(self):
        self.vertices = np.asarray(self.vertices, dtype=np.float32)
        self.faces = np.asarray(self.faces, dtype=np.int64)
        self.weights = np.asarray(self.weights, dtype=np.float32)
        self.joints = np.asarray(self.joints, dtype=np.float64)
        num_vertices, num_faces = len(self.vertices), len(self.faces)
        expected = {"vertices": (num_vertices, 3), "faces": (num_faces, 3), "joints": (NUM_SEGMENTS, 3)}
        for name, shape in (expected | {"weights": (num_vertices, NUM_SEGMENTS)}).items():
            if getattr(self, name).shape != shape or 0 in shape:
                raise ValueError(f"`{name}` must have shape {shape}, but has {getattr(self, name).shape}.")
            if not np.isfinite(getattr(self, name)).all():
                raise ValueError(f"`{name}` must be finite, but holds NaN or infinity.")
        if self.faces.min() < 0 or self.faces.max() >= num_vertices:
            limits = f"{self.faces.min()} to {self.faces.max()}"
            raise ValueError(f"`faces` must index the {num_vertices} vertices, but ranges from {limits}.")
        if self.weights.min() < 0 or np.abs(self.weights.sum(1) - 1).max() > 0.01:
            raise ValueError("`weights` must be non-negative with rows that add up to 1; divide each row by its sum.")
        check_axes(self.joints)

    @classmethod
    def default(cls, shape: np.ndarray | None = None, bone_offsets: np.ndarray | None = None) -> "BodySurface":
        """
        The packaged adult body.

        Args:
            shape (`np.ndarray` of shape `(num_components,)`, *optional*, defaults to `None`):
                Up to 16 coefficients of the principal components of adult shapes, in standard deviations. The first
                one is size: taller is positive. `None` is the average.
            bone_offsets (`np.ndarray` of shape `(23, 3)`, *optional*, defaults to `None`):
                Parent origin to origin in the T-pose, in metres, as in `SegmentMotion`; see `scale_to`. `None` keeps
                the body's own bones.

        Returns:
            `BodySurface`: 12,272 vertices, 24,540 triangles, watertight.
        """
        arrays = _default_arrays()
        vertices, joints = arrays["vertices"], arrays["joints"]
        if shape is not None:
            shape = np.asarray(shape, dtype=np.float32)
            limit = len(arrays["shape_basis"])
            if shape.ndim != 1 or len(shape) > limit or not np.isfinite(shape).all():
                raise ValueError(
                    f"`shape` must be a list of at most {limit} finite coefficients in standard deviations, but has "
                    f"shape {shape.shape}: {shape}."
                )
            basis, joint_basis = arrays["shape_basis"][: len(shape)], arrays["joint_basis"][: len(shape)]
            vertices = vertices + np.einsum("k,kvi->vi", shape * arrays["shape_step"], basis.astype(np.float32))
            joints = joints + np.einsum("k,ksi->si", shape, joint_basis)
        body = cls(vertices, arrays["faces"], arrays["weights"], joints)
        body.face_segments = arrays["face_segments"]
        return body if bone_offsets is None else body.scale_to(bone_offsets)

    @classmethod
    def from_mesh(cls, mesh: "trimesh.Trimesh | str | Path", weights: np.ndarray, joints: np.ndarray) -> "BodySurface":
        """
        A body from the user's own mesh.

        Args:
            mesh (`trimesh.Trimesh`, `str` or `Path`):
                Mesh in the T-pose, or a file of one that trimesh reads: metres, x forward, y left, z up.
            weights (`np.ndarray` of shape `(num_vertices, 23)`):
                Skinning weights in the order of `SEGMENTS`.
            joints (`np.ndarray` of shape `(23, 3)`):
                Segment origins in the mesh's coordinates. The pelvis is moved to zero, the mesh with it.

        Returns:
            `BodySurface`: The body.
        """
        if isinstance(mesh, (str, Path)):
            import trimesh

            # Processing would merge and reorder the vertices, and the weights would belong to others.
            mesh = trimesh.load(mesh, force="mesh", process=False)
        joints = np.asarray(joints, dtype=np.float64)
        return cls(np.asarray(mesh.vertices) - joints[:1], mesh.faces, weights, joints - joints[:1])

    @classmethod
    def from_file(
        cls, path: str | Path, joint_map: dict[str, str] | str | Path | None = None, betas: np.ndarray | None = None
    ) -> "BodySurface":
        """
        A body from the user's own rigged file.

        Args:
            path (`str` or `Path`):
                A skinned mesh bound in the T-pose (`.glb`), or a model of the SMPL family (`.npz`, `.pkl`).
            joint_map (`dict[str, str]` or `str` or `Path`, *optional*, defaults to `None`):
                For a `.glb` with an unknown skeleton, as in `load_motion`.
            betas (`np.ndarray` of shape `(num_betas,)`, *optional*, defaults to `None`):
                For a model of the SMPL family: the subject's shape.

        Returns:
            `BodySurface`: The body.

        Raises:
            ValueError: If the file has no skin, is damaged, or is of another kind.
        """
        from anymo_hf.simulation.body_files import read_body_glb, read_body_smpl  # imports this module

        return read_body_glb(path, joint_map) if Path(path).suffix.lower() == ".glb" else read_body_smpl(path, betas)

    @property
    def height(self) -> float:
        """Height of the body in metres."""
        return float(np.ptp(self.vertices[:, 2]))

    @property
    def volume(self) -> float:
        """What the skin encloses, in cubic metres; for closed meshes."""
        return float(np.einsum("fi,fi->", self.vertices[self.faces[:, 0]], self._face_vectors)) / 6

    @property
    def bone_offsets(self) -> np.ndarray:
        """Parent origin to origin in the T-pose, metres, `(23, 3)`; the root's row is zero."""
        return np.where(np.array(SEGMENT_PARENTS)[:, None] < 0, 0, self.joints - self.joints[list(SEGMENT_PARENTS)])

    @functools.cached_property
    def _face_vectors(self) -> np.ndarray:
        """Outward normal of every face times twice its area, m^2, `(num_faces, 3)` float64."""
        corners = self.vertices[self.faces].astype(np.float64)
        return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])

    @functools.cached_property
    def face_areas(self) -> np.ndarray:
        """Area of every face in m^2, `(num_faces,)`."""
        return np.linalg.norm(self._face_vectors, axis=1) / 2

    @functools.cached_property
    def vertex_normals(self) -> np.ndarray:
        """
        Outward unit normals, `(num_vertices, 3)` float64: the mean of the adjacent faces weighted by their area.

        Weighting by corner angle instead, as trimesh does, turns them by a degree in the median, more on thin fingers.
        """
        normals = np.zeros((len(self.vertices), 3))
        for axis in range(3):
            values = np.repeat(self._face_vectors[:, axis], 3)
            normals[:, axis] = np.bincount(self.faces.ravel(), values, len(normals))
        return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)

    @functools.cached_property
    def face_segments(self) -> np.ndarray:
        """Segment that carries most of every face, `(num_faces,)` int64."""
        return self.weights[self.faces].sum(1).argmax(1)

    @functools.cached_property
    def segment_areas(self) -> np.ndarray:
        """Area of every segment's faces in m^2, `(23,)`."""
        return np.bincount(self.face_segments, self.face_areas, NUM_SEGMENTS)

    @functools.cached_property
    def far_ends(self) -> np.ndarray:
        """Where every segment's bone ends, m, `(23, 3)`: the next joint, or how far head, hand and toe reach."""
        ends = self.joints.copy()
        for segment, child in NEXT_SEGMENT.items():
            ends[segment] = self.joints[child]
        for name, direction in LEAF_AXES.items():
            own = self.faces[self.face_segments == SEGMENT_ID[name]].ravel()
            reach = ((self.vertices[own] - self.joints[SEGMENT_ID[name]]) @ np.array(direction)).max(initial=0.0)
            ends[SEGMENT_ID[name]] += reach * np.array(direction)
        return ends

    def scale_to(self, bone_offsets: np.ndarray) -> "BodySurface":
        """
        The same body with a subject's bones.

        Joints come to lie exactly where `tpose_positions(bone_offsets)` says. The skin follows, blended over its
        weights so that it stays smooth: each limb's piece is stretched along its bone to the subject's length, the
        trunk as a whole from hips to head (spines are divided differently by every skeleton, bellies are not), feet by
        the horizontal distance from ankle to toes, and upwards so that the sole lies no higher than the toe joint.
        Across the bones everything is scaled by one factor, the subject's height from ankle to head over the body's.
        The trunk keeps its profile seen from the side, for skeletons draw a straight spine.

        Args:
            bone_offsets (`np.ndarray` of shape `(23, 3)`):
                Parent origin to origin in the T-pose, in metres; the root's row is ignored.

        Returns:
            `BodySurface`: The scaled body.
        """
        bone_offsets = np.asarray(bone_offsets, dtype=np.float64)
        if bone_offsets.shape != (NUM_SEGMENTS, 3) or not np.isfinite(bone_offsets).all():
            raise ValueError(
                f"`bone_offsets` must be finite numbers of shape {(NUM_SEGMENTS, 3)}, but has shape "
                f"{bone_offsets.shape}; pass the `bone_offsets` of a SegmentMotion."
            )
        source, target = self.joints, tpose_positions(bone_offsets)
        check_axes(target)
        scales, anchors = piece_maps(source, target, sole=float(self.vertices[:, 2].min()))
        maps = self.weights @ np.concatenate([scales, anchors - scales * source], 1).astype(np.float32)
        scaled = BodySurface(maps[:, :3] * self.vertices + maps[:, 3:], self.faces, self.weights, target)
        scaled.face_segments = self.face_segments  # the slowest of the derived quantities stays the same
        return scaled

    def sample(self, num_per_segment: int, generator: torch.Generator | None = None) -> Placements:
        """
        Sensors everywhere on the skin, uniform over the area of each segment.

        Args:
            num_per_segment (`int`):
                Sensors on each of the 23 segments.
            generator (`torch.Generator`, *optional*, defaults to `None`):
                Source of randomness, on the CPU; `None` means torch's global one.

        Returns:
            `Placements`: `23 * num_per_segment` placements in the order of the segments, with axes tangent, binormal
            and outward normal, aligned with the bone. `mount` turns them as sensors are worn.
        """
        if num_per_segment < 1:
            raise ValueError(f"`num_per_segment` must be at least 1, but {num_per_segment} was given.")
        return self._sample(np.full(NUM_SEGMENTS, num_per_segment), generator)

    def sample_total(self, num_placements: int, generator: torch.Generator | None = None) -> Placements:
        """
        Sensors all over the body, as many on each segment as its share of the area, but at least one.

        Args:
            num_placements (`int`):
                Sensors in all, at least 23.
            generator (`torch.Generator`, *optional*, defaults to `None`):
                As in `sample`.

        Returns:
            `Placements`: `num_placements` placements in the order of the segments.
        """
        if num_placements < NUM_SEGMENTS:
            raise ValueError(f"`num_placements` must be at least 23, one per segment, but {num_placements} was given.")
        share = (num_placements - NUM_SEGMENTS) * self.segment_areas / self.segment_areas.sum()
        counts = 1 + np.floor(share).astype(int)
        # What rounding leaves over goes to the segments that it cost most.
        left = num_placements - counts.sum()
        counts[np.argsort(np.floor(share) - share, kind="stable")[:left]] += 1
        return self._sample(counts, generator)

    def _sample(self, counts: np.ndarray, generator: torch.Generator | None) -> Placements:
        """That many placements on each segment, `counts` of shape `(23,)`."""
        if (self.segment_areas <= 0).any():
            bare = [SEGMENTS[segment] for segment in np.nonzero(self.segment_areas <= 0)[0]]
            raise ValueError(f"Every segment needs some surface, but no face belongs to {', '.join(bare)}.")
        segments = np.repeat(np.arange(NUM_SEGMENTS), counts)
        draws = torch.rand(len(segments), 3, generator=generator, dtype=torch.float64).numpy()
        # All faces side by side on a line, each as long as its area and grouped by segment.
        order = np.argsort(self.face_segments, kind="stable")
        ends = np.concatenate([[0.0], np.cumsum(self.face_areas[order])])
        last = np.cumsum(np.bincount(self.face_segments, minlength=NUM_SEGMENTS))
        first = np.concatenate([[0], last[:-1]])
        goals = ends[first][segments] + draws[:, 0] * (ends[last] - ends[first])[segments]
        spots = np.searchsorted(ends[1:], goals, side="right")
        corners = self.faces[order[np.clip(spots, first[segments], last[segments] - 1)]]  # (num_placements, 3)
        # The square root makes the point uniform over the triangle; without it points crowd at one corner.
        root = np.sqrt(draws[:, 1])
        shares = np.stack([1 - root, root * (1 - draws[:, 2]), root * draws[:, 2]], -1)
        points = np.einsum("pc,pci->pi", shares, self.vertices[corners])
        normals = np.einsum("pc,pci->pi", shares, self.vertex_normals[corners])
        return Placements(
            segment=torch.from_numpy(segments),
            offset=torch.from_numpy(points - self.joints[segments]),
            orientation=self._frames(segments, normals),
        )

    def _frames(self, segments: np.ndarray, normals: np.ndarray) -> torch.Tensor:
        """Quaternions `(num_placements, 4)` of sensors that lie on the skin: x along the bone, z along the normal."""
        normals = normals / np.linalg.norm(normals, axis=-1, keepdims=True)
        bones = (self.far_ends - self.joints)[segments]
        bones /= np.maximum(np.linalg.norm(bones, axis=-1, keepdims=True), 1e-9)
        tangents = bones - (bones * normals).sum(-1, keepdims=True) * normals
        # On top of the head or on fingertips the normal is the bone: take forward, or upwards on the feet.
        other = np.where(np.abs(bones[:, :1]) < 0.7, [1.0, 0, 0], [0, 0, 1.0])
        other = other - (other * normals).sum(-1, keepdims=True) * normals
        tangents = np.where(np.linalg.norm(tangents, axis=-1, keepdims=True) > 0.05, tangents, other)
        tangents /= np.linalg.norm(tangents, axis=-1, keepdims=True)
        matrices = np.stack([tangents, np.cross(normals, tangents), normals], axis=-1)
        return matrix_to_quaternion(torch.from_numpy(matrices)).float()

    def place(self, placement: str | NamedPlacement) -> tuple[torch.Tensor, torch.Tensor]:
        """
        The spot of a named placement on this body.

        From the point `along` the bone (in trunk and head: at that height, halfway between front and back) a ray
        leaves in the direction `facing`, on limbs made perpendicular to the bone unless it runs along it; the sensor
        sits where the ray leaves the segment's skin. If the ray misses that skin, the spot is the middle of the
        segment's face nearest to where the ray meets the body.

        Args:
            placement (`str` or `NamedPlacement`):
                Name, alias or segment as for `Placements.from_names`, or a placement of your own.

        Returns:
            `tuple[torch.Tensor, torch.Tensor]`: Offset from the segment's origin in metres of shape `(3,)`, and the
            quaternion of shape `(4,)` from sensor to segment; x along the bone, z away from the body.
        """
        placement = find_placement(placement) if isinstance(placement, str) else placement
        if placement.segment not in SEGMENT_ID:
            raise ValueError(f"`segment` must be one of SEGMENTS, but {placement.segment!r} was given.")
        segment = SEGMENT_ID[placement.segment]
        own = self.faces[self.face_segments == segment]
        if not len(own):
            raise ValueError(f"Placement {placement.name!r} needs skin, but {placement.segment} has no face.")
        direction = np.asarray(placement.facing, dtype=np.float64)
        if not np.isfinite(direction).all() or not direction.any():
            raise ValueError(f"`facing` must be a direction, but {placement.facing} was given.")
        direction = direction / np.linalg.norm(direction)
        bone = self.far_ends[segment] - self.joints[segment]
        start = self.joints[segment] + placement.along * bone
        if placement.segment[:2] in ("L_", "R_"):
            across = direction - (direction @ bone) / max(bone @ bone, 1e-12) * bone
            if np.linalg.norm(across) > 0.1:
                direction = across / np.linalg.norm(across)
        else:
            # The spine runs near the back, and many a skeleton's head joint at the nape: start halfway.
            start[0] = (self.vertices[own, 0].min() + self.vertices[own, 0].max()) / 2
        corners, shares = self._outermost_hit(start, direction, own)
        offset = shares @ self.vertices[corners] - self.joints[segment]
        normal = shares @ self.vertex_normals[corners]
        orientation = self._frames(np.array([segment]), normal[None])[0]
        return torch.from_numpy(offset).float(), orientation

    def _outermost_hit(self, start: np.ndarray, direction: np.ndarray, own: np.ndarray) -> tuple:
        """Corners `(3,)` and barycentric shares `(3,)` where a ray leaves the faces `own`, or nearly so."""
        distance, shares = cast_ray(start, direction, self.vertices[own])
        if np.isfinite(distance).any():
            best = np.where(np.isfinite(distance), distance, -1).argmax()
            return own[best], shares[best]
        everywhere, _ = cast_ray(start, direction, self.vertices[self.faces])
        goal = start + direction * everywhere.min() if np.isfinite(everywhere).any() else start
        gaps = np.linalg.norm(self.vertices[own].mean(1) - goal, axis=-1)
        return own[gaps.argmin()], np.full(3, 1 / 3)

    def pose(self, positions: np.ndarray, orientations: np.ndarray) -> np.ndarray:
        """
        The skin in another pose, by linear blend skinning; for pictures, as sensors are rigid with one segment.

        Args:
            positions (`np.ndarray` of shape `(23, 3)`):
                Segment origins in the world, in metres: one frame of a `SegmentMotion`.
            orientations (`np.ndarray` of shape `(23, 4)`):
                Unit quaternions w, x, y, z from segment to world.

        Returns:
            `np.ndarray` of shape `(num_vertices, 3)`: Vertices in the world, in metres, float32.
        """
        positions, orientations = np.asarray(positions, dtype=np.float64), np.asarray(orientations, dtype=np.float64)
        if positions.shape != (NUM_SEGMENTS, 3) or orientations.shape != (NUM_SEGMENTS, 4):
            raise ValueError(
                f"One frame of shapes {(NUM_SEGMENTS, 3)} and {(NUM_SEGMENTS, 4)} is expected, but {positions.shape} "
                f"and {orientations.shape} were given; pose frames one by one."
            )
        rotations = quaternion_to_matrix(torch.from_numpy(orientations)).numpy()
        shifts = positions - np.einsum("sij,sj->si", rotations, self.joints)
        affine = self.weights @ np.concatenate([rotations, shifts[..., None]], -1).reshape(NUM_SEGMENTS, 12)
        affine = affine.reshape(-1, 3, 4)
        return (np.einsum("vij,vj->vi", affine[..., :3], self.vertices) + affine[..., 3]).astype(np.float32)

    @functools.cached_property
    def _edges(self) -> np.ndarray:
        """Every edge of the mesh once, `(num_edges, 2)`."""
        return np.unique(np.sort(self.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0)

    def geodesic_distances(self, vertex: int) -> np.ndarray:
        """Way over the skin from one vertex to all, m, `(num_vertices,)`; along edges, so a little too long."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import dijkstra

        first, second = self._edges.T
        lengths = np.linalg.norm(self.vertices[first] - self.vertices[second], axis=1)
        graph = coo_array((lengths, (first, second)), shape=2 * [len(self.vertices)]).tocsr()
        return dijkstra(graph, directed=False, indices=vertex)

    def to_graph(self) -> "Data":
        """The mesh as a `torch_geometric` graph: `pos`, `normal`, `face`, `edge_index` both ways and `segment`."""
        from torch_geometric.data import Data

        edges = torch.from_numpy(self._edges.T.copy())
        return Data(
            pos=torch.tensor(self.vertices),
            normal=torch.from_numpy(self.vertex_normals).float(),
            face=torch.tensor(self.faces.T),
            edge_index=torch.cat([edges, edges.flip(0)], dim=1),
            segment=torch.from_numpy(self.weights.argmax(1)),
        )

    def to_trimesh(self) -> "trimesh.Trimesh":
        """The mesh for looking at it and for writing it to a file."""
        import trimesh

        return trimesh.Trimesh(self.vertices, self.faces, process=False)

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The body surface: a closed skin that faces +x, on which samples are uniform and names find their place."""

from pathlib import Path

import numpy as np
import pytest
import torch

import anymo_hf.simulation.body as body_module
from anymo_hf.processing.placements_anymo import NAMED_PLACEMENTS, SEGMENTS, NamedPlacement
from anymo_hf.simulation.body import BodySurface
from anymo_hf.simulation.placements import Placements
from anymo_hf.simulation.rotations import quaternion_exp, quaternion_rotate, quaternion_to_matrix
from anymo_hf.simulation.segments import DEFAULT_BONE_OFFSETS, tpose_positions


ID = {name: index for index, name in enumerate(SEGMENTS)}
SHAPES = [None, [2.5], [-2.5], [0, 2.5], [0, -2.5], [0, 0, -2.5], np.full(16, 1.0), np.full(16, -1.0)]
LONG_LEGGED = (
    DEFAULT_BONE_OFFSETS * (1 + 0.2 * np.isin(SEGMENTS, ["L_LowerLeg", "R_LowerLeg", "L_Foot", "R_Foot"]))[:, None]
)
SUBJECTS = [DEFAULT_BONE_OFFSETS, DEFAULT_BONE_OFFSETS * 0.85, DEFAULT_BONE_OFFSETS * 1.15, LONG_LEGGED]


@pytest.fixture(scope="module")
def body() -> BodySurface:
    return BodySurface.default()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def points_of(body: BodySurface, placements: Placements) -> np.ndarray:
    """Where the sensors are in the T-pose, `(num_placements, 3)`."""
    return placements.offset.numpy() + body.joints[placements.segment.numpy()]


def normals_of(placements: Placements) -> np.ndarray:
    return quaternion_rotate(placements.orientation, torch.tensor([0.0, 0.0, 1.0])).numpy()


def winding_numbers(body: BodySurface, points: np.ndarray) -> np.ndarray:
    """How often the skin encloses each point: 1 inside, 0 outside (van Oosterom and Strackee, 1983)."""
    numbers = []
    for point in points:
        a, b, c = (body.vertices[body.faces[:, i]].astype(float) - point for i in range(3))
        x, y, z = (np.linalg.norm(v, axis=1) for v in (a, b, c))
        volume = np.einsum("fi,fi->f", a, np.cross(b, c))
        rest = x * y * z + (a * b).sum(1) * z + (b * c).sum(1) * x + (c * a).sum(1) * y
        numbers.append(np.arctan2(volume, rest).sum() / (2 * np.pi))
    return np.array(numbers)


def triangle_distances(point: np.ndarray, triangles: np.ndarray) -> float:
    """Distance from a point to the nearest of the triangles."""
    import trimesh

    nearest = trimesh.triangles.closest_point(triangles, np.broadcast_to(point, (len(triangles), 3)))
    return np.linalg.norm(nearest - point, axis=1).min()


def test_the_packaged_file_is_small():
    path = Path(body_module.__file__).with_name("body_default.npz")
    assert path.stat().st_size <= 1.5e6


def test_the_default_body_is_a_closed_adult(body):
    mesh = body.to_trimesh()
    assert mesh.is_watertight
    assert mesh.body_count == 1
    assert len(body.vertices) == 12272
    assert len(body.faces) == 24540
    assert 1.6 < body.height < 1.8
    assert np.ptp(body.vertices[:, 1]) / body.height == pytest.approx(1.0, abs=0.05)
    assert 0.055 < mesh.volume < 0.08  # 55 to 80 litres, and positive: the faces look outwards
    assert body.face_areas.sum() == pytest.approx(mesh.area, rel=1e-6)
    assert (body.segment_areas > 0.005).all()
    assert body.segment_areas.sum() == pytest.approx(mesh.area, rel=1e-6)


def test_the_template_faces_forward_with_left_at_plus_y(body):
    assert np.array_equal(body.joints[0], np.zeros(3))
    for side, sign in (("L", 1), ("R", -1)):
        foot, toe = body.vertices[body.weights.argmax(1) == ID[f"{side}_Foot"]], body.joints[ID[f"{side}_Toe"]]
        assert toe[0] > body.joints[ID[f"{side}_Foot"], 0] + 0.1  # toes point forward
        assert np.sign(foot[:, 1].mean()) == sign
        arm = body.joints[[ID[f"{side}_{name}"] for name in ("UpperArm", "Forearm", "Hand")]]
        assert (np.diff(arm[:, 1]) * sign > 0.15).all()  # arms along the y axis, and straight
        assert np.abs(np.diff(arm[:, [0, 2]], axis=0)).max() < 1e-3
        leg = body.joints[[ID[f"{side}_{name}"] for name in ("UpperLeg", "LowerLeg", "Foot")]]
        assert (np.diff(leg[:, 2]) < -0.3).all()  # legs straight down
        assert np.abs(np.diff(leg[:, :2], axis=0)).max() < 1e-3
    # The nose is the foremost point of the head.
    head = body.vertices[body.weights.argmax(1) == ID["Head"]]
    nose = head[head[:, 0].argmax()]
    assert abs(nose[1]) < 0.02
    assert nose[0] > body.joints[ID["Head"], 0] + 0.08


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bone_offsets", [None, *SUBJECTS])
def test_shape_and_scaling_keep_the_skin_whole(shape, bone_offsets, body):
    other = BodySurface.default(shape, bone_offsets)
    mesh = other.to_trimesh()
    assert mesh.is_watertight
    assert 0.025 < mesh.volume < 0.2
    assert other.face_areas.min() > 0
    # No spike: no edge is drawn out beyond what the body's size explains.
    edges = np.linalg.norm(mesh.vertices[mesh.edges_unique[:, 0]] - mesh.vertices[mesh.edges_unique[:, 1]], axis=1)
    before = body.to_trimesh().edges_unique_length
    assert edges.max() < 2 * before.max()
    # Hardly any face turns over: its normal stays on the side where the average body's points.
    turned = (mesh.face_normals * body.to_trimesh().face_normals).sum(1) < 0
    assert other.face_areas[turned].sum() < 0.01 * other.face_areas.sum()


@pytest.mark.parametrize("bone_offsets", SUBJECTS)
@pytest.mark.parametrize("shape", [None, [1.5, -1.0]])
def test_scaled_joints_are_exactly_the_subjects(shape, bone_offsets):
    scaled = BodySurface.default(shape, bone_offsets)
    assert np.array_equal(scaled.joints, tpose_positions(bone_offsets))
    np.testing.assert_allclose(scaled.bone_offsets, bone_offsets, atol=1e-12)


def test_scaling_to_its_own_bones_changes_nothing(body):
    same = body.scale_to(body.bone_offsets)
    np.testing.assert_allclose(same.joints, body.joints, atol=1e-12)
    np.testing.assert_allclose(same.vertices, body.vertices, atol=1e-6)


def test_a_uniformly_larger_subject_gets_a_uniformly_larger_skin(body):
    larger = body.scale_to(body.bone_offsets * 1.1)
    np.testing.assert_allclose(larger.vertices, body.vertices * 1.1, atol=2e-3)
    assert larger.height == pytest.approx(1.1 * body.height, rel=0.002)


def test_limbs_stretch_with_their_bones(body):
    longer = body.bone_offsets
    longer[[ID["L_Hand"], ID["R_Hand"]]] *= 1.2  # the forearm's length
    stretched = body.scale_to(longer)
    forearm = body.weights[:, ID["L_Forearm"]] > 0.99
    ratio = np.ptp(stretched.vertices[forearm], axis=0) / np.ptp(body.vertices[forearm], axis=0)
    np.testing.assert_allclose(ratio, [1.0, 1.2, 1.0], atol=0.002)
    leg = body.weights[:, ID["L_LowerLeg"]] > 0.99
    np.testing.assert_allclose(stretched.vertices[leg], body.vertices[leg], atol=1e-5)


def test_the_first_component_is_size():
    heights = [BodySurface.default([x]).height for x in (-2.0, 0.0, 2.0)]
    assert heights[0] < heights[1] - 0.1
    assert heights[2] > heights[1] + 0.1


def test_normals_point_outwards_and_samples_lie_on_the_skin(body):
    placements = body.sample(3, seeded())
    points, normals = points_of(body, placements), normals_of(placements)
    triangles = body.vertices[body.faces].astype(float)
    assert max(triangle_distances(point, triangles) for point in points[::3]) < 1e-5
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(winding_numbers(body, points + 1e-3 * normals), 0, atol=0.01)
    np.testing.assert_allclose(winding_numbers(body, points - 1e-3 * normals), 1, atol=0.01)


def test_vertex_normals_of_a_sphere_are_its_points(body):
    import trimesh

    sphere = trimesh.creation.icosphere(subdivisions=3)
    weights = np.eye(23)[np.arange(len(sphere.vertices)) % 23]
    ball = BodySurface.from_mesh(sphere, weights, body.joints)
    np.testing.assert_allclose(ball.vertex_normals, sphere.vertices, atol=0.02)


def test_samples_are_uniform_over_the_area_of_each_segment(body):
    num = 2000
    placements = body.sample(num, seeded())
    assert torch.equal(placements.segment, torch.arange(23).repeat_interleave(num))
    points = points_of(body, placements).reshape(23, num, 3)
    centres = body.vertices[body.faces].mean(1)
    for segment in range(23):
        own = body.face_segments == segment
        area = body.face_areas[own]
        # The mean of the samples is the centroid of the area, within 4.5 standard errors.
        error = points[segment].mean(0) - np.average(centres[own], axis=0, weights=area)
        assert (np.abs(error) < 4.5 * points[segment].std(0) / np.sqrt(num) + 1e-6).all()


def test_sample_counts_follow_the_area_of_faces(body):
    # Chi-square over 40 bins of equal area along the left thigh.
    num, bins = 4000, 40
    placements = body.sample(num, seeded(1))
    heights = points_of(body, placements)[placements.segment.numpy() == ID["L_UpperLeg"], 2]
    own = body.face_segments == ID["L_UpperLeg"]
    # Many points on every face by the regular subdivision of the triangle: the true distribution of heights.
    i, j = np.meshgrid(np.arange(12), np.arange(12))
    i, j = (i[i + j < 12] + 1 / 3) / 12, (j[i + j < 12] + 1 / 3) / 12
    fine = np.einsum("pc,fc->fp", np.stack([1 - i - j, i, j], -1), body.vertices[body.faces[own]][..., 2])
    order = np.argsort(fine.ravel())
    share = np.cumsum(np.repeat(body.face_areas[own], fine.shape[1])[order])
    edges = np.interp(np.linspace(0, 1, bins + 1)[1:-1], share / share[-1], fine.ravel()[order])
    counts = np.bincount(np.searchsorted(edges, heights), minlength=bins)
    assert ((counts - num / bins) ** 2 / (num / bins)).sum() < 72.1  # 39 degrees of freedom, p = 0.001


def test_dense_samples_share_the_body_by_area(body):
    placements = body.sample_total(2374, seeded())
    counts = torch.bincount(placements.segment, minlength=23).numpy()
    assert counts.sum() == len(placements) == 2374
    assert counts.min() >= 1
    share = body.segment_areas / body.segment_areas.sum()
    np.testing.assert_allclose(counts, 1 + (2374 - 23) * share, atol=1)
    assert (torch.bincount(body.sample_total(23).segment) == 1).all()


def test_frames_are_right_handed_and_follow_the_bone(body):
    placements = body.sample(50, seeded())
    matrices = quaternion_to_matrix(placements.orientation)
    assert (matrices.transpose(-1, -2) @ matrices - torch.eye(3)).abs().max() < 1e-5
    assert torch.linalg.det(matrices).sub(1).abs().max() < 1e-5
    # On the left forearm the tangent is near the bone's +y, wherever around it the sensor sits.
    forearm = matrices[placements.segment == ID["L_Forearm"]]
    assert forearm[:, 1, 0].min() > 0.8
    assert body.sample(50, seeded()).orientation.isfinite().all()


def test_sampling_follows_its_generator(body):
    first, same, other = (body.sample(4, seeded(seed)).offset for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert not torch.equal(body.sample(4).offset, body.sample(4).offset)


@pytest.mark.parametrize("bone_offsets", [None, *SUBJECTS])
def test_names_find_their_place(bone_offsets):
    body = BodySurface.default(bone_offsets=bone_offsets)
    placements = Placements.from_names(list(NAMED_PLACEMENTS), body)
    point = dict(zip(placements.names, points_of(body, placements), strict=True))
    normal = dict(zip(placements.names, normals_of(placements), strict=True))
    assert normal["chest"][0] > 0.7
    assert normal["upper back"][0] < -0.7
    assert normal["lower back"][0] < -0.9
    assert normal["head"][2] > 0.9
    assert normal["forehead"][0] > 0.7
    assert normal["left ear"][1] > 0.7
    assert normal["left palm"][2] < -0.7
    assert normal["left hand"][2] > 0.7
    assert normal["left calf"][0] < -0.7
    assert normal["left ankle"][1] > 0.7
    elbow, hand = body.joints[ID["L_Forearm"], 1], body.joints[ID["L_Hand"], 1]
    assert point["left wrist"][1] == pytest.approx(elbow + 0.92 * (hand - elbow), abs=0.03)
    assert point["left wrist"][1] > 0.4 > -0.4 > point["right wrist"][1]
    assert point["left foot"][0] > body.joints[ID["L_Foot"], 0]
    assert point["forehead"][2] > point["chest"][2] > point["waist"][2] > point["left shin"][2] > point["left toe"][2]


@pytest.mark.parametrize("bone_offsets", [None, DEFAULT_BONE_OFFSETS])
def test_left_and_right_are_mirror_images(bone_offsets):
    body = BodySurface.default(bone_offsets=bone_offsets)
    for name in NAMED_PLACEMENTS:
        if name.startswith("left "):
            pair = Placements.from_names([name, name.replace("left", "right")], body)
            left, right = points_of(body, pair)
            assert np.linalg.norm(left - right * [1, -1, 1]) < 0.01, name
            left, right = normals_of(pair)
            assert left @ (right * [1, -1, 1]) > 0.95, name
    np.testing.assert_allclose(body.segment_areas[7:11], body.segment_areas[11:15], rtol=0.02)
    np.testing.assert_allclose(body.segment_areas[15:19], body.segment_areas[19:23], rtol=0.02)


def test_a_ray_that_misses_its_segment_ends_on_it_nevertheless(body):
    # Beyond the fingertips there is no forearm; the nearest piece of it is at the wrist.
    offset, orientation = body.place(NamedPlacement("far", "L_Forearm", 1.4, (0, 0, 1)))
    length = body.bone_offsets[ID["L_Hand"], 1]
    assert 0.8 * length < offset[1] < 1.1 * length
    assert torch.linalg.vector_norm(orientation).item() == pytest.approx(1, abs=1e-6)


def test_posing_rigidly_moves_the_whole_skin(body):
    turn = quaternion_exp(torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64))
    shift = np.array([1.0, 2.0, 3.0])
    turned = quaternion_rotate(turn, torch.tensor(body.joints)).numpy() + shift
    posed = body.pose(turned, turn.expand(23, 4).numpy())
    expected = quaternion_rotate(turn, torch.tensor(body.vertices).double()).numpy() + shift
    np.testing.assert_allclose(posed, expected, atol=1e-5)
    rest = body.pose(body.joints, np.eye(4)[[0] * 23])
    np.testing.assert_allclose(rest, body.vertices, atol=1e-5)


def test_geodesic_distances_go_over_the_skin(body):
    sole = int(body.vertices[:, 2].argmin())
    distances = body.geodesic_distances(sole)
    straight = np.linalg.norm(body.vertices - body.vertices[sole], axis=1)
    assert distances[sole] == 0
    assert np.isfinite(distances).all()  # one piece
    assert (distances >= straight - 1e-6).all()
    assert 1.0 < distances[body.vertices[:, 2].argmax()] / body.height < 1.4


def test_the_graph_has_every_edge_both_ways(body):
    graph = body.to_graph()
    assert graph.num_nodes == 12272
    assert graph.edge_index.shape == (2, 3 * 24540)  # a closed mesh has 3/2 edges per face
    assert graph.is_undirected()
    assert not graph.has_isolated_nodes()


def test_an_own_mesh_is_moved_to_its_pelvis(body, tmp_path):
    path = tmp_path / "own.ply"
    mesh = body.to_trimesh()
    mesh.apply_translation([0.5, 0.2, 0.9])
    mesh.export(path)
    own = BodySurface.from_mesh(path, body.weights, body.joints + [0.5, 0.2, 0.9])
    np.testing.assert_allclose(own.vertices, body.vertices, atol=1e-6)
    np.testing.assert_allclose(own.joints, body.joints, atol=1e-12)
    assert np.array_equal(own.faces, body.faces)


def test_a_template_that_faces_another_way_is_refused(body):
    for turned in (
        body.joints * [-1, -1, 1],  # faces backwards
        body.joints * [1, -1, 1],  # left and right exchanged
        body.joints[:, [2, 0, 1]],  # y up
        body.joints * 100,  # centimetres
    ):
        with pytest.raises(ValueError, match=r"must face \+x"):
            BodySurface(body.vertices, body.faces, body.weights, turned)


def test_bad_meshes_are_named(body):
    parts = {"vertices": body.vertices, "faces": body.faces, "weights": body.weights, "joints": body.joints}
    for changes, message in (
        ({"vertices": body.vertices[:, :2]}, "`vertices` must have shape"),
        ({"vertices": body.vertices * np.nan}, "finite"),
        ({"faces": body.faces + 1}, "index the 12272"),
        ({"weights": body.weights[:, :22]}, "`weights` must have shape"),
        ({"weights": body.weights * 2}, "add up to 1"),
        ({"joints": body.joints[:22]}, "`joints` must have shape"),
    ):
        with pytest.raises(ValueError, match=message):
            BodySurface(**(parts | changes))


def test_bad_requests_are_named(body):
    for shape in (np.zeros(17), np.zeros((2, 3)), [np.nan]):
        with pytest.raises(ValueError, match="at most 16"):
            BodySurface.default(shape)
    with pytest.raises(ValueError, match=r"\(23, 3\)"):
        body.scale_to(np.zeros((22, 3)))
    broken = body.bone_offsets
    broken[ID["L_Hand"]] = 0
    with pytest.raises(ValueError, match="L_Forearm"):
        body.scale_to(broken)
    with pytest.raises(ValueError, match="num_per_segment"):
        body.sample(0)
    with pytest.raises(ValueError, match="at least 23"):
        body.sample_total(22)
    with pytest.raises(ValueError, match="one of SEGMENTS"):
        body.place(NamedPlacement("tail", "Tail", 0.5, (1, 0, 0)))
    with pytest.raises(ValueError, match="direction"):
        body.place(NamedPlacement("nowhere", "Head", 0.5, (0, 0, 0)))
    with pytest.raises(ValueError, match="frames one by one"):
        body.pose(np.zeros((5, 23, 3)), np.zeros((5, 23, 4)))
    headless = np.where(np.arange(23) == ID["Head"], 0, body.weights)
    headless[:, ID["Neck"]] += body.weights[:, ID["Head"]]
    bare = BodySurface(body.vertices, body.faces, headless, body.joints)
    with pytest.raises(ValueError, match="Head"):
        bare.sample(1)
    with pytest.raises(ValueError, match="needs skin"):
        bare.place("forehead")

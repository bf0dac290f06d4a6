# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Placements: validation, names, and mounting that keeps sensors on the skin."""

import math

import pytest
import torch

from anymo_hf.processing.placements_anymo import NAMED_PLACEMENTS, SEGMENTS
from anymo_hf.simulation.body import BodySurface
from anymo_hf.simulation.placements import Placements
from anymo_hf.simulation.rotations import quaternion_multiply, quaternion_rotate, quaternion_to_matrix


Z = torch.tensor([0.0, 0.0, 1.0])


@pytest.fixture(scope="module")
def placements() -> Placements:
    return BodySurface.default().sample(20, torch.Generator().manual_seed(0))


def normals(placements: Placements) -> torch.Tensor:
    """The sensors' z axes in their segment frames."""
    return quaternion_rotate(placements.orientation, Z)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"segment": torch.tensor([0, 23])}, "0 to 22"),
        ({"segment": torch.tensor([-1, 0])}, "0 to 22"),
        ({"segment": torch.tensor([0.0, 1.0])}, "integers"),
        ({"segment": torch.tensor(3)}, "list of one"),
        ({"offset": torch.zeros(2, 2)}, "`offset` must have shape"),
        ({"offset": torch.full((2, 3), torch.nan)}, "finite"),
        ({"orientation": torch.zeros(2, 4)}, "unit quaternions"),
        ({"orientation": torch.full((2, 4), torch.nan)}, "unit quaternions"),
        ({"orientation": torch.eye(3)[:2]}, "`orientation` must have shape"),
        ({"names": ("left wrist",)}, "all 2 placements"),
    ],
)
def test_bad_input_is_named(changes, message):
    good = {"segment": torch.tensor([9, 13]), "offset": torch.zeros(2, 3), "orientation": torch.eye(4)[[0, 0]]}
    assert len(Placements(**good)) == 2
    with pytest.raises(ValueError, match=message):
        Placements(**(good | changes))


def test_orientations_become_exact_unit_quaternions():
    placements = Placements(torch.tensor([0]), torch.zeros(1, 3), torch.tensor([[1.005, 0.0, 0.0, 0.0]]))
    assert placements.orientation.tolist() == [[1.0, 0.0, 0.0, 0.0]]
    assert placements.segment.dtype == torch.int64


def test_indexing_selects_placements_with_their_names():
    placements = Placements.from_names(["left wrist", "right shin", "chest"])
    assert placements[1:].names == ("right shin", "chest")
    assert placements[-1].names == ("chest",)
    picked = placements[[2, 0]]
    assert picked.names == ("chest", "left wrist")
    assert torch.equal(picked.offset, placements.offset[[2, 0]])
    assert placements[torch.tensor([True, False, True])].names == ("left wrist", "chest")
    with pytest.raises(IndexError, match="there are 3"):
        placements[3]


def test_indexing_keeps_leading_axes():
    batch = Placements(torch.zeros(5, 7, dtype=torch.long), torch.zeros(5, 7, 3), torch.eye(4)[0].expand(5, 7, 4))
    assert len(batch) == 7
    assert batch[2:4].offset.shape == (5, 2, 3)


def test_every_name_in_the_table_has_a_spot():
    placements = Placements.from_names(list(NAMED_PLACEMENTS))
    assert placements.names == tuple(NAMED_PLACEMENTS)
    carriers = [SEGMENTS[segment] for segment in placements.segment.tolist()]
    assert carriers == [placement.segment for placement in NAMED_PLACEMENTS.values()]
    # No spot is further from its segment's origin than a bone is long.
    assert torch.linalg.vector_norm(placements.offset, dim=-1).max() < 0.5


def test_aliases_and_segments_are_names_too():
    assert Placements.from_names("left smartwatch").names == ("left wrist",)
    forearm = Placements.from_names("L_Forearm")
    assert forearm.names == ("L_Forearm",)
    bone = BodySurface.default().bone_offsets[SEGMENTS.index("L_Hand"), 1]
    assert forearm.offset[0, 1].item() == pytest.approx(bone / 2, abs=0.005)
    assert len(Placements.from_names(SEGMENTS)) == 23


def test_names_without_side_or_sense_are_refused():
    with pytest.raises(ValueError, match="left wrist"):
        Placements.from_names(["wrist"])
    with pytest.raises(ValueError, match="unknown"):
        Placements.from_names(["left tail"])
    with pytest.raises(ValueError, match="at least one"):
        Placements.from_names([])


def test_turning_worn_sensors_keeps_their_normals(placements):
    mounted = placements.mount(seeded(), worn_share=1.0, max_tilt=0.0)
    assert (normals(mounted) - normals(placements)).abs().max() < 1e-5
    assert torch.equal(mounted.segment, placements.segment)
    assert torch.equal(mounted.offset, placements.offset)
    # The sensors did turn; on the segment's side (`R_z C`, as the official code composes) this would tip them over.
    assert (mounted.orientation * placements.orientation).sum(-1).abs().mean() < 0.8


def test_turns_of_worn_sensors_cover_the_circle(placements):
    mounted = placements.mount(seeded(), worn_share=1.0, max_tilt=0.0)
    turn = quaternion_multiply(placements.orientation * torch.tensor([1.0, -1, -1, -1]), mounted.orientation)
    angles = 2 * torch.atan2(turn[:, 3], turn[:, 0])
    counts = torch.histc(angles.remainder(2 * math.pi), bins=8, min=0, max=2 * math.pi)
    assert ((counts - 57.5) ** 2 / 57.5).sum() < 24.3  # chi-square with 7 degrees of freedom, p = 0.001


def test_tilt_stays_below_its_limit_and_reaches_it(placements):
    mounted = placements.mount(seeded(), worn_share=1.0)
    cosine = (normals(mounted) * normals(placements)).sum(-1).clamp(-1, 1)
    tilt = torch.rad2deg(torch.acos(cosine))
    assert tilt.max() <= 10.01
    assert tilt.max() > 9.5
    assert tilt.mean().item() == pytest.approx(5.0, abs=0.5)  # uniform


def test_loose_sensors_are_uniform_over_all_rotations():
    many = BodySurface.default().sample(400, seeded())
    loose = many.mount(seeded(1), worn_share=0.0)
    for axis in torch.eye(3):
        turned = quaternion_rotate(loose.orientation, axis)
        assert turned.mean(0).abs().max() < 5 * math.sqrt(1 / 3 / len(many))
        assert (turned**2).mean(0).sub(1 / 3).abs().max() < 0.02


def test_half_of_the_sensors_are_worn_by_default():
    many = BodySurface.default().sample(100, seeded())
    cosine = (normals(many.mount(seeded(1))) * normals(many)).sum(-1)
    # A loose sensor lies within 10 degrees of the normal by chance in 0.8 % of all cases.
    assert (cosine > math.cos(math.radians(10.01))).float().mean().item() == pytest.approx(0.504, abs=0.03)


def test_mounting_follows_its_generator(placements):
    first, same, other = (placements.mount(seeded(seed)).orientation for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert not torch.equal(placements.mount().orientation, placements.mount().orientation)


def test_impossible_mountings_are_refused(placements):
    with pytest.raises(ValueError, match="worn_share"):
        placements.mount(worn_share=1.5)
    with pytest.raises(ValueError, match="max_tilt"):
        placements.mount(max_tilt=10.0)


def test_aligned_sensors_know_up_and_half_of_them_the_heading(placements):
    many = Placements(
        placements.segment.repeat(500), placements.offset.repeat(500, 1), placements.orientation.repeat(500, 1)
    )
    turned = quaternion_to_matrix(many.align(seeded(3)).orientation)
    tilt = torch.rad2deg(turned[:, 2, 2].clamp(-1, 1).acos())
    assert tilt.max() <= 15.01 and tilt.max() > 14 and 5 < tilt.mean() < 10
    heading = torch.rad2deg(torch.atan2(turned[:, 1, 0], turned[:, 0, 0])).abs()
    within = (heading < 16).float().mean()
    assert 0.5 < within < 0.62 and heading.max() > 175  # of the other half, one in twelve by chance
    assert torch.equal(many.align(seeded(3)).orientation, many.align(seeded(3)).orientation)

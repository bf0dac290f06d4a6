# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""What `SegmentMotion` accepts and what it refuses."""

import numpy as np
import pytest

from anymo_hf.simulation.motion import SegmentMotion, TextSpan


def arrays(num_frames=20):
    orientations = np.zeros((num_frames, 23, 4))
    orientations[..., 0] = 1
    return {
        "positions": np.zeros((num_frames, 23, 3)),
        "orientations": orientations,
        "timestamps": np.arange(num_frames) / 60,
    }


def test_a_good_motion():
    motion = SegmentMotion(**arrays())
    assert motion.num_frames == 20
    assert motion.frame_rate == pytest.approx(60)
    assert motion.duration == pytest.approx(19 / 60)
    assert motion.positions.dtype == motion.orientations.dtype == np.float64


def test_almost_unit_quaternions_are_normalised():
    values = arrays()
    values["orientations"] *= 1.004
    np.testing.assert_allclose(np.linalg.norm(SegmentMotion(**values).orientations, axis=-1), 1)


def test_slices_keep_what_overlaps():
    texts = (TextSpan(0.0, 0.1, "first"), TextSpan(0.05, 0.3, "second", "label"))
    part = SegmentMotion(**arrays(), texts=texts, mask=np.ones((20, 23), bool))[9:]
    assert part.num_frames == 11 and part.mask.shape == (11, 23)
    assert [text.text for text in part.texts] == ["second"]
    assert part.texts[0].start == pytest.approx(9 / 60)
    with pytest.raises(ValueError, match="slice"):
        part[0]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("positions", np.zeros((20, 22, 3)), r"must have shape \(20, 23, 3\)"),
        ("orientations", np.zeros((20, 23, 3)), r"must have shape \(20, 23, 4\)"),
        ("orientations", np.zeros((20, 23, 4)), "length is not 1 at Pelvis"),
        ("orientations", np.full((20, 23, 4), np.nan), "not finite"),
        ("positions", np.full((20, 23, 3), np.inf), "position that is not finite"),
        ("timestamps", np.zeros(20), "strictly increasing"),
        ("timestamps", np.arange(20)[::-1], "strictly increasing"),
        ("timestamps", np.full(20, np.nan), "strictly increasing"),
        ("timestamps", np.zeros((20, 1)), "shape"),
        ("mask", np.ones((20, 22)), "mask"),
        ("bone_offsets", np.full((23, 3), np.nan), "bone_offsets"),
    ],
)
def test_bad_values(name, value, message):
    with pytest.raises(ValueError, match=message):
        SegmentMotion(**(arrays() | {name: value}))


def test_an_empty_motion():
    with pytest.raises(ValueError, match="at least one frame"):
        SegmentMotion(**arrays(0))


def test_what_was_not_measured_may_be_anything():
    values = arrays()
    values["positions"][3:5, 2] = np.nan
    values["orientations"][3:5, 2] = 0
    mask = np.ones((20, 23), bool)
    mask[3:5, 2] = False
    assert SegmentMotion(**values, mask=mask).num_frames == 20
    mask[3, 2] = True
    with pytest.raises(ValueError, match="Frame 3 has a position that is not finite at L3"):
        SegmentMotion(**values, mask=mask)


def test_bad_texts():
    with pytest.raises(ValueError, match="'caption', 'label' or 'style'"):
        TextSpan(0, 1, "x", "other")
    with pytest.raises(ValueError, match="end after its start"):
        TextSpan(2, 1, "x")

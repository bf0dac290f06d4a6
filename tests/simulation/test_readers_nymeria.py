# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Nymeria's `xdata.npz` and narration, in files of the published layout."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anymo_hf.simulation.motion import TextSpan
from anymo_hf.simulation.readers import load_motion
from anymo_hf.simulation.readers.nymeria import hold_quaternions, read_narration, read_nymeria, repair_timestamps
from anymo_hf.simulation.segments import DEFAULT_BONE_OFFSETS, tpose_positions


FIRST = 1_718_000_000_123_456  # us, a time since 1970
HEADER = "request_id,gaia_id,start_time,end_time,annotator,creation_time"


def turning_body(num_frames: int = 48) -> dict[str, np.ndarray]:
    """A rigid T-pose that turns about the vertical axis by 1 rad/s, as XSens would record it."""
    times = np.arange(num_frames) / 240
    turns = Rotation.from_rotvec(np.stack([0 * times, 0 * times, times], axis=-1))
    positions = np.stack([turn.apply(1.1 * tpose_positions()) for turn in turns])
    quaternions = np.repeat(turns.as_quat()[:, None, [3, 0, 1, 2]], 23, axis=1)
    identity = np.tile([1.0, 0, 0, 0], 23)
    return {
        "timestamps_us": FIRST + np.round(times * 1e6).astype(np.int64),
        "frameCount": np.array(num_frames),
        "frameRate": np.array(240),
        "segment_tXYZ": positions.reshape(num_frames, 69),
        "segment_qWXYZ": quaternions.reshape(num_frames, 92),
        "identity_segment_tXYZ": 1.1 * tpose_positions().ravel(),
        "identity_segment_qWXYZ": identity,
    }


def write(folder, **changes):
    path = folder / "recording_7" / "body" / "xdata.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = turning_body() | changes
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


@pytest.mark.parametrize("with_pose", [True, False])
def test_a_turning_body_arrives_unchanged(tmp_path, with_pose):
    changes = {} if with_pose else {"identity_segment_tXYZ": None, "frameRate": None}
    motion = load_motion(write(tmp_path, **changes))
    body = turning_body()
    np.testing.assert_allclose(motion.positions.reshape(48, 69), body["segment_tXYZ"])
    np.testing.assert_allclose(motion.orientations.reshape(48, 92), body["segment_qWXYZ"], atol=1e-15)
    np.testing.assert_allclose(motion.timestamps - motion.timestamps[0], np.arange(48) / 240, atol=1.5e-6)
    assert motion.timestamps[0] == pytest.approx(FIRST / 1e6, abs=1e-6)
    np.testing.assert_allclose(motion.bone_offsets, 1.1 * DEFAULT_BONE_OFFSETS, atol=1e-12)
    assert motion.texts == ()
    assert motion.source["name"] == "recording_7"
    assert motion.source["dataset"] == "Nymeria"
    assert motion.source["license"] == "CC BY-NC 4.0"


def test_slipped_steps_become_nominal():
    times = FIRST + np.round(np.arange(100) * 1e6 / 240)
    slipped = times.copy()
    slipped[50] += 3000  # two wrong steps that cancel
    repaired = repair_timestamps(slipped, 240.0, "x")
    np.testing.assert_allclose(repaired, times / 1e6, atol=2e-6)
    # One lost frame moves the end by 4.2 ms, which is allowed; three lost frames are not.
    late = np.delete(times, [30])
    np.testing.assert_allclose(np.diff(repair_timestamps(late, 240.0, "x")), 1 / 240, atol=2e-6)
    with pytest.raises(ValueError, match="drifts by 12.5 ms"):
        repair_timestamps(np.delete(times, [30, 31, 32]), 240.0, "x")


def test_lost_quaternions_are_held():
    quaternions = np.tile([0.0, 1.0, 0, 0], (5, 23, 1))
    quaternions[0, 3] = quaternions[1, 3] = 0
    quaternions[3, 4] = 0.01
    quaternions[2, 4] = (0, 0, 1, 0)
    held = hold_quaternions(quaternions)
    np.testing.assert_array_equal(held[:2, 3], [[1, 0, 0, 0]] * 2)
    np.testing.assert_array_equal(held[3, 4], [0, 0, 1, 0])
    np.testing.assert_array_equal(held[2:, 3], quaternions[2:, 3])


def test_narration_needs_the_clock_offset(tmp_path):
    path = write(tmp_path)
    folder = tmp_path / "recording_7" / "narration"
    folder.mkdir()
    (folder / "atomic_action.csv").write_text(
        f"{HEADER},Describe my atomic actions\n"
        '1,2,10.0,10.05,a,now,"C picks up a cup, then drinks."\n'
        "1,2,10.05,10.1,a,now,\n"
        "1,2,300,305,a,now,C is elsewhere.\n"
    )
    (folder / "motion_narration.csv").write_text(
        f"{HEADER},Describe my body posture,Describe my legs/feet motion\n1,2,10.02,15,a,now,C stands.,C steps.\n"
    )
    (folder / "activity_summarization.csv").write_text("")
    assert load_motion(path).texts == ()
    start = FIRST / 1e6
    motion = read_nymeria(path, narration_offset=start - 10)
    assert [text.text for text in motion.texts] == ["C picks up a cup, then drinks.", "C stands.", "C steps."]
    assert motion.texts[0].start == pytest.approx(start, abs=1e-6)
    assert motion.texts[1].end == motion.timestamps[-1]
    assert read_narration(folder, 0.0)[0] == TextSpan(10.0, 10.05, "C picks up a cup, then drinks.")
    assert read_narration(tmp_path / "nowhere", 0.0) == ()
    with pytest.raises(ValueError, match="finite"):
        read_nymeria(path, narration_offset=float("nan"))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a,b\n1,2\n", "expected start_time"),
        (f"{HEADER},Words\n1,2,x,3,a,now,hello\n", "line 2"),
        (f"{HEADER},Words\n1,2,nan,3,a,now,hello\n", "line 2"),
        (f"{HEADER},Words\n1,2,5,3,a,now,hello\n", "line 2"),
        (f"{HEADER},Words\n1,2\n", "line 2"),
    ],
)
def test_damaged_narration_is_refused(tmp_path, text, match):
    (tmp_path / "atomic_action.csv").write_text(text)
    with pytest.raises(ValueError, match=match):
        read_narration(tmp_path, 0.0)


@pytest.mark.parametrize(
    "changes",
    [
        {"segment_tXYZ": np.zeros((48, 66))},
        {"segment_tXYZ": np.zeros((47, 69))},
        {"segment_tXYZ": np.full((48, 69), np.nan)},
        {"segment_qWXYZ": np.full((48, 92), np.nan)},
        {"segment_qWXYZ": np.full((48, 92), 3.0)},
        {"segment_qWXYZ": np.full((48, 92), "a")},
        {"segment_qWXYZ": np.full((48, 92), None, dtype=object)},
        {"timestamps_us": np.zeros(0, np.int64)},
        {"timestamps_us": np.full(48, np.nan)},
        {"timestamps_us": None},
        {"timestamps_us": np.arange(48)[::-1] * 4167},
        {"frameRate": np.array(-240.0)},
        {"frameRate": np.array(np.nan)},
        {"frameRate": np.zeros(0)},
        {"identity_segment_tXYZ": np.zeros(66)},
        {"identity_segment_tXYZ": np.full(69, np.nan)},
    ],
)
def test_hostile_values_are_refused(tmp_path, changes):
    path = write(tmp_path, **changes)
    with pytest.raises(ValueError, match=r"xdata\.npz|Frame 0|bone_offsets"):
        read_nymeria(path)


def test_truncated_file_is_refused(tmp_path):
    path = write(tmp_path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"xdata\.npz is no Nymeria"):
        read_nymeria(path)
    with pytest.raises(FileNotFoundError):
        read_nymeria(tmp_path / "xdata.npz")

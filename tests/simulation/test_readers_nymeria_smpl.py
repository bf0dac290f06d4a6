# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""NymeriaPlus' SMPL motion, in files of the published layout."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anymo_hf.processing.placements_anymo import SEGMENTS
from anymo_hf.simulation.readers import load_motion
from anymo_hf.simulation.readers.nymeria_smpl import read_nymeria_smpl
from anymo_hf.simulation.segments import tpose_positions


# Takes the model (x left, y up, facing z) to a person who faces +x in a world with z up, and to one in a world with y
# up who faces z.
WORLDS = {"z up": Rotation.from_matrix([[0, 0, 1], [1, 0, 0], [0, 1, 0]]), "y up": Rotation.identity()}
ELBOW = 3 * (18 - 1)  # joint 18 in `body_pose`, which begins with joint 1


def standing(world: str, num_frames: int = 6) -> dict[str, np.ndarray]:
    pose = np.zeros((num_frames, 69))
    pose[:, ELBOW + 1] = np.linspace(0, -1, num_frames)  # the left forearm bends forwards
    up = WORLDS[world].apply([0, 1, 0])
    return {
        "betas": np.zeros((num_frames, 10)),
        "body_pose": pose,
        "global_orient": np.tile(WORLDS[world].as_rotvec(), (num_frames, 1)),
        "transl": np.tile(0.9 * up, (num_frames, 1)),
        "timestamps_us": 1_718_000_000_000_000 + np.arange(num_frames) * 50_000,
    }


def write(folder, world="z up", **changes):
    path = folder / "recording_7" / "body" / "xdata_smpl_neutral.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{name: value for name, value in (standing(world) | changes).items() if value is not None})
    return path


@pytest.mark.parametrize("world", list(WORLDS))
def test_a_bending_elbow_arrives_in_a_world_with_z_up(tmp_path, world):
    motion = load_motion(write(tmp_path, world))
    still = [i for i, name in enumerate(SEGMENTS) if name not in ("L_Forearm", "L_Hand")]
    shape = motion.positions - motion.positions[:, :1]
    expected = tpose_positions() - tpose_positions()[0]
    np.testing.assert_allclose(shape[:, still], np.repeat(expected[None, still], 6, axis=0), atol=0.03)
    np.testing.assert_allclose(motion.positions[:, 0, 2] - motion.positions[0, 0, 2], 0, atol=1e-9)
    np.testing.assert_allclose(motion.timestamps - motion.timestamps[0], np.arange(6) * 0.05, atol=1e-6)
    assert motion.timestamps[0] == pytest.approx(1_718_000_000, abs=1e-6)
    forearm = Rotation.from_quat(motion.orientations[:, SEGMENTS.index("L_Forearm")][:, [1, 2, 3, 0]])
    np.testing.assert_allclose((forearm[0].inv() * forearm[-1]).as_rotvec(), [0, 0, -1], atol=1e-6)
    assert motion.source["name"] == "recording_7" and motion.source["dataset"] == "NymeriaPlus"
    assert motion.source["body"] == "average bone offsets"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"timestamps_us": None}, "as many time stamps"),
        ({"body_pose": np.zeros((6, 63))}, "expected global_orient"),
        ({"transl": np.full((6, 3), np.nan)}, "finite numbers"),
        ({"timestamps_us": np.zeros(6)}, "must rise"),
        ({"global_orient": np.tile([np.pi, 0, 0], (6, 1))}, "neither y nor z is up"),
    ],
)
def test_damaged_files_are_named(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        read_nymeria_smpl(write(tmp_path, **changes))


def test_cut_and_absent_files(tmp_path):
    path = write(tmp_path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match="no NymeriaPlus SMPL motion"):
        read_nymeria_smpl(path)
    with pytest.raises(FileNotFoundError):
        read_nymeria_smpl(tmp_path / "nothing.npz")

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""`load_motion` on real recordings from the folder `ANYMO_DATA`, and its own errors."""

import hashlib
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anymo_hf.processing.placements_anymo import SEGMENT_PARENTS, SEGMENTS
from anymo_hf.simulation.motion import TextSpan
from anymo_hf.simulation.readers import load_motion
from anymo_hf.simulation.readers.bvh import read_bvh
from anymo_hf.simulation.readers.joint_motion import joint_poses
from anymo_hf.simulation.readers.load import available_memory, check_memory


INDEX = {segment: i for i, segment in enumerate(SEGMENTS)}
ARCHIVES = ("cmu/cmu_raw_sample.zip", "hdm05/hdm05_raw_sample.zip", "bandai_namco/bvh_sample.zip")
CMU_BVH, CMU_AMC = "cmu_raw_sample/bvh/02_01.bvh", "cmu_raw_sample/amc/02_01.amc"
WALKS = {
    "cmu bvh": CMU_BVH,
    "cmu amc": CMU_AMC,
    "bandai": "bvh_sample/dataset-1_walk_normal_001.bvh",
    "hdm05": "hdm05_raw_sample/HDM_bd_sneak2StepsLStart_001_120.amc",
}
# Between these a real joint stands on its real parent, in all four skeletons.
RIGID = [s for s in SEGMENTS if s[2:] in ("UpperArm", "Forearm", "UpperLeg", "LowerLeg", "Foot", "Toe")] + ["Head"]


@pytest.fixture(scope="session")
def samples(tmp_path_factory) -> Path:
    """The raw motion files, unzipped."""
    if "ANYMO_DATA" not in os.environ:
        pytest.skip("set ANYMO_DATA to the folder with mocap/ to test on real recordings")
    folder = tmp_path_factory.mktemp("mocap")
    for archive in ARCHIVES:
        with zipfile.ZipFile(Path(os.environ["ANYMO_DATA"]) / "mocap" / archive) as packed:
            packed.extractall(folder / Path(archive).stem)
    return folder


def turns(motion, segment: str) -> np.ndarray:
    return Rotation.from_quat(motion.orientations[:, INDEX[segment]][:, [1, 2, 3, 0]]).as_matrix()


def place(motion, segment: str) -> np.ndarray:
    return motion.positions[:, INDEX[segment]]


def test_bvh_and_asf_amc_of_one_recording_agree(samples):
    bvh, amc = load_motion(samples / CMU_BVH), load_motion(samples / CMU_AMC)
    assert bvh.num_frames == amc.num_frames == 343
    assert bvh.frame_rate == pytest.approx(amc.frame_rate, rel=1e-4)
    cosine = np.abs((bvh.orientations * amc.orientations).sum(-1))
    assert 2 * np.arccos(np.minimum(cosine, 1)).max() < 2e-5
    apart = np.linalg.norm(bvh.positions - amc.positions, axis=-1).max(axis=0)
    legs = [INDEX[s] for s in SEGMENTS if "Leg" in s or "Foot" in s or "Toe" in s or s in ("Pelvis", "T8")]
    assert apart[legs].max() < 1e-5
    # What remains above the thorax is the prediction of its lost length; unrepaired it is 0.117 m.
    assert apart.max() < 1.5e-3


@pytest.mark.parametrize("walk", WALKS)
def test_a_walk_is_one(samples, walk):
    motion = load_motion(samples / WALKS[walk])
    pelvis = turns(motion, "Pelvis")
    # Left is left, in the body's own frame and in every frame of the file.
    for segment in ("UpperLeg", "Foot", "UpperArm"):
        across = place(motion, f"L_{segment}") - place(motion, f"R_{segment}")
        assert (np.einsum("tj,tj->t", across, pelvis[:, :, 1]) > -0.1).all()
    assert (place(motion, "Head")[:, 2] > place(motion, "Pelvis")[:, 2] + 0.35).all()
    # It goes where it faces.
    step = np.diff(place(motion, "Pelvis"), axis=0)
    moving = np.linalg.norm(step[:, :2], axis=-1) * motion.frame_rate > 0.4
    ahead = (step * pelvis[:-1, :, 0]).sum(-1) / np.linalg.norm(step, axis=-1)
    assert ahead[moving].mean() > 0.9
    # The lowest ankle and toe joints stay near a floor.
    for segment, highest in (("Foot", 0.14), ("Toe", 0.07)):
        lowest = min(place(motion, f"{side}_{segment}")[:, 2].min() for side in "LR")
        assert -0.06 < lowest < highest
    # Knees bend backwards only, elbows forwards only.
    for side, sign in (("L", 1), ("R", -1)):
        shank = -np.einsum("tji,tj->ti", turns(motion, f"{side}_UpperLeg"), turns(motion, f"{side}_LowerLeg")[:, :, 2])
        assert (shank[:, 0] < 0.02).all()
        arm = sign * np.einsum(
            "tji,tj->ti", turns(motion, f"{side}_UpperArm"), turns(motion, f"{side}_Forearm")[:, :, 1]
        )
        assert (arm[:, 0] > -0.02).all()


@pytest.mark.parametrize("walk", WALKS)
def test_bones_are_rigid_symmetric_and_along_their_axes(samples, walk):
    motion = load_motion(samples / WALKS[walk])
    offsets = motion.bone_offsets
    for segment in RIGID:
        parent = SEGMENT_PARENTS[INDEX[segment]]
        expected = place(motion, SEGMENTS[parent]) + turns(motion, SEGMENTS[parent]) @ offsets[INDEX[segment]]
        np.testing.assert_allclose(place(motion, segment), expected, atol=1e-9, err_msg=segment)
    # Arms lie along y and legs along z, to the 2.3 degrees by which HDM05's wrist is off its forearm.
    for child, axis in (("Forearm", 1), ("Hand", 1), ("LowerLeg", 2), ("Foot", 2)):
        for side in "LR":
            bone = offsets[INDEX[f"{side}_{child}"]]
            assert abs(bone[axis]) > 0.999 * np.linalg.norm(bone)
    for segment in SEGMENTS:
        if segment.startswith("L_"):
            left, right = (np.linalg.norm(offsets[INDEX[side + segment[2:]]]) for side in ("L_", "R_"))
            assert left == pytest.approx(right, rel=0.15)
    assert 0.35 < np.linalg.norm(offsets[INDEX["L_LowerLeg"]]) < 0.5


def test_first_frame_of_cgspeed_files_is_no_motion(samples):
    for path in sorted((samples / "cmu_raw_sample/bvh").glob("*.bvh")):
        motion = load_motion(path)
        frames = int(path.read_text().split("Frames:")[1].split()[0])
        # One file goes on with a second pose of zeros, at the origin.
        assert motion.num_frames == frames - (2 if path.stem == "07_12" else 1)
        # No jump; the arms of 16_15 do have one, two frames of zeros in the recording itself.
        assert np.abs(np.diff(place(motion, "Pelvis"), axis=0)).max() < 0.15


def test_every_sample_loads(samples):
    paths = [p for p in samples.rglob("*") if p.suffix in (".bvh", ".amc")]
    assert len(paths) == 14 + 3 + 22 + 5
    for path in paths:
        motion = load_motion(path)
        assert np.isfinite(motion.positions).all()
        assert 1.2 < np.linalg.norm(motion.bone_offsets, axis=-1)[[1, 2, 3, 4, 5, 6, 16, 17]].sum() < 1.8


def test_positions_agree_with_pybvh(samples):
    pybvh = pytest.importorskip("pybvh")
    expected = pybvh.read_bvh_file(str(samples / CMU_BVH))
    motion = read_bvh((samples / CMU_BVH).read_bytes())
    positions, _ = joint_poses(motion)
    ours = positions.transpose(2, 1, 0)[:, [motion.names.index(name) for name in expected.joint_names]]
    np.testing.assert_allclose(ours, expected.joint_positions(), atol=1e-10)


def test_labels_beside_the_file_become_texts(samples, tmp_path):
    data = (samples / CMU_BVH).read_bytes()
    folder = tmp_path / "mocap_set"
    folder.mkdir()
    (folder / "02_01.bvh").write_bytes(data)
    rows = [
        {"name": "other", "label": "run", "subject": "9"},
        {"name": "02_01", "label": "walk", "style": "", "subject": "02", "captions": ["A person walks."]},
    ]
    (folder / "labels.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    motion = load_motion(folder / "02_01.bvh")
    end = motion.timestamps[-1]
    assert motion.texts == (TextSpan(0, end, "walk", "label"), TextSpan(0, end, "A person walks.", "caption"))
    digest = hashlib.sha256(data).hexdigest()
    assert motion.source == {"name": "02_01", "dataset": "mocap_set", "sha256": digest, "subject": "02"}
    (folder / "labels.jsonl").write_text('{"label": "walk"}\n')
    with pytest.raises(ValueError, match=r"labels\.jsonl, line 1"):
        load_motion(folder / "02_01.bvh")


def test_unknown_suffix_lists_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"\.bvh, \.amc, \.npz"):
        load_motion(tmp_path / "walk.fbx")


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_motion(tmp_path / "walk.bvh")


def test_too_large_a_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "walk.bvh"
    with open(path, "wb") as file:
        file.truncate(available_memory())  # sparse: takes no room on the disk
    with pytest.raises(ValueError, match="GB of memory"):
        load_motion(path)
    path.write_bytes(b"x" * 1000)
    check_memory(path, available=100_000)
    with pytest.raises(ValueError, match="cut it into shorter files"):
        check_memory(path, available=1000)

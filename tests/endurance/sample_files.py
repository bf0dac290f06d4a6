# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""A small valid file of every format that the package reads, and what reads it."""

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import test_body_files
import test_readers_momentum_glb
import test_readers_mvnx
import test_readers_nymeria
import test_readers_nymeria_smpl
import test_readers_smpl

from anymo_hf.processing.placements_anymo import SEGMENT_PARENTS, SEGMENTS
from anymo_hf.processing.reading_anymo import read_recordings
from anymo_hf.simulation.body import BodySurface
from anymo_hf.simulation.conversion import load_kinematics, save_kinematics
from anymo_hf.simulation.kinematics import SegmentKinematics
from anymo_hf.simulation.motion import SegmentMotion, TextSpan
from anymo_hf.simulation.readers import load_motion, save_motion
from anymo_hf.simulation.readers.load import why_no_motion
from anymo_hf.simulation.readers.nymeria import read_narration
from anymo_hf.simulation.readers.smpl import read_amass, read_model_joints
from anymo_hf.simulation.segments import DEFAULT_BONE_OFFSETS


MIXAMO = {
    "Pelvis": "Hips", "L5": "Spine", "T12": "Spine1", "T8": "Spine2", "Neck": "Neck", "Head": "Head",
    **{
        f"{side}_{segment}": f"{word}{joint}"
        for side, word in (("L", "Left"), ("R", "Right"))
        for segment, joint in {
            "Shoulder": "Shoulder", "UpperArm": "Arm", "Forearm": "ForeArm", "Hand": "Hand", "UpperLeg": "UpLeg",
            "LowerLeg": "Leg", "Foot": "Foot", "Toe": "ToeBase",
        }.items()
    },
}  # fmt: skip


@dataclass
class Sample:
    """
    A format: `write(folder)` makes valid files, `read(folder)` reads them; those that match `damaged` are mutated.

    Reading gives numbers that must be finite where something says that they were measured, or raises a ValueError.
    """

    name: str
    write: Callable[[Path], object]
    read: Callable[[Path], object]
    damaged: str = "*"


def check_motion(motion: SegmentMotion) -> None:
    """What a reader lets through must be a motion: `SegmentMotion` has seen to poses and clock."""
    assert isinstance(motion, SegmentMotion) and all(isinstance(value, str) for value in motion.source.values())


def check_recordings(recordings) -> None:
    """Clocks that run forwards and numbers that are finite or NaN."""
    for recording in recordings:
        for sensor in recording.sensors:
            assert np.isfinite(sensor.timestamps).all() and (np.diff(sensor.timestamps) > 0).all()
            assert not np.isinf(sensor.values).any()


def swaying_motion(seed: int = 0, num_frames: int = 24, rate: float = 60.0) -> SegmentMotion:
    """Every segment moves on sines of its own and turns about one axis."""
    rng = np.random.default_rng(seed)
    t = np.arange(num_frames) / rate
    angle = np.sin(t[:, None] * rng.uniform(1, 6, 23)) / 2
    orientations = np.zeros((num_frames, 23, 4))
    orientations[..., 0], orientations[..., 3] = np.cos(angle), np.sin(angle)
    texts = (TextSpan(0.0, 0.2, "sway", "label"), TextSpan(0.1, 0.3, "a person sways"))
    source = {"dataset": "made", "name": f"sway{seed}", "subject": str(seed), "license": "CC0-1.0"}
    positions = np.sin(t[:, None, None] * rng.uniform(1, 6, (23, 3)))
    return SegmentMotion(
        positions, orientations, t, bone_offsets=DEFAULT_BONE_OFFSETS.copy(), texts=texts, source=source
    )


# Motion -------------------------------------------------------------------------------------------------------------


def bvh_text(num_frames: int = 4) -> str:
    """The average body in centimetres, y up, whose every joint turns a little."""
    lines = ["HIERARCHY"]

    def add(segment: int, depth: int) -> None:
        pad, offset = "  " * depth, DEFAULT_BONE_OFFSETS[segment][[1, 2, 0]] * 100
        children = [child for child, parent in enumerate(SEGMENT_PARENTS) if parent == segment]
        name = MIXAMO.get(SEGMENTS[segment], SEGMENTS[segment])
        moved = "6 Xposition Yposition Zposition" if segment == 0 else "3"
        lines.append(f"{pad}{'ROOT' if segment == 0 else 'JOINT'} {name}\n{pad}{{")
        lines.append(f"{pad}  OFFSET {' '.join(f'{x:.4f}' for x in offset)}")
        lines.append(f"{pad}  CHANNELS {moved} Zrotation Xrotation Yrotation")
        for child in children:
            add(child, depth + 1)
        if not children:
            lines.append(f"{pad}  End Site\n{pad}  {{\n{pad}    OFFSET 0 5 0\n{pad}  }}")
        lines.append(f"{pad}}}")

    add(0, 0)
    values = np.random.default_rng(0).uniform(-5, 5, (num_frames, 3 + 3 * len(SEGMENTS))).round(3)
    values[:, :3] += [0, 95, 0]
    lines += ["MOTION", f"Frames: {num_frames}", "Frame Time: 0.0333333"]
    return "\n".join([*lines, *(" ".join(map(str, row)) for row in values.tolist()), ""])


# Bone, parent, and where it points (file units, y up); the bones of the CMU database.
_HALF = (
    ("{}hipjoint", "root", (1.6, -1.8, 0.6)), ("{}femur", "{}hipjoint", (2.6, -7.1, 0)),
    ("{}tibia", "{}femur", (2.5, -6.8, 0)), ("{}foot", "{}tibia", (0.2, -0.5, 2.1)), ("{}toes", "{}foot", (0, 0, 1.1)),
    ("{}clavicle", "thorax", (3.4, 1.2, 0)), ("{}humerus", "{}clavicle", (5.1, 0, 0)),
    ("{}radius", "{}humerus", (3.3, 0, 0)), ("{}wrist", "{}radius", (1.7, 0, 0)), ("{}hand", "{}wrist", (0.7, 0, 0)),
)  # fmt: skip
_MIDDLE = (
    ("lowerback", "root", (0, 2.0, 0)), ("upperback", "lowerback", (0, 2.0, 0)), ("thorax", "upperback", (0, 2.0, 0)),
    ("lowerneck", "thorax", (0, 1.6, 0)), ("upperneck", "lowerneck", (0, 1.6, 0)), ("head", "upperneck", (0, 1.6, 0)),
)  # fmt: skip


def asf_and_amc(num_frames: int = 4) -> tuple[str, str]:
    """A skeleton with the names of the CMU database, and a motion of it."""
    bones = [*_MIDDLE]
    for side, sign in (("l", 1), ("r", -1)):
        bones += [(n.format(side), p.format(side), (sign * x, y, z)) for n, p, (x, y, z) in _HALF]
    blocks = []
    for number, (name, _, vector) in enumerate(bones, start=1):
        direction = " ".join(f"{x:.5f}" for x in np.array(vector) / np.linalg.norm(vector))
        blocks.append(
            f"  begin\n     id {number}\n     name {name}\n     direction {direction}\n     length "
            f"{np.linalg.norm(vector):.5f}\n     axis 0 0 20 XYZ\n    dof rx ry rz\n  end"
        )
    children = {parent: [n for n, p, _ in bones if p == parent] for _, parent, _ in bones}
    asf = "\n".join([
        ":version 1.10", ":units", "  mass 1.0", "  length 0.45", "  angle deg", ":root",
        "   order TX TY TZ RX RY RZ", "   axis XYZ", "   position 0 0 0", "   orientation 0 0 0", ":bonedata", *blocks,
        ":hierarchy", "  begin", *(f"    {parent} {' '.join(names)}" for parent, names in children.items()), "  end",
        "",
    ])  # fmt: skip
    rng, lines = np.random.default_rng(0), [":FULLY-SPECIFIED", ":DEGREES"]
    for frame in range(1, num_frames + 1):
        lines += [str(frame), "root 0 17 0 " + " ".join(map(str, rng.uniform(-5, 5, 3).round(3)))]
        lines += [f"{name} " + " ".join(map(str, rng.uniform(-5, 5, 3).round(3))) for name, *_ in bones]
    return asf, "\n".join([*lines, ""])


def _write_bvh(folder: Path) -> None:
    (folder / "walk.bvh").write_text(bvh_text())
    rows = [{"name": "walk", "label": "walk", "style": "", "subject": "02", "captions": ["A person walks."]}]
    (folder / "labels.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    joints = {segment: MIXAMO.get(segment, segment) for segment in SEGMENTS}
    (folder / "map.json").write_text(json.dumps(joints))


def _write_amc(folder: Path) -> None:
    for suffix, text in zip((".asf", ".amc"), asf_and_amc(), strict=True):
        (folder / f"01{'_02' if suffix == '.amc' else ''}{suffix}").write_text(text)


def _write_nymeria(folder: Path) -> None:
    path = test_readers_nymeria.write(folder)
    narration = path.parents[1] / "narration"
    narration.mkdir(exist_ok=True)
    rows = f'{test_readers_nymeria.HEADER},describe\nr,g,0.0,0.1,a,now,walks\nr,g,0.05,0.2,a,now,"turns, slowly"\n'
    (narration / "atomic_action.csv").write_text(rows)


def _read_nymeria(folder: Path) -> None:
    check_motion(load_motion(folder / "recording_7/body/xdata.npz"))
    read_narration(folder / "recording_7/narration", offset=1.0)


def _write_converted(folder: Path) -> None:
    kinematics = SegmentKinematics.from_motion(swaying_motion())
    save_kinematics(kinematics, folder / "a.safetensors", {"sampling_rate": 60.0})


def _read_converted(folder: Path) -> None:
    kinematics = load_kinematics(folder / "a.safetensors")
    assert kinematics.values.shape == (kinematics.num_frames, 23, 12) and kinematics.sampling_rate > 0
    assert kinematics.mask.shape == kinematics.values.shape[:2]


def _write_smpl_pickle(folder: Path) -> None:
    import pickle

    (folder / "model.pkl").write_bytes(pickle.dumps(test_readers_smpl.model(), protocol=2))


def _read_glb(path: Path) -> None:
    why_no_motion(path)
    check_motion(load_motion(path))


MOTION_FILES = [
    Sample("bvh", _write_bvh, lambda folder: check_motion(load_motion(folder / "walk.bvh", folder / "map.json"))),
    Sample("asf and amc", _write_amc, lambda folder: check_motion(load_motion(folder / "01_02.amc"))),
    Sample(
        "own npz",
        lambda folder: save_motion(swaying_motion(), folder / "own.npz"),
        lambda folder: check_motion(load_motion(folder / "own.npz")),
    ),
    Sample(
        "mvnx",
        lambda folder: test_readers_mvnx.write(folder, test_readers_mvnx.document()),
        lambda folder: check_motion(load_motion(folder / "take.mvnx")),
    ),
    Sample(
        "momentum glb",
        lambda folder: (folder / "xdata.glb").write_bytes(
            test_readers_momentum_glb.pack(*test_readers_momentum_glb.document())
        ),
        lambda folder: _read_glb(folder / "xdata.glb"),
    ),
    Sample("nymeria", _write_nymeria, _read_nymeria),
    Sample(
        "nymeria smpl",
        test_readers_nymeria_smpl.write,
        lambda folder: check_motion(load_motion(folder / "recording_7/body/xdata_smpl_neutral.npz")),
    ),
    Sample(
        "amass",
        lambda folder: (
            test_readers_smpl.write(folder),
            np.savez(folder / "model.npz", **test_readers_smpl.model()),
        ),
        lambda folder: check_motion(read_amass(folder / "01_01_poses.npz", folder / "model.npz")),
    ),
    Sample("smpl pickle", _write_smpl_pickle, lambda folder: read_model_joints(folder / "model.pkl")),
    Sample(
        "body glb",
        lambda folder: test_body_files.write(folder, *test_body_files.document()),
        lambda folder: BodySurface.from_file(folder / "me.glb"),
    ),
    Sample("converted motion", _write_converted, _read_converted),
]


# Recordings ---------------------------------------------------------------------------------------------------------


def table(num_samples: int = 12) -> pd.DataFrame:
    """A watch whose wearer walks, then sits."""
    rng = np.random.default_rng(0)
    readings = pd.DataFrame(rng.normal(size=(num_samples, 6)).round(4), columns=["acc_x", "acc_y", "acc_z", *RATE])
    readings.insert(0, "t", np.arange(num_samples) / 25)
    readings["activity"] = ["walking"] * (num_samples // 2) + ["sitting"] * (num_samples - num_samples // 2)
    readings["recording"] = ["one"] * (num_samples // 2) + ["two"] * (num_samples - num_samples // 2)
    return readings


RATE = ["gyr_x", "gyr_y", "gyr_z"]


def _read_table(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        check_recordings(read_recordings(path, placements="left wrist"))


def _write_logger(folder: Path) -> None:
    (folder / "phone").mkdir(exist_ok=True)
    for name, unit in (("Accelerometer", 0.1), ("Gravity", 9.8), ("Gyroscope", 0.5)):
        times = 1_657_533_977_813_000_000 + np.arange(8) * 10_000_000
        rows = [f"{t},{i / 100},{unit},{unit * i:.3f},0.0" for i, t in enumerate(times.tolist())]
        text = "\n".join(["time,seconds_elapsed,z,y,x", *rows, ""])
        (folder / "phone" / f"{name}.csv").write_text(text)


RECORDING_FILES = [
    Sample(
        "csv",
        lambda folder: table().to_csv(folder / "a.csv", index=False),
        lambda folder: _read_table(folder / "a.csv"),
    ),
    Sample(
        "parquet",
        lambda folder: table().to_parquet(folder / "a.parquet"),
        lambda folder: _read_table(folder / "a.parquet"),
    ),
    Sample("sensor logger", _write_logger, lambda folder: _read_table(folder / "phone")),
]

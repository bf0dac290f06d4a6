# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""From the joints of any skeleton to the 23 segments: up axis, length unit, calibration pose, missing segments."""

from dataclasses import dataclass, replace

import numpy as np

from anymo_hf.processing.placements_anymo import NUM_SEGMENTS, SEGMENT_PARENTS, SEGMENTS
from anymo_hf.simulation.motion import SegmentMotion
from anymo_hf.simulation.readers.joint_motion import JointMotion, joint_poses
from anymo_hf.simulation.readers.quaternions import conjugate, from_matrix, multiply, rotate, slerp
from anymo_hf.simulation.readers.skeletons import SkeletonMap, map_skeleton
from anymo_hf.simulation.segments import DEFAULT_BONE_OFFSETS


# Metres per file unit that are in use: m, cm, mm, inch, foot, and the CMU database's inches divided by 0.45.
LENGTH_UNITS = (1.0, 0.01, 0.001, 0.0254, 0.3048, 0.0254 / 0.45)
_SHORTEST, _USUAL, _TALLEST = 1.2, 1.7, 2.2
# Stature over thigh + shank + hip to head joint, of the default body with 0.12 m below the ankle and 0.19 m above the
# head joint.
_STATURE_OF_CHAIN = 1.205

# To z up without a turn of the heading that a file's usual T-pose has: y up and facing z becomes facing x.
_TO_Z_UP = {
    "x": np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]]),
    "y": np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]),
    "z": np.eye(3),
}
_TRUNK = ("Pelvis", "L5", "L3", "T12", "T8", "Neck", "Head")
_LIMB_CHAINS = (("UpperArm", "Forearm", "Hand"), ("UpperLeg", "LowerLeg", "Foot", "Toe"))
_INDEX = {segment: index for index, segment in enumerate(SEGMENTS)}


@dataclass
class _Calibration:
    """
    A pose of which we know what the T-pose looks like in it.

    Args:
        positions (`np.ndarray` of shape `(3, num_joints)`):
            Joints of the pose, in file units.
        rotations (`np.ndarray` of shape `(4, num_joints)`):
            Their frames.
        body (`np.ndarray` of shape `(3, 3)`):
            Its columns are forward, left and up of the body in this pose.
    """

    positions: np.ndarray
    rotations: np.ndarray
    body: np.ndarray


def retarget(motion: JointMotion, joint_map: dict[str, str], file: str) -> SegmentMotion:
    """
    Map the joints of a file onto the 23 segments.

    A segment turns as its joint does: its frame is the joint's, times the constant that makes it the identity in the
    T-pose. Segments without a joint of their own are interpolated along the chain.

    Args:
        motion (`JointMotion`):
            What the file says.
        joint_map (`dict[str, str]`):
            The user's own `{segment: joint}`, or empty.
        file (`str`):
            How to call the file in an error.

    Returns:
        `SegmentMotion`: In metres, z up, with the subject's bone offsets.

    Raises:
        ValueError: If the skeleton is unknown, has no plausible size, or no pose to calibrate on.
    """
    skeleton = map_skeleton(motion.names, joint_map, file)
    if skeleton.name.startswith("CMU BVH"):
        motion = restore_thorax(drop_calibration_frames(motion))
    joints = {segment: motion.names.index(joint) for segment, joint in skeleton.joints.items()}
    positions, rotations = joint_poses(motion)
    calibration, up = _calibrate(motion, skeleton, joints, positions, rotations, file)
    unit = length_unit(calibration.positions, joints, motion.unit, file)
    turned_by = joints | {segment: motion.names.index(joint) for segment, joint in skeleton.turned_by.items()}
    attitudes = _segment_attitudes(calibration, joints)
    # The calibration pose goes along as a last frame: it gives the bone offsets of every segment by the same rules.
    positions = np.concatenate([positions, calibration.positions[..., None]], axis=-1) * unit
    rotations = np.concatenate([rotations, calibration.rotations[..., None]], axis=-1)
    turns = {s: _attach(rotations, calibration.rotations, j, attitudes[s]) for s, j in turned_by.items()}
    origins = {segment: positions[:, joint] for segment, joint in joints.items()}
    # A pelvis begins midway between the hips in every skeleton, wherever its joint was put.
    origins["Pelvis"] = (origins["L_UpperLeg"] + origins["R_UpperLeg"]) / 2
    fill_missing(origins, turns)
    offsets = _bone_offsets(origins, turns)
    origins = np.stack([origins[segment][:, :-1] for segment in SEGMENTS])  # (23, 3, num_frames)
    turns = np.stack([turns[segment][:, :-1] for segment in SEGMENTS], axis=1)  # (4, 23, num_frames)
    world = from_matrix(_TO_Z_UP[up])[:, None, None]
    return SegmentMotion(
        positions=(_TO_Z_UP[up] @ origins).transpose(2, 0, 1),
        orientations=multiply(world, turns).transpose(2, 1, 0),
        timestamps=np.arange(motion.num_frames) * motion.frame_time,
        bone_offsets=offsets,
    )


def drop_calibration_frames(motion: JointMotion) -> JointMotion:
    """
    The motion without the T-pose that the cgspeed conversions put in front, sometimes two frames long.

    Its root and most other joints are turned by exactly zero, which no recorded pose is.
    """
    turned = np.abs(motion.rotations[1:]).max(axis=0) > 0  # (num_joints, num_frames)
    recorded = turned[0] | (turned.mean(axis=0) > 0.4)
    return motion.from_frame(int(np.argmax(recorded)))


def restore_thorax(motion: JointMotion) -> JointMotion:
    """
    The motion with the thorax bone that the 2008 release of the CMU BVH files lost.

    There the neck and both shoulders start at the lower end of the thorax. The lost offset is predicted from the two
    bones below it: on the 21 CMU and HDM05 skeletons that this was fitted to, it misses by at most 2.6 mm per axis.
    """
    lost = [motion.names.index(name) for name in ("Neck", "LeftShoulder", "RightShoulder")]
    if np.abs(motion.offsets[lost]).max() > 0:
        return motion
    lower, upper = (motion.offsets[motion.names.index(name)] for name in ("Spine", "Spine1"))
    offsets = motion.offsets.copy()
    # Least squares per axis: sideways, up, forward.
    offsets[lost] = np.array([0.998, 1.071, 1.019]) * upper - np.array([0.489, 0.061, 0.442]) * lower
    return replace(motion, offsets=offsets)


def length_unit(positions: np.ndarray, joints: dict[str, int], stated: float | None, file: str) -> float:
    """
    Metres per file unit, from the size of the skeleton.

    Args:
        positions (`np.ndarray` of shape `(3, num_joints)`):
            Joints of one pose, in file units.
        joints (`dict[str, int]`):
            Segment to joint.
        stated (`float`, *optional*):
            What the file itself says; it is taken when a person of 1.2 to 2.2 m comes out.
        file (`str`):
            How to call the file in an error.

    Returns:
        `float`: The known unit that makes the person's height closest to 1.7 m.

    Raises:
        ValueError: If no known unit makes a person of 1.2 to 2.2 m.
    """

    def length(*segments: str) -> float:
        points = positions[:, [joints[segment] for segment in segments]]
        return float(np.linalg.norm(np.diff(points), axis=0).sum())

    legs = [length(f"{side}_UpperLeg", f"{side}_LowerLeg", f"{side}_Foot") for side in "LR"]
    trunk = [segment for segment in _TRUNK[1:] if segment in joints]
    hips = (positions[:, joints["L_UpperLeg"]] + positions[:, joints["R_UpperLeg"]]) / 2
    chain = np.mean(legs) + np.linalg.norm(positions[:, joints[trunk[0]]] - hips) + length(*trunk)
    height = _STATURE_OF_CHAIN * chain
    candidates = [stated] if stated and _SHORTEST < height * stated < _TALLEST else LENGTH_UNITS
    best = min(candidates, key=lambda unit: abs(np.log(max(height, 1e-9) * unit / _USUAL)))
    if not _SHORTEST < height * best < _TALLEST:
        raise ValueError(
            f"{file}: the skeleton is {height:.4g} units tall, which is no person of {_SHORTEST} to {_TALLEST} m in "
            "m, cm, mm, inches, feet or CMU units; scale it, or check that `joint_map` names the right joints."
        )
    return best


def _calibrate(
    motion: JointMotion,
    skeleton: SkeletonMap,
    joints: dict[str, int],
    positions: np.ndarray,
    rotations: np.ndarray,
    file: str,
) -> tuple[_Calibration, str]:
    """The calibration pose, and which axis of the file points up."""
    identity = np.zeros((4, len(motion.names)))
    identity[0] = 1.0
    for pose_positions, pose_rotations in (_pose(motion, identity), (positions[..., 0], rotations[..., 0])):
        body, up = _body_axes(pose_positions, joints)
        if body is not None and _stands(pose_positions, joints, body):
            return _Calibration(pose_positions, pose_rotations, body), up
        if skeleton.joint_axes:
            # The names alone don't prove the rig: its axes must make a body of the offsets.
            frames = _joint_frames(motion, skeleton.joint_axes)
            tpose, _ = _pose(motion, _to_local(motion, frames))
            if _stands(tpose, joints, np.eye(3)):
                return _Calibration(tpose, frames, np.eye(3)), _up_of_motion(positions, joints)
    raise ValueError(
        f"{file}: neither the pose with all rotations zero nor the first frame is a person who stands with straight "
        "legs and arms, so segments cannot be calibrated; put a T-pose in front, or name left and right "
        "joints correctly."
    )


def _pose(motion: JointMotion, local: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions and frames of all joints for one set of local rotations, the root at its first place."""
    # Position channels usually repeat the offset; where they carry the offset itself, the first frame has it.
    translations = {joint: values[:, :1] for joint, values in motion.translations.items()}
    positions, rotations = joint_poses(replace(motion, rotations=local[..., None], translations=translations))
    return positions[..., 0], rotations[..., 0]


def _joint_frames(motion: JointMotion, joint_axes: dict[str, np.ndarray]) -> np.ndarray:
    """Frames `(4, num_joints)` of the T-pose in body axes; joints of no table keep their parent's."""
    frames = []
    first = next(iter(joint_axes.values()))
    for name, parent in zip(motion.names, motion.parents, strict=True):
        frames.append(joint_axes.get(name, frames[parent] if parent >= 0 else first))
    return from_matrix(np.stack(frames))


def _to_local(motion: JointMotion, frames: np.ndarray) -> np.ndarray:
    local = frames.copy()
    for joint, parent in enumerate(motion.parents):
        if parent >= 0:
            local[:, joint] = multiply(conjugate(frames[:, parent]), frames[:, joint])
    return local


def _up_of_motion(positions: np.ndarray, joints: dict[str, int]) -> str:
    """The axis, y or z, along which the head is above the feet in most frames; y where that is unclear."""
    feet = (positions[:, joints["L_Foot"]] + positions[:, joints["R_Foot"]]) / 2
    above = np.median(positions[:, joints["Head"]] - feet, axis=-1)
    return "z" if above[2] > max(above[1], 0.0) else "y"


def _body_axes(positions: np.ndarray, joints: dict[str, int]) -> tuple[np.ndarray | None, str]:
    """Forward, left and up as columns in file axes, up being the file axis closest to feet-to-head."""
    feet = (positions[:, joints["L_Foot"]] + positions[:, joints["R_Foot"]]) / 2
    above = positions[:, joints["Head"]] - feet
    axis = int(np.argmax(np.abs(above)))
    up = np.zeros(3)
    up[axis] = 1.0
    left = positions[:, joints["L_UpperLeg"]] - positions[:, joints["R_UpperLeg"]]
    left = left - up * left[axis]
    if above[axis] < 0.9 * np.linalg.norm(above) or np.linalg.norm(left) < 1e-9 * np.linalg.norm(above) + 1e-12:
        return None, "y"
    left /= np.linalg.norm(left)
    return np.stack([np.cross(left, up), left, up], axis=-1), "xyz"[axis]


def _stands(positions: np.ndarray, joints: dict[str, int], body: np.ndarray) -> bool:
    """Whether legs go down, knees and elbows are nearly straight, and left is left."""

    def bone(start: str, end: str) -> np.ndarray:
        vector = (positions[:, joints[end]] - positions[:, joints[start]]) @ body
        return vector / max(np.linalg.norm(vector), 1e-12)

    for side, sign in (("L", 1), ("R", -1)):
        thigh, shank = bone(f"{side}_UpperLeg", f"{side}_LowerLeg"), bone(f"{side}_LowerLeg", f"{side}_Foot")
        arm, forearm = bone(f"{side}_UpperArm", f"{side}_Forearm"), bone(f"{side}_Forearm", f"{side}_Hand")
        if thigh[2] > -0.7 or thigh @ shank < 0.85 or arm @ forearm < 0.7 or sign * arm[1] < -0.3:
            return False
    return bone("R_UpperArm", "L_UpperArm")[1] > 0.5


def _turn_between(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The smallest rotation matrix that takes one direction to another one, which is not its opposite."""
    start, end = start / np.linalg.norm(start), end / np.linalg.norm(end)
    axis, cosine = np.cross(start, end), float(start @ end)
    skew = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + skew + skew @ skew / max(1 + cosine, 1e-9)


def _segment_attitudes(calibration: _Calibration, joints: dict[str, int]) -> dict[str, np.ndarray]:
    """
    The frame of every segment in the calibration pose, as quaternions `(4,)`.

    Trunk, neck, head and shoulders keep the body's axes: their bones differ from the template's by build, not by pose.
    Along a limb each bone takes the smallest turn from how its parent is turned, so that arms that hang have turned
    about the forward axis and an elbow or knee that is bent has turned about its hinge.
    """
    body, positions = calibration.body, calibration.positions
    attitudes = dict.fromkeys(SEGMENTS, body)
    for side in "RL":
        for chain in _LIMB_CHAINS:
            turned = body
            for segment, child in zip(chain, chain[1:], strict=False):
                segment, child = f"{side}_{segment}", f"{side}_{child}"
                if child not in joints:
                    attitudes[segment] = attitudes[child] = turned
                    continue
                bone = positions[:, joints[child]] - positions[:, joints[segment]]
                if segment.endswith("Foot"):
                    turned = turned @ _yaw(turned.T @ bone)
                elif np.linalg.norm(bone) > 0:
                    turned = _turn_between(turned @ DEFAULT_BONE_OFFSETS[_INDEX[child]], bone) @ turned
                # The last one keeps its parent's: in a calibration pose wrists are straight and toes flat.
                attitudes[segment] = attitudes[child] = turned
    return dict(zip(attitudes, from_matrix(np.stack(list(attitudes.values()))).T, strict=True))


def _yaw(bone: np.ndarray) -> np.ndarray:
    """Turn about the leg that brings x over the foot; its pitch stays, because a sole is flat when one stands."""
    length = np.hypot(bone[0], bone[1])
    if length <= 0.3 * np.linalg.norm(bone):
        return np.eye(3)
    cosine, sine = bone[:2] / length
    return np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])


def _attach(rotations: np.ndarray, calibrated: np.ndarray, joint: int, attitude: np.ndarray) -> np.ndarray:
    """Orientation `(4, num_frames)` of a segment that is fixed to a joint."""
    fixed = multiply(conjugate(calibrated[:, joint]), attitude)
    return multiply(rotations[:, joint], fixed[:, None])


def fill_missing(origins: dict[str, np.ndarray], turns: dict[str, np.ndarray]) -> None:
    """Add the segments without a joint: on the trunk between their neighbours, shoulders and toes on their parent."""
    heights = np.cumsum(DEFAULT_BONE_OFFSETS[[_INDEX[segment] for segment in _TRUNK], 2])
    present = [i for i, segment in enumerate(_TRUNK) if segment in origins]
    for low, high in zip(present, present[1:], strict=False):
        for i in range(low + 1, high):
            share = (heights[i] - heights[low]) / (heights[high] - heights[low])
            low_origin, high_origin = origins[_TRUNK[low]], origins[_TRUNK[high]]
            origins[_TRUNK[i]] = low_origin + share * (high_origin - low_origin)
            turns[_TRUNK[i]] = slerp(turns[_TRUNK[low]], turns[_TRUNK[high]], share)
    size = np.linalg.norm(origins["L_LowerLeg"] - origins["L_UpperLeg"], axis=0).mean()
    size /= np.linalg.norm(DEFAULT_BONE_OFFSETS[_INDEX["L_LowerLeg"]])
    for segment in SEGMENTS:
        if segment not in origins:
            parent = SEGMENTS[SEGMENT_PARENTS[_INDEX[segment]]]
            offset = DEFAULT_BONE_OFFSETS[_INDEX[segment]][:, None] * size
            origins[segment] = origins[parent] + rotate(turns[parent], offset)
            turns[segment] = turns[parent]


def _bone_offsets(origins: dict[str, np.ndarray], turns: dict[str, np.ndarray]) -> np.ndarray:
    """Parent origin to origin `(23, 3)` in metres, in the parent's frame, of the last frame: the calibration pose."""
    offsets = np.zeros((NUM_SEGMENTS, 3))
    for index, parent in enumerate(SEGMENT_PARENTS):
        if parent >= 0:
            step = origins[SEGMENTS[index]][:, -1] - origins[SEGMENTS[parent]][:, -1]
            offsets[index] = rotate(conjugate(turns[SEGMENTS[parent]][:, -1]), step)
    return offsets

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Falls forward, backward and to either side, while standing, walking or sitting, with lying there afterwards."""

import numpy as np
import torch

from anymo_hf.simulation.rotations import quaternion_to_matrix
from anymo_hf.simulation.synthesis.angles import ANGLE_INDEX, local_rotations
from anymo_hf.simulation.synthesis.curves import smooth_step
from anymo_hf.simulation.synthesis.gait import plan_walk
from anymo_hf.simulation.synthesis.plan import MotionPlan
from anymo_hf.simulation.synthesis.postures import SEAT_TO_HIP, describe
from anymo_hf.simulation.synthesis.staging import (
    REST_HEIGHT,
    begin,
    leg_lengths,
    mix_angles,
    place_leg,
    raise_above_floor,
    shift_angles,
    standing_height,
)
from anymo_hf.simulation.synthesis.still import grounded, lying_angles, rest


# Where a fall goes (degrees to the left of straight ahead) and how the person lies then.
_DIRECTIONS = {
    "forward": (0.0, "front"),
    "backward": (180.0, "back"),
    "left": (90.0, "left side"),
    "right": (-90.0, "right side"),
}
_STARTS = ("standing", "walking", "seated")
# Words after the usual causes of falls (Robinovitch et al., Lancet 381 (2013) 47-54): incorrect weight shift, trip,
# slip, bump, loss of support, collapse.
_CAPTIONS = {
    "forward": (
        "A person trips{where} and falls forward onto the floor.",
        "Someone stumbles{where}, falls on their front and stays down.",
        "The person falls forward{where} and remains lying.",
        "Tripping{where}, a person goes down hands first.",
    ),
    "backward": (
        "A person slips{where} and falls backward.",
        "Someone loses balance{where}, falls on their back and stays down.",
        "The person falls backward{where} and remains lying.",
        "Slipping{where}, a person lands on the floor on their back.",
    ),
    "sideways": (
        "A person faints{where} and falls to the {side}.",
        "Someone collapses{where} onto their {side} side.",
        "The person falls sideways{where} and remains lying.",
        "Losing balance{where}, a person falls over to the {side}.",
    ),
}
_WHERE = {"standing": ("", " while standing"), "walking": (" while walking",), "seated": (" from a chair",)}


def plan_fall(
    direction: str = "forward",
    starts: str = "standing",
    duration: float = 6.5,
    seat_height: float = 0.45,
    seed: int = 0,
    frame_rate: float = 120.0,
    bone_offsets: np.ndarray | None = None,
) -> MotionPlan:
    """
    A person who falls and remains lying.

    The body topples about its feet while the knees give way, faster and faster, and is stopped within 60 to 90 ms.
    Pelvis speeds at impact of 2.5 to 3.5 m/s agree with falls of young adults (van den Kroonenberg, Hayes and McMahon,
    Journal of Biomechanics 29 (1996) 807-811); sensors at the waist then read 3 to 10 g (Kangas et al., Gait & Posture
    28 (2008) 285-291). Arms are flung out and the trunk lands after the pelvis.

    Args:
        direction (`str`, *optional*, defaults to `"forward"`):
            `"forward"`, `"backward"`, `"left"` or `"right"`.
        starts (`str`, *optional*, defaults to `"standing"`):
            What the person does before: `"standing"`, `"walking"` or `"seated"`.
        duration (`float`, *optional*, defaults to 6.5):
            Seconds, of which the fall takes about 1. At least 5.
        seat_height (`float`, *optional*, defaults to 0.45):
            Metres from the floor, if seated.
        seed (`int`, *optional*, defaults to 0):
            Chooses when and how, and the words.
        frame_rate (`float`, *optional*, defaults to 120.0):
            Frames per second.
        bone_offsets (`np.ndarray` of shape `(23, 3)`, *optional*, defaults to `DEFAULT_BONE_OFFSETS`):
            The subject's bones.

    Returns:
        `MotionPlan`: From standing or seated to lying on the floor.

    Raises:
        ValueError: If direction or start is unknown or the duration too short.
    """
    if direction not in _DIRECTIONS or starts not in _STARTS or duration < 5:
        raise ValueError(
            f"A fall needs a `direction` of {sorted(_DIRECTIONS)}, `starts` of {_STARTS} and at least 5 s, but "
            f"{direction!r}, {starts!r} and {duration:g} s were given."
        )
    times, rng, offsets = begin(duration, seed, 117, frame_rate, bone_offsets)
    way, side = _DIRECTIONS[direction]
    lying_height = REST_HEIGHT[side]
    angles, contacts, speed = _before(times, rng, starts, seat_height, seed, frame_rate, offsets)
    begins = rng.uniform(2.0, 2.4) if starts == "walking" else rng.uniform(0.8, 1.4)
    lasts = rng.uniform(0.65, 0.8) if starts == "seated" else rng.uniform(0.95, 1.15)
    if starts == "seated" and direction == "forward":  # over the knees, which takes longer
        lasts += 0.15
    pulse, time = rng.uniform(0.06, 0.09), times - begins
    share = topple(time, lasts, pulse)
    heading = _face_the_sky(angles, time >= 0, way)
    top = seat_height + SEAT_TO_HIP if starts == "seated" else standing_height(offsets)
    bend = 0.0 if starts == "seated" else rng.uniform(0.03, 0.12)
    buckle = 1 - bend * np.sin(np.pi * share) ** 2
    settled = smooth_step((time - lasts - 0.5 * pulse) / 0.6)
    target = lying_angles(times, side, rng)
    if starts == "seated":
        _mix(angles, target, share, ("hip", "knee", "ankle"))
        if direction == "forward":  # the knees come down with the feet behind them
            shift_angles(angles, knee_flexion=60 * np.sin(np.pi * share) ** 2)
    else:
        _fold_legs(angles, share, buckle, offsets)
        _mix(angles, target, settled, ("hip", "knee", "ankle"))
    _fling_arms(angles, direction, time, lasts, rng)
    _curl(angles, direction, time, lasts, pulse, rng)
    arms = ("shoulder", "elbow", "forearm", "wrist")
    if direction == "forward":
        _mix(angles, _arms_over_head(target), settled, arms)
        settled = (settled >= 1).astype(float)
    _mix(angles, target, settled, arms)
    _mix(angles, target, smooth_step(time / lasts), ("trunk", "neck", "pelvis_obliquity", "pelvis_rotation"))
    tilt = ANGLE_INDEX["pelvis_tilt"]
    angles[:, tilt] += share * (-np.pi / 2 - angles[:, tilt])
    height = lying_height + (top - lying_height) * np.cos(0.5 * np.pi * share) * buckle
    height = raise_above_floor(height, angles, offsets)
    velocity = _travel(times, time, share, top - lying_height, direction, speed)
    held = smooth_step(time / 0.25)
    where, words = rng.choice(_WHERE[starts]), direction if direction in _CAPTIONS else "sideways"
    texts = describe("falling", _CAPTIONS[words], duration, rng, where=where, side=direction)
    return MotionPlan(
        angles,
        contacts * (1 - smooth_step(time / 0.2))[:, None, None],
        frame_rate,
        texts,
        "seated" if starts == "seated" else "standing",
        f"lying on the {side}",
        heading,
        height=np.stack([height, held], axis=1),
        velocity=np.column_stack([velocity, held]),
    )


def topple(time: np.ndarray, lasts: float, pulse: float) -> np.ndarray:
    """
    How far a fall has come, from 0 to 1: like a tree at first, then a stop by a half-sine force.

    Args:
        time (`np.ndarray` of shape `(num_frames,)`):
            Seconds from the moment when balance is lost.
        lasts (`float`):
            Seconds until the floor is reached.
        pulse (`float`):
            Seconds in which the floor brings the body to rest.

    Returns:
        `np.ndarray` of shape `(num_frames,)`: The way grows as time to the power of 2.6, so the speed has no jump.
    """
    power = 2.6
    speed = 1 / (lasts / power + pulse / 2)  # at impact, so that both parts make up 1
    falling = speed * lasts / power * np.clip(time / lasts, 0, 1) ** power
    stopping = np.clip((time - lasts) / pulse, 0, 1)
    return falling + 0.5 * speed * pulse * (stopping + np.sin(np.pi * stopping) / np.pi)


def _before(times, rng, starts, seat_height, seed, frame_rate, offsets) -> tuple[np.ndarray, np.ndarray, float]:
    """Angles and contacts of what the person does before falling, and how fast they move forward."""
    if starts != "walking":
        return rest(times, rng, starts, seat_height, offsets), grounded(times), 0.0
    speed = float(rng.uniform(0.8, 1.4))
    walk = plan_walk(times[-1] + 2, speed, seed, frame_rate, offsets)
    return walk.angles[: len(times)].copy(), walk.contacts[: len(times)].copy(), speed


def _face_the_sky(angles: np.ndarray, falling: np.ndarray, way: float) -> np.ndarray:
    """
    Says the same orientation of the pelvis in the terms of lying: heading opposite to the fall, leaning backward.

    Upright, heading and roll are one and the same, so a fall to any side becomes a backward tilt alone. Returns the
    heading in radians, `(num_frames,)`.
    """
    columns = [ANGLE_INDEX[f"pelvis_{name}"] for name in ("rotation", "tilt", "obliquity", "roll")]
    roll = np.radians((180 - way + 179) % 360 - 179)
    unrolled = angles[falling].copy()
    unrolled[:, columns[3]] = -roll
    matrix = quaternion_to_matrix(torch.from_numpy(local_rotations(unrolled)[:, 0])).numpy()
    heading = np.where(falling, -roll, 0.0)
    turn = np.arctan2(matrix[:, 1, 0], matrix[:, 0, 0]) + roll
    angles[falling, columns[0]] = (turn + np.pi) % (2 * np.pi) - np.pi
    angles[falling, columns[1]] = np.arcsin(np.clip(-matrix[:, 2, 0], -1, 1))
    angles[falling, columns[2]] = np.arctan2(matrix[:, 2, 1], matrix[:, 2, 2])
    angles[falling, columns[3]] = roll
    return heading


def _mix(angles: np.ndarray, target: np.ndarray, share: np.ndarray, parts: tuple[str, ...]) -> None:
    """Moves all angles whose name contains one of the parts towards a target."""
    columns = [i for name, i in ANGLE_INDEX.items() if any(part in name for part in parts)]
    angles[:, columns] += share[:, None] * (target[:, columns] - angles[:, columns])


def _fold_legs(angles: np.ndarray, share: np.ndarray, buckle: np.ndarray, offsets: np.ndarray) -> None:
    """Legs along the toppling body, as long as the buckling knees leave them."""
    upright = angles.copy()
    upright[:, ANGLE_INDEX["pelvis_tilt"]] = 0.0
    for side in ("left", "right"):
        place_leg(upright, side, 0.0, 0.985 * sum(leg_lengths(offsets)[:2]) * buckle, 0.0, offsets)
    _mix(angles, upright, smooth_step(share / 0.15), ("hip", "knee", "ankle"))


def _fling_arms(angles, direction, time, lasts, rng) -> None:
    """Arms go out to where the floor comes from; who faints hardly moves them."""
    size = rng.uniform(0.5, 1.0)
    reflex = size * smooth_step((time - 0.2 * lasts) / (0.45 * lasts))
    if direction == "forward":  # bent arms below the body could not give way, so they always reach far ahead
        mix_angles(angles, (0.9 / size + 0.1) * reflex, shoulder_flexion=rng.uniform(140, 160),
                   shoulder_abduction=25.0, shoulder_rotation=15.0, elbow_flexion=rng.uniform(15, 40),
                   wrist_flexion=-35.0)  # fmt: skip
    elif direction == "backward":
        mix_angles(angles, reflex, shoulder_flexion=-rng.uniform(15, 40), shoulder_abduction=rng.uniform(25, 50),
                   elbow_flexion=rng.uniform(15, 40), wrist_flexion=-30.0)  # fmt: skip
    else:
        limp = reflex * rng.uniform(0.3, 1.0)
        mix_angles(angles, limp, shoulder_flexion=rng.uniform(25, 60), elbow_flexion=rng.uniform(20, 60),
                   **{f"{direction}_shoulder_abduction": rng.uniform(30, 60)})  # fmt: skip


def _arms_over_head(angles: np.ndarray) -> np.ndarray:
    """The same shoulders in other terms: half a turn of flexion more, so that arms get there over the head.

    With flexion and rotation turned by half a turn, abduction is counted from above.
    """
    same = angles.copy()
    for side in ("left", "right"):
        flexion, abduction, turn = (
            ANGLE_INDEX[f"{side}_shoulder_{name}"] for name in ("flexion", "abduction", "rotation")
        )
        same[:, flexion] += np.pi
        same[:, abduction] = np.pi - same[:, abduction]
        same[:, turn] += np.pi
    return same


def _curl(angles, direction, time, lasts, pulse, rng) -> None:
    """The trunk bends away from the floor and comes down after the pelvis, the head last."""
    lands = lasts + pulse
    bent = smooth_step((time - 0.3 * lasts) / (0.6 * lasts)) * (1 - smooth_step((time - lands + 0.02) / 0.35))
    size = rng.uniform(14, 26)
    if direction in ("left", "right"):
        away = -size if direction == "left" else size
        shift_angles(angles, trunk_bending=away * bent, neck_bending=0.5 * away * bent)
    else:
        curl = 1.3 * size if direction == "backward" else -size
        shift_angles(angles, trunk_flexion=curl * bent, neck_flexion=0.7 * curl * bent)


def _travel(times, time, share, reach, direction, speed) -> np.ndarray:
    """Pelvis velocity forward and left as the lying person is headed, in m/s, `(num_frames, 2)`."""
    way = np.radians(_DIRECTIONS[direction][0])
    # Who slips loses the feet forward, so the pelvis hardly travels.
    reach = reach * (0.45 if direction == "backward" else 1.0)
    toppling = -np.gradient(reach * np.sin(0.5 * np.pi * share), times)
    walking = speed * (1 - smooth_step(time / 0.5))
    turn = way + np.pi
    return np.stack([toppling + walking * np.cos(turn), -walking * np.sin(turn)], axis=1)

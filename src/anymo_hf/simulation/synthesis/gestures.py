# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""What hands do, standing or seated: movements between poses of the arms at everyday rhythms."""

from dataclasses import dataclass, replace

import numpy as np

from anymo_hf.simulation.synthesis.curves import smooth_noise, smooth_step
from anymo_hf.simulation.synthesis.gait import plan_walk
from anymo_hf.simulation.synthesis.plan import MotionPlan
from anymo_hf.simulation.synthesis.postures import describe
from anymo_hf.simulation.synthesis.staging import begin, pose_arm, shift_angles
from anymo_hf.simulation.synthesis.still import grounded, rest, visit


@dataclass(frozen=True)
class Gesture:
    """
    One hand activity: which poses the hands move between, and how fast.

    Args:
        label (`str`):
            Name of the activity.
        captions (`tuple[str, ...]`):
            Sentences with `{side}` and `{where}`.
        rest (`str`):
            Pose (`ARM_POSES`) of the acting arm at phase 0.
        reach (`str`):
            Pose at phase 1/2.
        rate (`tuple[float, float]`):
            Cycles per second, lowest and highest.
        dwell (`float`, *optional*, defaults to 0.0):
            From 0 (a sine) to 1: share of the cycle that the hand pauses in either pose.
        other (`str`, *optional*, defaults to `""`):
            Pose of the other arm; `"same"` moves in step, `"alternate"` half a cycle later, `""` rests.
        shake (`dict[str, float]`, *optional*, defaults to `None`):
            Angles of the acting arm (degrees) that swing with the cycle too, or faster: see `shake_rate`.
        shake_rate (`tuple[float, float]`, *optional*, defaults to `(0.0, 0.0)`):
            Cycles per second of the shaking; 0 means the cycle's own.
        trunk (`dict[str, float]`, *optional*, defaults to `None`):
            Angles of trunk, neck and hips (degrees) at phase 1/2, rotation towards the acting side positive. Hips that
            stretch (negative flexion) bring the body forward over the feet.
        lean (`float`, *optional*, defaults to 0.0):
            Degrees that trunk and neck bend forward throughout.
    """

    label: str
    captions: tuple[str, ...]
    rest: str
    reach: str
    rate: tuple[float, float]
    dwell: float = 0.0
    other: str = ""
    shake: dict[str, float] | None = None
    shake_rate: tuple[float, float] = (0.0, 0.0)
    trunk: dict[str, float] | None = None
    lean: float = 0.0


# Activities and their words after the headings of the Compendium of Physical Activities (Ainsworth et al., Medicine &
# Science in Sports & Exercise 43 (2011) 1575-1581): home activities, self care, occupation, conditioning, sports.
GESTURES = {
    "clap": Gesture(
        "clapping", ("A person claps{where}.", "Someone applauds{where}.", "The person claps their hands{where}."),
        "clap_in", "clap_out", (2.0, 4.0), other="same",
    ),
    "throw": Gesture(
        "throwing",
        ("A person throws a ball with the {side} hand{where}.", "Someone throws something overarm{where}.",
         "The person swings the {side} arm back and throws{where}."),
        "follow", "cock", (0.35, 0.6), 0.55, shake={"wrist_flexion": -25.0},
        trunk={"trunk_rotation": 22.0, "pelvis_rotation": 10.0, "trunk_flexion": -14.0, "hip_flexion": 4.0},
    ),
    "punch": Gesture(
        "punching", ("A person punches the air{where}.", "Someone boxes, left and right{where}.",
                     "The person throws punches{where}."),
        "guard", "punch", (0.8, 1.5), 0.6, other="alternate",
        trunk={"trunk_rotation": -14.0, "pelvis_rotation": -7.0},
    ),
    "drink": Gesture(
        "drinking", ("A person drinks from a cup held in the {side} hand{where}.", "Someone takes sips{where}.",
                     "The person lifts a glass to the mouth and drinks{where}."),
        "cup", "drink", (0.10, 0.22), 0.6, trunk={"neck_flexion": -14.0},
    ),
    "eat": Gesture(
        "eating", ("A person eats with the {side} hand{where}.", "Someone brings food to the mouth{where}.",
                   "The person has a meal{where}."),
        "plate", "mouth", (0.2, 0.4), 0.35, other="table", shake={"forearm_pronation": -18.0},
        trunk={"neck_flexion": -4.0}, lean=10.0,
    ),
    "type": Gesture(
        "typing", ("A person types on a keyboard{where}.", "Someone is typing{where}.",
                   "The person works at a computer{where}."),
        "keys", "keys", (0.2, 0.5), other="alternate", shake={"wrist_flexion": 4.0, "wrist_deviation": 2.5},
        shake_rate=(3.0, 6.0), lean=5.0,
    ),
    "write": Gesture(
        "writing", ("A person writes by hand{where}.", "Someone takes notes with the {side} hand{where}.",
                    "The person is writing on paper{where}."),
        "pen", "table", (0.06, 0.15), 0.0, other="table",
        shake={"wrist_flexion": 5.0, "wrist_deviation": 4.0, "shoulder_rotation": 0.8}, shake_rate=(2.0, 4.0),
        lean=12.0,
    ),
    "brush_teeth": Gesture(
        "brushing teeth", ("A person brushes their teeth{where}.", "Someone brushes with the {side} hand{where}.",
                           "The person cleans their teeth with a toothbrush{where}."),
        "teeth", "drink", (0.08, 0.2), 0.3,
        shake={"elbow_flexion": 4.5, "shoulder_rotation": 5.0, "wrist_deviation": 6.0}, shake_rate=(3.0, 5.0),
        lean=6.0,
    ),
    "fold": Gesture(
        "folding clothes", ("A person folds clothes{where}.", "Someone folds laundry on a table{where}.",
                            "The person puts pieces of clothing together{where}."),
        "fold_in", "fold_out", (0.3, 0.7), 0.3, other="same", shake={"forearm_pronation": 30.0}, lean=14.0,
    ),
    "vacuum": Gesture(
        "vacuuming", ("A person vacuums the floor{where}.", "Someone pushes a vacuum cleaner to and fro{where}.",
                      "The person cleans the carpet with the {side} hand on the hose{where}."),
        "vac_a", "vac_b", (0.4, 0.9), lean=14.0,
        trunk={"trunk_flexion": 8.0, "trunk_rotation": -8.0, "hip_flexion": -4.0, "pelvis_rotation": -4.0},
    ),
    "iron": Gesture(
        "ironing", ("A person irons clothes{where}.", "Someone moves an iron to and fro with the {side} hand{where}.",
                    "The person is ironing a shirt{where}."),
        "iron_a", "iron_b", (0.4, 1.0), other="table", trunk={"trunk_rotation": -5.0}, lean=10.0,
    ),
    "phone_call": Gesture(
        "phoning", ("A person holds a phone to the {side} ear{where}.", "Someone talks on the phone{where}.",
                    "The person makes a phone call{where}."),
        "ear", "ear", (0.1, 0.2), shake={"elbow_flexion": 1.5}, trunk={"neck_rotation": 8.0},
    ),
    "text": Gesture(
        "using a phone", ("A person looks at a phone in the {side} hand{where}.", "Someone types a message{where}.",
                          "The person reads on a mobile phone{where}."),
        "phone", "phone", (0.1, 0.3), shake={"wrist_deviation": 1.2}, shake_rate=(1.0, 3.0), lean=10.0,
    ),
    "wipe_table": Gesture(
        "wiping a table", ("A person wipes a table with the {side} hand{where}.", "Someone cleans a table top{where}.",
                           "The person rubs a surface with a cloth{where}."),
        "iron_a", "iron_b", (0.7, 1.4), other="table", lean=20.0,
        trunk={"trunk_rotation": -6.0, "pelvis_rotation": -3.0, "hip_flexion": -1.5},
    ),
    "wash_dishes": Gesture(
        "washing dishes", ("A person washes dishes{where}.", "Someone scrubs a plate{where}.",
                           "The person does the washing-up{where}."),
        "sink", "plate", (0.15, 0.35), 0.3, other="alternate",
        shake={"forearm_pronation": 12.0, "wrist_deviation": 8.0, "shoulder_rotation": 4.0}, shake_rate=(1.2, 2.4),
        lean=14.0,
    ),
    "wash_hands": Gesture(
        "washing hands", ("A person washes their hands{where}.", "Someone rubs the hands together{where}.",
                          "The person soaps the hands under water{where}."),
        "sink", "clap_in", (0.1, 0.25), 0.2, other="same", shake={"shoulder_flexion": 4.0, "elbow_flexion": 5.0},
        shake_rate=(1.5, 2.8), lean=12.0,
    ),
    "stir": Gesture(
        "cooking", ("A person stirs a pot with the {side} hand{where}.", "Someone cooks, stirring{where}.",
                    "The person prepares food in a pan{where}."),
        "plate", "pen", (0.8, 1.6), other="table", shake={"shoulder_rotation": 7.0, "elbow_flexion": 6.0}, lean=6.0,
    ),
    "chop": Gesture(
        "chopping food", ("A person chops vegetables{where}.", "Someone cuts food{where}.",
                          "The person slices something on a board with a knife{where}."),
        "pen", "table", (0.1, 0.2), 0.2, other="table", shake={"elbow_flexion": 6.0, "shoulder_flexion": 3.0},
        shake_rate=(1.8, 3.2), lean=12.0,
    ),
    "sweep": Gesture(
        "sweeping", ("A person sweeps the floor with a broom{where}.", "Someone uses a broom{where}.",
                     "The person brushes dirt off the floor{where}."),
        "vac_a", "iron_b", (0.5, 0.9), other="plate", lean=14.0,
        trunk={"trunk_rotation": -12.0, "pelvis_rotation": -8.0, "hip_flexion": -2.0},
    ),
    "wash_window": Gesture(
        "washing windows", ("A person washes a window with the {side} hand{where}.", "Someone wipes glass{where}.",
                            "The person cleans a pane in wide strokes{where}."),
        "window_a", "window_b", (0.6, 1.2), trunk={"trunk_rotation": -6.0, "pelvis_rotation": -3.0},
    ),
    "comb_hair": Gesture(
        "combing hair", ("A person combs their hair{where}.", "Someone brushes their hair{where}.",
                         "The person does their hair{where}."),
        "head", "ear", (0.4, 0.9), 0.2, shake={"wrist_flexion": 10.0},
    ),
    "hammer": Gesture(
        "hammering", ("A person hammers with the {side} hand{where}.", "Someone drives in a nail{where}.",
                      "The person strikes with a hammer{where}."),
        "hammer_up", "hammer_down", (1.2, 2.2), 0.2, other="plate", shake={"wrist_deviation": -14.0}, lean=8.0,
    ),
    "read": Gesture(
        "reading", ("A person reads a book{where}.", "Someone holds a book and turns its pages{where}.",
                    "The person is reading{where}."),
        "book", "phone", (0.04, 0.08), 0.8, other="book", lean=6.0,
    ),
    "shake_hands": Gesture(
        "shaking hands", ("A person shakes somebody's hand{where}.", "Someone greets with a handshake{where}.",
                          "The person holds out the {side} hand and shakes{where}."),
        "handshake", "handshake", (0.1, 0.2), shake={"elbow_flexion": 7.0, "shoulder_flexion": 3.0},
        shake_rate=(1.8, 2.8), lean=4.0,
    ),
    "curl": Gesture(
        "lifting weights", ("A person curls dumbbells{where}.", "Someone lifts weights with both arms{where}.",
                            "The person bends the elbows under load, again and again{where}."),
        "hang", "curl", (0.25, 0.5), 0.2, other="same",
    ),
    "press": Gesture(
        "lifting weights", ("A person presses dumbbells overhead{where}.", "Someone lifts weights{where}.",
                            "The person pushes both arms up under load{where}."),
        "guard", "reach", (0.25, 0.45), 0.2, other="same", trunk={"trunk_flexion": -4.0},
    ),
}  # fmt: skip


def plan_gesture(
    name: str = "clap",
    duration: float = 6.0,
    side: str = "right",
    posture: str = "standing",
    seat_height: float = 0.45,
    seed: int = 0,
    frame_rate: float = 120.0,
    bone_offsets: np.ndarray | None = None,
) -> MotionPlan:
    """
    A person who does something with their hands.

    Args:
        name (`str`, *optional*, defaults to `"clap"`):
            One of `GESTURES`.
        duration (`float`, *optional*, defaults to 6.0):
            Seconds, with raising and lowering the arms. At least 3.
        side (`str`, *optional*, defaults to `"right"`):
            `"right"` or `"left"`: the hand that acts.
        posture (`str`, *optional*, defaults to `"standing"`):
            `"standing"` or `"seated"`.
        seat_height (`float`, *optional*, defaults to 0.45):
            Metres from the floor, if seated.
        seed (`int`, *optional*, defaults to 0):
            Chooses rhythm, amplitude, posture and words.
        frame_rate (`float`, *optional*, defaults to 120.0):
            Frames per second.
        bone_offsets (`np.ndarray` of shape `(23, 3)`, *optional*, defaults to `DEFAULT_BONE_OFFSETS`):
            The subject's bones.

    Returns:
        `MotionPlan`: From the posture to the same posture.

    Raises:
        ValueError: If the gesture, the side or the posture is unknown or the duration too short.
    """
    if name not in GESTURES or side not in ("left", "right") or duration < 3:
        raise ValueError(
            f"A gesture needs a name of {sorted(GESTURES)}, a `side` 'left' or 'right' and at least 3 s, but "
            f"{name!r}, {side!r} and {duration:g} s were given."
        )
    gesture = GESTURES[name]
    number = 20 + sorted(GESTURES).index(name)
    times, rng, offsets = begin(duration, seed, number, frame_rate, bone_offsets)
    angles = rest(times, rng, posture, seat_height, offsets)
    active = visit(times, 1.05, 1.05)
    rate, size = rng.uniform(*gesture.rate), rng.uniform(0.75, 1.1)
    cycle = rate * (times - 0.6) + 0.06 * rate * smooth_noise(times, rng, 0.1, 0.6)
    # Amplitude and rhythm waver: nobody repeats a gesture exactly.
    size = size * (1 + 0.08 * smooth_noise(times, rng, 0.1, 0.7))
    own_way = rng.uniform(-5, 5, 5)
    wave = _between(cycle, gesture.dwell) * size
    _act(angles, "right", gesture, wave, cycle, times, active, own_way, rng)
    if gesture.other in ("same", "alternate"):
        later = cycle if gesture.other == "same" else cycle + 0.5
        wave_other = wave * rng.uniform(0.9, 1.1) if gesture.other == "same" else _between(later, gesture.dwell) * size
        _act(angles, "left", gesture, wave_other, later, times, active, own_way + rng.uniform(-2, 2, 5), rng)
    elif gesture.other:
        pose_arm(angles, "left", gesture.other, active, rng.uniform(-5, 5, 5))
    # Both fists in turn twist the trunk to and fro, one hand alone only there and back.
    twist = wave - wave_other if gesture.other == "alternate" else wave
    turn = {name: -size if "rotation" in name else size for name, size in (gesture.trunk or {}).items()}
    shift_angles(angles, **{name: size * active * twist for name, size in turn.items()})
    lean = gesture.lean * rng.uniform(0.5, 1.3) * active
    shift_angles(angles, trunk_flexion=lean, neck_flexion=0.6 * lean)
    where = " while sitting" if posture == "seated" else rng.choice(["", " while standing"])
    texts = describe(gesture.label, gesture.captions, duration, rng, side=side, where=where)
    plan = MotionPlan(angles, grounded(times), frame_rate, texts, posture, posture)
    # Who uses the left hand is the mirror image of who uses the right one.
    return plan if side == "right" else plan.mirrored()


def _between(cycle: np.ndarray, dwell: float) -> np.ndarray:
    """From 0 at whole cycles to 1 at half ones; a dwell makes the way between them quicker."""
    wave = 0.5 - 0.5 * np.cos(2 * np.pi * cycle)
    # A pause at both ends leaves less time for the way.
    return (1 - dwell) * wave + dwell * smooth_step((wave - 0.2) / 0.6)


def _act(angles, side, gesture, wave, cycle, times, active, own_way, rng) -> None:
    """Writes one arm: from pose to pose, shaking, with a little tremor."""
    pose_arm(angles, side, gesture.rest, active, own_way)
    pose_arm(angles, side, gesture.reach, active * wave, own_way)
    if gesture.shake:
        fast = rng.uniform(*gesture.shake_rate)
        # Shaking comes in bursts, as words and strokes do.
        burst = 1.0 if not fast else np.clip(0.75 + 0.4 * smooth_noise(times, rng, 0.15, 0.8), 0.1, 1.3)
        for name, degrees in gesture.shake.items():
            phase = fast * times + 0.05 * fast * smooth_noise(times, rng, 0.2, 1.0) + rng.uniform(-0.1, 0.1)
            swing = np.sin(2 * np.pi * phase) * burst if fast else wave
            shift_angles(angles, **{f"{side}_{name}": degrees * active * swing * rng.uniform(0.7, 1.3)})
    tremor = 0.05 * rng.uniform(0.5, 2) * np.sin(2 * np.pi * rng.uniform(7, 10) * times)
    shift_angles(angles, **{f"{side}_elbow_flexion": tremor * active, f"{side}_wrist_flexion": 2 * tremor * active})


_PUSH_CAPTIONS = (
    "A person pushes a cart.",
    "Someone walks behind a shopping trolley.",
    "The person pushes a pram along.",
    "Walking with both hands on a cart, someone goes forward.",
)


def plan_push_cart(
    duration: float = 8.0, speed: float = 1.1, seed: int = 0, frame_rate: float = 120.0,
    bone_offsets: np.ndarray | None = None,
) -> MotionPlan:  # fmt: skip
    """A person who walks with both hands on the bar of a cart before them; `speed` in m/s as for `plan_walk`."""
    walk = plan_walk(duration, speed, seed, frame_rate, bone_offsets)
    times, rng, _ = begin(duration, seed, 140, frame_rate, bone_offsets)
    share = visit(times)
    pose_arm(walk.angles, "both", "sink", 0.95 * share, rng.uniform(-6, 6, 5))
    lean = rng.uniform(2, 9) * share
    shift_angles(walk.angles, trunk_flexion=lean, neck_flexion=-0.6 * lean, wrist_flexion=-15 * share)
    return replace(walk, texts=describe("pushing a cart", _PUSH_CAPTIONS, duration, rng))

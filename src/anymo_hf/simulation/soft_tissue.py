# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""`SoftTissue`: a sensor on the skin rides on a spring, not on the bone."""

import math
from dataclasses import dataclass

import torch

from anymo_hf.processing.placements_anymo import SEGMENTS
from anymo_hf.simulation.oscillator import filter_runs, filter_settled, ring_time, transfer_function
from anymo_hf.simulation.placements import Placements
from anymo_hf.simulation.rotations import quaternion_conjugate, quaternion_rotate


# Stiffness against shifting the skin along its surface, N/m. Karlsson and Tranberg, "On skin movement artefact -
# resonant frequencies of skin markers attached to the leg", Human Movement Science 18 (1999), measured 330 (front of
# the upper thigh) to 1900 (along the leg at the knee). The values between, and those of segments other than the leg,
# are our estimates from how much flesh lies over the bone.
_SOFT, _MEDIUM, _FIRM = 330.0, 800.0, 1900.0
_STIFFNESS = {
    "Pelvis": _SOFT, "L5": _SOFT, "L3": _SOFT, "T12": _MEDIUM, "T8": _MEDIUM, "Neck": _MEDIUM, "Head": _FIRM,
    "Shoulder": _MEDIUM, "UpperArm": _SOFT, "Forearm": _MEDIUM, "Hand": _FIRM,
    "UpperLeg": _SOFT, "LowerLeg": _MEDIUM, "Foot": _FIRM, "Toe": _FIRM,
}  # fmt: skip
# Direction of the bone in the segment frame; the skin's normal is about perpendicular to it.
_BONE_AXES = {"Shoulder": 1, "UpperArm": 1, "Forearm": 1, "Hand": 1, "Foot": 0, "Toe": 0}
# Tissue is stiffer and more damped across the skin than along it (Wakeling and Nigg, "Modification of soft tissue
# vibrations in the leg by muscular activity", J. Appl. Physiol. 90, 2001); by how much is our estimate.
NORMAL_STIFFNESS, NORMAL_DAMPING = 2.0, 1.5


@dataclass(frozen=True)
class SoftTissue:
    """
    The spread of springs between bone and sensor; `apply` draws one for every placement.

    Sensor and skin are a mass m that a spring k and a damper c tie to the bone. While the bone's specific force at the
    placement is f, the sensor lags behind by d with d'' + (c / m) d' + (k / m) d = f, and reads what spring and damper
    transmit, (c / m) d' + (k / m) d. Slow forces, gravity among them, pass unchanged; near the natural frequency
    sqrt(k / m) / 2 pi they are amplified, beyond it lost. The skin's normal is taken as the direction from the bone to
    the sensor, so that it is right for every mounting. The angular rate is left as it is, and the small forces of a
    deflection within a turning frame are left out (millimetres times the square of the rate).

    Below half the sampling rate there is little to see of light sensors on firm ground: a 10 g sensor on a shin swings
    at 45 Hz. Those of 40 to 100 g on a thigh swing at 9 to 15 Hz, where steps still have energy.

    Args:
        mass (`tuple[float, float]`, *optional*, defaults to `(0.01, 0.1)`):
            Range of the mass that swings, sensor and skin, in kilograms; drawn uniformly in its logarithm. From a bare
            sensor to a watch or a small phone.
        stiffness_spread (`float`, *optional*, defaults to 0.3):
            Deviation of the logarithm of the stiffness among people and spots.
        damping (`tuple[float, float]`, *optional*, defaults to `(0.15, 0.4)`):
            Range of the damping ratio along the skin. An estimate: the literature calls vibrations of soft tissue
            heavily damped (Boyer and Nigg, J. Biomech. Eng. 128, 2006), and flesh is not critically damped.
    """

    mass: tuple[float, float] = (0.01, 0.1)
    stiffness_spread: float = 0.3
    damping: tuple[float, float] = (0.15, 0.4)

    def __post_init__(self):
        for name in ("mass", "damping"):
            low, high = getattr(self, name)
            if not 0 < low <= high < math.inf:
                raise ValueError(f"`{name}` must be a range of positive numbers, low first, but is {(low, high)}.")
        if not 0 <= self.stiffness_spread < math.inf:
            raise ValueError(f"`stiffness_spread` must not be negative, but is {self.stiffness_spread}.")

    def draw(self, placements: Placements, generator: torch.Generator | None = None) -> "TissueSprings":
        """
        Springs for particular placements.

        Args:
            placements (`Placements`):
                Where the sensors sit.
            generator (`torch.Generator`, *optional*, defaults to `None`):
                Source of randomness.

        Returns:
            `TissueSprings`: One for every placement.
        """
        shape = placements.segment.shape
        stiffness = torch.tensor([_STIFFNESS[name.removeprefix("L_").removeprefix("R_")] for name in SEGMENTS])
        stiffness = stiffness[placements.segment]
        stiffness = stiffness * torch.exp(self.stiffness_spread * torch.randn(shape, generator=generator))
        ratio = self.mass[1] / self.mass[0]
        mass = self.mass[0] * ratio ** torch.rand(shape, generator=generator)
        low, high = self.damping
        damping = low + (high - low) * torch.rand(shape, generator=generator)
        return TissueSprings((stiffness / mass).sqrt() / (2 * math.pi), damping, skin_normals(placements))

    def apply(
        self,
        imu: torch.Tensor,
        placements: Placements,
        sampling_rate: float,
        generator: torch.Generator | None = None,
    ) -> torch.Tensor:
        """`draw`, then `TissueSprings.apply`."""
        return self.draw(placements, generator).apply(imu, sampling_rate)


@dataclass(frozen=True)
class TissueSprings:
    """
    The springs under particular sensors.

    Args:
        frequency (`torch.Tensor` of shape `(..., num_placements)`):
            Natural frequency along the skin, in hertz.
        damping (`torch.Tensor` of shape `(..., num_placements)`):
            Damping ratio along the skin.
        normal (`torch.Tensor` of shape `(..., num_placements, 3)`):
            Unit vector away from the bone in the sensor's frame.
    """

    frequency: torch.Tensor
    damping: torch.Tensor
    normal: torch.Tensor

    def __post_init__(self):
        for name in ("frequency", "damping"):
            if not (getattr(self, name) > 0).all():  # false for NaN as well
                raise ValueError(f"`{name}` must be positive, but is {getattr(self, name).min().item():g} somewhere.")

    def apply(self, imu: torch.Tensor, sampling_rate: float) -> torch.Tensor:
        """
        Readings of sensors on skin where sensors on bone would read `imu`.

        Args:
            imu (`torch.Tensor` of shape `(..., num_frames, num_placements, 6)`):
                Specific force (m/s^2), then angular rate (rad/s).
            sampling_rate (`float`):
                Frames per second.

        Returns:
            `torch.Tensor`: Of the same shape. The spring has settled before each uninterrupted stretch begins.
        """
        if not sampling_rate > 0:
            raise ValueError(f"`sampling_rate` must be positive, but is {sampling_rate}.")
        shape = (*imu.shape[:-3], imu.shape[-2])
        frequency, damping = (x.to(imu).expand(shape).flatten() for x in (self.frequency, self.damping))
        normal = self.normal.to(imu).expand(*shape, 3).flatten(0, -2)
        tail = ring_time(frequency, damping)

        def swing(force: torch.Tensor, sensors: torch.Tensor) -> torch.Tensor:
            natural, ratio, out = frequency[sensors], damping[sensors], normal[sensors, :, None]

            def respond(spectrum, frequencies):
                along = transfer_function(frequencies, natural, ratio, through_damper=True)
                stiff, lossy = natural * math.sqrt(NORMAL_STIFFNESS), ratio * NORMAL_DAMPING
                across = transfer_function(frequencies, stiff, lossy, through_damper=True)
                outwards = (spectrum * out).sum(-2, keepdim=True)
                return along[:, None] * spectrum + (across - along)[:, None] * outwards * out

            return filter_settled(force, sampling_rate, tail, respond)

        return torch.cat([filter_runs(imu[..., :3], swing), imu[..., 3:]], dim=-1)


def skin_normals(placements: Placements) -> torch.Tensor:
    """
    Direction from the bone to each sensor, across the bone, in the sensor's frame.

    Args:
        placements (`Placements`):
            Where the sensors sit and how they are turned.

    Returns:
        `torch.Tensor` of shape `(..., num_placements, 3)`: Unit vectors; on the bone's axis the sensor's z.
    """
    axes = torch.tensor([_BONE_AXES.get(name.removeprefix("L_").removeprefix("R_"), 2) for name in SEGMENTS])
    across = placements.offset * (1 - torch.nn.functional.one_hot(axes[placements.segment], 3))
    normal = quaternion_rotate(quaternion_conjugate(placements.orientation), across)
    length = torch.linalg.vector_norm(normal, dim=-1, keepdim=True)
    return torch.where(length > 1e-3, normal / length.clamp(min=1e-3), torch.tensor([0.0, 0.0, 1.0]))

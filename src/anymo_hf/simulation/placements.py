# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""`Placements`: where sensors sit on the body and how they are turned there."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from anymo_hf.processing.placements_anymo import NUM_SEGMENTS, SEGMENTS, NamedPlacement, get_placement
from anymo_hf.simulation.rotations import quaternion_exp, quaternion_multiply, random_quaternions


if TYPE_CHECKING:
    from anymo_hf.simulation.body import BodySurface


@dataclass
class Placements:
    """
    Sensors on the body: the segment that carries each of them, its spot and its turn.

    A sensor is rigid with its segment, as a strap makes it. The segment frame is the world's in the T-pose: x forward,
    y left, z up. `BodySurface.sample` and `from_names` give frames whose axes are tangent, binormal and outward normal
    of the skin: x along the bone, z away from the body.

    Args:
        segment (`torch.Tensor` of shape `(..., num_placements)`):
            Indices into `SEGMENTS`, int64.
        offset (`torch.Tensor` of shape `(..., num_placements, 3)`):
            From the segment's origin to the sensor in the segment frame, in metres, float32.
        orientation (`torch.Tensor` of shape `(..., num_placements, 4)`):
            Unit quaternions w, x, y, z that turn sensor vectors into the segment frame, float32.
        names (`tuple[str, ...]`, *optional*, defaults to `None`):
            One name per placement, the words that prompts use.

    Raises:
        ValueError: If a shape is wrong, a segment does not exist, or an offset or quaternion is not usable.
    """

    segment: torch.Tensor
    offset: torch.Tensor
    orientation: torch.Tensor
    names: tuple[str, ...] | None = None

    def __post_init__(self):
        self.segment = torch.as_tensor(self.segment)
        self.offset = torch.as_tensor(self.offset, dtype=torch.float32)
        self.orientation = torch.as_tensor(self.orientation, dtype=torch.float32)
        shape = tuple(self.segment.shape)
        if not shape:
            raise ValueError(
                "`segment` needs an axis of placements, but a single number was given; pass a list of one."
            )
        for name, last in (("offset", 3), ("orientation", 4)):
            if tuple(getattr(self, name).shape) != (*shape, last):
                raise ValueError(
                    f"`{name}` must have shape {(*shape, last)} to agree with `segment` of shape {shape}, but has "
                    f"{tuple(getattr(self, name).shape)}."
                )
        if self.names is not None:
            self.names = (self.names,) if isinstance(self.names, str) else tuple(self.names)
            if len(self.names) != shape[-1]:
                raise ValueError(f"`names` must name all {shape[-1]} placements, but holds {len(self.names)} names.")
        self._check_values()

    def _check_values(self):
        if self.segment.is_floating_point() or self.segment.is_complex() or self.segment.dtype == torch.bool:
            raise ValueError(f"`segment` must hold integers, but is {self.segment.dtype}; use indices into SEGMENTS.")
        self.segment = self.segment.long()
        if ((self.segment < 0) | (self.segment >= NUM_SEGMENTS)).any():
            raise ValueError(
                f"`segment` must lie in 0 to {NUM_SEGMENTS - 1}, but ranges from {self.segment.min()} to "
                f"{self.segment.max()}; use indices into SEGMENTS."
            )
        if not torch.isfinite(self.offset).all():
            raise ValueError("`offset` must be finite, but holds NaN or infinity; drop the sensors without a place.")
        norms = torch.linalg.vector_norm(self.orientation, dim=-1, keepdim=True)
        if not ((norms - 1).abs() < 0.01).all():  # false for NaN as well
            raise ValueError(
                "`orientation` must hold unit quaternions w, x, y, z, but lengths other than 1 were given; normalise "
                "them or use (1, 0, 0, 0) for a sensor aligned with its segment."
            )
        self.orientation = self.orientation / norms

    def __len__(self) -> int:
        return self.segment.shape[-1]

    def __getitem__(self, index) -> "Placements":
        """
        Some of the placements.

        Args:
            index (`int`, `slice`, `list[int]` or `torch.Tensor` of shape `(num_selected,)`):
                Which, along the last axis of `segment`: integers or one bool per placement. An `int` gives one.

        Returns:
            `Placements`: Those, in that order; leading axes stay.
        """
        if isinstance(index, int) and not -len(self) <= index < len(self):
            raise IndexError(f"Placement {index} was asked for, but there are {len(self)}.")
        chosen = torch.arange(len(self))[torch.as_tensor(index) if isinstance(index, (list, tuple)) else index]
        chosen = chosen.reshape(-1)
        names = None if self.names is None else tuple(self.names[i] for i in chosen.tolist())
        chosen = chosen.to(self.segment.device)
        return Placements(
            self.segment[..., chosen], self.offset[..., chosen, :], self.orientation[..., chosen, :], names
        )

    @classmethod
    def from_names(cls, names: str | Sequence[str], body: "BodySurface | None" = None) -> "Placements":
        """
        Placements where people wear sensors, by name.

        Args:
            names (`str` or `Sequence[str]`):
                Names or aliases of `processing.placements_anymo`, such as `"left wrist"` or `"right trouser pocket"`,
                or segments, such as `"L_Forearm"`: the middle of that segment.
            body (`BodySurface`, *optional*, defaults to `BodySurface.default()`):
                The body that wears them.

        Returns:
            `Placements`: One per name, with the canonical names as `names`.

        Raises:
            ValueError: If a name is unknown or lacks its side.
        """
        from anymo_hf.simulation.body import BodySurface  # imports this module

        body = BodySurface.default() if body is None else body
        found = [find_placement(name) for name in ([names] if isinstance(names, str) else names)]
        if not found:
            raise ValueError("`names` must hold at least one placement, but is empty.")
        spots = [body.place(placement) for placement in found]
        return cls(
            segment=torch.tensor([SEGMENTS.index(placement.segment) for placement in found]),
            offset=torch.stack([offset for offset, _ in spots]),
            orientation=torch.stack([orientation for _, orientation in spots]),
            names=tuple(placement.name for placement in found),
        )

    def mount(
        self,
        generator: torch.Generator | None = None,
        worn_share: float = 0.5,
        max_tilt: float = math.radians(10),
    ) -> "Placements":
        """
        The same spots with sensors mounted at random.

        Each sensor is either worn flat on the skin, turned by any angle about its z axis (the outward normal) and then
        tilted a little, or it lies loosely in any orientation, uniform over all rotations, as a phone does and as the
        axis conventions of devices differ. The tilt is uniform from 0 to `max_tilt`, about a uniform axis within the
        sensor's plane. Both are composed on the sensor's side, `C R_turn R_tilt`: composed on the other side the turn
        would run about the segment's z axis and carry the sensor's normal off the skin's.

        Args:
            generator (`torch.Generator`, *optional*, defaults to `None`):
                Source of randomness, on the CPU; `None` means torch's global one.
            worn_share (`float`, *optional*, defaults to 0.5):
                Probability that a sensor is worn flat rather than loose.
            max_tilt (`float`, *optional*, defaults to 10 degrees):
                Largest tilt of a worn sensor, in radians.

        Returns:
            `Placements`: New orientations; segments, offsets and names are shared with `self`.
        """
        if not 0 <= worn_share <= 1:
            raise ValueError(f"`worn_share` must lie between 0 and 1, but {worn_share} was given.")
        if not 0 <= max_tilt <= math.pi:
            raise ValueError(f"`max_tilt` must lie between 0 and pi radians, but {max_tilt} was given.")
        shape, device = self.segment.shape, self.segment.device
        # All numbers are drawn for every sensor, so that the share does not change what else a seed gives.
        worn, turn, axis, tilt = torch.rand(4, *shape, generator=generator)
        loose = random_quaternions(*shape, generator=generator).to(device)
        turn, axis, tilt = turn * 2 * math.pi, axis * 2 * math.pi, tilt * max_tilt
        zero = torch.zeros_like(turn)
        turned = quaternion_exp(torch.stack([zero, zero, turn], -1))
        tilted = quaternion_exp(torch.stack([tilt * torch.cos(axis), tilt * torch.sin(axis), zero], -1))
        flat = quaternion_multiply(self.orientation, quaternion_multiply(turned, tilted).to(device))
        orientation = torch.where((worn < worn_share)[..., None].to(device), flat, loose)
        return Placements(self.segment, self.offset, orientation, self.names)

    def align(
        self,
        generator: torch.Generator | None = None,
        headed_share: float = 0.5,
        max_tilt: float = math.radians(15),
    ) -> "Placements":
        """
        The same spots with sensors turned to their segments' axes, as well as calibration finds these.

        Calibration knows up from gravity; the heading about it from walking, where that shows it.

        Args:
            generator (`torch.Generator`, *optional*, defaults to `None`):
                Source of randomness, on the CPU; `None` means torch's global one.
            headed_share (`float`, *optional*, defaults to 0.5):
                Probability that the heading is known, up to `max_tilt`; else it is any.
            max_tilt (`float`, *optional*, defaults to 15 degrees):
                Largest error of the up direction, in radians, about a uniform horizontal axis.

        Returns:
            `Placements`: New orientations; segments, offsets and names are shared with `self`.
        """
        shape = self.segment.shape
        headed, turn, axis, tilt = torch.rand(4, *shape, generator=generator)
        turn = (2 * turn - 1) * torch.where(headed < headed_share, max_tilt, math.pi)
        axis, tilt = axis * 2 * math.pi, tilt * max_tilt
        zero = torch.zeros_like(turn)
        turned = quaternion_exp(torch.stack([zero, zero, turn], -1))
        tilted = quaternion_exp(torch.stack([tilt * torch.cos(axis), tilt * torch.sin(axis), zero], -1))
        orientation = quaternion_multiply(tilted, turned).to(self.segment.device)
        return Placements(self.segment, self.offset, orientation, self.names)


def find_placement(name: str) -> NamedPlacement:
    """
    The placement of that name, alias or segment.

    Args:
        name (`str`):
            As for `get_placement`, or exactly one of `SEGMENTS`: the middle of that segment, in front on trunk, head
            and legs, on the upper side (in the T-pose) of arms, hands and feet.

    Returns:
        `NamedPlacement`: Segment, share of the bone's length and direction.
    """
    if name not in SEGMENTS:
        return get_placement(name)
    upwards = name[2:] in ("Shoulder", "UpperArm", "Forearm", "Hand", "Foot", "Toe")
    return NamedPlacement(name, name, 0.5, (0, 0, 1) if upwards else (1, 0, 0))

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""What real devices add to an ideal reading: noise, bias, scale, clock, range and drop-outs."""

from dataclasses import dataclass, fields, replace

import numpy as np
import torch


# Data sheets give milli-g and degrees.
MICRO_G = 9.80665e-6  # m/s^2
MILLI_DEGREE = float(np.deg2rad(1e-3))  # rad
# The bias wanders over minutes: a point a second says all about it.
DRIFT_STEP = 1.0  # s


@dataclass(frozen=True)
class SensorErrors:
    """
    The spread of errors among devices of one kind; `apply` draws a device for every placement.

    A pair is a uniform range over devices, a single number a standard deviation unless it says otherwise. The first
    of two names is for the accelerometer (m/s^2), the second for the gyroscope (rad/s).

    Args:
        force_noise_density, rate_noise_density (`tuple[float, float]`):
            White noise per square root of hertz; a sample's deviation is density * sqrt(sampling_rate / 2).
        force_bias, rate_bias (`float`):
            Constant offset per axis, drawn at turn-on.
        force_drift, rate_drift (`float`):
            Deviation of the slow wandering of the bias, a Gauss-Markov process.
        drift_time (`tuple[float, float]`):
            Its time constant, in seconds.
        scale, misalignment (`float`):
            Relative error of each axis' gain, and of the coupling from each other axis.
        force_sensitivity (`float`):
            Gyroscope reading per specific force, in rad/s per m/s^2.
        force_range, rate_range (`float`):
            Largest magnitude per axis; readings are clipped there.
        force_resolution, rate_resolution (`float`):
            Quantisation step; 0 means none.
        clock_drift (`float`):
            Relative error of the device's clock.
        clock_jitter (`float`):
            Error of each sample's time, in seconds.
        dropout_rate (`float`):
            Interruptions per second, on average.
        dropout_duration (`float`):
            Their mean length, in seconds; readings are NaN meanwhile.
    """

    force_noise_density: tuple[float, float] = (0.0, 0.0)
    rate_noise_density: tuple[float, float] = (0.0, 0.0)
    force_bias: float = 0.0
    rate_bias: float = 0.0
    force_drift: float = 0.0
    rate_drift: float = 0.0
    drift_time: tuple[float, float] = (100.0, 1000.0)
    scale: float = 0.0
    misalignment: float = 0.0
    force_sensitivity: float = 0.0
    force_range: float = float("inf")
    rate_range: float = float("inf")
    force_resolution: float = 0.0
    rate_resolution: float = 0.0
    clock_drift: float = 0.0
    clock_jitter: float = 0.0
    dropout_rate: float = 0.0
    dropout_duration: float = 0.1

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            low, high = value if isinstance(value, tuple) else (value, value)
            if not 0 <= low <= high:
                raise ValueError(f"`{field.name}` must not be negative nor its range reversed, but is {value}.")

    @classmethod
    def preset(cls, name: str) -> "SensorErrors":
        """
        The errors of a kind of device.

        Args:
            name (`str`):
                `"ideal"`, `"phone"`, `"watch"`, `"aria_gen1"`, `"xsens"` or `"lab"`.

        Raises:
            ValueError: If there is no such preset.
        """
        if name not in PRESETS:
            raise ValueError(f"There is no preset {name!r}; choose one of {', '.join(PRESETS)}.")
        return PRESETS[name]

    def apply(self, imu: torch.Tensor, sampling_rate: float, generator: torch.Generator | None = None) -> torch.Tensor:
        """
        Readings of real devices where ideal ones would read `imu`.

        Args:
            imu (`torch.Tensor` of shape `(..., num_frames, num_placements, 6)`):
                Specific force (m/s^2), then angular rate (rad/s).
            sampling_rate (`float`):
                Frames per second.
            generator (`torch.Generator`, *optional*, defaults to `None`):
                Source of randomness.

        Returns:
            `torch.Tensor`: Of the same shape; NaN where the input is NaN and during drop-outs.
        """

        def normal(*shape):
            return torch.randn(shape, generator=generator, dtype=imu.dtype)

        def uniform(*shape):
            return torch.rand(shape, generator=generator, dtype=imu.dtype)

        num_frames, devices = imu.shape[-3], (*imu.shape[:-3], 1, imu.shape[-2])
        if self.clock_drift or self.clock_jitter:
            imu = _resample(imu, self._clock_errors(imu.shape, sampling_rate, normal))
        if self.scale or self.misalignment:
            coupling = torch.where(torch.eye(3, dtype=torch.bool), self.scale, self.misalignment)
            gains = torch.eye(3) + coupling * normal(*devices, 2, 3, 3)
            imu = torch.einsum("...ij,...j->...i", gains, imu.unflatten(-1, (2, 3))).flatten(-2)
        if self.force_sensitivity:
            leak = self.force_sensitivity * normal(*devices, 3, 3)
            rate = imu[..., 3:] + torch.einsum("...ij,...j->...i", leak, imu[..., :3])
            imu = torch.cat([imu[..., :3], rate], dim=-1)
        imu = imu + _per_sensor(self.force_bias, self.rate_bias) * normal(*devices, 6)
        if self.force_drift or self.rate_drift:
            imu = imu + self._drift(devices, num_frames / sampling_rate, num_frames, normal, uniform)
        low, high = (
            _per_sensor(*pair) for pair in zip(self.force_noise_density, self.rate_noise_density, strict=True)
        )
        density = low + (high - low) * uniform(*devices, 2).repeat_interleave(3, -1)
        imu = imu + density * (sampling_rate / 2) ** 0.5 * normal(*imu.shape)
        limit = _per_sensor(self.force_range, self.rate_range)
        imu = imu.clamp(-limit, limit)
        step = _per_sensor(self.force_resolution, self.rate_resolution)
        imu = torch.where(step > 0, (imu / step).round() * step, imu)
        if self.dropout_rate:
            imu = imu.masked_fill(self._dropouts(imu.shape[:-1], sampling_rate, uniform)[..., None], torch.nan)
        return imu

    def _clock_errors(self, shape: torch.Size, sampling_rate: float, normal) -> torch.Tensor:
        """Frames by which every sample is late, shape `(..., num_frames, num_placements)`."""
        frames = torch.arange(shape[-3], dtype=torch.float64)[:, None]
        drift = self.clock_drift * normal(*shape[:-3], 1, shape[-2])
        return drift * frames + self.clock_jitter * sampling_rate * normal(*shape[:-1])

    def _drift(self, devices, duration: float, num_frames: int, normal, uniform) -> torch.Tensor:
        """A stationary Gauss-Markov bias, shape `(..., num_frames, num_placements, 6)`."""
        low, high = self.drift_time
        keep = torch.exp(-DRIFT_STEP / (low + (high - low) * uniform(*devices, 1)))
        points = [normal(*devices, 6)]
        for _ in range(int(np.ceil(duration / DRIFT_STEP))):
            points.append(keep * points[-1] + (1 - keep**2).sqrt() * normal(*devices, 6))
        points = torch.cat(points, dim=-3)
        at = torch.linspace(0, duration / DRIFT_STEP, num_frames, dtype=points.dtype)
        before = at.long().clamp(max=points.shape[-3] - 2)
        share = (at - before)[:, None, None]
        wander = points[..., before, :, :] * (1 - share) + points[..., before + 1, :, :] * share
        return _per_sensor(self.force_drift, self.rate_drift) * wander

    def _dropouts(self, shape: torch.Size, sampling_rate: float, uniform) -> torch.Tensor:
        """True while a device delivers nothing, shape `(..., num_frames, num_placements)`."""
        begins = uniform(*shape) < self.dropout_rate / sampling_rate
        lengths = -uniform(*shape).log() * self.dropout_duration * sampling_rate
        frames = torch.arange(shape[-2], dtype=lengths.dtype)[:, None]
        ends = torch.where(begins, frames + lengths, -1.0).cummax(dim=-2).values
        return ends > frames


def _per_sensor(force: float, rate: float) -> torch.Tensor:
    """One number for each of the six channels."""
    return torch.tensor([force] * 3 + [rate] * 3)


def _resample(imu: torch.Tensor, late: torch.Tensor) -> torch.Tensor:
    """The signal `late` frames later, by Catmull-Rom interpolation; held beyond its ends."""
    last = imu.shape[-3] - 1
    at = (torch.arange(last + 1, dtype=late.dtype)[:, None] + late).clamp(0, last)
    index = at.floor()
    u = (at - index).to(imu.dtype)[..., None]
    index = index.long()
    weights = (
        ((-u + 2) * u - 1) * u / 2,
        ((3 * u - 5) * u * u + 2) / 2,
        ((-3 * u + 4) * u + 1) * u / 2,
        (u - 1) * u * u / 2,
    )
    taps = ((index + shift).clamp(0, last)[..., None].expand(imu.shape) for shift in (-1, 0, 1, 2))
    return sum(weight * imu.gather(-3, tap) for weight, tap in zip(weights, taps, strict=True))


# Typical consumer devices: noise densities cover the BMI270 data sheet (160 ug, 7 mdps per root hertz) and its kin;
# bias, scale and misalignment cover the factory calibrations stored in Aria's recordings.
_CONSUMER = SensorErrors(
    force_noise_density=(60 * MICRO_G, 200 * MICRO_G),
    rate_noise_density=(3 * MILLI_DEGREE, 15 * MILLI_DEGREE),
    force_bias=0.05,
    rate_bias=0.004,
    force_drift=2e-3,
    rate_drift=1e-4,
    scale=0.005,
    misalignment=0.003,
    force_sensitivity=100 * MILLI_DEGREE / 9.80665,
    clock_drift=50e-6,
    clock_jitter=30e-6,
)

PRESETS = {
    "ideal": SensorErrors(),
    # 8 g and 2000 deg/s in 16 bits, Android's usual setting.
    "phone": replace(
        _CONSUMER,
        force_range=8 * 9.80665,
        rate_range=float(np.deg2rad(2000)),
        force_resolution=16 * 9.80665 / 2**16,
        rate_resolution=float(np.deg2rad(4000)) / 2**16,
        clock_jitter=1e-3,
    ),
    # BMI270 class: 16 g; wrist devices send over Bluetooth and lose packets.
    "watch": replace(
        _CONSUMER,
        force_range=16 * 9.80665,
        rate_range=float(np.deg2rad(2000)),
        force_resolution=32 * 9.80665 / 2**16,
        rate_resolution=float(np.deg2rad(4000)) / 2**16,
        dropout_rate=0.01,
    ),
    # Project Aria documentation, IMU noise model: 80 and 90 ug, 5 and 10 mdps per root hertz, bias instability 28 and
    # 35 ug, 1.0 and 1.3 mdps (ten times that over minutes); steps as in its sample recordings. The documented
    # ranges disagree with those steps, so the wider one is taken.
    "aria_gen1": replace(
        _CONSUMER,
        force_noise_density=(80 * MICRO_G, 90 * MICRO_G),
        rate_noise_density=(5 * MILLI_DEGREE, 10 * MILLI_DEGREE),
        force_drift=300 * MICRO_G,
        rate_drift=10 * MILLI_DEGREE,
        force_range=16 * 9.80665,
        rate_range=float(np.deg2rad(2000)),
        force_resolution=0.002394,
        rate_resolution=5.33e-4,
    ),
    # XSens MTi-1 data sheet: 120 ug and 7 mdps per root hertz; calibrated at the factory.
    "xsens": replace(
        _CONSUMER,
        force_noise_density=(120 * MICRO_G, 120 * MICRO_G),
        rate_noise_density=(7 * MILLI_DEGREE, 7 * MILLI_DEGREE),
        force_bias=0.02,
        rate_bias=0.002,
        scale=0.001,
        misalignment=0.001,
        force_range=16 * 9.80665,
        rate_range=float(np.deg2rad(2000)),
        clock_drift=5e-6,
        clock_jitter=0.0,
    ),
    # A calibrated, wired sensor: what is left is the noise of a good chip.
    "lab": SensorErrors(
        force_noise_density=(60 * MICRO_G, 80 * MICRO_G),
        rate_noise_density=(3 * MILLI_DEGREE, 5 * MILLI_DEGREE),
        force_bias=0.005,
        rate_bias=0.0005,
    ),
}

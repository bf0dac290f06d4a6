# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""What real devices add to an ideal reading: noise, bias, scale, clock, range and drop-outs."""

import math
from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from anymo_hf.simulation.oscillator import filter_runs, filter_settled, ring_time, transfer_function


# Data sheets give milli-g and degrees.
MICRO_G = 9.80665e-6  # m/s^2
MILLI_DEGREE = float(np.deg2rad(1e-3))  # rad
# The bias wanders over minutes: a point a second says all about it.
DRIFT_STEP = 1.0  # s
NUM_DRIFT_WAVES = 8
FASTEST_WAVE = 0.5 / DRIFT_STEP  # rad/s, so that straight lines between the points follow; few would be faster
BUTTERWORTH = 0.5**0.5  # the damping ratio of a second-order low-pass that is 3 dB down at its cut-off


@dataclass(frozen=True)
class SensorErrors:
    """
    The spread of errors among devices of one kind; `apply` draws a device for every placement, `draw` keeps it.

    A pair is a uniform range over devices, a single number a standard deviation unless it says otherwise. The first
    of two names is for the accelerometer (m/s^2), the second for the gyroscope (rad/s).

    Args:
        force_noise_density, rate_noise_density (`tuple[float, float]`):
            White noise per square root of hertz; a sample's deviation is density * sqrt(sampling_rate / 2).
        force_bias, rate_bias (`float`):
            Constant offset per axis, drawn at turn-on.
        force_drift, rate_drift (`float`):
            Deviation of the slow wandering of the bias, with the correlation of a Gauss-Markov process.
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
        force_bandwidth, rate_bandwidth (`float`):
            Where the device's own low-pass (Butterworth, second order) lets 0.71 of a signal through, in hertz;
            infinite means none. It delays what it passes by 0.23 / bandwidth seconds, so that different ones shift
            force against rate. The MPU-6050, say, can be set from 260 down to 5 Hz (register map, `DLPF_CFG`).
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
    force_bandwidth: float = float("inf")
    rate_bandwidth: float = float("inf")
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
            unlimited = field.name.endswith(("_range", "_bandwidth"))
            if high == math.inf and not unlimited or low == 0 and unlimited:
                raise ValueError(
                    f"`{field.name}` must be a {'positive' if unlimited else 'finite'} number, but is {value}."
                )

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

    def draw(self, *shape: int, generator: torch.Generator | None = None) -> "DeviceErrors":
        """
        Particular devices of this kind, whose errors stay the same however often they record.

        Args:
            shape (`int`):
                Leading axes and number of placements, as in `(..., num_placements)`.
            generator (`torch.Generator`, *optional*, defaults to `None`):
                Source of randomness.

        Returns:
            `DeviceErrors`: One device for each placement.
        """

        def normal(*extra):
            return torch.randn(*shape, *extra, generator=generator)

        def uniform(*extra):
            return torch.rand(*shape, *extra, generator=generator)

        clock = self.clock_drift * normal()
        coupling = torch.where(torch.eye(3, dtype=torch.bool), self.scale, self.misalignment)
        gains = torch.eye(3) + coupling * normal(2, 3, 3)
        leak = self.force_sensitivity * normal(3, 3)
        bias = _per_sensor(self.force_bias, self.rate_bias) * normal(6)
        (force_low, force_high), (rate_low, rate_high) = self.force_noise_density, self.rate_noise_density
        low, high = _per_sensor(force_low, rate_low), _per_sensor(force_high, rate_high)
        density = low + (high - low) * uniform(2).repeat_interleave(3, -1)
        # A Gauss-Markov process of time constant T has the spectrum of Cauchy with scale 1 / T: waves of frequencies
        # drawn from it have its correlation, and can be told for any time without those before.
        low, high = self.drift_time
        correlation_time = low + (high - low) * uniform(1, 1)
        waves = torch.tan(torch.pi * (uniform(6, NUM_DRIFT_WAVES) - 0.5)) / correlation_time.clamp(min=1e-9)
        waves = waves.clamp(-FASTEST_WAVE, FASTEST_WAVE)
        return DeviceErrors(
            kind=self,
            clock=clock,
            coupling=_couple(gains, leak),
            bias=bias,
            density=density,
            drift_waves=waves,
            drift_phases=2 * torch.pi * uniform(6, NUM_DRIFT_WAVES),
        )

    def apply(self, imu: torch.Tensor, sampling_rate: float, generator: torch.Generator | None = None) -> torch.Tensor:
        """
        Readings of real devices where ideal ones would read `imu`; every placement gets a device of its own.

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
        devices = self.draw(*imu.shape[:-3], imu.shape[-2], generator=generator)
        return devices.apply(imu, sampling_rate, generator)


@dataclass(frozen=True)
class DeviceErrors:
    """
    Particular devices, drawn by `SensorErrors.draw`: what is constant about them, while noise comes anew each time.

    Args:
        kind (`SensorErrors`):
            What they were drawn from.
        clock (`torch.Tensor` of shape `(..., num_placements)`):
            Relative error of the clock.
        coupling (`torch.Tensor` of shape `(..., num_placements, 6, 6)`):
            Gain, misalignment and sensitivity to force: what turns a reading (as a row) into the device's.
        bias (`torch.Tensor` of shape `(..., num_placements, 6)`):
            Offset, in m/s^2 and rad/s.
        density (`torch.Tensor` of shape `(..., num_placements, 6)`):
            White noise per square root of hertz.
        drift_waves, drift_phases (`torch.Tensor` of shape `(..., num_placements, 6, num_waves)`):
            Frequencies (rad/s) and phases of the waves that the bias wanders in.
    """

    kind: SensorErrors
    clock: torch.Tensor
    coupling: torch.Tensor
    bias: torch.Tensor
    density: torch.Tensor
    drift_waves: torch.Tensor
    drift_phases: torch.Tensor

    def apply(
        self,
        imu: torch.Tensor,
        sampling_rate: float,
        generator: torch.Generator | None = None,
        start_time: float = 0.0,
    ) -> torch.Tensor:
        """
        What these devices read.

        Args:
            imu (`torch.Tensor` of shape `(..., num_frames, num_placements, 6)`):
                Specific force (m/s^2), then angular rate (rad/s).
            sampling_rate (`float`):
                Frames per second.
            generator (`torch.Generator`, *optional*, defaults to `None`):
                Source of the noise.
            start_time (`float`, *optional*, defaults to 0.0):
                Seconds from the beginning of the recording to the first frame: pieces of one recording share the
                wandering of the bias. The clock's error counts from the first frame of each piece.

        Returns:
            `torch.Tensor`: Of the same shape; NaN where the input is NaN and during drop-outs.
        """
        if not 0 < sampling_rate < math.inf:
            raise ValueError(f"`sampling_rate` must be positive, but is {sampling_rate}.")
        devices = (*imu.shape[:-3], imu.shape[-2])
        if imu.ndim < 3 or imu.shape[-1] != 6 or devices != self.bias.shape[:-1]:
            raise ValueError(
                f"`imu` must have shape (..., num_frames, num_placements, 6) with the leading axes and placements "
                f"{tuple(self.bias.shape[:-1])} of the devices, but has {tuple(imu.shape)}; draw devices for it."
            )
        if imu.numel() == 0:
            return imu.clone()
        if min(self.kind.force_bandwidth, self.kind.rate_bandwidth) < math.inf:
            imu = self._low_pass(imu, sampling_rate)
        readings = torch.empty(imu.shape, dtype=imu.dtype)
        drift = self._drift(imu.shape[-3], sampling_rate, start_time)
        parts = (
            (imu, 3),
            (readings, 3),
            (self.clock, 1),
            (self.coupling, 3),
            (self.bias, 2),
            (self.density, 2),
            (drift, 3),
        )
        # One window at a time stays in the processor's cache.
        windows = [part.to(imu.dtype).reshape(-1, *part.shape[part.ndim - axes :]) for part, axes in parts]
        for window in zip(*windows, strict=True):
            self._measure(*window, sampling_rate, generator)
        return readings

    def _low_pass(self, imu: torch.Tensor, sampling_rate: float) -> torch.Tensor:
        cutoff = _per_sensor(self.kind.force_bandwidth, self.kind.rate_bandwidth).to(imu.dtype)
        damping = torch.full_like(cutoff, BUTTERWORTH)

        def respond(spectrum, frequencies):
            return spectrum * transfer_function(frequencies, cutoff, damping, through_damper=False)

        tail = ring_time(cutoff, damping)
        return filter_runs(imu, lambda sensors, _: filter_settled(sensors, sampling_rate, tail, respond))

    def _drift(self, num_frames: int, sampling_rate: float, start_time: float) -> torch.Tensor:
        """The bias' wandering at `_drift_points` times, shape `(..., num_points, num_placements, 6)`."""
        if not (self.kind.force_drift or self.kind.rate_drift):
            return torch.zeros_like(self.bias)[..., None, :, :]
        times = start_time + _drift_points(num_frames, sampling_rate) / sampling_rate
        angles = self.drift_waves[..., None, :, :, :].double() * times[:, None, None, None]
        waves = torch.cos(angles + self.drift_phases[..., None, :, :, :])
        wander = waves.sum(-1) * (2 / NUM_DRIFT_WAVES) ** 0.5
        return _per_sensor(self.kind.force_drift, self.kind.rate_drift) * wander

    def _measure(self, imu, readings, clock, coupling, bias, density, drift, sampling_rate, generator) -> None:
        """Writes one window `(num_frames, num_placements, 6)` as the devices read it into `readings`."""
        kind, num_frames = self.kind, len(imu)
        if kind.clock_drift or kind.clock_jitter:
            late = clock * torch.arange(num_frames, dtype=imu.dtype)[:, None]
            if kind.clock_jitter:
                jitter = torch.randn(late.shape, generator=generator, dtype=imu.dtype)
                late = late.add_(jitter, alpha=kind.clock_jitter * sampling_rate)
            imu = _resample(imu, late)
        # Time last: what is constant over time then runs along whole cache lines.
        seen = imu.permute(1, 2, 0).contiguous()
        if kind.scale or kind.misalignment or kind.force_sensitivity:
            seen = torch.baddbmm(bias[..., None], coupling, seen)
        else:
            seen = seen.add_(bias[..., None])
        if kind.force_drift or kind.rate_drift:
            points = drift.permute(1, 2, 0).contiguous()
            seen += torch.nn.functional.interpolate(points, num_frames, mode="linear", align_corners=True)
        if max(*kind.force_noise_density, *kind.rate_noise_density) > 0:
            noise = torch.randn(seen.shape, generator=generator, dtype=imu.dtype)
            seen.addcmul_(noise, density[..., None], value=(sampling_rate / 2) ** 0.5)
        limits = (kind.force_range, kind.force_resolution), (kind.rate_range, kind.rate_resolution)
        for channels, (limit, step) in zip(seen.split(3, dim=1), limits, strict=True):
            if limit < math.inf:
                channels.clamp_(-limit, limit)
            if step:
                channels.div_(step).round_().mul_(step)
        readings.copy_(seen.permute(2, 0, 1))
        if kind.dropout_rate:
            _drop(readings, kind.dropout_rate / sampling_rate, kind.dropout_duration * sampling_rate, generator)


def _per_sensor(force: float, rate: float) -> torch.Tensor:
    """One number for each of the six channels."""
    return torch.tensor([force] * 3 + [rate] * 3)


def _couple(gains: torch.Tensor, leak: torch.Tensor) -> torch.Tensor:
    """Gains `(..., 2, 3, 3)`, and the force so measured leaking `(..., 3, 3)` into the rate, as one `(..., 6, 6)`."""
    coupling = gains.new_zeros(*leak.shape[:-2], 6, 6)
    coupling[..., :3, :3], coupling[..., 3:, 3:] = gains.unbind(-3)
    coupling[..., 3:, :3] = leak @ gains[..., 0, :, :]
    return coupling


def _drift_points(num_frames: int, sampling_rate: float) -> torch.Tensor:
    """Frames at which a wandering bias is told, `DRIFT_STEP` apart or less, both ends among them."""
    num_steps = max(1, math.ceil((num_frames - 1) / sampling_rate / DRIFT_STEP))
    return torch.linspace(0, max(1, num_frames - 1), num_steps + 1, dtype=torch.float64)


def _drop(readings: torch.Tensor, begins_per_frame: float, mean_length: float, generator) -> None:
    """Writes NaN into `readings` `(num_frames, num_placements, 6)` where a device delivers nothing."""
    num_frames, num_placements = readings.shape[:2]
    expected = torch.tensor(begins_per_frame * num_frames * num_placements)
    count = int(torch.poisson(expected, generator=generator))
    starts = torch.randint(num_frames, (count,), generator=generator).tolist()
    placements = torch.randint(num_placements, (count,), generator=generator).tolist()
    lengths = (-torch.rand(count, generator=generator).log() * mean_length).ceil().int().tolist()
    for start, placement, length in zip(starts, placements, lengths, strict=True):
        readings[start : start + length, placement] = torch.nan


def _resample(imu: torch.Tensor, late: torch.Tensor) -> torch.Tensor:
    """The signal `late` frames later, `(num_frames, num_placements)`, Catmull-Rom; held at the ends."""
    num_frames, num_placements = late.shape
    frames = torch.arange(num_frames)[:, None]
    late = late.clamp(-frames, num_frames - 1 - frames)
    whole = late.floor()
    index = frames + whole.long()
    u = (late - whole)[..., None]
    weights = (
        ((-u + 2) * u - 1) * u / 2,
        ((3 * u - 5) * u * u + 2) / 2,
        ((-3 * u + 4) * u + 1) * u / 2,
        (u - 1) * u * u / 2,
    )
    # Rows of six numbers are fetched as one.
    rows, columns = imu.reshape(-1, 6), torch.arange(num_placements)
    taps = ((index + shift).clamp(0, num_frames - 1) * num_placements + columns for shift in (-1, 0, 1, 2))
    return sum(w * rows.index_select(0, tap.flatten()).view(imu.shape) for w, tap in zip(weights, taps, strict=True))


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

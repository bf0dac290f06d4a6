# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Second-order systems driven by readings: what soft tissue and a device's low-pass filter do to a signal."""

from collections.abc import Callable

import torch


# A free oscillation counts as over when this share of it is left.
SETTLED = 1e-3
LONGEST_TAIL = 2.0  # s, also for hardly damped ones


def transfer_function(
    frequencies: torch.Tensor, natural: torch.Tensor, damping: torch.Tensor, through_damper: bool
) -> torch.Tensor:
    """
    Complex gain of a damped oscillator at the given frequencies.

    With f_n the natural frequency, d the damping ratio and s = i f / f_n it is 1 / (1 + 2 d s + s^2), a low-pass. If
    the damper is fixed to what moves, as tissue is to bone, it carries over too: (1 + 2 d s) / (1 + 2 d s + s^2).

    Args:
        frequencies (`torch.Tensor` of shape `(num_frequencies,)`):
            In hertz.
        natural (`torch.Tensor` of shape `(...)`):
            Natural frequencies of the oscillators without damping, in hertz.
        damping (`torch.Tensor` of shape `(...)`):
            Damping ratios; 1 is critical.
        through_damper (`bool`):
            Whether the damper carries motion over as the spring does.

    Returns:
        `torch.Tensor` of shape `(..., num_frequencies)`: Gains, complex; 1 at rest.
    """
    ratio = frequencies / natural[..., None]
    damped = 2 * damping[..., None] * ratio
    denominator = torch.complex(1 - ratio**2, damped)
    numerator = torch.complex(torch.ones_like(damped), damped if through_damper else torch.zeros_like(damped))
    return numerator / denominator


def filter_settled(
    signal: torch.Tensor,
    sampling_rate: float,
    ring_time: float,
    respond: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """
    The response of a linear system with gain 1 at rest, settled at the signal's first value before that begins.

    Args:
        signal (`torch.Tensor` of shape `(..., num_frames)`):
            What drives it.
        sampling_rate (`float`):
            Frames per second.
        ring_time (`float`):
            Seconds until a free oscillation is over.
        respond (`Callable`):
            Takes a spectrum `(..., num_frequencies)` and the frequencies in hertz `(num_frequencies,)`, gives the
            spectrum of the response.

    Returns:
        `torch.Tensor` of shape `(..., num_frames)`: The response.
    """
    num_frames = signal.shape[-1]
    first = signal[..., :1]
    moved = signal - first
    # The transform takes the signal for periodic: it must come back to its beginning smoothly, and early enough for
    # the oscillation to die out.
    num_tail = max(1, round(ring_time * sampling_rate))
    fade = 0.5 + 0.5 * torch.cos(torch.linspace(0, torch.pi, num_tail, dtype=signal.dtype))
    back = (num_frames - 1 - torch.arange(num_tail)).clamp(min=0)
    extended = torch.cat([moved, moved[..., back] * fade, torch.zeros_like(moved[..., back])], dim=-1)
    length = extended.shape[-1]
    frequencies = torch.fft.rfftfreq(length, 1 / sampling_rate, dtype=signal.dtype)
    response = torch.fft.irfft(respond(torch.fft.rfft(extended), frequencies), n=length)
    return response[..., :num_frames] + first


def ring_time(natural: torch.Tensor, damping: torch.Tensor) -> float:
    """Seconds until the slowest of some oscillators is still."""
    slowest = (natural * damping).min().item() * 2 * torch.pi
    return min(LONGEST_TAIL, -float(torch.log(torch.tensor(SETTLED))) / slowest)


def filter_runs(imu: torch.Tensor, function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """
    Filters every uninterrupted stretch by itself: nothing is carried over a gap.

    Args:
        imu (`torch.Tensor` of shape `(..., num_frames, num_placements, num_channels)`):
            Readings, NaN where there are none.
        function (`Callable`):
            Takes readings `(num_sensors, num_channels, num_frames)` without NaN and which sensors these are
            `(num_sensors,)`, counted through all leading axes and placements; gives readings of the same shape.

    Returns:
        `torch.Tensor` of the shape of `imu`: NaN where that is.
    """
    if imu.numel() == 0:
        return imu.clone()
    sensors = imu.movedim(-3, -1)  # (..., num_placements, num_channels, num_frames)
    shape, sensors = sensors.shape, sensors.flatten(0, -3)
    missing = sensors.isnan().any(-2)
    whole = torch.nonzero(~missing.any(-1))[:, 0]
    if len(whole) == len(sensors):
        result = function(sensors, whole)
    else:
        result = torch.full_like(sensors, torch.nan)
        if len(whole):
            result[whole] = function(sensors[whole], whole)
        for sensor in torch.nonzero(missing.any(-1))[:, 0]:
            edges = torch.diff(missing[sensor].int(), prepend=torch.ones(1), append=torch.ones(1))
            starts, stops = torch.nonzero(edges < 0)[:, 0].tolist(), torch.nonzero(edges > 0)[:, 0].tolist()
            for start, stop in zip(starts, stops, strict=True):
                result[sensor, :, start:stop] = function(sensors[sensor, None, :, start:stop], sensor[None])[0]
    return result.reshape(shape).movedim(-1, -3)

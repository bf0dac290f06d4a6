# Copyright 2026 The anymo-hf contributors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""`calibrate`: turns sensors that were worn anyhow into a known frame, from standing or from walking."""

import warnings
from dataclasses import dataclass, replace

import numpy as np

from .placements_anymo import SEGMENTS
from .streams_anymo import Recording, SensorStream


GRID_RATE = 25.0  # Hz; walking is over by 12
WINDOW, HOP = 4.0, 1.0  # s
STEP_RATES = (1.3, 2.7)  # Hz, steps in walking; a leg or an arm swings at half of it
MIN_SWING, MAX_SWING = 0.6, 7.0  # m/s^2, deviation of the force's length
MIN_PERIODICITY = 0.4  # autocorrelation at the step or the stride
MIN_WINDOWS = 4
MAX_TILT = 30.0  # degrees from the common up direction; beyond, a window shows another posture
_ARM_PARTS = ("UpperArm", "Forearm", "Hand")
_TRUNK = ("Pelvis", "L5", "L3", "T12", "T8", "Neck", "Head")
# A foot turns as fast when it pushes off as when it swings, so that its axis has no sign.
_LEG_PARTS = ("UpperLeg", "LowerLeg")
# Degrees by which the mean force in a leg's part leans over a whole stride, knee forward counted positive: the hip's
# mean flexion is about 10 in published gait curves; the shank leans by 22 (18 to 26) in 44 walks of the CMU database.
_LEAN = {"UpperLeg": 10.0, "LowerLeg": -22.0}


@dataclass(frozen=True)
class _Walking:
    """
    What the walking-like windows of one sensor show.

    Args:
        up (`np.ndarray` of shape `(3,)`):
            Mean direction of the force, sensor frame.
        share (`float`):
            Windows used among all.
        spread (`float`):
            Median angle of the windows' directions from `up`, in degrees.
        used (`np.ndarray` of shape `(num_used, num_frames, 6)`):
            Their readings on the common grid.
    """

    up: np.ndarray
    share: float
    spread: float
    used: np.ndarray


def calibrate(
    recording: Recording, standing: tuple[float, float] | None = None, min_windows: int = MIN_WINDOWS
) -> Recording:
    """
    Finds how every sensor was mounted, as far as gravity and walking tell.

    With `standing`, up is where the force points while the wearer stands upright with hanging arms. Without it, up is
    the mean force over walking-like stretches: sustained swings at a step's rate, whose mean direction most of them
    share. The heading comes from walking where that allows: on trunk and head by the phase between vertical and
    horizontal force at the step's rate, on thighs and shanks by the axis about which they swing. Where it
    does not, the heading is that of the smallest turn, and `calibration_quality["heading"]` is 0.

    Args:
        recording (`Recording`):
            Of any sensors whose force contains gravity.
        standing (`tuple[float, float]`, *optional*, defaults to `None`):
            Seconds, on the recording's clock.
        min_windows (`int`, *optional*, defaults to 4):
            Walking-like windows of 4 s, a second apart, that a sensor needs.

    Returns:
        `Recording`: The same readings with `mounting`, `calibration` and `calibration_quality`: `share` of windows
        used, `spread` in degrees, `heading` (1 or 0). Sensors with a given mounting and sensors that show nothing stay
        as they are; the latter with a warning.

    Raises:
        ValueError: If no sensor can be calibrated or `standing` holds no readings.
    """
    if standing is not None and not (len(standing) == 2 and standing[0] < standing[1]):
        raise ValueError(f"`standing` must be (first second, last second), but is {standing!r}.")
    sensors, failures = [], []
    for sensor in recording.sensors:
        if sensor.calibration == "given":
            sensors.append(sensor)
            continue
        try:
            sensors.append(_calibrate_sensor(sensor, standing, min_windows))
        except ValueError as reason:
            failures.append(str(reason))
            sensors.append(sensor)
    if failures and len(failures) == len(sensors):
        raise ValueError("No sensor could be calibrated. " + " ".join(failures))
    for failure in failures:
        warnings.warn(f"Not calibrated: {failure}", stacklevel=2)
    return replace(recording, sensors=tuple(sensors))


def apply_mounting(sensor: SensorStream, segment: str | None = None) -> np.ndarray:
    """
    The readings in the segment's frame.

    Args:
        sensor (`SensorStream`):
            With or without mounting.
        segment (`str`, *optional*, defaults to `None`):
            Which of `sensor.segments`, where the side is not known.

    Returns:
        `np.ndarray` of shape `(num_samples, 6)`: Turned; the stream's own array if there is no mounting.
    """
    if sensor.mounting is None:
        return sensor.values
    mounting = sensor.mounting_on(sensor.segment if segment is None else segment)
    matrix = quaternion_to_matrix(mounting)
    return (sensor.values.reshape(-1, 2, 3) @ matrix.T).reshape(-1, 6)


def _calibrate_sensor(sensor: SensorStream, standing, min_windows: int) -> SensorStream:
    if not sensor.gravity:
        raise ValueError(
            f"{sensor.placement!r} has a force without gravity, which shows no up direction; give the gravity too."
        )
    if standing is None:
        walking = find_walking(sensor, min_windows)
        if walking is None:
            raise ValueError(
                f"{sensor.placement!r} shows no walking-like stretch of {WINDOW + min_windows * HOP:.0f} s; pass "
                "`standing=(first second, last second)` instead."
            )
        up, share, spread, how = walking.up, walking.share, walking.spread, "walking"
    else:
        up, share, spread = _up_of_standing(sensor, standing)
        how, walking = "standing", find_walking(sensor, min_windows)
    forward = None if walking is None else find_forward(walking, up, sensor.segments[0])
    if how == "walking" and forward is not None:
        up, forward = _set_upright(up, forward, sensor.segments[0])
    mounting = np.stack([mounting_of(up, forward, segment) for segment in sensor.segments])
    quality = {"share": share, "spread": spread, "heading": float(forward is not None)}
    return replace(
        sensor, mounting=mounting if len(mounting) > 1 else mounting[0], calibration=how, calibration_quality=quality
    )


def _set_upright(up: np.ndarray, forward: np.ndarray, segment: str) -> tuple[np.ndarray, np.ndarray]:
    """The same directions for a segment that stands instead of leaning as it does in walking."""
    lean = np.radians(_LEAN.get(segment[2:], 0.0))
    return np.cos(lean) * up - np.sin(lean) * forward, np.cos(lean) * forward + np.sin(lean) * up


def _up_of_standing(sensor: SensorStream, standing) -> tuple[np.ndarray, float, float]:
    inside = (sensor.timestamps >= standing[0]) & (sensor.timestamps <= standing[1])
    force = sensor.values[inside, :3]
    force = force[np.isfinite(force).all(1)]
    if not len(force):
        raise ValueError(
            f"{sensor.placement!r} has no reading between {standing[0]:g} and {standing[1]:g} s; it runs from "
            f"{sensor.timestamps[0]:g} to {sensor.timestamps[-1]:g} s."
        )
    mean = force.mean(0)
    if np.linalg.norm(mean) < 1e-6:
        raise ValueError(f"{sensor.placement!r} has no mean force while standing; gravity seems to be removed.")
    up = _unit(mean)
    return up, float(len(force) / inside.sum()), float(np.median(_angles(force, up)))


def find_walking(sensor: SensorStream, min_windows: int = MIN_WINDOWS) -> _Walking | None:
    """
    The walking-like windows of a sensor.

    Args:
        sensor (`SensorStream`):
            Any rate from 10 Hz.
        min_windows (`int`, *optional*, defaults to 4):
            Fewer are none.

    Returns:
        `_Walking` or `None`.
    """
    windows = _grid_windows(sensor)
    if windows is None:
        return None
    periodic, weights = _score(windows)
    # Sustained: a neighbour of each window swings as well.
    sustained = periodic & (np.r_[False, periodic[:-1]] | np.r_[periodic[1:], False])
    if sustained.sum() < min_windows:
        return None
    used, weights = windows[sustained], weights[sustained]
    directions = _unit(used[..., :3].mean(1))
    up = _mode(directions, weights)
    close = _angles(directions, up) < MAX_TILT
    if close.sum() < min_windows:
        return None
    for _ in range(10):  # geometric median of those, by Weiszfeld's weights
        angles = np.maximum(_angles(directions[close], up), 0.5)
        up = _unit(((weights[close] / angles)[:, None] * directions[close]).sum(0))
    spread = float(np.median(_angles(directions[close], up)))
    return _Walking(up, float(close.sum() / len(windows)), spread, used[close])


def _grid_windows(sensor: SensorStream) -> np.ndarray | None:
    """Readings on a grid of 25 Hz, shape `(num_windows, num_frames, 6)`, without windows that have a gap."""
    times, values = sensor.timestamps, sensor.values
    measured = np.isfinite(values[:, :3]).all(1)
    if measured.sum() < 4 * GRID_RATE or not sensor.sampling_rate >= 9:
        return None
    times, values = times[measured], values[measured]
    grid = np.arange(times[0], times[-1], 1 / GRID_RATE)
    width = int(sensor.sampling_rate // GRID_RATE)
    if width > 1:  # a moving mean is filter enough, for it is means and low frequencies that count
        total = np.cumsum(np.concatenate([np.zeros((1, 6)), np.nan_to_num(values)]), axis=0)
        values = (total[width:] - total[:-width]) / width
        times = times[width // 2 : width // 2 + len(values)]
    columns = np.stack([np.interp(grid, times, np.nan_to_num(values[:, i])) for i in range(6)], axis=1)
    after = np.clip(np.searchsorted(times, grid), 1, len(times) - 1)
    in_gap = np.cumsum(np.r_[0, (times[after] - times[after - 1]) > 0.25])
    size, hop = int(WINDOW * GRID_RATE), int(HOP * GRID_RATE)
    starts = np.arange(0, len(grid) - size + 1, hop)
    starts = starts[in_gap[starts + size] == in_gap[starts]] if len(starts) else starts
    return columns[starts[:, None] + np.arange(size)] if len(starts) else None


def _score(windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which windows swing like walking, and how periodically."""
    sizes = np.linalg.norm(windows[..., :3], axis=-1)
    sizes = sizes - sizes.mean(1, keepdims=True)
    swing = sizes.std(1)
    # The length of the force needs no orientation. Its spectrum has a peak at the steps, and on limbs at the strides.
    length = sizes.shape[1]
    spectrum = np.fft.rfft(sizes * np.hanning(length), 4 * length, axis=1)
    frequencies = np.fft.rfftfreq(4 * length, 1 / GRID_RATE)
    power = np.abs(spectrum) ** 2
    autocorrelation = np.fft.irfft(np.abs(np.fft.rfft(sizes, 2 * length, axis=1)) ** 2, axis=1)[:, :length]
    autocorrelation = autocorrelation / np.maximum(autocorrelation[:, :1], 1e-9)
    autocorrelation = autocorrelation * length / (length - np.arange(length))
    lags = np.arange(length) / GRID_RATE
    stride = (lags >= 2 / STEP_RATES[1]) & (lags <= 2 / STEP_RATES[0])
    periodicity = autocorrelation[:, stride].max(1)
    in_band = (frequencies >= 0.5 * STEP_RATES[0]) & (frequencies <= 2 * STEP_RATES[1])
    tonal = power[:, in_band].sum(1) / np.maximum(power.sum(1), 1e-9)
    walking = (swing > MIN_SWING) & (swing < MAX_SWING) & (periodicity > MIN_PERIODICITY) & (tonal > 0.4)
    return walking, np.clip(periodicity, 0, 1)


def _mode(directions: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The direction with the most company within 15 degrees."""
    candidates = directions[:: max(1, len(directions) // 300)]
    company = np.exp(-((_angles_between(candidates, directions) / 15) ** 2)) @ weights
    return candidates[company.argmax()]


def find_forward(walking: _Walking, up: np.ndarray, segment: str) -> np.ndarray | None:
    """
    The direction of walking in the sensor's frame.

    Args:
        walking (`_Walking`):
            From `find_walking`.
        up (`np.ndarray` of shape `(3,)`):
            Sensor frame.
        segment (`str`):
            Which carries the sensor.

    Returns:
        `np.ndarray` of shape `(3,)` or `None`: Unit vector across `up`; `None` on arms and wherever the sign is not
        clear.
    """
    part = segment.removeprefix("L_").removeprefix("R_")
    if part in _LEG_PARTS:
        return _forward_of_leg(walking.used[..., 3:], up)
    return _forward_of_trunk(walking.used[..., :3], up) if part in _TRUNK else None


def _forward_of_leg(rate: np.ndarray, up: np.ndarray) -> np.ndarray | None:
    """A leg swings about the axis to the left, and faster forward (negative) than backward."""
    rate = rate - rate.mean(1, keepdims=True)
    flat = (rate - (rate @ up)[..., None] * up).reshape(-1, 3)
    values, vectors = np.linalg.eigh(flat.T @ flat / len(flat))
    if values[2] < 0.05 or values[2] < 3 * values[1]:
        return None
    left = vectors[:, 2]
    swing = rate @ left
    skewness = float((swing**3).mean() / (swing**2).mean() ** 1.5)
    if abs(skewness) < 0.1:
        return None
    left = -np.sign(skewness) * left
    return _unit(np.cross(left, up))


def _forward_of_trunk(force: np.ndarray, up: np.ndarray) -> np.ndarray | None:
    """
    Forward acceleration leads vertical acceleration by about a quarter of a step.

    The trunk is lowest and fastest when both feet are down, like a pendulum upside down; so the vertical acceleration
    and the forward speed peak together.
    """
    first, second = _across(up)
    length = force.shape[1]
    window = np.hanning(length)[None]
    frequencies = np.fft.rfftfreq(4 * length, 1 / GRID_RATE)
    steps = np.flatnonzero((frequencies >= STEP_RATES[0]) & (frequencies <= STEP_RATES[1]))
    parts = [force @ axis for axis in (up, first, second)]
    vertical, x, y = (np.fft.rfft((p - p.mean(1, keepdims=True)) * window, 4 * length, axis=1) for p in parts)
    peak = steps[np.abs(vertical[:, steps]).argmax(1)]
    rows = np.arange(len(force))
    vertical, x, y = vertical[rows, peak], x[rows, peak], y[rows, peak]
    unit = np.conj(vertical) / np.maximum(np.abs(vertical), 1e-9)
    # Each window votes with the part that is a quarter ahead.
    votes = np.stack([(x * unit).imag, (y * unit).imag], axis=1)
    total = votes.sum(0)
    agreement = np.linalg.norm(total) / max(np.linalg.norm(votes, axis=1).sum(), 1e-9)
    strength = np.linalg.norm(votes, axis=1).sum() / np.abs(vertical).sum()
    if agreement < 0.7 or strength < 0.1:
        return None
    return _unit(total[0] * first + total[1] * second)


def mounting_of(up: np.ndarray, forward: np.ndarray | None, segment: str) -> np.ndarray:
    """
    The quaternion from sensor to segment.

    Args:
        up (`np.ndarray` of shape `(3,)`):
            Unit vector, sensor frame.
        forward (`np.ndarray` of shape `(3,)` or `None`):
            Unit vector across it; `None` takes the smallest turn that brings up to its place.
        segment (`str`):
            One of `SEGMENTS`.

    Returns:
        `np.ndarray` of shape `(4,)`: Unit quaternion w, x, y, z.
    """
    target = up_of_segment(segment)
    if forward is None:
        return _smallest_turn(up, target)
    # Rows: the segment's axes in the sensor's frame. Forward is x of every segment.
    left = np.cross(up, forward)
    standing = np.stack([forward, left, up])  # sensor to world, facing +x
    # World to segment: x stays, the segment's up is `target` = (0, s, c).
    _, s, c = target
    return matrix_to_quaternion(np.array([[1, 0, 0], [0, c, s], [0, -s, c]]) @ standing)


def up_of_segment(segment: str) -> np.ndarray:
    """
    The world's up in a segment's frame while standing with hanging arms.

    The frames are the world's in the T-pose: an arm that hangs has been turned about x, by -90 degrees on the left.
    """
    if segment not in SEGMENTS:
        raise ValueError(f"`segment` must be one of SEGMENTS, but is {segment!r}.")
    if segment[2:] in _ARM_PARTS:
        return np.array([0.0, -1.0 if segment.startswith("L_") else 1.0, 0.0])
    return np.array([0.0, 0.0, 1.0])


def _smallest_turn(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    if source @ target < -1 + 1e-9:  # half a turn, about any axis across
        return np.concatenate([[0.0], _across(source)[0]])
    quaternion = np.concatenate([[1 + source @ target], np.cross(source, target)])
    return quaternion / np.linalg.norm(quaternion)


def matrix_to_quaternion(matrix: np.ndarray) -> np.ndarray:
    """Unit quaternion w, x, y, z of a rotation matrix, shape `(4,)`."""
    m = matrix
    # Four times the outer product of the quaternion with itself; its largest column is the safest.
    products = np.array(
        [
            [1 + m[0, 0] + m[1, 1] + m[2, 2], m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]],
            [m[2, 1] - m[1, 2], 1 + m[0, 0] - m[1, 1] - m[2, 2], m[0, 1] + m[1, 0], m[0, 2] + m[2, 0]],
            [m[0, 2] - m[2, 0], m[0, 1] + m[1, 0], 1 - m[0, 0] + m[1, 1] - m[2, 2], m[1, 2] + m[2, 1]],
            [m[1, 0] - m[0, 1], m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], 1 - m[0, 0] - m[1, 1] + m[2, 2]],
        ]
    )
    best = products[np.diag(products).argmax()]
    return best / np.linalg.norm(best) * (1 if best[0] >= 0 else -1)


def quaternion_to_matrix(quaternion: np.ndarray) -> np.ndarray:
    """The rotation matrix of a unit quaternion w, x, y, z, shape `(3, 3)`; vectors are turned by `matrix @ v`."""
    w, x, y, z = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _across(vector: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two unit vectors that make a right-handed frame with the third one given."""
    first = _unit(np.cross(np.eye(3)[np.abs(vector).argmin()], vector))
    return first, np.cross(vector, first)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def _angles(vectors: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Degrees between each vector and one unit vector."""
    return np.degrees(np.arccos(np.clip(_unit(vectors) @ direction, -1, 1)))


def _angles_between(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Degrees between all pairs of unit vectors, shape `(len(first), len(second))`."""
    return np.degrees(np.arccos(np.clip(first @ second.T, -1, 1)))


__all__ = [
    "apply_mounting",
    "calibrate",
    "find_forward",
    "find_walking",
    "mounting_of",
    "quaternion_to_matrix",
    "up_of_segment",
]

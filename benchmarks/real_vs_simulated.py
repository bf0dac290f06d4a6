# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
How far simulated readings are from real ones, on recordings that have both.

    python benchmarks/real_vs_simulated.py --set broad --set repoimu --plot docs/plots
    python benchmarks/real_vs_simulated.py --set broad --scan      # cut-offs, on development recordings only

The folder with the recordings is taken from the environment variable ANYMO_DATA. Protocol, the same for every method:

1. The method simulates the sensor at 60 Hz from the measured motion. Gaps in the motion stay gaps.
2. Real and simulated readings pass one and the same zero-phase filter, 0 to 15 Hz, after
   simulation.
3. On the first half of a recording, or on every other trial of a subject where trials last seconds, are fitted,
   jointly: mounting rotation, lever arm (unless it is known; none without positions), one clock offset, and a constant
   bias per axis, which every uncalibrated sensor has.
   Gravity alone is judged with our alignment, for it says too little to be aligned by itself.
4. On the rest, at the moments for which every method has a reading: RMSE = root of the mean squared length of the
   error vector; NRMSE = RMSE / standard deviation of the real vector; correlation = of the vectors' deviations from
   their means, all three axes together.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import torch
from official_recipe import simulate_imu_wimusim
from paired_data import PairedRecording, data_folder
from paired_sets import READERS
from scipy.signal import butter, sosfiltfilt

from anymo_hf.evaluation.results import DEFAULT_PATH, Result, append_results, current_commit, machine_description
from anymo_hf.processing.placements_anymo import NUM_SEGMENTS
from anymo_hf.simulation.imu import simulate_imu
from anymo_hf.simulation.kinematics import (
    ANGULAR_ACCELERATION,
    ANGULAR_RATE,
    DEFAULT_CUTOFF,
    NUM_KINEMATIC_VALUES,
    SPECIFIC_FORCE,
    STANDARD_GRAVITY,
    UP_DIRECTION,
    SegmentKinematics,
)
from anymo_hf.simulation.motion import SegmentMotion
from anymo_hf.simulation.placements import Placements
from anymo_hf.simulation.rotations import (
    matrix_to_quaternion,
    quaternion_conjugate,
    quaternion_exp,
    quaternion_log,
    quaternion_multiply,
    quaternion_rotate,
)


RATE = 60.0  # Hz, of all simulated readings
FILTER_REACH = 0.25  # s to either side
FILTER_BETA = 5.0  # Kaiser window: 50 dB 3 Hz beyond the band, less than 0.3 % ripple up to 3 Hz below its end
MAX_OFFSET = 0.3  # s between the clocks
NUM_ITERATIONS = 8
TOLERANCE = 1e-6  # of rad, s and m: the steps end when they are all smaller
SCANNED = (6.0, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0)  # Hz
# Chosen by `--scan` on the development recordings of a set, where it has such: the least sum of the medians of force
# and rate NRMSE. Otherwise it is the package's default, 20 Hz, which BROAD chooses as well.
CUTOFFS = {"broad": 20.0, "repoimu": 6.0, "gaitmap": 25.0, "gaitdynamics": 20.0}  # Hz
UNITS = {"force": "m/s^2", "rate": "rad/s"}
OURS = "anymo-hf"

# Motion and placements to readings of shape (num_frames, num_placements, 6) at 60 Hz, NaN where there are none.
Simulator = Callable[[SegmentMotion, Placements], torch.Tensor]


@dataclass
class Alignment:
    """What is fitted: sensor-to-segment quaternion, lever arm (m), clock offset (s), bias (m/s^2, rad/s)."""

    orientation: torch.Tensor
    offset: torch.Tensor
    clock_offset: float
    bias: np.ndarray


def ours(cutoff: float | None = None, only_gravity: bool = False) -> Simulator:
    """This package's simulator. With `only_gravity` the body turns, but never accelerates, and no gyroscope reads."""
    known = {}  # a motion is differentiated once, however often it is asked for

    def simulate(motion, placements):
        if id(motion) not in known:
            known.clear()
            kinematics = SegmentKinematics.from_motion(motion, RATE, cutoff)
            if only_gravity:
                kinematics.values[..., SPECIFIC_FORCE] = STANDARD_GRAVITY * kinematics.values[..., UP_DIRECTION]
                kinematics.values[..., ANGULAR_RATE] = kinematics.values[..., ANGULAR_ACCELERATION] = 0
            known[id(motion)] = motion, kinematics
        return simulate_imu(known[id(motion)][1], placements)

    return simulate


def butterworth(cutoff: float, order: int = 4) -> Simulator:
    """The plain alternative: zero-phase Butterworth filter and central differences, both at the native rate."""

    def simulate(motion, placements):
        (segment,) = placements.segment.unique().tolist()
        times = motion.timestamps[0] + np.arange(int(motion.duration * RATE + 1e-6) + 1) / RATE
        values = torch.full((len(times), NUM_SEGMENTS, NUM_KINEMATIC_VALUES), torch.nan)
        for first, last in _runs(motion.mask[:, segment]):
            inside = (times >= motion.timestamps[first]) & (times <= motion.timestamps[last - 1])
            run = motion[first:last]
            if last - first > 30 and run.frame_rate > 2 * cutoff:  # the filter's own padding, and its range
                native = _differences(run.positions[:, segment], run.orientations[:, segment], run.frame_rate, cutoff)
                columns = [np.interp(times[inside], run.timestamps, column) for column in native.T]
                values[inside, segment] = torch.from_numpy(np.stack(columns, axis=1)).float()
        kinematics = SegmentKinematics(values.nan_to_num(), ~values.isnan().any(-1), RATE, float(times[0]))
        return simulate_imu(kinematics, placements)

    def _differences(positions, orientations, rate, cutoff):
        signs = np.cumprod(np.sign((orientations[1:] * orientations[:-1]).sum(-1)))
        orientations[1:] *= signs[:, None]
        filters = butter(order, cutoff, output="sos", fs=rate)
        positions, orientations = (sosfiltfilt(filters, x, axis=0).copy() for x in (positions, orientations))
        q = torch.nn.functional.normalize(torch.from_numpy(orientations), dim=-1)
        turn = quaternion_log(quaternion_multiply(quaternion_conjugate(q[:-2]), q[2:])).numpy() * (rate / 2)
        angular_rate = np.concatenate([turn[:1], turn, turn[-1:]])
        acceleration = np.gradient(np.gradient(positions, 1 / rate, axis=0), 1 / rate, axis=0)
        acceleration[1:-1] = np.diff(positions, 2, axis=0) * rate**2
        inverse, up = quaternion_conjugate(q), torch.tensor([0.0, 0.0, 1.0], dtype=q.dtype)
        force = quaternion_rotate(inverse, torch.from_numpy(acceleration) + STANDARD_GRAVITY * up)
        return np.concatenate(
            [angular_rate, np.gradient(angular_rate, 1 / rate, axis=0), force, quaternion_rotate(inverse, up)], axis=1
        )

    return simulate


def official(interpolate: bool = False) -> Simulator:
    """The official recipe at 60 Hz."""
    return lambda motion, placements: simulate_imu_wimusim(motion, placements, RATE, interpolate)


def _runs(mask: np.ndarray) -> np.ndarray:
    """First frame and frame after the last of every unbroken run of True, shape `(num_runs, 2)`."""
    return np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]))).reshape(-1, 2)


def low_pass(times: np.ndarray, values: np.ndarray, at: np.ndarray, band: float = 15.0) -> np.ndarray:
    """
    A regularly sampled signal below `band`, at any times: convolution with a windowed sinc centred there.

    Args:
        times (`np.ndarray` of shape `(num_samples,)`):
            Seconds, regular.
        values (`np.ndarray` of shape `(num_samples, num_channels)`):
            Samples, NaN where there are none.
        at (`np.ndarray` of shape `(num_times,)`):
            Seconds, not necessarily within the samples.
        band (`float`, *optional*, defaults to 15.0):
            Hertz where the amplitude is halved.

    Returns:
        `np.ndarray` of shape `(num_times, num_channels)`: NaN where a sample within the filter's reach is missing.
    """
    rate = (len(times) - 1) / (times[-1] - times[0])
    reach = int(np.floor(FILTER_REACH * rate))
    padded = np.pad(values, ((reach + 1, reach + 1), (0, 0)), constant_values=np.nan)
    position = (at - times[0]) * rate
    nearest = np.round(position).clip(-1, len(times)).astype(int)
    lag = nearest[:, None] + np.arange(-reach, reach + 1) - position[:, None]  # in samples
    window = np.i0(FILTER_BETA * np.sqrt((1 - (lag / (FILTER_REACH * rate)) ** 2).clip(0)))
    weights = np.sinc(2 * band / rate * lag) * window
    weights /= weights.sum(1, keepdims=True)
    filtered = np.zeros((len(at), values.shape[1]))
    for tap in range(2 * reach + 1):
        filtered += weights[:, tap, None] * padded[nearest + 1 + tap]
    return filtered


def align(recording: PairedRecording, simulate: Simulator) -> Alignment:
    """Fits everything that is not the method's own on the first half of a recording."""
    fit = Alignment(torch.tensor([1.0, 0.0, 0.0, 0.0]), torch.zeros(3), 0.0, np.zeros(6))
    if recording.lever_arm is not None:
        fit.offset = torch.as_tensor(recording.lever_arm, dtype=torch.float32)
    find_lever_arm = recording.has_force and recording.lever_arm is None
    span = recording.judged[0], recording.split - FILTER_REACH
    times, simulated = _simulate(recording, simulate, fit, span, find_lever_arm)
    scale = 1 / np.repeat([_spread(recording.values[:, :3]), _spread(recording.values[:, 3:])], 3)
    if not recording.has_force:
        scale[:3] = 0
    fit.clock_offset, fit.orientation = _coarse_alignment(recording, times, simulated[:, 0], scale)
    for _ in range(NUM_ITERATIONS):
        times, simulated = _simulate(recording, simulate, fit, span, find_lever_arm)
        if _refine(recording, fit, times, simulated, scale) < TOLERANCE:
            break
    return fit


def _spread(vectors: np.ndarray) -> float:
    """Standard deviation of a vector: root of the mean squared distance from the mean."""
    return float(np.sqrt(np.nanvar(vectors, axis=0).sum()))


def _simulate(recording, simulate, fit: Alignment, span, unit_lever_arms=False) -> tuple[np.ndarray, np.ndarray]:
    """
    Times within `span` and filtered readings of shape `(num_frames, num_placements, 6)`: the sensor as fitted, or four
    sensors at the origin and a metre along each axis, between which the readings are linear.
    """
    offset = torch.cat([torch.zeros(1, 3), torch.eye(3)]) if unit_lever_arms else fit.offset[None]
    segment = torch.full((len(offset),), recording.segment)
    imu = simulate(recording.motion, Placements(segment, offset, fit.orientation.expand(len(offset), 4)))
    times = recording.motion.timestamps[0] + np.arange(len(imu)) / RATE
    at = times[(times >= span[0]) & (times <= span[1])]
    filtered = low_pass(times, imu.double().flatten(1).numpy(), at, recording.band)
    return at, filtered.reshape(len(at), *imu.shape[1:])


def _coarse_alignment(recording, times, simulated, scale) -> tuple[float, torch.Tensor]:
    """Clock offset to a frame and rotation, by Kabsch's method at every offset in question."""
    steps = np.arange(-round(MAX_OFFSET * RATE), round(MAX_OFFSET * RATE) + 1) / RATE
    best = (-np.inf, 0.0, None)
    for step in steps:
        real = low_pass(recording.times, recording.values, times + step, recording.band)
        good = np.isfinite(real).all(1) & np.isfinite(simulated).all(1)
        a, b = (x[good] * scale for x in (real, simulated))
        u, s, vt = np.linalg.svd(b[:, :3].T @ a[:, :3] + b[:, 3:].T @ a[:, 3:])
        s[2] *= np.sign(np.linalg.det(u @ vt))
        score = s.sum() / np.linalg.norm(a) / np.linalg.norm(b)
        if score > best[0]:
            best = (score, step, u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt)
    return float(best[1]), matrix_to_quaternion(torch.from_numpy(best[2])).float()


def _refine(recording, fit: Alignment, times, simulated, scale) -> float:
    """One Gauss-Newton step for all unknowns together, in place; returns the largest change of rad, s or m."""
    at = times + fit.clock_offset
    step = 1e-3
    real, early, late = (low_pass(recording.times, recording.values, at + t, recording.band) for t in (0, -step, step))
    speed = (late - early) / (2 * step)
    lever = np.swapaxes(simulated[:, 1:] - simulated[:, :1], 1, 2)  # (num_frames, 6, 3 or none)
    now = simulated[:, 0] + lever @ fit.offset.double().numpy()[: lever.shape[-1]]
    # real + speed d_clock = simulated + lever r + bias + (now x d_turn), a small turn of the sensor's own frame
    turn = np.concatenate([_cross_matrices(now[:, :3]), _cross_matrices(now[:, 3:])], axis=1)  # (num_frames, 6, 3)
    bias = np.broadcast_to(np.eye(6), (len(now), 6, 6))
    design = np.concatenate([turn, -speed[..., None], bias, lever], axis=-1) * scale[:, None]
    target = (real - simulated[:, 0]) * scale
    good = np.isfinite(design).all((1, 2)) & np.isfinite(target).all(1)
    design, target = design[good].reshape(-1, design.shape[-1]), target[good].ravel()
    size = np.linalg.norm(design, axis=0).clip(1e-12)
    solution = np.linalg.lstsq(design / size, target, rcond=1e-9)[0] / size
    delta = torch.from_numpy(solution[:3])
    turned = quaternion_multiply(fit.orientation.double(), quaternion_exp(delta))
    fit.orientation = torch.nn.functional.normalize(turned, dim=0).float()
    fit.clock_offset += float(np.clip(solution[3], -1 / RATE, 1 / RATE))
    fit.bias = solution[4:10]
    change = np.abs(solution[:4]).max()
    if lever.shape[-1]:
        change = max(change, np.abs(solution[10:] - fit.offset.double().numpy()).max())
        fit.offset = torch.from_numpy(solution[10:]).float()
    return float(change)


def _cross_matrices(vectors: np.ndarray) -> np.ndarray:
    """Matrices M with M d = v x d, shape `(..., 3, 3)`."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)


@dataclass
class Comparison:
    """Readings that were not fitted, band-limited, and how well they agree."""

    times: np.ndarray
    real: np.ndarray
    simulated: np.ndarray
    alignment: Alignment
    figures: dict[str, float]

    @property
    def complete(self) -> np.ndarray:
        """True where there are both, shape `(num_frames,)`."""
        return np.isfinite(self.real).all(1) & np.isfinite(self.simulated).all(1)


def compare(recording: PairedRecording, simulate: Simulator, fit: Alignment | None = None) -> Comparison:
    """Fits on one part, unless an alignment is given, and judges on the other."""
    fit = fit or align(recording, simulate)
    times, simulated = _simulate(recording, simulate, fit, (recording.split + FILTER_REACH, recording.judged[1]))
    simulated = simulated[:, 0] + fit.bias
    real = low_pass(recording.times, recording.values, times + fit.clock_offset, recording.band)
    comparison = Comparison(times, real, simulated, fit, {})
    judge(recording, comparison, comparison.complete)
    return comparison


def judge(recording: PairedRecording, comparison: Comparison, frames: np.ndarray) -> None:
    """Sets the figures, from some frames only, bool of shape `(num_frames,)`."""
    comparison.figures = {"share judged": float(frames.sum() / np.isfinite(comparison.real).all(1).sum())}
    for name, judged, channels in (
        ("force", recording.has_force, slice(0, 3)),
        ("rate", recording.has_rate, slice(3, 6)),
    ):
        if judged:
            values = agreement(comparison.real[frames, channels], comparison.simulated[frames, channels])
            comparison.figures |= {f"{name} {key}": value for key, value in values.items()}


def agreement(real: np.ndarray, simulated: np.ndarray) -> dict[str, float]:
    """RMSE, NRMSE and correlation of two series of vectors, both of shape `(num_frames, 3)`."""
    rmse = float(np.sqrt(((real - simulated) ** 2).sum(1).mean()))
    a, b = real - real.mean(0), simulated - simulated.mean(0)
    size = np.sqrt((a * a).sum() * (b * b).sum())
    return {
        "RMSE": rmse,
        "NRMSE": rmse / _spread(real),
        "correlation": float((a * b).sum() / size) if size > 1e-9 else float("nan"),
    }


def judge_set(name: str, recordings: list[PairedRecording]) -> dict[str, list[Comparison]]:
    """All methods on all recordings of a set; 20 Hz, the package's default, is one of the cut-offs."""
    cutoff = CUTOFFS.get(name, DEFAULT_CUTOFF)
    methods = {f"{OURS}, {cutoff:g} Hz": ours(cutoff)}
    if recordings[0].motion.frame_rate > 3 * DEFAULT_CUTOFF:
        methods[f"{OURS}, {DEFAULT_CUTOFF:g} Hz"] = ours()
    methods |= {
        f"Butterworth and differences, {cutoff:g} Hz": butterworth(cutoff),
        "official recipe": official(),
        "official recipe, poses interpolated": official(interpolate=True),
    }
    compared = {method: [compare(r, simulate) for r in recordings] for method, simulate in methods.items()}
    if recordings[0].has_force:
        known = zip(recordings, next(iter(compared.values())), strict=True)
        compared["gravity alone"] = [compare(r, ours(cutoff, True), fit=c.alignment) for r, c in known]
    for index, recording in enumerate(recordings):
        # The ends of trials and gaps, where some methods have no reading, are the hard part: all skip them alike.
        frames = np.logical_and.reduce([comparisons[index].complete for comparisons in compared.values()])
        for comparisons in compared.values():
            judge(recording, comparisons[index], frames)
    for comparison in compared.get("gravity alone", []):
        comparison.figures = {k: v for k, v in comparison.figures.items() if not k.startswith("rate")}
    return compared


def print_tables(recordings: list[PairedRecording], compared: dict[str, list[Comparison]]) -> None:
    """NRMSE of every method, in every recording if they are few, and what was fitted with the first method."""
    held_out = [i for i, recording in enumerate(recordings) if not recording.for_development]
    shown = recordings if len(recordings) < 10 else []
    heads = [recording.name[:12] + "*" * recording.for_development for recording in shown] + ["held out", "all"]
    for quantity in ("force", "rate"):
        rows = {m: [c.figures.get(f"{quantity} NRMSE") for c in comparisons] for m, comparisons in compared.items()}
        rows = {method: values for method, values in rows.items() if None not in values}
        if rows:
            print(f"\n{recordings[0].dataset}: {quantity} NRMSE (* = cut-off chosen there), last two columns: medians")
            print(" " * 38 + "  ".join(f"{head:>13}" for head in heads))
            for method, values in rows.items():
                medians = np.median(np.array(values)[held_out]), np.median(values)
                print(f"{method:38}" + "  ".join(f"{value:13.4f}" for value in [*values[: len(shown)], *medians]))
    method, comparisons = next(iter(compared.items()))
    print(f"\nfitted with {method}:")
    for recording, comparison in zip(recordings, comparisons, strict=True):
        fit = comparison.alignment
        lever_arm, mounting, bias = (
            " ".join(f"{value:.{digits}f}" for value in values)
            for values, digits in ((1e3 * fit.offset.double(), 1), (fit.orientation, 4), (fit.bias, 3))
        )
        print(
            f"  {recording.name}: clock {1e3 * fit.clock_offset:.2f} ms, lever arm {lever_arm} mm, mounting "
            f"{mounting}, bias {bias}, {comparison.figures['share judged']:.1%} judged"
        )


def to_results(recordings: list[PairedRecording], compared: dict[str, list[Comparison]], command: str) -> list[Result]:
    """Medians over the held-out and over all recordings."""
    about = {"commit": current_commit(), "machine": machine_description(), "date": date.today().isoformat()}
    results = []
    for subset in ("held-out recordings", "all recordings"):
        chosen = [i for i, r in enumerate(recordings) if subset[0] == "a" or not r.for_development]
        for method, comparisons in compared.items():
            for metric in (key for key in comparisons[0].figures if key != "share judged"):
                values = [comparisons[i].figures[metric] for i in chosen]
                unit = f", {UNITS[metric.split()[0]]}" if metric.endswith(" RMSE") else ""
                each = ", ".join(f"{value:.4g}" for value in values)
                results.append(
                    Result(
                        "real against simulated", recordings[0].dataset, subset, method, metric + unit,
                        float(np.median(values)), min(values), max(values), "minimum and maximum over recordings",
                        command=command, note=f"median of {len(values)} recordings: {each}", **about,
                    )
                )  # fmt: skip
    return results


def plot_set(recordings: list[PairedRecording], compared: dict[str, list[Comparison]], path: Path) -> None:
    """Five seconds of the last held-out recording, real and simulated, at its middle."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    index = max(i for i, recording in enumerate(recordings) if not recording.for_development)
    has = {"force": recordings[index].has_force, "rate": recordings[index].has_rate}
    quantities = [quantity for quantity, judged in has.items() if judged]
    figure, axes = plt.subplots(3, len(quantities), figsize=(7 * len(quantities), 7), sharex=True, squeeze=False)
    official_name = "official recipe"
    first = next(iter(compared))
    comparison = compared[first][index]
    middle = comparison.times.mean()
    for column, quantity in enumerate(quantities):
        for row, axis in enumerate(axes[:, column]):
            channel = row + 3 * (quantity == "rate")
            for method, style in ((official_name, "C1-"), (first, "C0-")):
                axis.plot(compared[method][index].times, compared[method][index].simulated[:, channel], style, lw=1.2,
                          label=method)  # fmt: skip
            axis.plot(comparison.times, comparison.real[:, channel], "k--", lw=1, label="real")
            axis.set_ylabel(f"{quantity} {'xyz'[row]}, {UNITS[quantity]}")
            axis.set_xlim(middle - 2.5, middle + 2.5)
    axes[0, 0].legend(loc="upper right", fontsize="small")
    axes[0, 0].set_title(
        f"{recordings[index].dataset}, {recordings[index].name}: not fitted, 0-{recordings[index].band:g} Hz",
        fontsize=10,
    )
    for axis in axes[-1]:
        axis.set_xlabel("s")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def scan(recordings: list[PairedRecording]) -> None:
    """Prints the error on the development recordings against the cut-off, for our spline and for Butterworth."""
    development = [recording for recording in recordings if recording.for_development]
    for name, make in ((OURS, ours), ("Butterworth", butterworth)):
        for cutoff in SCANNED:
            figures = [compare(recording, make(cutoff)).figures for recording in development]
            for metric in (key for key in figures[0] if key.endswith(" NRMSE")):
                values = [f[metric] for f in figures]
                each = " ".join(f"{value:.4f}" for value in values)
                print(f"{name:12} {cutoff:4g} Hz  {metric}: {each}  median {np.median(values):.4f}", flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Compares all methods on the chosen sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", action="append", choices=sorted(READERS), help="default: all")
    parser.add_argument("--scan", action="store_true", help="only scan cut-offs on the development recordings")
    parser.add_argument("--plot", type=Path, help="folder for one plot per set")
    parser.add_argument("--results", type=Path, default=DEFAULT_PATH)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    folder = data_folder()
    for name in options.set or sorted(READERS):
        recordings = list(READERS[name](folder))
        if options.scan:
            scan(recordings)
            continue
        compared = judge_set(name, recordings)
        print_tables(recordings, compared)
        command = f"python benchmarks/real_vs_simulated.py --set {name}"
        append_results(to_results(recordings, compared, command), options.results)
        if options.plot:
            plot_set(recordings, compared, options.plot / f"real_vs_simulated_{name}.png")


if __name__ == "__main__":
    main()

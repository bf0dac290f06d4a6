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
"""The zero-phase polyphase filter behind the resampling, and the ratio of small whole numbers that it needs."""

from fractions import Fraction
from functools import lru_cache

import numpy as np


PASS_BAND, STOP_BAND = 0.8, 1.0  # edges, as shares of the smaller Nyquist frequency
ATTENUATION = 70.0  # dB, what Kaiser's formulas aim at
MAX_RATIO_TERM = 20_000  # bounds the denominators of the rate ratio; rates close to the grid's need large ones
MAX_DRIFT = 0.01  # samples that the sensor's clock may drift from the ratio's before a finer ratio is taken
MIN_BLOCK = 64  # rows of one filter matrix; a matrix product of this size is much faster than row by row
ON_GRID = 1e-4  # samples within which a reading counts as lying on the grid: epoch times have no finer resolution


def rational_ratio(source_rate: float, target_rate: float, duration: float = 3600.0) -> tuple[int, int]:
    """
    Small whole numbers with `target_rate / source_rate` close to `up / down`.

    Args:
        source_rate (`float`):
            In hertz.
        target_rate (`float`):
            In hertz.
        duration (`float`, *optional*, defaults to 3600.0):
            Seconds over which both clocks should not drift apart by more than `MAX_DRIFT` samples.

    Returns:
        `tuple[int, int]`: `up` and `down`; the smaller of them is at most `MAX_RATIO_TERM`.
    """
    smaller, larger = sorted((source_rate, target_rate))
    exact = Fraction(larger / smaller)
    allowed = max(MAX_DRIFT / max(duration * source_rate, 1.0), 1e-9)  # relative error of the rate
    for bound in (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, MAX_RATIO_TERM):
        ratio = exact.limit_denominator(bound)
        if abs(float(ratio) * smaller / larger - 1) <= allowed:
            break
    if target_rate >= source_rate:
        return ratio.numerator, ratio.denominator
    return ratio.denominator, ratio.numerator


@lru_cache(maxsize=8)
def _kernel_table(half_length: int, narrowing: float) -> tuple[np.ndarray, float]:
    """The windowed sinc from its centre on, so dense that straight lines between err by -108 dB."""
    density = 512 * narrowing  # entries per sample
    distance = np.arange(int(half_length * density) + 2) / density
    cutoff, beta = narrowing * (PASS_BAND + STOP_BAND) / 2, 0.1102 * (ATTENUATION - 8.7)
    window = np.i0(beta * np.sqrt(np.maximum(1 - (distance / half_length) ** 2, 0.0)))
    return np.sinc(cutoff * distance) * window, density


@lru_cache(maxsize=256)
def _filter_matrix(up: int, down: int, half_length: int, num_rows: int, residue: int, fraction: float) -> np.ndarray:
    """Weights of rows at samples `(residue + fraction + row * down) / up`, shape `(num_rows, num_samples)`."""
    below, rest = np.divmod(residue + np.arange(num_rows) * down, up)
    share = (rest + fraction) / up  # of a sample, by which each row lies after the sample below it
    distance = share[:, None] - np.arange(-half_length + 1, half_length + 1)
    table, density = _kernel_table(half_length, min(1.0, up / down))
    position = np.abs(distance) * density
    entry = position.astype(np.int64)
    taps = table[entry] + (position - entry) * (table[entry + 1] - table[entry])
    taps[share == 0, -1] = 0.0  # the window ends before that sample
    taps /= taps.sum(axis=1, keepdims=True)  # a gain of exactly one at zero frequency
    weights = np.zeros((num_rows, below[-1] + 2 * half_length))  # column 0 is the first sample of row 0
    np.put_along_axis(weights, below[:, None] + np.arange(2 * half_length), taps, axis=1)
    weights.flags.writeable = False
    return weights


class PolyphaseFilter:
    """
    Zero-phase low-pass filter and resampler of a uniformly sampled signal, as products with banded matrices.

    Output row `k` lies at sample `offset + k * down / up`. The Kaiser-windowed sinc is evaluated at that very
    position, so an offset of any fraction of a sample costs no accuracy. Rows come in blocks whose matrices repeat.

    Args:
        up (`int`):
            Rows per `down` samples.
        down (`int`):
            Samples per `up` rows.
        offset (`float`):
            Position of row 0, in samples.
    """

    def __init__(self, up: int, down: int, offset: float):
        self.up, self.down = up, down
        # Row k lies at sample (shift + fraction + k * down) / up: whole numbers, so that no rounding moves a window.
        offset = round(offset * up, 6)  # runs on one clock share their matrices
        self.shift = int(np.floor(offset))
        self.fraction = round(offset - self.shift, 6)
        self.is_identity = up == down == 1 and min(self.fraction, 1 - self.fraction) < ON_GRID
        narrowing = min(1.0, up / down)  # the smaller Nyquist frequency, as a share of the signal's own
        width = np.pi * narrowing * (STOP_BAND - PASS_BAND)  # of the transition, in radians per sample
        self.half_length = int(np.ceil((ATTENUATION - 7.95) / (2.285 * width) / 2))
        self.block_rows = up * -(-MIN_BLOCK // up) if up < MIN_BLOCK else MIN_BLOCK
        self.num_phases = up // int(np.gcd(up, self.block_rows))  # blocks until the matrices repeat

    def first_sample(self, row: int) -> int:
        """Index of the first sample that the row needs."""
        return self._sample_below(row) - self.half_length + 1

    def last_sample(self, row: int) -> int:
        """Index of the last sample that the row needs."""
        return self._sample_below(row) + self.half_length

    def rows_within(self, num_samples: int) -> int:
        """How many rows need no sample beyond the first `num_samples`."""
        rows = max(0, ((num_samples - 1 - self.half_length) * self.up - self.shift) // self.down - 1)
        while self.last_sample(rows) < num_samples:
            rows += 1
        return rows

    def _sample_below(self, row: int) -> int:
        return (self.shift + row * self.down) // self.up

    def _matrix(self, block: int) -> np.ndarray:
        """Weights of shape `(block_rows, width)`; column 0 is the first sample of the block's first row."""
        residue = (self.shift + block * self.block_rows * self.down) % self.up
        return _filter_matrix(self.up, self.down, self.half_length, self.block_rows, residue, self.fraction)

    def __call__(self, samples: np.ndarray, first: int, start: int, stop: int) -> np.ndarray:
        """
        Rows `start` to `stop`.

        Args:
            samples (`np.ndarray` of shape `(num_samples, num_channels)`):
                A stretch of the signal that holds everything these rows need.
            first (`int`):
                Index of the first sample in it.
            start (`int`):
                First row.
            stop (`int`):
                Row after the last.

        Returns:
            `np.ndarray` of shape `(stop - start, num_channels)`: The rows.
        """
        rows = np.zeros((max(0, stop - start), samples.shape[1]))
        if self.is_identity:
            begin = self.shift + round(self.fraction) + start - first
            return samples[begin : begin + len(rows)].copy()
        size = self.block_rows
        full = range(-(-start // size), stop // size)  # blocks that lie wholly within the rows
        if len(full):
            self._filter_blocks(samples, first, full, rows[full[0] * size - start : (full[-1] + 1) * size - start])
        edges = {start // size, (stop - 1) // size} if stop > start else set()
        for block in edges.difference(full):
            begin, end = max(start, block * size), min(stop, (block + 1) * size)
            column = self.first_sample(begin) - self.first_sample(block * size)
            width = self.last_sample(end - 1) - self.first_sample(begin) + 1
            weights = self._matrix(block)[begin - block * size : end - block * size, column : column + width]
            sample = self.first_sample(begin) - first
            rows[begin - start : end - start] = weights @ samples[sample : sample + width]
        return rows

    def _filter_blocks(self, samples: np.ndarray, first: int, blocks: range, rows: np.ndarray):
        size, channels = self.block_rows, samples.shape[1]
        rows = rows.reshape(len(blocks), size, channels)
        stride = self.num_phases * size * self.down // self.up  # samples between blocks of the same matrix
        for phase in range(min(self.num_phases, len(blocks))):
            matrix = self._matrix(blocks[phase])
            begin = self.first_sample(blocks[phase] * size) - first
            count = len(rows[phase :: self.num_phases])
            step, inner = samples.strides
            views = np.lib.stride_tricks.as_strided(
                samples[begin:], (count, matrix.shape[1], channels), (stride * step, step, inner), writeable=False
            )
            rows[phase :: self.num_phases] = matrix @ views


__all__ = ["PolyphaseFilter", "rational_ratio"]

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Features that people made by hand, as TSFEL keeps them: the yardstick of a frozen encoder."""

import warnings
from functools import cache

import numpy as np

from anymo_hf.evaluation.embeddings import HarWindows


DOMAINS = ("statistical", "temporal", "spectral")
LEFT_OUT = ("Wavelet", "MFCC", "LPCC")
MIN_FRAMES = 64  # below, TSFEL's spectra have other frequencies, and other features


def handmade_features(windows: HarWindows, sampling_rate: float = 60.0, num_proc: int = 1) -> np.ndarray:
    """
    TSFEL's features of every channel of every sensor (https://doi.org/10.1016/j.softx.2020.100456).

    Wavelets and cepstra are left out: on a set for development they doubled the time for a point at most.

    Args:
        windows (`HarWindows`):
            The windows that the encoder sees too. Gaps are interpolated; what was not measured is zero.
        sampling_rate (`float`, *optional*, defaults to 60.0):
            Of the windows, in hertz.
        num_proc (`int`, *optional*, defaults to 1):
            Processes to share the work.

    Returns:
        `np.ndarray` of shape `(num_windows, num_sensors * 570)`: float32, in the order of the sensors; fewer than 570
        for windows of less than about a second.
    """
    from joblib import Parallel, delayed

    sensors = [
        (windows.values[i, :, sensor], windows.mask[i, :, sensor])
        for i in range(len(windows))
        for sensor in range(len(windows.placements))
    ]
    rows = Parallel(n_jobs=num_proc)(delayed(_describe)(values, mask, sampling_rate) for values, mask in sensors)
    features = np.nan_to_num(np.stack(rows), nan=0.0, posinf=0.0, neginf=0.0)
    return features.reshape(len(windows), -1).astype(np.float32)


def _describe(values: np.ndarray, mask: np.ndarray, sampling_rate: float) -> np.ndarray:
    """Features of one sensor in one window, from arrays of shape `(num_frames, 6)`."""
    import tsfel

    channels = _fill_gaps(values, mask)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # constant channels divide by zero
        found = tsfel.time_series_features_extractor(_configuration(), channels, fs=sampling_rate, verbose=0)
    return found.to_numpy(dtype=np.float64)[0]


@cache
def _configuration() -> dict:
    """TSFEL's own, less what is left out."""
    import tsfel

    domains = {domain: tsfel.get_features_by_domain(domain)[domain] for domain in DOMAINS}
    return {
        domain: {name: feature for name, feature in features.items() if not name.startswith(LEFT_OUT)}
        for domain, features in domains.items()
    }


def _fill_gaps(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """
    Channels up to the last frame that any of them has, of shape `(num_frames, num_channels)`, straight lines in gaps.

    What is left of a window that is too short for its spectra stays as it ended.
    """
    if not mask.any():
        return np.zeros(values.shape)
    num_frames = max(int(np.flatnonzero(mask.any(axis=1))[-1]) + 1, min(MIN_FRAMES, len(values)))
    values, mask = values[:num_frames].astype(np.float64), mask[:num_frames]
    frames = np.arange(num_frames)
    for channel in np.flatnonzero(mask.any(axis=0) & ~mask.all(axis=0)):
        seen = mask[:, channel]
        values[:, channel] = np.interp(frames, frames[seen], values[seen, channel])
    return values


__all__ = ["handmade_features"]

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""`calibrate` finds how sensors were mounted, on people whose mounting is known."""

import functools

import numpy as np
import pytest
import torch

from anymo_hf.processing.calibration_anymo import (
    apply_mounting,
    calibrate,
    find_walking,
    matrix_to_quaternion,
    mounting_of,
    quaternion_to_matrix,
    up_of_segment,
)
from anymo_hf.processing.placements_anymo import SEGMENTS
from anymo_hf.processing.streams_anymo import Recording, SensorStream
from anymo_hf.simulation.errors import SensorErrors
from anymo_hf.simulation.imu import simulate_imu
from anymo_hf.simulation.kinematics import SegmentKinematics
from anymo_hf.simulation.placements import Placements
from anymo_hf.simulation.rotations import random_quaternions
from anymo_hf.simulation.synthesis import plan_stand, plan_walk, sequence


WORN = ["waist", "chest", "left thigh", "right shin", "left wrist", "right wrist"]


@functools.cache
def worn(seed: int = 0) -> tuple[Recording, Placements]:
    """A person who stands and walks, with sensors in any orientation."""
    motion = sequence([plan_stand(4.0, seed=seed), plan_walk(12.0, 1.2, seed=seed)])
    kinematics = SegmentKinematics.from_motion(motion, 60.0)
    generator = torch.Generator().manual_seed(seed)
    placements = Placements.from_names(WORN).mount(generator, worn_share=0.0)
    imu = simulate_imu(kinematics, placements, SensorErrors.preset("phone"), generator).numpy()
    sensors = [SensorStream(name, imu[:, i], kinematics.timestamps) for i, name in enumerate(placements.names)]
    return Recording(tuple(sensors)), placements


def degrees(first, second) -> float:
    return float(np.degrees(np.arccos(np.clip(first @ second, -1, 1))))


@pytest.mark.parametrize(("standing", "limits"), [(None, (4, 10, 25)), ((0.5, 3.0), (3, 8, 25))])
def test_up_and_heading_of_simulated_people(standing, limits):
    recording, placements = worn()
    calibrated = calibrate(recording, standing)
    for i, sensor in enumerate(calibrated.sensors):
        truth = quaternion_to_matrix(placements.orientation[i].double().numpy())
        found = quaternion_to_matrix(sensor.mounting)
        up = up_of_segment(sensor.segment)
        limit = limits[0] if i < 2 else limits[1] if i < 4 else limits[2]
        assert degrees(found.T @ up, truth.T @ up) < limit, sensor.placement
        assert sensor.calibration == ("walking" if standing is None else "standing")
        assert sensor.calibration_quality["heading"] == float(i < 4), sensor.placement
        if i < 4:  # the whole mounting is known
            turn = found @ truth.T
            assert np.degrees(np.arccos((np.trace(turn) - 1) / 2)) < 25, sensor.placement
        np.testing.assert_array_equal(sensor.values, recording.sensors[i].values)


def test_the_same_mounting_whatever_the_rate_and_the_sensor_frame():
    recording, _ = worn()
    sensor = recording.sensors[0]
    turn = quaternion_to_matrix(random_quaternions(generator=torch.Generator().manual_seed(3)).double().numpy())
    turned = (sensor.values.reshape(-1, 2, 3) @ turn.T).reshape(-1, 6)[::2]
    other = SensorStream("waist", turned, sensor.timestamps[::2])
    first, second = (calibrate(Recording((s,))).sensors[0] for s in (sensor, other))
    difference = quaternion_to_matrix(second.mounting) @ turn @ quaternion_to_matrix(first.mounting).T
    assert np.degrees(np.arccos(np.clip((np.trace(difference) - 1) / 2, -1, 1))) < 3


def test_upright_force_lands_on_the_segments_up_axis():
    recording, _ = worn()
    for sensor in calibrate(recording, (0.5, 3.0)).sensors:
        force = apply_mounting(sensor)[:150, :3].mean(0)
        np.testing.assert_allclose(force / np.linalg.norm(force), up_of_segment(sensor.segment), atol=0.02)


def test_unknown_sides_get_a_mounting_for_each():
    recording, _ = worn()
    sensor = SensorStream("wrist", recording.sensors[4].values, recording.sensors[4].timestamps)
    wrist = calibrate(Recording((sensor,)), (0.5, 3.0)).sensors[0]
    assert wrist.mounting.shape == (2, 4)
    left = apply_mounting(wrist, "L_Forearm")[:150, :3].mean(0)
    right = apply_mounting(wrist, "R_Forearm")[:150, :3].mean(0)
    assert left[1] < -9
    assert right[1] > 9
    with pytest.raises(ValueError, match="name the side"):
        apply_mounting(wrist)


def test_given_mountings_stay_and_no_mounting_changes_nothing():
    recording, _ = worn()
    sensor = recording.sensors[0]
    assert apply_mounting(sensor) is sensor.values
    given = SensorStream("waist", sensor.values, sensor.timestamps, mounting=[0, 1, 0, 0], calibration="given")
    kept = calibrate(Recording((given,))).sensors[0]
    np.testing.assert_array_equal(kept.mounting, [0, 1, 0, 0])
    np.testing.assert_allclose(apply_mounting(kept), sensor.values * [1, -1, -1, 1, -1, -1])


def test_arms_hang_in_the_model_posture():
    # The left arm points to +y in the T-pose; hanging, the segment has been turned by -90 degrees about x.
    half = np.sqrt(0.5)
    hanging = quaternion_to_matrix(np.array([half, -half, 0, 0]))
    np.testing.assert_allclose(hanging @ [0, 1, 0], [0, 0, -1], atol=1e-12)
    np.testing.assert_allclose(hanging.T @ [0, 0, 1], up_of_segment("L_Forearm"), atol=1e-12)


@pytest.mark.parametrize("segment", SEGMENTS)
def test_mountings_bring_up_and_forward_to_their_axes(segment):
    rng = np.random.default_rng(1)
    up = rng.normal(size=3)
    up /= np.linalg.norm(up)
    forward = np.cross(up, rng.normal(size=3))
    forward /= np.linalg.norm(forward)
    matrix = quaternion_to_matrix(mounting_of(up, forward, segment))
    np.testing.assert_allclose(matrix @ up, up_of_segment(segment), atol=1e-9)
    np.testing.assert_allclose(matrix @ forward, [1, 0, 0], atol=1e-9)
    assert np.linalg.det(matrix) == pytest.approx(1)
    for direction in (up, -up_of_segment(segment), up_of_segment(segment)):
        least = quaternion_to_matrix(mounting_of(direction, None, segment))
        np.testing.assert_allclose(least @ direction, up_of_segment(segment), atol=1e-9)
        # No turn about up on top: the angle is just that between the two directions.
        turned = np.degrees(np.arccos(np.clip((np.trace(least) - 1) / 2, -1, 1)))
        assert turned == pytest.approx(degrees(direction, up_of_segment(segment)), abs=1e-3)


def test_quaternions_and_matrices_agree():
    for quaternion in random_quaternions(50, generator=torch.Generator().manual_seed(0)).double().numpy():
        matrix = quaternion_to_matrix(quaternion)
        found = matrix_to_quaternion(matrix)
        assert abs(found @ quaternion) == pytest.approx(1, abs=1e-6)


def still(seconds: float = 60.0) -> SensorStream:
    times = np.arange(int(seconds * 50)) / 50
    values = np.random.default_rng(0).normal(0, 0.02, (len(times), 6)) + [0, 9.81, 0, 0, 0, 0]
    return SensorStream("waist", values, times)


def test_without_walking_there_is_an_error_or_a_warning():
    with pytest.raises(ValueError, match="no walking-like stretch.*standing="):
        calibrate(Recording((still(),)))
    recording, _ = worn()
    with pytest.warns(UserWarning, match="'chest' shows no walking"):
        mixed = calibrate(Recording((recording.sensors[0], SensorStream("chest", still().values, still().timestamps))))
    assert [sensor.calibration for sensor in mixed.sensors] == ["walking", "none"]


def test_shaking_and_noise_are_no_walking():
    times = np.arange(3000) / 50
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 2, (3000, 6)) + [0, 0, 9.81, 0, 0, 0]
    assert find_walking(SensorStream("waist", noise, times)) is None
    shaken = np.zeros((3000, 6)) + [0, 0, 9.81, 0, 0, 0]
    shaken[:, 2] += 3 * np.sin(2 * np.pi * 8 * times)  # 8 Hz
    assert find_walking(SensorStream("waist", shaken, times)) is None


@pytest.mark.parametrize(
    ("sensor", "standing", "message"),
    [
        (still(), (100.0, 110.0), "no reading between"),
        (still(), (5.0, 1.0), "first second"),
        (SensorStream("waist", still().values, still().timestamps, gravity=False), (0.0, 5.0), "without gravity"),
        (SensorStream("waist", still().values * 0, still().timestamps), (0.0, 5.0), "gravity seems to be removed"),
    ],
)
def test_errors(sensor, standing, message):
    with pytest.raises(ValueError, match=message):
        calibrate(Recording((sensor,)), standing)


def test_gaps_do_not_hide_walking():
    recording, _ = worn()
    sensor = recording.sensors[0]
    values = sensor.values.copy()
    values[500:520] = np.nan
    keep = np.r_[0:700, 710 : len(values)]
    holes = SensorStream("waist", values[keep], sensor.timestamps[keep])
    found = find_walking(holes, min_windows=2)
    whole = find_walking(sensor)
    assert degrees(found.up, whole.up) < 2
    assert len(found.used) < len(whole.used)


def test_real_walking_agrees_with_labelled_standing(data_folder):
    from anymo_hf.processing.reading_anymo import read_recording

    names = {"torso": "chest", "right arm": "right wrist", "left arm": "left wrist", "right leg": "right knee",
             "left leg": "left knee"}  # fmt: skip
    path = data_folder / "har" / "dsads.parquet"
    walking = calibrate(read_recording(path, recording="a10_p1_01", placements=names))
    standing = read_recording(path, recording="a02_p1_01", placements=names)
    for walked, stood in zip(walking.sensors, standing.sensors, strict=True):
        force = apply_mounting(
            SensorStream(stood.placement, stood.values, stood.timestamps, mounting=walked.mounting)
        )[:, :3].mean(0)
        # Wrists hang differently when standing and when walking, and on a treadmill hands may hold the rail.
        limit = 45 if "wrist" in stood.placement else 15
        assert degrees(force / np.linalg.norm(force), up_of_segment(stood.segment)) < limit, stood.placement

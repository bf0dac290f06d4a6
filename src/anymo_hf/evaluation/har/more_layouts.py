# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Further sets of the paper and its peers whose layout a public source proves."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from anymo_hf.evaluation.har.declaration import HarDataset
from anymo_hf.evaluation.har.layouts import (
    DEGREE,
    STANDARD_GRAVITY,
    find_files,
    load_matlab,
    load_numbers,
    parse_name,
)
from anymo_hf.evaluation.har.recordings import SensorRun, label_spans


PAMAP2_LABELS = {
    1: "lying",
    2: "sitting",
    3: "standing",
    4: "walking",
    5: "running",
    6: "cycling",
    7: "Nordic walking",
    9: "watching TV",
    10: "computer work",
    11: "car driving",
    12: "ascending stairs",
    13: "descending stairs",
    16: "vacuum cleaning",
    17: "ironing",
    18: "folding laundry",
    19: "house cleaning",
    20: "playing soccer",
    24: "rope jumping",
}
PAMAP2 = HarDataset(
    name="pamap2",
    license="CC BY 4.0 at UCI (from memory)",
    sampling_rate=100.0,
    gravity=True,
    # Hand and ankle are those of the dominant side, which the files do not tell.
    placements={"hand": "wrist", "chest": "chest", "ankle": "ankle"},
    activity_words={label: label for label in PAMAP2_LABELS.values()}
    | {
        "Nordic walking": "Nordic walking with poles",
        "watching TV": "sitting and watching TV",
        "computer work": "working at a computer",
        "car driving": "driving a car",
        "ascending stairs": "walking upstairs",
        "descending stairs": "walking downstairs",
        "ironing": "ironing clothes",
        "folding laundry": "folding clothes",
        "rope jumping": "jumping rope",
    },
    window=5.0,
    split="other",
    citation="Reiss, Stricker: PAMAP2, ISWC 2012; UCI 231",
    units="s, m/s^2 (the 16 g accelerometer) and rad/s",
    subsets={
        "twelve": (
            "lying",
            "sitting",
            "standing",
            "walking",
            "running",
            "cycling",
            "Nordic walking with poles",
            "walking upstairs",
            "walking downstairs",
            "vacuum cleaning",
            "ironing clothes",
            "jumping rope",
        )
    },
)

MHEALTH = HarDataset(
    name="mhealth",
    license="CC BY 4.0 at UCI (from memory)",
    sampling_rate=50.0,
    gravity=True,
    placements={"chest": "chest", "left ankle": "left ankle", "right lower arm": "right wrist"},
    activity_words={
        "Standing still": "standing",
        "Sitting and relaxing": "sitting",
        "Lying down": "lying",
        "Walking": "walking",
        "Climbing stairs": "walking upstairs",
        "Waist bends forward": "bending down",
        "Frontal elevation of arms": "raising both arms in front",
        "Knees bending": "squatting",
        "Cycling": "cycling",
        "Jogging": "jogging",
        "Running": "running",
        "Jump front & back": "jumping back and forth",
    },
    window=5.0,
    split="other",
    citation="Banos et al.: mHealthDroid, IWAAL 2014; UCI 319",
    units="m/s^2 and deg/s, no time stamps; the chest has no gyroscope",
)
MHEALTH_LABELS = dict(enumerate(MHEALTH.activity_words, start=1))

USC_HAD = HarDataset(
    name="usc_had",
    license="research use (from memory)",
    sampling_rate=100.0,
    gravity=True,
    placements={"front right hip": "right hip"},
    activity_words={
        "Walking Forward": "walking",
        "Walking Left": "walking in circles to the left",
        "Walking Right": "walking in circles to the right",
        "Walking Upstairs": "walking upstairs",
        "Walking Downstairs": "walking downstairs",
        "Running Forward": "running",
        "Jumping Up": "jumping",
        "Sitting": "sitting",
        "Standing": "standing",
        "Sleeping": "lying",
        "Elevator Up": "riding an elevator up",
        "Elevator Down": "riding an elevator down",
    },
    window=5.0,
    split="other",
    citation="Zhang, Sawchuk: USC-HAD, UbiComp 2012",
    units="g and deg/s, no time stamps",
)
USC_HAD_LABELS = dict(enumerate(USC_HAD.activity_words, start=1))

HARTH_LABELS = {
    1: "walking",
    2: "running",
    3: "shuffling",
    4: "stairs (ascending)",
    5: "stairs (descending)",
    6: "standing",
    7: "sitting",
    8: "lying",
    13: "cycling (sit)",
    14: "cycling (stand)",
    130: "cycling (sit, inactive)",
    140: "cycling (stand, inactive)",
}
HARTH = HarDataset(
    name="harth",
    license="CC BY 4.0 at UCI (from memory)",
    sampling_rate=50.0,
    gravity=True,
    placements={"back": "lower back", "thigh": "right thigh"},
    activity_words={label: label for label in HARTH_LABELS.values()}
    | {
        "shuffling": "shuffling the feet",
        "stairs (ascending)": "walking upstairs",
        "stairs (descending)": "walking downstairs",
        "cycling (sit)": "cycling",
        "cycling (stand)": "cycling while standing",
        "cycling (sit, inactive)": "sitting on a bicycle without pedalling",
        "cycling (stand, inactive)": "standing on a bicycle without pedalling",
    },
    window=5.0,
    split="other",
    citation="Logacjov et al.: HARTH, Sensors 21(23), 2021; UCI 779",
    units="g, ISO times; accelerometers only",
)

MOTIONSENSE_LABELS = {
    "dws": "walking downstairs",
    "ups": "walking upstairs",
    "wlk": "walking",
    "jog": "jogging",
    "sit": "sitting",
    "std": "standing",
}
MOTIONSENSE = HarDataset(
    name="motionsense",
    license="ODbL (from memory)",
    sampling_rate=50.0,
    gravity=True,
    placements={"front pocket": "trouser pocket"},
    activity_words={label: label for label in MOTIONSENSE_LABELS.values()},
    window=5.0,
    split="other",
    citation="Malekzadeh et al.: MotionSense, IoTDI 2019",
    units="g with iOS's sign (flat on a table reads -1) and rad/s, no time stamps",
)

ANYMO_BENCH_PLACES = ("head", "left wrist", "right wrist")


def read_pamap2(folder: Path) -> Iterator[list[SensorRun]]:
    """
    PAMAP2: `Protocol/subject10X.dat`, 54 columns; IMUs of hand, chest, ankle from columns 3, 20, 37.

    In each, after the temperature, come the 16 g accelerometer, the 6 g one and the gyroscope. Proof: public loaders
    that agree on these offsets and codes; m/s^2 and rad/s as `xiyuanzh/UniMTS` @ 3d27af0c, data.py, takes them.
    """
    for path in find_files(folder, "subject1[0-9][0-9].dat"):
        table = load_numbers(path, " ", 54)
        times = table[:, 0]
        found, codes = np.unique(table[:, 1], return_inverse=True)
        names = [PAMAP2_LABELS.get(code, "") for code in found.tolist()]
        spans = label_spans(times, codes, names)
        runs = []
        for place, start in (("hand", 3), ("chest", 20), ("ankle", 37)):
            values = np.concatenate([table[:, start + 1 : start + 4], table[:, start + 7 : start + 10]], axis=1)
            runs.append(SensorRun(path.stem.removeprefix("subject"), path.stem, place, times, values, spans))
        yield runs


def read_mhealth(folder: Path) -> Iterator[list[SensorRun]]:
    """
    MHEALTH: `mHealth_subjectN.log`, 24 columns at 50 Hz: chest acc, 2 ECG, left ankle and right lower arm (acc, gyro,
    mag).

    Proof: public loaders that agree on the columns, the last of which is the label (0 is none) of the set's own list;
    m/s^2 and deg/s as `xiyuanzh/UniMTS` @ 3d27af0c, data.py, takes them.
    """
    names = ["", *MHEALTH_LABELS.values()]
    for path in find_files(folder, "mHealth_subject*.log"):
        table = load_numbers(path, "\t", 24)
        times = np.arange(len(table)) / 50
        if not np.isin(table[:, 23], range(len(names))).all():
            raise ValueError(f"{path} has labels beyond 0 to {len(names) - 1}; download it again.")
        spans = label_spans(times, table[:, 23].astype(int), names)
        ankle, arm = (np.concatenate([table[:, i : i + 3], table[:, i + 3 : i + 6] * DEGREE], axis=1) for i in (5, 14))
        readings = {"chest": table[:, :3], "left ankle": ankle, "right lower arm": arm}
        subject = path.stem.removeprefix("mHealth_subject")
        yield [SensorRun(subject, path.stem, place, times, values, spans) for place, values in readings.items()]


def read_usc_had(folder: Path) -> Iterator[list[SensorRun]]:
    """
    USC-HAD: `SubjectN/aMtK.mat`, variable `sensor_readings`, six columns (g, deg/s) at 100 Hz.

    Proof: public loaders that agree on file names, the variable, the list of twelve and the front right hip; scale in
    `xiyuanzh/UniMTS` @ 3d27af0c, data.py.
    """
    for path in find_files(folder, "Subject*/a*t*.mat"):
        activity = int(*parse_name(path, r"a([1-9]|1[0-2])t\d+\.mat"))
        subject = path.parent.name.removeprefix("Subject")
        values = load_matlab(path, "sensor_readings", "USC-HAD")
        values = values * np.array([STANDARD_GRAVITY] * 3 + [DEGREE] * 3)
        times = np.arange(len(values)) / 100
        spans = label_spans(times, np.zeros(len(times), dtype=int), [USC_HAD_LABELS[activity]])
        yield [SensorRun(subject, f"s{subject}_{path.stem}", "front right hip", times, values, spans)]


def read_harth(folder: Path) -> Iterator[list[SensorRun]]:
    """
    HARTH: `S0XX.csv` with `timestamp,back_x,...,thigh_z,label`, g, 50 Hz; some files have an index column more.

    Proof: public loaders that agree on header and codes; units in the set's UCI description as those quote it.
    """
    codes = sorted(HARTH_LABELS)
    for path in find_files(folder, "S[0-9][0-9][0-9].csv"):
        columns = [f"{place}_{axis}" for place in ("back", "thigh") for axis in "xyz"]
        types = {"timestamp": pa.timestamp("us")} | dict.fromkeys(columns, pa.float64())
        try:
            options = pa.csv.ConvertOptions(column_types=types, include_columns=["timestamp", *columns, "label"])
            table = pa.csv.read_csv(path, convert_options=options)
        except (pa.ArrowInvalid, KeyError) as error:
            raise ValueError(f"{path} is no HARTH file ({error}); download it again.") from error
        if not len(table):
            raise ValueError(f"{path} has no rows; download it again.")
        times = table["timestamp"].cast(pa.int64()).to_numpy() / 1e6
        order = np.argsort(times, kind="stable")
        times = times[order] - times[order[0]]
        labels = table["label"].to_numpy()[order]
        if unknown := set(labels.tolist()) - set(codes):
            raise ValueError(f"{path} has the unknown labels {sorted(unknown)}; download it again.")
        spans = label_spans(times, np.searchsorted(codes, labels), [HARTH_LABELS[code] for code in codes])
        values = np.column_stack([table[column].to_numpy() for column in columns])[order] * STANDARD_GRAVITY
        yield [
            SensorRun(path.stem, path.stem, place, times, values[:, 3 * i : 3 * i + 3], spans)
            for i, place in enumerate(("back", "thigh"))
        ]


def read_motionsense(folder: Path) -> Iterator[list[SensorRun]]:
    """
    MotionSense: `A_DeviceMotion_data/wlk_7/sub_1.csv` with gravity, userAcceleration (g) and rotationRate (rad/s), 50
    Hz.

    Proof: public loaders that agree on folders and header. iOS gives minus the specific force (a phone flat on a table
    reads gravity.z = -1), so the sum of both is negated.
    """
    for path in find_files(folder, "[a-z][a-z][a-z]_[0-9]*/sub_[0-9]*.csv"):
        activity, subject = path.parent.name.split("_")[0], path.stem.removeprefix("sub_")
        columns = [f"{name}.{axis}" for name in ("gravity", "userAcceleration", "rotationRate") for axis in "xyz"]
        try:
            types = dict.fromkeys(columns, pa.float64())
            options = pa.csv.ConvertOptions(column_types=types, include_columns=columns)
            table = pa.csv.read_csv(path, convert_options=options)
        except (pa.ArrowInvalid, KeyError) as error:
            raise ValueError(f"{path} is no MotionSense file ({error}); download it again.") from error
        if not len(table):
            raise ValueError(f"{path} has no rows; download it again.")
        gravity, user, rate = (np.column_stack([table[c].to_numpy() for c in columns[i : i + 3]]) for i in (0, 3, 6))
        values = np.concatenate([-(gravity + user) * STANDARD_GRAVITY, rate], axis=1)
        times = np.arange(len(values)) / 50
        spans = label_spans(times, np.zeros(len(times), dtype=int), [MOTIONSENSE_LABELS[activity]])
        yield [SensorRun(subject, f"{path.parent.name}_{path.stem}", "front pocket", times, values, spans)]


def read_anymo_bench(paths: list[Path]) -> Iterator[list[SensorRun]]:
    """
    AnyMo-Bench: `data/AnyMo-Bench-<150|50>-<US|USCD>/test-*.parquet`, one window of at most 5 s at 60 Hz a row.

    `imu` holds 18 numbers per reading: head, left wrist, right wrist, each m/s^2, then rad/s. Missing readings were
    replaced by zeros before publication; `build_recording` undoes that. Proof: `Breezelled/AnyMo` @
    3d91d22a, code/exporters/anymo_bench.py, and nymeria_sync/imu.py for the units.
    """
    columns = ["sample_id", "subject_id", "label", "imu"]
    for path in paths:
        try:
            file = pq.ParquetFile(path)
            for batch in file.iter_batches(batch_size=256, columns=columns):
                for row in batch.to_pylist():
                    yield _bench_runs(row)
        except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is no AnyMo-Bench shard ({error}); download it again.") from error


def _bench_runs(row: dict) -> list[SensorRun]:
    values = np.asarray(row["imu"], dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != 6 * len(ANYMO_BENCH_PLACES) or not isinstance(row["label"], str):
        raise ValueError(f"a row has readings of shape {values.shape} and the label {row['label']!r}")
    times = np.arange(len(values)) / 60
    spans = label_spans(times, np.zeros(len(times), dtype=int), [row["label"]])
    runs = []
    for i, place in enumerate(ANYMO_BENCH_PLACES):
        runs.append(SensorRun(row["subject_id"], row["sample_id"], place, times, values[:, 6 * i : 6 * i + 6], spans))
    return runs


def declare_anymo_bench(paths: list[Path], name: str) -> HarDataset:
    """The declaration of one configuration: its labels are words already."""
    labels: dict[str, None] = {}
    for path in paths:
        try:
            labels |= dict.fromkeys(pq.read_table(path, columns=["label"])["label"].unique().to_pylist())
        except (pa.ArrowException, OSError, KeyError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is no AnyMo-Bench shard ({error}); download it again.") from error
    if not all(isinstance(label, str) for label in labels):
        raise ValueError(f"{paths[0].parent}: `label` must hold text, but some rows have none; download it again.")
    return HarDataset(
        name=name,
        license="CC BY-NC 4.0",
        sampling_rate=60.0,
        gravity=True,
        placements={place: place for place in ANYMO_BENCH_PLACES},
        activity_words={label: label.replace("_", " ").lower() for label in sorted(labels)},
        window=None,
        split="other",
        citation="Chen et al.: AnyMo, arXiv 2605.22715; from Nymeria",
        units="m/s^2 and rad/s",
    )


MORE_DATASETS = {dataset.name: dataset for dataset in (PAMAP2, MHEALTH, USC_HAD, HARTH, MOTIONSENSE)}
MORE_LAYOUTS = {
    "pamap2": read_pamap2,
    "mhealth": read_mhealth,
    "usc_had": read_usc_had,
    "harth": read_harth,
    "motionsense": read_motionsense,
}

__all__ = ["MORE_DATASETS", "MORE_LAYOUTS", "declare_anymo_bench", "read_anymo_bench"]

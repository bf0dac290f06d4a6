# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
The authors' published layouts of the seven known sets, each with the source that proves it.

Every reader takes the unpacked folder, wherever in it the named files lie, and gives recordings under the names that
`data/har/*.parquet` uses. Subjects that nobody has packed there read the same way.
"""

import io
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from anymo_hf.evaluation.har.catalogue import DSADS, HAPT, SISFALL_ADL, UTD_MHAD, WISDM_2019
from anymo_hf.evaluation.har.matlab import read_matrix
from anymo_hf.evaluation.har.recordings import SensorRun, label_spans
from anymo_hf.processing.recording_anymo import ActivitySpan


STANDARD_GRAVITY = 9.80665  # m/s^2
DEGREE = np.pi / 180  # rad
SISFALL_FORCE = 32 / 2**13 * STANDARD_GRAVITY  # m/s^2 per count: ADXL345, +-16 g in 13 bits
SISFALL_RATE = 4000 / 2**16 * DEGREE  # rad/s per count: ITG3200, +-2000 deg/s in 16 bits

# The declarations list their labels in the order of the authors' numbers (a test compares both with `data/har`).
HAPT_LABELS = dict(enumerate(HAPT.activity_words, start=1))
DSADS_LABELS = dict(enumerate(DSADS.activity_words, start=1))
DSADS_UNITS = ("torso", "right arm", "left arm", "right leg", "left leg")
WISDM_LABELS = dict(zip("ABCDEFGHIJKLMOPQRS", WISDM_2019.activity_words, strict=True))
WISDM_DEVICES = {"phone": "trouser pocket", "watch": "wrist of the dominant hand"}
UTD_LABELS = dict(enumerate(UTD_MHAD.activity_words, start=1))
SISFALL_LABELS = dict(enumerate(SISFALL_ADL.activity_words, start=1))
SP_SW_DEVICES = {"sp": "left front trouser pocket", "sw": "left wrist"}
UMAFALL_LABELS = {
    "Walking": "walking",
    "Jogging": "jogging",
    "GoUpstairs": "walking upstairs",
    "GoDownstairs": "walking downstairs",
    "Sitting_GettingUpOnAChair": "sitting down and getting up",
    "LyingDown_OnABed": "lying down on a bed",
    "Bending": "bending",
    "Hopping": "hopping",
    "Aplausing": "clapping hands",
    "HandsUp": "raising hands up",
    "MakingACall": "making a phone call",
    "OpeningDoor": "opening a door",
    "forwardFall": "falling forward",
    "backwardFall": "falling backward",
    "lateralFall": "falling sideways",
}


def read_hapt(folder: Path) -> Iterator[list[SensorRun]]:
    """
    HAPT: `RawData/acc_expXX_userYY.txt`, `gyro_expXX_userYY.txt` (x y z at 50 Hz, g and rad/s) and `labels.txt`.

    Proof: the set's own README, columns of labels.txt and units included, in
    `anas337/Human-Activity-Recognition-Using-Smartphones.github.io` @ 1b28b8d5; its labels.txt starts
    `1 1 5 250 1232`, and `data/har` has "standing" from the 250th to the 1232nd reading of exp01.
    """
    path = find_one(folder, "labels.txt")
    table = load_numbers(path, " ", 5)
    if not (np.isin(table[:, 2], list(HAPT_LABELS)) & (table[:, 3] >= 1) & (table[:, 4] >= table[:, 3])).all():
        raise ValueError(f"{path} has labels beyond 1 to {len(HAPT_LABELS)} or rows out of order; download it again.")
    table = table.astype(int)
    for path in find_files(folder, "acc_exp*_user*.txt"):
        experiment, subject = map(int, parse_name(path, r"acc_exp(\d+)_user(\d+)\.txt"))
        gyro = path.with_name(path.name.replace("acc_", "gyro_", 1))
        values = _side_by_side(load_numbers(path, " ", 3) * STANDARD_GRAVITY, load_numbers(gyro, " ", 3), path)
        codes = np.zeros(len(values), dtype=int)
        for _, _, activity, first, last in table[table[:, 0] == experiment]:
            codes[first - 1 : last] = activity  # counted from one, both ends included
        times = np.arange(len(values)) / 50
        names = ["", *HAPT_LABELS.values()]
        spans = label_spans(times, codes, names)
        yield [SensorRun(f"{subject:02d}", f"exp{experiment:02d}", "waist", times, values, spans)]


def read_dsads(folder: Path) -> Iterator[list[SensorRun]]:
    """
    DSADS: `data/aXX/pX/sXX.txt`, 125 rows at 25 Hz, 45 columns = 5 units x (acc, gyro, magnetometer) x (x, y, z).

    Proof: `faris0007/Daily-and-Sports-Activity-Detection` @ 03d00a6e, extractData.py (paths, 125 x 45); unit order T,
    RA, LA, RL, LL and sensor order in public loaders of UCI 256; m/s^2 and rad/s as UniMTS's data.py takes them. The 5
    s segments of a subject and activity follow each other, so they are joined.
    """
    people = sorted({path.parent for path in find_files(folder, "a[0-9][0-9]/p[0-9]*/s[0-9][0-9].txt")})
    for place in people:
        activity, subject = int(place.parent.name[1:]), place.name
        paths = sorted(place.glob("s[0-9][0-9].txt"))
        numbers = [int(path.stem[1:]) for path in paths]
        breaks = [0, *(i for i in range(1, len(paths)) if numbers[i] != numbers[i - 1] + 1), len(paths)]
        for first, last in zip(breaks[:-1], breaks[1:], strict=True):
            block = np.concatenate([load_numbers(path, ",", 45) for path in paths[first:last]])
            times = np.arange(len(block)) / 25
            spans = label_spans(times, np.zeros(len(block), dtype=int), [DSADS_LABELS[activity]])
            name = f"a{activity:02d}_{subject}_{numbers[first]:02d}"
            yield [
                SensorRun(subject, name, unit, times, block[:, 9 * i : 9 * i + 6], spans)
                for i, unit in enumerate(DSADS_UNITS)
            ]


def read_wisdm(folder: Path) -> Iterator[list[SensorRun]]:
    """
    WISDM 2019: `raw/{phone,watch}/{accel,gyro}/data_1600_accel_phone.txt`, lines `subject,code,nanoseconds,x,y,z;`.

    Proof: `chunkybubble/wisdm-51-data-analysis` @ 06b32e6e (`wisdm-dataset/raw`) and public parsers that quote the
    first line, `1600,A,252207666810782,-0.36476135,8.793503,1.0550842;`, the codes A to S without N, and m/s^2 and
    rad/s. The gyroscope, on its own time stamps, is interpolated to the accelerometer's; across holes it is missing.
    """
    for path in find_files(folder, "data_*_accel_*.txt"):
        subject, device = parse_name(path, r"data_(\d+)_accel_(phone|watch)\.txt")
        gyro_path = path.parent.parent / "gyro" / path.name.replace("accel", "gyro")
        accel = _load_wisdm(path)
        gyro = _load_wisdm(gyro_path) if gyro_path.exists() else {}
        for code, (times, force) in accel.items():
            rate = interpolate(times, *gyro[code]) if code in gyro else np.full_like(force, np.nan)
            times = (times - times[0]) / 1e9
            spans = label_spans(times, np.zeros(len(times), dtype=int), [WISDM_LABELS[code]])
            values = np.concatenate([force, rate], axis=1)
            yield [SensorRun(subject, f"{subject}_{code}", WISDM_DEVICES[device], times, values, spans)]


def _load_wisdm(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Per activity code: time (ns, sorted) and readings."""
    names = ["subject", "code", "time", "x", "y", "z"]
    options = pa.csv.ConvertOptions(
        column_types={"code": pa.string(), "time": pa.int64()} | dict.fromkeys("xyz", pa.float64())
    )
    text = path.read_bytes().replace(b";", b"").replace(b" ", b"")
    try:
        table = pa.csv.read_csv(io.BytesIO(text), pa.csv.ReadOptions(column_names=names), convert_options=options)
    except pa.ArrowInvalid as error:
        raise ValueError(
            f"{path} is no WISDM 2019 file ({error}); expected `subject,code,time,x,y,z;` lines."
        ) from error
    codes = np.array(table["code"].to_pylist())
    if unknown := set(codes.tolist()) - set(WISDM_LABELS):
        raise ValueError(f"{path} has the unknown activity codes {sorted(unknown)}; download it again.")
    times = table["time"].to_numpy()
    values = np.column_stack([table[axis].to_numpy() for axis in "xyz"])
    found = {}
    for code in sorted(set(codes.tolist())):
        rows = np.flatnonzero(codes == code)
        rows = rows[np.argsort(times[rows], kind="stable")]
        found[code] = (times[rows], values[rows])
    return found


def read_utd_mhad(folder: Path) -> Iterator[list[SensorRun]]:
    """
    UTD-MHAD: `Inertial/aX_sX_tX_inertial.mat`, variable `d_iner`, six columns (g, deg/s) at 50 Hz.

    Proof: `lalasray/Real2Sim`, loader/load_mat.py (variable and columns); scale, rate and place by action, wrist up to
    21 and thigh from 22, in `xiyuanzh/UniMTS` @ 3d27af0c, data.py.
    """
    for path in find_files(folder, "a*_s*_t*_inertial.mat"):
        action, subject, _ = map(int, parse_name(path, r"a([1-9]|1\d|2[0-7])_s(\d+)_t(\d+)_inertial\.mat"))
        values = load_matlab(path, "d_iner", "UTD-MHAD") * np.array([STANDARD_GRAVITY] * 3 + [DEGREE] * 3)
        times = np.arange(len(values)) / 50
        spans = label_spans(times, np.zeros(len(times), dtype=int), [UTD_LABELS[action]])
        place = "right wrist" if action <= 21 else "right thigh"
        yield [SensorRun(str(subject), path.name.removesuffix("_inertial.mat"), place, times, values, spans)]


def read_sp_sw_har(folder: Path) -> Iterator[list[SensorRun]]:
    """
    SP-SW-HAR: `DATA/sXX/sXX_YY_{sp,sw}.csv`, header `x_acc,...,z_gyro,timestamp,label`, m/s^2, rad/s and Unix ms.

    Proof: README.md and DATA of `GeoTecINIT/sp-sw-har-dataset` @ 1408d85a; its first row equals the first of
    `data/har`. Phone and watch of one execution share the Unix clock.
    """
    for path in find_files(folder, "s[0-9]*_[0-9]*_sp.csv"):
        name = path.name.removesuffix("_sp.csv")
        devices = {device: path.with_name(f"{name}_{device}.csv") for device in SP_SW_DEVICES}
        columns = [f"{axis}_{sensor}" for sensor in ("acc", "gyro") for axis in "xyz"]
        tables = {
            device: _load_csv(file, [*columns, "timestamp"]) for device, file in devices.items() if file.exists()
        }
        runs, origin = [], None
        for device, table in tables.items():
            if missing := {*columns, "timestamp", "label"} - set(table.column_names):
                raise ValueError(f"{devices[device]} lacks the columns {sorted(missing)}; download it again.")
            times = table["timestamp"].to_numpy() / 1e3
            values = np.column_stack([table[column].to_numpy() for column in columns])
            labels = table["label"].combine_chunks().dictionary_encode()
            spans = label_spans(times, labels.indices.to_numpy(), labels.dictionary.to_pylist())
            runs.append(SensorRun(name.split("_")[0], name, SP_SW_DEVICES[device], times, values, spans))
            origin = min(times[0], origin if origin is not None else times[0])
        yield [_shift(run, origin) for run in runs]


def read_umafall(folder: Path) -> Iterator[list[SensorRun]]:
    """
    UMAFall: `UMAFall_Subject_NN_{ADL,Fall}_<activity>_<trial>_<date>_<time>.csv`, `%` header, `;` between seven
    columns.

    The columns are time (ms), number, x, y, z, sensor type (0 accelerometer in g, 1 gyroscope in deg/s, 2
    magnetometer) and sensor; the header tells where each sensor sits (`%address; 2; WAIST; SensorTag`). The pocket
    phone has no gyroscope and is left out. About 20 published files have damaged numbers: they are skipped with a
    warning.

    Proof: the set's parsers in `whar_datasets` (cfg_uma_fall) and others, which agree on name pattern, header, columns
    and codes; units from `data/har/umafall.SOURCE.md`.
    """
    pattern = re.compile(r"UMAFall_Subject_(\d+)_(?:ADL|Fall)_(.+?)_(\d+)_(\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d)\.csv")
    for path in find_files(folder, "UMAFall_Subject_*.csv"):
        found = pattern.fullmatch(path.name)
        if found is None or found[2] not in UMAFALL_LABELS:
            raise ValueError(f"{path} is not named like a UMAFall file; restore the published name.")
        subject, activity, trial, moment = found.groups()
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        header = [[part.strip() for part in line.lstrip("%").split(";")] for line in lines if line.startswith("%")]
        # Compared with the table's float64; an int of hundreds of digits, or a raised two, is no such number.
        places = {float(row[1]): row[2].lower() for row in header if len(row) > 3 and row[1].isdecimal()}
        try:
            text = "\n".join(line.rstrip("; ") for line in lines if line.strip() and not line.startswith("%"))
            rows = np.loadtxt(io.StringIO(text), delimiter=";", ndmin=2)
            if rows.shape[1] != 7:
                raise ValueError(f"{rows.shape[1]} columns instead of 7")
        except ValueError as error:
            warnings.warn(f"{path} is skipped: its numbers are damaged ({error}).", stacklevel=2)
            continue
        name = f"s{subject}_{activity}_{trial}_{moment}"
        runs = []
        for sensor, place in places.items():
            force, rate = (rows[(rows[:, 6] == sensor) & (rows[:, 5] == kind)] for kind in (0, 1))
            if place == "rightpocket" or not len(force):
                continue
            force, rate = (table[np.argsort(table[:, 0], kind="stable")] for table in (force, rate))
            gyro = interpolate(force[:, 0], rate[:, 0], rate[:, 2:5] * DEGREE)
            values = np.concatenate([force[:, 2:5] * STANDARD_GRAVITY, gyro], axis=1)
            times = force[:, 0] / 1e3
            spans = label_spans(times, np.zeros(len(times), dtype=int), [UMAFALL_LABELS[activity]])
            runs.append(SensorRun(subject, name, place, times, values, spans))
        if runs:
            origin = min(run.timestamps[0] for run in runs)
            yield [_shift(run, origin) for run in runs]


def read_sisfall_adl(folder: Path) -> Iterator[list[SensorRun]]:
    """
    SisFall: `SAxx/D01_SA01_R01.txt`, nine columns of counts at 200 Hz, `;` at line ends; falls (`F..`) are not read.

    Columns are ADXL345, ITG3200, MMA8451Q (left out). Proof: `Fall-Prevention-Team/sisfallData`, whose first row
    `17,-179,-99,-18,...` times 32/2^13 g and 4000/2^16 deg/s is the first of `data/har` (0.651 m/s^2, -0.0192 rad/s).
    """
    for path in find_files(folder, "D[0-9][0-9]_S[AE][0-9][0-9]_R[0-9][0-9].txt"):
        code, subject = parse_name(path, r"D(0[1-9]|1\d)_(S[AE]\d\d)_R\d\d\.txt")
        counts = load_numbers(path, ",", 9)
        values = np.concatenate([counts[:, :3] * SISFALL_FORCE, counts[:, 3:6] * SISFALL_RATE], axis=1)
        times = np.arange(len(values)) / 200
        spans = label_spans(times, np.zeros(len(times), dtype=int), [SISFALL_LABELS[int(code)]])
        yield [SensorRun(subject, path.stem, "waist (belt buckle)", times, values, spans)]


def find_files(folder: Path, pattern: str) -> list[Path]:
    """All files of that pattern anywhere in a folder, sorted; none is an error."""
    found = sorted(folder.rglob(pattern))
    if not found:
        raise ValueError(f"{folder} holds no `{pattern}`; give the folder into which the set was unpacked.")
    return found


def parse_name(path: Path, pattern: str) -> tuple[str, ...]:
    """The groups of a pattern in a file's name. Raises ValueError with file and remedy."""
    found = re.fullmatch(pattern, path.name)
    if found is None:
        raise ValueError(f"{path} is not named like a file of this set; restore the published name or take it away.")
    return found.groups()


def find_one(folder: Path, name: str) -> Path:
    """The file of that name anywhere in a folder."""
    return find_files(folder, name)[0]


def load_numbers(path: Path, delimiter: str, num_columns: int) -> np.ndarray:
    """A text table of numbers; `;` at line ends is dropped. Raises ValueError with file and remedy."""
    if not path.exists():
        raise ValueError(f"{path} is missing; unpack the set again.")
    text = path.read_text(encoding="utf-8", errors="replace").replace(";", "")
    try:
        table = np.loadtxt(io.StringIO(text), delimiter=None if delimiter == " " else delimiter, ndmin=2)
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}); download it again.") from error
    if table.shape[1] != num_columns:
        raise ValueError(f"{path} must have {num_columns} columns, but has shape {table.shape}; download it again.")
    return table


def interpolate(times: np.ndarray, source_times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values at other times; NaN outside, and in holes of more than five usual steps."""
    if len(source_times) < 2:
        return np.full((len(times), values.shape[1]), np.nan)
    # In float64 first: time is Unix nanoseconds in some sets, and differences must not wrap.
    origin = source_times[0]
    source, wanted = (source_times - origin).astype(np.float64), (times - origin).astype(np.float64)
    result = np.column_stack([np.interp(wanted, source, column) for column in values.T])
    after = np.clip(np.searchsorted(source, wanted), 1, len(source) - 1)
    step = np.median(np.diff(source))
    missing = (wanted < source[0]) | (wanted > source[-1]) | (source[after] - source[after - 1] > 5 * step)
    result[missing] = np.nan
    return result


def load_matlab(path: Path, variable: str, name: str) -> np.ndarray:
    """Six columns of a MATLAB file. Raises ValueError with file and remedy."""
    try:
        values = read_matrix(path.read_bytes(), variable)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is no {name} file with `{variable}` ({error}); download it again.") from error
    if values.shape[1] != 6:
        raise ValueError(f"{path}: `{variable}` must have 6 columns, but has shape {values.shape}; download it again.")
    return values


def _load_csv(path: Path, numbers: list[str]) -> pa.Table:
    kinds = dict.fromkeys(numbers, pa.float64()) | {"label": pa.string()}
    try:
        table = pa.csv.read_csv(path, convert_options=pa.csv.ConvertOptions(column_types=kinds))
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path} is no readable CSV file ({error}); download it again.") from error
    if not len(table) or len(set(table.column_names)) < table.num_columns:
        raise ValueError(f"{path} has no rows, or a column twice ({table.column_names}); download it again.")
    return table


def _side_by_side(force: np.ndarray, rate: np.ndarray, path: Path) -> np.ndarray:
    if len(force) != len(rate):
        raise ValueError(f"{path} has {len(force)} rows, but its gyroscope file {len(rate)}; download both again.")
    return np.concatenate([force, rate], axis=1)


def _shift(run: SensorRun, origin: float) -> SensorRun:
    """The same run on a clock that starts at `origin`."""
    run.timestamps = run.timestamps - origin
    run.spans = [ActivitySpan(span.start - origin, span.end - origin, span.activity) for span in run.spans]
    return run


LAYOUTS = {
    "umafall": read_umafall,
    "sisfall_adl": read_sisfall_adl,
    "dsads": read_dsads,
    "hapt_ucihar_raw": read_hapt,
    "wisdm2019": read_wisdm,
    "utd_mhad": read_utd_mhad,
    "sp_sw_har": read_sp_sw_har,
}

__all__ = ["LAYOUTS", *(reader.__name__ for reader in LAYOUTS.values())]

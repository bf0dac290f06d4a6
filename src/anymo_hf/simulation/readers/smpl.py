# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""AMASS motion (`.npz`): the 22 body joints of SMPL, SMPL+H and SMPL-X, with the user's own model file or without."""

import hashlib
import io
import pickle
from pathlib import Path

import numpy as np

from anymo_hf.processing.placements_anymo import SEGMENTS
from anymo_hf.simulation.motion import SegmentMotion
from anymo_hf.simulation.readers.joint_motion import JointMotion
from anymo_hf.simulation.readers.npz import DAMAGE
from anymo_hf.simulation.readers.nymeria import read_arrays, read_scalar
from anymo_hf.simulation.readers.quaternions import from_matrix, multiply
from anymo_hf.simulation.readers.retarget import retarget
from anymo_hf.simulation.segments import tpose_positions


RATE_KEYS = ("mocap_framerate", "mocap_frame_rate")  # SMPL+H files, SMPL-X files
# The first 22 joints are the same in SMPL, SMPL+H and SMPL-X; later ones are hands, jaw and eyes.
SMPL_JOINTS = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
    "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
)  # fmt: skip
SMPL_PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)
_POSE_WIDTHS = (66, 72, 156, 165)  # body alone, SMPL, SMPL+H, SMPL-X
_TRUNK = {"Pelvis": "pelvis", "L5": "spine1", "T12": "spine2", "T8": "spine3", "Neck": "neck", "Head": "head"}
_LIMBS = {
    "Shoulder": "collar",
    "UpperArm": "shoulder",
    "Forearm": "elbow",
    "Hand": "wrist",
    "UpperLeg": "hip",
    "LowerLeg": "knee",
    "Foot": "ankle",
    "Toe": "foot",
}
SMPL_JOINT_MAP = _TRUNK | {
    f"{side[0].upper()}_{segment}": f"{side}_{joint}"
    for side in ("left", "right")
    for segment, joint in _LIMBS.items()
}
# The model stands with y up and faces z; AMASS worlds have z up. This takes z up and facing x to y up and facing z.
_TO_Y_UP = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])


def read_amass(path: str | Path, model_path: str | Path | None = None) -> SegmentMotion:
    """
    Read an AMASS motion. Unverified on an original file: written from the published layout.

    The file holds joint rotations only. Where the joints are follows from a body model, which may not be shipped with
    this package. Pass your own SMPL, SMPL+H or SMPL-X file, of the gender that `source["gender"]` says, for the
    subject's own bone lengths. Without one the bones of an average body are used: `source["body"]` then says
    `"average bone offsets"`, limbs have a wrong length, and the world is shifted by a constant of some decimetres.

    Args:
        path (`str` or `Path`):
            The motion, with `poses`, `trans` and `mocap_framerate` or `mocap_frame_rate`.
        model_path (`str` or `Path`, *optional*, defaults to `None`):
            Model file (`.npz` or `.pkl`). Of a pickle only numbers are read; one that would run code is refused.

    Returns:
        `SegmentMotion`: In a world with z up, as in the file.

    Raises:
        ValueError: If one of the files is damaged or of another kind.
        FileNotFoundError: If there is no such file.
    """
    path = Path(path)
    arrays = read_arrays(path, "AMASS motion", ("poses", "trans"), (*RATE_KEYS, "betas", "gender"))
    poses, trans = (read_numbers(arrays[name], 2, f"{path.name}, {name}") for name in ("poses", "trans"))
    if poses.shape[1] not in _POSE_WIDTHS or trans.shape != (len(poses), 3) or len(poses) == 0:
        raise ValueError(
            f"{path.name}: expected poses of shape (num_frames, {_POSE_WIDTHS}) and trans (num_frames, 3), but they "
            f"have {poses.shape} and {trans.shape}."
        )
    rate = read_scalar(next((arrays[name] for name in RATE_KEYS if name in arrays), np.zeros(0)), f"{path.name}, rate")
    if not (np.isfinite(rate) and rate > 0):
        raise ValueError(f"{path.name} has the frame rate {rate:g} Hz; it must be positive.")
    betas = read_numbers(np.ravel(arrays.get("betas", np.zeros(0))), 1, f"{path.name}, betas")
    rest = average_joints() if model_path is None else read_model_joints(model_path, betas)
    motion = retarget(smpl_joint_motion(poses, trans, rest, rate), SMPL_JOINT_MAP, path.name)
    body = "average bone offsets" if model_path is None else Path(model_path).name
    motion.source = _source(path, arrays.get("gender")) | {"body": body}
    return motion


def average_joints() -> np.ndarray:
    """
    The 22 joints of an average body in the T-pose, the pelvis at zero.

    Returns:
        `np.ndarray` of shape `(22, 3)`: Metres in the axes of SMPL: x left, y up, z forward.
    """
    ours = tpose_positions()[:, [1, 2, 0]]
    segments = {joint: segment for segment, joint in SMPL_JOINT_MAP.items()}
    return np.stack([ours[SEGMENTS.index(segments[joint])] for joint in SMPL_JOINTS])


def read_model_joints(path: str | Path, betas: np.ndarray | None = None) -> np.ndarray:
    """
    Joints of a body model at rest. Unverified on an original file.

    Args:
        path (`str` or `Path`):
            Model file (`.npz` or `.pkl`) of SMPL, SMPL+H or SMPL-X.
        betas (`np.ndarray` of shape `(num_betas,)`, *optional*):
            Shape of the subject; as many are used as the model has.

    Returns:
        `np.ndarray` of shape `(22, 3)`: Metres in the axes of the model.

    Raises:
        ValueError: If it is no such model, or a pickle with anything but numbers in it.
    """
    return read_model(path, betas)["joints"][: len(SMPL_JOINTS)]


def read_model(path: str | Path, betas: np.ndarray | None = None, skin: bool = False) -> dict[str, np.ndarray]:
    """
    A body model at rest. Unverified on an original file.

    Args:
        path (`str` or `Path`):
            As for `read_model_joints`.
        betas (`np.ndarray` of shape `(num_betas,)`, *optional*):
            As for `read_model_joints`.
        skin (`bool`, *optional*, defaults to `False`):
            Whether triangles and skinning weights are read too.

    Returns:
        `dict[str, np.ndarray]`: `vertices` `(num_vertices, 3)` and `joints` `(num_joints, 3)` of that shape in metres
        in the axes of the model, `kintree_table` `(2, num_joints)`; with `skin` also `f` `(num_faces, 3)` and
        `weights` `(num_vertices, num_joints)`.

    Raises:
        ValueError: If it is no such model, or a pickle with anything but numbers in it.
    """
    path = Path(path)
    names = ("v_template", "shapedirs", "J_regressor", "kintree_table") + (("f", "weights") if skin else ())
    if path.suffix.lower() == ".pkl":
        arrays = _read_pickled_model(path, names)
    elif path.suffix.lower() == ".npz":
        arrays = read_arrays(path, "SMPL model", names)
    else:
        raise ValueError(f"A body model ends in .npz or .pkl, but {path.name!r} was given.")
    arrays = {
        name: read_numbers(arrays[name], 3 if name == "shapedirs" else 2, f"{path.name}, {name}") for name in names
    }
    template, shapes, regressor, tree = (arrays[name] for name in names[:4])
    num_joints, num_vertices = regressor.shape
    agree = (
        template.shape == (num_vertices, 3) and shapes.shape[:2] == template.shape and tree.shape == (2, num_joints)
    )
    if not agree or (skin and arrays["weights"].shape != (num_vertices, num_joints)):
        raise ValueError(f"{path.name}: the shapes of its arrays do not agree; it is no SMPL model, or damaged.")
    if tuple(tree[0, 1 : len(SMPL_PARENTS)].astype(int)) != SMPL_PARENTS[1:]:
        raise ValueError(f"{path.name} has another skeleton than SMPL, SMPL+H and SMPL-X; pass one of these models.")
    betas = np.zeros(0) if betas is None else np.asarray(betas, dtype=np.float64)
    count = min(len(betas), shapes.shape[2])
    vertices = template + shapes[..., :count] @ betas[:count]
    return arrays | {"vertices": vertices, "joints": regressor @ vertices}


def smpl_joint_motion(
    poses: np.ndarray, trans: np.ndarray, rest: np.ndarray, rate: float, to_y_up: np.ndarray = _TO_Y_UP
) -> JointMotion:
    """
    The moving joints of a body of the SMPL family.

    Args:
        poses (`np.ndarray` of shape `(num_frames, 66)` or wider):
            Rotation vectors of the joints against their parents, in radians.
        trans (`np.ndarray` of shape `(num_frames, 3)`):
            How far the model is moved, in metres.
        rest (`np.ndarray` of shape `(22, 3)`):
            Joints at rest in the axes of the model.
        rate (`float`):
            Frames per second.
        to_y_up (`np.ndarray` of shape `(3, 3)`, *optional*):
            What turns the file's world so that y is up as in the model; by default from a world with z up.

    Returns:
        `JointMotion`: In a world with y up.
    """
    count = len(SMPL_JOINTS)
    rotations = _from_rotation_vectors(poses[:, : 3 * count].reshape(len(poses), count, 3).T)
    rotations[:, 0] = multiply(from_matrix(to_y_up)[:, None], rotations[:, 0])
    # The model turns about its pelvis, which is not at its origin, and moves by `trans` after that.
    root = to_y_up @ (rest[0] + trans).T
    offsets = np.array([rest[joint] - rest[max(parent, 0)] for joint, parent in enumerate(SMPL_PARENTS)])
    return JointMotion(SMPL_JOINTS, SMPL_PARENTS, offsets, rotations, 1 / rate, {0: root}, unit=1.0)


def _from_rotation_vectors(vectors: np.ndarray) -> np.ndarray:
    """Quaternions `(4, ...)` of rotation vectors `(3, ...)` in radians."""
    angle = np.linalg.norm(vectors, axis=0)
    return np.concatenate([np.cos(angle / 2)[None], vectors / 2 * np.sinc(angle / (2 * np.pi))])


def read_numbers(array: np.ndarray, num_axes: int, where: str) -> np.ndarray:
    """
    An array as float64.

    Args:
        array (`np.ndarray`):
            What a file holds.
        num_axes (`int`):
            How many axes it must have.
        where (`str`):
            File and name of it, for the error message.

    Returns:
        `np.ndarray`: Finite numbers.

    Raises:
        ValueError: If it is anything else.
    """
    array = np.asarray(array)
    if array.ndim != num_axes or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise ValueError(
            f"{where} must be {num_axes} axes of finite numbers, but is {array.dtype} of shape {array.shape}; it "
            "is damaged or of another kind."
        )
    return array.astype(np.float64)


def _source(path: Path, gender: np.ndarray | None) -> dict[str, str]:
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    source = {"name": path.stem, "sha256": digest, "license": "AMASS, non-commercial"}
    if gender is not None and gender.size == 1 and gender.dtype.kind in "US":
        word = np.ravel(gender)[0]
        source["gender"] = word.decode("ascii", errors="replace") if isinstance(word, bytes) else str(word)
    return source


class _Array:
    """Stands in for an array of chumpy, the library that model files were pickled with: it only keeps its state."""

    def __init__(self, *_: object):
        self.state: dict = {}

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, dict):
            raise ValueError("an array has no readable state")
        self.state = state

    def numbers(self) -> np.ndarray:
        """Its value: held as `x`, or some elements `idxs` of another array `a`."""
        if "x" in self.state:
            return np.asarray(self.state["x"])
        if not {"a", "idxs"} <= self.state.keys():
            raise ValueError("an array of chumpy is neither values nor a selection")
        values = _toread_numbers(self.state["a"]).ravel()[np.asarray(self.state["idxs"])]
        return values.reshape(self.state.get("preferred_shape", -1))


class _SparseArray(_Array):
    """Stands in for a sparse matrix of scipy, by columns."""

    def numbers(self) -> np.ndarray:
        from scipy.sparse import csc_matrix

        parts = [np.asarray(self.state[name]) for name in ("data", "indices", "indptr")]
        shape = tuple(int(size) for size in self.state.get("_shape", self.state.get("shape", ())))
        # A false shape could ask for any memory; a regressor has fewer than 200 joints.
        if len(shape) != 2 or shape[0] > 200 or shape[1] > 200_000:
            raise ValueError(f"a sparse matrix has the shape {shape}")
        matrix = csc_matrix(tuple(parts), shape=shape)
        matrix.check_format(full_check=True)
        return matrix.toarray()


def _toread_numbers(value: object) -> np.ndarray:
    return value.numbers() if isinstance(value, _Array) else np.asarray(value)


def _encode(text: str, encoding: str) -> bytes:
    """How Python 3 writes bytes into an old pickle. Other encodings could unpack more than the file holds."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"the encoding {encoding!r} is not allowed")
    return text.encode("latin1")


def _reconstruct_object(cls: type, base: type, state: object) -> object:
    """How Python 2 makes an object without state."""
    if not (isinstance(cls, type) and issubclass(cls, _Array) and base is object and state is None):
        raise pickle.UnpicklingError("an object of another kind than an array is not allowed")
    return cls()


_ALLOWED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _encode,
    ("copy_reg", "_reconstructor"): _reconstruct_object,
    ("copyreg", "_reconstructor"): _reconstruct_object,
    ("__builtin__", "object"): object,
    ("builtins", "object"): object,
    ("__builtin__", "set"): set,
    ("builtins", "set"): set,
    ("chumpy.ch", "Ch"): _Array,
    ("chumpy.reordering", "Select"): _Array,
    **{(f"scipy.sparse.{module}", "csc_matrix"): _SparseArray for module in ("csc", "_csc")},
    **{
        (f"numpy.{core}.multiarray", name): getattr(np._core.multiarray, name)
        for core in ("core", "_core")
        for name in ("_reconstruct", "scalar")
    },
}


class _Unpickler(pickle.Unpickler):
    """Knows arrays and nothing else, so that no file can call anything."""

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it calls {module}.{name}, which is not allowed and may be an attack")
        return _ALLOWED[module, name]


def _read_pickled_model(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    data = path.read_bytes()
    try:
        content = _Unpickler(io.BytesIO(data), encoding="latin1").load()
        if not isinstance(content, dict):
            raise ValueError("it holds no dictionary")
        return {name: _toread_numbers(content[name]) for name in names}
    except (*DAMAGE, pickle.UnpicklingError, IndexError, MemoryError, RecursionError, OverflowError) as error:
        raise ValueError(f"{path.name} is no SMPL model: {error}; download it from its makers again.") from error

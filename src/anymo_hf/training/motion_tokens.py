# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Motion tokens that are computed once: encoder and tokenizer are frozen when the language model learns."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from anymo_hf.training.motion_text import MotionTextDataset, pad_features
from anymo_hf.training.views import index_of_item
from anymo_hf.whole_files import written_whole


WINDOWS_PER_FILE = 1024
WORDS = ("texts", "activity", "placements")
# Activities are drawn with probabilities as the square root of their frequency: between as they are and all alike.
BALANCE = 0.5


class MotionTokenDataset(Dataset):
    """
    Described windows as motion tokens, from a folder of `write_motion_tokens`; rare activities are drawn more often.

    Item `index` of an epoch is a window drawn from `default_rng([seed, epoch, index])`, its activity first.

    Args:
        folder (`str` or `Path`):
            As written.
        part (`str`, *optional*, defaults to `"train"`):
            `"train"`, or `"held_out"`, whose windows come as they are.
        seed (`int`, *optional*, defaults to 0):
            Of what is drawn.

    Raises:
        ValueError: If the folder holds no such files, or damaged ones.
    """

    def __init__(self, folder: str | Path, part: str = "train", seed: int = 0):
        self.seed = seed
        self.is_drawn = part == "train"
        paths = sorted(Path(folder).glob(f"{part}-*.safetensors"))
        if not paths:
            raise ValueError(f"{folder} holds no file {part}-*.safetensors; `tokenise_motion.py` makes them.")
        self.tokens: list[torch.Tensor] = []
        self.words: list[dict] = []
        self.fingerprints = set()
        for path in paths:
            tokens, words, mark = _read(path)
            self.tokens += tokens
            self.words += words
            self.fingerprints.add(mark)
        rows: dict[str | None, list[int]] = {}
        for row, words in enumerate(self.words):
            rows.setdefault(words["activity"], []).append(row)
        self._rows = [np.array(found) for found in rows.values()]
        weights = np.array([len(found) for found in self._rows]) ** BALANCE
        self._shares = weights / weights.sum()
        self.activities = sorted(activity for activity in rows if activity is not None)
        # Shared memory: workers that live on from epoch to epoch must see the number change.
        self._epoch = torch.zeros(1, dtype=torch.int64).share_memory_()

    def check_model(self, graph_encoder, motion_tokenizer) -> None:
        """A `ValueError` if others than these made the tokens."""
        if self.fingerprints != {fingerprint(graph_encoder, motion_tokenizer)}:
            raise ValueError(
                "These motion tokens were made by another encoder or motion tokenizer than the model's; run "
                "`tokenise_motion.py` with these, into a new folder."
            )

    def set_epoch(self, epoch: int) -> None:
        """Other windows for the same indices, in this process and in its workers."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: int) -> dict:
        """
        A window.

        Returns:
            `dict`: `motion_tokens` of shape `(num_tokens,)`, int64, counted from `<motion_0_0>`; `texts`, `activity`,
            `placements` and `seed` as `MotionTextDataset` has them.
        """
        index = index_of_item(index, len(self))
        rng = np.random.default_rng([self.seed, int(self._epoch), index])
        row = index
        if self.is_drawn:
            rows = self._rows[rng.choice(len(self._rows), p=self._shares)]
            row = int(rows[rng.integers(len(rows))])
        return {"motion_tokens": self.tokens[row].long(), **self.words[row], "seed": int(rng.integers(2**62))}


@torch.no_grad()
def write_motion_tokens(
    graph_encoder,
    motion_tokenizer,
    dataset: MotionTextDataset,
    folder: str | Path,
    part: str,
    num_windows: int,
    num_workers: int = 0,
    batch_size: int = 32,
) -> list[Path]:
    """
    Draw windows, one epoch after the other, and write their motion tokens. What is there is kept.

    Args:
        graph_encoder (`AnyMoGraphEncoder`):
            Of the model that will be trained.
        motion_tokenizer (`AnyMoPQTokenizer`):
            Likewise.
        dataset (`MotionTextDataset`):
            Of windows with texts. Its epoch is changed.
        folder (`str` or `Path`):
            Gets files `<part>-<number>.safetensors` of 1,024 windows.
        part (`str`):
            `"train"` or `"held_out"`.
        num_windows (`int`):
            At least so many.
        num_workers (`int`, *optional*, defaults to 0):
            Processes that simulate sensors, beside the one that encodes.
        batch_size (`int`, *optional*, defaults to 32):
            Windows that are encoded together.

    Returns:
        `list[Path]`: The files.

    Raises:
        ValueError: If the folder holds files of another encoder, tokenizer, motion, seed or part of the people.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    graph_encoder, motion_tokenizer = graph_encoder.eval(), motion_tokenizer.eval()
    config = motion_tokenizer.config
    made_of = {"fingerprint": fingerprint(graph_encoder, motion_tokenizer), "windows": _windows_digest(dataset)}
    first = torch.arange(config.num_codebooks)[:, None] * config.codebook_size  # tokens of a codebook stand together
    paths = [folder / f"{part}-{number:05d}.safetensors" for number in range(-(-num_windows // WINDOWS_PER_FILE))]
    for number, path in enumerate(tqdm(paths, desc=f"motion tokens, {part}", unit="file")):
        if path.exists():
            _check_header(path, made_of)
            continue
        tokens, words = [], []
        for items in _batches(dataset, number, num_workers, batch_size):
            features = {name: value.to(graph_encoder.device) for name, value in pad_features(items).items()}
            encoded = graph_encoder(**features, pooled_only=True)
            codes = motion_tokenizer.encode(encoded.pooled_latents, encoded.steps_mask).cpu() + first
            counts = encoded.steps_mask[:, :: config.step_stride].sum(dim=1).tolist()
            tokens += [row[:, :count].T.flatten() for row, count in zip(codes, counts, strict=True)]
            words += [{name: item[name] for name in WORDS} for item in items]
        _write(path, tokens, words, made_of)
    return paths


def fingerprint(graph_encoder, motion_tokenizer) -> str:
    """Of the weights of both, in hexadecimal."""
    digest = hashlib.sha256()
    for part in (graph_encoder, motion_tokenizer):
        for name, tensor in sorted(part.state_dict().items()):
            digest.update(name.encode() + tensor.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()


def _batches(dataset: MotionTextDataset, number: int, num_workers: int, batch_size: int) -> Iterator[list[dict]]:
    """Items of one file; they go through the data set, and through it again in the next epoch."""
    places = np.arange(number * WINDOWS_PER_FILE, (number + 1) * WINDOWS_PER_FILE)
    for epoch in np.unique(places // len(dataset)):
        dataset.set_epoch(int(epoch))
        # Clips lie one after the other; a file shall have some of all.
        order = np.random.default_rng([dataset.seed, epoch]).permutation(len(dataset))
        indices = order[places[places // len(dataset) == epoch] % len(dataset)].tolist()
        yield from DataLoader(
            dataset, batch_size, sampler=indices, num_workers=num_workers, collate_fn=list, prefetch_factor=None
        )


def _windows_digest(dataset: MotionTextDataset) -> str:
    """Of what decides which windows are drawn, in hexadecimal."""
    clips = sorted([clip.path.name, clip.num_frames] for clip in dataset.clips)
    drawn = [dataset.seed, dataset.num_frames, dataset.min_frames, clips]
    return hashlib.sha256(json.dumps(drawn).encode()).hexdigest()


def _check_header(path: Path, made_of: dict[str, str]) -> None:
    """A `ValueError` if a file was made otherwise: people held out now may be in it."""
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{path} cannot be read ({error}); remove it and run `tokenise_motion.py` again.") from error
    if differing := [name for name, value in made_of.items() if header.get(name) != value]:
        raise ValueError(
            f"{path} was made of another {' and other '.join(differing)}: weights, motion, seed or people held out; "
            "write into a new folder."
        )


def _write(path: Path, tokens: list[torch.Tensor], words: list[dict], made_of: dict[str, str]) -> None:
    tensors = {"tokens": torch.cat(tokens).int(), "lengths": torch.tensor([len(one) for one in tokens])}
    with written_whole(path) as unfinished:
        save_file(tensors, unfinished, {"words": json.dumps(words), **made_of})


def _read(path: Path) -> tuple[list[torch.Tensor], list[dict], str]:
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata()
            words, mark = json.loads(header["words"]), header["fingerprint"]
            tokens = file.get_tensor("tokens").split(file.get_tensor("lengths").tolist())
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"{path} must hold motion tokens of `tokenise_motion.py`, but cannot be read so ({error}); remove it and "
            "run that again."
        ) from error
    if len(words) != len(tokens) or any(set(one) != set(WORDS) for one in words):
        raise ValueError(
            f"{path} has {len(tokens)} windows, but {len(words)} descriptions; remove it and make it again."
        )
    return list(tokens), words, mark


__all__ = ["MotionTokenDataset", "fingerprint", "write_motion_tokens"]

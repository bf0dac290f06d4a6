# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""`HarDataset`: what one set of labelled recordings is, declared before anything is evaluated on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from anymo_hf.processing.placements_anymo import SEGMENTS, get_placement


SPLITS = ("development", "report", "other")


@dataclass(frozen=True)
class HarDataset:
    """
    One set of labelled recordings: where the sensors sat, what the classes are called, how it may be used.

    Args:
        name (`str`):
            Short name, also the stem of its file in the common layout.
        license (`str`):
            As found, with the words "from memory" where nobody has checked the host.
        sampling_rate (`float`):
            Nominal samples per second.
        gravity (`bool`):
            Whether the force contains gravity.
        placements (`Mapping[str, str]`):
            From the set's own placement names to names of the placement table or segments. A name without its side
            ("wrist") means that the set does not state one.
        activity_words (`Mapping[str, str]`):
            From the set's own labels to the words that the model reads. The empty label is unlabelled and no class.
        window (`float` or `None`):
            Seconds per window; `None` takes every clip whole.
        split (`str`):
            `"development"` (prompts and checkpoints may be chosen on it), `"report"` (once per release) or `"other"`.
        citation (`str`, *optional*, defaults to `""`):
            Who made it.
        units (`str`, *optional*, defaults to `""`):
            Units of the authors' files, and what else a reader must know.
        subsets (`Mapping[str, tuple[str, ...]]`, *optional*, defaults to `{}`):
            Named selections of classes, in words.
        joint_clock (`bool`, *optional*, defaults to `True`):
            Whether the sensors of one recording share a clock; if not, each becomes a recording.
        even_clock (`bool`, *optional*, defaults to `False`):
            Whether time stamps are times of arrival, in bursts, of readings taken at an even rate.
        label_keyed_placement (`bool`, *optional*, defaults to `False`):
            Whether the placement depends on the label, so that naming it gives part of the answer away.

    Raises:
        ValueError: If a placement does not resolve, a label has no words, or a number makes no sense.
    """

    name: str
    license: str
    sampling_rate: float
    gravity: bool
    placements: Mapping[str, str]
    activity_words: Mapping[str, str]
    window: float | None
    split: str
    citation: str = ""
    units: str = ""
    subsets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    joint_clock: bool = True
    even_clock: bool = False
    label_keyed_placement: bool = False

    def __post_init__(self):
        if self.split not in SPLITS:
            raise ValueError(f"`split` of {self.name!r} must be one of {SPLITS}, but is {self.split!r}.")
        if not self.sampling_rate > 0 or (self.window is not None and not self.window > 0):
            raise ValueError(
                f"`sampling_rate` and `window` of {self.name!r} must be positive, but are {self.sampling_rate} and "
                f"{self.window}; `window` may be None for whole clips."
            )
        unmapped = [f"{name!r} -> {words!r}" for name, words in self.placements.items() if not _is_place(words)]
        if unmapped:
            raise ValueError(
                f"Placements of {self.name!r} are not in the placement table: {', '.join(unmapped)}; map each to a "
                'name of `NAMED_PLACEMENTS` or to a segment under "placements" of the set\'s JSON file.'
            )
        silent = [label for label, words in self.activity_words.items() if not label or not _is_text(words)]
        if silent:
            raise ValueError(f"Every label of {self.name!r} needs words, but {silent} have none.")
        for subset, words in self.subsets.items():
            if unknown := set(words) - set(self.classes):
                raise ValueError(f"Subset {subset!r} of {self.name!r} names {sorted(unknown)}, which are no classes.")

    @property
    def classes(self) -> tuple[str, ...]:
        """The words of all classes, each once, in the order of the declaration."""
        return tuple(dict.fromkeys(self.activity_words.values()))

    def get_classes(self, subset: str | None = None) -> tuple[str, ...]:
        """
        The words of the classes that an evaluation distinguishes.

        Args:
            subset (`str`, *optional*, defaults to `None`):
                A key of `subsets`; `None` means all classes.

        Returns:
            `tuple[str, ...]`: The words.

        Raises:
            ValueError: If there is no such subset.
        """
        if subset is None:
            return self.classes
        if subset not in self.subsets:
            raise ValueError(f"{self.name!r} has no subset {subset!r}; there are {sorted(self.subsets)}.")
        return self.subsets[subset]

    @property
    def placements_without_side(self) -> tuple[str, ...]:
        """The set's own names of placements whose side it does not state."""
        return tuple(name for name, words in self.placements.items() if not _has_side(words))

    def resolve_placement(self, name: str, side: str = "right") -> str:
        """
        The table's name of one of the set's placements.

        Args:
            name (`str`):
                What the set calls it.
            side (`str`, *optional*, defaults to `"right"`):
                Taken where the set states none.

        Returns:
            `str`: A canonical name of the placement table, or a segment.

        Raises:
            ValueError: If the set declares no such placement.
        """
        if name not in self.placements:
            raise ValueError(f"{self.name!r} declares no placement {name!r}; it has {sorted(self.placements)}.")
        words = self.placements[name]
        if words in SEGMENTS:
            return words
        return get_placement(words if _has_side(words) else f"{side} {words}").name


def _is_text(words) -> bool:
    return isinstance(words, str) and bool(words.strip())


def _has_side(words: str) -> bool:
    """Whether these words already name one place, be it on a side or in the middle."""
    if words in SEGMENTS:
        return True
    try:
        get_placement(words)
    except ValueError:
        return False
    return True


def _is_place(words: str) -> bool:
    return _has_side(words) or _has_side(f"right {words}")


__all__ = ["SPLITS", "HarDataset"]

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""What the texts of a converted clip say of a window of it."""

import re
from collections.abc import Sequence
from pathlib import Path

from anymo_hf.simulation.conversion import read_header
from anymo_hf.simulation.motion import TextSpan


# A text tells of a window of which it covers at least so much.
COVERED_SHARE = 0.5


def activity_name(label: str) -> str:
    """A label in words: `"walk-turn-left"` becomes `"walk turn left"`."""
    return re.sub(r"[-_\s]+", " ", label).strip()


def activity_key(name: str) -> str:
    """What names of the same activity share: `"walk"` and `"walking"`."""
    stems = (re.sub(r"(?<=\w\w)(ing|e?s|e)$", "", word) for word in name.lower().split())
    return " ".join(re.sub(r"(.)\1$", r"\1", stem) for stem in stems)


def is_activity(text: TextSpan) -> bool:
    """Whether a text names what is done. Labels that list several things tell of a whole recording instead."""
    return text.kind == "label" and not re.search(r",| - ", text.text)


def describe(texts: Sequence[TextSpan]) -> tuple[list[str], str | None]:
    """
    What can be said of a window.

    Args:
        texts (`Sequence[TextSpan]`):
            That cover it, the best first.

    Returns:
        `tuple[list[str], str | None]`: Its captions; where there is none, its label, with the style if one is given.
        And the name of the activity, if there is one.
    """
    captions = [text.text for text in texts if text.kind == "caption"]
    labels = [text for text in texts if text.kind == "label"]
    activities = [activity_name(text.text) for text in labels if is_activity(text)]
    if not captions:
        styles = [f", {text.text} style" for text in texts if text.kind == "style" and text.text != "normal"]
        named = [activity_name(text.text) if is_activity(text) else text.text for text in labels]
        captions = [name + "".join(styles[:1]) for name in named]
    return list(dict.fromkeys(captions)), activities[0] if activities else None


def texts_from_first_frame(path: Path) -> tuple[TextSpan, ...]:
    """Of a converted clip, in seconds after its first frame."""
    header = read_header(path)
    start = header["start_time"]
    texts = (TextSpan(**text) for text in header["texts"])
    return tuple(TextSpan(text.start - start, text.end - start, text.text, text.kind) for text in texts)


def covering_texts(texts: Sequence[TextSpan], start: float, end: float) -> list[TextSpan]:
    """Texts that cover at least half of a window, or most of it among captions and labels; the best first."""
    overlaps = {text: min(text.end, end) - max(text.start, start) for text in texts}
    most = max((overlap for text, overlap in overlaps.items() if text.kind != "style"), default=0.0)
    needed = min(COVERED_SHARE * (end - start), most)
    covering = [text for text, overlap in overlaps.items() if overlap >= max(needed, 0.0)]
    return sorted(covering, key=lambda text: -overlaps[text])


def texts_by_span(texts: Sequence[TextSpan]) -> list[tuple[float, dict[str, float]]]:
    """
    Seconds of every stretch that texts describe, and the share of each: half is the activity's, half the captions'.

    Labels with a style stand for captions elsewhere; beside an activity they do not count.
    """
    spans = []
    for start, end in dict.fromkeys((text.start, text.end) for text in texts):
        inside = [text for text in texts if (text.start, text.end) == (start, end)]
        captions, activity = describe(inside)
        if activity and not any(text.kind == "caption" for text in inside):
            captions = []
        shares = dict.fromkeys(captions, (0.5 if activity else 1.0) / max(len(captions), 1))
        if activity:
            shares[activity] = shares.get(activity, 0.0) + (0.5 if captions else 1.0)
        spans.append((end - start, shares))
    return spans


__all__ = [
    "activity_key",
    "activity_name",
    "covering_texts",
    "describe",
    "is_activity",
    "texts_by_span",
    "texts_from_first_frame",
]

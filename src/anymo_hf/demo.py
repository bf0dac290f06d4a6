# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""`anymo demo`: a page that shows a motion, what sensors read of it, and what a model makes of that."""

import html
from pathlib import Path

import torch

from anymo_hf.processing import Recording, make_recording
from anymo_hf.retrieval import retrieve
from anymo_hf.simulation import BodySurface, Placements, SegmentKinematics, SensorErrors, simulate_imu
from anymo_hf.simulation.motion import SegmentMotion
from anymo_hf.simulation.report import check_writable, write_report
from anymo_hf.simulation.synthesis import demo_motion


PLACEMENTS = ("left wrist", "right trouser pocket")
# Candidates beside what the motion's own texts name.
LABELS = ("walking", "running", "sitting", "standing", "sitting down", "waving", "walking upstairs", "lying")
WINDOW, OVERLAP = 3.0, 0.5
MAX_SECONDS = 120.0


def run_demo(
    path: str | Path | None = None, out: str | Path = "anymo_demo.html", model: str | Path | None = None
) -> Path:
    """
    Simulates sensors on a motion, lets a model read them, and writes the page that shows it all.

    Args:
        path (`str` or `Path`, *optional*, defaults to `None`):
            A motion file. `None` takes a synthetic person who walks, sits down and waves.
        out (`str` or `Path`, *optional*, defaults to `"anymo_demo.html"`):
            Where the page goes.
        model (`str` or `Path`, *optional*, defaults to `None`):
            Checkpoint that reads the sensors. `None` leaves that part of the page out.

    Returns:
        `Path`: The page.
    """
    check_writable(Path(out))
    if path is None:
        motion = demo_motion(bone_offsets=BodySurface.default().bone_offsets)
        code = "motion = demo_motion(bone_offsets=BodySurface.default().bone_offsets)"
    else:
        from anymo_hf.simulation.readers import load_motion

        motion, code = load_motion(path), f"motion = load_motion({str(path)!r})"
    return write_report(motion, out, motion_code=code, more=[] if model is None else [read_sensors(motion, model)])


def read_sensors(motion: SegmentMotion, model: str | Path, seed: int = 0) -> str:
    """A section of the page: activities, captions and a search in what watch and phone read; printed as well."""
    from transformers import pipeline

    stop = int((motion.timestamps - motion.timestamps[0] <= MAX_SECONDS).sum())
    motion = motion[:stop]
    recording = wear(motion, seed)
    options = {"model": str(model), "dtype": "float32", "window": WINDOW, "overlap": OVERLAP}
    labels = list(dict.fromkeys([*(_label_of(span) for span in motion.texts if span.kind == "label"), *LABELS]))
    classify = pipeline("zero-shot-imu-classification", **options)
    windows = classify(recording, candidate_labels=labels, top_k=3)
    captions = pipeline("imu-to-text", **options)(recording)
    rows = [
        (f"{window['start']:.1f}–{window['end']:.1f} s", _said(motion, window), window["scores"],
         caption["generated_text"])
        for window, caption in zip(windows, captions, strict=True)
    ]  # fmt: skip
    query = max((span.text for span in motion.texts if span.kind == "caption"), key=len, default="a person walks")
    found = retrieve(query, recording, pipeline("imu-feature-extraction", **options), top_k=1)[0]
    place = f"{found['start']:.1f} to {found['end']:.1f} s"
    for when, said, scores, caption in rows:
        print(f"{when:>13}  {said or '-':<28}  {scores[0]['label']} {scores[0]['score']:.2f}  “{caption}”")
    print(f"“{query}” is found at {place}.")
    return _section(rows, query, place)


def wear(motion: SegmentMotion, seed: int = 0) -> Recording:
    """What a watch and a phone would record, turned as people wear them, with their errors."""
    generator = torch.Generator().manual_seed(seed)
    kinematics = SegmentKinematics.from_motion(motion)
    sensors = Placements.from_names(list(PLACEMENTS), BodySurface.default(bone_offsets=motion.bone_offsets))
    readings = simulate_imu(kinematics, sensors.mount(generator), SensorErrors.preset("watch"), generator)
    return make_recording(
        {
            name: {"values": readings[:, i].numpy(), "sampling_rate": kinematics.sampling_rate}
            for i, name in enumerate(PLACEMENTS)
        }
    )


def _label_of(span) -> str:
    return span.text.strip().lower()


def _said(motion: SegmentMotion, window: dict) -> str:
    """Labels of the motion that a window touches for at least half a second."""
    start = motion.timestamps[0]
    touched = [
        span.text
        for span in motion.texts
        if span.kind == "label"
        and min(span.end - start, window["end"]) - max(span.start - start, window["start"]) >= 0.5
    ]
    return ", ".join(dict.fromkeys(touched))


def _section(rows: list[tuple], query: str, place: str) -> str:
    lines = [
        f"<tr><td>{when}</td><td>{html.escape(said) or '&#8211;'}</td>"
        f"<td>{'<br>'.join(_bar(entry) for entry in scores)}</td><td>{html.escape(caption)}</td></tr>"
        for when, said, scores, caption in rows
    ]
    return f"""<section>
<h2>What a model makes of it</h2>
<p>A watch on the left wrist and a phone in the right trouser pocket, turned as people wear them, recorded this motion.
From their readings alone the model chose among activities that it was given in words, and wrote a sentence.</p>
<div class="wide"><table><tr><th>when</th><th>what was done</th><th>recognised</th><th>written</th></tr>
{chr(10).join(lines)}
</table></div>
<p class="soft">Asked for &#8220;{html.escape(query)}&#8221;, it finds {place}.</p>
</section>"""


def _bar(entry: dict) -> str:
    """A label and its score as a bar of that length."""
    percent, block = round(100 * entry["score"]), "display:inline-block"
    return (
        f'<span style="{block};width:110px;background:var(--tint)">'
        f'<span style="{block};width:{percent}%;background:var(--accent)">&nbsp;</span></span> '
        f"{html.escape(entry['label'])} {percent}&nbsp;%"
    )


__all__ = ["read_sensors", "run_demo", "wear"]

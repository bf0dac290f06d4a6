# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The page: what stands where, and what calls what. gradio is imported only when it is built."""

import os
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from anymo_hf.app.body_map import make_body_map
from anymo_hf.app.examples import MOTIONS, RECORDINGS, write_examples
from anymo_hf.app.parts import CSS
from anymo_hf.app.recognise import AS_THE_FILE_SAYS, LABELS, MotionReader, Upload, show_recognised, show_understood
from anymo_hf.app.simulate import DEVICES, MOTION_SUFFIXES, Wish, show_simulated
from anymo_hf.pipelines import DEFAULT_MODEL
from anymo_hf.processing.placements_anymo import NAMED_PLACEMENTS


if TYPE_CHECKING:
    import gradio as gr

INTRODUCTION = """
# anymo-hf: wearable sensors and words

A sensor on the body reads what the body does through the place where it is worn. Here a model reads **your**
recording, or you simulate what sensors **would** read. The model is small: it tells walking, running and postures
apart, and is often wrong beyond that.
"""
NO_FILE = "Choose a file or an example."
MAX_FILE_SIZE = "100mb"
AN_HOUR = 3600  # s; what people uploaded or made is deleted after it


def launch(
    model: str = DEFAULT_MODEL, host: str | None = "127.0.0.1", port: int | None = None, open_browser: bool = False
) -> None:
    """
    Shows the page until it is interrupted.

    Args:
        model (`str`, *optional*, defaults to the published checkpoint):
            Folder of a checkpoint, or OWNER/NAME on the Hub.
        host (`str`, *optional*, defaults to `"127.0.0.1"`):
            Address to listen on. `None` takes what the environment names in `GRADIO_SERVER_NAME`, as Spaces do.
        port (`int`, *optional*, defaults to `None`):
            `None` takes the first free one from 7860.
        open_browser (`bool`, *optional*, defaults to `False`):
            Whether to open it at once.
    """
    page = make_app(model)
    print(f"The page is at {serve(page, host, port, open_browser)} and ends with Ctrl+C.", flush=True)
    page.block_thread()


def serve(page: "gr.Blocks", host: str | None = "127.0.0.1", port: int | None = None, open_browser=False) -> str:
    """Starts the page in the background, with arguments as in `launch`, and gives its address."""
    import gradio as gr

    # The reader's own fonts: gradio's default ones come from a server of others.
    theme = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
    _, address, _ = page.launch(
        server_name=host, server_port=port, inbrowser=open_browser, share=False, prevent_thread_lock=True, quiet=True,
        max_file_size=MAX_FILE_SIZE, run_history=False, footer_links=[], ssr_mode=False, css=CSS, theme=theme,
    )  # fmt: skip
    return address


def make_app(model: str = DEFAULT_MODEL) -> "gr.Blocks":
    """
    Loads the model and builds the page.

    Args:
        model (`str`, *optional*, defaults to the published checkpoint):
            Folder of a checkpoint, or OWNER/NAME on the Hub.

    Returns:
        `gr.Blocks`: The page; `launch` also brings its style.

    Raises:
        ImportError: If gradio is missing.
        ValueError: If the model does not load.
    """
    # Nothing is reported to anybody. Read by gradio when it is imported.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    try:
        import gradio as gr
    except ImportError as error:
        raise ImportError('The page needs gradio; install it with: pip install -e ".[app]"') from error
    reader = MotionReader.load(model)
    with gr.Blocks(title="anymo-hf", analytics_enabled=False, delete_cache=(AN_HOUR, AN_HOUR)) as page:
        # gradio serves files below the system's temporary folder; this one goes when the page does.
        page.folder = tempfile.TemporaryDirectory(prefix="anymo_app_")
        gr.Markdown(INTRODUCTION)
        with gr.Tabs():
            with gr.Tab("Recognise"):
                _build_recognise(gr, reader, write_examples(Path(page.folder.name)))
            with gr.Tab("Simulate"):
                _build_simulate(gr)
    return page


def _build_recognise(gr, reader: MotionReader, examples: dict[str, Path]) -> None:
    with gr.Row():
        with gr.Column(min_width=300):
            file = gr.File(
                label="Recording: CSV or Parquet", file_types=[".csv", ".txt", ".tsv", ".parquet"], height=150
            )
            gr.Markdown("or an example:")
            buttons = [gr.Button(name, size="sm") for name in examples]
            labels = gr.Textbox(LABELS, label="Activities to choose among, with commas between", lines=3)
            with gr.Accordion("What the file does not say", open=False):
                said = _ask_for_units(gr)
        with gr.Column(min_width=300):
            place = gr.Dropdown(
                sorted(NAMED_PLACEMENTS), value=None, label="Where was the sensor worn?",
                info="Choose here or click on the body.",
            )  # fmt: skip
            body = make_body_map([], several=False, elem_id="worn")
    start = gr.Button("Recognise", variant="primary")
    result = gr.HTML(elem_id="recognised")
    with gr.Accordion("What was understood", open=True):
        understood = gr.HTML(NO_FILE, elem_id="understood")
    asked = [file, place, *said]

    shown = [understood, place, body]

    def understand(*answers):
        return _understand(gr, Upload(*answers))

    changes = [file.change, *(component.change for component in said)]
    gr.on(changes, understand, asked, shown, trigger_mode="always_last")
    # gradio takes an array for the list of outputs, of which there is one.
    place.input(None, place, body, js="(name) => [name ? [name] : []]").then(understand, asked, shown)
    body.pick(None, body, place, js="(names) => [names[0] ?? null]").then(understand, asked, shown)
    # What was recognised of another file must not stand beside this one. Not by `file.change`: gradio tells a change
    # again once the answers to the first are there, and the answer to a quick "Recognise" would be wiped.
    file.clear(lambda: (None, [], ""), None, [place, body, result])
    file.upload(lambda: "", None, result)
    for button, (name, *_, places, says_all) in zip(buttons, RECORDINGS, strict=True):
        answer = (str(examples[name]), None if says_all else places[0], "")
        button.click(lambda answer=answer: answer, None, [file, place, result])
    gr.on(
        [start.click, labels.submit],
        lambda text, *answers: show_recognised(reader, Upload(*answers), text), [labels, *asked], result,
    )  # fmt: skip


def _understand(gr, upload: Upload) -> tuple:
    """What goes below, into the list of places and onto the body."""
    if upload.path is None:
        return NO_FILE, gr.skip(), gr.skip()
    shown, worn = show_understood(upload)
    if not worn:  # The file leaves it to the reader, who may have chosen by the time that this answer comes.
        return shown, gr.skip(), gr.skip()
    # A file that says where its sensor was worn sets the list; of several sensors only the body shows all.
    return shown, worn[0] if len(worn) == 1 and worn[0] in NAMED_PLACEMENTS else None, worn


def _ask_for_units(gr) -> list:
    """Force unit, rate unit, gravity and sampling rate, in the order of `Upload`."""
    choices = {
        "force unit": ["m/s^2", "g", "mg"],
        "rate unit": ["rad/s", "deg/s", "mdeg/s"],
        "gravity": ["included", "removed"],
    }
    said = [
        gr.Dropdown([AS_THE_FILE_SAYS, *units], value=AS_THE_FILE_SAYS, label=name) for name, units in choices.items()
    ]
    return [*said, gr.Number(None, label="sampling rate in Hz, if the file has no times", minimum=0)]


def _build_simulate(gr) -> None:
    with gr.Row():
        with gr.Column(min_width=300):
            file = gr.File(label=f"Motion: {', '.join(MOTION_SUFFIXES)}", file_types=list(MOTION_SUFFIXES), height=150)
            example = gr.Dropdown(list(MOTIONS), label="or an example, while there is no file")
            device = gr.Dropdown([*DEVICES], value="watch", label="Errors of which device")
            turned = gr.Checkbox(label="Sensors are turned at random, as people wear them")
        with gr.Column(min_width=300):
            first = ["left wrist", "right trouser pocket"]
            places = gr.Dropdown(
                sorted(NAMED_PLACEMENTS), value=first, multiselect=True, label="Where are sensors worn?",
                info="Choose here or click on the body; click again to take one away.",
            )  # fmt: skip
            body = make_body_map(first, several=True, elem_id="sensors")
    start = gr.Button("Simulate", variant="primary")
    download = gr.DownloadButton("Download the readings as CSV", interactive=False)
    result = gr.HTML(elem_id="simulated")
    places.input(None, places, body, js="(names) => [names || []]")
    body.pick(None, body, places, js="(names) => [names]")

    def run(*answers):
        # gradio's own folder, so that the file is deleted like all others; a folder each, for people share it.
        folder = Path(download.GRADIO_CACHE) / secrets.token_hex(16)
        folder.mkdir(parents=True)
        shown, path = show_simulated(Wish(*answers), folder)
        return shown, gr.DownloadButton(value=path, interactive=path is not None)

    start.click(run, [file, example, places, device, turned], [result, download])


__all__ = ["launch", "make_app", "serve"]

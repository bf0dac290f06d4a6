# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""What is exported gives what PyTorch gives, for every size of the input, and says what is wrong."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from anymo_hf import AnyMoGraphEncoder, AnyMoGraphEncoderConfig, AnyMoPQTokenizer, AnyMoPQTokenizerConfig
from anymo_hf.cli import main
from anymo_hf.export import export_onnx, export_program


ROOT = Path(__file__).parents[1]
SIZES = ((1, 300), (1, 9), (2, 10), (3, 17), (5, 64), (1, 601))
SHORT_SIZES = ((1, 1), (2, 2), (1, 4), (3, 5), (1, 8))


def save_parts(folder: Path, latent_size: int = 16, **options) -> Path:
    torch.manual_seed(0)
    config = AnyMoGraphEncoderConfig(
        hidden_sizes=[8, 16], strides=[2, 2], pooled_segments="observed", predictor_num_attention_heads=2, **options
    )
    AnyMoGraphEncoder(config).save_pretrained(folder / "graph_encoder")
    sizes = {"num_codebooks": 2, "codebook_size": 32, "codebook_dim": 8, "hidden_size": 16, "step_stride": 2}
    AnyMoPQTokenizer(AnyMoPQTokenizerConfig(latent_size=latent_size, **sizes)).save_pretrained(
        folder / "motion_tokenizer"
    )
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return save_parts(tmp_path_factory.mktemp("tiny"), canonical_axes=True)


@pytest.fixture(scope="module")
def program_file(tiny) -> Path:
    export_program(tiny, tiny / "anymo.pt2")
    return tiny / "anymo.pt2"


@pytest.fixture(scope="module")
def onnx_file(tiny) -> Path:
    for name in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(name, reason='ONNX is an extra: pip install -e ".[export]"')
    export_onnx(tiny, tiny / "anymo.onnx")
    return tiny / "anymo.onnx"


def make_readings(batch_size: int, num_frames: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Three sensors, one without gyroscope, one with a gap; recordings of unequal length; garbage where unobserved."""
    generator = torch.Generator().manual_seed(100 * batch_size + num_frames)
    values = torch.randn(batch_size, num_frames, 23, 6, generator=generator).exp()
    values[..., 1] += 9.8
    mask = torch.zeros(values.shape, dtype=torch.bool)
    mask[:, :, [3, 9, 15]] = True
    mask[:, :, 9, 3:] = False
    mask[:, num_frames // 3 : num_frames // 2, 15] = False
    for row in range(batch_size):
        mask[row, num_frames - row * num_frames // (batch_size + 1) :] = False
    values[:, :, 20] = torch.nan
    known = torch.zeros(batch_size, 23, dtype=torch.bool)
    known[::2, 3] = True
    return values, mask, known


def run_pytorch(folder: Path, values, mask, known) -> list[np.ndarray]:
    encoder = AnyMoGraphEncoder.from_pretrained(folder / "graph_encoder").eval()
    tokenizer = AnyMoPQTokenizer.from_pretrained(folder / "motion_tokenizer").eval()
    with torch.no_grad():
        outputs = encoder(values, mask, known)
        codes = tokenizer.encode(outputs.pooled_latents, outputs.steps_mask)
    return [one.numpy() for one in (outputs.pooled_latents, outputs.steps_mask, codes)]


def assert_same(given, expected) -> None:
    for one, other in zip(given, expected, strict=True):
        assert one.shape == other.shape and one.dtype == other.dtype
    assert np.abs(given[0] - expected[0]).max() < 1e-4
    assert np.array_equal(given[1], expected[1]) and np.array_equal(given[2], expected[2])


def open_onnx(path: Path):
    """A function of tensors."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    names = ("input_values", "input_values_mask", "orientation_known")

    def run(*inputs):
        feed = {name: one.numpy() for name, one in zip(names, inputs, strict=True)}
        return session.run(["pooled_latents", "steps_mask", "codes"], feed)

    return run


def test_the_program_gives_what_pytorch_gives(tiny, program_file):
    run = torch.export.load(program_file).module()
    for size in SIZES:
        inputs = make_readings(*size)
        assert_same([one.detach().numpy() for one in run(*inputs)], run_pytorch(tiny, *inputs))


def test_onnx_gives_what_pytorch_gives(tiny, onnx_file):
    run = open_onnx(onnx_file)
    for size in SIZES + SHORT_SIZES:
        values, mask, known = make_readings(*size)
        assert_same(run(values, mask, known), run_pytorch(tiny, values, mask, known))


def test_a_recording_gives_the_same_alone_and_padded(onnx_file):
    run = open_onnx(onnx_file)
    values, mask, known = make_readings(1, 75)
    alone = run(values, mask, known)
    padded = (torch.nn.functional.pad(one, (0, 0, 0, 0, 0, 30)).repeat(2, 1, 1, 1) for one in (values, mask))
    padded = run(*padded, known.repeat(2, 1))
    steps = alone[1].shape[1]
    assert not padded[1][:, steps:].any() and not padded[0][:, steps:].any()
    assert np.abs(padded[0][:, :steps] - alone[0]).max() < 1e-5


@pytest.mark.slow
@torch.no_grad()
def test_the_published_checkpoint(tmp_path):
    pytest.importorskip("onnxruntime", reason='ONNX is an extra: pip install -e ".[export]"')
    export_program(ROOT / "anymo", tmp_path / "anymo.pt2")
    export_onnx(ROOT / "anymo", tmp_path / "anymo.onnx")
    program, onnx = torch.export.load(tmp_path / "anymo.pt2").module(), open_onnx(tmp_path / "anymo.onnx")
    for size in SIZES:
        inputs = make_readings(*size)
        expected = run_pytorch(ROOT / "anymo", *inputs)
        assert_same([one.numpy() for one in program(*inputs)], expected)
        assert_same(onnx(*inputs), expected)


PAGE = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("block", re.findall(r"```python no-run\n(.*?)```", PAGE, flags=re.DOTALL))
def test_the_lines_of_the_page(block, program_file, onnx_file, monkeypatch, capsys):
    monkeypatch.chdir(onnx_file.parent)
    names = {}
    exec(compile(block, "docs/export.md", "exec"), names)
    assert names["latents"].shape == (1, 75, 16) and names["codes"].shape == (1, 2, 38)


# ----------------------------------------------------------------------------------------------- what may go wrong


def test_the_command(tiny, tmp_path, capsys, monkeypatch):
    written = {}
    monkeypatch.setattr(
        "anymo_hf.export.export_program", lambda folder, path: written.update({folder: path.write_bytes(b"x" * 10**5)})
    )
    assert main(["export", str(tiny), str(tmp_path / "anymo.pt2")]) == 0
    assert str(tiny) in written and "anymo.pt2, 0.1 MB" in capsys.readouterr().out
    assert main(["export", str(tiny), str(tmp_path / "anymo.bin")]) == 1
    assert "must end in .onnx or .pt2" in capsys.readouterr().err
    monkeypatch.undo()
    assert main(["export", str(tmp_path / "nothing"), str(tmp_path / "anymo.pt2")]) == 1
    assert "There is no config.json" in capsys.readouterr().err


def test_a_part_is_missing_or_does_not_fit(tmp_path):
    save_parts(tmp_path / "other", latent_size=24)
    with pytest.raises(ValueError, match="latents of 16 numbers, but the tokenizer takes 24"):
        export_program(tmp_path / "other", tmp_path / "anymo.pt2")
    with pytest.raises(ValueError, match="graph_encoder and motion_tokenizer in folders of these names"):
        export_program(tmp_path / "other" / "graph_encoder", tmp_path / "anymo.pt2")
    with pytest.raises(ValueError, match=r"must end in \.onnx"):
        export_onnx(tmp_path / "other", tmp_path / "anymo.pt2")
    assert not (tmp_path / "anymo.pt2").exists()


def test_weights_are_missing(tmp_path):
    save_parts(tmp_path)
    AnyMoGraphEncoderConfig(
        hidden_sizes=[8, 16, 16], strides=[2, 2, 1], predictor_num_attention_heads=2
    ).save_pretrained(tmp_path / "graph_encoder")
    with pytest.raises(ValueError, match="lack .* tensors"):
        export_program(tmp_path, tmp_path / "anymo.pt2")


def test_the_extra_is_missing(tiny, tmp_path, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxscript" else find_spec(name))
    with pytest.raises(ImportError, match=r'onnxscript.*pip install -e "\.\[export\]"'):
        export_onnx(tiny, tmp_path / "anymo.onnx")


def test_a_file_that_stands_there_stays_until_the_new_one_is_whole(tiny, tmp_path, monkeypatch):
    path = tmp_path / "anymo.pt2"
    path.write_bytes(b"old")

    def break_off(program, file):
        file.write(b"half")
        raise OSError("the disk is full")

    monkeypatch.setattr("anymo_hf.export._trace", lambda coder: None)
    monkeypatch.setattr(torch.export, "save", break_off)
    with pytest.raises(OSError, match="the disk is full"):
        export_program(tiny, path)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Sharing over HTTP: pushed to a Hub on loopback, loaded with and without the package, and what goes wrong."""

import io
import json
import os
import subprocess
import sys

import huggingface_hub
import pytest
import torch
from hub_server import OWNER_TOKEN, HubServer
from test_hub import LOAD, LOAD_WHOLE, checkpoint, save_whole_checkpoint  # noqa: F401

from anymo_hf import SegmentKinematics
from anymo_hf.cli import main
from anymo_hf.simulation.conversion import save_kinematics
from anymo_hf.simulation.synthesis import demo_motion


@pytest.fixture(scope="module")
def server():
    with HubServer() as server:
        yield server


@pytest.fixture
def push(server, monkeypatch):
    """A function that runs `anymo push` against the server, with the owner's token unless told otherwise."""
    # What HF_ENDPOINT and its like set when huggingface_hub is imported.
    files = server.url + "/{repo_id}/resolve/{revision}/{filename}"
    constants = {"ENDPOINT": server.url, "HUGGINGFACE_CO_URL_TEMPLATE": files}
    for name, value in (constants | {"HF_HUB_OFFLINE": False, "HF_HUB_DISABLE_XET": True}).items():
        monkeypatch.setattr(huggingface_hub.constants, name, value)

    def run(*arguments, token: str | None = OWNER_TOKEN) -> int:
        return main(["push", *map(str, arguments), *(["--token", token] if token else [])])

    return run


@pytest.fixture(scope="module")
def pushed(server, tmp_path_factory):
    """A whole model on the server, public, and what it gives: the folder with `whole.npz`."""
    folder = tmp_path_factory.mktemp("pushed")
    save_whole_checkpoint(folder)
    result = run_client("from anymo_hf.cli import main; sys.exit(main(sys.argv[1:]))", "push", folder / "whole",
                        "org/anymo", server=server, home=folder, token=OWNER_TOKEN)  # fmt: skip
    assert "Pushed to org/anymo" in result
    return folder


def run_client(code, *arguments, server, home, token=None, **variables) -> str:
    """Runs code in a process of its own that knows no Hub but the server; returns what it printed."""
    environment = {**os.environ, "HF_ENDPOINT": server.url, "HF_HOME": str(home / "hf"), "HF_HUB_DISABLE_XET": "1"}
    environment |= {"HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_TELEMETRY": "1", "OMP_NUM_THREADS": "1", **variables}
    for name in ("PYTHONPATH", "HF_TOKEN", "HF_MODULES_CACHE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"):
        environment.pop(name, None)
    if token:
        environment["HF_TOKEN"] = token
    command = [sys.executable, "-c", "import sys\n" + code, *map(str, arguments)]
    result = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=240)
    assert result.returncode == 0, result.stderr[-4000:]
    return result.stdout


# ----------------------------------------------------------------------------------------------------------- loading

LOAD_PARTS = """
from transformers import AutoConfig, AutoFeatureExtractor, AutoTokenizer
name, remote = "org/anymo", dict(trust_remote_code=True)
kinds = {"": "anymo", "graph_encoder": "anymo_graph_encoder", "motion_tokenizer": "anymo_pq_tokenizer"}
for part, kind in kinds.items():
    assert AutoConfig.from_pretrained(name, subfolder=part, **remote).model_type == kind
    part_model, report = AutoModel.from_pretrained(name, subfolder=part, output_loading_info=True, **remote)
    assert not report["missing_keys"] and type(part_model).__module__.startswith("transformers_modules"), report
extractor = AutoFeatureExtractor.from_pretrained(name, subfolder="graph_encoder", **remote)
assert type(extractor).__name__ == "AnyMoFeatureExtractor"
assert "<motion_0_0>" in AutoTokenizer.from_pretrained(name).get_vocab()
assert sys.modules["anymo_hf"] is None
"""


def test_all_auto_classes_load_without_the_package(server, pushed, push):
    arguments = ("org/anymo", pushed / "again", pushed / "whole.npz")
    run_client(LOAD_WHOLE + LOAD_PARTS, *arguments, server=server, home=pushed)
    # What was loaded by remote code and saved gets its code by being pushed again.
    assert push(pushed / "again", "org/again") == 0
    run_client(LOAD_WHOLE, "org/again", pushed / "thrice", pushed / "whole.npz", server=server, home=pushed)


LOAD_WITH_PACKAGE = """
import contextlib, io, json
import numpy as np, torch
import anymo_hf
from anymo_hf.cli import main
from transformers import AutoModel, AutoModelForCausalLM, AutoProcessor
saved = np.load(sys.argv[1])
processor = AutoProcessor.from_pretrained("org/anymo")
model = AutoModelForCausalLM.from_pretrained("org/anymo").eval()
assert isinstance(model, anymo_hf.AnyMoForCausalLM)
inputs = processor(
    imu={"left wrist": saved["wrist"]}, text="motion : <imu> the", imu_kwargs={"sampling_rate": 60},
    return_tensors="pt",
)
with torch.no_grad():
    torch.testing.assert_close(model(**inputs).logits, torch.from_numpy(saved["logits"]))
assert isinstance(AutoModel.from_pretrained("org/anymo", subfolder="graph_encoder"), anymo_hf.AnyMoGraphEncoder)

def message(function, *arguments, **options):
    try:
        function(*arguments, **options)
    except Exception as error:
        return f"{type(error).__name__}: {error}"

def command(name):
    error = io.StringIO()
    with contextlib.redirect_stderr(error):
        assert main(["predict", sys.argv[2], "--placement", "left wrist", "--labels", "a,b", "--model", name]) == 1
    return error.getvalue()

load = AutoModelForCausalLM.from_pretrained
print(json.dumps({
    "pickle alone": message(load, "org/pickle"),
    "wrong revision": message(load, "org/anymo", revision="v9"),
    "wrong subfolder": message(load, "org/anymo", subfolder="decoder"),
    "no such repository": message(load, "org/nothing"),
    "no weights": message(load, "org/no-weights"),
    "no processor": message(AutoProcessor.from_pretrained, "org/no-processor"),
    "cut weights": message(load, "org/cut"),
    "cut configuration": message(load, "org/cut-config"),
    "private": message(load, "org/secret"),
    "private, with a token": message(load, "org/secret", token="hf_owner"),
    "predict, cut weights": command("org/cut"),
    "predict, pickle alone": command("org/pickle"),
    "predict, no weights": command("org/no-weights"),
    "predict, private": command("org/secret"),
}))
"""
MESSAGES = {
    "wrong revision": "v9 is not a valid git identifier",
    "wrong subfolder": "Unrecognized model in org/anymo",
    "no such repository": "is not a local folder and is not a valid model identifier",
    "no weights": "does not appear to have a file named pytorch_model.bin or model.safetensors",
    "no processor": "processor",
    "cut weights": "incomplete metadata",
    "cut configuration": "not a valid JSON file",
    "private": "private repository",
    "pickle alone": "Weights only load failed",
    "predict, cut weights": "The weights of org/cut are damaged",
    "predict, pickle alone": "org/pickle does not load (OSError: org/pickle does not appear to have a file named",
    "predict, no weights": "org/no-weights does not load (OSError: org/no-weights does not appear to have a file",
    "predict, private": "pass a token having permission",
}


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)

    def pickled(self) -> bytes:
        """As `torch.save` writes it."""
        buffer = io.BytesIO()
        torch.save({"lm_head.weight": self}, buffer)
        return buffer.getvalue()


@pytest.fixture(scope="module")
def messages(server, pushed):
    """What loading the good repository and bad ones says, with the package installed."""
    good = server.files("org/anymo")
    weights = good["model.safetensors"]
    bad = {
        "no-weights": {**good, "model.safetensors": None},
        "no-processor": {**good, "processor_config.json": None, "tokenizer_config.json": None, "tokenizer.json": None},
        "cut": {**good, "model.safetensors": weights[: len(weights) // 2]},
        "cut-config": {**good, "config.json": good["config.json"][:100]},
        "secret": good,
        "pickle": {**good, "model.safetensors": None, "pytorch_model.bin": Touch(pushed / "touched").pickled()},
    }
    for name, files in bad.items():
        server.add(f"org/{name}", {path: data for path, data in files.items() if data is not None}, name == "secret")
    table = [f"{i / 50:.2f},{i % 7},0.{i % 3},9.8,0.1,0,0" for i in range(300)]
    header = "t,acc_x,acc_y,acc_z,gyr_x,gyr_y,gyr_z"
    (pushed / "wrist.csv").write_text("\n".join([header, *table]), encoding="utf-8")
    arguments = (pushed / "whole.npz", pushed / "wrist.csv")
    printed = run_client(LOAD_WITH_PACKAGE, *arguments, server=server, home=pushed)
    return json.loads(printed.splitlines()[-1])


@pytest.mark.parametrize("case", MESSAGES)
def test_errors_while_loading_are_clear(case, messages):
    assert MESSAGES[case] in messages[case] and "Traceback" not in messages[case]


def test_pickles_are_not_run(messages, pushed):
    assert not (pushed / "touched").exists()


def test_a_private_repository_loads_with_a_token(messages):
    assert messages["private, with a token"] is None


# ----------------------------------------------------------------------------------------------------------- pushing


def test_a_dry_run_sends_nothing(push, server, checkpoint, capsys):  # noqa: F811
    server.requests.clear()
    assert push(checkpoint, "org/dry", "--dry-run", token=None) == 0
    printed = capsys.readouterr().out
    assert "graph_encoder/model.safetensors" in printed and "Nothing was uploaded." in printed
    assert not server.requests and ("models", "org/dry") not in server.repositories


def test_an_interrupted_push_goes_on(push, server, checkpoint, capsys):  # noqa: F811
    server.large_files.clear()  # else the weights may have arrived with another test
    server.drops[:] = [("PUT", "/large/"), ("POST", "/commit/")]
    assert push(checkpoint, "org/interrupted") == 1
    error = capsys.readouterr().err
    assert "run the same command again" in error and "Traceback" not in error and error.count("\n") == 1
    assert not server.drops  # the file's second try went through, the commit had one
    assert set(server.files("org/interrupted")) == {".gitattributes"}
    server.requests.clear()
    assert push(checkpoint, "org/interrupted") == 0
    assert "graph_encoder/model.safetensors" in server.files("org/interrupted")
    assert not any(path.startswith("/large/") for _, path in server.requests)


def test_cards_of_people_and_other_files_on_the_hub_stay(push, server, checkpoint, capsys):  # noqa: F811
    assert push(checkpoint, "org/card") == 0
    assert push(checkpoint, "org/card") == 0
    own = {**server.files("org/card"), "README.md": b"# Mine", "notes.txt": b"n", "old_anymo.py": b"o"}
    server.repositories["models", "org/card"].commit("main", own)
    assert push(checkpoint, "org/card") == 0
    files = server.files("org/card")
    assert files["README.md"] == b"# Mine" and files["notes.txt"] == b"n" and "old_anymo.py" not in files


def test_branches_and_privacy(push, server, checkpoint, capsys):  # noqa: F811
    assert push(checkpoint, "org/branches", "--private") == 0
    repository = server.repositories["models", "org/branches"]
    assert repository.private
    assert push(checkpoint, "org/branches", "--revision", "trial") == 1
    assert "There is no branch 'trial' in org/branches (main)" in capsys.readouterr().err
    repository.commit("trial", {})
    assert push(checkpoint, "org/branches", "--revision", "trial") == 0
    assert "config.json" in "".join(server.files("org/branches", revision="trial"))
    assert push(checkpoint, "org/nowhere", "--revision", "trial") == 1
    assert ("models", "org/nowhere") not in server.repositories
    repository.private = False
    assert push(checkpoint, "org/branches", "--private") == 1
    assert "is public already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "token", "words"),
    [
        ("org/name", None, "There is no token"),
        ("org/name", "hf_wrong", "give a token that may write there"),
        ("others/name", OWNER_TOKEN, "give a token that may write there"),
        ("name", OWNER_TOKEN, "named ORG/NAME"),
    ],
)
def test_errors_while_pushing_are_one_clear_line(name, token, words, push, checkpoint, capsys, monkeypatch):  # noqa: F811
    monkeypatch.setattr("anymo_hf.hub.get_token", lambda: None)
    assert push(checkpoint, name, token=token) == 1
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_no_checkpoint_and_no_network(push, server, checkpoint, tmp_path, capsys, monkeypatch):  # noqa: F811
    assert push(tmp_path / "nowhere", "org/name") == 1
    assert "There is no folder" in capsys.readouterr().err
    assert push(tmp_path / "checkpoint" / "graph_encoder" / "..", "org/name", "--dry-run") == 0
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    assert push(checkpoint, "org/name") == 1
    assert "The connection broke while pushing to org/name" in capsys.readouterr().err


# ----------------------------------------------------------------------------------------------- Trainer and datasets

TRAIN = """
import torch
import anymo_hf
from anymo_hf.cli import main
from transformers import AutoModelForSequenceClassification, Trainer, TrainingArguments, default_data_collator
config = anymo_hf.AnyMoGraphEncoderConfig.small(hidden_sizes=[8, 8, 8, 16], num_labels=3)
model = AutoModelForSequenceClassification.from_config(config)
rows = [{"input_values": torch.randn(40, 23, 6), "labels": label} for label in (0, 1, 2, 1)]
arguments = TrainingArguments(
    sys.argv[1], max_steps=1, save_steps=1, push_to_hub=True, hub_model_id="org/trained", use_cpu=True
)
trainer = Trainer(
    model, arguments, train_dataset=rows, data_collator=default_data_collator,
    processing_class=anymo_hf.AnyMoFeatureExtractor(),
)
trainer.train()
trainer.push_to_hub()
loaded, report = AutoModelForSequenceClassification.from_pretrained("org/trained", output_loading_info=True)
assert not report["missing_keys"] and not report["unexpected_keys"]
torch.testing.assert_close(loaded.state_dict(), model.state_dict())
assert main(["push", sys.argv[1], "org/trained"]) == 0
"""
LOAD_TRAINED = """
sys.modules["anymo_hf"] = None
from transformers import AutoFeatureExtractor, AutoModelForSequenceClassification
AutoFeatureExtractor.from_pretrained("org/trained", trust_remote_code=True)
_, report = AutoModelForSequenceClassification.from_pretrained(
    "org/trained", trust_remote_code=True, output_loading_info=True
)
assert not report["missing_keys"] and not report["unexpected_keys"]
"""


def test_trainer_pushes_what_the_package_loads_and_push_adds_the_code(server, tmp_path):
    run_client(TRAIN, tmp_path / "trained", server=server, home=tmp_path, token=OWNER_TOKEN)
    files = server.files("org/trained")
    assert "modeling_anymo_heads.py" in files and not any("checkpoint-" in name for name in files)
    run_client(LOAD_TRAINED, server=server, home=tmp_path)


DATASET = """
import itertools
import numpy as np
from datasets import load_dataset
from anymo_hf.simulation.simulated_imu import SimulatedIMU
builder = SimulatedIMU("dense", data_dir=sys.argv[1], cache_dir=sys.argv[2], placements=("left wrist", "right shoe"))
builder.download_and_prepare()
rows = builder.as_dataset(split="train")
rows.push_to_hub("org/sim", private=True)
streamed = load_dataset("org/sim", split="train", streaming=True).with_format("numpy")
count = 0
for row, expected in itertools.zip_longest(streamed, rows.with_format("numpy")):
    np.testing.assert_array_equal(row["imu"], expected["imu"])
    assert row["recording_id"] == expected["recording_id"]
    count += 1
assert count == len(rows) == 2, count
"""


def test_simulated_imu_is_pushed_and_streamed(server, tmp_path):
    converted = tmp_path / "converted"
    converted.mkdir()
    save_kinematics(SegmentKinematics.from_motion(demo_motion()[:1800]), converted / f"{0:016x}.safetensors")
    run_client(DATASET, converted, tmp_path / "cache", server=server, home=tmp_path, token=OWNER_TOKEN)
    assert any(path.endswith(".parquet") for path in server.files("org/sim", kind="datasets"))
    assert server.repositories["datasets", "org/sim"].private

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""The examples run as they are printed, on real recordings."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
from hub_server import OWNER_TOKEN, HubServer

from anymo_hf import AnyMoGraphEncoder, AnyMoGraphEncoderConfig, AnyMoGraphEncoderForSequenceClassification


EXAMPLES = Path(__file__).parents[1] / "examples"
CHECKPOINT = EXAMPLES.parent / "anymo"


def run_example(*arguments, **variables) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", **variables}
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_fine_tuning(data_folder, tmp_path):
    people = pq.read_table(data_folder / "har" / "umafall.parquet", filters=[("subject", "in", ["01", "08", "16"])])
    pq.write_table(people, tmp_path / "umafall.parquet")
    config = AnyMoGraphEncoderConfig(hidden_sizes=[8, 16], strides=[2, 2], predictor_num_attention_heads=2)
    AnyMoGraphEncoder(config).save_pretrained(tmp_path / "encoder")
    out = tmp_path / "out"
    printed = run_example(
        EXAMPLES / "fine_tune.py", tmp_path / "umafall.parquet", out, "--model", tmp_path / "encoder", "--max_steps", 2
    )
    assert re.search(r"accuracy on \d+ windows of people left out: [01]\.\d+ before, [01]\.\d+ after", printed), (
        printed
    )
    model = AnyMoGraphEncoderForSequenceClassification.from_pretrained(out)
    assert "walking" in model.config.label2id and model.config.hidden_sizes == [8, 16]


def test_simulating_and_recognising(tmp_path):
    path = tmp_path / "readings.csv"
    printed = run_example(EXAMPLES / "simulate.py", "demo", path, "--placements", "left wrist, chest")
    assert printed.startswith("2 sensors, 1010 readings each") and (tmp_path / "readings.csv.png").stat().st_size > 1e4
    table = pd.read_csv(path)
    assert table.groupby("placement").size().to_dict() == {"left wrist": 1010, "chest": 1010}
    assert table[table["placement"] == "chest"][["acc_x", "acc_y", "acc_z"]].abs().max().max() > 8  # gravity is there
    printed = run_example(EXAMPLES / "recognise.py", path, "--labels", "walking,sitting", "--model", CHECKPOINT)
    assert len(re.findall(r"to \d+\.\d s: (?:walking|sitting) [01]\.\d\d, ", printed)) == 3
    assert len(re.findall(r"'a person walks' at .* cosine -?[01]\.\d\d", printed)) == 3


def test_adapting_the_whole_model(data_folder, tmp_path):
    people = pq.read_table(data_folder / "har" / "umafall.parquet", filters=[("subject", "in", ["01", "08", "16"])])
    pq.write_table(people, tmp_path / "umafall.parquet")
    out = tmp_path / "adapter"
    printed = run_example(
        EXAMPLES / "lora.py", tmp_path / "umafall.parquet", out, "--model", CHECKPOINT, "--max_steps", 2
    )
    assert re.search(r"accuracy on people left out: [01]\.\d+ before, [01]\.\d+ after", printed), printed
    assert (out / "adapter_model.safetensors").exists()


def test_publishing(tmp_path):
    config = AnyMoGraphEncoderConfig(hidden_sizes=[8, 16], strides=[2, 2], predictor_num_attention_heads=2)
    AnyMoGraphEncoder(config).save_pretrained(tmp_path / "mine")
    arguments = [EXAMPLES / "publish.py", tmp_path / "mine", "--repo", "org/mine"]
    printed = run_example(*arguments)
    assert "README.md" in printed and "configuration_anymo.py" in printed and "Nothing was uploaded" in printed
    with HubServer() as server:
        network = {"HF_ENDPOINT": server.url, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
        home = {"HF_HOME": str(tmp_path / "home"), "HF_TOKEN": OWNER_TOKEN}
        printed = run_example(*arguments, "--private", "--push", **network, **home)
        assert printed.endswith("Pushed to org/mine; loaded from there it gives the same\n")
        files = server.files("org/mine")
        assert "model.safetensors" in files and "modeling_anymo_graph_encoder.py" in files
        assert server.repositories["models", "org/mine"].private

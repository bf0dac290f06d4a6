# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Fine-tunes the graph encoder to name activities; the last quarter of the people is left out and tested.

    python examples/fine_tune.py umafall.parquet fine_tuned [--model anymo/graph_encoder]
"""

import argparse

import numpy as np
import torch
from transformers import Trainer, TrainingArguments

from anymo_hf import AnyMoFeatureExtractor, AnyMoGraphEncoderConfig, AnyMoGraphEncoderForSequenceClassification
from anymo_hf.evaluation.har_datasets import load_har_recordings, majority_activity


INPUTS = ("input_values", "input_values_mask")

parser = argparse.ArgumentParser()
parser.add_argument("path", help="recordings in the common layout, see anymo_hf.evaluation.har_datasets")
parser.add_argument("output", help="folder for the model")
parser.add_argument("--model", help="folder or Hub name of a pre-trained encoder; new weights without it")
parser.add_argument("--max_steps", type=int, default=100)
options = parser.parse_args()
rows, extractor = [], AnyMoFeatureExtractor()
for recording in load_har_recordings(options.path):
    windows = extractor.windows(recording, length=5.0, overlap=0.0)
    for i, start in enumerate(windows["start_times"]):
        if activity := majority_activity(recording, start, start + 5.0):
            # A study mounts its sensors alike on all people, so that their axes tell the posture.
            features = {"orientation_known": np.ones(23, dtype=bool), **{name: windows[name][i] for name in INPUTS}}
            rows.append({"labels": activity, "person": recording.source["subject"], **features})
names, people = sorted({row["labels"] for row in rows}), sorted({row["person"] for row in rows})
if len(names) < 2 or len(people) < 2:
    raise SystemExit(f"At least two activities of two people are needed, but there are {names} of {people}.")
left_out = people[-max(1, len(people) // 4) :]
train, test = [], []
for row in rows:
    (test if row.pop("person") in left_out else train).append({**row, "labels": names.index(row["labels"])})
labels = {"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}}
if options.model:
    model = AnyMoGraphEncoderForSequenceClassification.from_pretrained(options.model, **labels)
else:
    model = AnyMoGraphEncoderForSequenceClassification(AnyMoGraphEncoderConfig.small(**labels))
    examples = (torch.from_numpy(np.stack([row[name] for row in train[::10]])) for name in INPUTS)
    model.graph_encoder.estimate_input_statistics(*examples)
settings = TrainingArguments(options.output, max_steps=options.max_steps, learning_rate=1e-3)
score = {"compute_metrics": lambda p: {"accuracy": (p.predictions.argmax(-1) == p.label_ids).mean()}}
trainer = Trainer(model, settings, train_dataset=train, eval_dataset=test, **score)
before = trainer.evaluate()["eval_accuracy"]
trainer.train()
after = trainer.evaluate()["eval_accuracy"]
majority = np.bincount([row["labels"] for row in test]).max() / len(test)
print(f"accuracy on {len(test)} windows of people left out: {before:.3f} before, {after:.3f} after training;")
print(f"always naming the commonest of {len(names)} activities reaches {majority:.3f}")
trainer.save_model()
extractor.save_pretrained(options.output)

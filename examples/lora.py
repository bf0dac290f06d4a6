# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Adapts the whole model to labelled recordings by LoRA; the last quarter of the people is left out and tested.

    python examples/lora.py umafall.parquet adapter [--model anymo]
"""

import argparse

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoProcessor, Trainer, TrainingArguments, pipeline

from anymo_hf.evaluation.har_datasets import load_har_recordings, majority_activity
from anymo_hf.training import MotionTextCollator


parser = argparse.ArgumentParser()
parser.add_argument("path", help="recordings in the common layout, see anymo_hf.evaluation.har_datasets")
parser.add_argument("output", help="folder for the adapter")
parser.add_argument("--model", default="anymo")
parser.add_argument("--max_steps", type=int, default=60)
options = parser.parse_args()
processor = AutoProcessor.from_pretrained(options.model)
model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32)
recordings = list(load_har_recordings(options.path))
people = sorted({recording.source["subject"] for recording in recordings})
left_out, names = people[-max(1, len(people) // 4) :], processor.feature_extractor.model_input_names
test, rows = [one for one in recordings if one.source["subject"] in left_out], []
for recording in (one for one in recordings if one.source["subject"] not in left_out):
    windows = processor.feature_extractor.windows(recording, length=5.0)
    for i, start in enumerate(windows["start_times"]):
        if activity := majority_activity(recording, start, start + 5.0):
            features = {name: torch.from_numpy(windows[name][i]) for name in names}
            words = {"activity": activity, "texts": [activity], "placements": [s.placement for s in recording.sensors]}
            rows.append({**features, **words, "seed": len(rows)})
activities = sorted({row["activity"] for row in rows})
if len(activities) < 2 or len(people) < 2:
    raise SystemExit(f"At least two activities of two people are needed, but there are {activities} of {people}.")


def accuracy(model):
    classify = pipeline("zero-shot-imu-classification", model=model, processor=processor, window=5.0)
    found = [(one, window) for one in test for window in classify(one, candidate_labels=activities, top_k=1)]
    named = [(majority_activity(one, w["start"], w["end"]), w["scores"][0]["label"]) for one, w in found]
    return np.mean([truth == name for truth, name in named if truth])


before = accuracy(model)
whole = ["imu_pooler", "text_pooler", "imu_head", "text_head"]
model = get_peft_model(model, LoraConfig(target_modules=r".*\.language_model\..*_proj", modules_to_save=whole))
collate = MotionTextCollator(processor, activities, {"embedding": 3, "caption": 1})
settings = {"max_steps": options.max_steps, "learning_rate": 1e-3, "remove_unused_columns": False}
settings = TrainingArguments(options.output, per_device_train_batch_size=16, **settings)
Trainer(model, settings, train_dataset=rows, data_collator=collate).train()
model.save_pretrained(options.output)
print(f"accuracy on people left out: {before:.3f} before, {accuracy(model.merge_and_unload()):.3f} after adaptation")

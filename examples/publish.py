# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Shares a checkpoint on the Hub, with a card and the code that loads it without this package. Without --push it only
shows what would go up.

    python examples/fine_tune.py umafall.parquet fine_tuned --model anymo/graph_encoder
    python examples/publish.py fine_tuned --repo OWNER/NAME           # look first
    python examples/publish.py fine_tuned --repo OWNER/NAME --push    # needs `hf auth login` or HF_TOKEN
"""

import argparse

import numpy as np
import torch
from transformers import AutoModel

from anymo_hf import AnyMoFeatureExtractor
from anymo_hf.hub import push


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("checkpoint", nargs="?", default="anymo/graph_encoder", help="an encoder, fine-tuned or not")
parser.add_argument("--repo", default="owner/name", help="made if it does not exist")
parser.add_argument("--push", action="store_true", help="upload")
parser.add_argument("--private", action="store_true", help="make a new repository private")
options = parser.parse_args()

# Optimiser states and pickles stay at home; everything is loaded once before anything goes up.
files = push(options.checkpoint, options.repo, private=options.private, dry_run=not options.push)
for name, size in files.items():
    print(f"{size:>12,}  {name}")
if not options.push:
    print(f"Nothing was uploaded; --push sends these {len(files)} files to {options.repo}")
    raise SystemExit

watch = np.random.default_rng(0).normal([0, 0, 9.81, 0, 0, 0], 0.5, (300, 6))
inputs = AnyMoFeatureExtractor()({"left wrist": watch}, sampling_rate=60, return_tensors="pt")
with torch.no_grad():
    ours, theirs = (AutoModel.from_pretrained(name)(**inputs)[0] for name in (options.checkpoint, options.repo))
torch.testing.assert_close(theirs, ours)
print(f"Pushed to {options.repo}; loaded from there it gives the same")

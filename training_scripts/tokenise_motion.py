# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Computes motion tokens of many described windows once, for `pretrain_motion_lm.py` and `instruction_tune.py`.

    python training_scripts/tokenise_motion.py --encoder aligned/graph_encoder \
        --motion_tokenizer tokenizer/motion_tokenizer --data converted synthetic --output tokens --num_windows 40000

Encoder and motion tokenizer do not change while the language model learns, so that simulating and encoding anew in
every step is most of the work for nothing. Each window is drawn as `instruction_tune.py` would draw it: sensors,
mounting and device are its own. Started again it goes on.
"""

import argparse

import torch

from anymo_hf import AnyMoGraphEncoder, AnyMoPQTokenizer
from anymo_hf.training import MotionTextDataset
from anymo_hf.training.motion_tokens import write_motion_tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", required=True, help="folder of the graph encoder")
    parser.add_argument("--motion_tokenizer", required=True, help="folder of the motion tokenizer")
    parser.add_argument("--data", nargs="+", required=True, help="folders of motion with texts")
    parser.add_argument("--output", required=True, help="folder")
    parser.add_argument("--num_windows", type=int, default=40000, help="to train on")
    parser.add_argument("--num_held_out_windows", type=int, default=1024, help="of people held out")
    parser.add_argument("--held_out_share", type=float, default=0.05, help="share of the subjects to validate on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--num_workers", type=int, default=1, help="processes that simulate, beside the encoding one")
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    encoder = AnyMoGraphEncoder.from_pretrained(options.encoder, dtype=torch.float32).to(device)
    motion_tokenizer = AnyMoPQTokenizer.from_pretrained(options.motion_tokenizer, dtype=torch.float32).to(device)
    train, held_out = MotionTextDataset(options.data, seed=options.seed).split(options.held_out_share)
    for part, dataset, number in (
        ("held_out", held_out, options.num_held_out_windows),
        ("train", train, options.num_windows),
    ):
        paths = write_motion_tokens(
            encoder, motion_tokenizer, dataset, options.output, part, number, options.num_workers
        )
        print(f"{part}: {len(paths)} files in {options.output}")


if __name__ == "__main__":
    main()

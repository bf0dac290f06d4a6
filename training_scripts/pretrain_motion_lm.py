# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""
Puts encoder, motion tokenizer and a language model together and teaches it to continue motion tokens.

    python training_scripts/pretrain_motion_lm.py --data converted synthetic --encoder encoder/graph_encoder \
        --motion_tokenizer tokenizer/motion_tokenizer --language_model Qwen/Qwen2.5-0.5B --output_dir motion_lm \
        --num_train_epochs 3 --per_device_train_batch_size 16 --learning_rate 1e-4 --bf16

Without `--language_model` a small one is made from scratch, with a tokenizer for the texts of the data:

    python training_scripts/pretrain_motion_lm.py --data converted synthetic --encoder encoder/graph_encoder \
        --motion_tokenizer tokenizer/motion_tokenizer --hidden_size 256 --num_hidden_layers 4 --pooler_num_latents 16 \
        --output_dir motion_lm --max_steps 2000 --per_device_train_batch_size 32 --learning_rate 1e-3

`--tokens FOLDER`, from `tokenise_motion.py`, takes windows whose motion tokens are computed already, several times as
many a second. Texts are still those of `--data`.

Rows of words in the embedding stay as they are; `--motion_rows_only True` freezes all else of the language model too.
Several processes: `torchrun --nproc_per_node 2 ...`. Started again with the same `--output_dir` it goes on from the
last checkpoint. What instruction tuning begins with is written to `<output_dir>/anymo`.
"""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers import AutoProcessor, HfArgumentParser, Trainer, TrainingArguments, set_seed

from anymo_hf import AnyMoForCausalLM, AnyMoProcessor
from anymo_hf.checkpoints import save_trained, train_to_the_end
from anymo_hf.training import EpochCallback
from anymo_hf.training.assembly import assemble, train_text_tokenizer
from anymo_hf.training.motion_text import MotionCollator, MotionTextDataset
from anymo_hf.training.motion_tokens import MotionTokenDataset


@dataclass
class ScriptArguments:
    """What to train on, and what."""

    data: list[str] = field(metadata={"help": "folders of converted or synthetic motion"})
    encoder: str = field(metadata={"help": "folder of the graph encoder"})
    motion_tokenizer: str = field(metadata={"help": "folder of the motion tokenizer"})
    tokens: str | None = field(default=None, metadata={"help": "folder of tokenise_motion.py"})
    language_model: str | None = field(default=None, metadata={"help": "a causal language model to begin with"})
    hidden_size: int = field(default=256, metadata={"help": "of a fresh language model, as are the next three"})
    num_hidden_layers: int = field(default=4)
    num_attention_heads: int = field(default=8)
    vocab_size: int = field(default=2048, metadata={"help": "most tokens for words"})
    extra_texts: list[str] = field(
        default_factory=list, metadata={"help": "files with a text per line, whose words a fresh tokenizer learns too"}
    )
    pooler_num_latents: int = field(default=128, metadata={"help": "queries of a pooler"})
    motion_rows_only: bool = field(default=False, metadata={"help": "train projector and motion tokens only"})
    held_out_share: float = field(default=0.05, metadata={"help": "share of the subjects to validate on"})


class MotionTrainer(Trainer):
    """
    Trains some rows of the embedding and of the matrix of logits only; the others stay as they are, to the bit.

    Gradients are cut where a backward pass has left them, not by hooks of tensors: FSDP puts other tensors in place of
    the parameters. Without a gradient no moment of the optimiser ever grows.

    Args:
        trained_rows (`torch.BoolTensor` of shape `(vocab_size, 1)`):
            Which.
        **kwargs:
            Of `Trainer`.
    """

    def __init__(self, trained_rows: torch.Tensor, **kwargs):
        super().__init__(**kwargs)
        self.model_accepts_loss_kwargs = True  # the only loss is a sum over the tokens of a step, divided by them
        self.trained_rows = trained_rows

    def training_step(self, model, inputs, num_items_in_batch=None) -> torch.Tensor:
        loss = super().training_step(model, inputs, num_items_in_batch)
        model = self.accelerator.unwrap_model(model)
        for weight in {model.get_input_embeddings().weight, model.lm_head.weight}:
            # Micro-batches that sharded weights only collect leave no gradient yet.
            if weight.grad is not None:
                weight.grad.mul_(self._rows_like(weight.grad))
        return loss

    def _rows_like(self, gradient: torch.Tensor) -> torch.Tensor:
        """1 for rows that are trained; those of this process' share if gradients are sharded."""
        if isinstance(gradient, DTensor) and not isinstance(self.trained_rows, DTensor):
            rows = self.trained_rows.to(gradient.device)
            self.trained_rows = distribute_tensor(rows, gradient.device_mesh, gradient.placements)
        return self.trained_rows.to(gradient.device, gradient.dtype)

    def get_decay_parameter_names(self, model: torch.nn.Module) -> list[str]:
        """Weight decay would move rows that have no gradient."""
        matrices = ("embed_tokens.weight", "lm_head.weight")
        return [name for name in super().get_decay_parameter_names(model) if not name.endswith(matrices)]


def assemble_once(script_args: ScriptArguments, dataset: MotionTextDataset, folder: Path) -> None:
    """The untrained whole, in a folder, so that all processes and restarts have the same."""
    if (folder / "processor_config.json").exists():
        return
    tokenizer = None
    if script_args.language_model is None:
        texts = [*dataset.captions, *dataset.activities]
        for path in script_args.extra_texts:
            texts += Path(path).read_text(encoding="utf-8").splitlines()
        tokenizer = train_text_tokenizer(texts, script_args.vocab_size)
    names = ("hidden_size", "num_hidden_layers", "num_attention_heads")
    model, processor = assemble(
        script_args.encoder,
        script_args.motion_tokenizer,
        script_args.language_model,
        tokenizer,
        text_sizes={name: getattr(script_args, name) for name in names},
        pooler_num_latents=script_args.pooler_num_latents,
    )
    model.save_pretrained(folder)
    processor.save_pretrained(folder)  # last: where it is, all is


def choose_parameters(model: AnyMoForCausalLM, motion_rows_only: bool) -> None:
    """Projector, language model, and of it the embedding in any case."""
    model.requires_grad_(False)
    model.model.projector.requires_grad_(True)
    model.model.language_model.requires_grad_(not motion_rows_only)
    for module in (model.get_input_embeddings(), model.lm_head):
        module.requires_grad_(True)


def motion_rows(model: AnyMoForCausalLM, processor: AnyMoProcessor) -> torch.Tensor:
    """True for motion tokens, their markers and a turn's end, of shape `(vocab_size, 1)`."""
    config = model.config
    rows = torch.zeros(config.text_config.vocab_size, 1, dtype=torch.bool)
    rows[[config.imu_start_token_id, config.imu_end_token_id, processor.tokenizer.eos_token_id]] = True
    first = config.motion_token_offset
    rows[first : first + config.motion_tokenizer_config.num_motion_tokens] = True
    return rows


def main(script_args: ScriptArguments, training_args: TrainingArguments) -> None:
    training_args.remove_unused_columns = False
    training_args.prediction_loss_only = True  # logits of all tokens would fill the memory
    set_seed(training_args.seed)
    dataset = MotionTextDataset(script_args.data, seed=training_args.seed, described=False)
    output_dir = Path(training_args.output_dir)
    with training_args.main_process_first():
        assemble_once(script_args, dataset, output_dir / "assembled")
    model = AnyMoForCausalLM.from_pretrained(output_dir / "assembled", dtype=torch.float32)
    processor = AutoProcessor.from_pretrained(output_dir / "assembled")
    if script_args.tokens is None:
        train_dataset, eval_dataset = dataset.split(script_args.held_out_share)
    else:
        parts = ("train", "held_out")
        train_dataset, eval_dataset = (
            MotionTokenDataset(script_args.tokens, part, training_args.seed) for part in parts
        )
        for part in (train_dataset, eval_dataset):
            part.check_model(model.model.graph_encoder, model.model.motion_tokenizer)
    choose_parameters(model, script_args.motion_rows_only)
    trainer = MotionTrainer(
        motion_rows(model, processor),
        model=model,
        args=training_args,
        data_collator=MotionCollator(processor),
        train_dataset=train_dataset,
        eval_dataset=eval_dataset,
        callbacks=[EpochCallback(train_dataset)],
    )
    train_to_the_end(trainer)
    save_trained(trainer, output_dir / "anymo", processor)


if __name__ == "__main__":
    parser = HfArgumentParser((ScriptArguments, TrainingArguments))
    main(*parser.parse_args_into_dataclasses())

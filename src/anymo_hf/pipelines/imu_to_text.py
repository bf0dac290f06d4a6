# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Pipeline `imu-to-text`: what a recording shows, in a sentence, or the answer to a question about it."""

from anymo_hf.pipelines.windows import WindowPipeline
from anymo_hf.prompts import caption_prompt


class IMUToTextPipeline(WindowPipeline):
    """
    Describes every window of a recording. Only words are written: motion tokens are suppressed.

    Args:
        question (`str`, *optional*, defaults to `None`):
            What to ask about the recording instead of a description. Here or in a call, like all that follow.
        max_new_tokens (`int`, *optional*, defaults to 64):
            Length of the text at most.
        generate_kwargs (`dict`, *optional*, defaults to `None`):
            What else `generate` takes, for instance `{"num_beams": 4}`; greedy without.
        **kwargs:
            See `WindowPipeline`.

    Returns:
        `list[dict]` for a recording, a list of these for a list: `start`, `end` and `generated_text`.

    Example:
    ```python
    >>> from transformers import pipeline
    >>> import anymo_hf

    >>> describe = pipeline("imu-to-text", model="anymo")  # doctest: +SKIP
    >>> describe("watch.csv", placements="left wrist", question="Is the person walking?")  # doctest: +SKIP
    ```
    """

    def _check_model(self):
        super()._check_model()
        if not self.model.can_generate():
            raise ValueError(
                f"The pipeline {self.task!r} needs a model that writes, but came {type(self.model).__name__}; load it "
                "with `AutoModelForCausalLM`."
            )

    def _sanitize_parameters(self, question=None, max_new_tokens=None, generate_kwargs=None, **kwargs):
        preprocess_params, forward_params, postprocess_params = super()._sanitize_parameters(**kwargs)
        if question is not None:
            if not isinstance(question, str) or not question.strip():
                raise ValueError(f"`question` must be a text, but is {question!r}; leave it out for a description.")
            forward_params["question"] = question
        if max_new_tokens is not None:
            forward_params["max_new_tokens"] = max_new_tokens
        if generate_kwargs is not None:
            forward_params["generate_kwargs"] = generate_kwargs
        return preprocess_params, forward_params, postprocess_params

    def run_model(
        self, features, placements, question: str | None = None, max_new_tokens: int = 64, generate_kwargs=None
    ) -> list[dict]:
        prompts = [caption_prompt(names, question) for names in placements]
        tokenizer = self.processor.tokenizer
        options = {
            "do_sample": False,
            "pad_token_id": tokenizer.pad_token_id,
            "max_new_tokens": max_new_tokens,
            "suppress_tokens": self._tokens_without_words(),
            **(generate_kwargs or {}),
        }
        inputs = self.prepare(features, prompts, padding_side="left", room=options["max_new_tokens"])
        tokens = self.model.generate(**inputs, **options)
        if len(tokens) != len(prompts):
            raise ValueError(
                f"`generate` must give one text per window, but gave {len(tokens)} for {len(prompts)}; leave "
                "`num_return_sequences` out."
            )
        texts = tokenizer.batch_decode(tokens[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        return [{"generated_text": text.strip()} for text in texts]

    def _tokens_without_words(self) -> list[int]:
        """Ids of motion tokens, markers, padding, rows that no token has, and what the model's settings suppress."""
        config, tokenizer = self.model.config, self.processor.tokenizer
        first = config.motion_token_offset
        motion = range(first, first + config.motion_tokenizer_config.num_motion_tokens)
        rows = range(len(tokenizer), config.text_config.vocab_size)
        others = {config.imu_token_id, config.imu_start_token_id, config.imu_end_token_id, tokenizer.pad_token_id}
        own = self.model.generation_config.suppress_tokens or ()
        # Some tokenizers pad with the token that ends a text.
        return sorted({*motion, *rows, *own, *others} - {None, tokenizer.eos_token_id})

    def postprocess(self, windows) -> list[dict]:
        return windows

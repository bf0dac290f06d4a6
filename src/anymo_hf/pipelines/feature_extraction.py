# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Pipeline `imu-feature-extraction`: recordings as vectors, to be compared with each other or with texts."""

import torch
import torch.nn.functional as F

from anymo_hf.pipelines.windows import WindowPipeline


class IMUFeatureExtractionPipeline(WindowPipeline):
    """
    Gives every window of a recording as a vector of unit length.

    With a language model it is the embedding that `embed_texts` gives for texts too, so that their dot product is a
    similarity. With an encoder alone it is the mean of its latents over time, which knows no words.

    Args:
        **kwargs:
            See `WindowPipeline`.

    Returns:
        `list[dict]` for a recording, a list of these for a list: `start`, `end` and `embedding`, an `np.ndarray` of
        shape `(hidden_size,)`.

    Example:
    ```python
    >>> from transformers import pipeline
    >>> import anymo_hf

    >>> embed = pipeline("imu-feature-extraction", model="anymo")  # doctest: +SKIP
    >>> windows = embed("watch.csv", placements="left wrist")  # doctest: +SKIP
    >>> windows[0]["embedding"] @ embed.embed_texts(["a person walks"])[0].numpy()  # doctest: +SKIP
    ```
    """

    _load_feature_extractor = None  # an encoder alone has one, and no processor

    def _check_model(self):
        if self.model.config.model_type != "anymo_graph_encoder":
            super()._check_model()
        elif self.feature_extractor is None:
            raise ValueError(
                "No feature extractor could be loaded from beside the encoder; save an `AnyMoFeatureExtractor` in its "
                "folder, or pass one as `feature_extractor`."
            )

    @property
    def _has_words(self) -> bool:
        return self.model.config.model_type == "anymo"

    def run_model(self, features, placements) -> list[dict]:
        if self._has_words:
            embeddings = self.embed_windows(features, placements)
        else:
            inputs = {name: torch.from_numpy(values).to(self.device) for name, values in features.items()}
            # Steps after a window's end are zero, so that the sum points where the mean does.
            embeddings = F.normalize(self.model.base_model(**inputs).pooled_latents.float().sum(dim=1), dim=-1)
        return [{"embedding": embedding} for embedding in embeddings]

    def embed_texts(self, texts: list[str]) -> torch.Tensor:
        if not self._has_words:
            raise ValueError("An encoder alone knows no texts; load the whole model.")
        return super().embed_texts(texts)

    def postprocess(self, windows) -> list[dict]:
        return [{**window, "embedding": window["embedding"].numpy()} for window in windows]

# Copyright 2026 The anymo-hf contributors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""Configurations of the graph encoder, the motion tokenizer and the whole model. Defaults are the paper's sizes."""

import math

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, GenerationConfig, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec


MAX_NUM_SEGMENTS = 512
MIN_CUTOFF = 0.1  # Hz: the smoothing kernel grows with its inverse


def check_positive(config: PreTrainedConfig, *names: str) -> None:
    """Raises a `ValueError` for a size that no network can have; files of others may hold anything."""
    for name in names:
        value = getattr(config, name)
        if not all(entry > 0 for entry in (value if isinstance(value, (list, tuple)) else [value])):
            raise ValueError(f"`{name}` must be positive, but is {value}.")


@strict
class AnyMoGraphEncoderConfig(PreTrainedConfig):
    r"""
    Configuration of `AnyMoGraphEncoder`, which turns readings on a few body segments into a latent for each segment.

    Args:
        num_channels (`int`, *optional*, defaults to 6):
            Specific force x y z (m/s^2), then angular rate x y z (rad/s).
        sampling_rate (`int`, *optional*, defaults to 60):
            Frames per second of the input, in hertz.
        segment_parents (`list[int]`, *optional*):
            Index of every segment's parent, -1 at the root; defaults to the body of 23 segments.
        hidden_sizes (`list[int]`, *optional*, defaults to `[64] * 4 + [128] * 3 + [256] * 3`):
            Channels that each block gives.
        strides (`list[int]`, *optional*, defaults to `[1, 1, 1, 1, 2, 1, 1, 2, 1, 1]`):
            Of each block over time. A block of stride `s` gives `ceil(num_frames / s)` steps.
        temporal_kernel_size (`int`, *optional*, defaults to 9):
            Frames that a temporal convolution sees, an odd number.
        normalization (`str`, *optional*, defaults to `"layer_norm"`):
            `"layer_norm"` over channels, or `"batch_norm"` for official weights.
        edge_partition (`str`, *optional*, defaults to `"tree"`):
            Which weights a message goes through: `"tree"` has some for messages towards the root and others for those
            away from it; `"st_gcn"`, for official weights, tells them apart on the edges within two of the root only,
            as ST-GCN's distances end after one edge, and uses the former for both directions of all others.
        norm_eps (`float`, *optional*, defaults to 1e-05):
            Added to variances.
        dropout (`float`, *optional*, defaults to 0.0):
            Within blocks.
        initializer_range (`float`, *optional*, defaults to 0.02):
            Standard deviation of new weights of the predictor.
        predictor_intermediate_size (`int`, *optional*, defaults to 1024):
            Of the feed-forward layers of the temporal Transformer that is used in pre-training only; its width is
            `hidden_size`.
        predictor_num_hidden_layers (`int`, *optional*, defaults to 6):
            Its depth.
        predictor_num_attention_heads (`int`, *optional*, defaults to 8):
            Its heads.
        max_num_steps (`int`, *optional*, defaults to 75):
            Its learned positions: 75 steps are 5 s.
        temperature (`float`, *optional*, defaults to 0.1):
            Of the predictive InfoNCE loss.
        cutoff (`float`, *optional*, defaults to `None`):
            Frequency in hertz above which readings are smoothed away before anything looks at them (half the amplitude
            is left at the cut-off): simulated and real motion differ much there. `None`, as in the paper, keeps all.
        canonical_axes (`bool`, *optional*, defaults to `False`):
            Whether sensors of unknown orientation are first turned into axes that their own readings define, so that
            mounting does not matter: z is up, x where they swing most. `False`, as in the paper, reads all in their
            own axes.
        pooled_segments (`str`, *optional*, defaults to `"all"`):
            Whose latents `pooled_latents` is the mean of: `"all"`, as in the paper, or `"observed"`, those of segments
            with a sensor, of which a frozen encoder tells more.
        contrastive_loss_weight (`float`, *optional*, defaults to 1.0):
            Of the predictive InfoNCE loss.
        dense_loss_weight (`float`, *optional*, defaults to 0.0):
            Of reading motion off the latents, see `AnyMoDenseHead`; 0 leaves that head out, as the paper does.
        text_embedding_size (`int`, *optional*, defaults to 384):
            Width of the sentence embeddings with which `AnyMoGraphEncoderForTextAlignment` names motion.
        symmetric (`bool`, *optional*, defaults to `False`):
            Whether pre-training uses a pair of views in both directions, as the paper does, at twice the cost, or in
            one; views are drawn alike, so that which one does not matter.
    """

    model_type = "anymo_graph_encoder"
    keys_to_ignore_at_inference = ["contrastive_loss", "dense_loss"]

    num_channels: int = 6
    sampling_rate: int = 60
    segment_parents: list[int] | tuple[int, ...] = (
        -1, 0, 1, 2, 3, 4, 5, 4, 7, 8, 9, 4, 11, 12, 13, 0, 15, 16, 17, 0, 19, 20, 21
    )  # fmt: skip
    hidden_sizes: list[int] | tuple[int, ...] = (64, 64, 64, 64, 128, 128, 128, 256, 256, 256)
    strides: list[int] | tuple[int, ...] = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)
    temporal_kernel_size: int = 9
    normalization: str = "layer_norm"
    edge_partition: str = "tree"
    norm_eps: float = 1e-5
    dropout: float | int = 0.0
    initializer_range: float = 0.02
    predictor_intermediate_size: int = 1024
    predictor_num_hidden_layers: int = 6
    predictor_num_attention_heads: int = 8
    max_num_steps: int = 75
    temperature: float = 0.1
    cutoff: float | int | None = None
    canonical_axes: bool = False
    pooled_segments: str = "all"
    contrastive_loss_weight: float | int = 1.0
    dense_loss_weight: float | int = 0.0
    text_embedding_size: int = 384
    symmetric: bool = False

    def __post_init__(self, **kwargs):
        self.segment_parents = list(self.segment_parents)
        self.hidden_sizes, self.strides = list(self.hidden_sizes), list(self.strides)
        super().__post_init__(**kwargs)

    @classmethod
    def small(cls, **kwargs) -> "AnyMoGraphEncoderConfig":
        """The preset that trains on two CPU cores, with what the paper's recipe lacks for so small a network."""
        sizes = {
            "hidden_sizes": [16, 32, 48, 96],
            "strides": [2, 2, 1, 1],
            "predictor_intermediate_size": 384,
            "predictor_num_hidden_layers": 3,
            "predictor_num_attention_heads": 4,
            "canonical_axes": True,
            "pooled_segments": "observed",
            "contrastive_loss_weight": 0.1,
            "dense_loss_weight": 1.0,
        }
        return cls(**{**sizes, **kwargs})

    @property
    def num_segments(self) -> int:
        """Nodes of the graph."""
        return len(self.segment_parents)

    @property
    def hidden_size(self) -> int:
        """Width of a latent."""
        return self.hidden_sizes[-1]

    @property
    def num_input_channels(self) -> int:
        """Of the first block: beside the readings, the up direction where canonical axes hide it."""
        return self.num_channels + 3 * self.canonical_axes

    @property
    def num_hidden_layers(self) -> int:
        """Blocks."""
        return len(self.hidden_sizes)

    @property
    def frames_per_step(self) -> int:
        """Product of the strides."""
        return math.prod(self.strides)

    def num_steps(self, num_frames: int) -> int:
        """Latents over time of a recording with so many frames."""
        for stride in self.strides:
            num_frames = -(-num_frames // stride)
        return num_frames

    def validate_architecture(self):
        """Part of `@strict`-powered validation."""
        check_positive(self, "num_channels", "sampling_rate", "hidden_sizes", "strides", "temporal_kernel_size")
        check_positive(self, "predictor_intermediate_size", "predictor_num_attention_heads", "max_num_steps")
        check_positive(self, "norm_eps", "temperature", "text_embedding_size")
        if self.canonical_axes and self.num_channels != 6:
            raise ValueError(
                f"`canonical_axes` need `num_channels` to be 6, force and rate, but it is {self.num_channels}."
            )
        if self.cutoff is not None and not MIN_CUTOFF <= self.cutoff < self.sampling_rate / 2:
            raise ValueError(
                f"`cutoff` must be None or from {MIN_CUTOFF:g} Hz to below half of `sampling_rate` = "
                f"{self.sampling_rate}, but is {self.cutoff}."
            )
        if self.num_segments > MAX_NUM_SEGMENTS:  # memory grows with its square
            raise ValueError(f"`segment_parents` may name {MAX_NUM_SEGMENTS} segments, but names {self.num_segments}.")
        if len(self.hidden_sizes) != len(self.strides) or not self.hidden_sizes:
            raise ValueError(
                f"`hidden_sizes` and `strides` must both name every block, but have {len(self.hidden_sizes)} and "
                f"{len(self.strides)} entries."
            )
        if self.normalization not in ("layer_norm", "batch_norm"):
            raise ValueError(f"`normalization` must be 'layer_norm' or 'batch_norm', but is {self.normalization!r}.")
        if self.pooled_segments not in ("all", "observed"):
            raise ValueError(f"`pooled_segments` must be 'all' or 'observed', but is {self.pooled_segments!r}.")
        if self.edge_partition not in ("tree", "st_gcn"):
            raise ValueError(f"`edge_partition` must be 'tree' or 'st_gcn', but is {self.edge_partition!r}.")
        if self.hidden_size % self.predictor_num_attention_heads:
            raise ValueError(
                f"`predictor_num_attention_heads` must divide the last of `hidden_sizes`, {self.hidden_size}, but is "
                f"{self.predictor_num_attention_heads}."
            )
        if self.temporal_kernel_size % 2 == 0:
            raise ValueError(
                f"`temporal_kernel_size` must be odd, so that a step sees as much before as after, but is "
                f"{self.temporal_kernel_size}."
            )
        parents = self.segment_parents
        if not parents or parents[0] != -1 or any(not 0 <= parents[i] < i for i in range(1, len(parents))):
            raise ValueError(
                "`segment_parents` must begin with -1, the root, and name an earlier segment for every other one, but "
                f"is {parents}."
            )


@strict
class AnyMoPQTokenizerConfig(PreTrainedConfig):
    r"""
    Configuration of `AnyMoPQTokenizer`, which turns pooled latents into discrete codes by product quantisation.

    Args:
        latent_size (`int`, *optional*, defaults to 256):
            Width of the latents that are tokenised, the encoder's `hidden_size`.
        num_codebooks (`int`, *optional*, defaults to 2):
            Codes per step.
        codebook_size (`int`, *optional*, defaults to 2048):
            Entries of a codebook.
        codebook_dim (`int`, *optional*, defaults to 64):
            Width of an entry.
        step_stride (`int`, *optional*, defaults to 1):
            Steps that share a code: 1, 2 or 4, for 15, 7.5 or 3.75 codes per second and codebook.
        hidden_size (`int`, *optional*, defaults to 256):
            Of the temporal convolution decoder.
        dilations (`list[int]`, *optional*, defaults to `[1, 2, 4]`):
            Of each of its layers.
        kernel_size (`int`, *optional*, defaults to 3):
            Of its convolutions.
        normalization (`str`, *optional*, defaults to `"layer_norm"`):
            Of the decoder: `"layer_norm"` over the channels of a step, or `"group_norm"` over channels and all steps
            of a recording, for official weights.
        norm_eps (`float`, *optional*, defaults to 1e-05):
            Added to variances.
        codebook_decay (`float`, *optional*, defaults to 0.99):
            Of the moving averages that update the codebooks.
        codebook_eps (`float`, *optional*, defaults to 1e-05):
            Smooths the counts of codes.
        dead_code_threshold (`float`, *optional*, defaults to 0.2):
            A code used less than this share of the mean is replaced.
        commitment_loss_weight (`float`, *optional*, defaults to 0.25):
            Beside the reconstruction loss.
        initializer_range (`float`, *optional*, defaults to 0.02):
            Standard deviation of new weights.
    """

    model_type = "anymo_pq_tokenizer"

    latent_size: int = 256
    num_codebooks: int = 2
    codebook_size: int = 2048
    codebook_dim: int = 64
    step_stride: int = 1
    hidden_size: int = 256
    dilations: list[int] | tuple[int, ...] = (1, 2, 4)
    kernel_size: int = 3
    normalization: str = "layer_norm"
    norm_eps: float = 1e-5
    codebook_decay: float = 0.99
    codebook_eps: float = 1e-5
    dead_code_threshold: float = 0.2
    commitment_loss_weight: float = 0.25
    initializer_range: float = 0.02

    def __post_init__(self, **kwargs):
        self.dilations = list(self.dilations)
        super().__post_init__(**kwargs)

    @classmethod
    def small(cls, **kwargs) -> "AnyMoPQTokenizerConfig":
        """The preset beside `AnyMoGraphEncoderConfig.small()`."""
        return cls(**{"latent_size": 96, "hidden_size": 128, **kwargs})

    @property
    def num_motion_tokens(self) -> int:
        """Tokens that the language model learns anew."""
        return self.num_codebooks * self.codebook_size

    def validate_architecture(self):
        """Part of `@strict`-powered validation."""
        check_positive(
            self, "latent_size", "num_codebooks", "codebook_size", "codebook_dim", "hidden_size", "dilations"
        )
        check_positive(self, "kernel_size", "norm_eps", "codebook_eps")
        if self.normalization not in ("layer_norm", "group_norm"):
            raise ValueError(f"`normalization` must be 'layer_norm' or 'group_norm', but is {self.normalization!r}.")
        if self.step_stride not in (1, 2, 4):
            raise ValueError(f"`step_stride` must be 1, 2 or 4, but is {self.step_stride}.")
        if self.kernel_size % 2 == 0:
            raise ValueError(f"`kernel_size` must be odd, but is {self.kernel_size}.")


@strict
class AnyMoConfig(PreTrainedConfig):
    r"""
    Configuration of `AnyMoModel` and `AnyMoForCausalLM`: encoder, motion tokenizer and language model together.

    Args:
        graph_encoder_config (`dict` or `AnyMoGraphEncoderConfig`, *optional*):
            Of the encoder.
        motion_tokenizer_config (`dict` or `AnyMoPQTokenizerConfig`, *optional*):
            Of the tokenizer.
        text_config (`dict` or `PreTrainedConfig`, *optional*):
            Of the language model; defaults to Qwen2.5-0.5B with room for the motion tokens.
        imu_token_id (`int`, *optional*):
            Of the placeholder `<imu>`. The token ids are those of the tokenizer that the processor holds.
        imu_start_token_id (`int`, *optional*):
            Of `<imu_start>`.
        imu_end_token_id (`int`, *optional*):
            Of `<imu_end>`.
        motion_token_offset (`int`, *optional*):
            Id of `<motion_0_0>`; `<motion_{codebook}_{code}>` is `offset + codebook * codebook_size + code`.
        projector_hidden_size (`int`, *optional*, defaults to 512):
            Between a codebook entry and a token embedding.
        pooler_num_latents (`int`, *optional*, defaults to 128):
            Queries of a pooler.
        pooler_num_attention_heads (`int`, *optional*, defaults to 8):
            Its heads.
        pooler_intermediate_size (`int`, *optional*, defaults to 1792):
            Of its feed-forward layer.
        num_soft_prompt_tokens (`int`, *optional*, defaults to 8):
            Learned tokens before a text that is embedded.
        imu_residual_scale (`float`, *optional*, defaults to 0.5):
            Weight of the codebook entries' mean in an IMU embedding.
        temperature (`float`, *optional*, defaults to 0.05):
            Of both contrastive losses.
        language_loss_weight (`float`, *optional*, defaults to 1.0):
            Of next-token prediction.
        narration_loss_weight (`float`, *optional*, defaults to 2.0):
            Of the contrastive loss between recordings and narrations.
        activity_loss_weight (`float`, *optional*, defaults to 2.0):
            Of the contrastive loss between recordings and activities.
        initializer_range (`float`, *optional*, defaults to 0.02):
            Standard deviation of new weights.
        tie_word_embeddings (`bool`, *optional*):
            Always that of the language model, from which it is taken.
    """

    model_type = "anymo"
    sub_configs_defaults = {
        "graph_encoder_config": SubConfigSpec(config_class=AnyMoGraphEncoderConfig),
        "motion_tokenizer_config": SubConfigSpec(config_class=AnyMoPQTokenizerConfig),
        "text_config": SubConfigSpec(
            config_class=AutoConfig,
            model_type="qwen2",
            init_kwargs={
                "vocab_size": 155776,  # 151,665 text tokens, the motion tokens and markers, padded to a multiple of 64
                "hidden_size": 896,
                "intermediate_size": 4864,
                "num_hidden_layers": 24,
                "num_attention_heads": 14,
                "num_key_value_heads": 2,
                "max_position_embeddings": 32768,
                "tie_word_embeddings": True,
                "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0},
            },
        ),
    }

    graph_encoder_config: dict | PreTrainedConfig | None = None
    motion_tokenizer_config: dict | PreTrainedConfig | None = None
    text_config: dict | PreTrainedConfig | None = None
    imu_token_id: int | None = None
    imu_start_token_id: int | None = None
    imu_end_token_id: int | None = None
    motion_token_offset: int | None = None
    projector_hidden_size: int = 512
    pooler_num_latents: int = 128
    pooler_num_attention_heads: int = 8
    pooler_intermediate_size: int = 1792
    num_soft_prompt_tokens: int = 8
    imu_residual_scale: float | int = 0.5
    temperature: float = 0.05
    language_loss_weight: float | int = 1.0
    narration_loss_weight: float | int = 2.0
    activity_loss_weight: float | int = 2.0
    initializer_range: float = 0.02
    tie_word_embeddings: bool | None = None

    def __post_init__(self, **kwargs):
        super().__post_init__(**kwargs)
        # Only the top configuration is read when weights are tied, so it must say what the language model does.
        self.tie_word_embeddings = bool(self.text_config.tie_word_embeddings)

    def validate_architecture(self):
        """Part of `@strict`-powered validation."""
        check_positive(self, "projector_hidden_size", "pooler_num_latents", "pooler_num_attention_heads")
        check_positive(self, "pooler_intermediate_size", "temperature")
        latent_size = self.motion_tokenizer_config.latent_size
        if self.graph_encoder_config.hidden_size != latent_size:
            raise ValueError(
                f"`motion_tokenizer_config.latent_size` must be the encoder's hidden size, "
                f"{self.graph_encoder_config.hidden_size}, but is {latent_size}."
            )


class AnyMoGenerationConfig(GenerationConfig):
    """How `AnyMoForCausalLM` generates."""

    @classmethod
    def from_model_config(cls, model_config: PreTrainedConfig) -> GenerationConfig:
        content = model_config.to_dict()
        del content["temperature"]  # that of the contrastive losses is no business of sampling
        return super().from_model_config(content)


__all__ = ["AnyMoConfig", "AnyMoGraphEncoderConfig", "AnyMoPQTokenizerConfig"]

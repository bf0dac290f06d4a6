# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""anymo-hf: wearable inertial sensors and language. Importing it registers its classes with transformers."""

from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForPreTraining,
    AutoModelForSequenceClassification,
    AutoProcessor,
)

from anymo_hf.modeling.configuration_anymo import AnyMoConfig, AnyMoGraphEncoderConfig, AnyMoPQTokenizerConfig
from anymo_hf.modeling.modeling_anymo import AnyMoForCausalLM, AnyMoModel
from anymo_hf.modeling.modeling_anymo_graph_encoder import AnyMoGraphEncoder
from anymo_hf.modeling.modeling_anymo_heads import (
    AnyMoGraphEncoderForPreTraining,
    AnyMoGraphEncoderForSequenceClassification,
)
from anymo_hf.modeling.modeling_anymo_pq_tokenizer import AnyMoPQTokenizer
from anymo_hf.modeling.modeling_anymo_signal_decoder import AnyMoSignalDecoder
from anymo_hf.modeling.modeling_anymo_text_alignment import AnyMoGraphEncoderForTextAlignment
from anymo_hf.pipelines import register_pipelines
from anymo_hf.processing import (
    ActivitySpan,
    AnyMoFeatureExtractor,
    AnyMoProcessor,
    Recording,
    SensorStream,
    StreamingFeatureExtractor,
    add_motion_tokens,
    calibrate,
    inspect_recording,
    make_recording,
    merge_windows,
    motion_token,
    read_recording,
    read_recordings,
)
from anymo_hf.retrieval import retrieve
from anymo_hf.simulation import (
    BodySurface,
    Placements,
    SegmentKinematics,
    SegmentMotion,
    SensorErrors,
    SoftTissue,
    TextSpan,
    draw_shape,
    fit_sensor_errors,
    fit_shape,
    load_motion,
    save_motion,
    simulate_imu,
)
from anymo_hf.version import __version__


for _config in (AnyMoGraphEncoderConfig, AnyMoPQTokenizerConfig, AnyMoConfig):
    AutoConfig.register(_config.model_type, _config, exist_ok=True)
for _config in (AnyMoGraphEncoderConfig, AnyMoConfig):
    AutoFeatureExtractor.register(_config, AnyMoFeatureExtractor, exist_ok=True)
AutoModel.register(AnyMoGraphEncoderConfig, AnyMoGraphEncoder, exist_ok=True)
AutoModel.register(AnyMoPQTokenizerConfig, AnyMoPQTokenizer, exist_ok=True)
AutoModelForPreTraining.register(AnyMoGraphEncoderConfig, AnyMoGraphEncoderForPreTraining, exist_ok=True)
AutoModelForSequenceClassification.register(
    AnyMoGraphEncoderConfig, AnyMoGraphEncoderForSequenceClassification, exist_ok=True
)
AutoModel.register(AnyMoConfig, AnyMoModel, exist_ok=True)
AutoModelForCausalLM.register(AnyMoConfig, AnyMoForCausalLM, exist_ok=True)
AutoProcessor.register(AnyMoConfig, AnyMoProcessor, exist_ok=True)
register_pipelines()

__all__ = [
    "ActivitySpan",
    "AnyMoConfig",
    "AnyMoFeatureExtractor",
    "AnyMoForCausalLM",
    "AnyMoGraphEncoder",
    "AnyMoGraphEncoderConfig",
    "AnyMoGraphEncoderForPreTraining",
    "AnyMoGraphEncoderForSequenceClassification",
    "AnyMoGraphEncoderForTextAlignment",
    "AnyMoModel",
    "AnyMoPQTokenizer",
    "AnyMoPQTokenizerConfig",
    "AnyMoProcessor",
    "AnyMoSignalDecoder",
    "BodySurface",
    "Placements",
    "Recording",
    "SegmentKinematics",
    "SegmentMotion",
    "SensorErrors",
    "SensorStream",
    "SoftTissue",
    "StreamingFeatureExtractor",
    "TextSpan",
    "__version__",
    "add_motion_tokens",
    "calibrate",
    "draw_shape",
    "fit_sensor_errors",
    "fit_shape",
    "inspect_recording",
    "load_motion",
    "make_recording",
    "merge_windows",
    "motion_token",
    "read_recording",
    "read_recordings",
    "retrieve",
    "save_motion",
    "simulate_imu",
]

# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""Pipelines: a recording becomes labels, text or vectors. Importing the package registers them with transformers."""

from transformers import AutoModel, AutoModelForCausalLM
from transformers.pipelines import PIPELINE_REGISTRY

from anymo_hf.pipelines.feature_extraction import IMUFeatureExtractionPipeline
from anymo_hf.pipelines.imu_to_text import IMUToTextPipeline
from anymo_hf.pipelines.windows import open_recording
from anymo_hf.pipelines.zero_shot_classification import ZeroShotIMUClassificationPipeline


# The one place that names the published checkpoint: a folder of that name, or its id on the Hub.
DEFAULT_MODEL = "anymo"


def register_pipelines() -> None:
    """Makes the pipelines known to `transformers.pipeline` by the names of their tasks."""
    for task, pipeline_class in (
        ("zero-shot-imu-classification", ZeroShotIMUClassificationPipeline),
        ("imu-to-text", IMUToTextPipeline),
        ("imu-feature-extraction", IMUFeatureExtractionPipeline),
    ):
        if task not in PIPELINE_REGISTRY.get_supported_tasks():
            # As a causal LM first: an adapter fits only the model that it was trained with.
            PIPELINE_REGISTRY.register_pipeline(
                task,
                pipeline_class,
                pt_model=(AutoModelForCausalLM, AutoModel),
                default={"model": (DEFAULT_MODEL, None)},
                type="multimodal",
            )


__all__ = [
    "DEFAULT_MODEL",
    "IMUFeatureExtractionPipeline",
    "IMUToTextPipeline",
    "ZeroShotIMUClassificationPipeline",
    "open_recording",
    "register_pipelines",
]

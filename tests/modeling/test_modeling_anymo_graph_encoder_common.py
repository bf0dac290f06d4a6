# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""What transformers demands of every model, by its own tests."""

import sys
import unittest
from pathlib import Path
from unittest import mock

import torch

from anymo_hf import (
    AnyMoGraphEncoder,
    AnyMoGraphEncoderConfig,
    AnyMoGraphEncoderForPreTraining,
    AnyMoGraphEncoderForSequenceClassification,
    AnyMoGraphEncoderForTextAlignment,
)


sys.path.insert(0, str(Path(__file__).parents[1] / "hf_common"))
from transformers_mixins import import_mixins  # noqa: E402


common = import_mixins("test_modeling_common")


class AnyMoGraphEncoderModelTester:
    """A tiny configuration with inputs."""

    batch_size, num_frames, num_labels = 3, 13, 3
    is_training = True
    num_hidden_layers = 2

    def get_config(self) -> AnyMoGraphEncoderConfig:
        return AnyMoGraphEncoderConfig(
            hidden_sizes=[8, 16], strides=[1, 2], predictor_intermediate_size=24, predictor_num_hidden_layers=2,
            predictor_num_attention_heads=2, max_num_steps=8, num_labels=self.num_labels,
        )  # fmt: skip

    def prepare_config_and_inputs_for_common(self):
        shape = (self.batch_size, self.num_frames, 23, 6)
        values, mask = common.floats_tensor(shape), common.random_attention_mask(shape).bool()
        mask[:, -1] = True
        return self.get_config(), {"input_values": values, "input_values_mask": mask}


class AnyMoGraphEncoderModelTest(common.ModelTesterMixin, unittest.TestCase):
    all_model_classes = (
        AnyMoGraphEncoder,
        AnyMoGraphEncoderForPreTraining,
        AnyMoGraphEncoderForSequenceClassification,
        AnyMoGraphEncoderForTextAlignment,
    )
    test_torch_exportable = False  # the export tests are not in transformers' source distribution
    test_resize_embeddings = False  # there are no tokens
    test_can_init_all_missing_weights_before_2023 = True
    has_attentions = False  # the encoder has none; the predictor's are no output

    def setUp(self):
        self.model_tester = AnyMoGraphEncoderModelTester()
        # So that the mixin knows which class gives no loss.
        names = mock.patch.dict(common.MODEL_MAPPING_NAMES, {"anymo_graph_encoder": "AnyMoGraphEncoder"})
        names.start()
        self.addCleanup(names.stop)

    def _prepare_for_class(self, inputs_dict, model_class, return_labels=False):
        inputs = super()._prepare_for_class(inputs_dict, model_class, return_labels)
        if model_class is AnyMoGraphEncoderForPreTraining:  # two views of each window
            for name in ("input_values", "input_values_mask"):
                inputs[name] = torch.stack([inputs[name], inputs[name].flip(0)], dim=1)
        if model_class is AnyMoGraphEncoderForSequenceClassification and return_labels:
            inputs["labels"] = torch.arange(len(inputs["input_values"])) % self.model_tester.num_labels
        if model_class is AnyMoGraphEncoderForTextAlignment:
            inputs["text_embeddings"] = torch.eye(5, 384, device=common.torch_device)
            if return_labels:
                inputs["text_index"] = torch.arange(len(inputs["input_values"])) % 3
        return inputs

    def test_hidden_states_output(self):
        # The mixin expects three axes and one width throughout.
        config, inputs = self.model_tester.prepare_config_and_inputs_for_common()
        for model_class in (AnyMoGraphEncoder, AnyMoGraphEncoderForSequenceClassification):
            model = model_class(config).eval()
            shapes = [tuple(one.shape) for one in model(**inputs, output_hidden_states=True).hidden_states]
            # The last is the output, which the library puts in place of what the last block gave.
            assert shapes[0] == (23, 3, 13, 6) and shapes[1] == (23, 3, 13, 8), shapes
            assert len(shapes) == 3 and shapes[2] in ((23, 3, 7, 16), (3, 7, 23, 16)), shapes

    def test_model_outputs_equivalence(self):
        # The mixin subtracts all outputs, but `steps_mask` is boolean.
        config, inputs = self.model_tester.prepare_config_and_inputs_for_common()
        for model_class in self.all_model_classes:
            model = model_class(config).eval()
            inputs_of_class = self._prepare_for_class(inputs, model_class, return_labels=True)
            named, plain = model(**inputs_of_class), model(**inputs_of_class, return_dict=False)
            assert isinstance(plain, tuple)
            torch.testing.assert_close(plain, named.to_tuple())

    @unittest.skip(reason="sensor readings have no embeddings of tokens")
    def test_model_get_set_embeddings(self):
        pass

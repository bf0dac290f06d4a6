# Copyright 2026 The anymo-hf contributors
# SPDX-License-Identifier: Apache-2.0
"""What transformers demands of every model, by its own tests, of the motion tokenizer and the signal decoder."""

import sys
import unittest
from pathlib import Path
from unittest import mock

import torch
from transformers import initialization as init

from anymo_hf import AnyMoPQTokenizer, AnyMoPQTokenizerConfig
from anymo_hf.modeling.modeling_anymo_signal_decoder import AnyMoSignalDecoder


sys.path.insert(0, str(Path(__file__).parents[1] / "hf_common"))
from transformers_mixins import import_mixins  # noqa: E402


common = import_mixins("test_modeling_common")


class AnyMoPQTokenizerModelTester:
    """A tiny configuration with inputs."""

    batch_size, num_steps = 3, 13
    is_training = True

    def get_config(self) -> AnyMoPQTokenizerConfig:
        return AnyMoPQTokenizerConfig(latent_size=12, hidden_size=8, codebook_size=16, codebook_dim=4, step_stride=2)

    def get_mask(self) -> torch.Tensor:
        return torch.arange(self.num_steps) < torch.tensor([13, 13, 10])[:, None]

    def prepare_config_and_inputs_for_common(self):
        latents = common.floats_tensor((self.batch_size, self.num_steps, 12))
        return self.get_config(), {"pooled_latents": latents, "steps_mask": self.get_mask()}


class AnyMoSignalDecoderModelTester(AnyMoPQTokenizerModelTester):
    """Codes in place of latents."""

    def prepare_config_and_inputs_for_common(self):
        inputs = {
            "codes": common.ids_tensor((self.batch_size, 2, 7), 16),
            "steps_mask": self.get_mask(),
            "segment_values": common.floats_tensor((self.batch_size, 50, 23, 6)),
        }
        return self.get_config(), inputs


class AnyMoPQTokenizerModelTest(common.ModelTesterMixin, unittest.TestCase):
    all_model_classes = (AnyMoPQTokenizer,)
    test_torch_exportable = False  # the export tests are not in transformers' source distribution
    test_resize_embeddings = False  # there are no tokens of a text
    test_can_init_all_missing_weights_before_2023 = True
    has_attentions = False
    make_inputs = AnyMoPQTokenizerModelTester

    def setUp(self):
        self.model_tester = self.make_inputs()

    @unittest.skip(reason="latents and codes have no embeddings of tokens")
    def test_model_get_set_embeddings(self):
        pass

    @unittest.skip(reason="there are no hidden states to ask for")
    def test_hidden_states_output(self):
        pass

    @unittest.skip(reason="there are no hidden states to ask for")
    def test_retain_grad_hidden_states_attentions(self):
        pass

    def test_init_weights_can_init_buffers(self):
        # The mixin compares two models, but codebooks start at random.
        with mock.patch.object(init, "normal_", lambda tensor, **kwargs: init.zeros_(tensor)):
            super().test_init_weights_can_init_buffers()

    def test_model_outputs_equivalence(self):
        # The mixin subtracts all outputs, but `codes_mask` is boolean.
        config, inputs = self.model_tester.prepare_config_and_inputs_for_common()
        for model_class in self.all_model_classes:
            model = model_class(config).eval()
            named, plain = model(**inputs), model(**inputs, return_dict=False)
            assert isinstance(plain, tuple) and plain[0].ndim == 0  # the loss comes first
            torch.testing.assert_close(plain, named.to_tuple())


class AnyMoSignalDecoderModelTest(AnyMoPQTokenizerModelTest):
    all_model_classes = (AnyMoSignalDecoder,)
    make_inputs = AnyMoSignalDecoderModelTester

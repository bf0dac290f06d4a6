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
"""Processing: whatever a sensor recorded becomes the models' input, and the names of placements."""

from .calibration_anymo import calibrate
from .feature_extraction_anymo import AnyMoFeatureExtractor, merge_windows
from .inspection_anymo import inspect_recording
from .processing_anymo import AnyMoProcessor, add_motion_tokens, motion_token
from .reading_anymo import read_recording, read_recordings
from .recording_anymo import make_recording
from .streaming_anymo import StreamingFeatureExtractor
from .streams_anymo import ActivitySpan, Recording, SensorStream


__all__ = [
    "ActivitySpan",
    "AnyMoFeatureExtractor",
    "AnyMoProcessor",
    "Recording",
    "SensorStream",
    "StreamingFeatureExtractor",
    "add_motion_tokens",
    "calibrate",
    "inspect_recording",
    "make_recording",
    "merge_windows",
    "motion_token",
    "read_recording",
    "read_recordings",
]

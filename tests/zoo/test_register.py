"""The register that ships: what each entry has to say."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from edgecnn import got_models, shipped
from edgecnn.postprocess import DECODERS
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.zoo.register import RegisteredModel, registered

MODELS = [pytest.param(model, id=name) for name, model in registered().items()]
# The same files as published, where the folder of real data has them.
REAL = {
    "fastestdet": "fastestdet/example/onnx-runtime/FastestDet.onnx",
    "ultraface-rfb-320": "ultralight-face/models/onnx/version-RFB-320.onnx",
    "ssd-mobilenet-v1": "ssd_mobilenet_v1_coco/detect.tflite",
    "mobilenet-v1-025-128": "coral_tflite/mobilenet_v1_0.25_128_quant.tflite",
    "person-96": "mlperf_tiny/benchmark/training/visual_wake_words/trained_models/vww_96_int8.tflite",
}


def test_names_are_none_of_a_shipped_model() -> None:
    assert not set(registered()) & {*shipped.names(), "get", "remove"}


@pytest.mark.parametrize("model", MODELS)
def test_an_entry_is_complete(model: RegisteredModel) -> None:
    address = urlsplit(model.url)
    assert (address.scheme, bool(address.hostname)) == ("https", True)
    assert len(model.sha256) == 64
    assert model.sha256_from
    assert model.suffix in got_models.SUFFIXES
    assert model.card.get("decode", "softmax") in DECODERS
    CardOptions(**model.card)
    assert len(model.labels_sha256) == (64 if model.labels_url else 0)


@pytest.mark.real_data
@pytest.mark.parametrize(("name", "file"), REAL.items())
def test_size_and_digest_are_those_of_the_real_file(name: str, file: str, real_data: Path) -> None:
    content = (real_data / "models" / file).read_bytes()
    model = registered()[name]
    assert (len(content), hashlib.sha256(content).hexdigest()) == (model.size, model.sha256)

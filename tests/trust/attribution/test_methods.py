from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecnn.card import CARD_KEY, Decode, ModelCard, Preprocess
from edgecnn.errors import InputError
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.trust.attribution.many import ManyImages
from edgecnn.trust.attribution.methods import explainers
from edgecnn.trust.attribution.target import Target
from edgecnn.types import Classes, TensorSpec

SIDE = 16


@pytest.fixture(scope="module", params=[1, "n"])
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of the brightness of the upper left quarter; with a fixed and with a free batch."""
    onnx = pytest.importorskip("onnx")
    node, info = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    weight = np.zeros((SIDE, SIDE, 3, 2), np.float32)
    weight[: SIDE // 2, : SIDE // 2, :, 1] = 0.0001
    nodes = [
        node("Cast", ["image"], ["real"], to=1),
        node("Flatten", ["real"], ["flat"]),
        node("MatMul", ["flat", "weight"], ["logits"]),
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "tiny",
        [info("image", onnx.TensorProto.UINT8, [request.param, SIDE, SIDE, 3])],
        [info("logits", onnx.TensorProto.FLOAT, [request.param, 2])],
        [onnx.numpy_helper.from_array(weight.reshape(-1, 2), "weight")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    spec = TensorSpec("image", (1, SIDE, SIDE, 3), "uint8", "NHWC")
    preprocess = Preprocess((SIDE, SIDE), color="bgr", input_dtype="uint8")
    card = ModelCard(
        name="tiny", task="classify", labels=("dark", "bright"), preprocess=preprocess, decode=Decode("softmax"), inputs=(spec,)
    )
    onnx.helper.set_model_props(model, {CARD_KEY: card.to_json()})
    path: Path = tmp_path_factory.mktemp("model") / f"tiny-{request.param}.onnx"
    onnx.save(model, path)
    return path


def _images(count: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 255, (count, SIDE, SIDE, 3)).astype(np.uint8)


def test_many_images_are_predicted_as_one_by_one(file: Path) -> None:
    images = _images(19)  # more than a batch
    with Predictor(file) as predictor:
        many = ManyImages(predictor)
        assert many.batched == file.stem.endswith("n")
        together = many(images)
        for image, prediction in zip(images, together, strict=True):
            alone = predictor(image)
            assert isinstance(alone, Classes)
            assert isinstance(prediction, Classes)
            np.testing.assert_allclose(alone.score, prediction.score, atol=1e-6)


def test_a_file_is_explained_without_gradients(file: Path) -> None:
    image = _images(1)[0]
    image[:8, :8] = 255
    with Predictor(file) as predictor:
        heat = explainers(predictor, ("auto",), 0, 10)["occlusion"](image, Target(1))
    assert heat[:8, :8].mean() > 20 * abs(heat[10:, 10:].mean())


def test_methods_that_do_not_fit_are_refused(file: Path) -> None:
    with Predictor(file) as predictor:
        with pytest.raises(InputError, match=r"needs gradients, which tiny-.*; use occlusion or rise"):
            explainers(predictor, ("grad-cam",), 0, 10)
        with pytest.raises(InputError, match="'lime' is no method"):
            explainers(predictor, ("lime",), 0, 10)

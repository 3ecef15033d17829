"""A detector with a further head: its boxes are decoded, the vector stays in the file and is verified with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgecnn.card import ModelCard
from edgecnn.errors import InputError
from edgecnn.export.config import ExportConfig, ModelOptions
from edgecnn.export.run import run_exports
from edgecnn.runtime.backends import open_backend
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.model.selftest import selftest_file
from edgecnn.types import Detections


class TwoHeads(nn.Module):
    """Boxes in the layout of YOLOv8 (1, 4 + 2, 84), and a vector of the whole image."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.features, self.scores, self.vector = nn.Conv2d(3, 8, 3, 8, 1), nn.Conv2d(8, 2, 1), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Boxes and vector."""
        maps = self.features(x).relu()
        rows = []
        for stride in (8, 16, 32):
            side = 64 // stride
            y, x_ = torch.meshgrid(torch.arange(side) + 0.5, torch.arange(side) + 0.5, indexing="ij")
            boxes = torch.stack([x_, y, torch.full_like(y, 2), torch.full_like(y, 2)])[None] * stride
            scores = (4 * self.scores(nn.functional.avg_pool2d(maps, stride // 8))).sigmoid()
            rows.append(torch.cat([boxes, scores], 1).flatten(2))
        return {"boxes": torch.cat(rows, 2), "vector": self.vector(maps.mean((2, 3)))}


def export(out: Path, *names: str) -> Path:
    card = CardOptions(task="detect", decode="yolo", labels="a,b")
    options = ModelOptions(card=card, input_shape=(1, 3, 64, 64), decode_outputs=names)
    (made,) = run_exports(ExportConfig(model=f"{__name__}:TwoHeads", formats=("onnx",), out=out, model_options=options))
    return made.path


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(tmp_path_factory.mktemp("out"), "boxes")


def test_boxes_are_decoded_and_the_vector_is_verified_too(artifact: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    with Predictor(artifact) as predictor:
        assert isinstance(predictor(image), Detections)
        assert [spec.name for spec in predictor.card.outputs] == ["boxes", "vector"]
        parts = {*predictor.card.parity["rows"][0]["outputs"]}
    assert parts == {"boxes boxes", "boxes scores", "vector"}
    backend = open_backend(artifact)
    vector = backend.run({"image": image[None]})["vector"]
    backend.close()
    pixels = torch.from_numpy(image[None, :, :, ::-1].copy()).permute(0, 3, 1, 2) / 255
    np.testing.assert_allclose(vector, TwoHeads()(pixels)["vector"].detach().numpy(), atol=1e-5)


def test_the_goldens_hold_both(artifact: Path) -> None:
    card, result = selftest_file(artifact)
    assert not result.violations
    assert {*result.rows[0].errors} == {"boxes", "vector"}
    assert ModelCard.from_json(card.to_json()).decode.options["outputs"] == ["boxes"]


def test_without_the_option_the_further_head_is_left_out(tmp_path: Path) -> None:
    backend = open_backend(export(tmp_path))
    names = [spec.shape for spec in backend.outputs]
    backend.close()
    assert names == [(1, 6, 84)]


def test_an_unknown_output_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--decode-outputs: there is no output 'box', only boxes, vector"):
        export(tmp_path, "box")

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from edgecnn.card import CARD_KEY, Decode, ModelCard, Preprocess
from edgecnn.errors import MissingExtraError
from edgecnn.runtime.backends import open_backend
from tests.contracts.backend import BackendContract, Tiny, one_line

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from edgecnn.models import create, save_checkpoint  # noqa: E402 - only where torch is


class TestTorch(BackendContract):
    @pytest.fixture
    def tiny(self, tmp_path: Path) -> Tiny:
        torch.manual_seed(0)
        model = create("mlp", classes=3, channels=1, size=(8, 8)).eval()
        card = ModelCard(
            name="tiny",
            task="classify",
            labels=("a", "b", "c"),
            preprocess=Preprocess((8, 8), color="gray", std=(255.0,)),
            decode=Decode("softmax"),
            model={"name": "mlp", "options": {"classes": 3, "channels": 1, "size": [8, 8]}},
        )
        (tmp_path / "model").mkdir()
        card = save_checkpoint(tmp_path / "model" / "tiny.safetensors", model, card)

        def expected(image: np.ndarray) -> dict[str, np.ndarray]:
            with torch.inference_mode():
                return {"logits": model(torch.from_numpy(image)).numpy()}

        def sample(seed: int) -> np.ndarray:
            return np.random.default_rng(seed).random((1, 1, 8, 8), np.float32)

        return Tiny(
            tmp_path / "model" / "tiny.safetensors", sample, expected, (CARD_KEY, card.to_json()), torch.cuda.is_available()
        )


def test_without_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "edgecnn.models.backend", raising=False)
    with pytest.raises(MissingExtraError, match=r"edgecnn\[train\]") as caught:
        open_backend(path)
    assert one_line(caught.value)

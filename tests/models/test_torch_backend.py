from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from edgecnn.card import CARD_KEY, Decode, ModelCard, Preprocess
from edgecnn.errors import BackendError, MissingExtraError
from edgecnn.runtime.backends import open_backend
from edgecnn.runtime.backends.io_binding import bind_device
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

    @pytest.mark.parametrize("device", ["npu", "tensorrt", "openvino:cpu"])
    def test_devices_that_pytorch_does_not_have(self, tiny: Tiny, device: str) -> None:
        with pytest.raises(BackendError, match=f"--device {device}: edgecnn runs PyTorch on the CPU and on CUDA only"):
            open_backend(tiny.path, device)

    def test_cuda_that_is_not_there_has_its_reason(self, tiny: Tiny) -> None:
        if torch.cuda.is_available():
            pytest.skip("this machine has it")
        said = "is built without CUDA" if torch.version.cuda is None else "PyTorch finds no GPU"
        with pytest.raises(BackendError, match=f"--device cuda:1: .*{said}; install"):
            open_backend(tiny.path, "cuda:1")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU for a CUDA graph")
class TestCuda(TestTorch):
    """The same checkpoint on a GPU."""

    def test_a_graph_gives_the_numbers_of_a_plain_run(self, tiny: Tiny) -> None:
        backend = open_backend(tiny.path, "cuda")
        binding = bind_device(backend, {"image": (1, 1, 8, 8)})
        assert binding is not None
        assert binding.is_graph  # type: ignore[attr-defined]
        for seed in range(3):
            sample = tiny.sample(seed)
            np.testing.assert_allclose(
                binding.run({"image": sample})["logits"], tiny.expected(sample)["logits"], rtol=1e-3, atol=1e-4
            )
            assert list(binding.spent_ms) == ["upload", "compute", "download"]


def test_without_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "edgecnn.models.backend", raising=False)
    with pytest.raises(MissingExtraError, match=r"edgecnn\[train\]") as caught:
        open_backend(path)
    assert one_line(caught.value)

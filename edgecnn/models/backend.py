"""The PyTorch backend: runs a checkpoint as the reference for exported files. Needs the extra `train`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from edgecnn.backend_errors import closed_error, inference_error
from edgecnn.card import CARD_KEY, ModelCard
from edgecnn.errors import BackendError, MissingExtraError
from edgecnn.models.checkpoint import load_checkpoint
from edgecnn.tasks import find
from edgecnn.tensors import check_feeds
from edgecnn.types import Array, Tensors, TensorSpec

try:
    import torch
except ModuleNotFoundError as error:
    raise MissingExtraError("torch", "train") from error


ENGINE = "PyTorch"


class TorchBackend:
    """An eager model in eval mode; its input is float NCHW, preprocessed as its card says."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    metadata: Mapping[str, str]
    concurrency: int

    def __init__(self, model: torch.nn.Module, card: ModelCard, device: str, requests: int) -> None:
        self._model: torch.nn.Module | None = model.to(device).eval()
        self._device = device
        self.inputs = (TensorSpec("image", (1, card.preprocess.channels, *card.preprocess.size), "float32", "NCHW"),)
        self.metadata = {CARD_KEY: card.to_json()}
        self.concurrency = requests
        self._card = card
        found = self._forward(self._model, torch.zeros(self.inputs[0].shape))
        self.outputs = tuple(TensorSpec(name, array.shape, array.dtype.name) for name, array in found.items())

    def run(self, feeds: Tensors) -> dict[str, Array]:
        """Outputs by name; the arrays belong to the caller. Raises ``BackendError`` for feeds that do not fit."""
        check_feeds(feeds, self.inputs)
        if self._model is None:
            raise closed_error()
        try:
            return self._forward(self._model, torch.from_numpy(feeds["image"]))
        except RuntimeError as error:
            raise inference_error(ENGINE, error) from error

    def close(self) -> None:
        """Free the model; calling it again does nothing."""
        self._model = None

    def _forward(self, model: torch.nn.Module, image: torch.Tensor) -> dict[str, Array]:
        with torch.inference_mode():
            found = model(image.to(self._device))
        return {name: tensor.cpu().numpy() for name, tensor in _named(found, self._card).items()}


def open_file(path: Path, device: Literal["cpu", "gpu", "auto"], *, threads: int | None, requests: int) -> TorchBackend:
    """Load a checkpoint; raises ``ArtifactError`` for a broken one, ``BackendError`` where the device is not available.

    ``threads`` applies to the whole process: PyTorch has one thread pool.
    """
    model, card = load_checkpoint(path)
    if device == "gpu" and not torch.cuda.is_available():
        raise BackendError("--device gpu: PyTorch finds no GPU", "install its driver and a CUDA build, or use --device cpu")
    if threads is not None:
        torch.set_num_threads(threads)
    return TorchBackend(model, card, "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu", requests)


def _named(found: Any, card: ModelCard) -> dict[str, torch.Tensor]:
    """The model's outputs under the names that they have in its artifacts."""
    if isinstance(found, Mapping):
        return dict(found)
    tensors = (found,) if isinstance(found, torch.Tensor) else tuple(found)
    return dict(zip(find(card.task).output_names(card.decode.name, len(tensors)), tensors, strict=True))

"""The PyTorch backend: runs a checkpoint as the reference for exported files. Needs the extra `train`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgecnn.backend_errors import closed_error, inference_error
from edgecnn.card import CARD_KEY, ModelCard
from edgecnn.engine_device import Device
from edgecnn.errors import BackendError, MissingExtraError
from edgecnn.models.checkpoint import load_checkpoint
from edgecnn.tasks import find
from edgecnn.tensors import check_feeds
from edgecnn.types import Array, Tensors, TensorSpec

try:
    import torch

    from edgecnn.models.cuda_binding import CudaBinding
except ModuleNotFoundError as error:
    raise MissingExtraError("torch", "train") from error


ENGINE = "PyTorch"


class TorchBackend:
    """An eager model in eval mode; its input is float NCHW, preprocessed as its card says."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    metadata: Mapping[str, str]
    concurrency: int

    def __init__(self, model: torch.nn.Module, card: ModelCard, device: torch.device, requests: int) -> None:
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

    def bind_device(self, shapes: Mapping[str, tuple[int, ...]]) -> CudaBinding | None:
        """Create buffers in the memory of the GPU, and capture the forward pass as a CUDA graph; None on the CPU."""
        model = self._model
        if model is None:
            raise closed_error()
        if self._device.type != "cuda":
            return None
        return CudaBinding(lambda image: _named(model(image), self._card), shapes["image"], self._device)

    def close(self) -> None:
        """Free the model; calling it again does nothing."""
        self._model = None

    def _forward(self, model: torch.nn.Module, image: torch.Tensor) -> dict[str, Array]:
        with torch.inference_mode():
            found = model(image.to(self._device))
        return {name: tensor.cpu().numpy() for name, tensor in _named(found, self._card).items()}


def open_file(path: Path, device: Device, *, threads: int | None, requests: int) -> TorchBackend:
    """Load a checkpoint; raises ``ArtifactError`` for a broken one, ``BackendError`` where the device is not available.

    ``threads`` applies to the whole process: PyTorch has one thread pool.
    """
    model, card = load_checkpoint(path)
    place = _place(device)
    if threads is not None:
        torch.set_num_threads(threads)
    return TorchBackend(model, card, place, requests)


def _place(device: Device) -> torch.device:
    """The device in PyTorch's terms. Raises ``BackendError`` for one that it does not have."""
    if device.hardware not in ("cpu", "gpu", "auto") or device.through not in ("", "cuda"):
        raise BackendError(f"--device {device}: edgecnn runs {ENGINE} on the CPU and on CUDA only", "use --device cpu or cuda")
    if device.is_cpu or (device.hardware == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.index < count:
        return torch.device("cuda", device.index)
    if torch.version.cuda is None:
        raise BackendError(
            f"--device {device}: the installed PyTorch {torch.__version__} is built without CUDA",
            "install a CUDA build (https://pytorch.org/get-started/locally), or use --device cpu",
        )
    if not count:
        raise BackendError(f"--device {device}: PyTorch finds no GPU", "install the driver of the GPU, or use --device cpu")
    raise BackendError(f"--device {device}: PyTorch finds {count} GPU{'s' if count > 1 else ''}", "they are counted from cuda:0")


def _named(found: Any, card: ModelCard) -> dict[str, torch.Tensor]:
    """The model's outputs under the names that they have in its artifacts."""
    if isinstance(found, Mapping):
        return dict(found)
    tensors = (found,) if isinstance(found, torch.Tensor) else tuple(found)
    return dict(zip(find(card.task).output_names(card.decode.name, len(tensors)), tensors, strict=True))

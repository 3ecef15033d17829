"""A forward pass on a GPU as one CUDA graph, with input and outputs that stay in its memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from edgecnn.backend_errors import inference_error
from edgecnn.types import Array, Tensors

Forward = Callable[[torch.Tensor], Mapping[str, torch.Tensor]]
_WARM_UP = 3  # runs before the capture, in which libraries choose kernels and take their memory
STEPS = ("upload", "compute", "download")


class CudaBinding:
    """Runs ``forward`` (float image (N, C, H, W) to tensors by name) on a GPU, from and to memory of the host that the GPU reads.

    ``spent_ms``: milliseconds of the last run for ``upload``, ``compute`` and ``download``, by events of the GPU. A model that can't
    be captured as a graph, because its operations depend on values, runs operator by operator; ``is_graph`` says which.
    """

    inputs: Mapping[str, Array]

    def __init__(self, forward: Forward, shape: tuple[int, ...], device: torch.device) -> None:
        host = torch.zeros(shape, pin_memory=True)
        self.inputs = {"image": host.numpy()}
        self.spent_ms: Mapping[str, float] = {}
        self._host, self._device = host, device
        with torch.cuda.device(device), torch.inference_mode():
            self._image = host.to(device)
            self._found = self._warmed_up(forward)
            self._graph = self._captured(forward)
            self._kept = {name: torch.empty(one.shape, dtype=one.dtype, pin_memory=True) for name, one in self._found.items()}
            self._moments = [torch.cuda.Event(enable_timing=True) for _ in range(len(STEPS) + 1)]  # type: ignore[no-untyped-call]
        self._forward = forward

    @property
    def is_graph(self) -> bool:
        """Whether the pass was captured as a CUDA graph."""
        return self._graph is not None

    def run(self, feeds: Tensors | None = None) -> dict[str, Array]:
        """Run inference on ``feeds``, or on ``inputs``; return outputs by name, valid until the next run. Raises ``BackendError``."""
        try:
            self._run(self._host if feeds is None else torch.from_numpy(feeds["image"]))
        except RuntimeError as error:
            raise inference_error("PyTorch", error) from error
        pairs = zip(STEPS, self._moments, self._moments[1:], strict=False)
        self.spent_ms = {name: float(before.elapsed_time(after)) for name, before, after in pairs}
        return {name: tensor.numpy() for name, tensor in self._kept.items()}

    def _run(self, image: torch.Tensor) -> None:
        with torch.cuda.device(self._device), torch.inference_mode():
            self._moments[0].record()
            self._image.copy_(image, non_blocking=True)
            self._moments[1].record()
            self._compute()
            self._moments[2].record()
            for name, tensor in self._found.items():
                self._kept[name].copy_(tensor, non_blocking=True)
            self._moments[3].record()
            self._moments[3].synchronize()

    def _compute(self) -> None:
        if self._graph is not None:
            self._graph.replay()
        else:
            self._found = self._forward(self._image)

    def _warmed_up(self, forward: Forward) -> Mapping[str, torch.Tensor]:
        """Outputs after a few runs on a stream of their own, as a capture requires (PyTorch, CUDA semantics, CUDA graphs)."""
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP):
                found = forward(self._image)
        torch.cuda.current_stream().wait_stream(stream)
        return found

    def _captured(self, forward: Forward) -> Any:
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                found = forward(self._image)
        except RuntimeError:
            torch.cuda.synchronize()
            return None
        self._found = found
        return graph

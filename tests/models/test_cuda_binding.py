"""The steps of a run on a GPU, in order, with a stand-in for ``torch.cuda``: the numbers of a GPU are those of test_torch_backend.py."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgecnn.errors import BackendError  # noqa: E402 - only where torch is
from edgecnn.models import cuda_binding  # noqa: E402
from edgecnn.models.cuda_binding import CudaBinding  # noqa: E402


class Gpu:
    """Notes what is asked of the GPU; ``replay`` computes what the captured graph would."""

    def __init__(self, *, captures: bool) -> None:
        self.captures, self.asked, self.replay = captures, list[str](), lambda: None

    def cuda(self) -> SimpleNamespace:
        stream = SimpleNamespace(wait_stream=lambda other: None)
        return SimpleNamespace(
            device=lambda device: contextlib.nullcontext(),
            Stream=lambda: stream,
            current_stream=lambda: stream,
            stream=lambda own: contextlib.nullcontext(),
            synchronize=lambda: None,
            graph=self.graph,
            CUDAGraph=lambda: SimpleNamespace(replay=self._replay),
            Event=self.event,
        )

    @contextlib.contextmanager
    def graph(self, _: object) -> Iterator[None]:
        if not self.captures:
            raise RuntimeError("operation not permitted when stream is capturing")
        yield

    def _replay(self) -> None:
        self.asked.append("replay")
        self.replay()

    def event(self, *, enable_timing: bool) -> Any:
        assert enable_timing
        return SimpleNamespace(
            record=lambda: self.asked.append("record"),
            synchronize=lambda: self.asked.append("synchronize"),
            elapsed_time=lambda later: 1.5,
        )


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[CudaBinding, Gpu]]:
    def make(forward: Any, *, captures: bool) -> tuple[CudaBinding, Gpu]:
        gpu = Gpu(captures=captures)
        memory = {name: getattr(torch, name) for name in ("zeros", "empty")}
        stand_in = SimpleNamespace(
            cuda=gpu.cuda(),
            inference_mode=torch.inference_mode,
            from_numpy=torch.from_numpy,
            **{name: lambda *shape, pin_memory, own=own, **more: own(*shape, **more) for name, own in memory.items()},
        )
        monkeypatch.setattr(cuda_binding, "torch", stand_in)
        # a copy, as a transfer to the GPU makes one
        monkeypatch.setattr(torch.Tensor, "to", lambda self, device: self.clone())
        return CudaBinding(forward, (1, 1, 2, 2), torch.device("cpu")), gpu

    return make


def double(image: Any) -> dict[str, Any]:
    return {"y": image * 2}


def test_a_model_that_can_not_be_captured_runs_operator_by_operator(made: Callable[..., tuple[CudaBinding, Gpu]]) -> None:
    binding, gpu = made(double, captures=False)
    assert not binding.is_graph
    for value in (1.0, 3.0):
        binding.inputs["image"][...] = value
        np.testing.assert_array_equal(binding.run()["y"], np.full((1, 1, 2, 2), 2 * value, np.float32))
    assert gpu.asked[:5] == ["record", "record", "record", "record", "synchronize"]


def test_a_captured_graph_is_replayed_on_the_input_that_was_uploaded(made: Callable[..., tuple[CudaBinding, Gpu]]) -> None:
    seen: list[Any] = []

    def forward(image: Any) -> dict[str, Any]:
        seen[:] = [image, image * 2]  # what a graph reads and writes stays at its place
        return {"y": seen[1]}

    binding, gpu = made(forward, captures=True)
    gpu.replay = lambda: seen[1].copy_(seen[0] * 2)
    assert binding.is_graph
    found = binding.run({"image": np.full((1, 1, 2, 2), 5, np.float32)})
    np.testing.assert_array_equal(found["y"], np.full((1, 1, 2, 2), 10, np.float32))
    assert gpu.asked == ["record", "record", "replay", "record", "record", "synchronize"]
    assert binding.spent_ms == {"upload": 1.5, "compute": 1.5, "download": 1.5}


def test_a_failure_of_the_gpu_is_one_line(made: Callable[..., tuple[CudaBinding, Gpu]]) -> None:
    binding, gpu = made(double, captures=True)

    def fail() -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be ...")

    gpu.replay = fail
    with pytest.raises(BackendError, match=r"^the inference by PyTorch failed: CUDA error: an illegal memory access"):
        binding.run()

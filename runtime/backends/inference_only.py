"""Inference alone on inputs that are set once, as other benchmark tools time it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from edgecnn.runtime.backends import Backend
from edgecnn.runtime.backends.io_binding import IoBinding, bind_io
from edgecnn.tensors import check_feeds
from edgecnn.types import Tensors


class Inference(Protocol):
    """A call that runs the model once on the inputs that were set. ``latency_ms``: of the last call as the engine counts it, or None."""

    @property
    def latency_ms(self) -> float | None:
        """Milliseconds by the engine's own count; None where it has none."""
        ...

    def __call__(self) -> object:
        """Run once. Raises what the engine raises."""
        ...


@runtime_checkable
class SupportsInferenceOnly(Protocol):
    """A backend whose engine can run without setting inputs and reading outputs."""

    def inference_only(self, feeds: Tensors) -> Inference:
        """Set the inputs; the returned call is for one thread."""
        ...


class RequestQueue(Protocol):
    """Inferences that one thread starts and the engine's own threads run, on inputs that were set before."""

    def idle(self) -> int:
        """Wait until a request is idle; its number."""
        ...

    def start(self) -> None:
        """Start the idle request."""
        ...

    def latency_ms(self, request: int) -> float:
        """Milliseconds of the last inference of a request by the engine's own count."""
        ...

    def wait(self) -> None:
        """Wait until all requests are idle. Raises ``BackendError``."""
        ...


@runtime_checkable
class SupportsRequestQueue(Protocol):
    """A backend whose engine runs several inferences at the same time in threads of its own."""

    def request_queue(self, feeds: Tensors, count: int) -> RequestQueue:
        """``count`` requests with the same inputs."""
        ...


def request_queue(backend: Backend, feeds: Tensors, count: int) -> RequestQueue | None:
    """``count`` requests with ``feeds`` as their inputs; None where the engine has no threads of its own for them.

    Raises ``BackendError`` for feeds that do not fit.
    """
    if not isinstance(backend, SupportsRequestQueue):
        return None
    check_feeds(feeds, backend.inputs)
    return backend.request_queue(feeds, count)


def inference_only(backend: Backend, feeds: Tensors) -> Inference:
    """Set ``feeds`` once, and return the call that runs the model on them; one for each thread.

    Raises ``BackendError`` for feeds that do not fit.
    """
    if isinstance(backend, SupportsInferenceOnly):
        check_feeds(feeds, backend.inputs)
        return backend.inference_only(feeds)
    return _Bound(bind_io(backend, {name: array.shape for name, array in feeds.items()}), feeds)


class _Bound:
    """A run of bound buffers, for engines that have no smaller step."""

    latency_ms: float | None = None

    def __init__(self, binding: IoBinding, feeds: Tensors) -> None:
        self._run = binding.run
        for name, array in feeds.items():
            binding.inputs[name][...] = array

    def __call__(self) -> object:
        return self._run()

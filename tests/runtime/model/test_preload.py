"""A model that is opened in the background is the one that is used; its errors come where it is asked for."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from edgecnn.errors import BackendError
from edgecnn.runtime.model import preload
from tests.contracts.tiny import Graph, write


def opening_threads() -> int:
    return sum(thread.name == "edgecnn-open" for thread in threading.enumerate())


def test_what_was_begun_is_used_once(tmp_path: Path) -> None:
    path = write(tmp_path, "onnx", Graph({"y": np.ones((1, 3), np.float32)}))
    preload.begin(path, "cpu", None, 1)
    begun = preload._begun[path, "cpu", None, 1]
    first = preload.opened(path, "cpu", None, 1)
    assert first is begun.result()
    second = preload.opened(path, "cpu", None, 1)
    assert second is not first
    assert opening_threads() == 0


def test_another_number_of_requests_is_another_opening(tmp_path: Path) -> None:
    path = write(tmp_path, "onnx", Graph({"y": np.ones((1, 3), np.float32)}))
    preload.begin(path, "cpu", None, 1)
    assert preload.opened(path, "cpu", None, 2).concurrency == 2
    assert preload.opened(path, "cpu", None, 1).concurrency == 1


def test_an_error_is_raised_where_the_model_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"no model")
    preload.begin(path, "cpu", None, 1)
    with pytest.raises(BackendError, match="a model that ONNX Runtime can load"):
        preload.opened(path, "cpu", None, 1)


def test_formats_that_must_open_in_the_callers_thread_wait_for_it(tmp_path: Path) -> None:
    preload.begin(tmp_path / "model.tflite", "cpu", None, 1)
    assert not preload._begun

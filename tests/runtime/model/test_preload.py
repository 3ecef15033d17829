"""A backend that is loaded in the background is the one that is used; its errors are raised where it is opened."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.errors import BackendError
from edgecnn.runtime.model import preload
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.model.preload import BackendPreloader
from edgecnn.types import Classes
from tests.contracts.tiny import Graph, write
from tests.runtime.model.files import classifier


def loading_threads() -> int:
    return sum(thread.name == "edgecnn-preload" for thread in threading.enumerate())


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, str]]:
    """Backends that were opened, each with the name of the thread that did it."""
    found: list[tuple[object, str]] = []
    real = preload.open_checked

    def record(*args: Any, **options: Any) -> object:
        found.append((real(*args, **options), threading.current_thread().name))
        return found[-1][0]

    monkeypatch.setattr(preload, "open_checked", record)
    return found


def test_a_preloaded_backend_is_handed_out_once(tmp_path: Path, opened: list[tuple[object, str]]) -> None:
    path = write(tmp_path, "onnx", Graph({"y": np.ones((1, 3), np.float32)}))
    with BackendPreloader() as preloader:
        preloader.start(path)
        first, second = preloader.open(path), preloader.open(path)
    assert opened == [(first, "edgecnn-preload"), (second, threading.current_thread().name)]
    assert second is not first
    assert loading_threads() == 0


def test_a_predictor_uses_the_preloaded_backend(tmp_path: Path, opened: list[tuple[object, str]]) -> None:
    path = classifier(tmp_path)
    preloader = BackendPreloader()
    preloader.start(path)
    with Predictor(path, preloader=preloader) as predictor:
        assert opened == [(predictor.backend, "edgecnn-preload")]
        answer = predictor(np.zeros((9, 9, 3), np.uint8))
        assert isinstance(answer, Classes)
        assert answer.top1 == 1


def test_another_number_of_requests_is_another_backend(tmp_path: Path) -> None:
    path = write(tmp_path, "onnx", Graph({"y": np.ones((1, 3), np.float32)}))
    with BackendPreloader() as preloader:
        preloader.start(path)
        assert preloader.open(path, requests=2).concurrency == 2
        assert preloader.open(path).concurrency == 1


def test_an_error_is_raised_where_the_backend_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"no model")
    preloader = BackendPreloader()
    preloader.start(path)
    with pytest.raises(
        BackendError, match=r"ONNX Runtime cannot load .*broken\.onnx: Protobuf parsing failed; export or copy the file again"
    ):
        preloader.open(path)


def test_a_backend_that_nobody_took_is_closed(tmp_path: Path, opened: list[tuple[object, str]]) -> None:
    path = write(tmp_path, "onnx", Graph({"y": np.ones((1, 3), np.float32)}))
    with BackendPreloader() as preloader:
        preloader.start(path)
    assert [backend.is_closed for backend, _ in opened] == [True]  # type: ignore[attr-defined]


def test_two_preloaders_share_nothing(tmp_path: Path, opened: list[tuple[object, str]]) -> None:
    path = write(tmp_path, "onnx", Graph({"y": np.ones((1, 3), np.float32)}))
    with BackendPreloader() as one, BackendPreloader() as other:
        one.start(path)
        backend = other.open(path)
        assert backend is not one.open(path)


def test_formats_that_must_load_in_the_callers_thread_are_not_preloaded(tmp_path: Path) -> None:
    with BackendPreloader() as preloader:
        preloader.start(tmp_path / "absent.tflite")
        assert loading_threads() == 0

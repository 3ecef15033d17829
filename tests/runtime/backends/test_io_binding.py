"""Buffers that stay: the same numbers as a plain run, frame after frame, in every engine that is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgecnn.card import Preprocess
from edgecnn.errors import BackendError
from edgecnn.preprocess import Preprocessor, tensor_shape
from edgecnn.runtime.backends import Backend, open_backend
from edgecnn.runtime.backends.io_binding import bind_io
from edgecnn.runtime.testing import FakeBackend
from edgecnn.types import TensorSpec
from tests.contracts.tiny import WRITERS, Graph, write

SHAPE = (1, 6, 8, 3)


def opened(kind: str, folder: Path) -> Backend:
    values = {"a": np.arange(6, dtype=np.float32).reshape(1, 6), "b": np.ones((1, 2, 2), np.float32)}
    return open_backend(write(folder, kind, Graph(values, SHAPE, gain=0.5)))


@pytest.mark.parametrize("kind", list(WRITERS))
def test_what_is_written_into_the_input_is_what_is_run(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    backend = opened(kind, tmp_path)
    name = backend.inputs[0].name
    binding = bind_io(backend, {name: SHAPE})
    for _ in range(3):
        image = rng.integers(0, 256, SHAPE, np.uint8)
        binding.inputs[name][...] = image
        wanted, found = backend.run({name: image}), binding.run()
        assert list(found) == list(wanted)
        for output, array in wanted.items():
            np.testing.assert_array_equal(found[output], array)
    backend.close()


@pytest.mark.parametrize("kind", list(WRITERS))
def test_two_threads_have_buffers_of_their_own(kind: str, tmp_path: Path) -> None:
    backend = opened(kind, tmp_path)
    name = backend.inputs[0].name
    one, other = (bind_io(backend, {name: SHAPE}) for _ in range(2))
    one.inputs[name][...] = 0
    other.inputs[name][...] = 200
    dark, bright = one.run(), other.run()
    assert all((dark[key] < bright[key]).any() for key in dark)
    backend.close()


@pytest.mark.parametrize("kind", list(WRITERS))
def test_buffers_end_with_their_model(kind: str, tmp_path: Path) -> None:
    backend = opened(kind, tmp_path)
    binding = bind_io(backend, {backend.inputs[0].name: SHAPE})
    backend.close()
    with pytest.raises(BackendError, match="the model is closed; open it again"):
        binding.run()


def test_a_backend_without_buffers_gets_arrays_beside_it() -> None:
    backend = FakeBackend((TensorSpec("x", SHAPE, "uint8", "NHWC"),), {"y": np.ones((1, 3), np.float32)})
    binding = bind_io(backend, {"x": SHAPE})
    assert binding.inputs["x"].shape == SHAPE
    np.testing.assert_array_equal(binding.run()["y"], np.ones((1, 3)))


@pytest.mark.parametrize(("layout", "dtype"), [("NHWC", "uint8"), ("NCHW", "uint8"), ("NCHW", "float32"), ("NCHW", "float16")])
def test_frames_go_straight_into_the_buffer_of_an_engine(layout: str, dtype: str) -> None:
    preprocess = Preprocess((8, 10), mean=(0.0,), std=(1.0,), color="bgr")
    spec = TensorSpec("x", (1, 8, 10, 3) if layout == "NHWC" else (1, 3, 8, 10), dtype, layout)
    own = np.full(tensor_shape(preprocess, spec), 7, dtype)
    image = np.random.default_rng(0).integers(0, 256, (16, 20, 3), np.uint8)
    feeds, _ = Preprocessor(preprocess, spec, own)(image)
    assert feeds["x"] is own
    np.testing.assert_array_equal(own, Preprocessor(preprocess, spec)(image)[0]["x"])
    assert own.max() > 100


FIRST_TOGETHER = """
import sys, threading
from edgecnn.runtime.backends import open_backend
from edgecnn.runtime.backends.io_binding import bind_io
backend = open_backend(sys.argv[1], requests=4)
begin = threading.Barrier(4)
def first():
    begin.wait()
    binding = bind_io(backend, {"image": (1, 6, 8, 3)})
    binding.run(), binding.run()
threads = [threading.Thread(target=first, daemon=True) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join(20) for thread in threads]
print([thread.is_alive() for thread in threads])
import os; sys.stdout.flush(); os._exit(0)
"""


@pytest.mark.parametrize("kind", list(WRITERS))
def test_threads_that_are_first_in_a_process_do_not_wait_for_each_other(kind: str, tmp_path: Path) -> None:
    path = write(tmp_path, kind, Graph({"y": np.ones((1, 3), np.float32)}, SHAPE))
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", FIRST_TOGETHER, str(path)], capture_output=True, text=True, timeout=60, check=True
        )
        assert done.stdout.strip() == "[False, False, False, False]"

"""What every backend must do: one test class, inherited for each engine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.errors import BackendError, EdgeCnnError, InputError
from edgecnn.runtime.backends import Backend, open_backend

Array = np.ndarray[Any, Any]


@dataclass
class Tiny:
    """A model file, an input for it made from a seed, what it must give, and a text that must be in its metadata."""

    path: Path
    sample: Callable[[int], Array]
    expected: Callable[[Array], dict[str, Array]]
    metadata: tuple[str, str]
    has_gpu: bool = False


def one_line(error: EdgeCnnError) -> bool:
    return "\n" not in str(error) and len(str(error)) < 600 and bool(error.problem and error.fix)


class BackendContract:
    """Inherit and give the fixture ``tiny``."""

    @pytest.fixture
    def backend(self, tiny: Tiny) -> Any:
        opened = open_backend(tiny.path)
        yield opened
        opened.close()

    def feed(self, backend: Backend, array: Array) -> dict[str, Array]:
        return {backend.inputs[0].name: array}

    def test_is_a_backend(self, backend: Backend) -> None:
        assert isinstance(backend, Backend)
        assert backend.concurrency == 1

    def test_declares_its_tensors(self, backend: Backend, tiny: Tiny) -> None:
        sample = tiny.sample(0)
        (spec,) = backend.inputs
        assert (spec.shape, spec.dtype) == (sample.shape, sample.dtype.name)
        assert spec.layout in ("NCHW", "NHWC")
        assert {s.name: (s.shape, s.dtype) for s in backend.outputs} == {
            name: (array.shape, array.dtype.name) for name, array in tiny.expected(sample).items()
        }

    def test_shows_the_texts_inside_the_file(self, backend: Backend, tiny: Tiny) -> None:
        key, text = tiny.metadata
        assert backend.metadata[key] == text

    def test_gives_the_right_numbers(self, backend: Backend, tiny: Tiny) -> None:
        for seed in range(3):
            sample = tiny.sample(seed)
            outputs = backend.run(self.feed(backend, sample))
            expected = tiny.expected(sample)
            assert outputs.keys() == expected.keys()
            for name, array in expected.items():
                np.testing.assert_allclose(outputs[name], array, rtol=1e-4, atol=1e-4)

    def test_outputs_belong_to_the_caller(self, backend: Backend, tiny: Tiny) -> None:
        first = backend.run(self.feed(backend, tiny.sample(1)))
        kept = {name: array.copy() for name, array in first.items()}
        backend.run(self.feed(backend, tiny.sample(2)))
        for name, array in first.items():
            np.testing.assert_array_equal(array, kept[name])
            np.add(array, 1, out=array)
        again = backend.run(self.feed(backend, tiny.sample(1)))
        for name, array in again.items():
            np.testing.assert_array_equal(array, kept[name])

    def test_leaves_the_input_alone(self, backend: Backend, tiny: Tiny) -> None:
        sample = tiny.sample(3)
        backend.run(self.feed(backend, sample))
        np.testing.assert_array_equal(sample, tiny.sample(3))

    @pytest.mark.parametrize(
        "wrong",
        [
            pytest.param(lambda name, x: {}, id="nothing"),
            pytest.param(lambda name, x: {"other": x}, id="name"),
            pytest.param(lambda name, x: {name: x, "other": x}, id="one-too-many"),
            pytest.param(lambda name, x: {name: x[:, 1:]}, id="shape"),
            pytest.param(lambda name, x: {name: x[0]}, id="rank"),
            pytest.param(lambda name, x: {name: x.astype(np.float64)}, id="dtype"),
        ],
    )
    def test_refuses_feeds_that_do_not_fit(self, backend: Backend, tiny: Tiny, wrong: Any) -> None:
        with pytest.raises(BackendError) as caught:
            backend.run(wrong(backend.inputs[0].name, tiny.sample(0)))
        assert one_line(caught.value)

    def test_several_threads_run_at_once(self, tiny: Tiny) -> None:
        backend = open_backend(tiny.path, threads=2, requests=3)
        assert 1 <= backend.concurrency <= 3
        failures: list[object] = []

        def work(seed: int) -> None:
            sample = tiny.sample(seed)
            expected = tiny.expected(sample)
            for _ in range(20):
                outputs = backend.run(self.feed(backend, sample))
                failures.extend(name for name in expected if not np.allclose(outputs[name], expected[name], rtol=1e-4, atol=1e-4))

        workers = [threading.Thread(target=work, args=(seed,)) for seed in range(backend.concurrency)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(timeout=60)
        backend.close()
        assert not failures
        assert not any(worker.is_alive() for worker in workers)

    def test_is_closed_once_and_for_all(self, tiny: Tiny) -> None:
        backend = open_backend(tiny.path)
        backend.close()
        backend.close()
        with pytest.raises(BackendError) as caught:
            backend.run(self.feed(backend, tiny.sample(0)))
        assert one_line(caught.value)

    def test_a_gpu_that_is_not_there(self, tiny: Tiny) -> None:
        if tiny.has_gpu:
            pytest.skip("this machine has one")
        with pytest.raises(BackendError, match="--device cpu") as caught:
            open_backend(tiny.path, "gpu")
        assert one_line(caught.value)

    def test_auto_falls_back(self, tiny: Tiny) -> None:
        backend = open_backend(tiny.path, "auto")
        assert backend.run(self.feed(backend, tiny.sample(0)))
        backend.close()

    def test_is_silent(self, tiny: Tiny, capfd: pytest.CaptureFixture[str]) -> None:
        backend = open_backend(tiny.path)
        backend.run(self.feed(backend, tiny.sample(0)))
        backend.close()
        assert capfd.readouterr() == ("", "")

    def test_missing_and_empty_files(self, tiny: Tiny, tmp_path: Path) -> None:
        empty = tmp_path / f"empty{tiny.path.suffix}"
        empty.touch()
        for path in (empty, tmp_path / f"missing{tiny.path.suffix}"):
            with pytest.raises(InputError) as caught:
                open_backend(path)
            assert one_line(caught.value)
            assert str(path) in str(caught.value)

    @pytest.mark.parametrize("kept", [1, 4, 9, 40, 50, 90, 99], ids=lambda percent: f"{percent}%")
    def test_truncated_files(self, tiny: Tiny, tmp_path: Path, kept: int) -> None:
        whole = tiny.path.read_bytes()
        cut = tmp_path / tiny.path.name
        cut.write_bytes(whole[: max(len(whole) * kept // 100, 1)])
        with pytest.raises(EdgeCnnError) as caught:
            open_backend(cut)
        assert one_line(caught.value)

    def test_files_that_are_no_models(self, tiny: Tiny, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        path = tmp_path / f"noise{tiny.path.suffix}"
        for content in (np.random.default_rng(0).bytes(5000), b"hello", b"<html></html>", b"\0" * 100):
            path.write_bytes(content)
            with pytest.raises(EdgeCnnError) as caught:
                open_backend(path)
            assert one_line(caught.value)
        assert capfd.readouterr() == ("", "")

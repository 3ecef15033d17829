"""Files that take several images at once, run with one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from edgecnn.runtime.backends import open_backend
from edgecnn.runtime.backends.io_binding import bind_io
from edgecnn.runtime.backends.one_image import batch_of, one_image
from edgecnn.types import Array, Tensors, TensorSpec
from tests.contracts.tiny import WRITERS, Graph, write


class RowSums:
    """Takes three images of 2 x 2 gray pixels, gives the sum of each; row ``wrong`` gives 99."""

    inputs = (TensorSpec("image", (3, 2, 2, 1), "uint8", "NHWC"),)
    outputs = (TensorSpec("sum", (3, 1), "float32"), TensorSpec("fixed", (5, 1), "float32"))
    metadata: Mapping[str, str] = MappingProxyType({})
    concurrency = 1

    def __init__(self, wrong: int = -1) -> None:
        self.wrong, self.fed = wrong, list[Array]()

    def run(self, feeds: Tensors) -> dict[str, Any]:
        self.fed.append(feeds["image"])
        sums = feeds["image"].astype(np.float32).sum(axis=(1, 2, 3)).reshape(3, 1)
        if self.wrong >= 0:
            sums[self.wrong] = 99
        return {"sum": sums, "fixed": np.ones((5, 1), np.float32)}

    def close(self) -> None:
        self.wrong = -2


def image(value: int) -> Array:
    return np.full((1, 2, 2, 1), value, np.uint8)


def test_each_image_gets_its_own_result_from_the_next_row() -> None:
    backend = RowSums()
    single = one_image(backend)
    assert [spec.shape for spec in single.outputs] == [(1, 1), (5, 1)]
    found = [single.run({"image": image(value)})["sum"].item() for value in (1, 2, 3, 4)]
    assert found == [4, 8, 12, 16]
    # the row moves, and the others hold another image
    assert [[int(row.max()) for row in fed] for fed in backend.fed] == [[1, 0, 0], [1, 2, 1], [2, 2, 3], [4, 3, 3]]


def test_a_wrong_row_is_seen() -> None:
    single = one_image(RowSums(wrong=2))
    assert [single.run({"image": image(1)})["sum"].item() for _ in range(3)] == [4, 4, 99]


def test_bound_buffers_hold_the_image_in_the_first_row() -> None:
    binding = bind_io(one_image(RowSums()), {"image": (1, 2, 2, 1)})
    binding.inputs["image"][:] = 5
    assert binding.run()["sum"].tolist() == [[20]]


def test_closes_the_file() -> None:
    backend = RowSums()
    one_image(backend).close()
    assert backend.wrong == -2


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize(("batch", "rows"), [(1, 0), (2, 0), (-1, 0), (-1, 3)])
def test_real_files(tmp_path: Path, kind: str, batch: int, rows: int) -> None:
    if kind == "tflite" and batch == -1:
        pytest.skip("TFLite files with a free batch are not made")
    graph = Graph({"logits": np.arange(max(batch, 1) * 2, dtype=np.float32).reshape(-1, 2)}, (batch, 8, 8, 3), gain=0)
    backend = open_backend(write(tmp_path, kind, graph))
    assert batch_of(backend) == batch
    single = one_image(backend, rows)
    assert (single is backend) == (batch == 1 or (batch, rows) == (-1, 0))
    assert single.run({"image": np.zeros((1, 8, 8, 3), np.uint8)})["logits"].tolist() == [[0, 1]]
    single.close()

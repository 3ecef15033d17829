"""Only an image input has a layout; an output of the same shape has none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecnn.runtime.backends import open_backend
from tests.contracts.tiny import WRITERS, Graph, write


@pytest.mark.parametrize("kind", list(WRITERS))
def test_an_output_has_no_layout(kind: str, tmp_path: Path) -> None:
    outputs = {"heat": np.zeros((1, 6, 8, 3), np.float32)}
    backend = open_backend(write(tmp_path, kind, Graph(outputs, (1, 6, 8, 3))))
    assert [spec.layout for spec in backend.inputs] == ["NHWC"]
    assert [spec.layout for spec in backend.outputs] == [""]
    backend.close()

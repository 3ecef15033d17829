"""Damaged files: whatever an engine's Python binding raises for them is one error of edgecnn."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgecnn.errors import ArtifactError, BackendError
from edgecnn.runtime.backends import open_backend
from edgecnn.runtime.backends.io_binding import bind_io
from tests.contracts.tiny import Graph, _field, write

GRAPH = Graph({"out": np.zeros((1, 4), np.float32)}, metadata={"edgecnn.card": "a text"})


def test_onnx_metadata_that_is_no_utf_8_is_one_line(tmp_path: Path) -> None:
    path = write(tmp_path, "onnx", GRAPH)
    path.write_bytes(path.read_bytes() + _field(14, _field(1, "note") + _field(2, b"\xff\xfe")))
    with pytest.raises(BackendError, match=r"^ONNX Runtime cannot load .*tiny\.onnx: its metadata or a name in it is not UTF-8"):
        open_backend(path)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        pytest.param(lambda end: end[:12] + b"\xff\xff\xff\x7f" + end[16:], "damaged|truncated", id="size-of-directory"),
        pytest.param(lambda end: end[:16] + b"\xff\xff\xff\x7f" + end[20:], "damaged|truncated", id="place-of-directory"),
        pytest.param(lambda end: end[:8], "truncated", id="cut"),
    ],
)
def test_a_tflite_zip_with_a_damaged_end_is_one_line(tmp_path: Path, damage: Callable[[bytes], bytes], problem: str) -> None:
    path = write(tmp_path, "tflite", GRAPH)
    data = path.read_bytes()
    end = data.rindex(b"PK\x05\x06")
    path.write_bytes(data[:end] + damage(data[end:]))
    with pytest.raises((BackendError, ArtifactError), match=problem) as error:
        open_backend(path)
    assert "\n" not in str(error.value)


def test_a_card_in_a_tflite_file_that_is_no_text_is_not_overlooked(tmp_path: Path) -> None:
    """The file would be used as one of another tool."""
    path = write(tmp_path, "tflite", Graph(GRAPH.outputs))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("picture.png", b"\xff\xff")
        archive.writestr("edgecnn.card", b"\xff\xff")
    with pytest.raises(BackendError, match=r"the metadata of .* is damaged: edgecnn\.card can't be read"):
        open_backend(path)


def test_a_text_in_a_tflite_zip_that_unpacks_to_all_memory_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, "tflite", Graph(GRAPH.outputs, metadata={"note": ""}))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("note", "a text")
        archive.writestr("bomb", bytes((1 << 26) + 1))
    path.write_bytes(path.read_bytes()[: path.read_bytes().index(b"PK\x03\x04")] + buffer.getvalue())
    backend = open_backend(path)
    assert dict(backend.metadata) == {"note": "a text"}
    backend.close()


def test_buffers_that_no_machine_has_are_one_line(tmp_path: Path) -> None:
    path = write(tmp_path, "onnx", Graph({"out": np.zeros((1, 4), np.float32)}, shape=(1, -1, -1, 3)))
    backend = open_backend(path)
    with pytest.raises(BackendError):
        bind_io(backend, {"image": (1, 1 << 30, 1 << 30, 3)})
    backend.close()

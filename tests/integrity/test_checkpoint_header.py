"""The header of a checkpoint: another text leaves the tensors as they are, and a broken file is one line."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from edgecnn.errors import ArtifactError
from edgecnn.integrity.checkpoint_header import read_header, texts, with_text

TENSORS = bytes(range(8))
HEADER = {"__metadata__": {"card": "old", "more": "kept"}, "w": {"dtype": "U8", "shape": [8], "data_offsets": [0, 8]}}


def written(path: Path, header: bytes) -> Path:
    path.write_bytes(struct.pack("<Q", len(header)) + header + TENSORS)
    return path


def test_another_text_leaves_the_tensors_as_they_are(tmp_path: Path) -> None:
    path = written(tmp_path / "m.safetensors", json.dumps(HEADER).encode())
    path.write_bytes(with_text(path, "card", "a new one, which is longer"))
    header = read_header(path)
    assert texts(header) == {"card": "a new one, which is longer", "more": "kept"}
    assert header["w"] == HEADER["w"]
    assert path.read_bytes().endswith(TENSORS)
    assert (path.stat().st_size - len(TENSORS)) % 8 == 0
    numpy = pytest.importorskip("safetensors.numpy")
    assert numpy.load_file(path)["w"].tolist() == list(TENSORS)


@pytest.mark.parametrize("header", [b"[1]", b"{", b'{"__metadata__":{}} '])
def test_a_broken_header_is_one_line(tmp_path: Path, header: bytes) -> None:
    path = written(tmp_path / "m.safetensors", header)
    if header.endswith(b" "):
        assert not texts(read_header(path))
        path.write_bytes(path.read_bytes()[:12])
    with pytest.raises(ArtifactError, match="is broken"):
        read_header(path)

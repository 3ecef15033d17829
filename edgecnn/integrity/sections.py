"""Takes a model file apart into its body (graph and weights) and its texts (card, goldens, digest, signature), and puts it together.

For each format there is one place and one encoding for the texts. A file whose texts are not in that form is not ``canonical``;
so every byte of a canonical file belongs either to its body or to a text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import BinaryIO, Protocol

PREFIX = "edgecnn."
DIGEST_KEY = "edgecnn.digest"
SIGNATURE_KEY = "edgecnn.signature"
LAST = (DIGEST_KEY, SIGNATURE_KEY)  # they depend on the other texts

_MODULES = {
    ".onnx": "edgecnn.integrity.onnx_file",
    ".xml": "edgecnn.integrity.openvino_file",
    ".tflite": "edgecnn.integrity.tflite_file",
    ".pte": "edgecnn.integrity.tflite_file",  # a FlatBuffer, too
}


class BrokenFileError(ValueError):
    """A file that can't be taken apart; the message says why."""


@dataclass(frozen=True, slots=True)
class Sections:
    """The parts of one file: ``body`` as (start, end) byte ranges, ``texts`` by key in their order in the file."""

    body: tuple[tuple[int, int], ...]
    texts: Mapping[str, bytes]
    canonical: bool


class FileFormat(Protocol):
    """What the module of a format provides."""

    def split(self, file: BinaryIO) -> Sections:
        """Take a file apart. Raises ``BrokenFileError``."""
        ...

    def join(self, body: bytes, texts: Mapping[str, bytes]) -> bytes:
        """The bytes of a canonical file."""
        ...

    def prepared(self, body: bytes) -> bytes:
        """A body of another tool, with the place that ``join`` needs. Raises ``BrokenFileError``."""
        ...

    def companions(self, path: Path, body: bytes | None) -> dict[str, Path]:
        """Other files with weights of this model, by a name that does not depend on where they are.

        ``body`` is the body where it was read because it may name such files, else None.
        """
        ...


def has_sections(path: Path) -> bool:
    """Whether the format of a file, by its suffix, can hold a digest."""
    return path.suffix.lower() in _MODULES


def format_of(path: Path) -> FileFormat:
    """The module for the format of a file."""
    module: FileFormat = import_module(_MODULES[path.suffix.lower()])
    return module


def split(path: Path) -> Sections:
    """Take the file at ``path`` apart. Raises ``BrokenFileError`` and ``OSError``."""
    with path.open("rb") as file:
        return format_of(path).split(file)


def read_body(path: Path, sections: Sections) -> bytes:
    """The whole body of a file. Raises ``OSError``."""
    with path.open("rb") as file:
        return b"".join(read_range(file, start, end) for start, end in sections.body)


def read_range(file: BinaryIO, start: int, end: int) -> bytes:
    """The bytes from ``start`` to ``end``. Raises ``BrokenFileError`` where the file ends before."""
    if not 0 <= start <= end:
        raise BrokenFileError("a part has a negative length")
    file.seek(start)
    data = file.read(end - start)
    if len(data) < end - start:
        raise BrokenFileError("it ends within a part")
    return data


def size_of(file: BinaryIO) -> int:
    """The number of bytes of an open file."""
    return file.seek(0, 2)


def ordered(texts: Mapping[str, bytes]) -> dict[str, bytes]:
    """The texts in the order of a canonical file: digest and signature are the last ones."""
    return {
        **{key: text for key, text in texts.items() if key not in LAST},
        **{key: texts[key] for key in LAST if key in texts},
    }

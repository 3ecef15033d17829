"""Reads the texts in an ONNX file for engines that do not show them."""

from __future__ import annotations

from pathlib import Path

from edgecnn.integrity.onnx_file import KEY, METADATA_PROPS, VALUE
from edgecnn.integrity.protobuf import fields, file_fields
from edgecnn.integrity.sections import BrokenFileError, read_range, size_of


def onnx_texts(path: Path) -> dict[str, str]:
    """The entries of ``metadata_props`` by key; bytes that are not UTF-8 are replaced. Raises ``BrokenFileError`` and ``OSError``."""
    texts: dict[str, str] = {}
    with path.open("rb") as file:
        for number, _, start, end in file_fields(file, size_of(file)):
            if number != METADATA_PROPS:
                continue
            data = read_range(file, start, end)
            entry = {key: data[content:stop].decode(errors="replace") for key, _, content, stop in fields(data)}
            if KEY not in entry:
                raise BrokenFileError("a text in it has no key")
            texts[entry[KEY]] = entry.get(VALUE, "")
    return texts

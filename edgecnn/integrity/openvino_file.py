"""OpenVINO IR: the texts are the element ``edgecnn`` at the end of ``rt_info`` in the .xml; the rest and the .bin are the body."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from edgecnn.integrity.sections import PREFIX, BrokenFileError, Sections, ordered, read_range, size_of

_START, _END = b"<edgecnn>", b"</edgecnn>"
_INFO_END, _NET_END = b"</rt_info>", b"</net>"
_ITEM = re.compile(rb'<([A-Za-z_][\w-]*) value="([^"<>]*)"\s*/>')
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
_LETTERS = {escape: letter for letter, escape in _ESCAPES.items()}


def split(file: BinaryIO) -> Sections:
    """Take a file apart. Raises ``BrokenFileError``."""
    size = size_of(file)
    data = read_range(file, 0, size)
    start = data.rfind(_START)
    end = data.find(_END, start) + len(_END)
    if start < 0 or end < start:
        return Sections(((0, size),), {}, True)
    texts = {f"{PREFIX}{name.decode()}": _unescaped(value) for name, value in _ITEM.findall(data, start, end)}
    return Sections(((0, start), (end, size)), texts, data == join(data[:start] + data[end:], ordered(texts)))


def join(body: bytes, texts: Mapping[str, bytes]) -> bytes:
    """The bytes of a canonical file."""
    if not texts:
        return body
    place = body.rfind(_INFO_END)
    if place < 0 or not body[place + len(_INFO_END) :].lstrip().startswith(_NET_END):
        raise BrokenFileError("it has no element rt_info at its end")
    return body[:place] + _packed(texts) + body[place:]


def prepared(body: bytes) -> bytes:
    """The same XML with an element ``rt_info`` at its end, which ``join`` needs. Raises ``BrokenFileError``."""
    place = body.rfind(_NET_END)
    if place < 0:
        raise BrokenFileError("it has no element net")
    return body if body[:place].rstrip().endswith(_INFO_END) else body[:place] + b"<rt_info>" + _INFO_END + body[place:]


def companions(path: Path, body: bytes | None) -> dict[str, Path]:
    """The weights: the .bin file beside the .xml."""
    del body
    return {"bin": path.with_suffix(".bin")}


def _unescaped(value: bytes) -> bytes:
    try:
        return re.sub("&[^;]*;", lambda found: _LETTERS.get(found[0], found[0]), value.decode()).encode()
    except UnicodeDecodeError as error:
        raise BrokenFileError("its rt_info is no UTF-8 text") from error


def _packed(texts: Mapping[str, bytes]) -> bytes:
    items = [f'<{key.removeprefix(PREFIX)} value="{_escaped(text.decode())}" />' for key, text in texts.items()]
    return _START + "".join(items).encode() + _END


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(letter, letter) for letter in text)

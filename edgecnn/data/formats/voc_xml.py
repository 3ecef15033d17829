"""Reads one Pascal VOC XML file: the stated size of the image, and its objects with the lines where they begin."""

from __future__ import annotations

import codecs
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

CORNERS = ("xmin", "ymin", "xmax", "ymax")
# The names from the root on of the elements that are read.
OBJECT, BOX, SIZE, FILE = ("object",), ("object", "bndbox"), ("size",), ("filename",)
LABEL, DIFFICULT = ("object", "name"), ("object", "difficult")
ROOT = re.compile(rb"<annotation[\s>]")
DEPTH = 100
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class XmlError(ValueError):
    """The file is not XML, or not such as VOC's tools write it; the message is a short reason."""


@dataclass(slots=True)
class VocObject:
    """The text of one <object>, "" where a part is missing, and the line where it begins."""

    line: int
    name: str = ""
    corners: dict[str, str] = field(default_factory=dict)
    difficult: str = ""


@dataclass(slots=True)
class VocFile:
    """The objects of one image, its ``size`` as (width, height) in pixels, None where it is not stated or zero, and its file name."""

    objects: list[VocObject] = field(default_factory=list)
    size: tuple[float, float] | None = None
    image: str = ""


def looks_like_voc(file: Path) -> bool:
    """Whether a file begins like a VOC annotation; also in UTF-16, whose ASCII characters are zero bytes in turn."""
    with file.open("rb") as stream:
        head = stream.read(4096).replace(b"\0", b"")
    return ROOT.search(head) is not None


def read_voc(data: bytes) -> VocFile:
    """Parse the bytes of a file; raises ``XmlError`` where it is not XML, declares a document type or is nested too deeply."""
    text = _text(data).strip()
    if not text:
        raise XmlError("an empty file")
    reader = _VocReader()
    try:
        reader.parser.Parse(text, True)
    except expat.ExpatError as error:
        raise XmlError(f"no XML that can be read ({error})") from None
    return VocFile(reader.objects, _size(reader.size), reader.image)


def _text(data: bytes) -> str:
    if data.startswith(UTF_16):  # as some Windows tools save XML
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # older tools write the code page of Windows; the declaration of an encoding is often wrong
        return data.decode("cp1252", errors="replace")


class _VocReader:
    """Collects objects and size; a DTD is refused, because its entities may expand without bound."""

    def __init__(self) -> None:
        self.objects: list[VocObject] = []
        self.size: dict[str, str] = {}
        self.image = ""
        self._path: list[str] = []
        self._text: list[str] = []
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._add
        self.parser.StartDoctypeDeclHandler = _refuse_document_type

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._path.append(name)
        self._text = []
        if len(self._path) > DEPTH:
            raise XmlError(f"elements in elements more than {DEPTH} deep")
        if self._inside() == OBJECT:
            self.objects.append(VocObject(self.parser.CurrentLineNumber))

    def _add(self, text: str) -> None:
        self._text.append(text)

    def _end(self, name: str) -> None:
        inside, text = self._inside(), "".join(self._text).strip()
        self._path.pop()
        self._text = []
        # the first value counts where an element occurs twice
        if inside == LABEL:
            self.objects[-1].name = self.objects[-1].name or text
        elif inside == DIFFICULT:
            self.objects[-1].difficult = self.objects[-1].difficult or text
        elif inside[:-1] == BOX and name in CORNERS:
            self.objects[-1].corners.setdefault(name, text)
        elif inside == FILE:
            self.image = self.image or text
        elif inside[:-1] == SIZE:
            self.size.setdefault(name, text)

    def _inside(self) -> tuple[str, ...]:
        return tuple(self._path[1:])


def _refuse_document_type(*declared: object) -> None:
    raise XmlError("a document type declaration (DOCTYPE), which is not read")


def _size(stated: dict[str, str]) -> tuple[float, float] | None:
    """Some tools write zeros where they do not know the size."""
    try:
        width, height = float(stated.get("width", "")), float(stated.get("height", ""))
    except ValueError:
        return None
    return (width, height) if 0 < width < math.inf and 0 < height < math.inf else None

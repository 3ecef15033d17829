"""The digests of a model file: SHA-256 of graph and weights, and SHA-256 of that digest with all texts.

The first is the field ``graph_sha256`` of the card. For ONNX and TFLite it is SHA-256 of the body (``head -c`` and ``sha256sum`` give
the same); with further files of weights it is SHA-256 of the digests of the body, of each name and of each file.
The second is the text ``edgecnn.digest``. It covers every text but itself and the signature.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgecnn.card import CARD_KEY, ModelCard
from edgecnn.errors import ArtifactError
from edgecnn.integrity.sections import (
    DIGEST_KEY,
    LAST,
    PREFIX,
    SIGNATURE_KEY,
    BrokenFileError,
    Sections,
    format_of,
    has_sections,
    ordered,
    read_body,
    split,
)

CHUNK = 1 << 18  # bytes that are read at a time
AGAIN = "export the model or copy its file again"
_MARK = b"edgecnn"  # in every file with a card
LOCATION = b"location"  # by which ONNX names files of external data
_VERSION = "1:"  # of the definition above, before the digest in hexadecimal


@dataclass(frozen=True, slots=True)
class Digests:
    """What a whole file says: SHA-256 of graph and weights, and the text of the digest of everything."""

    graph: str
    whole: str


def check_digests(path: Path) -> Digests | None:
    """Compare a model file with the digests inside; None for a file that holds none.

    Raises ``ArtifactError`` for a file that has changed, and for one whose texts are damaged.
    """
    if not has_sections(path):
        return None
    try:
        return _checked(path, split(path))
    except BrokenFileError as error:
        # A file of another tool is judged by the engine, which knows more about it.
        if _MARK not in path.read_bytes():
            return None
        raise ArtifactError(f"{path} is damaged: {error}", AGAIN) from error
    except OSError as error:
        raise ArtifactError(f"{path} can't be read: {(error.strerror or str(error)).lower()}", AGAIN) from error


def sealed(path: Path, card: ModelCard | None, texts: Mapping[str, str | bytes]) -> tuple[ModelCard | None, bytes]:
    """The card and the bytes of the file at ``path`` with new texts, the digests included; its body stays as it is.

    Raises ``BrokenFileError`` for a file that can't be taken apart, and ``OSError``.
    """
    card, body, written = sealed_parts(path, card, texts)
    return card, format_of(path).join(body, ordered(written))


def sealed_parts(
    path: Path, card: ModelCard | None, texts: Mapping[str, str | bytes]
) -> tuple[ModelCard | None, bytes, dict[str, bytes]]:
    """``sealed`` before its parts are joined: card, body and all texts."""
    body = format_of(path).prepared(read_body(path, split(path)))
    graph = _combined(path, hashlib.sha256(body).digest(), body if LOCATION in body else None)
    written: dict[str, bytes] = {}
    if card is not None:
        card = card.replace(graph_sha256=graph)
        written[CARD_KEY] = card.to_json().encode()
    written |= {key: text.encode() if isinstance(text, str) else text for key, text in texts.items()}
    return card, body, {**written, DIGEST_KEY: whole_digest(graph, written).encode()}


def graph_sha256(path: Path, sections: Sections, is_expected: Callable[[str], bool] = lambda _: False) -> str:
    """SHA-256 of graph and weights of the file at ``path``. Raises ``BrokenFileError`` and ``OSError``.

    ``is_expected`` says of a digest that the file holds it; then the body need not be searched for names of further files: the same
    bytes were searched when the digest was written.
    """
    digest = _body_digest(path, sections)
    graph = _combined(path, digest, None)
    if is_expected(graph):
        return graph
    body = read_body(path, sections)
    return _combined(path, digest, body) if LOCATION in body else graph


def whole_digest(graph: str, texts: Mapping[str, bytes]) -> str:
    """The text of the digest of all texts, ``graph`` included."""
    total = hashlib.sha256(graph.encode())
    for key, text in texts.items():
        if key not in LAST:
            total.update(hashlib.sha256(key.encode()).digest() + hashlib.sha256(text).digest())
    return f"{_VERSION}{total.hexdigest()}"


def _checked(path: Path, sections: Sections) -> Digests | None:
    texts = {key: text for key, text in sections.texts.items() if key.startswith(PREFIX)}
    promised = _promised(texts.get(CARD_KEY, b""))
    if DIGEST_KEY not in texts:
        if promised:
            raise ArtifactError(f"{path} has lost the digest of its card and goldens", AGAIN)
        return None
    stored = texts[DIGEST_KEY].decode(errors="replace")
    graph = graph_sha256(path, sections, lambda found: whole_digest(found, sections.texts) == stored)
    if promised and promised != graph:
        raise ArtifactError(
            f"the weights of {path} are not those that were verified: SHA-256 {graph[:16]}..., expected {promised[:16]}...", AGAIN
        )
    found = whole_digest(graph, sections.texts)
    if stored != found:
        raise ArtifactError(f"the card or the goldens of {path} are not those that were written into it", AGAIN)
    if not sections.canonical:
        raise ArtifactError(f"the metadata of {path} was damaged, or written by another program", AGAIN)
    if SIGNATURE_KEY in texts:
        from edgecnn.integrity import signature_text  # here, since most files have no signature and base64 takes a millisecond

        signature_text.decode(texts[SIGNATURE_KEY])
    return Digests(graph, found)


def _promised(card: bytes) -> str:
    """The digest of graph and weights that a card holds; "" where it holds none or can't be read, which the other digest notices."""
    try:
        value = json.loads(card)["graph_sha256"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return value if isinstance(value, str) else ""


def _body_digest(path: Path, sections: Sections) -> bytes:
    """SHA-256 of the body."""
    total, buffer = hashlib.sha256(), memoryview(bytearray(CHUNK))
    with path.open("rb", buffering=0) as file:
        for start, end in sections.body:
            file.seek(start)
            rest = end - start
            while rest:
                read = file.readinto(buffer[:rest])
                if not read:
                    raise BrokenFileError("it ends within a part")
                total.update(buffer[:read])
                rest -= read
    return total.digest()


def _combined(path: Path, body_digest: bytes, body: bytes | None) -> str:
    files = format_of(path).companions(path, body)
    if not files:
        return body_digest.hex()
    total = hashlib.sha256(body_digest)
    for name, file in files.items():
        total.update(hashlib.sha256(name.encode()).digest() + _file_digest(file))
    return total.hexdigest()


def _file_digest(path: Path) -> bytes:
    """SHA-256 of a file; that of no bytes for a missing one, since a graph without weights needs none."""
    total, buffer = hashlib.sha256(), memoryview(bytearray(CHUNK))
    if path.exists():
        with path.open("rb", buffering=0) as file:
            while read := file.readinto(buffer):
                total.update(buffer[:read])
    return total.digest()

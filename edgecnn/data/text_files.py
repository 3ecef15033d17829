"""Reads text files of a dataset: lists of images and tables."""

from __future__ import annotations

from pathlib import Path

from edgecnn.errors import InputError
from edgecnn.text_files import decode_text

MOST_BYTES = 256 << 20  # the names of ten million images


def read_text(path: Path, what: str) -> str:
    """The text of a file in UTF-8, or in UTF-16 as some Windows editors save it, without byte order mark.

    Raises ``InputError``, which names the file by ``what``, where it can't be read, is too large or is not text.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{what} is larger than {MOST_BYTES >> 20} MiB", "divide it")
        text = decode_text(path.read_bytes())
    except UnicodeDecodeError as error:
        raise InputError(f"{what} is not UTF-8 text", "save it as UTF-8") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"can't read {what}: {reason}", "correct the path") from error
    if "\0" in text:
        raise InputError(f"{what} is not text: it contains zero bytes", "save it as UTF-8")
    return text


def read_lines(path: Path, what: str) -> dict[int, str]:
    """The lines of a text file that are not blank, by number from 1; raises as ``read_text`` does."""
    lines = enumerate(read_text(path, what).splitlines(), 1)
    return {number: line.strip() for number, line in lines if line.strip()}

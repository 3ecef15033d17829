"""Reads the texts of a ZIP that is appended to a model file, as TFLite and edgecnn store them."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from edgecnn.errors import BackendError
from edgecnn.text_files import decode_text

ZIP_ENTRY = rb"PK\x03\x04[\x0a\x14\x2d]\x00"  # local file header: signature, version needed to extract (1.0, 2.0 or 4.5)
OWN_TEXTS = "edgecnn."
MOST_TEXT = 1 << 26  # bytes of all texts in the ZIP together


def zip_texts(path: Path) -> dict[str, str]:
    """Read the text files of the ZIP appended to the model, by name. Raises ``BackendError`` if that ZIP is truncated or damaged.

    Readers find a ZIP by the directory at its end, so a truncated file looks like one without metadata. The headers of its
    entries show that it had some.
    """
    if not zipfile.is_zipfile(path):
        if re.search(ZIP_ENTRY, path.read_bytes()):
            raise BackendError(f"{path} is truncated: the end of its metadata is missing", "export or copy the file again")
        return {}
    try:
        with zipfile.ZipFile(path) as archive:
            return dict(_texts(archive))
    # The directory at the end of a damaged ZIP may say anything.
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
        raise BackendError(f"the metadata of {path} is damaged: {error}", "export or copy the file again") from error


def _texts(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    left = MOST_TEXT
    for entry in archive.infolist():
        try:
            with archive.open(entry) as file:
                # The size that the directory states may be wrong.
                content = file.read(left + 1)
            if len(content) > left:
                raise ValueError(f"{entry.filename} is too large")
            yield entry.filename, decode_text(content)
            left -= len(content)
        # zipfile raises the last two for an entry that is encrypted, packed by an unknown method, or cut off.
        except (zipfile.BadZipFile, zlib.error, OSError, ValueError, RuntimeError, EOFError) as error:
            # Other tools append binary files; but without its card the model would be used as that of another tool.
            if entry.filename.startswith(OWN_TEXTS):
                raise zipfile.BadZipFile(f"{entry.filename} can't be read") from error

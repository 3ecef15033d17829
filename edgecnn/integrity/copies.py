"""Copies what belongs to a model file: the .bin of OpenVINO, external data of ONNX."""

from __future__ import annotations

import shutil
from pathlib import Path

from edgecnn.errors import InputError
from edgecnn.files import atomic_write, check_writable
from edgecnn.integrity.digest import LOCATION
from edgecnn.integrity.sections import format_of


def copy_companions(path: Path, out: Path, body: bytes) -> None:
    """Copy the files of weights of the model file at ``path`` beside ``out``; ``body`` is the body of ``path``.

    Raises ``InputError`` for an ``out`` of another suffix or that can't be written, and for weights outside of the folder.
    """
    if out.suffix.lower() != path.suffix.lower():
        raise InputError(f"--out: {out} has another suffix than {path.name}", f"give a name that ends in {path.suffix}")
    check_writable(out)
    there, here = (format_of(file).companions(file, body if LOCATION in body else None) for file in (out, path))
    for name, file in here.items():
        if there[name].resolve() == file.resolve():
            continue
        if not there[name].resolve().is_relative_to(out.parent.resolve()):
            raise InputError(
                f"{path} has weights outside of its folder: {name}", "put them beside it, or write into the file itself"
            )
        with file.open("rb") as stored, atomic_write(there[name], binary=True) as copy:
            shutil.copyfileobj(stored, copy)

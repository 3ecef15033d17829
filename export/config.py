"""What may be asked of an export, checked before any work; imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from edgecnn.card import Precision
from edgecnn.errors import InputError
from edgecnn.export.extras import require
from edgecnn.export.publish import refusals

FORMATS: Mapping[str, str] = {
    "onnx": "edgecnn.export.formats.to_onnx",
    "tflite": "edgecnn.export.formats.to_tflite",
    "openvino": "edgecnn.export.formats.to_openvino",
}
SUFFIXES: Mapping[str, str] = {"onnx": ".onnx", "tflite": ".tflite", "openvino": ".xml"}
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


def check(formats: Sequence[str], precisions: Sequence[str], *, calibrated: bool) -> None:
    """Raise ``InputError`` or ``MissingExtraError`` for formats, precisions and packages that can't be had."""
    for wanted, known in ((formats, tuple(FORMATS)), (precisions, PRECISIONS)):
        for value in wanted:
            if value not in known:
                raise InputError(f"one of {', '.join(known)}", repr(value), "name one of them, or several with commas between")
    if "int8" in precisions and not calibrated:
        raise InputError(
            "calibration data for int8", "none", "name some with --calibration, such as scene:cups or a folder of images"
        )
    require(formats, precisions)


def file_name(name: str, format: str, precision: str) -> str:
    """The name of an artifact's file: cups-int8.onnx. Raises ``InputError`` for a name that is a path."""
    if not name or Path(name).name != name:
        raise InputError("a name for the files, without a folder", repr(name), "give the folder with --out and a plain --name")
    return f"{name}-{precision}{SUFFIXES[format]}"


def check_free(out: Path, files: Sequence[str], *, force: bool) -> None:
    """Raise ``InputError`` where a file is there already and may not be replaced, or ``out`` is no folder."""
    with refusals(out):
        if out.exists() and not out.is_dir():
            raise InputError(f"a folder to write to at {out}", "a file", "choose another folder with --out")
        there = [file for file in files if (out / file).exists()]
    if there and not force:
        raise InputError(
            f"no {', '.join(there)} in {out} yet", "it is there", "replace it with --force, or choose another --out or --name"
        )

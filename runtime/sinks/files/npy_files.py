"""Writes the tensors of each frame as .npy files into a folder."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np

from edgecnn.errors import InputError
from edgecnn.files import check_writable, write_error, write_file
from edgecnn.tasks import for_prediction
from edgecnn.types import Array, Result

_NO_NAME = re.compile(r"[^\w.-]+")  # characters of a tensor's or a camera's name that do not belong into a file name


class NpySink:
    """Writes one file for each tensor of a result: ``FRAME-TENSOR.npy``, after the name of the camera where it has one.

    Files of the same name are replaced. Raises ``InputError`` if a file can't be written, or for results without tensors.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(self.folder, error) from error
        check_writable(self.folder / "000000.npy")

    def write(self, result: Result) -> None:
        """Write the tensors of one result."""
        tensors = for_prediction(result.prediction).tensors(result.prediction)
        if not tensors:
            raise InputError("the results hold no tensors", "use another output")
        start = "-".join([*([result.camera] if result.camera else []), f"{result.frame.index:06d}"])
        for name, array in tensors.items():
            write_file(self.folder / f"{_NO_NAME.sub('_', f'{start}-{name}')}.npy", _npy(array))

    def close(self) -> None:
        """Do nothing: each file is complete."""


def _npy(array: Array) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()

"""The models that `edgecnn models get` brought: files in the user's data folder, used by name like shipped ones."""

from __future__ import annotations

from pathlib import Path

from edgecnn.errors import InputError
from edgecnn.user_folders import data_folder

SUFFIXES = (".onnx", ".tflite", ".xml")


def folder() -> Path | None:
    """Where they are: $XDG_DATA_HOME/edgecnn/models or ~/.local/share/edgecnn/models; None without a home."""
    data = data_folder()
    return None if data is None else data / "models"


def needed_folder() -> Path:
    """``folder``, which is made if it does not exist. Raises ``InputError`` without a home, and ``OSError``."""
    found = folder()
    if found is None:
        raise InputError("there is no home folder to keep models in", "set HOME or XDG_DATA_HOME")
    found.mkdir(parents=True, exist_ok=True)
    return found


def path(name: str) -> Path | None:
    """The file of the model of that name; None where there is none."""
    place = folder()
    if place is None or Path(name).name != name or name.startswith("."):
        return None
    return next((file for suffix in SUFFIXES if (file := place / f"{name}{suffix}").is_file()), None)


def names() -> tuple[str, ...]:
    """The names of all that are there."""
    place = folder()
    if place is None or not place.is_dir():
        return ()
    files = [file for file in place.iterdir() if file.suffix in SUFFIXES and not file.name.startswith(".")]
    return tuple(sorted({file.stem for file in files}))

"""Samples of tensors as a source of frames: .npz files with an array for each input, .npy files for a model with one input."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from pathlib import Path

from edgecnn.card import MAX_PIXELS, ModelCard
from edgecnn.errors import InputError, SourceError
from edgecnn.npz import read_npy, read_npz
from edgecnn.runtime.sources.base import Source
from edgecnn.runtime.sources.images import natural_order
from edgecnn.schema import SchemaError
from edgecnn.tensor_pack import pack
from edgecnn.types import Frame, Image, Tensors, TensorSpec

SUFFIXES = (".npy", ".npz")
_MOST_ARRAYS = 256


def list_files(folder: Path) -> list[Path]:
    """The .npy and .npz files directly in a folder, 2 before 10."""
    return sorted((path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES), key=natural_order)


def read_sample(path: Path, specs: Sequence[TensorSpec]) -> Image:
    """The tensors of a file, packed; raises ``InputError`` for one that can't be read or does not fit."""
    return pack(_read(path, specs), specs, str(path))


def _read(path: Path, specs: Sequence[TensorSpec]) -> Tensors:
    try:
        data = path.read_bytes()
        if path.suffix.lower() == ".npz":
            return read_npz(data, most_arrays=_MOST_ARRAYS, most_bytes=16 * MAX_PIXELS)
        if len(specs) != 1:
            names = ", ".join(spec.name for spec in specs)
            raise InputError(f"{path} holds one array, but the model takes {names}", "store them by name in a .npz")
        return {specs[0].name: read_npy(data)}
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror or error}", "check the file") from error
    except SchemaError as error:
        raise InputError(f"{path} can't be read: {error}", "write it with numpy.save or numpy.savez") from error


class TensorFiles(Source):
    """Files of tensors in order; ``fit`` names the model before the first. One that can't be read is counted as a failure.

    Iterating raises ``SourceError`` where none could be read.
    """

    def __init__(self, name: str, paths: Sequence[Path], *, repeat: int = 1) -> None:
        super().__init__(name)
        self._paths, self._repeat = list(paths), repeat
        self._specs: tuple[TensorSpec, ...] = ()

    def fit(self, card: ModelCard) -> None:
        """Read what the model of ``card`` takes; raises ``InputError`` for a model of images."""
        if not card.preprocess.tensors:
            raise InputError(f"{self.name} holds tensors, but the model {card.name} is for images", "name an image as --source")
        self._specs = card.preprocess.tensors

    def _frames(self) -> Generator[Frame, None, None]:
        if not self._specs:
            raise SourceError(f"{self.name} holds tensors, which only a model of tensors can read", "name such a model")
        rounds = 0
        while not self._repeat or rounds < self._repeat:
            failed = self.failed
            for place, path in enumerate(self._paths, rounds * len(self._paths)):
                started = time.perf_counter()
                try:
                    image = read_sample(path, self._specs)
                except InputError as error:
                    self.fail(path.name, error.problem)
                else:
                    yield Frame(place, started, image)
            if self.failed - failed == len(self._paths):
                raise SourceError(self.failures[0].reason, "check or replace the file")
            rounds += 1

    def title(self, index: int) -> str:
        """The file name of frame ``index``."""
        return self._paths[index % len(self._paths)].name


def holds_tensors(path: Path) -> bool:
    """Whether a path is a .npy or .npz file, or a folder with such files."""
    return bool(list_files(path)) if path.is_dir() else path.suffix.lower() in SUFFIXES and path.is_file()


def open_tensors(path: Path, repeat: int) -> TensorFiles:
    """A file, or all files of a folder."""
    return TensorFiles(str(path), list_files(path) if path.is_dir() else [path], repeat=repeat)

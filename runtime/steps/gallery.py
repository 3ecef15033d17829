"""Names what an image shows by the most similar image of a gallery."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgecnn.data.image_files import ImageError, list_images, read_image
from edgecnn.errors import InputError
from edgecnn.types import Embedding, Float32, Image, Neighbour, Prediction, Result

UNKNOWN = "unknown"
SHOWN = 5  # neighbours of a result
_NUMBER = re.compile(r"[ _.-]+\d+$|\s*\(\d+\)$")  # anna-2, anna_02, anna (2)


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """Images with names and their vectors (n, D) of length 1; ``files`` are their paths in the folder."""

    names: tuple[str, ...]
    files: tuple[str, ...]
    vectors: Float32
    unread: tuple[str, ...] = ()

    def nearest(self, vector: Float32, most: int = SHOWN) -> tuple[Neighbour, ...]:
        """The most similar image of each name by cosine, the nearest name first; at most ``most`` names."""
        similar = self.vectors @ vector
        found: dict[str, Neighbour] = {}
        for index in np.argsort(-similar, kind="stable").tolist():
            if len(found) == most:
                break
            found.setdefault(self.names[index], Neighbour(self.names[index], float(similar[index]), self.files[index]))
        return tuple(found.values())


def gallery_files(folder: Path) -> list[tuple[str, Path]]:
    """The images of a gallery with their names: of the folder that an image is in, or of the file where it lies in ``folder`` itself.

    A number at the end of a file name is not part of the name: anna-1.jpg and anna-2.jpg show anna. Raises ``InputError`` for a
    folder that is missing or holds no images.
    """
    try:
        direct = list_images(folder)
        folders = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
        found = [(_NUMBER.sub("", path.stem) or path.stem, path) for path in direct]
        found += [(place.name, path) for place in folders for path in list_images(place)]
    except OSError as error:
        raise InputError(f"--gallery: can't read {folder} ({error.strerror})", "name a folder of images") from error
    if not found:
        raise InputError(
            f"--gallery: {folder} holds no images", "put images into a folder for each name, or name them by what they show"
        )
    return found


def load_gallery(folder: Path, predict: Callable[[Image], Prediction]) -> Gallery:
    """Embed all images of a gallery; those that can't be read are left out and listed.

    Raises ``InputError`` for a folder without images that can be read, and for a model that gives no vectors.
    """
    names, files, vectors, unread = [], [], [], []
    for name, path in gallery_files(folder):
        shown = str(path.relative_to(folder))
        try:
            found = predict(read_image(path))
        except ImageError as error:
            unread.append(f"{shown} ({error.reason})")
            continue
        if not isinstance(found, Embedding):
            raise InputError("--gallery needs a model of the task embed", "name another model, or leave --gallery out")
        names.append(name)
        files.append(shown)
        vectors.append(found.vector)
    if not vectors:
        raise InputError(f"--gallery: no image of {folder} can be read: {unread[0]}", "replace the images")
    return Gallery(tuple(names), tuple(files), np.stack(vectors), tuple(unread))


class GalleryStep:
    """Adds the nearest names of a gallery to each embedding; "unknown" where none has a similarity of ``threshold`` (-1..1).

    ``written``: whether records of results hold the vector, too.
    """

    stage = "gallery"

    def __init__(self, gallery: Gallery, threshold: float, *, written: bool = False) -> None:
        self._gallery, self._threshold, self._written = gallery, threshold, written

    def __call__(self, result: Result) -> Result:
        """The result with names."""
        found = result.prediction
        if not isinstance(found, Embedding):
            return result
        if found.vector.shape != self._gallery.vectors.shape[1:]:  # after a reload of another model
            return result
        near = self._gallery.nearest(found.vector)
        name = near[0].name if near[0].similarity >= self._threshold else UNKNOWN
        return replace(result, prediction=replace(found, name=name, neighbours=near, written=self._written))

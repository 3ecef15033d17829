"""Reads the data.yaml of a YOLO dataset: class names, key points, and where the images of each split are."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from edgecnn.data.formats.darknet import names_of, read_obj_data
from edgecnn.data.formats.yolo_rows import KeyPoints
from edgecnn.data.paths import exists, is_file
from edgecnn.errors import InputError
from edgecnn.labels import brief, load_yaml, ordered_names, read_label_file

FIRST = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")  # preferred to other YAML files with names
SPLIT_KEYS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class DataYaml:
    """The content of a data.yaml or obj.data.

    ``sources``: by split, folders or list files as written. ``base``: its ``path``, as written.
    """

    file: Path
    names: tuple[str, ...] = ()
    key_points: KeyPoints | None = None
    base: str = ""
    sources: dict[str, tuple[str, ...]] = field(default_factory=dict)


def read_data_yaml(folder: Path) -> DataYaml | None:
    """The data.yaml of a dataset, or another YAML file directly in its folder that has ``names``, or darknet's obj.data; None without any.

    Raises ``InputError`` where it is not YAML, where two files have different names, and for names that can't be right: not as many as
    ``nc``, the same name twice, an empty name.
    """
    found = [(file, record) for file in _yaml_files(folder) if isinstance(record := load_yaml(file, as_text=True), dict)]
    named = [_described(file, record) for file, record in found if record.get("names")]
    if len({one.names for one in named}) > 1 and named[0].file.name not in FIRST:
        files = " and ".join(one.file.name for one in named)
        raise InputError(f"{folder} has different class names in {files}", "call the one that is meant data.yaml")
    if named:
        return named[0]
    return next((_described(file, record) for file, record in found if file.name in FIRST), None) or _obj_data(folder)


def _obj_data(folder: Path) -> DataYaml | None:
    """darknet's obj.data, which says the same in another way."""
    found = read_obj_data(folder)
    if found is None:
        return None
    file, values = found
    names = names_of(folder, values.get("names", ""))
    sources: dict[str, tuple[str, ...]] = {key: (values[key],) for key in SPLIT_KEYS if key in values}
    return DataYaml(file, read_label_file(names) if names else (), sources=sources)


def _yaml_files(folder: Path) -> list[Path]:
    files = [file for file in folder.iterdir() if file.suffix.lower() in (".yaml", ".yml") and not file.name.startswith(".")]
    return sorted(files, key=lambda file: (FIRST.index(file.name) if file.name in FIRST else len(FIRST), file.name))


def _described(file: Path, record: dict[str, Any]) -> DataYaml:
    base = record.get("path")
    sources = {key: words for key in SPLIT_KEYS if (words := _words(record.get(key)))}
    return DataYaml(file, _names(file, record), _key_points(file, record), base if isinstance(base, str) else "", sources)


def _names(file: Path, record: dict[str, Any]) -> tuple[str, ...]:
    names = record.get("names")
    if not names:
        return ()
    labels = ordered_names(names, str(file))
    count = record.get("nc")
    if isinstance(count, str) and count and count != str(len(labels)):
        raise InputError(f"{file} has nc: {count[:20]}, but {len(labels)} names", "correct one of them")
    twice = next((name for name in labels if labels.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{file} has the class name {twice!r} twice", "give every class a name of its own")
    return labels


def _key_points(file: Path, record: dict[str, Any]) -> KeyPoints | None:
    shape = record.get("kpt_shape")
    if not shape:
        return None
    try:
        points, each = (int(word) for word in shape)
    except (TypeError, ValueError):
        points = each = 0
    if points < 1 or each not in (2, 3):
        raise InputError(
            f"{file} has kpt_shape: {brief(shape)}, not a number of points and 2 or 3", "write, for example, [17, 3]"
        )
    return points, each


def _words(value: object) -> tuple[str, ...]:
    """The paths of a split: one text, or a list of them; () for anything else, such as no value at all."""
    values = value if isinstance(value, list) else [value]
    return tuple(word.strip() for word in values if isinstance(word, str) and word.strip())


class Places:
    """Finds files and folders that a dataset names: relative to the dataset, or with a path of the machine it was made on.

    What is inside the dataset's own folder comes first: the longest end of the path that exists there.
    """

    def __init__(self, folder: Path, base: str = "") -> None:
        self._folder = folder
        self._outside = [Path(base), folder / base] if base else []
        self._known: dict[str, Path | None] = {}

    def folder_or_file(self, text: str) -> Path | None:
        """The place that ``text`` names; None where there is none."""
        words = _parts(text)
        for start in range(len(words)):
            if exists(inside := self._folder.joinpath(*words[start:])):
                return inside
        elsewhere = [Path(text), *(base / text for base in self._outside), self._folder / text]
        return next((place for place in elsewhere if place.is_absolute() and exists(place)), None)

    def image(self, text: str) -> Path | None:
        """The image file that ``text`` names; its folder is looked up once for all its files."""
        path = PurePosixPath("/".join(_parts(text)))
        head = text.replace("\\", "/").rpartition("/")[0]
        if head not in self._known:
            self._known[head] = self.folder_or_file(head) if head.strip("./") else self._folder
        folder = self._known[head]
        found = None if folder is None else folder / path.name
        if found is not None and is_file(found):
            return found
        return place if (place := self.folder_or_file(text)) is not None and place.is_file() else None


def _parts(text: str) -> list[str]:
    """The names in a path, of this or the other kind of system, without root, drive, "." and ".."."""
    path = PureWindowsPath(text)
    return [word for word in path.parts if word not in (path.anchor, ".", "..")]

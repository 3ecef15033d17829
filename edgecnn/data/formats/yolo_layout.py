"""Where the images and label files of a YOLO dataset are: folders by convention, or what data.yaml says."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from edgecnn.data.formats.darknet import first_line, folders_with_labels_beside
from edgecnn.data.formats.other_signatures import is_row_of_another_format
from edgecnn.data.formats.yolo_yaml import DataYaml, Places
from edgecnn.data.image_files import list_images
from edgecnn.data.paths import folders_below, visible
from edgecnn.data.sample import Problem
from edgecnn.data.split_names import PARTS, part_of, split_folders
from edgecnn.images.kinds import is_image
from edgecnn.text_files import read_lines

NAME_FILES = ("classes.txt", "obj.names", "labels.txt")
IMAGES, LABELS = "images", "labels"


@dataclass(frozen=True, slots=True)
class Part:
    """A split: its ``folders`` of images, and ``files``, images that a list names. ``lists`` are the list files."""

    folders: tuple[Path, ...] = ()
    files: tuple[Path, ...] = ()
    lists: tuple[str, ...] = ()


@dataclass
class Layout:
    """The parts of the dataset in ``folder``; with splits by their names, otherwise one called ""."""

    folder: Path
    yaml: DataYaml | None
    problems: list[Problem] = field(default_factory=list)
    _labels: dict[Path, dict[str, Path]] = field(default_factory=dict)

    @cached_property
    def parts(self) -> dict[str, Part]:
        """Parts by name: the folders of the usual layouts, and splits of data.yaml that name others or list files."""
        found = {name: Part((images,)) for name, images in usual_folders(self.folder).items()}
        given = {name: part for name, part in self._given(found).items() if part.folders or part.files}
        used = {folder for part in given.values() for folder in part.folders}
        replaced = {*given, ""} if given else set()
        kept = {name: part for name, part in found.items() if part_of(name) not in replaced and not used & set(part.folders)}
        order = ("", *PARTS)
        return dict(sorted((given | kept).items(), key=lambda item: order.index(part_of(item[0]))))

    def _given(self, usual: dict[str, Part]) -> dict[str, Part]:
        """The splits of data.yaml that are not in the folders of the same name anyway."""
        if self.yaml is None:
            return {}
        places = Places(self.folder, self.yaml.base)
        given = {}
        for key, words in self.yaml.sources.items():
            own = [part for name, part in usual.items() if part_of(name) == key]
            part = Part()
            for word in words:
                place = places.folder_or_file(word)
                if place is None and not own:
                    self.problems.append(Problem(self.yaml.file.name, f"{key}: {word}, which is not there"))
                elif place is not None and place.is_dir():
                    part = dataclasses.replace(part, folders=(*part.folders, place))
                elif place is not None:
                    files = tuple(self._listed(place, places))
                    part = dataclasses.replace(part, files=part.files + files, lists=(*part.lists, place.name))
            if part not in own:
                given[key] = part
        return given

    def _listed(self, file: Path, places: Places) -> Iterator[Path]:
        for number, line in read_lines(file, fix="save it as UTF-8, one image per line").items():
            image = places.image(line)
            if image is None:
                self.problems.append(Problem(f"{file.name}:{number}", f"no image {line}"))
            else:
                yield image

    def images(self, part: Part) -> list[Path]:
        """The images of a part: of its folders with all sub-folders, by name, then those of its lists in their order."""
        found = [image for folder in part.folders for place in folders_below(folder) for image in list_images(place)]
        return list(dict.fromkeys([*found, *part.files]))

    def label_file(self, image: Path) -> Path | None:
        """The label file of an image: in labels/ where the image is in images/, else beside it; None where it has none."""
        folders = [_beside(image.parent), image.parent]
        return next((file for folder in folders if folder and (file := self._texts(folder).get(image.stem))), None)

    def label_files(self, part: Part) -> list[Path]:
        """All label files in the label folders of a part, whether or not there is an image of their name."""
        found: list[Path] = []
        for folder in part.folders:
            labels = _beside(folder)
            places = folders_below(labels if labels is not None and labels.is_dir() else folder)
            found += [file for place in places for file in self._texts(place).values()]
        return [*found, *filter(None, map(self.label_file, part.files))]

    def outside(self) -> list[Path]:
        """The images in images/ and its sub-folders that are in no part."""
        images = self.folder / IMAGES
        if "" in self.parts or not images.is_dir():
            return []
        taken = {image for part in self.parts.values() for image in self.images(part)}
        return [image for place in folders_below(images) for image in list_images(place) if image not in taken]

    def _texts(self, folder: Path) -> dict[str, Path]:
        """The .txt files of a folder by their name without suffix, in whatever case it is written."""
        if folder not in self._labels:
            files = sorted(folder.iterdir()) if folder.is_dir() else []
            self._labels[folder] = {
                file.stem: file
                for file in files
                if file.is_file()
                and file.suffix.lower() == ".txt"
                and file.name.lower() not in NAME_FILES
                and not file.name.startswith(".")
            }
        return self._labels[folder]


def usual_folders(path: Path) -> dict[str, Path]:
    """The folders of images by split, where labels/ is beside images/ or the label files are beside the images.

    "" is the part of a dataset without splits.
    """
    pairs = _existing({name: (folder / IMAGES, folder / LABELS) for name, folder in split_folders(path).items()})
    # both layouts may occur in one dataset: the first one found of a split is used
    parts = set(map(part_of, pairs))
    below = {name: folder for name, folder in split_folders(path / IMAGES).items() if part_of(name) not in parts}
    pairs |= _existing({name: (folder, path / LABELS / name) for name, folder in below.items()})
    return pairs or _existing({"": (path / IMAGES, path / LABELS)}) or folders_with_labels_beside(path)


def are_of_another_format(folders: Iterable[Path]) -> bool:
    """Whether labels/ of these folders of images holds rows of another format, or no text files but XML, JSON, CSV or masks."""
    places = (place for folder in folders if (labels := _beside(folder)) and labels.is_dir() for place in folders_below(labels))
    others = False
    for entry in (entry for place in places for entry in visible(place) if entry.is_file()):
        file = Path(entry.path)
        is_text = file.suffix.lower() == ".txt" and file.name.lower() not in NAME_FILES
        if is_text and (line := first_line(file)):  # an image without objects may have an empty file
            return is_row_of_another_format(line)
        others = others or file.suffix.lower() in (".xml", ".json", ".csv") or is_image(file)
    return others


def _existing(pairs: dict[str, tuple[Path, Path]]) -> dict[str, Path]:
    return {name: images for name, (images, labels) in pairs.items() if images.is_dir() and labels.is_dir()}


def _beside(folder: Path) -> Path | None:
    """The folder with labels/ in place of the last images/ in its path; None where there is no images/."""
    parts = list(folder.parts)
    for index in range(len(parts) - 1, -1, -1):
        if parts[index] == IMAGES:
            return Path(*parts[:index], LABELS, *parts[index + 1 :])
    return None

"""Loads Pascal VOC XML (Everingham et al. 2010): Annotations/*.xml with JPEGImages/ or images/, splits in ImageSets/Main/*.txt.

Also .xml files beside the images, and a folder of either layout for each split. The coordinates xmin, ymin, xmax, ymax are used
unchanged, in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path, PurePath

from edgecnn.data.boxes import BoxList
from edgecnn.data.formats.left_out import other_files
from edgecnn.data.formats.voc_xml import CORNERS, VocFile, VocObject, XmlError, looks_like_voc, read_voc
from edgecnn.data.image_files import ImageError, by_stem, image_size, list_images, read_image
from edgecnn.data.paths import sub_folders
from edgecnn.data.problems import short, size_problem
from edgecnn.data.sample import Dataset, Problem, Sample
from edgecnn.data.split_names import split_folders
from edgecnn.text_files import read_lines

ANNOTATIONS = ("Annotations", "annotations")
IMAGES = ("JPEGImages", "images", "Images")
LISTS = Path("ImageSets/Main")
LOOKED_AT = 20
MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class _VocPart:
    """The folders of annotations and images of a dataset or of one of its splits, and the list of the images in it."""

    annotations: Path
    images: Path
    list: Path | None = None

    @property
    def root(self) -> Path:
        """The folder of both."""
        return self.annotations if self.annotations == self.images else self.annotations.parent


def evidence(path: Path) -> str:
    """The folders of XML annotations and images: of the folder itself, of each split, or of exactly one sub-folder."""
    parts = _parts(path)
    first = next(iter(parts.values()), None)
    if first is None:
        return ""
    where = ", ".join(name for name in parts if name)
    layout = "XML beside the images" if first.annotations == first.images else f"{first.annotations.name}/*.xml"
    return f"{layout} in {where}" if where else layout


def splits(path: Path) -> tuple[str, ...]:
    """The names of the lists in ImageSets/Main without those of single classes (dog_train), or of the folders of splits."""
    return tuple(name for name in _parts(path) if name)


def load(path: Path, split: str | None, labels: tuple[str, ...] | None) -> Dataset:
    """Samples by file name; classes are all names that any annotation uses, in alphabetical order, or ``labels``."""
    parts = _parts(path)
    top = parts[""].root if "" in parts else path
    folders = {part.annotations: part for part in parts.values()}
    problems: dict[Path, list[Problem]] = {folder: [] for folder in folders}
    # of all splits: a class that one split lacks must not shift the ids of the others
    files = {folder: _read_all(folder, top, problems[folder]) for folder in folders}
    labels = labels or _names(files)
    chosen = [parts[split]] if split else list(folders.values())
    found: list[Problem] = [problem for part in chosen for problem in problems[part.annotations]]
    samples = []
    for part in chosen:
        stems = _listed(part.list, files[part.annotations]) if split and part.list else None
        samples += _samples(part, files[part.annotations], stems, top, labels, found)
    if "" in parts:
        unused = (name for name, folder in split_folders(path).items() if _part(folder))
        found += [Problem(name, f"a folder with annotations beside those of {path.name}; left out") for name in unused]
    left_out = other_files({folder for part in chosen for folder in (part.annotations, part.images)}, {".xml"})
    return Dataset(path.resolve().name, "detect", labels, samples, tuple(found), split or "", left_out=left_out)


def _parts(path: Path) -> dict[str, _VocPart]:
    """The parts by split; "" is all images of a dataset without folders for splits."""
    if not path.is_dir():
        return {}
    whole = _part(path)
    by_split = {name: part for name, folder in split_folders(path).items() if (part := _part(folder))}
    if by_split and whole is None:
        return by_split
    if whole is None:
        within = [part for folder in sub_folders(path) if (part := _part(folder))]
        whole = within[0] if len(within) == 1 else None
    if whole is None:
        return {}
    lists = sorted((whole.root / LISTS).glob("*.txt"))
    named = {
        file.stem: _VocPart(whole.annotations, whole.images, file)
        for file in lists
        if file.stem in ("train", "val", "trainval", "test") or "_" not in file.stem
    }
    return {"": whole} | named


def _part(place: Path) -> _VocPart | None:
    annotations = next((place / name for name in ANNOTATIONS if _has_xml(place / name)), None)
    images = next((place / name for name in IMAGES if (place / name).is_dir()), None)
    if annotations and images:
        return _VocPart(annotations, images)
    beside = _has_xml(place) and by_stem(place).keys() & {file.stem for file in _xml_files(place)}
    return _VocPart(place, place) if beside else None


def _has_xml(place: Path) -> bool:
    """Whether the first .xml files of a folder are annotations, or any file of a folder that is called Annotations."""
    files = islice(_xml_files(place), LOOKED_AT) if place.is_dir() else ()
    return any(place.name in ANNOTATIONS or looks_like_voc(file) for file in files)


def _xml_files(place: Path) -> list[Path]:
    return sorted(
        file for file in place.iterdir() if file.suffix.lower() == ".xml" and not file.name.startswith(".") and file.is_file()
    )


def _read_all(folder: Path, top: Path, problems: list[Problem]) -> dict[str, VocFile | None]:
    """The annotations by stem; None and a problem for a file that can't be read."""
    found: dict[str, VocFile | None] = {}
    for file in _xml_files(folder):
        try:
            if file.stat().st_size > MOST_BYTES:
                raise XmlError(f"a file of more than {MOST_BYTES >> 20} MiB")
            found[file.stem] = read_voc(file.read_bytes())
        except (XmlError, OSError) as error:
            found[file.stem] = None
            problems.append(
                Problem(_shown(file, top), str(error) if isinstance(error, XmlError) else error.strerror or str(error))
            )
    return found


def _names(files: dict[Path, dict[str, VocFile | None]]) -> tuple[str, ...]:
    annotations = (annotation for of_folder in files.values() for annotation in of_folder.values() if annotation)
    return tuple(sorted({one.name for annotation in annotations for one in annotation.objects if one.name}))


def _listed(file: Path, known: dict[str, VocFile | None]) -> list[str]:
    """The stems in a list of images; lists of single classes have a second column: 1, 0 or -1."""
    stems = []
    for line in read_lines(file, f"the list {file}").values():
        whole = PurePath(line)
        first = PurePath(line.split()[0])
        # the format writes stems; other tools write file names, and names may contain spaces and points
        names = (whole.name, whole.stem, first.name, first.stem)
        stems.append(next((name for name in names if name in known), first.name))
    return list(dict.fromkeys(stems))


def _samples(
    part: _VocPart,
    files: dict[str, VocFile | None],
    stems: list[str] | None,
    top: Path,
    labels: tuple[str, ...],
    problems: list[Problem],
) -> list[Sample]:
    images = by_stem(part.images) | {
        image.stem: image
        for image in list_images(part.images)
        if (named := files.get(image.stem)) and image.name == named.image.replace("\\", "/").rpartition("/")[2]
    }
    for image in list_images(part.images) if stems is None else ():
        if images[image.stem] != image:
            what = f"a second image of the name {image.stem}: {images[image.stem].name} is used"
            problems.append(Problem(_shown(image, top), what))
    samples = []
    for stem in sorted(files.keys() | images.keys()) if stems is None else stems:
        if stem not in files or stem not in images:
            what = "no annotation for this image" if stem in images else "no image of this name"
            problems.append(Problem(_shown(images[stem] if stem in images else part.annotations / f"{stem}.xml", top), what))
        elif (found := files[stem]) is not None:
            where = _shown(part.annotations / f"{stem}.xml", top)
            if sample := _sample(images[stem], _shown(images[stem], top), found, where, labels, problems):
                samples.append(sample)
    return samples


def _shown(file: Path, top: Path) -> str:
    """The name of a file in messages: with its split, where splits are folders."""
    folders = {*ANNOTATIONS, *IMAGES}
    return "/".join(part for part in file.relative_to(top).parts if part not in folders)


def _sample(
    image: Path, name: str, found: VocFile, where: str, labels: tuple[str, ...], problems: list[Problem]
) -> Sample | None:
    try:
        size = image_size(image)
    except ImageError as error:
        problems.append(Problem(name, error.reason))
        return None
    if found.size and found.size != size:
        problems.append(size_problem(name, where, found.size, size))
    boxes = BoxList(*size, problems)
    for one in found.objects:
        _add(one, f"{where}:{one.line}", labels, boxes)
    return Sample(name, partial(read_image, image), boxes=boxes.done())


def _add(one: VocObject, where: str, labels: tuple[str, ...], boxes: BoxList) -> None:
    if one.name not in labels:
        known = short(", ".join(labels))
        boxes.problems.append(Problem(where, f"the class {short(one.name)!r}, which is none of {known}; left out"))
        return
    corners = tuple(one.corners.get(corner, "") for corner in CORNERS)
    try:
        x1, y1, x2, y2 = (float(corner) for corner in corners)
    except ValueError:
        shown = ", ".join(short(corner) or "none" for corner in corners)
        boxes.problems.append(Problem(where, f"a box with a coordinate that is no number: ({shown}); left out"))
        return
    # VOC's evaluation ignores difficult objects, as COCO's does crowds
    boxes.add((x1, y1, x2, y2), labels.index(one.name), where, crowd=one.difficult == "1")

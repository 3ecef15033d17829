"""Reads the record of a COCO file (https://cocodataset.org/#format-data) entry by entry; a bad entry is a problem, not the end."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from edgecnn.data.problems import short
from edgecnn.data.sample import Problem
from edgecnn.errors import InputError

Record: TypeAlias = dict[str, Any]
Key: TypeAlias = int | str
LISTS = ("images", "annotations", "categories")
OPEN = "not_exhaustive_category_ids"  # of an image
NO_PARENT = ("", "none", "None")


@dataclass(slots=True)
class CocoImage:
    """An entry of "images": its id, ``file_name``, its stated (width, height) in pixels or None, and its annotations by ``where``.

    ``open_categories`` are the ids of categories of which the image may show unlabelled objects, as in LVIS (Gupta et al. 2019,
    arXiv:1908.03195).
    """

    key: Key
    where: str
    file_name: str
    size: tuple[float, float] | None
    annotations: list[tuple[str, Record]] = field(default_factory=list)
    open_categories: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Categories:
    """The names of the classes, and the class of each category id."""

    names: tuple[str, ...]
    class_of: dict[Key, int]

    def find(self, value: Any) -> int | None:
        """The class of a ``category_id``; None where it is none of them."""
        return next((self.class_of[key] for key in keys_of(value) if key in self.class_of), None)


def read_record(file: Path) -> Record:
    """The JSON object of a file; raises ``InputError`` where it is not readable or has not the lists of COCO."""
    try:
        record = json.loads(file.read_bytes())
    except OSError as error:
        raise InputError(f"can't read the COCO file {file}: {error.strerror or error}", "check the path") from error
    except RecursionError as error:
        raise InputError(f"can't read the COCO file {file}: lists in lists without end", "check how it was written") from error
    except ValueError as error:
        raise InputError(f"can't read the COCO file {file}: {error}", "copy it again") from error
    if isinstance(record, list):
        raise InputError(
            f"{file} is a list, such as detections or the labels of another tool, not a COCO dataset",
            f"name a file with {', '.join(LISTS)}",
        )
    lacking = [key for key in LISTS if not isinstance(record, dict) or key not in record]
    if lacking:
        raise InputError(f"{file} is not a COCO file: it has no {', '.join(lacking)}", "name a COCO file")
    wrong = [key for key in LISTS if not isinstance(record[key], list)]
    if wrong:
        raise InputError(f"{file} is not a COCO file: {', '.join(wrong)} must be a list", "check how it was written")
    return dict(record)


def keys_of(value: Any) -> tuple[Key, ...]:
    """The forms in which an id may be written, the closest first: 7, 7.0 and "7" are the same; () for what is no id."""
    if isinstance(value, float) and value.is_integer():
        return (int(value), str(int(value)))
    if isinstance(value, int) and not isinstance(value, bool):
        return (value, str(value)) if value.bit_length() < 64 else ()
    if isinstance(value, str) and value:
        return (value, int(value)) if value.isascii() and value.isdigit() and len(value) < 19 else (value,)
    return ()


def number(value: Any) -> float | None:
    """A number or the text of one; None for anything else, also for nan, infinity and true."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def read_categories(record: Record, file: Path, labels: tuple[str, ...] | None, problems: list[Problem]) -> Categories:
    """Categories become classes 0..C-1 in the order of their ids, or of ``labels``; those of one name become one class.

    A category that is only the parent of others, as some exports add one, is no class. Raises ``InputError`` where one has no name or
    id, or where two of different names have one id.
    """
    names: dict[Key, str] = {}
    for index, category in enumerate(record["categories"]):
        name = category.get("name") if isinstance(category, dict) else None
        keys = keys_of(category.get("id")) if isinstance(category, dict) else ()
        if not keys or not isinstance(name, str | int) or not str(name).strip():
            problem = f"{file}: categories[{index}] is {short(category)}, without an id and a name"
            raise InputError(problem, "check how the file was written")
        name = str(name).strip()
        if names.setdefault(keys[0], name) != name:
            raise InputError(
                f"{file}: two categories have the id {short(keys[0])}, {short(names[keys[0]])} and {short(name)}",
                "give each its own id",
            )
    # COCO's ids have gaps (90 ids for 80 classes): class ids are positions
    ordered = sorted(names, key=int) if all(str(key).isascii() and str(key).isdigit() for key in names) else list(names)
    parents = _parents(record, names)
    ordered = [key for key in ordered if key not in parents]
    for key in ordered:
        if (first := next(other for other in ordered if names[other] == names[key])) != key:
            what = f"the categories {short(first)} and {short(key)} are both called {short(names[key])}; they are one class"
            problems.append(Problem(file.name, what))
    labels = labels or tuple(dict.fromkeys(names[key] for key in ordered))
    return Categories(labels, {key: labels.index(names[key]) for key in ordered if names[key] in labels})


def _parents(record: Record, names: dict[Key, str]) -> set[Key]:
    """Categories that others name as their supercategory, that have none themselves, and that no annotation uses."""
    rows = [row for row in record["categories"] if isinstance(row.get("supercategory", ""), str)]
    named = {row.get("supercategory", "") for row in rows if keys_of(row["id"])[0] in names}
    parents = {
        keys_of(row["id"])[0] for row in rows if str(row["name"]).strip() in named and row.get("supercategory", "") in NO_PARENT
    }
    if not parents:
        return set()
    used = {key for one in record["annotations"] if isinstance(one, dict) for key in keys_of(one.get("category_id"))}
    return parents - used


def read_images(record: Record, file: Path, shown: str, problems: list[Problem]) -> list[CocoImage]:
    """The images with their annotations, in the file's order; entries that can't be used become problems."""
    images: dict[Key, CocoImage] = {}
    names: set[str] = set()
    for index, entry in enumerate(record["images"]):
        fields = entry if isinstance(entry, dict) else {}
        keys, name = keys_of(fields.get("id")), fields.get("file_name")
        where = f"{shown}: image {short(fields['id'])}" if keys else f"{shown}: images[{index}]"
        if not keys:
            problems.append(Problem(where, "an image without an id; left out"))
            continue
        if not isinstance(name, str) or not name or name in names or keys[0] in images:
            again = (
                "the id" if keys[0] in images else f"the file {short(name)}" if isinstance(name, str) and name in names else ""
            )
            what = f"{again} for a second time" if again else f"no file_name, but {short(name)}"
            problems.append(Problem(where, f"{what}; left out"))
            continue
        names.add(name)
        width, height = number(fields.get("width")), number(fields.get("height"))
        size = (width, height) if width and height and width > 0 and height > 0 else None
        listed = fields.get(OPEN)
        images[keys[0]] = CocoImage(keys[0], where, name, size, open_categories=listed if isinstance(listed, list) else ())
    _attach(record, images, shown, problems)
    return list(images.values())


def _attach(record: Record, images: dict[Key, CocoImage], shown: str, problems: list[Problem]) -> None:
    """Give each image its annotations, with their place for messages; those of unlisted images and copies become problems."""
    seen: dict[tuple[Any, ...], str] = {}
    for index, one in enumerate(record["annotations"]):
        if not isinstance(one, dict):
            problems.append(Problem(f"{shown}: annotations[{index}]", f"no annotation, but {short(one)}; left out"))
            continue
        where = f"{shown}: annotation {short(one['id'])}" if keys_of(one.get("id")) else f"{shown}: annotations[{index}]"
        key = next((key for key in keys_of(one.get("image_id")) if key in images), None)
        if key is None:
            what = f"the image id {short(one.get('image_id'))}, which is not listed; left out"
            problems.append(Problem(where, what))
            continue
        bbox = one.get("bbox")
        same = (
            key,
            repr(one.get("category_id")),
            repr(one.get("iscrowd")),
            tuple(map(repr, bbox)) if isinstance(bbox, list) else "",
        )
        if bbox and same in seen:
            problems.append(Problem(where, f"the same box and class as {seen[same]}; left out"))
            continue
        seen[same] = where.removeprefix(f"{shown}: ")
        images[key].annotations.append((where, one))

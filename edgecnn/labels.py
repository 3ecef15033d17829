"""Reads, compares and renames class names; every list of names in the project is read here.

A list of names is "a,b,c", a text file with one name per line, a YAML or JSON file with ``names:`` as a list or as a mapping from
class id to name, or such a value inside another tool's metadata. No name is ever empty; a byte order mark is not part of a name.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgecnn.errors import InputError
from edgecnn.text_files import read_text, unreadable

YAML_SUFFIXES = (".yaml", ".yml", ".json")  # JSON is a subset of YAML
SUFFIXES = (*YAML_SUFFIXES, ".txt", ".names", ".labels")
# The 80 classes of COCO 2017 in the order of nearly every detector trained on it. Lin et al. 2014, arXiv:1405.0312.
_COCO = (
    "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,parking meter,bench,bird,"
    "cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,skis,snowboard,"
    "sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,cup,fork,knife,spoon,"
    "bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,potted plant,bed,dining table,"
    "toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,refrigerator,book,clock,vase,scissors,"
    "teddy bear,hair drier,toothbrush"
)
BACKGROUND = "background"  # the class of a mask where no object is, as in Pascal VOC
COCO_80: tuple[str, ...] = tuple(_COCO.split(","))
# Names in Pascal VOC, darknet's coco.names and the detectors derived from it -> names in COCO.
VOC_TO_COCO = {
    "aeroplane": "airplane",
    "motorbike": "motorcycle",
    "sofa": "couch",
    "pottedplant": "potted plant",
    "diningtable": "dining table",
    "tvmonitor": "tv",
}
SHOWN, SHOWN_LENGTH = 8, 20  # class ids in a message, and characters of each
_BRIEF = reprlib.Repr()
_BRIEF.maxlevel, _BRIEF.maxlist, _BRIEF.maxdict, _BRIEF.maxstring = 2, 3, 3, 40
_RENAME_SIGN = re.compile("[=:]")


def parse_labels(text: str | Path) -> tuple[str, ...]:
    """Names from "a,b,c" or from the file at the path ``text``, see ``read_label_file``.

    Raises ``InputError`` for an empty name, and where ``text`` looks like a path but no file is there.
    """
    path = Path(text)
    names = str(text).split(",")
    if _is_file(path) or (len(names) == 1 and (path.suffix.lower() in SUFFIXES or len(path.parts) > 1)):
        return read_label_file(path)
    return _checked([name.strip() for name in names], f"the class names {str(text)!r}")


def read_label_file(path: Path) -> tuple[str, ...]:
    """Names from a text file, one per line and blank lines ignored, or from ``names`` in a .yaml, .yml or .json file.

    Raises ``InputError`` where the file can't be read or has no names.
    """
    if path.suffix.lower() in YAML_SUFFIXES:
        names = read_yaml_names(path)
    else:
        names = text_labels(read_text(path, fix="save it as UTF-8, one class name per line"))
    if not names:
        raise InputError(f"{path} is empty of class names", "write one class name per line into it")
    return names


def text_labels(text: str) -> tuple[str, ...]:
    """The lines of a label file, without blank lines and byte order mark."""
    lines = text.removeprefix("\ufeff").splitlines()
    return tuple(line.strip() for line in lines if line.strip())


def read_yaml_names(path: Path) -> tuple[str, ...]:
    """The names in a YOLO data.yaml or a JSON file: its ``names``, or the whole file if it is a list; () where there are none.

    Raises ``InputError`` where the file is not YAML, or its names are not a list or a mapping from 0, 1, ...
    """
    record = load_yaml(path, as_text=True)
    names = record.get("names") if isinstance(record, dict) else record
    return ordered_names(names, str(path)) if isinstance(names, (list, dict)) and names else ()


def load_yaml(path: Path, *, as_text: bool = False) -> Any:
    """The content of a YAML file as plain values; raises ``InputError`` where it can't be read or is not YAML.

    With ``as_text`` scalars stay strings: a class called no, 007 or 1e3 keeps its name, where YAML would read false, 7 and 1000.
    """
    import yaml  # only where a YAML file is there: its import takes longer than opening a small model

    try:
        # Bytes, so that PyYAML handles byte order marks itself. BaseLoader and SafeLoader build plain values only.
        return yaml.load(path.read_bytes(), yaml.BaseLoader if as_text else yaml.SafeLoader)
    except OSError as error:
        raise unreadable(path, error) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark is not None else ""
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or type(error).__name__
        raise InputError(f"{path}{place} is not valid YAML: {reason}", "correct the file") from error


def ordered_names(names: Sequence[Any] | Mapping[Any, Any], source: str) -> tuple[str, ...]:
    """Names from a list, or from a mapping with the class ids 0, 1, ... as keys, in the order of the ids.

    Raises ``InputError``, which names ``source``, for other keys, for a missing id, for an empty name and for what is no name.
    """
    # a text is a sequence, too: damaged metadata must not become classes of one letter each
    if isinstance(names, (str, bytes)) or not isinstance(names, (Sequence, Mapping)):
        raise InputError(f"the names in {source} are neither a list nor a mapping: {brief(names)}", "write names as a list")
    if isinstance(names, Mapping):
        try:
            by_id = {int(key): name for key, name in names.items()}
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError(
                f"the class ids in {source} are not numbers", "write names as a list, or with ids 0, 1, ..."
            ) from error
        missing = [number for number in range(len(by_id)) if number not in by_id]
        if missing or len(by_id) < len(names):
            ids = ", ".join(str(key)[:SHOWN_LENGTH] for key in list(names)[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
            raise InputError(f"the class ids in {source} are {ids}, not 0 to {len(names) - 1}", "number the classes from 0 on")
        names = [by_id[number] for number in range(len(by_id))]
    nested = [name for name in names if isinstance(name, (list, tuple, dict, set))]
    if nested:
        raise InputError(f"the names in {source} hold {brief(nested[0])}, which is no name", "write one text for each class")
    return _checked(["" if name is None else str(name).strip() for name in names], f"the names in {source}")


def _checked(names: Sequence[str], source: str) -> tuple[str, ...]:
    if "" in names:
        raise InputError(f"{source} have an empty one", "give every class a name")
    return tuple(names)


def brief(value: object) -> str:
    """A value of a file for a message, bounded: aliases of a YAML file can make one that is endless as text."""
    return _BRIEF.repr(value)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a list longer than a file name may be
        return False


def label_of(labels: Sequence[str], class_id: int) -> str:
    """The name of a class, or its number where it has none."""
    return labels[class_id] if 0 <= class_id < len(labels) else f"class {class_id}"


def normalize(name: str) -> str:
    """A name for comparison: lower case, one space between words, COCO's name for VOC's: With_Mask -> with mask, sofa -> couch."""
    words = " ".join(re.split(r"[\s_-]+", name.strip().casefold()))
    return VOC_TO_COCO.get(words, words)


def rename(names: Sequence[str], renames: Mapping[str, str]) -> tuple[str, ...]:
    """``names`` with the keys of ``renames`` replaced by their values; case and separators are ignored."""
    changed = {normalize(old): new for old, new in renames.items()}
    return tuple(changed.get(normalize(name), name) for name in names)


def parse_renames(text: str) -> dict[str, str]:
    """Parse "a=b,c,e=d" or "a:b,c,e:d" to {"a": "b", "c": "d", "e": "d"}: "c,e=d" renames both.

    Raises ``InputError`` for anything else.
    """
    changes: dict[str, str] = {}
    waiting: list[str] = []
    for part in text.split(","):
        old, *new = (side.strip() for side in _RENAME_SIGN.split(part))
        if len(new) > 1 or not all((old, *new)):
            raise _not_renames(text)
        waiting.append(old)
        if new:
            changes.update(dict.fromkeys(waiting, new[0]))
            waiting = []
    if waiting:
        raise _not_renames(text)
    return changes


def _not_renames(text: str) -> InputError:
    return InputError(
        f"{text!r} does not rename classes", "write name=name with commas between, or name,name=name for several that become one"
    )


def is_background(labels: Sequence[str], class_id: int) -> bool:
    """Whether a class of a mask is no object: "background", in whatever spelling, such as ``__background__`` of torchvision."""
    return class_id < len(labels) and labels[class_id].strip("_ ").lower() == BACKGROUND

"""Loads MOT Challenge sequences: a folder with img1/ or one video, gt/gt.txt and seqinfo.ini, or a folder of such folders.

A line of gt.txt is ``frame,id,left,top,width,height,counts,...``, frames and pixels counted from 1. Ten columns are MOT15, which end
with a position in the world x,y,z (Leal-Taixé et al. 2015, arXiv:1504.01942); nine are MOT16 and later, which end with a class
(1 pedestrian) and a visibility (Milan et al. 2016, arXiv:1603.00831). A box with ``counts`` 0, or of another class, is ignored by
evaluation: it becomes a crowd box.
"""

from __future__ import annotations

import configparser
import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from edgecnn.data.boxes import BoxList
from edgecnn.data.image_files import ImageError, image_size, list_images, read_image
from edgecnn.data.sample import Dataset, Problem, Sample
from edgecnn.data.video_frames import VIDEO_SUFFIXES, VideoFrames
from edgecnn.text_files import decode_text
from edgecnn.types import Boxes, Image

LABEL = "person"
TRUTH, INFO = Path("gt/gt.txt"), "seqinfo.ini"
FRAMES = "img1"  # the folder of images where seqinfo.ini names none, or one that is not there
PEDESTRIAN, NO_CLASS = 1, -1
LARGEST = 2**53  # whole numbers below it are exact as floats
WITH_CLASS = 9  # columns of a line that has a class, in column 8; where there are ten, column 8 is a position
FIRST_PIXEL = 1  # coordinates are Matlab's: the upper left pixel is (1, 1)


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of gt.txt: track identity, corners in pixels from 0, and whether evaluation counts it."""

    line: int
    identity: int
    xyxy: tuple[float, float, float, float]
    counts: bool


def evidence(path: Path) -> str:
    """The sequences with gt/gt.txt: the folder itself, or folders in it."""
    found = _sequences(path)
    return f"{TRUTH} in {found[0].name}{f' and {len(found) - 1} more' if len(found) > 1 else ''}" if found else ""


def splits(path: Path) -> tuple[str, ...]:
    """Always empty: a sequence is a group of the dataset, not a split."""
    return ()


def load(path: Path, split: str | None, labels: tuple[str, ...] | None) -> Dataset:
    """Samples in the order of sequence and frame, with one class (person, or the first of ``labels``); ``group`` is the sequence."""
    problems: list[Problem] = []
    samples = [sample for folder in _sequences(path) for sample in _samples(folder, path, problems)]
    return Dataset(path.resolve().name, "detect", (labels or (LABEL,))[:1], samples, tuple(problems), split or "")


def _sequences(path: Path) -> list[Path]:
    """Folders with gt/gt.txt."""
    if not path.is_dir():
        return []
    places = [path] if (path / TRUTH).is_file() else sorted(place for place in path.iterdir() if place.is_dir())
    return [place for place in places if (place / TRUTH).is_file()]


def _samples(folder: Path, top: Path, problems: list[Problem]) -> list[Sample]:
    shown = str((folder / TRUTH).relative_to(top))
    rows = _rows(folder / TRUTH, shown, problems)
    name = folder.resolve().name
    pictures = _pictures(folder)
    if not pictures:
        problems.append(
            Problem(shown, f"no images in {name}/{FRAMES} and no video, so {sum(map(len, rows.values())):,} boxes are left out")
        )
        return []
    for frame in sorted(rows.keys() - {number for number, *_ in pictures}):
        problems.append(Problem(f"{shown}:{rows[frame][0].line}", f"the frame {frame}, of which there is no picture; left out"))
    samples = []
    for number, size, read in pictures:
        try:
            boxes = BoxList(*size(), problems)
        except ImageError as error:
            problems.append(Problem(f"{name}/{number:06d}", error.reason))
            continue
        found = _boxes(boxes, rows.get(number, []), shown)
        samples.append(Sample(f"{name}/{number:06d}", read, boxes=found, group=name, image_id=number))
    return samples


def _boxes(boxes: BoxList, rows: list[_Row], shown: str) -> Boxes:
    """The boxes of one frame with their identities; boxes that cross the image border are clipped without a problem."""
    identity = []
    for row in rows:
        x1, y1, x2, y2 = row.xyxy
        inside = max(x1, 0.0), max(y1, 0.0), min(x2, boxes.width), min(y2, boxes.height)
        # a box entirely outside is passed on unclipped, so that ``BoxList`` reports it
        shows = inside[2] > inside[0] and inside[3] > inside[1]
        if boxes.add(inside if shows else row.xyxy, 0, f"{shown}:{row.line}", crowd=not row.counts):
            identity.append(row.identity)
    kept = boxes.done()
    return Boxes(kept.xyxy, kept.class_id, np.array(identity, np.int64), kept.crowd, kept.area)


def _rows(file: Path, shown: str, problems: list[Problem]) -> dict[int, list[_Row]]:
    """The lines of gt.txt by frame; an invalid line is left out and reported as a problem."""
    rows: dict[int, list[_Row]] = defaultdict(list)
    seen: set[tuple[int, int]] = set()
    for line, text in enumerate(decode_text(file.read_bytes(), "replace").splitlines(), 1):
        if not text.strip():
            continue
        try:
            frame, row = _row(text, line)
            if (frame, row.identity) in seen:
                raise ValueError(f"the identity {row.identity} for a second time in frame {frame}")
        except ValueError as error:
            problems.append(Problem(f"{shown}:{line}", f"{error}; left out"))
            continue
        seen.add((frame, row.identity))
        rows[frame].append(row)
    return rows


def _row(text: str, line: int) -> tuple[int, _Row]:
    words = _words(text)
    if len(words) < 7:
        raise ValueError(f"{len(words)} columns instead of frame,id,left,top,width,height,counts")
    try:
        values = [float(word) for word in words]
    except ValueError:
        raise ValueError(f"a line that is not all numbers: {text.strip()!r}") from None
    frame, identity, left, top, width, height, counts = values[:7]
    whole = frame.is_integer() and 1 <= frame < LARGEST and identity.is_integer() and abs(identity) < LARGEST
    if not all(math.isfinite(value) for value in values[:7]) or not whole:
        raise ValueError(f"a frame from 1 and an identity that are no whole numbers: {words[0]}, {words[1]}")
    if width <= 0 or height <= 0:
        raise ValueError(f"a box without extent: {width:g} x {height:g}")
    left, top = left - FIRST_PIXEL, top - FIRST_PIXEL
    pedestrian = len(values) != WITH_CLASS or values[7] in (PEDESTRIAN, NO_CLASS)
    return int(frame), _Row(line, int(identity), (left, top, left + width, top + height), counts != 0 and pedestrian)


def _words(text: str) -> list[str]:
    """The columns of a line, with commas or only spaces between them, without empty ones at the end."""
    words = [word.strip() for word in text.split(",")] if "," in text else text.split()
    while words and not words[-1]:
        words.pop()
    return words


_Picture = tuple[int, Callable[[], tuple[int, int]], Callable[[], Image]]


def _pictures(folder: Path) -> list[_Picture]:
    """Number, size and reader of each frame."""
    if images := _images(folder):
        return [(number, partial(image_size, file), partial(read_image, file)) for number, file in images]
    videos = _videos(folder)
    if not videos:
        return []
    video = VideoFrames(videos[0])
    return [(index + 1, video.size, partial(video.read, index)) for index in range(len(video))]


def _images(folder: Path) -> list[tuple[int, Path]]:
    """Frame numbers and files of the images in the folder that seqinfo.ini names (img1 if it names none)."""
    named = folder / _info(folder).get("imDir", FRAMES)
    place = named if named.is_dir() else folder / FRAMES
    return [(int(file.stem), file) for file in list_images(place) if file.stem.isdecimal()] if place.is_dir() else []


def _videos(folder: Path) -> list[Path]:
    return [file for suffix in VIDEO_SUFFIXES for file in sorted(folder.glob(f"*{suffix}"))]


def _info(folder: Path) -> dict[str, str]:
    """The section [Sequence] of seqinfo.ini; {} if the file is missing or can't be read."""
    # no interpolation: a % in a value is no reference
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment]  # keys keep their case
    try:
        parser.read(folder / INFO, encoding="utf-8-sig")
    except (configparser.Error, UnicodeDecodeError):
        return {}
    return dict(parser["Sequence"]) if parser.has_section("Sequence") else {}


def frame_rate(folder: Path) -> float | None:
    """Frames per second from seqinfo.ini; None if it has no valid rate."""
    try:
        rate = float(_info(folder).get("frameRate", ""))
    except ValueError:
        return None
    return rate if math.isfinite(rate) and rate > 0 else None

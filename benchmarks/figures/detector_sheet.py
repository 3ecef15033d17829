"""Pictures of a source with what one or two detectors say, as JPEG pages: right boxes, wrong ones, missed objects, and the truth.

``python -m edgecnn.benchmarks.figures.detector_sheet person-face-vehicle YOLOX-nano --data DIR --source coco --out sheets/coco.jpg``

A source is a name of the table in ``detector_cases.py`` or a dataset address; a detector is a shipped name, a file, or a name of that
table. Classes that a source does not label are not drawn. Look at the licence of the images before pages are shown to others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import cv2
import numpy as np

from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.figures.detector_cases import DetectorFile, DetectorSource, detectors, open_source, sources
from edgecnn.benchmarks.measure.evaluation import OpenedModel, opened_model
from edgecnn.benchmarks.measure.progress import Progress, ProgressLine
from edgecnn.columns import align_columns
from edgecnn.data import Dataset
from edgecnn.errors import InputError
from edgecnn.files import check_writable, write_file
from edgecnn.metrics.object_match import ERROR_KINDS
from edgecnn.runtime.draw.captions import BLACK, FONT, WHITE, Color, draw_caption, fit
from edgecnn.tasks.detect import labelled_only
from edgecnn.trust.judgement import Judgement, judge
from edgecnn.types import Detections, Float32, Image

# BGR, told apart by the color-blind, too
RIGHT, WRONG, MISSED, TRUTH = (255, 170, 40), (40, 70, 235), (0, 215, 255), (235, 235, 235)
LEGEND = (("right", RIGHT), ("wrong", WRONG), ("missed", MISSED), ("truth, thin", TRUTH))
GROUND = (48, 48, 48)
LINE, GAP, WORDS, BAND = 2, 8, 18, 30  # pixels: lines of boxes, between tiles, for the words under a tile, for the head of a page
WORD_SCALE = 0.42
MOST_CAPTIONS = 25  # of the boxes in one image; with more, only wrong boxes have one


@dataclass(frozen=True, slots=True)
class SheetPicture:
    """One image as one detector sees it: a picture with the words under it."""

    image: Image
    words: str


@click.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL [MODEL]")
@click.option("--data", "folder", type=click.Path(path_type=Path), help="Folder with the datasets and models/.")
@click.option("--source", "name", required=True, help="Name in the table of sources, or a dataset address.")
@click.option("--count", type=click.IntRange(1), default=40, show_default=True, help="Pictures, evenly spread over the source.")
@click.option("--score-threshold", type=click.FloatRange(0, 1), help="Lowest score of a box.  [default: as `edgecnn run` shows]")
@click.option("--per-page", type=click.IntRange(1), default=10, show_default=True, help="Pictures on a page.")
@click.option("--columns", type=click.IntRange(1), default=2, show_default=True, help="Pictures beside each other.")
@click.option(
    "--width", type=click.IntRange(160, 1600), default=420, show_default=True, help="Longer side of a picture in pixels."
)
@click.option("--quality", type=click.IntRange(10, 100), default=78, show_default=True, help="Quality of the JPEG files.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="The JPEG file; with several pages FILE-1.jpg, FILE-2.jpg, ..."
)
def command(
    models: tuple[str, ...],
    folder: Path | None,
    name: str,
    count: int,
    score_threshold: float | None,
    per_page: int,
    columns: int,
    width: int,
    quality: int,
    out: Path,
) -> None:
    """Draw what one or two MODELs say of pictures of a source, beside each other."""
    if len(models) > 2:
        raise click.UsageError(f"{len(models)} models are named; a sheet shows one, or two beside each other")
    (source,) = sources([name], folder)
    files = detectors(models, folder)
    dataset = open_source(source)
    for one in files:
        if not one.knows(dataset):
            raise InputError(
                f"{one.name} has none of the classes {', '.join(dataset.labels)} of {source.name}", "name another source"
            )
    places = np.unique(np.linspace(0, len(dataset) - 1, count).astype(int)).tolist()
    paths = page_paths(out, -(-len(places) // per_page))
    for path in paths:
        check_writable(path)
    tallies = [Counter[tuple[str, str]]() for _ in files]
    with ProgressLine() as status:
        drawn = [
            pictures(source, dataset, one, places, score_threshold, width, tally, status)
            for one, tally in zip(files, tallies, strict=True)
        ]
    rows = list(zip(*drawn, strict=True))
    scores = "" if score_threshold is None else f", score {score_threshold:g} and more"
    for number, path in enumerate(paths):
        head = f"{source.name}, {number + 1} of {len(paths)}: {' | '.join(one.name for one in files)}{scores}"
        write_page(path, page(rows[number * per_page : (number + 1) * per_page], columns, head), quality)
    click.echo(table(files, tallies))


def page_paths(out: Path, pages: int) -> list[Path]:
    """The files of the pages."""
    return [out] if pages == 1 else [out.with_stem(f"{out.stem}-{number}") for number in range(1, pages + 1)]


def write_page(path: Path, image: Image, quality: int) -> None:
    """Write a page as JPEG and say so."""
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise InputError(
            f"{path.name} can't be written as JPEG: {image.shape[1]} x {image.shape[0]} pixels", "make --per-page smaller"
        )
    write_file(path, data.tobytes())
    click.echo(f"wrote {path}, {len(data) / 1024:.0f} KiB")


def pictures(
    source: DetectorSource,
    dataset: Dataset,
    detector: DetectorFile,
    places: Sequence[int],
    threshold: float | None,
    width: int,
    tally: Counter[tuple[str, str]],
    status: Progress,
) -> list[SheetPicture]:
    """A picture for each place of the dataset; ``tally`` counts what is right, missed or wrong by class.

    Raises what ``opened_model`` raises and, for images of the training, ``OverlapError``.
    """
    found: list[SheetPicture] = []
    with opened_model(detector.config(source, dataset)) as model:
        for place in places:
            status(f"{detector.name}, picture {len(found) + 1} of {len(places)}")
            found.append(_picture(model, place, threshold, width, tally))
        model.overlap.finish()
    return found


def _picture(
    model: OpenedModel, place: int, threshold: float | None, width: int, tally: Counter[tuple[str, str]]
) -> SheetPicture:
    sample, labels = model.dataset.samples[place], model.dataset.labels
    image = sample.read()
    prediction = model.predictor(image)
    assert isinstance(prediction, Detections)
    shown = {} if threshold is None else {"threshold": threshold}
    judgement = judge(prediction, sample, model.classes, **shown)
    mapped = labelled_only(model.classes.detections(prediction), sample.unlabelled)
    counts = Counter({"right": int(judgement.right.sum()), "wrong": len(judgement.extra), "missed": int(judgement.missed.sum())})
    for label, right, missed in zip(judgement.truth.tolist(), judgement.right, judgement.missed, strict=True):
        tally[labels[label], "right" if right else "missed" if missed else "nearly"] += 1
    for label, kind in zip(judgement.extra.class_id.tolist(), judgement.extra.kinds, strict=True):
        tally[labels[label], kind] += 1
    assert sample.boxes is not None
    ignored = np.zeros((0, 4), np.float32) if sample.boxes.crowd is None else sample.boxes.xyxy[sample.boxes.crowd]
    counted = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "nothing"
    return SheetPicture(drawn(image, judgement, mapped, ignored, labels, width), f"{counted}; {Path(sample.name).name}")


def drawn(image: Image, judgement: Judgement, found: Detections, ignored: Float32, labels: Sequence[str], width: int) -> Image:
    """The image, its longer side ``width`` pixels, with the truth and what a detector ``found``, by which it was judged.

    ``ignored`` (n, 4) are true boxes that do not count.
    """
    factor = width / max(image.shape[:2])
    size = max(round(image.shape[1] * factor), 1), max(round(image.shape[0] * factor), 1)
    canvas = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR), np.uint8)
    for box in (*judgement.xyxy[~judgement.missed], *ignored):
        _box(canvas, box * factor, TRUTH, 1)
    few = len(judgement) + len(judgement.extra) <= MOST_CAPTIONS
    captions: list[tuple[str, Float32, Color]] = []
    for place in np.flatnonzero(judgement.missed):
        _box(canvas, judgement.xyxy[place] * factor, MISSED, LINE)
        captions += [(labels[judgement.truth[place]], judgement.xyxy[place], MISSED)] if few else []
    for place in np.flatnonzero(judgement.right):
        box = found.xyxy[judgement.row[place]]
        _box(canvas, box * factor, RIGHT, LINE)
        captions += [(f"{labels[judgement.said[place]]} {judgement.score[place]:.2f}", box, RIGHT)] if few else []
    extra = judgement.extra
    for box, label, score, kind in zip(extra.xyxy, extra.class_id, extra.score, extra.kinds, strict=True):
        _box(canvas, box * factor, WRONG, LINE)
        captions.append((f"{labels[label]} {score:.2f}{'' if kind == ERROR_KINDS[-1] else f' {kind}'}", box, WRONG))
    for text, box, color in captions:
        left, top = np.rint(box[:2] * factor).astype(int).tolist()
        draw_caption(canvas, text, left, top, color)
    return canvas


def _box(canvas: Image, box: Float32, color: Color, line: int) -> None:
    x1, y1, x2, y2 = np.clip(np.rint(box), -9999, 9999).astype(int).tolist()
    if line > 1:
        cv2.rectangle(canvas, (x1, y1), (x2, y2), BLACK, line + 2)
    cv2.rectangle(canvas, (x1, y1), (x2, y2), color, line)


def page(rows: Sequence[Sequence[SheetPicture]], columns: int, head: str) -> Image:
    """A page of pictures, those of one image beside each other, ``columns`` images in a line, with a head and a legend."""
    side = max(max(one.image.shape[1] for one in row) for row in rows)
    across = min(columns, len(rows)) * len(rows[0])
    lines = [rows[start : start + columns] for start in range(0, len(rows), columns)]
    heights = [max(one.image.shape[0] for row in line for one in row) + WORDS + GAP for line in lines]
    sheet = np.full((BAND + sum(heights), across * (side + GAP) + GAP, 3), GROUND, np.uint8)
    _head(sheet, head)
    top = BAND
    for line, height in zip(lines, heights, strict=True):
        left = GAP
        for one in (one for row in line for one in row):
            rows_, columns_ = one.image.shape[:2]
            sheet[top : top + rows_, left : left + columns_] = one.image
            text = fit(one.words, WORD_SCALE, 1, side)[0]
            cv2.putText(sheet, text, (left, top + rows_ + WORDS - 5), FONT, WORD_SCALE, WHITE, 1, cv2.LINE_AA)
            left += side + GAP
        top += height
    return sheet


def _head(sheet: Image, head: str) -> None:
    """The words of the page at the left, the legend at the right."""
    left = sheet.shape[1] - GAP
    for name, color in reversed(LEGEND):
        left -= fit(name, WORD_SCALE, 1, sheet.shape[1])[1] + 2 * GAP
        cv2.putText(sheet, name, (left, BAND - 11), FONT, WORD_SCALE, color, 1, cv2.LINE_AA)
    text = fit(head, WORD_SCALE, 1, max(left - 3 * GAP, 1))[0]
    cv2.putText(sheet, text, (GAP, BAND - 11), FONT, WORD_SCALE, WHITE, 1, cv2.LINE_AA)


def table(files: Sequence[DetectorFile], tallies: Sequence[Counter[tuple[str, str]]]) -> str:
    """What the pictures show, counted: objects that are right, nearly right or missed, and wrong boxes by kind."""
    kinds = ("right", "nearly", "missed", *ERROR_KINDS)
    cells = [["model", "class", *kinds]]
    for one, tally in zip(files, tallies, strict=True):
        for label in sorted({label for label, _ in tally}):
            cells.append([one.name, label, *(str(tally[label, kind]) for kind in kinds)])
    return align_columns(cells, left=2)


if __name__ == "__main__":
    figure.run(command)

"""Frames of a source with the boxes that `edgecnn run` shows, beside each other in one JPEG file.

``python -m edgecnn.benchmarks.figures.montage cups --source "scene:cups?seed=9100&fps=1&cut=1" --count 4 --every 50 --out docs/scene.jpg``
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import click
import cv2
import numpy as np

from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.figures.detector_sheet import write_page
from edgecnn.errors import InputError
from edgecnn.files import check_writable
from edgecnn.runtime.draw.painter import draw
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.sources import open_source
from edgecnn.shipped import artifact
from edgecnn.shown_scores import shown_scores
from edgecnn.types import Detections, Image


@click.command()
@click.argument("model")
@click.option("--source", required=True, metavar="URI", help="Scene, video, folder or image.")
@click.option("--count", type=click.IntRange(1), default=4, show_default=True, help="Frames.")
@click.option("--every", type=click.IntRange(1), default=1, show_default=True, help="Take each N-th frame.")
@click.option("--columns", type=click.IntRange(1), default=2, show_default=True, help="Frames beside each other.")
@click.option("--quality", type=click.IntRange(10, 100), default=85, show_default=True, help="Quality of the JPEG file.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The JPEG file.")
def command(model: str, source: str, count: int, every: int, columns: int, quality: int, out: Path) -> None:
    """Draw what the detector MODEL shows on frames of a source."""
    check_writable(out)
    with Predictor(artifact(model)) as predictor, open_source(source, paced=False) as frames:
        shown = shown_scores(predictor.card)
        pictures = []
        for frame in islice(frames, 0, count * every, every):
            found = predictor(frame.image)
            assert isinstance(found, Detections)
            pictures.append(draw(frame.image, shown.keep(found), predictor.card.labels))
    if len(pictures) < count or len({picture.shape for picture in pictures}) > 1:
        raise InputError(f"{source} has no {count} frames of one size", "choose a smaller --count or --every")
    write_page(out, montage(pictures, columns), quality)


def montage(pictures: list[Image], columns: int) -> Image:
    """Pictures (H, W, 3) of one size in rows of ``columns``; the rest of the last row is black."""
    missing = -len(pictures) % columns
    every = [*pictures, *[np.zeros_like(pictures[0])] * missing]
    rows = [cv2.hconcat(every[start : start + columns]) for start in range(0, len(every), columns)]
    return np.asarray(cv2.vconcat(rows), np.uint8)


if __name__ == "__main__":
    figure.run(command)

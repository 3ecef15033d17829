"""The drawn images as datasets: ``scene:stars?shortcut=1&count=400``, with a class and a box for each image."""

from __future__ import annotations

from functools import partial

import numpy as np

from edgecnn.data.sample import Dataset, LazySamples, Sample
from edgecnn.errors import InputError
from edgecnn.scene.drawn.drawing import Drawn
from edgecnn.scene.drawn.options import DrawnOptions, parse_drawn
from edgecnn.scene.drawn.sets import SETS, drawn, drawn_concepts
from edgecnn.task_names import TaskName
from edgecnn.types import Boxes, Image

NAMES = tuple(SETS)


def dataset(uri: str, task: TaskName | None, limit: int | None) -> Dataset:
    """Images of the classes in turn, labelled for classification, or for detection with ``task``; both have the boxes of the objects.

    Raises ``InputError`` for an unknown parameter, a bad value, or without ``count``.
    """
    name = uri.partition("?")[0]
    options = parse_drawn(uri)
    count = limit if options.count is None else options.count
    if count is None:
        raise InputError(f"{name} without count= never ends, so it is no dataset", f"add count=, such as {name}?count=400")
    kind: TaskName = "detect" if task == "detect" else "classify"
    return Dataset(name, kind, SETS[name].labels, LazySamples(count, partial(_sample, name, options)))


def _sample(name: str, options: DrawnOptions, index: int) -> Sample:
    found = drawn(name, options, index)
    return Sample(
        f"image-{index:06d}",
        partial(_image, found),
        found.label,
        _boxes(found),
        group=str(index),
        image_id=index,
        concepts=partial(drawn_concepts, name, found),
    )


def _image(found: Drawn) -> Image:
    return np.array(found.image)


def _boxes(found: Drawn) -> Boxes:
    if found.box is None:
        return Boxes(np.empty((0, 4), np.float32), np.empty(0, np.int64))
    return Boxes(found.box[None], np.array([found.label], np.int64))

"""The built-in scene as a dataset: every n-th frame with its boxes, its mask or its key points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import overload

from edgecnn.data.sample import Dataset, Sample
from edgecnn.errors import InputError
from edgecnn.labels import BACKGROUND
from edgecnn.scene.ground_truth import KEY_POINTS
from edgecnn.scene.options import SceneOptions
from edgecnn.scene.scene import Scene
from edgecnn.task_names import TaskName
from edgecnn.types import Image

TASKS: tuple[TaskName, ...] = ("detect", "segment", "pose")
RENDERED = ("boxes", "mask", "points")  # fields of a sample


class RenderedSamples(Sequence[Sample]):
    """Samples rendered lazily: indexing computes the ground truth, ``read()`` the image."""

    def __init__(self, scene: Scene, count: int, task: TaskName = "detect") -> None:
        self._scene, self._count, self._task = scene, count, task

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | Sequence[Sample]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._count))]
        if not -self._count <= index < self._count:
            raise IndexError(index)
        # the modulo turns a negative index into one from the start
        frame = index % self._count * self._scene.options.every
        # frames of one cut show the same objects: a random split must not divide them
        sample = partial(
            Sample,
            f"frame-{frame:07d}",
            partial(self._image, frame),
            group=self.group(index),
            image_id=frame,
            concepts=partial(self._scene.concepts, frame),
        )
        if self._task == "segment":
            return sample(mask=partial(self._mask, frame))
        ground_truth = self._scene.ground_truth(frame)
        return sample(boxes=ground_truth.boxes, points=ground_truth.points if self._task == "pose" else None)

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(self._count))

    def group(self, index: int) -> str:
        """The cut of a sample, without computing its ground truth."""
        return str(self._scene.cut(index % self._count * self._scene.options.every))

    def _image(self, frame: int) -> Image:
        return self._scene.render(frame)[0]

    def _mask(self, frame: int) -> Image:
        return self._scene.ground_truth(frame).mask


def dataset(options: SceneOptions, task: TaskName | None = None) -> Dataset:
    """The frames 0, every, 2 * every, ..., ``count`` of them, with boxes, or masks or key points by ``task``; ``group`` is the cut.

    The labels are the classes, with the background as class 0 of a mask, or the names of the key points.
    A task without ground truth in the scene gives boxes. Raises ``InputError`` without ``count``.
    """
    if options.count is None:
        raise InputError("a scene without count= never ends, so it is no dataset", "add count=, such as scene:cups?count=1000")
    task = task if task in TASKS else "detect"
    scene = Scene(options)
    labels = {"detect": scene.labels, "segment": (BACKGROUND, *scene.labels), "pose": KEY_POINTS}[task]
    return Dataset("scene:cups", task, labels, RenderedSamples(scene, options.count, task))

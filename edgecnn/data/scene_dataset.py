"""The built-in scene as a dataset: every n-th frame with its boxes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import overload

from edgecnn.data.sample import Dataset, Sample
from edgecnn.errors import InputError
from edgecnn.scene.options import SceneOptions
from edgecnn.scene.scene import Scene
from edgecnn.types import Image


class RenderedSamples(Sequence[Sample]):
    """Samples rendered lazily: indexing computes the ground truth, ``read()`` the image."""

    def __init__(self, scene: Scene, count: int) -> None:
        self._scene, self._count = scene, count

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
        ground_truth = self._scene.ground_truth(frame)
        # frames of one cut show the same objects: a random split must not divide them
        group = str(self._scene.cut(frame))
        return Sample(f"frame-{frame:07d}", partial(self._image, frame), boxes=ground_truth.boxes, group=group, image_id=frame)

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(self._count))

    def group(self, index: int) -> str:
        """The cut of a sample, without computing its ground truth."""
        return str(self._scene.cut(index * self._scene.options.every))

    def _image(self, frame: int) -> Image:
        return self._scene.render(frame)[0]


def dataset(options: SceneOptions) -> Dataset:
    """The frames 0, every, 2 * every, ..., ``count`` of them; ``group`` is the cut. Raises ``InputError`` without ``count``."""
    if options.count is None:
        raise InputError("a scene without count= never ends, so it is no dataset", "add count=, such as scene:cups?count=1000")
    return Dataset("scene:cups", "detect", Scene(options).labels, RenderedSamples(Scene(options), options.count))

"""What the sections of `edgecnn explain` look at: a file, an image, a dataset, and what was measured on them once for all sections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from edgecnn.benchmarks.measure.progress import Progress, no_progress, time_left
from edgecnn.data.image_files import ImageError, read_image
from edgecnn.data.recognition import report_lines
from edgecnn.data.sample import Dataset
from edgecnn.errors import InputError
from edgecnn.integrity.signature import require_signature
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.shipped import artifact
from edgecnn.trust.explain.config import ExplainConfig
from edgecnn.trust.explain.effective_field import EffectiveField, effective_fields
from edgecnn.trust.explain.inner import FileReader, open_inner
from edgecnn.trust.explain.kept_images import KeptImages
from edgecnn.trust.explain.network_layers import LayerStep
from edgecnn.trust.explain.units import OF_UNITS, UnitSummary, UnitWatch
from edgecnn.trust.network_view import Content, network_view
from edgecnn.types import Image

PEAKS = 6  # images that are kept for each unit
MOST_LAYERS = 6  # that are looked at more closely, unless some are named
FIELD_IMAGES = {"gradient": 4, "occlusion": 1}  # over which an effective field is the mean


@dataclass(frozen=True, slots=True, eq=False)
class StudiedImage:
    """``original`` (H, W, 3) uint8 BGR, and ``seen`` in the size of the network's input, of which ``content`` shows the image."""

    name: str
    original: Image
    seen: Image
    content: Content


class Study:
    """One run of `edgecnn explain`; use it in a ``with`` block. What is measured is kept, so that each section may ask for it.

    ``report`` gets lines about the dataset, ``progress`` short texts of what is done. Raises what opening the file and the dataset raises.
    """

    def __init__(self, config: ExplainConfig, *, report: Progress = no_progress, progress: Progress = no_progress) -> None:
        self.config, self._progress = config, progress
        self.peak_images: KeptImages | None = None  # of ``units``, in the size of the network's input
        path = artifact(config.file)
        require_signature(path, config.require_signature)
        with ExitStack() as stack:
            self.reader: FileReader = stack.enter_context(open_inner(path, config.options, config.threads))
            for name in config.layers:
                self.reader.step(name)
            self.dataset: Dataset | None = self._open(report)
            self.image: StudiedImage | None = self._image()
            self._open_files = stack.pop_all()

    @cached_property
    def predictor(self) -> Predictor:
        """The file as it is run, opened on first use."""
        config = self.config
        return self._open_files.enter_context(Predictor(config.file, threads=config.threads, options=config.options))

    @cached_property
    def chosen(self) -> tuple[LayerStep, ...]:
        """The layers that are looked at closely: those that were named, else a few convolutions from the first to the last."""
        if self.config.layers:
            return tuple(dict.fromkeys(self.reader.step(name) for name in self.config.layers))
        convolutions = [step for step in self.reader.steps if step.layer.kind in OF_UNITS]
        dense = [step for step in convolutions if step.layer.kind != "depthwise conv"] or convolutions
        places = np.unique(np.linspace(0, len(dense) - 1, min(MOST_LAYERS, len(dense))).round().astype(int))
        return tuple(dense[place] for place in places)

    @cached_property
    def units(self) -> dict[str, UnitSummary]:
        """All convolutions over the dataset, with the peaks of the chosen layers; {} without a dataset."""
        if self.dataset is None:
            return {}
        steps = [step for step in self.reader.steps if step.layer.kind in OF_UNITS or step in self.chosen]
        watch = UnitWatch(steps, [step.layer.name for step in self.chosen], PEAKS)
        self.peak_images = KeptImages(watch.with_peaks)
        for index, image in self.images("units: image"):
            if watch.add(index, self.reader.activations(image, watch.names)):
                self.peak_images.add(index, self.seen(image))
        return watch.result() if watch.images else {}

    @cached_property
    def fields(self) -> dict[str, EffectiveField]:
        """The effective receptive fields of the chosen layers; {} without an image."""
        images = self._field_images()
        show = time_left(self._progress, "receptive fields: layer")
        return effective_fields(self.reader, images, self.chosen, seed=self.config.seed, progress=show) if images else {}

    def images(self, noun: str) -> Iterator[tuple[int, Image]]:
        """Number and pixels of each image of the dataset that can be read; shows "``noun`` 3 of 200"."""
        samples = () if self.dataset is None else self.dataset.samples
        show = self.counter(noun)
        for index, sample in enumerate(samples):
            show(index + 1, len(samples))
            try:
                yield index, sample.read()
            except InputError:
                continue

    def counter(self, noun: str) -> Callable[[int, int], None]:
        """Shows progress as "``noun`` 3 of 200, 1 min left" for each call with (done, total)."""
        return time_left(self._progress, noun)

    def seen(self, image: Image) -> Image:
        """An image in the size of the network's input."""
        return network_view(image, self.reader.card.preprocess)[0]

    def close(self) -> None:
        """Free the file; calling it again does nothing."""
        self._open_files.close()

    def __enter__(self) -> Study:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _open(self, report: Progress) -> Dataset | None:
        config = self.config
        if config.data is None:
            return None
        opened = config.data.open(task=self.reader.card.task)
        for line in report_lines(opened):
            report(line)
        if not len(opened):
            raise InputError(f"--data: {opened.name} has no images", "name another dataset, or another --split")
        count = min(config.limit, len(opened))
        return opened.pick(np.unique(np.linspace(0, len(opened) - 1, count).round().astype(int)).tolist())

    def _image(self) -> StudiedImage | None:
        if self.config.image is not None:
            return self._studied(self.config.image.name, _read(self.config.image))
        for index, image in self.images("image"):
            assert self.dataset is not None
            return self._studied(self.dataset.samples[index].name, image)
        if self.dataset is not None:
            raise InputError(f"--data: no image of {self.dataset.name} can be read", "check it with edgecnn data check")
        return None

    def _studied(self, name: str, image: Image) -> StudiedImage:
        seen, _, content = network_view(image, self.reader.card.preprocess)
        return StudiedImage(name, image, seen, content)

    def _field_images(self) -> list[Image]:
        """The image that is shown, and others of the dataset."""
        if self.image is None:
            return []
        most = FIELD_IMAGES["gradient" if self.reader.has_gradients else "occlusion"]
        found = [self.image.seen]
        for _, image in self.images("receptive fields: image") if most > 1 else ():
            if len(found) >= most:
                break
            seen = self.seen(image)
            if not np.array_equal(seen, found[0]):
                found.append(seen)
        return found


def _read(path: Path) -> Image:
    try:
        return read_image(path)
    except ImageError as error:
        raise InputError(f"--image: can't read {path}: {error.reason}", "name an image file") from error

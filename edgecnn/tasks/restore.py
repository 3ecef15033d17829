"""Restoration: an image made of an image, by super-resolution or denoising."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgecnn.card import ModelCard
from edgecnn.degrade import enlarged
from edgecnn.postprocess import RESTORERS
from edgecnn.tasks.interface import Accumulator, Task
from edgecnn.tasks.text import shape_text
from edgecnn.tasks.wrong import wrong_outputs, wrong_task
from edgecnn.types import Picture, TensorSpec

if TYPE_CHECKING:
    from edgecnn.metrics.classmap import ClassMap
    from edgecnn.metrics.ground_truth import GroundTruthSample
    from edgecnn.metrics.image_quality import QualityAccumulator
    from edgecnn.metrics.score import Score
    from edgecnn.parity import Agreement, Tolerance

MOST_DB = 50.0  # of agreement that is asked for: one grey level more or less in two of three pixels


class Restore(Task[Picture]):
    """Image to image, measured by PSNR and SSIM."""

    name, prediction, model, data = "restore", Picture, "a restoration model", "images"
    decoders, default_decoder = tuple(RESTORERS), "picture"
    compared, metric, truth = "pictures", "psnr", "read"
    allowed_drop = 0.5  # dB
    has_classes = needs_labels = in_rows = False
    tiled = True
    resize = "crop"

    def output_names(self, decoder: str, count: int) -> tuple[str, ...]:
        """One output, ``picture``."""
        return ("picture",) if count == 1 else ()

    def check_outputs(self, outputs: Sequence[TensorSpec], card: ModelCard) -> None:
        """One image of 1 or 3 channels, with sides that are the same multiple of those of the input."""
        size = image_size(outputs[0].shape) if len(outputs) == 1 else None
        if size is None:
            raise wrong_outputs(self.name, "one output with one image of 1 or 3 channels", outputs)
        (height, width), (in_h, in_w) = size, card.preprocess.size
        if height % in_h or height // in_h != width / in_w:
            expected = f"an image that is a whole multiple of its input of {shape_text(card.preprocess.size)}"
            raise wrong_outputs(self.name, expected, outputs)

    def resembles(self, outputs: Sequence[TensorSpec]) -> bool:
        """One image of 3 channels."""
        return len(outputs) == 1 and image_size(outputs[0].shape) is not None and 3 in outputs[0].shape[1:]

    def compare(self, expected: Picture, got: Picture, tolerance: Tolerance) -> Agreement:
        """Whether the PSNR between both pictures is at least that of the tolerated mean error, or 50 dB where that is less."""
        from edgecnn.metrics.image_quality import psnr
        from edgecnn.parity import Agreement

        if expected.image.shape != got.image.shape:
            return Agreement(0, 1)
        least = min(MOST_DB, -20 * math.log10(min(tolerance.mean, 1.0)))
        return Agreement(int(psnr(got.image, expected.image) >= least), 1)

    def record(self, prediction: Picture, labels: Sequence[str]) -> dict[str, Any]:
        """The size of the picture; its pixels are written with --out and --snapshot."""
        height, width = prediction.image.shape[:2]
        return {"pictures": [{"size_px": [width, height]}]}

    def headline(self, prediction: Picture, labels: Sequence[str]) -> str:
        """The size of the picture."""
        height, width = prediction.image.shape[:2]
        return f"picture of {width}x{height}"

    def text(self, prediction: Picture, labels: Sequence[str]) -> list[str]:
        """The size of the picture."""
        return [self.headline(prediction, labels)]

    def match_labels(self, model: Sequence[str], data: Sequence[str]) -> ClassMap:
        """A model of pictures has no classes."""
        from edgecnn.metrics.classmap import identity

        return identity(len(data))

    def accumulator(self, labels: tuple[str, ...]) -> Accumulator[Picture]:
        """PSNR and SSIM, and those of the input."""
        from edgecnn.metrics.image_quality import QualityAccumulator

        return _PictureAccumulator(QualityAccumulator())


class _PictureAccumulator:
    def __init__(self, inner: QualityAccumulator) -> None:
        self._inner = inner

    def add(self, prediction: Picture, sample: GroundTruthSample, classes: ClassMap) -> None:
        if sample.original is None:
            raise wrong_task(Restore.data, Restore.model, Restore.model)
        original, degraded = sample.original(), sample.read()
        self._inner.add(prediction.image, original, enlarged(degraded, original.shape[0] // degraded.shape[0]))

    def score(self, notes: tuple[str, ...]) -> Score:
        return self._inner.score(notes)


def image_size(shape: Sequence[int]) -> tuple[int, int] | None:
    """Height and width of a batch of one image of 1 or 3 channels, planes or interleaved; None for other shapes."""
    if len(shape) != 4 or shape[0] != 1:
        return None
    if shape[1] in (1, 3):
        return shape[2], shape[3]
    return (shape[1], shape[2]) if shape[3] in (1, 3) else None

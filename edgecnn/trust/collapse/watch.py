"""What a file computes for a few images: steps of scores, outputs that never change, values at the ends of their ranges."""

from __future__ import annotations

import numpy as np

from edgecnn.errors import EdgeCnnError
from edgecnn.postprocess.tensors import dequantize
from edgecnn.preprocess import preparer
from edgecnn.runtime.backends.one_image import one_image
from edgecnn.runtime.model.predictor import Predictor, bind_inputs
from edgecnn.trust.collapse.inner import end_shares, open_inner
from edgecnn.trust.collapse.quantized_tensor import InnerTensors
from edgecnn.trust.collapse.score_steps import ScoreSteps, ScoreStepWatch
from edgecnn.types import Array, Image, Tensors

MOST_IMAGES = 48  # running a file with its inner tensors costs several times as much as running it


class OutputWatch:
    """Runs a file on images once more and keeps what tells a collapse; memory does not grow with the number of images."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor
        self._backend = one_image(predictor.backend)
        self._binding = bind_inputs(self._backend, predictor.card)
        self._prepare = preparer(predictor.card.preprocess, self._backend.inputs, self._binding.inputs)
        self.inner: InnerTensors | None = open_inner(predictor.path)
        own = predictor.card.preprocess
        lowest, highest = (np.subtract(pixel, own.mean) / np.array(own.std) for pixel in (0.0, 255.0))
        self._limits = float(np.min(lowest)), float(np.max(highest))
        self._steps = ScoreStepWatch(predictor.card)
        self.shares: list[Array] = []  # by image: the share of values at an end of the range of each inner tensor
        self.images = self.not_finite = 0
        self._first: dict[str, Array] = {}
        self._checks: list[set[int]] = []  # of each inner tensor: its different checksums
        self.changing: set[str] = set()  # outputs that differ between images

    @property
    def constant(self) -> list[str]:
        """Outputs that are the same for all images, of at least two."""
        return [] if self.images < 2 else [name for name in self._first if name not in self.changing]

    def add(self, image: Image) -> None:
        """Run the file on ``image``, (H, W, 3) uint8 BGR."""
        self._prepare(image)
        outputs = dequantize(dict(self._binding.run()), self._backend.outputs)
        self.images += 1
        if not all(np.isfinite(array).all() for array in outputs.values() if array.dtype.kind == "f"):
            self.not_finite += 1
        self._compare(outputs)
        self._steps.add(outputs)
        if self.inner is not None:
            self.shares.append(self._ends(self.inner))

    @property
    def first_dead(self) -> int | None:
        """The first inner tensor that is the same for all images, of at least two; None where there is none."""
        if self.images < 2 or not self._checks:
            return None
        return next((index for index, checks in enumerate(self._checks) if len(checks) == 1), None)

    @property
    def score_steps(self) -> ScoreSteps | None:
        """See ``ScoreStepWatch.result``."""
        return self._steps.result

    def _compare(self, outputs: Tensors) -> None:
        for name, array in outputs.items():
            if name not in self._first:
                self._first[name] = np.array(array)
            elif not np.array_equal(self._first[name], array, equal_nan=True):
                self.changing.add(name)

    def _ends(self, inner: InnerTensors) -> Array:
        try:
            shares, checks = end_shares(inner, self._binding.inputs, self._limits)
        except EdgeCnnError:
            return np.full(len(inner.tensors), np.nan)
        self._checks = self._checks or [set() for _ in checks]
        for known, own in zip(self._checks, checks, strict=True):
            known.add(own)
        return shares

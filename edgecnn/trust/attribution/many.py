"""Predicts many images of the size of the model's input: in batches where the file takes any number of images, else one by one."""

from __future__ import annotations

import numpy as np

from edgecnn.postprocess import decode
from edgecnn.preprocess import Preprocessor
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.trust.attribution.target import Target
from edgecnn.types import Float32, Image, Prediction

BATCH = 16  # images at once: larger batches hardly gain on a CPU and take memory


class ManyImages:
    """The predictions of a model for images (n, h, w, 3) uint8 BGR of the size of its input, boxes in input pixels."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor, self._card = predictor, predictor.card
        inputs = predictor.backend.inputs
        self.batched = len(inputs) == 1 and inputs[0].shape[:1] == (-1,) and not self._card.preprocess.tensors
        self._prepare = Preprocessor(self._card.preprocess, inputs[0]) if self.batched else None

    def __call__(self, images: Image) -> list[Prediction]:
        """The prediction of each image, in order."""
        if self._prepare is None:
            return [self._predictor(image) for image in images]
        return [
            one for start in range(0, len(images), BATCH) for one in self._batch(self._prepare, images[start : start + BATCH])
        ]

    def scores(self, images: Image, target: Target) -> Float32:
        """The score (n,) of ``target`` in each image."""
        return np.array([target.score(one) for one in self(images)], np.float32)

    def _batch(self, prepare: Preprocessor, images: Image) -> list[Prediction]:
        rows = np.concatenate([prepare(image)[0][prepare.spec.name].copy() for image in images])
        outputs = self._predictor.backend.run({prepare.spec.name: rows})
        if any(array.shape[:1] != (len(rows),) for array in outputs.values()):
            self._prepare = None  # the outputs do not keep the images apart
            return self(images)
        self._predictor.monitor.check(outputs)
        return [decode({name: array[row : row + 1] for name, array in outputs.items()}, self._card) for row in range(len(rows))]

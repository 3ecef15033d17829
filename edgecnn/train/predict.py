"""Runs a model in training as a predictor, with the same pre- and postprocessing as on a device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from edgecnn.card import Decode, ModelCard
from edgecnn.postprocess import decode
from edgecnn.preprocess import Preprocessor
from edgecnn.tasks import find, to_source
from edgecnn.thresholds import EVALUATION_SCORE
from edgecnn.types import Image, Prediction


@contextmanager
def one_thread() -> Iterator[None]:
    """A block with one CPU thread: for single small images the synchronization of several costs more than they save."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def scoring_card(card: ModelCard) -> ModelCard:
    """The card with the score threshold of objects lowered: that of normal use would cut off the precision-recall curve of mAP."""
    if not find(card.task).has_threshold:
        return card
    return card.replace(decode=Decode(card.decode.name, {**card.decode.options, "score_threshold": EVALUATION_SCORE}))


class EagerPredictor:
    """Runs an eager model on single images, fp32."""

    def __init__(self, model: nn.Module, card: ModelCard) -> None:
        self._model, self._card = model.eval(), card
        self._device = next(model.parameters()).device
        self._prepare = Preprocessor(card.preprocess, card.inputs[0])

    def __call__(self, image: Image) -> Prediction:
        """The prediction for ``image`` (H, W, 3) BGR."""
        feed, place = self._prepare(image)
        with torch.inference_mode():
            found = self._model(torch.from_numpy(feed[self._card.inputs[0].name]).to(self._device))
        tensors = found if isinstance(found, tuple) else (found,)
        outputs = {spec.name: tensor.cpu().numpy() for spec, tensor in zip(self._card.outputs, tensors, strict=True)}
        prediction = decode(outputs, self._card)
        return to_source(prediction, place)

"""The decoders of ``edgecnn.postprocess`` as PyTorch modules: raw outputs to boxes (1, N, 4) and scores (1, N, C)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor, nn

from edgecnn.card import ModelCard
from edgecnn.errors import InputError
from edgecnn.export.inference_check import flatten
from edgecnn.postprocess.blazeface import VALUES, anchors
from edgecnn.postprocess.cells import cell_count, cells, grid
from edgecnn.postprocess.detr import output_names
from edgecnn.postprocess.fastestdet import STRIDE
from edgecnn.postprocess.final_boxes import FINAL_BOXES
from edgecnn.postprocess.nanodet import BINS, LAYOUTS
from edgecnn.postprocess.nms import NmsOptions
from edgecnn.postprocess.ultraface import CENTRE_VARIANCE, SIZE_VARIANCE, priors
from edgecnn.postprocess.yolo import layout_of
from edgecnn.tasks import find

Raw = Mapping[str, Tensor]
Decoded = tuple[Tensor, Tensor]
STRIDES: Final = (8, 16, 32)


class BoxDecoder(nn.Module):
    """Decodes the raw outputs of one image; boxes are corners in pixels of the input.

    ``sample`` are the outputs for one image, whose shapes and values decide what a decoder of NumPy reads from each image.
    """

    suppresses = True  # False: the network gives each object once

    def __init__(self, card: ModelCard, sample: Raw) -> None:
        super().__init__()
        self.size = card.preprocess.size
        self.classes = len(card.labels)
        self.options = NmsOptions.from_card(card.decode.options)
        self.prepare(card, sample)

    def prepare(self, card: ModelCard, sample: Raw) -> None:
        """Make the constants of the decoder."""

    def constant(self, name: str, values: object) -> None:
        """Keep an array of NumPy as a float tensor of that name, (1, ...)."""
        self.register_buffer(name, torch.as_tensor(values, dtype=torch.float32)[None].clone())

    def cells(self, card: ModelCard) -> None:
        """The constants ``corners`` and ``strides`` of all cells."""
        corners, strides = cells(self.size, tuple(card.decode.options.get("strides", STRIDES)))
        self.constant("corners", corners)
        self.constant("strides", strides)

    def forward(self, outputs: Raw) -> Decoded:
        """Boxes and scores."""
        raise NotImplementedError


def _around(centre: Tensor, half: Tensor) -> Tensor:
    return torch.cat([centre - half, centre + half], -1)


def _only(outputs: Raw) -> Tensor:
    return next(iter(outputs.values()))


class _Fcos(BoxDecoder):
    corners: Tensor
    strides: Tensor

    def prepare(self, card: ModelCard, sample: Raw) -> None:
        self.cells(card)

    def forward(self, outputs: Raw) -> Decoded:
        sides = outputs["boxes"] * self.strides
        centre = self.corners + self.strides / 2
        return torch.cat([centre - sides[..., :2], centre + sides[..., 2:]], -1), outputs["scores"]


class _Yolox(BoxDecoder):
    corners: Tensor
    strides: Tensor

    def prepare(self, card: ModelCard, sample: Raw) -> None:
        self.cells(card)

    def forward(self, outputs: Raw) -> Decoded:
        table = _only(outputs)
        centre = table[..., :2] * self.strides + self.corners
        half = torch.exp(table[..., 2:4]) * self.strides / 2
        return _around(centre, half), table[..., 5:] * table[..., 4:5]


class _Yolo(BoxDecoder):
    unit: Tensor

    def prepare(self, card: ModelCard, sample: Raw) -> None:
        output = _only(sample)
        self.layout = layout_of(tuple(output.shape), self.size, self.classes)
        if self.layout in ("", "end2end"):
            raise _FINAL if self.layout else _unreadable(card, sample)
        # dense outputs cover the whole input, so a maximum of at most 2 means 0..1
        in_pixels = float(self._table(output)[..., :2].max()) > 2
        self.constant("unit", [[1.0] * 4 if in_pixels else [float(side) for side in (*self.size[::-1], *self.size[::-1])]])

    def _table(self, output: Tensor) -> Tensor:
        return output.transpose(1, 2) if self.layout == "columns" else output

    def forward(self, outputs: Raw) -> Decoded:
        table = self._table(_only(outputs))
        scores = table[..., 5:] * table[..., 4:5] if self.layout == "objectness" else table[..., 4:]
        return _around(table[..., :2], table[..., 2:4] / 2) * self.unit, scores


class _NanoDet(BoxDecoder):
    origin: Tensor
    strides: Tensor
    bins: Tensor

    def prepare(self, card: ModelCard, sample: Raw) -> None:
        strides = next((one for one in LAYOUTS if _only(sample).shape[1] == cell_count(self.size, one)), None)
        if strides is None:
            raise _unreadable(card, sample)
        corners, widths = cells(self.size, strides)
        self.constant("origin", corners + LAYOUTS[strides] * widths)
        self.constant("strides", widths)
        self.constant("bins", torch.arange(BINS))

    def forward(self, outputs: Raw) -> Decoded:
        table = _only(outputs)
        shares = table[..., self.classes :].reshape(1, -1, 4, BINS).softmax(-1)
        sides = (shares * self.bins).sum(-1) * self.strides
        return torch.cat([self.origin - sides[..., :2], self.origin + sides[..., 2:]], -1), table[..., : self.classes]


class _FastestDet(BoxDecoder):
    corners: Tensor
    sides: Tensor

    def prepare(self, card: ModelCard, sample: Raw) -> None:
        self.constant("corners", grid(self.size, STRIDE))
        self.constant("sides", [[float(self.size[1]), float(self.size[0])]])

    def forward(self, outputs: Raw) -> Decoded:
        table = _only(outputs).flatten(2).transpose(1, 2)
        scores = table[..., :1].clamp(min=0) ** 0.6 * table[..., 5:].clamp(min=0) ** 0.4
        centre = (self.corners + torch.tanh(table[..., 1:3])) * STRIDE
        return _around(centre, torch.sigmoid(table[..., 3:5]) * self.sides / 2), scores


class _UltraFace(BoxDecoder):
    anchors: Tensor
    pixels: Tensor

    def prepare(self, card: ModelCard, sample: Raw) -> None:
        self.constant("anchors", priors(self.size))
        self.constant("pixels", [[float(side) for side in (*self.size[::-1], *self.size[::-1])]])
        scores, boxes = self._pair(sample)
        self.has_probabilities = bool((scores >= 0).all() and (scores.sum(-1) < 1.01).all())
        self.has_corners = bool((boxes[..., 2:] > boxes[..., :2]).all())

    def _pair(self, outputs: Raw) -> Decoded:
        by_columns = {output.shape[-1]: output for output in outputs.values()}
        return by_columns[2], by_columns[4]

    def forward(self, outputs: Raw) -> Decoded:
        scores, boxes = self._pair(outputs)
        if not self.has_corners:
            sides = self.anchors[..., 2:]
            centre = self.anchors[..., :2] + boxes[..., :2] * CENTRE_VARIANCE * sides
            boxes = _around(centre, sides * torch.exp(boxes[..., 2:] * SIZE_VARIANCE) / 2)
        face = scores[..., 1:] if self.has_probabilities else torch.sigmoid(scores[..., 1:] - scores[..., :1])
        return boxes * self.pixels, face


class _BlazeFace(BoxDecoder):
    anchors: Tensor

    def prepare(self, card: ModelCard, sample: Raw) -> None:
        found = anchors(self.size, self._pair(sample)[0].shape[1])
        if found is None:
            raise _unreadable(card, sample)
        self.constant("anchors", found)

    def _pair(self, outputs: Raw) -> Decoded:
        by_columns = {output.shape[-1]: output for output in outputs.values()}
        return by_columns[VALUES], by_columns[1]

    def forward(self, outputs: Raw) -> Decoded:
        boxes, raw = self._pair(outputs)
        return _around(self.anchors + boxes[..., :2], boxes[..., 2:4] / 2), torch.sigmoid(raw)


class _Detr(BoxDecoder):
    """The best pairs of query and class; a query may give several boxes."""

    pixels: Tensor
    labels: Tensor
    suppresses = False

    def prepare(self, card: ModelCard, sample: Raw) -> None:
        self.constant("pixels", [[float(side) for side in (*self.size[::-1], *self.size[::-1])]])
        self.constant("labels", [torch.arange(self.classes).tolist()])
        self.boxes, self.scores = output_names({name: tuple(output.shape) for name, output in sample.items()}, self.classes)
        scores = sample[self.scores]
        self.has_rest = scores.shape[-1] == self.classes + 1
        self.has_probabilities = bool(scores.min() >= 0 and scores.max() <= 1)

    def forward(self, outputs: Raw) -> Decoded:
        boxes, scores = outputs[self.boxes], outputs[self.scores]
        corners = _around(boxes[..., :2], boxes[..., 2:] / 2) * self.pixels
        if self.has_rest:
            return corners, scores.softmax(-1)[..., :-1]
        if not self.has_probabilities:
            scores = torch.sigmoid(scores)
        best, place = scores.flatten(1).topk(min(self.options.max_detections, scores.shape[1] * scores.shape[2]))
        query, label = place // self.classes, place % self.classes
        own = (label[..., None] == self.labels).to(best.dtype) * best[..., None]
        return torch.gather(corners, 1, query[..., None].expand(-1, -1, 4)), own


_DECODERS: Mapping[str, type[BoxDecoder]] = {
    "fcos": _Fcos,
    "yolox": _Yolox,
    "yolo": _Yolo,
    "nanodet": _NanoDet,
    "fastestdet": _FastestDet,
    "ultraface": _UltraFace,
    "blazeface": _BlazeFace,
    "detr": _Detr,
}
_FINAL = InputError("--nms: this network gives final boxes already", "leave out --nms")


def _unreadable(card: ModelCard, outputs: Raw) -> InputError:
    shapes = ", ".join(f"{name} {tuple(output.shape)}" for name, output in outputs.items())
    return InputError(
        f"--nms: the decoder {card.decode.name} does not read the outputs {shapes}", "name another decoder with --decode"
    )


def check_decoder(card: ModelCard) -> None:
    """Raise ``InputError`` for a model whose boxes can't be decoded in the graph."""
    if not find(card.task).has_boxes:
        raise InputError(f"--nms: {card.name} is a model of the task {card.task}, without boxes", "leave out --nms")
    if card.decode.name in ("ssd", FINAL_BOXES):
        raise _FINAL
    if card.decode.name not in _DECODERS:
        raise InputError(f"--nms: the decoder {card.decode.name} has no form for a graph", "leave out --nms")


def decoder_of(card: ModelCard, sample: Raw) -> BoxDecoder:
    """The decoder that the card names, for outputs like ``sample``; raises ``InputError`` where it does not read them."""
    check_decoder(card)
    try:
        decoder = _DECODERS[card.decode.name](card, sample)
        with torch.no_grad():
            boxes, scores = decoder(sample)
    except (RuntimeError, KeyError, IndexError, ValueError) as error:
        raise _unreadable(card, sample) from error
    if boxes.shape != (1, scores.shape[1], 4) or scores.shape[2] != len(card.labels):
        raise _unreadable(card, sample)
    return decoder


class DecodedBoxes(nn.Module):
    """A detector whose outputs are decoded: ``all_boxes`` (1, N, 4) and ``all_scores`` (1, N, C)."""

    def __init__(self, model: nn.Module, names: tuple[str, ...], decoder: BoxDecoder) -> None:
        super().__init__()
        self.model, self.names, self.decoder = model, names, decoder

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Boxes and scores of all cells or queries, by name."""
        boxes, scores = self.decoder(dict(zip(self.names, flatten(self.model(image)), strict=True)))
        return {"all_boxes": boxes, "all_scores": scores}

"""The filters of the first convolution as filters over the pixels of the image, in RGB order, whatever the file does before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from edgecnn.trust.explain.network_layers import LayerStep
from edgecnn.trust.inside.graph import FileInside, FloatArray
from edgecnn.trust.inside.receptive_field import Field
from edgecnn.types import Image, Tensors

Feed = Callable[[Image], Tensors]


def pixel_filters(inside: FileInside, first: LayerStep, fields: Mapping[str, Field], feed: Feed) -> FloatArray | None:
    """The filters (out, colours, height, width) of the convolution ``first`` over pixels, colours in RGB order.

    A single pixel of one colour is shown to the file, and the channel and place of the convolution's input that answers says which
    weight belongs to that colour and pixel. So the order of colours in the file, and pixels that were moved to channels, need not be
    known. Where no channel answers for itself, the weights come as they are.
    """
    weights = inside.weights(first.node)
    field = fields.get(first.node.inputs[0])
    if weights is None or field is None:
        return weights
    period = max(round(field.y.jump), 1)
    colours = weights.shape[1] / period**2
    if colours not in (1, 3):
        return weights
    channels = _channels(inside, first, field, period, int(colours), feed)
    if channels is None:
        return weights
    out, _, height, width = weights.shape
    # (out, colours, period, period, height, width): rows and columns of a period are inside those of the weights
    taken = weights[:, channels.reshape(-1)].reshape(out, int(colours), period, period, height, width)
    return np.ascontiguousarray(taken.transpose(0, 1, 4, 2, 5, 3).reshape(out, int(colours), height * period, width * period))


def _channels(
    inside: FileInside, first: LayerStep, field: Field, period: int, colours: int, feed: Feed
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]] | None:
    """The channel of the convolution's input that holds each colour (RGB) of each pixel of a period: (colours, period, period)."""
    height, width = (round(size * axis.jump) for size, axis in zip(field.places, (field.y, field.x), strict=True))
    row, column = height // period // 2, width // period // 2
    source = first.node.inputs[0]

    def at_place(image: Image) -> FloatArray:
        values = inside.run(feed(image), [source])[source][0]
        return np.asarray(values[row, column] if field.channels_last else values[:, row, column])

    dark = at_place(np.zeros((height, width, 3), np.uint8))
    found = np.zeros((colours, period, period), np.int64)
    for colour in range(colours):
        for y in range(period):
            for x in range(period):
                image = np.zeros((height, width, 3), np.uint8)
                bgr = slice(None) if colours == 1 else 2 - colour
                image[row * period + y, column * period + x, bgr] = 255
                found[colour, y, x] = int(np.abs(at_place(image) - dark).argmax())
    return found if len(set(found.reshape(-1).tolist())) == found.size else None

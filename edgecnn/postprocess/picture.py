"""Decodes the outputs of image-to-image models: super-resolution, denoising."""

from __future__ import annotations

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.postprocess.tensors import first_image, single, unexpected_outputs
from edgecnn.types import Array, Picture, Tensors


def picture(outputs: Tensors, card: ModelCard) -> Picture:
    """The output (1, C, H, W) or (1, H, W, C), C = 3 or 1, as an 8-bit image: pixel = value * ``scale``, rounded and clipped.

    Options: ``scale`` (255: values of 0..1) and ``color`` ("rgb" or "bgr", the order of the output's channels; "rgb").
    Raises ``ArtifactError`` for several outputs, and for one of another shape.
    """
    array = single(outputs, "picture")
    if array.ndim != 4 or array.shape[0] != 1 or not {1, 3} & {array.shape[1], array.shape[3]}:
        raise unexpected_outputs("picture", "one image, such as (1, 3, 240, 320)", outputs)
    planes: Array = first_image(array)
    if planes.shape[0] in (1, 3):
        planes = planes.transpose(1, 2, 0)
    pixels = np.nan_to_num(planes) * np.float32(card.decode.options.get("scale", 255.0))
    image = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    if image.shape[2] == 1:
        image = image.repeat(3, 2)
    elif card.decode.options.get("color", "rgb") == "rgb":
        image = image[..., ::-1]
    return Picture(np.ascontiguousarray(image))

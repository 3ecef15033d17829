"""A layer inside a model file, as `edgecnn explain` shows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InnerLayer:
    """A layer with maps, named by the tensor of the file that holds them behind the activation.

    ``kind`` is "conv", "depthwise conv", "transposed conv", "max pool", "average pool" or "sum". ``stride`` is the distance of
    neighbouring places and ``receptive_field`` the longer side of what a place sees, both in pixels of the network's input.
    ``depth`` counts the layers from 0.
    """

    name: str
    kind: str
    channels: int
    height: int
    width: int
    stride: int
    receptive_field: int
    depth: int

"""Receptive fields from the graph: which pixels of the input can change a value, by kernel, stride, dilation and padding.

The arithmetic is that of Dumoulin and Visin (2016, arXiv:1603.07285) and Araujo et al. (2019, https://distill.pub/2019/computing-receptive-fields).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgecnn.trust.inside.graph import InsideNode, SlidingWindow, sides
from edgecnn.trust.inside.operators import reduces

Sides = tuple[int, int]


@dataclass(frozen=True, slots=True)
class AxisField:
    """Along one axis: place 0 of a map sees the pixels from ``low`` to ``high``, and each further place ``jump`` pixels more."""

    jump: float = 1.0
    low: float = 0.0
    high: float = 0.0

    @property
    def size(self) -> int:
        """The number of pixels."""
        return round(self.high - self.low) + 1

    def span(self, place: float) -> tuple[float, float]:
        """The first pixel that a place sees, and the one after its last; both may be outside of the image."""
        return self.low + place * self.jump, self.high + place * self.jump + 1

    def moved(self, kernel: int, stride: int, dilation: int, pad: int) -> AxisField:
        """Behind a convolution or pooling."""
        return AxisField(self.jump * stride, self.low - pad * self.jump, self.high + (dilation * (kernel - 1) - pad) * self.jump)

    def turned(self, kernel: int, stride: int, dilation: int, pad: int) -> AxisField:
        """Behind a transposed convolution: place o reads the places (o + pad - dilation * t) / stride for t below ``kernel``."""
        jump = self.jump / stride
        return AxisField(jump, self.low + (pad - dilation * (kernel - 1)) * jump, self.high + pad * jump)

    def padded(self, pad: int) -> AxisField:
        """Behind padding of ``pad`` places."""
        return AxisField(self.jump, self.low - pad * self.jump, self.high - pad * self.jump)

    def enlarged(self, factor: float, reach: float) -> AxisField:
        """Behind a change of size; ``reach``: how many of the old places a new one mixes besides its own."""
        jump = self.jump / factor
        return AxisField(jump, self.low - (self.jump - jump) - reach * self.jump, self.high + reach * self.jump)

    def thinned(self, step: int) -> AxisField:
        """Behind every ``step``-th place; which one it begins with is not known, so that all are counted."""
        return AxisField(self.jump * step, self.low, self.high + (step - 1) * self.jump)

    def joined(self, other: AxisField) -> AxisField:
        """What is seen through either of two ways."""
        return AxisField(max(self.jump, other.jump), min(self.low, other.low), max(self.high, other.high))


@dataclass(frozen=True, slots=True)
class Field:
    """The receptive field of the places of a tensor whose maps have ``places`` (height, width).

    ``whole``: each place sees the whole image; ``gated``: it is also weighted by something that does, which does not count.
    """

    y: AxisField
    x: AxisField
    places: Sides
    channels_last: bool = False
    whole: bool = False
    gated: bool = False

    @property
    def size(self) -> int:
        """The longer side in pixels."""
        return max(self.y.size, self.x.size)

    @property
    def stride(self) -> int:
        """Pixels from one place to the next."""
        return max(round(max(self.y.jump, self.x.jump)), 1)

    def box(self, row: int, column: int) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of what a place sees, in pixels of the input; parts of it may be outside."""
        (top, bottom), (left, right) = self.y.span(row), self.x.span(column)
        return round(left), round(top), round(right), round(bottom)


def receptive_fields(nodes: Sequence[InsideNode], inputs: Mapping[str, Sequence[int]], size: Sides) -> dict[str, Field]:
    """The field of each tensor by name. ``inputs``: the shapes of the file's inputs; ``size``: height and width of the image."""
    fields: dict[str, Field] = {}
    for name, shape in inputs.items():
        fields[name] = Field(AxisField(), AxisField(), size, channels_last=sides(shape, True) == size)
    for node in nodes:
        known = [fields[name] for name in node.inputs if name in fields]
        if known:
            fields[node.output] = _after(node, known)
    return fields


def _after(node: InsideNode, sources: Sequence[Field]) -> Field:
    field = _merged(sources)
    if node.kind in ("conv", "depthwise conv", "max pool", "average pool") and node.window is not None and node.places:
        return _through(field, node.window, node)
    if node.kind == "transposed conv" and node.window is not None and node.places:
        own = node.window
        y = field.y.turned(own.kernel[0], own.strides[0], own.dilations[0], own.pads[0])
        x = field.x.turned(own.kernel[1], own.strides[1], own.dilations[1], own.pads[1])
        return dataclasses.replace(field, y=y, x=x, places=node.places, channels_last=node.channels_last)
    if node.kind == "whole" and not (reduces(node.word) and _orientation(node.shape, field) is not None):
        return dataclasses.replace(field, whole=True, places=(1, 1))
    return _resized(field, node)


def _merged(sources: Sequence[Field]) -> Field:
    """What several tensors see together. A tensor with one place beside one with many is a gate (squeeze and excitation)."""
    largest = max(sources, key=lambda one: (not one.whole, one.places[0] * one.places[1]))
    field = largest
    for one in sources:
        if one.whole and one.places == (1, 1) and not largest.whole:
            field = dataclasses.replace(field, gated=True)
            continue
        y, x = field.y.joined(one.y), field.x.joined(one.x)
        field = dataclasses.replace(field, y=y, x=x, whole=field.whole or one.whole, gated=field.gated or one.gated)
    return field


def _through(field: Field, own: SlidingWindow, node: InsideNode) -> Field:
    y = field.y.moved(own.kernel[0], own.strides[0], own.dilations[0], own.pads[0])
    x = field.x.moved(own.kernel[1], own.strides[1], own.dilations[1], own.pads[1])
    assert node.places is not None
    # pooling over all places at once
    whole = field.whole or (node.places == (1, 1) and field.places != (1, 1) and own.kernel == field.places)
    return dataclasses.replace(field, y=y, x=x, places=node.places, channels_last=node.channels_last, whole=whole)


def _orientation(shape: Sequence[int], field: Field) -> bool | None:
    """Whether a tensor with the same places has its channels last; None where its places are others."""
    for last in (field.channels_last, not field.channels_last):
        if sides(shape, last) == field.places:
            return last
    return None


def _resized(field: Field, node: InsideNode) -> Field:
    """An operator that may change the number of places: padding, a resize, a slice, or a shape that moves places to channels."""
    same = _orientation(node.shape, field)
    if same is not None:
        return dataclasses.replace(field, channels_last=same)
    new = sides(node.shape, field.channels_last)
    if new is None or min(new) < 1:
        return field  # places are in one axis, or not known: they come back with four axes
    if node.kind == "pad":
        y, x = (
            one.padded((after - before) // 2) for one, after, before in zip((field.y, field.x), new, field.places, strict=True)
        )
        return dataclasses.replace(field, y=y, x=x, places=new)
    mixes = node.kind == "resize" and "nearest" not in node.word.lower()
    axes = [_scaled(one, after, before, mixes) for one, after, before in zip((field.y, field.x), new, field.places, strict=True)]
    if new == (1, 1) and field.places != (1, 1):
        return dataclasses.replace(field, places=new, whole=True)
    return dataclasses.replace(field, y=axes[0], x=axes[1], places=new)


def _scaled(field: AxisField, after: int, before: int, mixes: bool) -> AxisField:
    if after == before:
        return field
    if after > before:
        return field.enlarged(after / before, 1.0 if mixes else 0.0)
    step = round(before / after)
    # a few places less are a crop, which moves the field by less than it is worth to read
    return field.thinned(step) if step > 1 else field

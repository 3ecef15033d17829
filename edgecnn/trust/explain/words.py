"""Layers, windows and counts in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from edgecnn.trust.explain.network_layers import LayerStep

MOST_NUMBERS = 8


def kind_words(step: LayerStep) -> str:
    """Kind with window and activation, as in "conv 3 x 3, stride 2, relu"."""
    own = step.window
    parts = [f"{step.layer.kind} {own.kernel[0]} x {own.kernel[1]}" if own else step.layer.kind]
    if own is not None:
        if max(own.strides) > 1:
            parts.append(f"stride {_pair(own.strides)}")
        if max(own.dilations) > 1:
            parts.append(f"dilation {_pair(own.dilations)}")
    if step.activation:
        parts.append(step.activation)
    return ", ".join(parts)


def size_words(channels: int, height: int, width: int) -> str:
    """As in "16 maps of 160 x 128"; width first, as of images."""
    return f"{channels} map{'s' if channels != 1 else ''} of {width} x {height}"


def arithmetic(step: LayerStep) -> str:
    """How the new width comes about, as in "(320 + 1 + 1 - 3) / 2 + 1 = 160"; "" where the window is not known."""
    own, source = step.window, step.source
    if own is None or source is None or step.layer.kind == "transposed conv":
        return ""
    before, after = source[2], step.layer.width
    stride, reach = own.strides[1], _reach(step)
    left, right = side_padding(step)
    exact = (before + left + right - reach) % stride == 0
    padding = f" + {left} + {right}" if left or right else ""
    quotient = f"({before}{padding} - {reach}) / {stride}" if stride > 1 else f"{before}{padding} - {reach}"
    return f"{quotient} + 1{'' if exact else ', rounded down,'} = {after}"


def side_padding(step: LayerStep) -> tuple[int, int]:
    """The padding at the left and at the right that the window really reaches."""
    own, source = step.window, step.source
    if own is None or source is None:
        return 0, 0
    left = step.pads[1]
    return left, max((step.layer.width - 1) * own.strides[1] + _reach(step) - source[2] - left, 0)


def padding_words(step: LayerStep) -> str:
    """As in "padding 1"."""
    left, right = side_padding(step)
    if not left and not right:
        return "no padding"
    return f"padding {left}" if left else f"padding {right} at the right only"


def _reach(step: LayerStep) -> int:
    """The width of the window with the gaps of its dilation."""
    assert step.window is not None
    return step.window.dilations[1] * (step.window.kernel[1] - 1) + 1


def numbers(values: Sequence[int]) -> str:
    """The first few numbers of a list."""
    shown = ", ".join(map(str, values[:MOST_NUMBERS]))
    return shown + (f", and {len(values) - MOST_NUMBERS} more" if len(values) > MOST_NUMBERS else "")


def _pair(values: tuple[int, int]) -> str:
    return str(values[0]) if values[0] == values[1] else f"{values[0]} x {values[1]}"

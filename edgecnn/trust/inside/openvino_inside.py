"""The inside of an OpenVINO file: the tensors inside are added to the results of its model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.backend_errors import inference_error
from edgecnn.system_errors import missing_extra
from edgecnn.trust.inside.graph import CUT_AT_ZERO, FloatArray, InsideNode, NodeKind, SlidingWindow, same_padding, sides
from edgecnn.trust.inside.operators import kind_of
from edgecnn.types import Array, Tensors

ENGINE = "OpenVINO"
_MOST_MODELS = 4  # with different outputs, that are kept open
_STATIC = ("ShapeOf",)
_ENDS = ("Parameter", "Constant", "Result")
_GROUPED = ("GroupConvolution", "GroupConvolutionBackpropData")


class OpenvinoInside:
    """An OpenVINO file in float or with FakeQuantize; ``feeds`` is any input. Raises what reading the file raises."""

    def __init__(self, path: Path, feeds: Tensors, threads: int | None = 1) -> None:
        try:
            import openvino
        except ImportError as error:
            raise missing_extra(error, "openvino", "openvino") from error

        self._path, self._threads = path, threads
        self._shapes = [list(array.shape) for array in feeds.values()]
        self._core: Any = openvino.Core()
        self._model = self._read()
        self._operators = {one.get_friendly_name(): one for one in self._model.get_ordered_ops()}
        self.input_names: Sequence[str] = [port.get_node().get_friendly_name() for port in self._model.inputs]
        self.nodes: Sequence[InsideNode] = self._nodes()
        self._compiled: dict[frozenset[str], tuple[Any, dict[str, int]]] = {}

    def run(self, feeds: Tensors, names: Sequence[str]) -> dict[str, FloatArray]:
        """The real values of tensors by name. Raises ``BackendError``."""
        own = dict(zip(self.input_names, feeds.values(), strict=True))
        compiled, places = self._with_outputs(frozenset(names) - set(own))
        try:
            results = compiled(list(feeds.values()))
            found = {**own, **{name: results[place] for name, place in places.items()}}
            return {name: np.array(found[name], np.float32) for name in names}
        except Exception as error:
            raise inference_error(ENGINE, error) from error

    def weights(self, node: InsideNode) -> FloatArray | None:
        """The real weights of a convolution, (out, in, height, width)."""
        own = _value(self._operators[node.weights])
        if own is None:
            return None
        # those of a grouped convolution are (groups, out of a group, in of a group, height, width)
        return np.asarray(own.reshape(-1, *own.shape[-3:]), np.float32)

    def close(self) -> None:
        """Free the models; calling it again does nothing."""
        self._compiled.clear()

    def _read(self) -> Any:
        model = self._core.read_model(self._path)
        if any(port.get_partial_shape().is_dynamic for port in model.inputs):
            model.reshape(dict(zip(model.inputs, self._shapes, strict=True)))
        return model

    def _with_outputs(self, names: frozenset[str]) -> tuple[Any, dict[str, int]]:
        """The model compiled with the tensors ``names`` as results, and the place of each."""
        if names not in self._compiled:
            if len(self._compiled) >= _MOST_MODELS:
                self._compiled.pop(next(iter(self._compiled)))
            model = self._read()
            operators = {one.get_friendly_name(): one for one in model.get_ordered_ops()}
            if names:
                model.add_outputs([_port(operators, name) for name in sorted(names)])
            # a tensor that is an output already is not added again
            sources = [port.get_node().input_value(0) for port in model.outputs]
            found = [_name(source.get_node(), source.get_index()) for source in sources]
            hints = {"INFERENCE_PRECISION_HINT": "f32"} | ({"INFERENCE_NUM_THREADS": self._threads} if self._threads else {})
            self._compiled[names] = (
                self._core.compile_model(model, "CPU", hints),
                {name: found.index(name) for name in names},
            )
        return self._compiled[names]

    def _nodes(self) -> list[InsideNode]:
        live, found = set(self.input_names), []
        for one in self._operators.values():
            if one.get_type_name() in (*_ENDS, *_STATIC):
                continue
            sources = [one.input_value(place) for place in range(one.get_input_size())]
            inputs = tuple(name for source in sources for name in (_name(source.get_node(), source.get_index()),) if name in live)
            if not inputs:
                continue
            # the second output of a pooling holds places, not values
            for place in range(1 if kind_of(one.get_type_name()) == "max pool" else one.get_output_size()):
                live.add(_name(one, place))
                found.append(_node(one, inputs, place))
        return found


def _node(one: Any, inputs: tuple[str, ...], place: int) -> InsideNode:
    word = one.get_type_name()
    kind: NodeKind = kind_of(word)
    shape = _shape(one.output(place))
    weights = ""
    if kind in ("conv", "transposed conv"):
        weights = one.input_value(1).get_node().get_friendly_name()
        groups = _shape(one.input_value(1))[0] if word in _GROUPED else 1
        if kind == "conv" and groups > 1 and groups == _shape(one.input_value(0))[1]:
            kind = "depthwise conv"
    if word == "FakeQuantize" and _lowest(one) == 0:
        word += CUT_AT_ZERO
    mode = f" {one.get_attributes().get('mode', '')}" if kind == "resize" else ""
    return InsideNode(_name(one, place), kind, inputs, shape, window=_window(one, kind), word=f"{word}{mode}", weights=weights)


def _lowest(one: Any) -> float | None:
    """The lowest real value of a quantizer; None where it has several."""
    low = _value(one.input_value(3).get_node())
    return float(low.reshape(-1)[0]) if low is not None and low.size == 1 else None


def _window(one: Any, kind: NodeKind) -> SlidingWindow | None:
    if kind not in ("conv", "depthwise conv", "transposed conv", "max pool", "average pool"):
        return None
    own = one.get_attributes()
    kernel = tuple(own["kernel"]) if "kernel" in own else _shape(one.input_value(1))[-2:]
    if len(kernel) != 2 or len(own.get("strides", ())) != 2:
        return None
    strides, dilations = ((int(pair[0]), int(pair[1])) for pair in (own["strides"], own.get("dilations") or (1, 1)))
    pads = tuple(map(int, own.get("pads_begin") or (0, 0)))
    size, out = sides(_shape(one.input_value(0)), False), sides(_shape(one.output(0)), False)
    if str(own.get("auto_pad", "")).lower().startswith("same") and size is not None and out is not None:
        pads = tuple(same_padding(size[axis], out[axis], kernel[axis], strides[axis], dilations[axis]) for axis in (0, 1))
    return SlidingWindow((int(kernel[0]), int(kernel[1])), strides, dilations, (pads[0], pads[1]))


def _shape(port: Any) -> tuple[int, ...]:
    shape = port.get_partial_shape()
    if shape.rank.is_dynamic:
        return ()
    return tuple(-1 if size.is_dynamic else size.get_length() for size in shape)


def _name(node: Any, place: int) -> str:
    """The name of an output of an operator: that of the operator, with its place where it has several."""
    name = str(node.get_friendly_name())
    return name if node.get_output_size() == 1 else f"{name}:{place}"


def _port(operators: Any, name: str) -> Any:
    if name in operators:
        return operators[name].output(0)
    operator, _, place = name.rpartition(":")
    return operators[operator].output(int(place))


def _value(operator: Any) -> Array | None:
    """The value of a constant, also of one that is stored in fewer bits and made float by a few operators."""
    word = operator.get_type_name()
    if word == "Constant":
        return np.asarray(operator.get_data())
    parts = [_value(operator.input_value(place).get_node()) for place in range(operator.get_input_size())]
    if any(part is None for part in parts):
        return None
    known = [part for part in parts if part is not None]
    if word == "FakeQuantize":
        return _quantized(known, operator.get_attributes())
    return _EVALUATED[word](*known) if word in _EVALUATED else None


_EVALUATED: Mapping[str, Callable[..., Array]] = {
    "Convert": lambda x: x.astype(np.float32),
    "Subtract": np.subtract,
    "Multiply": np.multiply,
    "Reshape": lambda x, shape: x.reshape([int(size) for size in shape]),
}


def _quantized(parts: Sequence[Array], own: Any) -> Array:
    """FakeQuantize of a constant: https://docs.openvino.ai, FakeQuantize-1."""
    x, low, high, out_low, out_high = (part.astype(np.float32) for part in parts)
    steps = int(own["levels"]) - 1
    code = np.rint((np.clip(x, low, high) - low) / (high - low) * steps)
    return np.asarray(code / steps * (out_high - out_low) + out_low)

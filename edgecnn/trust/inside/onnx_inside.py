"""The inside of an ONNX file: its engine runs it with the tensors inside as further outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.backend_errors import inference_error
from edgecnn.runtime.model.output_ranges import onnx_number
from edgecnn.trust.inside.graph import CUT_AT_ZERO, FloatArray, InsideNode, NodeKind, SlidingWindow, same_padding, sides
from edgecnn.trust.inside.onnx_parts import OnnxNode, OnnxParts, read_parts, with_outputs
from edgecnn.trust.inside.operators import kind_of
from edgecnn.types import Array, Tensors

ENGINE = "ONNX Runtime"
_MOST_SESSIONS = 4  # with different outputs, that are kept open
_STATIC = ("Shape", "Size")  # their results do not depend on the values of the input
# Where quantized operators have scale and zero-point of their output: https://onnx.ai/onnx/operators and ONNX Runtime's own ones.
_SCALE_PLACES = {
    "QuantizeLinear": (1, 2),
    "QLinearConv": (6, 7),
    "QLinearMatMul": (6, 7),
    "QLinearAdd": (6, 7),
    "QLinearMul": (6, 7),
    "QLinearConcat": (0, 1),
    "QLinearAveragePool": (3, 4),
    "QLinearGlobalAveragePool": (3, 4),
    "QLinearLeakyRelu": (3, 4),
    "QLinearSigmoid": (3, 4),
}
_KEEP_SCALE = (
    "MaxPool",
    "Relu",
    "Clip",
    "Reshape",
    "Transpose",
    "Flatten",
    "Slice",
    "Split",
    "Squeeze",
    "Unsqueeze",
    "Pad",
    "Resize",
)


def inner_session(path: Path, data: bytes, names: Sequence[str], *, plain: bool = False, threads: int | None = 1) -> Any:
    """A session of ONNX Runtime that gives the tensors ``names``, too; ``plain``: without rewriting the graph."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.log_severity_level = 4
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(path.resolve().parent))
    if plain:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(with_outputs(data, names), options, providers=["CPUExecutionProvider"])


class OnnxInside:
    """An ONNX file with float tensors, QDQ or quantized operators (QLinearConv); ``feeds`` is any input. Raises what reading it raises."""

    def __init__(self, path: Path, feeds: Tensors, threads: int | None = 1) -> None:
        self._path, self._data, self._threads, self._feeds = path, path.read_bytes(), threads, dict(feeds)
        self._parts = read_parts(self._data)
        self._made_by = {name: one for one in self._parts.nodes for name in one.outputs if name}
        self._shapes = {**self._parts.constants, **self._inner_shapes()}
        self._scales = _scales(self._parts)
        self._sessions: dict[frozenset[str], Any] = {}
        self.input_names: Sequence[str] = self._parts.inputs
        self.nodes: Sequence[InsideNode] = self._nodes()

    def run(self, feeds: Tensors, names: Sequence[str]) -> dict[str, FloatArray]:
        """The real values of tensors by name. Raises ``BackendError``."""
        scales = {part for name in names for part in self._scales.get(name, ())}
        found = {**feeds, **self._values(feeds, {*names, *scales} - set(feeds))}
        return {name: self._real(found[name], [found[part] for part in self._scales.get(name, ())]) for name in names}

    def weights(self, node: InsideNode) -> FloatArray | None:
        """The real weights of a convolution, (out, in, height, width)."""
        own = self._made_by[node.output]
        parts = [node.weights, *(own.inputs[4:6] if own.operator == "QLinearConv" else ())]
        found = self._values(self._feeds, set(parts))
        codes, *scale = (found[part] for part in parts)
        # scale and zero-point are one number, or one for each output channel
        return self._real(codes, [one.reshape(-1, *[1] * (codes.ndim - 1)) if one.size > 1 else one for one in scale])

    def close(self) -> None:
        """Free the sessions; calling it again does nothing."""
        self._sessions.clear()

    def _real(self, codes: Array, scale: Sequence[Array]) -> FloatArray:
        if codes.dtype.kind == "f" or not scale:
            return np.asarray(codes, np.float32)
        zero = scale[1].astype(np.float32) if len(scale) > 1 else np.float32(0)
        return np.asarray((codes.astype(np.float32) - zero) * scale[0], np.float32)

    def _values(self, feeds: Tensors, names: set[str]) -> dict[str, Array]:
        wanted = sorted(names)
        if not wanted:
            return {}
        key = frozenset(wanted)
        if key not in self._sessions:
            if len(self._sessions) >= _MOST_SESSIONS:
                self._sessions.pop(next(iter(self._sessions)))
            more = [name for name in wanted if name not in self._parts.outputs]
            self._sessions[key] = inner_session(self._path, self._data, more, threads=self._threads)
        try:
            return dict(zip(wanted, self._sessions[key].run(wanted, dict(feeds), _only_what_is_read()), strict=True))
        except Exception as error:
            raise inference_error(ENGINE, error) from error

    def _inner_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each tensor that a node makes; those that depend on the size of the input are found by running the file once."""
        names = list(self._made_by)
        more = [name for name in names if name not in self._parts.outputs]
        session = inner_session(self._path, self._data, more, plain=True, threads=self._threads)
        found: dict[str, tuple[int, ...]] = {}
        unknown = []
        for one in session.get_outputs():
            shape = tuple(size if isinstance(size, int) else -1 for size in one.shape)
            # a free batch does not matter
            if -1 in shape[1:] and one.type.startswith("tensor("):
                unknown.append(one.name)
            found[one.name] = shape
        if unknown:
            try:
                found |= {name: array.shape for name, array in zip(unknown, session.run(unknown, self._feeds), strict=True)}
            except Exception as error:
                raise inference_error(ENGINE, error) from error
        return found

    def _nodes(self) -> list[InsideNode]:
        live = set(self._parts.inputs)
        found = []
        for one in self._parts.nodes:
            inputs = tuple(name for name in one.inputs if name in live)
            if not inputs or one.operator in _STATIC:
                continue
            # the second output of a pooling holds places, not values
            for output in filter(None, one.outputs[:1] if one.operator == "MaxPool" else one.outputs):
                live.add(output)
                found.append(self._node(one, inputs, output))
        return found

    def _node(self, one: OnnxNode, inputs: tuple[str, ...], output: str) -> InsideNode:
        kind: NodeKind = kind_of(one.operator)
        shape = self._shapes.get(output, ())
        weights = ""
        if kind in ("conv", "transposed conv"):
            weights = one.inputs[3 if one.operator == "QLinearConv" else 1]
            groups = one.integers.get("group", (1,))[0]
            if groups > 1 and groups == self._shapes.get(inputs[0], (0, 0))[1]:
                kind = "depthwise conv" if kind == "conv" else kind
        window = self._window(one, inputs[0], shape, weights)
        word = " ".join((one.operator, one.texts.get("mode", ""))).strip()
        if one.operator == "QuantizeLinear" and self._lowest(one) == 0:
            word += CUT_AT_ZERO
        return InsideNode(output, kind, inputs, shape, window=window, word=word, weights=weights)

    def _lowest(self, one: OnnxNode) -> float | None:
        """The lowest real value of a quantizer; None where it has several scales."""
        scale, zero = (onnx_number(self._data, self._parts.places.get(name)) for name in (*one.inputs[1:3], "")[:2])
        if scale is None or zero is None or zero[1] not in ("int8", "uint8"):
            return None
        return (int(np.iinfo(zero[1]).min) - zero[0]) * scale[0]

    def _window(self, one: OnnxNode, source: str, shape: tuple[int, ...], weights: str) -> SlidingWindow | None:
        kernel = one.integers.get("kernel_shape") or self._shapes.get(weights, ())[2:]
        if len(kernel) != 2:
            return None
        strides, dilations = (_pair(one.integers.get(name, (1, 1))) for name in ("strides", "dilations"))
        pads = _pair(one.integers.get("pads", (0, 0)))
        size, out = sides(self._shapes.get(source, ()), False), sides(shape, False)
        if one.texts.get("auto_pad", "").startswith("SAME") and size is not None and out is not None:
            top, left = (same_padding(size[axis], out[axis], kernel[axis], strides[axis], dilations[axis]) for axis in (0, 1))
            pads = top, left
        return SlidingWindow((kernel[0], kernel[1]), strides, dilations, pads)


def _only_what_is_read() -> Any:
    """Options of a run that leave out operators behind the tensors that are read."""
    import onnxruntime as ort

    options = ort.RunOptions()
    options.only_execute_path_to_fetches = True
    return options


def _pair(values: Sequence[int]) -> tuple[int, int]:
    return values[0], values[1]


def _scales(parts: OnnxParts) -> Mapping[str, tuple[str, ...]]:
    """The names of scale and zero-point of each tensor of integers that has them."""
    found: dict[str, tuple[str, ...]] = {}
    for one in parts.nodes:
        places = _SCALE_PLACES.get(one.operator, ())
        names = tuple(one.inputs[place] for place in places if place < len(one.inputs) and one.inputs[place])
        if not names and one.operator in _KEEP_SCALE and one.inputs:
            names = found.get(one.inputs[0], ())
        if names:
            found |= dict.fromkeys(one.outputs, names)
    return found

"""The inside of a TFLite file: an interpreter that keeps all tensors, and the options of the operators from the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.backend_errors import inference_error
from edgecnn.system_errors import missing_extra
from edgecnn.trust.inside.graph import FloatArray, InsideNode, SlidingWindow, same_padding
from edgecnn.trust.inside.operators import kind_of
from edgecnn.types import Tensors

ENGINE = "LiteRT"
_SAME = 0  # of the schema's Padding
_OPTIONS = {
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "TRANSPOSE_CONV": "TransposeConvOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
}
_WEIGHTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")
_FUSED = {1: "relu", 2: "relu", 3: "relu6", 4: "tanh"}  # the schema's ActivationFunctionType


def keeping_interpreter(data: bytes, threads: int | None = 1) -> Any:
    """An interpreter without delegates that keeps all tensors, with its memory allocated."""
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ImportError as error:
        raise missing_extra(error, "ai-edge-litert", "tflite") from error

    interpreter = Interpreter(
        model_content=data,
        num_threads=threads,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    return interpreter


class TfliteInside:
    """A TFLite file in float or with quantized tensors; ``feeds`` is any input. Raises what reading the file raises."""

    def __init__(self, path: Path, feeds: Tensors, threads: int | None = 1) -> None:
        data = path.read_bytes()
        self._interpreter = keeping_interpreter(data, threads)
        self._inputs: list[int] = [detail["index"] for detail in self._interpreter.get_input_details()]
        self._feed(feeds)
        details = self._interpreter.get_tensor_details()
        self._details: dict[int, Any] = {one["index"]: one for one in details}
        counts = Counter(one["name"] for one in details)
        # converters may give several tensors one name
        self._names = {
            one["index"]: one["name"] if counts[one["name"]] == 1 else f"{one['name']}#{one['index']}" for one in details
        }
        self._places = {name: index for index, name in self._names.items()}
        self.input_names: Sequence[str] = [self._names[index] for index in self._inputs]
        self._weight_places: dict[str, int] = {}
        self.nodes: Sequence[InsideNode] = self._nodes(data)

    def run(self, feeds: Tensors, names: Sequence[str]) -> dict[str, FloatArray]:
        """The real values of tensors by name. Raises ``BackendError``."""
        try:
            self._feed(feeds)
            self._interpreter.invoke()
            return {name: self._real(self._places[name]) for name in names}
        except Exception as error:
            raise inference_error(ENGINE, error) from error

    def weights(self, node: InsideNode) -> FloatArray | None:
        """The real weights of a convolution, (out, in, height, width)."""
        self._interpreter.invoke()  # weights in half precision become float by an operator
        own = self._real(self._weight_places[node.output])
        if node.kind == "depthwise conv":
            return np.ascontiguousarray(own.transpose(3, 0, 1, 2))
        return np.ascontiguousarray(own.transpose(0, 3, 1, 2))

    def close(self) -> None:
        """Free the interpreter; calling it again does nothing."""
        self._interpreter = None

    def _feed(self, feeds: Tensors) -> None:
        arrays = list(feeds.values())
        resized = False
        for index, detail, array in zip(self._inputs, self._interpreter.get_input_details(), arrays, strict=True):
            if tuple(detail["shape"]) != array.shape:
                self._interpreter.resize_tensor_input(index, array.shape)
                resized = True
        if resized:
            self._interpreter.allocate_tensors()
        for index, array in zip(self._inputs, arrays, strict=True):
            self._interpreter.set_tensor(index, array)

    def _real(self, index: int) -> FloatArray:
        codes = self._interpreter.get_tensor(index)
        quantized = self._details[index]["quantization_parameters"]
        scales = quantized["scales"]
        if codes.dtype.kind == "f" or not len(scales):
            return np.asarray(codes, np.float32)
        shape = [1] * codes.ndim
        if len(scales) > 1:
            shape[quantized["quantized_dimension"]] = -1
        zeros = quantized["zero_points"].astype(np.float32).reshape(shape)
        return np.asarray((codes.astype(np.float32) - zeros) * scales.reshape(shape), np.float32)

    def _nodes(self, data: bytes) -> list[InsideNode]:
        live, found = set(self._inputs), []
        options = _options(data)
        for own, chosen in zip(self._interpreter._get_ops_details(), options, strict=False):
            word = own["op_name"]
            inputs = [int(index) for index in own["inputs"] if int(index) in live]
            if not inputs or word == "SHAPE":
                continue
            for output in map(int, own["outputs"]):
                live.add(output)
                found.append(self._node(word, [int(index) for index in own["inputs"]], inputs, output, chosen))
        return found

    def _node(
        self, word: str, sources: Sequence[int], inputs: Sequence[int], output: int, chosen: Mapping[str, int]
    ) -> InsideNode:
        kind = "depthwise conv" if word == "DEPTHWISE_CONV_2D" else kind_of(word)
        shape, name = self._shape(output), self._names[output]
        weights = ""
        if word in _WEIGHTS:
            self._weight_places[name] = sources[1]
            weights = self._names[sources[1]]
        # the activation is a part of the operator; a tensor of its own does not exist
        fused = _FUSED.get(chosen.get("activation", 0), "")
        window = self._window(word, inputs[-1] if word == "TRANSPOSE_CONV" else inputs[0], shape, sources, chosen)
        names = tuple(self._names[index] for index in inputs)
        return InsideNode(name, kind, names, shape, True, window, f"{word}+{fused}" if fused else word, weights)

    def _shape(self, index: int) -> tuple[int, ...]:
        return tuple(int(size) for size in self._details[index]["shape"])

    def _window(
        self, word: str, source: int, shape: tuple[int, ...], sources: Sequence[int], chosen: Mapping[str, int]
    ) -> SlidingWindow | None:
        if not chosen or word not in _OPTIONS:
            return None
        kernel = self._shape(sources[1])[1:3] if word in _WEIGHTS else (chosen["kernel_h"], chosen["kernel_w"])
        strides = chosen["stride_h"], chosen["stride_w"]
        dilations = chosen.get("dilation_h", 1), chosen.get("dilation_w", 1)
        size, out = self._shape(source)[1:3], shape[1:3]
        if word == "TRANSPOSE_CONV":
            size, out = out, size  # its padding is that of the convolution which it turns round
        pads = (0, 0)
        if chosen["padding"] == _SAME:
            top, left = (same_padding(size[axis], out[axis], kernel[axis], strides[axis], dilations[axis]) for axis in (0, 1))
            pads = top, left
        return SlidingWindow((kernel[0], kernel[1]), strides, dilations, pads)


def _options(data: bytes) -> list[Mapping[str, int]]:
    """The options of each operator of the first graph, {} for those without windows and activations."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(data, 0)
    graph = model.Subgraphs(0)
    kinds = {number: name for name, number in vars(schema.BuiltinOptions).items() if isinstance(number, int)}
    return [_option(schema, graph.Operators(place), kinds) for place in range(graph.OperatorsLength())]


def _option(schema: Any, operator: Any, kinds: Mapping[int, str]) -> Mapping[str, int]:
    name, table = kinds.get(operator.BuiltinOptionsType(), "NONE"), operator.BuiltinOptions()
    if table is None or not (name in _OPTIONS.values() or name in ("AddOptions", "MulOptions", "SubOptions")):
        return {}
    own = getattr(schema, name)()
    own.Init(table.Bytes, table.Pos)
    found = {"activation": int(own.FusedActivationFunction())}
    for key, method in (
        ("padding", "Padding"),
        ("stride_h", "StrideH"),
        ("stride_w", "StrideW"),
        ("dilation_h", "DilationHFactor"),
        ("dilation_w", "DilationWFactor"),
        ("kernel_h", "FilterHeight"),
        ("kernel_w", "FilterWidth"),
    ):
        if hasattr(own, method):
            found[key] = int(getattr(own, method)())
    return found

"""OpenVINO IR: converted from the torch.export program; NNCF sets the ranges of int8; fp16 is how weights are stored."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgecnn.card import Precision
from edgecnn.export.graph import IMAGE, Deployable
from edgecnn.export.quantize.qat_ranges import Trained
from edgecnn.types import Tensors

SUFFIX = ".xml"
NOTES = ("nncf", "conversion_parameters")  # what the tools write about themselves
TRAINED_FROM = "onnx"  # whose single-precision program lower_trained takes
HALF = "half"  # asked of save: the graph itself stays in single precision


def convert(graph: Deployable, image: Any) -> Any:
    """The single-precision ``openvino.Model`` of a graph, shapes fixed, tensors named."""
    import openvino
    import torch

    with torch.no_grad():
        model = openvino.convert_model(torch.export.export(graph, (image,)))
    return _named(model, list(image.shape), graph.names)


def _named(model: Any, shape: list[int], names: Sequence[str]) -> Any:
    model.reshape({model.inputs[0]: shape})
    model.inputs[0].get_tensor().set_names({IMAGE})
    for port, name in zip(model.outputs, names, strict=True):
        port.get_tensor().set_names({name})
    return model


def lower(program: Any, precision: Precision, feeds: list[Tensors]) -> Any:
    """The same model in another precision; ``feeds`` set the ranges of int8. ``program`` stays as it is."""
    model = program.clone()
    if precision == "fp16":
        model.set_rt_info(True, ["edgecnn", HALF])
    return _int8(model, feeds) if precision == "int8" else model


def lower_trained(program: Any, trained: Trained) -> Any:
    """The int8 model with ranges that were trained; ``program`` is the ONNX one.

    OpenVINO reads QDQ pairs as its own FakeQuantize, so both formats round at the same places by the same numbers.
    """
    import onnx
    import openvino

    from edgecnn.export import to_onnx

    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        path = Path(folder) / "int8.onnx"
        onnx.save(to_onnx.lower_trained(program, trained, drop_cast=False), path)
        model = openvino.convert_model(path)
    return _named(model, list(trained.image.shape), [output.name for output in program.graph.output])


def save(program: Any, path: Path, texts: Mapping[str, str]) -> None:
    """Write ``path`` and the .bin beside it, ``texts`` in rt_info."""
    import openvino

    model = program.clone()
    half = model.has_rt_info(["edgecnn", HALF])
    for key in ("edgecnn", *NOTES):
        if key in model.rt_info:
            del model.rt_info[key]
    for key, text in texts.items():
        model.set_rt_info(text, key.split("."))
    openvino.save_model(model, path, compress_to_fp16=half)
    path.write_bytes(re.sub(rb">\s+<", b"><", path.read_bytes()))  # a third of the text of an int8 graph is indentation


def _int8(model: Any, feeds: list[Tensors]) -> Any:
    """MIXED: symmetric weights, asymmetric activations where they are not all positive: exacter than PERFORMANCE, as fast with VNNI.

    Ranges go from the lowest to the highest value seen: NNCF's own choice, a mean over images, cuts off what is rare and strong.
    """
    import nncf
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    for index, operator in enumerate(model.get_ordered_ops()):  # names that a converter makes of module paths are long
        if operator.get_type_name() not in ("Parameter", "Result"):
            operator.set_friendly_name(f"n{index}")
    advanced = nncf.AdvancedQuantizationParameters(activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX)
    return nncf.quantize(
        model,
        nncf.Dataset(feeds),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(feeds),
        advanced_parameters=advanced,
    )

"""OpenVINO IR: converted from the torch.export program; NNCF sets the ranges of int8; fp16 is how weights are stored."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgecnn.card import CARD_KEY, Precision
from edgecnn.export.graph import IMAGE, Deployable
from edgecnn.golden import GOLDENS_KEY
from edgecnn.types import Tensors

SUFFIX = ".xml"
HALF = "half"  # asked of save: the graph itself stays in single precision


def convert(graph: Deployable, image: Any) -> Any:
    """The single-precision ``openvino.Model`` of a graph, shapes fixed, tensors named."""
    import openvino
    import torch

    with torch.no_grad():
        model = openvino.convert_model(torch.export.export(graph, (image,)))
    model.reshape({model.inputs[0]: list(image.shape)})
    model.inputs[0].get_tensor().set_names({IMAGE})
    for port, name in zip(model.outputs, graph.names, strict=True):
        port.get_tensor().set_names({name})
    return model


def lower(program: Any, precision: Precision, feeds: list[Tensors]) -> Any:
    """The same model in another precision; ``feeds`` set the ranges of int8. ``program`` stays as it is."""
    model = program.clone()
    if precision == "fp16":
        model.set_rt_info(True, ["edgecnn", HALF])
    return _int8(model, feeds) if precision == "int8" else model


def save(program: Any, path: Path, texts: Mapping[str, str]) -> None:
    """Write ``path`` and the .bin beside it, ``texts`` in rt_info."""
    import openvino

    model = program.clone()
    for key in (CARD_KEY, GOLDENS_KEY):
        model.set_rt_info(texts[key], key.split("."))
    openvino.save_model(model, path, compress_to_fp16=model.has_rt_info(["edgecnn", HALF]))


def _int8(model: Any, feeds: list[Tensors]) -> Any:
    """MIXED: symmetric weights, asymmetric activations where they are not all positive: exacter than PERFORMANCE, as fast with VNNI."""
    import nncf

    dataset = nncf.Dataset(feeds)
    return nncf.quantize(model, dataset, preset=nncf.QuantizationPreset.MIXED, subset_size=len(feeds))

"""The distribution of each tensor of a flatbuffer over many images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgecnn.export.quantize.histogram import Histogram
from edgecnn.export.quantize.tflite_ranges import open_and_run, set_inputs
from edgecnn.types import Tensors


def histograms(program: bytes, feeds: Sequence[Tensors]) -> dict[str, Histogram]:
    """The values of each float tensor that an operator makes, by its name."""
    first, *others = feeds
    interpreter = open_and_run(program, *first.values())
    made = {int(index) for operator in interpreter._get_ops_details() for index in operator["outputs"]}
    details = {
        detail["index"]: detail["name"]
        for detail in interpreter.get_tensor_details()
        if detail["index"] in made and detail["dtype"] is np.float32
    }
    found = {name: Histogram() for name in details.values()}
    for feed in (first, *others):
        set_inputs(interpreter, *feed.values())
        interpreter.invoke()
        for index, name in details.items():
            found[name].add(interpreter.get_tensor(index))
    return found

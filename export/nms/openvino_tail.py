"""Appends NMS to an OpenVINO graph that ends in decoded boxes and scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgecnn.export.nms.tail import NmsTail


def append(program: Any, tail: NmsTail) -> Any:
    """A copy of ``program`` with the outputs ``boxes``, ``scores``, ``classes`` and ``count``.

    The best class of each box takes part, as in ``edgecnn.postprocess.nms``; the operator keeps classes apart itself, so that a device
    that computes in half precision needs no large coordinates.
    """
    import openvino
    from openvino import opset9 as ops

    model = program.clone()
    boxes, scores = (next(port for port in model.outputs if name in port.names) for name in ("all_boxes", "all_scores"))
    boxes, scores = (port.get_node().input_value(0) for port in (boxes, scores))
    best = ops.topk(scores, np.int32(1), 2, "max", "none", index_element_type="i32")
    score, label = best.output(0), best.output(1)  # (1, N, 1) each
    columns = ops.constant(np.arange(tail.classes, dtype=np.int32)[None, None])
    own = score if tail.class_agnostic else ops.select(ops.equal(label, columns), score, ops.constant(np.float32(0)))
    chosen = ops.non_max_suppression(
        ops.clamp(boxes, tail.low, tail.high),
        ops.transpose(own, ops.constant(np.array([0, 2, 1], np.int32))),
        ops.constant(np.int64(tail.rows)),
        ops.constant(np.float32(tail.iou)),
        ops.constant(np.float32(tail.above)),
        box_encoding="corner",
        sort_result_descending=True,
        output_type="i32",
    )
    zero, one, rows = (ops.constant(np.array([value], np.int32)) for value in (0, 1, tail.rows))
    valid = ops.minimum(ops.convert(chosen.output(2), "i32"), rows)
    # (batch, class, box) of each box that stays, best first; an engine may give more rows than are valid
    places = ops.gather(chosen.output(0), ops.constant(np.int32(2)), ops.constant(np.int32(1)))
    padded = ops.concat([places, ops.constant(np.zeros(tail.rows, np.int32))], 0)
    index = ops.slice(padded, zero, rows, one)
    inside = ops.less(ops.constant(np.arange(tail.rows, dtype=np.int32)), valid)
    results = []
    for spec, source in zip(tail.specs, (boxes, score, label, valid), strict=True):
        node = source if spec.name == "count" else _chosen(ops, source, index, inside, spec)
        port = node if spec.name == "count" else node.output(0)
        result = ops.result(ops.reshape(port, ops.constant(np.array(spec.shape, np.int32)), False))
        result.input_value(0).get_tensor().set_names({spec.name})
        results.append(result)
    return _with_info(openvino.Model(results, model.get_parameters(), model.get_friendly_name()), model)


def _chosen(ops: Any, source: Any, index: Any, inside: Any, spec: Any) -> Any:
    """The rows ``index`` of ``source`` (1, N, columns), zero where they are not ``inside``."""
    taken = ops.gather(source, index, ops.constant(np.int32(1)))
    mask = ops.reshape(inside, ops.constant(np.array([1, -1, 1], np.int32)), False)
    return ops.select(mask, taken, ops.constant(np.zeros((), spec.dtype)))


def _with_info(result: Any, model: Any) -> Any:
    """``result`` with the metadata of ``model``, which say how its weights are written."""
    for key, value in model.rt_info.items():
        result.set_rt_info(value.value if hasattr(value, "value") else value, key)
    return result

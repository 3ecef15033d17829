"""The decoder of a card as a few lines of C++, which print the same lines as the program in Python."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from edgecnn.card import ModelCard
from edgecnn.postprocess.final_boxes import FINAL_BOXES, OUTPUTS
from edgecnn.postprocess.nms import NmsOptions
from edgecnn.postprocess.yolo import layout_of
from edgecnn.runtime.snippets.python_decoders import DECODED, PRINTED_CLASSES
from edgecnn.shown_scores import shown_scores
from edgecnn.thresholds import LABEL_SCORE
from edgecnn.types import TensorSpec

Named = Mapping[str, str]
Writer = Callable[[ModelCard, Sequence[TensorSpec], Named], list[str]]
BOX = "struct Box { float x1, y1, x2, y2, score; int label; };"


def decoding(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> list[str]:
    """Lines that decode the outputs; ``named`` gives the pointer to each. Without a known decoder their ranges are printed."""
    writer = _WRITERS.get(card.decode.name)
    return (writer(card, outputs, named) if writer else []) or _unknown(card, outputs, named)


def _unknown(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> list[str]:
    lines = []
    if card.decode.name != "raw":
        lines.append(f"// For the decoder {card.decode.name} there is no code in C++: this prints the range of each output.")
    if card.decode.name in DECODED:
        lines.append("// The program in Python decodes them: edgecnn info FILE --snippet python")
    for index, spec in enumerate(outputs):
        name, size = named[spec.name], _size(spec)
        shape = " x ".join(map(str, spec.shape))
        lines += [
            f"const auto range_{index} = std::minmax_element({name}, {name} + {size});",
            f'std::printf("{spec.name} {shape}: %g to %g\\n", double(*range_{index}.first), double(*range_{index}.second));',
        ]
    return lines


def _size(spec: TensorSpec) -> int:
    return math.prod(max(length, 1) for length in spec.shape)


def _row(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> str:
    """The pointer to the only output with a number for each label, "" where there is none."""
    fitting = [spec for spec in outputs if _size(spec) // max(spec.shape[0], 1) == len(card.labels)]
    return named[fitting[0].name] if len(fitting) == 1 else ""


def _classes(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> list[str]:
    output = _row(card, outputs, named)
    if not output:
        return []
    lines = [f"std::vector<float> score({output}, {output} + labels.size());"]
    if card.decode.name != "probabilities":
        lines += [
            "const float highest = *std::max_element(score.begin(), score.end());",
            "for (float &one : score) one = std::exp(one - highest);  // softmax",
            "const float sum = std::accumulate(score.begin(), score.end(), 0.0f);",
            "for (float &one : score) one /= sum;",
        ]
    return [
        *lines,
        *_order(),
        f"for (size_t place = 0; place < std::min<size_t>({PRINTED_CLASSES}, order.size()); ++place)",
        '  std::printf("%.5f %s\\n", score[order[place]], labels[order[place]].c_str());',
    ]


def _order() -> list[str]:
    return [
        "std::vector<size_t> order(score.size());",
        "std::iota(order.begin(), order.end(), 0);",
        "std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return score[a] > score[b]; });",
    ]


def _label_scores(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> list[str]:
    output = _row(card, outputs, named)
    if not output:
        return []
    sigmoid = ["for (float &one : score) one = 1 / (1 + std::exp(-one));  // sigmoid"] if card.decode.name == "sigmoid" else []
    return [
        f"std::vector<float> score({output}, {output} + labels.size());",
        *sigmoid,
        *_order(),
        "for (size_t index : order)",
        f"  if (score[index] >= {float(card.decode.options.get('label_threshold', LABEL_SCORE))}f) "
        'std::printf("%.5f %s\\n", score[index], labels[index].c_str());',
    ]


def _values(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> list[str]:
    output = _row(card, outputs, named)
    if not output:
        return []
    scale, offset = (_numbers(card.decode.options.get(key, usual), card) for key, usual in (("scale", 1.0), ("offset", 0.0)))
    return [
        f"const std::vector<double> scale{{{scale}}}, offset{{{offset}}};",
        "for (size_t index = 0; index < labels.size(); ++index)",
        f'  std::printf("%.6g %s\\n", {output}[index] * scale[index] + offset[index], labels[index].c_str());',
    ]


def _numbers(value: object, card: ModelCard) -> str:
    found = value if isinstance(value, (list, tuple)) else [value] * len(card.labels)
    return ", ".join(map(str, found))


def _embedding(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> list[str]:
    if len(outputs) != 1:
        return []
    output, size = named[outputs[0].name], _size(outputs[0])
    return [
        f"const double length = std::sqrt(std::inner_product({output}, {output} + {size}, {output}, 0.0));",
        f'for (int index = 0; index < {size}; ++index) std::printf("%.6f ", {output}[index] / (length > 0 ? length : 1));',
        'std::printf("\\n");',
    ]


def _final(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> list[str]:
    if set(named) != set(OUTPUTS):
        return []
    boxes, scores, classes, count = (named[name] for name in OUTPUTS)
    return [
        "std::vector<Box> kept;  // NMS is in the graph: corners in pixels of the input, best first",
        f"for (int row = 0; row < {count}[0]; ++row) {{",
        f"  const float *box = {boxes} + 4 * row;",
        f"  kept.push_back({{box[0], box[1], box[2], box[3], {scores}[row], int({classes}[row])}});",
        "}",
        *_printed(card),
    ]


def _fcos(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> list[str]:
    if not {"boxes", "scores"} <= named.keys():
        return []
    return _over_cells(
        card,
        [
            f"const float *score = {named['scores']} + cell * {len(card.labels)}, *side = {named['boxes']} + cell * 4;",
            *_best(card, "score[index]"),
            "const float cx = (x + 0.5f) * stride, cy = (y + 0.5f) * stride;",
            "const float x1 = cx - side[0] * stride, y1 = cy - side[1] * stride;",
            "boxes.push_back({x1, y1, cx + side[2] * stride, cy + side[3] * stride, best, label});",
        ],
    )


def _yolox(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> list[str]:
    if len(outputs) != 1:
        return []
    return _over_cells(
        card,
        [
            f"const float *row = {named[outputs[0].name]} + cell * {5 + len(card.labels)};  // centre, log size, objectness, classes",
            *_best(card, "row[5 + index] * row[4]"),
            "const float cx = (row[0] + x) * stride, cy = (row[1] + y) * stride;",
            "const float w = std::exp(row[2]) * stride / 2, h = std::exp(row[3]) * stride / 2;",
            "boxes.push_back({cx - w, cy - h, cx + w, cy + h, best, label});",
        ],
    )


def _over_cells(card: ModelCard, inner: Sequence[str]) -> list[str]:
    rows, columns = card.preprocess.size
    strides = ", ".join(map(str, card.decode.options.get("strides", (8, 16, 32))))
    return [
        "std::vector<Box> boxes;",
        "size_t cell = 0;",
        f"for (int stride : {{{strides}}})",
        f"  for (int y = 0; y < ({rows} + stride - 1) / stride; ++y)",
        f"    for (int x = 0; x < ({columns} + stride - 1) / stride; ++x, ++cell) {{",
        *(f"      {line}" for line in inner),
        "    }",
        *_suppressed(card),
        *_printed(card),
    ]


def _best(card: ModelCard, score: str) -> list[str]:
    """Lines that set ``best`` and ``label``, and go on with the next row where no score is high enough."""
    return [
        "int label = 0;",
        "float best = -1;",
        f"for (int index = 0; index < {len(card.labels)}; ++index)",
        f"  if ({score} > best) best = {score}, label = index;",
        f"if (best < {NmsOptions.from_card(card.decode.options).score_threshold}f) continue;",
    ]


def _yolo(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> list[str]:
    layout = layout_of(outputs[0].shape, card.preprocess.size, len(card.labels)) if len(outputs) == 1 else ""
    if layout not in ("columns", "rows", "objectness"):
        return []
    output, (height, width) = named[outputs[0].name], card.preprocess.size
    first, last = outputs[0].shape[1:]
    count, length = (last, first) if layout == "columns" else (first, last)
    at = f"{output}[size_t(k) * {count} + row]" if layout == "columns" else f"{output}[size_t(row) * {length} + k]"
    score = "at(row, 5 + index) * at(row, 4)" if layout == "objectness" else "at(row, 4 + index)"
    return [
        f"auto at = [&](int row, int k) {{ return {at}; }};",
        "float furthest = 0;",
        f"for (int row = 0; row < {count}; ++row) furthest = std::max({{furthest, at(row, 0), at(row, 1)}});",
        f"const float wide = furthest > 2 ? 1 : {width}, high = furthest > 2 ? 1 : {height};  // in pixels, or in 0..1",
        "std::vector<Box> boxes;",
        f"for (int row = 0; row < {count}; ++row) {{",
        *(f"  {line}" for line in _best(card, score)),
        "  const float cx = at(row, 0) * wide, cy = at(row, 1) * high, w = at(row, 2) * wide / 2, h = at(row, 3) * high / 2;",
        "  boxes.push_back({cx - w, cy - h, cx + w, cy + h, best, label});",
        "}",
        *_suppressed(card),
        *_printed(card),
    ]


def _suppressed(card: ModelCard) -> list[str]:
    options = NmsOptions.from_card(card.decode.options)
    same = "" if options.class_agnostic else "other.label == box.label && "
    return [
        "std::stable_sort(boxes.begin(), boxes.end(), [](const Box &a, const Box &b) { return a.score > b.score; });",
        "std::vector<Box> kept;  // non-maximum suppression",
        "auto area = [](const Box &box) { return (box.x2 - box.x1) * (box.y2 - box.y1); };",
        "for (const Box &box : boxes) {",
        "  auto covers = [&](const Box &other) {",
        "    const float w = std::min(box.x2, other.x2) - std::max(box.x1, other.x1);",
        "    const float h = std::min(box.y2, other.y2) - std::max(box.y1, other.y1);",
        "    const float both = std::max(w, 0.0f) * std::max(h, 0.0f);",
        f"    return {same}both > {options.iou_threshold}f * (area(box) + area(other) - both);",
        "  };",
        f"  if (kept.size() < {options.max_detections} && std::none_of(kept.begin(), kept.end(), covers)) kept.push_back(box);",
        "}",
    ]


def _printed(card: ModelCard) -> list[str]:
    own = shown_scores(card)
    scores = ", ".join(f"{own.own.get(index, 0.0):#}f" for index in range(len(card.labels)))
    return [
        *([f"const float least[] = {{{scores}}};  // of each class"] if own.own else []),
        "for (const Box &box : kept) {  // back to pixels of the image",
        *(["  if (box.score < least[box.label]) continue;"] if own.own else []),
        "  auto in_image = [](float side, int start, int scaled, int length) {",
        "    return std::clamp((side - start) * length / scaled, 0.0f, float(length));",
        "  };",
        '  std::printf("%.5f %s %.2f %.2f %.2f %.2f\\n", box.score, labels[box.label].c_str(),',
        "              in_image(box.x1, left, width, image_width), in_image(box.y1, top, height, image_height),",
        "              in_image(box.x2, left, width, image_width), in_image(box.y2, top, height, image_height));",
        "}",
    ]


HAS_BOXES = ("fcos", "yolox", "yolo", FINAL_BOXES)
_WRITERS: Mapping[str, Writer] = {
    "softmax": _classes,
    "logits": _classes,
    "probabilities": _classes,
    "sigmoid": _label_scores,
    "label-scores": _label_scores,
    "values": _values,
    "embedding": _embedding,
    "fcos": _fcos,
    "yolox": _yolox,
    "yolo": _yolo,
    FINAL_BOXES: _final,
}

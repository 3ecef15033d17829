"""Decoders of masks, key points and pictures as a few lines of NumPy and OpenCV, in pixels of the image that was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgecnn.card import ModelCard
from edgecnn.postprocess.centres import APART, MOST, SCORE
from edgecnn.postprocess.movenet import SCORE as MOVENET_SCORE
from edgecnn.postprocess.nms import NmsOptions
from edgecnn.types import TensorSpec

Named = Mapping[str, str]


def mask(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> list[str]:
    """The class of each pixel, as mask.png, and the share of each class; only for one map of scores."""
    fitting = [spec for spec in outputs if spec.name != "aux" and len(spec.shape) == 4]
    classes = len(card.labels)
    if len(fitting) != 1 or classes not in (fitting[0].shape[1], fitting[0].shape[3]) or classes < 2:
        return []
    spec, (rows, columns) = fitting[0], card.preprocess.size
    planes = "" if spec.shape[1] == classes else ".transpose(2, 0, 1)"
    return [
        f"maps = [cv2.resize(np.ascontiguousarray(plane), ({columns}, {rows})) for plane in {named[spec.name]}[0]{planes}]",
        "mask = np.argmax(maps, 0)  # the class of each pixel of the input",
        f"x, y, right, bottom = max(left, 0), max(top, 0), min(left + width, {columns}), min(top + height, {rows})",
        "x0, x1 = (round((edge - left) / width * image.shape[1]) for edge in (x, right))",
        "y0, y1 = (round((edge - top) / height * image.shape[0]) for edge in (y, bottom))",
        "shares = [np.uint8(mask[y:bottom, x:right] == index) * np.uint8(255) for index in range(len(labels))]",
        "whole = np.full(image.shape[:2], 255, np.uint8)  # 255: outside of what the model saw",
        "whole[y0:y1, x0:x1] = np.argmax([cv2.resize(share, (x1 - x0, y1 - y0)) for share in shares], 0)",
        "cv2.imwrite('mask.png', whole)",
        "for index, label in enumerate(labels):",
        "    print(f'{(whole == index).mean():.5f} {label}')",
    ]


def centres(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> list[str]:
    """Peaks of a map of centres, with the offsets of the key points there."""
    if not {"centres", "offsets"} <= named.keys():
        return []
    rows, columns = card.preprocess.size
    options = card.decode.options
    reach = float(options.get("reach", 0.5)) * max(rows, columns)
    return [
        f"plane, offsets = {named['centres']}[0, 0], {named['offsets']}[0]",
        f"row, column = np.nonzero((plane >= {options.get('score_threshold', SCORE)}) & (plane >= cv2.dilate(plane, np.ones((3, 3)))))",
        f"best = np.argsort(-plane[row, column], kind='stable')[:{int(options.get('max_detections', MOST))}]",
        "row, column = row[best], column[best]",
        "score = plane[row, column]",
        f"middle = (np.stack([column, row], 1) + 0.5) * [{columns} / plane.shape[1], {rows} / plane.shape[0]]",
        f"points = middle[:, None] + offsets[:, row, column].T.reshape(len(row), {len(card.labels)}, 2) * {reach}",
        "kept = []  # of two peaks with nearly the same key points, the better one stays",
        "size = np.maximum(np.ptp(points, axis=1).max(1), 1) if len(points) else []",
        "for index in range(len(points)):",
        "    far = np.linalg.norm(points[kept] - points[index], axis=2).mean(1)",
        f"    if not (far < {APART} * np.minimum(size[kept], size[index])).any():",
        "        kept.append(index)",
        "points, score = points[kept], score[kept]",
        *_printed_points(),
    ]


def heatmaps(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> list[str]:
    """The highest place of each map, moved a quarter of a cell towards its higher neighbour."""
    keys = len(card.labels)
    if len(outputs) != 1 or len(outputs[0].shape) != 4 or keys not in (outputs[0].shape[1], outputs[0].shape[3]):
        return []
    height, width = card.preprocess.size
    planes = "" if outputs[0].shape[1] == keys else ".transpose(2, 0, 1)"
    return [
        f"maps = {named[outputs[0].name]}[0]{planes}",
        "row, column = np.divmod(maps.reshape(len(maps), -1).argmax(1), maps.shape[2])",
        "each, padded = np.arange(len(maps)), np.pad(maps, ((0, 0), (1, 1), (1, 1)), mode='edge')",
        "across = np.sign(padded[each, row + 1, column + 2] - padded[each, row + 1, column])",
        "down = np.sign(padded[each, row + 2, column + 1] - padded[each, row, column + 1])",
        f"x = (column + across / 4) * ({width} / maps.shape[2]) + 0.5",
        f"y = (row + down / 4) * ({height} / maps.shape[1]) + 0.5",
        "points, score = np.stack([x, y], 1)[None], maps[each, row, column].mean(keepdims=True)",
        *_kept(card, 0.0),
        *_printed_points(),
    ]


def movenet(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> list[str]:
    """Shares of height and width, y first."""
    keys, (height, width) = len(card.labels), card.preprocess.size
    if len(outputs) != 1:
        return []
    output, single = named[outputs[0].name], outputs[0].shape == (1, 1, keys, 3)
    table = f"{output}.reshape(1, {keys}, 3)" if single else f"{output}[0, :, :{3 * keys}].reshape(-1, {keys}, 3)"
    return [
        f"table = {table}  # y, x, score of each key point",
        f"points = table[..., 1::-1] * [{width}, {height}]",
        "score = table[..., 2].mean(1)" if single else f"score = {output}[0, :, -1]",
        *_kept(card, MOVENET_SCORE),
        *_printed_points(),
    ]


def yolo_pose(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> list[str]:
    """Boxes and key points before NMS."""
    length = 5 + 3 * len(card.labels)
    if len(outputs) != 1 or len(outputs[0].shape) != 3 or length not in outputs[0].shape[1:]:
        return []
    options = NmsOptions.from_card(card.decode.options)
    output = f"{named[outputs[0].name]}[0]" + ("" if outputs[0].shape[2] == length else ".T")
    return [
        f"table = {output}  # centre, size, score, then x, y and score of each key point",
        f"table = table[table[:, 4] >= {options.score_threshold}]",
        "table = table[np.argsort(-table[:, 4], kind='stable')]",
        "xywh = np.hstack([table[:, :2] - table[:, 2:4] / 2, table[:, 2:4]]).astype(float)",
        f"kept = np.int64(cv2.dnn.NMSBoxes(xywh, table[:, 4], 0.0, {options.iou_threshold})).reshape(-1)[:{options.max_detections}]",
        f"points, score = table[kept, 5:].reshape(len(kept), {len(card.labels)}, 3)[..., :2], table[kept, 4]",
        *_printed_points(),
    ]


def _kept(card: ModelCard, usual: float) -> list[str]:
    least = card.decode.options.get("score_threshold", usual)
    return [f"points, score = points[score >= {least}], score[score >= {least}]"] if least else []


def _printed_points() -> list[str]:
    return [
        "points = (points - [left, top]) / [width / image.shape[1], height / image.shape[0]]  # back to pixels of the image",
        "for object_points, value in zip(points, score):",
        "    print(f'{value:.5f}', *(f'{label} {x:.2f},{y:.2f}' for label, (x, y) in zip(labels, object_points)))",
    ]


def picture(card: ModelCard, outputs: Sequence[TensorSpec], named: Named) -> list[str]:
    """``pixels`` of a part of the picture, (h, w, 3) uint8 BGR."""
    if len(outputs) != 1 or len(outputs[0].shape) != 4:
        return []
    planes = outputs[0].shape[1] in (1, 3)
    value = f"{named[outputs[0].name]}[0]" + (".transpose(1, 2, 0)" if planes else "")
    channels = outputs[0].shape[1 if planes else 3]
    swapped = card.decode.options.get("color", "rgb") == "rgb" and channels == 3
    order = ".repeat(3, 2)" if channels == 1 else "[..., ::-1]" if swapped else ""
    scale = float(card.decode.options.get("scale", 255.0))
    return [f"part = np.rint({value} * np.float32({scale})).clip(0, 255).astype(np.uint8){order}"]

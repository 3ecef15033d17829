"""Planted changes: images, tensors, decoders, NMS and metrics."""

from __future__ import annotations

from tests.planted.change import Change

PREPROCESS = "tests/test_preprocess.py"
NMS = "tests/postprocess/test_nms.py"
DECODERS = "tests/postprocess"

CHANGES = (
    Change(
        "letterbox: odd padding rounded up", "edgecnn/preprocess.py", "(in_w - new_w) // 2", "(in_w - new_w + 1) // 2", PREPROCESS
    ),
    Change("crop: vertical offset", "edgecnn/preprocess.py", "resized[top : top + height", "resized[0:height", PREPROCESS),
    Change(
        "NMS: early end",
        "edgecnn/postprocess/nms.py",
        "if len(kept) < options.max_detections and head < len(xyxy):",
        "if False:",
        NMS,
    ),
    Change(
        "letterbox: horizontal padding is vertical",
        "edgecnn/preprocess.py",
        "(in_h - new_h) // 2",
        "(in_w - new_w) // 2",
        PREPROCESS,
    ),
    Change(
        "letterbox: a thin image vanishes",
        "edgecnn/preprocess.py",
        "max(round(height * ratio), 1)",
        "max(round(height * ratio), 2)",
        PREPROCESS,
    ),
    Change(
        "quantized input wraps around",
        "edgecnn/preprocess.py",
        "np.clip(np.rint(real), limits.min, limits.max)",
        "np.rint(real)",
        PREPROCESS,
    ),
    Change("NMS: classes are not apart", "edgecnn/postprocess/nms.py", "+ class_id[:, None] * span", "", NMS),
    Change(
        "NMS: a score at the threshold is lost",
        "edgecnn/postprocess/nms.py",
        "np.flatnonzero(scores >= threshold)",
        "np.flatnonzero(scores > threshold)",
        NMS,
    ),
    Change(
        "NMS: candidates in any order",
        "edgecnn/postprocess/nms.py",
        'return top[np.argsort(-score[top], kind="stable")]',
        "return top",
        NMS,
    ),
    Change(
        "YOLO: unit decided by sizes",
        "edgecnn/postprocess/yolo.py",
        "unit(table[:, :2], size)",
        "unit(table[:, :4], size)",
        DECODERS,
    ),
    Change(
        "SSD: limit is ignored",
        "edgecnn/postprocess/ssd.py",
        "top_scores(table[:, 0], options.max_detections)",
        "top_scores(table[:, 0])",
        DECODERS,
    ),
    Change(
        "metrics: the interval is shifted",
        "edgecnn/metrics/classification.py",
        "centre = proportion + z * z / (2 * n)",
        "centre = proportion",
        "tests/metrics/test_classification.py",
    ),
    Change(
        "metrics: crowds count",
        "edgecnn/metrics/box_matches.py",
        "aside = crowd | _outside(size)",
        "aside = _outside(size)",
        "tests/metrics/test_average_precision.py",
    ),
    Change(
        "images: a mirrored and turned photo",
        "edgecnn/images/orientation.py",
        "flip = {2: 1, 3: -1, 4: 0, 7: -1}.get(orientation)",
        "flip = {2: 1, 3: -1, 4: 0}.get(orientation)",
        "tests/images/test_orientation.py",
    ),
    Change(
        "images: the end of a thumbnail taken for that of the photo",
        "edgecnn/images/jpeg.py",
        "_check_end(stream, start + length)",
        "_check_end(stream, 2)",
        "tests/images/test_reader.py",
    ),
    Change(
        "images: the limit of pixels",
        "edgecnn/images/reader.py",
        "if width * height > most:",
        "if width * height > most * 100:",
        "tests/images/test_reader.py",
    ),
    Change(
        "videos: time stamps that start again",
        "edgecnn/videos/media_clock.py",
        "if self._shift is None or stamp + self._shift < self._last:",
        "if self._shift is None:",
        "tests/runtime/sources/test_odd_videos.py",
    ),
    Change(
        "videos: a paced file by a constant rate",
        "runtime/sources/video.py",
        "pacer.wait_for(index / (self.fps or _USUAL_FPS) if media_time is None else media_time)",
        "pacer.wait_for(index / (self.fps or _USUAL_FPS))",
        "tests/runtime/sources/test_odd_videos.py -k paced",
    ),
)

"""Planted changes: datasets, training and compression."""

from __future__ import annotations

from tests.planted.change import Change

CHANGES = (
    Change(
        "data: a group on both sides",
        "edgecnn/data/splits.py",
        "found.setdefault(name or index, []).append(index)",
        "found.setdefault(index, []).append(index)",
        "tests/data/test_splits.py",
    ),
    Change(
        "data: the seed is ignored",
        "edgecnn/data/splits.py",
        "default_rng((seed, len(dataset)))",
        "default_rng((0, len(dataset)))",
        "tests/data/test_splits.py",
    ),
    Change(
        "data: YOLO's class ids may be fractions",
        "edgecnn/data/formats/yolo.py",
        "not row.class_id.is_integer() or ",
        "",
        "tests/data/formats/test_yolo.py",
    ),
    Change(
        "data: weak teachers make labels together",
        "edgecnn/data/ensemble.py",
        "return any(score >= np.float32(own.threshold) for own, score in scores)",
        "return True",
        "tests/data/test_ensemble.py",
    ),
    Change(
        "data: a teacher's second box is a vote",
        "edgecnn/data/ensemble.py",
        "[group for group in groups if member not in group.members]",
        "list(groups)",
        "tests/data/test_ensemble.py",
    ),
    Change(
        "data: converted boxes keep the old scale",
        "edgecnn/data/coco_writer.py",
        "one.size[0] / one.original[0]",
        "1.0",
        "tests/data/test_convert.py",
    ),
    Change(
        "data: a converted dataset forgets what is not labelled",
        "edgecnn/data/coco_writer.py",
        "({OPEN: unlabelled} if unlabelled else {})",
        "{}",
        "tests/data/test_convert.py",
    ),
    Change(
        "train: no warm-up",
        "edgecnn/train/schedule.py",
        "return peak * (step + 1) / warm",
        "return peak",
        "tests/train/test_training.py -k rises_then_falls",
    ),
    Change(
        "train: the rate ends at zero",
        "edgecnn/train/schedule.py",
        "FINAL_LR = 0.02",
        "FINAL_LR = 0.0",
        "tests/train/test_training.py -k rises_then_falls",
    ),
    Change(
        "train: centres outside of a box learn it",
        "edgecnn/train/assign.py",
        "inside & (far <= reach)",
        "(far <= reach)",
        "tests/train/test_assign.py",
    ),
    Change(
        "compress: channels are not rounded up",
        "edgecnn/compress/channels.py",
        "math.ceil(count / round_to)",
        "math.floor(count / round_to)",
        "tests/compress/test_prune.py -k rounded_up",
    ),
)

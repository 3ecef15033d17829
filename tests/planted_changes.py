"""Changes of the code, planted one at a time, each of which some test has to notice.

    python tests/planted_changes.py [WORD ...]       all of them, or those whose name contains one of the words

Each is made in a copy of the tree, where the named tests then have to fail. Exit code 1 where a change goes unnoticed or its text is
no longer in the file; such a line of the table is to be corrected with the code.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("edgecnn", "runtime", "export", "devices", "benchmarks", "tests", "examples", "docs")
FILES = ("pyproject.toml", "README.md", "Makefile", "LICENSE")
TIMEOUT_S = 300


@dataclass(frozen=True)
class Change:
    """``old`` becomes ``new`` in ``file``; ``tests`` (paths or node ids, with spaces between) must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: str


PREPROCESS, NMS, DECODERS = "tests/test_preprocess.py", "tests/postprocess/test_nms.py", "tests/postprocess"
STEPS, QUEUE = "tests/runtime/steps", "tests/runtime/sinks/test_queue.py"
ORT, PIPELINE = "runtime/backends/ort.py", "tests/runtime/pipeline"

CHANGES = (
    # those that were named when they went unnoticed
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
        "MQTT: online is not retained",
        "runtime/sinks/network/mqtt.py",
        '"online", qos=1, retain=True',
        '"online", qos=1, retain=False',
        "tests/runtime/sinks/test_mqtt.py -k state_that_the_broker_retained",
    ),
    Change(
        "diagnosis: no faults at all",
        "export/verify/diagnose.py",
        "    yield from _color_faults(right)\n    yield from _scale_faults(right)\n    yield from _resize_faults(right)\n"
        "    yield from _layout_faults(right)\n",
        "    yield from ()\n",
        "tests/export/verify/test_fault_list.py",
    ),
    Change(
        "page: a foreign import()",
        "runtime/view/app.js",
        "const $ =",
        'import("//example.org/x.js");\nconst $ =',
        "tests/runtime/view/test_page_sources.py",
    ),
    Change(
        "card: any superset of outputs",
        "runtime/model/card_inference.py",
        "{spec.name for spec in declared} == by_name.keys()",
        "{spec.name for spec in declared} <= by_name.keys()",
        "tests/runtime/model/test_card_inference.py",
    ),
    Change(
        "reconnect: the delay does not grow",
        "runtime/sources/reconnect.py",
        "self.initial_delay_s * 2.0 ** min(attempt, 60)",
        "self.initial_delay_s",
        "tests/runtime/sources/test_reconnect.py -k grow",
    ),
    Change(
        "queue: files lose results, too",
        "runtime/sinks/queue.py",
        "while self._full(size) and self._lossless and",
        "while False and",
        QUEUE,
    ),
    Change(
        "ONNX Runtime: threads without requests",
        ORT,
        "- requests + 1, 1)",
        ", 1)",
        "tests/runtime/backends/test_onnxruntime_threads.py",
    ),
    Change(
        "reconnect: attempts are not counted",
        "runtime/sources/reconnect.py",
        "attempt += 1",
        "attempt += 0",
        "tests/runtime/sources/test_reconnect.py -k anew",
    ),
    # fifteen of their kind: roundings, early ends, flags of a protocol, lists, checks, formulas
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
        "MQTT: last will is not retained",
        "runtime/sinks/network/mqtt.py",
        'will_set(self._state_topic, "offline", qos=1, retain=True)',
        'will_set(self._state_topic, "offline", qos=1, retain=False)',
        "tests/runtime/sinks/test_mqtt_last_will.py",
    ),
    Change(
        "MQTT: a wildcard in a topic",
        "runtime/sinks/network/mqtt.py",
        'if re.search(r"[+#]", base) or not base.isprintable():',
        "if False:",
        "tests/runtime/sinks/test_mqtt.py -k addresses",
    ),
    Change(
        "webhook: unsigned",
        "runtime/sinks/network/webhook.py",
        "hmac.new(self._secret.encode(), body",
        'hmac.new(b"", body',
        "tests/runtime/sinks/test_webhook.py -k signed",
    ),
    Change(
        "webhook: 429 is an error for good",
        "runtime/sinks/network/webhook.py",
        "(408, 425, 429)",
        "(408, 425)",
        "tests/runtime/sinks/test_webhook.py -k 'trouble or refusal'",
    ),
    Change(
        "reconnect: no jitter",
        "runtime/sources/reconnect.py",
        "(1 - self.jitter * random.random())",
        "1",
        "tests/runtime/sources/test_reconnect.py -k grow",
    ),
    Change(
        "queue: the pause does not grow",
        "runtime/sinks/queue.py",
        "_FIRST_PAUSE_S * 2.0 ** min(failures - 1, 16)",
        "_FIRST_PAUSE_S",
        "tests/runtime/sinks/test_queue_bounds.py",
    ),
    Change(
        "page: any other site may change it",
        "runtime/view/auth.py",
        'origin.partition("://")[2].lower() == headers.get("host", "").lower()',
        "True",
        "tests/runtime/view/test_http.py -k another_site",
    ),
    # twenty-five across the tree
    Change(
        "export: flip is not folded",
        "export/fold.py",
        "torch.flip(changed, [1]) if graph.flip else changed",
        "changed",
        "tests/export/test_fold.py",
    ),
    Change(
        "export: scale is not folded",
        "export/fold.py",
        "(weight.double() * graph.scale.double()).float()",
        "weight.clone()",
        "tests/export/test_fold.py",
    ),
    Change(
        "export: faults of scale are not tried",
        "export/verify/diagnose.py",
        "    yield from _scale_faults(right)\n",
        "",
        "tests/export/verify/test_fault_list.py",
    ),
    Change(
        "parity: the mean error is not seen",
        "edgecnn/parity.py",
        "float(gap.max()), float(gap.mean())",
        "float(gap.max()), 0.0",
        "tests/test_parity.py",
    ),
    Change(
        "output checks: coarse steps of scores are not told",
        "runtime/model/output_checks.py",
        "COSTLY_STEP = 0.1",
        "COSTLY_STEP = 0.25",
        "tests/runtime/model/test_output_checks.py",
    ),
    Change(
        "parity: the same wrong score in every image is not seen",
        "export/verify/parity.py",
        "if real and part.holds_scores and len(group) >= MANY else 0.0",
        "if False else 0.0",
        "tests/export/verify/test_judgement.py -k appears_in_every_image",
    ),
    Change(
        "verification: NaN of PyTorch is not refused",
        "export/verify/finite_outputs.py",
        "    if not any(broken):\n",
        "    if True:\n",
        "tests/export/verify/test_finite_outputs.py",
    ),
    Change(
        "parity: tensors of zeros are alike whatever their cosine",
        "edgecnn/parity.py",
        "float(a @ b) / lengths if lengths else 0.0",
        "1.0",
        "tests/test_parity.py",
    ),
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
    Change(
        "runtime: the ledger loses frames at the end",
        "runtime/pipeline/ledger.py",
        "dropped=old.dropped + rest",
        "dropped=old.dropped",
        "tests/runtime/pipeline/test_ledger.py",
    ),
    Change(
        "runtime: every N-th is one too late",
        "runtime/pipeline/frame_sampler.py",
        "if (self._count - 1) % self.every",
        "if self._count % self.every",
        "tests/runtime/pipeline/test_frame_sampler.py",
    ),
    Change(
        "runtime: a lamp is motion",
        "runtime/pipeline/motion_gate.py",
        "change -= np.median(change)",
        "change -= 0",
        "tests/runtime/pipeline/test_motion_gate.py",
    ),
    Change(
        "runtime: the newest frame waits for the oldest",
        "runtime/pipeline/mailbox.py",
        "return self._closed or self._newest_wins or",
        "return self._closed or",
        "tests/runtime/pipeline/test_mailbox.py",
    ),
    Change(
        "steps: a line counts beyond its ends",
        "runtime/steps/line_counter.py",
        "return 0 <= along <= ",
        "return along <= ",
        STEPS,
    ),
    Change(
        "steps: a line counts twice",
        "runtime/steps/line_counter.py",
        "if not through or way in state.counted:",
        "if not through:",
        STEPS,
    ),
    Change("steps: a zone forgets how long", "runtime/steps/zone_counter.py", "round(at - stay.since, 3)", "round(at, 3)", STEPS),
    Change("steps: anchors at the top", "runtime/steps/shapes.py", '"bottom": 1.0', '"bottom": 0.0', STEPS),
    Change(
        "sinks: the newest recording is removed",
        "runtime/sinks/files/retention.py",
        "(order.get(stem, -1), stem), reverse=True)",
        "(order.get(stem, -1), stem))",
        "tests/runtime/sinks/test_event_clips.py",
    ),
    Change(
        "sinks: COCO's boxes are corners",
        "runtime/sinks/files/coco_results.py",
        "(left, top, right - left, bottom - top)",
        "(left, top, right, bottom)",
        "tests/runtime/sinks/test_text.py -k coco",
    ),
    Change(
        "sources: a password in a message",
        "runtime/sources/redact.py",
        "{'***@' if at else ''}",
        "{_ + at}",
        "tests/runtime/sources/test_redact.py",
    ),
    Change(
        "live: tracking without weak boxes",
        "edgecnn/live/analytics.py",
        "return min(WEAK_TRACK_SCORE, shown) if config.tracks else shown",
        "return shown",
        "tests/live/test_analytics.py",
    ),
    Change(
        "tracks: motion per call instead of per second",
        "runtime/tracking/bytetrack.py",
        "tracks.motion.predict(passed)",
        "tracks.motion.predict(1 / 30 if passed else 0.0)",
        "tests/runtime/tracking/test_tracking.py",
    ),
    Change(
        "tracks: the direction decides nothing",
        "runtime/tracking/assignment.py",
        "similarity if bonus is None else similarity + bonus",
        "similarity",
        "tests/runtime/tracking/test_tracking.py",
    ),
    Change(
        "tracks: a weak box continues lost tracks, too",
        "runtime/tracking/bytetrack.py",
        "tracks.confirmed & (tracks.streak > 0), options.second",
        "tracks.confirmed, options.second",
        "tests/runtime/tracking/test_tracking.py",
    ),
    Change(
        "tracks: patience has no end",
        "runtime/tracking/bytetrack.py",
        "(unseen_s <= self.options.lost_s)",
        "(unseen_s >= 0)",
        "tests/runtime/tracking/test_tracking.py",
    ),
    Change(
        "view: the token is not compared",
        "runtime/view/auth.py",
        "return self.token is not None and _equal(token, self.token)",
        "return True",
        "tests/runtime/view/test_auth.py",
    ),
    Change(
        "benchmark: quick and slow rounds swap",
        "benchmarks/measure/statistics.py",
        "nearest_rank(pairs, 10), nearest_rank(pairs, 90)",
        "nearest_rank(pairs, 90), nearest_rank(pairs, 10)",
        "tests/benchmarks/measure",
    ),
    Change(
        "benchmark: other programs are ignored",
        "benchmarks/measure/verdict.py",
        "> MAX_OTHER_LOAD",
        "> 2",
        "tests/benchmarks/measure",
    ),
    Change(
        "benchmark: always in one order",
        "benchmarks/measure/rounds.py",
        " if turn % 2 == 0 else range(count - 1, -1, -1)",
        "",
        "tests/benchmarks/measure/test_rounds.py",
    ),
    Change("files: not synced before the rename", "edgecnn/files.py", "    sync(draft)\n", "", "tests/test_files.py"),
    Change(
        "processors: the quota is ignored", "edgecnn/cpus.py", "counts.append(math.ceil(quota))", "pass", "tests/test_cpus.py"
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
        "edgecnn/metrics/average_precision.py",
        "iscrowd=int(is_crowd)",
        "iscrowd=0",
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


def copy_of_the_tree(folder: Path) -> Path:
    """The tree without history and results; the links inside the package stay links."""
    skipped = shutil.ignore_patterns("__pycache__", "*.pyc", "results")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=skipped)
    for name in FILES:
        shutil.copyfile(ROOT / name, folder / name)
    return folder


def fails(tests: str, folder: Path) -> bool:
    """Whether one of the tests fails in this copy; raises ``ValueError`` where they could not be run."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *shlex.split(tests)]
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return True  # such as a thread that waits for ever
    if done.returncode not in (0, 1):
        raise ValueError(f"pytest {tests}: {done.stdout[-500:]}{done.stderr[-500:]}")
    return done.returncode != 0


def verdict(change: Change, folder: Path, green: set[str]) -> str:
    """ "caught", "MISSED", or why the line of the table is wrong; ``green`` are tests that pass without a change."""
    file = folder / change.file
    if not file.is_file():
        return f"NO FILE {change.file}"
    text = file.read_text()
    if text.count(change.old) != 1:
        return f"TEXT FOUND {text.count(change.old)} TIMES in {change.file}"
    if change.tests not in green:
        if fails(change.tests, folder):
            return f"FAILS WITHOUT THE CHANGE: {change.tests}"
        green.add(change.tests)
    file.write_text(text.replace(change.old, change.new))
    try:
        return "caught" if fails(change.tests, folder) else "MISSED"
    finally:
        file.write_text(text)


def main() -> int:
    words = sys.argv[1:]
    chosen = [change for change in CHANGES if not words or any(word in change.name for word in words)]
    with tempfile.TemporaryDirectory(prefix="edgecnn-planted-") as folder:
        copy = copy_of_the_tree(Path(folder))
        found, green = list[str](), set[str]()
        for change in chosen:
            found.append(verdict(change, copy, green))
            print(f"{found[-1]:>8}  {change.name}", flush=True)
    caught = found.count("caught")
    print(f"{caught} of {len(found)} planted changes caught")
    return 0 if caught == len(found) else 1


if __name__ == "__main__":
    sys.exit(main())

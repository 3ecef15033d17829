"""Planted changes: cameras, queues, engines, steps and tracks."""

from __future__ import annotations

from tests.planted.change import Change

STEPS = "tests/runtime/steps"
QUEUE = "tests/runtime/sinks/test_queue.py"
ORT = "runtime/backends/ort.py"

CHANGES = (
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
        "sources: a password in a message",
        "runtime/sources/redact.py",
        "{'***@' if at else ''}",
        "{_ + at}",
        "tests/runtime/sources/test_redact.py",
    ),
    Change(
        "live: tracking without weak boxes",
        "edgecnn/live/analytics.py",
        "return min(WEAK_TRACK_SCORE, compared) if config.tracks else compared",
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
        "shown scores: that of the class is forgotten",
        "edgecnn/shown_scores.py",
        "return np.asarray(found.score >= self.of(found.class_id))",
        "return np.asarray(found.score >= self.usual)",
        "tests/test_shown_scores.py",
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
        "processors: the quota is ignored", "edgecnn/cpus.py", "counts.append(math.ceil(quota))", "pass", "tests/test_cpus.py"
    ),
)

"""What a run says to people."""

from __future__ import annotations

import io

import numpy as np
import pytest

from edgecnn.live.status import StatusLine, describe, summary
from edgecnn.runtime.pipeline.ledger import FrameCounts
from edgecnn.runtime.pipeline.multi_camera import CameraSetup, MultiCamera
from edgecnn.runtime.pipeline.single_camera import Pipeline
from edgecnn.runtime.pipeline.statistics import DurationHistogram, Stats
from edgecnn.runtime.testing import FakePredictor, FakeSource
from edgecnn.types import Classes, Detections, Frame, Prediction, Result, Values


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def result(prediction: Prediction) -> Result:
    stage_ms = {"capture": 99.0, "preprocess": 1.0, "infer": 2.0, "postprocess": 0.5}
    return Result(Frame(0, 0.0, np.zeros((48, 64, 3), np.uint8)), prediction, stage_ms, 9.0)


def test_the_line_tells_rates_age_and_drops_of_the_time_since_the_last_one() -> None:
    with Pipeline(FakeSource(8, unreadable=frozenset({3})), FakePredictor()) as pipeline:
        status = StatusLine(pipeline, io.StringIO())
        assert len(list(pipeline)) == 7
        line = status.line()
        assert line.endswith("frames 7 · dropped 0 · failed 1")
        assert "age p50 " in line
        assert "capture 0.0 · infer 0.0 frames/s · age p50 - p99 - ms · frames 7" in status.line()


def test_before_the_first_frame_it_says_what_it_waits_for() -> None:
    assert StatusLine(Pipeline(FakeSource(1), FakePredictor()), io.StringIO()).line() == "waiting for fake"


def test_several_cameras_are_told_together_on_a_terminal_and_one_by_one_elsewhere() -> None:
    predictor = FakePredictor()
    plans = [
        CameraSetup("door", FakeSource(4, unreadable=frozenset({1})), predictor),
        CameraSetup("yard", FakeSource(9), predictor, every=3),
    ]
    multi_camera = MultiCamera(plans)
    status, other = StatusLine(multi_camera, io.StringIO()), StatusLine(multi_camera, io.StringIO())
    assert other.lines() == ["door: waiting for fake", "yard: waiting for fake"]
    with multi_camera:
        assert len(list(multi_camera)) == 6
        line, (door, yard) = status.line(), other.lines()
    assert line.startswith("0 of 2 cameras live · capture ")
    assert line.endswith("frames 6 · dropped 0 · skipped 6 · failed 1")
    assert door.startswith("door: ended · capture ")
    assert door.endswith("frames 3 · dropped 0 · failed 1")
    assert yard.endswith("frames 3 · dropped 0 · skipped 6")


def test_a_camera_that_is_lost_is_named_with_the_reason() -> None:
    class Lost(FakeSource):
        state, detail = "lost", "no answer, next try in 8 s"

    predictor = FakePredictor()
    with MultiCamera(
        [CameraSetup("door", Lost(None, fps=50), predictor), CameraSetup("yard", FakeSource(None, fps=50), predictor)]
    ) as multi_camera:
        assert next(iter(multi_camera)).camera in ("door", "yard")
        assert StatusLine(multi_camera, io.StringIO()).line().endswith(" · door lost")
        assert StatusLine(multi_camera, io.StringIO()).lines()[0].startswith("door: lost: no answer, next try in 8 s · capture ")


def test_without_cameras_it_says_so() -> None:
    assert StatusLine(MultiCamera([]), io.StringIO()).line() == "no cameras"


def test_a_terminal_gets_one_line_that_renews_itself_and_is_gone_at_the_end() -> None:
    out = Terminal()
    with Pipeline(FakeSource(None), FakePredictor()) as pipeline, StatusLine(pipeline, out, every=0.01):
        for _ in pipeline:
            if out.getvalue().count("frames/s") > 2:
                break
    assert "\n" not in out.getvalue()
    assert out.getvalue().endswith("\r\x1b[K")


def test_a_file_gets_plain_lines() -> None:
    out = io.StringIO()
    with Pipeline(FakeSource(None), FakePredictor()) as pipeline, StatusLine(pipeline, out, every=0.01):
        for _ in pipeline:
            if out.getvalue().count("frames/s") > 2:
                break
    assert "\x1b" not in out.getvalue()
    assert out.getvalue().endswith("\n")


def test_what_is_said_for_good_goes_to_standard_output_after_the_line_is_cleared(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    with StatusLine(Pipeline(FakeSource(1), FakePredictor()), terminal, every=60) as status:
        status.say("img1.png  1 object")
    assert capsys.readouterr().out == "img1.png  1 object\n"
    assert terminal.getvalue() == "\r\x1b[K\r\x1b[K"


def test_boxes_of_an_image_best_first() -> None:
    found = Detections(
        np.array([[1, 2, 3, 4], [10.4, 20.6, 30, 40]], np.float32), np.array([0.5, 0.9], np.float32), np.array([0, 1])
    )
    assert describe(result(found), "a.png", ["mug", "glass"]).splitlines() == [
        "a.png  64x48  2 objects  3.5 ms",
        "  glass  0.90  10,21 to 30,40",
        "  mug    0.50  1,2 to 3,4",
    ]


def test_a_crowd_is_cut_short() -> None:
    many = Detections(np.zeros((60, 4), np.float32), np.linspace(0, 1, 60, dtype=np.float32), np.zeros(60, np.int64))
    assert describe(result(many), "a.png", ["mug"]).splitlines()[-1] == "  and 10 more with lower scores"


def test_an_image_without_objects() -> None:
    assert describe(result(Detections.empty()), "a.png", []) == "a.png  64x48  0 objects  3.5 ms"


def test_classes_of_an_image() -> None:
    score = np.array([0.1, 0.6, 0.25, 0.05], np.float32)
    assert describe(result(Classes(score)), "a.png", ["boot", "bag", "coat"]) == (
        "a.png  64x48  bag 0.60, coat 0.25, boot 0.10  3.5 ms"
    )


def test_values_of_an_image() -> None:
    assert describe(result(Values(np.float32([3.14159, 1200]))), "a.png", ["level", "speed"]) == (
        "a.png  64x48  level 3.142, speed 1200  3.5 ms"
    )


def test_the_summary_shows_a_ledger_that_balances_and_what_failed() -> None:
    source = FakeSource(9, unreadable=frozenset({4}))
    source.notes.append("v.avi ends early")
    with Pipeline(source, FakePredictor(), max_frames=5) as pipeline:
        list(pipeline)
    text = summary(pipeline.stats(), source, "stopped by SIGINT")
    assert text.startswith("stopped by SIGINT: 5 frames in ")
    assert "ledger: 6 captured = 5 processed + 0 dropped + 1 failed" in text
    assert "note: v.avi ends early" in text
    assert "failed: frame 4: told to fail" in text


def test_the_summary_names_the_camera_what_was_skipped_the_stages_of_steps_and_what_was_late() -> None:
    class Count:
        stage = "track"

        def __call__(self, result: Result) -> Result:
            return result

    plan = CameraSetup("door", FakeSource(9), FakePredictor(), every=3, max_age_ms=0.0, steps=[Count()])
    with MultiCamera([plan]) as multi_camera:
        list(multi_camera)
    lines = summary(multi_camera.cameras["door"].stats(), plan.source, "done", "door").splitlines()
    assert lines[0].startswith("door: done: 3 frames in ")
    assert lines[1] == "  ledger: 9 captured = 3 processed + 0 dropped + 6 skipped + 0 failed"
    stages = [line.split()[0] for line in lines[3:-1]]
    assert stages == ["capture", "preprocess", "infer", "postprocess", "track", "sink", "age"]
    assert lines[-1] == "  3 results older than the budget"


def test_unfinished_frames_are_told_apart_from_those_that_gave_way() -> None:
    stats = Stats("latest", 1, 1.0, 3.0, {}, DurationHistogram().summary(), FrameCounts(9, 0, 9, 0, 2))
    assert "9 dropped (2 of them unfinished at the end)" in summary(stats, FakeSource(0))

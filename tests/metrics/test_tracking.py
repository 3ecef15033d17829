from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path

import numpy as np
import pytest

from edgecnn.errors import InputError
from edgecnn.metrics.tracking import TrackedBoxes, read_mot, read_mot_detections, score_tracks

pytest.importorskip("trackeval", reason="TrackEval is not installed: pip install --no-deps trackeval scipy")


def frame(*rows: tuple[int, float], crowd: tuple[int, ...] = ()) -> TrackedBoxes:
    """Boxes of 20 x 40 by identity and left edge."""
    xyxy = np.array([(x, 0, x + 20, 40) for _, x in rows], np.float32).reshape(-1, 4)
    identity = np.array([name for name, _ in rows], np.int64)
    return TrackedBoxes(xyxy, identity, np.isin(identity, crowd))


def test_perfect_tracks() -> None:
    truth = [frame((1, 10 * n), (2, 300 - 10 * n)) for n in range(10)]
    found = [frame((7, 10 * n), (4, 300 - 10 * n)) for n in range(10)]
    score = score_tracks(truth, found)
    assert (score.mota, score.idf1, score.hota) == pytest.approx((1, 1, 1))
    assert (score.switches, score.missed, score.false, score.boxes, score.identities, score.tracks) == (0, 0, 0, 20, 2, 2)


def test_a_switch_a_miss_and_a_false_box_are_counted() -> None:
    truth = [frame((1, 10 * n)) for n in range(10)]
    found = [frame((1, 10 * n)) if n < 5 else frame((2, 10 * n)) for n in range(9)] + [frame((3, 900))]
    score = score_tracks(truth, found)
    assert (score.switches, score.missed, score.false) == (1, 1, 1)
    assert score.mota == pytest.approx(1 - 3 / 10)
    assert score.idf1 == pytest.approx(2 * 5 / 20)


def test_what_does_not_count_is_neither_missed_nor_false() -> None:
    truth = [frame((1, 0), (2, 100), (3, 200), crowd=(2, 3)) for _ in range(4)]
    found = [frame((1, 0), (5, 100)) for _ in range(4)]
    score = score_tracks(truth, found)
    assert (score.mota, score.boxes, score.false) == (1, 4, 0)


def test_nothing_found_and_nothing_there() -> None:
    assert score_tracks([frame((1, 0))], [frame()]).missed == 1
    assert score_tracks([frame()], [frame((1, 0))]).false == 1


def test_the_numbers_are_those_of_trackeval_on_files(tmp_path: Path) -> None:
    """Its own reader of MOT15 text, its own evaluator."""
    import trackeval

    rng = np.random.default_rng(0)
    lines: dict[str, list[str]] = {"gt": [], "found": []}
    for index in range(1, 31):
        for name in (1, 2, 3):
            x, y = 100.0 * name + 3 * index, 50.0 + name
            lines["gt"].append(f"{index},{name},{x:g},{y:g},40,80,{int(name != 3 or index > 10)},-1,-1,-1")
            if rng.random() < 0.8:
                x, y = x + rng.normal(0, 4), y + rng.normal(0, 4)
                lines["found"].append(f"{index},{name + 10 * (index > 17)},{x:.2f},{y:.2f},40,80,0.9,-1,-1,-1")
    gt, found = tmp_path / "gt" / "a" / "gt" / "gt.txt", tmp_path / "trackers" / "ours" / "data" / "a.txt"
    for path, text in ((gt, lines["gt"]), (found, lines["found"])):
        path.parent.mkdir(parents=True)
        path.write_text("\n".join(text))
    config = {
        "GT_FOLDER": str(tmp_path / "gt"),
        "TRACKERS_FOLDER": str(tmp_path / "trackers"),
        "SEQ_INFO": {"a": 30},
        "BENCHMARK": "MOT15",
        "SKIP_SPLIT_FOL": True,
        "PRINT_CONFIG": False,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = trackeval.datasets.MotChallenge2DBox(config)
        data = dataset.get_preprocessed_seq_data(dataset.get_raw_seq_data("ours", "a"), "pedestrian")
        metrics = trackeval.metrics
        hota, clear, identity = (dict(one.eval_sequence(data)) for one in (metrics.HOTA(), metrics.CLEAR(), metrics.Identity()))
    truth = [
        TrackedBoxes(one.xyxy[~one.crowd], one.identity[~one.crowd])
        for one in read_mot(gt.read_text(), 30)
        if one.crowd is not None
    ]
    score = score_tracks(truth, [TrackedBoxes(one.xyxy, one.identity) for one in read_mot(found.read_text(), 30)])
    assert score.mota == pytest.approx(clear["MOTA"], abs=1e-6)
    assert score.idf1 == pytest.approx(identity["IDF1"], abs=1e-6)
    assert score.hota == pytest.approx(hota["HOTA"].mean(), abs=1e-6)
    assert score.switches == clear["IDSW"]


def test_a_bad_line_is_named() -> None:
    with pytest.raises(
        InputError, match="line 2 is not frame,id,left,top,width,height with a frame of 1 to 3: '9,1,2,3,4,5,1'; correct the file"
    ):
        read_mot("1,1,2,3,4,5,1\n9,1,2,3,4,5,1", 3)


@pytest.mark.parametrize(
    ("line", "ignored"),
    [
        ("1,1,2,3,4,5,1,-4.1554,-7.3591,0", False),  # MOT15: a position in the world
        ("1,1,2,3,4,5,0,-4.1554,-7.3591,0", True),
        ("1,1,2,3,4,5,1,1,0.9", False),  # MOT16: class and visibility
        ("1,1,2,3,4,5,1,8,0.9", True),
        ("1,1,2,3,4,5,0,1,0.9", True),
        ("1,1,2,3,4,5", False),
        ("1,1,2,3,4,5,1,", False),
    ],
)
def test_which_boxes_of_ground_truth_count(line: str, ignored: bool) -> None:
    (boxes,) = read_mot(line, 1)
    assert boxes.crowd is not None
    assert boxes.crowd.tolist() == [ignored]
    assert boxes.xyxy.tolist() == [[1, 2, 5, 7]]


def test_detections_have_their_scores() -> None:
    first, second = read_mot_detections("2,-1,11,21,30,40,0.75,-1,-1,-1", 2)
    assert len(first) == 0
    assert (second.xyxy.tolist(), second.score.tolist(), second.class_id.tolist()) == ([[10, 20, 40, 60]], [0.75], [0])
    with pytest.raises(InputError, match=r"frame 1 has a score of -0\.5 in column 7; use scores of 0 to 1"):
        read_mot_detections("1,-1,11,21,30,40,-0.5", 1)


def test_sequences_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="1 frames of ground truth, but 0 predicted ones"):
        score_tracks([frame()], [])
    with pytest.raises(ValueError, match=r"a track id is repeated in one frame: \[1, 1\]"):
        score_tracks([frame((1, 0))], [frame((1, 0), (1, 50))])


def test_without_trackeval_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trackeval", None)
    with pytest.raises(InputError, match="pip install --no-deps trackeval"):
        score_tracks([frame((1, 0))], [frame((1, 0))])

"""What the page of a run may change, over real HTTP."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from tests.runtime.view.harness import watching


def test_the_controls_take_effect_at_once() -> None:
    with watching() as run:
        answer = run.ask("/api/controls", {"score_threshold": 0.75, "only": ["thing"]})
        assert answer[0] == 200
        assert json.loads(answer[2]) == {
            "scored": True, "score_threshold": 0.75, "by_class": False, "floor": 0.0, "labels": ["thing", "other"], "only": ["thing"],
            "paused": [],
        }  # fmt: skip
        setting = run.multi_camera.controls.setting
        assert (setting.score_threshold, setting.only) == (0.75, frozenset({"thing"}))
        assert run.ask("/api/controls", {"only": None})[0] == 200
        assert run.multi_camera.controls.setting.only == {"thing", "other"}


def test_classes_that_the_run_began_with_are_chosen_until_somebody_chooses() -> None:
    with watching() as run:
        run.view.add_camera("door", ("Thing", "other"), run.painters["door"], only=["thing"])
        assert run.state()["controls"]["only"] == ["Thing"]
        run.ask("/api/controls", {"only": ["other"]})
        assert run.state()["controls"]["only"] == ["other"]
        run.view.remove_camera("door")
        assert run.state()["controls"]["labels"] == []


def test_controls_are_of_what_the_model_finds() -> None:
    with watching() as run:
        run.view.add_camera("door", ("nose", "left eye"), run.painters["door"], by_class=False)
        controls = run.state()["controls"]
        assert (controls["scored"], controls["labels"]) == (True, [])
        run.view.add_camera("door", ("wall", "sky"), run.painters["door"], by_class=False, by_score=False)
        assert run.state()["controls"]["scored"] is False
        run.view.add_camera("door", ("thing", "other"), run.painters["door"])
        controls = run.state()["controls"]
        assert (controls["scored"], controls["labels"]) == (True, ["thing", "other"])


def test_a_camera_is_paused_and_goes_on() -> None:
    with watching() as run:
        run.until(lambda state: state["cameras"][0]["state"] == "live")
        run.ask("/api/controls", {"camera": "door", "paused": True})
        skipped = run.until(lambda state: state["cameras"][0]["ledger"]["skipped"] > 2)
        assert skipped["cameras"][0]["state"] == "paused"
        run.ask("/api/controls", {"camera": "door", "paused": False})
        before = run.state()["cameras"][0]["ledger"]["processed"]
        run.until(lambda state: state["cameras"][0]["ledger"]["processed"] > before + 2)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"score_threshold": 1.5}, id="threshold too high"),
        pytest.param({"score_threshold": True}, id="threshold that is no number"),
        pytest.param(b'{"score_threshold": NaN}', id="not a number"),
        pytest.param({"only": ["nobody knows this"]}, id="unknown label"),
        pytest.param({"only": "thing"}, id="labels that are no list"),
        pytest.param({"camera": "nowhere", "paused": True}, id="unknown camera"),
        pytest.param({"camera": "door", "paused": 1}, id="paused that is no boolean"),
        pytest.param({"camera": "door"}, id="camera alone"),
        pytest.param({"source": "/etc/passwd"}, id="unknown key"),
        pytest.param({}, id="nothing"),
        pytest.param([], id="list"),
        pytest.param(b"{", id="half"),
        pytest.param(b"[" * 10000, id="deep"),
        pytest.param(b"\xff\xfe", id="not text"),
    ],
)
def test_a_wrong_wish_is_refused_and_changes_nothing(body: object) -> None:
    with watching() as run:
        before = run.multi_camera.controls.setting
        status, _, answer = run.ask("/api/controls", body, content_type="application/json")
        assert status == 400
        assert json.loads(answer)["error"]
        assert run.multi_camera.controls.setting == before


def test_sizes_types_and_methods_are_checked() -> None:
    with watching() as run:
        assert run.ask("/api/controls", b'{"score_threshold": 0.5}', content_type="text/plain")[0] == 415
        assert run.ask("/api/controls", b'{"score_threshold": 0.5}')[0] == 415
        assert run.ask("/api/controls", {"only": ["x" * 50_000]})[0] == 413
        assert run.ask("/api/controls")[0] == 405
        assert run.ask("/", {"score_threshold": 0.5})[0] == 405
        assert run.ask("/api/state?tick=-1")[0] == 400
        assert run.ask("/api/state?tick=" + "9" * 300)[0] == 400
        assert run.ask("/api/state", x="y" * 40_000)[0] == 431

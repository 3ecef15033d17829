"""The whole way, with a tiny network, the scene as the camera and a shipped detector as the teacher."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from edgecnn.adapt import claim
from edgecnn.adapt import run as steps
from edgecnn.adapt.config import AdaptConfig, AdaptFolder
from edgecnn.adapt.run import Adapted, adapt
from edgecnn.adapt.text import advice, lines, verdict
from edgecnn.cli import main
from edgecnn.errors import InputError
from edgecnn.models import read_card
from edgecnn.shipped import artifact
from edgecnn.trust.significance import Interval
from tests.adapt.network import write_checkpoint

pytest.importorskip("torch")
DETECTORS = "cups, person-face-vehicle, person-face-vehicle-m"
SOURCE = "scene:cups?size=96x64&fps=1&count=70&seed=7"


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("start"))


def config(start: Path, out: Path, **more: Any) -> AdaptConfig:
    values: dict[str, Any] = {"source": SOURCE, "teachers": ("cups?threshold=0.3",), "epochs": 1, "precisions": ("fp32",), **more}
    return AdaptConfig(model=str(start), out=out, **{"minutes": 5.0, "frames": 60, "workers": 1, **values})


@pytest.fixture(scope="module")
def done(start: Path, tmp_path_factory: pytest.TempPathFactory) -> Adapted:
    return adapt(config(start, tmp_path_factory.mktemp("done") / "out"))


def test_the_old_model_stays_where_the_new_one_is_not_better(done: Adapted) -> None:
    assert not done.better  # one epoch from random weights
    assert done.files == ()
    assert not list(done.folder.root.glob("*.onnx"))
    assert (done.folder.tried / "tiny-fp32.onnx").is_file()
    assert "the old model stays" in verdict(done)
    document = json.loads(done.folder.document.read_text())
    assert document["better"] is False
    assert str(done.folder.root.parent) not in done.folder.document.read_text()
    assert document["settings"]["model"] == "tiny.safetensors"
    assert document["frames"]["held_out"]["images"] == done.held_out.images == len(done.split.held_out)
    assert sum(document["frames"]["train"]["boxes"].values()) > 0


def test_a_finished_run_is_not_done_again(done: Adapted, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("edgecnn.adapt.tune.train", never)
    monkeypatch.setattr("edgecnn.adapt.tune.run_exports", never)
    monkeypatch.setattr("edgecnn.adapt.label.convert", never)
    again = adapt(done.config)
    assert again.change.difference == done.change.difference


def test_a_better_model_gets_its_name(done: Adapted) -> None:
    mean = dataclasses.replace(done.change, interval=Interval(0.01, 0.09))
    better = dataclasses.replace(done, compared=dataclasses.replace(done.compared, mean=mean))
    assert better.better
    files = steps._kept(better, [done.folder.tried / "tiny-fp32.onnx"], done.folder.training / "model.safetensors")
    assert [path.name for path in files] == ["tiny-fp32.onnx", "tiny.safetensors"]
    assert files[0].read_bytes() == (done.folder.tried / "tiny-fp32.onnx").read_bytes()
    assert "is better" in verdict(better)
    better = dataclasses.replace(better, files=files)
    assert advice(better) == "use tiny-fp32.onnx in place of tiny.safetensors"
    assert lines(done)[-1] == f"tiny-fp32.onnx, tiny.safetensors in {done.folder.root} are of an earlier call"
    for path in files:
        path.unlink()
    assert lines(done)[-1] == f"what was tried is in {done.folder.tried}"


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        (None, "too few held-out frames to tell the models apart ("),
        (Interval(-0.05, 0.02), "is not better beyond chance"),
        (Interval(-0.05, -0.02), "is worse"),
    ],
)
def test_what_is_said_of_a_model_that_is_not_taken(done: Adapted, interval: Interval | None, said: str) -> None:
    mean = dataclasses.replace(done.change, interval=interval)
    other = dataclasses.replace(done, compared=dataclasses.replace(done.compared, mean=mean))
    assert said in verdict(other)
    assert any("what was tried is in" in line for line in lines(other))
    assert "more --minutes" in advice(other)


def test_the_page_shows_held_out_frames_three_times(done: Adapted) -> None:
    pytest.importorskip("jinja2")
    from edgecnn.adapt.page import LONGEST, adapt_page

    done = dataclasses.replace(done, config=dataclasses.replace(done.config, teachers=("cups.onnx?threshold=0.3&rename=a:b",)))
    page = adapt_page(done)
    assert "labelled by cups.onnx, and compared" in page
    assert "rename=" not in page
    assert "<th>objects</th>" in page
    assert "hings" not in page
    assert all(int(width) <= LONGEST for width in re.findall(r'<img src="data[^"]*" width="(\d+)"', page))
    assert not re.search(r"\b1 (frames|images) ", page)
    assert page.count("<figcaption>before</figcaption>") == page.count("<figcaption>teachers</figcaption>") >= 5
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert str(done.folder.root) not in page
    assert "<h1>tiny for scene:cups" in page
    assert advice(done) in page


def test_frames_of_another_source_are_refused(done: Adapted) -> None:
    other = dataclasses.replace(done.config, source=SOURCE.replace("seed=7", "seed=8"))
    with pytest.raises(
        InputError, match=r"holds frames of another run, with source 'scene:cups.*seed=7'.*another folder with --out"
    ):
        adapt(other)


def test_more_minutes_add_frames_and_what_was_held_out_stays_held_out(start: Path, tmp_path: Path) -> None:
    out, said = tmp_path / "out", list[str]()
    first = adapt(config(start, out, minutes=43 / 60))
    more = adapt(config(start, out, frames=70), said.append)
    assert sum(map(len, dataclasses.astuple(more.split))) > sum(map(len, dataclasses.astuple(first.split)))
    assert set(first.split.held_out) < set(more.split.held_out)
    assert not set(first.split.held_out) & set(more.split.train)
    assert more.held_out.images == len(more.split.held_out)  # the labels are those of all frames
    assert more.train.images == len(more.split.train)
    assert any("other frames than before" in line for line in said)
    record = read_card(more.folder.training / "model.safetensors").training
    assert record["images"] == more.train.images


def test_other_options_repeat_the_steps_that_depend_on_them(start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = SOURCE.replace("count=70", "count=44")
    first = adapt(config(start, tmp_path / "out", source=few))
    made = first.held_out.data.stat().st_mtime_ns, (first.folder.training / "model.safetensors").stat().st_mtime_ns

    def never(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("edgecnn.adapt.collect.opened", never)
    said: list[str] = []
    longer = adapt(config(start, tmp_path / "out", source=few, epochs=2), said.append)
    assert "other options than before (epochs): training and files are made again" in said
    assert longer.held_out.data.stat().st_mtime_ns == made[0]
    assert (longer.folder.training / "model.safetensors").stat().st_mtime_ns > made[1]
    said.clear()
    with pytest.raises(InputError, match=r"found no object.*with the same --out"):
        adapt(config(start, tmp_path / "out", source=few, epochs=2, teachers=("cups?threshold=0.999",)), said.append)
    assert "other options than before (teachers): labels, training and files are made again" in said
    assert not longer.folder.training.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(
            ["fashion-resnet-xs", "--source", SOURCE, "--teacher", "cups"],
            f"teachers label boxes only; name a shipped detector ({DETECTORS}), or the .safetensors file",
            id="classifier",
        ),
        pytest.param(
            ["yunet", "--source", SOURCE, "--teacher", "cups"],
            "yunet can't be adapted: it is a model of other people, a graph without a network to train; name a shipped detector (cups, ",
            id="model of the register",
        ),
        pytest.param(
            ["no-such", "--source", SOURCE, "--teacher", "cups"],
            f"the model no-such does not exist; name a shipped detector ({DETECTORS})",
            id="no model",
        ),
        pytest.param(
            [str(artifact("cups")), "--source", SOURCE, "--teacher", "cups"],
            "it is no checkpoint, and only those",
            id="ONNX file",
        ),
        pytest.param(["cups", "--source", "no.mp4", "--teacher", "cups"], "no.mp4 does not exist", id="source"),
        pytest.param(["cups", "--source", SOURCE], "--teacher", id="no teacher"),
        pytest.param(["cups", "--source", SOURCE, "--teacher", "person-face-vehicle"], "knows none of mug", id="other classes"),
        pytest.param(["cups", "--source", SOURCE, "--teacher", "no.onnx"], "no.onnx does not exist", id="teacher"),
        pytest.param(
            ["cups", "--source", SOURCE, "--teacher", "fashion-resnet-s"], "name a detector as teacher", id="teacher's task"
        ),
        pytest.param(
            ["cups", "--source", SOURCE, "--teacher", "yolox-nano?rename=cup:mug"],
            "the model yolox-nano is not here yet; get it with edgecnn models get yolox-nano",
            id="teacher not here yet",
        ),
        pytest.param(
            ["cups", "--source", SOURCE, "--teacher", "cups", "--data", "scene:stars?count=20"],
            "none of mug, glass",
            id="data of other classes",
        ),
        pytest.param(["cups", "--source", SOURCE, "--teacher", "cups", "--data", "nowhere"], "nowhere", id="data"),
        pytest.param(["cups", "--source", SOURCE, "--teacher", "cups", "--precision", "int9"], "int9", id="precision"),
        pytest.param(["cups", "--source", SOURCE, "--teacher", "cups", "--minutes", "0.1"], "too few", id="short"),
    ],
)
def test_what_can_not_be_done_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    found = CliRunner().invoke(main, ["adapt", *words, "--out", str(tmp_path / "out")])
    assert found.exit_code == 2
    assert message in found.stderr.splitlines()[-1]
    assert found.stderr.startswith("error: ")


def test_after_a_mistyped_source_the_right_one_goes_into_the_same_folder(tmp_path: Path) -> None:
    words = ["adapt", "cups", "--teacher", "cups", "--out", str(tmp_path / "out"), "--minutes", "0.1", "--source"]
    assert "no.mp4 does not exist" in CliRunner().invoke(main, [*words, "no.mp4"]).stderr
    found = CliRunner().invoke(main, [*words, SOURCE])
    assert "different frames are too few" in found.stderr
    assert "holds frames of another run" in CliRunner().invoke(main, [*words, "no.mp4"]).stderr


def test_a_teacher_that_finds_nothing_is_told(start: Path, tmp_path: Path) -> None:
    few = SOURCE.replace("count=70", "count=44")
    with pytest.raises(InputError, match="the teachers found no object"):
        adapt(config(start, tmp_path / "out", source=few, teachers=("cups?threshold=0.999",)))


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files")
@pytest.mark.parametrize(("limit", "file"), [(1_000, "frames/"), (40_000, "training/state.pt")])
def test_a_full_disk_is_one_line_and_the_same_command_goes_on(start: Path, tmp_path: Path, limit: int, file: str) -> None:
    import resource

    few = SOURCE.replace("count=70", "count=44")
    words = ["adapt", str(start), "--source", few, "--teacher", "cups?threshold=0.3", "--out", str(tmp_path / "out")]
    words += ["--epochs", "1", "--workers", "1", "--precision", "fp32"]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        found = CliRunner().invoke(main, words)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert found.exit_code == 2
    assert file in found.stderr.splitlines()[-1]
    assert "file too large; free some space, or " in found.stderr.splitlines()[-1]
    assert not list((tmp_path / "out").rglob("*.part*"))
    again = CliRunner().invoke(main, words)
    assert again.exit_code == 0, again.stderr
    assert (tmp_path / "out" / "adapt.html").is_file()


def test_a_folder_that_can_not_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        found = CliRunner().invoke(main, ["adapt", "cups", "--source", SOURCE, "--teacher", "cups", "--out", str(out)])
        assert found.exit_code == 2
        assert found.stderr.splitlines() == [f"error: can't write {out}: not a directory; name another folder with --out"]


def test_progress_is_told_from_the_start(start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECNN_PROGRESS", "lines")
    few = SOURCE.replace("count=70", "count=12")
    found = CliRunner().invoke(
        main, ["adapt", str(start), "--source", few, "--teacher", "cups", "--out", str(tmp_path / "out"), "--minutes", "0.2"]
    )
    told = [line.removeprefix("\x1eprogress ") for line in found.stderr.strip("\n").split("\n")]
    assert told[:2] == ["loading the model and its teachers", "opening the source"]
    # a busy machine needs a second of the twelve for the first frame
    assert re.fullmatch(r"watching, 1 frame: \d+%", told[2])
    assert "12 different frames are too few" in told[-1]


def test_an_interrupt_is_one_line(start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edgecnn.adapt.run.divide", stop)
    words = [
        "adapt",
        str(start),
        "--source",
        "scene:cups?size=96x64&fps=1&count=20",
        "--teacher",
        "cups",
        "--out",
        str(tmp_path / "o"),
    ]
    found = CliRunner().invoke(main, words)
    assert found.exit_code == 2
    assert (
        found.stderr == "error: the adaptation was interrupted; frames and labels are kept; run it again: it goes on from there\n"
    )
    assert list((tmp_path / "o" / "frames").glob("*.jpg"))


def test_a_folder_in_which_another_process_works_is_refused(start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "LOCKED_WITHIN_S", 0.3)
    out = tmp_path / "door"
    with (
        claim.alone(AdaptFolder(out)),
        pytest.raises(InputError, match=r"another edgecnn adapt is working in .*door; wait for its end, or name another"),
    ):
        adapt(config(start, out))
    assert [path.name for path in out.iterdir()] == [".lock"]
    with claim.alone(AdaptFolder(out)):  # free again, and a folder with nothing but the lock is an empty one
        pass

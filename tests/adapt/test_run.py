"""The whole way, with a tiny network, the scene as the camera and a shipped detector as the teacher."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from edgecnn.adapt import run as steps
from edgecnn.adapt.config import AdaptConfig
from edgecnn.adapt.run import Adapted, adapt
from edgecnn.adapt.text import lines, verdict
from edgecnn.cli import main
from edgecnn.errors import InputError
from edgecnn.trust.significance import Interval

pytest.importorskip("torch")
SOURCE = "scene:cups?size=96x64&fps=1&count=70&seed=7"
NETWORK = {"size": (64, 96), "widths": (8, 8, 16, 16, 16), "depths": (1, 1, 1, 1), "neck": 8, "head_depth": 1}


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with random weights."""
    from edgecnn.models import create, save_checkpoint
    from edgecnn.models.new_card import new_card
    from edgecnn.shipped import read

    labels = read("cups")[0].labels
    options = {**NETWORK, "classes": len(labels)}
    path = tmp_path_factory.mktemp("start") / "tiny.safetensors"
    save_checkpoint(path, create("edgedet", **options), new_card("edgedet", options, labels).replace(name="tiny"))
    return path


def config(start: Path, out: Path, **more: Any) -> AdaptConfig:
    values: dict[str, Any] = {"source": SOURCE, "teachers": ("cups?threshold=0.3",), "epochs": 1, "precisions": ("fp32",), **more}
    return AdaptConfig(model=str(start), out=out, minutes=5.0, frames=60, workers=1, **values)


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
    for path in files:
        path.unlink()


@pytest.mark.parametrize(
    ("interval", "said"),
    [(None, "too few to tell"), (Interval(-0.05, 0.02), "is not better beyond chance"), (Interval(-0.05, -0.02), "is worse")],
)
def test_what_is_said_of_a_model_that_is_not_taken(done: Adapted, interval: Interval | None, said: str) -> None:
    mean = dataclasses.replace(done.change, interval=interval)
    other = dataclasses.replace(done, compared=dataclasses.replace(done.compared, mean=mean))
    assert said in verdict(other)
    assert any("what was tried is in" in line for line in lines(other))


def test_the_page_shows_held_out_frames_three_times(done: Adapted) -> None:
    pytest.importorskip("jinja2")
    from edgecnn.adapt.page import adapt_page

    page = adapt_page(done)
    assert page.count("<figcaption>before</figcaption>") == page.count("<figcaption>teachers</figcaption>") >= 5
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert str(done.folder.root) not in page


def test_another_run_in_the_folder_is_refused(done: Adapted) -> None:
    with pytest.raises(InputError, match="holds another run, with epochs 1"):
        adapt(dataclasses.replace(done.config, epochs=3))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(
            ["fashion-resnet-xs", "--source", SOURCE, "--teacher", "cups"], "teachers label boxes only", id="classifier"
        ),
        pytest.param(["cups", "--source", "no.mp4", "--teacher", "cups"], "no.mp4 does not exist", id="source"),
        pytest.param(["cups", "--source", SOURCE], "--teacher", id="no teacher"),
        pytest.param(["cups", "--source", SOURCE, "--teacher", "person-face-vehicle"], "knows none of mug", id="other classes"),
        pytest.param(["cups", "--source", SOURCE, "--teacher", "no.onnx"], "no.onnx does not exist", id="teacher"),
        pytest.param(
            ["cups", "--source", SOURCE, "--teacher", "fashion-resnet-s"], "name a detector as teacher", id="teacher's task"
        ),
        pytest.param(["cups", "--source", SOURCE, "--teacher", "yunet"], "edgecnn models get yunet", id="teacher not here yet"),
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
    assert "holds another run" in CliRunner().invoke(main, [*words, "no.mp4"]).stderr


def test_a_teacher_that_finds_nothing_is_told(start: Path, tmp_path: Path) -> None:
    few = SOURCE.replace("count=70", "count=44")
    with pytest.raises(InputError, match="the teachers found no object"):
        adapt(config(start, tmp_path / "out", source=few, teachers=("cups?threshold=0.999",)))


def test_an_interrupt_is_one_line(start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edgecnn.adapt.run.split_by_time", stop)
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

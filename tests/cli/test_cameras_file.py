from __future__ import annotations

from pathlib import Path

import click
import pytest

from edgecnn.cli.cameras_file import CamerasFile, CameraWords
from edgecnn.errors import InputError


@click.command()
@click.option("--source", multiple=True)
@click.option("--max-fps", type=float)
@click.option("--track/--no-track", default=False)
@click.option("--motion", is_flag=True)
@click.option("--only")
@click.option("--zone", multiple=True)
@click.option("--serve")
def command(**_: object) -> None:
    pass


SCOPE = frozenset({"source", "max_fps", "track", "motion", "only", "zone"})


def read(tmp_path: Path, text: str, model: str = "cups") -> list[CameraWords]:
    path = tmp_path / "cameras.toml"
    path.write_text(text)
    return CamerasFile(path, command, SCOPE).read(model)


def test_keys_become_options(tmp_path: Path) -> None:
    (camera,) = read(
        tmp_path,
        """
        [[camera]]
        name = "door"
        source = 0
        model = "door.onnx"
        max-fps = 7.5
        track = false
        motion = true
        only = ["person", "car"]
        zone = { yard = [0.1, 0.2, 0.9, 0.2, 0.5, 1], gate = [1, 2, 3, 4, 5, 6] }
        """,
    )
    assert (camera.name, camera.model) == ("door", "door.onnx")
    assert camera.words == (
        *("--source", "0", "--max-fps", "7.5", "--no-track", "--motion", "--only", "person,car"),
        *("--zone", "yard:0.1,0.2,0.9,0.2,0.5,1", "--zone", "gate:1,2,3,4,5,6"),
    )


def test_what_stands_above_holds_for_all(tmp_path: Path) -> None:
    text = 'track = true\nmax_fps = 5\n[[camera]]\nsource = "a"\n[[camera]]\nsource = "b"\nmax_fps = 9\n'
    first, second = read(tmp_path, text)
    assert (first.name, second.name) == ("camera-1", "camera-2")
    assert first.words == ("--track", "--max-fps", "5", "--source", "a")
    assert second.words == ("--track", "--max-fps", "9", "--source", "b")
    assert first.model == "cups"


def test_passwords_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[[camera]]\nsource = "rtsp://me:${DOOR_PASSWORD}@camera/"\n'
    monkeypatch.setenv("DOOR_PASSWORD", "secret")
    assert read(tmp_path, text)[0].words == ("--source", "rtsp://me:secret@camera/")
    monkeypatch.delenv("DOOR_PASSWORD")
    with pytest.raises(InputError, match="DOOR_PASSWORD"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param("[[camera]\n", "TOML", id="not-toml"),
        pytest.param("track = true\n", r"\[\[camera\]\]", id="no-camera"),
        pytest.param("camera = 3\n", r"\[\[camera\]\]", id="camera-is-no-table"),
        pytest.param('[[camera]]\nname = "a"\n', "a source for camera 'a'", id="no-source"),
        pytest.param("[[camera]]\nsource = 0\nzoom = 2\n", "zoom", id="unknown-key"),
        pytest.param('[[camera]]\nsource = 0\nserve = "0.0.0.0:80"\n', "serve", id="not-of-a-camera"),
        pytest.param('[[camera]]\nsource = 0\ntrack = "yes"\n', "true or false for track", id="flag"),
        pytest.param('[[camera]]\nname = "../x"\nsource = 0\n', "name of letters", id="name"),
        pytest.param('[[camera]]\nname = "a"\nsource = 0\n[[camera]]\nname = "a"\nsource = 1\n', "a twice", id="twice"),
    ],
)
def test_what_is_wrong_is_named(text: str, named: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=named):
        read(tmp_path, text)


def test_model_may_be_missing_nowhere(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a model for"):
        read(tmp_path, "[[camera]]\nsource = 0\n", model="")


def test_a_change_is_seen_and_a_file_that_is_gone_is_none(tmp_path: Path) -> None:
    path = tmp_path / "cameras.toml"
    path.write_text("[[camera]]\nsource = 0\n")
    file = CamerasFile(path, command, SCOPE)
    file.read("cups")
    assert not file.changed()
    new = tmp_path / "new"
    new.write_text("[[camera]]\nsource = 1\n")
    new.replace(path)
    assert file.changed()
    file.read("cups")
    assert not file.changed()
    path.unlink()
    assert not file.changed()

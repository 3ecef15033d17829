from __future__ import annotations

from pathlib import Path

import click
import pytest

from edgecnn.cli.cameras_file import CamerasFile
from edgecnn.cli.wanted import from_file, from_sources, name_of, split_name, unique
from edgecnn.errors import InputError


@click.command()
@click.argument("file")
@click.option("--source", multiple=True)
@click.option("--max-fps", type=click.FloatRange(1))
@click.option("--only")
def command(**_: object) -> None:
    pass


SCOPE = frozenset({"source", "max_fps", "only"})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("door=rtsp://camera/a?b=c", ("door", "rtsp://camera/a?b=c"), id="named"),
        pytest.param("rtsp://camera/a?b=c", ("", "rtsp://camera/a?b=c"), id="address"),
        pytest.param("scene:cups?seed=1", ("", "scene:cups?seed=1"), id="scene"),
        pytest.param("0", ("", "0"), id="number"),
        pytest.param("yard=2", ("yard", "2"), id="named-number"),
    ],
)
def test_a_source_may_have_a_name(text: str, found: tuple[str, str]) -> None:
    assert split_name(text) == found


def test_a_file_with_an_equals_sign_is_that_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a=b.mp4").write_text("")
    assert split_name("a=b.mp4") == ("", "a=b.mp4")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        pytest.param("rtsp://me:secret@camera.lan:554/door", "camera.lan-554", id="host-without-password"),
        pytest.param("rtsp://ann:s3/cr3t@cam/x", "cam", id="password-with-a-slash"),
        pytest.param("0?size=640x480", "camera-0", id="camera-with-options"),
        pytest.param("videos/front door.mp4", "front-door", id="file"),
        pytest.param("3", "camera-3", id="number"),
        pytest.param("scene:cups?seed=4", "scene", id="scene"),
        pytest.param("-", "camera", id="stdin"),
    ],
)
def test_a_source_without_a_name_gets_one(source: str, name: str) -> None:
    assert name_of(source) == name


def test_names_are_unique() -> None:
    assert unique(["a", "a", "b", "a-2", "a"]) == ["a", "a-2", "b", "a-2-2", "a-3"]
    cameras = from_sources(["scene:cups", "scene:cups?seed=2"], Path("cups"), {})
    assert [camera.name for camera in cameras] == ["scene", "scene-2"]


def written(tmp_path: Path, text: str) -> CamerasFile:
    path = tmp_path / "cameras.toml"
    path.write_text(text)
    return CamerasFile(path, command, SCOPE)


def test_the_command_line_holds_where_the_file_does_not_say(tmp_path: Path) -> None:
    file = written(tmp_path, '[[camera]]\nsource = 0\nonly = "cup"\n[[camera]]\nsource = 1\nmodel = "mine"\n')
    first, second = from_file(file, command, Path("cups"), {"only": "bowl", "max_fps": 4.0})
    assert (first.file, first.source, dict(first.values)) == ("cups", "0", {"only": "cup", "max_fps": 4.0})
    assert (second.file, dict(second.values)) == ("mine", {"only": "bowl", "max_fps": 4.0})
    assert first == from_file(file, command, Path("cups"), {"only": "bowl", "max_fps": 4.0})[0]


def test_a_value_out_of_range_names_the_camera(tmp_path: Path) -> None:
    file = written(tmp_path, '[[camera]]\nname = "yard"\nsource = 0\nmax-fps = 0\n')
    with pytest.raises(InputError, match=r"camera 'yard'.*max-fps"):
        from_file(file, command, Path("cups"), {})

from __future__ import annotations

from pathlib import Path

import pytest

from edgecnn.live.camera_names import name_of, split_name, unique


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
        pytest.param("-", "stdin", id="stdin"),
        pytest.param("/", "camera", id="root"),
    ],
)
def test_a_source_without_a_name_gets_one(source: str, name: str) -> None:
    assert name_of(source) == name


def test_names_are_unique() -> None:
    assert unique(["a", "a", "b", "a-2", "a"]) == ["a", "a-2", "b", "a-2-2", "a-3"]


def test_a_folder_called_like_a_number_keeps_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "2024").mkdir()
    assert (name_of("2024"), name_of("2025")) == ("2024", "camera-2025")

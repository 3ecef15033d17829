from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgecnn.errors import InputError
from edgecnn.live.cameras_file import CamerasFile
from edgecnn.live.config import AnalyticsConfig, CameraConfig, OutputConfig
from edgecnn.live.config_fields import options_of
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.pipeline.region_inference import parse_roi
from edgecnn.runtime.steps.line_counter import parse_line
from edgecnn.runtime.steps.zone_counter import parse_zone

DEFAULTS = CameraConfig(model=Path("cups"))


def read(tmp_path: Path, text: str, defaults: CameraConfig = DEFAULTS) -> tuple[CameraConfig, ...]:
    path = tmp_path / "cameras.toml"
    path.write_text(text)
    return CamerasFile(path, defaults).read()


def test_keys_fill_the_configuration(tmp_path: Path) -> None:
    (camera,) = read(
        tmp_path,
        """
        [[camera]]
        name = "door"
        source = 0
        model = "door.onnx"
        max-fps = 7.5
        max-age = "100ms"
        track = false
        motion = true
        only = ["person", "car"]
        roi = [0, 0, 1, 0.5]
        mean = [1, 2, 3]
        size = "240x320"
        labels = ["mug", "cup"]
        segment = "10m"
        out = "door.mp4"
        clip-on = ["line-crossed"]
        clips = "clips"
        """,
    )
    assert camera == CameraConfig(
        name="door",
        source="0",
        model=Path("door.onnx"),
        max_fps=7.5,
        max_age_s=0.1,
        analytics=AnalyticsConfig(track=False, motion=True, only=("person", "car"), roi=parse_roi("0,0,1,0.5")),
        outputs=OutputConfig(out="door.mp4", segment_s=600.0, clips="clips", clip_on=("line-crossed",)),
        card=CardOptions(mean=(1.0, 2.0, 3.0), size=(240, 320), labels=Path("mug,cup")),
    )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("zone = { yard = [0.1, 0.2, 0.9, 0.2, 0.5, 1], gate = [1, 2, 3, 4, 5, 60] }", id="table"),
        pytest.param('zone = ["yard:0.1,0.2,0.9,0.2,0.5,1", "gate:1,2,3,4,5,60"]', id="list"),
    ],
)
def test_lines_and_zones_are_tables_or_texts(text: str, tmp_path: Path) -> None:
    (camera,) = read(tmp_path, f'[[camera]]\nsource = 0\n{text}\nline = "entry:0,0.5,1,0.5"\n')
    assert camera.analytics.zones == (parse_zone("yard:0.1,0.2,0.9,0.2,0.5,1"), parse_zone("gate:1,2,3,4,5,60"))
    assert camera.analytics.lines == (parse_line("entry:0,0.5,1,0.5"),)


def test_what_stands_above_holds_for_all(tmp_path: Path) -> None:
    text = 'track = true\nmax_fps = 5\n[[camera]]\nsource = "a"\n[[camera]]\nsource = "b"\nmax_fps = 9\n'
    first, second = read(tmp_path, text)
    assert (first.name, second.name) == ("camera-1", "camera-2")
    assert (first.source, first.max_fps, first.analytics.track) == ("a", 5.0, True)
    assert (second.source, second.max_fps, second.analytics.track) == ("b", 9.0, True)
    assert first.model == Path("cups")


def test_the_command_line_holds_where_the_file_does_not_say(tmp_path: Path) -> None:
    defaults = CameraConfig(model=Path("cups"), max_fps=4.0, analytics=AnalyticsConfig(only=("bowl",), motion=True))
    text = '[[camera]]\nsource = 0\nonly = "cup"\n[[camera]]\nsource = 1\nmodel = "mine"\nmotion = false\n'
    first, second = read(tmp_path, text, defaults)
    assert (first.model, first.max_fps, first.analytics) == (Path("cups"), 4.0, AnalyticsConfig(only=("cup",), motion=True))
    assert (second.model, second.analytics) == (Path("mine"), AnalyticsConfig(only=("bowl",)))
    assert first == read(tmp_path, text, defaults)[0]


def test_the_file_cannot_replace_the_key_that_the_command_line_requires(tmp_path: Path) -> None:
    for name in ("owner.pub", "other.pub"):
        (tmp_path / name).touch()
    defaults = replace(DEFAULTS, require_signature=tmp_path / "owner.pub")
    text = '[[camera]]\nsource = 0\nmodel = "m.onnx"\nrequire-signature = "{}"\n'
    same = text.format(tmp_path / "owner.pub")
    assert read(tmp_path, same, defaults)[0].require_signature == tmp_path / "owner.pub"
    with pytest.raises(InputError, match="names another key"):
        read(tmp_path, text.format(tmp_path / "other.pub"), defaults)
    assert read(tmp_path, text.format(tmp_path / "other.pub"))[0].require_signature == tmp_path / "other.pub"


def test_an_option_of_the_command_line_may_complete_one_of_the_file(tmp_path: Path) -> None:
    defaults = CameraConfig(model=Path("cups"), outputs=OutputConfig(segment_s=60.0))
    assert read(tmp_path, '[[camera]]\nsource = 0\nout = "v.mp4"\n', defaults)[0].outputs.segment_s == 60.0
    with pytest.raises(InputError, match=r"camera 'camera-1' of .*: --segment does nothing without --out; add --out"):
        read(tmp_path, "[[camera]]\nsource = 0\n", defaults)


def test_passwords_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[[camera]]\nsource = "rtsp://me:${DOOR_PASSWORD}@camera/"\n'
    monkeypatch.setenv("DOOR_PASSWORD", "secret")
    assert read(tmp_path, text)[0].source == "rtsp://me:secret@camera/"
    monkeypatch.delenv("DOOR_PASSWORD")
    with pytest.raises(
        InputError, match=r"camera 'camera-1' of .*: source: the variable DOOR_PASSWORD is not in the environment"
    ):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param("[[camera]\n", r"cameras\.toml is not TOML", id="not-toml"),
        pytest.param("track = true\n", r"cameras\.toml has no tables \[\[camera\]\]", id="no-camera"),
        pytest.param("camera = 3\n", r"has no tables \[\[camera\]\]", id="camera-is-no-table"),
        pytest.param('[[camera]]\nname = "a"\n', "camera 'a' of .*: no source is given", id="no-source"),
        pytest.param(
            "[[camera]]\nsource = 0\nzoom = 2\n", "zoom is not a known key; use one of name, .*max-fps.*zone", id="unknown-key"
        ),
        pytest.param('[[camera]]\nsource = 0\nserve = "0.0.0.0:80"\n', "serve is not a known key", id="not-of-a-camera"),
        pytest.param('[[camera]]\nsource = 0\ntrack = "yes"\n', "track: 'yes' is neither true nor false", id="flag"),
        pytest.param("[[camera]]\nsource = 0\nsize = [240, 320, 3]\n", "size: .* is not a size", id="size"),
        pytest.param('[[camera]]\nname = "../x"\nsource = 0\n', "the name may have letters", id="name"),
        pytest.param('[[camera]]\nsource = ["a", "b"]\n', "source: .* is a list, not one text", id="source-list"),
        pytest.param('name = "a"\n[[camera]]\nsource = 0\n', "name stands above the tables", id="name-above"),
        pytest.param("[[camera]]\nsource = 0\nmax-fps = 1\nmax_fps = 2\n", "max-fps is given twice", id="two-spellings"),
        pytest.param(f"[[camera]]\nsource = {'9' * 5000}\n", "is not TOML: .*digits", id="huge-number"),
        pytest.param("a = " + "[" * 5000, "is nested too deeply|is not TOML", id="deep"),
        pytest.param('[[camera]]\nname = "a"\nsource = 0\n[[camera]]\nname = "a"\nsource = 1\n', "two cameras a", id="twice"),
        pytest.param(
            '[[camera]]\nname = "yard"\nsource = 0\nmax-fps = 0\n', "camera 'yard'.*max-fps: 0 is out of range", id="range"
        ),
    ],
)
def test_what_is_wrong_is_named(text: str, named: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=named):
        read(tmp_path, text)


def test_a_key_of_a_camera_replaces_the_other_spelling_above(tmp_path: Path) -> None:
    (camera,) = read(tmp_path, "max-fps = 1\n[[camera]]\nsource = 0\nmax_fps = 2\n")
    assert camera.max_fps == 2


def test_a_file_in_utf_16_is_read(tmp_path: Path) -> None:
    path = tmp_path / "cameras.toml"
    path.write_text('[[camera]]\nsource = "ö.mp4"\n', encoding="utf-16")
    assert CamerasFile(path, DEFAULTS).read()[0].source == "ö.mp4"
    path.write_bytes(b"\xff\xff")
    with pytest.raises(InputError, match=r"cameras\.toml is not UTF-8 text"):
        CamerasFile(path, DEFAULTS).read()


def test_a_camera_needs_a_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"camera 'camera-1' of .*: no model is given"):
        read(tmp_path, "[[camera]]\nsource = 0\n", CameraConfig())


def test_a_missing_file_is_named() -> None:
    with pytest.raises(InputError, match=r"--cameras: absent\.toml can't be read \(no such file or directory\); check the path"):
        CamerasFile(Path("absent.toml"), DEFAULTS).read()


def test_a_change_is_seen_and_a_file_that_is_gone_is_none(tmp_path: Path) -> None:
    path = tmp_path / "cameras.toml"
    path.write_text("[[camera]]\nsource = 0\n")
    file = CamerasFile(path, DEFAULTS)
    file.read()
    assert not file.changed()
    new = tmp_path / "new"
    new.write_text("[[camera]]\nsource = 1\n")
    new.replace(path)
    assert file.changed()
    file.read()
    assert not file.changed()
    path.unlink()
    assert not file.changed()


@pytest.mark.parametrize("key", [option.name for option in options_of(CameraConfig)])
def test_a_value_of_any_toml_type_is_read_or_refused_with_the_key(key: str, tmp_path: Path) -> None:
    refused: list[str] = []
    for value in ('"odd"', "-1", "0.5", "nan", "true", "[]", "[[1], [2]]", "{ a = 1 }", "{}", "2026-11-27", "10:00:00"):
        own = "" if key == "source" else "source = 0\n"
        text = f"[[camera]]\n{own}{key} = {value}\nout = 'v.mp4'\njsonl = 'x'\nclips = 'c'\nwebhook = 'w'\nsegment = 1\n"
        lines = dict.fromkeys(
            line for line in text.splitlines() if not line.startswith(f"{key} = ") or line == f"{key} = {value}"
        )
        try:
            assert isinstance(read(tmp_path, "\n".join(lines))[0], CameraConfig)
        except InputError as error:
            refused.append(str(error))
    assert [text for text in refused if key not in text and "--no-track" not in text] == []

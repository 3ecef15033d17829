"""ImageFiles, folders, videos and the scene as sources, and what is said when they are not what they should be."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecnn.errors import EdgeCnnError, SourceError
from edgecnn.runtime.sources import Source, open_source
from edgecnn.types import Image
from edgecnn.videos.opencv_logging import silence_video_logs

silence_video_logs()  # before any test opens a video: FFmpeg asks once


def shade(value: int, size: tuple[int, int] = (48, 64)) -> Image:
    return np.full((*size, 3), value, np.uint8)


def write_video(path: Path, frames: int, codec: str = "MJPG", fps: float = 25.0, noise: int = 1) -> Path:
    grain = np.random.default_rng(0).integers(0, noise, (48, 64, 3), np.uint8)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), fps, (64, 48))
    for index in range(frames):
        writer.write(shade(index * 8) + grain)
    writer.release()
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in (1, 2, 10):
        cv2.imwrite(str(tmp_path / f"img{number}.png"), shade(number))
    (tmp_path / "notes.txt").write_text("not an image")
    return tmp_path


def names(source: Source) -> list[str]:
    return [source.title(frame.index) for frame in source]


def test_one_image(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), shade(9))
    source = open_source(tmp_path / "a.png")
    frames = list(source)
    assert [frame.image[0, 0].tolist() for frame in frames] == [[9, 9, 9]]
    assert not source.live


def test_a_gray_image_becomes_three_channels(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), shade(9)[..., 0])
    assert next(iter(open_source(tmp_path / "a.png"))).image.shape == (48, 64, 3)


def test_a_folder_comes_in_the_order_a_person_counts(folder: Path) -> None:
    assert names(open_source(folder)) == ["img1.png", "img2.png", "img10.png"]


def test_a_folder_called_like_a_number_is_no_camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("2024").mkdir()
    cv2.imwrite("2024/a.png", shade(1))
    with open_source("2024") as source:
        assert (source.live, [frame.image.shape for frame in source]) == (False, [(48, 64, 3)])
    assert open_source("2025").live


def test_repeat_plays_a_folder_again_with_indices_that_go_on(folder: Path) -> None:
    source = open_source(folder, repeat=2)
    frames = list(source)
    assert [frame.index for frame in frames] == list(range(6))
    assert source.title(4) == "img2.png"


def test_an_unreadable_image_is_named_and_the_run_goes_on(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (99, 99, 3), np.uint8))[1].tobytes()
    png = (folder / "img2.png").read_bytes()
    (folder / "img3.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "img4.png").write_bytes(png[: len(png) // 2])
    (folder / "img5.png").write_bytes(b"")
    (folder / "img6.jpg").write_text("no image at all")
    (folder / "img7.jpg").write_bytes(whole)
    source = open_source(folder)
    assert names(source) == ["img1.png", "img2.png", "img7.jpg", "img10.png"]
    assert {failure.name: failure.reason for failure in source.failures} == {
        "img3.jpg": "a JPEG that is cut off",
        "img4.png": "a PNG that is cut off",
        "img5.png": "an empty file",
        "img6.jpg": "a file that is no image or is damaged",
    }
    assert capfd.readouterr().err == ""


def test_a_jpeg_with_a_thumbnail_and_something_after_its_end_is_whole(tmp_path: Path) -> None:
    whole = cv2.imencode(".jpg", shade(50))[1].tobytes()
    thumbnail = b"\xff\xe1" + (2 + len(whole)).to_bytes(2, "big") + whole
    (tmp_path / "motion.jpg").write_bytes(whole[:2] + thumbnail + whole[2:] + b"\xff\xda film" * 9)
    (tmp_path / "cut.jpg").write_bytes(whole[:2] + thumbnail + whole[2:-40])
    source = open_source(tmp_path)
    assert names(source) == ["motion.jpg"]
    assert [failure.name for failure in source.failures] == ["cut.jpg"]


def test_a_folder_without_one_readable_image_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no")
    (tmp_path / "b.png").write_text("no")
    with pytest.raises(SourceError, match=r"none of its 2 images can be read, a\.png: a file that is no image"):
        list(open_source(tmp_path))


def test_failures_of_an_endless_run_do_not_pile_up_nor_end_it(folder: Path) -> None:
    (folder / "img0.png").write_text("no")
    source = open_source(folder, repeat=0)
    frames = iter(source)
    for _ in range(30):
        next(frames)
    assert source.failed == 10
    assert len(source.failures) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda path: None, "does not exist; check the path, or name an image, a folder", id="missing"),
        pytest.param(lambda path: path.mkdir(), r"among 0 entries; name a folder with images", id="empty folder"),
        pytest.param(lambda path: path.write_bytes(b""), "an empty file", id="empty file"),
        pytest.param(
            lambda path: path.write_text("no video, a text\n" * 99),
            "can't be read as a video|no frame that can be read",
            id="text",
        ),
        pytest.param(
            lambda path: path.write_bytes(os.urandom(9999)), "can't be read as a video|no frame that can be read", id="noise"
        ),
    ],
)
def test_what_is_no_source_is_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], make: Callable[[Path], Any], message: str
) -> None:
    make(tmp_path / "source.mp4")
    with pytest.raises(SourceError, match=message) as caught:
        list(open_source(tmp_path / "source.mp4"))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_image_without_permission_is_named(folder: Path) -> None:
    (folder / "img2.png").chmod(0)
    source = open_source(folder)
    list(source)
    assert [failure.reason for failure in source.failures] == ["Permission denied"]


def test_video_frames_in_order(tmp_path: Path) -> None:
    source = open_source(write_video(tmp_path / "v.avi", 5))
    frames = list(source)
    assert [round(frame.image.mean() / 8) for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    assert (source.fps, source.live, source.notes) == (25.0, False, [])


def test_a_repeated_video_counts_on(tmp_path: Path) -> None:
    frames = list(open_source(write_video(tmp_path / "v.mp4", 4, "mp4v"), repeat=3))
    assert [frame.index for frame in frames] == list(range(12))


def test_a_video_that_ends_early_is_told_and_is_no_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write_video(tmp_path / "v.avi", 20, noise=90)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    source = open_source(path, repeat=2)
    assert 10 < len(list(source)) < 30
    assert len(source.notes) == 1
    assert source.notes[0].startswith("v.avi ends early: its header says 20 frames, ")
    assert capfd.readouterr().err == ""


def test_a_truncated_mp4_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write_video(tmp_path / "v.mp4", 20, "mp4v")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(SourceError, match="can't be read as a video"):
        list(open_source(path))
    assert capfd.readouterr().err == ""


def test_a_paced_video_is_live_and_plays_no_faster_than_its_rate(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.avi", 6, fps=50.0)
    started = time.perf_counter()  # not the first frame: a busy machine may give it late, the others are due at their own times
    source = open_source(path, paced=True)
    assert source.live
    captured = [frame.captured_at for frame in source]
    assert len(captured) == 6
    assert all(moment - started >= index / 50 - 0.001 for index, moment in enumerate(captured))


def test_closing_ends_a_source_from_another_thread_even_while_it_waits(tmp_path: Path) -> None:
    source = open_source(write_video(tmp_path / "v.avi", 3, fps=1.0), paced=True)
    frames = iter(source)
    next(frames)
    started = time.perf_counter()
    source.close()
    assert list(frames) == []
    assert time.perf_counter() - started < 0.9


def test_the_scene_is_a_camera() -> None:
    source = open_source("scene:cups?fps=200&size=96x64&count=5")
    frames = list(source)
    assert source.live
    assert source.fps == 200
    assert frames[0].image.shape == (64, 96, 3)
    assert [frame.index for frame in frames] == sorted({frame.index for frame in frames})


def test_the_scene_unpaced_gives_every_frame() -> None:
    source = open_source("scene:cups?fps=200&size=96x64&count=4", paced=False)
    assert not source.live
    assert [frame.index for frame in source] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        pytest.param("scene:kitchen", "scene", id="unknown scene"),
        pytest.param("scene:cups?colour=red", "colour", id="unknown knob"),
        pytest.param("gopher://host/x", "gopher:// is not a known kind of address; use one of rtsp", id="unknown scheme"),
        pytest.param("97", "camera 97 at /dev/video97", id="camera not there"),
        pytest.param("/dev/video97", "camera 97 at /dev/video97", id="device not there"),
    ],
)
def test_unknown_sources_are_one_line(uri: str, message: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(EdgeCnnError, match=message) as caught:
        list(open_source(uri))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_a_live_source_can_not_be_repeated() -> None:
    with pytest.raises(SourceError, match=r"--repeat: .* never ends; leave --repeat out"):
        open_source("0", repeat=2)


@pytest.mark.parametrize("wrong", [{"timeout": 0.0}, {"repeat": -1}], ids=str)
def test_wrong_numbers_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="timeout must be above 0 and repeat 0 or more"):
        open_source("0", **wrong)


def test_images_of_kinds_that_can_not_be_read_are_counted(folder: Path) -> None:
    for name in ("a.heic", "b.HEIC", "c.tga", "._d.heic"):
        (folder / name).write_bytes(b"x")
    source = open_source(folder)
    assert names(source) == ["img1.png", "img2.png", "img10.png"]
    assert source.notes == [f"{folder}: left out 2 .heic, 1 .tga: kinds of images that can't be read"]
    with pytest.raises(SourceError, match=r"c\.tga is an image of a kind that can't be read; convert it to PNG or JPEG"):
        open_source(folder / "c.tga")


@pytest.mark.parametrize("name", ["a.JPG", "a.jfif", "a.jpe", "a.ppm", "a.pgm", "a.gif", "a.dib"])
def test_suffixes_of_images(tmp_path: Path, name: str) -> None:
    suffix = {".jpg": ".jpg", ".jfif": ".jpg", ".jpe": ".jpg", ".dib": ".bmp"}.get(Path(name).suffix.lower(), Path(name).suffix)
    image = shade(9)[..., 0] if suffix == ".pgm" else shade(9)
    (tmp_path / name).write_bytes(cv2.imencode(suffix, image)[1].tobytes())
    for source in (open_source(tmp_path), open_source(tmp_path / name)):
        assert [frame.image.shape for frame in source] == [(48, 64, 3)]

"""Videos as other people's devices and programs write them: their own times, sizes, pixel formats, stamps that start again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("av", reason="such videos are made with PyAV: the extra video")
pytest.importorskip("lap", reason="boxes are tracked with lapx: the extra live")

import av

from edgecnn.errors import SourceError
from edgecnn.images.header import UnreadableImage
from edgecnn.runtime.pipeline.camera_stream import CameraSetup
from edgecnn.runtime.pipeline.multi_camera import MultiCamera
from edgecnn.runtime.sources import open_source
from edgecnn.runtime.steps import Step
from edgecnn.runtime.steps.clock import clock_of
from edgecnn.runtime.steps.tracker import Tracker
from edgecnn.runtime.steps.zone_counter import ZoneCounter, parse_zone
from edgecnn.runtime.testing import FakePredictor
from edgecnn.types import Detections, Image, Result
from edgecnn.videos.media_clock import MediaClock
from edgecnn.videos.opencv_capture import OpenCvCapture
from edgecnn.videos.opencv_capture import open_file as open_by_opencv

MILLISECONDS = Fraction(1, 1000)
_OPTIONS = {"libx264": {"preset": "ultrafast", "tune": "zerolatency"}}
REGULAR = [40 * n for n in range(10)]


def shade(value: int, size: tuple[int, int]) -> Image:
    return np.full((*size, 3), value, np.uint8)


def record(
    path: Path,
    stamps: Sequence[int] = REGULAR,
    codec: str = "ffv1",
    pixels: str = "yuv420p",
    *,
    size: tuple[int, int] = (48, 64),
    images: Sequence[Image] | None = None,
    shift: int = 0,
    audio_s: int = 0,
    options: dict[str, str] | None = None,
) -> Path:
    """A video with these time stamps in milliseconds, frame n as grey as 20 n; ``audio_s`` seconds of silence come first."""
    with av.open(str(path), "w") as out:
        sound = out.add_stream("aac", rate=8000) if audio_s else None
        stream = out.add_stream(codec, rate=25, options=_OPTIONS.get(codec, {}) | (options or {}))
        stream.width, stream.height, stream.pix_fmt = size[1], size[0], pixels
        stream.codec_context.time_base = MILLISECONDS
        if sound is not None:
            for number in range(audio_s * 8):
                silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
                silence.sample_rate, silence.pts = 8000, number * 1024
                out.mux(sound.encode(silence))
        for index, stamp in enumerate(stamps):
            image = shade(index % 12 * 20, size) if images is None else images[index]
            frame = av.VideoFrame.from_ndarray(image, "bgr24").reformat(format=pixels)
            frame.pts, frame.time_base = stamp, MILLISECONDS
            write(out, stream.encode(frame), shift)
        write(out, stream.encode(None), shift)
    return path


def write(out: av.container.OutputContainer, packets: list[av.Packet], shift: int) -> None:
    for packet in packets:
        if packet.pts is not None and packet.dts is not None:
            packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
        out.mux(packet)


def media_times(path: Path) -> list[float]:
    return [frame.media_time or 0.0 for frame in open_source(path)]


def by_opencv(path: Path) -> tuple[OpenCvCapture, list[float | None]]:
    capture = open_by_opencv(str(path), 5)
    assert capture is not None
    times = []
    while capture.grab():
        times.append(capture.time)
    return capture, times


@pytest.mark.parametrize(
    ("name", "make"),
    [
        pytest.param("v.mkv", lambda path: record(path, shift=5000), id="the first stamp is 5 s"),
        pytest.param("v.ts", lambda path: record(path, codec="libx264", shift=5000), id="transport stream"),
        pytest.param("v.mp4", lambda path: record(path, codec="mpeg4", shift=5000), id="MP4 that begins later"),
        pytest.param("v.mkv", lambda path: record(path, audio_s=3), id="audio comes first and is longer"),
        pytest.param("v.avi", lambda path: record(path, codec="mjpeg", pixels="yuvj420p"), id="AVI with dropped frames"),
    ],
)
def test_times_begin_at_the_first_frame_and_the_file_is_whole(tmp_path: Path, name: str, make: Callable[[Path], Path]) -> None:
    source = open_source(make(tmp_path / name))
    times = [stamp / 1000 for stamp in REGULAR]
    assert [frame.media_time for frame in source] == pytest.approx(times, abs=2e-3)
    assert source.notes == []
    capture, read = by_opencv(tmp_path / name)
    assert read == pytest.approx(times, abs=2e-3)
    assert capture.missing() is None


@pytest.mark.parametrize("size", [(47, 63), (1, 1), (2, 300)], ids=str)
def test_odd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    frames = list(open_source(record(tmp_path / "v.mkv", pixels="bgr0", size=size)))
    assert [frame.image.shape for frame in frames] == [(*size, 3)] * 10
    assert [round(frame.image.mean() / 20) for frame in frames] == list(range(10))


@pytest.mark.parametrize(
    ("codec", "pixels", "suffix"),
    [
        ("ffv1", "yuv420p10le", ".mkv"), ("ffv1", "yuva420p", ".mkv"), ("ffv1", "gray", ".mkv"), ("ffv1", "gray16le", ".mkv"),
        ("ffv1", "gbrp16le", ".mkv"), ("ffv1", "yuv444p", ".mkv"), ("qtrle", "argb", ".mov"), ("mjpeg", "yuvj422p", ".avi"),
    ],
)  # fmt: skip
def test_pixel_formats_become_bgr(tmp_path: Path, codec: str, pixels: str, suffix: str) -> None:
    frames = list(open_source(record(tmp_path / f"v{suffix}", codec=codec, pixels=pixels)))
    assert [round(frame.image.mean() / 20) for frame in frames] == list(range(10))


def test_interlaced_video(tmp_path: Path) -> None:
    path = record(tmp_path / "v.mp4", codec="libx264", options={"flags": "+ildct+ilme"})
    assert media_times(path) == pytest.approx([stamp / 1000 for stamp in REGULAR], abs=2e-3)


def test_times_go_on_where_stamps_start_again(tmp_path: Path) -> None:
    """Two recordings one after the other, as some recorders join them."""
    part = record(tmp_path / "part.ts", codec="libx264").read_bytes()
    (tmp_path / "v.ts").write_bytes(part * 2)
    times = media_times(tmp_path / "v.ts")
    assert times == pytest.approx([n * 0.04 for n in range(20)], abs=2e-3)
    _, read = by_opencv(tmp_path / "v.ts")
    assert read == pytest.approx(times, abs=2e-3)


@pytest.mark.parametrize(
    ("stamps", "times"),
    [
        pytest.param([5.0, 5.1, 5.3], [0.0, 0.1, 0.3], id="offset"),
        pytest.param([None, None, None], [0.0, 0.04, 0.08], id="none"),
        pytest.param([7.0, None, 7.08], [0.0, 0.04, 0.08], id="one is missing"),
        pytest.param([None, 9.0, 9.5], [0.0, 0.04, 0.54], id="the first is missing"),
        pytest.param([5.0, 5.1, 0.0, 0.5], [0.0, 0.1, 0.14, 0.64], id="the clock was set back"),
        pytest.param([5.0, 5.0, 5.04], [0.0, 0.0, 0.04], id="twice the same"),
    ],
)
def test_the_clock_of_a_file(stamps: list[float | None], times: list[float]) -> None:
    clock = MediaClock()
    assert [clock.time(stamp, 0.04) for stamp in stamps] == pytest.approx(times)


def test_an_animated_gif_is_a_video_and_a_still_one_an_image(tmp_path: Path) -> None:
    record(tmp_path / "moving.gif", codec="gif", pixels="rgb8")
    record(tmp_path / "still.gif", [0], codec="gif", pixels="rgb8")
    assert media_times(tmp_path / "moving.gif") == pytest.approx([stamp / 1000 for stamp in REGULAR], abs=0.011)
    assert [frame.media_time for frame in open_source(tmp_path / "still.gif")] == [None]
    assert [source_frame.image.shape for source_frame in open_source(tmp_path)] == [(48, 64, 3)] * 2


@pytest.mark.parametrize("name", ["notes.txt", "README", "model.onnx", "page.html"])
def test_a_text_is_no_video(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("some words, no video\n" * 50)
    with pytest.raises(SourceError, match="can't be read as a video; check it, or name an image or a video"):
        list(open_source(tmp_path / name))


def test_a_table_is_a_signal(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("1,2\n3,4\n")
    with pytest.raises(SourceError, match="only a model of the task signal can read"):
        list(open_source(tmp_path / "table.csv"))


def test_a_video_under_another_name_is_read(tmp_path: Path) -> None:
    record(tmp_path / "v.mkv").rename(tmp_path / "recording.dat")
    assert len(media_times(tmp_path / "recording.dat")) == 10


def test_frames_larger_than_the_limit_are_refused(tmp_path: Path) -> None:
    path = record(tmp_path / "v.mkv")
    assert len(list(open_source(path, max_image_pixels=48 * 64))) == 10
    with pytest.raises(SourceError, match=r"v\.mkv: 64 x 48 pixels are more than the limit of 3,071 \(--max-image-pixels"):
        list(open_source(path, max_image_pixels=48 * 64 - 1))
    with pytest.raises(UnreadableImage, match="64 x 48 pixels are more"):
        open_by_opencv(str(path), 5, 48 * 64 - 1)


def test_a_paced_video_keeps_the_times_of_its_frames(tmp_path: Path) -> None:
    """Not those of a constant rate: the last frame is shown 0.5 s after the others."""
    started = time.perf_counter()
    frames = list(open_source(record(tmp_path / "v.mkv", [0, 10, 20, 30, 530]), paced=True))
    for frame, stamp in zip(frames, [0.0, 0.01, 0.02, 0.03, 0.53], strict=True):
        assert frame.captured_at - started >= stamp - 1e-3


# what follows the times of frames

ARRIVES, LEAVES = 2040, 5760
IRREGULAR = sorted({*range(0, 2000, 170), *range(2040, 2200, 40), *range(2200, 5760, 330), 5720, 5760, *range(5800, 9000, 250)})


def squares(stamps: Sequence[int]) -> list[Image]:
    images = [shade(0, (96, 128)) for _ in stamps]
    for image, stamp in zip(images, stamps, strict=True):
        if ARRIVES <= stamp <= LEAVES:
            image[30:60, 40:80] = 255
    return images


def find_square(image: Image) -> Detections:
    x, y, w, h = cv2.boundingRect((image[..., 1] > 128).astype(np.uint8))
    found = 1 if w else 0
    boxes = np.array([[x, y, x + w, y + h]][:found], np.float32).reshape(-1, 4)
    return Detections(boxes, np.full(found, 0.9, np.float32), np.zeros(found, np.int64))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    path = tmp_path_factory.mktemp("irregular") / "v.mkv"
    source = open_source(record(path, IRREGULAR, pixels="bgr0", size=(96, 128), images=squares(IRREGULAR)))
    clock = clock_of(source)
    zone = ZoneCounter([parse_zone("all:0,0,1,0,1,1,0,1")], ("thing",), clock=clock)
    steps: list[Step] = [Tracker(clock=clock), zone]
    setup = CameraSetup(name="yard", source=source, predictor=FakePredictor(find_square), policy="all", steps=steps)
    with MultiCamera([setup]) as cameras:
        return list(cameras)


def test_each_result_has_the_time_of_its_frame(results: list[Result]) -> None:
    assert [result.frame.media_time for result in results] == pytest.approx([stamp / 1000 for stamp in IRREGULAR], abs=1e-3)


def test_an_object_dwells_as_long_as_it_is_seen(results: list[Result]) -> None:
    events = [event for result in results for event in result.events]
    assert [event.kind for event in events] == ["zone-entered", "zone-left"]
    assert events[1].details["dwell_s"] == pytest.approx((LEAVES - ARRIVES) / 1000, abs=0.05)


def test_one_track_lasts_while_frames_are_far_apart(results: list[Result]) -> None:
    ids = [result.prediction.track_id for result in results if isinstance(result.prediction, Detections)]
    assert {int(number) for found in ids if found is not None for number in found} == {1}

"""Whatever is given as a source is opened, or refused in one line."""

from __future__ import annotations

import os
import random
import tempfile
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("httpx", reason="http:// cameras are read by httpx: the extra live")

from edgecnn.errors import EdgeCnnError, SourceError
from edgecnn.runtime.sources import open_source
from edgecnn.runtime.sources.redact import redact_address

SEEDS = [
    "http://user:secret@127.0.0.1:9/video?channel=1&key=abc", "https+insecure://127.0.0.1:9/x", "rtsp://u:p@127.0.0.1:9/a", "rtspu://[::1]:9/",
    "udp://@:5000", "gst:videotestsrc ! appsink", "ffmpeg:srt://127.0.0.1:9", "scene:cups?size=64x48&count=2", "0?size=640x480&fps=30",
    "/dev/video9", "images/*.jpg", "day/**/*.png", "frame_%04d.png", "a.mp4", "${NAME}", "[a-",
]  # fmt: skip
LETTERS = [*"/:?&=@%[]{}$*!#\\ \t\n\0.-_09az", "\ud800", "\udcff", "é", "²", "٣", "\u202e", "://", "%04d", "${A}", "**", "?size="]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("a\0b.png", r"^a\\x00b\.png contains a zero byte; check the path", id="NUL"),
        pytest.param("a\ud800.png", r"holds a character that no path", id="half a character"),
        pytest.param("rtsp://10.0.0.7/a\n", r"^the source rtsp://10\.0\.0\.7/a\\n holds a character", id="line break"),
        pytest.param("scene:cups\n", r"^the source scene:cups\\n holds a character", id="scene with a line break"),
        pytest.param("a" * 5000, r"^a{300}\.\.\. can't be opened: file name too long; check the path$", id="long name"),
        pytest.param("9" * 5000, r"^9{300}\.\.\. can't be opened: file name too long; check the path$", id="long number"),
        pytest.param("/dev/" + "v" * 300, r"does not exist, there is", id="long device"),
        pytest.param("٣", r"^٣ does not exist; check the path", id="a digit of another script"),
        pytest.param("frame_%099999999999d.png", r"does not exist; check the path", id="many digits"),
        pytest.param("http://[::1", r"is not a valid address; write it as http://", id="half a bracket"),
        pytest.param("http://\ud800/", r"holds a character that no path", id="host with half a character"),
    ],
)
def test_what_is_no_source_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EdgeCnnError, match=said) as caught:
        list(open_source(text, timeout=0.1))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 800


def test_a_file_may_have_a_line_break_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "a\nb.mp4").write_text("no video")
    with pytest.raises(SourceError, match=r"a\\nb\.mp4 can't be read as a video"):
        list(open_source(tmp_path / "a\nb.mp4"))


def test_mutated_addresses_are_opened_or_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = random.Random(0)
    refused = 0
    for _ in range(2000):
        text = rng.choice(SEEDS)
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(len(text) + 1)
            text = text[:at] + rng.choice(LETTERS) + text[at + rng.randint(0, 2) :]
        assert "\n" not in redact_address(text)
        with suppress(SourceError, EdgeCnnError):
            refused += 1
            name = open_source(text, timeout=0.1).name
            refused -= 1
            assert name.isprintable()
    assert 200 < refused < 1990


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="no /dev/shm")
def test_a_file_in_shared_memory_is_no_camera() -> None:
    with tempfile.NamedTemporaryFile(dir="/dev/shm", suffix=".png") as file:
        cv2.imwrite(file.name, np.zeros((8, 8, 3), np.uint8))
        assert not open_source(file.name).live

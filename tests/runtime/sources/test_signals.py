"""Signals as sources: files and a serial line."""

from __future__ import annotations

import os
import threading
import time
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess, SignalInput
from edgecnn.errors import InputError, SourceError
from edgecnn.runtime.sources import open_source
from edgecnn.runtime.sources.signals import SerialLine, SignalFile, SignalSource
from edgecnn.types import Frame


def card(channels: tuple[str, ...] = ("a", "b"), rate_hz: float = 100.0, length: int = 8, hop: int = 4) -> ModelCard:
    signal = SignalInput(rate_hz, hop, channels)
    preprocess = Preprocess((len(channels), length), color="gray", signal=signal)
    return ModelCard(name="s", task="signal", labels=("x",), preprocess=preprocess, decode=Decode("window-softmax"))


def opened(text: str, of: ModelCard | None = None, **options: Any) -> SignalSource:
    source = open_source(text, **options)
    assert isinstance(source, SignalSource)
    source.fit(of or card())
    return source


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.csv"
    rows = [f"{index * 0.01:.2f},{index % 3},{index % 5}" for index in range(22)]
    path.write_text("\n".join(["time,a,b", *rows]))
    return path


def test_windows_of_a_csv_file_are_frames_with_their_time(log: Path) -> None:
    frames = list(opened(str(log)))
    assert [frame.media_time for frame in frames] == pytest.approx([0.0, 0.04, 0.08, 0.12])
    assert frames[0].image.shape == (2, 8, 3)
    assert not np.array_equal(frames[0].image[0], frames[0].image[1])


def test_columns_and_rate_are_options_of_the_address(log: Path) -> None:
    swapped = list(opened(f"{log}?columns=b,a&rate=100", card(("b", "a"))))
    assert np.array_equal(swapped[0].image[0], next(iter(opened(str(log)))).image[1])
    with pytest.raises(SourceError, match="50 samples a second, but the model needs 100"):
        list(opened(f"{log}?rate=50"))
    with pytest.raises(SourceError, match="not known"):
        open_source(f"{log}?speed=1")


def test_a_wav_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "hum.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(100)
        file.writeframes((1000 * np.sin(np.arange(40))).astype("<i2").tobytes())
    assert len(list(opened(str(path), card(("mono",))))) == 9


def test_a_signal_too_short_and_a_model_of_images_are_refused(log: Path) -> None:
    with pytest.raises(SourceError, match="has 22 samples, but a window of the model has 64"):
        list(opened(str(log), card(length=64)))
    images = ModelCard(name="i", task="classify", labels=("x",), preprocess=Preprocess((8, 8)), decode=Decode("softmax"))
    with pytest.raises(InputError, match="is a signal, but the model i is for images"):
        opened(str(log), images)


def test_lines_of_a_serial_port_become_windows() -> None:
    pytest.importorskip("serial")
    master, slave = os.openpty()
    source = opened(f"serial:{os.ttyname(slave)}?baud=9600", card(hop=8))
    assert isinstance(source, SerialLine)
    frames: list[Frame] = []
    ready = threading.Event()

    def read() -> None:
        for frame in source:
            frames.append(frame)
            ready.set()
            source.close()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    lines = b"5,\n" + b"".join(b"%d; %d\r\n" % (index, -index) for index in range(4)) + b"noise\n"
    lines += b"".join(b"%d %d\n" % (index, -index) for index in range(4, 30))
    until = time.monotonic() + 20
    while not ready.is_set() and time.monotonic() < until:  # what is written before the port is open may be lost
        os.write(master, lines)
        ready.wait(0.2)
    reader.join(10)
    os.close(master)
    os.close(slave)
    assert frames[0].image.shape == (2, 8, 3)
    assert frames[0].media_time is None
    assert source.failed >= 1
    assert "'noise' is not 2 numbers" in source.failures[-1].reason or source.failures


def test_a_serial_port_that_is_not_there_is_named() -> None:
    pytest.importorskip("serial")
    with pytest.raises(SourceError, match="serial:/dev/nothing can't be opened"):
        list(opened("serial:/dev/nothing"))
    with pytest.raises(SourceError, match="not the address of a serial port"):
        open_source("serial:/dev/ttyUSB0?speed=1")


def test_a_file_is_read_as_fast_as_possible(log: Path) -> None:
    assert isinstance(open_source(str(log)), SignalFile)
    assert not open_source(str(log)).live

"""Signals as sources of frames: each window of a CSV file, a WAV file or a serial line is a frame with one row for each channel."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np

from edgecnn.card import ModelCard, SignalInput
from edgecnn.errors import InputError, MissingExtraError, SourceError
from edgecnn.runtime.sources.base import Pacer, SilenceError, Source
from edgecnn.signals.csv_file import read_csv
from edgecnn.signals.recording import Recording, windows
from edgecnn.signals.wav_file import is_wav, read_wav
from edgecnn.signals.window_image import to_image
from edgecnn.types import Float32, Frame

SERIAL = "serial:"
BAUD = 115200


class SignalSource(Source):
    """A stream of samples that is cut into the windows of a model, which ``fit`` names before the first frame."""

    _signal: SignalInput
    _length = 0  # of a window; 0 until ``fit``

    def fit(self, card: ModelCard) -> None:
        """Cut the stream as the model of ``card`` needs it; raises ``InputError`` where that is no model of signals."""
        signal = card.preprocess.signal
        if signal is None:
            problem = f"{self.name} is a signal, but the model {card.name} is for images"
            raise InputError(problem, "name a model of the task signal, or a camera, image or video as --source")
        self._signal, self._length = signal, card.preprocess.size[1]
        self._hop = signal.hop
        self._keep_rate(signal.rate_hz)

    def _keep_rate(self, rate_hz: float | None) -> None:
        """Give the windows their times by this sample rate; none where it is not known."""
        self._rate_hz = rate_hz or 0.0
        self.fps = self._rate_hz / self._hop if self._rate_hz else None

    @abstractmethod
    def _chunks(self) -> Iterator[Float32]:
        """The samples (n, C) in the model's order of channels."""

    def _frames(self) -> Generator[Frame, None, None]:
        if not self._length:
            raise SourceError(f"{self.name} is a signal, which only a model of the task signal can read", "name such a model")
        for index, (start, window) in enumerate(windows(self._chunks(), self._length, self._hop)):
            at = start / self._rate_hz if self._rate_hz else None
            if not self._wait(index):
                return
            yield Frame(index, time.perf_counter(), to_image(window), None if self.live else at)

    def _wait(self, index: int) -> bool:
        return not self._closed.is_set()


class SignalFile(SignalSource):
    """The windows of a CSV or WAV file, as fast as they are read or, if ``paced``, as fast as they were recorded."""

    def __init__(self, path: Path, query: str = "", *, paced: bool = False) -> None:
        super().__init__(path.name)
        self._path, self._paced = path, paced
        self._columns, self._given_rate = _file_options(query)
        self._pacer: Pacer | None = None

    def _chunks(self) -> Iterator[Float32]:
        recording = self._read()
        if len(recording.samples) < self._length:
            problem = f"{self._path} has {len(recording.samples)} samples, but a window of the model has {self._length}"
            raise SourceError(problem, "record a longer signal")
        yield recording.samples

    def _read(self) -> Recording:
        try:
            found = read_wav(self._path) if is_wav(self._path) else read_csv(self._path, self._columns, self._given_rate)
            if self._signal.rate_hz:
                found.check_rate(self._signal.rate_hz, self._path.name)
            else:
                self._keep_rate(found.rate_hz)
            return found.pick(self._signal.channels, self._path.name)
        except InputError as error:
            raise SourceError(error.problem, error.fix) from error

    def _wait(self, index: int) -> bool:
        if self._paced and self.fps:
            self._pacer = self._pacer or Pacer(self.fps, self._closed)
            self._pacer.wait(index)
        return super()._wait(index)


class SerialLine(SignalSource):
    """Lines of numbers from a serial port, one sample a line, divided by commas, semicolons, tabs or spaces.

    Lines that are not numbers for all channels are counted as failed, the first one excepted, which may be cut off.
    Raises ``MissingExtraError`` without pyserial.
    """

    def __init__(self, address: str, *, timeout: float = 5.0) -> None:
        self._port, baud = _port(address)
        super().__init__(f"{SERIAL}{self._port}", live=True, timeout=timeout)
        self._baud = baud

    def _chunks(self) -> Iterator[Float32]:
        serial = _pyserial()
        try:
            port = serial.Serial(self._port, self._baud, timeout=0.1)
        except (serial.SerialException, OSError, ValueError) as error:
            raise SourceError(f"{self.name} can't be opened: {error}", "check the port, its permissions and ?baud=") from error
        try:
            yield from self._lines(port, serial)
        finally:
            port.close()

    def _lines(self, port: Any, serial: Any) -> Iterator[Float32]:
        rest, first, last = b"", True, time.perf_counter()
        while not self._closed.is_set():
            try:
                data: bytes = port.read(max(port.in_waiting, 1))
            except (serial.SerialException, OSError) as error:
                raise SourceError(f"{self.name} broke: {error}", "check the cable") from error
            if not data:
                if time.perf_counter() - last > self.timeout:
                    raise SilenceError(f"{self.name} sent nothing for {self.timeout:g} s", "check the device and ?baud=")
                continue
            last = time.perf_counter()
            *lines, rest = (rest + data).split(b"\n")
            samples = [self._sample(line, first=first and not index) for index, line in enumerate(lines)]
            first = first and not lines
            found = [sample for sample in samples if sample is not None]
            if found:
                yield np.array(found, np.float32)

    def _sample(self, line: bytes, *, first: bool) -> list[float] | None:
        text = line.decode("ascii", "replace").strip()
        try:
            values = [float(part) for part in text.replace(",", " ").replace(";", " ").split()]
        except ValueError:
            values = []
        if len(values) == len(self._signal.channels) and np.isfinite(values).all():
            return values
        if text and not first:
            self.fail("a line", f"{text[:40]!r} is not {len(self._signal.channels)} numbers")
        return None


def _port(address: str) -> tuple[str, int]:
    port, _, query = address.removeprefix(SERIAL).partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    baud = options.pop("baud", str(BAUD))
    if not port or options or not baud.isdecimal() or not int(baud):
        raise SourceError(f"{address} is not the address of a serial port", "write it as serial:/dev/ttyUSB0?baud=115200")
    return port, int(baud)


def _pyserial() -> Any:
    try:
        import serial
    except ModuleNotFoundError as error:
        raise MissingExtraError("pyserial", "signal") from error
    return serial


def split_address(text: str) -> tuple[Path, str]:
    """The path of a signal file, and the options after a question mark."""
    if Path(text).exists():
        return Path(text), ""
    path, _, query = text.partition("?")
    return Path(path), query


def _file_options(query: str) -> tuple[tuple[str, ...], float | None]:
    options = dict(parse_qsl(query.replace("+", "%2B"), keep_blank_values=True))
    columns = tuple(part for part in options.pop("columns", "").split(",") if part)
    rate = options.pop("rate", "")
    try:
        hertz = float(rate) if rate else None
    except ValueError:
        hertz = -1.0
    if options or (hertz is not None and not hertz > 0):
        raise SourceError(f"?{query} of a signal file is not known", "use ?columns=NAME,NAME and ?rate=SAMPLES_PER_SECOND")
    return columns, hertz

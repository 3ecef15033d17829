"""Reads sound from WAV files: PCM of 8, 16, 24 or 32 bits."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from edgecnn.errors import InputError
from edgecnn.signals.recording import Recording, default_channel
from edgecnn.types import Float32

MOST_BYTES = 1 << 30


def read_wav(path: Path) -> Recording:
    """The sound of a WAV file in -1..1, one column per channel.

    Raises ``InputError`` for a file that is no PCM WAV, is cut off in its header, or has more than 1 GiB.
    """
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, rate, frames = file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes()
            if frames * channels * width > MOST_BYTES:
                raise InputError(f"{path} is larger than {MOST_BYTES >> 30} GiB", "divide it")
            data = file.readframes(frames)
    except (wave.Error, EOFError) as error:
        reason = str(error) or "the file is cut off"
        raise InputError(f"can't read the sound {path}: {reason}", "convert it: ffmpeg -i IN -c:a pcm_s16le OUT.wav") from error
    except OSError as error:
        raise InputError(f"can't read {path}: {(error.strerror or str(error)).lower()}", "check the path") from error
    if not rate or not channels:
        raise InputError(f"can't read the sound {path}: it has {channels} channels at {rate} Hz", "record it again")
    values = _decoded(data[: len(data) // (channels * width) * channels * width], width)
    return Recording(values.reshape(-1, channels), float(rate), tuple(default_channel(index) for index in range(channels)))


def _decoded(data: bytes, width: int) -> Float32:
    """Little-endian integers of ``width`` bytes as -1..1; 8 bits are unsigned by the format."""
    if width == 1:
        levels: Float32 = np.frombuffer(data, np.uint8).astype(np.float32)
        return np.asarray((levels - 128) / 128, np.float32)
    if width == 3:
        whole = np.zeros((len(data) // 3, 4), np.uint8)
        whole[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)  # the lowest byte is zero: a number of 32 bits
        data, width = whole.tobytes(), 4
    integers = np.frombuffer(data, f"<i{width}").astype(np.float64)
    values: Float32 = (integers / 2 ** (8 * width - 1)).astype(np.float32)
    return values


def is_wav(path: Path) -> bool:
    """Whether a file begins like a WAV file."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    return head[:4] == b"RIFF" and head[8:] == b"WAVE"

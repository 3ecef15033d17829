"""Signals in CSV and WAV files."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from edgecnn.errors import InputError
from edgecnn.signals.csv_file import read_csv
from edgecnn.signals.wav_file import is_wav, read_wav


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_time_column_gives_the_rate_and_is_no_channel(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "time_s,ax,ay\n0.000,1,2\n0.004,3,4\n0.008,5,6\n")
    found = read_csv(path)
    assert found.channels == ("ax", "ay")
    assert found.rate_hz == pytest.approx(250)
    assert found.samples.tolist() == [[1, 2], [3, 4], [5, 6]]


@pytest.mark.parametrize("mark", [",", ";", "\t", " "])
def test_columns_are_divided_by_any_usual_mark(tmp_path: Path, mark: str) -> None:
    path = write(tmp_path / "a.csv", f"# a comment\n\n1{mark}2\n3{mark}4\n")
    found = read_csv(path, rate_hz=10)
    assert found.samples.tolist() == [[1, 2], [3, 4]]
    assert found.channels == ("ch0", "ch1")
    assert found.rate_hz == 10


def test_columns_are_chosen_by_name_or_number(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "a,b,c\n1,2,3\n")
    assert read_csv(path, ("c", "1")).samples.tolist() == [[3, 1]]
    with pytest.raises(InputError, match="no column 'd'"):
        read_csv(path, ("d",))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "holds no samples"),
        ("a,b\n", "holds no samples"),
        ("a,b\n1,2\n3\n", "line 3 .* 1 values instead of 2"),
        ("1,2\n3,x\n", "line 2 .* no number"),
        ("1\nnan\n", "line 2 .* not finite"),
        ("time\n1\n", "no column but the time"),
    ],
)
def test_damaged_files_are_refused_by_line(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        read_csv(write(tmp_path / "a.csv", text))


def write_wav(path: Path, data: bytes, width: int, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(8000)
        file.writeframes(data)
    return path


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_every_width_of_samples_is_scaled_to_one(tmp_path: Path, width: int) -> None:
    most = 2 ** (8 * width - 1)
    integers = [-most, -most // 2, 0, most // 2]
    data = b"".join(
        (value + 128).to_bytes(1, "little") if width == 1 else value.to_bytes(width, "little", signed=True) for value in integers
    )
    found = read_wav(write_wav(tmp_path / "a.wav", data, width))
    assert found.samples[:, 0].tolist() == [-1, -0.5, 0, 0.5]
    assert found.rate_hz == 8000


def test_stereo_has_two_channels(tmp_path: Path) -> None:
    data = np.array([[0, 16384], [-32768, 0]], "<i2").tobytes()
    assert read_wav(write_wav(tmp_path / "a.wav", data, 2, 2)).samples.tolist() == [[0, 0.5], [-1, 0]]


def test_what_is_no_sound_is_refused(tmp_path: Path) -> None:
    good = write_wav(tmp_path / "a.wav", bytes(400), 2)
    assert is_wav(good)
    cut = tmp_path / "cut.wav"
    cut.write_bytes(good.read_bytes()[:20])
    text = write(tmp_path / "b.wav", "hello")
    assert not is_wav(text)
    for path in (cut, text, tmp_path / "none.wav"):
        with pytest.raises(InputError, match="can't read"):
            read_wav(path)


def test_a_file_cut_off_in_a_sample_keeps_the_whole_ones(tmp_path: Path) -> None:
    good = write_wav(tmp_path / "a.wav", bytes(400), 2, 2)
    good.write_bytes(good.read_bytes()[:-3])
    assert read_wav(good).samples.shape == (99, 2)

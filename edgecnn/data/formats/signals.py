"""Loads signals with one folder per class: ROOT/CLASS/*.csv or *.wav, or ROOT/SPLIT/CLASS/...; each window is a sample."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from edgecnn.card import SignalInput
from edgecnn.data.formats.left_out import other_files
from edgecnn.data.image_files import list_images
from edgecnn.data.paths import sub_folders, visible
from edgecnn.data.sample import Dataset, Problem, Sample
from edgecnn.data.split_names import is_split, split_folders
from edgecnn.errors import InputError
from edgecnn.signals.csv_file import read_csv
from edgecnn.signals.recording import Recording, windows
from edgecnn.signals.wav_file import read_wav
from edgecnn.signals.window_image import to_image
from edgecnn.types import Float32, Image

SUFFIXES = (".csv", ".wav")
LENGTH = 2048  # samples of a window where the address names none


def evidence(path: Path) -> str:
    """The folders that hold .csv or .wav files and no images, if they are not only splits; a table beside images is about them."""
    if not path.is_dir():
        return ""
    found = {folder.name for root in _roots(path) for folder in sub_folders(root) if signal_files(folder)}
    if any(list_images(root / name) for root in _roots(path) for name in found if (root / name).is_dir()):
        return ""
    return f"folders of signals: {', '.join(sorted(found)[:5])}" if found and not all(map(is_split, found)) else ""


def splits(path: Path) -> tuple[str, ...]:
    """Sub-folders that have the name of a split and contain folders."""
    return tuple(name for name, folder in split_folders(path).items() if sub_folders(folder))


def load(path: Path, split: str | None, labels: tuple[str, ...] | None, length: int = LENGTH) -> Dataset:
    """Windows of ``length`` samples that overlap by half, by class and file; windows of one file are one group.

    A file that can't be read, has another sample rate or other channels than the first is a problem and left out.
    """
    labels = labels or tuple(
        sorted({folder.name for root in _roots(path) for folder in sub_folders(root) if signal_files(folder)})
    )
    chosen = [path / split] if split else _roots(path)
    problems: list[Problem] = []
    samples: list[Sample] = []
    first: Recording | None = None
    folders = [(root, label, root / name) for root in chosen for label, name in enumerate(labels) if (root / name).is_dir()]
    for _, label, folder in folders:
        for file in signal_files(folder):
            name = str(file.relative_to(path))
            try:
                found = read_signal(file)
                if first is not None:
                    found.check_rate(first.rate_hz or found.rate_hz or 1.0, name)
                    found = found.pick(first.channels, name)
            except InputError as error:
                problems.append(Problem(name, error.problem))
                continue
            first = first or found
            samples += _windows(found, name, label, length)
    signal = None if first is None else SignalInput(first.rate_hz or 0.0, length // 2, first.channels)
    others = other_files([folder for _, _, folder in folders])
    left_out = {suffix: count for suffix, count in others.items() if suffix not in SUFFIXES}
    return Dataset(path.resolve().name, "signal", labels, samples, tuple(problems), split or "", left_out=left_out, signal=signal)


def read_signal(path: Path) -> Recording:
    """The signal of a .csv or .wav file."""
    return read_wav(path) if path.suffix.lower() == ".wav" else read_csv(path)


def signal_files(folder: Path) -> list[Path]:
    """The .csv and .wav files directly in a folder, by name."""
    return sorted(
        Path(entry.path) for entry in visible(folder) if entry.is_file() and Path(entry.name).suffix.lower() in SUFFIXES
    )


def _roots(path: Path) -> list[Path]:
    return [path / name for name in splits(path)] or [path]


def _windows(recording: Recording, name: str, label: int, length: int) -> list[Sample]:
    found = windows([recording.samples], length, length // 2)
    return [Sample(f"{name}@{start}", partial(_image, window), label, group=name) for start, window in found]


def _image(window: Float32) -> Image:
    return to_image(np.asarray(window))

"""Loads the frames of a video file as images without labels, for calibration and pseudo-labels."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from edgecnn.data.sample import Dataset, LazySamples, Sample
from edgecnn.data.video_frames import VIDEO_SUFFIXES, VideoFrames


def evidence(path: Path) -> str:
    """The suffix of a video file."""
    suffix = path.suffix.lower()
    return f"a {suffix} file" if suffix in VIDEO_SUFFIXES and path.is_file() else ""


def splits(path: Path) -> tuple[str, ...]:
    """Always empty: a video has none."""
    return ()


def load(path: Path, split: str | None, labels: tuple[str, ...] | None) -> Dataset:
    """All frames in order, named by the file and their number from 0; they are one group, because neighbours look alike."""
    frames = VideoFrames(path)
    digits = len(str(len(frames)))

    def make(index: int) -> Sample:
        return Sample(f"{path.stem}-{index:0{digits}}.jpg", partial(frames.read, index), group=path.name)

    return Dataset(path.stem, "classify", labels or (), LazySamples(len(frames), make), (), split or "")

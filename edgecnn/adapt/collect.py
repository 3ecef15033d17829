"""Collects frames of a source that differ from each other, with the time at which each was seen; an interrupted collection goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from edgecnn.adapt.config import AdaptConfig, AdaptFolder
from edgecnn.errors import InputError
from edgecnn.files import write_file
from edgecnn.frame_choice import FrameChoice, KeptFrame
from edgecnn.images.writer import encode_image
from edgecnn.json_text import dump_json
from edgecnn.reference_profile.image_measures import measure_image
from edgecnn.runtime.sources import ReconnectOptions, Source, open_source
from edgecnn.schema import SchemaError, flag, items, number, parse_json, record, text
from edgecnn.types import Float32, Frame, Image

MOST_BYTES = 2 << 30  # of all frames
LOOKS_S = 0.2  # at most so often a frame is looked at
USUAL_FPS = 25.0  # of a video that does not say its own
_QUALITY = (cv2.IMWRITE_JPEG_QUALITY, 95)
_JOURNAL = record(
    {
        "watched_s": number(0),
        "complete": flag,
        "frames": items(record({"file": text(1, 200), "at_s": number(0)}), most=1 << 20),
    }
)
Watching = Callable[[float, int], None]


@dataclass(slots=True)
class FrameJournal:
    """Seconds at which frames were seen, by file name; up to where the source was watched, and whether that was all."""

    at_s: dict[str, float] = field(default_factory=dict)
    watched_s: float = 0.0
    complete: bool = False

    @classmethod
    def read(cls, path: Path) -> FrameJournal:
        """The journal at ``path``, a new one where there is none. Raises ``InputError`` for another file."""
        if not path.exists():
            return cls()
        try:
            found = _JOURNAL(parse_json(path.read_text(errors="replace")), "")
        except (SchemaError, OSError) as error:
            raise InputError(f"{path} is not of edgecnn adapt ({error})", "name another folder with --out") from error
        frames = {row["file"]: float(row["at_s"]) for row in found["frames"] if (path.parent / "frames" / row["file"]).is_file()}
        return cls(frames, float(found["watched_s"]), found["complete"])

    def write(self, path: Path) -> None:
        """Write it atomically."""
        frames = [{"file": name, "at_s": round(at, 3)} for name, at in self.at_s.items()]
        write_file(path, dump_json({"watched_s": self.watched_s, "complete": self.complete, "frames": frames}, indent=1))


def collect(config: AdaptConfig, folder: AdaptFolder, watching: Watching = lambda at, kept: None) -> FrameJournal:
    """Watch the source and keep frames in ``folder.frames``; gives when each was seen.

    ``watching`` gets the seconds that were watched and the number of frames. Raises what opening and reading the source raises, and
    ``KeyboardInterrupt``, after which the next call goes on.
    """
    journal = FrameJournal.read(folder.journal)
    if journal.complete:
        return journal
    folder.frames.mkdir(parents=True, exist_ok=True)
    collector = _Collector(config, folder, journal)
    limit = 60.0 * config.minutes
    try:
        for at, frame in _timed(_opened(config.source), journal.watched_s):
            if at > limit:
                break
            collector.look(at, frame)
            watching(at, len(journal.at_s))
        journal.complete = True
    finally:
        journal.write(folder.journal)
    return journal


def _opened(address: str) -> Source:
    # each frame of the scene counts: rendered as fast as it goes, by the clock of the scene
    return open_source(address, paced=False if address.startswith("scene:") else None, reconnect=ReconnectOptions())


def _timed(source: Source, watched_s: float) -> Iterator[tuple[float, Frame]]:
    """Frames with the seconds since the source was first watched; what was watched of a file before is passed over."""
    began: float | None = None
    for frame in source:
        if source.live:
            began = frame.captured_at if began is None else began
            yield watched_s + frame.captured_at - began, frame
            continue
        at = frame.index / (source.fps or USUAL_FPS) if frame.media_time is None else frame.media_time
        if at >= watched_s:
            yield at, frame


class _Collector:
    """Decides which frames are kept, and writes them."""

    def __init__(self, config: AdaptConfig, folder: AdaptFolder, journal: FrameJournal) -> None:
        self._folder, self._journal = folder, journal
        self._choice = FrameChoice(config.frames, MOST_BYTES, list(self._earlier()), gap_s=config.gap_s)
        self._looked_s = -LOOKS_S

    def look(self, at: float, frame: Frame) -> None:
        """Keep the frame if it shows something new."""
        self._journal.watched_s = max(self._journal.watched_s, at)
        if at - self._looked_s < LOOKS_S:
            return
        self._looked_s = at
        place = place_of(frame.image)
        if not self._choice.wants(at, place):
            return
        content = encode_image(frame.image, ".jpg", _QUALITY)
        name = f"{round(1000 * at):09d}.jpg"
        write_file(self._folder.frames / name, content)
        self._journal.at_s[name] = at
        removed = self._choice.add(KeptFrame(name, at, place, len(content)))
        for other in removed:
            del self._journal.at_s[other]
        self._journal.write(self._folder.journal)  # before the files are removed: it never names one that is not there
        for other in removed:
            (self._folder.frames / other).unlink(missing_ok=True)

    def _earlier(self) -> Iterator[KeptFrame]:
        for name, at in self._journal.at_s.items():
            data = (self._folder.frames / name).read_bytes()
            image: Image = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)
            yield KeptFrame(name, at, place_of(image), len(data))


def place_of(image: Image) -> Float32:
    """Where an image lies among others (194,): its thumbnail without mean and scale, brightness and contrast; near ones look alike."""
    measures = measure_image(image)
    light = np.array([measures.values["brightness"] / 255, measures.values["contrast"] / 128], np.float32)
    return np.concatenate([measures.thumbnail, light])

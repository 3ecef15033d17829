"""Collects frames of a source that differ from each other, with the time at which each was seen; an interrupted collection goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from edgecnn.adapt.config import AdaptConfig, AdaptFolder, Say, Step
from edgecnn.adapt.watch import Watch, opened
from edgecnn.counts import counted
from edgecnn.errors import InputError
from edgecnn.files import write_file
from edgecnn.frame_choice import FrameChoice, KeptFrame
from edgecnn.images.writer import encode_image
from edgecnn.json_text import dump_json
from edgecnn.reference_profile.image_measures import measure_image
from edgecnn.schema import SchemaError, items, number, parse_json, record, text
from edgecnn.types import Float32, Frame, Image

MOST_BYTES = 2 << 30  # of all frames
LOOKS_S = 0.2  # at most so often a frame is looked at
_QUALITY = (cv2.IMWRITE_JPEG_QUALITY, 95)
_JOURNAL = record(
    {
        "watched_s": number(0),
        "until_s": number(0),
        "frames": items(record({"file": text(1, 200), "at_s": number(0)}), most=1 << 20),
    }
)


@dataclass(slots=True)
class FrameJournal:
    """Seconds at which frames were seen, by file name; up to where the source was watched, and the limit that was reached."""

    at_s: dict[str, float] = field(default_factory=dict)
    watched_s: float = 0.0
    until_s: float = 0.0  # 60 times --minutes of the longest watch that was finished

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
        return cls(frames, float(found["watched_s"]), float(found["until_s"]))

    def write(self, path: Path) -> None:
        """Write it atomically."""
        frames = [{"file": name, "at_s": round(at, 3)} for name, at in self.at_s.items()]
        write_file(path, dump_json({"watched_s": self.watched_s, "until_s": self.until_s, "frames": frames}, indent=1))


def collect(
    config: AdaptConfig, folder: AdaptFolder, step: Step = lambda what, done, total: None, say: Say = lambda line: None
) -> FrameJournal:
    """Watch the source and keep frames in ``folder.frames``; gives when each was seen.

    What was watched before, also of fewer ``config.minutes``, is not watched again. ``step`` gets the seconds that were watched, ``say``
    what happened to the connection. Raises what opening and reading the source raises, and ``KeyboardInterrupt``, after which the
    next call goes on.
    """
    journal, limit_s = FrameJournal.read(folder.journal), 60.0 * config.minutes
    if max(journal.until_s, journal.watched_s) >= limit_s:
        return journal
    step("opening the source", 0, 0)
    source = opened(config.source)
    folder.frames.mkdir(parents=True, exist_ok=True)
    collector = _Collector(config, folder, journal)

    def tell(what: str, at: float) -> None:
        step(f"{what}, {counted(len(journal.at_s), 'frame')}", at, limit_s)

    try:
        with Watch(source, journal.watched_s, limit_s, config.gap_s, tell) as frames:
            for at, frame in frames:
                collector.look(at, frame)
                tell("watching", at)
        journal.until_s = limit_s
    finally:
        journal.write(folder.journal)
    for note in source.notes:
        say(note)
    return journal


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

"""Where frames come from: images, folders, videos, cameras, addresses, the scene."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from edgecnn.errors import SourceError
from edgecnn.runtime.sources.base import Failure, Source
from edgecnn.runtime.sources.steady import Steadiness, Steady

__all__ = ["Failure", "Source", "Steadiness", "Steady", "open_source"]

KINDS = "an image, a folder of images, a video, a camera number, an rtsp:// or http:// address, or scene:cups"


def open_source(
    uri: str | int | Path,
    *,
    timeout: float = 5.0,
    repeat: int = 1,
    paced: bool | None = None,
    steady: Steadiness | None = None,
) -> Source:
    """The source that ``uri`` names; its device is opened by whoever iterates it.

    ``timeout`` is how many seconds a frame may take. ``repeat`` plays files that many times over, 0 without end. ``paced`` makes a
    video or the scene behave like a live camera; None means the scene does and a video does not. With ``steady`` a camera or a live
    address is connected again when it breaks (see ``Steady``); a file never is.
    Raises ``SourceError`` for what is not there, and ``ValueError`` for a timeout or repeat below its range.
    """
    if timeout <= 0 or repeat < 0:
        raise ValueError(f"wanted a timeout above 0 and repeat of 0 or more, found {timeout} and {repeat}: correct them")
    text = str(uri)
    live = _open_live(text, timeout, paced)
    if live is None:
        return _open_files(Path(text), timeout, repeat, bool(paced))
    if repeat != 1:
        raise SourceError("a file to repeat", f"{live.name}, which never ends", "leave --repeat out")
    if steady is None or not live.live or text.startswith("scene:"):
        return live
    return Steady(partial(_open_again, text, timeout, paced), steady)


def _open_again(text: str, timeout: float, paced: bool | None) -> Source:
    source = _open_live(text, timeout, paced)
    assert source is not None, "what was live once is live again"
    return source


def _open_live(text: str, timeout: float, paced: bool | None) -> Source | None:
    if text.startswith("scene:"):
        from edgecnn.runtime.sources.scene import SceneCamera

        return SceneCamera(text, paced=paced is not False, timeout=timeout)
    if text.isdecimal() or text.removeprefix("/dev/video").isdecimal():
        from edgecnn.runtime.sources.camera import Camera

        return Camera(int(text.removeprefix("/dev/video")), timeout=timeout)
    if "://" in text:
        from edgecnn.runtime.sources.address import SCHEMES, Address

        if text.partition("://")[0] not in SCHEMES:
            raise SourceError(f"an address of {', '.join(SCHEMES)}", f"{text.partition('://')[0]}://", "name one of them")
        return Address(text, timeout=timeout)
    return None


def _open_files(path: Path, timeout: float, repeat: int, paced: bool) -> Source:
    from edgecnn.runtime.sources import images

    if path.is_dir():
        return images.open_folder(path, repeat=repeat)
    if not path.is_file():
        found = "no such file or folder" if not path.exists() else "neither a file nor a folder"
        raise SourceError(f"a source at {path}: {KINDS}", found, "check the path")
    if not path.stat().st_size:
        raise SourceError(f"an image or a video at {path}", "an empty file", "check or replace the file")
    if path.suffix.lower() in images.SUFFIXES:
        return images.open_image(path, repeat=repeat)
    from edgecnn.runtime.sources.video import VideoFile

    return VideoFile(path, repeat=repeat, paced=paced, timeout=timeout)

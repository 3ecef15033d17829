"""Paths as all nodes understand them: the working folder of a worker is another one."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn.live.config import CameraConfig
from edgecnn.runtime.sources.image_patterns import is_pattern

if TYPE_CHECKING:
    from edgecnn.runtime.model.card_inference import CardOptions


def absolute(text: str) -> str:
    """An absolute path where ``text`` is that of a file or folder; parameters after a ``?`` stay."""
    path, mark, parameters = text.partition("?")
    if Path(text).exists():
        return str(Path(text).absolute())
    return f"{Path(path).absolute()}{mark}{parameters}" if Path(path).exists() else text


def absolute_file(path: Path) -> Path:
    """The absolute path of a file; the name of a shipped model stays."""
    return path.absolute() if path.is_file() else path


def absolute_options(options: CardOptions) -> CardOptions:
    """The options of a model with the absolute path of a file of class names."""
    return options if options.labels is None else dataclasses.replace(options, labels=absolute_file(options.labels))


def absolute_camera(camera: CameraConfig) -> CameraConfig:
    """A camera with absolute paths of all that workers read."""
    source = camera.source
    pattern = ":" not in source.partition("/")[0] and is_pattern(source)
    key, gallery = camera.require_signature, camera.analytics.gallery
    return dataclasses.replace(
        camera,
        source=str(Path(source).absolute()) if pattern else absolute(source),
        model=absolute_file(Path(camera.model)),
        require_signature=None if key is None else key.absolute(),
        analytics=dataclasses.replace(camera.analytics, gallery=None if gallery is None else gallery.absolute()),
        card=absolute_options(camera.card),
    )

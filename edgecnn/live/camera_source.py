"""The source of a camera: opened by its configuration, and cut as its model needs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from edgecnn.errors import InputError
from edgecnn.live.config import CameraConfig
from edgecnn.live.models import model_file

if TYPE_CHECKING:
    from edgecnn.card import ModelCard
    from edgecnn.runtime.sources import Source

SourceOpener: TypeAlias = Callable[[CameraConfig], "Source"]


def open_camera_source(config: CameraConfig) -> Source:
    """Create the source of a camera without connecting it. Raises ``InputError`` for a wrong source or model path."""
    from edgecnn.runtime.backends import file_format
    from edgecnn.runtime.sources import ReconnectOptions, open_source

    # A wrong model path is reported before a camera is opened, which may take seconds.
    file_format(model_file(config))
    paced = None if config.policy is None else config.policy == "latest"
    reconnect = None
    if config.reconnect:
        reconnect = ReconnectOptions(
            max_silence_s=config.timeout_s, connect_timeout_s=config.connect_timeout_s, frozen_after_s=config.frozen_after_s
        )
    return open_source(
        config.source,
        timeout=config.timeout_s,
        repeat=config.repeat,
        paced=paced,
        reconnect=reconnect,
        max_image_pixels=config.max_image_pixels,
    )


def fit_source(source: Source, card: ModelCard) -> None:
    """Cut a signal and read tensors as the model needs it; raises ``InputError`` where the other is for images."""
    from edgecnn.runtime.sources.signals import SignalSource
    from edgecnn.runtime.sources.tensors import TensorFiles

    if isinstance(source, SignalSource | TensorFiles):
        source.fit(card)
    elif card.preprocess.tensors:
        names = ", ".join(spec.name for spec in card.preprocess.tensors)
        raise InputError(
            f"the model {card.name} takes tensors ({names}), but {source.name} is none", "name a .npz file or a folder of them"
        )
    elif card.preprocess.signal is not None:
        raise InputError(
            f"the model {card.name} is for signals, but {source.name} is none", "name a .csv or .wav file, or serial:PORT"
        )

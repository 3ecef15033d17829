"""The built-in scene as a camera."""

from __future__ import annotations

import time
from collections.abc import Generator

from edgecnn.runtime.sources.base import Pacer, Source
from edgecnn.scene import Scene, parse_scene
from edgecnn.types import Frame


class SceneCamera(Source):
    """The rendered scene: ``paced`` to its frame rate like a live camera, which skips frames when it can't keep up, or every frame.

    Ends only where its options give a ``count``. Raises ``InputError`` for options that the scene does not have.
    """

    def __init__(self, uri: str, *, paced: bool = True, timeout: float = 5.0) -> None:
        options = parse_scene(uri)
        self.scene, self._count = Scene(options), options.count
        super().__init__(uri, live=paced, fps=float(self.scene.fps), timeout=timeout)

    def _frames(self) -> Generator[Frame, None, None]:
        pacer = Pacer(float(self.scene.fps), self._closed) if self.live else None
        index = 0
        while self._count is None or index < self._count:
            if pacer is not None:
                index = pacer.wait(index)
            started = time.perf_counter()
            image, _ = self.scene.render(index)
            yield Frame(index, started, image)
            index += 1

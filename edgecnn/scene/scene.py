"""The virtual camera: renders any frame of the scene by its number."""

from __future__ import annotations

import threading
from collections import OrderedDict

from edgecnn.scene.canvas import Canvas
from edgecnn.scene.concepts import frame_concepts
from edgecnn.scene.ground_truth import SceneGroundTruth, ground_truth
from edgecnn.scene.options import LABELS, SceneOptions
from edgecnn.scene.pixel_concepts import PixelConcepts
from edgecnn.scene.renderer import CutRenderer
from edgecnn.scene.world import build_world
from edgecnn.types import Image

CACHED_CUTS = 4  # a stream and several readers may be in different cuts


class Scene:
    """An endless table-top scene; each frame depends on the options and its number alone.

    ``labels`` names the classes, ``fps`` is frames per second, ``size`` (width, height). Safe to use from several threads.
    """

    def __init__(self, options: SceneOptions) -> None:
        self.options = options
        self.labels = LABELS
        self.fps = options.fps
        self.size = options.size
        self._renderers: OrderedDict[int, CutRenderer] = OrderedDict()
        self._lock = threading.Lock()
        self._last: tuple[int, tuple[Canvas, SceneGroundTruth, CutRenderer, float]] | None = None

    def cut(self, index: int) -> int:
        """The number of the cut that frame ``index`` belongs to."""
        return int(index / self.fps / self.options.cut + 1e-9)  # 1e-9: division may round a frame at a cut's start down

    def render(self, index: int) -> tuple[Image, SceneGroundTruth]:
        """Frame ``index`` (H, W, 3) uint8 BGR and its ground truth. Raises ``ValueError`` for a negative index."""
        canvas, known, renderer, t = self._paint(index)
        return renderer.apply_sensor(canvas, t, index, self.options.seed), known

    def ground_truth(self, index: int) -> SceneGroundTruth:
        """The ground truth of frame ``index``, without the sensor stage; ``render`` of the same frame is cheap afterwards."""
        return self._paint(index)[1]

    def concepts(self, index: int) -> PixelConcepts:
        """What each pixel of frame ``index`` shows. Raises ``ValueError`` for a negative index."""
        number, t = self._place(index)
        return frame_concepts(self._renderer(number), t)

    def _paint(self, index: int) -> tuple[Canvas, SceneGroundTruth, CutRenderer, float]:
        """The painted frame; the last one is cached, because datasets use the ground truth first and then the image of a frame."""
        last = self._last
        if last is not None and last[0] == index:
            return last[1]
        number, t = self._place(index)
        renderer = self._renderer(number)
        canvas, painted = renderer.paint(t)
        made = (canvas, ground_truth(canvas.ids, painted), renderer, t)
        self._last = (index, made)
        return made

    def _place(self, index: int) -> tuple[int, float]:
        """The cut of a frame, and its time in seconds in it."""
        if index < 0:
            raise ValueError(f"frame numbers start at 0, but this one is {index}")
        number = self.cut(index)
        return number, index / self.fps - number * self.options.cut

    def _renderer(self, number: int) -> CutRenderer:
        """The renderer of a cut, cached for the next frames; if two threads build it at once, one of two equal ones is kept."""
        with self._lock:
            known = self._renderers.get(number)
            if known is not None:
                self._renderers.move_to_end(number)
                return known
        made = CutRenderer(build_world(self.options, number), self.size)
        with self._lock:
            made = self._renderers.setdefault(number, made)
            while len(self._renderers) > CACHED_CUTS:
                self._renderers.popitem(last=False)
        return made

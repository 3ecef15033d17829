"""The virtual camera: any frame of the scene by its number."""

from __future__ import annotations

import threading
from collections import OrderedDict

from edgecnn.scene.canvas import Canvas
from edgecnn.scene.ground_truth import Truth, truth
from edgecnn.scene.options import LABELS, SceneOptions
from edgecnn.scene.stage import Stage
from edgecnn.scene.world import build
from edgecnn.types import Image

KEPT_CUTS = 4


class Scene:
    """A table-top that never ends, as a camera sees it; each frame depends on the options and its number alone.

    ``labels`` names the classes, ``fps`` is frames per second, ``size`` (width, height). Safe to use from several threads.
    """

    def __init__(self, options: SceneOptions) -> None:
        self.options = options
        self.labels = LABELS
        self.fps = options.fps
        self.size = options.size
        self._stages: OrderedDict[int, Stage] = OrderedDict()
        self._lock = threading.Lock()
        self._last: tuple[int, tuple[Canvas, Truth, Stage, float]] | None = None

    def cut(self, index: int) -> int:
        """The number of the cut that frame ``index`` belongs to."""
        return int(index / self.fps / self.options.cut + 1e-9)

    def render(self, index: int) -> tuple[Image, Truth]:
        """Frame ``index`` (H, W, 3) uint8 BGR and what it shows. Raises ``ValueError`` below zero."""
        canvas, known, stage, t = self._paint(index)
        return stage.develop(canvas, t, index, self.options.seed), known

    def truth(self, index: int) -> Truth:
        """What frame ``index`` shows, without the sensor's part of the work; ``render`` of the same frame is quick afterwards."""
        return self._paint(index)[1]

    def _paint(self, index: int) -> tuple[Canvas, Truth, Stage, float]:
        """The painted frame; the last one is kept, since a data set asks for the truth first and for the image then."""
        if index < 0:
            raise ValueError(f"frame numbers start at 0, but this one is {index}")
        last = self._last
        if last is not None and last[0] == index:
            return last[1]
        number = self.cut(index)
        t = index / self.fps - number * self.options.cut
        stage = self._stage(number)
        canvas, painted = stage.paint(t)
        made = (canvas, truth(canvas.ids, painted), stage, t)
        self._last = (index, made)
        return made

    def _stage(self, number: int) -> Stage:
        """The cut of that number, kept for the next frames; where two threads make it at once, one of two equal ones is kept."""
        with self._lock:
            known = self._stages.get(number)
            if known is not None:
                self._stages.move_to_end(number)
                return known
        made = Stage(build(self.options, number), self.size)
        with self._lock:
            made = self._stages.setdefault(number, made)
            while len(self._stages) > KEPT_CUTS:
                self._stages.popitem(last=False)
        return made

"""The actor of a run: one model, loaded once, and the parts that it is given."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgecnn.cluster.part_file import PartEnd, PartWriter
from edgecnn.cluster.run_plan import RunPart, without_outputs
from edgecnn.cluster.versions import Node, this_node
from edgecnn.errors import ArtifactError, EdgeCnnError
from edgecnn.kept_parts import model_digest
from edgecnn.live.camera_scores import card_options
from edgecnn.live.camera_source import open_camera_source
from edgecnn.live.config import CameraConfig, RunConfig
from edgecnn.live.models import ModelLoader, model_file
from edgecnn.live.session import Session

if TYPE_CHECKING:
    from edgecnn.runtime.sources import Source


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What outputs need to know of the model."""

    labels: tuple[str, ...]
    task: str


class RunWorker:
    """Runs parts of the cameras of ``config``, with the model whose SHA-256 is ``digest``."""

    def __init__(self, config: RunConfig, digest: str) -> None:
        self._config, self._digest = config, digest
        self._warnings: list[str] = []
        self._models: KeptModels | None = None

    def hello(self) -> tuple[Node, ModelFacts]:
        """Load the model. Raises what loading raises, and ``ArtifactError`` for another file of the same name."""
        camera = self._config.cameras[0]
        node, file = this_node(), model_file(camera)
        try:
            found = model_digest(file) if file.is_file() else ""
        except OSError as error:
            raise ArtifactError(f"node {node.host} can't read {file}: {error.strerror}", "check its permissions") from error
        if found != self._digest:
            problem = f"has another {file.name}" if found else f"has no {file}"
            raise ArtifactError(f"node {node.host} {problem}", "put the same file at the same path on all nodes")
        card = self._opened().acquire(camera, card_options(self._config, camera)).card  # not released: parts share it
        return node, ModelFacts(tuple(card.labels), card.task)

    def work(self, part: RunPart, place: int) -> tuple[int, bytes]:
        """Run one part, and return it for ``PartReader``; an error of its file is part of it."""
        writer, error = PartWriter(), None
        camera = without_outputs(part.camera)
        config = dataclasses.replace(self._config, cameras=(camera,), defaults=CameraConfig(), stats=None, log="off")
        session = Session(
            config,
            on_result=writer.result,
            on_event=writer.event,
            out=io.StringIO(),
            err=io.StringIO(),
            models=self._opened(),
            open_source=_opener(part),
        )
        try:
            session.run()
        except EdgeCnnError as problem:
            if not session.playing:
                raise
            error = problem
        summary = session.summary.to_json() if session.summary is not None else {}
        end = PartEnd(summary, None if error is None else (error.problem, error.fix), tuple(self._warnings))
        return place, writer.finish(end)

    def _opened(self) -> KeptModels:
        # not in the constructor, whose errors Ray reports as those of a dead actor
        if self._models is None:
            self._models = KeptModels(self._config, self._warnings.append)
        return self._models


class KeptModels(ModelLoader):
    """Loads the model once and keeps it from run to run."""

    def preload(self, cameras: Sequence[CameraConfig], sources: Sequence[Source]) -> None:
        """Nothing: it is loaded."""

    def close(self) -> None:
        """Nothing: the next part needs it."""


def _opener(part: RunPart) -> Callable[[CameraConfig], Source]:
    def opened(config: CameraConfig) -> Source:
        source = open_camera_source(config)
        source.span = (part.first, part.end)
        return source

    return opened

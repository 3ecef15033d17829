"""A camera and a model as a loop: ``for result in stream(source, model): ...``"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from edgecnn.engine_device import CPU, Device
from edgecnn.runtime.arguments import check_arguments
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.model.shown import AS_IN_CARD, ScoreThreshold, open_shown
from edgecnn.runtime.pipeline.camera_stream import CameraSetup, Policy
from edgecnn.runtime.pipeline.multi_camera import MultiCamera
from edgecnn.runtime.sources import Source, open_source
from edgecnn.runtime.steps import Step
from edgecnn.runtime.steps.class_filter import ClassFilter
from edgecnn.types import Result


def stream(
    source: str | int | Path | Source,
    model: str | Path | Predictor,
    *,
    steps: Sequence[Step] = (),
    policy: Policy | None = None,
    device: Device | str = CPU,
    threads: int | None = None,
    requests: int = 1,
    score_threshold: ScoreThreshold = AS_IN_CARD,
    max_frames: int | None = None,
    timeout: float = 5.0,
) -> Iterator[Result]:
    """The results of ``model`` on each frame of ``source``, in frame order.

    ``source`` is an argument of ``open_source``, or an open source; ``model`` is a file, the name of a shipped model, or a predictor,
    which stays open. ``steps`` process the results, see ``edgecnn.runtime.steps``. ``policy`` "latest" drops old frames for the newest
    one, "all" drops nothing; None means latest for a live source. ``score_threshold`` is that of ``Detector``.
    Leaving the loop stops the camera and frees the model. Raises ``InputError`` for a wrong argument, and what ``open_source``,
    ``Predictor`` and the camera raise.
    """
    check_arguments(policy=policy, requests=requests, max_frames=max_frames, timeout=timeout)
    if not isinstance(source, Source):
        check_arguments(source=source)
    paced = None if policy is None else policy == "latest"
    opened = source if isinstance(source, Source) else open_source(source, timeout=timeout, paced=paced)
    if isinstance(model, Predictor):
        yield from _results(opened, model, steps, policy, requests, max_frames)
        return
    predictor, shown = open_shown(score_threshold, model, device, threads=threads, requests=requests)
    with predictor:
        if shown is not None:
            steps = (ClassFilter(predictor.card.labels, None, shown), *steps)
        yield from _results(opened, predictor, steps, policy, requests, max_frames)


def _results(
    source: Source, predictor: Predictor, steps: Sequence[Step], policy: Policy | None, requests: int, max_frames: int | None
) -> Iterator[Result]:
    plan = CameraSetup(name=source.name, source=source, predictor=predictor, policy=policy, steps=steps)
    with MultiCamera([plan], workers=requests, max_frames=max_frames) as multi_camera:
        yield from multi_camera

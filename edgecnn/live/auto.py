"""`edgecnn run --auto`: the file, engine, precision and threads that were chosen for this device, measured first where needed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from edgecnn.errors import InputError
from edgecnn.live.config import RunConfig


def with_choice(config: RunConfig, say: Callable[[str], None]) -> RunConfig:
    """The configuration with the chosen file in all cameras, its engine and its threads; ``say`` gets a line on each step.

    Raises ``InputError`` for cameras with several models, and what the measurement of a choice raises.
    """
    from pathlib import Path

    from edgecnn.benchmarks.choose.choice import choice_for_run
    from edgecnn.benchmarks.choose.config import ChooseConfig

    models = {(str(camera.model), camera.card, camera.require_signature) for camera in config.cameras}
    if len(models) != 1:
        raise InputError("--auto chooses for one model, not for several", "start a run for each model, or leave --auto out")
    ((model, card, key),) = models
    chosen = choice_for_run(ChooseConfig(files=(Path(model),), options=card, require_signature=key), say)
    say(chosen.line)
    cameras = tuple(dataclasses.replace(camera, model=chosen.path) for camera in config.cameras)
    return dataclasses.replace(config, cameras=cameras, engine=chosen.engine, chosen_threads=chosen.threads, auto=False)

"""What `--auto` makes of a configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecnn.benchmarks.choose import choice
from edgecnn.errors import InputError
from edgecnn.live.auto import with_choice
from edgecnn.live.config import CameraConfig, RunConfig
from edgecnn.live.models import autotunes
from edgecnn.runtime.sources import open_source


def cameras(*models: str) -> tuple[CameraConfig, ...]:
    return tuple(CameraConfig(source="scene:cups?count=2", model=model, policy="latest") for model in models)


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> choice.Chosen:
    found = choice.Chosen(Path("/m/cups.xml"), "openvino:bf16", 3, "choice: cups.xml")
    monkeypatch.setattr(choice, "choice_for_run", lambda *_: found)
    return found


def test_all_cameras_run_the_chosen_file(chosen: choice.Chosen) -> None:
    said: list[str] = []
    config = with_choice(RunConfig(cameras=cameras("cups", "cups"), auto=True), said.append)
    assert [camera.model for camera in config.cameras] == [chosen.path, chosen.path]
    assert (config.engine, config.chosen_threads, config.threads, config.auto) == ("openvino:bf16", 3, None, False)
    assert said == ["choice: cups.xml"]
    assert not autotunes(config, config.cameras, [open_source(camera.source) for camera in config.cameras])


def test_several_models_are_refused(chosen: choice.Chosen) -> None:
    with pytest.raises(InputError, match="--auto chooses for one model, not for several"):
        with_choice(RunConfig(cameras=cameras("cups", "bearing"), auto=True), print)

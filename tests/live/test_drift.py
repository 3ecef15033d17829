"""A run that watches its cameras for drift: from the options to statistics, events and kept frames."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecnn.errors import InputError
from edgecnn.live import AnalyticsConfig, CameraConfig, OutputConfig, RunConfig, run
from edgecnn.live.parsers import DriftReference
from edgecnn.scene import Scene, SceneOptions
from edgecnn.shipped import artifact


def dark_images(folder: Path, count: int, light: int) -> None:
    folder.mkdir()
    for index in range(count):
        image = np.random.default_rng(index).integers(light, light + 20, (60, 80, 3)).astype(np.uint8)
        cv2.imwrite(str(folder / f"{index:04d}.png"), image)


def config(
    source: str, model: Path | str, outputs: dict[str, Any] | None = None, drift: float | str = "card", **fields: Any
) -> RunConfig:
    camera = CameraConfig(
        source=source,
        model=Path(model),
        name="door",
        policy="all",
        analytics=AnalyticsConfig(drift=drift),  # type: ignore[arg-type]
        outputs=OutputConfig(**(outputs or {})),
    )
    return RunConfig(cameras=(camera,), **{"log": "text", **fields})


def test_what_a_camera_is_compared_with() -> None:
    parse = DriftReference()
    assert [parse(value) for value in ("card", True, 0.0, "learn:10m", 600.0)] == [0, 0, 0, 600, 600]
    assert [parse.text(value) for value in (0.0, 600.0)] == ["card", "learn:600s"]
    for wrong in ("learn", "learn:1s", "always", "learn:x", False):
        with pytest.raises(InputError):
            parse(wrong)


def test_a_model_without_a_profile_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"--drift: cups-denoise.onnx has no reference profile; make one with edgecnn drift-profile"
    ):
        run(config("scene:cups?size=64x64&count=2", "cups-denoise"), out=io.StringIO(), err=io.StringIO())


def test_a_model_of_signals_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "vibration.csv"
    source.write_text("x\n" + "0\n" * 4000)
    with pytest.raises(InputError, match="--drift compares images, but the model bearing takes signals"):
        run(config(str(source), "bearing"), out=io.StringIO(), err=io.StringIO())


def test_the_shipped_detector_knows_its_scene_and_that_it_got_dark(tmp_path: Path) -> None:
    """Its profile is in the file: nothing has to be learnt."""
    scene = Scene(SceneOptions(seed=77, size=(160, 120), fps=1, cut=1))
    for name, gain in {"day": 1.0, "night": 1 / 16}.items():
        (tmp_path / name).mkdir()
        for index in range(60):
            image, _ = scene.render(index)
            cv2.imwrite(str(tmp_path / name / f"{index:04d}.png"), (image * gain).astype(np.uint8))
    day, night = (
        run(config(str(tmp_path / name), "cups"), out=io.StringIO(), err=io.StringIO())["door"].to_json()["drift"]
        for name in ("day", "night")
    )
    assert (day["state"], day["episodes"]) == ("normal", 0)
    assert night["state"] == "drifted"
    assert "usual: " in night["lines"][0]
    assert "brightness" in [one["measure"] for one in night["findings"]]


def test_frames_need_the_comparison() -> None:
    with pytest.raises(InputError, match="--drift-frames does nothing without --drift"):
        RunConfig(cameras=(CameraConfig(source="0", model=Path("m.onnx"), outputs=OutputConfig(drift_frames="odd")),))


def test_a_camera_is_learnt_kept_and_found_to_have_changed(tmp_path: Path) -> None:
    model = tmp_path / "cups.onnx"
    shutil.copy(artifact("cups"), model)
    dark_images(tmp_path / "day", 130, 120)
    dark_images(tmp_path / "night", 60, 5)
    err = io.StringIO()
    first = run(config(str(tmp_path / "day"), model, drift="learn:60s"), out=io.StringIO(), err=err)
    kept = tmp_path / "cups.onnx.door.drift.json"
    assert kept.is_file()
    assert "door is learnt for 60 s" in err.getvalue()
    assert f"kept in {kept}" in err.getvalue()
    assert first["door"].to_json()["drift"]["state"] == "normal"
    outputs = {"events": str(tmp_path / "events.jsonl"), "drift_frames": str(tmp_path / "odd")}
    err = io.StringIO()
    again = config(str(tmp_path / "night"), model, outputs, "learn:60s", stats=tmp_path / "stats.json")
    run(again, out=io.StringIO(), err=err)
    assert "compared with what was learnt before" in err.getvalue()
    assert "door: drift started: " in err.getvalue()
    (event, *_) = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert event["kind"] == "drift-started"
    assert event["details"]["measures"][0]["against"] == "reference"
    drift = json.loads((tmp_path / "stats.json").read_text())["drift"]
    assert (drift["state"], drift["episodes"]) == ("drifted", 1)
    assert list((tmp_path / "odd").glob("*.jpg"))

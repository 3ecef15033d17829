from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from edgecnn.errors import ArtifactError
from edgecnn.live.config import CameraConfig, RunConfig
from edgecnn.live.models import ModelLoader, SharedModels
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor


class Closable:
    closed = False

    def close(self) -> None:
        assert not self.closed
        self.closed = True


def test_a_file_is_loaded_once_and_closed_after_its_last_camera() -> None:
    loaded: list[tuple[Path, CardOptions]] = []

    def load(file: Path, options: CardOptions) -> Predictor:
        loaded.append((file, options))
        return cast(Predictor, Closable())

    with closing(SharedModels(load)) as models:
        one, same = models.acquire(Path("a"), CardOptions()), models.acquire(Path("a"), CardOptions())
        other = models.acquire(Path("a"), CardOptions(score_threshold=0.5))
        assert one is same
        assert other is not one
        assert len(loaded) == 2
        models.release(one)
        assert not closed(one)
        models.release(same)
        assert closed(one)
        assert not closed(other)
        again = models.acquire(Path("a"), CardOptions())
        assert again is not one
    assert closed(again)
    assert closed(other)


def test_a_file_that_was_replaced_is_loaded_again(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"old")
    with closing(SharedModels(lambda *_: cast(Predictor, Closable()))) as models:
        old = models.acquire(file, CardOptions())
        file.write_bytes(b"newer")
        new = models.acquire(file, CardOptions())
        assert new is not old
        assert models.acquire(file, CardOptions()) is new
        models.release(old)
        assert closed(old)
        assert not closed(new)


def test_a_file_that_is_replaced_after_its_check_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"signed")
    predictor = Closable()

    def load(*_: object) -> Predictor:
        stamp = file.stat()
        file.write_bytes(b"secret")
        os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        return cast(Predictor, predictor)

    monkeypatch.setattr("edgecnn.live.models.check_signature", lambda _: None)
    camera = CameraConfig(name="door", source="0", model=file, require_signature=Path("owner.pub"))
    with closing(ModelLoader(RunConfig(cameras=(camera,)), print)) as models:
        monkeypatch.setattr(models, "_shared", SharedModels(load))
        with pytest.raises(ArtifactError, match=r"model\.onnx was replaced while it was loaded; start the run again"):
            models.acquire(camera, CardOptions())
    assert closed(predictor)


def closed(predictor: Any) -> bool:
    return bool(predictor.closed)

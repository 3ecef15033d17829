from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any, cast

from edgecnn.live.models import SharedModels
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


def closed(predictor: Any) -> bool:
    return bool(predictor.closed)

from __future__ import annotations

from pathlib import Path

import pytest

from edgecnn.compress.config import CompressConfig
from edgecnn.compress.run import compress
from edgecnn.errors import InputError
from edgecnn.train.cleanup import remove_if_failed
from edgecnn.train.config import TrainConfig
from edgecnn.train.run import train


def fail(folder: Path, *files: str) -> None:
    def begin() -> None:
        with remove_if_failed(folder):
            (folder / "part").mkdir(parents=True)
            for name in files:
                (folder / name).write_text("x")
            raise InputError("a", "b")

    with pytest.raises(InputError):
        begin()


def test_a_new_empty_folder_is_removed(tmp_path: Path) -> None:
    fail(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_what_was_made_or_there_before_stays(tmp_path: Path) -> None:
    fail(tmp_path / "made", "state.pt")
    assert (tmp_path / "made/state.pt").exists()
    (tmp_path / "old").mkdir()
    fail(tmp_path / "old")
    assert (tmp_path / "old").exists()


def test_a_training_that_can_not_begin_leaves_no_folder(digits: Path, tmp_path: Path) -> None:
    options = TrainConfig(model="lecture", data=(str(digits),), out=tmp_path / "run", augment="wild")
    with pytest.raises(InputError, match="wild"):
        train(options, lambda line: None)
    assert not (tmp_path / "run").exists()


def test_a_compression_that_can_not_begin_leaves_no_folder(digits: Path, tmp_path: Path) -> None:
    wanted = TrainConfig(model="", data=(str(digits),), out=tmp_path / "run", epochs=1, augment="none", workers=1)
    with pytest.raises(InputError):  # of other classes
        compress(CompressConfig(train=wanted, checkpoint="fashion-resnet-s", target_macs="4x"), lambda line: None)
    assert not (tmp_path / "run").exists()

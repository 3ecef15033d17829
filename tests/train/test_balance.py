from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgecnn.train.balance import BETA, balanced_order, class_weights

LABELS = np.array([0] * 90 + [1] * 8 + [3] * 2)


def test_weights_are_those_of_effective_numbers() -> None:
    weights = class_weights(LABELS, 4)
    effective = [(1 - BETA**count) / (1 - BETA) for count in (90, 8, 2)]
    assert weights[0] * effective[0] == pytest.approx(weights[1] * effective[1], rel=1e-5)
    assert weights[1] * effective[1] == pytest.approx(weights[3] * effective[2], rel=1e-5)
    assert weights[LABELS].mean() == pytest.approx(1)
    assert weights[2] == 0


def test_balanced_sampling_draws_each_class_as_often() -> None:
    order = balanced_order(LABELS, np.random.default_rng(1))
    counts = np.bincount(LABELS[order], minlength=4)
    assert len(order) == len(LABELS)
    assert counts[2] == 0
    assert abs(counts[[0, 1, 3]] - 100 / 3).max() <= 2
    times = np.bincount(order, minlength=100)[90:98]
    assert times.max() - times.min() <= 1  # images of a class take turns
    assert (balanced_order(LABELS, np.random.default_rng(1)) == order).all()


def test_training_draws_rare_classes_more_often_also_through_a_wrapper() -> None:
    pytest.importorskip("torch")
    from edgecnn.train.objective import image_order

    class Wrapped:
        def __len__(self) -> int:
            return len(LABELS)

        def order(self, draw: np.random.Generator) -> np.ndarray:
            return balanced_order(LABELS, draw)

    class Plain:
        def __len__(self) -> int:
            return len(LABELS)

    assert np.bincount(LABELS[image_order(Wrapped(), np.random.default_rng(1))])[3] > 30
    assert sorted(image_order(Plain(), np.random.default_rng(1))) == list(range(100))


@pytest.mark.parametrize("balance", ["weights", "sampling"])
def test_balance_changes_the_weights_of_a_training(balance: str, make_digits: Callable[[int, int], Path], tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from edgecnn.models import load_checkpoint
    from edgecnn.train.config import TrainConfig
    from edgecnn.train.run import train

    data = str(make_digits(96, 16))
    found = []
    for way in ("none", balance):
        config = TrainConfig(
            model="lecture",
            data=(data,),
            out=tmp_path / way,
            epochs=1,
            batch=32,
            balance=way,
            augment="none",
            flip=False,
            workers=1,
        )
        network, _ = load_checkpoint(str(train(config, say=lambda _: None)))
        found.append(np.concatenate([one.detach().numpy().ravel() for one in network.parameters()]))
        assert ("--balance" in config.command()) == (way != "none")
    assert not np.array_equal(*found)


def test_balance_is_for_classifiers(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from edgecnn.errors import InputError
    from edgecnn.train.config import TrainConfig
    from edgecnn.train.run import train

    config = TrainConfig(model="edgedet-n", data=("scene:cups",), out=tmp_path / "out", balance="weights")
    with pytest.raises(InputError, match="--balance is for classifiers"):
        train(config)

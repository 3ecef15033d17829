"""Models that train or draw random numbers while they run are refused, as programs and as modules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgecnn.errors import InputError
from edgecnn.export.inference_check import check_inference
from edgecnn.export.program import read_program
from edgecnn.export.quiet import quiet

SHAPE = (1, 3, 8, 8)


class Does(nn.Module):
    """A convolution and what ``then`` does with its output, which no ``eval()`` changes."""

    def __init__(self, then: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv, self.then = nn.Conv2d(3, 4, 3), then

    def forward(self, x: Tensor) -> Tensor:
        return self.then(self.conv(x)).mean((2, 3))


def own_statistics(x: Tensor) -> Tensor:
    return F.batch_norm(x, torch.zeros(4), torch.ones(4), training=True)


RANDOM: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "dropout": (lambda x: F.dropout(x, 0.5, training=True), "dropout|bernoulli"),
    "dropout-that-hardly-ever-acts": (lambda x: F.dropout(x, 1e-6, training=True), "dropout|bernoulli"),
    "noise": (lambda x: x + 1e-7 * torch.randn_like(x), "random numbers"),
    "statistics": (own_statistics, "batch-norm by the batch's own statistics"),
}
FIXED: dict[str, Callable[[Tensor], Tensor]] = {
    "instance-norm": F.instance_norm,
    "dropout-off": lambda x: F.dropout(x, 0.5, training=False),
    "attention": lambda x: F.scaled_dot_product_attention(x, x, x),
    "rrelu": lambda x: F.rrelu(x, training=False),
}


def save(model: nn.Module, path: Path, *, decompose: bool = False) -> Path:
    with quiet():  # torch warns about its own internals
        program = torch.export.export(model, (torch.rand(SHAPE),))
        torch.export.save(program.run_decompositions() if decompose else program, path)
    return path


@pytest.mark.parametrize("name", RANDOM)
def test_a_module_that_is_random_in_eval_mode(name: str) -> None:
    then, message = RANDOM[name]
    with pytest.raises(InputError, match=message):
        check_inference(Does(then).eval(), SHAPE)


@pytest.mark.parametrize("name", FIXED)
def test_a_fixed_module_passes(name: str, tmp_path: Path) -> None:
    model = Does(FIXED[name]).eval()
    check_inference(model, SHAPE)
    read_program(save(model, tmp_path / "net.pt2"))


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("decompose", [False, True])
def test_a_program_that_is_random(name: str, decompose: bool, tmp_path: Path) -> None:
    path = save(Does(RANDOM[name][0]).eval(), tmp_path / "net.pt2", decompose=decompose)
    with pytest.raises(InputError, match=r"net\.pt2 (was traced in training mode|draws random numbers)"):
        read_program(path)


@pytest.mark.parametrize("decompose", [False, True])
@pytest.mark.parametrize("layer", [pytest.param(nn.BatchNorm2d(4), id="batch-norm"), pytest.param(nn.Dropout(0.1), id="dropout")])
def test_a_program_traced_in_training_mode(layer: nn.Module, decompose: bool, tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), layer, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(InputError, match=r"in training mode .*call model\.eval\(\) before torch\.export"):
        read_program(save(model.train(), tmp_path / "net.pt2", decompose=decompose))
    read_program(save(model.eval(), tmp_path / "eval.pt2", decompose=decompose))


def test_an_output_that_depends_on_the_other_images() -> None:
    with pytest.raises(InputError, match="depends on the other images of the batch"):
        check_inference(Does(lambda x: x - x.mean(0, keepdim=True) / 2), SHAPE)


def test_a_model_that_keeps_something_between_images() -> None:
    class Keeps(Does):
        def forward(self, x: Tensor) -> Tensor:
            self.conv.bias += 1  # type: ignore[operator]
            return super().forward(x)

    with pytest.raises(InputError, match="two outputs for the same image"):
        check_inference(Keeps(lambda x: x).requires_grad_(False), SHAPE)


def test_a_model_for_another_input_is_left_to_the_caller() -> None:
    def refuses(x: Tensor) -> Any:
        raise ValueError("another size")

    check_inference(Does(refuses), SHAPE)

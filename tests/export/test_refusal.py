"""What the error of a refused model says to do: the operator or the line is named where the converter names one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from edgecnn.export.refusal import refused


class Branch(nn.Module):
    """A forward pass that depends on the values of the image."""

    def forward(self, x: Tensor) -> Tensor:
        """Twice ``x`` where it is bright."""
        if x.mean() > 0.5:
            return x * 2
        return x


def test_a_branch_on_the_image_is_named_by_its_line() -> None:
    with pytest.raises(Exception, match="data-dependent") as caught:
        torch.export.export(Branch(), (torch.rand(1, 3, 4, 4),))
    error = refused("the model can't be converted", caught.value, "-")
    assert error.problem == "the model can't be converted: what it computes depends on the values of its input"
    assert error.fix.startswith("remove what depends on the values of the input, a branch or a shape: line ")
    assert error.fix.endswith("of test_refusal.py: if x.mean() > 0.5:")


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        pytest.param(
            "No conversion rule found for operations: aten::grid_sampler_3d", "replace the operator grid_sampler_3d", id="aten"
        ),
        pytest.param("failed to legalize operation 'tfl.custom_op'", "replace the operator tfl.custom_op", id="mlir"),
        pytest.param("something went wrong", "export it in another format", id="nothing-named"),
    ],
)
def test_an_operator_is_named_only_where_the_error_names_it(text: str, fix: str) -> None:
    assert refused("x", RuntimeError(text), "export it in another format").fix == fix

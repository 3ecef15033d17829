"""Networks in training form are exported with fused branches."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from edgecnn.export.reparametrize import fused

SHAPE = (1, 3, 16, 16)


class Branches(nn.Module):
    """A 3x3 and a 1x1 convolution in parallel, until they are fused."""

    def __init__(self, *, error: float = 0.0) -> None:
        super().__init__()
        self.wide, self.narrow, self.error = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(3, 8, 1), error

    def forward(self, x: Tensor) -> Tensor:
        """(B, 8, H, W)."""
        return self.wide(x) + self.narrow(x) if hasattr(self, "narrow") else self.wide(x)

    def switch_to_deploy(self) -> None:
        """Add the 1x1 kernel to the middle of the 3x3 kernel."""
        self.wide.weight.data += nn.functional.pad(self.narrow.weight.data, (1, 1, 1, 1)) + self.error
        self.wide.bias.data += self.narrow.bias.data  # type: ignore[union-attr]
        del self.narrow


class Replaced(Branches):
    """Its method returns another module, as timm's RepViT does."""

    switch_to_deploy = None  # type: ignore[assignment]

    def fuse(self) -> nn.Module:
        """The convolution alone."""
        Branches.switch_to_deploy(self)
        return self.wide


@pytest.mark.parametrize("kind", [Branches, Replaced])
def test_branches_become_one_convolution(kind: type[Branches]) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(kind(), nn.ReLU()).eval()
    result = fused(model, SHAPE)
    assert sum(isinstance(module, nn.Conv2d) for module in result.modules()) == 1
    assert sum(isinstance(module, nn.Conv2d) for module in model.modules()) == 2
    image = torch.rand(SHAPE)
    torch.testing.assert_close(result(image), model(image), rtol=1e-4, atol=1e-5)


def test_a_method_that_changes_the_outputs_is_not_used() -> None:
    model = nn.Sequential(Branches(error=0.01)).eval()
    assert fused(model, SHAPE) is model


def test_a_method_with_arguments_has_another_purpose() -> None:
    class Other(Branches):
        def switch_to_deploy(self, target: str) -> None:  # type: ignore[override]
            raise AssertionError(target)

    model = nn.Sequential(Other()).eval()
    assert fused(model, SHAPE) is model

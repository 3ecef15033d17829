from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgecnn.errors import InputError
from edgecnn.train import batch_memory
from edgecnn.train.hardware import Hardware
from edgecnn.types import Array

CPU = Hardware("cpu", bf16=False)


class Noise:
    """Images of 32 x 32 and their sum."""

    def __len__(self) -> int:
        return 8

    def batch(self, indices: Array, epoch: int) -> tuple[Tensor, Tensor]:
        images = torch.from_numpy(np.random.default_rng(0).random((len(indices), 1, 32, 32), np.float32))
        return images, images.mean((1, 2, 3))

    def loss(self, model: nn.Module, inputs: Tensor, truth: Tensor) -> Tensor:
        return F.mse_loss(model(inputs)[:, 0], truth)


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 32 * 32, 1))


def test_what_forward_keeps_is_counted() -> None:
    """Two images: the input, and three maps of 16 x 32 x 32 (one for the norm, one for ReLU and the last layer), in float32."""
    found = batch_memory.activation_bytes(network(), Noise(), CPU)
    maps = 2 * 16 * 32 * 32 * 4
    assert 2 * maps <= found <= 3.2 * maps


def test_a_batch_that_can_not_fit_is_refused_before_the_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    model = network()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    batch_memory.check_memory(model, Noise(), 64, CPU)
    per_image = batch_memory.BACKWARD_FACTOR * batch_memory.activation_bytes(network(), Noise(), CPU) / 2
    monkeypatch.setattr(batch_memory, "free_bytes", lambda: int(per_image * 20))
    batch_memory.check_memory(model, Noise(), 16, CPU)
    with pytest.raises(InputError, match=r"--batch: 64 images need .*GiB are free; use --batch 16"):
        batch_memory.check_memory(model, Noise(), 64, CPU)
    monkeypatch.setattr(batch_memory, "free_bytes", lambda: 1000)
    with pytest.raises(InputError, match="not even one image"):
        batch_memory.check_memory(model, Noise(), 64, CPU)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_what_fits_is_found_by_halving() -> None:
    tried: list[int] = []

    def attempt(count: int) -> None:
        tried.append(count)
        if count > 20:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    with (
        pytest.raises(InputError, match=r"for 128 images .CUDA out of memory.; use --batch 16"),
        batch_memory.explain_out_of_memory(128, attempt),
    ):
        attempt(128)
    assert tried == [128, 64, 32, 16]


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes"), batch_memory.explain_out_of_memory(8, lambda count: None):
        raise RuntimeError("shapes do not fit")
    with pytest.raises(RuntimeError, match="shapes"):
        batch_memory.largest_batch(8, _shapes)


def _shapes(_: int) -> None:
    raise RuntimeError("shapes do not fit")


@pytest.mark.parametrize(
    ("limit", "wanted"),
    [pytest.param("max", None, id="no-limit"), pytest.param("5000", 1000, id="limit"), pytest.param("10", 0, id="over")],
)
def test_a_container_may_have_less_than_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, wanted: int | None
) -> None:
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text("4000\n")
    monkeypatch.setattr(batch_memory, "CGROUP", tmp_path)
    found = batch_memory.free_bytes()
    assert found is not None
    assert found == wanted if wanted is not None else found > 10**6

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from edgecnn.models import create
from edgecnn.models.edgedet import STRIDES, EdgeDet
from edgecnn.models.new_card import new_card


@pytest.fixture(scope="module")
def model() -> EdgeDet:
    torch.manual_seed(0)
    made = create("edgedet", classes=3, size=(64, 96), widths=(8, 8, 16, 16, 16), depths=(1, 1, 1, 1), neck=16, head_depth=1)
    assert isinstance(made, EdgeDet)
    return made.eval()


def test_outputs_are_one_row_for_each_cell(model: EdgeDet) -> None:
    cells = sum((64 // stride) * (96 // stride) for stride in STRIDES)
    with torch.inference_mode():
        boxes, scores = model(torch.rand(2, 3, 64, 96))
    assert boxes.shape == (2, cells, 4)
    assert scores.shape == (2, cells, 3)


def test_outputs_stay_in_their_known_range(model: EdgeDet) -> None:
    with torch.inference_mode():
        boxes, scores = model(torch.randn(1, 3, 64, 96) * 50)
    assert boxes.min() >= 0
    assert boxes.max() <= model.reach
    assert scores.min() >= 0
    assert scores.max() <= 1


def test_training_gives_the_logits_of_the_scores(model: EdgeDet) -> None:
    image = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        scores = model(image)[1]
        model.training = True  # the flag of the top module alone: batch-norm must not move
        logits = model(image)[1]
        model.training = False
    assert torch.allclose(logits.sigmoid(), scores)


def test_rows_follow_the_image_row_by_row(model: EdgeDet) -> None:
    level = torch.randn(1, 16, 8, 12)
    head = model.heads[0]
    with torch.inference_mode():
        logits, distances = head(level)
        assert torch.equal(logits[0, 5 * 12 + 7], head.score(level)[0, :, 5, 7])
        assert torch.equal(distances[0, 5 * 12 + 7], head.box(level)[0, :, 5, 7])


def test_untrained_scores_are_low(model: EdgeDet) -> None:
    """The bias of the prior keeps thousands of empty cells from drowning the objects at the start."""
    with torch.inference_mode():
        assert model(torch.rand(1, 3, 64, 96))[1].max() < 0.05


def test_input_scale_folds_into_the_first_convolution(model: EdgeDet) -> None:
    """Without a mean the zeros of the padding mean the same before and after, so that raw pixels give equal features at the border too."""
    stem = model.backbone.stem[0]
    assert isinstance(stem, torch.nn.Conv2d)
    pixels = torch.randint(0, 256, (1, 3, 64, 96)).float()
    with torch.inference_mode():
        folded = F.conv2d(pixels, stem.weight / 255, stride=stem.stride, padding=stem.padding)
        assert torch.allclose(folded, stem(pixels / 255), atol=1e-5)


def test_shipped_layout_is_about_a_million_parameters() -> None:
    assert 0.8e6 < sum(parameter.numel() for parameter in create("edgedet").parameters()) < 1.2e6


@pytest.mark.parametrize(
    ("name", "millions"),
    [pytest.param("edgedet-n", 0.33, id="n"), pytest.param("edgedet-s", 0.9, id="s"), pytest.param("edgedet-m", 2.5, id="m")],
)
def test_three_sizes(name: str, millions: float) -> None:
    count = sum(parameter.numel() for parameter in create(name, classes=1).parameters())
    assert count / 1e6 == pytest.approx(millions, rel=0.05)


def test_gray_images() -> None:
    made = create("edgedet-n", classes=2, size=(96, 64), channels=1).eval()
    with torch.inference_mode():
        assert made(torch.rand(1, 1, 96, 64))[1].shape == (1, 12 * 8 + 6 * 4 + 3 * 2, 2)
    card = new_card("edgedet-n", {"classes": 2, "size": (96, 64), "channels": 1}, ("a", "b"))
    assert card.preprocess.color == "gray"
    assert card.inputs[0].shape == (1, 1, 96, 64)

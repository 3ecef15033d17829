from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgecnn import shipped  # noqa: E402
from edgecnn.models import create  # noqa: E402
from edgecnn.models.checkpoint import save_checkpoint  # noqa: E402
from edgecnn.models.new_card import new_card  # noqa: E402
from edgecnn.trust.explain.effective_field import effective_fields  # noqa: E402
from edgecnn.trust.explain.inner import FileReader, open_inner  # noqa: E402
from tests.trust.inside.networks import image  # noqa: E402

SIDE = 32


def saved(folder: Path, name: str) -> Path:
    torch.manual_seed(0)
    values = {"classes": 2, "channels": 3, "size": (SIDE, SIDE)}
    save_checkpoint(folder / "net.safetensors", create(name, **values), new_card(name, values, ("a", "b")))
    return folder / "net.safetensors"


def opened(folder: Path, name: str) -> FileReader:
    return open_inner(saved(folder, name))


def test_layers_of_a_checkpoint_have_the_names_of_its_modules(tmp_path: Path) -> None:
    with opened(tmp_path, "lecture") as reader:
        found = [(one.name, one.kind, one.height, one.stride, one.receptive_field) for one in reader.layers]
        activations = [step.activation for step in reader.steps]
    assert found == [
        ("features.1", "conv", 32, 1, 3),
        ("features.3", "max pool", 16, 2, 4),
        ("features.5", "conv", 16, 2, 8),
        ("features.7", "max pool", 8, 4, 10),
    ]
    assert activations == ["leakyrelu", "", "leakyrelu", ""]


def test_activations_are_those_that_the_modules_give(tmp_path: Path) -> None:
    """Also where the activation works in place."""
    with opened(tmp_path, "lecture") as reader:
        found = reader.activations(image(), ["features.1", "features.7"])
        model = reader._inside.model  # type: ignore[attr-defined]
        x = torch.from_numpy(reader._feeds(image())["image"])
        with torch.no_grad():
            expected = model.features[:2](x), model.features(x)
        assert reader.filters() == pytest.approx(model.features[0].weight.detach().numpy(), abs=1e-6)
    for one, other in zip(found.values(), expected, strict=True):
        assert one == pytest.approx(other[0].numpy(), abs=1e-5)


def test_the_gradient_of_a_place_lies_in_its_field(tmp_path: Path) -> None:
    with opened(tmp_path, "lecture") as reader:
        steps = [reader.step(name) for name in ("features.1", "features.5")]
        found = effective_fields(reader, [image(side=SIDE)], steps)
    for step in steps:
        own = found[step.layer.name]
        assert (own.method, own.beyond) == ("gradient", pytest.approx(0, abs=1e-6))
        rows, columns = np.flatnonzero(own.heat.any(1)), np.flatnonzero(own.heat.any(0))
        left, top, right, bottom = own.box
        assert rows[0] >= top
        assert rows[-1] < bottom
        assert columns[0] >= left
        assert columns[-1] < right
        # max pooling lets through one of four, so that the outermost pixels need not count
        assert rows[-1] - rows[0] >= (bottom - top) / 2


def test_sums_of_a_residual_network_are_layers(tmp_path: Path) -> None:
    with opened(tmp_path, "resnet-xs") as reader:
        sums = [step for step in reader.steps if step.layer.kind == "sum"]
        assert sums
        assert all(step.activation == "relu" for step in sums)
        maps = reader.activations(image(), [sums[0].layer.name])[sums[0].layer.name]
    assert maps.min() == 0
    assert maps.max() > 0


def test_quantizers_of_a_training_for_int8_are_no_layers() -> None:
    """The shipped checkpoint was trained for int8; its values are those that the next layer reads."""
    with open_inner(shipped.checkpoint("fashion-resnet-xs")) as reader:
        kinds = [step.layer.kind for step in reader.steps]
        first = reader.steps[0]
        maps = reader.activations(image(side=28), [first.layer.name])[first.layer.name]
        heat = reader.gradients([image(side=28)], first, (14, 14), 1, 0)
    assert set(kinds) == {"conv", "sum"}
    assert kinds.count("sum") == 6
    assert (first.activation, first.layer.receptive_field) == ("relu", 3)
    assert len(np.unique(maps)) <= 256
    assert heat is not None
    assert heat.sum() > 0

"""Tensors as an image of their bytes."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.card import Decode, ModelCard, Preprocess
from edgecnn.errors import ArtifactError, InputError
from edgecnn.preprocess import preparer
from edgecnn.tensor_pack import held, pack, pack_size, sample, unpack
from edgecnn.types import TensorSpec

SPECS = (TensorSpec("view", (1, 3, 50, 50), "float32"), TensorSpec("pose", (1, 6), "float32"))


def tensors() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {"pose": random.standard_normal((1, 6)).astype(np.float32), "view": random.random((1, 3, 50, 50), np.float32) * 1e-20}


def test_nothing_is_rounded() -> None:
    image = pack(tensors(), SPECS)
    assert image.shape == (*pack_size(SPECS), 3)
    for part in (image, image[:, :, :1]):
        found = unpack(part, SPECS)
        assert [*found] == ["view", "pose"]
        for name, array in tensors().items():
            np.testing.assert_array_equal(found[name], array)


def test_a_missing_batch_axis_is_added() -> None:
    given = {name: array[0] for name, array in tensors().items()}
    np.testing.assert_array_equal(pack(given, SPECS), pack(tensors(), SPECS))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"pose": None}, "a.npz has no array 'pose', only view", id="missing"),
        pytest.param({"pose": np.zeros((1, 7))}, r"a.npz: the array pose is float64 \(1, 7\), the input", id="shape"),
        pytest.param({"pose": np.full((1, 6), np.nan)}, "a.npz: the array pose has values that are not finite", id="nan"),
        pytest.param({"pose": np.full((1, 6), "x")}, "the array pose is <U1", id="text"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, np.ndarray | None], said: str) -> None:
    given = {name: array for name, array in {**tensors(), **change}.items() if array is not None}
    with pytest.raises(InputError, match=said):
        pack(given, SPECS, "a.npz")


def test_an_image_is_refused() -> None:
    with pytest.raises(InputError, match=r"takes tensors \(view, pose\), not images"):
        unpack(np.zeros((48, 64, 3), np.uint8), SPECS)


def test_repeated_values_are_exact_elsewhere() -> None:
    found = unpack(held(pack(tensors(), SPECS), SPECS, 4), SPECS)["pose"]
    assert found.reshape(-1).tolist() == np.float32(tensors()["pose"].reshape(-1)[[0, 0, 0, 0, 4, 4]]).tolist()
    assert not unpack(sample("black", SPECS), SPECS)["view"].any()


def test_a_card_says_what_it_takes() -> None:
    preprocess = Preprocess(pack_size(SPECS), "stretch", color="gray", input_dtype="uint8", tensors=SPECS)
    card = ModelCard(name="m", task="raw", labels=(), preprocess=preprocess, decode=Decode("raw"), inputs=SPECS)
    again = ModelCard.from_json(card.to_json())
    assert again.preprocess.tensors == SPECS
    feeds, _ = preparer(again.preprocess, again.inputs)(pack(tensors(), SPECS))
    np.testing.assert_array_equal(feeds["pose"], tensors()["pose"])
    with pytest.raises(ArtifactError, match="not that of the bytes"):
        ModelCard.from_json(card.to_json().replace('"size":[8,4096]', '"size":[9,4096]'))
    assert "tensors" not in card.replace(preprocess=Preprocess((8, 8))).to_json()

from __future__ import annotations

import pytest

from edgecnn.errors import InputError
from edgecnn.models.options import listing, parse_options
from edgecnn.models.registry import create, names


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        pytest.param("mobilenet", "width=0.25", {"width": 0.25}, id="number"),
        pytest.param("resnet-20", "blocks=2", {"blocks": 2}, id="whole-number"),
        pytest.param("resnet-s", "widths=8,16,24", {"widths": (8, 16, 24)}, id="numbers"),
        pytest.param("resnet-m", "depths=none", {"depths": None}, id="none"),
        pytest.param("resnet-m", "depths=1,2,1", {"depths": (1, 2, 1)}, id="numbers-or-none"),
        pytest.param("edgedet", "size=96x64", {"size": (96, 64)}, id="size"),
        pytest.param("lecture", "head=regress", {"head": "regress"}, id="one-of"),
    ],
)
def test_value_gets_the_type_of_the_argument(name: str, text: str, wanted: dict[str, object]) -> None:
    found = parse_options(name, [text])
    assert found == wanted
    assert [type(value) for value in found.values()] == [type(value) for value in wanted.values()]


@pytest.mark.parametrize("name", names())
def test_defaults_as_they_are_listed_build_the_model(name: str) -> None:
    texts = listing(name).replace(", ", "\n").splitlines()
    create(name, **parse_options(name, texts))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("hidden=3", r"no option 'hidden=3'; use key=value, one of .*widths=16,32,80", id="option-of-another-model"),
        pytest.param("widths", "no option 'widths'; use key=value", id="no-value"),
        pytest.param("classes=3", "resnet-s has no option 'classes=3'", id="what-the-data-says"),
        pytest.param("depth=two", "depth of resnet-s is an integer, not 'two'", id="word-for-a-number"),
        pytest.param("size=28", "2 integers separated by commas, not '28'", id="one-number-for-two"),
        pytest.param("head=detect", "one of classify, regress", id="head-that-it-has-not"),
        pytest.param("depths=1,,2", "integers separated by commas or none, not", id="gap"),
    ],
)
def test_mistake_lists_the_options(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_options("resnet-s", [text])

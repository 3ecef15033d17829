"""The search for the layers that must stay in float."""

from __future__ import annotations

import pytest

from edgecnn.export.budget.search import fewest

ORDER = [f"layer{index}" for index in range(20)]


@pytest.mark.parametrize(
    ("needed", "most"),
    [
        pytest.param({"layer0"}, 10, id="the most sensitive one"),
        pytest.param({"layer0", "layer4"}, 10, id="two with others between them"),
        pytest.param({f"layer{index}" for index in range(7)}, 7, id="as many as are allowed"),
    ],
)
def test_exactly_the_needed_layers_are_found(needed: set[str], most: int) -> None:
    assert fewest(lambda keep: needed <= keep, ORDER, most) == needed


@pytest.mark.parametrize("most", [0, 1, 4])
def test_none_is_found_where_more_are_needed_than_allowed(most: int) -> None:
    assert fewest(lambda keep: {"layer5"} <= keep, ORDER, most) is None

"""The comparison of two trees: the random network, the ratios, and one round of this tree against itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecnn.benchmarks.figures import compare_trees
from edgecnn.benchmarks.figures.compare_trees import LOAD, compare, start, write_network
from edgecnn.errors import BackendError
from edgecnn.integrity.digest import check_digests

pytest.importorskip("onnx")
ROOT = Path(__file__).parents[3]


def test_the_network_has_a_card_and_digests_where_they_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_trees, "CHANNELS", 8)
    for digests in (False, True):
        write_network(tmp_path / "wide.onnx", digests=digests)
        assert (check_digests(tmp_path / "wide.onnx") is not None) == digests
        assert (b"graph_sha256" in (tmp_path / "wide.onnx").read_bytes()) == digests
    words = ["-c", LOAD, str(tmp_path / "wide.onnx")]
    found = compare({"before": ROOT, "after": ROOT}, {"load": {"before": words, "after": words}}, 1)
    for clock in ("wall_s", "processor_s"):
        one = found["load"][clock]
        assert one["ratio_of_medians"] == pytest.approx(one["after"] / one["before"]) == pytest.approx(one["median_ratio"])
    assert "load" in compare_trees.table(found)


def test_a_command_that_fails_is_named() -> None:
    with pytest.raises(BackendError, match=r"-m edgecnn info absent.onnx failed in"):
        start(ROOT, ["-m", "edgecnn", "info", "absent.onnx"])

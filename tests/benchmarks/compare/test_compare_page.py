"""The page of `edgecnn compare`: complete, escaped, with all parts or one."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest

from edgecnn.benchmarks.compare.comparison import compare_records
from edgecnn.benchmarks.compare.finding import Limits
from edgecnn.benchmarks.compare.history import series_of
from edgecnn.benchmarks.compare.page import comparison_page
from edgecnn.benchmarks.compare.ratio_plot import ratio_plot
from edgecnn.benchmarks.compare.record_file import MeasuredRun

pytest.importorskip("jinja2")
Run = Callable[..., MeasuredRun]


class Tags(HTMLParser):
    """Notes tags that are closed without being open, or never."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def test_runs_stand_side_by_side_with_their_devices(run: Run) -> None:
    before = run("pi.json", scored=True)
    after = run("jetson.json", lambda own: own["device"].update(name="Other <Board>"), slower=1.4, scored=True)
    compared = compare_records(before, after, Limits(0.05), force=True)
    page = comparison_page([compared], [before, after], series_of([before, after]))
    tags = Tags(page)
    assert (tags.open, tags.wrong) == ([], [])
    assert "Other &lt;Board&gt;" in page
    assert "<script" not in page
    assert "http" not in page
    assert "@media print" in page
    assert 'class="regression"' in page
    for words in ("Side by side", "pi.json", "jetson.json", "Test Board 5", "slower (REGRESSION)"):
        assert words in page


def test_one_part_alone_makes_a_page(run: Run) -> None:
    own = run("a.json")
    assert "Side by side" not in comparison_page([], [], series_of([own]))
    assert Tags(comparison_page([compare_records(own, run("b.json"), Limits())])).wrong == []


def test_the_ratio_plot_has_a_row_for_each_interval(run: Run) -> None:
    found: Any = compare_records(run("a.json"), run("b.json", slower=1.4, seed=2), Limits())
    with_interval = [one for one in found.findings if one.kind in {"latency", "memory"}]
    for width in (1000.0, 352.0):
        assert ratio_plot(found.findings, width).count("<circle") == len(with_interval) == 4
    assert ratio_plot([one for one in found.findings if one.kind == "size"], 1000.0) == ""

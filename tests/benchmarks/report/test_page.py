from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.benchmarks.measure.record import Record
from edgecnn.benchmarks.report.page import data_uri, to_html
from edgecnn.errors import InputError

pytest.importorskip("jinja2")
VOID = {"meta", "br", "img", "link", "input", "hr"}


class Balanced(HTMLParser):
    """Notes tags that are opened and never closed, or closed without being open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


@pytest.mark.parametrize("scored", [pytest.param(True, id="with-accuracy"), pytest.param(False, id="without")])
def test_the_page_is_whole_and_needs_nothing_from_elsewhere(record_of: Callable[..., Record], scored: bool) -> None:
    page = to_html(record_of(scored=scored))
    parsed = Balanced(page)
    assert (parsed.open, parsed.wrong) == ([], [])
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "http" not in page
    assert "<script" not in page
    assert "@import" not in page
    assert ("Accuracy against latency" in page) is scored


def test_both_themes_and_a_phone_are_thought_of(record_of: Callable[..., Record]) -> None:
    page = to_html(record_of())
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page
    assert page.count('class="narrow"') == page.count('class="wide"') >= 5


def test_numbers_of_the_page_are_those_of_the_record(record_of: Callable[..., Record]) -> None:
    record = record_of()
    page = to_html(record)
    own = record.files[1]
    assert f"{own.clocks['task'].latency.p50:.2f}" in page
    assert own.score is not None
    assert f"{own.score.primary * 100:.2f}" in page
    assert "Cortex-A76" in page


def test_one_clock_alone_makes_a_page(record_of: Callable[..., Record]) -> None:
    import dataclasses

    record = record_of()
    for clock in ("model", "task", "age"):
        files = tuple(dataclasses.replace(own, clocks={clock: own.clocks[clock]}, throughput=None) for own in record.files)
        page = to_html(dataclasses.replace(record, files=files, disturbance={}))
        assert Balanced(page).wrong == []


def test_names_are_escaped(record_of: Callable[..., Record]) -> None:
    page = to_html(record_of(["<img src=x>.onnx"]))
    assert "<img src=x>" not in page


def test_a_picture_travels_inside(record_of: Callable[..., Record], tmp_path: Path) -> None:
    path = tmp_path / "seen.png"
    cv2.imwrite(str(path), np.zeros((4, 4, 3), np.uint8))
    assert 'src="data:image/png;base64,' in to_html(record_of(), path)


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "seen.png"
    path.write_bytes(b"not a picture")
    with pytest.raises(InputError, match="PNG or JPEG"):
        data_uri(path)
    with pytest.raises(InputError, match=r"--picture: .*missing\.png can't be read: No such file"):
        data_uri(tmp_path / "missing.png")

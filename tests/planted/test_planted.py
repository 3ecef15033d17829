"""The tables of planted changes fit the code: each text is in its file once, and its tests are there."""

from __future__ import annotations

import shlex

from tests.planted.run import CHANGES, ROOT


def test_each_text_is_once_in_its_file() -> None:
    counts = {change.name: (ROOT / change.file).read_text().count(change.old) for change in CHANGES}
    assert len(counts) == len(CHANGES)
    assert {name: count for name, count in counts.items() if count != 1} == {}


def test_each_change_alters_something_and_names_tests_that_are_there() -> None:
    assert [change.name for change in CHANGES if change.new == change.old] == []
    places = {word.partition("::")[0] for change in CHANGES for word in shlex.split(change.tests) if word.startswith("tests/")}
    assert sorted(place for place in places if not (ROOT / place).exists()) == []

from __future__ import annotations

import math
from typing import Any

import pytest

from edgecnn.errors import InputError
from edgecnn.live.parsers import Bytes, Flag, ImageSize, Integer, Names, Number, Numbers, OneOf, Parser, Seconds, Text

KINDS = Names("EVENTS", "line-crossed,zone-entered", r"[a-z0-9]+(-[a-z0-9]+)*")


@pytest.mark.parametrize(
    ("parse", "given", "value"),
    [
        (Seconds(above=0), "10m", 600.0),
        (Seconds(above=0), "1h", 3600.0),
        (Seconds(above=0), "500ms", 0.5),
        (Seconds(above=0), "2.5", 2.5),
        (Seconds(above=0), 3, 3.0),
        (Seconds(least=0), "inf", math.inf),
        (Bytes(), "100MB", 100_000_000),
        (Bytes(), "2GB", 2_000_000_000),
        (Bytes(), "500k", 500_000),
        (Bytes(), 7, 7),
        (Integer(least=0), "0", 0),
        (Number(least=0, most=1), "0.25", 0.25),
        (Names("CLASSES", "person,car"), " person, traffic light ", ("person", "traffic light")),
        (KINDS, ["line-crossed", "zone-entered"], ("line-crossed", "zone-entered")),
        (ImageSize(), "240x320", (240, 320)),
        (ImageSize(), 416, (416, 416)),
        (ImageSize(), (240, 320), (240, 320)),
        (Numbers(), "1,2.5", (1.0, 2.5)),
        (Text(), 0, "0"),
        (Text(several=True), ["a", "b"], "a,b"),
    ],
)
def test_values(parse: Parser, given: Any, value: Any) -> None:
    assert parse(given) == value
    assert parse(parse(given)) == value


@pytest.mark.parametrize(
    ("parse", "given", "message"),
    [
        (Seconds(above=0), "soon", "'soon' is not a time; write one such as 100ms, 30s, 10m or 1h"),
        (Seconds(above=0), "0s", "0s is out of range; choose a value above 0"),
        (Bytes(), "much", "'much' is not a size; write one such as 100MB or 2GB"),
        (Bytes(), "0", "0 is out of range; choose a value above 0"),
        (Integer(least=1), "0", "0 is out of range; choose a value of 1 or more"),
        (Integer(least=1), "1.5", "'1.5' is not a whole number"),
        (Number(least=0, most=1), 2, "2 is out of range; choose a value from 0 to 1"),
        (Number(), True, "True is not a number"),
        pytest.param(Number(), 10**400, "1000000", id="huge-number"),
        pytest.param(Seconds(), "9" * 400, "999999", id="huge-time"),
        pytest.param(Bytes(), "9" * 400, "999999", id="huge-size"),
        (Number(), "nan", "nan is out of range"),
        (KINDS, "Line Crossed!", "'Line Crossed!' is not a list of names; write them with commas between, such as line-crossed,"),
        (Names("CLASSES", "person,car"), ",", "',' is not a list of names; write them with commas between, such as person,car"),
        (OneOf("a", "b"), "c", "'c' is not one of a, b"),
        (Flag(), 1, "1 is neither true nor false"),
        (Text(), True, "True is not a text"),
        (Text(), ["a", "b"], "['a', 'b'] is a list, not one text"),
        (Text(several=True), ["a", {}], "['a', {}] is not a text"),
        (Text(), "a\0b", r"'a\x00b' contains a zero byte"),
        (ImageSize(), "0x3", "'0x3' is not a size"),
    ],
)
def test_wrong_values_are_named(parse: Parser, given: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(given)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("parse", "value", "text"),
    [
        (Seconds(), 5.0, "5s"),
        (Seconds(), math.inf, "inf"),
        (Bytes(), 2 * 10**9, "2GB"),
        (Bytes(), 1500, "1500B"),
        (Integer(), 3, "3"),
    ],
)
def test_values_as_text(parse: Parser, value: Any, text: str) -> None:
    assert parse.text(value) == text
    assert parse(text) == value

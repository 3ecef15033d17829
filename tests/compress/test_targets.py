from __future__ import annotations

from pathlib import Path

import pytest

from edgecnn.compress.targets import LatencyTarget, parse_latency, parse_macs
from edgecnn.errors import InputError


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param("4x", 250_000, id="times"),
        pytest.param("2.5X", 400_000, id="part-of-a-time"),
        pytest.param("25%", 250_000, id="percent"),
        pytest.param("300k", 300_000, id="thousand"),
        pytest.param("0.5M", 500_000, id="million"),
        pytest.param("1234", 1234, id="plain"),
    ],
)
def test_macs(text: str, wanted: int) -> None:
    assert parse_macs(text, 1_000_000) == wanted


@pytest.mark.parametrize("text", ["", "four", "0x", "-2x", "1x", "100%", "2M", "0.5x"])
def test_macs_that_make_no_sense(text: str) -> None:
    with pytest.raises(
        InputError, match=r"--target-macs: .* (is not a number of MACs; write it as 4x|not fewer than the 1,000,000)"
    ):
        parse_macs(text, 1_000_000)


def test_latency(tmp_path: Path) -> None:
    file = tmp_path / "other.onnx"
    file.write_bytes(b"x")
    assert parse_latency("2ms") == LatencyTarget(ms=2.0)
    assert parse_latency("0.35 MS") == LatencyTarget(ms=0.35)
    assert parse_latency(str(file)) == LatencyTarget(artifact=file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("raspberry-pi-5", "measuring on another device is not supported yet", id="device"),
        pytest.param("gone.onnx", "--target-latency: gone.onnx does not exist", id="missing-file"),
        pytest.param("0ms", "'0ms' is neither milliseconds nor a model file", id="zero"),
    ],
)
def test_latency_that_can_not_be(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_latency(text)

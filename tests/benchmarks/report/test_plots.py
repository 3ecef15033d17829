from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import combinations

import pytest

from edgecnn.benchmarks.report.plot_bars import BarStack, sparkline, stacked_bars
from edgecnn.benchmarks.report.plot_distribution import SampleSeries, distribution_plot
from edgecnn.benchmarks.report.plot_scatter import ScatterPoint, scatter_plot
from edgecnn.benchmarks.report.svg import SMALL, LogAxis, even_ticks, shorten, text_width

WIDTHS = [pytest.param(1000.0, id="desk"), pytest.param(352.0, id="phone")]
NAMES = [f"cups-{precision}.{suffix}" for precision in ("fp32", "fp16", "int8") for suffix in ("onnx", "tflite", "xml")]


def texts(svg: str, class_: str) -> list[tuple[str, float, float]]:
    root = ET.fromstring(svg)
    return [(e.text or "", float(e.attrib["x"]), float(e.attrib["y"])) for e in root.iter("text") if e.get("class") == class_]


@pytest.mark.parametrize("width", WIDTHS)
def test_labels_of_many_close_points_do_not_overlap(width: float) -> None:
    points = [
        ScatterPoint(name, 10.0 + index * 0.15, 11.0 + index * 0.15, 83.0 + index % 3 * 0.05) for index, name in enumerate(NAMES)
    ]
    labels = texts(scatter_plot(points, width, 400.0, "x", "y"), "label")
    assert len(labels) == len(points)
    boxes = [(x - text_width(words, SMALL) / 2, y - 11, x + text_width(words, SMALL) / 2, y + 4) for words, x, y in labels]
    for one, other in combinations(boxes, 2):
        assert min(one[2], other[2]) <= max(one[0], other[0]) or min(one[3], other[3]) <= max(one[1], other[1])
    assert all(box[0] >= 0 and box[2] <= width + 1 for box in boxes)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_distribution_marks_every_file_and_its_slowest_samples(width: float) -> None:
    series = [SampleSeries(name, [1.0 + index * 0.001 for index in range(200)]) for name in NAMES]
    root = ET.fromstring(distribution_plot(series, width, "t"))
    classes = [element.get("class", "").split(" ")[0] for element in root.iter()]
    assert classes.count("p50") == classes.count("p99") == classes.count("hill") == len(NAMES)
    assert classes.count("tail") == 2 * len(NAMES)


def test_samples_that_are_all_alike_still_make_a_plot() -> None:
    ET.fromstring(distribution_plot([SampleSeries("a", [2.0] * 10)], 352.0, "t"))
    ET.fromstring(scatter_plot([ScatterPoint("a", 2.0, 2.0, 50.0)], 352.0, 300.0, "x", "y"))
    ET.fromstring(sparkline([[2.0], [2.0]]))


def test_names_cannot_break_out_of_the_plot() -> None:
    svg = distribution_plot([SampleSeries('<script>"x"</script>&', [1.0, 2.0])], 1000.0, "<b>")
    assert "<script>" not in svg
    assert [words for words, _, _ in texts(svg, "name")] == ['<script>"x"</script>&']


def test_bars_are_as_long_as_their_parts() -> None:
    svg = stacked_bars([BarStack("a", {"x": 3.0, "y": 1.0}), BarStack("b", {"x": 2.0, "y": 0.0})], 352.0, "t")
    widths = [float(found) for found in re.findall(r'<rect [^>]*width="([\d.]+)" height="18"', svg)]
    assert widths[0] == pytest.approx(3 * widths[1], rel=0.01)
    assert widths[2] == pytest.approx(2 * widths[1], rel=0.01)


def test_ticks_are_round_few_and_inside() -> None:
    axis = LogAxis.around([0.3, 250.0], 0, 100)
    assert axis.ticks(20) == [0.5, 1, 2, 5, 10, 20, 50, 100, 200]
    assert len(axis.ticks(4)) <= 4
    assert even_ticks(83.1, 84.9, 5) == [83.5, 84.0, 84.5]
    near = LogAxis.around([4.0, 5.0], 0, 100)
    assert all(near.low <= tick <= near.high for tick in near.ticks(5))


def test_equal_ratios_are_equally_far_apart() -> None:
    axis = LogAxis(1.0, 100.0, 0.0, 200.0)
    assert (axis(1.0), axis(10.0), axis(100.0)) == (0.0, pytest.approx(100.0), 200.0)


def test_a_name_is_cut_to_its_room() -> None:
    cut = shorten("a-very-long-name-int8.onnx", 80, SMALL)
    assert text_width(cut, SMALL) <= 80
    assert cut.endswith("onnx")
    assert shorten("short", 80) == "short"

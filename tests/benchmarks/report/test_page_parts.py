"""Waterfall, Pareto front, sustained curve, accuracy by class, Markdown and CSV of a record."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import re
from collections.abc import Callable

import pytest

from edgecnn.benchmarks.measure.record import Record
from edgecnn.benchmarks.measure.scenario import EnergyUse, SustainedCurve, SustainedRecord
from edgecnn.benchmarks.report.class_table import class_table
from edgecnn.benchmarks.report.page import to_html
from edgecnn.benchmarks.report.plot_scatter import ScatterPoint, pareto_front, scatter_plot
from edgecnn.benchmarks.report.plot_sustained import sustained_plot
from edgecnn.benchmarks.report.plot_waterfall import Waterfall, WaterfallStage, waterfall_plot
from edgecnn.benchmarks.report.record_tables import to_csv, to_markdown
from edgecnn.benchmarks.report.scenarios import scenario_tables

RecordOf = Callable[..., Record]


def rects(plot: str) -> list[tuple[float, float]]:
    """Left edge and width of each bar."""
    return [(float(x), float(w)) for x, w in re.findall(r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', plot)]


@pytest.mark.parametrize("width", [1000.0, 352.0])
def test_each_stage_begins_where_the_one_before_ends(width: float) -> None:
    stages = (WaterfallStage("preprocess", 2.0, 3.0), WaterfallStage("infer", 6.0, 9.0), WaterfallStage("postprocess", 1.0, 30.0))
    plot = waterfall_plot([Waterfall("a.onnx", stages)], width, "stages")
    bars = rects(plot)
    assert len(bars) == 3
    for (left, wide), (after, _) in itertools.pairwise(bars):
        assert left + wide == pytest.approx(after, abs=0.05)
    assert bars[1][1] == pytest.approx(3 * bars[0][1], rel=0.01)
    assert bars[2][0] + bars[2][1] > width * 0.4  # a far tail does not press the bars together


def test_the_front_holds_what_no_other_beats() -> None:
    points = [
        ScatterPoint(name, p50, p50, accuracy) for name, p50, accuracy in (("a", 1, 50), ("b", 2, 49), ("c", 3, 60), ("d", 3, 55))
    ]
    assert pareto_front(points) == [0, 2]
    plot = scatter_plot(points, 1000, 400, "ms", "%")
    assert plot.count('class="front"') == 1
    assert plot.count('class="point behind "') == 2
    assert 'class="front"' not in scatter_plot(points[:2], 1000, 400, "ms", "%")


CURVE = SustainedCurve(
    t_s=(0.0, 10.0, 20.0, 30.0, 40.0),
    latency_ms_p50=(4.0,) * 5,
    latency_ms_p99=(5.0,) * 5,
    temperature_c=(60.0,) * 5,
    frequency_mhz=(1800, None, 1500, 1500, 1500),
)


def test_a_sustained_run_is_drawn_with_what_was_measured() -> None:
    warm = sustained_plot(CURVE, 1000.0, "run")
    assert [name in warm for name in ("latency", "temperature", "frequency")] == [True] * 3
    assert "temperature" not in sustained_plot(dataclasses.replace(CURVE, temperature_c=(None,) * 5), 1000.0, "run")
    path = re.findall(r'd="([^"]+)" class="curve clock"', warm)[0]
    assert (path.count("M"), path.count("L")) == (2, 2)  # a gap where nothing was measured


def test_the_page_shows_a_sustained_run_with_its_findings(record_of: RecordOf) -> None:
    pytest.importorskip("jinja2")
    record = record_of()
    own = SustainedRecord("model", CURVE, 1000, 40.0, None, None, EnergyUse(), ("throttled: p50 rose",), True)
    page = to_html(dataclasses.replace(record, files=(dataclasses.replace(record.files[0], sustained=own), *record.files[1:])))
    assert "Sustained run: cups-fp32.onnx" in page
    assert "throttled: p50 rose" in page
    assert "Sustained run" not in to_html(record)


def test_start_and_end_of_a_sustained_run_are_those_that_are_judged(record_of: RecordOf) -> None:
    """Medians of tenths: one slow window at the end is no slower end."""
    latencies = (4.0,) * 19 + (9.0,)
    curve = SustainedCurve(tuple(map(float, range(20))), latencies, latencies, (60.0,) * 20, (1800,) * 18 + (1500,) * 2)
    record, own = record_of(), SustainedRecord("model", curve, 1000, 40.0)
    found = dataclasses.replace(record, files=(dataclasses.replace(record.files[0], sustained=own),))
    (row,) = [line for table in scenario_tables(found) for line in table.splitlines() if line.startswith("cups-fp32.onnx")]
    assert row.split()[1:] == ["0.7", "4.00", "4.00", "25.0", "60-60", "1800-1500", "-"]


def test_the_worst_class_comes_first(record_of: RecordOf) -> None:
    record = record_of()
    assert class_table(record) is None  # made-up scores have no classes
    own = record.files[0]
    assert own.score is not None
    scores = ({"mug": 0.9, "bowl": 0.4, "plate": float("nan")}, {"mug": 0.3, "bowl": 0.5})
    files = tuple(
        dataclasses.replace(each, score=dataclasses.replace(own.score, per_class=values, support={"mug": 7}, counted="boxes"))
        for each, values in zip(record.files, scores, strict=True)
    )
    table = class_table(dataclasses.replace(record, files=files))
    assert table is not None
    assert [(label, support) for label, support, _ in table.rows] == [("mug", 7), ("bowl", None), ("plate", None)]
    assert table.rows[2][2] == [None, None]
    pytest.importorskip("jinja2")
    assert "Accuracy by class" in to_html(dataclasses.replace(record, files=files))


def test_markdown_and_csv_hold_the_numbers_of_the_record(record_of: RecordOf) -> None:
    record = record_of(("a|b-fp32.onnx", "cups-int8.onnx"))
    text = to_markdown(record)
    assert "a\\|b-fp32.onnx" in text
    assert sum(line.startswith("| ---") for line in text.splitlines()) == 2
    rows = list(csv.DictReader(to_csv(record).splitlines()))
    assert [(row["file"], row["clock"]) for row in rows[:2]] == [("a|b-fp32.onnx", "model"), ("a|b-fp32.onnx", "task")]
    assert float(rows[0]["p50_ms"]) == pytest.approx(record.files[0].clocks["model"].latency.p50, abs=1e-4)
    assert rows[0]["metric"] == "map"
    assert rows[2]["throughput_fps"] == ""  # the age clock has none

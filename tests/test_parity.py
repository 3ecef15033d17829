"""How far two outputs and two predictions are apart, and what counts as too far."""

from __future__ import annotations

import numpy as np
import pytest

from edgecnn.parity import (
    TOLERANCES,
    UNUSABLE,
    Agreement,
    ParityRow,
    TensorError,
    judge_row,
    table,
    tensor_error,
    tolerance_factor,
    value_range,
)
from edgecnn.tasks import compare
from edgecnn.types import Classes, Detections, Values

EXACT = TensorError(0.0, 0.0, 1.0)


def boxes(*rows: tuple[float, float, float, float, float, int]) -> Detections:
    array = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(array[:, :4], array[:, 4], array[:, 5].astype(np.int64))


def classes(*scores: float) -> Classes:
    return Classes(np.array(scores, np.float32))


def test_errors_are_parts_of_the_range() -> None:
    error = tensor_error(np.array([0.0, 4.0]), np.array([1.0, 4.0]), spread=4.0)
    assert error.largest == pytest.approx(0.25)
    assert error.mean == pytest.approx(0.125)
    assert error.cosine == pytest.approx(4 / np.sqrt(17))


@pytest.mark.parametrize(
    "got",
    [
        pytest.param(np.array([np.nan, 1.0]), id="nan"),
        pytest.param(np.array([np.inf, 1.0]), id="infinite"),
        pytest.param(np.array([1.0]), id="another-shape"),
    ],
)
def test_what_can_not_be_compared_is_infinitely_wrong(got: np.ndarray) -> None:
    assert tensor_error(np.array([0.0, 1.0]), got, 1.0) == UNUSABLE


def test_the_range_holds_zero() -> None:
    assert value_range([np.array([2.0, 3.0]), np.array([5.0])]) == 5.0
    assert value_range([np.array([-2.0]), np.array([1.0])]) == 3.0
    assert value_range([np.zeros(3)]) == 1.0


def test_a_tie_in_pytorch_is_no_disagreement() -> None:
    tolerance = TOLERANCES["fp32"]
    assert compare(classes(0.5, 0.49999, 0.0), classes(0.4, 0.6, 0.0), tolerance).same == 1
    assert compare(classes(0.5, 0.4, 0.1), classes(0.4, 0.5, 0.1), tolerance).same == 0


@pytest.mark.parametrize(
    ("got", "total"),
    [
        pytest.param([1.5, 2.0], 0, id="the-tensors-say-how-far-apart"),
        pytest.param([1.0], 1, id="another-number"),
        pytest.param([1.0, np.nan], 1, id="not-a-number"),
    ],
)
def test_values_must_be_there(got: list[float], total: int) -> None:
    found = compare(Values(np.float32([1.0, 2.0])), Values(np.float32(got)), TOLERANCES["fp32"])
    assert (found.same, found.total) == (0, total)


def test_missing_and_extra_boxes_count_alike() -> None:
    one, two = (0, 0, 10, 10, 0.9, 0), (50, 50, 60, 60, 0.8, 1)
    missing = compare(boxes(one, two), boxes(one), TOLERANCES["fp32"])
    extra = compare(boxes(one), boxes(one, two), TOLERANCES["fp32"])
    assert (missing.same, missing.total) == (extra.same, extra.total) == (2, 3)


def test_a_box_of_another_class_is_another_box() -> None:
    found = compare(boxes((0, 0, 10, 10, 0.9, 0)), boxes((0, 0, 10, 10, 0.9, 1)), TOLERANCES["int8"])
    assert (found.same, found.total) == (0, 2)


def test_int8_forgives_unsure_boxes_that_come_and_go() -> None:
    sure, unsure = (0, 0, 10, 10, 0.9, 0), (50, 50, 60, 60, 0.29, 0)
    found = compare(boxes(sure, unsure), boxes(sure), TOLERANCES["int8"])
    assert (found.same, found.total) == (2, 2)
    assert compare(boxes(sure, unsure), boxes(sure), TOLERANCES["fp16"]).total == 3


def test_a_partner_may_have_any_score_and_the_difference_is_told() -> None:
    found = compare(boxes((0, 0, 10, 10, 0.35, 0)), boxes((0, 0, 10, 10, 0.25, 0)), TOLERANCES["int8"])
    assert (found.same, found.total) == (1, 1)
    assert found.score_gaps == pytest.approx((0.1,))


def test_a_label_against_boxes_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="can't compare"):
        compare(classes(1.0), boxes(), TOLERANCES["fp32"])


@pytest.mark.parametrize(
    ("error", "violation"),
    [
        pytest.param(TensorError(2e-4, 0.0, 1.0), "largest error 0.0002", id="largest"),
        pytest.param(TensorError(5e-5, 2e-5, 1.0), "mean error 2e-05", id="mean"),
        pytest.param(TensorError(5e-5, 0.0, 0.9), "cosine 0.9000", id="cosine"),
        pytest.param(TensorError(float("nan"), 0.0, 1.0), "largest error nan", id="not-a-number"),
    ],
)
def test_each_measure_can_be_out_of_tolerance(error: TensorError, violation: str) -> None:
    row = judge_row("real", {"out": error}, [], TOLERANCES["fp32"])
    assert any(violation in text for text in row.violations)
    assert not judge_row("real", {"out": EXACT}, [], TOLERANCES["fp32"]).violations


def test_stress_images_warn_and_only_a_gross_error_refuses() -> None:
    tolerance = TOLERANCES["fp16"]
    harmless = {"out": TensorError(0.05, tolerance.mean * 1.2, 0.998)}
    row = judge_row("tall", harmless, [], tolerance, real=False)
    assert not row.violations
    assert len(row.warnings) == 3
    assert judge_row("real", harmless, [], tolerance).violations == row.warnings
    assert judge_row("tall", {"out": TensorError(0.5, tolerance.mean * 11, 0.998)}, [], tolerance, real=False).violations
    assert judge_row("black", {"out": UNUSABLE}, [], tolerance, real=False).violations


def test_one_value_of_a_thousand_may_be_out_of_the_limit_but_not_far() -> None:
    tolerance = TOLERANCES["fp16"]
    expected = np.linspace(0, 1, 5000)
    one, far, many = expected.copy(), expected.copy(), expected.copy()
    one[7] += 0.05
    far[7] += 0.2
    many[:20] += 0.05
    violations = [
        judge_row("real", {"o": tensor_error(expected, got, 1.0)}, [], tolerance).violations for got in (one, far, many)
    ]
    assert violations[0] == ()
    assert violations[1] == ("an error of 0.2 of the range in a single value, limit 0.1",)
    assert violations[2] == ("largest error 0.05 of the range, limit 0.01",)


def test_of_few_values_none_may_be_out_of_the_limit() -> None:
    expected = np.linspace(0, 1, 30)
    got = expected.copy()
    got[3] += 0.05
    assert judge_row("real", {"o": tensor_error(expected, got, 1.0)}, [], TOLERANCES["fp16"]).violations


def test_swapped_columns_of_rare_classes_are_seen_in_the_channels() -> None:
    """Scores of 1e-5 are below every limit that is a share of the range."""
    expected = np.random.default_rng(0).uniform(0, 2e-5, (4, 300, 6))
    expected[..., 0] += np.random.default_rng(1).uniform(0, 1, (4, 300))
    got = expected[..., [0, 1, 2, 3, 5, 4]]
    error = tensor_error(expected, got, 1.0, axis=2)
    assert judge_row("real", {"o": error}, [], TOLERANCES["fp32"]).violations == (
        f"a channel differs by {error.channel:.0%} of itself, limit 5%",
    )


def test_slack_is_how_far_beyond_the_tolerance_a_row_is() -> None:
    tolerance = TOLERANCES["int8"]
    row = ParityRow("real", 1, {"out": TensorError(0.1, tolerance.mean * 3, 1.0)}, agree=1.0, score=0.0)
    assert tolerance_factor(row, tolerance) == pytest.approx(3.0)
    loose = tolerance.loosened(3.5)
    assert not judge_row("real", row.errors, [], loose).violations
    assert judge_row("real", row.errors, [], tolerance).violations


def test_the_table_lines_up_and_shows_what_failed() -> None:
    text = table(
        [ParityRow("real", 12, {"out": EXACT}, 1.0, 0.0), ParityRow("black", 1, {"out": EXACT}, None, None, ("bad",))], "boxes"
    )
    head, first, second = text.splitlines()
    assert "boxes" in head
    assert first.endswith("ok")
    assert second.endswith("OUT OF TOLERANCE")
    assert head.index("cosine") + len("cosine") == first.index("1.00000") + len("1.00000")


def test_the_direction_of_next_to_nothing_does_not_count() -> None:
    scores, others = np.array([1e-6, 0.0, 0.004]), np.array([0.0, 0.004, 0.0])
    assert tensor_error(scores, others, 1.0).cosine == 1.0
    assert tensor_error(scores * 100, others * 100, 1.0).cosine < 0.1
    assert tensor_error(np.zeros(3), np.array([0.5, 0.5, 0.5]), 1.0).cosine == 0.0


def test_nan_never_agrees() -> None:
    """A comparison with NaN is false, so each limit is written so that it fails then."""
    tolerance, nan = TOLERANCES["fp32"], float("nan")
    assert compare(classes(0.9, 0.1), classes(nan, 0.1), tolerance).same == 0
    assert compare(classes(0.9, 0.1), classes(nan, nan), tolerance).same == 0
    row = ParityRow("noise", 1, {"o": EXACT}, agree=1.0, score=nan)
    judged = judge_row("noise", {"o": EXACT}, [Agreement(1, 1, (nan,))], tolerance)
    assert judged.violations == ("scores differ by nan, limit 0.0001",)
    assert tolerance_factor(row, tolerance) == float("inf")

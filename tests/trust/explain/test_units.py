from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecnn.trust.explain.effective_field import cells_over, effective_fields
from edgecnn.trust.explain.inner import open_inner
from edgecnn.trust.explain.units import UnitWatch
from tests.trust.inside.networks import OPTIONS, image, write_network


def test_peaks_are_the_highest_values_and_where_they_were(tmp_path: Path) -> None:
    with open_inner(write_network(tmp_path, "onnx"), OPTIONS) as reader:
        (first, *_) = reader.steps
        watch = UnitWatch([first], [first.layer.name], 2)
        images = [image(seed) for seed in range(5)]
        maps = [reader.activations(one, watch.names) for one in images]
        for index, found in enumerate(maps):
            watch.add(index, found)
        units = watch.result()[first.layer.name]
    assert units.images == 5
    for unit, peaks in enumerate(units.peaks):
        highest = sorted((float(found[first.layer.name][unit].max()) for found in maps), reverse=True)
        assert [peak.value for peak in peaks] == pytest.approx(highest[:2])
        for peak in peaks:
            assert maps[peak.image][first.layer.name][unit, peak.row, peak.column] == pytest.approx(peak.value)


def test_units_that_say_nothing_are_named(tmp_path: Path) -> None:
    with open_inner(write_network(tmp_path, "onnx"), OPTIONS) as reader:
        steps = {step.layer.name: step for step in reader.steps}
    relu, linear = steps["first_relu"], steps["mixed"]
    watch = UnitWatch([relu, linear], [], 0)
    random = np.random.default_rng(0)
    for index in range(3):
        one, other = random.random((4, 8, 8), np.float32), -random.random((6, 4, 4), np.float32)
        one[2], other[5] = 0, 0.5
        watch.add(index, {"first_relu": one, "mixed": other})
    found = watch.result()
    assert (found["first_relu"].dead, found["first_relu"].constant, found["first_relu"].silent) == ((2,), (), (2,))
    # without an activation a value below zero says something
    assert (found["mixed"].dead, found["mixed"].constant, found["mixed"].peaks) == ((), (5,), ())


def test_the_effect_lies_in_the_field(tmp_path: Path) -> None:
    with open_inner(write_network(tmp_path, "onnx"), OPTIONS) as reader:
        chosen = [step for step in reader.steps if step.layer.name in ("first_relu", "depth_relu")]
        found = effective_fields(reader, [image(1), image(2)], chosen)
    for step in chosen:
        own = found[step.layer.name]
        left, top, right, bottom = own.box
        assert (right - left, bottom - top) == (step.layer.receptive_field, step.layer.receptive_field)
        assert own.method == "occlusion"
        assert own.heat.sum() == pytest.approx(1, abs=1e-4)
        assert own.beyond == pytest.approx(0, abs=1e-5)
        assert 1 <= own.side <= step.layer.receptive_field


@pytest.mark.parametrize("box", [(3, 4, 10, 11), (-5, -5, 60, 60), (0, 0, 1, 1), (12, 12, 19, 19)])
def test_cells_cover_a_field_once(box: tuple[int, int, int, int]) -> None:
    count = np.zeros((16, 16), int)
    for cell in cells_over(box, (16, 16)):
        count[cell] += 1
    left, top, right, bottom = box
    assert count.max() == 1
    assert (count[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] == 1).all()

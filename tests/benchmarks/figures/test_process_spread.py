from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edgecnn.benchmarks.figures.process_spread import deviations, main, process_deviation
from edgecnn.errors import InputError


def test_the_deviation_of_one_process_is_found_in_the_ratios_of_two() -> None:
    random = np.random.default_rng(0)
    latency = np.exp(random.normal(0, 0.02, (20_000, 2)))
    ratios = latency[:, 1] / latency[:, 0]
    assert process_deviation(ratios) == pytest.approx(0.02, rel=0.03)
    assert process_deviation([*ratios[:1000], *[3.0] * 50]) == pytest.approx(0.02, rel=0.15)


def test_records_are_read_and_others_refused(tmp_path: Path) -> None:
    record = tmp_path / "equal.json"
    record.write_text(json.dumps({"rows": [{"ratios": [1.0, 1.1, 0.9]}, {"ratios": [1.0, 1.01, 0.99]}]}))
    assert deviations(record)[0] < 0.02 < deviations(record)[1]
    assert (
        "equal.json: 2 comparisons; from process to process 1.0 % in the calmest one"
        in CliRunner().invoke(main, [str(record)]).output
    )
    record.write_text("{}")
    with pytest.raises(InputError, match="is no record of comparisons"):
        deviations(record)

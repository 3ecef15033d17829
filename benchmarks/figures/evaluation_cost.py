"""What an evaluation costs over the predictions themselves: reading of images, the model's own work, and all that measures.

``python -m edgecnn.benchmarks.figures.evaluation_cost FILE --data ADDRESS --json FILE``

One pass through `edgecnn evaluate`: the model's own work is preprocessing, inference and decoding; the rest is matching, accumulation,
details and intervals. Loading the model and listing the dataset come before. Ratios are of processor time, which other programs on a
busy machine hardly change; the wall times are recorded, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import click

from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.benchmarks.measure.evaluation import EvaluationConfig, whole_curve
from edgecnn.benchmarks.measure.progress import ProgressLine, time_left
from edgecnn.columns import align_columns
from edgecnn.data import Dataset
from edgecnn.files import check_writable
from edgecnn.metrics.ground_truth import GroundTruthSample
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.tasks.evaluate import Outcome
from edgecnn.trust.accuracy.measure import evaluate_in_detail

REACH = 1.3


class TimedOutcomes:
    """Outcomes of a predictor, with the seconds of reading and of each stage."""

    not_finite = 0

    def __init__(self, predictor: Predictor, dataset: Dataset) -> None:
        self._worker, self._dataset = predictor.worker(), dataset
        self.seconds = {"reading": 0.0, "preprocess": 0.0, "infer": 0.0, "postprocess": 0.0}
        self.processor = {"reading": 0.0, "own": 0.0}
        self.started = self.processor_started = 0.0

    def __iter__(self) -> Iterator[tuple[GroundTruthSample, Outcome]]:
        self.started, self.processor_started = perf_counter(), process_time()
        for sample in self._dataset.samples:
            before, at = perf_counter(), process_time()
            image = sample.read()
            self.seconds["reading"] += perf_counter() - before
            read = process_time()
            found, spent = self._worker(image)
            self.processor["reading"] += read - at
            self.processor["own"] += process_time() - read
            for stage, ms in spent.items():
                self.seconds[stage] += ms / 1e3
            yield sample, found


@click.command()
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--data", required=True, metavar="ADDRESS", help="The dataset.")
@click.option("--labels", type=click.Path(exists=True, path_type=Path), help="Class names of the model.")
@click.option("--limit", type=click.IntRange(1), help="Maximum number of images.")
@click.option(
    "--rounds", type=click.IntRange(1), default=1, show_default=True, help="Evaluations; that with the median ratio counts."
)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results as JSON.")
def command(file: Path, data: str, labels: Path | None, limit: int | None, rounds: int, json_path: Path | None) -> None:
    """Measure what an evaluation costs over the model's own work."""
    if json_path is not None:
        check_writable(json_path)
    with ProgressLine() as line:
        row = median([measured(file, data, labels, limit, line) for _ in range(rounds)])
    click.echo(table(row))
    click.echo(f"\n{conclusion(row)}")
    if json_path is not None:
        figure.record(json_path, "evaluation_cost", {"reach": REACH, **row})


def measured(file: Path, data: str, labels: Path | None, limit: int | None, line: ProgressLine) -> dict[str, Any]:
    """Seconds by part, and the ratio of all but reading to the model's own work: preprocessing, inference and decoding."""
    options = CardOptions(labels=labels)
    config = EvaluationConfig(file=file, data=DatasetSelection(data, limit=limit), options=options, threads=1)
    timed: list[TimedOutcomes] = []
    with Predictor(file, threads=1, options=whole_curve(options)) as predictor:

        def predicted(dataset: Dataset) -> TimedOutcomes:
            timed.append(TimedOutcomes(predictor, dataset))
            return timed[0]

        found = evaluate_in_detail(config, predicted=predicted, progress=time_left(line, "image"))
        total, processor = perf_counter() - timed[0].started, process_time() - timed[0].processor_started
    seconds = timed[0].seconds
    own = seconds["preprocess"] + seconds["infer"] + seconds["postprocess"]
    rest = total - own - seconds["reading"]
    used = {**timed[0].processor, "total": processor}
    measuring = processor - used["own"] - used["reading"]
    return {
        "file": file.name,
        "dataset": found.dataset.name,
        "images": found.evaluation.score.n,
        "seconds": {**seconds, "measuring": rest, "total": total},
        "processor_s": {**used, "measuring": measuring},
        "ratio": 1 + measuring / used["own"],
        "ratio_with_reading": processor / used["own"],
        "ratio_of_wall_time": (own + rest) / own,
    }


def median(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The round with the median ratio, and the ratios of all of them."""
    ordered = sorted(rows, key=lambda row: float(row["ratio"]))
    return {**ordered[len(rows) // 2], "ratios": [row["ratio"] for row in rows]}


def table(row: dict[str, Any]) -> str:
    """The parts for a terminal."""
    cells = [["part", "s", "ms an image"]]
    cells += [[name, f"{value:.2f}", f"{value / row['images'] * 1e3:.3f}"] for name, value in row["seconds"].items()]
    return f"{row['file']} on {row['dataset']}: {row['images']:,} images\n\n{align_columns(cells, left=1)}"


def conclusion(row: dict[str, Any]) -> str:
    """The ratio against what is to be reached."""
    reached = "reached" if row["ratio"] <= REACH else "not reached"
    return (
        f"{row['ratio']:.2f} times the model's own work without reading images ({reached}: at most {REACH:g}), "
        f"{row['ratio_with_reading']:.2f} with it; by wall time {row['ratio_of_wall_time']:.2f}"
    )


if __name__ == "__main__":
    figure.run(command)

"""Detectors on images that no training saw, beside other people's detectors: AP50 and mAP@50-95 by class, int8 loss, latency.

``python -m edgecnn.benchmarks.figures.detector_sources person-face-vehicle --data DIR --json FILE``

DIR holds the datasets of SOURCES and, in models/, the detectors of PEERS (``detector_cases.py``). A shipped name stands for its int8
file and its checkpoint, so that the loss by int8 is measured, too. A detector is measured where it has a class of the images. All scores
come from `edgecnn evaluate`, which refuses images that the card of a file says it was trained on.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import numpy as np

from edgecnn.benchmarks.figures import figure
from edgecnn.benchmarks.figures.detector_cases import (
    REFERENCE,
    DetectorFile,
    DetectorSource,
    detectors,
    open_source,
    present_peers,
    sources,
)
from edgecnn.benchmarks.measure.evaluation import EvaluationConfig, Local, OpenedModel, opened_model
from edgecnn.benchmarks.measure.inputs import dataset_inputs, store
from edgecnn.benchmarks.measure.process import LoadOptions, ModelProcess
from edgecnn.benchmarks.measure.progress import Progress, ProgressLine, time_left
from edgecnn.benchmarks.measure.protocol import FULL, QUICK, Clock, Protocol
from edgecnn.benchmarks.measure.record import file_size, other_weights, sha256_of
from edgecnn.benchmarks.measure.rounds import measure_clock
from edgecnn.benchmarks.measure.statistics import speedup
from edgecnn.benchmarks.report.names import format_ms
from edgecnn.columns import align_columns
from edgecnn.data import Dataset
from edgecnn.data.address import shown_address
from edgecnn.files import check_writable
from edgecnn.metrics.estimate import Estimate
from edgecnn.metrics.ground_truth import GroundTruthSample
from edgecnn.tasks.evaluate import Outcome
from edgecnn.trust.accuracy.measure import measure_in_detail

METRICS = {"ap50": "AP50", "ap": "mAP@50-95"}
ALL = ""  # the part of a source that is all of its images
MEAN = "mean"  # of several classes
CLOCKS: tuple[Clock, ...] = ("task", "model")


class KeptDetections(list[tuple[GroundTruthSample, Outcome]]):
    """What a detector says of some samples, for more than one measurement of it."""

    not_finite = 0


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("--data", "folder", type=click.Path(path_type=Path), help="Folder with the datasets and models/.")
@click.option(
    "--source", "names", multiple=True, help="Name in the table of sources, or a dataset address.  [default: all of the table]"
)
@click.option("--peers/--no-peers", default=True, show_default=True, help="Measure the detectors of the folder models/, too.")
@click.option("--limit", type=click.IntRange(1), help="Maximum number of images of each source.")
@click.option(
    "--clock", type=click.Choice(["task", "model", "none"]), default="task", show_default=True, help="Latency to compare."
)
@click.option("--quick", is_flag=True, help="Short measurement of the latency.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results as JSON.")
def command(
    models: tuple[str, ...],
    folder: Path | None,
    names: tuple[str, ...],
    peers: bool,
    limit: int | None,
    clock: str,
    quick: bool,
    json_path: Path | None,
) -> None:
    """Measure MODELs (default: person-face-vehicle): shipped names, files or addresses such as FILE?rename=car,bus:vehicle."""
    if json_path is not None:
        check_writable(json_path)
    chosen = sources(names, folder)
    files = detectors((*(models or ("person-face-vehicle",)), *(present_peers(folder) if peers else ())), folder, both=True)
    opened = [(one, open_source(one, limit)) for one in chosen]
    with ProgressLine() as status:
        rows = [row for source, dataset in opened for row in measure_source(source, dataset, files, status)]
        times = [
            time
            for name in CLOCKS
            if name == clock
            for time in measure_latency(files, opened[0][1], name, QUICK if quick else FULL, status)
        ]
    lost = int8_losses(rows, files)
    click.echo(table(rows))
    for part in (losses_table(lost), latency_table(times)):
        click.echo(f"\n{part}" if part else "", nl=bool(part))
    if limit is not None:
        click.echo(f"\nat most {limit} images of each source: not comparable")
    if json_path is not None:
        content = {
            "limit": limit,
            "sources": {one.name: shown_address(one.address) for one in chosen},
            "files": [_file(one) for one in files],
            "rows": rows,
            "int8": lost,
            "latency": {"clock": clock, "threads": 1, "inputs": chosen[0].name, "rows": times},
        }
        figure.record(json_path, "detector_sources", content)


def measure_source(
    source: DetectorSource, dataset: Dataset, files: Sequence[DetectorFile], status: Progress
) -> list[dict[str, Any]]:
    """A row for each part of the source, class and detector that has a class of it.

    Raises what ``evaluate_file`` raises, ``OverlapError`` for images of the training among them.
    """
    rows: list[dict[str, Any]] = []
    for one in files:
        if one.knows(dataset):
            progress = _progress(status, f"{source.name}, {one.name}")
            config = one.config(source, dataset)
            with opened_model(config) as model:
                found = KeptDetections()
                for outcome in Local(model.predictor, model.dataset):
                    found.append(outcome)
                    progress(len(found), len(model.dataset))
                rows += _rows(source.name, ALL, one, config, model, found)
                for part, places in _groups(found).items() if source.by_group else ():
                    picked = dataclasses.replace(model, dataset=model.dataset.pick(places))
                    rows += _rows(source.name, part, one, config, picked, KeptDetections(found[place] for place in places))
    order = list(dict.fromkeys((row["part"], row["class"]) for row in rows))
    return sorted(rows, key=lambda row: order.index((row["part"], row["class"])))


def _progress(status: Progress, what: str) -> Callable[[int, int], None]:
    return time_left(lambda text: status(f"{what}, {text}"), "image")


def _groups(found: KeptDetections) -> dict[str, list[int]]:
    """The places of the samples of each group."""
    groups: dict[str, list[int]] = {}
    for place, (sample, _) in enumerate(found):
        groups.setdefault(getattr(sample, "group", ""), []).append(place)
    return dict(sorted(groups.items()))


def _rows(
    source: str, part: str, detector: DetectorFile, config: EvaluationConfig, model: OpenedModel, found: KeptDetections
) -> list[dict[str, Any]]:
    done = measure_in_detail(config, model, found)
    assert done.detail is not None
    score = done.evaluation.score
    measured: dict[str, Mapping[str, Estimate]] = {
        label: figures
        for label, figures in done.detail.classes.items()
        if score.support[label] and METRICS.keys() <= figures.keys()
    }
    boxes = {label: score.support[label] for label in measured}
    if len(measured) > 1:
        measured[MEAN] = {"ap50": done.detail.figures["ap50"], "ap": done.detail.figures["map"]}
        boxes[MEAN] = sum(boxes.values())
    return [
        {
            "source": source,
            "part": part,
            "class": label,
            "model": detector.name,
            "precision": detector.card.precision,
            "images": score.n,
            "boxes": boxes[label],
            **{name: figures[name].to_dict() for name in METRICS},
            "overlap": done.evaluation.overlap.to_document(),
        }
        for label, figures in measured.items()
    ]


def int8_losses(rows: Sequence[dict[str, Any]], files: Sequence[DetectorFile]) -> list[dict[str, Any]]:
    """Points that each int8 file loses against the checkpoint of the same weights, by source and class."""
    found = []
    by_place = {(row["source"], row["part"], row["class"], row["model"]): row for row in rows}
    for whole, small in pairs(files):
        for (source, part, label, model), row in by_place.items():
            if model == small.name and part == ALL:
                before = by_place[source, part, label, whole.name]
                points = {f"{name}_points": 100 * (before[name]["value"] - row[name]["value"]) for name in METRICS}
                found.append({"source": source, "class": label, "model": small.name, "reference": whole.name, **points})
    return found


def pairs(files: Sequence[DetectorFile]) -> list[tuple[DetectorFile, DetectorFile]]:
    """Each int8 file with the fp32 file of the same network and weights before it."""
    return [
        (whole, small)
        for small in files
        for whole in files
        if small.card.precision == "int8"
        and whole.card.precision == "fp32"
        and whole.card.name == small.card.name
        and not other_weights(whole.card, small.card)
    ]


def measure_latency(
    files: Sequence[DetectorFile], dataset: Dataset, clock: Clock, protocol: Protocol, status: Progress
) -> list[dict[str, Any]]:
    """The latency of all files with one thread, in interleaved rounds, and its ratio to REFERENCE, else to the first file."""
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        store(dataset_inputs(dataset, dataset.name, protocol.input_count), Path(folder))
        processes = []
        for one in files:
            status(f"loading {one.name}")
            process = stack.enter_context(ModelProcess(one.path, LoadOptions(threads=1, options=one.options)))
            process.ask("use", folder=folder)
            processes.append(process)
        records, _ = measure_clock(clock, protocol, processes, status)
    reference = next((place for place, one in enumerate(files) if one.name == REFERENCE), 0)
    rows = []
    for one, own in zip(files, records, strict=True):
        ratio, low, high = speedup(own.rounds, records[reference].rounds)
        rows.append(
            {
                "model": one.name,
                "precision": one.card.precision,
                "clock": clock,
                "p50_ms": own.latency.p50,
                "p99_ms": own.latency.p99,
                "reference": files[reference].name,
                "ratio": ratio,
                "ratio_p10": low,
                "ratio_p90": high,
                "verdict": str(own.verdict),
                "reasons": list(own.verdict.reasons),
                "round_p50_ms": [float(np.median(samples)) for samples in own.rounds],
            }
        )
    return rows


def _file(one: DetectorFile) -> dict[str, Any]:
    parameters = {name: shown_address(str(value)) for name, value in dataclasses.asdict(one.options).items() if value is not None}
    return {
        "model": one.name,
        "file": one.path.name,
        "precision": one.card.precision,
        "size_bytes": file_size(one.path),
        "sha256": sha256_of(one.path),
        "options": parameters,
        "renames": one.renames,
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """All scores for a terminal, the detectors of one class of one source below each other."""
    cells = [
        ["images of", "class", "model", "precision", "boxes", *(word for title in METRICS.values() for word in (title, "95 %"))]
    ]
    source, label = "", ""
    for row in rows:
        own = " ".join(filter(None, (row["source"], row["part"])))
        head = ["" if own == source else own, "" if (own, row["class"]) == (source, label) else row["class"]]
        numbers = [word for name in METRICS for word in _shown(row[name])]
        cells.append([*head, row["model"], row["precision"], f"{row['boxes']:,}", *numbers])
        source, label = own, row["class"]
    return align_columns(cells, left=4)


def _shown(own: dict[str, Any]) -> tuple[str, str]:
    ends = "" if own["low"] is None else f"{own['low'] * 100:.1f} to {own['high'] * 100:.1f}"
    return f"{own['value'] * 100:.1f}", ends


def losses_table(lost: Sequence[dict[str, Any]]) -> str:
    """What int8 loses, "" without a pair of files."""
    if not lost:
        return ""
    cells = [["lost by int8, in points", "class", "model", *METRICS.values()]]
    cells += [[row["source"], row["class"], row["model"], *(f"{row[f'{name}_points']:+.2f}" for name in METRICS)] for row in lost]
    return align_columns(cells, left=3)


def latency_table(times: Sequence[dict[str, Any]]) -> str:
    """The latencies, "" where none was measured."""
    if not times:
        return ""
    cells = [
        ["model", "precision", f"{times[0]['clock']} p50 ms", f"of {times[0]['reference']}", "10 to 90 % of rounds", "verdict"]
    ]
    for row in times:
        spread = f"{row['ratio_p10']:.2f} to {row['ratio_p90']:.2f}"
        cells.append([row["model"], row["precision"], format_ms(row["p50_ms"]), f"{row['ratio']:.2f}", spread, row["verdict"]])
    return align_columns(cells, left=2)


if __name__ == "__main__":
    figure.run(command)

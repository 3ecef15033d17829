"""`edgecnn evaluate FILE`: the accuracy of one file in detail, here or on a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecnn.cli.interruptible import interruptible
from edgecnn.json_text import dump_json

if TYPE_CHECKING:
    from edgecnn.benchmarks.measure.evaluation import EvaluationConfig
    from edgecnn.cluster.connection import ClusterOptions
    from edgecnn.trust.accuracy.measure import DetailedEvaluation


def evaluate_one(
    config: EvaluationConfig,
    cluster: ClusterOptions | None,
    parts: Path | None,
    seed: int,
    json_path: Path | None,
    html_path: Path | None,
) -> None:
    """Evaluate a file and write what was asked for.

    ``parts`` is the folder that keeps finished parts of a local evaluation; ``seed`` draws the resamples of the intervals.
    """
    from edgecnn.benchmarks.measure.record import model_files
    from edgecnn.benchmarks.report.template import load_jinja
    from edgecnn.files import check_reports, write_file
    from edgecnn.trust.accuracy.page import accuracy_page
    from edgecnn.trust.accuracy.text import to_text

    check_reports([json_path, html_path], model_files(config.file))
    if html_path is not None:
        load_jinja()
    evaluation = _here(config, parts, seed) if cluster is None else on_cluster(config, cluster, seed)
    page = None if html_path is None else accuracy_page(evaluation)
    click.echo(to_text(evaluation))
    if html_path is not None and page is not None:
        write_file(html_path, page)
    if json_path is not None:
        write_file(json_path, dump_json(evaluation.to_document(), indent=1))


def _here(config: EvaluationConfig, parts: Path | None, seed: int) -> DetailedEvaluation:
    from edgecnn.benchmarks.measure.progress import time_left
    from edgecnn.trust.accuracy.measure import evaluate_in_detail

    ended = "nothing was written" if parts is None else f"its finished parts are kept in {parts}"
    fix = "run it again" if parts is None else "the same command goes on from them"
    with interruptible(f"the evaluation was interrupted; {ended}", fix) as line:
        return evaluate_in_detail(config, parts=parts, seed=seed, report=line.above, progress=time_left(line, "image"))


def on_cluster(config: EvaluationConfig, cluster: ClusterOptions, seed: int = 0) -> DetailedEvaluation:
    """On the workers of a cluster. Raises ``InputError`` after Ctrl-C or SIGTERM, which says how to go on."""
    from edgecnn.cluster.evaluation import evaluate_on_cluster
    from edgecnn.kept_parts import KeptParts

    kept = KeptParts(cluster.parts).folder
    with interruptible(
        f"the evaluation was interrupted; its finished parts are kept in {kept}", "the same command goes on from them"
    ) as line:
        return evaluate_on_cluster(config, cluster, seed=seed, report=line.above, progress=line)

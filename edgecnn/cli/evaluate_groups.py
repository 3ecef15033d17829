"""`edgecnn evaluate --group-by`: which groups a model serves worse."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecnn.cli.interruptible import interruptible
from edgecnn.json_text import dump_json

if TYPE_CHECKING:
    from edgecnn.benchmarks.measure.evaluation import EvaluationConfig


def evaluate_by_group(config: EvaluationConfig, group_by: str, seed: int, json_path: Path | None, html_path: Path | None) -> None:
    """Measure a file by groups and write what was asked for."""
    from edgecnn.benchmarks.measure.progress import time_left
    from edgecnn.benchmarks.measure.record import model_files
    from edgecnn.benchmarks.report.template import load_jinja
    from edgecnn.files import check_reports, write_file
    from edgecnn.trust.groups.group_key import parse_group_key
    from edgecnn.trust.groups.measure import evaluate_groups
    from edgecnn.trust.groups.page import group_page
    from edgecnn.trust.groups.text import group_table

    key = parse_group_key(group_by)
    check_reports([json_path, html_path], model_files(config.file))
    if html_path is not None:
        load_jinja()
    with interruptible("the measurement was interrupted, nothing was written") as line:
        found = evaluate_groups(config, key, seed=seed, report=line.above, progress=time_left(line, "image"))
    click.echo(group_table(found))
    if json_path is not None:
        write_file(json_path, dump_json(found.to_document(), indent=1))
    if html_path is not None:
        write_file(html_path, group_page(found))
        click.echo(f"wrote {html_path}")

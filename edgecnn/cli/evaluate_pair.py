"""`edgecnn evaluate A B`: what changed between two files of one model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgecnn.cli.interruptible import interruptible
from edgecnn.json_text import dump_json


def evaluate_two(
    files: tuple[Path, Path], group_by: str | None, json_path: Path | None, html_path: Path | None, **options: Any
) -> None:
    """Compare two files, also by the groups of ``group_by``, and write what was asked for.

    ``options`` are the other fields of ``PairConfig``.
    """
    from edgecnn.benchmarks.measure.progress import time_left
    from edgecnn.benchmarks.measure.record import model_files
    from edgecnn.files import check_reports, write_file
    from edgecnn.trust.groups.group_key import parse_group_key
    from edgecnn.trust.paired.config import PairConfig
    from edgecnn.trust.paired.page import check_page, pair_page
    from edgecnn.trust.paired.run import evaluate_pair
    from edgecnn.trust.paired.text import pair_table

    key = None if group_by is None else parse_group_key(group_by)
    check_reports([json_path, html_path], [*model_files(files[0]), *model_files(files[1])])
    if html_path is not None:
        check_page()
    config = PairConfig(before=files[0], after=files[1], group_by=key, **options)
    with interruptible("the comparison was interrupted, nothing was written") as line:
        found = evaluate_pair(config, report=line.above, progress=time_left(line, "image"))
        page = None if html_path is None else pair_page(found, config)
    click.echo(pair_table(found))
    if json_path is not None:
        write_file(json_path, dump_json(found.to_document(), indent=1))
    if html_path is not None and page is not None:
        write_file(html_path, page)
        click.echo(f"wrote {html_path}")

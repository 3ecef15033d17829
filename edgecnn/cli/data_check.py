"""`edgecnn data check`: what a dataset holds, and what is wrong with it."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import click

from edgecnn.cli.options import DATA_FORMAT, add_options, with_format


@click.command("check", short_help="Count images, boxes and classes; report what is wrong.")
@click.argument("address", metavar="ADDRESS")
@partial(add_options, options=(DATA_FORMAT,))
@click.option("--labels", metavar="NAMES", help="Class names of a dataset whose files have none: a,b,c or a file.")
@click.option("--limit", type=click.IntRange(1), help="Maximum number of images of each split.")
@click.option("--strict", is_flag=True, help="End with exit code 1 if there is a problem.")
@click.option("--html", "html_path", type=click.Path(path_type=Path), help="Write a page with findings and a contact sheet.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all findings as JSON.")
def command(
    address: str,
    data_format: str,
    labels: str | None,
    limit: int | None,
    strict: bool,
    html_path: Path | None,
    json_path: Path | None,
) -> None:
    """Read all images and labels of the dataset ADDRESS and report what is in it.

    \b
    edgecnn data check DIR
    edgecnn data check "DIR?labels=car,bus" --html check.html
    edgecnn data check instances_val.json --strict --json check.json

    Counted are images, boxes and classes in each split. Reported are problems by file and line, images that can't be read, copies
    within and across splits, nearly equal images, clips in several splits, boxes to look at, and classes without objects.

    Problems are: problems in the files, the same image in two splits, and copies of an image that are labelled differently.
    """
    from edgecnn.benchmarks.measure.progress import ProgressLine
    from edgecnn.benchmarks.report.template import load_jinja
    from edgecnn.data.check.dataset import check_dataset
    from edgecnn.data.check.text import to_document, to_lines
    from edgecnn.files import check_writable, write_file
    from edgecnn.json_text import dump_json

    for path in filter(None, (html_path, json_path)):
        check_writable(path)
    if html_path is not None:
        load_jinja()
    with ProgressLine() as line:
        found = check_dataset(
            with_format(address, data_format),
            labels=labels,
            limit=limit,
            progress=lambda done, total: line(f"image {done:,} of {total:,}"),
        )
        if html_path is not None:
            from edgecnn.benchmarks.report.dataset_page import dataset_page

            line("drawing the contact sheet")
            write_file(html_path, dataset_page(found))
    click.echo("\n".join(to_lines(found)))
    if json_path is not None:
        write_file(json_path, dump_json(to_document(found), indent=1))
    if strict and found.faults():
        sys.exit(1)

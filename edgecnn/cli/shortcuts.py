"""`edgecnn shortcuts`: does a model look at the object?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click_option_group import optgroup

from edgecnn.cli.interruptible import interruptible
from edgecnn.cli.options import ALLOW_OVERLAP, ModelFile, dataset_options, model_options

if TYPE_CHECKING:
    from edgecnn.runtime.model.card_inference import CardOptions
    from edgecnn.trust.shortcuts.config import ShortcutsConfig
    from edgecnn.trust.shortcuts.report import ShortcutsReport


@click.command()
@click.argument("files", metavar="FILE...", type=ModelFile(), nargs=-1, required=True)
@dataset_options(
    (("--data",), {"required": True, "metavar": "ADDRESS", "help": "Dataset with classes or boxes, as for `edgecnn evaluate`."}),
    (("--data-labels",), {"metavar": "NAMES", "help": "Class names of a dataset whose files have none: a,b,c or a file."}),
    ALLOW_OVERLAP,
)
@optgroup.group("Search")
@optgroup.option("--count", type=click.IntRange(1), default=200, show_default=True, help="Images that are changed, at random.")
@optgroup.option("--explained", type=click.IntRange(0), default=32, show_default=True, help="Images whose evidence is mapped.")
@optgroup.option(
    "--method",
    "methods",
    multiple=True,
    default=("auto",),
    show_default=True,
    help="Attribution: occlusion or rise for any file; gradient, integrated-gradients or grad-cam for a checkpoint; may be repeated. "
    "auto: integrated-gradients for a checkpoint, else occlusion.",
)
@optgroup.option("--masks", type=click.IntRange(1), default=400, show_default=True, help="Random masks for rise.")
@optgroup.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Random seed of all choices.")
@model_options
@optgroup.group("Output")
@optgroup.option("--html", "html_path", type=click.Path(path_type=Path), help="Write a page with maps and changed images.")
@optgroup.option("--examples", type=click.IntRange(0), default=8, show_default=True, help="Images on the page.")
@optgroup.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results as JSON.")
def command(
    files: tuple[Path, ...],
    data: str,
    data_labels: str | None,
    selection: dict[str, Any],
    html_path: Path | None,
    json_path: Path | None,
    options: CardOptions,
    examples: int,
    **values: Any,
) -> None:
    """Search the model FILE for shortcuts: does it look at the object?

    \b
    edgecnn shortcuts cups --data "scene:cups?seed=5&count=200&every=40" --html shortcuts.html
    edgecnn shortcuts model.safetensors model-int8.onnx --data "scene:tags?shortcut=1&count=200"
    edgecnn shortcuts model.onnx --data PHOTOS --method rise --masks 1000

    Images are changed and the model is asked again: another background, a blurred or uniform one, corners or borders erased, the
    object moved or removed. The evidence for an answer is compared with the boxes of the objects. Classifiers need classes, and boxes
    for the changes that know where the object is; detectors need boxes. Several files are measured on the same images.
    """
    from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
    from edgecnn.benchmarks.measure.record import model_files
    from edgecnn.benchmarks.report.template import load_jinja
    from edgecnn.files import check_reports, write_file
    from edgecnn.json_text import dump_json
    from edgecnn.trust.shortcuts.config import ShortcutsConfig
    from edgecnn.trust.shortcuts.report import document
    from edgecnn.trust.shortcuts.text import report_text

    chosen = DatasetSelection(data, labels=data_labels, **selection)
    check_reports([html_path, json_path], [part for path in files for part in model_files(path)])
    if html_path is not None:
        load_jinja()
    reports: list[ShortcutsReport] = []
    for file in files:
        config = ShortcutsConfig(file=file, data=chosen, options=options, examples=examples if html_path else 0, **values)
        found = _searched(config, is_first=not reports)
        reports.append(found)
        click.echo(("\n" if len(reports) > 1 else "") + report_text(found))
    if html_path is not None:
        from edgecnn.trust.shortcuts.page import shortcuts_page

        write_file(html_path, shortcuts_page(reports))
    if json_path is not None:
        write_file(json_path, dump_json(document(reports), indent=1))


def _searched(config: ShortcutsConfig, *, is_first: bool) -> ShortcutsReport:
    """Search one file; what is said of the dataset stays on the terminal for the first one only."""
    from edgecnn.trust.shortcuts.search import find_shortcuts

    with interruptible("the search was interrupted") as line:

        def progress(done: int, total: int) -> None:
            line(f"{config.file.name}: image {done} of {total}")

        return find_shortcuts(config, report=line.above if is_first else line, progress=progress)

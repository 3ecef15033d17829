"""`edgecnn explain`: filters, feature maps, receptive fields and units of a model file."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click_option_group import optgroup

from edgecnn.cli.interruptible import interruptible
from edgecnn.cli.options import MODEL_OPTIONS, ModelFile, dataset_options, model_options

if TYPE_CHECKING:
    from edgecnn.runtime.model.card_inference import CardOptions

# the tensors inside are read on the processor, by the engine of the format
_OF_THIS_COMMAND = [one for one in MODEL_OPTIONS if not {"--device", "--engine"} & set(one[0])]


@click.command()
@click.argument("file", type=ModelFile())
@dataset_options(
    (
        ("--data",),
        {"default": "", "metavar": "ADDRESS", "help": "Dataset in which the units are looked for, as for `edgecnn evaluate`."},
    ),
    (("--data-labels",), {"metavar": "NAMES", "help": "Class names of a dataset whose files have none: a,b,c or a file."}),
)
@optgroup.group("Explanation")
@optgroup.option(
    "--image", type=click.Path(path_type=Path), help="Image that is followed through the network.  [default: the first of --data]"
)
@optgroup.option(
    "--layer",
    "layers",
    multiple=True,
    metavar="NAME",
    help="Layer to show with all its units; may be repeated.  [default: a few from the first to the last]",
)
@optgroup.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Random seed of all choices.")
@functools.partial(model_options, table=_OF_THIS_COMMAND)
@optgroup.group("Output")
@optgroup.option("--html", "html_path", type=click.Path(path_type=Path), help="Write a page with pictures.")
@optgroup.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all results as JSON.")
def command(
    file: Path,
    data: str,
    data_labels: str | None,
    selection: dict[str, Any],
    html_path: Path | None,
    json_path: Path | None,
    options: CardOptions,
    threads: int | None,
    **values: Any,
) -> None:
    """Look inside the model FILE: its layers, filters, feature maps, receptive fields, and what its units look for.

    \b
    edgecnn explain cups --data "scene:cups?seed=5&cut=1&fps=1&count=200" --html inside.html
    edgecnn explain model-int8.onnx --image photo.jpg --html inside.html
    edgecnn explain model.safetensors --data fashion-mnist --layer features.3 --html inside.html

    Works on ONNX, TFLite and OpenVINO files, float or int8, and on checkpoints. Without --image and --data only the layers and the
    first filters are shown. --limit images of --data are used, evenly spread (200).
    """
    from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
    from edgecnn.benchmarks.measure.record import model_files
    from edgecnn.benchmarks.report.template import load_jinja
    from edgecnn.files import check_reports, write_file
    from edgecnn.json_text import dump_json
    from edgecnn.trust.explain.config import ExplainConfig
    from edgecnn.trust.explain.run import explain
    from edgecnn.trust.explain.text import explanation_text

    inputs = [*model_files(file), *([] if values["image"] is None else [values["image"]])]
    check_reports([html_path, json_path], inputs)
    if html_path is not None:
        load_jinja()
    limit = selection.pop("limit")
    config = ExplainConfig(
        file=file,
        data=DatasetSelection(data, labels=data_labels, **selection) if data else None,
        options=options,
        threads=threads or 1,
        page=html_path is not None,
        **values,
        **({} if limit is None else {"limit": limit}),
    )
    with interruptible("the explanation was interrupted") as line:
        found = explain(config, report=line.above, progress=line)
    click.echo(explanation_text(found))
    if html_path is not None:
        from edgecnn.trust.explain.page import explain_page

        write_file(html_path, explain_page(found))
    if json_path is not None:
        write_file(json_path, dump_json(found.to_document(), indent=1))

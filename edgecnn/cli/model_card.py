"""`edgecnn model-card`: the model card that people read."""

from __future__ import annotations

from pathlib import Path

import click

from edgecnn.cli.options import ModelFile

PATH = click.Path(path_type=Path, dir_okay=False)


@click.command("model-card")
@click.argument("file", type=ModelFile())
@click.option(
    "--from",
    "results",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    multiple=True,
    metavar="JSON",
    help="Results of this very file that evaluate, robustness, shortcuts, attack, check or benchmark wrote with --json; may be repeated.",
)
@click.option(
    "--about",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="TOML",
    help="What only people know: licence, developers, intended use, risks, contact.",
)
@click.option(
    "--out",
    "outs",
    type=PATH,
    multiple=True,
    metavar="FILE",
    help="Write Markdown (.md) or a page (.html); may be repeated.  [default: print Markdown]",
)
def command(file: Path, results: tuple[Path, ...], about: Path | None, outs: tuple[Path, ...]) -> None:
    """Write the model card of a model FILE, in the form of Mitchell et al. (2019) and of the hub of Hugging Face.

    \b
    edgecnn model-card cups --out README.md
    edgecnn model-card model-int8.onnx --from scores.json --from benchmark.json --about about.toml --out card.md --out card.html

    It says what the file says of itself: inputs, classes, training, calibration, verification, digest and signature; with --from,
    what was measured, each figure with its interval and its dataset; with --about, what only people know. What is not known is said to
    be not stated. Figures of another file are refused, by its digest.
    """
    from edgecnn.benchmarks.measure.record import model_files
    from edgecnn.files import check_reports, write_file
    from edgecnn.trust.model_card.markdown import to_markdown
    from edgecnn.trust.model_card.page import card_page
    from edgecnn.trust.model_card.run import card_sources

    for out in outs:
        if out.suffix.lower() not in (".md", ".html"):
            raise click.BadParameter(f"{out.name} ends neither in .md nor in .html", param_hint="--out")
    check_reports(outs, [*model_files(file), *results, *([] if about is None else [about])])
    sources = card_sources(file, results, about)
    written = {out: card_page(sources) if out.suffix.lower() == ".html" else to_markdown(sources) for out in outs}
    for out, text in written.items():
        write_file(out, text)
    if not outs:
        click.echo(to_markdown(sources), nl=False)
    missing = sources.statements.missing
    if missing:
        click.echo(f"not stated: {', '.join(missing)}; write them into a TOML file for --about", err=True)

"""`edgecnn check`: whether a model file keeps to the budgets of a policy."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click_option_group import optgroup

from edgecnn.cli.interruptible import interruptible
from edgecnn.cli.options import ALLOW_OVERLAP, ModelFile, model_options
from edgecnn.cli.remote_options import RemoteCommand, remote_options, remote_place
from edgecnn.json_text import dump_json

if TYPE_CHECKING:
    from edgecnn.runtime.model.card_inference import CardOptions
    from edgecnn.trust.gate.report import CheckReport

PATH = click.Path(path_type=Path)


@click.command(name="check", cls=RemoteCommand)
@click.argument("file", required=False, type=ModelFile())
@optgroup.group("Policy")
@optgroup.option("--policy", type=PATH, metavar="FILE.toml", help="Dataset and budgets: accuracy, worst class and group, ...")
@optgroup.option("--example", is_flag=True, help="Print a policy with all fields, and end.")
@optgroup.option(
    "--reference", type=PATH, metavar="FILE", help="Float file for the budget [drop].  [default: that of the policy]"
)
@optgroup.option(*ALLOW_OVERLAP[0], **ALLOW_OVERLAP[1])
@optgroup.group("Reports")
@optgroup.option("--json", "json_path", type=PATH, help="Write all results as JSON.")
@optgroup.option("--html", "html_path", type=PATH, help="Write a page with the evidence.")
@optgroup.option(
    "--junit", "junit_path", type=PATH, help="Write the verdicts as JUnit XML; a budget that is not met is a failure."
)
@optgroup.group("Card of the file")
@optgroup.option("--write-card", is_flag=True, help="Write the result into the card of FILE; its digest is renewed.")
@optgroup.option("--out", type=PATH, metavar="FILE", help="With --write-card: write a copy.  [default: FILE itself]")
@optgroup.option("--key", type=PATH, metavar="KEY", help="With --write-card: Ed25519 private key that signs the file again.")
@optgroup.option("--force", is_flag=True, help="With --write-card: a signed file may lose its signature.")
@model_options
@remote_options(several=False)
def command(
    file: Path | None,
    policy: Path | None,
    example: bool,
    reference: Path | None,
    json_path: Path | None,
    html_path: Path | None,
    junit_path: Path | None,
    write_card: bool,
    out: Path | None,
    key: Path | None,
    force: bool,
    options: CardOptions,
    **values: Any,
) -> None:
    """Check whether the model FILE keeps to the budgets of a policy.

    \b
    edgecnn check --example > policy.toml
    edgecnn check cups --policy policy.toml --html check.html --junit check.xml
    edgecnn check model-int8.onnx --policy policy.toml --reference model-fp32.onnx --write-card
    edgecnn check model-int8.tflite --policy policy.toml --host pi@door

    Budgets: accuracy, worst class, worst group, calibration error, loss against a float file, accuracy where images are rotated,
    compressed or otherwise changed, accuracy under attack, share of the evidence on the object, latency, file size, memory. Only what the
    policy names is measured. Every figure has a 95 % interval: a budget is passed, passed but not certain where the interval crosses
    the limit, or failed. With --host latency and memory are those of the board, and all else is measured here.

    Exit code 1: a budget is not met.
    """
    from edgecnn.trust.gate.policy_file import example as example_policy
    from edgecnn.trust.gate.policy_file import read_policy
    from edgecnn.trust.gate.run import CheckConfig

    if example:
        click.echo(example_policy(), nl=False)
        return
    if file is None or policy is None:
        raise click.UsageError("a model FILE and --policy are needed; edgecnn check --example prints a policy")
    place = remote_place(values)
    config = CheckConfig(
        file=file,
        policy=read_policy(policy),
        reference=reference,
        place=place,
        pictures=html_path is not None,
        options=options,
        **values,
    )
    target = out / file.name if out is not None and out.is_dir() else out or file
    inputs = [policy, *filter(None, (config.float_reference, key))]
    _prepare(config.file, target, inputs, [json_path, html_path, junit_path], html_path, write_card, out, key, force)
    with interruptible("the check was interrupted, nothing was written") as line:
        from edgecnn.trust.gate.run import check_file

        found = check_file(config, report=line.above, progress=line)
    _finish(found, json_path, html_path, junit_path)
    if write_card:
        _write_card(found, target, key)
    if not found.passed:
        sys.exit(1)


def _prepare(
    file: Path,
    target: Path,
    inputs: list[Path],
    reports: list[Path | None],
    html_path: Path | None,
    write_card: bool,
    out: Path | None,
    key: Path | None,
    force: bool,
) -> None:
    """Raise what would fail after the long work."""
    from edgecnn.benchmarks.measure.record import model_files
    from edgecnn.files import check_reports
    from edgecnn.trust.gate.page import check_page
    from edgecnn.trust.gate.write_card import check_target

    given = {"--out": out, "--key": key, "--force": force or None}
    unused = [name for name, value in given.items() if value is not None]
    if unused and not write_card:
        raise click.UsageError(f"{unused[0]} does nothing without --write-card; add --write-card")
    check_reports(reports, [*model_files(file), *model_files(target), *inputs])
    if html_path is not None:
        check_page()
    if write_card:
        check_target(file, target, key=key, force=force)


def _finish(found: CheckReport, json_path: Path | None, html_path: Path | None, junit_path: Path | None) -> None:
    """Print the table and write the reports."""
    from edgecnn.files import write_file
    from edgecnn.trust.gate.junit import to_junit
    from edgecnn.trust.gate.page import to_html
    from edgecnn.trust.gate.text import check_table

    page = None if html_path is None else to_html(found)
    click.echo(check_table(found))
    for path, text in (
        (json_path, dump_json(found.to_document(), indent=1)),
        (html_path, page),
        (junit_path, to_junit(found)),
    ):
        if path is not None and text is not None:
            write_file(path, text)
            click.echo(f"wrote {path}")


def _write_card(found: CheckReport, target: Path, key: Path | None) -> None:
    from edgecnn.cli.sign import ask_password
    from edgecnn.trust.gate.write_card import write_result

    lost = write_result(found, target, key, lambda: ask_password(f"Password of {key}"))
    click.echo(f"wrote {target}: its card holds the result")
    if lost:
        click.echo("warning: the file was signed; sign it again, as its card has changed", err=True)

"""`edgecnn sweep`: measures all combinations of a TOML file, and goes on where it was interrupted."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from edgecnn.cli.interruptible import interruptible


@click.command(name="sweep", short_help="Measure models x formats x precisions x threads x hosts from one TOML file; resumable.")
@click.argument("file", metavar="FILE.toml", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder of results.  [default: out of FILE, else FILE-sweep]"
)
def command(file: Path, out: Path | None) -> None:
    """Measure every combination of the lists in FILE.toml; checkpoints and shipped models are exported first.

    \b
    models = ["cups", "net-int8.tflite"]
    formats = ["onnx", "openvino"]
    precisions = ["fp32", "int8"]
    calibration = "scene:cups?seed=11&every=40"
    threads = [1, 2]
    hosts = ["local", "pi@board"]

    Further lists: sizes (of the input), engines, clocks; further values: protocol ("quick", "full"), data, limit, out. Each cell is
    written when it is measured. Run the same line again to go on: cells whose model and settings are unchanged are not measured again,
    those that failed are. At the end there are one table, sweep.json and sweep.csv. Exit code 1: a cell failed.
    """
    from edgecnn.benchmarks.report.document import json_values, to_json
    from edgecnn.files import write_file
    from edgecnn.sweep.config import read_sweep
    from edgecnn.sweep.report import to_csv, to_sweep_document, to_sweep_table
    from edgecnn.sweep.run import run_sweep

    config = read_sweep(file, out)
    with interruptible("the sweep was interrupted, its measured cells are kept", "run it again to go on") as progress:
        results = run_sweep(config, progress, progress.above)
    click.echo(to_sweep_table(results))
    for name, text in (("sweep.json", to_json(json_values(to_sweep_document(results)))), ("sweep.csv", to_csv(results))):
        write_file(config.out / name, text)
        click.echo(f"\nwrote {config.out / name}" if name == "sweep.json" else f"wrote {config.out / name}")
    failed = [result for result in results if result.error]
    if failed:
        click.echo(f"error: {len(failed)} of {len(results)} cells failed; run it again to try them again", err=True)
        sys.exit(1)

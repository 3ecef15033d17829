"""What `edgecnn compress` writes at the end, and again for several runs: the report with measured figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from edgecnn.cli.measure_variants import Wish, measure_variants

Say = Callable[[str], None]


def named(places: Sequence[Path]) -> list[tuple[str, Path]]:
    """Names and checkpoints of folders of runs and of single checkpoints; a folder's name stands before the step's where there are several.

    Raises ``InputError`` for a folder without a run.
    """
    from edgecnn.compress.progress import variants
    from edgecnn.models import find_checkpoint

    found: list[tuple[str, Path]] = []
    for place in places:
        if place.is_dir():
            found += [(f"{place.name}-{path.stem}" if len(places) > 1 else path.stem, path) for path in variants(place)]
        else:
            path = find_checkpoint(place)
            found.append((f"{path.parent.name}-{path.stem}" if path.stem == "model" else path.stem, path))
    return found


def teaching(teachers: Sequence[str]) -> list[tuple[str, Path]]:
    """Names and checkpoints of teachers: what a student is to be compared with."""
    from edgecnn.models import find_checkpoint

    paths = [find_checkpoint(teacher) for teacher in teachers]
    return [("teacher" if len(paths) == 1 else f"teacher-{number}", path) for number, path in enumerate(paths, 1)]


def write_report(checkpoints: Sequence[tuple[str, Path]], wish: Wish, out: Path, command: str, say: Say = click.echo) -> None:
    """Measure all checkpoints in one run and write report.json, report.md and pareto.png into ``out``."""
    from edgecnn.compress.report import Report, variant

    files, record = measure_variants(checkpoints, wish, say) if wish.formats else ({}, None)
    device = f"{record.device.name}, {record.threads} thread{'s' if record.threads > 1 else ''}" if record else ""
    rows = tuple(variant(path, name, files.get(name, ())) for name, path in checkpoints)
    report = Report(rows, command, device, record.protocol.name if record else "")
    out.mkdir(parents=True, exist_ok=True)
    for path in report.write(out):
        say(f"wrote {path}")

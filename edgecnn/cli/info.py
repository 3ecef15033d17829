"""`edgecnn info`: what a model file says about itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecnn.cli.options import ModelFile

if TYPE_CHECKING:
    from edgecnn.card import ModelCard
    from edgecnn.runtime.backends import Backend
    from edgecnn.types import TensorSpec

SHOWN_LABELS = 12
SHOWN_TEXT = 100


@click.command()
@click.argument("file", type=ModelFile())
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(file: Path, as_json: bool) -> None:
    """Print the card inside FILE: what goes in, what comes out, how it was made and checked.

    A file that edgecnn did not write has no card; then what its tensors and its makers' metadata say is printed.
    """
    from edgecnn.runtime.backends import open_backend

    backend = open_backend(file)
    try:
        card, why = _card(backend, file)
        click.echo(json.dumps(_record(backend, card), indent=1) if as_json else "\n".join(_lines(file, backend, card, why)))
    finally:
        backend.close()


def _card(backend: Backend, file: Path) -> tuple[ModelCard | None, str]:
    """The card, or why the file gives none."""
    from edgecnn.errors import InputError
    from edgecnn.runtime.model.card_inference import CardOptions, card_for

    try:
        return card_for(backend, file, CardOptions()), ""
    except InputError as error:  # not a broken card, which is an ArtifactError: options are missing that a user would give
        return None, error.problem


def _record(backend: Backend, card: ModelCard | None) -> dict[str, Any]:
    return {
        "card": None if card is None else json.loads(card.to_json()),
        "inputs": [_tensor(spec) for spec in backend.inputs],
        "outputs": [_tensor(spec) for spec in backend.outputs],
        "metadata": {key: text for key, text in backend.metadata.items() if not key.startswith("edgecnn.")},
    }


def _lines(file: Path, backend: Backend, card: ModelCard | None, why: str) -> list[str]:
    from edgecnn.card import CARD_KEY
    from edgecnn.runtime.backends import file_format

    rows = [("file", f"{file.name}, {file_format(file)}, {_size(file)}")]
    if card is not None:
        rows += _card_rows(card)
    if CARD_KEY not in backend.metadata:
        rows.append(("card", "guessed, edgecnn did not write this file" if card else f"none: {why}"))
    rows += [("input", _tensor(spec)) for spec in backend.inputs] + [("output", _tensor(spec)) for spec in backend.outputs]
    rows += [(key, _short(text)) for key, text in backend.metadata.items() if not key.startswith("edgecnn.")]
    width = max(len(key) for key, _ in rows)
    return [f"{key.ljust(width)}  {text}" for key, text in rows]


def _size(file: Path) -> str:
    files = [file, file.with_suffix(".bin")] if file.suffix == ".xml" else [file]
    return f"{sum(part.stat().st_size for part in files if part.exists()) / 1e6:.2f} MB"


def _card_rows(card: ModelCard) -> list[tuple[str, str]]:
    pre = card.preprocess
    place = f" ({pre.align}, filled with {pre.pad_value})" if pre.resize == "letterbox" else ""
    scale = "raw pixels" if pre.is_raw else f"(pixel - {_numbers(pre.mean)}) / {_numbers(pre.std)}"
    rows = [
        ("name", card.name),
        ("task", card.task),
        ("labels", _labels(card.labels)),
        ("image", f"{pre.size[0]} x {pre.size[1]} {pre.color}, {pre.resize}{place}, {scale}"),
        ("decoder", " ".join([card.decode.name, _options(card.decode.options)]).strip()),
        ("precision", card.precision),
        ("calibration", _options(card.calibration)),
        ("model", _options(card.model)),
        ("weights", f"sha256 {card.sha256[:16]}" if card.sha256 else ""),
        ("source", card.source_commit),
        *_parity_rows(card.parity),
    ]
    return [(key, text) for key, text in rows if text]


def _parity_rows(parity: Mapping[str, Any]) -> list[tuple[str, str]]:
    if not parity:
        return []
    largest = max(error["largest"] for row in parity["rows"] for error in row["outputs"].values())
    verdict = "passed" if parity["passed"] else "failed"
    rows = [("parity", f"{verdict}, largest error {largest:.1e} of the range; real inputs: {parity['real_inputs']}")]
    if "accuracy" in parity:
        got = parity["accuracy"]
        text = f"{got['metric']} {got['artifact'] * 100:.2f}, PyTorch {got['pytorch'] * 100:.2f}, on {got['n']:,} images of {got['data']}"
        rows.append(("accuracy", text))
    return rows


def _labels(labels: Sequence[str]) -> str:
    more = f", ... ({len(labels)} in all)" if len(labels) > SHOWN_LABELS else ""
    return ", ".join(labels[:SHOWN_LABELS]) + more


def _options(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in options.items() if value not in ("", None, {}, []))


def _numbers(values: Sequence[float]) -> str:
    return ",".join(f"{value:g}" for value in values)


def _tensor(spec: TensorSpec) -> str:
    scale = f", scale {spec.scale:g} zero-point {spec.zero_point}" if spec.scale is not None else ""
    return (
        f"{spec.name} {spec.dtype} {'x'.join('?' if size < 0 else str(size) for size in spec.shape)} {spec.layout}".rstrip()
        + scale
    )


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= SHOWN_TEXT else f"{flat[:SHOWN_TEXT]}..."

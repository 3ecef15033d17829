"""`edgecnn models`: what the package carries, how good it is, where it comes from and what it is bad at."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from edgecnn.card import ModelCard

WIDTH = 100


@click.command("models")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(name: str | None, as_json: bool) -> None:
    """List the models inside the package, or say all of the model NAME.

    \b
    edgecnn models
    edgecnn models cups
    edgecnn run cups --source 0          its int8 ONNX file, on the base install
    edgecnn export cups --format tflite  its weights
    """
    from edgecnn import shipped
    from edgecnn.errors import InputError

    if name is not None and name not in shipped.names():
        raise InputError(
            f"a shipped model of {', '.join(shipped.names())}", repr(name), "name one of them, or see edgecnn info FILE"
        )
    chosen = shipped.names() if name is None else (name,)
    if as_json:
        click.echo(json.dumps({item: _record(item) for item in chosen}, indent=1))
    elif name is None:
        click.echo("\n".join(_table()))
    else:
        click.echo("\n".join(_details(name)))


def _record(name: str) -> dict[str, Any]:
    from edgecnn import shipped

    card, parameters = shipped.read(name)
    return {"parameters": parameters, "bytes": _sizes(name), "card": json.loads(card.to_json())}


def _sizes(name: str) -> dict[str, int]:
    from edgecnn import shipped

    files = (shipped.checkpoint(name), shipped.FOLDER / f"{name}{shipped.ARTIFACT}")
    return {path.suffix.lstrip("."): path.stat().st_size for path in files if path.exists()}


def _table() -> list[str]:
    from edgecnn import shipped

    head = ("name", "task", "input", "parameters", "weights", "int8 .onnx", "score", "classes")
    rows = [head]
    for name in shipped.names():
        card, parameters = shipped.read(name)
        sizes = _sizes(name)
        height, width = card.preprocess.size
        rows.append(
            (
                name,
                card.task,
                f"{height}x{width} {card.preprocess.color}",
                f"{parameters:,}",
                _megabytes(sizes["safetensors"]),
                _megabytes(sizes["onnx"]) if "onnx" in sizes else "-",
                _headline(card),
                _cut(", ".join(card.labels), 40),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _details(name: str) -> list[str]:
    from edgecnn import shipped

    card, parameters = shipped.read(name)
    training, notes = card.training, card.training.get("notes", {})
    scores = training.get("scores", {})
    rows = [
        ("name", name),
        ("what", notes.get("what", "")),
        ("classes", ", ".join(card.labels)),
        ("input", f"{card.preprocess.size[0]} x {card.preprocess.size[1]} {card.preprocess.color}, {card.preprocess.resize}"),
        ("network", f"{card.model.get('name', '')}, {parameters:,} parameters"),
        ("files", ", ".join(f"{_megabytes(size)} .{kind}" for kind, size in _sizes(name).items())),
        ("score", f"{_headline(card)} on {scores.get('n', '?'):,} images of {scores.get('data', '?')}" if scores else ""),
        *(("and", f"{_values(values)} of {source}") for source, values in notes.get("measured", {}).items()),
        ("bad at", notes.get("bad_at", "")),
        ("trained on", notes.get("data") or ", ".join(training.get("data", []))),
        ("licence of the data", notes.get("licence", "")),
        ("attribution", notes.get("attribution", "")),
        ("command", training.get("command", "")),
        ("seed", str(training.get("seed", ""))),
        ("augmentation", ", ".join(f"{key} {value:g}" for key, value in training.get("augmentation", {}).items())),
        ("versions", ", ".join(f"{key} {training[key]}" for key in ("edgecnn", "torch", "python") if key in training)),
        ("source", card.source_commit),
        ("sha256", card.sha256[:16]),
    ]
    width = max(len(key) for key, text in rows if text)
    return [line for key, text in rows if text for line in _wrapped(key, text, width)]


def _wrapped(key: str, text: str, width: int) -> list[str]:
    import textwrap

    lines = textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False) or [""]
    return [f"{(key if not index else '').ljust(width)}  {line}" for index, line in enumerate(lines)]


def _headline(card: ModelCard) -> str:
    """The main score with its interval."""
    from edgecnn.metrics.score import PRIMARY, TITLES

    scores, key = card.training.get("scores", {}), PRIMARY[card.task]
    if key not in scores:
        return "-"
    low, high = (scores.get(f"{key}_{end}") for end in ("low", "high"))
    interval = f" ({100 * low:.1f} to {100 * high:.1f})" if low is not None and high is not None else ""
    return f"{TITLES[key]} {100 * scores[key]:.1f} %{interval}"


def _values(values: dict[str, Any]) -> str:
    from edgecnn.metrics.score import TITLES

    shown = [f"{TITLES[key]} {100 * value:.1f} %" for key, value in values.items() if key in ("top1", "map", "ap50")]
    return f"{', '.join(shown)} on {values['n']:,} images"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."

"""Writes digests, and the int8 outputs of the engine on this machine, into the shipped artifacts; graph and weights stay as they are.

`python -m edgecnn.benchmarks.figures.seal_shipped`
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from edgecnn import shipped
from edgecnn.card import CARD_KEY, ModelCard
from edgecnn.errors import EdgeCnnError, ParityError
from edgecnn.files import write_file
from edgecnn.golden import GOLDENS_KEY, decode
from edgecnn.integrity.digest import sealed
from edgecnn.integrity.sections import DIGEST_KEY, SIGNATURE_KEY, read_body, split
from edgecnn.runtime.backends import file_format, open_backend
from edgecnn.runtime.model import engine_record
from edgecnn.runtime.model.selftest import run_golden, selftest


def seal_file(path: Path) -> ModelCard:
    """Seal the artifact at ``path`` and return its card. Raises ``ParityError`` where its goldens fail."""
    sections = split(path)
    body = read_body(path, sections)
    texts = {key: text.decode() for key, text in sections.texts.items()}
    card = ModelCard.from_json(texts.pop(CARD_KEY), str(path))
    # A signature is of the former texts.
    for key in (DIGEST_KEY, SIGNATURE_KEY, engine_record.ENGINE_KEY):
        texts.pop(key, None)
    if card.precision == "int8":
        texts[engine_record.ENGINE_KEY] = _engine_text(path, card, texts[GOLDENS_KEY])
    final, content = sealed(path, card, texts)
    write_file(path, content)
    assert final is not None
    assert read_body(path, split(path)) == body
    return final


def _engine_text(path: Path, card: ModelCard, goldens_text: str) -> str:
    goldens = decode(goldens_text, str(path))
    backend = open_backend(path)
    try:
        violations = selftest(backend, card, path).violations
        if violations:
            raise ParityError(f"{path} fails its goldens: {'; '.join(violations)}", "export it again")
        outputs = [run_golden(golden, backend, card) for golden in goldens]
    finally:
        backend.close()
    return engine_record.encode(outputs, [golden.outputs for golden in goldens], file_format(path))


@click.command()
def main() -> None:
    """Seal all shipped artifacts."""
    try:
        for path in sorted(shipped.FOLDER.glob(f"*{shipped.ARTIFACT}")):
            click.echo(f"{path.name}: {seal_file(path).graph_sha256}")
    except EdgeCnnError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()

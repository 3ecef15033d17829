"""Reads the card that lies in a model file or a checkpoint, and writes the file with another one."""

from __future__ import annotations

from pathlib import Path

from edgecnn.card import CARD_KEY, ModelCard
from edgecnn.errors import InputError
from edgecnn.files import check_writable, write_file
from edgecnn.integrity import checkpoint_header
from edgecnn.integrity.keys import Ask, check_private_key, read_private_key
from edgecnn.integrity.rewrite import is_signed, write_with_card
from edgecnn.integrity.sections import has_sections, split
from edgecnn.shipped import is_shipped


def check_target(file: Path, target: Path, what: str, *, key: Path | None = None, force: bool = False) -> ModelCard:
    """The card in ``file``, which is to be written to ``target`` (a copy, or the same) with ``what`` in its card.

    Raises ``InputError`` where that can't be done. A signed file needs the ``key`` to be signed again, or ``force`` to lose its signature.
    """
    if not has_sections(file) and not _is_checkpoint(file):
        problem = f"{file.name} can't hold {what}"
        raise InputError(problem, "name an .onnx, .xml, .tflite, .pte or .safetensors file with a card")
    if target.suffix.lower() != file.suffix.lower():
        raise InputError(f"--out: {target} has another suffix than {file.name}", f"give a name that ends in {file.suffix}")
    if target == file and is_shipped(file):
        raise InputError(f"{file.name} belongs to the installed package", "write a copy with --out")
    if key is not None and _is_checkpoint(file):
        raise InputError(f"--key: a checkpoint such as {file.name} is not signed", "leave it out")
    if not _is_checkpoint(file) and is_signed(file) and key is None and not force:
        raise InputError(
            f"{file.name} is signed, and another card makes its signature invalid",
            "sign it again with --key KEY, or lose the signature with --force",
        )
    if key is not None:
        check_private_key(key)
    card = own_card(file, what)
    check_writable(target)
    return card


def own_card(file: Path, what: str) -> ModelCard:
    """The card in the file itself: that of a predictor has the thresholds of the caller. Raises ``InputError`` where there is none."""
    card = stored_card(file)
    if card is None:
        raise InputError(f"{file.name} has no card, which holds {what}", "write one with edgecnn wrap")
    return card


def stored_card(file: Path) -> ModelCard | None:
    """The card in the file itself, None where it has none. Raises ``ArtifactError`` for a broken one."""
    if _is_checkpoint(file):
        text = checkpoint_header.texts(checkpoint_header.read_header(file)).get(CARD_KEY)
    else:
        found = split(file).texts.get(CARD_KEY) if has_sections(file) else None
        text = None if found is None else found.decode(errors="replace")
    return None if text is None else ModelCard.from_json(text, str(file))


def write_card(file: Path, target: Path, card: ModelCard, key: Path | None = None, ask: Ask = str) -> bool:
    """Write ``file`` with ``card`` to ``target``; whether a signature was lost. ``ask`` asks for the password of an encrypted key."""
    if _is_checkpoint(file):
        write_file(target, checkpoint_header.with_text(file, CARD_KEY, card.to_json()))
        return False
    return write_with_card(file, target, card, None if key is None else read_private_key(key, ask))


def _is_checkpoint(file: Path) -> bool:
    return file.suffix.lower() == checkpoint_header.SUFFIX

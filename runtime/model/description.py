"""Describes a model file (card, tensors, metadata) as text and as JSON, for `edgecnn info`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecnn.card import ACCEPTED, CARD_KEY, CLASS_THRESHOLDS, ModelCard
from edgecnn.check_record import CHECK_KEY, check_words
from edgecnn.counts import counted
from edgecnn.errors import ArtifactError, InputError
from edgecnn.integrity.digest import Digests, check_digests
from edgecnn.integrity.sections import PREFIX
from edgecnn.reference_profile.profile import PROFILE_KEY, profile_of
from edgecnn.reference_profile.seen_images import SEEN_KEY, seen_images
from edgecnn.runtime.backends import file_format
from edgecnn.runtime.backends.trial_load import open_checked
from edgecnn.runtime.model.card_inference import CardOptions, card_for
from edgecnn.runtime.model.output_checks import output_warnings
from edgecnn.shown_scores import shown_scores
from edgecnn.types import TensorSpec

SHOWN_LABELS = 12
SHOWN_CHARACTERS = 100
_OWN_ROWS = (PROFILE_KEY, SEEN_KEY, CHECK_KEY)  # of the record of the calibration


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDescription:
    """The description of a model file.

    ``card`` is None if it can't be inferred from the file; ``card_problem`` is the reason. ``inferred``: the file holds no card,
    because another tool wrote it. ``size_bytes`` includes the .bin of an OpenVINO model. ``metadata`` are the entries of other
    tools. ``digests`` is None for a file without them. ``warnings`` are the reasons why its results can't be right.
    """

    file: Path
    format: str
    size_bytes: int
    card: ModelCard | None
    card_problem: str
    inferred: bool
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    metadata: Mapping[str, str]
    digests: Digests | None = None
    warnings: tuple[str, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """Return the JSON document of `edgecnn info --json`."""
        return {
            "card": None if self.card is None else json.loads(self.card.to_json()),
            "inputs": [_tensor(spec) for spec in self.inputs],
            "outputs": [_tensor(spec) for spec in self.outputs],
            "metadata": dict(self.metadata),
            "warnings": list(self.warnings),
            "digest": None if self.digests is None else {"graph_sha256": self.digests.graph, "whole": self.digests.whole},
        }

    def lines(self) -> list[str]:
        """Return text lines of name and value in two columns."""
        rows = [("file", f"{self.file.name}, {self.format}, {self.size_bytes / 1e6:.2f} MB")]
        if self.card is not None:
            rows += card_rows(self.card)
        if self.inferred:
            rows.append(("card", "inferred, edgecnn did not write this file" if self.card else f"none: {self.card_problem}"))
        if self.digests is not None:
            rows.append(("digest", f"sha256 {self.digests.graph[:16]} of graph and weights, as exported"))
        elif not self.inferred:
            rows.append(("digest", "none: exported by an earlier edgecnn"))
        rows += [("input", _tensor(spec)) for spec in self.inputs] + [("output", _tensor(spec)) for spec in self.outputs]
        rows += [(_shortened(key), _shortened(text)) for key, text in self.metadata.items()]
        rows += [("warning", text) for text in self.warnings]
        if self.card is not None:
            rows.append(
                ("alone", "edgecnn info FILE --snippet python (or cpp) prints a program that runs this file without edgecnn")
            )
        width = max(len(key) for key, _ in rows)
        return [f"{key.ljust(width)}  {text}" for key, text in rows]


def describe(file: Path) -> ModelDescription:
    """Load and describe a model file. Raises the errors of ``open_checked``, and ``ArtifactError`` for a broken card."""
    backend = open_checked(file)
    try:
        card, problem = None, ""
        try:
            card = card_for(backend, file, CardOptions())
        except InputError as error:  # options are missing that a user would give; a broken card is an ArtifactError
            problem = error.problem
        return ModelDescription(
            file=file,
            format=file_format(file),
            size_bytes=_size(file),
            card=card,
            card_problem=problem,
            inferred=CARD_KEY not in backend.metadata,
            inputs=tuple(backend.inputs),
            outputs=tuple(backend.outputs),
            warnings=() if card is None else output_warnings(backend, card, file, probe=True),
            metadata={key: text for key, text in backend.metadata.items() if not key.startswith(PREFIX)},
            digests=check_digests(file),
        )
    finally:
        backend.close()


def _size(file: Path) -> int:
    # The weights of an OpenVINO IR are in a .bin file beside the .xml.
    files = [file, file.with_suffix(".bin")] if file.suffix == ".xml" else [file]
    return sum(part.stat().st_size for part in files if part.exists())


def card_rows(card: ModelCard) -> list[tuple[str, str]]:
    """Name and value of what a card says, without what it leaves open."""
    pre = card.preprocess
    place = f" ({pre.align}, padded with {pre.pad_value})" if pre.resize == "letterbox" else ""
    scale = "raw pixels" if pre.is_raw else f"(pixel - {_numbers(pre.mean)}) / {_numbers(pre.std)}"
    rows = [
        ("name", card.name),
        ("task", card.task),
        ("labels", _labels(card.labels)),
        ("image", "" if pre.tensors else f"{pre.size[0]} x {pre.size[1]} {pre.color}, {pre.resize}{place}, {scale}"),
        ("decoder", " ".join([card.decode.name, _options(_without(card.decode.options, CLASS_THRESHOLDS))]).strip()),
        ("shown from", shown_scores(card).words(card.labels)),
        ("precision", card.precision),
        ("calibration", _options(_without(card.calibration, *_OWN_ROWS))),
        ("profile", _profile(card)),
        ("seen", _seen(card)),
        ("check", check_words(card.calibration)),
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
    verdict = "passed" if parity["passed"] else "out of tolerance, accepted" if ACCEPTED in parity else "failed"
    rows = [("parity", f"{verdict}, largest error {largest:.1e} of the range; real inputs: {parity['real_inputs']}")]
    if "accuracy" in parity:
        got = parity["accuracy"]
        values = f"{got['metric']} {got['artifact'] * 100:.2f}, PyTorch {got['pytorch'] * 100:.2f}"
        text = f"{values}, on {counted(got['n'], 'image')} of {got['data']}"
        rows.append(("accuracy", text))
    return rows


def _profile(card: ModelCard) -> str:
    """What a stream is compared with by --drift."""
    try:
        profile = profile_of(card, "the card")
    except ArtifactError as error:
        return error.problem
    return "" if profile is None else f"{counted(profile.images, 'image')} of {profile.source} ({profile.data}), for --drift"


def _seen(card: ModelCard) -> str:
    """The images by which an evaluation on them is refused."""
    try:
        found = seen_images(card, "the card")
    except ArtifactError as error:
        return error.problem
    return ", ".join(f"{counted(one.images, 'image')} of {one.part} ({one.data})" for one in found)


def _labels(labels: Sequence[str]) -> str:
    more = f", ... ({len(labels)} in all)" if len(labels) > SHOWN_LABELS else ""
    return ", ".join(labels[:SHOWN_LABELS]) + more


def _options(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in options.items() if value not in ("", None, {}, []))


def _without(record: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in names}


def _numbers(values: Sequence[float]) -> str:
    return ",".join(f"{value:g}" for value in values)


def _tensor(spec: TensorSpec) -> str:
    scale = f", scale {spec.scale:g} zero-point {spec.zero_point}" if spec.scale is not None else ""
    return (
        f"{_shortened(spec.name)} {spec.dtype} {'x'.join('?' if size < 0 else str(size) for size in spec.shape)} {spec.layout}".rstrip()
        + scale
    )


def _shortened(text: str) -> str:
    flat = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return flat if len(flat) <= SHOWN_CHARACTERS else f"{flat[:SHOWN_CHARACTERS]}..."

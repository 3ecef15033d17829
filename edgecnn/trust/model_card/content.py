"""Puts a model card together: the sections of Hugging Face's template, with the ethical considerations of Mitchell et al. (2019).

Mitchell et al. 2019, "Model Cards for Model Reporting": https://arxiv.org/abs/1810.03993.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgecnn.card import ModelCard
from edgecnn.check_record import CHECK_KEY, check_words
from edgecnn.counts import counted
from edgecnn.errors import ArtifactError
from edgecnn.reference_profile.seen_images import seen_images
from edgecnn.runtime.model.description import ModelDescription, card_rows
from edgecnn.tasks import find
from edgecnn.trust.model_card.blocks import Block, Code, FigureTable, Section, Words, fact_rows, said
from edgecnn.trust.model_card.figures import INTERVAL, dataset_of, tables_of
from edgecnn.trust.model_card.results import BENCHMARK, GROUPS, SHORTCUTS, MeasuredResult
from edgecnn.trust.model_card.statements import Statements

METHODS = {
    "edgecnn.evaluation": "accuracy in detail; 95 % intervals by bootstrap over images",
    "edgecnn.groups": "the share that is right in each group; p-values corrected for the number of groups (Holm)",
    "edgecnn.paired_evaluation": "both files on the same images; exact paired tests, corrected for the number of classes (Holm)",
    "edgecnn.robustness": "accuracy on changed images, at the worst level of each change",
    "edgecnn.shortcuts": "what changes of background, corners and place do to the answers",
    "edgecnn.attack": "accuracy on images changed by a few grey levels to mislead the model",
    "edgecnn.benchmark": "latency on the named device; the interval is that of the medians of interleaved rounds",
}


@dataclass(frozen=True, slots=True)
class CardSources:
    """All that a model card is made of; ``signature`` says who signed the file, "" for nobody."""

    description: ModelDescription
    card: ModelCard
    statements: Statements
    measured: tuple[MeasuredResult, ...]
    signature: str = ""

    @property
    def title(self) -> str:
        """The heading."""
        return f"Model Card for {self.card.name}"


def sections(sources: CardSources) -> tuple[Section, ...]:
    """All sections in the order of the template. Raises ``InputError`` for a measurement that lacks fields."""
    return tuple(section for part in _PARTS for section in part(sources))


def summary(sources: CardSources) -> str:
    """What the model is, in a sentence or two."""
    if sources.statements.model_summary:
        return sources.statements.model_summary
    card = sources.card
    labels = f" with {len(card.labels)} class{'es' if len(card.labels) > 1 else ''}" if card.labels else ""
    return f"{find(card.task).model.capitalize()}{labels}, as the file {sources.description.file.name} ({sources.description.format})."


def _details(sources: CardSources) -> Iterator[Section]:
    own, card, about = sources.description, sources.card, sources.statements
    yield Section("Model Details", 2)
    rows = [
        ("Developed by", about.developers),
        ("Funded by", about.funded_by),
        ("Shared by", about.shared_by),
        ("Model type", f"{find(card.task).model}, {card.model['name']}" if card.model.get("name") else find(card.task).model),
        ("Language(s) (NLP)", ", ".join(about.language) or "none: the model takes no text"),
        ("License", _licence(about)),
        ("Finetuned from model", about.base_model or _initial(card)),
    ]
    yield Section("Model Description", 3, (*_optional(about.model_description), fact_rows(rows)))
    known = dict(card_rows(card))
    file = [
        ("File", f"{own.file.name}, {own.size_bytes / 1e6:.2f} MB"),
        ("Format", own.format),
        ("Precision", card.precision),
        ("Task", card.task),
        ("Classes", known.get("labels", "none")),
        ("Digest of graph and weights", f"SHA-256 {own.digests.graph}" if own.digests else ""),
        ("Signature", sources.signature or "none"),
        ("Verified against PyTorch", known.get("parity", "")),
        ("Accuracy when it was exported", known.get("accuracy", "")),
    ]
    warnings = [Words(f"Warning: {line}.") for line in own.warnings]
    yield Section("The file", 3, (fact_rows(file), *warnings))
    places = [("Repository", about.repo), ("Paper", about.paper), ("Demo", about.demo)]
    yield Section("Model Sources", 3, (fact_rows(places),))


def _uses(sources: CardSources) -> Iterator[Section]:
    about = sources.statements
    yield Section("Uses", 2)
    yield Section("Direct Use", 3, (said(about.direct_use),))
    yield Section("Downstream Use", 3, (said(about.downstream_use),))
    yield Section("Out-of-Scope Use", 3, (said(about.out_of_scope_use),))
    yield Section("Bias, Risks, and Limitations", 2, (said(about.bias_risks_limitations), *_measured_limits(sources)))
    yield Section("Recommendations", 3, (said(about.bias_recommendations),))
    yield Section("Ethical Considerations", 3, (said(about.ethical_considerations),))


def _measured_limits(sources: CardSources) -> Iterator[Words]:
    """What measurements found against the model."""
    for one in sources.measured:
        if one.schema == SHORTCUTS:
            yield Words(f"Shortcuts on {dataset_of(one)}: {one.own['verdict']}.")
        if one.schema == GROUPS:
            behind = [
                group["name"] for group in one.document["groups"] if group["p_corrected"] < _CHANCE and group["behind_others"] > 0
            ]
            words = f"served worse than the others: {', '.join(behind)}" if behind else "no group is behind beyond chance"
            yield Words(f"By {one.document['group_by']} on {dataset_of(one)}: {words}.")
        never = (one.document.get("detail") or {}).get("never_predicted")
        if never:
            yield Words(f"Never named on {dataset_of(one)}: {', '.join(never)}.")


def _start(sources: CardSources) -> Iterator[Section]:
    file = sources.description.file.name
    lines = f"pip install edgecnn\nedgecnn selftest {file}\nedgecnn run {file} --source 0\nedgecnn info {file} --snippet python"
    words = Words("The last line prints a program that runs the file without edgecnn.")
    yield Section("How to Get Started with the Model", 2, (Code("sh", lines), words))


def _training(sources: CardSources) -> Iterator[Section]:
    card, about, known = sources.card, sources.statements, dict(card_rows(sources.card))
    record = card.training
    yield Section("Training Details", 2)
    yield Section("Training Data", 3, (*_optional(about.training_data), fact_rows(_training_rows(card))))
    yield Section("Training Procedure", 3)
    yield Section("Preprocessing", 4, (fact_rows([("Input", known.get("image", "")), ("Decoder", known.get("decoder", ""))]),))
    rows = [
        ("Command", _text(record.get("command"))),
        ("Training regime", _text(record.get("amp")) or ("" if not record.get("torch") else "see the command")),
        ("Epochs", _text(record.get("epochs"))),
        ("Seed", _text(record.get("seed"))),
        ("Augmentation", _pairs(record.get("augmentation"))),
        ("Revision of the code", card.source_commit),
    ]
    yield Section("Training Hyperparameters", 4, (fact_rows(rows),))
    seconds = record.get("seconds")
    sizes = [
        ("Training time", f"{seconds:,} s" if isinstance(seconds, int | float) else ""),
        ("Size of the file", _size(sources)),
    ]
    yield Section("Speeds, Sizes, Times", 4, (fact_rows(sizes),))
    yield Section("Calibration", 3, (_calibration(card),))


def _calibration(card: ModelCard) -> Block:
    found = card.calibration
    if card.precision != "int8":
        return Words(f"None: the file is {card.precision}.")
    rows = [("Data", _text(found.get("dataset"))), ("Split", _text(found.get("split"))), ("Images", _text(found.get("count")))]
    rows += [("Images by class", _pairs(found.get("classes"))), ("Weights", _text(found.get("weights")))]
    return fact_rows([row for row in rows if row[1]] or rows[:1])


def _training_rows(card: ModelCard) -> list[tuple[str, str]]:
    record = card.training
    try:
        seen = seen_images(card, "the card")
    except ArtifactError as error:
        return [("Images", error.problem)]
    known = [(f"Images of {one.part}", f"{one.images:,} of {one.data}; an evaluation on them is refused") for one in seen]
    scores = record.get("scores")
    scores = scores if isinstance(scores, Mapping) else {}
    part = f" ({scores['part']})" if scores.get("part") else ""
    count = f", {counted(scores['n'], 'image')}" if isinstance(scores.get("n"), int) else ""
    kept = f"{scores['data']}{part}{count}" if scores.get("data") else ""
    return [("Data", _text(record.get("data"))), ("Images", _text(record.get("images"))), ("Held out", kept), *known]


def _evaluation(sources: CardSources) -> Iterator[Section]:
    measured, about = sources.measured, sources.statements
    trusted = [one for one in measured if one.schema != BENCHMARK]
    sets = list(dict.fromkeys(dataset_of(one) for one in trusted))
    yield Section("Evaluation", 2)
    yield Section("Testing Data, Factors & Metrics", 3)
    yield Section("Testing Data", 4, (said("; ".join(sets) + "." if sets else ""), *_overlaps(measured)))
    factors = [one.document["group_by"] for one in measured if one.schema == GROUPS]
    stated = about.testing_factors or (f"Compared by {', '.join(factors)}." if factors else "")
    yield Section("Factors", 4, (said(stated),))
    methods = [f"{METHODS[name]}." for name in dict.fromkeys(one.schema for one in measured)]
    yield Section("Metrics", 4, tuple(Words(text[:1].upper() + text[1:]) for text in methods) or (said(""),))
    tables: list[Block] = [*_check(sources.card), *(table for one in measured for table in tables_of(one))]
    yield Section("Results", 3, tuple(tables) or (said(""),))


def _check(card: ModelCard) -> Iterator[FigureTable]:
    """The result of a check against a policy that was written into the file."""
    found = card.calibration.get(CHECK_KEY)
    if not found:
        return
    rows = [
        (
            one["title"],
            f"at least {one['at_least']:g}" if "at_least" in one else f"at most {one['at_most']:g}",
            "-" if one["value"] is None else f"{one['value']:.4g}",
            "no interval" if one["low"] is None or one["high"] is None else f"{one['low']:.4g} to {one['high']:.4g}",
            one["unit"],
            one["verdict"],
        )
        for one in found["budgets"]
    ]
    heads = ("budget", "limit", "value", INTERVAL, "unit", "verdict")
    words = check_words(card.calibration)
    yield FigureTable("Policy that the file was checked against", heads, tuple(rows), (f"{words[:1].upper()}{words[1:]}.",))


def _overlaps(measured: Sequence[MeasuredResult]) -> Iterator[Words]:
    """What was measured on images that the model was made from."""
    for one in measured:
        overlap = one.own.get("overlap") or one.document.get("overlap") or {}
        for part in overlap.get("parts", ()):
            if part["shared"]:
                count = f"{part['shared']:,} of {part['compared']:,} images that were compared"
                yield Words(f"Of {dataset_of(one)}, {count} are in the {part['part']} data.")


def _rest(sources: CardSources) -> Iterator[Section]:
    about, card, own = sources.statements, sources.card, sources.description
    impact = [
        ("Hardware Type", about.hardware_type),
        ("Hours used", about.hours_used),
        ("Cloud Provider", about.cloud_provider),
        ("Compute Region", about.cloud_region),
        ("Carbon Emitted", about.co2_emitted),
    ]
    yield Section("Environmental Impact", 2, (fact_rows(impact),))
    yield Section("Technical Specifications", 2)
    specs = [("Architecture", _pairs(card.model))]
    specs += [("Input", _tensor(spec)) for spec in own.inputs] + [("Output", _tensor(spec)) for spec in own.outputs]
    yield Section("Model Architecture and Objective", 3, (fact_rows(specs),))
    yield Section("Compute Infrastructure", 3)
    devices = [one.document["device"] for one in sources.measured if one.schema == BENCHMARK]
    names = dict.fromkeys(str(device["name"] or device["cpu"]) for device in devices)
    yield Section("Hardware", 4, (said(f"MeasuredResult on {', '.join(names)}." if names else ""),))
    versions = [("edgecnn", _text(card.training.get("edgecnn"))), ("torch", _text(card.training.get("torch")))]
    yield Section("Software", 4, (fact_rows([(f"Trained with {name}", text) for name, text in versions]),))
    bibtex = (Code("bibtex", about.citation_bibtex),) if about.citation_bibtex else ()
    cited = bibtex + _optional(about.citation_apa)
    yield Section("Citation", 2, cited or (said(""),))
    for title, text in (("Glossary", about.glossary), ("More Information", about.more_information)):
        if text:
            yield Section(title, 2, (said(text),))
    yield Section("Model Card Authors", 2, (said(about.model_card_authors),))
    yield Section("Model Card Contact", 2, (said(about.model_card_contact),))


def _licence(about: Statements) -> str:
    if about.license_name:
        return f"{about.license_name} ({about.license_link})" if about.license_link else about.license_name
    return about.license


def _initial(card: ModelCard) -> str:
    init = card.training.get("init")
    return str(init.get("name", "")) if isinstance(init, Mapping) else ""


def _optional(text: str) -> tuple[Block, ...]:
    return (Words(text),) if text else ()


def _size(sources: CardSources) -> str:
    return f"{sources.description.size_bytes / 1e6:.2f} MB"


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _pairs(value: Any) -> str:
    if not isinstance(value, Mapping):
        return _text(value)
    return ", ".join(f"{key}={one}" for key, one in value.items() if one not in ("", None, {}, []))


def _tensor(spec: Any) -> str:
    shape = " x ".join("?" if size < 0 else str(size) for size in spec.shape)
    return f"{spec.name}, {spec.dtype} {shape} {spec.layout}".rstrip()


_CHANCE = 0.05
_PARTS = (_details, _uses, _start, _training, _evaluation, _rest)

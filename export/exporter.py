"""Exporting: convert, lower the precision, write, verify the file on disk against PyTorch, and only then give it its name."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

from torch import nn

from edgecnn.card import CARD_KEY, ModelCard, Precision
from edgecnn.errors import BackendError, InputError, ParityError
from edgecnn.export.config import FORMATS, check, check_free, file_name
from edgecnn.export.fold import folded
from edgecnn.export.graph import Deployable, example, own_copy, wrap
from edgecnn.export.publish import publish, refusals, staging
from edgecnn.export.quantize.calibration import Calibration
from edgecnn.export.quantize.qat_ranges import RECORD, Trained, trained
from edgecnn.export.quiet import quiet
from edgecnn.export.verify.accuracy import Accuracy
from edgecnn.export.verify.diagnose import Cause, diagnose
from edgecnn.export.verify.goldens import choose, fitted
from edgecnn.export.verify.parity import Parity, verify
from edgecnn.export.verify.probes import probes
from edgecnn.export.verify.reference import Evidence, Reference, gather
from edgecnn.golden import GOLDENS_KEY
from edgecnn.models.quantized import Quantized
from edgecnn.parity import table
from edgecnn.runtime.backends import open_backend
from edgecnn.runtime.model.selftest import selftest
from edgecnn.train.predict import one_thread
from edgecnn.types import Image


@dataclass(frozen=True, slots=True, eq=False)
class Artifact:
    """A verified file: where it is (an OpenVINO IR is the .xml; its .bin lies beside), its card, its parity, and what it took."""

    path: Path
    format: str
    card: ModelCard
    parity: Parity
    seconds: float

    @property
    def bytes(self) -> int:
        """Size on disk, of both files of an IR."""
        files = [self.path, self.path.with_suffix(".bin")] if self.format == "openvino" else [self.path]
        return sum(path.stat().st_size for path in files)


class OutOfToleranceError(ParityError):
    """An artifact that was not kept: its parity and the probable cause."""

    def __init__(self, name: str, parity: Parity, cause: Cause, complaints: Sequence[str] = ()) -> None:
        self.name, self.parity, self.cause = name, parity, cause
        super().__init__(
            f"{name} to give what PyTorch gives", "; ".join(complaints or parity.complaints), f"not kept, probable cause: {cause}"
        )


@dataclass(slots=True, eq=False)
class Prepared:
    """A model made ready once for all its exports; conversions are kept, since each precision of a format starts from the same.

    ``trained`` are the ranges of one that was trained for int8, and its ``reference`` then rounds as int8 does: it is for that alone.
    """

    graph: Deployable
    card: ModelCard
    reference: Reference
    programs: dict[str, Any] = field(default_factory=dict)
    trained: Trained | None = None
    unrounded: Reference | None = None

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(tensor.numel() for tensor in self.graph.state_dict().values())

    def program(self, format: str) -> Any:
        """The single-precision program in ``format``; raises ``InputError`` for a model that the converter can't take."""
        if format not in self.programs:
            try:
                with quiet():
                    self.programs[format] = import_module(FORMATS[format]).convert(self.graph, example(self.card))
            except (KeyboardInterrupt, MemoryError):
                raise
            except Exception as error:
                raise _refused(
                    f"a model that can be converted to {format}", error, "replace the operator that it names"
                ) from error
        return self.programs[format]

    def lowered(self, format: str, precision: Precision, calibration: Calibration | None) -> Any:
        """The program in ``precision``; ranges that were trained go before a calibration."""
        module = import_module(FORMATS[format])
        program = self.program(getattr(module, "TRAINED_FROM", format) if self.trained else format)
        feeds = calibration.feeds(self.card) if calibration is not None and precision == "int8" and not self.trained else []
        try:
            with quiet():
                return module.lower_trained(program, self.trained) if self.trained else module.lower(program, precision, feeds)
        except (KeyboardInterrupt, MemoryError, InputError):
            raise
        except Exception as error:
            raise _refused(f"a model that {format} takes in {precision}", error, "export it in another precision") from error


def is_trained(model: nn.Module | Prepared) -> bool:
    """Whether ``model`` brings its ranges of int8 with it."""
    return model.trained is not None if isinstance(model, Prepared) else isinstance(model, Quantized)


def _refused(wanted: str, error: Exception, do: str) -> InputError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return InputError(wanted, f"{type(error).__name__}: {lines[0][:200] if lines else ''}", do)


def prepare(model: nn.Module, card: ModelCard, precision: Precision = "fp32") -> Prepared:
    """Copy ``model`` and wrap the copy; ``card`` is the checkpoint's. Raises ``InputError`` where they do not fit each other.

    Only of a network that was trained for int8 does ``precision`` matter: for int8 the source is the network that rounds, which is
    what was trained and scored, for the others the same weights without rounding.
    """
    mine = own_copy(model)
    found = trained(mine, card) if isinstance(mine, Quantized) and precision == "int8" else None
    plain = mine.plain() if isinstance(mine, Quantized) else mine
    graph, artifact_card = wrap(plain, card)
    graph = folded(graph, example(card))
    training = {key: value for key, value in card.training.items() if key != "history"}  # long, and in the checkpoint
    source, unrounded = (Reference(net, card, graph.names) for net in (mine if found else plain, plain))
    return Prepared(graph, artifact_card.replace(training=training), source, {}, found, unrounded if found else None)


@one_thread()
def export(
    model: nn.Module | Prepared,
    card: ModelCard,
    out: Path,
    *,
    format: str,
    precision: Precision = "fp32",
    calibration: Calibration | None = None,
    verify_with: Sequence[Image] | Evidence = (),
    accuracy: Accuracy | None = None,
    name: str | None = None,
    force: bool = False,
) -> Artifact:
    """Export ``model`` to ``out``/NAME-PRECISION in ``format``, verified; ``card`` is the checkpoint's.

    ``verify_with`` are real images, (H, W, 3) uint8 BGR; ``calibration`` is needed for int8; ``accuracy`` measures the file on a
    dataset too. The model given is not changed.
    Raises ``InputError`` or ``MissingExtraError`` before any work for what can't be done, ``OutOfToleranceError`` for a file that does
    not give what PyTorch gives; then nothing is left behind and an older file of that name stays.
    """
    check([format], [precision], calibrated=calibration is not None or is_trained(model))
    started = perf_counter()
    file = file_name(name or card.name, format, precision)
    check_free(out, [file], force=force)
    prepared = model if isinstance(model, Prepared) else prepare(model, card, precision)
    if prepared.trained and precision != "int8":
        raise ValueError(f"wanted a model prepared for {precision}, found one prepared for int8: prepare it again")
    evidence = verify_with if isinstance(verify_with, Evidence) else evidence_of(prepared, verify_with, "images given")
    with staging(out) as draft:
        program = prepared.lowered(format, precision, calibration)
        job = _Job(prepared, evidence, format, precision, draft / file, calibration, accuracy)
        final, parity = job.write(program, out)
        publish(draft, out, [path.name for path in sorted(draft.iterdir())])
    return Artifact(out / file, format, final, parity, perf_counter() - started)


@one_thread()
def evidence_of(prepared: Prepared, real: Sequence[Image], source: str) -> Evidence:
    """PyTorch's answers for ``real`` images and the stress images; may be given to any number of exports of ``prepared``."""
    return gather(prepared.reference, probes(real, prepared.card.preprocess), source if real else "none: blurred noise stands in")


@dataclass(frozen=True, slots=True)
class _Job:
    """One artifact on its way."""

    prepared: Prepared
    evidence: Evidence
    format: str
    precision: Precision
    path: Path
    calibration: Calibration | None
    accuracy: Accuracy | None = None

    def write(self, program: Any, out: Path) -> tuple[ModelCard, Parity]:
        """Write, verify, write again with the parity in its card, and run the goldens of what was written."""
        card = self._card()
        self._save(program, {CARD_KEY: card.to_json()}, out)
        parity = verify(self.path, self.evidence)
        if not parity.passed:
            raise OutOfToleranceError(self.path.name, parity, diagnose(self.evidence, parity, self._sibling(out)))
        record = parity.record() | self._measured(parity)
        final = card.replace(parity=record)
        goldens = fitted(choose(self.evidence, card.preprocess, self.prepared.parameters), self.path)
        self._save(program, {CARD_KEY: final.to_json(), GOLDENS_KEY: goldens}, out)
        self._selftest(final)
        with refusals(out):
            report = self.path.with_name(f"{self.path.name}.parity.json")
            report.write_text(json.dumps({"artifact": self.path.name, "precision": self.precision, **record}, indent=1) + "\n")
        return final, parity

    def _measured(self, parity: Parity) -> dict[str, Any]:
        if self.accuracy is None:
            return {}
        drop = self.accuracy.measure(self.path)
        if drop.complaint:
            cause = Cause("precision", "labels and boxes agree on the probes, and not well enough on the dataset")
            raise OutOfToleranceError(self.path.name, parity, cause, [drop.complaint])
        return {"accuracy": drop.record()}

    def _card(self) -> ModelCard:
        record = self.calibration.record() if self.calibration is not None and self.precision == "int8" else {}
        record = dict(RECORD) if self.prepared.trained else record
        return self.prepared.card.replace(precision=self.precision, calibration=record)

    def _save(self, program: Any, texts: dict[str, str], out: Path) -> None:
        with refusals(out), quiet():
            import_module(FORMATS[self.format]).save(program, self.path, texts)

    def _selftest(self, card: ModelCard) -> None:
        backend = open_backend(self.path)
        try:
            rows = selftest(backend, card, self.path)
        finally:
            backend.close()
        if any(row.complaints for row in rows):
            raise BackendError(
                f"goldens of {self.path.name} that it passes", table(rows, card.task), "report this: parity had passed"
            )

    def _sibling(self, out: Path) -> Callable[[], bool]:
        """Whether the same graph in single precision is right, on the same evidence."""

        def right() -> bool:
            twin = _Job(self.prepared, self.evidence, self.format, "fp32", self.path.with_stem(f"{self.path.stem}-twin"), None)
            twin._save(self.prepared.program(self.format), {CARD_KEY: twin._card().to_json()}, out)
            unrounded = self.prepared.unrounded
            evidence = gather(unrounded, self.evidence.probes, self.evidence.source) if unrounded else self.evidence
            return verify(twin.path, evidence).passed

        return right

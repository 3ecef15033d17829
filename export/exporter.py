"""Exports one artifact: convert, lower the precision, write, verify the file on disk against PyTorch, then publish it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

from torch import nn

from edgecnn.card import ACCEPTED, ModelCard, Precision
from edgecnn.errors import BackendError, InputError, ParityError
from edgecnn.export.config import FORMATS, GraphOptions, check_overwrite, check_targets, file_name
from edgecnn.export.fold import fold_preprocessing
from edgecnn.export.graph import Deployable, example, examples, inference_copy, output_names, wrap
from edgecnn.export.nms.attach import save_program, with_nms
from edgecnn.export.nms.decoders import check_decoder
from edgecnn.export.publish import publish, report_write_errors, staging_folder
from edgecnn.export.quantize.calibration import Calibration
from edgecnn.export.quantize.qat_ranges import RECORD, TrainedRanges, trained_ranges
from edgecnn.export.quiet import quiet
from edgecnn.export.refusal import refused
from edgecnn.export.reparametrize import fused
from edgecnn.export.steps import ExportStep, Note, ignore, tools
from edgecnn.export.tensor_graph import TensorGraph, wrap_tensors
from edgecnn.export.verify.accuracy import Accuracy
from edgecnn.export.verify.diagnose import Cause, diagnose
from edgecnn.export.verify.goldens import golden_texts, select_goldens
from edgecnn.export.verify.parity import Parity, Verified, verify
from edgecnn.export.verify.probes import probes
from edgecnn.export.verify.reference import Evidence, Reference, collect_evidence
from edgecnn.integrity.digest import sealed
from edgecnn.json_text import dump_json
from edgecnn.models.quantized import QuantizedModel
from edgecnn.runtime.backends import open_backend
from edgecnn.runtime.backends.trial_load import remember
from edgecnn.runtime.model.selftest import selftest
from edgecnn.train.predict import one_thread
from edgecnn.types import Image


@dataclass(frozen=True, slots=True, eq=False)
class Artifact:
    """A verified file: path (for OpenVINO the .xml; the .bin is in the same folder), card, parity and export time in seconds.

    ``notes`` say what was tried for it.
    """

    path: Path
    format: str
    card: ModelCard
    parity: Parity
    seconds: float
    notes: str = ""

    @property
    def bytes(self) -> int:
        """Size on disk, of both files of an IR."""
        files = [self.path, self.path.with_suffix(".bin")] if self.format == "openvino" else [self.path]
        return sum(path.stat().st_size for path in files)


class OutOfToleranceError(ParityError):
    """An artifact differs too much from PyTorch and was not kept; holds its parity and the probable cause."""

    def __init__(self, name: str, parity: Parity, cause: Cause, violations: Sequence[str] = ()) -> None:
        self.name, self.parity, self.cause, self.violations = name, parity, cause, tuple(violations)
        super().__init__(
            f"{name} differs from PyTorch: {', '.join(violations or parity.violations)}", f"not kept, probable cause: {cause}"
        )

    def __reduce__(self) -> tuple[object, ...]:
        """Pickling with all parts: a file may be exported in another process."""
        return type(self), (self.name, self.parity, self.cause, self.violations)


@dataclass(frozen=True, slots=True, eq=False)
class Lowered:
    """A program that was made int8 already, and how, for ``calibration`` in the card.

    ``excess`` says by how much it misses what was asked for, "" where it does not; the card then tells it like another deviation.
    """

    program: Any
    record: Mapping[str, Any]
    excess: str = ""


@dataclass(slots=True, eq=False)
class PreparedModel:
    """A model prepared once for all its exports; the fp32 program of each format is cached, because every precision starts from it.

    ``trained_ranges`` are those of a network trained for int8 (QAT). Its ``reference`` then rounds as int8 does, it can only be
    exported in int8, and ``unrounded`` is the reference without rounding.
    """

    graph: Deployable | TensorGraph
    card: ModelCard
    reference: Reference
    programs: dict[str, Any] = field(default_factory=dict)
    trained_ranges: TrainedRanges | None = None
    unrounded: Reference | None = None
    note: Note = ignore
    fp32_checks: dict[str, Verified] = field(default_factory=dict, init=False)  # by format

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(tensor.numel() for tensor in self.graph.state_dict().values())

    def program(self, format: str) -> Any:
        """The fp32 program in ``format``; raises ``InputError`` for a model that the converter refuses."""
        if format not in self.programs:
            self.note(ExportStep(tools(format).converter, f"while it converts the model to {format}", shared=True))
            try:
                with quiet():
                    self.programs[format] = import_module(FORMATS[format]).convert(
                        self.graph, *examples(self.card, self.graph.options)
                    )
            except (KeyboardInterrupt, MemoryError, InputError):
                raise
            except Exception as error:
                raise refused(f"the model can't be converted to {format}", error, "export it in another format") from error
        return self.programs[format]

    def lowered(self, format: str, precision: Precision, calibration: Calibration | None) -> Any:
        """The program in ``precision``; trained ranges take precedence over a calibration."""
        module = import_module(FORMATS[format])
        program = self.program(getattr(module, "TRAINED_FROM", format) if self.trained_ranges else format)
        feeds = (
            calibration.feeds(self.card) if calibration is not None and precision == "int8" and not self.trained_ranges else []
        )
        if precision != "fp32":
            self.note(ExportStep(tools(format).quantizer, f"while it makes the model {precision}"))
        try:
            with quiet():
                return (
                    module.lower_trained(program, self.trained_ranges)
                    if self.trained_ranges
                    else module.lower(program, precision, feeds)
                )
        except (KeyboardInterrupt, MemoryError, InputError):
            raise
        except Exception as error:
            raise refused(f"the {format} model can't be made {precision}", error, "export it in another precision") from error


def has_trained_ranges(model: nn.Module | PreparedModel) -> bool:
    """Whether ``model`` was trained for int8 and has its own ranges."""
    return model.trained_ranges is not None if isinstance(model, PreparedModel) else isinstance(model, QuantizedModel)


def prepare(
    model: nn.Module, card: ModelCard, precision: Precision = "fp32", options: GraphOptions | None = None
) -> PreparedModel:
    """Copy ``model`` and wrap the copy for export; ``card`` is the checkpoint's, ``options`` are those of the exported graph.

    Raises ``InputError`` where they do not match.

    ``precision`` matters only for a network trained for int8: in int8 the reference is the network with its rounding, as it was
    trained and scored; in other precisions the same weights without rounding.
    """
    mine = inference_copy(model)
    found = trained_ranges(mine, card) if isinstance(mine, QuantizedModel) and precision == "int8" else None
    if found and replace(options or GraphOptions(), nms=False) != GraphOptions():
        raise InputError(
            "a network trained for int8 keeps the usual input in int8",
            "leave out --layout, --input-dtype, --batch and --dynamic-size",
        )
    plain = mine.plain() if isinstance(mine, QuantizedModel) else mine
    if card.preprocess.tensors:
        return _prepare_tensors(plain, card, options)
    shape = (1, card.preprocess.channels, *card.preprocess.size)
    deployed = plain if found else fused(plain, shape)
    if options is not None and options.nms:
        check_decoder(card)
    graph, artifact_card = wrap(deployed, card, options)
    names, final = graph.names, None
    if options is not None and options.nms:
        graph, artifact_card = with_nms(deployed, card, artifact_card, graph)
        final = artifact_card.decode
    graph = fold_preprocessing(graph, example(card, graph.options))
    training = {key: value for key, value in card.training.items() if key != "history"}  # long, and in the checkpoint
    source, unrounded = (Reference(net, card, names, final) for net in (mine if found else plain, plain))
    return PreparedModel(graph, artifact_card.replace(training=training), source, {}, found, unrounded if found else None)


def _prepare_tensors(model: nn.Module, card: ModelCard, options: GraphOptions | None) -> PreparedModel:
    """``prepare`` for a model that takes tensors."""
    deployed = fused(model, *(spec.shape for spec in card.preprocess.tensors))
    graph, artifact_card = wrap_tensors(deployed, card, options, output_names)
    return PreparedModel(graph, artifact_card, Reference(model, card, graph.names))


@one_thread()
def export(
    model: nn.Module | PreparedModel,
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
    draft: Path | None = None,
    lowered: Lowered | None = None,
    accept: bool = False,
    file: str | None = None,
) -> Artifact:
    """Export ``model`` to ``out``/NAME-PRECISION (or ``file``) in ``format``, verified; ``card`` is the checkpoint's.

    ``verify_with`` are real images, (H, W, 3) uint8 BGR; ``calibration`` is needed for int8; ``accuracy`` also measures the file on
    a dataset; ``draft`` is a staging folder of ``out`` to work in; ``lowered`` is written as it is, instead of
    a program made here. A file out of tolerance is kept where ``accept`` says so, with the deviation in its card. ``model`` is not
    modified.
    Raises ``InputError`` or ``MissingExtraError`` before any work for impossible combinations, ``OutOfToleranceError`` for a file
    that differs from PyTorch; in that case no file is left behind, and an older file of the same name is kept.
    """
    check_targets([format], [precision], calibrated=calibration is not None or has_trained_ranges(model))
    started = perf_counter()
    file = file or file_name(name or card.name, format, precision)
    check_overwrite(out, [file], force=force)
    prepared = model if isinstance(model, PreparedModel) else prepare(model, card, precision)
    if prepared.trained_ranges and precision != "int8":
        raise ValueError(f"the model was prepared for int8, not for {precision}; prepare it again")
    evidence = verify_with if isinstance(verify_with, Evidence) else evidence_of(prepared, verify_with, "given images")
    with staging_folder(out, draft) as folder:
        program = prepared.lowered(format, precision, calibration) if lowered is None else lowered.program
        made, excess = ({}, "") if lowered is None else (lowered.record, lowered.excess)
        job = _ArtifactBuilder(prepared, evidence, format, precision, folder / file, calibration, accuracy, made, accept, excess)
        final, parity = job.write(program, out)
        publish(folder, out, [path.name for path in sorted(folder.iterdir())])
    return Artifact(out / file, format, final, parity, perf_counter() - started)


@one_thread()
def evidence_of(prepared: PreparedModel, real: Sequence[Image], source: str) -> Evidence:
    """PyTorch's outputs for ``real`` and synthetic images; can be shared by all exports of ``prepared``."""
    return collect_evidence(
        prepared.reference, probes(real, prepared.card.preprocess), source if real else "none, blurred noise instead"
    )


@dataclass(frozen=True, slots=True)
class _ArtifactBuilder:
    """Writes and verifies one artifact."""

    prepared: PreparedModel
    evidence: Evidence
    format: str
    precision: Precision
    path: Path
    calibration: Calibration | None
    accuracy: Accuracy | None = None
    made: Mapping[str, Any] = field(default_factory=dict)  # how the program was made, for the card
    accept: bool = False
    excess: str = ""  # what ``Lowered`` says

    def write(self, program: Any, out: Path) -> tuple[ModelCard, Parity]:
        """Write, verify, write again with the parity in its card, then run the goldens of the final file."""
        card = self._card()
        # first without parity and goldens: both are measured on the file itself
        self.prepared.note(ExportStep(tools(self.format).converter, "while it writes the file"))
        self._save(program, card, out)
        self.prepared.note(ExportStep(tools(self.format).engine, "while it runs the file"))
        parity, outputs = verify(self.path, self.evidence)
        if self.precision == "fp32":
            self.prepared.fp32_checks[self.format] = parity, outputs
        if not parity.passed and not (self.accept and parity.usable):
            raise OutOfToleranceError(self.path.name, parity, diagnose(self.evidence, parity, outputs, self._fp32_check(out)))
        record = parity.record() | self._measured(parity)
        if self.excess:
            record |= {"passed": False, ACCEPTED: [self.excess]}
        if not record["passed"]:
            record[ACCEPTED] = [*parity.violations, *record.pop(ACCEPTED, [])]
        texts = golden_texts(select_goldens(self.evidence, card.preprocess, self.prepared.parameters), self.path)
        final = self._seal(card.replace(parity=record), texts, out)
        self._selftest(final)
        with report_write_errors(out):
            report = self.path.with_name(f"{self.path.name}.parity.json")
            report.write_text(dump_json({"artifact": self.path.name, "precision": self.precision, **record}, indent=1) + "\n")
        return final, parity

    def _measured(self, parity: Parity) -> dict[str, Any]:
        if self.accuracy is None:
            return {}
        remember(self.path)  # it was just verified
        drop = self.accuracy.measure(self.path)
        if drop.violation and self.accept:
            return {"accuracy": drop.record(), "passed": False, ACCEPTED: [drop.violation]}
        if drop.violation:
            cause = Cause("precision", "labels and boxes agree on the verification images, but accuracy on the dataset drops")
            raise OutOfToleranceError(self.path.name, parity, cause, [drop.violation])
        return {"accuracy": drop.record()}

    def _card(self) -> ModelCard:
        return self.prepared.card.replace(precision=self.precision, calibration={**self._int8_record(), **self.made})

    def _int8_record(self) -> dict[str, Any]:
        """How the ranges and codes of an int8 file were chosen, {} for other precisions."""
        if self.precision != "int8":
            return {}
        trained = self.prepared.trained_ranges is not None
        ranges = RECORD if trained or self.calibration is None else self.calibration.record()
        weights = getattr(import_module(FORMATS[self.format]), "TRAINED_RECORD" if trained else "INT8_RECORD", {})
        return {**ranges, **weights}

    def _save(self, program: Any, card: ModelCard, out: Path) -> None:
        with report_write_errors(out), quiet():
            save_program(program, self.path, self.format, card)
        self._seal(card, {}, out)

    def _seal(self, card: ModelCard, texts: dict[str, str], out: Path) -> ModelCard:
        """Write card, texts and digests into the file; returns the card with the digest of graph and weights."""
        with report_write_errors(out):
            final, content = sealed(self.path, card, texts)
            self.path.write_bytes(content)
        assert final is not None
        return final

    def _selftest(self, card: ModelCard) -> None:
        backend = open_backend(self.path)
        try:
            result = selftest(backend, card, self.path)
        finally:
            backend.close()
        if result.violations:
            raise BackendError(
                f"{self.path.name} passed verification but fails its own goldens: {'; '.join(result.violations)}",
                "report this as a bug",
            )
        remember(self.path)

    def _fp32_check(self, out: Path) -> Callable[[], Verified]:
        """A function that verifies the same graph in fp32, once for all precisions of a format."""

        def check() -> Verified:
            if self.format in self.prepared.fp32_checks:
                return self.prepared.fp32_checks[self.format]
            twin = _ArtifactBuilder(
                self.prepared, self.evidence, self.format, "fp32", self.path.with_stem(f"{self.path.stem}-twin"), None
            )
            twin._save(self.prepared.program(self.format), twin._card(), out)
            unrounded = self.prepared.unrounded
            evidence = collect_evidence(unrounded, self.evidence.probes, self.evidence.source) if unrounded else self.evidence
            found = verify(twin.path, evidence)
            self.prepared.fp32_checks[self.format] = found
            return found

        return check

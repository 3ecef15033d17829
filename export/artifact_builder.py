"""Writes one artifact, verifies the file on disk against PyTorch, and stores what was found in its card."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from edgecnn.card import ACCEPTED, ModelCard, Precision
from edgecnn.errors import BackendError
from edgecnn.export.artifact import Lowered
from edgecnn.export.config import FORMATS
from edgecnn.export.failures import OutOfToleranceError
from edgecnn.export.nms.attach import save_program
from edgecnn.export.prepared import PreparedModel
from edgecnn.export.publish import report_write_errors
from edgecnn.export.quantize.calibration import Calibration
from edgecnn.export.quantize.qat_ranges import RECORD
from edgecnn.export.quiet import quiet
from edgecnn.export.steps import ExportStep, tools
from edgecnn.export.verify.accuracy import Accuracy
from edgecnn.export.verify.diagnose import Cause, diagnose
from edgecnn.export.verify.goldens import golden_texts, select_goldens
from edgecnn.export.verify.parity import Parity, Verified, verify
from edgecnn.export.verify.reference import Evidence, collect_evidence
from edgecnn.integrity.digest import sealed
from edgecnn.json_text import dump_json
from edgecnn.reference_profile.collect import LEAST_IMAGES, collect, evenly
from edgecnn.reference_profile.profile import PROFILE_KEY, takes_images
from edgecnn.runtime.backends import open_backend
from edgecnn.runtime.backends.trial_load import remember
from edgecnn.runtime.model.card_inference import CardOptions
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.runtime.model.selftest import selftest
from edgecnn.thresholds import SHOWN_SCORE

_PROFILE_IMAGES = 128  # more would make an export of nine files noticeably longer


@dataclass(frozen=True, slots=True)
class ArtifactBuilder:
    """Writes and verifies one artifact at ``path``, which is published to ``out`` later; ``accept`` keeps it if it is out of tolerance."""

    prepared: PreparedModel
    evidence: Evidence
    format: str
    precision: Precision
    path: Path
    out: Path
    lowered: Lowered
    calibration: Calibration | None = None
    accuracy: Accuracy | None = None
    accept: bool = False

    def write(self) -> tuple[ModelCard, Parity]:
        """Write, verify, write again with the parity in its card, then run the goldens of the final file.

        Raises ``OutOfToleranceError`` for a file that differs from PyTorch.
        """
        card = self._card()
        # first without parity and goldens: both are measured on the file itself
        self.prepared.note(ExportStep(tools(self.format).converter, "while it writes the file"))
        self._save(card)
        self.prepared.note(ExportStep(tools(self.format).engine, "while it runs the file"))
        parity = self._verified()
        record = self._record(parity)
        texts = golden_texts(select_goldens(self.evidence, card.preprocess, self.prepared.parameters), self.path)
        final = self._seal(card.replace(parity=record, calibration={**card.calibration, **self._profile(card)}), texts)
        self._selftest(final)
        self._report(record)
        return final, parity

    def _verified(self) -> Parity:
        parity, outputs = verify(self.path, self.evidence)
        if self.precision == "fp32":
            self.prepared.fp32_checks[self.format] = parity, outputs
        if not parity.passed and not (self.accept and parity.usable):
            raise OutOfToleranceError(self.path.name, parity, diagnose(self.evidence, parity, outputs, self._fp32_check))
        return parity

    def _record(self, parity: Parity) -> dict[str, Any]:
        """What the card says of the verification, and of a deviation with which the file is kept."""
        record = parity.record() | self._measured(parity)
        if self.lowered.excess:
            record |= {"passed": False, ACCEPTED: [self.lowered.excess]}
        if not record["passed"]:
            record[ACCEPTED] = [*parity.violations, *record.pop(ACCEPTED, [])]
        return record

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

    def _profile(self, card: ModelCard) -> dict[str, Any]:
        """What the calibration images look like and what the file says of them, for `edgecnn run --drift`; {} where training has it."""
        images = () if self.calibration is None else self.calibration.images
        if self.calibration is None or PROFILE_KEY in card.training or len(images) < LEAST_IMAGES or not takes_images(card):
            return {}
        with Predictor(self.path, options=CardOptions(score_threshold=SHOWN_SCORE)) as predictor:
            chosen = (images[place] for place in evenly(len(images), _PROFILE_IMAGES))
            return {PROFILE_KEY: collect(chosen, predictor, "calibration", self.calibration.dataset).to_record()}

    def _report(self, record: dict[str, Any]) -> None:
        with report_write_errors(self.out):
            report = self.path.with_name(f"{self.path.name}.parity.json")
            report.write_text(dump_json({"artifact": self.path.name, "precision": self.precision, **record}, indent=1) + "\n")

    def _card(self) -> ModelCard:
        return self.prepared.card.replace(precision=self.precision, calibration={**self._int8_record(), **self.lowered.record})

    def _int8_record(self) -> dict[str, Any]:
        """How the ranges and codes of an int8 file were chosen, {} for other precisions."""
        if self.precision != "int8":
            return {}
        trained = self.prepared.trained_ranges is not None
        ranges = RECORD if trained or self.calibration is None else self.calibration.record()
        weights = getattr(import_module(FORMATS[self.format]), "TRAINED_RECORD" if trained else "INT8_RECORD", {})
        return {**ranges, **weights}

    def _save(self, card: ModelCard) -> None:
        with report_write_errors(self.out), quiet():
            save_program(self.lowered.program, self.path, self.format, card)
        self._seal(card, {})

    def _seal(self, card: ModelCard, texts: dict[str, str]) -> ModelCard:
        """Write card, texts and digests into the file; returns the card with the digest of graph and weights."""
        with report_write_errors(self.out):
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

    def _fp32_check(self) -> Verified:
        """The same graph verified in fp32, once for all precisions of a format."""
        if self.format not in self.prepared.fp32_checks:
            path = self.path.with_stem(f"{self.path.stem}-twin")
            program = Lowered(self.prepared.program(self.format))
            twin = ArtifactBuilder(self.prepared, self.evidence, self.format, "fp32", path, self.out, program)
            twin._save(twin._card())
            unrounded = self.prepared.unrounded
            evidence = collect_evidence(unrounded, self.evidence.probes, self.evidence.source) if unrounded else self.evidence
            self.prepared.fp32_checks[self.format] = verify(path, evidence)
        return self.prepared.fp32_checks[self.format]

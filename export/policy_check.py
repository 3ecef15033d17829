"""A check that every exported file has to pass before it gets its name; the caller of the export gives it.

The room of the policies is above this one, so it is a function here. The fp32 file of the same format and run is kept in the staging
folder, for the check of what the others lose.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecnn.card import ModelCard
from edgecnn.errors import EdgeCnnError
from edgecnn.export.jobs import Target
from edgecnn.export.publish import report_write_errors


class RefusedByPolicyError(EdgeCnnError):
    """A file does not keep to the policy and was not written."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class PolicyVerdict:
    """What a check says of a file: ``broken`` are the budgets that are not met, in words, "" where all are; ``notes`` the table.

    ``card`` is that of the file, into which the check has written its result.
    """

    broken: str
    notes: str
    card: ModelCard


CheckFile = Callable[[Path, Path | None], PolicyVerdict]
"""Checks a file against a policy, with the fp32 file of the same run, or None where the run has none."""


@dataclass(frozen=True, slots=True)
class PolicyGate:
    """The check of an export; ``folder`` keeps the fp32 files. ``alone``: it measures time, so files are made one after the other."""

    check: CheckFile
    policy: str
    folder: Path | None = None
    alone: bool = False

    def inspect(self, path: Path, format: str, precision: str) -> PolicyVerdict:
        """Check the finished file at ``path``, which has no name of its own yet; raises ``RefusedByPolicyError``."""
        reference = self._reference(path, format, precision)
        found = self.check(path, reference)
        if found.broken:
            raise RefusedByPolicyError(
                f"{path.name} is not written, because it does not keep to {self.policy}: {found.broken}",
                "train or export it otherwise, or change the policy",
            )
        return found

    def _reference(self, path: Path, format: str, precision: str) -> Path | None:
        """The fp32 file of this format: an fp32 file is its own, and is kept for those after it."""
        if self.folder is None:
            return None
        folder = self.folder / format
        if precision != "fp32":
            return next(folder.glob(f"*{path.suffix}"), None)
        with report_write_errors(path.parent):
            folder.mkdir(exist_ok=True)
            for part in (path, path.with_suffix(".bin")):
                if part.exists():
                    shutil.copyfile(part, folder / part.name)  # under its own name, which is part of the digest
        return path


def gate_folder(draft: Path) -> Path:
    """The folder of the fp32 files in a staging folder."""
    folder = draft / "references"
    folder.mkdir(exist_ok=True)
    return folder


def fp32_first(targets: Sequence[Target]) -> tuple[Target, ...]:
    """The (format, precision) of files with fp32 before the precisions that are compared with it."""
    return tuple(sorted(targets, key=lambda target: target[1] != "fp32"))

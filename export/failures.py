"""Files that were not exported: one that differs from PyTorch, and several in one error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgecnn.errors import EdgeCnnError, ParityError
from edgecnn.export.verify.diagnose import Cause
from edgecnn.export.verify.parity import Parity


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


class FailedExportsError(EdgeCnnError):
    """Several files were not exported, for different reasons; ``errors`` holds them by file name."""

    def __init__(self, errors: Mapping[str, EdgeCnnError], count: int) -> None:
        self.errors = errors
        reasons = ", ".join(f"{file} ({error.problem})" for file, error in errors.items())
        fixes = {error.fix for error in errors.values()}
        fix = fixes.pop() if len(fixes) == 1 else "what helps is written above, below each of them"
        super().__init__(f"{len(errors)} of {count} files were not exported: {reasons}", fix)
        if all(error.exit_code == 1 for error in errors.values()):
            self.exit_code = 1


def in_one(failed: Mapping[str, EdgeCnnError], count: int) -> EdgeCnnError:
    """The error that ends an export of ``count`` files: that of the files that failed if it is the same, else all of them."""
    texts = {str(error) for error in failed.values()}
    return next(iter(failed.values())) if len(texts) == 1 else FailedExportsError(failed, count)

"""What can go wrong, as one tree.

EdgeCnnError             exit code 2: one line to the user, never a traceback
├── InputError           a file, option or dataset from the user is missing, unreadable or contradictory
├── ArtifactError        an exported file is broken, or its card does not fit it
├── MissingExtraError    an optional part of edgecnn is not installed; says the command that installs it
├── SourceError          a camera, stream or video can't be opened or broke
├── BackendError         an inference engine refused a model or failed while running it
└── ParityError          exit code 1: an artifact does not give what its PyTorch model gives

Wrong arguments from code raise ``ValueError``; ``assert`` is only for what can't happen.
"""

from __future__ import annotations


class EdgeCnnError(Exception):
    """A failure that a user can act on: what was wanted, what was found, what to do."""

    exit_code = 2

    def __init__(self, wanted: str, found: str, do: str) -> None:
        self.wanted, self.found, self.do = wanted, found, do
        super().__init__(f"wanted {wanted}, found {found}: {do}")

    def __reduce__(self) -> tuple[object, ...]:
        """Errors are raised in one process and told in another."""
        return _rebuilt, (type(self), self.wanted, self.found, self.do)


class InputError(EdgeCnnError):
    """A file, option or dataset from the user is missing, unreadable or contradictory."""


class ArtifactError(EdgeCnnError):
    """An exported file is broken, or its card does not fit it."""


class SourceError(EdgeCnnError):
    """A camera, stream or video can't be opened or broke."""


class BackendError(EdgeCnnError):
    """An inference engine refused a model or failed while running it."""


class ParityError(EdgeCnnError):
    """An artifact does not give what its PyTorch model gives."""

    exit_code = 1


class MissingExtraError(EdgeCnnError):
    """An optional part of edgecnn is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            wanted=f"the package {package}",
            found="it is not installed",
            do=f'run: pip install "edgecnn[{extra}]"',
        )


def _rebuilt(kind: type[EdgeCnnError], wanted: str, found: str, do: str) -> EdgeCnnError:
    error = kind.__new__(kind)
    EdgeCnnError.__init__(error, wanted, found, do)
    return error

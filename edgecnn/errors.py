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
    """A failure that a user can act on: ``problem`` is what is wrong, ``fix`` what to do; the message is "problem; fix".

    Both are plain English without a full stop at the end: EdgeCnnError("torch is not installed", 'run: pip install "edgecnn[train]"').
    """

    exit_code = 2

    def __init__(self, *parts: str) -> None:
        if len(parts) == 3:  # MIGRATION: the old form (wanted, found, do); goes when no caller is left
            self.problem, self.fix, self.found = f"wanted {parts[0]}, found {parts[1]}", parts[2], parts[1]
            super().__init__(f"{self.problem}: {self.fix}")
            return
        self.problem, self.fix = parts
        self.found = self.problem
        super().__init__(f"{self.problem}; {self.fix}")

    def __reduce__(self) -> tuple[object, ...]:
        """Errors are raised in one process and told in another."""
        return _rebuilt, (type(self), self.args[0], self.problem, self.fix, self.found)


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
        super().__init__(f"{package} is not installed", f'run: pip install "edgecnn[{extra}]"')


def _rebuilt(kind: type[EdgeCnnError], text: str, problem: str, fix: str, found: str) -> EdgeCnnError:
    error = kind.__new__(kind)
    Exception.__init__(error, text)
    error.problem, error.fix, error.found = problem, fix, found
    return error

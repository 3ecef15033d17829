"""The exceptions of edgecnn.

EdgeCnnError             exit code 2: one line to the user, never a traceback
├── InputError           a file, option or dataset from the user is missing, unreadable or contradictory
├── ArtifactError        an exported file is broken, or its card does not fit it
├── MissingExtraError    an optional part of edgecnn is not installed or can't be loaded; names the command that installs it
├── LimitError           memory, open files or threads ran out; names the limit
├── SourceError          a camera, stream or video can't be opened or broke
├── BackendError         an inference engine refused a model or failed while running it
└── ParityError          exit code 1: an artifact differs from its PyTorch model

Wrong arguments in code raise ``ValueError``; ``assert`` is only for impossible states.
"""

from __future__ import annotations


class EdgeCnnError(Exception):
    """A failure that the user can fix; the message is "problem; fix".

    Both are plain English without a full stop at the end: EdgeCnnError("torch is not installed", 'run: pip install "edgecnn[train]"').
    Line breaks and other characters that no terminal prints, such as those in the name of a file, are shown as in Python: \\n.
    """

    exit_code = 2

    def __init__(self, problem: str, fix: str) -> None:
        self.problem, self.fix = _printable(problem), _printable(fix)
        super().__init__(f"{self.problem}; {self.fix}")

    def __reduce__(self) -> tuple[object, ...]:
        """Pickling by problem and fix: errors are raised in one process and reported in another."""
        return rebuilt, (type(self), self.problem, self.fix)


class InputError(EdgeCnnError):
    """A file, option or dataset from the user is missing, unreadable or contradictory."""


class ArtifactError(EdgeCnnError):
    """An exported file is broken, or its card does not fit it."""


class LimitError(EdgeCnnError):
    """Memory, open files, threads or processes ran out."""


class SourceError(EdgeCnnError):
    """A camera, stream or video can't be opened or broke."""


class BackendError(EdgeCnnError):
    """An inference engine refused a model or failed while running it."""


class ParityError(EdgeCnnError):
    """An artifact differs from its PyTorch model by more than the tolerance."""

    exit_code = 1


class MissingExtraError(EdgeCnnError):
    """An optional part of edgecnn is not installed, or can't be loaded for a ``reason``."""

    def __init__(self, package: str, extra: str, reason: str = "") -> None:
        if reason:
            super().__init__(
                f"{package} is installed, but can't be loaded: {reason}",
                f"install it again: pip install --force-reinstall {package}",
            )
        else:
            super().__init__(f"{package} is not installed", f'run: pip install "edgecnn[{extra}]"')


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def first_line(error: BaseException, most: int = 200) -> str:
    """The first line of a library's error with text in it, at most ``most`` characters; the kind of the error where it has none."""
    lines = (line.strip() for line in str(error).splitlines())
    return next(filter(None, lines), type(error).__name__)[:most].rstrip(". ")


def rebuilt(kind: type[EdgeCnnError], problem: str, fix: str) -> EdgeCnnError:
    """An error that was raised in another process; subclasses have constructors of their own, which are not called."""
    error = kind.__new__(kind)
    EdgeCnnError.__init__(error, problem, fix)
    return error

from __future__ import annotations

import pickle

import pytest

from edgecnn.errors import EdgeCnnError, InputError, MissingExtraError, ParityError


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(InputError("a", "b"), id="problem-and-fix"),
        pytest.param(MissingExtraError("torch", "train"), id="own-arguments"),
        pytest.param(ParityError("a", "b"), id="exit-code-1"),
    ],
)
def test_an_error_is_the_same_in_another_process(error: EdgeCnnError) -> None:
    found = pickle.loads(pickle.dumps(error))
    assert type(found) is type(error)
    assert (str(found), found.problem, found.fix) == (str(error), error.problem, error.fix)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("a\nb", r"a\nb", id="line-break"),
        pytest.param("a\x1b[2Jb", r"a\x1b[2Jb", id="terminal"),
        pytest.param("a\udcffb", r"a\udcffb", id="bytes-of-a-file-name"),
        pytest.param("maçã 猫", "maçã 猫", id="letters"),
    ],
)
def test_an_error_is_one_line_that_every_terminal_prints(name: str, shown: str) -> None:
    error = InputError(f"{name} is missing", f"copy {name}")
    assert str(error) == f"{shown} is missing; copy {shown}"
    assert (error.problem, error.fix) == (f"{shown} is missing", f"copy {shown}")
    assert str(error).encode()

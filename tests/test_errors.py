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

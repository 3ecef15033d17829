from __future__ import annotations

import pytest

from edgecnn.errors import InputError
from edgecnn.remote.address import BoardAddress, parse_address


@pytest.mark.parametrize(
    ("text", "address", "words"),
    [
        ("pi@door", BoardAddress("door", "pi"), ["-l", "pi", "--", "door"]),
        ("door", BoardAddress("door"), ["--", "door"]),
        ("pi@10.0.0.7:2222", BoardAddress("10.0.0.7", "pi", 2222), ["-p", "2222", "-l", "pi", "--", "10.0.0.7"]),
        ("[fe80::1%eth0]:22", BoardAddress("fe80::1%eth0", "", 22), ["-p", "22", "--", "fe80::1%eth0"]),
        ("root@[::1]", BoardAddress("::1", "root"), ["-l", "root", "--", "::1"]),
    ],
)
def test_addresses(text: str, address: BoardAddress, words: list[str]) -> None:
    assert parse_address(text) == address
    assert address.words == words
    assert str(address) == text


@pytest.mark.parametrize(
    "text", ["", "-oProxyCommand=x", "pi@-x", "a@b@c", "a b", "door:0", "door:70000", "door:x", "::1", "pi@"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not an address of a board"):
        parse_address(text)


def test_name_for_files_has_no_separator() -> None:
    assert parse_address("pi@[fe80::1%eth0]:22").file_name == "pi-fe80-1-eth0-22"

"""The page loads nothing from elsewhere: each address in its files is one of its own server."""

from __future__ import annotations

import re
from importlib import resources

import pytest

FILES = ("index.html", "app.js", "style.css")
# What makes a browser fetch or run something: modules, workers, requests, elements and styles with an address.
LOADS = re.compile(
    r"""\bimport\b\s*(?:\(|['"{*\w])|\bimportScripts\b|@import|new\s+(?:Worker|SharedWorker|WebSocket|EventSource)\b|sendBeacon|\beval\b"""
    r"""|new\s+Function\b|document\.write|createElement\(\s*['"](?:script|iframe|link)"""
)
ADDRESSES = re.compile(r"""(?:src|href|action)\s*=\s*['"]?([^'"\s>]+)|\bfetch\(\s*['"`]([^'"`]*)|url\(\s*['"]?([^'")]+)""")


def source(name: str) -> str:
    return resources.files("edgecnn.runtime.view").joinpath(name).read_text()


def code(name: str) -> str:
    """The file without comments."""
    text = re.sub(r"/\*.*?\*/|<!--.*?-->", "", source(name), flags=re.DOTALL)
    return re.sub(r"(?m)(^|[\s;{}])//.*$", r"\1", text)


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_imported(name: str) -> None:
    assert LOADS.findall(code(name)) == []


@pytest.mark.parametrize("name", FILES)
def test_every_address_is_of_the_own_server(name: str) -> None:
    found = [next(filter(None, groups)) for groups in ADDRESSES.findall(code(name))]
    assert all(re.match(r"/(?!/)|#|data:image/|[\w.-]+(?:$|[/?])", address) for address in found), found


@pytest.mark.parametrize("name", FILES)
def test_no_other_host_is_named(name: str) -> None:
    assert re.findall(r"""['"`(]\s*(?:[a-z]+:)?//[^'"`)\s]*""", code(name)) == []


@pytest.mark.parametrize(
    "added",
    [
        'import("//example.org/x.js");',
        'import x from "./x.js";',
        'importScripts("x.js");',
        'fetch("https://example.org/");',
        '<script src="//example.org/x.js"></script>',
        '@import "x.css";',
        "body { background: url(//example.org/x.png) }",
    ],
)
def test_what_loads_from_elsewhere_is_recognised(added: str) -> None:
    addresses = [next(filter(None, groups)) for groups in ADDRESSES.findall(added)]
    assert LOADS.search(added) or not all(re.match(r"/(?!/)|#|data:image/|[\w.-]+(?:$|[/?])", one) for one in addresses)

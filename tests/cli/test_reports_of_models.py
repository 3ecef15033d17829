"""A report never replaces a model that the same command reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from edgecnn.cli import main

DATA = ("--data", "scene:cups?count=2")


@pytest.mark.parametrize(
    ("words", "replaced"),
    [
        pytest.param(("evaluate", "net.xml", *DATA, "--json", "net.bin"), "net.bin", id="evaluate"),
        pytest.param(("evaluate", "net.xml", "b.xml", *DATA, "--html", "net.xml"), "net.xml", id="evaluate-two"),
        pytest.param(("evaluate", "net.xml", *DATA, "--group-by", "size", "--json", "net.bin"), "net.bin", id="group-by"),
        pytest.param(("robustness", "net.xml", *DATA, "--csv", "net.bin"), "net.bin", id="robustness"),
        pytest.param(("robustness", "net.xml", *DATA, "--baseline", "b.xml", "--json", "b.xml"), "b.xml", id="baseline"),
        pytest.param(("attack", "net.xml", *DATA, "--method", "square", "--json", "net.bin"), "net.bin", id="attack"),
        pytest.param(("attack", "net.xml", *DATA, "--model", "b.xml", "--html", "b.xml"), "b.xml", id="checkpoint"),
        pytest.param(("shortcuts", "net.xml", *DATA, "--html", "net.bin"), "net.bin", id="shortcuts"),
    ],
)
def test_it_is_refused_and_the_model_stays(
    words: tuple[str, ...], replaced: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("net.xml", "net.bin", "b.xml"):
        Path(name).write_bytes(b"model")
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert f"can't write {replaced}: it is a file that is read" in result.stderr
    assert Path(replaced).read_bytes() == b"model"

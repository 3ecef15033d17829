"""`edgecnn sign` and `verify`, and the commands that refuse what the owner did not sign."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgecnn import shipped
from edgecnn.cli import main

pytest.importorskip("cryptography")


def edgecnn(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two keys and three copies of a shipped detector: signed by each, and unsigned."""
    folder = tmp_path_factory.mktemp("signed")
    for name in ("owner", "other"):
        assert edgecnn("sign", "--new-key", folder / name).exit_code == 0
        done = edgecnn("sign", "cups", "--key", folder / name, "--out", folder / f"{name}.onnx")
        assert done.exit_code == 0, done.output
    shutil.copy(shipped.artifact("cups"), folder / "unsigned.onnx")
    return folder


def test_a_signed_file_is_verified(folder: Path) -> None:
    done = edgecnn("verify", folder / "owner.onnx", "--key", folder / "owner.pub")
    assert done.exit_code == 0
    assert done.output.startswith("owner.onnx: signed by SHA256:")
    assert "graph, weights, card and goldens are unchanged, SHA-256 " in done.output


@pytest.mark.parametrize(
    ("command", "options"),
    [
        pytest.param("verify", (), id="verify"),
        pytest.param("selftest", (), id="selftest"),
        pytest.param("evaluate", ("--data", "scene:cups?count=1"), id="evaluate"),
        pytest.param("benchmark", ("--quick", "--clock", "model"), id="benchmark"),
        pytest.param("run", ("--source", "scene:cups?count=1"), id="run"),
    ],
)
@pytest.mark.parametrize(("name", "problem"), [("unsigned", "is not signed; "), ("other", "is signed by the key SHA256:")])
def test_every_command_refuses_other_files(folder: Path, command: str, options: tuple[str, ...], name: str, problem: str) -> None:
    key = ("--key" if command == "verify" else "--require-signature", folder / "owner.pub")
    done = edgecnn(command, folder / f"{name}.onnx", *options, *key)
    assert done.exit_code == 2, done.output
    assert f"{name}.onnx {problem}" in done.output
    assert done.output.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "options"),
    [
        pytest.param("selftest", (), id="selftest"),
        pytest.param("evaluate", ("--data", "scene:cups?count=1"), id="evaluate"),
        pytest.param("run", ("--source", "scene:cups?count=1"), id="run"),
    ],
)
def test_the_right_file_runs(folder: Path, command: str, options: tuple[str, ...]) -> None:
    done = edgecnn(command, folder / "owner.onnx", *options, "--require-signature", folder / "owner.pub")
    assert done.exit_code == 0, done.output


def test_a_cameras_file_may_require_a_signature(folder: Path) -> None:
    file = folder / "cameras.toml"
    text = (
        f'require-signature = "{folder}/owner.pub"\nmodel = "{folder}/{{}}.onnx"\n[[camera]]\nname = "a"\n'
        'source = "scene:cups?count=1"\n'
    )
    file.write_text(text.format("unsigned"))
    done = edgecnn("run", "--cameras", file, "--max-frames", "1")
    assert done.exit_code == 2
    assert "unsigned.onnx is not signed" in done.output
    file.write_text(text.format("owner"))
    assert edgecnn("run", "--cameras", file, "--max-frames", "1").exit_code == 0


def test_changed_weights_stop_every_command_before_a_result(folder: Path, tmp_path: Path) -> None:
    content = bytearray((folder / "owner.onnx").read_bytes())
    content[len(content) // 2] ^= 64
    (tmp_path / "changed.onnx").write_bytes(content)
    commands: dict[str, tuple[str, ...]] = {
        "info": (),
        "selftest": (),
        "evaluate": ("--data", "scene:cups?count=1"),
        "run": ("--source", "scene:cups?count=1", "--jsonl", str(tmp_path / "out.jsonl")),
        "benchmark": ("--quick", "--clock", "model"),
    }
    for command, options in commands.items():
        done = edgecnn(command, tmp_path / "changed.onnx", *options)
        assert done.exit_code == 2, (command, done.output)
        assert "the weights of" in done.output
        assert "are not those that were verified: SHA-256 " in done.output
    assert not (tmp_path / "out.jsonl").exists() or not (tmp_path / "out.jsonl").read_text()


def test_the_password_is_asked_for_on_a_terminal_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = edgecnn("sign", "--new-key", tmp_path / "locked", "--password")
    assert done.exit_code == 2
    assert "a password is needed, and there is no terminal to ask for it; run the command in a terminal" in done.output
    assert not (tmp_path / "locked").exists()
    answers = iter(["secret", "secret", "wrong"])
    monkeypatch.setattr("edgecnn.cli.sign.ask_password", lambda *_args, **_more: next(answers))
    assert edgecnn("sign", "--new-key", tmp_path / "locked", "--password").exit_code == 0
    assert b"ENCRYPTED" in (tmp_path / "locked").read_bytes()
    out = tmp_path / "cups.onnx"
    assert edgecnn("sign", "cups", "--key", tmp_path / "locked", "--out", out).exit_code == 0
    before = out.read_bytes()
    done = edgecnn("sign", out, "--key", tmp_path / "locked")
    assert "the password of" in done.output
    assert done.exit_code == 2
    assert out.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        pytest.param(("cups", "--key", "owner"), "cups.onnx belongs to the installed package; write a signed copy", id="package"),
        pytest.param(("cups",), "a model FILE and --key are needed", id="no-key"),
        pytest.param(("--new-key", "x", "--key", "owner"), "--new-key makes a key and signs nothing", id="both"),
        pytest.param(("unsigned.onnx", "--key", "owner", "--password"), "--password is for --new-key", id="password"),
        pytest.param(("absent.onnx", "--key", "owner"), "the model file absent.onnx does not exist", id="absent"),
    ],
)
def test_wrong_options_are_one_line(folder: Path, words: tuple[str, ...], problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    done = edgecnn("sign", *words)
    assert done.exit_code == 2
    assert f"error: {problem}" in done.output
    assert not (folder / "x").exists()


def test_without_the_package_the_extra_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives", None)
    monkeypatch.delitem(sys.modules, "cryptography.hazmat.primitives.serialization", raising=False)
    done = edgecnn("verify", folder / "owner.onnx", "--key", folder / "owner.pub")
    assert done.exit_code == 2
    assert done.output == 'error: cryptography is not installed; run: pip install "edgecnn[sign]"\n'

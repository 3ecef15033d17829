"""Every command and program in README.md and docs/ is parsed by the real commands; those that are cheap are run."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import edgecnn
from edgecnn.cli import COMMANDS, main
from edgecnn.shipped import artifact
from edgecnn.sweep.cells import cells_of
from edgecnn.sweep.config import read_sweep
from edgecnn.trust.gate.policy_file import read_policy
from edgecnn.zoo.register import registered

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "benchmarks" / "README.md"]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LOOP = re.compile(r"for (\w+) in ([^;]+); do")
STARTS = ("edgecnn ", "python -m edgecnn", "pip install ", "make ")
SCENE = "scene:cups?seed=1&size=320x240"
# another machine, a cluster, a screen, a port of its own, a broker, a server, a model of vectors, one of signals
NEEDS_MORE_THAN_A_MACHINE = {"--host", "--ray", "--show", "--serve", "--mqtt", "--webhook", "--gallery", "--class-score"}


@dataclass(frozen=True)
class Line:
    """One command of a document."""

    document: str
    text: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text.partition(" > ")[0], comments=True)

    def __str__(self) -> str:
        return f"{self.document}: {self.text[:70]}"


def fences(language: str) -> list[tuple[str, str]]:
    """Document and text of each fenced block in one of the languages ("" and "bash" are both shell)."""
    return [(path.name, body) for path in DOCUMENTS for name, body in FENCE.findall(path.read_text()) if name == language]


def shell_lines(body: str) -> Iterator[str]:
    """The commands of a block: continued lines joined, the variables of a loop replaced by their first value."""
    variables = {name: values.split()[0] for name, values in LOOP.findall(body)}
    for line in re.sub(r"\\\n\s*", "", body).splitlines():
        command = LOOP.sub("", line).strip()
        for name, value in variables.items():
            command = command.replace(f"${name}", value)
        if command.startswith(STARTS):
            yield command


def documented() -> list[Line]:
    blocks = [
        Line(name, text) for kind in ("", "bash", "sh", "shell") for name, body in fences(kind) for text in shell_lines(body)
    ]
    spans = [
        Line(path.name, span)
        for path in DOCUMENTS
        for span in SPAN.findall(FENCE.sub("", path.read_text()))
        if span.startswith(STARTS) and "..." not in span
    ]
    return list(dict.fromkeys(blocks + spans))


LINES = documented()


def command_of(line: Line) -> tuple[click.Command, list[str]]:
    """The command that a line calls, and its arguments."""
    words = line.words
    if words[0] == "edgecnn":
        found = main.get_command(click.Context(main), words[1])
        assert found is not None, f"there is no command {words[1]}"
        return found, words[2:]
    module = importlib.import_module(words[2])
    found = next(each for each in (getattr(module, "command", None), getattr(module, "main", None)) if each is not None)
    return found if isinstance(found, click.Command) else click.Command("", params=[]), words[3:]


@pytest.fixture(scope="module")
def model() -> Path:
    return artifact("cups")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOOR_PASSWORD", "secret")
    return tmp_path


def placed(words: list[str], folder: Path, model: Path) -> list[str]:
    """The words with a real file wherever one names a file; those outside the folder are moved into it.

    A model of the register is taken for one that was got.
    """
    return [str(model) if word in registered() else _placed(word, folder, model) for word in words]


def _placed(word: str, folder: Path, model: Path) -> str:
    if word.startswith("/") and not Path(word).exists():
        word = word.lstrip("/")
    for part in re.split(r"[,?]", word):
        path = folder / part
        if "://" in part or "=" in part or "{" in part or len(part) > 100 or path.exists() or not re.fullmatch(r"[\w./-]+", part):
            continue
        if path.suffix in {".onnx", ".tflite", ".xml", ".mp4", ".txt", ".safetensors", ".pt", ".toml", ".json", ".th", ".png"}:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, model)
        elif part.endswith("/"):
            path.mkdir(parents=True)
    return word


def _write(path: Path, model: Path) -> None:
    if path.suffix == ".onnx":
        shutil.copyfile(model, path)
    elif path.suffix == ".toml":
        path.write_text(f'model = "cups"\n[[camera]]\nname = "a"\nsource = "{SCENE}"\n')
    else:
        path.write_text("one\ntwo\n")


def parsed(command: click.Command, words: list[str]) -> click.Context:
    """What click makes of the words; names, choices and numbers are checked, as for a user."""
    if "--help" in words:
        return click.Context(command)
    try:
        return command.make_context(command.name, list(words))
    except click.ClickException as error:
        raise AssertionError(f"{' '.join(words)}: {error.format_message()}") from error


def calls(*starts: str) -> list[object]:
    return [pytest.param(line, id=str(line)) for line in LINES if line.text.startswith(starts)]


def test_documents_name_every_command() -> None:
    assert {line.words[1] for line in LINES if line.words[0] == "edgecnn" and len(line.words) > 1} >= set(COMMANDS)


@pytest.mark.parametrize("line", calls("edgecnn ", "python -m edgecnn"))
def test_the_command_understands_it(line: Line, folder: Path, model: Path) -> None:
    if len(line.words) < 3 or line.words[1].startswith("-"):
        return
    command, words = command_of(line)
    if not words:
        return
    words = placed(words, folder, model)
    if command.name == "service":
        own = words[words.index("--") + 1 :]
        assert parsed(command_of(Line("", "edgecnn run"))[0], own)
    if not all(word.isupper() for word in words):  # `edgecnn models NAME` says what to fill in
        assert parsed(command, words)


def may_be_run(line: Line) -> bool:
    words = line.words
    if words[0] != "edgecnn" or len(words) < 2 or words[1] not in {"run", "models", "info", "selftest", "service", "evaluate"}:
        return False
    if len(words) == 2 and words[1] != "models":  # its name alone, in a sentence
        return False
    files = [word for word in words if re.search(r"\.(tflite|xml|pte|mp4|txt)$|\{camera\}|^yolox|NAME$|^FILE$", word)]
    files += [word for word in words if word in registered()]  # nothing is downloaded by a test
    own_data = words[1] == "evaluate" and not any(word.startswith("scene:") for word in words)
    return not NEEDS_MORE_THAN_A_MACHINE & set(words) and not files and not own_data


def made_short(words: list[str]) -> list[str]:
    """The same on three frames of the scene, whatever camera it names."""
    words = list(words)
    for place, word in enumerate(words[:-1]):
        if word == "--source":
            name, equals, _ = words[place + 1].rpartition("=") if not words[place + 1].startswith("scene:") else ("", "", "")
            words[place + 1] = f"{name}{equals}{SCENE}"
        if word == "--data":
            words[place + 1] = "scene:cups?seed=9&count=4&fps=1&size=320x240"
    if words[1] != "run":
        return words
    return [*words, *(["--duration", "2"] if "--cameras" in words else ["--max-frames", "3"])]  # a file of cameras is watched


@pytest.mark.parametrize("line", [pytest.param(line, id=str(line)) for line in LINES if may_be_run(line)])
def test_it_runs(line: Line, folder: Path, model: Path) -> None:
    words = made_short(placed(line.words, folder, model))
    if "--require-signature" in words:
        pytest.importorskip("cryptography")
        key = words[words.index("--require-signature") + 1].removesuffix(".pub")
        for step in (["--new-key", key], [words[2], "--key", key]):
            assert CliRunner().invoke(main, ["sign", *step]).exit_code == 0
    done = CliRunner().invoke(main, words[1:], catch_exceptions=False)
    assert done.exit_code == 0, done.output


@pytest.mark.slow
def test_the_documented_export_and_what_follows_it(folder: Path) -> None:
    pytest.importorskip("torch")
    export = next(line for line in LINES if line.text.startswith("edgecnn export cups"))
    done = CliRunner().invoke(main, [*export.words[1:], "--format", "onnx", "--precision", "fp32"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert (folder / export.words[export.words.index("--out") + 1] / "cups-fp32.onnx").stat().st_size > 1_000_000


OPTIONS = sorted(
    {(path.name, span) for path in DOCUMENTS for span in SPAN.findall(FENCE.sub("", path.read_text())) if span.startswith("--")}
)


def option_values(name: str) -> list[click.Option]:
    """The options of all commands that are called ``name``."""
    found = [main.get_command(click.Context(main), each) for each in COMMANDS]
    found += [below for each in found if isinstance(each, click.Group) for below in each.commands.values()]
    commands = [each for each in found if each is not None] + [
        each for line in LINES if line.text.startswith("python -m edgecnn") for each in [command_of(line)[0]]
    ]
    options = [one for each in commands for one in each.params if isinstance(one, click.Option)]
    return [one for one in options if name in (*one.opts, *one.secondary_opts)]


@pytest.mark.parametrize(("document", "span"), [pytest.param(*pair, id=f"{pair[0]}: {pair[1]}") for pair in OPTIONS])
def test_a_named_option_exists(document: str, span: str) -> None:
    name, *values = shlex.split(span.partition("|")[0])
    name, _, joined = name.partition("=")
    matching = option_values(name)
    assert matching or name in {"--help", "--version", "--no-deps"}, f"{document}: no command has {name}"
    choices = [set(one.type.choices) for one in matching if isinstance(one.type, click.Choice)]
    takes_more = any(one.type.name == "list" or one.metavar == "LIST" for one in matching)  # checked by the command itself
    for value in [*values, *([joined] if joined else [])]:
        if choices and value.islower() and not takes_more:
            assert any(value in names for names in choices), f"{document}: {span} is none of {choices}"


@pytest.mark.parametrize("line", calls("pip install "))
def test_the_extras_exist(line: Line) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for word in line.words[2:]:
        name, _, extras = word.partition("[")
        assert name in ("edgecnn", ".") or word.startswith("-") or "--no-deps" in line.words
        assert set(filter(None, extras.rstrip("]").split(","))) <= set(project["optional-dependencies"])


@pytest.mark.parametrize("line", calls("make "))
def test_the_target_exists(line: Line) -> None:
    target, *variables = line.words[1:]
    text = (ROOT / "Makefile").read_text()
    assert re.search(rf"^{target}:", text, re.MULTILINE)
    for word in variables:
        assert f"$({word.partition('=')[0]})" in text


@pytest.mark.parametrize("source", [pytest.param(body, id=f"{name}-{at}") for at, (name, body) in enumerate(fences("python"))])
def test_a_program_uses_what_there_is(source: str) -> None:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                importlib.import_module(alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = importlib.import_module(str(node.module))
            assert all(hasattr(module, alias.name) for alias in node.names), ast.unparse(node)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "edgecnn":
            assert hasattr(edgecnn, node.attr), ast.unparse(node)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).startswith("edgecnn."):
            called = getattr(edgecnn, ast.unparse(node.func).removeprefix("edgecnn."))
            inspect.signature(called).bind(*node.args, **{str(word.arg): word.value for word in node.keywords})


def is_policy(text: str) -> bool:
    return text.startswith("data = ")


def is_sweep(text: str) -> bool:
    return text.startswith("models = ")


@pytest.mark.parametrize("text", [body for _, body in fences("toml") if is_sweep(body)])
def test_a_sweep_is_read(text: str, folder: Path) -> None:
    for name in re.findall(r'"([\w-]+\.(?:onnx|tflite|xml|safetensors))"', text):
        (folder / name).touch()
    (folder / "sweep.toml").write_text(text)
    assert len(cells_of(read_sweep(folder / "sweep.toml"))) > 1


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(body, id=f"{name}-{at}")
        for at, (name, body) in enumerate(fences("toml"))
        if not is_sweep(body) and not is_policy(body)
    ],
)
def test_a_file_of_cameras_runs(text: str, folder: Path, model: Path) -> None:
    pytest.importorskip("lap")
    for name in re.findall(r'"([\w-]+\.onnx)"', text):
        shutil.copyfile(model, folder / name)
    (folder / "cameras.toml").write_text(re.sub(r"^source = .*$", f'source = "{SCENE}"', text, flags=re.MULTILINE))
    done = CliRunner().invoke(main, ["run", "--cameras", "cameras.toml", "--duration", "2"], catch_exceptions=False)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("text", [body for _, body in fences("toml") if is_policy(body)])
def test_a_policy_is_read(text: str, folder: Path) -> None:
    (folder / "policy.toml").write_text(text)
    assert read_policy(folder / "policy.toml").accuracy is not None


def test_an_option_that_does_not_exist_is_found(folder: Path, model: Path) -> None:
    command, words = command_of(Line("", "edgecnn run cups --source 0 --no-such-option"))
    with pytest.raises(AssertionError, match="--no-such-option"):
        parsed(command, words)
    assert not option_values("--no-such-option")

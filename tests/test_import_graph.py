"""The modules form no import cycle, also not for type checkers, and each class name has one meaning."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {  # where the source of each package is; the links inside edgecnn/ lead to the same files
    "edgecnn": "edgecnn",
    "edgecnn.export": "export",
    "edgecnn.runtime": "runtime",
    "edgecnn.devices": "devices",
    "edgecnn.benchmarks": "benchmarks",
}


def modules() -> dict[str, Path]:
    """Source files by module name."""
    found = {}
    for package, folder in PACKAGES.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            inside = path.relative_to(ROOT / folder)
            if any((ROOT / folder / parent).is_symlink() for parent in inside.parents):
                continue
            parts = [part for part in inside.with_suffix("").parts if part != "__init__"]
            found[".".join([package, *parts])] = path
    return found


def imports(tree: ast.AST) -> Iterator[str]:
    """Names that a module imports when it is loaded, or under TYPE_CHECKING; those inside functions are left out."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                yield f"{node.module}.{name.name}"
        else:
            yield from imports(node)


def import_graph() -> dict[str, set[str]]:
    """The modules that each module imports; ``from a import b`` is an import of a.b where that is a module, else of a."""
    known = modules()
    graph = {}
    for module, path in known.items():
        names = imports(ast.parse(path.read_text(encoding="utf-8")))
        targets = {name if name in known else name.rpartition(".")[0] for name in names}
        graph[module] = {target for target in targets if target in known and target != module}
    return graph


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import each other: strongly connected components of two or more (Tarjan 1972)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        order[module] = low[module] = len(order)
        stack.append(module)
        for target in sorted(graph[module]):
            if target not in order:
                visit(target)
                low[module] = min(low[module], low[target])
            elif target in stack:
                low[module] = min(low[module], order[target])
        if low[module] == order[module]:
            group = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(group) > 1:
                found.append(sorted(group))

    for module in graph:
        if module not in order:
            visit(module)
    return found


def test_modules_form_no_cycle() -> None:
    graph = import_graph()
    assert len(graph) > 100
    assert sum(map(len, graph.values())) > 300
    assert cycles(graph) == []


def test_a_cycle_is_found() -> None:
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]


def test_imports_for_type_checkers_count_and_those_in_functions_do_not() -> None:
    source = """
import a
from b import c
if TYPE_CHECKING:
    from d import e
class F:
    from g import h
def lazy():
    from i import j
"""
    assert list(imports(ast.parse(source))) == ["a", "b.c", "d.e", "g.h"]


def test_each_class_name_has_one_meaning() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for module, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name.lstrip("_")].append(module)
    assert len(places) > 200
    assert {name: where for name, where in places.items() if len(where) > 1} == {}
